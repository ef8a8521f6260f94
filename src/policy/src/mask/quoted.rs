//! Masks texts wherever they stand in a larger one: values that the definitions of objects quote.
//!
//! All bytes of a text become stars where it stands by itself, not within a longer word (`customer` stays in
//! `customers_id_seq`): whoever puts definitions beside each other without a sign between them gets none. Every other
//! byte stays, so that a definition remains readable. It may assume that the texts are spelled as they stand in the
//! cells. Long texts are looked for in pieces, so that the time is linear in the cell's length.

use core::ops::Range;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use wire::guard::CellOutcome;
use wire::value::ValueType;

use super::method::Method;
use super::value::{Shape, mask_value};

/// The shortest text that is looked for, in bytes.
const SHORTEST: usize = 4;

/// The longest piece that is looked for at once, in bytes.
const LONGEST: usize = 256;

/// Most bytes of all texts together.
const MOST_BYTES: usize = 1 << 20;

/// Texts that are masked wherever they stand. Two are equal where they are the same one.
#[derive(Clone)]
pub struct Quotes(Arc<Texts>);

struct Texts {
    /// All pieces; `None` where there may be texts that are not in the list, or there are too many.
    search: Option<AhoCorasick>,
    /// Whether each piece is a text of its own, not part of a longer one.
    whole: Vec<bool>,
    ascii: bool,
}

impl Quotes {
    /// These texts, of four bytes or more each; an empty one says that there are others which are not known.
    /// `None` where there is none.
    #[must_use]
    pub fn new(texts: BTreeSet<Box<str>>) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        let ascii = texts.iter().all(|text| text.is_ascii());
        let is_known = texts.iter().all(|text| text.len() >= SHORTEST)
            && texts.iter().map(|text| text.len()).sum::<usize>() <= MOST_BYTES;
        let pieces: Vec<(&str, bool)> =
            if is_known { texts.iter().flat_map(|text| pieces(text)).collect() } else { vec![] };
        let search = is_known.then(|| AhoCorasick::new(pieces.iter().map(|(piece, _)| piece)).ok()).flatten();
        let whole = pieces.iter().map(|(_, whole)| *whole).collect();
        Some(Self(Arc::new(Texts { search, whole, ascii })))
    }

    /// Whether the texts have the same bytes in every encoding that a client may ask for.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.ascii
    }

    /// Masks the texts in a whole cell; all of it where it is no text, or the texts are not all known. Whether
    /// anything was found.
    pub(super) fn mask(&self, shape: Shape, cell: &mut [u8]) -> (CellOutcome, bool) {
        let is_text = matches!(shape.value_type, ValueType::Array | ValueType::Text | ValueType::Unknown);
        let Some(search) = self.0.search.as_ref().filter(|_| is_text) else {
            return (mask_value(shape, &Method::Redact, cell), true);
        };
        let found = self.find(search, cell);
        for range in &found {
            if let Some(text) = cell.get_mut(range.clone()) {
                text.fill(b'*');
            }
        }
        (CellOutcome::InPlace, !found.is_empty())
    }

    /// Where texts stand, without overlaps. A text may start with another and stand by itself where that does not, so
    /// all are looked at: at any byte end no more than [`LONGEST`].
    fn find(&self, search: &AhoCorasick, cell: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for piece in search.find_overlapping_iter(cell) {
            let mut range = piece.range();
            if self.0.whole.get(piece.pattern().as_usize()) != Some(&false) && !stands_alone(cell, &range) {
                continue;
            }
            // They come by their ends.
            while let Some(last) = found.pop_if(|last| last.end >= range.start) {
                range.start = range.start.min(last.start);
            }
            found.push(range);
        }
        found
    }
}

/// A text in pieces that can be looked for by themselves, and whether it is one piece. Those of a long one have half
/// of [`LONGEST`] bytes at least, or a few less.
fn pieces(text: &str) -> Vec<(&str, bool)> {
    let mut rest = text;
    let mut found = Vec::new();
    while rest.len() > LONGEST {
        let at = LONGEST.min(rest.len() / 2);
        let at = (1..=at).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(at);
        let Some((piece, behind)) = rest.split_at_checked(at) else { break };
        found.push((piece, false));
        rest = behind;
    }
    found.push((rest, found.is_empty()));
    found
}

