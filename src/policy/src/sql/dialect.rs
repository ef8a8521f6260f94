//! The parser's dialect of PostgreSQL, with a short way through the commonest beginnings of an expression.
//!
//! Before every operand the parser tries to read a type (`DATE '2020-05-20'` is one with its literal), and where it
//! finds none it writes an error with the place and the token, which nobody reads, and begins again: a quarter of
//! its work on an ordinary query. [`Postgres`] answers for it where the next tokens cannot be a type: numbers,
//! strings, parameters, and names that are neither types nor keywords with a meaning of their own. Everything else,
//! and everything in doubt, is left to the parser. Both give the same tree: the tests compare the two, for every
//! keyword that the parser has.

use core::any::TypeId;

use sqlparser::ast::{Expr, Ident, ObjectName};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// PostgreSQL's dialect.
#[derive(Debug)]
pub(super) struct Postgres;

/// Most tokens that are looked at to tell whether a type may stand there; past it the parser looks itself.
const AHEAD: usize = 32;

/// What follows a name.
enum Next {
    /// An opening parenthesis: it is a function's.
    Arguments,
    /// Nothing that makes it more than a name.
    Other,
    /// What makes it a type, perhaps.
    Unclear,
}

/// Whether a word names a column, table or function wherever an expression begins. Common names that the parser
/// lists among its keywords, of this or another dialect, are in it; those that mean something there are not.
fn is_name(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::NoKeyword
            | Keyword::ABS
            | Keyword::ACCOUNT
            | Keyword::ACTION
            | Keyword::AVG
            | Keyword::CATEGORY
            | Keyword::COALESCE
            | Keyword::COMMENT
            | Keyword::COUNT
            | Keyword::DATA
            | Keyword::DAY
            | Keyword::HASH
            | Keyword::ID
            | Keyword::KEY
            | Keyword::LEVEL
            | Keyword::LOCATION
            | Keyword::LOWER
            | Keyword::MAX
            | Keyword::MESSAGE
            | Keyword::MIN
            | Keyword::NAME
            | Keyword::NUMBER
            | Keyword::OWNER
            | Keyword::PASSWORD
            | Keyword::RANK
            | Keyword::ROLE
            | Keyword::ROW_NUMBER
            | Keyword::SEQUENCE
            | Keyword::SOURCE
            | Keyword::STATUS
            | Keyword::SUM
            | Keyword::TAG
            | Keyword::TARGET
            | Keyword::TYPE
            | Keyword::UPPER
            | Keyword::URL
            | Keyword::VALUE
            | Keyword::VERSION
            | Keyword::YEAR
    )
}

fn token<'p>(parser: &'p Parser<'_>, ahead: usize) -> &'p Token {
    &parser.peek_nth_token_ref(ahead).token
}

/// What follows the word that the parser has before it. The parser takes `a`, `a.b` and `a.b(c, 1)` for types, and
/// keeps one only behind brackets or ARRAY: its values are no types without them.
fn next(parser: &Parser<'_>) -> Next {
    let mut at = 1;
    let is_call = match token(parser, at) {
        // `a (+)` is Oracle's outer join.
        Token::LParen if *token(parser, at + 1) == Token::Plus => return Next::Unclear,
        // An introducer's string, or one that something is called by.
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::HexStringLiteral(_) => {
            return Next::Unclear;
        }
        token => *token == Token::LParen,
    };
    while *token(parser, at) == Token::Period {
        match token(parser, at + 1) {
            Token::Word(_) => at += 2,
            Token::Mul => return Next::Other,
            _ => return Next::Unclear,
        }
        if at > AHEAD {
            return Next::Unclear;
        }
    }
    if *token(parser, at) == Token::LParen {
        at += 1;
        while let Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) | Token::Comma = token(parser, at) {
            at += 1;
            if at > AHEAD {
                return Next::Unclear;
            }
        }
        if *token(parser, at) == Token::RParen {
            at += 1;
        }
    }
    match token(parser, at) {
        Token::LBracket => Next::Unclear,
        Token::Word(word) if word.keyword == Keyword::ARRAY => Next::Unclear,
        _ if is_call => Next::Arguments,
        _ => Next::Other,
    }
}

