//! What a statement reaches beside the relations that it names: files, other servers, large objects, the log,
//! statements in strings, code that cannot be read.
//!
//! Classes are kinds, so that rules name them as they name `drop`. Masks do not hold for what comes this way,
//! and so users under column masks are refused unless the config allows a class
//! ([`crate::config::PolicySettings::allow_under_masks`]). Lists, with what each entry does: a function that is
//! missing here is one through which masked values leave, so new server versions must be checked against them.

use core::ops::Range;

use super::beginnings::Beginnings;
use super::copy::{Copy, End};
use super::kind::{Kind, KindSet};
use super::tokens::Tokens;
use crate::catalogue::Catalogue;

/// Functions, as name or as beginning of a name with a star, and the class of a call.
const FUNCTIONS: &[(&str, Kind)] = &[
    ("brin_page_items", Kind::FILE_ACCESS),
    ("connectby*", Kind::DYNAMIC_SQL),
    ("crosstab*", Kind::DYNAMIC_SQL),
    ("cursor_to_xml*", Kind::DYNAMIC_SQL),
    ("database_to_xml*", Kind::DYNAMIC_SQL),
    ("dblink*", Kind::EXTERNAL_ACCESS),
    ("get_raw_page", Kind::FILE_ACCESS),
    ("gin_leafpage_items", Kind::FILE_ACCESS),
    ("gist_page_items*", Kind::FILE_ACCESS),
    ("heap_page_item*", Kind::FILE_ACCESS),
    ("lo_*", Kind::LARGE_OBJECTS),
    ("load_file", Kind::FILE_ACCESS),
    ("lo_export", Kind::FILE_ACCESS),
    ("lo_import", Kind::FILE_ACCESS),
    ("loread", Kind::LARGE_OBJECTS),
    ("lowrite", Kind::LARGE_OBJECTS),
    ("pg_copy_logical_replication_slot", Kind::LOGICAL_DECODING),
    ("pg_create_logical_replication_slot", Kind::LOGICAL_DECODING),
    ("pg_file_*", Kind::FILE_ACCESS),
    ("pg_get_wal_*", Kind::LOGICAL_DECODING),
    ("pg_logical_*", Kind::LOGICAL_DECODING),
    ("pg_ls_*", Kind::FILE_ACCESS),
    ("pg_read_binary_file", Kind::FILE_ACCESS),
    ("pg_read_file*", Kind::FILE_ACCESS),
    ("pg_read_server_files", Kind::FILE_ACCESS),
    ("pg_replication_slot_advance", Kind::LOGICAL_DECODING),
    ("pg_stat_file", Kind::FILE_ACCESS),
    ("query_to_xml*", Kind::DYNAMIC_SQL),
    ("schema_to_xml*", Kind::DYNAMIC_SQL),
    ("table_to_xml*", Kind::DYNAMIC_SQL),
    ("ts_rewrite", Kind::DYNAMIC_SQL),
    ("ts_stat", Kind::DYNAMIC_SQL),
    ("tuple_data_split", Kind::FILE_ACCESS),
    ("xpath_table", Kind::DYNAMIC_SQL),
];

static BEGINNINGS: Beginnings = {
    let (mut beginnings, mut at) = (Beginnings::new(), 0);
    while at < FUNCTIONS.len() {
        beginnings = beginnings.with(FUNCTIONS[at].0);
        at += 1;
    }
    beginnings
};

/// The classes of a call of a function of this name.
pub(super) fn of_function(name: &str) -> KindSet {
    let fits = |entry: &str| match entry.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => entry == name,
    };
    if !BEGINNINGS.fit(name) {
        return KindSet::EMPTY;
    }
    let fitting = FUNCTIONS.iter().filter(|(entry, _)| fits(entry));
    fitting.fold(KindSet::EMPTY, |all, (_, class)| all.union(KindSet::of(*class)))
}

