//! The server's direction: walks packets, passes or masks rows, gathers short replies.
//!
//! ```text
//!   Between ─┬─ row ──┬─ no plan ──────► counted by header, a whole run at once
//!            │        ├─ plan, whole ──► masked where it lies, a whole run at once
//!            │        ├─ plan, split ──► Gather ─► masked
//!            │        └─ plan, huge ───► Row: masked as it streams by
//!            ├─ messages without meaning for the session ─► Forward
//!            └─ other replies ─► `replies.rs`, whole
//! ```
//!
//! Sequence ids pass unless a message before them in the same reply took another number of packets: then
//! they are rewritten where they lie. It may assume that bytes come in order. It must never pass a message
//! that the front of the pipeline did not ask for, nor hold more of one than the limit of its kind.

use std::rc::Rc;

use wire::fault::{Culprit, Fault};
use wire::guard::Guard;
use wire::limits;
use wire::segments::Segments;
use wire::value::Column;

use crate::capability::Capabilities;
use crate::constant::header;
use crate::packet::{FULL, HEADER_BYTES, Header, Next, Stash};
use crate::pipeline::{Entry, Reply, Run};
use crate::rows::{self, Rows, malformed_row};
use crate::session::{Output, Session};
use crate::statements::Planned;
use crate::stream::RowStream;
use crate::value::Form;

/// Longest EOF packet: shorter than any row or OK that begins with its byte.
const EOF_LIMIT: usize = 9;

/// What the command at the front of the pipeline is in the middle of.
pub(crate) enum Phase {
    /// Nothing came yet, or a result of it ended.
    Start,
    /// Definitions that nobody reads are coming.
    Definitions {
        /// Messages to come.
        left: u64,
    },
    /// Column definitions of a result.
    Columns {
        /// Definitions to come.
        left: u64,
        /// Those that came, where a rule may concern the result.
        read: Option<Box<Description>>,
    },
    /// All column definitions came; EOF is next.
    ColumnsEnd(Option<Box<Description>>),
    /// Rows may come.
    Rows,
    /// The client sends a file.
    File {
        /// Its name.
        name: Box<[u8]>,
        /// The client has sent all of it.
        ended: bool,
    },
}

/// Column definitions, as far as they came.
#[derive(Default)]
pub(crate) struct Description {
    pub(crate) columns: Vec<Column>,
    /// `None` for a type that is not known.
    pub(crate) forms: Vec<Option<Form>>,
    pub(crate) bytes: usize,
}

/// What happens to a message.
pub(crate) enum Mode<G: Guard> {
    Forward,
    Swallow,
    /// It must be whole: payload so far, first sequence id, and whether it is a row.
    Gather(Vec<u8>, u8, bool),
    /// A row too large to be gathered.
    Row(Box<RowStream>, Rc<Rows<G::Plan>>),
}

/// Where the walk over the server's bytes stands.
pub(crate) enum ServerBody<G: Guard> {
    Between,
    /// Inside a message: what is to come of the packet, and whether another follows.
    Inside {
        mode: Mode<G>,
        left: usize,
        more: bool,
    },
}

/// The server's side of a session.
pub(crate) struct ServerSide<G: Guard> {
    stash: Stash,
    pub(crate) body: ServerBody<G>,
    pub(crate) phase: Phase,
    /// What happens to the rows of the result at hand.
    pub(crate) planned: Planned<G::Plan>,
    /// Results of the front's text that ended.
    pub(crate) part: u32,
    /// Descriptions of results that the front's text has brought.
    pub(crate) described: u32,
    /// Rows of the result at hand.
    pub(crate) rows: u64,
    /// The result at hand holds out parameters, and another one follows.
    pub(crate) out_parameters: bool,
    /// Bytes to the client since the last report.
    pub(crate) bytes: u64,
    /// What is added to sequence ids of this reply.
    pub(crate) shift: u8,
    /// The sequence id that the client waits for.
    pub(crate) next_seq: u8,
    /// The sequence id that the server's next packet must have; `None` for any.
    pub(crate) expected: Option<u8>,
    /// Nothing of the reply at hand has come.
    pub(crate) fresh: bool,
    /// What nobody gets: the rest of replies whose command was refused in the middle.
    discarded: Segments,
}

