//! Which letters and digits of a value stay under [`Method::Keep`](crate::mask::Method::Keep).
//!
//! A value that is too short for its ends to be shown is never shown: where the kept characters would be
//! more than half of those that count, none is kept.

/// Which of a value's counted characters stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    first: usize,
    last: usize,
}

impl Ends {
    pub(super) fn new(first: u16, last: u16) -> Self {
        Self { first: first.into(), last: last.into() }
    }

    /// How many of `counted` characters stay at either end: none where they would be more than half.
    fn of(self, counted: usize) -> Kept {
        if (self.first + self.last) * 2 > counted {
            return Kept { before: 0, from: counted };
        }
        Kept { before: self.first, from: counted - self.last }
    }

    /// Whether the `index`-th of `counted` characters stays.
    pub(super) fn keeps(self, index: usize, counted: usize) -> bool {
        self.of(counted).keeps(index)
    }
}

/// The counted characters that stay in one value: those before one index and those from another.
#[derive(Clone, Copy)]
struct Kept {
    before: usize,
    from: usize,
}

impl Kept {
    fn keeps(self, index: usize) -> bool {
        index < self.before || index >= self.from
    }

    fn nothing(self, counted: usize) -> bool {
        self.before == 0 && self.from == counted
    }
}

/// Whether a byte begins a character that counts: an ASCII letter or digit, or any other character.
/// ASCII signs and spaces are what separates; signs outside ASCII are masked, so that none is forgotten.
fn begins_counted(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0xc0
}

fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Overwrites each byte of the letters and digits between the kept ones with `*`; separators stay. Bytes
/// that are not UTF-8, and values too short to be shown in part, become `*` throughout.
pub(super) fn mask_characters(cell: &mut [u8], ends: Ends) {
    if std::str::from_utf8(cell).is_err() {
        return cell.fill(b'*');
    }
    let counted = cell.iter().filter(|&&byte| begins_counted(byte)).count();
    let kept = ends.of(counted);
    if kept.nothing(counted) {
        return cell.fill(b'*');
    }
    let mut index = 0;
    let mut masking = false;
    for byte in cell {
        if begins_counted(*byte) {
            masking = !kept.keeps(index);
            index += 1;
        } else if !continues(*byte) {
            masking = false;
        }
        if masking {
            *byte = b'*';
        }
    }
}

/// Overwrites the letters and digits between the kept ones with `0`; everything else stays.
pub(super) fn mask_ascii_with_zeros(cell: &mut [u8], ends: Ends) {
    let counted = cell.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let kept = ends.of(counted);
    for (index, byte) in cell.iter_mut().filter(|byte| byte.is_ascii_alphanumeric()).enumerate() {
        if !kept.keeps(index) {
            *byte = b'0';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, first: u16, last: u16) -> String {
        let mut cell = text.as_bytes().to_vec();
        mask_characters(&mut cell, Ends::new(first, last));
        String::from_utf8(cell).unwrap()
    }

    #[test]
    fn letters_and_digits_between_the_kept_ones_become_stars_and_separators_stay() {
        assert_eq!(masked("4111-1111-1111-1111", 1, 4), "4***-****-****-1111");
        assert_eq!(masked("4111 1111 1111 1111", 1, 4), "4*** **** **** 1111");
        assert_eq!(masked("4111111111111111", 0, 4), "************1111");
        assert_eq!(masked("ann.lee@example.com", 1, 0), "a**.***@*******.***");
        assert_eq!(masked("+49 (30) 123-456/7_8", 0, 2), "+** (**) ***-***/7_8");
        assert_eq!(masked("", 1, 4), "");
    }

    #[test]
    fn a_value_too_short_to_be_shown_in_part_is_not_shown_at_all() {
        assert_eq!(masked("1-2345-67", 0, 4), "*********");
        assert_eq!(masked("12345678", 0, 4), "****5678");
        assert_eq!(masked("1-2", 1, 1), "***");
        assert_eq!(masked("--", 1, 0), "**");
        assert_eq!(masked("abcdef", u16::MAX, u16::MAX), "******");
    }

    #[test]
    fn characters_outside_ascii_are_counted_once_and_masked_bytewise() {
        assert_eq!(masked("Zoë Müller", 1, 2), "Z*** *****er");
        assert_eq!(masked("éabcdé", 1, 1), "é****é");
        assert_eq!(masked("日本語日本語", 1, 0), "日***************");
        assert_eq!(masked("“ab”cd€ef", 0, 2), "*".repeat(13) + "ef");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_stars_throughout() {
        let mut cell = *b"abcdefgh\xff1234";
        mask_characters(&mut cell, Ends::new(0, 4));
        assert_eq!(&cell, b"*************");
    }
}
