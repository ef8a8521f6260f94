//! Starting, stopping, reloading, and the limits of a whole gateway.

use integration::gateway::{self, Gateway, Setup};
use integration::raw::message::{bind, execute, parse, query, sync};
use integration::raw::{Client, transcript};
use integration::servers::Server;
use integration::small_disk::{SmallDisk, assert_all_counted, long_statement};
use integration::{audit, masked, or_skip, program};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

fn strict_policy() -> String {
    masked::POLICY.replace("except_groups = [\"dba\"]\n", "")
}

#[test]
fn sigterm_lets_statements_end_tells_idle_clients_and_exits_0() {
    let server = or_skip!(Server::find("pg15"));
    let mut gateway = Setup::before(&server).start();
    let endpoint = gateway.endpoint("trust_user", false);
    let mut idle = Client::login(&endpoint);
    let mut running = Client::login(&endpoint);
    let mut in_transaction = Client::login(&endpoint);
    in_transaction.query("BEGIN");
    running.send(&query("SELECT pg_sleep(2), 'ran to its end'")).expect("send");
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    gateway.signal("TERM");
    let said = transcript(&idle.until(b'Z', 1));
    assert!(said.starts_with("E 57P01"), "{said}");
    assert!(began.elapsed() < Duration::from_millis(1500), "an idle client waited {:?}", began.elapsed());
    let said = transcript(&running.until(b'Z', 1));
    assert!(said.contains("D |ran to its end") && said.ends_with("Z I\n"), "{said}");
    assert!(transcript(&running.until(b'Z', 1)).starts_with("E 57P01"));
    let refused =
        Client::socket(gateway.port).map(|mut client| client.start(&[("user", "trust_user"), ("database", "shop")]));
    assert!(!refused.is_ok_and(|frames| frames.iter().any(|frame| frame.tag == b'Z')), "let in while stopping");
    drop(in_transaction);
    assert_eq!(gateway.wait(Duration::from_secs(40)), Some(0), "{}", gateway.log());
}

#[test]
fn the_limit_of_clients_is_answered_with_53300() {
    let server = or_skip!(Server::find("pg15"));
    for (gateway_lines, listen_lines) in [("max_clients = 5", ""), ("", "max_clients = 5")] {
        let gateway = Setup::before(&server).gateway_lines(gateway_lines).listen_lines(listen_lines).start();
        let endpoint = gateway.endpoint("trust_user", false);
        let mut clients: Vec<Client> = (0..5).map(|_| Client::login(&endpoint)).collect();
        for _ in 0..3 {
            let mut sixth = Client::socket(gateway.port).expect("connect");
            let said = transcript(&sixth.start(&[("user", "trust_user"), ("database", "shop")]));
            assert!(said.starts_with("E 53300"), "{said}");
        }
        assert!(transcript(&clients[0].query("SELECT 1")).contains("D 1"));
        let refused = gateway.record("the sixth", |record| record["event"] == "refused");
        assert_eq!(refused["sqlstate"], "53300", "{refused}");
        clients.pop();
        program::eventually("a place is free again", Duration::from_secs(5), || {
            let mut client = Client::socket(gateway.port).ok()?;
            client
                .start(&[("user", "trust_user"), ("database", "shop")])
                .last()
                .filter(|frame| frame.tag == b'Z')
                .map(|_| ())
        });
    }
}

fn may_drop(client: &mut Client) -> bool {
    !transcript(&client.query("DROP TABLE IF EXISTS not_there")).contains("E 42501")
}

