//! Messages of a client, as payloads without a header: what is right is easy to write, and [`framed`] and
//! [`lying`] put any header before it.
//!
//! Source: MySQL documentation, "Command Phase"; MariaDB Knowledge Base, "COM_STMT_BULK_EXECUTE".

use mysql::constant::{column, command};
use mysql::{lenenc, packet};

/// A message in as many packets as it needs, the first of them with sequence id `seq`.
#[must_use]
pub fn framed(mut seq: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 8);
    packet::write(&mut out, &mut seq, |out| out.extend_from_slice(payload));
    out
}

/// A packet whose header says what it is told to.
#[must_use]
pub fn lying(length: u32, seq: u8, body: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = length.to_le_bytes();
    [&[a, b, c, seq], body].concat()
}

/// COM_QUERY of a client that did not agree on query attributes.
#[must_use]
pub fn query(sql: &[u8]) -> Vec<u8> {
    [&[command::QUERY], sql].concat()
}

/// COM_QUERY of a client that did.
#[must_use]
pub fn query_with_attributes(sql: &[u8], attributes: &[(&str, Parameter<'_>)]) -> Vec<u8> {
    let mut out = vec![command::QUERY];
    lenenc::push_int(&mut out, attributes.len() as u64);
    out.push(1);
    if !attributes.is_empty() {
        push_parameters(&mut out, attributes, true);
    }
    out.extend_from_slice(sql);
    out
}

/// COM_STMT_PREPARE.
#[must_use]
pub fn prepare(sql: &[u8]) -> Vec<u8> {
    [&[command::STMT_PREPARE], sql].concat()
}

/// A value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parameter<'a> {
    /// Any type, its number and flags and the value's bytes, length included where the type has one.
    Any(u8, u8, &'a [u8]),
    /// BLOB.
    Bytes(&'a [u8]),
    /// DOUBLE.
    Double(f64),
    /// BIGINT.
    Int(i64),
    /// A BLOB that COM_STMT_SEND_LONG_DATA sends before.
    Long,
    /// NULL.
    Null,
    /// VAR_STRING.
    Text(&'a str),
}

impl Parameter<'_> {
    fn kind(&self) -> [u8; 2] {
        match self {
            Self::Any(kind, flags, _) => [*kind, *flags],
            Self::Bytes(_) | Self::Long => [column::BLOB, 0],
            Self::Double(_) => [column::DOUBLE, 0],
            Self::Int(_) => [column::LONGLONG, 0],
            Self::Null => [column::NULL, 0],
            Self::Text(_) => [column::VAR_STRING, 0],
        }
    }

    fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::Any(_, _, bytes) => out.extend_from_slice(bytes),
            Self::Bytes(bytes) => lenenc::push_string(out, bytes),
            Self::Double(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Int(value) => out.extend_from_slice(&value.to_le_bytes()),
            Self::Long | Self::Null => {}
            Self::Text(text) => lenenc::push_string(out, text.as_bytes()),
        }
    }
}

/// NULL bitmap, types (with names where `named`), values.
fn push_parameters(out: &mut Vec<u8>, parameters: &[(&str, Parameter<'_>)], named: bool) {
    let mut nulls = vec![0_u8; parameters.len().div_ceil(8)];
    for (at, (_, parameter)) in parameters.iter().enumerate() {
        if let (Parameter::Null, Some(byte)) = (parameter, nulls.get_mut(at / 8)) {
            *byte |= 1 << (at % 8);
        }
    }
    out.extend(nulls);
    out.push(1);
    for (name, parameter) in parameters {
        out.extend(parameter.kind());
        if named {
            lenenc::push_string(out, name.as_bytes());
        }
    }
    for (_, parameter) in parameters {
        parameter.push(out);
    }
}

/// COM_STMT_EXECUTE with all types bound anew; `cursor` 0 for none, 1 for a read-only one. `named`: both sides
/// agreed on query attributes, of which there are none.
#[must_use]
pub fn execute(id: u32, cursor: u8, parameters: &[Parameter<'_>], named: bool) -> Vec<u8> {
    const PARAMETER_COUNT_AVAILABLE: u8 = 8;
    let mut out = vec![command::STMT_EXECUTE];
    out.extend(id.to_le_bytes());
    out.push(if named { cursor | PARAMETER_COUNT_AVAILABLE } else { cursor });
    out.extend(1_u32.to_le_bytes());
    if named {
        lenenc::push_int(&mut out, parameters.len() as u64);
    }
    if !parameters.is_empty() {
        let parameters: Vec<_> = parameters.iter().map(|parameter| ("", *parameter)).collect();
        push_parameters(&mut out, &parameters, named);
    }
    out
}

/// COM_STMT_EXECUTE again, with the types bound before and these values (none of them NULL).
#[must_use]
pub fn execute_again(id: u32, parameters: &[Parameter<'_>]) -> Vec<u8> {
    let mut out = vec![command::STMT_EXECUTE];
    out.extend(id.to_le_bytes());
    out.push(0);
    out.extend(1_u32.to_le_bytes());
    out.extend(vec![0; parameters.len().div_ceil(8)]);
    out.push(0);
    parameters.iter().for_each(|parameter| parameter.push(&mut out));
    out
}

/// MariaDB's COM_STMT_BULK_EXECUTE: rows of values, all of the types of the first row. `flags`: 128 sends
/// the types, 64 asks for the ids that were made.
#[must_use]
pub fn bulk_execute(id: u32, flags: u16, rows: &[Vec<Parameter<'_>>]) -> Vec<u8> {
    let mut out = vec![command::STMT_BULK_EXECUTE];
    out.extend(id.to_le_bytes());
    out.extend(flags.to_le_bytes());
    if flags & 128 != 0 {
        for parameter in rows.first().into_iter().flatten() {
            out.extend(parameter.kind());
        }
    }
    for parameter in rows.iter().flatten() {
        out.push(u8::from(*parameter == Parameter::Null));
        parameter.push(&mut out);
    }
    out
}

/// COM_STMT_SEND_LONG_DATA; nothing answers it.
#[must_use]
pub fn long_data(id: u32, parameter: u16, bytes: &[u8]) -> Vec<u8> {
    [&[command::STMT_SEND_LONG_DATA], &id.to_le_bytes()[..], &parameter.to_le_bytes(), bytes].concat()
}

/// COM_STMT_FETCH.
#[must_use]
pub fn fetch(id: u32, rows: u32) -> Vec<u8> {
    [&[command::STMT_FETCH], &id.to_le_bytes()[..], &rows.to_le_bytes()].concat()
}

/// A command that has a statement's id and nothing else: COM_STMT_RESET, and COM_STMT_CLOSE, which nothing
/// answers.
#[must_use]
pub fn of_statement(command: u8, id: u32) -> Vec<u8> {
    [&[command], &id.to_le_bytes()[..]].concat()
}

/// A command and what follows its byte: COM_INIT_DB with a name, COM_PING with nothing.
#[must_use]
pub fn simple(command: u8, rest: &[u8]) -> Vec<u8> {
    [&[command], rest].concat()
}

/// COM_CHANGE_USER with the answer of a plugin to the greeting's challenge; empty for an empty password, or
/// where another challenge will come.
#[must_use]
pub fn change_user(user: &str, auth: &[u8], database: &str, plugin: &str) -> Vec<u8> {
    let mut out = vec![command::CHANGE_USER];
    out.extend_from_slice(user.as_bytes());
    out.push(0);
    out.push(u8::try_from(auth.len()).expect("a short answer"));
    out.extend_from_slice(auth);
    for text in [database.as_bytes(), b"\0", b"\x2d\0", plugin.as_bytes(), b"\0"] {
        out.extend_from_slice(text);
    }
    // No attributes.
    out.push(0);
    out
}
