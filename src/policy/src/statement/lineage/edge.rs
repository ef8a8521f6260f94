//! Where words end in texts that are put beside each other: whether what is quoted of a definition still stands by
//! itself.

use sqlparser::ast::{BinaryOperator, Expr};

use super::json;

/// Most operands that are looked into for one edge; psql's own go no deeper.
const DEEPEST: usize = 16;

/// How a text ends at one side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// With a sign that belongs to no word.
    Apart,
    /// The same, or there is no text.
    MayBeEmpty,
    /// With a word, as far as is known.
    Word,
}

/// Whether no word goes on from one operand of `||` into the next.
pub(super) fn keep_apart(left: &Expr, right: &Expr) -> bool {
    !matches!((of(left, false, DEEPEST), of(right, true, DEEPEST)), (Edge::Word, Edge::Word))
}

/// Whether a word that stands beside a text ends there.
pub(super) fn is_separator(text: &str) -> bool {
    of_text(text, true) == Edge::Apart && of_text(text, false) == Edge::Apart
}

fn of_text(text: &str, start: bool) -> Edge {
    let letter = if start { text.chars().next() } else { text.chars().next_back() };
    match letter {
        None => Edge::MayBeEmpty,
        Some(letter) if letter.is_ascii_alphanumeric() || letter == '_' => Edge::Word,
        Some(_) => Edge::Apart,
    }
}

fn of(expr: &Expr, start: bool, levels: usize) -> Edge {
    let Some(levels) = levels.checked_sub(1) else { return Edge::Word };
    match expr {
        Expr::Nested(inner) => of(inner, start, levels),
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            let (outer, inner) = if start { (left, right) } else { (right, left) };
            match of(outer, start, levels) {
                Edge::MayBeEmpty => of(inner, start, levels),
                known => known,
            }
        }
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|branch| of(&branch.result, start, levels));
            let otherwise = else_result.as_ref().map_or(Edge::MayBeEmpty, |result| of(result, start, levels));
            results.fold(otherwise, |all, edge| match (all, edge) {
                (Edge::Word, _) | (_, Edge::Word) => Edge::Word,
                (Edge::MayBeEmpty, _) | (_, Edge::MayBeEmpty) => Edge::MayBeEmpty,
                (Edge::Apart, Edge::Apart) => Edge::Apart,
            })
        }
        _ => json::literal(expr).map_or(Edge::Word, |text| of_text(text, start)),
    }
}
