//! COPY in, out and both, plain and under masks.

use crate::guard::TestGuard;
use crate::messages::{c, s};
use crate::simulation::{Cut, Simulation, contains, kinds};

fn masked(columns: &[&'static str]) -> Simulation {
    let guard = TestGuard { copy_columns: columns.to_vec(), ..TestGuard::default() };
    Simulation::with(guard, Cut::Whole, false)
}

/// Runs a COPY OUT of these CopyData payloads; returns what the client sees of them.
fn copied(sim: &mut Simulation, sql: &str, binary: bool, payloads: &[&[u8]]) -> Vec<Vec<u8>> {
    let columns = sim.guard.copy_columns.len();
    sim.c(&[c::query(sql)]);
    let mut reply = vec![s::copy_out(binary, columns)];
    reply.extend(payloads.iter().map(|payload| s::copy_data(payload)));
    reply.extend([s::copy_done(), s::complete("COPY 1"), s::ready(b'I')]);
    let seen = sim.s(&reply);
    assert!(sim.session.is_idle());
    let mut rest = seen.as_slice();
    let mut data = Vec::new();
    while let [kind, a, b, c, d, ..] = rest {
        let end = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap() + 1;
        if *kind == b'd' {
            data.push(rest[5..end].to_vec());
        }
        rest = &rest[end..];
    }
    data
}

#[test]
fn copy_in_of_a_simple_query_passes() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("COPY t FROM STDIN")]);
    assert_eq!(sim.s(&[s::copy_in()]), s::copy_in());
    let data = [c::copy_data(b"1\n"), c::copy_data(b"2\n"), c::flush(), c::copy_done()];
    assert_eq!(sim.c(&data), data.concat());
    assert_eq!(sim.segments.1, 1);
    let reply = [s::complete("COPY 2"), s::ready(b'I')];
    assert_eq!(sim.s(&reply), reply.concat());
    assert!(sim.session.is_idle());
    assert!(sim.guard.log.iter().any(|line| line.contains("tag COPY 2 rows 2") && line.contains("in 37")));
}

#[test]
fn sync_is_ignored_while_the_server_reads_copy_data() {
    for early in [true, false] {
        let mut sim = Simulation::new();
        let start = [c::parse("", "COPY"), c::bind("", "", &[], &[]), c::execute("", 0)];
        sim.c(&start);
        if early {
            sim.c(&[c::sync()]);
        }
        sim.s(&[s::parsed(), s::bound(), s::copy_in()]);
        if !early {
            sim.c(&[c::sync()]);
        }
        sim.c(&[
            c::copy_data(b"1\n"),
            c::sync(),
            c::copy_data(b"2\n"),
            c::copy_done(),
            c::sync(),
            c::query("SELECT 1"),
        ]);
        let reply = [s::complete("COPY 2"), s::ready(b'I'), s::complete("SELECT 0"), s::ready(b'I')];
        assert_eq!(sim.s(&reply), reply.concat());
        assert!(sim.session.is_idle());
    }
}

#[test]
fn copy_in_sent_ahead_of_its_reply_passes() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("COPY"), c::copy_data(b"1\n"), c::copy_done(), c::query("SELECT 1")]);
    let reply = [s::copy_in(), s::complete("COPY 1"), s::ready(b'I'), s::complete("SELECT 0"), s::ready(b'I')];
    assert_eq!(sim.s(&reply), reply.concat());
    assert!(sim.session.is_idle());
}

#[test]
fn a_failed_copy_in_of_a_simple_query_ignores_what_still_comes() {
    for end in [c::copy_done(), c::copy_fail("client gave up")] {
        let mut sim = Simulation::new();
        sim.c(&[c::query("COPY")]);
        sim.s(&[s::copy_in()]);
        sim.c(&[c::copy_data(b"bad\n")]);
        sim.s(&[s::error("22P04", "bad data"), s::ready(b'I')]);
        sim.c(&[c::copy_data(b"more\n"), end]);
        sim.passes(&[c::query("SELECT 1")], &[s::complete("SELECT 0"), s::ready(b'I')]);
    }
}

