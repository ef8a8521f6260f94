//! What answers a command: the messages byte for byte, and what they mean.
//!
//! Two replies are equal when all their bytes, sequence ids and cuts into packets are. As text they read like a
//! conversation, a line a message, so that a difference can be seen.

use mysql::capability::Capabilities;
use mysql::constant::{command, header, status};
use mysql::reply::{ErrPacket, OkPacket};
use mysql::{constant::column, lenenc};
use std::fmt;
use wire::cursor::{Cursor, Malformed};

/// One message of the server, its packets joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sequence id of its first packet.
    pub seq: u8,
    /// In how many packets it came.
    pub packets: usize,
    /// All of it without headers.
    pub payload: Vec<u8>,
}

/// What a reply looks like, by its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Column definitions up to an EOF: COM_FIELD_LIST.
    Fields,
    /// Rows of a cursor, binary.
    Fetch,
    /// Nothing answers.
    None,
    /// COM_STMT_PREPARE.
    Prepare,
    /// Results with rows of text or, where true, binary.
    Results(bool),
    /// One message: OK or ERR or text.
    Single,
}

impl Form {
    /// By a command's first byte.
    #[must_use]
    pub fn of_command(payload: &[u8]) -> Self {
        match payload.first().copied() {
            Some(command::QUERY | command::PROCESS_INFO) => Self::Results(false),
            Some(command::STMT_EXECUTE | command::STMT_BULK_EXECUTE) => Self::Results(true),
            Some(command::STMT_PREPARE) => Self::Prepare,
            Some(command::STMT_FETCH) => Self::Fetch,
            Some(command::FIELD_LIST) => Self::Fields,
            Some(command::STMT_CLOSE | command::STMT_SEND_LONG_DATA | command::QUIT) => Self::None,
            _ => Self::Single,
        }
    }
}

/// A definition of a column, every field of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Database.
    pub schema: String,
    /// Table, or its alias.
    pub table: String,
    /// The table that it is.
    pub org_table: String,
    /// Name, or its alias.
    pub name: String,
    /// The column that it is.
    pub org_name: String,
    /// MariaDB's extended types, as sent.
    pub extended: Vec<u8>,
    /// Collation.
    pub collation: u16,
    /// Display length.
    pub length: u32,
    /// Type.
    pub kind: u8,
    /// Flags.
    pub flags: u16,
    /// Digits behind the point.
    pub decimals: u8,
}

impl Column {
    fn parse(payload: &[u8], capabilities: Capabilities) -> Result<Self, Malformed> {
        let what = "column definition";
        let mut cursor = Cursor::new(payload);
        let mut text = || lenenc::string(&mut cursor, what).map(show);
        let _catalog = text()?;
        let (schema, table, org_table, name, org_name) = (text()?, text()?, text()?, text()?, text()?);
        let extended = match capabilities.has(Capabilities::MARIADB_EXTENDED_METADATA) {
            true => lenenc::string(&mut cursor, what)?.to_vec(),
            false => Vec::new(),
        };
        lenenc::int(&mut cursor, what)?;
        let collation = lenenc::u16(&mut cursor, what)?;
        let length = lenenc::u32(&mut cursor, what)?;
        let kind = cursor.u8(what)?;
        let flags = lenenc::u16(&mut cursor, what)?;
        let decimals = cursor.u8(what)?;
        Ok(Self { schema, table, org_table, name, org_name, extended, collation, length, kind, flags, decimals })
    }
}

/// How a result ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection ended first.
    Closed,
    /// EOF.
    Eof {
        /// Status flags.
        status: u16,
        /// Count of warnings.
        warnings: u16,
    },
    /// ERR.
    Err {
        /// Number.
        code: u16,
        /// SQLSTATE.
        sqlstate: String,
        /// Text.
        message: String,
    },
    /// The server wants this file.
    File(String),
    /// OK, or OK in place of EOF.
    Ok {
        /// Affected rows.
        affected: u64,
        /// Last insert id.
        insert_id: u64,
        /// Status flags.
        status: u16,
        /// Count of warnings.
        warnings: u16,
        /// Text for people.
        info: String,
        /// Changes of the session, as sent.
        session: Vec<u8>,
    },
    /// Anything else, such as the text of COM_STATISTICS.
    Other(Vec<u8>),
}

