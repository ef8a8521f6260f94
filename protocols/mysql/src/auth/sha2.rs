//! `caching_sha2_password`: the fast path, by a hash that the server remembers, and what the full path sends.
//!
//! Source: MySQL documentation, "Caching_sha2_password information".

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use wire::secret::Secret;
use zeroize::Zeroizing;

use super::crypt::CryptVerifier;

/// The server's word that its cache knew the user.
pub const FAST_OK: u8 = 3;
/// The server's word that it needs the password itself.
pub const FULL: u8 = 4;
/// The client's request for the server's RSA key.
pub const REQUEST_KEY: u8 = 2;

/// What a server remembers of a user who logged in: SHA-256 of SHA-256 of the password. As good as the
/// password for a later login, so it stays in memory only.
#[derive(Clone)]
pub struct FastVerifier(Zeroizing<[u8; 32]>);

impl core::fmt::Debug for FastVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FastVerifier(…)")
    }
}

impl FastVerifier {
    /// Of a password that has been checked.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Self(Zeroizing::new(Sha256::digest(Sha256::digest(password)).into()))
    }

    /// Whether an answer to `challenge` was made of the password.
    #[must_use]
    pub fn verify(&self, challenge: &[u8], answer: &[u8]) -> bool {
        let Ok(answer) = <[u8; 32]>::try_from(answer) else { return false };
        let mask: [u8; 32] = Sha256::new().chain_update(*self.0).chain_update(challenge).finalize().into();
        let stage1 = Zeroizing::new(xor(answer, mask));
        let stage2: [u8; 32] = Sha256::digest(*stage1).into();
        stage2.ct_eq(&*self.0).into()
    }
}

/// What is stored of a password for the full path.
#[derive(Clone, Debug)]
pub enum Stored {
    /// MySQL's own verifier, `$A$…`.
    Crypt(CryptVerifier),
    /// The password itself, from the environment or a file.
    Plain(Secret),
}

impl Stored {
    /// Whether it is of this password. A `$A$…` costs some milliseconds.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Crypt(verifier) => verifier.verify(password),
            Self::Plain(secret) => {
                // Hashes have one length, so that comparing them tells nothing of the password's.
                let ours: [u8; 32] = Sha256::digest(secret.expose()).into();
                let theirs: [u8; 32] = Sha256::digest(password).into();
                ours.ct_eq(&theirs).into()
            }
        }
    }
}

/// The answer to a challenge; empty for an empty password.
#[must_use]
pub fn answer(password: &[u8], challenge: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let stage1: [u8; 32] = Sha256::digest(password).into();
    let stage2 = Sha256::digest(stage1);
    let mask: [u8; 32] = Sha256::new().chain_update(stage2).chain_update(challenge).finalize().into();
    xor(stage1, mask).to_vec()
}

/// The password with its NUL, combined with the challenge: what RSA encrypts.
#[must_use]
pub fn obfuscated(password: &[u8], challenge: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(password.to_vec());
    bytes.push(0);
    combine(&mut bytes, challenge);
    bytes
}

/// Undoes [`obfuscated`].
#[must_use]
pub fn revealed(mut bytes: Zeroizing<Vec<u8>>, challenge: &[u8]) -> Secret {
    combine(&mut bytes, challenge);
    super::clear(&bytes)
}

fn combine(bytes: &mut [u8], challenge: &[u8]) {
    for (byte, other) in bytes.iter_mut().zip(challenge.iter().cycle()) {
        *byte ^= other;
    }
}

fn xor<const N: usize>(mut left: [u8; N], right: [u8; N]) -> [u8; N] {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] = b"abcdefghijklmnopqrst";

    #[test]
    fn only_the_password_answers_the_challenge() {
        // Computed apart from this code, by the formula in MySQL's documentation.
        let expected = "ad439090e1914151d1a7f6bf7c21561d283f2fba52fe39ce9dcd29d687813c2c";
        let shown: String = answer(b"pw", CHALLENGE).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, expected);
        let verifier = FastVerifier::from_password(b"pw");
        assert!(verifier.verify(CHALLENGE, &answer(b"pw", CHALLENGE)));
        assert!(!verifier.verify(CHALLENGE, &answer(b"no", CHALLENGE)));
        assert!(!verifier.verify(b"another challenge---", &answer(b"pw", CHALLENGE)));
        assert!(!verifier.verify(CHALLENGE, b""));
    }

    #[test]
    fn a_password_comes_back_from_what_rsa_carries() {
        for password in [&b""[..], b"pw", &[b'x'; 100]] {
            assert_eq!(revealed(obfuscated(password, CHALLENGE), CHALLENGE).expose(), password);
        }
    }

    #[test]
    fn a_plain_secret_is_compared_whole() {
        let stored = Stored::Plain(Secret::new(*b"pw"));
        assert!(stored.verify(b"pw"));
        assert!(!stored.verify(b"pw "));
        assert!(!stored.verify(b""));
    }
}
