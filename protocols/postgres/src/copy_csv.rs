//! COPY's CSV format: one row a line, values in quotes where needed, newlines inside quotes.
//!
//! NULL is its text without quotes; a value that happens to be that text is quoted by the server, so the
//! two are never confused. While a cell streams by, the quotes around and inside it stay, everything else
//! is overwritten.
//!
//! Source: PostgreSQL manual, "CSV Format" under COPY.

use memchr::{memchr, memchr2};
use wire::fault::Fault;
use wire::guard::{CellOutcome, Guard, Treatment};

use crate::copy::{Cells, malformed_copy};
use crate::rows::Rows;

/// Reads and masks lines.
pub(crate) struct Csv {
    delimiter: u8,
    quote: u8,
    escape: u8,
    /// The first line, still to come, holds names.
    pub(crate) header: bool,
    null: Box<[u8]>,
    /// How far the search for the end of a line has come, and in what.
    looked: usize,
    looked_in: Inside,
    column: usize,
    offset: usize,
    inside: Inside,
    begun: bool,
}

/// Where the next byte of a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Inside {
    quotes: bool,
    /// Inside quotes, after an escape that is not the quote.
    escape: bool,
}

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    /// Ends a value.
    Delimiter,
    /// Ends a line.
    Newline,
    /// Opens or closes quotes; doubled it does both, and stands for itself.
    Quote,
    /// Part of a value.
    Value,
}

impl Csv {
    pub(crate) fn new(delimiter: u8, quote: u8, escape: u8, header: bool, null: Box<[u8]>) -> Self {
        let inside = Inside::default();
        let (looked, looked_in, column, offset, begun) = (0, inside, 0, 0, false);
        Self { delimiter, quote, escape, header, null, looked, looked_in, column, offset, inside, begun }
    }

    /// Reads one byte.
    fn step(&self, inside: &mut Inside, byte: u8) -> Byte {
        if inside.escape {
            inside.escape = false;
            if byte == self.quote || byte == self.escape {
                return Byte::Value;
            }
        }
        if inside.quotes && byte == self.escape && self.escape != self.quote {
            inside.escape = true;
            return Byte::Value;
        }
        if byte == self.quote {
            inside.quotes = !inside.quotes;
            return Byte::Quote;
        }
        match byte {
            _ if inside.quotes => Byte::Value,
            b'\n' => Byte::Newline,
            byte if byte == self.delimiter => Byte::Delimiter,
            _ => Byte::Value,
        }
    }

