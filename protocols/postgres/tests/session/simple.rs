//! Simple queries, function calls, refusals, holds, the catalogue, asynchronous messages.

use postgres::session::TransactionStatus;

use crate::guard::denial;
use crate::messages::{c, frame, s};
use crate::simulation::{Simulation, Step, contains, kinds};

fn refusal() -> Vec<u8> {
    frame(b'E', b"SERROR\0VERROR\0C42501\0Mrule no-drop\0Hask\0\0")
}

fn failing_query() -> Vec<u8> {
    frame(b'Q', b"wiregate refused this statement\0")
}

#[test]
fn a_simple_query_passes_unchanged_as_one_piece_each_way() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT 1")]);
    assert_eq!(sim.segments.1, 1);
    let reply = [
        s::description(&["a", "b"], 0),
        s::row(&[Some(b"1"), None]),
        s::row(&[None, None]),
        s::complete("SELECT 2"),
        s::ready(b'I'),
    ];
    assert_eq!(sim.s(&reply), reply.concat());
    assert_eq!(sim.segments.0, 1);
    assert_eq!(sim.guard.log[0], "judge SELECT 1 Query 8 true");
    assert_eq!(sim.guard.log[1], "begin SELECT 1 []");
    let out = reply[..4].concat().len();
    let expected = format!("completed SELECT 1 part 0 tag SELECT 2 rows 2 state None suspended false in 14 out {out}");
    assert_eq!(sim.guard.log[2], expected);
    assert!(sim.session.is_idle());
}

#[test]
fn several_statements_of_one_text_are_reported_one_by_one() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::query("BEGIN; SELECT 1; ;")],
        &[
            s::complete("BEGIN"),
            s::description(&["a"], 0),
            s::row(&[None]),
            s::complete("SELECT 1"),
            s::empty(),
            s::ready(b'T'),
        ],
    );
    assert_eq!(sim.session.transaction(), TransactionStatus::InTransaction);
    assert!(sim.guard.log[2].contains("part 0 tag BEGIN"));
    assert!(sim.guard.log[3].contains("part 1 tag SELECT 1"));
    assert!(sim.guard.log[4].contains("part 2 tag  rows 0"));
}

#[test]
fn a_refused_query_fails_on_the_server_and_shows_our_error() {
    let mut sim = Simulation::new();
    let sent = sim.c(&[c::query("SELECT 1"), c::query("DENY"), c::query("SELECT 2")]);
    assert_eq!(sent, [c::query("SELECT 1"), failing_query(), c::query("SELECT 2")].concat());
    let first = [s::complete("SELECT 0"), s::ready(b'T')];
    assert_eq!(sim.s(&first), first.concat());
    let seen = sim.s(&[s::error("42601", "syntax error SECRET"), s::ready(b'E')]);
    assert_eq!(seen, [refusal(), s::ready(b'E')].concat());
    assert_eq!(sim.session.transaction(), TransactionStatus::Failed);
    let last = [s::error("25P02", "aborted"), s::ready(b'E')];
    assert_eq!(sim.s(&last), last.concat());
    assert!(!sim.guard.log.iter().any(|line| line.starts_with("begin DENY")));
}

#[test]
fn a_fatal_error_in_place_of_a_refusal_is_the_servers_own() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("DENY")]);
    let fatal = s::fatal("57P01", "terminating");
    assert_eq!(sim.s(std::slice::from_ref(&fatal)), fatal);
}

#[test]
fn a_fatal_error_reaches_an_idle_client() {
    let mut sim = Simulation::new();
    let fatal = s::fatal("57P01", "terminating");
    assert_eq!(sim.s(std::slice::from_ref(&fatal)), fatal);
}

