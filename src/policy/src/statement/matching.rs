//! Whether the conditions of one `[[deny]]` hold for a statement: each that is written must.
//!
//! Names decide, as the statement writes them and as the catalogue explains them: a view counts as what it
//! reads, a partition or inheritance child as its parent. Where this file errs, it must err by matching.

use core::ops::Range;

use super::Read;
use super::copy::Source;
use super::kind::{self, Kind, KindSet};
use super::lineage::{self, Lineage, Lookup};
use super::tokens::Tokens;
use super::tree::{Facts, Name};
use super::verdict::{Case, missing_where};
use crate::config::Deny;
use crate::config::conditions::FunctionPattern;
use crate::config::pattern::ColumnPattern;
use crate::sql::lexer::Lexed;

/// Kinds of statement whose relations a tree lists completely.
const QUERIES: [Kind; 9] = [
    Kind::SELECT,
    Kind::INSERT,
    Kind::UPDATE,
    Kind::DELETE,
    Kind::MERGE,
    Kind::EXPLAIN,
    Kind::PREPARE,
    Kind::DECLARE,
    Kind::UNKNOWN,
];

/// Whether all conditions of a rule hold.
pub(super) fn matches(case: &Case<'_, '_, '_>, deny: &Deny) -> bool {
    let kinds = case.carried.kinds;
    if !kinds.meets(deny.statements) {
        return false;
    }
    if deny.without_where {
        let changes = KindSet::of(Kind::UPDATE).union(KindSet::of(Kind::DELETE));
        let concerned =
            kinds.iter().any(|kind| KindSet::of(kind).meets(changes) && KindSet::of(kind).meets(deny.statements));
        if !concerned || !missing_where(case) {
            return false;
        }
    }
    (deny.tables.is_empty() || names_table(case, deny))
        && (deny.functions.is_empty() || calls(case, &deny.functions))
        && (deny.columns_read.is_empty() || reads_columns(case, &deny.columns_read))
        && (deny.columns_written.is_empty() || deny.columns_written.iter().any(|pattern| sets_column(case, pattern)))
}

/// The tree's relations, where it lists all that the statement itself names. Code that it runs is another matter:
/// [`Case::codes`].
fn listed<'c>(case: &Case<'c, '_, '_>) -> Option<&'c Facts> {
    let leading = case.carried.leading.unwrap_or(Kind::UNKNOWN);
    let complete = case.read == Read::Tree && QUERIES.contains(&leading);
    case.facts.filter(|_| complete)
}

/// Whether a relation that it names may be one of the rule's tables.
fn names_table(case: &Case<'_, '_, '_>, deny: &Deny) -> bool {
    let fits = |schema: Option<&str>, name: &str| deny.tables.iter().any(|table| table.may_match(schema, name));
    // A rule about changes alone is about what is changed.
    let targets_only = deny.statements.within(kind::write());
    relations(case, targets_only, &fits)
}

/// Whether it may reach a relation with one of these columns.
pub(super) fn reaches(case: &Case<'_, '_, '_>, columns: &[ColumnPattern]) -> bool {
    relations(case, false, &|schema, name| columns.iter().any(|pattern| pattern.may_reach(schema, name)))
}

/// Whether `fits` accepts a relation that the statement names, or one that is behind it.
fn relations(case: &Case<'_, '_, '_>, targets_only: bool, fits: &dyn Fn(Option<&str>, &str) -> bool) -> bool {
    let reaches = |name: &Name| {
        let schema = name.schema.as_deref();
        fits(schema, &name.name)
            || case.catalogue.is_some_and(|catalogue| {
                catalogue.named(schema, &name.name).any(|relation| {
                    let behind = catalogue.behind(relation.oid);
                    behind.iter().any(|relation| fits(Some(&relation.schema), &relation.name))
                })
            })
    };
    if let Some(facts) = listed(case) {
        let relations = facts.relations.iter().filter(|relation| relation.written || !targets_only);
        let by_itself = relations.into_iter().any(|relation| reaches(&relation.name));
        return by_itself || coded(case, targets_only, &|name| reaches(&name));
    }
    named(case, &|name| reaches(&name))
}

/// Whether `test` accepts some name in the code of the users that it runs; where only changes of rows count, in
/// code that makes some.
fn coded(case: &Case<'_, '_, '_>, changes_only: bool, test: &dyn Fn(Name) -> bool) -> bool {
    let codes = case.codes.iter().filter(|code| !changes_only || code.kinds.meets(kind::write()));
    codes.into_iter().any(|code| in_text(case, &code.text, test))
}

