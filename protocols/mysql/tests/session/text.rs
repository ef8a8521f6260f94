//! COM_QUERY: results, refusals, errors, session tracking, the catalogue.

use crate::guard::denial;
use crate::messages::{MORE, S, c, packet};
use crate::simulation::{Dialect, Simulation, Step, contains, packets};

const DIALECTS: [bool; 2] = [false, true];

fn speaking(deprecate_eof: bool) -> (Simulation, S) {
    (Simulation::speaking(Dialect { deprecate_eof, ..Dialect::default() }), S::new(deprecate_eof))
}

fn completed(sim: &Simulation) -> Vec<&str> {
    sim.guard.log.iter().filter(|line| line.starts_with("completed")).map(String::as_str).collect()
}

#[test]
fn results_pass_unread_where_no_rule_concerns_them() {
    for deprecate_eof in DIALECTS {
        let (mut sim, mut s) = speaking(deprecate_eof);
        let reply = [s.texts(&["a", "b"]), s.row(&[Some(b"1"), None]), s.row(&[None, Some(b"x")]), s.end(0)];
        let bytes = reply.concat().len();
        sim.passes(&[c::query("SELECT 1")], &reply);
        assert_eq!(
            completed(&sim),
            [format!("completed SELECT 1 part 0 rows 2 error None suspended false in 13 out {bytes}")]
        );
        assert_eq!(sim.segments.0, 1, "one piece");
    }
}

#[test]
fn several_results_are_reported_one_by_one() {
    for deprecate_eof in DIALECTS {
        let (mut sim, mut s) = speaking(deprecate_eof);
        let reply = [s.ok(3, MORE), s.texts(&["a"]), s.row(&[Some(b"1")]), s.end(MORE), s.ok(0, 0)];
        sim.passes(&[c::query("UPDATE t; SELECT 1; DO 1")], &reply);
        let rows: Vec<bool> =
            completed(&sim).iter().map(|line| line.contains("rows 3") || line.contains("rows 1")).collect();
        assert_eq!(rows, [true, true, false]);
    }
}

#[test]
fn a_row_may_begin_like_an_end() {
    // A cell of 16 MiB and more has a length of 8 bytes, whose first byte is that of EOF.
    for deprecate_eof in DIALECTS {
        let (mut sim, mut s) = speaking(deprecate_eof);
        let cell = vec![b'x'; 0x100_0000];
        let row = crate::messages::text_row(&[Some(&cell)]);
        assert_eq!(row[0], 0xfe);
        let start = s.texts(&["a"]);
        let (first, second) = row.split_at(0xff_ffff);
        let long = [&[0xff, 0xff, 0xff, s.seq][..], first, &packet(s.seq.wrapping_add(1), second)].concat();
        s.seq = s.seq.wrapping_add(2);
        sim.passes(&[c::query("SELECT 1")], &[start, long, s.end(0)]);
        assert!(completed(&sim)[0].contains("rows 1"));
    }
}

#[test]
fn a_refused_statement_is_answered_in_its_turn_and_not_sent() {
    let (mut sim, mut s) = speaking(true);
    assert_eq!(sim.c(&[c::query("DENY this")]), b"");
    let refused = std::mem::take(&mut sim.to_client);
    assert_eq!(packets(&refused), [(1, b"\xff\xcb\x04#42000rule no-drop (ask)".to_vec())]);
    assert!(sim.session.is_idle());
    // Behind another one it waits.
    assert_eq!(
        sim.c(&[c::query("SELECT 1"), c::query("DENY"), c::query("SELECT 2")]),
        [c::query("SELECT 1"), c::query("SELECT 2")].concat()
    );
    assert_eq!(sim.to_client, b"");
    let first = s.ok(1, 0);
    assert_eq!(sim.s(std::slice::from_ref(&first)), [first, refused].concat());
    let second = S::new(true).ok(2, 0);
    assert_eq!(sim.s(std::slice::from_ref(&second)), second);
    assert!(sim.session.is_idle());
}

#[test]
fn a_text_of_several_statements_is_refused_whole() {
    let (mut sim, _) = speaking(true);
    assert_eq!(sim.c(&[c::query("SELECT 1; DENY; SELECT 2")]), b"");
    assert_eq!(packets(&sim.to_client).len(), 1);
}

