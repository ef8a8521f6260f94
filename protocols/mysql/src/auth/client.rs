//! `auth = "gateway"`: the gateway checks the client.
//!
//! ```text
//!  HandshakeResponse ─┬─ right answer of its plugin ──────────────────────────────────► Authenticated
//!                     ├─ another plugin ──AuthSwitch──► its answer ─► as above
//!                     └─ caching_sha2_password, hash unknown ──More(full)──► Full
//!     Full ─┬─ TLS: the password ─┬─ verifier of this protocol ───────────────────────► Authenticated
//!           │                     └─ another verifier ──► Check, by the caller
//!           └─ plain: "send the key" ──key──► cipher ──► Decrypt, by the caller ─► as above
//! ```
//!
//! A user who does not exist takes the way of one whose hash is not remembered, and fails where a wrong
//! password fails, with the same message. A password in the clear is taken inside TLS only.

use wire::fault::{Culprit, Fault};
use wire::secret::Secret;

use super::native::NativeVerifier;
use super::sha2::{self, FastVerifier, Stored};
use super::{CACHING_SHA2, CLEAR, NATIVE, clear};
use crate::auth;
use crate::greeting::SCRAMBLE_BYTES;
use zeroize::Zeroizing;

/// What is known of the user.
#[derive(Clone, Debug)]
pub enum Known {
    /// A password or a `$A$` verifier.
    Stored(Stored),
    /// A verifier of `mysql_native_password`.
    Native(NativeVerifier),
    /// A verifier of another protocol, or no such user: the caller checks the password, or fails.
    Elsewhere,
}

/// Who wants to log in.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What is known of the user.
    pub known: Known,
    /// What an earlier login left, where there was one with the same verifier.
    pub fast: Option<FastVerifier>,
    /// Whether the client's leg is encrypted, or a socket of this machine.
    pub secure: bool,
    /// The gateway's RSA public key as PEM, where it has one, for the full path without TLS.
    pub key: Option<Box<[u8]>>,
}

/// An exchange with one client.
#[derive(Debug)]
pub struct ClientAuth {
    user: Box<[u8]>,
    claim: Claim,
    challenge: [u8; SCRAMBLE_BYTES],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The answer of `caching_sha2_password` to its challenge.
    Sha2Answer,
    NativeAnswer,
    ClearAnswer,
    /// The password, or a request for the key.
    Full,
    Cipher,
}

/// Where an exchange stands after a message.
#[derive(Debug)]
pub enum ClientProgress {
    /// The client is who it says. The caller sends OK, and keeps what is given for the next login.
    Authenticated(Option<FastVerifier>),
    /// The caller must check this password by a verifier of its own, or fail with [`login_failed`]. It makes
    /// [`FastVerifier::from_password`] of it where it succeeds.
    Check(Secret),
    /// The caller must decrypt this by RSA-OAEP with SHA-1 and go on with [`ClientAuth::decrypted`].
    Decrypt(Box<[u8]>, ClientAuth),
    /// Another message must come.
    More(ClientAuth),
}

impl ClientAuth {
    /// Takes the plugin and the answer of a HandshakeResponse and appends what follows to `out`. The greeting must have named `caching_sha2_password`, with `challenge`. `seq` is the next
    /// sequence id and is kept up.
    ///
    /// # Errors
    /// A [`Fault`] to be sent as ERR.
    pub fn start(
        user: &[u8],
        claim: Claim,
        plugin: &[u8],
        answer: &[u8],
        challenge: &[u8; SCRAMBLE_BYTES],
        seq: &mut u8,
        out: &mut Vec<u8>,
    ) -> Result<ClientProgress, Fault> {
        let (auth, wanted) = Self::choose(user, claim, plugin, challenge);
        // A challenge belongs to the plugin that it was offered with: clients show it to no other, and wait
        // to be asked even where they have named the right one.
        if plugin == wanted && plugin == CACHING_SHA2 {
            return auth.on_message(answer, seq, out);
        }
        auth::write_switch(out, seq, wanted, challenge);
        Ok(ClientProgress::More(auth))
    }

