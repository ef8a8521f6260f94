//! A socket as a set-up task sees it: read until there is enough, send and wait, within a time limit.
//!
//! Used only until a session is established; then the socket's id, its TLS state and what was read ahead
//! move into the relay. Bytes are copied out of the ring's buffers at once, so that a client that floods
//! before it has logged in pins none of them; past [`SETUP_BYTES`] its receive stops.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::limits::SETUP_BYTES;
use crate::ring::{Outgoing, SendMode, SocketId};
use crate::shard::{Owner, Shard};
use crate::tls::{TlsState, TlsStream};

/// Why a read or a send of the set-up did not happen.
#[derive(Debug)]
pub(crate) enum PortError {
    /// The peer ended the stream.
    Closed,
    /// The set-up's time is over.
    Expired,
    /// The socket failed.
    Io(io::Error),
    /// TLS failed.
    Tls(crate::tls::TlsError),
}

impl std::fmt::Display for PortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection was closed"),
            Self::Expired => f.write_str("the time for setting up the session is over"),
            Self::Io(error) => write!(f, "{error}"),
            Self::Tls(error) => write!(f, "{error}"),
        }
    }
}

/// What the driver and the task share of one socket.
#[derive(Debug, Default)]
pub(crate) struct PortState {
    raw: RefCell<Vec<u8>>,
    ended: RefCell<Option<Result<(), io::Error>>>,
    connected: RefCell<Option<io::Result<()>>>,
    sent: RefCell<Option<(Outgoing, io::Result<usize>)>>,
    paused: Cell<bool>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl PortState {
    /// Bytes arrived; says whether the receive should stop until they are read.
    pub(crate) fn received(&self, bytes: &[u8]) -> bool {
        let mut raw = self.raw.borrow_mut();
        raw.extend_from_slice(bytes);
        let full = raw.len() > SETUP_BYTES;
        self.paused.set(full);
        full
    }

    /// The stream ended, well (`Ok`) or not.
    pub(crate) fn ended(&self, how: Result<(), io::Error>) {
        *self.ended.borrow_mut() = Some(how);
    }

    /// A connect finished.
    pub(crate) fn connected(&self, result: io::Result<()>) {
        *self.connected.borrow_mut() = Some(result);
    }

    /// A send finished.
    pub(crate) fn sent(&self, outgoing: Outgoing, result: io::Result<usize>) {
        *self.sent.borrow_mut() = Some((outgoing, result));
    }

    /// The set-up's time is over.
    pub(crate) fn expire(&self) {
        self.expired.set(true);
    }

    /// Gives the set-up a little more time, for its last message.
    pub(crate) fn renew(&self) {
        self.expired.set(false);
    }

    /// The task that waits on this socket, to be woken.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.waker.borrow_mut().take()
    }

    fn readable(&self) -> bool {
        !self.raw.borrow().is_empty() || self.ended.borrow().is_some() || self.expired.get()
    }
}

/// What a relay takes over from a port.
pub(crate) struct PortParts {
    /// The socket, still receiving.
    pub(crate) socket: SocketId,
    /// The TLS state, if the leg is encrypted.
    pub(crate) tls: Option<Box<TlsStream>>,
    /// Plaintext that was read ahead.
    pub(crate) plain: Vec<u8>,
    /// Bytes as they came from the socket, read after `plain`.
    pub(crate) raw: Vec<u8>,
    /// Whether the stream had ended already.
    pub(crate) ended: bool,
    /// Whether the ring's receive was stopped because too much was read ahead.
    pub(crate) paused: bool,
}

/// One socket of a set-up task.
pub(crate) struct Port {
    shard: Rc<Shard>,
    socket: SocketId,
    state: Rc<PortState>,
    tls: Option<Box<TlsStream>>,
    plain: Vec<u8>,
    handed_over: bool,
}

impl Port {
    /// Takes a socket that the ring knows and starts to receive from it.
    pub(crate) fn new(shard: &Rc<Shard>, socket: SocketId, receive: bool) -> Self {
        let state = Rc::new(PortState::default());
        shard.set_owner(socket, Owner::Setup(Rc::clone(&state)));
        if receive {
            shard.ring.borrow_mut().start_receive(socket);
        }
        Self { shard: Rc::clone(shard), socket, state, tls: None, plain: Vec::new(), handed_over: false }
    }

    /// The part that the driver delivers into, for the set-up's time limit.
    pub(crate) fn state(&self) -> Rc<PortState> {
        Rc::clone(&self.state)
    }

