//! `mysql_native_password`: SHA-1 of a challenge and of what the server stores.
//!
//! Source: MySQL documentation, "Native Authentication".

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What a server stores: SHA-1 of SHA-1 of the password; `*` and 40 hexadecimal digits in `mysql.user`.
#[derive(Clone, PartialEq, Eq)]
pub struct NativeVerifier([u8; 20]);

impl core::fmt::Debug for NativeVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NativeVerifier(…)")
    }
}

impl NativeVerifier {
    /// Reads `*` and 40 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('*').filter(|digits| digits.len() == 40 && digits.is_ascii())?;
        let mut hash = [0; 20];
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// What a server would store of a password.
    #[must_use]
    pub fn from_password(password: &[u8]) -> Self {
        Self(Sha1::digest(Sha1::digest(password)).into())
    }

    /// Whether an answer to `challenge` was made of the password.
    #[must_use]
    pub fn verify(&self, challenge: &[u8], answer: &[u8]) -> bool {
        let Ok(answer) = <[u8; 20]>::try_from(answer) else { return false };
        let mask: [u8; 20] = Sha1::new().chain_update(challenge).chain_update(self.0).finalize().into();
        let stage1 = Zeroizing::new(xor(answer, mask));
        let stage2: [u8; 20] = Sha1::digest(*stage1).into();
        stage2.ct_eq(&self.0).into()
    }
}

impl core::fmt::Display for NativeVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("*")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// The answer to a challenge; empty for an empty password.
#[must_use]
pub fn answer(password: &[u8], challenge: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let stage1: [u8; 20] = Sha1::digest(password).into();
    let stage2 = Sha1::digest(stage1);
    let mask: [u8; 20] = Sha1::new().chain_update(challenge).chain_update(stage2).finalize().into();
    xor(stage1, mask).to_vec()
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

    #[test]
    fn a_stored_hash_is_that_of_the_server() {
        // `SELECT PASSWORD('password')` in MariaDB.
        let text = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
        assert_eq!(NativeVerifier::from_password(b"password").to_string(), text);
        assert_eq!(NativeVerifier::parse(text), Some(NativeVerifier::from_password(b"password")));
        for bad in ["", "*", "2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1EXX"] {
            assert_eq!(NativeVerifier::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_the_password_answers_the_challenge() {
        let verifier = NativeVerifier::from_password(b"pw");
        assert!(verifier.verify(b"abcdefghijklmnopqrst", &answer(b"pw", b"abcdefghijklmnopqrst")));
        assert!(!verifier.verify(b"abcdefghijklmnopqrst", &answer(b"no", b"abcdefghijklmnopqrst")));
        assert!(!verifier.verify(b"another challenge---", &answer(b"pw", b"abcdefghijklmnopqrst")));
        assert!(!verifier.verify(b"abcdefghijklmnopqrst", b""));
    }
}
