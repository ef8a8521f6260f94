//! Receiving: one multishot receive for each socket, filling buffers of the pool.
//!
//! A multishot receive takes up to 32 buffers of one socket before anybody here sees the first of them
//! (`MULTISHOT_MAX_RETRY`), which is too much to hold for a session whose reader is slow. So each is armed for
//! [`BURST`] buffers' worth of bytes (`optlen`, Linux 6.17) and armed again when it has delivered them. Older
//! kernels refuse that; there each receive is one of a single shot, at the price of an entry a message.
//!
//! ```text
//!            start                   stop                 last completion
//!   Idle ------------> Armed -----------------> Stopping -----------------> Idle, or Armed if started again
//!     ^                  |  ^
//!     | end, or stop     |  | a buffer is free
//!     +----- Starved <---+--+
//!                no buffer was free
//! ```
//! The kernel may end a multishot receive at any completion (the MORE flag is missing then); as long as
//! the owner wants bytes it is armed again. At most one is in flight, so bytes cannot overtake each other.

use std::io;

use io_uring::{cqueue, opcode, squeue};

use super::event::{Event, ReceiveEnd};
use super::pool::{BUFFER_GROUP, Pool};
use super::queue::Kind;
use super::{Ring, SocketId};

/// Buffers that one armed receive may fill: as much as the owner of a slow session gets beyond what it wanted.
/// A bulk stream costs an entry for each so many buffers; with 4 of 64 KiB that is one in 256 KiB.
pub(super) const BURST: u32 = 4;

/// Where the receive of a socket is; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    Armed,
    Idle,
    Starved,
    Stopping,
}

impl Receive {
    pub(super) fn is_in_flight(self) -> bool {
        matches!(self, Self::Armed | Self::Stopping)
    }
}

impl Ring {
    /// Receives from the socket until [`stop_receive`](Self::stop_receive) or
    /// [`Event::ReceiveEnded`]. Without effect if it already does.
    pub fn start_receive(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        socket.receive_wanted = true;
        // Stopping: its last completion arms it again. Starved: the next turn does.
        if socket.receive == Receive::Idle {
            self.arm_receive(id.0.index);
        }
    }

    /// Stops receiving. Bytes that were received before are still reported, and so is an end seen before.
    pub fn stop_receive(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        socket.receive_wanted = false;
        match socket.receive {
            Receive::Armed => {
                socket.receive = Receive::Stopping;
                self.queue.cancel(Kind::Receive.tag(id.0.index));
            }
            Receive::Starved => socket.receive = Receive::Idle,
            Receive::Idle | Receive::Stopping => {}
        }
    }

    /// Whether the socket receives, or will as soon as a buffer is free.
    #[must_use]
    pub fn is_receiving(&self, id: SocketId) -> bool {
        self.sockets.get(id.0).is_some_and(|socket| socket.receive_wanted)
    }

    /// Receive buffers that no [`Chunk`](super::Chunk) holds.
    #[must_use]
    pub fn buffers_free(&self) -> usize {
        usize::from(self.pool.free())
    }

    /// All receive buffers.
    #[must_use]
    pub fn buffers_total(&self) -> usize {
        usize::from(self.pool.total())
    }

    /// Arms starved receives, at most as many as there are buffers in the ring.
    ///
    /// Those that were armed and got nothing come before all others, in their old order: one socket with
    /// much to receive can take every free buffer before the next in the queue is looked at, and would do
    /// so in every turn.
    pub(super) fn feed_starved(&mut self) {
        while let Some(id) = self.unfed.pop() {
            self.starved.push_front(id);
        }
        let mut free = self.pool.offered();
        while free > 0 {
            let Some(id) = self.starved.pop_front() else { return };
            // An entry is out of date when its socket was closed, stopped, or is armed already.
            if self.sockets.get(id).is_some_and(|socket| socket.receive == Receive::Starved) {
                free -= 1;
                self.counters.rearms += 1;
                self.arm_receive(id.index);
            }
        }
    }

