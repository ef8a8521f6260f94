//! `auth = "passthrough"`: the database checks the client, as if Wiregate were not there.
//!
//! The start-up message goes to the server as it came, and every message of the exchange goes to the other
//! side; [`Passthrough`] says what of it has to change because TLS ends here. The session begins at the
//! server's first ReadyForQuery.

use std::future::poll_fn;
use std::task::Poll;

use postgres::auth::passthrough::{Passthrough, Relay};
use postgres::session::SessionOptions;
use postgres::startup::{NEWEST_MINOR, StartupMessage, server_negotiated};
use wire::fault::{Culprit, Fault};
use wire::limits::{AUTH_BYTES, ERROR_BYTES};

use super::super::port::Port;
use super::super::{Setting, Setup, SetupError, client_gone, server_gone};
use super::Ready;
use super::server::{Front, front, sqlstate_of};
use crate::cancel::CancelKey;

/// What has been learned while the exchange went by.
struct Exchange {
    login: Passthrough,
    minor: u16,
    /// Whether the version was lowered on its way, so that the client must hear of it from us.
    capped: bool,
    key: Option<CancelKey>,
    parameters: Vec<Setting>,
    ready: Option<u8>,
}

impl Setup {
    /// Connects to the server and relays the exchange until the server is ready.
    pub(super) async fn open_passthrough(
        &mut self,
        client: &mut Port,
        message: &StartupMessage,
    ) -> Result<Ready, SetupError> {
        let (mut server, address) = self.connect_server().await?;
        self.encrypt_server(&mut server).await?;
        // A version that we do not know is not asked for: what is not understood does not pass.
        let minor = message.minor().min(NEWEST_MINOR);
        let mut startup = Vec::new();
        postgres::frontend::startup_message(&mut startup, minor, message.parameters());
        server.send(&startup).await.map_err(|error| server_gone(&error))?;
        let mut exchange = Exchange {
            login: Passthrough::new(),
            minor,
            capped: message.minor() > NEWEST_MINOR,
            key: None,
            parameters: Vec::new(),
            ready: None,
        };
        let status = loop {
            self.relay_server(client, &mut server, &mut exchange).await?;
            if let Some(status) = exchange.ready {
                break status;
            }
            relay_client(client, &mut server, &mut exchange).await?;
            wait_for_either(client, &server, exchange.login.is_done()).await;
            fill_readable(client, &mut server, exchange.login.is_done()).await?;
        };
        Ok(Ready {
            server,
            options: SessionOptions {
                protocol: (3, exchange.minor),
                replication: message.replication()? != postgres::startup::Replication::None,
                transaction: status.try_into().map_err(|_| broken("ReadyForQuery with an unknown status"))?,
            },
            cancel: exchange.key.map(|key| (key, address)),
            parameters: exchange.parameters,
            auth: exchange.login.method().name(),
        })
    }

    /// Passes on every whole message that the server has sent, up to ReadyForQuery.
    async fn relay_server(
        &self,
        client: &mut Port,
        server: &mut Port,
        exchange: &mut Exchange,
    ) -> Result<(), SetupError> {
        let mut out = Vec::new();
        let mut refused = None;
        while exchange.ready.is_none() && refused.is_none() {
            let Some(front) = front(server.buffered(), ERROR_BYTES).map_err(broken)? else { break };
            let frame = server.buffered().get(..front.total).unwrap_or_default();
            refused = self.server_message(front, frame, exchange, &mut out)?;
            server.consume(front.total);
        }
        if !out.is_empty() {
            client.send(&out).await.map_err(client_gone)?;
        }
        match refused {
            Some(sqlstate) => Err(SetupError::ServerRefused { sqlstate, error_code: None }),
            None => Ok(()),
        }
    }

