//! A judged statement: what all its runs share, on all sessions of the shard under the same rules.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use audit::{Summary, Text};
use policy::catalogue::Catalogue;
use policy::decide::{CopyDecision, Readable};
use policy::mask::RowMask;
use policy::rule::RuleId;
use policy::snapshot::UserRules;
use policy::statement::kind::{Kind, KindSet};
use policy::statement::{Judgement, Naming, Read, Refusal, RowLimit, Ruling, Speech};
use wire::guard::{Carrier, CopyPlan, CopyShape, CopySyntax, Denial, RowPlan, StatementText, Verdict};
use wire::limits::AUDIT_STATEMENT_BYTES;
use wire::value::Column;

use crate::catalogues::Loaded;
use crate::verdicts::Remembered;

/// Layouts whose plan a statement remembers: one for each result format that its clients ask for.
const PLANS: usize = 4;

/// A layout and what is to happen to its rows.
struct Planned {
    part: u32,
    columns: Box<[Column]>,
    plan: RowPlan<Rc<RowMask>>,
}

/// What a statement was judged with.
pub(super) struct Base {
    /// The user's rules.
    pub(super) rules: Arc<UserRules>,
    /// The catalogue, where there was one.
    pub(super) catalogue: Option<Loaded>,
    /// The number of all this, and of the session's settings, in the verdict cache.
    pub(super) context: u32,
}

/// A statement and what was decided about it.
pub(crate) struct Statement {
    text: Box<[u8]>,
    total_bytes: usize,
    judgement: Judgement,
    /// What each of its statements does with a name; empty where none does anything.
    naming: Box<[Option<Naming>]>,
    verdict: Verdict,
    summary: Summary,
    base: Base,
    plans: RefCell<Vec<Planned>>,
}

impl Remembered for Statement {
    fn text(&self) -> &[u8] {
        &self.text
    }

    fn weight(&self) -> usize {
        self.text.len() + self.summary.memory_bytes() + self.judgement.weight()
    }
}

impl Statement {
    /// A statement as the policy judged it.
    pub(super) fn new(text: &StatementText<'_>, judgement: Judgement, base: Base) -> Self {
        let verdict = match &judgement.ruling {
            Ruling::Allow => Verdict::Allow,
            Ruling::Deny(refusal) => Verdict::Deny(refusal.denial.clone()),
        };
        let summary = summarize(text, &judgement, &verdict, &base.rules);
        Self {
            text: text.sql.into(),
            total_bytes: text.total_bytes,
            naming: naming(&judgement),
            judgement,
            verdict,
            summary,
            base,
            plans: RefCell::new(Vec::new()),
        }
    }

    /// The same statement, refused for a reason that is not in it. Only the first bytes of its text are kept,
    /// as for any other.
    pub(super) fn refuse(&self, refusal: Refusal, base: Base) -> Self {
        let judgement = Judgement { ruling: Ruling::Deny(refusal), ..self.judgement.clone() };
        let text = StatementText {
            sql: &self.text,
            carrier: Carrier::Query,
            total_bytes: self.total_bytes,
            catalogue_possible: false,
        };
        Self::new(&text, judgement, base)
    }

    /// A statement that is refused without a look at it.
    pub(super) fn refused(text: &StatementText<'_>, denial: Denial, base: Base) -> Self {
        let judgement = policy::statement::judge_unread(&base.rules, "it was not looked at", text.total_bytes);
        let verdict = Verdict::Deny(denial);
        let summary = summarize(text, &judgement, &verdict, &base.rules);
        Self {
            text: text.sql.into(),
            total_bytes: text.total_bytes,
            naming: Box::default(),
            judgement,
            verdict,
            summary,
            base,
            plans: RefCell::new(Vec::new()),
        }
    }

    /// The text as sent, or its beginning where it passes the limit.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Length of the whole text.
    pub(super) fn total_bytes(&self) -> usize {
        self.total_bytes
    }

    /// What was decided.
    pub(super) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether the parser read it.
    pub(super) fn is_parsed(&self) -> bool {
        !self.judgement.parts.iter().any(|part| matches!(part.read, Read::Unread(_)))
    }

