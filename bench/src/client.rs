//! What every load generator needs of a session, whatever its protocol, and how a target is named.
//!
//! Blocking sockets and a thread for each connection: with the few clients of a measurement that is the cheapest
//! way to wait, and it adds no machinery of its own to the latency. Assumes a server that trusts its user; it must
//! never be used for anything but measuring.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::walk::{Tally, WalkError};

/// How much is read at once, in bytes: larger than what a relay forwards at once.
const READ_BYTES: usize = 256 * 1024;
/// The same for a session that only waits.
const IDLE_READ_BYTES: usize = 4096;
/// A measurement that gets no answer for this long has failed.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Where to connect, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// Host name or address.
    #[arg(long, default_value = "127.0.0.1", global = true)]
    pub host: String,
    /// TCP port.
    #[arg(long, default_value_t = 5432, global = true)]
    pub port: u16,
    /// A role whom the server trusts.
    #[arg(long, default_value = "trust_user", global = true)]
    pub user: String,
    /// The database.
    #[arg(long, default_value = "bench", global = true)]
    pub database: String,
    /// Encryption of the client's leg.
    #[arg(long, value_enum, default_value_t = Encryption::None, global = true)]
    pub tls: Encryption,
    /// The certificate authority that signed the server's certificate, PEM; needed for TLS.
    #[arg(long, global = true)]
    pub ca: Option<PathBuf>,
}

/// How a client comes to TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Encryption {
    /// Not at all.
    None,
    /// By a request in the protocol (`SSLRequest`).
    Request,
    /// From the first byte, with the protocol's name by ALPN.
    Direct,
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server wants a password.
    #[error("the server asks for authentication {0}: measure with a user whom it trusts")]
    Authentication(u32),
    /// The connection ended in the middle of an answer.
    #[error("the connection was closed")]
    Closed,
    /// Bytes that are no frames.
    #[error(transparent)]
    Frames(#[from] WalkError),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server answered with an error.
    #[error("the server says {0}")]
    Server(String),
    /// TLS cannot be had as it was asked for.
    #[error("TLS: {0}")]
    Tls(String),
    /// A string that does not fit into a message.
    #[error("a name or statement is too long or holds a zero byte")]
    Text,
    /// A worker ended without a result.
    #[error("a worker thread panicked")]
    Worker,
}

/// One authenticated session, in whichever protocol: what the load generators need of it.
pub trait Session: Sized + Send {
    /// Connects and authenticates; what arrives is read into a buffer of `bytes`.
    ///
    /// # Errors
    /// Whatever keeps the session from becoming ready.
    fn open(target: &Target, bytes: usize) -> Result<Self, ClientError>;

    /// Sends one statement; `binary` asks for its values in the protocol's binary form.
    ///
    /// # Errors
    /// When the socket fails, or the statement does not fit into a message.
    fn query(&mut self, statement: &str, binary: bool) -> Result<(), ClientError>;

    /// Prepares the point query of this protocol's benchmark.
    ///
    /// # Errors
    /// Whatever the server says against it.
    fn prepare_point(&mut self) -> Result<(), ClientError>;

    /// Sends `count` executions of the prepared point query at once, for accounts that `next` names.
    ///
    /// # Errors
    /// When the socket fails.
    fn execute_points(&mut self, count: u16, next: impl FnMut() -> u32) -> Result<(), ClientError>;

    /// Reads until everything that was sent is answered; returns what arrived on the way.
    ///
    /// # Errors
    /// When the socket fails, or the server sent an error.
    fn until_ready(&mut self) -> Result<Tally, ClientError>;

    /// Ends the session as a client should.
    fn close(self);

    /// Connects and authenticates a session that reads large results.
    ///
    /// # Errors
    /// Whatever keeps the session from becoming ready.
    fn connect(target: &Target) -> Result<Self, ClientError> {
        Self::open(target, READ_BYTES)
    }

    /// Connects and authenticates a session that will only be held: its buffer is small.
    ///
    /// # Errors
    /// Whatever keeps the session from becoming ready.
    fn connect_idle(target: &Target) -> Result<Self, ClientError> {
        Self::open(target, IDLE_READ_BYTES)
    }
}
