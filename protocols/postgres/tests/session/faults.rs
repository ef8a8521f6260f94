//! Garbage from either side ends the session with a named fault, and never panics.

use wire::fault::Culprit;

use crate::messages::{c, frame, s};
use crate::simulation::{Cut, Random, Simulation, Step};

#[test]
fn garbage_of_the_client_has_a_name() {
    for (bytes, reason) in [
        (b"Q\0\0\0\x03".to_vec(), "undersized_frame"),
        (b"Q\xff\xff\xff\xff".to_vec(), "undersized_frame"),
        (b"Q\x7f\xff\xff\xff".to_vec(), "oversized_frame"),
        (frame(b'p', b"secret\0"), "password_message"),
        (frame(b'?', b""), "unknown_message"),
        (frame(b'T', b""), "unknown_message"),
        (frame(b'Q', b"SELECT 1"), "malformed_message"),
        (frame(b'Q', b""), "malformed_message"),
        (frame(b'Q', b"SELECT 1\0; DROP TABLE t\0"), "malformed_message"),
        (frame(b'P', b"name\0text\0"), "malformed_message"),
        (frame(b'P', b"name\0text\0\0\x01"), "malformed_message"),
        (frame(b'P', b"name\0text\0\0\0x"), "malformed_message"),
        (frame(b'B', b"portal"), "malformed_message"),
        (frame(b'E', b"portal\0"), "malformed_message"),
        (frame(b'E', b"portal\0\0\0\0\0x"), "malformed_message"),
        (frame(b'D', b"Xname\0"), "malformed_message"),
        (frame(b'D', b""), "malformed_message"),
        (frame(b'C', b"Sname"), "malformed_message"),
        (frame(b'S', b"x"), "malformed_message"),
        (frame(b'F', b"\0\0"), "malformed_message"),
    ] {
        let fault = Simulation::new().c_fault(std::slice::from_ref(&bytes));
        assert_eq!((fault.reason, fault.culprit), (reason, Culprit::Client), "{bytes:?}");
        for cut in 1..3 {
            let mut sim = Simulation::with(crate::guard::TestGuard::default(), Cut::Every(cut), false);
            assert_eq!(sim.c_fault(std::slice::from_ref(&bytes)).reason, reason, "{bytes:?}");
        }
    }
}

#[test]
fn a_malformed_bind_is_found_wherever_it_is_cut() {
    let mut body = b"\0s\0\0\x01\0\x05".to_vec();
    body.extend_from_slice(&[0; 8]);
    for cut in [Cut::Whole, Cut::Every(1)] {
        let mut sim = Simulation::with(crate::guard::TestGuard::default(), cut, false);
        sim.c(&[c::parse("s", "SELECT 1")]);
        assert_eq!(sim.c_fault(&[frame(b'B', &body)]).reason, "malformed_message");
    }
}

#[test]
fn endless_names_and_pipelines_are_bounded() {
    let mut sim = Simulation::new();
    let name = "n".repeat(20_000);
    assert_eq!(sim.c_fault(&[c::bind(&name, "", &[], &[])[..19_000].to_vec()]).reason, "oversized_message");
    let mut sim = Simulation::new();
    let many = c::sync().repeat(10_000);
    let fault = (0..30).find_map(|_| {
        let result = sim.step(&Step::C(many.clone()));
        sim.to_server.clear();
        result.err()
    });
    assert_eq!(fault.expect("a fault").reason, "pipeline_depth");
}

#[test]
fn texts_sent_ahead_are_bounded_in_bytes() {
    let mut sim = Simulation::new();
    let many = c::query(&"x".repeat(32 << 10)).repeat(100);
    let fault = (0..100).find_map(|_| {
        let result = sim.step(&Step::C(many.clone()));
        sim.to_server.clear();
        result.err()
    });
    assert_eq!(fault.expect("a fault").reason, "pipeline_depth");
    sim.session.on_closed(&mut sim.guard);
    let count = |word: &str| sim.guard.log.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!(count("begin"), count("abandoned"));
}

