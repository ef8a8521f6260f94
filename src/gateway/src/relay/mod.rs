//! An established session: two sockets, and the protocol session between them.
//!
//! The driver calls a relay straight from a completion; there is no task and no wake on this path. What is
//! received is processed at once, unless the session waits for the catalogue or a decision, or has used its
//! share of the turn. What is to be sent is gathered until the turn's events are all processed, and then
//! sent with one operation a side.
//!
//! ```text
//! Running --SIGTERM--> Draining --idle--> Closing
//!    |                                      ^  |
//!    +--fault, server gone------------------+  +--client has read it all, or time is over--> closed
//! ```

mod close;
pub(crate) mod leg;

use wire::fault::Fault;
use wire::output::Output;

pub(crate) use self::close::End;
use self::leg::{Input, Leg, Source};
use crate::guard::SessionGuard;
use crate::limits::{CHUNKS_PER_LEG, TURN_BYTES};
use crate::protocol::ProtocolSession;
use crate::ring::{Chunk, Outgoing, Ring, SendMode};
use crate::shard::{ClientPlace, Shard, Side};
use crate::tls::TlsState;

/// How far a session is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Statements pass.
    Running,
    /// A stop was asked for; the session ends when it is idle.
    Draining,
    /// The last bytes go to the client; nothing is processed any more.
    Closing {
        /// Clock reading at which it is closed whatever the client has read.
        deadline_ns: u64,
    },
    /// Both sockets are closed.
    Closed,
}

/// An established session.
pub(crate) struct Relay {
    client: Leg,
    server: Leg,
    session: ProtocolSession,
    guard: SessionGuard,
    phase: Phase,
    terminated: bool,
    /// Turn in which `turn_bytes` was counted.
    turn_ns: u64,
    turn_bytes: usize,
    /// Span in which it last had something to do.
    span: u64,
    /// Whether the relay is in the driver's list for the end of this turn.
    dirty: bool,
    /// Whether input waits for the next turn.
    deferred: bool,
    active_ns: u64,
    end: Option<End>,
    _place: ClientPlace,
}

/// What the set-up hands over.
pub(crate) struct Established {
    /// The application's side.
    pub(crate) client: Leg,
    /// The database's side.
    pub(crate) server: Leg,
    /// The protocol session, ready for the first statement.
    pub(crate) session: ProtocolSession,
    /// Its policy and audit.
    pub(crate) guard: SessionGuard,
    /// Its place among the clients.
    pub(crate) place: ClientPlace,
}

impl Relay {
    fn new(established: Established, now_ns: u64) -> Self {
        Self {
            client: established.client,
            server: established.server,
            session: established.session,
            guard: established.guard,
            phase: Phase::Running,
            terminated: false,
            turn_ns: 0,
            turn_bytes: 0,
            span: 0,
            dirty: false,
            deferred: false,
            active_ns: now_ns,
            end: None,
            _place: established.place,
        }
    }

