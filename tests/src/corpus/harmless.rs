//! Runs harmless statements through a gateway under rules, and compares the replies with the server's own.

use super::entry::{Compare, Harmless, Way};
use super::stage::Stage;
use super::step::{Seen, Surroundings, Talk};
use crate::program;
use crate::servers::{Endpoint, Family};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How a harmless statement fared on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// As the server answered it.
    Passed,
    /// Otherwise: what is different.
    Differs(String),
    /// The entry proves nothing: the server itself refuses it.
    Broken(String),
}

/// Runs statements on one stage, in order.
#[must_use]
pub fn run_all<'a>(stage: &Stage<'_>, statements: &[&'a Harmless]) -> Vec<(&'a Harmless, Fate)> {
    let mut fates = Vec::new();
    for statement in statements {
        let fate = run(stage, statement);
        if fate != Fate::Passed {
            super::attack::progress(&format!(
                "{} {}/{}: {fate:?}",
                stage.server().name,
                statement.client,
                statement.name
            ));
        }
        fates.push((*statement, fate));
    }
    fates
}

fn run(stage: &Stage<'_>, statement: &Harmless) -> Fate {
    // One database for both: what a client asks of the catalogue names it.
    let through = stage.through(&statement.user);
    let direct = through.on_port(stage.server().port);
    if let Some(command) = &statement.program {
        return program(stage, command, &direct, &through);
    }
    for way in statement.ways() {
        let said = |endpoint: &Endpoint| {
            let seen = catch_unwind(AssertUnwindSafe(|| converse(stage, endpoint, statement, way)));
            let untouched =
                !super::attack::returns_changes(statement) && seen.as_ref().is_ok_and(Seen::shows_rows_alone);
            if !untouched && stage.guarded.is_changed() {
                stage.guarded.reset();
            }
            seen.map(|seen| shown(&seen, statement.compare)).unwrap_or_else(|_| "the conversation broke".into())
        };
        let expected = said(&direct);
        if expected.lines().any(|line| line.starts_with("E ")) != statement.fails
            || expected == "the conversation broke"
        {
            return Fate::Broken(format!("{way:?}: the server itself says {}", first_error(&expected)));
        }
        let seen = said(&through);
        if seen != expected {
            let pair = expected.lines().zip(seen.lines()).find(|(expected, seen)| expected != seen);
            let (expected, seen) = pair.unwrap_or(("its own number of messages", "another one"));
            return Fate::Differs(format!("{way:?}: {} in place of {}", cut(seen), cut(expected)));
        }
    }
    Fate::Passed
}

fn converse(stage: &Stage<'_>, endpoint: &Endpoint, statement: &Harmless, way: Option<Way>) -> Seen {
    let around = Surroundings {
        endpoint: endpoint.clone(),
        startup: Vec::new(),
        admin: &|sql| drop(stage.guarded.admin(sql)),
        rules: &|_| {},
        guess: String::new(),
        family: stage.server().family(),
        names: stage.guarded.names(),
    };
    let mut conversation = Talk::begin(&around);
    for sql in &statement.before {
        conversation.query(sql);
    }
    if let (Some(sql), Some(way)) = (&statement.sql, way) {
        conversation.statement(sql, way);
    }
    for step in &statement.steps {
        conversation.step(step);
    }
    conversation.end()
}

fn shown(seen: &Seen, compare: Compare) -> String {
    let transcript = seen.transcript();
    match compare {
        Compare::Exact => transcript,
        Compare::Shape => {
            let shape = |line: &str| match line.split(' ').next().unwrap_or_default() {
                "D" | "S" | "C" | "o" => None,
                // The definition of a column: its width may be that of a value.
                "t" => Some("t\n".to_owned()),
                // It begins with the process of the server.
                "A" => Some("A\n".to_owned()),
                _ => Some(line.to_owned() + "\n"),
            };
            transcript.lines().filter_map(shape).collect()
        }
    }
}

/// Runs a backslash command by psql, or another of the server's programs. Through MySQL's and MariaDB's go their
/// options for this endpoint, and what is written for a database takes its name.
fn program(stage: &Stage<'_>, command: &str, direct: &Endpoint, through: &Endpoint) -> Fate {
    let filled = stage.guarded.fill(command);
    let said = |endpoint: &Endpoint| {
        let dsn = stage.server().dsn(endpoint);
        let mut words = filled.split_whitespace();
        let mut program = match words.next() {
            Some(name) if stage.server().family() != Family::Postgres => {
                let mut program = stage.server().program(name);
                program.args(stage.server().options(endpoint));
                let arguments = filled.trim_start().strip_prefix(name).unwrap_or_default().trim();
                match arguments.strip_prefix("-e ") {
                    Some(sql) => program.args(["--database", &endpoint.database, "--execute", sql]),
                    None => program.args(words),
                };
                program
            }
            Some(name) if !name.starts_with('\\') => {
                let mut program = stage.server().program(name);
                program.args(words).args(["-d", &dsn]);
                program
            }
            _ => {
                let mut psql = stage.server().program("psql");
                psql.args(["-X", "-A", "-d", &dsn, "-c", command]);
                psql
            }
        };
        let finished = program::run(&mut program, Duration::from_secs(120));
        // pg_dump makes a key of its own for every run.
        let lines = finished.everything();
        let own = |line: &&str| !line.contains("restrict ") && !line.contains("[Warning] Using a password");
        lines.lines().filter(own).map(|line| format!("{line}\n")).collect::<String>()
    };
    let (expected, seen) = (said(direct), said(through));
    if ["ERROR:", "ERROR ", "error:"].iter().any(|word| expected.contains(word)) {
        return Fate::Broken(first_error(&expected));
    }
    let pair = expected.lines().zip(seen.lines()).find(|(expected, seen)| expected != seen);
    match pair {
        Some((expected, seen)) => Fate::Differs(format!("{} in place of {}", cut(seen), cut(expected))),
        None if seen.lines().count() != expected.lines().count() => Fate::Differs("another number of lines".into()),
        None => Fate::Passed,
    }
}

fn first_error(text: &str) -> String {
    cut(text.lines().find(|line| line.starts_with("E ") || line.to_lowercase().contains("error:")).unwrap_or(text))
}

fn cut(line: &str) -> String {
    let short: String = line.chars().take(200).collect();
    format!("{short:?}")
}
