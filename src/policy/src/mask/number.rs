//! Keeping some decimal digits of a number in PostgreSQL's binary forms.
//!
//! A number keeps the same digits in binary as in text: the others become 0, the sign goes, so the result
//! is never larger than the value and always fits. Sources: `int8send`, `numeric_send` in PostgreSQL's
//! `utils/adt/int8.c` and `numeric.c`. Bytes that are no such number give `false`; the caller then redacts.

use super::keep::{Ends, mask_ascii_with_zeros};

/// Masks an integer of 2, 4 or 8 bytes; `signed` tells two's complement from an OID.
pub(super) fn keep_integer(cell: &mut [u8], signed: bool, ends: Ends) -> bool {
    let Some(magnitude) = magnitude(cell, signed) else { return false };
    let mut digits = magnitude.to_string().into_bytes();
    mask_ascii_with_zeros(&mut digits, ends);
    let masked = digits.iter().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    // No more than the magnitude, which can pass the signed range by one only when every digit is kept,
    // and more than half never are.
    let bytes = masked.to_be_bytes();
    let skipped = bytes.len() - cell.len();
    cell.copy_from_slice(&bytes[skipped..]);
    true
}

fn magnitude(cell: &[u8], signed: bool) -> Option<u64> {
    Some(match (*cell).len() {
        2 => i16::from_be_bytes(cell.try_into().ok()?).unsigned_abs().into(),
        4 if signed => i32::from_be_bytes(cell.try_into().ok()?).unsigned_abs().into(),
        4 => u32::from_be_bytes(cell.try_into().ok()?).into(),
        8 => i64::from_be_bytes(cell.try_into().ok()?).unsigned_abs(),
        _ => return None,
    })
}

/// The header of a binary `numeric`: count of base-10000 digits, weight of the first, sign, and decimal
/// digits after the point.
struct NumericHeader {
    weight: usize,
    scale: usize,
    negative: bool,
}

const NUMERIC_HEADER_BYTES: usize = 8;
const NUMERIC_NEGATIVE: u16 = 0x4000;

/// Reads a `numeric` of at least 1 whose digits are all there. NaN, infinities and fractions give `None`.
fn numeric(cell: &[u8]) -> Option<(NumericHeader, &[u8])> {
    let (header, digits) = cell.split_first_chunk::<NUMERIC_HEADER_BYTES>()?;
    let field = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let weight = usize::try_from(i16::from_be_bytes([header[2], header[3]])).ok()?;
    let negative = field(4) == NUMERIC_NEGATIVE;
    let well_formed = digits.len() == usize::from(field(0)) * 2
        && (field(4) == 0 || negative)
        && digits.as_chunks::<2>().0.iter().all(|group| u16::from_be_bytes(*group) < 10_000)
        && digits.get(..2).is_some_and(|group| group != [0, 0]);
    well_formed.then_some((NumericHeader { weight, scale: field(6).into(), negative }, digits))
}

/// Decimal digits of the first base-10000 digit.
fn leading_digits(digits: &[u8]) -> usize {
    match u16::from_be_bytes([digits[0], digits[1]]) {
        0..10 => 1,
        10..100 => 2,
        100..1000 => 3,
        _ => 4,
    }
}

/// Masks a `numeric`, digits after the point counted like those before it.
pub(super) fn keep_numeric(cell: &mut [u8], ends: Ends) -> bool {
    let Some((header, digits)) = numeric(cell) else { return false };
    let leading = leading_digits(digits);
    let counted = leading + header.weight * 4 + header.scale;
    // Decimal digits are counted from the first that is not 0, of which the group has `leading`.
    let skipped = 4 - leading;
    for (group, bytes) in cell[NUMERIC_HEADER_BYTES..].as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let value = u16::from_be_bytes(*bytes);
        let mut masked = 0;
        for (place, power) in [1000, 100, 10, 1].into_iter().enumerate() {
            let kept = (group * 4 + place).checked_sub(skipped).is_some_and(|index| ends.keeps(index, counted));
            if kept {
                masked += value / power % 10 * power;
            }
        }
        *bytes = masked.to_be_bytes();
    }
    cell[4..6].fill(0);
    true
}

/// The whole positive number that a binary `numeric` without digits after the point holds, if it has at
/// most 20 decimal digits and fits.
pub(crate) fn whole_numeric(cell: &[u8]) -> Option<u64> {
    let (header, digits) = numeric(cell)?;
    if header.negative || header.scale != 0 || header.weight > 4 {
        return None;
    }
    let mut groups = digits.as_chunks::<2>().0.iter().map(|group| u64::from(u16::from_be_bytes(*group)));
    let mut value = 0u64;
    for _ in 0..=header.weight {
        value = value.checked_mul(10_000)?.checked_add(groups.next().unwrap_or(0))?;
    }
    groups.all(|group| group == 0).then_some(value)
}

/// Masks the hexadecimal digits of 16 bytes.
pub(super) fn keep_uuid(cell: &mut [u8], ends: Ends) {
    let counted = cell.len() * 2;
    for (index, byte) in cell.iter_mut().enumerate() {
        let high = if ends.keeps(index * 2, counted) { *byte & 0xf0 } else { 0 };
        let low = if ends.keeps(index * 2 + 1, counted) { *byte & 0x0f } else { 0 };
        *byte = high | low;
    }
}

