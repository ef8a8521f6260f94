//! Masking a cell, and looking through one.

use policy::mask::{MaskCounts, Method, RowMask};
use policy::rule::RuleId;
use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::Case;
use super::data::{detector_mask, plain_column};

fn one_mask(value_type: ValueType, encoding: Encoding, method: Method) -> RowMask {
    let mut column = plain_column();
    (column.value_type, column.encoding, column.mask) = (value_type, encoding, Some((RuleId(0), method)));
    RowMask::new(vec![column])
}

fn case(group: &str, name: &str, cell: &[u8], mask: RowMask, column: usize) -> Case {
    let mut counts = MaskCounts::default();
    Case::changing(group, name, cell.to_vec(), move |cell| match mask.mask_cell(column, cell, &mut counts) {
        CellOutcome::Replace(bytes) => bytes.len(),
        CellOutcome::InPlace | CellOutcome::Null => 0,
    })
}

/// Methods on cells of several types, and the exact rules of three detectors.
pub(crate) fn cases() -> Vec<Case> {
    let keep = Method::Keep { first: 0, last: 4 };
    let methods: [(&str, ValueType, Encoding, Method, &[u8]); 6] = [
        ("redact, text of 19 bytes", ValueType::Text, Encoding::Text, Method::Redact, b"4111-1111-1111-1111"),
        ("redact, text of 84 bytes", ValueType::Text, Encoding::Text, Method::Redact, &[b'w'; 84]),
        ("keep_last 4, text of 19 bytes", ValueType::Text, Encoding::Text, keep, b"4111-1111-1111-1111"),
        ("null", ValueType::Text, Encoding::Text, Method::Null, b"4111-1111-1111-1111"),
        ("redact, int8 in binary", ValueType::Int8, Encoding::PgBinary, Method::Redact, &[0, 0, 3, 189, 1, 2, 3, 4]),
        (
            "redact, jsonb in text",
            ValueType::Jsonb,
            Encoding::Text,
            Method::Redact,
            br#"{"card": "4111", "n": [1, 2]}"#,
        ),
    ];
    let cells: [(&str, &[u8]); 4] = [
        ("nothing in it", b"holder of no account at all, though with digits 12345 and an @ sign"),
        ("e-mail", b"reach me as ada.berg1@mail.example in the evening"),
        ("card", b"paid once with 4111 1111 1111 1111 by phone"),
        ("SSN", b"number 219-09-9999 on file"),
    ];
    let methods = methods.into_iter().map(|(name, value_type, encoding, method, cell)| {
        case("mask a cell", name, cell, one_mask(value_type, encoding, method), 0)
    });
    let cells = cells.into_iter().map(|(name, cell)| case("look through a cell", name, cell, detector_mask(), 3));
    methods.chain(cells).collect()
}
