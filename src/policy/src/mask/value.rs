//! Masking one whole value, by type, encoding and method.
//!
//! The caller has the whole cell and knows that it is not NULL. The result is valid for the column's type;
//! a cell whose bytes do not fit its type loses them all the same. Nothing here may look at another cell.

use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::coarse::{rounded, year_only};
use super::constant::constant;
use super::hash::{hash_digits, hash_match, hashed};
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
pub(crate) fn mask_value(shape: Shape, method: &Method, cell: &mut [u8]) -> CellOutcome {
    let value = match method {
        Method::Constant(value) => constant(shape, value, cell),
        Method::Hash(key) => hashed(shape, key, cell),
        Method::Keep { first, last } if keep(shape, Ends::new(*first, *last), cell) => return CellOutcome::InPlace,
        Method::Null if shape.nullable => return CellOutcome::Null,
        Method::Round { step } => rounded(shape, *step, cell),
        Method::YearOnly => year_only(shape, cell),
        Method::Inside(_) | Method::Keep { .. } | Method::Null | Method::Quoting(_) | Method::Redact => None,
    };
    match value {
        Some(value) => put(value, cell),
        None => redact(shape, cell),
    }
}

/// Puts a value in the place of a cell.
pub(super) fn put(value: Vec<u8>, cell: &mut [u8]) -> CellOutcome {
    if value.len() != cell.len() {
        return CellOutcome::Replace(value);
    }
    cell.copy_from_slice(&value);
    CellOutcome::InPlace
}

/// Masks what a detector found within a text, length kept. A backslash before an address belongs to the
/// match, so that no half of an escape is left.
pub(crate) fn mask_match(method: &Method, found: &mut [u8]) {
    match (method, found) {
        (Method::Keep { first, last }, [backslash @ b'\\', rest @ ..]) => {
            *backslash = b'*';
            mask_characters(rest, Ends::new(*first, *last));
        }
        (Method::Keep { first, last }, found) => mask_characters(found, Ends::new(*first, *last)),
        (Method::Hash(key), found) => hash_match(key, found),
        (_, found) => found.fill(b'*'),
    }
}

/// Masks digits that a detector found where only a number may stand.
pub(crate) fn mask_matched_digits(method: &Method, found: &mut [u8]) {
    match method {
        Method::Keep { first, last } => mask_ascii_with_zeros(found, Ends::new(*first, *last)),
        Method::Hash(key) => hash_digits(key, found),
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
    put(replacement, cell)
}

/// The zero of the type's binary form, written in ISO style. A timestamp has a zone where the value had.
fn temporal_literal(value_type: ValueType, cell: &[u8]) -> &'static [u8] {
    match value_type {
        ValueType::Date => b"2000-01-01",
        ValueType::Timestamp if has_zone(cell) => b"2000-01-01 00:00:00+00",
        ValueType::Timestamp => b"2000-01-01 00:00:00",
        ValueType::Timetz => b"00:00:00+00",
        _ => b"00:00:00",
    }
}

/// Whether a timestamp in text has a zone.
pub(super) fn has_zone(cell: &[u8]) -> bool {
    cell.get(10..).is_some_and(|time| time.iter().any(|byte| matches!(byte, b'+' | b'-')))
}

/// Whether bytes of an unknown type are text: UTF-8 without control characters other than white space.
pub(crate) fn is_text(cell: &[u8]) -> bool {
    let printable = |byte: &u8| *byte >= b' ' || byte.is_ascii_whitespace();
    cell.iter().all(printable) && std::str::from_utf8(cell).is_ok()
}

fn address_literal(value_type: ValueType, cell: &[u8]) -> &'static [u8] {
    match (value_type, cell.contains(&b':')) {
        (ValueType::Cidr, true) => b"::/0",
        (ValueType::Cidr, false) => b"0.0.0.0/0",
        (_, true) => b"::",
        (_, false) => b"0.0.0.0",
    }
}
