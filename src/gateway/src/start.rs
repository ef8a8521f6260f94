//! From a checked configuration to running shards, and what can stand in the way.
//!
//! Everything that an operator must change is found here, before the first client is accepted, and said in
//! one sentence.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use audit::{Log, LogSettings, OnFailure};
use bridge::ShardLink;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use policy::config::{self, Auth, Config, Cores, Listener};
use policy::snapshot::Snapshot;
use postgres::scram::verifier::{MockSecret, Verifier};
use socket2::{Domain, Protocol, Socket, Type};

use crate::auditlog::AuditLog;
use crate::cancel::CancelRegistry;
use crate::comparisons::Comparisons;
use crate::driver::Driver;
use crate::own_line::OwnLine;
use crate::ring::{HostProblem, Ring, RingConfig, RingError, check_host};
use crate::rsa::RsaKey;
use crate::shard::{ListenerShared, Shard, Shared};
use crate::tls::{ServerTls, TlsError, UpstreamTls};
use crate::upstream::Upstream;

/// Connections that wait to be accepted, for each listener and shard.
const BACKLOG: i32 = 1024;

/// Submission entries of a shard's ring: a turn that queues more submits in between.
const RING_ENTRIES: u32 = 1024;

/// Locked memory that a shard needs: the executor's own rings and a little for ours.
const MEMLOCK_BYTES_PER_SHARD: u64 = 512 << 10;

/// Secrets that the configuration names, looked up.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Wiregate's own passwords on servers, by the name of the listener.
    pub upstream: HashMap<String, String>,
    /// Passwords that the configuration names, by the name of the user, where a MySQL listener checks its clients:
    /// its protocol's hashes cannot be checked by what `users` has.
    pub passwords: HashMap<String, wire::secret::Secret>,
    /// What users' passwords are checked against, by the name of the user.
    pub users: HashMap<String, Verifier>,
}

