//! Sets of stored columns: what a value may tell of.
//!
//! Sets are small (one expression names a handful of columns), so a sorted list beats a hash set.

use super::json::Path;

/// A column of a relation, by the numbers that the catalogue gives them, or a part of the JSON value in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The relation.
    pub relation: u32,
    /// The number of its column, from 1; 0 for the whole row.
    pub column: i16,
    /// Where in the column's JSON value; `None` for all of it.
    pub path: Option<Path>,
}

impl Origin {
    /// A whole column.
    #[must_use]
    pub fn new(relation: u32, column: i16) -> Self {
        Self { relation, column, path: None }
    }
}

/// Most parts of JSON values that one value is told to consist of; what consists of more may tell of anything.
/// Without a bound, a statement of nothing but paths would take memory by the square of its length.
const PARTS: usize = 64;

/// The stored columns that a value may tell of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Sorted, without repetition.
    origins: Vec<Origin>,
    /// Why it may tell of anything at all, if it may: a union of [`UNREAD`] and [`CODE`].
    unknown: u8,
}

/// A name that is not known, or syntax that is not followed.
const UNREAD: u8 = 1;
/// A function or operator of the users, or one of the server that reads more than its arguments.
const CODE: u8 = 2;

impl Flow {
    /// What a constant tells of.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// What cannot be told.
    #[must_use]
    pub fn unknown() -> Self {
        Self { origins: Vec::new(), unknown: UNREAD }
    }

    /// What one column tells of.
    #[must_use]
    pub fn of(origin: Origin) -> Self {
        Self { origins: vec![origin], unknown: 0 }
    }

    /// The columns, sorted; not all of them where [`Flow::is_unknown`] holds.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Whether it may tell of anything at all.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.unknown != 0
    }

    /// Whether it may tell of anything because a name or syntax was not understood, rather than because code
    /// out of sight computes it.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.unknown & UNREAD != 0
    }

    /// Whether it tells of no stored column.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.origins.is_empty() && self.unknown == 0
    }

    /// Adds what another value tells of.
    pub fn add(&mut self, other: &Self) {
        self.unknown |= other.unknown;
        for origin in &other.origins {
            self.insert(origin.clone());
        }
    }

    /// As [`Flow::add`], taking the list of the other where this one is empty.
    pub(super) fn join(&mut self, other: Self) {
        if self.origins.is_empty() {
            self.origins = other.origins;
            self.unknown |= other.unknown;
        } else {
            self.add(&other);
        }
    }

    /// Adds one column.
    pub(super) fn insert(&mut self, origin: Origin) {
        let Err(at) = self.origins.binary_search(&origin) else { return };
        if origin.path.is_some() && self.origins.iter().filter(|known| known.path.is_some()).count() >= PARTS {
            return self.lose();
        }
        self.origins.insert(at, origin);
    }

    /// The same without some of the columns.
    pub(super) fn without(mut self, is: impl Fn(&Origin) -> bool) -> Self {
        self.origins.retain(|origin| !is(origin));
        self
    }

    /// What is told of the JSON values that these columns hold by the part of them behind `steps`. `None` where
    /// the path grows too long to be followed.
    fn within(&self, steps: &[super::json::Step]) -> Option<Self> {
        let mut flow = Self { origins: Vec::with_capacity(self.origins.len()), unknown: self.unknown };
        for origin in &self.origins {
            let path = Path::extended(origin.path.as_ref(), steps)?;
            flow.insert(Origin { path: Some(path), ..origin.clone() });
        }
        Some(flow)
    }

    /// It was not understood, and may tell of anything.
    pub(super) fn lose(&mut self) {
        self.unknown |= UNREAD;
    }

    /// Whether code of the users computes it, out of sight.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.unknown & CODE != 0
    }

    /// Code out of sight computes it, and may tell of anything.
    pub(super) fn hide(&mut self) {
        self.unknown |= CODE;
    }
}

/// A value on its way: what it tells of, and whether it is a stored value as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) flow: Flow,
    /// Nothing was done to it: a column that is named, through any number of subqueries, or the part of its JSON
    /// value that the origins say.
    pub(super) plain: bool,
    /// Texts of definitions stand in it whole: it is plain, or was only chosen from values that are.
    pub(super) intact: bool,
}

