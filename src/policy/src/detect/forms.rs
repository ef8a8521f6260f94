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
        let numbers = Numbers { cards: mask_if(self.cards), phones: mask_if(self.phones), ssns: mask_if(self.ssns) };
        let with_numbers = self.cards || self.phones || self.ssns;
        let (mut digits, mut capitals, mut points) = ([0; PAGE + 1], [0; PAGE + 1], [0; PAGE + 1]);
        let (mut likely, mut phones, mut ibans, mut ips) = ([0; PAGE], [[0; 2]; PAGE], [0; PAGE], [0; PAGE]);
        let mut tail = [0; BLOCK];
        let (blocks, rest) = batch.as_chunks::<BLOCK>();
        tail[..rest.len()].copy_from_slice(rest);
        let mut base = 0;
        for blocks in blocks.chunks(PAGE).chain(std::iter::once(std::slice::from_ref(&tail))) {
            if with_numbers || self.ibans {
                digits_of(blocks, &mut digits);
            }
            if with_numbers {
                numbers.likely(&digits, &mut likely);
            }
            if self.phones {
                grouped_phones(&digits, &mut phones);
            }
            if self.ibans {
                capitals_of(blocks, &mut capitals);
                accounts(&digits, &capitals, &mut ibans);
            }
            if self.ips {
                points_of(blocks, &mut points);
                addresses(&points, &mut ips);
            }
            for index in 0..blocks.len() {
                let (number, [six, five], iban, ip) = (likely[index], phones[index], ibans[index], ips[index]);
                if number | six | five | iban | ip != 0 {
                    let at = base + index * BLOCK;
                    let mut numbered = in_groups(six, five, at, batch);
                    if number != 0 {
                        let ends = numbers.forms(digits[index], digits[index + 1]);
                        numbered |= confirmed(ends, at, |end| is_separated(batch, end));
                    }
                    let mut found = lanes(numbered);
                    found |= confirmed(iban, at, |end| is_account(batch, end));
                    found |= confirmed(ip, at, |end| is_address(batch, end));
                    bits(found).for_each(|bit| hit(at + bit));
                }
            }
            for words in [&mut digits, &mut capitals, &mut points] {
                words[0] = words[blocks.len()];
            }
            base += blocks.len() * BLOCK;
        }
    }
}

/// Blocks that are looked at for one form after the other, while they lie in the first-level cache.
const PAGE: usize = 32;

/// The words of a page: those of its blocks, and before them the one of the last block of the page before.
type Words = [u64; PAGE + 1];

// Each in a function of its own: inlined into a longer one, the compiler does not make vector code of them.

#[inline(never)]
fn digits_of(blocks: &[Block], words: &mut Words) {
    classify(blocks, words, |byte| byte.wrapping_sub(b'0') < 10);
}

#[inline(never)]
fn capitals_of(blocks: &[Block], words: &mut Words) {
    classify(blocks, words, |byte| byte.wrapping_sub(b'A') < 26);
}

#[inline(never)]
fn points_of(blocks: &[Block], words: &mut Words) {
    classify(blocks, words, |byte| (byte == b'.') | (byte == b':'));
}

/// Makes the words of a page's blocks; those past them stay as they were, and nobody asks for them.
#[inline(always)]
fn classify(blocks: &[Block], words: &mut Words, test: impl Fn(u8) -> bool) {
    for (block, word) in blocks.iter().zip(&mut words[1..]) {
        *word = class(block, &test);
    }
}

fn mask_if(wanted: bool) -> u64 {
    if wanted { u64::MAX } else { 0 }
}

/// What is searched for among digits: all ones for what is.
#[derive(Clone, Copy)]
struct Numbers {
    cards: u64,
    phones: u64,
    ssns: u64,
}

/// The bits of `word` moved up by `by`, with those of the block before below them.
#[inline(always)]
fn after(word: u64, before: u64, by: u32) -> u64 {
    (word << by) | (before >> (64 - by))
}

/// The words of digits, pairs of digits and runs of four in a block and the one before. No form is as long as a
/// block, so what lies before the two is not asked for; the first bits of the block before may be wrong.
struct Runs {
    digits: [u64; 2],
    pairs: [u64; 2],
    fours: [u64; 2],
}

impl Runs {
    #[inline(always)]
    fn new(before: u64, digits: u64) -> Self {
        let pairs = [before & before << 1, digits & after(digits, before, 1)];
        let fours = [pairs[0] & pairs[0] << 2, pairs[1] & after(pairs[1], pairs[0], 2)];
        Self { digits: [before, digits], pairs, fours }
    }

    #[inline(always)]
    fn digit(&self, by: u32) -> u64 {
        after(self.digits[1], self.digits[0], by)
    }

    #[inline(always)]
    fn pair(&self, by: u32) -> u64 {
        after(self.pairs[1], self.pairs[0], by)
    }

