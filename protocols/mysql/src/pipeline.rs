//! The commands that are not answered yet, in order.
//!
//! The server answers in order, and so each reply belongs to the front of this queue or to nobody. A refused
//! command is in it too: its answer is ours, and waits for those before it. It must never grow past
//! [`limits::PIPELINE_DEPTH`], nor hold more than [`limits::SESSION_STATE_BYTES`].

use std::collections::VecDeque;
use std::rc::Rc;

use wire::fault::{Culprit, Fault};
use wire::guard::{Denial, Guard};
use wire::limits;

use crate::limited::Left;
use crate::login::Change;
use crate::packet::FULL;
use crate::reply;
use crate::statements::Prepared;

/// What answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Column definitions to the end.
    Fields,
    /// OK, EOF or ERR.
    Ok,
    /// Binary rows of a cursor.
    Rows,
    /// Results, one or several; rows are binary or text.
    Results {
        /// Whether rows are binary.
        binary: bool,
    },
    /// Packets without end.
    Stream,
    /// One line of text.
    Text,
}

/// A judged command that runs.
pub(crate) struct Run<G: Guard> {
    pub(crate) statement: G::Statement,
    /// [`Guard::wants_columns`] of it.
    pub(crate) wants: bool,
    pub(crate) execution: G::Execution,
    /// Bytes from the client.
    pub(crate) bytes: u64,
    /// Bytes that it holds until it is answered.
    pub(crate) weight: u64,
    pub(crate) reply: Reply,
    /// Whether errors about its text can only be about the text that the client sent.
    pub(crate) own_text: bool,
    /// The statement that it runs, and whether with a cursor.
    pub(crate) prepared: Option<(Rc<Prepared<G>>, bool)>,
    /// Rows that may still pass, where a rule counts them.
    pub(crate) left: Option<Left>,
    /// The client has had its answer; what the server still sends is swallowed.
    pub(crate) silenced: bool,
}

/// What a command without a verdict does when it succeeds.
pub(crate) enum Effect<G: Guard> {
    /// Nothing that concerns us.
    None,
    /// Statements and settings go (COM_RESET_CONNECTION).
    ResetConnection,
    /// Long data and cursor go.
    ResetStatement(Rc<Prepared<G>>),
}

/// Our own answer to a command that the server does not get.
pub(crate) enum Answer {
    /// A refusal of the policy.
    Denial(Box<Denial>),
    /// A fixed error: code, SQLSTATE, text.
    Error(u16, [u8; 5], Box<str>),
}

impl Answer {
    pub(crate) fn write(&self, out: &mut Vec<u8>, seq: &mut u8) {
        match self {
            Self::Denial(denial) => reply::write_denial(out, seq, denial),
            Self::Error(code, sqlstate, text) => reply::write_err(out, seq, *code, sqlstate, text.as_bytes()),
        }
    }
}

/// A command that waits for its answer.
pub(crate) enum Entry<G: Guard> {
    /// Our own query for the catalogue.
    Catalogue,
    /// COM_CHANGE_USER.
    ChangeUser(Box<Change>),
    /// COM_STMT_PREPARE.
    Prepare { prepared: Rc<Prepared<G>>, bytes: u64 },
    /// A command without a verdict.
    Quiet(Reply, Effect<G>),
    /// A command that the server does not get; the sequence id of the answer.
    Refused(Answer, u8),
    /// A judged command.
    Run(Run<G>),
}

impl<G: Guard> Entry<G> {
    /// The sequence id that its reply begins with; `None` where any may be. A server goes on from the last packet of the
    /// command, and may answer one of several packets before it has read them all.
    pub(crate) fn reply_begins(&self) -> Option<u8> {
        let long = |bytes: u64| bytes > FULL as u64;
        match self {
            Self::Run(Run { bytes, .. }) | Self::Prepare { bytes, .. } if long(*bytes) => None,
            _ => Some(1),
        }
    }

    /// Whether its reply is a stream that counts as it likes.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Run(Run { reply: Reply::Stream, .. }))
    }
}

/// The queue.
pub(crate) struct Pipeline<G: Guard> {
    queue: VecDeque<Entry<G>>,
    bytes: u64,
}

/// A queue that was this long gives its memory back when it is empty.
const KEPT_ENTRIES: usize = 64;

impl<G: Guard> Pipeline<G> {
    pub(crate) fn new() -> Self {
        Self { queue: VecDeque::new(), bytes: 0 }
    }

    fn weight(entry: &Entry<G>) -> u64 {
        match entry {
            Entry::Run(run) => run.weight,
            Entry::Refused(Answer::Denial(denial), _) => u64::try_from(denial.message.len()).unwrap_or(u64::MAX),
            _ => 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether a command that holds `weight` bytes fits.
    ///
    /// # Errors
    /// A fault of the client when it does not.
    pub(crate) fn check_room(&self, weight: u64) -> Result<(), Fault> {
        let bytes = self.bytes.saturating_add(weight);
        let limit = u64::try_from(limits::SESSION_STATE_BYTES).unwrap_or(u64::MAX);
        if self.queue.len() >= limits::PIPELINE_DEPTH || bytes > limit {
            let text = "too many commands were sent ahead of their replies";
            return Err(Fault::new(Culprit::Client, b"54000", "pipeline_depth", text));
        }
        Ok(())
    }

    /// Adds a command.
    ///
    /// # Errors
    /// As [`Pipeline::check_room`].
    pub(crate) fn push(&mut self, entry: Entry<G>) -> Result<(), Fault> {
        let weight = Self::weight(&entry);
        self.check_room(weight)?;
        self.bytes = self.bytes.saturating_add(weight);
        self.queue.push_back(entry);
        Ok(())
    }

    pub(crate) fn front(&self) -> Option<&Entry<G>> {
        self.queue.front()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Entry<G>> {
        self.queue.front_mut()
    }

    pub(crate) fn pop(&mut self) -> Option<Entry<G>> {
        let entry = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(Self::weight(&entry));
        if self.queue.is_empty() && self.queue.capacity() > KEPT_ENTRIES {
            self.queue = VecDeque::new();
        }
        Some(entry)
    }
}
