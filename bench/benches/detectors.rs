//! How fast the prefilters of all detectors read rows, beside a set of regular expressions that say about the
//! same, and beside copying them.
//!
//! Rows are of tables as applications have them: names, streets, timestamps, amounts, article numbers, notes.
//! In the dense batch every third cell holds a value to mask. Copying is measured on one batch, which stays in
//! the second-level cache, and over batches of 64 MiB in all, as received buffers lie in memory.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod support;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use policy::detect::{Detector, DetectorSet, DetectorUse, List, Literals};
use policy::mask::{Method, RowMask};
use policy::rule::RuleId;
use support::{plain_column, row};

const BATCH_BYTES: usize = 64 << 10;

const NAMES: [&str; 8] = [
    "Anna Lindqvist",
    "Jose Herrera",
    "Mei-Ling Tan",
    "Priya Raman",
    "Tom O'Hara",
    "Olga Petrova",
    "Kwame Mensah",
    "Sofie de Vries",
];
const STREETS: [&str; 6] =
    ["Linden Street", "Harbour Road", "Mill Lane", "Rue des Lilas", "Calle Mayor", "Kastanienallee"];
const NOTES: [&str; 5] = [
    "left at the front door as agreed",
    "customer asked for a later delivery",
    "invoice sent, no answer so far",
    "second attempt next week, ring twice",
    "none",
];

/// A value to mask.
fn value(number: u32) -> String {
    match number % 5 {
        0 => format!("write to ada.berg{number}@mail.example please"),
        1 => "paid with 4111 1111 1111 1111 by phone".to_owned(),
        2 => "transfer to DE89 3704 0044 0532 0130 00".to_owned(),
        3 => "call +49 30 901820 in the morning".to_owned(),
        _ => "login from 192.0.2.17 at night".to_owned(),
    }
}

fn pick<'a>(from: &[&'a str], seed: u32) -> &'a str {
    from[usize::try_from(seed >> 8).expect("32 bits") % from.len()]
}

/// Whole rows of about 170 bytes, as many as fit; every so many-th cell holds a value to mask.
fn rows(every: Option<u32>) -> Vec<u8> {
    let (mut out, mut cell) = (Vec::with_capacity(BATCH_BYTES), 0u32);
    for id in 1u32.. {
        let seed = id.wrapping_mul(0x9e37_79b9);
        let mut cells = [
            id.to_string(),
            pick(&NAMES, seed).to_owned(),
            format!("{} {}", seed % 190 + 1, pick(&STREETS, seed)),
            format!(
                "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}",
                seed % 25,
                seed % 12 + 1,
                seed % 28 + 1,
                seed % 24,
                seed % 60,
                (seed >> 7) % 60
            ),
            format!("{}.{:02}", seed % 5000, (seed >> 9) % 100),
            format!("SKU-{:05}", seed % 100_000),
            pick(&["open", "paid", "shipped", "returned"], seed).to_owned(),
            pick(&NOTES, seed).to_owned(),
        ];
        for content in &mut cells {
            cell += 1;
            if every.is_some_and(|every| cell % every == 0) {
                *content = value(cell);
            }
        }
        let next = row(&cells);
        if out.len() + next.len() > BATCH_BYTES {
            break;
        }
        out.extend_from_slice(&next);
    }
    out
}

fn plan(detectors: impl IntoIterator<Item = Detector>) -> RowMask {
    let uses = detectors.into_iter().map(|detector| DetectorUse { rule: RuleId(0), detector, method: Method::Redact });
    let mut column = plain_column();
    column.detectors = Some(Arc::new(DetectorSet::compile(&uses.collect::<Vec<_>>())));
    RowMask::new(vec![column; 8])
}

