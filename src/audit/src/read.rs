//! Reading the log back, for tests and tools.
//!
//! Reads one line at a time and never more than [`LINE_BYTES`] of it. A line that cannot be read (torn when a
//! process died, or written by somebody else) is an error for that line; the next one is read all the same.

use std::fmt;
use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};

use crate::limits::LINE_BYTES;

/// A record as it was read. Fields that a record does not have are empty; see [`crate::record`] for what they
/// mean. Fields of newer versions are ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct OwnedRecord {
    /// What happened.
    pub event: String,
    /// When.
    pub time: String,
    /// Whose session it was.
    pub session: String,
    /// Address of the client.
    pub client: String,
    /// Name of the listener.
    pub listener: String,
    /// The user.
    pub user: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// The database.
    pub database: String,
    /// The client's application name.
    pub application: String,
    /// Counts the statements of a session.
    pub number: u64,
    /// Which statement of a text with several.
    pub part: u64,
    /// The text of the statement.
    pub statement: String,
    /// Whether bytes that are not UTF-8 are shown as `\xNN`.
    pub statement_escaped: bool,
    /// Length of a text that was cut.
    pub statement_bytes: Option<u64>,
    /// Whether the text was cut.
    pub statement_cut: bool,
    /// Kinds of the statements in the text.
    pub kinds: Vec<String>,
    /// Relations that it names.
    pub relations: Vec<String>,
    /// `allow`, `deny` or `hold`.
    pub verdict: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Bind parameters.
    pub parameters: Vec<OwnedParameter>,
    /// How many there were, where not all were kept.
    pub parameters_total: Option<u64>,
    /// Names of the types that they were bound with.
    pub parameter_types: Vec<Option<String>>,
    /// Masks that changed cells.
    pub masks: Vec<OwnedMaskCount>,
    /// Cells redacted whole because of their size.
    pub oversized_cells: u64,
    /// The file of the client's machine that the server was given.
    pub local_file: Option<String>,
    /// Its size.
    pub local_file_bytes: Option<u64>,
    /// Rows.
    pub rows: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// The command tag.
    pub tag: String,
    /// The error.
    pub sqlstate: Option<String>,
    /// The error's number, in a protocol that numbers errors.
    pub error_code: Option<u16>,
    /// Microseconds at the server.
    pub server_us: f64,
    /// Microseconds added by the gateway.
    pub gateway_us: f64,
    /// Stopped at a row limit.
    pub suspended: bool,
    /// Ended before it completed.
    pub abandoned: bool,
    /// TLS version of the client's leg.
    pub tls: String,
    /// TLS version of the server's leg.
    pub upstream_tls: String,
    /// How the client was authenticated.
    pub auth: String,
    /// A short fixed name.
    pub reason: String,
    /// Whose doing a fault was.
    pub culprit: String,
    /// What the client was told of a fault.
    pub message: String,
    /// Microseconds that a session lasted.
    pub duration_us: f64,
    /// Statements of a session.
    pub statements: u64,
    /// What asked for a reload.
    pub cause: String,
    /// Whether a reload succeeded.
    pub loaded: bool,
    /// The policy generation.
    pub generation: u64,
    /// What was wrong with a config.
    pub problems: Vec<String>,
    /// Records lost in a gap.
    pub dropped: u64,
    /// Why there is a gap.
    pub error: String,
}

/// A bind parameter as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum OwnedParameter {
    /// SQL NULL.
    Null,
    /// A whole value in text form.
    Text(String),
    /// Anything else.
    Other {
        /// Whether it is hidden.
        #[serde(default)]
        masked: bool,
        /// The beginning of a value in text form.
        #[serde(default)]
        text: Option<String>,
        /// A value in binary form, or its beginning.
        #[serde(default)]
        hex: Option<String>,
        /// Length of a value that was cut.
        #[serde(default)]
        total_bytes: Option<u64>,
        /// Whether it was cut.
        #[serde(default)]
        cut: bool,
    },
}

/// What one mask did, as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct OwnedMaskCount {
    /// Name of the rule.
    pub rule: String,
    /// Cells that it masked.
    pub cells: u64,
}

/// Why a line could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be read any further.
    Io(io::Error),
    /// A line is not a record.
    Line {
        /// Which, from 1.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read the audit log: {error}"),
            Self::Line { number, reason } => write!(f, "line {number} of the audit log is not a record: {reason}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Line { .. } => None,
        }
    }
}

/// The records of one file, in order.
pub fn read<R: BufRead>(reader: R) -> Records<R> {
    Records { reader, line: Vec::new(), number: 0, ended: false }
}

/// See [`read`].
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    ended: bool,
}

