//! From an accepted socket to an established session, as one task for each client.
//!
//! What every protocol needs stands here: accepting, the time limit, the limits of clients, the way to the
//! server, handing over to the relay, and telling why there is no session. The exchange itself is the
//! protocol's own ([`mysql`], [`postgres`]).
//!
//! A task reads best here because every step waits for a peer; once the server is ready for statements, the
//! session is handed to the driver and the task ends.

pub(crate) mod mysql;
pub(crate) mod port;
mod postgres;
mod server;

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use policy::config::{Listener, Protocol};
use policy::snapshot::Snapshot;
use wire::fault::{Culprit, Fault};

use self::port::{Port, PortError};
use crate::clock;
use crate::facts::SessionFacts;
use crate::guard::SessionGuard;
use crate::limits::{LINGER_NS, SETUPS_BEYOND_LIMIT};
use crate::protocol::ProtocolSession;
use crate::relay::leg::Leg;
use crate::relay::{Established, establish};
use crate::shard::{ClientPlace, ListenerShared, SetupWatch, Shard};

/// Why a set-up did not lead to a session.
pub(crate) enum SetupError {
    /// The client went away, or never said what it wants.
    ClientGone(PortError),
    /// The client is told why.
    Refused(Fault),
    /// The client could not show who it is; it is told what the database would tell it.
    LoginFailed(Fault),
    /// The server has told the client itself, and its message is passed on.
    ServerRefused {
        /// SQLSTATE of the server's error.
        sqlstate: [u8; 5],
        /// Its number, in a protocol that numbers errors.
        error_code: Option<u16>,
    },
}

impl From<Fault> for SetupError {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

/// The client's port failed.
pub(crate) fn client_gone(error: PortError) -> SetupError {
    match error {
        PortError::Tls(error) => {
            SetupError::Refused(Fault::client("client_tls", format!("the TLS handshake failed: {error}")))
        }
        other => SetupError::ClientGone(other),
    }
}

/// The server's port failed.
pub(crate) fn server_gone(error: &PortError) -> SetupError {
    SetupError::Refused(Fault::new(
        Culprit::Server,
        b"08006",
        "server_lost",
        format!("the database server could not be used: {error}"),
    ))
}

/// TLS toward a client could not be set up; nothing that the client did.
fn tls_setup(error: &crate::tls::TlsError) -> SetupError {
    tracing::error!(%error, "TLS toward a client could not be set up");
    SetupError::Refused(Fault::new(Culprit::Gateway, b"XX000", "tls_setup", "TLS could not be set up"))
}

/// One set-up under way.
pub(crate) struct Setup {
    shard: Rc<Shard>,
    policy: Arc<Snapshot>,
    listener: usize,
    watch: Rc<SetupWatch>,
    facts: SessionFacts,
    /// The sequence id of our next message to a client of MySQL's protocol.
    next_sequence: u8,
}

impl Setup {
    /// The listener's configuration. The task holds the snapshot that it began with.
    fn config(&self) -> Result<&Listener, Fault> {
        self.policy.config().listeners.get(self.listener).ok_or_else(|| internal("the listener is not configured"))
    }

