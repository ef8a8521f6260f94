//! The figures that a shard keeps: plain numbers, counted without a lock, since the shard's start.
//!
//! A shard hands over a copy of all of them when it is asked; the control plane adds the copies of all shards
//! ([`ShardMetrics::merge`]) and so never loses a count when a copy does not arrive.

mod data;
mod figures;
mod latency;
mod listener;

use std::collections::BTreeMap;

pub use data::DataCounts;
pub use figures::{AuditFigures, RingFigures, VerdictCacheFigures};
pub use latency::Latency;
pub use listener::{ListenerMetrics, StatementCounts};

/// Counts under names: of rules, or the fixed short names of reasons.
pub type Counts = BTreeMap<Box<str>, u64>;

/// All figures of one shard, or of several together.
#[derive(Clone, Debug, Default)]
pub struct ShardMetrics {
    /// One for each listener, in the order of the config.
    pub listeners: Vec<ListenerMetrics>,
    /// Bytes and rows that passed.
    pub data: DataCounts,
    /// Connections turned away before anybody could authenticate, by reason.
    pub refused_connections: Counts,
    /// Sessions ended because a side broke the protocol or a limit, by reason.
    pub faults: Counts,
    /// Cells masked, by rule.
    pub masked_cells: Counts,
    /// Statements that rules of `mode = "report"` would have refused or masked, by rule.
    pub reported_statements: Counts,
    /// Loads of a database's catalogue.
    pub catalogue_loads: u64,
    /// Loads of a database's catalogue that failed.
    pub catalogue_failures: u64,
    /// The cache of verdicts.
    pub verdict_cache: VerdictCacheFigures,
    /// The ring.
    pub ring: RingFigures,
    /// The audit log.
    pub audit: AuditFigures,
}

impl ShardMetrics {
    /// Figures that are all zero, for listeners of these names.
    pub fn new(listeners: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self { listeners: listeners.into_iter().map(ListenerMetrics::new).collect(), ..Self::default() }
    }

    /// Adds another shard's figures; listeners are matched by name.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.listeners {
            match self.listeners.iter_mut().find(|ours| ours.name == theirs.name) {
                Some(ours) => ours.merge(theirs),
                None => self.listeners.push(theirs.clone()),
            }
        }
        self.data.merge(&other.data);
        add_counts(&mut self.refused_connections, &other.refused_connections);
        add_counts(&mut self.faults, &other.faults);
        add_counts(&mut self.masked_cells, &other.masked_cells);
        add_counts(&mut self.reported_statements, &other.reported_statements);
        self.catalogue_loads += other.catalogue_loads;
        self.catalogue_failures += other.catalogue_failures;
        self.verdict_cache.merge(&other.verdict_cache);
        self.ring.merge(&other.ring);
        self.audit.merge(&other.audit);
    }
}

/// Adds one to the count under a name, or more; allocates only when the name is new.
pub fn count(counts: &mut Counts, name: &str, more: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += more,
        None => {
            counts.insert(name.into(), more);
        }
    }
}

fn add_counts(ours: &mut Counts, theirs: &Counts) {
    for (name, more) in theirs {
        count(ours, name, *more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_everything_and_matches_listeners_by_name() {
        let mut first = ShardMetrics::new(["orders", "stock"]);
        first.listeners[0].sessions_total = 3;
        first.data.bytes_from_client = 10;
        count(&mut first.masked_cells, "cards", 2);
        count(&mut first.faults, "oversized_frame", 1);
        first.ring.enters = 5;
        first.ring.buffers_total = 64;
        first.audit.failing = 1;
        first.listeners[0].gateway.record(4_000);

        let mut second = ShardMetrics::new(["stock", "orders"]);
        second.listeners[1].sessions_total = 4;
        second.listeners[1].statements.allowed = 1;
        second.data.bytes_from_client = 5;
        count(&mut second.masked_cells, "cards", 3);
        count(&mut second.masked_cells, "mail", 1);
        second.ring.buffers_total = 64;
        second.verdict_cache.hits = 7;
        second.listeners[1].gateway.record(8_000);
        first.listeners[0].record_rule("cards", 1_000);
        second.listeners[1].record_rule("cards", 3_000);
        second.listeners[1].record_rule("mail", 3_000);

        first.merge(&second);
        assert_eq!(first.listeners.len(), 2);
        assert_eq!((&*first.listeners[0].name, first.listeners[0].sessions_total), ("orders", 7));
        assert_eq!(first.listeners[0].statements.allowed, 1);
        assert_eq!((first.listeners[0].gateway.count(), first.listeners[0].gateway.sum_ns()), (2, 12_000));
        let rules: Vec<_> =
            first.listeners[0].rules.iter().map(|(rule, latency)| (&**rule, latency.sum_ns())).collect();
        assert_eq!(rules, [("cards", 4_000), ("mail", 3_000)]);
        assert_eq!(first.data.bytes_from_client, 15);
        assert_eq!(
            (first.masked_cells["cards"], first.masked_cells["mail"], first.faults["oversized_frame"]),
            (5, 1, 1)
        );
        assert_eq!((first.ring.enters, first.ring.buffers_total, first.audit.failing), (5, 128, 1));
        assert_eq!(first.verdict_cache.hits, 7);
    }

    #[test]
    fn figures_of_no_shard_are_a_neutral_start() {
        let mut sum = ShardMetrics::default();
        let mut one = ShardMetrics::new(["orders"]);
        one.listeners[0].sessions_open = 2;
        sum.merge(&one);
        sum.merge(&ShardMetrics::default());
        assert_eq!((sum.listeners.len(), sum.listeners[0].sessions_open), (1, 2));
    }
}
