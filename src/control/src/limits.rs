//! Every limit of the control plane, with its reason.

use core::time::Duration;

/// How long a scrape waits for the shards' figures. A shard answers within one turn of its loop; Prometheus
/// itself gives up after ten seconds.
pub const COLLECT: Duration = Duration::from_secs(1);

/// How often the config file is looked at. A change is loaded when two looks saw the same, so that a file which
/// is still being written is not taken for a shorter one.
pub const WATCH: Duration = Duration::from_secs(1);

/// Largest config file that is read: ten thousand rules of two hundred bytes, twice.
pub const CONFIG_BYTES: u64 = 4 << 20;

/// Connections of the admin server at once. Scrapers and probes need a few; more wait to be accepted.
pub const ADMIN_CONNECTIONS: usize = 64;

/// How long an admin connection may stand without a byte in or out: above the longest usual scrape interval.
pub const ADMIN_IDLE: Duration = Duration::from_secs(120);

/// Problems of a refused config that go into the log and the audit.
pub const PROBLEMS_SHOWN: usize = 50;

const _: () = assert!(COLLECT.as_nanos() < ADMIN_IDLE.as_nanos());

/// Commands that wait for room in one shard's queue. Each kind waits once, audit lines aside.
pub const WAITING_COMMANDS: usize = 128;
