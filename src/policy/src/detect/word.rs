//! What surrounds a run of digits: words of hexadecimal digits, and account numbers.

/// Bytes on either side that are looked at: the digits of SHA-256 in hexadecimal, and a bound on the work for
/// texts made of nothing but such words.
const AROUND: usize = 64;

/// Whether the digits in `start..end` have letters beside them, all of which are hexadecimal digits: part of
/// a hash, a UUID or an address rather than a number.
pub(super) fn in_hexadecimal_word(text: &[u8], start: usize, end: usize) -> bool {
    let letter = |byte: &&u8| byte.is_ascii_alphanumeric();
    let before = text[..start].iter().rev().take(AROUND).take_while(letter);
    let after = text[end..].iter().take(AROUND).take_while(letter);
    let mut around = before.chain(after).peekable();
    around.peek().is_some() && around.all(u8::is_ascii_hexdigit)
}

/// Characters of the longest IBAN (ISO 13616).
const IBAN_CHARACTERS: usize = 34;

/// Characters of the shortest IBAN in use, Norway's.
const IBAN_SHORTEST: usize = 15;

/// Whether the digit at `digit` belongs to an IBAN, with or without single spaces, whose check digits are
/// right.
pub(super) fn in_iban(text: &[u8], digit: usize) -> bool {
    let lowest = digit.saturating_sub(IBAN_CHARACTERS + IBAN_CHARACTERS / 4);
    let starts = (lowest..digit).rev().take_while(|&at| {
        text[at].is_ascii_alphanumeric() || (text[at] == b' ' && text[at + 1].is_ascii_alphanumeric())
    });
    starts.into_iter().any(|start| {
        let begins_word = start == 0 || !text[start - 1].is_ascii_alphanumeric();
        begins_word && iban_end(&text[start..]).is_some_and(|end| start + end > digit)
    })
}

/// Where the longest IBAN ends that begins the text.
fn iban_end(text: &[u8]) -> Option<usize> {
    let head = text.first_chunk::<4>()?;
    if !(head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let check = head.iter().fold(0, |sum, byte| mod97(sum, *byte));
    // ISO 7064: the first four characters count last.
    let (mut sum, mut characters, mut end) = (0, 4, None);
    let mut bytes = text.iter().enumerate().skip(4).peekable();
    while let Some((index, &byte)) = bytes.next() {
        match byte {
            b' ' if bytes.peek().is_some_and(|(_, next)| next.is_ascii_alphanumeric()) => continue,
            b'0'..=b'9' | b'A'..=b'Z' => {}
            _ => break,
        }
        sum = mod97(sum, byte);
        characters += 1;
        if characters > IBAN_CHARACTERS {
            break;
        }
        let ends_word = !bytes.peek().is_some_and(|(_, next)| next.is_ascii_alphanumeric());
        // Letters are two digits, so the head has six.
        if characters >= IBAN_SHORTEST && ends_word && (sum * (1_000_000 % 97) + check) % 97 == 1 {
            end = Some(index + 1);
        }
    }
    end
}

/// The remainder by 97 of a number with one more character written after it; a letter is 10 to 35.
pub(super) fn mod97(sum: u32, byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte.to_ascii_uppercase()) - u32::from(b'A') + 10) % 97,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_is_known_by_its_check_digits() {
        for iban in
            ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947"]
        {
            assert_eq!(iban_end(iban.as_bytes()), Some(iban.len()), "{iban}");
            let wrong = iban.replacen(&iban[2..4], "00", 1);
            assert_eq!(iban_end(wrong.as_bytes()), None, "{wrong}");
        }
        let spaced = "pay to DE89 3704 0044 0532 0130 00 now";
        for (index, byte) in spaced.bytes().enumerate().skip(11).take(22) {
            assert!(byte == b' ' || in_iban(spaced.as_bytes(), index), "{index}");
        }
        assert!(!in_iban(b"DE00 3704 0044 0532 0130 00", 5));
        assert!(!in_iban(b"no 4111 1111 1111 1111", 3));
    }

    #[test]
    fn a_word_of_hexadecimal_letters_is_told_from_a_word() {
        for (text, hexadecimal) in [("ab12", true), ("xy12", false), ("12", false), ("(12)", false), ("12f", true)] {
            let start = text.find("12").unwrap();
            assert_eq!(in_hexadecimal_word(text.as_bytes(), start, start + 2), hexadecimal, "{text}");
        }
    }
}
