//! The pieces of a JSON text that can hold a value: stretches of strings between escapes, and what stands
//! outside strings.
//!
//! Reads any bytes. Whatever is not JSON comes out as pieces too, so that nothing is passed over because it
//! is malformed. An escape separates: overwriting what follows it can never break it. An escape that stands
//! for a letter, digit or `@` hides the value around it; `jsonb` has resolved those, `json` may hold them.

use std::ops::Range;

/// A stretch of bytes to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Outside strings: a number, a literal, or something malformed.
    Bare(Range<usize>),
    /// Inside a string.
    Quoted(Range<usize>),
}

/// Where the walk stands. The bytes may be overwritten behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    at: usize,
    in_string: bool,
}

impl Walk {
    /// The next piece that is not empty.
    pub(super) fn next(&mut self, text: &[u8]) -> Option<Piece> {
        while self.at < text.len() {
            let start = self.at;
            let rest = &text[start..];
            let length = if self.in_string {
                memchr::memchr2(b'"', b'\\', rest)
            } else {
                rest.iter().position(|byte| b"{}[],:\" \t\r\n".contains(byte))
            };
            self.at = start + length.unwrap_or(rest.len());
            let piece = start..self.at;
            let quoted = self.in_string;
            self.skip_separator(text);
            if !piece.is_empty() {
                return Some(if quoted { Piece::Quoted(piece) } else { Piece::Bare(piece) });
            }
        }
        None
    }

    /// Passes over the quote, the escape or the sign that ended a piece.
    fn skip_separator(&mut self, text: &[u8]) {
        match text.get(self.at..) {
            Some([b'"', ..]) => {
                self.in_string = !self.in_string;
                self.at += 1;
            }
            Some([b'\\', b'u', a, b, c, d, ..]) if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => self.at += 6,
            Some([b'\\', _, ..]) => self.at += 2,
            Some([_, ..]) => self.at += 1,
            _ => {}
        }
    }
}

/// Overwrites a whole number's digits outside the kept ones, which are `0` already, so that it is valid
/// JSON: leading zeros, which JSON forbids, become spaces.
pub(super) fn blank_leading_zeros(number: &mut [u8]) {
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    let blank = zeros.min(number.len().saturating_sub(1));
    number[..blank].fill(b' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let mut walk = Walk::default();
        std::iter::from_fn(|| walk.next(text.as_bytes()))
            .map(|piece| match piece {
                Piece::Bare(range) => text[range].to_owned(),
                Piece::Quoted(range) => format!("'{}'", &text[range]),
            })
            .collect()
    }

    #[test]
    fn strings_are_cut_at_escapes_and_numbers_stand_alone() {
        assert_eq!(
            pieces(r#"{"a": [1, -2.5e3,true], "b\n\u00e9c\"d":"" , "e\\":null}"#),
            ["'a'", "1", "-2.5e3", "true", "'b'", "'c'", "'d'", "'e'", "null"]
        );
        assert_eq!(pieces("17"), ["17"]);
        assert_eq!(pieces(""), [""; 0]);
    }

    #[test]
    fn malformed_texts_come_out_in_pieces_too() {
        assert_eq!(pieces(r#"a@b.cd"x\"#), ["a@b.cd", "'x'"]);
        assert_eq!(pieces(r#""a\u12"b"#), ["'a'", "'12'", "b"]);
        assert_eq!(pieces(r"a\nb"), [r"a\nb"]);
    }

    #[test]
    fn leading_zeros_become_spaces_up_to_the_last_digit() {
        for (number, blanked) in [("0000", "   0"), ("0012", "  12"), ("4001", "4001"), ("0", "0"), ("", "")] {
            let mut bytes = number.as_bytes().to_vec();
            blank_leading_zeros(&mut bytes);
            assert_eq!(bytes, blanked.as_bytes());
        }
    }
}
