//! MySQL's protocol as no driver speaks it, packet for packet: what comes through the gateway equals what the
//! server says, for a user under no rule.

use integration::gateway::Setup;
use integration::masked;
use integration::mysql_raw::message::{self, Parameter};
use integration::mysql_raw::reply::Form;
use integration::mysql_raw::{Client, MARIADB, USUAL};
use integration::or_skip;
use integration::servers::{Endpoint, Server};
use mysql::capability::Capabilities;
use mysql::constant::command;

/// What clients of each age and make agree on.
fn dialects() -> [(&'static str, Capabilities); 5] {
    [
        ("usual", USUAL),
        ("with EOF packets", USUAL.without(Capabilities::DEPRECATE_EOF)),
        ("without session tracking", USUAL.without(Capabilities::SESSION_TRACK)),
        ("with query attributes", USUAL | Capabilities::QUERY_ATTRIBUTES),
        ("MariaDB's own", MARIADB),
    ]
}

fn conversation(client: &mut Client) -> String {
    let mut said = String::new();
    let mut hear = |what: &str, reply: &dyn std::fmt::Display| said.push_str(&format!("--- {what}\n{reply}"));
    for sql in [
        "SELECT 1 AS one, NULL AS nothing, 'text' AS word",
        "SELECT id, name, card, birthday FROM customers ORDER BY id LIMIT 3",
        "SELECT 1; SELECT id FROM customers WHERE id < 3; SET @x = 1; SELECT broken FROM nowhere; SELECT 'never'",
        "SET NAMES latin1",
        "SELECT 'gr\u{fc}n'",
        "SET NAMES utf8mb4",
    ] {
        hear(sql, &client.query(sql));
    }
    let select = client.prepare("SELECT id, name, total FROM (SELECT c.id, c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id <= ?) AS d ORDER BY id, total").expect("a statement");
    assert_eq!((select.parameters, select.columns), (1, 3));
    hear("execute", &client.execute(select.id, 0, &[Parameter::Int(2)]));
    hear("with a cursor", &client.execute(select.id, 1, &[Parameter::Int(2)]));
    hear("fetch", &client.ask(&message::fetch(select.id, 2)));
    hear("fetch the rest", &client.ask(&message::fetch(select.id, 1000)));
    hear("reset", &client.ask(&message::of_statement(command::STMT_RESET, select.id)));
    client.command(&message::of_statement(command::STMT_CLOSE, select.id));
    hear("closed", &client.execute(select.id, 0, &[Parameter::Int(2)]));
    hear("closed", &client.ask(&message::of_statement(command::STMT_RESET, select.id)));
    hear("closed", &client.ask(&message::fetch(select.id, 1)));
    let long = client.prepare("SELECT LENGTH(?), ? AS short").expect("a statement");
    for piece in [&b"first "[..], b"second"] {
        client.command(&message::long_data(long.id, 0, piece));
    }
    hear("long data", &client.execute(long.id, 0, &[Parameter::Long, Parameter::Null]));
    hear("another database", &client.ask(&message::simple(command::INIT_DB, b"information_schema")));
    hear("back", &client.ask(&message::simple(command::INIT_DB, b"shop")));
    hear("an unknown one", &client.ask(&message::simple(command::INIT_DB, b"nowhere")));
    hear("one statement only", &client.ask(&message::simple(command::SET_OPTION, b"\x01\0")));
    hear("two", &client.query("SELECT 1; SELECT 2"));
    hear("several", &client.ask(&message::simple(command::SET_OPTION, b"\0\0")));
    hear("two", &client.query("SELECT 1; SELECT 2"));
    hear("ping", &client.ask(&message::simple(command::PING, b"")));
    hear("an unknown command", &client.ask(b"\x77what"));
    hear("reset", &client.ask(&message::simple(command::RESET_CONNECTION, b"")));
    hear("after", &client.query("SELECT @x, DATABASE()"));
    said
}

/// Without what error 1243 says of the server's inside: a number that MariaDB goes on counting where an earlier session
/// of the same thread ended, and the name of a function, which differs between the families.
fn settled(said: &str) -> String {
    let of_a_statement = "Unknown prepared statement handler";
    let line = |line: &str| match line.find(of_a_statement) {
        Some(at) => format!("{}{of_a_statement}\n", &line[..at]),
        None => format!("{line}\n"),
    };
    said.lines().map(line).collect()
}

fn assert_same(name: &str, setup: impl Fn(&Server) -> Setup, tls: bool) {
    let server = or_skip!(Server::find(name));
    let gateway = setup(&server).start();
    for (what, capabilities) in dialects() {
        let talk = |endpoint: &Endpoint| settled(&conversation(&mut Client::login_with(endpoint, capabilities)));
        let direct = talk(&server.endpoint("dora", tls));
        let through = talk(&gateway.endpoint("dora", tls));
        for (expected, seen) in direct.lines().zip(through.lines()) {
            assert_eq!(expected, seen, "{name}, {what}: without (left) and with (right) the gateway");
        }
        assert_eq!(direct.lines().count(), through.lines().count(), "{name}, {what}");
    }
}

#[test]
fn mariadb_says_the_same() {
    assert_same("mariadb", Setup::before, false);
}

#[test]
fn mysql_says_the_same_over_tls() {
    assert_same("mysql97", |server| Setup::before(server).gateway_auth().tls_required(), true);
}

/// Commands that send everything unmasked are refused, with a record each, whoever sends them.
fn assert_replication_is_refused(name: &str) {
    let server = or_skip!(Server::find(name));
    let gateway = Setup::before(&server).start();
    let mut client = Client::login(&gateway.endpoint("dora", false));
    for (code, rest, named) in [
        (command::BINLOG_DUMP, &b"\x04\0\0\0\0\0\x63\0\0\0"[..], "COM_BINLOG_DUMP"),
        (command::BINLOG_DUMP_GTID, &b"\0\0\x63\0\0\0\0\0\0\0"[..], "COM_BINLOG_DUMP_GTID"),
        (command::REGISTER_SLAVE, &b"\x63\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..], "COM_REGISTER_SLAVE"),
        (command::TABLE_DUMP, &b"\x04shop\x09customers"[..], "COM_TABLE_DUMP"),
    ] {
        assert_eq!(client.ask(&message::simple(code, rest)).code(), 1227, "{named}");
        let record = gateway.record(named, |record| record["statement"] == named);
        assert!(record["verdict"] == "deny" && record["error_code"] == 1227 && record["user"] == "dora", "{record}");
    }
    assert_eq!(client.query("SELECT 'well'").scalar(), "well");
}

#[test]
fn replication_is_refused_and_recorded_before_mariadb() {
    assert_replication_is_refused("mariadb");
}

#[test]
fn replication_is_refused_and_recorded_before_mysql() {
    assert_replication_is_refused("mysql97");
}

/// A SET decides how the statement behind it is read, and both are sent at once.
fn assert_followed(name: &str) {
    let server = or_skip!(Server::find(name));
    let database = server.private_database("followed");
    let gateway = Setup::before(&server).gateway_auth().policy(masked::POLICY).start();
    let mut client = Client::login(&gateway.endpoint("ana", false).in_database(&database.name));
    // As a text without ANSI_QUOTES, a DROP with it: the name ends at the backslash.
    let hidden = "SELECT 1 AS \"\\\"; DROP TABLE old_carts; -- \"";
    for settings in [
        "SET sql_mode = @OLD_SQL_MODE",
        "SET session_track_system_variables = '', sql_mode = @OLD_SQL_MODE",
        "SET session_track_system_variables = NULL; ",
        "SET autocommit=1, session_track_schema=1, session_track_system_variables='auto_increment_increment'",
        "SET sql_mode = @OLD_SQL_MODE, session_track_system_variables = 'none of these,, *', sql_mode = @OLD_SQL_MODE",
    ] {
        assert_eq!(client.query("SET sql_mode = '', @OLD_SQL_MODE = 'ANSI_QUOTES'").code(), 0);
        for sql in [settings, "SET sql_mode = @OLD_SQL_MODE", hidden, "SELECT ssn FROM customers WHERE id = 1"] {
            client.command(&message::query(sql.as_bytes()));
        }
        let results = Form::Results(false);
        let [_, _, refused, masked] = [(); 4].map(|()| client.reply(results));
        assert_eq!(refused.code(), 1227, "{settings}: {refused}");
        assert!(masked.cells()[0][0].starts_with('*'), "{settings}: {masked}");
        // With a schema in use that nobody told of, names would mean other tables.
        assert_eq!(client.query("SET session_track_schema = 0").code(), 0);
        assert_eq!(client.query("USE information_schema").code(), 0);
        assert_eq!(client.query(&format!("USE {}", database.name)).code(), 0);
        assert_eq!(client.query("DROP TABLE old_carts").code(), 1227);
    }
    // A text of several would go on before anybody could ask.
    assert_eq!(client.query("SET session_track_system_variables = ''; SELECT 1").code(), 1227);
    // An error like a server's last words does not keep the settings from being asked for.
    let shutdown = "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1053";
    assert_eq!(client.query(shutdown).code(), 1053);
    assert_eq!(client.query("SET sql_mode = @OLD_SQL_MODE").code(), 0);
    assert_eq!(client.query("SELECT COUNT(*) FROM old_carts").cells()[0][0], "20");
    // What the client asked for is told.
    assert_eq!(client.query("SET session_track_system_variables = 'auto_increment_increment'").code(), 0);
    let told = client.query("SET auto_increment_increment = 2");
    assert!(told.to_string().contains("auto_increment_increment"), "{told}");
    assert_eq!(client.query("SELECT COUNT(*) FROM old_carts").cells()[0][0], "20");
}

#[test]
fn what_a_set_changes_on_mariadb_is_known_before_the_next_statement_is_read() {
    assert_followed("mariadb");
}

#[test]
fn what_a_set_changes_on_mysql_is_known_before_the_next_statement_is_read() {
    assert_followed("mysql97");
}
