//! The record of what happened: its types, its encoding, its files, and reading it back.
//!
//! One JSON object on one line for each statement, connect, failed login, disconnect, refused connection,
//! fault and reload, in append-only files that rotate by size; one series of files for each shard, so that
//! shards share nothing. `docs` of the fields: [`record`].
//!
//! The calls, in the order in which a shard makes them:
//!
//! 1. [`files::open_directory`] at start gives the file to append to, and [`Log::new`] its state machine.
//! 2. A session encodes once what all its records share ([`Identity::encode`]); a judged statement encodes
//!    once what all its runs share ([`Summary::encode`]). What is left for one run is two copies and a few
//!    numbers.
//! 3. [`Log::record`] encodes into the pending buffer.
//! 4. [`Log::poll`], once a turn of the loop, says what to do: write a batch, open the next file. The ring
//!    does it; [`Log::written`] and [`Log::opened`] take the result.
//! 5. [`Log::accepts`] is asked before a statement is let through: it says no while the log cannot be
//!    written and the config says `on_failure = "refuse"`.
//!
//! This crate reads no clock and, apart from [`files`], does no IO. It may not know the policy or a protocol.

#![forbid(unsafe_code)]

pub mod files;
pub mod limits;
pub mod log;
pub mod read;
pub mod record;

mod encode;
mod json;
mod room;
mod time;

pub use encode::{Identity, Summary, encode};
pub use log::{Action, Change, Health, Log, LogSettings, OnFailure};
pub use read::{OwnedRecord, ReadError, read};
pub use record::{
    Connect, Disconnect, Fault, Gap, Judged, LocalFile, LoginFailed, MaskCount, Parameter, Parameters, Record, Refused,
    Reload, Statement, Subject, Text, Verdict,
};
pub use time::rfc3339;
