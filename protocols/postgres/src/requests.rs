//! What each message of the client does: judged, noted in the pipeline, forwarded or refused.
//!
//! Functions here get a message that is whole, or so much of a long one as is needed to judge it. They
//! name the page of the manual that they follow. They may assume that the type is known; they must never
//! forward a statement that was not judged.

use std::cell::Cell;
use std::rc::Rc;

use memchr::memchr;
use wire::cursor::{Cursor, Malformed};
use wire::fault::Fault;
use wire::guard::{Carrier, Guard, StatementText};
use wire::limits;
use wire::parameters::Parameters;
use wire::segments::Segments;

use crate::bind::{self, BindReader};
use crate::client::{BoundNames, ClientBody, OpenBind, forward, swallow};
use crate::decisions::Decision;
use crate::frame::{self, HEADER_BYTES};
use crate::limited::{self, RowLimit};
use crate::message::client;
use crate::pipeline::{Entry, SyncKind};
use crate::refusal::{self, malformed};
use crate::session::{Gate, Output, Session};
use crate::statements::{self, Planned, Portal, Prepared};

/// The beginning of a message, or all of it.
pub(crate) struct Part<'a> {
    /// Header and body so far.
    pub(crate) bytes: &'a [u8],
    /// Where it lies in the chunk; `None` when it was gathered.
    pub(crate) at: Option<usize>,
    /// Bytes of the body that are not here.
    pub(crate) left: usize,
}

impl Part<'_> {
    fn kind(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    fn total(&self) -> u64 {
        u64::try_from(self.bytes.len() + self.left).unwrap_or_default()
    }

    fn pass(&self, segments: &mut Segments) {
        match self.at {
            Some(at) => segments.push_chunk(at..at + self.bytes.len()),
            None => segments.push_owned(self.bytes),
        }
    }
}

/// What came of a message.
pub(crate) enum Step<G: Guard> {
    /// It must wait for a decision; it will be handed over again.
    Blocked,
    /// It is dealt with; this becomes of the rest of its body.
    Done(ClientBody<G>),
    /// More of it is needed.
    More,
}

type Handled<G> = Result<Step<G>, Fault>;

impl<G: Guard> Session<G> {
    /// Deals with one message.
    pub(crate) fn request(&mut self, part: Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        let step = self.dispatch(&part, guard, out)?;
        if let Step::Done(_) = step {
            // A decision is about one message; what was not used of it must not reach the next.
            if !matches!(self.gate, Gate::Open) {
                self.gate = Gate::Open;
            }
        }
        Ok(step)
    }

    fn dispatch(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        let kind = part.kind();
        let control = matches!(kind, client::SYNC | client::FLUSH | client::TERMINATE);
        if self.skipping && !control {
            // "Extended Query": after an error the server reads and discards messages until Sync.
            return Ok(Step::Done(swallow(part.left)));
        }
        if (self.copy_in_open || self.uncertain) && !control && kind != client::COPY_DONE {
            return Err(Fault::client("message_during_copy", "a message came in the middle of COPY data"));
        }
        match kind {
            client::QUERY => self.query(part, guard, out),
            client::PARSE => self.parse(part, guard, out),
            client::BIND => self.bind(part, guard, out),
            client::FUNCTION_CALL => self.function_call(part, guard, out),
            _ if part.left > 0 => Ok(Step::More),
            client::EXECUTE => self.execute(part, guard, out),
            client::DESCRIBE => self.describe(part, out),
            client::CLOSE => self.close(part, out),
            client::SYNC | client::FLUSH | client::TERMINATE | client::COPY_DONE => self.bodiless(part, out),
            _ => Err(malformed(Malformed { what: "message type" })),
        }
    }

