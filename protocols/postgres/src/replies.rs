//! What each reply of the server does to the request at the front of the pipeline.
//!
//! ```text
//!   Query    Start ─T─► Rows ─C─► Start …                 Parse   Start ─1─► done
//!            Start ─C, I─► Start                          Bind    Start ─2─► done
//!            Start ─G─► CopyIn ─C─► Start                 Close   Start ─3─► done
//!            Start ─H─► CopyOut ─c─► CopyEnded ─C─► Start  Sync    Start ─Z─► done
//!            any ─E─► Finished ─Z─► done                  Describe Start ─t─► Parameters ─T, n─► done
//!            Start (after an end) ─Z─► done               Execute as Query, but C, I, s end it
//! ```
//!
//! An ErrorResponse to an extended message drops the queue up to Sync. NoticeResponse, ParameterStatus and
//! NotificationResponse may come at any time. Everything else is the server's fault.
//!
//! It may assume that a message is whole. It must never guess: a reply that does not fit ends the session.
//!
//! Source: PostgreSQL manual, "Message Flow".

use std::rc::Rc;

use wire::cursor::Cursor;
use wire::fault::{Culprit, Fault};
use wire::guard::{CopyPlan, CopyShape, Guard, Outcome, RowPlan};
use wire::limits;
use wire::value::Column;

use crate::backend::TransactionStatus;
use crate::copy::CopyMask;
use crate::description;
use crate::frame::{Frame, Header};
use crate::message::{self, server};
use crate::pipeline::{Drops, Entry, SyncKind};
use crate::refusal::malformed_by_server;
use crate::rows::Rows;
use crate::scrub;
use crate::server::{Phase, out_of_turn};
use crate::session::{Output, Session};
use crate::statements::{self, Charge, Layout, Planned, Portal, Prepared, is_plain};

/// Asks the guard what is to happen to rows under a description.
pub(crate) fn plan<G: Guard>(
    guard: &mut G,
    statement: &G::Statement,
    part: u32,
    columns: &[Column],
) -> Planned<G::Plan> {
    match guard.plan_rows(statement, part, columns) {
        RowPlan::Forward => Planned::Forward,
        RowPlan::Mask(plan) => Planned::Mask(Rc::new(Rows::new(guard, plan, columns.len()))),
    }
}

/// A name stands for something else than when the client's messages were judged, because a message
/// before them failed.
fn stale_pipeline() -> Fault {
    Fault::client(
        "stale_pipeline",
        "messages sent ahead used a statement or portal that an earlier error left unchanged",
    )
}

/// Portals with wide results hold more than a session may.
fn too_much_state() -> Fault {
    Fault::new(Culprit::Client, b"54000", "session_state", "too many portals with wide results are open")
}

impl<G: Guard> Session<G> {
    /// Takes up a whole message, or the first part of a report of which `left` bytes are still to come.
    pub(crate) fn reply(
        &mut self,
        frame: Frame<'_>,
        left: usize,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let kind = frame.kind();
        match kind {
            server::NOTICE_RESPONSE => {
                self.notice(frame, left, guard, out);
                return Ok(());
            }
            server::NOTIFICATION_RESPONSE => return self.notification(&frame, guard, out),
            server::PARAMETER_STATUS => return self.parameter_status(&frame, guard, out),
            server::ERROR_RESPONSE => return self.error(frame, left, guard, out),
            _ if self.catalogue_loading() => return self.catalogue_reply(&frame, guard),
            server::READY_FOR_QUERY => return self.ready(&frame, guard, out),
            _ => {}
        }
        self.pipeline.drop_optional();
        self.server.count(frame.bytes.len());
        let shown = match kind {
            server::BIND_COMPLETE | server::CLOSE_COMPLETE | server::NO_DATA | server::PARSE_COMPLETE
                if self.front_is_unfolded() =>
            {
                Ok(false)
            }
            server::PARSE_COMPLETE => self.parse_complete(),
            server::BIND_COMPLETE => self.bind_complete(),
            server::CLOSE_COMPLETE => self.close_complete(),
            server::NO_DATA => self.described(None, guard),
            server::ROW_DESCRIPTION => {
                let columns = description::columns(frame.body()).map_err(|_| malformed_by_server("RowDescription"))?;
                self.described(Some(columns), guard)
            }
            server::COMMAND_COMPLETE => self.command_complete(frame.body(), guard, out),
            server::EMPTY_QUERY_RESPONSE => self.statement_ended(b"", false, guard, out),
            server::PORTAL_SUSPENDED => self.statement_ended(b"", true, guard, out),
            server::COPY_IN_RESPONSE => self.copy_in(),
            server::COPY_OUT_RESPONSE => self.copy_out(frame.body(), guard),
            server::COPY_BOTH_RESPONSE => self.copy_both(),
            server::COPY_DONE => self.copy_done(guard, out),
            _ => Err(out_of_turn(kind)),
        }?;
        if shown {
            frame.pass(&mut out.to_client);
        }
        Ok(())
    }

