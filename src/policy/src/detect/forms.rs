//! Forms of digits, capitals and points, found 64 bytes at a time.
//!
//! Of each block there is one word of bits for each class of bytes ([`classes`](super::classes)): bit i says
//! whether byte i is a digit. "A run of four digits ends at bit i" then is two shifts and two ANDs, for 64
//! positions at once, and the forms are a few more:
//!
//! - 13 digits in a row (a bare card);
//! - four digits, another byte, four digits (a card in groups: each of its forms has that);
//! - 3, 2 and 4 digits with one byte between (a social security number);
//! - the groups of telephone numbers without a plus, as in [`phone`](super::phone);
//! - two capitals and two digits (an IBAN);
//! - three points after digits with one to three bytes between, two colons side by side, or three with one to
//!   four bytes between (an IP address).
//!
//! What the bytes between are is asked only where a form ends. Forms of numbers are longer than 8 bytes, so the
//! highest multiple of 8 at or below their last byte lies inside: offsets are given at multiples of 8, which
//! makes one offset of many overlapping forms for free.
//!
//! Rejected: leaving a block early when no run of four digits ends in it (twice as fast on prose, half as fast
//! on rows with dates, because the branch cannot be foreseen there).

use std::ops::BitOr;

use fearless_simd::{Level, dispatch};

use super::classes::{Classes, PAGE, Wanted, Words};
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

    /// The classes that the forms are made of.
    pub(super) fn wanted(self) -> Wanted {
        Wanted {
            capitals: self.ibans,
            digits: self.with_numbers() || self.ibans || self.ips,
            points: self.ips || self.phones,
            ..Wanted::default()
        }
    }

    fn with_numbers(self) -> bool {
        self.cards || self.phones || self.ssns
    }

    fn numbers(self) -> Numbers {
        Numbers { cards: mask_if(self.cards), phones: mask_if(self.phones), ssns: mask_if(self.ssns) }
    }
}

/// The places of a page at which forms may end, by block.
pub(super) struct Places {
    ibans: [u64; PAGE],
    ips: [u64; PAGE],
    numbers: [u64; PAGE],
    /// Six digits after three, and five pairs.
    phones: [[u64; PAGE]; 2],
    /// What is made of digits on the way: digits after a digit, pairs after a pair, and pairs after no digit.
    pairs: Words,
    fours: Words,
    apart: Words,
    /// Points and colons near another before them.
    seconds: [Words; 2],
    /// All of the places, and those of signs and prefixes.
    any: [u64; PAGE],
}

impl Places {
    pub(super) const NONE: Self = {
        const NONE: Words = [0; PAGE + 1];
        const PLACES: [u64; PAGE] = [0; PAGE];
        Self {
            ibans: PLACES,
            ips: PLACES,
            numbers: PLACES,
            phones: [PLACES; 2],
            pairs: NONE,
            fours: NONE,
            apart: NONE,
            seconds: [NONE; 2],
            any: PLACES,
        }
    };

    /// Finds the places of a page.
    pub(super) fn find(&mut self, forms: Forms, classes: &Classes) {
        dispatch!(Level::new(), _simd => find(forms, classes, self));
    }

    /// Goes on to the next page, behind so many blocks of this one.
    pub(super) fn turn(&mut self, blocks: usize) {
        let [points, colons] = &mut self.seconds;
        for words in [&mut self.pairs, &mut self.fours, &mut self.apart, points, colons] {
            words[0] = words[blocks];
        }
    }

    /// Whether a form may end in a block, or a sign or prefix stands there.
    #[inline(always)]
    pub(super) fn any(&self, block: usize) -> bool {
        self.any[block] != 0
    }

    /// Offsets in a block that lies at `at` of the batch, one in each form that ends in it; and little else.
    pub(super) fn confirmed(&self, forms: Forms, classes: &Classes, block: usize, at: usize, batch: &[u8]) -> u64 {
        let mut numbered = in_groups(self.phones[0][block], self.phones[1][block], at, batch);
        if self.numbers[block] != 0 {
            let ends = forms.numbers().forms(classes.digits[block], classes.digits[block + 1]);
            numbered |= confirmed(ends, at, |end| is_separated(batch, end));
        }
        lanes(numbered) | confirmed(self.ibans[block], at, |end| is_account(batch, end)) | self.ips[block]
    }
}