    /// "Simple Query".
    fn query(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        let body = part.body();
        if part.left > 0 && body.len() < limits::STATEMENT_BYTES {
            return Ok(Step::More);
        }
        let text = match part.left {
            0 => body.strip_suffix(&[0]).ok_or_else(|| malformed(Malformed { what: "Query text" }))?,
            _ => body,
        };
        if memchr(0, text).is_some() {
            return Err(malformed(Malformed { what: "Query text" }));
        }
        let total_bytes = (body.len() + part.left).saturating_sub(1);
        let possible = self.catalogue_possible();
        let judge = |guard: &mut G, catalogue_possible| {
            guard.judge(&StatementText { sql: text, carrier: Carrier::Query, total_bytes, catalogue_possible })
        };
        match self.decide(guard, out, possible, judge)? {
            Decision::Wait => return Ok(Step::Blocked),
            Decision::Deny(denial) => {
                self.refuse_query(denial, out)?;
                return Ok(Step::Done(swallow(part.left)));
            }
            Decision::Allow(statement) => {
                self.room()?;
                let drops = self.drop_unnamed();
                let rows = guard.row_limit(&statement);
                let execution = guard.begin(&statement, Parameters::new());
                let wants = guard.wants_columns(&statement);
                let limit = rows.map(|rows| RowLimit::new(Rc::new(Cell::new(rows))));
                let bytes = part.total();
                self.enqueue(Entry::Query { statement, wants, execution, bytes, drops, limit })?;
                if let Some(rows) = rows {
                    self.run_open = false;
                    out.to_server.write_owned(|owned| limited::query(owned, text, RowLimit::most(rows, 0)));
                    return Ok(Step::Done(swallow(part.left)));
                }
            }
        }
        self.run_open = false;
        part.pass(&mut out.to_server);
        Ok(Step::Done(forward(part.left)))
    }

