//! The way to the server, for every protocol: connecting, and the TLS handshake.

use socket2::SockAddr;
use wire::fault::{Culprit, Fault};

use super::port::{Port, PortError};
use super::{Setup, SetupError};

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

    /// The TLS handshake with the server, after it has agreed to one.
    pub(super) async fn start_server_tls(&mut self, port: &mut Port) -> Result<(), SetupError> {
        let stream = self.shared()?.upstream_tls.connect().map_err(|error| {
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