#[test]
fn a_held_statement_waits_for_its_decision() {
    let (mut sim, mut s) = speaking(true);
    assert_eq!(sim.c(&[c::query("HOLD a"), c::query("SELECT 2")]), b"");
    assert!(sim.session.is_held());
    sim.step(&Step::Decide(Ok(()))).unwrap();
    assert_eq!(std::mem::take(&mut sim.to_server), [c::query("HOLD a"), c::query("SELECT 2")].concat());
    sim.s(&[s.ok(0, 0), S::new(true).ok(0, 0)]);
    sim.c(&[c::query("HOLD b")]);
    sim.step(&Step::Decide(Err(denial()))).unwrap();
    assert_eq!(sim.to_server, b"");
    assert!(contains(&sim.to_client, b"rule no-drop"));
    assert!(sim.session.is_idle());
}

#[test]
fn errors_pass_or_lose_their_text() {
    let (mut sim, mut s) = speaking(true);
    sim.passes(&[c::query("SELECT 1")], &[s.err(1062, "Duplicate entry 'SECRET' for key 'k'")]);
    sim.c(&[c::query("INSERT MASK")]);
    let seen = sim.s(&[S::new(true).err(1062, "Duplicate entry 'SECRET' for key 'k'")]);
    assert!(!contains(&seen, b"SECRET"));
    assert_eq!(packets(&seen)[0].1[..9], *b"\xff\x26\x04#42000");
    assert!(sim.guard.log.iter().any(|line| line.contains("error Some(1062)")));
    sim.c(&[c::query("SELECT ABOUT MASK FORM t")]);
    assert!(contains(&sim.s(&[S::new(true).err(1064, "near 'FORM t'")]), b"FORM"));
    sim.c(&[c::query("EXECUTE ABOUT MASK")]);
    assert!(!contains(&sim.s(&[S::new(true).err(1064, "near 'SECRET'")]), b"SECRET"));
    sim.c(&[c::query("SELECT ABOUT MASK")]);
    assert!(!contains(&sim.s(&[S::new(true).err(1366, "Incorrect value 'SECRET'")]), b"SECRET"));
    assert!(sim.session.is_idle());
}

#[test]
fn an_error_in_the_middle_of_rows_ends_the_command() {
    for deprecate_eof in DIALECTS {
        let (mut sim, mut s) = speaking(deprecate_eof);
        sim.passes(&[c::query("SELECT 1")], &[s.texts(&["a"]), s.row(&[Some(b"1")]), s.err(1317, "interrupted")]);
    }
}

#[test]
fn progress_is_no_error() {
    let (mut sim, mut s) = speaking(true);
    let progress = s.raw(b"\xff\xff\xff\x01\x01\x02\x10\x27\0\x08altering");
    sim.passes(&[c::query("ALTER TABLE t")], &[progress, s.ok(0, 0)]);
    assert_eq!(completed(&sim).len(), 1);
}

#[test]
fn changes_of_the_session_reach_the_guard_and_only_clients_that_asked() {
    let payload = b"\0\0\0\x02\x40\0\0\0\x0f\0\x0d\x08sql_mode\x03abc";
    let (mut sim, mut s) = speaking(true);
    sim.passes(&[c::query("SET sql_mode")], &[s.raw(payload)]);
    assert!(sim.guard.log.contains(&"setting sql_mode=abc".to_owned()));
    let mut sim = Simulation::speaking(Dialect { tracks: false, ..Dialect::default() });
    sim.c(&[c::query("USE shop")]);
    let seen = sim.s(&[packet(1, b"\0\0\0\x02\x40\0\0\x02hi\x07\x01\x05\x04shop")]);
    assert_eq!(packets(&seen), [(1, b"\0\0\0\x02\0\0\0\x02hi".to_vec())]);
    assert!(sim.guard.log.contains(&"setting schema=shop".to_owned()));
    sim.c(&[c::query("USE shop")]);
    assert_eq!(packets(&sim.s(&[packet(1, b"\0\0\0\x02\x40\0\0")])), [(1, b"\0\0\0\x02\0\0\0".to_vec())]);
}

