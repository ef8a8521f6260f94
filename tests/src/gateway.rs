//! The `wiregate` binary under test: a generated config, free ports, an audit log of its own.
//!
//! The binary is the one built beside the test (`target/debug/wiregate`), or what `WIREGATE_BIN` names. It is
//! killed when the value is dropped, and by the kernel when the test process dies.

use crate::program::{self, eventually};
use crate::servers::{Endpoint, Family, Server};
use crate::{audit, masked};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a gateway is to be started with: one listener named `shop` before one server.
#[derive(Clone, Debug)]
pub struct Setup {
    upstream: String,
    protocol: &'static str,
    tls_dir: PathBuf,
    gateway_auth: bool,
    upstream_user: &'static str,
    tls: Option<&'static str>,
    upstream_tls: &'static str,
    policy: String,
    cores: &'static str,
    gateway_lines: String,
    listen_lines: String,
    audit_lines: String,
    audit_path: Option<PathBuf>,
}

impl Setup {
    /// Passthrough authentication, TLS on neither leg, the shop's policy ([`masked::POLICY`]).
    #[must_use]
    pub fn before(server: &Server) -> Self {
        let setup = Self::before_address(&format!("127.0.0.1:{}", server.port), &server.tls_dir);
        match server.family() {
            Family::Postgres => setup,
            // MySQL has databases where PostgreSQL has schemas.
            Family::MariaDb | Family::MySql => setup.mysql().policy(&masked::POLICY.replace("\"public.", "\"*.")),
        }
    }

    /// The same before anything that listens on an address.
    #[must_use]
    pub fn before_address(upstream: &str, tls_dir: &Path) -> Self {
        Self {
            upstream: upstream.to_owned(),
            protocol: "postgres",
            tls_dir: tls_dir.to_owned(),
            gateway_auth: false,
            upstream_user: "app",
            tls: None,
            upstream_tls: "disable",
            policy: masked::POLICY.to_owned(),
            cores: "[0]",
            gateway_lines: String::new(),
            listen_lines: String::new(),
            audit_lines: String::new(),
            audit_path: None,
        }
    }

    /// The listener speaks MySQL's protocol.
    #[must_use]
    pub fn mysql(self) -> Self {
        Self { protocol: "mysql", ..self }
    }

    /// The gateway checks the clients and logs in as `app`.
    #[must_use]
    pub fn gateway_auth(self) -> Self {
        Self { gateway_auth: true, ..self }
    }

    /// The role of the server that a gateway which authenticates logs in as.
    #[must_use]
    pub fn upstream_user(self, upstream_user: &'static str) -> Self {
        Self { upstream_user, ..self }
    }

    /// TLS is offered to clients.
    #[must_use]
    pub fn tls_offered(self) -> Self {
        Self { tls: Some("false"), ..self }
    }

    /// TLS is demanded of clients.
    #[must_use]
    pub fn tls_required(self) -> Self {
        Self { tls: Some("true"), ..self }
    }

    /// TLS toward the server: `disable`, `prefer`, `require` or `verify-full` (with the servers' authority).
    #[must_use]
    pub fn upstream_tls(self, mode: &'static str) -> Self {
        Self { upstream_tls: mode, ..self }
    }

    /// Rules in place of the shop's.
    #[must_use]
    pub fn policy(self, rules: &str) -> Self {
        Self { policy: rules.to_owned(), ..self }
    }

    /// Cores in place of the first one, as the config writes them.
    #[must_use]
    pub fn cores(self, cores: &'static str) -> Self {
        Self { cores, ..self }
    }

    /// More lines for `[gateway]`.
    #[must_use]
    pub fn gateway_lines(self, lines: &str) -> Self {
        Self { gateway_lines: lines.to_owned(), ..self }
    }

    /// More lines for the listener.
    #[must_use]
    pub fn listen_lines(self, lines: &str) -> Self {
        Self { listen_lines: lines.to_owned(), ..self }
    }

