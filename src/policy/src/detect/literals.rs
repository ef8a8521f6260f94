//! The user's own list of values: names, customer numbers, code words.
//!
//! A literal is found where it stands as a word: no ASCII letter or digit on one side of its end where the
//! literal has one on the other. Of several that begin at one place the longest counts. Without regard to
//! case, ASCII letters are equal to their capitals, and an entry with other letters is also searched for in
//! lower case and in capitals.
//!
//! # How
//!
//! Each position of a text is first asked by its next four bytes, or as many as the shortest literal has: one
//! multiplication and one bit of a sieve of 128 KB at most, which lies in the second-level cache, 64 positions without
//! a branch. Of those that are left, the next eight bytes (four, or fewer, for shorter literals) are multiplied to a
//! hash and two bits in one word of a filter are asked whether some literal begins so; the filter has 16 bits for
//! each, 2 MB for a million. What passes asks a table how long such literals are, then a hash table over whole
//! literals, then compares bytes. So a million literals cost some 40 MB, and a text little more than for a thousand.
//!
//! Rejected: Aho–Corasick over all literals. Its automaton has a state for each byte of them: for a million
//! of 16 bytes some hundreds of megabytes, and each byte of a text is a jump to another cache line.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Most literals of one list.
pub const LITERALS_LIMIT: usize = 1_000_000;

/// Longest literal, in bytes.
pub const LITERAL_BYTES: usize = 255;

/// Largest list, in bytes.
pub const LIST_BYTES: usize = 64 << 20;

/// Why a list cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralsError {
    /// It holds no literal.
    Empty,
    /// It is larger than [`LIST_BYTES`].
    List,
    /// The literal in this line, counted from 1, is longer than [`LITERAL_BYTES`].
    Line(usize),
    /// It holds more than [`LITERALS_LIMIT`] literals.
    Number,
    /// This line, counted from 1, is not UTF-8.
    Utf8(usize),
}

impl fmt::Display for LiteralsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the list has no literal: one a line"),
            Self::List => write!(f, "the list is larger than {LIST_BYTES} bytes"),
            Self::Line(line) => write!(f, "line {line} is longer than {LITERAL_BYTES} bytes"),
            Self::Number => write!(f, "the list has more than {LITERALS_LIMIT} literals"),
            Self::Utf8(line) => write!(f, "line {line} is not UTF-8"),
        }
    }
}

impl std::error::Error for LiteralsError {}

/// A compiled list.
pub struct Literals {
    ignore_case: bool,
    /// All literals, one after the other; in lower case where case does not count.
    bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    starts: Vec<u32>,
    /// Numbers of literals by the hash of their bytes, counted from 1; 0 is free.
    slots: Vec<u32>,
    sieve: Sieve,
    filter: Filter,
    /// Which lengths literals have that begin with some bytes: one bit for each length below 63, and one for
    /// all others.
    lengths: Vec<u64>,
    /// Lengths of 63 and more, ascending.
    long: Vec<usize>,
    /// Lengths of beginnings that the filter is asked for, descending.
    beginnings: Vec<usize>,
}

impl fmt::Debug for Literals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Literals({})", self.len())
    }
}

/// A list that a rule names. One that was never loaded finds everything: what it would have found is not known.
#[derive(Clone, Debug, Default)]
pub struct List(Option<Arc<Literals>>);

impl List {
    /// A list that is not loaded.
    pub const UNKNOWN: Self = Self(None);

    /// A loaded list.
    #[must_use]
    pub fn new(literals: Arc<Literals>) -> Self {
        Self(Some(literals))
    }

    /// The literals, if they are loaded.
    pub(super) fn literals(&self) -> Option<&Arc<Literals>> {
        self.0.as_ref()
    }

    /// As [`Literals::find`].
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match &self.0 {
            Some(literals) => literals.find(text, from),
            None => (from < text.len()).then_some(from..text.len()),
        }
    }
}

/// Lists are equal if they are one and the same.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for List {}

/// The bytes that a literal of a length is first looked for by.
fn beginning(length: usize) -> usize {
    match length {
        8.. => 8,
        4..8 => 4,
        _ => length,
    }
}

const LONG: usize = 63;

/// Odd, with its ones spread evenly: 2^64 divided by the golden ratio (Knuth, "The Art of Computer
/// Programming", 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of the first bytes of a word, of which the others are 0.
#[inline(always)]
fn hash_word(word: u64, length: usize) -> u64 {
    let mixed = (word ^ (length as u64) << 56).wrapping_mul(MULTIPLIER);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The hash of a whole literal.
fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain(std::iter::once(&last));
    words.fold(bytes.len() as u64, |hash, word| hash_word(hash.rotate_left(23) ^ u64::from_le_bytes(*word), 0))
}

