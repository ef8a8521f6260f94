//! What a session reports about its statements: the audit's records and the histograms.

use std::rc::Rc;

use audit::{LocalFile, MaskCount, Record, Text};
use bridge::metrics::count;
use policy::config::AuditedStatements;
use wire::guard::{Denial, Outcome, Verdict};
use wire::parameters::{Parameter, Parameters};
use wire::value::Encoding;

use super::{SessionGuard, Statement};
use crate::figures;

/// One run of a statement.
pub(crate) struct Execution {
    statement: Rc<Statement>,
    parameters: Parameters,
    number: u64,
    /// Clock reading when its message came in.
    received_ns: u64,
    /// Clock reading when it, or the statement before it in the same text, was done with on our side.
    sent_ns: u64,
    /// Time that Wiregate has added so far.
    added_ns: u64,
    /// The file of the client's machine that the server was given: its name and its bytes.
    pub(super) file: Option<(Box<[u8]>, u64)>,
}

impl Execution {
    /// What runs.
    pub(super) fn statement(&self) -> &Rc<Statement> {
        &self.statement
    }

    /// It turned out to be refused in its middle: `statement` is what its record tells of.
    pub(super) fn refuse(&mut self, statement: Rc<Statement>) {
        self.statement = statement;
    }

    /// A run that is sent to the server now.
    pub(super) fn new(
        statement: &Rc<Statement>,
        parameters: Parameters,
        number: u64,
        received_ns: u64,
        now_ns: u64,
    ) -> Self {
        Self {
            statement: Rc::clone(statement),
            parameters,
            number,
            received_ns,
            sent_ns: now_ns,
            added_ns: now_ns.saturating_sub(received_ns),
            file: None,
        }
    }
}

impl SessionGuard {
    /// One statement of a text ended at the server.
    pub(super) fn report_completed(&mut self, execution: &mut Execution, outcome: &Outcome<'_>) {
        let turn_ns = self.shard.turn_ns.get();
        let now_ns = self.shard.clock.now_ns();
        let server_ns = turn_ns.saturating_sub(execution.sent_ns);
        let gateway_ns = execution.added_ns + now_ns.saturating_sub(turn_ns);
        execution.sent_ns = now_ns;
        execution.added_ns = 0;
        self.totals.bytes_in += outcome.bytes_from_client;
        self.totals.bytes_out += outcome.bytes_to_client;
        figures::on_listener(&self.shard, self.facts.listener, |metrics| {
            metrics.gateway.record(gateway_ns);
            metrics.server.record(server_ns);
            metrics.statement_errors += u64::from(outcome.sqlstate.is_some());
        });
        {
            let mut metrics = self.shard.metrics.borrow_mut();
            metrics.data.rows += outcome.rows;
            metrics.data.bytes_to_client += outcome.bytes_to_client;
            metrics.data.bytes_to_server += outcome.bytes_from_client;
        }
        self.record(execution, outcome, server_ns, gateway_ns, false);
    }

    /// The session ended, or the server skipped it, before it completed.
    pub(super) fn report_abandoned(&mut self, execution: &Execution) {
        let now_ns = self.shard.clock.now_ns();
        let server_ns = now_ns.saturating_sub(execution.sent_ns);
        self.record(execution, &Outcome::default(), server_ns, execution.added_ns, true);
    }

    /// A statement was refused. Its record has no times of the server: it never got there.
    pub(super) fn report_refused(&mut self, statement: &Rc<Statement>, denial: &Denial) {
        self.totals.statements += 1;
        let turn_ns = self.shard.turn_ns.get();
        let now_ns = self.shard.clock.now_ns();
        let execution = Execution::new(statement, Parameters::new(), self.totals.statements, turn_ns, now_ns);
        let (sqlstate, error_code) = self.facts.told_of(denial);
        let outcome = Outcome { sqlstate: Some(sqlstate), error_code, ..Outcome::default() };
        if let Some(rule) = statement.refusing_rule() {
            let gateway_ns = now_ns.saturating_sub(turn_ns);
            figures::on_listener(&self.shard, self.facts.listener, |metrics| metrics.record_rule(rule, gateway_ns));
        }
        self.record(&execution, &outcome, 0, now_ns.saturating_sub(turn_ns), false);
    }

