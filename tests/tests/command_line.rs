//! The `wiregate` command: what it says about configs, statements and passwords, and its exit status.

use integration::gateway::{Setup, command, private_dir};
use integration::program::{self, Finished};
use integration::servers::Server;
use integration::{masked, or_skip};
use std::fs;
use std::time::Duration;

fn run(arguments: &[&str]) -> Finished {
    program::run(&mut command(arguments), Duration::from_secs(20))
}

fn config(rules: &str) -> String {
    format!(
        "[audit]\npath = \"audit\"\n\n[[listen]]\nname = \"shop\"\nprotocol = \"postgres\"\n\
         address = \"127.0.0.1:6432\"\nupstream = \"127.0.0.1:5432\"\n\n\
         [[user]]\nname = \"ana\"\ngroups = [\"support\"]\n\n[[user]]\nname = \"dora\"\ngroups = [\"dba\"]\n{rules}"
    )
}

/// Writes a config of its own and checks it.
fn check(text: &str) -> Finished {
    let dir = private_dir();
    let path = dir.join("wiregate.toml");
    fs::write(&path, text).expect("write the config");
    let checked = run(&["check", "--config", path.to_str().expect("a plain path")]);
    let _ = fs::remove_dir_all(dir);
    checked
}

#[test]
fn check_accepts_the_shop() {
    let checked = check(&config(masked::POLICY));
    assert_eq!(checked.status, Some(0), "{}", checked.everything());
}

#[test]
fn check_names_file_line_and_column_of_what_is_wrong() {
    for (what, text) in [
        ("an unknown key", config("[[deny]]\nname = \"x\"\nstatments = [\"drop\"]\n")),
        ("an unknown section", config("[[denny]]\nname = \"x\"\n")),
        ("an unknown statement kind", config("[[deny]]\nname = \"x\"\nstatements = [\"dorp\"]\n")),
        ("an unknown method", config("[[mask]]\nname = \"x\"\ncolumns = [\"a.b.c\"]\nmethod = \"hide\"\n")),
        ("an unknown detector", config("[[mask]]\nname = \"x\"\ndetect = [\"emails\"]\n")),
        ("a wrong type", config("[[deny]]\nname = 7\nstatements = [\"drop\"]\n")),
        (
            "a rule for a listener that is not there",
            config("[[deny]]\nname = \"x\"\nstatements = [\"drop\"]\nlisteners = [\"orders\"]\n"),
        ),
        (
            "a group that nobody is in",
            config("[[deny]]\nname = \"x\"\nstatements = [\"drop\"]\ngroups = [\"nobody\"]\n"),
        ),
        (
            "two rules of one name",
            config(
                "[[deny]]\nname = \"x\"\nstatements = [\"drop\"]\n[[deny]]\nname = \"x\"\nstatements = [\"truncate\"]\n",
            ),
        ),
        ("no listener", "[audit]\npath = \"audit\"\n".to_owned()),
        ("no TOML", "listen = [".to_owned()),
    ] {
        let checked = check(&text);
        assert_eq!(checked.status, Some(1), "{what}: {}", checked.everything());
        let placed = checked.stderr.lines().any(|line| {
            line.split_once("wiregate.toml:").is_some_and(|(_, rest)| {
                let mut numbers = rest.split(':');
                numbers.next().is_some_and(|line| line.parse::<u32>().is_ok())
                    && numbers.next().is_some_and(|column| column.trim().parse::<u32>().is_ok())
            })
        });
        assert!(placed, "{what}: no file:line:column in:\n{}", checked.stderr);
        assert!(checked.stdout.is_empty(), "{what}: errors go to standard error:\n{}", checked.stdout);
    }
}

#[test]
fn a_missing_file_is_an_error_and_wrong_use_another() {
    let missing = run(&["check", "--config", "/nowhere/wiregate.toml"]);
    assert_eq!(missing.status, Some(1), "{}", missing.everything());
    assert!(missing.stderr.contains("/nowhere/wiregate.toml"), "{}", missing.stderr);
    for arguments in [&["--frobnicate"][..], &["explain"], &["run", "--config"], &["dance"]] {
        let wrong = run(arguments);
        assert_eq!(wrong.status, Some(2), "{arguments:?}: {}", wrong.everything());
        assert!(!wrong.stderr.is_empty() && wrong.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in
        [&["--help"][..], &["run", "--help"], &["check", "--help"], &["explain", "--help"], &["passwd", "--help"]]
    {
        let help = run(arguments);
        assert_eq!(help.status, Some(0));
        assert!(help.stdout.contains("wiregate "), "{arguments:?} shows no example:\n{}", help.stdout);
    }
}

#[test]
fn explain_shows_verdict_rule_and_masks() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let path = gateway.config_path();
    let explain = |user: &str, sql: &str| {
        run(&["explain", "--config", path.to_str().expect("a plain path"), "--listen", "shop", "--user", user, sql])
    };
    let refused = explain("ana", "DROP TABLE customers");
    assert!(refused.stdout.contains("no destructive DDL"), "{}", refused.everything());
    let masked = explain("ana", "SELECT id, card FROM public.customers");
    assert!(masked.stdout.contains("cards") && masked.stdout.contains("customers"), "{}", masked.everything());
    let free = explain("dora", "DROP TABLE customers");
    assert!(!free.stdout.contains("no destructive DDL"), "{}", free.everything());
}

#[test]
fn passwd_makes_a_verifier_that_logs_in() {
    let server = or_skip!(Server::find("pg15"));
    let made =
        program::run_with_input(&mut command(&["passwd"]), "correct horse\n", Duration::from_secs(20)).expect_success();
    let verifier = made.stdout.lines().map(str::trim).find(|line| line.contains("SCRAM-SHA-256$")).expect("a verifier");
    let verifier = verifier.get(verifier.find("SCRAM-SHA-256$").unwrap_or(0)..).unwrap_or_default();
    assert!(!made.everything().contains("correct horse"), "the password is shown");
    let verifier = verifier.trim_end_matches(['"', '}', ' ']);
    let rules = format!(
        "[[user]]\nname = \"vera\"\ngroups = [\"dba\"]\npassword = {{ scram = \"{verifier}\" }}\n{}",
        masked::POLICY
    );
    let gateway = Setup::before(&server).gateway_auth().policy(&rules).start();
    for (password, right) in [("correct horse", true), ("wrong horse", false)] {
        let mut endpoint = gateway.endpoint("vera", false);
        endpoint.password = format!("'{password}'");
        let mut psql = server.program("psql");
        psql.args(["-X", "-A", "-t", "-d", &server.dsn(&endpoint), "-c", "SELECT current_user"]);
        let seen = program::run(&mut psql, Duration::from_secs(30));
        if right {
            assert_eq!(seen.expect_success().stdout.trim(), "app");
        } else {
            assert!(
                seen.status != Some(0) && seen.stderr.contains("password authentication failed"),
                "{}",
                seen.stderr
            );
        }
    }
}
