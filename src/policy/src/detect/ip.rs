//! Addresses of the Internet Protocol: `192.0.2.7` and the forms of RFC 4291, section 2.2.
//!
//! Four numbers with points may as well be a version: what follows a letter, or has a fifth number, is taken
//! for one. Of IPv6 at least three groups are needed, or a first group of four digits, so that `::` and
//! `a::b` of program texts stay; no rule tells all times of day from addresses, so an address of colons
//! alone must parse as one.

use std::net::Ipv6Addr;
use std::ops::Range;

/// Longest text form of an IPv6 address.
const IPV6_BYTES: usize = 45;

/// The first address that begins at `from` or later.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    (from..text.len()).find_map(|start| {
        let begins = text[start].is_ascii_hexdigit() || text[start] == b':';
        if !begins || text[..start].last().is_some_and(|byte| is_word(*byte) || *byte == b'.') {
            return None;
        }
        let length = version4(&text[start..]).or_else(|| version6(text, start))?;
        Some(start..start + length)
    })
}

/// Whether a byte joins an address to a longer word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The length of an IPv4 address that begins the text, if no fifth number and no word goes on behind it.
fn version4(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for part in 0..4 {
        at += usize::from(part > 0);
        let digits = text[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let number = text[at..at + digits].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        if !(1..=3).contains(&digits) || number > 255 || (digits > 1 && text[at] == b'0') {
            return None;
        }
        at += digits;
        if part < 3 && text.get(at) != Some(&b'.') {
            return None;
        }
    }
    let goes_on = match text[at..] {
        [b'.', digit, ..] => digit.is_ascii_digit(),
        [byte, ..] => is_word(byte),
        [] => false,
    };
    (!goes_on).then_some(at)
}

/// The length of an IPv6 address that begins at `start`, less a full stop or colon after it.
fn version6(text: &[u8], start: usize) -> Option<usize> {
    // A colon may stand between a name and the address; between hexadecimal digits it is part of one.
    let inside = match text[..start] {
        [.., byte, b':'] => byte.is_ascii_hexdigit() || byte == b':',
        _ => false,
    };
    let is_address = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let length = text[start..].iter().take(IPV6_BYTES + 2).take_while(is_address).count();
    if inside || text.get(start + length).is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let mut address = &text[start..start + length];
    address = address.strip_suffix(b".").unwrap_or(address);
    if !address.ends_with(b"::") {
        address = address.strip_suffix(b":").unwrap_or(address);
    }
    let groups = address.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let first = address.split(|byte| *byte == b':').next().unwrap_or_default();
    let mapped = address.contains(&b'.');
    let likely = groups >= 3 || mapped || (groups >= 1 && first.len() == 4 && first.iter().any(u8::is_ascii_digit));
    let colons = address.iter().filter(|byte| **byte == b':').count();
    let text = std::str::from_utf8(address).ok().filter(|_| likely && colons >= 2)?;
    text.parse::<Ipv6Addr>().is_ok().then_some(address.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text.as_bytes(), 0).map(|range| &text[range])
    }

    #[test]
    fn addresses_of_both_versions_are_found_beside_other_text() {
        for address in [
            "192.0.2.7",
            "1.1.1.1",
            "255.255.255.255",
            "2001:db8::1",
            "fe80::1",
            "2001:db8:0:0:8:800:200c:417a",
            "::ffff:192.0.2.1",
            "2001:DB8::",
            "2001::1",
        ] {
            for text in
                [format!("from {address} to"), format!("({address})"), format!("{address}."), format!("ip={address},")]
            {
                assert_eq!(found(&text), Some(address), "{text}");
            }
        }
        assert_eq!(found("10.0.0.1:5432"), Some("10.0.0.1"));
        assert_eq!(found("10.0.0.0/8"), Some("10.0.0.0"));
        assert_eq!(found("peer:2001:db8::1"), Some("2001:db8::1"));
        assert_eq!(found("abc:10.0.0.1"), Some("10.0.0.1"));
    }

    #[test]
    fn versions_times_and_program_texts_are_none() {
        for text in [
            "v1.2.3.4",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4-rc1",
            "10:30:00",
            "2024-01-15 10:30:00.123",
            "std::fmt",
            "::",
            "a::b",
            "08:00:2b:01:02:03",
            "1.2.3.1000",
            "",
            "dead::beef",
            "v1.2.3.4.5",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