#[test]
fn asynchronous_messages_pass_at_any_time() {
    let mut sim = Simulation::new();
    let any = [s::notification(), s::notice("hello"), s::setting("TimeZone", "UTC"), s::notification()];
    assert_eq!(sim.s(&any), any.concat());
    sim.c(&[c::query("SELECT 1")]);
    let reply = [
        any.concat(),
        s::description(&["a"], 0),
        any.concat(),
        s::row(&[Some(b"x")]),
        any.concat(),
        s::complete("SELECT 1"),
        any.concat(),
        s::ready(b'I'),
    ];
    assert_eq!(sim.s(&reply), reply.concat());
    assert!(sim.guard.log.contains(&"setting TimeZone=UTC".to_owned()));
}

#[test]
fn errors_behind_a_mask_are_scrubbed_and_notices_too() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("MASK")]);
    let seen = sim.s(&[s::notice("SECRET"), s::error("23505", "key SECRET"), s::ready(b'I')]);
    assert!(!contains(&seen, b"SECRET"));
    assert_eq!(kinds(&seen), "NEZ");
    assert!(contains(&seen, b"C23505\0"));
    assert!(sim.guard.log.iter().any(|line| line.contains("state Some(\"23505\")")));
}

#[test]
fn an_error_too_large_to_gather_is_scrubbed_whole() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("MASK")]);
    let mut body = b"SERROR\0VERROR\0C23505\0MSECRET ".to_vec();
    body.resize(100_000, b'S');
    body.extend_from_slice(b"\0\0");
    let seen = sim.s(&[frame(b'E', &body), s::ready(b'I')]);
    assert_eq!(kinds(&seen), "EZ");
    assert!(!contains(&seen, b"SECRET") && seen.len() < 300);
}

#[test]
fn an_error_too_large_to_gather_passes_whole_where_nothing_is_masked() {
    let mut sim = Simulation::new();
    let mut body = b"SERROR\0VERROR\0C23505\0M".to_vec();
    body.resize(100_000, b'S');
    body.extend_from_slice(b"\0\0");
    sim.passes(&[c::query("x")], &[frame(b'E', &body), s::ready(b'I')]);
}

#[test]
fn a_held_query_waits_and_goes_on_as_decided() {
    for (decision, sent, seen) in
        [(Ok(()), c::query("HOLD"), s::complete("X")), (Err(denial()), failing_query(), refusal())]
    {
        let mut sim = Simulation::new();
        assert_eq!(sim.c(&[c::query("HOLD"), c::query("SELECT 2")]), b"");
        assert!(sim.session.client_blocked() && sim.session.is_held() && !sim.session.is_idle());
        sim.step(&Step::Decide(decision.clone())).unwrap();
        assert_eq!(std::mem::take(&mut sim.to_server), [sent, c::query("SELECT 2")].concat());
        let reply = if decision.is_ok() { s::complete("X") } else { s::error("42601", "syntax") };
        assert_eq!(sim.s(&[reply, s::ready(b'I')]), [seen, s::ready(b'I')].concat());
    }
}

#[test]
fn the_catalogue_is_read_between_two_requests_and_nobody_sees_it() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[c::query("NEEDS"), c::query("SELECT 2")]), c::query("catalogue one; two"));
    assert!(sim.session.client_blocked() && !sim.session.is_held());
    let seen = sim.s(&[
        s::description(&["a"], 0),
        s::row(&[Some(b"1"), None]),
        s::notice("passes"),
        s::complete("SELECT 1"),
        s::notification(),
        s::description(&["a"], 0),
        s::row(&[Some(b"2")]),
        s::complete("SELECT 1"),
        s::ready(b'I'),
    ]);
    assert_eq!(seen, [s::notice("passes"), s::notification()].concat());
    assert_eq!(std::mem::take(&mut sim.to_server), [c::query("NEEDS"), c::query("SELECT 2")].concat());
    let log = &sim.guard.log;
    assert_eq!(log[1], "catalogue 0 [Some(\"1\"), None]");
    assert_eq!(log[2], "catalogue 1 [Some(\"2\")]");
    assert_eq!(log[3], "catalogue done true");
    assert_eq!(log[4], "judge NEEDS Query 5 false");
}

