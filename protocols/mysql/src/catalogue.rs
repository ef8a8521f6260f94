//! Our own queries, run between two commands of the client, who never sees them: for the catalogue, and for the
//! settings of a session that was reset.
//!
//! One COM_QUERY for each statement, one after the other: several in one text would need a capability that
//! the client's leg may not have. Everything that answers is swallowed, rows go to the guard, and the
//! client's direction stands still until the last. A load that fails, or is larger than
//! [`limits::CATALOGUE_BYTES`], is reported as failed; what came of it before is the guard's to throw away.
//!
//! It may assume that the queue was empty when the first query was sent. It must never let a byte of an
//! answer reach the client.

use std::collections::VecDeque;

use wire::cursor::Cursor;
use wire::fault::Fault;
use wire::guard::Guard;
use wire::limits;

use crate::capability::Capabilities;
use crate::constant::{command, header, status};
use crate::lenenc;
use crate::packet;
use crate::pipeline::Entry;
use crate::reply::{self, OkPacket};
use crate::server::{Message, malformed_by_server, out_of_turn};
use crate::session::{Gate, Output, Session};
use crate::value;

/// How far the reading of the catalogue is.
pub(crate) struct CatalogueLoad {
    /// Queries to come.
    queries: VecDeque<String>,
    /// Queries that ended.
    result: usize,
    stage: Stage,
    /// Bytes of rows so far.
    bytes: usize,
    failed: bool,
    /// They are about settings.
    settings: bool,
}

/// What the answer to one query is in the middle of.
enum Stage {
    Start,
    Columns { left: u64, columns: usize },
    ColumnsEnd { columns: usize },
    Rows { columns: usize },
}

impl<G: Guard> Session<G> {
    /// Sends the first query for the catalogue.
    pub(crate) fn start_catalogue(&mut self, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let queries = guard.catalogue_queries();
        self.start_queries(queries, false, guard, out)
    }

    /// Sends the first query for the settings, where there is one.
    pub(crate) fn start_settings(&mut self, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        let queries = guard.settings_queries();
        self.gate = Gate::Open;
        if queries.is_empty() { Ok(()) } else { self.start_queries(queries, true, guard, out) }
    }

    /// Has the server tell what a statement that unsettled the session has left, once that is answered.
    pub(crate) fn ask_settings(&mut self, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        if !matches!(self.gate, Gate::Resetting) || !self.is_drained() {
            return Ok(());
        }
        guard.settings_in_doubt();
        self.start_settings(guard, out)
    }

    fn start_queries(
        &mut self,
        queries: Vec<String>,
        settings: bool,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        self.pipeline.push(Entry::Catalogue)?;
        let (result, stage) = (0, Stage::Start);
        let load = CatalogueLoad { queries: queries.into(), result, stage, bytes: 0, failed: false, settings };
        self.gate = Gate::Loading(load);
        self.next_query(guard, out);
        Ok(())
    }

    /// The load cannot succeed any more.
    pub(crate) fn catalogue_failed(&mut self) {
        if let Gate::Loading(load) = &mut self.gate {
            load.failed = true;
        }
    }

    /// Sends the next query, or ends the load.
    fn next_query(&mut self, guard: &mut G, out: &mut Output) {
        let Gate::Loading(load) = &mut self.gate else { return };
        load.stage = Stage::Start;
        self.server.fresh = true;
        if !load.failed
            && let Some(query) = load.queries.pop_front()
        {
            let attributes = self.options.server.has(Capabilities::QUERY_ATTRIBUTES);
            out.to_server.write_owned(|owned| {
                packet::write(owned, &mut 0, |owned| {
                    owned.push(command::QUERY);
                    if attributes {
                        // No attributes, one set of them.
                        owned.extend_from_slice(&[0, 1]);
                    }
                    owned.extend_from_slice(query.as_bytes());
                });
            });
            return;
        }
        let (succeeded, settings) = (!load.failed, load.settings);
        // What waits was not judged before: the settings were in the way of that.
        self.gate = if settings { Gate::Open } else { Gate::Tried };
        self.pipeline.pop();
        self.server.next_command();
        if settings {
            // A server that answers has not gone, whatever it said before.
            self.said_goodbye = false;
        } else {
            guard.catalogue_done(succeeded);
        }
    }

    /// Takes up one whole reply.
    pub(crate) fn catalogue_reply(
        &mut self,
        message: &Message<'_>,
        guard: &mut G,
        out: &mut Output,
    ) -> Result<(), Fault> {
        let deprecates_eof = self.deprecates_eof();
        let tracked = self.options.server.has(Capabilities::SESSION_TRACK);
        let payload = &*message.payload;
        let Gate::Loading(load) = &mut self.gate else { return Err(out_of_turn()) };
        let first = payload.first().copied().unwrap_or_default();
        let is_eof = first == header::EOF && (deprecates_eof || payload.len() < 9);
        match &mut load.stage {
            _ if first == header::ERR => {
                load.failed = true;
                self.next_query(guard, out);
            }
            Stage::Start if first == header::OK => {
                self.status = ok_status(payload, tracked)?;
                load.result += 1;
                self.next_query(guard, out);
            }
            Stage::Start => {
                let left = lenenc::int(&mut Cursor::new(payload), "column count");
                let left = left.map_err(|_| malformed_by_server("column count"))?;
                let columns = usize::try_from(left).unwrap_or(usize::MAX);
                if !(1..=65_535).contains(&left) {
                    return Err(malformed_by_server("column count"));
                }
                load.stage = Stage::Columns { left, columns };
            }
            Stage::Columns { left, columns } => {
                *left -= 1;
                let columns = *columns;
                if *left == 0 {
                    load.stage = if deprecates_eof { Stage::Rows { columns } } else { Stage::ColumnsEnd { columns } };
                }
            }
            Stage::ColumnsEnd { columns } if is_eof => load.stage = Stage::Rows { columns: *columns },
            Stage::Rows { .. } if is_eof => {
                self.status = match payload.len() {
                    ..=5 => reply::eof_status(payload).map_err(|_| malformed_by_server("EOF packet"))?,
                    _ => ok_status(payload, tracked)?,
                };
                if self.status & status::MORE_RESULTS != 0 {
                    return Err(out_of_turn());
                }
                load.result += 1;
                self.next_query(guard, out);
            }
            Stage::Rows { columns } => {
                load.bytes += payload.len();
                load.failed |= load.bytes > limits::CATALOGUE_BYTES;
                if !load.failed {
                    let cells = cells(payload, *columns).ok_or_else(|| malformed_by_server("row"))?;
                    match load.settings {
                        true => guard.settings_row(load.result, &cells),
                        false => guard.catalogue_row(load.result, &cells),
                    }
                }
            }
            Stage::ColumnsEnd { .. } => return Err(out_of_turn()),
        }
        Ok(())
    }
}

fn ok_status(payload: &[u8], tracked: bool) -> Result<u16, Fault> {
    OkPacket::parse(payload, tracked).map(|ok| ok.status).map_err(|_| malformed_by_server("OK packet"))
}

/// The cells of a text row.
fn cells(payload: &[u8], columns: usize) -> Option<Vec<Option<&[u8]>>> {
    let mut cells = Vec::with_capacity(columns.min(payload.len()));
    let mut at = 0;
    for _ in 0..columns {
        match value::text_field(payload.get(at..)?)? {
            None => {
                at += 1;
                cells.push(None);
            }
            Some((prefix, length)) => {
                let start = at + prefix;
                let end = start.checked_add(length)?;
                cells.push(Some(payload.get(start..end)?));
                at = end;
            }
        }
    }
    (at == payload.len()).then_some(cells)
}
