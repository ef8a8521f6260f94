//! The one place that knows how a Postgres message is framed: a type byte, a 32-bit length that counts
//! itself, a body.
//!
//! It may assume that the stream is past start-up (the start-up packet has no type byte). It must never
//! decide what a frame means, and never let a length outside the limits through.
//!
//! Source: PostgreSQL manual, "Message Overview" and "Message Formats".

use core::fmt;

use wire::limits;

/// Bytes of a header: the type and the length.
pub const HEADER_BYTES: usize = 5;

/// A length field counts itself, so nothing below this is a length.
const LENGTH_BYTES: usize = 4;

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type byte.
    pub kind: u8,
    /// Bytes of the body, header excluded.
    pub body: usize,
}

/// A length field that no frame may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Over [`limits::FRAME_BYTES`].
    TooLong,
    /// Under four, or negative.
    TooShort,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a message is longer than the limit",
            Self::TooShort => "a message has an impossible length",
        })
    }
}

impl FrameError {
    /// The name that metrics and audit count it under.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "oversized_frame",
            Self::TooShort => "undersized_frame",
        }
    }
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`FrameError`] when the length is outside the limits.
    #[inline]
    pub fn parse(bytes: [u8; HEADER_BYTES]) -> Result<Self, FrameError> {
        let [kind, a, b, c, d] = bytes;
        let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).map_err(|_| FrameError::TooShort)?;
        let body = length.checked_sub(LENGTH_BYTES).ok_or(FrameError::TooShort)?;
        if body > limits::FRAME_BYTES {
            return Err(FrameError::TooLong);
        }
        Ok(Self { kind, body })
    }

    /// Reads the header at the start of `bytes`, or `None` when it is not whole.
    ///
    /// # Errors
    /// [`FrameError`] when the length is outside the limits.
    #[inline]
    pub fn peek(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        match bytes.first_chunk::<HEADER_BYTES>() {
            Some(header) => Self::parse(*header).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes of the whole frame.
    #[must_use]
    #[inline]
    pub fn total(self) -> usize {
        self.body + HEADER_BYTES
    }
}

/// Appends a frame whose body is what `write` appends.
pub fn write(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let length_at = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    write(out);
    let length = u32::try_from(out.len() - length_at).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(length_at..length_at + LENGTH_BYTES) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a header for a body of known length, which the caller appends next.
pub fn write_header(out: &mut Vec<u8>, kind: u8, body: usize) {
    out.push(kind);
    let length = u32::try_from(body + LENGTH_BYTES).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
}

/// The beginning of a header whose rest is in the next chunk.
#[derive(Debug, Default)]
pub(crate) struct Stash {
    bytes: [u8; HEADER_BYTES],
    held: u8,
}

/// What [`Stash::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A header that lies whole at the position asked about; nothing is consumed.
    Here(Header),
    /// The chunk ended inside a header; all its bytes are kept.
    Incomplete,
    /// A header that began in an earlier chunk: its bytes, and how many of them came from this chunk.
    Joined(Header, [u8; HEADER_BYTES], usize),
}

impl Stash {
    /// Whether no part of a header is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Reads the next header from `rest`, the unread part of the chunk.
    #[inline]
    pub(crate) fn next(&mut self, rest: &[u8]) -> Result<Next, FrameError> {
        if self.held == 0
            && let Some(header) = Header::peek(rest)?
        {
            return Ok(Next::Here(header));
        }
        let held = usize::from(self.held);
        let taken = rest.len().min(HEADER_BYTES - held);
        for (slot, byte) in self.bytes.iter_mut().skip(held).zip(rest) {
            *slot = *byte;
        }
        if held + taken < HEADER_BYTES {
            self.held += u8::try_from(taken).unwrap_or_default();
            return Ok(Next::Incomplete);
        }
        self.held = 0;
        Ok(Next::Joined(Header::parse(self.bytes)?, self.bytes, taken))
    }
}

/// A frame, whole in one piece of memory.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// Header and body.
    pub(crate) bytes: &'a mut [u8],
    /// Where it lies in the chunk of this call; `None` when it was gathered on the heap.
    pub(crate) at: Option<usize>,
}

impl Frame<'_> {
    /// The type byte.
    pub(crate) fn kind(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// The body.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// Lets it pass as it stands.
    pub(crate) fn pass(&self, segments: &mut wire::segments::Segments) {
        match self.at {
            Some(at) => segments.push_chunk(at..at + self.bytes.len()),
            None => segments.push_owned(self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_outside_the_limits_are_errors() {
        assert_eq!(Header::parse(*b"Q\0\0\0\x03"), Err(FrameError::TooShort));
        assert_eq!(Header::parse(*b"Q\xff\xff\xff\xff"), Err(FrameError::TooShort));
        assert_eq!(Header::parse(*b"Q\x7f\xff\xff\xff"), Err(FrameError::TooLong));
        assert_eq!(Header::parse(*b"Q\0\0\0\x04"), Ok(Header { kind: b'Q', body: 0 }));
        assert_eq!(Header::parse(*b"Q\x40\0\0\x03"), Ok(Header { kind: b'Q', body: limits::FRAME_BYTES }));
    }

    #[test]
    fn a_header_joins_over_any_split() {
        let bytes = b"Q\0\0\0\x09";
        for split in 1..5 {
            let mut stash = Stash::default();
            assert_eq!(stash.next(&bytes[..split]), Ok(Next::Incomplete));
            let joined = stash.next(&bytes[split..]).unwrap();
            assert_eq!(joined, Next::Joined(Header { kind: b'Q', body: 5 }, *bytes, 5 - split));
            assert!(stash.is_empty());
        }
    }

    #[test]
    fn written_frames_carry_their_length() {
        let mut out = vec![7];
        write(&mut out, b'Q', |body| body.extend_from_slice(b"abc\0"));
        assert_eq!(out, b"\x07Q\0\0\0\x08abc\0");
        let mut header = Vec::new();
        write_header(&mut header, b'd', 3);
        assert_eq!(header, b"d\0\0\0\x07");
    }
}
