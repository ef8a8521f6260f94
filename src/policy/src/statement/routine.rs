//! What a function or procedure of the users does, by its definition as `pg_get_functiondef` writes it.
//!
//! SQL bodies are read statement by statement, PL/pgSQL by the words that may begin a statement there, bodies of
//! MySQL and MariaDB by all of their words. Code in another language, and statements built from strings, are unknown. It may assume that the server wrote the
//! definition; it must never take code that it does not read for code that does nothing.

use core::ops::Range;
use std::sync::Arc;

use super::behind::Mentions;
use super::carriers;
use super::kind::{Kind, KindSet};
use super::matching;
use super::mysql;
use super::tokens::Tokens;
use crate::sql::Dialect;
use crate::sql::lexer::{Kind as TokenKind, LexOptions, Lexed};
use crate::sql::mysql::MySql;

/// Why code that runs strings is not known.
pub(super) const BUILDS: &str = "it calls code that builds statements from strings";

/// What a routine does when it is called.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    /// The kinds of its statements.
    pub(crate) kinds: KindSet,
    /// Why not all of it can be seen.
    pub(crate) unknown: Option<&'static str>,
    /// Its body; empty where it cannot be read.
    pub(crate) text: Arc<str>,
    /// Names of the functions that it may call.
    pub(crate) calls: Box<[Box<str>]>,
    /// Whether the role or search path may be another one when it returns.
    pub(crate) changes_settings: bool,
    /// Whether the encoding of the client may be another one when it returns.
    pub(crate) changes_encoding: bool,
    /// What it mentions.
    pub(crate) mentions: Mentions,
    /// Columns of NEW that it assigns, as a trigger.
    pub(crate) assigns: Box<[Box<str>]>,
    /// Whether it gives another row than the one it got, as a trigger.
    pub(crate) assigns_row: bool,
}

impl Code {
    fn unknown(reason: &'static str) -> Self {
        let kinds = KindSet::of(Kind::UNKNOWN_CODE);
        Self {
            kinds,
            unknown: Some(reason),
            text: "".into(),
            calls: Box::default(),
            changes_settings: true,
            changes_encoding: true,
            mentions: Mentions::default(),
            assigns: Box::default(),
            assigns_row: false,
        }
    }
}

/// Reads a routine. `definition` is `None` where its language has none that could be read.
pub(crate) fn read(language: &str, definition: Option<&str>) -> Code {
    let Some(definition) = definition else { return Code::unknown("it calls code in a language that is not read") };
    if let Some(dialect) = mysql_dialect(language) {
        return mysql_body(definition, dialect);
    }
    if ["expression", "rule", "statement"].contains(&language) {
        return body(language, definition);
    }
    // The server writes definitions with plain strings as its own settings have them; bodies are dollar-quoted.
    let Ok(lexed) = Lexed::new(definition.as_bytes(), LexOptions::default()) else {
        return Code::unknown("it calls code that is not lexed");
    };
    let tokens = Tokens::new(&lexed);
    let end = lexed.tokens().len();
    let text: String = match end
        .checked_sub(1)
        .and_then(|last| lexed.string(last).filter(|_| tokens.kind(last) == Some(TokenKind::Dollar)))
    {
        Some(code) => code.into_owned(),
        None => match standard_body(tokens, end) {
            Some(body) => {
                String::from_utf8_lossy(definition.as_bytes().get(tokens.bytes(&body)).unwrap_or_default()).into_owned()
            }
            None => return Code::unknown("it calls code whose body is not found"),
        },
    };
    let mut code = body(language, &text);
    // What stands for an argument that is left out is computed at the call.
    if let Some(at) = (0..end).find(|at| tokens.is_word(*at, "default")) {
        let mut calls = Vec::new();
        matching::token_calls(tokens, at..end, &|_| true, &mut calls);
        let calls = calls.into_iter().map(|name| name.name);
        code.calls = code.calls.iter().cloned().chain(calls).collect();
        code.mentions.merge(Mentions::of(tokens, at..end));
    }
    code
}

/// The statements of `BEGIN ATOMIC … END`, or the expression behind RETURN, as PostgreSQL 14 introduced them.
fn standard_body(tokens: Tokens<'_, '_>, end: usize) -> Option<Range<usize>> {
    let atomic = (0..end).find(|at| tokens.is_word(*at, "begin") && tokens.is_word(at + 1, "atomic"));
    match atomic {
        Some(at) => end.checked_sub(1).filter(|last| tokens.is_word(*last, "end")).map(|last| at + 2..last),
        None => tokens.find_word(0..end, "return").map(|at| at + 1..end),
    }
}

