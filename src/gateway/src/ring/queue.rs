//! Submission and completion: entries queued, the kernel entered, completions copied out.
//!
//! Knows nothing of sockets. Counts what is in flight, so that the ring can be taken down safely, and how
//! many entries the kernel has taken, so that the fate of those that report only failure can be told.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use io_uring::types::{CancelBuilder, Fd, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::door::Door;
use super::event::{Gather, RingError, Wait};
use super::pool::{BUFFER_GROUP, Pool};

/// Largest table of files that a ring registers; sockets beyond it are used by their descriptors.
const FILES_MAX: u32 = 1 << 16;

/// What a completion belongs to; the upper half of its user data, the lower being an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    Accept = 1,
    Alarm = 9,
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
            9 => Self::Alarm,
            _ => return None,
        };
        Some((kind, index))
    }
}

/// See the module.
pub(super) struct Queue {
    uring: IoUring,
    door: Door,
    /// Whether a wait for several completions can be bounded (6.12).
    gathers: bool,
    /// Places in the ring's own table of files.
    files: u32,
    /// Entries that found the submission queue full and the kernel unwilling; they go first.
    backlog: VecDeque<squeue::Entry>,
    /// Entries queued since the start; one is known by how many were queued before it.
    queued: u64,
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
        let gathers = uring.params().is_feature_min_timeout();
        let files = register_files(&uring);
        Ok(Self {
            uring,
            door,
            gathers,
            files,
            backlog: VecDeque::new(),
            queued: 0,
            in_flight: 0,
            closed: false,
            enters: 0,
        })
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

    /// Puts a descriptor into the ring's own table, whose entries are used without counting references to them.
    /// Whether it is there: not beyond the table's end, nor where the kernel refused.
    pub(super) fn fix_file(&self, place: u32, descriptor: Fd) -> bool {
        place < self.files && self.uring.submitter().register_files_update(place, &[descriptor.0]).is_ok()
    }

    /// Takes it out again. Until then the file stays open, whatever happens to the descriptor.
    pub(super) fn release_file(&self, place: u32) {
        if let Err(error) = self.uring.submitter().register_files_update(place, &[-1]) {
            tracing::error!(%error, place, "a closed socket stays open until its place is used again");
        }
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
        if !self.closed {
            self.in_flight += 1;
            // SAFETY: the caller's promise.
            unsafe { self.place(entry) };
        }
    }

    /// Like [`push`](Self::push), for an entry that the kernel finishes while it takes it, and that has a
    /// completion only if it fails (`IOSQE_CQE_SKIP_SUCCESS`). Gives the entry's number: once
    /// [`taken`](Self::taken) is above it and no completion came, it succeeded, and
    /// [`settle`](Self::settle) must be called.
    ///
    /// # Safety
    /// As for [`push`](Self::push); the operation ends with the call of `settle` too.
    pub(super) unsafe fn push_silent(&mut self, entry: squeue::Entry) -> u64 {
        let number = self.queued;
        // SAFETY: the caller's promise.
        unsafe { self.push(entry.flags(squeue::Flags::SKIP_SUCCESS)) };
        number
    }

    /// Entries that the kernel has taken. All silent ones among them are finished; the failures are among
    /// the completions, unless [`has_overflow`](Self::has_overflow).
    pub(super) fn taken(&mut self) -> u64 {
        let waiting = self.uring.submission().len() + self.backlog.len();
        self.queued - u64::try_from(waiting).unwrap_or(self.queued)
    }

