//! RSA as MySQL's `caching_sha2_password` uses it to hide a password where there is no TLS: OAEP with SHA-1.
//!
//! It hides the password from who listens, not from who stands in the middle: the key comes over the same
//! connection. Source: MySQL manual, "Caching SHA-2 Pluggable Authentication".

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----\n";
const END: &str = "-----END PUBLIC KEY-----\n";

/// The gateway's own key, made at start and kept in memory only.
pub(crate) struct RsaKey {
    private: OaepPrivateDecryptingKey,
    public_pem: Box<[u8]>,
}

impl RsaKey {
    /// A new key of 2,048 bits, as MySQL makes its own; `None` where the library cannot.
    pub(crate) fn generate() -> Option<Self> {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).ok()?;
        let der = private.public_key().as_der().ok()?;
        let mut pem = BEGIN.to_owned();
        let text = STANDARD.encode(der.as_ref());
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str(END);
        let private = OaepPrivateDecryptingKey::new(private).ok()?;
        Some(Self { private, public_pem: pem.into_bytes().into() })
    }

    /// The public half as PEM, SubjectPublicKeyInfo.
    pub(crate) fn public_pem(&self) -> &[u8] {
        &self.public_pem
    }

    /// What a cipher holds; `None` where it is not one of this key.
    pub(crate) fn decrypt(&self, cipher: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut plain = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let length = self.private.decrypt(&OAEP_SHA1_MGF1SHA1, cipher, &mut plain, None).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

/// Encrypts for the owner of a public key, given as PEM; `None` where it is none, or `plain` too long for it.
pub(crate) fn encrypt(pem: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let body: String = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).ok()?).ok()?;
    let mut cipher = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA1_MGF1SHA1, plain, &mut cipher, None).ok()?.len();
    cipher.truncate(length);
    Some(cipher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_for_the_public_half_is_read_by_the_private_one() {
        let key = RsaKey::generate().unwrap();
        let cipher = encrypt(key.public_pem(), b"secret").unwrap();
        assert_eq!(cipher.len(), 256);
        assert_eq!(&**key.decrypt(&cipher).unwrap(), b"secret");
        let mut forged = cipher;
        forged[7] ^= 1;
        assert!(key.decrypt(&forged).is_none() && key.decrypt(b"short").is_none());
    }

    #[test]
    fn what_is_no_key_encrypts_nothing() {
        for bad in [&b""[..], b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff\xfe"] {
            assert!(encrypt(bad, b"secret").is_none());
        }
        assert!(encrypt(RsaKey::generate().unwrap().public_pem(), &[7; 300]).is_none());
    }
}
