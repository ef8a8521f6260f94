//! Which columns the changes of rows in a statement set, by the names that it writes.
//!
//! One [`Change`] for each list of columns: those of an INSERT, of an UPDATE, of ON CONFLICT, of each branch of a
//! MERGE. Values that columns get by themselves (defaults, triggers) are not in it: code behind relations is
//! followed elsewhere.

use sqlparser::ast::{
    Assignment, AssignmentTarget, MergeAction, MergeInsertKind, MergeUpdateKind, ObjectName, OnConflictAction,
    OnInsert, Statement, TableFactor, TableObject,
};

use super::tree::Name;

/// Columns of a relation that are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The relation, as it is written.
    pub(super) relation: Name,
    /// The columns; `None` for all of them, or where they are not known.
    pub(super) columns: Option<Vec<Box<str>>>,
    /// Whether rows that are there are changed.
    pub(super) updates: bool,
}

/// The changes of one statement, without those of statements in it. `false` where there may be more of them.
pub(super) fn of(statement: &Statement, found: &mut Vec<Change>) -> bool {
    match statement {
        Statement::Insert(insert) => {
            let TableObject::TableName(name) = &insert.table else { return false };
            let Some(relation) = Name::of(name) else { return false };
            let mut add = |columns, updates| found.push(Change { relation: relation.clone(), columns, updates });
            let named = names(&insert.columns);
            // MySQL's `INSERT INTO t SET a = 1`.
            let columns =
                if insert.assignments.is_empty() { listed(named) } else { Some(assigned(&insert.assignments)) };
            add(columns, false);
            match &insert.on {
                Some(OnInsert::OnConflict(conflict)) => {
                    if let OnConflictAction::DoUpdate(update) = &conflict.action {
                        add(Some(assigned(&update.assignments)), true);
                    }
                }
                Some(OnInsert::DuplicateKeyUpdate(assignments)) => add(Some(assigned(assignments)), true),
                Some(_) => add(None, true),
                None => {}
            }
            true
        }
        Statement::Update(update) => {
            let joined = update.table.joins.iter().map(|join| &join.relation);
            core::iter::once(&update.table.relation).chain(joined).all(|factor| {
                let columns = Some(assigned(&update.assignments));
                change(factor, columns, true, found)
            })
        }
        Statement::Merge(merge) => merge.clauses.iter().all(|clause| match &clause.action {
            MergeAction::Insert(insert) => {
                let columns = match &insert.kind {
                    MergeInsertKind::Values(_) => listed(names(&insert.columns)),
                    MergeInsertKind::Row | MergeInsertKind::Wildcard => None,
                };
                change(&merge.table, columns, false, found)
            }
            MergeAction::Update(update) => {
                let columns = match &update.kind {
                    MergeUpdateKind::Set(assignments) => Some(assigned(assignments)),
                    MergeUpdateKind::Wildcard => None,
                };
                change(&merge.table, columns, true, found)
            }
            MergeAction::Delete { .. } | MergeAction::DoNothing { .. } => true,
        }),
        Statement::Query(_) | Statement::Delete(_) => true,
        _ => false,
    }
}

fn change(factor: &TableFactor, columns: Option<Vec<Box<str>>>, updates: bool, found: &mut Vec<Change>) -> bool {
    let name = match factor {
        TableFactor::Table { name, .. } => Name::of(name),
        _ => None,
    };
    let Some(relation) = name else { return false };
    found.push(Change { relation, columns, updates });
    true
}

/// A list of columns that may be left out.
fn listed(columns: Vec<Box<str>>) -> Option<Vec<Box<str>>> {
    if columns.is_empty() { None } else { Some(columns) }
}

/// Every part of names: `address.street` sets the column `address`, and MySQL's `t.street` the column `street`.
fn names<'n>(names: impl IntoIterator<Item = &'n ObjectName>) -> Vec<Box<str>> {
    let parts = names.into_iter().flat_map(|name| &name.0);
    parts.filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str().into()).collect()
}

fn assigned(assignments: &[Assignment]) -> Vec<Box<str>> {
    let targets = assignments.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => core::slice::from_ref(name),
        AssignmentTarget::Tuple(names) => names.as_slice(),
    });
    names(targets)
}
