//! The one place that knows how a MySQL packet is framed: a 24-bit length, a sequence id, a payload.
//!
//! A message is one packet, or several where its payload is 16 MiB − 1 or longer: each packet of exactly
//! that length is followed by another, the last may be empty. It must never decide what a message means.
//!
//! Source: MySQL documentation, "Protocol Basics: MySQL Packets".

use wire::fault::{Culprit, Fault};

/// Bytes of a header: the length and the sequence id.
pub const HEADER_BYTES: usize = 4;

/// Length of a packet that another one continues.
pub const FULL: usize = 0x00ff_ffff;

/// The header of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload, header excluded; at most [`FULL`].
    pub body: usize,
    /// The sequence id; wraps at 255.
    pub seq: u8,
}

impl Header {
    /// Reads a header. Every value of its bytes is one.
    #[inline]
    #[must_use]
    pub fn parse(bytes: [u8; HEADER_BYTES]) -> Self {
        let [a, b, c, seq] = bytes;
        let body = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        Self { body, seq }
    }

    /// Reads the header at the start of `bytes`, or `None` when it is not whole.
    #[inline]
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<HEADER_BYTES>().map(|header| Self::parse(*header))
    }

    /// The header as sent.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> [u8; HEADER_BYTES] {
        let [a, b, c, ..] = self.body.min(FULL).to_le_bytes();
        [a, b, c, self.seq]
    }

    /// Bytes of the whole packet.
    #[inline]
    #[must_use]
    pub fn total(self) -> usize {
        self.body + HEADER_BYTES
    }

    /// Whether another packet continues this one's message.
    #[inline]
    #[must_use]
    pub fn continues(self) -> bool {
        self.body == FULL
    }
}

/// Appends a message whose payload is what `write` appends, in as many packets as it needs. `seq` is the
/// first packet's sequence id and becomes the one after the last.
pub fn write(out: &mut Vec<u8>, seq: &mut u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    write(out);
    let body = out.len() - start - HEADER_BYTES;
    if body >= FULL {
        let payload = out.split_off(start + HEADER_BYTES);
        out.truncate(start);
        let mut rest = payload.as_slice();
        loop {
            let (now, later) = rest.split_at(rest.len().min(FULL));
            out.extend_from_slice(&Header { body: now.len(), seq: *seq }.bytes());
            out.extend_from_slice(now);
            *seq = seq.wrapping_add(1);
            rest = later;
            if now.len() < FULL {
                return;
            }
        }
    }
    if let Some(header) = out.get_mut(start..start + HEADER_BYTES) {
        header.copy_from_slice(&Header { body, seq: *seq }.bytes());
    }
    *seq = seq.wrapping_add(1);
}

/// One whole message of the set-up, where messages are short and come one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its sequence id.
    pub seq: u8,
    /// Its payload.
    pub payload: &'a [u8],
    /// Bytes of it, header included: what the caller drops before it looks for the next.
    pub consumed: usize,
}

/// The first packet of what was gathered from `from` during set-up; `None` while it is not whole.
///
/// # Errors
/// A [`Fault`] of `from` when the packet is longer than `limit_bytes`.
pub fn first(gathered: &[u8], limit_bytes: usize, from: Culprit) -> Result<Option<Packet<'_>>, Fault> {
    let Some(header) = Header::peek(gathered) else { return Ok(None) };
    if header.body > limit_bytes.min(FULL - 1) {
        let text = "a packet of the handshake is longer than the limit";
        return Err(Fault::new(from, b"08P01", "oversized_handshake", text));
    }
    let payload = gathered.get(HEADER_BYTES..header.total());
    Ok(payload.map(|payload| Packet { seq: header.seq, payload, consumed: header.total() }))
}

/// The start of a message whose header, or first byte, may lie in two chunks.
#[derive(Debug, Default)]
pub(crate) struct Stash {
    bytes: [u8; HEADER_BYTES + 1],
    held: u8,
}

/// What [`Stash::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A header, and its payload's first byte where it has one, lie whole at the position asked about.
    Here(Header, Option<u8>),
    /// The chunk ended before; all its bytes are kept.
    Incomplete,
    /// They began in an earlier chunk: the header, the first byte, and how many bytes came from this chunk.
    Joined(Header, Option<u8>, usize),
}

