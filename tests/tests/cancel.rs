//! CancelRequest reaches the client's own statement, and no other.

use integration::gateway::{Gateway, Setup};
use integration::raw::message::{cancel_request, query, startup};
use integration::raw::{Client, transcript};
use integration::servers::{Endpoint, Server};
use integration::{or_skip, program};
use std::thread;
use std::time::{Duration, Instant};

/// Sends a cancellation on a connection of its own and waits until the gateway has closed it.
fn cancel(endpoint: &Endpoint, key: &[u8]) {
    let mut client = Client::connect(endpoint).expect("connect");
    client.send(&cancel_request(key)).expect("send");
    assert!(client.frame().is_none(), "a cancellation is answered by closing");
}

/// Starts a statement that sleeps, and waits until the server runs it.
fn sleeping(server: &Server, endpoint: &Endpoint, seconds: u32, mark: &str) -> Client {
    let mut client = Client::login(endpoint);
    let sql = format!("SELECT pg_sleep({seconds}), '{mark}'");
    client.send(&query(&sql)).expect("send");
    let running = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(%{mark}%'"
    );
    program::eventually("the statement runs", Duration::from_secs(10), || {
        (server.admin("postgres", &running) != "0").then_some(())
    });
    client
}

fn only_the_own_statement_is_cancelled(server: &Server, gateway: &Gateway, tls: bool) {
    let endpoint = gateway.endpoint("trust_user", tls);
    let mark = format!("cancel_{}_{tls}", std::process::id());
    let mut mine = sleeping(server, &endpoint, 30, &format!("{mark}_mine"));
    let mut other = sleeping(server, &endpoint, 4, &format!("{mark}_other"));
    assert_ne!(mine.key, other.key);
    let began = Instant::now();
    cancel(&endpoint, &mine.key);
    let said = transcript(&mine.until(b'Z', 1));
    assert!(said.contains("E 57014") && said.ends_with("Z I\n"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    assert!(transcript(&mine.query("SELECT 'usable'")).contains("D usable"));
    let said = transcript(&other.until(b'Z', 1));
    assert!(said.contains("C SELECT 1"), "another session was cancelled: {said}");
}

#[test]
fn over_plain_connections() {
    let server = or_skip!(Server::find("pg15"));
    only_the_own_statement_is_cancelled(&server, &Setup::before(&server).start(), false);
}

#[test]
fn over_tls() {
    let server = or_skip!(Server::find("pg15"));
    only_the_own_statement_is_cancelled(&server, &Setup::before(&server).tls_offered().start(), true);
}

#[test]
fn over_tls_on_both_legs_to_pg18() {
    let server = or_skip!(Server::find("pg18"));
    let gateway = Setup::before(&server).tls_required().upstream_tls("verify-full").start();
    only_the_own_statement_is_cancelled(&server, &gateway, true);
}

#[test]
fn a_session_with_tls_is_cancelled_over_plain() {
    // What libpq before version 17 does.
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).tls_offered().start();
    let mark = format!("mixed_{}", std::process::id());
    let mut mine = sleeping(&server, &gateway.endpoint("trust_user", true), 30, &mark);
    cancel(&gateway.endpoint("trust_user", false), &mine.key);
    assert!(transcript(&mine.until(b'Z', 1)).contains("E 57014"));
}

#[test]
fn a_wrong_stale_or_short_key_cancels_nothing() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).start();
    let endpoint = gateway.endpoint("trust_user", false);
    let gone = Client::login(&endpoint);
    let stale = gone.key.clone();
    drop(gone);
    let mark = format!("keys_{}", std::process::id());
    let mut mine = sleeping(&server, &endpoint, 3, &mark);
    let mut wrong = mine.key.clone();
    *wrong.last_mut().expect("a key") ^= 1;
    for key in [wrong.as_slice(), stale.as_slice(), &mine.key[..4], &[0; 8], &[0xff; 260]] {
        let mut client = Client::connect(&endpoint).expect("connect");
        client.send(&cancel_request(key)).expect("send");
        // A packet that cannot be a cancellation may be called so; of a key nobody is told whether it was right.
        let said = client.frame();
        assert!(said.is_none() || key.len() < 8, "{said:?}");
    }
    let said = transcript(&mine.until(b'Z', 1));
    assert!(said.contains("C SELECT 1"), "{said}");
}

#[test]
fn from_any_core() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).cores("[0, 1]").start();
    let endpoint = gateway.endpoint("trust_user", false);
    // Which core accepts a connection is the kernel's choice: many make sure that all pairs occur.
    thread::scope(|scope| {
        for number in 0..12 {
            let (server, endpoint) = (&server, &endpoint);
            scope.spawn(move || {
                let mark = format!("core_{}_{number}_", std::process::id());
                let mut mine = sleeping(server, endpoint, 30, &mark);
                cancel(endpoint, &mine.key);
                let said = transcript(&mine.until(b'Z', 1));
                assert!(said.contains("E 57014"), "{said}");
            });
        }
    });
}

#[test]
fn keys_of_protocol_3_2_are_longer_and_work() {
    let server = or_skip!(Server::find("pg18"));
    let gateway = Setup::before(&server).start();
    let endpoint = gateway.endpoint("trust_user", false);
    let mut client = Client::socket(endpoint.port).expect("connect");
    client.send(&startup(0x0003_0002, &[("user", "trust_user"), ("database", "shop")])).expect("send");
    let frames = client.until(b'Z', 1);
    let key = frames.iter().find(|frame| frame.tag == b'K').expect("BackendKeyData").body.clone();
    assert!(!frames.iter().any(|frame| frame.tag == b'v'), "3.2 was not accepted:\n{}", transcript(&frames));
    assert!(key.len() > 8 && key.len() <= 260, "{} bytes", key.len());
    client.send(&query("SELECT pg_sleep(30)")).expect("send");
    thread::sleep(Duration::from_millis(300));
    cancel(&endpoint, &key);
    assert!(transcript(&client.until(b'Z', 1)).contains("E 57014"));
}
