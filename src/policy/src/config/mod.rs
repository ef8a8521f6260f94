//! The config file, read once into checked, immutable types.
//!
//! [`Config::parse`] finds everything that is wrong with a text before it says so, each with line and
//! column. A [`Config`] that exists has passed every check that needs no machine: files, environment
//! variables and addresses are named here and never opened, because this crate does no IO.

mod check;
pub mod conditions;
mod never;
pub mod pattern;
mod problem;
mod read;
mod rules;
mod sections;
mod units;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;

pub use problem::Problem;

use crate::detect::Detector;
use crate::mask::Method;
use crate::statement::kind::KindSet;
use conditions::{FunctionPattern, Glob, Network, Schedule};
use pattern::{ColumnPattern, TablePattern};

/// A whole, checked config file.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[admin]`
    pub admin: Admin,
    /// `[audit]`
    pub audit: Audit,
    /// `[policy]`
    pub policy: PolicySettings,
    /// Every `[[listen]]`, in the order of the file; at least one.
    pub listeners: Vec<Listener>,
    /// Every `[[user]]`, in the order of the file.
    pub users: Vec<User>,
    /// Every `[[deny]]`, in the order of the file, which is the order in which they are tried.
    pub denies: Vec<Deny>,
    /// Every `[[mask]]`, in the order of the file: the first that covers a column decides.
    pub masks: Vec<Mask>,
    /// Every `[[local_file]]`, in the order of the file.
    pub local_files: Vec<LocalFile>,
}

impl Config {
    /// Reads a config file. `file` is its name as problems are to show it.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Problem>> {
        read::config(text, file)
    }
}

/// `[gateway]`: the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// `cores`: `"auto"` or a list of core numbers. Default `"auto"`.
    pub cores: Cores,
    /// `max_clients`: client connections at once, over all listeners. Default 10000.
    pub max_clients: u32,
    /// `idle_timeout`: how long a client outside a transaction may say nothing; `"0s"` is for ever.
    /// Default `"0s"`, which is `None` here.
    pub idle_timeout: Option<Duration>,
    /// `startup_timeout`: how long a client may take to be authenticated. Default `"15s"`.
    pub startup_timeout: Duration,
    /// `stop_timeout`: how long running statements may go on after SIGTERM. Default `"30s"`.
    pub stop_timeout: Duration,
    /// `buffers`: receive buffers of each shard, a power of two up to 32768. Default 256.
    pub buffers: u16,
    /// `buffer_bytes`: size of one receive buffer, 4 KiB to 1 MiB. Default `"64 KiB"`.
    pub buffer_bytes: u32,
}

/// On which cores the data plane runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cores {
    /// On every core that the process may use.
    Auto,
    /// On these, one shard each; not empty, no number twice.
    List(Vec<u16>),
}

/// `[admin]`: metrics and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// `address`: where the admin server listens. Default `"127.0.0.1:9090"`.
    pub address: SocketAddr,
}

/// `[audit]`: the record of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// `path`: the folder of the audit files. Default `"audit"`.
    pub path: PathBuf,
    /// `rotate_bytes`: size at which a new file starts, from 64 KiB. Default `"128 MiB"`.
    pub rotate_bytes: u64,
    /// `on_failure`: what happens to new statements while the log cannot be written. Default `"refuse"`.
    pub on_failure: OnFailure,
    /// `statements`: which of them get a record. Default `"all"`.
    pub statements: AuditedStatements,
}

/// Which statements get a record in the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditedStatements {
    /// All of them.
    All,
    /// Those that were refused, that a rule in report mode would have refused, that failed, or that sent a file of
    /// the client's.
    Refused,
}

/// What happens to new statements while the audit log cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// They run, unrecorded.
    Continue,
    /// They are refused.
    Refuse,
}

/// `[policy]`: what holds for all rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// `comparisons_per_hour`: how often one user of one listener may compare columns whose masks have
    /// `predicates = "equality"`, in each hour of the clock. Default 100.
    pub comparisons_per_hour: u32,
    /// `hash_key`: the key of the mask method `hash`. Required where a mask has it.
    pub hash_key: Option<Secret>,
    /// `unparsed`: what becomes of a statement that the parser cannot read. Default `"auto"`.
    pub unparsed: Unparsed,
    /// `allow_under_masks`: classes of statements that users under column masks may send although masks do
    /// not hold there: names of [`crate::statement::kind::classes`]. Default: none.
    pub allow_under_masks: KindSet,
    /// `notify_payloads`: what users under column masks get of the payloads of notifications, into which any session
    /// can put anything. Default `"empty"`.
    pub notify_payloads: NotifyPayloads,
}

/// What users under column masks get of the payload of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyPayloads {
    /// Nothing: they are told of the channel alone.
    Empty,
    /// All of it.
    Pass,
}

/// What becomes of a statement that the parser cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unparsed {
    /// It passes unless a keyword of it is denied; its results are masked as far as their origin is known.
    Allow,
    /// Refused when any deny or column mask could apply to the user.
    Auto,
    /// Refused for everybody.
    Refuse,
}