/// A binary `numeric` as PostgreSQL sends it, from its decimal text.
#[cfg(test)]
pub(crate) fn numeric_binary(text: &str) -> Vec<u8> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let groups_before = whole.len().div_ceil(4);
    let padded = format!(
        "{whole:0>width$}{fraction:0<after$}",
        width = groups_before * 4,
        after = fraction.len().div_ceil(4) * 4
    );
    let mut groups: Vec<u16> =
        padded.as_bytes().chunks(4).map(|g| std::str::from_utf8(g).unwrap().parse().unwrap()).collect();
    let mut weight = i16::try_from(groups_before).unwrap() - 1;
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let mut bytes = Vec::new();
    bytes.extend(u16::try_from(groups.len()).unwrap().to_be_bytes());
    bytes.extend(if groups.is_empty() { 0 } else { weight }.to_be_bytes());
    bytes.extend(if negative { NUMERIC_NEGATIVE } else { 0 }.to_be_bytes());
    bytes.extend(u16::try_from(fraction.len()).unwrap().to_be_bytes());
    bytes.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decimal text of a binary `numeric`, with every digit position that its header claims.
    fn numeric_text(cell: &[u8]) -> String {
        let weight = i16::from_be_bytes([cell[2], cell[3]]);
        let scale = usize::from(u16::from_be_bytes([cell[6], cell[7]]));
        let groups: Vec<u16> = cell[8..].chunks(2).map(|g| u16::from_be_bytes([g[0], g[1]])).collect();
        let group = |at: i16| usize::try_from(at).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
        let whole: String = (0..=weight).map(|at| format!("{:04}", group(at))).collect();
        let fraction: String = (weight + 1..weight + 9).map(|at| format!("{:04}", group(at))).collect();
        let point = if scale > 0 { "." } else { "" };
        format!("{whole}{point}{}", &fraction[..scale])
    }

    #[test]
    fn a_binary_integer_keeps_the_digits_that_its_text_keeps() {
        for (value, first, last, expected) in [
            (4_111_111_111_111_111i64, 0, 4, 1111i64),
            (4_111_111_111_111_111, 1, 4, 4_000_000_000_001_111),
            (-123_456_789, 0, 4, 6789),
            (1234, 0, 4, 0),
            (i64::MIN, 1, 4, 9_000_000_000_000_005_808),
            (i64::MAX, 9, 0, 9_223_372_030_000_000_000),
            (0, 0, 1, 0),
        ] {
            let mut cell = value.to_be_bytes();
            assert!(keep_integer(&mut cell, true, Ends::new(first, last)));
            assert_eq!(i64::from_be_bytes(cell), expected, "{value} keep {first} {last}");
        }
        let mut small = i16::MIN.to_be_bytes();
        assert!(keep_integer(&mut small, true, Ends::new(1, 1)));
        assert_eq!(i16::from_be_bytes(small), 30008);
        let mut oid = u32::MAX.to_be_bytes();
        assert!(keep_integer(&mut oid, false, Ends::new(0, 2)));
        assert_eq!(u32::from_be_bytes(oid), 95);
        assert!(!keep_integer(&mut [1, 2, 3], true, Ends::new(0, 1)));
    }

    #[test]
    fn a_binary_numeric_keeps_the_digits_that_its_text_keeps() {
        for (value, first, last, expected) in [
            ("4111111111111111", 0, 4, "0000000000001111"),
            ("4111111111111111", 1, 4, "4000000000001111"),
            ("-12345.678", 2, 2, "00012000.078"),
            ("123456.70", 0, 4, "00000056.70"),
            ("12345", 0, 4, "00000000"),
            ("100000000", 0, 4, "000000000000"),
        ] {
            let mut cell = numeric_binary(value);
            assert!(keep_numeric(&mut cell, Ends::new(first, last)), "{value}");
            assert_eq!(numeric_text(&cell), expected, "{value} keep {first} {last}");
            assert_eq!(cell[4..6], [0, 0]);
        }
        for nothing in [numeric_binary("0"), numeric_binary("0.05"), vec![0, 0, 0, 0, 0xc0, 0, 0, 0], vec![0; 7]] {
            assert!(!keep_numeric(&mut nothing.clone(), Ends::new(0, 1)), "{nothing:?}");
        }
    }

    #[test]
    fn a_whole_number_is_read_from_a_binary_numeric() {
        assert_eq!(whole_numeric(&numeric_binary("4111111111111111")), Some(4_111_111_111_111_111));
        assert_eq!(whole_numeric(&numeric_binary("6240000000000000000")), Some(6_240_000_000_000_000_000));
        for other in ["4111111111111111.5", "-4111111111111111", "99999999999999999999", "411111111111111100000"] {
            assert_eq!(whole_numeric(&numeric_binary(other)), None, "{other}");
        }
    }

    #[test]
    fn a_binary_uuid_keeps_hexadecimal_digits() {
        let mut cell = [0x12; 16];
        keep_uuid(&mut cell, Ends::new(1, 3));
        assert_eq!(cell, [0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x12]);
    }
}
