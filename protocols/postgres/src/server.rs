//! The server's direction: walks frames, passes or masks rows and COPY data, gathers short replies.
//!
//! ```text
//!   Header ─┬─ DataRow ──┬─ no plan ──────► counted by header, a whole run at once
//!           │            ├─ plan, whole ──► masked where it lies, a whole run at once
//!           │            ├─ plan, split ──► Gather ─► masked
//!           │            └─ plan, huge ───► Row: masked as it streams by
//!           ├─ CopyData ── the same, by `copy.rs`
//!           ├─ long replies without meaning for the session ─► Forward
//!           └─ other replies ─► `replies.rs`, whole
//! ```
//!
//! It may assume that bytes come in order. It must never pass a message that the front of the pipeline did
//! not ask for, nor hold more of one than the limit of its kind.

use std::rc::Rc;

use wire::fault::Fault;
use wire::guard::Guard;
use wire::limits;

use crate::copy::CopyMask;
use crate::frame::{Frame, FrameError, HEADER_BYTES, Header, Next, Stash};
use crate::message::server;
use crate::pipeline::Entry;
use crate::rows::{self, RowStream, Rows, malformed_row};
use crate::session::{Output, Session};
use crate::statements::Planned;

/// What the request at the front of the pipeline is in the middle of.
pub(crate) enum Phase<G: Guard> {
    /// Nothing came yet, or a statement of it ended.
    Start,
    /// ParameterDescription came; RowDescription or NoData is next.
    Parameters,
    /// Rows may come.
    Rows(Planned<G::Plan>),
    /// The server reads COPY data.
    CopyIn,
    /// The server sends COPY data.
    CopyOut(Option<Box<CopyMask<G>>>),
    /// The server has sent all COPY data; CommandComplete is next.
    CopyEnded,
    /// COPY data in both directions (replication).
    CopyBoth,
    /// All is said; only ReadyForQuery is left.
    Finished,
}

/// Where the walk over the server's bytes stands.
pub(crate) enum ServerBody<G: Guard> {
    /// Between frames, or inside a header.
    Header,
    /// Inside a frame that passes.
    Forward(usize),
    /// Inside a frame that the client does not get.
    Swallow(usize),
    /// Inside a frame that must be whole: header and body so far, and how much is to come.
    Gather(Vec<u8>, usize),
    /// Inside a row too large to be gathered.
    Row(Box<RowStream>, Rc<Rows<G::Plan>>),
    /// Inside COPY data too large to be gathered.
    Copy(usize),
}

/// The server's side of a session.
pub(crate) struct ServerSide<G: Guard> {
    stash: Stash,
    pub(crate) body: ServerBody<G>,
    pub(crate) phase: Phase<G>,
    /// Statements of the front's text that ended.
    pub(crate) part: u32,
    /// Descriptions of results that the front's text has brought.
    pub(crate) described: u32,
    /// Bytes to the client since the last report.
    pub(crate) bytes: u64,
    /// Whether some statement of the front's text ended, so that ReadyForQuery may come.
    pub(crate) ended: bool,
}

impl<G: Guard> ServerSide<G> {
    pub(crate) fn new() -> Self {
        Self {
            stash: Stash::default(),
            body: ServerBody::Header,
            phase: Phase::Start,
            part: 0,
            described: 0,
            bytes: 0,
            ended: false,
        }
    }

    pub(crate) fn between_frames(&self) -> bool {
        self.stash.is_empty() && matches!(self.body, ServerBody::Header)
    }

    /// Another request is at the front.
    pub(crate) fn next_request(&mut self) {
        self.phase = Phase::Start;
        self.part = 0;
        self.described = 0;
        self.bytes = 0;
        self.ended = false;
    }

    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or_default();
    }
}

fn broken(error: FrameError) -> Fault {
    Fault::server(error.reason(), "the server sent a message with an impossible length")
}

/// A reply that the front of the pipeline did not ask for.
pub(crate) fn out_of_turn(kind: u8) -> Fault {
    let kind = char::from(kind);
    Fault::server("unexpected_server_message", format!("the server sent a message of type {kind:?} out of turn"))
}

/// A run of frames of one kind from `at`: where it ends in the chunk, and how much of its last frame is
/// still to come.
///
/// # Errors
/// [`FrameError`] when a length is outside the limits.
#[inline]
pub(crate) fn forward_run(chunk: &[u8], at: usize, kind: u8) -> Result<(usize, usize), FrameError> {
    let mut end = at;
    while let Some(header) = Header::peek(chunk.get(end..).unwrap_or_default())? {
        if header.kind != kind {
            break;
        }
        end += header.total();
        if end > chunk.len() {
            return Ok((chunk.len(), end - chunk.len()));
        }
    }
    Ok((end, 0))
}

