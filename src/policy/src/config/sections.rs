//! The sections of the config file: which keys each has, and what they default to.
//!
//! A section that lacks a required key is left out of the draft; the problem is noted by then, and a draft
//! with problems never becomes a [`Config`].

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use super::pattern::ColumnPattern;
use super::read::{Entry, Marks, Section};
use super::{
    Admin, Audit, AuditedStatements, Auth, ClientTls, Config, Cores, Deny, Gateway, Listener, LiteralsFile, LocalFile,
    Mask, NotifyPayloads, OnFailure, Password, PolicySettings, Predicates, Protocol, Secret, Unparsed, Upstream,
    UpstreamTls, UpstreamTlsMode, User, rules, units,
};
use crate::detect::{Detector, List, Pattern};
use crate::mask::Method;
use crate::statement::kind::KindSet;

/// What was read, with the places of its keys.
pub(super) struct Draft {
    pub(super) gateway: Gateway,
    pub(super) admin: (Admin, Option<Marks>),
    pub(super) audit: Audit,
    pub(super) policy: PolicySettings,
    pub(super) listeners: Vec<(Listener, Marks)>,
    pub(super) users: Vec<(User, Marks)>,
    pub(super) denies: Vec<(Deny, Marks)>,
    pub(super) masks: Vec<(Mask, Marks)>,
    pub(super) local_files: Vec<(LocalFile, Marks)>,
    /// Whether every listener and user was read, so that names which are not among them are wrong.
    pub(super) names_complete: bool,
}

impl Draft {
    /// The draft as a config.
    pub(super) fn config(self) -> Option<Config> {
        fn plain<T>(marked: Vec<(T, Marks)>) -> Vec<T> {
            marked.into_iter().map(|entry| entry.0).collect()
        }
        Some(Config {
            gateway: self.gateway,
            admin: self.admin.0,
            audit: self.audit,
            policy: self.policy,
            listeners: plain(self.listeners),
            users: plain(self.users),
            denies: plain(self.denies),
            masks: plain(self.masks),
            local_files: plain(self.local_files),
        })
    }
}

/// Reads every section.
pub(super) fn draft(root: &Section<'_>) -> Draft {
    let (listen, user) = (root.tables("listen"), root.tables("user"));
    let written = listen.len() + user.len();
    let (listeners, users) = (each(listen, listener), each(user, self::user));
    Draft {
        gateway: gateway(root.table("gateway").as_ref()),
        admin: admin(root.table("admin").as_ref()),
        audit: audit(root.table("audit").as_ref()),
        policy: policy(root.table("policy").as_ref()),
        names_complete: listeners.len() + users.len() == written,
        listeners,
        users,
        denies: each(root.tables("deny"), rules::deny),
        masks: each(root.tables("mask"), mask),
        local_files: each(root.tables("local_file"), rules::local_file),
    }
}

fn each<'a, T>(sections: Vec<Section<'a>>, read: impl Fn(&Section<'a>) -> Option<T>) -> Vec<(T, Marks)> {
    let one = |section: Section<'a>| {
        let found = read(&section);
        section.finish();
        Some((found?, section.marks()))
    };
    sections.into_iter().filter_map(one).collect()
}

const DEFAULT_STARTUP_TIMEOUT: Duration = Duration::from_secs(15);
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);

