//! Point queries, prepared, as `pgbench -S -M prepared` and sysbench's `oltp_point_select` send them: one client a
//! thread, one query or one batch of them at a time.
//!
//! Closed loop: the next query leaves when the last is answered. Open loop (`rate`): queries leave on a schedule,
//! and latency counts from the scheduled moment, so that a stall is charged to every query that it delayed
//! (no coordinated omission).

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::{ClientError, Session, Target};

/// The longest latency that is told apart, in nanoseconds; longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;
/// Past so many clients, the threads that open them share the work.
const OPENERS: usize = 8;
/// What a client's thread needs of stack: a thousand of them are no matter then.
const STACK_BYTES: usize = 256 * 1024;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Clients, each with a connection and a thread.
    pub clients: u16,
    /// For how long.
    pub duration: Duration,
    /// Queries a second over all clients; `None`: as fast as they are answered.
    pub rate: Option<u32>,
    /// Accounts to choose from.
    pub accounts: u32,
    /// Queries that leave together; the next batch leaves when all of them are answered.
    pub batch: u16,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Latencies in nanoseconds, one for each query.
    pub latency: Histogram<u64>,
    /// Bytes from the server.
    pub bytes: u64,
    /// From the first query to the last answer.
    pub elapsed: Duration,
}

/// A histogram from 1 ns to a minute, with three digits.
///
/// # Errors
/// Never for these bounds; the type says otherwise.
pub fn latencies() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3)
}

/// Runs `plan` against `target`.
///
/// # Errors
/// The first failure of any client; the others still run to their end.
pub fn run<S: Session>(target: &Target, plan: &Plan) -> Result<Outcome, ClientError> {
    let mut clients = prepared::<S>(target, plan.clients.into())?;
    let begin = Instant::now();
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0u32..)
            .zip(&mut clients)
            .map(|(index, client)| {
                let work = move || one(client, plan, index, begin);
                std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work)
            })
            .collect();
        let ended = |worker: std::io::Result<std::thread::ScopedJoinHandle<'_, _>>| {
            worker.map_err(ClientError::Io)?.join().unwrap_or(Err(ClientError::Worker))
        };
        workers.into_iter().map(ended).collect::<Vec<_>>()
    });
    let elapsed = begin.elapsed();
    clients.into_iter().for_each(S::close);
    let mut outcome = Outcome { latency: latencies().map_err(|_| ClientError::Worker)?, bytes: 0, elapsed };
    for part in parts {
        let (latency, bytes) = part?;
        outcome.latency.add(latency).map_err(|_| ClientError::Worker)?;
        outcome.bytes += bytes;
    }
    Ok(outcome)
}

/// Sessions in which the query is prepared.
fn prepared<S: Session>(target: &Target, count: usize) -> Result<Vec<S>, ClientError> {
    let one = || {
        let mut client = S::connect_idle(target)?;
        client.prepare_point()?;
        Ok(client)
    };
    let parts = std::thread::scope(|scope| {
        let shares = (0..OPENERS).map(|index| count / OPENERS + usize::from(index < count % OPENERS));
        let workers: Vec<_> =
            shares.map(|share| scope.spawn(move || (0..share).map(|_| one()).collect::<Result<Vec<S>, _>>())).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(Err(ClientError::Worker))).collect::<Vec<_>>()
    });
    let mut clients = Vec::with_capacity(count);
    for part in parts {
        clients.extend(part?);
    }
    Ok(clients)
}

fn one<S: Session>(
    client: &mut S,
    plan: &Plan,
    index: u32,
    begin: Instant,
) -> Result<(Histogram<u64>, u64), ClientError> {
    let mut latency = latencies().map_err(|_| ClientError::Worker)?;
    let mut bytes = 0;
    let mut accounts = Accounts::new(index, plan.accounts);
    let each_round = u32::from(plan.clients) * u32::from(plan.batch);
    let interval = plan.rate.map(|rate| Duration::from_secs(1) * each_round / rate.max(1));
    // Clients on a schedule start evenly spread over one interval.
    let mut due = begin + interval.unwrap_or_default() * index / u32::from(plan.clients);
    loop {
        if let Some(interval) = interval {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if due.duration_since(begin) >= plan.duration {
                break;
            }
            due += interval;
        }
        let sent = Instant::now();
        if interval.is_none() && sent.duration_since(begin) >= plan.duration {
            break;
        }
        let from = interval.map_or(sent, |interval| due - interval);
        client.execute_points(plan.batch, || accounts.next())?;
        bytes += client.until_ready()?.bytes;
        let took = u64::try_from(from.elapsed().as_nanos()).unwrap_or(LONGEST_NS);
        latency.saturating_record_n(took, plan.batch.into());
    }
    Ok((latency, bytes))
}

/// Account numbers in an order that is the same in every run: `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Accounts {
    state: u64,
    count: u64,
}

impl Accounts {
    pub(crate) fn new(seed: u32, count: u32) -> Self {
        Self { state: u64::from(seed) << 32, count: u64::from(count.max(1)) }
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        u32::try_from(mixed % self.count + 1).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_stay_within_the_table_and_differ_between_clients() {
        let mut first = Accounts::new(0, 1000);
        let mut second = Accounts::new(1, 1000);
        let ones: Vec<_> = (0..100).map(|_| first.next()).collect();
        let twos: Vec<_> = (0..100).map(|_| second.next()).collect();
        assert!(ones.iter().chain(&twos).all(|account| (1..=1000).contains(account)));
        assert_ne!(ones, twos);
    }
}
