//! The server's side of a set-up: connect, TLS, frames.

use socket2::SockAddr;
use wire::fault::{Culprit, Fault};
use wire::limits::ERROR_BYTES;

use super::port::{Port, PortError};
use super::{Setup, SetupError, server_gone};
use crate::tls::UpstreamTls;

impl Setup {
    /// Connects to the listener's server, trying each address that its name has.
    pub(super) async fn connect_server(&mut self) -> Result<(Port, SockAddr), SetupError> {
        let addresses = match self.shared()?.upstream.lock() {
            Ok(upstream) => upstream.addresses(),
            Err(poisoned) => poisoned.into_inner().addresses(),
        };
        let mut last = None;
        for address in addresses {
            match self.connect_to(&address).await {
                Ok(port) => return Ok((port, address)),
                Err(PortError::Expired) => {
                    last = Some(PortError::Expired);
                    break;
                }
                Err(error) => last = Some(error),
            }
        }
        crate::upstream::refresh(&self.shard.shared, self.listener);
        let why = last.map_or_else(|| "its name has no address".to_owned(), |error| error.to_string());
        let name = &self.config()?.name;
        tracing::warn!(listener = %name, %why, "the database server cannot be reached");
        let text = format!("the database server of listener \"{name}\" cannot be reached: {why}");
        Err(SetupError::Refused(Fault::new(Culprit::Server, b"08001", "server_unreachable", text)))
    }

    /// Connects to one address.
    pub(super) async fn connect_to(&mut self, address: &SockAddr) -> Result<Port, PortError> {
        let socket = crate::upstream::socket_for(address).map_err(PortError::Io)?;
        let id = self.shard.ring.borrow_mut().adopt(socket.into());
        let mut port = Port::new(&self.shard, id, false);
        self.watch.ports.borrow_mut().push(port.state());
        port.connect(address).await?;
        Ok(port)
    }

    /// Encrypts the server leg as the listener asks.
    pub(super) async fn encrypt_server(&mut self, port: &mut Port) -> Result<(), SetupError> {
        let tls: &UpstreamTls = &self.shared()?.upstream_tls;
        if !tls.is_wanted() {
            return Ok(());
        }
        let mut request = Vec::new();
        postgres::frontend::ssl_request(&mut request);
        port.send(&request).await.map_err(|error| server_gone(&error))?;
        port.fill().await.map_err(|error| server_gone(&error))?;
        match port.buffered() {
            b"S" => {}
            b"N" if !tls.is_required() => {
                port.consume(1);
                return Ok(());
            }
            b"N" => {
                let text = "the database server does not offer TLS, and upstream_tls requires it";
                return Err(SetupError::Refused(Fault::new(Culprit::Server, b"08001", "server_tls", text)));
            }
            // An error text from the time before encryption is not to be shown to a client (CVE-2024-10977).
            _ => return Err(Fault::server("server_tls", "unexpected answer to the SSL request").into()),
        }
        port.consume(1);
        let stream = tls.connect().map_err(|error| {
            tracing::error!(%error, "TLS toward a server could not be set up");
            Fault::new(Culprit::Gateway, b"XX000", "tls_setup", "TLS toward the database server could not be set up")
        })?;
        port.start_tls(stream).await.map_err(|error| {
            tracing::warn!(%error, "the TLS handshake with a database server failed");
            let text = format!("the TLS handshake with the database server failed: {error}");
            SetupError::Refused(Fault::new(Culprit::Server, b"08001", "server_tls", text))
        })
    }
}

/// One whole message as it stands at the front of a port's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Front {
    /// The type byte.
    pub(super) kind: u8,
    /// Length with the type byte and the length word.
    pub(super) total: usize,
}

/// Finds a whole message at the front of what is buffered.
///
/// # Errors
/// A length that no message of the start-up phase has.
pub(super) fn front(buffered: &[u8], limit_bytes: usize) -> Result<Option<Front>, &'static str> {
    let Some((head, _)) = buffered.split_first_chunk::<5>() else { return Ok(None) };
    let [kind, a, b, c, d] = *head;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if length < 4 || length > limit_bytes {
        return Err("a message of the start-up phase has an impossible length");
    }
    let total = length + 1;
    Ok((buffered.len() >= total).then_some(Front { kind, total }))
}

/// The next whole message of the server.
pub(super) async fn next_from_server(port: &mut Port) -> Result<Front, SetupError> {
    loop {
        let found = front(port.buffered(), ERROR_BYTES)
            .map_err(|text| SetupError::Refused(Fault::server("server_startup", text)))?;
        if let Some(front) = found {
            return Ok(front);
        }
        port.fill().await.map_err(|error| server_gone(&error))?;
    }
}

/// SQLSTATE of an ErrorResponse body; `XX000` where it has none.
pub(super) fn sqlstate_of(body: &[u8]) -> [u8; 5] {
    body.split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"C"))
        .and_then(|code| code.try_into().ok())
        .unwrap_or(*b"XX000")
}
