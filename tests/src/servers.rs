//! The real servers of `scripts/servers`: where they listen, and how to administrate them.
//!
//! The script does the locking and the starting; a server that runs already is used as it is.

use crate::{program, root};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Whose protocol and SQL a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
    /// PostgreSQL.
    Postgres,
}

/// A running server.
#[derive(Clone, Debug)]
pub struct Server {
    /// The name for `scripts/servers`, such as `pg15`.
    pub name: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Its process id; PostgreSQL's is the postmaster's.
    pub pid: u32,
    /// Folder of its client programs.
    pub bin: PathBuf,
    /// Folder of its administrator's socket.
    pub socket_dir: PathBuf,
    /// Where the certificates lie: `ca.crt`, `other-ca.crt`, `gateway.crt`, `gateway.key`, `gateway-2.…`.
    pub tls_dir: PathBuf,
    /// Its administrator's socket as its own programs see it; MySQL and MariaDB only.
    socket: String,
    /// Words before a client program of this server: how to enter the tree that it is installed in.
    run: Vec<String>,
    /// The authority's certificate as those programs see it.
    ca_for_programs: PathBuf,
}

impl Server {
    /// Finds a server, and starts it where it does not run.
    ///
    /// # Errors
    /// The reason why it cannot run on this machine; the test is to be skipped.
    ///
    /// # Panics
    /// When the server could run and does not start.
    pub fn find(name: &str) -> Result<Self, String> {
        let script = root().join("scripts/servers");
        let started = program::run(Command::new(&script).arg("start").arg(name), Duration::from_secs(120));
        let listed = program::run(Command::new(&script).arg("env").arg(name), Duration::from_secs(20)).expect_success();
        let values = parse_env(&listed.stdout);
        let key = name.to_uppercase().replace('-', "_");
        let of = |suffix: &str| values.get(&format!("{key}_{suffix}")).cloned().unwrap_or_default();
        let unavailable = of("UNAVAILABLE");
        if !unavailable.is_empty() {
            return Err(unavailable);
        }
        started.expect_success();
        let tls_dir = PathBuf::from(values.get("TLS_DIR").cloned().unwrap_or_default());
        let inside = of("CA_INSIDE");
        Ok(Self {
            name: name.to_owned(),
            port: of("PORT").parse().expect("scripts/servers env names a port"),
            pid: of("PID").parse().expect("scripts/servers env names a process"),
            bin: of("BIN").into(),
            socket_dir: of("SOCKET_DIR").into(),
            socket: of("SOCKET"),
            ca_for_programs: if inside.is_empty() { tls_dir.join("ca.crt") } else { inside.into() },
            tls_dir,
            run: of("RUN").split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Whose protocol it speaks.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.name.split('-').next() {
            Some("mariadb" | "mariadb118") => Family::MariaDb,
            Some("mysql97") => Family::MySql,
            _ => Family::Postgres,
        }
    }

    /// One of this server's client programs (`psql`, `mariadb-dump`, …), ready for arguments.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let path = self.bin.join(name);
        let mut command = match self.run.split_first() {
            None => Command::new(path),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(path);
                command
            }
        };
        command.env_remove("PGSSLMODE").env("PGCONNECT_TIMEOUT", "20").env("PGTZ", "UTC");
        command
    }

    /// Its command line client (`mariadb` or `mysql`), ready for arguments.
    #[must_use]
    pub fn command_line(&self, endpoint: &Endpoint) -> Command {
        let mut command = self.program(if self.family() == Family::MariaDb { "mariadb" } else { "mysql" });
        command
            .args(self.options(endpoint))
            .args(["--batch", "--default-character-set=utf8mb4"])
            .arg(&endpoint.database);
        command
    }

    /// Options with which the client programs of MariaDB and MySQL reach an endpoint. The database is not
    /// among them.
    #[must_use]
    pub fn options(&self, endpoint: &Endpoint) -> Vec<String> {
        let mut options = vec![
            "--no-defaults".to_owned(),
            "--protocol=tcp".to_owned(),
            "--host=127.0.0.1".to_owned(),
            format!("--port={}", endpoint.port),
            format!("--user={}", endpoint.user),
            format!("--password={}", endpoint.password),
        ];
        let ca = self.ca_for_programs.display();
        match (self.family(), endpoint.tls) {
            (Family::MariaDb, true) => options.extend([format!("--ssl-ca={ca}"), "--ssl-verify-server-cert".into()]),
            (Family::MariaDb, false) => options.push("--skip-ssl".into()),
            (_, true) => options.extend([format!("--ssl-ca={ca}"), "--ssl-mode=VERIFY_CA".into()]),
            // Where the password travels without TLS, the server's RSA key hides it.
            (_, false) => options.extend(["--ssl-mode=DISABLED".into(), "--get-server-public-key".into()]),
        }
        options
    }

