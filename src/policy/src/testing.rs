//! A small shop, for the tests of this crate: a config, and a catalogue as PostgreSQL would give it.

use std::sync::Arc;

use crate::catalogue::{Catalogue, CatalogueBuilder};
use crate::config::Config;
use crate::snapshot::{Snapshot, UserRules};

/// The rules of user `ana` under these tables of a config, beside a listener.
pub(crate) fn rules(tables: &str) -> Arc<UserRules> {
    let listener = "[[listen]]\nname = \"l\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:1\"\nupstream = \"h:2\"\n";
    let text = format!("{listener}{tables}");
    let config = Config::parse(&text, "test").unwrap_or_else(|problems| panic!("{problems:?}"));
    Snapshot::compile(Arc::new(config), 1).rules_for("l", "ana")
}

/// A mask on `public.customers.card`.
pub(crate) const CARD: &str =
    "[[mask]]\nname = \"cards\"\ncolumns = [\"public.customers.card\"]\nmethod = \"keep_last 4\"\n";

/// `customers(id, name, card)` with a partition `customers_2024`, `orders(id, customer, total)`, views
/// `v_plain` (id, shown = card), `v_nested` over it, `v_computed` (upper(card)), `v_orders`; functions of
/// the server and `leak` of the users.
pub(crate) fn shop() -> Catalogue {
    let mut builder = CatalogueBuilder::new();
    let mut row = |result: usize, cells: &[&str]| {
        let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
        builder.row(result, &cells);
    };
    for (oid, schema, name, kind, columns) in [
        ("20001", "public", "customers", "p", &["id", "name", "card"][..]),
        ("20002", "public", "orders", "r", &["id", "customer", "total"]),
        ("20003", "public", "customers_2024", "r", &["id", "name", "card"]),
        ("20011", "public", "v_plain", "v", &["id", "shown"]),
        ("20012", "public", "v_nested", "v", &["again", "id"]),
        ("20013", "public", "v_computed", "v", &["id", "upper"]),
        ("20014", "public", "v_orders", "v", &["id", "total"]),
        ("20015", "public", "v_union", "v", &["x"]),
        ("20021", "private", "mine", "r", &["x", "y"]),
        ("12000", "pg_catalog", "pg_stats", "v", &["schemaname", "most_common_vals"]),
        ("1259", "pg_catalog", "pg_class", "r", &[]),
    ] {
        row(0, &[oid, schema, name, kind]);
        for (index, column) in columns.iter().enumerate() {
            let number = (index + 1).to_string();
            let type_oid = if *column == "id" { "23" } else { "25" };
            let not_null = if *column == "id" { "t" } else { "f" };
            row(1, &[oid, &number, column, type_oid, "b", "S", not_null, "f"]);
        }
    }
    for (view, relation, number) in [
        ("20011", "20001", "1"),
        ("20011", "20001", "3"),
        ("20012", "20011", "1"),
        ("20012", "20011", "2"),
        ("20013", "20001", "1"),
        ("20013", "20001", "3"),
        ("20014", "20002", "1"),
        ("20014", "20002", "3"),
        ("20015", "20001", "3"),
        ("20015", "20002", "3"),
    ] {
        row(2, &[view, relation, number]);
    }
    row(3, &["20011", " SELECT customers.id,\n    customers.card AS shown\n   FROM customers;"]);
    row(3, &["20012", " SELECT v.shown AS again, v.id FROM public.v_plain v;"]);
    row(3, &["20013", " SELECT customers.id, upper(customers.card) AS upper FROM customers;"]);
    row(3, &["20014", " SELECT orders.id, orders.total FROM orders;"]);
    row(3, &["20015", " SELECT orders.total AS x FROM orders UNION SELECT customers.card FROM customers;"]);
    row(4, &["20003", "20001"]);
    for name in [
        "upper",
        "lower",
        "count",
        "now",
        "max",
        "version",
        "query_to_xml",
        "row_to_json",
        "set_config",
        "pg_notify",
        "nextval",
        "array_agg",
        "lag",
        "length",
        "rank",
        "row_number",
        "string_agg",
        "substr",
        "unnest",
    ] {
        row(5, &[name, "b"]);
    }
    row(5, &["leak", "u"]);
    row(7, &["<~~>", "public.leak()"]);
    builder.finish().unwrap()
}
