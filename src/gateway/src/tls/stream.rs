//! One TLS connection, from buffer to buffer.
//!
//! Built on rustls' unbuffered connections, which hold no buffers of their own: a record is decrypted where
//! it lies and copied once into the caller's plaintext. What remains here is the beginning of a record whose
//! end has not come, so an idle connection holds keys and nothing else. (The buffered API keeps a receive
//! buffer for each connection and copies each record three times.)
//!
//! Rules of the unbuffered API that this file keeps: every state is handled before the next call, discarded
//! bytes leave the front of the buffer before the next call, and while a handshake message is spread over
//! records, all of them stay in one buffer that only grows at its end. Violating the last makes rustls read
//! the wrong bytes, so `pending` is passed to every call that has no input of its own.

use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, ProtocolVersion};
use wire::limits::TLS_PENDING_BYTES;

use super::{ALPN, TlsError, binding};

/// What the header of a record says: type, version, length (RFC 8446 section 5.1).
const RECORD_HEADER_BYTES: usize = 5;

/// Largest fragment of plaintext in one record.
const FRAGMENT_BYTES: usize = 16 << 10;

/// What a record adds to its fragment at most: header, explicit nonce or content type, tag.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// Whether more can come from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsState {
    /// More can come.
    Open,
    /// The peer has said that it sends no more; we still may.
    PeerClosed,
}

/// The two sides of rustls, with what the channel binding needs.
pub(super) enum Connection {
    Client(UnbufferedClientConnection),
    Server { connection: UnbufferedServerConnection, binding: Option<Arc<[u8]>> },
}

/// One TLS connection.
pub struct TlsStream {
    connection: Connection,
    /// Ciphertext from the beginning of the oldest record that is not used up.
    pub(super) pending: Vec<u8>,
    /// Whether `pending` holds whole records of an unfinished handshake message, which rustls has moved
    /// about: record headers cannot be read from it.
    gathering: bool,
    require_alpn: bool,
    /// Whether we have said that we send no more.
    closed: bool,
    state: Result<TlsState, Failed>,
}

impl core::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TlsStream")
            .field("version", &self.version())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// TLS has failed; nothing works any more.
#[derive(Clone, Copy, Debug)]
struct Failed;

impl TlsStream {
    pub(super) fn new(connection: Connection, require_alpn: bool) -> Self {
        Self {
            connection,
            pending: Vec::new(),
            gathering: false,
            require_alpn,
            closed: false,
            state: Ok(TlsState::Open),
        }
    }

    /// Appends what must be sent first: a client's hello, nothing for a server.
    ///
    /// # Errors
    /// [`TlsError`] when the hello cannot be made.
    pub fn start(&mut self, ciphertext_out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.drive(&mut [], &mut Vec::new(), ciphertext_out).map(|_| ())
    }

    /// Takes ciphertext and appends the plaintext in it, and to `ciphertext_out` what must be sent in answer.
    ///
    /// As [`TlsStream::feed_in_place`], with one copy more.
    ///
    /// # Errors
    /// As [`TlsStream::feed_in_place`].
    pub fn feed(
        &mut self,
        ciphertext: &[u8],
        plaintext: &mut Vec<u8>,
        ciphertext_out: &mut Vec<u8>,
    ) -> Result<TlsState, TlsError> {
        self.feed_in_place(&mut ciphertext.to_vec(), plaintext, ciphertext_out)
    }

    /// Takes ciphertext, which is decrypted where it lies and then worthless; appends the plaintext in it,
    /// and to `ciphertext_out` what must be sent in answer: handshake messages, key updates.
    ///
    /// # Errors
    /// [`TlsError`] ends the connection; `ciphertext_out` then holds the alert that tells the peer why.
    pub fn feed_in_place(
        &mut self,
        ciphertext: &mut [u8],
        plaintext: &mut Vec<u8>,
        ciphertext_out: &mut Vec<u8>,
    ) -> Result<TlsState, TlsError> {
        if self.state.is_err() {
            return Err(TlsError::Failed);
        }
        let fed = self.feed_all(ciphertext, plaintext, ciphertext_out).and_then(|()| self.check_alpn());
        if let Err(error) = fed {
            self.state = Err(Failed);
            self.pending = Vec::new();
            return Err(error);
        }
        self.state.map_err(|Failed| TlsError::Failed)
    }

