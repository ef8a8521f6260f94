//! Runs whose rows are counted: a rule stops the result after so many.
//!
//! ```text
//!   client          gateway                               server
//!   Execute ──────► Execute (most one row more), Flush ──► rows … PortalSuspended, or an end
//!   (waits)         rows up to the limit pass; one more is swallowed
//!                   a Parse that fails ──────────────────► ErrorResponse
//!   ◄────────────── the refusal in its place; the rest up to Sync is skipped, by the server too
//! ```
//!
//! So the server stops by itself, nothing of the statement is committed, and the session stands where any failed
//! statement leaves it. The client's direction waits until the run has ended: what it sent ahead would not be
//! stopped. A simple query is sent as Parse, Bind, Describe, Execute of the unnamed statement and portal, with
//! Close of both and Sync behind its end, so that they are gone as behind a simple query. COPY has no limit of its
//! own at the server: its further data is swallowed up to its end.
//!
//! It may assume that the text is that of one statement. It must never let a row pass that is not counted.
//!
//! Source: PostgreSQL manual, "Extended Query", "Simple Query" and "COPY Operations" under "Message Flow".

use std::cell::Cell;
use std::rc::Rc;

use wire::guard::{Denial, Guard};

use crate::frame;
use crate::message::client;
use crate::pipeline::Entry;
use crate::refusal;
use crate::session::{Output, Session};

/// The rows of one run.
pub(crate) struct RowLimit {
    /// Rows that may still pass; the portal's, for all its runs.
    left: Rc<Cell<u64>>,
    /// Rows that passed.
    shown: u64,
    /// A row came that may not pass.
    exceeded: bool,
    /// What the client is told; the failing Parse is sent.
    stopped: Option<Box<Denial>>,
    /// COPY's binary format ends with a message of two bytes that is no row.
    trailer: bool,
    /// What brings the server to ReadyForQuery is sent.
    folded: bool,
    /// A ReadyForQuery comes before the one that the client sees.
    hidden_ready: Cell<bool>,
}

impl RowLimit {
    pub(crate) fn new(left: Rc<Cell<u64>>) -> Box<Self> {
        Box::new(Self {
            left,
            shown: 0,
            exceeded: false,
            stopped: None,
            trailer: false,
            folded: false,
            hidden_ready: Cell::default(),
        })
    }

    /// Rows that the server is asked for: one more than may pass shows that there are more. `asked` is what the
    /// client asked for, all where it is not positive.
    pub(crate) fn most(left: u64, asked: i32) -> i32 {
        let most = i32::try_from(left.saturating_add(1)).unwrap_or(i32::MAX);
        if asked <= 0 { most } else { asked.min(most) }
    }

    /// Takes a row of a result, or a message of COPY data with a body of so many bytes. Whether it may pass.
    pub(crate) fn take(&mut self, body: usize) -> bool {
        match self.left.get().checked_sub(1) {
            Some(left) if !self.exceeded => {
                self.left.set(left);
                self.shown += 1;
                true
            }
            _ if self.trailer && body == 2 && !self.exceeded => {
                self.trailer = false;
                true
            }
            _ => {
                self.exceeded = true;
                false
            }
        }
    }

    /// Whether a row came that may not pass.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// Rows that passed.
    pub(crate) fn shown(&self) -> u64 {
        self.shown
    }

    /// COPY data in its binary format comes.
    pub(crate) fn expect_trailer(&mut self) {
        self.trailer = true;
    }

    /// What stands in place of the next error, which is that of the failing Parse.
    pub(crate) fn stopped(&self) -> Option<&Denial> {
        self.stopped.as_deref()
    }

    /// Whether a ReadyForQuery is not the client's.
    pub(crate) fn hides_ready(&self) -> bool {
        self.hidden_ready.take()
    }
}

fn close(out: &mut Vec<u8>) {
    for target in [b'S', b'P'] {
        frame::write(out, client::CLOSE, |out| out.extend_from_slice(&[target, 0]));
    }
}

fn bare(out: &mut Vec<u8>, kind: u8) {
    frame::write(out, kind, |_| {});
}

/// Appends an Execute of a portal with a limit, and has its replies sent.
pub(crate) fn execute(out: &mut Vec<u8>, portal: &[u8], rows: i32) {
    frame::write(out, client::EXECUTE, |out| {
        out.extend_from_slice(portal);
        out.push(0);
        out.extend_from_slice(&rows.to_be_bytes());
    });
    bare(out, client::FLUSH);
}

/// Appends what runs the text of a simple query with a limit.
pub(crate) fn query(out: &mut Vec<u8>, text: &[u8], rows: i32) {
    frame::write(out, client::PARSE, |out| {
        out.push(0);
        out.extend_from_slice(text);
        out.extend_from_slice(&[0, 0, 0]);
    });
    // No formats, no parameters, no result formats: all is text.
    frame::write(out, client::BIND, |out| out.extend_from_slice(&[0; 8]));
    frame::write(out, client::DESCRIBE, |out| out.extend_from_slice(b"P\0"));
    execute(out, b"", rows);
}

impl<G: Guard> Session<G> {
    /// The count of the run at the front.
    pub(crate) fn front_limit(&mut self) -> Option<&mut RowLimit> {
        match self.pipeline.front_mut() {
            Some(Entry::Query { limit, .. } | Entry::Execute { limit, .. }) => limit.as_deref_mut(),
            _ => None,
        }
    }

    /// Whether the front is a simple query that runs by extended messages.
    pub(crate) fn front_is_unfolded(&self) -> bool {
        matches!(self.pipeline.front(), Some(Entry::Query { limit: Some(_), .. }))
    }

    /// Ends a run that would show too much: the server is made to fail.
    pub(crate) fn stop(&mut self, guard: &mut G, out: &mut Output) {
        let Some(statement) = self.running() else { return };
        let denial = guard.too_many_rows(&statement);
        let query = self.front_is_unfolded();
        if let Some(limit) = self.front_limit() {
            limit.stopped = Some(Box::new(denial));
        }
        out.to_server.write_owned(|owned| refusal::failing_parse(owned, query));
    }

    /// The last statement of an unfolded simple query ended: the server is brought to ReadyForQuery, without the
    /// unnamed statement and portal.
    pub(crate) fn fold(&mut self, failed: bool, out: &mut Output) {
        // An error behind it is that of the commit at Sync: ReadyForQuery comes by itself.
        let Some(limit) = self.front_limit().filter(|limit| !limit.folded) else { return };
        limit.folded = true;
        limit.hidden_ready.set(failed);
        out.to_server.write_owned(|owned| {
            // Behind an error everything up to Sync is skipped.
            if failed {
                bare(owned, client::SYNC);
            }
            close(owned);
            bare(owned, client::SYNC);
        });
    }
}