fn gateway(section: Option<&Section<'_>>) -> Gateway {
    let mut gateway = Gateway {
        cores: Cores::Auto,
        max_clients: 10_000,
        idle_timeout: None,
        startup_timeout: DEFAULT_STARTUP_TIMEOUT,
        stop_timeout: DEFAULT_STOP_TIMEOUT,
        buffers: 256,
        buffer_bytes: 64 << 10,
    };
    let Some(section) = section else { return gateway };
    let duration = |entry: &Entry<'_>| entry.parsed(units::duration);
    gateway.cores = section.or("cores", Cores::Auto, cores);
    gateway.max_clients = section.or("max_clients", gateway.max_clients, |entry| entry.number(1..=1_000_000));
    gateway.idle_timeout =
        section.entry("idle_timeout").and_then(|entry| duration(&entry)).filter(|idle| !idle.is_zero());
    gateway.startup_timeout = section.or("startup_timeout", gateway.startup_timeout, |entry| {
        let timeout = duration(entry)?;
        if timeout < Duration::from_millis(100) {
            entry.problem("must be at least \"100ms\"");
        }
        Some(timeout)
    });
    gateway.stop_timeout = section.or("stop_timeout", gateway.stop_timeout, duration);
    gateway.buffers = section.or("buffers", gateway.buffers, |entry| {
        let count: u16 = entry.number(8..=32_768)?;
        if !count.is_power_of_two() {
            entry.problem("must be a power of two");
        }
        Some(count)
    });
    gateway.buffer_bytes = section.or("buffer_bytes", gateway.buffer_bytes, |entry| entry.bytes(4 << 10..=1 << 20));
    section.finish();
    gateway
}

fn cores(entry: &Entry<'_>) -> Option<Cores> {
    if let Some(text) = entry.value.as_str() {
        if text != "auto" {
            entry.problem("expected \"auto\" or a list of core numbers");
        }
        return Some(Cores::Auto);
    }
    let cores: Vec<u16> = entry.list(|core| core.number(0..=4095))?;
    if cores.is_empty() {
        entry.problem("the list must not be empty; \"auto\" takes every core");
    }
    if cores.iter().enumerate().any(|(index, core)| cores.get(..index).is_some_and(|before| before.contains(core))) {
        entry.problem("a core is listed twice");
    }
    Some(Cores::List(cores))
}

fn admin(section: Option<&Section<'_>>) -> (Admin, Option<Marks>) {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);
    let Some(section) = section else { return (Admin { address }, None) };
    let address = section.or("address", address, |entry| entry.parsed(units::address));
    section.finish();
    (Admin { address }, Some(section.marks()))
}

fn audit(section: Option<&Section<'_>>) -> Audit {
    let mut audit = Audit {
        path: PathBuf::from("audit"),
        rotate_bytes: 128 << 20,
        on_failure: OnFailure::Refuse,
        statements: AuditedStatements::All,
    };
    let Some(section) = section else { return audit };
    audit.path = section.or("path", audit.path, path);
    audit.rotate_bytes = section.or("rotate_bytes", audit.rotate_bytes, |entry| entry.bytes(64 << 10..=1 << 40));
    audit.on_failure = section.or("on_failure", audit.on_failure, |entry| {
        entry.one_of(&[("continue", OnFailure::Continue), ("refuse", OnFailure::Refuse)])
    });
    audit.statements = section.or("statements", audit.statements, |entry| {
        entry.one_of(&[("all", AuditedStatements::All), ("refused", AuditedStatements::Refused)])
    });
    section.finish();
    audit
}

fn policy(section: Option<&Section<'_>>) -> PolicySettings {
    let mut settings = PolicySettings {
        comparisons_per_hour: 100,
        hash_key: None,
        unparsed: Unparsed::Auto,
        allow_under_masks: KindSet::EMPTY,
        notify_payloads: NotifyPayloads::Empty,
    };
    let Some(section) = section else { return settings };
    settings.comparisons_per_hour =
        section.or("comparisons_per_hour", settings.comparisons_per_hour, |entry| entry.number(0..=1_000_000));
    settings.hash_key = section.entry("hash_key").and_then(|entry| secret(&entry));
    settings.unparsed = section.or("unparsed", settings.unparsed, |entry| {
        entry.one_of(&[("allow", Unparsed::Allow), ("auto", Unparsed::Auto), ("refuse", Unparsed::Refuse)])
    });
    settings.allow_under_masks = section.or("allow_under_masks", settings.allow_under_masks, rules::classes);
    settings.notify_payloads = section.or("notify_payloads", settings.notify_payloads, |entry| {
        entry.one_of(&[("empty", NotifyPayloads::Empty), ("pass", NotifyPayloads::Pass)])
    });
    section.finish();
    settings
}