#[test]
fn a_failed_copy_in_of_the_extended_protocol_ends_at_the_next_sync() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "COPY"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()]);
    sim.s(&[s::parsed(), s::bound(), s::copy_in()]);
    sim.c(&[c::copy_data(b"bad\n")]);
    sim.s(&[s::error("22P04", "bad data")]);
    sim.c(&[c::copy_done(), c::sync()]);
    assert_eq!(sim.s(&[s::ready(b'I')]), s::ready(b'I'));
    sim.passes(
        &[c::parse("", "SELECT 1"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()],
        &[s::parsed(), s::bound(), s::complete("SELECT 0"), s::ready(b'I')],
    );
}

#[test]
fn a_sync_that_was_not_ignored_after_all_is_answered_too() {
    // A BEFORE STATEMENT trigger fails after CopyInResponse and before the server reads anything.
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "COPY"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()]);
    sim.s(&[s::parsed(), s::bound(), s::copy_in()]);
    sim.c(&[c::copy_data(b"x\n"), c::copy_done(), c::sync(), c::query("SELECT 1")]);
    let reply = [s::error("P0001", "no"), s::ready(b'I'), s::ready(b'I'), s::complete("SELECT 0"), s::ready(b'I')];
    assert_eq!(sim.s(&reply), reply.concat());
    assert!(sim.session.is_idle());
}

#[test]
fn messages_behind_an_uncertain_sync_end_the_session() {
    let mut sim = Simulation::new();
    sim.c(&[c::parse("", "COPY"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()]);
    sim.s(&[s::parsed(), s::bound(), s::copy_in(), s::error("P0001", "no")]);
    assert_eq!(sim.c_fault(&[c::parse("x", "SELECT 1")]).reason, "message_during_copy");
}

#[test]
fn other_messages_in_the_middle_of_copy_data_end_the_session() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("COPY")]);
    sim.s(&[s::copy_in()]);
    assert_eq!(sim.c_fault(&[c::query("SELECT 1")]).reason, "message_during_copy");
}

#[test]
fn copy_out_without_a_mask_is_one_piece() {
    let mut sim = Simulation::new();
    sim.c(&[c::query("COPY t TO STDOUT")]);
    let reply = [
        s::copy_out(false, 2),
        s::copy_data(b"1\t2\n"),
        s::copy_data(b"3\t4\n"),
        s::copy_done(),
        s::complete("COPY 2"),
        s::ready(b'I'),
    ];
    assert_eq!(sim.s(&reply), reply.concat());
    assert_eq!(sim.segments.0, 1);
}

#[test]
fn copy_both_streams_in_a_replication_session_only() {
    let mut sim = Simulation::with(TestGuard::default(), Cut::Whole, true);
    sim.c(&[c::query("START_REPLICATION")]);
    let stream = [s::copy_both(), s::copy_data(b"wal")];
    assert_eq!(sim.s(&stream), stream.concat());
    assert_eq!(sim.c(&[c::copy_data(b"status")]), c::copy_data(b"status"));
    assert_eq!(sim.c(&[c::copy_done()]), c::copy_done());
    let end = [
        s::copy_done(),
        s::description(&["tli"], 0),
        s::row(&[Some(b"2")]),
        s::complete("SELECT 1"),
        s::complete("START_STREAMING"),
        s::ready(b'I'),
    ];
    assert_eq!(sim.s(&end), end.concat());
    assert!(sim.session.is_idle());
    let mut sim = Simulation::new();
    sim.c(&[c::query("START_REPLICATION")]);
    assert_eq!(sim.s_fault(&[s::copy_both()]).reason, "unexpected_server_message");
}

