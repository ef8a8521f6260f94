//! The lexical rules of MySQL and MariaDB, as tokens of the same kinds that PostgreSQL's texts have.
//!
//! What differs: names in backticks, strings in double quotes (names under `ANSI_QUOTES`), backslash escapes
//! (none under `NO_BACKSLASH_ESCAPES`), comments behind `#`, `--` only before white space, comments that do not
//! nest, and version comments, which are code on the servers that they name. A name may begin with a digit;
//! variables are words that begin with `@`.
//!
//! Sources: MySQL manual, "Language Structure"; MySQL's `sql/sql_lexer.cc` and MariaDB's `sql/sql_lex.cc` for
//! version comments.

use super::lexer::{Kind, LexError, Token};

/// Whose rules, and under which settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MySql {
    /// Whether it is MariaDB.
    pub mariadb: bool,
    /// The server's version as version comments write it: 101119 for 10.11.19, 90704 for 9.7.4.
    pub version: u32,
    /// `sql_mode` has `ANSI_QUOTES`: double quotes hold names.
    pub ansi_quotes: bool,
    /// `sql_mode` has `NO_BACKSLASH_ESCAPES`.
    pub no_backslash_escapes: bool,
}

impl MySql {
    /// The version and the maker by the server's greeting, such as `9.7.4-2` or `5.5.5-10.11.19-MariaDB-…`;
    /// `None` where it says neither.
    #[must_use]
    pub fn of_version(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?;
        let mariadb = text.contains("MariaDB");
        // MariaDB says 5.5.5 first, for replicas that read one digit.
        let text = text.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(text);
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok().filter(|number| *number < 100);
        let version = next()? * 10_000 + next()? * 100 + next()?;
        Some(Self { mariadb, version, ansi_quotes: false, no_backslash_escapes: false })
    }

    /// Whether a version comment is code: one that names no version always is. MariaDB passes over those of
    /// MySQL's versions that it does not follow, unless they are written for MariaDB (`/*M!`).
    fn runs(self, version: Option<u32>, for_mariadb: bool) -> bool {
        let Some(version) = version else { return true };
        version <= self.version && (!self.mariadb || for_mariadb || !(50_700..=99_999).contains(&version))
    }
}

struct Scanner<'a> {
    source: &'a [u8],
    position: usize,
    rules: MySql,
    /// Inside a version comment that is code.
    in_code_comment: bool,
    tokens: Vec<Token>,
}