/// Whether no word goes on at either end. What stands behind a backslash is no letter (`\\n`).
fn stands_alone(cell: &[u8], range: &Range<usize>) -> bool {
    let is_word = |at: usize| cell.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (before, last) = (range.start.wrapping_sub(1), range.end.wrapping_sub(1));
    let goes_on = is_word(before) && is_word(range.start) && cell.get(before.wrapping_sub(1)) != Some(&b'\\');
    !(goes_on || is_word(last) && is_word(range.end))
}

impl PartialEq for Quotes {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Quotes {}

impl fmt::Debug for Quotes {
    /// How many there are: the texts are what is masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quotes({})", self.0.whole.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::value::Encoding;

    fn masked(texts: &[&str], value_type: ValueType, cell: &str) -> (String, bool) {
        let quotes = Quotes::new(texts.iter().map(|text| Box::from(*text)).collect()).unwrap();
        let mut bytes = cell.as_bytes().to_vec();
        let shape = Shape { value_type, encoding: Encoding::Text, nullable: true };
        let (outcome, found) = quotes.mask(shape, &mut bytes);
        assert!(outcome == CellOutcome::InPlace);
        (String::from_utf8(bytes).unwrap(), found)
    }

    #[test]
    fn texts_are_masked_where_they_stand_as_words() {
        let texts = ["4111-22", "for example 4111-22", "Zoë's"];
        for (cell, left) in [
            ("'4111-22'::text", "'*******'::text"),
            ("for example 4111-22, or so", "*******************, or so"),
            ("4111-22 4111-22", "******* *******"),
            ("(card <> 'Zoë''s')", "(card <> 'Zoë''s')"),
            ("Zoë's", "******"),
            ("14111-22x", "14111-22x"),
            ("4111-22_id 4111-22", "4111-22_id *******"),
            ("a\\n4111-22\\", "a\\n*******\\"),
            ("", ""),
        ] {
            assert_eq!(masked(&texts, ValueType::Text, cell), (left.to_owned(), left != cell), "{cell}");
        }
        assert_eq!(masked(&["abcd efgh", "efgh ijkl"], ValueType::Text, "abcd efgh ijkl").0, "*".repeat(14));
    }

    #[test]
    fn long_texts_are_masked_whole_and_overlaps_by_what_they_cover() {
        for length in [255, 256, 257, 258, 511, 512, 513, 3000] {
            for letter in ["a", "ß", "字", "𝒳"] {
                let text: String = letter.repeat(length);
                let cell = format!("'{text}'::text");
                assert_eq!(masked(&[&text], ValueType::Text, &cell).0, format!("'{}'::text", "*".repeat(text.len())));
            }
        }
        let runs: Vec<String> = (4..=300).map(|length| "ab".repeat(length)).collect();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        assert_eq!(masked(&runs, ValueType::Text, &"ab".repeat(300)).0, "*".repeat(600));
        let many = (0..20_000).map(|at| format!("{at:060}").into()).collect();
        assert!(Quotes::new(many).unwrap().0.search.is_none());
    }

    #[test]
    fn what_is_found_is_what_comparing_at_every_byte_finds() {
        let mut state = 7_u64;
        let mut below = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        for _ in 0..3_000 {
            let mut text = |length: u64| -> String {
                (0..length).map(|_| ['a', 'a', 'b', ',', ' '][usize::try_from(below(5)).unwrap()]).collect()
            };
            let texts: Vec<String> = (0..5).map(|at| text(4 + at % 4)).collect();
            let cell = text(40);
            let mut left = cell.clone().into_bytes();
            for text in &texts {
                for at in 0..cell.len() {
                    let range = at..at + text.len();
                    if cell[at..].starts_with(text.as_str()) && stands_alone(cell.as_bytes(), &range) {
                        left[range].fill(b'*');
                    }
                }
            }
            let all: Vec<&str> = texts.iter().map(String::as_str).collect();
            assert_eq!(masked(&all, ValueType::Text, &cell).0.into_bytes(), left, "{texts:?} in {cell:?}");
        }
    }

    #[test]
    fn what_cannot_be_searched_is_masked_whole() {
        assert_eq!(masked(&[""], ValueType::Text, "now()").0, "*****");
        assert!(masked(&["4111-22"], ValueType::Uuid, "4111-22a").1);
        assert!(Quotes::new(BTreeSet::new()).is_none());
    }
}
