//! Authentication: what a server asks for, what a client answers, and the three ways to stand between them.
//!
//! - [`client`]: the gateway checks the client itself (`auth = "gateway"`).
//! - [`upstream`]: the gateway logs in to the server with its own credentials.
//! - [`passthrough`]: the server checks the client, and the gateway watches that what passes can work.
//!
//! All three are state machines without IO; a state is consumed by the message that leaves it. Faults name
//! no password, verifier or key.
//!
//! Source: PostgreSQL manual, "Message Flow: Start-up" and "SASL Authentication".

pub mod client;
pub mod passthrough;
pub mod upstream;

use md5::{Digest as _, Md5};
use wire::cursor::{Cursor, Malformed};
use zeroize::Zeroizing;

/// An authentication message from a server: an `R` message without its type and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthRequest<'a> {
    /// The password as it is.
    CleartextPassword,
    /// GSSAPI or SSPI tokens go on.
    GssContinue(&'a [u8]),
    /// GSSAPI begins.
    Gss,
    /// Kerberos V5, which no server since 9.3 asks for.
    KerberosV5,
    /// The password hashed with this salt.
    Md5Password([u8; 4]),
    /// The client is who it says.
    Ok,
    /// SASL begins with one of these.
    Sasl(Mechanisms<'a>),
    /// The mechanism's next challenge.
    SaslContinue(&'a [u8]),
    /// The mechanism's outcome; [`AuthRequest::Ok`] follows.
    SaslFinal(&'a [u8]),
    /// SSPI begins.
    Sspi,
    /// A code that is not in the manual of PostgreSQL 18.
    Unknown(u32),
}

impl<'a> AuthRequest<'a> {
    /// Reads the body of an `R` message.
    ///
    /// # Errors
    /// [`Malformed`] when it is too short or too long for its code.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let what = "authentication request";
        let mut cursor = Cursor::new(body);
        let code = cursor.u32(what)?;
        let rest = cursor.rest();
        let bare = |request| if rest.is_empty() { Ok(request) } else { Err(Malformed { what }) };
        match code {
            0 => bare(Self::Ok),
            2 => bare(Self::KerberosV5),
            3 => bare(Self::CleartextPassword),
            5 => Ok(Self::Md5Password(rest.try_into().map_err(|_| Malformed { what })?)),
            7 => bare(Self::Gss),
            8 => Ok(Self::GssContinue(rest)),
            9 => bare(Self::Sspi),
            10 => Ok(Self::Sasl(Mechanisms::parse(rest)?)),
            11 => Ok(Self::SaslContinue(rest)),
            12 => Ok(Self::SaslFinal(rest)),
            code => Ok(Self::Unknown(code)),
        }
    }
}

/// The SASL mechanisms of an offer, in the server's order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms<'a> {
    /// Names, each with its NUL; the terminator of the list is not in it.
    list: &'a [u8],
}

impl<'a> Mechanisms<'a> {
    fn parse(list: &'a [u8]) -> Result<Self, Malformed> {
        let what = "SASL mechanism list";
        let mut cursor = Cursor::new(list);
        while !cursor.cstr(what)?.is_empty() {}
        match list.split_last() {
            Some((0, names)) if cursor.is_empty() => Ok(Self { list: names }),
            _ => Err(Malformed { what }),
        }
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.list.split(|byte| *byte == 0).filter(|name| !name.is_empty())
    }

    /// Whether `name` is offered.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.iter().any(|offered| offered == name)
    }
}

/// A client's SASLInitialResponse: a `p` message without its type and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslInitialResponse<'a> {
    /// The mechanism that the client chose.
    pub mechanism: &'a [u8],
    /// The mechanism's first message; none is allowed by the protocol and used by no mechanism here.
    pub data: Option<&'a [u8]>,
}

impl<'a> SaslInitialResponse<'a> {
    /// Reads the body of a `p` message that answers an offer of mechanisms.
    ///
    /// # Errors
    /// [`Malformed`] when the length inside does not fit the message.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let what = "SASLInitialResponse";
        let mut cursor = Cursor::new(body);
        let mechanism = cursor.cstr(what)?;
        let length = cursor.i32(what)?;
        let data = match usize::try_from(length) {
            Ok(length) => Some(cursor.bytes(length, what)?),
            Err(_) if length == -1 => None,
            Err(_) => return Err(Malformed { what }),
        };
        if cursor.is_empty() { Ok(Self { mechanism, data }) } else { Err(Malformed { what }) }
    }
}

