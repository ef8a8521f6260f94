//! The server's side of a PostgreSQL set-up: the request for TLS, and frames.

use wire::fault::{Culprit, Fault};
use wire::limits::ERROR_BYTES;

use super::super::port::Port;
use super::super::{Setup, SetupError, server_gone};
use crate::tls::UpstreamTls;

impl Setup {
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
        self.start_server_tls(port).await
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
