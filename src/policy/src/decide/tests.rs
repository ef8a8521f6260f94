//! Which columns of a result are masked, for rows and for COPY.

use wire::guard::{CopyShape, CopySyntax};
use wire::value::{Column, Encoding, NamedOrigin, Origin, ValueType};

use super::*;
use crate::catalogue::Catalogue;
use crate::mask::Method;
use crate::rule::RuleId;
use crate::snapshot::UserRules;
use crate::statement::{SqlContext, judge};
use crate::testing::{CARD, rules, shop};

const CUSTOMERS: u32 = 20_001;
const ORDERS: u32 = 20_002;

fn columns(origins: &[Option<(u32, i16)>]) -> Vec<Column> {
    let column = |origin: &Option<(u32, i16)>| Column {
        name: "x".into(),
        origin: origin.map_or(Origin::None, |(relation, number)| Origin::Attribute { relation, number }),
        value_type: ValueType::Text,
        encoding: Encoding::Text,
    };
    origins.iter().map(column).collect()
}

/// For each column a letter: `K` masked by the rule's method, `R` redacted, `U` unknown origin, `B` built-in,
/// `d` looked at by detectors, `.` passes.
fn letters(mask: Option<&crate::mask::RowMask>, count: usize) -> String {
    let Some(mask) = mask else { return ".".repeat(count) };
    let letter = |spec: &crate::mask::ColumnSpec| match (&spec.mask, &spec.detectors) {
        (Some((RuleId::UNKNOWN_ORIGIN, _)), _) => 'U',
        (Some((RuleId::BUILT_IN, _)), _) => 'B',
        (Some((_, Method::Redact)), _) => 'R',
        (Some(_), _) => 'K',
        (None, Some(_)) => 'd',
        (None, None) => '.',
    };
    mask.columns().iter().map(letter).collect()
}

fn rows(
    rules: &UserRules,
    text: &str,
    origins: &[Option<(u32, i16)>],
    catalogue: Option<&Catalogue>,
) -> (String, bool) {
    let judgement = judge(rules, text.as_bytes(), &SqlContext::default(), catalogue);
    let decision = plan_rows(rules, &judgement, 0, &columns(origins), catalogue);
    (letters(decision.mask.as_ref(), origins.len()), decision.catalogue_stale)
}

#[test]
fn origin_decides_and_computed_values_of_masked_ones_are_masked_whole() {
    let (rules, shop) = (rules(CARD), shop());
    for (text, origins, expected) in [
        ("SELECT id, card AS x FROM customers", &[Some((CUSTOMERS, 1)), Some((CUSTOMERS, 3))][..], ".K"),
        ("SELECT card FROM customers_2024", &[Some((20_003, 3))], "K"),
        ("SELECT shown FROM v_plain", &[Some((20_011, 2))], "K"),
        ("SELECT again, id FROM v_nested", &[Some((20_012, 1)), Some((20_012, 2))], "K."),
        ("SELECT id, upper FROM v_computed", &[Some((20_013, 1)), Some((20_013, 2))], ".R"),
        ("SELECT id, total FROM v_orders", &[Some((20_014, 1)), Some((20_014, 2))], ".."),
        ("SELECT x FROM v_union", &[Some((20_015, 1))], "K"),
        ("SELECT customers FROM customers", &[Some((CUSTOMERS, 0))], "R"),
        ("SELECT upper(card), id || '' FROM customers", &[None, None], "R."),
        ("SELECT count(*), count(card), now(), $1, 'x' || 'y', 1 + 2 FROM customers", &[None; 6], "......"),
        ("SELECT max(card), row_to_json(c), (SELECT card) FROM customers c", &[None; 3], "RRR"),
        (
            "SELECT count(*), c.* FROM customers c",
            &[None, Some((CUSTOMERS, 1)), Some((CUSTOMERS, 2)), Some((CUSTOMERS, 3))],
            "...K",
        ),
        ("SELECT upper(x), leaked FROM orders", &[None, None], ".."),
        ("SELECT total FROM orders UNION SELECT card FROM customers", &[Some((ORDERS, 3))], "K"),
        (
            "SELECT x FROM (SELECT total x FROM orders UNION ALL SELECT card FROM customers) s",
            &[Some((ORDERS, 3))],
            "K",
        ),
        ("SELECT total FROM orders UNION SELECT id FROM orders", &[Some((ORDERS, 3))], "."),
        ("SELECT leak(1), count(*) FROM orders", &[None, None], "R."),
        ("SELECT most_common_vals FROM pg_stats", &[Some((12_000, 2))], "B"),
        ("INSERT INTO customers VALUES (1) RETURNING card, upper(card)", &[Some((CUSTOMERS, 3)), None], "KR"),
        ("TABLE customers", &[Some((CUSTOMERS, 1)), Some((CUSTOMERS, 2)), Some((CUSTOMERS, 3))], "..K"),
        ("VALUES (1)", &[None], "."),
        ("EXPLAIN SELECT card FROM customers", &[None], "."),
        ("EXPLAIN SELECT leak(1)", &[None], "R"),
        ("SHOW server_version", &[None], "."),
        ("FETCH ALL FROM c", &[Some((ORDERS, 3)), None], "RR"),
        ("EXECUTE p", &[Some((CUSTOMERS, 3))], "K"),
        ("DECLARE c CURSOR FOR SELECT id, upper(name), upper(card), card FROM customers", &[None; 4], "..RK"),
        ("PREPARE p AS SELECT count(*), max(card) FROM customers", &[None, None], ".R"),
    ] {
        assert_eq!(rows(&rules, text, origins, Some(&shop)), (expected.to_owned(), false), "{text}");
    }
}

