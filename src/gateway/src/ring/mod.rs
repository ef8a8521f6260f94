//! The shard's own `io_uring`: sockets, deadlines, the mailbox and file writes, in one place to sleep in.
//!
//! A shard's thread owns one [`Ring`], queues operations on it and calls [`Ring::turn`], which submits all
//! of them and waits for what happens in one system call. Calls come in this order of a connection's life:
//! [`Ring::listen`] and [`Ring::start_accept`], [`Ring::adopt`] (and [`Ring::connect`]),
//! [`Ring::start_receive`] and [`Ring::send`] as often as needed, [`Ring::close`]. What happened comes back
//! as [`Event`]s, in the order in which the kernel reported it; for one socket that is the order of the
//! stream.
//!
//! # One system call a turn
//! With `IORING_SETUP_DEFER_TASKRUN` nothing completes outside `io_uring_enter`. A send of
//! [`SendMode::Try`] that takes everything has no completion: the kernel sends, and sleeps until something
//! else happens, without a return to user space in between. A short count does end the wait. (Counting the
//! completions of sends and waiting for one more would sleep on short counts, with nobody to send the
//! rest.) Tests count the system calls. The price: of such a send nothing is reported, so one who has to act
//! on its end uses [`SendMode::Wait`].
//!
//! # Why there is `unsafe` here
//! The kernel reads and writes the memory of an operation after the call that queued it has returned, which
//! no borrow can express. So this module owns all such memory, and everything exported is safe. It must
//! stay the only module of the project with `unsafe`.
//!
//! # Invariants
//! 1. Memory named by a submission entry (a pool buffer, an [`Outgoing`], an address, a file buffer) is
//!    owned by the ring from the push of the entry to its last completion. It is never handed out between.
//! 2. A provided buffer is in exactly one place: in the kernel's buffer ring, in one [`Chunk`], or spare.
//! 3. At most one receive, one send and one connect of a socket are in flight, so streams cannot reorder.
//! 4. A slot of the socket table is reused, and its descriptor closed, only after the last completion of
//!    every operation that names it. Its [`SocketId`] is stale from the call to [`Ring::close`] on.
//! 5. Dropping a [`Ring`] cancels everything and waits; what the kernel will not give up in time is leaked.

#![expect(unsafe_code, reason = "the kernel uses the memory of an operation after the call that queued it returned")]

mod alarms;
mod check;
mod door;
mod event;
mod files;
mod listeners;
mod mapping;
mod notifier;
mod outgoing;
mod pool;
mod queue;
mod receive;
mod sockets;
mod table;
mod transmit;
mod turn;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test is no shard: it may wait for a peer")]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;

pub use check::{HostProblem, check_host};
pub use event::{Event, Gather, ReceiveEnd, RingConfig, RingError, RingStats, SendMode, Wait};
pub use notifier::Notifier;
pub use outgoing::Outgoing;
pub use pool::Chunk;

use alarms::Alarms;
use event::Counters;
use files::FileOperations;
use listeners::Listener;
use notifier::Mailbox;
use pool::Pool;
use queue::Queue;
use sockets::Socket;
use table::{Id, Table};
use transmit::{Silent, Vectors};

/// Names a socket that a [`Ring`] owns; stale, and then without effect, once the socket was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketId(Id);

impl SocketId {
    /// Position in a dense table, reused after the socket is gone: for a `Vec` beside the ring's own.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.position()
    }
}

/// Names a listening socket that a [`Ring`] owns; stale once it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(Id);

impl ListenerId {
    /// Position in a dense table of listeners.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.position()
    }
}

/// An `io_uring` with everything that its operations use. Belongs to the thread that created it.
pub struct Ring {
    queue: Queue,
    pool: Rc<Pool>,
    sockets: Table<Socket>,
    listeners: Table<Listener>,
    files: FileOperations,
    mailbox: Mailbox,
    alarms: Alarms,
    /// Sockets whose receive ended because no buffer was free, in the order in which they are armed again.
    starved: VecDeque<Id>,
    /// Those of them that had not received a byte since they were armed: they go first.
    unfed: Vec<Id>,
    /// Whether the kernel ends a multishot receive after a number of bytes, as far as is known.
    limits_receives: bool,
    /// Sends that report only failure, in the order in which they were queued.
    silent: VecDeque<Silent>,
    /// Memory of vectored sends, kept for the next one.
    #[expect(clippy::vec_box, reason = "the kernel holds their addresses while their owners move")]
    spare_vectors: Vec<Box<Vectors>>,
    /// Emptied lists with their memory, the one used last on top.
    spare_lists: Vec<Outgoing>,
    /// What is to be reported without the kernel's doing: the answers to calls that could not be queued.
    answers: Vec<Event>,
    /// What a turn that sleeps waits for.
    gather: Gather,
    /// Completions of the current turn, copied out of the shared queue.
    completions: Vec<io_uring::cqueue::Entry>,
    counters: Counters,
}

impl core::fmt::Debug for Ring {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Ring").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
