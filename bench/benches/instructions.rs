//! Every case once or a few times, for a counter of instructions: `scripts/instructions` runs this under callgrind.
//!
//! With `--list` it names the cases, one a line, in the order in which it runs them; without, it runs all, or those
//! of the given groups ([`cases::GROUPS`]). Each case warms up first and is then measured in one call of
//! [`measured`], the one function that callgrind collects: preparing and copying are not in the figure. With
//! `--test` each case runs once, unmeasured.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "the list of cases is its answer")]

#[expect(dead_code, reason = "the clock uses the rest")]
mod cases;

use std::hint::black_box;

use cases::Run;

/// Runs in one measurement: what happens now and then, as an emptied buffer, counts with its share.
const RUNS: usize = 16;

/// What callgrind collects, between this function's begin and its end.
#[inline(never)]
fn measured(run: &mut Run, inputs: &mut [Vec<u8>]) -> usize {
    let mut sum = 0_usize;
    for input in inputs {
        sum = sum.wrapping_add(run(black_box(input)));
    }
    sum
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    let any = arguments.iter().all(|argument| argument.starts_with('-'));
    let groups = cases::GROUPS.into_iter().filter(|(group, _)| any || has(group));
    for (group, mut case) in groups.flat_map(|(group, cases)| cases().into_iter().map(move |case| (group, case))) {
        if has("--list") {
            println!("{RUNS}\t{group}: {}", case.name.join(": "));
        } else if has("--test") {
            black_box((case.run)(&mut case.input));
        } else {
            for _ in 0..2 {
                black_box((case.run)(&mut case.input.clone()));
            }
            let mut inputs = vec![case.input.clone(); RUNS];
            black_box(measured(&mut *case.run, &mut inputs));
        }
    }
}
