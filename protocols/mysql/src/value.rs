//! How values lie in binary rows and parameters, and their text.
//!
//! Masks and detectors know values by their text, and most values of a binary row are text: numbers of a
//! fixed size, dates and times are the exception. Such a cell is shown to the guard as the text that the
//! text protocol would have sent, and what comes back is put into the binary form again. So a mask means the
//! same in both forms, and no rule has to know MySQL's.
//!
//! Source: MySQL documentation, "Binary Protocol Resultset Row" and "Binary Value".

use core::fmt::Write as _;

use wire::value::{Encoding, ValueType};

use crate::constant::{BINARY_CHARSET, column};

/// How a value of a type lies in a binary row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A length-encoded string.
    Bytes,
    /// A length byte, then year, month, day, and the time of day where it is not midnight.
    Date {
        /// Whether its text has a time of day.
        time: bool,
    },
    /// 8 bytes.
    Double,
    /// 4 bytes.
    Float,
    /// An integer of this many bytes.
    Int {
        /// 1, 2, 4 or 8.
        bytes: usize,
        /// Whether it has no sign.
        unsigned: bool,
    },
    /// A length byte, then sign, days, hours, minutes, seconds, and parts of a second where there are any.
    Time,
}

/// The form of a column's or parameter's type; `None` for a type that is not known.
pub(crate) fn form(kind: u8, unsigned: bool) -> Option<Form> {
    Some(match kind {
        column::TINY => Form::Int { bytes: 1, unsigned },
        column::SHORT | column::YEAR => Form::Int { bytes: 2, unsigned },
        column::LONG | column::INT24 => Form::Int { bytes: 4, unsigned },
        column::LONGLONG => Form::Int { bytes: 8, unsigned },
        column::FLOAT => Form::Float,
        column::DOUBLE => Form::Double,
        column::DATE => Form::Date { time: false },
        column::DATETIME | column::TIMESTAMP => Form::Date { time: true },
        column::TIME => Form::Time,
        column::DECIMAL | column::VARCHAR | column::BIT | column::VECTOR | column::JSON..=column::GEOMETRY => {
            Form::Bytes
        }
        _ => return None,
    })
}

/// The neutral type of a column, and how the guard is to read its cells.
pub(crate) fn neutral(kind: u8, charset: u16, unsigned: bool) -> (ValueType, Encoding) {
    let text = |value_type| (value_type, Encoding::Text);
    match kind {
        column::TINY | column::SHORT | column::YEAR => text(ValueType::Int2),
        column::LONG if unsigned => text(ValueType::Int8),
        column::LONG | column::INT24 => text(ValueType::Int4),
        column::LONGLONG => text(ValueType::Int8),
        column::DECIMAL | column::NEWDECIMAL => text(ValueType::Numeric),
        column::FLOAT => text(ValueType::Float4),
        column::DOUBLE => text(ValueType::Float8),
        column::DATE => text(ValueType::Date),
        column::TIME => text(ValueType::Time),
        column::DATETIME | column::TIMESTAMP => text(ValueType::Timestamp),
        column::JSON => text(ValueType::Json),
        column::ENUM | column::SET => text(ValueType::Text),
        // Well-formed or useless: NULL is the only other value that its readers take.
        column::GEOMETRY => (ValueType::Unknown, Encoding::PgBinary),
        column::BIT | column::VECTOR => (ValueType::Bytes, Encoding::PgBinary),
        column::VARCHAR | column::TINY_BLOB..=column::STRING if charset == BINARY_CHARSET => {
            (ValueType::Bytes, Encoding::PgBinary)
        }
        column::VARCHAR | column::TINY_BLOB..=column::STRING => text(ValueType::Text),
        _ => (ValueType::Unknown, Encoding::PgBinary),
    }
}

/// Bytes of the field at the start of `rest`: of its length prefix, and of the value after it. `None`: it is
/// malformed, or its length is not whole.
pub(crate) fn field(form: Form, rest: &[u8]) -> Option<(usize, usize)> {
    match form {
        Form::Bytes => text_field(rest)?,
        Form::Date { .. } => Some((1, usize::from(*rest.first()?))).filter(|(_, n)| matches!(n, 0 | 4 | 7 | 11)),
        Form::Double => Some((0, 8)),
        Form::Float => Some((0, 4)),
        Form::Int { bytes, .. } => Some((0, bytes)),
        Form::Time => Some((1, usize::from(*rest.first()?))).filter(|(_, n)| matches!(n, 0 | 8 | 12)),
    }
}