#[test]
fn sighup_and_a_changed_file_load_the_config_between_statements() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).policy("").start();
    let endpoint = gateway.endpoint("trust_user", false);
    let mut client = Client::login(&endpoint);
    client.ask(&[parse("prepared", "DROP TABLE IF EXISTS not_there"), sync()].concat());
    assert!(may_drop(&mut client));
    gateway.rewrite_config(|setup| setup.policy(&strict_policy()));
    gateway.signal("HUP");
    program::eventually("the new rules hold for a session that is open", Duration::from_secs(10), || {
        (!may_drop(&mut client)).then_some(())
    });
    let said = transcript(&client.ask(&[bind("", "prepared", &[], 0), execute("", 0), sync()].concat()));
    assert!(said.starts_with("E 42501") && said.ends_with("Z I\n"), "prepared before the rule: {said}");
    let rows = transcript(&client.query("SELECT card FROM customers WHERE id = 1"));
    assert!(rows.contains("D 4***-****-****-1111"), "{rows}");
    let record = gateway.record("the reload", |record| record["event"] == "reload" && record["loaded"] == true);
    assert!(record["generation"].as_u64().is_some_and(|generation| generation > 0), "{record}");
    // Without a signal: the file is watched.
    gateway.rewrite_config(|setup| setup.policy(""));
    program::eventually("the file is seen", Duration::from_secs(15), || may_drop(&mut client).then_some(()));
}

#[test]
fn a_config_that_does_not_check_leaves_the_running_one_in_place() {
    let server = or_skip!(Server::find("pg15"));
    let mut gateway = Setup::before(&server).policy(&strict_policy()).start();
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    let good = fs::read_to_string(gateway.config_path()).expect("read the config");
    for bad in [
        good.replace("[[deny]]", "[[denny]]"),
        good.replace("\"drop\"", "\"dorp\""),
        good.replace("protocol = \"postgres\"", "protocol = \"oracle\""),
        "not = [toml".to_owned(),
        String::new(),
    ] {
        let before = gateway.records().len();
        gateway.write_config(&bad);
        gateway.signal("HUP");
        let record = program::eventually("the reload is refused", Duration::from_secs(10), || {
            let records = gateway.records();
            records
                .get(before..)?
                .iter()
                .find(|record| record["event"] == "reload" && record["loaded"] == false)
                .cloned()
        });
        assert!(record["problems"].as_array().is_some_and(|problems| !problems.is_empty()), "{record}");
        assert!(!may_drop(&mut client), "the old rules are gone");
    }
    assert!(gateway.is_running());
}

#[test]
fn certificates_are_reloaded_without_a_restart() {
    let server = or_skip!(Server::find("pg15"));
    let files = gateway::private_dir();
    let install = |from: &str| {
        for end in ["crt", "key"] {
            let source = server.tls_dir.join(format!("{from}.{end}"));
            fs::copy(source, files.join(format!("gateway.{end}.new"))).expect("copy");
            fs::rename(files.join(format!("gateway.{end}.new")), files.join(format!("gateway.{end}"))).expect("rename");
        }
    };
    fs::copy(server.tls_dir.join("ca.crt"), files.join("ca.crt")).expect("copy");
    install("gateway");
    let gateway = Setup::before_address(&format!("127.0.0.1:{}", server.port), &files).tls_required().start();
    let endpoint = gateway.endpoint("trust_user", true);
    let certificate = || {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-starttls", "postgres", "-connect", &format!("127.0.0.1:{}", gateway.port)]);
        let seen = program::run_with_input(&mut command, "", Duration::from_secs(10)).stdout;
        seen.lines().find(|line| line.contains("subject")).unwrap_or_default().to_owned()
    };
    assert!(certificate().ends_with("gateway"), "{}", certificate());
    let mut open = Client::login(&endpoint);
    install("gateway-2");
    gateway.signal("HUP");
    program::eventually("the new certificate is shown", Duration::from_secs(10), || {
        certificate().ends_with("gateway-2").then_some(())
    });
    assert!(transcript(&open.query("SELECT 'still here'")).contains("D still here"));
    let _ = Client::login(&endpoint);
    // A pair that does not fit leaves the good one in place.
    fs::copy(server.tls_dir.join("gateway.key"), files.join("gateway.key")).expect("copy");
    gateway.signal("HUP");
    thread::sleep(Duration::from_millis(500));
    assert!(certificate().ends_with("gateway-2"), "{}", certificate());
    let _ = fs::remove_dir_all(files);
}