/// All tokens of `source`, which is shorter than 4 GiB.
pub(super) fn scan(source: &[u8], rules: MySql) -> Result<Vec<Token>, LexError> {
    let tokens = Vec::with_capacity(source.len() / 5 + 4);
    let mut scanner = Scanner { source, position: 0, rules, in_code_comment: false, tokens };
    while scanner.step()? {}
    if scanner.in_code_comment {
        return Err(LexError { what: "an open comment", offset: source.len() });
    }
    Ok(scanner.tokens)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Operators of more than one character, longest first.
const OPERATORS: [&[u8]; 14] =
    [b"->>", b"<=>", b"->", b":=", b"<<", b"<=", b"<>", b"!=", b">=", b">>", b"||", b"&&", b"..", b"=>"];

impl Scanner<'_> {
    fn at(&self, offset: usize) -> u8 {
        self.source.get(self.position + offset).copied().unwrap_or(0)
    }

    fn starts_with(&self, text: &[u8]) -> bool {
        self.source.get(self.position..).is_some_and(|rest| rest.starts_with(text))
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token::new(kind, self.source, start, self.position));
    }

    fn step(&mut self) -> Result<bool, LexError> {
        let start = self.position;
        let Some(first) = self.source.get(start).copied() else { return Ok(false) };
        match first {
            byte if is_space(byte) => self.position += 1,
            b'#' => self.line_comment(),
            // At the end of the text the server's buffer has a NUL, which counts as a control character.
            b'-' if self.at(1) == b'-' && (self.at(2) <= b' ' || self.at(2) == 0x7f) => self.line_comment(),
            b'/' if self.starts_with(b"/*") => self.comment(start)?,
            b'*' if self.in_code_comment && self.at(1) == b'/' => {
                self.in_code_comment = false;
                self.position += 2;
            }
            b'\'' => self.quoted(Kind::Text, b'\'', start)?,
            b'"' if self.rules.ansi_quotes => self.quoted(Kind::Quoted, b'"', start)?,
            b'"' => self.quoted(Kind::Text, b'"', start)?,
            b'`' => self.quoted(Kind::Quoted, b'`', start)?,
            b'x' | b'X' | b'b' | b'B' if self.at(1) == b'\'' => {
                self.position += 1;
                self.quoted(Kind::Bits, b'\'', start)?;
            }
            b'n' | b'N' if self.at(1) == b'\'' => {
                self.position += 1;
                self.quoted(Kind::Text, b'\'', start)?;
            }
            b'@' => self.variable(start)?,
            b'?' => {
                self.position += 1;
                self.push(Kind::Parameter, start);
            }
            b'\\' if self.at(1) == b'N' => {
                self.position += 2;
                self.push(Kind::Bits, start);
            }
            byte if in_name(byte) || (byte == b'.' && self.at(1).is_ascii_digit() && !self.behind_name()) => {
                self.word_or_number(start);
            }
            byte if byte.is_ascii_graphic() && byte != b'\\' => {
                let length =
                    OPERATORS.iter().find(|operator| self.starts_with(operator)).map_or(1, |found| found.len());
                self.position += length;
                self.push(Kind::Sign, start);
            }
            _ => return Err(LexError { what: "a character that no token starts with", offset: start }),
        }
        Ok(true)
    }

    /// Whether the last token is a name that ends right here, so that a point goes on with it.
    fn behind_name(&self) -> bool {
        self.tokens
            .last()
            .is_some_and(|token| token.end as usize == self.position && matches!(token.kind, Kind::Word | Kind::Quoted))
    }

    /// Whether a point ends right here that stands behind a name: what follows is a name whatever it is.
    fn behind_point(&self) -> bool {
        let [.., name, point] = self.tokens.as_slice() else { return false };
        point.end as usize == self.position
            && self.source.get(point.start as usize..point.end as usize) == Some(b".")
            && matches!(name.kind, Kind::Word | Kind::Quoted)
    }

    fn word_or_number(&mut self, start: usize) {
        let named = self.behind_point();
        while in_name(self.at(0)) && self.position < self.source.len() {
            self.position += 1;
        }
        let run = self.source.get(start..self.position).unwrap_or_default();
        let digits = run.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let decimal = digits == run.len();
        if named || !(decimal || is_number(run) || is_exponent(run, digits, self.at(0))) {
            return self.push(Kind::Word, start);
        }
        if decimal && self.at(0) == b'.' {
            self.position += 1;
            while self.at(0).is_ascii_digit() {
                self.position += 1;
            }
            if matches!(self.at(0), b'e' | b'E') && (self.at(1).is_ascii_digit() || matches!(self.at(1), b'+' | b'-')) {
                self.position += 1;
                self.exponent();
            }
        } else if matches!(run.last(), Some(b'e' | b'E')) && !run.starts_with(b"0x") {
            self.exponent();
        }
        self.push(Kind::Number, start);
    }

    fn exponent(&mut self) {
        if matches!(self.at(0), b'+' | b'-') {
            self.position += 1;
        }
        while self.at(0).is_ascii_digit() {
            self.position += 1;
        }
    }

    /// `@name`, `@@name`, and names in quotes behind one `@`.
    fn variable(&mut self, start: usize) -> Result<(), LexError> {
        self.position += if self.at(1) == b'@' { 2 } else { 1 };
        match self.at(0) {
            quote @ (b'\'' | b'"' | b'`') => self.quoted(Kind::Word, quote, start),
            _ => {
                while (in_name(self.at(0)) || self.at(0) == b'.') && self.position < self.source.len() {
                    self.position += 1;
                }
                self.push(Kind::Word, start);
                Ok(())
            }
        }
    }

    fn line_comment(&mut self) {
        while self.position < self.source.len() && self.at(0) != b'\n' {
            self.position += 1;
        }
    }

    fn comment(&mut self, start: usize) -> Result<(), LexError> {
        let for_mariadb = self.rules.mariadb && self.starts_with(b"/*M!");
        if !(for_mariadb || self.starts_with(b"/*!")) {
            self.position += 2;
            return self.skip_comment(start, false);
        }
        self.position += if for_mariadb { 4 } else { 3 };
        let digits = (0..6).take_while(|offset| self.at(*offset).is_ascii_digit()).count();
        let version = (digits >= 5)
            .then(|| (0..digits).fold(0_u32, |number, offset| number * 10 + u32::from(self.at(offset) - b'0')));
        if self.rules.runs(version, for_mariadb) {
            self.position += if version.is_some() { digits } else { 0 };
            self.in_code_comment = true;
            return Ok(());
        }
        self.skip_comment(start, true)
    }

    /// Goes behind the end of a comment. In one that is code for another version, comments nest once.
    fn skip_comment(&mut self, start: usize, nests: bool) -> Result<(), LexError> {
        while self.position < self.source.len() {
            if self.starts_with(b"*/") {
                self.position += 2;
                return Ok(());
            }
            if nests && self.starts_with(b"/*") {
                self.position += 2;
                self.skip_comment(start, false)?;
            } else {
                self.position += 1;
            }
        }
        Err(LexError { what: "an open comment", offset: start })
    }

    /// What is in quotes; a doubled quote stands for one.
    fn quoted(&mut self, kind: Kind, quote: u8, start: usize) -> Result<(), LexError> {
        let escapes = !self.rules.no_backslash_escapes && quote != b'`' && kind != Kind::Quoted && kind != Kind::Bits;
        self.position += 1;
        loop {
            let Some(byte) = self.source.get(self.position).copied() else {
                return Err(LexError { what: "an open string", offset: start });
            };
            match byte {
                b'\\' if escapes => self.position += 2,
                byte if byte == quote && self.at(1) == quote => self.position += 2,
                byte if byte == quote => {
                    self.position += 1;
                    self.push(kind, start);
                    return Ok(());
                }
                _ => self.position += 1,
            }
        }
    }
}

