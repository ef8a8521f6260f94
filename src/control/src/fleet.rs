//! The shards as the control plane sees them: what each has reported, and what each is to be told.
//!
//! Shared between the plane's loop and the admin server, both on one thread; the mutex is never contended and
//! never held across an await. A command that finds no room is not lost: a policy and a stop are what a shard
//! is *wanted* to have, and are sent again until they are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge::{Command, ControlLink, Event, Receiver, Sender, ShardMetrics};
use policy::snapshot::Snapshot;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::limits::COLLECT;
use crate::metrics::OwnFigures;
use crate::readiness::{Phase, ShardState, reasons};

/// All shards.
pub(crate) struct Fleet {
    inner: Mutex<Inner>,
    /// Told when a shard has answered [`Command::CollectMetrics`], or ended.
    answered: Notify,
}

struct Inner {
    shards: Vec<Shard>,
    stopping: bool,
    own: OwnFigures,
}

struct Shard {
    commands: Sender<Command>,
    events: Receiver<Event>,
    state: ShardState,
    metrics: Option<Box<ShardMetrics>>,
    asked: u64,
    answered: u64,
    /// What it is to be told and has had no room for.
    waiting: Vec<Command>,
}

impl Shard {
    fn has_ended(&self) -> bool {
        matches!(self.state.phase, Phase::Stopped | Phase::Failed(_))
    }

    /// Sends what waits, in order, as far as there is room.
    fn send_waiting(&mut self) {
        if self.has_ended() {
            self.waiting.clear();
        }
        while !self.waiting.is_empty() {
            let command = self.waiting.remove(0);
            if let Err(bridge::Full(command)) = self.commands.send(command) {
                self.waiting.insert(0, command);
                return;
            }
        }
    }

    /// Sends now or, where there is no room, later; a later command of the same kind replaces one that waits.
    fn send(&mut self, command: Command) {
        let kind = std::mem::discriminant(&command);
        self.waiting.retain(|waiting| std::mem::discriminant(waiting) != kind || matches!(waiting, Command::Audit(_)));
        if self.waiting.len() < crate::limits::WAITING_COMMANDS {
            self.waiting.push(command);
        } else {
            tracing::error!(?command, "a shard does not take commands; this one is dropped");
        }
        self.send_waiting();
    }
}

impl Fleet {
    /// The shards behind these links. `wake` is told whenever one of them has reported something.
    pub(crate) fn new(links: Vec<ControlLink>, generation: u64, wake: &Arc<Notify>) -> Self {
        let mut shards = Vec::new();
        for link in links {
            let wake = Arc::clone(wake);
            link.events.set_waker(Box::new(move || wake.notify_one()));
            shards.push(Shard {
                commands: link.commands,
                events: link.events,
                state: ShardState::default(),
                metrics: None,
                asked: 0,
                answered: 0,
                waiting: Vec::new(),
            });
        }
        let own = OwnFigures { generation, ..OwnFigures::default() };
        Self { inner: Mutex::new(Inner { shards, stopping: false, own }), answered: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the shards have reported.
    pub(crate) fn take_events(&self) {
        let mut inner = self.lock();
        let mut answered = false;
        for (index, shard) in inner.shards.iter_mut().enumerate() {
            while let Some(event) = shard.events.try_recv() {
                answered |= take(index, shard, event);
            }
            // A thread that panicked has dropped its end without a word.
            if shard.events.is_closed() && !shard.has_ended() {
                // Before it listened, the start itself fails and says why.
                if shard.state.phase == Phase::Listening {
                    tracing::error!(shard = index, "a shard ended without saying why");
                }
                shard.state.phase = Phase::Failed("it ended without saying why".to_owned());
                answered = true;
            }
        }
        drop(inner);
        if answered {
            self.answered.notify_waiters();
        }
    }

    /// Sends again what had no room.
    pub(crate) fn send_waiting(&self) {
        for shard in &mut self.lock().shards {
            shard.send_waiting();
        }
    }

    /// Gives every shard a new policy and has it read its TLS files again.
    pub(crate) fn load(&self, snapshot: &Arc<Snapshot>) {
        let mut inner = self.lock();
        inner.own.generation = snapshot.generation();
        inner.own.reloads += 1;
        for shard in &mut inner.shards {
            shard.send(Command::Policy(Arc::clone(snapshot)));
            shard.send(Command::Certificates);
        }
    }

    /// Counts a config that was refused.
    pub(crate) fn count_refused_reload(&self) {
        self.lock().own.refused_reloads += 1;
    }

    /// Has the first shard that lives append a line to the audit log.
    pub(crate) fn audit(&self, line: Vec<u8>) {
        match self.lock().shards.iter_mut().find(|shard| !shard.has_ended()) {
            Some(shard) => shard.send(Command::Audit(line.into())),
            None => tracing::error!("no shard is left to write an audit record"),
        }
    }

    /// Stops every shard.
    pub(crate) fn stop(&self, grace: Duration) {
        let mut inner = self.lock();
        inner.stopping = true;
        for shard in &mut inner.shards {
            shard.send(Command::Stop { grace });
        }
    }

    /// Why the gateway is not ready; empty where it is.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let inner = self.lock();
        reasons(inner.shards.iter().map(|shard| &shard.state), inner.stopping)
    }

    /// Asks every shard for its figures and adds them up. A shard that does not answer in time counts with what
    /// it said last.
    pub(crate) async fn figures(&self) -> (OwnFigures, ShardMetrics) {
        let wanted = self.ask();
        let deadline = Instant::now() + COLLECT;
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // From here on an answer is not missed.
            answered.as_mut().enable();
            if self.missing(&wanted) == 0 || timeout_at(deadline, answered).await.is_err() {
                break;
            }
        }
        let missing = self.missing(&wanted);
        let inner = self.lock();
        let mut sum = ShardMetrics::default();
        let mut own = inner.own;
        own.shards_stale = missing;
        for shard in &inner.shards {
            own.shards_listening += u64::from(shard.state.phase == Phase::Listening);
            own.shards_failed += u64::from(matches!(shard.state.phase, Phase::Failed(_)));
            if let Some(metrics) = &shard.metrics {
                sum.merge(metrics);
            }
        }
        (own, sum)
    }