/// The same for a cell of a text row: `Some(None)` is NULL.
#[expect(clippy::option_option, reason = "malformed, NULL and a length are three things")]
#[inline]
pub(crate) fn text_field(rest: &[u8]) -> Option<Option<(usize, usize)>> {
    match *rest.first()? {
        length @ 0..=0xfa => Some(Some((1, usize::from(length)))),
        first => long_text_field(first, rest),
    }
}

#[expect(clippy::option_option, reason = "as above")]
fn long_text_field(first: u8, rest: &[u8]) -> Option<Option<(usize, usize)>> {
    let number = |bytes: &[u8]| {
        let wide =
            bytes.iter().rev().try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
        usize::try_from(wide?).ok()
    };
    match first {
        crate::lenenc::NULL => Some(None),
        0xfc => Some(Some((3, number(rest.get(1..3)?)?))),
        0xfd => Some(Some((4, number(rest.get(1..4)?)?))),
        0xfe => Some(Some((9, number(rest.get(1..9)?)?))),
        _ => None,
    }
}

/// The name of a type, as SQL has it where it has one; empty for a code that is not known.
pub(crate) fn type_name(code: u8, unsigned: bool) -> &'static str {
    match (code, unsigned) {
        (column::DECIMAL | column::NEWDECIMAL, _) => "decimal",
        (column::TINY, false) => "tinyint",
        (column::TINY, true) => "tinyint unsigned",
        (column::SHORT, false) => "smallint",
        (column::SHORT, true) => "smallint unsigned",
        (column::LONG, false) => "int",
        (column::LONG, true) => "int unsigned",
        (column::INT24, false) => "mediumint",
        (column::INT24, true) => "mediumint unsigned",
        (column::LONGLONG, false) => "bigint",
        (column::LONGLONG, true) => "bigint unsigned",
        (column::FLOAT, _) => "float",
        (column::DOUBLE, _) => "double",
        (column::NULL, _) => "null",
        (column::TIMESTAMP, _) => "timestamp",
        (column::DATE, _) => "date",
        (column::TIME, _) => "time",
        (column::DATETIME, _) => "datetime",
        (column::YEAR, _) => "year",
        (column::VARCHAR | column::VAR_STRING, _) => "varchar",
        (column::STRING, _) => "char",
        (column::BIT, _) => "bit",
        (column::VECTOR, _) => "vector",
        (column::JSON, _) => "json",
        (column::ENUM, _) => "enum",
        (column::SET, _) => "set",
        (column::TINY_BLOB, _) => "tinyblob",
        (column::MEDIUM_BLOB, _) => "mediumblob",
        (column::LONG_BLOB, _) => "longblob",
        (column::BLOB, _) => "blob",
        (column::GEOMETRY, _) => "geometry",
        _ => "",
    }
}

/// The text of a value, its length prefix excluded. `None`: the bytes are none of that form.
pub(crate) fn text(form: Form, value: &[u8]) -> Option<String> {
    let mut out = String::new();
    let written = match form {
        Form::Bytes => return None,
        Form::Int { bytes, unsigned } => {
            let mut wide = [if !unsigned && value.last()? & 0x80 != 0 { 0xff } else { 0 }; 8];
            for (slot, byte) in wide.iter_mut().zip(value.iter().take(bytes)) {
                *slot = *byte;
            }
            if unsigned {
                write!(out, "{}", u64::from_le_bytes(wide))
            } else {
                write!(out, "{}", i64::from_le_bytes(wide))
            }
        }
        Form::Float => write!(out, "{}", f32::from_le_bytes(value.try_into().ok()?)),
        Form::Double => write!(out, "{}", f64::from_le_bytes(value.try_into().ok()?)),
        Form::Date { time } => {
            let at = |index: usize| value.get(index).copied().unwrap_or(0);
            let year = u16::from_le_bytes([at(0), at(1)]);
            let day = write!(out, "{year:04}-{:02}-{:02}", at(2), at(3));
            match time {
                true => day.and_then(|()| {
                    write!(out, " {:02}:{:02}:{:02}", at(4), at(5), at(6))?;
                    fraction(&mut out, [at(7), at(8), at(9), at(10)])
                }),
                false => day,
            }
        }
        Form::Time => {
            let at = |index: usize| value.get(index).copied().unwrap_or(0);
            let days = u32::from_le_bytes([at(1), at(2), at(3), at(4)]);
            let hours = u64::from(days) * 24 + u64::from(at(5));
            let sign = if at(0) == 0 { "" } else { "-" };
            write!(out, "{sign}{hours:02}:{:02}:{:02}", at(6), at(7))
                .and_then(|()| fraction(&mut out, [at(8), at(9), at(10), at(11)]))
        }
    };
    written.ok().map(|()| out)
}

