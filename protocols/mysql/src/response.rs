//! The client's answer to the greeting: SSLRequest and HandshakeResponse41, read and built.
//!
//! ```text
//!   greeting sent ──SSLRequest──► TLS handshake ──HandshakeResponse──► authentication
//!        └───────────HandshakeResponse──────────────────────────────────────┘
//! ```
//!
//! It may assume nothing of the client. It must never take bytes that came ahead of the TLS handshake.
//!
//! Sources: MySQL documentation, "Protocol::SSLRequest", "Protocol::HandshakeResponse41"; MariaDB Knowledge
//! Base, "Connecting: Handshake Response Packet".

use wire::cursor::{Cursor, Malformed};
use wire::fault::{Culprit, Fault};
use wire::limits;

use crate::capability::Capabilities;
use crate::{lenenc, packet};

/// Bytes before the user's name; all of an SSLRequest.
const FIXED_BYTES: usize = 32;

/// What a client answers.
#[derive(Clone, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// What the client asks for, MariaDB's flags included. What holds is [`Capabilities::agree`]'s to say.
    pub capabilities: Capabilities,
    /// Largest packet that the client takes.
    pub max_packet: u32,
    /// The client's collation, its lower byte.
    pub collation: u8,
    /// Who logs in; may be empty (the anonymous user).
    pub user: Box<[u8]>,
    /// The plugin's first answer.
    pub auth: Box<[u8]>,
    /// The database to use, where one is named.
    pub database: Option<Box<[u8]>>,
    /// The plugin that `auth` is for; empty where the client names none.
    pub plugin: Box<[u8]>,
    /// Names and values of connection attributes, as sent: length-encoded strings in turn.
    pub attributes: Box<[u8]>,
}

impl core::fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // `auth` may be a password in the clear.
        let user = String::from_utf8_lossy(&self.user);
        f.debug_struct("HandshakeResponse").field("user", &user).finish_non_exhaustive()
    }
}

impl Drop for HandshakeResponse {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.auth);
    }
}

/// What the gathered bytes hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not yet a whole packet.
    Incomplete,
    /// One packet.
    Packet {
        /// How many of the gathered bytes it took.
        consumed: usize,
        /// Its sequence id; the answer has the one after it.
        seq: u8,
        /// What it says.
        packet: FirstPacket,
    },
}

/// A packet that may answer the greeting.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstPacket {
    /// The TLS handshake comes next, without an answer before it.
    Ssl,
    /// The rest of the answer; authentication follows.
    Response(HandshakeResponse),
}

/// Parser of the packets that answer one greeting.
#[derive(Clone, Copy, Debug)]
pub struct ResponseParser {
    offered: Capabilities,
    encrypted: bool,
}

impl ResponseParser {
    /// A parser for a client that was shown `offered`.
    #[must_use]
    pub const fn new(offered: Capabilities) -> Self {
        Self { offered, encrypted: false }
    }

    /// TLS has been established: what follows is read from inside it and may not ask for it again.
    pub fn tls_established(&mut self) {
        self.encrypted = true;
    }

    /// Looks at everything gathered so far and not yet consumed.
    ///
    /// # Errors
    /// A [`Fault`] as soon as the bytes cannot become an answer that a server would take.
    pub fn parse(&self, gathered: &[u8]) -> Result<Progress, Fault> {
        let Some(found) = packet::first(gathered, limits::AUTH_BYTES, Culprit::Client)? else {
            return Ok(Progress::Incomplete);
        };
        let (payload, seq, consumed) = (found.payload, found.seq, found.consumed);
        let expected = if self.encrypted { 2 } else { 1 };
        if seq != expected {
            return Err(Fault::client("handshake_sequence", "the handshake's packets are out of order"));
        }
        let asked = capabilities(payload)?;
        if !asked.has(Capabilities::PROTOCOL_41) {
            let text = "the client speaks the protocol before MySQL 4.1, which has no column origins to mask by";
            return Err(Fault::client("protocol_version", text));
        }
        if payload.len() == FIXED_BYTES {
            if !asked.has(Capabilities::SSL) || self.encrypted || !self.offered.has(Capabilities::SSL) {
                return Err(layout());
            }
            // Nobody answers this packet, so the TLS handshake may begin right behind it: whatever follows is
            // its first bytes, and what somebody in the middle puts there fails as such.
            return Ok(Progress::Packet { consumed, seq, packet: FirstPacket::Ssl });
        }
        let response = HandshakeResponse::parse(payload, self.offered).map_err(|_| layout())?;
        response.check()?;
        Ok(Progress::Packet { consumed, seq, packet: FirstPacket::Response(response) })
    }
}

/// The flags that an answer begins with; MariaDB's are read where bit 0 is not set.
fn capabilities(payload: &[u8]) -> Result<Capabilities, Fault> {
    let mut cursor = Cursor::new(payload);
    // Clients of the older protocol send 16 bits of flags.
    let Ok(low) = lenenc::u32(&mut cursor, "flags") else { return Err(layout()) };
    let low = if low & 0x200 == 0 { low & 0xffff } else { low };
    let flags = Capabilities::from_halves(low, 0);
    if flags.has(Capabilities::LONG_PASSWORD) || !flags.has(Capabilities::PROTOCOL_41) {
        return Ok(flags);
    }
    let high = payload.get(FIXED_BYTES - 4..FIXED_BYTES).and_then(|bytes| bytes.first_chunk::<4>());
    let high = high.map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(layout)?;
    Ok(Capabilities::from_halves(low, high))
}

