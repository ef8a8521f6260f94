//! The client's side of SCRAM: proves a password to a server, and has the server prove that it knows it.
//!
//! ```text
//!  ScramClient::new --client-first--> respond(server-first) --client-final--> finish(server-final)
//! ```
//!
//! The keys that cost PBKDF2 rounds are handed out after success, so that the next login to the same server
//! with the same salt costs four HMACs ([`ScramKeys`]).
//!
//! Source: RFC 5802 sections 3 and 5, RFC 7677; PostgreSQL manual, "SASL Authentication".

use super::{
    Attributes, END_POINT_HEADER, Key, NONCE_BYTES, ScramError, check_nonce, client_and_server_key, decode, decode_key,
    encode, hmac_sha256, salted_password, sha256, xor,
};
use crate::secret::Secret;
use subtle::ConstantTimeEq as _;
use wire::limits::SCRAM_ITERATIONS;
use zeroize::Zeroize;

/// What the client knows of the channel, which decides the header of its first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientBinding {
    /// No TLS, or a certificate that has no hash for binding: `n`.
    None,
    /// TLS with a certificate that could be bound to, but the server does not offer PLUS: `y`, so that the
    /// server notices if somebody took PLUS out of its offer.
    NotOffered,
    /// PLUS with the `tls-server-end-point` hash of the server's certificate.
    EndPoint(Box<[u8]>),
}

/// Keys of one password under one salt and iteration count.
///
/// Worth as much as the password toward that server: zeroized when dropped, never shown.
#[derive(Clone)]
pub struct ScramKeys {
    salt: Box<[u8]>,
    iterations: u32,
    client_key: Key,
    server_key: Key,
}

impl ScramKeys {
    fn derive(password: &Secret, salt: &[u8], iterations: u32) -> Self {
        let (client_key, server_key) = client_and_server_key(&salted_password(password.expose(), salt, iterations));
        Self { salt: salt.into(), iterations, client_key, server_key }
    }

    fn fits(&self, salt: &[u8], iterations: u32) -> bool {
        *self.salt == *salt && self.iterations == iterations
    }
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.client_key.zeroize();
        self.server_key.zeroize();
    }
}

impl core::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

/// An exchange whose first message is on its way.
#[derive(Debug)]
pub struct ScramClient {
    password: Secret,
    cached: Option<ScramKeys>,
    /// Header and binding data, which return under `c=`.
    bound: Box<[u8]>,
    nonce: String,
}

/// An exchange that waits for the server's signature.
pub struct AwaitSignature {
    keys: ScramKeys,
    signature: Key,
}

impl core::fmt::Debug for AwaitSignature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AwaitSignature(…)")
    }
}

impl ScramClient {
    /// Begins an exchange; gives the client's first message.
    ///
    /// `random` must be new for each exchange. `cached` are the keys of an earlier success with this
    /// password; they are used if the server's salt is still the same.
    #[must_use]
    pub fn new(
        password: Secret,
        binding: &ClientBinding,
        random: &[u8; NONCE_BYTES],
        cached: Option<ScramKeys>,
    ) -> (Self, Vec<u8>) {
        // PostgreSQL takes the user from the start-up packet and wants this one ignored; libpq sends it empty.
        Self::with_nonce(password, binding, encode(random), "", cached)
    }

    pub(super) fn with_nonce(
        password: Secret,
        binding: &ClientBinding,
        nonce: String,
        user: &str,
        cached: Option<ScramKeys>,
    ) -> (Self, Vec<u8>) {
        let (header, data): (&[u8], &[u8]) = match binding {
            ClientBinding::None => (b"n,,", &[]),
            ClientBinding::NotOffered => (b"y,,", &[]),
            ClientBinding::EndPoint(data) => (END_POINT_HEADER, data),
        };
        debug_assert!(user.is_empty() || cfg!(test));
        let first = [header, b"n=", user.as_bytes(), b",r=", nonce.as_bytes()].concat();
        (Self { password, cached, bound: [header, data].concat().into(), nonce }, first)
    }

    /// Answers the server's challenge with the client's last message.
    ///
    /// # Errors
    /// [`ScramError`] when the challenge is malformed, does not continue our nonce, or asks for more
    /// iterations than [`SCRAM_ITERATIONS`].
    pub fn respond(self, server_first: &[u8]) -> Result<(AwaitSignature, Vec<u8>), ScramError> {
        self.respond_as("", server_first)
    }

    pub(super) fn respond_as(self, user: &str, server_first: &[u8]) -> Result<(AwaitSignature, Vec<u8>), ScramError> {
        let mut attributes = Attributes::new(server_first);
        let nonce = attributes.expect(b'r', "nonce")?;
        let salt = decode(attributes.expect(b's', "salt")?, "salt")?;
        let iterations = attributes.expect(b'i', "iteration count")?;
        attributes.skip_extensions()?;
        check_nonce(nonce)?;
        if !nonce.starts_with(self.nonce.as_bytes()) || nonce.len() == self.nonce.len() || salt.is_empty() {
            return Err(ScramError::Malformed { what: "nonce or salt" });
        }
        let iterations = self::iterations(iterations)?;

        let keys = match self.cached.filter(|keys| keys.fits(&salt, iterations)) {
            Some(keys) => keys,
            None => ScramKeys::derive(&self.password, &salt, iterations),
        };
        let without_proof = [b"c=", encode(&self.bound).as_bytes(), b",r=", nonce].concat();
        let first_bare = format!("n={user},r={}", self.nonce);
        let message: [&[u8]; 5] = [first_bare.as_bytes(), b",", server_first, b",", &without_proof];
        let stored_key = sha256(&keys.client_key);
        let proof = xor(&keys.client_key, &hmac_sha256(&stored_key, &message));
        let signature = hmac_sha256(&keys.server_key, &message);
        let last = [&without_proof[..], b",p=", encode(&proof).as_bytes()].concat();
        Ok((AwaitSignature { keys, signature }, last))
    }
}

fn iterations(digits: &[u8]) -> Result<u32, ScramError> {
    let malformed = ScramError::Malformed { what: "iteration count" };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed);
    }
    let text = core::str::from_utf8(digits).map_err(|_| malformed)?;
    // A number too large for the type is a number over the limit.
    match text.parse() {
        Ok(count @ 1..=SCRAM_ITERATIONS) => Ok(count),
        _ => Err(ScramError::TooManyIterations),
    }
}

impl AwaitSignature {
    /// Checks the server's last message; gives the keys for the next login.
    ///
    /// # Errors
    /// [`ScramError::Refused`] for `e=…`, [`ScramError::WrongProof`] when the server does not know the
    /// password's verifier.
    pub fn finish(self, server_final: &[u8]) -> Result<ScramKeys, ScramError> {
        let mut attributes = Attributes::new(server_final);
        match attributes.next("server signature")? {
            (b'v', signature) => {
                let signature = decode_key(signature, "server signature")?;
                attributes.skip_extensions()?;
                if bool::from(signature.ct_eq(&self.signature)) { Ok(self.keys) } else { Err(ScramError::WrongProof) }
            }
            (b'e', _) => Err(ScramError::Refused),
            _ => Err(ScramError::Malformed { what: "server signature" }),
        }
    }
}