fn fraction(out: &mut String, micros: [u8; 4]) -> core::fmt::Result {
    match u32::from_le_bytes(micros) {
        0 => Ok(()),
        micros => write!(out, ".{micros:06}"),
    }
}

/// Appends the field that has this text, length prefix included. A text that no value of the form has, such
/// as stars, becomes zero, or the first day of 2000: something of the type, and nothing of the value.
pub(crate) fn push_binary(form: Form, text: &[u8], out: &mut Vec<u8>) {
    let text = core::str::from_utf8(text).unwrap_or_default();
    match form {
        Form::Bytes => crate::lenenc::push_string(out, text.as_bytes()),
        Form::Float => out.extend_from_slice(&text.parse().unwrap_or(0_f32).to_le_bytes()),
        Form::Double => out.extend_from_slice(&text.parse().unwrap_or(0_f64).to_le_bytes()),
        Form::Int { bytes, unsigned } => {
            let wide =
                if unsigned { text.parse().unwrap_or(0_u64).to_le_bytes() } else { signed(text, bytes).to_le_bytes() };
            let cut = if wide.get(bytes..).is_some_and(|rest| unsigned && rest.iter().any(|byte| *byte != 0)) {
                [0; 8]
            } else {
                wide
            };
            out.extend_from_slice(cut.get(..bytes).unwrap_or_default());
        }
        Form::Date { time } => push_date(text, time, out),
        Form::Time => push_time(text, out),
    }
}

/// A signed number that fits into so many bytes.
fn signed(text: &str, bytes: usize) -> i64 {
    let value: i64 = text.parse().unwrap_or(0);
    let bits = u32::try_from(bytes).unwrap_or(8) * 8;
    let limit = 1_i128 << (bits - 1);
    if (-limit..limit).contains(&i128::from(value)) { value } else { 0 }
}

