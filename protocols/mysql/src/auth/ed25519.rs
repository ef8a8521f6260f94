//! `client_ed25519`: MariaDB's plugin by Ed25519 signatures. The gateway uses it toward a server only.
//!
//! It is Ed25519 (RFC 8032, section 5.1.6) whose secret is the password itself, of any length, in place of
//! 32 random bytes. Source of that: MariaDB's `plugin/auth_ed25519`.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

/// Bytes of an answer: a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Signs a challenge with a password.
#[must_use]
pub fn answer(password: &[u8], challenge: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let expanded: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(password).into());
    let (secret, prefix) = expanded.split_at(32);
    let secret: [u8; 32] = secret.try_into().unwrap_or_default();
    let secret = Zeroizing::new(Scalar::from_bytes_mod_order(clamp_integer(secret)));
    let public = EdwardsPoint::mul_base(&secret).compress();
    let nonce: [u8; 64] = Sha512::new().chain_update(prefix).chain_update(challenge).finalize().into();
    let nonce = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&nonce));
    let commitment = EdwardsPoint::mul_base(&nonce).compress();
    let hash: [u8; 64] = Sha512::new()
        .chain_update(commitment.as_bytes())
        .chain_update(public.as_bytes())
        .chain_update(challenge)
        .finalize()
        .into();
    let scalar = Scalar::from_bytes_mod_order_wide(&hash) * *secret + *nonce;
    let mut signature = [0; SIGNATURE_BYTES];
    signature[..32].copy_from_slice(commitment.as_bytes());
    signature[32..].copy_from_slice(scalar.as_bytes());
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|index| u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_rfcs_examples_come_out() {
        // RFC 8032, section 7.1: where the password is 32 bytes long it is a secret key.
        let secret = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let expected = bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(answer(&secret, &[0x72]).to_vec(), expected);
        let secret = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let expected = bytes(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        );
        assert_eq!(answer(&secret, b"").to_vec(), expected);
    }
}
