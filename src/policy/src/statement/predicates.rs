//! `predicates = "deny"` and `"equality"`: whether a statement uses a masked column for anything but showing it.
//!
//! Where the statement's values are followed, by what each comparison looks at: [`compared`]. Where not, by
//! names: each name of such a column among the tokens must be one of the outermost list of columns to
//! show. Whatever renames columns or compares without naming them is refused once such a column can be
//! meant. Conservative by design: a false refusal names the rule and what to write.

use core::ops::Range;

use super::lineage::Lineage;
use super::projection::Item;
use super::reach::Map;
use super::tokens::Tokens;
use super::tree::Facts;
use crate::catalogue::Sight;
use crate::config::Predicates;
use crate::rule::RuleId;

/// How many constants a statement whose values are followed compares with columns under `equality`.
///
/// # Errors
/// The rule that a comparison breaks: any under `deny`; under `equality` any but that of a column with
/// constants, and all where `counts` says that they cannot be counted.
pub(super) fn compared(map: Map<'_>, sight: &Sight, lineage: &Lineage, counts: bool) -> Result<u32, RuleId> {
    if !map.rules.denies_predicates() {
        return Ok(0);
    }
    let any_rule = any_rule(map);
    let mut comparisons = 0_u32;
    for used in &lineage.uses {
        match sight.restricted_value(&used.flow) {
            Some((_, Predicates::Equality)) if counts && used.equalities > 0 && !used.flow.is_unread() => {
                comparisons = comparisons.saturating_add(used.equalities);
            }
            Some((rule, _)) => return Err(rule),
            None => any_rule.filter(|_| used.flow.is_unread()).map_or(Ok(()), Err)?,
        }
    }
    Ok(comparisons)
}

/// The first rule that restricts comparisons.
fn any_rule(map: Map<'_>) -> Option<RuleId> {
    map.rules.column_masks().find(|(_, mask)| mask.predicates != Predicates::Allow).map(|entry| entry.0)
}

/// The rule that a statement with a tree breaks.
pub(super) fn broken(map: Map<'_>, tokens: Tokens<'_, '_>, range: Range<usize>, facts: &Facts) -> Option<RuleId> {
    if !map.rules.denies_predicates() {
        return None;
    }
    let denied = |name: &str| match map.catalogue {
        Some((_, sight)) => sight.denied_column(name),
        None => by_pattern(map, name),
    };
    let any_rule = any_rule(map);
    let items = facts.projection.as_deref().unwrap_or_default();
    let shown = |wanted: &str| {
        items.iter().filter(|item| matches!(item, Item::Column { name, .. } if **name == *wanted)).count()
    };
    let mut named: Vec<(Box<str>, usize)> = Vec::new();
    for at in range.clone() {
        let Some(name) = tokens.lexed.name(at) else { continue };
        if denied(&name).is_none() {
            continue;
        }
        // `AS card` names a result, not a column.
        if at > range.start && tokens.is_word(at - 1, "as") {
            continue;
        }
        match named.iter_mut().find(|entry| *entry.0 == *name) {
            Some((_, count)) => *count += 1,
            None => named.push((name.into(), 1)),
        }
    }
    for (name, count) in &named {
        if *count > shown(name) {
            return denied(name);
        }
    }
    let shows = items.iter().any(|item| matches!(item, Item::Wildcard { .. })) || !named.is_empty();
    let compares = facts.distinct || facts.set_operation || facts.renames || by_position(tokens, range.clone());
    let nested = facts.relations.iter().any(|relation| relation.maybe_cte) || whole_rows(tokens, range, facts);
    if (shows && compares) || nested { any_rule } else { None }
}

fn by_pattern(map: Map<'_>, name: &str) -> Option<RuleId> {
    let mut masks = map.rules.column_masks().filter(|(_, mask)| mask.predicates != Predicates::Allow);
    masks.find(|(_, mask)| mask.columns.iter().any(|pattern| pattern.column() == Some(name))).map(|entry| entry.0)
}

/// Whether ORDER BY or GROUP BY names a column by its number.
fn by_position(tokens: Tokens<'_, '_>, range: Range<usize>) -> bool {
    let mut listing = false;
    for at in range {
        if tokens.is_word(at, "by") {
            listing = true;
        } else if listing
            && tokens
                .word(at)
                .is_some_and(|word| ["limit", "offset", "fetch", "having", "for", "window"].contains(&&*word))
        {
            listing = false;
        } else if listing
            && tokens.kind(at) == Some(crate::sql::lexer::Kind::Number)
            && (tokens.is_word(at - 1, "by") || tokens.is_sign(at - 1, ",") || tokens.is_sign(at - 1, "("))
        {
            return true;
        }
    }
    false
}

/// Whether a table's name or alias stands where a value stands: a whole row.
fn whole_rows(tokens: Tokens<'_, '_>, range: Range<usize>, facts: &Facts) -> bool {
    let mut in_from = false;
    for at in range.clone() {
        let word = tokens.word(at).unwrap_or_default();
        match &*word {
            "from" | "join" | "update" | "into" | "using" | "table" => in_from = true,
            "select" | "where" | "on" | "set" | "group" | "order" | "having" | "returning" | "values" | "limit" => {
                in_from = false
            }
            _ => {}
        }
        let is_row = tokens.lexed.name(at).is_some_and(|name| facts.row_names.contains(&*name));
        let qualifies = tokens.is_sign(at + 1, ".") || tokens.is_sign(at + 1, "(");
        let part = at > range.start && tokens.is_sign(at - 1, ".");
        if is_row && !in_from && !qualifies && !part {
            return true;
        }
    }
    false
}
