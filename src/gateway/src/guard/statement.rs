//! A judged statement: what all its runs share, on all sessions of the shard under the same rules.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use audit::{Summary, Text};
use policy::catalogue::Catalogue;
use policy::mask::RowMask;
use policy::{Judgement, UserRules};
use wire::guard::{CopyPlan, CopyShape, Denial, RowPlan, StatementText, Verdict};
use wire::limits::AUDIT_STATEMENT_BYTES;
use wire::value::Column;

/// Layouts whose plan a statement remembers: one for each result format that its clients ask for.
const PLANS: usize = 4;

/// A layout and what is to happen to its rows.
struct Planned {
    part: u32,
    columns: Box<[Column]>,
    plan: RowPlan<Rc<RowMask>>,
}

/// What planning the rows of a result gave.
pub(super) struct RowsPlanned {
    /// What is to happen to them.
    pub(super) plan: RowPlan<Rc<RowMask>>,
    /// Whether the result names a relation that the catalogue does not know.
    pub(super) catalogue_stale: bool,
}

/// A statement and what was decided about it.
pub(crate) struct Statement {
    text: Box<[u8]>,
    total_bytes: usize,
    judgement: Judgement,
    verdict: Verdict,
    summary: Summary,
    rules: Arc<UserRules>,
    generation: u64,
    catalogue: Option<Arc<Catalogue>>,
    wants_columns: bool,
    plans: RefCell<Vec<Planned>>,
}

impl Statement {
    /// A statement as the policy judged it.
    pub(super) fn new(
        text: &StatementText<'_>,
        judgement: Judgement,
        rules: Arc<UserRules>,
        generation: u64,
        catalogue: Option<Arc<Catalogue>>,
    ) -> Self {
        let verdict = judgement.verdict();
        let summary = summarize(text, &judgement, &verdict);
        let wants_columns = judgement.wants_columns(&rules);
        Self {
            text: text.sql.into(),
            total_bytes: text.total_bytes,
            judgement,
            verdict,
            summary,
            rules,
            generation,
            catalogue,
            wants_columns,
            plans: RefCell::new(Vec::new()),
        }
    }

    /// A statement that is refused without a look at it.
    pub(super) fn refused(text: &StatementText<'_>, denial: Denial, rules: Arc<UserRules>, generation: u64) -> Self {
        let judgement = Judgement::unseen();
        let verdict = Verdict::Deny(denial);
        let summary = summarize(text, &judgement, &verdict);
        Self {
            text: text.sql.into(),
            total_bytes: text.total_bytes,
            judgement,
            verdict,
            summary,
            rules,
            generation,
            catalogue: None,
            wants_columns: true,
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
        self.judgement.is_parsed()
    }

    /// The audit's encoding of what all runs share.
    pub(super) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The rules that it was judged under.
    pub(super) fn rules(&self) -> &UserRules {
        &self.rules
    }

    /// Generation of the policy that it was judged under.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a bind parameter compares with a masked column; `index` counts from 0.
    pub(super) fn masks_parameter(&self, index: usize) -> bool {
        self.judgement.masks_parameter(index)
    }

    /// Whether any rule can concern its results.
    pub(super) fn wants_columns(&self) -> bool {
        self.wants_columns
    }

    /// Whether the texts of an error with this SQLSTATE may hold masked values.
    pub(super) fn scrubs_errors(&self, sqlstate: [u8; 5]) -> bool {
        policy::scrub_errors(&self.rules, Some(&self.judgement), sqlstate)
    }

    /// What is to happen to the rows under a description.
    pub(super) fn plan_rows(&self, part: u32, columns: &[Column]) -> RowsPlanned {
        let mut plans = self.plans.borrow_mut();
        if let Some(known) = plans.iter().find(|known| known.part == part && *known.columns == *columns) {
            return RowsPlanned { plan: known.plan.clone(), catalogue_stale: false };
        }
        let planned = policy::plan_rows(&self.rules, &self.judgement, part, columns, self.catalogue.as_deref());
        let plan = planned.mask.map_or(RowPlan::Forward, |mask| RowPlan::Mask(Rc::new(mask)));
        // A plan made without knowing a relation is made again when the catalogue has been read.
        if !planned.catalogue_stale {
            if plans.len() >= PLANS {
                plans.remove(0);
            }
            plans.push(Planned { part, columns: columns.into(), plan: plan.clone() });
        }
        RowsPlanned { plan, catalogue_stale: planned.catalogue_stale }
    }

    /// What is to happen to COPY data on its way out.
    pub(super) fn plan_copy(&self, part: u32, shape: CopyShape) -> CopyPlan<Rc<RowMask>> {
        match policy::plan_copy(&self.rules, &self.judgement, part, shape, self.catalogue.as_deref()) {
            None => CopyPlan::Forward,
            Some(planned) => {
                CopyPlan::Mask { plan: Rc::new(planned.mask), syntax: planned.syntax, null: planned.null }
            }
        }
    }
}

fn summarize(text: &StatementText<'_>, judgement: &Judgement, verdict: &Verdict) -> Summary {
    let relations = judgement.relation_names();
    let relations: Vec<&str> = relations.iter().map(String::as_str).collect();
    Summary::encode(&audit::Judged {
        statement: Text::cut(text.sql, text.total_bytes, AUDIT_STATEMENT_BYTES),
        kinds: &judgement.kind_names(),
        relations: &relations,
        verdict: match verdict {
            Verdict::Allow => audit::Verdict::Allow,
            Verdict::Deny(_) => audit::Verdict::Deny,
            Verdict::Hold => audit::Verdict::Hold,
        },
        rule: judgement.rule(),
    })
}
