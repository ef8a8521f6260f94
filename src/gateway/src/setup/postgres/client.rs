//! The client's first packets, up to the one that says what it wants.
//!
//! Encryption is settled here. Bytes that a client sends ahead of the handshake end the connection: nobody
//! can tell who put them there.

use postgres::startup::{FirstPacket, Progress, StartupMessage, StartupParser};
use wire::fault::{Culprit, Fault};

use super::super::port::Port;
use super::super::{Setup, SetupError, client_gone, tls_setup};
use crate::tls::ServerTls;

/// What a client wants.
pub(super) enum First {
    /// To cancel the statement of another connection.
    Cancel {
        /// Process id as BackendKeyData gave it.
        process: u32,
        /// The secret that came with it.
        secret: Box<[u8]>,
    },
    /// A session.
    Startup(StartupMessage),
}

impl Setup {
    /// Reads packets and answers encryption requests until the client says what it wants.
    pub(super) async fn first_packets(&mut self, port: &mut Port) -> Result<First, SetupError> {
        let mut parser = StartupParser::new();
        loop {
            let progress = parser.parse(port.buffered())?;
            let Progress::Packet { consumed, packet } = progress else {
                port.fill().await.map_err(client_gone)?;
                continue;
            };
            port.consume(consumed);
            match packet {
                FirstPacket::Cancel { pid, key } => return Ok(First::Cancel { process: pid, secret: key }),
                FirstPacket::Startup(message) => {
                    self.require_tls(port)?;
                    return Ok(First::Startup(message));
                }
                FirstPacket::GssEnc => port.send(b"N").await.map_err(client_gone)?,
                FirstPacket::Ssl => match &self.shared()?.tls {
                    None => port.send(b"N").await.map_err(client_gone)?,
                    Some(tls) => {
                        let stream = tls.accept().map_err(|error| tls_setup(&error))?;
                        refuse_early_bytes(port)?;
                        port.send(b"S").await.map_err(client_gone)?;
                        port.start_tls(stream).await.map_err(client_gone)?;
                        parser.tls_established();
                    }
                },
                FirstPacket::DirectTls => {
                    let stream = self.direct_tls()?.accept_direct().map_err(|error| tls_setup(&error))?;
                    port.start_tls(stream).await.map_err(client_gone)?;
                    parser.tls_established();
                }
            }
        }
    }

    fn direct_tls(&self) -> Result<&ServerTls, Fault> {
        self.shared()?.tls.as_ref().ok_or_else(|| {
            Fault::client("direct_tls", "TLS is not configured on this listener; a direct TLS connection was refused")
        })
    }

    fn require_tls(&self, port: &Port) -> Result<(), Fault> {
        let config = self.config()?;
        if port.tls().is_none() && config.tls.as_ref().is_some_and(|tls| tls.require) {
            let text = format!("listener \"{}\" takes encrypted connections only; use sslmode=require", config.name);
            return Err(Fault::new(Culprit::Client, b"28000", "tls_required", text));
        }
        Ok(())
    }
}

/// Refuses what arrived together with the request, before the answer (CVE-2021-23214).
fn refuse_early_bytes(port: &Port) -> Result<(), Fault> {
    if port.has_unread() {
        return Err(Fault::client("early_bytes", "received unencrypted data after SSL request"));
    }
    Ok(())
}
