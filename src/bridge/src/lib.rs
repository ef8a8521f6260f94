//! The only crossing between the data plane and the control plane: bounded queues of commands and events.
//!
//! Each shard has a link of its own ([`link`]): [`Command`]s go in, [`Event`]s come out. Neither plane waits for
//! the other: a send returns at once, with the message where there was no room for it, and the receiver is told
//! by a waker that it chose itself (the shard's ring notifier, tokio's `Notify`). So this crate knows neither
//! runtime.
//!
//! [`ShardMetrics`] are the figures that a shard keeps for itself and hands over whole when it is asked.

#![forbid(unsafe_code)]

pub mod limits;
pub mod metrics;

mod link;
mod message;
mod queue;

pub use link::{ControlLink, ShardLink, link};
pub use message::{Command, Event};
pub use metrics::{
    AuditFigures, Counts, Latency, ListenerMetrics, RingFigures, ShardMetrics, StatementCounts, VerdictCacheFigures,
};
pub use queue::{Full, Receiver, Sender, channel};
