//! A MySQL and MariaDB client that sends any bytes and keeps every byte that comes back.
//!
//! Drivers send only what is right and show only what they understand; this one sends what is asked, and its
//! replies ([`reply::Reply`]) hold the messages as they came beside what they mean. Logging in, framing and
//! numbers are those of the `mysql` crate, so that what a test says is about what follows.

use crate::servers::Endpoint;
use crate::tls::{self, TlsStream};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use mysql::auth::upstream::{Channel, UpstreamAuth, UpstreamProgress};
use mysql::capability::Capabilities;
use mysql::greeting::Greeting;
use mysql::packet::{HEADER_BYTES, Header};
use mysql::response::{HandshakeResponse, write_ssl_request};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use wire::secret::Secret;

pub mod double;
pub mod message;
pub mod reply;

use message::Parameter;
use reply::{Message, Prepared, Reply};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What drivers of today ask for, without query attributes and MariaDB's own flags.
pub const USUAL: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PLUGIN_AUTH_LENENC.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0,
);

/// MariaDB's own flags, where [`USUAL`] has none: bulk execution, progress, extended types.
pub const MARIADB: Capabilities = Capabilities(
    (USUAL.0 & !Capabilities::LONG_PASSWORD.0)
        | Capabilities::MARIADB_PROGRESS.0
        | Capabilities::MARIADB_STMT_BULK.0
        | Capabilities::MARIADB_EXTENDED_METADATA.0,
);

/// utf8mb4_general_ci.
const COLLATION: u8 = 45;

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

/// One connection.
pub struct Client {
    stream: Stream,
    received: Vec<u8>,
    /// Where `received` begins.
    taken: usize,
    /// What the server greeted with, once it did.
    pub greeting: Option<Greeting>,
    /// What both sides agreed on.
    pub capabilities: Capabilities,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects a socket and reads and sends nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn socket(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let stream = Stream::Plain(socket);
        Ok(Self { stream, received: Vec::new(), taken: 0, greeting: None, capabilities: Capabilities::NONE })
    }

    /// Connects and logs in with what drivers usually ask for.
    ///
    /// # Panics
    /// When that fails, with what the server said.
    #[must_use]
    #[track_caller]
    pub fn login(endpoint: &Endpoint) -> Self {
        Self::login_with(endpoint, USUAL)
    }

    /// The same with other capabilities; those that the server does not offer do not count.
    ///
    /// # Panics
    /// When it fails, with what the server said.
    #[must_use]
    #[track_caller]
    pub fn login_with(endpoint: &Endpoint, asked: Capabilities) -> Self {
        Self::try_login(endpoint, asked).unwrap_or_else(|error| panic!("login failed: {error}"))
    }

    /// The same, with the reason as a value: the server's ERR as [`reply::End`] writes it, or what else went
    /// wrong. TLS where the endpoint asks for it. A password is sent as the server's plugin wants it: encrypted
    /// with the server's RSA key where there is no TLS.
    ///
    /// # Errors
    /// Why nobody is logged in.
    pub fn try_login(endpoint: &Endpoint, asked: Capabilities) -> Result<Self, String> {
        let mut client = Self::socket(endpoint.port).map_err(|error| error.to_string())?;
        let greeting = client.greet()?;
        client.capabilities = Capabilities::agree(greeting.capabilities, asked);
        let mut seq = 1;
        if endpoint.tls {
            if !greeting.capabilities.has(Capabilities::SSL) {
                return Err("TLS is not offered".into());
            }
            client.capabilities = client.capabilities | Capabilities::SSL;
            let mut request = Vec::new();
            write_ssl_request(&mut request, client.capabilities, 1 << 30, COLLATION);
            client.send(&request).map_err(|error| error.to_string())?;
            client = client.into_tls(endpoint).map_err(|error| error.to_string())?;
            seq = 2;
        }
        client.authenticate(endpoint, &greeting, seq)?;
        Ok(client)
    }

