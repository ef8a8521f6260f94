//! What a parsed query or data change touches: relations, functions, WHERE, and what it shows.
//!
//! Everything here comes from one walk over the tree. Names are compared as the tree has them, which is
//! folded (see [`crate::sql::bridge`]). The walk may list a relation that a CTE hides; it must not miss one.

use core::ops::ControlFlow;
use std::collections::BTreeSet;

use sqlparser::ast::{
    Expr, FromTable, ObjectName, ObjectNamePart, Query, Select, SetExpr, Statement, TableFactor, TableObject,
    TableWithJoins, ValueWithSpan, Visit, Visitor,
};

use super::changes::{self, Change};
use super::kind::{Kind, KindSet};
use super::parameters::Beside;
use super::projection::{self, Item};

/// A name with its schema, if written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema, if written.
    pub schema: Option<Box<str>>,
    /// The name.
    pub name: Box<str>,
}

impl Name {
    /// The last two parts of a name in a tree; `None` for what is not made of identifiers.
    pub(crate) fn of(name: &ObjectName) -> Option<Self> {
        let mut parts = name.0.iter().rev().map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(Box::<str>::from(&*ident.value)),
            ObjectNamePart::Function(_) => None,
        });
        let own = parts.next()??;
        let schema = parts.next().flatten();
        Some(Self { schema, name: own })
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A relation that a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationUse {
    /// Its name as written, folded.
    pub name: Name,
    /// Whether rows of it are changed; reading is taken for granted.
    pub written: bool,
    /// Whether a CTE of the statement has the same name, and may be what is meant.
    pub maybe_cte: bool,
}

/// What one statement touches.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) kinds: KindSet,
    pub(super) relations: Vec<RelationUse>,
    pub(super) functions: BTreeSet<Name>,
    /// The columns that its changes of rows set; [`Facts::sets`] says whether these are all.
    changes: Vec<Change>,
    /// Whether there are changes that are not among them.
    other_changes: bool,
    /// Whether some UPDATE or DELETE has no WHERE.
    pub(super) missing_where: bool,
    /// Whether some UNION, INTERSECT or EXCEPT stands in it.
    pub(super) set_operation: bool,
    /// What the outermost query shows, column by column.
    pub(super) projection: Option<Vec<Item>>,
    /// Whether column or row names are changed on the way: `AS t(a, b)`, NATURAL.
    pub(super) renames: bool,
    /// Names of tables and their aliases, which stand for whole rows when they stand alone.
    pub(super) row_names: BTreeSet<Box<str>>,
    /// Whether some SELECT is DISTINCT.
    pub(super) distinct: bool,
    /// Which names stand beside which parameters.
    pub(super) parameters: Beside,
}

impl Facts {
    /// The columns that its changes of rows set; `None` where some are not known.
    pub(super) fn sets(&self) -> Option<&[Change]> {
        (!self.other_changes).then_some(&self.changes)
    }
}

/// Walks a statement.
pub(super) fn facts(statement: &Statement) -> Facts {
    let mut walk = Walk::default();
    let _: ControlFlow<()> = statement.visit(&mut walk);
    let Walk { mut facts, ctes, targets, .. } = walk;
    for relation in &mut facts.relations {
        relation.maybe_cte = relation.name.schema.is_none() && ctes.contains(&relation.name.name);
        relation.written = targets.contains(&relation.name);
    }
    facts.projection = projection::outermost(statement);
    facts
}

#[derive(Default)]
struct Walk {
    facts: Facts,
    ctes: BTreeSet<Box<str>>,
    targets: BTreeSet<Name>,
    /// Whether the name that the walk comes to next is a function in FROM.
    function_next: bool,
}

impl Walk {
    fn relation(&mut self, name: Name) {
        if !self.facts.relations.iter().any(|known| known.name == name) {
            self.facts.row_names.insert(name.name.clone());
            self.facts.relations.push(RelationUse { name, written: false, maybe_cte: false });
        }
    }

    fn target(&mut self, name: Option<Name>) {
        if let Some(name) = name {
            self.relation(name.clone());
            self.targets.insert(name);
        }
    }