/// Bits by hash: two for each beginning, in one word, so that a text costs one access to memory for each position.
struct Filter {
    bits: Vec<u64>,
    mask: u64,
}

impl Filter {
    fn new(entries: usize) -> Self {
        let bits = (entries * 16).next_power_of_two().clamp(1 << 12, 1 << 24);
        Self { bits: vec![0; bits / 64], mask: bits as u64 - 1 }
    }

    /// The word of a hash, and its two bits there.
    #[inline(always)]
    fn place(&self, hash: u64) -> (usize, u64) {
        (to_index((hash & self.mask) >> 6), 1 << (hash & 63) | 1 << (hash >> 40 & 63))
    }

    fn insert(&mut self, hash: u64) {
        let (index, bits) = self.place(hash);
        self.bits[index] |= bits;
    }

    #[inline(always)]
    fn may_have(&self, hash: u64) -> bool {
        let (index, bits) = self.place(hash);
        self.bits.get(index).is_some_and(|word| word & bits == bits)
    }
}

/// One bit for the first bytes of each literal, by their hash: what tells most positions of a text from all of them.
struct Sieve {
    bits: Vec<u64>,
    /// What a hash is shifted by to be the number of a bit.
    shift: u32,
    /// Ones in the bytes that count: four, or as many as the shortest literal has.
    bytes: u32,
}

/// Positions that the sieve is asked for at once.
const BLOCK: usize = 64;

impl Sieve {
    /// For literals of which the shortest has so many bytes.
    fn new(literals: usize, shortest: usize) -> Self {
        let bits = (literals * 4).next_power_of_two().clamp(1 << 12, 1 << 20);
        let bytes = u32::MAX >> (32 - 8 * shortest.clamp(1, 4));
        Self { bits: vec![0; bits / 64], shift: 32 - bits.trailing_zeros(), bytes }
    }

    /// The number of the bit of a beginning.
    #[inline(always)]
    fn place(&self, beginning: u32) -> u32 {
        // An odd number with its ones spread evenly, as MULTIPLIER.
        (beginning & self.bytes).wrapping_mul(0x9e37_79b1) >> self.shift
    }

    fn insert(&mut self, beginning: u32) {
        let place = self.place(beginning);
        self.bits[to_index((place / 64).into())] |= 1 << (place % 64);
    }

    /// One bit for each position of a block: whether a literal may begin there. `text` has the block and the three
    /// bytes behind it.
    #[inline(always)]
    fn pass(&self, text: &[u8; BLOCK + 3]) -> u64 {
        let mut passed = 0;
        for (offset, bytes) in text.windows(4).enumerate() {
            let beginning = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let place = self.place(beginning);
            let word = self.bits.get(to_index((place / 64).into())).copied().unwrap_or(u64::MAX);
            passed |= (word >> (place % 64) & 1) << offset;
        }
        passed
    }
}