    #[inline(always)]
    fn four(&self, by: u32) -> u64 {
        after(self.fours[1], self.fours[0], by)
    }
}

impl Numbers {
    /// Where a form may end, and little else, for few instructions: four digits after a gap that follows two
    /// digits, or eight digits.
    #[inline(never)]
    fn likely(self, digits: &Words, found: &mut [u64; PAGE]) {
        for (index, found) in found.iter_mut().enumerate() {
            let runs = Runs::new(digits[index], digits[index + 1]);
            let grouped = !runs.digit(4) & runs.pair(5);
            *found = runs.fours[1] & (grouped | runs.four(4) & self.cards);
        }
    }

    /// The bits at which a form ends whose last separator, if it has one, stands 4 bytes before, whatever it is.
    #[inline(never)]
    fn forms(self, before: u64, digits: u64) -> u64 {
        let runs = Runs::new(before, digits);
        let (digit, pair, four) = (|by| runs.digit(by), |by| runs.pair(by), |by| runs.four(by));
        let bare = four(4) & four(8) & digit(12);
        let grouped = !digit(4) & four(5);
        let ssn = !digit(4) & pair(5) & !digit(7) & pair(8) & digit(10);
        // Three digits before the last four, and digits before them after one or two other bytes.
        let american = !digit(4) & pair(5) & digit(7) & !digit(8) & (digit(9) | digit(10));
        let british = grouped & !digit(9) & pair(10);
        let any = ((bare | grouped) & self.cards) | (ssn & self.ssns) | ((american | british) & self.phones);
        runs.fours[1] & any
    }
}

/// The bits at which six digits end after a gap that follows three, and at which five pairs end with one byte
/// between each.
#[inline(never)]
fn grouped_phones(digits: &Words, found: &mut [[u64; 2]; PAGE]) {
    for (index, found) in found.iter_mut().enumerate() {
        let runs = Runs::new(digits[index], digits[index + 1]);
        let six = runs.fours[1] & runs.pair(4) & !runs.digit(6) & runs.pair(7) & runs.digit(9);
        let apart = [runs.pairs[0] & !(runs.digits[0] << 2), runs.pairs[1] & !runs.digit(2)];
        let pair = |by| after(apart[1], apart[0], by);
        *found = [six, apart[1] & pair(3) & pair(6) & pair(9) & runs.pair(12)];
    }
}

/// The bits of second digits after two capitals.
#[inline(never)]
fn accounts(digits: &Words, capitals: &Words, found: &mut [u64; PAGE]) {
    for (index, found) in found.iter_mut().enumerate() {
        let pairs = digits[index + 1] & after(digits[index + 1], digits[index], 1);
        let capital = |by| after(capitals[index + 1], capitals[index], by);
        *found = pairs & capital(2) & capital(3);
    }
}

/// The points and colons that follow another at once, or two others with one to four bytes between.
#[inline(never)]
fn addresses(points: &Words, found: &mut [u64; PAGE]) {
    for (index, found) in found.iter_mut().enumerate() {
        let (before, points) = (points[index], points[index + 1]);
        let near = |word: u64, before: u64| {
            after(word, before, 2) | after(word, before, 3) | after(word, before, 4) | after(word, before, 5)
        };
        let second = [before & near(before, 0), points & near(points, before)];
        *found = points & (near(second[1], second[0]) | after(points, before, 1));
    }
}

/// The byte so many before the one at which a form ends.
fn before(batch: &[u8], end: usize, distance: usize) -> u8 {
    end.checked_sub(distance).and_then(|at| batch.get(at)).copied().unwrap_or(0)
}

/// Whether a form that ends here has a separator that numbers are written with, or no gap.
fn is_separated(batch: &[u8], end: usize) -> bool {
    matches!(before(batch, end, 4), b' ' | b'-' | b'.' | b'0'..=b'9')
}

/// Those of the bits of [`grouped_phones`] whose groups have separators that numbers are written with.
#[inline(always)]
fn in_groups(six: u64, five: u64, base: usize, batch: &[u8]) -> u64 {
    confirmed(six, base, |end| matches!(before(batch, end, 6), b' ' | b'-' | b'/'))
        | confirmed(five, base, |end| {
            let sign = before(batch, end, 2);
            matches!(sign, b' ' | b'-' | b'.') && [5, 8, 11].iter().all(|by| before(batch, end, *by) == sign)
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
    let all = |byte: u8| if test(byte) { u8::MAX } else { 0 };
    let (quarters, _) = block.as_chunks::<16>();
    let mut lanes = [0; 16];
    for (index, lane) in lanes.iter_mut().enumerate() {
        *lane = (all(quarters[0][index]) & 1)
            | (all(quarters[1][index]) & 1 << 2)
            | (all(quarters[2][index]) & 1 << 4)
            | (all(quarters[3][index]) & 1 << 6);
    }
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
