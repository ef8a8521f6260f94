//! The exact look at one cell: what the rules of a set find in it, by the cell's type, and what becomes of it.
//!
//! The caller has the whole cell and knows that it is not NULL. Matches are masked in place, so lengths stay
//! and whatever surrounds a match stays readable; only a constant is put in their place afterwards. Where a
//! match cannot be masked in place, the whole cell goes. Any bytes give a result.

use std::ops::Range;

use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::json::{Piece, Walk, blank_leading_zeros};
use super::set::{Detector, DetectorUse};
use super::signs::Signs;
use super::{card, container};
use crate::mask::constant::json_escaped;
use crate::mask::number::whole_numeric;
use crate::mask::scalar::written;
use crate::mask::value::{Shape, is_text, mask_match, mask_matched_digits, mask_value};
use crate::mask::{MaskCounts, Method};

/// Composites in composites that are looked into; what lies deeper is looked at as bytes.
const DEPTH: u8 = 8;

/// Masks what the rules find in a whole cell, and counts the cell once for each rule that found something.
pub(super) fn scan(uses: &[DetectorUse], shape: Shape, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
    let mut scan = Scan { uses, found: Found::default(), whole: None, edits: Vec::new(), splices: false };
    scan.value(shape.value_type, shape.encoding, cell, DEPTH);
    scan.found.each(|index| counts.add(uses[index].rule));
    match scan.whole {
        Some(method) => mask_value(shape, method, cell),
        None if scan.edits.is_empty() => CellOutcome::InPlace,
        None => CellOutcome::Replace(spliced(cell, scan.edits)),
    }
}

/// A cell with constants in the place of ranges.
fn spliced(cell: &[u8], mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.0.start);
    let (mut bytes, mut at) = (Vec::with_capacity(cell.len()), 0);
    for (range, constant) in edits {
        // What overlaps the one before belongs to it.
        if range.start >= at {
            bytes.extend_from_slice(&cell[at..range.start]);
            bytes.extend_from_slice(&constant);
        }
        at = at.max(range.end);
    }
    bytes.extend_from_slice(&cell[at..]);
    bytes
}

/// Places of uses in their set, none twice. Cells in which the first 64 find something need no memory.
#[derive(Default)]
struct Found {
    first: u64,
    later: Vec<usize>,
}

impl Found {
    fn add(&mut self, index: usize) {
        match u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)) {
            Some(bit) => self.first |= bit,
            None if self.later.contains(&index) => {}
            None => self.later.push(index),
        }
    }

    fn each(&self, mut visit: impl FnMut(usize)) {
        let mut left = self.first;
        while left != 0 {
            visit(left.trailing_zeros() as usize);
            left &= left - 1;
        }
        self.later.iter().copied().for_each(visit);
    }
}

/// What was found so far in one cell.
struct Scan<'a> {
    uses: &'a [DetectorUse],
    /// The uses that found something.
    found: Found,
    /// How the whole cell is to be masked, where a match asks for that.
    whole: Option<&'a Method>,
    /// What is to stand in place of which bytes of the cell; they hold stars already.
    edits: Vec<(Range<usize>, Vec<u8>)>,
    /// Whether the cell's form lets a match have another length.
    splices: bool,
}

static NULL: Method = Method::Null;

static REDACT: Method = Method::Redact;

/// What stands in place of the characters of a match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// Stars.
    Text,
    /// Zeros for a match that is a bare element, so that an array of numbers stays one; stars otherwise.
    Elements,
    /// Stars within a JSON string.
    Json,
}

impl<'a> Scan<'a> {
    fn value(&mut self, value_type: ValueType, encoding: Encoding, cell: &mut [u8], depth: u8) {
        use ValueType as T;
        let binary = match encoding {
            Encoding::Text => false,
            Encoding::PgBinary => true,
            // Not looked into; such columns have no hints either.
            _ => return,
        };
        self.splices = depth == DEPTH && matches!(value_type, T::Text | T::Bytes | T::Json | T::Jsonb | T::Unknown);
        match value_type {
            T::Text => self.text(cell, 0, Fill::Text),
            // Hexadecimal digits.
            T::Bytes if !binary && cell.starts_with(b"\\x") => {}
            T::Bytes => self.text(cell, 0, Fill::Text),
            T::Jsonb if binary => self.json(cell, 1),
            T::Json | T::Jsonb => self.json(cell, 0),
            T::Array | T::Composite if binary => self.container(value_type, cell, depth),
            T::Array | T::Composite => self.text(cell, 0, Fill::Elements),
            T::Range if binary => self.opaque(cell),
            T::Range => self.contained(cell),
            T::Int2 | T::Int4 | T::Int8 | T::Oid | T::Uuid if self.written(value_type, encoding, cell) => {}
            T::Int8 if binary => {
                let value = (*cell).try_into().ok().map(i64::from_be_bytes);
                self.number(value.and_then(|value| u64::try_from(value).ok()));
            }
            T::Numeric if binary => self.number(whole_numeric(cell)),
            T::Float4 | T::Float8 | T::Int8 | T::Numeric if !binary => self.digits(cell),
            T::Unknown if binary && !is_text(cell) => self.opaque(cell),
            T::Unknown => self.text(cell, 0, Fill::Text),
            _ => {}
        }
    }