/// Why the gateway does not run. Each is one sentence that says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The audit directory cannot be used.
    #[error("the audit directory {path} cannot be used: {source}; change [audit] path or its permissions")]
    Audit {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A listener's address cannot be used.
    #[error("listener \"{listener}\" cannot listen on {address}: {source}; change its address or end what uses it")]
    Bind {
        /// Name of the listener.
        listener: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A core of the configuration is not there.
    #[error("core {core} is not available to this process (available: {available}); change [gateway] cores")]
    Core {
        /// The core that was asked for.
        core: usize,
        /// Those that there are.
        available: String,
    },
    /// The executor of a shard could not be started.
    #[error("the executor of core {core} could not be started: {message}")]
    Executor {
        /// The core.
        core: usize,
        /// What glommio said.
        message: String,
    },
    /// The kernel or its settings do not allow io_uring.
    #[error(transparent)]
    Host(#[from] HostProblem),
    /// The ring of a shard failed.
    #[error("io_uring failed: {source}")]
    Ring {
        /// What the system said.
        source: io::Error,
    },
    /// The ring of a shard could not be set up.
    #[error("the ring of a shard could not be set up: {0}")]
    RingSetup(#[from] RingError),
    /// A listener's certificate, key or CA cannot be used.
    #[error("TLS of listener \"{listener}\": {source}")]
    Tls {
        /// Name of the listener.
        listener: String,
        /// What is wrong.
        source: TlsError,
    },
    /// A server's name has no address.
    #[error("the upstream of listener \"{listener}\" cannot be looked up: {source}; change upstream")]
    Upstream {
        /// Name of the listener.
        listener: String,
        /// What the system said.
        source: io::Error,
    },
}

/// How many shards a configuration asks for.
///
/// # Errors
/// [`StartError::Core`] where a core is not available to this process.
pub fn shard_count(config: &Config) -> Result<usize, StartError> {
    Ok(cores(config)?.len())
}

fn cores(config: &Config) -> Result<Vec<usize>, StartError> {
    let available = available_cores();
    match &config.gateway.cores {
        Cores::Auto => Ok(available),
        Cores::List(wanted) => {
            let wanted: Vec<usize> = wanted.iter().copied().map(usize::from).collect();
            for core in &wanted {
                if !available.contains(core) {
                    let available = available.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                    return Err(StartError::Core { core: *core, available });
                }
            }
            Ok(wanted)
        }
    }
}

/// The cores that this process may run on, from the kernel's own list (`Cpus_allowed_list`).
fn available_cores() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
    let cores = parse_core_list(list.trim());
    if cores.is_empty() { vec![0] } else { cores }
}

/// Reads `0-3,8,10-11`.
fn parse_core_list(list: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

/// The running shards.
pub struct Running {
    threads: Vec<ExecutorJoinHandle<Result<(), StartError>>>,
    shared: Arc<Shared>,
}

/// Replaces the secrets of running shards; new logins use them.
#[derive(Clone)]
pub struct SecretsHandle(Arc<Shared>);

impl SecretsHandle {
    /// Uses these from the next login on.
    pub fn replace(&self, secrets: Secrets) {
        *self.0.secrets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(secrets);
        self.0.fast.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Running {
    /// The way to replace secrets after the configuration was loaded again.
    #[must_use]
    pub fn secrets(&self) -> SecretsHandle {
        SecretsHandle(Arc::clone(&self.shared))
    }

    /// Waits until every shard has stopped.
    ///
    /// # Errors
    /// What made a shard stop, if it was not a stop command.
    pub fn join(self) -> Result<(), StartError> {
        let mut outcome = Ok(());
        for (core, thread) in self.threads.into_iter().enumerate() {
            let ended =
                thread.join().unwrap_or_else(|error| Err(StartError::Executor { core, message: format!("{error}") }));
            outcome = outcome.and(ended);
        }
        outcome
    }
}

/// What one shard's thread needs to begin.
struct ShardSeed {
    index: usize,
    core: usize,
    sockets: Vec<OwnedFd>,
    link: ShardLink,
    snapshot: Arc<Snapshot>,
    shared: Arc<Shared>,
}

/// Checks the host, binds every listener on every shard, and starts the shards.
///
/// Returns when all of them accept clients.
///
/// # Errors
/// The first thing that has to be changed.
pub fn start(snapshot: Arc<Snapshot>, secrets: Secrets, links: Vec<ShardLink>) -> Result<Running, StartError> {
    let config = Arc::clone(snapshot.config());
    let cores = cores(&config)?;
    check_host(MEMLOCK_BYTES_PER_SHARD.saturating_mul(cores.len() as u64))?;
    let shared = Arc::new(shared(&config, secrets)?);
    for listen in &config.listeners {
        probe(listen)?;
    }
    let (ready, readiness) = channel();
    let mut threads = Vec::new();
    for (index, (core, link)) in cores.into_iter().zip(links).enumerate() {
        let sockets = config.listeners.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let seed =
            ShardSeed { index, core, sockets, link, snapshot: Arc::clone(&snapshot), shared: Arc::clone(&shared) };
        threads.push(spawn(seed, ready.clone())?);
    }
    drop(ready);
    wait_until_ready(&readiness, threads.len())?;
    Ok(Running { threads, shared })
}

fn wait_until_ready(readiness: &Receiver<Result<(), StartError>>, shards: usize) -> Result<(), StartError> {
    for _ in 0..shards {
        match readiness.recv() {
            Ok(result) => result?,
            Err(_) => {
                return Err(StartError::Ring { source: io::Error::other("a shard ended before it was ready") });
            }
        }
    }
    Ok(())
}

fn shared(config: &Config, secrets: Secrets) -> Result<Shared, StartError> {
    let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let checks =
        |listen: &Listener| listen.protocol == config::Protocol::MySql && matches!(listen.auth, Auth::Gateway { .. });
    let rsa = match config.listeners.iter().any(checks) {
        true => Some(RsaKey::generate().ok_or_else(|| StartError::Ring {
            source: io::Error::other("no RSA key could be made for logins by caching_sha2_password"),
        })?),
        false => None,
    };
    let listeners = config.listeners.iter().map(listener_shared).collect::<Result<_, _>>()?;
    Ok(Shared {
        cancels: CancelRegistry::default(),
        listeners: OwnLine::new(listeners),
        secrets: RwLock::new(Arc::new(secrets)),
        comparisons: Comparisons::default(),
        fast: Mutex::default(),
        rsa,
        clients: AtomicUsize::new(0),
        run: u32::try_from(run & u64::from(u32::MAX)).unwrap_or_default(),
    })
}

fn listener_shared(listen: &Listener) -> Result<ListenerShared, StartError> {
    let tls_error = |source| StartError::Tls { listener: listen.name.to_string(), source };
    let tls = listen.tls.as_ref().map(|tls| ServerTls::load(&tls.cert, &tls.key)).transpose().map_err(tls_error)?;
    let upstream_tls = UpstreamTls::new(&listen.upstream_tls, &listen.upstream).map_err(tls_error)?;
    let upstream = Upstream::find(&listen.upstream)
        .map_err(|source| StartError::Upstream { listener: listen.name.to_string(), source })?;
    let mut mock_secret = [0; 32];
    crate::random::fill(&mut mock_secret).map_err(|source| StartError::Ring { source })?;
    Ok(ListenerShared {
        clients: AtomicUsize::new(0),
        tls,
        upstream_tls,
        upstream: Mutex::new(upstream),
        schema_epoch: OwnLine::default(),
        mock_secret: MockSecret::new(mock_secret),
    })
}

/// Finds out whether somebody else has the port. Sockets with SO_REUSEPORT of the same user would share it
/// with another gateway without a word.
fn probe(listen: &Listener) -> Result<(), StartError> {
    let bind = || -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&listen.address.into())?;
        socket.listen(1)
    };
    bind().map_err(|source| bind_error(listen, source))
}

fn bind(listen: &Listener) -> Result<OwnedFd, StartError> {
    let bind = || -> io::Result<OwnedFd> {
        let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&listen.address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|source| bind_error(listen, source))
}

fn bind_error(listen: &Listener, source: io::Error) -> StartError {
    StartError::Bind { listener: listen.name.to_string(), address: listen.address, source }
}

fn spawn(
    seed: ShardSeed,
    ready: Sender<Result<(), StartError>>,
) -> Result<ExecutorJoinHandle<Result<(), StartError>>, StartError> {
    let core = seed.core;
    LocalExecutorBuilder::new(Placement::Fixed(core))
        .name(&format!("shard-{}", seed.index))
        // The executor's own rings serve nothing here: the thread sleeps in ours.
        .io_memory(64 << 10)
        .ring_depth(16)
        .spawn(move || run(seed, ready))
        .map_err(|error| StartError::Executor { core, message: error.to_string() })
}

async fn run(seed: ShardSeed, ready: Sender<Result<(), StartError>>) -> Result<(), StartError> {
    match prepare(seed) {
        Ok(driver) => {
            // Nobody listens any more where another shard could not start.
            let _ = ready.send(Ok(()));
            drop(ready);
            driver.run().await
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            Ok(())
        }
    }
}

fn prepare(seed: ShardSeed) -> Result<Driver, StartError> {
    let config = Arc::clone(seed.snapshot.config());
    let gateway = &config.gateway;
    let ring =
        Ring::new(&RingConfig { entries: RING_ENTRIES, buffers: gateway.buffers, buffer_bytes: gateway.buffer_bytes })?;
    let audit = audit_log(&config, seed.index)?;
    let shard = Rc::new(Shard::new(seed.index, ring, seed.snapshot, audit, seed.shared));
    Ok(Driver::new(shard, seed.link, seed.sockets))
}

fn audit_log(config: &Config, shard: usize) -> Result<AuditLog, StartError> {
    let directory = config.audit.path.clone();
    let opened = audit::files::open_directory(&directory, shard)
        .map_err(|source| StartError::Audit { path: directory.clone(), source })?;
    let log = Log::new(LogSettings {
        shard,
        sequence: opened.sequence,
        len: opened.len,
        rotate_bytes: config.audit.rotate_bytes,
        on_failure: match config.audit.on_failure {
            policy::config::OnFailure::Continue => OnFailure::Continue,
            policy::config::OnFailure::Refuse => OnFailure::Refuse,
        },
    });
    Ok(AuditLog::new(log, opened.file, directory, shard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_core_list_is_read() {
        assert_eq!(parse_core_list("0-3,8,10-11"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(parse_core_list("5"), [5]);
        assert!(parse_core_list("").is_empty());
    }
}
