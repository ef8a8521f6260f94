//! The command lines of MariaDB and MySQL through the gateway: what a user under no rule sees is what the server
//! says, under both ways to authenticate, with TLS and without; what a rule forbids is refused, and the session
//! goes on.

use integration::gateway::{Gateway, Setup};
use integration::matrix::Case;
use integration::program::{self, Finished};
use integration::servers::{Endpoint, Server};
use integration::{for_each_mysql_case, for_each_other_mysql_case, masked, or_skip};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Statements that show values of many types, several results, a warning, an error, and go on behind it.
const SCRIPT: &str = "
SELECT id, name, email, card, card_number, ssn, spouse_ssn, birthday, note FROM customers WHERE id IN (1, 20, 30, 40, 50);
SELECT 1 AS one; SELECT 'two' AS two UNION ALL SELECT 'zwei';
SELECT CAST(1.5 AS DECIMAL(10, 3)) AS d, 0x41 AS h, NULL AS n, 1e10 AS f, DATE '2024-02-29' AS day, TIME '12:34:56' AS t;
CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY AUTO_INCREMENT, v varchar(10), b blob);
INSERT INTO scratch (v, b) VALUES ('a', 0x00ff), ('b', NULL);
UPDATE scratch SET v = 'c' WHERE id = 2;
SELECT * FROM scratch;
INSERT INTO scratch (id, v) VALUES (1, 'again');
SELECT nothing FROM nowhere;
SELECT CAST('12x' AS SIGNED);
SHOW WARNINGS;
SELECT ROW_COUNT(), FOUND_ROWS();
SELECT /*!50000 'version' */ AS comment;
SELECT COUNT(*), MIN(card) FROM customers;
";

/// Runs a script, each statement of it on its own; `force`: it goes on behind an error.
fn run(server: &Server, endpoint: &Endpoint, sql: &str, force: bool) -> Finished {
    let mut command = server.command_line(endpoint);
    if force {
        command.arg("--force");
    }
    program::run_with_input(&mut command, sql, LIMIT)
}