#[test]
fn text_rows_are_masked_in_place_where_lengths_stay() {
    let mut sim = masked(&["plain", "redact", "detect"]);
    let data =
        copied(&mut sim, "COPY MASK", false, &[b"1\tSECRET\ta@b\n", b"2\t\\N\tab\n", b"3\tSEC\\tRET\t\\\\a@b\n"]);
    assert_eq!(data[0], b"1\t******\t***\n");
    assert_eq!(data[1], b"2\t\\N\tab\n");
    assert_eq!(data[2], b"3\t*******\t****\n", "the value is masked, not its spelling");
    sim.c(&[c::query("COPY MASK")]);
    sim.s(&[s::copy_out(false, 3), s::copy_data(b"1\tSECRET\ta@b\n"), s::copy_data(b"1\tSECRET\ta@b\n")]);
    assert_eq!(sim.segments.0, 1, "zero copy");
}

#[test]
fn text_rows_are_rebuilt_where_lengths_change() {
    let mut sim = masked(&["null", "longer", "plain"]);
    let data = copied(&mut sim, "COPY MASK", false, &[b"SECRET\tSECRET\tx\\n\n"]);
    assert_eq!(data, [b"\\N\t<withheld,\\t\"quoted\" \\\\ >\tx\\n\n".to_vec()]);
}

#[test]
fn text_rows_may_be_cut_into_frames_anywhere() {
    let mut sim = masked(&["redact", "plain"]);
    let data =
        copied(&mut sim, "COPY MASK", false, &[b"SEC", b"RET\tx\nSECRET\t", b"y\nSECRET\tz\nSE", b"", b"CRET\tw"]);
    assert_eq!(data.concat(), b"******\tx\n******\ty\n******\tz\n******\tw");
    assert_eq!(data.len(), 4);
}

#[test]
fn a_text_header_line_passes() {
    let mut sim = masked(&["redact", "detect"]);
    let data = copied(&mut sim, "COPY MASK HEADER", false, &[b"redact\ta@\n", b"SECRET\ta@\n"]);
    assert_eq!(data.concat(), b"redact\ta@\n******\t**\n");
}

#[test]
fn csv_rows_are_masked_with_their_quotes() {
    let mut sim = masked(&["redact", "plain", "longer", "detect"]);
    let rows: [&[u8]; 3] = [b"SECRET,\"a,\nb\",x,\"a\"\"@\"\n", b",p,,\n", b"\"SEC\"\"RET\",\"\",y,a@b\n"];
    let data = copied(&mut sim, "COPY MASK CSV", false, &rows);
    let longer = "\"<withheld,\t\"\"quoted\"\" \\ >\"";
    assert_eq!(data[0], format!("******,\"a,\nb\",{longer},\"***\"\n").into_bytes());
    assert_eq!(data[1], b",p,,\n", "NULL stays NULL");
    assert_eq!(data[2], format!("\"*******\",\"\",{longer},***\n").into_bytes());
}

#[test]
fn csv_rows_may_be_cut_inside_quotes() {
    let mut sim = masked(&["redact", "plain"]);
    let data = copied(&mut sim, "COPY MASK CSV HEADER", false, &[b"redact,pl", b"ain\n\"SEC\nRE", b"T\"\"\",x\n"]);
    assert_eq!(data.concat(), b"redact,plain\n\"********\",x\n");
}

fn tuple(cells: &[Option<&[u8]>]) -> Vec<u8> {
    s::row(cells)[5..].to_vec()
}

const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02xx";

