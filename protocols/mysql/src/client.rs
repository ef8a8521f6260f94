//! The client's direction: walks packets, gathers what must be judged, streams the rest.
//!
//! ```text
//!   Between ─┬─ data of a local file ─────────────────────────────► Forward ─► Between
//!            └─ a command: Gather until `commands.rs` has enough ─┬─► Forward ─► Between
//!                                                                 ├─► Swallow (refused; answered at its end)
//!                                                                 └─► blocked: taken up again later
//! ```
//!
//! A message that lies whole in the chunk is never copied. A message of several packets is judged by the
//! first of them: no text that long is read. It may assume nothing of the client; it must never hold more
//! of a message than the limit of its kind.

use wire::fault::{Culprit, Fault};
use wire::guard::Guard;
use wire::limits;

use crate::commands::{Part, Step};
use crate::constant::command;
use crate::packet::{HEADER_BYTES, Header, Next, Stash};
use crate::pipeline::{Answer, Entry};
use crate::server::out_of_order;
use crate::session::{Output, Session};

/// Longest command, where it has no limit of its own, and what is read of a text that is too long to be
/// judged: enough for the audit.
const SMALL_BYTES: usize = limits::AUTH_BYTES;

/// What is read of a COM_STMT_SEND_LONG_DATA: statement, parameter, and what the audit keeps.
const LONG_DATA_BYTES: usize = 7 + limits::AUDIT_PARAMETER_BYTES;

/// What happens to the rest of a message.
pub(crate) enum ClientMode {
    /// It passes.
    Forward,
    /// It is read first: the payload so far, its packet's header, and how much is wanted.
    Gather(Vec<u8>, Header, usize),
    /// The server does not get it; the answer, if any, is due at its end.
    Swallow(Option<Answer>),
}

/// Where the walk over the client's bytes stands.
pub(crate) enum ClientBody {
    Between,
    /// Inside a message: what is to come of the packet, whether another follows, its sequence id.
    Inside {
        mode: ClientMode,
        left: usize,
        more: bool,
        seq: u8,
    },
}

/// The client's side of a session.
pub(crate) struct ClientSide {
    stash: Stash,
    body: ClientBody,
    /// The client sends a file: messages are its data up to an empty one.
    pub(crate) sends_file: bool,
    /// Bytes of the file so far.
    pub(crate) file_bytes: u64,
    /// The sequence id of a packet that goes on where the last one ended.
    pub(crate) next_seq: u8,
}

impl ClientSide {
    pub(crate) fn new() -> Self {
        Self { stash: Stash::default(), body: ClientBody::Between, sends_file: false, file_bytes: 0, next_seq: 0 }
    }

    pub(crate) fn between_messages(&self) -> bool {
        self.stash.is_empty() && self.nothing_half_sent()
    }

    /// Whether the server has got whole messages only.
    pub(crate) fn nothing_half_sent(&self) -> bool {
        !matches!(self.body, ClientBody::Inside { mode: ClientMode::Forward, .. })
    }
}

/// Bytes of a message's first packet that must be there before it is judged.
fn enough(command: u8, header: Header) -> usize {
    let most = match command {
        command::QUERY | command::STMT_PREPARE if !header.continues() => limits::STATEMENT_BYTES,
        command::STMT_EXECUTE | command::STMT_BULK_EXECUTE => limits::EXECUTE_BYTES,
        command::STMT_SEND_LONG_DATA => LONG_DATA_BYTES,
        _ => SMALL_BYTES,
    };
    most.min(header.body)
}

impl<G: Guard> Session<G> {
    /// Takes bytes from the client, in order. Returns how many were taken: all of them, unless the client's
    /// direction is blocked; the caller keeps the rest and calls again with it, even if it is empty, once
    /// [`Session::client_blocked`] turns false. Chunk ranges in `out` are ranges of `chunk`.
    ///
    /// # Errors
    /// A [`Fault`] when the client breaks the protocol or a limit; the session is over then.
    pub fn on_client(&mut self, chunk: &mut [u8], guard: &mut G, out: &mut Output) -> Result<usize, Fault> {
        if self.terminated {
            return Ok(chunk.len());
        }
        let mut at = 0;
        while !self.client_blocked() {
            let taken = match &self.client.body {
                ClientBody::Between if at == chunk.len() => break,
                ClientBody::Between => self.client_start(chunk, at, guard, out)?,
                ClientBody::Inside { .. } => self.client_inside(chunk, at, guard, out)?,
            };
            self.answer_refused(out);
            let Some(taken) = taken else { break };
            at += taken;
            if self.terminated {
                out.terminated = true;
                return Ok(chunk.len());
            }
        }
        Ok(at)
    }

