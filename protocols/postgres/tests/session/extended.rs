//! The extended protocol: pipelines, names, errors and skipping, refusals, layouts.

use crate::messages::{c, frame, s};
use crate::simulation::{Simulation, Step, contains, kinds};

fn refusal() -> Vec<u8> {
    frame(b'E', b"SERROR\0VERROR\0C42501\0Mrule no-drop\0Hask\0\0")
}

fn failing_parse(name: &str) -> Vec<u8> {
    c::parse(name, "wiregate refused this statement")
}

#[test]
fn a_pipeline_passes_unchanged_as_one_piece_each_way() {
    let mut sim = Simulation::new();
    let messages = [
        c::parse("s", "SELECT $1"),
        c::bind("", "s", &[Some(b"value"), None], &[1]),
        c::describe(b'P', ""),
        c::execute("", 0),
        c::close(b'S', "s"),
        c::flush(),
        c::sync(),
    ];
    assert_eq!(sim.c(&messages), messages.concat());
    assert_eq!(sim.segments.1, 1);
    let reply = [
        s::parsed(),
        s::bound(),
        s::description(&["a"], 1),
        s::row(&[Some(b"x")]),
        s::complete("SELECT 1"),
        s::closed(),
        s::ready(b'I'),
    ];
    assert_eq!(sim.s(&reply), reply.concat());
    assert_eq!(sim.segments.0, 1);
    assert!(sim.guard.log.contains(&"begin SELECT $1 [\"value/5\", \"NULL\"]".to_owned()), "{:?}", sim.guard.log);
    assert!(sim.session.is_idle());
}

#[test]
fn a_prepared_statement_runs_again_without_its_text() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::parse("s", "SELECT 1"), c::describe(b'S', "s"), c::sync()],
        &[s::parsed(), s::parameters(), s::description(&["a"], 0), s::ready(b'I')],
    );
    for _ in 0..3 {
        sim.passes(
            &[c::bind("", "s", &[], &[]), c::execute("", 0), c::sync()],
            &[s::bound(), s::row(&[Some(b"x")]), s::complete("SELECT 1"), s::ready(b'I')],
        );
    }
    assert_eq!(sim.guard.log.iter().filter(|line| line.starts_with("judge")).count(), 1);
    assert_eq!(sim.guard.log.iter().filter(|line| line.starts_with("completed")).count(), 3);
}

#[test]
fn a_bind_that_an_error_overtakes_gets_no_reply() {
    let bind = c::bind("p", "s", &[Some(b"value")], &[]);
    for cut in 1..bind.len() {
        let mut sim = Simulation::new();
        sim.passes(&[c::parse("s", "SELECT $1"), c::sync()], &[s::parsed(), s::ready(b'I')]);
        sim.c(&[c::execute("nope", 0), bind[..cut].to_vec()]);
        sim.s(&[s::error("34000", "no portal")]);
        sim.c(&[bind[cut..].to_vec(), c::execute("p", 0), c::sync()]);
        assert_eq!(kinds(&sim.s(&[s::ready(b'I')])), "Z", "cut at {cut}");
        sim.passes(
            &[c::bind("p", "s", &[Some(b"x")], &[]), c::execute("p", 0), c::sync()],
            &[s::bound(), s::row(&[Some(b"x")]), s::complete("SELECT 1"), s::ready(b'I')],
        );
    }
}

#[test]
fn an_error_skips_to_sync_and_later_runs_go_on() {
    let mut sim = Simulation::new();
    sim.c(&[
        c::parse("a", "SELECT a"),
        c::bind("", "a", &[], &[]),
        c::execute("", 0),
        c::parse("b", "SELECT b"),
        c::bind("", "b", &[], &[]),
        c::execute("", 0),
        c::sync(),
        c::parse("", "SELECT c"),
        c::bind("", "", &[], &[]),
        c::execute("", 0),
        c::sync(),
    ]);
    let reply = [
        s::parsed(),
        s::bound(),
        s::error("22012", "division"),
        s::ready(b'I'),
        s::parsed(),
        s::bound(),
        s::complete("SELECT 0"),
        s::ready(b'I'),
    ];
    assert_eq!(sim.s(&reply), reply.concat());
    assert!(sim.session.is_idle());
    assert!(sim.guard.log.contains(&"abandoned SELECT b".to_owned()));
    assert!(sim.guard.log.iter().any(|line| line.starts_with("completed SELECT a") && line.contains("22012")));
}

