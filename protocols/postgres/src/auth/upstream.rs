//! The gateway logs in to a server with credentials of its own.
//!
//! ```text
//!  Begin ──cleartext, md5──────────────────────────> AwaitOk ──Ok──> done
//!    ├────Sasl──> AwaitChallenge ──Continue──> AwaitSignature ──Final──┘
//!    └────Ok (the server trusts us)────────────────────────────────────> done
//! ```
//!
//! A cleartext password goes only over TLS or a socket of this machine. AuthenticationOk in the middle of
//! SCRAM ends the connection: a server that skips its signature may not know the password at all. Faults are
//! worded for the client and hold neither our user nor our secret.

use super::{AuthRequest, Mechanisms, md5_response};
use crate::frontend;
use crate::scram::client::{AwaitSignature, ClientBinding, ScramClient, ScramKeys};
use crate::scram::{NONCE_BYTES, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError};
use crate::secret::Secret;
use wire::fault::{Culprit, Fault};

/// How the server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A Unix socket: nobody in between.
    Local,
    /// TCP without TLS.
    Plain,
    /// TLS, with the `tls-server-end-point` hash of the server's certificate where it has one.
    Tls {
        /// The hash.
        binding: Option<Box<[u8]>>,
    },
}

/// A login that is under way.
#[derive(Debug)]
pub struct UpstreamAuth {
    user: Box<[u8]>,
    channel: Channel,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitChallenge(ScramClient),
    AwaitOk(Option<ScramKeys>),
    AwaitSignature(AwaitSignature),
    Begin { password: Secret, cached: Option<ScramKeys> },
}

/// Where a login stands after a message of the server.
#[derive(Debug)]
pub enum UpstreamProgress {
    /// Logged in. The keys spare the next login to this server the PBKDF2 rounds; none where SCRAM was not
    /// used.
    Done(Option<ScramKeys>),
    /// Another authentication message must come.
    More(UpstreamAuth),
}

impl UpstreamAuth {
    /// A login of `user`, whose start-up message has been sent over `channel`.
    ///
    /// `cached` are keys of an earlier login with the same password.
    #[must_use]
    pub fn new(user: &[u8], password: Secret, channel: Channel, cached: Option<ScramKeys>) -> Self {
        Self { user: user.into(), channel, state: State::Begin { password, cached } }
    }

    /// Takes the body of the server's next `R` message and appends our answer, if any, to `out`.
    ///
    /// `random` must be new for each login.
    ///
    /// # Errors
    /// A [`Fault`] (08001) when the server asks for what we do not do, breaks the exchange, or fails to prove
    /// itself.
    pub fn on_request(
        self,
        body: &[u8],
        random: &[u8; NONCE_BYTES],
        out: &mut Vec<u8>,
    ) -> Result<UpstreamProgress, Fault> {
        let request = AuthRequest::parse(body).map_err(|error| broken(&error.to_string()))?;
        let Self { user, channel, state } = self;
        let state = match (state, request) {
            (State::Begin { .. }, AuthRequest::Ok) => return Ok(UpstreamProgress::Done(None)),
            (State::AwaitOk(keys), AuthRequest::Ok) => return Ok(UpstreamProgress::Done(keys)),
            (State::Begin { password, .. }, AuthRequest::CleartextPassword) => {
                if channel == Channel::Plain {
                    return Err(refused(
                        "upstream_cleartext",
                        "the database asks for a cleartext password on a connection without TLS; set upstream_tls, \
                         or scram-sha-256 in the database's pg_hba.conf",
                    ));
                }
                frontend::password_message(out, password.expose());
                State::AwaitOk(None)
            }
            (State::Begin { password, .. }, AuthRequest::Md5Password(salt)) => {
                frontend::password_message(out, md5_response(&user, password.expose(), salt).as_bytes());
                State::AwaitOk(None)
            }
            (State::Begin { password, cached }, AuthRequest::Sasl(offer)) => {
                let (mechanism, binding) = choose(offer, &channel)?;
                let (client, first) = ScramClient::new(password, &binding, random, cached);
                frontend::sasl_initial_response(out, mechanism, &first);
                State::AwaitChallenge(client)
            }
            (State::Begin { .. }, other) => return Err(unsupported(other)),
            (State::AwaitChallenge(client), AuthRequest::SaslContinue(challenge)) => {
                let (next, last) = client.respond(challenge).map_err(scram)?;
                frontend::sasl_response(out, &last);
                State::AwaitSignature(next)
            }
            (State::AwaitSignature(client), AuthRequest::SaslFinal(outcome)) => {
                State::AwaitOk(Some(client.finish(outcome).map_err(scram)?))
            }
            _ => return Err(broken("authentication messages out of order")),
        };
        Ok(UpstreamProgress::More(Self { user, channel, state }))
    }
}