    fn target_factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, .. } => self.target(Name::of(name)),
            // `ONLY (t)`
            TableFactor::NestedJoin { table_with_joins, .. } => self.target_factor(&table_with_joins.relation),
            _ => self.facts.kinds.insert(Kind::UNKNOWN),
        }
    }

    /// A table and those that it is joined with, each where it is one.
    fn all_targets(&mut self, table: &TableWithJoins) {
        self.target_factor(&table.relation);
        for join in &table.joins {
            if let TableFactor::Table { .. } | TableFactor::NestedJoin { .. } = &join.relation {
                self.target_factor(&join.relation);
            }
        }
    }

    fn first_target(&mut self, tables: &[TableWithJoins]) {
        if let Some(first) = tables.first() {
            self.target_factor(&first.relation);
        }
    }

    /// The parts of a query's body that the generated visitor has no hook for.
    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::SetOperation { left, right, .. } => {
                self.facts.set_operation = true;
                self.body(left);
                self.body(right);
            }
            SetExpr::Table(table) => {
                if let Some(name) = &table.table_name {
                    let schema = table.schema_name.as_deref().map(Box::from);
                    self.relation(Name { schema, name: name.as_str().into() });
                }
            }
            _ => {}
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let kinds = &mut self.facts.kinds;
        match statement {
            Statement::Insert(insert) => {
                kinds.insert(Kind::INSERT);
                if let TableObject::TableName(name) = &insert.table {
                    self.target(Name::of(name));
                }
            }
            Statement::Update(update) => {
                kinds.insert(Kind::UPDATE);
                self.facts.missing_where |= update.selection.is_none();
                self.all_targets(&update.table);
            }
            Statement::Delete(delete) => {
                kinds.insert(Kind::DELETE);
                self.facts.missing_where |= delete.selection.is_none();
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
                self.first_target(tables);
                // MySQL's changes of several tables name them by their aliases: each may be meant.
                if !delete.tables.is_empty() {
                    tables.iter().for_each(|table| self.all_targets(table));
                }
                let named = |using: &TableWithJoins| {
                    let aliases =
                        core::iter::once(&using.relation).chain(using.joins.iter().map(|join| &join.relation));
                    aliases.filter_map(projection::alias_of).any(|alias| {
                        tables.iter().any(|table| {
                            matches!(&table.relation, TableFactor::Table { name, .. }
                                if Name::of(name).is_some_and(|name| *name.name == *alias.name.value))
                        })
                    })
                };
                let using: Vec<&TableWithJoins> = delete.using.iter().flatten().collect();
                if tables.len() > 1 || using.iter().any(|using| named(using)) {
                    using.into_iter().for_each(|table| self.all_targets(table));
                }
            }
            Statement::Merge(merge) => {
                kinds.insert(Kind::MERGE);
                self.target_factor(&merge.table);
            }
            Statement::Query(_) => kinds.insert(Kind::SELECT),
            _ => kinds.insert(Kind::UNKNOWN),
        }
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        self.facts.other_changes |= !changes::of(statement, &mut self.facts.changes);
        self.statement(statement);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                self.ctes.insert(cte.alias.name.value.as_str().into());
                self.facts.renames |= !cte.alias.columns.is_empty();
            }
        }
        self.body(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.into.is_some() {
            self.facts.kinds.insert(Kind::CREATE_TABLE);
            self.facts.kinds.insert(Kind::CREATE_TABLE_AS);
        }
        self.facts.distinct |= select.distinct.is_some();
        for table in &select.from {
            self.facts.renames |= table.joins.iter().any(projection::is_natural);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let function = core::mem::take(&mut self.function_next);
        match Name::of(relation) {
            Some(_) if function => {}
            Some(name) => self.relation(name),
            None => self.facts.kinds.insert(Kind::UNKNOWN),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let Some(alias) = projection::alias_of(factor) {
            self.facts.row_names.insert(alias.name.value.as_str().into());
            self.facts.renames |= !alias.columns.is_empty();
        }
        // The walk takes the name of a function in FROM for a relation's, and comes to it first.
        self.function_next = matches!(factor, TableFactor::Table { args: Some(_), .. });
        match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                self.facts.functions.extend(Name::of(name));
            }
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::JsonTable { .. } => {}
            // Nothing that PostgreSQL has.
            _ => self.facts.kinds.insert(Kind::UNKNOWN),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            self.facts.functions.extend(Name::of(&function.name));
        }
        self.facts.parameters.enter(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        self.facts.parameters.leave();
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        self.facts.parameters.value(value);
        ControlFlow::Continue(())
    }
}
