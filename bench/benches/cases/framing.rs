//! What the Postgres session itself costs: a point query's exchange, and 64 KiB of rows under several plans.
//!
//! The guard is [`BenchGuard`], so that no verdict cache, audit or socket is in the figure.

use std::hint::black_box;
use std::sync::Arc;

use policy::mask::{Method, RowMask};
use postgres::session::{Output, Session, SessionOptions, TransactionStatus};

use super::Case;
use super::data::{NAMES, batch, copy_batch, detector_mask, frame, row};
use super::guard::{BenchGuard, column_mask, description};

type State = (Session<BenchGuard>, BenchGuard, Output);

fn session(plan: Option<RowMask>) -> State {
    let options = SessionOptions { protocol: (3, 0), replication: false, transaction: TransactionStatus::Idle };
    (Session::new(options), BenchGuard { plan: plan.map(Arc::new), ..BenchGuard::default() }, Output::default())
}

/// Feeds both directions in turn; each side's bytes are whole messages.
fn exchange((session, guard, out): &mut State, client: &mut [u8], server: &mut [u8]) -> usize {
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

fn points() -> Vec<Case> {
    let simple = || {
        let server = [description(&["abalance"]), row(&["-1234".to_owned()]), frame(b'C', b"SELECT 1\0")];
        let client = frame(b'Q', b"SELECT abalance FROM pgbench_accounts WHERE aid = 123456\0");
        (client, [server.concat(), frame(b'Z', b"I")].concat())
    };
    [
        ("no rule concerns it", None, execution()),
        ("columns planned", Some(column_mask(Method::Redact)), execution()),
        ("simple, no rule concerns it", None, simple()),
    ]
    .into_iter()
    .map(|(name, plan, (mut client, mut server))| {
        let mut state = session(plan);
        let (mut parse, mut parsed) = preparation();
        exchange(&mut state, &mut parse, &mut parsed);
        Case::new("point query", name, move || exchange(&mut state, black_box(&mut client), black_box(&mut server)))
    })
    .collect()
}

/// A session in the middle of a result: the next bytes are rows.
fn in_result(plan: Option<RowMask>) -> State {
    let mut state = session(plan);
    let mut client = frame(b'Q', b"SELECT * FROM wide_plain\0");
    let mut server = description(&NAMES);
    exchange(&mut state, &mut client, &mut server);
    state
}

/// A session in the middle of COPY out: the next bytes are lines.
fn in_copy(plan: Option<RowMask>) -> State {
    let mut state = session(plan);
    let mut client = frame(b'Q', b"COPY wide_plain TO STDOUT\0");
    let columns = u16::try_from(NAMES.len()).expect("few columns").to_be_bytes();
    let mut server = frame(b'H', &[&[0][..], &columns, &[0; 2 * NAMES.len()]].concat());
    exchange(&mut state, &mut client, &mut server);
    state
}

/// Batches of COPY data in text, a line a frame.
fn copies() -> impl Iterator<Item = Case> {
    let lines = copy_batch();
    let plans = [
        ("forward", None, false),
        ("one column redacted", Some(column_mask(Method::Redact)), true),
        ("three detectors, clean", Some(detector_mask()), false),
    ];
    plans.into_iter().map(move |(name, plan, masks)| {
        let mut state = in_copy(plan);
        state.0.on_server(&mut lines.clone(), &mut state.1, &mut state.2).expect("lines");
        assert_ne!(state.1.counts.is_empty(), masks, "{name}: what is measured must do what it says");
        clear(&mut state.2);
        let run = move |bytes: &mut [u8]| {
            let (session, guard, out) = &mut state;
            session.on_server(bytes, guard, out).expect("lines");
            clear(out)
        };
        Case::changing("64 KiB of COPY data", name, lines.clone(), run).of_bytes(lines.len())
    })
}

/// Exchanges of a point query, and batches of rows and of COPY data.
pub(crate) fn cases() -> Vec<Case> {
    let clean = batch(None);
    let dense = batch(Some(3));
    let plans: [(&str, &Vec<u8>, Option<RowMask>, bool); 5] = [
        ("forward", &clean, None, false),
        ("one column redacted", &clean, Some(column_mask(Method::Redact)), true),
        ("one column NULL", &clean, Some(column_mask(Method::Null)), true),
        ("three detectors, clean", &clean, Some(detector_mask()), false),
        ("three detectors, every third row a hit", &dense, Some(detector_mask()), true),
    ];
    let rows = plans.map(|(name, bytes, plan, masks)| {
        let mut state = in_result(plan);
        state.0.on_server(&mut bytes.clone(), &mut state.1, &mut state.2).expect("rows");
        assert_ne!(state.1.counts.is_empty(), masks, "{name}: what is measured must do what it says");
        clear(&mut state.2);
        // Masking happens in place: each time the rows are new, and their copy is not in the figure.
        let run = move |bytes: &mut [u8]| {
            let (session, guard, out) = &mut state;
            session.on_server(bytes, guard, out).expect("rows");
            clear(out)
        };
        Case::changing("64 KiB of rows", name, bytes.clone(), run).of_bytes(bytes.len())
    });
    points().into_iter().chain(rows).chain(copies()).collect()
}
