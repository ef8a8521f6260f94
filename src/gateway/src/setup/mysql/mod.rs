//! The set-up of a MySQL or MariaDB session.
//!
//! ```text
//! accepted -> server connected -> its greeting, with the capabilities that can be inspected, to the client
//!          -> client's answer (before it TLS, where the client asks) -> limits, rules -> TLS to the server
//!          -> passthrough: the exchange relayed     gateway: client checked, server logged in to
//!          -> OK -> the session's settings read -> OK to the client -> relay
//! ```
//!
//! The server speaks first, and what it says (version, challenge, connection id) is its own: so the server is
//! connected before the client has said a word, in both modes. The connection id in particular is the server's,
//! so that KILL means the same with a gateway and without one. A client that goes away before it answered would
//! count as a broken handshake at the server, which blocks a host after a hundred of them
//! (`max_connect_errors`): [`leave`] ends such a connection with a login that fails, which does not count.
//!
//! The page of the manual: "Connection Phase".

mod gatekeeper;
mod gateway_auth;
mod packets;
mod passthrough;
pub(crate) mod settings;

use std::rc::Rc;

use mysql::capability::Capabilities;
use mysql::greeting::Greeting;
use mysql::reply::OkPacket;
use mysql::response::{FirstPacket, HandshakeResponse, Progress, ResponseParser};
use mysql::session::{Session, SessionOptions};
use policy::config::Auth;
use wire::fault::{Culprit, Fault};

use self::gatekeeper::Keeper;
use self::packets::{next, reply};
use super::port::Port;
use super::{Opened, Setup, SetupError, client_gone, server_gone};
use crate::cancel::CancelKey;
use crate::protocol::ProtocolSession;

/// What the client answered, and the server's side that waits for it.
struct Answered {
    greeting: Greeting,
    server: Port,
    /// Whether the server leg is encrypted, or a socket of this machine.
    server_secure: bool,
    /// Next sequence id toward the server.
    server_seq: u8,
    response: HandshakeResponse,
    /// What was agreed with the client.
    client_capabilities: Capabilities,
    /// What is asked of the server.
    server_capabilities: Capabilities,
    /// The challenge that the client was shown.
    challenge: [u8; mysql::greeting::SCRAMBLE_BYTES],
}

impl Setup {
    /// From the first byte to the server's OK.
    pub(super) async fn open_mysql(&mut self, client: &mut Port) -> Result<Option<Opened>, SetupError> {
        if self.shard.stopping.get() {
            return Err(Fault::new(Culprit::Gateway, b"57P03", "stopping", "Wiregate is stopping").into());
        }
        let place = self.place()?;
        let (mut server, address) = self.connect_server().await?;
        let first = next(&mut server, Culprit::Server).await?;
        let greeting = Greeting::parse(&first.payload)?;
        let answered = match self.greet(client, &greeting).await {
            Ok((response, challenge, shown)) => {
                self.encrypt_mysql(server, greeting, response, challenge, shown, address.is_unix()).await?
            }
            Err(error) => {
                leave(&mut server, &greeting).await;
                return Err(error);
            }
        };
        let (client_capabilities, server_capabilities) = (answered.client_capabilities, answered.server_capabilities);
        let (server_secure, challenge) = (answered.server_secure, answered.challenge);
        let version = answered.greeting.server_version.clone();
        let connection_id = answered.greeting.connection_id;
        let (mut server, ok, auth) = match self.config()?.auth {
            Auth::Passthrough => self.relay_mysql_login(client, answered).await?,
            Auth::Gateway { .. } => self.mysql_login_by_gateway(client, answered).await?,
        };
        let tracked = server_capabilities.has(Capabilities::SESSION_TRACK);
        let parsed = OkPacket::parse(&ok, tracked).map_err(|error| packets::broken(error.what))?;
        // The version first: it says how the others are to be taken.
        let mut parameters = vec![(b"version"[..].into(), version)];
        parameters.extend(settings::read(&mut server, server_capabilities).await?);
        let mut out = Vec::new();
        reply(&mut out, &mut self.next_sequence, |out| {
            if client_capabilities.has(Capabilities::SESSION_TRACK) {
                out.extend_from_slice(&ok);
            } else {
                parsed.push_untracked(out);
            }
        });
        client.send(&out).await.map_err(client_gone)?;
        let mut session = Session::new(SessionOptions {
            client: client_capabilities,
            server: server_capabilities,
            status: parsed.status,
            replication: self.config()?.allow_replication,
            client_secure: client.tls().is_some(),
            server_secure,
        });
        if matches!(self.config()?.auth, Auth::Gateway { .. }) {
            session = session.checked_by(Rc::new(Keeper::new(&self.shard, self.listener, challenge)));
        }
        let session = ProtocolSession::MySql(session);
        // Who may kill it, where the server takes all for one user's: whoever is the same user here.
        let key = CancelKey { listener: self.listener, process: connection_id, secret: self.facts.user.clone() };
        Ok(Some(Opened { server, session, cancel: Some((key, address)), parameters, auth, place }))
    }

