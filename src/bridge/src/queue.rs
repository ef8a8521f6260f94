//! A bounded queue between two threads, whose sender never waits.
//!
//! Messages here are rare (a reload, a scrape), so a mutex around a `VecDeque` serves: it is held for a push or
//! a pop, never while a waker runs. The queue must never grow past its capacity and never lose a message that
//! it has accepted.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the receiver wants called when there is something for it.
type Waker = Arc<dyn Fn() + Send + Sync>;

struct State<T> {
    messages: VecDeque<T>,
    waker: Option<Waker>,
    senders: usize,
    receiving: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

impl<T> Shared<T> {
    /// The state. A thread that panicked while it held the lock had at most moved one message.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that was not taken: the queue is full, or its receiver is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full")
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full, or nobody receives from it")
    }
}

impl<T> std::error::Error for Full<T> {}

/// The end that sends; may be cloned.
pub struct Sender<T>(Arc<Shared<T>>);

/// The end that receives.
pub struct Receiver<T>(Arc<Shared<T>>);

/// A queue of at most `capacity` messages.
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { messages: VecDeque::new(), waker: None, senders: 1, receiving: true };
    let shared = Arc::new(Shared { state: Mutex::new(state), capacity });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Puts a message into the queue and wakes the receiver. Never waits.
    ///
    /// # Errors
    ///
    /// [`Full`] gives the message back where there is no room or no receiver.
    pub fn send(&self, message: T) -> Result<(), Full<T>> {
        let waker = {
            let mut state = self.0.lock();
            if !state.receiving || state.messages.len() >= self.0.capacity {
                return Err(Full(message));
            }
            state.messages.push_back(message);
            state.waker.clone()
        };
        wake(waker);
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.lock();
            state.senders -= 1;
            // The receiver learns that nothing will come any more.
            if state.senders == 0 { state.waker.clone() } else { None }
        };
        wake(waker);
    }
}

impl<T> Receiver<T> {
    /// The oldest message, if there is one. Never waits.
    #[must_use]
    pub fn try_recv(&self) -> Option<T> {
        self.0.lock().messages.pop_front()
    }

    /// Whether no message can come any more: every sender is gone and the queue is empty.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let state = self.0.lock();
        state.senders == 0 && state.messages.is_empty()
    }

    /// Has `waker` called, on the sender's thread, after each send and when the last sender is gone. Replaces
    /// an earlier one. Called at once where messages wait already, so that none is missed.
    pub fn set_waker(&self, waker: Box<dyn Fn() + Send + Sync>) {
        let waker: Waker = Arc::from(waker);
        let waiting = {
            let mut state = self.0.lock();
            state.waker = Some(Arc::clone(&waker));
            !state.messages.is_empty() || state.senders == 0
        };
        if waiting {
            waker();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.0.lock();
            state.receiving = false;
            state.waker = None;
            std::mem::take(&mut state.messages)
        };
        // Outside the lock: a message may hold anything.
        drop(left);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.0.capacity).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("capacity", &self.0.capacity).finish_non_exhaustive()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn counter<T>(receiver: &Receiver<T>) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        receiver.set_waker(Box::new(move || {
            seen.fetch_add(1, Ordering::SeqCst);
        }));
        count
    }

    #[test]
    fn a_full_queue_gives_the_message_back_and_keeps_the_others() {
        let (sender, receiver) = channel(2);
        assert_eq!(sender.send(1), Ok(()));
        assert_eq!(sender.send(2), Ok(()));
        assert_eq!(sender.send(3), Err(Full(3)));
        assert_eq!(receiver.try_recv(), Some(1));
        assert_eq!(sender.send(4), Ok(()));
        assert_eq!((receiver.try_recv(), receiver.try_recv(), receiver.try_recv()), (Some(2), Some(4), None));
    }

    #[test]
    fn every_send_wakes_and_a_late_waker_misses_nothing() {
        let (sender, receiver) = channel(1);
        sender.send(1).unwrap();
        let woken = counter(&receiver);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        assert!(sender.send(2).is_err());
        assert_eq!(woken.load(Ordering::SeqCst), 1, "what was not taken wakes nobody");
        assert_eq!(receiver.try_recv(), Some(1));
        sender.send(3).unwrap();
        assert_eq!(woken.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn either_end_learns_that_the_other_is_gone() {
        let (sender, receiver) = channel(4);
        let woken = counter(&receiver);
        let second = sender.clone();
        drop(sender);
        assert_eq!(woken.load(Ordering::SeqCst), 0);
        second.send(1).unwrap();
        drop(second);
        assert_eq!(woken.load(Ordering::SeqCst), 2);
        assert!(!receiver.is_closed(), "what was sent can still be read");
        assert_eq!(receiver.try_recv(), Some(1));
        assert!(receiver.is_closed());

        let (sender, receiver) = channel(4);
        drop(receiver);
        assert_eq!(sender.send(1), Err(Full(1)));
    }

    #[test]
    fn a_waker_may_use_the_queue() {
        let (sender, receiver) = channel(4);
        let receiver = Arc::new(receiver);
        let (inside, seen) = (Arc::clone(&receiver), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&seen);
        receiver.set_waker(Box::new(move || {
            count.fetch_add(inside.try_recv().unwrap_or(0), Ordering::SeqCst);
        }));
        sender.send(7).unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 7);
    }

    #[test]
    fn messages_of_many_threads_all_arrive() {
        let (sender, receiver) = channel(8);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let sender = sender.clone();
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        while sender.send(1_u64).is_err() {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            let mut sum = 0;
            while sum < 4_000 {
                sum += receiver.try_recv().unwrap_or(0);
            }
        });
        assert_eq!(receiver.try_recv(), None);
    }
}
