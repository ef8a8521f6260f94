//! The format of the corpus.
//!
//! A file of `tests/evasion` holds the attacks of one section (one line of what evades deny lists and masks),
//! and `coverage.toml` beside them names the items of each section: an item without an attack fails the tests.
//! A file of `tests/harmless` holds what one kind of client sends. The folder `mysql` in both holds the same for
//! MySQL and MariaDB. Unknown keys are errors.

use super::stage;
use super::step::Step;
use crate::servers::{Family, Server};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// One file of attacks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttackFile {
    section: String,
    #[serde(default = "masks")]
    policy: String,
    #[serde(default)]
    attack: Vec<Attack>,
}

fn masks() -> String {
    "masks".into()
}

/// What an attacker is after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// To see a masked value, in any guise.
    #[default]
    Leak,
    /// To change something on the server, or to run what a rule refuses.
    Effect,
}

/// How a plain statement is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A Query message; COM_QUERY.
    Simple,
    /// Parse, Bind, Describe, Execute, Sync, with results in text; in MySQL's protocol prepared, its rows fetched
    /// from a cursor.
    Extended,
    /// The same with results in binary; in MySQL's protocol without a cursor.
    Binary,
}

/// One attack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// What it is called in reports; unique in the corpus.
    pub name: String,
    /// The item of its section that it is an example of.
    pub item: String,
    /// The policy of `policies.toml`; left out: the file's.
    #[serde(default)]
    pub policy: String,
    /// What it is after.
    #[serde(default)]
    pub goal: Goal,
    /// Who attacks.
    #[serde(default = "raider")]
    pub user: String,
    /// More parameters of the start-up packet.
    #[serde(default)]
    pub startup: BTreeMap<String, String>,
    /// What the administrator does ahead of it, past the gateway.
    #[serde(default)]
    pub admin: Vec<String>,
    /// What the attacker sends ahead of it, each as a simple query.
    #[serde(default)]
    pub before: Vec<String>,
    /// A statement, sent in each of `ways`.
    #[serde(default)]
    pub sql: Option<String>,
    /// How `sql` is sent; left out: in every way (for effects not in binary, which changes nothing; by the
    /// extended protocol alone where the administrator prepares a database for each).
    #[serde(default)]
    pub ways: Option<Vec<Way>>,
    /// Anything else than one statement, behind `sql` where both are there.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What the administrator does behind it, however it ended.
    #[serde(default)]
    pub after: Vec<String>,
    /// Other texts that give the secret away, for guises that the search does not know.
    #[serde(default)]
    pub also: Vec<String>,
    /// A query of the administrator that says `t` where the effect happened; left out: any change that the
    /// fingerprint of the database shows.
    #[serde(default)]
    pub effect: Option<String>,
    /// A right and a wrong guess for `{{guess}}`: the attack succeeds where the replies tell them apart.
    #[serde(default)]
    pub guess: Option<[String; 2]>,
    /// Why it does not succeed against the bare server either, and is worth trying all the same.
    #[serde(default)]
    pub unarmed: Option<String>,
    /// The beginning of the name of the only servers that have what it uses.
    #[serde(default)]
    pub only: Option<String>,
    /// First major version of the server that has what it uses.
    #[serde(default)]
    pub since: Option<u32>,
    /// Last major version of the server that has what it uses.
    #[serde(default)]
    pub until: Option<u32>,
    /// Why the gateway does not stop it yet. Counted and shown; an attack that is stopped must not have it.
    #[serde(default)]
    pub known: Option<String>,
    /// Why no gateway can stop it in principle: it stands in SECURITY.md with what narrows it. Counted apart.
    #[serde(default)]
    pub limit: Option<String>,
    /// The section of its file.
    #[serde(skip)]
    pub section: String,
    /// Whether it is one of MySQL's and MariaDB's.
    #[serde(skip)]
    mysql: bool,
}

fn raider() -> String {
    "raider".into()
}

impl Attack {
    /// The ways in which it is to be sent; `None` where it is a list of steps alone.
    #[must_use]
    pub fn ways(&self) -> Vec<Option<Way>> {
        if self.sql.is_none() {
            return vec![None];
        }
        let prepared = !self.admin.is_empty();
        let all = match (self.goal, &self.ways) {
            (_, Some(ways)) => ways.clone(),
            (_, None) if prepared && self.mysql => vec![Way::Simple],
            (_, None) if prepared => vec![Way::Extended],
            (Goal::Leak, None) => vec![Way::Simple, Way::Extended, Way::Binary],
            (Goal::Effect, None) => vec![Way::Simple, Way::Extended],
        };
        all.into_iter().map(Some).collect()
    }

    /// Whether a server has what it uses.
    #[must_use]
    pub fn runs_on(&self, server: &Server) -> bool {
        runs_on(server, self.only.as_deref(), (self.since, self.until))
    }
}

fn runs_on(server: &Server, only: Option<&str>, (since, until): (Option<u32>, Option<u32>)) -> bool {
    let major = stage::major(server);
    only.is_none_or(|only| server.name.starts_with(only))
        && since.is_none_or(|since| major >= since)
        && until.is_none_or(|until| major <= until)
}

/// How a harmless statement's replies are compared with the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Byte for byte.
    #[default]
    Exact,
    /// Types of messages and names of columns: for values that change with time, such as clocks and counters.
    Shape,
}

/// One file of harmless statements.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HarmlessFile {
    client: String,
    #[serde(default)]
    psql: Vec<Programs>,
    #[serde(default)]
    program: Vec<Programs>,
    #[serde(default)]
    statement: Vec<Harmless>,
}

