//! `auth = "gateway"`: the gateway checks the client by SCRAM.
//!
//! ```text
//!  ClientAuth::start --AuthenticationSASL-->  SASLInitialResponse
//!      --AuthenticationSASLContinue-->        SASLResponse
//!      --AuthenticationSASLFinal, AuthenticationOk-->  authenticated
//! ```
//!
//! A user who does not exist takes the same way with [`MockSecret`]'s verifier and fails where a wrong
//! password fails, with the same message.

use super::SaslInitialResponse;
use crate::backend;
use crate::scram::server::{AwaitProof, ScramServer};
use crate::scram::verifier::{MockSecret, Verifier};
use crate::scram::{NONCE_BYTES, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError};
use wire::fault::{Culprit, Fault};

/// Who wants to log in.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The user of the start-up packet.
    pub user: &'a [u8],
    /// That user's verifier; none where there is no such user.
    pub verifier: Option<&'a Verifier>,
    /// The `tls-server-end-point` hash of the certificate that this client was shown; none without TLS or
    /// where the certificate has no such hash.
    pub binding: Option<&'a [u8]>,
}

/// An exchange with one client.
#[derive(Debug)]
pub struct ClientAuth {
    user: Box<[u8]>,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitFirst(ScramServer),
    AwaitProof(AwaitProof),
}

/// Where an exchange stands after a message.
#[derive(Debug)]
pub enum ClientProgress {
    /// The client is who it says; AuthenticationOk has been written.
    Authenticated,
    /// Another `p` message must come.
    More(ClientAuth),
}

impl ClientAuth {
    /// Begins: appends the offer of mechanisms to `out`.
    ///
    /// `mock` and `mock_iterations` make the verifier of a user who does not exist; the count must be what
    /// the users of the config have.
    #[must_use]
    pub fn start(claim: &Claim<'_>, mock: &MockSecret, mock_iterations: u32, out: &mut Vec<u8>) -> Self {
        // Made for every client, so that making it tells nothing.
        let unknown = mock.verifier(claim.user, mock_iterations);
        let verifier = claim.verifier.map_or(unknown, Clone::clone);
        match claim.binding {
            Some(_) => backend::authentication_sasl(out, &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256]),
            None => backend::authentication_sasl(out, &[SCRAM_SHA_256]),
        }
        let server = ScramServer::new(verifier, claim.binding);
        Self { user: claim.user.into(), state: State::AwaitFirst(server) }
    }

    /// Takes the body of the client's next `p` message and appends the answer to `out`.
    ///
    /// `random` must be new for each exchange; it is used for the first message only.
    ///
    /// # Errors
    /// A [`Fault`] to be sent as FATAL: 28P01 where the secret is not the user's, 08P01 for a message that
    /// does not belong here.
    pub fn on_password_message(
        self,
        body: &[u8],
        random: &[u8; NONCE_BYTES],
        out: &mut Vec<u8>,
    ) -> Result<ClientProgress, Fault> {
        let Self { user, state } = self;
        match state {
            State::AwaitFirst(server) => {
                let message = SaslInitialResponse::parse(body).map_err(malformed)?;
                let data = message.data.ok_or_else(|| malformed("SASLInitialResponse without data"))?;
                let (next, challenge) = server.first(message.mechanism, data, random).map_err(|e| fault(&user, e))?;
                backend::authentication_sasl_continue(out, &challenge);
                Ok(ClientProgress::More(Self { user, state: State::AwaitProof(next) }))
            }
            State::AwaitProof(server) => {
                let outcome = server.finish(body).map_err(|e| fault(&user, e))?;
                backend::authentication_sasl_final(out, &outcome);
                backend::authentication_ok(out);
                Ok(ClientProgress::Authenticated)
            }
        }
    }
}

/// The one answer to a wrong password and an unknown user, in the server's words (SQLSTATE 28P01).
#[must_use]
pub fn login_failed(user: &[u8]) -> Fault {
    let user = String::from_utf8_lossy(user);
    let message = format!("password authentication failed for user \"{user}\"");
    Fault::new(Culprit::Client, b"28P01", "login_failed", message)
}

