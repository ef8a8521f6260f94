//! Names in sight: the sources of a FROM, the queries around it, the CTEs.
//!
//! Follows the order in which PostgreSQL looks for a name (the manual, 4.2.1 and 7.2.1.2): a column of the
//! innermost query that has one of that name, then outwards, then the name of a source as a whole row. Where
//! a source's columns are not known one by one, a name may be one of them, and the search goes on as well:
//! the answer is then what either tells of.

use core::ops::Range;
use std::rc::Rc;

use sqlparser::ast::TableAliasColumnDef;

use super::flow::{Column, Flow, Origin, Value};
use crate::catalogue::Relation;

/// What stands in a FROM under one name.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) shape: Shape<'a>,
    /// `AS t(a, b)`: new names for its first columns.
    pub(super) renamed: &'a [TableAliasColumnDef],
    /// Behind the alias of a join; only the alias shows its columns.
    pub(super) hidden: bool,
    /// Whether its name is an alias, which no schema can stand before.
    pub(super) aliased: bool,
}

/// The columns of a source.
#[derive(Clone, Debug)]
pub(super) enum Shape<'a> {
    /// Stored relations: one, or all that a name may mean.
    Stored(Vec<&'a Relation>),
    /// The rows of a query or function.
    Columns(Rc<[Column<'a>]>),
    /// A recursive query that is being worked out: nothing flows from it yet.
    Pending,
    /// A relation that is not known.
    Unknown,
}

/// Columns that every relation has and no list of columns shows; they tell nothing of what is stored.
const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// Whether the columns of a relation are not known one by one: those of the server's own, and sequences.
fn is_open(relation: &Relation) -> bool {
    relation.columns.is_empty()
}

/// The name of a source, with its schema if written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'n> {
    pub(super) schema: Option<&'n str>,
    pub(super) name: &'n str,
}

impl<'a> Source<'a> {
    fn is(&self, table: Table<'_>) -> bool {
        let of_schema = |schema: &str| match &self.shape {
            Shape::Stored(relations) => relations.iter().any(|relation| *relation.schema == *schema),
            Shape::Unknown => true,
            Shape::Columns(_) | Shape::Pending => false,
        };
        self.name == Some(table.name) && table.schema.is_none_or(|schema| !self.aliased && of_schema(schema))
    }

    /// A source whose columns nobody renamed.
    pub(super) fn new(name: Option<&'a str>, shape: Shape<'a>) -> Self {
        Self { name, shape, renamed: &[], hidden: false, aliased: true }
    }

    fn renamed(&self, index: usize) -> Option<&'a str> {
        self.renamed.get(index).map(|column| column.name.value.as_str())
    }

    /// Its columns in order.
    pub(super) fn columns(&self) -> Vec<Column<'a>> {
        let mut columns = match &self.shape {
            Shape::Stored(relations) => stored(relations),
            Shape::Columns(columns) => columns.to_vec(),
            Shape::Pending => vec![Column::spread(Flow::nothing())],
            Shape::Unknown => vec![Column::spread(Flow::unknown())],
        };
        rename(&mut columns, self.renamed);
        columns
    }

    /// What its whole row tells of.
    pub(super) fn row(&self) -> Flow {
        let mut flow = Flow::nothing();
        match &self.shape {
            Shape::Stored(relations) => {
                for relation in relations {
                    flow.insert(Origin::new(relation.oid, 0));
                }
            }
            Shape::Columns(columns) => {
                for column in columns.iter() {
                    flow.add(&column.value.flow);
                }
            }
            Shape::Pending => {}
            Shape::Unknown => flow.lose(),
        }
        flow
    }

    /// Adds what a column of this name tells of.
    pub(super) fn find(&self, name: &str, found: &mut Lookup) {
        if let Some(index) = self.renamed.iter().position(|column| column.name.value == name) {
            match self.at(index) {
                Some(value) => found.exact(value),
                None => found.possible(&self.row()),
            }
            return;
        }
        match &self.shape {
            Shape::Stored(relations) => {
                for relation in relations {
                    self.find_stored(relation, name, found);
                }
            }
            Shape::Columns(columns) => {
                for (index, column) in columns.iter().enumerate() {
                    if self.renamed(index).is_some() {
                        continue;
                    }
                    match column.name {
                        Some(own) if own == name => found.exact(column.value.clone()),
                        Some(_) => {}
                        None => found.possible(&column.value.flow),
                    }
                }
            }
            Shape::Pending => found.possible(&Flow::nothing()),
            Shape::Unknown => found.possible(&Flow::unknown()),
        }
    }

    fn find_stored(&self, relation: &Relation, name: &str, found: &mut Lookup) {
        for (index, column) in relation.columns.iter().enumerate() {
            if *column.name == *name && self.renamed(index).is_none() {
                let origin = Origin::new(relation.oid, column.number);
                found.exact(Value::stored(Flow::of(origin)));
                return;
            }
        }
        if SYSTEM_COLUMNS.contains(&name) {
            found.exact(Value::default());
        } else if is_open(relation) {
            found.possible(&Flow::nothing());
        }
    }

    /// The column at a place, where places are certain.
    fn at(&self, index: usize) -> Option<Value> {
        match &self.shape {
            Shape::Stored(relations) => match relations.as_slice() {
                [relation] => {
                    let column = relation.columns.get(index)?;
                    let origin = Origin::new(relation.oid, column.number);
                    Some(Value::stored(Flow::of(origin)))
                }
                _ => None,
            },
            Shape::Columns(columns) => {
                let before = columns.get(..=index)?;
                if before.iter().any(|column| column.spread) {
                    return None;
                }
                before.last().map(|column| column.value.clone())
            }
            Shape::Pending => Some(Value::default()),
            Shape::Unknown => None,
        }
    }
}