fn path(entry: &Entry<'_>) -> Option<PathBuf> {
    entry.text().map(|text| PathBuf::from(&*text))
}

fn listener(section: &Section<'_>) -> Option<Listener> {
    let name = section.required("name", Entry::text);
    let protocol = section
        .required("protocol", |entry| entry.one_of(&[("mysql", Protocol::MySql), ("postgres", Protocol::Postgres)]));
    let address = section.required("address", |entry| entry.parsed(units::address));
    let upstream = section.required("upstream", |entry| entry.parsed(units::upstream));
    let tls = section.entry("tls").and_then(|entry| client_tls(&entry));
    let upstream_tls = section.entry("upstream_tls").and_then(|entry| upstream_tls(&entry));
    let auth = auth(section);
    let max_clients = section.entry("max_clients").and_then(|entry| entry.number(1..=1_000_000));
    let allow_replication = section.or("allow_replication", false, Entry::boolean);
    let upstream_tls = upstream_tls.unwrap_or(UpstreamTls { mode: UpstreamTlsMode::Disable, ca: None });
    let upstream: Upstream = upstream?;
    Some(Listener {
        name: name?,
        protocol: protocol?,
        address: address?,
        upstream,
        tls,
        upstream_tls,
        auth: auth?,
        max_clients,
        allow_replication,
    })
}

fn client_tls(entry: &Entry<'_>) -> Option<ClientTls> {
    let section = entry.section()?;
    let cert = section.required("cert", path);
    let key = section.required("key", path);
    let require = section.or("require", false, Entry::boolean);
    section.finish();
    Some(ClientTls { cert: cert?, key: key?, require })
}

fn upstream_tls(entry: &Entry<'_>) -> Option<UpstreamTls> {
    let mode = |entry: &Entry<'_>| {
        entry.one_of(&[
            ("disable", UpstreamTlsMode::Disable),
            ("prefer", UpstreamTlsMode::Prefer),
            ("require", UpstreamTlsMode::Require),
            ("verify-full", UpstreamTlsMode::VerifyFull),
        ])
    };
    let tls = if entry.value.is_str() {
        UpstreamTls { mode: mode(entry)?, ca: None }
    } else {
        let section = entry.section()?;
        let mode = section.required("mode", mode);
        let ca = section.entry("ca").and_then(|entry| path(&entry));
        section.finish();
        UpstreamTls { mode: mode?, ca }
    };
    match (tls.mode, &tls.ca) {
        (UpstreamTlsMode::VerifyFull, None) => {
            entry.problem("verify-full needs a CA: { mode = \"verify-full\", ca = \"ca.crt\" }");
        }
        (UpstreamTlsMode::Disable | UpstreamTlsMode::Prefer | UpstreamTlsMode::Require, Some(_)) => {
            entry.problem("a ca is only used with mode = \"verify-full\"");
        }
        _ => {}
    }
    Some(tls)
}

fn auth(section: &Section<'_>) -> Option<Auth> {
    let gateway = section.or("auth", false, |entry| entry.one_of(&[("gateway", true), ("passthrough", false)]));
    if gateway {
        let upstream_user = section.required("upstream_user", Entry::text)?;
        let upstream_password = section.entry("upstream_password").and_then(|entry| secret(&entry));
        return Some(Auth::Gateway { upstream_user, upstream_password });
    }
    for key in ["upstream_user", "upstream_password"] {
        if let Some(entry) = section.entry(key) {
            entry.problem("is only used with auth = \"gateway\"");
        }
    }
    Some(Auth::Passthrough)
}

fn secret(entry: &Entry<'_>) -> Option<Secret> {
    let section = entry.section()?;
    let env = section.entry("env").and_then(|entry| entry.parsed(units::environment));
    let file = section.entry("file").and_then(|entry| path(&entry)).map(Secret::File);
    section.finish();
    match (env, file) {
        (Some(secret), None) | (None, Some(secret)) => Some(secret),
        _ => {
            entry.problem("expected { env = \"NAME\" } or { file = \"path\" }");
            None
        }
    }
}

