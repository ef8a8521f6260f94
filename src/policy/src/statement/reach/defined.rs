//! Whether a text shows definitions, by its tokens: more than that it names a relation which has some.
//!
//! The server's own relations that show definitions are read by every migration (`IF NOT EXISTS (SELECT 1 FROM
//! information_schema.columns …)`), and some have names that users give to theirs (`views`, `parameters`). Such a
//! relation counts only where one of its columns with definitions is named, or where a value may hold a whole row of
//! it: `*`, its name or alias as a value, columns under other names, a function written as a column. What cannot be
//! told counts.

use core::ops::Range;

use crate::catalogue::{Catalogue, Defined, FunctionKind};
use crate::hash::{HashMap, HashSet};
use crate::statement::tokens::Tokens;

/// What follows a relation in FROM and is no alias: words that the server reserves.
const NO_ALIAS: &[&str] = &[
    "and",
    "cross",
    "except",
    "fetch",
    "for",
    "full",
    "group",
    "having",
    "inner",
    "intersect",
    "into",
    "join",
    "left",
    "limit",
    "natural",
    "offset",
    "on",
    "or",
    "order",
    "returning",
    "right",
    "tablesample",
    "then",
    "union",
    "using",
    "when",
    "where",
    "window",
];

/// What follows a value and no relation.
const BEHIND_VALUES: &[&str] =
    &["and", "as", "asc", "between", "desc", "from", "ilike", "in", "is", "like", "not", "or"];

/// What the tokens of a text tell, gathered once.
pub(super) struct Usage {
    /// All names, wherever they stand.
    names: HashSet<Box<str>>,
    /// Names that stand for values, not in front of a dot.
    values: HashSet<Box<str>>,
    /// What stands behind a name and a dot.
    parts: HashMap<Box<str>, HashSet<Box<str>>>,
    /// Whether whole rows may be shown without their name.
    spreads: bool,
    /// Whether it has a list of relations at all.
    reads: bool,
}

impl Usage {
    pub(super) fn of(tokens: Tokens<'_, '_>, range: Range<usize>) -> Self {
        let mut usage = Self {
            names: HashSet::default(),
            values: HashSet::default(),
            parts: HashMap::default(),
            spreads: false,
            reads: false,
        };
        // The alias of a relation is no value where it is given.
        let mut alias = None;
        for at in range {
            usage.spreads |= is_star(tokens, at) || tokens.is_word(at, "natural") || opens_join(tokens, at);
            usage.reads |= ["from", "join", "using"].iter().any(|word| tokens.is_word(at, word));
            let Some(name) = tokens.lexed.name(at).filter(|_| tokens.is_name(at)) else { continue };
            if tokens.is_sign(at + 1, ".") {
                let part = tokens.lexed.name(at + 2).unwrap_or_default();
                usage.parts.entry(Box::from(&*name)).or_default().insert(part.as_ref().into());
            } else if is_read(tokens, at) {
                alias = alias_of(tokens, at);
                usage.spreads |= alias.is_some_and(|at| tokens.is_sign(at + 1, "("));
            } else if alias != Some(at) && !tokens.is_word(at.wrapping_sub(1), "end") && !is_part(tokens, at) {
                usage.values.insert(Box::from(&*name));
            }
            usage.names.insert(name.as_ref().into());
        }
        usage
    }

    /// Whether definitions may be shown from a relation that is named there.
    pub(super) fn shows(&self, catalogue: &Catalogue, tokens: Tokens<'_, '_>, at: usize, defined: &Defined) -> bool {
        let name = tokens.lexed.name(at).unwrap_or_default();
        if tokens.is_sign(at + 1, ".") {
            // A column of it; the relation itself stands elsewhere, too.
            return false;
        }
        let schema = is_part(tokens, at).then(|| tokens.lexed.name(at.wrapping_sub(2)).unwrap_or_default());
        if schema.as_ref().is_some_and(|schema| **schema != *defined.schema) {
            return false;
        }
        if !is_read(tokens, at) {
            let is_own = name.starts_with("pg_") && !self.is_alias(tokens, at) || schema.is_some();
            return is_own || self.reads && is_listed(tokens, at) || is_whole(tokens, at);
        }
        let is_row = |name: &str| {
            let parts = self.parts.get(name).into_iter().flatten();
            let calls = |part: &str| !defined.plain.contains(part) && catalogue.function(part) != FunctionKind::Unknown;
            self.values.contains(name) || parts.into_iter().any(|part| calls(part))
        };
        let alias = alias_of(tokens, at).and_then(|at| tokens.lexed.name(at));
        self.spreads
            || defined.shown.iter().any(|column| self.names.contains(column))
            || is_row(alias.as_deref().unwrap_or(&name))
    }

