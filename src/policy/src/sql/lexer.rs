//! PostgreSQL's lexical rules: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>.
//!
//! Works on bytes, because a text need not be UTF-8, and gives tokens as ranges of the text; names and
//! strings are decoded when somebody asks. Comments and white space leave no token. A text that PostgreSQL
//! would not lex gives [`LexError`], never half an answer.

use std::borrow::Cow;

use super::{Dialect, escape, mysql};

/// How the text's plain strings are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LexOptions {
    /// `standard_conforming_strings`: off means that a backslash escapes in a plain string, too.
    pub standard_conforming_strings: bool,
    /// Whose rules hold.
    pub dialect: Dialect,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A name in `U&"…"`.
    UnicodeQuoted,
    /// A plain string, `'…'` or `N'…'`.
    Text,
    /// A string with escapes, `E'…'`.
    Escaped,
    /// A string with Unicode escapes, `U&'…'`.
    UnicodeText,
    /// A string between dollar signs.
    Dollar,
    /// A bit string, `B'…'` or `X'…'`.
    Bits,
    /// A number.
    Number,
    /// A parameter, `$1`.
    Parameter,
    /// An operator, or a sign of the grammar such as a comma.
    Sign,
    /// The clause `UESCAPE 'c'` of the token before; carries no meaning of its own.
    Uescape,
}

/// One token: what it is and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Offset of its first byte.
    pub start: u32,
    /// Offset behind its last byte.
    pub end: u32,
    /// The first bytes of a word, folded, or of a sign, by which most are told from what somebody looks for.
    pub(super) key: u64,
}

impl Token {
    /// A token of `source`; both offsets lie in it.
    pub(super) fn new(kind: Kind, source: &[u8], start: usize, end: usize) -> Self {
        let key = match kind {
            Kind::Word | Kind::Sign => key(source.get(start..end).unwrap_or_default()),
            _ => 0,
        };
        // Both fit: `Lexed::new` refuses texts of 4 GiB.
        Self { kind, start: u32::try_from(start).unwrap_or(0), end: u32::try_from(end).unwrap_or(0), key }
    }

    #[inline(always)]
    fn is(&self, kind: Kind, text: &str) -> bool {
        self.kind == kind && (self.end - self.start) as usize == text.len() && self.key == key(text.as_bytes())
    }
}

/// Bytes of a token that its key holds.
const KEY_BYTES: usize = 8;

/// The first bytes of a word or sign, ASCII letters in lower case. Known when this is compiled, for a fixed text.
#[inline(always)]
pub(super) const fn key(text: &[u8]) -> u64 {
    let mut key = 0;
    let mut at = 0;
    while at < text.len() && at < KEY_BYTES {
        key |= (text[at].to_ascii_lowercase() as u64) << (8 * at);
        at += 1;
    }
    key
}

/// A text that has no tokens in PostgreSQL's sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexError {
    /// What was not closed or is not allowed.
    pub what: &'static str,
    /// Offset of the byte where it starts.
    pub offset: usize,
}

/// A text and its tokens.
#[derive(Clone, Debug)]
pub struct Lexed<'a> {
    source: &'a [u8],
    /// The text in lower case, where it is UTF-8: words are parts of it.
    folded: Option<Cow<'a, str>>,
    tokens: Vec<Token>,
    options: LexOptions,
}

/// Longest name in bytes; PostgreSQL cuts longer ones (`NAMEDATALEN` − 1).
pub const NAME_BYTES: usize = 63;

impl<'a> Lexed<'a> {
    /// Reads all tokens of `source`.
    ///
    /// # Errors
    /// [`LexError`] for an open string, comment or name, a NUL, an invalid Unicode escape, or a text of 4 GiB.
    pub fn new(source: &'a [u8], options: LexOptions) -> Result<Self, LexError> {
        if u32::try_from(source.len()).is_err() {
            return Err(LexError { what: "text over 4 GiB", offset: 0 });
        }
        let tokens = match options.dialect {
            Dialect::MySql(rules) => mysql::scan(source, rules)?,
            Dialect::Unknown => {
                return Err(LexError { what: "text for a server that did not say what it is", offset: 0 });
            }
            Dialect::Postgres => {
                let tokens = Vec::with_capacity(source.len() / 5 + 4);
                let mut scanner = Scanner { source, position: 0, options, tokens };
                while scanner.step()? {}
                scanner.tokens
            }
        };
        let folded = core::str::from_utf8(source).ok().map(|text| {
            let folds = source.iter().any(u8::is_ascii_uppercase);
            if folds { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
        });
        Ok(Self { source, folded, tokens, options })
    }

    /// The text.
    #[must_use]
    pub fn source(&self) -> &'a [u8] {
        self.source
    }