/// A number below the length of some list.
#[inline(always)]
fn to_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Literals {
    /// Compiles a list of one literal a line; empty lines do not count.
    ///
    /// # Errors
    /// What is wrong with the list, and in which line.
    pub fn compile(list: &[u8], ignore_case: bool) -> Result<Self, LiteralsError> {
        if list.len() > LIST_BYTES {
            return Err(LiteralsError::List);
        }
        let lines = list.iter().filter(|byte| **byte == b'\n').count() + 1;
        let mut literals = Self {
            ignore_case,
            bytes: Vec::with_capacity(list.len()),
            starts: vec![0],
            slots: vec![0; (lines.min(LITERALS_LIMIT) * 2).next_power_of_two()],
            sieve: Sieve::new(0, 1),
            filter: Filter::new(lines.min(LITERALS_LIMIT)),
            lengths: vec![0; lines.next_power_of_two().clamp(1 << 8, 1 << 20)],
            long: Vec::new(),
            beginnings: Vec::new(),
        };
        for (index, line) in list.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let text = std::str::from_utf8(line).map_err(|_| LiteralsError::Utf8(index + 1))?.trim();
            if text.is_empty() {
                continue;
            }
            let mut forms = vec![text.to_owned()];
            if ignore_case && !text.is_ascii() {
                forms.extend([text.to_lowercase(), text.to_uppercase()]);
            }
            for form in forms {
                if form.len() > LITERAL_BYTES {
                    return Err(LiteralsError::Line(index + 1));
                }
                literals.insert(form.as_bytes())?;
            }
        }
        if literals.is_empty() {
            return Err(LiteralsError::Empty);
        }
        literals.long.sort_unstable();
        literals.beginnings.sort_unstable_by(|a, b| b.cmp(a));
        literals.bytes.shrink_to_fit();
        literals.fill_sieve();
        Ok(literals)
    }

    /// How many literals it has; other letters count thrice without regard to case.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let words =
            self.sieve.bits.capacity() + self.filter.bits.capacity() + self.lengths.capacity() + self.long.capacity();
        self.bytes.capacity() + (self.starts.capacity() + self.slots.capacity()) * 4 + words * 8
    }

    fn insert(&mut self, literal: &[u8]) -> Result<(), LiteralsError> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(literal);
        if self.ignore_case {
            self.bytes[start..].make_ascii_lowercase();
        }
        let literal = &self.bytes[start..];
        let (length, hash) = (literal.len(), hash_bytes(literal));
        let slot = match self.slot(hash, literal) {
            Ok(_) => {
                self.bytes.truncate(start);
                return Ok(());
            }
            Err(slot) => slot,
        };
        if self.len() == LITERALS_LIMIT {
            return Err(LiteralsError::Number);
        }
        let first = beginning(length);
        let begins = hash_word(word(literal, first), first);
        let bit = 1 << length.min(LONG);
        let end = u32::try_from(self.bytes.len()).map_err(|_| LiteralsError::List)?;
        self.starts.push(end);
        self.slots[slot] = u32::try_from(self.len()).map_err(|_| LiteralsError::Number)?;
        self.filter.insert(begins);
        let row = self.row(begins);
        self.lengths[row] |= bit;
        if length >= LONG && !self.long.contains(&length) {
            self.long.push(length);
        }
        if !self.beginnings.contains(&first) {
            self.beginnings.push(first);
        }
        Ok(())
    }

    /// The sieve, once the shortest literal is known.
    fn fill_sieve(&mut self) {
        let each = || {
            self.starts.windows(2).filter_map(|ends| self.bytes.get(to_index(ends[0].into())..to_index(ends[1].into())))
        };
        let mut sieve = Sieve::new(self.len(), each().map(<[u8]>::len).min().unwrap_or(1));
        for literal in each() {
            sieve.insert(u32::from_le_bytes(std::array::from_fn(|at| literal.get(at).copied().unwrap_or(0))));
        }
        self.sieve = sieve;
    }

    fn row(&self, begins: u64) -> usize {
        to_index(begins >> 8 & (self.lengths.len() as u64 - 1))
    }

    fn literal(&self, number: u32) -> &[u8] {
        let index = to_index(number.into());
        &self.bytes[to_index(self.starts[index - 1].into())..to_index(self.starts[index].into())]
    }

    /// The slot of a literal, or the free one where it would be.
    fn slot(&self, hash: u64, literal: &[u8]) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = to_index(hash & mask as u64);
        // Half of the slots are free at least.
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                number if self.literal(number) == literal => return Ok(slot),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// The first literal that stands as a word and begins at `from` or later.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let mut found = None;
        self.each_beginning(text, from, |start, first, begins| {
            let joined = start > 0 && text[start - 1].is_ascii_alphanumeric() && text[start].is_ascii_alphanumeric();
            let ends = |end: usize| {
                !(text[end - 1].is_ascii_alphanumeric() && text.get(end).is_some_and(u8::is_ascii_alphanumeric))
            };
            let length =
                if joined { None } else { self.longest(&text[start..], first, begins, |length| ends(start + length)) };
            if let Some(length) = length {
                let longer = found
                    .as_ref()
                    .is_none_or(|other: &Range<usize>| start == other.start && start + length > other.end);
                if longer {
                    found = Some(start..start + length);
                }
            }
            // Shorter beginnings at the same place come afterwards.
            found.as_ref().is_none_or(|found| found.start == start)
        });
        found
    }

    /// Calls `hit` with the place of everything in a batch that may be a literal, whatever stands around it:
    /// in a batch lengths of cells stand there, which can look like letters.
    pub(super) fn candidates(&self, batch: &[u8], mut hit: impl FnMut(usize)) {
        self.each_beginning(batch, 0, |start, first, begins| {
            if self.longest(&batch[start..], first, begins, |_| true).is_some() {
                hit(start);
            }
            true
        });
    }

    /// Calls `found` for each place, ascending, where some literal may begin, until it answers `false`.
    #[inline(always)]
    fn each_beginning(&self, text: &[u8], from: usize, mut found: impl FnMut(usize, usize, u64) -> bool) {
        const STEP: usize = 4096;
        // The last block may reach past the end of a step.
        let mut lower = [0; STEP + BLOCK + 8];
        let mut base = from;
        while base < text.len() {
            let ahead = text.len().min(base + STEP + 7);
            let window = &mut lower[..ahead - base];
            window.copy_from_slice(&text[base..ahead]);
            if self.ignore_case {
                window.make_ascii_lowercase();
            }
            let here = STEP.min(text.len() - base);
            // Past the end of the text all bytes are 0.
            let end = ahead - base;
            lower[end..].fill(0);
            for start in (0..here).step_by(BLOCK) {
                let Some(block) = lower.get(start..).and_then(<[u8]>::first_chunk) else { break };
                let mut passed = self.sieve.pass(block);
                while passed != 0 {
                    let offset = start + to_index(passed.trailing_zeros().into());
                    passed &= passed - 1;
                    if offset >= here {
                        break;
                    }
                    let Some(bytes) = lower.get(offset..).and_then(<[u8]>::first_chunk) else { break };
                    let whole = u64::from_le_bytes(*bytes);
                    for &first in &self.beginnings {
                        let hash = hash_word(whole & low_bytes(first), first);
                        if self.filter.may_have(hash) && offset + first <= end && !found(base + offset, first, hash) {
                            return;
                        }
                    }
                }
            }
            base += here;
        }
    }

    /// The length of the longest literal that begins `text`, with a beginning of `first` bytes, at which
    /// `ends` holds.
    #[inline(never)]
    fn longest(&self, text: &[u8], first: usize, begins: u64, ends: impl Fn(usize) -> bool) -> Option<usize> {
        let bits = self.lengths[self.row(begins)];
        if bits == 0 {
            return None;
        }
        let mut lower = [0; LITERAL_BYTES];
        let longest = if bits >> LONG & 1 != 0 { LITERAL_BYTES } else { to_index(bits.ilog2().into()) };
        let most = text.len().min(longest);
        lower[..most].copy_from_slice(&text[..most]);
        if self.ignore_case {
            lower.make_ascii_lowercase();
        }
        let long = self.long.iter().rev().copied().filter(|_| bits >> LONG & 1 != 0);
        let short = (1..LONG).rev().filter(|length| bits >> length & 1 != 0);
        long.chain(short)
            .filter(|length| *length <= most && beginning(*length) == first && ends(*length))
            .find(|length| self.slot(hash_bytes(&lower[..*length]), &lower[..*length]).is_ok())
    }
}

