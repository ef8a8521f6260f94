//! One core's share of the data plane: what the driver, the set-up tasks and the sessions of it share.
//!
//! Everything here is reached from one thread only. What other shards see too is in [`Shared`], and is
//! touched when a session begins or ends, never for a message.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bridge::ShardMetrics;
use mysql::auth::sha2::FastVerifier;
use policy::snapshot::Snapshot;
use postgres::scram::client::ScramKeys;
use postgres::scram::verifier::{MockSecret, Verifier};

use crate::auditlog::AuditLog;
use crate::cancel::CancelRegistry;
use crate::catalogues::Catalogues;
use crate::clock::Clock;
use crate::comparisons::Comparisons;
use crate::guard::Statement;
use crate::own_line::OwnLine;
use crate::pace::Pace;
use crate::relay::Relays;
use crate::ring::{Ring, SocketId};
use crate::rsa::RsaKey;
use crate::setup::port::PortState;
use crate::start::Secrets;
use crate::tls::{ServerTls, UpstreamTls};
use crate::upstream::Upstream;
use crate::verdicts::{Contexts, VerdictCache};

/// Which side of a session a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The application.
    Client,
    /// The database.
    Server,
}

impl Side {
    /// The opposite side.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Whom the ring's events of a socket concern.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// Nobody any more.
    Nobody,
    /// A set-up task.
    Setup(Rc<PortState>),
    /// An established session.
    Relay(usize, Side),
}

/// What all shards share.
pub(crate) struct Shared {
    /// Cancel keys of live sessions.
    pub(crate) cancels: CancelRegistry,
    /// One for each listener of the configuration, in its order. Statements look here for the one value that they
    /// read, so it lies apart from what is written.
    pub(crate) listeners: OwnLine<Vec<ListenerShared>>,
    /// Passwords and verifiers; replaced on reload.
    pub(crate) secrets: RwLock<Arc<Secrets>>,
    /// What users have compared with masked columns; touched by such statements alone.
    pub(crate) comparisons: Comparisons,
    /// What logins by `caching_sha2_password` left, by user: only users of the configuration, so bounded by it.
    pub(crate) fast: Mutex<HashMap<Box<str>, FastVerifier>>,
    /// The gateway's RSA key, where a MySQL listener checks its clients.
    pub(crate) rsa: Option<RsaKey>,
    /// Sessions in all.
    pub(crate) clients: AtomicUsize,
    /// Distinguishes this run's session ids from those of earlier runs.
    pub(crate) run: u32,
}

impl Shared {
    fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a user's password is checked against.
    pub(crate) fn verifier(&self, user: &str) -> Option<Verifier> {
        self.secrets().users.get(user).cloned()
    }

    /// A user's password, where the configuration names it.
    pub(crate) fn password(&self, user: &str) -> Option<wire::secret::Secret> {
        self.secrets().passwords.get(user).cloned()
    }