    /// Whether its data lies in memory (`scripts/servers` says when).
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.socket_dir.with_file_name("data").is_symlink()
    }

    /// A folder that the tests and the programs of [`Self::program`] both see: files for clients to send.
    #[must_use]
    pub fn shared_dir(&self) -> &std::path::Path {
        &self.socket_dir
    }

    /// The path of a file in [`Self::shared_dir`] as the programs of [`Self::program`] see it.
    #[must_use]
    pub fn path_for_programs(&self, name: &str) -> String {
        std::path::Path::new(&self.socket).with_file_name(name).display().to_string()
    }

    /// A libpq connection string that the programs of [`Self::program`] understand.
    #[must_use]
    pub fn dsn(&self, endpoint: &Endpoint) -> String {
        endpoint.dsn(&self.ca_for_programs)
    }

    /// The server itself, as a client is to reach it without a gateway.
    #[must_use]
    pub fn endpoint(&self, user: &str, tls: bool) -> Endpoint {
        Endpoint::new(self.port, user, tls, self.tls_dir.join("ca.crt"))
    }

    /// Runs SQL as the superuser, past every gateway, and returns the rows: unaligned from PostgreSQL, with tabs
    /// from MySQL and MariaDB.
    ///
    /// # Panics
    /// When the SQL fails.
    #[must_use]
    pub fn admin(&self, database: &str, sql: &str) -> String {
        if self.family() != Family::Postgres {
            let mut client = self.program(if self.family() == Family::MariaDb { "mariadb" } else { "mysql" });
            client.args(["--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
            client.arg("--user=root").arg(format!("--socket={}", self.socket)).args(["--execute", sql, database]);
            return program::run(&mut client, Duration::from_secs(60)).expect_success().stdout.trim_end().to_owned();
        }
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql]);
        psql.arg("-h").arg(&self.socket_dir).arg("-p").arg(self.port.to_string());
        program::run(&mut psql, Duration::from_secs(60)).expect_success().stdout.trim_end().to_owned()
    }

    /// A copy of the shop that nobody else uses; dropped with the value.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn private_database(&self, purpose: &str) -> PrivateDatabase<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{purpose}_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        if self.family() != Family::Postgres {
            let _ = self.admin("mysql", &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}"));
            let shop = std::fs::read_to_string(root().join("scripts/shop-mysql.sql")).expect("the shop");
            let _ = self.admin(&name, &shop);
            return PrivateDatabase { server: self, name };
        }
        let _ = self.admin("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        let _ = self.admin("postgres", &format!("CREATE DATABASE {name} OWNER app TEMPLATE shop_template"));
        PrivateDatabase { server: self, name }
    }
}

/// A database of one test.
#[derive(Debug)]
pub struct PrivateDatabase<'a> {
    server: &'a Server,
    /// Its name.
    pub name: String,
}

impl Drop for PrivateDatabase<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if self.server.family() == Family::Postgres {
            let _ = self.server.admin("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        } else {
            let _ = self.server.admin("mysql", &format!("DROP DATABASE IF EXISTS {}", self.name));
        }
    }
}

/// Where and as whom a client connects: the server itself, or a gateway before it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// The user; by the rule of `scripts/roles*.sql` the password is the name followed by `-secret`.
    pub user: String,
    /// The password.
    pub password: String,
    /// The database.
    pub database: String,
    /// Whether the client demands TLS with a certificate for this host, or uses none.
    pub tls: bool,
    /// The authority that signs the certificates.
    pub ca: PathBuf,
}

impl Endpoint {
    /// The shop on a port, as one of the users of `scripts/roles.sql`.
    #[must_use]
    pub fn new(port: u16, user: &str, tls: bool, ca: PathBuf) -> Self {
        Self { port, user: user.into(), password: format!("{user}-secret"), database: "shop".into(), tls, ca }
    }

    /// The same on another port.
    #[must_use]
    pub fn on_port(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    /// The same in another database.
    #[must_use]
    pub fn in_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// A libpq connection string.
    #[must_use]
    pub fn dsn(&self, ca: &std::path::Path) -> String {
        let tls = if self.tls { format!("verify-full sslrootcert={}", ca.display()) } else { "disable".into() };
        format!(
            "host=127.0.0.1 port={} user={} password={} dbname={} sslmode={tls}",
            self.port, self.user, self.password, self.database
        )
    }

    /// The same for the programs in `tests/drivers`.
    #[must_use]
    pub fn driver_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "host=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("user={}", self.user),
            format!("password={}", self.password),
            format!("dbname={}", self.database),
        ];
        if self.tls {
            arguments.push("sslmode=verify-full".into());
            arguments.push(format!("ca={}", self.ca.display()));
        }
        arguments
    }
}

/// `KEY=value` lines as bash's `printf %q` writes them, for values without line breaks.
fn parse_env(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("\\\\", "\0").replace('\\', "").replace('\0', "\\")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_quoting_is_undone() {
        let values = parse_env("A=plain\nB=two\\ words\\!\nC=\n");
        assert_eq!(values["A"], "plain");
        assert_eq!(values["B"], "two words!");
        assert_eq!(values["C"], "");
    }
}
