//! FROM: tables, subqueries, functions and their joins.

use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, TableAlias, TableFactor, TableSampleKind, TableWithJoins,
    XmlTableColumnOption,
};

use super::flow::{Column, Flow};
use super::scope::{Level, Scope, Shape, Source, Tree};
use super::{How, Resolver, Use};
use crate::statement::tree::Name;

impl<'a> Resolver<'a> {
    /// Adds the items of a FROM to a level, from left to right: each may look at those before it if it is lateral.
    pub(super) fn from(&mut self, tables: &'a [TableWithJoins], level: &mut Level<'a>, scope: &Scope<'_, 'a>) {
        for table in tables {
            self.joined(table, level, scope);
        }
    }

    fn joined(&mut self, table: &'a TableWithJoins, level: &mut Level<'a>, scope: &Scope<'_, 'a>) {
        self.factor(&table.relation, level, scope);
        for join in &table.joins {
            self.join(join, level, scope);
        }
    }

    /// One item: afterwards the last tree of the level is it.
    pub(super) fn factor(&mut self, factor: &'a TableFactor, level: &mut Level<'a>, scope: &Scope<'_, 'a>) {
        if !self.step() {
            level.push(Source::new(None, Shape::Unknown));
            return;
        }
        match factor {
            TableFactor::Table { name, alias, args: None, sample, .. } => {
                self.sampled(sample.as_ref(), level, scope);
                let source = self.table(name, alias.as_ref(), scope);
                level.push(source);
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                let flow = match Name::of(name) {
                    Some(name) => self.table_function(&name, &args.args, &scope.inside(level)),
                    None => Flow::unknown(),
                };
                let own = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str());
                level.push(function(flow, own, alias.as_ref()));
            }
            TableFactor::Function { name, args, alias, .. } => {
                let flow = match Name::of(name) {
                    Some(name) => self.table_function(&name, args, &scope.inside(level)),
                    None => Flow::unknown(),
                };
                let own = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str());
                level.push(function(flow, own, alias.as_ref()));
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                let flow = self.union(array_exprs, &scope.inside(level));
                self.computes(&flow);
                level.push(function(flow, Some("unnest"), alias.as_ref()));
            }
            TableFactor::TableFunction { expr, alias } => {
                let flow = self.expr(expr, &scope.inside(level)).flow;
                level.push(function(flow, None, alias.as_ref()));
            }
            TableFactor::JsonTable { json_expr, alias, .. } => {
                let flow = self.expr(json_expr, &scope.inside(level)).flow;
                self.computes(&flow);
                level.push(function(flow, Some("json_table"), alias.as_ref()));
            }
            TableFactor::XmlTable { namespaces, row_expression, passing, columns, alias } => {
                let paths = columns.iter().flat_map(|column| match &column.option {
                    XmlTableColumnOption::NamedInfo { path, default, .. } => [path.as_ref(), default.as_ref()],
                    XmlTableColumnOption::ForOrdinality => [None, None],
                });
                let passed = passing.arguments.iter().map(|argument| &argument.expr);
                let spaces = namespaces.iter().map(|namespace| &namespace.uri);
                let all = core::iter::once(row_expression).chain(passed).chain(spaces).chain(paths.flatten());
                let flow = self.union(all, &scope.inside(level));
                self.computes(&flow);
                level.push(function(flow, Some("xmltable"), alias.as_ref()));
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let columns =
                    if *lateral { self.query(subquery, &scope.inside(level)) } else { self.query(subquery, scope) };
                level.push(aliased(Shape::Columns(columns.into()), None, alias.as_ref()));
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.joined(table_with_joins, level, scope);
                if let Some(alias) = alias {
                    hide(level, alias);
                }
            }
            // Nothing that PostgreSQL has.
            _ => level.push(Source::new(None, Shape::Unknown)),
        }
    }

    fn sampled(&mut self, sample: Option<&'a TableSampleKind>, level: &Level<'a>, scope: &Scope<'_, 'a>) {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
            return;
        };
        if let Some(quantity) = &sample.quantity {
            let flow = self.compared(&quantity.value, &scope.inside(level));
            self.uses(flow, How::Limit);
        }
    }

    /// A table, view or CTE by its name.
    pub(super) fn table(
        &mut self,
        name: &'a ObjectName,
        alias: Option<&'a TableAlias>,
        scope: &Scope<'_, 'a>,
    ) -> Source<'a> {
        let own = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str());
        let (Some(own), Some(named)) = (own, Name::of(name)) else {
            return aliased(Shape::Unknown, None, alias);
        };
        let cte = if named.schema.is_none() { scope.cte(own) } else { None };
        let shape = match cte {
            Some(shape) => {
                self.pending_read |= matches!(shape, Shape::Pending);
                shape.clone()
            }
            None => {
                let relations = self.names.relations(&named);
                if relations.is_empty() { Shape::Unknown } else { Shape::Stored(relations) }
            }
        };
        aliased(shape, Some(own), alias)
    }

    fn join(&mut self, join: &'a Join, level: &mut Level<'a>, scope: &Scope<'_, 'a>) {
        self.factor(&join.relation, level, scope);
        let (Some(right), Some(left)) = (level.trees.pop(), level.trees.pop()) else { return };
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint)
            | JoinOperator::StraightJoin(constraint) => Some(constraint),
            // Nothing that PostgreSQL has.
            _ => None,
        };
        let sources = left.sources.start..right.sources.end;
        let merged = match constraint {
            Some(JoinConstraint::Using(names)) => {
                let names: Vec<&'a str> = names
                    .iter()
                    .filter_map(|name| name.0.last().and_then(|part| part.as_ident()))
                    .map(|ident| ident.value.as_str())
                    .collect();
                Some(self.merge(level, &left, &right, &names))
            }
            Some(JoinConstraint::Natural) => Some(self.natural(level, &left, &right)),
            Some(JoinConstraint::On(_) | JoinConstraint::None) | None => {
                let either = left.merged.is_some() || right.merged.is_some();
                either.then(|| level.star_of(&left).into_iter().chain(level.star_of(&right)).collect())
            }
        };
        level.trees.push(Tree { sources, merged });
        match constraint {
            Some(JoinConstraint::On(condition)) => self.condition(condition, How::Join, &scope.inside(level)),
            Some(_) => {}
            None => self.uses(Flow::unknown(), How::Join),
        }
    }

    /// USING: the columns that are named come first, once, and then what is left of both sides.
    fn merge(&mut self, level: &Level<'a>, left: &Tree<'a>, right: &Tree<'a>, names: &[&'a str]) -> Vec<Column<'a>> {
        let mut merged = Vec::new();
        for name in names {
            let mut value = level.joined(left, name);
            value.or(&level.joined(right, name));
            if !value.flow.is_nothing() {
                self.uses.push(Use { flow: value.flow.clone(), how: How::Join, equalities: 0 });
            }
            merged.push(Column::new(Some(name), value));
        }
        let rest = level.star_of(left).into_iter().chain(level.star_of(right));
        merged.extend(rest.filter(|column| column.name.is_none_or(|name| !names.contains(&name))));
        merged
    }

    /// NATURAL: USING of every name that both sides have.
    fn natural(&mut self, level: &Level<'a>, left: &Tree<'a>, right: &Tree<'a>) -> Vec<Column<'a>> {
        let (ours, theirs) = (level.star_of(left), level.star_of(right));
        let certain = |columns: &[Column<'a>]| columns.iter().all(|column| column.name.is_some());
        if certain(&ours) && certain(&theirs) {
            let shared = ours.iter().filter_map(|column| column.name);
            let shared: Vec<&'a str> =
                shared.filter(|name| theirs.iter().any(|column| column.name == Some(name))).collect();
            return self.merge(level, left, right, &shared);
        }
        // Any column may be compared with any of the other side, and stands for it then.
        let all = ours.into_iter().chain(theirs).collect::<Vec<_>>();
        let flow = super::flow::all(&all);
        self.uses(flow.clone(), How::Join);
        vec![Column::spread(flow)]
    }
}

/// A source under its alias, or its own name.
fn aliased<'a>(shape: Shape<'a>, name: Option<&'a str>, alias: Option<&'a TableAlias>) -> Source<'a> {
    match alias {
        Some(alias) => {
            Source { name: Some(&alias.name.value), shape, renamed: &alias.columns, hidden: false, aliased: true }
        }
        None => Source { name, shape, renamed: &[], hidden: false, aliased: false },
    }
}

/// What a function in FROM shows: columns that are not known one by one.
fn function<'a>(flow: Flow, name: Option<&'a str>, alias: Option<&'a TableAlias>) -> Source<'a> {
    let mut source = aliased(Shape::Columns([Column::spread(flow)].into()), name, alias);
    source.aliased = true;
    source
}

/// `(a JOIN b) AS j`: only `j` is in sight from here on.
fn hide<'a>(level: &mut Level<'a>, alias: &'a TableAlias) {
    let Some(tree) = level.trees.pop() else { return };
    let columns = level.star_of(&tree);
    for source in level.sources.get_mut(tree.sources.clone()).unwrap_or_default() {
        source.hidden = true;
    }
    let start = tree.sources.start;
    level.sources.push(aliased(Shape::Columns(columns.into()), None, Some(alias)));
    level.trees.push(Tree { sources: start..level.sources.len(), merged: None });
}
