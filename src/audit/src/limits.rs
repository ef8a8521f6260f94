//! Every limit of the audit log, with its reason. Limits on single values (statement text, parameters) belong
//! to the protocols and stand in `wire::limits`.

/// Bytes of records that one shard holds while they wait to be written. At 600 bytes a record this is some
/// 28,000 statements, two seconds of a disk that stands still under a busy shard.
pub const PENDING_BYTES: usize = 16 << 20;

/// From here on new statements are refused under `on_failure = "refuse"`, so that the records of those that
/// run already still find room.
pub const HIGH_WATER_BYTES: usize = 12 << 20;

/// A batch of this size is written at once; a smaller one waits for [`FLUSH_DELAY_NS`].
pub const BATCH_BYTES: usize = 64 << 10;

/// How long a record may wait for others to share its write. It bounds what a killed process loses.
pub const FLUSH_DELAY_NS: u64 = 10_000_000;

/// Pause after the first failed write; it doubles with each further one.
pub const RETRY_FIRST_NS: u64 = 100_000_000;

/// Longest pause between two attempts to write: how long the log stays down after the disk has recovered.
pub const RETRY_LONGEST_NS: u64 = 5_000_000_000;

/// Memory that an idle log keeps for its next batch.
pub const SPARE_BYTES: usize = 256 << 10;

/// Longest line that is read back. The longest that is written has a statement of 16 KiB and 64 parameters of
/// 256 bytes, each byte escaped to six, and names of relations.
pub const LINE_BYTES: usize = 4 << 20;

const _: () = assert!(BATCH_BYTES < HIGH_WATER_BYTES && HIGH_WATER_BYTES < PENDING_BYTES);
const _: () = assert!(RETRY_FIRST_NS < RETRY_LONGEST_NS);
const _: () = assert!(LINE_BYTES < PENDING_BYTES - HIGH_WATER_BYTES + 1);
