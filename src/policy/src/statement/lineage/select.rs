//! One SELECT: its list, and the clauses that compare.

use sqlparser::ast::{
    Distinct, Expr, FunctionArguments, GroupByExpr, NamedWindowExpr, OrderBy, OrderByKind, Select, SelectItem,
    SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use super::flow::{Column, Flow};
use super::query::place_of;
use super::scope::{Level, Scope, Table};
use super::{How, Place, Resolver};
use crate::statement::tree::Name;

impl<'a> Resolver<'a> {
    pub(super) fn select(
        &mut self,
        select: &'a Select,
        order: Option<&'a OrderBy>,
        scope: &Scope<'_, 'a>,
    ) -> Vec<Column<'a>> {
        let mut level = Level::default();
        self.from(&select.from, &mut level, scope);
        let inner = scope.inside(&level);
        let mut columns = self.list(&select.projection, &inner);
        if is_foreign(select) {
            columns = vec![Column::spread(Flow::unknown())];
            self.uses(Flow::unknown(), How::Where);
        }
        if let Some(condition) = &select.selection {
            self.condition(condition, How::Where, &inner);
        }
        self.grouped(&select.group_by, &columns, &level, &inner);
        if let Some(condition) = &select.having {
            self.condition(condition, How::Having, &inner);
        }
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = &window.1 {
                self.window(window, &inner);
            }
        }
        match &select.distinct {
            Some(Distinct::Distinct) => self.all_used(&columns, How::Distinct),
            Some(Distinct::On(exprs)) => {
                for expr in exprs {
                    self.by(expr, How::Distinct, &columns, None, &inner);
                }
            }
            Some(Distinct::All) | None => {}
        }
        self.ordered_by(order, &columns, &inner);
        if select.into.is_some() {
            for column in &columns {
                self.writes(column.value.clone(), Place::NewRelation);
            }
        }
        columns
    }

    /// ORDER BY: a name is that of a column of the result before it is one of FROM (the manual, SELECT).
    fn ordered_by(&mut self, order: Option<&'a OrderBy>, columns: &[Column<'a>], scope: &Scope<'_, 'a>) {
        let Some(order) = order else { return };
        match &order.kind {
            OrderByKind::Expressions(items) => {
                for item in items {
                    self.by(&item.expr, How::OrderBy, columns, None, scope);
                }
            }
            OrderByKind::All(_) => self.all_used(columns, How::OrderBy),
        }
    }

    /// GROUP BY: a name is that of a column of FROM before it is one of the result.
    fn grouped(&mut self, group: &'a GroupByExpr, columns: &[Column<'a>], level: &Level<'a>, scope: &Scope<'_, 'a>) {
        match group {
            GroupByExpr::Expressions(exprs, _) => {
                for expr in exprs {
                    match expr {
                        Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                            for expr in sets.iter().flatten() {
                                self.by(expr, How::GroupBy, columns, Some(level), scope);
                            }
                        }
                        _ => self.by(expr, How::GroupBy, columns, Some(level), scope),
                    }
                }
            }
            GroupByExpr::All(_) => self.all_used(columns, How::GroupBy),
        }
    }

    /// An item that rows are sorted or grouped by. `first` is the level whose columns come before those of the
    /// result.
    fn by(
        &mut self,
        expr: &'a Expr,
        how: How,
        columns: &[Column<'a>],
        first: Option<&Level<'a>>,
        scope: &Scope<'_, 'a>,
    ) {
        let of_from = match (expr, first) {
            (Expr::Identifier(ident), Some(level)) => level.has_column(&ident.value),
            _ => false,
        };
        let placed = if of_from { None } else { place_of(expr, columns) };
        let flow = match placed {
            Some(flow) => flow,
            None => {
                let mut flow = self.compared(expr, scope);
                // A column of the result whose name is not certain here may be meant.
                if let Expr::Identifier(_) = expr
                    && !of_from
                {
                    for column in columns.iter().filter(|column| column.name.is_none()) {
                        flow.add(&column.value.flow);
                    }
                }
                flow
            }
        };
        self.uses(flow, how);
    }

    /// The columns that a SELECT list or RETURNING shows.
    pub(super) fn list(&mut self, items: &'a [SelectItem], scope: &Scope<'_, 'a>) -> Vec<Column<'a>> {
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let value = self.expr(expr, scope);
                    columns.push(Column::new(name_of(expr), value));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let value = self.expr(expr, scope);
                    columns.push(Column::new(Some(&alias.value), value));
                }
                SelectItem::ExprWithAliases { expr, .. } => {
                    let mut value = self.expr(expr, scope);
                    value.flow.lose();
                    columns.push(Column::spread(value.flow));
                }
                SelectItem::Wildcard(options) if is_plain(options) => match scope.level {
                    Some(level) => columns.extend(level.star()),
                    None => columns.push(Column::spread(Flow::unknown())),
                },
                SelectItem::QualifiedWildcard(kind, options) if is_plain(options) => {
                    self.qualified_star(kind, scope, &mut columns);
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    columns.push(Column::spread(Flow::unknown()));
                }
            }
        }
        columns
    }

    fn qualified_star(
        &mut self,
        kind: &'a SelectItemQualifiedWildcardKind,
        scope: &Scope<'_, 'a>,
        columns: &mut Vec<Column<'a>>,
    ) {
        match kind {
            SelectItemQualifiedWildcardKind::ObjectName(name) => {
                let Some(named) = Name::of(name) else {
                    columns.push(Column::spread(Flow::unknown()));
                    return;
                };
                let table = Table { schema: named.schema.as_deref(), name: &named.name };
                let mut sources = scope.sources(table);
                match (sources.next(), sources.next()) {
                    (Some(source), None) => columns.extend(source.columns()),
                    // A column of a composite type is written `(c).*`, so this is an error to the server.
                    _ => columns.push(Column::spread(Flow::unknown())),
                }
            }
            // `(expr).*`: the fields of a composite.
            SelectItemQualifiedWildcardKind::Expr(expr) => {
                let flow = self.expr(expr, scope).flow;
                columns.push(Column::spread(flow));
            }
        }
    }
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}

/// Whether a SELECT has a clause that PostgreSQL does not have.
fn is_foreign(select: &Select) -> bool {
    select.exclude.is_some()
        || select.top.is_some()
        || select.prewhere.is_some()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || !select.lateral_views.is_empty()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
}

/// The name that the server gives a column without an alias, where it is certain here: that of a column or
/// function.
fn name_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.as_str()),
        Expr::Nested(inner) => name_of(inner),
        Expr::Function(function) if matches!(function.args, FunctionArguments::List(_)) => {
            function.name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str())
        }
        _ => None,
    }
}
