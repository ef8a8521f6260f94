//! A guard whose rules are words in the statement and in column names, and which writes down every call.
//!
//! Statement words: `DENY`, `HOLD`, `NEEDS` (the catalogue), `REJUDGE` (denied when bound again), `MASK`
//! (results are under rules), `UNSETTLE` (settings are asked for behind it). Column names: `redact`, `null`, `longer`, `detect`, and `secret` and `o` of the captures; others pass. Files of the
//! client whose names hold `allowed` may be read, users whose names hold `allowed` may be changed to.

use std::rc::Rc;

use wire::guard::{
    CellOutcome, CopyPlan, CopyShape, Denial, ErrorTreatment, Guard, Judged, Outcome, RowPlan, StatementText,
    Treatment, Verdict,
};
use wire::parameters::{Parameter, Parameters};
use wire::value::{Column, Origin};

use crate::simulation::contains;

#[derive(Default)]
pub(crate) struct TestGuard {
    pub(crate) log: Vec<String>,
    pub(crate) catalogue: bool,
    pub(crate) rejudged: u32,
    /// Every result is under rules, whatever its statement.
    pub(crate) wants_all: bool,
    /// Settings are asked for when the session was reset.
    pub(crate) asks_settings: bool,
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

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Named(names) => format!("{}.{}.{}", names.schema, names.relation, names.column),
        _ => "none".into(),
    }
}

/// The mask of a column by its name.
fn treatment(name: &str) -> Treatment {
    match name {
        "redact" | "null" | "longer" | "secret" | "o" => Treatment::Mask,
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

    fn unsettles(&self, statement: &Rc<str>) -> bool {
        statement.contains("UNSETTLE")
    }

    fn settings_in_doubt(&mut self) {
        self.log.push("in doubt".into());
    }

    fn settings_queries(&mut self) -> Vec<String> {
        if self.asks_settings { vec!["settings".into()] } else { Vec::new() }
    }

    fn settings_row(&mut self, result: usize, cells: &[Option<&[u8]>]) {
        let cells: Vec<_> = cells.iter().map(|cell| cell.map(lossy)).collect();
        self.log.push(format!("settings {result} {cells:?}"));
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
                Parameter::Value { bytes, total_bytes, type_name, .. } => {
                    format!("{}/{total_bytes} {type_name}", lossy(bytes))
                }
            })
            .collect();
        let shown: String = statement.chars().take(60).collect();
        self.log.push(format!("begin {shown} {parameters:?}"));
        shown.into()
    }

    fn completed(&mut self, execution: &mut Rc<str>, outcome: &Outcome<'_>) {
        self.log.push(format!(
            "completed {execution} part {} rows {} error {:?} suspended {} in {} out {}",
            outcome.part,
            outcome.rows,
            outcome.error_code,
            outcome.suspended,
            outcome.bytes_from_client,
            outcome.bytes_to_client
        ));
    }

    fn abandoned(&mut self, execution: Rc<str>) {
        self.log.push(format!("abandoned {execution}"));
    }

    fn wants_columns(&self, statement: &Rc<str>) -> bool {
        self.wants_all || statement.contains("MASK")
    }

    fn plan_rows(&mut self, statement: &Rc<str>, part: u32, columns: &[Column]) -> RowPlan<Self::Plan> {
        let origins: Vec<String> = columns.iter().map(|column| origin(&column.origin)).collect();
        self.log.push(format!("plan {statement} part {part} {origins:?}"));
        if columns.iter().all(|column| treatment(&column.name) == Treatment::Pass) {
            return RowPlan::Forward;
        }
        RowPlan::Mask(columns.iter().map(|column| column.name.clone()).collect())
    }

    fn row_limit(&mut self, statement: &Rc<str>) -> Option<u64> {
        statement.contains("LIMIT2").then_some(2)
    }

    fn plan_copy(&mut self, _: &Rc<str>, _: u32, _: CopyShape) -> CopyPlan<Self::Plan> {
        CopyPlan::Forward
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
            "longer" => CellOutcome::Replace(b"withheld from you".repeat(20)),
            "detect" if !cell.contains(&b'@') => CellOutcome::InPlace,
            _ if cell.iter().all(u8::is_ascii_digit) => {
                cell.fill(b'0');
                CellOutcome::InPlace
            }
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
            Some(statement) if statement.contains("ABOUT") => ErrorTreatment::PassAboutText,
            Some(statement) if statement.contains("MASK") => ErrorTreatment::Scrub,
            _ if self.wants_all => ErrorTreatment::Scrub,
            _ => ErrorTreatment::Pass,
        }
    }

    fn parameter_status(&mut self, name: &[u8], value: &[u8]) {
        self.log.push(format!("setting {}={}", lossy(name), lossy(value)));
    }

    fn local_file(&mut self, _: &Rc<str>, file: &[u8]) -> Result<(), Denial> {
        self.log.push(format!("file {}", lossy(file)));
        if contains(file, b"allowed") { Ok(()) } else { Err(denial()) }
    }

    fn local_file_sent(&mut self, execution: &mut Rc<str>, file: &[u8], bytes: u64) {
        self.log.push(format!("sent {execution} {} {bytes}", lossy(file)));
    }

    fn local_file_refused(&mut self, execution: &mut Rc<str>, file: &[u8], denial: &Denial) {
        self.log.push(format!("kept {execution} {} {}", lossy(file), denial.message));
    }

    fn command_refused(&mut self, name: &'static str, denial: &Denial) {
        self.log.push(format!("refused {name} {}", lossy(&denial.sqlstate)));
    }

    fn change_user(&mut self, user: &[u8], database: &[u8]) -> Result<(), Denial> {
        self.log.push(format!("change {} {}", lossy(user), lossy(database)));
        if contains(user, b"allowed") { Ok(()) } else { Err(denial()) }
    }

    fn user_not_changed(&mut self, reason: &'static str, code: u16, sqlstate: [u8; 5]) {
        self.log.push(format!("not changed {reason} {code} {}", lossy(&sqlstate)));
    }

    fn user_changed(&mut self, user: &[u8], database: &[u8]) {
        self.log.push(format!("changed {} {}", lossy(user), lossy(database)));
    }

    fn session_reset(&mut self) {
        self.log.push("reset".into());
    }

    fn transaction_ended(&mut self) {
        self.log.push("transaction ended".into());
    }

    fn catalogue_query(&mut self) -> String {
        String::new()
    }

    fn catalogue_queries(&mut self) -> Vec<String> {
        vec!["catalogue one".into(), "catalogue two".into()]
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
