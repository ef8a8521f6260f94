//! A PostgreSQL client that does as little as it can: start-up without a password, send bytes, read until ready.

use std::io::{self, Read, Write};

use crate::client::{ClientError, Session, Target};
use crate::walk::{Tally, Walk};
use crate::wire::Wire;

/// `AuthenticationOk`.
const AUTHENTICATED: u32 = 0;
/// What `pgbench -S -M prepared` asks, and the name under which it prepares it.
const POINT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
const NAME: &str = "P0";

/// One authenticated session.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    buffer: Vec<u8>,
    out: Vec<u8>,
    walk: Walk,
    /// How often the server was ready when everything sent so far is answered.
    expected: u64,
}

impl Session for Client {
    fn open(target: &Target, bytes: usize) -> Result<Self, ClientError> {
        let wire = Wire::connect(target)?;
        let mut client = Self { wire, buffer: vec![0; bytes], out: Vec::new(), walk: Walk::default(), expected: 1 };
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

    fn query(&mut self, statement: &str, binary: bool) -> Result<(), ClientError> {
        let mut out = Vec::new();
        if binary {
            let mut parse = vec![0];
            push_text(&mut parse, statement)?;
            parse.extend_from_slice(&[0, 0]);
            push_message(&mut out, b'P', &parse)?;
            // No parameters; one format for all columns, and it is binary.
            push_message(&mut out, b'B', &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1])?;
            push_message(&mut out, b'D', b"P\0")?;
            push_message(&mut out, b'E', &[0; 5])?;
            push_message(&mut out, b'S', &[])?;
        } else {
            let mut body = Vec::new();
            push_text(&mut body, statement)?;
            push_message(&mut out, b'Q', &body)?;
        }
        self.expected += 1;
        self.send(&out)
    }

    fn prepare_point(&mut self) -> Result<(), ClientError> {
        let (mut body, mut out) = (Vec::new(), Vec::new());
        push_text(&mut body, NAME)?;
        push_text(&mut body, POINT)?;
        body.extend_from_slice(&[0, 0]);
        push_message(&mut out, b'P', &body)?;
        push_message(&mut out, b'S', &[])?;
        self.expected += 1;
        self.send(&out)?;
        self.until_ready().map(|_| ())
    }

    fn execute_points(&mut self, count: u16, mut next: impl FnMut() -> u32) -> Result<(), ClientError> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        for _ in 0..count {
            execution(&mut out, next())?;
        }
        push_message(&mut out, b'S', &[])?;
        self.expected += 1;
        self.send(&out)?;
        self.out = out;
        Ok(())
    }

    fn until_ready(&mut self) -> Result<Tally, ClientError> {
        let before = self.walk.tally();
        while self.walk.tally().ready < self.expected {
            self.read()?;
        }
        if let Some(error) = self.walk.take_error() {
            return Err(ClientError::Server(error));
        }
        Ok(self.walk.tally() - before)
    }

    fn close(mut self) {
        // Nobody is left to tell when the farewell cannot be sent.
        let _ = self.send(&[b'X', 0, 0, 0, 4]);
    }
}

impl Client {
    /// Copies `rows` times the line `row` into `relation`; a condition that never holds keeps the table as it is.
    ///
    /// # Errors
    /// When the socket fails, or the server refuses.
    pub fn copy_in(&mut self, relation: &str, row: &str, rows: u32) -> Result<Tally, ClientError> {
        /// Lines in a message, as drivers gather them.
        const LINES: u32 = 80;
        self.query(&format!("COPY {relation} FROM STDIN WHERE false"), false)?;
        let batch = format!("{row}\n").repeat(usize::try_from(LINES).unwrap_or(1));
        let mut message = Vec::new();
        push_message(&mut message, b'd', batch.as_bytes())?;
        for _ in 0..rows.div_ceil(LINES) {
            self.send(&message)?;
        }
        let mut end = Vec::new();
        push_message(&mut end, b'c', &[])?;
        self.send(&end)?;
        let answered = self.until_ready()?;
        let sent = u64::from(rows.div_ceil(LINES)) * message.len() as u64;
        Ok(Tally { bytes: answered.bytes + sent, ..answered })
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.wire.write_all(bytes)?;
        self.wire.flush()?;
        Ok(())
    }

    fn read(&mut self) -> Result<(), ClientError> {
        let count = match self.wire.read(&mut self.buffer) {
            Ok(0) => return Err(self.walk.take_error().map_or(ClientError::Closed, ClientError::Server)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.walk.feed(&self.buffer[..count])?;
        Ok(())
    }
}

/// Bind, Describe and Execute, which with a Sync is what libpq's `PQsendQueryPrepared` sends.
fn execution(out: &mut Vec<u8>, account: u32) -> Result<(), ClientError> {
    let value = account.to_string();
    let length = u32::try_from(value.len()).map_err(|_| ClientError::Text)?;
    let mut bind = Vec::with_capacity(32);
    push_text(&mut bind, "")?;
    push_text(&mut bind, NAME)?;
    bind.extend_from_slice(&[0, 0, 0, 1]);
    bind.extend_from_slice(&length.to_be_bytes());
    bind.extend_from_slice(value.as_bytes());
    bind.extend_from_slice(&[0, 1, 0, 0]);
    push_message(out, b'B', &bind)?;
    push_message(out, b'D', b"P\0")?;
    push_message(out, b'E', &[0; 5])
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
fn push_message(out: &mut Vec<u8>, kind: u8, body: &[u8]) -> Result<(), ClientError> {
    let length = i32::try_from(body.len() + 4).map_err(|_| ClientError::Text)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// Appends a zero-terminated string to `out`.
fn push_text(out: &mut Vec<u8>, text: &str) -> Result<(), ClientError> {
    if text.as_bytes().contains(&0) {
        return Err(ClientError::Text);
    }
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_bind_describe_execute() {
        let mut out = Vec::new();
        execution(&mut out, 42).unwrap();
        let expected = b"B\0\0\0\x16\0P0\0\0\0\0\x01\0\0\0\x0242\0\x01\0\0D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_text_with_a_zero_byte_is_refused() {
        assert!(push_text(&mut Vec::new(), "SELECT\0 1").is_err());
    }
}
