//! Prometheus' text format 0.0.4: families, labels, histograms.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>. Label values come from the config
//! and from fixed names and are escaped here; family names and help texts are constants of this crate.

use std::fmt::Write;

use bridge::Latency;

/// The value of the `Content-Type` header.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of histogram buckets: nanoseconds, and the same in seconds as text.
const BOUNDS: [(u64, &str); 24] = [
    (1_000, "0.000001"),
    (2_000, "0.000002"),
    (5_000, "0.000005"),
    (10_000, "0.00001"),
    (20_000, "0.00002"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (200_000, "0.0002"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_000_000, "0.002"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (20_000_000, "0.02"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (200_000_000, "0.2"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_000_000_000, "2"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (60_000_000_000, "60"),
    (600_000_000_000, "600"),
];

/// The quantiles that are shown beside the buckets.
const QUANTILES: [(f64, &str); 4] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (0.999, "0.999")];

/// A page of metrics.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    /// The finished page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Begins a family: its samples must follow before the next family begins.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        put(&mut self.text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: &mut self.text, name }
    }

    /// A family of one counter without labels.
    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    /// A family of one gauge without labels.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.family(name, Kind::Gauge, help).sample(&[], value);
    }
}

/// What the numbers of a family mean.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Only ever grows.
    Counter,
    /// A level.
    Gauge,
    /// Cumulative buckets.
    Histogram,
}

/// Samples of one family.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// One number under labels.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: u64) {
        self.line("", labels, &value.to_string());
    }

    /// One histogram under labels: its buckets, sum and count.
    pub(crate) fn histogram(&mut self, labels: &[(&str, &str)], latency: &Latency) {
        let bounds = BOUNDS.map(|(bound, _)| bound);
        let counts = latency.cumulative(&bounds);
        let mut with_bound = labels.to_vec();
        for (count, (_, bound)) in counts.iter().zip(BOUNDS) {
            with_bound.push(("le", bound));
            self.line("_bucket", &with_bound, &count.to_string());
            with_bound.pop();
        }
        with_bound.push(("le", "+Inf"));
        self.line("_bucket", &with_bound, &latency.count().to_string());
        self.line("_sum", labels, &seconds(latency.sum_ns()));
        self.line("_count", labels, &latency.count().to_string());
    }

    /// The quantiles of a distribution, each with a `quantile` label.
    pub(crate) fn quantiles(&mut self, labels: &[(&str, &str)], latency: &Latency) {
        let mut with_quantile = labels.to_vec();
        for (fraction, name) in QUANTILES {
            with_quantile.push(("quantile", name));
            self.line("", &with_quantile, &seconds(latency.quantile_ns(fraction)));
            with_quantile.pop();
        }
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: &str) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (index, (name, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.text.push(' ');
        self.text.push_str(value);
        self.text.push('\n');
    }
}

/// Nanoseconds as seconds, exactly.
fn seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        let mut page = Page::default();
        let mut family = page.family("wiregate_masked_cells_total", Kind::Counter, "Cells masked, by rule.");
        family.sample(&[("rule", "say \"no\"\\\n"), ("listener", "é")], 3);
        assert_eq!(
            page.into_text(),
            concat!(
                "# HELP wiregate_masked_cells_total Cells masked, by rule.\n",
                "# TYPE wiregate_masked_cells_total counter\n",
                "wiregate_masked_cells_total{rule=\"say \\\"no\\\"\\\\\\n\",listener=\"é\"} 3\n",
            )
        );
    }

    #[test]
    fn a_histogram_has_cumulative_buckets_a_sum_and_a_count() {
        let mut latency = Latency::new();
        for nanos in [1_500, 4_000, 4_000, 3_000_000_000] {
            latency.record(nanos);
        }
        let mut page = Page::default();
        page.family("t_seconds", Kind::Histogram, "T.").histogram(&[("listener", "orders")], &latency);
        let text = page.into_text();
        for line in [
            "t_seconds_bucket{listener=\"orders\",le=\"0.000001\"} 0",
            "t_seconds_bucket{listener=\"orders\",le=\"0.000002\"} 1",
            "t_seconds_bucket{listener=\"orders\",le=\"0.000005\"} 3",
            "t_seconds_bucket{listener=\"orders\",le=\"2\"} 3",
            "t_seconds_bucket{listener=\"orders\",le=\"5\"} 4",
            "t_seconds_bucket{listener=\"orders\",le=\"+Inf\"} 4",
            "t_seconds_sum{listener=\"orders\"} 3.000009500",
            "t_seconds_count{listener=\"orders\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn bounds_ascend_and_say_the_same_twice() {
        for (bound, text) in BOUNDS {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let nanos: u64 = format!("{whole}{fraction:0<9}").parse().unwrap();
            assert_eq!(nanos, bound);
        }
        assert!(BOUNDS.is_sorted_by(|first, second| first.0 < second.0));
    }
}