impl Stash {
    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Reads the next header from `rest`, the unread part of the chunk. The first byte of the payload is
    /// waited for only where `first` says so; a continuation has none of its own.
    #[inline]
    pub(crate) fn next(&mut self, rest: &[u8], first: bool) -> Next {
        if self.held == 0
            && let Some(header) = Header::peek(rest)
        {
            match rest.get(HEADER_BYTES) {
                _ if !first || header.body == 0 => return Next::Here(header, None),
                Some(byte) => return Next::Here(header, Some(*byte)),
                None => {}
            }
        }
        let mut taken = 0;
        loop {
            let held = usize::from(self.held);
            if held >= HEADER_BYTES {
                let [a, b, c, seq, byte] = self.bytes;
                let header = Header::parse([a, b, c, seq]);
                let wanted = first && header.body > 0;
                if !wanted || held > HEADER_BYTES {
                    self.held = 0;
                    return Next::Joined(header, wanted.then_some(byte), taken);
                }
            }
            let Some(byte) = rest.get(taken) else { return Next::Incomplete };
            if let Some(slot) = self.bytes.get_mut(held) {
                *slot = *byte;
            }
            self.held += 1;
            taken += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_messages_carry_length_and_sequence() {
        let (mut out, mut seq) = (Vec::new(), 255);
        write(&mut out, &mut seq, |body| body.extend_from_slice(b"abc"));
        write(&mut out, &mut seq, |_| ());
        assert_eq!(out, b"\x03\0\0\xffabc\0\0\0\0");
        assert_eq!(seq, 1);
    }

    #[test]
    fn a_long_message_is_cut_and_an_exact_multiple_ends_with_an_empty_packet() {
        for (length, packets) in [(FULL - 1, vec![FULL - 1]), (FULL, vec![FULL, 0]), (FULL + 1, vec![FULL, 1])] {
            let (mut out, mut seq) = (vec![9], 254);
            write(&mut out, &mut seq, |body| body.resize(body.len() + length, 7));
            let mut rest = &out[1..];
            for (index, body) in packets.iter().enumerate() {
                let header = Header::peek(rest).unwrap();
                let expected = 254_u8.wrapping_add(u8::try_from(index).unwrap());
                assert_eq!(header, Header { body: *body, seq: expected });
                rest = &rest[header.total()..];
            }
            assert!(rest.is_empty());
            assert_eq!(seq, 254_u8.wrapping_add(u8::try_from(packets.len()).unwrap()));
        }
    }

    #[test]
    fn a_header_joins_over_any_split() {
        let bytes = b"\x02\0\0\x07xy";
        for split in 1..5 {
            let mut stash = Stash::default();
            assert_eq!(stash.next(&bytes[..split], true), Next::Incomplete);
            assert_eq!(
                stash.next(&bytes[split..], true),
                Next::Joined(Header { body: 2, seq: 7 }, Some(b'x'), 5 - split)
            );
            assert!(stash.is_empty());
        }
        assert_eq!(Stash::default().next(bytes, true), Next::Here(Header { body: 2, seq: 7 }, Some(b'x')));
        assert_eq!(Stash::default().next(bytes, false), Next::Here(Header { body: 2, seq: 7 }, None));
    }

    #[test]
    fn an_empty_packet_has_no_first_byte() {
        let bytes = b"\0\0\0\x03";
        assert_eq!(Stash::default().next(bytes, true), Next::Here(Header { body: 0, seq: 3 }, None));
        let mut stash = Stash::default();
        assert_eq!(stash.next(&bytes[..2], true), Next::Incomplete);
        assert_eq!(stash.next(&bytes[2..], true), Next::Joined(Header { body: 0, seq: 3 }, None, 2));
    }

    #[test]
    fn set_up_packets_are_taken_one_at_a_time_and_bounded() {
        let bytes = b"\x02\0\0\x01ab\x01\0\0\x02c";
        let packet = first(bytes, 10, Culprit::Client).unwrap().unwrap();
        assert_eq!((packet.seq, packet.payload, packet.consumed), (1, &b"ab"[..], 6));
        assert_eq!(first(&bytes[..5], 10, Culprit::Client), Ok(None));
        assert_eq!(first(bytes, 1, Culprit::Server).unwrap_err().reason, "oversized_handshake");
    }
}