    /// Where the first line of `bytes` ends, its newline included.
    pub(crate) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.looked) {
            self.looked += 1;
            let mut inside = self.looked_in;
            let byte = self.step(&mut inside, *byte);
            self.looked_in = inside;
            if byte == Byte::Newline {
                return Some(std::mem::take(&mut self.looked));
            }
        }
        None
    }

    fn forget_search(&mut self) {
        self.looked = 0;
        self.looked_in = Inside::default();
    }

    pub(crate) fn hides(&self, row: &[u8]) -> bool {
        memchr2(self.quote, self.escape, row).is_some()
    }

    /// Masks the cells of one line.
    pub(crate) fn mask<G: Guard>(&mut self, row: &mut [u8], cells: &mut Cells<'_, G>) -> Result<(), Fault> {
        self.forget_search();
        if std::mem::take(&mut self.header) {
            return Ok(());
        }
        let length = row.len() - usize::from(row.last() == Some(&b'\n'));
        let columns = cells.rows.treatments.len();
        if columns == 0 {
            return if length == 0 { Ok(()) } else { Err(malformed_copy()) };
        }
        let mut column = 0;
        let mut start = 0;
        let mut inside = Inside::default();
        for at in 0..=length {
            let byte = match row.get(at) {
                Some(byte) if at < length => self.step(&mut inside, *byte),
                _ => Byte::Delimiter,
            };
            if byte == Byte::Delimiter {
                if column >= columns {
                    return Err(malformed_copy());
                }
                self.cell(row, start..at, column, cells)?;
                column += 1;
                start = at + 1;
            }
        }
        if column == columns && inside == Inside::default() { Ok(()) } else { Err(malformed_copy()) }
    }

    fn cell<G: Guard>(
        &self,
        row: &mut [u8],
        at: std::ops::Range<usize>,
        column: usize,
        cells: &mut Cells<'_, G>,
    ) -> Result<(), Fault> {
        let raw = row.get_mut(at.clone()).ok_or_else(malformed_copy)?;
        let quoted = memchr(self.quote, raw).is_some();
        let escaped = quoted && self.hides(raw);
        if !cells.wanted(column, &at, escaped) || (!quoted && *raw == *self.null) {
            return Ok(());
        }
        if !quoted {
            match cells.guard.mask_cell(&cells.rows.plan, column, raw) {
                CellOutcome::InPlace if !self.needs_quotes(raw) => {}
                CellOutcome::InPlace => {
                    let value = self.quoted(raw);
                    cells.splice(at, value);
                }
                CellOutcome::Null => cells.splice(at, self.null.to_vec()),
                CellOutcome::Replace(value) => cells.splice(at, self.written(&value)),
            }
            return Ok(());
        }
        let mut value = self.value(raw);
        let written = match cells.guard.mask_cell(&cells.rows.plan, column, &mut value) {
            CellOutcome::InPlace => self.quoted(&value),
            CellOutcome::Null => self.null.to_vec(),
            CellOutcome::Replace(value) => self.quoted(&value),
        };
        if written.len() == raw.len() {
            raw.copy_from_slice(&written);
        } else {
            cells.splice(at, written);
        }
        Ok(())
    }

    /// The value behind a quoted text.
    fn value(&self, raw: &[u8]) -> Vec<u8> {
        let mut value = Vec::with_capacity(raw.len());
        let mut inside = Inside::default();
        let mut closed = false;
        for byte in raw {
            let was = inside;
            let kind = self.step(&mut inside, *byte);
            match kind {
                Byte::Quote => {
                    // A quote right after one that closed stands for itself.
                    if inside.quotes && closed {
                        value.push(*byte);
                    }
                    closed = !inside.quotes;
                    continue;
                }
                // An escape counts once it is clear that it escapes nothing.
                _ if inside.escape => {}
                _ if was.escape => {
                    if *byte != self.quote && *byte != self.escape {
                        value.push(self.escape);
                    }
                    value.push(*byte);
                }
                _ => value.push(*byte),
            }
            closed = false;
        }
        value
    }

    fn needs_quotes(&self, value: &[u8]) -> bool {
        let special = |byte: &u8| matches!(*byte, b'\n' | b'\r') || *byte == self.delimiter || *byte == self.quote;
        *value == *self.null || value == b"\\." || value.iter().any(special)
    }

    fn written(&self, value: &[u8]) -> Vec<u8> {
        if self.needs_quotes(value) { self.quoted(value) } else { value.to_vec() }
    }

    fn quoted(&self, value: &[u8]) -> Vec<u8> {
        let mut written = Vec::with_capacity(value.len() + 2);
        written.push(self.quote);
        for byte in value {
            if *byte == self.quote || *byte == self.escape {
                written.push(self.escape);
            }
            written.push(*byte);
        }
        written.push(self.quote);
        written
    }

    pub(crate) fn at_row_start(&self) -> bool {
        !self.begun
    }

    /// Overwrites cells as they stream by; quotes, delimiters, newlines and passing cells stay.
    pub(crate) fn stream<G: Guard>(
        &mut self,
        piece: &mut [u8],
        stop: bool,
        rows: &Rows<G::Plan>,
        guard: &mut G,
    ) -> Result<usize, Fault> {
        self.forget_search();
        let mut start = 0;
        let mut at = 0;
        while let Some(byte) = piece.get(at).copied() {
            self.begun = true;
            let mut inside = self.inside;
            let kind = self.step(&mut inside, byte);
            self.inside = inside;
            if kind != Byte::Value {
                self.part(piece.get_mut(start..at).unwrap_or_default(), rows, guard)?;
                start = at + 1;
            }
            if matches!(kind, Byte::Delimiter | Byte::Newline) {
                self.column += 1;
                self.offset = 0;
            }
            at += 1;
            if kind == Byte::Newline {
                self.begun = false;
                let columns = std::mem::take(&mut self.column);
                if !std::mem::take(&mut self.header) && columns != rows.treatments.len().max(1) {
                    return Err(malformed_copy());
                }
                if stop {
                    return Ok(at);
                }
            }
        }
        self.part(piece.get_mut(start..).unwrap_or_default(), rows, guard)?;
        Ok(at)
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
            let filler = if [self.delimiter, self.quote, self.escape].contains(&b'X') { b'#' } else { b'X' };
            for byte in part.iter_mut() {
                if matches!(*byte, b'\n' | b'\r') || [self.delimiter, self.quote, self.escape].contains(byte) {
                    *byte = filler;
                }
            }
        }
        self.offset += part.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(escape: u8) -> Csv {
        Csv::new(b',', b'"', escape, false, (*b"").into())
    }

    #[test]
    fn lines_end_outside_quotes_over_any_split() {
        let bytes = b"a,\"b\n\"\"c\n\",d\nrest\n";
        for split in 0..bytes.len() {
            let mut csv = csv(b'"');
            let first = csv.end(&bytes[..split]);
            let end = first.or_else(|| csv.end(bytes));
            assert_eq!(end, Some(13), "{split}");
        }
    }

    #[test]
    fn quotes_survive_a_round_trip() {
        for escape in [b'"', b'\\'] {
            let csv = csv(escape);
            for value in [&b""[..], b"a\"b", b"\"\"", b"a\\b\\\"", b"x,\ny"] {
                assert_eq!(csv.value(&csv.quoted(value)), value, "{escape} {value:?}");
            }
        }
    }
}