impl<G: Guard> ServerSide<G> {
    pub(crate) fn new() -> Self {
        Self {
            stash: Stash::default(),
            body: ServerBody::Between,
            phase: Phase::Start,
            planned: Planned::Forward,
            part: 0,
            described: 0,
            rows: 0,
            out_parameters: false,
            bytes: 0,
            shift: 0,
            next_seq: 1,
            expected: None,
            fresh: true,
            discarded: Segments::new(),
        }
    }

    pub(crate) fn between_messages(&self) -> bool {
        self.stash.is_empty() && self.nothing_half_sent()
    }

    /// Whether the client has got whole messages only.
    pub(crate) fn nothing_half_sent(&self) -> bool {
        !matches!(self.body, ServerBody::Inside { mode: Mode::Forward | Mode::Row(..), .. })
    }

    /// Another command is at the front.
    pub(crate) fn next_command(&mut self) {
        self.phase = Phase::Start;
        self.planned = Planned::Forward;
        self.part = 0;
        self.described = 0;
        self.rows = 0;
        self.out_parameters = false;
        self.bytes = 0;
        self.shift = 0;
        self.next_seq = 1;
        self.fresh = true;
    }

    fn count(&mut self, header: Header) {
        self.bytes += u64::try_from(header.total()).unwrap_or_default();
        self.next_seq = header.seq.wrapping_add(self.shift).wrapping_add(1);
    }
}

/// A reply that the front of the pipeline did not ask for.
pub(crate) fn out_of_turn() -> Fault {
    Fault::server("unexpected_server_message", "the server sent a message out of turn")
}

pub(crate) fn malformed_by_server(what: &'static str) -> Fault {
    Fault::server("malformed_server_message", format!("the server sent a malformed {what}"))
}

/// A packet that does not follow the one before it.
pub(crate) fn out_of_order(whose: Culprit) -> Fault {
    Fault::new(whose, b"08P01", "packets_out_of_order", "Got packets out of order")
}

fn oversized() -> Fault {
    Fault::server("oversized_server_message", "a reply of the server is longer than the limit")
}

/// A message, whole in one piece of memory.
pub(crate) struct Message<'a> {
    pub(crate) payload: &'a mut [u8],
    /// Where its header lies in the chunk of this call; `None` when it was gathered on the heap.
    pub(crate) at: Option<usize>,
    /// Its sequence id, as the server sent it.
    pub(crate) seq: u8,
}

/// How a message is read.
enum Class {
    /// By its header alone.
    Pass,
    /// So too; it ends the reply.
    PassLast,
    /// Not at all, and nobody gets it.
    Drop,
    /// Whole; no longer than this.
    Whole(usize),
}

impl<G: Guard> Session<G> {
    /// Takes bytes from the server, in order. Returns how many were taken: all of them. Chunk ranges in
    /// `out` are ranges of `chunk`, whose cells may have been masked in place.
    ///
    /// # Errors
    /// A [`Fault`] when the server breaks the protocol or a limit; the session is over then.
    pub fn on_server(&mut self, chunk: &mut [u8], guard: &mut G, out: &mut Output) -> Result<usize, Fault> {
        let mut at = 0;
        while at < chunk.len() {
            at += match self.server.body {
                ServerBody::Between => self.server_start(chunk, at, guard, out)?,
                ServerBody::Inside { .. } => self.server_inside(chunk, at, guard, out)?,
            };
            self.answer_refused(out);
            self.ask_settings(guard, out)?;
        }
        self.server.discarded.clear();
        self.scratch.trim();
        Ok(at)
    }

    /// Where the reply at hand goes: to the client, unless it has had its answer already.
    pub(crate) fn sink<'o>(&'o mut self, out: &'o mut Output) -> &'o mut Segments {
        match self.pipeline.front() {
            Some(Entry::Run(Run { silenced: true, .. }) | Entry::Catalogue) => &mut self.server.discarded,
            _ => &mut out.to_client,
        }
    }

    pub(crate) fn deprecates_eof(&self) -> bool {
        self.options.server.has(Capabilities::DEPRECATE_EOF)
    }

    /// Whether a message ends a run of rows or definitions.
    fn ends_rows(&self, first: Option<u8>, body: usize) -> bool {
        match first {
            None | Some(header::ERR) => true,
            Some(header::EOF) => body < if self.deprecates_eof() { FULL } else { EOF_LIMIT },
            _ => false,
        }
    }

