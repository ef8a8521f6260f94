//! Conditions of rules before a real server: code that a call runs, who and when, classes, rules that report.

use integration::gateway::{Gateway, Setup};
use integration::or_skip;
use integration::raw::message::{bind, execute, parse, query, sync};
use integration::raw::{Client, transcript};
use integration::servers::{PrivateDatabase, Server};

fn client(gateway: &Gateway, database: &PrivateDatabase<'_>) -> Client {
    Client::login(&gateway.endpoint("trust_user", false).in_database(&database.name))
}

#[track_caller]
fn assert_refused(said: &str, name: &str) {
    let line =
        said.lines().find(|line| line.starts_with("E 42501")).unwrap_or_else(|| panic!("no refusal in:\n{said}"));
    assert!(line.contains(name), "the error does not name {name}: {line}");
}

#[track_caller]
fn assert_passes(said: &str) {
    assert!(!said.lines().any(|line| line.starts_with('E')), "refused or failed:\n{said}");
}

const NO_TRUNCATE: &str = "[[deny]]\nname = \"no truncate\"\nstatements = [\"truncate\"]\n";

fn code_that_a_call_runs_is_judged(name: &str) {
    let server = or_skip!(Server::find(name));
    let database = server.private_database("rules");
    for sql in [
        "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN TRUNCATE old_carts; END$$",
        "CREATE FUNCTION outer_wipe() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT wipe(); END",
        "CREATE PROCEDURE wipe_all() LANGUAGE plpgsql AS $$BEGIN PERFORM outer_wipe(); END$$",
        "CREATE FUNCTION harmless(x int) RETURNS int LANGUAGE sql RETURN x + 1",
    ] {
        let _ = server.admin(&database.name, sql);
    }
    let gateway = Setup::before(&server).policy(NO_TRUNCATE).start();
    let mut client = client(&gateway, &database);
    for sql in [
        "SELECT wipe()",
        "SELECT * FROM outer_wipe()",
        "CALL wipe_all()",
        "DO $$BEGIN PERFORM public.\"wipe\"(); END$$",
        "WITH x AS (SELECT 1) SELECT outer_wipe() FROM x",
    ] {
        assert_refused(&transcript(&client.query(sql)), "no truncate");
    }
    // The same, prepared; and ahead of its replies.
    let ahead = [query("SELECT 1"), parse("", "SELECT wipe()"), bind("", "", &[], 0), execute("", 0), sync()].concat();
    client.send(&ahead).expect("send");
    let said = transcript(&client.until(b'Z', 2));
    assert_refused(&said, "no truncate");
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "20");
    assert!(transcript(&client.query("SELECT harmless(41)")).contains("D 42"));
    // What is made through the gateway is known at once.
    assert_passes(&transcript(&client.query("CREATE FUNCTION fresh() RETURNS int LANGUAGE sql AS 'SELECT 7'")));
    assert!(transcript(&client.query("SELECT fresh()")).contains("D 7"));
    let _ = server.admin(&database.name, "CREATE FUNCTION late() RETURNS void LANGUAGE sql AS 'TRUNCATE old_carts'");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_refused(&transcript(&client.query("SELECT late()")), "no truncate");
}

#[test]
fn code_that_a_call_runs_is_judged_on_15() {
    code_that_a_call_runs_is_judged("pg15");
}

#[test]
fn code_that_a_call_runs_is_judged_on_18() {
    code_that_a_call_runs_is_judged("pg18");
}

#[test]
fn rules_hold_from_where_by_what_and_when_they_say() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("rules");
    let deny = |condition: &str| format!("{NO_TRUNCATE}{condition}\n");
    for (condition, refused) in [
        ("addresses = [\"127.0.0.0/8\"]", true),
        ("addresses = [\"10.0.0.0/8\"]", false),
        ("except_addresses = [\"127.0.0.1\"]", false),
        ("except_applications = [\"*x*\"]", true),
        ("applications = [\"psql\"]", false),
        ("hours = [\"00:00-12:00\", \"12:00-24:00\"]\ntimezone = \"Asia/Kathmandu\"", true),
        ("days = \"mon-sun\"", true),
    ] {
        let gateway = Setup::before(&server).policy(&deny(condition)).start();
        let said = transcript(&client(&gateway, &database).query("BEGIN; TRUNCATE old_carts; ROLLBACK"));
        if refused { assert_refused(&said, "no truncate") } else { assert_passes(&said) }
    }
}

#[test]
fn a_rule_that_reports_lets_pass_and_is_written_down() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("rules");
    let gateway = Setup::before(&server).policy(&format!("{NO_TRUNCATE}mode = \"report\"\n")).start();
    let sql = "TRUNCATE old_carts";
    assert_passes(&transcript(&client(&gateway, &database).query(sql)));
    let record = gateway.record(sql, |record| integration::audit::is_statement(record, sql));
    assert_eq!((record["verdict"].as_str(), record["reported"][0].as_str()), (Some("allow"), Some("no truncate")));
    assert_eq!(server.admin(&database.name, "SELECT count(*) FROM old_carts"), "0");
}