fn in_text(case: &Case<'_, '_, '_>, text: &str, test: &dyn Fn(Name) -> bool) -> bool {
    let lexed = Lexed::new(text.as_bytes(), case.tokens.lexed.options());
    lexed.map_or(true, |lexed| token_named(Tokens::new(&lexed), 0..lexed.tokens().len(), test))
}

/// Whether `test` accepts some name among the tokens of the statement or of code that it runs.
fn named(case: &Case<'_, '_, '_>, test: &dyn Fn(Name) -> bool) -> bool {
    let in_bodies = case.carried.bodies.iter().any(|body| in_text(case, body, test));
    in_bodies || token_named(case.tokens, case.range.clone(), test)
}

fn token_named(tokens: Tokens<'_, '_>, mut range: Range<usize>, test: &dyn Fn(Name) -> bool) -> bool {
    let start = range.start;
    range.any(|at| {
        let Some(name) = tokens.lexed.name(at) else { return false };
        let qualified = at >= start + 2 && tokens.is_sign(at - 1, ".");
        let schema = if qualified { tokens.lexed.name(at - 2).map(|schema| schema.as_ref().into()) } else { None };
        test(Name { schema, name: name.as_ref().into() })
    })
}

/// Whether it may call one of these functions.
fn calls(case: &Case<'_, '_, '_>, patterns: &[FunctionPattern]) -> bool {
    let fits = |name: &Name| patterns.iter().any(|pattern| pattern.may_match(name.schema.as_deref(), &name.name));
    let by_tree = case.facts.is_some_and(|facts| facts.functions.iter().any(fits));
    by_tree || case.called.iter().any(fits)
}

