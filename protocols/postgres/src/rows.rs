//! Masks DataRow frames under a plan.
//!
//! Rows come in batches of whole frames, as many as lie in the chunk. A row without a hint from a detector
//! is skipped by its header; others are walked cell by cell. A row whose length a mask changes is rebuilt;
//! all others stay where they lie. A row too large to be gathered is masked as it streams by
//! ([`RowStream`]): then cells under any treatment are overwritten, their lengths stay.
//!
//! It may assume that headers were checked. It must never let a row pass whose cells do not fill its frame
//! exactly, or whose column count is not the plan's.
//!
//! Source: PostgreSQL manual, "Message Formats", DataRow.

use std::ops::Range;

use wire::fault::Fault;
use wire::guard::{CellOutcome, Guard, Treatment};
use wire::segments::Segments;

use crate::frame::{self, HEADER_BYTES, Header};
use crate::message::server;

/// The plan of one result, with what is asked of it again and again.
pub(crate) struct Rows<P> {
    pub(crate) plan: P,
    pub(crate) treatments: Box<[Treatment]>,
    pub(crate) every_row: bool,
    pub(crate) detects: bool,
}

impl<P> Rows<P> {
    /// Asks the guard about each of `columns` columns.
    pub(crate) fn new<G: Guard<Plan = P>>(guard: &G, plan: P, columns: usize) -> Self {
        let treatments: Box<[Treatment]> = (0..columns).map(|column| guard.treatment(&plan, column)).collect();
        let detects = treatments.contains(&Treatment::Detect);
        let every_row = guard.masks_every_row(&plan) || treatments.contains(&Treatment::Mask);
        Self { plan, treatments, every_row, detects }
    }

    pub(crate) fn treatment(&self, column: usize) -> Treatment {
        self.treatments.get(column).copied().unwrap_or(Treatment::Mask)
    }
}

/// A cell that does not stay in place: where its length field starts, where it ends, what comes instead.
pub(crate) struct Change {
    at: Range<usize>,
    value: Option<Vec<u8>>,
}

/// Memory that is used again for each batch.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) hits: Vec<u32>,
    pub(crate) changes: Vec<Change>,
}

impl Scratch {
    /// Gives back what an idle session should not hold.
    pub(crate) fn trim(&mut self) {
        if self.hits.capacity() > 64 {
            self.hits = Vec::new();
        }
        if self.changes.capacity() > 16 {
            self.changes = Vec::new();
        }
    }
}

pub(crate) fn malformed_row() -> Fault {
    Fault::server("malformed_row", "the server sent a row that does not fit its description")
}

/// The detector's hints for a batch, if the plan has detectors.
pub(crate) fn hints<G: Guard>(rows: &Rows<G::Plan>, batch: &[u8], guard: &mut G, hits: &mut Vec<u32>) {
    hits.clear();
    if rows.detects {
        guard.candidates(&rows.plan, batch, hits);
    }
}

/// Hints, ascending, that are taken from the front as the walk goes on.
#[derive(Clone, Copy)]
pub(crate) struct Hits<'a> {
    left: &'a [u32],
}

impl<'a> Hits<'a> {
    pub(crate) fn new(all: &'a [u32]) -> Self {
        Self { left: all }
    }

    fn first(self) -> Option<usize> {
        self.left.first().map(|hit| usize::try_from(*hit).unwrap_or(usize::MAX))
    }

    /// Whether a hint lies in the range; earlier ones are forgotten.
    pub(crate) fn any(&mut self, range: &Range<usize>) -> bool {
        while let Some(hit) = self.first()
            && hit < range.start
        {
            self.left = self.left.get(1..).unwrap_or_default();
        }
        self.first().is_some_and(|hit| hit < range.end)
    }
}

