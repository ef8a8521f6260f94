//! Authentication: the plugins, and the three ways to stand between a client and a server.
//!
//! - [`client`]: the gateway checks the client itself (`auth = "gateway"`), with the help of a [`gatekeeper`].
//! - [`upstream`]: the gateway logs in to the server with its own credentials.
//! - [`passthrough`]: the server checks the client, and the gateway watches that what passes can work.
//! - [`native`], [`sha2`], [`crypt`], [`ed25519`]: the arithmetic of the plugins.
//!
//! All three are state machines without IO; a state is consumed by the message that leaves it. Faults name
//! no password, verifier or key. RSA, which needs randomness of its own, is the caller's:
//! [`upstream::UpstreamProgress::Encrypt`] and [`client::ClientProgress::Decrypt`] ask for it.
//!
//! Source: MySQL documentation, "Authentication Methods" and "Protocol::AuthSwitchRequest"; MariaDB
//! Knowledge Base, "Connecting: Authentication Plugin".

pub mod client;
pub mod crypt;
pub mod ed25519;
pub mod gatekeeper;
pub mod native;
pub mod passthrough;
pub mod sha2;
pub mod upstream;

use wire::cursor::{Cursor, Malformed};
use wire::secret::Secret;

use crate::constant::header;
use crate::reply::ErrPacket;
use crate::{lenenc, packet};

/// SHA-256 with a cache on the server, MySQL's default since 8.0.
pub const CACHING_SHA2: &[u8] = b"caching_sha2_password";
/// The password as it is.
pub const CLEAR: &[u8] = b"mysql_clear_password";
/// Signatures (MariaDB).
pub const ED25519: &[u8] = b"client_ed25519";
/// SHA-1, MariaDB's default.
pub const NATIVE: &[u8] = b"mysql_native_password";

/// A server's message while a login is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthReply<'a> {
    /// The login failed.
    Err(ErrPacket<'a>),
    /// The plugin's next message, or another factor.
    More(&'a [u8]),
    /// Logged in.
    Ok,
    /// The plugin's next message as MariaDB sends it: bare, where its first byte can be no other message's.
    Bare(&'a [u8]),
    /// Another plugin is to be used, with this challenge.
    Switch {
        /// The plugin's name.
        plugin: &'a [u8],
        /// Its challenge, without the NUL that servers put behind it.
        challenge: &'a [u8],
    },
}

impl<'a> AuthReply<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Malformed`] for a first byte that no such message has.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let what = "authentication reply";
        let mut cursor = Cursor::new(payload);
        match cursor.u8(what)? {
            header::OK => Ok(Self::Ok),
            header::ERR => Ok(Self::Err(ErrPacket::parse(payload)?)),
            header::AUTH_MORE => Ok(Self::More(cursor.rest())),
            header::EOF if cursor.is_empty() => Err(Malformed { what: "request for the password of MySQL 3.23" }),
            header::EOF => {
                let plugin = cursor.cstr(what)?;
                let challenge = cursor.rest();
                Ok(Self::Switch { plugin, challenge: challenge.strip_suffix(&[0]).unwrap_or(challenge) })
            }
            _ => Ok(Self::Bare(payload)),
        }
    }
}

/// Appends an AuthSwitchRequest.
pub fn write_switch(out: &mut Vec<u8>, seq: &mut u8, plugin: &[u8], challenge: &[u8]) {
    packet::write(out, seq, |out| {
        out.push(header::EOF);
        out.extend_from_slice(plugin);
        out.push(0);
        out.extend_from_slice(challenge);
        out.push(0);
    });
}

/// Appends an AuthMoreData.
pub fn write_more(out: &mut Vec<u8>, seq: &mut u8, data: &[u8]) {
    packet::write(out, seq, |out| {
        out.push(header::AUTH_MORE);
        out.extend_from_slice(data);
    });
}

/// A password in the clear, as plugins send it: with a NUL behind it.
#[must_use]
pub fn clear(payload: &[u8]) -> Secret {
    Secret::new(payload.strip_suffix(&[0]).unwrap_or(payload))
}