    /// Looks for the user's own values in the text of a number or UUID.
    fn written(&mut self, value_type: ValueType, encoding: Encoding, cell: &[u8]) -> bool {
        if !self.uses.iter().any(|one| one.detector.is_own()) {
            return false;
        }
        let Some(text) = written(value_type, encoding, cell) else { return false };
        for (index, one) in self.uses.iter().enumerate().filter(|(_, one)| one.detector.is_own()) {
            if one.detector.find(&text, 0, &mut 0).is_some() {
                self.note(index);
                self.whole = self.whole.or(Some(&one.method));
            }
        }
        self.whole.is_some()
    }

    /// Masks every match in a text, which begins at `base` of the cell.
    fn text(&mut self, text: &mut [u8], base: usize, fill: Fill) {
        let mut signs = Signs::of(text);
        for (index, one) in self.uses.iter().enumerate() {
            if !signs.fit(&one.detector) {
                continue;
            }
            let (mut from, mut searches) = (0, 0);
            while let Some(range) = one.detector.find(text, from, &mut searches) {
                self.note(index);
                from = range.end;
                if one.method == Method::Null {
                    self.whole = Some(&NULL);
                    return;
                }
                signs.forget(&text[range.clone()]);
                self.masked(&one.method, text, range.clone(), base, fill);
                // Stars are signs of nothing.
                if one.method != Method::Redact || fill == Fill::Elements {
                    signs.add(&text[range]);
                }
            }
        }
    }

    fn masked(&mut self, method: &Method, text: &mut [u8], range: Range<usize>, base: usize, fill: Fill) {
        if fill == Fill::Elements && is_bare_element(text, &range) {
            return mask_matched_digits(method, &mut text[range]);
        }
        if let Method::Constant(value) = method
            && self.splices
        {
            let constant = if fill == Fill::Json { json_escaped(value) } else { value.as_bytes().to_vec() };
            self.edits.push((base + range.start..base + range.end, constant));
        }
        mask_match(method, &mut text[range]);
    }

    /// Masks what stands in the strings and numbers of a JSON text, which begins at `base` of the cell.
    fn json(&mut self, cell: &mut [u8], base: usize) {
        let Some(text) = cell.get_mut(base..) else { return };
        self.private_keys(text, base);
        let mut walk = Walk::default();
        while let Some(piece) = walk.next(text) {
            match piece {
                Piece::Bare(range) if is_integer(&text[range.clone()]) => self.json_integer(&mut text[range]),
                Piece::Bare(range) => self.text(&mut text[range.clone()], base + range.start, Fill::Text),
                Piece::Quoted(range) => self.text(&mut text[range.clone()], base + range.start, Fill::Json),
            }
        }
    }

    /// The lines of a private key are joined by escapes, between which nothing tells them from other text.
    fn private_keys(&mut self, text: &mut [u8], base: usize) {
        let Some((index, one)) = self.uses.iter().enumerate().find(|(_, one)| one.detector == Detector::PrivateKey)
        else {
            return;
        };
        let (mut from, mut searches) = (0, 0);
        while let Some(range) = one.detector.find(text, from, &mut searches) {
            self.note(index);
            from = range.end;
            // Kept ends would take escapes apart.
            let method = if let Method::Keep { .. } = one.method { &REDACT } else { &one.method };
            if *method == Method::Null {
                self.whole = Some(&NULL);
            }
            self.masked(method, text, range, base, Fill::Json);
        }
    }

    /// A bare number of digits alone; what replaces it is a number too.
    fn json_integer(&mut self, number: &mut [u8]) {
        if !card::is_card(number) {
            return;
        }
        let Some(method) = self.mark(Detector::Card) else { return };
        if *method == Method::Null {
            self.whole = Some(&NULL);
        }
        mask_matched_digits(method, number);
        blank_leading_zeros(number);
    }