/// `[[listen]]`: one address for clients and the server behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `name`: how rules, audit and metrics call it. Required, unique.
    pub name: Box<str>,
    /// `protocol`. Required.
    pub protocol: Protocol,
    /// `address`: where clients connect. Required, unique.
    pub address: SocketAddr,
    /// `upstream`: the server, `"host:port"` or `"unix:/path"`. Required.
    pub upstream: Upstream,
    /// `tls`: what clients are offered. Left out: TLS is answered with no.
    pub tls: Option<ClientTls>,
    /// `upstream_tls`: a mode, or a table of `mode` and `ca`. Default `"disable"`.
    pub upstream_tls: UpstreamTls,
    /// `auth`, `upstream_user` and `upstream_password`. Default `"passthrough"`.
    pub auth: Auth,
    /// `max_clients`: client connections at once on this listener. Default: only the total counts.
    pub max_clients: Option<u32>,
    /// `allow_replication`: whether users without rules may open replication connections. Default false.
    pub allow_replication: bool,
}

/// A protocol that a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `"mysql"`: the client/server protocol of MySQL and MariaDB.
    MySql,
    /// `"postgres"`: PostgreSQL's frontend/backend protocol 3.
    Postgres,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A host name or address and a port.
    Tcp {
        /// Name or address, without brackets.
        host: Box<str>,
        /// Port, not 0.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// `tls` of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// `cert`: file with the certificate chain, PEM. Required.
    pub cert: PathBuf,
    /// `key`: file with the private key, PEM. Required.
    pub key: PathBuf,
    /// `require`: whether clients without TLS are refused. Default false.
    pub require: bool,
}

/// `upstream_tls` of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// `mode`, or the string itself.
    pub mode: UpstreamTlsMode,
    /// `ca`: file with the certificates that the server's must come from, PEM. Required for `verify-full`.
    pub ca: Option<PathBuf>,
}

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamTlsMode {
    /// `"disable"`: without TLS.
    Disable,
    /// `"prefer"`: with TLS where the server has it.
    Prefer,
    /// `"require"`: with TLS, whoever answers.
    Require,
    /// `"verify-full"`: with TLS, and the certificate must name the host.
    VerifyFull,
}

/// Who checks the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `"gateway"`: we do, and connect with credentials of our own.
    Gateway {
        /// `upstream_user`. Required.
        upstream_user: Box<str>,
        /// `upstream_password`. Left out: the server asks for none.
        upstream_password: Option<Secret>,
    },
    /// `"passthrough"`: the database does, as if we were not there.
    Passthrough,
}

/// A secret by where it is found. It is never in the config file itself and not resolved here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// `{ env = "NAME" }`: in an environment variable.
    Env(Box<str>),
    /// `{ file = "path" }`: in a file, without its last line break.
    File(PathBuf),
}

/// `[[user]]`: somebody whom rules or the gateway know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `name`: as in the start-up packet. Required, unique.
    pub name: Box<str>,
    /// `groups`. Default: none.
    pub groups: Vec<Box<str>>,
    /// `password`: needed where `auth = "gateway"`; with `"passthrough"` a user is listed for the groups.
    pub password: Option<Password>,
}

/// `password` of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// `{ scram = "SCRAM-SHA-256$…" }`: a verifier, as `wiregate passwd` makes them.
    Scram(Box<str>),
    /// `{ env = … }` or `{ file = … }`: where the password itself is found.
    Secret(Secret),
}

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// `"enforce"`: it refuses or masks.
    #[default]
    Enforce,
    /// `"report"`: it only says, in audit and metrics, that it would have.
    Report,
}

/// To whom, where and when a rule applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// `listeners`. Left out: all.
    pub listeners: Option<Vec<Box<str>>>,
    /// `groups`: members of one of them are covered. Left out with `users`: everybody is.
    pub groups: Option<Vec<Box<str>>>,
    /// `users`: these are covered, too. Left out with `groups`: everybody is.
    pub users: Option<Vec<Box<str>>>,
    /// `except_groups`: members of one of them are not. Default: none.
    pub except_groups: Vec<Box<str>>,
    /// `except_users`: these are not. Default: none.
    pub except_users: Vec<Box<str>>,
    /// `addresses`: clients from these networks are covered. Left out: all.
    pub addresses: Option<Vec<Network>>,
    /// `except_addresses`: clients from these are not. Default: none.
    pub except_addresses: Vec<Network>,
    /// `applications`: clients whose `application_name` fits are covered. Left out: all. The name is what
    /// the client says of itself.
    pub applications: Option<Vec<Glob>>,
    /// `except_applications`: clients whose `application_name` fits are not. Default: none.
    pub except_applications: Vec<Glob>,
    /// `hours`, `days` and `timezone`: when the rule holds. Left out: always.
    pub schedule: Option<Schedule>,
}

