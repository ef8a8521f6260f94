//! The policy and the audit as one session sees them: [`wire::guard::Guard`] over the policy crate.
//!
//! A verdict is looked up in the shard's cache before anything is parsed. The policy of the session changes
//! only in [`Guard::judge`] and [`Guard::rejudge`], that is, between statements.

mod judging;
mod mysql_settings;
mod names;
mod report;
mod settings;
mod statement;
mod users;

use std::rc::Rc;
use std::sync::Arc;

use policy::catalogue::CatalogueBuilder;
use policy::decide::Readable;
use policy::mask::{MaskCounts, RowMask};
use policy::snapshot::Snapshot;
use policy::sql::Dialect;
use policy::statement::kind::{Kind, KindSet};
use policy::statement::{ClientEncoding, Speech, SqlContext};
use socket2::SockAddr;
use wire::guard::{
    Carrier, CellOutcome, CopyPlan, CopyShape, Denial, ErrorTreatment, Guard, Judged, Outcome, RowPlan, StatementText,
    Treatment,
};
use wire::parameters::Parameters;
use wire::value::Column;

use self::names::Names;
pub(crate) use self::report::Execution;
use self::settings::{Answer, Settings};
use self::statement::Base;
pub(crate) use self::statement::Statement;
use self::users::Claimed;
use crate::cancel::CancelKey;
use crate::catalogues::Loaded;
use crate::facts::{Entry, SessionFacts, Totals, seconds};
use crate::relay::End;
use crate::shard::Shard;
use crate::tls::TlsStream;
use crate::verdicts::ContextKey;

/// An answer of the server to [`Guard::catalogue_query`] that is coming in.
#[derive(Default)]
struct Loading {
    /// Where the catalogue was asked for.
    catalogue: Option<Box<CatalogueBuilder>>,
    settings: Answer,
}

impl Loading {
    /// Results that come before those about settings.
    fn catalogue_results(&self) -> usize {
        if self.catalogue.is_some() { policy::catalogue::RESULTS } else { 0 }
    }
}

/// The policy and the audit of one session.
pub(crate) struct SessionGuard {
    shard: Rc<Shard>,
    facts: SessionFacts,
    /// Generation of the policy that `facts.rules` come from.
    generation: u64,
    /// The settings that change what a text means.
    context: SqlContext,
    /// The encoding as the server reported it last.
    encoding: ClientEncoding,
    /// Whether a statement on its way may change it.
    encoding_in_doubt: bool,
    /// Whether one on its way may set it, so that results behind it come in another one before the server says so.
    encoding_moves: bool,
    /// Whether code of the users ran that may have left masked data behind: in settings, cursors, temporary tables.
    unseen_code: bool,
    /// MySQL's or MariaDB's version, as the server told it.
    server_version: Box<[u8]>,
    /// Number of `rules`, `catalogue` and `context` in the verdict cache; `None` after any of them changed.
    cache_context: Option<u32>,
    catalogue: Option<Loaded>,
    /// The shard's count of catalogues when `catalogue` was looked up.
    catalogues_seen: u64,
    /// Whether a result named a relation that the catalogue does not know.
    catalogue_stale: bool,
    loading: Option<Loading>,
    /// What of `context` the server was asked for.
    settings: Settings,
    /// What names that SQL made stand for.
    names: Names,
    /// The `application_name` of the start-up, which RESET brings back.
    started_as: Box<[u8]>,
    /// Whether the next question to the server is about the catalogue, not only about settings.
    catalogue_asked: bool,
    /// Whether the last load of the catalogue failed; rules about statements alone do not try again.
    load_failed: bool,
    /// Whether a statement that may change relations ran in the transaction that is open.
    changes_schema: bool,
    /// The listener's count of schema changes when `loading` began.
    loading_epoch: u64,
    counts: MaskCounts,
    totals: Totals,
    entry: Entry,
    /// Whose session a COM_CHANGE_USER that is under way asks for.
    claimed: Option<Claimed>,
    /// The key by which its statements can be cancelled.
    cancel: Option<CancelKey>,
    relay_index: usize,
}

