//! Bad input from clients: each gets a clear error or an end, an audit line, and has no effect on others.

use integration::gateway::{Gateway, Setup};
use integration::raw::message::{extended, framed, gssenc_request, lying, parse, query, ssl_request, startup, sync};
use integration::raw::{Client, transcript};
use integration::servers::Server;
use integration::{or_skip, program};
use std::net::Shutdown;
use std::time::{Duration, Instant};

const PROTOCOL_3_0: u32 = 0x0003_0000;

fn gateway(server: &Server) -> Gateway {
    Setup::before(server).gateway_lines("startup_timeout = \"2s\"").start()
}

/// A session that must not notice what others do.
struct Bystander {
    client: Client,
    began: Instant,
}

impl Bystander {
    fn before(gateway: &Gateway) -> Self {
        Self { client: Client::login(&gateway.endpoint("trust_user", false)), began: Instant::now() }
    }

    #[track_caller]
    fn is_well(&mut self, gateway: &mut Gateway) {
        let began = Instant::now();
        assert!(transcript(&self.client.query("SELECT 'well'")).contains("D well"));
        assert!(began.elapsed() < Duration::from_secs(2), "it waited {:?}", began.elapsed());
        assert!(gateway.is_running(), "after {:?}: {}", self.began.elapsed(), gateway.log());
        assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    }
}

#[test]
fn startup_packets_that_are_garbage_half_or_oversized() {
    let server = or_skip!(Server::find("pg15"));
    let mut gateway = gateway(&server);
    let mut bystander = Bystander::before(&gateway);
    let user = [("user", "trust_user"), ("database", "shop")];
    let mut unterminated = startup(PROTOCOL_3_0, &user);
    let last = unterminated.len() - 1;
    unterminated[last] = b'x';
    let inputs: Vec<(&str, Vec<u8>)> = vec![
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec()),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("a length of 0", [&0_u32.to_be_bytes()[..], &[0; 8]].concat()),
        ("a length of 3", [&3_u32.to_be_bytes()[..], &[0; 8]].concat()),
        ("a length of 7", [&7_u32.to_be_bytes()[..], &[0; 8]].concat()),
        ("a length over 10,000", [&10_001_u32.to_be_bytes()[..], &[0; 16]].concat()),
        ("a length of 2 GiB", [&0x7fff_ffff_u32.to_be_bytes()[..], &[0; 16]].concat()),
        ("no terminator", unterminated),
        ("a name without a value", [&startup(PROTOCOL_3_0, &[("user", "x")])[..], b""].concat()),
        ("no user", startup(PROTOCOL_3_0, &[("database", "shop")])),
        ("protocol 2.0", startup(0x0002_0000, &user)),
        ("protocol 4.0", startup(0x0004_0000, &user)),
        ("a cancellation without a key", [&8_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes()[..]].concat()),
        ("a query first", query("SELECT 1")),
        ("a message of authentication first", framed(b'p', b"secret\0")),
        ("a replication connection", startup(PROTOCOL_3_0, &[("user", "trust_user"), ("replication", "true")])),
        (
            "a replication connection to a database",
            startup(PROTOCOL_3_0, &[("user", "trust_user"), ("database", "shop"), ("replication", "database")]),
        ),
    ];
    for (what, bytes) in inputs {
        let mut client = Client::socket(gateway.port).expect("connect");
        client.send(&bytes).expect("send");
        client.shut(Shutdown::Write);
        let mut said = Vec::new();
        while let Some(frame) = client.frame() {
            said.push(frame);
        }
        let ready = said.iter().any(|frame| frame.tag == b'Z');
        assert!(!ready, "{what} was let in:\n{}", transcript(&said));
        bystander.is_well(&mut gateway);
    }
    // Half a packet, and then nothing.
    let packet = startup(PROTOCOL_3_0, &user);
    let mut half = Client::socket(gateway.port).expect("connect");
    half.send(&packet[..packet.len() / 2]).expect("send");
    let mut silent = Client::socket(gateway.port).expect("connect");
    let began = Instant::now();
    for client in [&mut half, &mut silent] {
        while client.frame().is_some() {}
    }
    let waited = began.elapsed();
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(8), "timed out after {waited:?}");
    bystander.is_well(&mut gateway);
    let refused = gateway
        .records()
        .iter()
        .filter(|record| matches!(record["event"].as_str(), Some("refused" | "fault" | "login_failed")))
        .count();
    assert!(refused >= 12, "only {refused} audit records of it");
}

#[test]
fn requests_for_encryption_are_answered_and_bytes_ahead_of_the_handshake_end_the_connection() {
    let server = or_skip!(Server::find("pg15"));
    let mut plain = gateway(&server);
    let mut bystander = Bystander::before(&plain);
    let mut client = Client::socket(plain.port).expect("connect");
    for request in [gssenc_request(), ssl_request()] {
        client.send(&request).expect("send");
        let mut answer = [0];
        client.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"N");
    }
    let frames = client.start(&[("user", "trust_user"), ("database", "shop")]);
    assert!(frames.last().is_some_and(|frame| frame.tag == b'Z'), "{}", transcript(&frames));
    bystander.is_well(&mut plain);

    let gateway = Setup::before(&server).tls_offered().start();
    let mut client = Client::socket(gateway.port).expect("connect");
    client
        .send(&[ssl_request(), startup(PROTOCOL_3_0, &[("user", "trust_user"), ("database", "shop")])].concat())
        .expect("send");
    let mut said = Vec::new();
    let mut byte = [0];
    while client.read_exact(&mut byte).is_ok() {
        said.push(byte[0]);
    }
    assert!(!said.windows(2).any(|two| two == b"Z\0"), "let in after bytes ahead of the handshake: {said:?}");
    let required = Setup::before(&server).tls_required().start();
    let mut client = Client::socket(required.port).expect("connect");
    let said = transcript(&client.start(&[("user", "trust_user"), ("database", "shop")]));
    assert!(said.starts_with("E 28000") || said.starts_with("E 08"), "plain where TLS is required: {said}");
}

