//! The first packets of a connection: encryption requests, cancel requests and the start-up message.
//!
//! Reads what a client sends before any message with a type byte, from bytes that the caller has gathered
//! so far. It refuses what the server refuses, in the server's words, and a little more: names that the
//! server would cut, because then the gateway's rules and the server would see two different users. It
//! answers nothing itself and never looks past one packet.
//!
//! ```text
//!            0x16                    SSLRequest          GSSENCRequest
//!  accept ─────────> DirectTls    ┌────────────┐        ┌────────────┐
//!     └──> first packet ──────────┤ once, Ssl  ├───┬────┤ once,GssEnc├──> …
//!               │                 └────────────┘   │    └────────────┘
//!               ├──> CancelRequest  (end)          │
//!               └──> StartupMessage (authentication follows)
//! ```
//!
//! Source: PostgreSQL manual, "Message Flow: Start-up, Canceling Requests, SSL Session Encryption" and
//! "Message Formats"; `ProcessStartupPacket` in `backend_startup.c` of PostgreSQL 18.

use crate::backend;
use crate::frontend::{CANCEL_REQUEST_CODE, GSSENC_REQUEST_CODE, SSL_REQUEST_CODE};
use wire::cursor::{Cursor, Malformed};
use wire::fault::{Culprit, Fault};
use wire::limits::{NAME_BYTES, STARTUP_BYTES};

/// The newest minor version of protocol 3 that is spoken here.
pub const NEWEST_MINOR: u16 = 2;

/// Shortest and longest secret of a CancelRequest in bytes: 4 in protocol 3.0, up to 256 in 3.2.
pub const CANCEL_KEY_BYTES: core::ops::RangeInclusive<usize> = 4..=256;

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// What the gathered bytes hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not yet a whole packet.
    Incomplete,
    /// One packet.
    Packet {
        /// How many of the gathered bytes it took; 0 for [`FirstPacket::DirectTls`], whose bytes are the
        /// handshake's.
        consumed: usize,
        /// What it says.
        packet: FirstPacket,
    },
}

/// A packet that may open a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstPacket {
    /// Cancel the statement of another connection; no answer is sent.
    Cancel {
        /// Process id as BackendKeyData gave it.
        pid: u32,
        /// The secret that came with it, [`CANCEL_KEY_BYTES`] long.
        key: Box<[u8]>,
    },
    /// A TLS handshake without a request before it; ALPN `postgresql` is then required.
    DirectTls,
    /// Asks for GSSAPI encryption; one byte answers, `N` here.
    GssEnc,
    /// Asks for TLS; one byte answers, `S` or `N`.
    Ssl,
    /// The session's parameters; authentication follows.
    Startup(StartupMessage),
}

/// Parser of the packets that open one connection.
///
/// It remembers what was asked already: encryption is negotiated once of each kind, and direct TLS only on
/// the very first byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartupParser {
    ssl_asked: bool,
    gss_asked: bool,
    encrypted: bool,
}

impl StartupParser {
    /// A parser for a connection that has just been accepted.
    #[must_use]
    pub const fn new() -> Self {
        Self { ssl_asked: false, gss_asked: false, encrypted: false }
    }

    /// TLS has been established: what follows is read from inside it and may not ask for encryption again.
    pub fn tls_established(&mut self) {
        self.encrypted = true;
    }

    /// Looks at everything gathered so far and not yet consumed.
    ///
    /// # Errors
    /// A [`Fault`] as soon as the bytes cannot become a packet that a server would take.
    pub fn parse(&mut self, gathered: &[u8]) -> Result<Progress, Fault> {
        let untouched = !(self.ssl_asked || self.gss_asked || self.encrypted);
        if untouched && gathered.first() == Some(&TLS_HANDSHAKE) {
            self.ssl_asked = true;
            return Ok(Progress::Packet { consumed: 0, packet: FirstPacket::DirectTls });
        }
        let Some((length, rest)) = gathered.split_first_chunk::<4>() else {
            return Ok(Progress::Incomplete);
        };
        let body_length = body_length(u32::from_be_bytes(*length))?;
        let Some((body, beyond)) = rest.split_at_checked(body_length) else {
            return Ok(Progress::Incomplete);
        };
        let packet = self.packet(body)?;
        if matches!(packet, FirstPacket::Ssl | FirstPacket::GssEnc) && !beyond.is_empty() {
            // Whatever came ahead of the handshake is not encrypted and may have been put there by somebody
            // in the middle (CVE-2021-23214); the server checks it whatever it answers.
            let which = if packet == FirstPacket::Ssl { "SSL" } else { "GSSAPI encryption" };
            return Err(Fault::client(
                "unencrypted_data_after_request",
                format!("received unencrypted data after {which} request"),
            ));
        }
        Ok(Progress::Packet { consumed: 4 + body_length, packet })
    }

