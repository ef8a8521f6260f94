//! The client of the corpus for MySQL's and MariaDB's protocol: it sends any bytes and shows all that comes back.
//!
//! In the [`Frame`]s of [`crate::raw`], so that the same code looks through both: rows come as `D` in
//! PostgreSQL's form, errors as `E` with SQLSTATE and text; definitions (`t`), OK and EOF (`o`) and all else (`x`)
//! hold the payload as it came. `Z` stands behind the last reply to a command. It reads packets by itself and
//! shares no code with the gateway.

use crate::raw::Frame;
use crate::servers::Endpoint;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Length of a packet that another one continues.
const FULL: usize = 0x00ff_ffff;

/// Capability flags that attacks choose among, by name.
const FLAGS: [(&str, u64); 20] = [
    ("long_password", 1),
    ("found_rows", 1 << 1),
    ("connect_with_db", 1 << 3),
    ("compress", 1 << 5),
    ("local_files", 1 << 7),
    ("ignore_space", 1 << 8),
    ("protocol_41", 1 << 9),
    ("transactions", 1 << 13),
    ("secure_connection", 1 << 15),
    ("multi_statements", 1 << 16),
    ("multi_results", 1 << 17),
    ("ps_multi_results", 1 << 18),
    ("plugin_auth", 1 << 19),
    ("session_track", 1 << 23),
    ("deprecate_eof", 1 << 24),
    ("optional_metadata", 1 << 25),
    ("zstd", 1 << 26),
    ("query_attributes", 1 << 27),
    ("bulk", 1 << 34),
    ("cache_metadata", 1 << 36),
];

/// What a client asks for unless it is told otherwise.
const USUAL: [&str; 10] = [
    "long_password",
    "connect_with_db",
    "protocol_41",
    "transactions",
    "secure_connection",
    "multi_statements",
    "multi_results",
    "ps_multi_results",
    "plugin_auth",
    "deprecate_eof",
];

/// What answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Column definitions up to an EOF.
    Fields,
    /// Nothing.
    Nothing,
    /// OK, EOF or ERR.
    Ok,
    /// The reply to COM_STMT_PREPARE.
    Prepared,
    /// Results, one or several.
    Results {
        /// Whether rows are binary.
        binary: bool,
    },
    /// The messages of a login up to OK or ERR, for a user without a password.
    Login,
    /// Binary rows of the cursor opened last.
    Rows,
    /// Any packets up to ERR, or until none comes for a while.
    Stream,
    /// One line of text.
    Text,
}

/// What a client logs in with.
#[derive(Clone, Debug)]
pub struct Login {
    /// Capability flags.
    pub flags: u64,
    /// The collation by its number: the character set in which texts are.
    pub collation: u8,
}

impl Default for Login {
    fn default() -> Self {
        // utf8mb4_general_ci
        Self { flags: USUAL.iter().map(|name| flag(name)).sum(), collation: 45 }
    }
}

impl Login {
    /// With capability flags more (`name`) or fewer (`-name`).
    ///
    /// # Panics
    /// When there is no such flag.
    #[must_use]
    pub fn with(self, names: &str) -> Self {
        let mut flags = self.flags;
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name.strip_prefix('-') {
                Some(name) => flags &= !flag(name),
                None => flags |= flag(name),
            }
        }
        Self { flags, ..self }
    }
}

fn flag(name: &str) -> u64 {
    FLAGS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no flag {name}")).1
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    received: Vec<u8>,
    /// What both sides agreed on.
    flags: u64,
    /// The server's number of this connection, which KILL takes.
    pub connection_id: u32,
    /// The statement prepared last.
    pub statement: u32,
    /// Parameters that it has.
    pub parameters: u16,
    /// Types of the columns of the cursor opened last.
    cursor: Vec<u8>,
    /// Whether that cursor has more rows.
    pub more_rows: bool,
    /// What is sent where the server asks for a file.
    pub file: Vec<u8>,
}

