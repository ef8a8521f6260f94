//! E-mail addresses.
//!
//! Written to find addresses in prose, logs and lists, not to check them: RFC 5321 and 5322 allow more local
//! parts (quoted, `/`, `=`, `?`, braces), which are left out because those bytes stand around addresses far
//! more often than in them. What is found is never less than the address.

use std::ops::Range;

/// Whether a byte may stand in a local part. Bytes outside ASCII may be letters of RFC 6531.
pub(super) fn is_local(byte: u8) -> bool {
    LOCAL[usize::from(byte)]
}

const LOCAL: [bool; 256] = {
    let mut local = [false; 256];
    let mut byte = 0_u8;
    loop {
        let sign = matches!(
            byte,
            b'.' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        local[byte as usize] = byte.is_ascii_alphanumeric() || byte >= 0x80 || sign;
        if byte == u8::MAX {
            break local;
        }
        byte += 1;
    }
};

/// Whether a byte may begin a domain.
pub(super) fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The first address that begins at `from` or later. `text` before `from` only limits what is found.
///
/// An address after a backslash takes it along: in `\nann@example.com` nobody can tell whether the `n` is
/// part of an escape, and stars in place of both are right either way.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut floor = from;
    while let Some(distance) = memchr::memchr(b'@', text.get(floor..)?) {
        let at = floor + distance;
        if let (Some(start), Some(end)) = (local_start(text, floor, at), domain_end(text, at + 1)) {
            return Some(start..end);
        }
        floor = at + 1;
    }
    None
}

/// Where the local part that ends before `at` begins.
fn local_start(text: &[u8], floor: usize, at: usize) -> Option<usize> {
    let mut start = at;
    while start > floor && is_local(text[start - 1]) {
        if text[start - 1].is_ascii() {
            start -= 1;
            continue;
        }
        let (first, letter) = character_before(text, floor, start);
        if !letter {
            break;
        }
        start = first;
    }
    // Quotes, dots and the like around an address are not part of it.
    while start < at && !matches!(text[start], b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | 0x80..) {
        start += 1;
    }
    if start == at {
        return None;
    }
    let backslashes = text[floor..start].iter().rev().take_while(|byte| **byte == b'\\').count();
    Some(start - backslashes % 2)
}

/// Where the character outside ASCII before `end` begins, and whether it may stand in an address.
///
/// Bytes that are not UTF-8 may be letters in the client's encoding, so they may.
fn character_before(text: &[u8], floor: usize, end: usize) -> (usize, bool) {
    let lowest = end.saturating_sub(4).max(floor);
    for start in (lowest..end).rev() {
        if text[start] & 0xc0 != 0x80 {
            if let Some(letter) = single_character(&text[start..end]) {
                return (start, is_letter(letter));
            }
            break;
        }
    }
    (end - 1, true)
}

/// The length of the character at `start`, and whether it may stand in a domain.
fn character_at(text: &[u8], start: usize) -> (usize, bool) {
    let byte = text[start];
    if byte.is_ascii() {
        return (1, byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    }
    let length = match byte {
        0xf0.. => 4,
        0xe0.. => 3,
        _ => 2,
    };
    let letter = text.get(start..start + length).and_then(single_character);
    letter.map_or((1, true), |letter| (length, is_letter(letter)))
}

/// Letters, and the marks that combine with them.
fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '\u{300}'..='\u{36f}')
}

fn single_character(bytes: &[u8]) -> Option<char> {
    let mut characters = std::str::from_utf8(bytes).ok()?.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// Where the longest domain that begins at `start` ends: two labels or more, the last a top-level domain.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut label, mut index, mut labels, mut end) = (start, start, 0, None);
    loop {
        let (length, inside) = if index < text.len() { character_at(text, index) } else { (1, false) };
        let dot = inside && text[index] == b'.';
        if inside && !dot {
            index += length;
            continue;
        }
        let name = &text[label..index];
        let hyphens = name.iter().rev().take_while(|byte| **byte == b'-').count();
        let trimmed = &name[..name.len() - hyphens];
        if trimmed.is_empty() || trimmed[0] == b'-' {
            return end;
        }
        labels += 1;
        if labels > 1 && is_top_level(trimmed) {
            end = Some(index - hyphens);
        }
        if !dot || hyphens > 0 {
            return end;
        }
        index += 1;
        label = index;
    }
}

/// Two letters or more, or a name in Punycode (RFC 5890).
fn is_top_level(label: &[u8]) -> bool {
    let letters = label.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    label.len() >= 2 && (letters || label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let (mut all, mut from) = (Vec::new(), 0);
        while let Some(range) = find(text.as_bytes(), from) {
            from = range.end;
            all.push(&text[range]);
        }
        all
    }

    #[test]
    fn addresses_are_found_whole_and_no_more() {
        for (text, addresses) in [
            ("ann@example.com", &["ann@example.com"][..]),
            ("Ann Lee <ann.lee+list@mail.example.co.uk>, more", &["ann.lee+list@mail.example.co.uk"]),
            ("mail 'bob@x.io'.", &["bob@x.io"]),
            ("mailto:o'neil@x.org?subject=a", &["o'neil@x.org"]),
            ("email=a@b.cd&x=1", &["a@b.cd"]),
            ("a@b.cd,e@f.gh;i@j.kl", &["a@b.cd", "e@f.gh", "i@j.kl"]),
            ("https://user:secret@host.example/path", &["secret@host.example"]),
            ("...x_1%y@sub-domain.example.museum...", &["x_1%y@sub-domain.example.museum"]),
            ("zoë@müller.de", &["zoë@müller.de"]),
            ("“zoë@x.de” — ok", &["zoë@x.de"]),
            ("用户@例子.公司 好", &["用户@例子.公司"]),
            ("a@xn--bcher-kva.xn--p1ai", &["a@xn--bcher-kva.xn--p1ai"]),
            ("A@EXAMPLE.COM", &["A@EXAMPLE.COM"]),
            (r"hi\nann@x.com", &[r"\nann@x.com"]),
            (r"hi\\nann@x.com", &["nann@x.com"]),
            ("a@b@c.de", &["b@c.de"]),
            ("ann@x.com-", &["ann@x.com"]),
            ("ann@x.com.1", &["ann@x.com"]),
            ("ann@x.com_", &["ann@x.com"]),
            ("`ann@x.com`", &["ann@x.com"]),
        ] {
            assert_eq!(found(text), addresses, "{text}");
        }
    }

    #[test]
    fn what_only_has_an_at_sign_is_no_address() {
        for text in [
            "@",
            "a@",
            "@b.cd",
            "a@b",
            "a@localhost",
            "react@18.2.0",
            "a@1.2.3.4",
            "a@[1.2.3.4]",
            "a@b.c",
            "a @b.cd",
            "a@ b.cd",
            "a@.b.cd",
            "a@-b.cd",
            "@handle",
            "x@y..zz",
            "...@b.cd",
            "a@b-.cd",
            "5 @ 3.50",
            "a@b.c1",
            "",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn bytes_of_other_encodings_belong_to_the_address() {
        assert_eq!(find(b"<zo\xeb@x.de>", 0), Some(1..9));
        assert_eq!(find(b"\xff\xfe@\xff.\xff\xff", 0), Some(0..7));
    }
}
