//! Where in a batch of rows a value worth an exact look may lie.
//!
//! The batch is read once, as raw bytes: frame headers, lengths and cells alike. What comes out are offsets
//! such that every value that a detector would find contains at least one. An offset that meets no value
//! costs the caller a look at one cell and nothing else, so the scan may be wrong in that direction only.
//!
//! # How
//!
//! The `@` of an address is looked for by memchr, a few blocks ahead. Digits make bits: of 64 bytes at a
//! time one word, in which "a run of four digits ends at bit i" is two shifts and two ANDs, and the forms of
//! both kinds of numbers are a few more, for 64 positions at once:
//!
//! - 13 digits in a row (a bare card),
//! - four digits, another byte, four digits (a card in groups: each of its forms has that),
//! - 3, 2 and 4 digits with one byte between (a social security number).
//!
//! Whether the bytes between are spaces or hyphens is asked only where a form ends. Each form is longer than
//! 8 bytes, so the highest multiple of 8 at or below its last byte lies inside it: offsets are given at
//! multiples of 8, which makes one offset of many overlapping forms for free.
//!
//! Rejected: searching for digits as for `@` (rows are full of them); regular expressions (0.2–0.3 GB/s, where
//! this takes 4 on one core of 2.5 GHz); leaving a block early when no run of four digits ends in it (twice as
//! fast on prose, half as fast on rows with dates, because the branch cannot be foreseen there). The digit test
//! is written so that the compiler makes vector code of it, since intrinsics would need `unsafe`.

use std::ops::BitOr;

use memchr::memmem;
use wire::value::{Encoding, ValueType};

use super::email;
use super::set::Detector;

/// What a batch is to be searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    at_signs: bool,
    cards: bool,
    ssns: bool,
    binary_integers: bool,
    binary_numerics: bool,
}

impl BitOr for Hints {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            at_signs: self.at_signs | other.at_signs,
            cards: self.cards | other.cards,
            ssns: self.ssns | other.ssns,
            binary_integers: self.binary_integers | other.binary_integers,
            binary_numerics: self.binary_numerics | other.binary_numerics,
        }
    }
}

/// Bytes of one block: as many as a word has bits.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

impl Hints {
    /// What one detector searches for in columns of a type; nothing where it does not look into the type.
    pub(crate) fn of(detector: Detector, value_type: ValueType, encoding: Encoding) -> Self {
        use ValueType as T;
        let none = Self::default();
        let text = Self {
            at_signs: detector == Detector::Email,
            cards: detector == Detector::Card,
            ssns: detector == Detector::Ssn,
            ..none
        };
        let card = detector == Detector::Card;
        let binary = match encoding {
            Encoding::Text => false,
            Encoding::PgBinary => true,
            _ => return none,
        };
        match value_type {
            T::Bytes | T::Json | T::Jsonb | T::Text | T::Unknown => text,
            T::Array | T::Composite | T::Range if binary => {
                Self { binary_integers: card, binary_numerics: card, ..text }
            }
            T::Array | T::Composite | T::Range => text,
            T::Int8 if binary => Self { binary_integers: card, ..none },
            T::Numeric if binary => Self { binary_numerics: card, ..none },
            T::Float4 | T::Float8 | T::Int8 | T::Numeric if !binary => Self { cards: card, ..none },
            _ => none,
        }
    }

    /// Whether there is nothing to search for.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Appends the offsets in ascending order.
    pub(crate) fn scan(self, batch: &[u8], hits: &mut Vec<u32>) {
        let from = hits.len();
        if self.cards || self.ssns {
            self.scan_blocks(batch, hits);
        } else if self.at_signs {
            memchr::memchr_iter(b'@', batch).for_each(|at| push_at_sign(batch, at, hits));
        }
        let sorted = hits.len();
        if self.binary_integers {
            binary_integers(batch, hits);
        }
        if self.binary_numerics {
            binary_numerics(batch, hits);
        }
        if hits.len() > sorted {
            hits[from..].sort_unstable();
        }
    }

    fn scan_blocks(self, batch: &[u8], hits: &mut Vec<u32>) {
        let searched = if self.at_signs { batch } else { &[] };
        let mut at_signs = memchr::memchr_iter(b'@', searched);
        let mut next_at_sign = at_signs.next();
        let mut runs = Runs { cards: mask_if(self.cards), ssns: mask_if(self.ssns), ..Runs::default() };
        let (blocks, rest) = batch.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let mut base = 0;
        for block in blocks.iter().chain(std::iter::once(&last)) {
            let found = runs.step(block);
            let end = base + BLOCK;
            if found != 0 || next_at_sign.is_some_and(|at| at < end) {
                let mut bits = lanes(runs.separated(found, base, batch));
                while let Some(at) = next_at_sign.filter(|at| *at < end) {
                    if is_within_address(batch, at) {
                        bits |= 1 << (at - base);
                    }
                    next_at_sign = at_signs.next();
                }
                self::bits(bits).for_each(|bit| push(base + bit, hits));
            }
            base = end;
        }
    }
}

