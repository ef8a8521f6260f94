//! A statement's text to what it does and whether it may.

pub mod kind;