#[test]
fn an_error_before_sync_is_sent_skips_what_follows() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "bad"), c::flush()]);
    let error = s::error("42601", "syntax");
    assert_eq!(sim.s(std::slice::from_ref(&error)), error);
    assert!(sim.guard.log.iter().any(|line| line.starts_with("completed bad") && line.contains("42601")));
    // The server discards these; they are not judged and not counted.
    assert_eq!(sim.c(&[c::bind("", "", &[], &[]), c::execute("", 0), c::query("DENY"), c::sync()]), c::sync());
    assert_eq!(sim.s(&[s::ready(b'I')]), s::ready(b'I'));
    assert!(sim.session.is_idle());
}

#[test]
fn a_timeout_between_two_messages_skips_to_sync() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "SELECT 1"), c::flush()]);
    sim.s(&[s::parsed()]);
    let error = s::error("57014", "statement timeout");
    assert_eq!(sim.s(std::slice::from_ref(&error)), error);
    assert_eq!(sim.c(&[c::bind("", "", &[], &[]), c::sync()]), c::sync());
    assert_eq!(sim.s(&[s::ready(b'I')]), s::ready(b'I'));
}

#[test]
fn an_error_at_commit_comes_with_sync() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::parse("", "INSERT"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()],
        &[s::parsed(), s::bound(), s::complete("INSERT 0 1"), s::error("23503", "deferred"), s::ready(b'I')],
    );
}

#[test]
fn an_error_at_commit_of_masked_data_is_scrubbed() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "INSERT MASK"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()]);
    let seen = sim.s(&[
        s::parsed(),
        s::bound(),
        s::no_data(),
        s::complete("INSERT 0 1"),
        s::error("23505", "SECRET"),
        s::ready(b'I'),
    ]);
    assert_eq!(kinds(&seen), "12CEZ");
    assert!(!contains(&seen, b"SECRET"));
}

#[test]
fn a_refused_parse_fails_there_and_the_rest_up_to_sync_is_not_sent() {
    let mut sim = Simulation::new();
    let sent = sim.c(&[
        c::parse("", "SELECT 1"),
        c::bind("", "", &[], &[]),
        c::execute("", 0),
        c::parse("", "DENY"),
        c::bind("", "", &[], &[]),
        c::describe(b'P', ""),
        c::execute("", 0),
        c::sync(),
        c::query("SELECT 2"),
    ]);
    let expected = [
        c::parse("", "SELECT 1"),
        c::bind("", "", &[], &[]),
        c::execute("", 0),
        failing_parse(""),
        c::sync(),
        c::query("SELECT 2"),
    ];
    assert_eq!(sent, expected.concat());
    let seen = sim.s(&[
        s::parsed(),
        s::bound(),
        s::complete("SELECT 0"),
        s::error("42601", "syntax SECRET"),
        s::ready(b'I'),
        s::complete("SELECT 0"),
        s::ready(b'I'),
    ]);
    assert_eq!(kinds(&seen), "12CEZCZ");
    assert!(contains(&seen, &refusal()) && !contains(&seen, b"SECRET"));
    assert!(sim.session.is_idle());
}

#[test]
fn a_refusal_behind_a_failed_message_is_not_waited_for() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "bad"), c::parse("x", "DENY"), c::sync()]);
    let reply = [s::error("42601", "syntax"), s::ready(b'I')];
    assert_eq!(sim.s(&reply), reply.concat());
    assert!(sim.session.is_idle());
}

