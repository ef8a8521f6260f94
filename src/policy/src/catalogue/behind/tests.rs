//! Rules hold for what the server runs behind a statement.

use crate::catalogue::{Catalogue, CatalogueBuilder, ColumnMask};
use crate::statement::{Judgement, Ruling, SqlContext, judge};
use crate::testing::{CARD, rules};

const TABLES: [(&str, &str, &str); 6] = [
    ("20001", "customers", "r"),
    ("20002", "orders", "r"),
    ("20003", "log", "r"),
    ("20004", "v_orders", "v"),
    ("20005", "old_orders", "r"),
    ("20006", "typed", "r"),
];

/// `customers` with a masked card, `orders` with the child `old_orders` and the view `v_orders`, `log`, and
/// rows of the catalogue's query that say what runs behind them. Function bodies are PL/pgSQL.
fn catalogue(functions: &[(&str, &str)], rows: &[(usize, &[&str])]) -> Catalogue {
    let mut builder = CatalogueBuilder::new();
    let mut row = |result: usize, cells: &[&str]| {
        let cells: Vec<Option<&[u8]>> =
            cells.iter().map(|cell| if cell.is_empty() { None } else { Some(cell.as_bytes()) }).collect();
        builder.row(result, &cells);
    };
    for (oid, name, kind) in TABLES {
        row(0, &[oid, "public", name, kind]);
        for (number, column) in [("1", "id"), ("2", "card"), ("3", "note")] {
            row(1, &[oid, number, column, "25", "b", "S", "f", "f"]);
        }
    }
    ["1", "2", "3"].into_iter().for_each(|column| row(2, &["20004", "20002", column]));
    row(3, &["20004", " SELECT id, card, note FROM orders;"]);
    row(4, &["20005", "20002"]);
    for name in ["now", "upper", "nextval", "current_setting"] {
        row(5, &[name, "b"]);
    }
    for (name, body) in functions {
        row(5, &[name, "u"]);
        let text = format!("CREATE FUNCTION public.{name}()\n LANGUAGE plpgsql\nAS $function$ {body} $function$\n");
        row(8, &[name, "plpgsql", &text]);
    }
    rows.iter().for_each(|(result, cells)| row(*result, cells));
    builder.finish().unwrap()
}

fn judged(tables: &str, sql: &str, catalogue: &Catalogue) -> Judgement {
    judge(&rules(tables), sql.as_bytes(), &SqlContext::default(), Some(catalogue))
}

fn name(tables: &str, sql: &str, catalogue: &Catalogue) -> Option<String> {
    match judged(tables, sql, catalogue).ruling {
        Ruling::Allow => None,
        Ruling::Deny(refusal) => Some(refusal.name.into()),
    }
}

const DELETES: &str = "[[deny]]\nname = \"no delete\"\nstatements = [\"delete\"]\n";

#[test]
fn what_a_trigger_does_its_statements_do() {
    let trigger = [(10, &["20002", "iu", "trigger", "public.t()", "0"][..])];
    let known = catalogue(&[("t", "BEGIN DELETE FROM log WHERE id = 1; RETURN NEW; END")], &trigger);
    for sql in [
        "INSERT INTO orders VALUES (1)",
        "UPDATE orders SET note = 'x' WHERE id = 1",
        "COPY orders FROM STDIN",
        "INSERT INTO v_orders VALUES (1)",
        "WITH x AS (INSERT INTO orders VALUES (1) RETURNING id) SELECT * FROM x",
        "DO $$BEGIN INSERT INTO orders VALUES (1); END$$",
        "PREPARE p AS INSERT INTO orders VALUES (1)",
    ] {
        assert_eq!(name(DELETES, sql, &known).as_deref(), Some("no delete"), "{sql}");
    }
    for sql in
        ["SELECT * FROM orders", "TRUNCATE orders", "INSERT INTO log SELECT id FROM orders", "COPY orders TO STDOUT"]
    {
        assert_eq!(name(DELETES, sql, &known), None, "{sql}");
    }
    // A child's trigger runs for changes of its parent.
    let child = catalogue(
        &[("t", "BEGIN DELETE FROM log WHERE id = 1; RETURN NEW; END")],
        &[(10, &["20005", "u", "trigger", "public.t()", "0"])],
    );
    assert!(name(DELETES, "UPDATE orders SET note = 'x' WHERE id = 1", &child).is_some());
}

#[test]
fn code_behind_leads_on_to_code_behind_what_it_changes() {
    let known = catalogue(
        &[
            ("t", "BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END"),
            ("u", "BEGIN DELETE FROM old_orders WHERE id = 1; RETURN NEW; END"),
        ],
        &[(10, &["20002", "i", "trigger", "public.t()", "0"]), (10, &["20003", "i", "expression", "public.u()", "0"])],
    );
    assert!(name(DELETES, "INSERT INTO orders VALUES (1)", &known).is_some());
    assert_eq!(name(DELETES, "UPDATE orders SET id = 1 WHERE id = 2", &known), None);
}