    /// The audit's encoding of what all runs share.
    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The audit's encoding of one of several statements of the text, with its own words alone: the record of
    /// the first has the whole text, and to repeat it in each would make one message fill the log. `None`
    /// for the first and for what cannot be told apart.
    pub(super) fn summary_of(&self, part: u32) -> Option<Summary> {
        let part = self.judgement.parts.get(usize::try_from(part).ok().filter(|part| *part > 0)?)?;
        let text = self.text.get(part.range.clone())?;
        let relations = part.relations.iter().map(|relation| relation.name.to_string());
        Some(encode(
            Text::cut(text, text.len(), AUDIT_STATEMENT_BYTES),
            relations,
            part.kinds,
            (&self.verdict, None),
            &[],
        ))
    }

    /// The rules that it was judged under.
    pub(super) fn rules(&self) -> &UserRules {
        &self.base.rules
    }

    /// The number of what it was judged with: rules, catalogue and settings.
    pub(super) fn context(&self) -> u32 {
        self.base.context
    }

    /// What its statements do.
    pub(super) fn kinds(&self) -> KindSet {
        self.judgement.kinds()
    }

    /// Whether it would be judged more exactly if the search path were known.
    pub(super) fn wants_search_path(&self) -> bool {
        self.judgement.search_path_wanted
    }

    /// Whether it calls code of the users, or functions that the catalogue does not know.
    pub(super) fn follows_code(&self) -> bool {
        self.judgement.follows_code
    }

    /// The rules of `mode = "report"` that would have refused it or masked its results.
    pub(super) fn reported(&self) -> &[RuleId] {
        &self.judgement.reported
    }

    /// What refused it: a rule's name, or a fixed one such as `unparsed`.
    pub(super) fn refusing_rule(&self) -> Option<&str> {
        match &self.judgement.ruling {
            Ruling::Deny(refusal) => Some(&refusal.name),
            Ruling::Allow => None,
        }
    }

    /// Whether role or search path may be others once it ran.
    pub(super) fn changes_settings(&self) -> bool {
        self.judgement.changes_settings
    }

    /// Whether a bind parameter compares with a masked column; `index` counts from 0.
    pub(super) fn masks_parameter(&self, index: usize) -> bool {
        u16::try_from(index + 1).map_or(true, |number| self.judgement.masked_parameters.contains(number))
    }

    /// Whether how later texts are read has to be asked for once it ran.
    pub(super) fn unsettles(&self) -> bool {
        self.judgement.unsettles
    }

    /// What its statements do with names of cursors and prepared statements; empty where nothing.
    pub(super) fn naming(&self) -> &[Option<Naming>] {
        &self.naming
    }

    /// Whether it shows the rows of another statement.
    pub(super) fn shows_another(&self) -> bool {
        self.naming.iter().any(|naming| matches!(naming, Some(Naming::Uses(_))))
    }

