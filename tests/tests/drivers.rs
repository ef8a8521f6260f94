//! Drivers in their own languages, through the gateway: what a user under no rule sees is what the server
//! says, what a masked user sees holds no secret.

use integration::matrix::Case;
use integration::program::{self, Finished};
use integration::servers::Endpoint;
use integration::{drivers, for_each_case, masked, or_skip};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// A driver program: gives the command that runs it, or why it cannot run here.
type Driver = fn() -> Result<Command, String>;

fn run_driver(driver: Driver, endpoint: &Endpoint, mode: &str) -> Finished {
    let mut command = driver().expect("the driver ran before");
    command.args(endpoint.driver_arguments()).arg(format!("mode={mode}"));
    program::run(&mut command, LIMIT).expect_success()
}

fn same_as_without_gateway_and_masked(driver: Driver, purpose: &str, case: Case) {
    let _ = or_skip!(driver());
    let server = or_skip!(case.find_server());
    let database = server.private_database(&format!("{purpose}_{}", u8::from(case.gateway_auth)));
    let gateway = case.setup(&server).start();

    let direct = run_driver(driver, &case.direct(&server, "dora").in_database(&database.name), "full");
    let through = run_driver(driver, &case.through(&gateway, "dora").in_database(&database.name), "full");
    assert!(direct.stdout.lines().count() > 15, "the driver said too little:\n{}", direct.stdout);
    assert_same_lines(&direct.stdout, &through.stdout);

    let support = run_driver(driver, &case.through(&gateway, "ana").in_database(&database.name), "masked");
    masked::check_driver_output(&support.everything());
}

#[track_caller]
fn assert_same_lines(direct: &str, through: &str) {
    for (number, (expected, seen)) in direct.lines().zip(through.lines()).enumerate() {
        assert_eq!(expected, seen, "line {} without (left) and with (right) the gateway", number + 1);
    }
    assert_eq!(direct.lines().count(), through.lines().count(), "lines without and with the gateway");
}

fn psycopg() -> Result<Command, String> {
    drivers::python("psycopg_driver.py", "psycopg")
}

fn asyncpg() -> Result<Command, String> {
    drivers::python("asyncpg_driver.py", "asyncpg")
}

fn node_postgres() -> Result<Command, String> {
    drivers::node("node", "pg")
}

fn pgjdbc() -> Result<Command, String> {
    drivers::java("java/Driver.java", "/usr/share/java/postgresql.jar")
}

fn run_psycopg(case: Case) {
    same_as_without_gateway_and_masked(psycopg, "psycopg", case);
}

fn run_asyncpg(case: Case) {
    same_as_without_gateway_and_masked(asyncpg, "asyncpg", case);
}

fn run_node_postgres(case: Case) {
    same_as_without_gateway_and_masked(node_postgres, "node", case);
}

fn run_pgjdbc(case: Case) {
    same_as_without_gateway_and_masked(pgjdbc, "pgjdbc", case);
}

for_each_case!(psycopg_3, super::run_psycopg);
for_each_case!(asyncpg_, super::run_asyncpg);
for_each_case!(node_postgres_, super::run_node_postgres);
for_each_case!(pgjdbc_, super::run_pgjdbc);
