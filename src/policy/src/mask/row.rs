//! What masks and detectors do to the rows of one result, compiled once from its columns.
//!
//! A [`RowMask`] answers the row questions of [`wire::guard::Guard`]: which columns to look at, where in a
//! batch to look, and what becomes of a cell or of a part of one. It is immutable, holds no bytes of any
//! row, and is shared by all results with the same columns.

use std::sync::Arc;

use wire::guard::{CellOutcome, Treatment};
use wire::value::{Encoding, ValueType};

use super::counts::MaskCounts;
use super::method::Method;
use super::stamp::stamp;
use super::value::{Shape, mask_value};
use crate::detect::{DetectorSet, Hints};
use crate::rule::RuleId;

/// What one column of a result is, and what is asked for it.
#[derive(Clone, Debug)]
pub struct ColumnSpec {
    /// The kind of its values.
    pub value_type: ValueType,
    /// How its cells are encoded in this result.
    pub encoding: Encoding,
    /// Whether a client may meet NULL in it: `false` only where the catalogue says NOT NULL.
    pub nullable: bool,
    /// The rule that masks every cell, and how.
    pub mask: Option<(RuleId, Method)>,
    /// The detectors that look at each cell. Where a mask stands too, the mask wins; after one inside of the value
    /// they look at what it left.
    pub detectors: Option<Arc<DetectorSet>>,
}

impl ColumnSpec {
    fn shape(&self) -> Shape {
        Shape { value_type: self.value_type, encoding: self.encoding, nullable: self.nullable }
    }
}

/// What masks and detectors do to the rows of one result.
#[derive(Clone, Debug)]
pub struct RowMask {
    columns: Box<[ColumnSpec]>,
    treatments: Box<[Treatment]>,
    hints: Hints,
    every_row: bool,
}

impl RowMask {
    /// Compiles the columns of a result, in their order.
    pub fn new(mut columns: Vec<ColumnSpec>) -> Self {
        let mut all = Hints::default();
        let mut treatments = Vec::with_capacity(columns.len());
        for column in &mut columns {
            if let (None, Some(detectors)) = (&column.mask, &column.detectors) {
                column.mask = detectors.whole(column.value_type);
            }
            if column.mask.as_ref().is_some_and(|(_, method)| !method.is_partial()) {
                column.detectors = None;
            }
            let hints = column.detectors.as_ref().map(|set| set.hints(column.value_type, column.encoding));
            let hints = hints.unwrap_or_default();
            treatments.push(match &column.mask {
                Some(_) => Treatment::Mask,
                // Every cell is to be seen, as under a mask.
                None if hints.every_cell() => Treatment::Mask,
                None if hints.is_empty() => Treatment::Pass,
                None => Treatment::Detect,
            });
            all.add(&hints);
        }
        let every_row = treatments.contains(&Treatment::Mask);
        Self { columns: columns.into(), treatments: treatments.into(), hints: all, every_row }
    }

    /// The columns, in their order; one under a mask of the whole value has no detectors.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// Whether no cell of any row can be changed: such rows need no plan.
    pub fn is_idle(&self) -> bool {
        !self.every_row && self.hints.is_empty()
    }

    /// What is to be done with the cells of a column; those past the last pass.
    pub fn treatment(&self, column: usize) -> Treatment {
        self.treatments.get(column).copied().unwrap_or(Treatment::Pass)
    }

    /// Whether some column is masked, or looked at, in every row.
    pub fn masks_every_row(&self) -> bool {
        self.every_row
    }

    /// Appends offsets in `batch`, ascending, of which each value that a detector of the plan would find
    /// contains one. The batch holds whole rows: a value that reaches over its ends may be missed. Offsets
    /// that meet no value are common, in frame headers too.
    pub fn candidates(&self, batch: &[u8], hits: &mut Vec<u32>) {
        self.hints.scan(batch, hits);
    }

    /// As [`RowMask::mask_cell`] for a result whose texts may be in another encoding than UTF-8: what has to be looked
    /// for outside ASCII cannot be, and such a cell is masked whole.
    pub fn mask_encoded_cell(&self, column: usize, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        match self.columns.get(column) {
            Some(spec @ ColumnSpec { mask: Some((rule, method)), .. }) if method.needs_utf8() => {
                counts.add(*rule);
                mask_value(spec.shape(), &Method::Redact, cell)
            }
            _ => self.mask_cell(column, cell, counts),
        }
    }

    /// Masks one whole cell that is not NULL, as the column asks for, and counts it if it was changed.
    pub fn mask_cell(&self, column: usize, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        let Some(spec) = self.columns.get(column) else { return CellOutcome::InPlace };
        let partly = match &spec.mask {
            Some((_, Method::Inside(masks))) => Some(masks.mask(spec.shape(), cell, counts)),
            Some((rule, Method::Quoting(quotes))) => {
                let (outcome, found) = quotes.mask(spec.shape(), cell);
                if found {
                    counts.add(*rule);
                }
                Some(outcome)
            }
            _ => None,
        };
        if let Some(outcome) = partly {
            let Some(detectors) = &spec.detectors else { return outcome };
            return match outcome {
                CellOutcome::InPlace => detectors.scan_cell(spec.shape(), cell, counts),
                CellOutcome::Null => CellOutcome::Null,
                CellOutcome::Replace(mut bytes) => match detectors.scan_cell(spec.shape(), &mut bytes, counts) {
                    CellOutcome::InPlace => CellOutcome::Replace(bytes),
                    further => further,
                },
            };
        }
        if let Some((rule, method)) = &spec.mask {
            counts.add(*rule);
            return mask_value(spec.shape(), method, cell);
        }
        match &spec.detectors {
            Some(detectors) => detectors.scan_cell(spec.shape(), cell, counts),
            None => CellOutcome::InPlace,
        }
    }

    /// Overwrites part of a cell that was too large to be gathered, whatever it holds and whatever the
    /// column's method: `part` lies at `offset` of a cell of `total_bytes`, or of `usize::MAX` where the
    /// length is not known before the cell ends. The part with offset 0 counts the cell: for its rule, and
    /// as oversized where more is lost than the rule asks for.
    pub fn mask_part(
        &self,
        column: usize,
        total_bytes: usize,
        offset: usize,
        part: &mut [u8],
        counts: &mut MaskCounts,
    ) {
        let Some(spec) = self.columns.get(column) else { return };
        if self.treatment(column) == Treatment::Pass {
            return;
        }
        if offset == 0 && !part.is_empty() {
            if let Some((rule, _)) = &spec.mask {
                counts.add(*rule);
            }
            if !matches!(spec.mask, Some((_, Method::Redact))) {
                counts.add_oversized();
            }
        }
        stamp(spec.value_type, spec.encoding, total_bytes, offset, part);
    }
}
