//! From samples to a report: ratios within a round, their median and spread, and which goals are met.
//!
//! A ratio is only ever taken between runs of the same round: the machine drifts, and a round is short enough
//! for both to have met the same machine. What is lost is printed as lost.

use std::fmt::{self, Write};

use crate::sample::{PERCENTILES, Sample};

/// What a goal is about.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// CPU of the gateway against a peer's, for the same work in the same round.
    Cpu {
        /// The case.
        case: &'static str,
        /// Against whom.
        peer: &'static str,
        /// The ratio must not be above this.
        at_most: f64,
    },
    /// A percentile of the latency through the gateway against that through a peer, in the same round.
    Latency {
        /// The case.
        case: &'static str,
        /// Against whom.
        peer: &'static str,
        /// Which of [`PERCENTILES`].
        percentile: usize,
        /// The ratio must not be above this.
        at_most: f64,
    },
    /// The gateway's resident memory for each idle session, in bytes.
    Memory {
        /// The case.
        case: &'static str,
        /// Bytes for a session must not be above this.
        at_most: f64,
    },
}

const fn cpu(case: &'static str, peer: &'static str, at_most: f64) -> Goal {
    Goal::Cpu { case, peer, at_most }
}

/// The goals.
pub const GOALS: [Goal; 23] = [
    cpu("point16", "haproxy", 0.85),
    cpu("point16", "pgbouncer", 0.90),
    cpu("point16", "relay", 1.20),
    cpu("point1", "haproxy", 0.95),
    cpu("point1", "pgbouncer", 1.00),
    Goal::Latency { case: "open1", peer: "haproxy", percentile: 0, at_most: 0.95 },
    Goal::Latency { case: "open1", peer: "pgbouncer", percentile: 0, at_most: 1.00 },
    cpu("rows", "haproxy", 1.05),
    cpu("rows", "pgbouncer", 0.75),
    cpu("rows_masked", "haproxy", 1.15),
    cpu("found_clean", "haproxy", 1.50),
    cpu("found_dense", "haproxy", 2.50),
    cpu("copy_masked", "haproxy", 1.25),
    cpu("connect", "pgbouncer", 1.00),
    cpu("tls16", "haproxy", 1.00),
    cpu("tls16", "pgbouncer", 0.90),
    Goal::Memory { case: "idle5000", at_most: 4096.0 },
    Goal::Latency { case: "open1000", peer: "haproxy", percentile: 2, at_most: 1.50 },
    cpu("mysql16", "haproxy", 0.92),
    cpu("mysql1", "haproxy", 1.10),
    cpu("mysql_rows", "haproxy", 1.20),
    cpu("mysql_rows_masked", "haproxy", 1.30),
    cpu("mysql_text16", "haproxy", 1.05),
];

/// What each case does, in the report's words.
pub const CASES: [(&str, &str); 31] = [
    ("point16", "point query, prepared, 16 clients"),
    ("point1", "point query, prepared, 1 client"),
    ("point120", "point query, prepared, 120 clients"),
    ("simple16", "point query, simple protocol, 16 clients"),
    ("extended16", "point query, parsed each time, 16 clients"),
    ("tpcb16", "TPC-B-like transaction, 16 clients"),
    ("batch16", "point query, ten in a pipeline, 16 clients"),
    ("rules16", "point query under other rules, 16 clients"),
    ("open1", "point query at a fixed rate, 1 client"),
    ("open16", "point query at a fixed rate, 16 clients"),
    ("open1000", "point query at 70 % of the highest rate, 1,000 clients"),
    ("tls16", "point query, TLS on the client's leg, 16 clients"),
    ("connect", "new connection, TLS, SCRAM, one query, 4 clients"),
    ("rows", "result of 100,000 rows, no masked column"),
    ("rows_narrow", "result of 100,000 rows of one number"),
    ("rows_binary", "result of 100,000 rows, binary values"),
    ("rows_masked", "result of 100,000 rows, one column redacted by Wiregate"),
    ("rules_rows", "result of 100,000 rows under other rules"),
    ("found_clean", "result of 100,000 rows, all detectors, nothing to be found"),
    ("found_dense", "result of 100,000 rows, all detectors, every third cell found"),
    ("copy", "COPY out of 100 MB, no masked column"),
    ("copy_masked", "COPY out of 100 MB, one column redacted by Wiregate"),
    ("copy_in", "COPY in of 100 MB"),
    ("mysql16", "MySQL point query, prepared, 16 clients"),
    ("mysql1", "MySQL point query, prepared, 1 client"),
    ("mysql_text16", "MySQL point query, text, 16 clients"),
    ("mysql_open16", "MySQL point query at a fixed rate, 16 clients"),
    ("mysql_rows", "MySQL result of 10 MB, no masked column"),
    ("mysql_rows_binary", "MySQL result of 10 MB, prepared"),
    ("mysql_rows_masked", "MySQL result of 10 MB, one column redacted by Wiregate"),
    ("idle5000", "idle authenticated sessions"),
];

