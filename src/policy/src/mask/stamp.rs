//! Overwriting a value by position alone, length kept.
//!
//! What a byte becomes depends on the value's type, its length, and where the byte stands, and on nothing
//! that was seen before, so a value may come in any number of parts. The result is valid for the type
//! wherever a valid value of the same length exists; the table of [`crate::mask`] names the exceptions.
//! Nothing of the value stays but its length, its separators, and what the type's header says about
//! lengths. This module must never keep a byte because it looks harmless: only positions and a short list
//! of separators decide.

use wire::value::{Encoding, ValueType};

/// In place of a value's length where it is not known yet, as in COPY's text forms.
pub(super) const UNKNOWN_LENGTH: usize = usize::MAX;

/// Overwrites `part`, which lies at `offset` of a value of `total` bytes or of [`UNKNOWN_LENGTH`].
pub(super) fn stamp(value_type: ValueType, encoding: Encoding, total: usize, offset: usize, part: &mut [u8]) {
    match encoding {
        Encoding::Text => stamp_text(value_type, total, offset, part),
        Encoding::PgBinary => stamp_binary(value_type, total, offset, part),
        _ => part.fill(0),
    }
}

fn stamp_text(value_type: ValueType, total: usize, offset: usize, part: &mut [u8]) {
    match value_type {
        ValueType::Array => bracketed(*b"{}", b'0', total, offset, part),
        ValueType::Bit | ValueType::Int2 | ValueType::Int4 | ValueType::Int8 | ValueType::Oid => part.fill(b'0'),
        ValueType::Bool => part.fill(b'f'),
        ValueType::Bytes => bytea_text(total, offset, part),
        ValueType::Cidr | ValueType::Inet => zeros_between(part, b".:/"),
        ValueType::Composite => bracketed(*b"()", b'*', total, offset, part),
        ValueType::Date | ValueType::Timestamp => date_text(total, offset, part),
        ValueType::Float4 | ValueType::Float8 | ValueType::Numeric => zeros_between(part, b"."),
        ValueType::Interval | ValueType::Time | ValueType::Timetz => digits_to_zero(part),
        ValueType::Json | ValueType::Jsonb => json_text(total, offset, part),
        ValueType::Macaddr => zeros_between(part, b":-."),
        ValueType::Money => money_text(part),
        ValueType::Range => range_text(total, offset, part),
        ValueType::Uuid => zeros_between(part, b"-"),
        _ => part.fill(b'*'),
    }
}

fn stamp_binary(value_type: ValueType, total: usize, offset: usize, part: &mut [u8]) {
    match value_type {
        ValueType::Json | ValueType::Text => stamp_text(value_type, total, offset, part),
        // A version byte, then the text.
        ValueType::Jsonb => {
            let (version, text) = split_header(offset, 1, part);
            let text_offset = (offset + version).saturating_sub(1);
            json_text(total.saturating_sub(1), text_offset, text);
        }
        // ndim and flags become 0, the element's OID stays; decoders read no further.
        ValueType::Array => each(offset, part, |at, byte| if (8..12).contains(&at) { byte } else { 0 }),
        // The count of bits stays.
        ValueType::Bit => split_header(offset, 4, part).1.fill(0),
        // Family, bits, is_cidr and length stay; an address keeps no netmask, a network is 0/0.
        ValueType::Cidr => each(offset, part, |at, byte| if matches!(at, 0 | 2 | 3) { byte } else { 0 }),
        ValueType::Inet => each(offset, part, |at, byte| match at {
            0 | 2 | 3 => byte,
            1 if total == INET6_BYTES => 128,
            1 => 32,
            _ => 0,
        }),
        // Count of digits, weight and scale stay, so that the digits after them are read as before.
        ValueType::Numeric => {
            each(offset, part, |at, byte| if matches!(at, 0..4 | 6 | 7) { byte } else { 0 });
        }
        // The flag for an empty range.
        ValueType::Range => each(offset, part, |at, _| u8::from(at == 0)),
        _ => part.fill(0),
    }
}

/// Header of 4 bytes and an IPv6 address.
const INET6_BYTES: usize = 20;

/// Replaces each byte by what `new` makes of its position in the value and its old content.
fn each(offset: usize, part: &mut [u8], new: impl Fn(usize, u8) -> u8) {
    for (index, byte) in part.iter_mut().enumerate() {
        *byte = new(offset + index, *byte);
    }
}

/// How many bytes of `part` belong to a header of `header` bytes, and the rest.
fn split_header(offset: usize, header: usize, part: &mut [u8]) -> (usize, &mut [u8]) {
    let inside = header.saturating_sub(offset).min(part.len());
    (inside, &mut part[inside..])
}

