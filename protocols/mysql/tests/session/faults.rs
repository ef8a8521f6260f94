//! Garbage from either side ends the session with a named fault, and never panics.

use wire::fault::Culprit;

use crate::messages::{S, c, packet};
use crate::simulation::{Cut, Dialect, Random, Simulation, Step};

#[test]
fn replies_that_nobody_asked_for_end_the_session() {
    for reply in [S::new(true).ok(0, 0), packet(1, b"\x01"), packet(1, b"\xfe\0\0\x02\0"), packet(1, b"")] {
        let mut sim = Simulation::new();
        let fault = sim.s_fault(&[reply]);
        assert_eq!(fault.culprit, Culprit::Server);
        assert_eq!(sim.to_client, b"");
    }
}

#[test]
fn nonsense_of_the_server_has_a_name() {
    for (reply, reason) in [
        (packet(1, b""), "malformed_server_message"),
        (packet(1, b"\0"), "malformed_server_message"),
        (packet(1, b"\xff"), "malformed_server_message"),
        (packet(1, b"\x02\x01"), "malformed_server_message"),
        (packet(1, b"\xfc\0\0"), "malformed_server_message"),
        (packet(1, b"\0\0\0\x02\x40\0\0\0\x09"), "malformed_server_message"),
        ([packet(1, b"\x01"), packet(2, b"\x03de")].concat(), "malformed_server_message"),
        ([packet(1, b"\x01"), packet(2, &vec![3; 600_000])].concat(), "oversized_server_message"),
        (packet(1, &vec![0; 1_100_000]), "oversized_server_message"),
    ] {
        for cut in [usize::MAX, 1, 4] {
            let mut sim = Simulation::with(Dialect::default(), Cut::Every(cut));
            sim.c(&[c::query("SELECT MASK")]);
            let fault = sim.s_fault(std::slice::from_ref(&reply));
            assert_eq!((fault.reason, fault.culprit), (reason, Culprit::Server), "{:?}", &reply[..reply.len().min(30)]);
        }
    }
}

#[test]
fn endless_pipelines_are_bounded() {
    let mut sim = Simulation::new();
    let many = c::ping().repeat(10_000);
    let fault = (0..30).find_map(|_| {
        let result = sim.step(&Step::C(many.clone()));
        sim.to_server.clear();
        result.err()
    });
    assert_eq!(fault.expect("a fault").reason, "pipeline_depth");
    let mut sim = Simulation::new();
    let many = c::query(&"x".repeat(17 << 10)).repeat(100);
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
fn random_bytes_never_panic() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let dialect = Dialect {
            deprecate_eof: random.below(2) == 0,
            attributes: random.below(2) == 0,
            tracks: random.below(2) == 0,
            extended: random.below(2) == 0,
            replication: random.below(2) == 0,
            client_secure: false,
        };
        let mut sim = Simulation::with(dialect, Cut::Random(Random::new(seed + 1)));
        let _ = sim.step(&Step::C(
            [c::prepare("SELECT MASK"), c::query("SELECT MASK"), c::execute(u32::MAX, 1, b"")].concat(),
        ));
        for _ in 0..60 {
            let length = [0, 1, 2, 5, 7, 9, 30, 300][random.below(8)];
            let first = [0, 1, 3, 0x11, 0x12, 0x16, 0x17, 0x18, 0x19, 0x1c, 0xfa, 0xfb, 0xfe, 0xff][random.below(14)];
            let mut payload: Vec<u8> = (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
            if let Some(byte) = payload.first_mut() {
                *byte = first;
            }
            let bytes = packet(u8::try_from(random.below(3)).unwrap(), &payload);
            let step = if random.below(2) == 0 { Step::C(bytes) } else { Step::S(bytes) };
            if sim.step(&step).is_err() {
                break;
            }
        }
        sim.session.on_closed(&mut sim.guard);
    }
}

#[test]
fn packets_out_of_order_end_the_session() {
    let ok = |seq| packet(seq, b"\0\0\0\x02\0\0\0");
    for (client, server) in [
        (vec![c::query("SELECT 1")], vec![ok(2)]),
        (vec![c::query("SELECT 1")], vec![ok(0)]),
        (vec![c::prepare("SELECT 1")], vec![packet(3, b"\0\x01\0\0\0\0\0\0\0\0\0\0")]),
        (vec![c::query("SELECT 1"), c::ping()], vec![ok(1), ok(2)]),
    ] {
        let mut sim = Simulation::new();
        sim.c(&client);
        assert_eq!(sim.s_fault(&server).reason, "packets_out_of_order");
    }
    // In the middle of a result, masked or not.
    for sql in ["SELECT 1", "SELECT MASK"] {
        let mut sim = Simulation::new();
        sim.c(&[c::query(sql)]);
        let mut s = S::new(true);
        let start = [s.texts(&["redact"]), s.row(&[Some(b"a")])].concat();
        s.seq += 1;
        assert_eq!(sim.s_fault(&[start, s.row(&[Some(b"b")])]).reason, "packets_out_of_order", "{sql}");
    }
    for bytes in [packet(1, b"\x03SELECT 1"), packet(255, b"\x0e"), [c::ping(), packet(1, b"\x0e")].concat()] {
        let fault = Simulation::new().c_fault(&[bytes]);
        assert_eq!((fault.reason, mysql::reply::fault_code(&fault)), ("packets_out_of_order", (1156, *b"08S01")));
    }
    // A file's packets go on from the server's.
    let mut sim = Simulation::new();
    sim.passes_half(&[c::query("LOAD DATA")], &[packet(1, b"\xfballowed")]);
    assert_eq!(sim.c_fault(&[packet(3, b"1,2")]).reason, "packets_out_of_order");
    // What a server says as it goes may have any number; a command of several packets is answered from its last one.
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT 1")]);
    let killed = packet(7, b"\xff\x87\x07#70100Connection was killed");
    assert_eq!(sim.s(std::slice::from_ref(&killed)), killed);
}
