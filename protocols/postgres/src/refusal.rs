//! What the server gets in place of a refused message, and the refusals that a session makes itself.
//!
//! A refused statement must leave the session where the server would have left it: earlier replies first,
//! the transaction failed, everything up to Sync skipped. So the server gets a message of the same
//! protocol that always fails: a text that does not parse fails before anything else is looked at, also in
//! a failed transaction. Its ErrorResponse is replaced by ours, all else is the server's own.
//!
//! Source: PostgreSQL manual, "Simple Query" and "Extended Query"; `exec_simple_query` and
//! `exec_parse_message` in `src/backend/tcop/postgres.c` parse before they look at the transaction.

use wire::fault::Fault;
use wire::guard::Denial;

use crate::frame;
use crate::message::client;
use crate::{backend, frontend};

/// Never valid SQL, nor a replication command.
const FAILING_TEXT: &[u8] = b"wiregate refused this statement";

/// The name of the failing statement that stands for a refused Bind or Execute: it is never created, and
/// it is not the client's.
const PRIVATE_NAME: &[u8] = b"wiregate_refused";

/// Appends a Query that fails.
pub(crate) fn failing_query(out: &mut Vec<u8>) {
    frontend::query(out, FAILING_TEXT);
}

/// Appends a Parse that fails. An unnamed one drops the unnamed statement first, as any would.
pub(crate) fn failing_parse(out: &mut Vec<u8>, unnamed: bool) {
    frame::write(out, client::PARSE, |out| {
        if !unnamed {
            out.extend_from_slice(PRIVATE_NAME);
        }
        out.push(0);
        out.extend_from_slice(FAILING_TEXT);
        out.extend_from_slice(&[0, 0, 0]);
    });
}

/// Appends the ErrorResponse that the client gets.
pub(crate) fn error(out: &mut Vec<u8>, denial: &Denial) {
    backend::error_response(out, backend::Severity::Error, &denial.sqlstate, &denial.message, denial.hint.as_deref());
}

/// The guard could not decide with what it has.
pub(crate) fn undecided() -> Denial {
    Denial {
        sqlstate: *b"42501",
        message: "the statement is refused because its tables could not be looked up at this point".into(),
        hint: Some("Send it as the first statement after a ReadyForQuery.".into()),
    }
}

/// A limit on names is reached.
pub(crate) fn too_many_names() -> Denial {
    Denial {
        sqlstate: *b"54000",
        message: "too many or too large prepared statements and portals are open in this session".into(),
        hint: Some("Close statements and portals that are not used any more.".into()),
    }
}

/// The client sent a message whose inside does not fit its frame.
pub(crate) fn malformed(error: wire::cursor::Malformed) -> Fault {
    Fault::client("malformed_message", format!("malformed message: {}", error.what))
}

/// The server sent a message whose inside does not fit its frame.
pub(crate) fn malformed_by_server(what: &'static str) -> Fault {
    Fault::server("malformed_server_message", format!("the server sent a malformed {what}"))
}
