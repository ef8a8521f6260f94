//! A record as one line of JSON.
//!
//! Encoding never fails and never writes a line break but the last one. What many records share is encoded
//! once: [`Identity`] for a session, [`Summary`] for a judged statement. The names of the fields are part of
//! the interface ([`crate::record`]) and are held by golden tests.

use crate::json::{self, key};
use crate::record::{
    Connect, Disconnect, Fault, Gap, Judged, LoginFailed, MaskCount, Parameter, Parameters, Record, Refused, Reload,
    Statement, Subject,
};
use crate::room::{MICROSECONDS_BYTES, NUMBER_BYTES, ROOM_BYTES, Room};
use crate::time::{Calendar, LENGTH as TIME_BYTES};

/// Fields of one kind each. Macros, because a name is then copied with its quotes and its colon at once.
macro_rules! string {
    ($out:expr, $name:literal, $value:expr) => {{
        key!($out, $name);
        json::string($out, $value);
    }};
}

macro_rules! string_unless_empty {
    ($out:expr, $name:literal, $value:expr) => {
        if !$value.is_empty() {
            string!($out, $name, $value);
        }
    };
}

macro_rules! text_unless_empty {
    ($out:expr, $name:literal, $value:expr) => {
        if !$value.is_empty() {
            key!($out, $name);
            json::bytes($out, $value);
        }
    };
}

macro_rules! number {
    ($out:expr, $name:literal, $value:expr) => {{
        key!($out, $name);
        json::number($out, $value);
    }};
}

macro_rules! number_unless_zero {
    ($out:expr, $name:literal, $value:expr) => {
        if $value > 0 {
            number!($out, $name, $value);
        }
    };
}

macro_rules! size {
    ($out:expr, $name:literal, $value:expr) => {
        number!($out, $name, u64::try_from($value).unwrap_or(u64::MAX))
    };
}

macro_rules! flag {
    ($out:expr, $name:literal) => {{
        key!($out, $name);
        $out.extend_from_slice(b"true");
    }};
}

/// What follows the identity in the records of statements, which are most of all.
const NUMBER_KEY: &[u8] = b",\"number\":";

/// The fields that all records of one session share, encoded, and [`NUMBER_KEY`] behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Box<[u8]>);

impl Identity {
    /// Encodes them. Made anew when more is known of the client, or when its groups change.
    #[must_use]
    pub fn encode(subject: &Subject<'_>) -> Self {
        let mut fields = Vec::with_capacity(192);
        let out = &mut fields;
        key!(out, "session");
        json::string(out, subject.session);
        key!(out, "client");
        json::string(out, subject.client);
        key!(out, "listener");
        json::string(out, subject.listener);
        text_unless_empty!(out, "user", subject.user);
        if !subject.groups.is_empty() {
            key!(out, "groups");
            json::array(out, subject.groups, |out, group| json::string(out, group));
        }
        text_unless_empty!(out, "database", subject.database);
        text_unless_empty!(out, "application", subject.application);
        out.extend_from_slice(NUMBER_KEY);
        Self(fields.into_boxed_slice())
    }

    /// The fields alone.
    fn fields(&self) -> &[u8] {
        self.0.strip_suffix(NUMBER_KEY).unwrap_or(&self.0)
    }

    /// Bytes of memory that it holds, for callers that bound theirs.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.len()
    }
}

/// The fields that all runs of one judged statement share, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary(Box<[u8]>);

impl Summary {
    /// Encodes them.
    #[must_use]
    pub fn encode(judged: &Judged<'_>) -> Self {
        let mut fields = Vec::with_capacity(judged.statement.bytes.len() + 128);
        let out = &mut fields;
        key!(out, "statement");
        let escaped = json::bytes(out, judged.statement.bytes);
        if escaped {
            flag!(out, "statement_escaped");
        }
        if judged.statement.is_cut() {
            size!(out, "statement_bytes", judged.statement.total_bytes);
            flag!(out, "statement_cut");
        }
        key!(out, "kinds");
        json::array(out, judged.kinds, |out, kind| json::string(out, kind));
        key!(out, "relations");
        json::array(out, judged.relations, |out, relation| json::string(out, relation));
        string!(out, "verdict", judged.verdict.as_str());
        if let Some(rule) = judged.rule {
            string!(out, "rule", rule);
        }
        if !judged.reported.is_empty() {
            key!(out, "reported");
            json::array(out, judged.reported, |out, rule| json::string(out, rule));
        }
        Self(fields.into_boxed_slice())
    }

    /// Bytes of memory that it holds, for callers that bound theirs.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.len()
    }
}

/// Appends one record: one JSON object and a line break.
pub fn encode(record: &Record<'_>, out: &mut Vec<u8>) {
    encode_with(record, &mut Scratch::new(), out);
}

/// What one record after the other is written with.
#[derive(Debug)]
pub(crate) struct Scratch {
    calendar: Calendar,
    room: Room,
}

impl Scratch {
    pub(crate) const fn new() -> Self {
        Self { calendar: Calendar::new(), room: Room::new() }
    }
}

