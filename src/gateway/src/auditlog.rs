//! A shard's audit log: the pure state machine of [`audit::Log`], its file, and the ring that writes it.

use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;

use audit::{Action, Change, Log, Record};

use crate::clock::Clock;
use crate::ring::Ring;

/// The file operations of the audit have one token: there is one of them at a time.
pub(crate) const AUDIT_TOKEN: u64 = 1;

/// The audit log of one shard.
pub(crate) struct AuditLog {
    log: Log,
    file: Rc<File>,
    directory: PathBuf,
    shard: usize,
}

impl AuditLog {
    /// A log that appends to a file that is open already.
    pub(crate) fn new(log: Log, file: File, directory: PathBuf, shard: usize) -> Self {
        Self { log, file: Rc::new(file), directory, shard }
    }

    /// Adds a record.
    pub(crate) fn record(&mut self, record: &Record<'_>) {
        self.log.record(record);
    }

    /// Whether a new statement may run as far as the audit is concerned.
    pub(crate) fn accepts(&self) -> bool {
        self.log.accepts()
    }

    /// What the log counts.
    pub(crate) fn counts(&self) -> audit::log::Counts {
        self.log.counts()
    }

    /// Bytes that wait to be written.
    pub(crate) fn held_bytes(&self) -> usize {
        self.log.held_bytes()
    }

    /// Whether the log cannot be written.
    pub(crate) fn is_failing(&self) -> bool {
        matches!(self.log.health(), audit::Health::Failed { .. })
    }

    /// Adds lines that are encoded already.
    pub(crate) fn push(&mut self, lines: &[u8]) {
        self.log.push(lines);
    }

    /// Clock reading at which [`AuditLog::poll`] has something to do.
    pub(crate) fn deadline_ns(&self, now_ns: u64) -> Option<u64> {
        self.log.deadline(now_ns)
    }

    /// Starts a write that is due, and opens the next file where the current one is full.
    /// Returns a change between working and failing, to be reported.
    pub(crate) fn poll(&mut self, ring: &mut Ring, clock: &Clock, now_ns: u64) -> Option<Change> {
        let mut action = self.log.poll(now_ns);
        while let Some(Action::Open { sequence, .. }) = action {
            let opened = audit::files::create(&self.directory, self.shard, sequence);
            let result = opened.map(|file| self.file = Rc::new(file));
            action = self.log.opened(now_ns, result);
            if action.is_none() {
                action = self.log.poll(now_ns);
            }
        }
        if let Some(Action::Write { bytes, offset }) = action {
            ring.write_file(&self.file, bytes, offset, AUDIT_TOKEN);
        }
        let change = self.log.take_change();
        if let Some(Change::Recovered { dropped, error, .. }) = &change {
            let unix_ns = clock.unix_ns(now_ns);
            self.log.record(&Record::Gap(audit::Gap { unix_ns, dropped: *dropped, error }));
        }
        change
    }

    /// A write came back.
    pub(crate) fn written(&mut self, now_ns: u64, buffer: Vec<u8>, result: std::io::Result<usize>) {
        self.log.written(now_ns, buffer, result);
    }

    /// Asks for everything to be written without delay, and says whether it is. A log that cannot be
    /// written does not keep the process alive.
    pub(crate) fn finish(&mut self) -> bool {
        self.log.flush();
        self.log.is_drained() || self.is_failing()
    }
}
