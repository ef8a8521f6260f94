//! Errors of the server: what of them the client sees, and what they do to the pipeline.
//!
//! An error ends the command at the front, all its results too, and nothing else. MariaDB's reports of
//! progress look like errors and are none. It must never let an error through unscrubbed when the guard says
//! scrub.
//!
//! Source: MySQL documentation, "ERR_Packet"; MariaDB Knowledge Base, "ERR_Packet" for progress.

use wire::fault::Fault;
use wire::guard::{ErrorTreatment, Guard, Outcome};
use wire::parameters::Parameters;

use crate::constant::error;
use crate::pipeline::Entry;
use crate::reply::ErrPacket;
use crate::scrub;
use crate::server::{Message, malformed_by_server};
use crate::session::{Gate, Output, Session};

/// Errors after which the server closes the connection: shutdown, KILL, timeouts.
const LAST_WORDS: [u16; 9] = [1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031];

impl<G: Guard> Session<G> {
    /// ERR.
    pub(crate) fn error(&mut self, message: Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let err = ErrPacket::parse(message.payload).map_err(|_| malformed_by_server("ERR packet"))?;
        if err.code == error::PROGRESS {
            self.pass(&message, out);
            return Ok(());
        }
        let (code, sqlstate) = (err.code, err.sqlstate);
        let idle = self.pipeline.is_empty();
        self.said_goodbye |= idle || LAST_WORDS.contains(&code);
        if self.client.sends_file {
            return Err(Fault::server("unexpected_server_message", "the server failed before the end of a local file"));
        }
        let (statement, own_text) = self.running();
        let passes = match guard.error_treatment(statement.as_ref(), sqlstate) {
            ErrorTreatment::Pass => true,
            ErrorTreatment::PassUnlessCode | ErrorTreatment::Scrub => false,
            ErrorTreatment::PassAboutText => own_text && scrub::is_about_text(code),
        };
        if passes {
            self.pass(&message, out);
        } else {
            self.replace(message.seq, out, |owned| scrub::scrubbed(code, sqlstate, owned));
        }
        let outcome = Outcome { sqlstate: Some(sqlstate), error_code: Some(code), ..Outcome::default() };
        self.fail(&outcome, guard);
        Ok(())
    }

    /// The statement that the server is at, and whether errors about its text are about what the client sent.
    fn running(&self) -> (Option<G::Statement>, bool) {
        match self.pipeline.front() {
            Some(Entry::Run(run)) => (Some(run.statement.clone()), run.own_text && self.server.part == 0),
            Some(Entry::Prepare { prepared, .. }) => (Some(prepared.statement.borrow().clone()), prepared.own_text),
            _ => (None, false),
        }
    }

    /// What an error does to the command at the front.
    fn fail(&mut self, outcome: &Outcome<'_>, guard: &mut G) {
        // A SET that failed may have set some of what it names: that is asked for.
        if matches!(self.gate, Gate::Resetting) && !matches!(self.pipeline.front(), Some(Entry::Run(_))) {
            self.gate = Gate::Open;
        }
        match self.pipeline.front() {
            None => return,
            Some(Entry::Prepare { prepared, bytes }) => {
                let (prepared, bytes_from_client) = (std::rc::Rc::clone(prepared), *bytes);
                self.statements.failed(&prepared);
                let mut execution = guard.begin(&prepared.statement.borrow(), Parameters::new());
                let bytes_to_client = self.server.bytes;
                guard.completed(&mut execution, &Outcome { bytes_from_client, bytes_to_client, ..*outcome });
            }
            Some(_) => self.report(outcome, guard),
        }
        self.done(guard);
    }
}
