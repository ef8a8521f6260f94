//! Who a session of MySQL or MariaDB belongs to: another user on the same connection (COM_CHANGE_USER), and whose
//! connections KILL reaches.

use integration::audit::{is_statement, text};
use integration::gateway::Gateway;
use integration::matrix::Case;
use integration::mysql_raw::reply::{End, Form};
use integration::mysql_raw::{Client, USUAL, message};
use integration::program::{self, eventually};
use integration::servers::{Endpoint, Family, Server};
use integration::{for_each_mysql_case, or_skip, root};
use mysql::constant::command;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// What the first customer's card looks like to a user under the shop's masks.
const MASKED: &str = "4***-****-****-1111";
const CARD: &str = "SELECT card FROM customers WHERE id = 1";

/// What is left of a session before: nothing of it may be there for another user.
fn leave_traces(client: &mut Client) -> u32 {
    for sql in [
        "SET @left = 'behind', sql_mode = 'ANSI_QUOTES', SESSION sort_buffer_size = 123456",
        "CREATE TEMPORARY TABLE traces (n int)",
        "START TRANSACTION",
        "UPDATE orders SET status = 'returned' WHERE id = 1",
    ] {
        assert_eq!(client.query(sql).code(), 0, "{sql}");
    }
    client.prepare(CARD).expect("a statement").id
}

fn assert_no_traces(client: &mut Client, prepared: u32, status: &str) {
    assert_eq!(client.query("SELECT @left").scalar(), "NULL");
    assert_ne!(client.query("SELECT @@sort_buffer_size").scalar(), "123456");
    assert_eq!(client.query("SELECT \"text\"").scalar(), "text", "ANSI_QUOTES is off again");
    assert_eq!(client.query("SELECT * FROM traces").code(), 1146);
    assert_eq!(client.query("SELECT status FROM orders WHERE id = 1").scalar(), status, "it was rolled back");
    assert_eq!(client.execute(prepared, 0, &[]).code(), 1243);
}

fn run_changes_of_user(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let database = server.private_database("users");
    let as_user = |user: &str| case.through(&gateway, user).in_database(&database.name);
    let mut client = Client::login(&as_user("dora"));
    let (plain, status) =
        (client.query(CARD).scalar(), client.query("SELECT status FROM orders WHERE id = 1").scalar());
    assert_ne!(plain, MASKED);
    let prepared = leave_traces(&mut client);
    client.change_user(&as_user("ana")).expect("ana is let in");
    assert_no_traces(&mut client, prepared, &status);
    assert_eq!(client.query(CARD).scalar(), MASKED);
    assert_eq!(client.query("DROP TABLE old_carts").code(), 1227);
    let card = client.prepare(CARD).expect("a statement");
    assert_eq!(client.execute(card.id, 0, &[]).scalar(), MASKED);
    assert_eq!(client.query("SELECT DATABASE()").scalar(), database.name);
    assert_eq!(client.query("SELECT CONNECTION_ID()").scalar(), client.id().to_string());
    let seen = gateway.record("her statement", |record| is_statement(record, CARD) && text(record, "user") == "ana");
    assert!(seen["groups"][0] == "support" && seen["masks"].is_array(), "{seen}");
    let _ = gateway.record("her login", |record| text(record, "event") == "connect" && text(record, "user") == "ana");
    // Back, without a database; what was masked is masked no more, and nothing of hers is left.
    client.change_user(&as_user("dora").in_database("")).expect("dora is let in");
    assert_eq!(client.query("SELECT DATABASE()").scalar(), "NULL");
    assert_eq!(client.execute(card.id, 0, &[]).code(), 1243);
    assert_eq!(client.query(&CARD.replace("customers", &format!("{}.customers", database.name))).scalar(), plain);
}

/// Drivers that can do it: mysql-connector-python brings an answer along, libmariadb (mysqlclient) waits to be asked.
fn drivers_change_users(case: Case) {
    let interpreter = root().join(".venv/bin/python");
    for (driver, module) in [("connector", "mysql.connector"), ("mysqlclient", "MySQLdb")] {
        let found = Command::new(&interpreter).args(["-c", &format!("import {module}")]).output();
        let missing = || format!("{module} is not in .venv: scripts/test installs it");
        or_skip!(found.ok().filter(|output| output.status.success()).ok_or_else(missing));
        let server = or_skip!(case.find_server());
        let gateway = case.setup(&server).start();
        let mut command = Command::new(&interpreter);
        command.arg("-B").arg(root().join("tests/drivers/python/mysql_driver.py")).arg(format!("driver={driver}"));
        command.args(case.through(&gateway, "dora").driver_arguments());
        command.args(["mode=users", "to=ana", "to_password=ana-secret"]);
        let said = program::run(&mut command, Duration::from_secs(60)).expect_success().stdout;
        let lines: Vec<&str> = said.lines().collect();
        let [first, other, left, again, refused] = lines[..] else { panic!("{driver}: {said}") };
        assert!(first.starts_with("first (1, '4111") && first.ends_with("'shop')"), "{driver}: {said}");
        assert!(other.starts_with(&format!("other (1, '{MASKED}'")) && other.ends_with("'shop')"), "{driver}: {said}");
        assert_eq!((left, refused), ("left (None,)", "refused 1045"), "{driver}: {said}");
        assert_eq!(again.trim_start_matches("again"), first.trim_start_matches("first"), "{driver}: {said}");
    }
}

