//! `row_limit` before real servers: how many rows leave by each way, and where client and server stand afterwards.

use std::time::Duration;

use integration::gateway::{Gateway, Setup};
use integration::or_skip;
use integration::raw::message::{bind, describe, execute, parse, query, sync};
use integration::raw::{Client, Frame, transcript};
use integration::servers::{PrivateDatabase, Server};

const RULE: &str =
    "[[deny]]\nname = \"five at most\"\ntables = [\"public.old_carts\", \"public.wide\"]\nrow_limit = 5\n";

fn client(gateway: &Gateway, database: &PrivateDatabase<'_>) -> Client {
    Client::login(&gateway.endpoint("trust_user", false).in_database(&database.name))
}

/// Rows and messages of COPY data that the client saw, the SQLSTATEs of errors, and the last status.
fn seen(frames: &[Frame]) -> (usize, Vec<String>, String) {
    let rows = frames.iter().filter(|frame| matches!(frame.tag, b'D' | b'd')).count();
    let said = transcript(frames);
    let errors = said.lines().filter_map(|line| line.strip_prefix("E ")).map(|line| line[..5].to_owned()).collect();
    let status = said.lines().rev().find_map(|line| line.strip_prefix("Z ")).unwrap_or_default().to_owned();
    (rows, errors, status)
}

fn results_end(name: &str) {
    let server = or_skip!(Server::find(name));
    let database = server.private_database("limit");
    let _ = server.admin(
        &database.name,
        "CREATE TABLE wide AS SELECT n, repeat('x', 100000) AS t FROM generate_series(1, 300) n",
    );
    let _ = server.admin(&database.name, "GRANT ALL ON wide TO PUBLIC");
    let gateway = Setup::before(&server).policy(RULE).start();
    let mut client = client(&gateway, &database);
    let mut ask = |sql: &str| seen(&client.query(sql));
    let stopped = |status: &str| (5, vec!["54000".to_owned()], status.to_owned());
    let whole = |rows: usize, status: &str| (rows, Vec::new(), status.to_owned());
    assert_eq!(ask("SELECT * FROM old_carts"), stopped("I"));
    assert_eq!(ask("SELECT * FROM wide"), stopped("I"));
    assert_eq!(ask("SELECT * FROM old_carts LIMIT 5"), whole(5, "I"));
    assert_eq!(ask("SELECT generate_series(1, 100)"), whole(100, "I"));
    assert_eq!(ask("SELECT x FROM old_carts").1, ["42703"]);
    // What shows too much is not done.
    assert_eq!(ask("UPDATE wide SET n = 0 RETURNING n"), stopped("I"));
    assert_eq!(ask("SELECT count(*) FROM old_carts"), whole(1, "I"));
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM wide WHERE n = 0"), "0");
    // In a transaction it fails the transaction, for the server too.
    assert_eq!(ask("BEGIN"), whole(0, "T"));
    assert_eq!(ask("TABLE old_carts"), stopped("E"));
    assert_eq!(ask("SELECT 1"), (0, vec!["25P02".to_owned()], "E".to_owned()));
    assert_eq!(ask("ROLLBACK"), whole(0, "I"));
    // COPY, in every format and by its header.
    for options in ["", " (FORMAT csv, HEADER)", " CSV", " (FORMAT binary)"] {
        let (rows, errors, status) = ask(&format!("COPY old_carts TO STDOUT{options}"));
        let header = usize::from(options.contains("HEADER"));
        assert_eq!((rows - header, errors, status), (5, vec!["54000".to_owned()], "I".to_owned()), "{options}");
        let (_, errors, _) = ask(&format!("COPY (SELECT * FROM old_carts LIMIT 5) TO STDOUT{options}"));
        assert!(errors.is_empty(), "{options}: {errors:?}");
    }
    assert_eq!(ask("COPY (SELECT * FROM wide) TO STDOUT"), stopped("I"));
    // Cursors: what is fetched of one counts together, also behind a savepoint.
    assert_eq!(ask("BEGIN"), whole(0, "T"));
    assert_eq!(ask("DECLARE c CURSOR FOR SELECT * FROM old_carts"), whole(0, "T"));
    assert_eq!(ask("FETCH 3 FROM c"), whole(3, "T"));
    assert_eq!(ask("SAVEPOINT s"), whole(0, "T"));
    assert_eq!(ask("FETCH 3 FROM c"), (2, vec!["54000".to_owned()], "E".to_owned()));
    assert_eq!(ask("ROLLBACK TO s"), whole(0, "T"));
    assert_eq!(ask("FETCH ALL FROM c"), (0, vec!["54000".to_owned()], "E".to_owned()));
    assert_eq!(ask("ROLLBACK"), whole(0, "I"));
    // What a name stands for must be certain.
    assert_eq!(ask("BEGIN"), whole(0, "T"));
    assert_eq!(ask("DECLARE c CURSOR WITH HOLD FOR SELECT * FROM old_carts"), whole(0, "T"));
    assert_eq!(ask("COMMIT"), whole(0, "I"));
    assert_eq!(ask("FETCH ALL FROM c").1, ["42501"]);
    assert_eq!(ask("CLOSE c"), whole(0, "I"));
    assert_eq!(ask("PREPARE p AS SELECT * FROM old_carts"), whole(0, "I"));
    assert_eq!(ask("EXECUTE p"), stopped("I"));
    assert_eq!(ask("EXECUTE p"), stopped("I"));
    // Several statements in one text are refused.
    assert_eq!(ask("SELECT 1; SELECT * FROM old_carts"), (0, vec!["42501".to_owned()], "I".to_owned()));
    extended(&mut client);
    assert_eq!(seen(&client.query("SELECT * FROM old_carts LIMIT 2")), whole(2, "I"));
}