const GATEWAY: &str = "wiregate";

/// Median and extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle one, or the mean of the middle two.
    pub median: f64,
    /// The greatest.
    pub max: f64,
    /// How many.
    pub count: usize,
}

/// Median and extremes of `values`; `None` when there are none.
#[must_use]
pub fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let upper = values.len() / 2;
    let lower = (values.len() - 1) / 2;
    Some(Spread { min, median: f64::midpoint(values[lower], values[upper]), max, count: values.len() })
}

/// The ratios of `figure` between the runs of `left` and `right` in the same round of `case`.
#[must_use]
pub fn ratios(
    samples: &[Sample],
    case: &str,
    left: &str,
    right: &str,
    figure: impl Fn(&Sample) -> Option<f64>,
) -> Option<Spread> {
    let of = |candidate: &str, round: Option<u32>| {
        samples
            .iter()
            .filter(|sample| sample.case == case && sample.candidate == candidate)
            .filter(|sample| round.is_none_or(|round| sample.round == round))
            .collect::<Vec<_>>()
    };
    let values = of(left, None).into_iter().filter_map(|sample| {
        let other = of(right, Some(sample.round)).into_iter().next().and_then(&figure)?;
        let own = figure(sample)?;
        (other > 0.0).then_some(own / other)
    });
    spread(values.collect())
}

/// Writes the goals' table and the figures' table as Markdown.
///
/// # Errors
/// When `out` fails.
pub fn tables(out: &mut impl Write, samples: &[Sample]) -> fmt::Result {
    writeln!(out, "| work | measured | goal | median | min – max | rounds | |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for goal in &GOALS {
        goal_row(out, samples, goal)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "| work | through | CPU per operation | user / system | against HAProxy | operations per second | MB/s | p50 | p99 |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    for (case, title) in CASES {
        for candidate in candidates(samples, case) {
            figure_row(out, samples, case, title, candidate)?;
        }
    }
    Ok(())
}

fn goal_row(out: &mut impl Write, samples: &[Sample], goal: &Goal) -> fmt::Result {
    let (case, measured, limit, spread, decimals) = match *goal {
        Goal::Cpu { case, peer, at_most } => {
            let spread = ratios(samples, case, GATEWAY, peer, Sample::cpu_us);
            (case, format!("CPU, {GATEWAY} ÷ {peer}"), at_most, spread, 2)
        }
        Goal::Latency { case, peer, percentile, at_most } => {
            let (name, _) = PERCENTILES[percentile];
            let figure = |sample: &Sample| Some(sample.latency_us[percentile]).filter(|value| *value > 0.0);
            let spread = ratios(samples, case, GATEWAY, peer, figure);
            (case, format!("{name} of the latency, {GATEWAY} ÷ {peer}"), at_most, spread, 2)
        }
        Goal::Memory { case, at_most } => {
            let own = samples.iter().filter(|sample| sample.case == case && sample.candidate == GATEWAY);
            let spread = spread(own.filter_map(Sample::memory_each).collect());
            (case, "resident bytes per session".to_owned(), at_most, spread, 0)
        }
    };
    write!(out, "| {} | {measured} | ≤ {limit:.decimals$} |", title(case))?;
    match spread {
        Some(Spread { min, median, max, count }) => {
            let verdict = if median <= limit { "met" } else { "**missed**" };
            writeln!(out, " {median:.decimals$} | {min:.decimals$} – {max:.decimals$} | {count} | {verdict} |")
        }
        None => writeln!(out, " | | 0 | not measured |"),
    }
}