/// The mechanism to use and what to bind to.
fn choose(offer: Mechanisms<'_>, channel: &Channel) -> Result<(&'static [u8], ClientBinding), Fault> {
    let hash = match channel {
        Channel::Tls { binding } => binding.clone(),
        Channel::Local | Channel::Plain => None,
    };
    match (hash, offer.contains(SCRAM_SHA_256_PLUS), offer.contains(SCRAM_SHA_256)) {
        (Some(hash), true, _) => Ok((SCRAM_SHA_256_PLUS, ClientBinding::EndPoint(hash))),
        (Some(_), false, true) => Ok((SCRAM_SHA_256, ClientBinding::NotOffered)),
        (None, _, true) => Ok((SCRAM_SHA_256, ClientBinding::None)),
        (_, _, false) => Err(refused(
            "upstream_authentication_method",
            "the database offers no SASL mechanism that the gateway speaks (SCRAM-SHA-256, SCRAM-SHA-256-PLUS)",
        )),
    }
}

fn unsupported(request: AuthRequest<'_>) -> Fault {
    let method = match request {
        AuthRequest::Gss => "GSSAPI",
        AuthRequest::KerberosV5 => "Kerberos V5",
        AuthRequest::Sspi => "SSPI",
        AuthRequest::Unknown(code) => {
            let message = format!("the database asks for authentication of an unknown kind ({code})");
            return refused("upstream_authentication_method", &message);
        }
        _ => return broken("authentication messages out of order"),
    };
    let message = format!("the database asks for {method} authentication, which the gateway does not do");
    refused("upstream_authentication_method", &message)
}

fn refused(reason: &'static str, message: &str) -> Fault {
    Fault::new(Culprit::Server, b"08001", reason, message)
}

fn broken(what: &str) -> Fault {
    refused("upstream_authentication_broken", &format!("the database broke the login of the gateway: {what}"))
}

