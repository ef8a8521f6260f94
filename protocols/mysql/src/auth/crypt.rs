//! SHA-256 crypt, the form in which MySQL stores passwords of `caching_sha2_password`: `$A$`, the number of
//! rounds in thousands as three hexadecimal digits, `$`, 20 bytes of salt, 43 characters of hash.
//!
//! Source: U. Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6 (akkadia.org/drepper/SHA-crypt.txt);
//! MySQL's `sql/auth/sha2_password.cc` for the frame around it.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of salt.
pub const SALT_BYTES: usize = 20;
/// Characters of hash.
const HASH_BYTES: usize = 43;
/// Rounds that MySQL allows, in thousands (`caching_sha2_password_digest_rounds`).
const KILO_ROUNDS: core::ops::RangeInclusive<u32> = 5..=4095;
/// Longest password that is hashed, as in MySQL (`MAX_PASSWORD_LENGTH`): work is bounded by it.
const PASSWORD_BYTES: usize = 256;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A stored password.
#[derive(Clone, PartialEq, Eq)]
pub struct CryptVerifier {
    kilo_rounds: u32,
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

impl core::fmt::Debug for CryptVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CryptVerifier(…)")
    }
}

impl CryptVerifier {
    /// Reads `authentication_string` of `mysql.user`. The salt may be any bytes but NUL and `$`, which MySQL
    /// does not make.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (rounds, rest) = text.strip_prefix(b"$A$")?.split_first_chunk::<3>()?;
        let rounds = u32::from_str_radix(core::str::from_utf8(rounds).ok()?, 16).ok()?;
        let (salt, hash) = rest.strip_prefix(b"$")?.split_first_chunk::<SALT_BYTES>()?;
        let hash = <[u8; HASH_BYTES]>::try_from(hash).ok()?;
        let valid = KILO_ROUNDS.contains(&rounds) && hash.iter().all(|byte| ALPHABET.contains(byte));
        valid.then_some(Self { kilo_rounds: rounds, salt: *salt, hash })
    }

    /// What MySQL would store of a password, with 5,000 rounds, its default.
    #[must_use]
    pub fn from_password(password: &[u8], random: &[u8; SALT_BYTES]) -> Self {
        // Seven bits each, and neither NUL nor `$`, as MySQL's `generate_user_salt`.
        let salt = random.map(|byte| match byte & 0x7f {
            0 | b'$' => b'.',
            byte => byte,
        });
        let kilo_rounds = *KILO_ROUNDS.start();
        Self { kilo_rounds, salt, hash: sha256_crypt(password, &salt, kilo_rounds * 1000) }
    }

    /// Whether it is of this password.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        if password.len() > PASSWORD_BYTES {
            return false;
        }
        sha256_crypt(password, &self.salt, self.kilo_rounds * 1000).ct_eq(&self.hash).into()
    }

    /// The stored form; the salt makes it bytes and not text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("$A${:03X}$", self.kilo_rounds).into_bytes();
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.hash);
        out
    }
}

/// Repeats a digest over `length` bytes.
fn stretch(digest: &[u8; 32], length: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(digest.iter().copied().cycle().take(length).collect())
}

/// Steps 1 to 22 of the paper.
fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; HASH_BYTES] {
    let b: [u8; 32] = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize().into();
    let mut a = Sha256::new().chain_update(password).chain_update(salt);
    a.update(&*stretch(&b, password.len()));
    let mut length = password.len();
    while length > 0 {
        if length & 1 == 1 {
            a.update(b);
        } else {
            a.update(password);
        }
        length >>= 1;
    }
    let mut digest: [u8; 32] = a.finalize().into();
    let mut dp = Sha256::new();
    for _ in 0..password.len() {
        dp.update(password);
    }
    let p = stretch(&dp.finalize().into(), password.len());
    let mut ds = Sha256::new();
    for _ in 0..16 + u32::from(digest[0]) {
        ds.update(salt);
    }
    let s = stretch(&ds.finalize().into(), salt.len());
    for round in 0..rounds {
        let odd = round & 1 == 1;
        let mut c = Sha256::new();
        c.update(if odd { &p[..] } else { &digest[..] });
        if round % 3 != 0 {
            c.update(&*s);
        }
        if round % 7 != 0 {
            c.update(&*p);
        }
        c.update(if odd { &digest[..] } else { &p[..] });
        digest = c.finalize().into();
    }
    encoded(&digest)
}

/// The paper's own base 64: three bytes from three places make four characters.
fn encoded(digest: &[u8; 32]) -> [u8; HASH_BYTES] {
    let mut out = [0; HASH_BYTES];
    let mut slots = out.iter_mut();
    let mut group = |[a, b, c]: [u8; 3], characters: usize| {
        let mut value = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
        for _ in 0..characters {
            let index = usize::from(u8::try_from(value & 0x3f).unwrap_or_default());
            if let (Some(slot), Some(character)) = (slots.next(), ALPHABET.get(index)) {
                *slot = *character;
            }
            value >>= 6;
        }
    };
    let mut at = [0_usize, 10, 20];
    for _ in 0..10 {
        group(at.map(|index| digest[index]), 4);
        at = [at[2] + 1, at[0] + 1, at[1] + 1];
    }
    group([0, digest[31], digest[30]], 3);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_examples_come_out() {
        let hash = sha256_crypt(b"Hello world!", b"saltstring", 5000);
        assert_eq!(&hash, b"5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
        let hash = sha256_crypt(b"Hello world!", b"saltstringsaltst", 10_000);
        assert_eq!(&hash, b"3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA");
    }

    #[test]
    fn a_verifier_reads_back_and_knows_its_password() {
        let verifier = CryptVerifier::from_password(b"pw", b"01234567890123456789");
        assert!(verifier.verify(b"pw"));
        assert!(!verifier.verify(b"no"));
        assert!(!verifier.verify(&[b'x'; 300]));
        let stored = verifier.to_bytes();
        assert_eq!(stored.len(), 70);
        assert!(stored.starts_with(b"$A$005$"));
        assert_eq!(CryptVerifier::parse(&stored), Some(verifier));
        for end in 0..stored.len() {
            assert_eq!(CryptVerifier::parse(&stored[..end]), None);
        }
        assert_eq!(CryptVerifier::parse(&[b"$A$FFF$", &stored[7..]].concat()).map(|v| v.kilo_rounds), Some(4095));
        assert_eq!(CryptVerifier::parse(&[b"$A$004$", &stored[7..]].concat()), None);
    }

    #[test]
    fn a_salt_has_no_byte_that_its_text_cannot_hold() {
        let salt =
            CryptVerifier::from_password(b"", &core::array::from_fn(|index| [0, b'$', 0x80, 0xa4][index % 4])).salt;
        assert_eq!(salt, [b'.'; SALT_BYTES]);
    }
}
