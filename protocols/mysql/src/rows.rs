//! Masks rows under a plan, text and binary.
//!
//! Rows come in batches of whole packets, as many as lie in the chunk. A row without a hint from a detector
//! is skipped by its header; others are walked cell by cell. A row whose length a mask changes is rebuilt;
//! all others stay where they lie. A row too large to be gathered is masked as it streams by
//! ([`crate::stream`]).
//!
//! It must never let a row pass whose cells do not fill its packet exactly.
//!
//! Source: MySQL documentation, "Text Resultset Row", "Binary Protocol Resultset Row".

use std::ops::Range;

use wire::fault::Fault;
use wire::guard::{CellOutcome, Guard, Treatment};
use wire::segments::Segments;

use crate::packet::{self, HEADER_BYTES, Header};
use crate::value::{self, Form};
use crate::{constant, lenenc};

/// The plan of one result, with what is asked of it again and again.
pub(crate) struct Rows<P> {
    pub(crate) plan: P,
    pub(crate) treatments: Box<[Treatment]>,
    /// How cells lie in a binary row; `None` for text rows.
    pub(crate) forms: Option<Box<[Form]>>,
    /// Whether every row must be walked.
    pub(crate) every_row: bool,
    pub(crate) detects: bool,
}

impl<P> Rows<P> {
    /// Asks the guard about each of `columns` columns.
    pub(crate) fn new<G: Guard<Plan = P>>(guard: &G, plan: P, columns: usize, forms: Option<Box<[Form]>>) -> Self {
        let treatments: Box<[Treatment]> = (0..columns).map(|column| guard.treatment(&plan, column)).collect();
        let detects = treatments.contains(&Treatment::Detect);
        // A detector's hints are about text: numbers in binary have none, and so are all looked at.
        let hidden = forms.as_deref().is_some_and(|forms| {
            forms
                .iter()
                .zip(&treatments)
                .any(|(form, treatment)| *form != Form::Bytes && *treatment == Treatment::Detect)
        });
        let every_row = hidden || guard.masks_every_row(&plan) || treatments.contains(&Treatment::Mask);
        Self { plan, treatments, forms, every_row, detects }
    }

    /// Bytes of a binary row before its first cell, and of the NULL bitmap in it.
    pub(crate) fn bitmap_bytes(&self) -> usize {
        (self.treatments.len() + 7 + NULL_BITMAP_OFFSET) / 8
    }
}

/// Bits of a binary row's NULL bitmap before the first column's.
pub(crate) const NULL_BITMAP_OFFSET: usize = 2;

/// A field that does not stay in place, its length prefix included, and what comes instead.
pub(crate) struct Change {
    at: Range<usize>,
    field: Vec<u8>,
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

/// Hints, ascending, that are taken from the front as the walk goes on.
#[derive(Clone, Copy)]
struct Hits<'a> {
    left: &'a [u32],
}

impl Hits<'_> {
    fn first(self) -> Option<usize> {
        self.left.first().map(|hit| usize::try_from(*hit).unwrap_or(usize::MAX))
    }

    /// Whether a hint lies in the range; earlier ones are forgotten.
    fn any(&mut self, range: &Range<usize>) -> bool {
        while let Some(hit) = self.first()
            && hit < range.start
        {
            self.left = self.left.get(1..).unwrap_or_default();
        }
        self.first().is_some_and(|hit| hit < range.end)
    }
}