    /// The tokens in order.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The options that the text was read with.
    #[must_use]
    pub fn options(&self) -> LexOptions {
        self.options
    }

    /// The bytes of a token as they stand in the text.
    #[must_use]
    pub fn raw(&self, token: &Token) -> &'a [u8] {
        let (start, end) = (token.start as usize, token.end as usize);
        self.source.get(start..end).unwrap_or_default()
    }

    /// Whether a token is this sign.
    #[must_use]
    #[inline(always)]
    pub fn is_sign(&self, token: &Token, sign: &str) -> bool {
        token.is(Kind::Sign, sign) && (sign.len() <= KEY_BYTES || self.raw(token) == sign.as_bytes())
    }

    /// Whether a token is this keyword, given in lower case.
    #[must_use]
    #[inline(always)]
    pub fn is_word(&self, token: &Token, word: &str) -> bool {
        token.is(Kind::Word, word) && (word.len() <= KEY_BYTES || self.raw(token).eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Whether a word or quoted name stands for this name, given in lower case. As a comparison with
    /// [`Self::name`], without making it.
    #[must_use]
    pub fn is_named(&self, index: usize, name: &str) -> bool {
        match self.tokens.get(index) {
            Some(token) if token.kind == Kind::Word => self.is_word(token, name),
            Some(token) if matches!(token.kind, Kind::Quoted | Kind::UnicodeQuoted) => {
                self.name(index).is_some_and(|found| found == name)
            }
            _ => false,
        }
    }

    /// The name that a word or quoted name stands for: folded, unescaped, cut to [`NAME_BYTES`]; `None` for
    /// other tokens.
    #[must_use]
    #[inline]
    pub fn name(&self, index: usize) -> Option<Cow<'_, str>> {
        let token = self.tokens.get(index)?;
        // Asked of every word again and again, and nearly always a part of the folded text.
        if token.kind == Kind::Word
            && (token.end - token.start) as usize <= NAME_BYTES
            && let Some(word) =
                self.folded.as_deref().and_then(|text| text.get(token.start as usize..token.end as usize))
        {
            return Some(Cow::Borrowed(word));
        }
        self.decoded(index, token)
    }

    /// A name that is no short word.
    fn decoded(&self, index: usize, token: &Token) -> Option<Cow<'_, str>> {
        if token.kind == Kind::Word {
            let word = self.word(token);
            return Some(if let Dialect::MySql(_) = self.options.dialect { word } else { escape::cut(word) });
        }
        let raw = self.raw(token);
        if let Dialect::MySql(_) = self.options.dialect {
            // Names of columns fold, those of tables do on some systems: folded, a rule names too many.
            return match token.kind {
                Kind::Quoted => {
                    let plain = escape::unquote(raw, raw.first().copied().unwrap_or(b'`'), 1);
                    Some(Cow::Owned(plain.to_ascii_lowercase()))
                }
                _ => None,
            };
        }
        let name = match token.kind {
            Kind::Quoted => escape::unquote(raw, b'"', 1),
            Kind::UnicodeQuoted => {
                let plain = escape::unquote(raw, b'"', 3);
                Cow::Owned(escape::unicode(&plain, self.unicode_escape(index))?)
            }
            _ => return None,
        };
        Some(escape::cut(name))
    }

    /// A word, folded.
    fn word(&self, token: &Token) -> Cow<'_, str> {
        let part = self.folded.as_deref().and_then(|text| text.get(token.start as usize..token.end as usize));
        part.map_or_else(|| escape::fold(self.raw(token)), Cow::Borrowed)
    }

    /// The value of a string; `None` for other tokens.
    #[must_use]
    pub fn string(&self, index: usize) -> Option<Cow<'a, str>> {
        let token = self.tokens.get(index)?;
        let raw = self.raw(token);
        match token.kind {
            Kind::Text => {
                if let Dialect::MySql(rules) = self.options.dialect {
                    return Some(Cow::Owned(mysql::unescape(raw, rules)));
                }
                let skip = if raw.first() == Some(&b'\'') { 1 } else { 2 };
                if self.options.standard_conforming_strings {
                    Some(escape::unquote(raw, b'\'', skip))
                } else {
                    Some(Cow::Owned(escape::backslashes(raw, skip)))
                }
            }
            Kind::Escaped => Some(Cow::Owned(escape::backslashes(raw, 2))),
            Kind::UnicodeText => {
                let plain = escape::unquote(raw, b'\'', 3);
                Some(Cow::Owned(escape::unicode(&plain, self.unicode_escape(index))?))
            }
            Kind::Dollar => {
                let tag = raw.iter().skip(1).position(|byte| *byte == b'$')? + 2;
                Some(String::from_utf8_lossy(raw.get(tag..raw.len().checked_sub(tag)?)?))
            }
            _ => None,
        }
    }

    fn unicode_escape(&self, index: usize) -> char {
        let clause = self.tokens.get(index + 1).filter(|token| token.kind == Kind::Uescape);
        let raw = clause.map(|token| self.raw(token)).unwrap_or_default();
        raw.len().checked_sub(2).and_then(|at| raw.get(at)).map_or('\\', |byte| char::from(*byte))
    }
}