/// COM_CHANGE_USER, without its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeUser<'a> {
    /// The new user.
    pub user: &'a [u8],
    /// The plugin's first answer.
    pub auth: &'a [u8],
    /// The database, empty for none.
    pub database: &'a [u8],
    /// The character set and collation; servers' own, two zeros, where the client names none.
    pub collation: [u8; 2],
    /// The plugin that `auth` is for, where it is named.
    pub plugin: &'a [u8],
    /// The connection attributes, their length before them; empty where there are none.
    pub attributes: &'a [u8],
}

impl<'a> ChangeUser<'a> {
    /// Reads the message of a client whose leg agreed on `capabilities`.
    ///
    /// # Errors
    /// [`Malformed`] when its inside does not fit it.
    pub fn parse(body: &'a [u8], capabilities: crate::capability::Capabilities) -> Result<Self, Malformed> {
        let what = "COM_CHANGE_USER";
        let mut cursor = Cursor::new(body);
        let user = cursor.cstr(what)?;
        let length = usize::from(cursor.u8(what)?);
        let auth = cursor.bytes(length, what)?;
        let database = lenenc::string_or_rest(&mut cursor);
        let mut change = Self { user, auth, database, collation: [0; 2], plugin: &[], attributes: &[] };
        if cursor.rest().len() >= 2 {
            change.collation = lenenc::u16(&mut cursor, what)?.to_le_bytes();
        }
        if capabilities.has(crate::capability::Capabilities::PLUGIN_AUTH) {
            change.plugin = lenenc::string_or_rest(&mut cursor);
        }
        if capabilities.has(crate::capability::Capabilities::CONNECT_ATTRS) && !cursor.is_empty() {
            let start = cursor.rest();
            let length = lenenc::string(&mut cursor, what)?.len();
            let prefix = start.len() - cursor.rest().len() - length;
            change.attributes = start.get(..prefix + length).unwrap_or_default();
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Capabilities;

    #[test]
    fn replies_are_read_as_they_are_built() {
        let (mut out, mut seq) = (Vec::new(), 2);
        write_switch(&mut out, &mut seq, NATIVE, &[9; 20]);
        assert_eq!(AuthReply::parse(&out[4..]), Ok(AuthReply::Switch { plugin: NATIVE, challenge: &[9; 20] }));
        out.clear();
        write_more(&mut out, &mut seq, b"\x04");
        assert_eq!(AuthReply::parse(&out[4..]), Ok(AuthReply::More(b"\x04")));
        assert_eq!(AuthReply::parse(b"\0\0\0\x02\0\0\0"), Ok(AuthReply::Ok));
        assert!(
            matches!(AuthReply::parse(b"\xff\x15\x04#28000Access denied"), Ok(AuthReply::Err(err)) if err.code == 1045)
        );
        // `server_mpvio_write_packet` of MariaDB's `sql/sql_acl.cc` escapes by 0x01 what would be taken for another message.
        assert_eq!(AuthReply::parse(b"P\x07salt"), Ok(AuthReply::Bare(b"P\x07salt")));
        for bad in [&b""[..], b"\xfe", b"\xfeplugin", b"\xff"] {
            assert!(AuthReply::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_change_of_user_is_read() {
        let body = b"ana\0\x02hiorders\0\x2d\0mysql_native_password\0";
        let change = ChangeUser::parse(body, Capabilities::PLUGIN_AUTH).unwrap();
        assert_eq!(
            (change.user, change.auth, change.database, change.plugin),
            (&b"ana"[..], &b"hi"[..], &b"orders"[..], NATIVE)
        );
        let bare = ChangeUser::parse(b"ana\0\0\0", Capabilities::NONE).unwrap();
        assert_eq!((bare.auth, bare.database), (&b""[..], &b""[..]));
        assert!(ChangeUser::parse(b"ana\0\x05hi", Capabilities::NONE).is_err());
    }
}
