//! Load generators and the report of what they measured.
//!
//! `load` (a program) drives a PostgreSQL or MySQL server or a proxy before one and says what came back; `report`
//! (a program) turns the samples that `scripts/bench` collects into ratios, a table and a verdict for each goal.
//! This library holds what both are made of. It measures from outside: it must never share code with the
//! gateway, or an error in the protocol crate would hide on both sides.

pub mod client;
pub mod mysql;
pub mod paired;
pub mod plot;
pub mod point;
pub mod postgres;
mod replies;
pub mod report;
pub mod sample;
pub mod stream;
pub mod walk;
mod wire;