/// The first bytes of a literal as a word.
fn word(literal: &[u8], length: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(&literal[..length]);
    u64::from_le_bytes(bytes)
}

/// Ones in so many low bytes.
#[inline(always)]
fn low_bytes(count: usize) -> u64 {
    if count >= 8 { u64::MAX } else { (1 << (count * 8)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(literals: &Literals, text: &'a str) -> Vec<&'a str> {
        let (mut all, mut from) = (Vec::new(), 0);
        while let Some(range) = literals.find(text.as_bytes(), from) {
            from = range.end;
            all.push(&text[range]);
        }
        all
    }

    #[test]
    fn literals_are_found_as_words_and_the_longest_counts() {
        let literals =
            Literals::compile("Ann Lee\nAnn\r\n\nfalcon-9\n  #7  \nAnn Lee Smith Jr.\n李\n".as_bytes(), false).unwrap();
        assert_eq!(literals.len(), 6);
        assert_eq!(found(&literals, "Ann, Ann Lee and Ann Lee Smith Jr. met"), ["Ann", "Ann Lee", "Ann Lee Smith Jr."]);
        assert_eq!(found(&literals, "Anna, Joann, ann, xAnn Lee, falcon-90"), [""; 0]);
        assert_eq!(found(&literals, "_Ann_ (falcon-9) #7 x#7 小李好"), ["Ann", "falcon-9", "#7", "#7", "李"]);
        assert_eq!(found(&literals, ""), [""; 0]);
    }

    #[test]
    fn without_regard_to_case_letters_of_all_alphabets_are_equal_to_their_capitals() {
        let literals = Literals::compile("Émile Zola\nMILLER\n".as_bytes(), true).unwrap();
        assert_eq!(found(&literals, "émile zola, ÉMILE ZOLA, Émile Zola"), ["émile zola", "ÉMILE ZOLA", "Émile Zola"]);
        assert_eq!(found(&literals, "miller Miller mIlLeR"), ["miller", "Miller", "mIlLeR"]);
    }

    #[test]
    fn every_literal_is_found_wherever_it_stands_and_hinted_between_any_bytes() {
        let words: Vec<String> = (1..=80)
            .map(|length: usize| {
                "aB1-éx Z9".chars().cycle().skip(length % 5).take(length).collect::<String>().trim().to_owned()
            })
            .filter(|word| !word.is_empty())
            .collect();
        for ignore_case in [false, true] {
            let literals = Literals::compile(words.join("\n").as_bytes(), ignore_case).unwrap();
            for word in &words {
                for start in [0, 1, 7, 4090, 4095, 4096, 8191] {
                    let text = [&b" ".repeat(start)[..], word.as_bytes()].concat();
                    assert_eq!(literals.find(&text, 0), Some(start..text.len()), "{word} at {start}");
                    let batch = [&b"A".repeat(start)[..], word.as_bytes(), b"A"].concat();
                    let mut hits = Vec::new();
                    literals.candidates(&batch, |hit| hits.push(hit));
                    assert!(hits.contains(&start), "{word} at {start}");
                }
            }
        }
    }

    /// Numbers that look random and are the same in every run: xorshift64* (Vigna, "An experimental exploration of
    /// Marsaglia's xorshift generators, scrambled").
    fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed;
        move |below| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            to_index(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
        }
    }

    #[test]
    fn random_lists_are_found_in_random_texts_where_an_automaton_finds_them() {
        let mut next = numbers(7);
        let (mut hinted, mut words) = (0, 0);
        for round in 0..300 {
            let letters: &[u8] = [&b"ab"[..], b"abAB1 ", b"abcdefghXYZ019-_ \0"][round % 3];
            let shortest = [1, 2, 3, 4, 8, 12][round % 6];
            let mut text = |length: usize| (0..length).map(|_| letters[next(letters.len())]).collect::<Vec<u8>>();
            let mut entries: Vec<Vec<u8>> = (0..1 + round % 40).map(|at| text(shortest + at % 9)).collect();
            let mut batch = text(round * 31);
            for at in 0..round.min(60) {
                let entry = entries[at % entries.len()].clone();
                batch.extend(if round % 2 == 0 { entry.to_ascii_uppercase() } else { entry });
                batch.extend(text(at % 7));
            }
            entries.retain(|entry| !entry.is_empty() && entry.trim_ascii() == entry);
            if entries.is_empty() {
                continue;
            }
            let ignore_case = round % 4 < 2;
            let literals = Literals::compile(&entries.join(&b'\n'), ignore_case).unwrap();
            let automaton =
                aho_corasick::AhoCorasick::builder().ascii_case_insensitive(ignore_case).build(&entries).unwrap();
            let expected: std::collections::BTreeSet<usize> =
                automaton.find_overlapping_iter(&batch).map(|found| found.start()).collect();
            let mut hits = std::collections::BTreeSet::new();
            literals.candidates(&batch, |hit| {
                hits.insert(hit);
            });
            assert_eq!(hits, expected, "{round}");
            hinted += hits.len();
            // As words: each place where one begins that ends at a word's border, too.
            let alone = |start: usize, end: usize| {
                let joined = |at: usize| {
                    at > 0
                        && batch.get(at).is_some_and(u8::is_ascii_alphanumeric)
                        && batch[at - 1].is_ascii_alphanumeric()
                };
                !joined(start) && !joined(end)
            };
            let starts: std::collections::BTreeSet<usize> = automaton
                .find_overlapping_iter(&batch)
                .filter(|found| alone(found.start(), found.end()))
                .map(|found| found.start())
                .collect();
            let mut from = 0;
            while let Some(range) = literals.find(&batch, from) {
                assert_eq!(Some(&range.start), starts.range(from..).next(), "{round}");
                from = range.start + 1;
                words += 1;
            }
            assert_eq!(starts.range(from..).next(), None, "{round}");
        }
        assert!(hinted > 10_000 && words > 1000, "{hinted} places and {words} words are too few to compare");
    }

    #[test]
    fn a_list_that_cannot_be_used_says_where() {
        let error = |list: &[u8]| Literals::compile(list, false).unwrap_err();
        assert_eq!(error(b"\n \n"), LiteralsError::Empty);
        assert_eq!(error(&[b"a\n", &[b'x'; 256][..]].concat()), LiteralsError::Line(2));
        assert_eq!(error(b"a\nb\xff\n"), LiteralsError::Utf8(2));
    }
}
