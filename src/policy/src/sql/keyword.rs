//! The parser's keywords by their spelling.
//!
//! Every word of a statement is looked up, so the table is laid out when this is compiled, by a hash of the folded
//! word; the parser's own search compares some ten keywords letter by letter. A client that knows the hash gains
//! nothing: the words in the table are fixed, and no run of used slots is long.

use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword};

/// Slots of the table, a power of two: about three for each keyword, so that most words that are none end at once.
const SLOTS: usize = 4096;

/// For each slot the keyword's number and one, or zero.
static TABLE: [u16; SLOTS] = table();

/// FNV-1a of the word in lower case, its high bits folded in: <http://www.isthe.com/chongo/tech/comp/fnv/>.
const fn slot(word: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < word.len() {
        hash = (hash ^ word[at].to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    ((hash ^ (hash >> 15)) as usize) % SLOTS
}

#[expect(clippy::cast_possible_truncation, reason = "asserted: there are fewer keywords than slots")]
const fn table() -> [u16; SLOTS] {
    assert!(ALL_KEYWORDS.len() < SLOTS / 2, "half of the slots stay free, so that every search ends");
    let mut table = [0; SLOTS];
    let mut keyword = 0;
    while keyword < ALL_KEYWORDS.len() {
        let mut at = slot(ALL_KEYWORDS[keyword].as_bytes());
        while table[at] != 0 {
            at = (at + 1) % SLOTS;
        }
        table[at] = keyword as u16 + 1;
        keyword += 1;
    }
    table
}

/// The keyword that an unquoted word is, whatever its case.
pub(super) fn lookup(word: &str) -> Keyword {
    let mut at = slot(word.as_bytes());
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
                assert_eq!(lookup(&word), expected.keyword, "{word}");
            }
        }
    }
}
