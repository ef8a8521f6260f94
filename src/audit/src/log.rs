//! One shard's log as a state machine without IO: what to write, when to begin the next file, what to do when
//! the disk refuses.
//!
//! ```text
//!            record                 poll -> Write              written(all)
//!   Resting ────────▶ records wait ──────────────▶ Writing ─────────────────▶ Resting
//!                          │  file is full: poll -> Open          │ written(error), or part of it
//!                          ▼                                      ▼
//!                       Opening ──opened(Ok)──▶ records wait   Failed, poll after the pause ─▶ Write again
//! ```
//!
//! At most one action is under way at a time, so records reach the file in order and a batch that was written
//! in part goes on where it stopped. Memory is bounded by [`PENDING_BYTES`]: past it records are dropped,
//! counted, and named by a [`crate::record::Gap`]. The caller must carry out each action exactly once and
//! report its result; times are nanoseconds of any monotonic clock, the same one for all calls. This type must
//! never lose a record without counting it.

use std::io;
use std::mem;

use crate::encode::Scratch;
use crate::files::file_name;
use crate::limits::{
    BATCH_BYTES, FLUSH_DELAY_NS, HIGH_WATER_BYTES, PENDING_BYTES, RETRY_FIRST_NS, RETRY_LONGEST_NS, SPARE_BYTES,
};
use crate::record::Record;

/// What happens to statements while the log cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They run, and may leave no record.
    Continue,
    /// New ones are refused.
    #[default]
    Refuse,
}

/// What a [`Log`] starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The shard whose log it is.
    pub shard: usize,
    /// Number of the open file in the shard's series.
    pub sequence: u64,
    /// Bytes in the open file.
    pub len: u64,
    /// Size at which the next file is begun. A file may pass it by one batch.
    pub rotate_bytes: u64,
    /// What happens to statements while the log cannot be written.
    pub on_failure: OnFailure,
}

/// What the caller is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Append `bytes` to the open file, then call [`Log::written`] with the same buffer.
    Write {
        /// Whole records, or the rest of a batch that was written in part.
        bytes: Vec<u8>,
        /// Where in the file they go. A file opened for appending does not need it.
        offset: u64,
    },
    /// Create the next file ([`crate::files::create`], never an existing one), then call [`Log::opened`]; on
    /// success close the old one.
    Open {
        /// Its number in the shard's series.
        sequence: u64,
        /// Its name in the audit directory.
        name: String,
    },
}

/// Whether the log can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The last attempt succeeded.
    Healthy,
    /// It did not.
    Failed {
        /// When the first of the attempts failed.
        since_ns: u64,
        /// What the system said about the last.
        error: String,
        /// When the next attempt is due.
        retry_ns: u64,
        /// The pause after that.
        pause_ns: u64,
    },
}

/// A change of [`Health`], to be told to the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It cannot be written any more.
    Failed {
        /// What the system said.
        error: String,
    },
    /// It can be written again. Where `dropped` is not zero, the caller adds a [`crate::record::Gap`].
    Recovered {
        /// Records that were lost meanwhile.
        dropped: u64,
        /// How long it could not be written.
        down_ns: u64,
        /// What the system had said.
        error: String,
    },
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records taken in.
    pub records: u64,
    /// Bytes written to files.
    pub bytes: u64,
    /// Records dropped because [`PENDING_BYTES`] was reached.
    pub dropped: u64,
    /// Writes and opens that failed.
    pub failures: u64,
    /// Files begun after the first.
    pub rotations: u64,
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Open { sequence: u64 },
    Write { len: usize },
}

/// The log of one shard.
#[derive(Debug)]
pub struct Log {
    settings: LogSettings,
    /// Whole records that no action holds yet.
    pending: Vec<u8>,
    /// When [`Log::poll`] first saw them.
    pending_since_ns: Option<u64>,
    /// What is left of a batch that was not written; goes before `pending`.
    unwritten: Vec<u8>,
    /// The buffer of the last batch, empty, kept for the next.
    spare: Vec<u8>,
    waiting: Waiting,
    health: Health,
    change: Option<Change>,
    /// Drops that no [`Change::Recovered`] has reported yet.
    unreported: u64,
    counts: Counts,
    flushing: bool,
    scratch: Scratch,
}

