//! Who gets in: every way to authenticate on both sides, TLS modes of both legs, and what the refused are told.

use integration::gateway::{Gateway, Setup};
use integration::program::{self, Finished};
use integration::raw::message::startup;
use integration::raw::{Client, transcript};
use integration::servers::{Endpoint, Server};
use integration::{gateway, or_skip};
use std::process::Command;
use std::time::{Duration, Instant};

/// Logs in with psql and asks who it is and whether the server's leg has TLS.
fn log_in(server: &Server, endpoint: &Endpoint, more: &str) -> Finished {
    let mut psql = server.program("psql");
    let sql = "SELECT current_user, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())";
    psql.args(["-X", "-A", "-t", "-d", &format!("{} {more}", server.dsn(endpoint)), "-c", sql]);
    program::run(&mut psql, Duration::from_secs(30))
}

#[track_caller]
fn assert_in(server: &Server, endpoint: &Endpoint, more: &str, expected: &str) {
    assert_eq!(log_in(server, endpoint, more).expect_success().stdout.trim(), expected, "{} {more}", endpoint.user);
}

#[track_caller]
fn assert_out(server: &Server, endpoint: &Endpoint, more: &str, why: &str) {
    let seen = log_in(server, endpoint, more);
    assert!(seen.status != Some(0), "{} was let in", endpoint.user);
    assert!(seen.stderr.contains(why), "not {why:?} but: {}", seen.stderr);
}

#[track_caller]
fn assert_no_secrets(gateway: &Gateway) {
    let log = gateway.log();
    let audit: String = gateway.records().iter().map(|record| record.to_string() + "\n").collect();
    for secret in
        ["app-secret", "ana-secret", "dora-secret", "md5_user-secret", "password_user-secret", "SCRAM-SHA-256$"]
    {
        assert!(!log.contains(secret) && !audit.contains(secret), "{secret} stands in the log or the audit");
    }
}

fn passthrough(name: &str) {
    let server = or_skip!(Server::find(name));
    for (setup, tls) in [(Setup::before(&server), false), (Setup::before(&server).tls_offered(), true)] {
        let gateway = setup.start();
        for user in ["scram_user", "md5_user", "password_user", "trust_user", "ana"] {
            let endpoint = gateway.endpoint(user, tls);
            assert_in(&server, &endpoint, "", &format!("{user}|f"));
            if user != "trust_user" {
                let wrong = Endpoint { password: "wrong".into(), ..endpoint };
                assert_out(&server, &wrong, "", &format!("password authentication failed for user \"{user}\""));
                let _ = gateway
                    .record("the failed login", |record| record["event"] == "login_failed" && record["user"] == user);
            }
        }
        assert_out(&server, &gateway.endpoint("nobody", tls), "", "password authentication failed for user \"nobody\"");
        assert_out(
            &server,
            &gateway.endpoint("ana", tls).in_database("nowhere"),
            "",
            "database \"nowhere\" does not exist",
        );
        assert_no_secrets(&gateway);
    }
}

#[test]
fn passthrough_pg15() {
    passthrough("pg15");
}

#[test]
fn passthrough_pg18() {
    passthrough("pg18");
}

#[test]
fn passthrough_with_tls_on_the_servers_leg_only() {
    let server = or_skip!(Server::find("pg15"));
    for mode in ["prefer", "require", "verify-full"] {
        let gateway = Setup::before(&server).upstream_tls(mode).start();
        for user in ["md5_user", "password_user", "trust_user", "scram_user"] {
            assert_in(&server, &gateway.endpoint(user, false), "", &format!("{user}|t"));
        }
    }
}

#[test]
fn where_channel_binding_cannot_pass_the_client_is_told_what_to_configure() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).tls_required().upstream_tls("require").start();
    let seen = log_in(&server, &gateway.endpoint("scram_user", true), "");
    assert!(seen.status != Some(0), "{}", seen.stdout);
    assert!(seen.stderr.contains("auth = \"gateway\""), "it does not say what to configure: {}", seen.stderr);
    // What needs no channel binding works.
    assert_in(&server, &gateway.endpoint("md5_user", true), "", "md5_user|t");
}

fn gateway_auth(name: &str) {
    let server = or_skip!(Server::find(name));
    let plain = Setup::before(&server).gateway_auth().start();
    let tls = Setup::before(&server).gateway_auth().tls_required().upstream_tls("verify-full").start();
    for user in ["ana", "dora"] {
        assert_in(&server, &plain.endpoint(user, false), "", "app|f");
        assert_in(&server, &tls.endpoint(user, true), "", "app|t");
        assert_in(&server, &tls.endpoint(user, true), "channel_binding=require", "app|t");
        assert_in(&server, &tls.endpoint(user, true), "channel_binding=disable", "app|t");
    }
    assert_out(&server, &plain.endpoint("ana", false), "channel_binding=require", "channel binding");
    for (gateway, over_tls) in [(&plain, false), (&tls, true)] {
        let wrong = Endpoint { password: "wrong".into(), ..gateway.endpoint("ana", over_tls) };
        assert_out(&server, &wrong, "", "password authentication failed for user \"ana\"");
        assert_out(
            &server,
            &gateway.endpoint("nobody", over_tls),
            "",
            "password authentication failed for user \"nobody\"",
        );
        for user in ["ana", "nobody"] {
            let _ = gateway
                .record("the failed login", |record| record["event"] == "login_failed" && record["user"] == user);
        }
        assert_no_secrets(gateway);
    }
}