/// Names of functions that tokens call: `f(…)`, and `(x).f` or `x.f` where `is_function` says so, which
/// PostgreSQL takes for `f(x)`.
pub(super) fn token_calls(
    tokens: Tokens<'_, '_>,
    range: Range<usize>,
    is_function: &dyn Fn(&str) -> bool,
    found: &mut Vec<Name>,
) {
    for at in range.clone() {
        let Some(name) = tokens.lexed.name(at) else { continue };
        let behind_point = at > range.start && tokens.is_sign(at - 1, ".");
        if tokens.is_sign(at + 1, "(") || (behind_point && is_function(&name)) {
            let schema = if behind_point && at >= range.start + 2 { tokens.lexed.name(at - 2) } else { None };
            let schema = schema.filter(|_| tokens.is_sign(at + 1, "(")).map(|schema| schema.as_ref().into());
            let name = Name { schema, name: name.as_ref().into() };
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
}

/// Names behind a point that `is_function` knows: PostgreSQL takes `(x).f` and `x.f` for `f(x)`.
pub(super) fn dotted_calls(
    tokens: Tokens<'_, '_>,
    range: Range<usize>,
    is_function: &dyn Fn(&str) -> bool,
) -> Vec<Name> {
    let start = range.start;
    let behind_point = range.filter(|at| *at > start && tokens.is_sign(at - 1, ".") && !tokens.is_sign(at + 1, "("));
    let names = behind_point.filter_map(|at| tokens.lexed.name(at)).filter(|name| is_function(name));
    names.map(|name| Name { schema: None, name: name.as_ref().into() }).collect()
}

/// Whether it may read one of these columns.
fn reads_columns(case: &Case<'_, '_, '_>, patterns: &[ColumnPattern]) -> bool {
    let lineage = core::cell::LazyCell::new(|| followed(case));
    patterns.iter().any(|pattern| reads_column(case, pattern, &lineage))
}

/// Which stored columns flow where, if nothing that it runs is out of sight of that.
fn followed(case: &Case<'_, '_, '_>) -> Option<Lineage> {
    let (Some(catalogue), Some(_), []) = (case.catalogue, listed(case), case.codes) else { return None };
    match case.lineage {
        Some(lineage) => Some(lineage.clone()),
        None => lineage::of(case.statement?, Lookup { catalogue, path: None, view: None }),
    }
}

/// Whether it may read such a column: it names the relation, or one that shows it, and the column, or a value in it
/// tells of the column; where that is not known, it shows all columns of something.
fn reads_column(
    case: &Case<'_, '_, '_>,
    pattern: &ColumnPattern,
    lineage: &impl core::ops::Deref<Target = Option<Lineage>>,
) -> bool {
    if !relations(case, false, &|schema, name| pattern.may_reach(schema, name)) {
        return false;
    }
    let Some(column) = pattern.column() else { return true };
    if mentions(case, column) {
        return true;
    }
    if let (Some(lineage), Some(catalogue), Some(facts)) = (&**lineage, case.catalogue, listed(case))
        && let Some(reads) = catalogue.reads(lineage, facts.relations.iter(), pattern)
    {
        return reads;
    }
    let renamed = case.catalogue.is_some_and(|catalogue| {
        // A view may show it under another name.
        named(case, &|name| catalogue.named(name.schema.as_deref(), &name.name).any(|relation| relation.is_view()))
    });
    let in_code = case.codes.iter().any(|code| {
        let names = code.mentions.names.iter().any(|name| pattern.may_reach(None, name));
        names && code.mentions.operators.contains("*")
    });
    renamed || listed(case).is_none() || in_code || shows_all(case.tokens, case.range.clone(), case)
}

fn mentions(case: &Case<'_, '_, '_>, column: &str) -> bool {
    named(case, &|name| *name.name == *column)
}

/// Whether it shows or compares all columns of something without naming them: `*`, `t.*`, `TABLE t`, a whole
/// row, a natural join.
fn shows_all(tokens: Tokens<'_, '_>, range: Range<usize>, case: &Case<'_, '_, '_>) -> bool {
    let mut in_from = false;
    let start = range.start;
    range.into_iter().any(|at| {
        let word = tokens.word(at).unwrap_or_default();
        match &*word {
            "natural" => return true,
            "table" if at == start || !tokens.is_name(at - 1) => return true,
            "from" | "join" | "update" | "into" | "using" => in_from = true,
            "select" | "where" | "on" | "set" | "group" | "order" | "having" | "returning" | "values" => {
                in_from = false
            }
            _ => {}
        }
        if tokens.is_sign(at, "*") && at > start {
            let opens = ["select", "distinct", "all", "returning"].into_iter().any(|word| tokens.is_word(at - 1, word));
            let ends = at + 1 >= case.range.end
                || tokens.is_sign(at + 1, ",")
                || tokens.is_sign(at + 1, ")")
                || tokens.is_word(at + 1, "from");
            let counts = tokens.is_sign(at - 1, "(") && tokens.is_sign(at + 1, ")");
            return opens || tokens.is_sign(at - 1, ".") || (ends && !counts);
        }
        let is_row =
            case.facts.is_some_and(|facts| tokens.lexed.name(at).is_some_and(|name| facts.row_names.contains(&*name)));
        let qualifies = tokens.is_sign(at + 1, ".") || tokens.is_sign(at + 1, "(");
        let part = at > start && tokens.is_sign(at - 1, ".");
        // In FROM it is a value where a function's argument stands.
        let argument = at > start + 1 && tokens.is_sign(at - 1, "(") && tokens.is_name(at - 2);
        is_row && !qualifies && !part && (!in_from || argument)
    })
}

/// Whether it may set such a column of a relation that it changes.
fn sets_column(case: &Case<'_, '_, '_>, pattern: &ColumnPattern) -> bool {
    if !case.carried.kinds.meets(kind::write())
        || !relations(case, true, &|schema, name| pattern.may_reach(schema, name))
    {
        return false;
    }
    let Some(column) = pattern.column() else { return true };
    let in_code = case.codes.iter().any(|code| {
        code.kinds.meets(kind::write())
            && in_text(case, &code.text, &|name| pattern.may_reach(name.schema.as_deref(), &name.name))
            && (code.mentions.names.contains(column) || !code.kinds.within(named_only()))
    });
    if in_code {
        return true;
    }
    let set = |name: &Name, columns: Option<&[Box<str>]>| match case.catalogue {
        Some(catalogue) => catalogue.sets(name, columns, pattern),
        None => {
            pattern.may_reach(name.schema.as_deref(), &name.name)
                && columns.is_none_or(|columns| columns.iter().any(|set| set.eq_ignore_ascii_case(column)))
        }
    };
    if let Some(copy) = case.carried.copy.as_ref().filter(|copy| copy.to_server)
        && let Source::Table { schema, name, columns } = &copy.source
    {
        return set(&Name { schema: schema.clone(), name: name.clone() }, columns.as_deref());
    }
    match listed(case).and_then(Facts::sets) {
        Some(changes) => changes.iter().any(|change| set(&change.relation, change.columns.as_deref())),
        // Code, and what is not read: an INSERT without names sets all columns.
        None => mentions(case, column) || !case.own.within(named_only()),
    }
}

/// Kinds that name each column that they set.
fn named_only() -> KindSet {
    kind::write()
        .without(KindSet::of(Kind::INSERT))
        .without(KindSet::of(Kind::COPY_FROM))
        .without(KindSet::of(Kind::MERGE))
}

#[cfg(test)]
mod tests {
    use crate::statement::{Judgement, Ruling, SqlContext, judge};
    use crate::testing::{rules, shop};

    fn judged(tables: &str, sql: &str) -> Judgement {
        judge(&rules(tables), sql.as_bytes(), &SqlContext::default(), Some(&shop()))
    }

    fn denied(tables: &str, sql: &str) -> bool {
        matches!(judged(tables, sql).ruling, Ruling::Deny(_))
    }

    #[test]
    fn functions_are_found_by_name_wherever_they_are_called() {
        let deny = "[[deny]]\nname = \"f\"\nfunctions = [\"pg_sleep*\", \"leak\", \"private.secret\"]\n";
        for sql in [
            "SELECT pg_sleep(1)",
            "SELECT PG_CATALOG.\"pg_sleep_for\"('1s')",
            "SELECT 1 FROM orders WHERE id = (SELECT pg_sleep(1)::text::int)",
            "SELECT * FROM leak(1)",
            "SELECT (o).leak FROM orders o",
            "SELECT secret(1)",
            "SELECT private.secret(1)",
            "CALL leak(1)",
            "DO $$BEGIN PERFORM pg_sleep(1); END$$",
            "INSERT INTO orders SELECT leak(1)",
            "UPDATE orders SET total = leak(1)",
            "COPY (SELECT leak(1)) TO STDOUT",
            "PREPARE p AS SELECT leak(1)",
        ] {
            assert!(denied(deny, sql), "{sql}");
        }
        for sql in [
            "SELECT upper('leak(1)')",
            "SELECT leak FROM orders",
            "SELECT public.secret(1)",
            "SELECT 1 AS pg_sleep",
            "INSERT INTO leak (a) VALUES (1)",
        ] {
            assert!(!denied(deny, sql), "{sql}");
        }
    }

    #[test]
    fn columns_are_read_by_name_by_star_and_through_views() {
        let deny = "[[deny]]\nname = \"c\"\ncolumns_read = [\"public.customers.card\"]\n";
        for sql in [
            "SELECT card FROM customers",
            "SELECT * FROM customers",
            "SELECT c.* FROM public.customers c",
            "SELECT c FROM customers c",
            "SELECT row_to_json(c) FROM customers c",
            "SELECT id FROM customers WHERE card = '1'",
            "TABLE customers",
            "SELECT shown FROM v_plain",
            "SELECT card FROM customers_2024",
            "SELECT 1 FROM customers c NATURAL JOIN customers d",
            "SELECT id FROM (SELECT * FROM customers) x(id, name, y) WHERE y = '1'",
            "WITH x AS (SELECT * FROM customers) SELECT x FROM x",
            "WITH x AS (SELECT * FROM customers) SELECT DISTINCT * FROM x",
            "SELECT again FROM v_nested",
            "SELECT * FROM v_computed",
            "SELECT upper FROM v_computed",
            "SELECT x FROM v_union",
            "INSERT INTO orders SELECT * FROM customers",
            "SELECT leak(id) FROM v_plain",
            "SELECT id FROM v_plain, unheard_of",
            "COPY customers TO STDOUT",
            "COPY (SELECT card FROM customers) TO STDOUT",
            "UPDATE customers SET name = card",
            "DELETE FROM customers RETURNING *",
            "DO $$BEGIN PERFORM card FROM customers; END$$",
        ] {
            assert!(denied(deny, sql), "{sql}");
        }
        for sql in [
            "SELECT id, name FROM customers",
            "SELECT count(*) FROM customers",
            "SELECT card FROM private.mine",
            "SELECT * FROM orders",
            "SELECT 2 * 3 FROM customers",
            "SELECT 1 FROM customers NATURAL JOIN orders",
            "SELECT id FROM v_plain",
            "SELECT id FROM v_nested WHERE id = 1",
            "SELECT count(*) FROM v_computed",
            "WITH x AS (SELECT * FROM customers) SELECT id, name FROM x",
            "SELECT id FROM (SELECT c.*, 1 AS one FROM customers c) x ORDER BY one",
            "SELECT id FROM orders WHERE EXISTS (SELECT * FROM customers WHERE id = customer)",
            "UPDATE customers SET name = 'x' WHERE id = 1",
        ] {
            assert!(!denied(deny, sql), "{sql}");
        }
    }

    #[test]
    fn columns_are_written_where_they_are_set() {
        let deny = "[[deny]]\nname = \"c\"\ncolumns_written = [\"customers.card\"]\n";
        for sql in [
            "UPDATE customers SET card = '1'",
            "UPDATE customers SET (name, card) = ('a', 'b')",
            "INSERT INTO customers VALUES (1, 'a', 'b')",
            "INSERT INTO customers (id, card) VALUES (1, 'b')",
            "INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET card = 'x'",
            "WITH x AS (UPDATE customers SET card = '1' RETURNING id) SELECT * FROM x",
            "COPY customers FROM STDIN",
            "MERGE INTO customers USING orders ON true WHEN MATCHED THEN UPDATE SET card = '1'",
            "DO $$BEGIN UPDATE customers SET card = 1; END$$",
            "COPY customers (id, card) FROM STDIN",
            "MERGE INTO customers c USING orders o ON true WHEN NOT MATCHED THEN INSERT VALUES (1, 'a', 'b')",
            "MERGE INTO customers c USING orders o ON true WHEN NOT MATCHED THEN INSERT (id, card) VALUES (1, 'b')",
            "UPDATE customers_2024 SET card = '1'",
            "UPDATE v_plain SET shown = '1' WHERE id = 1",
            "UPDATE v_nested SET again = '1' WHERE id = 1",
            "INSERT INTO v_nested VALUES ('1')",
            "INSERT INTO v_plain (shown) VALUES ('1')",
            "WITH x AS (INSERT INTO orders (id) VALUES (1)) INSERT INTO v_plain (id, shown) VALUES (1, 'x')",
            "WITH x AS (UPDATE customers SET name = '1' RETURNING id) UPDATE customers SET card = name",
            "EXPLAIN ANALYZE UPDATE v_plain SET shown = 'x'",
            "PREPARE p AS UPDATE customers SET (id, card) = (SELECT 1, 'x')",
        ] {
            assert!(denied(deny, sql), "{sql}");
        }
        for sql in [
            "COPY customers (id, name) FROM STDIN",
            "COPY customers (card) TO STDOUT",
            "UPDATE v_plain SET id = 1 WHERE shown = 'x'",
            "UPDATE v_nested SET id = 1 WHERE again = 'x' RETURNING again",
            "INSERT INTO v_nested (id) SELECT id FROM customers WHERE card = 'x'",
            "WITH x AS (UPDATE customers SET name = '1' WHERE card = 'x' RETURNING card) SELECT card FROM x",
            "INSERT INTO customers (id, name) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = customers.card",
            "MERGE INTO customers c USING orders o ON c.card = o.total WHEN MATCHED THEN UPDATE SET name = c.card \
             WHEN NOT MATCHED THEN INSERT (id, name) VALUES (1, 'card')",
            "EXPLAIN UPDATE customers SET card = 'x'",
            "UPDATE customers SET name = card",
            "INSERT INTO customers (id, name) VALUES (1, 'card')",
            "DELETE FROM customers WHERE card = '1'",
            "SELECT card FROM customers",
            "UPDATE orders SET card = '1'",
        ] {
            assert!(!denied(deny, sql), "{sql}");
        }
    }

    #[test]
    fn rules_that_only_report_refuse_nothing_and_are_named() {
        let tables = "[[deny]]\nname = \"try\"\nstatements = [\"drop\"]\nmode = \"report\"\n\
                      [[deny]]\nname = \"real\"\nstatements = [\"truncate\"]\n\
                      [[mask]]\nname = \"cards\"\ncolumns = [\"customers.card\"]\nmode = \"report\"\n";
        let reported = |sql: &str| judged(tables, sql).reported.iter().map(|rule| rule.0).collect::<Vec<_>>();
        assert!(!denied(tables, "DROP TABLE t") && denied(tables, "TRUNCATE t"));
        assert_eq!(reported("DROP TABLE t"), [0]);
        assert_eq!(reported("SELECT name FROM customers; DROP TABLE t"), [0, 2]);
        assert_eq!(reported("SELECT * FROM v_plain"), [2]);
        assert_eq!(reported("SELECT * FROM orders"), Vec::<u16>::new());
        // What only reports makes no user one under rules.
        assert!(!denied("[[deny]]\nname = \"try\"\nstatements = [\"drop\"]\nmode = \"report\"\n", "FROBNICATE"));
    }
}
