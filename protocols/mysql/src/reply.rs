//! OK, EOF and ERR: reading and building them.
//!
//! OK and EOF carry the status flags; OK may carry a text and changes of the session after them. A server
//! sends the text length-encoded whether session tracking is on or not (`net_send_ok` in MySQL's
//! `sql/protocol_classic.cc`), so that what follows the status can move from one dialect to the other.
//!
//! Source: MySQL documentation, "OK_Packet", "EOF_Packet", "ERR_Packet".

use wire::cursor::{Cursor, Malformed};
use wire::fault::Fault;
use wire::guard::Denial;

use crate::constant::{error, header, status};
use crate::{lenenc, packet};

/// An OK, or an OK that stands for EOF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// 0x00 or 0xfe.
    pub header: u8,
    /// Rows that the statement changed.
    pub affected_rows: u64,
    /// The last AUTO_INCREMENT value.
    pub last_insert_id: u64,
    /// Status flags.
    pub status: u16,
    /// Count of warnings.
    pub warnings: u16,
    /// A text for people.
    pub info: &'a [u8],
    /// Changes of the session; read them with [`changes`].
    pub session: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Reads a payload. `tracked`: session tracking was agreed on.
    ///
    /// # Errors
    /// [`Malformed`] when its inside does not fit it.
    pub fn parse(payload: &'a [u8], tracked: bool) -> Result<Self, Malformed> {
        let what = "OK packet";
        let mut cursor = Cursor::new(payload);
        let header = cursor.u8(what)?;
        let affected_rows = lenenc::int(&mut cursor, what)?;
        let last_insert_id = lenenc::int(&mut cursor, what)?;
        let status = lenenc::u16(&mut cursor, what)?;
        let warnings = lenenc::u16(&mut cursor, what)?;
        let (mut info, mut session) = (&payload[..0], &payload[..0]);
        if tracked && !cursor.is_empty() {
            info = lenenc::string(&mut cursor, what)?;
            // The flag comes without data too.
            if status & status::SESSION_STATE_CHANGED != 0 && !cursor.is_empty() {
                session = lenenc::string(&mut cursor, what)?;
            }
        } else if !cursor.is_empty() {
            info = lenenc::string(&mut cursor, what).unwrap_or_default();
        }
        Ok(Self { header, affected_rows, last_insert_id, status, warnings, info, session })
    }

    /// Appends the payload for a client that did not ask for session tracking.
    pub fn push_untracked(&self, out: &mut Vec<u8>) {
        out.push(self.header);
        lenenc::push_int(out, self.affected_rows);
        lenenc::push_int(out, self.last_insert_id);
        out.extend_from_slice(&(self.status & !status::SESSION_STATE_CHANGED).to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        if !self.info.is_empty() {
            lenenc::push_string(out, self.info);
        }
    }
}

/// One change of the session, as OK tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The database in use.
    Schema(&'a [u8]),
    /// A system variable.
    Variable {
        /// Its name.
        name: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
}

/// The changes that concern settings; others (transaction state, GTIDs) are passed over.
///
/// # Errors
/// [`Malformed`] at the first entry whose inside does not fit it.
pub fn changes(session: &[u8]) -> Result<Vec<Change<'_>>, Malformed> {
    const VARIABLES: u8 = 0;
    const SCHEMA: u8 = 1;
    let what = "session state";
    let mut cursor = Cursor::new(session);
    let mut changes = Vec::new();
    while !cursor.is_empty() {
        let kind = cursor.u8(what)?;
        let data = lenenc::string(&mut cursor, what)?;
        let mut inner = Cursor::new(data);
        match kind {
            VARIABLES => {
                // MariaDB puts several pairs into one entry.
                while !inner.is_empty() {
                    let name = lenenc::string(&mut inner, what)?;
                    let value = lenenc::string(&mut inner, what)?;
                    changes.push(Change::Variable { name, value });
                }
            }
            SCHEMA => changes.push(Change::Schema(lenenc::string(&mut inner, what)?)),
            _ => {}
        }
    }
    Ok(changes)
}

/// The status flags of an EOF: five bytes, warnings before status.
///
/// # Errors
/// [`Malformed`] when it is too short.
pub fn eof_status(payload: &[u8]) -> Result<u16, Malformed> {
    let what = "EOF packet";
    let mut cursor = Cursor::new(payload);
    cursor.bytes(3, what)?;
    lenenc::u16(&mut cursor, what)
}

