//! What the policy costs where it is asked: a verdict that is remembered, judging a text that no cache knows, and
//! masking a cell.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod cases;

use criterion::{Criterion, criterion_group, criterion_main};

fn policy(criterion: &mut Criterion) {
    cases::time(criterion, cases::verdicts::cases());
    cases::time(criterion, cases::judgement::cases());
    cases::time(criterion, cases::masks::cases());
}

criterion_group!(benches, policy);
criterion_main!(benches);
