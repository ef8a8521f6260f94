//! Rows under a plan.

use crate::messages::{c, s};
use crate::simulation::{Simulation, contains, kinds};

fn rows(names: &[&str], rows: &[Vec<u8>]) -> (Simulation, Vec<u8>) {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK")]);
    let mut reply = vec![s::description(names, 0)];
    reply.extend_from_slice(rows);
    let seen = sim.s(&reply);
    let seen = seen[reply[0].len()..].to_vec();
    (sim, seen)
}

#[test]
fn cells_that_keep_their_length_are_masked_where_they_lie() {
    let (sim, seen) = rows(&["plain", "redact"], &[s::row(&[Some(b"a"), Some(b"SECRET")]), s::row(&[None, None])]);
    assert_eq!(seen, [s::row(&[Some(b"a"), Some(b"******")]), s::row(&[None, None])].concat());
    assert_eq!(sim.segments.0, 1);
}

#[test]
fn rows_whose_length_changes_are_rebuilt_between_those_that_stay() {
    let (sim, seen) = rows(
        &["plain", "null", "longer"],
        &[
            s::row(&[Some(b"a"), None, None]),
            s::row(&[Some(b"b"), Some(b"SECRET"), Some(b"SECRET")]),
            s::row(&[Some(b"c"), None, None]),
        ],
    );
    let expected = [
        s::row(&[Some(b"a"), None, None]),
        s::row(&[Some(b"b"), None, Some(b"<withheld,\t\"quoted\" \\ >")]),
        s::row(&[Some(b"c"), None, None]),
    ];
    assert_eq!(seen, expected.concat());
    assert_eq!(sim.segments.0, 3);
}

#[test]
fn detectors_see_only_cells_that_are_hinted_at() {
    let many: Vec<Vec<u8>> = (0..100).map(|index| s::row(&[Some(if index == 50 { b"a@b" } else { b"a-b" })])).collect();
    let (sim, seen) = rows(&["detect"], &many);
    assert!(!contains(&seen, b"a@b"));
    assert!(contains(&seen, b"a-b") && contains(&seen, b"***"));
    assert_eq!(sim.segments.0, 1);
}

#[test]
fn rows_that_do_not_fit_the_description_end_the_session() {
    let mut cases = vec![s::row(&[Some(b"a")]), s::row(&[None, None, None])];
    let mut long = s::row(&[Some(b"a"), Some(b"b")]);
    long[10] = 200;
    cases.push(long);
    let mut negative = s::row(&[Some(b"a"), Some(b"b")]);
    negative[7..11].copy_from_slice(&(-2_i32).to_be_bytes());
    cases.push(negative);
    cases.push(crate::messages::frame(b'D', b"\0"));
    cases.push(crate::messages::frame(b'D', b""));
    for case in cases {
        let mut sim = Simulation::new();
        sim.c(&[c::query("SELECT MASK")]);
        let fault = sim.s_fault(&[s::description(&["redact", "redact"], 0), case]);
        assert_eq!(fault.reason, "malformed_row");
    }
}

#[test]
fn a_row_over_the_gathering_limit_is_masked_as_it_streams() {
    let huge = b"SECRET".repeat(500_000);
    let row = s::row(&[Some(&huge), Some(b"plain"), Some(&huge), None, Some(b"")]);
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK")]);
    sim.s(&[s::description(&["redact", "plain", "detect", "redact", "redact"], 0)]);
    let mut seen = Vec::new();
    for chunk in row.chunks(65_536) {
        seen.extend(sim.s(&[chunk.to_vec()]));
        assert_eq!(sim.segments.0, 1, "zero copy");
    }
    let stars = vec![b'*'; huge.len()];
    assert!(seen == s::row(&[Some(&stars), Some(b"plain"), Some(&stars), None, Some(b"")]));
    sim.s(&[s::row(&[None, None, None, None, None]), s::complete("SELECT 2"), s::ready(b'I')]);
    assert!(sim.session.is_idle());
}

#[test]
fn statements_of_one_text_have_their_own_plans() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK")]);
    let seen = sim.s(&[
        s::description(&["plain"], 0),
        s::row(&[Some(b"first")]),
        s::complete("SELECT 1"),
        s::description(&["redact"], 0),
        s::row(&[Some(b"SECRET")]),
        s::complete("SELECT 1"),
        s::ready(b'I'),
    ]);
    assert!(contains(&seen, b"first") && !contains(&seen, b"SECRET"));
    assert_eq!(kinds(&seen), "TDCTDCZ");
    assert!(sim.guard.log.contains(&"plan SELECT MASK part 1 binary [false]".to_owned()));
}
