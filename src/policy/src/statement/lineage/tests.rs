//! Lineage of every construct, as a table of texts. A column is written as the stored columns that flow into it:
//! `c.card` for `customers.card`; `=` stands before one that is shown as it is stored, `?` for what may be
//! anything, `-` for nothing, `…` for columns that are not known one by one.

use super::*;
use crate::catalogue::Catalogue;
use crate::sql::bridge;
use crate::sql::lexer::{LexOptions, Lexed};
use crate::testing::shop;

fn parsed(text: &str) -> Statement {
    let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
    bridge::parse(&lexed, 0..lexed.tokens().len()).unwrap_or_else(|| panic!("does not parse: {text}"))
}

fn followed(catalogue: &Catalogue, text: &str) -> Lineage {
    let names = Lookup { catalogue, path: None, view: None };
    of(&parsed(text), names).unwrap_or_else(|| panic!("is not followed: {text}"))
}

fn flow(catalogue: &Catalogue, flow: &Flow) -> String {
    let mut names: Vec<String> = flow
        .origins()
        .iter()
        .map(|origin| {
            let relation = catalogue.relation(origin.relation).unwrap();
            let column = relation.column(origin.column).map_or("*", |column| &*column.name);
            let short = match &*relation.name {
                "customers" => "c",
                "orders" => "o",
                other => other,
            };
            let path = origin.path.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{short}.{column}{path}")
        })
        .collect();
    if flow.is_unknown() {
        names.push("?".into());
    }
    if names.is_empty() { "-".into() } else { names.join("+") }
}

