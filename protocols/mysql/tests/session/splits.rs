//! The property that every walker must have: what comes out does not depend on how bytes were cut.

use std::rc::Rc;

use mysql::auth::sha2;

use crate::guard::denial;
use crate::login::{CHALLENGE, Keeper, change_by, switch};
use crate::messages::{CURSOR, MORE, S, c, packet, string};
use crate::simulation::Step::{self, C, Decide, S as Server};
use crate::simulation::{Cut, Dialect, Random, Simulation, contains};

fn text(eof: bool) -> Vec<Step> {
    let mut steps = vec![C([
        c::query("SELECT 1; SELECT MASK"),
        c::query("DENY"),
        c::query("SELECT 2"),
        c::ping(),
        c::command(0x33, b"unknown"),
    ]
    .concat())];
    let mut s = S::new(eof);
    let mut reply = vec![
        s.texts(&["redact", "plain", "detect"]),
        s.row(&[Some(b"SECRET"), Some(b"x"), Some(b"no")]),
        s.row(&[None, None, Some(b"SECRET@SECRET")]),
        s.end(MORE),
        s.texts(&["null", "longer"]),
        s.row(&[Some(b"SECRET"), Some(b"SECRET")]),
        s.row(&[Some(b""), None]),
        s.end(0),
    ];
    reply.push(S::new(eof).err(1064, "syntax"));
    reply.push(S::new(eof).raw(b"\0\0\0\x02\x40\0\0\0\x07\x01\x05\x04shop"));
    steps.push(Server(reply.concat()));
    steps.push(C([c::query("HOLD this"), c::query("NEEDS")].concat()));
    steps.push(Decide(Err(denial())));
    let mut s = S::new(eof);
    steps.push(Server([s.texts(&["a"]), s.row(&[Some(b"cell")]), s.end(0)].concat()));
    steps.push(Server(S::new(eof).err(1142, "no")));
    steps.push(Server(S::new(eof).ok(1, 0)));
    steps.push(C(c::query("LOAD DATA")));
    steps.push(Server(packet(1, b"\xfballowed")));
    steps.push(C([packet(2, b"1,2"), packet(3, &[b'x'; 400]), packet(4, b"")].concat()));
    steps.push(Server(packet(5, b"\0\x01\0\x02\0\0\0")));
    steps.push(C(c::query("LOAD DATA")));
    steps.push(Server(packet(1, b"\xfb/etc/passwd")));
    steps.push(Server(packet(3, b"\0\0\0\x02\0\0\0")));
    steps
}

fn prepared(eof: bool) -> Vec<Step> {
    let mut s = S::new(eof);
    let long = string(&vec![b'v'; 3000]);
    vec![
        C([c::prepare("SELECT MASK ?"), c::prepare("DENY"), c::prepare("bad")].concat()),
        Server([s.prepared(1, &["redact", "plain"], 1), S::new(eof).err(1064, "syntax")].concat()),
        C([
            c::long_data(1, 0, b"piece"),
            c::execute(1, 0, b"\0\x01\xfc\0"),
            c::execute(1, 1, &[b"\0\x01\xfc\0", &long[..]].concat()),
        ]
        .concat()),
        Server({
            let mut s = S::new(eof);
            let mut first = s.columns(&[("redact", 0xfd), ("redact", 8), ("plain", 3), ("null", 0x0c)]);
            first.extend(s.binary_row(&[Some(b"\x06SECRET"), Some(b"SECRETSE"), None, Some(b"\x04\xda\x07\x0a\x11")]));
            first.extend(s.binary_row(&[None, None, Some(&[1, 2, 3, 4]), None]));
            first.extend(s.end(0));
            let mut s = S::new(eof);
            first.extend(s.raw(&[1]));
            first.extend(s.column("redact", 0xfd));
            first.extend(s.end(CURSOR));
            first
        }),
        C([c::fetch(1, 2), c::reset(1), c::close(1), c::execute(1, 0, b"")].concat()),
        Server({
            let mut s = S::new(eof);
            [s.binary_row(&[Some(b"\x06SECRET")]), s.end(CURSOR | 0x80), S::new(eof).ok(0, 0)].concat()
        }),
    ]
}

fn limited(eof: bool) -> Vec<Step> {
    let mut s = S::new(eof);
    let mut text = vec![s.texts(&["redact", "plain"])];
    (0..4).for_each(|_| text.push(s.row(&[Some(b"SECRET"), Some(b"x")])));
    text.push(s.end(MORE));
    text.push(s.ok(0, 0));
    let mut s = S::new(eof);
    let plain = [s.texts(&["plain"]), s.row(&[Some(b"1")]), s.row(&[Some(b"2")]), s.row(&[Some(b"3")]), s.end(0)];
    vec![
        C([c::query("SELECT MASK LIMIT2"), c::query("SELECT LIMIT2"), c::ping()].concat()),
        Server(text.concat()),
        Server(plain.concat()),
        Server(S::new(eof).ok(0, 0)),
    ]
}

