//! The few pieces of JSON that a record needs, written straight into a byte buffer.
//!
//! In place of `serde_json` because parts of a record are encoded ahead and copied, and because text here is
//! bytes from a peer that need not be UTF-8. Reading back does use `serde_json`, so the tests hold the two
//! against each other. Output never holds a raw control character: a record stays on one line.

use crate::room::{SmallRoom, first_digits};

/// Whether a byte stands for itself inside a JSON string (RFC 8259 section 7).
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        plain[byte] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};

/// Whether a text is ASCII of which every byte stands for itself, as nearly all is.
#[inline]
pub(crate) fn is_plain_ascii(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let (halves, rest) = rest.as_chunks::<4>();
    words.iter().all(|word| is_plain_word(u64::from_le_bytes(*word)))
        // Two halves of one word, so that the rest of it is not zero.
        && halves.iter().all(|half| is_plain_word(u64::from(u32::from_le_bytes(*half)) * 0x1_0000_0001))
        && rest.iter().all(|byte| byte.is_ascii() && PLAIN[usize::from(*byte)])
}

/// The same of eight bytes at once: the high bit of a byte is left where it is none of them.
#[inline]
const fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // Sean Eron Anderson, "Bit Twiddling Hacks": a byte less than n, a byte that is zero. A borrow can mark a byte
    // too many only where another is marked rightly.
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (word | control | quote | backslash) & HIGH == 0
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `,"name":`, in one piece whose length the compiler knows.
macro_rules! key {
    ($out:expr, $name:literal) => {
        $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes())
    };
}
pub(crate) use key;

/// Appends a decimal number.
#[inline]
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    if let Some(value) = u32::try_from(value).ok().filter(|value| *value < 10_000) {
        // All four, and less of them: a length that the compiler knows needs no call.
        let (digits, count) = first_digits(value);
        out.extend_from_slice(&digits);
        return out.truncate(out.len() - (digits.len() - count));
    }
    let mut room = SmallRoom::new();
    room.number(value);
    out.extend_from_slice(room.written());
}

/// Appends nanoseconds as microseconds with three decimals.
pub(crate) fn microseconds(out: &mut Vec<u8>, nanos: u64) {
    let mut room = SmallRoom::new();
    room.microseconds(nanos);
    out.extend_from_slice(room.written());
}

/// Appends a string, quotes included.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text.as_bytes());
    out.push(b'"');
}

/// Appends bytes as a string, quotes included. What is not UTF-8 is written as a backslash, an `x` and two
/// hexadecimal digits. Returns whether there was any of it.
pub(crate) fn bytes(out: &mut Vec<u8>, text: &[u8]) -> bool {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if is_plain_ascii(text) {
        out.extend_from_slice(text);
        out.push(b'"');
        return false;
    }
    let mut escaped = false;
    for chunk in text.utf8_chunks() {
        escape(out, chunk.valid().as_bytes());
        for &byte in chunk.invalid() {
            escaped = true;
            out.extend_from_slice(b"\\\\x");
            hex_digits(out, byte);
        }
    }
    out.push(b'"');
    escaped
}

/// Appends bytes as a string of hexadecimal digits, quotes included.
pub(crate) fn hex(out: &mut Vec<u8>, data: &[u8]) {
    out.push(b'"');
    for &byte in data {
        hex_digits(out, byte);
    }
    out.push(b'"');
}

/// Appends an array whose items `write` appends.
pub(crate) fn array<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn hex_digits(out: &mut Vec<u8>, byte: u8) {
    out.push(HEX[usize::from(byte >> 4)]);
    out.push(HEX[usize::from(byte & 0xf)]);
}

/// Appends UTF-8 text without quotes, escaped; runs that need no escape are copied whole.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(length) = rest.iter().position(|&byte| !PLAIN[usize::from(byte)]) {
        let (plain, tail) = rest.split_at(length);
        out.extend_from_slice(plain);
        match tail[0] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                hex_digits(out, control);
            }
        }
        rest = &tail[1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_read_back_as_they_were() {
        let every: String = (0..0x300).filter_map(char::from_u32).chain("\u{2028}\u{1f600}".chars()).collect();
        let text = written(|out| string(out, &every));
        assert!(text.bytes().all(|byte| byte >= 0x20));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), every);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_escaped_and_reported() {
        let mut escaped = false;
        let text = written(|out| escaped = bytes(out, b"caf\xe9 \xc3\xa9\xff"));
        assert!(escaped);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "caf\\xe9 \u{e9}\\xff");
        let text = written(|out| escaped = bytes(out, "café".as_bytes()));
        assert!(!escaped);
        assert_eq!(text, "\"café\"");
    }

    #[test]
    fn plain_text_is_told_byte_by_byte_as_in_words() {
        for length in 0..20 {
            let plain = vec![b'x'; length];
            assert!(is_plain_ascii(&plain));
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = plain.clone();
                    text[at] = byte;
                    let expected = byte.is_ascii() && PLAIN[usize::from(byte)];
                    assert_eq!(is_plain_ascii(&text), expected, "{byte} at {at} of {length}");
                    // Beside it one that the arithmetic could borrow from.
                    for beside in [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f] {
                        text[(at + 1) % length] = beside;
                        let expected = text.iter().all(|byte| byte.is_ascii() && PLAIN[usize::from(*byte)]);
                        assert_eq!(is_plain_ascii(&text), expected, "{text:?}");
                    }
                }
            }
        }
    }
}
