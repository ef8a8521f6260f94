//! Errors and notices of the server: what of them the client sees, and what they do to the pipeline.
//!
//! An error to an extended message makes the server discard everything up to Sync; an error to a simple
//! query or a function call is followed by ReadyForQuery; an error at Sync (a commit that fails) too; a
//! FATAL one ends the connection. The error that the failing stand-in of a refused message provokes is
//! replaced by the refusal.
//!
//! It may assume a whole report, or the first [`wire::limits::ERROR_BYTES`] of a longer one. It must never
//! let a report through unscrubbed when the guard says scrub.
//!
//! Source: PostgreSQL manual, "Extended Query" and "Asynchronous Operations" under "Message Flow".

use wire::cursor::Cursor;
use wire::fault::Fault;
use wire::guard::{ErrorTreatment, Guard, Outcome};
use wire::parameters::Parameters;

use crate::backend;
use crate::frame::Frame;
use crate::message::server;
use crate::pipeline::Entry;
use crate::refusal::{self, malformed_by_server};
use crate::scrub::{self, Report};
use crate::server::{self as direction, Phase, out_of_turn};
use crate::session::{Output, Session};

impl<G: Guard> Session<G> {
    /// NoticeResponse: may come at any time and changes nothing.
    pub(crate) fn notice(&mut self, frame: Frame<'_>, left: usize, guard: &mut G, out: &mut Output) {
        let report = scrub::report(frame.body());
        self.show(&frame, left, report, guard, out);
    }

    /// ErrorResponse.
    pub(crate) fn error(
        &mut self,
        frame: Frame<'_>,
        left: usize,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let mut report = scrub::report(frame.body());
        if self.catalogue_loading() && !report.fatal {
            self.catalogue_failed();
            self.server.body = direction::swallow(left);
            return Ok(());
        }
        self.said_goodbye |= report.fatal;
        self.pipeline.drop_optional_before_request();
        self.server.count(frame.bytes.len() + left);
        if let Some(denial) = self.front_limit().and_then(|limit| limit.stopped().cloned()).filter(|_| !report.fatal) {
            report.sqlstate = denial.sqlstate;
            out.to_client.write_owned(|owned| refusal::error(owned, &denial));
            self.server.body = direction::swallow(left);
            return self.fail(report, guard, out);
        }
        match self.pipeline.front() {
            Some(Entry::RefusedQuery { denial, .. } | Entry::RefusedParse { denial, .. }) if !report.fatal => {
                out.to_client.write_owned(|owned| refusal::error(owned, denial));
                self.server.body = direction::swallow(left);
            }
            _ => self.show(&frame, left, report, guard, out),
        }
        self.fail(report, guard, out)
    }

    /// Passes a report on, whole or scrubbed.
    fn show(&mut self, frame: &Frame<'_>, left: usize, report: Report, guard: &mut G, out: &mut Output) {
        let statement = self.running();
        match guard.error_treatment(statement.as_ref(), report.sqlstate) {
            ErrorTreatment::Pass => self.show_whole(frame, left, out),
            ErrorTreatment::PassAboutText if left == 0 && scrub::is_about_text(frame.body()) => {
                self.show_whole(frame, left, out);
            }
            ErrorTreatment::PassUnlessCode if left == 0 && !scrub::is_from_code(frame.body()) => {
                self.show_whole(frame, left, out);
            }
            ErrorTreatment::Scrub | ErrorTreatment::PassAboutText | ErrorTreatment::PassUnlessCode => {
                out.to_client.write_owned(|owned| scrub::scrubbed(owned, frame.kind(), frame.body(), left == 0));
                self.server.body = direction::swallow(left);
            }
        }
    }

    fn show_whole(&mut self, frame: &Frame<'_>, left: usize, out: &mut Output) {
        frame.pass(&mut out.to_client);
        self.server.body = direction::pass_rest(left);
    }

    /// NotificationResponse: may come at any time and changes nothing. Any session can put anything into its
    /// payload.
    pub(crate) fn notification(&mut self, frame: &Frame<'_>, guard: &G, out: &mut Output) -> Result<(), Fault> {
        let mut cursor = Cursor::new(frame.body());
        let read = (cursor.u32("process"), cursor.cstr("channel"), cursor.cstr("payload"), cursor.is_empty());
        let (Ok(process), Ok(channel), Ok(payload), true) = read else {
            return Err(malformed_by_server("NotificationResponse"));
        };
        if guard.shows_notifications() || payload.is_empty() {
            frame.pass(&mut out.to_client);
        } else {
            out.to_client.write_owned(|owned| backend::notification_response(owned, process, channel, b""));
        }
        Ok(())
    }

    /// The statement that the server is at.
    pub(crate) fn running(&self) -> Option<G::Statement> {
        match self.pipeline.front() {
            Some(Entry::Query { statement, .. } | Entry::FunctionCall { statement, .. }) => Some(statement.clone()),
            Some(Entry::Execute { portal, .. } | Entry::Bind { portal, .. }) => Some(portal.statement.clone()),
            Some(Entry::Parse { prepared, .. }) => Some(prepared.statement.borrow().clone()),
            // What a commit at Sync runs comes from any statement of the transaction.
            _ => None,
        }
    }