fn zeros_between(part: &mut [u8], separators: &[u8]) {
    for byte in part {
        if !separators.contains(byte) {
            *byte = b'0';
        }
    }
}

/// `{000}` is an array of one element that texts and numbers alike can be read from. Where the end is not
/// known, an empty one with spaces after it.
fn bracketed(brackets: [u8; 2], fill: u8, total: usize, offset: usize, part: &mut [u8]) {
    each(offset, part, |at, _| match at {
        0 => brackets[0],
        1 if total == UNKNOWN_LENGTH => brackets[1],
        _ if total == UNKNOWN_LENGTH => b' ',
        _ if at + 1 == total => brackets[1],
        _ => fill,
    });
}

/// `\x` and zeros. In the older `escape` form a value may begin with `\001` too: `\000` is as valid.
/// Values in hexadecimal have an even length.
fn bytea_text(total: usize, offset: usize, part: &mut [u8]) {
    let even = total.is_multiple_of(2);
    each(offset, part, |at, byte| match at {
        0 if even && byte == b'\\' => b'\\',
        1 if even && (byte == b'x' || total == 2) => b'x',
        _ => b'0',
    });
}

/// The first day that PostgreSQL's binary form knows, at midnight.
/// `infinity` has a length that no date in digits has, and stays valid.
fn date_text(total: usize, offset: usize, part: &mut [u8]) {
    const EPOCH: &[u8; 10] = b"2000-01-01";
    each(offset, part, |at, byte| match (total, EPOCH.get(at)) {
        (8, _) => b"infinity"[at.min(7)],
        (9, _) => b"-infinity"[at.min(8)],
        (_, Some(&digit)) => digit,
        _ if byte.is_ascii_digit() => b'0',
        _ if b" T:.+-".contains(&byte) => byte,
        _ => b' ',
    });
}

/// Units, signs and colons of spans and times stay.
fn digits_to_zero(part: &mut [u8]) {
    for byte in part {
        if byte.is_ascii_digit() {
            *byte = b'0';
        }
    }
}

/// Currency and separators of the locale stay, the sign goes.
fn money_text(part: &mut [u8]) {
    for byte in part {
        *byte = match *byte {
            b'0'..=b'9' => b'0',
            b'-' | b'(' | b')' => b' ',
            other => other,
        };
    }
}

/// A string of stars; one byte can only be a number. Where the end is not known, a number and spaces.
fn json_text(total: usize, offset: usize, part: &mut [u8]) {
    each(offset, part, |at, _| match at {
        _ if total < 2 => b'0',
        0 if total == UNKNOWN_LENGTH => b'0',
        _ if total == UNKNOWN_LENGTH => b' ',
        0 => b'"',
        _ if at + 1 == total => b'"',
        _ => b'*',
    });
}

