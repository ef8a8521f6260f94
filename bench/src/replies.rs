//! Counts the packets that a MySQL server sends, in whatever pieces they arrive.
//!
//! Assumes the dialect that [`crate::mysql`] asks for: results with EOF packets behind the columns and behind the
//! rows. Of a packet it keeps a beginning only, so that reading a result costs the reader as little as possible.

use std::collections::VecDeque;

use crate::client::ClientError;
use crate::walk::Tally;

/// How much of a packet is kept, in bytes: enough for an error.
const KEPT_LIMIT_BYTES: usize = 512;
const HEADER_BYTES: usize = 4;
/// `SERVER_MORE_RESULTS_EXISTS` of an EOF packet's status.
const MORE_RESULTS: u8 = 8;

/// What a command is answered with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    /// One packet, whatever it is.
    Packet,
    /// An OK packet, or one or more results.
    Result,
    /// The description of a prepared statement.
    Prepared,
}

/// What the next packet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    First,
    /// So many definitions, and the EOF behind them; then `rows`, or this many definitions more.
    Definitions {
        left: u64,
        rows: bool,
        more: u64,
    },
    Rows,
}

/// A position in a stream of packets.
#[derive(Debug)]
pub(crate) struct Replies {
    header: [u8; HEADER_BYTES],
    header_has: usize,
    body_left: usize,
    body_bytes: usize,
    kept: Vec<u8>,
    expected: VecDeque<Reply>,
    next: Next,
    error: Option<String>,
    statement: u32,
    tally: Tally,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            header: [0; HEADER_BYTES],
            header_has: 0,
            body_left: 0,
            body_bytes: 0,
            kept: Vec::new(),
            expected: VecDeque::new(),
            next: Next::First,
            error: None,
            statement: 0,
            tally: Tally::default(),
        }
    }
}

impl Replies {
    /// What has arrived: `ready` counts whole replies.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// The next reply that is not yet expected is this.
    pub(crate) fn expect(&mut self, reply: Reply) {
        self.expected.push_back(reply);
    }

    /// The last packet's number.
    pub(crate) fn sequence(&self) -> u8 {
        self.header[3]
    }

    /// The beginning of the last packet.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// The number of the statement that was prepared last.
    pub(crate) fn statement(&self) -> u32 {
        self.statement
    }

    /// The first error since this was last asked.
    pub(crate) fn take_error(&mut self) -> Option<String> {
        self.error.take()
    }