/// As [`encode`], with what the record before it was written with.
pub(crate) fn encode_with(record: &Record<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) {
    let (event, unix_ns) = match record {
        Record::Statement(record) => return statement(record, scratch, out),
        Record::Connect(record) => ("connect", record.unix_ns),
        Record::Disconnect(record) => ("disconnect", record.unix_ns),
        Record::Fault(record) => ("fault", record.unix_ns),
        Record::Gap(record) => ("gap", record.unix_ns),
        Record::LoginFailed(record) => ("login_failed", record.unix_ns),
        Record::Refused(record) => ("refused", record.unix_ns),
        Record::Reload(record) => ("reload", record.unix_ns),
    };
    out.extend_from_slice(b"{\"event\":\"");
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\",\"time\":\"");
    out.extend_from_slice(scratch.calendar.text(unix_ns));
    out.push(b'"');
    match record {
        Record::Connect(record) => connect(record, out),
        Record::Disconnect(record) => disconnect(record, out),
        Record::Fault(record) => fault(record, out),
        Record::Gap(record) => gap(record, out),
        Record::LoginFailed(record) => login_failed(record, out),
        Record::Refused(record) => refused(record, out),
        Record::Reload(record) => reload(record, out),
        Record::Statement(_) => {}
    }
    out.extend_from_slice(b"}\n");
}

/// The beginning of a statement's line, before its time.
const STATEMENT_HEAD: &[u8; 29] = b"{\"event\":\"statement\",\"time\":\"";

fn statement(record: &Statement<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) {
    let mut head = [b'"'; STATEMENT_HEAD.len() + TIME_BYTES + 1];
    head[..STATEMENT_HEAD.len()].copy_from_slice(STATEMENT_HEAD);
    head[STATEMENT_HEAD.len()..STATEMENT_HEAD.len() + TIME_BYTES]
        .copy_from_slice(scratch.calendar.text(record.unix_ns));
    out.extend_from_slice(&head);
    out.extend_from_slice(&record.identity.0);
    json::number(out, record.number);
    number_unless_zero!(out, "part", u64::from(record.part));
    out.extend_from_slice(&record.summary.0);
    let room = &mut scratch.room;
    room.clear();
    parameters(record.parameters, room, out);
    if !record.masks.is_empty() || record.oversized_cells > 0 || record.local_file.is_some() {
        room.flush(out);
        treatment(record, out);
    }
    ending(record, room, out);
}

/// What was done to its cells and with a file.
fn treatment(record: &Statement<'_>, out: &mut Vec<u8>) {
    if !record.masks.is_empty() {
        key!(out, "masks");
        json::array(out, record.masks, mask_count);
    }
    number_unless_zero!(out, "oversized_cells", record.oversized_cells);
    if let Some(file) = record.local_file {
        text_unless_empty!(out, "local_file", file.name);
        number!(out, "local_file_bytes", file.bytes);
    }
}

/// The longest tag that is written in place; the longest that PostgreSQL knows by name has 27 bytes.
const TAG_BYTES: usize = 48;

/// The longest parameter that is written in place, and how much may be there before it.
const PARAMETER_BYTES: usize = 40;
const PARAMETERS_BYTES: usize = 160;

// What is counted on where something is written in place: parameters, and behind them what `ending` writes.
const _: () = assert!(
    PARAMETERS_BYTES
        + PARAMETER_BYTES
        + b",\"parameters\":[,\"\"]".len()
        + b",\"rows\":,\"bytes_in\":,\"bytes_out\":,\"tag\":\"\",\"server_us\":,\"gateway_us\":}\n".len()
        + 3 * NUMBER_BYTES
        + 2 * MICROSECONDS_BYTES
        + TAG_BYTES
        + b",\"suspended\":true,\"abandoned\":true".len()
        < ROOM_BYTES
);

/// The counts and times, with which every line ends.
fn ending(record: &Statement<'_>, room: &mut Room, out: &mut Vec<u8>) {
    room.literal(b",\"rows\":");
    room.number(record.rows);
    room.literal(b",\"bytes_in\":");
    room.number(record.bytes_in);
    room.literal(b",\"bytes_out\":");
    room.number(record.bytes_out);
    if record.tag.len() <= TAG_BYTES && json::is_plain_ascii(record.tag) {
        if !record.tag.is_empty() {
            room.literal(b",\"tag\":\"");
            room.text(record.tag);
            room.literal(b"\"");
        }
    } else {
        room.flush(out);
        text_unless_empty!(out, "tag", record.tag);
    }
    if record.sqlstate.is_some() || record.error_code.is_some() {
        room.flush(out);
        error(out, record.sqlstate, record.error_code);
    }
    room.literal(b",\"server_us\":");
    room.microseconds(record.server_ns);
    room.literal(b",\"gateway_us\":");
    room.microseconds(record.gateway_ns);
    if record.suspended {
        room.literal(b",\"suspended\":true");
    }
    if record.abandoned {
        room.literal(b",\"abandoned\":true");
    }
    room.literal(b"}\n");
    room.flush(out);
}