    /// Whether the next message may be a row of a result that the client gets.
    fn in_rows(&mut self) -> bool {
        let Some(Entry::Run(run)) = self.pipeline.front_mut() else { return false };
        if run.reply == Reply::Rows && matches!(self.server.phase, Phase::Start) {
            // A FETCH has no description of its own: the plan is that of the execution that opened the cursor.
            if let Some((prepared, _)) = &run.prepared
                && let Some(cursor) = &*prepared.cursor.borrow()
            {
                self.server.planned = cursor.planned.clone();
                self.server.phase = Phase::Rows;
                run.left.clone_from(&cursor.left);
            }
        }
        matches!(self.server.phase, Phase::Rows)
    }

    /// Takes up the message that starts at `at`; returns the bytes taken.
    fn server_start(&mut self, chunk: &mut [u8], at: usize, guard: &mut G, out: &mut Output) -> Result<usize, Fault> {
        let rest = chunk.get(at..).unwrap_or_default();
        let (header, first, taken, here) = match self.server.stash.next(rest, true) {
            Next::Incomplete => return Ok(rest.len()),
            Next::Here(header, first) => (header, first, HEADER_BYTES, true),
            Next::Joined(header, first, taken) => (header, first, taken, false),
        };
        let row = self.in_rows() && !self.ends_rows(first, header.body);
        if row && self.room() == 0 {
            self.stop(guard, out);
        }
        if row && here {
            return self.rows_here(chunk, at, header, guard, out);
        }
        self.in_order(header, first)?;
        let class = if row { self.class_of_row(header) } else { self.class(first, header)? };
        let mode = match class {
            Class::Pass => {
                self.pass_header(chunk, at, header, here, out);
                Mode::Forward
            }
            Class::PassLast => {
                self.pass_header(chunk, at, header, here, out);
                self.done(guard);
                Mode::Forward
            }
            Class::Drop => Mode::Swallow,
            Class::Whole(limit) if row && (header.continues() || header.body > limit) => {
                self.pass_header(chunk, at, header, here, out);
                let Planned::Mask(rows) = self.server.planned.clone() else { return Err(out_of_turn()) };
                Mode::Row(Box::new(RowStream::new(&rows)), rows)
            }
            Class::Whole(limit) if header.continues() || header.body > limit => return Err(oversized()),
            Class::Whole(_) => {
                if here && let Some(payload) = chunk.get_mut(at + HEADER_BYTES..at + header.total()) {
                    self.reply(Message { payload, at: Some(at), seq: header.seq }, guard, out)?;
                    return Ok(header.total());
                }
                Mode::Gather(Vec::new(), header.seq, row)
            }
        };
        self.count_rows(u64::from(row));
        let left = header.body;
        self.server.body = ServerBody::Inside { mode, left, more: header.continues() };
        // The first byte came with the header.
        if let (false, Some(byte)) = (here, first) {
            self.server_piece(&mut [byte], None, guard, out)?;
        } else if left == 0 {
            self.server_piece(&mut [], None, guard, out)?;
        }
        Ok(taken)
    }

    /// The sequence id that the next packet must have.
    fn expected(&mut self) -> Option<u8> {
        if std::mem::take(&mut self.server.fresh) {
            self.server.expected = self.pipeline.front().and_then(Entry::reply_begins);
        }
        self.server.expected
    }

    /// Takes note of a packet with this header, whose message begins with `first`.
    ///
    /// # Errors
    /// A fault of the server where it does not follow the one before. What a server says as it goes (it was killed, it
    /// stops) follows nothing: such an ERR may have any id.
    fn in_order(&mut self, header: Header, first: Option<u8>) -> Result<(), Fault> {
        if self.pipeline.front().is_none_or(Entry::is_stream) {
            return Ok(());
        }
        let expected = self.expected();
        self.server.expected = Some(header.seq.wrapping_add(1));
        match expected {
            Some(expected) if expected != header.seq && first != Some(header::ERR) => {
                Err(out_of_order(Culprit::Server))
            }
            _ => Ok(()),
        }
    }

    /// Sends a header on with the sequence id that the client waits for.
    fn pass_header(&mut self, chunk: &mut [u8], at: usize, header: Header, here: bool, out: &mut Output) {
        self.server.count(header);
        let seq = header.seq.wrapping_add(self.server.shift);
        match chunk.get_mut(at + 3) {
            Some(byte) if here => {
                *byte = seq;
                self.sink(out).push_chunk(at..at + HEADER_BYTES);
            }
            _ => self.sink(out).push_owned(&Header { seq, ..header }.bytes()),
        }
    }