    /// Takes up the message that starts at `at`. `None`: it must wait, nothing of it is taken.
    fn client_start(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Option<usize>, Fault> {
        let rest = chunk.get(at..).unwrap_or_default();
        let (header, first, taken, here) = match self.client.stash.next(rest, true) {
            Next::Incomplete => return Ok(Some(rest.len())),
            Next::Here(header, first) => (header, first, HEADER_BYTES, true),
            Next::Joined(header, first, taken) => (header, first, taken, false),
        };
        let expected = match &self.login {
            _ if self.client.sends_file => self.client.next_seq,
            Some(_) => self.server.next_seq,
            None => 0,
        };
        self.client_in_order(header, expected)?;
        if self.client.sends_file {
            return self.file_packet(chunk, at, header, (first, taken, here), guard, out).map(Some);
        }
        let command = first.unwrap_or(command::SLEEP);
        let need = match &self.login {
            Some(_) => SMALL_BYTES.min(header.body),
            None => enough(command, header),
        };
        if here
            && !header.continues()
            && need == header.body
            && let Some(payload) = rest.get(HEADER_BYTES..header.total())
        {
            let part = Part { payload, at: Some(at), header };
            return match self.request(&part, guard, out)? {
                Step::Done(mode) => {
                    self.client_rest(mode, 0, header, guard)?;
                    Ok(Some(header.total()))
                }
                Step::Blocked => Ok(None),
            };
        }
        let payload: Vec<u8> = if here { Vec::new() } else { first.into_iter().collect() };
        let left = header.body - payload.len();
        let mode = ClientMode::Gather(payload, header, need);
        self.client.body = ClientBody::Inside { mode, left, more: header.continues(), seq: header.seq };
        Ok(Some(taken))
    }

    /// Goes on inside a message. `None`: nothing more can be done with what is there.
    fn client_inside(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Option<usize>, Fault> {
        let body = std::mem::replace(&mut self.client.body, ClientBody::Between);
        let ClientBody::Inside { mode, left, more, seq } = body else { return Ok(Some(0)) };
        let rest = chunk.get(at..).unwrap_or_default();
        if let ClientMode::Gather(payload, header, need) = mode {
            return self.client_gather(rest, (payload, header, need), left, guard, out);
        }
        if rest.is_empty() {
            self.client.body = ClientBody::Inside { mode, left, more, seq };
            return Ok(None);
        }
        if left > 0 {
            let taken = left.min(rest.len());
            if matches!(mode, ClientMode::Forward) {
                out.to_server.push_chunk(at..at + taken);
            }
            self.client_at(mode, left - taken, more, seq)?;
            return Ok(Some(taken));
        }
        // The header of a packet that continues the message.
        let (header, taken, here) = match self.client.stash.next(rest, false) {
            Next::Incomplete => {
                let taken = rest.len();
                self.client.body = ClientBody::Inside { mode, left, more, seq };
                return Ok(Some(taken));
            }
            Next::Here(header, _) => (header, HEADER_BYTES, true),
            Next::Joined(header, _, taken) => (header, taken, false),
        };
        self.client_in_order(header, self.client.next_seq)?;
        if matches!(mode, ClientMode::Forward) {
            if self.client.sends_file {
                self.client.file_bytes += u64::try_from(header.body).unwrap_or_default();
            }
            self.forward_header(chunk, at, header, here, out);
        }
        self.client_at(mode, header.body, header.continues(), header.seq)?;
        Ok(Some(taken))
    }

    /// Takes note of a packet with this header.
    ///
    /// # Errors
    /// A fault of the client where a server would take it for one out of order.
    fn client_in_order(&mut self, header: Header, expected: u8) -> Result<(), Fault> {
        if header.seq != expected {
            return Err(out_of_order(Culprit::Client));
        }
        self.client.next_seq = header.seq.wrapping_add(1);
        Ok(())
    }

    /// Sends a header on, with the sequence id that the server waits for.
    fn forward_header(&self, chunk: &mut [u8], at: usize, header: Header, here: bool, out: &mut Output) {
        // Packets that answer the server's go on from its own count, which may differ from what it was shown.
        let shift = if self.client.sends_file { self.server.shift } else { 0 };
        let seq = header.seq.wrapping_sub(shift);
        match chunk.get_mut(at + 3) {
            Some(byte) if here => {
                *byte = seq;
                out.to_server.push_chunk(at..at + HEADER_BYTES);
            }
            _ => out.to_server.push_owned(&Header { seq, ..header }.bytes()),
        }
    }

    /// Where the walk stands after some of a message; at its end, what was due then.
    fn client_at(&mut self, mode: ClientMode, left: usize, more: bool, seq: u8) -> Result<(), Fault> {
        if left > 0 || more {
            self.client.body = ClientBody::Inside { mode, left, more, seq };
            return Ok(());
        }
        self.client.body = ClientBody::Between;
        match mode {
            ClientMode::Swallow(Some(answer)) => self.pipeline.push(Entry::Refused(answer, seq.wrapping_add(1))),
            _ => Ok(()),
        }
    }

    /// What follows the part of a message that was judged.
    fn client_rest(&mut self, mode: ClientMode, left: usize, header: Header, _guard: &mut G) -> Result<(), Fault> {
        self.client_at(mode, left, header.continues(), header.seq)
    }

    /// Adds to a gathered message and judges it once there is enough of it.
    fn client_gather(
        &mut self,
        rest: &[u8],
        (mut payload, header, need): (Vec<u8>, Header, usize),
        left: usize,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Option<usize>, Fault> {
        let taken = (need - payload.len()).min(rest.len());
        payload.extend_from_slice(rest.get(..taken).unwrap_or_default());
        let left = left - taken;
        let (more, seq) = (header.continues(), header.seq);
        if payload.len() < need {
            let mode = ClientMode::Gather(payload, header, need);
            self.client.body = ClientBody::Inside { mode, left, more, seq };
            return Ok(if taken == 0 { None } else { Some(taken) });
        }
        let part = Part { payload: &payload, at: None, header };
        match self.request(&part, guard, out)? {
            Step::Done(mode) => {
                self.client_rest(mode, left, header, guard)?;
                Ok(Some(taken))
            }
            Step::Blocked => {
                let mode = ClientMode::Gather(payload, header, need);
                self.client.body = ClientBody::Inside { mode, left, more, seq };
                Ok(Some(taken))
            }
        }
    }

    /// A packet of a file that the server asked for. `found`: its first byte, bytes taken so far, and whether
    /// its header lies in the chunk.
    fn file_packet(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        header: Header,
        found: (Option<u8>, usize, bool),
        guard: &mut G,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let (first, taken, here) = found;
        self.forward_header(chunk, at, header, here, out);
        let mut left = header.body;
        if !here && let Some(byte) = first {
            out.to_server.push_owned(&[byte]);
            left -= 1;
        }
        self.client.file_bytes += u64::try_from(header.body).unwrap_or_default();
        if header.body == 0 {
            self.file_ended(guard);
        }
        self.client_at(ClientMode::Forward, left, header.continues(), header.seq)?;
        Ok(taken)
    }

    /// Sends the answers that are due: those of refused commands at the front of the queue.
    pub(crate) fn answer_refused(&mut self, out: &mut Output) {
        while self.server.nothing_half_sent()
            && let Some(Entry::Refused(..)) = self.pipeline.front()
            && let Some(Entry::Refused(answer, seq)) = self.pipeline.pop()
        {
            out.to_client.write_owned(|owned| {
                let mut seq = seq;
                answer.write(owned, &mut seq);
            });
        }
    }
}
