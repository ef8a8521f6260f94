//! PostgreSQL's own clients, each in the version of its server: psql, pgbench, pg_dump, pg_restore.

use integration::matrix::{self, Case};
use integration::program::{self, Finished};
use integration::servers::{Endpoint, Server};
use integration::{for_each_case, gateway, masked, or_skip, root};
use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

fn psql(server: &Server, endpoint: &Endpoint, script: &str) -> Finished {
    let text = fs::read_to_string(root().join("tests/drivers/psql").join(script)).expect("read the script");
    let mut command = server.program("psql");
    command.args(["-X", "-e", "-d", &server.dsn(endpoint)]);
    program::run_with_input(&mut command, &text, LIMIT).expect_success()
}

/// Process ids differ between two runs of the same thing; nothing else may.
fn without_process_ids(text: &str) -> String {
    text.lines().map(|line| line.split("process with PID").next().unwrap_or_default().to_owned() + "\n").collect()
}

#[track_caller]
fn assert_same(direct: &Finished, through: &Finished) {
    for (what, direct, through) in
        [("output", &direct.stdout, &through.stdout), ("errors", &direct.stderr, &through.stderr)]
    {
        let (direct, through) = (without_process_ids(direct), without_process_ids(through));
        for (number, (expected, seen)) in direct.lines().zip(through.lines()).enumerate() {
            assert_eq!(expected, seen, "{what} line {} without (left) and with (right) the gateway", number + 1);
        }
        assert_eq!(direct.lines().count(), through.lines().count(), "lines of {what} without and with the gateway");
    }
}

fn psql_says_the_same(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let scripts: &[&str] = if case.server == "pg18" { &["full.sql", "full-18.sql"] } else { &["full.sql"] };
    for script in scripts {
        let before = server.private_database("psql_direct");
        let direct = psql(&server, &case.direct(&server, "dora").in_database(&before.name), script);
        drop(before);
        // The same name again: psql shows it here and there.
        let after = server.private_database("psql_direct");
        let through = psql(&server, &case.through(&gateway, "dora").in_database(&after.name), script);
        assert!(direct.stdout.lines().count() > 10, "psql said too little:\n{}", direct.stdout);
        assert_same(&direct, &through);
    }
}

fn psql_shows_no_masked_value(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let database = server.private_database("psql_masked");
    let ana = case.through(&gateway, "ana").in_database(&database.name);
    let seen = psql(&server, &ana, "masked.sql");
    let found = masked::leaks(&seen.everything());
    assert!(found.is_empty(), "{} secrets leaked: {:#?}", found.len(), &found[..found.len().min(20)]);
    assert!(seen.stdout.contains("4***-****-****-1111"), "no masked card in:\n{}", seen.stdout);
    assert!(seen.stdout.contains("end of the tour"), "the session broke:\n{}\n{}", seen.stdout, seen.stderr);
}

fn pgbench_runs(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let database = server.private_database("pgbench");
    let dora = server.dsn(&case.through(&gateway, "dora").in_database(&database.name));
    let bench = |arguments: &[&str]| {
        let mut command = server.program("pgbench");
        // What takes a connection string takes it as the name of the database.
        program::run(command.args(arguments).arg(&dora), LIMIT).expect_success()
    };
    let _ = bench(&["-i", "-q", "-s", "1"]);
    for mode in ["simple", "extended", "prepared"] {
        let reads = bench(&["-n", "-S", "-M", mode, "-c", "8", "-t", "250"]);
        assert!(reads.stdout.contains("actually processed: 2000/2000"), "{mode}: {}", reads.stdout);
        let writes = bench(&["-n", "-M", mode, "-c", "4", "-t", "50"]);
        assert!(writes.stdout.contains("actually processed: 200/200"), "{mode}: {}", writes.stdout);
    }
    let sums = server.admin(
        &database.name,
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
            (SELECT count(*) FROM pgbench_history)",
    );
    assert_eq!(sums, "t|600", "every write arrived once");
}

/// Two dumps differ in a random key that keeps a dump from smuggling psql commands.
fn without_random_lines(text: &str) -> String {
    text.lines().filter(|line| !line.contains("restrict ")).map(|line| line.to_owned() + "\n").collect()
}

fn dump(server: &Server, endpoint: &Endpoint) -> Finished {
    let mut command = server.program("pg_dump");
    program::run(command.args(["--no-sync", "-d", &server.dsn(endpoint)]), LIMIT).expect_success()
}

fn pg_dump_and_pg_restore_work(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let direct = dump(&server, &case.direct(&server, "dora"));
    let dora = case.through(&gateway, "dora");
    let through = dump(&server, &dora);
    assert!(direct.stdout.contains("4111-1111-1111-1111"), "the reference holds the shop");
    assert!(without_random_lines(&direct.stdout) == without_random_lines(&through.stdout), "two dumps differ");

    let dir = gateway::private_dir();
    let archive = dir.join("shop.dump");
    let output = File::create(&archive).expect("create the archive");
    let mut command = server.program("pg_dump");
    command.args(["-Fc", "--no-owner", "-d", &server.dsn(&dora)]);
    program::run_between(&mut command, Stdio::null(), output.into(), LIMIT).expect_success();
    let target = server.private_database("restore");
    let _ = server.admin("postgres", &format!("DROP DATABASE {}", target.name));
    let _ = server.admin("postgres", &format!("CREATE DATABASE {} OWNER app", target.name));
    let _ = server.admin(&target.name, "GRANT ALL ON SCHEMA public TO PUBLIC");
    let mut command = server.program("pg_restore");
    command.args(["--no-owner", "--exit-on-error", "-d", &server.dsn(&dora.in_database(&target.name))]);
    let input = File::open(&archive).expect("open the archive");
    program::run_between(&mut command, input.into(), Stdio::piped(), LIMIT).expect_success();
    let digest = "SELECT md5(string_agg(c::text, '' ORDER BY id)), (SELECT count(*) FROM payments),
        (SELECT count(*) FROM order_items), (SELECT count(*) FROM support_desk) FROM customers AS c";
    assert_eq!(server.admin("shop", digest), server.admin(&target.name, digest), "what was restored");
    let _ = fs::remove_dir_all(dir);
}

fn a_masked_dump_holds_no_masked_value(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).start();
    let seen = dump(&server, &case.through(&gateway, "ana")).everything();
    let found = masked::leaks(&seen);
    assert!(found.is_empty(), "{} secrets leaked: {:#?}", found.len(), &found[..found.len().min(20)]);
    assert!(seen.contains("4***-****-****-1111"), "no masked card in the dump");
    assert!(seen.contains("***-**-0002"), "no masked identity number in the dump");
}

for_each_case!(psql_unmasked, super::psql_says_the_same);
for_each_case!(pgbench, super::pgbench_runs);
for_each_case!(pg_dump_restore, super::pg_dump_and_pg_restore_work);

#[test]
fn psql_masked_pg15() {
    psql_shows_no_masked_value(matrix::PG15_PASSTHROUGH_PLAIN);
}

#[test]
fn psql_masked_pg18() {
    psql_shows_no_masked_value(matrix::PG18_GATEWAY_PLAIN);
}

#[test]
fn pg_dump_masked_pg15() {
    a_masked_dump_holds_no_masked_value(matrix::PG15_GATEWAY_TLS);
}

#[test]
fn pg_dump_masked_pg18() {
    a_masked_dump_holds_no_masked_value(matrix::PG18_PASSTHROUGH_TLS);
}
