//! Payment card numbers (ISO/IEC 7812): prefix and length of a known scheme, and the check digit of Luhn.
//!
//! Digits stand bare or in groups with one space or one hyphen between. Accepted groups, by digits:
//! `4-4-4-k` with k from 1 to 7, `4-4-4-4-k` with k from 1 to 3, `4-4-5`, `4-6-4`, `4-6-5`, `4-5-6`, `8-8`
//! and `6-k` with k from 7 to 13. Each begins with at least four digits, a separator and four digits more;
//! the prefilter relies on that. Other separators, and separators elsewhere, are not recognised.

use std::ops::Range;

use super::word::{in_hexadecimal_word, in_iban};

/// Shortest and longest number.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Groups of a written number, the most that any accepted form has.
const GROUPS: usize = 5;

/// The first number that begins at `from` or later.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let start = at + text.get(at..)?.iter().position(u8::is_ascii_digit)?;
        let end = start + run(&text[start..]);
        if let Some(end) = card_at(text, start, end) {
            return Some(start..end);
        }
        at = end;
    }
}

/// Whether these digits and nothing else are a card number.
pub(super) fn is_card(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && luhn(digits)
        && is_scheme(digits)
        && !is_ean13(digits)
}

/// Digits at the beginning.
fn run(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where the number ends that begins with the run of digits in `start..end`.
fn card_at(text: &[u8], start: usize, end: usize) -> Option<usize> {
    match end - start {
        13..=19 => bare_at(text, start, end),
        4 | 6 | 8 => grouped_at(text, start, end),
        _ => None,
    }
}

fn bare_at(text: &[u8], start: usize, end: usize) -> Option<usize> {
    // E.164: up to 15 digits after a plus are a telephone number.
    let telephone = end - start <= 15 && start > 0 && text[start - 1] == b'+';
    let alone = stands_alone(text, start, end) && !in_serial(text, start, end);
    (!telephone && is_card(&text[start..end]) && alone).then_some(end)
}

/// Digits on the other side of a hyphen that make two numbers a serial number or a token: more than a date has.
const SERIAL_DIGITS: usize = 9;

/// Whether a hyphen joins the number to another long one.
fn in_serial(text: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = hyphenated(text, start, end);
    before >= SERIAL_DIGITS || after >= SERIAL_DIGITS
}

/// How many digits stand on the other side of a hyphen before and behind.
fn hyphenated(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let before = text[..start]
        .strip_suffix(b"-")
        .map_or(0, |before| before.iter().rev().take(SERIAL_DIGITS).take_while(|byte| byte.is_ascii_digit()).count());
    (before, text[end..].strip_prefix(b"-").map_or(0, run))
}

fn grouped_at(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let mut digits = [0; 19];
    let mut lengths = [0; GROUPS];
    let (mut count, mut groups, mut group) = (0, 0, start..end);
    let mut found = None;
    while groups < GROUPS {
        let Some(room) = digits.get_mut(count..count + group.len()) else { break };
        room.copy_from_slice(&text[group.clone()]);
        count += group.len();
        lengths[groups] = group.len();
        groups += 1;
        if is_grouping(&lengths[..groups])
            && is_card(&digits[..count])
            && stands_alone(text, start, group.end)
            && !in_longer_groups(text, start, group.end)
        {
            found = Some(group.end);
        }
        if !matches!(text.get(group.end), Some(b' ' | b'-')) {
            break;
        }
        let next = group.end + 1;
        let length = run(&text[next..]);
        if length == 0 {
            break;
        }
        group = next..next + length;
    }
    found
}

fn is_grouping(lengths: &[usize]) -> bool {
    matches!(
        lengths,
        [4, 4, 4, 1..=7] | [4, 4, 4, 4, 1..=3] | [4, 4, 5] | [4, 6, 4 | 5] | [4, 5, 6] | [8, 8] | [6, 7..=13]
    )
}

/// Whether nothing on either side makes the number part of something else.
fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let decimal = match text[..start] {
        [.., digit, b'.'] => digit.is_ascii_digit(),
        _ => false,
    } || match text[end..] {
        [b'.', digit, ..] => digit.is_ascii_digit(),
        _ => false,
    };
    !decimal && !in_hexadecimal_word(text, start, end) && !in_iban(text, start)
}

