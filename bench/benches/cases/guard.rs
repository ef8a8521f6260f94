//! A session's surroundings for the benchmark of the session alone: descriptions, and a guard that costs nothing.
//!
//! The guard lets every statement run and masks by the policy crate's own plan; it keeps no record.

use std::sync::Arc;

use policy::mask::{MaskCounts, Method, RowMask};
use policy::rule::RuleId;
use wire::guard::{
    CellOutcome, CopyPlan, CopyShape, CopySyntax, Denial, ErrorTreatment, Guard, Judged, Outcome, RowPlan,
    StatementText, Treatment, Verdict,
};
use wire::parameters::Parameters;
use wire::value::Column;

use super::data::{NAMES, frame, plain_column};

/// A RowDescription of text columns: `name`, then its relation and number.
pub(super) fn description(names: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(names.len()).expect("few columns").to_be_bytes().to_vec();
    for (number, name) in (1u16..).zip(names) {
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(&16_400u32.to_be_bytes());
        body.extend_from_slice(&number.to_be_bytes());
        // text, varlena, no modifier, text format
        body.extend_from_slice(&25u32.to_be_bytes());
        body.extend_from_slice(&[0xff; 6]);
        body.extend_from_slice(&[0, 0]);
    }
    frame(b'T', &body)
}

/// The four columns of [`super::data::batch`], the last under a mask.
pub(super) fn column_mask(method: Method) -> RowMask {
    let mut columns = vec![plain_column(); NAMES.len()];
    columns[3].mask = Some((RuleId(0), method));
    RowMask::new(columns)
}

/// Allows everything; masks by one plan, if it has one.
#[derive(Default)]
pub(super) struct BenchGuard {
    /// What is done to every result.
    pub(super) plan: Option<Arc<RowMask>>,
    /// Cells changed so far.
    pub(super) counts: MaskCounts,
    /// Statements completed so far.
    pub(super) completed: u64,
}

impl Guard for BenchGuard {
    type Statement = ();
    type Execution = ();
    type Plan = Arc<RowMask>;

    fn judge(&mut self, _: &StatementText<'_>) -> Judged<()> {
        Judged::Ruled { statement: (), verdict: Verdict::Allow }
    }

    fn rejudge(&mut self, (): &(), _: bool) -> Option<Judged<()>> {
        None
    }

    fn judge_function_call(&mut self, _: u32) -> Judged<()> {
        let denial = Denial { sqlstate: *b"42501", message: "not measured".into(), hint: None };
        Judged::Ruled { statement: (), verdict: Verdict::Deny(denial) }
    }

    fn begin(&mut self, (): &(), _: Parameters) {}

    fn completed(&mut self, (): &mut (), _: &Outcome<'_>) {
        self.completed += 1;
    }

    fn abandoned(&mut self, (): ()) {}

    fn wants_columns(&self, (): &()) -> bool {
        self.plan.is_some()
    }

    fn plan_rows(&mut self, (): &(), _: u32, _: &[Column]) -> RowPlan<Self::Plan> {
        self.plan.as_ref().map_or(RowPlan::Forward, |plan| RowPlan::Mask(Arc::clone(plan)))
    }

    fn plan_copy(&mut self, (): &(), _: u32, _: CopyShape) -> CopyPlan<Self::Plan> {
        match &self.plan {
            Some(plan) => CopyPlan::Mask {
                plan: Arc::clone(plan),
                syntax: CopySyntax::Text { delimiter: b'\t', header: false },
                null: (*b"\\N").into(),
            },
            None => CopyPlan::Forward,
        }
    }

    fn treatment(&self, plan: &Self::Plan, column: usize) -> Treatment {
        plan.treatment(column)
    }

    fn masks_every_row(&self, plan: &Self::Plan) -> bool {
        plan.masks_every_row()
    }

    fn candidates(&mut self, plan: &Self::Plan, batch: &[u8], hits: &mut Vec<u32>) {
        plan.candidates(batch, hits);
    }

    fn mask_cell(&mut self, plan: &Self::Plan, column: usize, cell: &mut [u8]) -> CellOutcome {
        plan.mask_cell(column, cell, &mut self.counts)
    }

    fn mask_part(&mut self, plan: &Self::Plan, column: usize, total_bytes: usize, offset: usize, part: &mut [u8]) {
        plan.mask_part(column, total_bytes, offset, part, &mut self.counts);
    }

    fn error_treatment(&mut self, _: Option<&()>, _: [u8; 5]) -> ErrorTreatment {
        ErrorTreatment::Pass
    }

    fn parameter_status(&mut self, _: &[u8], _: &[u8]) {}

    fn catalogue_query(&mut self) -> String {
        String::new()
    }

    fn catalogue_row(&mut self, _: usize, _: &[Option<&[u8]>]) {}

    fn catalogue_done(&mut self, _: bool) {}
}
