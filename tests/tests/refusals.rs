//! A refused statement leaves the session where the server would have left it: order of replies, skipping to
//! Sync, one ReadyForQuery, a failed transaction on both sides.

use integration::gateway::{Gateway, Setup};
use integration::raw::message::{bind, bind_formats, describe, execute, extended, parse, query, sync};
use integration::raw::{Client, Frame, transcript};
use integration::servers::{PrivateDatabase, Server};
use integration::{masked, or_skip, program, root};
use std::process::Command;
use std::time::Duration;

/// The shop's rules, for everybody: the raw client logs in as a user without a password.
fn rules() -> String {
    masked::POLICY.replace("except_groups = [\"dba\"]\n", "")
}

fn strict(server: &Server) -> Gateway {
    Setup::before(server).policy(&rules()).start()
}

fn client(gateway: &Gateway, database: &PrivateDatabase<'_>) -> Client {
    Client::login(&gateway.endpoint("trust_user", false).in_database(&database.name))
}

const REFUSED: &str = "E 42501";

#[track_caller]
fn assert_refused(said: &str, rule: &str) {
    let line = said.lines().find(|line| line.starts_with(REFUSED)).unwrap_or_else(|| panic!("no refusal in:\n{said}"));
    assert!(line.contains(rule), "the error does not name the rule: {line}");
}

#[test]
fn a_refused_simple_query_leaves_the_session_ready() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("refused");
    let gateway = strict(&server);
    let mut client = client(&gateway, &database);
    for (sql, rule) in [
        ("DROP TABLE old_carts", "no destructive DDL"),
        ("/* hidden */ drop table old_carts", "no destructive DDL"),
        ("SELECT 1; DROP TABLE old_carts; SELECT 2", "no destructive DDL"),
        ("TRUNCATE old_carts", "no destructive DDL"),
        ("UPDATE orders SET status = 'paid'", "writes need a WHERE"),
        ("DELETE FROM order_items", "writes need a WHERE"),
        ("WITH gone AS (DELETE FROM order_items RETURNING 1) SELECT count(*) FROM gone", "writes need a WHERE"),
        ("EXPLAIN ANALYZE DELETE FROM order_items", "writes need a WHERE"),
    ] {
        let said = transcript(&client.query(sql));
        assert_refused(&said, rule);
        assert!(said.ends_with("Z I\n") && said.lines().count() == 2, "{sql}:\n{said}");
        let record = gateway.record(sql, |record| integration::audit::is_statement(record, sql));
        assert_eq!(record["verdict"], "deny", "{record}");
        assert_eq!(record["rule"], rule, "{record}");
        assert_eq!(record["sqlstate"], "42501", "{record}");
    }
    assert!(transcript(&client.query("SELECT count(*) FROM order_items")).contains("D 12000"));
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20");
}

