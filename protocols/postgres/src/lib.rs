//! Sans-IO Postgres protocol: frames, start-up, messages, rows, COPY, SCRAM, session.

pub mod backend;
pub mod frontend;
pub mod startup;