// Loops over all words of a page, so that the compiler makes vector code of each.

#[inline(always)]
fn find(forms: Forms, classes: &Classes, places: &mut Places) {
    let Classes { capitals, colons, digits, dots, .. } = classes;
    let Places { ibans, ips, numbers, phones: [six, five], pairs, fours, apart, seconds, any } = places;
    if forms.with_numbers() {
        let wanted = forms.numbers();
        for at in 0..PAGE {
            pairs[at + 1] = digits[at + 1] & back(digits, at, 1);
        }
        for at in 0..PAGE {
            fours[at + 1] = pairs[at + 1] & back(pairs, at, 2);
        }
        for at in 0..PAGE {
            // Four digits after a gap that follows two digits, or eight digits: few instructions for where a form
            // may end, and little else.
            let grouped = !back(digits, at, 4) & back(pairs, at, 5);
            numbers[at] = fours[at + 1] & (grouped | back(fours, at, 4) & wanted.cards);
        }
    }
    if forms.phones {
        for at in 0..PAGE {
            // Six digits end after a gap that follows three.
            let gap = !back(digits, at, 6) & back(pairs, at, 7) & back(digits, at, 9);
            six[at] = fours[at + 1] & back(pairs, at, 4) & gap;
            apart[at + 1] = pairs[at + 1] & !back(digits, at, 2);
        }
        for at in 0..PAGE {
            // Five pairs with one byte between each, which is no colon as in times.
            let pairs = back(apart, at, 3) & back(apart, at, 6) & back(apart, at, 9) & back(pairs, at, 12);
            five[at] = apart[at + 1] & pairs & !back(colons, at, 2);
        }
    }
    if forms.ibans {
        for at in 0..PAGE {
            // Two capitals and two digits.
            let digits = digits[at + 1] & back(digits, at, 1);
            ibans[at] = digits & back(capitals, at, 2) & back(capitals, at, 3);
        }
    }
    if forms.ips {
        let [points, second_colons] = seconds;
        let near = |words: &Words, at: usize| back(words, at, 2) | back(words, at, 3) | back(words, at, 4);
        for at in 0..PAGE {
            points[at + 1] = dots[at + 1] & back(digits, at, 1) & near(dots, at);
            second_colons[at + 1] = colons[at + 1] & (near(colons, at) | back(colons, at, 5));
        }
        for at in 0..PAGE {
            let third = near(second_colons, at) | back(second_colons, at, 5);
            let point = dots[at + 1] & back(digits, at, 1) & near(points, at);
            ips[at] = point | colons[at + 1] & (third | back(colons, at, 1));
        }
    }
    for at in 0..PAGE {
        let forms = numbers[at] | six[at] | five[at] | ibans[at] | ips[at];
        any[at] = forms | classes.signs[at + 1] | classes.pairs[at + 1];
    }
}

/// The bits of a block moved up by `by`, with those of the block before below them.
#[inline(always)]
fn back(words: &Words, block: usize, by: u32) -> u64 {
    after(words[block + 1], words[block], by)
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
pub(super) fn confirmed(found: u64, base: usize, test: impl Fn(usize) -> bool) -> u64 {
    bits(found).filter(|bit| test(base + bit)).fold(0, |word, bit| word | 1 << bit)
}

/// Whether the two capitals before the two digits that end here are a country with IBANs.
fn is_account(batch: &[u8], end: usize) -> bool {
    let country = end.checked_sub(3).and_then(|at| batch.get(at..)).and_then(<[u8]>::first_chunk::<2>);
    country.is_some_and(|country| iban::characters(*country).is_some())
}

/// The lowest bit of each byte of the word in which any bit is set: offsets at multiples of 8.
fn lanes(word: u64) -> u64 {
    let word = word | word >> 4;
    let word = word | word >> 2;
    (word | word >> 1) & 0x0101_0101_0101_0101
}

/// The bits that are set, ascending.
pub(super) fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then_some(word.trailing_zeros())?;
        word &= word - 1;
        usize::try_from(bit).ok()
    })
}
