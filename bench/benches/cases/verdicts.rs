//! The verdict on a text that was judged before: what most statements cost.

use std::hint::black_box;
use std::rc::Rc;

use gateway::verdicts::{Remembered, VerdictCache};

use super::Case;
use super::judgement::FOLLOWED;

struct Entry(Vec<u8>);

impl Remembered for Entry {
    fn text(&self) -> &[u8] {
        &self.0
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}

/// Texts of two lengths, beside a thousand others.
pub(crate) fn cases() -> Vec<Case> {
    let point = "SELECT abalance FROM pgbench_accounts WHERE aid = $1";
    [("point query, 52 bytes", point), ("join, 204 bytes", FOLLOWED)]
        .into_iter()
        .map(|(name, sql)| {
            let mut cache = VerdictCache::default();
            for number in 0..1000 {
                cache.insert(1, &Rc::new(Entry(format!("SELECT {number}").into())));
            }
            cache.insert(1, &Rc::new(Entry(sql.into())));
            Case::new("cached verdict", name, move || {
                cache.find(1, black_box(sql.as_bytes())).expect("it was remembered").0.len()
            })
        })
        .collect()
}
