//! `wiregate run`: both planes, from start to stop.
//!
//! The control plane starts first, so that signals are handled from the beginning; it ends last, so that the
//! last figures and log lines of the shards are seen.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use control::{Accepted, Setup};
use gateway::SecretsHandle;
use policy::config::Config;
use tracing_subscriber::EnvFilter;

use crate::load::{self, Loaded};
use crate::{Failure, machine};

/// Runs the gateway until it is told to stop.
pub(crate) fn run(path: &Path) -> Result<(), Failure> {
    log_to_stderr();
    let Loaded { snapshot, secrets } = load::load(path, 1).map_err(Failure::Failed)?;
    let config = Arc::clone(snapshot.config());
    for warning in machine::warnings(&config) {
        tracing::warn!("{warning}");
    }
    // Two descriptors for each client; the soft limit is often 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit on descriptors could not be raised");
    }
    let shards = gateway::shard_count(&config).map_err(Failure::new)?;
    let address = config.admin.address;
    let admin = TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("the admin server cannot listen on {address}: {error}; change [admin] address"))
    })?;
    let (shard_links, links) = (0..shards).map(|_| bridge::link()).unzip();
    let handle = Arc::new(OnceLock::new());
    let plane = control::start(Setup {
        admin,
        config_path: path.to_owned(),
        snapshot: Arc::clone(&snapshot),
        links,
        load: reload(path, &handle),
        kill: Box::new(|| std::process::exit(1)),
    })
    .map_err(Failure::new)?;
    let outcome = gateway::start(snapshot, secrets, shard_links).and_then(|running| {
        // Nobody else sets it.
        drop(handle.set(running.secrets()));
        announce(&config, shards);
        running.join()
    });
    plane.finish();
    outcome.map_err(Failure::new)?;
    tracing::info!("stopped");
    Ok(())
}

/// How the control plane reads the config again.
fn reload(path: &Path, handle: &Arc<OnceLock<SecretsHandle>>) -> control::Load {
    let (path, handle) = (path.to_owned(), Arc::clone(handle));
    Box::new(move |generation| {
        let Loaded { snapshot, secrets } = load::load(&path, generation)?;
        let Some(handle) = handle.get().cloned() else {
            return Err(vec!["the gateway is still starting; load the config again afterwards".to_owned()]);
        };
        Ok(Accepted { snapshot, commit: Box::new(move || handle.replace(secrets)) })
    })
}

fn announce(config: &Config, shards: usize) {
    for listener in &config.listeners {
        tracing::info!(listener = &*listener.name, address = %listener.address, "accepts clients");
    }
    tracing::info!(
        shards,
        admin = %config.admin.address,
        audit = %config.audit.path.display(),
        version = env!("CARGO_PKG_VERSION"),
        "wiregate is ready"
    );
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("WIREGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).with_ansi(colours).init();
}