impl Log {
    /// A healthy log on an open file.
    #[must_use]
    pub const fn new(settings: LogSettings) -> Self {
        Self {
            settings,
            pending: Vec::new(),
            pending_since_ns: None,
            unwritten: Vec::new(),
            spare: Vec::new(),
            waiting: Waiting::Nothing,
            health: Health::Healthy,
            change: None,
            unreported: 0,
            counts: Counts { records: 0, bytes: 0, dropped: 0, failures: 0, rotations: 0 },
            flushing: false,
            scratch: Scratch::new(),
        }
    }

    /// Takes in one record. Returns whether there was room; a record without room is counted as dropped.
    pub fn record(&mut self, record: &Record<'_>) -> bool {
        let start = self.pending.len();
        crate::encode::encode_with(record, &mut self.scratch, &mut self.pending);
        self.admit(start)
    }

    /// Takes in one encoded record, line break included. Returns whether there was room.
    pub fn push(&mut self, line: &[u8]) -> bool {
        debug_assert!(line.ends_with(b"\n"), "a record ends its line");
        let start = self.pending.len();
        self.pending.extend_from_slice(line);
        self.admit(start)
    }

    /// Keeps what was appended to `pending` since `start`, if it fits.
    fn admit(&mut self, start: usize) -> bool {
        if self.held_bytes() > PENDING_BYTES {
            self.pending.truncate(start);
            self.counts.dropped += 1;
            self.unreported += 1;
            return false;
        }
        self.counts.records += 1;
        true
    }

    /// Whether a new statement may run: no while the log is failing or too far behind, unless the config says
    /// that statements go on without it.
    #[must_use]
    pub fn accepts(&self) -> bool {
        match self.settings.on_failure {
            OnFailure::Continue => true,
            OnFailure::Refuse => self.health == Health::Healthy && self.held_bytes() < HIGH_WATER_BYTES,
        }
    }

    /// What is to be done now, if anything. Cheap where nothing is.
    pub fn poll(&mut self, now_ns: u64) -> Option<Action> {
        if self.waiting != Waiting::Nothing || (self.unwritten.is_empty() && self.pending.is_empty()) {
            return None;
        }
        if !self.is_due(now_ns) {
            return None;
        }
        // The rest of a torn batch belongs into the file that has its beginning.
        if self.unwritten.is_empty() && self.settings.len >= self.settings.rotate_bytes && self.settings.len > 0 {
            return Some(self.open(self.settings.sequence.saturating_add(1)));
        }
        let bytes = if self.unwritten.is_empty() {
            self.pending_since_ns = None;
            mem::replace(&mut self.pending, mem::take(&mut self.spare))
        } else {
            mem::take(&mut self.unwritten)
        };
        self.waiting = Waiting::Write { len: bytes.len() };
        Some(Action::Write { bytes, offset: self.settings.len })
    }

    fn is_due(&mut self, now_ns: u64) -> bool {
        if let Health::Failed { retry_ns, .. } = self.health {
            return now_ns >= retry_ns;
        }
        let since_ns = *self.pending_since_ns.get_or_insert(now_ns);
        self.flushing
            || !self.unwritten.is_empty()
            || self.pending.len() >= BATCH_BYTES
            || now_ns.saturating_sub(since_ns) >= FLUSH_DELAY_NS
    }

    /// When [`Log::poll`] is to be called again at the latest. `None`: nothing waits, or the result of an
    /// action is awaited.
    #[must_use]
    pub fn deadline(&self, now_ns: u64) -> Option<u64> {
        if self.waiting != Waiting::Nothing || (self.unwritten.is_empty() && self.pending.is_empty()) {
            return None;
        }
        match self.health {
            Health::Failed { retry_ns, .. } => Some(retry_ns),
            Health::Healthy => Some(self.pending_since_ns.unwrap_or(now_ns).saturating_add(FLUSH_DELAY_NS)),
        }
    }