    /// Reads the greeting.
    ///
    /// # Errors
    /// The server's refusal as text, or that what came is no greeting.
    pub fn greet(&mut self) -> Result<Greeting, String> {
        let first = self.message().ok_or("closed before a greeting")?;
        if first.payload.first() == Some(&0xff) {
            return Err(reply::End::parse(&first.payload, Capabilities::NONE).to_string());
        }
        let greeting = Greeting::parse(&first.payload).map_err(|fault| fault.message.to_string())?;
        self.greeting = Some(greeting.clone());
        Ok(greeting)
    }

    fn authenticate(&mut self, endpoint: &Endpoint, greeting: &Greeting, mut seq: u8) -> Result<(), String> {
        let channel = if endpoint.tls { Channel::Tls } else { Channel::Plain };
        let password = Secret::new(endpoint.password.as_bytes());
        let (mut login, plugin, auth) = UpstreamAuth::new(password, channel, &greeting.plugin, &greeting.scramble);
        let mut out = Vec::new();
        let response = HandshakeResponse {
            capabilities: self.capabilities,
            max_packet: 1 << 30,
            collation: COLLATION,
            user: endpoint.user.as_bytes().into(),
            auth: auth.into(),
            database: Some(endpoint.database.as_bytes().into()),
            plugin: plugin.into(),
            attributes: (*b"\x0cprogram_name\x08wiregate").into(),
        };
        response.write(&mut out, &mut seq);
        loop {
            self.send(&out).map_err(|error| error.to_string())?;
            out.clear();
            let answer = self.message().ok_or("closed during the login")?;
            if answer.payload.first() == Some(&0xff) {
                return Err(reply::End::parse(&answer.payload, self.capabilities).to_string());
            }
            let progress = login.on_reply(&answer.payload, answer.seq, &mut out);
            login = match progress.map_err(|fault| fault.message.to_string())? {
                UpstreamProgress::Done => return Ok(()),
                UpstreamProgress::More(login) => login,
                UpstreamProgress::Encrypt(encrypt) => {
                    let cipher = rsa(&encrypt.key, encrypt.password.expose()).ok_or("the server's RSA key")?;
                    encrypt.encrypted(&cipher, &mut out)
                }
            };
        }
    }

    /// Becomes another user over the same connection: COM_CHANGE_USER, without an answer at first, so that the server
    /// asks for one.
    ///
    /// # Errors
    /// As [`Client::try_login`].
    pub fn change_user(&mut self, endpoint: &Endpoint) -> Result<(), String> {
        let channel = if endpoint.tls { Channel::Tls } else { Channel::Plain };
        let mut login = UpstreamAuth::again(Secret::new(endpoint.password.as_bytes()), channel);
        self.command(&message::change_user(&endpoint.user, b"", &endpoint.database, "to_be_asked"));
        loop {
            let answer = self.message().ok_or("closed during the change")?;
            if answer.payload.first() == Some(&0xff) {
                return Err(reply::End::parse(&answer.payload, self.capabilities).to_string());
            }
            let mut out = Vec::new();
            let progress = login.on_reply(&answer.payload, answer.seq, &mut out);
            login = match progress.map_err(|fault| fault.message.to_string())? {
                UpstreamProgress::Done => return Ok(()),
                UpstreamProgress::More(login) => login,
                UpstreamProgress::Encrypt(encrypt) => {
                    let cipher = rsa(&encrypt.key, encrypt.password.expose()).ok_or("the server's RSA key")?;
                    encrypt.encrypted(&cipher, &mut out)
                }
            };
            self.send(&out).map_err(|error| error.to_string())?;
        }
    }

    /// Starts TLS now.
    ///
    /// # Errors
    /// What the handshake says.
    pub fn into_tls(self, endpoint: &Endpoint) -> io::Result<Self> {
        match self.stream {
            Stream::Plain(socket) => {
                let stream = Stream::Tls(Box::new(tls::connect(socket, &endpoint.ca, b"")?));
                Ok(Self { stream, ..self })
            }
            Stream::Tls(_) => Err(io::Error::other("TLS runs already")),
        }
    }

    /// The connection id that the server greeted with: what KILL takes.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.greeting.as_ref().map_or(0, |greeting| greeting.connection_id)
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

