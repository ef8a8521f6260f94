//! The property that every walker must have: what comes out does not depend on how bytes were cut.

use crate::guard::{TestGuard, denial};
use crate::messages::{c, s};
use crate::simulation::Step::{self, C, Decide, S};
use crate::simulation::{Cut, Random, Simulation, contains};

fn simple() -> Vec<Step> {
    vec![
        C([c::query("SELECT 1; SELECT MASK"), c::query("DENY"), c::query("SELECT 2")].concat()),
        S([
            s::notice("n"),
            s::description(&["redact", "plain", "detect"], 0),
            s::row(&[Some(b"SECRET"), Some(b"x"), Some(b"no")]),
            s::notification(),
            s::row(&[None, None, Some(b"SECRET@SECRET")]),
            s::complete("SELECT 2"),
            s::description(&["null", "longer"], 0),
            s::row(&[Some(b"SECRET"), Some(b"SECRET")]),
            s::row(&[Some(b""), None]),
            s::complete("SELECT 2"),
            s::ready(b'I'),
            s::error("42601", "SECRET"),
            s::ready(b'I'),
            s::setting("client_encoding", "UTF8"),
            s::empty(),
            s::ready(b'I'),
        ]
        .concat()),
        C([c::function_call(7), c::function_call(666)].concat()),
        S([s::function_result(b"value"), s::ready(b'I'), s::error("42601", "SECRET"), s::ready(b'I')].concat()),
        C([c::query("HOLD this"), c::query("NEEDS")].concat()),
        Decide(Err(denial())),
        S([s::error("42601", "SECRET"), s::ready(b'I')].concat()),
        C(c::query("HOLD that")),
        S([s::error("42601", "not there"), s::ready(b'I')].concat()),
        Decide(Ok(())),
        S([s::complete("X"), s::ready(b'I')].concat()),
        C([c::query("NEEDS more"), c::terminate()].concat()),
        S([
            s::description(&["a"], 0),
            s::row(&[Some(b"cell"), None]),
            s::notice("n"),
            s::complete("SELECT 1"),
            s::ready(b'I'),
        ]
        .concat()),
        S([s::complete("SELECT 0"), s::ready(b'I')].concat()),
    ]
}

fn extended() -> Vec<Step> {
    let long = vec![b'v'; 3000];
    vec![
        C([
            c::parse("s", "SELECT MASK $1"),
            c::describe(b'S', "s"),
            c::bind("p", "s", &[Some(&long), None, Some(b"")], &[1, 0]),
            c::execute("p", 1),
            c::execute("p", 0),
            c::flush(),
            c::close(b'P', "p"),
            c::sync(),
            c::parse("", "DENY"),
            c::bind("", "", &[], &[]),
            c::execute("", 0),
            c::sync(),
            c::parse("x", "bad"),
            c::bind("", "x", &[], &[]),
            c::sync(),
        ]
        .concat()),
        S([
            s::parsed(),
            s::parameters(),
            s::description(&["redact", "plain"], 0),
            s::bound(),
            s::description(&["redact", "plain"], 1),
            s::row(&[Some(b"SECRET"), Some(b"x")]),
            s::suspended(),
            s::notice("SECRET"),
            s::row(&[Some(b"SECRET"), None]),
            s::complete("SELECT 1"),
            s::closed(),
            s::ready(b'I'),
            s::error("42601", "SECRET"),
            s::ready(b'I'),
            s::error("42601", "syntax"),
            s::ready(b'I'),
        ]
        .concat()),
        C([c::bind("", "s", &[None], &[]), c::execute("", 0), c::sync()].concat()),
        S([s::bound(), s::row(&[Some(b"SECRET"), Some(b"y")]), s::error("22012", "SECRET"), s::ready(b'E')].concat()),
    ]
}

