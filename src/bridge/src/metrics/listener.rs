//! Figures that are told apart by listener.

use std::collections::BTreeMap;

use super::latency::Latency;

/// Statements by what was decided about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatementCounts {
    /// They ran.
    pub allowed: u64,
    /// A rule refused them.
    pub denied: u64,
    /// A human was asked.
    pub held: u64,
    /// No parser could read them, and they were refused for that.
    pub unparsed: u64,
}

impl StatementCounts {
    const fn merge(&mut self, other: &Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.held += other.held;
        self.unparsed += other.unparsed;
    }
}

/// Figures of one listener.
#[derive(Clone, Debug)]
pub struct ListenerMetrics {
    /// Its name in the config.
    pub name: Box<str>,
    /// Sessions that were let in and have not ended, now.
    pub sessions_open: u64,
    /// Sessions that were let in.
    pub sessions_total: u64,
    /// Clients that failed to authenticate.
    pub failed_logins: u64,
    /// Connections to the server that failed.
    pub upstream_failures: u64,
    /// Cancel requests that reached a session.
    pub cancels: u64,
    /// Statements by what was decided.
    pub statements: StatementCounts,
    /// Statements that ended in an error of the server.
    pub statement_errors: u64,
    /// What the gateway added to each statement.
    pub gateway: Latency,
    /// The same for the statements that a rule refused or whose results it masked, by the rule's name.
    pub rules: BTreeMap<Box<str>, Latency>,
    /// What the server took for each statement.
    pub server: Latency,
}

impl ListenerMetrics {
    /// Figures that are all zero.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self {
            name: name.into(),
            sessions_open: 0,
            sessions_total: 0,
            failed_logins: 0,
            upstream_failures: 0,
            cancels: 0,
            statements: StatementCounts::default(),
            statement_errors: 0,
            gateway: Latency::new(),
            rules: BTreeMap::new(),
            server: Latency::new(),
        }
    }

    /// A rule refused a statement or masked its results, and the gateway added this much to it.
    pub fn record_rule(&mut self, rule: &str, gateway_ns: u64) {
        if let Some(latency) = self.rules.get_mut(rule) {
            latency.record(gateway_ns);
        } else {
            self.rules.entry(rule.into()).or_default().record(gateway_ns);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sessions_open += other.sessions_open;
        self.sessions_total += other.sessions_total;
        self.failed_logins += other.failed_logins;
        self.upstream_failures += other.upstream_failures;
        self.cancels += other.cancels;
        self.statements.merge(&other.statements);
        self.statement_errors += other.statement_errors;
        self.gateway.merge(&other.gateway);
        for (rule, latency) in &other.rules {
            self.rules.entry(rule.clone()).or_default().merge(latency);
        }
        self.server.merge(&other.server);
    }
}