/// An ERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// The error's number; [`error::PROGRESS`] is no error.
    pub code: u16,
    /// `HY000` where the server names none, as before login.
    pub sqlstate: [u8; 5],
    /// The text, in the session's character set.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Malformed`] when it is shorter than header and code.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let what = "ERR packet";
        let mut cursor = Cursor::new(payload);
        cursor.u8(what)?;
        let code = lenenc::u16(&mut cursor, what)?;
        let rest = cursor.rest();
        Ok(match rest.split_first_chunk::<6>() {
            Some(([b'#', state @ ..], message)) if code != error::PROGRESS => Self { code, sqlstate: *state, message },
            _ => Self { code, sqlstate: *b"HY000", message: rest },
        })
    }
}

/// Appends an ERR packet. `seq` becomes the next sequence id.
pub fn write_err(out: &mut Vec<u8>, seq: &mut u8, code: u16, sqlstate: &[u8; 5], message: &[u8]) {
    packet::write(out, seq, |out| {
        out.push(header::ERR);
        out.extend_from_slice(&code.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(sqlstate);
        // What clients hold of it (`MYSQL_ERRMSG_SIZE`), at a character's end.
        let text = String::from_utf8_lossy(message);
        let end = (0..=text.len().min(LONGEST_MESSAGE)).rev().find(|end| text.is_char_boundary(*end));
        out.extend_from_slice(text.get(..end.unwrap_or(0)).unwrap_or_default().as_bytes());
    });
}

/// Longest text of an error that clients take.
const LONGEST_MESSAGE: usize = 500;

/// Appends an OK packet. `seq` becomes the next sequence id.
pub fn write_ok(out: &mut Vec<u8>, seq: &mut u8, status: u16) {
    packet::write(out, seq, |out| {
        out.extend_from_slice(&[header::OK, 0, 0]);
        out.extend_from_slice(&status.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
    });
}

/// Appends the ERR that tells a client of a refusal: error 1227, SQLSTATE 42000, unless the reason is not a
/// rule. MySQL has no place for a hint: it follows the message.
pub fn write_denial(out: &mut Vec<u8>, seq: &mut u8, denial: &Denial) {
    let (code, sqlstate) = denial_code(denial);
    match &denial.hint {
        Some(hint) => write_err(out, seq, code, &sqlstate, format!("{} ({hint})", denial.message).as_bytes()),
        None => write_err(out, seq, code, &sqlstate, denial.message.as_bytes()),
    }
}

/// SQLSTATE of a [`Denial`] that a client gets as error 1094, "Unknown thread id": in PostgreSQL's list, that what is
/// named is no object.
pub const UNKNOWN_THREAD: [u8; 5] = *b"42704";

/// The error number and the SQLSTATE that a client gets for a refusal.
#[must_use]
pub fn denial_code(denial: &Denial) -> (u16, [u8; 5]) {
    match &denial.sqlstate {
        state if *state == UNKNOWN_THREAD => (error::UNKNOWN_THREAD, *b"HY000"),
        b"42501" | b"42000" => (error::SPECIFIC_ACCESS_DENIED, *b"42000"),
        b"54000" => (error::LIMIT_REACHED, *b"42000"),
        other => (error::UNKNOWN, *other),
    }
}

/// The error number and the SQLSTATE that a client gets for the end of its session. Faults name SQLSTATEs in
/// the words that both protocols' sessions share; MySQL's clients look at the number.
#[must_use]
pub fn fault_code(fault: &Fault) -> (u16, [u8; 5]) {
    match &fault.sqlstate {
        _ if fault.reason == "packets_out_of_order" => (error::PACKETS_OUT_OF_ORDER, *b"08S01"),
        b"08P01" => (error::MALFORMED_PACKET, *b"08S01"),
        b"08001" | b"08004" | b"08006" => (error::HANDSHAKE, *b"08S01"),
        b"28000" | b"28P01" => (error::ACCESS_DENIED, *b"28000"),
        b"3D000" => (error::UNKNOWN_DATABASE, *b"42000"),
        b"53300" => (error::TOO_MANY_CONNECTIONS, *b"08004"),
        b"57P01" | b"57P03" => (error::SHUTDOWN, *b"08S01"),
        other => (error::UNKNOWN, *other),
    }
}

/// Appends the ERR that ends a client's session. `seq` becomes the next sequence id.
pub fn write_fault(out: &mut Vec<u8>, seq: &mut u8, fault: &Fault) {
    let (code, sqlstate) = fault_code(fault);
    write_err(out, seq, code, &sqlstate, fault.message.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_is_read_with_and_without_tracking() {
        let plain = OkPacket::parse(b"\0\x01\x02\x02\0\x03\0", false).unwrap();
        assert_eq!((plain.affected_rows, plain.last_insert_id, plain.status, plain.warnings), (1, 2, 2, 3));
        assert_eq!(plain.info, b"");
        let text = OkPacket::parse(b"\0\0\0\x02\0\0\0\x05Hello", false).unwrap();
        assert_eq!(text.info, b"Hello");
        // `use test` with tracking of the schema.
        let tracked = OkPacket::parse(b"\0\0\0\x02\x40\0\0\0\x07\x01\x05\x04test", true).unwrap();
        assert_eq!(changes(tracked.session).unwrap(), [Change::Schema(b"test")]);
        let flag_only = OkPacket::parse(b"\0\0\0\x02\x40\0\0", true).unwrap();
        assert_eq!(flag_only.session, b"");
        let flag_and_text = OkPacket::parse(b"\0\0\0\x02\x40\0\0\x02hi", true).unwrap();
        assert_eq!((flag_and_text.info, flag_and_text.session), (&b"hi"[..], &b""[..]));
    }

    #[test]
    fn ok_without_tracking_keeps_all_but_the_session() {
        let tracked = OkPacket::parse(b"\xfe\x01\x02\x02\x40\x03\0\x02hi\x07\x01\x05\x04test", true).unwrap();
        let mut out = Vec::new();
        tracked.push_untracked(&mut out);
        assert_eq!(out, b"\xfe\x01\x02\x02\0\x03\0\x02hi");
        let again = OkPacket::parse(&out, false).unwrap();
        assert_eq!((again.info, again.status), (&b"hi"[..], status::AUTOCOMMIT));
    }

    #[test]
    fn variables_are_read_in_one_entry_or_several() {
        let one = b"\0\x0f\x0aautocommit\x03OFF";
        assert_eq!(changes(one).unwrap(), [Change::Variable { name: b"autocommit", value: b"OFF" }]);
        let several = b"\0\x08\x01a\x01b\x01c\x01d\x02\x011\x05\x03\x01\x02\x03";
        let expected = [Change::Variable { name: b"a", value: b"b" }, Change::Variable { name: b"c", value: b"d" }];
        assert_eq!(changes(several).unwrap(), expected);
        assert!(changes(b"\0\x05ab").is_err());
        assert!(changes(b"\x01\x02\x05a").is_err());
    }

    #[test]
    fn errors_are_read_and_written() {
        let err = ErrPacket::parse(b"\xff\x48\x04#HY000No tables used").unwrap();
        assert_eq!((err.code, &err.sqlstate, err.message), (1096, b"HY000", &b"No tables used"[..]));
        let early = ErrPacket::parse(b"\xff\x10\x04Too many connections").unwrap();
        assert_eq!((early.code, early.message), (1040, &b"Too many connections"[..]));
        let (mut out, mut seq) = (Vec::new(), 1);
        write_err(&mut out, &mut seq, 1227, b"42000", b"no");
        assert_eq!(out, b"\x0b\0\0\x01\xff\xcb\x04#42000no");
        assert_eq!(seq, 2);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let (mut out, mut seq) = (Vec::new(), 1);
        write_err(&mut out, &mut seq, 1, b"HY000", "é".repeat(400).as_bytes());
        let err = ErrPacket::parse(&out[4..]).unwrap();
        assert_eq!(err.message, "é".repeat(250).as_bytes());
        out.clear();
        write_err(&mut out, &mut seq, 1, b"HY000", format!("x{}", "é".repeat(400)).as_bytes());
        assert!(std::str::from_utf8(ErrPacket::parse(&out[4..]).unwrap().message).is_ok());
    }

    #[test]
    fn a_rule_becomes_error_1227() {
        let denial = Denial { sqlstate: *b"42501", message: "refused".into(), hint: Some("ask".into()) };
        let (mut out, mut seq) = (Vec::new(), 1);
        write_denial(&mut out, &mut seq, &denial);
        let err = ErrPacket::parse(&out[4..]).unwrap();
        assert_eq!((err.code, &err.sqlstate, err.message), (1227, b"42000", &b"refused (ask)"[..]));
        let full = Fault::new(wire::fault::Culprit::Gateway, b"53300", "full", "too many");
        assert_eq!(fault_code(&full), (1040, *b"08004"));
    }
}