#[test]
fn rules_defaults_cascades_and_policies_count() {
    let empties = [("empty", "BEGIN DELETE FROM log WHERE id = 1; RETURN 1; END")];
    let rule = "CREATE RULE r AS\n    ON UPDATE TO public.orders DO INSTEAD  DELETE FROM log;";
    for (behind, sql) in [
        (&["20002", "u", "rule", rule, "0"], "UPDATE orders SET note = 'x' WHERE id = 1"),
        (&["20002", "i", "expression", "public.empty()", "3"], "INSERT INTO orders (id) VALUES (1)"),
        (&["20002", "siud", "expression", "(public.empty() > 0)", "0"], "SELECT id FROM orders"),
        (
            &["20002", "d", "statement", "DELETE FROM public.log WHERE referring", "0"],
            "MERGE INTO orders USING log ON true WHEN MATCHED THEN DO NOTHING",
        ),
    ] {
        let known = catalogue(&empties, &[(10, behind)]);
        assert!(name(DELETES, sql, &known).is_some(), "{sql}");
        assert_eq!(name(DELETES, "SELECT id FROM customers", &known), None);
    }
    // A rule about changes of a table holds for the change that code makes, and only for that.
    let log = "[[deny]]\nname = \"log\"\nstatements = [\"write\"]\ntables = [\"public.log\"]\n";
    let known = catalogue(&[], &[(10, &["20002", "u", "rule", rule, "0"])]);
    assert!(name(log, "UPDATE orders SET note = 'x' WHERE id = 1", &known).is_some());
    assert_eq!(name(log, "INSERT INTO orders SELECT id FROM log", &known), None);
    let open = "[[deny]]\nname = \"where\"\nstatements = [\"delete\"]\nwithout_where = true\n";
    assert!(name(open, "UPDATE orders SET note = 'x' WHERE id = 1", &known).is_some());
}

#[test]
fn foreign_keys_count_where_the_server_changes_what_refers() {
    let changes = "[[deny]]\nname = \"log\"\nstatements = [\"write\", \"truncate\"]\ntables = [\"public.log\"]\n";
    let known = catalogue(
        &[],
        &[
            (10, &["20002", "k", "statement", "UPDATE public.log SET note = NULL WHERE id", "0"]),
            (10, &["20002", "t", "statement", "TRUNCATE public.log", "0"]),
        ],
    );
    for sql in [
        "UPDATE orders SET id = 2 WHERE note = 'x'",
        "UPDATE orders SET (card, id) = ('x', 2)",
        "UPDATE v_orders SET card = 'x'",
        "INSERT INTO orders (id) VALUES (1) ON CONFLICT (card) DO UPDATE SET id = 3",
        "MERGE INTO orders USING customers c ON true WHEN MATCHED THEN UPDATE SET id = 3",
        "WITH x AS (UPDATE orders SET id = 2 RETURNING id) SELECT 1 FROM x",
        "DO $$BEGIN UPDATE orders SET card = 1; END$$",
        "PREPARE p AS UPDATE orders SET id = 1",
        "TRUNCATE orders CASCADE",
        "TRUNCATE customers, ONLY public.orders",
    ] {
        assert!(name(changes, sql, &known).is_some(), "{sql}");
    }
    for sql in [
        "UPDATE orders SET card = 'x' WHERE id = 1",
        "INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET card = excluded.card",
        "INSERT INTO orders VALUES (1)",
        "DELETE FROM orders",
        "TRUNCATE customers",
    ] {
        assert_eq!(name(changes, sql, &known), None, "{sql}");
    }
    // Nobody sets a key that is computed, but what it is computed of.
    let computed = catalogue(
        &[],
        &[
            (1, &["20002", "4", "code", "25", "b", "S", "f", "t"]),
            (10, &["20002", "k", "statement", "UPDATE public.log SET note = NULL WHERE code", "0"]),
        ],
    );
    assert!(name(changes, "UPDATE orders SET card = 'x' WHERE id = 1", &computed).is_some());
    // A trigger may change the key on the way.
    let trigger = (10, &["20002", "u", "trigger", "public.t()", "0"][..]);
    let key = (10, &["20002", "k", "statement", "UPDATE public.log SET note = NULL WHERE id", "0"][..]);
    let known = catalogue(&[("t", "BEGIN NEW.id := 1; RETURN NEW; END")], &[trigger, key]);
    assert!(name(changes, "UPDATE orders SET card = 'x' WHERE id = 1", &known).is_some());
    // What a rule names is what the server changes.
    let columns = "[[deny]]\nname = \"log\"\ncolumns_written = [\"public.log.note\"]\n";
    assert!(name(columns, "UPDATE orders SET id = 2", &known).is_some());
    assert_eq!(name(&columns.replace("note", "card"), "UPDATE orders SET id = 2", &known), None);
}

