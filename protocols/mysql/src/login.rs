//! Another user on the same connection: COM_CHANGE_USER.
//!
//! ```text
//!   passthrough   client ──COM_CHANGE_USER──► server ◄── what they say to each other ──► client
//!   gateway       client ──COM_CHANGE_USER──► us: AuthSwitch, with the greeting's challenge ──► client
//!                 client ──answers──► us ─┬─ wrong: ERR; the connection ends
//!                                         └─ right: COM_CHANGE_USER with our own account ──► server
//!                 server ─┬─ OK  ──► client: another user's session begins
//!                         └─ ERR ──► client: what concerns it; the connection ends
//! ```
//!
//! Either way nothing else is under way: the message waits until all before it are answered, and what comes
//! behind it until the new session's settings are known. A server leaves nothing of the session before: no
//! statements, variables, temporary tables or transaction.
//!
//! MySQL closes the connection where the change fails; MariaDB goes on as the user before, in a session that
//! is reset all the same.
//!
//! It must never let the rules of the user before hold for a statement of the one after, nor the other way
//! round.
//!
//! Source: MySQL documentation, "COM_CHANGE_USER"; `acl_authenticate` and COM_CHANGE_USER in MariaDB's
//! `sql/sql_parse.cc`.

use wire::fault::{Culprit, Fault};
use wire::guard::Guard;

use crate::auth::ChangeUser;
use crate::auth::client::ClientAuth;
use crate::auth::gatekeeper::{self, Gatekeeper};
use crate::auth::passthrough::{Passthrough, Relayed};
use crate::auth::upstream::{self, Channel, UpstreamAuth, UpstreamProgress};
use crate::client::ClientMode;
use crate::commands::{Part, Step, denied, malformed, refused};
use crate::constant::{header, status};
use crate::pipeline::{Answer, Entry};
use crate::reply::{self, ErrPacket};
use crate::server::{Message, out_of_turn};
use crate::session::{Gate, Output, Session};

/// A change that is under way.
pub(crate) enum Login {
    /// The server checks the user.
    Relayed(Passthrough),
    /// We check the user.
    Checked(ClientAuth),
    /// The user is the one; our own account logs in anew.
    Entering(UpstreamAuth),
}

impl Login {
    /// Whether the client has the word.
    pub(crate) fn awaits_client(&self) -> bool {
        match self {
            Self::Relayed(login) => login.awaits_client(),
            Self::Checked(_) => true,
            Self::Entering(_) => false,
        }
    }
}

/// What a COM_CHANGE_USER asks for, kept while it is under way.
pub(crate) struct Change {
    user: Box<[u8]>,
    database: Box<[u8]>,
    collation: [u8; 2],
    attributes: Box<[u8]>,
}

impl<G: Guard> Session<G> {
    /// COM_CHANGE_USER.
    pub(crate) fn change_user(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        if !self.is_drained() {
            self.gate = Gate::Drain;
            return Ok(Step::Blocked);
        }
        self.gate = Gate::Open;
        let Ok(change) = ChangeUser::parse(part.body(), self.options.client) else { return Ok(malformed()) };
        if let Err(denial) = guard.change_user(change.user, change.database) {
            return Ok(denied(denial));
        }
        let kept = Box::new(Change {
            user: change.user.into(),
            database: change.database.into(),
            collation: change.collation,
            attributes: change.attributes.into(),
        });
        let Some(gatekeeper) = self.gatekeeper.clone() else { return self.relay_change(part, &change, kept, out) };
        let challenge = gatekeeper.challenge();
        let claim = gatekeeper.claim(change.user, self.options.client_secure);
        self.pipeline.push(Entry::ChangeUser(kept))?;
        let mut seq = part.header.seq.wrapping_add(1);
        let mut said = Vec::new();
        let login = ClientAuth::again(change.user, claim, change.plugin, &challenge, &mut seq, &mut said);
        out.to_client.push_owned(&said);
        self.server.next_seq = seq;
        self.login = Some(Box::new(Login::Checked(login)));
        Ok(Step::Done(ClientMode::Swallow(None)))
    }

