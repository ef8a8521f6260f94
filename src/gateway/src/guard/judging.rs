//! How a session's statements are judged: by the shard's verdict cache or anew, with the catalogue that it takes, and
//! refused for what a verdict alone does not say (comparisons that are used up, rows that cannot be counted, names
//! made under other rules, an audit that cannot be written).

use std::rc::Rc;
use std::sync::Arc;

use policy::sql::Dialect;
use policy::sql::mysql::MySql;
use policy::statement::{ClientEncoding, Judgement, Refusal, SqlContext};
use wire::guard::{Carrier, Denial, Judged, StatementText, Verdict};

use super::statement::Base;
use super::{SessionGuard, Statement};
use crate::cancel::CancelKey;
use crate::catalogues::Loaded;
use crate::figures;

impl SessionGuard {
    /// Reads texts in the encoding that the server reported, or in none while that is in doubt.
    pub(super) fn doubt_encoding(&mut self, in_doubt: bool) {
        if self.context.dialect != Dialect::Postgres {
            return;
        }
        self.encoding_in_doubt = in_doubt;
        let unsafe_already = self.encoding == ClientEncoding::Unsafe;
        let encoding = if in_doubt && !unsafe_already { ClientEncoding::InDoubt } else { self.encoding };
        if self.context.encoding != encoding {
            self.context.encoding = encoding;
            self.cache_context = None;
        }
    }

    /// A statement that may run by itself, refused for what it would show or run by name.
    fn refused(&mut self, statement: &Statement, refusal: Refusal) -> Judged<Rc<Statement>> {
        let rules = Arc::clone(&self.facts.rules);
        let base = Base { rules, catalogue: self.catalogue.clone(), context: statement.context() };
        let refused = Rc::new(statement.refuse(refusal, base));
        self.ruled(refused)
    }

    /// Refuses to run by name what was made under other rules, where the rules of now forbid it or nobody knows
    /// what it is.
    pub(super) fn made_before(&mut self, judged: Judged<Rc<Statement>>) -> Judged<Rc<Statement>> {
        let Judged::Ruled { statement, verdict: Verdict::Allow } = &judged else { return judged };
        if !self.names.are_older() || !statement.shows_another() {
            return judged;
        }
        let rules = Arc::clone(&self.facts.rules);
        let refusal = match self.source(statement) {
            Some(source) => source.refusal().cloned(),
            None if rules.has_denies() || rules.has_column_masks() => Some(Refusal {
                rule: None,
                name: "made under other rules".into(),
                denial: Denial {
                    sqlstate: *b"42501",
                    message: "statement refused because the rules have changed since what it names was made".into(),
                    hint: Some("prepare or declare it again".into()),
                },
            }),
            None => None,
        };
        let Some(refusal) = refusal else { return judged };
        self.refused(statement, refusal)
    }

    pub(super) fn judge_again(
        &mut self,
        statement: &Rc<Statement>,
        catalogue_possible: bool,
    ) -> Option<Judged<Rc<Statement>>> {
        self.refresh();
        let same = statement.context() == self.cache_context();
        if same && !self.catalogue_in_doubt() && self.shard.audit.borrow().accepts() {
            if statement.comparisons() > 0 {
                let judged = Judged::Ruled { statement: Rc::clone(statement), verdict: statement.verdict().clone() };
                return Some(self.charged(judged));
            }
            // What the name stands for may be another statement than at the last run, so no plan is kept.
            if !statement.shows_another() {
                return None;
            }
            let judged = self.ruled(Rc::clone(statement));
            return Some(self.counted(judged));
        }
        let sql = statement.text().to_vec();
        let judged = self.judge_text(&StatementText {
            sql: &sql,
            carrier: Carrier::Prepare,
            total_bytes: statement.total_bytes(),
            catalogue_possible,
        });
        let judged = self.counted(judged);
        Some(self.charged(judged))
    }