    /// Begins anew on an established connection (COM_CHANGE_USER) and appends the AuthSwitchRequest: what the message
    /// brought along is left out by some libraries, and by others for a plugin that the user has not. `challenge` is
    /// that of the greeting.
    pub fn again(
        user: &[u8],
        claim: Claim,
        plugin: &[u8],
        challenge: &[u8; SCRAMBLE_BYTES],
        seq: &mut u8,
        out: &mut Vec<u8>,
    ) -> Self {
        let (auth, wanted) = Self::choose(user, claim, plugin, challenge);
        auth::write_switch(out, seq, wanted, challenge);
        auth
    }

    /// The plugin that the user's verifier needs; the client's own wish counts where it can be met.
    fn choose(user: &[u8], claim: Claim, plugin: &[u8], challenge: &[u8; SCRAMBLE_BYTES]) -> (Self, &'static [u8]) {
        let state = match (&claim.known, plugin) {
            (Known::Native(_) | Known::Stored(Stored::Plain(_)), NATIVE) => State::NativeAnswer,
            (Known::Native(_), CLEAR) if claim.secure => State::ClearAnswer,
            (Known::Stored(_) | Known::Elsewhere, CLEAR) if claim.secure => State::ClearAnswer,
            (Known::Native(_), _) => State::NativeAnswer,
            _ => State::Sha2Answer,
        };
        let wanted = match state {
            State::NativeAnswer => NATIVE,
            State::ClearAnswer => CLEAR,
            _ => CACHING_SHA2,
        };
        (Self { user: user.into(), claim, challenge: *challenge, state }, wanted)
    }

    /// Takes the payload of the client's next message and appends the answer to `out`.
    ///
    /// # Errors
    /// A [`Fault`] to be sent as ERR: 28P01 where the secret is not the user's, 08P01 for a message that does
    /// not belong here.
    pub fn on_message(mut self, payload: &[u8], seq: &mut u8, out: &mut Vec<u8>) -> Result<ClientProgress, Fault> {
        match self.state {
            State::NativeAnswer => {
                let right = match &self.claim.known {
                    Known::Native(verifier) => verifier.verify(&self.challenge, payload),
                    Known::Stored(Stored::Plain(secret)) => {
                        NativeVerifier::from_password(secret.expose()).verify(&self.challenge, payload)
                    }
                    _ => false,
                };
                if right { Ok(ClientProgress::Authenticated(None)) } else { Err(login_failed(&self.user)) }
            }
            State::ClearAnswer => self.password(&clear(payload)),
            State::Sha2Answer => {
                if let Some(done) = self.fast(payload, seq, out) {
                    return Ok(done);
                }
                if payload.is_empty() {
                    // An empty password: no verifier here is of one.
                    return Err(login_failed(&self.user));
                }
                auth::write_more(out, seq, &[sha2::FULL]);
                self.state = State::Full;
                Ok(ClientProgress::More(self))
            }
            State::Full if payload == [sha2::REQUEST_KEY] && !self.claim.secure => {
                let Some(key) = &self.claim.key else { return Err(insecure()) };
                auth::write_more(out, seq, key);
                self.state = State::Cipher;
                Ok(ClientProgress::More(self))
            }
            State::Full if self.claim.secure => self.password(&clear(payload)),
            State::Full => Err(insecure()),
            State::Cipher => Ok(ClientProgress::Decrypt(payload.into(), self)),
        }
    }

    /// Goes on with what a cipher held; `None` where it could not be decrypted.
    ///
    /// # Errors
    /// As [`ClientAuth::on_message`].
    pub fn decrypted(self, plain: Option<Zeroizing<Vec<u8>>>) -> Result<ClientProgress, Fault> {
        match plain {
            Some(plain) => {
                let password = sha2::revealed(plain, &self.challenge);
                self.password(&password)
            }
            None => Err(login_failed(&self.user)),
        }
    }

    /// The fast path: the answer is checked against what is remembered, or made of the password.
    fn fast(&self, answer: &[u8], seq: &mut u8, out: &mut Vec<u8>) -> Option<ClientProgress> {
        let made = match &self.claim.known {
            Known::Stored(Stored::Plain(secret)) if !secret.expose().is_empty() => {
                Some(FastVerifier::from_password(secret.expose()))
            }
            _ => None,
        };
        let fast = made.as_ref().or(self.claim.fast.as_ref())?;
        if !fast.verify(&self.challenge, answer) {
            return None;
        }
        auth::write_more(out, seq, &[sha2::FAST_OK]);
        Some(ClientProgress::Authenticated(None))
    }