fn fault(user: &[u8], error: ScramError) -> Fault {
    match error {
        ScramError::WrongProof => login_failed(user),
        ScramError::BindingMismatch => {
            Fault::new(Culprit::Client, b"28000", "channel_binding_mismatch", error.to_string())
        }
        ScramError::Downgrade => Fault::client("channel_binding_downgrade", error.to_string()),
        ScramError::Unsupported { .. } => {
            Fault::new(Culprit::Client, b"0A000", "unsupported_authentication", error.to_string())
        }
        ScramError::Malformed { .. } | ScramError::Refused | ScramError::TooManyIterations => {
            Fault::client("malformed_authentication", error.to_string())
        }
    }
}

fn malformed(what: impl core::fmt::Display) -> Fault {
    Fault::client("malformed_authentication", what.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AuthRequest;
    use crate::scram::client::{ClientBinding, ScramClient};
    use crate::secret::Secret;

    fn claim<'a>(verifier: Option<&'a Verifier>, binding: Option<&'a [u8]>) -> Claim<'a> {
        Claim { user: b"ana", verifier, binding }
    }

    /// Bodies of the messages in `out`, which are taken out.
    fn bodies(out: &mut Vec<u8>) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        let mut rest = core::mem::take(out);
        while !rest.is_empty() {
            assert_eq!(rest[0], b'R');
            let length = usize::try_from(u32::from_be_bytes(rest[1..5].try_into().unwrap())).unwrap();
            let tail = rest.split_off(length + 1);
            bodies.push(rest.split_off(5));
            rest = tail;
        }
        bodies
    }

    fn log_in(verifier: Option<&Verifier>, password: &[u8], binding: Option<&[u8]>) -> Result<(), Fault> {
        let mut out = Vec::new();
        let mock = MockSecret::new([1; 32]);
        let auth = ClientAuth::start(&claim(verifier, binding), &mock, 1, &mut out);
        let offer = bodies(&mut out);
        let Ok(AuthRequest::Sasl(offer)) = AuthRequest::parse(&offer[0]) else { panic!() };
        let plus = offer.contains(SCRAM_SHA_256_PLUS);
        let client_binding =
            binding.filter(|_| plus).map_or(ClientBinding::None, |hash| ClientBinding::EndPoint(hash.into()));
        let (client, first) = ScramClient::new(Secret::new(password), &client_binding, &[5; NONCE_BYTES], None);
        let mechanism = if plus { SCRAM_SHA_256_PLUS } else { SCRAM_SHA_256 };
        let mut message = Vec::new();
        crate::frontend::sasl_initial_response(&mut message, mechanism, &first);
        let ClientProgress::More(auth) = auth.on_password_message(&message[5..], &[6; NONCE_BYTES], &mut out)? else {
            panic!()
        };
        let challenge = bodies(&mut out);
        let (client, last) = client.respond(&challenge[0][4..]).unwrap();
        let ClientProgress::Authenticated = auth.on_password_message(&last, &[6; NONCE_BYTES], &mut out)? else {
            panic!()
        };
        let end = bodies(&mut out);
        assert!(client.finish(&end[0][4..]).is_ok());
        assert_eq!(AuthRequest::parse(&end[1]), Ok(AuthRequest::Ok));
        Ok(())
    }

    #[test]
    fn the_right_password_logs_in_with_and_without_binding() {
        let verifier = Verifier::from_password(b"pw", b"salt", 1);
        assert_eq!(log_in(Some(&verifier), b"pw", None), Ok(()));
        assert_eq!(log_in(Some(&verifier), b"pw", Some(b"hash")), Ok(()));
    }

    #[test]
    fn an_unknown_user_and_a_wrong_password_get_one_answer() {
        let verifier = Verifier::from_password(b"pw", b"salt", 1);
        let wrong = log_in(Some(&verifier), b"no", None).unwrap_err();
        assert_eq!(wrong, log_in(None, b"pw", None).unwrap_err());
        assert_eq!((&wrong.sqlstate, wrong.reason), (b"28P01", "login_failed"));
        assert_eq!(&*wrong.message, "password authentication failed for user \"ana\"");
    }

    #[test]
    fn every_truncation_of_a_first_message_is_a_fault() {
        let mut message = Vec::new();
        crate::frontend::sasl_initial_response(&mut message, SCRAM_SHA_256, b"n,,n=,r=abc");
        let body = &message[5..];
        for end in 0..body.len() {
            let mut out = Vec::new();
            let auth = ClientAuth::start(&claim(None, None), &MockSecret::new([1; 32]), 1, &mut out);
            let fault = auth.on_password_message(&body[..end], &[0; NONCE_BYTES], &mut out).unwrap_err();
            assert_eq!(fault.culprit, Culprit::Client, "{end}");
        }
    }
}
