//! `auth = "passthrough"`: the server checks the client, and the gateway relays what they say to each other.
//!
//! All methods pass but one. Channel binding ties a login to the TLS connection that the client sees, which
//! is ours and not the server's; relayed, it looks like the attack that it exists to stop. So:
//!
//! | client leg | server leg | what happens |
//! |---|---|---|
//! | any | plain | the server offers no PLUS; everything passes |
//! | plain | TLS | PLUS is taken out of the offer (libpq refuses it without TLS); the client sends `n` |
//! | TLS | TLS | PLUS is taken out; a client that does not bind sends `n` and passes; one that could bind sends `y`, which the server would refuse as a downgrade: [`binding_cannot_pass`] |
//!
//! Taking PLUS out is safe because the client's own flag is under its proof: a client that insists on binding
//! (`channel_binding=require`) refuses the shortened offer itself.
//!
//! Source: RFC 5802 section 6; PostgreSQL manual, "SASL Authentication".

use super::{AuthRequest, Mechanisms, SaslInitialResponse};
use crate::backend;
use crate::scram::server::{Gs2Flag, gs2_header};
use crate::scram::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use wire::fault::{Culprit, Fault};

/// How the server had the client prove itself, for the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A cleartext password.
    Cleartext,
    /// GSSAPI or SSPI.
    Gss,
    /// An MD5 challenge.
    Md5,
    /// A SASL mechanism.
    Sasl,
    /// The server asked for nothing.
    Trust,
}

impl Method {
    /// Its name in `pg_hba.conf`, or nearly.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cleartext => "password",
            Self::Gss => "gss",
            Self::Md5 => "md5",
            Self::Sasl => "sasl",
            Self::Trust => "trust",
        }
    }
}

/// What to do with a message of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// Send it on as it came.
    AsIs,
    /// Send what was appended in its place.
    Replaced,
}

/// Follows one login.
#[derive(Clone, Copy, Debug)]
pub struct Passthrough {
    stage: Stage,
    method: Method,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client must answer, in the form that its last answer had.
    AwaitAnswer,
    /// The client must choose a mechanism; whether the server offered PLUS.
    AwaitChoice { plus_offered: bool },
    /// The server has the word.
    AwaitServer,
    /// AuthenticationOk has passed.
    Done,
}

impl Default for Passthrough {
    fn default() -> Self {
        Self::new()
    }
}

impl Passthrough {
    /// A login whose start-up message is on its way to the server.
    #[must_use]
    pub const fn new() -> Self {
        Self { stage: Stage::AwaitServer, method: Method::Trust }
    }