/// The extended protocol: suspended portals, pipelines, and the statement that a simple query leaves behind.
fn extended(client: &mut Client) {
    let mut ask = |messages: &[Vec<u8>], ready: usize| {
        client.send(&messages.concat()).expect("send");
        seen(&client.until(b'Z', ready))
    };
    let run = |limit: u32| {
        [parse("", "SELECT * FROM old_carts"), bind("", "", &[], 0), describe(b'P', ""), execute("", limit), sync()]
    };
    assert_eq!(ask(&run(0), 1), (5, vec!["54000".to_owned()], "I".to_owned()));
    assert_eq!(ask(&run(4), 1), (4, Vec::new(), "I".to_owned()));
    let resumed = [
        query("BEGIN"),
        parse("", "SELECT * FROM old_carts"),
        bind("p", "", &[], 0),
        execute("p", 3),
        execute("p", 3),
        execute("p", 3),
        sync(),
        query("ROLLBACK"),
    ];
    assert_eq!(ask(&resumed, 3), (5, vec!["54000".to_owned()], "I".to_owned()));
    // Behind a result that was stopped the rest up to Sync is skipped, and the next run works.
    let ahead =
        [&run(0)[..4], &[parse("", "SELECT 1"), bind("", "", &[], 0), execute("", 0), sync()], &run(2)].concat();
    assert_eq!(ask(&ahead, 2), (7, vec!["54000".to_owned()], "I".to_owned()));
    // A simple query leaves no unnamed statement behind, stopped or not.
    for sql in ["SELECT * FROM old_carts", "SELECT * FROM old_carts LIMIT 1", "SELECT x FROM old_carts"] {
        let (_, errors, status) = ask(&[query(sql), bind("", "", &[], 0), execute("", 0), sync()], 2);
        assert_eq!((errors.last().map(String::as_str), status.as_str()), (Some("26000"), "I"), "{sql}");
    }
}

/// Its bytes wait in its own socket, not in the gateway's memory.
#[test]
fn a_client_that_sends_ahead_is_held_back_while_its_rows_are_counted() {
    const LIMIT: usize = 128 << 20;
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("held_back");
    let gateway = Setup::before(&server).policy(RULE).start();
    let mut client = client(&gateway, &database);
    client.send(&query("SELECT pg_sleep(5) FROM old_carts LIMIT 1")).expect("send");
    let ahead = query(&format!("SELECT 1 -- {}", "x".repeat(1 << 20)));
    let taken = client.send_until_stalled(&ahead, LIMIT, Duration::from_secs(1));
    // What the sockets' buffers hold, and a few of the gateway's.
    assert!(taken < LIMIT / 2, "{taken} bytes were taken of a client that waits");
    drop(client);
    assert_eq!(seen(&self::client(&gateway, &database).query("SELECT 1")).0, 1);
}

#[test]
fn results_end_after_their_rows_on_15() {
    results_end("pg15");
}

#[test]
fn results_end_after_their_rows_on_18() {
    results_end("pg18");
}
