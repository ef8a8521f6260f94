//! A scripted server: one TCP port, and a function that is given each connection.
//!
//! It plays what no PostgreSQL would do: nonsense, silence, half a row, a death at the worst moment.

use crate::raw::Frame;
use crate::raw::message::framed;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A running double; its threads end with their connections.
#[derive(Clone, Debug)]
pub struct Double {
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Double {
    /// Listens, and runs `script` on a thread of its own for each connection. An error that it returns ends
    /// the connection and nothing else.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start(script: impl Fn(Connection) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let script = Arc::new(script);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let script = Arc::clone(&script);
                thread::spawn(move || {
                    let _ = socket.set_nodelay(true);
                    let _ = socket.set_read_timeout(Some(Duration::from_secs(60)));
                    let _ = script(Connection { socket });
                });
            }
        });
        Self { port }
    }

    /// Its address, as a config names it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// One client of the double: here, the gateway.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
}

impl Connection {
    /// Reads the start-up packet (declining encryption) and logs the client in without a password.
    ///
    /// # Errors
    /// What the socket says.
    pub fn accept_login(&mut self) -> io::Result<()> {
        loop {
            let mut length = [0; 4];
            self.socket.read_exact(&mut length)?;
            let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0).saturating_sub(4)];
            self.socket.read_exact(&mut body)?;
            if body.starts_with(&80_877_103_u32.to_be_bytes()) || body.starts_with(&80_877_104_u32.to_be_bytes()) {
                self.send(b"N")?;
                continue;
            }
            break;
        }
        self.send(&framed(b'R', &[0; 4]))?;
        for (name, value) in [
            ("server_version", "15.0"),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
            ("integer_datetimes", "on"),
        ] {
            self.send(&framed(b'S', format!("{name}\0{value}\0").as_bytes()))?;
        }
        self.send(&framed(b'K', &[0, 0, 4, 210, 0, 0, 22, 46]))?;
        self.ready()
    }

    /// The next message of the client.
    ///
    /// # Errors
    /// What the socket says, and the end of the connection.
    pub fn frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; 5];
        self.socket.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0).saturating_sub(4)];
        self.socket.read_exact(&mut body)?;
        Ok(Frame { tag, body })
    }

    /// Reads bytes as they are.
    ///
    /// # Errors
    /// What the socket says, and the end of the connection.
    pub fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.socket.read_exact(into)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// ReadyForQuery, outside a transaction.
    ///
    /// # Errors
    /// What the socket says.
    pub fn ready(&mut self) -> io::Result<()> {
        self.send(&framed(b'Z', b"I"))
    }

    /// A RowDescription of text columns that come from no table.
    ///
    /// # Errors
    /// What the socket says.
    pub fn describe(&mut self, names: &[&str]) -> io::Result<()> {
        let mut body = u16::try_from(names.len()).unwrap_or(0).to_be_bytes().to_vec();
        for name in names {
            body.extend(name.as_bytes());
            body.extend([0; 7]);
            body.extend(25_u32.to_be_bytes());
            body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
        }
        self.send(&framed(b'T', &body))
    }

    /// A DataRow of text cells.
    ///
    /// # Errors
    /// What the socket says.
    pub fn row(&mut self, cells: &[&str]) -> io::Result<()> {
        self.send(&data_row(cells))
    }

    /// CommandComplete and ReadyForQuery.
    ///
    /// # Errors
    /// What the socket says.
    pub fn complete(&mut self, tag: &str) -> io::Result<()> {
        self.send(&framed(b'C', format!("{tag}\0").as_bytes()))?;
        self.ready()
    }

    /// Waits until the other side closes.
    pub fn wait_for_end(&mut self) {
        let mut byte = [0; 1024];
        while matches!(self.socket.read(&mut byte), Ok(count) if count > 0) {}
    }
}

/// A DataRow of text cells, as bytes.
#[must_use]
pub fn data_row(cells: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(cells.len()).unwrap_or(0).to_be_bytes().to_vec();
    for cell in cells {
        body.extend(u32::try_from(cell.len()).unwrap_or(0).to_be_bytes());
        body.extend(cell.as_bytes());
    }
    framed(b'D', &body)
}
