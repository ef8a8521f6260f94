//! The server's replies: what each means for the command at the front of the pipeline.
//!
//! It may assume whole messages. It must never take a reply for another command than the one at the front.
//!
//! Source: MySQL documentation, "COM_QUERY Response", "COM_STMT_PREPARE Response", "COM_STMT_EXECUTE
//! Response".

use std::rc::Rc;

use wire::cursor::Cursor;
use wire::fault::Fault;
use wire::guard::{Guard, Outcome, RowPlan};
use wire::limits;

use crate::capability::Capabilities;
use crate::constant::{header, status};
use crate::pipeline::{Effect, Entry, Reply, Run};
use crate::reply::{self, Change, OkPacket};
use crate::rows::Rows;
use crate::server::{Description, Message, Phase, malformed_by_server, out_of_turn};
use crate::session::{Output, Session};
use crate::statements::{OpenCursor, Planned, Prepared};
use crate::{column, lenenc, packet};

/// Longest EOF packet.
const EOF_BYTES: usize = 5;

/// What an OK or EOF says.
pub(crate) struct End {
    status: u16,
    affected_rows: u64,
}

impl<G: Guard> Session<G> {
    /// Takes up one whole message.
    pub(crate) fn reply(&mut self, message: Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let first = message.payload.first().copied().ok_or_else(|| malformed_by_server("empty message"))?;
        if matches!(self.pipeline.front(), Some(Entry::Catalogue)) {
            return self.catalogue_reply(&message, guard, out);
        }
        if first == header::ERR && !matches!(self.pipeline.front(), Some(Entry::ChangeUser(_))) {
            return self.error(message, guard, out);
        }
        match self.pipeline.front() {
            Some(Entry::ChangeUser(_)) => self.login_reply(message, guard, out),
            Some(Entry::Prepare { .. }) if first == header::OK => self.prepared(message, guard, out),
            Some(Entry::Quiet(Reply::Text, _)) => {
                self.pass(&message, out);
                self.done(guard);
                Ok(())
            }
            Some(Entry::Quiet(..)) if matches!(first, header::OK | header::EOF) => {
                self.end(&message, guard, out)?;
                self.effect(guard, out)
            }
            Some(Entry::Run(run)) => {
                let reply = run.reply;
                self.run_reply(first, reply, message, guard, out)
            }
            _ => Err(out_of_turn()),
        }
    }

    fn run_reply(
        &mut self,
        first: u8,
        reply: Reply,
        message: Message<'_>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let is_end = matches!(first, header::OK | header::EOF);
        match (&mut self.server.phase, reply) {
            (Phase::Start, Reply::Ok | Reply::Fields | Reply::Stream) if is_end => {
                let end = self.end(&message, guard, out)?;
                self.finish(&end, end.affected_rows, guard);
                Ok(())
            }
            (Phase::Start, Reply::Results { .. }) => match first {
                header::OK | header::EOF => {
                    let end = self.end(&message, guard, out)?;
                    self.finish(&end, end.affected_rows, guard);
                    Ok(())
                }
                header::LOCAL_FILE => self.local_file(message, guard, out),
                _ => self.column_count(&message, out),
            },
            (Phase::Columns { left, read: Some(read) }, _) => {
                *left -= 1;
                let last = *left == 0;
                let extended = self.options.server.has(Capabilities::MARIADB_EXTENDED_METADATA);
                let definition =
                    column::parse(message.payload, extended).map_err(|_| malformed_by_server("column definition"))?;
                read.bytes += column::weight(&definition.column);
                if read.bytes > limits::DESCRIPTION_BYTES {
                    let text = "the server described more columns than the limit";
                    return Err(Fault::server("oversized_server_message", text));
                }
                read.columns.push(definition.column);
                read.forms.push(definition.form);
                self.pass(&message, out);
                if last { self.columns_read(guard) } else { Ok(()) }
            }
            (Phase::ColumnsEnd(_), _) if first == header::EOF => self.columns_end(&message, guard, out),
            (Phase::Rows, _) if is_end => {
                let mut end = self.end(&message, guard, out)?;
                self.cursor_opened(end.status);
                if std::mem::take(&mut self.server.out_parameters) {
                    end.status |= status::MORE_RESULTS;
                }
                let rows = self.server.rows;
                self.finish(&end, rows, guard);
                Ok(())
            }
            (Phase::File { ended: true, .. }, _) if is_end => {
                self.server.phase = Phase::Start;
                let end = self.end(&message, guard, out)?;
                self.finish(&end, end.affected_rows, guard);
                Ok(())
            }
            _ => Err(out_of_turn()),
        }
    }

