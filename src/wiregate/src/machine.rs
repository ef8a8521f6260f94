//! Whether this machine has what a config names: certificates, keys, cores, a folder for the audit log.
//!
//! The policy crate checks what can be checked in the text alone; what needs a look at the machine is here.

use std::path::Path;

use gateway::tls::{ServerTls, UpstreamTls};
use policy::config::{Auth, Config};

/// What is missing, one sentence each. Changes nothing on the machine.
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(error) = gateway::shard_count(config) {
        problems.push(error.to_string());
    }
    for listener in &config.listeners {
        let mut report = |key: &str, error: &dyn std::fmt::Display| {
            problems.push(format!("[[listen]] \"{}\": {key}: {error}", listener.name));
        };
        if let Some(tls) = &listener.tls
            && let Err(error) = ServerTls::load(&tls.cert, &tls.key)
        {
            report("tls", &error);
        }
        if let Err(error) = UpstreamTls::new(&listener.upstream_tls, &listener.upstream) {
            report("upstream_tls", &error);
        }
    }
    if let Err(error) = folder_is_writable(&config.audit.path) {
        problems.push(format!("[audit] path: {}: {error}", config.audit.path.display()));
    }
    problems
}

/// What works, but should be known to be so, one sentence each.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if !config.admin.address.ip().is_loopback() {
        warnings.push(format!(
            "[admin] address: {} is reached from other machines, and the admin server asks nobody for a password",
            config.admin.address
        ));
    }
    for listener in &config.listeners {
        if matches!(listener.auth, Auth::Gateway { .. })
            && listener.tls.is_none()
            && !listener.address.ip().is_loopback()
        {
            warnings.push(format!(
                "[[listen]] \"{}\": clients authenticate here without TLS; set tls = {{ cert = …, key = … }}",
                listener.name
            ));
        }
    }
    let descriptors = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(u64::MAX, |(_, hard)| hard);
    // Two sockets for each client; some files, rings and listeners beside.
    let needed = u64::from(config.gateway.max_clients) * 2 + 256;
    if needed > descriptors {
        warnings.push(format!(
            "[gateway] max_clients: {} clients need {needed} descriptors and the process may have {descriptors}; \
             raise its limit (ulimit -Hn, LimitNOFILE=) or lower max_clients",
            config.gateway.max_clients
        ));
    }
    warnings
}

/// Whether files can be created in a folder, or the folder itself where it is not there yet.
fn folder_is_writable(folder: &Path) -> std::io::Result<()> {
    let existing = folder.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
    let existing = existing.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = existing.join(format!(".wiregate-check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}
