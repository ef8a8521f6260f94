//! Sessions against scripts of both sides' bytes: what is forwarded, refused, masked and reported, and
//! that none of it depends on how the bytes were cut.

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is a failed test")]

mod copy;
mod extended;
mod faults;
mod guard;
mod limits;
mod masks;
mod messages;
mod simple;
mod simulation;
mod splits;
