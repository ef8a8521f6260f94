//! What a query shows, column by column, as far as its outermost SELECT list or RETURNING tells.
//!
//! Only two questions are answered: whether a column is shown as it is stored (then the server names its
//! origin), and whether a computed one can reveal a stored value. For statements whose values cannot be
//! followed ([`super::lineage`]): what is computed from any column at all counts as revealing.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Insert, Join, JoinConstraint,
    JoinOperator, Query, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor,
};

use super::tree::Name;

/// One item of a SELECT list or RETURNING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A column as it is stored: `card`, `c.card`.
    Column {
        /// The table or alias in front, if written.
        table: Option<Box<str>>,
        /// Its name.
        name: Box<str>,
    },
    /// An expression.
    Computed {
        /// Whether it consists of literals, parameters and the like, under functions that are listed in
        /// `calls`: it shows no stored value if those functions show none.
        constant: bool,
        /// Functions in it whose results it may show.
        calls: Box<[Name]>,
    },
    /// `*` or `t.*`.
    Wildcard {
        /// The table or alias in front, if written.
        table: Option<Box<str>>,
    },
}

/// The items of the outermost query; `None` where they cannot be told: set operations, VALUES, `TABLE t`.
pub(crate) fn outermost(statement: &Statement) -> Option<Vec<Item>> {
    match statement {
        Statement::Query(query) => of_query(query),
        Statement::Insert(Insert { returning, .. }) => returning.as_deref().map(items),
        Statement::Update(update) => update.returning.as_deref().map(items),
        Statement::Delete(delete) => delete.returning.as_deref().map(items),
        _ => None,
    }
}

fn of_query(query: &Query) -> Option<Vec<Item>> {
    let mut body = &*query.body;
    loop {
        match body {
            SetExpr::Select(select) if select.exclude.is_none() => return Some(items(&select.projection)),
            SetExpr::Query(inner) => body = &*inner.body,
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) => return outermost(inner),
            _ => return None,
        }
    }
}

/// Whether the outermost query reads exactly one table by name, so that a bare column can only be that
/// table's; gives its name.
pub(super) fn single_table(statement: &Statement) -> Option<Name> {
    let Statement::Query(query) = statement else { return None };
    if query.with.is_some() {
        return None;
    }
    let SetExpr::Select(select) = &*query.body else { return None };
    match select.from.as_slice() {
        [table] if table.joins.is_empty() => match &table.relation {
            TableFactor::Table { name, args: None, alias, .. }
                if alias.as_ref().is_none_or(|alias| alias.columns.is_empty()) =>
            {
                Name::of(name)
            }
            _ => None,
        },
        _ => None,
    }
}

fn items(list: &[SelectItem]) -> Vec<Item> {
    list.iter().map(item).collect()
}

fn item(item: &SelectItem) -> Item {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => of_expr(expr),
        SelectItem::ExprWithAliases { expr, .. } => computed(expr, false),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Item::Wildcard { table: Name::of(name).map(|name| name.name) }
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) | SelectItem::Wildcard(_) => {
            Item::Wildcard { table: None }
        }
    }
}

fn of_expr(expr: &Expr) -> Item {
    match expr {
        Expr::Identifier(ident) => Item::Column { table: None, name: ident.value.as_str().into() },
        Expr::CompoundIdentifier(parts) => {
            let mut parts = parts.iter().rev().map(|ident| Box::<str>::from(ident.value.as_str()));
            let name = parts.next().unwrap_or_default();
            Item::Column { table: parts.next(), name }
        }
        Expr::Nested(inner) => of_expr(inner),
        _ => computed(expr, true),
    }
}

fn computed(expr: &Expr, look: bool) -> Item {
    let mut calls = Vec::new();
    let constant = look && reveals_nothing(expr, &mut calls);
    Item::Computed { constant, calls: calls.into() }
}

/// Whether no stored value can come out of an expression, if none comes out of the functions that are
/// added to `calls`.
fn reveals_nothing(expr: &Expr, calls: &mut Vec<Name>) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Interval(interval) => reveals_nothing(&interval.value, calls),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => {
            reveals_nothing(inner, calls)
        }
        Expr::AtTimeZone { timestamp, time_zone } => {
            reveals_nothing(timestamp, calls) && reveals_nothing(time_zone, calls)
        }
        Expr::BinaryOp { left, op, right } => {
            let built_in = !matches!(op, BinaryOperator::Custom(_) | BinaryOperator::PGCustomBinaryOperator(_));
            built_in && reveals_nothing(left, calls) && reveals_nothing(right, calls)
        }
        Expr::Array(array) => array.elem.iter().all(|element| reveals_nothing(element, calls)),
        Expr::Function(function) => of_function(function, calls),
        _ => false,
    }
}

/// Aggregates and window functions that show how many rows there are or where a row stands, and nothing
/// that is stored in them.
const COUNTING: [&str; 6] = ["count", "cume_dist", "dense_rank", "percent_rank", "rank", "row_number"];

fn of_function(function: &Function, calls: &mut Vec<Name>) -> bool {
    let Some(name) = Name::of(&function.name) else { return false };
    let built_in = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    let counting = built_in && COUNTING.contains(&&*name.name) && function.within_group.is_empty();
    calls.push(name);
    if counting {
        return true;
    }
    if function.filter.is_some() || function.over.is_some() || !function.within_group.is_empty() {
        return false;
    }
    match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::Subquery(_) => false,
        FunctionArguments::List(list) => {
            list.clauses.is_empty()
                && list.args.iter().all(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
                    | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => reveals_nothing(expr, calls),
                    _ => false,
                })
        }
    }
}

/// The alias of a table in FROM.
pub(crate) fn alias_of(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::JsonTable { alias, .. }
        | TableFactor::XmlTable { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
        _ => None,
    }
}

/// Whether a join compares columns that it does not name.
pub(super) fn is_natural(join: &Join) -> bool {
    let constraint = match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => constraint,
        _ => return true,
    };
    matches!(constraint, JoinConstraint::Natural)
}
