//! How busy a shard is, and what its sleeps should wait for.
//!
//! Where one client waits for one answer, every microsecond that the shard sleeps longer is a microsecond of that
//! answer. Where many sessions are busy the thread sleeps for a moment only, and each sleep and wake costs more than
//! the work between them: there it pays to wait for several events, and for more of them the more sessions there are. So sessions are counted that had something to do
//! in the last millisecond; events of a single fast one are not.
//!
//! A large result is no answer that somebody waits for byte by byte either: while one passes, a sleep lasts until more
//! of it has come than a piece.

use std::cell::Cell;

use crate::limits::{
    BULK, BULK_BYTES, BULK_TURNS, BULK_TURNS_MAX, PACE_EVENTS_MAX, PACE_MICROS, PACE_SESSIONS, PACE_WINDOW_NS,
};
use crate::ring::Gather;

/// Sessions that were busy lately.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Number of the current span; no session has been busy in span 0.
    span: Cell<u64>,
    began_ns: Cell<u64>,
    busy: Cell<u32>,
    /// Those of the span before.
    before: Cell<u32>,
    /// Bytes that this turn has moved.
    bytes: Cell<usize>,
    /// Turns of late that moved much.
    bulk: Cell<u32>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            span: Cell::new(1),
            began_ns: Cell::new(0),
            busy: Cell::new(0),
            before: Cell::new(0),
            bytes: Cell::new(0),
            bulk: Cell::new(0),
        }
    }
}

impl Pace {
    /// A turn begins.
    pub(crate) fn turn(&self, now_ns: u64) {
        let much = self.bytes.replace(0) >= BULK_BYTES;
        // Halved and not forgotten: a turn may concern only the ring, with the result still on its way.
        self.bulk.set(if much { (self.bulk.get() + 1).min(BULK_TURNS_MAX) } else { self.bulk.get() / 2 });
        let passed = now_ns.saturating_sub(self.began_ns.get());
        if passed < PACE_WINDOW_NS {
            return;
        }
        // What was busy before a pause says nothing about what is now.
        let busy = self.busy.replace(0);
        self.before.set(if passed < 2 * PACE_WINDOW_NS { busy } else { 0 });
        self.began_ns.set(now_ns);
        self.span.set(self.span.get() + 1);
    }

    /// A session has something to do; it keeps the number of the span in which it last had.
    pub(crate) fn busy(&self, span: &mut u64) {
        if std::mem::replace(span, self.span.get()) != self.span.get() {
            self.busy.set(self.busy.get().saturating_add(1));
        }
    }

    /// A session took in bytes.
    pub(crate) fn moved(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
    }

    /// What the next sleep should wait for.
    pub(crate) fn gather(&self) -> Gather {
        let sessions = self.before.get();
        if sessions >= PACE_SESSIONS {
            Gather { events: (sessions / 2).min(PACE_EVENTS_MAX), micros: PACE_MICROS }
        } else if self.bulk.get() >= BULK_TURNS && self.bytes.get() >= BULK_BYTES {
            BULK
        } else {
            Gather::NOTHING
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans in which `sessions` sessions are busy twice each.
    fn run(pace: &Pace, sessions: &mut [u64], spans: std::ops::Range<u64>) {
        for span in spans {
            pace.turn(span * PACE_WINDOW_NS);
            for seen in sessions.iter_mut() {
                pace.busy(seen);
                pace.busy(seen);
            }
        }
    }

    #[test]
    fn a_sleep_waits_for_half_of_many_busy_sessions_and_not_where_there_are_few() {
        let pace = Pace::default();
        run(&pace, &mut [0; 7], 1..10);
        assert_eq!(pace.gather(), Gather::NOTHING);
        run(&pace, &mut [0; 8], 10..12);
        assert_eq!(pace.gather(), Gather { events: 4, micros: PACE_MICROS });
        run(&pace, &mut [0; 17], 12..14);
        assert_eq!(pace.gather(), Gather { events: 8, micros: PACE_MICROS });
        run(&pace, &mut [0; 1000], 14..16);
        assert_eq!(pace.gather(), Gather { events: 16, micros: PACE_MICROS });
        run(&pace, &mut [0; 1], 16..18);
        assert_eq!(pace.gather(), Gather::NOTHING);
    }

    #[test]
    fn the_middle_of_a_large_result_is_waited_for_and_what_follows_its_end_is_not() {
        let pace = Pace::default();
        let turn = |bytes| {
            pace.turn(1);
            pace.moved(bytes);
            pace.gather()
        };
        // One answer of a few pieces is over before anything waits.
        assert!((0..3).all(|_| turn(BULK_BYTES) == Gather::NOTHING));
        assert_eq!(turn(BULK_BYTES), BULK);
        assert_eq!(turn(BULK_BYTES / 2), Gather::NOTHING, "its end");
        assert_eq!(turn(BULK_BYTES), Gather::NOTHING, "and the beginning of the next");
        for _ in 0..10 {
            turn(BULK_BYTES);
        }
        assert_eq!(turn(BULK_BYTES), BULK);
        assert_eq!((turn(0), turn(BULK_BYTES)), (Gather::NOTHING, BULK), "a turn of the ring's own is no end");
        assert!((0..100).all(|_| turn(BULK_BYTES - 1) == Gather::NOTHING), "points, however many");
    }

    #[test]
    fn a_pause_makes_the_next_sleep_end_with_the_first_event() {
        let pace = Pace::default();
        run(&pace, &mut [0; 100], 1..3);
        assert_ne!(pace.gather(), Gather::NOTHING);
        pace.turn(1_000 * PACE_WINDOW_NS);
        assert_eq!(pace.gather(), Gather::NOTHING);
    }
}