    /// Asks, and says for each shard which answer is awaited. Not through `waiting`: a page that nobody waits
    /// for any more is not wanted.
    fn ask(&self) -> Vec<u64> {
        let mut inner = self.lock();
        let ask = |shard: &mut Shard| {
            if !shard.has_ended() && shard.commands.send(Command::CollectMetrics).is_ok() {
                shard.asked += 1;
            }
            shard.asked
        };
        inner.shards.iter_mut().map(ask).collect()
    }

    /// How many shards have not answered.
    fn missing(&self, wanted: &[u64]) -> u64 {
        let inner = self.lock();
        let answers = inner.shards.iter().zip(wanted);
        let missing = answers.filter(|(shard, wanted)| !shard.has_ended() && shard.answered < **wanted).count();
        u64::try_from(missing).unwrap_or(u64::MAX)
    }
}

/// Takes in one event; returns whether somebody who waits for figures should look again.
fn take(index: usize, shard: &mut Shard, event: Event) -> bool {
    match event {
        Event::Metrics(metrics) => {
            shard.metrics = Some(metrics);
            shard.answered += 1;
            return true;
        }
        Event::Listening { .. } => {
            shard.state.phase = Phase::Listening;
            tracing::debug!(shard = index, "accepts clients");
        }
        Event::PolicyActive { generation, .. } => {
            tracing::info!(shard = index, generation, "uses the new policy");
        }
        Event::AuditState { ok, error, .. } => {
            let error = (!ok).then(|| error.unwrap_or_else(|| "for no known reason".to_owned()));
            match &error {
                Some(error) => tracing::error!(shard = index, %error, "the audit log cannot be written"),
                None => tracing::info!(shard = index, "the audit log can be written again"),
            }
            shard.state.audit_error = error;
        }
        Event::Stopped { .. } => {
            shard.state.phase = Phase::Stopped;
            tracing::debug!(shard = index, "has stopped");
            return true;
        }
        Event::Failed { error, .. } => {
            tracing::error!(shard = index, %error, "a shard has failed");
            shard.state.phase = Phase::Failed(error);
            return true;
        }
        // The enum may grow; an event that this version does not know changes nothing here.
        other => tracing::debug!(shard = index, event = ?other, "an unknown event"),
    }
    false
}

#[cfg(test)]
mod tests;
