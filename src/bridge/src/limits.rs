//! Every limit of the crossing, with its reason.

/// Commands that may wait for one shard. A shard takes them within one turn of its loop, so more than a few
/// mean that it hangs; the control plane then says so.
pub const COMMANDS: usize = 64;

/// Events of one shard that may wait for the control plane, which does nothing long.
pub const EVENTS: usize = 256;

/// Longest latency that is told apart, in nanoseconds: ten minutes. A longer one counts as this.
pub const LATENCY_NS: u64 = 600_000_000_000;

/// Decimal digits to which a latency is known. Two (within 1 %) keep a histogram under 40 KiB, small enough to
/// be copied whole in some microseconds when the metrics are collected.
pub const LATENCY_DIGITS: u8 = 2;

const _: () = assert!(COMMANDS <= EVENTS);