    /// Appends what the client gets of one message. The SQLSTATE of an error that ends the exchange.
    fn server_message(
        &self,
        front: Front,
        frame: &[u8],
        exchange: &mut Exchange,
        out: &mut Vec<u8>,
    ) -> Result<Option<[u8; 5]>, Fault> {
        let body = frame.get(5..).unwrap_or_default();
        match front.kind {
            b'R' => {
                if std::mem::take(&mut exchange.capped) {
                    postgres::backend::negotiate_protocol_version(out, exchange.minor, &[]);
                }
                match exchange.login.on_server(body, out)? {
                    Relay::AsIs => out.extend_from_slice(frame),
                    Relay::Replaced => {}
                }
            }
            b'v' => {
                exchange.minor = server_negotiated(body, exchange.minor)?;
                exchange.capped = false;
                out.extend_from_slice(frame);
            }
            b'E' => {
                out.extend_from_slice(frame);
                return Ok(Some(sqlstate_of(body)));
            }
            b'N' => out.extend_from_slice(frame),
            b'S' if exchange.login.is_done() => {
                exchange.parameters.extend(parameter_of(body));
                out.extend_from_slice(frame);
            }
            b'K' if exchange.login.is_done() => {
                exchange.key = Some(key_of(body, self.listener)?);
                out.extend_from_slice(frame);
            }
            b'Z' if exchange.login.is_done() => {
                exchange.ready = Some(body.first().copied().unwrap_or_default());
                out.extend_from_slice(frame);
            }
            kind => return Err(broken_kind(kind)),
        }
        Ok(None)
    }
}

/// Passes on what the client answers. Until it is authenticated it may send nothing but answers.
async fn relay_client(client: &mut Port, server: &mut Port, exchange: &mut Exchange) -> Result<(), SetupError> {
    while !exchange.login.is_done() {
        let limit = AUTH_BYTES + 4;
        let found = front(client.buffered(), limit).map_err(|text| Fault::client("auth_length", text))?;
        let Some(front) = found else { return Ok(()) };
        if front.kind != b'p' {
            let text = "expected a password message while the client is not authenticated";
            return Err(Fault::client("auth_message", text).into());
        }
        let frame = client.buffered().get(..front.total).unwrap_or_default().to_vec();
        exchange.login.on_client(frame.get(5..).unwrap_or_default())?;
        client.consume(front.total);
        server.send(&frame).await.map_err(|error| server_gone(&error))?;
    }
    Ok(())
}

/// Waits until one of both sides has something to read. What an authenticated client sends ahead waits for
/// the session.
async fn wait_for_either(client: &Port, server: &Port, client_done: bool) {
    poll_fn(|context| {
        let from_server = server.poll_readable(context);
        let from_client = !client_done && client.poll_readable(context);
        if from_server || from_client { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn fill_readable(client: &mut Port, server: &mut Port, client_done: bool) -> Result<(), SetupError> {
    if server.is_readable() {
        server.fill().await.map_err(|error| server_gone(&error))?;
    }
    if !client_done && client.is_readable() {
        client.fill().await.map_err(client_gone)?;
    }
    Ok(())
}

/// Name and value of a ParameterStatus.
pub(super) fn parameter_of(body: &[u8]) -> Option<Setting> {
    let mut fields = body.split(|byte| *byte == 0);
    Some((fields.next()?.into(), fields.next()?.into()))
}

/// The key of a BackendKeyData.
pub(super) fn key_of(body: &[u8], listener: usize) -> Result<CancelKey, Fault> {
    let short = || broken("BackendKeyData of an impossible length");
    let (process, secret) = body.split_first_chunk::<4>().ok_or_else(short)?;
    if !postgres::startup::CANCEL_KEY_BYTES.contains(&secret.len()) {
        return Err(short());
    }
    Ok(CancelKey { listener, process: u32::from_be_bytes(*process), secret: secret.into() })
}

/// The server broke the protocol while a session was set up.
pub(super) fn broken(text: &str) -> Fault {
    Fault::new(Culprit::Server, b"08P01", "server_startup", format!("the database server broke the protocol: {text}"))
}

/// A message that has no place in the start-up phase.
pub(super) fn broken_kind(kind: u8) -> Fault {
    broken(&format!("message '{}' during start-up", char::from(kind).escape_default()))
}
