//! Which column of which relation a view's column shows.
//!
//! Reads the view's definition as `pg_get_viewdef` prints it. Only plain references are followed; anything
//! else is "computed", and then the caller goes by what the view depends on.

use std::collections::HashMap;

use sqlparser::ast::{Query, SetExpr, Statement, TableFactor};

use super::Catalogue;
use crate::sql::bridge;
use crate::sql::lexer::{LexOptions, Lexed};
use crate::statement::projection::{self, Item};
use crate::statement::tree::Name;

/// For each column of a view, the relation and column number that it shows; `None` for a computed one.
/// `None` altogether where the definition does not read.
pub(super) fn columns(catalogue: &Catalogue, view: u32) -> Option<Vec<Option<(u32, i16)>>> {
    let definition = catalogue.definitions.get(&view)?;
    let lexed = Lexed::new(definition.as_bytes(), LexOptions::default()).ok()?;
    let mut end = lexed.tokens().len();
    if lexed.tokens().last().is_some_and(|token| lexed.is_sign(token, ";")) {
        end -= 1;
    }
    let statement = bridge::parse(&lexed, 0..end)?;
    let Statement::Query(query) = &statement else { return None };
    let tables = tables(catalogue, view, query)?;
    let items = projection::outermost(&statement)?;
    Some(items.iter().map(|item| resolve(catalogue, &tables, item)).collect())
}

/// The words and names that a view's definition contains.
pub(super) fn words(catalogue: &Catalogue, view: u32) -> Vec<Box<str>> {
    let Some(definition) = catalogue.definitions.get(&view) else { return Vec::new() };
    let Ok(lexed) = Lexed::new(definition.as_bytes(), LexOptions::default()) else { return Vec::new() };
    (0..lexed.tokens().len()).filter_map(|at| lexed.name(at)).map(Box::from).collect()
}

/// The tables of a query's FROM, by the name under which columns name them; `None` for an entry that is no
/// plain table, so that columns under its name do not resolve.
fn tables(catalogue: &Catalogue, view: u32, query: &Query) -> Option<HashMap<Box<str>, Option<u32>>> {
    if query.with.is_some() {
        return None;
    }
    let SetExpr::Select(select) = &*query.body else { return None };
    let mut tables = HashMap::new();
    for table in &select.from {
        factor(catalogue, view, &table.relation, &mut tables);
        for join in &table.joins {
            factor(catalogue, view, &join.relation, &mut tables);
        }
    }
    Some(tables)
}

fn factor(catalogue: &Catalogue, view: u32, factor_of: &TableFactor, tables: &mut HashMap<Box<str>, Option<u32>>) {
    let alias = projection::alias_of(factor_of);
    match factor_of {
        TableFactor::Table { name, args: None, .. } => {
            let Some(name) = Name::of(name) else { return };
            let plain = alias.is_none_or(|alias| alias.columns.is_empty());
            let relation = if plain { dependency(catalogue, view, &name) } else { None };
            let key = alias.map_or_else(|| name.name.clone(), |alias| alias.name.value.as_str().into());
            tables.insert(key, relation);
        }
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            factor(catalogue, view, &table_with_joins.relation, tables);
            for join in &table_with_joins.joins {
                factor(catalogue, view, &join.relation, tables);
            }
        }
        _ => {
            let key = alias.map_or_else(Box::default, |alias| alias.name.value.as_str().into());
            tables.insert(key, None);
        }
    }
}

/// The one relation of that name among those that the view reads. A name in a definition is qualified or
/// not as the search path of whoever read it wanted; the dependencies are exact.
fn dependency(catalogue: &Catalogue, view: u32, name: &Name) -> Option<u32> {
    let depends = catalogue.depends.get(&view)?;
    let mut found = catalogue
        .named(name.schema.as_deref(), &name.name)
        .map(|relation| relation.oid)
        .filter(|oid| depends.iter().any(|dependency| dependency.0 == *oid));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn resolve(catalogue: &Catalogue, tables: &HashMap<Box<str>, Option<u32>>, item: &Item) -> Option<(u32, i16)> {
    let Item::Column { table, name } = item else { return None };
    let relation = match table {
        Some(table) => tables.get(table).copied().flatten()?,
        None if tables.len() == 1 => tables.values().next().copied().flatten()?,
        None => return None,
    };
    let column = catalogue.relation(relation)?.columns.iter().find(|column| column.name == *name)?;
    Some((relation, column.number))
}
