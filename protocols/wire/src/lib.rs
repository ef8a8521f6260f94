//! What every wire protocol of Wiregate needs, and nothing that only one needs.
//!
//! - [`cursor`]: bounds-checked reading of a peer's bytes; every failure is a value, never a panic.
//! - [`output`]: what one call of a protocol session wants sent to either side.
//! - [`segments`]: what a session sends, as ranges of the chunk it was given and owned bytes between them.
//! - [`value`]: columns and value types under neutral names, so that one mask serves every protocol.
//! - [`guard`]: the questions a session asks of the policy, and what it reports for the audit.
//! - [`parameters`]: the bind parameters of one run, for the audit.
//! - [`secret`]: passwords and keys in memory.
//! - [`fault`]: why a session ends, and what its client is told.
//! - [`limits`]: every limit of the protocol crates and the data plane, each with its reason.
//!
//! This crate does no IO, reads no clock, draws no randomness and allocates only off the hot path.

#![forbid(unsafe_code)]

pub mod cursor;
pub mod fault;
pub mod guard;
pub mod limits;
pub mod output;
pub mod parameters;
pub mod secret;
pub mod segments;
pub mod value;
