//! `LOAD DATA LOCAL INFILE` with real clients: a file is given where a rule of `[[local_file]]` says so and nowhere
//! else; the audit has its name and its size, 0 of a refused one; a refusal leaves a session that goes on.

use integration::gateway::Gateway;
use integration::matrix::Case;
use integration::program::{self, Finished};
use integration::servers::{Endpoint, Server};
use integration::{drivers, for_each_mysql_case, or_skip};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const LINES: usize = 20_000;

const RULE: &str = r#"
[[local_file]]
name   = "imports"
files  = ["*/allowed-*.csv"]
groups = ["dba"]
"#;

/// Text with what a loader could trip over: letters of several bytes, escaped tabs and line ends, NULL.
fn file() -> String {
    (0..LINES).map(|n| format!("{n}\tgrün 🚲 {n}\\tand\\\nmore\t{}\n", if n % 3 == 0 { "\\N" } else { "z" })).collect()
}

/// A client that runs `LOAD DATA` and, whatever came of it, counts the rows and says so: `rows N`.
trait Loader {
    fn load(&self, server: &Server, endpoint: &Endpoint, file: &str) -> Finished;
    /// The file's name as this client sees it.
    fn file(&self, server: &Server, name: &str) -> String;
}

const LOAD: &str = "LOAD DATA LOCAL INFILE '<name>' INTO TABLE box CHARACTER SET utf8mb4";

struct CommandLine;

impl Loader for CommandLine {
    fn load(&self, server: &Server, endpoint: &Endpoint, file: &str) -> Finished {
        let mut command = server.command_line(endpoint);
        command.args(["--local-infile=1", "--force", "--skip-column-names"]);
        let sql = format!("{};\nSELECT CONCAT('rows ', COUNT(*)) FROM box;\n", LOAD.replace("<name>", file));
        program::run_with_input(&mut command, &sql, LIMIT)
    }

    fn file(&self, server: &Server, name: &str) -> String {
        server.path_for_programs(name)
    }
}

struct PyMySql;

impl Loader for PyMySql {
    fn load(&self, _: &Server, endpoint: &Endpoint, file: &str) -> Finished {
        let mut command: Command = drivers::python("mysql_local_file.py", "pymysql").expect("it was found before");
        command.args(endpoint.driver_arguments()).arg(format!("statement={}", LOAD.replace("<name>", file)));
        program::run(&mut command, LIMIT).expect_success()
    }

    fn file(&self, server: &Server, name: &str) -> String {
        server.shared_dir().join(name).display().to_string()
    }
}

fn check(loader: &dyn Loader, server: &Server, gateway: &Gateway, case: Case) {
    let database = server.private_database("files");
    let _ = server.admin(
        &database.name,
        "CREATE TABLE box (id int PRIMARY KEY, body varchar(200), more varchar(10)) CHARACTER SET utf8mb4",
    );
    let run = |user: &str, name: &str| {
        let path = loader.file(server, name);
        let said = loader.load(server, &case.through(gateway, user).in_database(&database.name), &path);
        (path, said)
    };
    let mark = format!("{}.csv", database.name);
    let (allowed, other) = (format!("allowed-{mark}"), format!("other-{mark}"));
    let text = file();
    for name in [&allowed, &other] {
        std::fs::write(server.shared_dir().join(name), &text).expect("the file to be loaded");
    }

    // Neither this user with that file nor that user with this one.
    for (user, name) in [("ana", &allowed), ("dora", &other)] {
        let (path, said) = run(user, name);
        let all = said.everything();
        assert!(all.contains("1227") && all.contains("[[local_file]]"), "{user}, {path}: {all}");
        assert!(said.stdout.contains("rows 0"), "the session goes on, and nothing was loaded: {all}");
        let record = gateway.record("the refusal", |record| record["local_file"] == path.as_str());
        assert!(record["sqlstate"] == "42000" && record["user"] == user, "{record}");
        assert_eq!(record["local_file_bytes"], 0, "{record}");
        assert!(record["verdict"] == "deny" && record["rule"] == "local file", "{record}");
    }

    let (path, said) = run("dora", &allowed);
    assert!(said.stdout.contains(&format!("rows {LINES}")), "{}", said.everything());
    let sum = "SELECT SUM(CRC32(CONCAT(id, body))), SUM(more IS NULL) FROM box";
    let expected = (0..LINES).filter(|n| n % 3 == 0).count().to_string();
    assert!(server.admin(&database.name, sum).ends_with(&expected));
    let body = server.admin(&database.name, "SELECT body = 'grün 🚲 7\\tand\\nmore' FROM box WHERE id = 7");
    assert_eq!(body, "1");
    let record = gateway.record("the load", |record| record["local_file"] == path.as_str());
    assert_eq!(record["local_file_bytes"].as_u64(), u64::try_from(text.len()).ok(), "{record}");
    assert!(record["verdict"] == "allow" && record["user"] == "dora" && record["sqlstate"].is_null(), "{record}");
    assert_eq!(record["relations"], serde_json::json!(["box"]), "{record}");

    for name in [&allowed, &other] {
        let _ = std::fs::remove_file(server.shared_dir().join(name));
    }
}

fn files(case: Case) {
    let server = or_skip!(case.find_server());
    let gateway = case.setup(&server).policy(RULE).start();
    check(&CommandLine, &server, &gateway, case);
    let _ = or_skip!(drivers::python("mysql_local_file.py", "pymysql"));
    check(&PyMySql, &server, &gateway, case);
}

for_each_mysql_case!(local_files_, super::files);
