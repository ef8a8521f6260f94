//! Runs whose rows are counted: a rule stops the result after so many.
//!
//! ```text
//!   client ── COM_QUERY, COM_STMT_EXECUTE … ──► server
//!   client ◄── rows up to the limit ──────────── server
//!   client ◄── the refusal, in place of the next row: an ERR ends the command
//!              the rest of the command's reply is swallowed, further results too
//! ```
//!
//! In MySQL an error fails no transaction and skips no command: so nothing waits for a counted run, and the session
//! stands where any failed statement leaves it. But the server does not hear of the refusal: it sends the
//! rest of the rows, behind which the next reply waits, and what a statement with RETURNING has written stays. The one
//! way to stop a server is KILL QUERY over a connection of its own, which in passthrough nobody could log in.
//!
//! What one execution shows counts together: all results of a procedure, all that is fetched of a cursor.
//!
//! It must never let a row pass that is not counted.

use std::cell::Cell;
use std::rc::Rc;

use wire::guard::{Guard, Outcome};

use crate::pipeline::{Answer, Entry, Run};
use crate::reply;
use crate::session::{Output, Session};
use crate::statements::Planned;

/// Rows that may still pass, of one execution and all fetches of its cursor.
pub(crate) type Left = Rc<Cell<u64>>;

impl<G: Guard> Session<G> {
    fn left(&self) -> Option<&Left> {
        match self.pipeline.front() {
            Some(Entry::Run(Run { left: Some(left), silenced: false, .. })) => Some(left),
            _ => None,
        }
    }

    /// Rows of the result at hand that may pass now.
    pub(crate) fn room(&self) -> u64 {
        self.left().map_or(u64::MAX, |left| left.get())
    }

    /// Rows of the result at hand pass.
    pub(crate) fn count_rows(&mut self, rows: u64) {
        self.server.rows += rows;
        if let Some(left) = self.left() {
            left.set(left.get().saturating_sub(rows));
        }
    }

    /// Ends a run that would show too much: the client has its answer, and the rest of the reply goes nowhere.
    pub(crate) fn stop(&mut self, guard: &mut G, out: &mut Output) {
        let Some(Entry::Run(run)) = self.pipeline.front() else { return };
        let denial = guard.too_many_rows(&run.statement);
        let (code, sqlstate) = reply::denial_code(&denial);
        let mut seq = self.server.next_seq;
        out.to_client.write_owned(|owned| Answer::Denial(Box::new(denial)).write(owned, &mut seq));
        let rows = self.server.rows;
        self.report(&Outcome { rows, sqlstate: Some(sqlstate), error_code: Some(code), ..Outcome::default() }, guard);
        if let Some(Entry::Run(run)) = self.pipeline.front_mut() {
            run.silenced = true;
            // Nobody sees its rows.
            run.wants = false;
        }
        self.server.planned = Planned::Forward;
    }
}
