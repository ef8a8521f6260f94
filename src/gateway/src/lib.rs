//! The data plane: glommio shards, the ring, relay loop, TLS, upstream, cancel routing, metrics.
//!
//! [`start`] checks the host, binds the listeners and starts one shard for each core; the control plane
//! talks to the shards through [`bridge`] alone. A shard is one thread with one ring; the way of one client:
//! `driver` accepts, `setup` makes a session of it, `relay` carries it, `guard` asks the policy and writes
//! the audit.
//!
//! This crate never uses tokio, and only [`ring`] has `unsafe`.

mod auditlog;
mod cancel;
mod catalogues;
mod clock;
mod comparisons;
mod driver;
mod facts;
mod figures;
mod guard;
mod limits;
mod own_line;
mod pace;
mod protocol;
mod random;
mod relay;
pub mod ring;
mod rsa;
mod setup;
mod shard;
mod start;
pub mod tls;
mod upstream;
pub mod verdicts;

pub use start::{Running, Secrets, SecretsHandle, StartError, shard_count, start};