#[test]
fn gateway_auth_pg15() {
    gateway_auth("pg15");
}

#[test]
fn gateway_auth_pg18() {
    gateway_auth("pg18");
}

/// The frames of an exchange up to the server's first message of SCRAM, and how long it took.
fn first_answer(gateway: &Gateway, user: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut client = Client::socket(gateway.port).expect("connect");
    client.send(&startup(0x0003_0000, &[("user", user), ("database", "shop")])).expect("send");
    let offered = transcript(&client.until(b'R', 1));
    let first = b"n,,n=,r=rOprNGfwEbeRWgbNEkqO";
    let mut body = b"SCRAM-SHA-256\0".to_vec();
    body.extend(u32::try_from(first.len()).unwrap_or(0).to_be_bytes());
    body.extend(first);
    client.send(&integration::raw::message::framed(b'p', &body)).expect("send");
    let challenge = client.frame().map(|frame| String::from_utf8_lossy(&frame.body).into_owned()).unwrap_or_default();
    // Nonce and salt differ; names, lengths and the number of iterations must not.
    let shape: Vec<String> = challenge
        .split(',')
        .map(|part| match part.split_once('=') {
            Some((name, value)) if name.ends_with('i') => format!("{name}={value}"),
            Some((name, value)) => format!("{name}={}", value.len()),
            None => part.len().to_string(),
        })
        .collect();
    (format!("{offered}{}", shape.join(",")), began.elapsed())
}

#[test]
fn an_unknown_user_and_a_wrong_password_look_alike() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).gateway_auth().start();
    let (known, _) = first_answer(&gateway, "ana");
    let (unknown, _) = first_answer(&gateway, "nobody");
    assert_eq!(known, unknown);
    assert!(known.contains("r="), "no challenge came: {known}");
    let median = |user: &str| {
        let mut times: Vec<Duration> = (0..41).map(|_| first_answer(&gateway, user).1).collect();
        times.sort();
        times[20].as_secs_f64()
    };
    let (known, unknown) = (median("ana"), median("nobody"));
    assert!((known / unknown).max(unknown / known) < 3.0, "known {known}, unknown {unknown} seconds");
}

#[test]
fn the_servers_certificate_is_verified_where_the_config_says_so() {
    let server = or_skip!(Server::find("pg15"));
    let wrong_authority = gateway::private_dir();
    std::fs::copy(server.tls_dir.join("other-ca.crt"), wrong_authority.join("ca.crt")).expect("copy");
    let setup = Setup::before_address(&format!("127.0.0.1:{}", server.port), &wrong_authority);
    let refused = setup.upstream_tls("verify-full").start();
    let mut client = Client::socket(refused.port).expect("connect");
    let said = transcript(&client.start(&[("user", "trust_user"), ("database", "shop")]));
    assert!(said.starts_with("E 08"), "{said}");
    let plain = or_skip!(Server::find("pg15-plain"));
    for (mode, expected) in [("prefer", Some("trust_user|")), ("require", None), ("verify-full", None)] {
        let gateway = Setup::before(&plain).upstream_tls(mode).start();
        let seen = log_in(&plain, &gateway.endpoint("trust_user", false), "");
        match expected {
            Some(expected) => assert!(seen.expect_success().stdout.starts_with(expected)),
            None => assert!(seen.status != Some(0), "{mode} went on without TLS"),
        }
    }
    let _ = std::fs::remove_dir_all(wrong_authority);
}

#[test]
fn gateway_auth_before_a_server_that_wants_md5_or_cleartext() {
    let server = or_skip!(Server::find("pg15"));
    for (user, tls, works) in [
        ("md5_user", "disable", true),
        ("md5_user", "require", true),
        ("password_user", "require", true),
        ("password_user", "disable", false),
    ] {
        let gateway = Setup::before(&server).gateway_auth().upstream_tls(tls).upstream_user(user).start();
        let seen = log_in(&server, &gateway.endpoint("ana", false), "");
        if works {
            assert!(seen.expect_success().stdout.starts_with(user));
        } else {
            assert!(seen.status != Some(0), "the server's secret was sent in clear");
        }
        assert_no_secrets(&gateway);
    }
}

#[test]
fn a_gateway_without_its_secret_does_not_start() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).gateway_auth().start();
    let config = std::fs::read_to_string(gateway.config_path()).expect("read the config");
    let dir = gateway::private_dir();
    let path = dir.join("wiregate.toml");
    std::fs::write(
        &path,
        config
            .replace("TEST_APP_PASSWORD", "TEST_NO_SUCH_VARIABLE")
            .replace(&gateway.port.to_string(), &gateway::free_port().to_string()),
    )
    .expect("write");
    let mut command: Command = gateway::command(&["run", "--config"]);
    let seen = program::run(command.arg(&path), Duration::from_secs(10));
    assert_eq!(seen.status, Some(1), "{}", seen.everything());
    assert!(seen.stderr.contains("TEST_NO_SUCH_VARIABLE"), "{}", seen.stderr);
    let _ = std::fs::remove_dir_all(dir);
}
