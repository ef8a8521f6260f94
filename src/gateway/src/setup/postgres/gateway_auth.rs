//! `auth = "gateway"`: Wiregate checks the client, and logs in to the server with credentials of its own.
//!
//! The client is checked first, so that nobody opens a connection to the server who cannot log in here. A
//! user that does not exist takes the same way, with a verifier that no password fits. No error or log has
//! the server's secret in it, and the server's own login errors do not reach the client: they would tell
//! about an account that is not the client's.

use policy::config::Auth;
use postgres::auth::client::{Claim, ClientAuth, ClientProgress};
use postgres::auth::upstream::{Channel, UpstreamAuth, UpstreamProgress};
use postgres::scram::NONCE_BYTES;
use postgres::scram::verifier::DEFAULT_ITERATIONS;
use postgres::secret::Secret;
use postgres::session::SessionOptions;
use postgres::startup::{NEWEST_MINOR, StartupMessage, negotiate, server_negotiated};
use wire::fault::{Culprit, Fault};
use wire::limits::AUTH_BYTES;

use super::super::port::Port;
use super::super::{Setting, Setup, SetupError, client_gone, internal, server_gone};
use super::Ready;
use super::passthrough::{broken, broken_kind, key_of, parameter_of};
use super::server::{front, next_from_server, sqlstate_of};
use crate::cancel::CancelKey;
use crate::tls::TlsStream;

/// What the server said after it had let us in.
#[derive(Default)]
struct Greeting {
    /// ParameterStatus and notices as they came, for the client.
    forwarded: Vec<u8>,
    parameters: Vec<Setting>,
    key: Option<CancelKey>,
    status: u8,
}

impl Setup {
    /// Checks the client, logs in to the server, and tells the client what the server said.
    pub(super) async fn open_as_gateway(
        &mut self,
        client: &mut Port,
        message: &StartupMessage,
    ) -> Result<Ready, SetupError> {
        let negotiated = negotiate(message, NEWEST_MINOR);
        if let Some(answer) = &negotiated.answer {
            client.send(answer).await.map_err(client_gone)?;
        }
        let mut greeting = self.check_client(client, message).await?;
        let (mut server, address) = self.connect_server().await?;
        self.encrypt_server(&mut server).await?;
        let local = address.is_unix();
        let said = self.log_in(&mut server, message, negotiated.minor, local).await?;
        greeting.extend_from_slice(&said.forwarded);
        if let Some(key) = &said.key {
            postgres::backend::backend_key_data(&mut greeting, key.process, &key.secret);
        }
        let transaction = said.status.try_into().map_err(|_| broken("ReadyForQuery with an unknown status"))?;
        postgres::backend::ready_for_query(&mut greeting, transaction);
        client.send(&greeting).await.map_err(client_gone)?;
        Ok(Ready {
            server,
            options: SessionOptions {
                protocol: (3, negotiated.minor),
                replication: message.replication()? != postgres::startup::Replication::None,
                transaction,
            },
            cancel: said.key.map(|key| (key, address)),
            parameters: said.parameters,
            auth: "gateway",
        })
    }

