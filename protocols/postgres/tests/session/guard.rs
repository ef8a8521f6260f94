//! A guard whose rules are words in the statement and in column names, and which writes down every call.
//!
//! Statement words: `DENY`, `HOLD`, `NEEDS` (the catalogue), `REJUDGE` (denied when bound again), `MASK`
//! (results are under rules). Column names: `redact`, `null`, `longer`, `detect`; others pass.

use std::rc::Rc;

use wire::guard::{
    CellOutcome, CopyPlan, CopyShape, CopySyntax, Denial, ErrorTreatment, Guard, Judged, Outcome, RowPlan,
    StatementText, Treatment, Verdict,
};
use wire::parameters::{Parameter, Parameters};
use wire::value::{Column, Encoding};

#[derive(Default)]
pub(crate) struct TestGuard {
    pub(crate) log: Vec<String>,
    pub(crate) catalogue: bool,
    pub(crate) copy_columns: Vec<&'static str>,
    pub(crate) rejudged: u32,
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn denial() -> Denial {
    Denial { sqlstate: *b"42501", message: "rule no-drop".into(), hint: Some("ask".into()) }
}

impl TestGuard {
    fn rule(&mut self, text: &str, possible: bool) -> Judged<Rc<str>> {
        if text.contains("NEEDS") && !self.catalogue && possible {
            return Judged::CatalogueNeeded;
        }
        let verdict = match text {
            text if text.contains("DENY") => Verdict::Deny(denial()),
            text if text.contains("HOLD") => Verdict::Hold,
            _ => Verdict::Allow,
        };
        Judged::Ruled { statement: text.into(), verdict }
    }
}

/// The mask of a column by its name.
fn treatment(name: &str) -> Treatment {
    match name {
        "redact" | "null" | "longer" => Treatment::Mask,
        "detect" => Treatment::Detect,
        _ => Treatment::Pass,
    }
}

impl Guard for TestGuard {
    type Statement = Rc<str>;
    type Execution = Rc<str>;
    type Plan = Rc<[Box<str>]>;

    fn judge(&mut self, text: &StatementText<'_>) -> Judged<Rc<str>> {
        let sql = lossy(text.sql);
        let shown: String = sql.chars().take(60).collect();
        self.log.push(format!("judge {shown} {:?} {} {}", text.carrier, text.total_bytes, text.catalogue_possible));
        self.rule(&sql, text.catalogue_possible)
    }

    fn rejudge(&mut self, statement: &Rc<str>, catalogue_possible: bool) -> Option<Judged<Rc<str>>> {
        if statement.contains("REJUDGE") {
            self.rejudged += 1;
            let text = statement.replace("REJUDGE", "DENY");
            return Some(self.rule(&text, catalogue_possible));
        }
        None
    }

    fn judge_function_call(&mut self, function: u32) -> Judged<Rc<str>> {
        self.log.push(format!("judge function {function}"));
        self.rule(if function == 666 { "DENY" } else { "function" }, false)
    }

    fn begin(&mut self, statement: &Rc<str>, parameters: Parameters) -> Rc<str> {
        let parameters: Vec<String> = parameters
            .iter()
            .map(|parameter| match parameter {
                Parameter::Null => "NULL".into(),
                Parameter::Value { bytes, total_bytes, .. } => format!("{}/{total_bytes}", lossy(bytes)),
            })
            .collect();
        let shown: String = statement.chars().take(60).collect();
        self.log.push(format!("begin {shown} {parameters:?}"));
        shown.into()
    }

    fn completed(&mut self, execution: &mut Rc<str>, outcome: &Outcome<'_>) {
        self.log.push(format!(
            "completed {execution} part {} tag {} rows {} state {:?} suspended {} in {} out {}",
            outcome.part,
            lossy(outcome.tag),
            outcome.rows,
            outcome.sqlstate.map(|state| lossy(&state)),
            outcome.suspended,
            outcome.bytes_from_client,
            outcome.bytes_to_client
        ));
    }