impl SessionGuard {
    /// The guard of a session that is about to be established.
    pub(crate) fn new(shard: &Rc<Shard>, policy: &Arc<Snapshot>, facts: SessionFacts, auth: &'static str) -> Self {
        let context = mysql_settings::beginning(policy, &facts);
        let encoding = context.encoding;
        Self {
            shard: Rc::clone(shard),
            generation: policy.generation(),
            context,
            encoding,
            encoding_in_doubt: false,
            encoding_moves: false,
            unseen_code: false,
            server_version: Box::default(),
            cache_context: None,
            catalogue: None,
            catalogues_seen: 0,
            catalogue_stale: false,
            loading: None,
            settings: Settings::default(),
            names: Names::default(),
            started_as: facts.application.clone(),
            catalogue_asked: false,
            load_failed: false,
            changes_schema: false,
            loading_epoch: 0,
            counts: MaskCounts::default(),
            totals: Totals::default(),
            entry: Entry { auth, ..Entry::default() },
            claimed: None,
            cancel: None,
            relay_index: usize::MAX,
            facts,
        }
    }

    /// The session's place among the shard's relays.
    pub(crate) fn relay_index(&self) -> usize {
        self.relay_index
    }

    /// Says where the relay of this session stands.
    pub(crate) fn set_relay_index(&mut self, index: usize) {
        self.relay_index = index;
    }

    /// The session's name in the audit.
    pub(crate) fn session_id(&self) -> &str {
        &self.facts.session
    }

    /// The session is established.
    pub(crate) fn connected(&mut self, client: Option<&TlsStream>, server: Option<&TlsStream>) {
        self.entry.tls = client.map_or("", TlsStream::version);
        self.entry.upstream_tls = server.map_or("", TlsStream::version);
        self.facts.connected(&self.shard, &self.entry);
    }

    /// The session's statements can be cancelled by this key, at this server.
    pub(crate) fn can_be_cancelled(&mut self, key: CancelKey, server: SockAddr) {
        self.shard.shared.cancels.insert(key.clone(), server);
        self.cancel = Some(key);
    }

    /// The session ended.
    pub(crate) fn disconnected(&mut self, end: &End) {
        if let Some(key) = self.cancel.take() {
            self.shard.shared.cancels.remove(&key);
        }
        self.facts.disconnected(&self.shard, end, &self.totals);
    }

    /// A side broke the protocol or a limit.
    pub(crate) fn faulted(&self, fault: &wire::fault::Fault) {
        // A login that fails has a record of its own, and is nobody's breach.
        if fault.reason != "login_failed" {
            self.facts.faulted(&self.shard, fault);
        }
    }

    /// Takes up a policy that was loaded since the last statement, and a catalogue that another session read.
    fn refresh(&mut self) {
        let policy = self.shard.policy.borrow();
        let now = seconds(self.shard.clock.unix_ns(self.shard.turn_ns.get()));
        // Rules hold for whole minutes: no verdict outlives the window of a rule.
        let expired = policy.is_timed() && now / 60 != self.facts.unix_seconds / 60;
        if policy.generation() != self.generation || expired {
            self.generation = policy.generation();
            self.facts.unix_seconds = now;
            let before = self.facts.rules.key();
            self.facts.apply(&policy);
            if self.facts.rules.key() != before {
                self.names.rules_changed();
            }
            self.cache_context = None;
        }
        drop(policy);
        if !self.wants_catalogue() {
            return;
        }
        let catalogues = self.shard.catalogues.borrow();
        if catalogues.count() != self.catalogues_seen {
            self.catalogues_seen = catalogues.count();
            let found = catalogues.find(self.facts.listener, &self.facts.database);
            if found.as_ref().map(|loaded| loaded.number) != self.catalogue.as_ref().map(|loaded| loaded.number) {
                self.catalogue = found;
                self.cache_context = None;
            }
        }
    }

    /// Whether the rules look into the catalogue: for masks, or for what functions and views do.
    fn wants_catalogue(&self) -> bool {
        self.facts.rules.needs_catalogue() || self.facts.rules.judges_statements()
    }

    /// Whether the catalogue is to be read before any statement is looked at. Rules about statements alone
    /// need it once, and then only for what calls code of the users: see [`Self::code_in_doubt`].
    fn catalogue_due(&self) -> bool {
        if self.facts.rules.needs_catalogue() {
            return self.schema_changed() || (self.catalogue_wanted() && self.may_load_catalogue());
        }
        self.catalogue.is_none() && !self.load_failed && self.may_load_catalogue()
    }

