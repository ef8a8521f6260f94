//! The questions that a protocol session asks of the policy, and what it reports for the audit.
//!
//! A session never sees a rule. It hands over a statement's text and gets a verdict; it hands over the
//! columns of a result and gets a plan; it hands over cells under a plan and gets them masked. The shell
//! implements [`Guard`] over the policy crate; tests and fuzz targets implement it in a few lines.
//!
//! Order of calls for one statement: [`Guard::judge`] (or [`Guard::rejudge`] when a prepared statement is
//! bound), [`Guard::begin`] when it is sent to the server, [`Guard::plan_rows`] or [`Guard::plan_copy`] when
//! the server describes its result, the masking calls while rows pass, and [`Guard::completed`] for each
//! statement of the text that ends, or [`Guard::abandoned`].

use crate::parameters::Parameters;
use crate::value::Column;

/// By which message a statement came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// A message without SQL; the text is the statement that would do the same, such as `USE` for MySQL's
    /// COM_INIT_DB.
    Command,
    /// A message that runs it at once and may hold several statements.
    Query,
    /// A message that prepares it; it runs later, any number of times.
    Prepare,
}

/// What a statement's text is, for the guard.
#[derive(Clone, Copy, Debug)]
pub struct StatementText<'a> {
    /// The text as sent, without a terminator; any bytes.
    pub sql: &'a [u8],
    /// The message that carried it.
    pub carrier: Carrier,
    /// Bytes of the whole text where `sql` is only its beginning because the text passes
    /// [`crate::limits::STATEMENT_BYTES`]; otherwise `sql.len()`.
    pub total_bytes: usize,
    /// Whether the session could load the catalogue before this statement goes on. Where it cannot (in the
    /// middle of a pipeline, in a failed transaction), the guard must decide with what it has, fail closed.
    pub catalogue_possible: bool,
}

/// A refusal, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// SQLSTATE; `42501` unless the reason is not a rule.
    pub sqlstate: [u8; 5],
    /// The primary message; names the rule.
    pub message: Box<str>,
    /// What the rule's author wants the client to know.
    pub hint: Option<Box<str>>,
}

/// What becomes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Allow,
    /// It may not; the guard has written its audit record already.
    Deny(Denial),
    /// A human decides; the session waits.
    Hold,
}

/// The answer of [`Guard::judge`].
#[derive(Clone, Debug)]
pub enum Judged<S> {
    /// Decided.
    Ruled {
        /// The statement under which the rest of its life is reported.
        statement: S,
        /// What becomes of it.
        verdict: Verdict,
    },
    /// The guard must see the catalogue first: run [`Guard::catalogue_query`], then ask again. Given only
    /// where [`StatementText::catalogue_possible`] holds.
    CatalogueNeeded,
}

/// How one statement of a text ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome<'a> {
    /// Which statement of the text, from 0.
    pub part: u32,
    /// The command tag as sent, such as `SELECT 5`; empty after an error.
    pub tag: &'a [u8],
    /// Rows that the tag counts, 0 where it counts none.
    pub rows: u64,
    /// The SQLSTATE of the error that ended it.
    pub sqlstate: Option<[u8; 5]>,
    /// The number of that error, in a protocol that numbers errors (MySQL).
    pub error_code: Option<u16>,
    /// Whether it stopped at a row limit and can go on.
    pub suspended: bool,
    /// Bytes of messages from the client that belong to it.
    pub bytes_from_client: u64,
    /// Bytes of messages to the client that belong to it.
    pub bytes_to_client: u64,
}

/// What is to happen to the rows of a result.
#[derive(Clone, Debug)]
pub enum RowPlan<P> {
    /// No rule concerns them: they pass uninspected.
    Forward,
    /// Cells are handed to the guard under this plan.
    Mask(P),
}

/// What a plan does with one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Its cells pass.
    Pass,
    /// A detector looks at its cells; only rows that [`Guard::candidates`] names need to be shown.
    Detect,
    /// Every cell is masked.
    Mask,
}

/// What becomes of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellOutcome {
    /// Send the bytes as they now are; the guard may have changed them in place.
    InPlace,
    /// Send NULL.
    Null,
    /// Send these bytes.
    Replace(Vec<u8>),
}

/// What the server is about to send as COPY data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyShape {
    /// Whether rows come in COPY's binary format.
    pub binary: bool,
    /// Columns of each row.
    pub columns: usize,
}

/// How the text of COPY data is written; from the statement's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopySyntax {
    /// COPY's binary format.
    Binary,
    /// One row a line, values in quotes where needed.
    Csv {
        /// Between values.
        delimiter: u8,
        /// Around values.
        quote: u8,
        /// Before a quote inside a value.
        escape: u8,
        /// Whether the first line holds names.
        header: bool,
    },
    /// One row a line, backslash escapes.
    Text {
        /// Between values.
        delimiter: u8,
        /// Whether the first line holds names.
        header: bool,
    },
}

