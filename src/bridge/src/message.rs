//! What the two planes say to each other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::ShardMetrics;

/// From the control plane to a shard.
#[derive(Clone)]
#[non_exhaustive]
pub enum Command {
    /// Append this record to the audit log: whole encoded lines, line breaks included.
    Audit(Box<[u8]>),
    /// Read the TLS files of all listeners again; new connections use them.
    Certificates,
    /// Send [`Event::Metrics`].
    CollectMetrics,
    /// A human decided about a statement that is held.
    Decision {
        /// The session, as in the audit.
        session: Box<str>,
        /// The statement, as the audit numbers it.
        statement: u64,
        /// Whether it may run.
        allow: bool,
    },
    /// Use this policy from each session's next statement on, and send [`Event::PolicyActive`].
    Policy(Arc<policy::snapshot::Snapshot>),
    /// Accept nobody any more, let running statements end for at most `grace`, tell idle clients 57P01, then
    /// send [`Event::Stopped`]. A second one may shorten the grace.
    Stop {
        /// How long running statements may take to end.
        grace: Duration,
    },
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audit(line) => write!(f, "Audit({} bytes)", line.len()),
            Self::Certificates => f.write_str("Certificates"),
            Self::CollectMetrics => f.write_str("CollectMetrics"),
            Self::Decision { session, statement, allow } => {
                write!(f, "Decision({session}, statement {statement}, allow {allow})")
            }
            // A policy holds secrets of users and is long.
            Self::Policy(_) => f.write_str("Policy"),
            Self::Stop { grace } => write!(f, "Stop({grace:?})"),
        }
    }
}

/// From a shard to the control plane.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The audit log can be written again, or can no longer.
    AuditState {
        /// The shard.
        shard: usize,
        /// Whether it can be written.
        ok: bool,
        /// What the system said where it cannot.
        error: Option<String>,
    },
    /// The shard has ended where it should not have.
    Failed {
        /// The shard.
        shard: usize,
        /// Why.
        error: String,
    },
    /// The shard accepts clients on every listener.
    Listening {
        /// The shard.
        shard: usize,
    },
    /// The answer to [`Command::CollectMetrics`]: figures since the start.
    Metrics(Box<ShardMetrics>),
    /// The shard uses a new policy.
    PolicyActive {
        /// The shard.
        shard: usize,
        /// The generation of that policy.
        generation: u64,
    },
    /// The shard has ended as it was told; its audit log is written.
    Stopped {
        /// The shard.
        shard: usize,
    },
}