/// Masks the whole row packets in `chunk[range]` and passes them on. `shift` is added to sequence ids.
///
/// # Errors
/// A fault of the server when a row does not fit its description.
pub(crate) fn mask_batch<G: Guard>(
    rows: &Rows<G::Plan>,
    chunk: &mut [u8],
    range: Range<usize>,
    shift: &mut u8,
    guard: &mut G,
    scratch: &mut Scratch,
    segments: &mut Segments,
) -> Result<(), Fault> {
    let batch = chunk.get_mut(range.clone()).ok_or_else(malformed_row)?;
    let mut hits = std::mem::take(&mut scratch.hits);
    hits.clear();
    if rows.detects {
        guard.candidates(&rows.plan, batch, &mut hits);
    }
    let mut left = Hits { left: &hits };
    let (mut passed, mut at) = (0, 0);
    while let Some(header) = Header::peek(batch.get(at..).unwrap_or_default()) {
        let row = at..at + header.total();
        if let Some(seq) = batch.get_mut(at + 3) {
            *seq = seq.wrapping_add(*shift);
        }
        if rows.every_row || left.any(&row) {
            let payload = batch.get_mut(at + HEADER_BYTES..row.end).ok_or_else(malformed_row)?;
            if mask_row(rows, payload, at + HEADER_BYTES, left, guard, &mut scratch.changes)? {
                segments.push_chunk(range.start + passed..range.start + at);
                segments.write_owned(|owned| {
                    rebuild(payload, &scratch.changes, header.seq.wrapping_add(*shift), shift, owned)
                });
                passed = row.end;
            }
        }
        at = row.end;
    }
    segments.push_chunk(range.start + passed..range.end);
    scratch.hits = hits;
    Ok(())
}

/// Masks one gathered row and passes it on. `seq` is as the server sent it.
///
/// # Errors
/// A fault of the server when the row does not fit its description.
pub(crate) fn mask_gathered<G: Guard>(
    rows: &Rows<G::Plan>,
    payload: &mut [u8],
    seq: u8,
    shift: &mut u8,
    guard: &mut G,
    scratch: &mut Scratch,
    segments: &mut Segments,
) -> Result<(), Fault> {
    let mut hits = std::mem::take(&mut scratch.hits);
    hits.clear();
    if rows.detects {
        guard.candidates(&rows.plan, payload, &mut hits);
    }
    let left = Hits { left: &hits };
    scratch.changes.clear();
    if rows.every_row || !hits.is_empty() {
        mask_row(rows, payload, 0, left, guard, &mut scratch.changes)?;
    }
    segments.write_owned(|owned| rebuild(payload, &scratch.changes, seq.wrapping_add(*shift), shift, owned));
    scratch.hits = hits;
    Ok(())
}

/// Masks the cells of one payload. Whether its length changes: then `changes` says how. `offset` is where
/// the payload lies in the batch that the hints are about.
fn mask_row<G: Guard>(
    rows: &Rows<G::Plan>,
    payload: &mut [u8],
    offset: usize,
    hits: Hits<'_>,
    guard: &mut G,
    changes: &mut Vec<Change>,
) -> Result<bool, Fault> {
    changes.clear();
    match &rows.forms {
        None => text_row(rows, payload, offset, hits, guard, changes)?,
        Some(forms) => binary_row(rows, forms, payload, offset, hits, guard, changes)?,
    }
    Ok(!changes.is_empty())
}

fn text_row<G: Guard>(
    rows: &Rows<G::Plan>,
    payload: &mut [u8],
    offset: usize,
    mut hits: Hits<'_>,
    guard: &mut G,
    changes: &mut Vec<Change>,
) -> Result<(), Fault> {
    let mut at = 0;
    for (column, treatment) in rows.treatments.iter().enumerate() {
        let field = value::text_field(payload.get(at..).unwrap_or_default()).ok_or_else(malformed_row)?;
        let Some((prefix, length)) = field else {
            at += 1;
            continue;
        };
        let start = at + prefix;
        let end = start.checked_add(length).ok_or_else(malformed_row)?;
        let cell = payload.get_mut(start..end).ok_or_else(malformed_row)?;
        if shown(*treatment, &mut hits, offset + start..offset + end) {
            match guard.mask_cell(&rows.plan, column, cell) {
                CellOutcome::InPlace => {}
                CellOutcome::Null => changes.push(Change { at: at..end, field: vec![lenenc::NULL] }),
                CellOutcome::Replace(value) if value.len() == cell.len() => cell.copy_from_slice(&value),
                CellOutcome::Replace(value) => changes.push(Change { at: at..end, field: prefixed(&value) }),
            }
        }
        at = end;
    }
    if at == payload.len() { Ok(()) } else { Err(malformed_row()) }
}

