//! Our tokens as the SQL parser wants them.
//!
//! Names go over folded and unescaped, so names in a tree compare as PostgreSQL compares them. Rows of a
//! VALUES list that hold nothing but literals go over once: they say nothing to a policy, and a bulk
//! insert would otherwise cost a tree of ten times its text. `TABLE t` goes over as the `SELECT * FROM t`
//! that it is, and ONLY before a table is left out: the parser takes it for the table's name. What PostgreSQL
//! writes between the arguments of SQL/XML goes over as [`xml`] says.

use sqlparser::ast::DollarQuotedString;
use sqlparser::dialect::MySqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Span, Token as ParserToken, TokenWithSpan, Word};

use super::Dialect;
use super::dialect::Postgres;
use super::lexer::{Kind, Lexed, Token, key};
use super::xml::{self, Edit};
use super::{keyword, silent};

/// Most tokens of one statement that the parser is given; a longer one counts as not parsed.
pub(crate) const TOKENS: usize = 200_000;

/// Most links of one chain (`a + b + c`, `x OR y OR z`, `q UNION r`), which make a tree just as deep.
/// A tree is visited and dropped by recursion; this keeps both inside a thread's stack.
pub(crate) const CHAIN: usize = 600;

/// Most levels that the parser may recurse.
const RECURSION: usize = 50;

/// Where tokens stand for the parser: nowhere. It would write places into the text of an error each time that it
/// tries one reading of several, and nobody reads them.
const NOWHERE: Span = {
    let location = Location { line: 0, column: 0 };
    Span { start: location, end: location }
};

/// The tree of one statement; `None` where the parser does not read it to its end, or a limit is passed.
pub(crate) fn parse(lexed: &Lexed<'_>, range: core::ops::Range<usize>) -> Option<sqlparser::ast::Statement> {
    let tokens = convert(lexed, range)?;
    let dialect: &dyn sqlparser::dialect::Dialect = match lexed.options().dialect {
        Dialect::MySql(_) => &MySqlDialect {},
        Dialect::Postgres | Dialect::Unknown => &Postgres,
    };
    let mut parser = Parser::new(dialect).with_recursion_limit(RECURSION).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().ok()?;
    (parser.peek_token_ref().token == ParserToken::EOF).then_some(statement)
}

/// Counts the links of chains in what goes to the parser, over all open parentheses.
struct Chains {
    levels: Vec<usize>,
    total: usize,
}

impl Chains {
    fn new() -> Self {
        Self { levels: vec![0], total: 0 }
    }

    fn link(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            *level += 1;
            self.total += 1;
        }
    }

    /// Takes up the next token; `false` where a chain gets longer than [`CHAIN`].
    fn follow(&mut self, token: &ParserToken) -> bool {
        match token {
            ParserToken::LParen | ParserToken::LBracket => self.levels.push(0),
            ParserToken::RParen | ParserToken::RBracket => {
                self.total -= self.levels.pop().unwrap_or(0).min(self.total);
                // `a[1][2]…` and `f()()…` are chains, too.
                if *token == ParserToken::RBracket {
                    self.link();
                }
            }
            ParserToken::Comma => {
                if let Some(level) = self.levels.last_mut() {
                    self.total -= *level;
                    *level = 0;
                }
            }
            ParserToken::Word(word) => {
                if matches!(
                    word.keyword,
                    Keyword::AND
                        | Keyword::AT
                        | Keyword::BETWEEN
                        | Keyword::COLLATE
                        | Keyword::EXCEPT
                        | Keyword::ILIKE
                        | Keyword::IN
                        | Keyword::INTERSECT
                        | Keyword::IS
                        | Keyword::LIKE
                        | Keyword::NOT
                        | Keyword::NOTNULL
                        | Keyword::OPERATOR
                        | Keyword::OR
                        | Keyword::SIMILAR
                        | Keyword::UNION
                ) {
                    self.link();
                }
            }
            ParserToken::SingleQuotedString(_)
            | ParserToken::EscapedStringLiteral(_)
            | ParserToken::DollarQuotedString(_)
            | ParserToken::HexStringLiteral(_)
            | ParserToken::Number(..)
            | ParserToken::Placeholder(_) => {}
            _ => self.link(),
        }
        self.total <= CHAIN
    }
}

/// What goes to the parser.
struct Converted {
    tokens: Vec<TokenWithSpan>,
    chains: Chains,
}