    fn abandoned(&mut self, execution: Rc<str>) {
        self.log.push(format!("abandoned {execution}"));
    }

    fn wants_columns(&self, statement: &Rc<str>) -> bool {
        statement.contains("MASK")
    }

    fn plan_rows(&mut self, statement: &Rc<str>, part: u32, columns: &[Column]) -> RowPlan<Self::Plan> {
        let formats: Vec<bool> = columns.iter().map(|column| column.encoding == Encoding::PgBinary).collect();
        self.log.push(format!("plan {statement} part {part} binary {formats:?}"));
        if columns.iter().all(|column| treatment(&column.name) == Treatment::Pass) {
            return RowPlan::Forward;
        }
        RowPlan::Mask(columns.iter().map(|column| column.name.clone()).collect())
    }

    fn plan_copy(&mut self, statement: &Rc<str>, part: u32, shape: CopyShape) -> CopyPlan<Self::Plan> {
        self.log.push(format!("plan copy {statement} part {part} {shape:?}"));
        let header = statement.contains("HEADER");
        let (syntax, null): (_, &[u8]) = if statement.contains("BINARY") {
            (CopySyntax::Binary, b"")
        } else if statement.contains("CSV") {
            (CopySyntax::Csv { delimiter: b',', quote: b'"', escape: b'"', header }, b"")
        } else {
            (CopySyntax::Text { delimiter: b'\t', header }, b"\\N")
        };
        let plan = self.copy_columns.iter().map(|name| (*name).into()).collect();
        CopyPlan::Mask { plan, syntax, null: null.into() }
    }

    fn row_limit(&mut self, statement: &Rc<str>) -> Option<u64> {
        statement.contains("LIMITED").then_some(2)
    }

    fn treatment(&self, plan: &Self::Plan, column: usize) -> Treatment {
        treatment(&plan[column])
    }

    fn masks_every_row(&self, plan: &Self::Plan) -> bool {
        plan.iter().any(|name| treatment(name) == Treatment::Mask)
    }

    fn candidates(&mut self, _: &Self::Plan, batch: &[u8], hits: &mut Vec<u32>) {
        let found = batch.iter().enumerate().filter(|(_, byte)| **byte == b'@');
        hits.extend(found.map(|(at, _)| u32::try_from(at).unwrap()));
    }

    fn mask_cell(&mut self, plan: &Self::Plan, column: usize, cell: &mut [u8]) -> CellOutcome {
        match &*plan[column] {
            "null" => CellOutcome::Null,
            "longer" => CellOutcome::Replace(b"<withheld,\t\"quoted\" \\ >".to_vec()),
            "detect" if !cell.contains(&b'@') => CellOutcome::InPlace,
            _ => {
                cell.fill(b'*');
                CellOutcome::InPlace
            }
        }
    }

    fn mask_part(&mut self, _: &Self::Plan, _: usize, _: usize, _: usize, part: &mut [u8]) {
        part.fill(b'*');
    }

    fn error_treatment(&mut self, statement: Option<&Rc<str>>, _: [u8; 5]) -> ErrorTreatment {
        match statement {
            Some(statement) if statement.contains("MASK") => ErrorTreatment::Scrub,
            None if self.log.iter().any(|line| line.contains("MASK")) => ErrorTreatment::Scrub,
            _ => ErrorTreatment::Pass,
        }
    }

    fn parameter_status(&mut self, name: &[u8], value: &[u8]) {
        self.log.push(format!("setting {}={}", lossy(name), lossy(value)));
    }

    fn catalogue_query(&mut self) -> String {
        "catalogue one; two".into()
    }

    fn catalogue_row(&mut self, result: usize, cells: &[Option<&[u8]>]) {
        let cells: Vec<_> = cells.iter().map(|cell| cell.map(lossy)).collect();
        self.log.push(format!("catalogue {result} {cells:?}"));
    }

    fn catalogue_done(&mut self, succeeded: bool) {
        self.catalogue = succeeded;
        self.log.push(format!("catalogue done {succeeded}"));
    }
}
