//! `auth = "gateway"`: what checking a client takes that this crate has not: users, secrets, randomness, RSA.
//!
//! A login and a COM_CHANGE_USER are the same check, asked of the same [`Gatekeeper`], so that one cannot be
//! more lenient than the other. Whoever implements it must take as long for a user who does not exist as for
//! one who does.

use wire::fault::Fault;
use wire::secret::Secret;
use zeroize::Zeroizing;

use super::client::{Claim, ClientAuth, ClientProgress, login_failed};
use super::sha2::FastVerifier;
use crate::greeting::SCRAMBLE_BYTES;

/// The account with which the gateway logs in to a server.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its name.
    pub user: Box<[u8]>,
    /// Its password.
    pub password: Secret,
}

/// Knows the users, and the gateway's own account; of one connection.
pub trait Gatekeeper {
    /// The challenge that this connection's greeting showed. A change of user shows it again, as servers do: libmariadb
    /// answers it then, whatever it is shown.
    fn challenge(&self) -> [u8; SCRAMBLE_BYTES];

    /// What is known of a user; `secure` is [`Claim::secure`].
    fn claim(&self, user: &[u8], secure: bool) -> Claim;

    /// Whether this is the password of a user whose verifier is of another protocol.
    fn fits(&self, user: &[u8], password: &Secret) -> bool;

    /// Keeps what a login left, so that the user's next one takes the fast path.
    fn remember(&self, user: &[u8], fast: FastVerifier);

    /// What a cipher for the gateway's RSA key holds (OAEP with SHA-1); `None` where it is none.
    fn decrypt(&self, cipher: &[u8]) -> Option<Zeroizing<Vec<u8>>>;

    /// The gateway's account at the server; `None` where it has none.
    fn credentials(&self) -> Option<Credentials>;

    /// Encrypts by RSA (OAEP with SHA-1) for the owner of a key, given as PEM; `None` where it is none.
    fn encrypt(&self, key: &[u8], plain: &[u8]) -> Option<Vec<u8>>;
}

/// Goes on with a check as far as that takes no message of the client. `Ok(None)`: the client is `user`.
///
/// # Errors
/// A [`Fault`] to be sent as ERR: the client is not.
pub fn settle(
    mut progress: ClientProgress,
    user: &[u8],
    gatekeeper: &dyn Gatekeeper,
) -> Result<Option<ClientAuth>, Fault> {
    loop {
        progress = match progress {
            ClientProgress::More(login) => return Ok(Some(login)),
            ClientProgress::Authenticated(fast) => {
                if let Some(fast) = fast {
                    gatekeeper.remember(user, fast);
                }
                return Ok(None);
            }
            ClientProgress::Check(password) => {
                if !gatekeeper.fits(user, &password) {
                    return Err(login_failed(user));
                }
                ClientProgress::Authenticated(Some(FastVerifier::from_password(password.expose())))
            }
            ClientProgress::Decrypt(cipher, login) => login.decrypted(gatekeeper.decrypt(&cipher))?,
        };
    }
}
