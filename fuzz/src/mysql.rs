//! What the fuzz targets for MySQL do with their bytes.
//!
//! - [`handshake`]: greetings, answers and logins in any bytes never panic.
//! - [`session`]: both directions of a session, any bytes in any split, never panic, and what is sent keeps
//!   its invariants.
//! - [`rows`]: well-formed results, text and binary, whose masked column holds a sentinel: it never reaches
//!   the client.

use std::rc::Rc;

use mysql::auth::client::{Claim, Known};
use mysql::auth::gatekeeper::{Credentials, Gatekeeper};
use mysql::auth::passthrough::Passthrough;
use mysql::auth::sha2::{FastVerifier, Stored};
use mysql::auth::upstream::{Channel, UpstreamAuth, UpstreamProgress};
use mysql::capability::Capabilities;
use mysql::greeting::Greeting;
use mysql::lenenc;
use mysql::packet;
use mysql::reply::{OkPacket, changes};
use mysql::response::{FirstPacket, Progress, ResponseParser};
use mysql::session::{Output, Session, SessionOptions};
use wire::secret::Secret;

use crate::guard::{MaskingGuard, SENTINEL};

/// Greetings of a server, answers of a client, replies to a login; the first byte says which.
pub fn handshake(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            if let Ok(greeting) = Greeting::parse(rest) {
                let mut out = Vec::new();
                greeting.for_client(true).write(&mut out);
            }
        }
        1 => {
            let mut parser = ResponseParser::new(Capabilities::offer(Capabilities(u64::MAX), true));
            let mut gathered = Vec::new();
            for part in rest.chunks(usize::from(kind >> 2) + 1) {
                gathered.extend_from_slice(part);
                match parser.parse(&gathered) {
                    Ok(Progress::Packet { consumed, packet: FirstPacket::Ssl, .. }) => {
                        gathered.drain(..consumed);
                        parser.tls_established();
                    }
                    Ok(Progress::Packet { packet: FirstPacket::Response(response), .. }) => {
                        let _ = response.attribute("program_name");
                        response.write(&mut Vec::new(), &mut 1);
                        return;
                    }
                    Ok(Progress::Incomplete) => {}
                    Err(_) => return,
                }
            }
        }
        2 => {
            let (mut login, _, _) = UpstreamAuth::new(Secret::new(*b"pw"), Channel::Tls, b"", &[7; 20]);
            for reply in rest.split(|byte| *byte == b'\n') {
                login = match login.on_reply(reply, 2, &mut Vec::new()) {
                    Ok(UpstreamProgress::More(next)) => next,
                    Ok(UpstreamProgress::Encrypt(encrypt)) => encrypt.encrypted(b"cipher", &mut Vec::new()),
                    _ => return,
                };
            }
        }
        _ => {
            let Ok(mut login) = Passthrough::new(b"caching_sha2_password", b"x", false, false) else { return };
            for reply in rest.split(|byte| *byte == b'\n') {
                if login.on_server(reply).is_err() {
                    return;
                }
                let _ = login.on_client();
                if let Ok(ok) = OkPacket::parse(reply, true) {
                    let _ = changes(ok.session);
                }
            }
        }
    }
}

fn open(kind: u8) -> (Session<MaskingGuard>, MaskingGuard) {
    let both = Capabilities::PROTOCOL_41 | Capabilities::LOCAL_FILES | Capabilities::PLUGIN_AUTH;
    let both = both
        .set(Capabilities::DEPRECATE_EOF, kind & 1 != 0)
        .set(Capabilities::QUERY_ATTRIBUTES, kind & 2 != 0)
        .set(Capabilities::MARIADB_EXTENDED_METADATA, kind & 4 != 0);
    let options = SessionOptions {
        client: both.set(Capabilities::SESSION_TRACK, kind & 8 != 0),
        server: both | Capabilities::SESSION_TRACK,
        status: 2,
        replication: kind & 16 != 0,
        client_secure: false,
        server_secure: false,
    };
    let session = Session::new(options);
    let session = if kind & 32 != 0 { session.checked_by(Rc::new(Keeper)) } else { session };
    (session, MaskingGuard::default())
}

/// Lets everybody in whose password is `pw`.
struct Keeper;

impl Gatekeeper for Keeper {
    fn challenge(&self) -> [u8; 20] {
        [7; 20]
    }

    fn claim(&self, user: &[u8], secure: bool) -> Claim {
        let known = if user.is_empty() { Known::Elsewhere } else { Known::Stored(Stored::Plain(Secret::new(*b"pw"))) };
        Claim { known, fast: None, secure, key: Some(b"PEM"[..].into()) }
    }

    fn fits(&self, _: &[u8], password: &Secret) -> bool {
        password.expose() == b"pw"
    }

    fn remember(&self, _: &[u8], _: FastVerifier) {}

    fn decrypt(&self, cipher: &[u8]) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        Some(cipher.to_vec().into())
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials { user: b"app"[..].into(), password: Secret::new(*b"pw") })
    }

    fn encrypt(&self, _: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }
}

