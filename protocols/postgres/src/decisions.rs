//! The verdict on a message of the client, and what a refusal sends in its place.
//!
//! A verdict may have to wait for a human or for the catalogue; then the message is handed over again later
//! and finds the verdict in the session's gate. It may assume that the message is read; it must never take
//! a verdict for another message than the one that waited for it.

use std::rc::Rc;

use wire::fault::Fault;
use wire::guard::{Carrier, Denial, Guard, Judged, StatementText, Verdict};

use crate::backend::TransactionStatus;
use crate::frontend;
use crate::pipeline::{Drops, Entry};
use crate::refusal;
use crate::session::{CatalogueLoad, Gate, Output, Session};
use crate::statements::{self, Prepared};

/// What becomes of the message at hand.
pub(crate) enum Decision<S> {
    Allow(S),
    Deny(Denial),
    Wait,
}

impl<G: Guard> Session<G> {
    /// Whether our own query can run now without changing anything that the client could notice.
    pub(crate) fn catalogue_possible(&self) -> bool {
        self.pipeline.is_empty()
            && !self.run_open
            && !self.uncertain
            && self.server.between_frames()
            && self.transaction != TransactionStatus::Failed
    }

    /// The verdict on the message at hand: the one that it waited for, or the guard's.
    pub(crate) fn decide(
        &mut self,
        guard: &mut G,
        out: &mut Output,
        possible: bool,
        judge: impl FnOnce(&mut G, bool) -> Judged<G::Statement>,
    ) -> Result<Decision<G::Statement>, Fault> {
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
                self.enqueue(Entry::Catalogue)?;
                let query = guard.catalogue_query();
                out.to_server.write_owned(|owned| frontend::query(owned, query.as_bytes()));
                self.gate = Gate::Loading(CatalogueLoad::default());
                Ok(Decision::Wait)
            }
            Judged::CatalogueNeeded => Ok(Decision::Deny(refusal::undecided())),
        }
    }

    /// A prepared statement is about to run: the rules may have changed since it was judged.
    pub(crate) fn decide_again(
        &mut self,
        prepared: &Rc<Prepared<G>>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Decision<G::Statement>, Fault> {
        let possible =
            self.catalogue_possible() && self.portals.unnamed().is_none() && self.statements.unnamed().is_none();
        let current = prepared.statement.borrow().clone();
        let mut changed = true;
        let decision = self.decide(guard, out, possible, |guard, possible| {
            guard.rejudge(&current, possible).unwrap_or_else(|| {
                changed = false;
                Judged::Ruled { statement: current.clone(), verdict: Verdict::Allow }
            })
        })?;
        if let (true, Decision::Allow(statement)) = (changed, &decision) {
            prepared.wants.set(guard.wants_columns(statement));
            prepared.statement.replace(statement.clone());
            prepared.layout.replace(None);
        }
        Ok(decision)
    }

    /// A name that no message of this session made: SQL text may have (PREPARE, DECLARE CURSOR), and so it is
    /// judged as the SQL text that would use it.
    pub(crate) fn decide_unknown(
        &mut self,
        verb: &str,
        name: &[u8],
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Decision<G::Statement>, Fault> {
        let mut sql = format!("{verb} \"").into_bytes();
        for byte in statements::significant(name) {
            sql.push(*byte);
            if *byte == b'"' {
                sql.push(b'"');
            }
        }
        sql.push(b'"');
        let possible =
            self.catalogue_possible() && self.portals.unnamed().is_none() && self.statements.unnamed().is_none();
        self.decide(guard, out, possible, |guard, catalogue_possible| {
            let (carrier, total_bytes) = (Carrier::Prepare, sql.len());
            guard.judge(&StatementText { sql: &sql, carrier, total_bytes, catalogue_possible })
        })
    }

    /// A simple query drops the unnamed statement and portal ("Simple Query", last paragraphs).
    pub(crate) fn drop_unnamed(&mut self) -> Drops {
        let drops = Drops { statement: self.statements.unnamed().is_some(), portal: self.portals.unnamed().is_some() };
        if drops.statement {
            self.statements.push(&None, None);
        }
        if drops.portal {
            self.portals.push(&None, None);
        }
        drops
    }

    pub(crate) fn refuse_query(&mut self, denial: Denial, out: &mut Output) -> Result<(), Fault> {
        let drops = self.drop_unnamed();
        self.run_open = false;
        out.to_server.write_owned(refusal::failing_query);
        self.enqueue(Entry::RefusedQuery { denial: Box::new(denial), drops })
    }

    /// Refuses an extended message. What follows up to Sync will not be looked at by the server, whether
    /// it comes to the failing Parse or fails before it, and so it is not sent.
    pub(crate) fn refuse_extended(&mut self, denial: Denial, unnamed: bool, out: &mut Output) -> Result<(), Fault> {
        let drops_unnamed = unnamed && self.statements.unnamed().is_some();
        if drops_unnamed {
            self.statements.push(&None, None);
        }
        self.run_open = true;
        out.to_server.write_owned(|owned| refusal::failing_parse(owned, unnamed));
        self.enqueue(Entry::RefusedParse { denial: Box::new(denial), drops_unnamed })?;
        self.skipping = true;
        Ok(())
    }
}
