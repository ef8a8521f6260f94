//! The server's greeting, handshake version 10: read on the server's leg, built for the client's.
//!
//! Source: MySQL documentation, "Protocol::HandshakeV10"; MariaDB Knowledge Base, "Connecting: Initial
//! Handshake Packet" for the last four of the reserved bytes.

use wire::cursor::{Cursor, Malformed};
use wire::fault::{Culprit, Fault};

use crate::capability::Capabilities;
use crate::constant::header;
use crate::reply::ErrPacket;
use crate::{lenenc, packet};

/// Bytes of a scramble, the challenge that authentication begins with.
pub const SCRAMBLE_BYTES: usize = 20;

/// The protocol version of all servers since MySQL 3.21.
const VERSION: u8 = 10;

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Such as `10.11.6-MariaDB-0+deb12u1`; clients decide by it what they may use.
    pub server_version: Box<[u8]>,
    /// What KILL takes.
    pub connection_id: u32,
    /// The challenge of the plugin named below.
    pub scramble: [u8; SCRAMBLE_BYTES],
    /// What the server can.
    pub capabilities: Capabilities,
    /// The server's collation, its lower byte.
    pub collation: u8,
    /// Status flags.
    pub status: u16,
    /// The authentication plugin that it would begin with; empty before MySQL 5.5.
    pub plugin: Box<[u8]>,
}

impl Greeting {
    /// Reads the payload of a server's first packet.
    ///
    /// # Errors
    /// A [`Fault`] of the server: its own ERR where it refuses the connection, a malformed or too old
    /// greeting otherwise.
    pub fn parse(payload: &[u8]) -> Result<Self, Fault> {
        if payload.first() == Some(&header::ERR) {
            return Err(refused(payload));
        }
        if payload.first() != Some(&VERSION) {
            return Err(unusable("upstream_protocol", "the database does not greet in version 10 of MySQL's protocol"));
        }
        let greeting = Self::fields(payload)
            .map_err(|_| unusable("malformed_greeting", "the database sent a malformed greeting"))?;
        if !greeting.capabilities.has(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
            return Err(unusable("upstream_protocol", "the database is older than MySQL 4.1"));
        }
        Ok(greeting)
    }

    fn fields(payload: &[u8]) -> Result<Self, Malformed> {
        let what = "greeting";
        let mut cursor = Cursor::new(payload);
        cursor.u8(what)?;
        let server_version = cursor.cstr(what)?.into();
        let connection_id = lenenc::u32(&mut cursor, what)?;
        let first = cursor.bytes(8, what)?;
        cursor.u8(what)?;
        let low = u32::from(lenenc::u16(&mut cursor, what)?);
        let collation = cursor.u8(what)?;
        let status = lenenc::u16(&mut cursor, what)?;
        let low = low | u32::from(lenenc::u16(&mut cursor, what)?) << 16;
        let length = usize::from(cursor.u8(what)?);
        cursor.bytes(6, what)?;
        let high = lenenc::u32(&mut cursor, what)?;
        let high = if Capabilities::from_halves(low, 0).has(Capabilities::LONG_PASSWORD) { 0 } else { high };
        let capabilities = Capabilities::from_halves(low, high);
        // At least 13 bytes, the last of them a NUL ("auth-plugin-data-part-2").
        let second = cursor.bytes(length.saturating_sub(8).max(13), what)?;
        let mut scramble = [0; SCRAMBLE_BYTES];
        for (slot, byte) in scramble.iter_mut().zip(first.iter().chain(second)) {
            *slot = *byte;
        }
        let plugin = match capabilities.has(Capabilities::PLUGIN_AUTH) {
            true => lenenc::string_or_rest(&mut cursor).into(),
            false => Box::default(),
        };
        Ok(Self { server_version, connection_id, scramble, capabilities, collation, status, plugin })
    }

