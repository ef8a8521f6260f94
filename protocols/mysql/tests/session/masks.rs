//! Rows under a plan, text and binary.

use crate::messages::{S, c, string, text_row};
use crate::simulation::{Dialect, Simulation, contains, packets};

fn rows(names: &[&str], rows: &[Vec<Option<&[u8]>>]) -> (Simulation, Vec<Vec<u8>>) {
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.c(&[c::query("SELECT MASK")]);
    let start = s.texts(names);
    let skip = names.len() + 1;
    let rows: Vec<Vec<u8>> = rows.iter().map(|row| s.row(row)).collect();
    let seen = sim.s(&[start, rows.concat()]);
    let seen = packets(&seen);
    for (index, (seq, _)) in seen.iter().enumerate() {
        assert_eq!(usize::from(*seq), (index + 1) % 256);
    }
    (sim, seen.into_iter().skip(skip).map(|(_, payload)| payload).collect())
}

#[test]
fn cells_that_keep_their_length_are_masked_where_they_lie() {
    let (sim, seen) = rows(&["plain", "redact"], &[vec![Some(b"a"), Some(b"SECRET")], vec![None, None]]);
    assert_eq!(seen, [text_row(&[Some(b"a"), Some(b"******")]), text_row(&[None, None])]);
    assert_eq!(sim.segments.0, 1);
    let plan = "plan SELECT MASK part 0 [\"shop.customers.plain\", \"shop.customers.redact\"]";
    assert!(sim.guard.log.contains(&plan.to_owned()), "{:?}", sim.guard.log);
}

#[test]
fn rows_whose_length_changes_are_rebuilt_between_those_that_stay() {
    let longer = b"withheld from you".repeat(20);
    let (sim, seen) = rows(
        &["plain", "null", "longer"],
        &[
            vec![Some(b"a"), None, None],
            vec![Some(b"b"), Some(b"SECRET"), Some(b"SECRET")],
            vec![Some(b"c"), None, None],
        ],
    );
    let expected = [
        text_row(&[Some(b"a"), None, None]),
        text_row(&[Some(b"b"), None, Some(&longer)]),
        text_row(&[Some(b"c"), None, None]),
    ];
    assert_eq!(seen, expected);
    assert_eq!(sim.segments.0, 3);
}

#[test]
fn detectors_see_only_cells_that_are_hinted_at() {
    let many: Vec<Vec<Option<&[u8]>>> =
        (0..100).map(|index| vec![Some(if index == 50 { &b"a@b"[..] } else { b"a-b" })]).collect();
    let (sim, seen) = rows(&["detect"], &many);
    let seen = seen.concat();
    assert!(!contains(&seen, b"a@b") && contains(&seen, b"a-b") && contains(&seen, b"***"));
    assert_eq!(sim.segments.0, 1);
}

#[test]
fn rows_that_do_not_fit_the_description_end_the_session() {
    for payload in [&b"\x01a"[..], b"\x01a\x01b\x01c", b"\x01a\x05b", b"\xfb\xfb\xfb", b"\x01a\xff", b"\x01a\xfc\x01"] {
        let mut sim = Simulation::new();
        let mut s = S::new(true);
        sim.c(&[c::query("SELECT MASK")]);
        let fault = sim.s_fault(&[s.texts(&["redact", "redact"]), s.raw(payload)]);
        assert_eq!(fault.reason, "malformed_row", "{payload:?}");
    }
}

#[test]
fn statements_of_one_text_have_their_own_plans() {
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.c(&[c::query("SELECT MASK")]);
    let seen = sim.s(&[
        s.texts(&["plain"]),
        s.row(&[Some(b"first")]),
        s.end(crate::messages::MORE),
        s.texts(&["redact"]),
        s.row(&[Some(b"SECRET")]),
        s.end(0),
    ]);
    assert!(contains(&seen, b"first") && !contains(&seen, b"SECRET"));
    assert!(sim.guard.log.contains(&"plan SELECT MASK part 1 [\"shop.customers.redact\"]".to_owned()));
}

