//! Who a session belongs to, and what the audit and the metrics hear of its beginning and its end.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use audit::{Identity, Record, Subject};
use policy::config::Protocol;
use policy::snapshot::{Snapshot, UserRules, Visit};
use wire::fault::{Culprit, Fault};
use wire::guard::Denial;

use crate::relay::End;
use crate::setup::port::PortError;
use crate::shard::Shard;

/// What is known of one client.
#[derive(Clone)]
pub(crate) struct SessionFacts {
    /// Its name in the audit.
    pub(crate) session: Rc<str>,
    /// Index of the listener.
    pub(crate) listener: usize,
    /// Whether the listener speaks MySQL's protocol, which numbers errors.
    mysql: bool,
    /// Address and port.
    pub(crate) client: Box<str>,
    /// The address alone, for rules that ask for it.
    address: Option<IpAddr>,
    /// The moment for which `rules` hold, in seconds since 1970.
    pub(crate) unix_seconds: i64,
    /// As the client gave it; empty until it has.
    pub(crate) user: Box<[u8]>,
    /// As the client gave it.
    pub(crate) database: Box<[u8]>,
    /// As the client gave it.
    pub(crate) application: Box<[u8]>,
    /// The rules for this user on this listener.
    pub(crate) rules: Arc<UserRules>,
    /// What all audit records of the session share.
    pub(crate) identity: Rc<Identity>,
    /// Clock reading when the connection was accepted.
    pub(crate) accepted_ns: u64,
}

impl SessionFacts {
    /// A client of whom only the address is known.
    pub(crate) fn new(shard: &Shard, policy: &Snapshot, listener: usize, client: Box<str>) -> Self {
        let session = shard.next_session_id();
        let identity = Identity::encode(&Subject {
            session: &session,
            client: &client,
            listener: listener_name(policy, listener),
            user: b"",
            groups: &[],
            database: b"",
            application: b"",
        });
        let address = client.parse::<SocketAddr>().ok().map(|address| address.ip().to_canonical());
        let unix_seconds = seconds(shard.clock.unix_ns(shard.clock.now_ns()));
        Self {
            session,
            listener,
            mysql: policy.config().listeners.get(listener).is_some_and(|listen| listen.protocol == Protocol::MySql),
            client,
            address,
            unix_seconds,
            user: Box::default(),
            database: Box::default(),
            application: Box::default(),
            rules: policy.rules_for(listener_name(policy, listener), ""),
            identity: Rc::new(identity),
            accepted_ns: shard.clock.now_ns(),
        }
    }

    /// Takes what the client says of itself in its start-up or login message.
    pub(crate) fn learn(&mut self, policy: &Snapshot, user: &[u8], database: &[u8], application: &[u8]) {
        self.user = user.into();
        self.database = database.into();
        self.application = application.into();
        self.apply(policy);
    }

    /// Takes the rules of a policy, now or after a reload.
    pub(crate) fn apply(&mut self, policy: &Snapshot) {
        // A name that is not UTF-8 matches no rule that names one, but every rule that names nobody.
        let user = String::from_utf8_lossy(&self.user);
        self.rules = policy.rules_of(&Visit {
            listener: listener_name(policy, self.listener),
            user: &user,
            address: self.address,
            application: &String::from_utf8_lossy(&self.application),
            unix_seconds: self.unix_seconds,
        });
        self.identify(policy);
    }