#[test]
fn a_statement_refused_when_it_is_bound_leaves_the_clients_statements_alone() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("", "SELECT REJUDGE"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    let sent = sim.c(&[c::bind("", "", &[], &[]), c::execute("", 0), c::sync()]);
    assert_eq!(sent, [failing_parse("wiregate_refused"), c::sync()].concat());
    let seen = sim.s(&[s::error("42601", "syntax"), s::ready(b'I')]);
    assert_eq!(seen, [refusal(), s::ready(b'I')].concat());
    sim.c(&[c::bind("", "", &[], &[])]);
    assert_eq!(sim.guard.rejudged, 2, "the unnamed statement is still there");
}

#[test]
fn portals_stop_at_their_row_limit_and_go_on() {
    let mut sim = Simulation::new();
    sim.passes(
        &[
            c::parse("", "SELECT 1"),
            c::bind("p", "", &[Some(b"v")], &[]),
            c::execute("p", 1),
            c::execute("p", 1),
            c::execute("p", 0),
            c::sync(),
        ],
        &[
            s::parsed(),
            s::bound(),
            s::row(&[Some(b"1")]),
            s::suspended(),
            s::row(&[Some(b"2")]),
            s::suspended(),
            s::complete("SELECT 0"),
            s::ready(b'T'),
        ],
    );
    assert_eq!(sim.guard.log.iter().filter(|line| line.contains("suspended true")).count(), 2);
    assert_eq!(sim.guard.log.iter().filter(|line| *line == "begin SELECT 1 [\"v/1\"]").count(), 3);
}

#[test]
fn a_layout_is_asked_for_when_nobody_described_it_and_the_client_does_not_see_it() {
    let mut sim = Simulation::new();
    let sent = sim.c(&[c::parse("", "SELECT MASK"), c::bind("p", "", &[], &[1]), c::execute("p", 0), c::sync()]);
    let expected = [
        c::parse("", "SELECT MASK"),
        c::bind("p", "", &[], &[1]),
        c::describe(b'P', "p"),
        c::execute("p", 0),
        c::sync(),
    ];
    assert_eq!(sent, expected.concat());
    let seen = sim.s(&[
        s::parsed(),
        s::bound(),
        s::description(&["redact"], 1),
        s::row(&[Some(b"SECRET")]),
        s::complete("SELECT 1"),
        s::ready(b'I'),
    ]);
    assert_eq!(
        seen,
        [s::parsed(), s::bound(), s::row(&[Some(b"******")]), s::complete("SELECT 1"), s::ready(b'I')].concat()
    );
    assert!(sim.guard.log.contains(&"plan SELECT MASK part 0 binary [true]".to_owned()));
}

#[test]
fn a_layout_remembered_from_the_statement_takes_the_portals_formats() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::parse("s", "SELECT MASK"), c::describe(b'S', "s"), c::sync()],
        &[s::parsed(), s::parameters(), s::description(&["redact", "plain"], 0), s::ready(b'I')],
    );
    for formats in [&[0_u16, 1][..], &[1], &[]] {
        let messages = [c::bind("", "s", &[], formats), c::execute("", 0), c::sync()];
        assert_eq!(sim.c(&messages), messages.concat(), "nothing is injected");
        let seen =
            sim.s(&[s::bound(), s::row(&[Some(b"SECRET"), Some(b"p")]), s::complete("SELECT 1"), s::ready(b'I')]);
        assert!(!contains(&seen, b"SECRET") && contains(&seen, b"******"));
    }
    let plans: Vec<_> = sim.guard.log.iter().filter(|line| line.starts_with("plan")).collect();
    assert_eq!(plans.len(), 3);
    assert!(plans[0].ends_with("[false, true]") && plans[1].ends_with("[true, true]"));
}