impl<R: BufRead> Records<R> {
    /// Reads one line into `self.line`; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.line.clear();
        let limit = u64::try_from(LINE_BYTES).unwrap_or(u64::MAX);
        let count = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        Ok(count > 0)
    }

    fn parse(&self) -> Result<OwnedRecord, ReadError> {
        let failed = |reason: String| ReadError::Line { number: self.number, reason };
        let Some(text) = self.line.strip_suffix(b"\n") else {
            return Err(failed("it does not end".to_owned()));
        };
        serde_json::from_slice(text).map_err(|error| failed(error.to_string()))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<OwnedRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.fill() {
            Ok(true) => {
                self.number += 1;
                Some(self.parse())
            }
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(ReadError::Io(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        Judged, LocalFile, MaskCount, Parameter, Record, Reload, Statement, Subject, Text, Typed, Verdict,
    };
    use crate::{Identity, Summary, encode};

    #[test]
    fn what_is_written_is_read() {
        let identity = Identity::encode(&Subject {
            session: "00000001-0-2",
            client: "127.0.0.1:1",
            listener: "orders",
            user: b"ana",
            groups: &["support"],
            database: b"shop",
            application: b"app",
        });
        let summary = Summary::encode(&Judged {
            statement: Text::cut(b"select $1 from t", 40, 8),
            kinds: &["select"],
            relations: &["public.t"],
            verdict: Verdict::Allow,
            rule: Some("r"),
            reported: &[],
        });
        let statement = Statement {
            unix_ns: 0,
            identity: &identity,
            summary: &summary,
            number: 1,
            part: 2,
            parameters: &Typed(
                &[
                    (Parameter::Null, ""),
                    (Parameter::Text(b"masked"[..].into()), "varchar"),
                    (Parameter::Masked, "int"),
                    (Parameter::Binary(Text::cut(&[1, 2], 2, 1)), "blob"),
                ],
                5,
            ),
            masks: &[MaskCount { rule: "cards", cells: 3 }],
            oversized_cells: 4,
            local_file: Some(LocalFile { name: b"new.csv", bytes: 8 }),
            rows: 5,
            bytes_in: 6,
            bytes_out: 7,
            tag: b"SELECT 5",
            sqlstate: Some(*b"57014"),
            error_code: Some(1317),
            server_ns: 8_500,
            gateway_ns: 9_250,
            suspended: true,
            abandoned: true,
        };
        let mut file = Vec::new();
        encode(&Record::Statement(statement), &mut file);
        let record = read(file.as_slice()).next().unwrap().unwrap();
        let other = |masked: bool, hex: Option<&str>, total_bytes: Option<u64>| OwnedParameter::Other {
            masked,
            text: None,
            hex: hex.map(str::to_owned),
            total_bytes,
            cut: total_bytes.is_some(),
        };
        let expected = OwnedRecord {
            event: "statement".into(),
            time: "1970-01-01T00:00:00.000000Z".into(),
            session: "00000001-0-2".into(),
            client: "127.0.0.1:1".into(),
            listener: "orders".into(),
            user: "ana".into(),
            groups: vec!["support".into()],
            database: "shop".into(),
            application: "app".into(),
            number: 1,
            part: 2,
            statement: "select $".into(),
            statement_bytes: Some(40),
            statement_cut: true,
            kinds: vec!["select".into()],
            relations: vec!["public.t".into()],
            verdict: "allow".into(),
            rule: Some("r".into()),
            parameters: vec![
                OwnedParameter::Null,
                OwnedParameter::Text("masked".into()),
                other(true, None, None),
                other(false, Some("01"), Some(2)),
            ],
            parameters_total: Some(5),
            parameter_types: vec![None, Some("varchar".into()), Some("int".into()), Some("blob".into())],
            masks: vec![OwnedMaskCount { rule: "cards".into(), cells: 3 }],
            oversized_cells: 4,
            local_file: Some("new.csv".into()),
            local_file_bytes: Some(8),
            rows: 5,
            bytes_in: 6,
            bytes_out: 7,
            tag: "SELECT 5".into(),
            sqlstate: Some("57014".into()),
            error_code: Some(1317),
            server_us: 8.5,
            gateway_us: 9.25,
            suspended: true,
            abandoned: true,
            ..OwnedRecord::default()
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn a_torn_or_foreign_line_does_not_hide_the_others() {
        let mut file = b"nonsense\n".to_vec();
        let reload = Reload { unix_ns: 0, cause: "signal", generation: 3, problems: &[] };
        encode(&Record::Reload(reload), &mut file);
        file.extend_from_slice(b"{\"event\":\"connect\"");
        let read: Vec<_> = read(file.as_slice()).collect();
        assert!(matches!(&read[0], Err(ReadError::Line { number: 1, .. })));
        assert!(matches!(&read[1], Ok(record) if record.event == "reload" && record.loaded && record.generation == 3));
        assert!(matches!(&read[2], Err(ReadError::Line { number: 3, .. })));
        assert_eq!(read.len(), 3);
    }
}
