//! The words that the ring and its driver share: configuration, events, errors, counters.
//!
//! Plain data; nothing here touches the kernel.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use super::{Chunk, ListenerId, Outgoing, SocketId};

/// Sizes of a ring; fixed for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Operations that can be queued before the kernel must be entered. Rounded up to a power of two by
    /// the kernel, at most 32768.
    pub entries: u32,
    /// Receive buffers; a power of two, at most 32768.
    pub buffers: u16,
    /// Bytes of one receive buffer, at least 64 and at most 256 MiB.
    pub buffer_bytes: u32,
}

/// Why a ring could not be built.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// A size in [`RingConfig`] is not usable.
    #[error("ring configuration: {0}")]
    Config(&'static str),
    /// The receive buffers could not be mapped.
    #[error("cannot map {bytes} bytes for receive buffers: {source}")]
    Memory {
        /// How much was asked for.
        bytes: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The eventfd of the mailbox could not be created.
    #[error("cannot create an eventfd: {0}")]
    Mailbox(#[source] io::Error),
    /// The buffer ring was not accepted.
    #[error("cannot register the receive buffers with io_uring: {0}")]
    RegisterBuffers(#[source] io::Error),
    /// `io_uring_setup` failed; [`check_host`](super::check_host) says what to change.
    #[error("cannot set up io_uring: {0}")]
    Setup(#[source] io::Error),
}

/// How long a turn may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until something happens.
    Forever,
    /// Not at all.
    Poll,
    /// Until something happens or the instant has come; one that has passed is a [`Wait::Poll`].
    Until(Instant),
}

/// What a turn that sleeps waits for, beyond the first event.
///
/// Where many sockets are busy, the next event is a few microseconds away, and to sleep once for several costs a
/// fraction of waking for each. Where the kernel cannot (before Linux 6.12), it is as if nothing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// Events that end the wait at once.
    pub events: u32,
    /// Microseconds after which a single one is enough.
    pub micros: u32,
}

impl Gather {
    /// The first event ends the wait.
    pub const NOTHING: Self = Self { events: 1, micros: 0 };
}

/// What a send does when the socket's buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendMode {
    /// Takes what fits now: all, a short count, or `WouldBlock` if nothing fits.
    ///
    /// Where all was sent nothing is reported, and the wait of a turn goes on:
    /// [`Ring::take_settled`](super::Ring::take_settled) tells it whoever asks, after the turn. For the
    /// traffic of a session. Where something waits for this send to end (a shutdown behind last words, a peer
    /// that was throttled), use [`SendMode::Wait`].
    Try,
    /// Waits inside the kernel until at least one byte fits. Always ends the wait of a turn.
    Wait,
}

/// Why a receive ended. It stays ended until it is started again.
#[derive(Debug)]
pub enum ReceiveEnd {
    /// The peer sends no more; we still may.
    Eof,
    /// The connection failed.
    Error(io::Error),
}

impl ReceiveEnd {
    /// The error, if it was one.
    #[must_use]
    pub fn into_error(self) -> Option<io::Error> {
        match self {
            Self::Eof => None,
            Self::Error(error) => Some(error),
        }
    }
}

/// What happened on a ring.
#[derive(Debug)]
pub enum Event {
    /// No connection can be accepted for now (out of descriptors or memory); accepting has stopped, and
    /// [`Ring::start_accept`](super::Ring::start_accept) starts it again.
    AcceptFailed {
        /// Where.
        listener: ListenerId,
        /// What the kernel said.
        error: io::Error,
    },
    /// A connection came in. The socket is close-on-exec and non-blocking.
    Accepted {
        /// Where.
        listener: ListenerId,
        /// The connection, not yet adopted.
        socket: OwnedFd,
    },
    /// A connect ended.
    Connected {
        /// Which socket.
        socket: SocketId,
        /// Whether there is a connection.
        result: io::Result<()>,
    },
    /// Somebody called [`Notifier::notify`](super::Notifier::notify) since the last such event.
    Notified,
    /// Nothing more is received; chunks that came before were reported before.
    ReceiveEnded {
        /// Which socket.
        socket: SocketId,
        /// Why.
        end: ReceiveEnd,
    },
    /// Bytes came in; never empty.
    Received {
        /// Which socket.
        socket: SocketId,
        /// The bytes.
        chunk: Chunk,
    },
    /// A send ended; not told of one of [`SendMode::Try`] that sent everything.
    Sent {
        /// Which socket.
        socket: SocketId,
        /// What is still to be sent: already advanced by the count in `result`.
        ///
        /// In a box, because it is rare, and an event is moved for each message.
        outgoing: Box<Outgoing>,
        /// Bytes taken by the kernel; `WouldBlock` when [`SendMode::Try`] found the socket full.
        result: io::Result<usize>,
    },
    /// A file was brought to disk.
    Synced {
        /// As given to [`Ring::sync_file`](super::Ring::sync_file).
        token: u64,
        /// Whether it worked.
        result: io::Result<()>,
    },
    /// A file write ended.
    Written {
        /// As given to [`Ring::write_file`](super::Ring::write_file).
        token: u64,
        /// The buffer as it was given.
        buffer: Vec<u8>,
        /// Bytes written, which can be fewer than the buffer holds.
        result: io::Result<usize>,
    },
}

/// Counters of a ring since its creation, and the state of its buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// Calls of `io_uring_enter`.
    pub enters: u64,
    /// Completions handled.
    pub completions: u64,
    /// Completions that carried received bytes.
    pub received: u64,
    /// Receives that ended because no buffer was free.
    pub enobufs: u64,
    /// Receives and accepts armed again after the kernel ended them.
    pub rearms: u64,
    /// Sends that took fewer bytes than were offered, `WouldBlock` included.
    pub short_sends: u64,
    /// Receive buffers that no chunk holds, now.
    pub buffers_free: u64,
    /// All receive buffers.
    pub buffers_total: u64,
}

/// The part of [`RingStats`] that is counted rather than looked up.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) completions: u64,
    pub(super) received: u64,
    pub(super) enobufs: u64,
    pub(super) rearms: u64,
    pub(super) short_sends: u64,
}
