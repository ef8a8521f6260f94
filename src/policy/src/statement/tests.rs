//! What statements do and whether they may: tables of texts.

use super::*;
use crate::catalogue::Catalogue;
use crate::snapshot::UserRules;
use crate::testing::{CARD, rules, shop};

fn judged(rules: &UserRules, text: &str, catalogue: Option<&Catalogue>) -> Judgement {
    judge(rules, text.as_bytes(), &SqlContext::default(), catalogue)
}

fn denial(judgement: &Judgement) -> Option<&str> {
    match &judgement.ruling {
        Ruling::Allow => None,
        Ruling::Deny(refusal) => Some(&refusal.name),
    }
}

const DDL: &str = "[[deny]]\nname = \"no ddl\"\nstatements = [\"drop\", \"truncate\", \"alter table\"]\n";

#[test]
fn a_denied_kind_is_found_in_every_carrier() {
    let rules = rules(DDL);
    for text in [
        "DROP TABLE t",
        "drop table t;",
        ";;drop table t",
        "dRoP/* x */tAbLe t",
        "/* /* nested */ */ DROP -- x\r TABLE t",
        "SELECT 1; DROP TABLE t",
        "SELECT ';'; DROP TABLE t; SELECT 1",
        "SELECT $$;$$; TRUNCATE t",
        "SELECT E'\\';--'; DROP TABLE t",
        "SELECT '--' ; DROP TABLE t --'",
        "BEGIN; ALTER TABLE t ADD x int; COMMIT",
        "ALTER FOREIGN TABLE t ADD x int",
        "DROP OWNED BY x",
        "DROP MATERIALIZED VIEW x",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1; DROP INDEX x",
        "DO $$ BEGIN DROP TABLE t; END $$",
        "DO 'BEGIN dr'\n'op table t; END'",
        "DO 'begin drop\ttable t; end'",
        "DO $$BEGIN PERFORM 1; /**/TRUNCATE t; END$$ LANGUAGE plpgsql",
        "DO LANGUAGE plpgsql $x$ begin execute 'drop table t'; end $x$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DROP TABLE t'",
        "CREATE OR REPLACE PROCEDURE f() LANGUAGE plpgsql AS $$begin truncate t; end$$",
        "CREATE RULE r AS ON INSERT TO a DO INSTEAD (DELETE FROM b; TRUNCATE c)",
        "\u{b}DROP\u{c}TABLE t",
        "truncate only t restart identity",
    ] {
        assert_eq!(denial(&judged(&rules, text, None)), Some("no ddl"), "{text}");
    }
}

#[test]
fn what_only_looks_like_a_denied_kind_passes() {
    let rules = rules(DDL);
    for text in [
        "SELECT 'drop table t'",
        "SELECT \"drop\" FROM \"truncate\"",
        "SELECT 1 -- drop table t",
        "SELECT 1 /* ; drop table t */",
        "SELECT drop_date FROM t",
        "INSERT INTO log VALUES ('drop table t')",
        "SELECT $x$ ; drop table t $x$",
        "EXPLAIN DROP",
        "CREATE TABLE t (a int)",
        "VACUUM (VERBOSE, PARALLEL 2) t",
        "SET search_path = drop",
        "",
        ";",
        "-- nothing",
    ] {
        let judgement = judged(&rules, text, None);
        assert_eq!(denial(&judgement), None, "{text}: {judgement:?}");
    }
}