/// The second part of `a.b`, where that is all of the name. The parser would read `a`, find the point, gather what
/// is behind it as accesses to a value, and make a name of them in the end.
fn member(parser: &Parser<'_>) -> Option<Ident> {
    if *token(parser, 1) != Token::Period {
        return None;
    }
    let part = parser.peek_nth_token_ref(2);
    let Token::Word(word) = &part.token else { return None };
    let ends = match token(parser, 3) {
        Token::Period | Token::LParen | Token::LBracket => false,
        Token::Word(word) => word.keyword != Keyword::ARRAY,
        _ => true,
    };
    // The parser takes one part alone for the value of INTERVAL.
    let is_interval =
        matches!(&parser.get_current_token().token, Token::Word(word) if word.keyword == Keyword::INTERVAL);
    (ends && !is_interval).then(|| word.to_ident(part.span))
}

impl Postgres {
    fn prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let first = parser.peek_token_ref();
        let name = match &first.token {
            Token::Number(..) | Token::Placeholder(_) | Token::SingleQuotedString(_) => {
                return Some(parser.parse_value().map(Expr::Value));
            }
            // `xml '…'` is read although XML is no type to the parser.
            Token::Word(word) if is_name(word.keyword) && word.value != "xml" => word,
            _ => return None,
        };
        if let Some(member) = member(parser) {
            let parts = vec![name.to_ident(first.span), member];
            for _ in 0..3 {
                parser.advance_token();
            }
            return Some(Ok(Expr::CompoundIdentifier(parts)));
        }
        match next(parser) {
            Next::Unclear => None,
            Next::Other => {
                let name = name.to_ident(first.span);
                parser.advance_token();
                Some(Ok(Expr::Identifier(name)))
            }
            Next::Arguments => {
                let name = name.to_ident(first.span);
                parser.advance_token();
                Some(parser.parse_function(ObjectName::from(vec![name])))
            }
        }
    }
}

/// The parser's own dialect.
const OWN: PostgreSqlDialect = PostgreSqlDialect {};

/// Answers as the parser's own dialect does.
macro_rules! as_own {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { OWN.$name() })* };
}

impl Dialect for Postgres {
    /// To the parser this is PostgreSQL's.
    fn dialect(&self) -> TypeId {
        OWN.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        Self::prefix(parser)
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        OWN.get_next_precedence(parser)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        OWN.identifier_quote_style(identifier)
    }

    fn is_custom_operator_part(&self, character: char) -> bool {
        OWN.is_custom_operator_part(character)
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        OWN.is_delimited_identifier_start(character)
    }

    fn is_identifier_part(&self, character: char) -> bool {
        OWN.is_identifier_part(character)
    }

    fn is_identifier_start(&self, character: char) -> bool {
        OWN.is_identifier_start(character)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        OWN.is_reserved_for_identifier(keyword)
    }

    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        OWN.is_table_alias(keyword, parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        OWN.prec_value(precedence)
    }

