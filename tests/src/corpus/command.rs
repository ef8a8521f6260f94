//! What an entry of MySQL and MariaDB sends: commands of the protocol, and the conversation that they make.

use super::entry::Way;
use super::step::{Seen, Step, Surroundings, padded, unescaped};
use crate::corpus::client::{Client, Expected, Login, framed};
use crate::raw::Frame;
use serde::Deserialize;
use std::time::Duration;

/// Rows that each COM_STMT_FETCH asks for.
const FETCHED_ROWS: u32 = 2;
/// Most fetches of one cursor.
const FETCHES: usize = 20;

/// One command. Those of a step go in one write, and their replies are read behind it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// COM_QUERY.
    Query(String),
    /// COM_QUERY with `\xNN` for bytes that are no UTF-8.
    QueryBytes(String),
    /// COM_QUERY with a query attribute of that name and value ahead of the text.
    QueryWith {
        /// Name of the attribute.
        name: String,
        /// Its value.
        value: String,
        /// The text.
        sql: String,
    },
    /// COM_STMT_PREPARE.
    Prepare(String),
    /// COM_STMT_EXECUTE without parameters, of the statement prepared last; −1 as MariaDB's id of that.
    Execute {
        /// The id; left out: the one that the server gave.
        #[serde(default)]
        id: Option<i64>,
        /// Values in text, one for each parameter.
        #[serde(default)]
        values: Vec<String>,
    },
    /// COM_STMT_SEND_LONG_DATA for a parameter.
    LongData {
        /// Which parameter, from 0.
        parameter: u16,
        /// The piece.
        data: String,
    },
    /// COM_STMT_CLOSE.
    Close,
    /// COM_STMT_RESET.
    Reset,
    /// COM_INIT_DB.
    InitDb(String),
    /// COM_FIELD_LIST of a table.
    FieldList(String),
    /// COM_CHANGE_USER to a user without a password.
    ChangeUser {
        /// The user.
        user: String,
        /// The database.
        #[serde(default)]
        database: String,
    },
    /// COM_RESET_CONNECTION.
    ResetConnection,
    /// COM_PROCESS_INFO.
    ProcessInfo,
    /// COM_STATISTICS.
    Statistics,
    /// COM_PING.
    Ping,
    /// COM_SET_OPTION: 0 turns several statements in a text on, 1 off.
    SetOption(u16),
    /// COM_BINLOG_DUMP from a position of a file.
    BinlogDump(String),
    /// Any command, answered by OK or ERR or by packets without end.
    Raw {
        /// Its byte.
        command: u8,
        /// What follows, with `\xNN`.
        #[serde(default)]
        body: String,
        /// Packets without end answer it.
        #[serde(default)]
        stream: bool,
    },
}

impl Command {
    /// Its payload, and what answers it.
    fn payload(&self, client: &Client, filled: &dyn Fn(&str) -> String) -> (Vec<u8>, Expected) {
        let results = Expected::Results { binary: false };
        let with_text = |command: u8, text: &str| [&[command], filled(text).as_bytes()].concat();
        let of_statement = |command: u8| [&[command][..], &client.statement.to_le_bytes()].concat();
        match self {
            Self::Query(sql) => (client.text(filled(sql).as_bytes()), results),
            Self::QueryBytes(sql) => (client.text(&unescaped(&filled(sql))), results),
            Self::QueryWith { name, value, sql } => {
                let value = filled(value);
                let length = |text: &str| u8::try_from(text.len()).unwrap_or(250);
                let mut payload = vec![3, 1, 1, 0, 1, 0xfe, 0, length(name)];
                payload.extend(name.as_bytes());
                payload.push(length(&value));
                payload.extend(value.as_bytes());
                payload.extend(filled(sql).as_bytes());
                (payload, results)
            }
            Self::Prepare(sql) => (with_text(0x16, sql), Expected::Prepared),
            Self::Execute { id, values } => {
                let values: Vec<String> = values.iter().map(|value| filled(value)).collect();
                let id = id.map_or(client.statement, |id| u32::try_from(id & 0xffff_ffff).unwrap_or(u32::MAX));
                (execute(id, 0, &values, client.has("query_attributes")), Expected::Results { binary: true })
            }
            Self::LongData { parameter, data } => {
                let head = of_statement(0x18);
                ([&head, &parameter.to_le_bytes()[..], filled(data).as_bytes()].concat(), Expected::Nothing)
            }
            Self::Close => (of_statement(0x19), Expected::Nothing),
            Self::Reset => (of_statement(0x1a), Expected::Ok),
            Self::InitDb(name) => (with_text(2, name), Expected::Ok),
            Self::FieldList(table) => (with_text(4, &(table.clone() + "\0")), Expected::Fields),
            Self::ChangeUser { user, database } => {
                let text = format!("{user}\0\0{database}\0\x2d\0mysql_native_password\0");
                (with_text(0x11, &text), Expected::Login)
            }
            Self::ResetConnection => (vec![0x1f], Expected::Ok),
            Self::ProcessInfo => (vec![0x0a], results),
            Self::Statistics => (vec![9], Expected::Text),
            Self::Ping => (vec![0x0e], Expected::Ok),
            Self::SetOption(option) => ([&[0x1b][..], &option.to_le_bytes()].concat(), Expected::Ok),
            Self::BinlogDump(file) => {
                let fixed = [0x12, 4, 0, 0, 0, 0, 0, 99, 0, 0, 0];
                ([&fixed[..], file.as_bytes()].concat(), Expected::Stream)
            }
            Self::Raw { command, body, stream } => {
                let expected = match (stream, command) {
                    (true, _) => Expected::Stream,
                    (false, 0x11) => Expected::Login,
                    (false, _) => Expected::Ok,
                };
                ([&[*command][..], &unescaped(&filled(body))].concat(), expected)
            }
        }
    }
}

