//! Commands without SQL.

use crate::messages::{S, c, packet};
use crate::simulation::{Dialect, Simulation, contains, packets};

#[test]
fn commands_are_judged_as_the_statement_that_does_the_same() {
    for (message, sql) in [
        (c::command(0x02, b"sh`op"), "USE `sh``op`"),
        (c::command(0x05, b"d"), "CREATE DATABASE `d`"),
        (c::command(0x06, b"d"), "DROP DATABASE `d`"),
        (c::command(0x07, b"\x05"), "FLUSH PRIVILEGES, TABLES"),
        (c::command(0x08, b""), "SHUTDOWN"),
        (c::command(0x0c, b"\x05\0\0\0"), "KILL 5"),
    ] {
        let mut sim = Simulation::new();
        sim.passes(&[message], &[S::new(true).ok(0, 0)]);
        assert_eq!(sim.guard.log[0], format!("judge {sql} Command {} true", sql.len()));
    }
}

#[test]
fn a_refused_command_is_answered_here() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[c::command(0x02, b"DENY")]), b"");
    assert_eq!(packets(&sim.to_client)[0].1[1..3], 1227_u16.to_le_bytes());
}

#[test]
fn columns_of_a_table_are_listed() {
    for deprecate_eof in [false, true] {
        let mut sim = Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() });
        let mut s = S::new(deprecate_eof);
        let reply = [s.column("a", 3), s.column("b", 3), s.end(0)];
        sim.passes(&[c::command(0x04, b"customers\0%")], &reply);
        assert!(sim.guard.log[0].starts_with("judge SHOW COLUMNS FROM `customers` Command"));
    }
}

#[test]
fn the_process_list_is_a_result_like_others() {
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.passes(&[c::command(0x0a, b"")], &[s.texts(&["Info"]), s.row(&[Some(b"SELECT 1")]), s.end(0)]);
    assert!(sim.guard.log[0].starts_with("judge SHOW PROCESSLIST"));
}

#[test]
fn harmless_commands_pass() {
    for deprecate_eof in [false, true] {
        let mut sim = Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() });
        sim.passes(&[c::ping()], &[S::new(true).ok(0, 0)]);
        sim.passes(&[c::command(0x09, b"")], &[packet(1, b"Uptime: 10  Threads: 1")]);
        sim.passes(&[c::command(0x1b, b"\0\0")], &[S::new(deprecate_eof).end(0)]);
        sim.passes(&[c::command(0x0d, b"")], &[S::new(deprecate_eof).end(0)]);
        sim.passes(&[c::ping()], &[S::new(true).err(1053, "shutdown")]);
        assert!(sim.session.server_said_goodbye());
    }
}

#[test]
fn unknown_commands_get_error_1047() {
    for message in
        [c::command(0x21, b"x"), c::command(0x00, b""), c::command(0xfe, b""), packet(0, b""), c::command(0x7f, b"")]
    {
        let mut sim = Simulation::new();
        assert_eq!(sim.c(&[message]), b"");
        assert_eq!(packets(&sim.to_client), [(1, b"\xff\x17\x04#08S01Unknown command".to_vec())]);
        assert!(sim.session.is_idle());
    }
}

#[test]
fn the_binary_log_is_refused_unless_it_is_allowed() {
    let dump = || c::command(0x12, b"\x04\0\0\0\0\0\x01\0\0\0binlog.000001");
    for (message, name) in [
        (dump(), "BINLOG_DUMP"),
        (c::command(0x15, b"\x01\0\0\0"), "REGISTER_SLAVE"),
        (c::command(0x1e, b""), "BINLOG_DUMP_GTID"),
        (c::command(0x13, b""), "TABLE_DUMP"),
        (c::command(0x20, b""), "CLONE"),
    ] {
        let mut sim = Simulation::new();
        assert_eq!(sim.c(&[message]), b"");
        assert!(contains(&sim.to_client, b"replication commands are refused"));
        assert_eq!(sim.guard.log, [format!("refused COM_{name} 42501")]);
    }
    let mut sim = Simulation::speaking(Dialect { replication: true, ..Dialect::default() });
    sim.passes(&[c::command(0x15, b"\x01\0\0\0")], &[S::new(true).ok(0, 0)]);
    assert_eq!(sim.c(&[dump()]), dump());
    let mut s = S::new(true);
    let events = [s.raw(b"\0event one"), s.raw(b"\0event two")];
    assert_eq!(sim.s(&events), events.concat());
    assert_eq!(sim.session.outstanding(), 1);
    sim.s(&[s.raw(b"\xfe\0\0\x02\0")]);
    assert!(sim.session.is_idle());
}

#[test]
fn quit_passes_and_ends_the_session() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[c::command(1, b"")]), c::command(1, b""));
    assert!(sim.terminated);
}

#[test]
fn malformed_commands_are_answered_as_a_server_would() {
    for message in
        [c::command(0x0c, b"\x01"), c::command(0x17, b"\x01\0"), c::command(0x1a, b""), c::command(0x1c, b"\x01")]
    {
        let mut sim = Simulation::new();
        assert_eq!(sim.c(&[message]), b"");
        assert_eq!(packets(&sim.to_client)[0].1[1..3], 1835_u16.to_le_bytes());
    }
}
