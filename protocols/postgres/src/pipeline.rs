//! The requests that the server has not answered yet, in order.
//!
//! The server answers in order, and so each reply belongs to the front of this queue or to nobody. After
//! an error in the extended protocol it skips everything up to Sync (PostgreSQL manual, "Extended Query"),
//! and so does the queue. It must never grow past [`limits::PIPELINE_DEPTH`], nor hold more than
//! [`limits::SESSION_STATE_BYTES`].
//!
//! While a server reads COPY data it ignores Sync and Flush. Whether it had read a Sync before it left that
//! state by an error cannot be known, so such a Sync is first [`SyncKind::MaybeIgnored`], then
//! [`SyncKind::Optional`]: its ReadyForQuery may come or not.

use std::collections::VecDeque;
use std::rc::Rc;

use wire::fault::{Culprit, Fault};
use wire::guard::{Denial, Guard};
use wire::limits;

use crate::limited::RowLimit;
use crate::statements::{Name, Portal, Prepared};

/// Whether a Sync will be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncKind {
    /// ReadyForQuery comes.
    Certain,
    /// Sent while the server may be reading COPY data.
    MaybeIgnored,
    /// ReadyForQuery may come or not.
    Optional,
}

/// What a message that runs SQL text at once does to unnamed entries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drops {
    /// A pending removal of the unnamed statement was noted.
    pub(crate) statement: bool,
    /// A pending removal of the unnamed portal was noted.
    pub(crate) portal: bool,
}

/// A request that waits for its reply. `disturbance` is the session's counter when it was resolved.
pub(crate) enum Entry<G: Guard> {
    /// Parse.
    Parse { prepared: Rc<Prepared<G>>, registered: bool, bytes: u64 },
    /// Bind.
    Bind { portal: Rc<Portal<G>>, disturbance: u64 },
    /// Describe of a statement.
    DescribeStatement { prepared: Option<Rc<Prepared<G>>>, disturbance: u64 },
    /// Describe of a portal; the reply to an injected one is swallowed.
    DescribePortal { portal: Option<Rc<Portal<G>>>, injected: bool, disturbance: u64 },
    /// Execute.
    Execute {
        portal: Rc<Portal<G>>,
        execution: G::Execution,
        bytes: u64,
        /// Bytes of the parameters that this run has a copy of.
        held: usize,
        disturbance: u64,
        limit: Option<Box<RowLimit>>,
    },
    /// Close of a statement.
    CloseStatement { name: Name, registered: bool },
    /// Close of a portal.
    ClosePortal { name: Name, registered: bool },
    /// Query.
    Query {
        statement: G::Statement,
        wants: bool,
        execution: G::Execution,
        bytes: u64,
        drops: Drops,
        limit: Option<Box<RowLimit>>,
    },
    /// FunctionCall.
    FunctionCall { statement: G::Statement, execution: G::Execution, bytes: u64 },
    /// The failing Query that stands for a refused Query or FunctionCall.
    RefusedQuery { denial: Box<Denial>, drops: Drops },
    /// The failing Parse that stands for a refused extended message; whether it drops the unnamed statement.
    RefusedParse { denial: Box<Denial>, drops_unnamed: bool },
    /// A Bind or Execute of an unnamed entry that does not exist: it must fail.
    Doomed,
    /// Sync.
    Sync(SyncKind),
    /// CopyDone or CopyFail: the end of what the client sends for the COPY before it.
    CopyEnd,
    /// Our own query for the catalogue.
    Catalogue,
}

/// The client sent more ahead than may wait.
pub(crate) fn too_deep() -> Fault {
    let text = "too many messages were sent ahead of their replies";
    Fault::new(Culprit::Client, b"54000", "pipeline_depth", text)
}

/// The queue.
pub(crate) struct Pipeline<G: Guard> {
    queue: VecDeque<Entry<G>>,
    /// Requests in it that run statements.
    runs: usize,
    /// Requests in it whose rows are counted: at most one, since the client waits for its end.
    limited: usize,
    /// Bytes that they hold: texts and parameters kept for the audit.
    bytes: usize,
}

/// A queue that was this long gives its memory back when it is empty.
const KEPT_ENTRIES: usize = 64;

impl<G: Guard> Pipeline<G> {
    pub(crate) fn new() -> Self {
        Self { queue: VecDeque::new(), runs: 0, limited: 0, bytes: 0 }
    }

    /// What a request counts for: bytes that it holds until it is answered, roughly; whether it runs a statement;
    /// whether its rows are counted.
    fn share(entry: &Entry<G>) -> (usize, bool, bool) {
        let text = |bytes: &u64| usize::try_from(*bytes).unwrap_or(usize::MAX).min(limits::AUDIT_STATEMENT_BYTES);
        match entry {
            Entry::Query { bytes, limit, .. } => (text(bytes), true, limit.is_some()),
            Entry::Execute { bytes, held, limit, .. } => (text(bytes) + held, true, limit.is_some()),
            Entry::FunctionCall { .. } => (0, true, false),
            Entry::Parse { bytes, .. } => (text(bytes), false, false),
            Entry::Bind { portal, .. } => (portal.weight, false, false),
            Entry::RefusedQuery { denial, .. } | Entry::RefusedParse { denial, .. } => {
                (denial.message.len(), false, false)
            }
            _ => (0, false, false),
        }
    }