#[test]
fn computed_values_pass_where_nothing_masked_flows_into_them() {
    let (rules, shop) = (rules(CARD), shop());
    for (text, origins, expected) in [
        ("SELECT name, upper(name), count(*) FROM customers", &[Some((CUSTOMERS, 2)), None, None][..], "..."),
        ("SELECT upper(name), upper(card), max(id) FROM customers", &[None; 3], ".R."),
        ("SELECT lower(name) FROM customers c JOIN orders o ON o.customer = c.id WHERE card = $1", &[None], "."),
        ("SELECT x, y FROM (SELECT upper(name) AS x, card AS y FROM customers) s", &[None, Some((CUSTOMERS, 3))], ".K"),
        ("SELECT upper(name) FROM v_computed, customers", &[None], "."),
        ("SELECT lower(upper), id || 'x' FROM v_computed", &[None, None], "R."),
        ("WITH c AS (SELECT upper(card) AS a, upper(name) AS b FROM customers) SELECT a, b FROM c", &[None; 2], "R."),
        ("SELECT upper(name) FROM customers UNION SELECT upper(card) FROM customers", &[None], "R"),
        ("SELECT upper(name), leak(id) FROM customers", &[None, None], ".R"),
        ("SELECT upper(name) FROM customers, unheard_of", &[None], "R"),
        ("UPDATE customers SET name = 'x' RETURNING upper(name), upper(card)", &[None, None], ".R"),
        // What the server says and the lineage does not: nothing of the lineage is believed.
        ("SELECT upper(name), name FROM customers", &[None, Some((CUSTOMERS, 1))], "R."),
        ("SELECT upper(name) FROM customers", &[None, None], "RR"),
    ] {
        assert_eq!(rows(&rules, text, origins, Some(&shop)).0, expected, "{text}");
    }
}

#[test]
fn what_the_catalogue_does_not_know_is_masked_and_reported() {
    let (rules, shop) = (rules(CARD), shop());
    let unknown = &[Some((99_999, 1)), Some((CUSTOMERS, 9)), Some((CUSTOMERS, -1)), Some((1259, 2))];
    assert_eq!(rows(&rules, "SELECT a, b, c, d FROM orders", unknown, Some(&shop)), ("UU..".to_owned(), true));
    assert_eq!(rows(&rules, "SELECT a FROM orders", &[Some((ORDERS, 1)), None], None), ("UR".to_owned(), true));
}

