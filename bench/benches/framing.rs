//! What the Postgres session itself costs: a point query's exchange, and 64 KiB of rows under three plans.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod cases;

use criterion::{Criterion, criterion_group, criterion_main};

fn framing(criterion: &mut Criterion) {
    cases::time(criterion, cases::framing::cases());
}

criterion_group!(benches, framing);
criterion_main!(benches);