    fn feed_all(&mut self, ciphertext: &mut [u8], plaintext: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), TlsError> {
        let mut rest = ciphertext;
        while !self.pending.is_empty() && !rest.is_empty() {
            let (head, tail) = rest.split_at_mut(self.missing().min(rest.len()));
            self.pending.extend_from_slice(head);
            rest = tail;
            let mut pending = core::mem::take(&mut self.pending);
            let used = self.drive(&mut pending, plaintext, out)?;
            pending.drain(..used.min(pending.len()));
            // Freed when empty: most connections are idle most of the time.
            if !pending.is_empty() {
                self.keep(pending)?;
            }
        }
        if self.pending.is_empty() {
            self.gathering = false;
            let used = self.drive(rest, plaintext, out)?;
            match rest.get(used..) {
                None | Some([]) => {}
                Some(begun) => self.keep(begun.to_vec())?,
            }
        }
        Ok(())
    }

    /// Keeps what rustls has not used up.
    fn keep(&mut self, begun: Vec<u8>) -> Result<(), TlsError> {
        if begun.len() > TLS_PENDING_BYTES {
            return Err(TlsError::TooLong);
        }
        self.gathering |= record_missing(&begun) == 0;
        self.pending = begun;
        Ok(())
    }

    /// How many bytes to add to `pending` before rustls is asked again.
    fn missing(&self) -> usize {
        if self.gathering { usize::MAX } else { record_missing(&self.pending).max(1) }
    }

    fn check_alpn(&self) -> Result<(), TlsError> {
        let common = self.connection.common();
        if self.require_alpn && !common.is_handshaking() && common.alpn_protocol() != Some(ALPN) {
            return Err(TlsError::NoAlpn);
        }
        Ok(())
    }

    /// Encrypts all of `plaintext` and appends the records.
    ///
    /// # Errors
    /// [`TlsError::NotReady`] before the handshake has ended, [`TlsError::Closed`] after [`TlsStream::close`],
    /// others when the connection has failed or its keys are used up.
    pub fn seal(&mut self, plaintext: &[u8], ciphertext_out: &mut Vec<u8>) -> Result<(), TlsError> {
        if self.state.is_err() {
            return Err(TlsError::Failed);
        }
        if self.closed {
            return Err(TlsError::Closed);
        }
        if self.is_handshaking() {
            return Err(TlsError::NotReady);
        }
        if plaintext.is_empty() {
            return Ok(());
        }
        let pending = &mut self.pending;
        let used = match &mut self.connection {
            Connection::Client(connection) => seal(connection, pending, plaintext, ciphertext_out),
            Connection::Server { connection, .. } => seal(connection, pending, plaintext, ciphertext_out),
        }?;
        pending.drain(..used.min(pending.len()));
        Ok(())
    }

    /// Appends the close_notify alert: we send no more. Does nothing before the handshake has ended and the
    /// second time.
    pub fn close(&mut self, ciphertext_out: &mut Vec<u8>) {
        if self.state.is_err() || self.closed || self.is_handshaking() {
            return;
        }
        self.closed = true;
        let mut held = core::mem::take(&mut self.pending);
        // What waits to be sent goes first: asking for the state that can close would lose it.
        self.drive_held(&mut held, ciphertext_out);
        match &mut self.connection {
            Connection::Client(connection) => queue_close_notify(connection, &mut held),
            Connection::Server { connection, .. } => queue_close_notify(connection, &mut held),
        }
        self.drive_held(&mut held, ciphertext_out);
        self.pending = held;
    }

    /// Sends what waits. A failure means that the peer cannot be told; it sees the end of the stream anyway.
    fn drive_held(&mut self, held: &mut Vec<u8>, out: &mut Vec<u8>) {
        if let Ok(used) = self.drive(held, &mut Vec::new(), out) {
            held.drain(..used.min(held.len()));
        }
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.common().is_handshaking()
    }

    /// The protocol that was agreed on by ALPN.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.connection.common().alpn_protocol()
    }

    /// The version of TLS, such as `TLSv1.3`; empty before it is agreed on.
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self.connection.common().protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "",
        }
    }

    /// The `tls-server-end-point` binding of this connection: the hash of our certificate toward a client,
    /// of the server's toward a server. None where the certificate has no such hash.
    #[must_use]
    pub fn channel_binding(&self) -> Option<Box<[u8]>> {
        match &self.connection {
            Connection::Client(connection) => binding::end_point_hash(connection.peer_certificates()?.first()?),
            Connection::Server { binding, .. } => binding.as_deref().map(Box::from),
        }
    }

    /// Has rustls work on `incoming` until it wants more; returns how much of it is used up.
    fn drive(&mut self, incoming: &mut [u8], plaintext: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<usize, TlsError> {
        let driven = match &mut self.connection {
            Connection::Client(connection) => drive(connection, incoming, plaintext, out),
            Connection::Server { connection, .. } => drive(connection, incoming, plaintext, out),
        }?;
        if driven.peer_closed {
            self.state = self.state.map(|_| TlsState::PeerClosed);
        }
        Ok(driven.used)
    }
}

