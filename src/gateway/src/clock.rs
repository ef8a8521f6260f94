//! Time on a shard: monotonic nanoseconds, and the wall clock that they stand for.
//!
//! The driver reads the clock once when a turn begins; statements read it once more when they are sent and
//! when they end. Nothing reads it per message.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock with a fixed relation to the wall clock at start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    unix_start_ns: u64,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), unix_start_ns: saturating_ns(since_epoch) }
    }

    /// Nanoseconds since this clock started.
    pub(crate) fn now_ns(&self) -> u64 {
        saturating_ns(self.start.elapsed())
    }

    /// Nanoseconds since 1970 for a reading of this clock.
    pub(crate) fn unix_ns(&self, reading_ns: u64) -> u64 {
        self.unix_start_ns.saturating_add(reading_ns)
    }

    /// The instant of a reading, for a wait's deadline.
    pub(crate) fn instant(&self, reading_ns: u64) -> Instant {
        self.start + Duration::from_nanos(reading_ns)
    }
}

fn saturating_ns(duration: Duration) -> u64 {
    // Not by `as_nanos`: this is on the way of each statement, and 128 bits are many instructions.
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// A duration as nanoseconds, saturating.
pub(crate) fn ns(duration: Duration) -> u64 {
    saturating_ns(duration)
}
