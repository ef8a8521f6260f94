//! The corpus against real servers: no attack succeeds through the gateway, no harmless statement is refused
//! or changed, and the report says so.
//!
//! `WIREGATE_CORPUS=text,text…` runs only the entries whose `section/name` (`client/name`) holds one of the texts,
//! and writes no report.

use integration::corpus::attack::{self, Fate};
use integration::corpus::entry::{self, Attack, Harmless};
use integration::corpus::harmless;
use integration::corpus::score::Score;
use integration::corpus::secret::Finder;
use integration::corpus::stage::{Stage, Template};
use integration::servers::{Family, Server};
use integration::skip::skipped;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

/// The policy under which harmless statements are sent.
const EVERYDAY: &str = "everyday";

type Attacked<'a> = Vec<(&'a Attack, Fate)>;
type Served<'a> = Vec<(&'a Harmless, harmless::Fate)>;

#[test]
fn no_attack_succeeds_and_no_harmless_statement_is_refused() {
    try_all(Family::Postgres, &[("pg15", "PostgreSQL 15"), ("pg18", "PostgreSQL 18")]);
}

#[test]
fn no_attack_succeeds_on_mysql_and_mariadb_and_no_harmless_statement_is_refused() {
    try_all(Family::MySql, &[("mariadb", "MariaDB 10.11"), ("mysql97", "MySQL 9.7")]);
}

fn try_all(family: Family, names: &[(&str, &str)]) {
    let wanted = std::env::var("WIREGATE_CORPUS").ok();
    let named = |of: &str, name: &str| {
        let full = format!("{of}/{name}");
        wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|text| full.contains(text)))
    };
    let attacks: Vec<Attack> =
        entry::attacks(family).into_iter().filter(|one| named(&one.section, &one.name)).collect();
    let statements: Vec<Harmless> =
        entry::harmless(family).into_iter().filter(|one| named(&one.client, &one.name)).collect();
    let mut score = Score::new(&attacks, &statements);
    let mut complete = wanted.is_none();
    let servers: Vec<(Server, &str)> = names
        .iter()
        .filter_map(|(name, title)| match Server::find(name) {
            Ok(server) => Some((server, *title)),
            Err(reason) => {
                complete = false;
                skipped(&format!("the corpus on {name}"), &reason);
                None
            }
        })
        .collect();
    let results = thread::scope(|scope| {
        let (attacks, statements) = (&attacks, &statements);
        let play = |server| scope.spawn(move || play(server, attacks, statements));
        let running: Vec<_> = servers.iter().map(|(server, _)| play(server)).collect();
        running.into_iter().map(|thread| thread.join().expect("a server's part of the corpus")).collect::<Vec<_>>()
    });
    for ((_, title), (attacked, served)) in servers.iter().zip(&results) {
        score.add(title, attacked, served);
    }
    if complete {
        score.write(&integration::root().join("bench/report/evasion.md"), family, &entry::sections(family));
    }
    let (failures, known) = (score.failures(), score.known());
    if !known.is_empty() {
        attack::progress(&format!("KNOWN LEAKS AND FALSE REFUSALS: {}\n{}", known.len(), known.join("\n")));
    }
    assert!(failures.is_empty(), "{} entries of the corpus fail:\n{}", failures.len(), failures.join("\n"));
}

/// The whole corpus on one server: a thread for each policy.
fn play<'a>(server: &Server, attacks: &'a [Attack], statements: &'a [Harmless]) -> (Attacked<'a>, Served<'a>) {
    let template = Template::make(server, "evasion");
    let finder = Finder::new(&template.derived);
    let mut by_policy: BTreeMap<&str, Vec<&Attack>> = BTreeMap::new();
    for attack in attacks.iter().filter(|attack| attack.runs_on(server)) {
        by_policy.entry(&attack.policy).or_default().push(attack);
    }
    let statements: Vec<&Harmless> = statements.iter().filter(|statement| statement.runs_on(server)).collect();
    let (template, finder) = (&template, &finder);
    thread::scope(|scope| {
        let attackers: Vec<_> = by_policy
            .iter()
            .map(|(policy, attacks)| {
                scope.spawn(move || attack::run_all(&Stage::build(server, template, policy), finder, attacks))
            })
            .collect();
        let served = if statements.is_empty() {
            Vec::new()
        } else {
            harmless::run_all(&Stage::build(server, template, EVERYDAY), &statements)
        };
        let attacked = attackers.into_iter().flat_map(|thread| thread.join().expect("the attacks of a policy"));
        (attacked.collect(), served)
    })
}

#[test]
fn the_corpus_covers_every_item_and_its_names_are_unique() {
    let mut wrong = Vec::new();
    for family in [Family::Postgres, Family::MySql] {
        let attacks = entry::attacks(family);
        let mut names = BTreeSet::new();
        let all = attacks.iter().map(|attack| attack.name.clone());
        for name in all.chain(entry::harmless(family).into_iter().map(|one| one.name)) {
            assert!(names.insert(name.clone()), "two entries are named {name:?}");
        }
        let sections = entry::sections(family);
        for attack in &attacks {
            let section = sections.iter().find(|section| section.name == attack.section);
            let item = section.and_then(|section| section.items.iter().find(|item| item.name == attack.item));
            if item.is_none() {
                wrong.push(format!("{}: no item {:?} of {:?}", attack.name, attack.item, attack.section));
            }
        }
        for section in &sections {
            for item in &section.items {
                if !attacks.iter().any(|attack| attack.section == section.name && attack.item == item.name) {
                    wrong.push(format!("{}: no attack for {:?}", section.name, item.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