#[test]
fn binary_tuples_are_masked() {
    let mut sim = masked(&["redact", "null", "longer", "detect"]);
    let first = [BINARY_HEADER, &tuple(&[Some(b"SECRET"), Some(b"SECRET"), Some(b""), Some(b"a@b")])].concat();
    let second = tuple(&[None, None, None, Some(b"ab")]);
    let data = copied(&mut sim, "COPY MASK BINARY", true, &[&first, &second, b"\xff\xff"]);
    let expected = tuple(&[Some(b"******"), None, Some(b"<withheld,\t\"quoted\" \\ >"), Some(b"***")]);
    assert_eq!(data[0], [BINARY_HEADER, &expected].concat());
    assert_eq!((&data[1][..], &data[2][..]), (&second[..], &b"\xff\xff"[..]));
    // The same bytes in one-byte frames.
    let stream = [&first[..], &second, b"\xff\xff"].concat();
    let payloads: Vec<&[u8]> = stream.chunks(1).collect();
    let again = copied(&mut sim, "COPY MASK BINARY", true, &payloads);
    assert_eq!(again.concat(), data.concat());
}

#[test]
fn rows_over_the_gathering_limit_are_overwritten_as_they_stream() {
    let huge = "SECRET".repeat(400_000);
    for (sql, row) in [
        ("COPY MASK", format!("1\t{huge}\tend\\n\n2\tSECRET\tz\n")),
        ("COPY MASK CSV", format!("1,\"{huge}\",end\n2,SECRET,z\n")),
    ] {
        for cut in [usize::MAX, 300_000, 70_000] {
            let mut sim = masked(&["plain", "redact", "plain"]);
            let payloads: Vec<&[u8]> = row.as_bytes().chunks(cut).collect();
            let data = copied(&mut sim, sql, false, &payloads).concat();
            assert_eq!(data.len(), row.len());
            assert!(!contains(&data, b"SECRET") && contains(&data, b"end"));
            assert!(data.ends_with(b"z\n"));
        }
    }
    let cell = vec![b'S'; 3 << 20];
    let stream = [
        BINARY_HEADER,
        &tuple(&[Some(&cell), Some(b"plain"), None]),
        &tuple(&[Some(b"SECRET"), None, None]),
        b"\xff\xff",
    ]
    .concat();
    for cut in [usize::MAX, 500_000] {
        let mut sim = masked(&["redact", "plain", "null"]);
        let payloads: Vec<&[u8]> = stream.chunks(cut).collect();
        let data = copied(&mut sim, "COPY MASK BINARY", true, &payloads).concat();
        assert!(data.len() == stream.len() && !contains(&data, b"SSS") && !contains(&data, b"SECRET"));
        assert!(contains(&data, b"plain"));
    }
}

#[test]
fn copy_data_that_does_not_fit_its_description_ends_the_session() {
    for (sql, binary, data) in [
        ("COPY MASK", false, &b"1\t2\t3\n"[..]),
        ("COPY MASK", false, b"1\n"),
        ("COPY MASK CSV", false, b"1,2,3\n"),
        ("COPY MASK BINARY", true, b"not a signature at all"),
    ] {
        let mut sim = masked(&["redact", "plain"]);
        sim.c(&[c::query(sql)]);
        let fault = sim.s_fault(&[s::copy_out(binary, 2), s::copy_data(data)]);
        assert_eq!(fault.reason, "malformed_copy_data");
    }
}

#[test]
fn copy_out_under_a_mask_needs_an_encoding_that_hides_no_separators() {
    let mut sim = masked(&["redact"]);
    sim.s(&[s::setting("client_encoding", "SJIS")]);
    sim.c(&[c::query("COPY MASK")]);
    assert_eq!(sim.s_fault(&[s::copy_out(false, 1)]).reason, "copy_encoding");
}

#[test]
fn copy_out_of_a_portal_is_masked() {
    let mut sim = masked(&["redact"]);
    sim.c(&[c::parse("", "COPY MASK"), c::bind("", "", &[], &[]), c::execute("", 0), c::sync()]);
    let seen = sim.s(&[
        s::parsed(),
        s::bound(),
        s::no_data(),
        s::copy_out(false, 1),
        s::copy_data(b"SECRET\n"),
        s::copy_done(),
        s::complete("COPY 1"),
        s::ready(b'I'),
    ]);
    assert_eq!(kinds(&seen), "12HdcCZ");
    assert!(!contains(&seen, b"SECRET"));
}