    fn is_alias(&self, tokens: Tokens<'_, '_>, at: usize) -> bool {
        let before = at.wrapping_sub(if tokens.is_word(at.wrapping_sub(1), "as") { 2 } else { 1 });
        tokens.is_name(before) && is_read(tokens, before)
    }
}

/// Whether a name is the last of several with dots.
fn is_part(tokens: Tokens<'_, '_>, at: usize) -> bool {
    tokens.is_sign(at.wrapping_sub(1), ".")
}

/// What stands before a name and what qualifies it.
fn before(tokens: Tokens<'_, '_>, mut at: usize) -> usize {
    // A database, a schema and a name; what has more of them is no relation.
    for _ in 0..2 {
        if is_part(tokens, at) && tokens.is_name(at.wrapping_sub(2)) {
            at = at.wrapping_sub(2);
        }
    }
    at.wrapping_sub(1)
}

/// Whether a relation is read there, one that goes by its name or its alias alone.
fn is_read(tokens: Tokens<'_, '_>, at: usize) -> bool {
    let before = before(tokens, at);
    tokens.is_word(before, "from") || tokens.is_word(before, "join")
}

/// Whether all of a relation is read there.
fn is_whole(tokens: Tokens<'_, '_>, at: usize) -> bool {
    let before = before(tokens, at);
    let is_schema = ["alter", "create", "drop", "foreign", "lock", "on", "temp", "temporary", "truncate", "unlogged"]
        .iter()
        .any(|word| tokens.is_word(before.wrapping_sub(1), word));
    let words = ["copy", "only", "using"];
    words.iter().any(|word| tokens.is_word(before, word)) || tokens.is_word(before, "table") && !is_schema
}

/// Whether it may be one of a list of relations.
fn is_listed(tokens: Tokens<'_, '_>, at: usize) -> bool {
    let before = before(tokens, at);
    let only = tokens.is_word(before.wrapping_sub(1), "only");
    let is_value = BEHIND_VALUES.iter().any(|word| tokens.is_word(at + 1, word) && *word != "as");
    let next = |sign: &str| tokens.is_sign(at + 1, sign);
    let ends = tokens.kind(at + 1).is_none() || next(")") || next(",") || next(";");
    if tokens.is_sign(before, "(") {
        return (tokens.is_name(at + 1) && !is_value) || (only && next(")"));
    }
    tokens.is_sign(before, ",") && (ends || next("(") || tokens.is_name(at + 1) && !is_value)
}

/// Where the alias of the relation stands that is read there.
fn alias_of(tokens: Tokens<'_, '_>, at: usize) -> Option<usize> {
    let next = if tokens.is_word(at + 1, "as") { at + 2 } else { at + 1 };
    let reserved = NO_ALIAS.iter().any(|word| tokens.is_word(next, word));
    (tokens.is_name(next) && !reserved).then_some(next)
}

/// Whether a star stands for columns there: not for a product, nor in `count(*)` and `EXISTS (SELECT * …)`.
fn is_star(tokens: Tokens<'_, '_>, at: usize) -> bool {
    if !tokens.is_sign(at, "*") {
        return false;
    }
    let (before, behind) = (at.wrapping_sub(1), at + 1);
    let counts = tokens.is_sign(before, "(") && tokens.is_sign(behind, ")");
    let exists = tokens.is_word(before, "select")
        && tokens.is_sign(at.wrapping_sub(2), "(")
        && tokens.is_word(at.wrapping_sub(3), "exists");
    !counts && !exists
}

/// Whether relations are joined in parentheses, which may have an alias of their own.
fn opens_join(tokens: Tokens<'_, '_>, at: usize) -> bool {
    let before = at.wrapping_sub(1);
    let words = ["from", "join", "lateral"];
    let lists = words.iter().any(|word| tokens.is_word(before, word))
        || tokens.is_sign(before, ",")
        || tokens.is_sign(before, "(");
    let queries = ["select", "table", "values", "with"];
    tokens.is_sign(at, "(")
        && lists
        && tokens.is_name(at + 1)
        && !queries.iter().any(|word| tokens.is_word(at + 1, word))
}