impl Converted {
    /// Adds a token; `None` where a limit is passed.
    fn push(&mut self, token: ParserToken) -> Option<()> {
        if self.tokens.len() >= TOKENS || !self.chains.follow(&token) {
            return None;
        }
        self.tokens.push(TokenWithSpan { token, span: NOWHERE });
        Some(())
    }
}

impl Converted {
    /// Adds what stands for a token of SQL/XML.
    fn edited(&mut self, lexed: &Lexed<'_>, index: usize, edit: Edit) -> Option<()> {
        match edit {
            Edit::CastBegins => {
                self.push(ParserToken::LParen)?;
                self.push(word("cast"))?;
                self.push(ParserToken::LParen)
            }
            Edit::CastEnds => {
                self.push(ParserToken::RParen)?;
                self.push(ParserToken::RParen)
            }
            Edit::Comma => self.push(ParserToken::Comma),
            Edit::Default => self.push(word("default")),
            Edit::Path => self.push(word("path")),
            Edit::Named => {
                self.push(word("as"))?;
                let no_name = Word { keyword: Keyword::NoKeyword, value: String::new(), quote_style: Some('"') };
                self.push(ParserToken::Word(no_name))?;
                self.push(parser_token(lexed, index)??)
            }
            Edit::Nothing => Some(()),
            Edit::Text => self.push(ParserToken::SingleQuotedString(lexed.name(index)?.into_owned())),
        }
    }
}

/// What goes to the parser for a range of tokens; `None` past a limit, or for a name that is none.
pub(super) fn convert(lexed: &Lexed<'_>, range: core::ops::Range<usize>) -> Option<Vec<TokenWithSpan>> {
    let tokens = Vec::with_capacity(range.len().min(TOKENS) + 1);
    let mut converted = Converted { tokens, chains: Chains::new() };
    let mut index = range.start;
    let mut in_values = false;
    let mut closing = None;
    let mut edits: Option<core::iter::Peekable<std::vec::IntoIter<(usize, Edit)>>> = None;
    while index < range.end {
        let token = lexed.tokens().get(index)?;
        if edits.is_none() && xml::may_begin(lexed, token) && lexed.options().dialect == Dialect::Postgres {
            edits = Some(xml::edits(lexed, index, range.end).into_iter().peekable());
        }
        if let Some(edits) = &mut edits {
            // What was left out or skipped meanwhile needs no edit.
            while edits.next_if(|(at, _)| *at < index).is_some() {}
            if let Some((_, edit)) = edits.next_if(|(at, _)| *at == index) {
                converted.edited(lexed, index, edit)?;
                index += 1;
                continue;
            }
        }
        match token.kind {
            Kind::Sign => {
                if in_values
                    && lexed.is_sign(token, ",")
                    && let Some(end) = literal_row(lexed, index + 1, range.end)
                    && converted.tokens.last().is_some_and(|last| last.token == ParserToken::RParen)
                {
                    index = end;
                    continue;
                }
                if closing.take_if(|at| *at == index).is_some() {
                    index += 1;
                    continue;
                }
            }
            Kind::Word if lexed.is_word(token, "values") => in_values = true,
            Kind::Word => in_values = in_values && is_literal_word(lexed, token),
            _ => {}
        }
        if matches!(token.kind, Kind::Sign | Kind::Word) {
            let silent = silent::length(lexed, index, range.end);
            if silent > 0 && index > range.start {
                index += silent;
                continue;
            }
        }
        if token.kind == Kind::Word {
            if is_only(lexed, index) {
                index += 1;
                // `ONLY (t)`: the parentheses go, too.
                if is_sign(lexed, index, "(") {
                    index += 1;
                    let behind = (index..range.end).find(|at| !is_named(lexed, *at) && !is_sign(lexed, *at, "."));
                    closing = behind.filter(|at| is_sign(lexed, *at, ")"));
                }
                continue;
            }
            if is_document(lexed, index) {
                for token in [word("distinct"), word("from"), ParserToken::SingleQuotedString(String::new())] {
                    converted.push(token)?;
                }
                index += 1;
                continue;
            }
            if is_spelled_out(lexed, index) {
                // Only the sign goes over: `OPERATOR`, `(`, `pg_catalog` and `.` before it, and `)` behind.
                converted.push(parser_token(lexed, index + 4)??)?;
                index += 6;
                continue;
            }
            if is_table_command(lexed, range.start, index) {
                for token in [word("select"), ParserToken::Mul, word("from")] {
                    converted.push(token)?;
                }
                index += 1;
                continue;
            }
        }
        if let Some(token) = parser_token(lexed, index)? {
            converted.push(token)?;
        }
        index += 1;
    }
    Some(converted.tokens)
}

