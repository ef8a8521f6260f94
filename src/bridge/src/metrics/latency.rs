//! A distribution of durations, with an exact count and sum.
//!
//! Recording is some ten nanoseconds and allocates nothing; memory is fixed from the first record on.

use hdrhistogram::Histogram;

use crate::limits::{LATENCY_DIGITS, LATENCY_NS};

/// Durations in nanoseconds, each known within 1 %.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// `None` until something is recorded: a listener that nobody uses takes no memory.
    histogram: Option<Histogram<u64>>,
    sum_ns: u64,
}

impl Latency {
    /// No durations.
    #[must_use]
    pub const fn new() -> Self {
        Self { histogram: None, sum_ns: 0 }
    }

    /// Adds one duration. One over [`LATENCY_NS`] counts as that, in the sum too.
    pub fn record(&mut self, duration_ns: u64) {
        let duration_ns = duration_ns.min(LATENCY_NS);
        self.sum_ns = self.sum_ns.saturating_add(duration_ns);
        if let Some(histogram) = self.ready() {
            histogram.saturating_record(duration_ns);
        }
    }

    /// Adds all durations of another.
    pub fn merge(&mut self, other: &Self) {
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        if let Some(theirs) = &other.histogram
            && let Some(ours) = self.ready()
        {
            let added = ours.add(theirs);
            debug_assert!(added.is_ok(), "all have the same bounds");
        }
    }

    /// The histogram, made when it is first needed. It is there: the bounds are valid constants.
    fn ready(&mut self) -> Option<&mut Histogram<u64>> {
        if self.histogram.is_none() {
            self.histogram = Histogram::new_with_bounds(1, LATENCY_NS, LATENCY_DIGITS).ok();
            debug_assert!(self.histogram.is_some(), "the bounds are constants");
        }
        self.histogram.as_mut()
    }

    /// How many durations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// Their sum in nanoseconds.
    #[must_use]
    pub const fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The duration in nanoseconds that a fraction (0 to 1) of them does not pass; 0 where there are none.
    #[must_use]
    pub fn quantile_ns(&self, fraction: f64) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(fraction))
    }

    /// For each bound in nanoseconds, ascending, how many durations do not pass it.
    #[must_use]
    pub fn cumulative(&self, bounds_ns: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_ns.len()];
        let Some(histogram) = &self.histogram else { return counts };
        for step in histogram.iter_recorded() {
            // A bucket is counted where its lowest value belongs: bounds then hold within the 1 % of a bucket.
            let lowest = histogram.lowest_equivalent(step.value_iterated_to());
            let first = bounds_ns.partition_point(|&bound| bound < lowest);
            if let Some(count) = counts.get_mut(first) {
                *count += step.count_at_value();
            }
        }
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_sum_and_quantiles() {
        let mut latency = Latency::new();
        assert_eq!((latency.count(), latency.sum_ns(), latency.quantile_ns(0.5)), (0, 0, 0));
        for micros in 1..=1_000 {
            latency.record(micros * 1_000);
        }
        assert_eq!((latency.count(), latency.sum_ns()), (1_000, 500_500_000));
        for (fraction, exact) in [(0.5, 500_000_u64), (0.99, 990_000), (0.999, 999_000), (1.0, 1_000_000)] {
            let found = latency.quantile_ns(fraction);
            assert!(found.abs_diff(exact) <= exact / 100, "{fraction}: {found}");
        }
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        let mut latency = Latency::new();
        latency.record(u64::MAX);
        latency.record(0);
        assert_eq!((latency.count(), latency.sum_ns()), (2, LATENCY_NS));
    }

    #[test]
    fn cumulative_counts_ascend_and_a_bound_includes_itself() {
        let mut latency = Latency::new();
        for value in [500, 1_000, 1_000, 40_000, 2_000_000] {
            latency.record(value);
        }
        assert_eq!(latency.cumulative(&[1_000, 10_000, 50_000, 1_000_000]), [3, 3, 4, 4]);
        assert_eq!(Latency::new().cumulative(&[1, 2]), [0, 0]);
    }

    #[test]
    fn a_histogram_stays_small() {
        let mut latency = Latency::new();
        latency.record(1);
        let buckets = latency.histogram.as_ref().map_or(0, Histogram::distinct_values);
        assert!(buckets * 8 <= 40 << 10, "{} bytes", buckets * 8);
    }
}
