//! Point queries, prepared, as `pgbench -S -M prepared` sends them: one client a thread, one query at a time.
//!
//! Closed loop: the next query leaves when the last is answered. Open loop (`rate`): queries leave on a schedule,
//! and latency counts from the scheduled moment, so that a stall is charged to every query that it delayed
//! (no coordinated omission).

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::{Client, ClientError, Target, push_message, push_text};

/// The longest latency that is told apart, in nanoseconds; longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;
const STATEMENT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
const NAME: &str = "P0";

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Clients, each with a connection and a thread.
    pub clients: u16,
    /// For how long.
    pub duration: Duration,
    /// Queries a second over all clients; `None`: as fast as they are answered.
    pub rate: Option<u32>,
    /// Accounts to choose from: 100,000 for each unit of pgbench's scale.
    pub accounts: u32,
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
pub fn run(target: &Target, plan: &Plan) -> Result<Outcome, ClientError> {
    let mut clients = (0..plan.clients).map(|_| prepared(target)).collect::<Result<Vec<_>, _>>()?;
    let begin = Instant::now();
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0u32..)
            .zip(&mut clients)
            .map(|(index, client)| scope.spawn(move || one(client, plan, index, begin)))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(Err(ClientError::Worker))).collect::<Vec<_>>()
    });
    let elapsed = begin.elapsed();
    clients.into_iter().for_each(Client::close);
    let mut outcome = Outcome { latency: latencies().map_err(|_| ClientError::Worker)?, bytes: 0, elapsed };
    for part in parts {
        let (latency, bytes) = part?;
        outcome.latency.add(latency).map_err(|_| ClientError::Worker)?;
        outcome.bytes += bytes;
    }
    Ok(outcome)
}

fn prepared(target: &Target) -> Result<Client, ClientError> {
    let mut client = Client::connect(target)?;
    let (mut body, mut out) = (Vec::new(), Vec::new());
    push_text(&mut body, NAME)?;
    push_text(&mut body, STATEMENT)?;
    body.extend_from_slice(&[0, 0]);
    push_message(&mut out, b'P', &body)?;
    push_message(&mut out, b'S', &[])?;
    client.send(&out)?;
    client.until_ready()?;
    Ok(client)
}

fn one(client: &mut Client, plan: &Plan, index: u32, begin: Instant) -> Result<(Histogram<u64>, u64), ClientError> {
    let mut latency = latencies().map_err(|_| ClientError::Worker)?;
    let mut bytes = 0;
    let mut accounts = Accounts::new(index, plan.accounts);
    let interval = plan.rate.map(|rate| Duration::from_secs(1) * u32::from(plan.clients) / rate.max(1));
    // Clients on a schedule start evenly spread over one interval.
    let mut due = begin + interval.unwrap_or_default() * index / u32::from(plan.clients);
    let mut message = Vec::with_capacity(128);
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
        execution(&mut message, accounts.next())?;
        client.send(&message)?;
        bytes += client.until_ready()?.bytes;
        latency.saturating_record(u64::try_from(from.elapsed().as_nanos()).unwrap_or(LONGEST_NS));
    }
    Ok((latency, bytes))
}

/// Bind, Describe, Execute and Sync, which is what libpq's `PQsendQueryPrepared` sends.
fn execution(out: &mut Vec<u8>, account: u32) -> Result<(), ClientError> {
    let value = account.to_string();
    let length = u32::try_from(value.len()).map_err(|_| ClientError::Text)?;
    let mut bind = Vec::with_capacity(32);
    push_text(&mut bind, "")?;
    push_text(&mut bind, NAME)?;
    bind.extend_from_slice(&[0, 0, 0, 1]);
    bind.extend_from_slice(&length.to_be_bytes());
    bind.extend_from_slice(value.as_bytes());
    bind.extend_from_slice(&[0, 1, 0, 0]);
    out.clear();
    push_message(out, b'B', &bind)?;
    push_message(out, b'D', b"P\0")?;
    push_message(out, b'E', &[0; 5])?;
    push_message(out, b'S', &[])
}

/// Account numbers in an order that is the same in every run: `SplitMix64` (Steele, Lea, Flood 2014).
struct Accounts {
    state: u64,
    count: u64,
}

impl Accounts {
    fn new(seed: u32, count: u32) -> Self {
        Self { state: u64::from(seed) << 32, count: u64::from(count.max(1)) }
    }

    fn next(&mut self) -> u32 {
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

    #[test]
    fn an_execution_is_bind_describe_execute_sync() {
        let mut out = Vec::new();
        execution(&mut out, 42).unwrap();
        let expected =
            b"B\0\0\0\x16\0P0\0\0\0\0\x01\0\0\0\x0242\0\x01\0\0D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
        assert_eq!(out, expected);
    }
}