/// The password of a client's PasswordMessage: a `p` message without its type and length.
///
/// # Errors
/// [`Malformed`] when the terminator is missing or not at the end.
pub fn password_of(body: &[u8]) -> Result<&[u8], Malformed> {
    let what = "PasswordMessage";
    let mut cursor = Cursor::new(body);
    let password = cursor.cstr(what)?;
    if cursor.is_empty() { Ok(password) } else { Err(Malformed { what }) }
}

/// What answers an MD5 challenge: `md5` and the hex of `md5(hex(md5(password + user)) + salt)`.
#[must_use]
pub fn md5_response(user: &[u8], password: &[u8], salt: [u8; 4]) -> Zeroizing<String> {
    // The inner hash is what the server stores: it opens the door to whoever has it.
    let inner = Zeroizing::new(hex(Md5::new().chain_update(password).chain_update(user)));
    let outer = hex(Md5::new().chain_update(inner.as_bytes()).chain_update(salt));
    Zeroizing::new(["md5", &outer].concat())
}

fn hex(digest: Md5) -> String {
    use core::fmt::Write as _;
    let mut text = String::with_capacity(32);
    for byte in digest.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn body(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out.split_off(5)
    }

    #[test]
    fn requests_are_read_as_they_are_built() {
        assert_eq!(AuthRequest::parse(&body(backend::authentication_ok)), Ok(AuthRequest::Ok));
        assert_eq!(AuthRequest::parse(&body(backend::authentication_cleartext)), Ok(AuthRequest::CleartextPassword));
        let salted = body(|out| backend::authentication_md5(out, *b"salt"));
        assert_eq!(AuthRequest::parse(&salted), Ok(AuthRequest::Md5Password(*b"salt")));
        let offer = body(|out| backend::authentication_sasl(out, &[b"A", b"B"]));
        let Ok(AuthRequest::Sasl(mechanisms)) = AuthRequest::parse(&offer) else { panic!() };
        assert_eq!(mechanisms.iter().collect::<Vec<_>>(), [b"A", b"B"]);
        assert!(mechanisms.contains(b"B") && !mechanisms.contains(b"C"));
        assert_eq!(AuthRequest::parse(b"\0\0\0\x0cv="), Ok(AuthRequest::SaslFinal(b"v=")));
        assert_eq!(AuthRequest::parse(b"\0\0\0\x63?"), Ok(AuthRequest::Unknown(99)));
    }

    #[test]
    fn every_truncation_of_a_request_is_malformed_or_shorter() {
        let offer = body(|out| backend::authentication_sasl(out, &[b"A", b"B"]));
        for end in 0..offer.len() {
            assert!(AuthRequest::parse(&offer[..end]).is_err(), "{end}");
        }
        for body in [&b"\0\0\0\x05sal"[..], b"\0\0\0\x05saltx", b"\0\0\0\0x", b"\0\0\0\x0aA\0\0\0"] {
            assert!(AuthRequest::parse(body).is_err(), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn client_messages_are_read_and_their_lengths_checked() {
        let first = SaslInitialResponse::parse(b"M\0\0\0\0\x03n,,");
        assert_eq!(first, Ok(SaslInitialResponse { mechanism: b"M", data: Some(b"n,,") }));
        assert_eq!(SaslInitialResponse::parse(b"M\0\xff\xff\xff\xff").map(|first| first.data), Ok(None));
        for body in [&b"M"[..], b"M\0", b"M\0\0\0\0\x03n,", b"M\0\0\0\0\x03n,,x", b"M\0\xff\xff\xff\xfe"] {
            assert!(SaslInitialResponse::parse(body).is_err(), "{}", body.escape_ascii());
        }
        assert_eq!(password_of(b"pw\0"), Ok(&b"pw"[..]));
        assert!(password_of(b"pw").is_err() && password_of(b"pw\0x").is_err() && password_of(b"").is_err());
    }

    #[test]
    fn md5_answers_as_libpq_does() {
        // Stored by PostgreSQL 15 for user md5u: md5c6b1049682783770c6b08807ce9bc0ef.
        let stored = "c6b1049682783770c6b08807ce9bc0ef";
        assert_eq!(hex(Md5::new().chain_update("correct horse").chain_update("md5u")), stored);
        let outer = hex(Md5::new().chain_update(stored).chain_update("salt"));
        assert_eq!(*md5_response(b"md5u", b"correct horse", *b"salt"), format!("md5{outer}"));
    }
}
