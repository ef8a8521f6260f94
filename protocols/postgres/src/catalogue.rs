//! Our own query for the catalogue, run between two requests of the client, who never sees it.
//!
//! It is a simple query of several statements. Everything that answers it is swallowed, rows go to the
//! guard, and the client's direction stands still until ReadyForQuery. Notices, parameter changes and
//! notifications still pass. A load that fails, or is larger than [`limits::CATALOGUE_BYTES`], is reported
//! as failed; what came of it before is the guard's to throw away.
//!
//! It may assume that the queue was empty when the query was sent. It must never let a byte of the answer
//! reach the client.
//!
//! Source: PostgreSQL manual, "Simple Query" under "Message Flow".

use wire::cursor::Cursor;
use wire::fault::Fault;
use wire::guard::Guard;
use wire::limits;

use crate::frame::Frame;
use crate::message::{self, server};
use crate::pipeline::Entry;
use crate::refusal::malformed_by_server;
use crate::server::out_of_turn;
use crate::session::{Gate, Session};

impl<G: Guard> Session<G> {
    /// Whether replies belong to the query for the catalogue.
    pub(crate) fn catalogue_loading(&self) -> bool {
        matches!(self.pipeline.front(), Some(Entry::Catalogue))
    }

    /// The server refused the query, or a part of it.
    pub(crate) fn catalogue_failed(&mut self) {
        if let Gate::Loading(load) = &mut self.gate {
            load.failed = true;
        }
    }

    /// A row was larger than may be held.
    pub(crate) fn catalogue_overflow(&mut self) {
        self.catalogue_failed();
    }

    /// Takes up one whole reply.
    pub(crate) fn catalogue_reply(&mut self, frame: &Frame<'_>, guard: &mut G) -> Result<(), Fault> {
        let Gate::Loading(load) = &mut self.gate else { return Err(out_of_turn(frame.kind())) };
        match frame.kind() {
            server::ROW_DESCRIPTION => {}
            server::DATA_ROW => {
                load.bytes += frame.bytes.len();
                load.failed |= load.bytes > limits::CATALOGUE_BYTES;
                if !load.failed {
                    let cells = cells(frame.body()).ok_or_else(|| malformed_by_server("DataRow"))?;
                    guard.catalogue_row(load.result, &cells);
                }
            }
            server::COMMAND_COMPLETE | server::EMPTY_QUERY_RESPONSE => load.result += 1,
            server::READY_FOR_QUERY => {
                let status = frame.body().first().copied().and_then(message::transaction_status);
                let status = status.ok_or_else(|| malformed_by_server("ReadyForQuery"))?;
                guard.catalogue_done(!load.failed);
                self.gate = Gate::Tried;
                self.pipeline.pop();
                self.server.next_request();
                self.became_ready(status);
            }
            kind => return Err(out_of_turn(kind)),
        }
        Ok(())
    }
}

/// The cells of a DataRow.
fn cells(body: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut cursor = Cursor::new(body);
    let count = usize::from(cursor.u16("count").ok()?);
    let mut cells = Vec::with_capacity(count.min(body.len() / 4 + 1));
    for _ in 0..count {
        cells.push(match cursor.i32("length").ok()? {
            -1 => None,
            length => Some(cursor.bytes(usize::try_from(length).ok()?, "cell").ok()?),
        });
    }
    cursor.is_empty().then_some(cells)
}
