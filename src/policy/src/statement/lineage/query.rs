//! Queries: WITH, set operations, VALUES, and what stands around a SELECT.

use sqlparser::ast::{
    Expr, LimitClause, OrderBy, OrderByKind, Query, SetExpr, SetOperator, SetQuantifier, Value as Literal, Values, With,
};

use super::flow::{Column, Flow, Value, merge};
use super::scope::{Ctes, Scope, Shape};
use super::{How, Resolver};

/// Most rounds in which a recursive query is worked out: a set that still grows then is taken for unknown.
const ROUNDS: usize = 32;

impl<'a> Resolver<'a> {
    /// The columns of a query.
    pub(super) fn query(&mut self, query: &'a Query, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        // Clauses of other dialects.
        let foreign = !query.pipe_operators.is_empty()
            || query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some();
        if foreign || !self.step() {
            return vec![Column::spread(Flow::unknown())];
        }
        let before = core::mem::replace(&mut self.compared, false);
        let columns = match &query.with {
            Some(with) => self.with(with, scope, |resolver, scope| resolver.limited(query, scope)),
            None => self.limited(query, scope),
        };
        self.compared = before;
        columns
    }

    fn limited(&mut self, query: &'a Query, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let columns = self.body(&query.body, query.order_by.as_ref(), scope);
        let mut limits: Vec<&'a Expr> = Vec::new();
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                limits.extend(limit);
                limits.extend(offset.as_ref().map(|offset| &offset.value));
                limits.extend(limit_by);
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => limits.extend([offset, limit]),
            None => {}
        }
        limits.extend(query.fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()));
        for limit in limits {
            let flow = self.compared(limit, scope);
            self.uses(flow, How::Limit);
        }
        columns
    }

    fn body(&mut self, body: &'a SetExpr, order: Option<&'a OrderBy>, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        if !self.step() {
            return vec![Column::spread(Flow::unknown())];
        }
        let columns = match body {
            SetExpr::Select(select) => return self.select(select, order, scope),
            SetExpr::Query(query) => self.query(query, scope),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let mut columns = self.body(left, None, scope);
                let others = self.body(right, None, scope);
                if !matches!((op, set_quantifier), (SetOperator::Union, SetQuantifier::All)) {
                    self.all_used(&columns, How::SetOperation);
                    self.all_used(&others, How::SetOperation);
                }
                let by_place =
                    matches!(set_quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None);
                columns = merge(columns, &others);
                if !by_place {
                    columns = vec![Column::spread(Flow::unknown())];
                }
                columns
            }
            SetExpr::Values(values) => self.values(values, scope),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => {
                self.statement(statement, scope).unwrap_or_else(|| vec![Column::spread(Flow::unknown())])
            }
            // `TABLE t` comes as `SELECT * FROM t`.
            SetExpr::Table(_) => vec![Column::spread(Flow::unknown())],
        };
        self.ordered_rows(order, &columns, scope);
        columns
    }

    /// ORDER BY of a query that is no plain SELECT: by names and numbers of its columns.
    fn ordered_rows(&mut self, order: Option<&'a OrderBy>, columns: &[Column<'a>], scope: &Scope<'_, 'a>) {
        let Some(order) = order else { return };
        let OrderByKind::Expressions(items) = &order.kind else {
            self.all_used(columns, How::OrderBy);
            return;
        };
        for item in items {
            match place_of(&item.expr, columns) {
                Some(flow) => self.uses(flow, How::OrderBy),
                None => {
                    let mut flow = self.compared(&item.expr, scope);
                    flow.add(&super::flow::all(columns));
                    self.uses(flow, How::OrderBy);
                }
            }
        }
    }

    fn values(&mut self, values: &'a Values, scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let mut columns: Option<Vec<Column<'a>>> = None;
        for row in &values.rows {
            let row: Vec<Column<'a>> = row
                .iter()
                .enumerate()
                .map(|(index, expr)| Column::new(value_name(index), self.expr(expr, scope)))
                .collect();
            columns = Some(match columns {
                Some(columns) => merge(columns, &row),
                None => row,
            });
        }
        columns.unwrap_or_default()
    }

    /// Reads a WITH and then what it stands before.
    pub(super) fn with<T>(
        &mut self,
        with: &'a With,
        scope: &Scope<'_, 'a>,
        then: impl FnOnce(&mut Self, &Scope<'_, 'a>) -> T,
    ) -> T {
        let mut ctes = Ctes { queries: Vec::new(), outer: scope.ctes };
        if with.recursive {
            self.recursive(with, scope, &mut ctes);
        } else {
            for cte in &with.cte_tables {
                let columns = {
                    let inner = Scope { level: None, ctes: Some(&ctes), outer: Some(scope) };
                    self.query(&cte.query, &inner)
                };
                ctes.queries.push((&cte.alias.name.value, named(columns, cte)));
            }
        }
        then(self, &Scope { level: None, ctes: Some(&ctes), outer: Some(scope) })
    }

    /// WITH RECURSIVE: each query may read itself and those after it. Begins with nothing flowing from any of
    /// them, and goes round until nothing new flows.
    fn recursive(&mut self, with: &'a With, scope: &Scope<'_, 'a>, ctes: &mut Ctes<'_, 'a>) {
        ctes.queries = with.cte_tables.iter().map(|cte| (cte.alias.name.value.as_str(), Shape::Pending)).collect();
        let (uses, writes) = (self.uses.len(), self.writes.len());
        let pending_before = core::mem::replace(&mut self.pending_read, false);
        for round in 0..=ROUNDS {
            self.uses.truncate(uses);
            self.writes.truncate(writes);
            let mut grew = false;
            for (index, cte) in with.cte_tables.iter().enumerate() {
                let columns = if round == ROUNDS {
                    vec![Column::spread(Flow::unknown())]
                } else {
                    let inner = Scope { level: None, ctes: Some(&*ctes), outer: Some(scope) };
                    self.query(&cte.query, &inner)
                };
                let shape = named(columns, cte);
                if let Some((_, known)) = ctes.queries.get_mut(index) {
                    grew |= !same(known, &shape);
                    *known = shape;
                }
            }
            if !grew || !self.pending_read && round == 0 {
                break;
            }
        }
        self.pending_read = pending_before;
    }
}

