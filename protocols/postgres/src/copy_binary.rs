//! COPY's binary format: a header, tuples of counted fields, a trailer.
//!
//! The header, each tuple and the trailer count as one row each for the framing in `copy.rs`. Unknown
//! critical flags in the header end the session: what follows could mean anything.
//!
//! Source: PostgreSQL manual, "Binary Format" under COPY.

use wire::fault::Fault;
use wire::guard::{CellOutcome, Guard, Treatment};

use crate::copy::{Cells, malformed_copy};
use crate::rows::{Partial, Rows};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Signature, flags and the length of the extension.
const HEADER_BYTES: usize = 19;

/// Flags that a reader must know; none is defined since version 12.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

/// Where the stream of rows stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Header,
    Tuple,
    /// After the trailer nothing may come.
    End,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Start,
    /// Bytes of the header so far; past [`HEADER_BYTES`] its extension.
    Header {
        done: usize,
        extension: usize,
    },
    Length {
        column: usize,
        columns: usize,
    },
    Cell {
        column: usize,
        columns: usize,
        total: usize,
        done: usize,
    },
}

/// Reads and masks tuples.
pub(crate) struct Binary {
    row: Row,
    /// How far the search for the end of a tuple has come, and the fields left there.
    looked: usize,
    fields_left: usize,
    stage: Stage,
    partial: Partial,
    head: [u8; HEADER_BYTES],
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Checks a header's fixed part; returns the bytes of its extension.
fn extension(head: &[u8]) -> Result<usize, Fault> {
    let flags = number::<4>(head, SIGNATURE.len()).map(u32::from_be_bytes).ok_or_else(malformed_copy)?;
    let length = number::<4>(head, SIGNATURE.len() + 4).map(i32::from_be_bytes).ok_or_else(malformed_copy)?;
    if !head.starts_with(SIGNATURE) || flags & CRITICAL_FLAGS != 0 {
        return Err(malformed_copy());
    }
    usize::try_from(length).map_err(|_| malformed_copy())
}

impl Binary {
    pub(crate) fn new() -> Self {
        Self {
            row: Row::Header,
            looked: 0,
            fields_left: 0,
            stage: Stage::Start,
            partial: Partial::default(),
            head: [0; HEADER_BYTES],
        }
    }

