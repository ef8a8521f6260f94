//! Prepared statements and portals of one session, by name, as the server has them and as it will have them.
//!
//! A client need not wait for replies: it may Parse, Bind and Execute in one go. So each name has a
//! committed value (the server confirmed it) and pending ones (sent, not yet answered). Requests are
//! resolved against the latest; a reply commits the oldest pending value, a skipped request discards it:
//!
//! ```text
//!   Parse sent ──► pending ──ParseComplete──► committed
//!                     └─────ErrorResponse or skipped──► gone, the committed value stays
//! ```
//!
//! Replies come in the order of requests, and so pending values are a queue. When something was discarded,
//! what was resolved before may be wrong; `server.rs` then confirms it against the committed value.
//!
//! It must never grow past the limits, and never take two names for different ones that the server takes
//! for one: PostgreSQL cuts names at 63 bytes (`NAMEDATALEN`).
//!
//! Source: PostgreSQL manual, "Extended Query" under "Message Flow".

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use wire::guard::Guard;
use wire::parameters::Parameters;
use wire::value::Column;

use crate::description::Formats;
use crate::rows::Rows;

/// The name of a statement or portal; `None` is the unnamed one.
pub(crate) type Name = Option<Rc<[u8]>>;

/// Bytes of a name that PostgreSQL looks at.
const NAME_BYTES: usize = 63;

/// What a named entry costs beside its own bytes: nodes, counters, a judged statement.
const ENTRY_BYTES: usize = 512;

/// A queue of pending values that was this long gives its memory back when it is empty.
const KEPT_PENDING: usize = 16;

/// What a portal costs beside its parameters and formats.
const PORTAL_BYTES: usize = 256;

/// The part of a name that tells it from others.
pub(crate) fn significant(name: &[u8]) -> &[u8] {
    name.get(..NAME_BYTES).unwrap_or(name)
}

/// Whether a name means the same in every client encoding. Others are converted by the server, so that two
/// spellings may be one name; they are never remembered, and what they stand for is judged as unknown.
pub(crate) fn is_plain(name: &[u8]) -> bool {
    name.is_ascii()
}

/// A name as it is kept.
pub(crate) fn keep(name: &[u8]) -> Name {
    if name.is_empty() { None } else { Some(significant(name).into()) }
}

/// What happens to the rows of a portal or a result.
pub(crate) enum Planned<P> {
    /// They pass.
    Forward,
    /// They are masked.
    Mask(Rc<Rows<P>>),
    /// The server said that there are none.
    NoRows,
}

impl<P> Clone for Planned<P> {
    fn clone(&self) -> Self {
        match self {
            Self::Forward => Self::Forward,
            Self::Mask(rows) => Self::Mask(Rc::clone(rows)),
            Self::NoRows => Self::NoRows,
        }
    }
}

/// The columns of a prepared statement, as Describe gave them.
pub(crate) struct Layout<P> {
    /// The epoch in which they were given; a later one makes them doubtful.
    pub(crate) epoch: u64,
    /// The columns, formats unknown; `None` where the statement returns no rows.
    pub(crate) columns: Option<Vec<Column>>,
    /// The plan under the formats that were asked for last.
    pub(crate) planned: Option<(Formats, Planned<P>)>,
    #[expect(dead_code, reason = "gives its bytes back when the layout goes")]
    pub(crate) charge: Charge,
}

/// A prepared statement.
pub(crate) struct Prepared<G: Guard> {
    pub(crate) name: Name,
    pub(crate) statement: RefCell<G::Statement>,
    /// [`Guard::wants_columns`] of it.
    pub(crate) wants: Cell<bool>,
    pub(crate) layout: RefCell<Option<Layout<G::Plan>>>,
    /// Bytes of its text that count against the session's limit.
    pub(crate) text_bytes: usize,
}

