//! What a new config may change while the gateway runs.
//!
//! Rules, users, and what is asked anew for each session may change. What the shards were built with may not:
//! a config that changes it is refused whole, because running with half of a file is running with no file that
//! anybody wrote.

use std::path::PathBuf;

use policy::config::{Auth, Config, Gateway, Listener, Password, Secret};

/// What of a new config needs a restart, one sentence each; empty where it can be loaded.
pub(crate) fn needs_restart(running: &Config, new: &Config) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut differs = |what: String, different: bool| {
        if different {
            reasons.push(format!("{what} has changed and needs a restart; the running config stays"));
        }
    };
    let built = |gateway: &Gateway| (gateway.cores.clone(), gateway.buffers, gateway.buffer_bytes);
    differs("[gateway] cores, buffers or buffer_bytes".to_owned(), built(&running.gateway) != built(&new.gateway));
    differs("[admin]".to_owned(), running.admin != new.admin);
    differs("[audit]".to_owned(), running.audit != new.audit);
    let names = |config: &Config| config.listeners.iter().map(|listener| listener.name.clone()).collect::<Vec<_>>();
    if names(running) == names(new) {
        for (old, new) in running.listeners.iter().zip(&new.listeners) {
            differs(format!("[[listen]] \"{}\"", old.name), fixed_part(old) != fixed_part(new));
        }
    } else {
        differs("the list of [[listen]]".to_owned(), true);
    }
    reasons
}

/// A listener without what is asked anew for each session.
fn fixed_part(listener: &Listener) -> Listener {
    Listener { max_clients: None, allow_replication: false, ..listener.clone() }
}

/// The files whose change is a reason to load the config again: itself, and those that it names.
pub(crate) fn watched_files(config_path: PathBuf, config: &Config) -> Vec<PathBuf> {
    let mut paths = vec![config_path];
    let mut secret = |secret: &Secret| {
        if let Secret::File(path) = secret {
            paths.push(path.clone());
        }
    };
    for listener in &config.listeners {
        if let Auth::Gateway { upstream_password: Some(password), .. } = &listener.auth {
            secret(password);
        }
    }
    for user in &config.users {
        if let Some(Password::Secret(password)) = &user.password {
            secret(password);
        }
    }
    for listener in &config.listeners {
        if let Some(tls) = &listener.tls {
            paths.extend([tls.cert.clone(), tls.key.clone()]);
        }
        paths.extend(listener.upstream_tls.ca.clone());
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
[admin]
address = "127.0.0.1:9090"
[[listen]]
name = "orders"
protocol = "postgres"
address = "127.0.0.1:6432"
upstream = "127.0.0.1:5432"
auth = "gateway"
upstream_user = "app"
upstream_password = { file = "app.password" }
[[user]]
name = "ana"
groups = ["support"]
password = { file = "ana.password" }
[[deny]]
name = "no drop"
statements = ["drop"]
"#;

    fn parse(text: &str) -> Config {
        Config::parse(text, "wiregate.toml").unwrap()
    }

    fn reasons(from: &str, to: &str) -> Vec<String> {
        assert!(BASE.contains(from));
        needs_restart(&parse(BASE), &parse(&BASE.replace(from, to)))
    }

    #[test]
    fn rules_and_users_change_without_a_restart() {
        assert!(reasons("\"drop\"", "\"truncate\"").is_empty());
        assert!(reasons("\"support\"", "\"sales\"").is_empty());
        assert!(reasons("upstream = ", "max_clients = 5\nallow_replication = true\nupstream = ").is_empty());
        assert!(reasons("[admin]", "[gateway]\nmax_clients = 7\nidle_timeout = \"5s\"\n[admin]").is_empty());
    }

    #[test]
    fn what_shards_are_built_with_needs_a_restart() {
        for (from, to, what) in [
            ("9090", "9091", "[admin]"),
            ("6432", "6433", "[[listen]] \"orders\""),
            ("5432", "5433", "[[listen]] \"orders\""),
            ("\"orders\"", "\"sales\"", "the list of [[listen]]"),
            ("[admin]", "[audit]\npath = \"elsewhere\"\n[admin]", "[audit]"),
            ("[admin]", "[gateway]\ncores = [0]\n[admin]", "[gateway]"),
        ] {
            let reasons = reasons(from, to);
            assert_eq!(reasons.len(), 1, "{from} to {to}: {reasons:?}");
            assert!(reasons[0].starts_with(what) && reasons[0].contains("needs a restart"), "{reasons:?}");
        }
    }

    #[test]
    fn files_that_the_config_names_are_watched_too() {
        let text = BASE.replace("upstream = ", "tls = { cert = \"a.crt\", key = \"a.key\" }\nupstream = ");
        let files = watched_files("wiregate.toml".into(), &parse(&text));
        let expected: Vec<PathBuf> =
            ["wiregate.toml", "app.password", "ana.password", "a.crt", "a.key"].map(PathBuf::from).into();
        assert_eq!(files, expected);
    }
}