    pub(super) fn judge_text(&mut self, text: &StatementText<'_>) -> Judged<Rc<Statement>> {
        self.refresh();
        if self.encoding_in_doubt && text.catalogue_possible {
            self.doubt_encoding(false);
        }
        self.encoding_moves &= !text.catalogue_possible;
        if !self.shard.audit.borrow().accepts() {
            return self.refuse_unrecorded(text);
        }
        // Only PostgreSQL is asked for its search path: MySQL tells of the database in use.
        let postgres = self.context.dialect == Dialect::Postgres;
        let readable = self.context.dialect != Dialect::Unknown;
        let possible = text.catalogue_possible && self.wants_catalogue() && readable;
        // What tells of the statement before it would tell of our own instead.
        let may_ask = || possible && (postgres || !policy::statement::may_tell_of_last(text.sql));
        if possible && self.catalogue_due() && may_ask() {
            return self.ask(true);
        }
        if let Some(refused) = self.refuse_foreign_kill(text) {
            return refused;
        }
        let context = self.cache_context();
        let known = self.shard.verdicts.borrow_mut().find(context, text.sql);
        if let Some(statement) = known {
            if self.code_in_doubt(statement.follows_code()) && may_ask() {
                return self.ask(true);
            }
            if statement.wants_search_path() && possible && postgres && self.settings.may_ask() {
                return self.ask(false);
            }
            return self.ruled(statement);
        }
        let judgement = self.judgement(text);
        if judgement.catalogue_wanted && self.may_load_catalogue() && may_ask() {
            return self.ask(true);
        }
        if self.code_in_doubt(judgement.follows_code) && may_ask() {
            return self.ask(true);
        }
        if judgement.search_path_wanted && possible && postgres && self.settings.may_ask() {
            return self.ask(false);
        }
        // What names a relation that a newer catalogue may have is judged again until that could be read.
        let open = judgement.catalogue_wanted && self.catalogue.is_some();
        // Not before: all shards count on the same line who holds the rules, and most statements end above.
        let rules = Arc::clone(&self.facts.rules);
        let base = Base { rules, catalogue: self.catalogue.clone(), context };
        let statement = Rc::new(Statement::new(text, judgement, base));
        if text.total_bytes == text.sql.len() && !open {
            self.shard.verdicts.borrow_mut().insert(context, &statement);
        }
        self.ruled(statement)
    }

    /// Has the server asked about this session's settings, and about the catalogue where that is wanted.
    pub(super) fn ask(&mut self, catalogue: bool) -> Judged<Rc<Statement>> {
        self.catalogue_asked = catalogue;
        Judged::CatalogueNeeded
    }

    /// The statement whose rows a FETCH or EXECUTE shows, as the rules and the catalogue of now see it; `None`
    /// where that is not certain.
    pub(super) fn source(&mut self, statement: &Statement) -> Option<Rc<Statement>> {
        let source = self.names.source(statement)?;
        let loaded = |loaded: Option<&Loaded>| loaded.map(|loaded| loaded.number);
        let same = source.rules().key() == self.facts.rules.key()
            && loaded(source.loaded()) == loaded(self.catalogue.as_ref());
        if same {
            return Some(source);
        }
        // Its names were looked up under the search path of then.
        let context = self.context.unsettled();
        let catalogue = self.catalogue.as_ref().map(|loaded| &*loaded.catalogue);
        let judgement = policy::statement::judge(&self.facts.rules, source.text(), &context, catalogue);
        let text = StatementText {
            sql: source.text(),
            carrier: Carrier::Prepare,
            total_bytes: source.total_bytes(),
            catalogue_possible: false,
        };
        let rules = Arc::clone(&self.facts.rules);
        let base = Base { rules, catalogue: self.catalogue.clone(), context: source.context() };
        Some(Rc::new(Statement::new(&text, judgement, base)))
    }

    /// Takes the comparisons of a statement that is about to run off what its user has left in this hour.
    pub(super) fn charged(&mut self, judged: Judged<Rc<Statement>>) -> Judged<Rc<Statement>> {
        let Judged::Ruled { statement, verdict: Verdict::Allow } = &judged else { return judged };
        let wanted = statement.comparisons();
        if wanted == 0 {
            return judged;
        }
        let now_ns = self.shard.clock.unix_ns(self.shard.clock.now_ns());
        let limit = self.facts.rules.comparisons_per_hour();
        if self.shard.shared.comparisons.take(self.facts.listener, &self.facts.user, wanted, limit, now_ns) {
            return judged;
        }
        let refusal = own_refusal(
            "comparisons used up",
            "statement refused because the comparisons with masked columns of this hour are used up",
            "The setting comparisons_per_hour of Wiregate bounds them for each user.",
        );
        self.refused(statement, refusal)
    }

    /// Refuses what shows the rows of a statement that is not certain, where rows may have to be counted.
    pub(super) fn counted(&mut self, judged: Judged<Rc<Statement>>) -> Judged<Rc<Statement>> {
        let Judged::Ruled { statement, verdict: Verdict::Allow } = &judged else { return judged };
        if !self.facts.rules.has_row_limits() || !statement.shows_another() || self.source(statement).is_some() {
            return judged;
        }
        let refusal = own_refusal(
            "uncertain rows",
            "statement refused because it is not certain whose rows it shows, and a rule counts rows",
            "declare or prepare, wait for the reply, then fetch or execute in the same transaction",
        );
        self.refused(statement, refusal)
    }

    /// Path and role became unknown.
    pub(super) fn forgot_settings(&mut self, forgotten: bool) {
        if forgotten {
            self.cache_context = None;
        }
    }

    fn judgement(&self, text: &StatementText<'_>) -> Judgement {
        let catalogue = self.catalogue.as_ref().map(|loaded| &*loaded.catalogue);
        if text.total_bytes > text.sql.len() {
            return policy::statement::judge_unread(&self.facts.rules, "it is too long", text.total_bytes);
        }
        policy::statement::judge(&self.facts.rules, text.sql, &self.context, catalogue)
    }