    /// Sends a command: a message that begins with sequence id 0.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn command(&mut self, payload: &[u8]) {
        self.send(&message::framed(0, payload)).expect("send a command");
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.read(into),
            Stream::Tls(stream) => stream.read(into),
        }
    }

    /// Takes `count` bytes of what comes; `None` at the end of the connection, however it ended.
    #[track_caller]
    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.received.len() - self.taken < count {
            self.received.drain(..std::mem::take(&mut self.taken));
            let mut chunk = vec![0; 262_144];
            match self.read(&mut chunk) {
                Ok(0) => return None,
                Ok(read) => self.received.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("no reply within {PATIENCE:?}; {} bytes of a message are here", self.received.len())
                }
                Err(_) => return None,
            }
        }
        let bytes = self.received.get(self.taken..self.taken + count).map(<[u8]>::to_vec);
        self.taken += count;
        bytes
    }

    /// The next message, its packets joined; `None` at the end of the connection, however it ended.
    ///
    /// # Panics
    /// When none comes within a minute: nothing here may hang.
    #[track_caller]
    pub fn message(&mut self) -> Option<Message> {
        let mut message = Message { seq: 0, packets: 0, payload: Vec::new() };
        loop {
            let header = self.take(HEADER_BYTES)?;
            let header = Header::peek(&header)?;
            let body = self.take(header.body)?;
            if message.packets == 0 {
                message = Message { seq: header.seq, packets: 1, payload: body };
            } else {
                message.packets += 1;
                message.payload.extend(body);
            }
            if !header.continues() {
                return Some(message);
            }
        }
    }

    /// Sends a command and returns all that answers it, with every further result.
    #[track_caller]
    pub fn ask(&mut self, payload: &[u8]) -> Reply {
        self.command(payload);
        self.reply(reply::Form::of_command(payload))
    }

    /// Reads the whole reply to a command that was sent before.
    #[track_caller]
    pub fn reply(&mut self, form: reply::Form) -> Reply {
        let capabilities = self.capabilities;
        reply::read(form, capabilities, || self.message())
    }

    /// Runs SQL by COM_QUERY.
    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Reply {
        self.query_bytes(sql.as_bytes())
    }

    /// The same for a text that is not UTF-8.
    #[track_caller]
    pub fn query_bytes(&mut self, sql: &[u8]) -> Reply {
        let named = self.capabilities.has(Capabilities::QUERY_ATTRIBUTES);
        self.ask(&if named { message::query_with_attributes(sql, &[]) } else { message::query(sql) })
    }

    /// Prepares SQL.
    ///
    /// # Errors
    /// The whole reply where the server refuses.
    #[track_caller]
    pub fn prepare(&mut self, sql: &str) -> Result<Prepared, Reply> {
        let reply = self.ask(&message::prepare(sql.as_bytes()));
        Prepared::of(&reply).ok_or(reply)
    }

    /// Runs a prepared statement; `cursor` 0 for none, 1 for a read-only one.
    #[track_caller]
    pub fn execute(&mut self, id: u32, cursor: u8, parameters: &[Parameter<'_>]) -> Reply {
        let named = self.capabilities.has(Capabilities::QUERY_ATTRIBUTES);
        self.ask(&message::execute(id, cursor, parameters, named))
    }

    /// Whether nothing comes for a while.
    ///
    /// # Panics
    /// When the socket cannot be set up.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        if self.received.len() > self.taken {
            return false;
        }
        self.time_limit(time);
        let mut chunk = [0; 4096];
        let read = self.read(&mut chunk);
        self.time_limit(PATIENCE);
        match read {
            Ok(count) => {
                self.received.extend_from_slice(chunk.get(..count).unwrap_or_default());
                false
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    fn time_limit(&self, time: Duration) {
        self.tcp().set_read_timeout(Some(time)).expect("set a time limit");
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// Ends one direction or both.
    pub fn shut(&mut self, how: Shutdown) {
        let _ = self.tcp().shutdown(how);
    }
}

/// Encrypts for the owner of a public key, given as PEM.
fn rsa(pem: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).ok()?).ok()?;
    let mut cipher = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA1_MGF1SHA1, plain, &mut cipher, None).ok()?.len();
    cipher.truncate(length);
    Some(cipher)
}