    /// Goes on inside a message; returns the bytes taken.
    fn server_inside(&mut self, chunk: &mut [u8], at: usize, guard: &mut G, out: &mut Output) -> Result<usize, Fault> {
        let ServerBody::Inside { left, .. } = &self.server.body else { return Ok(0) };
        let left = *left;
        let rest = chunk.get_mut(at..).unwrap_or_default();
        if left > 0 {
            let taken = left.min(rest.len());
            let piece = rest.get_mut(..taken).unwrap_or_default();
            self.server_piece(piece, Some(at), guard, out)?;
            return Ok(taken);
        }
        // The header of a packet that continues the message.
        let (header, taken, here) = match self.server.stash.next(rest, false) {
            Next::Incomplete => return Ok(rest.len()),
            Next::Here(header, _) => (header, HEADER_BYTES, true),
            Next::Joined(header, _, taken) => (header, taken, false),
        };
        self.in_order(header, None)?;
        let passes = matches!(&self.server.body, ServerBody::Inside { mode: Mode::Forward | Mode::Row(..), .. });
        if passes {
            self.pass_header(chunk, at, header, here, out);
        }
        if let ServerBody::Inside { left, more, .. } = &mut self.server.body {
            (*left, *more) = (header.body, header.continues());
        }
        if header.body == 0 {
            self.server_piece(&mut [], None, guard, out)?;
        }
        Ok(taken)
    }

    /// Takes a piece of the message's payload, which lies at `at` of the chunk or, for `None`, apart from it.
    fn server_piece(
        &mut self,
        piece: &mut [u8],
        at: Option<usize>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let ServerBody::Inside { mut mode, left, more } = std::mem::replace(&mut self.server.body, ServerBody::Between)
        else {
            return Ok(());
        };
        let left = left - piece.len();
        match &mut mode {
            Mode::Swallow => {}
            Mode::Gather(payload, ..) => payload.extend_from_slice(piece),
            Mode::Forward => self.pass_piece(piece, at, out),
            Mode::Row(stream, rows) => {
                stream.feed(rows, piece, guard)?;
                self.pass_piece(piece, at, out);
            }
        }
        if left > 0 || more {
            self.server.body = ServerBody::Inside { mode, left, more };
            return Ok(());
        }
        match mode {
            Mode::Gather(mut payload, seq, false) => {
                self.reply(Message { payload: &mut payload, at: None, seq }, guard, out)
            }
            Mode::Gather(mut payload, seq, true) => {
                let Planned::Mask(rows) = self.server.planned.clone() else { return Err(out_of_turn()) };
                self.server.count(Header { body: payload.len(), seq });
                let mut shift = self.server.shift;
                let mut scratch = std::mem::take(&mut self.scratch);
                let sink = self.sink(out);
                rows::mask_gathered(&rows, &mut payload, seq, &mut shift, guard, &mut scratch, sink)?;
                self.scratch = scratch;
                self.server.shift = shift;
                Ok(())
            }
            Mode::Row(stream, _) if !stream.is_complete() => Err(malformed_row()),
            _ => Ok(()),
        }
    }

    fn pass_piece(&mut self, piece: &[u8], at: Option<usize>, out: &mut Output) {
        match at {
            Some(at) => self.sink(out).push_chunk(at..at + piece.len()),
            None => self.sink(out).push_owned(piece),
        }
    }

    fn class_of_row(&self, _header: Header) -> Class {
        match self.server.planned {
            Planned::Forward => Class::Pass,
            Planned::Mask(_) => Class::Whole(limits::GATHER_BYTES),
        }
    }

    /// Rows whose first header lies in the chunk.
    fn rows_here(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        header: Header,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let Planned::Mask(rows) = &self.server.planned else { return self.rows_forward(chunk, at, out) };
        let rows = Rc::clone(rows);
        let end = self.whole_rows(chunk, at)?;
        if end > at {
            let mut shift = self.server.shift;
            let mut scratch = std::mem::take(&mut self.scratch);
            let sink = self.sink(out);
            rows::mask_batch(&rows, chunk, at..end, &mut shift, guard, &mut scratch, sink)?;
            self.scratch = scratch;
            self.server.shift = shift;
            return Ok(end - at);
        }
        self.in_order(header, None)?;
        self.count_rows(1);
        let mode = if header.continues() || header.body > limits::GATHER_BYTES {
            self.pass_header(chunk, at, header, true, out);
            Mode::Row(Box::new(RowStream::new(&rows)), rows)
        } else {
            Mode::Gather(Vec::new(), header.seq, true)
        };
        self.server.body = ServerBody::Inside { mode, left: header.body, more: header.continues() };
        Ok(HEADER_BYTES)
    }