#[test]
fn attributes_come_before_the_text() {
    let dialect = Dialect { attributes: true, ..Dialect::default() };
    let mut sim = Simulation::speaking(dialect);
    let query = |sql: &str| c::command(3, &[b"\x01\x01\0\x01\xfe\0\x01k\x01v", sql.as_bytes()].concat());
    sim.passes(&[query("SELECT 1")], &[S::new(true).ok(0, 0)]);
    assert!(sim.guard.log.contains(&"begin SELECT 1 [\"v/1 char\"]".to_owned()));
    assert_eq!(sim.c(&[query("DENY")]), b"");
    sim.to_client.clear();
    // What cannot be told from a text is not passed.
    assert_eq!(sim.c(&[c::query("SELECT 1")]), b"");
    assert_eq!(packets(&sim.to_client)[0].1[..3], *b"\xff\x2b\x07");
}

#[test]
fn a_text_longer_than_a_packet_is_judged_by_what_it_is_too_long_for() {
    let (mut sim, mut s) = speaking(true);
    let first = [&[0xff, 0xff, 0xff, 0, 3][..], &vec![b'x'; 0xff_fffe]].concat();
    let whole = [first, packet(1, b"yz")].concat();
    assert!(sim.c(std::slice::from_ref(&whole)) == whole);
    assert!(sim.guard.log[0].ends_with("Query 16777215 true"), "{}", sim.guard.log[0]);
    sim.s(&[s.ok(0, 0)]);
    // Refused, it is answered when it has come to its end.
    let mut denied = whole;
    denied[5..9].copy_from_slice(b"DENY");
    assert_eq!(sim.c(&[denied]), b"");
    assert_eq!(packets(&sim.to_client)[0].0, 2);
}

#[test]
fn the_catalogue_is_read_between_two_commands() {
    for deprecate_eof in DIALECTS {
        let (mut sim, _) = speaking(deprecate_eof);
        assert_eq!(sim.c(&[c::query("NEEDS")]), c::query("catalogue one"));
        let mut s = S::new(deprecate_eof);
        assert_eq!(sim.s(&[s.texts(&["a", "b"]), s.row(&[Some(b"cell"), None]), s.end(0)]), b"");
        assert_eq!(std::mem::take(&mut sim.to_server), c::query("catalogue two"));
        let mut s = S::new(deprecate_eof);
        assert_eq!(sim.s(&[s.texts(&["a"]), s.end(0)]), b"");
        assert_eq!(std::mem::take(&mut sim.to_server), c::query("NEEDS"));
        assert!(sim.guard.log.contains(&"catalogue 0 [Some(\"cell\"), None]".to_owned()));
        assert!(sim.guard.log.contains(&"catalogue done true".to_owned()));
        let ok = S::new(deprecate_eof).ok(0, 0);
        assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
        assert!(sim.session.is_idle());
    }
}

#[test]
fn a_catalogue_that_cannot_be_read_is_said_to_have_failed() {
    let (mut sim, _) = speaking(true);
    sim.c(&[c::query("NEEDS")]);
    assert_eq!(sim.s(&[S::new(true).err(1142, "no")]), b"");
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("NEEDS"));
    assert!(sim.guard.log.contains(&"catalogue done false".to_owned()));
    // In the middle of a pipeline it is not tried.
    let (mut sim, _) = speaking(true);
    sim.c(&[c::query("SELECT 1"), c::query("NEEDS")]);
    assert!(sim.guard.log.contains(&"judge NEEDS Query 5 false".to_owned()));
}

#[test]
fn a_farewell_has_the_sequence_id_that_the_client_waits_for() {
    let (mut sim, mut s) = speaking(true);
    let said = |sim: &Simulation| {
        let mut out = Vec::new();
        sim.session.farewell(1053, b"08S01", "bye", &mut out);
        out[3]
    };
    assert_eq!(said(&sim), 1);
    sim.c(&[c::query("SELECT 1")]);
    sim.s(&[s.texts(&["a"]), s.row(&[None])]);
    assert_eq!(said(&sim), s.seq);
    sim.s(&[s.end(0)]);
    assert_eq!(said(&sim), 1);
    let fault = sim.s(&[packet(0, b"\xff\xbf\x0f#HY000timeout")]);
    assert!(contains(&fault, b"timeout") && sim.session.server_said_goodbye());
}