fn scram(error: ScramError) -> Fault {
    match error {
        ScramError::WrongProof => refused(
            "upstream_not_genuine",
            "the database could not prove that it knows the password of the gateway's user",
        ),
        ScramError::Refused => refused("upstream_login_failed", "the database refused the login of the gateway"),
        other => broken(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::scram::server::ScramServer;
    use crate::scram::verifier::Verifier;

    const RANDOM: [u8; NONCE_BYTES] = [7; NONCE_BYTES];

    fn tls() -> Channel {
        Channel::Tls { binding: Some((*b"hash").into()) }
    }

    fn begin(channel: Channel) -> UpstreamAuth {
        UpstreamAuth::new(b"app", Secret::new(*b"pw"), channel, None)
    }

    fn ask(auth: UpstreamAuth, write: impl FnOnce(&mut Vec<u8>)) -> Result<(UpstreamProgress, Vec<u8>), Fault> {
        let (mut message, mut out) = (Vec::new(), Vec::new());
        write(&mut message);
        auth.on_request(&message[5..], &RANDOM, &mut out).map(|progress| (progress, out))
    }

    fn more(result: Result<(UpstreamProgress, Vec<u8>), Fault>) -> (UpstreamAuth, Vec<u8>) {
        match result.unwrap() {
            (UpstreamProgress::More(auth), out) => (auth, out),
            (UpstreamProgress::Done(_), _) => panic!("done"),
        }
    }

    /// Logs in by SCRAM to a server that offers `mechanisms`; the mechanism chosen and the gs2 flag.
    fn scram_login(channel: Channel, mechanisms: &[&[u8]], cached: Option<ScramKeys>) -> (Vec<u8>, u8, ScramKeys) {
        let auth = UpstreamAuth::new(b"app", Secret::new(*b"pw"), channel, cached);
        let (auth, out) = more(ask(auth, |m| backend::authentication_sasl(m, mechanisms)));
        let first = crate::auth::SaslInitialResponse::parse(&out[5..]).unwrap();
        let plus = first.mechanism == SCRAM_SHA_256_PLUS;
        let verifier = Verifier::from_password(b"pw", b"salt", 2);
        let server = ScramServer::new(verifier, plus.then_some(b"hash"));
        let (server, challenge) = server.first(first.mechanism, first.data.unwrap(), &[8; NONCE_BYTES]).unwrap();
        let chosen = (first.mechanism.to_vec(), first.data.unwrap()[0]);
        let (auth, out) = more(ask(auth, |m| backend::authentication_sasl_continue(m, &challenge)));
        let outcome = server.finish(&out[5..]).unwrap();
        let (auth, out) = more(ask(auth, |m| backend::authentication_sasl_final(m, &outcome)));
        assert!(out.is_empty());
        let (UpstreamProgress::Done(Some(keys)), _) = ask(auth, backend::authentication_ok).unwrap() else { panic!() };
        (chosen.0, chosen.1, keys)
    }

    #[test]
    fn the_best_mechanism_for_the_channel_is_chosen_and_keys_are_reused() {
        let both: [&[u8]; 2] = [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
        let (mechanism, flag, keys) = scram_login(tls(), &both, None);
        assert_eq!((&mechanism[..], flag), (SCRAM_SHA_256_PLUS, b'p'));
        let (mechanism, flag, _) = scram_login(tls(), &both[1..], Some(keys));
        assert_eq!((&mechanism[..], flag), (SCRAM_SHA_256, b'y'));
        let (mechanism, flag, _) = scram_login(Channel::Tls { binding: None }, &both, None);
        assert_eq!((&mechanism[..], flag), (SCRAM_SHA_256, b'n'));
        assert_eq!(scram_login(Channel::Plain, &both, None).1, b'n');
    }

    #[test]
    fn a_cleartext_password_never_leaves_over_plain_tcp() {
        let fault = ask(begin(Channel::Plain), backend::authentication_cleartext).unwrap_err();
        assert_eq!(fault.reason, "upstream_cleartext");
        for channel in [Channel::Local, tls()] {
            let (auth, out) = more(ask(begin(channel), backend::authentication_cleartext));
            assert_eq!(out, b"p\0\0\0\x07pw\0");
            assert!(matches!(ask(auth, backend::authentication_ok), Ok((UpstreamProgress::Done(None), _))));
        }
    }

    #[test]
    fn md5_is_answered_and_trust_is_taken() {
        let (_, out) = more(ask(begin(Channel::Plain), |m| backend::authentication_md5(m, *b"salt")));
        assert_eq!(&out[5..out.len() - 1], md5_response(b"app", b"pw", *b"salt").as_bytes());
        assert!(matches!(
            ask(begin(Channel::Plain), backend::authentication_ok),
            Ok((UpstreamProgress::Done(None), _))
        ));
    }

    #[test]
    fn a_server_that_skips_its_proof_is_not_trusted() {
        let (auth, _) = more(ask(begin(Channel::Plain), |m| backend::authentication_sasl(m, &[SCRAM_SHA_256])));
        assert_eq!(ask(auth, backend::authentication_ok).unwrap_err().reason, "upstream_authentication_broken");
        let (auth, out) = more(ask(begin(Channel::Plain), |m| backend::authentication_sasl(m, &[SCRAM_SHA_256])));
        let nonce = out.rsplit(|byte| *byte == b'=').next().unwrap();
        let challenge = [b"r=", nonce, b"x,s=AAAA,i=1"].concat();
        let (auth, _) = more(ask(auth, |m| backend::authentication_sasl_continue(m, &challenge)));
        let fake = b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let fault = ask(auth, |m| backend::authentication_sasl_final(m, fake)).unwrap_err();
        assert_eq!(fault.reason, "upstream_not_genuine");
    }

    #[test]
    fn what_is_not_spoken_is_named_and_nothing_secret_is() {
        for (body, word) in [
            (&b"\0\0\0\x07"[..], "GSSAPI"),
            (b"\0\0\0\x09", "SSPI"),
            (b"\0\0\0\x02", "Kerberos"),
            (b"\0\0\0\x2a", "42"),
        ] {
            let fault = begin(tls()).on_request(body, &RANDOM, &mut Vec::new()).unwrap_err();
            assert!(fault.message.contains(word) && !fault.message.contains("pw"), "{fault}");
        }
        let only_plus = ask(begin(Channel::Plain), |m| backend::authentication_sasl(m, &[SCRAM_SHA_256_PLUS]));
        assert_eq!(only_plus.unwrap_err().reason, "upstream_authentication_method");
        assert!(!format!("{:?}", begin(tls())).contains("pw"));
    }
}
