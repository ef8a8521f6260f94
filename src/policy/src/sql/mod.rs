//! PostgreSQL's lexical structure, read by our own lexer, and the bridge from there to the parser.
//!
//! [`lexer`] alone decides what a token is. The SQL parser is given our tokens and never reads the text
//! itself, so that a comment, a quote or an escape which the parser's own tokenizer reads differently from
//! the server cannot hide a statement. This module holds no rule and takes no decision.

pub(crate) mod bridge;
pub(crate) mod escape;
pub mod lexer;
mod silent;
