//! Which stored columns each value of a statement tells of.
//!
//! [`of`] walks the parser's tree once, with the names in sight at each place ([`scope`]), against a catalogue
//! ([`names`]), and gives a [`Lineage`]: for every column of the result the stored columns that flow into it,
//! every use of stored columns that compares or computes, and every value that goes to some other place. Nothing
//! here knows a rule: what is masked is asked of the answer.
//!
//! What flows: an expression tells of all its operands; a CASE, a FILTER, an EXISTS and a subquery in an
//! expression also of what their conditions look at, since one such value for each row spells out a column. A
//! condition on which rows come (WHERE, ON, HAVING) does not flow into the rows; it is a use. A name or
//! expression that is not understood may tell of anything.
//!
//! | file | reads |
//! |---|---|
//! | [`expression`] | expressions |
//! | [`call`] | function calls and windows |
//! | [`json`] | parts of JSON values |
//! | [`query`] | queries, set operations, WITH |
//! | [`select`] | one SELECT |
//! | [`from`] | FROM and its joins |
//! | [`change`] | INSERT, UPDATE, DELETE, MERGE |
//!
//! Views are relations with columns of their own here; the catalogue follows their definitions.

mod call;
mod change;
mod edge;
mod expression;
mod flow;
mod from;
pub(crate) mod functions;
mod json;
mod names;
mod query;
mod scope;
mod select;

use sqlparser::ast::{SelectItem, SetExpr, Statement};

pub use flow::{Flow, Origin};
pub use json::{Path, Step};
pub(crate) use names::Lookup;

use flow::{Column, Value};
use scope::{Level, Scope, Shape, Source};

/// What flows where in one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The columns of its result, in order; empty where it has none.
    pub columns: Box<[Output]>,
    /// Stored columns that it compares or computes with.
    pub uses: Box<[Use]>,
    /// Values that it puts somewhere.
    pub writes: Box<[Write]>,
}

impl Lineage {
    /// An estimate of the memory that it holds, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let flows = self.columns.iter().map(|output| &output.flow);
        let flows = flows.chain(self.uses.iter().map(|used| &used.flow));
        let flows = flows.chain(self.writes.iter().map(|write| &write.flow));
        flows.map(|flow| size_of::<Output>() + size_of_val(flow.origins())).sum::<usize>() + size_of::<Self>()
    }

    /// Every set of columns that some value of it tells of, computed or shown.
    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        let shown = self.columns.iter().map(|output| &output.flow);
        let used = self.uses.iter().map(|used| &used.flow);
        shown.chain(used).chain(self.writes.iter().map(|write| &write.flow))
    }

    /// The columns of a result that has so many; `None` where they cannot be told apart.
    ///
    /// Columns that are not known one by one take what is left; where they stand at several places, all between
    /// the first and the last of them tell of everything that stands there.
    #[must_use]
    pub fn aligned(&self, count: usize) -> Option<Vec<Output>> {
        let spread = |output: &Output| output.spread;
        let Some(first) = self.columns.iter().position(spread) else {
            return (self.columns.len() == count).then(|| self.columns.to_vec());
        };
        let last = self.columns.iter().rposition(spread)?;
        let (before, behind) = (self.columns.get(..first)?, self.columns.get(last + 1..)?);
        let between = count.checked_sub(before.len() + behind.len())?;
        let mut flow = Flow::nothing();
        self.columns.get(first..=last)?.iter().for_each(|output| flow.add(&output.flow));
        let filler = Output { name: None, flow, plain: false, intact: false, spread: true };
        let fillers = core::iter::repeat_n(filler, between);
        Some(before.iter().cloned().chain(fillers).chain(behind.iter().cloned()).collect())
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name, where it is certain.
    pub name: Option<Box<str>>,
    /// What it tells of.
    pub flow: Flow,
    /// Whether it shows stored values as they stand, or parts of JSON values that its origins name.
    pub plain: bool,
    /// Whether definitions of objects that it shows stand in it whole.
    pub intact: bool,
    /// Whether it stands for any number of columns that are not known one by one.
    pub spread: bool,
}

/// Where stored columns are compared or computed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The columns.
    pub flow: Flow,
    /// The place.
    pub how: How,
    /// The number of constants that one column is compared with for equality; 0 for any other use.
    pub equalities: u32,
}

/// A place where values are compared, or can make a statement fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// CASE
    Case,
    /// An operator or function in a value.
    Compute,
    /// ON CONFLICT
    Conflict,
    /// DISTINCT
    Distinct,
    /// FILTER of an aggregate.
    Filter,
    /// GROUP BY
    GroupBy,
    /// HAVING
    Having,
    /// ON, USING, NATURAL
    Join,
    /// LIMIT, OFFSET, FETCH, TABLESAMPLE
    Limit,
    /// ORDER BY, also of an aggregate.
    OrderBy,
    /// UNION, INTERSECT, EXCEPT
    SetOperation,
    /// WHERE
    Where,
    /// Partition, order or frame of a window.
    Window,
}