fn body(language: &str, text: &str) -> Code {
    let Ok(lexed) = Lexed::new(text.as_bytes(), LexOptions::default()) else {
        return Code::unknown("it calls code that is not lexed");
    };
    let tokens = Tokens::new(&lexed);
    let all = 0..lexed.tokens().len();
    let (mut kinds, mut unknown) = (KindSet::EMPTY, None);
    match language {
        "sql" | "statement" => {
            for statement in tokens.statements() {
                let carried = carriers::open(tokens, statement);
                kinds = kinds.union(carried.kinds.without(KindSet::of(Kind::UNKNOWN)));
                unknown = unknown.or(carried.opaque);
            }
        }
        "plpgsql" => {
            kinds = carriers::block_kinds(tokens, all.clone());
            if builds_statements(tokens, all.clone()) {
                unknown = Some(BUILDS);
                // What it builds them from says something, though not all.
                kinds = kinds.union(carriers::code_keywords(text, lexed.options(), 4).0);
            }
        }
        // A default, check or call that the catalogue has: it can only read.
        "expression" => {}
        "rule" => {
            for action in rule_actions(tokens, all.clone()) {
                let carried = carriers::open(tokens, action);
                kinds = kinds.union(carried.kinds);
                unknown = unknown.or(carried.opaque);
            }
        }
        _ => return Code::unknown("it calls code in a language that is not read"),
    }
    if unknown.is_some() {
        kinds.insert(Kind::UNKNOWN_CODE);
    }
    let mut calls = Vec::new();
    // A name behind a point may be a call, too: `(x).f` is `f(x)`.
    matching::token_calls(tokens, all.clone(), &|_| true, &mut calls);
    let sets = [Kind::SET, Kind::RESET, Kind::SET_ROLE, Kind::DISCARD];
    let changes_settings = unknown.is_some()
        || sets.into_iter().any(|kind| kinds.meets(KindSet::of(kind)))
        || calls.iter().any(|name| &*name.name == "set_config");
    let calls = calls.into_iter().map(|name| name.name).collect();
    let names_encoding = |at: usize| {
        let value = lexed.string(at).or_else(|| lexed.name(at));
        value.is_some_and(|value| value.eq_ignore_ascii_case("client_encoding") || value.eq_ignore_ascii_case("names"))
    };
    let plain = |at: usize| !tokens.is_word(at, "set_config") || tokens.kind(at + 2) == Some(TokenKind::Text);
    let changes_encoding =
        unknown.is_some() || (changes_settings && (all.clone().any(names_encoding) || !all.clone().all(plain)));
    let mentions = Mentions::of(tokens, all.clone());
    let (assigns, assigns_row) = if language == "plpgsql" { assigned(tokens, all) } else { Default::default() };
    let (text, assigns) = (text.into(), assigns.into());
    Code { kinds, unknown, text, calls, changes_settings, changes_encoding, mentions, assigns, assigns_row }
}

/// The statements that `CREATE RULE … DO` runs, also where it is written with parentheses.
pub(super) fn rule_actions(tokens: Tokens<'_, '_>, range: Range<usize>) -> Vec<Range<usize>> {
    let Some(event) = tokens.find_word(range.clone(), "to") else { return Vec::new() };
    let Some(at) = tokens.find_word(event..range.end, "do") else { return Vec::new() };
    let mut at = at + 1;
    if tokens.is_word(at, "also") || tokens.is_word(at, "instead") {
        at += 1;
    }
    if tokens.is_word(at, "nothing") {
        return Vec::new();
    }
    let mut end = range.end;
    if tokens.is_sign(at, "(")
        && let Some(close) = tokens.closing(at, range.end)
        && (close + 1 >= range.end || tokens.is_sign(close + 1, ";"))
    {
        (at, end) = (at + 1, close);
    }
    let (mut found, mut start, mut depth) = (Vec::new(), at, 0_usize);
    for at in at..=end {
        if tokens.is_sign(at, "(") {
            depth += 1;
        } else if tokens.is_sign(at, ")") && at < end {
            depth = depth.saturating_sub(1);
        }
        if at == end || (depth == 0 && tokens.is_sign(at, ";")) {
            if start < at {
                found.push(start..at);
            }
            start = at + 1;
        }
    }
    found
}

