//! A PostgreSQL client that sends any bytes and shows every frame that comes back.
//!
//! Drivers send only what is right; this one sends what is asked. Its replies read as text
//! ([`Frame::to_string`]), so that two conversations compare line by line.

use crate::servers::Endpoint;
use crate::tls::{self, TlsStream};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

pub mod message;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One message from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The message type.
    pub tag: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl Frame {
    /// A field of an ErrorResponse or NoticeResponse, such as `b'C'` for the SQLSTATE.
    #[must_use]
    pub fn field(&self, wanted: u8) -> Option<String> {
        let fields = self.body.split(|byte| *byte == 0);
        fields.filter_map(|field| field.split_first()).find(|(code, _)| **code == wanted).map(|(_, text)| show(text))
    }

    /// The SQLSTATE of an error or notice; empty for other messages.
    #[must_use]
    pub fn sqlstate(&self) -> String {
        if matches!(self.tag, b'E' | b'N') { self.field(b'C').unwrap_or_default() } else { String::new() }
    }

    /// The values of a DataRow; `None` is NULL.
    #[must_use]
    pub fn cells(&self) -> Vec<Option<Vec<u8>>> {
        let mut cells = Vec::new();
        let mut rest = self.body.get(2..).unwrap_or_default();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = i32::from_be_bytes(*length);
            let Ok(length) = usize::try_from(length) else {
                cells.push(None);
                rest = after;
                continue;
            };
            cells.push(after.get(..length).map(<[u8]>::to_vec));
            rest = after.get(length..).unwrap_or_default();
        }
        cells
    }

    fn columns(&self) -> Vec<String> {
        let mut columns = Vec::new();
        let mut rest = self.body.get(2..).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let format = rest.get(end + 18).copied().unwrap_or(255);
            columns.push(format!("{}:{format}", show(rest.get(..end).unwrap_or_default())));
            rest = rest.get(end + 19..).unwrap_or_default();
        }
        columns
    }
}

fn show(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| (32..127).contains(byte)) {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        bytes.escape_ascii().to_string()
    }
}

/// Everything that two runs must agree on, and nothing that they cannot (process ids, keys, source lines).
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = char::from(self.tag);
        match self.tag {
            b'D' => {
                let cells: Vec<String> =
                    self.cells().iter().map(|cell| cell.as_deref().map_or("NULL".into(), show)).collect();
                write!(f, "D {}", cells.join("|"))
            }
            b'T' => write!(f, "T {}", self.columns().join("|")),
            b'E' | b'N' => {
                write!(f, "{tag} {} {}", self.sqlstate(), self.field(b'M').unwrap_or_default())?;
                self.field(b'D').map_or(Ok(()), |detail| write!(f, " / {detail}"))
            }
            b'K' => write!(f, "K"),
            _ => write!(f, "{tag} {}", show(self.body.strip_suffix(b"\0").unwrap_or(&self.body))),
        }
    }
}

