//! Bytes of a batch sorted into classes, 64 at a time: one word of bits for each block and class.
//!
//! This is the one place that reads every byte of a batch, so it does with each as little as can be: a comparison
//! or two for each class, in the widest vectors that the machine has. What the bits mean is said in
//! [`forms`](super::forms) and [`prefixes`](super::prefixes).
//!
//! Vectors come from a crate that picks the machine's instructions at run time behind a safe interface; with what
//! every x86-64 has alone, the compiler makes code of a third of the speed.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, mask8x64, u8x64};

use super::prefixes::{FIRST, Nibbles, SECOND};

/// Bytes of one block: as many as a word has bits.
pub(super) const BLOCK: usize = 64;

/// Blocks that are looked at for one class after the other, while they lie in the first-level cache.
pub(super) const PAGE: usize = 32;

/// The words of a page: those of its blocks, and before them the one of the last block of the page before.
pub(super) type Words = [u64; PAGE + 1];

/// Which classes are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) capitals: bool,
    pub(super) digits: bool,
    pub(super) pairs: bool,
    pub(super) points: bool,
    pub(super) signs: bool,
}

/// The words of a page by class; those of a class that is not asked for are 0.
pub(super) struct Classes {
    /// `A` to `Z`.
    pub(super) capitals: Words,
    /// `:`.
    pub(super) colons: Words,
    /// `0` to `9`.
    pub(super) digits: Words,
    /// `.`.
    pub(super) dots: Words,
    /// The first of two bytes that stand in the prefix of a token, and a few others.
    pub(super) pairs: Words,
    /// `@` and `+`.
    pub(super) signs: Words,
}

impl Classes {
    pub(super) const NONE: Self = {
        const NONE: Words = [0; PAGE + 1];
        Self { capitals: NONE, colons: NONE, digits: NONE, dots: NONE, pairs: NONE, signs: NONE }
    };

    /// Makes the words of the blocks of a page, of which `bytes` are all and the first byte of the next block.
    /// Words past them stay as they were, and nobody asks for them.
    pub(super) fn fill(&mut self, bytes: &[u8], wanted: Wanted) {
        dispatch!(Level::new(), simd => fill(simd, bytes, wanted, self));
    }

    /// Goes on to the next page, behind so many blocks of this one.
    pub(super) fn turn(&mut self, blocks: usize) {
        let Self { capitals, colons, digits, dots, pairs, signs } = self;
        for words in [capitals, colons, digits, dots, pairs, signs] {
            words[0] = words[blocks];
        }
    }
}

#[inline(always)]
fn fill<S: Simd>(simd: S, bytes: &[u8], wanted: Wanted, classes: &mut Classes) {
    if wanted.digits {
        each(simd, bytes, &mut classes.digits, |block| (block - b'0').simd_le(9));
    }
    if wanted.capitals {
        each(simd, bytes, &mut classes.capitals, |block| (block - b'A').simd_le(25));
    }
    if wanted.points {
        each(simd, bytes, &mut classes.dots, |block| block.simd_eq(b'.'));
        each(simd, bytes, &mut classes.colons, |block| block.simd_eq(b':'));
    }
    if wanted.signs {
        each(simd, bytes, &mut classes.signs, |block| block.simd_eq(b'@') | block.simd_eq(b'+'));
    }
    if wanted.pairs {
        let zero = u8x64::splat(simd, 0);
        let (first, second) = (Lookup::new(simd, &FIRST), Lookup::new(simd, &SECOND));
        for (bytes, word) in bytes.windows(BLOCK + 1).step_by(BLOCK).zip(&mut classes.pairs[1..]) {
            let here = u8x64::from_slice(simd, &bytes[..BLOCK]);
            let next = u8x64::from_slice(simd, &bytes[1..]);
            *word = !(first.groups(here) & second.groups(next)).simd_eq(zero).to_bitmask();
        }
    }
}

/// One class of all blocks.
#[inline(always)]
fn each<S: Simd>(simd: S, bytes: &[u8], words: &mut Words, test: impl Fn(u8x64<S>) -> mask8x64<S>) {
    for (block, word) in bytes.as_chunks::<BLOCK>().0.iter().zip(&mut words[1..]) {
        *word = test(u8x64::from_slice(simd, block)).to_bitmask();
    }
}

/// Two tables over the halves of a byte; what both have in common are the byte's groups (the shuffle of Langdale
/// and Lemire, "Parsing gigabytes of JSON per second", 3.1.2).
#[derive(Clone, Copy)]
struct Lookup<S: Simd> {
    low: u8x64<S>,
    high: u8x64<S>,
    low_half: u8x64<S>,
}

impl<S: Simd> Lookup<S> {
    #[inline(always)]
    fn new(simd: S, nibbles: &Nibbles) -> Self {
        let table = |of: &[u8; 16]| u8x64::from_slice(simd, &std::array::from_fn::<u8, 64, _>(|at| of[at % 16]));
        Self { low: table(&nibbles.low), high: table(&nibbles.high), low_half: u8x64::splat(simd, 15) }
    }

    #[inline(always)]
    fn groups(&self, bytes: u8x64<S>) -> u8x64<S> {
        let (low, high) = (bytes & self.low_half, bytes >> 4);
        self.low.swizzle_dyn_within_blocks(low) & self.high.swizzle_dyn_within_blocks(high)
    }
}
