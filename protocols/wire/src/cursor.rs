//! A bounds-checked reader over bytes that a peer sent.
//!
//! Both protocols frame their messages before they parse them, so running out of bytes here means that
//! a message lies about its own length: [`Malformed`], not "wait for more".

use core::fmt;

/// A message whose inside does not fit its frame: a length past the end, a string without its NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What was being read, in the words of the protocol manual.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed {}", self.what)
    }
}

impl core::error::Error for Malformed {}

/// Reads big-endian numbers, NUL-terminated strings and counted bytes from a slice.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Offset of the next unread byte.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Everything not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Whether all bytes are read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.position >= self.bytes.len()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Malformed`] when fewer are left.
    pub fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.position.checked_add(count).ok_or(Malformed { what })?;
        let taken = self.bytes.get(self.position..end).ok_or(Malformed { what })?;
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        self.bytes(N, what)?.try_into().map_err(|_| Malformed { what })
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Malformed`] at the end.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(what)?[0])
    }

    /// A big-endian 16-bit number.
    ///
    /// # Errors
    /// [`Malformed`] when fewer than two bytes are left.
    pub fn i16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.array(what)?))
    }

    /// A big-endian 16-bit count.
    ///
    /// # Errors
    /// [`Malformed`] when fewer than two bytes are left.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// A big-endian 32-bit number.
    ///
    /// # Errors
    /// [`Malformed`] when fewer than four bytes are left.
    pub fn i32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array(what)?))
    }

    /// A big-endian unsigned 32-bit number.
    ///
    /// # Errors
    /// [`Malformed`] when fewer than four bytes are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// The bytes up to the next NUL, which is consumed and not returned.
    ///
    /// # Errors
    /// [`Malformed`] when no NUL is left.
    pub fn cstr(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| *byte == 0).ok_or(Malformed { what })?;
        let text = rest.get(..length).ok_or(Malformed { what })?;
        self.position += length + 1;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_reports_what_is_missing() {
        let mut cursor = Cursor::new(b"\x00\x01\xff\xff\xff\xffname\0x");
        assert_eq!(cursor.i16("count"), Ok(1));
        assert_eq!(cursor.i32("length"), Ok(-1));
        assert_eq!(cursor.cstr("name"), Ok(&b"name"[..]));
        assert_eq!(cursor.i32("tail"), Err(Malformed { what: "tail" }));
        assert_eq!(cursor.u8("tail"), Ok(b'x'));
        assert!(cursor.is_empty());
        assert_eq!(cursor.bytes(usize::MAX, "overflow"), Err(Malformed { what: "overflow" }));
    }
}