/// What a trigger function makes of the row that it got: columns of NEW that it assigns, and whether it may
/// give another row.
fn assigned(tokens: Tokens<'_, '_>, range: Range<usize>) -> (Vec<Box<str>>, bool) {
    let (mut columns, mut row): (Vec<Box<str>>, bool) = (Vec::new(), false);
    let begins = |at: usize| {
        let before = at.checked_sub(1).filter(|before| *before >= range.start);
        before.is_none_or(|before| {
            tokens.is_sign(before, ";")
                || tokens.is_sign(before, ">>")
                || ["begin", "then", "else", "loop"].iter().any(|word| tokens.is_word(before, word))
        })
    };
    let mut assign = |at: usize| match tokens.lexed.name(at + 2).filter(|_| tokens.is_sign(at + 1, ".")) {
        Some(name) => columns.push(name.into()),
        None => row = true,
    };
    for at in range.clone() {
        let behind = if tokens.is_sign(at + 1, ".") { at + 3 } else { at + 1 };
        if tokens.is_word(at, "new")
            && begins(at)
            && [":=", "=", ".", "["].iter().any(|sign| tokens.is_sign(behind, sign))
        {
            assign(at);
        }
        if tokens.is_word(at, "into") {
            let mut target = if tokens.is_word(at + 1, "strict") { at + 2 } else { at + 1 };
            while tokens.is_name(target) {
                if tokens.is_word(target, "new") {
                    assign(target);
                }
                while tokens.is_sign(target + 1, ".") {
                    target += 2;
                }
                if !tokens.is_sign(target + 1, ",") {
                    break;
                }
                target += 2;
            }
        }
        // `RETURN x` where x is neither the row that came nor none.
        if tokens.is_word(at, "return") && begins(at) {
            let given = ["new", "old", "null"].iter().any(|word| tokens.is_word(at + 1, word));
            if !(tokens.is_sign(at + 1, ";") || (given && tokens.is_sign(at + 2, ";"))) {
                assign(at);
            }
        }
    }
    (columns, row)
}

/// MySQL's dialect by a language's name: every version comment counts as code, since some version may run it.
fn mysql_dialect(language: &str) -> Option<Dialect> {
    let mariadb = match language {
        "mariadb" => true,
        "mysql" => false,
        _ => return None,
    };
    let version = if mariadb { 999_999 } else { 99_999 };
    Some(Dialect::MySql(MySql { mariadb, version, ansi_quotes: false, no_backslash_escapes: false }))
}

/// A body of MySQL's or MariaDB's. It was made under some `sql_mode`, so quotes in it may mean either thing; its
/// words count wherever they stand, but for those of the language itself.
fn mysql_body(text: &str, dialect: Dialect) -> Code {
    let Ok(lexed) = Lexed::new(text.as_bytes(), LexOptions { dialect, ..LexOptions::default() }) else {
        return Code::unknown("it calls code that is not lexed");
    };
    let tokens = Tokens::new(&lexed);
    let all = 0..lexed.tokens().len();
    let own =
        [Kind::BEGIN, Kind::DO, Kind::SHOW].into_iter().fold(KindSet::EMPTY, |own, kind| own.union(KindSet::of(kind)));
    let mut kinds = carriers::keywords(tokens, all.clone()).without(own);
    let builds = all.clone().any(|at| tokens.is_word(at, "prepare") || tokens.is_word(at, "execute"));
    let mut unknown = builds.then_some(BUILDS);
    if builds {
        kinds = kinds.union(carriers::code_keywords(text, lexed.options(), 4).0);
    }
    // A routine's own `sql_mode` ends with it; what the session tells of later ones does not.
    if all.clone().any(|at| mysql::names_tracking(tokens, at)) {
        unknown = unknown.or(Some("it calls code that changes what the session tells of its settings"));
    }
    if unknown.is_some() {
        kinds.insert(Kind::UNKNOWN_CODE);
    }
    // What it puts into a variable of the session is there for later statements.
    let variable =
        |at: usize| tokens.lexed.name(at).is_some_and(|name| name.starts_with('@') && !name.starts_with("@@"));
    if all.clone().any(variable) {
        kinds.insert(Kind::CREATE_TABLE_AS);
    }
    let mut calls = Vec::new();
    matching::token_calls(tokens, all, &|_| true, &mut calls);
    let calls = calls.into_iter().map(|name| name.name).collect();
    Code {
        mentions: Mentions::of(tokens, 0..lexed.tokens().len()),
        changes_encoding: false,
        assigns: Box::default(),
        assigns_row: false,
        kinds,
        unknown,
        text: text.into(),
        calls,
        changes_settings: false,
    }
}

