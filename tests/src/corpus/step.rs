//! What an entry of the corpus sends, and everything that came back.

use super::entry::Way;
use crate::raw::{Client, Frame, message, transcript};
use crate::servers::{Endpoint, Family};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// One step of a conversation. All but the first five are sent in one write.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A simple query, read up to its ReadyForQuery.
    Query(String),
    /// One statement by the extended protocol, results in text.
    Extended(String),
    /// The same with results in binary.
    Binary(String),
    /// A simple query of another session of the same user.
    Other(String),
    /// SQL of the administrator, past the gateway.
    Admin(String),
    /// Messages in one write; as many ReadyForQuery are awaited as they ask for.
    Send(Vec<Message>),
    /// The same where another number of ReadyForQuery comes.
    SendFor {
        /// What is sent.
        messages: Vec<Message>,
        /// How many ReadyForQuery are awaited.
        ready: usize,
    },
    /// Messages in pieces of so many bytes, each in a packet of its own.
    Trickle {
        /// What is sent.
        messages: Vec<Message>,
        /// Bytes in a piece.
        bytes: usize,
    },
    /// Takes what comes unasked for so many milliseconds.
    Hear(u64),
    /// The policy of the gateway becomes another one, and the old one again behind the attack.
    Rules(String),
    /// Commands of MySQL's protocol in one write.
    Commands(Vec<super::command::Command>),
    /// The same in pieces of so many bytes, each in a packet of its own.
    TrickleCommands {
        /// What is sent.
        commands: Vec<super::command::Command>,
        /// Bytes in a piece.
        bytes: usize,
    },
    /// What is sent when MySQL's or MariaDB's server asks for a file.
    File(String),
    /// A cancel request with this session's process id and a key that is not its own, while it runs a statement
    /// of half a second.
    ForgedCancel(bool),
}

/// One message.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// Query.
    Query(String),
    /// Query with `\xNN` for bytes that are no UTF-8.
    QueryBytes(String),
    /// Parse.
    Parse {
        /// The statement's name.
        #[serde(default)]
        name: String,
        /// Its text.
        sql: String,
    },
    /// Bind with parameters in text.
    Bind {
        /// The portal's name.
        #[serde(default)]
        portal: String,
        /// The statement's name.
        #[serde(default)]
        statement: String,
        /// Values.
        #[serde(default)]
        parameters: Vec<String>,
        /// Formats of the results (0 text, 1 binary): none, one for all, or one for each.
        #[serde(default)]
        formats: Vec<u16>,
    },
    /// Describe of a statement.
    DescribeStatement(String),
    /// Describe of a portal.
    DescribePortal(String),
    /// Execute.
    Execute {
        /// The portal's name.
        #[serde(default)]
        portal: String,
        /// Most rows; 0 for all.
        #[serde(default)]
        rows: u32,
    },
    /// Close of a statement.
    CloseStatement(String),
    /// Close of a portal.
    ClosePortal(String),
    /// Parse, Bind, Describe and Execute without names.
    Extended(String),
    /// Sync.
    Sync,
    /// Flush.
    Flush,
    /// CopyData.
    CopyData(String),
    /// CopyDone.
    CopyDone,
    /// CopyFail.
    CopyFail(String),
    /// FunctionCall of a function by its number, with arguments and result in text.
    Function {
        /// OID, as `pg_proc.dat` has it.
        oid: u32,
        /// Arguments.
        #[serde(default)]
        arguments: Vec<String>,
    },
    /// A message of any type, its body with `\xNN` for bytes.
    Frame {
        /// The type.
        tag: char,
        /// The body.
        #[serde(default)]
        body: String,
    },
}

/// Replaces `{{spaces N}}` by so many blanks.
pub(super) fn padded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{spaces ") {
        let (count, behind) = after.split_once("}}").expect("{{spaces N}}");
        out.push_str(before);
        out.push_str(&" ".repeat(count.parse().expect("a number of blanks")));
        rest = behind;
    }
    out + rest
}

/// Replaces `\xNN` by the byte.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.extend(before.as_bytes());
        let (digits, behind) = after.split_at(2);
        out.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits behind \\x"));
        rest = behind;
    }
    out.extend(rest.as_bytes());
    out
}

