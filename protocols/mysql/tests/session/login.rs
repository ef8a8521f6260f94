//! COM_CHANGE_USER, where the server checks the client and where the gateway does, and COM_RESET_CONNECTION.

use std::rc::Rc;

use mysql::auth::client::{Claim, Known};
use mysql::auth::gatekeeper::{Credentials, Gatekeeper};
use mysql::auth::sha2::{FastVerifier, Stored};
use mysql::auth::{native, sha2};
use wire::secret::Secret;
use zeroize::Zeroizing;

use crate::messages::{S, c, packet};
use crate::simulation::{Dialect, Simulation, contains};

fn change(user: &str) -> Vec<u8> {
    change_by(user, "mysql_native_password")
}

pub(crate) fn change_by(user: &str, plugin: &str) -> Vec<u8> {
    let body = [user.as_bytes(), b"\0\x02hishop\0\x2d\0", plugin.as_bytes(), b"\0"].concat();
    c::command(0x11, &body)
}

pub(crate) const CHALLENGE: &[u8; 20] = b"our own challenge...";
const SERVERS: &[u8; 20] = b"the server's own one";

/// Knows one user, whose password is `pw`, and logs in as `app`.
pub(crate) struct Keeper;

impl Gatekeeper for Keeper {
    fn challenge(&self) -> [u8; 20] {
        *CHALLENGE
    }

    fn claim(&self, user: &[u8], secure: bool) -> Claim {
        let known = match user {
            b"allowed" => Known::Stored(Stored::Plain(Secret::new(*b"pw"))),
            _ => Known::Elsewhere,
        };
        Claim { known, fast: None, secure, key: Some(b"PEM"[..].into()) }
    }

    fn fits(&self, user: &[u8], password: &Secret) -> bool {
        user == b"allowed elsewhere" && password.expose() == b"pw"
    }

    fn remember(&self, _: &[u8], _: FastVerifier) {}

    fn decrypt(&self, cipher: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        (cipher == b"cipher").then(|| sha2::obfuscated(b"pw", CHALLENGE))
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials { user: b"app"[..].into(), password: Secret::new(*b"app's") })
    }

    fn encrypt(&self, key: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        Some([key, plain].concat())
    }
}

fn checked() -> Simulation {
    Simulation::new().checked_by(Rc::new(Keeper))
}

pub(crate) fn switch(seq: u8, plugin: &str, challenge: &[u8]) -> Vec<u8> {
    packet(seq, &[b"\xfe", plugin.as_bytes(), b"\0", challenge, b"\0"].concat())
}

/// What the server gets from our own account.
fn entering() -> Vec<u8> {
    c::command(0x11, b"app\0\0shop\0\x2d\0undecided\0")
}

#[test]
fn the_gateway_checks_another_user_and_changes_the_server_with_its_own_account() {
    let mut sim = checked();
    sim.passes(&[c::prepare("SELECT 1")], &[S::new(true).prepared(1, &[], 0)]);
    // What is sent behind it waits; the answer that it brings along is not looked at.
    assert_eq!(sim.c(&[change("allowed")]), b"");
    assert_eq!(std::mem::take(&mut sim.to_client), switch(1, "mysql_native_password", CHALLENGE));
    assert!(!sim.session.client_blocked());
    assert_eq!(sim.c(&[packet(2, &native::answer(b"pw", CHALLENGE)), c::query("SELECT 2")]), entering());
    assert!(sim.to_client.is_empty() && sim.session.client_blocked());
    assert_eq!(sim.s(&[switch(1, "mysql_native_password", SERVERS)]), b"");
    assert_eq!(std::mem::take(&mut sim.to_server), packet(2, &native::answer(b"app's", SERVERS)));
    assert_eq!(sim.s(&[packet(3, b"\0\0\0\x02\0\0\0")]), packet(3, b"\0\0\0\x02\0\0\0"));
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("SELECT 2"));
    let log = sim.guard.log.join("\n");
    assert!(log.find("reset") < log.find("changed allowed shop"), "{log}");
    assert!(log.find("changed allowed shop") < log.find("judge SELECT 2"), "{log}");
    sim.s(&[S::new(true).ok(0, 0)]);
    assert_eq!(sim.c(&[c::execute(1, 0, b"")]), b"");
    assert!(contains(&sim.to_client, b"Unknown prepared statement"));
}

