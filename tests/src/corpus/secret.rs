//! Finds a masked value in what reached a client, in whatever guise.
//!
//! The texts are made of seven letters that words, hexadecimal digits and names of PostgreSQL hardly ever put
//! side by side, so that even four of them in a row are no chance. Looked for are: pieces of four letters in
//! either case and in both directions, with anything but letters and digits between them; the same in
//! hexadecimal, base64, decimal codes and bits; hashes of the whole; ten digits of a number in a row (statistics
//! hold so many random digits that fewer would be found by chance), its first seven where a short float or
//! zeros follow, and the number in binary, either end first. Looked through are: all bytes as they came, each column and each row of all results
//! put together, and COPY data put together.

use crate::raw::Frame;
use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use std::collections::BTreeSet;

/// The secrets in the masked text columns.
pub const TEXTS: [&str; 4] = ["QXZJKWVQZXJQVKXW", "ZKXQVJWXQKZVJQXZ", "JXVZQKWJZXQVWKQJ", "WZQXKJVZWQJXKVQZ"];

/// The secrets in the masked number columns.
pub const NUMBERS: [i64; 4] =
    [8_264_917_350_246_813, 7_395_184_620_735_918, 6_148_295_037_361_482, 5_937_261_840_259_376];

const PIECE: usize = 4;
const DIGITS: usize = 10;
const LEADING: usize = 7;

/// Finds secrets.
#[derive(Debug)]
pub struct Finder {
    /// Needles whose case does not matter.
    loose: AhoCorasick,
    /// Needles that are bytes.
    exact: AhoCorasick,
}

impl Finder {
    /// A search for [`TEXTS`], [`NUMBERS`] and whatever else gives them away (hashes, say).
    ///
    /// # Panics
    /// When the needles are too many, which they are not.
    #[must_use]
    pub fn new(derived: &[String]) -> Self {
        let (mut letters, mut coded, mut exact) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for text in TEXTS {
            for text in [text.to_owned(), text.to_lowercase()] {
                for text in [text.chars().rev().collect::<String>(), text] {
                    of_text(text.as_bytes(), &mut letters, &mut coded, &mut exact);
                }
            }
        }
        for number in NUMBERS {
            let digits = number.to_string();
            for digits in [digits.chars().rev().collect::<String>(), digits.clone()] {
                letters.extend(digits.as_bytes().windows(DIGITS).map(<[u8]>::to_vec));
            }
            let (leading, exponent) = (digits.get(..LEADING).unwrap_or(&digits), digits.len() - 1);
            letters.insert(format!("{leading}e{exponent}").into_bytes());
            letters.insert(format!("{leading}{}", "0".repeat(DIGITS - LEADING)).into_bytes());
            coded.insert(format!("{number:x}").into_bytes());
            exact.insert(number.to_be_bytes().to_vec());
            exact.insert(number.to_le_bytes().to_vec());
            exact.insert(base_10_000(number));
        }
        coded.extend(derived.iter().filter(|text| text.len() >= 8).map(|text| text.clone().into_bytes()));
        let loose: BTreeSet<Vec<u8>> = letters.iter().chain(&coded).cloned().collect();
        let build = |needles: &BTreeSet<Vec<u8>>, fold: bool| {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .ascii_case_insensitive(fold)
                .build(needles)
                .expect("a few hundred needles")
        };
        Self { loose: build(&loose, true), exact: build(&exact, false) }
    }

    /// What of the secrets is in the messages of one session: each find with what stands around it.
    #[must_use]
    pub fn find(&self, frames: &[Frame]) -> Vec<String> {
        let mut found = Vec::new();
        let mut raw = Vec::new();
        for frame in frames {
            raw.push(frame.tag);
            raw.extend(&frame.body);
        }
        self.search(&raw, &mut found);
        for text in put_together(frames) {
            self.search(&text, &mut found);
            let bare: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
            found.extend(self.loose.find_iter(&bare).map(|hit| around(&bare, hit.start())));
        }
        let bare: Vec<u8> = raw.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        found.extend(self.loose.find_iter(&bare).map(|hit| around(&bare, hit.start())));
        found.dedup();
        found
    }

    /// The same for plain text.
    #[must_use]
    pub fn find_in_text(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.search(text.as_bytes(), &mut found);
        found
    }

    fn search(&self, bytes: &[u8], found: &mut Vec<String>) {
        found.extend(self.loose.find_iter(bytes).map(|hit| around(bytes, hit.start())));
        found.extend(self.exact.find_iter(bytes).map(|hit| around(bytes, hit.start())));
    }
}