fn layout() -> Fault {
    Fault::client("handshake_layout", "malformed answer to the greeting")
}

impl HandshakeResponse {
    /// Reads a payload of more than an SSLRequest. What the client may say depends on what it was offered:
    /// a flag that was not offered does not count.
    fn parse(payload: &[u8], offered: Capabilities) -> Result<Self, Malformed> {
        let what = "handshake response";
        let asked = capabilities(payload).map_err(|_| Malformed { what })?;
        let layout = Capabilities::agree(offered, asked);
        let mut cursor = Cursor::new(payload);
        cursor.bytes(4, what)?;
        let max_packet = lenenc::u32(&mut cursor, what)?;
        let collation = cursor.u8(what)?;
        cursor.bytes(23, what)?;
        let user = cursor.cstr(what)?.into();
        let auth = if layout.has(Capabilities::PLUGIN_AUTH_LENENC) {
            lenenc::string(&mut cursor, what)?
        } else if layout.has(Capabilities::SECURE_CONNECTION) {
            let length = cursor.u8(what)?;
            cursor.bytes(usize::from(length), what)?
        } else {
            lenenc::string_or_rest(&mut cursor)
        };
        let auth = auth.into();
        let database = layout.has(Capabilities::CONNECT_WITH_DB).then(|| lenenc::string_or_rest(&mut cursor));
        let database = database.filter(|name| !name.is_empty()).map(Into::into);
        let plugin = match layout.has(Capabilities::PLUGIN_AUTH) {
            true => lenenc::string_or_rest(&mut cursor).into(),
            false => Box::default(),
        };
        let attributes = match layout.has(Capabilities::CONNECT_ATTRS) && !cursor.is_empty() {
            true => lenenc::string(&mut cursor, what)?.into(),
            false => Box::default(),
        };
        Ok(Self { capabilities: asked, max_packet, collation, user, auth, database, plugin, attributes })
    }

    /// Refuses names that a server would cut, or read otherwise than the rules do.
    fn check(&self) -> Result<(), Fault> {
        let names = [("user", &*self.user), ("database", self.database.as_deref().unwrap_or_default())];
        for (what, name) in names {
            if name.len() > limits::MYSQL_NAME_BYTES {
                let text = format!("the {what} name is longer than {} bytes", limits::MYSQL_NAME_BYTES);
                return Err(Fault::new(Culprit::Client, b"42622", "name_too_long", text));
            }
        }
        Ok(())
    }