    /// Greets the client and reads its answer, through TLS where it asks for that. Returns the answer, the
    /// challenge that it was shown, and the capabilities.
    async fn greet(
        &mut self,
        client: &mut Port,
        greeting: &Greeting,
    ) -> Result<(HandshakeResponse, [u8; mysql::greeting::SCRAMBLE_BYTES], Capabilities), SetupError> {
        let mut shown = greeting.for_client(self.shared()?.tls.is_some());
        if matches!(self.config()?.auth, Auth::Gateway { .. }) {
            shown.scramble =
                gatekeeper::challenge().ok_or_else(|| super::internal("no randomness for an authentication"))?;
            shown.plugin = mysql::auth::CACHING_SHA2.into();
        }
        let mut out = Vec::new();
        shown.write(&mut out);
        self.next_sequence = 1;
        client.send(&out).await.map_err(client_gone)?;
        let mut parser = ResponseParser::new(shown.capabilities);
        loop {
            match parser.parse(client.buffered())? {
                Progress::Incomplete => client.fill().await.map_err(client_gone)?,
                Progress::Packet { consumed, seq, packet: FirstPacket::Ssl } => {
                    self.next_sequence = seq.wrapping_add(1);
                    // What is behind it is the beginning of the TLS handshake: the client waits for no answer.
                    client.consume(consumed);
                    let tls = self.shared()?.tls.as_ref().ok_or_else(|| super::internal("TLS was not offered"))?;
                    let stream = tls.accept().map_err(|error| super::tls_setup(&error))?;
                    client.start_tls(stream).await.map_err(client_gone)?;
                    parser.tls_established();
                }
                Progress::Packet { consumed, seq, packet: FirstPacket::Response(response) } => {
                    self.next_sequence = seq.wrapping_add(1);
                    client.consume(consumed);
                    self.require_mysql_tls(client)?;
                    let database = response.database.clone().unwrap_or_default();
                    let application = response.attribute("program_name").unwrap_or_default();
                    self.facts.learn(&self.policy, &response.user, &database, application);
                    return Ok((response, shown.scramble, shown.capabilities));
                }
            }
        }
    }

    fn require_mysql_tls(&self, client: &Port) -> Result<(), Fault> {
        let config = self.config()?;
        if client.tls().is_none() && config.tls.as_ref().is_some_and(|tls| tls.require) {
            let text =
                format!("listener \"{}\" takes encrypted connections only; use --ssl-mode=REQUIRED", config.name);
            return Err(Fault::new(Culprit::Client, b"28000", "tls_required", text));
        }
        Ok(())
    }

    /// Encrypts the server leg as the listener asks, now that it is known what will be asked of the server.
    async fn encrypt_mysql(
        &mut self,
        mut server: Port,
        greeting: Greeting,
        response: HandshakeResponse,
        challenge: [u8; mysql::greeting::SCRAMBLE_BYTES],
        shown: Capabilities,
        local: bool,
    ) -> Result<Answered, SetupError> {
        let (wanted, required) = {
            let tls = &self.shared()?.upstream_tls;
            (tls.is_wanted(), tls.is_required())
        };
        let possible = greeting.capabilities.has(Capabilities::SSL);
        if wanted && required && !possible {
            leave(&mut server, &greeting).await;
            let text = "the database server does not offer TLS, and upstream_tls requires it";
            return Err(SetupError::Refused(Fault::new(Culprit::Server, b"08001", "server_tls", text)));
        }
        let encrypt = wanted && possible;
        let client_capabilities = Capabilities::agree(shown, response.capabilities);
        let server_capabilities = Capabilities::toward_server(client_capabilities, greeting.capabilities, encrypt);
        let mut server_seq = 1;
        if encrypt {
            let mut request = Vec::new();
            mysql::response::write_ssl_request(
                &mut request,
                server_capabilities,
                response.max_packet,
                response.collation,
            );
            server.send(&request).await.map_err(|error| server_gone(&error))?;
            self.start_server_tls(&mut server).await?;
            server_seq = 2;
        }
        Ok(Answered {
            greeting,
            server,
            server_secure: encrypt || local,
            server_seq,
            response,
            client_capabilities,
            server_capabilities,
            challenge,
        })
    }
}

/// Ends a connection to a server that has greeted and will not be logged in to: with a login that fails.
async fn leave(server: &mut Port, greeting: &Greeting) {
    let nobody = HandshakeResponse {
        capabilities: Capabilities::toward_server(Capabilities::REQUIRED, greeting.capabilities, false)
            .without(Capabilities::SSL),
        max_packet: 1 << 24,
        collation: greeting.collation,
        user: Box::default(),
        auth: [0; 20][..].into(),
        database: None,
        plugin: mysql::auth::NATIVE.into(),
        attributes: Box::default(),
    };
    let mut out = Vec::new();
    nobody.write(&mut out, &mut 1);
    // A server that is gone needs no farewell.
    let _ = server.send(&out).await;
}

/// An error before there is a session. `sequence` is the next sequence id.
pub(super) fn last_words(fault: &Fault, mut sequence: u8) -> Vec<u8> {
    let mut message = Vec::new();
    mysql::reply::write_fault(&mut message, &mut sequence, fault);
    message
}
