//! One turn of the loop, and the beginning and end of a ring.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Ring;
use super::alarms::Alarms;
use io_uring::cqueue;

use super::event::{Counters, Event, Gather, RingConfig, RingError, RingStats, Wait};
use super::notifier::Mailbox;
use super::pool::Pool;
use super::queue::{Kind, Queue};
use super::table::Table;

/// How long the drop of a ring waits for the kernel to give memory back. Cancelling is a matter of
/// microseconds for sockets; a write to a hung disk cannot be cancelled at all.
const DROP_LIMIT: Duration = Duration::from_secs(2);

/// Buffers offered beside one for each socket. What the kernel takes of one socket before it looks at the
/// next (`MULTISHOT_MAX_RETRY`).
const BURST_BUFFERS: usize = 32;

impl Ring {
    /// Sets up a ring for this thread, which is the only one that may use it.
    ///
    /// # Errors
    /// [`RingError`]; [`check_host`](super::check_host) explains a refusal of the kernel.
    pub fn new(config: &RingConfig) -> Result<Self, RingError> {
        if config.entries == 0 {
            return Err(RingError::Config("`entries` must not be 0"));
        }
        let pool = Pool::new(config)?;
        let mailbox = Mailbox::new().map_err(RingError::Mailbox)?;
        let queue = Queue::new(config.entries, config.buffers)?;
        // SAFETY: `Drop` unregisters the pool before it lets go of it, or leaks it.
        unsafe { queue.register_pool(&pool) }?;
        let mut ring = Self {
            queue,
            pool,
            sockets: Table::new(),
            listeners: Table::new(),
            files: Table::new(),
            mailbox,
            alarms: Alarms::new(),
            starved: VecDeque::new(),
            unfed: Vec::new(),
            limits_receives: true,
            gather: Gather::NOTHING,
            spare_vectors: Vec::new(),
            spare_lists: Vec::new(),
            silent: VecDeque::new(),
            answers: Vec::new(),
            completions: Vec::new(),
            counters: Counters::default(),
        };
        ring.pool.offer(BURST_BUFFERS);
        ring.arm_mailbox();
        Ok(ring)
    }

    /// Submits what is queued, waits as told, and appends what happened to `events`.
    ///
    /// May return without an event before the wait is over, for a completion that concerns only the ring,
    /// or for a signal.
    ///
    /// # Errors
    /// Those of `io_uring_enter(2)` that do not pass by themselves; the ring is of no use after one.
    pub fn turn(&mut self, wait: Wait, events: &mut Vec<Event>) -> io::Result<()> {
        self.pool.offer(self.window());
        self.feed_starved();
        // A silent send does not end the wait, and may hold the buffers that a starved receive waits for.
        let stuck = !self.starved.is_empty() && !self.silent.is_empty();
        let wait = if self.answers.is_empty() && !stuck { wait } else { Wait::Poll };
        events.append(&mut self.answers);
        let wait = match wait {
            Wait::Until(deadline) if self.alarms.arm(&mut self.queue, deadline) => Wait::Forever,
            other => other,
        };
        let mut result = self.queue.turn(wait, self.gather);
        let mut completions = std::mem::take(&mut self.completions);
        self.queue.take_completions(&mut completions);
        while result.is_ok() && self.queue.has_overflow() {
            result = self.queue.flush_overflow();
            self.queue.take_completions(&mut completions);
        }
        self.complete(&mut completions, events);
        self.completions = completions;
        result
    }

    /// What the following turns wait for when they sleep.
    pub fn set_gather(&mut self, gather: Gather) {
        self.gather = gather;
    }

    /// Buffers that the next turn is likely to need: one for each socket, and a burst of bulk data.
    ///
    /// Too few cost an entry more for each socket that goes without, in the next turn; too many cost cache
    /// misses (see [`pool`](super::pool)).
    fn window(&self) -> usize {
        BURST_BUFFERS + self.sockets.len()
    }

    fn complete(&mut self, completions: &mut Vec<cqueue::Entry>, events: &mut Vec<Event>) {
        self.counters.completions += u64::try_from(completions.len()).unwrap_or(0);
        // Sends first: room that they made is known before more comes in.
        for completion in &*completions {
            if let Some((Kind::Send, index)) = Kind::of(completion.user_data()) {
                self.send_completed(index, completion.result(), events);
            }
        }
        self.settle_silent();
        for completion in completions.drain(..) {
            let (result, flags) = (completion.result(), completion.flags());
            match Kind::of(completion.user_data()) {
                Some((Kind::Accept, index)) => self.accept_completed(index, result, flags, events),
                Some((Kind::Alarm, index)) => self.alarms.completed(index),
                Some((Kind::Connect, index)) => self.connect_completed(index, result, events),
                Some((Kind::Mailbox, _)) => self.mailbox_completed(flags, events),
                Some((Kind::Receive, index)) => self.receive_completed(index, result, flags, events),
                Some((kind @ (Kind::Sync | Kind::Write), index)) => self.file_completed(kind, index, result, events),
                // Handled above. And whether cancelling worked shows in the completion of what was cancelled.
                Some((Kind::Send | Kind::Cancel, _)) => {}
                None => debug_assert!(false, "a completion that nobody asked for"),
            }
        }
    }

    /// Counters since the start, and the buffers now.
    #[must_use]
    pub fn stats(&self) -> RingStats {
        RingStats {
            enters: self.queue.enters(),
            completions: self.counters.completions,
            received: self.counters.received,
            enobufs: self.counters.enobufs,
            rearms: self.counters.rearms,
            short_sends: self.counters.short_sends,
            buffers_free: u64::from(self.pool.free()),
            buffers_total: u64::from(self.pool.total()),
        }
    }

    /// Cancels everything and handles completions until nothing is in flight. Gives whether that was done
    /// in time.
    fn quiesce(&mut self) -> bool {
        let deadline = Instant::now() + DROP_LIMIT;
        self.queue.close();
        let mut events = Vec::new();
        while !self.queue.is_quiet() {
            if Instant::now() >= deadline || self.turn(Wait::Until(deadline), &mut events).is_err() {
                return false;
            }
            // Accepted sockets and chunks among them are closed and given back.
            events.clear();
        }
        true
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let quiet = self.quiesce() && self.queue.unregister_pool().is_ok();
        self.queue.unregister();
        if !quiet {
            // The kernel may still use what its operations name. Leaking it is the only safe thing left.
            std::mem::forget(Rc::clone(&self.pool));
            std::mem::forget(std::mem::replace(&mut self.sockets, Table::new()));
            std::mem::forget(std::mem::replace(&mut self.files, Table::new()));
        }
    }
}