/// `0x1f` and `0b01`.
fn is_number(run: &[u8]) -> bool {
    match run {
        [b'0', b'x', rest @ ..] => !rest.is_empty() && rest.iter().all(u8::is_ascii_hexdigit),
        [b'0', b'b', rest @ ..] => !rest.is_empty() && rest.iter().all(|byte| matches!(byte, b'0' | b'1')),
        _ => false,
    }
}

/// `1e5`, and the beginning of `1e-5`.
fn is_exponent(run: &[u8], digits: usize, next: u8) -> bool {
    match run.get(digits..) {
        Some([b'e' | b'E']) => digits > 0 && matches!(next, b'+' | b'-'),
        Some([b'e' | b'E', rest @ ..]) => digits > 0 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The value of a string: the quotes go, doubled quotes are one, escapes are what they stand for. Bytes that
/// are not UTF-8 become U+FFFD.
pub(super) fn unescape(raw: &[u8], rules: MySql) -> String {
    let skip = usize::from(matches!(raw.first(), Some(b'n' | b'N')));
    let inner = raw.get(skip..).unwrap_or_default();
    let quote = inner.first().copied().unwrap_or(b'\'');
    let inner = inner.get(1..inner.len().saturating_sub(1)).unwrap_or_default();
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == quote {
            bytes.next();
            value.push(quote);
        } else if byte == b'\\' && !rules.no_backslash_escapes {
            match bytes.next() {
                Some(b'0') => value.push(0),
                Some(b'b') => value.push(8),
                Some(b'n') => value.push(b'\n'),
                Some(b'r') => value.push(b'\r'),
                Some(b't') => value.push(b'\t'),
                Some(b'Z') => value.push(0x1a),
                // Kept with their backslash, for LIKE.
                Some(kept @ (b'%' | b'_')) => value.extend_from_slice(&[b'\\', kept]),
                Some(other) => value.push(other),
                None => {}
            }
        } else {
            value.push(byte);
        }
    }
    String::from_utf8_lossy(&value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MYSQL: MySql = MySql { mariadb: false, version: 90_704, ansi_quotes: false, no_backslash_escapes: false };
    const MARIADB: MySql = MySql { mariadb: true, version: 101_119, ..MYSQL };

    fn tokens(text: &str, rules: MySql) -> Vec<String> {
        let source = text.as_bytes();
        let tokens = scan(source, rules).unwrap();
        tokens
            .iter()
            .map(|token| {
                let raw = String::from_utf8_lossy(&source[token.start as usize..token.end as usize]).into_owned();
                let mark = match token.kind {
                    Kind::Word => "w",
                    Kind::Quoted => "q",
                    Kind::Text => "t",
                    Kind::Number => "n",
                    Kind::Parameter => "p",
                    Kind::Sign => "s",
                    _ => "?",
                };
                format!("{mark}{raw}")
            })
            .collect()
    }

    #[test]
    fn names_strings_and_variables_are_told_apart() {
        assert_eq!(
            tokens("a `b``c` \"d\" 'e''f' @g @@sql_mode @`h i`", MYSQL),
            ["wa", "q`b``c`", "t\"d\"", "t'e''f'", "w@g", "w@@sql_mode", "w@`h i`"]
        );
        assert_eq!(tokens("\"d\"", MySql { ansi_quotes: true, ..MYSQL }), ["q\"d\""]);
        assert_eq!(tokens(r"'a\'b'", MYSQL), [r"t'a\'b'"]);
        assert!(scan(br"'a\'", MYSQL).is_err());
        assert_eq!(tokens(r"'a\'", MySql { no_backslash_escapes: true, ..MYSQL }), [r"t'a\'"]);
    }

    #[test]
    fn a_name_may_begin_with_a_digit_and_a_number_has_none_of_its_letters() {
        assert_eq!(
            tokens("1a 12 1.5 .5 1e5 1e-5 1e 0x1f 0xzz t.1 t.1a 1.", MYSQL),
            [
                "w1a", "n12", "n1.5", "n.5", "n1e5", "n1e-5", "w1e", "n0x1f", "w0xzz", "wt", "s.", "w1", "wt", "s.",
                "w1a", "n1."
            ]
        );
    }

    #[test]
    fn comments_end_where_the_server_ends_them() {
        assert_eq!(tokens("a # b\nc -- d\ne --f /* g /* h */ i", MYSQL), ["wa", "wc", "we", "s-", "s-", "wf", "wi"]);
        assert_eq!(tokens("a --", MYSQL), ["wa"]);
        assert!(scan(b"a /* b", MYSQL).is_err());
        assert!(scan(b"a /*! b", MYSQL).is_err());
    }

    #[test]
    fn version_comments_are_code_on_the_servers_that_they_name() {
        assert_eq!(tokens("a /*!50000 b */ c /*!99999 d */ /*! e */", MYSQL), ["wa", "wb", "wc", "we"]);
        assert_eq!(tokens("/*!090704 a */ /*!090705 b */ /*!100000 c */", MYSQL), ["wa"]);
        // MariaDB: no MySQL 5.7 and later, but its own versions, and `/*M!`.
        assert_eq!(
            tokens("/*!50701 a */ /*!50600 b */ /*!100100 c */ /*M!50701 d */ /*M! e */", MARIADB),
            ["wb", "wc", "wd", "we"]
        );
        assert_eq!(tokens("/*M! e */ f", MYSQL), ["wf"]);
        // What is passed over may hold a comment; what is code ends with the first end.
        assert_eq!(tokens("/*!99999 a /* b */ c */ d", MYSQL), ["wd"]);
        assert_eq!(tokens("/*!50000 a /* b */ c */ d", MYSQL), ["wa", "wc", "wd"]);
        assert_eq!(tokens("a */ b", MYSQL), ["wa", "s*", "s/", "wb"]);
    }

    #[test]
    fn versions_are_read_from_greetings() {
        assert_eq!(MySql::of_version(b"9.7.4-2"), Some(MYSQL));
        assert_eq!(MySql::of_version(b"5.5.5-10.11.19-MariaDB-0+deb12u1"), Some(MARIADB));
        assert_eq!(MySql::of_version(b"10.11.19-MariaDB"), Some(MARIADB));
        assert_eq!(MySql::of_version(b"unknown"), None);
    }

    #[test]
    fn values_are_unescaped() {
        assert_eq!(unescape(br"'a\nb\'c''d\%'", MYSQL), "a\nb'c'd\\%");
        assert_eq!(unescape(b"\"x\"\"y\"", MYSQL), "x\"y");
        assert_eq!(unescape(br"'a\n'", MySql { no_backslash_escapes: true, ..MYSQL }), r"a\n");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let alphabet = b"'\"`\\/*!M#-@.0x1e \n\xff";
        let mut state = 7_u32;
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    alphabet[(state >> 16) as usize % alphabet.len()]
                })
                .collect();
            if let Ok(tokens) = scan(&text, MARIADB) {
                assert!(tokens.windows(2).all(|pair| pair[0].end <= pair[1].start));
                assert!(tokens.iter().all(|token| token.end as usize <= text.len()), "{text:?}");
            }
        }
    }
}