/// A portal: a prepared statement with its parameters and result formats.
pub(crate) struct Portal<G: Guard> {
    pub(crate) name: Name,
    /// Whether the name is remembered.
    pub(crate) registered: bool,
    /// What it was made of; `None` where the statement is unknown.
    pub(crate) source: Option<Rc<Prepared<G>>>,
    /// The name of an unknown source.
    pub(crate) source_name: Name,
    pub(crate) statement: G::Statement,
    pub(crate) wants: bool,
    pub(crate) formats: Formats,
    pub(crate) parameters: RefCell<Parameters>,
    pub(crate) planned: RefCell<Option<Planned<G::Plan>>>,
    /// The run of messages in which a Describe of it was sent last.
    pub(crate) described_in: Cell<Option<u64>>,
    /// Rows that it may still show, over all its runs; `None` for any number. Asked for when it runs first.
    pub(crate) rows_left: RefCell<Option<Option<Rc<Cell<u64>>>>>,
    /// Bytes of Bind, reported with the first execution.
    pub(crate) bind_bytes: Cell<u64>,
    /// What its plan holds.
    pub(crate) charge: RefCell<Option<Charge>>,
    /// [`portal_weight`] of it when it was bound.
    pub(crate) weight: usize,
}

/// Bytes that count against the session's limit until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    counter: Rc<Cell<usize>>,
    bytes: usize,
}

impl Charge {
    pub(crate) fn new(counter: &Rc<Cell<usize>>, bytes: usize) -> Self {
        counter.set(counter.get() + bytes);
        Self { counter: Rc::clone(counter), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.counter.set(self.counter.get().saturating_sub(self.bytes));
    }
}

/// What columns cost, with a plan over them.
pub(crate) fn columns_weight(columns: &[Column]) -> usize {
    columns.iter().map(|column| size_of::<Column>() + 16 + column.name.len()).sum()
}

/// What a name costs while it is open.
pub(crate) trait Weight {
    /// Bytes on the heap, roughly; the same each time.
    fn weight(&self) -> usize;
}

impl<G: Guard> Weight for Prepared<G> {
    fn weight(&self) -> usize {
        self.text_bytes + ENTRY_BYTES
    }
}

impl<G: Guard> Weight for Portal<G> {
    fn weight(&self) -> usize {
        self.weight
    }
}

/// What a portal with these parameters and formats costs.
pub(crate) fn portal_weight(parameters: &Parameters, formats: &Formats) -> usize {
    PORTAL_BYTES + formats.heap_bytes() + parameters.heap_bytes()
}

struct Slot<T> {
    committed: Option<Rc<T>>,
    pending: VecDeque<Option<Rc<T>>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { committed: None, pending: VecDeque::new() }
    }
}

impl<T> Slot<T> {
    fn latest(&self) -> Option<&Rc<T>> {
        self.pending.back().unwrap_or(&self.committed).as_ref()
    }

    fn is_empty(&self) -> bool {
        self.committed.is_none() && self.pending.is_empty()
    }
}

/// All names of one kind.
pub(crate) struct Names<T> {
    unnamed: Slot<T>,
    named: BTreeMap<Rc<[u8]>, Slot<T>>,
    bytes: usize,
}

impl<T: Weight> Names<T> {
    pub(crate) fn new() -> Self {
        Self { unnamed: Slot::default(), named: BTreeMap::new(), bytes: 0 }
    }

    /// Bytes that the named ones hold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Names in use.
    pub(crate) fn len(&self) -> usize {
        self.named.len()
    }

    fn slot(&self, name: &[u8]) -> Option<&Slot<T>> {
        if name.is_empty() { Some(&self.unnamed) } else { self.named.get(significant(name)) }
    }

    /// What the name will stand for when everything sent so far has succeeded.
    pub(crate) fn latest(&self, name: &[u8]) -> Option<&Rc<T>> {
        self.slot(name)?.latest()
    }

    /// What the name stands for after the replies so far.
    pub(crate) fn committed(&self, name: &Name) -> Option<&Rc<T>> {
        match name {
            None => self.unnamed.committed.as_ref(),
            Some(name) => self.named.get(name)?.committed.as_ref(),
        }
    }

    /// A request that gives the name a new value, or none, was sent.
    pub(crate) fn push(&mut self, name: &Name, value: Option<Rc<T>>) {
        let weight = value.as_ref().map_or(0, |value| value.weight());
        match name {
            None => self.unnamed.pending.push_back(value),
            Some(name) => {
                self.bytes += weight;
                self.named.entry(Rc::clone(name)).or_default().pending.push_back(value);
            }
        }
    }

