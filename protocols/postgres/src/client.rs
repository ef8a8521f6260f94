//! The client's direction: walks frames, gathers what must be judged, streams the rest.
//!
//! ```text
//!   Header ─┬─ CopyData, CopyFail ────────────────────────► Forward ─► Header
//!           └─ everything else: Gather until `requests.rs` has enough ─┬─► Forward ─► Header
//!                                                                      ├─► Bind (read while forwarded)
//!                                                                      ├─► Swallow (refused)
//!                                                                      └─► blocked: taken up again later
//! ```
//!
//! A message that lies whole in the chunk is never copied. It may assume nothing of the client; it must
//! never hold more of a message than the limit of its kind.

use wire::fault::Fault;
use wire::guard::Guard;
use wire::limits;
use wire::parameters::Parameters;

use crate::bind::BindReader;
use crate::description::Formats;
use crate::frame::{FrameError, HEADER_BYTES, Header, Next, Stash};
use crate::message::client;
use crate::pipeline::Entry;
use crate::refusal;
use crate::requests::{Part, Step};
use crate::server::forward_run;
use crate::session::{Output, Session};
use crate::statements::{self, Name, Portal, Prepared};
use std::rc::Rc;

/// Longest names, and so longest small messages, that are read.
pub(crate) const SMALL_BYTES: usize = 16 << 10;

/// Where the walk over the client's bytes stands.
pub(crate) enum ClientBody<G: Guard> {
    /// Between frames, or inside a header.
    Header,
    /// Inside a frame that passes.
    Forward(usize),
    /// Inside a frame that the server does not get.
    Swallow(usize),
    /// Inside a frame that must be read first: header and body so far, and how much is to come.
    Gather(Vec<u8>, usize),
    /// Inside a Bind whose names were judged.
    Bind(Box<OpenBind<G>>, usize),
}

/// A Bind that streams by.
pub(crate) struct OpenBind<G: Guard> {
    pub(crate) reader: BindReader,
    pub(crate) names: BoundNames<G>,
}

/// What a Bind says before its parameters, judged.
pub(crate) struct BoundNames<G: Guard> {
    pub(crate) name: Name,
    pub(crate) registered: bool,
    pub(crate) source: Option<Rc<Prepared<G>>>,
    pub(crate) source_name: Name,
    pub(crate) statement: G::Statement,
    pub(crate) wants: bool,
    pub(crate) bytes: u64,
    pub(crate) disturbance: u64,
}

/// The client's side of a session.
pub(crate) struct ClientSide<G: Guard> {
    stash: Stash,
    body: ClientBody<G>,
    /// Bytes of COPY data since the last report.
    pub(crate) copy_bytes: u64,
}

impl<G: Guard> ClientSide<G> {
    pub(crate) fn new() -> Self {
        Self { stash: Stash::default(), body: ClientBody::Header, copy_bytes: 0 }
    }

    pub(crate) fn between_frames(&self) -> bool {
        self.stash.is_empty() && matches!(self.body, ClientBody::Header)
    }
}

fn broken(error: FrameError) -> Fault {
    Fault::client(error.reason(), error.to_string())
}

/// Bytes of a message that must be there, header included, before it is judged even if it is longer.
fn enough(kind: u8) -> usize {
    match kind {
        client::QUERY | client::PARSE => HEADER_BYTES + limits::STATEMENT_BYTES,
        _ => HEADER_BYTES + SMALL_BYTES,
    }
}

/// What follows the judged part of a message.
pub(crate) fn forward<G: Guard>(left: usize) -> ClientBody<G> {
    if left == 0 { ClientBody::Header } else { ClientBody::Forward(left) }
}

