//! Statement to verdict, columns to mask plan, value to masked value; and the config file that says so.
#![forbid(unsafe_code)]

pub mod rule;