#[test]
fn the_two_legs_of_a_change_count_apart() {
    let mut sim = checked();
    sim.c(&[change_by("allowed elsewhere", "caching_sha2_password")]);
    assert_eq!(std::mem::take(&mut sim.to_client), switch(1, "caching_sha2_password", CHALLENGE));
    sim.c(&[packet(2, &sha2::answer(b"pw", CHALLENGE))]);
    assert_eq!(std::mem::take(&mut sim.to_client), packet(3, b"\x01\x04"));
    sim.c(&[packet(4, b"\x02")]);
    assert_eq!(std::mem::take(&mut sim.to_client), packet(5, b"\x01PEM"));
    assert_eq!(sim.c(&[packet(6, b"cipher")]), entering());
    sim.s(&[switch(1, "caching_sha2_password", SERVERS)]);
    assert_eq!(std::mem::take(&mut sim.to_server), packet(2, &sha2::answer(b"app's", SERVERS)));
    sim.s(&[packet(3, b"\x01\x04")]);
    assert_eq!(std::mem::take(&mut sim.to_server), packet(4, b"\x02"));
    sim.s(&[packet(5, b"\x01key ")]);
    let sealed = [&b"key "[..], &sha2::obfuscated(b"app's", SERVERS)].concat();
    assert_eq!(std::mem::take(&mut sim.to_server), packet(6, &sealed));
    assert_eq!(sim.s(&[packet(7, b"\0\0\0\x02\0\0\0")]), packet(7, b"\0\0\0\x02\0\0\0"));
    // The next command begins anew.
    sim.passes(&[c::query("SELECT 1")], &[S::new(true).ok(0, 0)]);
}

#[test]
fn a_wrong_password_ends_the_session_as_at_login() {
    for (user, plugin, answer) in [
        ("allowed", "mysql_native_password", native::answer(b"no", CHALLENGE)),
        ("allowed", "mysql_native_password", native::answer(b"pw", SERVERS)),
        ("allowed elsewhere", "caching_sha2_password", Vec::new()),
        ("allowed nobody", "caching_sha2_password", Vec::new()),
    ] {
        let mut sim = checked();
        sim.c(&[change_by(user, plugin)]);
        sim.to_client.clear();
        let fault = sim.c_fault(&[packet(2, &answer)]);
        assert_eq!(fault.reason, "login_failed");
        assert!(contains(&sim.to_client, b"\x03\xff\x15\x04#28000Access denied"), "{user}");
        assert!(sim.to_server.is_empty() && sim.session.server_said_goodbye());
        assert_eq!(sim.guard.log.last().unwrap(), "not changed login_failed 1045 28000");
    }
}

#[test]
fn a_server_that_refuses_our_account_ends_the_session_and_tells_what_concerns_the_client() {
    for (said, heard) in [
        (&b"\xff\x19\x04#42000Unknown database 'shop'"[..], &b"\xff\x19\x04#42000Unknown database 'shop'"[..]),
        (b"\xff\x15\x04#28000Access denied for user 'app'", b"\xff\x13\x04#08S01the gateway could not log in"),
    ] {
        let mut sim = checked();
        sim.c(&[change("allowed"), packet(2, &native::answer(b"pw", CHALLENGE))]);
        sim.to_client.clear();
        assert_eq!(sim.s_fault(&[packet(1, said)]).reason, "upstream_login");
        assert!(contains(&sim.to_client, heard) && !contains(&sim.to_client, b"app"));
        assert!(sim.session.server_said_goodbye());
    }
}

#[test]
fn a_server_that_stops_while_a_user_is_checked_is_heard() {
    let mut sim = checked();
    sim.c(&[change("allowed")]);
    sim.to_client.clear();
    let stops = [b"\xff\x1d\x04", &b"#08S01Server shutdown in progress"[..]].concat();
    assert_eq!(sim.s(&[packet(0, &stops)]), packet(2, &stops));
    assert!(sim.session.server_said_goodbye());
}

#[test]
fn another_user_logs_in_through_the_server() {
    let mut sim = Simulation::new();
    sim.passes(&[c::prepare("SELECT 1")], &[S::new(true).prepared(1, &[], 0)]);
    let message = change("allowed");
    assert_eq!(sim.c(&[message.clone(), c::query("ahead")]), message);
    assert!(sim.session.client_blocked());
    sim.to_server.clear();
    let mut sim = Simulation::new();
    assert_eq!(sim.c(std::slice::from_ref(&message)), message);
    let switch = packet(1, b"\xfemysql_native_password\0abcdefghijklmnopqrst\0");
    assert_eq!(sim.s(std::slice::from_ref(&switch)), switch);
    let answer = packet(2, &[7; 20]);
    assert_eq!(sim.c(std::slice::from_ref(&answer)), answer);
    assert!(sim.session.client_blocked());
    let ok = packet(3, b"\0\0\0\x02\0\0\0");
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert!(sim.guard.log.contains(&"changed allowed shop".to_owned()));
    assert!(sim.session.is_idle());
    sim.passes(&[c::query("SELECT 1")], &[S::new(true).ok(0, 0)]);
}

#[test]
fn it_waits_for_the_replies_before_it() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[c::query("SELECT 1"), change("allowed")]), c::query("SELECT 1"));
    let ok = S::new(true).ok(0, 0);
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert_eq!(sim.to_server, change("allowed"));
}

#[test]
fn a_refused_change_leaves_the_user() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[change("other")]), b"");
    assert!(contains(&sim.to_client, b"rule no-drop"));
    assert!(sim.session.is_idle());
}

#[test]
fn a_failed_change_ends_the_connection_at_the_server() {
    let mut sim = Simulation::new();
    sim.c(&[change("allowed")]);
    let err = packet(1, b"\xff\x15\x04#28000Access denied");
    assert_eq!(sim.s(std::slice::from_ref(&err)), err);
    assert!(sim.session.server_said_goodbye());
    assert_eq!(sim.guard.log.last().unwrap(), "not changed server_refused 1045 28000");
}

