//! What is measured: each piece of work in a form that a clock (criterion) and a counter of instructions
//! (callgrind) run alike.
//!
//! A case is made with everything that it needs, ready to run again and again; its data comes from row numbers,
//! so that every run does the same. Yardsticks that are not our code are cases too, where a reader wants their
//! instructions beside ours.

pub(crate) mod audit;
pub(crate) mod data;
pub(crate) mod detectors;
pub(crate) mod framing;
mod guard;
pub(crate) mod judgement;
pub(crate) mod masks;
pub(crate) mod verdicts;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};

/// Does a piece of work once on its input; what it answers keeps the compiler from leaving it out.
pub(crate) type Run = dyn FnMut(&mut [u8]) -> usize;

/// One piece of work.
pub(crate) struct Case {
    /// What it belongs to, and its name there.
    pub(crate) name: [String; 2],
    /// What one run gets through.
    pub(crate) throughput: Throughput,
    /// What each run begins with.
    pub(crate) input: Vec<u8>,
    /// Whether a run changes its input, so that the next one needs a new copy.
    pub(crate) changes: bool,
    /// The work.
    pub(crate) run: Box<Run>,
}

impl Case {
    /// Work without input, or with input that it only reads.
    pub(crate) fn new(group: &str, name: &str, mut run: impl FnMut() -> usize + 'static) -> Self {
        Self {
            name: [group.to_owned(), name.to_owned()],
            throughput: Throughput::Elements(1),
            input: Vec::new(),
            changes: false,
            run: Box::new(move |_| run()),
        }
    }

    /// Work that changes its input.
    pub(crate) fn changing(
        group: &str,
        name: &str,
        input: Vec<u8>,
        run: impl FnMut(&mut [u8]) -> usize + 'static,
    ) -> Self {
        Self { input, changes: true, run: Box::new(run), ..Self::new(group, name, || 0) }
    }

    /// The same, measured by bytes.
    pub(crate) fn of_bytes(self, bytes: usize) -> Self {
        Self { throughput: Throughput::Bytes(bytes as u64), ..self }
    }
}

/// A group of cases, by name, and what makes them.
pub(crate) type Group = (&'static str, fn() -> Vec<Case>);

/// The groups of cases of which instructions are counted.
pub(crate) const GROUPS: [Group; 7] = [
    ("framing", framing::cases),
    ("masks", masks::cases),
    ("detectors", detectors::cases),
    ("literals", || detectors::literals(10_000)),
    ("verdicts", verdicts::cases),
    ("judgement", judgement::cases),
    ("audit", audit::cases),
];

/// Measures cases by the clock, each group under its name.
pub(crate) fn time(criterion: &mut Criterion, cases: Vec<Case>) {
    for mut case in cases {
        let [group, name] = &case.name;
        let mut group = criterion.benchmark_group(group);
        group.throughput(case.throughput.clone());
        group.bench_function(name, |bencher| {
            if case.changes {
                bencher.iter_batched_ref(
                    || case.input.clone(),
                    |input| (case.run)(black_box(input)),
                    BatchSize::SmallInput,
                );
            } else {
                bencher.iter(|| (case.run)(black_box(&mut case.input)));
            }
        });
        group.finish();
    }
}
