//! COM_CHANGE_USER, where the server checks the client, and COM_RESET_CONNECTION.

use crate::messages::{S, c, packet};
use crate::simulation::{Dialect, Simulation, contains};

fn change(user: &str) -> Vec<u8> {
    c::command(0x11, &[user.as_bytes(), b"\0\x02hishop\0\x2d\0mysql_native_password\0"].concat())
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
