//! The empty values of arrays, composites and ranges, each made from the shape of the value it replaces.
//!
//! Sources: `array_send`, `record_send`, `range_send` and `multirange_send` in PostgreSQL's `utils/adt`,
//! and "8.16.2 Constructing Composite Values" of its manual for the text form. Only counts, OIDs and
//! separators are taken over; no byte of an element is. Bytes that do not follow their form give the
//! smallest valid value.

/// An array without elements: no dimensions, no flags, and the OID of the element that the value had.
pub(super) fn empty_array(cell: &[u8]) -> Vec<u8> {
    let mut empty = vec![0; 12];
    if let Some(element) = cell.get(8..12) {
        empty[8..].copy_from_slice(element);
    }
    empty
}

/// A record of as many NULLs as the value has fields: `(,,)`.
pub(super) fn null_record_text(cell: &[u8]) -> Vec<u8> {
    let mut record = vec![b'('];
    let mut quoted = false;
    let mut bytes = cell.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => quoted = !quoted,
            b',' if !quoted => record.push(b','),
            _ => {}
        }
    }
    record.push(b')');
    record
}

/// A record of as many NULLs as the value has fields, with their OIDs.
pub(super) fn null_record_binary(cell: &[u8]) -> Vec<u8> {
    null_fields(cell).unwrap_or_else(|| vec![0; 4])
}

fn null_fields(cell: &[u8]) -> Option<Vec<u8>> {
    let (count, mut rest) = split_count(cell)?;
    let mut record = cell[..4].to_vec();
    for _ in 0..count {
        let (oid, after) = rest.split_at_checked(4)?;
        record.extend_from_slice(oid);
        record.extend_from_slice(&(-1i32).to_be_bytes());
        rest = skip_item(after)?;
    }
    rest.is_empty().then_some(record)
}

/// `empty`, or a multirange without ranges.
pub(super) fn empty_range_text(cell: &[u8]) -> Vec<u8> {
    if cell.first() == Some(&b'{') { b"{}".to_vec() } else { b"empty".to_vec() }
}

/// A range with the flag for empty, or a multirange of no ranges.
///
/// The two share [`wire::value::ValueType::Range`]; only the structure tells them apart.
pub(super) fn empty_range_binary(cell: &[u8]) -> Vec<u8> {
    const EMPTY: u8 = 0x01;
    if is_multirange(cell) && !is_range(cell) { vec![0; 4] } else { vec![EMPTY] }
}

fn is_range(cell: &[u8]) -> bool {
    const LOWER_INFINITE: u8 = 0x08;
    const UPPER_INFINITE: u8 = 0x10;
    let Some((&flags, mut rest)) = cell.split_first() else { return false };
    if flags & 0x01 != 0 {
        return rest.is_empty();
    }
    for infinite in [LOWER_INFINITE, UPPER_INFINITE] {
        if flags & infinite == 0 {
            let Some(after) = skip_item(rest) else { return false };
            rest = after;
        }
    }
    rest.is_empty()
}

fn is_multirange(cell: &[u8]) -> bool {
    let Some((count, mut rest)) = split_count(cell) else { return false };
    for _ in 0..count {
        let Some(after) = skip_item(rest) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// A count of 4 bytes that is not negative, and what follows.
fn split_count(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::try_from(i32::from_be_bytes(*count)).ok()?, rest))
}

/// What follows a value with its length before it; −1 stands for NULL, of 0 bytes.
fn skip_item(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => Some(rest),
        length => rest.get(usize::try_from(length).ok()?..),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: &[u8]) -> Vec<u8> {
        [&i32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    #[test]
    fn a_record_keeps_its_count_of_fields_and_nothing_else() {
        for (record, nulls) in
            [("(1,2)", "(,)"), ("()", "()"), (r#"(1,"a,b",)"#, "(,,)"), (r#"("a\",b",c)"#, "(,)"), ("(", "()")]
        {
            assert_eq!(null_record_text(record.as_bytes()), nulls.as_bytes(), "{record}");
        }
        let oid = 25u32.to_be_bytes();
        let record = [&2u32.to_be_bytes()[..], &oid, &item(b"secret"), &oid, &(-1i32).to_be_bytes()].concat();
        let nulls = [&2u32.to_be_bytes()[..], &oid, &[0xff; 4], &oid, &[0xff; 4]].concat();
        assert_eq!(null_record_binary(&record), nulls);
        for cut in 0..record.len() {
            assert_eq!(null_record_binary(&record[..cut]), [0; 4]);
        }
    }

    #[test]
    fn ranges_and_multiranges_become_empty_ones_of_their_kind() {
        let closed = [&[0x02][..], &item(&[0, 0, 0, 1]), &item(&[0, 0, 0, 9])].concat();
        let open = [&[0x00][..], &item(&[0, 0, 0, 1]), &item(&[0, 0, 0, 9])].concat();
        let unbounded = vec![0x18];
        for range in [&closed, &open, &unbounded, &vec![0x01]] {
            assert_eq!(empty_range_binary(range), [0x01], "{range:?}");
        }
        let multirange = [&2u32.to_be_bytes()[..], &item(&closed), &item(&open)].concat();
        assert_eq!(empty_range_binary(&multirange), [0; 4]);
        assert_eq!(empty_range_binary(&[0; 4]), [0; 4]);
        assert_eq!(empty_range_text(b"[1,2)"), b"empty");
        assert_eq!(empty_range_text(b"{[1,2)}"), b"{}");
    }

    #[test]
    fn an_array_keeps_the_oid_of_its_element() {
        assert_eq!(empty_array(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 1, 2]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25]);
        assert_eq!(empty_array(&[1]), [0; 12]);
    }
}