    /// Whether a statement calls code of the users that may be other code by now.
    fn code_in_doubt(&self, follows_code: bool) -> bool {
        let now_ns = self.shard.turn_ns.get();
        let old = self.catalogue.as_ref().is_some_and(|loaded| loaded.is_old(now_ns));
        follows_code && !self.load_failed && (self.schema_changed() || (old && self.may_load_catalogue()))
    }

    /// The number under which the verdict cache knows this session's rules, catalogue and settings.
    fn cache_context(&mut self) -> u32 {
        if let Some(number) = self.cache_context {
            return number;
        }
        let key = ContextKey {
            rules: self.facts.rules.key(),
            catalogue: self.catalogue.as_ref().map_or(0, |loaded| loaded.number),
            settings: self.context.clone(),
        };
        let number = self.shard.contexts.borrow_mut().number(key);
        self.cache_context = Some(number);
        number
    }

    /// Whether a statement that changes relations ran, on any shard, since the catalogue was read.
    fn schema_changed(&self) -> bool {
        let epoch = self.shard.schema_epoch(self.facts.listener);
        self.catalogue.as_ref().is_some_and(|loaded| loaded.schema_epoch != epoch)
    }

    /// Whether there is no catalogue, or one that is known or likely to be out of date.
    fn catalogue_wanted(&self) -> bool {
        let now_ns = self.shard.turn_ns.get();
        self.catalogue_stale || self.catalogue.as_ref().is_none_or(|loaded| loaded.is_old(now_ns))
    }

    /// The catalogue to plan results with: none while relations may have changed since it was read, so that
    /// a view replaced in the same pipeline does not show what its old columns were.
    fn catalogue_in_doubt(&self) -> bool {
        self.facts.rules.needs_catalogue() && self.schema_changed()
    }

    /// Whether all that code of the users says in a statement may pass: it was seen, can get at nothing masked, is
    /// what it was when it was judged, and no code ran in the session before that could have left something for it.
    fn may_speak(&self, statement: &Statement) -> bool {
        let epoch = self.shard.schema_epoch(self.facts.listener);
        !self.unseen_code && statement.speech() == Speech::Free && statement.schema_epoch() == Some(epoch)
    }

    fn may_load_catalogue(&self) -> bool {
        let now_ns = self.shard.turn_ns.get();
        self.shard.catalogues.borrow().may_reload(self.facts.listener, &self.facts.database, now_ns)
    }
}

impl Guard for SessionGuard {
    type Statement = Rc<Statement>;
    type Execution = Execution;
    type Plan = Rc<RowMask>;

    fn judge(&mut self, text: &StatementText<'_>) -> Judged<Self::Statement> {
        let judged = self.judge_text(text);
        let judged = self.made_before(judged);
        let judged = self.counted(judged);
        // What is only prepared runs later, and is judged again then.
        if text.carrier == Carrier::Prepare { judged } else { self.charged(judged) }
    }

    fn rejudge(&mut self, statement: &Self::Statement, catalogue_possible: bool) -> Option<Judged<Self::Statement>> {
        // The server has read its text already.
        let in_doubt = self.encoding_in_doubt;
        self.encoding_moves &= !catalogue_possible;
        self.doubt_encoding(false);
        let judged = self.judge_again(statement, catalogue_possible);
        self.doubt_encoding(in_doubt && !catalogue_possible);
        judged.map(|judged| self.made_before(judged))
    }

    fn outlived(&mut self, statement: &Self::Statement) -> Option<Denial> {
        self.refresh();
        if statement.rules().key() == self.facts.rules.key() {
            return None;
        }
        let catalogue = self.catalogue.as_ref().map(|loaded| &*loaded.catalogue);
        let context = self.context.unsettled();
        let judgement = policy::statement::judge(&self.facts.rules, statement.text(), &context, catalogue);
        let passes = judgement.ruling == policy::statement::Ruling::Allow && !judgement.wants_columns;
        let message = "the rules have changed since this portal was bound";
        let hint = Some("bind and execute it again".into());
        (!passes).then(|| Denial { sqlstate: *b"42501", message: message.into(), hint })
    }