    /// SCRAM with the client. Returns AuthenticationOk, held back until the server has let us in.
    async fn check_client(&mut self, client: &mut Port, message: &StartupMessage) -> Result<Vec<u8>, SetupError> {
        let shared = &self.shard.shared;
        let verifier = std::str::from_utf8(message.user()).ok().and_then(|user| shared.verifier(user));
        let binding = client.tls().and_then(TlsStream::channel_binding);
        let claim = Claim { user: message.user(), verifier: verifier.as_ref(), binding: binding.as_deref() };
        let mut out = Vec::new();
        let mut login = ClientAuth::start(&claim, &self.shared()?.mock_secret, DEFAULT_ITERATIONS, &mut out);
        loop {
            client.send(&out).await.map_err(client_gone)?;
            out.clear();
            let body = answer_of(client).await?;
            match login.on_password_message(&body, &nonce()?, &mut out) {
                Ok(ClientProgress::More(next)) => login = next,
                Ok(ClientProgress::Authenticated) => return Ok(out),
                Err(fault) if fault.culprit == Culprit::Client => return Err(SetupError::LoginFailed(fault)),
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// Logs in with the listener's credentials and reads on to ReadyForQuery.
    async fn log_in(
        &self,
        server: &mut Port,
        message: &StartupMessage,
        minor: u16,
        local: bool,
    ) -> Result<Greeting, SetupError> {
        let Auth::Gateway { upstream_user, .. } = &self.config()?.auth else {
            return Err(internal("the listener does not log in by itself").into());
        };
        let own = [(&b"user"[..], upstream_user.as_bytes()), (&b"database"[..], message.database())];
        let others = message
            .parameters()
            .filter(|(name, _)| !matches!(*name, b"user" | b"database") && !name.starts_with(b"_pq_."));
        let mut startup = Vec::new();
        postgres::frontend::startup_message(&mut startup, minor, own.into_iter().chain(others));
        server.send(&startup).await.map_err(|error| server_gone(&error))?;
        let password = self.shard.shared.upstream_password(&self.config()?.name).unwrap_or_default();
        let channel = match server.tls() {
            Some(tls) => Channel::Tls { binding: tls.channel_binding() },
            None if local => Channel::Local,
            None => Channel::Plain,
        };
        let cached = self.shard.scram_keys.borrow().get(&self.listener).cloned();
        let login = UpstreamAuth::new(upstream_user.as_bytes(), Secret::new(password.into_bytes()), channel, cached);
        self.authenticate(server, login, minor).await?;
        self.greeting(server).await
    }

    async fn authenticate(&self, server: &mut Port, mut login: UpstreamAuth, minor: u16) -> Result<(), SetupError> {
        loop {
            let front = next_from_server(server).await?;
            let body = server.buffered().get(5..front.total).unwrap_or_default().to_vec();
            server.consume(front.total);
            match front.kind {
                b'R' => {
                    let mut out = Vec::new();
                    let progress = login.on_request(&body, &nonce()?, &mut out).inspect_err(|fault| {
                        tracing::error!(reason = fault.reason, message = %fault.message, "logging in to a server failed");
                    })?;
                    if !out.is_empty() {
                        server.send(&out).await.map_err(|error| server_gone(&error))?;
                    }
                    match progress {
                        UpstreamProgress::More(next) => login = next,
                        UpstreamProgress::Done(keys) => {
                            if let Some(keys) = keys {
                                self.shard.scram_keys.borrow_mut().insert(self.listener, keys);
                            }
                            return Ok(());
                        }
                    }
                }
                b'v' => {
                    server_negotiated(&body, minor)?;
                }
                b'N' => {}
                b'E' => return Err(self.upstream_refused(&body)),
                kind => return Err(broken_kind(kind).into()),
            }
        }
    }

    async fn greeting(&self, server: &mut Port) -> Result<Greeting, SetupError> {
        let mut greeting = Greeting::default();
        loop {
            let front = next_from_server(server).await?;
            let frame = server.buffered().get(..front.total).unwrap_or_default().to_vec();
            let body = frame.get(5..).unwrap_or_default();
            server.consume(front.total);
            match front.kind {
                b'S' => {
                    greeting.parameters.extend(parameter_of(body));
                    greeting.forwarded.extend_from_slice(&frame);
                }
                b'N' => greeting.forwarded.extend_from_slice(&frame),
                b'K' => greeting.key = Some(key_of(body, self.listener)?),
                b'Z' => {
                    greeting.status = body.first().copied().unwrap_or_default();
                    return Ok(greeting);
                }
                b'E' => return Err(self.upstream_refused(body)),
                kind => return Err(broken_kind(kind).into()),
            }
        }
    }

    /// The server turned our own login away. The client hears what concerns it (too many connections, no
    /// such database, starting up); what concerns our credentials is for the log.
    fn upstream_refused(&self, body: &[u8]) -> SetupError {
        let sqlstate = sqlstate_of(body);
        let said = body
            .split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(b"M"))
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default();
        tracing::error!(sqlstate = %String::from_utf8_lossy(&sqlstate), message = %said, "a server refused our login");
        let concerns_client = matches!(&sqlstate[..2], b"53" | b"57" | b"3D" | b"22" | b"42");
        let (sqlstate, text) = if concerns_client {
            (sqlstate, said)
        } else {
            (*b"08001", "the gateway could not log in to the database server; its operator finds why in the log".into())
        };
        SetupError::Refused(Fault::new(Culprit::Server, &sqlstate, "upstream_login", text))
    }
}

/// The body of the client's next answer.
async fn answer_of(client: &mut Port) -> Result<Vec<u8>, SetupError> {
    loop {
        let found = front(client.buffered(), AUTH_BYTES + 4).map_err(|text| Fault::client("auth_length", text))?;
        let Some(front) = found else {
            client.fill().await.map_err(client_gone)?;
            continue;
        };
        if front.kind != b'p' {
            return Err(Fault::client("auth_message", "expected a SASL response").into());
        }
        let body = client.buffered().get(5..front.total).unwrap_or_default().to_vec();
        client.consume(front.total);
        return Ok(body);
    }
}

fn nonce() -> Result<[u8; NONCE_BYTES], Fault> {
    let mut nonce = [0; NONCE_BYTES];
    crate::random::fill(&mut nonce).map_err(|_| internal("no randomness for an authentication"))?;
    Ok(nonce)
}
