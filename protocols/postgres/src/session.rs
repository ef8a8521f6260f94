//! One Postgres session after authentication, without IO.
//!
//! ```text
//!              on_client(chunk)                         on_server(chunk)
//!                    │                                        │
//!        ┌───────────▼───────────┐   requests    ┌────────────▼────────────┐
//!        │ client.rs, requests.rs│──► pipeline ──►│ server.rs, replies.rs   │
//!        │ judge, refuse, forward│   names        │ plan, mask, scrub, pass │
//!        └───────────┬───────────┘                └────────────┬────────────┘
//!                to_server                                  to_client
//! ```
//!
//! Both directions run at once: a client may send a hundred requests before the first reply. What ties them
//! together is the pipeline of unanswered requests and the names of statements and portals. The client's
//! direction stands still ([`Session::client_blocked`]) only while rows are counted (`limited.rs`), a human decides
//! or the catalogue is read:
//!
//! ```text
//!   Open ──Hold──────────────► Held ──on_decision──► Decided ─┐
//!     │                                                       ├─► the message is taken up again ─► Open
//!     └──CatalogueNeeded────► Loading ──ReadyForQuery──► Tried ┘
//! ```
//!
//! It may assume that its caller hands over chunks in order, each once. It must never forward a client
//! message that the guard has not let through, nor a server message that no request asked for.
//!
//! Source: PostgreSQL manual, chapter "Frontend/Backend Protocol".

use std::cell::Cell;
use std::rc::Rc;

use wire::fault::Fault;
use wire::guard::{Denial, Guard};
pub use wire::output::Output;

pub use crate::backend::TransactionStatus;
use crate::client::ClientSide;
use crate::pipeline::{Entry, Pipeline};
use crate::rows::Scratch;
use crate::server::ServerSide;
use crate::statements::{Names, Portal, Prepared};

/// What the set-up knows of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// The protocol version spoken with the client, major and minor.
    pub protocol: (u16, u16),
    /// Whether it was started with `replication=`, so that COPY in both directions may happen.
    pub replication: bool,
    /// The status in the first ReadyForQuery.
    pub transaction: TransactionStatus,
}

/// Whether the client's direction moves.
pub(crate) enum Gate<S> {
    /// It moves.
    Open,
    /// A human decides about the next message.
    Held(S),
    /// Decided; to be taken up when the client's direction is called next.
    Decided(S, Result<(), Denial>),
    /// The catalogue is being read for the next message.
    Loading(CatalogueLoad),
    /// The catalogue was read or could not be; the next message is judged again.
    Tried,
}

/// How far the reading of the catalogue is.
#[derive(Default)]
pub(crate) struct CatalogueLoad {
    /// Statements of the query that ended.
    pub(crate) result: usize,
    /// Bytes of rows so far.
    pub(crate) bytes: usize,
    pub(crate) failed: bool,
}

/// A session between one client and one server.
pub struct Session<G: Guard> {
    pub(crate) replication: bool,
    pub(crate) transaction: TransactionStatus,
    pub(crate) pipeline: Pipeline<G>,
    pub(crate) statements: Names<Prepared<G>>,
    pub(crate) portals: Names<Portal<G>>,
    pub(crate) gate: Gate<G::Statement>,
    pub(crate) said_goodbye: bool,
    pub(crate) client: ClientSide<G>,
    pub(crate) server: ServerSide<G>,
    /// Bytes of layouts and plans.
    pub(crate) charged: Rc<Cell<usize>>,
    pub(crate) scratch: Scratch,
    /// Counts the runs of messages between Syncs.
    pub(crate) run: u64,
    /// Extended messages were sent since the last Sync.
    pub(crate) run_open: bool,
    /// The server ignores everything up to the next Sync, and so does the session.
    pub(crate) skipping: bool,
    /// The server may be ignoring everything up to the next Sync: a COPY failed and it is not known whether
    /// a Sync sent before had been ignored.
    pub(crate) uncertain: bool,
    /// The server reads COPY data whose end the client has not sent.
    pub(crate) copy_in_open: bool,
    /// Counts events after which names may stand for something else than was thought when they were sent.
    pub(crate) disturbance: u64,
    /// Counts statements after which columns may come from elsewhere than Describe said.
    pub(crate) epoch: u64,
    pub(crate) terminated: bool,
    /// Some request text spells out multi-byte characters whose second byte may be ASCII.
    pub(crate) unsafe_encoding: bool,
}

