//! A line of the audit log: with the parts that sessions and statements encode once, and those parts.
//!
//! Lines are appended to a buffer that is emptied when it is as large as a batch; no file is written.

use std::hint::black_box;

use audit::{Identity, Judged, MaskCount, Parameter, Record, Statement, Subject, Summary, Text, Verdict, encode};

use super::Case;

const BATCH_BYTES: usize = 64 * 1024;
const SQL: &[u8] = b"SELECT abalance FROM pgbench_accounts WHERE aid = $1";

fn identity() -> Identity {
    Identity::encode(&Subject {
        session: "0-1753000000000-42",
        client: "127.0.0.1:51234",
        listener: "bench",
        user: b"trust_user",
        groups: &["support"],
        database: b"bench",
        application: b"pgbench",
    })
}

fn summary() -> Summary {
    Summary::encode(&Judged {
        statement: SQL.into(),
        kinds: &["select"],
        relations: &["public.pgbench_accounts"],
        verdict: Verdict::Allow,
        rule: None,
        reported: &[],
    })
}

fn statement<'a>(
    identity: &'a Identity,
    summary: &'a Summary,
    parameters: &'a [Parameter<'a>; 1],
    masks: &'a [MaskCount<'a>],
) -> Statement<'a> {
    Statement {
        unix_ns: 1_753_000_000_123_456_789,
        identity,
        summary,
        number: 1234,
        part: 0,
        parameters,
        masks,
        oversized_cells: 0,
        local_file: None,
        rows: 1,
        bytes_in: 52,
        bytes_out: 91,
        tag: b"SELECT 1",
        sqlstate: None,
        error_code: None,
        server_ns: 43_000,
        gateway_ns: 6_000,
        suspended: false,
        abandoned: false,
    }
}

/// Lines of two statements, and the parts of lines.
pub(crate) fn cases() -> Vec<Case> {
    const MASKS: [MaskCount<'_>; 2] =
        [MaskCount { rule: "card numbers", cells: 100 }, MaskCount { rule: "holders", cells: 100_000 }];
    let line = |name: &str, masks: &'static [MaskCount<'static>]| {
        let (identity, summary) = (identity(), summary());
        let mut out = Vec::with_capacity(2 * BATCH_BYTES);
        Case::new("audit line", name, move || {
            let parameters = [Parameter::Text(Text::from(&b"123456"[..]))];
            encode(&Record::Statement(black_box(statement(&identity, &summary, &parameters, masks))), &mut out);
            if out.len() > BATCH_BYTES {
                out.clear();
            }
            out.len()
        })
    };
    vec![
        line("point query", &[]),
        line("two masks", &MASKS),
        Case::new("audit, encoded once", "session", || {
            black_box(identity());
            1
        }),
        Case::new("audit, encoded once", "statement", || {
            black_box(summary());
            1
        }),
    ]
}