impl core::fmt::Display for How {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Case => "CASE",
            Self::Compute => "an expression",
            Self::Conflict => "ON CONFLICT",
            Self::Distinct => "DISTINCT",
            Self::Filter => "FILTER",
            Self::GroupBy => "GROUP BY",
            Self::Having => "HAVING",
            Self::Join => "JOIN",
            Self::Limit => "LIMIT",
            Self::OrderBy => "ORDER BY",
            Self::SetOperation => "a set operation",
            Self::Where => "WHERE",
            Self::Window => "a window",
        })
    }
}

/// A value that goes somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What it tells of.
    pub flow: Flow,
    /// Whether it is a stored value as it stands, or the part of a JSON value that its origins name.
    pub plain: bool,
    /// Where it goes.
    pub place: Place,
}

/// Where a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A stored column: this one, or one of these.
    Columns(Box<[Origin]>),
    /// A relation that the statement makes.
    NewRelation,
    /// A setting, notification, lock or the like, by this function.
    Sink(Box<str>),
    /// A column that is not known.
    Unknown,
}

/// Most steps that one statement may take; a longer one has no lineage. A bound for statements made to be slow,
/// such as recursive queries in recursive queries.
const STEPS: usize = 400_000;

/// Follows a statement. `None` where it is of no kind that is followed, or takes too many steps.
pub(crate) fn of(statement: &Statement, names: Lookup<'_>) -> Option<Lineage> {
    let mut resolver = Resolver::new(names);
    let columns = resolver.statement(statement, &Scope::empty())?;
    resolver.finish(columns)
}

/// What an expression over the columns of one relation tells of: the definition of a generated column.
/// `statement` is a SELECT with the expression as its only item.
pub(crate) fn of_expression(statement: &Statement, relation: u32, names: Lookup<'_>) -> Option<Flow> {
    let Statement::Query(query) = statement else { return None };
    let SetExpr::Select(select) = &*query.body else { return None };
    let [SelectItem::UnnamedExpr(expr)] = select.projection.as_slice() else { return None };
    let relation = names.catalogue.relation(relation)?;
    let level = Level::single(Source::new(None, Shape::Stored(vec![relation])));
    let mut resolver = Resolver::new(names);
    let scope = Scope::empty();
    let value = resolver.expr(expr, &scope.inside(&level));
    (resolver.steps < STEPS).then_some(value.flow)
}

/// One walk.
struct Resolver<'a> {
    names: Lookup<'a>,
    uses: Vec<Use>,
    writes: Vec<Write>,
    steps: usize,
    /// Whether what is computed flows into a use in any case, so that it is no use of its own.
    compared: bool,
    /// Whether every argument that was read last was intact.
    intact: bool,
    /// Whether a recursive query was read before it was worked out.
    pending_read: bool,
}

impl<'a> Resolver<'a> {
    fn new(names: Lookup<'a>) -> Self {
        Self {
            names,
            uses: Vec::new(),
            writes: Vec::new(),
            steps: 0,
            compared: false,
            intact: false,
            pending_read: false,
        }
    }

    fn finish(self, columns: Vec<Column<'a>>) -> Option<Lineage> {
        if self.steps >= STEPS {
            return None;
        }
        let outputs = columns.into_iter().map(|column| Output {
            name: column.name.map(Box::from),
            flow: column.value.flow,
            plain: column.value.plain,
            intact: column.value.intact,
            spread: column.spread,
        });
        Some(Lineage { columns: outputs.collect(), uses: self.uses.into(), writes: self.writes.into() })
    }

    /// Takes a step; `false` where there were too many.
    fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps < STEPS
    }

    /// Notes a use, where there is something to it.
    fn uses(&mut self, flow: Flow, how: How) {
        if !flow.is_nothing() {
            self.uses.push(Use { flow, how, equalities: 0 });
        }
    }

    /// Notes that a value was computed in a way that may fail or compare.
    fn computes(&mut self, flow: &Flow) {
        if !self.compared && !flow.is_nothing() {
            self.uses.push(Use { flow: flow.clone(), how: How::Compute, equalities: 0 });
        }
    }

    /// What conditions that were noted since `mark` look at.
    fn conditions_since(&self, mark: usize, flow: &mut Flow) {
        for used in self.uses.get(mark..).unwrap_or_default() {
            if matches!(used.how, How::Case | How::Filter | How::Having | How::Join | How::Where) {
                flow.add(&used.flow);
            }
        }
    }

    /// Notes values that go somewhere.
    fn writes(&mut self, value: Value, place: Place) {
        if !value.flow.is_nothing() {
            self.writes.push(Write { flow: value.flow, plain: value.plain, place });
        }
    }
}

#[cfg(test)]
mod tests;