    /// The oldest pending request on the name succeeded.
    pub(crate) fn commit(&mut self, name: &Name) {
        self.settle(name, true);
    }

    /// The oldest pending request on the name failed or was skipped.
    pub(crate) fn discard(&mut self, name: &Name) {
        self.settle(name, false);
    }

    fn settle(&mut self, name: &Name, success: bool) {
        let slot = match name {
            None => &mut self.unnamed,
            Some(name) => match self.named.get_mut(name) {
                Some(slot) => slot,
                None => return,
            },
        };
        let Some(value) = slot.pending.pop_front() else { return };
        if slot.pending.is_empty() && slot.pending.capacity() > KEPT_PENDING {
            slot.pending = VecDeque::new();
        }
        let dropped = if success { std::mem::replace(&mut slot.committed, value) } else { value };
        if let Some(name) = name {
            let empty = slot.is_empty();
            self.bytes = self.bytes.saturating_sub(dropped.map_or(0, |dropped| dropped.weight()));
            if empty {
                self.named.remove(name);
            }
        }
    }

    /// The server has no unnamed one any more.
    pub(crate) fn drop_unnamed(&mut self) {
        self.unnamed.committed = None;
    }

    /// The unnamed one as it will be.
    pub(crate) fn unnamed(&self) -> Option<&Rc<T>> {
        self.unnamed.latest()
    }

    /// Forgets every committed named one; pending ones stay. Returns whether there was any.
    pub(crate) fn forget_named(&mut self) -> bool {
        if self.named.is_empty() {
            return false;
        }
        let mut freed = 0;
        self.named.retain(|_, slot| {
            freed += slot.committed.take().map_or(0, |value| value.weight());
            !slot.pending.is_empty()
        });
        self.bytes = self.bytes.saturating_sub(freed);
        true
    }

    /// Forgets every committed one.
    pub(crate) fn forget_all(&mut self) {
        self.unnamed.committed = None;
        self.forget_named();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(usize);

    impl Weight for Item {
        fn weight(&self) -> usize {
            self.0
        }
    }

    fn latest(names: &Names<Item>, name: &[u8]) -> Option<usize> {
        names.latest(name).map(|item| item.0)
    }

    #[test]
    fn a_pending_value_is_seen_at_once_and_a_failed_one_leaves_the_old() {
        let mut names = Names::new();
        let name = keep(b"s");
        names.push(&name, Some(Rc::new(Item(1))));
        assert_eq!(latest(&names, b"s"), Some(1));
        assert!(names.committed(&name).is_none());
        names.commit(&name);
        names.push(&name, Some(Rc::new(Item(2))));
        assert_eq!(latest(&names, b"s"), Some(2));
        names.discard(&name);
        assert_eq!(latest(&names, b"s"), Some(1));
        assert_eq!(names.bytes(), 1);
        names.push(&name, None);
        assert_eq!(latest(&names, b"s"), None);
        names.commit(&name);
        assert_eq!((names.len(), names.bytes()), (0, 0));
    }

    #[test]
    fn names_that_the_server_takes_for_one_are_one() {
        let mut names = Names::new();
        let long = [b'x'; 64];
        names.push(&keep(&long), Some(Rc::new(Item(1))));
        let mut other = [b'x'; 70];
        other[69] = b'y';
        assert_eq!(latest(&names, &other), Some(1));
        assert_eq!(latest(&names, &long[..62]), None);
    }

    #[test]
    fn forgetting_leaves_what_is_pending() {
        let mut names = Names::new();
        names.push(&keep(b"a"), Some(Rc::new(Item(1))));
        names.commit(&keep(b"a"));
        names.push(&keep(b"b"), Some(Rc::new(Item(2))));
        assert!(names.forget_named());
        assert_eq!((latest(&names, b"a"), latest(&names, b"b")), (None, Some(2)));
        assert_eq!(names.bytes(), 2);
    }
}