    /// Lets a message pass, with the sequence id that the client waits for.
    pub(crate) fn pass(&mut self, message: &Message<'_>, out: &mut Output) {
        let header = packet::Header { body: message.payload.len(), seq: message.seq };
        let shift = self.server.shift;
        self.server.bytes += u64::try_from(header.total()).unwrap_or_default();
        self.server.next_seq = message.seq.wrapping_add(shift).wrapping_add(1);
        match message.at {
            Some(at) if shift == 0 => self.sink(out).push_chunk(at..at + header.total()),
            _ => self.replace(message.seq, out, |owned| owned.extend_from_slice(message.payload)),
        }
    }

    /// Sends another payload in the place of a message of one packet.
    pub(crate) fn replace(&mut self, seq: u8, out: &mut Output, write: impl FnOnce(&mut Vec<u8>)) {
        let first = seq.wrapping_add(self.server.shift);
        let mut next = first;
        self.sink(out).write_owned(|owned| packet::write(owned, &mut next, write));
        self.server.shift = self.server.shift.wrapping_add(next.wrapping_sub(first).wrapping_sub(1));
        self.server.next_seq = next;
    }

    /// OK or EOF: tells the guard what changed, and passes it on in the client's dialect.
    pub(crate) fn end(&mut self, message: &Message<'_>, guard: &mut G, out: &mut Output) -> Result<End, Fault> {
        if message.payload.first() == Some(&header::EOF) && message.payload.len() <= EOF_BYTES {
            let status = reply::eof_status(message.payload).map_err(|_| malformed_by_server("EOF packet"))?;
            self.status = status;
            self.pass(message, out);
            return Ok(End { status, affected_rows: 0 });
        }
        let tracked = self.options.server.has(Capabilities::SESSION_TRACK);
        let ok = OkPacket::parse(message.payload, tracked).map_err(|_| malformed_by_server("OK packet"))?;
        self.status = ok.status;
        for change in reply::changes(ok.session).map_err(|_| malformed_by_server("session state"))? {
            match change {
                Change::Schema(schema) => guard.parameter_status(b"schema", schema),
                Change::Variable { name, value } => guard.parameter_status(name, value),
            }
        }
        let flagged = ok.status & status::SESSION_STATE_CHANGED != 0;
        if flagged && !self.options.client.has(Capabilities::SESSION_TRACK) {
            let bytes = message.payload.len() + packet::HEADER_BYTES;
            self.server.bytes += u64::try_from(bytes).unwrap_or_default();
            self.replace(message.seq, out, |owned| ok.push_untracked(owned));
        } else {
            self.pass(message, out);
        }
        Ok(End { status: ok.status, affected_rows: ok.affected_rows })
    }

    /// A result of the front's text ended.
    fn finish(&mut self, end: &End, rows: u64, guard: &mut G) {
        let suspended = end.status & status::CURSOR_EXISTS != 0 && self.wants_cursor();
        self.report(&Outcome { rows, suspended, ..Outcome::default() }, guard);
        if end.status & status::MORE_RESULTS != 0 {
            self.server.phase = Phase::Start;
            self.server.planned = Planned::Forward;
            self.server.rows = 0;
        } else {
            self.done(guard);
        }
    }

    /// Reports the end of a statement of the front's text.
    pub(crate) fn report(&mut self, outcome: &Outcome<'_>, guard: &mut G) {
        let (part, bytes_to_client) = (self.server.part, std::mem::take(&mut self.server.bytes));
        self.server.part += 1;
        if let Some(Entry::Run(run)) = self.pipeline.front_mut()
            && !run.silenced
        {
            let bytes_from_client = std::mem::take(&mut run.bytes);
            let outcome = Outcome { part, bytes_from_client, bytes_to_client, ..*outcome };
            guard.completed(&mut run.execution, &outcome);
        }
    }

    /// The command at the front is answered.
    pub(crate) fn done(&mut self, guard: &mut G) {
        self.pipeline.pop();
        self.server.next_command();
        if self.status & status::IN_TRANS == 0 {
            guard.transaction_ended();
        }
    }