fn mask_if(wanted: bool) -> u64 {
    if wanted { u64::MAX } else { 0 }
}

/// What is searched for, and the bits of the block before, which forms that begin there need.
#[derive(Clone, Copy, Default)]
struct Runs {
    cards: u64,
    ssns: u64,
    digits: u64,
    pairs: u64,
    fours: u64,
}

/// The bits of `word` moved up by `by`, with those of the block before below them.
#[inline(always)]
fn after(word: u64, before: u64, by: u32) -> u64 {
    (word << by) | (before >> (64 - by))
}

impl Runs {
    /// The bits of a block at which a form ends, whatever stands between its digits.
    #[inline(always)]
    fn step(&mut self, block: &Block) -> u64 {
        let digits = digits(block);
        let pairs = digits & after(digits, self.digits, 1);
        let fours = pairs & after(pairs, self.pairs, 2);
        let before = *self;
        (self.digits, self.pairs, self.fours) = (digits, pairs, fours);
        let between = !after(digits, before.digits, 4);
        let bare = after(fours, before.fours, 4) & after(fours, before.fours, 8) & after(digits, before.digits, 12);
        let grouped = between & after(fours, before.fours, 5);
        let ssn = between
            & after(pairs, before.pairs, 5)
            & !after(digits, before.digits, 7)
            & after(pairs, before.pairs, 8)
            & after(digits, before.digits, 10);
        fours & (((bare | grouped) & self.cards) | (ssn & self.ssns))
    }

    /// Those of the bits whose form has spaces or hyphens between its digits, or no gap.
    #[inline(never)]
    fn separated(&self, found: u64, base: usize, batch: &[u8]) -> u64 {
        let separator = |end: usize, distance| {
            matches!(end.checked_sub(distance).and_then(|at| batch.get(at)), Some(b' ' | b'-' | b'0'..=b'9'))
        };
        bits(found).filter(|bit| separator(base + bit, 4)).fold(0, |word, bit| word | 1 << bit)
    }
}

/// One bit for each digit of a block.
///
/// Sixteen lanes hold two bits of each of eight words, so that all tests are vector instructions and one word
/// comes out of them; its bits then stand in the order of columns and are transposed.
#[inline(always)]
fn digits(block: &Block) -> u64 {
    let digit = |index: usize, bit: u8| if block[index].wrapping_sub(b'0') < 10 { bit } else { 0 };
    let lanes: [u8; 16] =
        std::array::from_fn(|i| digit(i, 1) | digit(i + 16, 1 << 2) | digit(i + 32, 1 << 4) | digit(i + 48, 1 << 6));
    let ([low, high], _) = lanes.as_chunks::<8>() else { return 0 };
    transposed(u64::from_le_bytes(*low) | u64::from_le_bytes(*high) << 1)
}

/// The 8 by 8 matrix of bits with rows for columns (Warren, "Hacker's Delight", 7–3).
#[inline(always)]
fn transposed(word: u64) -> u64 {
    let swap = |word: u64, by: u32, bits: u64| {
        let differ = (word ^ (word >> by)) & bits;
        word ^ differ ^ (differ << by)
    };
    let word = swap(word, 7, 0x00aa_00aa_00aa_00aa);
    let word = swap(word, 14, 0x0000_cccc_0000_cccc);
    swap(word, 28, 0x0000_0000_f0f0_f0f0)
}

/// The lowest bit of each byte of the word in which any bit is set: offsets at multiples of 8.
fn lanes(word: u64) -> u64 {
    let word = word | word >> 4;
    let word = word | word >> 2;
    (word | word >> 1) & 0x0101_0101_0101_0101
}

fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then_some(word.trailing_zeros())?;
        word &= word - 1;
        usize::try_from(bit).ok()
    })
}

/// Whether an address could stand around an `@`; both neighbours belong to its cell then.
fn is_within_address(batch: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| batch.get(before));
    before.is_some_and(|byte| email::is_local(*byte)) && batch.get(at + 1).is_some_and(|byte| email::is_domain(*byte))
}

fn push_at_sign(batch: &[u8], at: usize, hits: &mut Vec<u32>) {
    if is_within_address(batch, at) {
        push(at, hits);
    }
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
