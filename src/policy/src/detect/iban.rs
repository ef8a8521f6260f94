//! International bank account numbers (ISO 13616): country, check digits, and an account of the country's
//! length.
//!
//! In one piece, or in groups of four with one space between, as on paper. Letters are capitals, as the
//! standard writes them; the prefilter relies on those of the country. Lengths are those of SWIFT's IBAN
//! registry.

use std::ops::Range;

use super::word::mod97;

/// Countries, in the order of their letters, and how many characters their numbers have.
const LENGTHS: [([u8; 2], usize); 89] = [
    (*b"AD", 24),
    (*b"AE", 23),
    (*b"AL", 28),
    (*b"AT", 20),
    (*b"AZ", 28),
    (*b"BA", 20),
    (*b"BE", 16),
    (*b"BG", 22),
    (*b"BH", 22),
    (*b"BI", 27),
    (*b"BR", 29),
    (*b"BY", 28),
    (*b"CH", 21),
    (*b"CR", 22),
    (*b"CY", 28),
    (*b"CZ", 24),
    (*b"DE", 22),
    (*b"DJ", 27),
    (*b"DK", 18),
    (*b"DO", 28),
    (*b"EE", 20),
    (*b"EG", 29),
    (*b"ES", 24),
    (*b"FI", 18),
    (*b"FK", 18),
    (*b"FO", 18),
    (*b"FR", 27),
    (*b"GB", 22),
    (*b"GE", 22),
    (*b"GI", 23),
    (*b"GL", 18),
    (*b"GR", 27),
    (*b"GT", 28),
    (*b"HN", 28),
    (*b"HR", 21),
    (*b"HU", 28),
    (*b"IE", 22),
    (*b"IL", 23),
    (*b"IQ", 23),
    (*b"IS", 26),
    (*b"IT", 27),
    (*b"JO", 30),
    (*b"KW", 30),
    (*b"KZ", 20),
    (*b"LB", 28),
    (*b"LC", 32),
    (*b"LI", 21),
    (*b"LT", 20),
    (*b"LU", 20),
    (*b"LV", 21),
    (*b"LY", 25),
    (*b"MC", 27),
    (*b"MD", 24),
    (*b"ME", 22),
    (*b"MK", 19),
    (*b"MN", 20),
    (*b"MR", 27),
    (*b"MT", 31),
    (*b"MU", 30),
    (*b"NI", 28),
    (*b"NL", 18),
    (*b"NO", 15),
    (*b"OM", 23),
    (*b"PK", 24),
    (*b"PL", 28),
    (*b"PS", 29),
    (*b"PT", 25),
    (*b"QA", 29),
    (*b"RO", 24),
    (*b"RS", 22),
    (*b"RU", 33),
    (*b"SA", 24),
    (*b"SC", 31),
    (*b"SD", 18),
    (*b"SE", 24),
    (*b"SI", 19),
    (*b"SK", 24),
    (*b"SM", 27),
    (*b"SO", 23),
    (*b"ST", 25),
    (*b"SV", 28),
    (*b"TL", 23),
    (*b"TN", 24),
    (*b"TR", 26),
    (*b"UA", 29),
    (*b"VA", 22),
    (*b"VG", 24),
    (*b"XK", 20),
    (*b"YE", 30),
];

/// Characters of the country's numbers, if the country has some.
pub(super) fn characters(country: [u8; 2]) -> Option<usize> {
    LENGTHS.binary_search_by(|entry| entry.0.cmp(&country)).ok().map(|at| LENGTHS[at].1)
}

/// The first number that begins at `from` or later.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    while let Some(head) = text.get(start..).and_then(<[u8]>::first_chunk::<4>) {
        // The second check digit tells soonest that no number begins here.
        if head[3].is_ascii_digit()
            && let Some(end) = end_of(text, start, head)
        {
            return Some(start..end);
        }
        start += 1;
    }
    None
}

/// Where the number ends that begins with `head` at `start`.
fn end_of(text: &[u8], start: usize, head: &[u8; 4]) -> Option<usize> {
    let letters = head[..2].iter().all(u8::is_ascii_uppercase);
    if !letters || !head[2].is_ascii_digit() || text[..start].last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let characters = characters([head[0], head[1]])?;
    let spaced = text.get(start + 4) == Some(&b' ');
    let (mut sum, mut at) = (0, start + 4);
    for index in 4..characters {
        if spaced && index % 4 == 0 {
            if text.get(at) != Some(&b' ') {
                return None;
            }
            at += 1;
        }
        let byte = *text.get(at)?;
        if !byte.is_ascii_digit() && !byte.is_ascii_uppercase() {
            return None;
        }
        sum = mod97(sum, byte);
        at += 1;
    }
    // ISO 7064: the first four characters count last.
    let sum = head.iter().fold(sum, |sum, byte| mod97(sum, *byte));
    (sum == 1 && !text.get(at).is_some_and(u8::is_ascii_alphanumeric)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text.as_bytes(), 0).map(|range| &text[range])
    }

    #[test]
    fn numbers_of_all_forms_are_found() {
        // The examples of the registry.
        for iban in [
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "CH9300762011623852957",
            "BR9700360305000010009795493P1",
        ] {
            assert_eq!(found(iban), Some(iban));
            assert_eq!(found(&format!("to {iban}, today")), Some(iban));
            let groups: Vec<_> = iban.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
            let spaced = groups.join(" ");
            assert_eq!(found(&format!("({spaced})")), Some(&*spaced));
        }
    }

    #[test]
    fn what_has_wrong_digits_letters_or_length_is_none() {
        for text in [
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "de89370400440532013000",
            "XX89370400440532013000",
            "ADE89370400440532013000",
            "DE89 37040044 0532013000",
            "DE89-3704-0044-0532-0130-00",
            "AB12",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        assert!(LENGTHS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
