//! Forms of digits, capitals and points, found in 64 bytes at a time.
//!
//! Of each block one word of bits is made for each class of bytes: bit i says whether byte i is a digit.
//! "A run of four digits ends at bit i" then is two shifts and two ANDs, for 64 positions at once, and the
//! forms are a few more:
//!
//! - 13 digits in a row (a bare card);
//! - four digits, another byte, four digits (a card in groups: each of its forms has that);
//! - 3, 2 and 4 digits with one byte between (a social security number);
//! - the groups of telephone numbers without a plus, as in [`phone`](super::phone);
//! - two capitals and two digits (an IBAN);
//! - two points or colons side by side, or three with one to four bytes between (an IP address).
//!
//! What the bytes between are is asked only where a form ends. Forms of numbers are longer than 8 bytes, so the
//! highest multiple of 8 at or below their last byte lies inside: offsets are given at multiples of 8, which
//! makes one offset of many overlapping forms for free.
//!
//! Rejected: leaving a block early when no run of four digits ends in it (twice as fast on prose, half as fast
//! on rows with dates, because the branch cannot be foreseen there). The tests of bytes are written so that the
//! compiler makes vector code of them, since intrinsics would need `unsafe`.

use std::ops::BitOr;

use super::iban;
use super::set::Detector;

/// Which forms are searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms {
    cards: bool,
    ibans: bool,
    ips: bool,
    phones: bool,
    ssns: bool,
}

impl BitOr for Forms {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            cards: self.cards | other.cards,
            ibans: self.ibans | other.ibans,
            ips: self.ips | other.ips,
            phones: self.phones | other.phones,
            ssns: self.ssns | other.ssns,
        }
    }
}

/// Bytes of one block: as many as a word has bits.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

impl Forms {
    /// What one detector searches for.
    pub(super) fn of(detector: &Detector) -> Self {
        Self {
            cards: *detector == Detector::Card,
            ibans: *detector == Detector::Iban,
            ips: *detector == Detector::Ip,
            phones: *detector == Detector::Phone,
            ssns: *detector == Detector::Ssn,
        }
    }

    /// Whether there is nothing to search for.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Calls `hit` with offsets, ascending.
    pub(super) fn scan(self, batch: &[u8], mut hit: impl FnMut(usize)) {
        let mut digits = Digits {
            cards: mask_if(self.cards),
            phones: mask_if(self.phones),
            ssns: mask_if(self.ssns),
            ..Digits::default()
        };
        let (mut capitals, mut points) = (0, Points::default());
        let numbers = self.cards || self.phones || self.ssns || self.ibans;
        let (blocks, rest) = batch.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let mut base = 0;
        for block in blocks.iter().chain(std::iter::once(&last)) {
            let (mut grouped, mut exact) = ([0; 3], 0);
            if numbers {
                let before = digits.digits;
                grouped = digits.step(block);
                if self.ibans {
                    let now = class(block, |byte| byte.wrapping_sub(b'A') < 26);
                    let pairs = digits.digits & after(digits.digits, before, 1);
                    exact = pairs & after(now, capitals, 2) & after(now, capitals, 3);
                    capitals = now;
                }
            }
            let ibans = exact;
            let mut ips = 0;
            if self.ips {
                ips = points.step(block);
            }
            if grouped[0] | grouped[1] | grouped[2] | ibans | ips != 0 {
                let mut found = lanes(separated(grouped, base, batch));
                found |= confirmed(ibans, base, |end| is_account(batch, end));
                found |= confirmed(ips, base, |end| is_address(batch, end));
                bits(found).for_each(|bit| hit(base + bit));
            }
            base += BLOCK;
        }
    }
}

fn mask_if(wanted: bool) -> u64 {
    if wanted { u64::MAX } else { 0 }
}