/// Whether PL/pgSQL code runs statements that it builds: `EXECUTE`, but not `GRANT EXECUTE` or a trigger's.
fn builds_statements(tokens: Tokens<'_, '_>, mut range: Range<usize>) -> bool {
    range.any(|at| {
        let trigger = tokens.is_word(at + 1, "function") || tokens.is_word(at + 1, "procedure");
        let privilege = at > 0 && ["grant", "revoke", ","].iter().any(|word| tokens.is_word(at - 1, word));
        tokens.is_word(at, "execute") && !trigger && !privilege
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(language: &str, body: &str) -> Code {
        let definition = format!(
            "CREATE OR REPLACE FUNCTION public.f(a integer DEFAULT 1)\n RETURNS void\n LANGUAGE {language}\n{body}\n"
        );
        read(language, Some(&definition))
    }

    #[test]
    fn bodies_of_mysql_are_told_by_all_their_words() {
        for (body, kinds) in [
            ("RETURN n * 2", ""),
            // TABLE may begin a query.
            ("DROP TABLE carts", "drop table, select"),
            ("BEGIN DECLARE x int; DELETE FROM carts; RETURN 1; END", "delete"),
            ("BEGIN DECLARE x int; TRUNCATE carts; END", "truncate"),
            ("/*!50000 DROP TABLE t */", "drop table, select"),
        ] {
            let code = read("mariadb", Some(body));
            assert_eq!((code.kinds.to_string().as_str(), code.unknown), (kinds, None), "{body}");
        }
        let code = read("mysql", Some("BEGIN SET @q = 'DROP TABLE t'; PREPARE s FROM @q; EXECUTE s; END"));
        assert!(code.unknown.is_some() && code.kinds.meets(KindSet::of(Kind::DROP_TABLE)));
        assert!(read("mysql", Some("SET @a = 1")).kinds.meets(KindSet::of(Kind::CREATE_TABLE_AS)));
        assert!(read("mysql", None).unknown.is_some());
        assert!(read("mariadb", Some("SET session_track_system_variables = ''")).unknown.is_some());
    }

    #[test]
    fn statements_of_a_body_are_told_by_their_words() {
        for (language, body, kinds) in [
            ("sql", "AS $function$SELECT 1$function$", "select"),
            ("sql", "AS $function$ DELETE FROM t; SELECT 2 $function$", "delete, select"),
            ("sql", "BEGIN ATOMIC\n INSERT INTO t VALUES (1);\n SELECT 1;\nEND", "insert, select"),
            ("sql", "RETURN (a + 1)", ""),
            ("plpgsql", "AS $function$BEGIN PERFORM 1; DROP TABLE t; END$function$", "drop table"),
            (
                "plpgsql",
                "AS $function$BEGIN FOR r IN SELECT 1 LOOP UPDATE t SET a = 1; END LOOP; END$function$",
                "select, update",
            ),
            (
                "plpgsql",
                "AS $function$BEGIN IF x THEN TRUNCATE t; ELSE CALL p(); END IF; END$function$",
                "call, truncate",
            ),
            ("plpgsql", "AS $function$BEGIN RETURN QUERY SELECT 1; END$function$", "select"),
            ("plpgsql", "AS $function$BEGIN RAISE NOTICE 'drop table t'; END$function$", ""),
            ("plpgsql", "AS $function$DECLARE comment text; load int; BEGIN comment := 'x'; END$function$", ""),
        ] {
            let code = function(language, body);
            assert_eq!((code.kinds.to_string().as_str(), code.unknown), (kinds, None), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_unknown() {
        for (language, body) in [
            ("plpgsql", "AS $function$BEGIN EXECUTE 'dr' || 'op table t'; END$function$"),
            ("plpgsql", "AS $function$BEGIN FOR r IN EXECUTE x LOOP END LOOP; END$function$"),
            ("plpython3u", "AS $function$plpy.execute('x')$function$"),
            ("plpgsql", ""),
            ("plpgsql", "AS $function$BEGIN ' END$function$"),
        ] {
            let code = function(language, body);
            assert!(code.unknown.is_some() && code.kinds.meets(KindSet::of(Kind::UNKNOWN_CODE)), "{body}");
        }
        assert!(read("c", None).unknown.is_some());
        let grants = function("plpgsql", "AS $function$BEGIN GRANT EXECUTE ON FUNCTION f TO x; END$function$");
        assert_eq!(grants.unknown, None);
    }

    #[test]
    fn calls_and_settings_are_found() {
        let code = function("sql", "AS $function$SELECT g(1), public.h(x), (r).i$function$");
        for name in ["g", "h", "i"] {
            assert!(code.calls.iter().any(|call| **call == *name), "{name}");
        }
        assert!(!code.changes_settings);
        let sets = function("plpgsql", "AS $function$BEGIN SET search_path = x; END$function$");
        assert!(sets.changes_settings);
        assert!(function("sql", "AS $function$SELECT set_config('a', 'b', true)$function$").changes_settings);
    }
}
