//! Judging a text that no cache knows.
//!
//! The rules are those of the reference figures, `bench/peers/wiregate.toml`. Two yardsticks stand beside it: what
//! the SQL parser alone takes for the same text, with its own tokens and with tokens that it is given.

use std::hint::black_box;
use std::sync::Arc;

use policy::catalogue::{Catalogue, CatalogueBuilder};
use policy::config::Config;
use policy::snapshot::{Snapshot, UserRules};
use policy::statement::{SqlContext, judge};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Tokenizer;

use super::Case;

/// Salt and keys that belong to no password: nobody logs in.
const VERIFIER: &str = "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The rules that a session of the reference figures has.
fn rules() -> Arc<UserRules> {
    let text = include_str!("../../peers/wiregate.toml")
        .replace("@CORES@", "[0]")
        .replace("@ADMIN_PORT@", "9090")
        .replace("@UPSTREAM_PORT@", "5432")
        .replace("@PORT@", "6432")
        .replace("@TLS_PORT@", "6433")
        .replace("@LOGIN_PORT@", "6434")
        .replace("@MYSQL_PORT@", "6435")
        .replace("@MYSQL_UPSTREAM_PORT@", "3306")
        .replace("@VERIFIER@", VERIFIER)
        .replace("@DIR@", "bench");
    let config = Config::parse(&text, "wiregate.toml").expect("the config of the reference figures checks");
    Snapshot::compile(Arc::new(config), 1).rules_for("bench", "trust_user")
}

/// The two relations of the joins below, as the server would list them.
fn catalogue() -> Catalogue {
    let mut builder = CatalogueBuilder::new();
    let mut row = |result: usize, cells: &[&str]| {
        let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
        builder.row(result, &cells);
    };
    for (oid, name, columns) in [
        ("20001", "customers", &["id", "name", "card", "phone"][..]),
        ("20002", "orders", &["id", "customer_id", "total_cents"]),
    ] {
        row(0, &[oid, "public", name, "r"]);
        for (number, column) in (1..).zip(columns) {
            row(1, &[oid, &number.to_string(), column, "25", "b", "S", "f", "f"]);
        }
    }
    for function in ["sum", "count", "upper"] {
        row(5, &[function, "b"]);
    }
    builder.finish().expect("the rows are those of a catalogue")
}

/// 204 bytes with one join, over relations of which one has masks: its values are followed.
pub(crate) const FOLLOWED: &str = "SELECT c.name, upper(c.card), sum(o.total_cents) AS total FROM public.customers c \
                                   JOIN public.orders o ON o.customer_id = c.id WHERE c.id BETWEEN $1 AND $2 \
                                   GROUP BY c.name, c.card ORDER BY 3 DESC LIMIT 10";

const GROUP: &str = "judge, not cached";

/// Statements of several kinds, and the parser alone.
pub(crate) fn cases() -> Vec<Case> {
    let rules = rules();
    let plain = [
        ("point query", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"),
        ("BEGIN", "BEGIN"),
        (
            "join",
            "SELECT c.name, sum(o.total_cents) FROM customers c JOIN orders o ON o.customer_id = c.id \
             WHERE c.id BETWEEN 10 AND 20 GROUP BY c.name ORDER BY 2 DESC LIMIT 10",
        ),
        ("refused", "DELETE FROM orders"),
        ("does not parse", "SELEC abalance FROM"),
    ]
    .map(|(name, sql)| {
        let rules = Arc::clone(&rules);
        Case::new(GROUP, name, move || {
            judge(&rules, black_box(sql.as_bytes()), &SqlContext::default(), None).parts.len()
        })
    });
    let catalogue = catalogue();
    let followed = judge(&rules, FOLLOWED.as_bytes(), &SqlContext::default(), Some(&catalogue));
    assert!(followed.parts.iter().all(|part| part.lineage.is_some()), "the lineage is what is measured");
    let followed = Case::new(GROUP, "join, with lineage", move || {
        judge(&rules, black_box(FOLLOWED.as_bytes()), &SqlContext::default(), Some(&catalogue)).parts.len()
    });
    let dialect = PostgreSqlDialect {};
    let alone = Case::new("parser alone", "join, from its text", || {
        Parser::parse_sql(&PostgreSqlDialect {}, black_box(FOLLOWED)).expect("it parses").len()
    });
    let tokens = Tokenizer::new(&dialect, FOLLOWED).tokenize_with_location().expect("it lexes");
    let given = Case::new("parser alone", "join, from a copy of tokens", move || {
        let parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(black_box(&tokens).clone());
        { parser }.parse_statements().expect("it parses").len()
    });
    plain.into_iter().chain([followed, alone, given]).collect()
}