/// What follows the refused part of a message.
pub(crate) fn swallow<G: Guard>(left: usize) -> ClientBody<G> {
    if left == 0 { ClientBody::Header } else { ClientBody::Swallow(left) }
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
            let rest = chunk.len() - at;
            at += match &mut self.client.body {
                ClientBody::Header if rest == 0 => break,
                ClientBody::Header => match self.client_header(chunk, at, guard, out)? {
                    Some(taken) => taken,
                    None => break,
                },
                ClientBody::Forward(_) | ClientBody::Swallow(_) | ClientBody::Bind(..) if rest == 0 => break,
                ClientBody::Forward(left) => {
                    let taken = rest.min(*left);
                    out.to_server.push_chunk(at..at + taken);
                    let left = *left - taken;
                    self.client.body = forward(left);
                    taken
                }
                ClientBody::Swallow(left) => {
                    let taken = rest.min(*left);
                    let left = *left - taken;
                    self.client.body = swallow(left);
                    taken
                }
                ClientBody::Bind(bind, left) => {
                    let taken = rest.min(*left);
                    bind.reader.feed(chunk.get(at..at + taken).unwrap_or_default()).map_err(refusal::malformed)?;
                    out.to_server.push_chunk(at..at + taken);
                    *left -= taken;
                    if *left == 0
                        && let ClientBody::Bind(bind, _) = std::mem::replace(&mut self.client.body, ClientBody::Header)
                    {
                        let OpenBind { reader, names } = *bind;
                        let (parameters, formats) = reader.finish().map_err(refusal::malformed)?;
                        self.bound(names, parameters, formats)?;
                    }
                    taken
                }
                ClientBody::Gather(..) => match self.client_gather(chunk.get(at..).unwrap_or_default(), guard, out)? {
                    (taken, true) => taken,
                    (taken, false) => {
                        at += taken;
                        break;
                    }
                },
            };
            if self.terminated {
                return Ok(chunk.len());
            }
        }
        Ok(at)
    }

    /// Takes up the frame whose header starts at `at`. `None`: it must wait, nothing of it is taken.
    fn client_header(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<Option<usize>, Fault> {
        let rest = chunk.get(at..).unwrap_or_default();
        match self.client.stash.next(rest).map_err(broken)? {
            Next::Incomplete => Ok(Some(rest.len())),
            Next::Here(header) => {
                if self.streams(header)? {
                    return self.client_stream(chunk, at, header, out).map(Some);
                }
                let Some(frame) = rest.get(..header.total()) else {
                    self.client.body = ClientBody::Gather(rest.to_vec(), header.total() - rest.len());
                    return Ok(Some(rest.len()));
                };
                match self.request(Part { bytes: frame, at: Some(at), left: 0 }, guard, out)? {
                    Step::Done(_) => Ok(Some(header.total())),
                    Step::Blocked => Ok(None),
                    Step::More => Err(refusal::malformed(wire::cursor::Malformed { what: "message" })),
                }
            }
            Next::Joined(header, bytes, taken) => {
                if self.streams(header)? {
                    if self.skipping {
                        self.client.body = swallow(header.body);
                    } else {
                        out.to_server.push_owned(&bytes);
                        self.client.body = forward(header.body);
                    }
                } else {
                    self.client.body = ClientBody::Gather(bytes.to_vec(), header.body);
                }
                Ok(Some(taken))
            }
        }
    }

    /// Whether a message passes by its header alone: the data of COPY, of which there may be any amount.
    fn streams(&mut self, header: Header) -> Result<bool, Fault> {
        match header.kind {
            client::COPY_DATA => {
                self.client.copy_bytes += u64::try_from(header.total()).unwrap_or_default();
                Ok(true)
            }
            client::COPY_FAIL => {
                self.copy_end()?;
                Ok(true)
            }
            client::QUERY
            | client::PARSE
            | client::BIND
            | client::EXECUTE
            | client::DESCRIBE
            | client::CLOSE
            | client::SYNC
            | client::FLUSH
            | client::FUNCTION_CALL
            | client::COPY_DONE
            | client::TERMINATE => Ok(false),
            b'p' => Err(Fault::client("password_message", "a password message came after authentication")),
            kind => Err(Fault::client(
                "unknown_message",
                format!("unknown message type {:?} from the client", char::from(kind)),
            )),
        }
    }

    fn client_stream(&mut self, chunk: &[u8], at: usize, header: Header, out: &mut Output) -> Result<usize, Fault> {
        let (end, left) = if header.kind == client::COPY_DATA {
            let (end, left) = forward_run(chunk, at, client::COPY_DATA).map_err(broken)?;
            // The first header is counted already.
            let run = (end - at + left).saturating_sub(header.total());
            self.client.copy_bytes += u64::try_from(run).unwrap_or_default();
            (end, left)
        } else {
            let end = chunk.len().min(at + header.total());
            (end, at + header.total() - end)
        };
        if self.skipping {
            self.client.body = swallow(left);
        } else {
            out.to_server.push_chunk(at..end);
            self.client.body = forward(left);
        }
        Ok(end - at)
    }

    /// Adds to a gathered message and judges it once there is enough of it. Returns the bytes taken, and
    /// whether there is more to do.
    fn client_gather(&mut self, rest: &[u8], guard: &mut G, out: &mut Output) -> Result<(usize, bool), Fault> {
        let ClientBody::Gather(mut bytes, mut left) = std::mem::replace(&mut self.client.body, ClientBody::Header)
        else {
            return Ok((0, false));
        };
        let room = enough(bytes.first().copied().unwrap_or_default()).saturating_sub(bytes.len()).min(left);
        let taken = room.min(rest.len());
        bytes.extend_from_slice(rest.get(..taken).unwrap_or_default());
        left -= taken;
        match self.request(Part { bytes: &bytes, at: None, left }, guard, out)? {
            Step::Done(body) => {
                self.client.body = body;
                Ok((taken, true))
            }
            Step::Blocked => {
                self.client.body = ClientBody::Gather(bytes, left);
                Ok((taken, false))
            }
            Step::More if taken == room => {
                Err(Fault::client("oversized_message", "a message of the extended protocol is longer than the limit"))
            }
            Step::More => {
                self.client.body = ClientBody::Gather(bytes, left);
                Ok((taken, false))
            }
        }
    }

    /// The client has ended its COPY data.
    pub(crate) fn copy_end(&mut self) -> Result<(), Fault> {
        self.copy_in_open = false;
        if self.pipeline.is_empty() || self.skipping { Ok(()) } else { self.enqueue(Entry::CopyEnd) }
    }

    /// A Bind was read to its end.
    pub(crate) fn bound(&mut self, bind: BoundNames<G>, parameters: Parameters, formats: Formats) -> Result<(), Fault> {
        if self.skipping {
            // An error came while it streamed by: the server discards it, as what follows up to Sync.
            return Ok(());
        }
        let portal = Rc::new(Portal {
            name: bind.name,
            registered: bind.registered,
            source: bind.source,
            source_name: bind.source_name,
            statement: bind.statement,
            wants: bind.wants,
            weight: statements::portal_weight(&parameters, &formats),
            formats,
            parameters: parameters.into(),
            planned: None.into(),
            described_in: None.into(),
            rows_left: None.into(),
            bind_bytes: bind.bytes.into(),
            charge: None.into(),
        });
        if portal.registered {
            self.portals.push(&portal.name, Some(Rc::clone(&portal)));
        }
        self.enqueue(Entry::Bind { portal, disturbance: bind.disturbance })
    }

    /// Notes a request that the server will answer.
    pub(crate) fn enqueue(&mut self, entry: Entry<G>) -> Result<(), Fault> {
        if self.pipeline.push(entry) {
            return Ok(());
        }
        Err(crate::pipeline::too_deep())
    }
}
