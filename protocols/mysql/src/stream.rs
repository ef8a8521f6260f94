//! A row too large to be gathered, masked as it streams by: cells under any treatment are overwritten, their
//! lengths stay.
//!
//! It is fed payload bytes only, whatever packets they came in. A number, date or time under a treatment
//! becomes zero: it has no length that could tell anything.

use wire::fault::Fault;
use wire::guard::{Guard, Treatment};

use crate::lenenc;
use crate::rows::{NULL_BITMAP_OFFSET, Rows, malformed_row};
use crate::value::Form;

/// What the next byte belongs to.
enum Stage {
    /// A binary row's first byte and NULL bitmap.
    Head,
    /// The first byte of a field with a length.
    Length,
    /// More bytes of a length.
    LongLength { left: u8, shift: u32, total: u64 },
    /// A value.
    Cell { total: usize, done: usize },
    /// All columns were there.
    End,
}

/// See the module.
pub(crate) struct RowStream {
    stage: Stage,
    column: usize,
    /// A binary row's head, as far as it came.
    head: Vec<u8>,
}

impl RowStream {
    /// At the start of a row.
    pub(crate) fn new<P>(rows: &Rows<P>) -> Self {
        let stage = if rows.forms.is_some() { Stage::Head } else { Stage::Length };
        Self { stage, column: 0, head: Vec::new() }
    }

    /// Whether the row was whole.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::End)
    }

    /// Masks the next piece of the payload in place.
    ///
    /// # Errors
    /// A fault of the server when the row does not fit its description.
    pub(crate) fn feed<G: Guard>(
        &mut self,
        rows: &Rows<G::Plan>,
        piece: &mut [u8],
        guard: &mut G,
    ) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(byte) = piece.get(at).copied() {
            match self.stage {
                Stage::Head => {
                    self.head.push(byte);
                    at += 1;
                    if self.head.len() == 1 + rows.bitmap_bytes() {
                        self.begin(rows)?;
                    }
                }
                Stage::Length => {
                    at += 1;
                    self.length(rows, byte)?;
                }
                Stage::LongLength { left, shift, total } => {
                    at += 1;
                    let total = total | u64::from(byte) << shift;
                    self.stage = if left > 1 {
                        Stage::LongLength { left: left - 1, shift: shift + 8, total }
                    } else {
                        Stage::Cell { total: usize::try_from(total).map_err(|_| malformed_row())?, done: 0 }
                    };
                    self.skip_empty(rows)?;
                }
                Stage::Cell { total, done } => {
                    let taken = (total - done).min(piece.len() - at);
                    let part = piece.get_mut(at..at + taken).ok_or_else(malformed_row)?;
                    self.cover(rows, total, done, part, guard);
                    at += taken;
                    self.stage = Stage::Cell { total, done: done + taken };
                    if done + taken == total {
                        self.next_column(rows)?;
                    }
                }
                Stage::End => return Err(malformed_row()),
            }
        }
        Ok(())
    }

    fn cover<G: Guard>(&self, rows: &Rows<G::Plan>, total: usize, done: usize, part: &mut [u8], guard: &mut G) {
        if rows.treatments.get(self.column).is_some_and(|treatment| *treatment == Treatment::Pass) {
            return;
        }
        match self.form(rows) {
            Some(Form::Bytes) | None => guard.mask_part(&rows.plan, self.column, total, done, part),
            Some(_) => {
                // Counted as a masked cell; its bytes are not text.
                guard.mask_part(&rows.plan, self.column, total, done, &mut []);
                part.fill(0);
            }
        }
    }

    fn form<P>(&self, rows: &Rows<P>) -> Option<Form> {
        rows.forms.as_deref().and_then(|forms| forms.get(self.column)).copied()
    }

    fn length<P>(&mut self, rows: &Rows<P>, byte: u8) -> Result<(), Fault> {
        let counted = matches!(self.form(rows), Some(Form::Date { .. } | Form::Time));
        let long = |left| Stage::LongLength { left, shift: 0, total: 0 };
        self.stage = match byte {
            _ if counted => Stage::Cell { total: usize::from(byte), done: 0 },
            0..=0xfa => Stage::Cell { total: usize::from(byte), done: 0 },
            lenenc::NULL if rows.forms.is_none() => return self.next_column(rows),
            0xfc => long(2),
            0xfd => long(3),
            0xfe => long(8),
            _ => return Err(malformed_row()),
        };
        self.skip_empty(rows)
    }

    /// An empty value takes no byte that would move the walk on.
    fn skip_empty<P>(&mut self, rows: &Rows<P>) -> Result<(), Fault> {
        if matches!(self.stage, Stage::Cell { total: 0, .. }) { self.next_column(rows) } else { Ok(()) }
    }

    fn next_column<P>(&mut self, rows: &Rows<P>) -> Result<(), Fault> {
        self.column += 1;
        self.begin(rows)
    }

    /// The stage of the first field from the present column on that is not NULL.
    fn begin<P>(&mut self, rows: &Rows<P>) -> Result<(), Fault> {
        if rows.forms.is_some() && self.head.first() != Some(&crate::constant::header::OK) {
            return Err(malformed_row());
        }
        while self.column < rows.treatments.len() {
            let bit = self.column + NULL_BITMAP_OFFSET;
            let null =
                rows.forms.is_some() && self.head.get(1 + bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0);
            if !null {
                self.stage = match self.form(rows) {
                    Some(Form::Int { bytes, .. }) => Stage::Cell { total: bytes, done: 0 },
                    Some(Form::Double) => Stage::Cell { total: 8, done: 0 },
                    Some(Form::Float) => Stage::Cell { total: 4, done: 0 },
                    _ => Stage::Length,
                };
                return Ok(());
            }
            self.column += 1;
        }
        self.stage = Stage::End;
        Ok(())
    }
}
