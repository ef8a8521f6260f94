//! Telephone numbers: international ones with a plus (ITU-T E.164), and the national forms that have a shape
//! of their own.
//!
//! | form | example |
//! |---|---|
//! | plus, 8 to 15 digits, single separators between groups | `+49 30 901820`, `+1 (555) 234-5678` |
//! | North America (NANP), area and exchange not below 200 | `(555) 234-5678`, `555-234-5678`, `555.234.5678`, `1-555-234-5678` |
//! | trunk prefix 0: three to five digits, then six to eight | `030 12345678`, `0171/1234567`, `01234 567890` |
//! | trunk prefix 0: `0dd dddd dddd`, `0ddd ddd dddd` | `020 7946 0958` |
//! | trunk prefix 0: five pairs | `06 12 34 56 78` |
//!
//! Bare digits without a plus are none: they are order numbers far more often. The prefilter relies on these
//! forms.

use std::ops::Range;

/// The first number that begins at `from` or later.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    while start < text.len() {
        let byte = text[start];
        if !matches!(byte, b'+' | b'(' | b'0'..=b'9') {
            start += 1;
            continue;
        }
        if let Some(end) = end_of(text, start) {
            return Some(start..end);
        }
        // The rest of a run of digits begins no number.
        start += if byte.is_ascii_digit() { digits(&text[start..]) } else { 1 };
    }
    None
}

fn end_of(text: &[u8], start: usize) -> Option<usize> {
    let end = match text[start] {
        // What follows was looked at already.
        b'+' => return international(text, start),
        _ if !stands_free(text, start) => None,
        b'0' => trunk(text, start),
        _ => north_american(text, start),
    }?;
    let goes_on = matches!(
        text[end..],
        [b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] | [b'-' | b'.' | b'/' | b' ' | b':', b'0'..=b'9', ..]
    );
    (!goes_on).then_some(end)
}

/// Whether no word, sign or further group stands before a number without a plus.
fn stands_free(text: &[u8], start: usize) -> bool {
    !matches!(
        text[..start],
        [.., b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'+' | b'-' | b'.' | b'/'] | [.., b'0'..=b'9', b' ' | b':']
    )
}

/// Digits at the beginning.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn international(text: &[u8], start: usize) -> Option<usize> {
    if matches!(text[..start], [.., b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+']) {
        return None;
    }
    let mut at = start + 1;
    if !matches!(text.get(at), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut count, mut groups) = (0, 0);
    loop {
        let group = digits(&text[at..]);
        if group == 0 {
            return None;
        }
        (count, groups, at) = (count + group, groups + 1, at + group);
        if count > 15 {
            return None;
        }
        let separator = match text[at..] {
            [b' ', b'(', b'0'..=b'9', ..] | [b')', b' ' | b'-', b'0'..=b'9', ..] => 2,
            [b' ' | b'-' | b'.' | b'/' | b'(' | b')', b'0'..=b'9', ..] => 1,
            _ => break,
        };
        // What would pass the limit, or is a date or time after it, is not part of the number.
        let next = digits(&text[at + separator..]);
        if count + next > 15 || (count >= 8 && matches!(text.get(at + separator + next), Some(b':'))) {
            break;
        }
        at += separator;
    }
    // One point and two digits or fewer are a price.
    let decimal = groups == 2 && matches!(text[..at], [.., b'.', _] | [.., b'.', _, _]);
    let ends = !matches!(text.get(at), Some(b'a'..=b'z' | b'A'..=b'Z' | b'_'));
    (count >= 8 && !decimal && ends).then_some(at)
}

/// `(ddd) ddd-dddd` and its kin.
fn north_american(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    if let [b'1', b'-' | b'.' | b' ', ..] = text[at..] {
        at += 2;
    }
    let bracket = text.get(at) == Some(&b'(');
    at += usize::from(bracket);
    at = group(text, at, 3).filter(|_| text[at] >= b'2')?;
    let separator = if bracket {
        if text.get(at) != Some(&b')') {
            return None;
        }
        at += 1;
        at += usize::from(text.get(at) == Some(&b' '));
        None
    } else {
        let separator = text.get(at).copied().filter(|byte| matches!(byte, b'-' | b'.' | b' '))?;
        at += 1;
        Some(separator)
    };
    at = group(text, at, 3).filter(|_| text[at] >= b'2')?;
    let second = text.get(at).copied().filter(|byte| matches!(byte, b'-' | b'.' | b' '))?;
    if separator.is_some_and(|first| first != second) {
        return None;
    }
    group(text, at + 1, 4)
}

/// Numbers that begin with the trunk prefix.
fn trunk(text: &[u8], start: usize) -> Option<usize> {
    if !matches!(text.get(start + 1), Some(b'1'..=b'9')) {
        return None;
    }
    let first = digits(&text[start..]);
    let at = start + first;
    let separator = text.get(at).copied().filter(|byte| matches!(byte, b' ' | b'-' | b'/' | b'.'))?;
    let next = at + 1;
    if first == 2 {
        let pairs = (0..4)
            .all(|pair| text.get(at + pair * 3) == Some(&separator) && group(text, at + pair * 3 + 1, 2).is_some());
        return (pairs && separator != b'/').then_some(at + 12);
    }
    if separator == b'.' {
        return None;
    }
    let second = digits(&text[next..]);
    match (first, second) {
        (3..=5, 6..=8) if (10..=12).contains(&(first + second)) => Some(next + second),
        (3, 4) | (4, 3) if text.get(next + second) == Some(&separator) => group(text, next + second + 1, 4),
        _ => None,
    }
}

/// Where a run of exactly so many digits ends.
fn group(text: &[u8], at: usize, length: usize) -> Option<usize> {
    (digits(text.get(at..)?) == length).then_some(at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text.as_bytes(), 0).map(|range| &text[range])
    }

    #[test]
    fn international_and_national_forms_are_found() {
        for number in [
            "+4930901820",
            "+49 30 901820",
            "+1 (555) 234-5678",
            "+1-555-234-5678",
            "+44 20 7946 0958",
            "+33 6 12 34 56 78",
            "+1.555.234.5678",
            "(555) 234-5678",
            "(555)234-5678",
            "555-234-5678",
            "555.234.5678",
            "555 234 5678",
            "1-555-234-5678",
            "030 12345678",
            "0171/1234567",
            "01234 567890",
            "020 7946 0958",
            "0161 496 0000",
            "06 12 34 56 78",
            "06.12.34.56.78",
        ] {
            for text in [number.to_owned(), format!("call {number}, please"), format!("tel:{number}.")] {
                assert_eq!(found(&text), Some(number), "{text}");
            }
        }
        assert_eq!(found("+49 30 901820 10:30"), Some("+49 30 901820"));
    }

    #[test]
    fn dates_times_prices_and_other_numbers_are_none() {
        for text in [
            "2024-01-15 10:30:00.123456+00",
            "2024-01-15 10:30:00+02",
            "+1234567.89",
            "+12345678.90",
            "5552345678",
            "155-234-5678",
            "555-123-4567",
            "01-02-2024",
            "01.02.2024",
            "4111 1111 1111 1111",
            "123-45-6789",
            "123 456 789",
            "1+23456789",
            "v+4930901820",
            "555-234-56789",
            "12-555-234-5678",
            "01711234567",
            "0.123 4567",
            "10.0.0.1",
            "06 12 34 56 78 90",
            "12345 67890",
            "+1234567",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