impl End {
    /// Reads an OK, EOF, ERR or request for a file.
    #[must_use]
    pub fn parse(payload: &[u8], capabilities: Capabilities) -> Self {
        match payload.first().copied() {
            Some(header::ERR) => ErrPacket::parse(payload).map_or_else(
                |_| Self::Other(payload.to_vec()),
                |err| Self::Err { code: err.code, sqlstate: show(&err.sqlstate), message: show(err.message) },
            ),
            Some(header::LOCAL_FILE) => Self::File(show(payload.get(1..).unwrap_or_default())),
            Some(header::EOF) if payload.len() == 5 && !capabilities.has(Capabilities::DEPRECATE_EOF) => {
                let number = |at| payload.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
                let number = |at| number(at).map_or(0, u16::from_le_bytes);
                Self::Eof { warnings: number(1), status: number(3) }
            }
            Some(header::OK | header::EOF) => OkPacket::parse(payload, capabilities.has(Capabilities::SESSION_TRACK))
                .map_or_else(
                    |_| Self::Other(payload.to_vec()),
                    |ok| Self::Ok {
                        affected: ok.affected_rows,
                        insert_id: ok.last_insert_id,
                        status: ok.status,
                        warnings: ok.warnings,
                        info: show(ok.info),
                        session: ok.session.to_vec(),
                    },
                ),
            _ => Self::Other(payload.to_vec()),
        }
    }

    /// Status flags; none where it has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Eof { status, .. } | Self::Ok { status, .. } => *status,
            _ => 0,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "closed"),
            Self::Eof { status, warnings } => write!(f, "EOF status={status:#06x} warnings={warnings}"),
            Self::Err { code, sqlstate, message } => write!(f, "ERR {code} ({sqlstate}): {message}"),
            Self::File(name) => write!(f, "FILE {name}"),
            Self::Ok { affected, insert_id, status, warnings, info, session } => {
                write!(f, "OK affected={affected} id={insert_id} status={status:#06x} warnings={warnings}")?;
                write!(f, " info={info:?} session={}", show(&in_order(session)))
            }
            Self::Other(bytes) => write!(f, "? {}", show(bytes)),
        }
    }
}

/// Changes that a session's server tells of, in the order of their bytes: it tells those of one statement in the
/// order of a table whose places are a matter of chance.
#[must_use]
pub fn in_order(session: &[u8]) -> Vec<u8> {
    let mut changes = Vec::new();
    let mut rest = session;
    // A kind and a length that is below 251 in all that tests do; what is not goes as it is.
    while let [_, length @ 0..=250, after @ ..] = rest
        && after.len() >= usize::from(*length)
    {
        let (change, next) = rest.split_at(2 + usize::from(*length));
        changes.push(change);
        rest = next;
    }
    changes.sort_unstable();
    [&changes.concat(), rest].concat()
}

/// One result of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its columns; none where it has no rows.
    pub columns: Vec<Column>,
    /// Its rows; `None` is NULL, a binary value is its bytes without their length.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    /// How it ended.
    pub end: End,
}

/// All that answers a command.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Every message, in order.
    pub messages: Vec<Message>,
    /// What they mean; one for each result. For COM_STMT_PREPARE one, with parameters and columns.
    pub parts: Vec<Part>,
}

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        self.messages == other.messages
    }
}

impl Reply {
    /// The error that it ends with: number, SQLSTATE, text.
    #[must_use]
    pub fn error(&self) -> Option<(u16, &str, &str)> {
        match &self.parts.last()?.end {
            End::Err { code, sqlstate, message } => Some((*code, sqlstate, message)),
            _ => None,
        }
    }

    /// The number of the error that it ends with; 0 where it ends with none.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.error().map_or(0, |(code, ..)| code)
    }

    /// The cells of all rows of all results as text, NULL as `NULL`.
    #[must_use]
    pub fn cells(&self) -> Vec<Vec<String>> {
        let rows = self.parts.iter().flat_map(|part| &part.rows);
        rows.map(|row| row.iter().map(|cell| cell.as_deref().map_or("NULL".into(), show)).collect()).collect()
    }

    /// The first cell of the first row; empty where there is none.
    #[must_use]
    pub fn scalar(&self) -> String {
        self.cells().first().and_then(|row| row.first().cloned()).unwrap_or_default()
    }

    /// Whether the connection ended before the reply did.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.parts.last().is_none_or(|part| part.end == End::Closed)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            for column in &part.columns {
                writeln!(f, "C {column:?}")?;
            }
            for row in &part.rows {
                let cells: Vec<String> = row.iter().map(|cell| cell.as_deref().map_or("NULL".into(), show)).collect();
                writeln!(f, "R {}", cells.join("|"))?;
            }
            writeln!(f, "{}", part.end)?;
        }
        Ok(())
    }
}