struct Scanner<'a> {
    source: &'a [u8],
    position: usize,
    options: LexOptions,
    tokens: Vec<Token>,
}

/// White space as PostgreSQL 16 knows it; `\v` was not white space before and was an error then.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_name(byte: u8) -> bool {
    // By a table: this is asked of most bytes of a text.
    static CONTINUES: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "below 256")]
            let this = byte as u8;
            table[byte] = this.is_ascii_alphanumeric() || this == b'_' || this == b'$' || this >= 0x80;
            byte += 1;
        }
        table
    };
    CONTINUES[usize::from(byte)]
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

impl Scanner<'_> {
    fn at(&self, offset: usize) -> u8 {
        self.source.get(self.position + offset).copied().unwrap_or(0)
    }

    fn error(&self, what: &'static str, offset: usize) -> LexError {
        LexError { what, offset }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token::new(kind, self.source, start, self.position));
    }

    /// Reads one token, comment or run of white space; `false` at the end.
    fn step(&mut self) -> Result<bool, LexError> {
        let start = self.position;
        let Some(first) = self.source.get(start).copied() else { return Ok(false) };
        match first {
            byte if is_space(byte) => self.position += 1,
            b'-' if self.at(1) == b'-' => self.line_comment(),
            b'/' if self.at(1) == b'*' => self.block_comment()?,
            b'\'' => self.string(Kind::Text, 0)?,
            b'"' => self.quoted(Kind::Quoted, 0)?,
            b'$' => self.dollar()?,
            b'e' | b'E' if self.at(1) == b'\'' => self.string(Kind::Escaped, 1)?,
            b'n' | b'N' if self.at(1) == b'\'' => self.string(Kind::Text, 1)?,
            b'b' | b'B' | b'x' | b'X' if self.at(1) == b'\'' => self.string(Kind::Bits, 1)?,
            b'u' | b'U' if self.at(1) == b'&' && self.at(2) == b'\'' => {
                self.string(Kind::UnicodeText, 2)?;
                self.uescape(start)?;
            }
            b'u' | b'U' if self.at(1) == b'&' && self.at(2) == b'"' => {
                self.quoted(Kind::UnicodeQuoted, 2)?;
                self.uescape(start)?;
            }
            byte if starts_name(byte) => {
                let rest = self.source.get(start..).unwrap_or_default();
                self.position += rest.iter().position(|byte| !continues_name(*byte)).unwrap_or(rest.len());
                self.push(Kind::Word, start);
            }
            byte if byte.is_ascii_digit() || (byte == b'.' && self.at(1).is_ascii_digit()) => self.number(),
            b':' if matches!(self.at(1), b':' | b'=') => self.sign(2),
            b'.' if self.at(1) == b'.' => self.sign(2),
            b',' | b'(' | b')' | b'[' | b']' | b'.' | b';' | b':' => self.sign(1),
            byte if is_operator(byte) => self.operator(),
            _ => return Err(self.error("a character that no token starts with", start)),
        }
        Ok(true)
    }

    fn sign(&mut self, length: usize) {
        let start = self.position;
        self.position += length;
        self.push(Kind::Sign, start);
    }

    fn line_comment(&mut self) {
        while self.position < self.source.len() && !matches!(self.at(0), b'\n' | b'\r') {
            self.position += 1;
        }
    }

    /// Comments nest: the manual, 4.1.5.
    fn block_comment(&mut self) -> Result<(), LexError> {
        let start = self.position;
        let mut depth = 0_usize;
        while self.position < self.source.len() {
            match (self.at(0), self.at(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.position += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.position += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.position += 1,
            }
        }
        Err(self.error("an open comment", start))
    }

    /// A string in single quotes behind a prefix of `prefix` bytes, with its continuations: strings that
    /// only white space with a line break parts are one string (the manual, 4.1.2.1).
    fn string(&mut self, kind: Kind, prefix: usize) -> Result<(), LexError> {
        let start = self.position;
        let plain_backslashes = kind == Kind::Text && !self.options.standard_conforming_strings;
        let backslashes = kind == Kind::Escaped || plain_backslashes;
        self.position += prefix + 1;
        loop {
            let Some(byte) = self.source.get(self.position).copied() else {
                return Err(self.error("an open string", start));
            };
            match byte {
                0 => return Err(self.error("a NUL", self.position)),
                b'\\' if backslashes => self.position += 2,
                b'\'' if self.at(1) == b'\'' => self.position += 2,
                b'\'' => {
                    self.position += 1;
                    let Some(next) = self.continuation() else { break };
                    self.position = next;
                }
                _ => self.position += 1,
            }
        }
        self.push(kind, start);
        Ok(())
    }

    /// Where a string goes on behind its closing quote: the offset behind the next opening quote.
    ///
    /// PostgreSQL's scanner skips horizontal space and one comment to the line's end, needs a line break,
    /// and then skips white space and line comments (`quotecontinue`).
    fn continuation(&self) -> Option<usize> {
        let mut position = self.position;
        let mut broken = false;
        loop {
            match self.source.get(position).copied()? {
                b'\n' | b'\r' => {
                    broken = true;
                    position += 1;
                }
                byte if is_space(byte) => position += 1,
                b'-' if self.source.get(position + 1) == Some(&b'-') => {
                    while !matches!(self.source.get(position).copied()?, b'\n' | b'\r') {
                        position += 1;
                    }
                }
                b'\'' if broken => return Some(position + 1),
                _ => return None,
            }
        }
    }

    fn quoted(&mut self, kind: Kind, prefix: usize) -> Result<(), LexError> {
        let start = self.position;
        self.position += prefix + 1;
        let inside = self.position;
        loop {
            let Some(byte) = self.source.get(self.position).copied() else {
                return Err(self.error("an open quoted name", start));
            };
            match byte {
                0 => return Err(self.error("a NUL", self.position)),
                b'"' if self.at(1) == b'"' => self.position += 2,
                b'"' => break,
                _ => self.position += 1,
            }
        }
        if self.position == inside {
            return Err(self.error("an empty quoted name", start));
        }
        self.position += 1;
        self.push(kind, start);
        Ok(())
    }

    /// `UESCAPE 'c'` behind a `U&` token, and a check that the token's escapes are valid.
    fn uescape(&mut self, start: usize) -> Result<(), LexError> {
        let behind = self.position;
        let ahead = Lookahead { source: self.source, position: behind };
        let mut escape = b'\\';
        if let Some((clause_start, clause_end, byte)) = ahead.uescape() {
            if byte.is_ascii_hexdigit() || matches!(byte, b'+' | b'\'' | b'"') || is_space(byte) || byte >= 0x80 {
                return Err(self.error("an invalid UESCAPE character", clause_start));
            }
            escape = byte;
            self.position = clause_end;
            self.push(Kind::Uescape, clause_start);
        }
        let raw = self.source.get(start..behind).unwrap_or_default();
        let quote = raw.get(2).copied().unwrap_or(b'\'');
        let plain = escape::unquote(raw, quote, 3);
        match escape::unicode(&plain, char::from(escape)) {
            Some(_) => Ok(()),
            None => Err(self.error("an invalid Unicode escape", start)),
        }
    }

    fn dollar(&mut self) -> Result<(), LexError> {
        let start = self.position;
        if self.at(1).is_ascii_digit() {
            self.position += 1;
            while self.at(0).is_ascii_digit() {
                self.position += 1;
            }
            self.push(Kind::Parameter, start);
            return Ok(());
        }
        let mut end = start + 1;
        if self.source.get(end).is_some_and(|byte| starts_name(*byte)) {
            while self.source.get(end).is_some_and(|byte| *byte != b'$' && continues_name(*byte)) {
                end += 1;
            }
        }
        if self.source.get(end) != Some(&b'$') {
            return Err(self.error("a lone dollar sign", start));
        }
        let tag = self.source.get(start..=end).unwrap_or_default();
        let rest = self.source.get(end + 1..).unwrap_or_default();
        let Some(found) = memchr::memmem::find(rest, tag) else {
            return Err(self.error("an open dollar-quoted string", start));
        };
        if memchr::memchr(0, rest.get(..found).unwrap_or_default()).is_some() {
            return Err(self.error("a NUL", start));
        }
        self.position = end + 1 + found + tag.len();
        self.push(Kind::Dollar, start);
        Ok(())
    }

    /// Numbers, read leniently: what follows without a space starts its own token, as servers before 15 do;
    /// later servers refuse such a text themselves.
    fn number(&mut self) {
        let start = self.position;
        let digits = |scanner: &mut Self, is_digit: fn(u8) -> bool| {
            while is_digit(scanner.at(0)) || (scanner.at(0) == b'_' && is_digit(scanner.at(1))) {
                scanner.position += 1;
            }
        };
        let radix: Option<fn(u8) -> bool> = match (self.at(0), self.at(1) | 0x20) {
            (b'0', b'x') => Some(|byte| byte.is_ascii_hexdigit()),
            (b'0', b'o') => Some(|byte| matches!(byte, b'0'..=b'7')),
            (b'0', b'b') => Some(|byte| matches!(byte, b'0' | b'1')),
            _ => None,
        };
        if let Some(is_digit) = radix
            && (is_digit(self.at(2)) || (self.at(2) == b'_' && is_digit(self.at(3))))
        {
            self.position += 2;
            digits(self, is_digit);
        } else {
            digits(self, |byte| byte.is_ascii_digit());
            // `1..2` is a range of PL/pgSQL, not a number with a point.
            if self.at(0) == b'.' && self.at(1) != b'.' {
                self.position += 1;
                digits(self, |byte| byte.is_ascii_digit());
            }
            let signed = usize::from(matches!(self.at(1), b'+' | b'-'));
            if matches!(self.at(0), b'e' | b'E') && self.at(1 + signed).is_ascii_digit() {
                self.position += 1 + signed;
                digits(self, |byte| byte.is_ascii_digit());
            }
        }
        self.push(Kind::Number, start);
    }

    /// The rules for the end of an operator: the manual, 4.1.3.
    fn operator(&mut self) {
        let start = self.position;
        let run = self.source.iter().skip(start).take_while(|byte| is_operator(**byte)).count();
        let mut length = run;
        for offset in 1..run {
            let pair = (self.at(offset), self.at(offset + 1));
            if pair == (b'-', b'-') || pair == (b'/', b'*') {
                length = offset;
                break;
            }
        }
        let text = self.source.get(start..start + length).unwrap_or_default();
        let special = text.iter().any(|byte| b"~!@#^&|`?%".contains(byte));
        if !special {
            while length > 1 && matches!(text.get(length - 1), Some(b'+' | b'-')) {
                length -= 1;
            }
        }
        self.position += length.max(1);
        self.push(Kind::Sign, start);
    }
}

