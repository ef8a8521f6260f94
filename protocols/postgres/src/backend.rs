//! Messages that Wiregate itself sends to a client, in place of or beside the server's.
//!
//! Every function appends one whole message to `out` and leaves what is already there alone. Text that
//! would end a field early (NUL) is removed, so a message is well formed whatever it is made of. Nothing
//! here decides when a message may be sent.
//!
//! Source: PostgreSQL manual, "Message Formats" and "Error and Notice Message Fields".

use wire::cursor::Malformed;

/// How grave an ErrorResponse is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The statement failed; the session goes on.
    Error,
    /// The session ends; the connection is closed after this message.
    Fatal,
}

/// How grave a NoticeResponse is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeSeverity {
    /// For the user's information.
    Notice,
    /// Something did not go as asked.
    Warning,
}

/// Where a session stands, as ReadyForQuery tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionStatus {
    /// In a failed transaction: everything but ROLLBACK is refused (`E`).
    Failed,
    /// Outside a transaction (`I`).
    Idle,
    /// In a transaction (`T`).
    InTransaction,
}

impl TryFrom<u8> for TransactionStatus {
    type Error = Malformed;

    /// The status that a ReadyForQuery names.
    fn try_from(byte: u8) -> Result<Self, Malformed> {
        match byte {
            b'E' => Ok(Self::Failed),
            b'I' => Ok(Self::Idle),
            b'T' => Ok(Self::InTransaction),
            _ => Err(Malformed { what: "ReadyForQuery" }),
        }
    }
}

impl TransactionStatus {
    /// The byte that stands for it on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Failed => b'E',
            Self::Idle => b'I',
            Self::InTransaction => b'T',
        }
    }
}

/// ErrorResponse with the fields S, V, C, M and, where given, H.
pub fn error_response(out: &mut Vec<u8>, severity: Severity, sqlstate: &[u8; 5], message: &str, hint: Option<&str>) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    report(out, b'E', severity, sqlstate, message, hint);
}

/// The ErrorResponse (FATAL) that ends a session because of `fault`.
pub fn fault_response(out: &mut Vec<u8>, fault: &wire::fault::Fault) {
    error_response(out, Severity::Fatal, &fault.sqlstate, &fault.message, None);
}

/// NoticeResponse with the fields S, V, C, M and, where given, H.
pub fn notice_response(
    out: &mut Vec<u8>,
    severity: NoticeSeverity,
    sqlstate: &[u8; 5],
    message: &str,
    hint: Option<&str>,
) {
    let severity = match severity {
        NoticeSeverity::Notice => "NOTICE",
        NoticeSeverity::Warning => "WARNING",
    };
    report(out, b'N', severity, sqlstate, message, hint);
}

fn report(out: &mut Vec<u8>, kind: u8, severity: &str, sqlstate: &[u8; 5], message: &str, hint: Option<&str>) {
    framed(out, kind, |out| {
        let mut field = |code: u8, text: &[u8]| {
            out.push(code);
            cstr(out, text);
        };
        field(b'S', severity.as_bytes());
        field(b'V', severity.as_bytes());
        field(b'C', sqlstate);
        field(b'M', message.as_bytes());
        if let Some(hint) = hint {
            field(b'H', hint.as_bytes());
        }
        out.push(0);
    });
}

/// ReadyForQuery.
pub fn ready_for_query(out: &mut Vec<u8>, status: TransactionStatus) {
    framed(out, b'Z', |out| out.push(status.byte()));
}

/// AuthenticationOk: the client is who it says.
pub fn authentication_ok(out: &mut Vec<u8>) {
    authentication(out, 0, &[]);
}

/// AuthenticationCleartextPassword.
pub fn authentication_cleartext(out: &mut Vec<u8>) {
    authentication(out, 3, &[]);
}

/// AuthenticationMD5Password with the salt of this connection.
pub fn authentication_md5(out: &mut Vec<u8>, salt: [u8; 4]) {
    authentication(out, 5, &salt);
}

/// AuthenticationSASL with the names of `mechanisms`, best first.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&[u8]]) {
    let mut list = Vec::with_capacity(64);
    for mechanism in mechanisms {
        cstr(&mut list, mechanism);
    }
    list.push(0);
    authentication(out, 10, &list);
}

/// AuthenticationSASLContinue with the mechanism's challenge.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 11, data);
}

/// AuthenticationSASLFinal with the mechanism's outcome.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 12, data);
}

