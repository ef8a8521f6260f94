//! Statement to verdict, columns to mask plan, value to masked value; and the config file that says so.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod config;
pub mod decide;
pub mod detect;
mod hash;
pub mod mask;
pub mod rule;
pub mod snapshot;
pub mod sql;
pub mod statement;

#[cfg(test)]
pub(crate) mod testing;