#[test]
fn changes_of_rows_are_found_in_every_carrier() {
    let rules = rules("[[deny]]\nname = \"ro\"\nstatements = [\"write\"]\n");
    for text in [
        "INSERT INTO t VALUES (1)",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "WITH x AS (SELECT 1), y AS MATERIALIZED (UPDATE t SET a = 1) TABLE x",
        "WITH x AS (SELECT 1) UPDATE t SET a = 1",
        "WITH RECURSIVE update AS (SELECT 1) DELETE FROM t",
        "WITH RECURSIVE t AS (SELECT 1) SEARCH DEPTH FIRST BY a SET b DELETE FROM t2",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t",
        "EXPLAIN (BUFFERS, ANALYZE true) WITH x AS (INSERT INTO t SELECT 1) SELECT 1",
        "EXPLAIN ANALYSE VERBOSE UPDATE t SET a = 1",
        "PREPARE p AS DELETE FROM t",
        "PREPARE p (int, text) AS INSERT INTO t VALUES ($1)",
        "COPY t FROM STDIN",
        "COPY (DELETE FROM t RETURNING *) TO STDOUT",
        "COPY (WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT * FROM x) TO STDOUT",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
        "DO $$BEGIN UPDATE t SET a = 1; END$$",
        "TRUNCATE t",
        "SELECT (WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM x)",
        "EXPLAIN ANALYZE EXECUTE p; DELETE FROM t",
    ] {
        assert_eq!(denial(&judged(&rules, text, None)), Some("ro"), "{text}");
    }
    for text in [
        "SELECT * FROM t FOR UPDATE",
        "EXPLAIN DELETE FROM t",
        "EXPLAIN (VERBOSE) UPDATE t SET a = 1",
        "SELECT 1 AS delete",
        "TABLE t",
        "VALUES (1), (2)",
        "COPY t TO STDOUT",
        "COPY (SELECT 1) TO STDOUT",
        "SELECT * FROM t WHERE (update) = 1",
        "CREATE TABLE t (a int REFERENCES b ON DELETE CASCADE)",
        "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    ] {
        let judgement = judged(&rules, text, None);
        assert_eq!(denial(&judgement), None, "{text}: {judgement:?}");
    }
}

#[test]
fn a_missing_where_is_found_wherever_the_change_stands() {
    let rules = rules("[[deny]]\nname = \"where\"\nstatements = [\"update\", \"delete\"]\nwithout_where = true\n");
    for text in [
        "DELETE FROM t",
        "UPDATE t SET a = (SELECT 1 WHERE true)",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x WHERE a = 1",
        "DELETE FROM t USING s",
        "EXPLAIN ANALYZE DELETE FROM t",
        "PREPARE p AS DELETE FROM t",
        "DO $$BEGIN DELETE FROM t; UPDATE t SET a = 1 WHERE b; END$$",
        "UPDATE t SET a = 1 WHERE b; DELETE FROM t",
    ] {
        assert_eq!(denial(&judged(&rules, text, None)), Some("where"), "{text}");
    }
    for text in [
        "DELETE FROM t WHERE a = 1",
        "UPDATE t SET a = 1 FROM s WHERE s.a = t.a",
        "DELETE FROM t WHERE CURRENT OF c",
        "DO $$BEGIN DELETE FROM t WHERE a = 1; END$$",
        "SELECT * FROM t FOR UPDATE",
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
    ] {
        let judgement = judged(&rules, text, None);
        assert_eq!(denial(&judgement), None, "{text}: {judgement:?}");
    }
}