    /// Whether the audit wants a record of this run.
    fn is_recorded(&self, execution: &Execution, outcome: &Outcome<'_>) -> bool {
        let statement = &execution.statement;
        self.shard.policy.borrow().config().audit.statements == AuditedStatements::All
            || *statement.verdict() != Verdict::Allow
            || !statement.reported().is_empty()
            || outcome.sqlstate.is_some()
            || execution.file.is_some()
    }

    fn record(
        &mut self,
        execution: &Execution,
        outcome: &Outcome<'_>,
        server_ns: u64,
        gateway_ns: u64,
        abandoned: bool,
    ) {
        let statement = &execution.statement;
        let mut masks = Vec::new();
        let mut oversized_cells = 0;
        if !self.counts.is_empty() {
            oversized_cells = self.counts.oversized();
            for (rule, cells) in self.counts.by_rule() {
                masks.push(MaskCount { rule: statement.rules().rule_name(*rule), cells: *cells });
            }
            let mut metrics = self.shard.metrics.borrow_mut();
            metrics.data.oversized_cells += oversized_cells;
            let mut listener = metrics.listeners.get_mut(self.facts.listener);
            for mask in &masks {
                if let Some(listener) = &mut listener {
                    listener.record_rule(mask.rule, gateway_ns);
                }
            }
            for mask in &masks {
                count(&mut metrics.masked_cells, mask.rule, mask.cells);
            }
        }
        if outcome.part == 0 {
            for rule in statement.reported() {
                let name = statement.rules().rule_name(*rule);
                count(&mut self.shard.metrics.borrow_mut().reported_statements, name, 1);
            }
        }
        if !self.is_recorded(execution, outcome) {
            drop(masks);
            self.counts.clear();
            return;
        }
        let own = statement.summary_of(outcome.part);
        let record = Record::Statement(audit::Statement {
            unix_ns: self.shard.clock.unix_ns(execution.received_ns),
            identity: &self.facts.identity,
            summary: own.as_ref().unwrap_or_else(|| statement.summary()),
            number: execution.number,
            part: outcome.part,
            parameters: &Shown { statement, parameters: &execution.parameters },
            masks: &masks,
            oversized_cells,
            local_file: execution.file.as_ref().map(|(name, bytes)| LocalFile { name, bytes: *bytes }),
            rows: outcome.rows,
            bytes_in: outcome.bytes_from_client,
            bytes_out: outcome.bytes_to_client,
            tag: outcome.tag,
            sqlstate: outcome.sqlstate,
            error_code: outcome.error_code,
            server_ns,
            gateway_ns,
            suspended: outcome.suspended,
            abandoned,
        });
        self.shard.audit.borrow_mut().record(&record);
        if !masks.is_empty() || oversized_cells > 0 {
            drop(masks);
            self.counts.clear();
        }
    }
}

/// Bind parameters as the audit shows them. What compares with a masked column is as secret as the column.
struct Shown<'a> {
    statement: &'a Statement,
    parameters: &'a Parameters,
}

impl audit::Parameters for Shown<'_> {
    fn total(&self) -> usize {
        self.parameters.total()
    }

    fn each(&self, take: &mut dyn FnMut(audit::Parameter<'_>, &str)) {
        for (index, parameter) in self.parameters.iter().enumerate() {
            match parameter {
                Parameter::Null => take(audit::Parameter::Null, ""),
                Parameter::Value { type_name, .. } if self.statement.masks_parameter(index) => {
                    take(audit::Parameter::Masked, type_name);
                }
                Parameter::Value { bytes, total_bytes, encoding, type_name } => {
                    let text = Text { bytes, total_bytes };
                    let shown = match encoding {
                        Encoding::Text => audit::Parameter::Text(text),
                        _ => audit::Parameter::Binary(text),
                    };
                    take(shown, type_name);
                }
            }
        }
    }
}