fn user(section: &Section<'_>) -> Option<User> {
    let name = section.required("name", Entry::text);
    let groups = section.or("groups", Vec::new(), |entry| entry.list(Entry::text));
    let password = section.entry("password").and_then(|entry| password(&entry));
    Some(User { name: name?, groups, password })
}

fn password(entry: &Entry<'_>) -> Option<Password> {
    let section = entry.section()?;
    let scram = section.entry("scram").and_then(|entry| {
        let verifier = entry.text()?;
        if !verifier.starts_with("SCRAM-SHA-256$") || verifier.split(['$', ':']).count() != 5 {
            entry.problem("expected a verifier \"SCRAM-SHA-256$…\", as `wiregate passwd` makes them");
        }
        Some(Password::Scram(verifier))
    });
    let env = section.entry("env").and_then(|entry| entry.parsed(units::environment)).map(Password::Secret);
    let file = section.entry("file").and_then(|entry| path(&entry)).map(|path| Password::Secret(Secret::File(path)));
    section.finish();
    let mut found: Vec<_> = [scram, env, file].into_iter().flatten().collect();
    if found.len() != 1 {
        entry.problem("expected one of scram, env and file");
    }
    found.pop()
}

fn mask(section: &Section<'_>) -> Option<Mask> {
    let name = section.required("name", Entry::text);
    let columns: Vec<ColumnPattern> =
        section.or("columns", Vec::new(), |entry| entry.list(|item| item.parsed(str::parse)));
    let mut detect: Vec<Detector> =
        section.or("detect", Vec::new(), |entry| entry.list(|item| item.parsed(str::parse)));
    let literals_file = own_detectors(section, &mut detect);
    let method = section.or("method", Method::Redact, |entry| entry.parsed(str::parse));
    let predicates = section.or("predicates", Predicates::Allow, |entry| {
        entry.one_of(&[("allow", Predicates::Allow), ("deny", Predicates::Deny), ("equality", Predicates::Equality)])
    });
    for (key, list_is_empty) in [("columns", columns.is_empty()), ("detect", detect.is_empty())] {
        let entry = section.entry(key);
        let written_empty =
            entry.as_ref().and_then(|entry| entry.value.as_array()).is_some_and(|array| array.is_empty());
        if list_is_empty
            && written_empty
            && let Some(entry) = entry
        {
            entry.problem("the list must not be empty");
        }
    }
    let detects = ["detect", "literals_file", "pattern"].into_iter().any(|key| section.entry(key).is_some());
    if section.entry("columns").is_none() && !detects {
        section.required("columns", |_| None::<()>);
    }
    let (mode, scope) = (rules::mode(section), rules::scope(section));
    Some(Mask { name: name?, columns, detect, literals_file, method, predicates, mode, scope })
}

/// The detectors that `pattern` and `literals_file` make, and the file.
fn own_detectors(section: &Section<'_>, detect: &mut Vec<Detector>) -> Option<LiteralsFile> {
    let ignore_case = section.or("ignore_case", false, Entry::boolean);
    let pattern = section.entry("pattern");
    let pattern = pattern.and_then(|entry| entry.parsed(|pattern| Pattern::compile(pattern, ignore_case)));
    detect.extend(pattern.map(|pattern| Detector::Pattern(Arc::new(pattern))));
    let literals_file =
        section.entry("literals_file").and_then(|entry| path(&entry)).map(|path| LiteralsFile { path, ignore_case });
    detect.extend(literals_file.as_ref().map(|_| Detector::Literals(List::UNKNOWN)));
    if let Some(entry) = section.entry("ignore_case")
        && section.entry("pattern").is_none()
        && literals_file.is_none()
    {
        entry.problem("is only used with pattern or literals_file");
    }
    literals_file
}
