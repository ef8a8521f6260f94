//! A PostgreSQL client that does as little as it can: start-up without a password, send bytes, read until ready.
//!
//! Blocking sockets and a thread for each connection: with the few clients of a measurement that is the cheapest
//! way to wait, and it adds no machinery of its own to the latency. Assumes a server that trusts its user; it must
//! never be used for anything but measuring.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::walk::{Tally, Walk, WalkError};

/// How much is read at once, in bytes: larger than what a relay forwards at once.
const READ_BYTES: usize = 256 * 1024;
/// A measurement that gets no answer for this long has failed.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// `AuthenticationOk`.
const AUTHENTICATED: u32 = 0;

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
    /// A string that does not fit into a message.
    #[error("a name or statement is too long or holds a zero byte")]
    Text,
    /// A worker ended without a result.
    #[error("a worker thread panicked")]
    Worker,
}

/// One authenticated session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    walk: Walk,
}

impl Client {
    /// Connects and authenticates.
    ///
    /// # Errors
    /// Whatever keeps the session from becoming ready.
    pub fn connect(target: &Target) -> Result<Self, ClientError> {
        Self::connect_with_buffer(target, READ_BYTES)
    }

    /// Connects and authenticates a session that will only be held: its buffer is small.
    ///
    /// # Errors
    /// Whatever keeps the session from becoming ready.
    pub fn connect_idle(target: &Target) -> Result<Self, ClientError> {
        Self::connect_with_buffer(target, 4096)
    }

    fn connect_with_buffer(target: &Target, bytes: usize) -> Result<Self, ClientError> {
        let stream = TcpStream::connect((target.host.as_str(), target.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_LIMIT))?;
        let mut client = Self { stream, buffer: vec![0; bytes], walk: Walk::default() };
        client.send(&startup(target)?)?;
        while client.walk.tally().ready == 0 {
            client.read()?;
            if let Some(error) = client.walk.take_error() {
                return Err(ClientError::Server(error));
            }
            match client.walk.authentication() {
                Some(AUTHENTICATED) | None => {}
                Some(request) => return Err(ClientError::Authentication(request)),
            }
        }
        Ok(client)
    }

    /// Sends `bytes`, whole messages, at once.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.stream.write_all(bytes)?;
        Ok(())
    }

    /// Reads until the server is ready again; returns what arrived on the way.
    ///
    /// # Errors
    /// When the socket fails, or the server sent an error before it was ready.
    pub fn until_ready(&mut self) -> Result<Tally, ClientError> {
        let before = self.walk.tally();
        while self.walk.tally().ready == before.ready {
            self.read()?;
        }
        if let Some(error) = self.walk.take_error() {
            return Err(ClientError::Server(error));
        }
        let after = self.walk.tally();
        Ok(Tally {
            bytes: after.bytes - before.bytes,
            copied: after.copied - before.copied,
            ready: after.ready - before.ready,
            rows: after.rows - before.rows,
        })
    }

    fn read(&mut self) -> Result<(), ClientError> {
        let count = match self.stream.read(&mut self.buffer) {
            Ok(0) => return Err(self.walk.take_error().map_or(ClientError::Closed, ClientError::Server)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.walk.feed(&self.buffer[..count])?;
        Ok(())
    }

    /// Ends the session as a client should.
    pub fn close(mut self) {
        // Nobody is left to tell when the farewell cannot be sent.
        let _ = self.send(&[b'X', 0, 0, 0, 4]);
    }
}

/// The start-up packet.
fn startup(target: &Target) -> Result<Vec<u8>, ClientError> {
    let mut body = 196_608u32.to_be_bytes().to_vec();
    for text in ["user", &target.user, "database", &target.database, "application_name", "bench"] {
        push_text(&mut body, text)?;
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).map_err(|_| ClientError::Text)?;
    Ok([&length.to_be_bytes()[..], &body].concat())
}

/// Appends one message to `out`.
///
/// # Errors
/// [`ClientError::Text`] when the body is too long for a message.
pub fn push_message(out: &mut Vec<u8>, kind: u8, body: &[u8]) -> Result<(), ClientError> {
    let length = i32::try_from(body.len() + 4).map_err(|_| ClientError::Text)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// Appends a zero-terminated string to `out`.
///
/// # Errors
/// [`ClientError::Text`] when it holds a zero byte.
pub fn push_text(out: &mut Vec<u8>, text: &str) -> Result<(), ClientError> {
    if text.as_bytes().contains(&0) {
        return Err(ClientError::Text);
    }
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    Ok(())
}

/// A simple query's message.
///
/// # Errors
/// [`ClientError::Text`] when the statement does not fit into a message.
pub fn query(statement: &str) -> Result<Vec<u8>, ClientError> {
    let (mut body, mut out) = (Vec::new(), Vec::new());
    push_text(&mut body, statement)?;
    push_message(&mut out, b'Q', &body)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_query_is_framed_as_the_manual_says() {
        assert_eq!(query("SELECT 1").unwrap(), b"Q\0\0\0\x0dSELECT 1\0");
        assert!(query("SELECT\0 1").is_err());
    }
}