    /// Why it may not run, if it may not.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match &self.judgement.ruling {
            Ruling::Deny(refusal) => Some(refusal),
            Ruling::Allow => None,
        }
    }

    /// Whether code that it runs may change the encoding of the client.
    pub(super) fn changes_encoding(&self) -> bool {
        self.judgement.changes_encoding
    }

    /// Whether it may run code that is not seen.
    pub(super) fn runs_code(&self) -> bool {
        self.judgement.runs_code
    }

    /// The rule that stops its result.
    pub(super) fn row_limit(&self) -> Option<&RowLimit> {
        self.judgement.row_limit.as_ref()
    }

    /// Whether it makes a name and shows nothing itself.
    pub(super) fn makes_name(&self) -> bool {
        matches!(self.naming(), [Some(Naming::Makes(_))])
    }

    /// Whether the first line of what it copies holds names.
    pub(super) fn copies_header(&self) -> bool {
        let copy = self.judgement.parts.first().and_then(|part| part.copy.as_ref());
        let syntax = copy.and_then(|copy| copy.syntax.as_ref()).map(|syntax| syntax.0);
        matches!(syntax, Some(CopySyntax::Csv { header: true, .. } | CopySyntax::Text { header: true, .. }))
    }

    /// Comparisons that each run of it costs.
    pub(super) fn comparisons(&self) -> u32 {
        self.judgement.comparisons
    }

    /// The catalogue that it was judged with.
    pub(super) fn loaded(&self) -> Option<&Loaded> {
        self.base.catalogue.as_ref()
    }

    /// Whether any rule can concern its results.
    pub(super) fn wants_columns(&self) -> bool {
        self.judgement.wants_columns
    }

    /// Whether the catalogue may be out of date once it ran.
    pub(super) fn changes_catalogue(&self) -> bool {
        self.judgement.changes_catalogue
    }

    /// Whether an error of it may quote masked data.
    pub(super) fn may_quote(&self) -> bool {
        policy::decide::may_quote(&self.base.rules, Some(&self.judgement))
    }

    /// What may pass of what code of the users says in it.
    pub(super) fn speech(&self) -> Speech {
        self.judgement.speech
    }

    /// The listener's count of schema changes when the catalogue that it was judged with was read.
    pub(super) fn schema_epoch(&self) -> Option<u64> {
        self.base.catalogue.as_ref().map(|loaded| loaded.schema_epoch)
    }

    /// Whether the encoding of results may be another one once it has run, by its own text or by undoing another.
    pub(super) fn may_set_encoding(&self) -> bool {
        let sets = [Kind::COMMIT, Kind::DISCARD, Kind::RESET, Kind::ROLLBACK, Kind::SET, Kind::TWO_PHASE].into_iter();
        let sets = sets.fold(KindSet::EMPTY, |all, kind| all.union(KindSet::of(kind)));
        let calls = |part: &policy::statement::Part| part.functions.iter().any(|called| &*called.name == "set_config");
        self.changes_encoding() || self.kinds().meets(sets) || self.judgement.parts.iter().any(calls)
    }

    /// Whether it does nothing but set settings, one of them to this value.
    pub(super) fn sets(&self, value: &[u8]) -> bool {
        self.kinds() == KindSet::of(Kind::SET) && self.text.windows(value.len().max(1)).any(|part| part == value)
    }

    /// What a client may read of an error with this SQLSTATE.
    pub(super) fn readable(&self, sqlstate: [u8; 5]) -> Readable {
        policy::decide::readable(&self.base.rules, Some(&self.judgement), sqlstate)
    }

    fn catalogue(&self, in_doubt: bool) -> Option<&Catalogue> {
        self.base.catalogue.as_ref().filter(|_| !in_doubt).map(|loaded| &*loaded.catalogue)
    }

    /// What is to happen to the rows under a description, and whether the result names a relation that the
    /// catalogue does not know. Where the catalogue is in doubt, no origin is known.
    pub(super) fn plan_rows(&self, part: u32, columns: &[Column], in_doubt: bool) -> (RowPlan<Rc<RowMask>>, bool) {
        if in_doubt {
            let decision = policy::decide::plan_rows(&self.base.rules, &self.judgement, part, columns, None);
            return (decision.mask.map_or(RowPlan::Forward, |mask| RowPlan::Mask(Rc::new(mask))), true);
        }
        let mut plans = self.plans.borrow_mut();
        if let Some(known) = plans.iter().find(|known| known.part == part && *known.columns == *columns) {
            return (known.plan.clone(), false);
        }
        let decision =
            policy::decide::plan_rows(&self.base.rules, &self.judgement, part, columns, self.catalogue(false));
        let plan = decision.mask.map_or(RowPlan::Forward, |mask| RowPlan::Mask(Rc::new(mask)));
        // A plan made without knowing a relation is made again when the catalogue has been read.
        if !decision.catalogue_stale {
            if plans.len() >= PLANS {
                plans.remove(0);
            }
            plans.push(Planned { part, columns: columns.into(), plan: plan.clone() });
        }
        (plan, decision.catalogue_stale)
    }

    /// What is to happen to COPY data on its way out, and whether it names a relation that the catalogue does
    /// not know.
    pub(super) fn plan_copy(&self, part: u32, shape: CopyShape, in_doubt: bool) -> (CopyPlan<Rc<RowMask>>, bool) {
        let (decision, stale) =
            policy::decide::plan_copy(&self.base.rules, &self.judgement, part, shape, self.catalogue(in_doubt));
        let plan = match decision {
            CopyDecision::Forward => CopyPlan::Forward,
            CopyDecision::Mask { mask, syntax, null } => CopyPlan::Mask { plan: Rc::new(*mask), syntax, null },
        };
        (plan, stale)
    }
}

