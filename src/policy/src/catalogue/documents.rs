//! What masks on paths into JSON values mean for a column and for parts of it.
//!
//! A column is masked whole, or inside by one or more paths ([`Method::Inside`]). Where a path cannot be told to
//! hold, the whole value is masked.

use wire::value::ValueType;

use super::Column;
use crate::mask::{JsonMask, JsonMasks, Method};
use crate::rule::RuleId;
use crate::statement::lineage::{Path, Step};

/// A rule, and what it leaves.
pub(crate) type Mask = (RuleId, Method);

/// What the rules of one column make together: its whole mask, and paths into it. A column that is not of JSON
/// values has no inside: what a path is meant for is masked whole.
pub(super) fn own(column: &Column, whole: Option<Mask>, paths: Vec<JsonMask>) -> Option<Mask> {
    let Some(rule) = paths.iter().map(|path| path.rule).min() else { return whole };
    match whole {
        Some(whole) if whole.0 < rule => Some(whole),
        Some(_) => Some((rule, Method::Redact)),
        None if matches!(column.value_type, ValueType::Json | ValueType::Jsonb) => {
            Some((rule, Method::Inside(JsonMasks::new(paths))))
        }
        None => {
            let first = paths.into_iter().min_by_key(|path| path.rule)?;
            Some((first.rule, first.method))
        }
    }
}

/// The mask of a value that may be of either column.
pub(crate) fn both(one: &Mask, other: &Mask) -> Mask {
    let first = if one.0 <= other.0 { one } else { other };
    match (&one.1, &other.1) {
        (Method::Inside(inside), Method::Inside(also)) => (first.0, Method::Inside(inside.joined(also))),
        (Method::Quoting(one), Method::Quoting(other)) if one == other => first.clone(),
        (one, other) if one.is_partial() || other.is_partial() => (first.0, Method::Redact),
        _ => first.clone(),
    }
}

/// The mask of a part of a column.
pub(super) fn part(mask: &Mask, path: Option<&Path>) -> Option<Mask> {
    match (path, &mask.1) {
        (None, _) => Some(mask.clone()),
        (Some(path), Method::Inside(masks)) => inside(masks, path),
        (Some(_), _) => Some((mask.0, Method::Redact)),
    }
}

/// Every rule of a mask.
pub(super) fn rules(mask: &Mask) -> Vec<RuleId> {
    match &mask.1 {
        Method::Inside(masks) => masks.iter().map(|mask| mask.rule).collect(),
        _ => vec![mask.0],
    }
}

fn inside(masks: &JsonMasks, path: &Path) -> Option<Mask> {
    let mut met = Met::default();
    for mask in masks.iter() {
        met.meet(path.steps(), &mask.keys, mask);
    }
    let first = met.paths.iter().map(|path| path.rule).chain(met.whole).min()?;
    Some(match met.whole {
        Some(_) => (first, Method::Redact),
        None => (first, Method::Inside(JsonMasks::new(met.paths))),
    })
}

/// How a part of a document and the paths of masks meet.
#[derive(Default)]
struct Met {
    /// What is left of paths that end at the part or below it.
    paths: Vec<JsonMask>,
    /// A rule whose path ends above the part, or may.
    whole: Option<RuleId>,
}

impl Met {
    fn meet(&mut self, steps: &[Step], keys: &[Box<str>], mask: &JsonMask) {
        let Some((step, steps)) = steps.split_first() else {
            self.paths.push(JsonMask { keys: keys.into(), ..mask.clone() });
            return;
        };
        let Some((key, rest)) = keys.split_first() else { return self.lose(mask) };
        let (Step::Key(own) | Step::Either(own)) = step;
        if own == key {
            self.meet(steps, rest, mask);
        } else if !own.is_ascii() && !key.is_ascii() {
            // In another encoding than UTF-8 the two may be one.
            self.lose(mask);
        }
        if let Step::Either(_) = step {
            self.meet(steps, keys, mask);
        }
    }

