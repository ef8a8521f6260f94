//! LOAD DATA LOCAL INFILE.

use crate::messages::{MORE, S, c, packet};
use crate::simulation::{Simulation, contains, packets};

fn asked(name: &[u8]) -> (Simulation, S, Vec<u8>) {
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.c(&[c::query("LOAD DATA LOCAL INFILE")]);
    let seen = sim.s(&[s.raw(&[b"\xfb", name].concat())]);
    (sim, s, seen)
}

#[test]
fn an_allowed_file_passes_and_is_reported_with_its_size() {
    let (mut sim, _, seen) = asked(b"/tmp/allowed");
    assert_eq!(packets(&seen), [(1, b"\xfb/tmp/allowed".to_vec())]);
    let file = [packet(2, b"1,2\n"), packet(3, b"DENY"), packet(4, b"")];
    assert_eq!(sim.c(&file), file.concat());
    assert!(sim.guard.log.contains(&"sent LOAD DATA LOCAL INFILE /tmp/allowed 8".to_owned()));
    let ok = packet(5, b"\0\x01\0\x02\0\0\0");
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert!(sim.session.is_idle());
    // What comes next is judged again.
    assert_eq!(sim.c(&[c::query("DENY")]), b"");
}

#[test]
fn a_refused_file_is_empty_for_the_server_and_an_error_for_the_client() {
    let (mut sim, _, seen) = asked(b"/etc/passwd");
    assert_eq!(packets(&seen)[0].0, 1);
    assert!(contains(&seen, b"#42000rule no-drop"));
    assert_eq!(std::mem::take(&mut sim.to_server), packet(2, b""));
    // What the server still says about it is nobody's.
    assert_eq!(sim.c(&[c::query("SELECT 2")]), c::query("SELECT 2"));
    let mut s = S { seq: 3, deprecate_eof: true };
    assert_eq!(sim.s(&[s.ok(0, MORE), s.texts(&["a"]), s.row(&[Some(b"x")]), s.end(MORE), s.ok(0, 0)]), b"");
    let ok = S::new(true).ok(0, 0);
    assert_eq!(sim.s(std::slice::from_ref(&ok)), ok);
    assert!(sim.session.is_idle());
    let ends: Vec<&String> = sim.guard.log.iter().filter(|line| line.starts_with("completed LOAD")).collect();
    assert_eq!(ends.len(), 1);
    assert!(ends[0].contains("error Some(1227)"));
    assert!(sim.guard.log.contains(&"kept LOAD DATA LOCAL INFILE /etc/passwd rule no-drop".to_owned()));
}

#[test]
fn commands_sent_ahead_of_a_file_end_the_session() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("LOAD DATA"), c::query("SELECT 2")]);
    assert_eq!(sim.s_fault(&[packet(1, b"\xfballowed")]).reason, "command_during_local_file");
}

#[test]
fn a_server_that_answers_before_the_end_of_a_file_is_at_fault() {
    for reply in [S { seq: 3, deprecate_eof: true }.ok(0, 0), S { seq: 3, deprecate_eof: true }.err(1, "x")] {
        let (mut sim, _, _) = asked(b"allowed");
        sim.c(&[packet(2, b"1,2\n")]);
        assert_eq!(sim.s_fault(&[reply]).reason, "unexpected_server_message");
    }
}