    /// The result of [`Action::Write`]: the buffer as it was given, and how many of its bytes were written.
    pub fn written(&mut self, now_ns: u64, mut bytes: Vec<u8>, result: io::Result<usize>) {
        debug_assert_eq!(self.waiting, Waiting::Write { len: bytes.len() }, "one write at a time");
        self.waiting = Waiting::Nothing;
        let result = match result {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        };
        match result {
            Ok(count) => {
                let count = count.min(bytes.len());
                let length = u64::try_from(count).unwrap_or(u64::MAX);
                self.settings.len = self.settings.len.saturating_add(length);
                self.counts.bytes = self.counts.bytes.saturating_add(length);
                bytes.drain(..count);
                if !bytes.is_empty() {
                    self.unwritten = bytes;
                    return;
                }
                if bytes.capacity() <= SPARE_BYTES {
                    self.spare = bytes;
                }
                self.succeeded(now_ns);
            }
            Err(error) => {
                self.unwritten = bytes;
                self.failed(now_ns, &error);
            }
        }
    }

    /// The result of [`Action::Open`].
    pub fn opened(&mut self, now_ns: u64, result: io::Result<()>) -> Option<Action> {
        let Waiting::Open { sequence } = self.waiting else {
            debug_assert!(false, "no open was asked for");
            return None;
        };
        self.waiting = Waiting::Nothing;
        match result {
            Ok(()) => {
                self.settings.sequence = sequence;
                self.settings.len = 0;
                self.counts.rotations += 1;
                self.succeeded(now_ns);
                None
            }
            // Another process is ahead of us in the same directory.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Some(self.open(sequence.saturating_add(1))),
            Err(error) => {
                self.failed(now_ns, &error);
                None
            }
        }
    }

    fn open(&mut self, sequence: u64) -> Action {
        self.waiting = Waiting::Open { sequence };
        Action::Open { sequence, name: file_name(self.settings.shard, sequence) }
    }

    fn succeeded(&mut self, now_ns: u64) {
        match mem::replace(&mut self.health, Health::Healthy) {
            Health::Failed { since_ns, error, .. } => {
                let dropped = mem::take(&mut self.unreported);
                self.change = Some(Change::Recovered { dropped, down_ns: now_ns.saturating_sub(since_ns), error });
            }
            // The disk was too slow rather than failing; what was lost is told all the same.
            Health::Healthy if self.unreported > 0 && self.change.is_none() => {
                let dropped = mem::take(&mut self.unreported);
                let error = "records came faster than they could be written".to_owned();
                self.change = Some(Change::Recovered { dropped, down_ns: 0, error });
            }
            Health::Healthy => {}
        }
    }

    fn failed(&mut self, now_ns: u64, error: &io::Error) {
        self.counts.failures += 1;
        let error = error.to_string();
        let (since_ns, pause) = match self.health {
            Health::Healthy => {
                self.change = Some(Change::Failed { error: error.clone() });
                (now_ns, RETRY_FIRST_NS)
            }
            Health::Failed { since_ns, pause_ns, .. } => (since_ns, pause_ns),
        };
        let pause_ns = (pause * 2).min(RETRY_LONGEST_NS);
        self.health = Health::Failed { since_ns, error, retry_ns: now_ns.saturating_add(pause), pause_ns };
    }

    /// From now on every poll writes what there is: the shard is stopping.
    pub const fn flush(&mut self) {
        self.flushing = true;
    }

    /// Whether every record is in the file.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.waiting == Waiting::Nothing && self.pending.is_empty() && self.unwritten.is_empty()
    }

    /// A change of health that was not yet taken.
    pub const fn take_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// Whether the log can be written.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Counts since the start.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of records in memory, those being written included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let flying = if let Waiting::Write { len } = self.waiting { len } else { 0 };
        self.pending.len() + self.unwritten.len() + flying
    }
}

#[cfg(test)]
mod tests;