/// The classes of what a run of tokens calls and names. `is_relation` says whether a name may be a relation's.
pub(super) fn of_tokens(
    tokens: Tokens<'_, '_>,
    range: Range<usize>,
    catalogue: Option<&Catalogue>,
    is_relation: &dyn Fn(&str) -> bool,
) -> KindSet {
    let mut found = KindSet::EMPTY;
    for at in range.clone().filter(|at| tokens.is_name(*at)) {
        let Some(name) = tokens.lexed.name(at) else { continue };
        let behind_point = at > range.start && tokens.is_sign(at - 1, ".");
        if tokens.is_sign(at + 1, "(") || behind_point {
            found = found.union(of_function(&name));
        }
        if name == "pg_largeobject" && is_relation(&name) {
            found.insert(Kind::LARGE_OBJECTS);
        }
        if catalogue.is_some_and(Catalogue::has_foreign) && is_relation(&name) {
            let schema = if behind_point && at >= range.start + 2 { tokens.lexed.name(at - 2) } else { None };
            let foreign = |catalogue: &Catalogue| {
                let mut known = catalogue.named(schema.as_deref(), &name);
                known.any(|relation| relation.kind == b'f')
            };
            if catalogue.is_some_and(foreign) {
                found.insert(Kind::EXTERNAL_ACCESS);
            }
        }
    }
    found
}

