//! What the policy costs where it is asked: judging a text that no cache knows, masking a cell, and looking for
//! values in a batch of rows.
//!
//! The rules are those of the reference figures, `bench/peers/wiregate.toml`. For the prefilter two yardsticks
//! stand beside it: copying the batch, and one pass of a set of regular expressions.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

mod support;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use policy::catalogue::{Catalogue, CatalogueBuilder};
use policy::config::Config;
use policy::mask::{MaskCounts, Method, RowMask};
use policy::rule::RuleId;
use policy::snapshot::{Snapshot, UserRules};
use policy::statement::{SqlContext, judge};
use support::{batch, detector_mask, plain_column};
use wire::value::{Encoding, ValueType};

/// The rules that a session of the reference figures has.
fn rules() -> Arc<UserRules> {
    let text = include_str!("../peers/wiregate.toml")
        .replace("@CORES@", "[0]")
        .replace("@ADMIN_PORT@", "9090")
        .replace("@UPSTREAM_PORT@", "5432")
        .replace("@PORT@", "6432")
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
const FOLLOWED: &str = "SELECT c.name, upper(c.card), sum(o.total_cents) AS total FROM public.customers c \
                        JOIN public.orders o ON o.customer_id = c.id WHERE c.id BETWEEN $1 AND $2 \
                        GROUP BY c.name, c.card ORDER BY 3 DESC LIMIT 10";

fn cold_judgement(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge, not cached");
    let rules = rules();
    let statements = [
        ("point query", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"),
        ("BEGIN", "BEGIN"),
        (
            "join",
            "SELECT c.name, sum(o.total_cents) FROM customers c JOIN orders o ON o.customer_id = c.id \
             WHERE c.id BETWEEN 10 AND 20 GROUP BY c.name ORDER BY 2 DESC LIMIT 10",
        ),
        ("refused", "DELETE FROM orders"),
        ("does not parse", "SELEC abalance FROM"),
    ];
    for (name, sql) in statements {
        group.bench_function(name, |bencher| {
            bencher.iter(|| judge(&rules, black_box(sql.as_bytes()), &SqlContext::default(), None));
        });
    }
    let catalogue = catalogue();
    assert!(
        judge(&rules, FOLLOWED.as_bytes(), &SqlContext::default(), Some(&catalogue))
            .parts
            .iter()
            .all(|part| part.lineage.is_some()),
        "the lineage is what is measured"
    );
    group.bench_function("join, with lineage", |bencher| {
        bencher.iter(|| judge(&rules, black_box(FOLLOWED.as_bytes()), &SqlContext::default(), Some(&catalogue)));
    });
    group.finish();
}

fn one_mask(value_type: ValueType, encoding: Encoding, method: Method) -> RowMask {
    let mut column = plain_column();
    (column.value_type, column.encoding, column.mask) = (value_type, encoding, Some((RuleId(0), method)));
    RowMask::new(vec![column])
}

fn masks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask a cell");
    group.throughput(Throughput::Elements(1));
    let keep = Method::Keep { first: 0, last: 4 };
    let cases: [(&str, ValueType, Encoding, Method, &[u8]); 6] = [
        ("redact, text of 19 bytes", ValueType::Text, Encoding::Text, Method::Redact, b"4111-1111-1111-1111"),
        ("redact, text of 84 bytes", ValueType::Text, Encoding::Text, Method::Redact, &[b'w'; 84]),
        ("keep_last 4, text of 19 bytes", ValueType::Text, Encoding::Text, keep, b"4111-1111-1111-1111"),
        ("null", ValueType::Text, Encoding::Text, Method::Null, b"4111-1111-1111-1111"),
        ("redact, int8 in binary", ValueType::Int8, Encoding::PgBinary, Method::Redact, &[0, 0, 3, 189, 1, 2, 3, 4]),
        (
            "redact, jsonb in text",
            ValueType::Jsonb,
            Encoding::Text,
            Method::Redact,
            br#"{"card": "4111", "n": [1, 2]}"#,
        ),
    ];
    for (name, value_type, encoding, method, cell) in cases {
        let mask = one_mask(value_type, encoding, method);
        let mut counts = MaskCounts::default();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || cell.to_vec(),
                |cell| mask.mask_cell(0, black_box(cell), &mut counts),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// About what the three detectors look for, as a reader would write it; finds more than they do.
fn expressions() -> regex::bytes::RegexSet {
    regex::bytes::RegexSet::new([
        r"(?-u)[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
        r"(?-u)\b(?:\d[ -]?){13,19}\b",
        r"(?-u)\b\d{3}-\d{2}-\d{4}\b",
    ])
    .expect("the expressions compile")
}

fn detectors(criterion: &mut Criterion) {
    let clean = batch(None);
    let dense = batch(Some(3));
    let mask = detector_mask();
    let expressions = expressions();
    let mut group = criterion.benchmark_group("look through 64 KiB");
    group.throughput(Throughput::Bytes(clean.len() as u64));
    let mut hits = Vec::new();
    for (name, bytes) in [("three detectors, clean", &clean), ("three detectors, every third row a hit", &dense)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                hits.clear();
                mask.candidates(black_box(bytes), &mut hits);
                hits.len()
            });
        });
    }
    let mut copy = vec![0; clean.len()];
    group.bench_function("memcpy, clean", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&clean)));
    });
    group.bench_function("RegexSet, clean", |bencher| {
        bencher.iter(|| expressions.matches(black_box(&clean)).matched_any());
    });
    group.finish();
    cells(criterion, &mask);
}

fn cells(criterion: &mut Criterion, mask: &RowMask) {
    let mut group = criterion.benchmark_group("look through a cell");
    let cells: [(&str, &[u8]); 4] = [
        ("nothing in it", b"holder of no account at all, though with digits 12345 and an @ sign"),
        ("e-mail", b"reach me as ada.berg1@mail.example in the evening"),
        ("card", b"paid once with 4111 1111 1111 1111 by phone"),
        ("SSN", b"number 219-09-9999 on file"),
    ];
    for (name, cell) in cells {
        let mut counts = MaskCounts::default();
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || cell.to_vec(),
                |cell| mask.mask_cell(3, black_box(cell), &mut counts),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, cold_judgement, masks, detectors);
criterion_main!(benches);