fn figure_row(out: &mut impl Write, samples: &[Sample], case: &str, title: &str, candidate: &str) -> fmt::Result {
    let runs: Vec<&Sample> =
        samples.iter().filter(|sample| sample.case == case && sample.candidate == candidate).collect();
    let median = |figure: &dyn Fn(&Sample) -> Option<f64>| {
        spread(runs.iter().filter_map(|sample| figure(sample)).collect()).map(|spread| spread.median)
    };
    let positive = |value: f64| (value > 0.0).then_some(value);
    if let Some(bytes) = median(&Sample::memory_each) {
        return writeln!(out, "| {title} | {candidate} | {bytes:.0} resident bytes each | | | | | | |");
    }
    let cpu = median(&|sample| sample.cpu_us().and_then(positive));
    let parts = cpu.and_then(|_| {
        let user = median(&|sample| Some(sample.user_ms * 1000.0 / sample.done))?;
        let system = median(&|sample| Some(sample.system_ms * 1000.0 / sample.done))?;
        Some(format!("{} / {}", time(user), time(system)))
    });
    let against = ratios(samples, case, candidate, "haproxy", |sample| sample.cpu_us().filter(|value| *value > 0.0));
    let rate = median(&|sample| positive(sample.done / sample.seconds));
    let megabytes = median(&|sample| positive(sample.bytes / sample.seconds / 1e6));
    let p50 = median(&|sample| positive(sample.latency_us[0]));
    let p99 = median(&|sample| positive(sample.latency_us[2]));
    writeln!(
        out,
        "| {title} | {candidate} | {} | {} | {} | {} | {} | {} | {} |",
        cpu.map(time).unwrap_or_default(),
        parts.unwrap_or_default(),
        against.map(|spread| format!("{:.2}", spread.median)).unwrap_or_default(),
        rate.map(|value| format!("{value:.0}")).unwrap_or_default(),
        megabytes.map(|value| format!("{value:.0}")).unwrap_or_default(),
        p50.map(time).unwrap_or_default(),
        p99.map(time).unwrap_or_default(),
    )
}

pub(crate) fn title(case: &str) -> &str {
    CASES.iter().find(|(name, _)| *name == case).map_or(case, |(_, title)| title)
}

/// The candidates of a case in the order of their first run.
pub(crate) fn candidates<'a>(samples: &'a [Sample], case: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.case == case) {
        if !names.contains(&sample.candidate.as_str()) {
            names.push(&sample.candidate);
        }
    }
    names
}

/// A time given in microseconds, in the unit that reads best.
fn time(microseconds: f64) -> String {
    if microseconds >= 1000.0 { format!("{:.1} ms", microseconds / 1000.0) } else { format!("{microseconds:.1} µs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(case: &str, round: u32, candidate: &str, cpu_ms: f64) -> Sample {
        Sample {
            case: case.into(),
            round,
            candidate: candidate.into(),
            done: 1000.0,
            seconds: 1.0,
            bytes: 0.0,
            user_ms: 0.0,
            system_ms: cpu_ms,
            latency_us: [0.0; 5],
            memory_bytes: 0.0,
        }
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle() {
        let spread = spread(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max, spread.count), (1.0, 2.5, 4.0, 4));
        assert_eq!(super::spread(Vec::new()), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round_only() {
        // The machine is twice as slow in the second round; a median of all runs would show 1.5 and 0.75.
        let samples = [
            sample("rows", 1, "haproxy", 10.0),
            sample("rows", 1, "wiregate", 11.0),
            sample("rows", 2, "haproxy", 20.0),
            sample("rows", 2, "wiregate", 22.0),
            sample("rows", 3, "wiregate", 99.0),
        ];
        let spread = ratios(&samples, "rows", "wiregate", "haproxy", Sample::cpu_us).unwrap();
        assert_eq!(spread.count, 2);
        assert!((spread.min - 1.1).abs() < 1e-9 && (spread.max - 1.1).abs() < 1e-9);
    }

    #[test]
    fn a_missed_goal_is_printed_as_missed_and_an_unmeasured_one_as_unmeasured() {
        let samples = [sample("rows", 1, "haproxy", 10.0), sample("rows", 1, "wiregate", 13.0)];
        let mut out = String::new();
        tables(&mut out, &samples).unwrap();
        let line = |needle: &str| out.lines().find(|line| line.contains(needle)).unwrap();
        assert!(
            line("result of 100,000 rows, no masked column | CPU, wiregate ÷ haproxy | ≤ 1.05")
                .contains("1.30 | 1.30 – 1.30 | 1 | **missed**")
        );
        assert!(line("≤ 4096").contains("not measured"));
    }
}