/// Numbers between separators; none where another character stands.
fn numbers<const N: usize>(text: &str, separators: &[char]) -> Option<[u32; N]> {
    let mut parts = text.split(separators);
    let mut numbers = [0; N];
    for slot in &mut numbers {
        *slot = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

/// Six digits after the point, zero where there is none.
fn split_fraction(text: &str) -> (&str, u32) {
    match text.split_once('.') {
        Some((whole, digits)) => {
            (whole, format!("{digits:0<6}").get(..6).and_then(|six| six.parse().ok()).unwrap_or(0))
        }
        None => (text, 0),
    }
}

fn push_date(text: &str, time: bool, out: &mut Vec<u8>) {
    let (whole, micros) = split_fraction(text);
    let (day, clock) = whole.split_once(' ').unwrap_or((whole, "00:00:00"));
    let [year, month, date] = numbers(day, &['-']).unwrap_or([2000, 1, 1]);
    let [hours, minutes, seconds] = numbers(clock, &[':']).unwrap_or([0; 3]);
    let [low, high] = u16::try_from(year).unwrap_or(2000).to_le_bytes();
    let clock = time && (hours, minutes, seconds, micros) != (0, 0, 0, 0);
    out.push(match (clock, micros) {
        (false, _) => 4,
        (true, 0) => 7,
        _ => 11,
    });
    out.extend_from_slice(&[low, high, byte(month), byte(date)]);
    if clock {
        out.extend_from_slice(&[byte(hours), byte(minutes), byte(seconds)]);
        if micros != 0 {
            out.extend_from_slice(&micros.to_le_bytes());
        }
    }
}

fn push_time(text: &str, out: &mut Vec<u8>) {
    let (sign, text) = text.strip_prefix('-').map_or((0, text), |rest| (1, rest));
    let (whole, micros) = split_fraction(text);
    let [hours, minutes, seconds] = numbers(whole, &[':']).unwrap_or([0; 3]);
    if (hours, minutes, seconds, micros) == (0, 0, 0, 0) {
        out.push(0);
        return;
    }
    out.push(if micros == 0 { 8 } else { 12 });
    out.push(sign);
    out.extend_from_slice(&(hours / 24).to_le_bytes());
    out.extend_from_slice(&[byte(hours % 24), byte(minutes), byte(seconds)]);
    if micros != 0 {
        out.extend_from_slice(&micros.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const I32: Form = Form::Int { bytes: 4, unsigned: false };

    fn there_and_back(form: Form, bytes: &[u8], expected: &str) {
        let (prefix, length) = field(form, bytes).unwrap();
        assert_eq!(prefix + length, bytes.len());
        let shown = text(form, &bytes[prefix..]).unwrap();
        assert_eq!(shown, expected);
        let mut out = Vec::new();
        push_binary(form, shown.as_bytes(), &mut out);
        assert_eq!(out, bytes, "{expected}");
    }

    #[test]
    fn every_binary_form_has_its_text_and_comes_back() {
        there_and_back(Form::Int { bytes: 1, unsigned: false }, b"\xff", "-1");
        there_and_back(Form::Int { bytes: 1, unsigned: true }, b"\xff", "255");
        there_and_back(Form::Int { bytes: 2, unsigned: true }, b"\xe8\x07", "2024");
        there_and_back(I32, b"\0\0\0\x80", "-2147483648");
        there_and_back(Form::Int { bytes: 8, unsigned: true }, &[0xff; 8], "18446744073709551615");
        there_and_back(
            Form::Int { bytes: 8, unsigned: false },
            &4_111_111_111_111_111_i64.to_le_bytes(),
            "4111111111111111",
        );
        there_and_back(Form::Float, &1.5_f32.to_le_bytes(), "1.5");
        there_and_back(Form::Double, &(-0.1_f64).to_le_bytes(), "-0.1");
        let (date, moment) = (Form::Date { time: false }, Form::Date { time: true });
        there_and_back(date, b"\x04\xda\x07\x0a\x11", "2010-10-17");
        there_and_back(moment, b"\x04\xda\x07\x0a\x11", "2010-10-17 00:00:00");
        there_and_back(moment, b"\x07\xda\x07\x0a\x11\x13\x1b\x1e", "2010-10-17 19:27:30");
        there_and_back(moment, b"\x0b\xda\x07\x0a\x11\x13\x1b\x1e\x01\0\0\0", "2010-10-17 19:27:30.000001");
        there_and_back(Form::Time, b"\x0c\x01\x78\0\0\0\x13\x1b\x1e\x01\0\0\0", "-2899:27:30.000001");
        there_and_back(Form::Time, b"\x08\x01\x78\0\0\0\x13\x1b\x1e", "-2899:27:30");
        there_and_back(Form::Time, b"\0", "00:00:00");
        assert_eq!(text(date, b"").unwrap(), "0000-00-00");
    }

    #[test]
    fn a_text_that_is_no_value_becomes_something_of_the_type() {
        for (form, text, expected) in [
            (I32, &b"****"[..], &b"\0\0\0\0"[..]),
            (I32, b"99999999999", b"\0\0\0\0"),
            (Form::Int { bytes: 1, unsigned: true }, b"999", b"\0"),
            (Form::Double, b"x", &[0; 8]),
            (Form::Float, b"000", &[0; 4]),
            (Form::Date { time: false }, b"****", b"\x04\xd0\x07\x01\x01"),
            (Form::Date { time: true }, b"2000-01-01 00:00:00", b"\x04\xd0\x07\x01\x01"),
            (Form::Time, b"**:**", b"\0"),
            (Form::Date { time: true }, b"\xff\xfe", b"\x04\xd0\x07\x01\x01"),
        ] {
            let mut out = Vec::new();
            push_binary(form, text, &mut out);
            assert_eq!(out, expected, "{form:?}");
        }
    }

    #[test]
    fn lengths_that_no_value_has_are_malformed() {
        assert_eq!(field(Form::Date { time: true }, b"\x05abcde"), None);
        assert_eq!(field(Form::Time, b"\x04abcd"), None);
        assert_eq!(field(Form::Bytes, b"\xff"), None);
        assert_eq!(field(Form::Bytes, b"\xfb"), None);
        assert_eq!(field(Form::Bytes, b"\xfc\x01"), None);
        assert_eq!(text_field(b"\xfb"), Some(None));
        assert_eq!(text_field(b"\xfd\x01\x02\x03"), Some(Some((4, 0x03_0201))));
        assert_eq!(text_field(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff").unwrap().map(|(prefix, _)| prefix), Some(9));
    }

    #[test]
    fn binary_strings_are_bytes_and_others_text() {
        assert_eq!(neutral(column::BLOB, 63, false), (ValueType::Bytes, Encoding::PgBinary));
        assert_eq!(neutral(column::BLOB, 45, false), (ValueType::Text, Encoding::Text));
        assert_eq!(neutral(column::STRING, 45, false).0, ValueType::Text);
        assert_eq!(neutral(column::LONGLONG, 63, true).0, ValueType::Int8);
        assert_eq!(neutral(column::GEOMETRY, 63, false).0, ValueType::Unknown);
        assert_eq!(neutral(0x42, 63, false).0, ValueType::Unknown);
        assert_eq!(form(0x42, false), None);
    }
}
