//! Prepared statements of one session, by the ids that the server gave them.
//!
//! A client need not wait for the id: MariaDB's −1 stands for the statement prepared last, and PREPARE and
//! EXECUTE can go in one. An id that no COM_STMT_PREPARE of this session has made is never passed on: servers
//! keep statements of SQL's own PREPARE in the same table.
//!
//! Source: MySQL documentation, "Prepared Statements"; MariaDB Knowledge Base, "COM_STMT_EXECUTE".

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use wire::guard::Guard;
use wire::limits;

use crate::limited::Left;
use crate::parameters::{Long, Types};
use crate::rows::Rows;

/// MariaDB's id of the statement prepared last.
pub(crate) const LAST: u32 = u32::MAX;

/// What a statement costs beside its text: nodes, counters, a judged statement.
const ENTRY_BYTES: usize = 512;

/// What happens to the rows of a result.
pub(crate) enum Planned<P> {
    /// They pass.
    Forward,
    /// They are masked.
    Mask(Rc<Rows<P>>),
}

impl<P> Clone for Planned<P> {
    fn clone(&self) -> Self {
        match self {
            Self::Forward => Self::Forward,
            Self::Mask(rows) => Self::Mask(Rc::clone(rows)),
        }
    }
}

/// A cursor whose rows come by COM_STMT_FETCH.
pub(crate) struct OpenCursor<P> {
    /// What happens to them.
    pub(crate) planned: Planned<P>,
    /// How many may still pass, where a rule counts them.
    pub(crate) left: Option<Left>,
}

/// A prepared statement.
pub(crate) struct Prepared<G: Guard> {
    pub(crate) statement: RefCell<G::Statement>,
    /// [`Guard::wants_columns`] of it.
    pub(crate) wants: Cell<bool>,
    /// Whether errors about its text can only be about the text that the client sent.
    pub(crate) own_text: bool,
    /// The server's id, once it has answered.
    pub(crate) id: Cell<Option<u32>>,
    /// Parameters, once the server has answered.
    pub(crate) parameters: Cell<Option<u16>>,
    pub(crate) types: RefCell<Option<Types>>,
    /// Parameters that came ahead of the next execution.
    pub(crate) long: RefCell<BTreeMap<u16, Long>>,
    /// The cursor that is open.
    pub(crate) cursor: RefCell<Option<OpenCursor<G::Plan>>>,
    text_bytes: usize,
}

impl<G: Guard> Prepared<G> {
    pub(crate) fn new(statement: G::Statement, wants: bool, own_text: bool, text_bytes: usize) -> Self {
        Self {
            statement: RefCell::new(statement),
            wants: Cell::new(wants),
            own_text,
            id: Cell::new(None),
            parameters: Cell::new(None),
            types: RefCell::default(),
            long: RefCell::default(),
            cursor: RefCell::new(None),
            text_bytes: text_bytes.min(limits::AUDIT_STATEMENT_BYTES),
        }
    }

    /// Bytes that count against the session's limit while it is open.
    pub(crate) fn weight(&self) -> usize {
        self.text_bytes + ENTRY_BYTES
    }

    /// Long data and cursor go (COM_STMT_RESET).
    pub(crate) fn reset(&self) {
        self.long.borrow_mut().clear();
        self.cursor.replace(None);
    }

    /// A piece of a parameter of `bytes` bytes, whose beginning is `start`.
    pub(crate) fn append_long(&self, index: u16, start: &[u8], bytes: usize) {
        let mut long = self.long.borrow_mut();
        if let Some(long) = long.get_mut(&index) {
            long.append(start, bytes);
        } else if usize::from(index) < limits::AUDIT_PARAMETERS {
            // Those behind are never shown, and must not take the place of those that are.
            long.insert(index, Long::new(start, bytes));
        }
    }
}

/// What −1 stands for.
pub(crate) enum Last<G: Guard> {
    /// Nothing: none was prepared, or preparing it failed, was refused, or it was closed.
    None,
    /// The statement prepared last, whether the server has answered or not.
    Some(Rc<Prepared<G>>),
}

/// All statements of a session.
pub(crate) struct Statements<G: Guard> {
    by_id: BTreeMap<u32, Rc<Prepared<G>>>,
    pub(crate) last: Last<G>,
    /// Statements whose ids have not come.
    pending: usize,
    bytes: usize,
}

impl<G: Guard> Statements<G> {
    pub(crate) fn new() -> Self {
        Self { by_id: BTreeMap::new(), last: Last::None, pending: 0, bytes: 0 }
    }

    /// Bytes that open statements hold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether another one may be prepared.
    pub(crate) fn has_room(&self, text_bytes: usize) -> bool {
        let text = text_bytes.min(limits::AUDIT_STATEMENT_BYTES);
        self.by_id.len() + self.pending < limits::NAMES_PER_SESSION
            && self.bytes + text + ENTRY_BYTES <= limits::SESSION_STATE_BYTES
    }

    pub(crate) fn find(&self, id: u32) -> Option<&Rc<Prepared<G>>> {
        match (&self.last, id) {
            (Last::Some(prepared), LAST) => Some(prepared),
            (Last::None, LAST) => None,
            _ => self.by_id.get(&id),
        }
    }

    /// A statement was sent to be prepared.
    pub(crate) fn sent(&mut self, prepared: &Rc<Prepared<G>>) {
        self.last = Last::Some(Rc::clone(prepared));
        self.pending += 1;
        self.bytes += prepared.weight();
    }

    /// The server gave it an id.
    pub(crate) fn prepared(&mut self, prepared: &Rc<Prepared<G>>, id: u32, parameters: u16) {
        self.pending = self.pending.saturating_sub(1);
        prepared.id.set(Some(id));
        prepared.parameters.set(Some(parameters));
        if let Some(old) = self.by_id.insert(id, Rc::clone(prepared)) {
            self.bytes = self.bytes.saturating_sub(old.weight());
        }
    }

    /// The server did not prepare it.
    pub(crate) fn failed(&mut self, prepared: &Rc<Prepared<G>>) {
        self.pending = self.pending.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(prepared.weight());
        self.forget_last(prepared);
    }

    /// The client closed it.
    pub(crate) fn close(&mut self, id: u32) {
        let Some(prepared) = self.find(id).map(Rc::clone) else { return };
        self.forget_last(&prepared);
        if let Some(id) = prepared.id.get()
            && self.by_id.remove(&id).is_some()
        {
            self.bytes = self.bytes.saturating_sub(prepared.weight());
        }
    }

    fn forget_last(&mut self, prepared: &Rc<Prepared<G>>) {
        if matches!(&self.last, Last::Some(last) if Rc::ptr_eq(last, prepared)) {
            self.last = Last::None;
        }
    }

    /// The server has forgotten all of them.
    pub(crate) fn clear(&mut self) {
        let freed: usize = self.by_id.values().map(|prepared| prepared.weight()).sum();
        self.by_id.clear();
        self.bytes = self.bytes.saturating_sub(freed);
        self.last = Last::None;
    }
}