#[test]
fn tls_from_the_first_byte_needs_its_alpn() {
    let server = or_skip!(Server::find("pg15"));
    let gateway = Setup::before(&server).tls_required().start();
    let endpoint = gateway.endpoint("trust_user", true);
    let client = Client::socket(gateway.port).expect("connect").into_tls(&endpoint.ca, b"postgresql");
    let said = client.expect("a handshake").start(&[("user", "trust_user"), ("database", "shop")]);
    assert!(said.last().is_some_and(|frame| frame.tag == b'Z'), "{}", transcript(&said));
    for alpn in [&b""[..], b"http/1.1"] {
        let said = Client::socket(gateway.port)
            .and_then(|client| client.into_tls(&endpoint.ca, alpn))
            .map(|mut client| client.start(&[("user", "trust_user")]));
        assert!(!said.is_ok_and(|frames| frames.iter().any(|frame| frame.tag == b'Z')), "let in with {alpn:?}");
    }
}

#[test]
fn newer_protocols_and_unknown_options_are_negotiated_down() {
    for name in ["pg15", "pg18"] {
        let server = or_skip!(Server::find(name));
        let gateway = gateway(&server);
        for (version, options) in [
            (0x0003_0002, &[][..]),
            (0x0003_270f, &[("_pq_.test_protocol_negotiation", "")][..]),
            (PROTOCOL_3_0, &[("_pq_.unknown", "1")][..]),
        ] {
            let parameters = [&[("user", "trust_user"), ("database", "shop")], options].concat();
            let said = [server.port, gateway.port].map(|port| {
                let mut client = Client::socket(port).expect("connect");
                client.send(&startup(version, &parameters)).expect("send");
                let frames = client.until(b'Z', 1);
                let usable = transcript(&client.query("SELECT 1")).contains("D 1");
                assert!(usable, "{version:x} to port {port}: {}", transcript(&frames));
                frames.iter().filter(|frame| frame.tag == b'v').map(|frame| frame.body.clone()).collect::<Vec<_>>()
            });
            assert_eq!(
                said[0], said[1],
                "NegotiateProtocolVersion for {version:x} without and with the gateway before {name}"
            );
        }
    }
}

#[test]
fn frames_of_wrong_length_or_type_end_their_session_with_an_error() {
    let server = or_skip!(Server::find("pg15"));
    let mut gateway = gateway(&server);
    let mut bystander = Bystander::before(&gateway);
    for (what, bytes) in [
        ("a length of 0", lying(b'Q', 0, b"SELECT 1\0")),
        ("a length of 3", lying(b'Q', 3, b"SELECT 1\0")),
        ("a length over the limit", lying(b'Q', 0x7fff_ffff, b"SELECT 1\0")),
        ("a length of 4 GiB", lying(b'P', 0xffff_ffff, b"")),
        ("an unknown type", framed(b'y', b"what")),
        ("type 0", framed(0, b"")),
        ("a password in the middle", framed(b'p', b"secret\0")),
        ("a message of the server", framed(b'T', b"\0\0")),
        ("a Query without its end", framed(b'Q', b"SELECT 1")),
        ("a Parse without its end", framed(b'P', b"name\0SELECT 1")),
        ("a Bind that lies about its values", framed(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff")),
        ("an Execute cut short", framed(b'E', b"\0\0")),
        ("a Describe of nothing", framed(b'D', b"x\0")),
        ("a Sync with a body", framed(b'S', b"body")),
    ] {
        let mut client = Client::login(&gateway.endpoint("trust_user", false));
        client.send(&bytes).expect("send");
        let _ = client.send(&sync());
        client.shut(Shutdown::Write);
        let mut said = Vec::new();
        while let Some(frame) = client.frame() {
            said.push(frame);
        }
        assert!(said.iter().any(|frame| frame.tag == b'E'), "{what} got no error:\n{}", transcript(&said));
        bystander.is_well(&mut gateway);
    }
    assert!(gateway.records().iter().any(|record| record["event"] == "fault"), "no audit record of a fault");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_frame_leaves_nothing_behind() {
    let server = or_skip!(Server::find("pg15"));
    let mut gateway = gateway(&server);
    let mut bystander = Bystander::before(&gateway);
    let frame = [parse("left", "SELECT 1"), extended("SELECT 2"), query("SELECT 3")].concat();
    let name = format!("half_frames_{}", std::process::id());
    for cut in 1..frame.len() {
        let mut client = Client::socket(gateway.port).expect("connect");
        client.start(&[("user", "trust_user"), ("database", "shop"), ("application_name", &name)]);
        client.send(&frame[..cut]).expect("send");
        if cut % 2 == 0 {
            client.shut(Shutdown::Both);
        }
    }
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
    program::eventually("the server sessions end", Duration::from_secs(20), || {
        (server.admin("postgres", &left) == "0").then_some(())
    });
    bystander.is_well(&mut gateway);
}