    fn parameter_status(&mut self, frame: &Frame<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let mut cursor = Cursor::new(frame.body());
        let (name, value) = match (cursor.cstr("name"), cursor.cstr("value")) {
            (Ok(name), Ok(value)) if cursor.is_empty() => (name, value),
            _ => return Err(malformed_by_server("ParameterStatus")),
        };
        guard.parameter_status(name, value);
        self.note_parameter(name, value);
        if guard.shows_setting(self.running().as_ref(), name, value) {
            frame.pass(&mut out.to_client);
        }
        Ok(())
    }

    /// ParseComplete: the new statement counts.
    fn parse_complete(&mut self) -> Result<bool, Fault> {
        match self.pipeline.front() {
            Some(Entry::Parse { prepared, registered, .. }) => {
                if *registered {
                    self.statements.commit(&prepared.name);
                }
            }
            _ => return Err(out_of_turn(server::PARSE_COMPLETE)),
        }
        self.done();
        Ok(true)
    }

    /// BindComplete: the new portal counts.
    fn bind_complete(&mut self) -> Result<bool, Fault> {
        match self.pipeline.front() {
            Some(Entry::Bind { portal, disturbance }) => {
                self.confirm_source(portal, *disturbance)?;
                if portal.registered {
                    self.portals.commit(&portal.name);
                }
            }
            _ => return Err(out_of_turn(server::BIND_COMPLETE)),
        }
        self.done();
        Ok(true)
    }

    fn close_complete(&mut self) -> Result<bool, Fault> {
        match self.pipeline.front() {
            Some(Entry::CloseStatement { name, registered: true }) => self.statements.commit(name),
            Some(Entry::ClosePortal { name, registered: true }) => self.portals.commit(name),
            Some(Entry::CloseStatement { .. } | Entry::ClosePortal { .. }) => {}
            _ => return Err(out_of_turn(server::CLOSE_COMPLETE)),
        }
        self.done();
        Ok(true)
    }

    /// The front is answered in full.
    fn done(&mut self) {
        self.pipeline.pop();
        self.pipeline.drop_copy_ends();
        self.server.next_request();
    }

    fn confirm_source(&self, portal: &Portal<G>, disturbance: u64) -> Result<(), Fault> {
        if disturbance == self.disturbance {
            return Ok(());
        }
        match &portal.source {
            Some(source) => self.confirm_prepared(source),
            None if portal.source_name.as_ref().is_some_and(|name| !is_plain(name)) => Ok(()),
            None if self.statements.committed(&portal.source_name).is_none() => Ok(()),
            None => Err(stale_pipeline()),
        }
    }

    fn confirm_prepared(&self, prepared: &Rc<Prepared<G>>) -> Result<(), Fault> {
        match self.statements.committed(&prepared.name) {
            Some(committed) if Rc::ptr_eq(committed, prepared) => Ok(()),
            _ => Err(stale_pipeline()),
        }
    }

    fn confirm_portal(&self, portal: &Rc<Portal<G>>, disturbance: u64) -> Result<(), Fault> {
        if disturbance == self.disturbance {
            return Ok(());
        }
        match self.portals.committed(&portal.name) {
            Some(committed) if portal.registered && Rc::ptr_eq(committed, portal) => Ok(()),
            None if !portal.registered => Ok(()),
            _ => Err(stale_pipeline()),
        }
    }

    /// At the first reply to Execute: it runs the portal that it was judged by.
    fn confirm_run(&self) -> Result<(), Fault> {
        match self.pipeline.front() {
            Some(Entry::Execute { portal, disturbance, .. }) => self.confirm_portal(portal, *disturbance),
            _ => Ok(()),
        }
    }