/// Looks past white space and comments without taking tokens.
struct Lookahead<'a> {
    source: &'a [u8],
    position: usize,
}

impl Lookahead<'_> {
    fn skip_space(&mut self) {
        let mut scanner = Scanner {
            source: self.source,
            position: self.position,
            options: LexOptions::default(),
            tokens: Vec::new(),
        };
        loop {
            let before = scanner.position;
            match (scanner.at(0), scanner.at(1)) {
                (byte, _) if is_space(byte) => scanner.position += 1,
                (b'-', b'-') => scanner.line_comment(),
                (b'/', b'*') => {
                    if scanner.block_comment().is_err() {
                        break;
                    }
                }
                _ => break,
            }
            if scanner.position == before {
                break;
            }
        }
        self.position = scanner.position;
    }

    /// Start and end of a clause `UESCAPE 'c'`, and its character.
    fn uescape(mut self) -> Option<(usize, usize, u8)> {
        self.skip_space();
        let start = self.position;
        let word = self.source.get(start..start + 7)?;
        let behind = self.source.get(start + 7).copied().unwrap_or(0);
        if !word.eq_ignore_ascii_case(b"uescape") || continues_name(behind) {
            return None;
        }
        self.position += 7;
        self.skip_space();
        match self.source.get(self.position..self.position + 3)? {
            [b'\'', byte, b'\''] => Some((start, self.position + 3, *byte)),
            _ => None,
        }
    }
}

impl Default for LexOptions {
    /// As PostgreSQL has it when nobody changed it.
    fn default() -> Self {
        Self { standard_conforming_strings: true, dialect: Dialect::Postgres }
    }
}

#[cfg(test)]
mod tests;