#[test]
fn a_change_that_needs_a_restart_is_refused_and_says_so() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    gateway.rewrite_config(|setup| setup.listen_lines("max_clients = 7").gateway_auth());
    gateway.signal("HUP");
    let record = gateway.record("the reload", |record| record["event"] == "reload" && record["loaded"] == false);
    assert!(record.to_string().contains("needs a restart"), "{record}");
    assert!(may_drop(&mut Client::login(&gateway.endpoint("trust_user", false))));
}

#[test]
fn idle_clients_are_told_and_closed_after_the_idle_timeout() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).gateway_lines("idle_timeout = \"1s\"").start();
    let endpoint = gateway.endpoint("trust_user", false);
    let mut idle = Client::login(&endpoint);
    let mut busy = Client::login(&endpoint);
    busy.send(&query("SELECT pg_sleep(3)")).expect("send");
    let began = Instant::now();
    let said = transcript(&idle.until(b'Z', 1));
    assert!(said.starts_with("E 57P0"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(4), "after {:?}", began.elapsed());
    assert!(transcript(&busy.until(b'Z', 1)).ends_with("Z I\n"), "a running statement is not idle");
}

/// A gateway whose audit log lies on a disk that is full, and a client of it.
fn on_a_full_disk(server: &Server, disk: &SmallDisk, on_failure: &str) -> (Gateway, Client) {
    let gateway = disk.gateway_before(server, on_failure);
    let client = Client::login(&gateway.endpoint("trust_user", false));
    disk.fill();
    (gateway, client)
}

#[test]
fn statements_are_refused_while_the_audit_log_cannot_be_written() {
    let server = or_skip!(Server::find("pg15"));
    let disk = or_skip!(SmallDisk::mount());
    let (gateway, mut client) = on_a_full_disk(&server, &disk, "refuse");
    let said = program::eventually("statements are refused", Duration::from_secs(20), || {
        let said = transcript(&client.query(&long_statement()));
        said.starts_with("E ").then_some(said)
    });
    assert!(said.to_lowercase().contains("audit") && said.ends_with("Z I\n"), "{said}");
    disk.free();
    program::eventually("statements run again", Duration::from_secs(20), || {
        transcript(&client.query("SELECT 'recorded again'")).contains("D recorded again").then_some(())
    });
    let recorded =
        |record: &Value| audit::is_statement(record, "SELECT 'recorded again'") && record["verdict"] == "allow";
    let _ = gateway.record("the next statement", recorded);
}

#[test]
fn statements_run_unrecorded_where_the_config_says_so() {
    let server = or_skip!(Server::find("pg15"));
    let disk = or_skip!(SmallDisk::mount());
    let (gateway, mut client) = on_a_full_disk(&server, &disk, "continue");
    // More than the log holds back while it waits for the disk (16 MiB).
    for _ in 0..1500 {
        let said = transcript(&client.query(&long_statement()));
        assert!(said.contains("D 16384"), "{said}");
    }
    disk.free();
    assert_all_counted(&gateway, 1500);
}

#[test]
fn health_and_metrics_are_there() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).policy(&strict_policy()).start();
    assert_eq!(gateway.admin("/healthz").0, 200);
    assert_eq!(gateway.admin("/readyz").0, 200);
    let mut client = Client::login(&gateway.endpoint("trust_user", false));
    client.query("SELECT card FROM customers WHERE id <= 5");
    client.query("DROP TABLE old_carts");
    let (status, body) = gateway.admin("/metrics");
    assert_eq!(status, 200);
    for line in body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(line.starts_with("wiregate_") || line.starts_with("process_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    for line in [
        "wiregate_sessions_open{listener=\"shop\"} 1",
        "wiregate_statements_total{listener=\"shop\",verdict=\"allow\"} 1",
        "wiregate_statements_total{listener=\"shop\",verdict=\"deny\"} 1",
        "wiregate_masked_cells_total{rule=\"cards\"} 5",
    ] {
        assert!(body.lines().any(|seen| seen == line), "no {line} in the metrics:\n{body}");
    }
}