    fn packet(&mut self, body: &[u8]) -> Result<FirstPacket, Fault> {
        let mut cursor = Cursor::new(body);
        let code = cursor.u32("start-up packet").map_err(layout)?;
        match code {
            CANCEL_REQUEST_CODE => cancel(cursor)
                .map_err(|_| Fault::client("invalid_cancel", "invalid length of query cancel packet or of its key")),
            SSL_REQUEST_CODE if !(self.ssl_asked || self.encrypted) => {
                self.ssl_asked = true;
                Ok(FirstPacket::Ssl)
            }
            GSSENC_REQUEST_CODE if !(self.gss_asked || self.encrypted) => {
                self.gss_asked = true;
                Ok(FirstPacket::GssEnc)
            }
            _ => StartupMessage::parse(code, cursor.rest()).map(FirstPacket::Startup),
        }
    }
}

/// Length of what follows the length word.
fn body_length(length: u32) -> Result<usize, Fault> {
    let refused = || Fault::client("startup_length", format!("invalid length of startup packet: {length} bytes"));
    let length = usize::try_from(length).map_err(|_| refused())?;
    let body = length.checked_sub(4).ok_or_else(refused)?;
    if (4..=STARTUP_BYTES).contains(&body) { Ok(body) } else { Err(refused()) }
}

fn layout(_: Malformed) -> Fault {
    Fault::client("startup_layout", "invalid startup packet layout: expected terminator as last byte")
}

fn cancel(mut cursor: Cursor<'_>) -> Result<FirstPacket, Malformed> {
    let pid = cursor.u32("cancel request")?;
    let key = cursor.rest();
    if !CANCEL_KEY_BYTES.contains(&key.len()) {
        return Err(Malformed { what: "cancel key" });
    }
    Ok(FirstPacket::Cancel { pid, key: key.into() })
}

/// What a client wants of its replication connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replication {
    /// A database session that also takes replication commands (`replication=database`).
    Logical,
    /// An ordinary session.
    None,
    /// A replication session without a database.
    Physical,
}

/// A StartupMessage of protocol 3.
///
/// Holds the parameters as sent, checked to be whole pairs. Where a name comes twice the last one counts,
/// as on the server: anything else would show our rules another user than the server's.
#[derive(Clone, PartialEq, Eq)]
pub struct StartupMessage {
    minor: u16,
    /// NUL-terminated names and values in turn, without the list's own terminator.
    pairs: Box<[u8]>,
}

impl StartupMessage {
    fn parse(version: u32, parameters: &[u8]) -> Result<Self, Fault> {
        let [major, minor] = [version >> 16, version & 0xffff].map(|half| u16::try_from(half).unwrap_or(u16::MAX));
        if major != 3 {
            return Err(Fault::new(
                Culprit::Client,
                b"0A000",
                "protocol_version",
                format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"),
            ));
        }
        let message = Self { minor, pairs: pairs(parameters).map_err(layout)?.into() };
        message.check()?;
        Ok(message)
    }

    /// Refuses what the server refuses before it authenticates, and names that it would cut.
    fn check(&self) -> Result<(), Fault> {
        if self.user().is_empty() {
            return Err(Fault::new(
                Culprit::Client,
                b"28000",
                "no_user",
                "no PostgreSQL user name specified in startup packet",
            ));
        }
        for (what, name) in [("user", self.user()), ("database", self.database())] {
            if name.len() > NAME_BYTES {
                return Err(Fault::new(
                    Culprit::Client,
                    b"42622",
                    "name_too_long",
                    format!("the {what} name in the startup packet is longer than {NAME_BYTES} bytes"),
                ));
            }
        }
        self.replication().map(|_| ())
    }

    /// The minor version of protocol 3 that the client asks for, as sent; probes ask for 9999.
    #[must_use]
    pub fn minor(&self) -> u16 {
        self.minor
    }

    /// All parameters in the order sent, `user` and `_pq_.` options among them.
    pub fn parameters(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let mut fields = self.pairs.split(|byte| *byte == 0);
        core::iter::from_fn(move || Some((fields.next()?, fields.next()?)))
    }

    /// The last value sent for `name`, compared as the server compares protocol fields: byte for byte.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        self.parameters().filter(|(sent, _)| *sent == name.as_bytes()).last().map(|(_, value)| value)
    }

    /// Who logs in; never empty.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        self.parameter("user").unwrap_or_default()
    }

    /// The database, which is the user's name where the client names none.
    #[must_use]
    pub fn database(&self) -> &[u8] {
        self.parameter("database").filter(|name| !name.is_empty()).unwrap_or_else(|| self.user())
    }

    /// What the client calls itself; a setting, so its name is compared without regard to case.
    #[must_use]
    pub fn application_name(&self) -> Option<&[u8]> {
        self.parameters().filter(|(name, _)| name.eq_ignore_ascii_case(b"application_name")).last().map(|(_, v)| v)
    }

    /// Which of `user` and `database` is not UTF-8, for the audit: the server takes any bytes, and names in
    /// rules are UTF-8, so such a name matches no rule that names one.
    #[must_use]
    pub fn not_utf8(&self) -> Option<&'static str> {
        [("user", self.user()), ("database", self.database())]
            .into_iter()
            .find_map(|(what, name)| core::str::from_utf8(name).is_err().then_some(what))
    }

    /// Names of the protocol options (`_pq_.…`) in the order sent. None is known to PostgreSQL 18 or to us.
    pub fn protocol_options(&self) -> impl Iterator<Item = &[u8]> {
        self.parameters().map(|(name, _)| name).filter(|name| name.starts_with(b"_pq_."))
    }

    /// What kind of replication connection is asked for.
    ///
    /// # Errors
    /// 22023 for a value that is neither `database` nor a truth value.
    pub fn replication(&self) -> Result<Replication, Fault> {
        let mut asked = Replication::None;
        // The server looks at each value in turn and fails on the first bad one.
        for (_, value) in self.parameters().filter(|(name, _)| *name == b"replication") {
            asked = match value {
                b"database" => Replication::Logical,
                other => match truth(other) {
                    Some(true) => Replication::Physical,
                    Some(false) => Replication::None,
                    None => {
                        let value = String::from_utf8_lossy(other);
                        return Err(Fault::new(
                            Culprit::Client,
                            b"22023",
                            "invalid_replication",
                            format!(
                                "invalid value for parameter \"replication\": \"{value}\" (valid values are false, \
                                 0, true, 1, database)"
                            ),
                        ));
                    }
                },
            };
        }
        Ok(asked)
    }
}

