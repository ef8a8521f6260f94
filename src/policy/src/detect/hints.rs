//! Where in a batch of rows a value worth an exact look may lie.
//!
//! The batch is read as raw bytes: frame headers, lengths and cells alike. What comes out are offsets such
//! that every cell in which a detector would find a value contains at least one. An offset that meets no value
//! costs the caller a look at one cell and nothing else, so the scan may be wrong in that direction only.
//!
//! # How
//!
//! Where only signs are asked for that are rare in rows (the `@` of an address, the `+` of a telephone number),
//! the vector code of `memchr` finds them. All else goes over the batch in pages of 2 KiB: its bytes are sorted
//! into classes ([`classes`](super::classes)), [`forms`](super::forms) and [`prefixes`](super::prefixes) say of
//! each block of 64 bytes where something may end or stand, mostly nowhere, and only such a place is looked at.
//!
//! Rejected: searching for digits as for `@` (rows are full of them); regular expressions (0.2–0.3 GB/s); a packed
//! search for all prefixes beside the classes (as many instructions again for each byte).

use std::sync::Arc;

use memchr::memmem;
use wire::value::{Encoding, ValueType};

use super::classes::{BLOCK, Classes, PAGE, Wanted};
use super::forms::{Forms, Places, bits, confirmed};
use super::literals::Literals;
use super::prefixes::{self, TOKENS};
use super::set::Detector;
use super::{email, secret};

/// What a batch is to be searched for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints {
    forms: Forms,
    emails: bool,
    url_passwords: bool,
    plus_signs: bool,
    /// One bit for each detector of [`TOKENS`].
    tokens: u8,
    binary_integers: bool,
    binary_numerics: bool,
    literals: Vec<Arc<Literals>>,
    /// Whether every cell is to be looked at.
    every: bool,
}

impl Hints {
    /// What one detector searches for in columns of a type; nothing where it does not look into the type.
    pub(crate) fn of(detector: &Detector, value_type: ValueType, encoding: Encoding) -> Self {
        use ValueType as T;
        let none = Self::default();
        let binary = match encoding {
            Encoding::Text => false,
            Encoding::PgBinary => true,
            _ => return none,
        };
        let card = *detector == Detector::Card;
        match value_type {
            T::Bytes | T::Json | T::Jsonb | T::Text | T::Unknown => Self::of_text(detector),
            T::Array | T::Composite | T::Range if binary => {
                // Numbers in them are looked at too.
                let every = detector.is_own();
                Self { binary_integers: card, binary_numerics: card, every, ..Self::of_text(detector) }
            }
            T::Array | T::Composite | T::Range => Self::of_text(detector),
            T::Int2 | T::Int4 | T::Int8 | T::Oid | T::Uuid if detector.is_own() => Self { every: true, ..none },
            T::Int8 if binary => Self { binary_integers: card, ..none },
            T::Numeric if binary => Self { binary_numerics: card, ..none },
            T::Float4 | T::Float8 | T::Int8 | T::Numeric if card => Self { forms: Forms::of(detector), ..none },
            _ => none,
        }
    }

    fn of_text(detector: &Detector) -> Self {
        let (literals, every) = match detector {
            Detector::Literals(list) => (list.literals().cloned().into_iter().collect(), list.literals().is_none()),
            Detector::Pattern(_) => (Vec::new(), true),
            _ => (Vec::new(), false),
        };
        Self {
            forms: Forms::of(detector),
            emails: *detector == Detector::Email,
            url_passwords: *detector == Detector::UrlPassword,
            plus_signs: *detector == Detector::Phone,
            tokens: TOKENS.iter().position(|token| token == detector).map_or(0, |at| 1 << at),
            literals,
            every,
            ..Self::default()
        }
    }

    /// Whether there is nothing to search for.
    pub(crate) fn is_empty(&self) -> bool {
        let signs = self.emails || self.url_passwords || self.plus_signs || self.tokens != 0;
        let numbers = self.binary_integers || self.binary_numerics || !self.forms.is_empty();
        !signs && !numbers && self.literals.is_empty() && !self.every
    }

    /// Whether every cell is to be looked at, without a search.
    pub(crate) fn every_cell(&self) -> bool {
        self.every
    }

    /// Searches for what `other` searches for, too.
    pub(crate) fn add(&mut self, other: &Self) {
        self.forms = self.forms | other.forms;
        self.emails |= other.emails;
        self.url_passwords |= other.url_passwords;
        self.plus_signs |= other.plus_signs;
        self.tokens |= other.tokens;
        self.binary_integers |= other.binary_integers;
        self.binary_numerics |= other.binary_numerics;
        self.every |= other.every;
        for literals in &other.literals {
            if !self.literals.iter().any(|known| Arc::ptr_eq(known, literals)) {
                self.literals.push(Arc::clone(literals));
            }
        }
    }

    /// Appends the offsets in ascending order, none twice.
    pub(crate) fn scan(&self, batch: &[u8], hits: &mut Vec<u32>) {
        let from = hits.len();
        if self.forms.is_empty() && self.tokens == 0 {
            self.signs(batch, hits);
        } else {
            self.pages(batch, hits);
        }
        let sorted = hits.len();
        if self.binary_integers {
            binary_integers(batch, hits);
        }
        if self.binary_numerics {
            binary_numerics(batch, hits);
        }
        for literals in &self.literals {
            literals.candidates(batch, |at| push(at, hits));
        }
        if hits.len() > sorted {
            hits[from..].sort_unstable();
            // Only what was appended here; hits of an earlier batch stay as they are.
            let mut kept = from;
            for at in from..hits.len() {
                if kept == from || hits[kept - 1] != hits[at] {
                    hits[kept] = hits[at];
                    kept += 1;
                }
            }
            hits.truncate(kept);
        }
    }

