//! `load`: drives a PostgreSQL server, or a proxy before one, and prints one line of `key=value` pairs.
//!
//! What is measured is measured here; what it cost the proxy, `scripts/bench` reads from the proxy's process.
//! Latencies are in microseconds, durations in seconds.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::client::{ClientError, Target};
use bench::{point, stream};
use clap::{Parser, Subcommand};
use hdrhistogram::Histogram;

/// Load for PostgreSQL and for what stands before it.
#[derive(Debug, Parser)]
#[command(after_help = "Example: load point --port 6432 --clients 16 --seconds 5")]
struct Options {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// COPY a relation to standard output, repeatedly.
    Copy {
        /// A table, or a query in parentheses.
        #[arg(long, default_value = "wide_plain")]
        relation: String,
        /// How long; at least one copy is read.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// Open idle sessions, print a line when all are authenticated, hold them until standard input ends.
    Idle {
        /// How many.
        count: usize,
    },
    /// Prepared point queries, as pgbench -S -M prepared sends them.
    Point {
        /// Connections, each with a thread of its own.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        clients: u16,
        /// How long.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Queries a second over all clients on a fixed schedule; left out: as fast as they are answered.
        #[arg(long)]
        rate: Option<u32>,
        /// pgbench's scale.
        #[arg(long, default_value_t = 10)]
        scale: u32,
    },
    /// A large result, repeatedly, read whole.
    Rows {
        /// The statement.
        #[arg(long, default_value = "SELECT * FROM wide_plain")]
        query: String,
        /// How long; at least one result is read.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where even standard error is closed.
            let _ = writeln!(io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), ClientError> {
    match &options.command {
        Command::Copy { relation, seconds } => {
            bulk(&options.target, &format!("COPY {relation} TO STDOUT"), span(*seconds))
        }
        Command::Idle { count } => idle(&options.target, *count),
        Command::Point { clients, seconds, rate, scale } => {
            let accounts = scale.saturating_mul(100_000);
            let plan = point::Plan { clients: *clients, duration: span(*seconds), rate: *rate, accounts };
            let outcome = point::run(&options.target, &plan)?;
            let (count, elapsed) = (outcome.latency.len(), outcome.elapsed.as_secs_f64());
            say(&format!("done={count} seconds={elapsed:.3} bytes={} {}", outcome.bytes, percentiles(&outcome.latency)))
        }
        Command::Rows { query, seconds } => bulk(&options.target, query, span(*seconds)),
    }
}

fn bulk(target: &Target, statement: &str, duration: Duration) -> Result<(), ClientError> {
    let outcome = stream::repeat(target, statement, duration)?;
    let stream::Outcome { results, tally, elapsed, latency } = outcome;
    say(&format!(
        "done={results} seconds={:.3} bytes={} rows={} copied={} {}",
        elapsed.as_secs_f64(),
        tally.bytes,
        tally.rows,
        tally.copied,
        percentiles(&latency)
    ))
}

fn idle(target: &Target, count: usize) -> Result<(), ClientError> {
    let begin = Instant::now();
    let clients = stream::open(target, count)?;
    say(&format!("ready={} seconds={:.3}", clients.len(), begin.elapsed().as_secs_f64()))?;
    // Whatever is typed is ignored; the end of it is the signal.
    for line in io::stdin().lock().lines() {
        line?;
    }
    clients.into_iter().for_each(bench::client::Client::close);
    Ok(())
}

fn percentiles(latency: &Histogram<u64>) -> String {
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9), ("max", 100.0)]
        .map(|(name, percentile)| {
            let microseconds = Duration::from_nanos(latency.value_at_percentile(percentile)).as_secs_f64() * 1e6;
            format!("{name}_us={microseconds:.1}")
        })
        .join(" ")
}

/// Seconds from the command line; what is no duration runs not at all.
fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn say(line: &str) -> Result<(), ClientError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
