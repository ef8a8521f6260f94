//! The page of metrics: every figure of the data plane and of the control plane under its name.
//!
//! Names are an interface, held by a golden test: a figure may be added, none is renamed. Everything is counted
//! since the start of the process and added over all shards.

use bridge::{Counts, Latency, ListenerMetrics, ShardMetrics};

use crate::exposition::{Kind, Page};

/// Figures of the control plane itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnFigures {
    /// The policy generation that was last loaded.
    pub(crate) generation: u64,
    /// Configs that were loaded after the first.
    pub(crate) reloads: u64,
    /// Configs that were refused.
    pub(crate) refused_reloads: u64,
    /// Shards that accept clients.
    pub(crate) shards_listening: u64,
    /// Shards that ended where they should not have.
    pub(crate) shards_failed: u64,
    /// Shards whose figures on this page are not of now, because they did not answer in time.
    pub(crate) shards_stale: u64,
}

/// The page.
pub(crate) fn render(own: &OwnFigures, shards: &ShardMetrics) -> String {
    let mut page = Page::default();
    control_plane(&mut page, own);
    listeners(&mut page, &shards.listeners);
    connections(&mut page, shards);
    data(&mut page, shards);
    caches(&mut page, shards);
    ring(&mut page, shards);
    audit(&mut page, shards);
    latencies(&mut page, &shards.listeners);
    rules(&mut page, &shards.listeners);
    page.into_text()
}