#[test]
fn a_server_that_goes_on_after_a_failed_change_has_reset_the_session() {
    let mut sim = Simulation::new();
    sim.guard.asks_settings = true;
    sim.passes(&[c::prepare("SELECT 1")], &[S::new(true).prepared(1, &[], 0)]);
    sim.c(&[change("allowed"), c::query("SELECT 2")]);
    sim.s(&[packet(1, b"\xff\x15\x04#28000Access denied")]);
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("settings"));
    let mut s = S::new(true);
    sim.s(&[s.texts(&["mode"]), s.row(&[Some(b"ANSI")]), s.end(0)]);
    assert!(!sim.session.server_said_goodbye());
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("SELECT 2"));
    assert!(!sim.guard.log.iter().any(|line| line.starts_with("changed")));
    sim.s(&[S::new(true).ok(0, 0)]);
    assert_eq!(sim.c(&[c::execute(1, 0, b"")]), b"");
}

#[test]
fn a_password_does_not_leave_tls() {
    let mut sim = Simulation::speaking(Dialect { client_secure: true, ..Dialect::default() });
    sim.c(&[change("allowed")]);
    let fault = sim.s_fault(&[packet(1, b"\xfemysql_clear_password\0\0")]);
    assert_eq!(fault.reason, "authentication_needs_upstream_tls");
}

#[test]
fn what_follows_a_reset_waits_until_its_settings_are_known() {
    let mut sim = Simulation::new();
    sim.guard.asks_settings = true;
    let reset = c::command(0x1f, b"");
    assert_eq!(sim.c(&[c::query("SELECT 1"), reset.clone(), c::query("SELECT 2")]), c::query("SELECT 1"));
    sim.to_server.clear();
    let ok = S::new(true).ok(0, 0);
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert_eq!(std::mem::take(&mut sim.to_server), reset);
    assert!(sim.session.client_blocked());
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("settings"));
    let mut s = S::new(true);
    assert_eq!(sim.s(&[s.texts(&["mode"]), s.row(&[Some(b"ANSI")]), s.end(0)]), b"");
    assert!(sim.guard.log.contains(&"settings 0 [Some(\"ANSI\")]".to_owned()));
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("SELECT 2"));
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert!(sim.session.is_idle());
}

#[test]
fn a_reset_that_fails_holds_nothing_up() {
    let mut sim = Simulation::new();
    sim.guard.asks_settings = true;
    sim.c(&[c::command(0x1f, b"")]);
    sim.s(&[packet(1, b"\xff\x17\x04#08S01Unknown command")]);
    assert!(!sim.session.client_blocked());
    sim.passes(&[c::query("SELECT 1")], &[S::new(true).ok(0, 0)]);
}

#[test]
fn what_follows_a_statement_that_unsettles_waits_until_the_settings_are_known() {
    let mut sim = Simulation::new();
    sim.guard.asks_settings = true;
    let (ok, set) = (S::new(true).ok(0, 0), c::query("UNSETTLE"));
    // It runs alone: nothing before it is on its way, nothing behind it is read.
    assert_eq!(sim.c(&[c::query("SELECT 1"), set.clone(), c::query("SELECT 2"), c::ping()]), c::query("SELECT 1"));
    sim.to_server.clear();
    for reply in [&ok, &S::new(true).err(1193, "unknown variable")] {
        sim.s(std::slice::from_ref(&ok));
        assert_eq!(std::mem::take(&mut sim.to_server), set);
        // Where it fails it may have set some.
        assert_eq!(&sim.s(std::slice::from_ref(reply)), reply);
        assert_eq!(std::mem::take(&mut sim.to_server), c::query("settings"));
        assert_eq!(sim.guard.log.last().map(String::as_str), Some("in doubt"));
        let mut s = S::new(true);
        assert_eq!(sim.s(&[s.texts(&["mode"]), s.row(&[Some(b"ANSI")]), s.end(0)]), b"");
        assert_eq!(std::mem::take(&mut sim.to_server), [c::query("SELECT 2"), c::ping()].concat());
        assert_eq!(sim.s(&[ok.clone(), ok.clone()]), [ok.clone(), ok.clone()].concat());
        assert!(sim.session.is_idle());
        assert_eq!(sim.c(&[c::query("SELECT 3"), set.clone(), c::query("SELECT 2"), c::ping()]), c::query("SELECT 3"));
        sim.to_server.clear();
    }
}

#[test]
fn a_prepared_statement_that_unsettles_runs_alone_too() {
    let mut sim = Simulation::new();
    sim.guard.asks_settings = true;
    sim.passes(&[c::prepare("UNSETTLE ?")], &[S::new(true).prepared(1, &[], 0)]);
    let execute = c::execute(1, 0, b"");
    assert_eq!(sim.c(&[execute.clone(), c::query("SELECT 2")]), execute);
    sim.to_server.clear();
    sim.s(&[S::new(true).ok(0, 0)]);
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("settings"));
}