impl core::fmt::Debug for StartupMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let shown = |bytes| String::from_utf8_lossy(bytes).into_owned();
        write!(f, "StartupMessage 3.{} ", self.minor)?;
        f.debug_map().entries(self.parameters().map(|(name, value)| (shown(name), shown(value)))).finish()
    }
}

/// The name and value pairs up to the terminator, which must be the last byte.
fn pairs(list: &[u8]) -> Result<&[u8], Malformed> {
    let what = "startup packet";
    let mut cursor = Cursor::new(list);
    loop {
        let start = cursor.position();
        if cursor.cstr(what)?.is_empty() {
            return if cursor.is_empty() {
                list.get(..start).ok_or(Malformed { what })
            } else {
                Err(Malformed { what })
            };
        }
        cursor.cstr(what)?;
    }
}

/// A truth value as `parse_bool` of the server reads it: a prefix of a word, in any case.
fn truth(value: &[u8]) -> Option<bool> {
    let is = |word: &[u8], least: usize| {
        value.len() >= least && word.get(..value.len()).is_some_and(|start| start.eq_ignore_ascii_case(value))
    };
    let yes = is(b"true", 1) || is(b"yes", 1) || is(b"on", 2) || value == b"1";
    let no = is(b"false", 1) || is(b"no", 1) || is(b"off", 2) || value == b"0";
    (yes || no).then_some(yes)
}

/// Which version of the protocol two sides speak, where the gateway answers for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Minor version that holds from now on: 0 or 2.
    pub minor: u16,
    /// NegotiateProtocolVersion, to be sent ahead of the first authentication request.
    pub answer: Option<Vec<u8>>,
}

/// Answers the version and the options of `startup` as a PostgreSQL whose newest minor version is
/// `server_minor` would: 3.1, which nobody speaks, counts as 3.0; a newer version or any `_pq_.` option gets
/// a NegotiateProtocolVersion.
///
/// `server_minor` is [`NEWEST_MINOR`] where the gateway mints cancel keys of its own: 3.2 changes nothing
/// else, so that a server of 3.0 may stand behind.
#[must_use]
pub fn negotiate(startup: &StartupMessage, server_minor: u16) -> Negotiated {
    let spoken = |minor: u16| if minor >= 2 { 2 } else { 0 };
    let newest = spoken(server_minor);
    let minor = spoken(startup.minor()).min(newest);
    let options: Vec<&[u8]> = startup.protocol_options().collect();
    let newer = startup.minor() > newest && startup.minor() != 1;
    let answer = (newer || !options.is_empty()).then(|| {
        let mut out = Vec::new();
        backend::negotiate_protocol_version(&mut out, minor, &options);
        out
    });
    Negotiated { minor, answer }
}

/// The server's NegotiateProtocolVersion: the minor version that the session speaks from then on, 0 or 2.
///
/// `body` is the message without type and length. PostgreSQL sends the whole version number (`3 << 16 |
/// minor`); the manual's words, "the newest minor version", have been read as the bare number too.
///
/// # Errors
/// A [`Fault`] when the message is malformed, or names a version that was not asked for.
pub fn server_negotiated(body: &[u8], asked_minor: u16) -> Result<u16, Fault> {
    let broken =
        |_: Malformed| Fault::server("negotiate_version", "malformed NegotiateProtocolVersion from the server");
    let mut cursor = Cursor::new(body);
    let version = cursor.u32("version").map_err(broken)?;
    let count = cursor.u32("option count").map_err(broken)?;
    for _ in 0..count {
        cursor.cstr("option").map_err(broken)?;
    }
    let minor = match version >> 16 {
        0 | 3 => u16::try_from(version & 0xffff).unwrap_or(u16::MAX),
        _ => u16::MAX,
    };
    if !cursor.is_empty() || minor > asked_minor || minor > NEWEST_MINOR {
        return Err(broken(Malformed { what: "version" }));
    }
    Ok(if minor >= 2 { 2 } else { 0 })
}

#[cfg(test)]
mod tests;
