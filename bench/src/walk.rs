//! Counts the frames that a server sends, in whatever pieces they arrive.
//!
//! Assumes a stream that starts at a frame boundary. It never keeps a body, except the beginning of the few that
//! say what went wrong or how to authenticate, so that reading a result costs the reader as little as possible.
//!
//! Frames: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

/// How much of an error or an authentication request is kept, in bytes.
const KEPT_LIMIT_BYTES: usize = 4096;
/// Type byte and length.
const HEADER_BYTES: usize = 5;

/// What has arrived so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// All bytes, headers included.
    pub bytes: u64,
    /// `CopyData` frames.
    pub copied: u64,
    /// `ReadyForQuery` frames; whole replies of MySQL.
    pub ready: u64,
    /// Rows.
    pub rows: u64,
}

impl std::ops::Sub for Tally {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes - earlier.bytes,
            copied: self.copied - earlier.copied,
            ready: self.ready - earlier.ready,
            rows: self.rows - earlier.rows,
        }
    }
}

/// Why a stream cannot be followed further.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// A length that no frame can have.
    #[error("a frame of type {kind:#04x} announces {length} bytes")]
    Length {
        /// The frame's type byte.
        kind: u8,
        /// Its length field.
        length: u32,
    },
}

/// A position in a stream of frames.
#[derive(Debug, Default)]
pub struct Walk {
    header: [u8; HEADER_BYTES],
    header_has: usize,
    body_left: usize,
    kept: Vec<u8>,
    error: Option<String>,
    authentication: Option<u32>,
    tally: Tally,
}

impl Walk {
    /// What has arrived since the beginning.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The first error that the server sent since this was last asked: its SQLSTATE and message.
    pub fn take_error(&mut self) -> Option<String> {
        self.error.take()
    }

    /// The number of the last authentication request: 0 when the server is content.
    #[must_use]
    pub fn authentication(&self) -> Option<u32> {
        self.authentication
    }

    /// Follows the frames in `chunk`.
    ///
    /// # Errors
    /// [`WalkError::Length`] for a frame that claims to be shorter than its own length field.
    pub fn feed(&mut self, mut chunk: &[u8]) -> Result<(), WalkError> {
        self.tally.bytes += chunk.len() as u64;
        while !chunk.is_empty() {
            if self.header_has < HEADER_BYTES {
                chunk = self.take_header(chunk);
                if self.header_has < HEADER_BYTES {
                    break;
                }
                self.begin()?;
            } else {
                chunk = self.take_body(chunk);
            }
            if self.header_has == HEADER_BYTES && self.body_left == 0 {
                self.end();
            }
        }
        Ok(())
    }

    fn take_header<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let wanted = HEADER_BYTES - self.header_has;
        let (taken, rest) = chunk.split_at(wanted.min(chunk.len()));
        self.header[self.header_has..self.header_has + taken.len()].copy_from_slice(taken);
        self.header_has += taken.len();
        rest
    }

    fn begin(&mut self) -> Result<(), WalkError> {
        let [kind, length @ ..] = self.header;
        let length = u32::from_be_bytes(length);
        self.body_left = length
            .checked_sub(4)
            .and_then(|body| usize::try_from(body).ok())
            .ok_or(WalkError::Length { kind, length })?;
        Ok(())
    }

    fn take_body<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = chunk.split_at(self.body_left.min(chunk.len()));
        if matches!(self.header[0], b'E' | b'R') {
            let room = KEPT_LIMIT_BYTES - self.kept.len();
            self.kept.extend_from_slice(&taken[..taken.len().min(room)]);
        }
        self.body_left -= taken.len();
        rest
    }

    fn end(&mut self) {
        match self.header[0] {
            b'D' => self.tally.rows += 1,
            b'd' => self.tally.copied += 1,
            b'Z' => self.tally.ready += 1,
            b'E' if self.error.is_none() => self.error = Some(describe_error(&self.kept)),
            b'R' => self.authentication = self.kept.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
            _ => {}
        }
        self.kept.clear();
        self.header_has = 0;
    }
}

/// SQLSTATE and message of an `ErrorResponse`'s fields.
fn describe_error(fields: &[u8]) -> String {
    let mut code = String::new();
    let mut message = String::new();
    for field in fields.split(|&byte| byte == 0) {
        match field.split_first() {
            Some((b'C', value)) => code = String::from_utf8_lossy(value).into_owned(),
            Some((b'M', value)) => message = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }
    format!("{code}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    fn conversation() -> Vec<u8> {
        [
            frame(b'R', &0u32.to_be_bytes()),
            frame(b'D', b"one row"),
            frame(b'D', b""),
            frame(b'd', &[7; 300]),
            frame(b'E', b"SERROR\0C42501\0Mno\0\0"),
            frame(b'Z', b"I"),
        ]
        .concat()
    }

    #[test]
    fn any_split_counts_the_same() {
        let bytes = conversation();
        for size in 1..=bytes.len() {
            let mut walk = Walk::default();
            for chunk in bytes.chunks(size) {
                walk.feed(chunk).unwrap();
            }
            let expected = Tally { bytes: bytes.len() as u64, copied: 1, ready: 1, rows: 2 };
            assert_eq!(walk.tally(), expected, "chunks of {size}");
            assert_eq!(walk.authentication(), Some(0));
            assert_eq!(walk.take_error().as_deref(), Some("42501: no"));
        }
    }

    #[test]
    fn a_length_under_four_is_an_error() {
        let mut walk = Walk::default();
        assert!(walk.feed(&[b'D', 0, 0, 0, 3]).is_err());
    }
}