#[test]
fn users_under_masks_need_leave_for_what_masks_do_not_hold_for() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("rules");
    let mask = "[[mask]]\nname = \"cards\"\ncolumns = [\"public.customers.card\"]\n";
    let gateway = Setup::before(&server).policy(mask).start();
    let mut masked = client(&gateway, &database);
    for (sql, class) in [
        ("SELECT query_to_xml('SELECT card FROM customers', true, true, '')", "dynamic_sql"),
        ("SELECT pg_read_file('PG_VERSION')", "file_access"),
        ("SELECT lo_create(0)", "large_objects"),
    ] {
        assert_refused(&transcript(&masked.query(sql)), class);
    }
    let leave = format!("[policy]\nallow_under_masks = [\"large_objects\"]\n{mask}");
    let gateway = Setup::before(&server).policy(&leave).start();
    let mut masked = client(&gateway, &database);
    assert_passes(&transcript(&masked.query("SELECT lo_unlink(lo_create(0))")));
}

/// The server is asked for the path where two relations share a name, and asked again when it may have changed.
#[test]
fn a_changed_search_path_is_followed() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("rules");
    for sql in [
        "CREATE SCHEMA a; CREATE TABLE a.people (card text); INSERT INTO a.people VALUES ('4000111122223333')",
        "CREATE SCHEMA b; CREATE TABLE b.people (card text); INSERT INTO b.people VALUES ('nothing secret')",
        "GRANT USAGE ON SCHEMA a, b TO PUBLIC; GRANT SELECT ON a.people, b.people TO PUBLIC",
    ] {
        let _ = server.admin(&database.name, sql);
    }
    let mask = "[[mask]]\nname = \"cards\"\ncolumns = [\"a.people.card\"]\n";
    let gateway = Setup::before(&server).policy(mask).start();
    let mut client = client(&gateway, &database);
    for (change, secret) in [
        ("SET search_path = b", false),
        ("SET search_path = a", true),
        ("SELECT set_config('search_path', 'b', false)", false),
        ("BEGIN; SET LOCAL search_path = a; SELECT card FROM people; COMMIT", false),
        ("RESET search_path; SET search_path TO a, b", true),
    ] {
        let said = transcript(&client.query(change));
        assert!(!said.contains("4000111122223333"), "{change}:\n{said}");
        let said = transcript(&client.query("SELECT card FROM people"));
        assert!(!said.contains("4000111122223333"), "{change}:\n{said}");
        assert_eq!(said.contains("nothing secret"), !secret, "{change}:\n{said}");
    }
}

#[test]
fn a_value_inside_a_document_is_masked_wherever_the_document_goes() {
    let server = or_skip!(Server::find("pg15"));
    let database = server.private_database("rules");
    for sql in [
        "CREATE TABLE events (id int, doc jsonb, raw json)",
        "GRANT SELECT ON events TO PUBLIC",
        r#"INSERT INTO events VALUES (1, '{"kind": "a", "user": {"email": "bob@x.org", "age": 40}}',
           '{"user" : [ {"emai\u006c":"bob@x.org"}, {"email":null} ], "z":1}')"#,
    ] {
        let _ = server.admin(&database.name, sql);
    }
    let policy = r#"
        [[mask]]
        name = "mail"
        columns = ["public.events.doc->'user'->>'email'", "events.raw #>> '{user,email}'"]
        method = "keep_last 3"
        [[mask]]
        name = "ages"
        columns = ["events.doc->'user'->'age'"]
    "#;
    let gateway = Setup::before(&server).policy(policy).start();
    let mut client = client(&gateway, &database);
    for (sql, shown) in [
        ("SELECT doc FROM events", r#"D {"kind": "a", "user": {"age": 0, "email": "***@*.org"}}"#),
        ("SELECT raw FROM events", r#"D {"user" : [ {"emai\u006c":"***@*.org"}, {"email":null} ], "z":1}"#),
        ("SELECT doc->'user' FROM events", r#"D {"age": 0, "email": "***@*.org"}"#),
        ("SELECT doc->'user'->'email' FROM events", r#"D "***@*.org""#),
        ("SELECT doc->'user'->>'email' FROM events", "D ***@*.org"),
        ("SELECT doc->>'kind', doc->'user'->>'name' FROM events", "D a"),
        ("SELECT d->'user' FROM (SELECT doc AS d FROM events) s", r#"D {"age": 0, "email": "***@*.org"}"#),
        ("COPY events (doc) TO STDOUT", r#"{\"age\": 0, \"email\": \"***@*.org\"}"#),
    ] {
        let said = transcript(&client.query(sql));
        assert!(said.contains(shown), "{sql}:\n{said}");
    }
    for sql in
        ["SELECT doc::text FROM events", "SELECT doc -> lower('USER') FROM events", "SELECT doc - 'kind' FROM events"]
    {
        let said = transcript(&client.query(sql));
        assert!(!said.contains("org") && !said.contains("40"), "{sql}:\n{said}");
    }
    // Binary, with the version byte before the text.
    let ahead = [parse("", "SELECT doc FROM events"), bind("", "", &[], 1), execute("", 0), sync()].concat();
    client.send(&ahead).expect("send");
    let said = transcript(&client.until(b'Z', 1));
    assert!(said.contains("***@*.org") && !said.contains("40"), "{said}");
}