/// Both directions of a session. After a byte for the dialect, each record of the input is a byte for
/// direction and length, then bytes; half of them are put into a packet of their own, a server's with the sequence id
/// that follows.
pub fn session(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let (mut session, mut guard) = open(*kind);
    let mut reply = 1;
    while let Some((head, tail)) = rest.split_first() {
        let length = usize::from(head & 0x3f).min(tail.len());
        let (bytes, tail) = tail.split_at(length);
        rest = tail;
        let mut chunk = Vec::new();
        match head & 0x40 {
            0 if head & 0x80 != 0 => packet::write(&mut chunk, &mut reply, |out| out.extend_from_slice(bytes)),
            0 => packet::write(&mut chunk, &mut 0, |out| out.extend_from_slice(bytes)),
            _ => chunk.extend_from_slice(bytes),
        }
        let mut output = Output::default();
        let before = session.outstanding();
        let result = if head & 0x80 == 0 {
            session.on_client(&mut chunk, &mut guard, &mut output)
        } else {
            session.on_server(&mut chunk, &mut guard, &mut output)
        };
        output.to_client.invariants();
        output.to_server.invariants();
        if session.outstanding() < before {
            reply = 1;
        }
        if result.is_err() {
            break;
        }
    }
    session.on_closed(&mut guard);
}

/// The types of columns that the rows have, in turn: the first one's is text.
const TYPES: [u8; 4] = [0xfd, 0x08, 0x0c, 0xfc];

fn definition(out: &mut Vec<u8>, seq: &mut u8, kind: u8) {
    packet::write(out, seq, |out| {
        for field in [&b"def"[..], b"shop", b"t", b"t", b"c", b"c"] {
            lenenc::push_string(out, field);
        }
        out.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
    });
}

/// A result whose first column is under a mask; the input decides form, sizes, NULLs and the split into
/// chunks.
pub fn rows(data: &[u8]) {
    let kind = data.first().copied().unwrap_or(1);
    let (mut session, mut guard) = open(kind & 1);
    let binary = kind & 2 != 0;
    let columns = usize::from(kind >> 2) % TYPES.len() + 1;
    let mut command = Vec::new();
    if binary {
        packet::write(&mut command, &mut 0, |out| out.extend_from_slice(b"\x16select a from t"));
        packet::write(&mut command, &mut 0, |out| out.extend_from_slice(b"\x17\xff\xff\xff\xff\0\x01\0\0\0"));
    } else {
        packet::write(&mut command, &mut 0, |out| out.extend_from_slice(b"\x03select a from t"));
    }
    assert!(session.on_client(&mut command, &mut guard, &mut Output::default()).is_ok());
    let mut stream = Vec::new();
    if binary {
        packet::write(&mut stream, &mut 1, |out| out.extend_from_slice(&[0; 12]));
    }
    let mut seq = 1;
    packet::write(&mut stream, &mut seq, |out| lenenc::push_int(out, columns as u64));
    for kind in TYPES.iter().take(columns) {
        definition(&mut stream, &mut seq, *kind);
    }
    let eof: &[u8] = if kind & 1 != 0 { b"\xfe\0\0\x02\0\0\0" } else { b"\xfe\0\0\x02\0" };
    if kind & 1 == 0 {
        packet::write(&mut stream, &mut seq, |out| out.extend_from_slice(eof));
    }
    for seed in data.get(1..).unwrap_or_default().chunks(2) {
        packet::write(&mut stream, &mut seq, |out| row(out, columns, binary, seed));
    }
    packet::write(&mut stream, &mut seq, |out| out.extend_from_slice(eof));
    let mut seen = Vec::new();
    let mut rest = &stream[..];
    let mut turn = 0;
    while !rest.is_empty() {
        let size = usize::from(data.get(turn % data.len().max(1)).copied().unwrap_or(9)) * 3 + 1;
        let (part, tail) = rest.split_at(size.min(rest.len()));
        let mut chunk = part.to_vec();
        let mut output = Output::default();
        let result = session.on_server(&mut chunk, &mut guard, &mut output);
        assert!(result.is_ok(), "a well-formed result was refused: {result:?}");
        output.to_client.invariants();
        output.to_client.flatten_into(&chunk, &mut seen);
        rest = tail;
        turn += 1;
    }
    assert!(session.is_idle(), "the result did not end");
    assert!(!seen.windows(SENTINEL.len()).any(|window| window == SENTINEL), "the sentinel came through");
}

/// One row: the sentinel in the first column, filler of the seed's length in the others.
fn row(out: &mut Vec<u8>, columns: usize, binary: bool, seed: &[u8]) {
    let length = usize::from(seed.first().copied().unwrap_or(0)) * 5;
    let nulls = seed.get(1).copied().unwrap_or(0);
    let is_null = |column: usize| column > 0 && nulls & (1 << column) != 0;
    if binary {
        out.push(0);
        out.push((1..columns).filter(|column| is_null(*column)).fold(0, |bits, column| bits | 1 << (column + 2)));
    }
    for (column, kind) in TYPES.iter().enumerate().take(columns) {
        match (is_null(column), binary, *kind) {
            (true, true, _) => {}
            (true, false, _) => out.push(lenenc::NULL),
            (false, true, 0x08) => out.extend_from_slice(&[nulls; 8]),
            (false, true, 0x0c) => out.extend_from_slice(b"\x04\xda\x07\x0a\x11"),
            (false, ..) if column == 0 => {
                let mut cell = vec![b'x'; length];
                cell.extend_from_slice(SENTINEL);
                lenenc::push_string(out, &cell);
            }
            (false, ..) => lenenc::push_string(out, &vec![b'y'; length]),
        }
    }
}