fn naming(judgement: &Judgement) -> Box<[Option<Naming>]> {
    if judgement.parts.iter().all(|part| part.naming.is_none()) {
        return Box::default();
    }
    judgement.parts.iter().map(|part| part.naming.clone()).collect()
}

fn summarize(text: &StatementText<'_>, judgement: &Judgement, verdict: &Verdict, rules: &UserRules) -> Summary {
    let rule = match (&judgement.ruling, verdict) {
        (Ruling::Deny(refusal), _) => Some(&*refusal.name),
        (Ruling::Allow, Verdict::Deny(denial)) if denial.sqlstate == *b"58030" => Some("audit unavailable"),
        (Ruling::Allow, Verdict::Deny(_)) => Some("foreign kill"),
        (Ruling::Allow, _) => None,
    };
    let relations = judgement.relations().map(|relation| relation.name.to_string());
    let statement = Text::cut(text.sql, text.total_bytes, AUDIT_STATEMENT_BYTES);
    let reported: Vec<&str> = judgement.reported.iter().map(|rule| rules.rule_name(*rule)).collect();
    encode(statement, relations, judgement.kinds(), (verdict, rule), &reported)
}

fn encode(
    statement: Text<'_>,
    relations: impl Iterator<Item = String>,
    kinds: KindSet,
    (verdict, rule): (&Verdict, Option<&str>),
    reported: &[&str],
) -> Summary {
    let mut relations: Vec<String> = relations.collect();
    relations.sort_unstable();
    relations.dedup();
    let relations: Vec<&str> = relations.iter().map(String::as_str).collect();
    let kinds: Vec<&str> = kinds.iter().map(Kind::name).collect();
    Summary::encode(&audit::Judged {
        statement,
        kinds: &kinds,
        relations: &relations,
        verdict: match verdict {
            Verdict::Allow => audit::Verdict::Allow,
            Verdict::Deny(_) => audit::Verdict::Deny,
            Verdict::Hold => audit::Verdict::Hold,
        },
        rule,
        reported,
    })
}

#[cfg(test)]
mod tests {
    use policy::config::Config;
    use policy::snapshot::Snapshot;
    use policy::statement::{SqlContext, judge};
    use wire::guard::Carrier;

    use super::*;

    const CONFIG: &str =
        "[[listen]]\nname = \"l\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:1\"\nupstream = \"h:2\"\n";

    #[test]
    fn only_the_first_record_of_a_text_has_all_of_it() {
        let config = Config::parse(CONFIG, "test").unwrap();
        let rules = Snapshot::compile(Arc::new(config), 1).rules_for("l", "ana");
        let sql = "SELECT 1; SELECT 2 FROM t".repeat(200).into_bytes();
        let judgement = judge(&rules, &sql, &SqlContext::default(), None);
        let text =
            StatementText { sql: &sql, carrier: Carrier::Query, total_bytes: sql.len(), catalogue_possible: false };
        let statement = Statement::new(&text, judgement, Base { rules, catalogue: None, context: 0 });
        assert!(statement.summary_of(0).is_none() && statement.summary().memory_bytes() > sql.len());
        let first = statement.summary_of(1).map(|summary| summary.memory_bytes());
        assert!(first.is_some_and(|bytes| bytes < 200), "{first:?}");
        assert!(statement.summary_of(100_000).is_none());
    }
}
