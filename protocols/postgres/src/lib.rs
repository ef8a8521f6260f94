//! Sans-IO Postgres protocol: frames, start-up, messages, rows, COPY, SCRAM, session.

pub mod auth;
pub mod backend;
pub mod frontend;
pub mod scram;
pub mod secret;
pub mod startup;
