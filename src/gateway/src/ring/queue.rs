//! Submission and completion: entries queued, the kernel entered, completions copied out.
//!
//! Knows nothing of sockets. Counts what is in flight, so that the ring can be taken down safely, and how
//! many queued entries are sure to complete while they are submitted, so that a turn can wait past them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use io_uring::types::{CancelBuilder, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::door::Door;
use super::event::{RingError, Wait};
use super::pool::{BUFFER_GROUP, Pool};

/// What a completion belongs to; the upper half of its user data, the lower being an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    Accept = 1,
    Cancel = 2,
    Connect = 3,
    Mailbox = 4,
    Receive = 5,
    Send = 6,
    Sync = 7,
    Write = 8,
}

impl Kind {
    /// The user data of an operation. Unique among operations in flight, by the invariants of the module.
    pub(super) fn tag(self, index: u32) -> u64 {
        (u64::from(self as u32) << 32) | u64::from(index)
    }

    /// Kind and index out of user data that [`tag`](Self::tag) made.
    pub(super) fn of(user_data: u64) -> Option<(Self, u32)> {
        let index = u32::try_from(user_data & u64::from(u32::MAX)).ok()?;
        let kind = match user_data >> 32 {
            1 => Self::Accept,
            2 => Self::Cancel,
            3 => Self::Connect,
            4 => Self::Mailbox,
            5 => Self::Receive,
            6 => Self::Send,
            7 => Self::Sync,
            8 => Self::Write,
            _ => return None,
        };
        Some((kind, index))
    }
}

/// See the module.
pub(super) struct Queue {
    uring: IoUring,
    door: Door,
    /// Entries that found the submission queue full and the kernel unwilling; they go first.
    backlog: VecDeque<squeue::Entry>,
    /// Queued entries that complete during submission, whatever happens.
    inline: u32,
    /// Operations whose last completion has not been seen.
    in_flight: u64,
    /// Nothing more is taken: the ring is being dropped.
    closed: bool,
    enters: u64,
}

impl Queue {
    pub(super) fn new(entries: u32, buffers: u16) -> Result<Self, RingError> {
        let uring = build(entries, buffers).map_err(RingError::Setup)?;
        let door = Door::new(uring.as_raw_fd());
        Ok(Self { uring, door, backlog: VecDeque::new(), inline: 0, in_flight: 0, closed: false, enters: 0 })
    }

    /// Offers the pool's buffers to the kernel.
    ///
    /// # Safety
    /// The pool stays where it is until the ring is gone or [`unregister_pool`](Self::unregister_pool) was
    /// called.
    pub(super) unsafe fn register_pool(&self, pool: &Pool) -> Result<(), RingError> {
        // SAFETY: the address is that of a mapping with one entry for each buffer; the caller keeps it.
        let result = unsafe {
            self.uring.submitter().register_buf_ring_with_flags(pool.ring_address(), pool.total(), BUFFER_GROUP, 0)
        };
        result.map_err(RingError::RegisterBuffers)
    }

    pub(super) fn unregister_pool(&self) -> io::Result<()> {
        self.uring.submitter().unregister_buf_ring(BUFFER_GROUP)
    }

    pub(super) fn enters(&self) -> u64 {
        self.enters
    }

