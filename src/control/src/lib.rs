//! The control plane on one tokio thread: admin and metrics HTTP, config reload, signals.
//!
//! One named thread runs a current-thread runtime. It talks to the shards through [`bridge`] only, does nothing
//! that any session waits for, and may be slow. What it needs from the rest of the program it is given
//! ([`Setup`]): the shards' links, a bound socket, and a function that reads the config.
//!
//! Signals: SIGHUP reads the config again; SIGTERM or SIGINT stops the shards gracefully, a second one without
//! grace, a third one calls [`Setup::kill`].

#![forbid(unsafe_code)]

mod admin;
mod connections;
mod exposition;
mod fleet;
pub mod limits;
mod metrics;
mod plane;
mod readiness;
mod reload;
mod watch;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use bridge::ControlLink;
use policy::snapshot::Snapshot;
use tokio::sync::Notify;

/// A config that was read again and can run.
pub struct Accepted {
    /// The compiled policy.
    pub snapshot: Arc<Snapshot>,
    /// What else is to change with it (secrets). Called just before the shards are given the policy, and not at
    /// all where the config needs a restart.
    pub commit: Box<dyn FnOnce() + Send>,
}

/// Reads the config, checks it and everything that it names, and compiles it under the generation given.
///
/// Returns what is wrong, one sentence each. Runs on the control thread and may block.
pub type Load = Box<dyn Fn(u64) -> Result<Accepted, Vec<String>> + Send>;

/// What the control plane is started with.
pub struct Setup {
    /// The admin server's socket, bound.
    pub admin: TcpListener,
    /// The config file, to be watched.
    pub config_path: PathBuf,
    /// The policy that the shards start with.
    pub snapshot: Arc<Snapshot>,
    /// One link for each shard, in the order of the shards.
    pub links: Vec<ControlLink>,
    /// Reads the config again.
    pub load: Load,
    /// Ends the process at once; called at the third signal.
    pub kill: Box<dyn Fn() + Send>,
}

/// Why the control plane does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The admin socket could not be handed to the runtime.
    #[error("the admin server cannot use its socket: {0}")]
    Admin(#[source] io::Error),
    /// No runtime.
    #[error("the control plane's runtime could not be started: {0}")]
    Runtime(#[source] io::Error),
    /// No signal handler.
    #[error("signals cannot be handled: {0}")]
    Signals(#[source] io::Error),
    /// No thread.
    #[error("the control plane's thread could not be started: {0}")]
    Thread(#[source] io::Error),
}

/// The running control plane.
#[derive(Debug)]
pub struct Plane {
    thread: JoinHandle<()>,
    end: Arc<Notify>,
}

impl Plane {
    /// Ends the control plane, after the shards, and waits for it.
    pub fn finish(self) {
        self.end.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the control plane panicked");
        }
    }
}

/// Starts the control plane. Returns when signals are handled and the admin server accepts.
///
/// # Errors
///
/// [`StartError`].
pub fn start(setup: Setup) -> Result<Plane, StartError> {
    setup.admin.set_nonblocking(true).map_err(StartError::Admin)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let running = {
        let _inside = runtime.enter();
        plane::Running::prepare(setup)?
    };
    let end = Arc::new(Notify::new());
    let ended = Arc::clone(&end);
    let thread = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || runtime.block_on(running.run(&ended)))
        .map_err(StartError::Thread)?;
    Ok(Plane { thread, end })
}