/// An empty range; what is too short for the word is a range without bounds, or an empty multirange.
fn range_text(total: usize, offset: usize, part: &mut [u8]) {
    let pattern: &[u8] = match total {
        0 | 1 => b"",
        2 => b"{}",
        3 | 4 => b"(,)",
        _ => b"empty",
    };
    each(offset, part, |at, _| pattern.get(at).copied().unwrap_or(b' '));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value_type: ValueType, value: &str) -> String {
        let mut cell = value.as_bytes().to_vec();
        stamp(value_type, Encoding::Text, cell.len(), 0, &mut cell);
        String::from_utf8(cell).unwrap()
    }

    #[test]
    fn each_text_becomes_one_of_the_same_length_and_type() {
        for (value_type, value, stamped) in [
            (ValueType::Array, "{1,2,3}", "{00000}"),
            (ValueType::Array, "{}", "{}"),
            (ValueType::Bit, "1011", "0000"),
            (ValueType::Bool, "t", "f"),
            (ValueType::Bytes, r"\xdeadbeef", r"\x00000000"),
            (ValueType::Bytes, r"\x", r"\x"),
            (ValueType::Bytes, r"\001abc1", r"\0000000"),
            (ValueType::Bytes, r"\\", r"\x"),
            (ValueType::Bytes, r"\\a", "000"),
            (ValueType::Cidr, "10.1.0.0/16", "00.0.0.0/00"),
            (ValueType::Composite, "(1,a)", "(***)"),
            (ValueType::Date, "1984-05-06", "2000-01-01"),
            (ValueType::Date, "infinity", "infinity"),
            (ValueType::Date, "0044-03-15 BC", "2000-01-01   "),
            (ValueType::Float8, "-1.5e-07", "00.00000"),
            (ValueType::Float8, "NaN", "000"),
            (ValueType::Inet, "fe80::1", "0000::0"),
            (ValueType::Int4, "-17", "000"),
            (ValueType::Interval, "1 year 2 mons -03:04:05", "0 year 0 mons -00:00:00"),
            (ValueType::Json, r#"{"a": 1}"#, r#""******""#),
            (ValueType::Jsonb, "7", "0"),
            (ValueType::Macaddr, "08:00:2b:01:02:03", "00:00:00:00:00:00"),
            (ValueType::Money, "-$1,234.56", " $0,000.00"),
            (ValueType::Numeric, "-12.50", "000.00"),
            (ValueType::Range, "[2020-01-01,2020-02-01)", "empty                  "),
            (ValueType::Range, "(,)", "(,)"),
            (ValueType::Text, "Zoë", "****"),
            (ValueType::Time, "12:34:56.7", "00:00:00.0"),
            (ValueType::Timestamp, "1984-05-06 07:08:09.1+02", "2000-01-01 00:00:00.0+00"),
            (ValueType::Unknown, "mood", "****"),
            (ValueType::Uuid, "123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"),
        ] {
            assert_eq!(text(value_type, value), stamped, "{value_type:?} {value}");
        }
    }

    #[test]
    fn each_binary_value_becomes_one_of_the_same_length_and_type() {
        let inet6 = [&[3, 64, 0, 16][..], &[0xfe; 16]].concat();
        let inet6_zero = [&[3, 128, 0, 16][..], &[0; 16]].concat();
        let array: Vec<u8> = [1, 0, 25, 1, 1, 2].iter().flat_map(|n: &u32| n.to_be_bytes()).chain(*b"ab").collect();
        let array_empty = [&[0; 8][..], &[0, 0, 0, 25], &[0; 14]].concat();
        for (value_type, value, stamped) in [
            (ValueType::Array, &array[..], &array_empty[..]),
            (ValueType::Bit, &[0, 0, 0, 9, 0xff, 0x80], &[0, 0, 0, 9, 0, 0]),
            (ValueType::Bool, &[1], &[0]),
            (ValueType::Bytes, &[1, 2], &[0, 0]),
            (ValueType::Cidr, &[2, 8, 1, 4, 10, 0, 0, 0], &[2, 0, 1, 4, 0, 0, 0, 0]),
            (ValueType::Date, &[1, 2, 3, 4], &[0; 4]),
            (ValueType::Inet, &[2, 24, 0, 4, 10, 0, 0, 1], &[2, 32, 0, 4, 0, 0, 0, 0]),
            (ValueType::Inet, &inet6, &inet6_zero),
            (ValueType::Int8, &[9; 8], &[0; 8]),
            (ValueType::Json, b"[1,2]", b"\"***\""),
            (ValueType::Jsonb, b"\x01[1,2]", b"\x01\"***\""),
            (ValueType::Jsonb, b"\x017", b"\x010"),
            (ValueType::Numeric, &[0, 1, 0, 2, 0x40, 0, 0, 3, 9, 9], &[0, 1, 0, 2, 0, 0, 0, 3, 0, 0]),
            (ValueType::Range, &[2, 0, 0, 0, 1, 7], &[1, 0, 0, 0, 0, 0]),
            (ValueType::Text, b"ab", b"**"),
            (ValueType::Unknown, b"ab", &[0, 0]),
        ] {
            let mut cell = value.to_vec();
            stamp(value_type, Encoding::PgBinary, cell.len(), 0, &mut cell);
            assert_eq!(cell, stamped, "{value_type:?} {value:?}");
        }
    }

    #[test]
    fn parts_make_the_same_value_as_the_whole() {
        let value: Vec<u8> = (0..40u8).map(|n| n.wrapping_mul(7).wrapping_add(31)).collect();
        for value_type in crate::mask::ALL_TYPES {
            for encoding in [Encoding::Text, Encoding::PgBinary] {
                for total in [value.len(), UNKNOWN_LENGTH] {
                    let mut whole = value.clone();
                    stamp(value_type, encoding, total, 0, &mut whole);
                    for cut in 0..=value.len() {
                        let mut parts = value.clone();
                        let (left, right) = parts.split_at_mut(cut);
                        stamp(value_type, encoding, total, 0, left);
                        stamp(value_type, encoding, total, cut, right);
                        assert_eq!(parts, whole, "{value_type:?} {encoding:?} cut at {cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_value_whose_end_is_not_known_is_complete_before_it_ends() {
        for (value_type, stamped) in [
            (ValueType::Array, "{}    "),
            (ValueType::Composite, "()    "),
            (ValueType::Json, "0     "),
            (ValueType::Range, "empty "),
            (ValueType::Text, "******"),
        ] {
            let mut cell = *b"secret";
            stamp(value_type, Encoding::Text, UNKNOWN_LENGTH, 0, &mut cell);
            assert_eq!(cell, stamped.as_bytes(), "{value_type:?}");
        }
    }
}
