//! Differences of latency between several ways to one server, where each query's neighbours in time are its
//! counterparts: what a proxy adds, on a machine that does other things besides.
//!
//! One session for each way, one thread. Queries leave on a schedule, slowly, so that none waits for another; at each
//! tick the same query goes each way, one after the other, and who is first changes from tick to tick. A difference is
//! taken within a tick: what disturbs the machine for longer than a tick disturbs both of its sides. Their medians
//! are then the same on a quiet machine and on one that is busy half of the time; their tails are not.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::{ClientError, Session, Target};
use crate::point::{Accounts, latencies};

/// Ticks before those that count: connections, caches and plans are warm then.
const WARM_UP_TICKS: usize = 50;
/// A session that rests this long is asked as one in which something happens now and then, not as one that is busy.
const APART: Duration = Duration::from_micros(500);

/// What to ask, how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The statement; `None`: the prepared point query.
    pub statement: Option<String>,
    /// Ticks a second.
    pub rate: u32,
    /// For how long.
    pub duration: Duration,
    /// Accounts to choose from.
    pub accounts: u32,
}

/// What one way showed.
#[derive(Debug)]
pub struct Way {
    /// Its latencies in nanoseconds.
    pub latency: Histogram<u64>,
    /// Its latencies less those of the first way in the same ticks, in nanoseconds, in ascending order.
    pub above_first: Vec<i64>,
}

impl Way {
    /// The difference below which this share of all differences is, from 0 to 1.
    #[must_use]
    pub fn above(&self, share: f64) -> Option<i64> {
        quantile(&self.above_first, share)
    }
}

/// Asks the server by each of `targets`.
///
/// # Errors
/// The first failure of any session.
pub fn run<S: Session>(targets: &[Target], plan: &Plan) -> Result<Vec<Way>, ClientError> {
    let mut sessions = targets.iter().map(|target| session::<S>(target, plan)).collect::<Result<Vec<_>, _>>()?;
    let mut accounts = Accounts::new(0, plan.accounts);
    let mut ticks: Vec<Vec<i64>> = Vec::new();
    let interval = Duration::from_secs(1) / plan.rate.max(1);
    let mut due = Instant::now();
    let mut end = None;
    let mut tick = 0;
    while end.is_none_or(|end| due < end) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let account = accounts.next();
        let mut took = vec![0; sessions.len()];
        for place in 0..sessions.len() {
            let way = (place + tick) % sessions.len();
            let (Some(session), Some(took)) = (sessions.get_mut(way), took.get_mut(way)) else { continue };
            *took = one(session, plan, account)?;
            std::thread::sleep(APART);
        }
        if tick >= WARM_UP_TICKS {
            end.get_or_insert(Instant::now() + plan.duration);
            ticks.push(took);
        }
        tick += 1;
        // A tick that was missed is left out: each counts for itself.
        due = (due + interval).max(Instant::now());
    }
    sessions.into_iter().for_each(S::close);
    (0..targets.len()).map(|way| seen(&ticks, way)).collect()
}

fn session<S: Session>(target: &Target, plan: &Plan) -> Result<S, ClientError> {
    let mut session = S::connect(target)?;
    if plan.statement.is_none() {
        session.prepare_point()?;
    }
    Ok(session)
}

/// Nanoseconds from the query to the last byte of its answer.
fn one<S: Session>(session: &mut S, plan: &Plan, account: u32) -> Result<i64, ClientError> {
    let sent = Instant::now();
    match &plan.statement {
        Some(statement) => session.query(statement, false)?,
        None => session.execute_points(1, || account)?,
    }
    session.until_ready()?;
    Ok(i64::try_from(sent.elapsed().as_nanos()).unwrap_or(i64::MAX))
}

fn seen(ticks: &[Vec<i64>], way: usize) -> Result<Way, ClientError> {
    let mut latency = latencies().map_err(|_| ClientError::Worker)?;
    let mut above_first = Vec::with_capacity(ticks.len());
    for tick in ticks {
        let (Some(first), Some(took)) = (tick.first(), tick.get(way)) else { continue };
        latency.saturating_record(u64::try_from(*took).unwrap_or_default());
        above_first.push(took - first);
    }
    above_first.sort_unstable();
    Ok(Way { latency, above_first })
}

fn quantile(ascending: &[i64], share: f64) -> Option<i64> {
    let mut below = 0.0;
    let step = 1.0 / f64::from(u32::try_from(ascending.len()).ok()?);
    ascending.iter().copied().find(|_| {
        below += step;
        below >= share - step / 2.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_of_the_same_tick_and_a_disturbed_tick_moves_no_median() {
        let mut ticks: Vec<Vec<i64>> = (0..100).map(|tick| vec![1000 + tick * 50, 1030 + tick * 50]).collect();
        for tick in ticks.iter_mut().take(30) {
            tick[1] += 1_000_000;
        }
        let way = seen(&ticks, 1).unwrap();
        assert_eq!(way.above(0.5), Some(30));
        assert_eq!(way.above(0.25), Some(30));
        assert_eq!(way.above(0.9), Some(1_000_030));
        assert_eq!(seen(&ticks, 0).unwrap().above(0.5), Some(0));
        assert_eq!(way.latency.len(), 100);
    }

    #[test]
    fn quantiles_of_few() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7], 0.5), Some(7));
        assert_eq!(quantile(&[1, 2, 3], 0.5), Some(2));
        assert_eq!(quantile(&[1, 2, 3, 4], 0.25), Some(1));
        assert_eq!(quantile(&[1, 2, 3, 4], 1.0), Some(4));
    }
}