fn named<'a>(mut columns: Vec<Column<'a>>, cte: &'a sqlparser::ast::Cte) -> Shape<'a> {
    super::scope::rename(&mut columns, &cte.alias.columns);
    Shape::Columns(columns.into())
}

fn same(a: &Shape<'_>, b: &Shape<'_>) -> bool {
    match (a, b) {
        (Shape::Columns(a), Shape::Columns(b)) => a == b,
        _ => false,
    }
}

/// The names that the columns of VALUES have; further ones are not named here, so they may have any.
fn value_name(index: usize) -> Option<&'static str> {
    const NAMES: [&str; 8] = ["column1", "column2", "column3", "column4", "column5", "column6", "column7", "column8"];
    NAMES.get(index).copied()
}

/// The column that an item of ORDER BY or GROUP BY names by its number or name; `None` for any other expression.
pub(super) fn place_of(expr: &Expr, columns: &[Column<'_>]) -> Option<Flow> {
    let everything = || super::flow::all(columns);
    match expr {
        Expr::Value(value) => {
            let Literal::Number(number, _) = &value.value else { return None };
            let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let Some(place) = place else { return Some(everything()) };
            let before = columns.iter().take(place + 1);
            if before.into_iter().any(|column| column.spread) {
                return Some(everything());
            }
            Some(columns.get(place).map_or_else(everything, |column| column.value.flow.clone()))
        }
        Expr::Identifier(ident) => {
            let mut found: Option<Value> = None;
            for column in columns.iter().filter(|column| column.name == Some(&ident.value)) {
                match &mut found {
                    Some(value) => value.or(&column.value),
                    None => found = Some(column.value.clone()),
                }
            }
            found.map(|value| value.flow)
        }
        Expr::Nested(_) => None,
        _ => None,
    }
}
