//! Queries from a grammar.