impl Message {
    fn bytes(&self, filled: &dyn Fn(&str) -> String) -> Vec<u8> {
        match self {
            Self::Query(sql) => message::query(&filled(sql)),
            Self::QueryBytes(sql) => message::framed(b'Q', &[unescaped(&filled(sql)), vec![0]].concat()),
            Self::Parse { name, sql } => message::parse(name, &filled(sql)),
            Self::Bind { portal, statement, parameters, formats } => {
                let parameters: Vec<String> = parameters.iter().map(|value| filled(value)).collect();
                message::bind_with(portal, statement, &parameters, formats)
            }
            Self::DescribeStatement(name) => message::describe(b'S', name),
            Self::DescribePortal(name) => message::describe(b'P', name),
            Self::Execute { portal, rows } => message::execute(portal, *rows),
            Self::CloseStatement(name) => message::close(b'S', name),
            Self::ClosePortal(name) => message::close(b'P', name),
            Self::Extended(sql) => message::extended(&filled(sql)),
            Self::Sync => message::sync(),
            Self::Flush => message::flush(),
            Self::CopyData(data) => message::copy_data(&unescaped(data)),
            Self::CopyDone => message::copy_done(),
            Self::CopyFail(reason) => message::copy_fail(reason),
            Self::Function { oid, arguments } => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                message::function_call(*oid, &arguments)
            }
            Self::Frame { tag, body } => message::framed(u8::try_from(*tag).expect("ASCII"), &unescaped(body)),
        }
    }

    fn asks_for_ready(&self) -> bool {
        matches!(self, Self::Query(_) | Self::QueryBytes(_) | Self::Sync | Self::Function { .. })
    }
}

/// What reached the client, of all its sessions.
#[derive(Debug, Default)]
pub struct Seen {
    /// The frames of each session.
    pub sessions: Vec<Vec<Frame>>,
}

impl Seen {
    /// All of it as text, a line for each message.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.sessions.iter().map(|frames| transcript(frames)).collect::<Vec<_>>().join("-- another session\n")
    }

    /// Whether MySQL's or MariaDB's server answered with rows and errors alone: what changes something is
    /// answered by an OK, which begins with a zero. No function of the schema that writes is called for a leak.
    #[must_use]
    pub fn shows_rows_alone(&self) -> bool {
        let mut ends = self.sessions.iter().flatten().filter(|frame| matches!(frame.tag, b'o' | b'C')).peekable();
        ends.peek().is_some() && ends.all(|frame| frame.tag == b'o' && frame.body.first() == Some(&0xfe))
    }

    /// The first error, for reports.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        self.sessions.iter().flatten().find(|frame| frame.tag == b'E').map(ToString::to_string)
    }
}

/// What a conversation needs of its surroundings.
pub struct Surroundings<'s> {
    /// Where and as whom the client connects.
    pub endpoint: Endpoint,
    /// Parameters of the start-up packet besides user and database.
    pub startup: Vec<(String, String)>,
    /// Runs SQL as the administrator.
    pub admin: &'s dyn Fn(&str),
    /// Gives the gateway another policy.
    pub rules: &'s dyn Fn(&str),
    /// What takes the place of `{{guess}}`.
    pub guess: String,
    /// Whose protocol is spoken.
    pub family: Family,
    /// What takes the place of other names in braces.
    pub names: Vec<(String, String)>,
}

impl Surroundings<'_> {
    /// A text with all that stands for names filled in.
    pub(super) fn fill(&self, text: &str) -> String {
        let guessed = text.replace("{{guess}}", &self.guess);
        self.names.iter().fold(guessed, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    }
}

