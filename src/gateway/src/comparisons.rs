//! How often each user compared masked columns in this hour, over all shards.
//!
//! One comparison for equality tells whether a value is there or not. With `n` an hour a user learns of at most
//! `n` values whether they are there. Hours are those of the clock, so within any 60 minutes it can be twice as
//! many. The count is kept in memory: a restart begins anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::limits::COMPARING_USERS;

const HOUR_NS: u64 = 3_600_000_000_000;

#[derive(Default)]
struct Hour {
    number: u64,
    /// By listener and user.
    spent: HashMap<(usize, Box<[u8]>), u32>,
}

/// The counts of this hour. Behind a lock that only statements with such comparisons take.
#[derive(Default)]
pub(crate) struct Comparisons {
    hour: Mutex<Hour>,
}

impl Comparisons {
    /// Takes `wanted` comparisons off what is left of `limit`; `false`, and nothing is taken, where that is less.
    pub(crate) fn take(&self, listener: usize, user: &[u8], wanted: u32, limit: u32, unix_ns: u64) -> bool {
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        let number = unix_ns / HOUR_NS;
        // A clock that is set back gives nobody a second hour.
        if number > hour.number {
            *hour = Hour { number, spent: HashMap::new() };
        }
        if let Some(spent) = hour.spent.get_mut(&(listener, user.into())) {
            let all = spent.saturating_add(wanted);
            let fits = all <= limit;
            if fits {
                *spent = all;
            }
            return fits;
        }
        let fits = wanted <= limit && hour.spent.len() < COMPARING_USERS;
        if fits {
            hour.spent.insert((listener, user.into()), wanted);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_so_many_in_each_hour() {
        let comparisons = Comparisons::default();
        let take = |user: &[u8], wanted, hour| comparisons.take(0, user, wanted, 3, hour * HOUR_NS + 1);
        assert!(take(b"ana", 2, 5) && !take(b"ana", 2, 5) && take(b"ana", 1, 5) && !take(b"ana", 1, 5));
        assert!(take(b"bob", 3, 5) && comparisons.take(1, b"ana", 3, 3, 5 * HOUR_NS));
        assert!(!take(b"ana", 1, 4), "a clock set back");
        assert!(take(b"ana", 3, 6) && !take(b"ana", 1, 6));
        assert!(!take(b"eve", 4, 6));
    }
}
