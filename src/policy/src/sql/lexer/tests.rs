//! What the lexer makes of texts.

use super::*;

fn shapes(text: &str) -> Vec<(Kind, String)> {
    let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
    let tokens = lexed.tokens().iter();
    tokens.map(|token| (token.kind, String::from_utf8_lossy(lexed.raw(token)).into_owned())).collect()
}

fn raws(text: &str) -> Vec<String> {
    shapes(text).into_iter().map(|(_, raw)| raw).collect()
}

#[test]
fn comments_and_space_leave_nothing() {
    assert_eq!(raws("a/* x /* y */ ; */b--c;\nd--e\rf\tg\x0bh"), ["a", "b", "d", "f", "g", "h"]);
    assert_eq!(raws("drop/**/table"), ["drop", "table"]);
}

#[test]
fn operators_end_where_the_manual_says() {
    assert_eq!(raws("a*-1"), ["a", "*", "-", "1"]);
    assert_eq!(raws("a@-1"), ["a", "@-", "1"]);
    assert_eq!(raws("a+--x\n1"), ["a", "+", "1"]);
    assert_eq!(raws("a<=/*x*/b"), ["a", "<=", "b"]);
    assert_eq!(raws("a::b:=c..d=>e"), ["a", "::", "b", ":=", "c", "..", "d", "=>", "e"]);
}

#[test]
fn strings_hide_what_is_in_them() {
    assert_eq!(raws("';''--' x"), ["';''--'", "x"]);
    assert_eq!(raws(r"E'\';' x"), [r"E'\';'", "x"]);
    assert_eq!(raws(r"'\' ; x"), [r"'\'", ";", "x"]);
    assert_eq!(raws("$a$ $$ ; $a$ x $$;$$"), ["$a$ $$ ; $a$", "x", "$$;$$"]);
    assert_eq!(raws("'a' -- c\n 'b' 'c'"), ["'a' -- c\n 'b'", "'c'"]);
    assert_eq!(raws("a$b$c $1x"), ["a$b$c", "$1", "x"]);
}

#[test]
fn backslashes_escape_when_the_server_says_so() {
    let options = LexOptions { standard_conforming_strings: false, ..LexOptions::default() };
    let lexed = Lexed::new(br"'\'; drop' x", options).unwrap();
    assert_eq!(lexed.tokens().len(), 2);
    assert_eq!(lexed.string(0).unwrap(), "'; drop");
}

#[test]
fn names_fold_unescape_and_are_cut() {
    let text = format!(r#"DroP "DroP" U&"d\0072op" U&"d!0072op" UESCAPE '!' "a""b" {}"#, "X".repeat(70));
    let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
    let names: Vec<_> = (0..lexed.tokens().len()).filter_map(|index| lexed.name(index)).collect();
    assert_eq!(names, ["drop", "DroP", "drop", "drop", "a\"b", &"x".repeat(63)]);
}

#[test]
fn values_of_strings_are_decoded() {
    let text = r"'it''s' E'a\n\x41\u0042\103' U&'d\0061' $x$a'b$x$ N'n' 'a'
        'b'";
    let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
    let values: Vec<_> = (0..lexed.tokens().len()).filter_map(|index| lexed.string(index)).collect();
    assert_eq!(values, ["it's", "a\nABC", "da", "a'b", "n", "ab"]);
}

#[test]
fn what_postgresql_would_not_lex_is_an_error() {
    for text in ["'a", "\"a", "/* /* */", "$a$ x", "$", "\"\"", "a\0b", "'\0'", r"U&'\zz'", "\\", "{"] {
        assert!(Lexed::new(text.as_bytes(), LexOptions::default()).is_err(), "{text:?}");
    }
}

#[test]
fn numbers_stand_apart() {
    assert_eq!(
        raws("1.5e-3 0xFF 1_000 .5 1..2 1e 1.a"),
        ["1.5e-3", "0xFF", "1_000", ".5", "1", "..", "2", "1", "e", "1.", "a"]
    );
}
