//! The built command: exit status, what it says and where it says it.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const GOOD: &str = r#"
[audit]
path = "audit"

[[listen]]
name     = "orders"
protocol = "postgres"
address  = "127.0.0.1:6432"
upstream = "127.0.0.1:5432"

[[user]]
name   = "ana"
groups = ["support"]

[[deny]]
name       = "no destructive DDL"
statements = ["drop", "truncate"]
message    = "ask #dba for a change ticket"

[[mask]]
name    = "cards"
columns = ["public.customers.card"]
method  = "keep_last 4"
"#;

/// A folder with a config, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str, config: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wiregate-cli-{}-{test}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("wiregate.toml"), config).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// Runs `wiregate` beside the config, which it finds by its default name.
    fn run(&self, arguments: &[&str]) -> Output {
        wiregate().current_dir(&self.0).args(arguments).stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn wiregate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wiregate"))
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn wrong_use_is_two_and_help_is_zero() {
    let scratch = Scratch::new("use", GOOD);
    for wrong in
        [&[][..], &["fly"], &["check", "--no-such"], &["explain", "SELECT 1"], &["passwd", "--iterations", "1"]]
    {
        let output = scratch.run(wrong);
        assert_eq!((status(&output), out(&output)), (2, ""), "{wrong:?}: {output:?}");
        assert!(err(&output).contains("Usage") || err(&output).contains("--help"), "{output:?}");
    }
    for task in ["check", "explain", "passwd", "run"] {
        let output = scratch.run(&[task, "--help"]);
        assert_eq!(status(&output), 0);
        assert!(out(&output).contains("Example:") && err(&output).is_empty(), "{output:?}");
    }
}

#[test]
fn a_good_config_is_good_from_any_folder_and_changes_nothing() {
    let scratch = Scratch::new("good", GOOD);
    let output = scratch.run(&["check"]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert_eq!(out(&output), "wiregate.toml: good: 1 listeners, 1 users, 1 denies, 1 masks\n");
    let config = scratch.0.join("wiregate.toml");
    let elsewhere = wiregate().current_dir("/").args(["check", "--config"]).arg(&config).output().unwrap();
    assert_eq!(status(&elsewhere), 0, "{elsewhere:?}");
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1);
}

#[test]
fn check_finds_everything_that_is_wrong_with_a_text() {
    let bad = GOOD.replace("\"drop\"", "\"drp\"").replace("method  =", "methot  =").replace("6432", "643200");
    let output = Scratch::new("bad", &bad).run(&["check"]);
    assert_eq!((status(&output), out(&output)), (1, ""));
    for place in ["wiregate.toml:8:", "wiregate.toml:17:", "wiregate.toml:23:"] {
        assert!(err(&output).contains(place), "{place} is missing in\n{}", err(&output));
    }
    assert!(err(&output).contains("3 problems"), "{}", err(&output));
}

#[test]
fn check_looks_at_what_the_config_names() {
    let bad = GOOD.replace(
        "[[user]]",
        r#"tls = { cert = "missing.crt", key = "missing.key" }
auth = "gateway"
upstream_user = "app"
upstream_password = { env = "WIREGATE_TEST_NOT_SET" }

[[user]]
name = "bob"
password = { scram = "SCRAM-SHA-256$4096:bm9uc2Vuc2U=$bm9uc2Vuc2U=:bm9uc2Vuc2U=" }

[[user]]
name = "eve"
password = { file = "empty.password" }

[[user]]"#,
    );
    let bad = bad
        + "\n[[mask]]\nname = \"h\"\ncolumns = [\"x.y\"]\nmethod = \"hash\"\n\n[[mask]]\nname = \"l\"\nliterals_file = \"names.txt\"\n\n[policy]\nhash_key = { file = \"short.key\" }\n";
    let bad =
        bad.replace("[[listen]]", "[gateway]\ncores = [4000]\n\n[[listen]]").replace("\"audit\"", "\"taken/audit\"");
    let scratch = Scratch::new("names", &bad);
    scratch.write("empty.password", "\n");
    scratch.write("names.txt", "\n");
    scratch.write("short.key", "tooshort\n");
    scratch.write("taken", "a file, not a folder");
    let output = scratch.run(&["check"]);
    assert_eq!(status(&output), 1);
    for part in [
        "missing.crt",
        "WIREGATE_TEST_NOT_SET is not set",
        "[[user]] \"bob\": password: not a SCRAM verifier",
        "empty.password: the file is empty",
        "core 4000 is not available",
        "[audit] path: taken/audit",
        "[policy] hash_key: shorter than 16 bytes",
        "[[mask]] \"l\": literals_file: names.txt: the list has no literal",
        "8 problems",
    ] {
        assert!(err(&output).contains(part), "{part} is missing in\n{}", err(&output));
    }
    assert!(!err(&output).contains("tooshort"), "a key is shown: {}", err(&output));
    assert!(!err(&output).contains("bm9uc2Vuc2U"), "a secret is shown: {}", err(&output));
}

#[test]
fn a_config_that_is_not_there_or_not_text_is_a_failure() {
    let scratch = Scratch::new("none", GOOD);
    for task in [&["check", "-c", "no.toml"][..], &["run", "-c", "no.toml"]] {
        let output = scratch.run(task);
        assert_eq!(status(&output), 1);
        assert!(err(&output).contains("no.toml: No such file"), "{output:?}");
    }
    std::fs::write(scratch.0.join("wiregate.toml"), b"[admin]\n\xff").unwrap();
    assert!(err(&scratch.run(&["check"])).contains("not UTF-8 at byte 8"));
}

#[test]
fn run_does_not_start_with_a_bad_config() {
    let output = Scratch::new("run", &GOOD.replace("postgres", "oracle")).run(&["run"]);
    assert_eq!((status(&output), out(&output)), (1, ""));
    assert!(err(&output).contains("wiregate.toml:7:"), "{output:?}");
}

#[test]
fn an_admin_server_for_everybody_is_a_warning() {
    let scratch = Scratch::new("admin", &GOOD.replace("[audit]", "[admin]\naddress = \"0.0.0.0:9090\"\n[audit]"));
    let output = scratch.run(&["check"]);
    assert_eq!(status(&output), 0);
    assert!(err(&output).contains("warning: [admin] address: 0.0.0.0:9090"), "{output:?}");
}

#[test]
fn explain_shows_verdict_and_masks() {
    let scratch = Scratch::new("explain", GOOD);
    let explain = |sql| scratch.run(&["explain", "--listen", "orders", "--user", "ana", sql]);
    let output = explain("SELECT card FROM public.customers");
    assert_eq!((status(&output), err(&output)), (0, ""));
    assert!(out(&output).contains("card: masked by \"cards\" (keep_last 4)"), "{}", out(&output));
    let output = explain("DROP TABLE customers");
    assert_eq!(status(&output), 0, "to be told of a refusal is no failure");
    assert!(out(&output).contains("deny: no destructive DDL"), "{}", out(&output));
    let output = scratch.run(&["explain", "--listen", "nope", "--user", "ana", "SELECT 1"]);
    assert_eq!(status(&output), 2);
    assert!(err(&output).contains("no listener \"nope\"; it has: orders"), "{output:?}");
}

#[test]
fn passwd_makes_a_verifier_that_check_accepts() {
    let passwd = |input: &[u8]| {
        let mut child = wiregate()
            .arg("passwd")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = passwd(b"s3cret\n");
    assert_eq!((status(&output), err(&output)), (0, ""));
    let verifier = out(&output).trim_end();
    assert!(verifier.starts_with("SCRAM-SHA-256$4096:") && !verifier.contains("s3cret"));
    let users = format!(
        "auth = \"gateway\"\nupstream_user = \"app\"\n[[user]]\nname = \"bob\"\npassword = {{ scram = \"{verifier}\" }}\n[[user]]"
    );
    let scratch = Scratch::new("passwd", &GOOD.replace("[[user]]", &users));
    let output = scratch.run(&["check"]);
    assert_eq!(status(&output), 0, "{output:?}");
    for bad in [&b""[..], b"\n", b"two\nlines\n", b"\xff\n"] {
        let output = passwd(bad);
        assert_eq!((status(&output), out(&output)), (1, ""), "{bad:?}");
    }
}