#[test]
fn a_remembered_layout_is_not_trusted_after_ddl() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::parse("s", "SELECT MASK"), c::describe(b'S', "s"), c::sync()],
        &[s::parsed(), s::parameters(), s::description(&["plain"], 0), s::ready(b'I')],
    );
    sim.passes(&[c::query("SET search_path = other")], &[s::complete("SET"), s::ready(b'I')]);
    let sent = sim.c(&[c::bind("", "s", &[], &[]), c::execute("", 0), c::sync()]);
    assert_eq!(kinds(&sent), "BDES");
    let seen = sim.s(&[
        s::bound(),
        s::description(&["redact"], 0),
        s::row(&[Some(b"SECRET")]),
        s::complete("SELECT 1"),
        s::ready(b'I'),
    ]);
    assert!(!contains(&seen, b"SECRET"));
}

#[test]
fn a_failed_parse_leaves_the_old_statement() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("s", "SELECT MASK"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    sim.passes(&[c::parse("s", "SELECT harmless"), c::sync()], &[s::error("42P05", "exists"), s::ready(b'I')]);
    let sent = sim.c(&[c::bind("", "s", &[], &[]), c::execute("", 0), c::sync()]);
    assert_eq!(kinds(&sent), "BDES", "the masked statement is still the one that runs");
}

#[test]
fn a_statement_swapped_by_a_skipped_parse_does_not_pass_for_the_new_one() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("s", "SELECT MASK"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    sim.c(&[
        c::parse("", "bad"),
        c::close(b'S', "s"),
        c::parse("s", "SELECT harmless"),
        c::sync(),
        c::bind("", "s", &[], &[]),
        c::execute("", 0),
        c::sync(),
    ]);
    sim.s(&[s::error("42601", "bad"), s::ready(b'I')]);
    let fault = sim.s_fault(&[s::bound(), s::row(&[Some(b"SECRET")])]);
    assert_eq!(fault.reason, "stale_pipeline");
    assert!(!contains(&sim.to_client, b"SECRET"));
}

#[test]
fn long_names_are_one_where_the_server_takes_them_for_one() {
    let mut sim = Simulation::new();
    let name = "n".repeat(63);
    sim.passes(&[c::parse(&format!("{name}a"), "SELECT MASK"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    let sent = sim.c(&[c::bind("", &format!("{name}b"), &[], &[]), c::execute("", 0), c::sync()]);
    assert_eq!(kinds(&sent), "BDES");
}

#[test]
fn a_statement_prepared_by_sql_text_is_judged_as_what_runs_it() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("s", "SELECT 1"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    sim.passes(&[c::query("PREPARE")], &[s::complete("PREPARE"), s::ready(b'I')]);
    sim.c(&[c::bind("", "s", &[], &[]), c::execute("", 0), c::execute("cur\"sor", 0), c::sync()]);
    assert!(sim.guard.log.iter().any(|line| line.starts_with("judge EXECUTE \"s\" Prepare")), "{:?}", sim.guard.log);
    assert!(sim.guard.log.iter().any(|line| line.starts_with("judge FETCH ALL FROM \"cur\"\"sor\" Prepare")));
}

#[test]
fn a_bind_of_a_missing_unnamed_statement_fails_on_the_server() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::bind("", "", &[], &[]), c::execute("", 0), c::sync()],
        &[s::error("26000", "unnamed prepared statement does not exist"), s::ready(b'I')],
    );
    sim.c(&[c::bind("", "", &[], &[]), c::sync()]);
    assert_eq!(sim.s_fault(&[s::bound()]).reason, "unexpected_server_message");
}

#[test]
fn a_simple_query_drops_the_unnamed_statement() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("", "SELECT REJUDGE"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    sim.passes(&[c::query("SELECT 1")], &[s::complete("SELECT 0"), s::ready(b'I')]);
    sim.passes(&[c::bind("", "", &[], &[]), c::sync()], &[s::error("26000", "gone"), s::ready(b'I')]);
    assert_eq!(sim.guard.rejudged, 0);
}

#[test]
fn an_unnamed_statement_over_several_runs_is_found() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("", "SELECT 1"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    sim.passes(
        &[c::bind("", "", &[], &[]), c::describe(b'P', ""), c::execute("", 0), c::sync()],
        &[s::bound(), s::no_data(), s::complete("SELECT 0"), s::ready(b'I')],
    );
}

