//! The client's commands: which are judged and as what, which pass, which are answered here.
//!
//! A command without SQL is judged as the statement that would do the same, so that one rule holds for both.
//! A command that is not known is answered with error 1047, as a server does, and not passed.
//!
//! Source: MySQL documentation, "Text Protocol", "Utility Commands", "Prepared Statements"; MariaDB
//! Knowledge Base, "COM_STMT_BULK_EXECUTE".

use std::cell::Cell;
use std::rc::Rc;

use wire::cursor::Cursor;
use wire::fault::Fault;
use wire::guard::{Carrier, Denial, Guard};
use wire::parameters::Parameters;

use crate::capability::Capabilities;
use crate::client::ClientMode;
use crate::constant::{command, error};
use crate::decisions::Decision;
use crate::lenenc;
use crate::packet::Header;
use crate::parameters::{self, Binding};
use crate::pipeline::{Answer, Effect, Entry, Reply, Run};
use crate::scrub;
use crate::session::{Gate, Output, Session};
use crate::statements::{Last, Prepared};

/// Bits of COM_STMT_EXECUTE's flags that ask for a cursor.
const CURSOR: u8 = 0x07;
/// The bit that says that a count of parameters follows.
const PARAMETER_COUNT: u8 = 0x08;
/// The bit of COM_STMT_BULK_EXECUTE's flags that says that types follow.
const BULK_TYPES: u8 = 0x80;

/// The beginning of a message: all of it, or as much as is read of its kind.
pub(crate) struct Part<'a> {
    /// The payload of its first packet, as far as it is wanted.
    pub(crate) payload: &'a [u8],
    /// Where the packet's header lies in the chunk; `None` when it was gathered on the heap.
    pub(crate) at: Option<usize>,
    /// The first packet's header.
    pub(crate) header: Header,
}

impl Part<'_> {
    /// Whether nothing of the message is missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.payload.len() == self.header.body && !self.header.continues()
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.payload.get(1..).unwrap_or_default()
    }

    fn bytes(&self) -> u64 {
        u64::try_from(self.header.total()).unwrap_or(u64::MAX)
    }

    /// Sends it on.
    pub(crate) fn forward(&self, out: &mut Output) -> ClientMode {
        match self.at {
            Some(at) => out.to_server.push_chunk(at..at + self.header.total()),
            None => out.to_server.write_owned(|owned| {
                owned.extend_from_slice(&self.header.bytes());
                owned.extend_from_slice(self.payload);
            }),
        }
        ClientMode::Forward
    }
}

/// What became of a message.
pub(crate) enum Step {
    /// It is done with; what is to come of it goes this way.
    Done(ClientMode),
    /// It must wait; the same bytes are handed over again.
    Blocked,
}

pub(crate) fn refused(answer: Answer) -> Step {
    Step::Done(ClientMode::Swallow(Some(answer)))
}

pub(crate) fn denied(denial: Denial) -> Step {
    refused(Answer::Denial(Box::new(denial)))
}

pub(crate) fn malformed() -> Step {
    refused(Answer::Error(error::MALFORMED_PACKET, *b"HY000", "Malformed communication packet.".into()))
}

/// In MariaDB's words, which name its function for the command; MySQL's name another one of its own.
fn unknown_statement(id: u32, function: &str) -> Step {
    let text = format!("Unknown prepared statement handler ({id}) given to {function}");
    refused(Answer::Error(error::UNKNOWN_STATEMENT, *b"HY000", text.into()))
}

/// A name as it stands in SQL.
fn quoted(prefix: &str, name: &[u8]) -> Vec<u8> {
    let mut sql = prefix.as_bytes().to_vec();
    sql.push(b'`');
    for byte in name {
        sql.push(*byte);
        if *byte == b'`' {
            sql.push(b'`');
        }
    }
    sql.push(b'`');
    sql
}

/// What FLUSH or RESET a COM_REFRESH asks for.
fn flush(flags: u8) -> String {
    const NAMES: [&str; 8] = ["PRIVILEGES", "LOGS", "TABLES", "HOSTS", "STATUS", "THREADS", "SLAVE", "MASTER"];
    let set = |index: usize| flags & (1 << index) != 0;
    let flushed: Vec<&str> = (0..6).filter(|index| set(*index)).filter_map(|index| NAMES.get(index).copied()).collect();
    let reset: Vec<&str> = (6..8).filter(|index| set(*index)).filter_map(|index| NAMES.get(index).copied()).collect();
    match (flushed.is_empty(), reset.is_empty()) {
        (_, true) => format!("FLUSH {}", flushed.join(", ")),
        (true, false) => format!("RESET {}", reset.join(", ")),
        (false, false) => format!("FLUSH {}; RESET {}", flushed.join(", "), reset.join(", ")),
    }
}

