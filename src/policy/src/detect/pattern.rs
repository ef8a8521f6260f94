//! The user's own regular expressions.
//!
//! The syntax is that of the `regex` crate: no look-around and no back-references, so the time for one match
//! grows with the text alone. A pattern has no prefilter: every cell of its columns is looked at.

use std::fmt;
use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

/// Memory that a compiled pattern may take, and each thread's cache for it.
const COMPILED_BYTES: usize = 1 << 20;

/// Longest pattern, in bytes.
const PATTERN_BYTES: usize = 4 << 10;

/// Bytes that all searches in one cell may read together. A search can read the whole rest of a cell before it
/// matches a byte, so that many matches cost the square of the length; past this, the rest counts as a match.
const WORK_BYTES: usize = 1 << 28;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    ignore_case: bool,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It matches where nothing is.
    Empty,
    /// It is no regular expression, or too large; the text says why.
    Syntax(Box<str>),
    /// It is longer than 4 KiB.
    TooLong,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the pattern matches the empty text, so it would match everywhere"),
            Self::Syntax(reason) => write!(f, "not a usable pattern: {reason}"),
            Self::TooLong => write!(f, "a pattern has at most {PATTERN_BYTES} bytes"),
        }
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// It is no regular expression, takes too much memory, or matches the empty text.
    pub fn compile(pattern: &str, ignore_case: bool) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let built = RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(COMPILED_BYTES)
            .build();
        let regex = built.map_err(|error| PatternError::Syntax(error.to_string().into()))?;
        if regex.is_match(b"") { Err(PatternError::Empty) } else { Ok(Self { regex, ignore_case }) }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// The first match that begins at `from` or later and is not empty. `searches` counts those in this cell.
    pub(super) fn find(&self, text: &[u8], from: usize, searches: &mut usize) -> Option<Range<usize>> {
        let mut at = from;
        while at < text.len() {
            *searches += 1;
            if searches.saturating_mul(text.len()) > WORK_BYTES.max(text.len() * 64) {
                return Some(at..text.len());
            }
            let found = self.regex.find_at(text, at)?.range();
            if !found.is_empty() {
                return Some(found);
            }
            at = found.end + 1;
        }
        None
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.ignore_case == other.ignore_case
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_found_one_after_the_other() {
        let pattern = Pattern::compile(r"\bORD-[0-9]{4}\b", true).unwrap();
        let text = b"ord-1234, xORD-1234, ORD-5678";
        let mut searches = 0;
        assert_eq!(pattern.find(text, 0, &mut searches), Some(0..8));
        assert_eq!(pattern.find(text, 8, &mut searches), Some(21..29));
        assert_eq!(pattern.find(text, 29, &mut searches), None);
        let boundary = Pattern::compile(r"\b|zz", false).unwrap();
        assert_eq!(boundary.find(b"a zz", 0, &mut 0), None);
    }

    #[test]
    fn what_is_no_pattern_or_too_much_is_said_so() {
        assert_eq!(Pattern::compile("a*", false).unwrap_err(), PatternError::Empty);
        assert!(matches!(Pattern::compile("(", false), Err(PatternError::Syntax(_))));
        assert!(matches!(Pattern::compile(r"(?:\w{100}){100}", false), Err(PatternError::Syntax(_))));
        assert_eq!(Pattern::compile(&"a".repeat(5_000), false).unwrap_err(), PatternError::TooLong);
    }

    #[test]
    fn a_cell_made_to_be_slow_ends_as_one_match() {
        // Each search reads to the end for the capital that is not there, then takes one letter.
        let pattern = Pattern::compile(r".*[^A-Z]X|[A-Z]", false).unwrap();
        let text = "A".repeat(1 << 19).into_bytes();
        let (mut from, mut searches) = (0, 0);
        while let Some(found) = pattern.find(&text, from, &mut searches) {
            from = found.end;
        }
        assert_eq!(from, text.len());
        assert!(searches <= 513, "{searches}");
    }
}