    /// Where the header, tuple or trailer at the start of `bytes` ends.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match self.row {
            Row::End => return Err(malformed_copy()),
            Row::Header => {
                let Some(head) = bytes.get(..HEADER_BYTES) else { return Ok(None) };
                let end = HEADER_BYTES + extension(head)?;
                return Ok(Some(end).filter(|end| *end <= bytes.len()));
            }
            Row::Tuple => {}
        }
        if self.looked == 0 {
            let Some(count) = number::<2>(bytes, 0) else { return Ok(None) };
            self.fields_left = match i16::from_be_bytes(count) {
                -1 => 0,
                count => usize::try_from(count).map_err(|_| malformed_copy())?,
            };
            self.looked = 2;
        }
        while self.fields_left > 0 {
            let Some(length) = number::<4>(bytes, self.looked) else { return Ok(None) };
            let next = self.looked + 4 + field(length)?.unwrap_or(0);
            if next > bytes.len() {
                return Ok(None);
            }
            self.looked = next;
            self.fields_left -= 1;
        }
        Ok(Some(std::mem::take(&mut self.looked)))
    }

    /// Masks the fields of one tuple; notes a header or trailer.
    pub(crate) fn mask<G: Guard>(&mut self, row: &mut [u8], cells: &mut Cells<'_, G>) -> Result<(), Fault> {
        self.looked = 0;
        if self.row == Row::Header {
            self.row = Row::Tuple;
            return Ok(());
        }
        let count = number::<2>(row, 0).map(i16::from_be_bytes).ok_or_else(malformed_copy)?;
        if count == -1 {
            self.row = Row::End;
            return Ok(());
        }
        if usize::try_from(count) != Ok(cells.rows.treatments.len()) {
            return Err(malformed_copy());
        }
        let mut at = 2;
        for column in 0..cells.rows.treatments.len() {
            let length = number::<4>(row, at).ok_or_else(malformed_copy)?;
            let start = at + 4;
            let Some(length) = field(length)? else {
                at = start;
                continue;
            };
            let end = start + length;
            let cell = row.get_mut(start..end).ok_or_else(malformed_copy)?;
            if cells.wanted(column, &(start..end), false) {
                match cells.guard.mask_cell(&cells.rows.plan, column, cell) {
                    CellOutcome::InPlace => {}
                    CellOutcome::Null => cells.splice(at..end, (-1_i32).to_be_bytes().to_vec()),
                    CellOutcome::Replace(value) => {
                        let mut field = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
                        field.extend_from_slice(&value);
                        cells.splice(at..end, field);
                    }
                }
            }
            at = end;
        }
        Ok(())
    }

    pub(crate) fn at_row_start(&self) -> bool {
        matches!(self.stage, Stage::Start)
    }

    /// Overwrites fields as they stream by.
    pub(crate) fn stream<G: Guard>(
        &mut self,
        piece: &mut [u8],
        stop: bool,
        rows: &Rows<G::Plan>,
        guard: &mut G,
    ) -> Result<usize, Fault> {
        self.looked = 0;
        let mut at = 0;
        while at < piece.len() {
            match self.stage {
                Stage::Start if self.row == Row::Header => self.stage = Stage::Header { done: 0, extension: 0 },
                Stage::Start => {
                    let Some(count) = self.partial.take::<2>(piece, &mut at) else { break };
                    self.tuple(i16::from_be_bytes(count), rows.treatments.len())?;
                }
                Stage::Header { done, extension } => {
                    at += self.head(piece.get(at..).unwrap_or_default(), done, extension)?
                }
                Stage::Length { column, columns } => {
                    let Some(length) = self.partial.take::<4>(piece, &mut at) else { break };
                    self.stage = match field(length)? {
                        None | Some(0) => Stage::Length { column: column + 1, columns },
                        Some(total) => Stage::Cell { column, columns, total, done: 0 },
                    };
                }
                Stage::Cell { column, columns, total, done } => {
                    let taken = (total - done).min(piece.len() - at);
                    let part = piece.get_mut(at..at + taken).unwrap_or_default();
                    if rows.treatment(column) != Treatment::Pass {
                        guard.mask_part(&rows.plan, column, total, done, part);
                    }
                    at += taken;
                    self.stage = if done + taken == total {
                        Stage::Length { column: column + 1, columns }
                    } else {
                        Stage::Cell { column, columns, total, done: done + taken }
                    };
                }
            }
            if matches!(self.stage, Stage::Length { column, columns } if column == columns) {
                self.stage = Stage::Start;
                if stop {
                    return Ok(at);
                }
            }
        }
        Ok(at)
    }

    fn tuple(&mut self, count: i16, columns: usize) -> Result<(), Fault> {
        match (self.row, count) {
            (Row::Tuple, -1) => self.row = Row::End,
            (Row::Tuple, count) if usize::try_from(count) == Ok(columns) => {
                self.stage = Stage::Length { column: 0, columns };
            }
            _ => return Err(malformed_copy()),
        }
        Ok(())
    }

    /// Reads on in the header; returns the bytes taken.
    fn head(&mut self, piece: &[u8], done: usize, length: usize) -> Result<usize, Fault> {
        if done < HEADER_BYTES {
            let taken = piece.len().min(HEADER_BYTES - done);
            for (slot, byte) in self.head.iter_mut().skip(done).zip(piece) {
                *slot = *byte;
            }
            let done = done + taken;
            let length = if done == HEADER_BYTES { extension(&self.head)? } else { 0 };
            self.header_stage(done, length);
            return Ok(taken);
        }
        let taken = piece.len().min(HEADER_BYTES + length - done);
        self.header_stage(done + taken, length);
        Ok(taken)
    }

    fn header_stage(&mut self, done: usize, length: usize) {
        if done >= HEADER_BYTES && done == HEADER_BYTES + length {
            self.row = Row::Tuple;
            self.stage = Stage::Start;
        } else {
            self.stage = Stage::Header { done, extension: length };
        }
    }
}

/// The length of a field; `None` is NULL.
fn field(length: [u8; 4]) -> Result<Option<usize>, Fault> {
    match i32::from_be_bytes(length) {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| malformed_copy()),
    }
}