/// A word without quotes, folded.
fn word(name: &str) -> ParserToken {
    keyed_word(name, key(name.as_bytes()))
}

/// The same, with the key of its token.
fn keyed_word(name: &str, key: u64) -> ParserToken {
    ParserToken::Word(Word { keyword: keyword::lookup(name, key), value: name.to_owned(), quote_style: None })
}

#[inline(always)]
fn is_word(lexed: &Lexed<'_>, index: usize, word: &str) -> bool {
    lexed.tokens().get(index).is_some_and(|token| lexed.is_word(token, word))
}

fn word_in(lexed: &Lexed<'_>, index: usize, words: &[&str]) -> bool {
    words.iter().any(|word| is_word(lexed, index, word))
}

fn is_named(lexed: &Lexed<'_>, index: usize) -> bool {
    lexed.tokens().get(index).is_some_and(|token| matches!(token.kind, Kind::Word | Kind::Quoted | Kind::UnicodeQuoted))
}

fn is_sign(lexed: &Lexed<'_>, index: usize, sign: &str) -> bool {
    lexed.tokens().get(index).is_some_and(|token| lexed.is_sign(token, sign))
}

/// ONLY before a table or a table in parentheses; not that of `FETCH FIRST ROW ONLY`.
fn is_only(lexed: &Lexed<'_>, index: usize) -> bool {
    is_word(lexed, index, "only")
        && (is_sign(lexed, index + 1, "(") || is_named(lexed, index + 1))
        && !index.checked_sub(1).is_some_and(|before| word_in(lexed, before, &["row", "rows"]))
}

/// `OPERATOR(pg_catalog.=) ANY`, as pg_dump writes it: the parser reads it only without the quantifier.
fn is_spelled_out(lexed: &Lexed<'_>, index: usize) -> bool {
    is_word(lexed, index, "operator")
        && is_sign(lexed, index + 1, "(")
        && is_word(lexed, index + 2, "pg_catalog")
        && is_sign(lexed, index + 3, ".")
        && ["=", "<>", "<", "<=", ">", ">="].iter().any(|sign| is_sign(lexed, index + 4, sign))
        && is_sign(lexed, index + 5, ")")
        && word_in(lexed, index + 6, &["any", "all", "some"])
}

/// The last word of `x IS DOCUMENT` and `x IS NOT DOCUMENT`: they compare, which is all that is to be known.
fn is_document(lexed: &Lexed<'_>, index: usize) -> bool {
    if !is_word(lexed, index, "document") {
        return false;
    }
    let before = |count: usize, word: &str| index.checked_sub(count).is_some_and(|at| is_word(lexed, at, word));
    before(1, "is") || before(1, "not") && before(2, "is")
}

/// `TABLE t` where a query may stand.
fn is_table_command(lexed: &Lexed<'_>, start: usize, index: usize) -> bool {
    if !is_word(lexed, index, "table") || !is_named(lexed, index + 1) {
        return false;
    }
    let Some(before) = index.checked_sub(1).filter(|before| *before >= start) else { return true };
    let sign = |sign| lexed.tokens().get(before).is_some_and(|token| lexed.is_sign(token, sign));
    sign("(") || sign(")") || word_in(lexed, before, &["union", "except", "intersect", "all", "distinct"])
}

fn is_literal_word(lexed: &Lexed<'_>, token: &Token) -> bool {
    ["null", "true", "false", "default"].iter().any(|word| lexed.is_word(token, word))
}

/// The end of a parenthesized row of nothing but literals that starts at `start`.
fn literal_row(lexed: &Lexed<'_>, start: usize, end: usize) -> Option<usize> {
    let tokens = lexed.tokens().get(start..end)?;
    if !lexed.is_sign(tokens.first()?, "(") {
        return None;
    }
    for (offset, token) in tokens.iter().enumerate().skip(1) {
        match token.kind {
            Kind::Text | Kind::Escaped | Kind::Dollar | Kind::Bits | Kind::Number => {}
            Kind::Word if is_literal_word(lexed, token) => {}
            Kind::Sign if matches!(lexed.raw(token), b"," | b"-" | b"+") => {}
            Kind::Sign if lexed.raw(token) == b")" => return Some(start + offset + 1),
            _ => return None,
        }
    }
    None
}

