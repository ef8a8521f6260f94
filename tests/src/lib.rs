//! What the tests against real servers and drivers share.
//!
//! - [`servers`]: finds, and starts where needed, the real PostgreSQL servers of `scripts/servers`.
//! - [`gateway`]: runs the `wiregate` binary with a generated config, private ports and a private audit log.
//! - [`audit`]: reads that log back.
//! - [`raw`]: a client that sends any bytes and shows every frame, for what no driver would send.
//! - [`mysql_raw`]: the same for MySQL and MariaDB.
//! - [`double`]: a scripted server on a TCP port, for what no PostgreSQL would answer.
//! - [`drivers`]: the driver programs of `tests/drivers`, compiled where that is needed.
//! - [`program`]: runs drivers and command-line clients, with a time limit.
//! - [`masked`]: what a masked result must look like.
//! - [`matrix`]: which servers, ways to authenticate and legs under TLS a client is run with.
//! - [`corpus`]: the attacks of `tests/evasion` and the harmless statements of `tests/harmless`, and their score.
//! - [`differential`]: statements of MySQL and MariaDB whose replies the gateway must not change.
//! - [`small_disk`]: a disk to be filled.
//! - [`skip`]: counts what could not run here.
//!
//! Every test of a client takes where to connect as an argument: run straight against the server it is the
//! reference, run through the gateway it must give the same.
//!
//! This crate is test code: it may panic with a message that says what was expected. It must never leave a
//! process behind.

pub mod audit;
pub mod corpus;
pub mod differential;
pub mod double;
pub mod drivers;
pub mod gateway;
pub mod masked;
pub mod matrix;
pub mod mysql_raw;
pub mod program;
pub mod raw;
pub mod servers;
pub mod skip;
pub mod small_disk;
pub mod tls;

use std::path::{Path, PathBuf};

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