impl Client {
    /// Connects and logs in as a user who needs no password. Gives the error of a login that fails.
    ///
    /// # Errors
    /// What the system says, or the server: with what it said.
    pub fn login(endpoint: &Endpoint, login: &Login) -> io::Result<Result<Self, Vec<Frame>>> {
        let socket = TcpStream::connect(("127.0.0.1", endpoint.port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self {
            socket,
            received: Vec::new(),
            flags: 0,
            connection_id: 0,
            statement: 0,
            parameters: 0,
            cursor: Vec::new(),
            more_rows: false,
            file: Vec::new(),
        };
        let Some((_, greeting)) = client.message() else { return Ok(Err(Vec::new())) };
        if greeting.first() == Some(&0xff) {
            return Ok(Err(vec![error(&greeting)]));
        }
        let offered = client.greeted(&greeting);
        let mut answer = u32::try_from(login.flags & 0xffff_ffff).unwrap_or_default().to_le_bytes().to_vec();
        answer.extend((1_u32 << 30).to_le_bytes());
        answer.push(login.collation);
        answer.extend([0; 19]);
        let mariadb = offered & 1 == 0;
        if mariadb {
            // MariaDB's own flags stand for those of a client that is not MySQL's.
            answer[0] &= !1;
        }
        answer.extend(u32::try_from(login.flags >> 32).unwrap_or_default().to_le_bytes());
        answer.extend(endpoint.user.as_bytes());
        answer.extend([0, 0]);
        answer.extend(endpoint.database.as_bytes());
        answer.push(0);
        answer.extend(b"mysql_native_password\0");
        client.flags = login.flags & offered;
        client.send(&framed(&answer, 1))?;
        loop {
            let Some((seq, reply)) = client.message() else { return Ok(Err(Vec::new())) };
            match reply.first() {
                Some(0) => return Ok(Ok(client)),
                Some(0xff) => return Ok(Err(vec![error(&reply)])),
                // Another plugin: no password has the same answer in each.
                Some(0xfe) => client.send(&framed(&[], seq.wrapping_add(1)))?,
                _ => {}
            }
        }
    }

    /// The same where failing is a fault of the test.
    ///
    /// # Panics
    /// When the login fails.
    #[must_use]
    pub fn open(endpoint: &Endpoint) -> Self {
        Self::login(endpoint, &Login::default()).expect("connect").unwrap_or_else(|frames| panic!("login: {frames:?}"))
    }

    /// Takes up a greeting; what the server offers.
    fn greeted(&mut self, greeting: &[u8]) -> u64 {
        let version = greeting.iter().position(|byte| *byte == 0).unwrap_or_default() + 1;
        let fixed = greeting.get(version..).unwrap_or_default();
        let at = |index: usize| u64::from(fixed.get(index).copied().unwrap_or_default());
        self.connection_id = fixed.first_chunk().map_or(0, |id| u32::from_le_bytes(*id));
        let low = at(13) | at(14) << 8 | at(18) << 16 | at(19) << 24;
        let high = at(27) | at(28) << 8 | at(29) << 16 | at(30) << 24;
        if low & 1 == 0 { low | high << 32 } else { low }
    }

    /// Whether both sides agreed on a capability.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.flags & flag(name) != 0
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Runs a text and returns all that comes, with `Z` at its end; without it where the connection ended.
    pub fn query(&mut self, sql: &str) -> Vec<Frame> {
        let command = self.text(sql.as_bytes());
        if self.send(&framed(&command, 0)).is_err() {
            return Vec::new();
        }
        self.reply(Expected::Results { binary: false })
    }

    /// The payload of a COM_QUERY.
    #[must_use]
    pub fn text(&self, sql: &[u8]) -> Vec<u8> {
        let attributes: &[u8] = if self.has("query_attributes") { &[3, 0, 1] } else { &[3] };
        [attributes, sql].concat()
    }

    /// Reads what answers one command.
    pub fn reply(&mut self, expected: Expected) -> Vec<Frame> {
        let mut frames = Vec::new();
        if expected == Expected::Nothing {
            return frames;
        }
        if expected == Expected::Stream {
            self.stream(&mut frames);
            return frames;
        }
        if self.read(expected, &mut frames).is_some() {
            frames.push(Frame { tag: b'Z', body: Vec::new() });
        }
        frames
    }

    /// `None` where the connection ended.
    fn read(&mut self, expected: Expected, frames: &mut Vec<Frame>) -> Option<()> {
        match expected {
            Expected::Results { binary } => while self.result(binary, frames)? & 8 != 0 {},
            Expected::Prepared => self.prepared(frames)?,
            Expected::Rows => {
                let types = self.cursor.clone();
                let status = self.rows(&types, true, frames)?;
                self.more_rows = status & 0x80 == 0;
            }
            Expected::Fields => loop {
                let (_, payload) = self.message()?;
                match payload.first() {
                    Some(0xfe) if payload.len() < 9 => break,
                    Some(0xff) => {
                        frames.push(error(&payload));
                        break;
                    }
                    _ => frames.push(Frame { tag: b't', body: payload }),
                }
            },
            Expected::Login => {
                let (mut seq, mut payload) = self.message()?;
                while !matches!(payload.first(), Some(0 | 0xff)) {
                    if payload.first() == Some(&0xfe) {
                        self.send(&framed(&[], seq.wrapping_add(1))).ok()?;
                    }
                    (seq, payload) = self.message()?;
                }
                frames.push(if payload.first() == Some(&0xff) { error(&payload) } else { plain(b'o', payload) });
            }
            Expected::Text | Expected::Ok => {
                let (_, payload) = self.message()?;
                frames.push(if payload.first() == Some(&0xff) { error(&payload) } else { plain(b'o', payload) });
            }
            Expected::Nothing | Expected::Stream => {}
        }
        Some(())
    }

    fn stream(&mut self, frames: &mut Vec<Frame>) {
        let _ = self.socket.set_read_timeout(Some(Duration::from_millis(300)));
        while let Some((_, payload)) = self.message() {
            let last = payload.first() == Some(&0xff);
            frames.push(if last { error(&payload) } else { plain(b'x', payload) });
            if last {
                break;
            }
        }
        let _ = self.socket.set_read_timeout(Some(PATIENCE));
    }

    /// One result; gives its status flags.
    fn result(&mut self, binary: bool, frames: &mut Vec<Frame>) -> Option<u16> {
        let (seq, payload) = self.message()?;
        match payload.first() {
            Some(0xff) => {
                frames.push(error(&payload));
                return Some(0);
            }
            Some(0) => {
                let status = ok_status(&payload);
                frames.push(plain(b'o', payload));
                return Some(status);
            }
            Some(0xfb) => {
                frames.push(plain(b'x', payload));
                let file = std::mem::take(&mut self.file);
                let mut seq = seq.wrapping_add(1);
                if !file.is_empty() {
                    self.send(&framed(&file, seq)).ok()?;
                    seq = seq.wrapping_add(1);
                }
                self.send(&framed(&[], seq)).ok()?;
                return self.result(binary, frames);
            }
            _ => {}
        }
        let (count, _) = number(&payload)?;
        let types = self.definitions(count, frames)?;
        if !self.has("deprecate_eof") {
            let (_, eof) = self.message()?;
            let status = eof_status(&eof);
            frames.push(plain(b'o', eof));
            if status & 0x40 != 0 {
                (self.cursor, self.more_rows) = (types, true);
                return Some(status & !8);
            }
        }
        let (cursor, status) = (types.clone(), self.rows(&types, binary, frames)?);
        if status & 0x40 != 0 {
            (self.cursor, self.more_rows) = (cursor, true);
        }
        Some(status)
    }

    /// Column definitions; gives the types.
    fn definitions(&mut self, count: u64, frames: &mut Vec<Frame>) -> Option<Vec<u8>> {
        let mut types = Vec::new();
        for _ in 0..count {
            let (_, payload) = self.message()?;
            types.push(column_type(&payload).unwrap_or_default());
            frames.push(plain(b't', payload));
        }
        Some(types)
    }

    /// Rows up to the end of a result; gives the status flags.
    fn rows(&mut self, types: &[u8], binary: bool, frames: &mut Vec<Frame>) -> Option<u16> {
        loop {
            let (_, payload) = self.message()?;
            match payload.first() {
                Some(0xff) => {
                    frames.push(error(&payload));
                    return Some(0x80);
                }
                Some(0xfe) if payload.len() < FULL && (self.has("deprecate_eof") || payload.len() < 9) => {
                    let status = if payload.len() < 6 { eof_status(&payload) } else { ok_status(&payload) };
                    frames.push(plain(b'o', payload));
                    return Some(status);
                }
                _ if binary => frames.push(row(&binary_cells(&payload, types))),
                _ => frames.push(row(&text_cells(&payload))),
            }
        }
    }

    fn prepared(&mut self, frames: &mut Vec<Frame>) -> Option<()> {
        let (_, payload) = self.message()?;
        if payload.first() == Some(&0xff) {
            self.statement = 0;
            frames.push(error(&payload));
            return Some(());
        }
        self.statement = payload.get(1..5).and_then(|id| id.try_into().ok()).map_or(0, u32::from_le_bytes);
        let word =
            |at: usize| payload.get(at..at + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes);
        let (columns, parameters) = (word(5), word(7));
        self.parameters = parameters;
        // Some servers count statements for all sessions together.
        let id = payload.first().into_iter().chain(payload.get(5..).unwrap_or_default()).copied();
        frames.push(plain(b'x', id.collect()));
        for count in [parameters, columns].into_iter().filter(|count| *count > 0) {
            self.definitions(u64::from(count), frames)?;
            if !self.has("deprecate_eof") {
                self.message()?;
            }
        }
        Some(())
    }

    /// The next message and the sequence id of its last packet; `None` at the end of the connection, or where
    /// none comes in time.
    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut payload = Vec::new();
        loop {
            while self.received.len() < 4 {
                self.fill()?;
            }
            let [a, b, c, seq] = *self.received.first_chunk::<4>()?;
            let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            while self.received.len() < 4 + length {
                self.fill()?;
            }
            payload.extend(self.received.get(4..4 + length)?);
            self.received.drain(..4 + length);
            if length < FULL {
                return Some((seq, payload));
            }
        }
    }

    fn fill(&mut self) -> Option<()> {
        let mut chunk = vec![0; 65_536];
        let count = self.socket.read(&mut chunk).ok().filter(|count| *count > 0)?;
        self.received.extend(chunk.get(..count)?);
        Some(())
    }
}

/// A payload in as many packets as it needs.
#[must_use]
pub fn framed(payload: &[u8], first: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 8);
    let (mut rest, mut seq) = (payload, first);
    loop {
        let (now, later) = rest.split_at(rest.len().min(FULL));
        let [a, b, c, ..] = u32::try_from(now.len()).unwrap_or_default().to_le_bytes();
        out.extend([a, b, c, seq]);
        out.extend(now);
        (rest, seq) = (later, seq.wrapping_add(1));
        if now.len() < FULL {
            return out;
        }
    }
}

