//! Counting, and handing the counts to the control plane when it asks.

use bridge::metrics::count;
use bridge::{AuditFigures, ListenerMetrics, RingFigures, ShardMetrics, VerdictCacheFigures};

use crate::shard::Shard;

/// Counts on one listener.
pub(crate) fn on_listener(shard: &Shard, listener: usize, work: impl FnOnce(&mut ListenerMetrics)) {
    if let Some(metrics) = shard.metrics.borrow_mut().listeners.get_mut(listener) {
        work(metrics);
    }
}

/// A connection was turned away before anybody could authenticate.
pub(crate) fn refused(shard: &Shard, reason: &str) {
    count(&mut shard.metrics.borrow_mut().refused_connections, reason, 1);
}

/// A session was ended because a side broke the protocol or a limit.
pub(crate) fn fault(shard: &Shard, reason: &str) {
    count(&mut shard.metrics.borrow_mut().faults, reason, 1);
}

/// A copy of all figures, with those that other parts keep for themselves.
pub(crate) fn collect(shard: &Shard) -> ShardMetrics {
    let mut metrics = shard.metrics.borrow().clone();
    let ring = shard.ring.borrow().stats();
    metrics.ring = RingFigures {
        enters: ring.enters,
        completions: ring.completions,
        enobufs: ring.enobufs,
        rearms: ring.rearms,
        short_sends: ring.short_sends,
        buffers_free: ring.buffers_free,
        buffers_total: ring.buffers_total,
    };
    let verdicts = shard.verdicts.borrow();
    metrics.verdict_cache = VerdictCacheFigures {
        hits: verdicts.hits,
        misses: verdicts.misses,
        evictions: verdicts.evictions,
        entries: verdicts.entries() as u64,
        bytes: verdicts.bytes() as u64,
    };
    let audit = shard.audit.borrow();
    let counts = audit.counts();
    metrics.audit = AuditFigures {
        records: counts.records,
        bytes: counts.bytes,
        dropped: counts.dropped,
        failures: counts.failures,
        rotations: counts.rotations,
        refused_statements: metrics.audit.refused_statements,
        pending_bytes: audit.held_bytes() as u64,
        failing: u64::from(audit.is_failing()),
    };
    metrics
}
