//! The table of the module, row by row, through [`RowMask`].

use wire::guard::{CellOutcome, Treatment};
use wire::value::{Encoding, ValueType};

use super::number::numeric_binary;
use super::*;
use crate::rule::RuleId;

const RULE: RuleId = RuleId(7);

fn row_mask(value_type: ValueType, encoding: Encoding, nullable: bool, method: Method) -> RowMask {
    RowMask::new(vec![ColumnSpec { value_type, encoding, nullable, mask: Some((RULE, method)), detectors: None }])
}

/// The masked cell, `None` for NULL.
fn masked(value_type: ValueType, encoding: Encoding, nullable: bool, method: Method, cell: &[u8]) -> Option<Vec<u8>> {
    let mut cell = cell.to_vec();
    let mut counts = MaskCounts::new();
    let outcome = row_mask(value_type, encoding, nullable, method).mask_cell(0, &mut cell, &mut counts);
    assert_eq!(counts.by_rule(), [(RULE, 1)]);
    match outcome {
        CellOutcome::InPlace => Some(cell),
        CellOutcome::Null => None,
        CellOutcome::Replace(bytes) => Some(bytes),
    }
}

/// Type, value, and what `redact` leaves where NULL is and is not possible.
type Row<'a> = (ValueType, &'a [u8], Option<&'a [u8]>, &'a [u8]);