#[test]
fn nonsense_of_the_server_has_a_name() {
    for (reply, reason) in [
        (s::ready(b'I'), "unexpected_server_message"),
        (s::row(&[None]), "unexpected_server_message"),
        (s::parsed(), "unexpected_server_message"),
        (s::bound(), "unexpected_server_message"),
        (s::closed(), "unexpected_server_message"),
        (s::suspended(), "unexpected_server_message"),
        (s::no_data(), "unexpected_server_message"),
        (s::parameters(), "unexpected_server_message"),
        (s::function_result(b"x"), "unexpected_server_message"),
        (s::copy_data(b"x"), "unexpected_server_message"),
        (s::copy_done(), "unexpected_server_message"),
        (frame(b'K', b"\0\0\0\x01\0\0\0\x02"), "unexpected_server_message"),
        (frame(b'R', b"\0\0\0\0"), "unexpected_server_message"),
        (frame(b'v', b"\0\0\0\0\0\0\0\0"), "unexpected_server_message"),
        (frame(b'?', b""), "unexpected_server_message"),
        (frame(b'C', b"SELECT 1"), "malformed_server_message"),
        (frame(b'S', b"name\0"), "malformed_server_message"),
        (frame(b'Z', b"X"), "malformed_server_message"),
        (b"T\0\0\0\0".to_vec(), "undersized_frame"),
        (b"D\x7f\0\0\0".to_vec(), "oversized_frame"),
    ] {
        for cut in [usize::MAX, 1, 4] {
            let mut sim = Simulation::with(crate::guard::TestGuard::default(), Cut::Every(cut), false);
            sim.c(&[c::query("SELECT 1")]);
            let fault = sim.s_fault(std::slice::from_ref(&reply));
            assert_eq!((fault.reason, fault.culprit), (reason, Culprit::Server), "{reply:?}");
            assert_eq!(sim.to_client, b"", "{reply:?}");
        }
    }
}

#[test]
fn replies_that_nobody_asked_for_end_the_session() {
    for reply in
        [s::ready(b'I'), s::complete("SELECT 1"), s::row(&[None]), s::error("42601", "x"), s::description(&["a"], 0)]
    {
        let mut sim = Simulation::new();
        assert_eq!(sim.s_fault(std::slice::from_ref(&reply)).reason, "unexpected_server_message");
        assert_eq!(sim.to_client, b"");
    }
}

#[test]
fn a_description_that_lies_ends_the_session() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK")]);
    assert_eq!(sim.s_fault(&[frame(b'T', b"\0\x05x\0")]).reason, "malformed_server_message");
}

#[test]
fn an_endless_description_is_bounded() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK")]);
    let fault = sim.s_fault(&[frame(b'T', &vec![b'x'; 600 << 10])]);
    assert_eq!(fault.reason, "oversized_server_message");
}

#[test]
fn a_refused_message_that_succeeds_ends_the_session() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("DENY")]);
    assert_eq!(sim.s_fault(&[s::complete("DROP TABLE")]).reason, "unexpected_server_message");
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "DENY"), c::sync()]);
    assert_eq!(sim.s_fault(&[s::parsed()]).reason, "unexpected_server_message");
}

#[test]
fn random_bytes_and_random_messages_never_panic() {
    let alphabet: Vec<Vec<u8>> = vec![
        c::query("SELECT MASK"),
        c::query("DENY"),
        c::parse("", "SELECT MASK"),
        c::parse("s", "SELECT 1"),
        c::bind("", "", &[], &[]),
        c::bind("p", "s", &[None], &[1]),
        c::describe(b'S', "s"),
        c::describe(b'P', ""),
        c::execute("", 0),
        c::execute("p", 1),
        c::close(b'S', "s"),
        c::sync(),
        c::flush(),
        c::copy_data(b"x"),
        c::copy_done(),
        c::copy_fail("x"),
        c::function_call(666),
    ];
    let replies: Vec<Vec<u8>> = vec![
        s::ready(b'I'),
        s::ready(b'T'),
        s::complete("SELECT 1"),
        s::parsed(),
        s::bound(),
        s::closed(),
        s::no_data(),
        s::suspended(),
        s::parameters(),
        s::description(&["redact"], 0),
        s::row(&[Some(b"SECRET")]),
        s::error("42601", "SECRET"),
        s::copy_in(),
        s::copy_out(false, 1),
        s::copy_data(b"SECRET\n"),
        s::copy_done(),
        s::function_result(b"x"),
        s::empty(),
        s::notice("x"),
    ];
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let guard = crate::guard::TestGuard { copy_columns: vec!["redact"], ..Default::default() };
        let mut sim = Simulation::with(guard, Cut::Random(Random::new(seed + 1)), false);
        for _ in 0..60 {
            let from = if random.below(2) == 0 { &alphabet } else { &replies };
            let mut bytes = from[random.below(from.len())].clone();
            if random.below(40) == 0 {
                let at = random.below(bytes.len());
                bytes[at] = bytes[at].wrapping_add(1);
            }
            let step = if std::ptr::eq(from, &alphabet) { Step::C(bytes) } else { Step::S(bytes) };
            if sim.step(&step).is_err() {
                sim.session.on_closed(&mut sim.guard);
                break;
            }
        }
        let begun = sim.guard.log.iter().filter(|line| line.starts_with("begin")).count();
        sim.session.on_closed(&mut sim.guard);
        let ended =
            sim.guard.log.iter().filter(|line| line.starts_with("completed") || line.starts_with("abandoned")).count();
        assert!(ended >= begun, "seed {seed}: {:#?}", sim.guard.log);
    }
}