    /// Requests that run statements and are not answered.
    pub(crate) fn outstanding_runs(&self) -> usize {
        self.runs
    }

    /// Whether a request is on its way whose rows are counted.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited > 0
    }

    /// Requests not answered.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether everything left in it may never be answered.
    pub(crate) fn is_settled(&self) -> bool {
        self.queue.iter().all(|entry| matches!(entry, Entry::Sync(SyncKind::Optional) | Entry::CopyEnd))
    }

    /// Adds a request; `false` when the queue is full.
    #[must_use]
    pub(crate) fn push(&mut self, entry: Entry<G>) -> bool {
        let (weight, runs, limited) = Self::share(&entry);
        let bytes = self.bytes + weight;
        if self.queue.len() >= limits::PIPELINE_DEPTH || bytes > limits::SESSION_STATE_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.runs += usize::from(runs);
        self.limited += usize::from(limited);
        self.queue.push_back(entry);
        true
    }

    /// Whether two more requests of any kind fit.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() + 2 <= limits::PIPELINE_DEPTH
            && self.bytes + 2 * limits::AUDIT_STATEMENT_BYTES <= limits::SESSION_STATE_BYTES
    }

    pub(crate) fn front(&self) -> Option<&Entry<G>> {
        self.queue.front()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Entry<G>> {
        self.queue.front_mut()
    }

    pub(crate) fn pop(&mut self) -> Option<Entry<G>> {
        let entry = self.queue.pop_front()?;
        let (weight, runs, limited) = Self::share(&entry);
        self.runs -= usize::from(runs);
        self.limited -= usize::from(limited);
        self.bytes -= weight;
        if self.queue.is_empty() && self.queue.capacity() > KEPT_ENTRIES {
            self.queue = VecDeque::new();
        }
        Some(entry)
    }

    /// Drops ends of COPY that no COPY at the front waits for.
    pub(crate) fn drop_copy_ends(&mut self) {
        while matches!(self.queue.front(), Some(Entry::CopyEnd)) {
            self.pop();
        }
    }

    /// Drops Syncs at the front that may not be answered, for a reply that cannot be theirs.
    pub(crate) fn drop_optional(&mut self) {
        while matches!(self.queue.front(), Some(Entry::Sync(SyncKind::Optional) | Entry::CopyEnd)) {
            self.pop();
        }
    }

    /// For an error: it may be a Sync's (a commit that failed), unless a request comes after it.
    pub(crate) fn drop_optional_before_request(&mut self) {
        self.drop_copy_ends();
        let more = |entry: &Entry<G>| !matches!(entry, Entry::Sync(SyncKind::Optional) | Entry::CopyEnd);
        if matches!(self.queue.front(), Some(Entry::Sync(SyncKind::Optional))) && self.queue.iter().any(more) {
            self.drop_optional();
        }
    }

    /// ReadyForQuery answered an optional Sync or a later one: the next one may not be answered then.
    pub(crate) fn ready_for_optional(&mut self) {
        self.pop();
        self.drop_copy_ends();
        if let Some(Entry::Sync(kind @ SyncKind::Certain)) = self.queue.front_mut() {
            *kind = SyncKind::Optional;
        }
    }

    /// The front started to read COPY data. Syncs behind it are ignored up to the end of that data.
    /// Whether that end is in the queue already; `None` when a message lies before it that has no place
    /// in COPY data.
    pub(crate) fn copy_in_started(&mut self) -> Option<bool> {
        for entry in self.queue.iter_mut().skip(1) {
            match entry {
                Entry::Sync(kind) => *kind = SyncKind::MaybeIgnored,
                Entry::CopyEnd => return Some(true),
                _ => return None,
            }
        }
        Some(false)
    }

    /// The front has read its COPY data to the end: ignored Syncs and the end itself leave the queue.
    /// `false` when the client has sent no end.
    pub(crate) fn copy_in_ended(&mut self) -> bool {
        while let Some(Entry::Sync(SyncKind::MaybeIgnored)) = self.queue.get(1) {
            self.queue.remove(1);
        }
        let ended = matches!(self.queue.get(1), Some(Entry::CopyEnd));
        if ended {
            self.queue.remove(1);
        }
        ended
    }

    /// The front failed while it read COPY data: the Syncs behind it may have been ignored or not.
    pub(crate) fn copy_in_failed(&mut self) {
        for entry in &mut self.queue {
            if let Entry::Sync(kind @ SyncKind::MaybeIgnored) = entry {
                *kind = SyncKind::Optional;
            }
        }
    }

    /// Whether a Sync that is certainly answered is the first request after optional ones: `Some(true)`
    /// yes, `Some(false)` none is there yet, `None` another request comes before it.
    pub(crate) fn certain_sync_next(&self) -> Option<bool> {
        for entry in &self.queue {
            match entry {
                Entry::Sync(SyncKind::Certain) => return Some(true),
                Entry::Sync(_) | Entry::CopyEnd => {}
                _ => return None,
            }
        }
        Some(false)
    }
}
