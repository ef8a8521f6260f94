//! Results that end after a number of rows: what passes, what the server is sent, and where the session stands.

use crate::messages::{c, s};
use crate::simulation::{Cut, Random, Simulation, contains, kinds};

fn rows(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| s::row(&[Some(format!("row {number}").as_bytes())])).collect()
}

/// A simple query with `sent` rows from the server.
fn query(sim: &mut Simulation, sent: usize) -> (String, String, Vec<u8>) {
    let opened = kinds(&sim.c(&[c::query("SELECT LIMITED"), c::query("SELECT 1")]));
    let mut seen = sim.s(&[s::parsed(), s::bound(), s::description(&["a"], 0), rows(sent)]);
    let end = if sent > 2 { s::suspended() } else { s::complete(&format!("SELECT {sent}")) };
    seen.extend(sim.s(&[end]));
    let mut asked = kinds(&std::mem::take(&mut sim.to_server));
    if sent > 2 {
        seen.extend(sim.s(&[s::error("42601", "syntax error"), s::ready(b'I')]));
        asked.push('/');
        asked.push_str(&kinds(&std::mem::take(&mut sim.to_server)));
    }
    seen.extend(sim.s(&[s::closed(), s::closed(), s::ready(b'I')]));
    (format!("{opened}/{asked}"), kinds(&seen), seen)
}

#[test]
fn a_simple_query_ends_after_its_rows() {
    let mut sim = Simulation::new();
    let (asked, seen, bytes) = query(&mut sim, 3);
    // The failing Parse; then Sync, for what it skips, Close of both and Sync.
    assert_eq!((asked.as_str(), seen.as_str()), ("PBDEH/P/SCCS", "TDDEZ"));
    assert!(!contains(&bytes, b"row 2") && contains(&bytes, b"C54000\0"), "{}", String::from_utf8_lossy(&bytes));
    // The query behind it waited.
    assert_eq!(kinds(&sim.to_server), "Q");
    assert!(sim.guard.log.iter().any(|line| line.contains("rows 2 state Some(\"54000\")")), "{:?}", sim.guard.log);
    sim.s(&[s::complete("SELECT 1"), s::ready(b'I')]);
    assert!(sim.session.is_idle());
}

#[test]
fn a_result_within_the_limit_is_whole() {
    let mut sim = Simulation::new();
    let (asked, seen, _) = query(&mut sim, 2);
    assert_eq!((asked.as_str(), seen.as_str()), ("PBDEH/CCS", "TDDCZ"));
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT LIMITED")]);
    // An error of its own, and one at the commit behind its end.
    let seen = sim.s(&[s::error("42601", "no such thing"), s::ready(b'I'), s::closed(), s::closed(), s::ready(b'I')]);
    assert_eq!(kinds(&seen), "EZ");
    sim.c(&[c::query("INSERT LIMITED")]);
    let seen = sim.s(&[s::parsed(), s::bound(), s::no_data(), s::complete("INSERT 0 1"), s::closed(), s::closed()]);
    assert_eq!(kinds(&seen), "C");
    assert_eq!(kinds(&sim.s(&[s::error("23503", "deferred"), s::ready(b'I')])), "EZ");
    assert!(sim.session.is_idle());
}

#[test]
fn runs_of_a_portal_count_together() {
    let mut sim = Simulation::new();
    let mut limits = Vec::new();
    let mut execute = |sim: &mut Simulation, limit: u32| {
        let sent = sim.c(&[c::execute("p", limit)]);
        limits.push((limit, u32::from_be_bytes(sent[7..11].try_into().unwrap())));
    };
    sim.c(&[c::parse("", "SELECT LIMITED"), c::bind("p", "", &[], &[])]);
    sim.s(&[s::parsed(), s::bound()]);
    execute(&mut sim, 1);
    assert_eq!(kinds(&sim.s(&[rows(1), s::suspended()])), "Ds");
    execute(&mut sim, 0);
    // What is sent ahead waits until it is certain that the run is not stopped.
    assert_eq!(kinds(&sim.c(&[c::execute("p", 0), c::sync()])), "");
    assert_eq!(kinds(&sim.s(&[rows(2), s::suspended()])), "D");
    assert_eq!(kinds(&std::mem::take(&mut sim.to_server)), "P");
    assert_eq!(kinds(&sim.s(&[s::error("42601", "syntax error")])), "E");
    assert_eq!(kinds(&std::mem::take(&mut sim.to_server)), "S", "up to Sync nothing is sent");
    assert_eq!(kinds(&sim.s(&[s::ready(b'E')])), "Z");
    assert!(sim.session.is_idle());
    assert_eq!(limits, [(1, 1), (0, 2)]);
}

#[test]
fn copy_is_cut_off() {
    for (binary, sent, shown) in [(false, 3, 2), (false, 2, 2), (true, 2, 2), (true, 3, 2)] {
        let mut sim = Simulation::new();
        sim.c(&[c::query("COPY LIMITED")]);
        let mut data: Vec<u8> =
            (0..sent).flat_map(|number| s::copy_data(format!("line {number}\n").as_bytes())).collect();
        if binary {
            data.extend(s::copy_data(&[0xff, 0xff]));
        }
        let mut seen = sim.s(&[s::parsed(), s::bound(), s::no_data(), s::copy_out(binary, 1), data, s::copy_done()]);
        seen.extend(sim.s(&[s::complete(&format!("COPY {sent}"))]));
        let stopped = sent > shown;
        assert_eq!(kinds(&std::mem::take(&mut sim.to_server)), if stopped { "P" } else { "CCS" });
        if stopped {
            seen.extend(sim.s(&[s::error("42601", "syntax error"), s::ready(b'I')]));
        }
        seen.extend(sim.s(&[s::closed(), s::closed(), s::ready(b'I')]));
        let trailer = if binary && !stopped { "d" } else { "" };
        let end = if stopped { "EZ" } else { "cCZ" };
        assert_eq!(kinds(&seen), format!("H{}{trailer}{end}", "d".repeat(shown)), "{binary} {sent}");
        assert!(!contains(&seen, b"line 2") && sim.session.is_idle());
    }
}

#[test]
fn it_does_not_matter_how_the_bytes_are_cut() {
    let guard = crate::guard::TestGuard::default;
    let whole = query(&mut Simulation::new(), 3);
    for seed in 0..60 {
        for cut in [Cut::Every(1), Cut::Random(Random::new(seed))] {
            let mut sim = Simulation::with(guard(), cut, false);
            assert_eq!(query(&mut sim, 3), whole, "seed {seed}");
        }
    }
}
