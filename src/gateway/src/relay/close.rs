//! How an established session ends.
//!
//! Whoever ends it, the client gets what was queued for it and, where the protocol allows a message at that
//! point, an error that says why. Its socket closes when it has read that, or after [`LINGER_NS`]: closing a
//! socket with unread input resets the connection and would destroy the message on its way.

use wire::fault::Fault;

use super::{Phase, Relay};
use crate::limits::LINGER_NS;
use crate::protocol::Farewell;
use crate::ring::SendMode;
use crate::shard::{Owner, Shard, Side};

/// Why a session ended, for the audit and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client said Terminate or closed its connection.
    Client,
    /// A message, a limit or a peer's failure.
    Fault(Fault),
    /// The session was idle for too long.
    Idle,
    /// The server closed the connection.
    Server,
    /// Wiregate is stopping.
    Stop,
}

impl End {
    /// The fixed name for metrics and audit.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Fault(fault) => fault.reason,
            Self::Idle => "idle_timeout",
            Self::Server => "server",
            Self::Stop => "stop",
        }
    }

    /// What the client is told of it; nothing where it was its own wish.
    fn farewell(&self) -> Option<Farewell<'_>> {
        match self {
            Self::Client => None,
            Self::Fault(fault) => Some(Farewell::Fault(fault)),
            Self::Idle => Some(Farewell::Idle),
            Self::Server => Some(Farewell::ServerGone),
            Self::Stop => Some(Farewell::Stop),
        }
    }
}

impl Relay {
    /// Whether something of this session's end is under way.
    pub(super) fn has_ending(&self) -> bool {
        self.client.input_ended
            || self.server.input_ended
            || self.phase != Phase::Running
            || self.client.output_ended
            || self.server.output_ended
    }

    /// Takes the next step of an end that is under way.
    pub(super) fn follow_endings(&mut self, shard: &Shard) {
        match self.phase {
            Phase::Running | Phase::Draining => {
                if self.server.input_ended && self.server.inbox.is_empty() {
                    self.server_gone(shard);
                } else if self.client.input_ended && self.client.inbox.is_empty() && !self.session.client_blocked() {
                    self.end.get_or_insert(End::Client);
                    // A client that half-closed still reads: the server hears of it and answers first.
                    if self.server.is_drained() && !self.server.output_ended {
                        self.server.output_ended = true;
                        shard.ring.borrow_mut().shutdown_write(self.server.socket);
                    }
                } else if self.phase == Phase::Draining && self.session.is_idle() {
                    self.tell(shard, End::Stop);
                }
            }
            Phase::Closing { .. } => {}
            Phase::Closed => return,
        }
        if matches!(self.phase, Phase::Closing { .. }) {
            self.follow_closing(shard);
        }
    }

    fn follow_closing(&mut self, shard: &Shard) {
        self.client.flush(&mut shard.ring.borrow_mut(), SendMode::Wait);
        self.server.flush(&mut shard.ring.borrow_mut(), SendMode::Wait);
        if !self.client.is_drained() {
            return;
        }
        if self.client.input_ended || self.client.output_ended && self.end == Some(End::Client) {
            self.close(shard);
        } else if !self.client.output_ended {
            self.client.output_ended = true;
            shard.ring.borrow_mut().shutdown_write(self.client.socket);
        }
    }

    fn server_gone(&mut self, shard: &Shard) {
        if self.terminated || self.client.input_ended || self.session.server_said_goodbye() {
            self.end.get_or_insert(if self.terminated { End::Client } else { End::Server });
            self.start_closing(shard);
        } else {
            self.tell(shard, End::Server);
        }
    }

    /// Ends the session because of a fault.
    pub(super) fn fail(&mut self, shard: &Shard, fault: Fault) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Closed) {
            return;
        }
        self.guard.faulted(&fault);
        self.tell(shard, End::Fault(fault));
    }

    /// Tells the client why, where a message may stand now, and begins to close.
    pub(super) fn tell(&mut self, shard: &Shard, end: End) {
        let farewell = end.farewell().and_then(|why| self.session.farewell(why));
        self.end = Some(end);
        if let Some(message) = farewell {
            // TLS that cannot seal has failed already; the close that follows says the rest.
            let _ = self.client.enqueue_own(message);
        }
        self.start_closing(shard);
    }

    fn start_closing(&mut self, shard: &Shard) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Closed) {
            return;
        }
        self.phase = Phase::Closing { deadline_ns: shard.clock.now_ns() + LINGER_NS };
        if !self.server.input_ended
            && !self.terminated
            && let Some(terminate) = self.session.terminate()
        {
            let _ = self.server.enqueue_own(terminate);
        }
        if let Some(tls) = self.client.tls.as_mut() {
            let mut notify = Vec::new();
            tls.close(&mut notify);
            self.client.enqueue_raw(notify);
        }
        self.follow_closing(shard);
        self.mark_dirty(shard);
    }

    /// A send failed: that side reads no more.
    pub(super) fn send_failed(&mut self, shard: &Shard, side: Side, error: &std::io::Error) {
        tracing::debug!(session = %self.guard.session_id(), ?side, %error, "send failed");
        match side {
            Side::Client => {
                self.end.get_or_insert(End::Client);
                self.close(shard);
            }
            // The server may have said why before it closed: what it sent is still to be read.
            Side::Server => self.mark_dirty(shard),
        }
    }

    /// The regular look at every session: idle time, lingering closes, and a stop.
    pub(crate) fn sweep(&mut self, shard: &Shard, now_ns: u64, idle_timeout_ns: Option<u64>, stop: Option<u64>) {
        match self.phase {
            Phase::Closing { deadline_ns } if now_ns >= deadline_ns => self.close(shard),
            Phase::Running | Phase::Draining => {
                if stop.is_some_and(|deadline_ns| now_ns >= deadline_ns) {
                    self.tell(shard, End::Stop);
                } else if stop.is_some() {
                    self.phase = Phase::Draining;
                    self.mark_dirty(shard);
                } else if self.session.is_idle()
                    && idle_timeout_ns.is_some_and(|limit| now_ns.saturating_sub(self.active_ns) > limit)
                {
                    self.tell(shard, End::Idle);
                }
            }
            Phase::Closing { .. } | Phase::Closed => {}
        }
    }

    /// Closes both sockets and reports the end.
    fn close(&mut self, shard: &Shard) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.session.on_closed(&mut self.guard);
        let end = self.end.take().unwrap_or(End::Client);
        self.guard.disconnected(&end);
        for side in [Side::Client, Side::Server] {
            let leg = self.leg(side);
            leg.inbox.clear();
            let socket = leg.socket;
            shard.set_owner(socket, Owner::Nobody);
            shard.ring.borrow_mut().close(socket);
        }
    }
}