fn copy() -> Vec<Step> {
    vec![
        C([c::parse("", "COPY in"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()].concat()),
        S([s::parsed(), s::bound(), s::copy_in()].concat()),
        C([c::copy_data(b"1\n"), c::copy_data(&[b'x'; 500]), c::sync(), c::copy_done(), c::sync()].concat()),
        S([s::complete("COPY 2"), s::ready(b'I')].concat()),
        C(c::query("COPY in")),
        S(s::copy_in()),
        C([c::copy_data(b"1\n"), c::copy_fail("no more")].concat()),
        S([s::error("57014", "failed"), s::ready(b'I')].concat()),
        C([c::query("COPY MASK"), c::query("COPY MASK CSV HEADER")].concat()),
        S([
            s::copy_out(false, 3),
            s::copy_data(b"SECRET\tx\tSECRET@\n"),
            s::copy_data(b"\\N\tx\tab\nSECRET\ty\t"),
            s::copy_data(b"SEC\\tRET@\nSECRET"),
            s::copy_data(b"\tz\tq\n"),
            s::copy_done(),
            s::complete("COPY 4"),
            s::ready(b'I'),
            s::copy_out(false, 3),
            s::copy_data(b"redact,plain,detect\n"),
            s::copy_data(b"\"SEC\"\"RET\",\"a,b\",\"SECRET@\n\"\n,,\n"),
            s::copy_data(b"SECRET,"),
            s::copy_data(b"x,y\n"),
            s::copy_done(),
            s::complete("COPY 3"),
            s::ready(b'I'),
        ]
        .concat()),
    ]
}

fn huge() -> Vec<Step> {
    let huge = b"SECRET".repeat(250_000);
    let text = [&b"SECRET\t"[..], &huge, b"\t", &huge, b"\n", b"SECRET\tx\ty\n"].concat();
    let mut steps = vec![
        C([c::query("SELECT MASK"), c::query("COPY MASK")].concat()),
        S([
            s::description(&["redact", "plain", "detect"], 0),
            s::row(&[Some(&huge), Some(b"kept"), Some(&huge)]),
            s::row(&[Some(b"SECRET"), None, Some(b"SECRET@")]),
            s::complete("SELECT 2"),
            s::ready(b'I'),
            s::copy_out(false, 3),
        ]
        .concat()),
    ];
    // The middle column passes, so that only what it may show is left of the word.
    let text: Vec<u8> = String::from_utf8(text).unwrap().replace("\tSECRETSECRET", "\tpublicpublic").into_bytes();
    for piece in text.chunks(700_000) {
        steps.push(S(s::copy_data(piece)));
    }
    steps.push(S([s::copy_data(&text), s::copy_done(), s::complete("COPY 4"), s::ready(b'I')].concat()));
    steps
}

fn run(steps: &[Step], cut: Cut) -> Simulation {
    let guard = TestGuard { copy_columns: vec!["redact", "plain", "detect"], ..TestGuard::default() };
    let mut sim = Simulation::with(guard, cut, false);
    for step in steps {
        sim.step(step).unwrap_or_else(|fault| panic!("{fault}"));
    }
    assert_eq!(sim.session.outstanding(), 0);
    sim
}

fn agrees(steps: &[Step], cuts: impl Iterator<Item = (String, Cut)>) {
    let whole = run(steps, Cut::Whole);
    for (name, cut) in cuts {
        let sim = run(steps, cut);
        assert!(sim.to_client == whole.to_client, "to the client, cut {name}");
        assert!(sim.to_server == whole.to_server, "to the server, cut {name}");
        assert_eq!(sim.guard.log, whole.guard.log, "cut {name}");
    }
}

fn cuts(seeds: u64) -> impl Iterator<Item = (String, Cut)> {
    let every = (1..12).map(|bytes| (format!("every {bytes}"), Cut::Every(bytes)));
    every.chain((0..seeds).map(|seed| (format!("seed {seed}"), Cut::Random(Random::new(seed)))))
}

#[test]
fn simple_queries_do_not_depend_on_cuts() {
    agrees(&simple(), cuts(300));
}

#[test]
fn the_extended_protocol_does_not_depend_on_cuts() {
    agrees(&extended(), cuts(300));
}

#[test]
fn copy_does_not_depend_on_cuts() {
    agrees(&copy(), cuts(300));
}

#[test]
fn huge_rows_do_not_depend_on_cuts() {
    let cuts = [1021, 65_536, 1 << 20, (1 << 20) + 11].map(|bytes| (format!("every {bytes}"), Cut::Every(bytes)));
    agrees(&huge(), cuts.into_iter());
}

#[test]
fn what_a_mask_covers_is_never_seen() {
    for (steps, allowed) in [(simple(), 0), (extended(), 0), (copy(), 0)] {
        for (name, cut) in cuts(30) {
            let sim = run(&steps, cut);
            // Text before the mask's own column names holds none of the sentinel either.
            assert_eq!(usize::from(contains(&sim.to_client, b"SECRET")), allowed, "{name}");
        }
    }
}