    /// All that is asked for but literals and binary numbers.
    fn pages(&self, batch: &[u8], hits: &mut Vec<u32>) {
        let signs = self.emails || self.url_passwords || self.plus_signs;
        let wanted = Wanted { signs, pairs: self.tokens != 0, ..self.forms.wanted() };
        let (mut classes, mut places) = (Classes::NONE, Places::NONE);
        // A block is read with the byte behind it; zeros stand behind the last.
        let whole = batch.len().saturating_sub(1) / BLOCK * BLOCK;
        let (blocks, rest) = batch.split_at(whole);
        let mut tail = [0; BLOCK + 1];
        tail[..rest.len()].copy_from_slice(rest);
        for at in (0..blocks.len()).step_by(PAGE * BLOCK) {
            let end = blocks.len().min(at + PAGE * BLOCK);
            self.page(batch, at, &batch[at..=end], wanted, (&mut classes, &mut places), hits);
        }
        self.page(batch, whole, &tail, wanted, (&mut classes, &mut places), hits);
    }

    /// A page of the batch, which lies at `base`: its whole blocks and the byte behind.
    fn page(
        &self,
        batch: &[u8],
        base: usize,
        bytes: &[u8],
        wanted: Wanted,
        (classes, places): (&mut Classes, &mut Places),
        hits: &mut Vec<u32>,
    ) {
        let blocks = bytes.len() / BLOCK;
        classes.fill(bytes, wanted);
        places.find(self.forms, classes);
        for block in (0..blocks).filter(|block| places.any(*block)) {
            let at = base + block * BLOCK;
            let found = places.confirmed(self.forms, classes, block, at, batch)
                | confirmed(classes.signs[block + 1], at, |at| self.is_near_sign(batch, at))
                | confirmed(classes.pairs[block + 1], at, |at| prefixes::stands_at(batch, at, self.tokens));
            bits(found).for_each(|bit| push(at + bit, hits));
        }
        classes.turn(blocks);
        places.turn(blocks);
    }

    /// Signs alone.
    fn signs(&self, batch: &[u8], hits: &mut Vec<u32>) {
        let at_signs = self.emails || self.url_passwords;
        let near = |at: &usize| self.is_near_sign(batch, *at);
        match (at_signs, self.plus_signs) {
            (true, true) => memchr::memchr2_iter(b'@', b'+', batch).filter(near).for_each(|at| push(at, hits)),
            (true, false) => memchr::memchr_iter(b'@', batch).filter(near).for_each(|at| push(at, hits)),
            (false, true) => memchr::memchr_iter(b'+', batch).filter(near).for_each(|at| push(at, hits)),
            (false, false) => {}
        }
    }

    /// Whether what is asked for could stand around the `@` or `+` at this place.
    fn is_near_sign(&self, batch: &[u8], at: usize) -> bool {
        match batch.get(at) {
            Some(b'@') => self.is_near_address(batch, at),
            Some(b'+') => self.plus_signs && is_near_phone(batch, at),
            _ => false,
        }
    }

    /// Whether an address or the end of a password could stand around an `@`; both neighbours belong to its
    /// cell then.
    fn is_near_address(&self, batch: &[u8], at: usize) -> bool {
        let (Some(before), Some(behind)) = (at.checked_sub(1).and_then(|at| batch.get(at)), batch.get(at + 1)) else {
            return false;
        };
        (self.emails && email::is_local(*before) && email::is_domain(*behind))
            || (self.url_passwords && secret::is_authority(*before) && secret::is_host(*behind))
    }
}

/// Whether a telephone number could begin with a `+`.
fn is_near_phone(batch: &[u8], at: usize) -> bool {
    matches!(
        batch[at..],
        [
            _,
            b'1'..=b'9',
            b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | b'(' | b')',
            b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | b'(' | b')',
            ..
        ]
    )
}

fn push(offset: usize, hits: &mut Vec<u32>) {
    // A batch is a received chunk or a gathered row, far below 4 GiB.
    debug_assert!(u32::try_from(offset).is_ok());
    if let Ok(offset) = u32::try_from(offset) {
        hits.push(offset);
    }
}

/// An `int8` in PostgreSQL's binary form, with its length before it: a value of 13 digits or more.
fn binary_integers(batch: &[u8], hits: &mut Vec<u32>) {
    for length in memmem::find_iter(batch, &8u32.to_be_bytes()) {
        let value = length + 4;
        let Some(bytes) = batch.get(value..).and_then(<[u8]>::first_chunk::<8>) else { break };
        if (1_000_000_000_000..=i64::MAX).contains(&i64::from_be_bytes(*bytes)) {
            push(value, hits);
        }
    }
}

/// A `numeric` in PostgreSQL's binary form that is positive, whole, and of 13 to 20 digits: weight 3 or 4,
/// sign 0, scale 0.
fn binary_numerics(batch: &[u8], hits: &mut Vec<u32>) {
    for weight in [3, 4] {
        for low in memmem::find_iter(batch, &[weight, 0, 0, 0, 0]) {
            push(low, hits);
        }
    }
}
