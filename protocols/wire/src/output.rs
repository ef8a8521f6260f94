//! What one call of a protocol session wants sent: the same for every protocol, so that one relay serves all.

use crate::segments::Segments;

/// What one call wants sent. The caller clears it between calls.
#[derive(Debug, Default)]
pub struct Output {
    /// Toward the client.
    pub to_client: Segments,
    /// Toward the server.
    pub to_server: Segments,
    /// The client said that it ends the session; the message is in `to_server`.
    pub terminated: bool,
}