impl Value {
    /// A stored value as it stands.
    pub(super) fn stored(flow: Flow) -> Self {
        Self { flow, plain: true, intact: true }
    }

    pub(super) fn computed(flow: Flow) -> Self {
        Self { flow, plain: false, intact: false }
    }

    pub(super) fn unknown() -> Self {
        Self::computed(Flow::unknown())
    }

    /// The part behind `steps` of a JSON value; all that the value tells where that cannot be followed.
    pub(super) fn within(self, steps: &[super::json::Step]) -> Self {
        if !self.plain || self.flow.is_unknown() {
            return Self::computed(self.flow);
        }
        match self.flow.within(steps) {
            Some(flow) => Self::stored(flow),
            None => Self::computed(self.flow),
        }
    }

    /// Either of two values stands in the same place: branches of a set operation, merged columns. A constant
    /// takes nothing away from what a column is.
    pub(super) fn or(&mut self, other: &Self) {
        self.plain = (self.plain || self.flow.is_nothing()) && (other.plain || other.flow.is_nothing());
        self.intact = (self.intact || self.flow.is_nothing()) && (other.intact || other.flow.is_nothing());
        self.flow.add(&other.flow);
    }
}

/// A column of a result, a subquery or a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column<'a> {
    /// `None` where the server chooses a name that is not certain here: it may be any.
    pub(super) name: Option<&'a str>,
    pub(super) value: Value,
    /// It stands for any number of columns of any names.
    pub(super) spread: bool,
}

impl<'a> Column<'a> {
    pub(super) fn new(name: Option<&'a str>, value: Value) -> Self {
        Self { name, value, spread: false }
    }

    /// Any number of columns that tell of this.
    pub(super) fn spread(flow: Flow) -> Self {
        Self { name: None, value: Value::computed(flow), spread: true }
    }
}

/// What all columns together tell of.
pub(super) fn all(columns: &[Column<'_>]) -> Flow {
    let mut flow = Flow::nothing();
    for column in columns {
        flow.add(&column.value.flow);
    }
    flow
}

/// Merges the columns of two queries whose rows make one result, by place. Where counts differ because one
/// side has columns that are not known one by one, each place gets what all may tell.
pub(super) fn merge<'a>(left: Vec<Column<'a>>, right: &[Column<'_>]) -> Vec<Column<'a>> {
    let spread = |columns: &[Column<'_>]| columns.iter().any(|column| column.spread);
    let mut merged = left;
    if merged.len() == right.len() && !spread(&merged) && !spread(right) {
        for (column, other) in merged.iter_mut().zip(right) {
            column.value.or(&other.value);
        }
        return merged;
    }
    if spread(&merged) {
        let mut flow = all(&merged);
        flow.add(&all(right));
        return vec![Column::spread(flow)];
    }
    let others = Value::computed(all(right));
    for column in &mut merged {
        column.value.or(&others);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(column: i16) -> Origin {
        Origin::new(1, column)
    }

    #[test]
    fn sets_are_sorted_and_hold_each_column_once() {
        let mut flow = Flow::of(origin(3));
        flow.add(&Flow::of(origin(1)));
        flow.add(&Flow::of(origin(3)));
        assert_eq!(flow.origins(), [origin(1), origin(3)]);
        assert!(!flow.is_unknown() && !flow.is_nothing() && Flow::unknown() != Flow::nothing());
    }

    #[test]
    fn rows_of_two_queries_meet_by_place() {
        let column = |number| Column::new(Some("x"), Value::stored(Flow::of(origin(number))));
        let merged = merge(vec![column(1), column(2)], &[column(3), column(4)]);
        assert_eq!(merged[1].value.flow.origins(), [origin(2), origin(4)]);
        let merged = merge(vec![column(1), column(2)], &[Column::spread(Flow::of(origin(9)))]);
        assert_eq!(
            merged[0].value,
            Value::computed({
                let mut flow = Flow::of(origin(1));
                flow.insert(origin(9));
                flow
            })
        );
        assert!(merge(vec![Column::spread(Flow::nothing())], &[column(1)])[0].spread);
    }
}