#[test]
fn a_failed_catalogue_is_reported_and_its_error_is_not_seen() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("NEEDS")]);
    assert_eq!(sim.s(&[s::error("42501", "no"), s::ready(b'I')]), b"");
    assert_eq!(std::mem::take(&mut sim.to_server), c::query("NEEDS"));
    assert!(sim.guard.log.contains(&"catalogue done false".to_owned()));
}

#[test]
fn the_catalogue_is_not_offered_in_a_pipeline_or_a_failed_transaction() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT 1"), c::query("NEEDS")]);
    assert!(sim.guard.log.contains(&"judge NEEDS Query 5 false".to_owned()));
    sim.s(&[s::complete("SELECT 0"), s::ready(b'I'), s::error("42601", "x"), s::ready(b'E')]);
    sim.c(&[c::query("NEEDS again")]);
    assert!(sim.guard.log.iter().any(|line| line == "judge NEEDS again Query 11 false"));
}

#[test]
fn the_catalogue_never_takes_the_unnamed_statement_from_the_client() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("", "SELECT 1"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    sim.c(&[c::parse("named", "NEEDS")]);
    assert!(sim.guard.log.iter().any(|line| line == "judge NEEDS Prepare 5 false"), "{:?}", sim.guard.log);
}

#[test]
fn a_function_call_passes_and_is_reported_once() {
    let mut sim = Simulation::new();
    sim.passes(&[c::function_call(1)], &[s::function_result(b"result"), s::ready(b'I')]);
    assert_eq!(sim.guard.log.iter().filter(|line| line.starts_with("completed")).count(), 1);
    sim.passes(&[c::function_call(1)], &[s::error("22000", "x"), s::ready(b'I')]);
    assert_eq!(sim.guard.log.iter().filter(|line| line.starts_with("completed")).count(), 2);
}

#[test]
fn a_refused_function_call_fails_like_one() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[c::function_call(666)]), failing_query());
    let seen = sim.s(&[s::error("42601", "x"), s::ready(b'I')]);
    assert_eq!(seen, [refusal(), s::ready(b'I')].concat());
}

#[test]
fn terminate_is_forwarded_and_told() {
    let mut sim = Simulation::new();
    assert_eq!(sim.c(&[c::terminate()]), c::terminate());
    assert!(sim.terminated);
}

#[test]
fn what_is_in_flight_when_the_connection_ends_is_abandoned() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT 1"), c::query("SELECT 2")]);
    sim.session.on_closed(&mut sim.guard);
    assert_eq!(sim.guard.log.iter().filter(|line| line.starts_with("abandoned")).count(), 2);
}

#[test]
fn a_statement_over_the_limit_is_judged_by_its_beginning() {
    let limit = wire::limits::STATEMENT_BYTES;
    let long = "x".repeat(limit + 1000);
    let mut sim = Simulation::new();
    let query = c::query(&long);
    for chunk in query.chunks(1 << 20) {
        sim.step(&Step::C(chunk.to_vec())).unwrap();
    }
    assert!(sim.to_server == query);
    assert!(sim.guard.log[0].ends_with(&format!("Query {} true", limit + 1000)), "{}", sim.guard.log[0]);
    let mut sim = Simulation::new();
    for chunk in c::query(&format!("DENY{long}")).chunks(1 << 20) {
        sim.step(&Step::C(chunk.to_vec())).unwrap();
    }
    assert_eq!(sim.to_server, failing_query());
    assert_eq!(sim.c(&[c::query("SELECT 1")]), [failing_query(), c::query("SELECT 1")].concat());
}

#[test]
fn an_idle_session_is_small() {
    assert!(
        std::mem::size_of_val(&Simulation::new().session) < 1024,
        "{}",
        std::mem::size_of_val(&Simulation::new().session)
    );
}