fn check_redact(encoding: Encoding, rows: &[Row<'_>]) {
    for &(value_type, value, nullable, otherwise) in rows {
        let name = format!("{value_type:?} {encoding:?} {value:?}");
        let redacted = masked(value_type, encoding, true, Method::Redact, value);
        assert_eq!(redacted.as_deref(), nullable, "{name}");
        let redacted = masked(value_type, encoding, false, Method::Redact, value);
        assert_eq!(redacted.as_deref(), Some(otherwise), "{name}, NOT NULL");
        assert_eq!(masked(value_type, encoding, true, Method::Null, value), None, "{name}, null");
        let null = masked(value_type, encoding, false, Method::Null, value);
        assert_eq!(null.as_deref(), Some(otherwise), "{name}, null, NOT NULL");
    }
}

#[test]
fn redact_and_null_leave_texts_that_their_type_allows() {
    let same = |value_type, value: &'static str, masked: &'static str| {
        (value_type, value.as_bytes(), Some(masked.as_bytes()), masked.as_bytes())
    };
    let null =
        |value_type, value: &'static str, masked: &'static str| (value_type, value.as_bytes(), None, masked.as_bytes());
    check_redact(
        Encoding::Text,
        &[
            same(ValueType::Array, "{1,2}", "{}"),
            same(ValueType::Bit, "101", "000"),
            same(ValueType::Bool, "t", "f"),
            same(ValueType::Bytes, r"\xab12", r"\x0000"),
            same(ValueType::Cidr, "10.0.0.0/8", "0.0.0.0/0"),
            same(ValueType::Cidr, "fe80::/64", "::/0"),
            null(ValueType::Composite, "(1,\"a,b\",)", "(,,)"),
            null(ValueType::Date, "1984-05-06", "2000-01-01"),
            null(ValueType::Date, "06.05.1984", "2000-01-01"),
            same(ValueType::Float4, "-1.5e-07", "00.00000"),
            same(ValueType::Float8, "Infinity", "00000000"),
            same(ValueType::Inet, "10.0.0.1/24", "0.0.0.0"),
            same(ValueType::Inet, "fe80::1", "::"),
            same(ValueType::Int2, "-3", "00"),
            same(ValueType::Int4, "123456", "000000"),
            same(ValueType::Int8, "4111111111111111", "0000000000000000"),
            null(ValueType::Interval, "1 year", "00:00:00"),
            same(ValueType::Json, r#"{"a":1}"#, r#""*****""#),
            same(ValueType::Json, "1", "0"),
            same(ValueType::Jsonb, "null", "\"**\""),
            same(ValueType::Macaddr, "08:00:2b:01:02:03", "00:00:00:00:00:00"),
            same(ValueType::Money, "-$1,234.56", " $0,000.00"),
            same(ValueType::Numeric, "-12.50", "000.00"),
            same(ValueType::Numeric, "NaN", "000"),
            same(ValueType::Oid, "16384", "00000"),
            same(ValueType::Range, "[1,5)", "empty"),
            same(ValueType::Range, "{[1,5)}", "{}"),
            same(ValueType::Text, "Zoë", "****"),
            same(ValueType::Text, "", ""),
            null(ValueType::Time, "12:34:56", "00:00:00"),
            null(ValueType::Timetz, "12:34:56+02", "00:00:00+00"),
            null(ValueType::Timestamp, "1984-05-06 07:08:09", "2000-01-01 00:00:00"),
            null(ValueType::Timestamp, "1984-05-06 07:08:09.5-03", "2000-01-01 00:00:00+00"),
            same(ValueType::Unknown, "happy", "*****"),
            same(ValueType::Uuid, "123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"),
        ],
    );
}

#[test]
fn redact_and_null_leave_binary_values_that_their_type_allows() {
    let same = |value_type, value: &'static [u8], masked: &'static [u8]| (value_type, value, Some(masked), masked);
    let null = |value_type, value: &'static [u8], masked: &'static [u8]| (value_type, value, None, masked);
    const ARRAY: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9];
    check_redact(
        Encoding::PgBinary,
        &[
            same(ValueType::Array, ARRAY, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23]),
            same(ValueType::Bit, &[0, 0, 0, 3, 0xa0], &[0, 0, 0, 3, 0]),
            same(ValueType::Bool, &[1], &[0]),
            same(ValueType::Bytes, &[0xab, 0x12], &[0, 0]),
            same(ValueType::Cidr, &[2, 8, 1, 4, 10, 0, 0, 0], &[2, 0, 1, 4, 0, 0, 0, 0]),
            null(
                ValueType::Composite,
                &[0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 1, b'a'],
                &[0, 0, 0, 1, 0, 0, 0, 25, 255, 255, 255, 255],
            ),
            same(ValueType::Date, &[255, 255, 1, 2], &[0; 4]),
            same(ValueType::Float4, &[1; 4], &[0; 4]),
            same(ValueType::Float8, &[1; 8], &[0; 8]),
            same(ValueType::Inet, &[2, 24, 0, 4, 10, 0, 0, 1], &[2, 32, 0, 4, 0, 0, 0, 0]),
            same(ValueType::Int2, &[1; 2], &[0; 2]),
            same(ValueType::Int4, &[1; 4], &[0; 4]),
            same(ValueType::Int8, &[1; 8], &[0; 8]),
            same(ValueType::Interval, &[1; 16], &[0; 16]),
            same(ValueType::Json, b"[1]", b"\"*\""),
            same(ValueType::Jsonb, b"\x01[1]", b"\x01\"*\""),
            same(ValueType::Macaddr, &[1; 6], &[0; 6]),
            same(ValueType::Money, &[1; 8], &[0; 8]),
            same(ValueType::Numeric, &[0, 1, 0, 0, 0x40, 0, 0, 0, 0, 5], &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            same(ValueType::Numeric, &[0, 0, 0, 0, 0xc0, 0, 0, 0], &[0; 8]),
            same(ValueType::Oid, &[1; 4], &[0; 4]),
            same(ValueType::Range, &[2, 0, 0, 0, 1, 5, 0, 0, 0, 1, 9], &[1]),
            same(ValueType::Range, &[0, 0, 0, 1, 0, 0, 0, 1, 0x18], &[0; 4]),
            same(ValueType::Text, b"secret", b"******"),
            same(ValueType::Time, &[1; 8], &[0; 8]),
            same(ValueType::Timetz, &[1; 12], &[0; 12]),
            same(ValueType::Timestamp, &[1; 8], &[0; 8]),
            null(ValueType::Unknown, b"secret", &[0; 6]),
            same(ValueType::Uuid, &[1; 16], &[0; 16]),
        ],
    );
}

#[test]
fn keep_leaves_the_ends_of_texts_and_whole_numbers_and_redacts_the_rest() {
    let keep = Method::Keep { first: 1, last: 4 };
    let text = |value_type, value: &str| {
        String::from_utf8(masked(value_type, Encoding::Text, false, keep.clone(), value.as_bytes()).unwrap()).unwrap()
    };
    for (value_type, value, kept) in [
        (ValueType::Text, "4111-1111-1111-1111", "4***-****-****-1111"),
        (ValueType::Text, "4111 1111 1111 1111", "4*** **** **** 1111"),
        (ValueType::Text, "short", "*****"),
        (ValueType::Unknown, "0123456789", "0*****6789"),
        (ValueType::Int8, "-4111111111111111", "04000000000001111"),
        (ValueType::Int4, "1234", "0000"),
        (ValueType::Numeric, "12345678.90", "10000078.90"),
        (ValueType::Numeric, "-Infinity", "000000000"),
        (ValueType::Uuid, "123e4567-e89b-12d3-a456-426614174abc", "10000000-0000-0000-0000-000000004abc"),
        (ValueType::Float8, "123456789.25", "000000000.00"),
        (ValueType::Bytes, r"\x0123456789", r"\x0000000000"),
        (ValueType::Json, r#""0123456789""#, r#""**********""#),
        (ValueType::Bool, "t", "f"),
        (ValueType::Date, "1984-05-06", "2000-01-01"),
        (ValueType::Array, "{a}", "{}"),
        (ValueType::Money, "$1,234.00", "$0,000.00"),
    ] {
        assert_eq!(text(value_type, value), kept, "{value_type:?}");
    }
    let binary = |value_type, value: &[u8]| masked(value_type, Encoding::PgBinary, false, keep.clone(), value).unwrap();
    assert_eq!(
        binary(ValueType::Int8, &4_111_111_111_111_111i64.to_be_bytes()),
        4_000_000_000_001_111i64.to_be_bytes()
    );
    assert_eq!(binary(ValueType::Numeric, &numeric_binary("4111111111111111")), numeric_binary("4000000000001111"));
    assert_eq!(binary(ValueType::Text, b"4111111111111111"), b"4***********1111");
    assert_eq!(binary(ValueType::Uuid, &[0x12; 16])[..2], [0x10, 0]);
    assert_eq!(binary(ValueType::Float8, &[1; 8]), [0; 8]);
    assert_eq!(binary(ValueType::Bytes, b"0123456789"), [0; 10]);
}

#[test]
fn a_column_without_mask_and_detectors_passes() {
    let pass = ColumnSpec {
        value_type: ValueType::Text,
        encoding: Encoding::Text,
        nullable: true,
        mask: None,
        detectors: None,
    };
    let plan = RowMask::new(vec![pass]);
    let mut cell = *b"ann@example.com";
    let mut counts = MaskCounts::new();
    for column in [0, 1] {
        assert_eq!(plan.treatment(column), Treatment::Pass);
        assert_eq!(plan.mask_cell(column, &mut cell, &mut counts), CellOutcome::InPlace);
        plan.mask_part(column, 15, 0, &mut cell, &mut counts);
    }
    assert_eq!(&cell, b"ann@example.com");
    assert!(counts.is_empty() && plan.is_idle() && !plan.masks_every_row());
}

#[test]
fn parts_are_counted_once_and_as_oversized_where_more_is_lost_than_asked_for() {
    for (method, oversized) in [(Method::Redact, 0), (Method::Null, 1), (Method::Keep { first: 0, last: 4 }, 1)] {
        let plan = row_mask(ValueType::Text, Encoding::Text, true, method);
        let (mut cell, mut counts) = (*b"0123456789", MaskCounts::new());
        let (left, right) = cell.split_at_mut(3);
        plan.mask_part(0, 10, 0, left, &mut counts);
        plan.mask_part(0, 10, 3, right, &mut counts);
        assert_eq!(&cell, b"**********");
        assert_eq!((counts.of(RULE), counts.oversized()), (1, oversized));
    }
}

fn every_method() -> Vec<Method> {
    let key = HashKey::new(b"a key only for tests").unwrap();
    let keep = Method::Keep { first: 2, last: 3 };
    let round = Method::Round { step: 1_000 };
    let constant = Method::Constant("7".into());
    vec![Method::Redact, Method::Null, keep, Method::Hash(key), constant, round, Method::YearOnly]
}

#[test]
fn keep_first_alone_leaves_the_beginning() {
    let keep = |cell: &str| {
        let keep = Method::Keep { first: 2, last: 0 };
        String::from_utf8(masked(ValueType::Text, Encoding::Text, true, keep, cell.as_bytes()).unwrap()).unwrap()
    };
    assert_eq!(keep("Anna Lee"), "An** ***");
    assert_eq!(keep("Ann"), "***");
}

#[test]
fn a_method_that_makes_no_sense_for_a_type_redacts() {
    for (method, value_type, value) in [
        (Method::YearOnly, ValueType::Text, "1984-05-06"),
        (Method::YearOnly, ValueType::Int4, "1984"),
        (Method::YearOnly, ValueType::Date, "06.05.1984"),
        (Method::Round { step: 10 }, ValueType::Text, "1984"),
        (Method::Round { step: 10 }, ValueType::Money, "$1.00"),
        (Method::Hash(HashKey::UNKNOWN), ValueType::Text, "secret"),
        (Method::Hash(HashKey::UNKNOWN), ValueType::Int8, "123"),
        (Method::Constant("n/a".into()), ValueType::Int4, "123"),
        (Method::Constant("n/a".into()), ValueType::Array, "{1}"),
    ] {
        for nullable in [true, false] {
            let redacted = masked(value_type, Encoding::Text, nullable, Method::Redact, value.as_bytes());
            let shown = masked(value_type, Encoding::Text, nullable, method.clone(), value.as_bytes());
            assert_eq!(shown, redacted, "{method} {value_type:?}");
        }
    }
}

#[test]
fn methods_that_keep_no_ends_leave_no_part_of_a_text() {
    let secret = b"correct-horse-battery";
    for method in every_method() {
        let shown = masked(ValueType::Text, Encoding::Text, true, method.clone(), secret).unwrap_or_default();
        let kept = shown.windows(4).any(|part| secret.windows(4).any(|other| other == part));
        assert!(!kept, "{method}");
    }
}

#[test]
fn any_bytes_under_any_type_give_a_result_without_the_value() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_be_bytes()[0]
    };
    for _ in 0..300 {
        let length = usize::from(random() % 48);
        let cell: Vec<u8> = (0..length).map(|_| random()).collect();
        for value_type in ALL_TYPES {
            for encoding in [Encoding::Text, Encoding::PgBinary] {
                for method in every_method() {
                    for nullable in [true, false] {
                        masked(value_type, encoding, nullable, method.clone(), &cell);
                    }
                }
                let mut parts = cell.clone();
                let plan = row_mask(value_type, encoding, true, Method::Redact);
                plan.mask_part(0, length, 0, &mut parts, &mut MaskCounts::new());
            }
        }
    }
}
