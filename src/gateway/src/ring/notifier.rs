//! The mailbox bell: wakes a ring from any thread.
//!
//! An eventfd that the ring polls. A flag in front of it makes a second call before the ring has woken
//! cost one atomic operation. The flag is cleared before [`Event::Notified`] is reported, so a message that
//! was queued before `notify` is seen either by the wake under way or by another.
//!
//! The counter of the eventfd is never read: the poll reports writes, not the level, and 2^64 - 2 writes
//! fit.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use io_uring::types::Fd;
use io_uring::{cqueue, opcode};

use super::Ring;
use super::event::Event;
use super::queue::Kind;

struct Shared {
    bell: File,
    rung: AtomicBool,
}

/// Wakes the ring that it came from. Cheap to clone, usable from every thread, harmless after the ring is
/// gone.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

impl Notifier {
    /// Makes the ring report [`Event::Notified`]; calls before it does are one.
    ///
    /// What the caller wrote before is visible to the ring's thread when it handles the event.
    pub fn notify(&self) {
        if self.0.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        #[expect(clippy::host_endian_bytes, reason = "eventfd(2) adds a number in host order")]
        let one = 1_u64.to_ne_bytes();
        // Fails only when the counter is full, and then it is not zero either: the ring is awake.
        let _ = (&self.0.bell).write(&one);
    }
}

impl core::fmt::Debug for Notifier {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Notifier").field("rung", &self.0.rung).finish_non_exhaustive()
    }
}

/// The ring's end of the bell.
pub(super) struct Mailbox(Arc<Shared>);

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes two integers and gives a descriptor or -1.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else has it.
        let bell = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
        Ok(Self(Arc::new(Shared { bell, rung: AtomicBool::new(false) })))
    }
}

impl Ring {
    /// A handle with which other threads wake this ring.
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        Notifier(Arc::clone(&self.mailbox.0))
    }

    pub(super) fn arm_mailbox(&mut self) {
        let fd = Fd(self.mailbox.0.bell.as_raw_fd());
        let readable = u32::from(libc::POLLIN.cast_unsigned());
        let entry = opcode::PollAdd::new(fd, readable).multi(true).build().user_data(Kind::Mailbox.tag(0));
        // SAFETY: the entry names no memory.
        unsafe { self.queue.push(entry) };
    }

    pub(super) fn mailbox_completed(&mut self, flags: u32, events: &mut Vec<Event>) {
        // Re-arming reports old writes again: only the flag tells whether somebody called.
        if self.mailbox.0.rung.swap(false, Ordering::AcqRel) {
            events.push(Event::Notified);
        }
        if !cqueue::more(flags) {
            self.counters.rearms += 1;
            self.arm_mailbox();
        }
    }
}
