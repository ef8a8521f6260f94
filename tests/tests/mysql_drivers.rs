//! Drivers of MySQL and MariaDB in their own languages, through the gateway: what a user under no rule sees is
//! what the server says; a masked user sees no secret, is refused by the rule's name, and goes on.

use integration::matrix::Case;
use integration::mysql_raw::Client;
use integration::program::{self, Finished};
use integration::servers::{Endpoint, Family};
use integration::{drivers, for_each_mysql_case, for_each_other_mysql_case, masked, or_skip, root, skip};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

/// Gives the command that runs a driver program, or why it cannot run here.
type Driver = fn() -> Result<Command, String>;

fn run_driver(driver: Driver, endpoint: &Endpoint, mode: &str) -> Finished {
    let mut command = driver().expect("the driver ran before");
    command.args(endpoint.driver_arguments()).arg(format!("mode={mode}"));
    program::run(&mut command, LIMIT).expect_success()
}

fn same_as_without_gateway_and_masked(driver: Driver, purpose: &str, case: Case) {
    let _ = or_skip!(driver());
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    // Errors name the database: each run has a new one of the same name.
    let name = format!("t_{purpose}_{}", std::process::id());
    let fresh = || {
        let _ = server.admin("mysql", &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"));
        let shop = std::fs::read_to_string(root().join("scripts/shop-mysql.sql")).expect("the shop");
        let _ = server.admin(&name, &shop);
    };
    // Not every driver can log in to MySQL by its RSA key; the server itself is asked over TLS always.
    let direct = server.endpoint("dora", case.tls || server.family() == Family::MySql).in_database(&name);
    fresh();
    let direct = run_driver(driver, &direct, "full");
    fresh();
    let through = run_driver(driver, &case.through(&gateway, "dora").in_database(&name), "full");
    assert!(direct.stdout.lines().count() > 15, "the driver said too little:\n{}", direct.stdout);
    for (number, (expected, seen)) in direct.stdout.lines().zip(through.stdout.lines()).enumerate() {
        assert_eq!(expected, seen, "line {} without (left) and with (right) the gateway", number + 1);
    }
    assert_eq!(direct.stdout.lines().count(), through.stdout.lines().count(), "lines without and with the gateway");

    let support = run_driver(driver, &case.through(&gateway, "ana").in_database(&name), "masked");
    masked::check_driver_output(&support.everything());
    let refused: Vec<&str> = support.stdout.lines().filter(|line| line.starts_with("refused")).collect();
    assert!(!refused.is_empty() && support.stdout.contains("goes on 20"), "{}", support.stdout);
    for line in refused {
        assert!(line.contains("1227") && line.contains("no destructive DDL"), "{line}");
    }
    // The same fields as for PostgreSQL.
    let refusal = gateway.record("the refusal", |record| record["rule"] == "no destructive DDL");
    assert!(refusal["verdict"] == "deny" && refusal["sqlstate"].is_string(), "{refusal}");
    let rows = gateway.record("masked rows", |record| record["masks"].is_array() && record["user"] == "ana");
    assert!(rows["rows"].as_u64().is_some_and(|rows| rows > 0) && rows["verdict"] == "allow", "{rows}");
    let _ = server.admin("mysql", &format!("DROP DATABASE {name}"));
}

/// Every driver, in the cases that the tests above leave out: what a masked user sees, in one gateway for all of them.
/// MySQL in passthrough without TLS is not impossible for any of them once the server has the user's hash in its cache;
/// until then it asks for the password under its RSA key, which mysqlclient's library and some drivers do not do unless
/// told to. So somebody logs in over TLS first, as applications beside each other do.
fn all_are_masked(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let database = server.private_database("drivers");
    let endpoint = case.through(&gateway, "ana").in_database(&database.name);
    if server.family() == Family::MySql && !case.tls {
        drop(Client::login(&server.endpoint("ana", true)));
    }
    let drivers: [(&str, Driver); 7] = [
        ("PyMySQL", pymysql),
        ("mysql-connector-python", connector),
        ("mysqlclient", mysqlclient),
        ("mysql2", mysql2),
        ("Connector/J", connector_j),
        ("go-sql-driver", go),
        ("mysql_async", mysql_async),
    ];
    for (name, driver) in drivers {
        if let Err(reason) = driver() {
            skip::skipped(&format!("{name}, {case:?}"), &reason);
            continue;
        }
        let support = run_driver(driver, &endpoint, "masked");
        masked::check_driver_output(&support.everything());
        assert!(
            support.stdout.contains("masked") && support.stdout.contains("goes on 20"),
            "{name}: {}",
            support.stdout
        );
    }
    let connected = gateway.record("a login", |record| record["event"] == "connect" && record["user"] == "ana");
    assert_eq!(connected["tls"].is_string(), case.tls, "{connected}");
    // In passthrough it is the plugin's name.
    assert_eq!(connected["auth"] == "gateway", case.gateway_auth, "{connected}");
}

for_each_other_mysql_case!(all_drivers_, super::all_are_masked);

fn python(driver: &str, module: &str) -> Result<Command, String> {
    let mut command = drivers::python("mysql_driver.py", module)?;
    command.arg(format!("driver={driver}"));
    Ok(command)
}

fn pymysql() -> Result<Command, String> {
    python("pymysql", "pymysql")
}

fn connector() -> Result<Command, String> {
    python("connector", "mysql.connector")
}

fn mysqlclient() -> Result<Command, String> {
    python("mysqlclient", "MySQLdb")
}

fn mysql2() -> Result<Command, String> {
    drivers::node("node-mysql", "mysql2")
}

fn connector_j() -> Result<Command, String> {
    drivers::java("java-mysql/Driver.java", "/usr/share/java/mariadb-java-client.jar")
}

fn go() -> Result<Command, String> {
    drivers::go("go/driver.go", "github.com/go-sql-driver/mysql")
}

fn mysql_async() -> Result<Command, String> {
    drivers::rust("rust-mysql")
}

fn run_pymysql(case: Case) {
    same_as_without_gateway_and_masked(pymysql, "pymysql", case);
}

fn run_connector(case: Case) {
    same_as_without_gateway_and_masked(connector, "connector", case);
}

fn run_mysqlclient(case: Case) {
    same_as_without_gateway_and_masked(mysqlclient, "mysqlclient", case);
}

fn run_mysql2(case: Case) {
    same_as_without_gateway_and_masked(mysql2, "mysql2", case);
}

fn run_connector_j(case: Case) {
    same_as_without_gateway_and_masked(connector_j, "java", case);
}

fn run_go(case: Case) {
    same_as_without_gateway_and_masked(go, "go", case);
}

fn run_mysql_async(case: Case) {
    same_as_without_gateway_and_masked(mysql_async, "rust", case);
}

for_each_mysql_case!(pymysql_, super::run_pymysql);
for_each_mysql_case!(connector_, super::run_connector);
for_each_mysql_case!(mysqlclient_, super::run_mysqlclient);
for_each_mysql_case!(mysql2_, super::run_mysql2);
for_each_mysql_case!(connector_j_, super::run_connector_j);
for_each_mysql_case!(go_, super::run_go);
for_each_mysql_case!(mysql_async_, super::run_mysql_async);
