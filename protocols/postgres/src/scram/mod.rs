//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides, as state machines without IO, clock or randomness.
//!
//! Order of calls on the server's side: [`server::ScramServer::new`], `first` with the client's first
//! message, `finish` with its last. On the client's side: [`client::ScramClient::new`] gives the first
//! message, `respond` answers the challenge, `finish` checks the server's signature. A state is consumed by
//! the call that leaves it, so a failed exchange cannot go on.
//!
//! Only `tls-server-end-point` is spoken, as in PostgreSQL. User names inside SCRAM are ignored, as in
//! PostgreSQL: the start-up packet's counts.
//!
//! Source: RFC 5802, RFC 7677, RFC 5929 section 4; PostgreSQL manual, "SASL Authentication".

pub mod client;
pub mod server;
pub mod verifier;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Name of the mechanism without channel binding.
pub const SCRAM_SHA_256: &[u8] = b"SCRAM-SHA-256";
/// Name of the mechanism with channel binding.
pub const SCRAM_SHA_256_PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// Random bytes in one side's nonce, as in PostgreSQL (`SCRAM_RAW_NONCE_LEN`).
pub const NONCE_BYTES: usize = 18;

/// The channel-binding type in the header of a message (RFC 5929).
const END_POINT_HEADER: &[u8] = b"p=tls-server-end-point,,";

/// A SHA-256 digest or HMAC.
type Key = [u8; 32];

/// Why an exchange ends without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramError {
    /// The client's channel-binding data is not this connection's.
    BindingMismatch,
    /// The client believes that channel binding is not offered where it is: somebody changed the offer.
    Downgrade,
    /// A message does not follow the grammar or answers another exchange.
    Malformed {
        /// What was being read, in the words of RFC 5802.
        what: &'static str,
    },
    /// The server refuses with an `e=` message.
    Refused,
    /// The server asks for no iteration or for more than [`wire::limits::SCRAM_ITERATIONS`].
    TooManyIterations,
    /// Something that PostgreSQL does not support either.
    Unsupported {
        /// What it is.
        what: &'static str,
    },
    /// The peer does not know the secret: a wrong password, or a server that is not the one it claims.
    WrongProof,
}

impl core::fmt::Display for ScramError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::BindingMismatch => f.write_str("SCRAM channel binding check failed"),
            Self::Downgrade => f.write_str(
                "SCRAM channel binding negotiation error: the client supports SCRAM channel binding but thinks the \
                 server does not; however, this server does support channel binding",
            ),
            Self::Malformed { what } => write!(f, "malformed SCRAM message: {what}"),
            Self::Refused => f.write_str("SCRAM exchange refused"),
            Self::TooManyIterations => f.write_str("SCRAM iteration count out of range"),
            Self::Unsupported { what } => write!(f, "unsupported in SCRAM: {what}"),
            Self::WrongProof => f.write_str("SCRAM proof does not match"),
        }
    }
}

impl core::error::Error for ScramError {}

/// The keys of RFC 5802 section 3 that follow from a salted password. Zeroized by their holders.
fn client_and_server_key(salted_password: &Key) -> (Key, Key) {
    (hmac_sha256(salted_password, &[b"Client Key"]), hmac_sha256(salted_password, &[b"Server Key"]))
}

/// `Hi(Normalize(password), salt, iterations)`.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> zeroize::Zeroizing<Key> {
    // PostgreSQL normalizes where it can and takes the bytes as they are where it cannot (`pg_saslprep`
    // failing is not an error), so that passwords in other encodings still work.
    let prepared = core::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    let password = prepared.as_ref().map_or(password, |text| text.as_bytes());
    zeroize::Zeroizing::new(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations))
}

fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> Key {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            for piece in pieces {
                mac.update(piece);
            }
            mac.finalize().into_bytes().into()
        }
        // HMAC takes keys of any length. Were this ever not so, no proof could match a digest of nothing
        // that the peer chose.
        Err(_) => sha256(key),
    }
}

fn sha256(bytes: &[u8]) -> Key {
    Sha256::digest(bytes).into()
}

fn xor(left: &Key, right: &Key) -> Key {
    core::array::from_fn(|at| left[at] ^ right[at])
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decode(text: &[u8], what: &'static str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| ScramError::Malformed { what })
}

fn decode_key(text: &[u8], what: &'static str) -> Result<Key, ScramError> {
    decode(text, what)?.try_into().map_err(|_| ScramError::Malformed { what })
}

/// Reads the attributes of a message, `x=value` joined by commas, in their fixed order.
struct Attributes<'a> {
    message: &'a [u8],
    position: usize,
}

impl<'a> Attributes<'a> {
    fn new(message: &'a [u8]) -> Self {
        Self { message, position: 0 }
    }

    /// Offset of the next attribute.
    fn position(&self) -> usize {
        self.position.min(self.message.len())
    }

    fn is_empty(&self) -> bool {
        self.position > self.message.len()
    }

    /// The name and value of the next attribute.
    fn next(&mut self, what: &'static str) -> Result<(u8, &'a [u8]), ScramError> {
        let malformed = ScramError::Malformed { what };
        let rest = self.message.get(self.position..).ok_or(malformed)?;
        let length = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
        // One past the comma; one past the end, so that "is empty" differs from "an empty one follows".
        self.position += length + 1;
        match rest.get(..length) {
            Some([name, b'=', value @ ..]) if name.is_ascii_alphabetic() => Ok((*name, value)),
            _ => Err(malformed),
        }
    }

    /// The value of the next attribute, which must be `name`.
    fn expect(&mut self, name: u8, what: &'static str) -> Result<&'a [u8], ScramError> {
        match self.next(what)? {
            (found, value) if found == name => Ok(value),
            // An extension that must be understood comes ahead of what it changes.
            (b'm', _) => Err(ScramError::Unsupported { what: "a mandatory SCRAM extension" }),
            _ => Err(ScramError::Malformed { what }),
        }
    }

    /// Skips optional extensions to the end.
    fn skip_extensions(&mut self) -> Result<(), ScramError> {
        while !self.is_empty() {
            self.next("extension")?;
        }
        Ok(())
    }
}

/// A nonce consists of printable ASCII but the comma.
fn check_nonce(nonce: &[u8]) -> Result<(), ScramError> {
    let printable = |byte: &u8| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e);
    if nonce.is_empty() || !nonce.iter().all(printable) {
        return Err(ScramError::Malformed { what: "nonce" });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
