//! Plots of the samples as SVG: CPU for each operation, throughput, and latency over percentiles.
//!
//! Written by hand rather than by a plotting library: three simple pictures, no fonts to ship, and a file that
//! is the same for the same samples, byte for byte, so that a change of the report shows what changed.

use std::fmt::{self, Write};

use crate::report::{candidates, spread, title};
use crate::sample::{PERCENTILES, Sample};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 90.0;
const BAR: f64 = 16.0;

/// A colour for each candidate, the same in all plots; told apart in print and by most eyes (Okabe and Ito, 2008).
fn colour(candidate: &str) -> &'static str {
    match candidate {
        "direct" => "#999999",
        "haproxy" => "#0072b2",
        "pgbouncer" => "#e69f00",
        "relay" => "#56b4e9",
        "wiregate" => "#d55e00",
        "wiregate-none" => "#f0e442",
        "wiregate-deny" => "#009e73",
        "wiregate-unrecorded" => "#000000",
        _ => "#cc79a7",
    }
}

/// One bar for each candidate of each case: the median of a figure, in the unit of its case.
///
/// # Errors
/// When `out` fails.
pub fn bars(
    out: &mut impl Write,
    heading: &str,
    unit: &str,
    samples: &[Sample],
    cases: &[&str],
    figure: impl Fn(&Sample) -> Option<f64>,
) -> fmt::Result {
    let mut rows: Vec<(&str, Vec<(&str, f64)>)> = Vec::new();
    for case in cases {
        let medians = candidates(samples, case).into_iter().filter_map(|candidate| {
            let of = samples.iter().filter(|sample| sample.case == *case && sample.candidate == candidate);
            let median = spread(of.filter_map(&figure).filter(|value| *value > 0.0).collect())?.median;
            Some((candidate, median))
        });
        let medians: Vec<_> = medians.collect();
        if !medians.is_empty() {
            rows.push((case, medians));
        }
    }
    let lines: usize = rows.iter().map(|(_, medians)| medians.len() + 1).sum();
    let height = 50.0 + BAR * count(lines) + 8.0 * count(rows.len());
    open(out, heading, height)?;
    let mut y = 48.0;
    for (case, medians) in rows {
        text(out, 8.0, y + 12.0, "start", &format!("{} ({unit})", title(case)))?;
        y += BAR;
        // Cases differ by orders of magnitude: each has a scale of its own.
        let most = medians.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (candidate, value) in medians {
            let width = (WIDTH - LEFT - RIGHT) * value / most;
            text(out, LEFT - 8.0, y + 12.0, "end", candidate)?;
            let fill = colour(candidate);
            writeln!(out, r#"<rect x="{LEFT}" y="{:.1}" width="{width:.1}" height="12" fill="{fill}"/>"#, y + 2.0)?;
            text(out, LEFT + width + 6.0, y + 12.0, "start", &short(value))?;
            y += BAR;
        }
        y += 8.0;
    }
    writeln!(out, "</svg>")
}

/// Latency over percentiles of one case, both axes logarithmic: the horizontal one by how many operations are
/// slower, so that each decade of nines takes the same room.
///
/// # Errors
/// When `out` fails.
pub fn latency(out: &mut impl Write, samples: &[Sample], case: &str) -> fmt::Result {
    let mut curves: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for candidate in candidates(samples, case) {
        let of: Vec<_> = samples.iter().filter(|sample| sample.case == case && sample.candidate == candidate).collect();
        let points = PERCENTILES.iter().enumerate().filter_map(|(index, (_, percentile))| {
            let values = of.iter().filter_map(|sample| sample.latency_us.get(index).copied());
            let median = spread(values.filter(|value| *value > 0.0).collect())?.median;
            // The greatest of a run is no percentile of any number of operations; it stands behind the last.
            let slower = if *percentile < 100.0 { 1.0 - percentile / 100.0 } else { 1e-4 };
            Some((-slower.log10(), median.log10()))
        });
        let points: Vec<_> = points.collect();
        if points.len() > 1 {
            curves.push((candidate, points));
        }
    }
    let all = || curves.iter().flat_map(|(_, points)| points.iter().map(|point| point.1));
    let low = all().fold(f64::INFINITY, f64::min).floor();
    let high = all().fold(f64::NEG_INFINITY, f64::max).ceil().max(low + 1.0);
    let (top, bottom, right) = (60.0, 360.0, WIDTH - 130.0);
    let x = |value: f64| 90.0 + (right - 90.0) * (value - 0.3) / 3.7;
    let y = |value: f64| bottom - (bottom - top) * (value - low) / (high - low);
    open(out, &format!("Latency: {}", title(case)), 400.0)?;
    if curves.is_empty() {
        text(out, 90.0, 80.0, "start", "not measured")?;
        return writeln!(out, "</svg>");
    }
    for (name, percentile) in PERCENTILES {
        let slower: f64 = if percentile < 100.0 { 1.0 - percentile / 100.0 } else { 1e-4 };
        let at = x(-slower.log10());
        writeln!(out, r##"<line x1="{at:.1}" y1="{top}" x2="{at:.1}" y2="{bottom}" stroke="#dddddd"/>"##)?;
        text(out, at, bottom + 18.0, "middle", name)?;
    }
    let mut decade = low;
    while decade <= high {
        let at = y(decade);
        writeln!(out, r##"<line x1="90" y1="{at:.1}" x2="{right}" y2="{at:.1}" stroke="#dddddd"/>"##)?;
        text(out, 84.0, at + 4.0, "end", &microseconds(10_f64.powf(decade)))?;
        decade += 1.0;
    }
    let mut label_y = top;
    for (candidate, points) in &curves {
        let path: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let stroke = colour(candidate);
        writeln!(out, r#"<polyline points="{}" fill="none" stroke="{stroke}" stroke-width="2"/>"#, path.join(" "))?;
        writeln!(out, r#"<rect x="{}" y="{:.1}" width="12" height="12" fill="{stroke}"/>"#, right + 16.0, label_y)?;
        text(out, right + 34.0, label_y + 11.0, "start", candidate)?;
        label_y += 20.0;
    }
    writeln!(out, "</svg>")
}

fn open(out: &mut impl Write, heading: &str, height: f64) -> fmt::Result {
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="sans-serif" font-size="12">"#
    )?;
    writeln!(out, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##)?;
    writeln!(out, r#"<text x="8" y="26" font-size="16">{}</text>"#, escaped(heading))
}

fn text(out: &mut impl Write, x: f64, y: f64, anchor: &str, words: &str) -> fmt::Result {
    writeln!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(words))
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn microseconds(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.0} s", value / 1e6),
        value if value >= 1e3 => format!("{:.0} ms", value / 1e3),
        value => format!("{value:.0} µs"),
    }
}

/// Lines of a picture, far below where a float loses one.
fn count(lines: usize) -> f64 {
    f64::from(u32::try_from(lines).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(candidate: &str, cpu_ms: f64, latency_us: [f64; 5]) -> Sample {
        Sample {
            case: "open16".into(),
            round: 1,
            candidate: candidate.into(),
            done: 1000.0,
            seconds: 1.0,
            bytes: 0.0,
            user_ms: cpu_ms,
            system_ms: 0.0,
            latency_us,
            memory_bytes: 0.0,
        }
    }

    #[test]
    fn the_longest_bar_is_that_of_the_greatest_median_and_the_others_are_in_proportion() {
        let samples = [sample("haproxy", 20.0, [0.0; 5]), sample("wiregate", 10.0, [0.0; 5])];
        let mut svg = String::new();
        bars(&mut svg, "CPU", "µs", &samples, &["open16", "rows"], Sample::cpu_us).unwrap();
        assert!(svg.contains(r##"width="520.0" height="12" fill="#0072b2""##), "{svg}");
        assert!(svg.contains(r##"width="260.0" height="12" fill="#d55e00""##), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_case_that_was_not_measured_is_said_to_be_so() {
        let mut svg = String::new();
        latency(&mut svg, &[sample("haproxy", 1.0, [0.0; 5])], "open16").unwrap();
        assert!(svg.contains("not measured"));
    }

    #[test]
    fn a_slower_candidate_stands_above_a_faster_one_on_whole_decades() {
        let slow = sample("haproxy", 1.0, [200.0, 300.0, 900.0, 2000.0, 9000.0]);
        let fast = sample("wiregate", 1.0, [100.0, 200.0, 800.0, 1000.0, 8000.0]);
        let mut svg = String::new();
        latency(&mut svg, &[slow, fast], "open16").unwrap();
        let first = |colour: &str| {
            let line = svg.lines().find(|line| line.contains("polyline") && line.contains(colour)).unwrap();
            let point = line.split('"').nth(1).unwrap().split(' ').next().unwrap();
            point.split(',').nth(1).unwrap().parse::<f64>().unwrap()
        };
        assert!(first("#0072b2") < first("#d55e00"));
        assert!(svg.contains("100 µs") && svg.contains("10 ms"));
    }
}
