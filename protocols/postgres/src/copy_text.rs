//! COPY's text format: one row a line, values between delimiters, backslash escapes.
//!
//! A value with escapes is unescaped before it is masked and escaped again after; a value without is masked
//! where it lies. NULL is told from a value only where its text holds a backslash, as the default `\N`
//! does: any other text could be a value too, and is masked as one.
//!
//! Source: PostgreSQL manual, "Text Format" under COPY.

use memchr::{memchr, memchr2};
use wire::fault::Fault;
use wire::guard::{CellOutcome, Guard, Treatment};

use crate::copy::{Cells, malformed_copy};
use crate::rows::Rows;

/// Reads and masks lines.
pub(crate) struct Text {
    delimiter: u8,
    /// The first line, still to come, holds names.
    pub(crate) header: bool,
    null: Box<[u8]>,
    /// How far the search for the end of a line has come.
    looked: usize,
    column: usize,
    offset: usize,
    escaped: bool,
    begun: bool,
}

impl Text {
    pub(crate) fn new(delimiter: u8, header: bool, null: Box<[u8]>) -> Self {
        Self { delimiter, header, null, looked: 0, column: 0, offset: 0, escaped: false, begun: false }
    }

    /// Where the first line of `bytes` ends, its newline included.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(found) = memchr2(b'\n', b'\\', bytes.get(self.looked..).unwrap_or_default()) {
            let at = self.looked + found;
            if bytes.get(at) == Some(&b'\n') {
                self.looked = 0;
                return Some(at + 1);
            }
            if at + 1 >= bytes.len() {
                self.looked = at;
                return None;
            }
            self.looked = at + 2;
        }
        self.looked = bytes.len();
        None
    }

    pub(crate) fn hides(&self, row: &[u8]) -> bool {
        memchr(b'\\', row).is_some()
    }

    fn is_null(&self, cell: &[u8]) -> bool {
        cell == &*self.null && memchr(b'\\', cell).is_some()
    }

    /// Masks the cells of one line.
    pub(crate) fn mask<G: Guard>(&mut self, row: &mut [u8], cells: &mut Cells<'_, G>) -> Result<(), Fault> {
        self.looked = 0;
        if std::mem::take(&mut self.header) {
            return Ok(());
        }
        let length = row.len() - usize::from(row.last() == Some(&b'\n'));
        let columns = cells.rows.treatments.len();
        // Most rows have no escape: what is known of the row need not be asked of each cell.
        let escapes = self.hides(row.get(..length).unwrap_or_default());
        let mut column = 0;
        let mut start = 0;
        while start <= length && (columns > 0 || length > 0) {
            let end = self.cell_end(row.get(..length).unwrap_or_default(), start, escapes);
            if column >= columns {
                return Err(malformed_copy());
            }
            self.cell(row, start..end, column, escapes, cells)?;
            column += 1;
            start = end + 1;
        }
        if column == columns { Ok(()) } else { Err(malformed_copy()) }
    }

    fn cell_end(&self, row: &[u8], start: usize, escapes: bool) -> usize {
        if !escapes {
            let found = memchr(self.delimiter, row.get(start..).unwrap_or_default());
            return found.map_or(row.len(), |found| start + found);
        }
        let mut at = start;
        while let Some(found) = memchr2(self.delimiter, b'\\', row.get(at..).unwrap_or_default()) {
            if row.get(at + found) == Some(&self.delimiter) {
                return at + found;
            }
            at += found + 2;
        }
        row.len()
    }

    fn cell<G: Guard>(
        &self,
        row: &mut [u8],
        at: std::ops::Range<usize>,
        column: usize,
        escapes: bool,
        cells: &mut Cells<'_, G>,
    ) -> Result<(), Fault> {
        let raw = row.get_mut(at.clone()).ok_or_else(malformed_copy)?;
        let escaped = escapes && memchr(b'\\', raw).is_some();
        if !cells.wanted(column, &at, escaped) || self.is_null(raw) {
            return Ok(());
        }
        if !escaped {
            match cells.guard.mask_cell(&cells.rows.plan, column, raw) {
                CellOutcome::InPlace if !self.is_special(raw) => {}
                CellOutcome::InPlace => {
                    let value = self.escape(raw);
                    cells.splice(at, value);
                }
                CellOutcome::Null => cells.splice(at, self.null.to_vec()),
                CellOutcome::Replace(value) => cells.splice(at, self.escape(&value)),
            }
            return Ok(());
        }
        let mut value = unescape(raw);
        let written = match cells.guard.mask_cell(&cells.rows.plan, column, &mut value) {
            CellOutcome::InPlace => self.escape(&value),
            CellOutcome::Null => self.null.to_vec(),
            CellOutcome::Replace(value) => self.escape(&value),
        };
        if written.len() == raw.len() {
            raw.copy_from_slice(&written);
        } else {
            cells.splice(at, written);
        }
        Ok(())
    }

    /// Whether any byte is one that [`Self::escape_of`] names. Without a branch, so that it is done for many
    /// bytes at a time.
    fn is_special(&self, value: &[u8]) -> bool {
        let special = |byte: u8| matches!(byte, 0x08..=0x0d | b'\\') | (byte == self.delimiter);
        value.iter().fold(0, |found, byte| found | u8::from(special(*byte))) != 0
    }

    fn escape_of(&self, byte: u8) -> Option<u8> {
        match byte {
            0x08 => Some(b'b'),
            0x0c => Some(b'f'),
            b'\n' => Some(b'n'),
            b'\r' => Some(b'r'),
            b'\t' => Some(b't'),
            0x0b => Some(b'v'),
            b'\\' => Some(b'\\'),
            byte if byte == self.delimiter => Some(byte),
            _ => None,
        }
    }

    fn escape(&self, value: &[u8]) -> Vec<u8> {
        let mut written = Vec::with_capacity(value.len());
        for byte in value {
            match self.escape_of(*byte) {
                Some(escape) => written.extend_from_slice(&[b'\\', escape]),
                None => written.push(*byte),
            }
        }
        written
    }

    pub(crate) fn at_row_start(&self) -> bool {
        !self.begun
    }

    /// Overwrites cells as they stream by; the delimiter, newlines and passing cells stay.
    pub(crate) fn stream<G: Guard>(
        &mut self,
        piece: &mut [u8],
        stop: bool,
        rows: &Rows<G::Plan>,
        guard: &mut G,
    ) -> Result<usize, Fault> {
        self.looked = 0;
        let mut start = 0;
        let mut at = 0;
        while let Some(byte) = piece.get(at).copied() {
            self.begun = true;
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == self.delimiter || byte == b'\n' {
                self.part(piece.get_mut(start..at).unwrap_or_default(), rows, guard)?;
                self.column += 1;
                self.offset = 0;
                start = at + 1;
                if byte == b'\n' {
                    self.line_ended(rows)?;
                    if stop {
                        return Ok(at + 1);
                    }
                }
            }
            at += 1;
        }
        self.part(piece.get_mut(start..).unwrap_or_default(), rows, guard)?;
        Ok(at)
    }

    fn line_ended<P>(&mut self, rows: &Rows<P>) -> Result<(), Fault> {
        let columns = std::mem::take(&mut self.column);
        self.begun = false;
        if !std::mem::take(&mut self.header) && columns != rows.treatments.len().max(1) {
            return Err(malformed_copy());
        }
        Ok(())
    }

    fn part<G: Guard>(&mut self, part: &mut [u8], rows: &Rows<G::Plan>, guard: &mut G) -> Result<(), Fault> {
        if part.is_empty() {
            return Ok(());
        }
        if !self.header && self.column >= rows.treatments.len() {
            return Err(malformed_copy());
        }
        if !self.header && rows.treatment(self.column) != Treatment::Pass {
            guard.mask_part(&rows.plan, self.column, usize::MAX, self.offset, part);
            let filler = if self.delimiter == b'X' { b'#' } else { b'X' };
            for byte in part.iter_mut() {
                if self.escape_of(*byte).is_some() {
                    *byte = filler;
                }
            }
        }
        self.offset += part.len();
        Ok(())
    }
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' {
            value.push(*byte);
            continue;
        }
        value.push(match bytes.next() {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 0x0b,
            Some(other) => *other,
            None => b'\\',
        });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_special_for_the_bytes_that_have_an_escape() {
        let text = Text::new(b'|', false, (*b"\\N").into());
        for byte in 0..=u8::MAX {
            assert_eq!(text.is_special(&[b'a', byte, b'b']), text.escape_of(byte).is_some(), "{byte:#04x}");
        }
    }

    #[test]
    fn lines_end_at_a_newline_that_no_backslash_hides() {
        let mut text = Text::new(b'\t', false, (*b"\\N").into());
        assert_eq!(text.end(b"a\\"), None);
        assert_eq!(text.end(b"a\\\nb"), None);
        assert_eq!(text.end(b"a\\\nb\nc"), Some(5));
        assert_eq!(text.end(b"a\\\\\nb\n"), Some(4));
    }

    #[test]
    fn escapes_survive_a_round_trip() {
        let text = Text::new(b'|', false, (*b"\\N").into());
        let value = b"a|b\\c\n\td\x0b";
        assert_eq!(text.escape(value), b"a\\|b\\\\c\\n\\td\\v");
        assert_eq!(unescape(&text.escape(value)), value);
    }

    #[test]
    fn only_an_unmistakable_null_is_one() {
        assert!(Text::new(b'\t', false, (*b"\\N").into()).is_null(b"\\N"));
        assert!(!Text::new(b'\t', false, (*b"NULL").into()).is_null(b"NULL"));
    }
}