    fn judge_function_call(&mut self, function: u32) -> Judged<Self::Statement> {
        self.refresh();
        let sql = format!("function call of OID {function}");
        let text = StatementText {
            sql: sql.as_bytes(),
            carrier: Carrier::Query,
            total_bytes: sql.len(),
            catalogue_possible: false,
        };
        if !self.shard.audit.borrow().accepts() {
            return self.refuse_unrecorded(&text);
        }
        let judgement = policy::statement::judge_function_call(&self.facts.rules, function);
        let (rules, context) = (Arc::clone(&self.facts.rules), self.cache_context());
        let base = Base { rules, catalogue: None, context };
        let statement = Rc::new(Statement::new(&text, judgement, base));
        self.ruled(statement)
    }

    fn begin(&mut self, statement: &Self::Statement, parameters: Parameters) -> Execution {
        self.totals.statements += 1;
        if statement.changes_catalogue() {
            // From here on until its transaction has ended, nobody's catalogue is to be trusted.
            self.changes_schema = true;
            self.shard.schema_changed(self.facts.listener);
        }
        let rolls_back = statement.kinds().meets(KindSet::of(Kind::ROLLBACK));
        let forgotten = self.settings.statement_sent(statement.changes_settings(), rolls_back, &mut self.context);
        self.forgot_settings(forgotten);
        self.names.sent(statement);
        if statement.runs_code() && self.facts.rules.has_column_masks() && !self.context.settings_in_doubt {
            self.context.settings_in_doubt = true;
            self.cache_context = None;
        }
        if statement.changes_encoding() {
            self.doubt_encoding(true);
        }
        self.encoding_moves |= statement.may_set_encoding();
        self.unseen_code |= statement.speech() == Speech::Withheld;
        let now_ns = self.shard.clock.now_ns();
        Execution::new(statement, parameters, self.totals.statements, self.shard.turn_ns.get(), now_ns)
    }

    fn completed(&mut self, execution: &mut Execution, outcome: &Outcome<'_>) {
        let rows = outcome.sqlstate.is_none().then_some(outcome.rows);
        self.names.fetched(execution.statement(), rows);
        self.names.ended(execution.statement(), outcome.sqlstate.is_none());
        self.report_completed(execution, outcome);
    }

    fn abandoned(&mut self, execution: Execution) {
        self.names.ended(execution.statement(), false);
        self.report_abandoned(&execution);
    }

    fn name_taken(&mut self, name: &[u8]) {
        self.names.taken(name);
    }

    fn transaction_ended(&mut self) {
        if std::mem::take(&mut self.changes_schema) {
            self.shard.schema_changed(self.facts.listener);
        }
        self.names.transaction_ended();
        let forgotten = self.settings.transaction_ended(&mut self.context);
        self.forgot_settings(forgotten);
    }

    fn wants_columns(&self, statement: &Self::Statement) -> bool {
        statement.wants_columns() || self.catalogue_in_doubt()
    }

    fn session_reset(&mut self) {
        self.settings_in_doubt();
        if self.context.dialect != Dialect::Postgres {
            // The server has forgotten what they name.
            self.names = Names::default();
        }
    }

    fn unsettles(&self, statement: &Self::Statement) -> bool {
        statement.unsettles()
    }

    fn settings_in_doubt(&mut self) {
        if let Some(context) = mysql_settings::forgotten(&self.context, &self.server_version) {
            self.context = context;
            self.cache_context = None;
        }
    }