#[test]
fn a_query_in_the_middle_of_a_run_is_answered_in_order() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::parse("a", "A"), c::query("SELECT 1"), c::parse("b", "B"), c::sync()],
        &[s::parsed(), s::complete("SELECT 0"), s::ready(b'I'), s::parsed(), s::ready(b'I')],
    );
}

#[test]
fn names_are_bounded_and_the_client_is_told() {
    let mut sim = Simulation::new();
    for index in 0..wire::limits::NAMES_PER_SESSION {
        sim.c(&[c::parse(&format!("{index}"), "S")]);
        sim.s(&[s::parsed()]);
    }
    assert_eq!(sim.c(&[c::parse("more", "S"), c::sync()]), [failing_parse("wiregate_refused"), c::sync()].concat());
    let seen = sim.s(&[s::error("42601", "x"), s::ready(b'I')]);
    assert!(contains(&seen, b"C54000\0"));
    sim.passes(&[c::close(b'S', "0"), c::sync()], &[s::closed(), s::ready(b'I')]);
    sim.passes(&[c::parse("more", "S"), c::sync()], &[s::parsed(), s::ready(b'I')]);
}

#[test]
fn many_small_bind_messages_leave_nothing_behind() {
    let mut sim = Simulation::new();
    sim.passes(&[c::parse("s", "SELECT 1"), c::sync()], &[s::parsed(), s::ready(b'I')]);
    let before = sim.session.state_bytes();
    for index in 0..100 {
        let portal = format!("p{index}");
        sim.passes(
            &[c::bind(&portal, "s", &[Some(b"x")], &[]), c::execute(&portal, 0), c::sync()],
            &[s::bound(), s::complete("SELECT 0"), s::ready(b'I')],
        );
    }
    assert_eq!(sim.session.state_bytes(), before);
}

#[test]
fn layouts_count_against_the_session_and_are_given_back() {
    let mut sim = Simulation::new();
    let names: Vec<String> = (0..1000).map(|index| format!("column_{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wide = s::description(&names, 0);
    let before = sim.session.state_bytes();
    let prepare = |sim: &mut Simulation, index: usize| {
        let name = format!("s{index}");
        sim.c(&[c::parse(&name, "SELECT MASK"), c::describe(b'S', &name), c::sync()]);
        sim.s(&[s::parsed(), s::parameters(), wide.clone(), s::ready(b'I')]);
    };
    prepare(&mut sim, 0);
    assert!(sim.session.state_bytes() > before + 50_000);
    for index in 1..1000 {
        prepare(&mut sim, index);
    }
    assert!(sim.session.state_bytes() <= wire::limits::SESSION_STATE_BYTES);
    for index in 0..1000 {
        sim.passes(&[c::close(b'S', &format!("s{index}")), c::sync()], &[s::closed(), s::ready(b'I')]);
    }
    assert_eq!(sim.session.state_bytes(), before);
}

#[test]
fn a_remembered_layout_serves_only_while_nothing_else_runs() {
    let mut sim = Simulation::new();
    sim.passes(
        &[c::parse("s", "SELECT MASK"), c::describe(b'S', "s"), c::sync()],
        &[s::parsed(), s::parameters(), s::description(&["redact"], 0), s::ready(b'I')],
    );
    let sent = sim.c(&[c::query("SET x"), c::bind("", "s", &[], &[]), c::execute("", 0), c::sync()]);
    assert_eq!(kinds(&sent), "QBDES");
}

#[test]
fn a_decision_about_a_skipped_message_is_not_taken_for_the_next_one() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "bad"), c::parse("x", "HOLD"), c::sync(), c::parse("y", "DENY"), c::sync()]);
    sim.s(&[s::error("42601", "bad")]);
    sim.step(&Step::Decide(Ok(()))).unwrap();
    let sent = std::mem::take(&mut sim.to_server);
    assert_eq!(sent, [c::sync(), failing_parse("wiregate_refused"), c::sync()].concat());
}
