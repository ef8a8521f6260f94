//! The set-up of a PostgreSQL session.
//!
//! ```text
//! accepted -> first packets (SSLRequest, GSSENCRequest, direct TLS) -> StartupMessage -> limits, rules
//!     |                                                                    |
//!     +-> CancelRequest -> passed on, closed          passthrough: server connected, exchange relayed
//!                                                     gateway: client checked, server logged in to
//!                                                                          |
//!                                                              ReadyForQuery -> relay
//! ```
//!
//! The page of the manual: "Message Flow: Start-up".

mod cancel;
mod client;
mod gateway_auth;
mod passthrough;
mod server;

use policy::config::Auth;
use postgres::session::{Session, SessionOptions};
use postgres::startup::{Replication, StartupMessage};
use wire::fault::{Culprit, Fault};

use super::port::Port;
use super::{Opened, Setting, Setup, SetupError};
use crate::cancel::CancelKey;
use crate::protocol::ProtocolSession;

/// A server that has said ReadyForQuery, and what it said before.
struct Ready {
    server: Port,
    options: SessionOptions,
    cancel: Option<(CancelKey, socket2::SockAddr)>,
    parameters: Vec<Setting>,
    auth: &'static str,
}

impl Setup {
    /// From the first byte to the server's first ReadyForQuery. `None`: the client wanted a statement of
    /// another connection cancelled, and that has been seen to.
    pub(super) async fn open_postgres(&mut self, client: &mut Port) -> Result<Option<Opened>, SetupError> {
        let message = match self.first_packets(client).await? {
            client::First::Startup(message) => message,
            client::First::Cancel { process, secret } => {
                self.pass_cancel_on(process, secret).await;
                return Ok(None);
            }
        };
        let application = message.application_name().unwrap_or_default();
        self.facts.learn(&self.policy, message.user(), message.database(), application);
        self.admit(&message)?;
        let place = self.place()?;
        let ready = match &self.config()?.auth {
            Auth::Passthrough => self.open_passthrough(client, &message).await?,
            Auth::Gateway { .. } => self.open_as_gateway(client, &message).await?,
        };
        let Ready { server, options, cancel, parameters, auth } = ready;
        let mut session = Session::new(options);
        for (name, value) in &parameters {
            session.note_parameter(name, value);
        }
        Ok(Some(Opened { server, session: ProtocolSession::Postgres(session), cancel, parameters, auth, place }))
    }

    /// What can be refused before the server is troubled.
    fn admit(&self, message: &StartupMessage) -> Result<(), Fault> {
        if self.shard.stopping.get() {
            return Err(Fault::new(Culprit::Gateway, b"57P03", "stopping", "Wiregate is stopping"));
        }
        if message.user().is_empty() {
            let text = "no PostgreSQL user name specified in startup packet";
            return Err(Fault::new(Culprit::Client, b"28000", "no_user", text));
        }
        let replication = message.replication()?;
        if replication != Replication::None {
            let config = self.config()?;
            if !config.allow_replication {
                let text = format!(
                    "replication connections are refused on listener \"{}\"; set allow_replication = true to allow them",
                    config.name
                );
                return Err(Fault::new(Culprit::Client, b"42501", "replication", text));
            }
            if self.facts.rules.has_column_masks() || self.facts.rules.has_detectors() {
                let text = "replication connections are refused to users under masks";
                return Err(Fault::new(Culprit::Client, b"42501", "replication", text));
            }
        }
        Ok(())
    }
}

/// An error before there is a session.
pub(super) fn last_words(fault: &Fault) -> Vec<u8> {
    let mut message = Vec::new();
    postgres::backend::fault_response(&mut message, fault);
    message
}
