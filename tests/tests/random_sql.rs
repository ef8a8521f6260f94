//! Random valid SQL over a schema with masked columns, through the gateway to real servers: no reply holds a
//! secret, in whatever guise.
//!
//! `WIREGATE_SQL_SECONDS` is the time for each server (20; 900 where `WIREGATE_SOAK` is set),
//! `WIREGATE_SQL_SEED` the first seed. A find is reported with the statement; it belongs into `tests/evasion`.

use integration::corpus::random::{Kind, Maker, Statement};
use integration::corpus::secret::Finder;
use integration::corpus::stage::{self, Stage, Template};
use integration::or_skip;
use integration::raw::message::{bind, describe, execute, extended, parse, query, sync};
use integration::raw::{Client, Frame, transcript};
use integration::servers::Server;
use std::io::Write;
use std::time::{Duration, Instant};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One statement in `CHECKED` is run straight against the server, too: to know that what is tried could leak.
const CHECKED: usize = 25;

#[derive(Debug, Default)]
struct Tally {
    statements: usize,
    with_rows: usize,
    failed: usize,
    checked: usize,
    would_leak: usize,
}

fn search(name: &str) {
    let server = or_skip!(Server::find(name));
    let template = Template::make(&server, "random");
    let finder = Finder::new(&template.derived);
    let stage = Stage::build(&server, &template, "masks");
    let default = if std::env::var_os("WIREGATE_SOAK").is_some() { 900 } else { 20 };
    let time = Duration::from_secs(number("WIREGATE_SQL_SECONDS", default));
    let seed = number("WIREGATE_SQL_SEED", 1);
    let mut maker = Maker::new(seed, stage::major(&server));
    let mut through = Client::login(&stage.through("raider"));
    let mut direct = Client::login(&stage.direct("raider"));
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut leaks = Vec::new();
    while began.elapsed() < time && leaks.len() < 20 {
        let statement = maker.statement();
        tally.statements += 1;
        let frames = run(&mut through, &statement, tally.statements);
        tally.with_rows += usize::from(frames.iter().any(|frame| matches!(frame.tag, b'D' | b'd')));
        tally.failed += usize::from(frames.iter().any(|frame| frame.tag == b'E'));
        let found = finder.find(&frames);
        if let Some(first) = found.first() {
            leaks.push(format!(
                "seed {seed}, statement {}: {first}\n{}",
                tally.statements,
                statement.sql.replace('\0', "; ")
            ));
        }
        if tally.statements.is_multiple_of(CHECKED) {
            tally.checked += 1;
            tally.would_leak += usize::from(!finder.find(&run(&mut direct, &statement, tally.statements)).is_empty());
        }
        if frames.last().is_none_or(|frame| frame.tag != b'Z') {
            // Nothing in the grammar may end a session.
            leaks.push(format!("the session ended:\n{}\n{}", statement.sql, transcript(&frames)));
            through = Client::login(&stage.through("raider"));
        }
    }
    let _ = std::io::stderr().write_all(format!("{name}: seed {seed}, {tally:?}\n").as_bytes());
    assert!(leaks.is_empty(), "{} statements leak:\n{}", leaks.len(), leaks.join("\n\n"));
    assert!(tally.with_rows * 2 > tally.statements, "most statements must be answered by rows: {tally:?}");
    assert!(tally.would_leak * 4 > tally.checked, "many statements must show secrets without the gateway: {tally:?}");
}

/// Sends a statement in a way that its number decides, and gives all replies.
fn run(client: &mut Client, statement: &Statement, number: usize) -> Vec<Frame> {
    let sql = &statement.sql;
    match statement.kind {
        Kind::Copy => client.ask(&query(sql)),
        Kind::Query => match number % 3 {
            0 => client.ask(&query(sql)),
            1 => client.ask(&[extended(sql), sync()].concat()),
            _ => {
                let messages = [parse("", sql), bind("", "", &[], 1), describe(b'P', ""), execute("", 0), sync()];
                client.ask(&messages.concat())
            }
        },
        Kind::Write | Kind::Session => {
            let texts: Vec<&str> =
                ["BEGIN"].into_iter().chain(sql.split('\0')).chain(["ROLLBACK", "DEALLOCATE ALL"]).collect();
            let mut frames = Vec::new();
            for text in texts {
                frames.extend(client.query(text));
            }
            frames
        }
    }
}

#[test]
fn random_queries_show_no_secret_on_pg15() {
    search("pg15");
}

#[test]
fn random_queries_show_no_secret_on_pg18() {
    search("pg18");
}