#[test]
fn tables_of_a_deny_match_names_however_written() {
    let rules = rules(
        "[[deny]]\nname = \"pay\"\ntables = [\"private.pay\"]\n[[deny]]\nname = \"log\"\nstatements = [\"delete\"]\ntables = [\"log\"]\n",
    );
    for (text, rule) in [
        ("SELECT * FROM private.pay", Some("pay")),
        ("SELECT * FROM PAY", Some("pay")),
        ("SELECT * FROM U&\"p\\0061y\"", Some("pay")),
        ("TABLE private.pay", Some("pay")),
        ("SELECT * FROM ONLY private.pay", Some("pay")),
        ("SELECT * FROM ONLY (pay)", Some("pay")),
        ("SELECT * FROM a JOIN (SELECT 1 FROM pay) b ON true", Some("pay")),
        ("WITH pay AS (SELECT * FROM pay) SELECT 1", Some("pay")),
        ("COPY private.pay TO STDOUT", Some("pay")),
        ("DROP TABLE a, \"pay\"", Some("pay")),
        ("DO $$BEGIN PERFORM 1 FROM pay; END$$", Some("pay")),
        ("SELECT query_to_xml('select * from pa' || 'y', true, true, '')", Some("unparsed")),
        ("SELECT * FROM public.pay", None),
        ("SELECT * FROM \"Pay\"", None),
        ("SELECT pay FROM staff", None),
        ("DELETE FROM public.log WHERE a = 1", Some("log")),
        ("DELETE FROM ONLY (log) WHERE a = 1", Some("log")),
        ("DELETE FROM x USING log WHERE true", None),
        ("SELECT * FROM log", None),
    ] {
        assert_eq!(denial(&judged(&rules, text, None)), rule, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_under_rules_only() {
    let denying = rules(DDL);
    for text in [
        "SELECT 'open",
        "SELECT /* open",
        "FROBNICATE t",
        "DO $$BEGIN EXECUTE 'dr' || 'op table t'; END$$",
        "DO LANGUAGE plpython3u $$ plpy.execute('x') $$",
        "SELECT dblink_exec('', 'dr' || 'op')",
        "SELECT set_config('standard_conforming' || '_strings', 'off', false)",
        "SELECT '\\'' ; DROP TABLE x; --'",
        "SELECT '\\''",
    ] {
        assert!(denial(&judged(&denying, text, None)).is_some(), "{text}");
        let free = rules("");
        assert_eq!(denial(&judged(&free, text, None)), None, "{text}");
    }
    assert_eq!(denial(&judge(&denying, b"SELECT '\xff' ; drop table t", &SqlContext::default(), None)), Some("no ddl"));
    assert_eq!(denial(&judge(&denying, b"SELECT '\xff'", &SqlContext::default(), None)), None);
    assert_eq!(denial(&judge(&denying, b"SELECT 1\0", &SqlContext::default(), None)), Some("unparsed"));
    let unsafe_context = SqlContext { encoding: ClientEncoding::Unsafe, ..SqlContext::default() };
    assert_eq!(denial(&judge(&denying, b"SELECT 1", &unsafe_context, None)), Some("unparsed"));
    for text in [
        "SET client_encoding = 'SJIS'",
        "SET NAMES 'big5'",
        "SET LOCAL client_encoding TO GBK",
        "SELECT set_config('client_encoding','SJIS',false)",
    ] {
        assert_eq!(denial(&judged(&denying, text, None)), Some("unsafe encoding"), "{text}");
    }
    for text in [
        "SET client_encoding = 'LATIN1'",
        "SET NAMES 'UTF8'",
        "SELECT 'x' LIKE 'a\\_' ESCAPE '\\'",
        "SELECT 'C:\\dir'",
        "SELECT set_config('app.user', $1, true)",
    ] {
        assert_eq!(denial(&judged(&denying, text, None)), None, "{text}");
    }
}

#[test]
fn unparsed_follows_its_setting() {
    for (setting, denied) in [("refuse", Some("unparsed")), ("allow", None), ("auto", None)] {
        let rules = rules(&format!("[policy]\nunparsed = \"{setting}\"\n"));
        assert_eq!(denial(&judged(&rules, "FROBNICATE", None)), denied, "{setting}");
    }
}

#[test]
fn reach_is_told_by_names_and_functions() {
    let (rules, shop) = (rules(CARD), shop());
    let yes = Reach::Yes(RuleId(0));
    for (text, reach) in [
        ("SELECT 1", Reach::No),
        ("SELECT id FROM orders", Reach::No),
        ("SELECT upper(x) FROM v_orders", Reach::No),
        ("SELECT relname FROM pg_class", Reach::No),
        ("SELECT name FROM customers", yes),
        ("SELECT 1 FROM public.\"customers\"", yes),
        ("SELECT 1 FROM U&\"custom!0065rs\" UESCAPE '!'", yes),
        ("TABLE customers", yes),
        ("SELECT * FROM customers_2024", yes),
        ("SELECT * FROM v_plain", yes),
        ("SELECT * FROM v_nested", yes),
        ("SELECT * FROM v_computed", yes),
        ("SELECT * FROM v_union", yes),
        ("SELECT * FROM orders WHERE id IN (SELECT id FROM customers)", yes),
        ("SELECT most_common_vals FROM pg_stats", Reach::Yes(RuleId::BUILT_IN)),
        ("SELECT leak(1)", Reach::Unknown),
        ("SELECT (o).leak FROM orders o", Reach::Unknown),
        ("SELECT unheard_of(1)", Reach::Unknown),
        ("SELECT * FROM created_since", Reach::Unknown),
        ("SELECT 1 <~~> 2", Reach::Unknown),
        ("SELECT query_to_xml('x', true, true, '')", Reach::Unknown),
        ("FETCH ALL FROM c", Reach::Unknown),
        ("EXECUTE p", Reach::Unknown),
        ("WITH x AS (SELECT 1) SELECT * FROM x", Reach::No),
    ] {
        assert_eq!(judged(&rules, text, Some(&shop)).reach, reach, "{text}");
    }
    assert!(judged(&rules, "SELECT unheard_of(1)", Some(&shop)).catalogue_wanted);
    assert!(judged(&rules, "SELECT * FROM orders", None).catalogue_wanted);
    assert!(!judged(&rules, "SELECT 1", None).catalogue_wanted);
    assert_eq!(judged(&rules, "SELECT * FROM customers", None).reach, yes);
    assert_eq!(judged(&rules, "SELECT * FROM orders", None).reach, Reach::Unknown);
}

#[test]
fn masked_data_is_not_copied() {
    let (rules, shop) = (rules(CARD), shop());
    for text in [
        "CREATE TABLE x AS SELECT * FROM customers",
        "CREATE TEMP TABLE x AS TABLE customers",
        "SELECT * INTO x FROM customers",
        "WITH c AS (SELECT * FROM customers) SELECT * INTO x FROM c",
        "CREATE VIEW x AS SELECT card FROM customers",
        "CREATE MATERIALIZED VIEW x AS SELECT card FROM v_plain",
        "INSERT INTO orders SELECT card FROM customers",
        "INSERT INTO orders (total) VALUES ((SELECT card FROM customers LIMIT 1))",
        "INSERT INTO customers (name) SELECT card FROM customers",
        "INSERT INTO orders VALUES (1, leak(1))",
        "WITH c AS (SELECT card FROM customers) INSERT INTO orders SELECT * FROM c",
        "WITH i AS (INSERT INTO orders SELECT card FROM customers) SELECT 1",
        "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = customers.card",
        "UPDATE orders SET total = card FROM customers",
        "UPDATE orders SET total = (SELECT max(card) FROM customers)",
        "UPDATE orders SET total = s.y FROM (SELECT card AS y FROM customers) s",
        "UPDATE customers SET name = card WHERE id = 1",
        "UPDATE customers SET name = customers::text WHERE id = 1",
        "UPDATE customers SET name = upper(customers.card)",
        "MERGE INTO orders USING customers ON true WHEN MATCHED THEN UPDATE SET total = card",
        "COPY customers TO '/tmp/x'",
        "COPY (SELECT card FROM customers) TO PROGRAM 'cat > x'",
        "COPY customers TO STDOUT (FORMAT csv, ENCODING 'latin1')",
        "DO $$BEGIN INSERT INTO orders SELECT card FROM customers; END$$",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT card FROM customers'",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT card FROM customers; END",
        "CREATE RULE r AS ON INSERT TO orders DO ALSO INSERT INTO orders SELECT card FROM customers",
        "ALTER TABLE customers RENAME TO c2",
        "ALTER TABLE customers RENAME COLUMN card TO c",
        "ALTER TABLE customers SET SCHEMA private",
        "ALTER SCHEMA public RENAME TO p2",
        "ALTER VIEW v_plain RENAME TO c2",
        "SELECT pg_notify('x', card) FROM customers",
        "SELECT set_config('a.b', card, false) FROM customers",
        "UPDATE customers SET card = substr(card, 1, 8)",
        "INSERT INTO customers (card) SELECT upper(card) FROM customers_2024",
        "INSERT INTO orders (total) SELECT count(*) FILTER (WHERE card LIKE '4%') FROM customers",
        "SELECT 1 FROM orders, pg_notify('x', (SELECT max(card) FROM customers))",
        "EXPLAIN ANALYZE INSERT INTO orders SELECT card FROM customers",
        "PREPARE p AS INSERT INTO orders SELECT card FROM customers",
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        let name = denial(&judgement);
        assert!(matches!(name, Some("copy of masked data" | "file_access" | "unparsed")), "{text}: {name:?}");
    }
    for text in [
        "SELECT * FROM customers",
        "CREATE TABLE x AS SELECT * FROM orders",
        "INSERT INTO customers (id, card) VALUES (1, 'x') RETURNING *",
        "INSERT INTO customers (id, card) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET card = excluded.card",
        "INSERT INTO orders SELECT * FROM orders",
        "INSERT INTO orders (id, total) SELECT id, upper(name) FROM customers",
        "INSERT INTO customers (card) SELECT card FROM customers_2024",
        "CREATE TABLE x AS SELECT id, name FROM customers WHERE card = $1",
        "CREATE VIEW x AS SELECT id, upper(name) AS n FROM customers",
        "SELECT id INTO x FROM customers",
        "WITH i AS (INSERT INTO orders (id) SELECT id FROM customers) SELECT 1",
        "UPDATE orders SET total = name FROM customers WHERE customer = customers.id",
        "MERGE INTO orders USING customers c ON customer = c.id WHEN MATCHED THEN UPDATE SET total = name",
        "SELECT pg_notify('x', name) FROM customers",
        "UPDATE customers SET card = $1 WHERE id = $2",
        "UPDATE customers SET name = upper(name) WHERE id = 1",
        "UPDATE orders SET total = 1 WHERE customer IN (SELECT id FROM customers)",
        "DELETE FROM customers WHERE card = 'x'",
        "EXPLAIN INSERT INTO orders SELECT card FROM customers",
        "COPY customers TO STDOUT",
        "COPY customers FROM STDIN",
        "ALTER TABLE orders ADD x int",
        "CREATE VIEW x AS SELECT * FROM orders",
        "SELECT set_config('a.b', 'c', false)",
        "DECLARE c CURSOR FOR SELECT card FROM customers",
        "DO $$BEGIN PERFORM 1; END$$",
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        assert_eq!(denial(&judgement), None, "{text}: {judgement:?}");
    }
}

#[test]
fn predicates_on_a_masked_column_are_refused_when_told_to() {
    let (rules, shop) = (rules(&format!("{CARD}predicates = \"deny\"\n")), shop());
    for text in [
        "SELECT id FROM customers WHERE card LIKE '4%'",
        "SELECT id FROM customers ORDER BY card",
        "SELECT card FROM customers ORDER BY 1",
        "SELECT card FROM customers GROUP BY 1",
        "SELECT DISTINCT card FROM customers",
        "SELECT card FROM customers UNION SELECT '4'",
        "SELECT count(*) FROM customers GROUP BY card",
        "SELECT id FROM customers JOIN orders USING (card)",
        "SELECT CASE WHEN card > '5' THEN 1 END FROM customers",
        "SELECT x FROM (SELECT card AS x FROM customers) s WHERE x LIKE '4%'",
        "SELECT * FROM customers AS c(a, b, d) WHERE d LIKE '4%'",
        "WITH c AS (SELECT card AS x FROM customers) SELECT 1 FROM c WHERE x = '4'",
        "SELECT id FROM customers c WHERE c::text LIKE '%4%'",
        "SELECT id FROM v_plain WHERE shown = '4'",
        "DELETE FROM customers WHERE card = '4'",
        "UPDATE customers SET name = 'x' WHERE card = '4'",
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        assert_eq!(denial(&judgement), Some("predicate on masked data"), "{text}");
    }
    for text in [
        "SELECT card FROM customers",
        "SELECT id, c.card, name FROM customers c WHERE id = 4 ORDER BY name",
        "SELECT * FROM customers WHERE id = 1",
        "SELECT card AS card FROM customers",
        "SELECT * FROM orders WHERE id = 1",
        "SELECT name AS card FROM customers ORDER BY card",
        "SELECT x FROM (SELECT name AS x, card FROM customers) s WHERE x LIKE 'a%' ORDER BY x",
        "WITH c AS (SELECT id, card AS x FROM customers) SELECT x FROM c WHERE id = 1",
        "SELECT c.card, o.total FROM customers c JOIN orders o ON o.customer = c.id",
        "SELECT * FROM customers NATURAL JOIN orders",
    ] {
        assert_eq!(denial(&judged(&rules, text, Some(&shop))), None, "{text}");
    }
}

#[test]
fn comparisons_for_equality_are_counted_and_others_refused() {
    let (rules, shop) = (rules(&format!("{CARD}predicates = \"equality\"\n")), shop());
    for (text, count) in [
        ("SELECT id FROM customers WHERE card = $1", 1),
        ("SELECT id FROM customers WHERE id = 1 AND (card = 'x' OR card IN ('a', 'b'::text))", 3),
        ("SELECT o.id FROM orders o JOIN customers c ON o.customer = c.id AND c.card = $1", 1),
        ("SELECT id FROM v_plain WHERE $1 = shown", 1),
        ("DELETE FROM customers WHERE card = $1", 1),
        ("EXPLAIN SELECT id FROM customers WHERE card = 'x'", 1),
        ("SELECT 1 FROM customers WHERE id = $1; SELECT 1 FROM customers WHERE card = $1", 1),
        ("SELECT name, card FROM customers WHERE name LIKE 'a%' ORDER BY name", 0),
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        assert_eq!((denial(&judgement), judgement.comparisons), (None, count), "{text}");
    }
    for text in [
        "SELECT id FROM customers WHERE card LIKE '4%'",
        "SELECT id FROM customers WHERE card > $1",
        "SELECT id FROM customers WHERE lower(card) = $1",
        "SELECT id FROM customers WHERE card <> $1",
        "SELECT id FROM customers WHERE card = ANY ($1)",
        "SELECT id FROM customers WHERE card = name",
        "SELECT id FROM customers WHERE card = (SELECT 'x')",
        "SELECT id FROM customers WHERE customers = $1",
        "SELECT id FROM customers ORDER BY card",
        "SELECT CASE WHEN card = 'x' THEN 1 END FROM customers",
        "SELECT card = 'x' FROM customers",
        "SELECT count(*) FILTER (WHERE card = 'x') FROM customers",
        "PREPARE p AS SELECT id FROM customers WHERE card = $1",
        "SELECT id FROM customers c JOIN orders o ON c.card = o.total",
    ] {
        assert_eq!(denial(&judged(&rules, text, Some(&shop))), Some("predicate on masked data"), "{text}");
    }
}

#[test]
fn parameters_that_meet_a_masked_column_are_hidden() {
    let (rules, shop) = (rules(CARD), shop());
    let these = |numbers: &[u16]| MaskedParameters::These(numbers.into());
    for (text, expected) in [
        ("SELECT * FROM customers WHERE id = $1", these(&[])),
        ("SELECT * FROM customers WHERE id = $1 AND (card = $2 OR NOT card LIKE $3)", these(&[2, 3])),
        ("SELECT * FROM customers WHERE lower(card) = lower($1) LIMIT $2", these(&[1])),
        ("SELECT * FROM customers WHERE $1 IN (SELECT card FROM customers)", these(&[1])),
        ("SELECT * FROM orders WHERE id = $1", these(&[])),
        ("INSERT INTO customers VALUES ($1, $2, $3)", MaskedParameters::All),
        ("INSERT INTO orders VALUES ($1, $2, $3)", these(&[])),
        ("WITH c AS (SELECT card x FROM customers) SELECT * FROM c WHERE x = $1", MaskedParameters::All),
    ] {
        assert_eq!(judged(&rules, text, Some(&shop)).masked_parameters, expected, "{text}");
    }
}

#[test]
fn function_calls_by_number_do_not_pass_masks() {
    let judgement = judge_function_call(&rules(CARD), 954);
    assert!(denial(&judgement).is_some());
    assert_eq!(denial(&judge_function_call(&rules(DDL), 954)), None);
    assert!(denial(&judge_function_call(&rules(DDL), 20_000)).is_some());
    assert_eq!(denial(&judge_function_call(&rules(""), 20_000)), None);
}

#[test]
fn parts_say_what_they_are_and_where() {
    let judgement = judged(&rules(""), "SELECT a FROM s.T; INSERT INTO u SELECT f(1)", None);
    assert_eq!(judgement.parts.len(), 2);
    assert_eq!(judgement.parts[1].range, 19..44);
    assert_eq!(judgement.kinds().to_string(), "insert, select");
    let relations: Vec<_> = judgement.relations().map(|used| (used.name.to_string(), used.written)).collect();
    assert_eq!(relations, [("s.t".to_owned(), false), ("u".to_owned(), true)]);
    assert_eq!(judgement.parts[1].functions[0].to_string(), "f");
}

#[test]
fn nothing_that_a_client_sends_panics() {
    let rules = rules(&format!("{DDL}{CARD}"));
    let shop = shop();
    let pieces = [
        "SELECT",
        "(",
        ")",
        "$$",
        "'",
        "\"",
        "/*",
        "*/",
        ";",
        "WITH",
        "AS",
        "COPY",
        "TO",
        "EXPLAIN",
        "DO",
        "U&",
        "\\",
        "card",
        ".",
        ",",
        "customers",
        "CREATE",
        "INTO",
        "\u{e9}",
        "1",
        "--",
        "\n",
        "E'",
        "INSERT",
        "UPDATE",
    ];
    let mut state = 12_345_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..(state >> 33) % 14 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[usize::try_from((state >> 33) % 30).unwrap()]);
            text.push(' ');
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let _ = judged(&rules, &text, Some(&shop));
    }
}

#[test]
fn a_function_in_from_is_no_relation() {
    let (rules, shop) = (rules(CARD), shop());
    for (text, reach, relations) in [
        ("SELECT x FROM upper('a') AS x", Reach::No, 0),
        ("SELECT o.id, x.n FROM orders o, pg_catalog.lower('a') AS x(n)", Reach::No, 1),
        ("SELECT 1 FROM upper('a') AS x, nowhere", Reach::Unknown, 1),
        ("SELECT 1 FROM leak(1) AS x", Reach::Unknown, 0),
        ("SELECT 1 FROM orders WHERE id IN (SELECT 1 FROM upper('a'))", Reach::No, 1),
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        assert_eq!((judgement.reach, judgement.relations().count()), (reach, relations), "{text}");
    }
}

#[test]
fn pg_dump_may_set_what_it_names() {
    let rules = rules(DDL);
    let text = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'";
    assert_eq!(denial(&judged(&rules, text, None)), None);
    let other = text.replace("restrict_nonsystem_relation_kind", "client_encoding");
    assert_eq!(denial(&judged(&rules, &other, None)), Some("unparsed"));
    assert_eq!(denial(&judged(&rules, &format!("{text} OR true"), None)), Some("unparsed"));
}

#[test]
fn quantified_operators_are_read_however_they_are_spelled() {
    let (rules, shop) = (rules(CARD), shop());
    for text in [
        "SELECT oid FROM pg_class c WHERE c.relkind OPERATOR(pg_catalog.=) ANY\n(array['r', 'S'])\n  AND true",
        "SELECT id FROM orders WHERE id operator ( pg_catalog . <> ) all (array[1])",
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        assert_eq!((judgement.parts[0].read, judgement.reach), (Read::Tree, Reach::No), "{text}");
    }
    let masked = "SELECT 1 FROM orders WHERE total OPERATOR(pg_catalog.=) ANY (SELECT card FROM customers)";
    assert!(matches!(judged(&rules, masked, Some(&shop)).reach, Reach::Yes(_)));
}

#[test]
fn a_row_limit_stops_results_and_refuses_only_what_cannot_be_counted() {
    let limits = "[[deny]]\nname = \"few\"\ntables = [\"public.orders\"]\nrow_limit = 10\nmessage = \"ask\"\n\
                  [[deny]]\nname = \"fewer\"\ncolumns_read = [\"public.orders.total\"]\nrow_limit = 3\n";
    let (rules, shop) = (rules(limits), shop());
    for (text, expected) in [
        ("SELECT id FROM orders", Some(10)),
        ("SELECT total FROM orders", Some(3)),
        ("COPY orders TO STDOUT", Some(3)),
        ("WITH c AS (SELECT id FROM orders) SELECT id FROM c", Some(10)),
        ("WITH c AS (SELECT * FROM orders) SELECT max(c) FROM c", Some(3)),
        ("SELECT id FROM v_orders", Some(10)),
        ("SELECT total FROM v_orders", Some(3)),
        ("DECLARE c CURSOR FOR SELECT id FROM orders", Some(10)),
        ("UPDATE orders SET id = 1 RETURNING id", Some(10)),
        ("SELECT name FROM customers", None),
        ("BEGIN", None),
        ("SET search_path = orders", None),
        ("COPY orders FROM STDIN", None),
        ("DROP TABLE orders", None),
    ] {
        let judgement = judged(&rules, text, Some(&shop));
        assert_eq!(
            (denial(&judgement), judgement.row_limit.as_ref().map(|limit| limit.rows)),
            (None, expected),
            "{text}"
        );
    }
    let stopped = judged(&rules, "SELECT id FROM orders", Some(&shop)).row_limit.map(|limit| limit.refusal.denial);
    let stopped = stopped.unwrap();
    assert_eq!((&stopped.sqlstate, stopped.hint.as_deref()), (b"54000", Some("ask")));
    assert!(stopped.message.contains("\"few\"") && stopped.message.contains("10 rows"), "{}", stopped.message);
    let several = judged(&rules, "SELECT 1; SELECT id FROM orders", Some(&shop));
    assert_eq!((denial(&several), several.row_limit.is_none()), (Some("few"), true));
}
