//! A MySQL client that does as little as it can: a login without a password, commands, replies that are counted.
//!
//! The oldest dialect that every server speaks: results end in EOF packets, nothing is compressed. Packets are
//! walked in whatever pieces they arrive, and no row is kept.
//!
//! Packets: <https://mariadb.com/kb/en/clientserver-protocol/>.

use std::io::{self, Read, Write};

use crate::client::{ClientError, Encryption, Session, Target};
use crate::replies::{Replies, Reply};
use crate::walk::Tally;
use crate::wire::Wire;

/// `CLIENT_LONG_PASSWORD`, `CONNECT_WITH_DB`, `PROTOCOL_41`, `TRANSACTIONS`, `SECURE_CONNECTION`,
/// `MULTI_RESULTS`, `PLUGIN_AUTH`.
const CAPABILITIES: u32 = 1 | 8 | 0x200 | 0x2000 | 0x8000 | 0x0002_0000 | 0x0008_0000;
/// `utf8mb4_general_ci`.
const COLLATION: u8 = 45;
const QUERY: u8 = 3;
const QUIT: u8 = 1;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
/// What sysbench's `oltp_point_select` asks.
const POINT: &str = "SELECT c FROM sbtest1 WHERE id=?";

/// One authenticated session.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    buffer: Vec<u8>,
    out: Vec<u8>,
    replies: Replies,
    expected: u64,
    /// The point query, or the last statement whose values were asked for in binary, and its number.
    prepared: Option<(String, u32)>,
}

impl Session for Client {
    fn open(target: &Target, bytes: usize) -> Result<Self, ClientError> {
        if target.tls != Encryption::None {
            return Err(ClientError::Tls("this client of MySQL speaks none".into()));
        }
        let wire = Wire::connect(target)?;
        let mut client = Self {
            wire,
            buffer: vec![0; bytes],
            out: Vec::new(),
            replies: Replies::default(),
            expected: 0,
            prepared: None,
        };
        client.expect(Reply::Packet);
        client.read_expected()?;
        let mut sequence = client.replies.sequence().wrapping_add(1);
        let mut message = login(target)?;
        loop {
            client.send_packet(sequence, &message)?;
            client.expect(Reply::Packet);
            client.read_expected()?;
            sequence = client.replies.sequence().wrapping_add(1);
            match client.replies.kept().first() {
                Some(0) => return Ok(client),
                // Another way to authenticate; an empty password is an empty packet in all of them.
                Some(0xfe) => message = Vec::new(),
                first => return Err(ClientError::Authentication(first.copied().unwrap_or_default().into())),
            }
        }
    }

    fn query(&mut self, statement: &str, binary: bool) -> Result<(), ClientError> {
        if binary {
            let number = self.prepare(statement)?;
            return self.execute(number, &[]);
        }
        self.expect(Reply::Result);
        self.send_packet(0, &[&[QUERY][..], statement.as_bytes()].concat())
    }

    fn prepare_point(&mut self) -> Result<(), ClientError> {
        self.prepare(POINT).map(|_| ())
    }

    fn execute_points(&mut self, count: u16, mut next: impl FnMut() -> u32) -> Result<(), ClientError> {
        let number = self.prepare(POINT)?;
        for _ in 0..count {
            // No NULL; types follow; a LONG; its value.
            let [a, b, c, d] = next().to_le_bytes();
            self.execute(number, &[0, 1, 3, 0, a, b, c, d])?;
        }
        Ok(())
    }

    fn until_ready(&mut self) -> Result<Tally, ClientError> {
        let before = self.replies.tally();
        self.read_expected()?;
        Ok(self.replies.tally() - before)
    }

    fn close(mut self) {
        // Nobody is left to tell when the farewell cannot be sent.
        let _ = self.send_packet(0, &[QUIT]);
    }
}

impl Client {
    fn prepare(&mut self, statement: &str) -> Result<u32, ClientError> {
        if let Some((_, number)) = self.prepared.as_ref().filter(|(text, _)| text == statement) {
            return Ok(*number);
        }
        self.expect(Reply::Prepared);
        self.send_packet(0, &[&[PREPARE][..], statement.as_bytes()].concat())?;
        self.read_expected()?;
        let number = self.replies.statement();
        self.prepared = Some((statement.to_owned(), number));
        Ok(number)
    }

    /// Without a cursor, once.
    fn execute(&mut self, number: u32, parameters: &[u8]) -> Result<(), ClientError> {
        self.expect(Reply::Result);
        self.send_packet(0, &[&[EXECUTE][..], &number.to_le_bytes(), &[0, 1, 0, 0, 0], parameters].concat())
    }

    fn expect(&mut self, reply: Reply) {
        self.expected += 1;
        self.replies.expect(reply);
    }

    fn send_packet(&mut self, sequence: u8, body: &[u8]) -> Result<(), ClientError> {
        let [a, b, c, 0] = u32::try_from(body.len()).map_err(|_| ClientError::Text)?.to_le_bytes() else {
            return Err(ClientError::Text);
        };
        self.out.clear();
        self.out.extend_from_slice(&[a, b, c, sequence]);
        self.out.extend_from_slice(body);
        self.wire.write_all(&self.out)?;
        self.wire.flush()?;
        Ok(())
    }

    fn read_expected(&mut self) -> Result<(), ClientError> {
        while self.replies.tally().ready < self.expected {
            match self.wire.read(&mut self.buffer) {
                Ok(0) => return Err(self.replies.take_error().map_or(ClientError::Closed, ClientError::Server)),
                Ok(count) => self.replies.feed(&self.buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.replies.take_error().map_or(Ok(()), |error| Err(ClientError::Server(error)))
    }
}

/// `HandshakeResponse41` with an empty password.
fn login(target: &Target) -> Result<Vec<u8>, ClientError> {
    let mut body = CAPABILITIES.to_le_bytes().to_vec();
    body.extend_from_slice(&(1u32 << 30).to_le_bytes());
    body.push(COLLATION);
    body.extend_from_slice(&[0; 23]);
    push_text(&mut body, &target.user)?;
    body.push(0);
    push_text(&mut body, &target.database)?;
    push_text(&mut body, "mysql_native_password")?;
    Ok(body)
}

fn push_text(out: &mut Vec<u8>, text: &str) -> Result<(), ClientError> {
    if text.as_bytes().contains(&0) {
        return Err(ClientError::Text);
    }
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    Ok(())
}
