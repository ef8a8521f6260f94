//! `auth = "gateway"`: Wiregate checks the client, and logs in to the server with credentials of its own.
//!
//! The same users as for PostgreSQL: a SCRAM verifier cannot check the hashes that MySQL's clients send, but it
//! can check a password. So the first login of a user goes the full way of `caching_sha2_password` (inside
//! TLS, or under the gateway's RSA key), and what that leaves in memory makes the next ones fast. Where the
//! configuration names the password itself (`env`, `file`), the fast way works at once, and
//! `mysql_native_password` too.

use mysql::auth::client::ClientAuth;
use mysql::auth::gatekeeper::{Gatekeeper, settle};
use mysql::auth::upstream::{Channel, UpstreamAuth, UpstreamProgress, told};
use mysql::reply::ErrPacket;
use mysql::response::HandshakeResponse;
use policy::config::Auth;
use wire::fault::{Culprit, Fault};
use wire::secret::Secret;

use super::super::port::Port;
use super::super::{Setup, SetupError, client_gone, internal, server_gone};
use super::gatekeeper::Keeper;
use super::packets::next;
use super::{Answered, leave};
use crate::rsa;

impl Setup {
    /// Checks the client, then logs in to the server. Returns the server's side, the payload of its OK, which
    /// the client has not been sent yet, and the name of the method.
    pub(super) async fn mysql_login_by_gateway(
        &mut self,
        client: &mut Port,
        mut answered: Answered,
    ) -> Result<(Port, Vec<u8>, &'static str), SetupError> {
        if let Err(error) = self.check_mysql_client(client, &answered).await {
            if answered.server.tls().is_none() {
                leave(&mut answered.server, &answered.greeting).await;
            }
            return Err(error);
        }
        let (server, ok) = self.log_in_to_mysql(answered).await?;
        Ok((server, ok, "gateway"))
    }

    async fn check_mysql_client(&mut self, client: &mut Port, answered: &Answered) -> Result<(), SetupError> {
        let user = &*answered.response.user;
        let keeper = Keeper::new(&self.shard, self.listener, answered.challenge);
        let mut out = Vec::new();
        let mut progress = ClientAuth::start(
            user,
            keeper.claim(user, client.tls().is_some()),
            &answered.response.plugin,
            &answered.response.auth,
            &answered.challenge,
            &mut self.next_sequence,
            &mut out,
        );
        loop {
            if !out.is_empty() {
                client.send(&out).await.map_err(client_gone)?;
                out.clear();
            }
            let settled = progress.and_then(|progress| settle(progress, user, &keeper));
            let Some(login) = settled.map_err(failed)? else { return Ok(()) };
            let answer = next(client, Culprit::Client).await?;
            self.next_sequence = answer.seq.wrapping_add(1);
            progress = login.on_message(&answer.payload, &mut self.next_sequence, &mut out);
        }
    }

    async fn log_in_to_mysql(&mut self, answered: Answered) -> Result<(Port, Vec<u8>), SetupError> {
        let Answered { greeting, mut server, server_secure, mut server_seq, response, server_capabilities, .. } =
            answered;
        let Auth::Gateway { upstream_user, .. } = &self.config()?.auth else {
            return Err(internal("the listener does not log in by itself").into());
        };
        let password = self.shard.shared.upstream_password(&self.config()?.name).unwrap_or_default();
        let channel = match (server.tls().is_some(), server_secure) {
            (true, _) => Channel::Tls,
            (false, true) => Channel::Local,
            (false, false) => Channel::Plain,
        };
        let (login, plugin, auth) =
            UpstreamAuth::new(Secret::new(password.into_bytes()), channel, &greeting.plugin, &greeting.scramble);
        let own = HandshakeResponse {
            capabilities: server_capabilities,
            max_packet: response.max_packet,
            collation: response.collation,
            user: upstream_user.as_bytes().into(),
            auth: auth.into(),
            database: response.database.clone(),
            plugin: plugin.into(),
            attributes: response.attributes.clone(),
        };
        let mut out = Vec::new();
        own.write(&mut out, &mut server_seq);
        server.send(&out).await.map_err(|error| server_gone(&error))?;
        let mut login = login;
        loop {
            let said = next(&mut server, Culprit::Server).await?;
            out.clear();
            let progress =
                login.on_reply(&said.payload, said.seq, &mut out).map_err(|fault| refused(fault, &said.payload))?;
            login = match progress {
                UpstreamProgress::Done => return Ok((server, said.payload.to_vec())),
                UpstreamProgress::Encrypt(encrypt) => {
                    let cipher = rsa::encrypt(&encrypt.key, encrypt.password.expose()).ok_or_else(|| {
                        Fault::server("upstream_key", "the database server sent no usable RSA key for the login")
                    })?;
                    encrypt.encrypted(&cipher, &mut out)
                }
                UpstreamProgress::More(login) => login,
            };
            if !out.is_empty() {
                server.send(&out).await.map_err(|error| server_gone(&error))?;
            }
        }
    }
}

/// What a client did wrong while it logged in is a failed login; the rest is a refusal.
fn failed(fault: Fault) -> SetupError {
    if fault.culprit == Culprit::Client { SetupError::LoginFailed(fault) } else { SetupError::Refused(fault) }
}

/// The server turned our own login away. The client hears what concerns it; the rest is for the log.
fn refused(fault: Fault, payload: &[u8]) -> SetupError {
    match ErrPacket::parse(payload).ok().filter(|_| payload.first() == Some(&mysql::constant::header::ERR)) {
        Some(said) => {
            let text = String::from_utf8_lossy(said.message);
            tracing::error!(code = said.code, message = %text, "a server refused our login");
        }
        None => tracing::error!(reason = fault.reason, message = %fault.message, "logging in to a server failed"),
    }
    told(fault, payload).into()
}