    /// Appends the packet, sequence id 0.
    pub fn write(&self, out: &mut Vec<u8>) {
        packet::write(out, &mut 0, |out| {
            let [a, b, c, d] = self.capabilities.low().to_le_bytes();
            let (first, second) = self.scramble.split_at(8);
            out.push(VERSION);
            out.extend_from_slice(&self.server_version);
            out.push(0);
            out.extend_from_slice(&self.connection_id.to_le_bytes());
            out.extend_from_slice(first);
            out.push(0);
            out.extend_from_slice(&[a, b, self.collation]);
            out.extend_from_slice(&self.status.to_le_bytes());
            out.extend_from_slice(&[c, d, 21]);
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&self.capabilities.high().to_le_bytes());
            out.extend_from_slice(second);
            out.push(0);
            if self.capabilities.has(Capabilities::PLUGIN_AUTH) {
                out.extend_from_slice(&self.plugin);
                out.push(0);
            }
        });
    }

    /// Whether the server is MariaDB, which says so in its version.
    #[must_use]
    pub fn is_mariadb(&self) -> bool {
        self.server_version.windows(7).any(|word| word.eq_ignore_ascii_case(b"mariadb"))
    }

    /// What a client is shown of a server that greeted so: the server's own words, with the capabilities
    /// that can be inspected. `tls`: whether the gateway offers TLS on the client's leg.
    #[must_use]
    pub fn for_client(&self, tls: bool) -> Self {
        Self { capabilities: Capabilities::offer(self.capabilities, tls), ..self.clone() }
    }
}

/// The server's refusal before any login (too many connections, a host that is blocked): its client gets it
/// as it is.
fn refused(payload: &[u8]) -> Fault {
    match ErrPacket::parse(payload) {
        Ok(err) => {
            let sqlstate = if err.code == crate::constant::error::TOO_MANY_CONNECTIONS { b"53300" } else { b"08001" };
            let text = String::from_utf8_lossy(err.message).into_owned();
            Fault::new(Culprit::Server, sqlstate, "upstream_refused", text)
        }
        Err(_) => unusable("malformed_greeting", "the database sent a malformed greeting"),
    }
}

fn unusable(reason: &'static str, text: &'static str) -> Fault {
    Fault::new(Culprit::Server, b"08001", reason, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A greeting of MySQL 8 as its documentation lays it out.
    fn mysql() -> Vec<u8> {
        let mut payload = b"\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15".to_vec();
        payload.extend_from_slice(&[0; 10]);
        payload.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
        payload
    }

    #[test]
    fn a_greeting_of_mysql_is_read() {
        let greeting = Greeting::parse(&mysql()).unwrap();
        assert_eq!(&*greeting.server_version, b"8.0.36");
        assert_eq!((greeting.connection_id, greeting.collation, greeting.status), (8, 0xff, 2));
        assert_eq!(&greeting.scramble, b"abcdefghijklmnopqrst");
        assert_eq!(greeting.capabilities, Capabilities(0xdfff_ffff));
        assert_eq!(&*greeting.plugin, b"caching_sha2_password");
        assert!(!greeting.is_mariadb());
    }

    #[test]
    fn a_greeting_of_mariadb_has_flags_in_the_reserved_bytes() {
        let mut payload = b"\x0a5.5.5-10.11.6-MariaDB\0\x20\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15".to_vec();
        payload.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0x1d, 0, 0, 0]);
        payload.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
        let greeting = Greeting::parse(&payload).unwrap();
        assert!(greeting.is_mariadb());
        assert_eq!(greeting.capabilities.high(), 0x1d);
        let mut out = Vec::new();
        greeting.write(&mut out);
        assert_eq!(&out[4..], payload);
        let shown = greeting.for_client(true);
        assert!(!shown.capabilities.has(Capabilities::MARIADB_CACHE_METADATA));
        assert!(shown.capabilities.has(Capabilities::MARIADB_STMT_BULK | Capabilities::SSL));
    }

    #[test]
    fn what_is_built_is_read_back_and_every_truncation_is_a_fault() {
        let greeting = Greeting::parse(&mysql()).unwrap();
        let mut out = Vec::new();
        greeting.write(&mut out);
        assert_eq!(out[3], 0);
        assert_eq!(Greeting::parse(&out[4..]).unwrap(), greeting);
        // Without the plugin's name and its NUL it is still a greeting, of an older kind.
        let least = out.len() - b"caching_sha2_password\0".len();
        for end in 4..least {
            let fault = Greeting::parse(&out[4..end]).unwrap_err();
            assert_eq!(fault.culprit, Culprit::Server);
        }
    }

    #[test]
    fn a_server_that_refuses_is_quoted() {
        let fault = Greeting::parse(b"\xff\x10\x04Too many connections").unwrap_err();
        assert_eq!((&fault.sqlstate, &*fault.message), (b"53300", "Too many connections"));
        assert_eq!(Greeting::parse(b"\x09old").unwrap_err().reason, "upstream_protocol");
    }
}
