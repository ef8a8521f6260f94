//! The key under which values are hashed.
//!
//! HMAC with SHA-256 (RFC 2104, FIPS 180-4): without the key nobody can try values and compare. The key's
//! bytes are never kept, shown or compared here; what is kept is the state that HMAC makes of them.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a hash.
pub(super) const HASH_BYTES: usize = 32;

/// A key for [`Method::Hash`](super::Method::Hash).
///
/// A config file only says where the key is found. Until [`Snapshot`](crate::snapshot::Snapshot) has put the
/// real one in its place a key is unknown, and values under it are redacted.
#[derive(Clone, Default)]
pub struct HashKey(Option<Arc<Hmac<Sha256>>>);

impl HashKey {
    /// Fewest bytes of a key: 128 bits, if they are random.
    pub const BYTES_MIN: usize = 16;

    /// A key that is not known yet.
    pub const UNKNOWN: Self = Self(None);

    /// The key made of a secret, of [`HashKey::BYTES_MIN`] bytes or more; `None` if it is shorter.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        if secret.len() < Self::BYTES_MIN {
            return None;
        }
        Hmac::new_from_slice(secret).ok().map(|state| Self(Some(Arc::new(state))))
    }

    /// Whether the key is not known yet.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.0.is_none()
    }

    /// The hash of a value within a class of values that hash alike; `None` under an unknown key.
    pub(super) fn hash(&self, class: Class, value: &[u8]) -> Option<[u8; HASH_BYTES]> {
        let mut state = Hmac::clone(self.0.as_deref()?);
        state.update(&[class as u8]);
        state.update(value);
        Some(state.finalize().into_bytes().into())
    }
}

/// Values of one class that are equal have the same hash, whatever their type and encoding.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Class {
    Address = b'a',
    Bytes = b'b',
    Date = b'd',
    Float = b'f',
    Json = b'j',
    Moment = b'm',
    Number = b'n',
    Text = b't',
    Uuid = b'u',
}

/// Keys are equal if they are one and the same.
impl PartialEq for HashKey {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for HashKey {}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_unknown() { "HashKey(unknown)" } else { "HashKey(…)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_follows_rfc_4231_and_depends_on_key_and_class() {
        // Test case 6 of RFC 4231: a key of 131 bytes; the first byte of its text is taken for the class.
        let key = HashKey::new(&[0xaa; 131]).unwrap();
        let text = b"est Using Larger Than Block-Size Key - Hash Key First";
        let mut state = Hmac::clone(key.0.as_deref().unwrap());
        state.update(b"T");
        state.update(text);
        let hash: [u8; 32] = state.finalize().into_bytes().into();
        assert_eq!(hash[..8], [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f]);
        assert_ne!(key.hash(Class::Text, b"7"), key.hash(Class::Number, b"7"));
        assert_ne!(key.hash(Class::Text, b"7"), HashKey::new(&[0xab; 131]).unwrap().hash(Class::Text, b"7"));
    }

    #[test]
    fn a_key_shows_nothing_of_its_secret_and_must_be_long_enough() {
        let key = HashKey::new(b"correct horse battery").unwrap();
        assert_eq!(format!("{key:?}"), "HashKey(…)");
        assert!(HashKey::new(&[7; HashKey::BYTES_MIN - 1]).is_none());
        assert!(HashKey::UNKNOWN.is_unknown() && HashKey::UNKNOWN.hash(Class::Text, b"x").is_none());
    }
}