/// Whole frames of one kind from `at`, none of them over the limit for gathering: where they end.
#[inline]
fn whole_run(chunk: &[u8], at: usize, kind: u8) -> Result<usize, FrameError> {
    let mut end = at;
    while let Some(header) = Header::peek(chunk.get(end..).unwrap_or_default())? {
        let next = end + header.total();
        if header.kind != kind || next > chunk.len() || header.body > limits::GATHER_BYTES {
            break;
        }
        end = next;
    }
    Ok(end)
}

/// What follows a part that passed.
fn forward<G: Guard>(left: usize) -> ServerBody<G> {
    if left == 0 { ServerBody::Header } else { ServerBody::Forward(left) }
}

/// What follows a part that was replaced.
pub(crate) fn swallow<G: Guard>(left: usize) -> ServerBody<G> {
    if left == 0 { ServerBody::Header } else { ServerBody::Swallow(left) }
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
            let rest = chunk.len() - at;
            at += match &mut self.server.body {
                ServerBody::Header => self.server_header(chunk, at, guard, out)?,
                ServerBody::Forward(left) => {
                    let taken = rest.min(*left);
                    let left = *left - taken;
                    out.to_client.push_chunk(at..at + taken);
                    self.server.body = forward(left);
                    taken
                }
                ServerBody::Swallow(left) => {
                    let taken = rest.min(*left);
                    let left = *left - taken;
                    self.server.body = swallow(left);
                    taken
                }
                ServerBody::Gather(..) => self.server_gather(chunk.get(at..).unwrap_or_default(), guard, out)?,
                ServerBody::Row(row, rows) => {
                    let taken = rest.min(row.left());
                    row.feed(rows, chunk.get_mut(at..at + taken).unwrap_or_default(), guard)?;
                    out.to_client.push_chunk(at..at + taken);
                    if row.left() == 0 {
                        self.server.body = ServerBody::Header;
                    }
                    taken
                }
                ServerBody::Copy(left) => {
                    let taken = rest.min(*left);
                    let left = *left - taken;
                    self.server.body = if left == 0 { ServerBody::Header } else { ServerBody::Copy(left) };
                    let Phase::CopyOut(Some(mask)) = &mut self.server.phase else {
                        return Err(out_of_turn(server::COPY_DATA));
                    };
                    mask.stream(chunk.get_mut(at..at + taken).unwrap_or_default(), guard)?;
                    out.to_client.push_chunk(at..at + taken);
                    taken
                }
            };
        }
        self.scratch.trim();
        Ok(at)
    }

    /// Takes up the frame whose header starts at `at`; returns the bytes taken.
    fn server_header(&mut self, chunk: &mut [u8], at: usize, guard: &mut G, out: &mut Output) -> Result<usize, Fault> {
        let rest = chunk.get_mut(at..).unwrap_or_default();
        match self.server.stash.next(rest).map_err(broken)? {
            Next::Incomplete => Ok(rest.len()),
            Next::Here(header) => match header.kind {
                server::DATA_ROW | server::COPY_DATA if self.pipeline.is_limited() && !self.catalogue_loading() => {
                    self.counted(chunk, at, header, guard, out)
                }
                server::DATA_ROW if !self.catalogue_loading() => self.data_rows(chunk, at, header, guard, out),
                server::COPY_DATA => self.copy_data(chunk, at, header, guard, out),
                _ if self.passes_unread(header, guard)? => {
                    let taken = rest.len().min(header.total());
                    out.to_client.push_chunk(at..at + taken);
                    self.server.body = forward(header.total() - taken);
                    Ok(taken)
                }
                _ => match rest.get_mut(..header.total()) {
                    Some(frame) if header.body <= gather_limit(header.kind) => {
                        self.reply(Frame { bytes: frame, at: Some(at) }, 0, guard, out)?;
                        Ok(header.total())
                    }
                    _ => {
                        self.server.body = ServerBody::Gather(Vec::new(), header.total());
                        Ok(0)
                    }
                },
            },
            Next::Joined(header, bytes, taken) => {
                self.server_split(header, bytes, guard, out)?;
                Ok(taken)
            }
        }
    }

    /// One row, or one message of COPY data, while a run is on its way whose rows are counted.
    fn counted(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        header: Header,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let end = chunk.len().min(at + header.total());
        let copied = header.kind == server::COPY_DATA;
        if self.may_show(header)? {
            let one = chunk.get_mut(..end).unwrap_or_default();
            return if copied {
                self.copy_data(one, at, header, guard, out)
            } else {
                self.data_rows(one, at, header, guard, out)
            };
        }
        self.server.body = swallow(at + header.total() - end);
        Ok(end - at)
    }

    /// Counts a row of the run at the front, if its rows are counted. Whether it may pass.
    fn may_show(&mut self, header: Header) -> Result<bool, Fault> {
        self.pipeline.drop_optional();
        if self.front_limit().is_none_or(|limit| limit.take(header.body)) {
            return Ok(true);
        }
        if header.kind == server::COPY_DATA {
            self.copy_is_masked()?;
        } else {
            self.row_plan()?;
        }
        Ok(false)
    }

    /// Takes up a frame whose header came in pieces.
    fn server_split(
        &mut self,
        header: Header,
        mut bytes: [u8; HEADER_BYTES],
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let counted = matches!(header.kind, server::DATA_ROW | server::COPY_DATA) && !self.catalogue_loading();
        if counted && !self.may_show(header)? {
            self.server.body = swallow(header.body);
            return Ok(());
        }
        match header.kind {
            server::DATA_ROW if !self.catalogue_loading() => {
                self.server.count(header.total());
                match self.row_plan()? {
                    Planned::Forward => {}
                    Planned::NoRows => return Err(malformed_row()),
                    Planned::Mask(rows) => return self.split_row(header, &bytes, rows, out),
                }
            }
            server::COPY_DATA => {
                self.server.count(header.total());
                if self.copy_is_masked()? {
                    return self.split_copy(header, &bytes, guard, out);
                }
            }
            _ if self.passes_unread(header, guard)? => {}
            _ if header.body == 0 => return self.reply(Frame { bytes: &mut bytes, at: None }, 0, guard, out),
            _ => {
                self.server.body = ServerBody::Gather(bytes.to_vec(), header.body);
                return Ok(());
            }
        }
        out.to_client.push_owned(&bytes);
        self.server.body = forward(header.body);
        Ok(())
    }

    /// Whether a message passes by its header alone. What it says about the request at the front is noted.
    fn passes_unread(&mut self, header: Header, guard: &G) -> Result<bool, Fault> {
        match header.kind {
            server::NOTIFICATION_RESPONSE => Ok(guard.shows_notifications()),
            _ if self.catalogue_loading() => Ok(false),
            server::PARAMETER_DESCRIPTION => {
                self.pipeline.drop_optional();
                match (self.pipeline.front(), &self.server.phase) {
                    (Some(Entry::DescribeStatement { .. }), Phase::Start) => self.server.phase = Phase::Parameters,
                    _ => return Err(out_of_turn(header.kind)),
                }
                Ok(true)
            }
            server::ROW_DESCRIPTION => {
                self.pipeline.drop_optional();
                self.description_unread(header)
            }
            server::FUNCTION_CALL_RESPONSE => {
                self.pipeline.drop_optional();
                match (self.pipeline.front(), &self.server.phase) {
                    (Some(Entry::FunctionCall { .. }), Phase::Start) if !self.server.ended => self.server.ended = true,
                    _ => return Err(out_of_turn(header.kind)),
                }
                self.server.count(header.total());
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn data_rows(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        header: Header,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        let rows = match self.row_plan()? {
            Planned::Forward => {
                let (end, left) = forward_run(chunk, at, server::DATA_ROW).map_err(broken)?;
                out.to_client.push_chunk(at..end);
                self.server.count(end - at + left);
                self.server.body = forward(left);
                return Ok(end - at);
            }
            Planned::NoRows => return Err(malformed_row()),
            Planned::Mask(rows) => rows,
        };
        let end = whole_run(chunk, at, server::DATA_ROW).map_err(broken)?;
        if end > at {
            rows::mask_batch(&rows, chunk, at..end, guard, &mut self.scratch, &mut out.to_client)?;
            self.server.count(end - at);
            return Ok(end - at);
        }
        self.server.count(header.total());
        if header.body <= limits::GATHER_BYTES {
            self.server.body = ServerBody::Gather(Vec::new(), header.total());
            return Ok(0);
        }
        out.to_client.push_chunk(at..at + HEADER_BYTES);
        self.server.body = ServerBody::Row(Box::new(RowStream::new(header.body)), rows);
        Ok(HEADER_BYTES)
    }

    /// A row under a plan whose header came in pieces.
    fn split_row(
        &mut self,
        header: Header,
        bytes: &[u8],
        rows: Rc<Rows<G::Plan>>,
        out: &mut Output,
    ) -> Result<(), Fault> {
        if header.body == 0 {
            return Err(malformed_row());
        }
        self.server.body = if header.body <= limits::GATHER_BYTES {
            ServerBody::Gather(bytes.to_vec(), header.body)
        } else {
            out.to_client.push_owned(bytes);
            ServerBody::Row(Box::new(RowStream::new(header.body)), rows)
        };
        Ok(())
    }

    fn copy_data(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        header: Header,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        if !self.copy_is_masked()? {
            let (end, left) = forward_run(chunk, at, server::COPY_DATA).map_err(broken)?;
            out.to_client.push_chunk(at..end);
            self.server.count(end - at + left);
            self.server.body = forward(left);
            return Ok(end - at);
        }
        let end = whole_run(chunk, at, server::COPY_DATA).map_err(broken)?;
        if end > at {
            let Phase::CopyOut(Some(mask)) = &mut self.server.phase else {
                return Err(out_of_turn(server::COPY_DATA));
            };
            mask.batch(chunk, at..end, guard, &mut self.scratch.hits, &mut out.to_client)?;
            self.server.count(end - at);
            return Ok(end - at);
        }
        self.server.count(header.total());
        if header.body <= limits::GATHER_BYTES {
            self.server.body = ServerBody::Gather(Vec::new(), header.total());
            return Ok(0);
        }
        self.start_copy_stream(header, guard, out)?;
        out.to_client.push_chunk(at..at + HEADER_BYTES);
        Ok(HEADER_BYTES)
    }

    /// COPY data under a plan whose header came in pieces.
    fn split_copy(&mut self, header: Header, bytes: &[u8], guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        if header.body == 0 {
            out.to_client.push_owned(bytes);
        } else if header.body <= limits::GATHER_BYTES {
            self.server.body = ServerBody::Gather(bytes.to_vec(), header.body);
        } else {
            self.start_copy_stream(header, guard, out)?;
            out.to_client.push_owned(bytes);
        }
        Ok(())
    }

    fn start_copy_stream(&mut self, header: Header, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let Phase::CopyOut(Some(mask)) = &mut self.server.phase else {
            return Err(out_of_turn(server::COPY_DATA));
        };
        mask.start_stream(guard, &mut out.to_client)?;
        self.server.body = ServerBody::Copy(header.body);
        Ok(())
    }

    /// Whether COPY data may come now, and whether it is masked.
    fn copy_is_masked(&mut self) -> Result<bool, Fault> {
        match &self.server.phase {
            Phase::CopyOut(mask) => Ok(mask.is_some()),
            Phase::CopyBoth => Ok(false),
            _ => Err(out_of_turn(server::COPY_DATA)),
        }
    }

    /// Adds to a gathered message and takes it up once it is whole, or longer than is read of its kind.
    fn server_gather(&mut self, rest: &[u8], guard: &mut G, out: &mut Output) -> Result<usize, Fault> {
        let ServerBody::Gather(mut bytes, mut left) = std::mem::replace(&mut self.server.body, ServerBody::Header)
        else {
            return Ok(0);
        };
        let kind = bytes.first().or(rest.first()).copied().unwrap_or_default();
        let room = (HEADER_BYTES + gather_limit(kind)).saturating_sub(bytes.len()).min(left);
        let taken = room.min(rest.len());
        bytes.extend_from_slice(rest.get(..taken).unwrap_or_default());
        left -= taken;
        if taken < room {
            self.server.body = ServerBody::Gather(bytes, left);
            return Ok(taken);
        }
        match kind {
            server::DATA_ROW if !self.catalogue_loading() => {
                let Planned::Mask(rows) = self.row_plan()? else { return Err(out_of_turn(kind)) };
                rows::mask_gathered(&rows, &mut bytes, guard, &mut self.scratch, &mut out.to_client)?;
            }
            server::COPY_DATA => {
                let Phase::CopyOut(Some(mask)) = &mut self.server.phase else { return Err(out_of_turn(kind)) };
                mask.gathered(&mut bytes, guard, &mut self.scratch.hits, &mut out.to_client)?;
            }
            server::ERROR_RESPONSE | server::NOTICE_RESPONSE => {
                self.reply(Frame { bytes: &mut bytes, at: None }, left, guard, out)?;
            }
            server::DATA_ROW if left > 0 => {
                self.catalogue_overflow();
                self.server.body = swallow(left);
            }
            _ if left > 0 => {
                return Err(Fault::server(
                    "oversized_server_message",
                    "a reply of the server is longer than the limit",
                ));
            }
            _ => self.reply(Frame { bytes: &mut bytes, at: None }, 0, guard, out)?,
        }
        Ok(taken)
    }
}

/// Bytes of a body that are gathered at most.
fn gather_limit(kind: u8) -> usize {
    match kind {
        server::DATA_ROW | server::COPY_DATA => limits::GATHER_BYTES,
        server::ROW_DESCRIPTION => limits::DESCRIPTION_BYTES,
        _ => limits::ERROR_BYTES,
    }
}

/// What follows the part of a long report that was passed on.
pub(crate) fn pass_rest<G: Guard>(left: usize) -> ServerBody<G> {
    forward(left)
}
