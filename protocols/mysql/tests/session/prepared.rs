//! Prepared statements: ids, parameters, cursors, long data, MariaDB's −1 and bulk execution.

use crate::messages::{CURSOR, S, c, packet};
use crate::simulation::{Dialect, Simulation, contains, packets};

const LAST: u32 = u32::MAX;

fn prepare(sim: &mut Simulation, sql: &str, id: u32, parameters: u16) {
    let mut s = S::new(sim.dialect.deprecate_eof);
    sim.passes(&[c::prepare(sql)], &[s.prepared(id, &["a", "b"], parameters)]);
}

fn code(client: &[u8]) -> u16 {
    let payload = &packets(client)[0].1;
    assert_eq!(payload[0], 0xff);
    u16::from_le_bytes([payload[1], payload[2]])
}

#[test]
fn a_statement_is_prepared_executed_and_closed() {
    for deprecate_eof in [false, true] {
        let mut sim = Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() });
        prepare(&mut sim, "SELECT ?", 7, 1);
        let mut s = S::new(deprecate_eof);
        let reply = [s.columns(&[("a", 3)]), s.binary_row(&[Some(&[1, 0, 0, 0])]), s.end(0)];
        sim.passes(&[c::execute(7, 0, b"\0\x01\x03\0\x05\0\0\0")], &reply);
        assert!(sim.guard.log.contains(&"begin SELECT ? [\"5/1 int\"]".to_owned()), "{:?}", sim.guard.log);
        // Types are remembered.
        let mut s = S::new(deprecate_eof);
        sim.passes(&[c::execute(7, 0, b"\0\0\x06\0\0\0")], &[s.ok(1, 0)]);
        assert!(sim.guard.log.contains(&"begin SELECT ? [\"6/1 int\"]".to_owned()));
        assert_eq!(sim.c(&[c::close(7)]), c::close(7));
        assert_eq!(sim.c(&[c::execute(7, 0, b"")]), b"");
        assert_eq!(code(&sim.to_client), 1243);
        assert_eq!(sim.session.state_bytes(), 0);
    }
}

#[test]
fn rows_of_an_execution_are_masked() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "SELECT MASK", 1, 0);
    sim.c(&[c::execute(1, 0, b"")]);
    let mut s = S::new(true);
    let seen = sim.s(&[s.texts(&["redact"]), s.binary_row(&[Some(b"\x06SECRET")]), s.end(0)]);
    assert!(!contains(&seen, b"SECRET") && contains(&seen, b"******"));
}

#[test]
fn a_refused_statement_is_not_there_not_even_as_the_last_one() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "SELECT 1", 1, 0);
    assert_eq!(sim.c(&[c::prepare("DENY"), c::execute(LAST, 0, b"")]), b"");
    let answers = packets(&sim.to_client);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].1[1..3], 1227_u16.to_le_bytes());
    assert_eq!(answers[1].1[1..3], 1243_u16.to_le_bytes());
    assert!(sim.session.is_idle());
}

#[test]
fn the_last_statement_runs_before_its_id_is_known() {
    let mut sim = Simulation::new();
    let both = [c::prepare("SELECT MASK"), c::execute(LAST, 0, b"")];
    assert_eq!(sim.c(&both), both.concat());
    let mut s = S::new(true);
    let prepared = s.prepared(9, &["redact"], 0);
    let mut s = S::new(true);
    let seen = sim.s(&[prepared, s.texts(&["redact"]), s.binary_row(&[Some(b"\x06SECRET")]), s.end(0)]);
    assert!(!contains(&seen, b"SECRET"));
    assert!(sim.session.is_idle());
    // Where preparing it failed, both fail.
    let both = [c::prepare("SELECT bad"), c::execute(LAST, 0, b"")];
    sim.passes(&both, &[S::new(true).err(1064, "syntax"), S::new(true).err(1243, "unknown")]);
    assert_eq!(sim.c(&[c::execute(LAST, 0, b"")]), b"");
}

#[test]
fn ids_that_no_message_made_are_not_passed() {
    let mut sim = Simulation::new();
    for message in [c::execute(5, 0, b""), c::reset(5), c::fetch(5, 1), c::command(0xfa, b"\x05\0\0\0\0\0")] {
        assert_eq!(sim.c(&[message]), b"");
        assert_eq!(code(&std::mem::take(&mut sim.to_client)), 1243);
    }
    assert_eq!(sim.c(&[c::close(5), c::long_data(5, 0, b"x")]), b"");
    assert_eq!(sim.to_client, b"");
    assert!(sim.session.is_idle());
}

#[test]
fn rules_that_changed_are_asked_again() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "SELECT REJUDGE", 1, 0);
    assert_eq!(sim.c(&[c::execute(1, 0, b"")]), b"");
    assert_eq!(code(&sim.to_client), 1227);
}

