//! Large results and idle sessions: what a relay moves in bulk, and what it merely holds.
//!
//! Results are read whole and thrown away. Nothing here judges what arrives beyond counting it.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::{ClientError, Session, Target};
use crate::point::latencies;
use crate::postgres;
use crate::walk::Tally;

/// Sessions that are being set up at the same moment.
const OPENERS: usize = 8;

/// What came of a repeated result.
#[derive(Debug)]
pub struct Outcome {
    /// Results read.
    pub results: u64,
    /// Everything that arrived.
    pub tally: Tally,
    /// From the first statement to the last answer.
    pub elapsed: Duration,
    /// Time of each result in nanoseconds.
    pub latency: Histogram<u64>,
}

/// Sends `statement` again and again on one connection until `duration` is over, and reads each answer whole.
///
/// # Errors
/// The first failure.
pub fn repeat<S: Session>(
    target: &Target,
    statement: &str,
    binary: bool,
    duration: Duration,
) -> Result<Outcome, ClientError> {
    let mut client = S::connect(target)?;
    let outcome = rounds(duration, || {
        client.query(statement, binary)?;
        client.until_ready()
    })?;
    client.close();
    Ok(outcome)
}

/// Copies `rows` lines into `relation` again and again until `duration` is over.
///
/// # Errors
/// The first failure.
pub fn copy_in(
    target: &Target,
    relation: &str,
    row: &str,
    rows: u32,
    duration: Duration,
) -> Result<Outcome, ClientError> {
    let mut client = postgres::Client::connect(target)?;
    let outcome = rounds(duration, || client.copy_in(relation, row, rows))?;
    client.close();
    Ok(outcome)
}

fn rounds(duration: Duration, mut one: impl FnMut() -> Result<Tally, ClientError>) -> Result<Outcome, ClientError> {
    let mut latency = latencies().map_err(|_| ClientError::Worker)?;
    let (mut tally, mut results) = (Tally::default(), 0);
    let begin = Instant::now();
    while results == 0 || begin.elapsed() < duration {
        let sent = Instant::now();
        let part = one()?;
        latency.saturating_record(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
        tally.bytes += part.bytes;
        tally.copied += part.copied;
        tally.ready += part.ready;
        tally.rows += part.rows;
        results += 1;
    }
    Ok(Outcome { results, tally, elapsed: begin.elapsed(), latency })
}

/// Opens `count` authenticated sessions and holds them.
///
/// # Errors
/// The first session that could not be opened.
pub fn open<S: Session>(target: &Target, count: usize) -> Result<Vec<S>, ClientError> {
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..OPENERS)
            .map(|index| {
                let share = count / OPENERS + usize::from(index < count % OPENERS);
                scope.spawn(move || (0..share).map(|_| S::connect_idle(target)).collect::<Result<Vec<_>, _>>())
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(Err(ClientError::Worker))).collect::<Vec<_>>()
    });
    let mut clients = Vec::with_capacity(count);
    for part in parts {
        clients.extend(part?);
    }
    Ok(clients)
}