impl Connection {
    fn common(&self) -> &CommonState {
        match self {
            Self::Client(connection) => connection,
            Self::Server { connection, .. } => connection,
        }
    }
}

/// How many bytes the first record in `bytes` lacks, its header first.
fn record_missing(bytes: &[u8]) -> usize {
    match bytes {
        [_, _, _, high, low, fragment @ ..] => {
            usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(fragment.len())
        }
        _ => RECORD_HEADER_BYTES.saturating_sub(bytes.len()),
    }
}

/// The one call that both sides of rustls have apart.
trait Machine: core::ops::Deref<Target: core::ops::Deref<Target = CommonState>> {
    type Data;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Machine for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl Machine for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

struct Driven {
    used: usize,
    peer_closed: bool,
}

fn drive<M: Machine>(
    machine: &mut M,
    incoming: &mut [u8],
    plaintext: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Driven, TlsError> {
    let mut driven = Driven { used: 0, peer_closed: false };
    loop {
        let UnbufferedStatus { mut discard, state } =
            machine.process(incoming.get_mut(driven.used..).unwrap_or_default());
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                flush_alerts(machine, incoming.get_mut(driven.used + discard..).unwrap_or_default(), out);
                return Err(error.into());
            }
        };
        let waits = match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    plaintext.extend_from_slice(record.payload);
                }
                false
            }
            ConnectionState::EncodeTlsData(mut data) => {
                encode(out, |room| data.encode(room))?;
                false
            }
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                false
            }
            ConnectionState::PeerClosed => {
                driven.peer_closed = true;
                false
            }
            ConnectionState::BlockedHandshake | ConnectionState::Closed | ConnectionState::WriteTraffic(_) => true,
            // Early data is not offered, and no other state exists in this version.
            _ => return Err(TlsError::Failed),
        };
        driven.used += discard;
        if waits {
            return Ok(driven);
        }
    }
}

/// Appends the alerts that an error has left to be sent.
fn flush_alerts<M: Machine>(machine: &mut M, rest: &mut [u8], out: &mut Vec<u8>) {
    // What is queued comes first. Without anything queued, rustls would look a second time at what has failed.
    while machine.wants_write()
        && let Ok(ConnectionState::EncodeTlsData(mut data)) = machine.process(rest).state
    {
        if encode(out, |room| data.encode(room)).is_err() {
            return;
        }
    }
}

/// Has `write` append to `out`, giving it the room that it asks for.
fn encode(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) -> Result<(), TlsError> {
    let start = out.len();
    loop {
        match write(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(needed)) if start + needed.required_size > out.len() => {
                out.resize(start + needed.required_size, 0);
            }
            Err(_) => return Err(TlsError::Failed),
        }
    }
}

/// Encrypts `plaintext`; returns how much of `pending` is used up.
fn seal<M: Machine>(
    machine: &mut M,
    pending: &mut [u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<usize, TlsError> {
    let mut used = 0;
    loop {
        let UnbufferedStatus { discard, state } = machine.process(pending.get_mut(used..).unwrap_or_default());
        match state? {
            ConnectionState::WriteTraffic(mut traffic) => {
                let records = plaintext.len() / FRAGMENT_BYTES + 1;
                let mut room = plaintext.len() + records * RECORD_OVERHEAD_BYTES;
                let start = out.len();
                let written = loop {
                    out.resize(start + room, 0);
                    match traffic.encrypt(plaintext, out.get_mut(start..).unwrap_or_default()) {
                        Ok(written) => break written,
                        Err(EncryptError::InsufficientSize(needed)) if needed.required_size > room => {
                            room = needed.required_size;
                        }
                        Err(_) => {
                            out.truncate(start);
                            return Err(TlsError::Failed);
                        }
                    }
                };
                out.truncate(start + written);
                return Ok(used + discard);
            }
            ConnectionState::EncodeTlsData(mut data) => encode(out, |room| data.encode(room))?,
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::PeerClosed => {}
            // `feed` leaves nothing to be read; anything else means that we have closed.
            _ => return Err(TlsError::Failed),
        }
        used += discard;
    }
}

fn queue_close_notify<M: Machine>(machine: &mut M, pending: &mut [u8]) {
    if let Ok(ConnectionState::WriteTraffic(mut traffic)) = machine.process(pending).state {
        // Without room the alert is queued, and `drive` gives it out like any other message.
        let _ = traffic.queue_close_notify(&mut []);
    }
}