/// A length-encoded integer at the start of bytes, and its length; `None` for NULL and at the end.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = match bytes.first()? {
        0xfb | 0xff => return None,
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        byte => return Some((u64::from(*byte), 1)),
    };
    let digits = bytes.get(1..=length)?;
    Some((digits.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)), 1 + length))
}

/// A length-encoded string at the start of bytes, and the bytes behind it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, prefix) = number(bytes)?;
    bytes.get(prefix..)?.split_at_checked(usize::try_from(length).ok()?)
}

fn plain(tag: u8, body: Vec<u8>) -> Frame {
    Frame { tag, body }
}

/// An ERR in the form of PostgreSQL's ErrorResponse.
fn error(payload: &[u8]) -> Frame {
    let code = payload.get(1..3).and_then(|code| code.try_into().ok()).map_or(0, u16::from_le_bytes);
    let rest = payload.get(3..).unwrap_or_default();
    let (state, text) = match rest.split_first() {
        Some((b'#', rest)) => rest.split_at(rest.len().min(5)),
        _ => (&b"HY000"[..], rest),
    };
    let text: Vec<u8> = text.iter().map(|byte| if *byte == 0 { b'.' } else { *byte }).collect();
    let body = [b"C", state, b"\0M", code.to_string().as_bytes(), b" ", &text, b"\0"].concat();
    Frame { tag: b'E', body }
}

