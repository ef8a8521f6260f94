//! Deadlines of waits, as timeouts that the kernel keeps.
//!
//! A timeout given with each wait makes the kernel set and clear a timer every time, and in a virtual machine
//! that can leave the machine. A shard's deadlines are far apart from its turns, so one timeout serves all
//! waits until it comes: [`Alarms::arm`] does nothing while an earlier one is in flight.

use std::time::Instant;

use io_uring::opcode;
use io_uring::types::Timespec;

use super::queue::{Kind, Queue};

/// Timeouts in flight at once. An alarm is only added where a deadline comes before all others, so few are
/// ever needed; where none is free the wait itself takes the timeout.
const SLOTS: usize = 8;

/// See the module.
pub(super) struct Alarms {
    /// What the timeouts in flight were given; boxed, so that it stays where it is.
    lefts: Box<[Timespec; SLOTS]>,
    deadlines: [Option<Instant>; SLOTS],
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self { lefts: Box::new([Timespec::new(); SLOTS]), deadlines: [None; SLOTS] }
    }

    /// Has the kernel make a completion no later than `deadline`. `false` where the deadline has passed or
    /// there is no room: then the wait must see to it.
    pub(super) fn arm(&mut self, queue: &mut Queue, deadline: Instant) -> bool {
        if queue.is_closed() {
            return false;
        }
        if self.deadlines.iter().flatten().any(|earlier| *earlier <= deadline) {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let free = self.deadlines.iter().position(Option::is_none);
        let Some((index, slot)) = free.and_then(|index| Some((index, self.lefts.get_mut(index)?))) else {
            return false;
        };
        if left.is_zero() {
            return false;
        }
        *slot = Timespec::from(left);
        let entry = opcode::Timeout::new(slot).build();
        let Ok(tag) = u32::try_from(index) else { return false };
        if let Some(armed) = self.deadlines.get_mut(index) {
            *armed = Some(deadline);
        }
        // SAFETY: the timespec is boxed, and its slot is not written again before the completion was seen.
        unsafe { queue.push(entry.user_data(Kind::Alarm.tag(tag))) };
        true
    }

    /// A timeout has ended.
    pub(super) fn completed(&mut self, index: u32) {
        if let Some(armed) = usize::try_from(index).ok().and_then(|index| self.deadlines.get_mut(index)) {
            *armed = None;
        }
    }
}