/// The replies as one text, a line each.
#[must_use]
pub fn transcript(frames: &[Frame]) -> String {
    frames.iter().map(|frame| frame.to_string().trim_end().to_owned() + "\n").collect()
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

/// One connection.
pub struct Client {
    stream: Stream,
    received: Vec<u8>,
    /// The body of BackendKeyData, once it came.
    pub key: Vec<u8>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects a socket and sends nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn socket(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: Stream::Plain(socket), received: Vec::new(), key: Vec::new() })
    }

    /// Connects, with TLS after an SSLRequest where the endpoint asks for it, and sends no start-up packet.
    ///
    /// # Errors
    /// What the system or the handshake says; a server that declines TLS.
    pub fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        let mut client = Self::socket(endpoint.port)?;
        if endpoint.tls {
            client.send(&message::ssl_request())?;
            let mut answer = [0];
            client.read_exact(&mut answer)?;
            if answer != *b"S" {
                return Err(io::Error::other(format!("TLS declined with {answer:?}")));
            }
            client = client.into_tls(&endpoint.ca, b"postgresql")?;
        }
        Ok(client)
    }

    /// Starts TLS now.
    ///
    /// # Errors
    /// What the handshake says.
    pub fn into_tls(self, ca: &std::path::Path, alpn: &[u8]) -> io::Result<Self> {
        match self.stream {
            Stream::Plain(socket) => {
                let stream = Stream::Tls(Box::new(tls::connect(socket, ca, alpn)?));
                Ok(Self { stream, received: Vec::new(), key: Vec::new() })
            }
            Stream::Tls(_) => Err(io::Error::other("TLS runs already")),
        }
    }

    /// Connects and logs in as a user who needs no password (`trust_user`), up to the first ReadyForQuery.
    ///
    /// # Panics
    /// When that fails, with what the server said.
    #[must_use]
    #[track_caller]
    pub fn login(endpoint: &Endpoint) -> Self {
        let mut client = Self::connect(endpoint).expect("connect");
        let frames = client.start(&[("user", &endpoint.user), ("database", &endpoint.database)]);
        let ready = frames.last().is_some_and(|frame| frame.tag == b'Z');
        assert!(ready, "login failed:\n{}", transcript(&frames));
        client
    }

    /// Sends a start-up packet of protocol 3.0 and returns all frames up to ReadyForQuery, an error, an
    /// authentication request that needs an answer, or the end.
    ///
    /// # Panics
    /// When sending fails.
    pub fn start(&mut self, parameters: &[(&str, &str)]) -> Vec<Frame> {
        self.send(&message::startup(0x0003_0000, parameters)).expect("send the start-up packet");
        let mut frames = Vec::new();
        while let Some(frame) = self.frame() {
            let needs_answer = frame.tag == b'R' && frame.body != [0; 4] && !frame.body.starts_with(&[0, 0, 0, 12]);
            let last = matches!(frame.tag, b'Z' | b'E') || needs_answer;
            if frame.tag == b'K' {
                self.key.clone_from(&frame.body);
            }
            frames.push(frame);
            if last {
                break;
            }
        }
        frames
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Sends bytes again and again, on a connection without TLS, until `limit` bytes were taken or none for `time`.
    /// Returns how many were.
    ///
    /// # Panics
    /// When sending fails otherwise.
    pub fn send_until_stalled(&mut self, bytes: &[u8], limit: usize, time: Duration) -> usize {
        let Stream::Plain(socket) = &mut self.stream else { panic!("a connection without TLS") };
        socket.set_write_timeout(Some(time)).expect("set a timeout");
        let mut taken = 0;
        while taken < limit {
            let at = taken % bytes.len();
            match socket.write(&bytes[at..]) {
                Ok(count) => taken += count,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) => panic!("{error}"),
            }
        }
        taken
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }

    /// Reads bytes that are no frame, such as the answer to an SSLRequest.
    ///
    /// # Errors
    /// What the system says, and an early end.
    pub fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.read_exact(into),
            Stream::Tls(stream) => stream.read_exact(into),
        }
    }

    /// The next message; `None` at the end of the connection, however it ended.
    ///
    /// # Panics
    /// When none comes within 20 seconds: nothing here may hang.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((tag_and_length, rest)) = self.received.split_first_chunk::<5>() {
                let [tag, length @ ..] = *tag_and_length;
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(4);
                if let Some(body) = rest.get(..length) {
                    let frame = Frame { tag, body: body.to_vec() };
                    self.received.drain(..5 + length);
                    return Some(frame);
                }
            }
            let mut chunk = vec![0; 65_536];
            match self.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("no reply within {PATIENCE:?}; {} bytes of a frame are here", self.received.len())
                }
                Err(_) => return None,
            }
        }
    }

    /// All messages up to and with `count` of type `tag`, or the end of the connection.
    #[track_caller]
    pub fn until(&mut self, tag: u8, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut seen = 0;
        while seen < count {
            let Some(frame) = self.frame() else { break };
            seen += usize::from(frame.tag == tag);
            frames.push(frame);
        }
        frames
    }

    /// Sends messages and returns what comes up to and with the next ReadyForQuery.
    ///
    /// # Panics
    /// When sending fails.
    #[track_caller]
    pub fn ask(&mut self, messages: &[u8]) -> Vec<Frame> {
        self.send(messages).expect("send");
        self.until(b'Z', 1)
    }

    /// Runs a simple query and returns its replies.
    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Vec<Frame> {
        self.ask(&message::query(sql))
    }

    /// Whether nothing comes for a while.
    ///
    /// # Panics
    /// When the socket cannot be set up.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let Stream::Plain(socket) = &self.stream else { return false };
        socket.set_read_timeout(Some(time)).expect("set a time limit");
        let mut chunk = [0; 4096];
        let read = self.read(&mut chunk);
        if let Stream::Plain(socket) = &self.stream {
            socket.set_read_timeout(Some(PATIENCE)).expect("set a time limit");
        }
        match read {
            Ok(count) => {
                self.received.extend_from_slice(chunk.get(..count).unwrap_or_default());
                false
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    /// Ends one direction or both.
    pub fn shut(&mut self, how: Shutdown) {
        let socket = match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        };
        let _ = socket.shutdown(how);
    }
}