    /// More lines for `[audit]`.
    #[must_use]
    pub fn audit_lines(self, lines: &str) -> Self {
        Self { audit_lines: lines.to_owned(), ..self }
    }

    /// Where the audit log goes, in place of a folder of its own.
    #[must_use]
    pub fn audit_path(self, path: &Path) -> Self {
        Self { audit_path: Some(path.to_owned()), ..self }
    }

    fn config(&self, port: u16, admin_port: u16, audit_dir: &Path) -> String {
        let tls = self.tls.map_or(String::new(), |require| {
            let file = |name: &str| self.tls_dir.join(name).display().to_string();
            format!(
                "tls = {{ cert = \"{}\", key = \"{}\", require = {require} }}\n",
                file("gateway.crt"),
                file("gateway.key")
            )
        });
        let upstream_tls = match self.upstream_tls {
            "verify-full" => {
                format!(
                    "upstream_tls = {{ mode = \"verify-full\", ca = \"{}\" }}\n",
                    self.tls_dir.join("ca.crt").display()
                )
            }
            mode => format!("upstream_tls = \"{mode}\"\n"),
        };
        let auth = if self.gateway_auth {
            format!(
                "auth = \"gateway\"\nupstream_user = \"{0}\"\nupstream_password = {{ env = \"TEST_{1}_PASSWORD\" }}\n",
                self.upstream_user,
                self.upstream_user.to_uppercase()
            )
        } else {
            "auth = \"passthrough\"\n".to_owned()
        };
        let users: String = [("ana", "support"), ("dora", "dba"), ("trust_user", "dba"), ("scram_user", "support")]
            .iter()
            .map(|(name, group)| {
                let password = if self.gateway_auth {
                    format!("password = {{ env = \"TEST_PASSWORD_{}\" }}\n", name.to_uppercase())
                } else {
                    String::new()
                };
                format!("[[user]]\nname = \"{name}\"\ngroups = [\"{group}\"]\n{password}")
            })
            .collect();
        format!(
            "[gateway]\ncores = {}\n{}\n[admin]\naddress = \"127.0.0.1:{admin_port}\"\n\n\
             [audit]\npath = \"{}\"\n{}\n[[listen]]\nname = \"shop\"\nprotocol = \"{}\"\n\
             address = \"127.0.0.1:{port}\"\nupstream = \"{}\"\n{tls}{upstream_tls}{auth}{}\n{users}\n{}\n",
            self.cores,
            self.gateway_lines,
            audit_dir.display(),
            self.audit_lines,
            self.protocol,
            self.upstream,
            self.listen_lines,
            self.policy,
        )
    }

    /// Starts the gateway and waits until it is ready.
    ///
    /// # Panics
    /// With what it wrote, when it does not become ready.
    #[must_use]
    #[track_caller]
    pub fn start(&self) -> Gateway {
        let dir = private_dir();
        let (port, admin_port) = (free_port(), free_port());
        let audit_dir = self.audit_path.clone().unwrap_or_else(|| dir.join("audit"));
        let config = dir.join("wiregate.toml");
        fs::write(&config, self.config(port, admin_port, &audit_dir)).expect("write the config");
        let mut gateway = Gateway {
            child: spawn(&config, &dir.join("log")),
            setup: self.clone(),
            port,
            admin_port,
            audit_dir,
            tls_dir: self.tls_dir.clone(),
            dir,
        };
        eventually("the gateway is ready", Duration::from_secs(20), || {
            if let Ok(Some(status)) = gateway.child.try_wait() {
                panic!("wiregate ended with {status}:\n{}", gateway.log());
            }
            (gateway.admin("/readyz").0 == 200).then_some(())
        });
        gateway
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    setup: Setup,
    /// Port of its listener.
    pub port: u16,
    /// Port of its admin address.
    pub admin_port: u16,
    /// Folder of its audit log.
    pub audit_dir: PathBuf,
    tls_dir: PathBuf,
    dir: PathBuf,
}

impl Gateway {
    /// How a client reaches it.
    #[must_use]
    pub fn endpoint(&self, user: &str, tls: bool) -> Endpoint {
        Endpoint::new(self.port, user, tls, self.tls_dir.join("ca.crt"))
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.dir.join("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Its config file.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.dir.join("wiregate.toml")
    }

    /// Writes the config anew from another set-up, on the same ports.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn rewrite_config(&self, change: impl FnOnce(Setup) -> Setup) {
        let config = change(self.setup.clone()).config(self.port, self.admin_port, &self.audit_dir);
        self.write_config(&config);
    }