/// What is to happen to COPY data on its way to the client.
#[derive(Clone, Debug)]
pub enum CopyPlan<P> {
    /// No rule concerns it.
    Forward,
    /// Values are handed to the guard under this plan.
    Mask {
        /// The plan; it has one column for each of [`CopyShape::columns`].
        plan: P,
        /// How to find the values.
        syntax: CopySyntax,
        /// What stands for NULL in text and CSV.
        null: Box<[u8]>,
    },
}

/// What of an error's or notice's text may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorTreatment {
    /// All of it.
    Pass,
    /// What the server says of its own accord: severity, its own codes and texts. Every field that can hold a value
    /// is replaced, whoever may have put it there.
    Scrub,
    /// All of it if it points at a place in the text that the client sent: then the text itself is at fault,
    /// and no row was read. Else as [`ErrorTreatment::Scrub`].
    PassAboutText,
    /// All of it, unless it says that code of the users ran: any statement can run some that is not named in it. Else as
    /// [`ErrorTreatment::Scrub`].
    PassUnlessCode,
}

/// The policy and the audit, as one session sees them.
pub trait Guard {
    /// A judged statement; cheap to clone.
    type Statement: Clone;
    /// One run of a statement, until it is reported as completed.
    type Execution;
    /// What masks do to the rows of one result; cheap to clone.
    type Plan: Clone;