    /// Counts a silent entry as finished that had no completion.
    pub(super) fn settle(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether the kernel holds completions for which the shared queue had no room.
    pub(super) fn has_overflow(&mut self) -> bool {
        self.uring.submission().cq_overflow()
    }

    /// # Safety
    /// As for [`push`](Self::push).
    unsafe fn place(&mut self, entry: squeue::Entry) {
        self.queued += 1;
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

    /// Asks the kernel to end one operation. Whether it could shows in that operation's own completion.
    ///
    /// By user data, which the kernel finds in a hash; by descriptor it would walk all operations.
    pub(super) fn cancel(&mut self, user_data: u64) {
        self.place_cancel(opcode::AsyncCancel::new(user_data).build());
    }

    /// Like [`cancel`](Self::cancel), for everything on the ring.
    fn cancel_all(&mut self) {
        self.place_cancel(opcode::AsyncCancel2::new(CancelBuilder::any()).build());
    }

    /// Not counted as in flight: it names no memory, and its own success has no completion.
    fn place_cancel(&mut self, entry: squeue::Entry) {
        if self.closed {
            return;
        }
        let entry = entry.user_data(Kind::Cancel.tag(0)).flags(squeue::Flags::SKIP_SUCCESS);
        // SAFETY: the entry names no memory. Cancelling ends an operation early, after which its memory is
        // still held until its completion was seen.
        unsafe { self.place(entry) };
    }

    /// Submits everything and waits as told; one system call, or none when there is nothing to do.
    pub(super) fn turn(&mut self, wait: Wait, gather: Gather) -> io::Result<()> {
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
        let wish = match left {
            None => Gather { events: 0, micros: 0 },
            Some(_) if self.gathers => gather,
            Some(_) => Gather::NOTHING,
        };
        match self.enter_with(queued, wish, true, left.flatten().as_ref()) {
            Err(error) if !passes(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Copies all completions out of the shared queue.
    pub(super) fn take_completions(&mut self, into: &mut Vec<cqueue::Entry>) {
        into.extend(self.uring.completion());
        let ended = |entry: &&cqueue::Entry| {
            !cqueue::more(entry.flags()) && !matches!(Kind::of(entry.user_data()), Some((Kind::Cancel, _)))
        };
        let last = into.iter().filter(ended).count();
        self.in_flight = self.in_flight.saturating_sub(u64::try_from(last).unwrap_or(u64::MAX));
    }

    /// Lets the kernel move completions that had no room into the shared queue.
    pub(super) fn flush_overflow(&mut self) -> io::Result<()> {
        match self.enter_with(0, Gather { events: 0, micros: 0 }, true, None) {
            Err(error) if !passes(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Cancels everything and takes nothing more.
    pub(super) fn close(&mut self) {
        self.cancel_all();
        self.closed = true;
    }

    /// Whether nothing more is taken.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
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
                Err(error) if !passes(&error) => return Err(error),
                _ if self.uring.submission().len() == before => break,
                _ => {}
            }
        }
        Ok(())
    }

    fn submit(&mut self) -> io::Result<()> {
        let queued = self.uring.submission().len();
        self.enter_with(queued, Gather { events: 0, micros: 0 }, false, None)
    }

    fn enter_with(&mut self, queued: usize, want: Gather, events: bool, timeout: Option<&Timespec>) -> io::Result<()> {
        self.enters += 1;
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        self.door.enter(queued, want, events, timeout).map(drop)
    }
}

/// Registers an empty table of files, as large as the process may have descriptors, within reason. Gives its size;
/// without one, descriptors are used as they are.
///
/// Not before Linux 6.13, of which a later feature tells: there a file that was taken out is closed only when every
/// operation that began before has ended, the idle receives of other sockets among them.
fn register_files(uring: &IoUring) -> u32 {
    if !uring.params().is_feature_no_iowait() {
        return 0;
    }
    // The kernel refuses a table above the limit on descriptors. 8 bytes of its memory each.
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes one `struct rlimit`.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    let size = u32::try_from(limit.rlim_cur).unwrap_or(u32::MAX).min(FILES_MAX);
    if size > 0 && uring.submitter().register_files_sparse(size).is_ok() { size } else { 0 }
}

/// Whether an error of `io_uring_enter(2)` passes by itself: the deadline came, a signal came, the kernel is
/// short of memory, or completions have to be taken first. Entries not taken stay queued for the next turn.
fn passes(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY))
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