    /// Whether a RowDescription concerns nobody and passes by its header.
    pub(crate) fn description_unread(&mut self, header: Header) -> Result<bool, Fault> {
        match (self.pipeline.front(), &self.server.phase) {
            (Some(Entry::Query { .. }), Phase::Start) => {
                if self.front_wants() {
                    return Ok(false);
                }
                self.server.phase = Phase::Rows(Planned::Forward);
                self.server.described += 1;
                self.server.count(header.total());
            }
            (Some(Entry::DescribeStatement { prepared: None, .. }), Phase::Parameters) => self.done(),
            (Some(Entry::DescribeStatement { prepared: Some(prepared), .. }), Phase::Parameters) => {
                if prepared.wants.get() {
                    return Ok(false);
                }
                self.done();
            }
            (Some(Entry::DescribePortal { portal, injected: false, .. }), Phase::Start) => {
                if portal.as_ref().is_some_and(|portal| portal.wants) {
                    return Ok(false);
                }
                self.done();
            }
            (Some(Entry::DescribePortal { injected: true, .. }), Phase::Start) => return Ok(false),
            _ => return Err(out_of_turn(header.kind)),
        }
        Ok(true)
    }

    /// RowDescription, or NoData (`None`). Whether the client sees it.
    fn described(&mut self, columns: Option<Vec<Column>>, guard: &mut G) -> Result<bool, Fault> {
        let kind = if columns.is_some() { server::ROW_DESCRIPTION } else { server::NO_DATA };
        match (self.pipeline.front(), &self.server.phase) {
            (Some(Entry::Query { statement, .. }), Phase::Start) => {
                let columns = columns.ok_or_else(|| out_of_turn(kind))?;
                let planned = plan(guard, statement, self.server.described, &columns);
                self.server.phase = Phase::Rows(planned);
                self.server.described += 1;
                Ok(true)
            }
            (Some(Entry::DescribeStatement { prepared, disturbance }), Phase::Parameters) => {
                if let Some(prepared) = prepared {
                    if *disturbance != self.disturbance {
                        self.confirm_prepared(prepared)?;
                    }
                    let bytes = columns.as_deref().map_or(0, statements::columns_weight);
                    let room = self.state_bytes() + bytes <= limits::SESSION_STATE_BYTES;
                    // Without room for it the layout is asked for again at each run.
                    let layout = (room && prepared.wants.get()).then(|| {
                        let charge = Charge::new(&self.charged, bytes);
                        Layout { epoch: self.epoch, columns, planned: None, charge }
                    });
                    prepared.layout.replace(layout);
                }
                self.done();
                Ok(true)
            }
            (Some(Entry::DescribePortal { portal, injected, disturbance }), Phase::Start) => {
                let shown = !*injected;
                if let Some(portal) = portal.as_ref().filter(|portal| portal.wants) {
                    self.confirm_portal(portal, *disturbance)?;
                    let planned = match columns {
                        None => Planned::NoRows,
                        Some(columns) => plan(guard, &portal.statement, 0, &columns),
                    };
                    if let Planned::Mask(rows) = &planned {
                        let charge = Charge::new(&self.charged, rows.treatments.len() * 8);
                        portal.charge.replace(Some(charge));
                        if self.state_bytes() > limits::SESSION_STATE_BYTES {
                            return Err(too_much_state());
                        }
                    }
                    portal.planned.replace(Some(planned));
                }
                self.done();
                Ok(shown)
            }
            _ => Err(out_of_turn(kind)),
        }
    }

    /// Whether the guard wants to see what the front's statement returns.
    fn front_wants(&self) -> bool {
        match self.pipeline.front() {
            Some(Entry::Query { wants, .. }) => *wants,
            Some(Entry::Execute { portal, .. }) => portal.wants,
            _ => true,
        }
    }

    /// What happens to rows that come now.
    pub(crate) fn row_plan(&mut self) -> Result<Planned<G::Plan>, Fault> {
        self.pipeline.drop_optional();
        match (self.pipeline.front(), &self.server.phase) {
            (Some(Entry::Query { .. } | Entry::Execute { .. }), Phase::Rows(planned)) => Ok(planned.clone()),
            (Some(Entry::Execute { portal, .. }), Phase::Start) => {
                self.confirm_run()?;
                let planned = if portal.wants {
                    portal.planned.borrow().clone().ok_or_else(stale_pipeline)?
                } else {
                    Planned::Forward
                };
                self.server.phase = Phase::Rows(planned.clone());
                Ok(planned)
            }
            _ => Err(out_of_turn(server::DATA_ROW)),
        }
    }

    /// CommandComplete.
    fn command_complete(&mut self, body: &[u8], guard: &mut G, out: &mut Output) -> Result<bool, Fault> {
        let tag = scrub::tag(body).ok_or_else(|| malformed_by_server("CommandComplete"))?;
        self.note_tag(tag);
        self.statement_ended(tag, false, guard, out)
    }