    fn leg(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// A chunk arrived from one side.
    pub(crate) fn received(&mut self, shard: &Shard, side: Side, chunk: Chunk) {
        self.take_up(shard, side, Some(Input::Raw(chunk)));
    }

    /// One side ended its stream.
    pub(crate) fn ended(&mut self, shard: &Shard, side: Side, error: Option<&std::io::Error>) {
        self.leg(side).input_ended = true;
        if let Some(error) = error {
            tracing::debug!(session = %self.guard.session_id(), ?side, %error, "receive failed");
        }
        self.run(shard, side);
    }

    /// Processes what waits from one side, then what that set free on the other.
    pub(crate) fn run(&mut self, shard: &Shard, side: Side) {
        self.take_up(shard, side, None);
    }

    fn take_up(&mut self, shard: &Shard, side: Side, input: Option<Input>) {
        if self.turn_ns != shard.turn_ns.get() {
            self.turn_ns = shard.turn_ns.get();
            self.turn_bytes = 0;
            self.active_ns = self.turn_ns;
            shard.pace.busy(&mut self.span);
        }
        let was_blocked = self.session.client_blocked();
        let runs = !matches!(self.phase, Phase::Closing { .. } | Phase::Closed);
        let waits = (side == Side::Client && was_blocked) || self.turn_bytes > TURN_BYTES;
        match input {
            // Nearly always: nothing is before it, and nothing in its way.
            Some(input) if runs && !waits && self.leg(side).inbox.is_empty() => self.process(shard, side, input),
            Some(input) => self.leg(side).inbox.push_back(input),
            None => {}
        }
        if !self.leg(side).inbox.is_empty() {
            self.drain_inbox(shard, side);
        }
        if was_blocked && !self.session.client_blocked() {
            self.resume_client(shard);
        }
        self.after_input(shard, side);
        self.mark_dirty(shard);
    }

    fn drain_inbox(&mut self, shard: &Shard, side: Side) {
        loop {
            if matches!(self.phase, Phase::Closing { .. } | Phase::Closed) {
                self.leg(side).inbox.clear();
                return;
            }
            if side == Side::Client && self.session.client_blocked() {
                self.park(shard);
                return;
            }
            if self.turn_bytes > TURN_BYTES && !self.leg(side).inbox.is_empty() {
                self.defer(shard);
                return;
            }
            let Some(input) = self.leg(side).inbox.pop_front() else { return };
            self.process(shard, side, input);
        }
    }

    /// The session may go on with what the client sent while it waited.
    fn resume_client(&mut self, shard: &Shard) {
        // The statement that waited may have been complete: an empty call lets the session take it up.
        self.process(shard, Side::Client, Input::Plain(Vec::new()));
        self.drain_inbox(shard, Side::Client);
        let ring = &mut *shard.ring.borrow_mut();
        self.server.settle(ring);
        if !self.holds_back(Side::Client) {
            let backlog = self.server.backlog_bytes();
            self.client.throttle(ring, backlog);
        }
    }

    /// Keeps a waiting client's bytes out of the ring's buffers, and its receive stopped.
    fn park(&mut self, shard: &Shard) {
        for input in &mut self.client.inbox {
            if let Input::Raw(chunk) = input {
                *input = Input::RawHeap(chunk.to_vec());
            }
        }
        if self.client.inbox.len() > CHUNKS_PER_LEG {
            self.client.throttle(&mut shard.ring.borrow_mut(), usize::MAX);
        }
    }

    /// Whether a side stays as it is because what it sent waits for the session, not for the other side.
    fn holds_back(&self, side: Side) -> bool {
        side == Side::Client && self.session.client_blocked() && self.client.inbox.len() > CHUNKS_PER_LEG
    }

    fn defer(&mut self, shard: &Shard) {
        if !self.deferred {
            self.deferred = true;
            shard.relays.borrow_mut().deferred.push(self.guard.relay_index());
        }
    }

    fn process(&mut self, shard: &Shard, side: Side, input: Input) {
        match self.decrypt(side, input) {
            Ok(Some(source)) => {
                if let Err(fault) = self.feed(side, source, shard) {
                    self.fail(shard, fault);
                }
            }
            Ok(None) => {}
            Err(fault) => self.fail(shard, fault),
        }
    }

    /// Turns what the socket gave into plaintext; `None` where there is none yet.
    fn decrypt(&mut self, side: Side, input: Input) -> Result<Option<Source>, Fault> {
        let leg = self.leg(side);
        let mut plain = Vec::new();
        let mut reply = Vec::new();
        let state = match (input, leg.tls.as_mut()) {
            (Input::Raw(mut chunk), Some(tls)) => tls.feed_in_place(&mut chunk, &mut plain, &mut reply),
            (Input::RawHeap(mut bytes), Some(tls)) => tls.feed_in_place(&mut bytes, &mut plain, &mut reply),
            (Input::Raw(chunk), None) => return Ok(Some(Source::Chunk(chunk))),
            (Input::Plain(bytes), _) | (Input::RawHeap(bytes), None) => return Ok(Some(Source::Heap(bytes))),
        };
        leg.enqueue_raw(reply);
        match state {
            Ok(TlsState::Open) => {}
            Ok(TlsState::PeerClosed) => leg.input_ended = true,
            Err(error) => return Err(tls_fault(side, &error)),
        }
        Ok((!plain.is_empty()).then_some(Source::Heap(plain)))
    }

    /// Lets the session see plaintext, and queues what it wants sent.
    fn feed(&mut self, side: Side, mut source: Source, shard: &Shard) -> Result<(), Fault> {
        let mut output = shard.relays.borrow_mut().output.take().unwrap_or_default();
        let length = source.bytes().len();
        self.turn_bytes += length;
        shard.pace.moved(length);
        let result = match side {
            Side::Client => {
                shard.metrics.borrow_mut().data.bytes_from_client += length as u64;
                self.session.on_client(source.bytes(), &mut self.guard, &mut output)
            }
            Side::Server => {
                shard.metrics.borrow_mut().data.bytes_from_server += length as u64;
                self.session.on_server(source.bytes(), &mut self.guard, &mut output)
            }
        };
        if let Ok(consumed) = result
            && consumed < length
        {
            let rest = source.bytes().get(consumed..).unwrap_or_default().to_vec();
            self.leg(side).inbox.push_front(Input::Plain(rest));
        }
        let queued = self.enqueue(side, source, &mut output);
        self.terminated |= output.terminated;
        output.terminated = false;
        shard.relays.borrow_mut().output = Some(output);
        queued.and(result.map(|_| ()))
    }

    /// Queues a session's output on both sides. The chunk goes with the side that it was forwarded to;
    /// an echo to the side that it came from is rare and is copied.
    fn enqueue(&mut self, side: Side, mut source: Source, output: &mut Output) -> Result<(), Fault> {
        let (back, forth) = match side {
            Side::Client => (&mut output.to_client, &mut output.to_server),
            Side::Server => (&mut output.to_server, &mut output.to_client),
        };
        if !back.is_empty() {
            let mut flat = Vec::with_capacity(back.len());
            back.flatten_into(source.bytes(), &mut flat);
            back.clear();
            self.leg(side).enqueue_own(flat).map_err(|error| tls_fault(side, &error))?;
        }
        let other = side.other();
        self.leg(other).enqueue(forth, source).map_err(|error| tls_fault(other, &error))?;
        Ok(())
    }

    /// What follows once input was processed: back pressure, half-closed streams, the end.
    fn after_input(&mut self, shard: &Shard, side: Side) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        let ring = &mut *shard.ring.borrow_mut();
        let other = self.leg(side.other());
        other.settle(ring);
        other.relieve(ring);
        let backlog = other.backlog_bytes();
        if self.holds_back(side) {
            return;
        }
        if self.leg(side).throttle(ring, backlog) {
            shard.metrics.borrow_mut().data.backpressure_stalls += 1;
        }
    }