/// The columns of a stored relation; of several that may be meant, by place where all agree on the names.
fn stored<'a>(relations: &[&'a Relation]) -> Vec<Column<'a>> {
    let Some((first, others)) = relations.split_first() else { return vec![Column::spread(Flow::unknown())] };
    if others.is_empty() && !is_open(first) {
        let columns = first.columns.iter().map(|column| {
            let origin = Origin::new(first.oid, column.number);
            Column::new(Some(&*column.name), Value::stored(Flow::of(origin)))
        });
        return columns.collect();
    }
    let names = |relation: &'a Relation| relation.columns.iter().map(|column| &*column.name);
    let agree = others.iter().all(|other| names(other).eq(names(first)));
    if is_open(first) || !agree {
        let mut flow = Flow::nothing();
        for relation in relations.iter().filter(|relation| !is_open(relation)) {
            flow.insert(Origin::new(relation.oid, 0));
        }
        return vec![Column::spread(flow)];
    }
    let mut columns = stored(&[first]);
    for other in others {
        for (column, also) in columns.iter_mut().zip(stored(&[other])) {
            column.value.or(&also.value);
        }
    }
    columns
}

/// Gives the first columns new names. Behind columns that are not known one by one no place is certain.
pub(super) fn rename<'a>(columns: &mut Vec<Column<'a>>, names: &'a [TableAliasColumnDef]) {
    if names.is_empty() {
        return;
    }
    if columns.iter().take(names.len()).any(|column| column.spread) {
        let flow = super::flow::all(columns);
        let named = names.iter().map(|name| Column::new(Some(name.name.value.as_str()), Value::computed(flow.clone())));
        *columns = named.chain([Column::spread(flow.clone())]).collect();
        return;
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = Some(name.name.value.as_str());
    }
}

/// What a name was found to mean.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// Columns of this very name.
    exact: Option<Value>,
    /// Columns that may have this name.
    possible: Option<Flow>,
}

impl Lookup {
    fn exact(&mut self, value: Value) {
        match &mut self.exact {
            Some(found) => found.or(&value),
            None => self.exact = Some(value),
        }
    }

    fn possible(&mut self, flow: &Flow) {
        self.possible.get_or_insert_default().add(flow);
    }

    /// The answer, once some column has this very name; what may have it counts too, where it may.
    fn certain(&mut self) -> Option<Value> {
        let mut value = self.exact.take()?;
        if let Some(possible) = self.possible.take() {
            // Two columns of one name would be ambiguous to the server, so this one is meant, unless the
            // other was possible on an inner level.
            value.plain &= possible.is_nothing();
            value.intact &= possible.is_nothing();
            value.flow.add(&possible);
        }
        Some(value)
    }
}

/// Sources that were joined, and what a star shows of them where columns were merged.
#[derive(Clone, Debug)]
pub(super) struct Tree<'a> {
    pub(super) sources: Range<usize>,
    /// All columns in order, where USING or NATURAL merged some.
    pub(super) merged: Option<Vec<Column<'a>>>,
}

/// What one query's FROM brings.
#[derive(Clone, Debug, Default)]
pub(super) struct Level<'a> {
    pub(super) sources: Vec<Source<'a>>,
    /// Every source is in one of these.
    pub(super) trees: Vec<Tree<'a>>,
    /// Sources that only their names reach, and no star or bare column: `old` and `new` of RETURNING.
    pub(super) aside: Vec<Source<'a>>,
}

impl<'a> Level<'a> {
    /// A level of one source.
    pub(super) fn single(source: Source<'a>) -> Self {
        let mut level = Self::default();
        level.push(source);
        level
    }

    /// Adds a source that is joined to nothing yet.
    pub(super) fn push(&mut self, source: Source<'a>) {
        let at = self.sources.len();
        self.sources.push(source);
        self.trees.push(Tree { sources: at..at + 1, merged: None });
    }

    /// What a star shows of joined sources.
    pub(super) fn star_of(&self, tree: &Tree<'a>) -> Vec<Column<'a>> {
        if let Some(merged) = &tree.merged {
            return merged.clone();
        }
        let sources = self.sources.get(tree.sources.clone()).unwrap_or_default();
        sources.iter().filter(|source| !source.hidden).flat_map(Source::columns).collect()
    }

    /// What `*` shows.
    pub(super) fn star(&self) -> Vec<Column<'a>> {
        self.trees.iter().flat_map(|tree| self.star_of(tree)).collect()
    }

