//! The lexical structure of PostgreSQL's, MySQL's and MariaDB's SQL, read by our own lexers, and the bridge from
//! there to the parser.
//!
//! [`lexer`] alone decides what a token is. The SQL parser is given our tokens and never reads the text
//! itself, so that a comment, a quote or an escape which the parser's own tokenizer reads differently from
//! the server cannot hide a statement. This module holds no rule and takes no decision.

pub(crate) mod bridge;
mod dialect;
pub(crate) mod escape;
mod keyword;
pub mod lexer;
pub mod mysql;
#[cfg(test)]
mod same;
mod silent;
mod xml;

/// Whose SQL a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// MySQL's or MariaDB's.
    MySql(mysql::MySql),
    /// PostgreSQL's.
    #[default]
    Postgres,
    /// A server that did not say what it is: nothing of its texts is read.
    Unknown,
}