    fn mark_dirty(&mut self, shard: &Shard) {
        if !self.dirty {
            self.dirty = true;
            shard.relays.borrow_mut().dirty.push(self.guard.relay_index());
        }
    }

    /// A send of one side came back.
    pub(crate) fn sent(&mut self, shard: &Shard, side: Side, outgoing: Outgoing, result: std::io::Result<usize>) {
        let outcome = self.leg(side).sent(&mut shard.ring.borrow_mut(), outgoing, result);
        if let Err(error) = outcome {
            self.send_failed(shard, side, &error);
            return;
        }
        let backlog = self.leg(side).backlog_bytes();
        if !self.holds_back(side.other()) {
            self.leg(side.other()).throttle(&mut shard.ring.borrow_mut(), backlog);
        }
        if backlog > 0 || self.has_ending() {
            self.mark_dirty(shard);
        }
    }

    /// The end of a turn: sends what was gathered, and ends what is to end.
    pub(crate) fn finish_turn(&mut self, shard: &Shard) {
        self.dirty = false;
        if self.phase == Phase::Closed {
            return;
        }
        let ending = self.has_ending();
        let mode = |waited_for: bool| if waited_for { SendMode::Wait } else { SendMode::Try };
        let again = {
            let ring = &mut *shard.ring.borrow_mut();
            let server = self.server.flush(ring, mode(ending || self.client.is_paused()));
            let again = self.client.flush(ring, mode(ending || self.server.is_paused())) || server;
            if self.client.is_paused() || self.server.is_paused() {
                self.resume_paused(ring);
            }
            again
        };
        if again {
            // The kernel has not taken it yet, and will not say when it has.
            self.mark_dirty(shard);
        }
        if ending {
            self.follow_endings(shard);
        }
    }