#[test]
fn rows_of_a_cursor_are_masked_under_the_plan_of_its_execution() {
    for deprecate_eof in [false, true] {
        let mut sim = Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() });
        prepare(&mut sim, "SELECT MASK", 1, 0);
        sim.c(&[c::execute(1, 1, b"")]);
        let mut s = S::new(deprecate_eof);
        // One end, behind the definitions, says that a cursor is open.
        let reply = [s.raw(&[1]), s.column("redact", 0xfd), s.end(CURSOR)];
        assert_eq!(sim.s(&reply), reply.concat());
        assert!(sim.session.is_idle());
        assert!(sim.guard.log.iter().any(|line| line.contains("suspended true")));
        for _ in 0..2 {
            let mut s = S::new(deprecate_eof);
            assert_eq!(sim.c(&[c::fetch(1, 10)]), c::fetch(1, 10));
            let seen = sim.s(&[s.binary_row(&[Some(b"\x06SECRET")]), s.binary_row(&[None]), s.end(CURSOR)]);
            assert!(!contains(&seen, b"SECRET") && contains(&seen, b"******"));
            assert!(sim.session.is_idle());
        }
        sim.passes(&[c::reset(1)], &[S::new(deprecate_eof).ok(0, 0)]);
        sim.c(&[c::fetch(1, 10)]);
        let mut s = S::new(deprecate_eof);
        let fault = sim.s_fault(&[s.binary_row(&[Some(b"\x06SECRET")])]);
        assert_eq!(fault.reason, "unexpected_server_message");
        assert!(!contains(&sim.to_client, b"SECRET"));
    }
}

#[test]
fn a_cursor_without_rules_passes() {
    for deprecate_eof in [false, true] {
        let mut sim = Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() });
        prepare(&mut sim, "SELECT 1", 1, 0);
        let mut s = S::new(deprecate_eof);
        sim.passes(&[c::execute(1, 1, b"")], &[s.raw(&[1]), s.column("a", 0xfd), s.end(CURSOR)]);
        let mut s = S::new(deprecate_eof);
        sim.passes(&[c::fetch(1, 10)], &[s.binary_row(&[Some(b"\x01x")]), s.end(CURSOR | 0x80)]);
        let mut s = S::new(deprecate_eof);
        sim.passes(&[c::fetch(1, 10)], &[s.err(1421, "no cursor")]);
    }
}

#[test]
fn long_data_is_shown_in_the_audit() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "INSERT ?, ?", 1, 2);
    let pieces = [c::long_data(1, 1, b"one "), c::long_data(1, 1, &[b'x'; 5000])];
    assert_eq!(sim.c(&pieces), pieces.concat());
    sim.passes(&[c::execute(1, 0, b"\0\x01\x03\0\xfc\0\x05\0\0\0")], &[S::new(true).ok(1, 0)]);
    let begin = sim.guard.log.iter().find(|line| line.starts_with("begin INSERT")).unwrap();
    assert!(begin.contains("\"5/1 int\", \"one xxx") && begin.contains("/5004 blob"), "{begin}");
    // It is for one execution.
    sim.passes(&[c::execute(1, 0, b"\x02\0\x05\0\0\0")], &[S::new(true).ok(1, 0)]);
    assert!(sim.guard.log.contains(&"begin INSERT ?, ? [\"5/1 int\", \"NULL\"]".to_owned()));
}

#[test]
fn a_huge_parameter_streams_by() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "INSERT ?", 1, 1);
    let value = crate::messages::string(&vec![b'v'; 3_000_000]);
    let message = c::execute(1, 0, &[b"\0\x01\xfc\0", &value[..]].concat());
    let mut sent = Vec::new();
    for chunk in message.chunks(65_536) {
        sent.extend(sim.c(&[chunk.to_vec()]));
    }
    assert!(sent == message);
    sim.s(&[S::new(true).ok(1, 0)]);
    assert!(sim.session.is_idle());
}

#[test]
fn bulk_execution_runs_as_one() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "INSERT MASK", 1, 1);
    let bulk = c::command(0xfa, b"\x01\0\0\0\x80\0\x03\0\0\x01\0\0\0\0\x02\0\0\0");
    assert_eq!(sim.c(std::slice::from_ref(&bulk)), bulk);
    let mut s = S::new(true);
    let seen = sim.s(&[s.texts(&["redact"]), s.binary_row(&[Some(b"\x06SECRET")]), s.end(0)]);
    assert!(!contains(&seen, b"SECRET"));
}

#[test]
fn out_parameters_are_masked_like_rows() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "CALL MASK(?)", 1, 1);
    sim.c(&[c::execute(1, 0, b"\x01\x01\xfd\0")]);
    let mut s = S::new(true);
    let seen = sim.s(&[s.texts(&["redact"]), s.binary_row(&[Some(b"\x06SECRET")]), s.end(0x1008), s.ok(0, 0)]);
    assert!(!contains(&seen, b"SECRET"));
    assert!(sim.session.is_idle());
}

#[test]
fn open_statements_are_bounded() {
    let mut sim = Simulation::new();
    let text = format!("SELECT {}", "x".repeat(16 << 10));
    let refused = (0..10_000_u32).find(|id| {
        if sim.c(&[c::prepare(&text)]).is_empty() {
            return true;
        }
        sim.s(&[S::new(true).prepared(*id + 1, &[], 0)]);
        false
    });
    assert!(refused.is_some());
    assert_eq!(code(&sim.to_client), 1461);
    assert!(sim.session.state_bytes() <= wire::limits::SESSION_STATE_BYTES);
}

#[test]
fn a_reset_connection_forgets_all_statements() {
    let mut sim = Simulation::new();
    prepare(&mut sim, "SELECT 1", 1, 0);
    sim.passes(&[c::command(0x1f, b"")], &[packet(1, b"\0\0\0\x02\0\0\0")]);
    assert!(sim.guard.log.contains(&"reset".to_owned()));
    assert_eq!(sim.c(&[c::execute(1, 0, b"")]), b"");
    assert_eq!(sim.session.state_bytes(), 0);
}
