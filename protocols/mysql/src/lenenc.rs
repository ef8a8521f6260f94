//! Little-endian numbers and length-encoded integers and strings.
//!
//! Source: MySQL documentation, "Protocol Basics: Integer Types" and "String Types".

use wire::cursor::{Cursor, Malformed};

/// First byte of NULL where a length-encoded string is expected in a text row.
pub const NULL: u8 = 0xfb;

fn array<const N: usize>(cursor: &mut Cursor<'_>, what: &'static str) -> Result<[u8; N], Malformed> {
    cursor.bytes(N, what)?.try_into().map_err(|_| Malformed { what })
}

/// A 16-bit number.
///
/// # Errors
/// [`Malformed`] when fewer than two bytes are left.
pub fn u16(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u16, Malformed> {
    Ok(u16::from_le_bytes(array(cursor, what)?))
}

/// A 32-bit number.
///
/// # Errors
/// [`Malformed`] when fewer than four bytes are left.
pub fn u32(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u32, Malformed> {
    Ok(u32::from_le_bytes(array(cursor, what)?))
}

/// A 64-bit number.
///
/// # Errors
/// [`Malformed`] when fewer than eight bytes are left.
pub fn u64(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u64, Malformed> {
    Ok(u64::from_le_bytes(array(cursor, what)?))
}

/// A length-encoded integer.
///
/// # Errors
/// [`Malformed`] at the end, and for the first bytes 0xfb (NULL) and 0xff, which begin none.
pub fn int(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u64, Malformed> {
    match cursor.u8(what)? {
        byte @ 0..=0xfa => Ok(u64::from(byte)),
        0xfc => u16(cursor, what).map(u64::from),
        0xfd => {
            let [a, b, c] = array(cursor, what)?;
            Ok(u64::from(u32::from_le_bytes([a, b, c, 0])))
        }
        0xfe => u64(cursor, what),
        NULL | 0xff => Err(Malformed { what }),
    }
}

/// A length-encoded string.
///
/// # Errors
/// [`Malformed`] when it does not end within the message.
pub fn string<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<&'a [u8], Malformed> {
    let length = int(cursor, what)?;
    cursor.bytes(usize::try_from(length).map_err(|_| Malformed { what })?, what)
}

/// Bytes up to a NUL, or all that is left where there is none: so servers read the last field of a message.
#[must_use]
pub fn string_or_rest<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let rest = cursor.rest();
    match cursor.cstr("string") {
        Ok(text) => text,
        Err(_) => cursor.bytes(rest.len(), "string").unwrap_or_default(),
    }
}

/// Appends a length-encoded integer in its shortest form.
pub fn push_int(out: &mut Vec<u8>, value: u64) {
    let [a, b, c, ..] = value.to_le_bytes();
    match value {
        0..=0xfa => out.push(a),
        0xfb..=0xffff => out.extend_from_slice(&[0xfc, a, b]),
        0x1_0000..=0xff_ffff => out.extend_from_slice(&[0xfd, a, b, c]),
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Appends a length-encoded string.
pub fn push_string(out: &mut Vec<u8>, value: &[u8]) {
    push_int(out, u64::try_from(value.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_in_the_shortest_form() {
        for (value, bytes) in
            [(0, 1), (250, 1), (251, 3), (0xffff, 3), (0x1_0000, 4), (0xff_ffff, 4), (0x100_0000, 9), (u64::MAX, 9)]
        {
            let mut out = Vec::new();
            push_int(&mut out, value);
            assert_eq!(out.len(), bytes, "{value}");
            assert_eq!(int(&mut Cursor::new(&out), "n"), Ok(value));
            for cut in 0..out.len() {
                assert!(int(&mut Cursor::new(&out[..cut]), "n").is_err());
            }
        }
    }

    #[test]
    fn null_and_error_bytes_are_no_lengths() {
        assert!(int(&mut Cursor::new(b"\xfb"), "n").is_err());
        assert!(int(&mut Cursor::new(b"\xff\x01"), "n").is_err());
        assert!(string(&mut Cursor::new(b"\x05abc"), "s").is_err());
        assert!(string(&mut Cursor::new(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffabc"), "s").is_err());
    }

    #[test]
    fn a_last_field_may_lack_its_terminator() {
        let mut cursor = Cursor::new(b"one\0two");
        assert_eq!(string_or_rest(&mut cursor), b"one");
        assert_eq!(string_or_rest(&mut cursor), b"two");
        assert_eq!(string_or_rest(&mut cursor), b"");
    }
}