    fn shared(&self) -> Result<&ListenerShared, Fault> {
        self.shard.shared.listeners.get(self.listener).ok_or_else(|| internal("the listener is not known"))
    }
}

/// A state that cannot be; told as such rather than panicking.
fn internal(what: &'static str) -> Fault {
    Fault::new(Culprit::Gateway, b"XX000", "internal", what)
}

/// Starts the set-up of one accepted client.
pub(crate) fn begin(shard: &Rc<Shard>, listener: usize, socket: OwnedFd) {
    let policy = Arc::clone(&shard.policy.borrow());
    let gateway = &policy.config().gateway;
    if shard.setups.borrow().len()
        >= usize::try_from(gateway.max_clients).unwrap_or(usize::MAX).saturating_add(SETUPS_BEYOND_LIMIT)
    {
        crate::figures::refused(shard, "too_many_setups");
        return;
    }
    let socket = socket2::Socket::from(socket);
    let client: Box<str> = socket
        .peer_addr()
        .ok()
        .and_then(|address| address.as_socket().map(|address| address.to_string()))
        .unwrap_or_else(|| "unix".to_owned())
        .into();
    // A socket that refuses these is about to fail anyway, and says so when it is read.
    let _ = socket.set_tcp_nodelay(true);
    let _ = crate::upstream::keep_alive(&socket);
    let deadline_ns = shard.clock.now_ns().saturating_add(clock::ns(gateway.startup_timeout));
    let watch = Rc::new(SetupWatch {
        deadline_ns: Cell::new(deadline_ns),
        ports: RefCell::new(Vec::new()),
        finished: Cell::new(false),
    });
    shard.setups.borrow_mut().push(Rc::clone(&watch));
    let id = shard.ring.borrow_mut().adopt(socket.into());
    let port = Port::new(shard, id, true);
    watch.ports.borrow_mut().push(port.state());
    let facts = SessionFacts::new(shard, &policy, listener, client);
    let setup = Setup { shard: Rc::clone(shard), policy, listener, watch, facts, next_sequence: 0 };
    shard.woken.set(true);
    drop(glommio::spawn_local(run(setup, port)).detach());
}

async fn run(mut setup: Setup, mut port: Port) {
    let result = match setup.config().map(|config| config.protocol) {
        Ok(Protocol::MySql) => setup.open_mysql(&mut port).await,
        Ok(Protocol::Postgres) => setup.open_postgres(&mut port).await,
        Err(fault) => Err(fault.into()),
    };
    match result {
        Ok(Some(opened)) => setup.hand_over(port, opened),
        Ok(None) => {}
        Err(error) => setup.end(port, error).await,
    }
    setup.watch.finished.set(true);
}

impl Setup {
    fn place(&self) -> Result<ClientPlace, SetupError> {
        let total = usize::try_from(self.policy.config().gateway.max_clients).unwrap_or(usize::MAX);
        let limit = self.config()?.max_clients.map_or(total, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        ClientPlace::take(&self.shard.shared, self.listener, total, limit).ok_or_else(|| {
            let text = "sorry, too many clients already: a limit of Wiregate is reached";
            SetupError::Refused(Fault::new(Culprit::Gateway, b"53300", "too_many_clients", text))
        })
    }

    fn hand_over(&mut self, port: Port, opened: Opened) {
        let Opened { server, session, cancel, place, parameters, auth: opened_as } = opened;
        let mut guard = SessionGuard::new(&self.shard, &self.policy, self.facts.clone(), opened_as);
        for (name, value) in &parameters {
            wire::guard::Guard::parameter_status(&mut guard, name, value);
        }
        guard.connected(port.tls(), server.tls());
        if let Some((key, address)) = cancel {
            guard.can_be_cancelled(key, address);
        }
        let established = Established {
            client: Leg::new(port.into_parts()),
            server: Leg::new(server.into_parts()),
            session,
            guard,
            place,
        };
        establish(&self.shard, established);
    }

    /// Tells the client and the audit why there is no session.
    async fn end(&mut self, mut port: Port, error: SetupError) {
        let fault = match error {
            SetupError::ClientGone(error) => {
                self.facts.client_gone(&self.shard, &error);
                if !matches!(error, PortError::Expired) {
                    return;
                }
                Fault::new(Culprit::Client, b"57P05", "startup_timeout", "the time for setting up the session is over")
            }
            SetupError::ServerRefused { sqlstate, error_code } => {
                self.facts.login_failed(&self.shard, "server_refused", sqlstate, error_code);
                self.linger(port).await;
                return;
            }
            SetupError::LoginFailed(fault) => {
                self.facts.login_refused(&self.shard, &fault);
                fault
            }
            SetupError::Refused(fault) => {
                self.facts.refused(&self.shard, &fault);
                fault
            }
        };
        self.watch.deadline_ns.set(self.shard.clock.now_ns().saturating_add(LINGER_NS));
        port.state().renew();
        if port.send(&self.last_words(&fault)).await.is_ok() {
            self.linger(port).await;
        }
    }

    /// A fault as the listener's protocol tells it before a session.
    fn last_words(&self, fault: &Fault) -> Vec<u8> {
        match self.config().map(|config| config.protocol) {
            Ok(Protocol::MySql) => mysql::last_words(fault, self.next_sequence),
            Ok(Protocol::Postgres) | Err(_) => postgres::last_words(fault),
        }
    }

    /// Lets the client read the last message: closing with unread input would reset the connection.
    async fn linger(&self, mut port: Port) {
        port.state().renew();
        self.watch.deadline_ns.set(self.shard.clock.now_ns().saturating_add(LINGER_NS));
        port.shutdown();
        while port.fill().await.is_ok() {
            let unread = port.buffered().len();
            port.consume(unread);
        }
    }
}

/// Name and value of a setting that the server reported.
pub(crate) type Setting = (Box<[u8]>, Box<[u8]>);

/// A server connection that is ready for the first statement.
pub(crate) struct Opened {
    /// The server's side.
    pub(crate) server: Port,
    /// The protocol session, ready for the first statement.
    pub(crate) session: ProtocolSession,
    /// The key for cancelling, and the server that knows it.
    pub(crate) cancel: Option<(crate::cancel::CancelKey, socket2::SockAddr)>,
    /// Settings that the server reported, for the guard.
    pub(crate) parameters: Vec<Setting>,
    /// How the client was authenticated, for the audit.
    pub(crate) auth: &'static str,
    /// Its place among the clients.
    pub(crate) place: ClientPlace,
}

/// Ends set-ups whose time is over, and forgets those that are done.
pub(crate) fn sweep(shard: &Shard, now_ns: u64) {
    let mut expired = Vec::new();
    shard.setups.borrow_mut().retain(|watch| {
        if watch.finished.get() {
            return false;
        }
        if now_ns >= watch.deadline_ns.get() || shard.stopping.get() {
            expired.extend(watch.ports.borrow().iter().cloned());
        }
        true
    });
    for port in expired {
        port.expire();
        shard.wake(&port);
    }
}
