//! COPY's text format: one row a line, values between delimiters, backslash escapes.
//!
//! A value with escapes is unescaped before it is masked and escaped again after; a value without is masked
//! where it lies. NULL is told from a value only where its text holds a backslash, as the default `\N`
//! does: any other text could be a value too, and is masked as one.
//!
//! Source: PostgreSQL manual, "Text Format" under COPY.

use std::ops::Range;

use memchr::{memchr, memchr2, memchr3};
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
    /// The values of a line that do not just pass, by column; memory that is used again.
    treated: Vec<(usize, Range<usize>)>,
}

impl Text {
    pub(crate) fn new(delimiter: u8, header: bool, null: Box<[u8]>) -> Self {
        Self {
            delimiter,
            header,
            null,
            looked: 0,
            column: 0,
            offset: 0,
            escaped: false,
            begun: false,
            treated: Vec::new(),
        }
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

    /// Whether this is one whole line without an escape.
    pub(crate) fn is_plain_line(&self, bytes: &[u8]) -> bool {
        !self.header && memchr2(b'\n', b'\\', bytes).is_some_and(|at| bytes.get(at..) == Some(b"\n"))
    }

    fn is_null(&self, cell: &[u8]) -> bool {
        cell == &*self.null && memchr(b'\\', cell).is_some()
    }

    /// Masks the cells of the first line of `bytes` where nothing in it is escaped, and gives its length, newline
    /// included. `None`, with nothing changed, where it is to be read by [`Self::end`] and [`Self::mask`].
    ///
    /// Most lines are of this kind. They are read once, eight bytes at a time where values are short and by vectors
    /// where one is long: a search from each value to the next costs more than the values of most columns.
    pub(crate) fn plain<G: Guard>(
        &mut self,
        bytes: &mut [u8],
        cells: &mut Cells<'_, G>,
    ) -> Result<Option<usize>, Fault> {
        if self.header || cells.rows.treatments.is_empty() {
            return Ok(None);
        }
        let mut treated = std::mem::take(&mut self.treated);
        treated.clear();
        let end = self.plain_end(bytes, &cells.rows.treatments, &mut treated)?;
        if end.is_some() {
            for (column, at) in &treated {
                self.cell(bytes, at.clone(), *column, false, cells)?;
            }
        }
        self.treated = treated;
        Ok(end)
    }

    /// Where the first line of `bytes` ends, newline included, and its values that do not just pass; `None` where it
    /// is not whole or has an escape.
    fn plain_end(
        &self,
        bytes: &[u8],
        treatments: &[Treatment],
        treated: &mut Vec<(usize, Range<usize>)>,
    ) -> Result<Option<usize>, Fault> {
        let delimiters = u64::from_le_bytes([self.delimiter; 8]);
        let (mut at, mut start, mut column) = (0, 0, 0);
        loop {
            let word = word(bytes, at);
            let mut found = marks(word, delimiters) | marks(word, NEWLINES) | marks(word, BACKSLASHES);
            if found == 0 {
                // Nothing in eight bytes: a long value, or the end of what there is.
                let rest = bytes.get(at + 8..).unwrap_or_default();
                let Some(next) = memchr3(self.delimiter, b'\n', b'\\', rest) else { return Ok(None) };
                at += 8 + next;
                continue;
            }
            while found != 0 {
                let end = at + lowest(found);
                found &= found - 1;
                let byte = bytes.get(end).copied();
                let is_last = byte == Some(b'\n');
                if !is_last && byte != Some(self.delimiter) {
                    return Ok(None);
                }
                let treatment = treatments.get(column).ok_or_else(malformed_copy)?;
                if *treatment != Treatment::Pass {
                    treated.push((column, start..end));
                }
                column += 1;
                start = end + 1;
                if is_last {
                    return if column == treatments.len() { Ok(Some(start)) } else { Err(malformed_copy()) };
                }
            }
            at += 8;
        }
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
        at: Range<usize>,
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

    /// Whether any byte is one that [`Self::escape_of`] names. Sixteen at a time without a branch, the last of them
    /// once more where they do not come out even.
    fn is_special(&self, value: &[u8]) -> bool {
        let special = |byte: u8| matches!(byte, 0x08..=0x0d | b'\\') | (byte == self.delimiter);
        let any = |bytes: &[u8]| bytes.iter().fold(0, |found, byte| found | u8::from(special(*byte)));
        match value.last_chunk::<16>() {
            Some(last) => value.as_chunks::<16>().0.iter().fold(any(last), |found, chunk| found | any(chunk)) != 0,
            None => any(value) != 0,
        }
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

/// Eight bytes from a place on, the first one lowest; 0 for those past the end.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    let word = rest.first_chunk::<8>().copied().unwrap_or_else(|| {
        let mut word = [0; 8];
        word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        word
    });
    u64::from_le_bytes(word)
}

const NEWLINES: u64 = 0x0a0a_0a0a_0a0a_0a0a;
const BACKSLASHES: u64 = 0x5c5c_5c5c_5c5c_5c5c;

/// The highest bit of each byte that is the one which `sought` has eight times. Exact for every byte (Warren,
/// "Hacker's Delight", 6.1): the shorter test is wrong behind a byte that it finds.
#[inline(always)]
fn marks(word: u64, sought: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let word = word ^ sought;
    !(((word & LOW) + LOW) | word | LOW)
}

/// The number of the lowest byte that is marked.
#[inline(always)]
fn lowest(marks: u64) -> usize {
    usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0)
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
    fn a_plain_line_is_cut_where_a_search_for_each_byte_cuts_it() {
        let text = Text::new(b'|', false, (*b"\\N").into());
        let cells = ["", "1", "12345678", "a value of some length, past two words of eight", "\0\u{1}", "]{}", "\x7c"];
        for seed in 0..4000_usize {
            let count = seed % 5 + 1;
            let value = |at: usize| cells[(seed / 3 + at * (seed % 11 + 1)) % cells.len()];
            let line = (0..count).map(value).collect::<Vec<_>>().join("|") + "\n";
            // Whole, cut off, and with an escape; other lines follow.
            let cut = &line[..line.len() * (seed % 7) / 7];
            let escaped = line.replacen('v', "\\v", 1);
            for bytes in [line.clone(), format!("{line}1|2\n"), cut.to_owned(), escaped] {
                let first = bytes.split_inclusive('\n').next().unwrap_or_default();
                let is_plain = first.ends_with('\n') && !first.contains('\\');
                let expected = first.trim_end_matches('\n').split('|').collect::<Vec<_>>();
                let mut treated = Vec::new();
                let treatments = vec![Treatment::Mask; expected.len()];
                let end = text.plain_end(bytes.as_bytes(), &treatments, &mut treated).unwrap();
                assert_eq!(end, is_plain.then_some(first.len()), "{bytes:?}");
                if is_plain {
                    let found: Vec<_> = treated.iter().map(|(_, at)| &bytes[at.clone()]).collect();
                    assert_eq!(found, expected, "{bytes:?}");
                    for columns in [expected.len() - 1, expected.len() + 1] {
                        let treatments = vec![Treatment::Pass; columns];
                        assert!(text.plain_end(bytes.as_bytes(), &treatments, &mut treated).is_err(), "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_long_value_is_special_wherever_the_byte_stands() {
        let text = Text::new(b'|', false, (*b"\\N").into());
        for length in 1..70 {
            let mut value = vec![b'*'; length];
            assert!(!text.is_special(&value));
            for at in 0..length {
                value[at] = b'\t';
                assert!(text.is_special(&value), "{at} of {length}");
                value[at] = b'*';
            }
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
