//! What a server keeps in place of a password: salt, iteration count and two keys.
//!
//! A stolen verifier lets a thief pretend to be the server and guess passwords, not log in. It is shown in
//! no debug output all the same.
//!
//! Text form: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` with base64, as in `pg_authid`
//! (PostgreSQL manual, "pg_authid").

use super::{Key, client_and_server_key, decode, decode_key, encode, hmac_sha256, salted_password, sha256};
use core::fmt;
use zeroize::Zeroize;

/// PostgreSQL's default iteration count (`scram_iterations`).
pub const DEFAULT_ITERATIONS: u32 = 4096;

/// Bytes in a salt that is made here (`SCRAM_DEFAULT_SALT_LEN`).
pub const SALT_BYTES: usize = 16;

/// A SCRAM-SHA-256 verifier.
#[derive(Clone)]
pub struct Verifier {
    iterations: u32,
    salt: Box<[u8]>,
    stored_key: Key,
    server_key: Key,
    /// Whether no password fits: stands in for a user who does not exist.
    doomed: bool,
}

/// A text that is not a verifier; holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidVerifier;

impl fmt::Display for InvalidVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a SCRAM verifier of the form SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>")
    }
}

impl core::error::Error for InvalidVerifier {}

impl Verifier {
    /// Makes the verifier of `password`; costs `iterations` rounds of PBKDF2 (a millisecond for 4,096).
    ///
    /// `salt` must be random and new for each verifier, [`SALT_BYTES`] long by custom.
    #[must_use]
    pub fn from_password(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let iterations = iterations.max(1);
        let (mut client_key, server_key) = client_and_server_key(&salted_password(password, salt, iterations));
        let stored_key = sha256(&client_key);
        client_key.zeroize();
        Self { iterations, salt: salt.into(), stored_key, server_key, doomed: false }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`InvalidVerifier`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidVerifier> {
        let mut parts = text.split('$');
        let (Some("SCRAM-SHA-256"), Some(parameters), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidVerifier);
        };
        let (iterations, salt) = parameters.split_once(':').ok_or(InvalidVerifier)?;
        let (stored, server) = keys.split_once(':').ok_or(InvalidVerifier)?;
        let iterations = iterations.parse().ok().filter(|count| *count > 0).ok_or(InvalidVerifier)?;
        let salt = decode(salt.as_bytes(), "salt").ok().filter(|salt| !salt.is_empty()).ok_or(InvalidVerifier)?;
        let key = |text: &str| decode_key(text.as_bytes(), "key").map_err(|_| InvalidVerifier);
        Ok(Self { iterations, salt: salt.into(), stored_key: key(stored)?, server_key: key(server)?, doomed: false })
    }

    /// The text form; as much a secret as a password file is.
    #[must_use]
    pub fn format(&self) -> String {
        let Self { iterations, salt, stored_key, server_key, .. } = self;
        format!("SCRAM-SHA-256${iterations}:{}${}:{}", encode(salt), encode(stored_key), encode(server_key))
    }

    /// Whether `password` is the one that this verifier was made of. Costs the iterations.
    #[must_use]
    pub fn matches(&self, password: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        let other = Self::from_password(password, &self.salt, self.iterations);
        bool::from(other.stored_key.ct_eq(&self.stored_key)) && !self.doomed
    }

    /// Rounds of PBKDF2 that the client must make.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn stored_key(&self) -> &Key {
        &self.stored_key
    }

    pub(super) fn server_key(&self) -> &Key {
        &self.server_key
    }

    pub(super) fn doomed(&self) -> bool {
        self.doomed
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// The secret from which users who do not exist get their salts.
///
/// A stranger who asks twice for the same name must see the same salt twice, as for a real user, or the
/// answer tells that there is no such user. Make it once per process from 32 random bytes.
#[derive(Clone)]
pub struct MockSecret(crate::secret::Secret);

impl MockSecret {
    /// Keeps 32 random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(crate::secret::Secret::new(random))
    }

    /// The verifier of a user who does not exist: takes part in the whole exchange and fits no password.
    ///
    /// `iterations` must be what real users have, else the count tells them apart.
    #[must_use]
    pub fn verifier(&self, user: &[u8], iterations: u32) -> Verifier {
        let salt = hmac_sha256(self.0.expose(), &[user]);
        Verifier {
            iterations: iterations.max(1),
            salt: salt.get(..SALT_BYTES).unwrap_or_default().into(),
            stored_key: [0; 32],
            server_key: [0; 32],
            doomed: true,
        }
    }
}

impl fmt::Debug for MockSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL 15 stored for `CREATE ROLE ana PASSWORD 'correct horse'`.
    const STORED: &str = "SCRAM-SHA-256$4096:0iYgvbrfwC6O+EylSA+EDg==\
        $LcunY5f/8apfJCCseJbqllvg4yocMehk0vMfgYALXQo=:Sj7rfcrMxFlAfYRo0SufaGjxHvwqYp+VAAfD/I27hjM=";

    #[test]
    fn what_postgresql_stored_is_read_and_written_back() {
        let verifier = Verifier::parse(STORED).unwrap();
        assert_eq!(verifier.format(), STORED);
        assert_eq!(verifier.iterations(), DEFAULT_ITERATIONS);
        assert!(verifier.matches(b"correct horse"));
        assert!(!verifier.matches(b"correct horse "));
        let made = Verifier::from_password(b"correct horse", verifier.salt(), DEFAULT_ITERATIONS);
        assert_eq!(made.format(), STORED, "a password makes the verifier that PostgreSQL makes");
    }

    #[test]
    fn a_verifier_cut_or_changed_anywhere_is_not_another_one() {
        for end in 0..STORED.len() {
            assert_eq!(Verifier::parse(&STORED[..end]).err(), Some(InvalidVerifier), "{end}");
        }
        for text in ["md5abc", "SCRAM-SHA-1$4096:AA==$AA==:AA==", &format!("{STORED}$"), &STORED.replace("4096", "0")] {
            assert!(Verifier::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn passwords_are_prepared_as_rfc_4013_says_and_taken_raw_where_that_fails() {
        let of = |password: &[u8]| Verifier::from_password(password, b"salt", 1).format();
        assert_eq!(of("I\u{ad}X".as_bytes()), of(b"IX"), "soft hyphen maps to nothing");
        assert_eq!(of("\u{2168}".as_bytes()), of(b"IX"), "compatibility form");
        assert_ne!(of(b"\x07"), of(b""), "a control character is prohibited, so the raw bytes count");
        assert_ne!(of(b"\xff"), of(b"\xfe"));
    }

    #[test]
    fn an_unknown_user_has_one_salt_and_no_password() {
        let secret = MockSecret::new([9; 32]);
        let (first, again) = (secret.verifier(b"nobody", 4096), secret.verifier(b"nobody", 4096));
        assert_eq!(first.salt(), again.salt());
        assert_ne!(first.salt(), secret.verifier(b"noone", 4096).salt());
        assert_eq!(first.salt().len(), SALT_BYTES);
        assert!(!first.matches(b""));
        assert_eq!(format!("{secret:?} {first:?}"), "MockSecret(…) Verifier { iterations: 4096, .. }");
    }
}
