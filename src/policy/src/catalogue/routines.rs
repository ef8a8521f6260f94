//! The functions and procedures of the users, by what their bodies do; and what stands behind a relation.
//!
//! Definitions come with the catalogue and are read when a statement calls them first. Routines are found by
//! name alone: which of several of a name is called, only the server knows, so all of them count.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Catalogue, FunctionKind, Relation, Touched};
use crate::hash::HashMap;
use crate::statement::routine::{self, Code};

/// A routine as the server describes it.
#[derive(Debug)]
pub(super) struct Routine {
    language: Box<str>,
    definition: Option<Box<str>>,
    code: OnceLock<Code>,
}

impl Routine {
    /// A routine; without a definition where its language is not read, or it is too long.
    pub(super) fn new(language: &str, definition: Option<&str>) -> Self {
        Self { language: language.into(), definition: definition.map(Box::from), code: OnceLock::new() }
    }

    pub(super) fn code(&self) -> &Code {
        self.code.get_or_init(|| routine::read(&self.language, self.definition.as_deref()))
    }
}

/// Routines by name.
pub(super) type Routines = HashMap<Box<str>, Vec<Routine>>;

/// What runs when functions are called.
#[derive(Debug, Default)]
pub(crate) struct Called<'c> {
    /// The code of each routine, each once.
    pub(crate) codes: Vec<&'c Code>,
    /// Whether some of it is not known.
    pub(crate) is_open: bool,
}

impl Catalogue {
    /// Whether every routine of a name can be read, so that what it does is known from its code.
    #[must_use]
    pub(crate) fn is_readable(&self, name: &str) -> bool {
        let routines = self.routines.get(name);
        routines.is_some_and(|routines| routines.iter().all(|routine| routine.code().unknown.is_none()))
    }

    /// Whether a call of this name may leave another role or search path behind.
    #[must_use]
    pub(crate) fn may_change_settings(&self, name: &str) -> bool {
        if self.function(name) == FunctionKind::BuiltIn {
            return false;
        }
        let called = self.run(core::iter::once(name), &Touched::default());
        called.is_open || called.codes.is_empty() || called.codes.iter().any(|code| code.changes_settings)
    }

    /// Every relation that can be read through this one: what a view reads, what a partition or child is a
    /// part of, and so on. The relation itself is not among them.
    #[must_use]
    pub(crate) fn behind(&self, relation: u32) -> Vec<&Relation> {
        let mut found: BTreeMap<u32, &Relation> = BTreeMap::new();
        let mut open = vec![relation];
        while let Some(at) = open.pop() {
            let read = self.depends.get(&at).into_iter().flatten().map(|(relation, _)| *relation);
            let parents = self.inherits.iter().filter(|(child, _)| *child == at).map(|(_, parent)| *parent);
            for next in read.chain(parents) {
                if next != relation
                    && !found.contains_key(&next)
                    && let Some(known) = self.relations.get(&next)
                {
                    found.insert(next, known);
                    open.push(next);
                }
            }
        }
        found.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::{Catalogue, CatalogueBuilder};
    use crate::statement::{Reach, Ruling, Speech, SqlContext, judge};
    use crate::testing::{CARD, rules};

    fn definition(language: &str, body: &str) -> String {
        format!(
            "CREATE OR REPLACE FUNCTION public.f()\n RETURNS void\n LANGUAGE {language}\nAS $function$ {body} $function$\n"
        )
    }

    /// `customers` with a masked card, `orders`, a view over both, and functions.
    fn catalogue() -> Catalogue {
        let mut builder = CatalogueBuilder::new();
        let mut row = |result: usize, cells: &[Option<&str>]| {
            let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| cell.map(str::as_bytes)).collect();
            builder.row(result, &cells);
        };
        for (oid, name, kind) in [("20001", "customers", "r"), ("20002", "orders", "r"), ("20003", "v", "v")] {
            row(0, &[Some(oid), Some("public"), Some(name), Some(kind)]);
            row(1, &[Some(oid), Some("1"), Some("card"), Some("25"), Some("b"), Some("S"), Some("f"), Some("f")]);
        }
        row(2, &[Some("20003"), Some("20002"), Some("1")]);
        row(5, &[Some("upper"), Some("b")]);
        for (name, language, body) in [
            ("wipe", "plpgsql", Some("BEGIN TRUNCATE orders; END")),
            ("outer_wipe", "sql", Some("SELECT wipe()")),
            ("cards", "sql", Some("SELECT card FROM customers")),
            ("plain", "sql", Some("SELECT 1")),
            ("dynamic", "plpgsql", Some("BEGIN EXECUTE x; END")),
            ("python", "plpython3u", None),
            ("round", "sql", Some("SELECT round()")),
            ("clean", "plpgsql", Some("BEGIN DELETE FROM orders; END")),
            ("fetching", "plpgsql", Some("BEGIN FETCH c INTO v; RAISE NOTICE '%', v; END")),
            ("defaulting", "plpgsql", Some("BEGIN RAISE NOTICE '%', a; END")),
        ] {
            let definition = body.map(|body| definition(language, body));
            let definition = definition.map(|text| match name {
                "defaulting" => text.replace("f()", "f(a text DEFAULT cards())"),
                _ => text,
            });
            row(5, &[Some(name), Some("u")]);
            row(crate::catalogue::query::ROUTINES, &[Some(name), Some(language), definition.as_deref()]);
        }
        builder.finish().unwrap()
    }