fn binary_row<G: Guard>(
    rows: &Rows<G::Plan>,
    forms: &[Form],
    payload: &mut [u8],
    offset: usize,
    mut hits: Hits<'_>,
    guard: &mut G,
    changes: &mut Vec<Change>,
) -> Result<(), Fault> {
    let mut at = 1 + rows.bitmap_bytes();
    if payload.first() != Some(&constant::header::OK) || payload.len() < at {
        return Err(malformed_row());
    }
    for (column, (treatment, form)) in rows.treatments.iter().zip(forms).enumerate() {
        let bit = column + NULL_BITMAP_OFFSET;
        let (slot, mask) = (1 + bit / 8, 1_u8 << (bit % 8));
        if payload.get(slot).is_some_and(|byte| byte & mask != 0) {
            continue;
        }
        let (prefix, length) = value::field(*form, payload.get(at..).unwrap_or_default()).ok_or_else(malformed_row)?;
        let start = at + prefix;
        let end = start.checked_add(length).ok_or_else(malformed_row)?;
        let cell = payload.get_mut(start..end).ok_or_else(malformed_row)?;
        let (field, null) = if *form == Form::Bytes {
            match shown(*treatment, &mut hits, offset + start..offset + end) {
                false => (None, false),
                true => match guard.mask_cell(&rows.plan, column, cell) {
                    CellOutcome::InPlace => (None, false),
                    CellOutcome::Null => (Some(Vec::new()), true),
                    CellOutcome::Replace(value) => (Some(prefixed(&value)), false),
                },
            }
        } else if *treatment == Treatment::Pass {
            (None, false)
        } else {
            transcoded(&rows.plan, column, *form, cell, guard)?
        };
        if null && let Some(byte) = payload.get_mut(slot) {
            *byte |= mask;
        }
        if let Some(field) = field {
            match payload.get_mut(at..end) {
                Some(place) if place.len() == field.len() => place.copy_from_slice(&field),
                _ => changes.push(Change { at: at..end, field }),
            }
        }
        at = end;
    }
    if at == payload.len() { Ok(()) } else { Err(malformed_row()) }
}

/// Whether the guard looks at a cell.
fn shown(treatment: Treatment, hits: &mut Hits<'_>, range: Range<usize>) -> bool {
    match treatment {
        Treatment::Pass => false,
        Treatment::Mask => true,
        Treatment::Detect => hits.any(&range),
    }
}

/// Shows a cell as its text. The new field, if it changes, and whether it becomes NULL.
fn transcoded<G: Guard>(
    plan: &G::Plan,
    column: usize,
    form: Form,
    cell: &[u8],
    guard: &mut G,
) -> Result<(Option<Vec<u8>>, bool), Fault> {
    let before = value::text(form, cell).ok_or_else(malformed_row)?.into_bytes();
    let mut text = before.clone();
    let after = match guard.mask_cell(plan, column, &mut text) {
        CellOutcome::Null => return Ok((Some(Vec::new()), true)),
        CellOutcome::InPlace if text == before => return Ok((None, false)),
        CellOutcome::InPlace => text,
        CellOutcome::Replace(value) => value,
    };
    let mut field = Vec::new();
    value::push_binary(form, &after, &mut field);
    Ok((Some(field), false))
}

fn prefixed(value: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(value.len() + 9);
    lenenc::push_string(&mut field, value);
    field
}

/// Appends the row with its changes, as one message that begins with `seq`. More packets than the one it
/// came in shift those after it.
fn rebuild(payload: &[u8], changes: &[Change], seq: u8, shift: &mut u8, owned: &mut Vec<u8>) {
    let mut next = seq;
    packet::write(owned, &mut next, |owned| {
        let mut copied = 0;
        for change in changes {
            owned.extend_from_slice(payload.get(copied..change.at.start).unwrap_or_default());
            owned.extend_from_slice(&change.field);
            copied = change.at.end;
        }
        owned.extend_from_slice(payload.get(copied..).unwrap_or_default());
    });
    *shift = shift.wrapping_add(next.wrapping_sub(seq).wrapping_sub(1));
}
