//! Decoding of names and strings.
//!
//! The lexer has checked where tokens end; these functions must give what PostgreSQL would make of them,
//! and where bytes are not UTF-8 the replacement character, which equals no name of a rule.

use std::borrow::Cow;

use super::lexer::NAME_BYTES;

/// A word as PostgreSQL folds it: ASCII letters to lower case, other characters untouched.
pub(crate) fn fold(raw: &[u8]) -> Cow<'_, str> {
    let text = core::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(text.to_ascii_lowercase()) } else { text }
}

/// A name cut to the length that PostgreSQL keeps, at a character's border.
pub(crate) fn cut(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES {
        return name;
    }
    let end = name.floor_char_boundary(NAME_BYTES);
    match name {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// What stands between quotes, `skip` bytes (prefix and opening quote) from the start, with doubled quotes
/// made single and continuations joined.
pub(crate) fn unquote(raw: &[u8], quote: u8, skip: usize) -> Cow<'_, str> {
    let inside = raw.get(skip..raw.len().saturating_sub(1)).unwrap_or_default();
    if !inside.contains(&quote) {
        return String::from_utf8_lossy(inside);
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut position = 0;
    while let Some(byte) = inside.get(position).copied() {
        position += 1;
        if byte != quote {
            plain.push(byte);
        } else if inside.get(position) == Some(&quote) {
            plain.push(quote);
            position += 1;
        } else {
            position = reopen(inside, position, quote);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

/// Behind a closing quote in the middle of a token: the offset behind the quote that opens again.
fn reopen(inside: &[u8], mut position: usize, quote: u8) -> usize {
    while let Some(byte) = inside.get(position).copied() {
        if byte == b'-' {
            while inside.get(position).is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
                position += 1;
            }
        } else {
            position += 1;
            if byte == quote {
                break;
            }
        }
    }
    position
}

/// A string whose backslashes escape: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE>.
pub(crate) fn backslashes(raw: &[u8], skip: usize) -> String {
    let inside = raw.get(skip..raw.len().saturating_sub(1)).unwrap_or_default();
    let mut plain = Vec::with_capacity(inside.len());
    let mut position = 0;
    while let Some(byte) = inside.get(position).copied() {
        position += 1;
        match byte {
            b'\'' if inside.get(position) == Some(&b'\'') => {
                plain.push(b'\'');
                position += 1;
            }
            b'\'' => position = reopen(inside, position, b'\''),
            b'\\' => position = backslash(inside, position, &mut plain),
            _ => plain.push(byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// One escape, `position` behind its backslash; gives the offset behind it.
fn backslash(inside: &[u8], position: usize, plain: &mut Vec<u8>) -> usize {
    let Some(byte) = inside.get(position).copied() else { return position };
    let behind = position + 1;
    match byte {
        b'b' => plain.push(0x08),
        b'f' => plain.push(0x0c),
        b'n' => plain.push(b'\n'),
        b'r' => plain.push(b'\r'),
        b't' => plain.push(b'\t'),
        b'v' => plain.push(0x0b),
        b'0'..=b'7' => {
            let (value, end) = digits(inside, position, 3, 8);
            plain.push(value.to_le_bytes()[0]);
            return end;
        }
        b'x' => {
            let (value, end) = digits(inside, behind, 2, 16);
            plain.push(if end == behind { b'x' } else { value.to_le_bytes()[0] });
            return end;
        }
        b'u' | b'U' => {
            let (value, end) = digits(inside, behind, if byte == b'u' { 4 } else { 8 }, 16);
            let character = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
            plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return end;
        }
        other => plain.push(other),
    }
    behind
}

/// A number of at most `most` digits, and the offset behind it.
fn digits(inside: &[u8], start: usize, most: usize, radix: u32) -> (u32, usize) {
    let mut value = 0_u32;
    let mut position = start;
    while position < start + most {
        let digit = inside.get(position).and_then(|byte| char::from(*byte).to_digit(radix));
        let Some(digit) = digit else { break };
        value = value.wrapping_mul(radix).wrapping_add(digit);
        position += 1;
    }
    (value, position)
}

/// A `U&` string or name with its escapes replaced; `None` where one is invalid.
pub(crate) fn unicode(text: &str, escape: char) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut high = None;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..)?;
        if character != escape {
            if high.is_some() {
                return None;
            }
            plain.push(character);
            continue;
        }
        if let Some(behind) = rest.strip_prefix(escape) {
            if high.is_some() {
                return None;
            }
            plain.push(escape);
            rest = behind;
            continue;
        }
        let (start, count) = if rest.starts_with('+') { (1, 6) } else { (0, 4) };
        let hex = rest.get(start..start + count)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        rest = rest.get(start + count..)?;
        let unit = u32::from_str_radix(hex, 16).ok()?;
        match (high.take(), unit) {
            (None, 0xd800..=0xdbff) => high = Some(unit),
            (Some(first), 0xdc00..=0xdfff) => {
                plain.push(char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (unit - 0xdc00))?);
            }
            (None, 1..) => plain.push(char::from_u32(unit)?),
            _ => return None,
        }
    }
    if high.is_some() { None } else { Some(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_escapes_pair_surrogates_and_refuse_halves() {
        assert_eq!(unicode(r"\D83D\DE00", '\\').as_deref(), Some("😀"));
        assert_eq!(unicode(r"\+01F600", '\\').as_deref(), Some("😀"));
        assert_eq!(unicode(r"a\\b", '\\').as_deref(), Some(r"a\b"));
        for bad in [r"\D83D", r"\D83Dx", r"\DE00", r"\0000", r"\12", r"\+1F600"] {
            assert_eq!(unicode(bad, '\\'), None, "{bad}");
        }
    }

    #[test]
    fn names_are_cut_at_a_character() {
        let long = format!("{}é", "a".repeat(62));
        assert_eq!(cut(Cow::Owned(long)), "a".repeat(62));
    }
}