    fn effect(&mut self, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let entry = self.pipeline.pop();
        self.server.next_command();
        if self.status & status::IN_TRANS == 0 {
            guard.transaction_ended();
        }
        match entry {
            Some(Entry::Quiet(_, Effect::ResetConnection)) => {
                self.statements.clear();
                guard.session_reset();
                self.start_settings(guard, out)
            }
            Some(Entry::Quiet(_, Effect::ResetStatement(prepared))) => {
                prepared.reset();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The first message of a result: how many columns it has.
    fn column_count(&mut self, message: &Message<'_>, out: &mut Output) -> Result<(), Fault> {
        let mut cursor = Cursor::new(message.payload);
        let left = lenenc::int(&mut cursor, "column count").map_err(|_| malformed_by_server("column count"))?;
        // More than this no server sends (`MAX_FIELDS` and 16-bit counts of prepared statements).
        if left == 0 || left > 65_535 || !cursor.is_empty() {
            return Err(malformed_by_server("column count"));
        }
        let wants = matches!(self.pipeline.front(), Some(Entry::Run(Run { wants: true, .. })));
        self.server.phase = Phase::Columns { left, read: wants.then(Box::default) };
        self.pass(message, out);
        Ok(())
    }

    /// All column definitions of a result came.
    fn columns_read(&mut self, guard: &mut G) -> Result<(), Fault> {
        let Phase::Columns { read, .. } = std::mem::replace(&mut self.server.phase, Phase::Rows) else {
            return Err(out_of_turn());
        };
        if self.deprecates_eof() {
            return self.plan(read, guard);
        }
        self.server.phase = Phase::ColumnsEnd(read);
        Ok(())
    }

    /// The EOF behind column definitions, which says whether rows follow or a cursor was opened.
    fn columns_end(&mut self, message: &Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let Phase::ColumnsEnd(read) = std::mem::replace(&mut self.server.phase, Phase::Rows) else {
            return Err(out_of_turn());
        };
        if read.is_some() {
            self.plan(read, guard)?;
        }
        let end = self.end(message, guard, out)?;
        // MySQL says here, and only here, that a result follows that of out parameters (`send_out_parameters`
        // in `sql/protocol_classic.cc`).
        const BOTH: u16 = status::PS_OUT_PARAMS | status::MORE_RESULTS;
        self.server.out_parameters = end.status & BOTH == BOTH;
        if self.cursor_opened(end.status) {
            self.finish(&end, 0, guard);
        }
        Ok(())
    }

    /// Asks the guard what happens to the rows of a result.
    fn plan(&mut self, read: Option<Box<Description>>, guard: &mut G) -> Result<(), Fault> {
        let (Some(read), Some(Entry::Run(run))) = (read, self.pipeline.front()) else { return Ok(()) };
        let part = self.server.described;
        self.server.described += 1;
        self.server.rows = 0;
        self.server.planned = match guard.plan_rows(&run.statement, part, &read.columns) {
            RowPlan::Forward => Planned::Forward,
            RowPlan::Mask(plan) => {
                let forms = match run.reply {
                    Reply::Results { binary: true } => Some(known_forms(&read)?),
                    _ => None,
                };
                Planned::Mask(Rc::new(Rows::new(guard, plan, read.columns.len(), forms)))
            }
        };
        Ok(())
    }

    fn wants_cursor(&self) -> bool {
        matches!(self.pipeline.front(), Some(Entry::Run(Run { prepared: Some((_, true)), reply, .. }))
            if *reply != Reply::Rows)
    }

    /// Whether the execution at the front opened a cursor: its rows come by COM_STMT_FETCH, under this plan.
    fn cursor_opened(&self, flags: u16) -> bool {
        if flags & status::CURSOR_EXISTS == 0 || !self.wants_cursor() {
            return false;
        }
        if let Some(Entry::Run(Run { prepared: Some((prepared, _)), left, .. })) = self.pipeline.front() {
            let (planned, left) = (self.server.planned.clone(), left.clone());
            prepared.cursor.replace(Some(OpenCursor { planned, left }));
        }
        true
    }

    /// The server has prepared a statement.
    fn prepared(&mut self, message: Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        if !matches!(self.server.phase, Phase::Start) {
            return Err(out_of_turn());
        }
        let Some(Entry::Prepare { prepared, .. }) = self.pipeline.front() else { return Err(out_of_turn()) };
        let prepared: Rc<Prepared<G>> = Rc::clone(prepared);
        let mut cursor = Cursor::new(message.payload);
        let mut fields = || {
            cursor.u8("status")?;
            let id = lenenc::u32(&mut cursor, "statement")?;
            let columns = lenenc::u16(&mut cursor, "columns")?;
            Ok::<_, wire::cursor::Malformed>((id, columns, lenenc::u16(&mut cursor, "parameters")?))
        };
        let (id, columns, parameters) = fields().map_err(|_| malformed_by_server("reply to COM_STMT_PREPARE"))?;
        self.statements.prepared(&prepared, id, parameters);
        self.pass(&message, out);
        let list = |count: u16| match count {
            0 => 0,
            count => u64::from(count) + u64::from(!self.deprecates_eof()),
        };
        match list(columns) + list(parameters) {
            0 => self.done(guard),
            left => self.server.phase = Phase::Definitions { left },
        }
        Ok(())
    }
}

/// The forms of all columns; a binary row with a type that is not known cannot be walked, and so not masked.
fn known_forms(read: &Description) -> Result<Box<[crate::value::Form]>, Fault> {
    let forms: Option<Vec<_>> = read.forms.iter().copied().collect();
    forms.map(Into::into).ok_or_else(|| {
        let text = "the server sent a column of a type that is not known, in a result under a mask";
        Fault::server("unknown_column_type", text)
    })
}