    /// Counts a verdict, and writes the record of a refusal.
    pub(super) fn ruled(&mut self, statement: Rc<Statement>) -> Judged<Rc<Statement>> {
        let verdict = statement.verdict().clone();
        figures::on_listener(&self.shard, self.facts.listener, |metrics| {
            match verdict {
                Verdict::Allow => metrics.statements.allowed += 1,
                Verdict::Deny(_) => metrics.statements.denied += 1,
                Verdict::Hold => metrics.statements.held += 1,
            }
            metrics.statements.unparsed += u64::from(!statement.is_parsed());
        });
        if let Verdict::Deny(denial) = &verdict {
            self.report_refused(&statement, denial);
        }
        Judged::Ruled { statement, verdict }
    }

    /// The statement as its record shows it when its file was refused.
    pub(super) fn without_file(&self, statement: &Statement, denial: &Denial) -> Rc<Statement> {
        let refusal = Refusal { rule: None, name: "local file".into(), denial: denial.clone() };
        let rules = Arc::clone(&self.facts.rules);
        let base = Base { rules, catalogue: self.catalogue.clone(), context: statement.context() };
        Rc::new(statement.refuse(refusal, base))
    }

    /// Counts and records the refusal of a command that has no text but its name.
    pub(super) fn refuse_command(&mut self, name: &str, denial: &Denial) {
        let text = StatementText {
            sql: name.as_bytes(),
            carrier: Carrier::Command,
            total_bytes: name.len(),
            catalogue_possible: false,
        };
        let base = Base { rules: Arc::clone(&self.facts.rules), catalogue: None, context: self.cache_context() };
        let statement = Rc::new(Statement::refused(&text, denial.clone(), base));
        self.ruled(statement);
    }

    /// Where Wiregate logs in for everybody, the server takes all sessions for one user's, and would let each
    /// kill any other: a user may name only sessions of the same user.
    fn refuse_foreign_kill(&mut self, text: &StatementText<'_>) -> Option<Judged<Rc<Statement>>> {
        if self.entry.auth != "gateway" || self.context.dialect == Dialect::Postgres {
            return None;
        }
        // Most texts hold no such word, and are not lexed for it.
        let named = text.sql.windows(4).any(|word| word.eq_ignore_ascii_case(b"kill"));
        let killed = if named { self.killed(text.sql) } else { Vec::new() };
        let own = |id: &Option<u32>| {
            id.is_some_and(|process| {
                let key = CancelKey { listener: self.facts.listener, process, secret: self.facts.user.clone() };
                self.shard.shared.cancels.target(&key).is_some()
            })
        };
        if killed.iter().all(own) {
            return None;
        }
        // A server says the same of a connection that it does not have.
        let message = match killed.iter().find(|id| !own(id)) {
            Some(Some(id)) => format!("Unknown thread id: {id}"),
            _ => "Unknown thread id".into(),
        };
        let hint = Some("KILL reaches connections of the same user on this listener, by their numbers".into());
        let denial = Denial { sqlstate: mysql::reply::UNKNOWN_THREAD, message: message.into(), hint };
        let base = Base { rules: Arc::clone(&self.facts.rules), catalogue: None, context: self.cache_context() };
        let statement = Rc::new(Statement::refused(text, denial, base));
        Some(self.ruled(statement))
    }

    /// The connections that a text would kill. Settings that make its dialect unknown (`sql_mode = ORACLE`) leave
    /// KILL what it is.
    fn killed(&self, sql: &[u8]) -> Vec<Option<u32>> {
        if self.context.dialect != Dialect::Unknown {
            return policy::statement::killed(sql, &self.context);
        }
        let dialect = MySql::of_version(&self.server_version).map(Dialect::MySql);
        dialect.map_or(vec![None], |dialect| {
            policy::statement::killed(sql, &SqlContext { dialect, ..self.context.clone() })
        })
    }

    /// No statement runs that the audit cannot record, unless the configuration says that it may.
    pub(super) fn refuse_unrecorded(&mut self, text: &StatementText<'_>) -> Judged<Rc<Statement>> {
        self.shard.metrics.borrow_mut().audit.refused_statements += 1;
        let rules = Arc::clone(&self.facts.rules);
        let denial = Denial {
            sqlstate: *b"58030",
            message: "the audit log cannot be written, and no statement runs without a record".into(),
            hint: Some("The operator of Wiregate finds the cause in its log.".into()),
        };
        let base = Base { rules, catalogue: None, context: self.cache_context() };
        let statement = Rc::new(Statement::refused(text, denial, base));
        self.ruled(statement)
    }
}

/// A refusal that no rule asks for by itself.
fn own_refusal(name: &str, message: &str, hint: &str) -> Refusal {
    let denial = Denial { sqlstate: *b"42501", message: message.into(), hint: Some(hint.into()) };
    Refusal { rule: None, name: name.into(), denial }
}
