//! A guard for fuzzing: allows everything but `drop`, masks the first column of every result with the real
//! masks, and looks for e-mail addresses in the others with the real detectors.

use std::rc::Rc;
use std::sync::Arc;

use policy::detect::{Detector, DetectorSet, DetectorUse};
use policy::mask::{ColumnSpec, MaskCounts, Method, RowMask};
use policy::rule::RuleId;
use wire::guard::{
    CellOutcome, CopyPlan, CopyShape, CopySyntax, Denial, ErrorTreatment, Guard, Judged, Outcome, RowPlan,
    StatementText, Treatment, Verdict,
};
use wire::parameters::Parameters;
use wire::value::{Column, Encoding, ValueType};

/// What must never reach the client.
pub const SENTINEL: &[u8] = b"s3nt1nel-0f-the-masked-column";

/// See the module.
#[derive(Default)]
pub struct MaskingGuard {
    counts: MaskCounts,
}

fn detectors() -> Arc<DetectorSet> {
    let email = DetectorUse { rule: RuleId(1), detector: Detector::Email, method: Method::Redact };
    Arc::new(DetectorSet::compile(&[email]))
}

fn plan(columns: impl Iterator<Item = (ValueType, Encoding)>) -> Rc<RowMask> {
    let specs = columns.enumerate().map(|(index, (value_type, encoding))| ColumnSpec {
        value_type,
        encoding,
        nullable: true,
        mask: (index == 0).then_some((RuleId(0), Method::Redact)),
        detectors: Some(detectors()),
    });
    Rc::new(RowMask::new(specs.collect()))
}

impl Guard for MaskingGuard {
    type Statement = ();
    type Execution = ();
    type Plan = Rc<RowMask>;

    fn judge(&mut self, text: &StatementText<'_>) -> Judged<()> {
        let drops = text.sql.windows(4).any(|word| word.eq_ignore_ascii_case(b"drop"));
        let verdict = if drops {
            Verdict::Deny(Denial { sqlstate: *b"42501", message: "refused by rule \"no drop\"".into(), hint: None })
        } else {
            Verdict::Allow
        };
        Judged::Ruled { statement: (), verdict }
    }

    fn rejudge(&mut self, (): &(), _catalogue_possible: bool) -> Option<Judged<()>> {
        None
    }

    fn judge_function_call(&mut self, _function: u32) -> Judged<()> {
        Judged::Ruled { statement: (), verdict: Verdict::Allow }
    }

    fn begin(&mut self, (): &(), _parameters: Parameters) {}

    fn completed(&mut self, (): &mut (), _outcome: &Outcome<'_>) {}

    fn abandoned(&mut self, (): ()) {}

    fn wants_columns(&self, (): &()) -> bool {
        true
    }

    fn plan_rows(&mut self, (): &(), _part: u32, columns: &[Column]) -> RowPlan<Rc<RowMask>> {
        RowPlan::Mask(plan(columns.iter().map(|column| (column.value_type, column.encoding))))
    }

    fn plan_copy(&mut self, (): &(), _part: u32, shape: CopyShape) -> CopyPlan<Rc<RowMask>> {
        let encoding = if shape.binary { Encoding::PgBinary } else { Encoding::Text };
        let syntax =
            if shape.binary { CopySyntax::Binary } else { CopySyntax::Text { delimiter: b'\t', header: false } };
        CopyPlan::Mask {
            plan: plan((0..shape.columns.min(1664)).map(|_| (ValueType::Text, encoding))),
            syntax,
            null: Box::from(&b"\\N"[..]),
        }
    }

    fn treatment(&self, plan: &Rc<RowMask>, column: usize) -> Treatment {
        plan.treatment(column)
    }

    fn masks_every_row(&self, plan: &Rc<RowMask>) -> bool {
        plan.masks_every_row()
    }

    fn candidates(&mut self, plan: &Rc<RowMask>, batch: &[u8], hits: &mut Vec<u32>) {
        plan.candidates(batch, hits);
    }

    fn mask_cell(&mut self, plan: &Rc<RowMask>, column: usize, cell: &mut [u8]) -> CellOutcome {
        plan.mask_cell(column, cell, &mut self.counts)
    }

    fn mask_part(&mut self, plan: &Rc<RowMask>, column: usize, total: usize, offset: usize, part: &mut [u8]) {
        plan.mask_part(column, total, offset, part, &mut self.counts);
    }

    fn error_treatment(&mut self, _statement: Option<&()>, _sqlstate: [u8; 5]) -> ErrorTreatment {
        ErrorTreatment::Scrub
    }

    fn parameter_status(&mut self, _name: &[u8], _value: &[u8]) {}

    fn catalogue_query(&mut self) -> String {
        String::new()
    }

    fn catalogue_row(&mut self, _result: usize, _cells: &[Option<&[u8]>]) {}

    fn catalogue_done(&mut self, _succeeded: bool) {}
}

/// Rules for [`crate::judge`]: drops are refused, one column is masked.
fn rules() -> Arc<policy::snapshot::UserRules> {
    use std::sync::OnceLock;
    static RULES: OnceLock<Arc<policy::snapshot::UserRules>> = OnceLock::new();
    const CONFIG: &str = r#"
        [[listen]]
        name = "orders"
        protocol = "postgres"
        address = "127.0.0.1:6432"
        upstream = "127.0.0.1:5432"
        [[deny]]
        name = "no drop"
        statements = ["drop"]
        [[mask]]
        name = "cards"
        columns = ["public.customers.card"]
        method = "redact"
    "#;
    Arc::clone(RULES.get_or_init(|| {
        let config = policy::config::Config::parse(CONFIG, "fuzz.toml").expect("the fuzz config is valid");
        policy::snapshot::Snapshot::compile(Arc::new(config), 1).rules_for("orders", "ana")
    }))
}

/// Any text is judged without a panic, and what stands inside a comment never lets a `drop` pass.
pub fn judge_anything(data: &[u8]) {
    use policy::statement::{Ruling, SqlContext, judge};
    let rules = rules();
    let _ = judge(&rules, data, &SqlContext::default(), None);
    let mut context = SqlContext::default();
    context.standard_conforming_strings = false;
    let _ = judge(&rules, data, &context, None);
    let harmless = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b' ';
    let inner: Vec<u8> = data.iter().filter(harmless).copied().collect();
    let text = [&b"/* "[..], &inner, b" */ drop -- ", &inner, b"\n table /* ", &inner, b" */ customers"].concat();
    let judged = judge(&rules, &text, &SqlContext::default(), None);
    assert!(matches!(judged.ruling, Ruling::Deny(_)), "a drop was let through: {}", String::from_utf8_lossy(&text));
}