#[test]
fn an_audit_of_refusals_alone_has_what_was_refused_and_what_failed_and_no_other_statement() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("refused");
    let gateway = Setup::before(&server).policy(&rules()).audit_lines("statements = \"refused\"").start();
    let mut client = client(&gateway, &database);
    for sql in ["SELECT 1", "SELECT 1 / 0", "SELECT 2", "DROP TABLE old_carts"] {
        client.query(sql);
    }
    let refused =
        gateway.record("the refusal", |record| integration::audit::is_statement(record, "DROP TABLE old_carts"));
    assert_eq!(refused["verdict"], "deny", "{refused}");
    let statements: Vec<String> = gateway
        .records()
        .iter()
        .filter(|record| record["event"] == "statement")
        .map(|record| format!("{} {}", record["statement"], record["sqlstate"]))
        .collect();
    assert_eq!(statements, [r#""SELECT 1 / 0" "22012""#, r#""DROP TABLE old_carts" "42501""#]);
}

/// The same conversation with a statement that the gateway refuses, and one that the server cannot parse:
/// everything but the error's own line must be the same.
#[test]
fn pipelined_refusals_are_answered_as_the_server_answers_a_syntax_error() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("refused");
    let gateway = strict(&server);
    let shapes: [fn(&str) -> Vec<u8>; 7] = [
        |bad| {
            [
                extended("SELECT 1"),
                extended(bad),
                extended("SELECT 'skipped'"),
                sync(),
                extended("SELECT 'next'"),
                sync(),
            ]
            .concat()
        },
        |bad| [parse("bad", bad), sync(), bind("", "bad", &[], 0), execute("", 0), sync()].concat(),
        |bad| {
            [
                extended("BEGIN"),
                extended(bad),
                sync(),
                extended("SELECT 1"),
                sync(),
                query("SELECT 2"),
                query("COMMIT"),
                query("SELECT 3"),
            ]
            .concat()
        },
        |bad| {
            [query("BEGIN"), query(bad), query("SELECT 'failed'"), query("ROLLBACK"), query("SELECT 'well again'")]
                .concat()
        },
        |bad| {
            [
                query("BEGIN"),
                query("SAVEPOINT s"),
                query(bad),
                query("ROLLBACK TO s"),
                query("SELECT 'in it'"),
                query("COMMIT"),
            ]
            .concat()
        },
        |bad| {
            [extended("SELECT 1"), parse("", bad), describe(b'S', ""), sync(), query(bad), query("SELECT 2"), sync()]
                .concat()
        },
        |bad| {
            [
                parse("good", "SELECT 7"),
                sync(),
                extended(bad),
                bind("", "good", &[], 0),
                execute("", 0),
                sync(),
                bind("", "good", &[], 0),
                execute("", 0),
                sync(),
            ]
            .concat()
        },
    ];
    let ready = [2, 2, 5, 5, 6, 4, 3];
    for (number, (shape, ready)) in shapes.iter().zip(ready).enumerate() {
        let mut direct = Client::login(&server.endpoint("trust_user", false).in_database(&database.name));
        direct.send(&shape("SELEKT broken")).expect("send");
        let expected = transcript(&direct.until(b'Z', ready));
        for piece in [usize::MAX, 5, 1] {
            let mut through = client(&gateway, &database);
            for part in shape("DROP TABLE old_carts").chunks(piece) {
                through.send(part).expect("send");
            }
            let seen = transcript(&through.until(b'Z', ready));
            assert_refused(&seen, "no destructive DDL");
            let without_error = |text: &str| {
                let plain = |line: &str| {
                    if line.starts_with("E 42601") || line.starts_with(REFUSED) { "E".into() } else { line.to_owned() }
                };
                text.lines().map(|line| plain(line) + "\n").collect::<String>()
            };
            assert_eq!(without_error(&expected), without_error(&seen), "shape {number} in pieces of {piece}");
        }
    }
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20");
}

#[test]
fn what_ran_before_a_refusal_in_one_transaction_is_undone_at_the_server() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("refused");
    let gateway = strict(&server);
    let insert = "INSERT INTO old_carts VALUES (1000, 'to be undone')";
    let mut client = client(&gateway, &database);
    // An implicit transaction: everything up to Sync.
    client.ask(&[extended(insert), extended("DROP TABLE old_carts"), sync()].concat());
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20", "after a pipeline");
    // An explicit one, committed in vain.
    let said: String =
        ["BEGIN", insert, "DROP TABLE old_carts", "COMMIT"].iter().map(|sql| transcript(&client.query(sql))).collect();
    assert!(said.contains("Z E") && said.ends_with("C ROLLBACK\nZ I\n"), "{said}");
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20", "after COMMIT");
    // One text of several statements.
    client.query(&format!("{insert}; DROP TABLE old_carts"));
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20", "after one text");
}

#[test]
fn ten_thousand_refusals_in_one_pipeline_come_in_order() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("refused");
    let gateway = strict(&server);
    let mut client = client(&gateway, &database);
    let count = 10_000;
    let messages: Vec<u8> = (0..count)
        .flat_map(|number| {
            let sql = if number % 3 == 0 { format!("SELECT {number}") } else { "DROP TABLE old_carts".to_owned() };
            [extended(&sql), sync()].concat()
        })
        .collect();
    // The replies are read while the pipeline is written: nobody keeps megabytes of them.
    let mut reading = Vec::new();
    for part in messages.chunks(50_000) {
        client.send(part).expect("send");
        while !client.is_silent_for(Duration::from_millis(1)) {
            reading.extend(client.frame());
        }
    }
    while reading.iter().filter(|frame| frame.tag == b'Z').count() < count {
        let more = client.until(b'Z', 1);
        assert!(!more.is_empty(), "the connection ended");
        reading.extend(more);
    }
    let said = transcript(&reading);
    assert_eq!(said.lines().filter(|line| line.starts_with(REFUSED)).count(), count - count.div_ceil(3));
    let rows: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("D ")).collect();
    let expected: Vec<String> = (0..count).step_by(3).map(|number| number.to_string()).collect();
    assert_eq!(rows, expected);
    assert_eq!(said.lines().filter(|line| *line == "Z I").count(), count);
}

