//! How fast the prefilters of all detectors read rows, beside a set of regular expressions that say about the
//! same, and beside copying them.
//!
//! Copying is measured on one batch, which stays in the second-level cache, and over batches of 64 MiB in all, as
//! received buffers lie in memory.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod cases;

use std::hint::black_box;

use cases::detectors::{batches, cases, list, literals, plan, rows};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use policy::detect::{Detector, Literals};

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

fn all_detectors(criterion: &mut Criterion) {
    cases::time(criterion, cases());
    let expressions = regex::bytes::RegexSet::new(EXPRESSIONS).expect("the expressions compile");
    let all = plan(Detector::ALL);
    let mut hits = Vec::new();
    for (name, batch) in batches() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function("RegexSet", |bencher| {
            bencher.iter(|| expressions.matches(black_box(&batch)).iter().count());
        });
        let mut copy = vec![0; batch.len()];
        group.bench_function("memcpy, in cache", |bencher| {
            bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&batch)));
        });
        let many: Vec<Vec<u8>> = vec![batch.clone(); (64 << 20) / batch.len()];
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

fn many_literals(criterion: &mut Criterion) {
    // Few for the smoke run of a debug build.
    let count = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };
    let list = list(count);
    let mut group = criterion.benchmark_group(format!("{count} literals"));
    group.sample_size(10);
    group.bench_function("compile", |bencher| {
        bencher.iter(|| Literals::compile(black_box(&list), false).expect("a sound list").len());
    });
    let compiled = Literals::compile(&list, false).expect("a sound list");
    assert!(compiled.memory_bytes() < 200_000_000, "{} bytes", compiled.memory_bytes());
    group.finish();
    cases::time(criterion, literals(count));
    let batch = rows(None);
    let mut group = criterion.benchmark_group(format!("{count} literals"));
    group.throughput(Throughput::Bytes(batch.len() as u64));
    let mut copy = vec![0; batch.len()];
    group.bench_function("memcpy, in cache", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(&batch)));
    });
    group.finish();
}

criterion_group!(benches, all_detectors, many_literals);
criterion_main!(benches);
