//! Questions about a run of tokens that several readers ask.
//!
//! Indices past the end are no token, never an error: a statement may end anywhere.

use core::ops::Range;
use std::borrow::Cow;

use crate::sql::lexer::{Kind, Lexed};

/// A text's tokens.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'l, 'a> {
    pub(super) lexed: &'l Lexed<'a>,
}

impl<'l, 'a> Tokens<'l, 'a> {
    pub(super) fn new(lexed: &'l Lexed<'a>) -> Self {
        Self { lexed }
    }

    /// The statements of the text: ranges between semicolons outside parentheses, empty ones left out.
    pub(super) fn statements(self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let (mut start, mut depth) = (0, 0_usize);
        let count = self.lexed.tokens().len();
        for at in 0..count {
            if self.is_sign(at, "(") {
                depth += 1;
            } else if self.is_sign(at, ")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && self.is_sign(at, ";") {
                if start < at {
                    found.push(start..at);
                }
                start = at + 1;
            }
        }
        if start < count {
            found.push(start..count);
        }
        found
    }

    pub(super) fn kind(self, at: usize) -> Option<Kind> {
        self.lexed.tokens().get(at).map(|token| token.kind)
    }

    #[inline(always)]
    pub(super) fn is_sign(self, at: usize, sign: &str) -> bool {
        self.lexed.tokens().get(at).is_some_and(|token| self.lexed.is_sign(token, sign))
    }

    /// Whether there is an unquoted word of this spelling, given in lower case.
    #[inline(always)]
    pub(super) fn is_word(self, at: usize, word: &str) -> bool {
        self.lexed.tokens().get(at).is_some_and(|token| self.lexed.is_word(token, word))
    }

    /// The unquoted word there, in lower case.
    pub(super) fn word(self, at: usize) -> Option<Cow<'l, str>> {
        if self.kind(at)? == Kind::Word { self.lexed.name(at) } else { None }
    }

    /// Whether a word or a quoted name is there.
    pub(super) fn is_name(self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Word | Kind::Quoted | Kind::UnicodeQuoted))
    }

    /// Whether a query could start there.
    pub(super) fn starts_query(self, at: usize) -> bool {
        self.is_sign(at, "(")
            || ["select", "with", "values", "table", "insert", "update", "delete", "merge"]
                .iter()
                .any(|word| self.is_word(at, word))
    }

    /// The index of the parenthesis that closes the one at `open`.
    pub(super) fn closing(self, open: usize, end: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in open..end {
            if self.is_sign(at, "(") {
                depth += 1;
            } else if self.is_sign(at, ")") {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        None
    }

    /// The first such word outside parentheses.
    pub(super) fn find_word(self, range: Range<usize>, word: &str) -> Option<usize> {
        let mut depth = 0_usize;
        for at in range {
            if self.is_sign(at, "(") {
                depth += 1;
            } else if self.is_sign(at, ")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && self.is_word(at, word) {
                return Some(at);
            }
        }
        None
    }

    /// The first such word anywhere.
    pub(super) fn find_word_any(self, mut range: Range<usize>, word: &str) -> Option<usize> {
        range.find(|at| self.is_word(*at, word))
    }

    /// The first and the last byte's offset of a range of tokens.
    pub(super) fn bytes(self, range: &Range<usize>) -> Range<usize> {
        let tokens = self.lexed.tokens().get(range.clone()).unwrap_or_default();
        let (first, last) = (tokens.first(), tokens.last());
        first.map_or(0, |token| token.start as usize)..last.map_or(0, |token| token.end as usize)
    }
}