fn said(finished: &Finished) -> String {
    // The warning about passwords on the command line depends on the client alone, and goes where it likes.
    finished
        .everything()
        .lines()
        .filter(|line| !line.contains("[Warning] Using a password"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn same_as_without_gateway(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let direct = run(&server, &case.direct(&server, "dora"), SCRIPT, true);
    let through = run(&server, &case.through(&gateway, "dora"), SCRIPT, true);
    assert!(direct.stdout.lines().count() > 20, "the client said too little:\n{}", direct.everything());
    assert_eq!(said(&direct), said(&through), "without (left) and with (right) the gateway");
    let record = gateway.record("the query", |record| {
        record["user"] == "dora" && record["statement"].as_str().is_some_and(|text| text.starts_with("UPDATE scratch"))
    });
    assert_eq!(record["verdict"], "allow", "{record}");
}

for_each_mysql_case!(same_as_without_gateway_, super::same_as_without_gateway);
for_each_other_mysql_case!(same_as_without_gateway_too, super::same_as_without_gateway);

fn start(name: &str) -> Result<(Server, Gateway), String> {
    let server = Server::find(name)?;
    let gateway = Setup::before(&server).start();
    Ok((server, gateway))
}

/// Every way in which the users of the test servers log in reaches the server unchanged.
#[test]
fn every_plugin_of_the_servers_passes() {
    for (name, users) in [
        ("mariadb", &["native_user", "ed25519_user", "trust_user"][..]),
        ("mysql97", &["caching_user", "sha256_user", "trust_user"]),
    ] {
        let server = or_skip!(Server::find(name));
        let gateway = Setup::before(&server).policy("").start();
        for user in users {
            let mut endpoint = gateway.endpoint(user, false);
            if *user == "trust_user" {
                endpoint.password = String::new();
            }
            let finished = run(&server, &endpoint, "SELECT CURRENT_USER()", false);
            assert!(finished.stdout.contains(user), "{name} {user}: {}", finished.everything());
        }
        let mut wrong = gateway.endpoint(users[0], false);
        wrong.password = "wrong".into();
        let finished = run(&server, &wrong, "SELECT 1", false);
        assert!(finished.stderr.contains("ERROR 1045 (28000)"), "{}", finished.everything());
        let record = gateway.record("the failed login", |record| record["event"] == "login_failed");
        assert_eq!(record["sqlstate"], "28000", "{record}");
    }
}

/// A newer MariaDB's parsec, whose exchange is signed with a key that the client makes of the password: it passes as it
/// is, over plain legs and over TLS on both.
#[test]
fn parsec_passes() {
    let server = or_skip!(Server::find("mariadb118"));
    for tls in [false, true] {
        let mut setup = Setup::before(&server).policy(masked::POLICY);
        if tls {
            setup = setup.tls_required().upstream_tls("verify-full");
        }
        let gateway = setup.start();
        let endpoint = gateway.endpoint("parsec_user", tls);
        let finished = run(&server, &endpoint, "SELECT CURRENT_USER(), card FROM customers WHERE id = 1", false);
        assert!(finished.stdout.contains("parsec_user@%\t*"), "{}", finished.everything());
        let mut wrong = endpoint.clone();
        wrong.password = "wrong".into();
        let finished = run(&server, &wrong, "SELECT 1", false);
        assert!(finished.stderr.contains("ERROR 1045 (28000)"), "{}", finished.everything());
        let record = gateway.record("the login", |record| record["event"] == "connect");
        assert!(record["user"] == "parsec_user" && record["tls"].is_string() == tls, "{record}");
    }
}

#[test]
fn a_refused_statement_is_error_1227_and_the_session_goes_on() {
    for name in ["mariadb", "mysql97"] {
        let (server, gateway) = or_skip!(start(name));
        let ana = gateway.endpoint("ana", false);
        for sql in [
            "DROP TABLE old_carts",
            "drop /*!50000 table */ old_carts",
            "TRUNCATE old_carts",
            "ALTER TABLE old_carts ADD x int",
            "DELETE FROM old_carts",
            "SELECT 1; DROP TABLE old_carts",
            "PREPARE s FROM 'DROP TABLE old_carts'",
            "/*!50000 DROP TABLE old_carts */",
        ] {
            let finished = run(&server, &ana, &format!("{sql};\nSELECT 'goes on' AS state;\n"), true);
            let all = finished.everything();
            assert!(all.contains("ERROR 1227 (42000)"), "{name}: {sql}: {all}");
        }
        let finished = run(&server, &ana, "DROP TABLE old_carts;\nSELECT 'goes on' AS state;", true);
        assert!(finished.stdout.contains("goes on"), "{}", finished.everything());
        assert_eq!(server.admin("shop", "SELECT COUNT(*) FROM old_carts"), "20");
        let record = gateway.record("the refusal", |record| record["rule"] == "no destructive DDL");
        assert_eq!(record["verdict"], "deny");
    }
}

#[test]
fn what_a_masked_user_reads_holds_no_secret() {
    for name in ["mariadb", "mysql97"] {
        let (server, gateway) = or_skip!(start(name));
        let ana = gateway.endpoint("ana", false);
        for sql in [
            "SELECT id, email, card, card_number, ssn, spouse_ssn, note FROM customers WHERE id IN (1, 10, 50)",
            "SELECT * FROM customers LIMIT 3",
            "SELECT CONCAT(card, '') AS name FROM customers LIMIT 3",
            "SELECT * FROM (SELECT card AS name FROM customers LIMIT 3) AS orders",
            "SELECT paid_with FROM support_desk AS orders LIMIT 3",
            "SELECT MIN(card), GROUP_CONCAT(ssn) FROM customers WHERE id < 5",
            "WITH c AS (SELECT ssn AS id FROM customers) SELECT id FROM c LIMIT 2",
            "SELECT status FROM orders WHERE id = 1 UNION SELECT card FROM customers WHERE id = 1",
            "SELECT `card` /*!50000 , ssn */ FROM customers LIMIT 2",
            "SELECT EXTRACTVALUE(1, CONCAT('~', (SELECT card FROM customers WHERE id = 1)))",
            "INSERT INTO customers SELECT * FROM customers WHERE id = 1",
        ] {
            let finished = run(&server, &ana, sql, true);
            assert_eq!(masked::leaks(&finished.everything()), [""; 0], "{name}: {sql}");
        }
    }
}

#[test]
fn kill_leads_to_the_session_that_it_names() {
    for name in ["mariadb", "mysql97"] {
        let (server, gateway) = or_skip!(start(name));
        let dora = gateway.endpoint("dora", false);
        let statement = format!("SELECT SLEEP(60) AS slept_{}", std::process::id());
        let query = format!("SELECT id FROM information_schema.processlist WHERE info = '{statement}'");
        let sleeper = {
            let mut command = server.command_line(&dora);
            command.args(["--execute", &statement]);
            std::thread::spawn(move || program::run(&mut command, LIMIT))
        };
        let id = program::eventually("the statement runs", Duration::from_secs(20), || {
            let found = server.admin("mysql", &query);
            (!found.is_empty()).then_some(found)
        });
        let killed = run(&server, &dora, &format!("KILL QUERY {id}"), false);
        assert_eq!(killed.status, Some(0), "{}", killed.everything());
        let slept = sleeper.join().expect("the sleeper ends");
        // SLEEP that is interrupted says 1, or its statement fails.
        assert!(slept.stdout.contains('1') || slept.stderr.contains("1317"), "{name}: {}", slept.everything());
    }
}