fn of_text(text: &[u8], letters: &mut BTreeSet<Vec<u8>>, coded: &mut BTreeSet<Vec<u8>>, exact: &mut BTreeSet<Vec<u8>>) {
    letters.extend(text.windows(PIECE).map(<[u8]>::to_vec));
    for piece in text.windows(PIECE) {
        coded.insert(piece.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
    }
    for piece in text.windows(6) {
        // Six bytes are eight characters of base64 wherever they begin a group of three.
        exact.insert(base64::engine::general_purpose::STANDARD.encode(piece).into_bytes());
        coded.insert(piece.iter().map(u8::to_string).collect::<String>().into_bytes());
        coded.insert(piece.iter().map(|byte| format!("{byte:08b}")).collect::<String>().into_bytes());
        let backwards = |byte: &u8| format!("{:08b}", byte.reverse_bits());
        coded.insert(piece.iter().map(backwards).collect::<String>().into_bytes());
    }
}

/// A number as the binary format of `numeric` holds it, without its head.
fn base_10_000(mut number: i64) -> Vec<u8> {
    let mut groups = Vec::new();
    while number > 0 {
        groups.push(u16::try_from(number % 10_000).unwrap_or_default());
        number /= 10_000;
    }
    groups.iter().rev().flat_map(|group| group.to_be_bytes()).collect()
}

/// Cells and COPY data without the lengths between them: by row, by column, by copy.
fn put_together(frames: &[Frame]) -> Vec<Vec<u8>> {
    let mut rows = Vec::new();
    let mut columns: Vec<Vec<u8>> = Vec::new();
    let mut copied = Vec::new();
    let mut errors = Vec::new();
    for frame in frames {
        match frame.tag {
            b'D' => {
                for (index, cell) in frame.cells().into_iter().enumerate() {
                    let cell = cell.unwrap_or_default();
                    rows.extend(&cell);
                    if columns.len() <= index {
                        columns.resize(index + 1, Vec::new());
                    }
                    if let Some(column) = columns.get_mut(index) {
                        column.extend(&cell);
                    }
                }
            }
            b'd' => copied.extend(&frame.body),
            b'E' | b'N' => errors.extend(frame.field(b'M').unwrap_or_default().into_bytes()),
            _ => {}
        }
    }
    columns.extend([rows, copied, errors]);
    columns
}

fn around(bytes: &[u8], at: usize) -> String {
    let piece = bytes.get(at.saturating_sub(20)..(at + 40).min(bytes.len())).unwrap_or_default();
    piece.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&[u8]]) -> Frame {
        let mut body = u16::try_from(cells.len()).expect("few").to_be_bytes().to_vec();
        for cell in cells {
            body.extend(u32::try_from(cell.len()).expect("short").to_be_bytes());
            body.extend(*cell);
        }
        Frame { tag: b'D', body }
    }

    #[test]
    fn every_guise_is_found() {
        let finder = Finder::new(&["0123456789abcdef".into()]);
        let encoded = base64::engine::general_purpose::STANDARD.encode("..QXZJKWVQZXJQVKXW");
        for cell in [
            "QXZJKWVQZXJQVKXW",
            "jqvk",
            "WXKVQ",
            "5a4a4b57",
            "Q-X-Z-J",
            "1735024681 and more",
            "8.264917e+15",
            "8,264,917,000,000,000",
            "1d5ce606c2699d",
            "0123456789ABCDEF",
            "81,88,90,74,75,87",
            &encoded,
        ] {
            assert!(!finder.find(&[row(&[cell.as_bytes()])]).is_empty(), "{cell}");
        }
        assert!(!finder.find(&[row(&[&NUMBERS[0].to_be_bytes()])]).is_empty());
        assert!(!finder.find(&[row(&[b"QX"]), row(&[b"ZJ"])]).is_empty(), "split over rows");
        assert!(!finder.find(&[row(&[b"QX", b"ZJ"])]).is_empty(), "split over columns");
    }

    #[test]
    fn masks_and_ordinary_text_are_not_found() {
        let finder = Finder::new(&[]);
        for cell in ["****************", "0", "", "SELECT ssn FROM people", "2024-01-01 08:00:00+00", "QXZ", "5024681"]
        {
            assert_eq!(finder.find(&[row(&[cell.as_bytes()])]), Vec::<String>::new(), "{cell}");
        }
    }
}