    /// Plaintext that is read and not consumed.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.plain
    }

    /// Plaintext that is read and not consumed, with the ciphertext behind it counted.
    pub(crate) fn has_unread(&self) -> bool {
        !self.plain.is_empty() || !self.state.raw.borrow().is_empty()
    }

    /// Drops `count` bytes from the front of the buffered plaintext.
    pub(crate) fn consume(&mut self, count: usize) {
        self.plain.drain(..count.min(self.plain.len()));
    }

    /// The TLS state, if there is one.
    pub(crate) fn tls(&self) -> Option<&TlsStream> {
        self.tls.as_deref()
    }

    /// Connects; the socket receives from then on.
    pub(crate) async fn connect(&mut self, address: &socket2::SockAddr) -> Result<(), PortError> {
        self.shard.ring.borrow_mut().connect(self.socket, address);
        let state = Rc::clone(&self.state);
        let result = poll_fn(|context| {
            if let Some(result) = state.connected.borrow_mut().take() {
                return Poll::Ready(Some(result));
            }
            if state.expired.get() {
                return Poll::Ready(None);
            }
            *state.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        match result {
            None => Err(PortError::Expired),
            Some(Err(error)) => Err(PortError::Io(error)),
            Some(Ok(())) => {
                self.shard.ring.borrow_mut().start_receive(self.socket);
                Ok(())
            }
        }
    }

    /// Reads until more plaintext is buffered than before.
    pub(crate) async fn fill(&mut self) -> Result<(), PortError> {
        let before = self.plain.len();
        while self.plain.len() == before {
            let state = Rc::clone(&self.state);
            poll_fn(|context| {
                if state.readable() {
                    return Poll::Ready(());
                }
                *state.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
            self.take_received().await?;
        }
        Ok(())
    }

    /// Whether [`Port::fill`] would return without waiting; registers the task otherwise.
    pub(crate) fn poll_readable(&self, context: &std::task::Context<'_>) -> bool {
        if self.state.readable() {
            return true;
        }
        *self.state.waker.borrow_mut() = Some(context.waker().clone());
        false
    }

    /// Whether [`Port::fill`] would return without waiting.
    pub(crate) fn is_readable(&self) -> bool {
        self.state.readable()
    }

    async fn take_received(&mut self) -> Result<(), PortError> {
        let mut raw = std::mem::take(&mut *self.state.raw.borrow_mut());
        if self.state.paused.replace(false) {
            self.shard.ring.borrow_mut().start_receive(self.socket);
        }
        if self.state.expired.get() {
            return Err(PortError::Expired);
        }
        if raw.is_empty() {
            return match self.state.ended.borrow_mut().take() {
                Some(Err(error)) => Err(PortError::Io(error)),
                Some(Ok(())) => Err(PortError::Closed),
                None => Ok(()),
            };
        }
        let Some(tls) = self.tls.as_mut() else {
            self.plain.extend_from_slice(&raw);
            return Ok(());
        };
        let mut reply = Vec::new();
        let fed = tls.feed_in_place(&mut raw, &mut self.plain, &mut reply);
        // An alert is worth sending even where the handshake failed: it tells the peer why.
        if !reply.is_empty() {
            self.send_raw(reply).await?;
        }
        match fed.map_err(PortError::Tls)? {
            TlsState::Open => Ok(()),
            TlsState::PeerClosed if self.plain.is_empty() => Err(PortError::Closed),
            TlsState::PeerClosed => Ok(()),
        }
    }

    /// Begins TLS and completes its handshake. Bytes that came ahead of it must have been ruled out.
    pub(crate) async fn start_tls(&mut self, stream: TlsStream) -> Result<(), PortError> {
        // Ciphertext that was read ahead (direct TLS) goes through the stream.
        let ahead = std::mem::take(&mut self.plain);
        if !ahead.is_empty() {
            let mut raw = self.state.raw.borrow_mut();
            raw.splice(0..0, ahead);
        }
        self.tls = Some(Box::new(stream));
        let mut hello = Vec::new();
        if let Some(tls) = self.tls.as_mut() {
            tls.start(&mut hello).map_err(PortError::Tls)?;
        }
        if !hello.is_empty() {
            self.send_raw(hello).await?;
        }
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            let state = Rc::clone(&self.state);
            poll_fn(|context| {
                if state.readable() {
                    return Poll::Ready(());
                }
                *state.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
            self.take_received().await?;
        }
        Ok(())
    }

    /// Sends plaintext and waits until the kernel has taken all of it.
    pub(crate) async fn send(&mut self, plain: &[u8]) -> Result<(), PortError> {
        let bytes = match self.tls.as_mut() {
            None => plain.to_vec(),
            Some(tls) => {
                let mut sealed = Vec::with_capacity(plain.len() + 64);
                tls.seal(plain, &mut sealed).map_err(PortError::Tls)?;
                sealed
            }
        };
        self.send_raw(bytes).await
    }

    async fn send_raw(&mut self, bytes: Vec<u8>) -> Result<(), PortError> {
        let mut outgoing = Outgoing::new();
        outgoing.push_heap(bytes);
        while !outgoing.is_empty() {
            self.shard.ring.borrow_mut().send(self.socket, outgoing, SendMode::Wait);
            let state = Rc::clone(&self.state);
            let sent = poll_fn(|context| {
                if let Some(sent) = state.sent.borrow_mut().take() {
                    return Poll::Ready(Some(sent));
                }
                if state.expired.get() {
                    return Poll::Ready(None);
                }
                *state.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
            let Some((rest, result)) = sent else { return Err(PortError::Expired) };
            result.map_err(PortError::Io)?;
            outgoing = rest;
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn shutdown(&mut self) {
        self.shard.ring.borrow_mut().shutdown_write(self.socket);
    }

    /// Gives the socket up to a relay.
    pub(crate) fn into_parts(mut self) -> PortParts {
        self.handed_over = true;
        PortParts {
            socket: self.socket,
            tls: self.tls.take(),
            plain: std::mem::take(&mut self.plain),
            raw: std::mem::take(&mut *self.state.raw.borrow_mut()),
            ended: self.state.ended.borrow().is_some(),
            paused: self.state.paused.get(),
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if !self.handed_over {
            self.shard.set_owner(self.socket, Owner::Nobody);
            self.shard.ring.borrow_mut().close(self.socket);
        }
    }
}