/// A conversation in either protocol.
pub enum Talk<'s> {
    /// MySQL's.
    MySql(super::command::Conversation<'s>),
    /// PostgreSQL's.
    Postgres(Conversation<'s>),
}

impl<'s> Talk<'s> {
    /// Logs in. A refused login is a conversation that has ended.
    #[must_use]
    pub fn begin(around: &'s Surroundings<'s>) -> Self {
        match around.family {
            Family::Postgres => Self::Postgres(Conversation::begin(around)),
            Family::MariaDb | Family::MySql => Self::MySql(super::command::Conversation::begin(around)),
        }
    }

    /// The replies to a text.
    pub fn query(&mut self, sql: &str) {
        match self {
            Self::MySql(talk) => talk.query(sql),
            Self::Postgres(talk) => talk.query(sql),
        }
    }

    /// Sends a statement in a way.
    pub fn statement(&mut self, sql: &str, way: Way) {
        match self {
            Self::MySql(talk) => talk.statement(sql, way),
            Self::Postgres(talk) => talk.statement(sql, way),
        }
    }

    /// Takes one step.
    pub fn step(&mut self, step: &Step) {
        match self {
            Self::MySql(talk) => talk.step(step),
            Self::Postgres(talk) => talk.step(step),
        }
    }

    /// Ends it.
    #[must_use]
    pub fn end(self) -> Seen {
        match self {
            Self::MySql(talk) => talk.end(),
            Self::Postgres(talk) => talk.end(),
        }
    }
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
        let client = login(around, &mut frames);
        Self { around, client, other: None, frames, other_frames: Vec::new() }
    }

    /// The replies to a simple query.
    pub fn query(&mut self, sql: &str) {
        let bytes = message::query(&self.filled(sql));
        self.exchange(&bytes, 1);
    }

    /// Sends a statement in a way.
    pub fn statement(&mut self, sql: &str, way: Way) {
        let sql = self.filled(sql);
        match way {
            Way::Simple => self.exchange(&message::query(&sql), 1),
            Way::Extended => self.exchange(&[message::extended(&sql), message::sync()].concat(), 1),
            Way::Binary => {
                let bind = message::bind("", "", &[], 1);
                let execute = message::execute("", 0);
                let all =
                    [message::parse("", &sql), bind, message::describe(b'P', ""), execute, message::sync()].concat();
                self.exchange(&all, 1);
            }
        }
    }

    /// Takes one step.
    ///
    /// # Panics
    /// When a reply does not come, and for a step that only MySQL has.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Query(sql) => self.query(sql),
            Step::Extended(sql) => self.statement(sql, Way::Extended),
            Step::Binary(sql) => self.statement(sql, Way::Binary),
            Step::Other(sql) => self.in_other(sql),
            Step::Admin(sql) => (self.around.admin)(sql),
            Step::Rules(policy) => (self.around.rules)(policy),
            Step::Send(messages) => {
                let ready = messages.iter().filter(|message| message.asks_for_ready()).count();
                self.exchange(&self.bytes(messages), ready);
            }
            Step::SendFor { messages, ready } => self.exchange(&self.bytes(messages), *ready),
            Step::Trickle { messages, bytes } => {
                let all = self.bytes(messages);
                let ready = messages.iter().filter(|message| message.asks_for_ready()).count();
                let pieces: Vec<&[u8]> = all.chunks((*bytes).max(1)).collect();
                for piece in pieces.split_last().map(|(_, first)| first).unwrap_or_default() {
                    self.exchange(piece, 0);
                    std::thread::sleep(Duration::from_millis(1));
                }
                self.exchange(pieces.last().copied().unwrap_or_default(), ready);
            }
            Step::Hear(time_ms) => self.hear(Duration::from_millis(*time_ms)),
            Step::ForgedCancel(_) => self.forged_cancel(),
            Step::Commands(_) | Step::TrickleCommands { .. } | Step::File(_) => {
                panic!("{step:?} is no step of PostgreSQL's protocol")
            }
        }
    }

    /// Ends it.
    #[must_use]
    pub fn end(mut self) -> Seen {
        if let Some(client) = &mut self.client {
            let _ = client.send(&message::terminate());
        }
        Seen { sessions: vec![self.frames, self.other_frames] }
    }

    fn filled(&self, text: &str) -> String {
        padded(&self.around.fill(text))
    }

    fn bytes(&self, messages: &[Message]) -> Vec<u8> {
        messages.iter().flat_map(|message| message.bytes(&|text| self.filled(text))).collect()
    }

    fn exchange(&mut self, bytes: &[u8], ready: usize) {
        let Some(client) = &mut self.client else { return };
        if client.send(bytes).is_err() {
            self.client = None;
            return;
        }
        let frames = client.until(b'Z', ready);
        let complete = frames.iter().filter(|frame| frame.tag == b'Z').count() == ready;
        self.frames.extend(frames);
        if !complete {
            self.client = None;
        }
    }

    fn in_other(&mut self, sql: &str) {
        let sql = self.filled(sql);
        if self.other.is_none() {
            self.other = login(self.around, &mut self.other_frames);
        }
        if let Some(other) = &mut self.other {
            self.other_frames.extend(other.query(&sql));
        }
    }

    fn hear(&mut self, time: Duration) {
        let Some(client) = &mut self.client else { return };
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if !client.is_silent_for(Duration::from_millis(20)) {
                self.frames.extend(client.frame());
            }
        }
    }

    fn forged_cancel(&mut self) {
        let Some(client) = &mut self.client else { return };
        let mut key = client.key.clone();
        if let Some(last) = key.last_mut() {
            *last ^= 1;
        }
        let _ = client.send(&message::query("SELECT pg_sleep(0.5)"));
        std::thread::sleep(Duration::from_millis(100));
        if let Ok(mut forger) = Client::socket(self.around.endpoint.port) {
            let _ = forger.send(&message::cancel_request(&key));
            let _ = forger.frame();
        }
        self.frames.extend(client.until(b'Z', 1));
    }
}

fn login(around: &Surroundings<'_>, frames: &mut Vec<Frame>) -> Option<Client> {
    let mut client = Client::connect(&around.endpoint).expect("connect");
    let mut parameters = vec![("user", around.endpoint.user.as_str()), ("database", &around.endpoint.database)];
    parameters.extend(around.startup.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let started = client.start(&parameters);
    let ready = started.last().is_some_and(|frame| frame.tag == b'Z');
    frames.extend(started.into_iter().filter(|frame| frame.tag != b'K'));
    ready.then_some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_bytes_are_filled_in() {
        assert_eq!(padded("a{{spaces 3}}b{{spaces 1}}"), "a   b ");
        assert_eq!(unescaped("a\\x00\\xffz"), b"a\x00\xffz");
    }
}