impl<G: Guard> Session<G> {
    /// Takes up a message, of which enough is there.
    pub(crate) fn request(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        if self.login.is_some() {
            return self.login_answer(part, guard, out);
        }
        let command = part.payload.first().copied().unwrap_or(command::SLEEP);
        match command {
            command::QUERY => return self.query(part, guard, out),
            command::STMT_PREPARE => return self.prepare(part, guard, out),
            command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => return self.execute(part, guard, out),
            command::STMT_SEND_LONG_DATA => return Ok(self.long_data(part, out)),
            _ if !part.is_whole() => return Ok(malformed()),
            _ => {}
        }
        let body = part.body();
        match command {
            command::QUIT => {
                self.terminated = true;
                Ok(Step::Done(part.forward(out)))
            }
            command::INIT_DB => self.command(part, &quoted("USE ", body), Reply::Ok, guard, out),
            command::FIELD_LIST => {
                let table = body.split(|byte| *byte == 0).next().unwrap_or_default();
                self.command(part, &quoted("SHOW COLUMNS FROM ", table), Reply::Fields, guard, out)
            }
            command::CREATE_DB => self.command(part, &quoted("CREATE DATABASE ", body), Reply::Ok, guard, out),
            command::DROP_DB => self.command(part, &quoted("DROP DATABASE ", body), Reply::Ok, guard, out),
            command::REFRESH => {
                let sql = flush(body.first().copied().unwrap_or(0));
                self.command(part, sql.as_bytes(), Reply::Ok, guard, out)
            }
            command::SHUTDOWN => self.command(part, b"SHUTDOWN", Reply::Ok, guard, out),
            command::PROCESS_INFO => {
                self.command(part, b"SHOW PROCESSLIST", Reply::Results { binary: false }, guard, out)
            }
            command::PROCESS_KILL => {
                let Ok(id) = lenenc::u32(&mut Cursor::new(body), "connection id") else { return Ok(malformed()) };
                self.command(part, format!("KILL {id}").as_bytes(), Reply::Ok, guard, out)
            }
            command::STATISTICS => self.quiet(part, Reply::Text, Effect::None, out),
            command::PING | command::DEBUG | command::SET_OPTION => self.quiet(part, Reply::Ok, Effect::None, out),
            command::RESET_CONNECTION => self.reset_connection(part, out),
            command::CHANGE_USER => self.change_user(part, guard, out),
            command::STMT_CLOSE => Ok(self.close(part, out)),
            command::STMT_RESET => self.reset(part, out),
            command::STMT_FETCH => self.fetch(part, guard, out),
            command::BINLOG_DUMP
            | command::BINLOG_DUMP_GTID
            | command::REGISTER_SLAVE
            | command::SUBSCRIBE_GROUP_REPLICATION
            | command::TABLE_DUMP
            | command::CLONE => self.replicate(command, part, guard, out),
            _ => {
                let text = "Unknown command".into();
                Ok(refused(Answer::Error(error::UNKNOWN_COMMAND, *b"08S01", text)))
            }
        }
    }

    /// A command that needs no verdict.
    fn quiet(&mut self, part: &Part<'_>, reply: Reply, effect: Effect<G>, out: &mut Output) -> Result<Step, Fault> {
        self.pipeline.push(Entry::Quiet(reply, effect))?;
        Ok(Step::Done(part.forward(out)))
    }

