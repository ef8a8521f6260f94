//! The verdict on a message of the client.
//!
//! A verdict may have to wait for a human or for the catalogue; then the message is handed over again later
//! and finds the verdict in the session's gate. It must never take a verdict for another message than the
//! one that waited for it.

use std::rc::Rc;

use wire::fault::Fault;
use wire::guard::{Carrier, Denial, Guard, Judged, StatementText, Verdict};

use crate::session::{Gate, Output, Session};
use crate::statements::Prepared;

/// What becomes of the message at hand.
pub(crate) enum Decision<S> {
    Allow(S),
    Deny(Denial),
    Wait,
}

impl<G: Guard> Session<G> {
    /// Whether our own query can run now without changing anything that the client could notice. (It resets
    /// what SHOW WARNINGS and FOUND_ROWS() tell: the guard asks for none ahead of those.)
    fn catalogue_possible(&self) -> bool {
        self.pipeline.is_empty() && self.server.between_messages()
    }

    /// The verdict on the message at hand: the one that it waited for, or the guard's.
    fn decide(
        &mut self,
        guard: &mut G,
        out: &mut Output,
        judge: impl FnOnce(&mut G, bool) -> Judged<G::Statement>,
    ) -> Result<Decision<G::Statement>, Fault> {
        let possible = self.catalogue_possible();
        let judged = match std::mem::replace(&mut self.gate, Gate::Open) {
            Gate::Decided(statement, Ok(())) => return Ok(Decision::Allow(statement)),
            Gate::Decided(_, Err(denial)) => return Ok(Decision::Deny(denial)),
            Gate::Tried => judge(guard, false),
            _ => judge(guard, possible),
        };
        match judged {
            Judged::Ruled { statement, verdict: Verdict::Allow } => Ok(Decision::Allow(statement)),
            Judged::Ruled { verdict: Verdict::Deny(denial), .. } => Ok(Decision::Deny(denial)),
            Judged::Ruled { statement, verdict: Verdict::Hold } => {
                self.gate = Gate::Held(statement);
                Ok(Decision::Wait)
            }
            Judged::CatalogueNeeded if possible => {
                self.start_catalogue(guard, out)?;
                Ok(Decision::Wait)
            }
            Judged::CatalogueNeeded => Ok(Decision::Deny(undecided())),
        }
    }

    /// The verdict on a text, of which `total_bytes` come in all.
    pub(crate) fn decide_text(
        &mut self,
        sql: &[u8],
        total_bytes: usize,
        carrier: Carrier,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Decision<G::Statement>, Fault> {
        self.decide(guard, out, |guard, catalogue_possible| {
            guard.judge(&StatementText { sql, carrier, total_bytes, catalogue_possible })
        })
    }

    /// A prepared statement is about to run: the rules may have changed since it was judged.
    pub(crate) fn decide_again(
        &mut self,
        prepared: &Rc<Prepared<G>>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Decision<G::Statement>, Fault> {
        let current = prepared.statement.borrow().clone();
        let mut changed = true;
        let decision = self.decide(guard, out, |guard, possible| {
            guard.rejudge(&current, possible).unwrap_or_else(|| {
                changed = false;
                Judged::Ruled { statement: current.clone(), verdict: Verdict::Allow }
            })
        })?;
        if let (true, Decision::Allow(statement)) = (changed, &decision) {
            prepared.wants.set(guard.wants_columns(statement));
            prepared.statement.replace(statement.clone());
        }
        Ok(decision)
    }
}

/// The guard could not decide with what it has.
fn undecided() -> Denial {
    Denial {
        sqlstate: *b"42501",
        message: "the statement is refused because its tables could not be looked up at this point".into(),
        hint: Some("Send it after the replies to earlier commands.".into()),
    }
}