    fn name(tables: &str, sql: &str) -> Option<String> {
        match judge(&rules(tables), sql.as_bytes(), &SqlContext::default(), Some(&catalogue())).ruling {
            Ruling::Allow => None,
            Ruling::Deny(refusal) => Some(refusal.name.into()),
        }
    }

    #[test]
    fn a_call_does_what_the_body_does() {
        let deny = "[[deny]]\nname = \"no truncate\"\nstatements = [\"truncate\"]\n";
        for sql in [
            "SELECT wipe()",
            "SELECT * FROM wipe()",
            "SELECT public.\"wipe\"()",
            "CALL wipe()",
            "SELECT upper('x'), outer_wipe()",
            "INSERT INTO orders SELECT wipe()",
            "DO $$BEGIN PERFORM outer_wipe(); END$$",
            "EXPLAIN ANALYZE SELECT wipe()",
            // Planning calls it where it says that it is immutable.
            "EXPLAIN SELECT wipe()",
            "COPY (SELECT wipe()) TO STDOUT",
            "PREPARE p AS SELECT wipe()",
        ] {
            assert_eq!(name(deny, sql).as_deref(), Some("no truncate"), "{sql}");
        }
        for sql in ["SELECT plain()", "SELECT round()", "SELECT 'wipe()'", "SELECT wipe FROM orders"] {
            assert_eq!(name(deny, sql), None, "{sql}");
        }
        let open = "[[deny]]\nname = \"where\"\nstatements = [\"delete\"]\nwithout_where = true\n";
        assert_eq!(name(open, "SELECT clean()").as_deref(), Some("where"));
        let tables = "[[deny]]\nname = \"t\"\ntables = [\"customers\"]\n";
        assert_eq!(name(tables, "SELECT cards()").as_deref(), Some("t"));
        assert_eq!(name(tables, "SELECT plain()"), None);
    }

    #[test]
    fn code_that_cannot_be_read_is_a_class() {
        let deny = "[[deny]]\nname = \"unknown\"\nstatements = [\"unknown_code\"]\n";
        for sql in ["SELECT dynamic()", "CALL python()"] {
            assert_eq!(name(deny, sql).as_deref(), Some("unknown"), "{sql}");
            assert_eq!(name("[[deny]]\nname = \"x\"\nstatements = [\"drop\"]\n", sql), None, "{sql}");
            assert_eq!(name(CARD, sql).as_deref(), Some("unknown_code"), "{sql}");
        }
        assert_eq!(name(CARD, "SELECT plain()"), None);
    }

    #[test]
    fn masked_relations_are_reached_through_bodies_only_where_they_are_named() {
        let reach = |sql: &str| judge(&rules(CARD), sql.as_bytes(), &SqlContext::default(), Some(&catalogue())).reach;
        assert!(matches!(reach("SELECT cards()"), Reach::Yes(_)));
        assert_eq!(reach("SELECT plain()"), Reach::No);
        assert_eq!(reach("SELECT dynamic()"), Reach::Unknown);
    }

    #[test]
    fn views_count_as_what_they_read() {
        let tables = "[[deny]]\nname = \"t\"\ntables = [\"public.orders\"]\n";
        assert_eq!(name(tables, "SELECT * FROM v").as_deref(), Some("t"));
        assert_eq!(name(tables, "SELECT * FROM customers"), None);
    }

    #[test]
    fn what_code_says_passes_where_it_is_seen_and_gets_at_nothing_masked() {
        let speech = |sql: &str| judge(&rules(CARD), sql.as_bytes(), &SqlContext::default(), Some(&catalogue())).speech;
        for sql in ["SELECT plain()", "SELECT round() FROM orders", "UPDATE orders SET card = plain()"] {
            assert_eq!(speech(sql), Speech::Free, "{sql}");
        }
        for sql in [
            "SELECT cards()",
            "SELECT plain(card) FROM customers",
            "SELECT dynamic()",
            "SELECT python()",
            "SELECT fetching()",
            "CALL plain()",
            "SELECT defaulting()",
            "SELECT plain(); SELECT plain()",
            "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT plain()",
            "DO $$BEGIN PERFORM plain(); END$$",
            "SELECT unheard_of(plain(), current_setting('x'))",
        ] {
            assert_eq!(speech(sql), Speech::Withheld, "{sql}");
        }
        assert_eq!(speech("SELECT card FROM orders"), Speech::Silent);
    }

    #[test]
    fn settings_survive_calls_of_code_that_is_known_to_leave_them() {
        let catalogue = catalogue();
        assert!(!catalogue.may_change_settings("plain") && !catalogue.may_change_settings("upper"));
        assert!(catalogue.may_change_settings("dynamic") && catalogue.may_change_settings("unheard_of"));
    }
}
