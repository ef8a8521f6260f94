//! The corpus: attacks that must fail, harmless statements that must pass, and the score of both.
//!
//! - [`entry`]: the format of `tests/evasion/*.toml` and `tests/harmless/*.toml`.
//! - [`step`]: what an entry sends, and everything that came back; [`command`]: the same for MySQL's protocol, which
//!   [`client`] speaks.
//! - [`secret`]: finds a masked value in it, in whatever guise.
//! - [`stage`]: databases, gateways and the fingerprint by which an effect on the server is seen; [`mysql`] for
//!   that of MySQL and MariaDB.
//! - [`attack`]: runs attacks and judges them.
//! - [`harmless`]: runs harmless statements and compares them with the server's own answers.
//! - [`score`]: writes `bench/report/evasion.md`.
//! - [`random`]: queries from a grammar, for the search for leaks that nobody thought of.
//!
//! An attack is run twice: straight against the server, where it must succeed (else it proves nothing), and
//! through the gateway, where it must fail.

pub mod attack;
pub mod client;
pub mod command;
pub mod entry;
pub mod harmless;
pub mod mysql;
pub mod random;
pub mod score;
pub mod secret;
pub mod stage;
pub mod step;
