//! What the Postgres session itself costs: a point query's exchange, and 64 KiB of rows under three plans.
//!
//! The guard is [`BenchGuard`], so that no verdict cache, audit or socket is in the figure.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

#[path = "support/guard.rs"]
mod guard;
mod support;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use guard::{BenchGuard, column_mask, description};
use policy::mask::{Method, RowMask};
use postgres::session::{Output, Session, SessionOptions, TransactionStatus};
use support::{NAMES, batch, detector_mask, frame, row};

fn session(plan: Option<RowMask>) -> (Session<BenchGuard>, BenchGuard, Output) {
    let options = SessionOptions { protocol: (3, 0), replication: false, transaction: TransactionStatus::Idle };
    (Session::new(options), BenchGuard { plan: plan.map(Arc::new), ..BenchGuard::default() }, Output::default())
}

/// Feeds both directions in turn; each side's bytes are whole messages.
fn exchange(
    (session, guard, out): &mut (Session<BenchGuard>, BenchGuard, Output),
    client: &mut [u8],
    server: &mut [u8],
) -> usize {
    let mut sent = 0;
    session.on_client(client, guard, out).expect("the client keeps the protocol");
    sent += clear(out);
    session.on_server(server, guard, out).expect("the server keeps the protocol");
    sent + clear(out)
}

fn clear(out: &mut Output) -> usize {
    let sent = out.to_client.len() + out.to_server.len();
    out.to_client.clear();
    out.to_server.clear();
    sent
}

/// Parse and Sync, and what the server says.
fn preparation() -> (Vec<u8>, Vec<u8>) {
    let parse = frame(b'P', b"P0\0SELECT abalance FROM pgbench_accounts WHERE aid = $1\0\0\0");
    let client = [parse, frame(b'S', b"")].concat();
    (client, [frame(b'1', b""), frame(b'Z', b"I")].concat())
}

/// Bind, Describe, Execute and Sync, and what the server says: what `pgbench -S -M prepared` repeats.
fn execution() -> (Vec<u8>, Vec<u8>) {
    let client = [
        frame(b'B', b"\0P0\0\0\0\0\x01\0\0\0\x06123456\0\x01\0\0"),
        frame(b'D', b"P\0"),
        frame(b'E', b"\0\0\0\0\0"),
        frame(b'S', b""),
    ];
    let server = [
        frame(b'2', b""),
        description(&["abalance"]),
        row(&["-1234".to_owned()]),
        frame(b'C', b"SELECT 1\0"),
        frame(b'Z', b"I"),
    ];
    (client.concat(), server.concat())
}

fn point(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("point query");
    group.throughput(Throughput::Elements(1));
    for (name, plan) in [("no rule concerns it", None), ("columns planned", Some(column_mask(Method::Redact)))] {
        let mut state = session(plan);
        let (mut client, mut server) = preparation();
        exchange(&mut state, &mut client, &mut server);
        let (mut client, mut server) = execution();
        group.bench_function(name, |bencher| {
            bencher.iter(|| exchange(&mut state, black_box(&mut client), black_box(&mut server)));
        });
    }
    group.finish();
}

/// A session in the middle of a result: the next bytes are rows.
fn in_result(plan: Option<RowMask>) -> (Session<BenchGuard>, BenchGuard, Output) {
    let mut state = session(plan);
    let mut client = frame(b'Q', b"SELECT * FROM wide_plain\0");
    let mut server = description(&NAMES);
    exchange(&mut state, &mut client, &mut server);
    state
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("64 KiB of rows");
    let clean = batch(None);
    let dense = batch(Some(3));
    group.throughput(Throughput::Bytes(clean.len() as u64));
    let plans: [(&str, &Vec<u8>, Option<RowMask>); 5] = [
        ("forward", &clean, None),
        ("one column redacted", &clean, Some(column_mask(Method::Redact))),
        ("one column NULL", &clean, Some(column_mask(Method::Null))),
        ("three detectors, clean", &clean, Some(detector_mask())),
        ("three detectors, every third row a hit", &dense, Some(detector_mask())),
    ];
    for (name, bytes, plan) in plans {
        let mut state = in_result(plan);
        let expected = state.1.plan.as_ref().is_some_and(|plan| plan.masks_every_row()) || std::ptr::eq(bytes, &dense);
        state.0.on_server(&mut bytes.clone(), &mut state.1, &mut state.2).expect("rows");
        assert_ne!(state.1.counts.is_empty(), expected, "{name}: what is measured must do what it says");
        clear(&mut state.2);
        // Masking happens in place: each time the rows are new, and their copy is not in the figure.
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || bytes.clone(),
                |bytes| {
                    let (session, guard, out) = &mut state;
                    session.on_server(black_box(bytes), guard, out).expect("rows");
                    clear(out)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, point, rows);
criterion_main!(benches);
