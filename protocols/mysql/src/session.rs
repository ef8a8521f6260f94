//! One MySQL session after authentication, without IO.
//!
//! ```text
//!              on_client(chunk)                         on_server(chunk)
//!                    │                                        │
//!        ┌───────────▼───────────┐   commands    ┌────────────▼────────────┐
//!        │ client.rs, commands.rs│──► pipeline ──►│ server.rs, replies.rs   │
//!        │ judge, refuse, forward│   statements   │ plan, mask, scrub, pass │
//!        └───────────┬───────────┘                └────────────┬────────────┘
//!                to_server                                  to_client
//! ```
//!
//! Both directions run at once: a client may send a hundred commands before the first reply. The client's
//! direction stands still ([`Session::client_blocked`]) only while a human decides, the catalogue is read, or
//! the server thinks about another user:
//!
//! ```text
//!   Open ──Hold──────────────► Held ──on_decision──► Decided ─┐
//!     ├────CatalogueNeeded────► Loading ──last reply──► Tried ─┼─► the message is taken up again ─► Open
//!     ├────COM_CHANGE_USER────► Drain ──all answered───────────┘
//!     └────COM_RESET_CONNECTION ► Drain ► Resetting ──OK──► Loading (the settings) ──► Open
//!          (a SET that unsettles)
//! ```
//!
//! A refused command is not sent: in MySQL an error fails no transaction and skips no command, so our answer
//! in its turn leaves the session where the server would have left it.
//!
//! It may assume that its caller hands over chunks in order, each once. It must never forward a client
//! message that the guard has not let through, nor a server message that no command asked for.
//!
//! Source: MySQL documentation, "Command Phase".

use std::rc::Rc;

use wire::fault::Fault;
use wire::guard::{Denial, Guard};
pub use wire::output::Output;

use crate::auth::gatekeeper::Gatekeeper;
use crate::capability::Capabilities;
use crate::catalogue::CatalogueLoad;
use crate::client::ClientSide;
use crate::constant::status;
use crate::login::Login;
use crate::pipeline::{Entry, Pipeline};
use crate::reply;
use crate::rows::Scratch;
use crate::server::ServerSide;
use crate::statements::Statements;

/// What the set-up knows of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// What holds on the client's leg: [`Capabilities::agree`].
    pub client: Capabilities,
    /// What holds on the server's leg: [`Capabilities::toward_server`].
    pub server: Capabilities,
    /// The status flags in the OK that ended the server's login.
    pub status: u16,
    /// Whether the binary log and its kin may be read (COM_BINLOG_DUMP, COM_REGISTER_SLAVE) where
    /// [`Guard::may_replicate`] says so too: all data leaves by it unmasked.
    pub replication: bool,
    /// Whether the client's leg is encrypted, or a socket of this machine.
    pub client_secure: bool,
    /// Whether the server's leg is.
    pub server_secure: bool,
}

/// Whether the client's direction moves.
pub(crate) enum Gate<S> {
    /// It moves.
    Open,
    /// A human decides about the next message.
    Held(S),
    /// Decided; to be taken up when the client's direction is called next.
    Decided(S, Result<(), Denial>),
    /// The next message waits until all before it are answered.
    Drain,
    /// The server resets the session, or runs what may change its settings: what comes next is read under those.
    Resetting,
    /// The catalogue is being read for the next message.
    Loading(CatalogueLoad),
    /// The catalogue was read or could not be; the next message is judged again.
    Tried,
}

/// A session between one client and one server.
pub struct Session<G: Guard> {
    pub(crate) options: SessionOptions,
    /// Status flags in the last OK or EOF.
    pub(crate) status: u16,
    pub(crate) pipeline: Pipeline<G>,
    pub(crate) statements: Statements<G>,
    pub(crate) gate: Gate<G::Statement>,
    /// The login of another user that is under way.
    pub(crate) login: Option<Box<Login>>,
    /// Who checks the client, where the gateway does.
    pub(crate) gatekeeper: Option<Rc<dyn Gatekeeper>>,
    pub(crate) said_goodbye: bool,
    pub(crate) terminated: bool,
    pub(crate) client: ClientSide,
    pub(crate) server: ServerSide<G>,
    pub(crate) scratch: Scratch,
}

impl<G: Guard> Session<G> {
    /// A session after both legs' OK.
    #[must_use]
    pub fn new(options: SessionOptions) -> Self {
        Self {
            options,
            status: options.status,
            pipeline: Pipeline::new(),
            statements: Statements::new(),
            gate: Gate::Open,
            login: None,
            gatekeeper: None,
            said_goodbye: false,
            terminated: false,
            client: ClientSide::new(),
            server: ServerSide::new(),
            scratch: Scratch::default(),
        }
    }

    /// The same where the gateway checks the client itself: also when that wants to become another user.
    #[must_use]
    pub fn checked_by(self, gatekeeper: Rc<dyn Gatekeeper>) -> Self {
        Self { gatekeeper: Some(gatekeeper), ..self }
    }

    /// Whether all commands are answered, to the last byte.
    pub(crate) fn is_drained(&self) -> bool {
        self.pipeline.is_empty() && self.server.nothing_half_sent()
    }

    /// Whether the client's direction waits for a decision, the catalogue, or the server's word on a login.
    #[must_use]
    pub fn client_blocked(&self) -> bool {
        match &self.gate {
            Gate::Held(_) | Gate::Loading(_) | Gate::Resetting => true,
            Gate::Drain => !self.is_drained(),
            _ => self.login.as_ref().is_some_and(|login| !login.awaits_client()),
        }
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
                Entry::Run(run) if !run.silenced => guard.abandoned(run.execution),
                Entry::Catalogue => guard.catalogue_done(false),
                _ => {}
            }
        }
        self.gate = Gate::Open;
        self.login = None;
        self.terminated = true;
    }

    /// Whether nothing is under way in either direction, so that the client may be told to go.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pipeline.is_empty()
            && self.client.between_messages()
            && self.server.between_messages()
            && matches!(self.gate, Gate::Open)
    }

    /// Whether a message of our own may stand in the client's stream now.
    #[must_use]
    pub fn client_at_frame_boundary(&self) -> bool {
        self.server.nothing_half_sent()
    }

    /// Whether a message of our own may stand in the server's stream now.
    #[must_use]
    pub fn server_at_frame_boundary(&self) -> bool {
        self.client.nothing_half_sent()
    }

    /// Whether the server has told the client that the session is over.
    #[must_use]
    pub fn server_said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// Whether a transaction is open, as the last OK or EOF said.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.status & status::IN_TRANS != 0
    }

    /// Commands that wait for their reply.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pipeline.len()
    }

    /// Bytes on the heap that prepared statements hold, roughly.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.statements.bytes()
    }

    /// Appends the ERR that tells the client why its session ends, with the sequence id that it waits for. To
    /// be sent only where [`Session::client_at_frame_boundary`] holds. [`crate::reply::fault_code`] names code
    /// and SQLSTATE of a fault.
    pub fn farewell(&self, code: u16, sqlstate: &[u8; 5], text: &str, out: &mut Vec<u8>) {
        let mut seq = self.server.next_seq;
        reply::write_err(out, &mut seq, code, sqlstate, text.as_bytes());
    }
}

/// Appends the COM_QUIT that ends a session with the server. To be sent only where
/// [`Session::server_at_frame_boundary`] holds.
pub fn write_quit(out: &mut Vec<u8>) {
    crate::packet::write(out, &mut 0, |out| out.push(crate::constant::command::QUIT));
}
