//! The control plane's loop: signals, the clock, and what shards report.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit::{Record, Reload};
use policy::config::Config;
use policy::snapshot::Snapshot;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::connections::Bounded;
use crate::fleet::Fleet;
use crate::limits::{PROBLEMS_SHOWN, WATCH};
use crate::reload::{needs_restart, watched_files};
use crate::watch::Watch;
use crate::{Accepted, Load, Setup, StartError, admin};

/// The plane, ready to run.
pub(crate) struct Running {
    fleet: Arc<Fleet>,
    wake: Arc<Notify>,
    admin: TcpListener,
    signals: Signals,
    reloader: Reloader,
    kill: Box<dyn Fn() + Send>,
    stops: u32,
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

/// The config that runs, and how to read it again.
struct Reloader {
    config_path: PathBuf,
    snapshot: Arc<Snapshot>,
    load: Load,
    watch: Watch,
}

/// What asked for a reload, as the audit calls it.
#[derive(Clone, Copy, Debug)]
enum Cause {
    File,
    Signal,
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Signal => "signal",
        }
    }
}

impl Running {
    /// Takes over sockets and signals. Needs to be called inside the runtime.
    pub(crate) fn prepare(setup: Setup) -> Result<Self, StartError> {
        let handler = |kind| signal(kind).map_err(StartError::Signals);
        let signals = Signals {
            hangup: handler(SignalKind::hangup())?,
            interrupt: handler(SignalKind::interrupt())?,
            terminate: handler(SignalKind::terminate())?,
        };
        let admin = TcpListener::from_std(setup.admin).map_err(StartError::Admin)?;
        let wake = Arc::new(Notify::new());
        let fleet = Arc::new(Fleet::new(setup.links, setup.snapshot.generation(), &wake));
        let mut watch = Watch::default();
        watch.set(watched_files(setup.config_path.clone(), setup.snapshot.config()));
        let reloader = Reloader { config_path: setup.config_path, snapshot: setup.snapshot, load: setup.load, watch };
        Ok(Self { fleet, wake, admin, signals, reloader, kill: setup.kill, stops: 0 })
    }

    /// Runs until `end` is told.
    pub(crate) async fn run(self, end: &Notify) {
        let Self { fleet, wake, admin, mut signals, mut reloader, kill, mut stops } = self;
        let served = tokio::spawn(serve(admin, Arc::clone(&fleet)));
        let mut clock = interval(WATCH);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = end.notified() => break,
                () = wake.notified() => fleet.take_events(),
                _ = signals.terminate.recv() => stop(&fleet, &reloader, &mut stops, &kill),
                _ = signals.interrupt.recv() => stop(&fleet, &reloader, &mut stops, &kill),
                _ = signals.hangup.recv() => reloader.reload(&fleet, Cause::Signal),
                _ = clock.tick() => {
                    fleet.send_waiting();
                    if reloader.watch.changed() {
                        reloader.reload(&fleet, Cause::File);
                    }
                }
            }
        }
        served.abort();
    }
}

async fn serve(admin: TcpListener, fleet: Arc<Fleet>) {
    if let Err(error) = axum::serve(Bounded::new(admin), admin::router(fleet)).await {
        tracing::error!(%error, "the admin server has ended");
    }
}

fn stop(fleet: &Fleet, reloader: &Reloader, stops: &mut u32, kill: &dyn Fn()) {
    *stops += 1;
    match *stops {
        1 => {
            let grace = reloader.snapshot.config().gateway.stop_timeout;
            tracing::info!(?grace, "stopping: no new clients; running statements may end");
            fleet.stop(grace);
        }
        2 => {
            tracing::warn!("stopping at once");
            fleet.stop(Duration::ZERO);
        }
        _ => {
            tracing::error!("killed");
            kill();
        }
    }
}

impl Reloader {
    fn reload(&mut self, fleet: &Fleet, cause: Cause) {
        let generation = self.snapshot.generation();
        let outcome = (self.load)(generation.saturating_add(1)).and_then(|new| {
            let reasons = needs_restart(self.snapshot.config(), new.snapshot.config());
            if reasons.is_empty() { Ok(new) } else { Err(reasons) }
        });
        match outcome {
            Ok(new) => self.loaded(fleet, cause, new),
            Err(problems) => self.refused(fleet, cause, problems),
        }
    }

    fn loaded(&mut self, fleet: &Fleet, cause: Cause, Accepted { snapshot: new, commit }: Accepted) {
        commit();
        let (generation, config): (u64, &Config) = (new.generation(), new.config());
        tracing::info!(
            generation,
            cause = cause.as_str(),
            denies = config.denies.len(),
            masks = config.masks.len(),
            users = config.users.len(),
            "the config was loaded"
        );
        self.watch.set(watched_files(self.config_path.clone(), config));
        fleet.load(&new);
        fleet.audit(record(cause, generation, &[]));
        self.snapshot = new;
    }

    fn refused(&mut self, fleet: &Fleet, cause: Cause, mut problems: Vec<String>) {
        let generation = self.snapshot.generation();
        tracing::error!(
            generation,
            cause = cause.as_str(),
            problems = problems.len(),
            "the config was not loaded; the running one stays"
        );
        let left_out = problems.len().saturating_sub(PROBLEMS_SHOWN);
        problems.truncate(PROBLEMS_SHOWN);
        if left_out > 0 {
            problems.push(format!("and {left_out} more"));
        }
        for problem in &problems {
            tracing::error!("{problem}");
        }
        // What was refused is not read again until it changes.
        self.watch.set(watched_files(self.config_path.clone(), self.snapshot.config()));
        fleet.count_refused_reload();
        fleet.audit(record(cause, generation, &problems));
    }
}

fn record(cause: Cause, generation: u64, problems: &[String]) -> Vec<u8> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    audit::encode(&Record::Reload(Reload { unix_ns, cause: cause.as_str(), generation, problems }), &mut line);
    line
}
