//! sysbench's read and write mix with prepared statements, on both servers and under both ways to authenticate: what
//! it fills, runs and counts through the gateway is what it asked for, over plain legs and over TLS.

use integration::matrix::Case;
use integration::program::{self, Finished};
use integration::servers::Endpoint;
use integration::{or_skip, servers::Server};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);
const ROWS: u32 = 500;
const TRANSACTIONS: u32 = 400;
/// Ten point queries, four ranges, two updates, a delete and an insert, BEGIN and COMMIT.
const STATEMENTS_PER_TRANSACTION: u32 = 20;

/// A folder with the files that sysbench's TLS wants, by names that it has fixed; nobody asks for its key.
struct Certificates(PathBuf);

impl Certificates {
    fn beside(ca: &Path) -> Self {
        let folder = std::env::temp_dir().join(format!("wiregate-sysbench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let tls = ca.parent().expect("the folder of the authority");
        for (from, to) in [("ca.crt", "cacert"), ("gateway.crt", "client-cert"), ("gateway.key", "client-key")] {
            std::fs::copy(tls.join(from), folder.join(format!("{to}.pem"))).expect(from);
        }
        Self(folder)
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sysbench(endpoint: &Endpoint, what: &str) -> Finished {
    let mut command = Command::new("sysbench");
    let certificates = endpoint.tls.then(|| Certificates::beside(&endpoint.ca));
    if let Some(Certificates(folder)) = &certificates {
        command.arg("--mysql-ssl=on").current_dir(folder);
    }
    command.args(["oltp_read_write", "--mysql-host=127.0.0.1", "--db-ps-mode=auto", "--tables=2", "--threads=4"]);
    command.args(["--time=0", "--mysql-ignore-errors=1213,1020,1205"]);
    command.arg(format!("--table-size={ROWS}")).arg(format!("--events={TRANSACTIONS}"));
    command.arg(format!("--mysql-port={}", endpoint.port)).arg(format!("--mysql-user={}", endpoint.user));
    command.arg(format!("--mysql-password={}", endpoint.password)).arg(format!("--mysql-db={}", endpoint.database));
    program::run(command.arg(what), LIMIT).expect_success()
}

/// The number before the parentheses of a line of sysbench's report.
fn reported(report: &str, name: &str) -> u32 {
    let line =
        report.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {report}"));
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{name}: {report}"))
}

fn mixed(server: &Server, case: Case) {
    let database = server.private_database("sysbench");
    let gateway = case.setup(server).start();
    let to = |user: &str| case.through(&gateway, user).in_database(&database.name);
    let _ = sysbench(&to("dora"), "prepare");
    let rows = "SELECT COUNT(*) FROM sbtest1 UNION ALL SELECT COUNT(*) FROM sbtest2";
    assert_eq!(server.admin(&database.name, rows), format!("{ROWS}\n{ROWS}"), "filled through the gateway");
    // Under rules, though none concerns these tables.
    let report = sysbench(&to("ana"), "run").stdout;
    assert_eq!(reported(&report, "transactions:"), TRANSACTIONS, "{report}");
    let statements = reported(&report, "total:");
    assert!(statements >= TRANSACTIONS * STATEMENTS_PER_TRANSACTION, "{report}");
    assert_eq!(server.admin(&database.name, rows), format!("{ROWS}\n{ROWS}"), "each delete has its insert");

    let connected = gateway.record("a login", |record| record["event"] == "connect" && record["user"] == "ana");
    assert_eq!(connected["tls"].is_string(), case.tls, "{connected}");
    program::eventually("every statement is recorded", Duration::from_secs(20), || {
        let records = gateway.records();
        let of_ana = records.iter().filter(|record| record["user"] == "ana" && record["event"] == "statement");
        let (mut runs, mut bound) = (0_u32, 0_u32);
        for record in of_ana {
            assert!(record["verdict"] == "allow", "{record}");
            runs += 1;
            bound += u32::from(record["parameters"].is_array());
        }
        (runs >= statements && bound >= TRANSACTIONS * (STATEMENTS_PER_TRANSACTION - 2)).then_some(())
    });
}

/// Under one way to authenticate over TLS, under the other without: the drivers' tests have every pair.
fn on(name: &'static str, tls_with_gateway_auth: bool) {
    let server = or_skip!(Server::find(name));
    let installed = Command::new("sysbench").arg("--version").output().map_err(|error| format!("sysbench: {error}"));
    let _ = or_skip!(installed);
    for gateway_auth in [false, true] {
        mixed(&server, Case { server: name, gateway_auth, tls: gateway_auth == tls_with_gateway_auth });
    }
}

#[test]
fn mariadb() {
    on("mariadb", true);
}

#[test]
fn mysql() {
    on("mysql97", false);
}
