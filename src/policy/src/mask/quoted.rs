//! Masks texts wherever they stand in a larger one: values that the definitions of objects quote.
//!
//! All bytes of a text become stars wherever it stands, in the midst of a word too: definitions can be put beside each
//! other. Every other byte stays, so that a definition remains readable. It may assume that the texts are spelled as
//! they stand in the cells.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use wire::guard::CellOutcome;
use wire::value::ValueType;

use super::method::Method;
use super::value::{Shape, mask_value};
use crate::hash::HashMap;

/// Bytes by which a text is looked up.
const START: usize = 4;

/// Texts that are masked wherever they stand. Two are equal where they are the same one.
#[derive(Clone)]
pub struct Quotes(Arc<Texts>);

struct Texts {
    by_start: HashMap<[u8; START], Vec<Box<[u8]>>>,
    /// Whether there may be texts that are not in the list.
    open: bool,
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
        let mut all = Texts { by_start: HashMap::default(), open: false, ascii: true };
        for text in texts {
            all.ascii &= text.is_ascii();
            match text.as_bytes().first_chunk::<START>() {
                Some(start) => all.by_start.entry(*start).or_default().push(text.as_bytes().into()),
                None => all.open = true,
            }
        }
        Some(Self(Arc::new(all)))
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
        if !is_text || self.0.open {
            return (mask_value(shape, &Method::Redact, cell), true);
        }
        let found = self.find(cell);
        for range in &found {
            if let Some(text) = cell.get_mut(range.clone()) {
                text.fill(b'*');
            }
        }
        (CellOutcome::InPlace, !found.is_empty())
    }

    fn find(&self, cell: &[u8]) -> Vec<core::ops::Range<usize>> {
        let mut found = Vec::new();
        for at in 0..cell.len() {
            let rest = cell.get(at..).unwrap_or_default();
            let Some(texts) = rest.first_chunk::<START>().and_then(|start| self.0.by_start.get(start)) else {
                continue;
            };
            if let Some(longest) = texts.iter().filter(|text| rest.starts_with(text)).map(|text| text.len()).max() {
                found.push(at..at + longest);
            }
        }
        found
    }
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
        write!(f, "Quotes({})", self.0.by_start.values().map(Vec::len).sum::<usize>())
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
            ("14111-22x", "1*******x"),
            ("", ""),
        ] {
            assert_eq!(masked(&texts, ValueType::Text, cell), (left.to_owned(), left != cell), "{cell}");
        }
        assert_eq!(masked(&["abcd efgh", "efgh ijkl"], ValueType::Text, "abcd efgh ijkl").0, "*".repeat(14));
    }

    #[test]
    fn what_cannot_be_searched_is_masked_whole() {
        assert_eq!(masked(&[""], ValueType::Text, "now()").0, "*****");
        assert!(masked(&["4111-22"], ValueType::Uuid, "4111-22a").1);
        assert!(Quotes::new(BTreeSet::new()).is_none());
    }
}
