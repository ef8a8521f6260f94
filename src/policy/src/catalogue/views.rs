//! What the columns of views and generated columns tell of.
//!
//! Reads definitions as `pg_get_viewdef` and `pg_get_expr` print them, and follows them as any statement is
//! followed: [`crate::statement::lineage`]. Where a definition does not read, the caller goes by what the view
//! depends on.

use sqlparser::ast::Statement;

use super::Catalogue;
use crate::sql::bridge;
use crate::sql::lexer::{LexOptions, Lexed};
use crate::statement::lineage::{self, Flow, Lineage, Lookup, Output};

/// What the columns of a view tell of; `None` where the definition does not read.
pub(super) fn columns(catalogue: &Catalogue, view: u32) -> Option<Box<[Output]>> {
    lineage(catalogue, view).map(|lineage| lineage.columns)
}

/// What flows where in a view; `None` where the definition does not read.
pub(super) fn lineage(catalogue: &Catalogue, view: u32) -> Option<Lineage> {
    let statement = parsed(catalogue.definitions.get(&view)?)?;
    lineage::of(&statement, Lookup { catalogue, path: None, view: Some(view) })
}

/// What a generated column of a relation tells of.
pub(super) fn generated(catalogue: &Catalogue, relation: u32, expression: &str) -> Option<Flow> {
    let statement = parsed(&format!("SELECT {expression}"))?;
    lineage::of_expression(&statement, relation, Lookup { catalogue, path: None, view: None })
}

fn parsed(text: &str) -> Option<Statement> {
    let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).ok()?;
    let mut end = lexed.tokens().len();
    if lexed.tokens().last().is_some_and(|token| lexed.is_sign(token, ";")) {
        end -= 1;
    }
    bridge::parse(&lexed, 0..end)
}

/// The words and names that a view's definition contains.
pub(super) fn words(catalogue: &Catalogue, view: u32) -> Vec<Box<str>> {
    let Some(definition) = catalogue.definitions.get(&view) else { return Vec::new() };
    let Ok(lexed) = Lexed::new(definition.as_bytes(), LexOptions::default()) else { return Vec::new() };
    (0..lexed.tokens().len()).filter_map(|at| lexed.name(at)).map(Box::from).collect()
}
