//! The loop of one shard: the only task that enters the kernel.
//!
//! One turn: submit what is queued and take completions (sleeping only where nothing is runnable), process
//! them, let the set-up tasks that were woken run, send what sessions gathered, write the audit. Nothing on
//! a shard waits on glommio's own reactor, because the thread sleeps here.

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use audit::Change;
use bridge::{Command, Event as Report};

use crate::clock;
use crate::limits::SWEEP_NS;
use crate::relay::with_relay;
use crate::ring::{Event, ListenerId, Wait};
use crate::setup;
use crate::shard::{Owner, Shard};
use crate::start::StartError;

/// A listener of this shard: its place in the configuration, and its socket in the ring.
struct Accepting {
    listener: usize,
    id: ListenerId,
    /// Clock reading at which accepting is tried again after the process ran out of descriptors.
    retry_ns: Option<u64>,
}

/// The state of the loop.
pub(crate) struct Driver {
    shard: Rc<Shard>,
    link: bridge::ShardLink,
    accepting: Vec<Accepting>,
    next_sweep_ns: u64,
    stop_deadline_ns: Option<u64>,
}

impl Driver {
    /// A driver that accepts on `sockets`, given in the order of the configuration's listeners.
    pub(crate) fn new(shard: Rc<Shard>, link: bridge::ShardLink, sockets: Vec<OwnedFd>) -> Self {
        let mut accepting = Vec::new();
        {
            let mut ring = shard.ring.borrow_mut();
            for (listener, socket) in sockets.into_iter().enumerate() {
                let id = ring.listen(socket);
                ring.start_accept(id);
                accepting.push(Accepting { listener, id, retry_ns: None });
            }
            let notifier = ring.notifier();
            link.commands.set_waker(Box::new(move || notifier.notify()));
        }
        Self { shard, link, accepting, next_sweep_ns: 0, stop_deadline_ns: None }
    }

    /// Runs until a stop is complete.
    ///
    /// # Errors
    /// The ring itself failed.
    pub(crate) async fn run(mut self) -> Result<(), StartError> {
        let shard = Rc::clone(&self.shard);
        self.report(Report::Listening { shard: shard.index });
        let mut events = Vec::with_capacity(1024);
        loop {
            let wait = self.wait();
            shard.ring.borrow_mut().set_gather(shard.pace.gather());
            shard.ring.borrow_mut().turn(wait, &mut events).map_err(|source| StartError::Ring { source })?;
            shard.turn_ns.set(shard.clock.now_ns());
            shard.pace.turn(shard.turn_ns.get());
            for event in events.drain(..) {
                self.dispatch(event);
            }
            self.resume_deferred();
            if shard.woken.replace(false) {
                yield_to_tasks().await;
            }
            self.flush();
            self.sweep();
            self.write_audit();
            if self.is_stopped() {
                break;
            }
        }
        self.report(Report::Stopped { shard: shard.index });
        Ok(())
    }

    fn wait(&self) -> Wait {
        let relays = self.shard.relays.borrow();
        if self.shard.woken.get() || !relays.deferred.is_empty() || !relays.dirty.is_empty() {
            return Wait::Poll;
        }
        let sweeping = self.shard.stopping.get()
            || !self.shard.setups.borrow().is_empty()
            || relays.len() > 0
            || self.accepting.iter().any(|accepting| accepting.retry_ns.is_some());
        let audit = self.shard.audit.borrow().deadline_ns(self.shard.turn_ns.get());
        let deadline = [sweeping.then_some(self.next_sweep_ns), audit].into_iter().flatten().min();
        deadline.map_or(Wait::Forever, |deadline_ns| Wait::Until(self.shard.clock.instant(deadline_ns)))
    }

    fn dispatch(&mut self, event: Event) {
        let shard = &self.shard;
        match event {
            Event::Received { socket, chunk } => match shard.owner(socket) {
                Owner::Relay(index, side) => with_relay(shard, index, |relay| relay.received(shard, side, chunk)),
                Owner::Setup(port) => {
                    if port.received(&chunk) {
                        shard.ring.borrow_mut().stop_receive(socket);
                    }
                    shard.wake(&port);
                }
                Owner::Nobody => {}
            },
            Event::Sent { socket, outgoing, result } => match shard.owner(socket) {
                Owner::Relay(index, side) => {
                    with_relay(shard, index, |relay| relay.sent(shard, side, *outgoing, result))
                }
                Owner::Setup(port) => {
                    port.sent(*outgoing, result);
                    shard.wake(&port);
                }
                Owner::Nobody => {}
            },
            Event::ReceiveEnded { socket, end } => {
                let error = end.into_error();
                match shard.owner(socket) {
                    Owner::Relay(index, side) => {
                        with_relay(shard, index, |relay| relay.ended(shard, side, error.as_ref()));
                    }
                    Owner::Setup(port) => {
                        port.ended(error.map_or(Ok(()), Err));
                        shard.wake(&port);
                    }
                    Owner::Nobody => {}
                }
            }
            Event::Connected { socket, result } => {
                if let Owner::Setup(port) = shard.owner(socket) {
                    port.connected(result);
                    shard.wake(&port);
                }
            }
            Event::Accepted { listener, socket } => self.accepted(listener, socket),
            Event::AcceptFailed { listener, error } => self.accept_failed(listener, &error),
            Event::Notified => self.commands(),
            Event::Written { buffer, result, .. } => {
                shard.audit.borrow_mut().written(shard.turn_ns.get(), buffer, result);
            }
            Event::Synced { .. } => {}
        }
    }