/// Backslash commands, each run by the server's own psql, or command lines of the server's other programs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    commands: Vec<String>,
    #[serde(default)]
    only: Option<String>,
    #[serde(default)]
    since: Option<u32>,
    #[serde(default)]
    known: Option<String>,
}

/// One harmless statement, or a few that belong together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harmless {
    /// What it is called in reports; unique.
    pub name: String,
    /// What is sent ahead of it, each as a simple query, in the same session.
    #[serde(default)]
    pub before: Vec<String>,
    /// The statement, sent in each of `ways`.
    #[serde(default)]
    pub sql: Option<String>,
    /// How `sql` is sent; left out: in every way.
    #[serde(default)]
    pub ways: Option<Vec<Way>>,
    /// Anything else than one statement.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// How the replies are compared.
    #[serde(default)]
    pub compare: Compare,
    /// Whether the server answers with an error, which is to arrive as it is.
    #[serde(default)]
    pub fails: bool,
    /// Who sends it.
    #[serde(default = "raider")]
    pub user: String,
    /// The beginning of the name of the only servers that have what it uses.
    #[serde(default)]
    pub only: Option<String>,
    /// First major version of the server that has what it uses.
    #[serde(default)]
    pub since: Option<u32>,
    /// Last major version of the server that has what it uses.
    #[serde(default)]
    pub until: Option<u32>,
    /// Why the gateway refuses or changes it yet.
    #[serde(default)]
    pub known: Option<String>,
    /// A command for psql or another program in place of messages.
    #[serde(skip)]
    pub program: Option<String>,
    /// The client of its file.
    #[serde(skip)]
    pub client: String,
}

impl Harmless {
    /// Whether a server has what it uses.
    #[must_use]
    pub fn runs_on(&self, server: &Server) -> bool {
        runs_on(server, self.only.as_deref(), (self.since, self.until))
    }

    /// The ways in which it is to be sent; `None` where it is a list of steps alone.
    #[must_use]
    pub fn ways(&self) -> Vec<Option<Way>> {
        match (&self.sql, &self.ways) {
            (None, _) => vec![None],
            (Some(_), Some(ways)) => ways.iter().copied().map(Some).collect(),
            (Some(_), None) => vec![Some(Way::Simple), Some(Way::Extended), Some(Way::Binary)],
        }
    }
}

/// One item of a section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name, as attacks give it.
    pub name: String,
}

/// One section: a line of the list of evasions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The name that files of attacks give.
    pub name: String,
    /// Its heading in reports.
    pub title: String,
    /// Its items.
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coverage {
    section: Vec<Section>,
}

/// A folder under `tests`.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    crate::root().join("tests").join(name)
}

fn read<T: DeserializeOwned>(path: &PathBuf) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn data_files(name: &str, without: &[&str]) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder(name)).expect("the corpus is there");
    let paths = listed.map(|entry| entry.expect("a folder that can be read").path());
    let wanted = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.ends_with(".toml") && !without.contains(&file.as_str())
    };
    let mut paths: Vec<PathBuf> = paths.filter(wanted).collect();
    paths.sort();
    paths
}

/// The folder of a family's part of the corpus.
fn part(folder: &str, family: Family) -> String {
    if family == Family::Postgres { folder.to_owned() } else { format!("{folder}/mysql") }
}

/// All attacks on a family of servers, in the order of the files.
///
/// # Panics
/// When a file does not have the format.
#[must_use]
pub fn attacks(family: Family) -> Vec<Attack> {
    let files = data_files(&part("evasion", family), &["coverage.toml", "policies.toml"]);
    let mysql = family != Family::Postgres;
    files
        .iter()
        .map(read::<AttackFile>)
        .flat_map(|file| {
            let (section, policy) = (file.section, file.policy);
            file.attack.into_iter().map(move |attack| Attack {
                section: section.clone(),
                mysql,
                policy: if attack.policy.is_empty() { policy.clone() } else { attack.policy },
                ..attack
            })
        })
        .collect()
}

/// The sections with their items.
///
/// # Panics
/// When the file does not have the format.
#[must_use]
pub fn sections(family: Family) -> Vec<Section> {
    read::<Coverage>(&folder(&part("evasion", family)).join("coverage.toml")).section
}

/// The policies by name: rules as a config holds them.
///
/// # Panics
/// When the file does not have the format.
#[must_use]
pub fn policies(family: Family) -> BTreeMap<String, String> {
    read(&folder(&part("evasion", family)).join("policies.toml"))
}

/// All harmless statements for a family of servers, in the order of the files.
///
/// # Panics
/// When a file does not have the format.
#[must_use]
pub fn harmless(family: Family) -> Vec<Harmless> {
    let files = data_files(&part("harmless", family), &[]);
    files
        .iter()
        .map(read::<HarmlessFile>)
        .flat_map(|file| {
            let client = file.client.clone();
            let psql = file.psql.into_iter().map(|group| ("psql ", group));
            let programs = psql.chain(file.program.into_iter().map(|group| ("", group)));
            let commands = programs.flat_map(|(shown, group)| {
                group.commands.clone().into_iter().map(move |command| Harmless {
                    fails: false,
                    name: format!("{shown}{command}"),
                    before: Vec::new(),
                    sql: None,
                    ways: None,
                    steps: Vec::new(),
                    compare: Compare::Exact,
                    user: raider(),
                    only: group.only.clone(),
                    since: group.since,
                    until: None,
                    known: group.known.clone(),
                    program: Some(command),
                    client: String::new(),
                })
            });
            let statements = commands.chain(file.statement);
            statements.map(|statement| Harmless { client: client.clone(), ..statement }).collect::<Vec<_>>()
        })
        .collect()
}