/// What COM_STMT_PREPARE made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The statement's id.
    pub id: u32,
    /// How many parameters it takes.
    pub parameters: usize,
    /// How many columns its result has.
    pub columns: usize,
}

impl Prepared {
    /// Reads the first message of the reply to COM_STMT_PREPARE.
    #[must_use]
    pub fn of(reply: &Reply) -> Option<Self> {
        Self::parse(&reply.messages.first()?.payload)
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8("status").ok()? != header::OK {
            return None;
        }
        let id = lenenc::u32(&mut cursor, "id").ok()?;
        let columns = usize::from(lenenc::u16(&mut cursor, "columns").ok()?);
        let parameters = usize::from(lenenc::u16(&mut cursor, "parameters").ok()?);
        Some(Self { id, parameters, columns })
    }
}

/// Reads a whole reply message by message.
pub fn read(form: Form, capabilities: Capabilities, next: impl FnMut() -> Option<Message>) -> Reply {
    let mut reader = Reader { capabilities, next, messages: Vec::new(), parts: Vec::new() };
    let whole = match form {
        Form::None => Some(()),
        Form::Single => reader.single(),
        Form::Prepare => reader.prepare(),
        Form::Fields => reader.fields(),
        Form::Fetch => reader.rows(Vec::new(), true, true).map(|_| ()),
        Form::Results(binary) => reader.results(binary),
    };
    if whole.is_none() {
        reader.end(Vec::new(), Vec::new(), End::Closed);
    }
    Reply { messages: reader.messages, parts: reader.parts }
}

struct Reader<N> {
    capabilities: Capabilities,
    next: N,
    messages: Vec<Message>,
    parts: Vec<Part>,
}

/// `None` of these: the connection ended.
impl<N: FnMut() -> Option<Message>> Reader<N> {
    fn payload(&mut self) -> Option<Vec<u8>> {
        let message = (self.next)()?;
        let payload = message.payload.clone();
        self.messages.push(message);
        Some(payload)
    }

    fn end(&mut self, columns: Vec<Column>, rows: Vec<Vec<Option<Vec<u8>>>>, end: End) {
        self.parts.push(Part { columns, rows, end });
    }

    fn single(&mut self) -> Option<()> {
        let payload = self.payload()?;
        let end = End::parse(&payload, self.capabilities);
        self.end(Vec::new(), Vec::new(), end);
        Some(())
    }

