//! Results that a rule stops after so many rows.

use crate::messages::{CURSOR, MORE, S, c};
use crate::simulation::{Dialect, Simulation, packets};

/// What a client got: sequence ids that follow each other, rows by their first byte, the last message.
fn got(bytes: &[u8], rows: u8) -> (usize, Vec<u8>) {
    let packets = packets(bytes);
    for (index, (seq, _)) in packets.iter().enumerate() {
        assert_eq!(usize::from(*seq), index + 1);
    }
    let count = packets.iter().filter(|(_, payload)| payload.first() == Some(&rows)).count();
    (count, packets.last().map(|(_, payload)| payload.clone()).unwrap_or_default())
}

fn is_refusal(payload: &[u8]) -> bool {
    payload.starts_with(b"\xff\xca\x04#42000the result has more rows")
}

#[test]
fn a_result_ends_with_an_error_after_its_rows_and_the_session_goes_on() {
    for deprecate_eof in [false, true] {
        let mut sim = Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() });
        let reply = |rows: usize, status: u16| {
            let mut s = S::new(deprecate_eof);
            let mut reply = vec![s.texts(&["plain"])];
            (0..rows).for_each(|_| reply.push(s.row(&[Some(b"rows")])));
            reply.push(s.end(status));
            reply
        };
        // What is sent behind it is answered in its turn.
        sim.c(&[c::query("SELECT LIMIT2"), c::query("SELECT 2")]);
        let (rows, last) = got(&sim.s(&reply(3, 0)), 4);
        assert!(rows == 2 && is_refusal(&last), "{last:?}");
        assert!(sim.guard.log.iter().any(|line| line.contains("rows 2 error Some(1226)")), "{:?}", sim.guard.log);
        let ok = S::new(deprecate_eof).ok(0, 0);
        assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
        assert!(sim.session.is_idle());
        sim.passes(&[c::query("SELECT LIMIT2")], &reply(2, 0));
        sim.passes(&[c::query("SELECT 100")], &reply(100, 0));
    }
}

#[test]
fn rows_of_all_results_count_together_and_what_follows_is_swallowed() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("CALL LIMIT2")]);
    let mut s = S::new(true);
    let first = [s.texts(&["plain"]), s.row(&[Some(b"rows")]), s.end(MORE)].concat();
    let second = [s.texts(&["plain"]), s.row(&[Some(b"rows")]), s.row(&[Some(b"rows")])].concat();
    let third = [s.end(MORE), s.texts(&["plain"]), s.row(&[Some(b"rows")]), s.end(MORE), s.ok(0, 0)].concat();
    let (rows, last) = got(&sim.s(&[first, second, third]), 4);
    assert!(rows == 2 && is_refusal(&last));
    assert!(sim.session.is_idle());
    sim.passes(&[c::query("SELECT 1")], &[S::new(true).ok(0, 0)]);
}

#[test]
fn masked_rows_are_counted_and_an_error_behind_the_limit_is_swallowed() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK LIMIT2")]);
    let mut s = S::new(true);
    let mut reply = vec![s.texts(&["redact"])];
    (0..5).for_each(|_| reply.push(s.row(&[Some(b"SECRET")])));
    reply.push(s.err(1317, "interrupted"));
    let (rows, last) = got(&sim.s(&reply), 6);
    assert!(rows == 2 && is_refusal(&last));
    assert!(sim.session.is_idle() && !sim.session.server_said_goodbye());
}

#[test]
fn what_is_fetched_of_a_cursor_counts_together() {
    let mut sim = Simulation::new();
    sim.passes(&[c::prepare("SELECT LIMIT2")], &[S::new(true).prepared(1, &["plain"], 0)]);
    let opened = || {
        let mut s = S::new(true);
        [s.raw(&[1]), s.column("plain", 0xfd), s.end(CURSOR)].concat()
    };
    let fetched = |rows: usize| {
        let mut s = S::new(true);
        let mut reply: Vec<Vec<u8>> = (0..rows).map(|_| s.binary_row(&[Some(b"\x03row")])).collect();
        reply.push(s.end(CURSOR));
        reply
    };
    for _ in 0..2 {
        sim.passes(&[c::execute(1, 1, b"")], &[opened()]);
        sim.passes(&[c::fetch(1, 1)], &fetched(1));
        sim.c(&[c::fetch(1, 9)]);
        let (rows, last) = got(&sim.s(&fetched(9)), 0);
        assert!(rows == 1 && is_refusal(&last));
        sim.c(&[c::fetch(1, 9)]);
        let (rows, last) = got(&sim.s(&fetched(3)), 0);
        assert!(rows == 0 && is_refusal(&last));
        sim.passes(&[c::fetch(1, 9)], &fetched(0));
    }
}