fn authentication(out: &mut Vec<u8>, code: u32, data: &[u8]) {
    framed(out, b'R', |out| {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// NegotiateProtocolVersion: the newest minor version of protocol 3 that is spoken here, and the names of
/// the `_pq_.` options that are not known here.
///
/// The version field is the whole version number (`3 << 16 | minor`), as the server of PostgreSQL sends it
/// and as libpq reads it; the manual's "minor protocol version" is that number.
pub fn negotiate_protocol_version(out: &mut Vec<u8>, minor: u16, unrecognized: &[&[u8]]) {
    framed(out, b'v', |out| {
        out.extend_from_slice(&(3 << 16 | u32::from(minor)).to_be_bytes());
        out.extend_from_slice(&length_field(unrecognized.len()).to_be_bytes());
        for name in unrecognized {
            cstr(out, name);
        }
    });
}

/// ParameterStatus.
pub fn parameter_status(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    framed(out, b'S', |out| {
        cstr(out, name);
        cstr(out, value);
    });
}

/// NotificationResponse: `process` is the number of the server process that notifies.
pub fn notification_response(out: &mut Vec<u8>, process: u32, channel: &[u8], payload: &[u8]) {
    framed(out, b'A', |out| {
        out.extend_from_slice(&process.to_be_bytes());
        cstr(out, channel);
        cstr(out, payload);
    });
}

/// BackendKeyData: what the client needs to cancel. `key` has 4 bytes in protocol 3.0, 4 to 256 in 3.2.
pub fn backend_key_data(out: &mut Vec<u8>, pid: u32, key: &[u8]) {
    debug_assert!((4..=256).contains(&key.len()), "a cancel key has 4 to 256 bytes");
    framed(out, b'K', |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// Appends a message of type `kind` whose body `write` appends.
pub(crate) fn framed(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    counted(out, write);
}

/// Appends a length word, which counts itself, and the body that `write` appends.
pub(crate) fn counted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = length_field(out.len().saturating_sub(start));
    if let Some(word) = out.get_mut(start..start + 4) {
        word.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends `text` without its NUL bytes, and a NUL.
pub(crate) fn cstr(out: &mut Vec<u8>, text: &[u8]) {
    for piece in text.split(|byte| *byte == 0) {
        out.extend_from_slice(piece);
    }
    out.push(0);
}

fn length_field(length: usize) -> u32 {
    debug_assert!(length <= wire::limits::FRAME_BYTES, "own messages are small");
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(&mut out);
        out.split_off(6)
    }

    #[test]
    fn an_error_has_the_fields_that_drivers_read_and_no_stray_nul() {
        let message = built(|out| error_response(out, Severity::Error, b"42501", "no\0pe", Some("ask")));
        assert_eq!(message, b"E\0\0\0\x00SERROR\0VERROR\0C42501\0Mnope\0Hask\0\0".to_vec().fix_length());
        let notice = built(|out| notice_response(out, NoticeSeverity::Warning, b"01000", "w", None));
        assert_eq!(notice, b"N\0\0\0\x00SWARNING\0VWARNING\0C01000\0Mw\0\0".to_vec().fix_length());
    }

    #[test]
    fn a_fault_ends_the_session_as_fatal() {
        let fault = wire::fault::Fault::client("bad", "bad frame");
        let message = built(|out| fault_response(out, &fault));
        assert_eq!(message, b"E\0\0\0\x00SFATAL\0VFATAL\0C08P01\0Mbad frame\0\0".to_vec().fix_length());
    }

    #[test]
    fn fixed_messages_are_as_the_manual_shows() {
        assert_eq!(built(|out| ready_for_query(out, TransactionStatus::Failed)), b"Z\0\0\0\x05E");
        assert_eq!(built(authentication_ok), b"R\0\0\0\x08\0\0\0\0");
        assert_eq!(built(authentication_cleartext), b"R\0\0\0\x08\0\0\0\x03");
        assert_eq!(built(|out| authentication_md5(out, *b"salt")), b"R\0\0\0\x0c\0\0\0\x05salt");
        assert_eq!(
            built(|out| authentication_sasl(out, &[b"SCRAM-SHA-256"])),
            b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"
        );
        assert_eq!(built(|out| authentication_sasl_continue(out, b"r=")), b"R\0\0\0\x0a\0\0\0\x0br=");
        assert_eq!(built(|out| authentication_sasl_final(out, b"v=")), b"R\0\0\0\x0a\0\0\0\x0cv=");
        assert_eq!(built(|out| parameter_status(out, b"a", b"b")), b"S\0\0\0\x08a\0b\0");
        assert_eq!(built(|out| backend_key_data(out, 7, b"keys")), b"K\0\0\0\x0c\0\0\0\x07keys");
        assert_eq!(
            built(|out| negotiate_protocol_version(out, 2, &[b"_pq_.x"])),
            b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0"
        );
    }

    trait FixLength {
        fn fix_length(self) -> Self;
    }

    impl FixLength for Vec<u8> {
        /// Spares the tests of text fields the counting.
        fn fix_length(mut self) -> Self {
            let length = u32::try_from(self.len() - 1).unwrap();
            self[1..5].copy_from_slice(&length.to_be_bytes());
            self
        }
    }
}