    /// "Extended Query", Parse.
    fn parse(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        if part.left > 0 && part.body().len() < limits::STATEMENT_BYTES {
            return Ok(Step::More);
        }
        let mut cursor = Cursor::new(part.body());
        let name = cursor.cstr("Parse name").map_err(malformed)?;
        let (text, total_bytes) = if part.left == 0 {
            let text = cursor.cstr("Parse text").map_err(malformed)?;
            let types = usize::from(cursor.u16("Parse type count").map_err(malformed)?);
            cursor.bytes(types * 4, "Parse types").map_err(malformed)?;
            if !cursor.is_empty() {
                return Err(malformed(Malformed { what: "Parse end" }));
            }
            (text, text.len())
        } else {
            let rest = cursor.rest();
            let text = memchr(0, rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
            // The length of the text is not known yet; the types behind it are counted in.
            (text, rest.len() + part.left)
        };
        let possible = self.catalogue_possible()
            && self.portals.unnamed().is_none()
            && (name.is_empty() || self.statements.unnamed().is_none());
        let judge = |guard: &mut G, catalogue_possible| {
            guard.judge(&StatementText { sql: text, carrier: Carrier::Prepare, total_bytes, catalogue_possible })
        };
        let decision = self.decide(guard, out, possible, judge)?;
        let weight = limits::AUDIT_STATEMENT_BYTES.min(text.len());
        match decision {
            Decision::Wait => return Ok(Step::Blocked),
            Decision::Deny(denial) => {
                self.refuse_extended(denial, name.is_empty(), out)?;
                return Ok(Step::Done(swallow(part.left)));
            }
            Decision::Allow(_) if !name.is_empty() && self.names_full(weight) => {
                self.refuse_extended(refusal::too_many_names(), false, out)?;
                return Ok(Step::Done(swallow(part.left)));
            }
            Decision::Allow(statement) => {
                if !name.is_empty() {
                    guard.name_taken(statements::significant(name));
                }
                let wants = guard.wants_columns(&statement).into();
                let prepared = Rc::new(Prepared {
                    name: statements::keep(name),
                    statement: statement.into(),
                    wants,
                    layout: None.into(),
                    text_bytes: weight,
                });
                let registered = statements::is_plain(name);
                if registered {
                    self.statements.push(&prepared.name, Some(Rc::clone(&prepared)));
                }
                self.enqueue(Entry::Parse { prepared, registered, bytes: part.total() })?;
            }
        }
        self.run_open = true;
        part.pass(&mut out.to_server);
        Ok(Step::Done(forward(part.left)))
    }

    /// "Extended Query", Bind. Only the names must be there; the rest streams by.
    fn bind(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        let mut cursor = Cursor::new(part.body());
        let names = (cursor.cstr("Bind portal"), cursor.cstr("Bind statement"));
        let (portal, source_name) = match names {
            (Ok(portal), Ok(source)) => (portal, source),
            _ if part.left > 0 => return Ok(Step::More),
            (Err(error), _) | (_, Err(error)) => return Err(malformed(error)),
        };
        let source = self.statements.latest(source_name).filter(|_| statements::is_plain(source_name)).map(Rc::clone);
        let statement = match &source {
            None if source_name.is_empty() => {
                // No text can make an unnamed statement behind our back: the server will refuse it.
                self.run_open = true;
                self.enqueue(Entry::Doomed)?;
                part.pass(&mut out.to_server);
                return Ok(Step::Done(forward(part.left)));
            }
            None => self.decide_unknown("EXECUTE", source_name, guard, out)?,
            Some(prepared) => self.decide_again(prepared, guard, out)?,
        };
        let statement = match statement {
            Decision::Wait => return Ok(Step::Blocked),
            Decision::Deny(denial) => {
                self.refuse_extended(denial, false, out)?;
                return Ok(Step::Done(swallow(part.left)));
            }
            Decision::Allow(_) if !portal.is_empty() && self.names_full(0) => {
                self.refuse_extended(refusal::too_many_names(), false, out)?;
                return Ok(Step::Done(swallow(part.left)));
            }
            Decision::Allow(statement) => statement,
        };
        if !portal.is_empty() {
            guard.name_taken(statements::significant(portal));
        }
        let wants = match &source {
            Some(prepared) => prepared.wants.get(),
            None => guard.wants_columns(&statement),
        };
        let names = BoundNames {
            name: statements::keep(portal),
            registered: statements::is_plain(portal),
            // A known source has its name.
            source_name: if source.is_some() { None } else { statements::keep(source_name) },
            source,
            statement,
            wants,
            bytes: part.total(),
            disturbance: self.disturbance,
        };
        self.run_open = true;
        if part.left > 0 {
            let mut reader = BindReader::new();
            reader.feed(cursor.rest()).map_err(malformed)?;
            part.pass(&mut out.to_server);
            return Ok(Step::Done(ClientBody::Bind(Box::new(OpenBind { reader, names }), part.left)));
        }
        let (parameters, formats) = bind::whole(cursor.rest()).map_err(malformed)?;
        part.pass(&mut out.to_server);
        self.bound(names, parameters, formats)?;
        Ok(Step::Done(ClientBody::Header))
    }

    /// "Extended Query", Execute.
    fn execute(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        let mut cursor = Cursor::new(part.body());
        let name = cursor.cstr("Execute portal").map_err(malformed)?;
        let limit = cursor.i32("Execute row limit").map_err(malformed)?;
        if !cursor.is_empty() {
            return Err(malformed(Malformed { what: "Execute end" }));
        }
        let known = self.portals.latest(name).filter(|_| statements::is_plain(name)).map(Rc::clone);
        let portal = match known {
            Some(portal) => {
                if let Some(denial) = guard.outlived(&portal.statement) {
                    self.refuse_extended(denial, false, out)?;
                    return Ok(Step::Done(ClientBody::Header));
                }
                portal
            }
            None if name.is_empty() => {
                self.run_open = true;
                self.enqueue(Entry::Doomed)?;
                part.pass(&mut out.to_server);
                return Ok(Step::Done(ClientBody::Header));
            }
            None => match self.decide_unknown("FETCH ALL FROM", name, guard, out)? {
                Decision::Wait => return Ok(Step::Blocked),
                Decision::Deny(denial) => {
                    self.refuse_extended(denial, false, out)?;
                    return Ok(Step::Done(ClientBody::Header));
                }
                Decision::Allow(statement) => Rc::new(unknown_portal(name, statement, guard)),
            },
        };
        self.room()?;
        self.ensure_layout(&portal, name, guard, out)?;
        let parameters = match limit {
            0 => portal.parameters.take(),
            _ => portal.parameters.borrow().clone(),
        };
        let left = portal.rows_left.borrow().clone();
        let left = left.unwrap_or_else(|| guard.row_limit(&portal.statement).map(|rows| Rc::new(Cell::new(rows))));
        portal.rows_left.replace(Some(left.clone()));
        // Of a portal that runs in parts each part has a copy.
        let held = if limit == 0 { 0 } else { parameters.heap_bytes() };
        let execution = guard.begin(&portal.statement, parameters);
        let bytes = part.total() + portal.bind_bytes.take();
        let disturbance = self.disturbance;
        let counted = left.as_ref().map(|left| RowLimit::most(left.get(), limit));
        self.enqueue(Entry::Execute { portal, execution, bytes, held, disturbance, limit: left.map(RowLimit::new) })?;
        self.run_open = true;
        match counted {
            Some(rows) => out.to_server.write_owned(|owned| limited::execute(owned, name, rows)),
            None => part.pass(&mut out.to_server),
        }
        Ok(Step::Done(ClientBody::Header))
    }

    /// Sees to it that the layout of a portal's rows is known when they come: from an earlier Describe, or
    /// by one of our own, whose reply the client does not see.
    fn ensure_layout(
        &mut self,
        portal: &Rc<Portal<G>>,
        name: &[u8],
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let described = portal.described_in.get() == Some(self.run);
        if !portal.wants || described || portal.planned.borrow().is_some() || self.remember_layout(portal, guard) {
            return Ok(());
        }
        portal.described_in.set(Some(self.run));
        let disturbance = self.disturbance;
        self.enqueue(Entry::DescribePortal { portal: Some(Rc::clone(portal)), injected: true, disturbance })?;
        out.to_server.write_owned(|owned| {
            frame::write(owned, client::DESCRIBE, |owned| {
                owned.push(b'P');
                owned.extend_from_slice(name);
                owned.push(0);
            });
        });
        Ok(())
    }

    /// Plans a portal's rows from what Describe said of its statement. Only while nothing else runs that
    /// could change where the columns come from.
    fn remember_layout(&mut self, portal: &Portal<G>, guard: &mut G) -> bool {
        if self.pipeline.outstanding_runs() > 0 {
            return false;
        }
        let Some(prepared) = &portal.source else { return false };
        let mut layout = prepared.layout.borrow_mut();
        let Some(layout) = layout.as_mut().filter(|layout| layout.epoch == self.epoch) else { return false };
        let planned = match (&layout.columns, &layout.planned) {
            (None, _) => Planned::NoRows,
            (Some(_), Some((formats, planned))) if *formats == portal.formats => planned.clone(),
            (Some(columns), _) => {
                let mut columns = columns.clone();
                for (index, column) in columns.iter_mut().enumerate() {
                    let Some(encoding) = portal.formats.of(index) else { return false };
                    column.encoding = encoding;
                }
                let planned = crate::replies::plan(guard, &portal.statement, 0, &columns);
                layout.planned = Some((portal.formats.clone(), planned.clone()));
                planned
            }
        };
        *portal.planned.borrow_mut() = Some(planned);
        true
    }

    /// "Extended Query", Describe. A description holds no values and passes.
    fn describe(&mut self, part: &Part<'_>, out: &mut Output) -> Handled<G> {
        let (target, name) = target(part.body(), "Describe")?;
        let plain = statements::is_plain(name);
        let disturbance = self.disturbance;
        let entry = if target == b'S' {
            let prepared = self.statements.latest(name).filter(|_| plain).map(Rc::clone);
            Entry::DescribeStatement { prepared, disturbance }
        } else {
            let portal = self.portals.latest(name).filter(|_| plain).map(Rc::clone);
            if let Some(portal) = &portal {
                portal.described_in.set(Some(self.run));
            }
            Entry::DescribePortal { portal, injected: false, disturbance }
        };
        self.enqueue(entry)?;
        self.run_open = true;
        part.pass(&mut out.to_server);
        Ok(Step::Done(ClientBody::Header))
    }

    /// "Extended Query", Close. Closing what does not exist succeeds.
    fn close(&mut self, part: &Part<'_>, out: &mut Output) -> Handled<G> {
        let (target, name) = target(part.body(), "Close")?;
        let registered = statements::is_plain(name);
        let name = statements::keep(name);
        let entry = if target == b'S' {
            if registered {
                self.statements.push(&name, None);
            }
            Entry::CloseStatement { name, registered }
        } else {
            if registered {
                self.portals.push(&name, None);
            }
            Entry::ClosePortal { name, registered }
        };
        self.enqueue(entry)?;
        self.run_open = true;
        part.pass(&mut out.to_server);
        Ok(Step::Done(ClientBody::Header))
    }

    /// "Function Call".
    fn function_call(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Handled<G> {
        let mut cursor = Cursor::new(part.body());
        let function = match cursor.u32("FunctionCall function") {
            Err(_) if part.left > 0 => return Ok(Step::More),
            function => function.map_err(malformed)?,
        };
        let possible =
            self.catalogue_possible() && self.portals.unnamed().is_none() && self.statements.unnamed().is_none();
        let judge = |guard: &mut G, _| guard.judge_function_call(function);
        match self.decide(guard, out, possible, judge)? {
            Decision::Wait => return Ok(Step::Blocked),
            Decision::Deny(denial) => {
                self.refuse_query(denial, out)?;
                return Ok(Step::Done(swallow(part.left)));
            }
            Decision::Allow(statement) => {
                self.room()?;
                let execution = guard.begin(&statement, Parameters::new());
                self.enqueue(Entry::FunctionCall { statement, execution, bytes: part.total() })?;
            }
        }
        self.run_open = false;
        part.pass(&mut out.to_server);
        Ok(Step::Done(forward(part.left)))
    }

    /// Sync, Flush, Terminate and CopyDone.
    fn bodiless(&mut self, part: &Part<'_>, out: &mut Output) -> Handled<G> {
        if !part.body().is_empty() {
            return Err(malformed(Malformed { what: "message without a body" }));
        }
        match part.kind() {
            client::SYNC if self.copy_in_open => self.enqueue(Entry::Sync(SyncKind::MaybeIgnored))?,
            client::SYNC => {
                self.enqueue(Entry::Sync(SyncKind::Certain))?;
                self.run = self.run.wrapping_add(1);
                self.run_open = false;
                self.skipping = false;
                self.uncertain = false;
            }
            client::TERMINATE => {
                self.terminated = true;
                out.terminated = true;
            }
            client::COPY_DONE => self.copy_end()?,
            _ => {}
        }
        part.pass(&mut out.to_server);
        Ok(Step::Done(ClientBody::Header))
    }

    /// Whether no further name, or none with this weight, can be opened.
    fn names_full(&self, weight: usize) -> bool {
        self.statements.len() + self.portals.len() >= limits::NAMES_PER_SESSION
            || self.state_bytes() + weight > limits::SESSION_STATE_BYTES
    }

    /// Makes sure that [`Session::enqueue`] will have room, before something is begun that must be noted.
    fn room(&self) -> Result<(), Fault> {
        if self.pipeline.has_room() { Ok(()) } else { Err(crate::pipeline::too_deep()) }
    }
}

/// A portal that SQL text opened.
fn unknown_portal<G: Guard>(name: &[u8], statement: G::Statement, guard: &G) -> Portal<G> {
    Portal {
        name: statements::keep(name),
        registered: false,
        source: None,
        source_name: None,
        wants: guard.wants_columns(&statement),
        statement,
        formats: crate::description::Formats::from_codes(&[]),
        parameters: Parameters::new().into(),
        planned: None.into(),
        described_in: None.into(),
        rows_left: None.into(),
        bind_bytes: 0.into(),
        charge: None.into(),
        weight: 0,
    }
}

/// The body of Describe and Close: `S` or `P`, and a name.
fn target<'a>(body: &'a [u8], what: &'static str) -> Result<(u8, &'a [u8]), Fault> {
    let mut cursor = Cursor::new(body);
    let target = cursor.u8(what).map_err(malformed)?;
    let name = cursor.cstr(what).map_err(malformed)?;
    if !matches!(target, b'S' | b'P') || !cursor.is_empty() {
        return Err(malformed(Malformed { what }));
    }
    Ok((target, name))
}
