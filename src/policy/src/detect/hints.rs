//! Where in a batch of rows a value worth an exact look may lie.
//!
//! The batch is read as raw bytes: frame headers, lengths and cells alike. What comes out are offsets such
//! that every cell in which a detector would find a value contains at least one. An offset that meets no value
//! costs the caller a look at one cell and nothing else, so the scan may be wrong in that direction only.
//!
//! # How
//!
//! Signs that are rare in rows (the `@` of an address, the `+` of a telephone number) and the prefixes of
//! tokens are searched for by the vector code of `memchr` and of `aho-corasick`'s packed searcher. Forms made of
//! digits, capitals and points are found in [`forms`](super::forms), 64 bytes at a time.
//!
//! Rejected: searching for digits as for `@` (rows are full of them); regular expressions (0.2–0.3 GB/s).

use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;
use aho_corasick::packed::Searcher;
use memchr::memmem;
use wire::value::{Encoding, ValueType};

use super::forms::Forms;
use super::literals::Literals;
use super::set::Detector;
use super::{email, secret, token};

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

/// The detectors that search for prefixes.
const TOKENS: [Detector; 7] = [
    Detector::AwsKey,
    Detector::GcpKey,
    Detector::GithubToken,
    Detector::Jwt,
    Detector::PrivateKey,
    Detector::SlackToken,
    Detector::StripeKey,
];

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
        if !self.forms.is_empty() {
            self.forms.scan(batch, |at| push(at, hits));
        }
        let sorted = hits.len();
        self.signs(batch, hits);
        if self.tokens != 0 {
            self.token_prefixes(batch, hits);
        }
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

    fn signs(&self, batch: &[u8], hits: &mut Vec<u32>) {
        let at_signs = self.emails || self.url_passwords;
        match (at_signs, self.plus_signs) {
            (true, true) => memchr::memchr2_iter(b'@', b'+', batch).for_each(|at| {
                let near = if batch[at] == b'@' { self.is_near_address(batch, at) } else { is_near_phone(batch, at) };
                if near {
                    push(at, hits);
                }
            }),
            (true, false) => memchr::memchr_iter(b'@', batch)
                .filter(|at| self.is_near_address(batch, *at))
                .for_each(|at| push(at, hits)),
            (false, true) => {
                memchr::memchr_iter(b'+', batch).filter(|at| is_near_phone(batch, *at)).for_each(|at| push(at, hits))
            }
            (false, false) => {}
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

    fn token_prefixes(&self, batch: &[u8], hits: &mut Vec<u32>) {
        let wanted = |prefix: usize| PREFIXES.wanted.get(prefix).is_some_and(|detector| self.tokens & detector != 0);
        match &PREFIXES.packed {
            Some(searcher) => searcher
                .find_iter(batch)
                .filter(|found| wanted(found.pattern().as_usize()))
                .for_each(|found| push(found.start(), hits)),
            None => PREFIXES
                .automaton
                .iter()
                .flat_map(|searcher| searcher.find_iter(batch))
                .filter(|found| wanted(found.pattern().as_usize()))
                .for_each(|found| push(found.start(), hits)),
        }
    }
}

/// A search for the prefixes of all tokens at once.
struct Prefixes {
    /// The bit of the detector of each prefix.
    wanted: Vec<u8>,
    packed: Option<Searcher>,
    /// For machines without the vector instructions that the packed search needs.
    automaton: Option<AhoCorasick>,
}

static PREFIXES: LazyLock<Prefixes> = LazyLock::new(|| {
    let all = TOKENS
        .iter()
        .enumerate()
        .flat_map(|(at, token)| token::prefixes(token).into_iter().map(move |prefix| (1 << at, prefix)));
    let (wanted, prefixes): (Vec<u8>, Vec<&[u8]>) = all.unzip();
    let packed = Searcher::new(&prefixes);
    let automaton = if packed.is_some() { None } else { AhoCorasick::new(&prefixes).ok() };
    Prefixes { wanted, packed, automaton }
});

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