    /// The server checks the user.
    fn relay_change(
        &mut self,
        part: &Part<'_>,
        change: &ChangeUser<'_>,
        kept: Box<Change>,
        out: &mut Output,
    ) -> Result<Step, Fault> {
        let (client, server) = (self.options.client_secure, self.options.server_secure);
        match Passthrough::new(change.plugin, change.auth, client, server) {
            Ok(login) => self.login = Some(Box::new(Login::Relayed(login))),
            Err(fault) => {
                let (code, sqlstate) = reply::fault_code(&fault);
                return Ok(refused(Answer::Error(code, sqlstate, fault.message)));
            }
        }
        self.pipeline.push(Entry::ChangeUser(kept))?;
        Ok(Step::Done(part.forward(out)))
    }

    /// What the client says while another user logs in.
    pub(crate) fn login_answer(&mut self, part: &Part<'_>, guard: &mut G, out: &mut Output) -> Result<Step, Fault> {
        if !part.is_whole() {
            return Err(Fault::client("oversized_handshake", "a packet of the login is longer than the limit"));
        }
        match self.login.take().map(|login| *login) {
            Some(Login::Relayed(mut login)) => {
                login.on_client()?;
                self.login = Some(Box::new(Login::Relayed(login)));
                self.server.expected = Some(part.header.seq.wrapping_add(1));
                Ok(Step::Done(part.forward(out)))
            }
            Some(Login::Checked(login)) => {
                let mut seq = part.header.seq.wrapping_add(1);
                let mut said = Vec::new();
                let progress = login.on_message(part.payload, &mut seq, &mut said);
                out.to_client.push_owned(&said);
                self.server.next_seq = seq;
                self.check(progress, guard, out)?;
                Ok(Step::Done(ClientMode::Swallow(None)))
            }
            Some(Login::Entering(_)) | None => {
                let text = "authentication message that nobody asked for";
                Err(Fault::client("malformed_authentication", text))
            }
        }
    }

    /// Goes on where the client's last message has left our own check.
    fn check(
        &mut self,
        progress: Result<crate::auth::client::ClientProgress, Fault>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let (Some(Entry::ChangeUser(change)), Some(gatekeeper)) = (self.pipeline.front(), self.gatekeeper.clone())
        else {
            return Err(out_of_turn());
        };
        match progress.and_then(|progress| gatekeeper::settle(progress, &change.user, &*gatekeeper)) {
            Ok(Some(login)) => self.login = Some(Box::new(Login::Checked(login))),
            Ok(None) => {
                let login = enter(change, &*gatekeeper, &self.options, out);
                self.login = Some(Box::new(login.ok_or_else(|| {
                    Fault::new(Culprit::Gateway, b"XX000", "internal", "the listener does not log in by itself")
                })?));
            }
            Err(fault) => return Err(self.end_login(fault, guard, out)),
        }
        Ok(())
    }

    /// What the server says while another user logs in.
    pub(crate) fn login_reply(&mut self, message: Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        match self.login.take().map(|login| *login) {
            Some(Login::Relayed(mut login)) => match login.on_server(message.payload)? {
                Relayed::ToClient | Relayed::ToServer => {
                    self.login = Some(Box::new(Login::Relayed(login)));
                    self.pass(&message, out);
                    Ok(())
                }
                Relayed::Failed { code } => {
                    let sqlstate = ErrPacket::parse(message.payload).map_or(*b"HY000", |err| err.sqlstate);
                    self.not_changed(&message, code, sqlstate, guard, out)
                }
                Relayed::Done => self.changed(&message, guard, out),
            },
            Some(Login::Entering(login)) => self.enter_reply(login, &message, guard, out),
            // It asked for nothing yet: it can only say that it goes.
            Some(Login::Checked(_)) if message.payload.first() == Some(&header::ERR) => {
                self.said_goodbye = true;
                self.server.shift = self.server.next_seq.wrapping_sub(message.seq);
                self.pass(&message, out);
                self.pipeline.pop();
                Ok(())
            }
            Some(Login::Checked(_)) | None => Err(out_of_turn()),
        }
    }