    /// Follows the packets in `chunk`.
    pub(crate) fn feed(&mut self, mut chunk: &[u8]) -> Result<(), ClientError> {
        self.tally.bytes += chunk.len() as u64;
        while !chunk.is_empty() {
            if self.header_has < HEADER_BYTES {
                let (taken, rest) = chunk.split_at((HEADER_BYTES - self.header_has).min(chunk.len()));
                self.header[self.header_has..self.header_has + taken.len()].copy_from_slice(taken);
                self.header_has += taken.len();
                chunk = rest;
                if self.header_has < HEADER_BYTES {
                    break;
                }
                let [a, b, c, _] = self.header;
                self.body_bytes = u32::from_le_bytes([a, b, c, 0]) as usize;
                self.body_left = self.body_bytes;
                self.kept.clear();
            }
            let (taken, rest) = chunk.split_at(self.body_left.min(chunk.len()));
            // A row is told by its first byte and its length.
            let limit = if self.next == Next::Rows && self.body_bytes > 9 { 1 } else { KEPT_LIMIT_BYTES };
            let room = limit.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&taken[..taken.len().min(room)]);
            self.body_left -= taken.len();
            chunk = rest;
            if self.body_left == 0 {
                self.header_has = 0;
                self.packet()?;
            }
        }
        Ok(())
    }

    fn packet(&mut self) -> Result<(), ClientError> {
        let first = self.kept.first().copied();
        let is_eof = first == Some(0xfe) && self.body_bytes < 9;
        let reply =
            *self.expected.front().ok_or_else(|| ClientError::Server("a packet that nobody asked for".into()))?;
        if first == Some(0xff) {
            self.error.get_or_insert_with(|| describe_error(&self.kept));
            self.end();
            return Ok(());
        }
        match self.next {
            Next::First => match reply {
                Reply::Packet => self.end(),
                Reply::Prepared => {
                    let [_, a, b, c, d, e, f, g, h, ..] = *self.kept.as_slice() else {
                        return Err(ClientError::Server("the reply to a preparation is too short".into()));
                    };
                    self.statement = u32::from_le_bytes([a, b, c, d]);
                    let (columns, parameters) = (u16::from_le_bytes([e, f]).into(), u16::from_le_bytes([g, h]).into());
                    self.definitions(parameters, columns);
                }
                Reply::Result if first == Some(0) => self.result_ends(self.status_of_ok()),
                Reply::Result => {
                    self.next = Next::Definitions { left: count(&self.kept), rows: true, more: 0 };
                }
            },
            Next::Definitions { left: 0, rows: true, .. } => self.next = Next::Rows,
            Next::Definitions { left: 0, more, .. } => self.definitions(more, 0),
            Next::Definitions { left, rows, more } => self.next = Next::Definitions { left: left - 1, rows, more },
            Next::Rows if is_eof => self.result_ends(self.kept.get(3).copied().unwrap_or_default()),
            Next::Rows => self.tally.rows += 1,
        }
        Ok(())
    }

    /// Definitions of parameters, then those of columns; where there are none, not even an EOF comes.
    fn definitions(&mut self, left: u64, more: u64) {
        match (left, more) {
            (0, 0) => self.end(),
            (0, more) => self.next = Next::Definitions { left: more, rows: false, more: 0 },
            (left, more) => self.next = Next::Definitions { left, rows: false, more },
        }
    }

    /// The low byte of the status in an OK packet, behind two numbers of variable length.
    fn status_of_ok(&self) -> u8 {
        let mut at = 1;
        for _ in 0..2 {
            at += match self.kept.get(at) {
                Some(0xfc) => 3,
                Some(0xfd) => 4,
                Some(0xfe) => 9,
                _ => 1,
            };
        }
        self.kept.get(at).copied().unwrap_or_default()
    }

    fn result_ends(&mut self, status: u8) {
        self.next = Next::First;
        if status & MORE_RESULTS == 0 {
            self.end();
        }
    }

    fn end(&mut self) {
        self.expected.pop_front();
        self.next = Next::First;
        self.tally.ready += 1;
    }
}

/// A number of columns.
fn count(packet: &[u8]) -> u64 {
    match *packet {
        [0xfc, a, b, ..] => u16::from_le_bytes([a, b]).into(),
        [count, ..] => count.into(),
        [] => 0,
    }
}

/// Number, SQLSTATE and text of an ERR packet.
fn describe_error(packet: &[u8]) -> String {
    match packet {
        [_, a, b, text @ ..] => {
            format!("{}: {}", u16::from_le_bytes([*a, *b]), String::from_utf8_lossy(text))
        }
        _ => "an error without a number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
        [&[u8::try_from(body.len()).unwrap(), 0, 0, sequence][..], body].concat()
    }

    fn conversation() -> Vec<u8> {
        [
            packet(0, b"\x0agreeting"),
            // A statement with one parameter and one column.
            packet(1, &[0, 7, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
            packet(2, b"parameter"),
            packet(3, &[0xfe, 0, 0, 2, 0]),
            packet(4, b"column"),
            packet(5, &[0xfe, 0, 0, 2, 0]),
            // Two results of one command, one row and none.
            packet(1, &[1]),
            packet(2, b"column"),
            packet(3, &[0xfe, 0, 0, 2, 0]),
            packet(4, b"\x0ba row of ten"),
            packet(5, &[0xfe, 0, 0, 10, 0]),
            packet(6, &[0, 0, 0, 2, 0, 0, 0]),
            packet(1, b"\xff\x15\x04#28000no"),
        ]
        .concat()
    }

    #[test]
    fn any_split_counts_the_same() {
        let bytes = conversation();
        for size in 1..=bytes.len() {
            let mut replies = Replies::default();
            for reply in [Reply::Packet, Reply::Prepared, Reply::Result, Reply::Result] {
                replies.expect(reply);
            }
            for chunk in bytes.chunks(size) {
                replies.feed(chunk).unwrap();
            }
            let expected = Tally { bytes: bytes.len() as u64, copied: 0, ready: 4, rows: 1 };
            assert_eq!(replies.tally(), expected, "chunks of {size}");
            assert_eq!(replies.statement(), 7);
            assert_eq!(replies.take_error().as_deref(), Some("1045: #28000no"));
        }
    }

    #[test]
    fn a_packet_that_nobody_asked_for_is_an_error() {
        assert!(Replies::default().feed(&packet(0, b"x")).is_err());
    }
}
