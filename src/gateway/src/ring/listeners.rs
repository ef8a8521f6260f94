//! Listening sockets: one multishot accept each.
//!
//! A shortage of descriptors or memory stops accepting and is reported: arming it again at once would spin.
//! Connections that failed before they were accepted are nobody's concern and are passed over.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use io_uring::types::Fd;
use io_uring::{cqueue, opcode};

use super::event::Event;
use super::queue::Kind;
use super::{ListenerId, Ring};

/// A listening socket and its accept.
pub(super) struct Listener {
    descriptor: OwnedFd,
    in_flight: bool,
    cancelled: bool,
    wanted: bool,
    closing: bool,
}

impl Ring {
    /// Takes over a socket on which `listen(2)` was called. Nothing is accepted until
    /// [`start_accept`](Self::start_accept).
    pub fn listen(&mut self, descriptor: OwnedFd) -> ListenerId {
        let listener = Listener { descriptor, in_flight: false, cancelled: false, wanted: false, closing: false };
        ListenerId(self.listeners.insert(listener))
    }

    /// The descriptor, for options and addresses; `None` once closed.
    #[must_use]
    pub fn listener_descriptor(&self, id: ListenerId) -> Option<BorrowedFd<'_>> {
        self.listeners.get(id.0).map(|listener| listener.descriptor.as_fd())
    }

    /// Accepts connections until [`stop_accept`](Self::stop_accept) or [`Event::AcceptFailed`].
    pub fn start_accept(&mut self, id: ListenerId) {
        let Some(listener) = self.listeners.get_mut(id.0) else { return };
        listener.wanted = true;
        if !listener.in_flight {
            self.arm_accept(id.0.index);
        }
    }

    /// Stops accepting. Connections that were accepted before are still reported.
    pub fn stop_accept(&mut self, id: ListenerId) {
        let Some(listener) = self.listeners.get_mut(id.0) else { return };
        listener.wanted = false;
        if listener.in_flight && !listener.cancelled {
            listener.cancelled = true;
            self.queue.cancel(Kind::Accept.tag(id.0.index));
        }
    }

    /// Stops accepting and closes the socket; nothing more is reported for it.
    pub fn close_listener(&mut self, id: ListenerId) {
        self.stop_accept(id);
        let Some(listener) = self.listeners.get_mut(id.0) else { return };
        listener.closing = true;
        let in_flight = listener.in_flight;
        self.listeners.retire(id.0);
        if !in_flight {
            self.listeners.remove(id.0.index);
        }
    }

    pub(super) fn accept_completed(&mut self, index: u32, result: i32, flags: u32, events: &mut Vec<Event>) {
        let socket = if result < 0 {
            Err(io::Error::from_raw_os_error(-result))
        } else {
            // SAFETY: the kernel gave us this descriptor in this completion, which is handled once.
            Ok(unsafe { OwnedFd::from_raw_fd(result) })
        };
        let Some((id, listener)) = self.listeners.at(index) else { return };
        let more = cqueue::more(flags);
        if !more {
            listener.in_flight = false;
            listener.cancelled = false;
        }
        if listener.closing {
            if !more {
                self.listeners.remove(index);
            }
            return;
        }
        match socket {
            Ok(socket) => events.push(Event::Accepted { listener: ListenerId(id), socket }),
            Err(error) if passes(&error) => {}
            Err(error) => {
                // A start that followed a stop is not undone by the stop's own completion; see `passes`.
                listener.wanted = false;
                events.push(Event::AcceptFailed { listener: ListenerId(id), error });
            }
        }
        if !more && listener.wanted {
            self.counters.rearms += 1;
            self.arm_accept(index);
        }
    }

    fn arm_accept(&mut self, index: u32) {
        let Some((_, listener)) = self.listeners.at(index) else { return };
        listener.in_flight = true;
        let entry = opcode::AcceptMulti::new(Fd(listener.descriptor.as_raw_fd()))
            .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
            .build()
            .user_data(Kind::Accept.tag(index));
        // SAFETY: the entry names no memory.
        unsafe { self.queue.push(entry) };
    }
}

/// Whether an error of accept concerns one connection, or our own cancelling, and not the listener
/// (accept(2), "Error handling": errors of the network already pending on the new socket).
fn passes(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECANCELED
                | libc::ECONNABORTED
                | libc::EINTR
                | libc::EAGAIN
                | libc::EPROTO
                | libc::EPERM
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
        )
    )
}