#[test]
fn drivers_change_users_on_mariadb() {
    drivers_change_users(integration::matrix::MARIADB_GATEWAY_TLS);
}

#[test]
fn drivers_change_users_on_mysql() {
    drivers_change_users(integration::matrix::MYSQL_GATEWAY_PLAIN);
}

/// What a change with a wrong password, or to a database that does not exist, leads to: the error, and whose
/// session goes on, if any does.
fn failed_change(client: &mut Client, to: &Endpoint) -> (String, String) {
    let _ = client.query("SET @left = 'behind'");
    let refused = client.change_user(to).expect_err("it is refused");
    let number: String = refused.chars().take_while(|letter| *letter != '(').collect();
    let after = if client.is_silent_for(Duration::from_millis(300)) {
        let reply = client.query("SELECT CURRENT_USER(), @left");
        if reply.is_cut() { "closed".to_owned() } else { format!("{:?}", reply.cells()) }
    } else {
        "closed".to_owned()
    };
    (number, after)
}

fn run_failed_changes(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let wrong = |endpoint: Endpoint| Endpoint { password: "wrong".into(), ..endpoint };
    let mut client = Client::login(&case.through(&gateway, "dora"));
    let through = failed_change(&mut client, &wrong(case.through(&gateway, "ana")));
    let expected = if case.gateway_auth {
        ("ERR 1045 ".to_owned(), "closed".to_owned())
    } else {
        let mut direct = Client::login(&server.endpoint("dora", case.tls));
        failed_change(&mut direct, &wrong(server.endpoint("ana", case.tls)))
    };
    assert_eq!(through, expected);
    let seen = gateway.record("her failure", |record| text(record, "event") == "login_failed");
    assert!(seen["user"] == "ana" && seen["sqlstate"] == "28000", "{seen}");
    assert_eq!(format!("ERR {} ", seen["error_code"]), through.0);
    eventually("the failure is counted", Duration::from_secs(10), || {
        (gateway.metric("wiregate_failed_logins_total") > 0.0).then_some(())
    });
    // Who is not configured is told what a wrong password is told.
    if case.gateway_auth {
        let mut client = Client::login(&case.through(&gateway, "dora"));
        let nobody = Endpoint { user: "nobody".into(), ..case.through(&gateway, "ana") };
        assert_eq!(failed_change(&mut client, &nobody), expected);
        let mut client = Client::login(&case.through(&gateway, "dora"));
        let nowhere = case.through(&gateway, "ana").in_database("no_such_database");
        assert_eq!(failed_change(&mut client, &nowhere), ("ERR 1049 ".to_owned(), "closed".to_owned()));
    }
}

/// What a connection that is over still says.
fn last_word(client: &mut Client) -> String {
    client.message().map_or(End::Closed, |message| End::parse(&message.payload, USUAL)).to_string()
}

/// What happens to a connection whose query, or which itself, is killed by another one, as a conversation.
fn killing(endpoint: &Endpoint, server: &Server) -> String {
    let mut said = String::new();
    let mut hear = |what: &str, reply: String| said.push_str(&format!("--- {what}\n{reply}\n"));
    let killer = &mut Client::login(endpoint);
    let sleeping = |mut victim: Client, sql: &'static str| {
        let id = victim.id();
        assert_eq!(victim.query("SELECT CONNECTION_ID()").scalar(), id.to_string());
        let running = thread::spawn(move || {
            let reply = victim.query(sql);
            (victim, reply)
        });
        let list =
            format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE '%SLEEP%'");
        eventually("it sleeps", Duration::from_secs(20), || (server.admin("mysql", &list) == "1").then_some(()));
        (id, running)
    };
    // SLEEP alone ends without an error where it is killed.
    for sql in ["SELECT SLEEP(100)", "SELECT id, SLEEP(100) FROM customers ORDER BY 2"] {
        let (id, running) = sleeping(Client::login(endpoint), sql);
        hear("KILL QUERY", killer.query(&format!("KILL QUERY {id}")).to_string());
        let (mut victim, reply) = running.join().expect("the victim");
        hear("its query", reply.to_string());
        hear("it lives on", victim.query("SELECT 'alive'").to_string());
        hear("KILL of the idle one", killer.query(&format!("KILL {id}")).to_string());
        eventually("it is gone", Duration::from_secs(20), || {
            let list = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
            (server.admin("mysql", &list) == "0").then_some(())
        });
        victim.command(&message::query(b"SELECT 1"));
        hear("its next command", last_word(&mut victim));
    }
    let (id, running) = sleeping(Client::login(endpoint), "SELECT SLEEP(100)");
    let kill = [&[command::PROCESS_KILL], &id.to_le_bytes()[..]].concat();
    let reply = killer.ask(&kill);
    hear("COM_PROCESS_KILL", reply.to_string());
    if reply.code() != 0 {
        hear("KILL", killer.query(&format!("KILL {id}")).to_string());
    }
    let (mut victim, reply) = running.join().expect("the victim");
    hear("its query", reply.to_string());
    hear("its end", last_word(&mut victim));
    hear("KILL of nobody", killer.query("KILL 4294967290").to_string());
    let own = killer.id();
    hear("KILL QUERY of itself", killer.query(&format!("KILL QUERY {own}")).to_string());
    hear("KILL of itself", killer.query(&format!("KILL {own}")).to_string());
    said
}