impl<G: Guard> Session<G> {
    /// A session after the first ReadyForQuery.
    #[must_use]
    pub fn new(options: SessionOptions) -> Self {
        Self {
            replication: options.replication,
            transaction: options.transaction,
            pipeline: Pipeline::new(),
            statements: Names::new(),
            portals: Names::new(),
            gate: Gate::Open,
            said_goodbye: false,
            client: ClientSide::new(),
            server: ServerSide::new(),
            charged: Rc::default(),
            scratch: Scratch::default(),
            run: 0,
            run_open: false,
            skipping: false,
            uncertain: false,
            copy_in_open: false,
            disturbance: 0,
            epoch: 0,
            terminated: false,
            unsafe_encoding: false,
        }
    }

    /// A setting that the server reported, also during start-up: call it for each ParameterStatus that the
    /// set-up passed on, so that the session knows the client encoding.
    pub fn note_parameter(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"client_encoding") {
            // Encodings for the client only, in which the second byte of a character may be ASCII.
            const UNSAFE: [&[u8]; 8] =
                [b"BIG5", b"GB18030", b"GBK", b"JOHAB", b"SHIFT_JIS_2004", b"SJIS", b"UHC", b"SHIFTJIS2004"];
            self.unsafe_encoding = UNSAFE.iter().any(|encoding| encoding.eq_ignore_ascii_case(value));
        }
    }

    /// Whether the client's direction waits for a decision, for the catalogue or for the end of a run whose rows are
    /// counted.
    #[must_use]
    pub fn client_blocked(&self) -> bool {
        matches!(self.gate, Gate::Held(_) | Gate::Loading(_)) || self.pipeline.is_limited()
    }

    /// Whether a human must decide before the client's direction goes on.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.gate, Gate::Held(_))
    }

    /// Ends a hold. Nothing is sent yet: call [`Session::on_client`] again with what it left.
    ///
    /// # Errors
    /// None today; the caller treats one as the end of the session.
    pub fn on_decision(
        &mut self,
        decision: Result<(), Denial>,
        _guard: &mut G,
        _out: &mut Output,
    ) -> Result<(), Fault> {
        self.gate = match std::mem::replace(&mut self.gate, Gate::Open) {
            Gate::Held(statement) => Gate::Decided(statement, decision),
            other => other,
        };
        Ok(())
    }

    /// The connection to either side ended: whatever is in flight is reported as abandoned.
    pub fn on_closed(&mut self, guard: &mut G) {
        while let Some(entry) = self.pipeline.pop() {
            match entry {
                Entry::Query { execution, .. }
                | Entry::Execute { execution, .. }
                | Entry::FunctionCall { execution, .. } => guard.abandoned(execution),
                Entry::Catalogue => guard.catalogue_done(false),
                _ => {}
            }
        }
        self.gate = Gate::Open;
        self.terminated = true;
    }

    /// Whether nothing is under way in either direction, and no run of extended messages waits for Sync, so that the client may be told 57P01.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pipeline.is_settled()
            && !self.run_open
            && self.client.between_frames()
            && self.server.between_frames()
            && matches!(self.gate, Gate::Open)
    }

    /// Whether a message of our own may stand in the client's stream now.
    #[must_use]
    pub fn client_at_frame_boundary(&self) -> bool {
        self.server.between_frames()
    }

    /// Whether a message of our own may stand in the server's stream now.
    #[must_use]
    pub fn server_at_frame_boundary(&self) -> bool {
        self.client.between_frames()
    }

    /// Whether the server has told the client that the session is over (an error with severity FATAL).
    #[must_use]
    pub fn server_said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// The status in the last ReadyForQuery.
    #[must_use]
    pub fn transaction(&self) -> TransactionStatus {
        self.transaction
    }

    /// Requests that wait for their reply.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pipeline.len()
    }

    /// Bytes on the heap that prepared statements, portals and layouts hold, roughly.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.statements.bytes() + self.portals.bytes() + self.charged.get()
    }
}