    /// A statement of the front's text ended, or a portal stopped at its row limit.
    fn statement_ended(&mut self, tag: &[u8], suspended: bool, guard: &mut G, out: &mut Output) -> Result<bool, Fault> {
        let mut rows = scrub::rows_of_tag(tag);
        if let Some(limit) = self.front_limit() {
            if limit.stopped().is_some() {
                return Err(out_of_turn(server::COMMAND_COMPLETE));
            }
            if limit.exceeded() {
                self.stop(guard, out);
                return Ok(false);
            }
            rows = rows.max(limit.shown());
        }
        let query = match self.pipeline.front() {
            Some(Entry::Query { .. }) if !suspended => true,
            Some(Entry::Execute { .. }) => false,
            _ => return Err(out_of_turn(server::COMMAND_COMPLETE)),
        };
        match self.server.phase {
            Phase::Start => self.confirm_run()?,
            Phase::Rows(_) | Phase::CopyEnded => {}
            Phase::CopyBoth if !suspended => {}
            Phase::CopyIn if !suspended && self.pipeline.copy_in_ended() => self.copy_in_open = false,
            _ => return Err(out_of_turn(server::COMMAND_COMPLETE)),
        }
        self.report(&Outcome { tag, rows, suspended, ..Outcome::default() }, guard);
        if query {
            self.server.phase = Phase::Start;
            self.server.ended = true;
            if self.front_is_unfolded() {
                self.fold(false, out);
            }
        } else {
            self.done();
        }
        Ok(true)
    }

    /// Reports how a statement of the front's text ended; fills in what the session counted.
    pub(crate) fn report(&mut self, outcome: &Outcome<'_>, guard: &mut G) {
        let copied = std::mem::take(&mut self.client.copy_bytes);
        let to_client = std::mem::take(&mut self.server.bytes);
        let part = self.server.part;
        if let Some(
            Entry::Query { execution, bytes, .. }
            | Entry::Execute { execution, bytes, .. }
            | Entry::FunctionCall { execution, bytes, .. },
        ) = self.pipeline.front_mut()
        {
            let message = if part == 0 { *bytes } else { 0 };
            let from_client = message + copied;
            let counted = Outcome { part, bytes_from_client: from_client, bytes_to_client: to_client, ..*outcome };
            guard.completed(execution, &counted);
        }
        self.server.part += 1;
    }

    /// What a completed statement means for names and layouts that the session remembers.
    fn note_tag(&mut self, tag: &[u8]) {
        // SQL text shares the names of the protocol: a name that SQL text may have given anew is forgotten,
        // and judged as unknown when it is used.
        let forgotten = match tag {
            b"PREPARE" | b"DEALLOCATE ALL" => self.statements.forget_named(),
            b"DECLARE CURSOR" => self.portals.forget_named(),
            b"DISCARD ALL" => self.statements.forget_named() | self.portals.forget_named(),
            _ => false,
        };
        self.disturbance += u64::from(forgotten);
        const HARMLESS: [&[u8]; 13] = [
            b"SELECT",
            b"INSERT",
            b"UPDATE",
            b"DELETE",
            b"MERGE",
            b"FETCH",
            b"MOVE",
            b"COPY",
            b"BEGIN",
            b"COMMIT",
            b"START TRANSACTION",
            b"SAVEPOINT",
            b"RELEASE",
        ];
        if !HARMLESS.iter().any(|verb| tag.starts_with(verb)) {
            self.epoch += 1;
        }
    }

    /// CopyInResponse. "COPY Operations": Sync and Flush are ignored until the data ends.
    fn copy_in(&mut self) -> Result<bool, Fault> {
        match (self.pipeline.front(), &self.server.phase) {
            (Some(Entry::Query { limit: None, .. } | Entry::Execute { limit: None, .. }), Phase::Start) => {}
            _ => return Err(out_of_turn(server::COPY_IN_RESPONSE)),
        }
        self.confirm_run()?;
        let ended = self
            .pipeline
            .copy_in_started()
            .ok_or_else(|| Fault::client("message_during_copy", "a message came in the middle of COPY data"))?;
        self.copy_in_open = !ended;
        if matches!(self.pipeline.front(), Some(Entry::Execute { .. })) {
            self.run_open = true;
        }
        self.server.phase = Phase::CopyIn;
        Ok(true)
    }