/// The types of a binary row, a value of each, and its redacted form.
fn every_type() -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let text = |kind, value: &[u8]| (kind, string(value), string(&vec![b'*'; value.len()]));
    let digits = |kind, value: &[u8]| (kind, string(value), string(&vec![b'0'; value.len()]));
    let day = || b"\x04\xd0\x07\x01\x01".to_vec();
    vec![
        (0x01, vec![0x85], vec![0]),
        (0x02, vec![0x39, 0x30], vec![0, 0]),
        (0x03, vec![0xd2, 0x02, 0x96, 0x49], vec![0; 4]),
        (0x09, vec![1, 0, 0, 0], vec![0; 4]),
        (0x08, 4_111_111_111_111_111_i64.to_le_bytes().to_vec(), vec![0; 8]),
        (0x0d, vec![0xe8, 0x07], vec![0, 0]),
        (0x04, 12.5_f32.to_le_bytes().to_vec(), vec![0; 4]),
        (0x05, 12.5_f64.to_le_bytes().to_vec(), vec![0; 8]),
        (0x0a, b"\x04\xda\x07\x0a\x11".to_vec(), day()),
        (0x0c, b"\x07\xda\x07\x0a\x11\x13\x1b\x1e".to_vec(), day()),
        (0x07, b"\x0b\xda\x07\x0a\x11\x13\x1b\x1e\x01\0\0\0".to_vec(), day()),
        (0x0b, b"\x0c\x01\x78\0\0\0\x13\x1b\x1e\x01\0\0\0".to_vec(), b"\0".to_vec()),
        text(0xf6, b"-12.50"),
        digits(0xf6, b"1250"),
        text(0xf5, b"{\"card\": \"4111\"}"),
        text(0xf7, b"gold"),
        text(0xf8, b"a,b"),
        text(0x10, b"\x05\x01"),
        text(0xff, b"\0\0\0\0\x01\x01"),
        text(0xfc, &vec![b'x'; 300]),
        text(0xfd, b"SECRET"),
        text(0xfe, b"SECRET"),
        text(0x0f, b"SECRET"),
        text(0x00, b"1.x"),
        text(0xf2, b"\0\0\x80\x3f"),
    ]
}

fn binary(name: &str, types: &[u8], row: &[Option<&[u8]>]) -> (Vec<u8>, Vec<u8>) {
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.c(&[c::prepare("SELECT MASK")]);
    sim.s(&[s.prepared(1, &[], 0)]);
    sim.c(&[c::execute(1, 0, b"")]);
    let mut s = S::new(true);
    let columns: Vec<(&str, u8)> = types.iter().map(|kind| (name, *kind)).collect();
    let start = s.columns(&columns);
    let row = s.binary_row(row);
    let end = s.end(0);
    let seen = sim.s(&[start.clone(), row.clone(), end.clone()]);
    assert!(sim.session.is_idle());
    (row, seen[start.len()..seen.len() - end.len()].to_vec())
}

#[test]
fn every_type_is_masked_in_a_binary_row() {
    let all = every_type();
    let types: Vec<u8> = all.iter().map(|(kind, ..)| *kind).collect();
    let row: Vec<Option<&[u8]>> = all.iter().map(|(_, value, _)| Some(&value[..])).collect();
    let (sent, seen) = binary("plain", &types, &row);
    assert_eq!(sent, seen);
    let (sent, seen) = binary("redact", &types, &row);
    let expected: Vec<Option<&[u8]>> = all.iter().map(|(_, _, masked)| Some(&masked[..])).collect();
    assert_eq!(packets(&seen)[0].1, crate::messages::binary_row(&expected));
    assert_eq!(seen[3], sent[3]);
    let (_, seen) = binary("null", &types, &row);
    assert_eq!(packets(&seen)[0].1, crate::messages::binary_row(&vec![None; types.len()]));
}

#[test]
fn nulls_take_no_bytes_of_a_binary_row() {
    let types = [0xfd; 9];
    let mut row: [Option<&[u8]>; 9] = [None; 9];
    row[7] = Some(b"\x06SECRET");
    let (_, seen) = binary("redact", &types, &row);
    row[7] = Some(b"\x06******");
    assert_eq!(packets(&seen)[0].1, crate::messages::binary_row(&row));
}

#[test]
fn a_type_that_is_not_known_is_not_passed_under_a_mask() {
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.c(&[c::prepare("SELECT MASK")]);
    sim.s(&[s.prepared(1, &[], 0)]);
    sim.c(&[c::execute(1, 0, b"")]);
    let mut s = S::new(true);
    let columns = s.columns(&[("redact", 0x42)]);
    assert_eq!(sim.s_fault(&[columns]).reason, "unknown_column_type");
}