/// The classes of a command, by its own words.
pub(super) fn of_command(tokens: Tokens<'_, '_>, range: Range<usize>, kinds: KindSet, copy: Option<&Copy>) -> KindSet {
    let mut found = KindSet::EMPTY;
    let has = |kind: Kind| kinds.meets(KindSet::of(kind));
    match copy.map(|copy| copy.end) {
        Some(End::File) => found.insert(Kind::FILE_ACCESS),
        Some(End::Program) => {
            found.insert(Kind::FILE_ACCESS);
            found.insert(Kind::UNKNOWN_CODE);
        }
        Some(End::Client) | None => {}
    }
    if has(Kind::LOAD) {
        found.insert(Kind::FILE_ACCESS);
        found.insert(Kind::UNKNOWN_CODE);
    }
    // `CREATE FOREIGN TABLE`, `CREATE SERVER`, `ALTER SUBSCRIPTION`, `CREATE USER MAPPING FOR … SERVER`.
    let defines = [Kind::CREATE_OTHER, Kind::ALTER_OTHER, Kind::CREATE_TABLE, Kind::ALTER_TABLE].into_iter().any(has);
    let remote = ["server", "subscription"].into_iter().any(|word| tokens.is_word(range.start + 1, word))
        || tokens.is_word(range.start + 1, "foreign")
        || (tokens.is_word(range.start + 1, "user") && tokens.is_word(range.start + 2, "mapping"));
    if defines && tokens.is_word(range.start + 1, "publication") {
        found.insert(Kind::LOGICAL_DECODING);
    }
    if has(Kind::IMPORT) || (defines && remote) {
        found.insert(Kind::EXTERNAL_ACCESS);
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::catalogue::CatalogueBuilder;
    use crate::statement::{Ruling, SqlContext, judge};
    use crate::testing::{CARD, rules, shop};

    fn refused(tables: &str, sql: &str) -> Option<String> {
        let (rules, shop) = (rules(tables), shop());
        match judge(&rules, sql.as_bytes(), &SqlContext::default(), Some(&shop)).ruling {
            Ruling::Allow => None,
            Ruling::Deny(refusal) => Some(refusal.name.into()),
        }
    }

    const CASES: &[(&str, &str)] = &[
        ("SELECT pg_read_file('x')", "file_access"),
        ("SELECT * FROM pg_catalog.pg_ls_dir('.')", "file_access"),
        ("SELECT pg_stat_file('x')", "file_access"),
        ("COPY orders TO '/tmp/x'", "file_access"),
        ("COPY orders FROM PROGRAM 'x'", "file_access"),
        ("LOAD 'x'", "file_access"),
        ("SELECT dblink_connect('')", "external_access"),
        ("SELECT * FROM dblink('', 'select 1') AS t(a int)", "external_access"),
        ("CREATE SERVER s FOREIGN DATA WRAPPER w", "external_access"),
        ("IMPORT FOREIGN SCHEMA s FROM SERVER t INTO u", "external_access"),
        ("CREATE FOREIGN TABLE t (a int) SERVER s", "external_access"),
        ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "external_access"),
        ("SELECT lo_get(1)", "large_objects"),
        ("SELECT loread(1, 2)", "large_objects"),
        ("SELECT data FROM pg_largeobject", "large_objects"),
        ("SELECT pg_logical_slot_peek_changes('s', NULL, NULL)", "logical_decoding"),
        ("CREATE PUBLICATION p FOR TABLE orders", "logical_decoding"),
        ("ALTER PUBLICATION p ADD TABLE orders", "logical_decoding"),
        ("SELECT query_to_xml('select 1', true, true, '')", "dynamic_sql"),
        ("SELECT \"database_to_xml\"(true, true, '')", "dynamic_sql"),
        ("SELECT * FROM ts_stat('select 1')", "dynamic_sql"),
        ("DO $$BEGIN PERFORM pg_read_file('x'); END$$", "file_access"),
        ("EXPLAIN ANALYZE SELECT lo_create(1)", "large_objects"),
    ];

    #[test]
    fn every_class_can_be_denied() {
        for (sql, class) in CASES {
            let deny = format!("[[deny]]\nname = \"rule\"\nstatements = [\"{class}\"]\n");
            assert_eq!(refused(&deny, sql).as_deref(), Some("rule"), "{sql}");
            assert_eq!(refused("", sql), None, "{sql}");
        }
    }

    #[test]
    fn a_relation_on_another_server_is_one_wherever_it_is_named() {
        let catalogue = |kind: &str| {
            let mut builder = CatalogueBuilder::new();
            let mut row = |result: usize, cells: &[&str]| {
                let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
                builder.row(result, &cells);
            };
            for (oid, schema, name, kind) in [("20001", "a", "far", kind), ("20002", "b", "near", "r")] {
                row(0, &[oid, schema, name, kind]);
                row(1, &[oid, "1", "x", "25", "b", "S", "f", "f"]);
            }
            row(5, &["upper", "b"]);
            builder.finish().unwrap()
        };
        let deny = rules("[[deny]]\nname = \"rule\"\nstatements = [\"external_access\"]\n");
        let refused = |kind: &str, sql: &str| {
            let ruling = judge(&deny, sql.as_bytes(), &SqlContext::default(), Some(&catalogue(kind))).ruling;
            matches!(ruling, Ruling::Deny(_))
        };
        for sql in [
            "SELECT x FROM far",
            "SELECT x FROM near JOIN a.\"far\" USING (x)",
            "INSERT INTO far VALUES ('1')",
            "COPY far TO STDOUT",
            "DO $$BEGIN PERFORM x FROM far; END$$",
        ] {
            assert!(refused("f", sql) && !refused("r", sql), "{sql}");
        }
        for sql in ["SELECT x FROM near", "SELECT upper(far.x) AS far FROM near far", "SELECT x FROM b.far"] {
            assert!(!refused("f", sql), "{sql}");
        }
    }

    #[test]
    fn users_under_masks_need_leave() {
        for (sql, class) in CASES {
            let name = refused(CARD, sql);
            assert!(name.is_some(), "{sql}");
            let allowed =
                format!("[policy]\nunparsed = \"allow\"\nallow_under_masks = [\"{class}\", \"unknown_code\"]\n{CARD}");
            // A block that reaches what cannot be told may still copy it.
            let still = refused(&allowed, sql).filter(|name| name != "copy of masked data");
            assert_eq!(still, None, "{sql}");
        }
        for sql in ["SELECT 1", "SELECT lo FROM orders", "COPY orders TO STDOUT", "CREATE TABLE server (a int)"] {
            assert_eq!(refused(CARD, sql), None, "{sql}");
        }
    }
}