/// One token of the parser; `Some(None)` for a token that means nothing to it.
fn parser_token(lexed: &Lexed<'_>, index: usize) -> Option<Option<ParserToken>> {
    let token = lexed.tokens().get(index)?;
    let converted = match token.kind {
        Kind::Word => keyed_word(&lexed.name(index)?, token.key),
        Kind::Quoted | Kind::UnicodeQuoted => ParserToken::Word(Word {
            keyword: Keyword::NoKeyword,
            value: lexed.name(index)?.into_owned(),
            quote_style: Some('"'),
        }),
        Kind::Text | Kind::UnicodeText => ParserToken::SingleQuotedString(lexed.string(index)?.into_owned()),
        Kind::Escaped => ParserToken::EscapedStringLiteral(lexed.string(index)?.into_owned()),
        Kind::Dollar => {
            ParserToken::DollarQuotedString(DollarQuotedString { value: lexed.string(index)?.into_owned(), tag: None })
        }
        Kind::Bits => ParserToken::HexStringLiteral(String::from_utf8_lossy(lexed.raw(token)).into_owned()),
        Kind::Number => ParserToken::Number(String::from_utf8_lossy(lexed.raw(token)).into_owned(), false),
        Kind::Parameter => ParserToken::Placeholder(String::from_utf8_lossy(lexed.raw(token)).into_owned()),
        Kind::Sign => sign(lexed.raw(token), matches!(lexed.options().dialect, Dialect::MySql(_))),
        Kind::Uescape => return Some(None),
    };
    Some(Some(converted))
}

