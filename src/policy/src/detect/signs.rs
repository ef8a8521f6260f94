//! Which detectors a cell is worth, by how often its bytes are digits, points, signs and the like.
//!
//! A row with a hint is looked at cell by cell, and few detectors fit any one cell: counting the bytes once
//! costs less than the search of a single detector. What is asked of the counts follows from each
//! detector's own rule; it may let a detector look in vain, and must never keep it from a value.

use super::set::Detector;

/// How often each kind of byte stands in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    bytes: usize,
    kinds: [usize; KINDS],
}

const KINDS: usize = 8;

/// Texts are counted in stretches of which no kind can overflow its eighth of a word.
const STRETCH: usize = 255;

/// The kinds of bytes, by their place in [`Signs::kinds`].
#[derive(Clone, Copy)]
enum Kind {
    Digit,
    Capital,
    Point,
    Colon,
    Hyphen,
    Underscore,
    At,
    Space,
}

/// For each byte a one in the eighth of its kind.
const EIGHTHS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        let kind = match byte {
            b'0'..=b'9' => Some(Kind::Digit),
            b'A'..=b'Z' => Some(Kind::Capital),
            b'.' => Some(Kind::Point),
            b':' => Some(Kind::Colon),
            b'-' => Some(Kind::Hyphen),
            b'_' => Some(Kind::Underscore),
            b'@' => Some(Kind::At),
            b' ' => Some(Kind::Space),
            _ => None,
        };
        if let Some(kind) = kind {
            table[byte as usize] = 1 << (8 * kind as u32);
        }
        byte += 1;
    }
    table
};

impl Signs {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut signs = Self { bytes: text.len(), kinds: [0; KINDS] };
        signs.change(text, |kind, count| *kind += count);
        signs
    }

    /// Part of the text is to be replaced, or was: what stood there counts no more.
    pub(super) fn forget(&mut self, part: &[u8]) {
        self.change(part, |kind, count| *kind = kind.saturating_sub(count));
    }

    /// What stands in place of a part that was forgotten.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.change(part, |kind, count| *kind += count);
    }

    fn change(&mut self, text: &[u8], change: impl Fn(&mut usize, usize)) {
        for stretch in text.chunks(STRETCH) {
            let eighths: u64 = stretch.iter().map(|byte| EIGHTHS[usize::from(*byte)]).sum();
            for (kind, count) in self.kinds.iter_mut().zip(eighths.to_le_bytes()) {
                change(kind, usize::from(count));
            }
        }
    }

    fn has(&self, kind: Kind, fewest: usize) -> bool {
        self.kinds[kind as usize] >= fewest
    }

    /// Whether the detector could find something in a text with these counts.
    #[inline]
    pub(super) fn fit(&self, detector: &Detector) -> bool {
        use Kind as K;
        match detector {
            // The shortest tokens: prefix and body.
            Detector::AwsKey => self.bytes >= 20 && self.has(K::Capital, 4),
            Detector::GcpKey => self.bytes >= 25 && (self.has(K::Capital, 2) || self.has(K::Point, 1)),
            Detector::GithubToken => self.bytes >= 40 && self.has(K::Underscore, 1),
            Detector::SlackToken => self.bytes >= 15 && self.has(K::Hyphen, 1),
            Detector::StripeKey => self.bytes >= 24 && self.has(K::Underscore, 1),
            Detector::Card => self.has(K::Digit, 13),
            Detector::Email => self.has(K::At, 1) && self.bytes >= 6,
            Detector::Iban => self.bytes >= 15 && self.has(K::Capital, 2) && self.has(K::Digit, 2),
            Detector::Ip => (self.has(K::Point, 3) && self.has(K::Digit, 4)) || self.has(K::Colon, 2),
            // `eyJ` and three parts.
            Detector::Jwt => self.has(K::Capital, 1) && self.has(K::Point, 2),
            Detector::Literals(_) | Detector::Pattern(_) => true,
            // Eight after a plus, ten in the national forms.
            Detector::Phone => self.has(K::Digit, 8),
            Detector::PrivateKey => self.has(K::Hyphen, 5) && self.has(K::Capital, 5),
            Detector::Ssn => self.has(K::Digit, 9) && (self.has(K::Hyphen, 2) || self.has(K::Space, 2)),
            Detector::UrlPassword => self.has(K::At, 1) && self.has(K::Colon, 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_kind_in_texts_of_any_length() {
        for length in [0, 1, 254, 255, 256, 600] {
            let signs = Signs::of(&b"7".repeat(length));
            assert_eq!((signs.bytes, signs.kinds), (length, [length, 0, 0, 0, 0, 0, 0, 0]), "{length}");
        }
        let mut signs = Signs::of(b"A.:-_@ 1a\xff");
        assert_eq!(signs.kinds, [1; KINDS]);
        signs.forget(b"A.:-");
        signs.add(b"0@");
        assert_eq!(signs.kinds, [2, 0, 0, 0, 0, 1, 2, 1]);
    }
}