    /// Whole row packets from `at` that may pass, none of them over the limit for gathering: where they end. Counts
    /// them.
    fn whole_rows(&mut self, chunk: &[u8], at: usize) -> Result<usize, Fault> {
        let (mut end, mut rows, room) = (at, 0, self.room());
        while rows < room
            && let Some(header) = Header::peek(chunk.get(end..).unwrap_or_default())
        {
            let next = end + header.total();
            let first = chunk.get(end + HEADER_BYTES).copied().filter(|_| header.body > 0);
            if next > chunk.len() || header.body > limits::GATHER_BYTES || self.ends_rows(first, header.body) {
                break;
            }
            self.in_order(header, None)?;
            self.server.count(header);
            rows += 1;
            end = next;
        }
        self.count_rows(rows);
        Ok(end)
    }

    /// Rows without a plan, from `at`: counted by their headers. Returns the bytes taken.
    #[inline]
    fn rows_forward(&mut self, chunk: &mut [u8], at: usize, out: &mut Output) -> Result<usize, Fault> {
        let shift = self.server.shift;
        let (mut end, mut rows, room) = (at, 0, self.room());
        let (mut last, mut expected) = (None, self.expected());
        while rows < room
            && let (Some(header), Some(first)) =
                (Header::peek(chunk.get(end..).unwrap_or_default()), chunk.get(end + HEADER_BYTES).copied())
        {
            if header.body == 0 || self.ends_rows(Some(first), header.body) {
                break;
            }
            if expected.is_some_and(|expected| expected != header.seq) {
                return Err(out_of_order(Culprit::Server));
            }
            expected = Some(header.seq.wrapping_add(1));
            if shift != 0
                && let Some(seq) = chunk.get_mut(end + 3)
            {
                *seq = seq.wrapping_add(shift);
            }
            rows += 1;
            last = Some(header);
            end += header.total();
            if end > chunk.len() || header.continues() {
                let left = end.saturating_sub(chunk.len());
                self.server.body = ServerBody::Inside { mode: Mode::Forward, left, more: header.continues() };
                self.server.bytes += u64::try_from(left).unwrap_or_default();
                end = end.min(chunk.len());
                break;
            }
        }
        self.server.expected = expected;
        self.count_rows(rows);
        if let Some(header) = last {
            self.server.bytes += u64::try_from(end - at).unwrap_or_default();
            self.server.next_seq = header.seq.wrapping_add(shift).wrapping_add(1);
        }
        self.sink(out).push_chunk(at..end);
        Ok(end - at)
    }

    /// How a message that is no row is read. What its coming says about the command at the front is noted.
    fn class(&mut self, first: Option<u8>, header: Header) -> Result<Class, Fault> {
        let whole = Class::Whole(limits::GATHER_BYTES);
        let error = first == Some(header::ERR);
        match self.pipeline.front() {
            Some(Entry::Catalogue) => {
                if header.continues() || header.body > limits::GATHER_BYTES {
                    self.catalogue_failed();
                    return Ok(Class::Drop);
                }
                Ok(whole)
            }
            Some(Entry::Run(Run { reply: Reply::Stream, .. })) if !self.ends_rows(first, header.body) => {
                Ok(Class::Pass)
            }
            Some(Entry::Run(Run { reply: Reply::Fields, .. })) if !self.ends_rows(first, header.body) => {
                Ok(Class::Pass)
            }
            Some(Entry::Run(_) | Entry::Prepare { .. }) if !error => match &mut self.server.phase {
                Phase::Definitions { left } => {
                    *left -= 1;
                    Ok(if *left == 0 { Class::PassLast } else { Class::Pass })
                }
                Phase::Columns { left, read: None } => {
                    *left -= 1;
                    if *left == 0 {
                        self.columns_passed();
                    }
                    Ok(Class::Pass)
                }
                Phase::Columns { .. } => Ok(Class::Whole(limits::DESCRIPTION_BYTES)),
                _ => Ok(whole),
            },
            _ => Ok(whole),
        }
    }

    /// All column definitions of a result that no rule concerns have passed.
    fn columns_passed(&mut self) {
        self.server.described += 1;
        self.server.planned = Planned::Forward;
        self.server.rows = 0;
        self.server.phase = if self.deprecates_eof() { Phase::Rows } else { Phase::ColumnsEnd(None) };
    }
}