/// Masks the whole DataRow frames in `chunk[range]` and passes them on.
///
/// # Errors
/// A fault of the server when a row does not fit its description.
pub(crate) fn mask_batch<G: Guard>(
    rows: &Rows<G::Plan>,
    chunk: &mut [u8],
    range: Range<usize>,
    guard: &mut G,
    scratch: &mut Scratch,
    segments: &mut Segments,
) -> Result<(), Fault> {
    let batch = chunk.get_mut(range.clone()).ok_or_else(malformed_row)?;
    let mut hits = std::mem::take(&mut scratch.hits);
    hints(rows, batch, guard, &mut hits);
    let mut left = Hits::new(&hits);
    let mut passed = 0;
    let mut at = 0;
    while let Some(header) = Header::peek(batch.get(at..).unwrap_or_default()).map_err(|_| malformed_row())? {
        let row = at..at + header.total();
        if rows.every_row || left.any(&row) {
            let frame = batch.get_mut(row.clone()).ok_or_else(malformed_row)?;
            if mask_row(rows, frame, at, left, guard, &mut scratch.changes)? {
                segments.push_chunk(range.start + passed..range.start + at);
                segments.write_owned(|owned| rebuild(frame, &scratch.changes, owned));
                passed = row.end;
            }
        }
        at = row.end;
    }
    segments.push_chunk(range.start + passed..range.end);
    scratch.hits = hits;
    Ok(())
}

/// Masks one gathered row and passes it on.
///
/// # Errors
/// A fault of the server when the row does not fit its description.
pub(crate) fn mask_gathered<G: Guard>(
    rows: &Rows<G::Plan>,
    frame: &mut [u8],
    guard: &mut G,
    scratch: &mut Scratch,
    segments: &mut Segments,
) -> Result<(), Fault> {
    let mut hits = std::mem::take(&mut scratch.hits);
    hints(rows, frame, guard, &mut hits);
    let mut left = Hits::new(&hits);
    let changed =
        (rows.every_row || left.any(&(0..frame.len()))) && mask_row(rows, frame, 0, left, guard, &mut scratch.changes)?;
    if changed {
        segments.write_owned(|owned| rebuild(frame, &scratch.changes, owned));
    } else {
        segments.push_owned(frame);
    }
    scratch.hits = hits;
    Ok(())
}

/// Masks the cells of one frame. Whether its length changes: then `changes` says how. `offset` is where
/// the frame lies in the batch that the hints are about.
fn mask_row<G: Guard>(
    rows: &Rows<G::Plan>,
    frame: &mut [u8],
    offset: usize,
    mut hits: Hits<'_>,
    guard: &mut G,
    changes: &mut Vec<Change>,
) -> Result<bool, Fault> {
    changes.clear();
    let mut at = HEADER_BYTES + 2;
    let count = frame.get(HEADER_BYTES..at).and_then(|bytes| bytes.first_chunk::<2>());
    let count = count.map(|bytes| usize::from(u16::from_be_bytes(*bytes))).ok_or_else(malformed_row)?;
    if count != rows.treatments.len() {
        return Err(malformed_row());
    }
    for (column, treatment) in rows.treatments.iter().enumerate() {
        let length = frame.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or_else(malformed_row)?;
        let length = i32::from_be_bytes(*length);
        let start = at + 4;
        if length == -1 {
            at = start;
            continue;
        }
        let end =
            usize::try_from(length).ok().and_then(|length| start.checked_add(length)).ok_or_else(malformed_row)?;
        let cell = frame.get_mut(start..end).ok_or_else(malformed_row)?;
        let masked = match treatment {
            Treatment::Pass => false,
            Treatment::Mask => true,
            Treatment::Detect => hits.any(&(offset + start..offset + end)),
        };
        if masked {
            match guard.mask_cell(&rows.plan, column, cell) {
                CellOutcome::InPlace => {}
                CellOutcome::Null => changes.push(Change { at: at..end, value: None }),
                CellOutcome::Replace(value) if value.len() == cell.len() => cell.copy_from_slice(&value),
                CellOutcome::Replace(value) => changes.push(Change { at: at..end, value: Some(value) }),
            }
        }
        at = end;
    }
    if at != frame.len() {
        return Err(malformed_row());
    }
    Ok(!changes.is_empty())
}