#[test]
fn texts_of_several_statements_get_no_benefit_of_doubt() {
    let (rules, shop) = (rules(CARD), shop());
    let judgement = judge(
        &rules,
        b"BEGIN; SELECT count(*) FROM customers; SELECT upper(card) FROM customers",
        &SqlContext::default(),
        Some(&shop),
    );
    let planned = |description| {
        letters(plan_rows(&rules, &judgement, description, &columns(&[None]), Some(&shop)).mask.as_ref(), 1)
    };
    assert_eq!((planned(0), planned(1), planned(2)), (".".into(), "R".into(), "R".into()));
    let text = b"INSERT INTO orders VALUES (1); SELECT count(*) FROM customers";
    let judgement = judge(&rules, text, &SqlContext::default(), Some(&shop));
    assert_eq!(letters(plan_rows(&rules, &judgement, 0, &columns(&[None]), Some(&shop)).mask.as_ref(), 1), "R");
}

#[test]
fn detectors_look_where_their_columns_are() {
    let mails = "[[mask]]\nname = \"m\"\ndetect = [\"email\"]\ncolumns = [\"public.orders.total\"]\n";
    let (by_column, everywhere) = (rules(mails), rules("[[mask]]\nname = \"m\"\ndetect = [\"email\"]\n"));
    let shop = shop();
    let origins = &[Some((ORDERS, 3)), Some((ORDERS, 1)), None, Some((20_014, 1))];
    assert_eq!(rows(&by_column, "SELECT 1", origins, Some(&shop)).0, "d.dd");
    assert_eq!(rows(&by_column, "SELECT 1", origins, None).0, "dddd");
    assert_eq!(rows(&everywhere, "SELECT 1", origins, Some(&shop)).0, "dddd");
    let both = rules(&format!("{CARD}{mails}"));
    assert_eq!(rows(&both, "SELECT 1", &[Some((CUSTOMERS, 3)), Some((ORDERS, 3))], Some(&shop)).0, "Kd");
}

#[test]
fn names_that_a_server_gives_add_masks_and_spare_columns_without_detectors() {
    let mails = "[[mask]]\nname = \"m\"\ndetect = [\"email\"]\ncolumns = [\"public.orders.total\"]\n";
    let (rules, shop) = (rules(&format!("{CARD}{mails}")), shop());
    let named = |(schema, relation, column): (&str, &str, &str)| Column {
        name: "x".into(),
        origin: Origin::Named(Box::new(NamedOrigin {
            schema: schema.into(),
            relation: relation.into(),
            column: column.into(),
        })),
        value_type: ValueType::Text,
        encoding: Encoding::Text,
    };
    let (card, id, name) =
        (("public", "Customers", "CARD"), ("public", "customers", "id"), ("public", "customers", "name"));
    for (text, origins, expected) in [
        ("SELECT card, 1 FROM customers", &[card, ("", "", "")][..], "Kd"),
        ("SELECT id, name FROM customers", &[id, name], ".."),
        ("SELECT name, total FROM customers, orders", &[name, ("public", "orders", "total")], ".d"),
        // The statement says nothing of it.
        ("SELECT id FROM customers", &[card], "K"),
        // It is not what the server names.
        ("SELECT name, lower(name) FROM customers", &[id, name], "dd"),
        ("SELECT id FROM customers", &[("other", "customers", "id")], "d"),
    ] {
        let judgement = judge(&rules, text.as_bytes(), &SqlContext::default(), Some(&shop));
        let columns: Vec<Column> = origins.iter().copied().map(named).collect();
        let decision = plan_rows(&rules, &judgement, 0, &columns, Some(&shop));
        assert_eq!(letters(decision.mask.as_ref(), columns.len()), expected, "{text}");
    }
}

fn copied(rules: &UserRules, text: &str, count: usize, catalogue: Option<&Catalogue>) -> String {
    let judgement = judge(rules, text.as_bytes(), &SqlContext::default(), catalogue);
    match plan_copy(rules, &judgement, 0, CopyShape { binary: false, columns: count }, catalogue).0 {
        CopyDecision::Forward => ".".repeat(count),
        CopyDecision::Mask { mask, .. } => letters(Some(&mask), count),
    }
}

