//! The session of whichever protocol a listener speaks, as the relay sees it.
//!
//! An enum and not a trait object: the relay's calls are then a jump to code that the compiler knows, and a
//! session needs no allocation of its own. Everything that a relay must know of a protocol is asked here, so
//! that sockets, back pressure, TLS and the end of sessions are written once.

use postgres::backend::Severity;
use wire::fault::{Culprit, Fault};
use wire::output::Output;

use crate::guard::SessionGuard;

/// Why Wiregate itself ends a session, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell<'a> {
    /// A message, a limit or a peer's failure.
    Fault(&'a Fault),
    /// It was idle for too long.
    Idle,
    /// The server closed its connection without a word.
    ServerGone,
    /// Wiregate is stopping.
    Stop,
}

impl Farewell<'_> {
    /// The sentence for the client.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Fault(fault) if fault.culprit == Culprit::Server => {
                format!("the database server broke the protocol: {}", fault.message)
            }
            Self::Fault(fault) => fault.message.to_string(),
            Self::Idle => "terminating connection because it was idle for too long".to_owned(),
            Self::ServerGone => "the database server closed the connection".to_owned(),
            Self::Stop => "terminating connection because Wiregate is stopping".to_owned(),
        }
    }

    /// PostgreSQL's SQLSTATE for it.
    fn postgres_sqlstate(&self) -> [u8; 5] {
        match self {
            Self::Fault(fault) => fault.sqlstate,
            Self::Idle => *b"57P05",
            Self::ServerGone => *b"08006",
            Self::Stop => *b"57P01",
        }
    }

    /// MySQL's error number and SQLSTATE for it.
    fn mysql_code(&self) -> (u16, [u8; 5]) {
        match self {
            Self::Fault(fault) => mysql::reply::fault_code(fault),
            // ER_CLIENT_INTERACTION_TIMEOUT, as MySQL says since 8.0.24.
            Self::Idle => (4031, *b"HY000"),
            // ER_NET_READ_ERROR
            Self::ServerGone => (1158, *b"08S01"),
            // ER_SERVER_SHUTDOWN
            Self::Stop => (1053, *b"08S01"),
        }
    }
}

/// A session after authentication.
pub(crate) enum ProtocolSession {
    /// MySQL's and MariaDB's client/server protocol.
    MySql(mysql::session::Session<SessionGuard>),
    /// PostgreSQL's frontend/backend protocol.
    Postgres(postgres::session::Session<SessionGuard>),
}

impl ProtocolSession {
    /// Plaintext from the client. Returns how much of it was taken.
    pub(crate) fn on_client(
        &mut self,
        chunk: &mut [u8],
        guard: &mut SessionGuard,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        match self {
            Self::MySql(session) => session.on_client(chunk, guard, out),
            Self::Postgres(session) => session.on_client(chunk, guard, out),
        }
    }

    /// Plaintext from the server. Returns how much of it was taken.
    pub(crate) fn on_server(
        &mut self,
        chunk: &mut [u8],
        guard: &mut SessionGuard,
        out: &mut Output,
    ) -> Result<usize, Fault> {
        match self {
            Self::MySql(session) => session.on_server(chunk, guard, out),
            Self::Postgres(session) => session.on_server(chunk, guard, out),
        }
    }

    /// The connection to either side ended: whatever is in flight is reported as abandoned.
    pub(crate) fn on_closed(&mut self, guard: &mut SessionGuard) {
        match self {
            Self::MySql(session) => session.on_closed(guard),
            Self::Postgres(session) => session.on_closed(guard),
        }
    }

    /// Whether the client's direction waits for a decision or for the catalogue.
    pub(crate) fn client_blocked(&self) -> bool {
        match self {
            Self::MySql(session) => session.client_blocked(),
            Self::Postgres(session) => session.client_blocked(),
        }
    }

    /// Whether nothing is under way in either direction.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::MySql(session) => session.is_idle(),
            Self::Postgres(session) => session.is_idle(),
        }
    }

    /// Whether the server has told the client that the session is over.
    pub(crate) fn server_said_goodbye(&self) -> bool {
        match self {
            Self::MySql(session) => session.server_said_goodbye(),
            Self::Postgres(session) => session.server_said_goodbye(),
        }
    }

    /// The message that tells the client why the session ends; `None` where none may stand in its stream now, or it
    /// has been told.
    pub(crate) fn farewell(&self, why: Farewell<'_>) -> Option<Vec<u8>> {
        match self {
            Self::MySql(session) => (session.client_at_frame_boundary() && !session.server_said_goodbye()).then(|| {
                let (code, sqlstate) = why.mysql_code();
                let mut message = Vec::new();
                session.farewell(code, &sqlstate, &why.text(), &mut message);
                message
            }),
            Self::Postgres(session) => session.client_at_frame_boundary().then(|| {
                let (text, sqlstate) = (why.text(), why.postgres_sqlstate());
                let mut message = Vec::new();
                postgres::backend::error_response(&mut message, Severity::Fatal, &sqlstate, &text, None);
                message
            }),
        }
    }

    /// The message that tells the server that the session ends; `None` where none may stand in its stream now.
    pub(crate) fn terminate(&self) -> Option<Vec<u8>> {
        match self {
            Self::MySql(session) => session.server_at_frame_boundary().then(|| {
                let mut message = Vec::new();
                mysql::session::write_quit(&mut message);
                message
            }),
            Self::Postgres(session) => session.server_at_frame_boundary().then(|| {
                let mut message = Vec::new();
                postgres::frontend::terminate(&mut message);
                message
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_farewell_names_the_server_where_the_server_is_at_fault() {
        let client = Fault::client("oversized_frame", "a message is too long");
        let server = Fault::server("oversized_frame", "a message is too long");
        assert_eq!(Farewell::Fault(&client).text(), "a message is too long");
        assert_eq!(Farewell::Fault(&server).text(), "the database server broke the protocol: a message is too long");
        assert_eq!(Farewell::Fault(&client).postgres_sqlstate(), *b"08P01");
        assert_eq!(Farewell::Stop.postgres_sqlstate(), *b"57P01");
        assert_eq!(Farewell::Stop.mysql_code(), (1053, *b"08S01"));
    }
}