    fn accepted(&self, listener: ListenerId, socket: OwnedFd) {
        let found = self.accepting.iter().find(|accepting| accepting.id == listener);
        let Some(accepting) = found.filter(|_| !self.shard.stopping.get()) else { return };
        setup::begin(&self.shard, accepting.listener, socket);
    }

    fn accept_failed(&mut self, listener: ListenerId, error: &std::io::Error) {
        tracing::warn!(%error, "accept failed; trying again in a quarter of a second");
        let now_ns = self.shard.turn_ns.get();
        for accepting in self.accepting.iter_mut().filter(|accepting| accepting.id == listener) {
            accepting.retry_ns = Some(now_ns + SWEEP_NS);
        }
    }

    fn commands(&mut self) {
        while let Some(command) = self.link.commands.try_recv() {
            match command {
                Command::Policy(snapshot) => {
                    let generation = snapshot.generation();
                    *self.shard.policy.borrow_mut() = snapshot;
                    self.report(Report::PolicyActive { shard: self.shard.index, generation });
                }
                Command::Audit(lines) => self.shard.audit.borrow_mut().push(&lines),
                Command::Certificates => self.reload_certificates(),
                Command::CollectMetrics => {
                    let metrics = crate::figures::collect(&self.shard);
                    self.report(Report::Metrics(Box::new(metrics)));
                }
                Command::Stop { grace } => self.stop(grace),
                // Nothing can be held yet: approvals are not built, and `Verdict::Hold` is never given.
                other => tracing::warn!(?other, "a command that this version does not carry out"),
            }
        }
    }

    /// The files are read once for the process; each shard swaps what it shares only once it is readable.
    fn reload_certificates(&self) {
        if self.shard.index != 0 {
            return;
        }
        for tls in self.shard.shared.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
            match tls.reload() {
                Ok(()) => tracing::info!("a listener's certificate was read again"),
                Err(error) => tracing::error!(%error, "a listener's certificate stays as it was"),
            }
        }
    }

    fn stop(&mut self, grace: Duration) {
        let deadline_ns = self.shard.turn_ns.get().saturating_add(clock::ns(grace));
        self.stop_deadline_ns = Some(self.stop_deadline_ns.map_or(deadline_ns, |earlier| earlier.min(deadline_ns)));
        self.next_sweep_ns = 0;
        if self.shard.stopping.replace(true) {
            return;
        }
        let mut ring = self.shard.ring.borrow_mut();
        for accepting in &self.accepting {
            ring.stop_accept(accepting.id);
        }
    }

    fn resume_deferred(&self) {
        let waiting = std::mem::take(&mut self.shard.relays.borrow_mut().deferred);
        for index in waiting {
            with_relay(&self.shard, index, |relay| relay.resume_deferred(&self.shard));
        }
    }

    /// Sends what the turn gathered. Ending a session can queue more; that waits for the next turn.
    fn flush(&self) {
        let mut dirty = std::mem::take(&mut self.shard.relays.borrow_mut().dirty);
        for index in dirty.drain(..) {
            with_relay(&self.shard, index, |relay| relay.finish_turn(&self.shard));
        }
        let mut relays = self.shard.relays.borrow_mut();
        if relays.dirty.is_empty() {
            relays.dirty = dirty;
        }
    }

    fn sweep(&mut self) {
        let now_ns = self.shard.turn_ns.get();
        if now_ns < self.next_sweep_ns {
            return;
        }
        self.next_sweep_ns = now_ns + SWEEP_NS;
        self.retry_accepts(now_ns);
        setup::sweep(&self.shard, now_ns);
        let idle_ns = self.shard.policy.borrow().config().gateway.idle_timeout.map(clock::ns);
        let indices = self.shard.relays.borrow().indices();
        for index in indices {
            with_relay(&self.shard, index, |relay| relay.sweep(&self.shard, now_ns, idle_ns, self.stop_deadline_ns));
        }
    }

    fn retry_accepts(&mut self, now_ns: u64) {
        for accepting in &mut self.accepting {
            if accepting.retry_ns.is_some_and(|retry_ns| now_ns >= retry_ns) && !self.shard.stopping.get() {
                accepting.retry_ns = None;
                self.shard.ring.borrow_mut().start_accept(accepting.id);
            }
        }
    }

    fn write_audit(&self) {
        let shard = &self.shard;
        let now_ns = shard.turn_ns.get();
        let change = shard.audit.borrow_mut().poll(&mut shard.ring.borrow_mut(), &shard.clock, now_ns);
        match change {
            None => {}
            Some(Change::Failed { error }) => {
                tracing::error!(%error, "the audit log cannot be written");
                self.report(Report::AuditState { shard: shard.index, ok: false, error: Some(error) });
            }
            Some(Change::Recovered { dropped, .. }) => {
                tracing::warn!(dropped, "the audit log can be written again");
                self.report(Report::AuditState { shard: shard.index, ok: true, error: None });
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.shard.stopping.get()
            && self.shard.relays.borrow().len() == 0
            && self.shard.setups.borrow().is_empty()
            && self.shard.audit.borrow_mut().finish()
    }

    fn report(&self, report: Report) {
        if self.link.events.send(report).is_err() {
            tracing::warn!("the control plane does not keep up; a report of a shard is lost");
        }
    }
}

/// Lets every task that is runnable now run once, and returns.
///
/// glommio's queue is first in, first out: what was woken before this task wakes itself runs before it.
async fn yield_to_tasks() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