#[test]
fn ordinary_code_behind_changes_nothing() {
    let known = catalogue(
        &[("touch", "BEGIN NEW.note := now(); INSERT INTO log VALUES (NEW.id); RETURN NEW; END")],
        &[
            (10, &["20002", "iu", "trigger", "public.touch()", "0"]),
            (10, &["20002", "iu", "expression", "nextval('s'::regclass)", "1"]),
            (10, &["20001", "iux", "expression", "(id ~ '^a'::text)", "0"]),
            (11, &["email", "(VALUE ~ '@'::text)", "f"]),
            (12, &["customers", "email", "20001", "2"]),
        ],
    );
    for sql in [
        "INSERT INTO orders (note) VALUES ('x') RETURNING id",
        "INSERT INTO orders SELECT id FROM log",
        "SELECT id, $1::email FROM customers",
        "UPDATE orders SET note = 'x' WHERE id = 1 RETURNING *",
    ] {
        assert_eq!(name(&format!("{DELETES}{CARD}"), sql, &known), None, "{sql}");
    }
    assert!(!judged(CARD, "UPDATE orders SET note = 'x' WHERE id = 1", &known).quotes);
    assert_eq!(known.mask_of(&rules(CARD), 20002, 3), ColumnMask::None);
}

#[test]
fn errors_of_code_that_reaches_masked_data_may_quote_it() {
    let noisy = [("noisy", "BEGIN RAISE NOTICE '%', (SELECT card FROM customers); RETURN true; END")];
    for (behind, sql) in [
        ((10, &["20002", "u", "expression", "public.noisy()", "0"][..]), "UPDATE orders SET note = 'x' WHERE id = 1"),
        ((10, &["20002", "siud", "expression", "public.noisy()", "0"]), "SELECT id FROM orders"),
        ((10, &["20002", "ic", "expression", "public.noisy()", "0"]), "COMMIT"),
        ((11, &["checked", "public.noisy()", "f"]), "SELECT checked '1'"),
        ((11, &["checked", "public.noisy()", "f"]), "SELECT $1"),
        ((7, &["=", "public.noisy()"]), "SELECT 1 IN (2)"),
        ((7, &["~~", "public.noisy()"]), "SELECT 'a' LIKE 'b'"),
        ((7, &["<>", "public.noisy()"]), "SELECT 1 != 2"),
        ((13, &["public.noisy()"]), "CREATE TEMP TABLE x (a int)"),
    ] {
        let known = catalogue(&noisy, &[behind]);
        assert!(judged(CARD, sql, &known).quotes, "{sql}");
        assert!(!judged(CARD, "SELECT id FROM log", &known).quotes);
    }
}

#[test]
fn columns_that_are_given_masked_data_are_masked() {
    let reads = [
        ("card_of", "BEGIN RETURN (SELECT card FROM customers); END"),
        ("fills", "BEGIN NEW.note := (SELECT card FROM customers); RETURN NEW; END"),
        ("looks", "BEGIN UPDATE customers SET id = 1 WHERE id = NEW.id; RETURN NEW; END"),
    ];
    let masked = |rows: &[(usize, &[&str])], relation: u32, column: i16| {
        let known = catalogue(&reads, rows);
        known.mask_of(&rules(CARD), relation, column) != ColumnMask::None
    };
    let default = [(10, &["20002", "iu", "expression", "public.card_of()", "3"][..])];
    assert!(masked(&default, 20002, 3) && !masked(&default, 20002, 1) && masked(&default, 20004, 3));
    let trigger = [(10, &["20002", "i", "trigger", "public.fills()", "0"][..])];
    assert!(masked(&trigger, 20002, 3) && !masked(&trigger, 20002, 1));
    let looks = [(10, &["20002", "i", "trigger", "public.looks()", "0"][..])];
    assert!(!masked(&looks, 20002, 3));
    let cast = [(11, &["probe", "public.card_of()", "t"][..]), (12, &["typed", "probe", "20006", "3"])];
    assert!(masked(&cast, 20006, 3) && !masked(&cast, 20006, 1));
    let rule = "CREATE RULE r AS ON INSERT TO public.orders DO INSTEAD SELECT card AS note FROM customers;";
    assert!(masked(&[(10, &["20002", "i", "rule", rule, "0"])], 20002, 1));
}

#[test]
fn code_that_cannot_be_read_counts_where_it_runs() {
    let known = catalogue(
        &[("t", "BEGIN EXECUTE x; RETURN NEW; END")],
        &[(10, &["20002", "i", "trigger", "public.t()", "0"]), (10, &["20003", "i", "rule", "", "0"])],
    );
    for sql in ["INSERT INTO orders VALUES (1)", "INSERT INTO log VALUES (1)"] {
        assert_eq!(name(CARD, sql, &known).as_deref(), Some("unknown_code"), "{sql}");
        assert_eq!(name(DELETES, sql, &known), None, "{sql}");
    }
    assert_eq!(name(CARD, "SELECT id FROM orders", &known), None);
}