    /// Lets a side send again that was stopped because of a send of which nobody told the end.
    fn resume_paused(&mut self, ring: &mut Ring) {
        for side in [Side::Client, Side::Server] {
            if self.leg(side).is_paused() && self.leg(side.other()).is_drained() && !self.holds_back(side) {
                self.leg(side).throttle(ring, 0);
            }
        }
    }

    /// The turn after one in which the session had used its share.
    pub(crate) fn resume_deferred(&mut self, shard: &Shard) {
        self.deferred = false;
        self.run(shard, Side::Server);
        self.run(shard, Side::Client);
    }
}

fn tls_fault(side: Side, error: &crate::tls::TlsError) -> Fault {
    match side {
        Side::Client => Fault::client("client_tls", format!("TLS failed: {error}")),
        Side::Server => Fault::server("server_tls", format!("TLS toward the database server failed: {error}")),
    }
}

/// The established sessions of one shard.
#[derive(Default)]
pub(crate) struct Relays {
    slots: Vec<Option<Box<Relay>>>,
    free: Vec<usize>,
    count: usize,
    /// Relays with something to send at the end of the turn.
    pub(crate) dirty: Vec<usize>,
    /// Relays with input that waits for the next turn.
    pub(crate) deferred: Vec<usize>,
    /// Memory for a session's output, reused by every call.
    output: Option<Output>,
}

impl Relays {
    /// How many sessions are established.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Takes a relay out to work on it; [`Relays::put_back`] returns it.
    pub(crate) fn take(&mut self, index: usize) -> Option<Box<Relay>> {
        self.slots.get_mut(index)?.take()
    }

    /// Returns a relay after work, or forgets it where it has closed.
    pub(crate) fn put_back(&mut self, index: usize, relay: Box<Relay>) {
        if relay.phase == Phase::Closed {
            self.count -= 1;
            self.free.push(index);
        } else if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(relay);
        }
    }

    /// The places that hold a session now.
    pub(crate) fn indices(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|index| self.slots.get(*index).is_some_and(Option::is_some)).collect()
    }

    fn reserve(&mut self) -> usize {
        self.count += 1;
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }
}

/// Works on one relay, if it still is there.
pub(crate) fn with_relay(shard: &Shard, index: usize, work: impl FnOnce(&mut Relay)) {
    let taken = shard.relays.borrow_mut().take(index);
    if let Some(mut relay) = taken {
        work(&mut relay);
        shard.relays.borrow_mut().put_back(index, relay);
    }
}

/// Makes an established session part of the shard and processes what its set-up had read ahead.
pub(crate) fn establish(shard: &Shard, mut established: Established) {
    let index = shard.relays.borrow_mut().reserve();
    established.guard.set_relay_index(index);
    shard.set_owner(established.client.socket, crate::shard::Owner::Relay(index, Side::Client));
    shard.set_owner(established.server.socket, crate::shard::Owner::Relay(index, Side::Server));
    let mut relay = Box::new(Relay::new(established, shard.clock.now_ns()));
    relay.run(shard, Side::Server);
    relay.run(shard, Side::Client);
    shard.relays.borrow_mut().put_back(index, relay);
    // The relay's sends wait for the end of a turn, and the driver may be about to sleep.
    shard.woken.set(true);
}