    fn lose(&mut self, mask: &JsonMask) {
        self.whole = Some(self.whole.map_or(mask.rule, |rule| rule.min(mask.rule)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use crate::catalogue::{CatalogueBuilder, ColumnMask};
    use crate::sql::bridge;
    use crate::sql::lexer::{LexOptions, Lexed};
    use crate::statement::lineage::{self, Lookup};
    use crate::testing::rules;

    const RULES: &str = r#"
        [[mask]]
        name = "mail"
        columns = ["events.payload->'user'->>'email'", "events.note->>'x'"]
        method = "keep_last 2"
        [[mask]]
        name = "phones"
        columns = ["events.payload->'phones'", "events.payload->'ключ'"]
        predicates = "deny"
        [[mask]]
        name = "plans"
        columns = ["events.plan"]
        method = "keep_last 2"
    "#;

    /// `events(id, payload jsonb, other jsonb, note text, plan jsonb)` and views on it.
    fn catalogue() -> Catalogue {
        let mut builder = CatalogueBuilder::new();
        let mut row = |result: usize, cells: &[&str]| {
            let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
            builder.row(result, &cells);
        };
        let events = [("id", "23"), ("payload", "3802"), ("other", "3802"), ("note", "25"), ("plan", "3802")];
        let view = [("u", "3802"), ("mail", "25"), ("kind", "25"), ("whole", "3802")];
        for (oid, name, kind, columns) in [("20001", "events", "r", &events[..]), ("20002", "v", "v", &view)] {
            row(0, &[oid, "public", name, kind]);
            for (index, (column, type_oid)) in columns.iter().enumerate() {
                row(1, &[oid, &(index + 1).to_string(), column, type_oid, "b", "S", "f", "f"]);
            }
        }
        row(2, &["20002", "20001", "2"]);
        row(
            3,
            &[
                "20002",
                " SELECT payload -> 'user'::text AS u,\n ((payload -> 'user'::text) ->> 'email'::text) AS mail,\n payload ->> 'kind'::text AS kind,\n payload AS whole\n FROM events;",
            ],
        );
        for name in ["upper", "jsonb_extract_path", "jsonb_each", "coalesce"] {
            row(5, &[name, "b"]);
        }
        builder.finish().unwrap()
    }

    /// What becomes of the only column of a query.
    fn fate(catalogue: &Catalogue, expression: &str) -> String {
        let text = if expression.starts_with("SELECT") {
            expression.into()
        } else {
            format!("SELECT {expression} FROM events")
        };
        let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
        let statement =
            bridge::parse(&lexed, 0..lexed.tokens().len()).unwrap_or_else(|| panic!("does not parse: {text}"));
        let lineage = lineage::of(&statement, Lookup { catalogue, path: None, view: None }).unwrap();
        let output = &lineage.columns[0];
        match catalogue.sight(&rules(RULES)).mask_of_output(output) {
            ColumnMask::Masked(rule, method) => format!("{rule}: {method}"),
            ColumnMask::None => "passes".into(),
            ColumnMask::UnknownRelation => "unknown".into(),
        }
    }

    #[test]
    fn a_part_of_a_document_is_masked_as_far_as_paths_reach_into_it() {
        let catalogue = catalogue();
        let whole = "0: inside: ->'user'->'email' keep_last 2, ->'phones' redact, ->'ключ' redact";
        let mut wrong = Vec::new();
        let (user, mail) = ("0: inside: ->'email' keep_last 2", "0: inside: all keep_last 2");
        for (expression, expected) in [
            ("payload", whole),
            ("payload -> 0", whole),
            ("payload[1]", whole),
            ("payload::json", whole),
            ("payload -> 'user'", user),
            ("(payload::json) -> 'user'::text", user),
            ("payload['user']", user),
            ("payload #> '{user}'", user),
            ("payload #> ARRAY['user']", user),
            ("jsonb_extract_path(payload, 'user')", user),
            ("jsonb_extract_path(payload, VARIADIC '{user}')", "0: redact"),
            ("payload -> 'user' ->> 'email'", mail),
            ("payload -> 'user' -> 3 ->> 'email'", mail),
            ("payload #>> '{user,email}'", mail),
            ("payload #>> '{user,0,email}'", mail),
            ("payload['user']['email']", mail),
            ("payload -> 'phones'", "1: inside: all redact"),
            ("payload -> 'phones' -> 'home'", "1: redact"),
            ("payload -> 'phones' -> 0", "1: inside: all redact"),
            ("payload #> '{phones,0}'", "1: redact"),
            ("payload ->> 'kind'", "passes"),
            ("payload -> 'user' ->> 'name'", "passes"),
            ("payload ->> 'User'", "passes"),
            ("upper(payload ->> 'kind') || coalesce(payload ->> 'a', '')", "passes"),
            ("(payload ->> 'count')::int + 1", "passes"),
            ("payload -> 'другой'", "1: redact"),
            ("payload -> id::text", "0: redact"),
            ("payload -> ('us' || 'er')", "0: redact"),
            ("payload -> lower('user')", "0: redact"),
            ("payload #> '{us\\er}'", "0: redact"),
            ("payload #> '{{user}}'", "0: redact"),
            ("payload #>> '{}'", whole),
            ("payload - 'user'", "0: redact"),
            ("payload::text", "0: redact"),
            ("upper(payload -> 'user' ->> 'email')", "0: redact"),
            ("(payload || '{}') ->> 'kind'", "0: redact"),
            ("SELECT kind FROM (SELECT x -> 'kind' AS kind FROM (SELECT payload AS x FROM events) s) t", "passes"),
            ("SELECT x -> 'email' FROM (SELECT payload -> 'user' AS x FROM events) s", mail),
            ("SELECT value FROM events, jsonb_each(payload) AS e(key, value)", "0: redact"),
            (
                "SELECT payload FROM events UNION ALL SELECT payload -> 'user' FROM events",
                "0: inside: ->'user'->'email' keep_last 2, ->'email' keep_last 2, ->'phones' redact, ->'ключ' redact",
            ),
            ("SELECT payload FROM events UNION ALL SELECT plan FROM events", "0: redact"),
            ("SELECT payload FROM events UNION ALL SELECT other FROM events", whole),
            ("SELECT row_to_json(events) FROM events", "0: redact"),
            ("SELECT v.whole -> 'user' FROM v", user),
            ("SELECT u FROM v", user),
            ("SELECT u -> 'name' FROM v", "passes"),
            ("SELECT mail FROM v", mail),
            ("SELECT kind FROM v", "passes"),
            ("other -> 'user' -> 'email'", "passes"),
            ("plan", "2: keep_last 2"),
            ("plan -> 'kind'", "2: redact"),
            ("plan::jsonb", "2: redact"),
            ("note", "0: keep_last 2"),
            ("note::jsonb ->> 'y'", "0: redact"),
        ] {
            let found = fate(&catalogue, expression);
            if found != expected {
                wrong.push(format!("{expression}: {found}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn a_value_of_too_many_parts_may_be_anything() {
        let catalogue = catalogue();
        let parts =
            |count: usize| (0..count).map(|at| format!("(payload ->> 'k{at}')")).collect::<Vec<_>>().join(" || ");
        assert_eq!(fate(&catalogue, &parts(64)), "passes");
        assert_eq!(fate(&catalogue, &parts(65)), "unknown");
        let path = |count: usize| format!("payload{}", " -> 'k'".repeat(count));
        assert_eq!(fate(&catalogue, &path(32)), "passes");
        assert_eq!(fate(&catalogue, &path(33)), "passes");
        assert_eq!(fate(&catalogue, &format!("payload{}", " -> 0".repeat(40))), fate(&catalogue, "payload"));
    }

    #[test]
    fn comparisons_are_restricted_by_the_paths_that_they_look_at() {
        let catalogue = catalogue();
        let sight = catalogue.sight(&rules(RULES));
        for (condition, rule) in [
            ("payload ->> 'kind' = 'x'", None),
            ("payload -> 'user' ->> 'email' = 'x'", None),
            ("payload ->> 'phones' = 'x'", Some(1)),
            ("payload @> '{}'", Some(1)),
            ("payload -> 'user' ->> note = 'x'", None),
        ] {
            let text = format!("SELECT id FROM events WHERE {condition}");
            let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
            let statement = bridge::parse(&lexed, 0..lexed.tokens().len()).unwrap();
            let lineage = lineage::of(&statement, Lookup { catalogue: &catalogue, path: None, view: None }).unwrap();
            let found = lineage.uses.iter().find_map(|used| sight.restricted_value(&used.flow));
            assert_eq!(found.map(|found| found.0.0), rule, "{condition}");
        }
    }
}
