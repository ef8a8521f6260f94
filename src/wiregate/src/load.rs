//! From a config file to a policy and secrets, with everything that this machine must have for them.
//!
//! Relative paths in a config are relative to the folder of the config file, so that it means the same wherever
//! the process was started.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::limits::CONFIG_BYTES;
use gateway::Secrets;
use policy::config::{Auth, Config, LiteralsFile, Password, Secret};
use policy::detect::{LIST_BYTES, Literals};
use policy::mask::HashKey;
use policy::snapshot::{Found, Snapshot};

use crate::{machine, secrets};

/// A config that can run here.
pub(crate) struct Loaded {
    /// The compiled policy.
    pub(crate) snapshot: Arc<Snapshot>,
    /// What its secrets are.
    pub(crate) secrets: Secrets,
}

/// Reads, checks and compiles a config file.
///
/// # Errors
///
/// Everything that is wrong with it and with what it names, one sentence each.
pub(crate) fn load(path: &Path, generation: u64) -> Result<Loaded, Vec<String>> {
    let config = parse(path)?;
    let mut problems = machine::problems(&config);
    let secrets = secrets::resolve(&config).unwrap_or_else(|more| {
        problems.extend(more);
        Secrets::default()
    });
    let hash_key = secrets::hash_key(&config).unwrap_or_else(|problem| {
        problems.push(problem);
        HashKey::UNKNOWN
    });
    let literals = lists(&config, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let found = Found { hash_key, literals };
    let snapshot = Arc::new(Snapshot::compile_with(Arc::new(config), generation, found));
    Ok(Loaded { snapshot, secrets })
}

/// Reads and compiles the lists that masks look for; what is wrong with one is added to `problems`.
fn lists(config: &Config, problems: &mut Vec<String>) -> BTreeMap<LiteralsFile, Arc<Literals>> {
    let mut lists = BTreeMap::new();
    for mask in &config.masks {
        let Some(file) = mask.literals_file.as_ref().filter(|file| !lists.contains_key(*file)) else { continue };
        match read_list(file) {
            Ok(literals) => {
                lists.insert(file.clone(), Arc::new(literals));
            }
            Err(error) => {
                problems.push(format!("[[mask]] \"{}\": literals_file: {}: {error}", mask.name, file.path.display()));
            }
        }
    }
    lists
}

fn read_list(file: &LiteralsFile) -> Result<Literals, String> {
    let limit = u64::try_from(LIST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let list = std::fs::File::open(&file.path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    list.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Literals::compile(&bytes, file.ignore_case).map_err(|error| error.to_string())
}

/// Reads a config file without a look at the machine.
///
/// # Errors
///
/// As [`load`].
pub(crate) fn parse(path: &Path) -> Result<Config, Vec<String>> {
    let name = path.display().to_string();
    let text = read(path).map_err(|error| vec![format!("{name}: {error}")])?;
    let mut config =
        Config::parse(&text, &name).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    anchor(&mut config, path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(CONFIG_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > CONFIG_BYTES) {
        return Err(format!("the file is longer than {CONFIG_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}

/// Puts the config's folder before every relative path.
fn anchor(config: &mut Config, folder: &Path) {
    let place = |path: &mut PathBuf| *path = folder.join(&*path);
    let secret = |secret: &mut Secret| {
        if let Secret::File(path) = secret {
            place(path);
        }
    };
    place(&mut config.audit.path);
    if let Some(key) = &mut config.policy.hash_key {
        secret(key);
    }
    for listener in &mut config.listeners {
        if let Some(tls) = &mut listener.tls {
            place(&mut tls.cert);
            place(&mut tls.key);
        }
        if let Some(ca) = &mut listener.upstream_tls.ca {
            place(ca);
        }
        if let Auth::Gateway { upstream_password: Some(password), .. } = &mut listener.auth {
            secret(password);
        }
    }
    for file in config.masks.iter_mut().filter_map(|mask| mask.literals_file.as_mut()) {
        place(&mut file.path);
    }
    for user in &mut config.users {
        if let Some(Password::Secret(password)) = &mut user.password {
            secret(password);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_belong_to_the_folder_of_the_config() {
        let text = r#"
            [policy]
            hash_key = { file = "hash.key" }
            [[listen]]
            name = "orders"
            protocol = "postgres"
            address = "127.0.0.1:6432"
            upstream = "127.0.0.1:5432"
            tls = { cert = "server.crt", key = "/etc/ssl/server.key" }
            upstream_tls = { mode = "verify-full", ca = "ca.crt" }
            auth = "gateway"
            upstream_user = "app"
            upstream_password = { file = "app.password" }
            [[user]]
            name = "ana"
            password = { file = "ana.password" }
            [[mask]]
            name = "names"
            literals_file = "names.txt"
        "#;
        let mut config = Config::parse(text, "t").unwrap();
        anchor(&mut config, Path::new("/etc/wiregate"));
        let listener = &config.listeners[0];
        let tls = listener.tls.as_ref().unwrap();
        assert_eq!(config.audit.path, Path::new("/etc/wiregate/audit"));
        let file = config.masks[0].literals_file.as_ref().unwrap();
        assert_eq!(file.path, Path::new("/etc/wiregate/names.txt"));
        assert_eq!(config.policy.hash_key, Some(Secret::File("/etc/wiregate/hash.key".into())));
        assert_eq!(tls.cert, Path::new("/etc/wiregate/server.crt"));
        assert_eq!(tls.key, Path::new("/etc/ssl/server.key"));
        assert_eq!(listener.upstream_tls.ca.as_deref(), Some(Path::new("/etc/wiregate/ca.crt")));
        assert!(matches!(&listener.auth, Auth::Gateway { upstream_password: Some(Secret::File(path)), .. }
            if path == Path::new("/etc/wiregate/app.password")));
        assert!(matches!(&config.users[0].password, Some(Password::Secret(Secret::File(path)))
            if path == Path::new("/etc/wiregate/ana.password")));
    }
}