/// The payload of a COM_STMT_EXECUTE with values in text.
fn execute(id: u32, flags: u8, values: &[String], attributes: bool) -> Vec<u8> {
    let mut payload = [&[0x17][..], &id.to_le_bytes(), &[flags, 1, 0, 0, 0]].concat();
    if values.is_empty() {
        return payload;
    }
    if attributes {
        payload.push(u8::try_from(values.len()).unwrap_or_default());
    }
    payload.resize(payload.len() + values.len().div_ceil(8), 0);
    payload.push(1);
    for _ in values {
        payload.extend([0xfe, 0]);
        if attributes {
            payload.push(0);
        }
    }
    for value in values {
        payload.push(u8::try_from(value.len()).unwrap_or(250));
        payload.extend(value.as_bytes());
    }
    payload
}

/// Whether a text is a query by its first word. MySQL 9.7.4 crashes when an EXPLAIN is executed with a cursor, and
/// MariaDB 10.11.19 at a DELETE … RETURNING.
fn is_query(sql: &str) -> bool {
    let first: String =
        sql.trim_start_matches(['(', ' ', '\n']).chars().take_while(char::is_ascii_alphabetic).collect();
    ["select", "with", "table", "values"].contains(&first.to_ascii_lowercase().as_str())
}

/// A conversation under way.
pub struct Conversation<'s> {
    around: &'s Surroundings<'s>,
    client: Option<Client>,
    other: Option<Client>,
    frames: Vec<Frame>,
    other_frames: Vec<Frame>,
}

impl<'s> Conversation<'s> {
    /// Logs in. A refused login is a conversation that has ended.
    ///
    /// # Panics
    /// When there is no connection at all.
    #[must_use]
    pub fn begin(around: &'s Surroundings<'s>) -> Self {
        let mut frames = Vec::new();
        let client = log_in(around, &mut frames);
        Self { around, client, other: None, frames, other_frames: Vec::new() }
    }

    /// The replies to a text.
    pub fn query(&mut self, sql: &str) {
        let sql = self.filled(sql);
        let Some(client) = &mut self.client else { return };
        self.frames.extend(client.query(&sql));
        self.drop_if_ended();
    }

