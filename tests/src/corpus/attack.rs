//! Runs attacks, and judges them by what reached the client and what changed on the server.

use super::entry::{Attack, Goal, Way};
use super::secret::Finder;
use super::stage::{Copy, Stage};
use super::step::{Seen, Step, Surroundings, Talk};
use crate::corpus::client as mysql;
use crate::raw::Client;
use crate::servers::{Endpoint, Family};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How an attack ended on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The gateway stopped it in every way in which it was sent.
    Stopped,
    /// It succeeded through the gateway: how it was sent, and what was seen.
    Succeeded(String),
    /// The entry proves nothing: it fails without the gateway, too.
    Blunt(String),
}

/// Runs attacks of one policy on one stage, in order.
#[must_use]
pub fn run_all<'a>(stage: &Stage<'_>, finder: &Finder, attacks: &[&'a Attack]) -> Vec<(&'a Attack, Fate)> {
    let mut fates = Vec::new();
    for attack in attacks {
        let fate = run(stage, finder, attack);
        if fate != Fate::Stopped {
            progress(&format!("{} {}/{}: {fate:?}", stage.server().name, attack.section, attack.name));
        }
        fates.push((*attack, fate));
    }
    fates
}

/// A line for who waits: standard error without the print macros, which the runner keeps for the end.
pub fn progress(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn run(stage: &Stage<'_>, finder: &Finder, attack: &Attack) -> Fate {
    let ways = attack.ways();
    let bare = Side { stage, copy: &stage.bare, endpoint: stage.direct(&attack.user), guarded: false };
    let first = ways.first().copied().flatten();
    match (bare.succeeds(finder, attack, first), &attack.unarmed) {
        (Ok(_), None) => {}
        (Err(why), Some(_)) if !why.hung => {}
        (Ok(seen), Some(_)) => {
            return Fate::Blunt(format!("marked as unarmed, and succeeds without the gateway: {seen}"));
        }
        (Err(why), _) => return Fate::Blunt(format!("without the gateway it does not succeed: {}", why.text)),
    }
    let guarded = Side { stage, copy: &stage.guarded, endpoint: stage.through(&attack.user), guarded: true };
    let mut succeeded = Vec::new();
    for way in ways {
        let how = way.map_or("steps".to_owned(), |way| format!("{way:?}").to_lowercase());
        match guarded.succeeds(finder, attack, way) {
            Ok(seen) => succeeded.push(format!("{how}: {seen}")),
            Err(why) if why.hung => succeeded.push(format!("{how}: {}", why.text)),
            Err(_) => {}
        }
    }
    if attack.steps.iter().any(|step| matches!(step, Step::Rules(_))) {
        stage.restore();
    }
    if succeeded.is_empty() { Fate::Stopped } else { Fate::Succeeded(succeeded.join("; ")) }
}

/// Why an attack did not succeed.
struct Failure {
    text: String,
    /// Whether a reply did not come, which is a failure of ours.
    hung: bool,
}

/// One side of the stage.
struct Side<'s> {
    stage: &'s Stage<'s>,
    copy: &'s Copy<'s>,
    endpoint: Endpoint,
    guarded: bool,
}

