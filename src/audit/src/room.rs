//! The short fields of a line, written in place: numbers, times and the names before them.
//!
//! A buffer that grows asks before each piece whether there is room for it; half of a record's instructions went
//! there when its fields were appended one by one. This has room for all that is written to it by construction
//! ([`crate::encode`] counts the most that its fields can take), and is appended to the line at once.

use crate::time::four_digits;

/// Bytes that may be written to a [`Room`].
pub(crate) const ROOM_BYTES: usize = 512;

/// Room for the end of a line.
pub(crate) type Room = RoomOf<{ ROOM_BYTES + PIECE_BYTES }>;

/// Room for one number.
pub(crate) type SmallRoom = RoomOf<{ 32 + PIECE_BYTES }>;

/// The largest piece that is written at once.
const PIECE_BYTES: usize = 32;

/// Most digits of a number.
pub(crate) const NUMBER_BYTES: usize = 20;

/// Most bytes of [`Room::microseconds`].
pub(crate) const MICROSECONDS_BYTES: usize = 17 + 4;

/// `SIZE` bytes, of which the last [`PIECE_BYTES`] are for a piece that is written whole and counts in part.
#[derive(Debug)]
pub(crate) struct RoomOf<const SIZE: usize> {
    bytes: [u8; SIZE],
    len: usize,
}

impl<const SIZE: usize> RoomOf<SIZE> {
    /// A power of two: what keeps the end inside is then a mask.
    const LIMIT: usize = SIZE - PIECE_BYTES;

    #[inline]
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; SIZE], len: 0 }
    }

    /// Begins anew.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Bytes that were written.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends what was written to a line, and begins anew.
    #[inline]
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.written());
        self.len = 0;
    }

    /// What was written.
    #[inline]
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes[..self.len % Self::LIMIT]
    }

    /// Writes a piece whose length the compiler knows, of which `counted` bytes count.
    #[inline]
    fn put<const N: usize>(&mut self, piece: [u8; N], counted: usize) {
        const { assert!(N <= PIECE_BYTES, "a piece fits behind whatever was written") };
        debug_assert!(self.len + counted < Self::LIMIT, "room was counted for all fields");
        // The remainder tells the compiler what the assertion above tells us: no test of bounds is left.
        let at = self.len % Self::LIMIT;
        self.bytes[at..at + N].copy_from_slice(&piece);
        self.len = at + counted;
    }

    /// Writes a constant.
    #[inline]
    pub(crate) fn literal<const N: usize>(&mut self, piece: &[u8; N]) {
        self.put(*piece, N);
    }

    /// Writes a text; the caller knows that there is room.
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) {
        debug_assert!(self.len + text.len() < Self::LIMIT, "room was counted for all fields");
        if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
            && text.len() <= 16
        {
            // Two words that may overlap are less than a call that copies.
            let rest = text.len() - 8;
            self.put(*first, rest);
            return self.put(*last, 8);
        }
        if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>())
            && text.len() <= 8
        {
            self.put(*first, text.len() - 4);
            return self.put(*last, 4);
        }
        let at = self.len % Self::LIMIT;
        self.bytes[at..at + text.len()].copy_from_slice(text);
        self.len = at + text.len();
    }

    /// Writes a decimal number.
    #[inline]
    pub(crate) fn number(&mut self, value: u64) {
        match u32::try_from(value) {
            // Most are: rows, bytes of short messages, microseconds.
            Ok(value) if value < 100 => {
                let (digits, count) = two_digits(value);
                self.put(digits, count);
            }
            Ok(value) if value < 10_000 => {
                let (digits, count) = first_digits(value);
                self.put(digits, count);
            }
            _ => self.long_number(value),
        }
    }

    fn long_number(&mut self, value: u64) {
        self.number(value / 10_000);
        self.put(four_digits(below_ten_thousand(value)), 4);
    }

    /// Writes nanoseconds as microseconds with three decimals.
    #[inline]
    pub(crate) fn microseconds(&mut self, nanos: u64) {
        self.number(nanos / 1_000);
        let [_, hundreds, tens, ones] = four_digits(below_ten_thousand(nanos % 1_000));
        self.put([b'.', hundreds, tens, ones], 4);
    }
}

/// The last four digits of a number.
#[inline]
fn below_ten_thousand(value: u64) -> u32 {
    // The remainder fits.
    u32::try_from(value % 10_000).unwrap_or(0)
}

/// A number below 100 without a zero before it, and how many digits that are.
#[inline]
fn two_digits(value: u32) -> ([u8; 2], usize) {
    const DIGITS: [[u8; 2]; 100] = {
        let mut digits = [[0; 2]; 100];
        let mut value = 0;
        while value < 100 {
            let [_, _, tens, ones] = four_digits(value);
            digits[value as usize] = if value < 10 { [ones, 0] } else { [tens, ones] };
            value += 1;
        }
        digits
    };
    let digits = usize::try_from(value).ok().and_then(|value| DIGITS.get(value)).copied().unwrap_or_default();
    (digits, 1 + usize::from(value >= 10))
}

/// A number below 10,000 without zeros before it, and how many digits that are.
#[inline]
pub(crate) fn first_digits(value: u32) -> ([u8; 4], usize) {
    let word = u32::from_le_bytes(four_digits(value));
    // What is not '0'; the last digit counts even where it is.
    let significant = (word ^ 0x3030_3030) | 0x0100_0000;
    let zeros = significant.trailing_zeros() / 8;
    let count = 4 - usize::try_from(zeros).unwrap_or(0);
    ((word >> (8 * zeros)).to_le_bytes(), count)
}
#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Room)) -> String {
        let mut room = Room::new();
        write(&mut room);
        String::from_utf8(room.written().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_whole() {
        let powers = (0..20).map(|exponent| 10_u64.pow(exponent));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(7)]);
        for value in (0..12_000).chain(edges).chain([u64::MAX, u64::MAX - 1]) {
            assert_eq!(written(|room| room.number(value)), value.to_string());
        }
        assert_eq!(written(|room| room.number(u64::MAX)).len(), NUMBER_BYTES);
    }

    #[test]
    fn microseconds_have_three_decimals() {
        for (nanos, text) in [(0, "0.000"), (4_213, "4.213"), (999, "0.999"), (1_000_060, "1000.060")] {
            assert_eq!(written(|room| room.microseconds(nanos)), text);
        }
        assert_eq!(written(|room| room.microseconds(u64::MAX)).len(), MICROSECONDS_BYTES);
    }

    #[test]
    fn pieces_follow_one_another() {
        let text = written(|room| {
            room.literal(b"{\"rows\":");
            room.number(0);
            room.literal(b",\"tag\":\"");
            room.text(b"SELECT 10");
            room.literal(b"\",\"n\":");
            room.number(123_456);
            room.literal(b"}");
        });
        assert_eq!(text, r#"{"rows":0,"tag":"SELECT 10","n":123456}"#);
    }

    #[test]
    fn texts_of_every_length_are_copied_whole() {
        let alphabet: String = ('!'..='~').collect();
        for length in 0..alphabet.len() {
            let text = written(|room| {
                room.literal(b"<");
                room.text(&alphabet.as_bytes()[..length]);
                room.literal(b">");
            });
            assert_eq!(text, format!("<{}>", &alphabet[..length]));
        }
    }
}
