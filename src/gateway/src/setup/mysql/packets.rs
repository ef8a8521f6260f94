//! Whole packets of the set-up, read from a port and built for one.

use wire::fault::{Culprit, Fault};
use wire::limits::{AUTH_BYTES, ERROR_BYTES};

use super::super::port::Port;
use super::super::{SetupError, client_gone, server_gone};

/// One packet, taken out of the port.
pub(super) struct Taken {
    /// Its sequence id.
    pub(super) seq: u8,
    /// Its payload; a client's may hold a password.
    pub(super) payload: zeroize::Zeroizing<Vec<u8>>,
}

/// Takes the first packet of what is buffered; `None` while it is not whole.
pub(super) fn take(port: &mut Port, from: Culprit) -> Result<Option<Taken>, Fault> {
    let limit = if from == Culprit::Client { AUTH_BYTES } else { ERROR_BYTES };
    let Some(packet) = mysql::packet::first(port.buffered(), limit, from)? else { return Ok(None) };
    let (taken, consumed) = (Taken { seq: packet.seq, payload: packet.payload.to_vec().into() }, packet.consumed);
    port.consume(consumed);
    Ok(Some(taken))
}

/// Waits for the next packet of one side.
pub(super) async fn next(port: &mut Port, from: Culprit) -> Result<Taken, SetupError> {
    loop {
        if let Some(taken) = take(port, from)? {
            return Ok(taken);
        }
        port.fill().await.map_err(|error| match from {
            Culprit::Client => client_gone(error),
            Culprit::Gateway | Culprit::Server => server_gone(&error),
        })?;
    }
}

/// Appends a packet; `seq` becomes the next sequence id.
pub(super) fn reply(out: &mut Vec<u8>, seq: &mut u8, write: impl FnOnce(&mut Vec<u8>)) {
    mysql::packet::write(out, seq, write);
}

/// The server broke the protocol while a session was set up.
pub(super) fn broken(what: &str) -> Fault {
    Fault::new(Culprit::Server, b"08P01", "server_startup", format!("the database server broke the protocol: {what}"))
}
