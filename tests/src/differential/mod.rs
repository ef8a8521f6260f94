//! Statements for MySQL and MariaDB whose replies must not differ by a byte with and without the gateway.
//!
//! [`written`] holds those that somebody thought of, [`made`] those that a seed gives: the same seed gives the
//! same statements. None of them shows a time, an id of a session or anything else that two servers' sessions
//! would not agree on; their database's name may show, and is put right before two replies are compared.

use crate::mysql_raw::Client;
use crate::mysql_raw::message::{self, Parameter};
use crate::mysql_raw::reply::{End, Reply};
use mysql::constant::command;

pub mod made;
pub mod written;

/// A bound value of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Type, flags, bytes with their length where the type has one.
    Any(u8, u8, Vec<u8>),
    /// NULL.
    Null,
}

impl Value {
    /// As the raw client takes it.
    #[must_use]
    pub fn parameter(&self) -> Parameter<'_> {
        match self {
            Self::Any(kind, flags, bytes) => Parameter::Any(*kind, *flags, bytes),
            Self::Null => Parameter::Null,
        }
    }
}

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole command.
    Command(Vec<u8>),
    /// A statement to prepare, the values of each of its executions, and with how many rows a cursor is
    /// fetched; 0 is no cursor.
    Prepared(Vec<u8>, Vec<Vec<Value>>, u32),
    /// SQL for COM_QUERY.
    Query(Vec<u8>),
}

impl Step {
    /// SQL as text.
    #[must_use]
    pub fn query(sql: &str) -> Self {
        Self::Query(sql.as_bytes().to_vec())
    }

    /// SQL without parameters, prepared and run twice.
    #[must_use]
    pub fn prepared(sql: &str) -> Self {
        Self::Prepared(sql.as_bytes().to_vec(), vec![Vec::new(), Vec::new()], 0)
    }

    /// Takes the step, and asks for the warnings where it left any. Returns everything that was said.
    pub fn take(&self, client: &mut Client) -> Vec<Reply> {
        let mut replies = Vec::new();
        match self {
            Self::Command(payload) => replies.push(client.ask(payload)),
            Self::Query(sql) => replies.push(client.query_bytes(sql)),
            Self::Prepared(sql, rounds, rows) => run_prepared(client, sql, rounds, *rows, &mut replies),
        }
        if replies.iter().flat_map(|reply| &reply.parts).any(|part| leaves_warnings(&part.end)) {
            replies.push(client.query("SHOW WARNINGS"));
        }
        replies
    }
}

fn run_prepared(client: &mut Client, sql: &[u8], rounds: &[Vec<Value>], rows: u32, replies: &mut Vec<Reply>) {
    let prepared = client.ask(&message::prepare(sql));
    let id = crate::mysql_raw::reply::Prepared::of(&prepared).map(|prepared| prepared.id);
    replies.push(prepared);
    let Some(id) = id else { return };
    for values in rounds {
        let parameters: Vec<Parameter<'_>> = values.iter().map(Value::parameter).collect();
        replies.push(client.execute(id, u8::from(rows > 0), &parameters));
        let mut open = rows > 0 && has_cursor(replies);
        while open {
            let fetched = client.ask(&message::fetch(id, rows));
            open = has_cursor(std::slice::from_ref(&fetched)) && !is_at_end(&fetched);
            replies.push(fetched);
        }
    }
    client.command(&message::of_statement(command::STMT_CLOSE, id));
}

fn last_status(replies: &[Reply]) -> u16 {
    replies.last().and_then(|reply| reply.parts.last()).map_or(0, |part| part.end.status())
}

fn has_cursor(replies: &[Reply]) -> bool {
    last_status(replies) & mysql::constant::status::CURSOR_EXISTS != 0
}

fn is_at_end(reply: &Reply) -> bool {
    last_status(std::slice::from_ref(reply)) & mysql::constant::status::LAST_ROW_SENT != 0
}

fn leaves_warnings(end: &End) -> bool {
    match end {
        End::Ok { warnings, .. } | End::Eof { warnings, .. } => *warnings > 0,
        End::Err { .. } => true,
        _ => false,
    }
}