    /// CopyOutResponse.
    fn copy_out(&mut self, body: &[u8], guard: &mut G) -> Result<bool, Fault> {
        let statement = match (self.pipeline.front(), &self.server.phase) {
            (Some(Entry::Query { statement, .. }), Phase::Start) => statement.clone(),
            (Some(Entry::Execute { portal, .. }), Phase::Start) => portal.statement.clone(),
            _ => return Err(out_of_turn(server::COPY_OUT_RESPONSE)),
        };
        self.confirm_run()?;
        let part = self.server.described;
        self.server.described += 1;
        if let Some(limit) = self.front_limit()
            && body.first() == Some(&1)
        {
            limit.expect_trailer();
        }
        let mut mask = None;
        if self.front_wants() {
            let shape = copy_shape(body).ok_or_else(|| malformed_by_server("CopyOutResponse"))?;
            if let CopyPlan::Mask { plan, syntax, null } = guard.plan_copy(&statement, part, shape) {
                mask = Some(Box::new(CopyMask::new(guard, plan, syntax, null, shape, self.unsafe_encoding)?));
            }
        }
        self.server.phase = Phase::CopyOut(mask);
        Ok(true)
    }

    /// CopyBothResponse: only replication has it ("Streaming Replication Protocol").
    fn copy_both(&mut self) -> Result<bool, Fault> {
        match (self.pipeline.front(), &self.server.phase) {
            (Some(Entry::Query { .. }), Phase::Start) if self.replication => {}
            _ => return Err(out_of_turn(server::COPY_BOTH_RESPONSE)),
        }
        self.server.phase = Phase::CopyBoth;
        Ok(true)
    }

    /// CopyDone from the server.
    fn copy_done(&mut self, guard: &mut G, out: &mut Output) -> Result<bool, Fault> {
        match &mut self.server.phase {
            Phase::CopyOut(mask) => {
                if let Some(mask) = mask {
                    mask.finish(guard, &mut out.to_client)?;
                }
                self.server.phase = Phase::CopyEnded;
                // What was cut off has no end.
                return Ok(!self.front_limit().is_some_and(|limit| limit.exceeded()));
            }
            Phase::CopyBoth => self.server.phase = Phase::Start,
            _ => return Err(out_of_turn(server::COPY_DONE)),
        }
        Ok(true)
    }

    /// ReadyForQuery: a simple query, a function call or a Sync is over.
    fn ready(&mut self, frame: &Frame<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let [status] = *frame.body() else { return Err(malformed_by_server("ReadyForQuery")) };
        let status = message::transaction_status(status).ok_or_else(|| malformed_by_server("ReadyForQuery"))?;
        self.pipeline.drop_copy_ends();
        let finished = self.server.ended && matches!(self.server.phase, Phase::Start | Phase::Finished);
        match self.pipeline.front() {
            Some(Entry::Sync(SyncKind::Certain)) => self.done(),
            Some(Entry::Sync(_)) => {
                self.pipeline.ready_for_optional();
                self.server.next_request();
                self.uncertain = false;
            }
            Some(Entry::Query { limit: Some(limit), .. }) if finished && limit.hides_ready() => return Ok(()),
            Some(Entry::Query { drops, .. } | Entry::RefusedQuery { drops, .. }) if finished => {
                let drops = *drops;
                self.commit_drops(drops);
                self.done();
            }
            Some(Entry::FunctionCall { .. }) if finished => {
                if matches!(self.server.phase, Phase::Start) {
                    self.report(&Outcome::default(), guard);
                }
                self.done();
            }
            _ => return Err(out_of_turn(server::READY_FOR_QUERY)),
        }
        self.pipeline.drop_copy_ends();
        self.became_ready(status);
        if status == TransactionStatus::Idle {
            guard.transaction_ended();
        }
        frame.pass(&mut out.to_client);
        Ok(())
    }

    /// The server waits for a new command.
    pub(crate) fn became_ready(&mut self, status: TransactionStatus) {
        self.transaction = status;
        if status == TransactionStatus::Idle {
            // "Extended Query": portals end with their transaction.
            self.portals.forget_all();
        }
    }

    fn commit_drops(&mut self, drops: Drops) {
        if drops.statement {
            self.statements.commit(&None);
        }
        if drops.portal {
            self.portals.commit(&None);
        }
    }
}

/// The body of CopyOutResponse.
fn copy_shape(body: &[u8]) -> Option<CopyShape> {
    let mut cursor = Cursor::new(body);
    let binary = match cursor.u8("format").ok()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let columns = usize::from(cursor.u16("columns").ok()?);
    cursor.bytes(columns * 2, "formats").ok()?;
    cursor.is_empty().then_some(CopyShape { binary, columns })
}
