//! Words of PostgreSQL's grammar that the parser does not know and that say nothing to a policy.
//!
//! They are left out of what goes to the parser, so that the rest is read by its tree. Each is told by its
//! neighbours, and none of them names a relation, a column or a function: whoever adds one must see to that, or
//! a name disappears from sight.

use super::lexer::{Kind, Lexed};

/// How many tokens from `index` on are to be left out; usually none. `end` is that of the statement.
pub(super) fn length(lexed: &Lexed<'_>, index: usize, end: usize) -> usize {
    // Asked of every token: what follows is for few.
    let Some(first) = lexed.tokens().get(index) else { return 0 };
    let is = |word: &str| lexed.is_word(first, word);
    let begins = match first.kind {
        Kind::Sign => lexed.is_sign(first, "["),
        Kind::Word => {
            is("with")
                || is("collate")
                || is("exclude")
                || is("lateral")
                || is("variadic")
                || is("symmetric")
                || is("asymmetric")
                || is("overriding")
        }
        _ => false,
    };
    if !begins {
        return 0;
    }
    let word = |at: usize, words: &[&str]| {
        at < end && lexed.tokens().get(at).is_some_and(|token| words.iter().any(|word| lexed.is_word(token, word)))
    };
    let sign =
        |at: usize, sign: &str| at < end && lexed.tokens().get(at).is_some_and(|token| lexed.is_sign(token, sign));
    let name = |at: usize| {
        let kind = lexed.tokens().get(at).map(|token| token.kind);
        at < end && matches!(kind, Some(Kind::Word | Kind::Quoted | Kind::UnicodeQuoted))
    };
    let Some(before) = index.checked_sub(1) else { return 0 };
    // A call with its last argument spread: `f(VARIADIC a)`.
    if word(index, &["variadic"]) && (sign(before, "(") || sign(before, ",")) {
        return 1;
    }
    // XMLTABLE may look at what stands before it in any case, as every function may.
    if word(index, &["lateral"]) && word(index + 1, &["xmltable"]) && sign(index + 2, "(") {
        return 1;
    }
    if word(index, &["symmetric", "asymmetric"]) && word(before, &["between"]) {
        return 1;
    }
    if word(index, &["collate"]) && name(index + 1) {
        return if sign(index + 2, ".") && name(index + 3) { 4 } else { 2 };
    }
    if word(index, &["overriding"]) && word(index + 1, &["system", "user"]) && word(index + 2, &["value"]) {
        return 3;
    }
    // What a window frame leaves out of itself.
    if word(index, &["exclude"]) && word(before, &["row", "preceding", "following"]) {
        if word(index + 1, &["ties", "group"]) && sign(index + 2, ")") {
            return 2;
        }
        let two = (word(index + 1, &["current"]) && word(index + 2, &["row"]))
            || (word(index + 1, &["no"]) && word(index + 2, &["others"]));
        return if two && sign(index + 3, ")") { 3 } else { 0 };
    }
    // The ends of CREATE TABLE AS and of CREATE VIEW.
    if word(index, &["with"]) {
        let rest = end - index;
        let data = rest == 2 && word(index + 1, &["data"])
            || rest == 3 && word(index + 1, &["no"]) && word(index + 2, &["data"]);
        let checked = usize::from(word(index + 1, &["local", "cascaded"]));
        let check =
            rest == 3 + checked && word(index + 1 + checked, &["check"]) && word(index + 2 + checked, &["option"]);
        return if data || check { rest } else { 0 };
    }
    if sign(index, "[") && name(before) { subscript(lexed, index, end) } else { 0 }
}

/// The subscripts of a column that is set, `SET a[1] = …` or `(a[1], b)`: only such as hold nothing but numbers,
/// because an expression might name something.
fn subscript(lexed: &Lexed<'_>, index: usize, end: usize) -> usize {
    let mut at = index;
    while let Some(token) = lexed.tokens().get(at).filter(|_| at < end) {
        let plain = matches!(token.kind, Kind::Number | Kind::Parameter)
            || ["[", "]", ":", "-"].into_iter().any(|sign| lexed.is_sign(token, sign));
        if !plain {
            let target = lexed.is_sign(token, "=") && follows_set(lexed, index);
            return if target { at - index } else { 0 };
        }
        at += 1;
    }
    0
}

/// Whether the name before `index` stands where a column is set: behind SET, or behind a comma after that.
fn follows_set(lexed: &Lexed<'_>, index: usize) -> bool {
    let mut depth = 0_usize;
    for at in (0..index.saturating_sub(1)).rev() {
        let Some(token) = lexed.tokens().get(at) else { return false };
        if lexed.is_sign(token, ")") {
            depth += 1;
        } else if lexed.is_sign(token, "(") {
            match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return false,
            }
        } else if depth == 0 && token.kind == Kind::Word {
            if lexed.is_word(token, "set") {
                return true;
            }
            if ["where", "from", "select", "returning", "on"].into_iter().any(|word| lexed.is_word(token, word)) {
                return false;
            }
        }
    }
    false
}
