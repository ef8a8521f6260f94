//! The elements of arrays and composites in PostgreSQL's binary form.
//!
//! Elements are found by the lengths before them, not by their content: a length's last byte can look like a
//! digit or a letter, and must neither join a value nor be overwritten. Sources: `array_send`,
//! `record_send`; OIDs from `pg_type.dat`. Bytes that do not follow their form give `None`.

use std::ops::Range;

use wire::value::ValueType;

/// One element that is not NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Where its bytes lie in the cell.
    pub(super) bytes: Range<usize>,
    /// What its OID says.
    pub(super) value_type: ValueType,
}

/// Most dimensions of an array (`MAXDIM`).
const DIMENSIONS: usize = 6;

/// The elements of an array: dimensions, flags, the element's OID, then each dimension's length and lower
/// bound, then the elements.
pub(super) fn array_elements(cell: &[u8]) -> Option<Vec<Element>> {
    let mut walk = Walk { cell, at: 0 };
    let dimensions = usize::try_from(walk.word()?).ok().filter(|count| *count <= DIMENSIONS)?;
    walk.word()?;
    let value_type = type_of(walk.word()?);
    for _ in 0..dimensions {
        walk.word()?;
        walk.word()?;
    }
    let mut elements = Vec::new();
    while walk.at < cell.len() {
        if let Some(bytes) = walk.item()? {
            elements.push(Element { bytes, value_type });
        }
    }
    Some(elements)
}

/// The fields of a composite: their count, then an OID and a value for each.
pub(super) fn record_fields(cell: &[u8]) -> Option<Vec<Element>> {
    let mut walk = Walk { cell, at: 0 };
    let count = walk.word()?;
    let mut fields = Vec::new();
    for _ in 0..count {
        let value_type = type_of(walk.word()?);
        if let Some(bytes) = walk.item()? {
            fields.push(Element { bytes, value_type });
        }
    }
    (walk.at == cell.len()).then_some(fields)
}

struct Walk<'a> {
    cell: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn word(&mut self) -> Option<u32> {
        let word = self.cell.get(self.at..)?.first_chunk::<4>()?;
        self.at += 4;
        Some(u32::from_be_bytes(*word))
    }

    /// A value with its length before it; the inner `None` is NULL.
    fn item(&mut self) -> Option<Option<Range<usize>>> {
        let length = self.word()?;
        if length == u32::MAX {
            return Some(None);
        }
        let start = self.at;
        let end = start.checked_add(usize::try_from(length).ok()?).filter(|end| *end <= self.cell.len())?;
        self.at = end;
        Some(Some(start..end))
    }
}

/// What a detector needs to know of the types that stand in containers: those that it looks into, and those
/// of fixed binary form that it must not touch. Any other is unknown, and looked into as bytes.
fn type_of(oid: u32) -> ValueType {
    match oid {
        16 => ValueType::Bool,
        17 => ValueType::Bytes,
        18 | 19 | 25 | 142 | 1042 | 1043 => ValueType::Text,
        20 => ValueType::Int8,
        21 => ValueType::Int2,
        23 => ValueType::Int4,
        24 | 26 | 2205 | 2206 => ValueType::Oid,
        114 => ValueType::Json,
        650 => ValueType::Cidr,
        700 => ValueType::Float4,
        701 => ValueType::Float8,
        774 | 829 => ValueType::Macaddr,
        790 => ValueType::Money,
        869 => ValueType::Inet,
        1082 => ValueType::Date,
        1083 => ValueType::Time,
        1114 | 1184 => ValueType::Timestamp,
        1186 => ValueType::Interval,
        1266 => ValueType::Timetz,
        1560 | 1562 => ValueType::Bit,
        1700 => ValueType::Numeric,
        2249 => ValueType::Composite,
        2950 => ValueType::Uuid,
        3802 => ValueType::Jsonb,
        // Arrays of text, varchar, bpchar, name, xml, json, jsonb, bytea, int8, numeric, record.
        143 | 199 | 1001 | 1003 | 1009 | 1014 | 1015 | 1016 | 1231 | 2287 | 3807 => ValueType::Array,
        _ => ValueType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_lengths() {
        let word = |value: u32| value.to_be_bytes();
        let array = [&word(1)[..], &word(1), &word(25), &word(3), &word(1), &word(2), b"ab", &word(u32::MAX), &word(0)]
            .concat();
        let text = |bytes| Element { bytes, value_type: ValueType::Text };
        assert_eq!(array_elements(&array), Some(vec![text(24..26), text(34..34)]));
        for cut in [3, 11, 19, 23, 25, 33] {
            assert_eq!(array_elements(&array[..cut]), None, "cut at {cut}");
        }
        let record = [&word(2)[..], &word(20), &word(8), &[7; 8], &word(99), &word(1), b"x"].concat();
        let fields = [(12..20, ValueType::Int8), (28..29, ValueType::Unknown)];
        let fields = fields.map(|(bytes, value_type)| Element { bytes, value_type });
        assert_eq!(record_fields(&record), Some(fields.to_vec()));
        assert_eq!(record_fields(&record[..record.len() - 1]), None);
        assert_eq!(record_fields(&word(u32::MAX)), None);
    }
}