/// Appends the frame with its changes.
fn rebuild(frame: &[u8], changes: &[Change], owned: &mut Vec<u8>) {
    frame::write(owned, server::DATA_ROW, |owned| {
        let mut copied = HEADER_BYTES;
        for change in changes {
            owned.extend_from_slice(frame.get(copied..change.at.start).unwrap_or_default());
            match &change.value {
                None => owned.extend_from_slice(&(-1_i32).to_be_bytes()),
                Some(value) => {
                    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
                    owned.extend_from_slice(&length.to_be_bytes());
                    owned.extend_from_slice(value);
                }
            }
            copied = change.at.end;
        }
        owned.extend_from_slice(frame.get(copied..).unwrap_or_default());
    });
}

/// A count or length that may begin in one piece and end in the next.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    bytes: [u8; 4],
    held: usize,
}

impl Partial {
    /// Takes bytes from the front of `piece` until `N` are there.
    pub(crate) fn take<const N: usize>(&mut self, piece: &[u8], at: &mut usize) -> Option<[u8; N]> {
        while self.held < N {
            let byte = piece.get(*at)?;
            if let Some(slot) = self.bytes.get_mut(self.held) {
                *slot = *byte;
            }
            self.held += 1;
            *at += 1;
        }
        self.held = 0;
        self.bytes.first_chunk::<N>().copied()
    }
}

enum Stage {
    Count,
    Length { column: usize },
    Cell { column: usize, total: usize, done: usize },
}

/// A row that is masked while it streams by.
pub(crate) struct RowStream {
    left: usize,
    stage: Stage,
    partial: Partial,
}

impl RowStream {
    /// At the start of a body of `body` bytes.
    pub(crate) fn new(body: usize) -> Self {
        Self { left: body, stage: Stage::Count, partial: Partial::default() }
    }

    /// Bytes of the body still to come.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Masks the next piece of the body in place.
    ///
    /// # Errors
    /// A fault of the server when the row does not fit its description.
    pub(crate) fn feed<G: Guard>(
        &mut self,
        rows: &Rows<G::Plan>,
        piece: &mut [u8],
        guard: &mut G,
    ) -> Result<(), Fault> {
        let columns = rows.treatments.len();
        let mut at = 0;
        while at < piece.len() {
            match self.stage {
                Stage::Count => {
                    let Some(count) = self.partial.take::<2>(piece, &mut at) else { break };
                    if usize::from(u16::from_be_bytes(count)) != columns {
                        return Err(malformed_row());
                    }
                    self.stage = Stage::Length { column: 0 };
                }
                Stage::Length { column } => {
                    if column >= columns {
                        return Err(malformed_row());
                    }
                    let Some(length) = self.partial.take::<4>(piece, &mut at) else { break };
                    self.stage = match i32::from_be_bytes(length) {
                        -1 | 0 => Stage::Length { column: column + 1 },
                        length => {
                            let total = usize::try_from(length).map_err(|_| malformed_row())?;
                            Stage::Cell { column, total, done: 0 }
                        }
                    };
                }
                Stage::Cell { column, total, done } => {
                    let taken = (total - done).min(piece.len() - at);
                    let part = piece.get_mut(at..at + taken).ok_or_else(malformed_row)?;
                    if rows.treatment(column) != Treatment::Pass {
                        guard.mask_part(&rows.plan, column, total, done, part);
                    }
                    at += taken;
                    self.stage = if done + taken == total {
                        Stage::Length { column: column + 1 }
                    } else {
                        Stage::Cell { column, total, done: done + taken }
                    };
                }
            }
        }
        self.left = self.left.checked_sub(piece.len()).ok_or_else(malformed_row)?;
        let complete = matches!(self.stage, Stage::Length { column } if column == columns);
        if self.left == 0 && !complete { Err(malformed_row()) } else { Ok(()) }
    }
}