    /// A command that is judged as `sql`.
    fn command(
        &mut self,
        part: &Part<'_>,
        sql: &[u8],
        reply: Reply,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Step, Fault> {
        match self.decide_text(sql, sql.len(), Carrier::Command, guard, out)? {
            Decision::Wait => Ok(Step::Blocked),
            Decision::Deny(denial) => Ok(denied(denial)),
            Decision::Allow(statement) => {
                self.run(part, (statement, false), Parameters::new(), reply, None, guard, out)
            }
        }
    }

    /// A statement goes to the server. `(statement, own_text)`.
    #[expect(clippy::too_many_arguments, reason = "one call site for each kind of command")]
    fn run(
        &mut self,
        part: &Part<'_>,
        (statement, own_text): (G::Statement, bool),
        parameters: Parameters,
        reply: Reply,
        prepared: Option<(Rc<Prepared<G>>, bool)>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Step, Fault> {
        let bytes = part.bytes();
        let text = u64::try_from(wire::limits::AUDIT_STATEMENT_BYTES).unwrap_or(u64::MAX);
        let weight = parameters::weight(&parameters) + bytes.min(text);
        // What is begun is also ended.
        self.pipeline.check_room(weight)?;
        let wants = guard.wants_columns(&statement);
        let limit = if matches!(reply, Reply::Results { .. }) { guard.row_limit(&statement) } else { None };
        let left = limit.map(|rows| Rc::new(Cell::new(rows)));
        let execution = guard.begin(&statement, parameters);
        let run = Run { statement, wants, execution, bytes, weight, reply, own_text, prepared, left, silenced: false };
        self.pipeline.push(Entry::Run(run))?;
        Ok(Step::Done(part.forward(out)))
    }

    fn query(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        let body = part.body();
        let (attributes, skip) = if self.options.client.has(Capabilities::QUERY_ATTRIBUTES) {
            match parameters::attributes(body) {
                Ok(found) => found,
                Err(_) => return Ok(malformed()),
            }
        } else {
            (Parameters::new(), 0)
        };
        let sql = body.get(skip..).unwrap_or_default();
        // Of a text of several packets the first one's length is known; more is to come.
        let total = (part.header.body - 1).saturating_sub(skip) + usize::from(part.header.continues());
        match self.decide_text(sql, total, Carrier::Query, guard, out)? {
            Decision::Wait => Ok(Step::Blocked),
            Decision::Deny(denial) => Ok(denied(denial)),
            Decision::Allow(statement) => {
                if let Some(waits) = self.unsettled(&statement, part, guard) {
                    return Ok(waits);
                }
                let own_text = guard.wants_columns(&statement) && sql.len() == total && scrub::runs_no_other(sql);
                self.run(part, (statement, own_text), attributes, Reply::Results { binary: false }, None, guard, out)
            }
        }
    }

    fn prepare(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        let sql = part.body();
        let total = part.header.body - 1 + usize::from(part.header.continues());
        if !self.statements.has_room(total) {
            self.statements.last = Last::None;
            let text = "Too many prepared statements are open in this session";
            return Ok(refused(Answer::Error(error::TOO_MANY_STATEMENTS, *b"42000", text.into())));
        }
        match self.decide_text(sql, total, Carrier::Prepare, guard, out)? {
            Decision::Wait => Ok(Step::Blocked),
            Decision::Deny(denial) => {
                // −1 must not run what was prepared before.
                self.statements.last = Last::None;
                Ok(denied(denial))
            }
            Decision::Allow(statement) => {
                let wants = guard.wants_columns(&statement);
                let own_text = wants && sql.len() == total && scrub::runs_no_other(sql);
                let prepared = Rc::new(Prepared::new(statement, wants, own_text, total));
                self.statements.sent(&prepared);
                self.pipeline.push(Entry::Prepare { prepared, bytes: part.bytes() })?;
                Ok(Step::Done(part.forward(out)))
            }
        }
    }

    fn execute(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        let mut cursor = Cursor::new(part.body());
        let (Ok(id), Ok(flags)) = (lenenc::u32(&mut cursor, "id"), cursor.u8("flags")) else { return Ok(malformed()) };
        let Some(prepared) = self.statements.find(id).map(Rc::clone) else {
            return Ok(unknown_statement(id, "mysqld_stmt_execute"));
        };
        match self.decide_again(&prepared, guard, out)? {
            Decision::Wait => Ok(Step::Blocked),
            Decision::Deny(denial) => Ok(denied(denial)),
            Decision::Allow(statement) => {
                if let Some(waits) = self.unsettled(&statement, part, guard) {
                    return Ok(waits);
                }
                let bulk = part.payload.first() == Some(&command::STMT_BULK_EXECUTE);
                // What follows the flags: their second byte, or the count of iterations.
                let skipped = cursor.bytes(if bulk { 1 } else { 4 }, "flags or iterations").is_ok();
                let parameters =
                    if skipped { self.bound(&prepared, bulk, flags, cursor.rest()) } else { Parameters::new() };
                prepared.long.borrow_mut().clear();
                prepared.cursor.replace(None);
                let opens_cursor = !bulk && flags & CURSOR != 0;
                let (own_text, reply) = (prepared.own_text, Reply::Results { binary: true });
                self.run(part, (statement, own_text), parameters, reply, Some((prepared, opens_cursor)), guard, out)
            }
        }
    }

    /// Parameters of an execution, and the types that it leaves.
    fn bound(&self, prepared: &Prepared<G>, bulk: bool, flags: u8, body: &[u8]) -> Parameters {
        let count = prepared.parameters.get().map(usize::from);
        let named = self.options.client.has(Capabilities::QUERY_ATTRIBUTES);
        let long = prepared.long.borrow();
        let types = prepared.types.borrow().clone();
        let binding = Binding { count, named, types, long: &long };
        let bound = match bulk {
            true => parameters::bulk(body, flags & BULK_TYPES != 0, &binding),
            false => parameters::bound(body, flags & PARAMETER_COUNT != 0, &binding),
        };
        if bound.types.is_some() {
            prepared.types.replace(bound.types);
        }
        bound.parameters
    }

    /// A piece of a parameter; has no answer, not even where it is wrong.
    fn long_data(&mut self, part: &Part<'_>, out: &mut Output) -> Step {
        let mut cursor = Cursor::new(part.body());
        let fields = (lenenc::u32(&mut cursor, "id"), lenenc::u16(&mut cursor, "parameter"));
        let (Ok(id), Ok(index)) = fields else { return Step::Done(ClientMode::Swallow(None)) };
        let Some(prepared) = self.statements.find(id) else { return Step::Done(ClientMode::Swallow(None)) };
        prepared.append_long(index, cursor.rest(), part.header.body.saturating_sub(7));
        Step::Done(part.forward(out))
    }

    fn close(&mut self, part: &Part<'_>, out: &mut Output) -> Step {
        let id = lenenc::u32(&mut Cursor::new(part.body()), "id").ok();
        match id.filter(|id| self.statements.find(*id).is_some()) {
            Some(id) => {
                self.statements.close(id);
                Step::Done(part.forward(out))
            }
            None => Step::Done(ClientMode::Swallow(None)),
        }
    }

    fn reset(&mut self, part: &Part<'_>, out: &mut Output) -> Result<Step, Fault> {
        let Ok(id) = lenenc::u32(&mut Cursor::new(part.body()), "id") else { return Ok(malformed()) };
        let Some(prepared) = self.statements.find(id).map(Rc::clone) else {
            return Ok(unknown_statement(id, "mysqld_stmt_reset"));
        };
        self.quiet(part, Reply::Ok, Effect::ResetStatement(prepared), out)
    }

    /// Rows of a cursor, under the plan that its execution made.
    fn fetch(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        let Ok(id) = lenenc::u32(&mut Cursor::new(part.body()), "id") else { return Ok(malformed()) };
        let Some(prepared) = self.statements.find(id).map(Rc::clone) else {
            return Ok(unknown_statement(id, "mysqld_stmt_fetch"));
        };
        let statement = prepared.statement.borrow().clone();
        self.run(part, (statement, false), Parameters::new(), Reply::Rows, Some((prepared, true)), guard, out)
    }

    /// What is sent behind it is read under the settings that it leaves, and so waits for its answer.
    fn reset_connection(&mut self, part: &Part<'_>, out: &mut Output) -> Result<Step, Fault> {
        if !self.is_drained() {
            self.gate = Gate::Drain;
            return Ok(Step::Blocked);
        }
        self.gate = Gate::Resetting;
        self.quiet(part, Reply::Ok, Effect::ResetConnection, out)
    }

    /// What becomes of a statement behind which the settings are asked for: it runs alone, so that nothing behind it is
    /// read under settings that it may have changed. `None`: it may run now.
    fn unsettled(&mut self, statement: &G::Statement, part: &Part<'_>, guard: &G) -> Option<Step> {
        if !guard.unsettles(statement) {
            return None;
        }
        if !self.is_drained() {
            self.gate = Gate::Drain;
            return Some(Step::Blocked);
        }
        if !part.is_whole() {
            let message = "a statement that changes how later ones are read is refused at this length".into();
            return Some(denied(Denial { sqlstate: *b"42501", message, hint: None }));
        }
        self.gate = Gate::Resetting;
        None
    }

    /// The binary log and its kin.
    fn replicate(&mut self, command: u8, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        // Tables and clones are sent in forms that nobody follows.
        let (name, reply) = match command {
            command::REGISTER_SLAVE => ("COM_REGISTER_SLAVE", Some(Reply::Ok)),
            command::BINLOG_DUMP => ("COM_BINLOG_DUMP", Some(Reply::Stream)),
            command::BINLOG_DUMP_GTID => ("COM_BINLOG_DUMP_GTID", Some(Reply::Stream)),
            command::SUBSCRIBE_GROUP_REPLICATION => ("COM_SUBSCRIBE_GROUP_REPLICATION_STREAM", None),
            command::TABLE_DUMP => ("COM_TABLE_DUMP", None),
            _ => ("COM_CLONE", None),
        };
        match reply.filter(|_| self.options.replication && guard.may_replicate()) {
            Some(reply) => self.command(part, b"SHOW BINLOG EVENTS", reply, guard, out),
            None => {
                let denial = no_replication();
                guard.command_refused(name, &denial);
                Ok(denied(denial))
            }
        }
    }
}

fn no_replication() -> Denial {
    Denial {
        sqlstate: *b"42501",
        message: "replication commands are refused: all data would leave by them unmasked".into(),
        hint: None,
    }
}