    fn container(&mut self, value_type: ValueType, cell: &mut [u8], depth: u8) {
        let elements = match value_type {
            ValueType::Array => container::array_elements(cell),
            _ => container::record_fields(cell),
        };
        let (Some(elements), Some(depth)) = (elements, depth.checked_sub(1)) else { return self.opaque(cell) };
        let mut whole = self.whole.take();
        for element in elements {
            let bytes = &mut cell[element.bytes];
            self.value(element.value_type, Encoding::PgBinary, bytes, depth);
            match self.whole.take() {
                None => {}
                Some(Method::Null) => whole = Some(&NULL),
                Some(method) => {
                    let shape = Shape { value_type: element.value_type, encoding: Encoding::PgBinary, nullable: false };
                    // An element of another length would take its container's structure with it.
                    if mask_value(shape, method, bytes) != CellOutcome::InPlace {
                        whole = whole.or(Some(&REDACT));
                    }
                }
            }
        }
        self.whole = whole;
    }

    /// A number of a type that holds nothing else.
    fn number(&mut self, value: Option<u64>) {
        if let Some(value) = value.filter(|value| *value >= 1_000_000_000_000) {
            self.digits(value.to_string().as_bytes());
        }
    }

    fn digits(&mut self, digits: &[u8]) {
        if card::is_card(digits) {
            self.whole = self.mark(Detector::Card).or(self.whole);
        }
    }

    /// A value whose parts cannot be masked in place: any match takes all of it.
    fn contained(&mut self, text: &[u8]) {
        let signs = Signs::of(text);
        for (index, one) in self.uses.iter().enumerate().filter(|(_, one)| signs.fit(&one.detector)) {
            if one.detector.find(text, 0, &mut 0).is_some() {
                self.note(index);
                self.take_whole(&one.method);
            }
        }
    }

    /// Bytes of a form that is not known: texts between bytes that no text has, and numbers with a length
    /// before them. The last bytes of a length can look like text, so each stretch is looked at without its
    /// first few bytes too.
    fn opaque(&mut self, cell: &[u8]) {
        for stretch in cell.split(|byte| *byte < b' ') {
            for skipped in 0..stretch.len().min(4) {
                self.contained(&stretch[skipped..]);
            }
        }
        let card = cell.windows(4).enumerate().any(|(at, length)| {
            let length = length.iter().fold(0usize, |value, byte| value << 8 | usize::from(*byte));
            let value = (8..=20).contains(&length).then(|| cell.get(at + 4..at + 4 + length)).flatten();
            value.is_some_and(is_card_number)
        });
        if let Some(method) = card.then(|| self.mark(Detector::Card)).flatten() {
            self.take_whole(method);
        }
    }

    fn take_whole(&mut self, method: &Method) {
        if self.whole != Some(&NULL) {
            self.whole = Some(if *method == Method::Null { &NULL } else { &REDACT });
        }
    }

    fn note(&mut self, index: usize) {
        self.found.add(index);
    }

    /// Notes that a detector found something; `None` where the set does not ask for it.
    fn mark(&mut self, detector: Detector) -> Option<&'a Method> {
        let index = self.uses.iter().position(|one| one.detector == detector)?;
        self.note(index);
        Some(&self.uses[index].method)
    }
}

/// Whether the match is all of an unquoted element of an array or composite, and digits alone.
fn is_bare_element(text: &[u8], range: &Range<usize>) -> bool {
    let before = text[..range.start].strip_suffix(b"-").unwrap_or(&text[..range.start]);
    text[range.clone()].iter().all(u8::is_ascii_digit)
        && matches!(before.last(), None | Some(b'{' | b'(' | b'[' | b','))
        && matches!(text.get(range.end), None | Some(b'}' | b')' | b']' | b','))
}

/// Whether a piece outside JSON strings is a number without point and exponent.
fn is_integer(piece: &[u8]) -> bool {
    piece.strip_prefix(b"-").unwrap_or(piece).iter().all(u8::is_ascii_digit)
}

/// Whether a binary `int8` or `numeric` is a card number.
fn is_card_number(value: &[u8]) -> bool {
    let integer = value.try_into().ok().and_then(|bytes| u64::try_from(i64::from_be_bytes(bytes)).ok());
    integer.or_else(|| whole_numeric(value)).is_some_and(|value| card::is_card(value.to_string().as_bytes()))
}