    /// Queues an entry.
    ///
    /// # Safety
    /// Memory that the entry names stays valid, and as exclusive as the operation needs it, until the last
    /// completion with its user data was seen.
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry) {
        if self.closed {
            return;
        }
        self.in_flight += 1;
        if !self.backlog.is_empty() {
            self.backlog.push_back(entry);
            return;
        }
        // SAFETY: the caller's promise.
        if unsafe { self.uring.submission().push(&entry) }.is_ok() {
            return;
        }
        // Full: submit what is there. An error will show again in the turn, which can report it.
        let _ = self.submit();
        // SAFETY: the caller's promise.
        if unsafe { self.uring.submission().push(&entry) }.is_err() {
            self.backlog.push_back(entry);
        }
    }

    /// Like [`push`](Self::push), for an entry that always completes during its submission.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn push_inline(&mut self, entry: squeue::Entry) {
        // SAFETY: the caller's promise.
        unsafe { self.push(entry) };
        self.inline = self.inline.saturating_add(1);
    }

    /// Asks the kernel to end one operation. Whether it could shows in that operation's own completion.
    ///
    /// By user data, which the kernel finds in a hash; by descriptor it would walk all operations.
    pub(super) fn cancel(&mut self, user_data: u64) {
        let entry = opcode::AsyncCancel::new(user_data).build().user_data(Kind::Cancel.tag(0));
        // SAFETY: the entry names no memory. Cancelling ends an operation early, after which its memory is
        // still held until its completion was seen. The kernel handles the request when it is submitted.
        unsafe { self.push_inline(entry) };
    }

    /// Like [`cancel`](Self::cancel), for everything on the ring.
    fn cancel_all(&mut self) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::any()).build().user_data(Kind::Cancel.tag(0));
        // SAFETY: as in `cancel`.
        unsafe { self.push_inline(entry) };
    }

    /// Submits everything and waits as told; one system call, or none when there is nothing to do.
    pub(super) fn turn(&mut self, wait: Wait) -> io::Result<()> {
        self.drain_backlog()?;
        let (queued, overflow, deferred) = {
            let queue = self.uring.submission();
            (queue.len(), queue.cq_overflow(), queue.taskrun())
        };
        // Completions of an earlier submission, of this turn, wait in the queue: do not sleep on them.
        let ready = overflow || !self.uring.completion().is_empty();
        let left = match wait {
            Wait::Poll => None,
            Wait::Forever | Wait::Until(_) if ready => None,
            Wait::Forever => Some(None),
            Wait::Until(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() { None } else { Some(Some(Timespec::from(left))) }
            }
        };
        if left.is_none() && queued == 0 && !overflow && !deferred {
            return Ok(());
        }
        let want = if left.is_some() { self.inline.saturating_add(1) } else { 0 };
        let result = self.enter(queued, want, left.flatten().as_ref());
        match result {
            Ok(()) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // The deadline came; a signal came; the kernel is short of memory or completions have to be
                // taken first. The entries not taken stay queued for the next turn.
                Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Copies all completions out of the shared queue.
    pub(super) fn take_completions(&mut self, into: &mut Vec<cqueue::Entry>) {
        into.extend(self.uring.completion());
        let last = into.iter().filter(|entry| !cqueue::more(entry.flags())).count();
        self.in_flight = self.in_flight.saturating_sub(u64::try_from(last).unwrap_or(u64::MAX));
    }

    /// Cancels everything and takes nothing more.
    pub(super) fn close(&mut self) {
        self.cancel_all();
        self.closed = true;
    }

    /// Whether the kernel holds nothing of ours.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight == 0
    }

    /// Lets go of the thread's reference to the ring, without which the kernel would keep it.
    pub(super) fn unregister(&mut self) {
        self.door.unregister();
    }

    fn drain_backlog(&mut self) -> io::Result<()> {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: whoever pushed the entry promised that its memory stays until its completion.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                self.backlog.pop_front();
                continue;
            }
            let before = self.uring.submission().len();
            match self.submit() {
                Err(error) if !matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {
                    return Err(error);
                }
                _ if self.uring.submission().len() == before => break,
                _ => {}
            }
        }
        Ok(())
    }

    fn submit(&mut self) -> io::Result<()> {
        let queued = self.uring.submission().len();
        self.enter_with(queued, 0, false, None)
    }

    fn enter(&mut self, queued: usize, want: u32, timeout: Option<&Timespec>) -> io::Result<()> {
        self.enter_with(queued, want, true, timeout)
    }

    fn enter_with(&mut self, queued: usize, want: u32, events: bool, timeout: Option<&Timespec>) -> io::Result<()> {
        self.enters += 1;
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        let result = self.door.enter(queued, want, events, timeout);
        // Whatever was taken has completed, or was not counted. When the kernel took only some, how many
        // inline ones are left is not known: none is the safe guess, a turn then returns early at worst.
        self.inline = 0;
        result.map(drop)
    }
}

/// Sets up a ring with all that this module counts on; fails with `EINVAL` before Linux 6.1.
pub(super) fn build(entries: u32, buffers: u16) -> io::Result<IoUring> {
    // Every buffer can come back as one completion of a multishot receive, and everything queued as one of
    // its own; the rest is for accepts and for what a second submission of the same turn adds.
    let completions = entries.saturating_mul(4).saturating_add(u32::from(buffers));
    IoUring::builder()
        .setup_cqsize(completions.max(entries.saturating_add(1)))
        .setup_clamp()
        .setup_submit_all()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .dontfork()
        .build(entries)
}