impl Side<'_> {
    /// What shows that an attack succeeds here.
    fn succeeds(&self, finder: &Finder, attack: &Attack, way: Option<Way>) -> Result<String, Failure> {
        let failure = |text: String| Failure { text, hung: false };
        if let Some([right, wrong]) = &attack.guess {
            let (told, lied) = (self.play(attack, way, right)?.0, self.play(attack, way, wrong)?.0);
            let (told, lied) = (answers(&told, right), answers(&lied, wrong));
            let difference = told.lines().zip(lied.lines()).find(|(told, lied)| told != lied);
            return match difference {
                Some((told, lied)) => Ok(format!("a right guess says {told:?}, a wrong one {lied:?}")),
                None if told.lines().count() != lied.lines().count() => Ok("the guesses bring other rows".into()),
                None => Err(failure(format!("both guesses say {told:?}"))),
            };
        }
        let (seen, effect) = self.play(attack, way, "")?;
        let mut found: Vec<String> = seen.sessions.iter().flat_map(|frames| finder.find(frames)).collect();
        let transcript = seen.transcript();
        found.extend(attack.also.iter().filter(|also| transcript.contains(also.as_str())).cloned());
        match attack.goal {
            Goal::Leak if !found.is_empty() => Ok(format!("{:?}", &found[..found.len().min(2)])),
            Goal::Effect if effect => {
                Ok(format!("the server is changed; {}", seen.first_error().unwrap_or("no error".into())))
            }
            _ => Err(failure(seen.first_error().unwrap_or_else(|| tail(&transcript)))),
        }
    }

    /// Has the gateway read the catalogue again, as it does behind any change of the schema that it sees. What
    /// the administrator prepared is to count as having been there for long.
    fn tell_of_changes(&self) {
        let failed = match self.stage.server().family() {
            Family::Postgres => {
                !Client::login(&self.endpoint).query("CREATE TEMP TABLE told ()").iter().any(|frame| frame.tag == b'C')
            }
            Family::MariaDb | Family::MySql => mysql::Client::open(&self.endpoint)
                .query("CREATE TEMPORARY TABLE told (x int)")
                .iter()
                .any(|frame| frame.tag == b'E'),
        };
        debug_assert!(!failed, "a temporary table may be made under every policy");
    }

    /// Plays an attack once, puts everything back, and says what came and whether it had an effect.
    fn play(&self, attack: &Attack, way: Option<Way>, guess: &str) -> Result<(Seen, bool), Failure> {
        let around = Surroundings {
            endpoint: self.endpoint.clone(),
            startup: attack.startup.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            admin: &|sql| drop(self.copy.admin(sql)),
            rules: &|policy| {
                if self.guarded {
                    self.stage.load(policy);
                }
            },
            guess: guess.to_owned(),
            family: self.stage.server().family(),
            names: self.copy.names(),
        };
        for sql in &attack.admin {
            if let Err(error) = self.copy.prepare(&around.fill(sql)) {
                self.copy.reset();
                return Err(Failure { text: format!("the entry cannot be prepared: {error}"), hung: true });
            }
        }
        if self.guarded && !attack.admin.is_empty() {
            self.tell_of_changes();
        }
        // What the administrator prepared is no effect.
        let prepared = (!attack.admin.is_empty()).then(|| self.copy.fingerprint());
        let played = catch_unwind(AssertUnwindSafe(|| {
            let mut conversation = Talk::begin(&around);
            for sql in &attack.before {
                conversation.query(sql);
            }
            if let (Some(sql), Some(way)) = (&attack.sql, way) {
                conversation.statement(sql, way);
            }
            for step in &attack.steps {
                conversation.step(step);
            }
            conversation.end()
        }));
        let untouched =
            attack.goal == Goal::Leak && !returns_changes(attack) && played.as_ref().is_ok_and(Seen::shows_rows_alone);
        let changed = match &prepared {
            None if untouched => false,
            Some(prepared) => self.copy.fingerprint() != *prepared,
            None => self.copy.is_changed(),
        };
        let effect = match &attack.effect {
            Some(query) => matches!(self.copy.admin(&around.fill(query)).as_deref(), Some("t" | "1")),
            None => changed,
        };
        for sql in &attack.after {
            let _ = self.copy.admin(&around.fill(sql));
        }
        if changed || prepared.is_some() {
            self.copy.reset();
        }
        let seen = played.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            Failure { text: format!("the conversation broke: {text}"), hung: true }
        })?;
        Ok((seen, effect))
    }
}

/// Whether an entry may change rows and be answered by rows alone.
pub(super) fn returns_changes(entry: &impl std::fmt::Debug) -> bool {
    format!("{entry:?}").contains("RETURNING")
}

/// The replies behind the login, with the guess itself taken out of what quotes it.
fn answers(seen: &Seen, guess: &str) -> String {
    let transcript = seen.transcript();
    let behind_login = transcript.split_once("Z I\n").map_or(&*transcript, |(_, behind)| behind);
    if guess.len() < 4 { behind_login.to_owned() } else { behind_login.replace(guess, "…") }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(4)..].join(" / ").chars().take(400).collect()
}