#[test]
fn libpq_pipelines_survive_a_refusal() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("refused");
    let gateway = Setup::before(&server).start();
    let python = root().join(".venv/bin/python");
    if !python.exists() {
        integration::skip::skipped("libpq_pipelines_survive_a_refusal", "no .venv: scripts/test makes it");
        return;
    }
    let endpoint = gateway.endpoint("ana", false).in_database(&database.name);
    let mut command = Command::new(python);
    command.arg("-B").arg(root().join("tests/drivers/python/psycopg_driver.py"));
    command.args(endpoint.driver_arguments()).arg("mode=refused");
    let said = program::run(&mut command, Duration::from_secs(60)).expect_success().stdout;
    let expected = "\
raw pipeline b'SELECT 1' TUPLES_OK None b'1'
raw pipeline b'DROP TABLE old_carts' FATAL_ERROR b'42501' None
raw pipeline b\"SELECT 'skipped'\" PIPELINE_ABORTED None None
raw sync PIPELINE_SYNC
raw pipeline b\"SELECT 'second segment'\" TUPLES_OK None b'second segment'
raw sync PIPELINE_SYNC
raw pipeline b'BEGIN' COMMAND_OK None None
raw pipeline b'DROP TABLE old_carts' FATAL_ERROR b'42501' None
raw pipeline b'COMMIT' PIPELINE_ABORTED None None
raw sync PIPELINE_SYNC
raw pipeline b\"SELECT 'in a failed transaction'\" FATAL_ERROR b'25P02' None
raw sync PIPELINE_SYNC
raw pipeline b'ROLLBACK' COMMAND_OK None None
raw pipeline b\"SELECT 'recovered'\" TUPLES_OK None b'recovered'
raw sync PIPELINE_SYNC
pipeline error 42501
after (1,)
";
    assert_eq!(said, expected);
}

#[test]
fn masked_cells_keep_their_place_under_every_format_and_limit() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = strict(&server);
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    let columns = "id, card, card_number, ssn, spouse_ssn, email, name";
    let messages = [
        parse("m", &format!("SELECT {columns} FROM customers WHERE id <= 5 ORDER BY id")),
        describe(b'S', "m"),
        sync(),
        bind_formats("p", "m", &[0, 1, 1, 0, 1, 0, 1]),
        execute("p", 2),
        execute("p", 2),
        execute("p", 0),
        sync(),
        bind("", "m", &[], 1),
        execute("", 0),
        sync(),
        query(&format!("SELECT {columns} FROM customers WHERE id <= 5 ORDER BY id")),
    ];
    client.send(&messages.concat()).expect("send");
    let frames = client.until(b'Z', 4);
    let said = transcript(&frames);
    assert_eq!(masked::leaks(&said), Vec::<String>::new());
    let rows: Vec<_> = frames.iter().filter(|frame| frame.tag == b'D').map(Frame::cells).collect();
    assert_eq!(rows.len(), 15, "{said}");
    for row in rows {
        let text = |at: usize| row[at].as_deref().map(|cell| String::from_utf8_lossy(cell).into_owned());
        let card = text(1).expect("a card");
        assert!(card.starts_with("4***-****-****-") && card.len() == 19, "{card}");
        // NULL cannot stand in a column that is NOT NULL: its place is taken by a zero of its type.
        let zero = |number: &[u8]| number == [0; 8] || number.iter().all(|digit| *digit == b'0');
        assert!(row[2].as_deref().is_none_or(zero), "{:?}", row[2]);
        assert!(text(3).expect("an identity number").starts_with("***-**-"), "{:?}", text(3));
        assert!(text(5).expect("an address").bytes().all(|byte| byte == b'*'), "{:?}", text(5));
        assert!(text(6).expect("a name").contains(' '), "{:?}", text(6));
    }
}