fn columns(catalogue: &Catalogue, lineage: &Lineage) -> String {
    let shown = lineage.columns.iter().map(|column| {
        let plain = if column.plain && !column.flow.is_nothing() { "=" } else { "" };
        let spread = if column.spread { "…" } else { "" };
        format!("{plain}{}{spread}", flow(catalogue, &column.flow))
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn uses(catalogue: &Catalogue, lineage: &Lineage) -> String {
    let told = lineage.uses.iter().map(|used| {
        let count = if used.equalities > 0 { format!("={}", used.equalities) } else { String::new() };
        format!("{:?}({}){count}", used.how, flow(catalogue, &used.flow))
    });
    told.collect::<Vec<_>>().join(" ")
}

fn writes(catalogue: &Catalogue, lineage: &Lineage) -> String {
    let told = lineage.writes.iter().map(|write| {
        let place = match &write.place {
            Place::Columns(columns) => {
                let mut target = Flow::nothing();
                columns.iter().for_each(|column| target.insert(column.clone()));
                flow(catalogue, &target)
            }
            Place::NewRelation => "new".into(),
            Place::Sink(name) => name.to_string(),
            Place::Unknown => "?".into(),
        };
        let plain = if write.plain { "=" } else { "" };
        format!("{plain}{}>{place}", flow(catalogue, &write.flow))
    });
    told.collect::<Vec<_>>().join(" ")
}

fn check(cases: &[(&str, &str)], told: fn(&Catalogue, &Lineage) -> String) {
    let shop = shop();
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let found = told(&shop, &followed(&shop, text));
        if found != *expected {
            wrong.push(format!("{text}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn plain_columns_and_stars() {
    check(
        &[
            ("SELECT id, card FROM customers", "=c.id =c.card"),
            ("SELECT c.card, public.customers.id FROM customers c, public.customers", "=c.card =c.id"),
            ("SELECT * FROM customers", "=c.id =c.name =c.card"),
            ("SELECT o.*, c.card FROM customers c, orders o", "=o.id =o.customer =o.total =c.card"),
            ("TABLE customers", "=c.id =c.name =c.card"),
            ("SELECT card FROM ONLY customers", "=c.card"),
            ("SELECT \"card\" AS \"x\" FROM ONLY (customers)", "=c.card"),
            ("SELECT (card) FROM customers", "=c.card"),
            ("SELECT a.card FROM customers AS a(x, y)", "=c.card"),
            ("SELECT x, z FROM customers AS a(x, y, z)", "=c.id =c.card"),
            ("SELECT ctid, xmin, tableoid FROM customers", "- - -"),
            ("SELECT nope FROM customers", "?"),
            ("SELECT c.nope FROM customers c", "c.*+?"),
            ("SELECT x.card FROM customers", "?"),
            ("SELECT x FROM unheard_of", "?"),
            ("SELECT * FROM unheard_of", "?…"),
            ("SELECT relname, card FROM pg_class, customers", "- =c.card"),
            ("SELECT * FROM pg_class p, customers c", "-… =c.id =c.name =c.card"),
            ("SELECT shown FROM v_plain", "=v_plain.shown"),
            ("SELECT card FROM customers_2024", "=customers_2024.card"),
        ],
        columns,
    );
}

#[test]
fn expressions_tell_of_their_operands() {
    check(
        &[
            ("SELECT name, upper(name), count(*) FROM customers", "=c.name c.name -"),
            (
                "SELECT upper(card), card || name, card::text, CAST(card AS int) FROM customers",
                "c.card c.name+c.card c.card c.card",
            ),
            (
                "SELECT substr(card, 1, 4), substring(card from 1 for 4), trim(card) FROM customers",
                "c.card c.card c.card",
            ),
            ("SELECT CASE WHEN card > '5' THEN name ELSE 'x' END FROM customers", "c.name+c.card"),
            (
                "SELECT CASE id WHEN 1 THEN card END, CASE WHEN id = 1 THEN name END FROM customers",
                "c.id+c.card c.id+c.name",
            ),
            (
                "SELECT coalesce(name, card), nullif(card, 'x'), greatest(id, 1) FROM customers",
                "c.name+c.card c.card c.id",
            ),
            (
                "SELECT ARRAY[card, name], ROW(id, card), (id, card) FROM customers",
                "c.name+c.card c.id+c.card c.id+c.card",
            ),
            ("SELECT (ARRAY[name, card])[1], (ROW(id, card)).f1 FROM customers", "c.name+c.card c.id+c.card"),
            (
                "SELECT card IS NULL, card LIKE '4%', card IN ('a'), card BETWEEN 'a' AND name FROM customers",
                "c.card c.card c.card c.name+c.card",
            ),
            ("SELECT now(), $1, 'x' || $2, 1 + 2, current_user FROM customers", "- - - - -"),
            ("SELECT leak(1), unheard_of(card), max(name) FROM customers", "? c.card+? c.name"),
            ("SELECT query_to_xml('select 1', true, true, '') FROM customers", "?"),
            ("SELECT name <~~> 'x' FROM customers", "c.name+?"),
            (
                "SELECT extract(year from now()), position('a' in card), card COLLATE \"C\" FROM customers",
                "- c.card =c.card",
            ),
            ("SELECT payload.card ->> 'x' FROM customers payload", "=c.card->'x'"),
        ],
        columns,
    );
}

#[test]
fn forms_of_sql_xml_tell_of_what_stands_in_them_and_not_of_their_names() {
    check(
        &[
            (
                "SELECT xmlelement(name card, id), xmlelement(name a, xmlattributes(card AS name), id) FROM customers",
                "c.id c.id+c.card",
            ),
            (
                "SELECT xmlforest(name AS card), xmlconcat(xmlpi(name card), xmlpi(name a, card), name) FROM customers",
                "c.name c.name+c.card",
            ),
            (
                "SELECT xmlroot(card, version name, standalone yes) IS DOCUMENT, name IS NOT DOCUMENT FROM customers",
                "c.name+c.card c.name",
            ),
            (
                "SELECT xmlserialize(content id AS text), xmlserialize(document card AS varchar(9) indent) FROM customers",
                "c.id c.card",
            ),
            (
                "SELECT xmlexists('//a' PASSING BY REF card), xmlparse(content name strip whitespace) FROM customers",
                "c.card c.name",
            ),
            (
                "SELECT x.card, x.n, c.name FROM customers c, xmltable(xmlnamespaces(default 'x'), '/a' PASSING c.card \
                 COLUMNS n FOR ORDINALITY, card text PATH '.') x",
                "c.card c.card =c.name",
            ),
            (
                "SELECT x.v FROM customers c, LATERAL xmltable('/a' PASSING c.name COLUMNS v text NOT NULL DEFAULT c.card PATH '.') x",
                "c.name+c.card",
            ),
        ],
        columns,
    );
}

#[test]
fn whole_rows_tell_of_all_their_columns() {
    check(
        &[
            ("SELECT customers FROM customers", "c.*"),
            ("SELECT c FROM customers c", "c.*"),
            ("SELECT c::text, row_to_json(c), max(c.*) FROM customers c", "c.* c.* c.*"),
            ("SELECT (c).card, (c).name, (c.*)::text FROM customers c", "=c.card =c.name c.*"),
            ("SELECT (c).leak FROM customers c", "c.*+?"),
            ("SELECT c.upper FROM customers c", "c.*"),
            ("SELECT s FROM (SELECT id, card AS x FROM customers) s", "c.id+c.card"),
            ("SELECT s.x, s.y FROM (SELECT id AS x, name AS y, card FROM customers) s", "=c.id =c.name"),
            ("SELECT name FROM customers name", "=c.name"),
        ],
        columns,
    );
}

#[test]
fn aggregates_and_windows() {
    check(
        &[
            ("SELECT count(card), count(DISTINCT card), max(card) FROM customers", "- - c.card"),
            (
                "SELECT count(*) FILTER (WHERE card LIKE '4%'), count(*) FILTER (WHERE id = 1) FROM customers",
                "c.card c.id",
            ),
            ("SELECT row_number() OVER (ORDER BY card), rank() OVER w FROM customers WINDOW w AS (ORDER BY id)", "- -"),
            ("SELECT lag(card) OVER (ORDER BY id), max(name) OVER (PARTITION BY card) FROM customers", "c.card c.name"),
            ("SELECT rank('4') WITHIN GROUP (ORDER BY card) FROM customers", "c.card"),
            ("SELECT string_agg(card, ',' ORDER BY id), array_agg(name ORDER BY card) FROM customers", "c.card c.name"),
        ],
        columns,
    );
}

#[test]
fn subqueries_see_the_queries_around_them() {
    check(
        &[
            ("SELECT (SELECT card FROM customers LIMIT 1), (SELECT count(*) FROM customers)", "c.card -"),
            (
                "SELECT (SELECT max(o.total) FROM orders o WHERE o.customer = c.id), name FROM customers c",
                "c.id+o.customer+o.total =c.name",
            ),
            (
                "SELECT EXISTS (SELECT card FROM customers), EXISTS (SELECT 1 FROM customers WHERE card = 'x')",
                "- c.card",
            ),
            (
                "SELECT id IN (SELECT id FROM customers), ARRAY(SELECT card FROM customers) FROM orders",
                "c.id+o.id c.card",
            ),
            ("SELECT total = ANY (SELECT card FROM customers) FROM orders", "c.card+o.total"),
            ("SELECT x FROM (SELECT upper(card) AS x, id FROM customers) s", "c.card"),
            ("SELECT upper FROM (SELECT upper(card), name FROM customers) s", "c.card"),
            ("SELECT x FROM (SELECT * FROM customers) s(a, b, x)", "=c.card"),
            ("SELECT s.x FROM orders o, LATERAL (SELECT card || o.total AS x FROM customers) s", "c.card+o.total"),
            ("SELECT s.x FROM customers c CROSS JOIN LATERAL (SELECT c.card AS x) s", "=c.card"),
            ("SELECT (SELECT card) FROM customers", "c.card"),
            ("SELECT (SELECT name FROM orders) FROM customers", "c.name"),
            ("SELECT \"?column?\" FROM (SELECT card || '' FROM customers) s", "c.card"),
            ("SELECT (SELECT x FROM (SELECT card || '' FROM customers) s) FROM (SELECT 1 AS x) o", "c.card"),
        ],
        columns,
    );
}

#[test]
fn joins_merge_what_using_names() {
    check(
        &[
            ("SELECT id FROM customers JOIN orders USING (id)", "=c.id+o.id"),
            ("SELECT * FROM customers JOIN orders USING (id)", "=c.id+o.id =c.name =c.card =o.customer =o.total"),
            ("SELECT * FROM customers NATURAL JOIN orders", "=c.id+o.id =c.name =c.card =o.customer =o.total"),
            ("SELECT c.id, o.id FROM customers c JOIN orders o USING (id)", "=c.id =o.id"),
            (
                "SELECT * FROM customers c LEFT JOIN orders o ON o.customer = c.id",
                "=c.id =c.name =c.card =o.id =o.customer =o.total",
            ),
            ("SELECT j.x, j.z FROM (customers c CROSS JOIN orders o) AS j(x, y, z)", "=c.id =c.card"),
            ("SELECT c.card FROM (customers c CROSS JOIN orders o) AS j", "?"),
            ("SELECT total FROM customers c JOIN (orders o JOIN pg_class p ON true) ON true", "=o.total"),
            ("SELECT customers.card FROM private.customers, public.customers", "c.card+?"),
        ],
        columns,
    );
}

#[test]
fn set_operations_and_values_meet_by_place() {
    check(
        &[
            ("SELECT total FROM orders UNION ALL SELECT card FROM customers", "=c.card+o.total"),
            (
                "SELECT id, total FROM orders UNION SELECT id, card FROM customers ORDER BY 1",
                "=c.id+o.id =c.card+o.total",
            ),
            ("SELECT 'x' UNION ALL SELECT card FROM customers", "=c.card"),
            ("SELECT upper(card) FROM customers EXCEPT SELECT total FROM orders", "c.card+o.total"),
            ("SELECT x FROM (SELECT total x FROM orders UNION ALL SELECT card FROM customers) s", "=c.card+o.total"),
            ("VALUES (1, 'x'), ((SELECT card FROM customers LIMIT 1), 'y')", "c.card -"),
            ("SELECT column2 FROM (VALUES (1, (SELECT card FROM customers LIMIT 1))) v", "c.card"),
            ("SELECT b FROM (VALUES (1, 2), (3, 4)) v(a, b)", "-"),
            ("SELECT * FROM orders UNION ALL SELECT * FROM customers", "=c.id+o.id =c.name+o.customer =c.card+o.total"),
            ("SELECT card FROM customers INTERSECT SELECT * FROM unheard_of", "c.card+?"),
        ],
        columns,
    );
}

#[test]
fn with_queries_hide_tables_and_go_round() {
    check(
        &[
            ("WITH c AS (SELECT card AS x FROM customers) SELECT x FROM c", "=c.card"),
            ("WITH c(a) AS (SELECT card FROM customers) SELECT a FROM c", "=c.card"),
            ("WITH customers AS (SELECT total AS card FROM orders) SELECT card FROM customers", "=o.total"),
            ("WITH customers AS (SELECT card AS total FROM customers) SELECT total FROM customers", "=c.card"),
            ("WITH orders AS (SELECT card AS total FROM customers) SELECT total FROM public.orders", "=o.total"),
            ("WITH a AS (SELECT card FROM customers), b AS (SELECT upper(card) AS y FROM a) SELECT y FROM b", "c.card"),
            ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r", "-"),
            (
                "WITH RECURSIVE r(a, b) AS (SELECT id, name FROM customers UNION ALL SELECT a, card FROM r JOIN customers c ON c.id = a) SELECT a, b FROM r",
                "=c.id =c.name+c.card",
            ),
            (
                "WITH RECURSIVE r(a, b, c) AS (SELECT card, '', '' FROM customers UNION ALL SELECT '', a, b FROM r) SELECT a, b, c FROM r",
                "=c.card =c.card =c.card",
            ),
            (
                "WITH RECURSIVE a AS (SELECT x FROM b), b AS (SELECT card AS x FROM customers) SELECT x FROM a",
                "=c.card",
            ),
            ("WITH RECURSIVE r AS (SELECT * FROM customers UNION SELECT r.* FROM r) SELECT card FROM r", "=c.card"),
            (
                "WITH d AS (DELETE FROM customers RETURNING card, upper(card) AS u) SELECT u, card FROM d",
                "c.card =c.card",
            ),
            ("SELECT (WITH x AS (SELECT card FROM customers) SELECT card FROM x)", "c.card"),
            ("WITH x AS (SELECT 1 AS n) SELECT (SELECT max(card) FROM customers, x WHERE id = n)", "c.id+c.card"),
        ],
        columns,
    );
}

#[test]
fn functions_in_from_show_what_their_arguments_tell() {
    check(
        &[
            ("SELECT x FROM customers c, upper(c.card) AS x", "c.card"),
            ("SELECT u FROM customers c, unnest(ARRAY[c.card]) AS u", "c.card"),
            ("SELECT a, name FROM customers c, lower(c.name) AS s(a)", "c.name =c.name"),
            ("SELECT * FROM lower('x')", "-…"),
            ("SELECT x.* FROM leak(1) x", "?…"),
            ("SELECT name FROM customers, lower('x') AS y", "=c.name"),
        ],
        columns,
    );
}

#[test]
fn returning_shows_the_rows_of_the_target() {
    check(
        &[
            ("INSERT INTO customers VALUES (1, 'a', 'b') RETURNING *", "=c.id =c.name =c.card"),
            ("INSERT INTO customers AS x (id) VALUES (1) RETURNING x.card, upper(name)", "=c.card c.name"),
            (
                "UPDATE customers c SET name = 'x' FROM orders o WHERE o.customer = c.id RETURNING card, total",
                "=c.card =o.total",
            ),
            ("DELETE FROM customers USING orders RETURNING customers.card || orders.total", "c.card+o.total"),
            ("UPDATE customers SET name = 'x' RETURNING old.card, new.name", "=c.card =c.name"),
            (
                "WITH u AS (UPDATE orders SET total = 1 RETURNING total) INSERT INTO customers (name) SELECT total FROM u RETURNING name",
                "=c.name",
            ),
            ("DELETE FROM orders", ""),
        ],
        columns,
    );
}

#[test]
fn every_place_that_compares_is_a_use() {
    check(
        &[
            ("SELECT id FROM customers WHERE card LIKE '4%' AND id = 1", "Where(c.card) Where(c.id)=1"),
            (
                "SELECT 1 FROM customers WHERE card = $1 OR NOT 'x' = card OR name IN ('a', 'b')",
                "Where(c.card)=1 Where(c.card)=1 Where(c.name)=2",
            ),
            ("SELECT 1 FROM customers WHERE lower(card) = 'x' AND card = name", "Where(c.card) Where(c.name+c.card)"),
            ("SELECT 1 FROM customers c JOIN orders o ON o.total = c.card", "Join(c.card+o.total)"),
            ("SELECT 1 FROM customers JOIN orders USING (id)", "Join(c.id+o.id)"),
            ("SELECT 1 FROM customers NATURAL JOIN orders", "Join(c.id+o.id)"),
            ("SELECT id FROM customers ORDER BY card", "OrderBy(c.card)"),
            ("SELECT id, card FROM customers ORDER BY 2", "OrderBy(c.card)"),
            ("SELECT id AS card FROM customers ORDER BY card", "OrderBy(c.id)"),
            ("SELECT card AS x FROM customers ORDER BY x", "OrderBy(c.card)"),
            ("SELECT id AS card FROM customers GROUP BY card", "GroupBy(c.card)"),
            ("SELECT count(*), card FROM customers GROUP BY 2", "GroupBy(c.card)"),
            ("SELECT count(*) FROM customers GROUP BY CUBE (id, card)", "GroupBy(c.id) GroupBy(c.card)"),
            ("SELECT 1 FROM customers GROUP BY id HAVING max(card) > '4'", "GroupBy(c.id) Having(c.card)"),
            ("SELECT DISTINCT name, card FROM customers", "Distinct(c.name+c.card)"),
            ("SELECT DISTINCT ON (card) id FROM customers", "Distinct(c.card)"),
            ("SELECT count(DISTINCT card) FROM customers", "Distinct(c.card)"),
            (
                "SELECT card FROM customers UNION SELECT name FROM customers",
                "SetOperation(c.card) SetOperation(c.name)",
            ),
            ("SELECT card FROM customers UNION ALL SELECT name FROM customers", ""),
            ("SELECT card FROM customers EXCEPT ALL SELECT '4'", "SetOperation(c.card)"),
            ("SELECT CASE WHEN card > '5' THEN 1 END FROM customers", "Case(c.card)"),
            ("SELECT CASE card WHEN '5' THEN 1 END FROM customers", "Case(c.card)"),
            (
                "SELECT card = 'x', 1 / length(card), card::int FROM customers",
                "Compute(c.card) Compute(c.card) Compute(c.card)",
            ),
            ("SELECT upper(card), card || 'x', card::text, row_to_json(c) FROM customers c", ""),
            ("SELECT max(card), nullif(card, 'x') FROM customers", "Compute(c.card) Compute(c.card)"),
            ("SELECT rank() OVER (PARTITION BY name ORDER BY card) FROM customers", "Window(c.name) Window(c.card)"),
            ("SELECT rank() OVER w FROM customers WINDOW w AS (ORDER BY card)", "Window(c.card)"),
            ("SELECT count(*) FILTER (WHERE card = 'x') FROM customers", "Filter(c.card)"),
            ("SELECT string_agg(name, ',' ORDER BY card) FROM customers", "OrderBy(c.card)"),
            (
                "SELECT 1 FROM orders WHERE EXISTS (SELECT 1 FROM customers WHERE card = total)",
                "Where(c.card+o.total) Where(c.card+o.total)",
            ),
            ("SELECT 1 FROM orders WHERE total IN (SELECT card FROM customers)", "Where(c.card+o.total)"),
            (
                "SELECT id FROM customers LIMIT (SELECT max(length(card)) FROM customers)",
                "Compute(c.card) Limit(c.card)",
            ),
            ("SELECT 1 FROM (SELECT card AS x FROM customers) s WHERE x LIKE '4%'", "Where(c.card)"),
            ("SELECT * FROM customers AS c(a, b, d) WHERE d = '4'", "Where(c.card)=1"),
            ("WITH c AS (SELECT card AS x FROM customers) SELECT 1 FROM c WHERE x = '4'", "Where(c.card)=1"),
            ("SELECT id FROM customers c WHERE c::text LIKE '%4%'", "Where(c.*)"),
            (
                "INSERT INTO customers (id, card) VALUES (1, 'x') ON CONFLICT (card) DO UPDATE SET name = 'x' WHERE customers.card > 'x'",
                "Conflict(c.card) Conflict(c.card)",
            ),
            ("DELETE FROM customers WHERE card = '4'", "Where(c.card)=1"),
            (
                "MERGE INTO orders USING customers c ON total = card WHEN MATCHED AND card > '4' THEN DELETE",
                "Join(c.card+o.total) Where(c.card)",
            ),
        ],
        uses,
    );
}

#[test]
fn every_value_that_goes_somewhere_is_a_write() {
    check(
        &[
            (
                "INSERT INTO orders SELECT id, name, card FROM customers",
                "=c.id>o.id =c.name>o.customer =c.card>o.total",
            ),
            ("INSERT INTO orders (total) SELECT upper(card) FROM customers", "c.card>o.total"),
            ("INSERT INTO orders VALUES (1, 2, 3)", ""),
            ("INSERT INTO orders VALUES (1, DEFAULT, leak(1))", "?>o.total"),
            ("INSERT INTO unheard_of SELECT card FROM customers", "=c.card>?"),
            (
                "INSERT INTO customers (id, card) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET card = excluded.card, name = customers.card",
                "=c.card>c.name",
            ),
            ("WITH c AS (SELECT card FROM customers) INSERT INTO orders (total) SELECT card FROM c", "=c.card>o.total"),
            ("WITH i AS (INSERT INTO orders (total) SELECT card FROM customers) SELECT 1", "=c.card>o.total"),
            ("UPDATE orders SET total = card FROM customers", "=c.card>o.total"),
            (
                "UPDATE orders SET (id, total) = (SELECT id, card FROM customers)",
                "c.id+c.card>o.id c.id+c.card>o.total",
            ),
            ("UPDATE customers SET name = upper(name), card = $1", "c.name>c.name"),
            ("UPDATE orders SET total = s.y FROM (SELECT card AS y FROM customers) s", "=c.card>o.total"),
            ("SELECT card, id INTO x FROM customers", "=c.card>new =c.id>new"),
            (
                "MERGE INTO orders o USING customers c ON true WHEN MATCHED THEN UPDATE SET total = card WHEN NOT MATCHED THEN INSERT (id, total) VALUES (c.id, c.card)",
                "=c.card>o.total =c.id>o.id =c.card>o.total",
            ),
            ("SELECT set_config('a.b', card, false) FROM customers", "c.card>set_config"),
            ("SELECT pg_notify('x', 'y'), set_config('a', $1, true)", ""),
            ("SELECT 1 FROM customers c, pg_notify('x', c.card)", "c.card>pg_notify"),
        ],
        writes,
    );
}

#[test]
fn a_statement_made_to_be_slow_has_no_lineage() {
    let shop = shop();
    let names = Lookup { catalogue: &shop, path: None, view: None };
    let mut text = "SELECT a FROM r".to_owned();
    for _ in 0..12 {
        text = format!(
            "WITH RECURSIVE r(a, b, c) AS (SELECT '', '', card FROM customers UNION ALL SELECT b, c, '' FROM ({text}) x, r) SELECT a FROM r"
        );
    }
    let _ = of(&parsed(&text), names);
}