    /// The name of the rule that lets the client give a file of its machine to the server.
    pub(crate) fn local_file<'p>(&self, policy: &'p Snapshot, file: &str) -> Option<&'p str> {
        let visit = Visit {
            listener: listener_name(policy, self.listener),
            user: &String::from_utf8_lossy(&self.user),
            address: self.address,
            application: &String::from_utf8_lossy(&self.application),
            unix_seconds: self.unix_seconds,
        };
        policy.local_file(&visit, file)
    }

    fn identify(&mut self, policy: &Snapshot) {
        let groups = policy.groups_of(&String::from_utf8_lossy(&self.user));
        let groups: Vec<&str> = groups.iter().map(AsRef::as_ref).collect();
        self.identity = Rc::new(Identity::encode(&Subject {
            session: &self.session,
            client: &self.client,
            listener: listener_name(policy, self.listener),
            user: &self.user,
            groups: &groups,
            database: &self.database,
            application: &self.application,
        }));
    }

    /// The SQLSTATE and, in MySQL's protocol, the number with which the client is told of a fault.
    fn told(&self, fault: &Fault) -> ([u8; 5], Option<u16>) {
        if !self.mysql {
            return (fault.sqlstate, None);
        }
        let (code, sqlstate) = mysql::reply::fault_code(fault);
        (sqlstate, Some(code))
    }

    /// The same of a refusal.
    pub(crate) fn told_of(&self, denial: &Denial) -> ([u8; 5], Option<u16>) {
        if !self.mysql {
            return (denial.sqlstate, None);
        }
        let (code, sqlstate) = mysql::reply::denial_code(denial);
        (sqlstate, Some(code))
    }

    fn unix_ns(&self, shard: &Shard) -> u64 {
        shard.clock.unix_ns(shard.clock.now_ns())
    }

    /// The session is established.
    pub(crate) fn connected(&self, shard: &Shard, entry: &Entry) {
        crate::figures::on_listener(shard, self.listener, |metrics| {
            metrics.sessions_open += 1;
            metrics.sessions_total += 1;
        });
        self.let_in(shard, entry);
    }

    /// The client is let in: with a session, or as another user of one.
    pub(crate) fn let_in(&self, shard: &Shard, entry: &Entry) {
        shard.audit.borrow_mut().record(&Record::Connect(audit::Connect {
            unix_ns: self.unix_ns(shard),
            identity: &self.identity,
            tls: entry.tls,
            upstream_tls: entry.upstream_tls,
            auth: entry.auth,
        }));
    }

    /// The established session ended.
    pub(crate) fn disconnected(&self, shard: &Shard, end: &End, totals: &Totals) {
        crate::figures::on_listener(shard, self.listener, |metrics| {
            metrics.sessions_open = metrics.sessions_open.saturating_sub(1);
        });
        let now_ns = shard.clock.now_ns();
        shard.audit.borrow_mut().record(&Record::Disconnect(audit::Disconnect {
            unix_ns: shard.clock.unix_ns(now_ns),
            identity: &self.identity,
            reason: end.reason(),
            duration_ns: now_ns.saturating_sub(self.accepted_ns),
            statements: totals.statements,
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
        }));
    }

    /// A side broke the protocol or a limit.
    pub(crate) fn faulted(&self, shard: &Shard, fault: &Fault) {
        crate::figures::fault(shard, fault.reason);
        let (sqlstate, error_code) = self.told(fault);
        tracing::info!(session = %self.session, client = %self.client, reason = fault.reason, message = %fault.message,
            "a session was ended by a fault");
        shard.audit.borrow_mut().record(&Record::Fault(audit::Fault {
            unix_ns: self.unix_ns(shard),
            identity: &self.identity,
            culprit: match fault.culprit {
                Culprit::Client => "client",
                Culprit::Gateway => "gateway",
                Culprit::Server => "server",
            },
            reason: fault.reason,
            message: &fault.message,
            sqlstate,
            error_code,
        }));
    }

    /// The client was turned away before it was authenticated.
    pub(crate) fn refused(&self, shard: &Shard, fault: &Fault) {
        crate::figures::refused(shard, fault.reason);
        if fault.culprit == Culprit::Server {
            crate::figures::on_listener(shard, self.listener, |metrics| metrics.upstream_failures += 1);
        }
        tracing::info!(session = %self.session, client = %self.client, reason = fault.reason, message = %fault.message,
            "a client was turned away");
        let (sqlstate, error_code) = self.told(fault);
        self.record_refused(shard, fault.reason, Some(sqlstate), error_code);
    }

    /// The client went away, or said nothing, before there was a session.
    pub(crate) fn client_gone(&self, shard: &Shard, error: &PortError) {
        // A connection that is opened and closed at once is a health check; it is no event for the audit.
        if matches!(error, PortError::Closed) && self.user.is_empty() {
            return;
        }
        let reason = match error {
            PortError::Closed => "client_closed",
            PortError::Expired => "startup_timeout",
            PortError::Io(_) => "client_lost",
            PortError::Tls(_) => "client_tls",
        };
        crate::figures::refused(shard, reason);
        self.record_refused(shard, reason, None, None);
    }

    fn record_refused(&self, shard: &Shard, reason: &str, sqlstate: Option<[u8; 5]>, error_code: Option<u16>) {
        shard.audit.borrow_mut().record(&Record::Refused(audit::Refused {
            unix_ns: self.unix_ns(shard),
            identity: &self.identity,
            reason,
            sqlstate,
            error_code,
        }));
    }

    /// The client could not show who it is: what Wiregate tells it.
    pub(crate) fn login_refused(&self, shard: &Shard, fault: &Fault) {
        let (sqlstate, error_code) = self.told(fault);
        self.login_failed(shard, fault.reason, sqlstate, error_code);
    }

    /// The client could not show who it is.
    pub(crate) fn login_failed(&self, shard: &Shard, reason: &str, sqlstate: [u8; 5], error_code: Option<u16>) {
        crate::figures::on_listener(shard, self.listener, |metrics| metrics.failed_logins += 1);
        shard.audit.borrow_mut().record(&Record::LoginFailed(audit::LoginFailed {
            unix_ns: self.unix_ns(shard),
            identity: &self.identity,
            reason,
            sqlstate,
            error_code,
        }));
    }
}

/// How a client came in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    /// TLS version of the client's leg; empty without TLS.
    pub(crate) tls: &'static str,
    /// TLS version of the server's leg.
    pub(crate) upstream_tls: &'static str,
    /// How the client was authenticated.
    pub(crate) auth: &'static str,
}

/// What a session moved in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Statements that it sent.
    pub(crate) statements: u64,
    /// Bytes from the client.
    pub(crate) bytes_in: u64,
    /// Bytes to the client.
    pub(crate) bytes_out: u64,
}

/// Whole seconds of a time in nanoseconds since 1970.
pub(crate) fn seconds(unix_ns: u64) -> i64 {
    i64::try_from(unix_ns / 1_000_000_000).unwrap_or(i64::MAX)
}

/// Name of a listener in the configuration.
pub(crate) fn listener_name(policy: &Snapshot, listener: usize) -> &str {
    policy.config().listeners.get(listener).map_or("", |listener| &*listener.name)
}