/// What is searched for among digits, and the bits of the block before, which forms that begin there need.
#[derive(Clone, Copy, Default)]
struct Digits {
    cards: u64,
    phones: u64,
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

impl Digits {
    /// The bits of a block at which a form ends whose last separator, if it has one, stands 4, 6 and 2 bytes
    /// before, whatever it is.
    #[inline(always)]
    fn step(&mut self, block: &Block) -> [u64; 3] {
        let digits = class(block, |byte| byte.wrapping_sub(b'0') < 10);
        let pairs = digits & after(digits, self.digits, 1);
        let fours = pairs & after(pairs, self.pairs, 2);
        let before = *self;
        (self.digits, self.pairs, self.fours) = (digits, pairs, fours);
        let digit = |by| after(digits, before.digits, by);
        let pair = |by| after(pairs, before.pairs, by);
        let four = |by| after(fours, before.fours, by);
        let bare = four(4) & four(8) & digit(12);
        let grouped = !digit(4) & four(5);
        let ssn = !digit(4) & pair(5) & !digit(7) & pair(8) & digit(10);
        // Three digits before the last four, and digits before them after one or two other bytes.
        let american = !digit(4) & pair(5) & digit(7) & !digit(8) & (digit(9) | digit(10));
        let fours_found = ((bare | grouped) & self.cards)
            | (ssn & self.ssns)
            | ((american | grouped & !digit(9) & pair(10)) & self.phones);
        let sixes = pair(4) & !digit(6) & pair(7) & digit(9) & self.phones;
        let five = !digit(2) & pair(3) & !digit(5) & pair(6) & !digit(8) & pair(9) & !digit(11) & pair(12);
        [fours & fours_found, fours & sixes, pairs & five & self.phones]
    }
}

/// Points and colons of the block before, and those among them with another near before them.
#[derive(Clone, Copy, Default)]
struct Points {
    points: u64,
    second: u64,
}

impl Points {
    /// The points and colons of a block that follow another at once, or two others with one to four bytes
    /// between.
    #[inline(always)]
    fn step(&mut self, block: &Block) -> u64 {
        let near = |word: u64, before: u64| (2..=5).fold(0, |found, by| found | after(word, before, by));
        let points = class(block, |byte| byte == b'.' || byte == b':');
        let second = points & near(points, self.points);
        let third = points & near(second, self.second);
        let joined = points & after(points, self.points, 1);
        (self.points, self.second) = (points, second);
        joined | third
    }
}

/// Those of the bits whose form has separators that numbers are written with, or no gap.
#[inline(never)]
fn separated([fours, sixes, pairs]: [u64; 3], base: usize, batch: &[u8]) -> u64 {
    let at = |end: usize, distance| end.checked_sub(distance).and_then(|at| batch.get(at)).copied().unwrap_or(0);
    confirmed(fours, base, |end| matches!(at(end, 4), b' ' | b'-' | b'.' | b'0'..=b'9'))
        | confirmed(sixes, base, |end| matches!(at(end, 6), b' ' | b'-' | b'/'))
        | confirmed(pairs, base, |end| {
            let sign = at(end, 2);
            matches!(sign, b' ' | b'-' | b'.') && [5, 8, 11].iter().all(|distance| at(end, *distance) == sign)
        })
}

/// Those of the bits that pass a test of their offset.
#[inline(always)]
fn confirmed(found: u64, base: usize, test: impl Fn(usize) -> bool) -> u64 {
    bits(found).filter(|bit| test(base + bit)).fold(0, |word, bit| word | 1 << bit)
}

/// Whether the two capitals before the two digits that end here are a country with IBANs.
fn is_account(batch: &[u8], end: usize) -> bool {
    let country = end.checked_sub(3).and_then(|at| batch.get(at..)).and_then(<[u8]>::first_chunk::<2>);
    country.is_some_and(|country| iban::characters(*country).is_some())
}

/// Whether the point or colon that stands here could be the third of an IPv4 address, or one of an IPv6 one.
fn is_address(batch: &[u8], end: usize) -> bool {
    let sign = batch.get(end).copied().unwrap_or(0);
    let near = &batch[end.saturating_sub(8)..end.min(batch.len())];
    let same = near.iter().filter(|byte| **byte == sign).count();
    // Two colons side by side, or three of one kind.
    (sign == b':' && near.last() == Some(&b':')) || same >= 2 || (sign == b':' && same >= 1)
}

/// One bit for each byte of a block that is of a class.
///
/// Sixteen lanes hold two bits of each of eight words, so that all tests are vector instructions and one word
/// comes out of them; its bits then stand in the order of columns and are transposed.
#[inline(always)]
fn class(block: &Block, test: impl Fn(u8) -> bool) -> u64 {
    let one = |index: usize, bit: u8| if test(block[index]) { bit } else { 0 };
    let lanes: [u8; 16] =
        std::array::from_fn(|i| one(i, 1) | one(i + 16, 1 << 2) | one(i + 32, 1 << 4) | one(i + 48, 1 << 6));
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