    /// Decides about a statement that the client sent.
    fn judge(&mut self, text: &StatementText<'_>) -> Judged<Self::Statement>;

    /// Decides again about a prepared statement that is about to run. `None`: the earlier verdict (it was
    /// allowed) still holds.
    fn rejudge(&mut self, statement: &Self::Statement, catalogue_possible: bool) -> Option<Judged<Self::Statement>>;

    /// A statement that is bound already is about to run. Why it may not, where the rules have changed since it
    /// was judged and the results under way could not follow them.
    fn outlived(&mut self, _statement: &Self::Statement) -> Option<Denial> {
        None
    }

    /// Decides about a function called by its OID, without SQL.
    fn judge_function_call(&mut self, function: u32) -> Judged<Self::Statement>;

    /// The statement goes to the server.
    fn begin(&mut self, statement: &Self::Statement, parameters: Parameters) -> Self::Execution;

    /// One statement of the text ended; the execution may go on with the next.
    fn completed(&mut self, execution: &mut Self::Execution, outcome: &Outcome<'_>);

    /// The session ended, or the server skipped it, before it completed.
    fn abandoned(&mut self, execution: Self::Execution);

    /// The client gives this name to a prepared statement or portal by a message of the protocol, so that it
    /// no longer is what a statement's text made of it.
    fn name_taken(&mut self, name: &[u8]) {
        let _ = name;
    }

    /// The server is ready, outside a transaction: what ran before is committed or rolled back.
    fn transaction_ended(&mut self) {}

    /// Whether any rule can concern the results of this statement. Where not, its result descriptions and
    /// rows pass without being read.
    fn wants_columns(&self, statement: &Self::Statement) -> bool;

    /// What is to happen to the rows under this description. `part` counts the descriptions that the
    /// statement's text has brought so far, from 0.
    fn plan_rows(&mut self, statement: &Self::Statement, part: u32, columns: &[Column]) -> RowPlan<Self::Plan>;

    /// How many rows a run of this statement may show; `None` for any number. Asked when it is about to be sent; the
    /// text of several statements has no limit.
    fn row_limit(&mut self, statement: &Self::Statement) -> Option<u64> {
        let _ = statement;
        None
    }

    /// What the client is told in place of the end of a result that has more rows than [`Guard::row_limit`] said.
    fn too_many_rows(&mut self, statement: &Self::Statement) -> Denial {
        let _ = statement;
        Denial { sqlstate: *b"54000", message: "the result has more rows than a rule allows".into(), hint: None }
    }

    /// What is to happen to COPY data on its way out.
    fn plan_copy(&mut self, statement: &Self::Statement, part: u32, shape: CopyShape) -> CopyPlan<Self::Plan>;

    /// What the plan does with a column.
    fn treatment(&self, plan: &Self::Plan, column: usize) -> Treatment;

    /// Whether some column of the plan is under [`Treatment::Mask`], so that every row must be walked.
    fn masks_every_row(&self, plan: &Self::Plan) -> bool;

    /// Offsets in `batch`, ascending, near which a detector of the plan may find something. A hint only:
    /// bytes of frame headers may look like data, and a value is never missed. A value that is to be found
    /// contains the byte at one of the offsets.
    fn candidates(&mut self, plan: &Self::Plan, batch: &[u8], hits: &mut Vec<u32>);

    /// Masks one whole cell that is not NULL.
    fn mask_cell(&mut self, plan: &Self::Plan, column: usize, cell: &mut [u8]) -> CellOutcome;

    /// Overwrites part of a cell that is too large to be gathered: `part` lies at `offset` of a cell of
    /// `total_bytes`. The length stays.
    fn mask_part(&mut self, plan: &Self::Plan, column: usize, total_bytes: usize, offset: usize, part: &mut [u8]);

    /// What of an error or notice may pass. `statement` is the running one, if any.
    fn error_treatment(&mut self, statement: Option<&Self::Statement>, sqlstate: [u8; 5]) -> ErrorTreatment;

    /// The server reported a setting.
    fn parameter_status(&mut self, name: &[u8], value: &[u8]);

    /// Whether the client may see what the server reports of a setting: a function can have put any value into
    /// one. `statement` is the running one, if any. Asked behind [`Guard::parameter_status`].
    fn shows_setting(&mut self, statement: Option<&Self::Statement>, name: &[u8], value: &[u8]) -> bool {
        let (_, _, _) = (statement, name, value);
        true
    }

    /// Whether payloads of notifications pass: any session can put anything into one.
    fn shows_notifications(&self) -> bool {
        true
    }

    /// The server asks the client for a file of its machine (MySQL's `LOAD DATA LOCAL INFILE`). `file` is
    /// the name as the server gives it: any server may ask for any file. Refused unless the guard says
    /// otherwise.
    ///
    /// # Errors
    /// The refusal.
    fn local_file(&mut self, statement: &Self::Statement, file: &[u8]) -> Result<(), Denial> {
        let (_, _) = (statement, file);
        Err(Denial { sqlstate: *b"42000", message: "local files are not allowed".into(), hint: None })
    }

    /// The client has sent a file that [`Guard::local_file`] allowed: its name and its size in bytes.
    fn local_file_sent(&mut self, execution: &mut Self::Execution, file: &[u8], bytes: u64) {
        let (_, _, _) = (execution, file, bytes);
    }

    /// [`Guard::local_file`] refused a file with `denial`, which the client is told: the server gets nothing of it.
    fn local_file_refused(&mut self, execution: &mut Self::Execution, file: &[u8], denial: &Denial) {
        let (_, _, _) = (execution, file, denial);
    }

    /// A command without a text was refused by what the listener or the user may do at all. `name` is what the
    /// protocol calls it, such as `COM_BINLOG_DUMP`.
    fn command_refused(&mut self, name: &'static str, denial: &Denial) {
        let (_, _) = (name, denial);
    }

    /// The client asks to become another user on the same connection (MySQL's COM_CHANGE_USER). Whether it is
    /// that user is checked next, by the server or by the gateway, as at login. Refused unless the guard says
    /// otherwise.
    ///
    /// # Errors
    /// The refusal.
    fn change_user(&mut self, user: &[u8], database: &[u8]) -> Result<(), Denial> {
        let (_, _) = (user, database);
        Err(Denial { sqlstate: *b"42000", message: "the user cannot be changed".into(), hint: None })
    }

    /// The change that [`Guard::change_user`] allowed failed: the client could not show that it is that user, or
    /// the server would not have it. `reason` is a fixed short name; code and SQLSTATE are what the client is told.
    fn user_not_changed(&mut self, reason: &'static str, code: u16, sqlstate: [u8; 5]) {
        let (_, _, _) = (reason, code, sqlstate);
    }

    /// Whether a session may read the server's log of all changes, by which everything leaves unmasked.
    fn may_replicate(&mut self) -> bool {
        true
    }

    /// The change that [`Guard::change_user`] allowed is done.
    fn user_changed(&mut self, user: &[u8], database: &[u8]) {
        let (_, _) = (user, database);
    }

    /// The server has put every setting of the session back to what it was after login. What
    /// [`Guard::settings_queries`] names is asked next, ahead of any other message of the client.
    fn session_reset(&mut self) {}

    /// Whether how later texts are read has to be asked for once this statement ran: what the client sends behind it
    /// waits until it is answered and [`Guard::settings_queries`] are.
    fn unsettles(&self, statement: &Self::Statement) -> bool {
        let _ = statement;
        false
    }

    /// A statement that [`Guard::unsettles`] has ended, well or not: what it left is asked next, ahead of any other
    /// message of the client.
    fn settings_in_doubt(&mut self) {}

    /// The texts that read the settings of a session whose server does not report all of them, and have it
    /// report their changes; one result each.
    fn settings_queries(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// One row of the `result`-th of [`Guard::settings_queries`].
    fn settings_row(&mut self, result: usize, cells: &[Option<&[u8]>]) {
        let (_, _) = (result, cells);
    }

    /// The query that reads the catalogue: one text of several statements, run as a simple query.
    fn catalogue_query(&mut self) -> String;

    /// The same as one text for each statement, for a protocol that runs one at a time.
    fn catalogue_queries(&mut self) -> Vec<String> {
        vec![self.catalogue_query()]
    }

    /// One row of the catalogue, from the `result`-th statement of the query, counted from 0.
    fn catalogue_row(&mut self, result: usize, cells: &[Option<&[u8]>]);

    /// The catalogue is read, or could not be.
    fn catalogue_done(&mut self, succeeded: bool);
}
