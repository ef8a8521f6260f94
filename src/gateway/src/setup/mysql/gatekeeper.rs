//! What checking a client takes beside the exchange itself: the users of the configuration, their secrets, the
//! gateway's RSA key and its own account at the server.
//!
//! A login and a COM_CHANGE_USER in the middle of a session ask the same [`Keeper`]. It looks at what is loaded
//! now: a user who was taken out of the configuration cannot be changed to.

use std::rc::Rc;

use mysql::auth::client::{Claim, Known};
use mysql::auth::gatekeeper::{Credentials, Gatekeeper};
use mysql::auth::sha2::{FastVerifier, Stored};
use mysql::greeting::SCRAMBLE_BYTES;
use policy::config::Auth;
use postgres::scram::verifier::DEFAULT_ITERATIONS;
use wire::secret::Secret;
use zeroize::Zeroizing;

use crate::rsa;
use crate::shard::Shard;

/// Checks the client of one connection.
pub(super) struct Keeper {
    shard: Rc<Shard>,
    listener: usize,
    challenge: [u8; SCRAMBLE_BYTES],
}

impl Keeper {
    /// Of a connection to a listener with `auth = "gateway"`, whose greeting showed `challenge`.
    pub(super) fn new(shard: &Rc<Shard>, listener: usize, challenge: [u8; SCRAMBLE_BYTES]) -> Self {
        Self { shard: Rc::clone(shard), listener, challenge }
    }
}

/// A challenge of our own: bytes of seven bits without NUL and `$`, as servers make them. `None` where there is no
/// randomness.
pub(super) fn challenge() -> Option<[u8; SCRAMBLE_BYTES]> {
    let mut random = [0; SCRAMBLE_BYTES];
    crate::random::fill(&mut random).ok()?;
    Some(random.map(|byte| match byte & 0x7f {
        0 | b'$' => b'.',
        byte => byte,
    }))
}

/// A name in the configuration; users there have names of UTF-8.
fn name(user: &[u8]) -> &str {
    std::str::from_utf8(user).unwrap_or_default()
}

impl Gatekeeper for Keeper {
    fn challenge(&self) -> [u8; SCRAMBLE_BYTES] {
        self.challenge
    }

    fn claim(&self, user: &[u8], secure: bool) -> Claim {
        let shared = &self.shard.shared;
        Claim {
            known: shared
                .password(name(user))
                .map_or(Known::Elsewhere, |password| Known::Stored(Stored::Plain(password))),
            fast: shared.fast_verifier(name(user)),
            secure,
            key: shared.rsa.as_ref().map(|key| key.public_pem().into()),
        }
    }

    fn fits(&self, user: &[u8], password: &Secret) -> bool {
        let shared = &self.shard.shared;
        let Some(listener) = shared.listeners.get(self.listener) else { return false };
        let verifier = shared.verifier(name(user));
        // A user who does not exist costs what one who does costs.
        let known = verifier.is_some();
        let mock = listener.mock_secret.verifier(user, DEFAULT_ITERATIONS);
        let fits = verifier.unwrap_or(mock).matches(password.expose());
        known && fits
    }

    fn remember(&self, user: &[u8], fast: FastVerifier) {
        self.shard.shared.remember_fast(name(user), fast);
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.shard.shared.rsa.as_ref().and_then(|key| key.decrypt(cipher))
    }

    fn credentials(&self) -> Option<Credentials> {
        let policy = self.shard.policy.borrow();
        let listener = policy.config().listeners.get(self.listener)?;
        let Auth::Gateway { upstream_user, .. } = &listener.auth else { return None };
        let password = self.shard.shared.upstream_password(&listener.name)?;
        Some(Credentials { user: upstream_user.as_bytes().into(), password: Secret::new(password.into_bytes()) })
    }

    fn encrypt(&self, key: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        rsa::encrypt(key, plain)
    }
}
