//! Social security numbers of the United States: `ddd-dd-dddd`, or with spaces.
//!
//! Which are never issued: area 000, 666 and 900–999, group 00, serial 0000 (Social Security
//! Administration, "Social Security Number Randomization"). Nine bare digits are not taken for one: they are
//! order numbers, postcodes and telephone numbers far more often.

use std::ops::Range;

use super::word::in_hexadecimal_word;

/// Bytes of a number.
const BYTES: usize = 11;

/// The first number that begins at `from` or later.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    while let Some(window) = text.get(start..).and_then(<[u8]>::first_chunk::<BYTES>) {
        if is_number(window) && stands_alone(text, start, start + BYTES, window[3]) {
            return Some(start..start + BYTES);
        }
        start += 1;
    }
    None
}

fn is_number(text: &[u8; BYTES]) -> bool {
    let (area, group, serial) = (&text[..3], &text[4..6], &text[7..]);
    matches!((text[3], text[6]), (b'-', b'-') | (b' ', b' '))
        && [area, group, serial].into_iter().flatten().all(u8::is_ascii_digit)
        && area != b"000"
        && area != b"666"
        && area[0] != b'9'
        && group != b"00"
        && serial != b"0000"
}

/// Whether no digit, decimal point, plus or further group makes the number part of something longer.
fn stands_alone(text: &[u8], start: usize, end: usize, separator: u8) -> bool {
    let joined = |byte: u8| byte == b'.' || byte == b'-' || byte == separator;
    let before = match text[..start] {
        [.., b'0'..=b'9' | b'+'] => false,
        [.., digit, byte] if joined(byte) => !digit.is_ascii_digit(),
        _ => true,
    };
    let after = match text[end..] {
        [b'0'..=b'9', ..] => false,
        [byte, digit, ..] if joined(byte) => !digit.is_ascii_digit(),
        _ => true,
    };
    before && after && !in_hexadecimal_word(text, start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text.as_bytes(), 0).map(|range| &text[range])
    }

    #[test]
    fn numbers_with_hyphens_or_spaces_are_found() {
        for text in
            ["123-45-6789", "ssn: 123-45-6789.", "(123-45-6789)", "SSN123-45-6789", "7 123-45-6789", "é123-45-6789é"]
        {
            assert_eq!(found(text), Some("123-45-6789"), "{text}");
        }
        assert_eq!(found("is 123 45 6789, ok"), Some("123 45 6789"));
        assert_eq!(find(b"123-45-6789 899-01-0001", 11), Some(12..23));
    }

    #[test]
    fn what_was_never_issued_or_is_part_of_more_is_not() {
        for text in [
            "123456789",
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "123-45 6789",
            "1123-45-6789",
            "123-45-67890",
            "1-123-45-6789",
            "123-45-6789-1",
            "1.123-45-6789",
            "123-45-6789.5",
            "12 123 45 6789",
            "123 45 6789 1",
            "+123-45-6789",
            "ab123-45-6789",
            "123-45-6789ef",
            "123-4-56789",
            "2024-01-15",
            "555-123-4567",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
