//! Limits of the data plane alone; those that protocols share are in [`wire::limits`].

use crate::ring::Gather;

/// Bytes of one socket that a set-up reads ahead before its receive stops: a start-up packet and an
/// authentication message fit, with room for statements that a client sends before it is told that it may.
pub(crate) const SETUP_BYTES: usize = 128 << 10;

/// Bytes that wait for one slow side before the other side's receive stops.
/// Four chunks: enough to keep a fast peer busy for a turn, little enough for a thousand slow readers.
pub(crate) const BACKLOG_HIGH_BYTES: usize = 256 << 10;

/// Bytes that wait below which the other side's receive starts again.
pub(crate) const BACKLOG_LOW_BYTES: usize = 64 << 10;

/// Received chunks that one direction of a session may hold while its reader is slow; more move to the heap.
pub(crate) const CHUNKS_PER_LEG: usize = 8;

/// Bytes that one session may process in one turn, so that a bulk result does not delay point queries.
pub(crate) const TURN_BYTES: usize = 512 << 10;

/// Span over which busy sessions are counted, to decide how many events a sleep should end with.
pub(crate) const PACE_WINDOW_NS: u64 = 1_000_000;

/// Sessions that were busy in one span from which on a sleep waits for several events.
pub(crate) const PACE_SESSIONS: u32 = 8;

/// How many: half of the sessions that were busy, so that the servers have the other half to work on, and not more
/// than a wake is long repaid by.
pub(crate) const PACE_EVENTS_MAX: u32 = 16;

/// How long such a sleep lasts at most. A statement crosses the gateway twice: it is delayed by at most twice this,
/// where that many sessions keep the core busy.
pub(crate) const PACE_MICROS: u32 = 75;

/// Bytes that a turn moves at least while a large result or COPY passes: more than a message of a point query.
pub(crate) const BULK_BYTES: usize = 8 << 10;

/// Such turns of late from which on it is taken for one; and as many as are counted.
pub(crate) const BULK_TURNS: u32 = 3;
pub(crate) const BULK_TURNS_MAX: u32 = 8;

/// What a sleep in the midst of one waits for: 100 µs' worth of it, or a second socket. The bytes behind its end are
/// delayed by that much once; the servers' pieces of 8 KiB would otherwise cost a wake each.
pub(crate) const BULK: Gather = Gather { events: 2, micros: 100 };

/// How often set-ups, idle sessions and a stop are looked at.
pub(crate) const SWEEP_NS: u64 = 250_000_000;

/// How long a side may take to read the last message before its socket is closed.
pub(crate) const LINGER_NS: u64 = 2_000_000_000;

/// Bytes of judged statements that one shard remembers.
pub(crate) const VERDICT_CACHE_BYTES: usize = 32 << 20;

/// Longest statement whose verdict is remembered: longer ones are rarely repeated byte for byte.
pub(crate) const CACHED_STATEMENT_BYTES: usize = 32 << 10;

/// Parse contexts (rules, catalogue, settings) that one shard tells apart at a time.
pub(crate) const CONTEXTS: usize = 1024;

/// Catalogues that one shard remembers, one for each listener and database.
pub(crate) const CATALOGUES: usize = 256;

/// Least time between two loads of one catalogue that an unknown name asks for, so that a client cannot
/// make every statement read it.
pub(crate) const CATALOGUE_RELOAD_NS: u64 = 1_000_000_000;

/// Age at which a catalogue is read again before the next statement that may wait for it: what changes
/// relations past Wiregate is seen after this time at the latest.
pub(crate) const CATALOGUE_AGE_NS: u64 = 60_000_000_000;

/// Sockets beyond the clients' limit that may be in set-up at once, to be told 53300 in proper form.
pub(crate) const SETUPS_BEYOND_LIMIT: usize = 256;

/// Users of whom one hour's comparisons with masked columns are counted; further ones have none.
pub(crate) const COMPARING_USERS: usize = 100_000;

const _: () = assert!(BACKLOG_LOW_BYTES < BACKLOG_HIGH_BYTES);
const _: () = assert!(SETUP_BYTES > wire::limits::AUTH_BYTES + wire::limits::STARTUP_BYTES);
const _: () = assert!(CACHED_STATEMENT_BYTES < VERDICT_CACHE_BYTES);
