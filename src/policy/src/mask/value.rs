//! Masking one whole value, by type, encoding and method.
//!
//! The caller has the whole cell and knows that it is not NULL. The result is valid for the column's type;
//! a cell whose bytes do not fit its type loses them all the same. Nothing here may look at another cell.

use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::keep::{Ends, mask_ascii_with_zeros, mask_characters};
use super::method::Method;
use super::stamp::stamp;
use super::{container, number};

/// What is known of a column when one of its values is masked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The kind of its values.
    pub(crate) value_type: ValueType,
    /// How they are encoded.
    pub(crate) encoding: Encoding,
    /// Whether a client may meet NULL in it.
    pub(crate) nullable: bool,
}

/// Masks a whole value.
pub(crate) fn mask_value(shape: Shape, method: Method, cell: &mut [u8]) -> CellOutcome {
    match method {
        Method::Null if shape.nullable => CellOutcome::Null,
        Method::Keep { first, last } if keep(shape, Ends::new(first, last), cell) => CellOutcome::InPlace,
        _ => redact(shape, cell),
    }
}

/// Masks what a detector found within a text, length kept. A backslash before an address belongs to the
/// match, so that no half of an escape is left.
pub(crate) fn mask_match(method: Method, found: &mut [u8]) {
    match (method, found) {
        (Method::Keep { first, last }, [backslash @ b'\\', rest @ ..]) => {
            *backslash = b'*';
            mask_characters(rest, Ends::new(first, last));
        }
        (Method::Keep { first, last }, found) => mask_characters(found, Ends::new(first, last)),
        (_, found) => found.fill(b'*'),
    }
}

/// Masks digits that a detector found where only a number may stand.
pub(crate) fn mask_matched_digits(method: Method, found: &mut [u8]) {
    match method {
        Method::Keep { first, last } => mask_ascii_with_zeros(found, Ends::new(first, last)),
        _ => found.fill(b'0'),
    }
}

/// Leaves the ends of a value where its type allows it; `false` leaves the cell as it was.
fn keep(shape: Shape, ends: Ends, cell: &mut [u8]) -> bool {
    use ValueType as T;
    let text = shape.encoding == Encoding::Text;
    match shape.value_type {
        T::Text => mask_characters(cell, ends),
        T::Unknown if text => mask_characters(cell, ends),
        T::Int2 | T::Int4 | T::Int8 | T::Numeric | T::Oid if text => return keep_decimal(cell, ends),
        T::Int2 | T::Int4 | T::Int8 => return number::keep_integer(cell, true, ends),
        T::Oid => return number::keep_integer(cell, false, ends),
        T::Numeric => return number::keep_numeric(cell, ends),
        T::Uuid if text => {
            mask_ascii_with_zeros(cell, ends);
            stamp_separators_of_uuid(cell);
        }
        T::Uuid => number::keep_uuid(cell, ends),
        _ => return false,
    }
    true
}

/// Digits between the kept ones become 0, a sign too, a point stays. NaN and infinities are no decimal.
fn keep_decimal(cell: &mut [u8], ends: Ends) -> bool {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    if !digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return false;
    }
    mask_ascii_with_zeros(cell, ends);
    if let [sign @ b'-', ..] = cell {
        *sign = b'0';
    }
    true
}

/// Whatever stands between the digits of a text that is said to be a UUID becomes a digit, hyphens aside.
fn stamp_separators_of_uuid(cell: &mut [u8]) {
    for byte in cell {
        if !byte.is_ascii_hexdigit() && *byte != b'-' {
            *byte = b'0';
        }
    }
}

/// Leaves nothing of a value: in place where a value of the same length is valid.
fn redact(shape: Shape, cell: &mut [u8]) -> CellOutcome {
    use ValueType as T;
    let text = shape.encoding == Encoding::Text;
    let replacement = match shape.value_type {
        T::Date | T::Interval | T::Time | T::Timestamp | T::Timetz if text => {
            if shape.nullable {
                return CellOutcome::Null;
            }
            temporal_literal(shape.value_type, cell).to_vec()
        }
        T::Array if text => b"{}".to_vec(),
        T::Array => container::empty_array(cell),
        T::Bool if text => b"f".to_vec(),
        T::Cidr | T::Inet if text => address_literal(shape.value_type, cell).to_vec(),
        T::Composite if shape.nullable => return CellOutcome::Null,
        T::Composite if text => container::null_record_text(cell),
        T::Composite => container::null_record_binary(cell),
        T::Range if text => container::empty_range_text(cell),
        T::Range => container::empty_range_binary(cell),
        T::Unknown if !text && shape.nullable => return CellOutcome::Null,
        _ if !text && shape.encoding != Encoding::PgBinary && shape.nullable => return CellOutcome::Null,
        _ => {
            stamp(shape.value_type, shape.encoding, cell.len(), 0, cell);
            return CellOutcome::InPlace;
        }
    };
    if replacement.len() == cell.len() {
        cell.copy_from_slice(&replacement);
        return CellOutcome::InPlace;
    }
    CellOutcome::Replace(replacement)
}

/// The zero of the type's binary form, written in ISO style. A timestamp has a zone where the value had.
fn temporal_literal(value_type: ValueType, cell: &[u8]) -> &'static [u8] {
    let zoned = cell.get(10..).is_some_and(|time| time.iter().any(|byte| matches!(byte, b'+' | b'-')));
    match value_type {
        ValueType::Date => b"2000-01-01",
        ValueType::Timestamp if zoned => b"2000-01-01 00:00:00+00",
        ValueType::Timestamp => b"2000-01-01 00:00:00",
        ValueType::Timetz => b"00:00:00+00",
        _ => b"00:00:00",
    }
}

fn address_literal(value_type: ValueType, cell: &[u8]) -> &'static [u8] {
    match (value_type, cell.contains(&b':')) {
        (ValueType::Cidr, true) => b"::/0",
        (ValueType::Cidr, false) => b"0.0.0.0/0",
        (_, true) => b"::",
        (_, false) => b"0.0.0.0",
    }
}