/// About what the detectors look for, in the order of [`Detector::ALL`], as a reader would write it.
const EXPRESSIONS: [&str; 14] = [
    r"(?-u)\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"(?-u)\b(?:\d[ -]?){13,19}\b",
    r"(?-u)[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"(?-u)\b(?:AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,})",
    r"(?-u)\b(?:gh[oprsu]_\w{36,}|github_pat_\w{40,})",
    r"(?-u)\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7} ?[A-Z0-9]{1,4}\b",
    r"(?-u)\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|[0-9A-Fa-f:]*::[0-9A-Fa-f:.]*",
    r"(?-u)\beyJ[\w-]+\.[\w-]+\.[\w-]*",
    r"(?-u)\+[1-9][0-9 ()./-]{7,}|\(?[2-9]\d{2}\)?[ .-]?[2-9]\d{2}[ .-]\d{4}\b|\b0\d{2,4}[ /-]\d{6,8}\b|\b0\d{2,3} \d{3,4} \d{4}\b|\b0\d(?:[ .-]\d{2}){4}\b",
    r"(?-u)-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"(?-u)\b(?:xox[a-eprs]|xapp)-[A-Za-z0-9-]{10,}",
    r"(?-u)\b\d{3}[- ]\d{2}[- ]\d{4}\b",
    r"(?-u)\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,})",
    r"(?-u)\w://[^/\s:@]*:[^/\s]+@",
];

fn detectors(criterion: &mut Criterion) {
    let expressions = regex::bytes::RegexSet::new(EXPRESSIONS).expect("the expressions compile");
    let all = plan(Detector::ALL);
    let mut hits = Vec::new();
    for (name, batch) in [("clean", rows(None)), ("every third cell a hit", rows(Some(3)))] {
        let mut group = criterion.benchmark_group(format!("64 KiB of rows, {name}"));
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function("all detectors", |bencher| {
            bencher.iter(|| {
                hits.clear();
                all.candidates(black_box(&batch), &mut hits);
                hits.len()
            });
        });
        for detector in [Detector::Card, Detector::Email, Detector::Iban, Detector::Ip, Detector::Jwt, Detector::Phone]
        {
            let one = plan([detector.clone()]);
            group.bench_function(format!("{detector} alone"), |bencher| {
                bencher.iter(|| {
                    hits.clear();
                    one.candidates(black_box(&batch), &mut hits);
                    hits.len()
                });
            });
        }
        group.bench_function("RegexSet", |bencher| {
            bencher.iter(|| expressions.matches(black_box(&batch)).iter().count());
        });
        let mut copy = vec![0; batch.len()];
        group.bench_function("memcpy, in cache", |bencher| {
            bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&batch)));
        });
        let many: Vec<Vec<u8>> = vec![batch.clone(); (64 << 20) / BATCH_BYTES];
        let mut copies = many.clone();
        let mut next = 0;
        group.bench_function("memcpy, over 64 MiB", |bencher| {
            bencher.iter(|| {
                next = (next + 1) % many.len();
                black_box(&mut copies[next]).copy_from_slice(black_box(&many[next]));
            });
        });
        let mut next = 0;
        group.bench_function("all detectors, over 64 MiB", |bencher| {
            bencher.iter(|| {
                next = (next + 1) % many.len();
                hits.clear();
                all.candidates(black_box(&many[next]), &mut hits);
                hits.len()
            });
        });
        group.finish();
    }
}

/// So many literals of 12 to 24 bytes, as names and numbers of customers are.
fn list(count: u32) -> Vec<u8> {
    let mut list = Vec::new();
    for number in 0..count {
        let seed = number.wrapping_mul(0x9e37_79b9);
        let line = match number % 2 {
            0 => format!("KD-{seed:010}\n"),
            _ => format!("{} {seed:08x}\n", pick(&NAMES, seed)),
        };
        list.extend_from_slice(line.as_bytes());
    }
    list
}

fn literals(criterion: &mut Criterion) {
    // Few for the smoke run of a debug build.
    let count = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };
    let list = list(count);
    let batch = rows(None);
    let mut group = criterion.benchmark_group("a million literals");
    group.sample_size(10);
    group.bench_function("compile", |bencher| {
        bencher.iter(|| Literals::compile(black_box(&list), false).expect("a sound list").len());
    });
    let literals = Literals::compile(&list, false).expect("a sound list");
    assert!(literals.memory_bytes() < 200_000_000, "{} bytes", literals.memory_bytes());
    group.throughput(Throughput::Bytes(batch.len() as u64));
    for (name, ignore_case) in [("scan", false), ("scan, without regard to case", true)] {
        let literals = Arc::new(Literals::compile(&list, ignore_case).expect("a sound list"));
        let plan = plan([Detector::Literals(List::new(literals))]);
        let mut hits = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                hits.clear();
                plan.candidates(black_box(&batch), &mut hits);
                hits.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, detectors, literals);
criterion_main!(benches);
