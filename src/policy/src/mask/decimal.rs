//! Decimal numbers between PostgreSQL's text and binary forms.
//!
//! Reads what `numeric_out` and `numeric_send` write (PostgreSQL's `utils/adt/numeric.c`). NaN, infinities,
//! exponents and numbers of more than [`DIGITS`] digits on a side give `None`: a header of eight bytes may
//! claim a hundred thousand digits, and none of them is worth the memory.

/// Most digits before the point, and after it.
const DIGITS: usize = 1_000;

const NEGATIVE: u16 = 0x4000;

/// Decimal digits of a group of the binary form.
const GROUP: usize = 4;

/// A decimal number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) negative: bool,
    /// ASCII digits before the point, none of them a leading 0; empty for 0.
    pub(super) whole: Vec<u8>,
    /// ASCII digits after the point.
    pub(super) fraction: Vec<u8>,
}

impl Decimal {
    /// A whole number with `scale` zeros after the point.
    pub(super) fn whole(negative: bool, value: u128, scale: usize) -> Self {
        let whole = if value == 0 { Vec::new() } else { value.to_string().into_bytes() };
        Self { negative: negative && value != 0, whole, fraction: vec![b'0'; scale] }
    }

    /// Reads the text form.
    pub(super) fn from_text(text: &[u8]) -> Option<Self> {
        let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
        let point = digits.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (&digits[..point], &digits[point + 1..]),
            None => (digits, &b""[..]),
        };
        let well_formed = !whole.is_empty() && (point.is_none() || !fraction.is_empty());
        let are_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
        Self::from_digits(negative, whole, fraction).filter(|_| well_formed && are_digits)
    }

    fn from_digits(negative: bool, whole: &[u8], fraction: &[u8]) -> Option<Self> {
        let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
        let whole = &whole[zeros..];
        (whole.len() <= DIGITS && fraction.len() <= DIGITS).then(|| Self {
            negative,
            whole: whole.to_vec(),
            fraction: fraction.to_vec(),
        })
    }

    /// Reads the binary form.
    pub(super) fn from_binary(cell: &[u8]) -> Option<Self> {
        let (header, groups) = cell.split_first_chunk::<8>()?;
        let field = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (count, weight, sign, scale) = (field(0), i16::from_be_bytes([header[2], header[3]]), field(4), field(6));
        let (weight, scale) = (i64::from(weight), usize::from(scale));
        let most = i64::try_from(DIGITS / GROUP).ok()?;
        if groups.len() != usize::from(count) * 2 || !matches!(sign, 0 | NEGATIVE) {
            return None;
        }
        if scale > DIGITS || (count > 0 && !(-most..most).contains(&weight)) {
            return None;
        }
        let groups: Vec<u16> = groups.as_chunks::<2>().0.iter().map(|group| u16::from_be_bytes(*group)).collect();
        if groups.iter().any(|group| *group >= 10_000) {
            return None;
        }
        let group = |at: i64| usize::try_from(at).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
        let whole: String = (0..=weight).map(|at| format!("{:04}", group(at))).collect();
        let behind = i64::try_from(scale.div_ceil(GROUP)).ok()?;
        let fraction: String = (0..behind).map(|at| format!("{:04}", group(weight + 1 + at))).collect();
        Self::from_digits(sign == NEGATIVE, whole.as_bytes(), &fraction.as_bytes()[..scale])
    }

    /// The text form, with all digits after the point.
    pub(super) fn to_text(&self) -> Vec<u8> {
        let sign: &[u8] = if self.negative { b"-" } else { b"" };
        let whole: &[u8] = if self.whole.is_empty() { b"0" } else { &self.whole };
        let point: &[u8] = if self.fraction.is_empty() { b"" } else { b"." };
        [sign, whole, point, &self.fraction].concat()
    }

    /// The one text that all equal numbers have: no zeros at the end, no sign before 0.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let zeros = self.fraction.iter().rev().take_while(|digit| **digit == b'0').count();
        let fraction = self.fraction[..self.fraction.len() - zeros].to_vec();
        let negative = self.negative && !(self.whole.is_empty() && fraction.is_empty());
        Self { negative, whole: self.whole.clone(), fraction }.to_text()
    }

    /// The binary form.
    pub(super) fn to_binary(&self) -> Vec<u8> {
        let before = self.whole.len().div_ceil(GROUP);
        let mut digits = vec![b'0'; before * GROUP - self.whole.len()];
        digits.extend_from_slice(&self.whole);
        digits.extend_from_slice(&self.fraction);
        digits.resize(digits.len().next_multiple_of(GROUP), b'0');
        let value = |group: &[u8; GROUP]| group.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
        let groups: Vec<u16> = digits.as_chunks::<GROUP>().0.iter().map(value).collect();
        let leading = groups.iter().take_while(|group| **group == 0).count();
        let trailing = groups[leading..].iter().rev().take_while(|group| **group == 0).count();
        let groups = &groups[leading..groups.len() - trailing];
        let weight = i16::try_from(before).unwrap_or(0) - 1 - i16::try_from(leading).unwrap_or(0);
        let weight = if groups.is_empty() { 0 } else { weight };
        let sign = if self.negative && !groups.is_empty() { NEGATIVE } else { 0 };
        let count = u16::try_from(groups.len()).unwrap_or(0);
        let scale = u16::try_from(self.fraction.len()).unwrap_or(0);
        let mut bytes = Vec::with_capacity(8 + groups.len() * 2);
        for field in [count.to_be_bytes(), weight.to_be_bytes(), sign.to_be_bytes(), scale.to_be_bytes()] {
            bytes.extend_from_slice(&field);
        }
        groups.iter().for_each(|group| bytes.extend_from_slice(&group.to_be_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::numeric_binary;
    use super::*;

    #[test]
    fn text_and_binary_are_the_same_number() {
        for text in
            ["0", "7", "-7", "12345.678", "-0.00012", "100000000", "0.10", "99999999999999999999.9", "10000.0000"]
        {
            let decimal = Decimal::from_text(text.as_bytes()).unwrap();
            assert_eq!(decimal.to_text(), text.as_bytes());
            assert_eq!(decimal.to_binary(), numeric_binary(text), "{text}");
            assert_eq!(Decimal::from_binary(&numeric_binary(text)), Some(decimal), "{text}");
        }
    }

    #[test]
    fn equal_numbers_have_one_canonical_text() {
        for (text, canonical) in [("1.50", "1.5"), ("-0.00", "0"), ("007", "7"), ("10.0", "10")] {
            assert_eq!(Decimal::from_text(text.as_bytes()).unwrap().canonical(), canonical.as_bytes());
        }
    }

    #[test]
    fn what_is_no_finite_decimal_of_sensible_size_is_none() {
        for text in ["", "-", ".5", "5.", "1e5", "NaN", "Infinity", "1,5", &"9".repeat(1_001)] {
            assert_eq!(Decimal::from_text(text.as_bytes()), None, "{text}");
        }
        let huge = [&1u16.to_be_bytes()[..], &i16::MAX.to_be_bytes(), &[0; 4], &[0, 1]].concat();
        for cell in [&huge[..], &[0, 0, 0, 0, 0xc0, 0, 0, 0], &[0; 7], &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10]] {
            assert_eq!(Decimal::from_binary(cell), None, "{cell:?}");
        }
    }
}
