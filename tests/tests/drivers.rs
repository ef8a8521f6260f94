//! Drivers in their own languages, through the gateway: what a user under no rule sees is what the server
//! says, what a masked user sees holds no secret.

use integration::matrix::Case;
use integration::program::{self, Finished};
use integration::servers::Endpoint;
use integration::{for_each_case, masked, or_skip, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
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

fn python(program: &str) -> Result<Command, String> {
    let interpreter = root().join(".venv/bin/python");
    if !interpreter.exists() {
        return Err("no .venv: scripts/test makes it".into());
    }
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(root().join("tests/drivers/python").join(program));
    Ok(command)
}

fn psycopg() -> Result<Command, String> {
    python("psycopg_driver.py")
}

fn asyncpg() -> Result<Command, String> {
    python("asyncpg_driver.py")
}

fn node_postgres() -> Result<Command, String> {
    let folder = root().join("tests/drivers/node");
    if !folder.join("node_modules/pg").exists() {
        return Err("node-postgres is not installed: scripts/test does it".into());
    }
    let mut command = Command::new("node");
    command.arg(folder.join("driver.js"));
    Ok(command)
}

const PGJDBC: &str = "/usr/share/java/postgresql.jar";

fn pgjdbc() -> Result<Command, String> {
    static CLASSES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let classes = CLASSES.get_or_init(compile_java).clone()?;
    let mut command = Command::new("java");
    // One core's worth of virtual machine: several of these run beside each other.
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(format!("{PGJDBC}:{}", classes.display())).arg("Driver");
    Ok(command)
}

fn compile_java() -> Result<PathBuf, String> {
    if !Path::new(PGJDBC).exists() || Command::new("javac").arg("-version").output().is_err() {
        return Err("pgjdbc or a Java compiler is not installed: scripts/test does it".into());
    }
    // Each test process compiles into a folder of its own, so that none runs half a class.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("java-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut compiler = Command::new("javac");
    compiler.args(["-encoding", "UTF-8", "-cp", PGJDBC, "-d"]).arg(&folder);
    compiler.arg(root().join("tests/drivers/java/Driver.java"));
    program::run(&mut compiler, LIMIT).expect_success();
    Ok(folder)
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
