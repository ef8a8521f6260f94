//! The parser's keywords by their spelling.
//!
//! Every word of a statement is looked up, so the table is laid out when this is compiled, by a hash of the folded
//! word's beginning; the parser's own search compares some ten keywords letter by letter. A client that knows the hash gains
//! nothing: the words in the table are fixed, and no run of used slots is long.

use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword};

use super::lexer::key;

/// Slots of the table, a power of two: about three for each keyword, so that most words that are none end at once.
const SLOTS: usize = 4096;

/// For each slot the keyword's number and one, or zero.
static TABLE: [u16; SLOTS] = table();

/// The slot of a word by its first letters, as the lexer's tokens have them ([`key`]), and its length: a product by
/// the golden ratio, of which the high bits are spread best (Knuth, The Art of Computer Programming, 6.4).
#[expect(clippy::cast_possible_truncation, reason = "below the number of slots")]
const fn slot(key: u64, length: usize) -> usize {
    let product = (key ^ ((length as u64) << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "asserted: there are fewer keywords than slots")]
const fn table() -> [u16; SLOTS] {
    assert!(ALL_KEYWORDS.len() < SLOTS / 2, "half of the slots stay free, so that every search ends");
    let mut table = [0; SLOTS];
    let mut keyword = 0;
    while keyword < ALL_KEYWORDS.len() {
        let word = ALL_KEYWORDS[keyword].as_bytes();
        let mut at = slot(key(word), word.len());
        while table[at] != 0 {
            at = (at + 1) % SLOTS;
        }
        table[at] = keyword as u16 + 1;
        keyword += 1;
    }
    table
}

/// The keyword that an unquoted word is, whatever its case. `key` is that of the word.
pub(super) fn lookup(word: &str, key: u64) -> Keyword {
    let mut at = slot(key, word.len());
    while let Some(number) = TABLE.get(at).and_then(|entry| usize::from(*entry).checked_sub(1)) {
        if ALL_KEYWORDS.get(number).is_some_and(|keyword| keyword.eq_ignore_ascii_case(word)) {
            return ALL_KEYWORDS_INDEX.get(number).copied().unwrap_or(Keyword::NoKeyword);
        }
        at = (at + 1) % SLOTS;
    }
    Keyword::NoKeyword
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::tokenizer::Token;

    #[test]
    fn every_word_is_the_keyword_that_the_parser_takes_it_for() {
        let others = ["", "_", "abalance", "selec", "selects", "ſelect", "naïve", "pgbench_accounts"];
        for word in ALL_KEYWORDS.iter().copied().chain(others) {
            for word in [word.to_owned(), word.to_ascii_lowercase(), format!("{word}x"), format!("x{word}")] {
                let Token::Word(expected) = Token::make_word(&word, None) else { unreachable!() };
                assert_eq!(lookup(&word, key(word.as_bytes())), expected.keyword, "{word}");
            }
        }
    }
}
