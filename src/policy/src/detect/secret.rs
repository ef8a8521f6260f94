//! Private keys in PEM (RFC 7468), and passwords in URLs (RFC 3986, section 3.2.1).

use std::ops::Range;

use memchr::{memchr, memmem};

/// What a PEM block begins with.
pub(super) const BEGIN: &[u8] = b"-----BEGIN ";

const DASHES: &[u8] = b"-----";

/// Longest label of a block.
const LABEL_BYTES: usize = 64;

/// The first private key that begins at `from` or later: from its first line to its last. One without a last
/// line goes up to the quote around it, or to the end of the text.
pub(super) fn find_private_key(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut floor = from;
    while let Some(distance) = memmem::find(text.get(floor..)?, BEGIN) {
        let start = floor + distance;
        let label = start + BEGIN.len();
        let rest = &text[label..];
        let length = memmem::find(&rest[..rest.len().min(LABEL_BYTES)], DASHES);
        if let Some(length) = length.filter(|length| memmem::find(&rest[..*length], b"PRIVATE KEY").is_some()) {
            return Some(start..key_end(text, label + length + DASHES.len()));
        }
        floor = label;
    }
    None
}

/// Bytes in which a key's last line is looked for; the longest RSA keys in use take 13,000.
const KEY_BYTES: usize = 64 << 10;

/// Where a key ends whose first line ends at `body`.
fn key_end(text: &[u8], body: usize) -> usize {
    let near = &text[body..text.len().min(body + KEY_BYTES)];
    let end = memmem::find(near, b"-----END ").and_then(|end| {
        let label = end + DASHES.len();
        memmem::find(&near[label..], DASHES).map(|length| body + label + length + DASHES.len())
    });
    let end = end.unwrap_or(text.len());
    let mut quote = body;
    while let Some(distance) = memchr(b'"', &text[quote..end]) {
        quote += distance;
        // A quote with an odd number of backslashes before it is part of the string around the key.
        let backslashes = text[body..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return quote;
        }
        quote += 1;
    }
    end
}

/// The first password in a URL that begins at `from` or later: what stands between the colon and the `@`.
pub(super) fn find_url_password(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut floor = from;
    while let Some(distance) = memmem::find(text.get(floor..)?, b"://") {
        let scheme = floor + distance;
        let user = scheme + 3;
        let authority = text[user..].iter().take_while(|byte| is_authority(**byte)).count();
        let host = text[user..user + authority].iter().rposition(|byte| *byte == b'@').map(|at| user + at);
        if let Some(host) = host.filter(|_| text[..scheme].last().is_some_and(u8::is_ascii_alphanumeric))
            && let Some(colon) = memchr(b':', &text[user..host])
            && user + colon + 1 < host
            && text.get(host + 1).is_some_and(|byte| is_host(*byte))
        {
            return Some(user + colon + 1..host);
        }
        floor = user + authority;
    }
    None
}

/// Whether a byte may stand before the path of a URL; more than the RFC allows, because passwords are
/// written there unescaped.
pub(super) fn is_authority(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"\"'/<>?\\`".contains(&byte)
}

/// Whether a byte may begin a host.
pub(super) fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'[' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(label: &str) -> String {
        // Joined, so that no scanner takes this file for one that holds a key.
        ["-----BEGIN ", label, "PRIVATE KEY-----\nMIIEvQIBADANBg==\n-----END ", label, "PRIVATE KEY-----"].concat()
    }

    #[test]
    fn a_private_key_is_found_from_its_first_line_to_its_last() {
        let found = |text: &str| find_private_key(text.as_bytes(), 0).map(|range| text[range].to_owned());
        for label in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
            let key = key(label);
            assert_eq!(found(&format!("key:\n{key}\nend")), Some(key.clone()));
            let escaped = key.replace('\n', "\\n");
            assert_eq!(found(&format!("{{\"k\": \"{escaped}\"}}")), Some(escaped));
            let cut = &key[..key.len() - 30];
            assert_eq!(found(&format!("{cut}\" and more")).as_deref(), Some(cut));
            assert_eq!(found(cut).as_deref(), Some(cut));
        }
        for text in
            ["-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", "-----BEGIN ", "-----BEGIN PRIVATE KEY"]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_found_alone() {
        let found = |text: &str| find_url_password(text.as_bytes(), 0).map(|range| text[range].to_owned());
        for (text, password) in [
            ("postgres://app:s3cret@db:5432/shop", "s3cret"),
            ("see https://ann:p@ss:w0rd@example.com/x, please", "p@ss:w0rd"),
            ("redis://:hunter2@10.0.0.1", "hunter2"),
        ] {
            assert_eq!(found(text).as_deref(), Some(password), "{text}");
        }
        for text in [
            "https://example.com:443/a@b",
            "mailto:a@b.c",
            "http://ann@example.com",
            "://a:b@c",
            "ftp://a:@c",
            "x://a:b@ c",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