fn control_plane(page: &mut Page, own: &OwnFigures) {
    page.family("wiregate_build_info", Kind::Gauge, "The version that runs.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.gauge("wiregate_policy_generation", "Generation of the policy that was last loaded.", own.generation);
    let mut reloads = page.family("wiregate_config_reloads_total", Kind::Counter, "Configs read after the first.");
    reloads.sample(&[("result", "loaded")], own.reloads);
    reloads.sample(&[("result", "refused")], own.refused_reloads);
    let mut shards = page.family("wiregate_shards", Kind::Gauge, "Shards by state.");
    shards.sample(&[("state", "listening")], own.shards_listening);
    shards.sample(&[("state", "failed")], own.shards_failed);
    shards.sample(&[("state", "stale")], own.shards_stale);
}

fn listeners(page: &mut Page, listeners: &[ListenerMetrics]) {
    let mut each = |name, kind, help, value: fn(&ListenerMetrics) -> u64| {
        let mut family = page.family(name, kind, help);
        for listener in listeners {
            family.sample(&[("listener", &listener.name)], value(listener));
        }
    };
    each("wiregate_sessions_open", Kind::Gauge, "Sessions now.", |listener| listener.sessions_open);
    each("wiregate_sessions_total", Kind::Counter, "Sessions that were let in.", |listener| listener.sessions_total);
    each("wiregate_failed_logins_total", Kind::Counter, "Clients that failed to authenticate.", |listener| {
        listener.failed_logins
    });
    each("wiregate_upstream_failures_total", Kind::Counter, "Connections to the server that failed.", |listener| {
        listener.upstream_failures
    });
    each("wiregate_cancels_total", Kind::Counter, "Cancel requests that reached a session.", |listener| {
        listener.cancels
    });
    each("wiregate_statement_errors_total", Kind::Counter, "Statements that ended in a server error.", |listener| {
        listener.statement_errors
    });
    let mut statements = page.family("wiregate_statements_total", Kind::Counter, "Statements by verdict.");
    for listener in listeners {
        let counts = &listener.statements;
        for (verdict, count) in
            [("allow", counts.allowed), ("deny", counts.denied), ("hold", counts.held), ("unparsed", counts.unparsed)]
        {
            statements.sample(&[("listener", &listener.name), ("verdict", verdict)], count);
        }
    }
}

fn connections(page: &mut Page, shards: &ShardMetrics) {
    named(
        page,
        "wiregate_refused_connections_total",
        "Connections turned away before authentication.",
        "reason",
        &shards.refused_connections,
    );
    named(
        page,
        "wiregate_faults_total",
        "Sessions ended because a side broke the protocol or a limit.",
        "reason",
        &shards.faults,
    );
}

fn named(page: &mut Page, name: &'static str, help: &'static str, label: &str, counts: &Counts) {
    let mut family = page.family(name, Kind::Counter, help);
    for (value, count) in counts {
        family.sample(&[(label, value)], *count);
    }
}

fn data(page: &mut Page, shards: &ShardMetrics) {
    let data = &shards.data;
    let mut bytes = page.family("wiregate_bytes_total", Kind::Counter, "Bytes by leg, in and out of the gateway.");
    bytes.sample(&[("leg", "client"), ("direction", "in")], data.bytes_from_client);
    bytes.sample(&[("leg", "client"), ("direction", "out")], data.bytes_to_client);
    bytes.sample(&[("leg", "server"), ("direction", "in")], data.bytes_from_server);
    bytes.sample(&[("leg", "server"), ("direction", "out")], data.bytes_to_server);
    page.counter("wiregate_rows_total", "Rows that command tags counted.", data.rows);
    named(page, "wiregate_masked_cells_total", "Cells masked, by rule.", "rule", &shards.masked_cells);
    named(
        page,
        "wiregate_reported_statements_total",
        "Statements that a rule in report mode would have refused or masked, by rule.",
        "rule",
        &shards.reported_statements,
    );
    page.counter(
        "wiregate_oversized_cells_total",
        "Cells redacted whole because they were over a limit.",
        data.oversized_cells,
    );
    page.counter(
        "wiregate_backpressure_stalls_total",
        "Times that a session stopped receiving because its other side was slow.",
        data.backpressure_stalls,
    );
}

fn caches(page: &mut Page, shards: &ShardMetrics) {
    let cache = &shards.verdict_cache;
    let mut lookups = page.family("wiregate_verdict_cache_lookups_total", Kind::Counter, "Lookups by result.");
    lookups.sample(&[("result", "hit")], cache.hits);
    lookups.sample(&[("result", "miss")], cache.misses);
    page.counter("wiregate_verdict_cache_evictions_total", "Verdicts that made room for others.", cache.evictions);
    page.gauge("wiregate_verdict_cache_entries", "Verdicts in the cache.", cache.entries);
    page.gauge("wiregate_verdict_cache_bytes", "Bytes that the cache takes.", cache.bytes);
    page.counter("wiregate_catalogue_loads_total", "Loads of a database's catalogue.", shards.catalogue_loads);
    page.counter(
        "wiregate_catalogue_failures_total",
        "Loads of a database's catalogue that failed.",
        shards.catalogue_failures,
    );
}

fn ring(page: &mut Page, shards: &ShardMetrics) {
    let ring = &shards.ring;
    page.counter("wiregate_ring_enters_total", "Times that shards entered the kernel.", ring.enters);
    page.counter("wiregate_ring_completions_total", "Completions of the ring.", ring.completions);
    page.counter("wiregate_ring_enobufs_total", "Receives that found no free buffer.", ring.enobufs);
    page.counter("wiregate_ring_rearms_total", "Receives and accepts armed again.", ring.rearms);
    page.counter("wiregate_ring_short_sends_total", "Sends that took only a part.", ring.short_sends);
    page.gauge("wiregate_ring_buffers_free", "Receive buffers that nobody holds.", ring.buffers_free);
    page.gauge("wiregate_ring_buffers", "Receive buffers.", ring.buffers_total);
}

fn audit(page: &mut Page, shards: &ShardMetrics) {
    let audit = &shards.audit;
    page.counter("wiregate_audit_records_total", "Audit records taken in.", audit.records);
    page.counter("wiregate_audit_bytes_total", "Bytes written to audit files.", audit.bytes);
    page.counter("wiregate_audit_dropped_total", "Audit records that were lost.", audit.dropped);
    page.counter("wiregate_audit_failures_total", "Failed writes to audit files.", audit.failures);
    page.counter("wiregate_audit_rotations_total", "Audit files begun after a full one.", audit.rotations);
    page.counter(
        "wiregate_audit_refused_statements_total",
        "Statements refused because the audit log could not be written.",
        audit.refused_statements,
    );
    page.gauge("wiregate_audit_pending_bytes", "Bytes of audit records in memory.", audit.pending_bytes);
    page.gauge("wiregate_audit_failing", "Shards whose audit log cannot be written.", audit.failing);
}

fn latencies(page: &mut Page, listeners: &[ListenerMetrics]) {
    let mut both = |histogram, quantiles, help, of: fn(&ListenerMetrics) -> &Latency| {
        let mut family = page.family(histogram, Kind::Histogram, help);
        for listener in listeners {
            family.histogram(&[("listener", &listener.name)], of(listener));
        }
        let mut family = page.family(quantiles, Kind::Gauge, "Its quantiles since the start, within 1 %.");
        for listener in listeners {
            family.quantiles(&[("listener", &listener.name)], of(listener));
        }
    };
    both(
        "wiregate_gateway_seconds",
        "wiregate_gateway_seconds_quantile",
        "Time that the gateway added to each statement.",
        |listener| &listener.gateway,
    );
    both(
        "wiregate_server_seconds",
        "wiregate_server_seconds_quantile",
        "Time that the server took for each statement.",
        |listener| &listener.server,
    );
}

/// The gateway's own time for the statements that each rule refused or whose results it masked.
fn rules(page: &mut Page, listeners: &[ListenerMetrics]) {
    let each = || {
        listeners
            .iter()
            .flat_map(|listener| listener.rules.iter().map(|(rule, latency)| (&*listener.name, &**rule, latency)))
    };
    let mut family = page.family(
        "wiregate_rule_statements_total",
        Kind::Counter,
        "Statements that a rule refused or whose results it masked.",
    );
    for (listener, rule, latency) in each() {
        family.sample(&[("listener", listener), ("rule", rule)], latency.count());
    }
    let mut family = page.family(
        "wiregate_rule_gateway_seconds_quantile",
        Kind::Gauge,
        "Time that the gateway added to them: quantiles since the start, within 1 %.",
    );
    for (listener, rule, latency) in each() {
        family.quantiles(&[("listener", listener), ("rule", rule)], latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buckets are tested where they are written.
    fn without_buckets(page: &str) -> String {
        page.lines().filter(|line| !line.contains("_bucket{")).fold(String::new(), |text, line| text + line + "\n")
    }

    #[test]
    fn the_page_is_what_dashboards_expect() {
        let own = OwnFigures {
            generation: 3,
            reloads: 2,
            refused_reloads: 1,
            shards_listening: 2,
            shards_failed: 0,
            shards_stale: 0,
        };
        let mut shards = ShardMetrics::new(["orders"]);
        let orders = &mut shards.listeners[0];
        (orders.sessions_open, orders.sessions_total, orders.failed_logins) = (4, 9, 1);
        (orders.upstream_failures, orders.cancels, orders.statement_errors) = (2, 3, 5);
        orders.statements = bridge::StatementCounts { allowed: 100, denied: 7, held: 0, unparsed: 1 };
        for nanos in [4_000, 6_000] {
            orders.gateway.record(nanos);
            orders.server.record(nanos * 100);
        }
        orders.record_rule("cards", 6_000);
        shards.data = bridge::metrics::DataCounts {
            bytes_from_client: 10,
            bytes_to_client: 20,
            bytes_from_server: 30,
            bytes_to_server: 40,
            rows: 50,
            oversized_cells: 1,
            backpressure_stalls: 2,
        };
        shards.refused_connections.insert("too_many_clients".into(), 6);
        shards.faults.insert("oversized_frame".into(), 8);
        shards.masked_cells.insert("cards and \"numbers\"".into(), 77);
        shards.verdict_cache =
            bridge::VerdictCacheFigures { hits: 90, misses: 10, evictions: 1, entries: 9, bytes: 4096 };
        shards.ring = bridge::RingFigures {
            enters: 1,
            completions: 2,
            enobufs: 3,
            rearms: 4,
            short_sends: 5,
            buffers_free: 6,
            buffers_total: 7,
        };
        shards.audit = bridge::AuditFigures {
            records: 1,
            bytes: 2,
            dropped: 3,
            failures: 4,
            rotations: 5,
            refused_statements: 6,
            pending_bytes: 7,
            failing: 1,
        };
        let page = render(&own, &shards);

        assert_eq!(without_buckets(&page), include_str!("golden.txt"));
        assert_eq!(page.matches("_bucket{").count(), 50);
    }

    #[test]
    fn every_family_is_declared_once_and_before_its_samples() {
        let page = render(&OwnFigures::default(), &ShardMetrics::new(["a", "b"]));
        let mut declared = Vec::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().unwrap();
                assert!(!declared.contains(&name), "{name} is declared twice");
                declared.push(name);
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                let family = declared.last().unwrap();
                let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} stands under {family}"));
                assert!(["", "_bucket", "_sum", "_count"].contains(&suffix));
            }
        }
    }
}