/// Bind parameters: in place where they are short and plain, as keys and names are.
fn parameters(bound: &dyn Parameters, room: &mut Room, out: &mut Vec<u8>) {
    let total = bound.total();
    if total == 0 {
        return;
    }
    room.literal(b",\"parameters\":[");
    let (mut kept, mut typed) = (0, false);
    bound.each(&mut |shown, type_name| {
        if kept > 0 {
            room.literal(b",");
        }
        kept += 1;
        typed |= !type_name.is_empty();
        if room.len() > PARAMETERS_BYTES {
            room.flush(out);
        }
        match shown {
            Parameter::Text(text) if !text.is_cut() && is_short(text.bytes) => {
                room.literal(b"\"");
                room.text(text.bytes);
                room.literal(b"\"");
            }
            shown => {
                room.flush(out);
                parameter(out, &shown);
            }
        }
    });
    room.literal(b"]");
    if total > kept || typed {
        room.flush(out);
        if total > kept {
            size!(out, "parameters_total", total);
        }
        if typed {
            parameter_types(bound, out);
        }
    }
}

/// Whether a parameter is written in place.
#[inline]
fn is_short(text: &[u8]) -> bool {
    text.len() <= PARAMETER_BYTES && json::is_plain_ascii(text)
}

fn parameter_types(bound: &dyn Parameters, out: &mut Vec<u8>) {
    key!(out, "parameter_types");
    let mut before: &[u8] = b"[";
    bound.each(&mut |_, type_name| {
        out.extend_from_slice(before);
        before = b",";
        match type_name.is_empty() {
            true => out.extend_from_slice(b"null"),
            false => json::string(out, type_name),
        }
    });
    out.push(b']');
}

fn connect(record: &Connect<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(record.identity.fields());
    string_unless_empty!(out, "tls", record.tls);
    string_unless_empty!(out, "upstream_tls", record.upstream_tls);
    string!(out, "auth", record.auth);
}

fn login_failed(record: &LoginFailed<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(record.identity.fields());
    string!(out, "reason", record.reason);
    error(out, Some(record.sqlstate), record.error_code);
}

fn disconnect(record: &Disconnect<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(record.identity.fields());
    string!(out, "reason", record.reason);
    key!(out, "duration_us");
    json::microseconds(out, record.duration_ns);
    number!(out, "statements", record.statements);
    number!(out, "bytes_in", record.bytes_in);
    number!(out, "bytes_out", record.bytes_out);
}

fn refused(record: &Refused<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(record.identity.fields());
    string!(out, "reason", record.reason);
    error(out, record.sqlstate, record.error_code);
}

fn fault(record: &Fault<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(record.identity.fields());
    string!(out, "culprit", record.culprit);
    string!(out, "reason", record.reason);
    string!(out, "message", record.message);
    error(out, Some(record.sqlstate), record.error_code);
}

fn reload(record: &Reload<'_>, out: &mut Vec<u8>) {
    string!(out, "cause", record.cause);
    key!(out, "loaded");
    out.extend_from_slice(if record.problems.is_empty() { b"true" } else { b"false" });
    number!(out, "generation", record.generation);
    if !record.problems.is_empty() {
        key!(out, "problems");
        json::array(out, record.problems, |out, problem| json::string(out, problem));
    }
}

fn gap(record: &Gap<'_>, out: &mut Vec<u8>) {
    number!(out, "dropped", record.dropped);
    string!(out, "error", record.error);
}

fn parameter(out: &mut Vec<u8>, parameter: &Parameter<'_>) {
    let text = match parameter {
        Parameter::Null => return out.extend_from_slice(b"null"),
        Parameter::Masked => return out.extend_from_slice(b"{\"masked\":true}"),
        Parameter::Text(text) if !text.is_cut() => {
            json::bytes(out, text.bytes);
            return;
        }
        Parameter::Text(text) => {
            out.extend_from_slice(b"{\"text\":");
            json::bytes(out, text.bytes);
            text
        }
        Parameter::Binary(text) => {
            out.extend_from_slice(b"{\"hex\":");
            json::hex(out, text.bytes);
            text
        }
    };
    if text.is_cut() {
        size!(out, "total_bytes", text.total_bytes);
        flag!(out, "cut");
    }
    out.push(b'}');
}

fn mask_count(out: &mut Vec<u8>, mask: &MaskCount<'_>) {
    out.extend_from_slice(b"{\"rule\":");
    json::string(out, mask.rule);
    number!(out, "cells", mask.cells);
    out.push(b'}');
}

fn error(out: &mut Vec<u8>, sqlstate: Option<[u8; 5]>, code: Option<u16>) {
    if let Some(sqlstate) = sqlstate {
        key!(out, "sqlstate");
        json::bytes(out, &sqlstate);
    }
    if let Some(code) = code {
        number!(out, "error_code", u64::from(code));
    }
}

#[cfg(test)]
mod tests;
