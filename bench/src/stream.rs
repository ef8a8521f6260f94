//! Large results and idle sessions: what a relay moves in bulk, and what it merely holds.
//!
//! Results are read whole and thrown away. Nothing here judges what arrives beyond counting it.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::{Client, ClientError, Target, query};
use crate::point::latencies;
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
pub fn repeat(target: &Target, statement: &str, duration: Duration) -> Result<Outcome, ClientError> {
    let mut client = Client::connect(target)?;
    let message = query(statement)?;
    let mut latency = latencies().map_err(|_| ClientError::Worker)?;
    let (mut tally, mut results) = (Tally::default(), 0);
    let begin = Instant::now();
    while results == 0 || begin.elapsed() < duration {
        let sent = Instant::now();
        client.send(&message)?;
        let part = client.until_ready()?;
        latency.saturating_record(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
        tally.bytes += part.bytes;
        tally.copied += part.copied;
        tally.ready += part.ready;
        tally.rows += part.rows;
        results += 1;
    }
    let elapsed = begin.elapsed();
    client.close();
    Ok(Outcome { results, tally, elapsed, latency })
}

/// Opens `count` authenticated sessions and holds them.
///
/// # Errors
/// The first session that could not be opened.
pub fn open(target: &Target, count: usize) -> Result<Vec<Client>, ClientError> {
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..OPENERS)
            .map(|index| {
                let share = count / OPENERS + usize::from(index < count % OPENERS);
                scope.spawn(move || (0..share).map(|_| Client::connect_idle(target)).collect::<Result<Vec<_>, _>>())
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
