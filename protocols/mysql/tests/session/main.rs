//! Sessions against scripts of both sides' bytes: what is forwarded, refused, masked and reported, and
//! that none of it depends on how the bytes were cut.

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is a failed test")]

mod captures;
mod commands;
mod faults;
mod guard;
mod local_file;
mod login;
mod masks;
mod messages;
mod prepared;
mod simulation;
mod splits;
mod text;
