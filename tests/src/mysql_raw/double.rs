//! A scripted MySQL server, for what no real one would do: methods of [`crate::double::Connection`].

use crate::double::Connection;
use crate::mysql_raw::USUAL;
use crate::mysql_raw::message::framed;
use crate::mysql_raw::reply::Message;
use mysql::capability::Capabilities;
use mysql::constant::{column, status};
use mysql::greeting::Greeting;
use mysql::packet::Header;
use mysql::{lenenc, reply};
use std::io;

/// Its greeting: MySQL 8 with what drivers usually ask for, challenge and connection id fixed.
#[must_use]
pub fn greeting() -> Greeting {
    Greeting {
        server_version: (*b"8.0.36-double").into(),
        connection_id: 1234,
        scramble: *b"abcdefghijklmnopqrst",
        capabilities: USUAL,
        collation: 45,
        status: status::AUTOCOMMIT,
        plugin: (*b"mysql_native_password").into(),
    }
}

impl Connection {
    /// Greets and lets everyone in.
    ///
    /// # Errors
    /// What the socket says.
    pub fn accept_mysql(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        greeting().write(&mut out);
        self.send(&out)?;
        self.packet()?;
        self.ok(2)
    }

    /// The next packet of the client.
    ///
    /// # Errors
    /// What the socket says, and the end of the connection.
    pub fn packet(&mut self) -> io::Result<Message> {
        let mut header = [0; 4];
        self.read_exact(&mut header)?;
        let header = Header::parse(header);
        let mut payload = vec![0; header.body];
        self.read_exact(&mut payload)?;
        Ok(Message { seq: header.seq, packets: 1, payload })
    }

    /// An OK.
    ///
    /// # Errors
    /// What the socket says.
    pub fn ok(&mut self, mut seq: u8) -> io::Result<()> {
        let mut out = Vec::new();
        reply::write_ok(&mut out, &mut seq, status::AUTOCOMMIT);
        self.send(&out)
    }
}

/// Count and definitions of text columns that come from no table, for a client without EOF packets, and the
/// sequence id behind them.
#[must_use]
pub fn definitions(names: &[&str]) -> (Vec<u8>, u8) {
    let mut out = framed(1, &[u8::try_from(names.len()).expect("a few columns")]);
    let mut seq = 2;
    for name in names {
        let mut body = Vec::new();
        for text in [&b"def"[..], b"", b"", b"", name.as_bytes(), b""] {
            lenenc::push_string(&mut body, text);
        }
        body.extend([12, 45, 0, 0, 1, 0, 0, column::VAR_STRING, 0, 0, 0, 0, 0]);
        out.extend(framed(seq, &body));
        seq += 1;
    }
    (out, seq)
}

/// A text row.
#[must_use]
pub fn row(seq: u8, cells: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    cells.iter().for_each(|cell| lenenc::push_string(&mut body, cell.as_bytes()));
    framed(seq, &body)
}

/// The OK behind rows.
#[must_use]
pub fn end_of_rows(seq: u8) -> Vec<u8> {
    framed(seq, &[0xfe, 0, 0, 2, 0, 0, 0])
}

/// What the double's own client agrees on.
pub const AGREED: Capabilities = USUAL;