    /// Adds what a column of this name tells of.
    pub(super) fn find(&self, name: &str, found: &mut Lookup) {
        for tree in &self.trees {
            self.find_in(tree, name, found);
        }
    }

    /// Whether a column in it has this very name.
    pub(super) fn has_column(&self, name: &str) -> bool {
        let mut found = Lookup::default();
        self.find(name, &mut found);
        found.exact.is_some()
    }

    fn find_in(&self, tree: &Tree<'a>, name: &str, found: &mut Lookup) {
        let sources = self.sources.get(tree.sources.clone()).unwrap_or_default();
        let Some(merged) = &tree.merged else {
            for source in sources.iter().filter(|source| !source.hidden) {
                source.find(name, found);
            }
            return;
        };
        let mut named = false;
        for column in merged {
            match column.name {
                Some(own) if own == name => {
                    named = true;
                    found.exact(column.value.clone());
                }
                Some(_) => {}
                None => found.possible(&column.value.flow),
            }
        }
        if !named && SYSTEM_COLUMNS.contains(&name) {
            found.exact(Value::default());
        }
    }

    /// The sources of a name. Two of one name differ in their schema, or the server refuses the statement.
    pub(super) fn named<'t>(&self, table: Table<'t>) -> impl Iterator<Item = &Source<'a>> + use<'_, 'a, 't> {
        let all = self.sources.iter().chain(&self.aside);
        all.filter(move |source| !source.hidden && source.is(table))
    }

    /// A column that USING names, in one of the sides of the join.
    pub(super) fn joined(&self, tree: &Tree<'a>, name: &str) -> Value {
        let mut found = Lookup::default();
        self.find_in(tree, name, &mut found);
        found.certain().unwrap_or_else(|| found.possible.map_or_else(Value::unknown, Value::computed))
    }
}

/// A query and those around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'s, 'a> {
    pub(super) level: Option<&'s Level<'a>>,
    pub(super) ctes: Option<&'s Ctes<'s, 'a>>,
    pub(super) outer: Option<&'s Scope<'s, 'a>>,
}

/// The queries of one WITH, and those of the statements around it.
#[derive(Debug)]
pub(super) struct Ctes<'s, 'a> {
    pub(super) queries: Vec<(&'a str, Shape<'a>)>,
    pub(super) outer: Option<&'s Ctes<'s, 'a>>,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// Nothing in sight.
    pub(super) fn empty() -> Self {
        Self { level: None, ctes: None, outer: None }
    }

    /// This level inside of it.
    pub(super) fn inside<'n>(&'n self, level: &'n Level<'a>) -> Scope<'n, 'a>
    where
        's: 'n,
    {
        Scope { level: Some(level), ctes: self.ctes, outer: Some(self) }
    }

    fn levels(&self) -> impl Iterator<Item = &Level<'a>> {
        core::iter::successors(Some(self), |scope| scope.outer).filter_map(|scope| scope.level)
    }

    /// What a name without a table tells of; `None` where nothing can have it.
    pub(super) fn column(&self, name: &str) -> Option<Value> {
        let mut found = Lookup::default();
        for level in self.levels() {
            level.find(name, &mut found);
            if let Some(value) = found.certain() {
                return Some(value);
            }
        }
        if let Some(row) = self.row(Table { schema: None, name }) {
            found.possible(&row);
        }
        found.possible.map(Value::computed)
    }

    /// Whether some column in sight has this very name.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.levels().any(|level| level.has_column(name))
    }

    /// The innermost sources of a name: those of one level.
    pub(super) fn sources<'t>(&self, table: Table<'t>) -> impl Iterator<Item = &Source<'a>> + use<'_, 's, 'a, 't> {
        let innermost = self.levels().find(move |level| level.named(table).next().is_some());
        innermost.into_iter().flat_map(move |level| level.named(table))
    }

    /// What the whole row of a source tells of; `None` where there is none of that name.
    pub(super) fn row(&self, table: Table<'_>) -> Option<Flow> {
        let mut sources = self.sources(table);
        let mut flow = sources.next()?.row();
        for source in sources {
            flow.add(&source.row());
        }
        Some(flow)
    }

    /// A column of a source. `Err` with the whole row where the source has no column of that name, so that it
    /// may be a function of the row; `None` where there is no such source.
    pub(super) fn column_of(&self, table: Table<'_>, name: &str) -> Option<Result<Value, Flow>> {
        let mut found = Lookup::default();
        for source in self.sources(table) {
            source.find(name, &mut found);
        }
        match found.certain().or_else(|| found.possible.map(Value::computed)) {
            Some(value) => Some(Ok(value)),
            None => self.row(table).map(Err),
        }
    }

    /// The CTE of a name.
    pub(super) fn cte(&self, name: &str) -> Option<&Shape<'a>> {
        core::iter::successors(self.ctes, |ctes| ctes.outer)
            .find_map(|ctes| ctes.queries.iter().rev().find(|(own, _)| *own == name).map(|(_, shape)| shape))
    }
}