    fn settings_queries(&mut self) -> Vec<String> {
        use crate::setup::mysql::settings::{READ, TRACK};
        // What the server would not tell of is not read either, and stays unknown.
        [TRACK, READ].into_iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    fn settings_row(&mut self, _result: usize, cells: &[Option<&[u8]>]) {
        for (name, value) in crate::setup::mysql::settings::NAMES.into_iter().zip(cells) {
            self.parameter_status(name, value.unwrap_or_default());
        }
    }

    fn local_file(&mut self, statement: &Self::Statement, file: &[u8]) -> Result<(), Denial> {
        self.gives_file(statement, file)
    }

    fn local_file_sent(&mut self, execution: &mut Execution, file: &[u8], bytes: u64) {
        execution.file = Some((file.into(), bytes));
    }

    fn local_file_refused(&mut self, execution: &mut Execution, file: &[u8], denial: &Denial) {
        execution.refuse(self.without_file(execution.statement(), denial));
        execution.file = Some((file.into(), 0));
    }

    fn command_refused(&mut self, name: &'static str, denial: &Denial) {
        self.refresh();
        self.refuse_command(name, denial);
    }

    fn plan_rows(&mut self, statement: &Self::Statement, part: u32, columns: &[Column]) -> RowPlan<Self::Plan> {
        let source = if statement.shows_another() { self.source(statement) } else { None };
        let shown = source.as_ref().unwrap_or(statement);
        if self.catalogue_in_doubt() && policy::statement::shows_own_numbers(shown.text(), &self.context) {
            return RowPlan::Forward;
        }
        let (plan, stale) = shown.plan_rows(part, columns, self.catalogue_in_doubt());
        self.catalogue_stale |= stale;
        plan
    }

    fn row_limit(&mut self, statement: &Self::Statement) -> Option<u64> {
        if statement.shows_another() && self.facts.rules.has_row_limits() {
            let limit = self.source(statement)?.row_limit()?.rows;
            return Some(limit.saturating_sub(self.names.rows_fetched(statement)));
        }
        let limit = statement.row_limit().filter(|_| !statement.makes_name())?.rows;
        // COPY sends the names as a row.
        Some(limit + u64::from(statement.copies_header()))
    }

    fn too_many_rows(&mut self, statement: &Self::Statement) -> Denial {
        let source = if statement.shows_another() { self.source(statement) } else { None };
        let limit = source.as_ref().unwrap_or(statement).row_limit().map(|limit| limit.refusal.denial.clone());
        limit.unwrap_or_else(|| Denial {
            sqlstate: *b"54000",
            message: "result stopped: it has more rows than a rule allows".into(),
            hint: None,
        })
    }

    fn plan_copy(&mut self, statement: &Self::Statement, part: u32, shape: CopyShape) -> CopyPlan<Self::Plan> {
        let (plan, stale) = statement.plan_copy(part, shape, self.catalogue_in_doubt());
        self.catalogue_stale |= stale;
        plan
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
        let certain = self.encoding == ClientEncoding::Utf8 && !self.encoding_in_doubt && !self.encoding_moves;
        match certain || self.context.dialect != Dialect::Postgres {
            true => plan.mask_cell(column, cell, &mut self.counts),
            false => plan.mask_encoded_cell(column, cell, &mut self.counts),
        }
    }

    fn mask_part(&mut self, plan: &Self::Plan, column: usize, total_bytes: usize, offset: usize, part: &mut [u8]) {
        plan.mask_part(column, total_bytes, offset, part, &mut self.counts);
    }

    fn error_treatment(&mut self, statement: Option<&Self::Statement>, sqlstate: [u8; 5]) -> ErrorTreatment {
        if self.context.dialect == Dialect::Postgres {
            let quotes = match statement {
                Some(statement) => statement.may_quote(),
                None => policy::decide::may_quote(&self.facts.rules, None),
            };
            return match quotes {
                true => ErrorTreatment::PassAboutText,
                false if statement.is_some_and(|statement| self.may_speak(statement)) => ErrorTreatment::Pass,
                false if self.facts.rules.has_column_masks() => ErrorTreatment::PassUnlessCode,
                false => ErrorTreatment::Pass,
            };
        }
        let readable = match statement {
            Some(statement) => statement.readable(sqlstate),
            None => policy::decide::readable(&self.facts.rules, None, sqlstate),
        };
        match readable {
            Readable::All => ErrorTreatment::Pass,
            Readable::AboutText => ErrorTreatment::PassAboutText,
            Readable::Names => ErrorTreatment::Scrub,
        }
    }

    fn parameter_status(&mut self, name: &[u8], value: &[u8]) {
        let mut context = self.context.clone();
        if name == b"standard_conforming_strings" {
            context.standard_conforming_strings = value == b"on";
        } else if name == b"client_encoding" {
            self.encoding = ClientEncoding::named(value);
            self.doubt_encoding(self.encoding_in_doubt);
            context.encoding = self.context.encoding;
        } else if let Some(changed) = mysql_settings::learned(&context, name, value) {
            context = changed;
            if name == b"version" {
                self.server_version = value.into();
            }
            if name == b"schema" {
                self.facts.database = value.into();
                self.catalogue = None;
                self.catalogues_seen = 0;
            }
        } else if [&b"search_path"[..], b"session_authorization", b"is_superuser"].contains(&name) {
            self.settings.forget(&mut context);
        }
        if context != self.context {
            self.context = context;
            self.cache_context = None;
        }
        if name == b"application_name" && *self.facts.application != *value {
            self.facts.application = value.into();
            self.facts.apply(&self.shard.policy.borrow());
            self.cache_context = None;
        }
    }

    fn shows_setting(&mut self, statement: Option<&Rc<Statement>>, name: &[u8], value: &[u8]) -> bool {
        let own = |statement: &Rc<Statement>| statement.sets(value);
        !self.context.settings_in_doubt
            || value == &*self.started_as && name.eq_ignore_ascii_case(b"application_name")
            || policy::statement::may_report(name, value)
            || statement.is_some_and(own)
    }

    fn shows_notifications(&self) -> bool {
        self.facts.rules.shows_notifications()
    }

    fn change_user(&mut self, user: &[u8], database: &[u8]) -> Result<(), Denial> {
        self.claimed = Some(Claimed { user: user.into(), database: database.into() });
        Ok(())
    }

    fn user_not_changed(&mut self, reason: &'static str, code: u16, sqlstate: [u8; 5]) {
        self.change_failed(reason, code, sqlstate);
    }

    fn may_replicate(&mut self) -> bool {
        self.refresh();
        !self.facts.rules.has_column_masks() && !self.facts.rules.has_detectors()
    }

    fn user_changed(&mut self, user: &[u8], database: &[u8]) {
        self.becomes(user, database);
    }

    fn catalogue_query(&mut self) -> String {
        let catalogue = std::mem::take(&mut self.catalogue_asked);
        self.loading_epoch = self.shard.schema_epoch(self.facts.listener);
        self.settings.ask();
        self.loading = Some(Loading { catalogue: catalogue.then(Box::default), settings: Answer::default() });
        let settings = policy::statement::settings::QUERY;
        if catalogue { format!("{}{settings}", policy::catalogue::QUERY) } else { settings.to_owned() }
    }

    fn catalogue_queries(&mut self) -> Vec<String> {
        let Dialect::MySql(rules) = self.context.dialect else { return vec![self.catalogue_query()] };
        self.catalogue_asked = false;
        self.loading_epoch = self.shard.schema_epoch(self.facts.listener);
        let catalogue = Some(Box::new(CatalogueBuilder::of_mysql(rules)));
        self.loading = Some(Loading { catalogue, settings: Answer::default() });
        policy::catalogue::mysql::QUERIES.into_iter().map(str::to_owned).collect()
    }

    fn catalogue_row(&mut self, result: usize, cells: &[Option<&[u8]>]) {
        let Some(loading) = self.loading.as_mut() else { return };
        match (result.checked_sub(loading.catalogue_results()), &mut loading.catalogue) {
            (Some(result), _) => loading.settings.row(result, cells),
            (None, Some(catalogue)) => catalogue.row(result, cells),
            (None, None) => {}
        }
    }

    fn catalogue_done(&mut self, succeeded: bool) {
        let Loading { catalogue, settings } = self.loading.take().unwrap_or_default();
        if succeeded {
            Settings::learn(settings, &mut self.context);
            self.cache_context = None;
        }
        let Some(builder) = catalogue else { return };
        self.shard.metrics.borrow_mut().catalogue_loads += 1;
        self.catalogue_stale = false;
        self.load_failed = true;
        let Some(catalogue) = Some(builder).filter(|_| succeeded).and_then(|builder| builder.finish().ok()) else {
            self.shard.metrics.borrow_mut().catalogue_failures += 1;
            tracing::warn!(session = %self.facts.session,
                "the catalogue could not be read; results of this user are masked where their origin is not known");
            return;
        };
        let now_ns = self.shard.turn_ns.get();
        self.load_failed = false;
        let mut catalogues = self.shard.catalogues.borrow_mut();
        let catalogue = Arc::new(catalogue);
        catalogues.insert(self.facts.listener, &self.facts.database, catalogue, self.loading_epoch, now_ns);
    }
}
