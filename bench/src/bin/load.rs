//! `load`: drives a PostgreSQL or MySQL server, or a proxy before one, and prints one line of `key=value` pairs.
//!
//! What is measured is measured here; what it cost the proxy, `scripts/bench` reads from the proxy's process.
//! Latencies are in microseconds, durations in seconds.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::client::{ClientError, Session, Target};
use bench::{mysql, paired, point, postgres, stream};
use clap::{Parser, Subcommand, ValueEnum};
use hdrhistogram::Histogram;

/// Load for PostgreSQL or MySQL and for what stands before it.
#[derive(Debug, Parser)]
#[command(after_help = "Example: load point --port 6432 --clients 16 --seconds 5")]
struct Options {
    #[command(flatten)]
    target: Target,
    /// What is spoken.
    #[arg(long, value_enum, default_value_t = Protocol::Postgres, global = true)]
    protocol: Protocol,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Postgres,
    Mysql,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// COPY a relation to standard output, repeatedly (PostgreSQL).
    Copy {
        /// A table, or a query in parentheses.
        #[arg(long, default_value = "wide_plain")]
        relation: String,
        /// How long; at least one copy is read.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// COPY rows into a relation, repeatedly; none of them stays there (PostgreSQL).
    CopyIn {
        /// A table.
        #[arg(long, default_value = "wide_plain")]
        relation: String,
        /// One line in COPY's text format.
        #[arg(long)]
        row: String,
        /// Lines in one COPY.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u32,
        /// How long; at least one copy is made.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// Open idle sessions, print a line when all are authenticated, hold them until standard input ends.
    Idle {
        /// How many.
        count: usize,
    },
    /// The same query by several ways to one server, at each tick of a slow schedule: what each adds to the first.
    Paired {
        /// Ports, the first of which the others are compared with.
        #[arg(long, value_delimiter = ',', required = true)]
        ways: Vec<u16>,
        /// The statement; left out: the prepared point query.
        #[arg(long)]
        query: Option<String>,
        /// Ticks a second.
        #[arg(long, default_value_t = 100)]
        rate: u32,
        /// How long.
        #[arg(long, default_value_t = 20.0)]
        seconds: f64,
        /// Rows to choose from.
        #[arg(long, default_value_t = 1_000_000)]
        accounts: u32,
    },
    /// Prepared point queries, as pgbench -S -M prepared and sysbench oltp_point_select send them.
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
        /// Rows to choose from.
        #[arg(long, default_value_t = 1_000_000)]
        accounts: u32,
        /// Queries that leave together.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        batch: u16,
    },
    /// A large result, repeatedly, read whole.
    Rows {
        /// The statement.
        #[arg(long, default_value = "SELECT * FROM wide_plain")]
        query: String,
        /// Values in the protocol's binary form, not as texts.
        #[arg(long)]
        binary: bool,
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
    match options.protocol {
        Protocol::Postgres => run_with::<postgres::Client>(options),
        Protocol::Mysql => run_with::<mysql::Client>(options),
    }
}

fn run_with<S: Session>(options: &Options) -> Result<(), ClientError> {
    let target = &options.target;
    match &options.command {
        Command::Copy { relation, seconds } => {
            let statement = format!("COPY {relation} TO STDOUT");
            bulk(&stream::repeat::<postgres::Client>(target, &statement, false, span(*seconds))?)
        }
        Command::CopyIn { relation, row, rows, seconds } => {
            bulk(&stream::copy_in(target, relation, row, *rows, span(*seconds))?)
        }
        Command::Idle { count } => idle::<S>(target, *count),
        Command::Paired { ways, query, rate, seconds, accounts } => {
            let plan =
                paired::Plan { statement: query.clone(), rate: *rate, duration: span(*seconds), accounts: *accounts };
            let targets: Vec<Target> = ways.iter().map(|port| Target { port: *port, ..target.clone() }).collect();
            let seen = paired::run::<S>(&targets, &plan)?;
            ways.iter().zip(&seen).try_for_each(|(port, way)| say(&difference(*port, way)))
        }
        Command::Point { clients, seconds, rate, accounts, batch } => {
            let plan = point::Plan {
                clients: *clients,
                duration: span(*seconds),
                rate: *rate,
                accounts: *accounts,
                batch: *batch,
            };
            let outcome = point::run::<S>(target, &plan)?;
            let (count, elapsed) = (outcome.latency.len(), outcome.elapsed.as_secs_f64());
            say(&format!("done={count} seconds={elapsed:.3} bytes={} {}", outcome.bytes, percentiles(&outcome.latency)))
        }
        Command::Rows { query, binary, seconds } => bulk(&stream::repeat::<S>(target, query, *binary, span(*seconds))?),
    }
}

fn bulk(outcome: &stream::Outcome) -> Result<(), ClientError> {
    let stream::Outcome { results, tally, elapsed, latency } = outcome;
    say(&format!(
        "done={results} seconds={:.3} bytes={} rows={} copied={} {}",
        elapsed.as_secs_f64(),
        tally.bytes,
        tally.rows,
        tally.copied,
        percentiles(latency)
    ))
}

fn idle<S: Session>(target: &Target, count: usize) -> Result<(), ClientError> {
    let begin = Instant::now();
    let clients = stream::open::<S>(target, count)?;
    say(&format!("ready={} seconds={:.3}", clients.len(), begin.elapsed().as_secs_f64()))?;
    // Whatever is typed is ignored; the end of it is the signal.
    for line in io::stdin().lock().lines() {
        line?;
    }
    clients.into_iter().for_each(S::close);
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

fn difference(port: u16, way: &paired::Way) -> String {
    let above = [("above_p25", 0.25), ("above_p50", 0.5), ("above_p75", 0.75)].map(|(name, share)| {
        let microseconds =
            way.above(share).map_or(0.0, |ns| Duration::from_nanos(ns.unsigned_abs()).as_secs_f64() * 1e6);
        let sign = if way.above(share).is_some_and(i64::is_negative) { "-" } else { "" };
        format!("{name}_us={sign}{microseconds:.1}")
    });
    format!("port={port} done={} {} {}", way.latency.len(), above.join(" "), percentiles(&way.latency))
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
