//! Figures of the parts of one shard that have counters of their own: the verdict cache, the ring, the audit log.

/// The cache of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerdictCacheFigures {
    /// Statements whose verdict was known.
    pub hits: u64,
    /// Statements that were parsed.
    pub misses: u64,
    /// Verdicts that made room for others.
    pub evictions: u64,
    /// Verdicts in it, now.
    pub entries: u64,
    /// Bytes that they take, now.
    pub bytes: u64,
}

impl VerdictCacheFigures {
    pub(super) const fn merge(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.evictions += other.evictions;
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}

/// The ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingFigures {
    /// Times that the shard entered the kernel.
    pub enters: u64,
    /// Completions that it was given.
    pub completions: u64,
    /// Receives that ended because no buffer was free.
    pub enobufs: u64,
    /// Receives and accepts armed again after the kernel ended them.
    pub rearms: u64,
    /// Sends that took fewer bytes than were offered.
    pub short_sends: u64,
    /// Receive buffers that no chunk holds, now.
    pub buffers_free: u64,
    /// All receive buffers.
    pub buffers_total: u64,
}

impl RingFigures {
    pub(super) const fn merge(&mut self, other: &Self) {
        self.enters += other.enters;
        self.completions += other.completions;
        self.enobufs += other.enobufs;
        self.rearms += other.rearms;
        self.short_sends += other.short_sends;
        self.buffers_free += other.buffers_free;
        self.buffers_total += other.buffers_total;
    }
}

/// The audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFigures {
    /// Records taken in.
    pub records: u64,
    /// Bytes written to files.
    pub bytes: u64,
    /// Records lost because the log could not be written.
    pub dropped: u64,
    /// Writes and opens that failed.
    pub failures: u64,
    /// Files begun because the one before was full.
    pub rotations: u64,
    /// Statements refused because the log could not be written.
    pub refused_statements: u64,
    /// Bytes that wait to be written, now.
    pub pending_bytes: u64,
    /// Shards whose log cannot be written, now: 0 or 1 for one shard.
    pub failing: u64,
}

impl AuditFigures {
    pub(super) const fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.dropped += other.dropped;
        self.failures += other.failures;
        self.rotations += other.rotations;
        self.refused_statements += other.refused_statements;
        self.pending_bytes += other.pending_bytes;
        self.failing += other.failing;
    }
}