impl Scope {
    /// Whether a rule with this scope applies to a user of a listener.
    #[must_use]
    pub fn covers(&self, listener: &str, user: &str, groups: &[Box<str>]) -> bool {
        let in_groups = |list: &[Box<str>]| groups.iter().any(|group| list.contains(group));
        let named = |list: &[Box<str>], name: &str| list.iter().any(|entry| **entry == *name);
        if self.listeners.as_ref().is_some_and(|list| !named(list, listener)) {
            return false;
        }
        if in_groups(&self.except_groups) || named(&self.except_users, user) {
            return false;
        }
        match (&self.groups, &self.users) {
            (None, None) => true,
            (by_group, by_name) => {
                by_group.as_ref().is_some_and(|list| in_groups(list))
                    || by_name.as_ref().is_some_and(|list| named(list, user))
            }
        }
    }

    /// Whether a rule with this scope applies to a client, from where it comes and by what it calls itself.
    /// An address that is not known (a Unix socket) lies in every network of `addresses` and in none of
    /// `except_addresses`: a rule is not escaped by it.
    #[must_use]
    pub fn covers_client(&self, address: Option<IpAddr>, application: &str) -> bool {
        let in_network = |list: &[Network]| address.map(|address| list.iter().any(|network| network.contains(address)));
        let fits = |list: &[Glob]| list.iter().any(|glob| glob.matches(application));
        self.addresses.as_deref().is_none_or(|list| in_network(list).unwrap_or(true))
            && !in_network(&self.except_addresses).unwrap_or(false)
            && self.applications.as_deref().is_none_or(fits)
            && !fits(&self.except_applications)
    }

    /// Whether a rule with this scope holds at a moment, in seconds since 1970.
    #[must_use]
    pub fn covers_moment(&self, unix_seconds: i64) -> bool {
        self.schedule.as_ref().is_none_or(|schedule| schedule.covers(unix_seconds))
    }
}

/// `[[deny]]`: statements that do not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// `name`: what the client and the audit are told. Required, unique among rules.
    pub name: Box<str>,
    /// `statements`: names of [`crate::statement::kind`]. Left out: every kind, if another condition is there.
    pub statements: KindSet,
    /// `tables`: `"table"`, `"schema.table"`, either part `*`. Left out: any, or none at all.
    pub tables: Vec<TablePattern>,
    /// `functions`: only statements that call one of these. Left out: any, or none at all.
    pub functions: Vec<FunctionPattern>,
    /// `columns_read`: only statements that read one of these. Left out: any, or none at all.
    pub columns_read: Vec<ColumnPattern>,
    /// `columns_written`: only statements that set one of these. Left out: any, or none at all.
    pub columns_written: Vec<ColumnPattern>,
    /// `without_where`: only an UPDATE or DELETE without a WHERE. Default false.
    pub without_where: bool,
    /// `row_limit`: the statement runs, and its result ends with an error after so many rows. Left out: the
    /// statement is refused.
    pub row_limit: Option<u64>,
    /// `message`: what the client is told to do. Default: nothing.
    pub message: Option<Box<str>>,
    /// `mode`: `"enforce"` or `"report"`. Default `"enforce"`.
    pub mode: Mode,
    /// `listeners`, `groups`, `users`, `addresses`, `applications`, each with its `except_…`; `hours`, `days`.
    pub scope: Scope,
}

/// `[[local_file]]`: files of a client's machine that a MySQL or MariaDB server may ask it for, while it runs
/// `LOAD DATA LOCAL INFILE`. No other file is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// `name`: what the audit is told. Required, unique among rules.
    pub name: Box<str>,
    /// `files`: the file's name as the server gives it, which is as the statement wrote it. Left out: any.
    pub files: Option<Vec<Glob>>,
    /// As for a deny.
    pub scope: Scope,
}

/// `[[mask]]`: values that are not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// `name`: what audit and metrics call it. Required, unique among rules.
    pub name: Box<str>,
    /// `columns`: which columns are masked or, with `detect`, looked at. Required without `detect`; with it
    /// left out, every column of every result is looked at.
    pub columns: Vec<ColumnPattern>,
    /// `detect`: names of detectors; with them, those that `pattern` and `literals_file` make. None of the
    /// three: every value of the columns is masked. Lists are not loaded here.
    pub detect: Vec<Detector>,
    /// `literals_file`, and `ignore_case` beside it.
    pub literals_file: Option<LiteralsFile>,
    /// `method`. Default `"redact"`. The key of `hash` is not known here.
    pub method: Method,
    /// `predicates`: whether statements may compare a masked column. Default `"allow"`.
    pub predicates: Predicates,
    /// `mode`: `"enforce"` or, for masks without `detect`, `"report"`. Default `"enforce"`.
    pub mode: Mode,
    /// As for a deny.
    pub scope: Scope,
}

/// `literals_file` of a mask: a list of values to look for, one a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiteralsFile {
    /// The file; up to a million lines of 255 bytes, 64 MiB in all.
    pub path: PathBuf,
    /// Whether letters are equal to their capitals. Default false.
    pub ignore_case: bool,
}

/// Whether statements may compare a masked column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predicates {
    /// They may: what matches can be told from the rows that come.
    Allow,
    /// A statement that compares the column, or computes with it, is refused.
    Deny,
    /// As `Deny`, but the column itself may be compared for equality with literals and bind parameters, so
    /// often in an hour as `comparisons_per_hour` says.
    Equality,
}

#[cfg(test)]
mod tests;