    /// What the server says to our own account.
    fn enter_reply(
        &mut self,
        login: UpstreamAuth,
        message: &Message<'_>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let mut said = Vec::new();
        let progress = login.on_reply(message.payload, message.seq, &mut said);
        out.to_server.push_owned(&said);
        if !said.is_empty() {
            // The packet that was said.
            self.server.expected = Some(message.seq.wrapping_add(2));
        }
        match progress {
            Ok(UpstreamProgress::Done) => {
                // The two legs have counted apart.
                self.server.shift = self.server.next_seq.wrapping_sub(message.seq);
                self.changed(message, guard, out)
            }
            Ok(UpstreamProgress::More(login)) => {
                self.login = Some(Box::new(Login::Entering(login)));
                Ok(())
            }
            Ok(UpstreamProgress::Encrypt(encrypt)) => {
                let gatekeeper = self.gatekeeper.clone();
                let cipher = gatekeeper.and_then(|keeper| keeper.encrypt(&encrypt.key, encrypt.password.expose()));
                let Some(cipher) = cipher else {
                    let text = "the database server sent no usable RSA key for the login";
                    return Err(self.end_login(Fault::server("upstream_key", text), guard, out));
                };
                let login = encrypt.encrypted(&cipher, &mut said);
                out.to_server.push_owned(&said);
                self.server.expected = Some(message.seq.wrapping_add(2));
                self.login = Some(Box::new(Login::Entering(login)));
                Ok(())
            }
            Err(fault) => Err(self.end_login(upstream::told(fault, message.payload), guard, out)),
        }
    }

    /// The server's OK: the session is another user's.
    fn changed(&mut self, message: &Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        self.statements.clear();
        // Before the changes that the OK tells of.
        guard.session_reset();
        self.end(message, guard, out)?;
        let entry = self.pipeline.pop();
        self.server.next_command();
        if self.status & status::IN_TRANS == 0 {
            guard.transaction_ended();
        }
        if let Some(Entry::ChangeUser(change)) = entry {
            guard.user_changed(&change.user, &change.database);
            self.start_settings(guard, out)?;
        }
        Ok(())
    }

    /// The server's ERR. Where it does not close the connection, the user before goes on in a new session.
    fn not_changed(
        &mut self,
        message: &Message<'_>,
        code: u16,
        sqlstate: [u8; 5],
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        self.pass(message, out);
        self.said_goodbye = true;
        self.statements.clear();
        guard.session_reset();
        guard.user_not_changed("server_refused", code, sqlstate);
        self.pipeline.pop();
        self.server.next_command();
        self.start_settings(guard, out)
    }

    /// Tells the client why it is nobody now; the session is over.
    fn end_login(&mut self, fault: Fault, guard: &mut G, out: &mut Output) -> Fault {
        let (code, sqlstate) = reply::fault_code(&fault);
        guard.user_not_changed(fault.reason, code, sqlstate);
        let mut seq = self.server.next_seq;
        out.to_client.write_owned(|owned| reply::write_fault(owned, &mut seq, &fault));
        self.said_goodbye = true;
        self.pipeline.pop();
        fault
    }
}

/// Has our own account log in anew; `None` where there is none.
fn enter(
    change: &Change,
    gatekeeper: &dyn Gatekeeper,
    options: &crate::session::SessionOptions,
    out: &mut Output,
) -> Option<Login> {
    let credentials = gatekeeper.credentials()?;
    let asked = ChangeUser {
        user: &change.user,
        auth: &[],
        database: &change.database,
        collation: change.collation,
        plugin: &[],
        attributes: &change.attributes,
    };
    out.to_server.write_owned(|owned| upstream::write_change(&credentials.user, &asked, options.server, owned));
    let channel = if options.server_secure { Channel::Tls } else { Channel::Plain };
    Some(Login::Entering(UpstreamAuth::again(credentials.password, channel)))
}
