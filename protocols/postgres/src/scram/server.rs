//! The server's side of SCRAM: checks a client against a verifier.
//!
//! ```text
//!  ScramServer --first(client-first)--> AwaitProof --finish(client-final)--> server-final, or an error
//! ```
//!
//! An unknown user (see [`super::verifier::MockSecret`]) and a wrong password take the same steps and give the
//! same error at the same moment. Nothing here says which of the two it was.
//!
//! Source: RFC 5802 sections 5 to 7, RFC 5929 section 4; `auth-scram.c` of PostgreSQL 18.

use super::verifier::Verifier;
use super::{
    Attributes, END_POINT_HEADER, Key, NONCE_BYTES, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError, check_nonce,
    decode_key, encode, hmac_sha256, sha256, xor,
};
use subtle::ConstantTimeEq as _;

/// An exchange that has not begun.
#[derive(Debug)]
pub struct ScramServer {
    verifier: Verifier,
    /// `tls-server-end-point` data of this connection where PLUS was offered.
    binding: Option<Box<[u8]>>,
}

/// An exchange that waits for the client's proof.
#[derive(Debug)]
pub struct AwaitProof {
    verifier: Verifier,
    /// What the client must send back under `c=`, before base64: its own header and the binding data.
    expected_binding: Box<[u8]>,
    /// `client-first-message-bare,server-first-message`.
    transcript: String,
    /// Both nonces.
    nonce: String,
}

/// What a client's first message says ahead of the bare part (`gs2-header`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gs2Flag {
    /// `n`: the client does not support channel binding.
    NotSupported,
    /// `y`: the client does, and believes that the server does not.
    ServerLacksIt,
    /// `p=tls-server-end-point`: the client binds to the server's certificate.
    EndPoint,
}

/// Reads the header of a client's first message; also gives its length in bytes.
///
/// # Errors
/// [`ScramError`] for another binding type, an authorization identity, or no header at all.
pub fn gs2_header(client_first: &[u8]) -> Result<(Gs2Flag, usize), ScramError> {
    let (flag, length) = match client_first {
        [b'n', b',', ..] => (Gs2Flag::NotSupported, 2),
        [b'y', b',', ..] => (Gs2Flag::ServerLacksIt, 2),
        [b'p', b'=', ..] => {
            let type_length = END_POINT_HEADER.len() - 1;
            if END_POINT_HEADER.get(..type_length) != client_first.get(..type_length) {
                return Err(ScramError::Unsupported { what: "this channel-binding type" });
            }
            (Gs2Flag::EndPoint, type_length)
        }
        _ => return Err(ScramError::Malformed { what: "gs2-cbind-flag" }),
    };
    match client_first.get(length) {
        Some(b',') => Ok((flag, length + 1)),
        Some(b'a') => Err(ScramError::Unsupported { what: "an authorization identity" }),
        _ => Err(ScramError::Malformed { what: "gs2-header" }),
    }
}

impl ScramServer {
    /// An exchange against `verifier`.
    ///
    /// `binding` is the hash of our certificate where the client came over TLS and PLUS was offered; its
    /// presence decides that [`SCRAM_SHA_256_PLUS`] is acceptable and that the flag `y` is a downgrade.
    #[must_use]
    pub fn new(verifier: Verifier, binding: Option<&[u8]>) -> Self {
        Self { verifier, binding: binding.map(Into::into) }
    }

    /// Takes the mechanism that the client chose and its first message; gives our challenge.
    ///
    /// `random` must be new for each exchange.
    ///
    /// # Errors
    /// [`ScramError`] for an unknown mechanism, a malformed message or a downgraded binding.
    pub fn first(
        self,
        mechanism: &[u8],
        client_first: &[u8],
        random: &[u8; NONCE_BYTES],
    ) -> Result<(AwaitProof, Vec<u8>), ScramError> {
        self.first_with_nonce(mechanism, client_first, &encode(random))
    }

    pub(super) fn first_with_nonce(
        self,
        mechanism: &[u8],
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<(AwaitProof, Vec<u8>), ScramError> {
        let plus = match mechanism {
            SCRAM_SHA_256 => false,
            SCRAM_SHA_256_PLUS if self.binding.is_some() => true,
            _ => return Err(ScramError::Unsupported { what: "this SASL mechanism" }),
        };
        let (flag, header_length) = gs2_header(client_first)?;
        let header = client_first.get(..header_length).unwrap_or_default();
        let expected_binding = match (flag, plus, self.binding.as_deref()) {
            (Gs2Flag::EndPoint, true, Some(data)) => [header, data].concat(),
            (Gs2Flag::ServerLacksIt, false, Some(_)) => return Err(ScramError::Downgrade),
            (Gs2Flag::NotSupported | Gs2Flag::ServerLacksIt, false, _) => header.to_vec(),
            _ => return Err(ScramError::Malformed { what: "channel binding that does not fit the mechanism" }),
        };

        let bare = client_first.get(header_length..).unwrap_or_default();
        let mut attributes = Attributes::new(bare);
        attributes.expect(b'n', "user name")?;
        let client_nonce = attributes.expect(b'r', "client nonce")?;
        check_nonce(client_nonce)?;
        attributes.skip_extensions()?;

        let text = |bytes, what| core::str::from_utf8(bytes).map_err(|_| ScramError::Malformed { what });
        let nonce = format!("{}{server_nonce}", text(client_nonce, "client nonce")?);
        let challenge = format!("r={nonce},s={},i={}", encode(self.verifier.salt()), self.verifier.iterations());
        let transcript = format!("{},{challenge}", text(bare, "client-first-message")?);
        let next = AwaitProof { verifier: self.verifier, expected_binding: expected_binding.into(), transcript, nonce };
        Ok((next, challenge.into_bytes()))
    }
}

impl AwaitProof {
    /// Checks the client's last message; gives our signature, which proves us to the client.
    ///
    /// # Errors
    /// [`ScramError::WrongProof`] for a wrong password and for a user who does not exist alike; others for a
    /// message that does not belong to this exchange.
    pub fn finish(self, client_final: &[u8]) -> Result<Vec<u8>, ScramError> {
        let mut attributes = Attributes::new(client_final);
        let binding = attributes.expect(b'c', "channel binding")?;
        if binding.ct_ne(encode(&self.expected_binding).as_bytes()).into() {
            return Err(ScramError::BindingMismatch);
        }
        if attributes.expect(b'r', "nonce")? != self.nonce.as_bytes() {
            return Err(ScramError::Malformed { what: "nonce does not match" });
        }
        let (without_proof, proof) = loop {
            let before = attributes.position().saturating_sub(1);
            if let (b'p', proof) = attributes.next("proof")? {
                break (client_final.get(..before).unwrap_or_default(), proof);
            }
        };
        if !attributes.is_empty() {
            return Err(ScramError::Malformed { what: "something after the proof" });
        }
        let proof = decode_key(proof, "proof")?;

        let message = [self.transcript.as_bytes(), b",", without_proof];
        let genuine = self.verify(&proof, &message);
        // Computed for failures as well: both outcomes take the same work.
        let signature = hmac_sha256(self.verifier.server_key(), &message);
        if genuine { Ok(format!("v={}", encode(&signature)).into_bytes()) } else { Err(ScramError::WrongProof) }
    }

    fn verify(&self, proof: &Key, message: &[&[u8]]) -> bool {
        let signature = hmac_sha256(self.verifier.stored_key(), message);
        let stored = sha256(&xor(proof, &signature));
        let fits = stored.ct_eq(self.verifier.stored_key());
        bool::from(fits & subtle::Choice::from(u8::from(!self.verifier.doomed())))
    }
}
