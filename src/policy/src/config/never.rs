//! Rules that can never match, by what their keys say together.

use super::read::{Marks, Problems};
use super::{Deny, Mask, Mode, Scope};
use crate::statement::kind::{self, Kind, KindSet};

/// Notes a problem at a key of a rule.
pub(super) fn report(problems: &Problems, marks: &Marks, key: &str, message: impl core::fmt::Display) {
    let (offset, path) = marks.of(key);
    problems.add(offset, path, message);
}

/// Kinds whose statements may hold a query.
const QUERIES: [Kind; 18] = [
    Kind::CALL,
    Kind::COPY_TO,
    Kind::CREATE_FUNCTION,
    Kind::CREATE_RULE,
    Kind::CREATE_TABLE_AS,
    Kind::CREATE_VIEW,
    Kind::DECLARE,
    Kind::DELETE,
    Kind::DO,
    Kind::EXPLAIN,
    Kind::EXPLAIN_ANALYZE,
    Kind::INSERT,
    Kind::MERGE,
    Kind::PREPARE,
    Kind::SELECT,
    Kind::UNKNOWN,
    Kind::UPDATE,
    Kind::EXECUTE,
];

/// Checks one `[[deny]]`.
pub(super) fn deny(rule: &Deny, marks: &Marks, problems: &Problems) {
    let changes = KindSet::of(Kind::UPDATE).union(KindSet::of(Kind::DELETE));
    let named = !rule.statements.is_empty();
    if rule.without_where && named && !rule.statements.meets(changes) {
        let message = "only \"update\" and \"delete\" have a WHERE: the rule can never match";
        report(problems, marks, "without_where", message);
    }
    let inserts = kind::write().without(KindSet::of(Kind::DELETE)).without(KindSet::of(Kind::TRUNCATE));
    if !rule.columns_written.is_empty() && named && !rule.statements.meets(inserts.union(kind::classes())) {
        let message = "none of the rule's statements sets a column: the rule can never match";
        report(problems, marks, "columns_written", message);
    }
    for (key, columns) in [("columns_read", &rule.columns_read), ("columns_written", &rule.columns_written)] {
        if columns.iter().any(|pattern| !pattern.path().is_empty()) {
            report(problems, marks, key, "paths into JSON are for the columns of masks; name the whole column");
        }
    }
    let queries = QUERIES.into_iter().fold(kind::classes(), |all, kind| all.union(KindSet::of(kind)));
    if !rule.columns_read.is_empty() && named && !rule.statements.meets(queries) {
        let message = "none of the rule's statements reads a column: the rule can never match";
        report(problems, marks, "columns_read", message);
    }
    let rows = kind::write().union(QUERIES.into_iter().fold(KindSet::EMPTY, |all, kind| all.union(KindSet::of(kind))));
    if rule.row_limit.is_some() && named && !rule.statements.meets(rows) {
        report(problems, marks, "row_limit", "none of the rule's statements shows rows: the rule can never match");
    }
    if rule.row_limit.is_some() && rule.mode == Mode::Report {
        report(problems, marks, "mode", "\"report\" is for denies that refuse; how many rows come is not known before");
    }
    scope(&rule.scope, marks, problems);
}

/// Checks one `[[mask]]`.
pub(super) fn mask(rule: &Mask, marks: &Marks, problems: &Problems) {
    if rule.mode == Mode::Report && !rule.detect.is_empty() {
        let message =
            "\"report\" is for denies and column masks; what a detector finds is only known once it is masked";
        report(problems, marks, "mode", message);
    }
    if !rule.detect.is_empty() && rule.columns.iter().any(|pattern| !pattern.path().is_empty()) {
        let message = "a path into JSON names a value that is masked whole; detectors look at whole columns";
        report(problems, marks, "columns", message);
    }
    scope(&rule.scope, marks, problems);
}

fn scope(scope: &Scope, marks: &Marks, problems: &Problems) {
    let excepted = scope.addresses.as_ref().is_some_and(|list| {
        let covered = |network| scope.except_addresses.iter().any(|except| except.covers(network));
        !list.is_empty() && list.iter().all(covered)
    });
    if excepted {
        let message = "the exceptions cover every address of the rule: it can never match";
        report(problems, marks, "except_addresses", message);
    }
    let excepted = scope
        .applications
        .as_ref()
        .is_some_and(|list| !list.is_empty() && list.iter().all(|glob| scope.except_applications.contains(glob)));
    let all = scope.except_applications.iter().any(|glob| glob.to_string() == "*");
    if excepted || all {
        let message = "the exceptions cover every application of the rule: it can never match";
        report(problems, marks, "except_applications", message);
    }
}