fn users(eof: bool) -> Vec<Step> {
    let relayed = switch(1, "mysql_native_password", &[b'c'; 20]);
    vec![
        C([c::query("SELECT 1"), change_by("allowed", "mysql_native_password")].concat()),
        Server(S::new(eof).ok(0, 0)),
        Server(relayed),
        C([packet(2, &[7; 20]), c::query("SELECT 2")].concat()),
        Server(packet(3, b"\0\0\0\x02\0\0\0")),
        Server(S::new(eof).ok(0, 0)),
    ]
}

fn checked_users(eof: bool) -> Vec<Step> {
    vec![
        C(change_by("allowed elsewhere", "caching_sha2_password")),
        C([packet(2, &sha2::answer(b"pw", CHALLENGE)), packet(4, b"\x02")].concat()),
        C([packet(6, b"cipher"), c::query("SELECT 2")].concat()),
        Server(switch(1, "caching_sha2_password", &[b'c'; 20])),
        Server(packet(3, b"\x01\x03")),
        Server(packet(4, b"\0\0\0\x02\0\0\0")),
        Server(S::new(eof).ok(0, 0)),
    ]
}

fn huge(eof: bool) -> Vec<Step> {
    let huge = b"SECRET".repeat(250_000);
    let mut s = S::new(eof);
    let start = s.texts(&["redact", "plain", "detect"]);
    let mut stream = start;
    stream.extend(s.row(&[Some(&huge), Some(b"kept"), Some(&huge)]));
    stream.extend(s.row(&[Some(b"SECRET"), None, Some(b"SECRET@")]));
    stream.extend(s.end(0));
    let long = c::query(&format!("SELECT '{}'", "x".repeat(200_000)));
    vec![C([c::query("SELECT MASK"), long].concat()), Server(stream), Server(S::new(eof).ok(0, 0))]
}

fn run(steps: &[Step], cut: Cut, deprecate_eof: bool, tracks: bool, checked: bool) -> Simulation {
    let mut sim = Simulation::with(Dialect { deprecate_eof, tracks, ..Dialect::default() }, cut);
    if checked {
        sim = sim.checked_by(Rc::new(Keeper));
    }
    for step in steps {
        sim.step(step).unwrap_or_else(|fault| panic!("{fault}"));
    }
    assert_eq!(sim.session.outstanding(), 0);
    sim
}

fn agrees(steps: fn(bool) -> Vec<Step>, cuts: impl Fn() -> Vec<(String, Cut)>) {
    agrees_where(steps, cuts, false);
}

fn agrees_where(steps: fn(bool) -> Vec<Step>, cuts: impl Fn() -> Vec<(String, Cut)>, checked: bool) {
    for (eof, tracks) in [(false, false), (true, true), (true, false)] {
        let steps = steps(eof);
        let whole = run(&steps, Cut::Whole, eof, tracks, checked);
        assert!(!contains(&whole.to_client, b"SECRET"));
        for (name, cut) in cuts() {
            let sim = run(&steps, cut, eof, tracks, checked);
            assert!(sim.to_client == whole.to_client, "to the client, cut {name}");
            assert!(sim.to_server == whole.to_server, "to the server, cut {name}");
            assert_eq!(sim.guard.log, whole.guard.log, "cut {name}");
        }
    }
}

fn cuts() -> Vec<(String, Cut)> {
    let every = (1..12).map(|bytes| (format!("every {bytes}"), Cut::Every(bytes)));
    every.chain((0..200).map(|seed| (format!("seed {seed}"), Cut::Random(Random::new(seed))))).collect()
}

#[test]
fn the_text_protocol_does_not_depend_on_cuts() {
    agrees(text, cuts);
}

#[test]
fn prepared_statements_do_not_depend_on_cuts() {
    agrees(prepared, cuts);
}

#[test]
fn counted_rows_do_not_depend_on_cuts() {
    agrees(limited, cuts);
}

#[test]
fn changes_of_user_do_not_depend_on_cuts() {
    agrees(users, cuts);
    agrees_where(checked_users, cuts, true);
}

#[test]
fn huge_rows_do_not_depend_on_cuts() {
    agrees(huge, || [1021, 65_536, (1 << 20) + 11].map(|bytes| (format!("every {bytes}"), Cut::Every(bytes))).into());
}