    /// What a user's earlier login by `caching_sha2_password` left.
    pub(crate) fn fast_verifier(&self, user: &str) -> Option<FastVerifier> {
        self.fast.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    /// Keeps what a login by `caching_sha2_password` left, until secrets are replaced.
    pub(crate) fn remember_fast(&self, user: &str, verifier: FastVerifier) {
        self.fast.lock().unwrap_or_else(PoisonError::into_inner).insert(user.into(), verifier);
    }

    /// Wiregate's own password for a listener's server.
    pub(crate) fn upstream_password(&self, listener: &str) -> Option<String> {
        self.secrets().upstream.get(listener).cloned()
    }
}

/// What all shards share of one listener.
pub(crate) struct ListenerShared {
    /// Clients that are past their start-up packet.
    pub(crate) clients: AtomicUsize,
    /// Certificate for clients; swapped on reload.
    pub(crate) tls: Option<ServerTls>,
    /// How the server leg is encrypted.
    pub(crate) upstream_tls: UpstreamTls,
    /// Where the server is.
    pub(crate) upstream: Mutex<Upstream>,
    /// Counts the statements that may have changed relations or functions: catalogues read before are old.
    /// Written by such statements alone, and only read for others.
    pub(crate) schema_epoch: OwnLine<AtomicU64>,
    /// Key for the mock verifiers of unknown users.
    pub(crate) mock_secret: MockSecret,
}

/// A place among the clients that a limit counts; given back when dropped.
pub(crate) struct ClientPlace {
    shared: Arc<Shared>,
    listener: usize,
}

impl ClientPlace {
    /// Takes a place, or says that the limits leave none.
    pub(crate) fn take(shared: &Arc<Shared>, listener: usize, total_limit: usize, limit: usize) -> Option<Self> {
        // The place is built first so that its drop gives both counts back where a limit is passed.
        let place = Self { shared: Arc::clone(shared), listener };
        let total = shared.clients.fetch_add(1, Ordering::Relaxed);
        let here = shared.listeners.get(listener)?.clients.fetch_add(1, Ordering::Relaxed);
        (total < total_limit && here < limit).then_some(place)
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        self.shared.clients.fetch_sub(1, Ordering::Relaxed);
        if let Some(listener) = self.shared.listeners.get(self.listener) {
            listener.clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A set-up task's time limit.
pub(crate) struct SetupWatch {
    /// Clock reading after which the set-up is over.
    pub(crate) deadline_ns: Cell<u64>,
    /// Its sockets.
    pub(crate) ports: RefCell<Vec<Rc<PortState>>>,
    /// Whether a stop may end it at once.
    pub(crate) finished: Cell<bool>,
}

/// One core's share of the data plane.
pub(crate) struct Shard {
    /// Number of this shard, from 0.
    pub(crate) index: usize,
    /// The ring that its thread sleeps in.
    pub(crate) ring: RefCell<Ring>,
    /// Time.
    pub(crate) clock: Clock,
    /// Clock reading when this turn began.
    pub(crate) turn_ns: Cell<u64>,
    /// How busy the sessions are.
    pub(crate) pace: Pace,
    /// Whether a task was woken since the driver last yielded to tasks.
    pub(crate) woken: Cell<bool>,
    /// Whether SIGTERM has come.
    pub(crate) stopping: Cell<bool>,
    /// The policy in force.
    pub(crate) policy: RefCell<Arc<Snapshot>>,
    /// Established sessions.
    pub(crate) relays: RefCell<Relays>,
    /// Tasks that set sessions up.
    pub(crate) setups: RefCell<Vec<Rc<SetupWatch>>>,
    /// Figures since start.
    pub(crate) metrics: RefCell<ShardMetrics>,
    /// The record of what happened.
    pub(crate) audit: RefCell<AuditLog>,
    /// Judged statements.
    pub(crate) verdicts: RefCell<VerdictCache<Statement>>,
    /// What databases hold, as far as masks ask.
    pub(crate) catalogues: RefCell<Catalogues>,
    /// Shared with the other shards.
    pub(crate) shared: Arc<Shared>,
    /// SCRAM keys of our own logins by listener: they spare a login the 4,096 rounds of PBKDF2.
    pub(crate) scram_keys: RefCell<HashMap<usize, ScramKeys>>,
    owners: RefCell<Vec<Owner>>,
    next_session: Cell<u64>,
    /// Contexts that statements are judged in.
    pub(crate) contexts: RefCell<Contexts>,
}

impl Shard {
    /// A shard with its own ring; the driver runs it.
    pub(crate) fn new(index: usize, ring: Ring, policy: Arc<Snapshot>, audit: AuditLog, shared: Arc<Shared>) -> Self {
        let clock = Clock::new();
        let names = policy.config().listeners.iter().map(|listen| listen.name.clone());
        let metrics = ShardMetrics::new(names);
        Self {
            index,
            ring: RefCell::new(ring),
            clock,
            turn_ns: Cell::new(0),
            pace: Pace::default(),
            woken: Cell::new(false),
            stopping: Cell::new(false),
            policy: RefCell::new(policy),
            relays: RefCell::new(Relays::default()),
            setups: RefCell::new(Vec::new()),
            metrics: RefCell::new(metrics),
            audit: RefCell::new(audit),
            verdicts: RefCell::new(VerdictCache::default()),
            catalogues: RefCell::new(Catalogues::default()),
            shared,
            scram_keys: RefCell::new(HashMap::new()),
            owners: RefCell::new(Vec::new()),
            next_session: Cell::new(1),
            contexts: RefCell::new(Contexts::default()),
        }
    }

    /// Says whom a socket's events concern from now on.
    pub(crate) fn set_owner(&self, socket: SocketId, owner: Owner) {
        let mut owners = self.owners.borrow_mut();
        let index = socket.index();
        if owners.len() <= index {
            owners.resize_with(index + 1, || Owner::Nobody);
        }
        if let Some(slot) = owners.get_mut(index) {
            *slot = owner;
        }
    }

    /// Whom a socket's events concern.
    pub(crate) fn owner(&self, socket: SocketId) -> Owner {
        self.owners.borrow().get(socket.index()).cloned().unwrap_or(Owner::Nobody)
    }

    /// How many statements of a listener may have changed relations so far.
    pub(crate) fn schema_epoch(&self, listener: usize) -> u64 {
        self.shared.listeners.get(listener).map_or(0, |listener| listener.schema_epoch.load(Ordering::Relaxed))
    }

    /// A statement that may change relations ran.
    pub(crate) fn schema_changed(&self, listener: usize) {
        if let Some(listener) = self.shared.listeners.get(listener) {
            listener.schema_epoch.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes a task and makes the driver give it a turn before it sleeps.
    pub(crate) fn wake(&self, port: &PortState) {
        if let Some(waker) = port.take_waker() {
            self.woken.set(true);
            waker.wake();
        }
    }

    /// A session id that no other session has had: run, shard and count in hexadecimal.
    pub(crate) fn next_session_id(&self) -> Rc<str> {
        let count = self.next_session.get();
        self.next_session.set(count + 1);
        format!("{:08x}-{:x}-{count:x}", self.shared.run, self.index).into()
    }
}