    as_own! {
        allow_extract_custom
        allow_extract_single_quotes
        supports_aliased_function_args
        supports_alter_column_type_using
        supports_alter_user_as_alter_role
        supports_array_typedef_with_brackets
        supports_bitwise_shift_operators
        supports_comma_separated_trim
        supports_comment_on
        supports_comment_optimizer_hint
        supports_create_index_with_clause
        supports_create_table_like_parenthesized
        supports_empty_projections
        supports_exclude_constraint
        supports_explain_with_utility_options
        supports_factorial_operator
        supports_filter_during_aggregation
        supports_geometric_types
        supports_group_by_expr
        supports_insert_table_alias
        supports_interval_options
        supports_left_associative_joins_without_parens
        supports_listen_notify
        supports_load_extension
        supports_named_fn_args_with_colon_operator
        supports_named_fn_args_with_expr_name
        supports_nested_comments
        supports_notnull_operator
        supports_numeric_literal_underscores
        supports_order_by_using_operator
        supports_select_wildcard_with_alias
        supports_set_names
        supports_string_escape_constant
        supports_unicode_string_literal
        supports_xml_expressions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::keywords::ALL_KEYWORDS;
    use sqlparser::tokenizer::Tokenizer;

    /// What both dialects make of a text, where they agree.
    fn both(sql: &str) -> Option<String> {
        let tokens = Tokenizer::new(&OWN, sql).tokenize().ok()?;
        let tree = |dialect: &dyn Dialect| Parser::new(dialect).with_tokens(tokens.clone()).parse_statements().ok();
        let (own, short) = (tree(&OWN), tree(&Postgres));
        assert_eq!(own, short, "{sql}");
        own.map(|statements| statements.into_iter().map(|statement| statement.to_string()).collect())
    }

    /// Where an expression begins, with a word in place of `?`.
    const PLACES: [&str; 40] = [
        "SELECT ? FROM t",
        "SELECT ?, b FROM t",
        "SELECT ?.a, b.? FROM t",
        "SELECT ?.? FROM t",
        "SELECT ?.a.b FROM t",
        "SELECT ?.* FROM t",
        "SELECT ?[1] FROM t",
        "SELECT ?.a[1][2] FROM t",
        "SELECT ?[] '1' FROM t",
        "SELECT ? ARRAY '1'",
        "SELECT ? array[1] '1'",
        "SELECT ?.a[3] 'x'",
        "SELECT ?(a)[3] 'x'",
        "SELECT ? 'x'",
        "SELECT ? 1",
        "SELECT ? x",
        "SELECT ? AS x",
        "SELECT ?()",
        "SELECT ?(*)",
        "SELECT ?(1, 'a', b)",
        "SELECT ?(a.b, c + 1) OVER (PARTITION BY ? ORDER BY ? DESC)",
        "SELECT ?(DISTINCT a) FILTER (WHERE ? > 1)",
        "SELECT ?(a => 1, b := 2)",
        "SELECT ?('a' : 1)",
        "SELECT ?(+) FROM t",
        "SELECT ?.b 'x', a.? 'x', ?.b ARRAY '1', a.? ARRAY '1', a.?[1] FROM t",
        "SELECT interval ?.b, interval ? day, interval a.? FROM t",
        "SELECT ?.b(1), a.?(1), ?.b.*, a.?.*, ?.b.c(2) FROM t",
        "SELECT a.? AS x, ?.b x, -?.b, a.? + b.?, f(?.b, a.?), (?.b).c FROM t",
        "SELECT ?.b::text, a.? IS NULL, a.? COLLATE \"C\", a.? AT TIME ZONE 'x', ?.b BETWEEN a.? AND ?.b FROM t",
        "SELECT ?.$1, a.'x', ?.\"Q\", ?.1 FROM t",
        "SELECT s.?(1), ?.f(2) FROM t",
        "SELECT 1 + ? * -? FROM t",
        "SELECT NOT ? FROM t WHERE ? IS NULL AND ? BETWEEN ? AND ? OR ? IN (?, 1) OR ? LIKE 'a'",
        "SELECT ?::text, CAST(? AS int) FROM t",
        "SELECT CASE ? WHEN ? THEN ? ELSE ? END FROM t",
        "SELECT a FROM t JOIN u ON ? = u.? WHERE (?, b) = (1, ?) GROUP BY ? HAVING ? > 1 ORDER BY ? LIMIT ?",
        "SELECT ? -> 'a' ->> ? FROM t WHERE ? @> '{}'",
        "UPDATE t SET a = ? WHERE ? = $1 RETURNING ?",
        "INSERT INTO t (a) VALUES (?), (DEFAULT), (?(1))",
    ];

    #[test]
    fn both_dialects_read_every_keyword_alike_wherever_an_expression_begins() {
        let words = ["plain", "\"Quoted\"", "xml", "\"xml\"", "_utf8", "1", "'text'", "$1", "1.5", "(1)", "*", "-"];
        let mut read = 0;
        for word in ALL_KEYWORDS.iter().copied().chain(words) {
            read += PLACES.iter().filter(|place| both(&place.replace('?', word)).is_some()).count();
        }
        assert!(read > 15 * ALL_KEYWORDS.len(), "{read} texts are read, too few to compare");
    }

    #[test]
    fn both_dialects_read_a_statement_alike_wherever_it_ends() {
        for sql in [
            "SELECT c.name, upper(c.card), sum(o.total) FILTER (WHERE o.id > 1) AS total FROM customers c JOIN orders o \
             ON o.customer_id = c.id WHERE c.id BETWEEN $1 AND 2 GROUP BY c.name HAVING count(*) > 1 ORDER BY 3 LIMIT 10",
            "SELECT f(a, 'b', 1)[2], x.y(1)[3], a ARRAY[1] '2', date '2020-05-20', interval '1' day, xml '<a/>' FROM t",
            "INSERT INTO t (a, b) SELECT (x).y, row(1, a.b) FROM u ON CONFLICT (a) DO UPDATE SET b = excluded.b",
        ] {
            let words: Vec<&str> = sql.split_inclusive([' ', ',', '(', ')', '.', '[', ']']).collect();
            for end in 0..=words.len() {
                both(&words[..end].concat());
            }
        }
    }
}
