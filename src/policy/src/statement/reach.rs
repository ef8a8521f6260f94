//! Whether a statement can get at data that is masked for a user.
//!
//! Goes by tokens first: whatever the grammar makes of it, a statement that names no masked relation and
//! calls no function that could read one gets at no masked value. A name that only looks like a masked
//! relation counts as one. The tree adds what tokens cannot tell: which names are relations and functions
//! at all, so that those unknown to the catalogue are noticed. A relation of the server's own that shows definitions
//! counts only where these are shown.

mod defined;

use core::ops::Range;

use super::Reach;
use super::carriers::Carried;
use super::copy::Source;
use super::kind::Kind;
use super::opaque;
use super::tokens::Tokens;
use super::tree::Facts;
use crate::catalogue::{Catalogue, FunctionKind, Sight};
use crate::rule::RuleId;
use crate::snapshot::UserRules;

/// The answer, and whether a newer catalogue could change it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) reach: Reach,
    pub(super) catalogue_wanted: bool,
}

/// What the look-ups need.
#[derive(Clone, Copy)]
pub(super) struct Map<'m> {
    pub(super) rules: &'m UserRules,
    pub(super) catalogue: Option<(&'m Catalogue, &'m Sight)>,
}

impl Map<'_> {
    /// The rule that masks a relation of this name.
    fn reached(&self, name: &str) -> Option<RuleId> {
        match self.catalogue {
            Some((_, sight)) => sight.reached(name),
            None => {
                let mut masks = self.rules.column_masks();
                let own = masks.find(|(_, mask)| mask.columns.iter().any(|pattern| pattern.may_reach(None, name)));
                // A pattern for any table would make every word a relation; unknown relations are noticed
                // by `wanted` in any case.
                own.filter(|(_, mask)| mask.columns.iter().any(|pattern| pattern.names_table(name)))
                    .map(|entry| entry.0)
            }
        }
    }
}

/// Looks at the tokens of one statement.
pub(super) fn by_tokens(map: Map<'_>, tokens: Tokens<'_, '_>, range: Range<usize>) -> Reach {
    let mut found = Reach::No;
    let mut usage = None;
    for at in range.clone() {
        // The function behind an operator of the users counts as code that runs.
        if !tokens.is_name(at) {
            continue;
        }
        let Some(name) = tokens.lexed.name(at) else { return Reach::Unknown };
        if let Some(rule) = map.reached(&name) {
            return Reach::Yes(rule);
        }
        if let Some((catalogue, sight)) = map.catalogue
            && let Some(defined) = sight.defined(&name)
            && usage
                .get_or_insert_with(|| defined::Usage::of(tokens, range.clone()))
                .shows(catalogue, tokens, at, defined)
        {
            return Reach::Yes(RuleId::BUILT_IN);
        }
        let called = tokens.is_sign(at + 1, "(") || (at > range.start && tokens.is_sign(at - 1, "."));
        if called && function_hides(map, &name) {
            found = Reach::Unknown;
        }
    }
    found
}

/// Whether a function of this name may read masked data, as far as is known.
fn function_hides(map: Map<'_>, name: &str) -> bool {
    opaque::is_opaque(name)
        || map.catalogue.is_some_and(|(catalogue, _)| {
            // The code of a readable one is looked through by itself.
            catalogue.function(name) == FunctionKind::User && !catalogue.is_readable(name)
        })
}

/// Adds what the tree names and the catalogue does not know.
pub(super) fn by_tree(map: Map<'_>, facts: &Facts, tokens: Reach) -> Found {
    let Some((catalogue, _)) = map.catalogue else {
        let touches = facts.relations.iter().any(|relation| !relation.maybe_cte) || !facts.functions.is_empty();
        let reach = if touches && tokens == Reach::No { Reach::Unknown } else { tokens };
        return Found { reach, catalogue_wanted: touches };
    };
    let relation_missing = facts.relations.iter().any(|relation| {
        !relation.maybe_cte && catalogue.named(relation.name.schema.as_deref(), &relation.name.name).next().is_none()
    });
    let function_missing = facts
        .functions
        .iter()
        .any(|function| catalogue.function(&function.name) == FunctionKind::Unknown && !is_grammar(&function.name));
    let missing = relation_missing || function_missing;
    let reach = if missing && tokens == Reach::No { Reach::Unknown } else { tokens };
    Found { reach, catalogue_wanted: missing }
}

/// Whether it names a relation that the catalogue does not have: rules on tables and columns may be about what
/// stands behind it.
pub(super) fn names_unknown(
    catalogue: &Catalogue,
    carried: &Carried,
    facts: Option<&Facts>,
    tokens: Tokens<'_, '_>,
    range: Range<usize>,
) -> bool {
    let unknown = |schema: Option<&str>, name: &str| catalogue.named(schema, name).next().is_none();
    if let Some(copy) = &carried.copy
        && let Source::Table { schema, name, .. } = &copy.source
    {
        return unknown(schema.as_deref(), name);
    }
    if let Some(facts) = facts {
        let mut named = facts.relations.iter().filter(|relation| !relation.maybe_cte);
        return named.any(|relation| unknown(relation.name.schema.as_deref(), &relation.name.name));
    }
    carried.leading == Some(Kind::TRUNCATE)
        && range.skip(1).any(|at| {
            let words = ["cascade", "continue", "identity", "only", "restart", "restrict", "table"];
            let is_word = words.into_iter().any(|word| tokens.is_word(at, word));
            let is_schema = tokens.is_sign(at + 1, ".");
            !is_schema && !is_word && tokens.lexed.name(at).is_some_and(|name| unknown(None, &name))
        })
}

/// What the grammar writes as a function and `pg_proc` does not list under that name.
pub(super) fn is_grammar(name: &str) -> bool {
    const GRAMMAR: &[&str] = &[
        "any",
        "all",
        "some",
        "array",
        "cast",
        "coalesce",
        "collation",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "exists",
        "extract",
        "greatest",
        "grouping",
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "least",
        "localtime",
        "localtimestamp",
        "merge_action",
        "normalize",
        "nullif",
        "overlay",
        "position",
        "row",
        "session_user",
        "substring",
        "system_user",
        "treat",
        "trim",
        "user",
        "values",
        "xmlattributes",
        "xmlconcat",
        "xmlelement",
        "xmlexists",
        "xmlforest",
        "xmlnamespaces",
        "xmlparse",
        "xmlpi",
        "xmlroot",
        "xmlserialize",
        "xmltable",
    ];
    GRAMMAR.contains(&name)
}