fn sign(raw: &[u8], mysql: bool) -> ParserToken {
    match raw {
        b"&&" if mysql => word("and"),
        b"||" if mysql => word("or"),
        b"<=>" if mysql => ParserToken::Spaceship,
        b"!" if mysql => ParserToken::ExclamationMark,
        b"," => ParserToken::Comma,
        b"(" => ParserToken::LParen,
        b")" => ParserToken::RParen,
        b"[" => ParserToken::LBracket,
        b"]" => ParserToken::RBracket,
        b"." => ParserToken::Period,
        b";" => ParserToken::SemiColon,
        b":" => ParserToken::Colon,
        b"::" => ParserToken::DoubleColon,
        b":=" => ParserToken::Assignment,
        b"=" => ParserToken::Eq,
        b"<>" | b"!=" => ParserToken::Neq,
        b"<" => ParserToken::Lt,
        b">" => ParserToken::Gt,
        b"<=" => ParserToken::LtEq,
        b">=" => ParserToken::GtEq,
        b"+" => ParserToken::Plus,
        b"-" => ParserToken::Minus,
        b"*" => ParserToken::Mul,
        b"/" => ParserToken::Div,
        b"%" => ParserToken::Mod,
        b"||" => ParserToken::StringConcat,
        b"&" => ParserToken::Ampersand,
        b"|" => ParserToken::Pipe,
        b"^" => ParserToken::Caret,
        b"=>" => ParserToken::RArrow,
        b"#" => ParserToken::Sharp,
        b"~" => ParserToken::Tilde,
        b"~*" => ParserToken::TildeAsterisk,
        b"!~" => ParserToken::ExclamationMarkTilde,
        b"!~*" => ParserToken::ExclamationMarkTildeAsterisk,
        b"~~" => ParserToken::DoubleTilde,
        b"~~*" => ParserToken::DoubleTildeAsterisk,
        b"!~~" => ParserToken::ExclamationMarkDoubleTilde,
        b"!~~*" => ParserToken::ExclamationMarkDoubleTildeAsterisk,
        b"<<" => ParserToken::ShiftLeft,
        b">>" => ParserToken::ShiftRight,
        b"&&" => ParserToken::Overlap,
        b"@" => ParserToken::AtSign,
        b"^@" => ParserToken::CaretAt,
        b"|/" => ParserToken::PGSquareRoot,
        b"||/" => ParserToken::PGCubeRoot,
        b"->" => ParserToken::Arrow,
        b"->>" => ParserToken::LongArrow,
        b"#>" => ParserToken::HashArrow,
        b"#>>" => ParserToken::HashLongArrow,
        b"@>" => ParserToken::AtArrow,
        b"<@" => ParserToken::ArrowAt,
        b"#-" => ParserToken::HashMinus,
        b"@?" => ParserToken::AtQuestion,
        b"@@" => ParserToken::AtAt,
        b"?" => ParserToken::Question,
        b"?&" => ParserToken::QuestionAnd,
        b"?|" => ParserToken::QuestionPipe,
        other => ParserToken::CustomBinaryOperator(String::from_utf8_lossy(other).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::LexOptions;

    fn parsed(text: &str) -> Option<String> {
        let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
        parse(&lexed, 0..lexed.tokens().len()).map(|statement| statement.to_string())
    }

    #[test]
    fn names_arrive_folded_and_unescaped() {
        assert_eq!(
            parsed(r#"SELECT /* x */ A."B", U&"\0063" FROM T WHERE a ->> 'x' = E'\x41' AND b = $1"#).unwrap(),
            r#"SELECT a."B", "c" FROM t WHERE a ->> 'x' = E'A' AND b = $1"#
        );
    }

    #[test]
    fn rows_of_literals_go_over_once() {
        assert_eq!(
            parsed("INSERT INTO t (a) VALUES (1), (-2), ('x'), (f(1)), (3) RETURNING a").unwrap(),
            "INSERT INTO t (a) VALUES (1), (f(1)), (3) RETURNING a"
        );
    }

    #[test]
    fn table_and_only_go_over_as_what_they_mean() {
        for (text, expected) in [
            ("TABLE t", "SELECT * FROM t"),
            ("TABLE ONLY s.t", "SELECT * FROM s.t"),
            ("WITH x AS (TABLE t) TABLE x", "WITH x AS (SELECT * FROM t) SELECT * FROM x"),
            ("TABLE t UNION ALL TABLE u", "SELECT * FROM t UNION ALL SELECT * FROM u"),
            (
                "SELECT a FROM ONLY t FETCH FIRST ROW ONLY FOR UPDATE",
                "SELECT a FROM t FETCH FIRST ROWS ONLY FOR UPDATE",
            ),
            ("UPDATE ONLY t SET a = 1", "UPDATE t SET a = 1"),
            ("DELETE FROM ONLY (t) WHERE a", "DELETE FROM t WHERE a"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn words_that_say_nothing_are_left_out() {
        for (text, expected) in [
            ("SELECT f(a, VARIADIC b)", "SELECT f(a, b)"),
            ("SELECT a BETWEEN SYMMETRIC 2 AND 1", "SELECT a BETWEEN 2 AND 1"),
            (
                "SELECT a::text COLLATE pg_catalog.\"C\" FROM t ORDER BY b COLLATE \"C\"",
                "SELECT a::TEXT FROM t ORDER BY b",
            ),
            ("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1)", "INSERT INTO t VALUES (1)"),
            (
                "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM t",
                "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
            ),
            ("SELECT a FROM t WITH NO DATA", "SELECT a FROM t"),
            ("SELECT a FROM t WITH LOCAL CHECK OPTION", "SELECT a FROM t"),
            ("UPDATE t SET a[1] = 2, b[1:2][$1] = 3", "UPDATE t SET a = 2, b = 3"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
        }
        // Where a name could disappear, nothing is left out.
        assert_eq!(parsed("SELECT exclude ties FROM t").as_deref(), Some("SELECT exclude AS ties FROM t"));
        assert_eq!(parsed("UPDATE t SET a[(SELECT card FROM c)] = 2"), None);
        assert_eq!(parsed("SELECT a[1] = 2 FROM t").as_deref(), Some("SELECT a[1] = 2 FROM t"));
    }

    #[test]
    fn a_tail_that_the_parser_leaves_means_not_parsed() {
        assert_eq!(parsed("SELECT 1 )"), None);
        assert_eq!(parsed("SELECT 1; SELECT 2"), None);
    }

    #[test]
    fn long_chains_are_not_parsed_and_overflow_nothing() {
        let sum = |count: usize| format!("SELECT {}1", "1+".repeat(count));
        assert!(parsed(&sum(CHAIN - 10)).is_some());
        assert!(parsed(&sum(100_000)).is_none());
        assert!(parsed(&format!("SELECT 1{}", " UNION SELECT 1".repeat(100_000))).is_none());
        assert!(parsed(&format!("SELECT 1{}", " UNION SELECT 1".repeat(CHAIN - 10))).is_some());
        assert!(parsed(&format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000))).is_none());
        assert!(parsed(&format!("SELECT x{}", "::int".repeat(100_000))).is_none());
    }
}