    /// What the server asked for so far.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether AuthenticationOk has passed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Takes the body of an `R` message. Where it must change, the whole new message is appended to `out`.
    ///
    /// # Errors
    /// A [`Fault`] for a malformed message, one of a kind that the manual does not know, one out of order,
    /// and an offer of nothing but PLUS.
    pub fn on_server(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Relay, Fault> {
        let request = AuthRequest::parse(body).map_err(server_fault)?;
        if self.stage == Stage::Done {
            return Err(server_fault("authentication request after AuthenticationOk"));
        }
        let (stage, method) = match request {
            AuthRequest::Ok => (Stage::Done, self.method),
            AuthRequest::CleartextPassword => (Stage::AwaitAnswer, Method::Cleartext),
            AuthRequest::Md5Password(_) => (Stage::AwaitAnswer, Method::Md5),
            AuthRequest::Gss | AuthRequest::Sspi | AuthRequest::GssContinue(_) => (Stage::AwaitAnswer, Method::Gss),
            AuthRequest::SaslContinue(_) => (Stage::AwaitAnswer, Method::Sasl),
            AuthRequest::SaslFinal(_) => (Stage::AwaitServer, Method::Sasl),
            AuthRequest::Sasl(offer) => {
                let plus_offered = offer.contains(SCRAM_SHA_256_PLUS);
                self.method = Method::Sasl;
                self.stage = Stage::AwaitChoice { plus_offered };
                return if plus_offered { without_plus(offer, out) } else { Ok(Relay::AsIs) };
            }
            AuthRequest::KerberosV5 | AuthRequest::Unknown(_) => {
                return Err(server_fault("authentication request of an unknown kind"));
            }
        };
        (self.stage, self.method) = (stage, method);
        Ok(Relay::AsIs)
    }

    /// Takes the body of a client's `p` message; on success it is sent on as it came.
    ///
    /// # Errors
    /// A [`Fault`] when nothing was asked, when the message is malformed, and [`binding_cannot_pass`].
    pub fn on_client(&mut self, body: &[u8]) -> Result<(), Fault> {
        match self.stage {
            Stage::AwaitAnswer => {}
            Stage::AwaitChoice { plus_offered } => {
                let first = SaslInitialResponse::parse(body).map_err(client_fault)?;
                check_choice(&first, plus_offered)?;
            }
            Stage::AwaitServer | Stage::Done => {
                return Err(client_fault("password message that the server did not ask for"));
            }
        }
        self.stage = Stage::AwaitServer;
        Ok(())
    }
}

/// Appends AuthenticationSASL with every mechanism of `offer` but PLUS.
fn without_plus(offer: Mechanisms<'_>, out: &mut Vec<u8>) -> Result<Relay, Fault> {
    let left: Vec<&[u8]> = offer.iter().filter(|name| *name != SCRAM_SHA_256_PLUS).collect();
    if left.is_empty() {
        return Err(binding_cannot_pass());
    }
    backend::authentication_sasl(out, &left);
    Ok(Relay::Replaced)
}

/// Whether the server can accept the client's choice through us.
fn check_choice(first: &SaslInitialResponse<'_>, plus_offered: bool) -> Result<(), Fault> {
    if first.mechanism == SCRAM_SHA_256_PLUS {
        return Err(binding_cannot_pass());
    }
    match first.data {
        Some(data) if first.mechanism == SCRAM_SHA_256 => match gs2_header(data) {
            Ok((Gs2Flag::ServerLacksIt, _)) if plus_offered => Err(binding_cannot_pass()),
            // Whether the rest of the message fits is the server's to say.
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The answer to a client whose login is bound to the TLS connection with us.
#[must_use]
pub fn binding_cannot_pass() -> Fault {
    Fault::new(
        Culprit::Gateway,
        b"28000",
        "channel_binding_passthrough",
        "this login is bound to the TLS connection and cannot pass through the gateway to the database: set auth = \
         \"gateway\" for this listener, or channel_binding=disable in the client, or turn TLS off on one of the two \
         connections",
    )
}

fn server_fault(what: impl core::fmt::Display) -> Fault {
    Fault::server("malformed_authentication", format!("the database broke the login: {what}"))
}

fn client_fault(what: impl core::fmt::Display) -> Fault {
    let what = what.to_string();
    Fault::client("malformed_authentication", what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend;

    fn offer(mechanisms: &[&[u8]]) -> Vec<u8> {
        let mut message = Vec::new();
        backend::authentication_sasl(&mut message, mechanisms);
        message
    }

    /// What becomes of a client that answers `mechanisms` with `mechanism` and `first`.
    fn chooses(mechanisms: &[&[u8]], mechanism: &[u8], first: &[u8]) -> Result<(), Fault> {
        let mut login = Passthrough::new();
        login.on_server(&offer(mechanisms)[5..], &mut Vec::new()).unwrap();
        let mut answer = Vec::new();
        frontend::sasl_initial_response(&mut answer, mechanism, first);
        login.on_client(&answer[5..])
    }

    const BOTH: [&[u8]; 2] = [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];

    #[test]
    fn plus_is_taken_out_of_an_offer_and_nothing_else() {
        let relayed = |mechanisms: &[&[u8]]| {
            let mut out = Vec::new();
            let relay = Passthrough::new().on_server(&offer(mechanisms)[5..], &mut out);
            relay.map(|relay| (relay, out))
        };
        assert_eq!(relayed(&BOTH), Ok((Relay::Replaced, offer(&[SCRAM_SHA_256]))));
        let three: [&[u8]; 3] = [b"OAUTHBEARER", SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
        assert_eq!(relayed(&three), Ok((Relay::Replaced, offer(&[b"OAUTHBEARER", SCRAM_SHA_256]))));
        assert_eq!(relayed(&BOTH[1..]), Ok((Relay::AsIs, Vec::new())));
        assert_eq!(relayed(&BOTH[..1]), Err(binding_cannot_pass()));
    }

    #[test]
    fn a_client_that_could_bind_is_told_what_to_configure_where_the_server_would_refuse_it() {
        assert_eq!(chooses(&BOTH, SCRAM_SHA_256, b"n,,n=,r=x"), Ok(()));
        assert_eq!(chooses(&BOTH[1..], SCRAM_SHA_256, b"y,,n=,r=x"), Ok(()), "the server has no TLS");
        assert_eq!(chooses(&BOTH, SCRAM_SHA_256, b"y,,n=,r=x"), Err(binding_cannot_pass()));
        assert_eq!(chooses(&BOTH, SCRAM_SHA_256_PLUS, b"p=tls-server-end-point,,"), Err(binding_cannot_pass()));
        let message = binding_cannot_pass().message;
        for word in ["auth = \"gateway\"", "channel_binding=disable", "TLS off"] {
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_whole_login_is_followed_to_its_end() {
        let mut login = Passthrough::new();
        let mut out = Vec::new();
        assert!(login.on_client(b"pw\0").is_err(), "nothing was asked");
        assert_eq!(login.on_server(b"\0\0\0\x05salt", &mut out), Ok(Relay::AsIs));
        assert_eq!(login.on_client(b"md5\0"), Ok(()));
        assert!(login.on_client(b"md5\0").is_err(), "one answer to one question");
        assert_eq!(login.on_server(b"\0\0\0\0", &mut out), Ok(Relay::AsIs));
        assert!(login.is_done() && login.method() == Method::Md5 && out.is_empty());
        assert_eq!(login.on_server(b"\0\0\0\0", &mut out).unwrap_err().culprit, Culprit::Server);
    }

    #[test]
    fn truncated_and_unknown_messages_are_faults() {
        let message = offer(&BOTH);
        for end in 5..message.len() {
            let fault = Passthrough::new().on_server(&message[5..end], &mut Vec::new()).unwrap_err();
            assert_eq!(fault.culprit, Culprit::Server);
        }
        assert!(Passthrough::new().on_server(b"\0\0\0\x63", &mut Vec::new()).is_err());
        let mut answer = Vec::new();
        frontend::sasl_initial_response(&mut answer, SCRAM_SHA_256, b"n,,n=,r=x");
        for end in 5..answer.len() {
            let mut login = Passthrough::new();
            login.on_server(&message[5..], &mut Vec::new()).unwrap();
            assert_eq!(login.on_client(&answer[5..end]).unwrap_err().culprit, Culprit::Client);
        }
    }
}
