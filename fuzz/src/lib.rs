//! What the fuzz targets do with their bytes, as functions that a test can call too.
//!
//! - [`startup`]: first packets of a client, in any split, never panic.
//! - [`session`]: both directions of a session, any bytes in any split, never panic, and what is sent keeps
//!   its invariants.
//! - [`rows`]: well-formed results whose masked column holds a sentinel: it never reaches the client.
//! - [`judge`]: any text under rules is judged without a panic, and a refused kind stays refused whatever
//!   white space and comments stand around it.
//! - [`mysql`]: the same for the other protocol.

mod guard;
pub mod mysql;

use postgres::backend::TransactionStatus;
use postgres::session::{Output, Session, SessionOptions};
use postgres::startup::{Progress, StartupParser};

use guard::{MaskingGuard, SENTINEL};

/// First packets of a client: parse, consume, go on, with bytes arriving a few at a time.
pub fn startup(data: &[u8]) {
    let mut parser = StartupParser::new();
    let mut gathered = Vec::new();
    let step = usize::from(data.first().copied().unwrap_or(1) % 7) + 1;
    for part in data.chunks(step) {
        gathered.extend_from_slice(part);
        while let Ok(Progress::Packet { consumed, .. }) = parser.parse(&gathered) {
            if consumed == 0 {
                return;
            }
            gathered.drain(..consumed);
        }
        if parser.parse(&gathered).is_err() {
            return;
        }
    }
}

fn open() -> (Session<MaskingGuard>, MaskingGuard) {
    let options = SessionOptions { protocol: (3, 0), replication: false, transaction: TransactionStatus::Idle };
    (Session::new(options), MaskingGuard::default())
}

/// Both directions of a session. Each record of the input is a byte for direction and length, then bytes.
pub fn session(data: &[u8]) {
    let (mut session, mut guard) = open();
    let mut rest = data;
    while let Some((head, tail)) = rest.split_first() {
        let length = usize::from(head & 0x7f).min(tail.len());
        let (bytes, tail) = tail.split_at(length);
        rest = tail;
        let mut chunk = bytes.to_vec();
        let mut output = Output::default();
        let result = if head & 0x80 == 0 {
            session.on_client(&mut chunk, &mut guard, &mut output)
        } else {
            session.on_server(&mut chunk, &mut guard, &mut output)
        };
        output.to_client.invariants();
        output.to_server.invariants();
        if result.is_err() {
            break;
        }
    }
    session.on_closed(&mut guard);
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap_or(4).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn description(columns: u8, binary: bool) -> Vec<u8> {
    let mut body = u16::from(columns).to_be_bytes().to_vec();
    for column in 0..columns {
        body.extend_from_slice(&[b'a' + column, 0]);
        body.extend_from_slice(&1000_u32.to_be_bytes());
        body.extend_from_slice(&u16::from(column + 1).to_be_bytes());
        body.extend_from_slice(&25_u32.to_be_bytes());
        body.extend_from_slice(&(-1_i16).to_be_bytes());
        body.extend_from_slice(&(-1_i32).to_be_bytes());
        body.extend_from_slice(&i16::from(binary).to_be_bytes());
    }
    frame(b'T', &body)
}

/// A result whose first column is under a mask; the input decides sizes, NULLs and the split into chunks.
pub fn rows(data: &[u8]) {
    let (mut session, mut guard) = open();
    let mut output = Output::default();
    let mut query = frame(b'Q', b"select a, b from t\0");
    assert!(session.on_client(&mut query, &mut guard, &mut output).is_ok());
    let columns = data.first().copied().unwrap_or(1) % 4 + 1;
    let mut stream = description(columns, data.get(1).is_some_and(|byte| byte & 1 == 1));
    for seed in data.get(2..).unwrap_or_default().chunks(2) {
        stream.extend_from_slice(&row(columns, seed));
    }
    stream.extend_from_slice(&frame(b'C', b"SELECT 1\0"));
    stream.extend_from_slice(&frame(b'Z', b"I"));
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
    assert!(!seen.windows(SENTINEL.len()).any(|window| window == SENTINEL), "the sentinel came through");
}

/// One row: the sentinel in the first column, filler of the seed's length in the others.
fn row(columns: u8, seed: &[u8]) -> Vec<u8> {
    let mut body = u16::from(columns).to_be_bytes().to_vec();
    let length = usize::from(seed.first().copied().unwrap_or(0));
    for column in 0..columns {
        if column == 0 {
            let mut cell = vec![b'x'; length];
            cell.extend_from_slice(SENTINEL);
            body.extend_from_slice(&u32::try_from(cell.len()).unwrap_or(0).to_be_bytes());
            body.extend_from_slice(&cell);
        } else if seed.get(1).is_some_and(|byte| byte & 3 == 0) {
            body.extend_from_slice(&(-1_i32).to_be_bytes());
        } else {
            body.extend_from_slice(&u32::try_from(length).unwrap_or(0).to_be_bytes());
            body.extend_from_slice(&vec![b'y'; length]);
        }
    }
    frame(b'D', &body)
}

/// Any text is judged; and `drop table` between any two comments stays refused.
pub fn judge(data: &[u8]) {
    guard::judge_anything(data);
}

#[cfg(test)]
mod tests {
    //! A bounded, seeded run of every target, for machines on which no fuzzer can be built.

    fn seeded(target: fn(&[u8])) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..3_000_usize {
            let bytes: Vec<u8> = (0..round % 257)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    u8::try_from(state & 0xff).unwrap_or_default()
                })
                .collect();
            target(&bytes);
        }
    }

    #[test]
    fn startup_never_panics() {
        seeded(super::startup);
    }

    #[test]
    fn session_never_panics() {
        seeded(super::session);
    }

    #[test]
    fn rows_never_show_the_sentinel() {
        seeded(super::rows);
    }

    #[test]
    fn handshakes_of_mysql_never_panic() {
        seeded(super::mysql::handshake);
    }

    #[test]
    fn sessions_of_mysql_never_panic() {
        seeded(super::mysql::session);
    }

    #[test]
    fn rows_of_mysql_never_show_the_sentinel() {
        seeded(super::mysql::rows);
    }

    #[test]
    fn judge_never_panics() {
        seeded(super::judge);
    }
}
