//! One measurement: a case, run once through one candidate; and the CSV in which they are kept.
//!
//! The CSV has a header line and no quoting: every field is a number or a plain word.

use std::str::FromStr;

/// The columns, in order.
pub const HEADER: &str =
    "case,round,candidate,done,seconds,bytes,user_ms,system_ms,p50_us,p90_us,p99_us,p999_us,max_us,memory_bytes";

/// What [`Sample::latency_us`] holds: the names of the columns, without their unit, and the percentiles.
pub const PERCENTILES: [(&str, f64); 5] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9), ("max", 100.0)];

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was done: `point16`, `rows`, …
    pub case: String,
    /// The round that it belongs to; runs of one round are comparable.
    pub round: u32,
    /// Through what: `direct`, `haproxy`, `pgbouncer`, `relay`, `wiregate`.
    pub candidate: String,
    /// Queries, results or sessions.
    pub done: f64,
    /// How long it took.
    pub seconds: f64,
    /// Bytes that the client received; 0 where the load generator does not say.
    pub bytes: f64,
    /// The proxy's CPU time in user space, in milliseconds.
    pub user_ms: f64,
    /// The proxy's CPU time in the kernel, in milliseconds.
    pub system_ms: f64,
    /// Latency in microseconds at each of [`PERCENTILES`]; 0 where unknown.
    pub latency_us: [f64; 5],
    /// Growth of the proxy's resident memory; 0 where not asked.
    pub memory_bytes: f64,
}

/// A line that is no sample.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}: {text:?}")]
pub struct SampleError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
    /// The line itself.
    pub text: String,
}

impl Sample {
    /// CPU time for each thing done, in microseconds; `None` when nothing was done.
    #[must_use]
    pub fn cpu_us(&self) -> Option<f64> {
        (self.done > 0.0).then(|| (self.user_ms + self.system_ms) * 1000.0 / self.done)
    }

    /// Resident memory for each session, in bytes; `None` when it was not measured.
    #[must_use]
    pub fn memory_each(&self) -> Option<f64> {
        (self.done > 0.0 && self.memory_bytes != 0.0).then(|| self.memory_bytes / self.done)
    }
}

/// Reads a CSV with [`HEADER`].
///
/// # Errors
/// The first line that does not fit.
pub fn parse(text: &str) -> Result<Vec<Sample>, SampleError> {
    let mut samples = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fault = |reason| SampleError { line: index + 1, reason, text: line.to_owned() };
        if index == 0 {
            if line != HEADER {
                return Err(fault("not the expected header"));
            }
            continue;
        }
        samples.push(one(line).map_err(fault)?);
    }
    Ok(samples)
}

fn one(line: &str) -> Result<Sample, &'static str> {
    let fields: Vec<&str> = line.split(',').collect();
    let [case, round, candidate, done, seconds, bytes, user_ms, system_ms, p50, p90, p99, p999, max, memory_bytes] =
        fields.as_slice()
    else {
        return Err("not fourteen fields");
    };
    Ok(Sample {
        case: (*case).to_owned(),
        round: round.parse().map_err(|_| "the round is no number")?,
        candidate: (*candidate).to_owned(),
        done: number(done)?,
        seconds: number(seconds)?,
        bytes: number(bytes)?,
        user_ms: number(user_ms)?,
        system_ms: number(system_ms)?,
        latency_us: [number(p50)?, number(p90)?, number(p99)?, number(p999)?, number(max)?],
        memory_bytes: number(memory_bytes)?,
    })
}

fn number(field: &str) -> Result<f64, &'static str> {
    match f64::from_str(field) {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("a field is no number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let text = format!("{HEADER}\npoint16,1,haproxy,1000,5.0,0,3,7,0,0,0,0,0,0\n");
        let samples = parse(&text).unwrap();
        assert_eq!(samples.len(), 1);
        assert_eq!(samples[0].cpu_us(), Some(10.0));
        assert_eq!(samples[0].memory_each(), None);
    }

    #[test]
    fn what_is_no_sample_is_named_by_its_line() {
        let short = format!("{HEADER}\npoint16,1,haproxy\n");
        assert_eq!(parse(&short).unwrap_err().line, 2);
        let infinite = format!("{HEADER}\npoint16,1,haproxy,inf,5.0,0,3,7,0,0,0,0,0,0\n");
        assert_eq!(parse(&infinite).unwrap_err().line, 2);
        assert_eq!(parse("case\n").unwrap_err().line, 1);
    }
}
