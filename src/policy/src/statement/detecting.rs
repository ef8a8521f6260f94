//! Whether a detector may have to look at the results of a statement.
//!
//! Most statements of an application concern relations that no `columns` of a detecting mask names. Their
//! descriptions and rows then pass unread. It may assume that the statement was judged with this catalogue;
//! whatever is not known to be harmless is looked at.

use super::{Part, Read, shows_more_than_arguments};
use crate::catalogue::{Catalogue, FunctionKind};
use crate::snapshot::UserRules;

/// Whether some detector may find something in what `part` shows.
pub(super) fn may_detect(rules: &UserRules, part: &Part, catalogue: Option<&Catalogue>) -> bool {
    if !rules.has_detectors() {
        return false;
    }
    let everywhere = rules.detect_masks().any(|(_, mask)| mask.columns.is_empty());
    let Some(catalogue) = catalogue.filter(|_| !everywhere && part.read == Read::Tree) else { return true };
    let shown = part.relations.iter().any(|relation| {
        let (schema, name) = (relation.name.schema.as_deref(), &*relation.name.name);
        let mut known = catalogue.named(schema, name).peekable();
        if known.peek().is_none() {
            return !relation.maybe_cte;
        }
        // The patterns may be meant for what is behind a view or above a partition.
        known.any(|relation| relation.is_view() || catalogue.inherits(relation.oid))
            || rules.detect_masks().any(|(_, mask)| mask.columns.iter().any(|columns| columns.may_reach(schema, name)))
    });
    shown
        || part.functions.iter().any(|function| {
            catalogue.function(&function.name) != FunctionKind::BuiltIn || shows_more_than_arguments(&function.name)
        })
}

#[cfg(test)]
mod tests {
    use crate::statement::{SqlContext, judge};
    use crate::testing::{rules, shop};

    const MAILS: &str = "[[mask]]\nname = \"m\"\ndetect = [\"email\"]\ncolumns = [\"public.customers.*\"]\n";

    fn looks(tables: &str, sql: &str) -> bool {
        let (rules, shop) = (rules(tables), shop());
        judge(&rules, sql.as_bytes(), &SqlContext::default(), Some(&shop)).wants_columns
    }

    #[test]
    fn results_of_relations_without_a_detector_pass_unread() {
        for sql in ["select total from orders", "select lower(total) from public.orders o where id = $1", "select 1"] {
            assert!(!looks(MAILS, sql), "{sql}");
        }
    }

    #[test]
    fn whatever_may_show_a_covered_relation_is_looked_at() {
        for sql in [
            "select name from customers",
            "select 1 from orders, public.customers",
            "select * from customers_2024",
            "select id from v_orders",
            "select leak(1)",
            "select * from unheard_of",
            "select query_to_xml('select 1', true, true, '')",
            "fetch all from c",
            "copy orders to stdout",
        ] {
            assert!(looks(MAILS, sql), "{sql}");
        }
        let everywhere = "[[mask]]\nname = \"m\"\ndetect = [\"email\"]\n";
        assert!(looks(everywhere, "select total from orders"));
    }

    #[test]
    fn without_a_catalogue_everything_is_looked_at() {
        let judged = judge(&rules(MAILS), b"select total from orders", &SqlContext::default(), None);
        assert!(judged.wants_columns);
    }
}
