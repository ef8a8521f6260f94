//! Prefixes of tokens, found by two bytes side by side that stand in them.
//!
//! Of each prefix the two bytes are chosen that other texts have least (`yJ` of `eyJ`, `IA` of `AKIA`), and they
//! make eight groups. Whether two bytes belong to one group is asked of tables over the halves of a byte, for 64
//! places at once, in [`classes`](super::classes). The tables take a few other bytes for members too, so each place
//! is then compared with the prefixes of its groups.

use std::sync::LazyLock;

use super::set::Detector;
use super::token;

/// The bytes that may stand first, and those that may stand second.
type Group = (&'static [u8], &'static [u8]);

const GROUPS: [Group; 8] = [
    (b"CI", b"A"),
    (b"Iy", b"Jz"),
    (b"P", b"X"),
    (b"a", b"2"),
    (b"bckoprsu", b"_"),
    (b"-", b"B"),
    (b"x", b"o"),
    (b"p", b"-"),
];

/// The groups of a byte are those that its two halves have in common: one bit for each.
pub(super) struct Nibbles {
    pub(super) low: [u8; 16],
    pub(super) high: [u8; 16],
}

impl Nibbles {
    const NONE: Self = Self { low: [0; 16], high: [0; 16] };

    const fn add(mut self, bytes: &[u8], group: usize) -> Self {
        let mut at = 0;
        while at < bytes.len() {
            self.low[(bytes[at] & 15) as usize] |= 1 << group;
            self.high[(bytes[at] >> 4) as usize] |= 1 << group;
            at += 1;
        }
        self
    }

    fn groups(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] & self.high[usize::from(byte >> 4)]
    }
}

/// The groups in which a byte may stand first.
pub(super) static FIRST: Nibbles = {
    let (mut nibbles, mut group) = (Nibbles::NONE, 0);
    while group < GROUPS.len() {
        nibbles = nibbles.add(GROUPS[group].0, group);
        group += 1;
    }
    nibbles
};

/// The groups in which a byte may stand second.
pub(super) static SECOND: Nibbles = {
    let (mut nibbles, mut group) = (Nibbles::NONE, 0);
    while group < GROUPS.len() {
        nibbles = nibbles.add(GROUPS[group].1, group);
        group += 1;
    }
    nibbles
};

/// The detectors that search for prefixes; each has the bit of its place in a set of them.
pub(super) const TOKENS: [Detector; 7] = [
    Detector::AwsKey,
    Detector::GcpKey,
    Detector::GithubToken,
    Detector::Jwt,
    Detector::PrivateKey,
    Detector::SlackToken,
    Detector::StripeKey,
];

/// A prefix and where in it the two bytes of its group stand.
struct Prefix {
    /// The bit of its detector.
    detector: u8,
    bytes: &'static [u8],
    pair: usize,
}

/// The prefixes of each group.
static PREFIXES: LazyLock<[Vec<Prefix>; 8]> = LazyLock::new(|| {
    GROUPS.map(|group| {
        let all = TOKENS.iter().enumerate();
        let all = all.flat_map(|(at, token)| token::prefixes(token).into_iter().map(move |bytes| (1 << at, bytes)));
        let member = all.filter_map(|(detector, bytes)| {
            let (first, pair) = first_group(bytes)?;
            (first == group).then_some(Prefix { detector, bytes, pair })
        });
        member.collect()
    })
});

/// The group by which a prefix is found, and where its two bytes stand.
fn first_group(prefix: &[u8]) -> Option<(Group, usize)> {
    prefix.windows(2).enumerate().find_map(|(at, pair)| {
        let group = GROUPS.into_iter().find(|group| group.0.contains(&pair[0]) && group.1.contains(&pair[1]))?;
        Some((group, at))
    })
}

/// Whether the two bytes at this place are those of a prefix of some detector of the set.
pub(super) fn stands_at(batch: &[u8], at: usize, detectors: u8) -> bool {
    let Some([first, second]) = batch.get(at..).and_then(<[u8]>::first_chunk::<2>) else { return false };
    let groups = FIRST.groups(*first) & SECOND.groups(*second);
    PREFIXES.iter().enumerate().filter(|(group, _)| groups >> group & 1 != 0).any(|(_, prefixes)| {
        let mut wanted = prefixes.iter().filter(|prefix| prefix.detector & detectors != 0);
        wanted.any(|prefix| {
            let start = at.checked_sub(prefix.pair);
            start.and_then(|start| batch.get(start..)).is_some_and(|text| text.starts_with(prefix.bytes))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_by_a_group_of_its_own() {
        let known: usize = PREFIXES.iter().map(Vec::len).sum();
        let all: Vec<_> = TOKENS.iter().flat_map(token::prefixes).collect();
        assert_eq!(known, all.len());
        for prefix in all {
            let (_, pair) = first_group(prefix).unwrap();
            assert!(stands_at(prefix, pair, u8::MAX));
            assert!(!stands_at(prefix, pair, 0) && !stands_at(&prefix[..prefix.len() - 1], pair, u8::MAX));
        }
    }

    #[test]
    fn no_group_has_the_zero_that_stands_behind_a_batch() {
        assert_eq!(SECOND.groups(0), 0);
    }
}