    /// Sends a statement in a way: as a text; prepared, with a cursor; prepared, with binary rows.
    pub fn statement(&mut self, sql: &str, way: Way) {
        if way == Way::Simple {
            return self.query(sql);
        }
        let sql = self.filled(sql);
        self.frames_of(|client, frames| {
            if client.send(&framed(&[&[0x16], sql.as_bytes()].concat(), 0)).is_err() {
                return;
            }
            frames.extend(client.reply(Expected::Prepared));
            if client.statement == 0 {
                return;
            }
            let cursor = u8::from(way == Way::Extended && is_query(&sql));
            client.more_rows = false;
            let attributes = client.has("query_attributes");
            if client.send(&framed(&execute(client.statement, cursor, &[], attributes), 0)).is_ok() {
                frames.extend(client.reply(Expected::Results { binary: true }));
            }
            for _ in 0..FETCHES {
                let fetch = [&[0x1c][..], &client.statement.to_le_bytes(), &FETCHED_ROWS.to_le_bytes()].concat();
                if !client.more_rows || client.send(&framed(&fetch, 0)).is_err() {
                    break;
                }
                frames.extend(client.reply(Expected::Rows));
            }
            let _ = client.send(&framed(&[&[0x19][..], &client.statement.to_le_bytes()].concat(), 0));
        });
    }

    /// Takes one step.
    ///
    /// # Panics
    /// For a step that only PostgreSQL has.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Query(sql) => self.query(sql),
            Step::Extended(sql) => self.statement(sql, Way::Extended),
            Step::Binary(sql) => self.statement(sql, Way::Binary),
            Step::Other(sql) => self.in_other(sql),
            Step::Admin(sql) => (self.around.admin)(&self.filled(sql)),
            Step::Rules(policy) => (self.around.rules)(policy),
            Step::Commands(commands) => self.commands(commands, usize::MAX),
            Step::TrickleCommands { commands, bytes } => self.commands(commands, *bytes),
            Step::File(data) => {
                let data = self.filled(data);
                if let Some(client) = &mut self.client {
                    client.file = data.into_bytes();
                }
            }
            Step::Hear(time_ms) => std::thread::sleep(Duration::from_millis(*time_ms)),
            _ => panic!("{step:?} is no step of MySQL's protocol"),
        }
    }

    /// Ends it.
    #[must_use]
    pub fn end(mut self) -> Seen {
        for client in [&mut self.client, &mut self.other].into_iter().flatten() {
            let _ = client.send(&framed(&[1], 0));
        }
        Seen { sessions: vec![self.frames, self.other_frames] }
    }

    fn filled(&self, text: &str) -> String {
        let id = |client: &Option<Client>| client.as_ref().map_or(0, |client| client.connection_id).to_string();
        let text = self.around.fill(text);
        padded(&text.replace("{{other_id}}", &id(&self.other)).replace("{{own_id}}", &id(&self.client)))
    }

    fn frames_of(&mut self, talk: impl FnOnce(&mut Client, &mut Vec<Frame>)) {
        if let Some(client) = &mut self.client {
            talk(client, &mut self.frames);
        }
        self.drop_if_ended();
    }

    /// Without `Z` behind the last reply, nothing more comes.
    fn drop_if_ended(&mut self) {
        if self.frames.last().is_some_and(|frame| !matches!(frame.tag, b'Z' | b'x')) {
            self.client = None;
        }
    }

    fn commands(&mut self, commands: &[Command], bytes: usize) {
        let Some(client) = &self.client else { return };
        let built: Vec<_> = commands.iter().map(|command| command.payload(client, &|text| self.filled(text))).collect();
        let all: Vec<u8> = built.iter().flat_map(|(payload, _)| framed(payload, 0)).collect();
        self.frames_of(|client, frames| {
            for piece in all.chunks(bytes.max(1)) {
                if client.send(piece).is_err() {
                    return;
                }
                if bytes != usize::MAX {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            for (_, expected) in built {
                frames.extend(client.reply(expected));
            }
        });
    }

    fn in_other(&mut self, sql: &str) {
        let sql = self.filled(sql);
        if self.other.is_none() {
            self.other = log_in(self.around, &mut self.other_frames);
        }
        if let Some(other) = &mut self.other {
            self.other_frames.extend(other.query(&sql));
        }
    }
}

fn log_in(around: &Surroundings<'_>, frames: &mut Vec<Frame>) -> Option<Client> {
    let mut login = Login::default();
    for (name, value) in &around.startup {
        login = match name.as_str() {
            "flags" => login.with(value),
            "collation" => Login { collation: value.parse().expect("a collation's number"), ..login },
            _ => panic!("no setting {name:?} of a login"),
        };
    }
    match Client::login(&around.endpoint, &login).expect("connect") {
        Ok(client) => Some(client),
        Err(said) => {
            frames.extend(said);
            None
        }
    }
}