fn ok_status(payload: &[u8]) -> u16 {
    let rest = payload.get(1..).unwrap_or_default();
    let skip = number(rest).map_or(0, |(_, length)| length);
    let rest = rest.get(skip..).unwrap_or_default();
    let skip = number(rest).map_or(0, |(_, length)| length);
    rest.get(skip..skip + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn eof_status(payload: &[u8]) -> u16 {
    payload.get(3..5).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// The type that a column definition names: behind six strings, a length, a character set and a width.
fn column_type(payload: &[u8]) -> Option<u8> {
    let mut rest = payload;
    for _ in 0..6 {
        rest = string(rest)?.1;
    }
    rest.get(7).copied()
}

fn row(cells: &[Option<Vec<u8>>]) -> Frame {
    let mut body = u16::try_from(cells.len()).unwrap_or_default().to_be_bytes().to_vec();
    for cell in cells {
        match cell {
            None => body.extend((-1_i32).to_be_bytes()),
            Some(cell) => {
                body.extend(i32::try_from(cell.len()).unwrap_or_default().to_be_bytes());
                body.extend(cell);
            }
        }
    }
    Frame { tag: b'D', body }
}

fn text_cells(payload: &[u8]) -> Vec<Option<Vec<u8>>> {
    let (mut cells, mut rest) = (Vec::new(), payload);
    while let Some(first) = rest.first() {
        if *first == 0xfb {
            cells.push(None);
            rest = rest.get(1..).unwrap_or_default();
        } else if let Some((cell, behind)) = string(rest) {
            cells.push(Some(cell.to_vec()));
            rest = behind;
        } else {
            cells.push(Some(rest.to_vec()));
            break;
        }
    }
    cells
}

fn binary_cells(payload: &[u8], types: &[u8]) -> Vec<Option<Vec<u8>>> {
    let nulls = payload.get(1..).unwrap_or_default();
    let mut rest = nulls.get((types.len() + 9) / 8..).unwrap_or_default();
    let mut cells = Vec::new();
    for (index, kind) in types.iter().enumerate() {
        let bit = index + 2;
        if nulls.get(bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0) {
            cells.push(None);
            continue;
        }
        let fixed = match kind {
            1 => Some((0, 1)),
            2 | 13 => Some((0, 2)),
            3 | 4 | 9 => Some((0, 4)),
            5 | 8 => Some((0, 8)),
            6 => Some((0, 0)),
            7 | 10 | 11 | 12 => Some((1, usize::from(rest.first().copied().unwrap_or_default()))),
            _ => number(rest).map(|(length, prefix)| (prefix, usize::try_from(length).unwrap_or_default())),
        };
        let (prefix, length) = fixed.unwrap_or((0, rest.len()));
        cells.push(Some(rest.get(prefix..prefix + length).unwrap_or(rest).to_vec()));
        rest = rest.get(prefix + length..).unwrap_or_default();
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_kinds_are_read() {
        assert_eq!(text_cells(b"\x01a\xfb\x00"), [Some(b"a".to_vec()), None, Some(Vec::new())]);
        let cells = binary_cells(b"\0\x08\x05\0\0\0\x01x", &[3, 8, 253]);
        assert_eq!(cells, [Some(vec![5, 0, 0, 0]), None, Some(b"x".to_vec())]);
    }

    #[test]
    fn errors_read_like_those_of_postgres() {
        let frame = error(b"\xff\x28\x04#42000syntax");
        assert_eq!(frame.to_string(), "E 42000 1064 syntax");
    }
}
