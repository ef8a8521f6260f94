//! What a line of the audit log costs: with the parts that sessions and statements encode once, and without.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod cases;

use criterion::{Criterion, criterion_group, criterion_main};

fn audit(criterion: &mut Criterion) {
    cases::time(criterion, cases::audit::cases());
}

criterion_group!(benches, audit);
criterion_main!(benches);