/// Without what the gateway adds: the hint behind its refusal, and why a connection ends where the server says nothing.
fn settled(said: &str) -> Vec<String> {
    let of_the_gateway = "ERR 1158 (08S01): the database server closed the connection";
    let line = |line: &str| line.replace(of_the_gateway, "closed").split(" (KILL reaches").next().map(str::to_owned);
    said.lines().filter_map(line).collect()
}

fn run_kill(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let direct = settled(&killing(&server.endpoint("dora", case.tls || server.family() == Family::MySql), &server));
    let through = settled(&killing(&case.through(&gateway, "dora"), &server));
    assert_eq!(direct, through, "without (left) and with (right) the gateway");
    let refused = gateway.record("a KILL of nobody", |record| is_statement(record, "KILL 4294967290"));
    assert_eq!((refused["error_code"].as_u64(), text(&refused, "sqlstate")), (Some(1094), "HY000"), "{refused}");
}

for_each_mysql_case!(changes_of_user, super::run_changes_of_user);
for_each_mysql_case!(failed_changes, super::run_failed_changes);
for_each_mysql_case!(kill, super::run_kill);

/// Where all are one user to the server, the gateway says whose connections KILL reaches.
fn kill_reaches_the_same_user_alone(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway: Gateway = case.setup(&server).start();
    let login = |user: &str| Client::login(&case.through(&gateway, user));
    let (mut ana, mut dora, mut other) = (login("ana"), login("dora"), login("dora"));
    let id = dora.id();
    for sql in [
        format!("KILL {id}"),
        format!("KILL QUERY {id}"),
        format!("SELECT 1; /*!50000 kill */ connection {id}"),
        "KILL CONNECTION_ID()".to_owned(),
        format!("PREPARE p FROM 'KILL {id}'"),
    ] {
        let reply = ana.query(&sql);
        assert_eq!(reply.error().map(|(code, sqlstate, _)| (code, sqlstate)), Some((1094, "HY000")), "{sql}");
        let seen = gateway.record(&sql, |record| is_statement(record, &sql));
        assert!(seen["error_code"] == 1094 && seen["verdict"] == "deny", "{seen}");
    }
    assert_eq!(ana.ask(&[&[command::PROCESS_KILL], &id.to_le_bytes()[..]].concat()).code(), 1094);
    // Nor where a user under no rule makes the dialect another one.
    let mut free = login("trust_user");
    assert_eq!(free.query("SET sql_mode = 'ORACLE'").code() == 0, server.family() == Family::MariaDb);
    assert_eq!(free.query(&format!("KILL {id}")).code(), 1094);
    assert_eq!(dora.query("SELECT 1").scalar(), "1");
    // Whose a connection is goes with COM_CHANGE_USER.
    other.change_user(&case.through(&gateway, "ana")).expect("ana is let in");
    assert_eq!(dora.query(&format!("KILL {}", other.id())).code(), 1094);
    assert_eq!(ana.query(&format!("KILL {}", other.id())).code(), 0);
    other.command(&message::query(b"SELECT 1"));
    assert!(other.reply(Form::Results(false)).scalar().is_empty());
}

#[test]
fn kill_reaches_the_same_user_alone_on_mariadb() {
    kill_reaches_the_same_user_alone(integration::matrix::MARIADB_GATEWAY_TLS);
}

#[test]
fn kill_reaches_the_same_user_alone_on_mysql() {
    kill_reaches_the_same_user_alone(integration::matrix::MYSQL_GATEWAY_PLAIN);
}