    fn columns(&mut self, count: usize) -> Option<Vec<Column>> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let payload = self.payload()?;
            columns.push(Column::parse(&payload, self.capabilities).unwrap_or_default());
        }
        if count > 0 && !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.payload()?;
        }
        Some(columns)
    }

    fn prepare(&mut self) -> Option<()> {
        let first = self.payload()?;
        let Some(prepared) = Prepared::parse(&first) else {
            let end = End::parse(&first, self.capabilities);
            self.end(Vec::new(), Vec::new(), end);
            return Some(());
        };
        let mut columns = self.columns(prepared.parameters)?;
        columns.extend(self.columns(prepared.columns)?);
        self.end(columns, Vec::new(), End::Other(first));
        Some(())
    }

    fn fields(&mut self) -> Option<()> {
        let mut columns = Vec::new();
        loop {
            let payload = self.payload()?;
            if is_end(&payload) {
                let end = End::parse(&payload, self.capabilities);
                self.end(columns, Vec::new(), end);
                return Some(());
            }
            columns.push(Column::parse(&payload, self.capabilities).unwrap_or_default());
        }
    }

    /// Returns the status flags that the rows ended with.
    fn rows(&mut self, columns: Vec<Column>, binary: bool, fetched: bool) -> Option<u16> {
        let mut rows = Vec::new();
        loop {
            let payload = self.payload()?;
            if is_end(&payload) {
                let end = End::parse(&payload, self.capabilities);
                let status = end.status();
                self.end(columns, rows, end);
                return Some(status);
            }
            rows.push(match (fetched, binary) {
                (true, _) => vec![Some(payload)],
                (false, true) => binary_row(&payload, &columns).unwrap_or_default(),
                (false, false) => text_row(&payload).unwrap_or_default(),
            });
        }
    }

    fn results(&mut self, binary: bool) -> Option<()> {
        loop {
            let mut first = self.payload()?;
            while first.starts_with(&[header::ERR, 0xff, 0xff]) {
                // A report of progress.
                first = self.payload()?;
            }
            let status = match first.first().copied() {
                Some(header::OK | header::ERR | header::LOCAL_FILE) | None => {
                    let end = End::parse(&first, self.capabilities);
                    let status = end.status();
                    self.end(Vec::new(), Vec::new(), end);
                    status
                }
                Some(_) => {
                    let count = lenenc::int(&mut Cursor::new(&first), "columns").unwrap_or(0);
                    let columns = self.definitions(usize::try_from(count).unwrap_or(0))?;
                    match columns {
                        // An open cursor: the rows come by COM_STMT_FETCH.
                        (columns, Some(end)) if end.status() & status::CURSOR_EXISTS != 0 => {
                            let status = end.status();
                            self.end(columns, Vec::new(), end);
                            status
                        }
                        (columns, _) => self.rows(columns, binary, false)?,
                    }
                }
            };
            if status & status::MORE_RESULTS == 0 {
                return Some(());
            }
        }
    }

    /// The definitions of a result, and the EOF behind them where there is one. Under DEPRECATE_EOF an open
    /// cursor shows by the OK in the place of rows, which reads as the end of none.
    fn definitions(&mut self, count: usize) -> Option<(Vec<Column>, Option<End>)> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let payload = self.payload()?;
            columns.push(Column::parse(&payload, self.capabilities).unwrap_or_default());
        }
        if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            return Some((columns, None));
        }
        let payload = self.payload()?;
        let end = End::parse(&payload, self.capabilities);
        Some((columns, Some(end)))
    }
}

/// Whether rows or definitions end here: ERR, EOF, or OK in its place, which is shorter than a row whose first
/// cell has a length of eight bytes.
fn is_end(payload: &[u8]) -> bool {
    match payload.first() {
        Some(&header::ERR) => true,
        Some(&header::EOF) => payload.len() < 0x00ff_ffff,
        _ => false,
    }
}

fn text_row(payload: &[u8]) -> Result<Vec<Option<Vec<u8>>>, Malformed> {
    let mut cursor = Cursor::new(payload);
    let mut cells = Vec::new();
    while !cursor.is_empty() {
        if cursor.rest().first() == Some(&lenenc::NULL) {
            cursor.u8("NULL")?;
            cells.push(None);
        } else {
            cells.push(Some(lenenc::string(&mut cursor, "cell")?.to_vec()));
        }
    }
    Ok(cells)
}

/// The cells of a binary row; numbers and times are their bytes.
///
/// # Errors
/// [`Malformed`] where the columns do not fit it.
pub fn binary_row(payload: &[u8], columns: &[Column]) -> Result<Vec<Option<Vec<u8>>>, Malformed> {
    let what = "binary row";
    let mut cursor = Cursor::new(payload);
    cursor.u8(what)?;
    let nulls = cursor.bytes((columns.len() + 9) / 8, what)?;
    let mut cells = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        if nulls.get((at + 2) / 8).is_some_and(|byte| byte >> ((at + 2) % 8) & 1 == 1) {
            cells.push(None);
            continue;
        }
        let bytes = match column.kind {
            column::TINY => cursor.bytes(1, what)?,
            column::SHORT | column::YEAR => cursor.bytes(2, what)?,
            column::LONG | column::INT24 | column::FLOAT => cursor.bytes(4, what)?,
            column::LONGLONG | column::DOUBLE => cursor.bytes(8, what)?,
            column::DATE | column::DATETIME | column::TIMESTAMP | column::TIME => {
                let length = usize::from(cursor.u8(what)?);
                cursor.bytes(length, what)?
            }
            _ => lenenc::string(&mut cursor, what)?,
        };
        cells.push(Some(bytes.to_vec()));
    }
    Ok(cells)
}

fn show(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}