    /// Checks a password that came whole.
    fn password(self, password: &Secret) -> Result<ClientProgress, Fault> {
        let right = match &self.claim.known {
            Known::Elsewhere => return Ok(ClientProgress::Check(password.clone())),
            Known::Stored(stored) => !password.expose().is_empty() && stored.verify(password.expose()),
            Known::Native(verifier) => NativeVerifier::from_password(password.expose()) == *verifier,
        };
        if right {
            return Ok(ClientProgress::Authenticated(Some(FastVerifier::from_password(password.expose()))));
        }
        Err(login_failed(&self.user))
    }
}

/// The one answer to a wrong password and an unknown user (error 1045, SQLSTATE 28000).
#[must_use]
pub fn login_failed(user: &[u8]) -> Fault {
    let message = format!("Access denied for user '{}' (using password)", String::from_utf8_lossy(user));
    Fault::new(Culprit::Client, b"28P01", "login_failed", message)
}

fn insecure() -> Fault {
    let text = "Authentication requires secure connection: connect with TLS";
    Fault::new(Culprit::Client, b"28000", "login_insecure", text)
}

#[cfg(test)]
fn switch_of(packet: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match auth::AuthReply::parse(packet.get(4..).unwrap_or_default()) {
        Ok(auth::AuthReply::Switch { plugin, challenge }) => (plugin.to_vec(), challenge.to_vec()),
        other => panic!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::crypt::CryptVerifier;
    use crate::auth::native;

    const CHALLENGE: &[u8; 20] = b"abcdefghijklmnopqrst";

    fn crypt() -> Known {
        Known::Stored(Stored::Crypt(CryptVerifier::from_password(b"pw", b"01234567890123456789")))
    }

    fn claim(known: Known, secure: bool) -> Claim {
        Claim { known, fast: None, secure, key: Some(b"PEM"[..].into()) }
    }

    fn start(claim: Claim, plugin: &[u8], answer: &[u8]) -> (Result<ClientProgress, Fault>, Vec<u8>) {
        let (mut out, mut seq) = (Vec::new(), 2);
        (ClientAuth::start(b"ana", claim, plugin, answer, CHALLENGE, &mut seq, &mut out), out)
    }

    /// A login by a plugin that was not offered: the client is asked for its answer.
    fn asked(claim: Claim, plugin: &[u8], answer: &[u8]) -> Result<ClientProgress, Fault> {
        let (progress, out) = start(claim, plugin, b"");
        assert_eq!(switch_of(&out).0, plugin);
        go_on(progress, answer).0
    }

    fn go_on(progress: Result<ClientProgress, Fault>, payload: &[u8]) -> (Result<ClientProgress, Fault>, Vec<u8>) {
        let Ok(ClientProgress::More(auth)) = progress else { panic!("{progress:?}") };
        let (mut out, mut seq) = (Vec::new(), 4);
        (auth.on_message(payload, &mut seq, &mut out), out)
    }

    fn is_in(progress: &Result<ClientProgress, Fault>) -> bool {
        matches!(progress, Ok(ClientProgress::Authenticated(_)))
    }

    #[test]
    fn the_full_path_inside_tls_leaves_a_hash_for_the_fast_path() {
        let (progress, out) = start(claim(crypt(), true), CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE));
        assert_eq!(out, b"\x02\0\0\x02\x01\x04");
        let (progress, _) = go_on(progress, b"pw\0");
        let Ok(ClientProgress::Authenticated(Some(fast))) = progress else { panic!("{progress:?}") };
        let remembered = Claim { fast: Some(fast), ..claim(crypt(), false) };
        let (progress, out) = start(remembered, CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE));
        assert!(is_in(&progress));
        assert_eq!(out, b"\x02\0\0\x02\x01\x03");
    }

    #[test]
    fn the_full_path_without_tls_goes_by_rsa() {
        let (progress, _) = start(claim(crypt(), false), CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE));
        let (progress, out) = go_on(progress, &[sha2::REQUEST_KEY]);
        assert_eq!(&out[4..], b"\x01PEM");
        let (progress, _) = go_on(progress, b"cipher");
        let Ok(ClientProgress::Decrypt(cipher, auth)) = progress else { panic!("{progress:?}") };
        assert_eq!(&*cipher, b"cipher");
        assert!(is_in(&auth.decrypted(Some(sha2::obfuscated(b"pw", CHALLENGE)))));
    }

    #[test]
    fn a_password_in_the_clear_is_not_taken_without_tls() {
        let (progress, _) = start(claim(crypt(), false), CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE));
        let (progress, _) = go_on(progress, b"pw\0");
        assert_eq!(progress.unwrap_err().reason, "login_insecure");
        let (progress, out) = start(claim(crypt(), false), CLEAR, b"pw\0");
        assert!(matches!(progress, Ok(ClientProgress::More(_))));
        assert_eq!(switch_of(&out), (CACHING_SHA2.to_vec(), CHALLENGE.to_vec()));
        assert!(is_in(&asked(claim(crypt(), true), CLEAR, b"pw\0")));
    }

    #[test]
    fn a_native_verifier_switches_to_its_plugin() {
        let known = || Known::Native(NativeVerifier::from_password(b"pw"));
        let (progress, out) = start(claim(known(), false), CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE));
        assert_eq!(switch_of(&out).0, NATIVE);
        assert!(is_in(&go_on(progress, &native::answer(b"pw", CHALLENGE)).0));
        assert!(is_in(&asked(claim(known(), false), NATIVE, &native::answer(b"pw", CHALLENGE))));
        assert!(asked(claim(known(), false), NATIVE, &native::answer(b"no", CHALLENGE)).is_err());
    }

    #[test]
    fn a_stored_password_serves_every_plugin() {
        let known = || Known::Stored(Stored::Plain(Secret::new(*b"pw")));
        assert!(is_in(&asked(claim(known(), false), NATIVE, &native::answer(b"pw", CHALLENGE))));
        assert!(is_in(&start(claim(known(), false), CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE)).0));
        assert!(is_in(&asked(claim(known(), true), CLEAR, b"pw\0")));
        assert!(asked(claim(known(), true), CLEAR, b"no\0").is_err());
    }

    #[test]
    fn a_client_that_chose_another_plugin_than_was_offered_is_asked_again() {
        // libmariadb sends an empty answer then.
        let known = || Known::Stored(Stored::Plain(Secret::new(*b"pw")));
        let (_, out) = start(claim(known(), false), NATIVE, b"");
        assert_eq!(switch_of(&out), (NATIVE.to_vec(), CHALLENGE.to_vec()));
        assert!(is_in(&asked(claim(known(), false), NATIVE, &native::answer(b"pw", CHALLENGE))));
    }

    #[test]
    fn a_login_on_an_established_connection_is_asked_for_its_answer() {
        let known = || Known::Stored(Stored::Plain(Secret::new(*b"pw")));
        for (plugin, answer) in
            [(CACHING_SHA2, sha2::answer(b"pw", CHALLENGE)), (NATIVE, native::answer(b"pw", CHALLENGE))]
        {
            let (mut out, mut seq) = (Vec::new(), 1);
            let auth = ClientAuth::again(b"ana", claim(known(), false), plugin, CHALLENGE, &mut seq, &mut out);
            assert_eq!((switch_of(&out), seq), ((plugin.to_vec(), CHALLENGE.to_vec()), 2));
            assert!(is_in(&go_on(Ok(ClientProgress::More(auth)), &answer).0));
        }
    }

    #[test]
    fn an_unknown_user_and_a_wrong_password_get_one_answer() {
        let (unknown, first) = start(claim(Known::Elsewhere, true), CACHING_SHA2, &sha2::answer(b"pw", CHALLENGE));
        let (wrong, second) = start(claim(crypt(), true), CACHING_SHA2, &sha2::answer(b"no", CHALLENGE));
        assert_eq!(first, second);
        assert!(matches!(go_on(unknown, b"pw\0").0, Ok(ClientProgress::Check(password)) if password.expose() == b"pw"));
        let fault = go_on(wrong, b"no\0").0.unwrap_err();
        assert_eq!(fault, login_failed(b"ana"));
        assert_eq!(crate::reply::fault_code(&fault), (1045, *b"28000"));
    }

    #[test]
    fn an_empty_answer_is_no_password() {
        for known in [crypt(), Known::Elsewhere, Known::Stored(Stored::Plain(Secret::new(*b"")))] {
            assert!(start(claim(known, true), CACHING_SHA2, b"").0.is_err());
        }
    }
}