    pub(super) fn receive_completed(&mut self, index: u32, result: i32, flags: u32, events: &mut Vec<Event>) {
        let len = u32::try_from(result).unwrap_or(0);
        // SAFETY: a completion of this ring named the buffer, and each completion is handled once.
        let chunk = cqueue::buffer_select(flags).and_then(|buffer| unsafe { Pool::take(&self.pool, buffer, len) });
        let Some((id, socket)) = self.sockets.at(index) else { return };
        let socket_id = SocketId(id);
        if !socket.closing
            && len > 0
            && let Some(chunk) = chunk
        {
            self.counters.received += 1;
            socket.fed = true;
            events.push(Event::Received { socket: socket_id, chunk });
        }
        if cqueue::more(flags) {
            return;
        }
        socket.receive = Receive::Idle;
        if socket.closing {
            self.remove_if_done(index);
            return;
        }
        match Ending::of(result) {
            Ending::Again if socket.receive_wanted => {
                self.counters.rearms += 1;
                self.arm_receive(index);
            }
            Ending::Again => {}
            Ending::Refused(_) if socket.limited => {
                self.limits_receives = false;
                if socket.receive_wanted {
                    self.arm_receive(index);
                }
            }
            Ending::Starved => {
                self.counters.enobufs += 1;
                if socket.receive_wanted {
                    socket.receive = Receive::Starved;
                    if socket.fed {
                        self.starved.push_back(id);
                    } else {
                        self.unfed.push(id);
                    }
                }
            }
            Ending::End(end) | Ending::Refused(end) => {
                socket.receive_wanted = false;
                events.push(Event::ReceiveEnded { socket: socket_id, end });
            }
        }
    }

    fn arm_receive(&mut self, index: u32) {
        let Some((_, socket)) = self.sockets.at(index) else { return };
        debug_assert!(!socket.receive.is_in_flight());
        socket.receive = Receive::Armed;
        socket.fed = false;
        socket.limited = self.limits_receives;
        let (target, flags) = socket.target();
        let entry = if socket.limited {
            limited(opcode::RecvMulti::new(target, BUFFER_GROUP).build(), self.pool.buffer_bytes() * BURST)
        } else {
            let entry = opcode::Recv::new(target, std::ptr::null_mut(), self.pool.buffer_bytes());
            entry.buf_group(BUFFER_GROUP).build().flags(squeue::Flags::BUFFER_SELECT)
        };
        let entry = entry.flags(flags).user_data(Kind::Receive.tag(index));
        // SAFETY: the entry names no memory but the pool's, which stays while the ring does and whose
        // buffers are given out only after a completion named them.
        unsafe { self.queue.push(entry) };
    }
}

/// Sets how many bytes a multishot receive may deliver in all: `optlen` of `struct io_uring_sqe`, for which the
/// `io-uring` crate has no setter.
fn limited(mut entry: squeue::Entry, bytes: u32) -> squeue::Entry {
    const OPTLEN: usize = 44;
    const _: () = assert!(size_of::<squeue::Entry>() == 64);
    // SAFETY: the entry is the kernel's structure of 64 bytes (`repr(C)` around it), in which a `u32` of this name
    // lies at this offset, in a union of integers.
    unsafe { (&raw mut entry).cast::<u8>().add(OPTLEN).cast::<u32>().write(bytes) };
    entry
}

/// What the last completion of a receive means.
enum Ending {
    Again,
    End(ReceiveEnd),
    /// The kernel does not know something of the entry.
    Refused(ReceiveEnd),
    Starved,
}

impl Ending {
    fn of(result: i32) -> Self {
        match result {
            0 => Self::End(ReceiveEnd::Eof),
            1.. => Self::Again,
            _ => match -result {
                libc::ENOBUFS => Self::Starved,
                libc::ECANCELED | libc::EINTR | libc::EAGAIN => Self::Again,
                error => {
                    let end = ReceiveEnd::Error(io::Error::from_raw_os_error(error));
                    if error == libc::EINVAL { Self::Refused(end) } else { Self::End(end) }
                }
            },
        }
    }
}