#[test]
fn extended_metadata_does_not_hide_the_origin() {
    let mut sim = Simulation::speaking(Dialect { extended: true, ..Dialect::default() });
    sim.c(&[c::query("SELECT MASK")]);
    let mut s = S::new(true);
    let mut payload = Vec::new();
    for field in ["def", "shop", "c", "customers", "redact", "redact"] {
        payload.extend(string(field.as_bytes()));
    }
    payload.extend(string(b"\x01\x04json"));
    payload.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, 0xfc, 0, 0, 0, 0, 0]);
    let seen = sim.s(&[s.raw(&[1]), s.raw(&payload), s.row(&[Some(b"SECRET")]), s.end(0)]);
    assert!(!contains(&seen, b"SECRET"));
}

#[test]
fn a_row_over_the_gathering_limit_is_masked_as_it_streams() {
    let huge = b"SECRET".repeat(500_000);
    let mut s = S::new(true);
    let start = s.texts(&["redact", "plain", "detect", "redact", "redact"]);
    let row = s.row(&[Some(&huge), Some(b"plain"), Some(&huge), None, Some(b"")]);
    let mut sim = Simulation::new();
    sim.c(&[c::query("SELECT MASK")]);
    sim.s(&[start]);
    let mut seen = Vec::new();
    for chunk in row.chunks(65_536) {
        seen.extend(sim.s(&[chunk.to_vec()]));
        assert_eq!(sim.segments.0, 1, "zero copy");
    }
    let stars = vec![b'*'; huge.len()];
    assert!(packets(&seen)[0].1 == text_row(&[Some(&stars), Some(b"plain"), Some(&stars), None, Some(b"")]));
    sim.s(&[s.row(&[None, None, None, None, None]), s.end(0)]);
    assert!(sim.session.is_idle());
}

/// A message of several packets.
fn long(s: &mut S, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = payload;
    loop {
        let (now, later) = rest.split_at(rest.len().min(0xff_ffff));
        let [a, b, c, ..] = now.len().to_le_bytes();
        out.extend_from_slice(&[a, b, c, s.seq]);
        out.extend_from_slice(now);
        s.seq = s.seq.wrapping_add(1);
        rest = later;
        if now.len() < 0xff_ffff {
            return out;
        }
    }
}

#[test]
fn a_row_of_several_packets_is_masked_across_them() {
    // One row that ends in the middle of a packet, one that is an exact multiple and ends with an empty one.
    for extra in [100, 0] {
        let length = 2 * 0xff_ffff - 9 - 2 + extra;
        let cell = vec![b'S'; length];
        let mut s = S::new(true);
        let start = s.texts(&["redact", "plain"]);
        let row = long(&mut s, &text_row(&[Some(&cell), Some(b"p")]));
        let end = s.end(0);
        let mut sim = Simulation::new();
        sim.c(&[c::query("SELECT MASK")]);
        let seen = sim.s(&[start, row.clone(), end]);
        assert!(!seen.iter().skip(200).any(|byte| *byte == b'S'));
        let lengths: Vec<usize> = packets(&seen).iter().skip(3).map(|(_, payload)| payload.len()).collect();
        assert_eq!(lengths, [0xff_ffff, 0xff_ffff, extra, 7]);
        assert!(sim.session.is_idle());
        assert!(sim.guard.log.iter().any(|line| line.contains("rows 1")));
    }
}

#[test]
fn a_huge_binary_row_loses_its_numbers_and_texts() {
    let huge = string(&b"SECRET".repeat(300_000));
    let mut sim = Simulation::new();
    let mut s = S::new(true);
    sim.c(&[c::prepare("SELECT MASK")]);
    sim.s(&[s.prepared(1, &[], 0)]);
    sim.c(&[c::execute(1, 0, b"")]);
    let mut s = S::new(true);
    let types = [("redact", 8), ("redact", 0xfd), ("plain", 3), ("redact", 0x0c), ("redact", 0xfd)];
    let start = s.columns(&types);
    let fields: [Option<&[u8]>; 5] =
        [Some(&[7; 8]), Some(&huge), Some(&[9, 9, 9, 9]), Some(b"\x07\xda\x07\x0a\x11\x13\x1b\x1e"), None];
    let row = s.binary_row(&fields);
    let seen = sim.s(&[start.clone(), row, s.end(0)]);
    let stars = string(&vec![b'*'; 1_800_000]);
    let expected: [Option<&[u8]>; 5] =
        [Some(&[0; 8]), Some(&stars), Some(&[9, 9, 9, 9]), Some(b"\x07\0\0\0\0\0\0\0"), None];
    assert!(packets(&seen[start.len()..])[0].1 == crate::messages::binary_row(&expected));
    assert!(sim.session.is_idle());
}