    /// Writes any text as the config.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_config(&self, text: &str) {
        let partial = self.dir.join("wiregate.toml.new");
        fs::write(&partial, text).and_then(|()| fs::rename(&partial, self.config_path())).expect("write the config");
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        program::signal(name, self.pid());
    }

    /// Waits for its end and returns its exit status; `None` where it had to be killed.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        program::wait(&mut self.child, limit).0
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// GET on the admin address: status (0 where nobody answers) and body.
    #[must_use]
    pub fn admin(&self, path: &str) -> (u16, String) {
        http_get(self.admin_port, path).unwrap_or_default()
    }

    /// The sum of a metric over all of its label sets; 0 where it does not exist.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let (_, body) = self.admin("/metrics");
        body.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// All audit records so far.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        audit::records(&self.audit_dir)
    }

    /// Waits for an audit record and returns it.
    ///
    /// # Panics
    /// When none comes: with all that there are.
    #[must_use]
    #[track_caller]
    pub fn record(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let records = self.records();
            if let Some(found) = records.iter().rev().find(|record| wanted(record)) {
                return found.clone();
            }
            if std::time::Instant::now() > deadline {
                let all: Vec<String> = records.iter().rev().take(30).map(Value::to_string).collect();
                panic!("no audit record of {what}; the last ones:\n{}\n--- log\n{}", all.join("\n"), self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its resident memory in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            let message =
                format!("--- the gateway's last lines (all of it in {})\n{}\n", self.dir.display(), tail.join("\n"));
            let _ = std::io::stderr().write_all(message.as_bytes());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// The binary under test.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("WIREGATE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the test knows its own path");
    let built = test.ancestors().nth(2).map(|profile| profile.join("wiregate")).unwrap_or_default();
    assert!(built.is_file(), "{} is missing: run `cargo build -p wiregate` first", built.display());
    built
}

/// A `wiregate` command line other than `run`, with the tests' secrets in its environment.
#[must_use]
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments);
    add_secrets(&mut command);
    command
}

fn spawn(config: &Path, log: &Path) -> Child {
    let out = fs::File::create(log).expect("create the log");
    let err = out.try_clone().expect("share the log");
    // setpriv becomes the gateway, and has the kernel kill it when the test's thread is gone.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary()).arg("run").arg("--config").arg(config);
    add_secrets(&mut command);
    command.env("RUST_BACKTRACE", "1").stdin(Stdio::null()).stdout(out).stderr(err);
    command.spawn().expect("start wiregate")
}

fn add_secrets(command: &mut Command) {
    for user in ["app", "md5_user", "password_user"] {
        command.env(format!("TEST_{}_PASSWORD", user.to_uppercase()), format!("{user}-secret"));
    }
    for user in ["ana", "dora", "trust_user", "scram_user"] {
        command.env(format!("TEST_PASSWORD_{}", user.to_uppercase()), format!("{user}-secret"));
    }
}

/// A new folder for one test.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn private_dir() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("wiregate-test-{}-{number}", std::process::id()));
    fs::create_dir_all(&dir).expect("make a folder");
    dir
}

/// A port of 127.0.0.1 that nobody listens on now.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn http_get(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}