    /// The value of a connection attribute, such as `program_name`. Malformed lists have none: they mean
    /// nothing to the session.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&[u8]> {
        let mut cursor = Cursor::new(&self.attributes);
        while !cursor.is_empty() {
            let key = lenenc::string(&mut cursor, "attribute").ok()?;
            let value = lenenc::string(&mut cursor, "attribute").ok()?;
            if key == name.as_bytes() {
                return Some(value);
            }
        }
        None
    }

    /// Appends the packet for a server, laid out by [`HandshakeResponse::capabilities`]. `seq` becomes the
    /// next sequence id.
    pub fn write(&self, out: &mut Vec<u8>, seq: &mut u8) {
        packet::write(out, seq, |out| {
            fixed(out, self.capabilities, self.max_packet, self.collation);
            out.extend_from_slice(&self.user);
            out.push(0);
            if self.capabilities.has(Capabilities::PLUGIN_AUTH_LENENC) {
                lenenc::push_string(out, &self.auth);
            } else {
                // Only plugins whose answers are longer than 255 bytes need the other form.
                out.push(u8::try_from(self.auth.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(self.auth.get(..255).unwrap_or(&self.auth));
            }
            if self.capabilities.has(Capabilities::CONNECT_WITH_DB) {
                out.extend_from_slice(self.database.as_deref().unwrap_or_default());
                out.push(0);
            }
            if self.capabilities.has(Capabilities::PLUGIN_AUTH) {
                out.extend_from_slice(&self.plugin);
                out.push(0);
            }
            if self.capabilities.has(Capabilities::CONNECT_ATTRS) {
                lenenc::push_string(out, &self.attributes);
            }
        });
    }
}

/// Appends an SSLRequest, sequence id 1.
pub fn write_ssl_request(out: &mut Vec<u8>, capabilities: Capabilities, max_packet: u32, collation: u8) {
    packet::write(out, &mut 1, |out| fixed(out, capabilities | Capabilities::SSL, max_packet, collation));
}

fn fixed(out: &mut Vec<u8>, capabilities: Capabilities, max_packet: u32, collation: u8) {
    out.extend_from_slice(&capabilities.low().to_le_bytes());
    out.extend_from_slice(&max_packet.to_le_bytes());
    out.push(collation);
    out.extend_from_slice(&[0; 19]);
    out.extend_from_slice(&capabilities.high().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Capabilities = Capabilities(0xdfff_ffff);

    fn sample(capabilities: Capabilities) -> HandshakeResponse {
        HandshakeResponse {
            capabilities,
            max_packet: 1 << 24,
            collation: 45,
            user: b"ana"[..].into(),
            auth: [7; 20][..].into(),
            database: Some(b"shop"[..].into()),
            plugin: b"mysql_native_password"[..].into(),
            attributes: b"\x04_pid\x0212\x0cprogram_name\x04psql"[..].into(),
        }
    }

    fn parsed(bytes: &[u8], offered: Capabilities) -> Result<HandshakeResponse, Fault> {
        match ResponseParser::new(offered).parse(bytes)? {
            Progress::Packet { packet: FirstPacket::Response(response), consumed, seq: 1 } => {
                assert_eq!(consumed, bytes.len());
                Ok(response)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_built_is_read_back() {
        let all = Capabilities(0x00ff_a7ff);
        for capabilities in
            [all, all.without(Capabilities::PLUGIN_AUTH_LENENC), all.set(Capabilities::LONG_PASSWORD, false)]
        {
            let (mut out, mut seq) = (Vec::new(), 1);
            sample(capabilities).write(&mut out, &mut seq);
            let response = parsed(&out, OFFER).unwrap();
            assert_eq!(response, sample(capabilities));
            assert_eq!(response.attribute("program_name"), Some(&b"psql"[..]));
            assert_eq!(response.attribute("none"), None);
        }
    }

    #[test]
    fn a_flag_that_was_not_offered_does_not_change_the_layout() {
        let asked = Capabilities(0x00ff_a7ff).without(Capabilities::CONNECT_ATTRS);
        let (mut out, mut seq) = (Vec::new(), 1);
        sample(asked).write(&mut out, &mut seq);
        // The flag is set afterwards: the bytes have no attributes.
        out[6] |= 0x10;
        let response = parsed(&out, OFFER.without(Capabilities::CONNECT_ATTRS)).unwrap();
        assert_eq!(&*response.attributes, b"");
    }

    #[test]
    fn extended_flags_are_read_from_the_last_reserved_bytes() {
        let mariadb = Capabilities::from_halves(0x00ff_a7fe, 0x0d);
        let (mut out, mut seq) = (Vec::new(), 1);
        sample(mariadb).write(&mut out, &mut seq);
        assert_eq!(parsed(&out, mariadb).unwrap().capabilities, mariadb);
    }

    #[test]
    fn what_follows_the_request_is_left_to_tls() {
        let mut out = Vec::new();
        write_ssl_request(&mut out, Capabilities(0x00ff_a7ff), 1 << 24, 45);
        assert_eq!(out.len(), 36);
        let parser = ResponseParser::new(OFFER);
        assert!(matches!(parser.parse(&out), Ok(Progress::Packet { packet: FirstPacket::Ssl, consumed: 36, seq: 1 })));
        let mut ahead = out.clone();
        ahead.push(0x16);
        assert!(matches!(
            parser.parse(&ahead),
            Ok(Progress::Packet { packet: FirstPacket::Ssl, consumed: 36, seq: 1 })
        ));
        let mut inside = parser;
        inside.tls_established();
        out[3] = 2;
        assert_eq!(inside.parse(&out).unwrap_err().reason, "handshake_layout");
        out[3] = 1;
        let none = ResponseParser::new(OFFER.without(Capabilities::SSL));
        assert_eq!(none.parse(&out).unwrap_err().reason, "handshake_layout");
    }

    #[test]
    fn the_old_protocol_is_refused_with_the_reason() {
        let old = b"\x0b\0\0\x01\x85\x24\0\0\0ana\0hash";
        let fault = ResponseParser::new(OFFER).parse(&old[..15]).unwrap_err();
        assert_eq!(fault.reason, "protocol_version");
    }

    #[test]
    fn every_truncation_waits_or_is_a_fault() {
        let (mut out, mut seq) = (Vec::new(), 1);
        sample(Capabilities(0x00ff_a7ff)).write(&mut out, &mut seq);
        let parser = ResponseParser::new(OFFER);
        for end in 0..out.len() {
            assert_eq!(parser.parse(&out[..end]), Ok(Progress::Incomplete));
            if end >= 4 {
                let mut cut = out[..end].to_vec();
                let [a, b, c, ..] = (end - 4).to_le_bytes();
                cut[..3].copy_from_slice(&[a, b, c]);
                // Servers take an answer that ends early, too: what must not happen is a panic.
                let _ = parser.parse(&cut);
            }
        }
        out[3] = 9;
        assert_eq!(parser.parse(&out).unwrap_err().reason, "handshake_sequence");
        let mut long = sample(Capabilities(0x00ff_a7ff));
        long.user = vec![b'u'; 400].into();
        let (mut out, mut seq) = (Vec::new(), 1);
        long.write(&mut out, &mut seq);
        assert_eq!(parser.parse(&out).unwrap_err().reason, "name_too_long");
    }
}