    /// What an error does to the request at the front.
    fn fail(&mut self, report: Report, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        match self.pipeline.front() {
            None if report.fatal => Ok(()),
            None if self.run_open => {
                // A timeout that strikes between two extended messages.
                self.skipping = true;
                Ok(())
            }
            None => Err(out_of_turn(server::ERROR_RESPONSE)),
            Some(Entry::Sync(_) | Entry::CopyEnd | Entry::Catalogue) => Ok(()),
            Some(Entry::Query { .. } | Entry::FunctionCall { .. } | Entry::RefusedQuery { .. }) => {
                self.fail_simple(report, guard, out)
            }
            Some(_) => self.fail_extended(report, guard),
        }
    }

    /// "Simple Query", "Function Call": nothing but ReadyForQuery follows.
    fn fail_simple(&mut self, report: Report, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        match self.server.phase {
            Phase::Finished if report.fatal => return Ok(()),
            Phase::Finished => return Err(out_of_turn(server::ERROR_RESPONSE)),
            Phase::CopyIn => {
                self.copy_in_open = false;
                self.pipeline.copy_in_failed();
            }
            _ => {}
        }
        let rows = self.front_limit().map_or(0, |limit| limit.shown());
        self.report(&Outcome { sqlstate: Some(report.sqlstate), rows, ..Outcome::default() }, guard);
        self.server.phase = Phase::Finished;
        self.server.ended = true;
        if self.front_is_unfolded() && !report.fatal {
            self.fold(true, out);
        }
        Ok(())
    }

    /// "Extended Query": the server discards everything up to Sync.
    fn fail_extended(&mut self, report: Report, guard: &mut G) -> Result<(), Fault> {
        let rows = self.front_limit().map_or(0, |limit| limit.shown());
        let outcome = Outcome { sqlstate: Some(report.sqlstate), rows, ..Outcome::default() };
        let copying = matches!(self.server.phase, Phase::CopyIn);
        if matches!(self.pipeline.front(), Some(Entry::Execute { .. })) {
            self.report(&outcome, guard);
        }
        let bytes = self.server.bytes;
        match self.pipeline.pop() {
            // An unnamed statement is dropped before the new one is read.
            Some(Entry::Parse { prepared, registered, bytes: from_client }) => {
                if registered {
                    self.statements.discard(&prepared.name);
                }
                if prepared.name.is_none() {
                    self.statements.drop_unnamed();
                }
                let mut execution = guard.begin(&prepared.statement.borrow(), Parameters::new());
                let outcome = Outcome { bytes_from_client: from_client, bytes_to_client: bytes, ..outcome };
                guard.completed(&mut execution, &outcome);
            }
            Some(Entry::RefusedParse { drops_unnamed: true, .. }) => self.statements.commit(&None),
            // Already reported.
            Some(Entry::Execute { .. }) | None => {}
            Some(other) => self.skip(other, guard),
        }
        self.disturbance += 1;
        self.server.next_request();
        if copying {
            self.copy_in_open = false;
            self.pipeline.copy_in_failed();
        }
        while !matches!(self.pipeline.front(), Some(Entry::Sync(_)) | None) {
            if let Some(entry) = self.pipeline.pop() {
                self.skip(entry, guard);
            }
        }
        self.skipping |= self.pipeline.is_empty();
        if copying && !self.pipeline.is_empty() {
            match self.pipeline.certain_sync_next() {
                Some(certain) => self.uncertain = !certain,
                None => {
                    let text = "messages were sent behind a COPY whose data had not ended";
                    return Err(Fault::client("message_during_copy", text));
                }
            }
        }
        Ok(())
    }

    /// The server did not do what this request asked.
    fn skip(&mut self, entry: Entry<G>, guard: &mut G) {
        match entry {
            Entry::Parse { prepared, registered: true, .. } => self.statements.discard(&prepared.name),
            Entry::Bind { portal, .. } if portal.registered => self.portals.discard(&portal.name),
            Entry::CloseStatement { name, registered: true } => self.statements.discard(&name),
            Entry::ClosePortal { name, registered: true } => self.portals.discard(&name),
            Entry::RefusedParse { drops_unnamed: true, .. } => self.statements.discard(&None),
            Entry::Query { execution, drops, .. } => {
                self.discard_drops(drops);
                guard.abandoned(execution);
            }
            Entry::RefusedQuery { drops, .. } => self.discard_drops(drops),
            Entry::Execute { execution, .. } | Entry::FunctionCall { execution, .. } => guard.abandoned(execution),
            _ => {}
        }
    }

    fn discard_drops(&mut self, drops: crate::pipeline::Drops) {
        if drops.statement {
            self.statements.discard(&None);
        }
        if drops.portal {
            self.portals.discard(&None);
        }
    }
}