#[test]
fn copy_finds_columns_by_name() {
    let (rules, shop) = (rules(CARD), shop());
    for (text, expected) in [
        ("COPY customers TO STDOUT", "..K"),
        ("COPY public.customers (card, id) TO STDOUT", "K."),
        ("COPY customers_2024 TO STDOUT", "..K"),
        ("COPY v_plain TO STDOUT", ".K"),
        ("COPY orders TO STDOUT", "..."),
        ("COPY (SELECT id, card FROM customers) TO STDOUT", ".K"),
        ("COPY (SELECT c.* FROM customers c WHERE id = 1) TO STDOUT", "..K"),
        ("COPY (SELECT upper(card), count(*) FROM customers) TO STDOUT", "R."),
        ("COPY (TABLE customers) TO STDOUT", "..K"),
        ("COPY (SELECT card FROM customers UNION SELECT total FROM orders) TO STDOUT", "K"),
        ("COPY (SELECT o.total, c.card FROM orders o, customers c) TO STDOUT", ".K"),
        ("COPY (SELECT x FROM (SELECT card AS x FROM customers) s) TO STDOUT", "K"),
        ("COPY (SELECT total FROM orders) TO STDOUT", "."),
        ("COPY (SELECT leak(1)) TO STDOUT", "U"),
        ("COPY created_since TO STDOUT", "UU"),
    ] {
        assert_eq!(copied(&rules, text, expected.len(), Some(&shop)), expected, "{text}");
    }
    assert_eq!(copied(&rules, "COPY customers TO STDOUT", 4, Some(&shop)), "RRRR");
    assert_eq!(copied(&rules, "COPY orders TO STDOUT", 3, None), "UUU");
}

#[test]
fn copy_tells_how_its_text_is_written() {
    let (rules, shop) = (rules(CARD), shop());
    let text = b"COPY customers TO STDOUT (FORMAT csv, NULL 'n')";
    let judgement = judge(&rules, text, &SqlContext::default(), Some(&shop));
    let (decision, stale) = plan_copy(&rules, &judgement, 0, CopyShape { binary: false, columns: 3 }, Some(&shop));
    let CopyDecision::Mask { syntax, null, .. } = decision else { panic!("not masked") };
    assert_eq!(syntax, CopySyntax::Csv { delimiter: b',', quote: b'"', escape: b'"', header: false });
    assert_eq!((&*null, stale), (&b"n"[..], false));
}

#[test]
fn errors_are_scrubbed_where_they_may_quote_masked_values() {
    let (rules, shop) = (rules(CARD), shop());
    let found = |text: &str, sqlstate: &[u8; 5]| {
        let judgement = judge(&rules, text.as_bytes(), &SqlContext::default(), Some(&shop));
        readable(&rules, Some(&judgement), *sqlstate)
    };
    for (text, sqlstate, expected) in [
        ("SELECT card::int FROM customers", b"22P02", Readable::Names),
        ("INSERT INTO customers VALUES (1)", b"23505", Readable::Names),
        ("SELECT leak(1)", b"P0001", Readable::Names),
        ("SELECT leak(1)", b"00000", Readable::Names),
        ("SELECT lo_import(card) FROM customers", b"58P01", Readable::Names),
        // Names that a cast or function computed are quoted in the same codes as those of the text.
        ("SELECT card::regclass FROM customers", b"42P01", Readable::AboutText),
        ("SELECT card::regrole FROM customers", b"42704", Readable::AboutText),
        ("SELECT card::regnamespace FROM customers", b"3F000", Readable::AboutText),
        ("SELECT card::regclass FROM customers", b"0A000", Readable::AboutText),
        ("SELECT to_tsquery(card) FROM customers", b"42601", Readable::AboutText),
        ("SELECT nope FROM customers", b"42703", Readable::AboutText),
        ("SELECT card FROM customers", b"42501", Readable::All),
        ("SELECT 'x'::int FROM orders", b"22P02", Readable::All),
        ("SELECT name::int FROM customers WHERE id = $1", b"22P02", Readable::All),
        ("SELECT name FROM customers WHERE card::int = 1", b"22P02", Readable::Names),
        ("SELECT id FROM v_computed WHERE id = 1", b"22P02", Readable::Names),
    ] {
        assert_eq!(found(text, sqlstate), expected, "{text}");
    }
    assert_eq!(readable(&rules, None, *b"57P01"), Readable::All);
}