/// Whether hyphens join the groups to further groups of four digits or more, as in a serial number. Fewer
/// digits after a hyphen may be a month or a check value.
fn in_longer_groups(text: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = hyphenated(text, start, end);
    before >= 4 || after >= 4
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0');
            let doubled = if place % 2 == 1 { value * 2 } else { value };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The number of an article: 13 digits with the check digit of GS1. No scheme issues 13 digits any more, so
/// a number that is both is taken for the article.
fn is_ean13(digits: &[u8]) -> bool {
    let weighted = |(place, digit): (usize, &u8)| u32::from(digit - b'0') * if place % 2 == 1 { 3 } else { 1 };
    digits.len() == 13 && digits.iter().enumerate().map(weighted).sum::<u32>().is_multiple_of(10)
}

/// Prefixes and lengths of the schemes that issue cards today, from their published tables.
fn is_scheme(digits: &[u8]) -> bool {
    let prefix = digits[..6].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    let length = digits.len();
    match prefix {
        // Mir
        220_000..=220_499 => length >= 16,
        // Mastercard
        222_100..=272_099 | 510_000..=559_999 => length == 16,
        // Diners Club
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => matches!(length, 14 | 16 | 19),
        // American Express
        340_000..=349_999 | 370_000..=379_999 => length == 15,
        // JCB
        352_800..=358_999 => length >= 16,
        // Visa
        400_000..=499_999 => matches!(length, 13 | 16 | 19),
        // Maestro, and Verve and RuPay within its range
        500_000..=509_999 | 560_000..=589_999 | 630_400..=630_499 | 639_000..=639_099 | 670_000..=679_999 => true,
        // Discover
        601_100..=601_199 | 644_000..=659_999 => matches!(length, 16 | 19),
        // RuPay
        600_000..=609_999 => length == 16,
        // UnionPay, and Discover within its range; RuPay (81, 82)
        620_000..=629_999 | 810_000..=829_999 => length >= 16,
        // Troy
        979_200..=979_299 => length == 16,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let (mut all, mut from) = (Vec::new(), 0);
        while let Some(range) = find(text.as_bytes(), from) {
            from = range.end;
            all.push(&text[range]);
        }
        all
    }

    #[test]
    fn numbers_of_all_schemes_are_found_in_every_accepted_form() {
        for card in [
            "4111111111111111",
            "4012888888881881",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "30569309025904",
            "38520000023237",
            "6011111111111117",
            "3530111333300000",
            "6759649826438453",
            "2200000000000004",
            "6200000000000005",
            "6304000000000000",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111 1111-1111 1111",
            "3782 822463 10005",
            "3782-822463-10005",
            "3056 930902 5904",
            "41111111 11111111",
            "411111-1111111111",
            "4222 2222 22222",
            "4222-2222-2222-2",
        ] {
            assert_eq!(found(card), [card], "{card}");
            assert_eq!(found(&format!("paid with {card}, thanks")), [card]);
        }
    }

    #[test]
    fn a_number_is_found_beside_other_text() {
        for text in [
            "4111111111111111.",
            "(4111111111111111)",
            "a,4111111111111111,b",
            "card4111111111111111",
            "x=4111111111111111&",
            "4111111111111111 12/27 123",
            "4111111111111111-123",
            "7 4111111111111111",
            "4111111111111111/12",
            "\"4111111111111111\"",
            "卡4111111111111111号",
            "cc_4111111111111111_x",
            "+4111111111111111",
        ] {
            assert_eq!(found(text), ["4111111111111111"], "{text}");
        }
        for text in ["in 2024 4111 1111 1111 1111 12", "4111 1111 1111 1111 123", "no. 4111 1111 1111 1111."] {
            assert_eq!(found(text), ["4111 1111 1111 1111"], "{text}");
        }
        assert_eq!(found("4111-1111-1111-1111-123"), ["4111-1111-1111-1111"]);
        assert_eq!(found("4111111111111111 5555555555554444"), ["4111111111111111", "5555555555554444"]);
    }

    #[test]
    fn what_only_has_many_digits_is_no_card() {
        for text in [
            "4111111111111112",
            "1234567812345678",
            "0000000000000000",
            "9999999999999995",
            "41111111111111",
            "41111111111111111111",
            "14111111111111111",
            "4111111111111111.25",
            "0.4111111111111111",
            "a4111111111111111f",
            "DE4111111111111111",
            "1234-4111-1111-1111-1111",
            "4111-1111-1111-1111-1234",
            "4111  1111  1111  1111",
            "4111.1111.1111.1111",
            "41 11 11 11 11 11 11 11",
            "411-1111-1111-11111",
            "xoxb-123456789012-4222222222222-x",
            "+4915200000001",
            "2024-01-15 10:30:00",
            "1700000000000",
            "",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn ibans_and_articles_are_no_cards() {
        // The digits after the country are a Luhn-valid number with a Visa prefix.
        assert!(is_card(b"4006381333931") || is_ean13(b"4006381333931"));
        assert_eq!(found("4006381333931"), [""; 0]);
        assert_eq!(found("IBAN DE89 3704 0044 0532 0130 00"), [""; 0]);
        assert_eq!(found("DE89370400440532013000"), [""; 0]);
    }
}
