//! What a statement does, by its keywords alone.
//!
//! PostgreSQL's grammar names every command by its first words, so kinds come from our own tokens and do
//! not hang on a parser. A statement that carries another one (`EXPLAIN ANALYZE`, `PREPARE`, `COPY (…)`,
//! `DECLARE`, `CREATE TABLE AS`) is opened here, and code in strings (`DO`, `CREATE FUNCTION`) is scanned for
//! keywords wherever they stand. Where this file errs, it must err by naming too many kinds.

use core::ops::Range;
use std::sync::Arc;

use super::copy::{self, Copy};
use super::kind::{self, Kind, KindSet};
use super::mysql;
use super::tokens::Tokens;
use crate::sql::Dialect;
use crate::sql::lexer::{Kind as TokenKind, LexOptions, Lexed};

/// What one statement does, as far as keywords tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    /// Its kinds, with those of what it carries and runs.
    pub(super) kinds: KindSet,
    /// The kind of its first word.
    pub(super) leading: Option<Kind>,
    /// The tokens of the query or data change in it, for the parser.
    pub(super) query: Option<Range<usize>>,
    /// What a COPY copies.
    pub(super) copy: Option<Copy>,
    /// Why not everything that it may run can be seen.
    pub(super) opaque: Option<&'static str>,
    /// Code in strings of it: text of DO blocks and function bodies.
    pub(super) bodies: Vec<Arc<str>>,
    /// Whether it shows what comes from other places than the relations that it names.
    pub(super) side_door: bool,
    /// Whether it shows a plan in which stored values may stand.
    pub(super) plan_shows_values: bool,
    /// Whether it assigns to variables on the way (`@v := …`).
    pub(super) assigns: bool,
    /// Whether it names relations only to define something that other statements run later.
    pub(super) defines: bool,
    /// Whether it sets how later texts are read to what its own text does not say, or what the session tells of that.
    pub(super) unsettles: bool,
}

/// Most levels of statements in statements; PostgreSQL's own grammar allows three.
const LEVELS: usize = 8;

/// Opens one statement, given as a range of tokens.
pub(super) fn open(tokens: Tokens<'_, '_>, range: Range<usize>) -> Carried {
    let mut carried = Carried::default();
    command(tokens, range, LEVELS, &mut carried);
    carried
}

fn command(tokens: Tokens<'_, '_>, range: Range<usize>, levels: usize, carried: &mut Carried) {
    let start = range.start;
    let Some((kind, behind)) = leading(tokens, range.clone()) else {
        carried.kinds.insert(Kind::UNKNOWN);
        carried.leading.get_or_insert(Kind::UNKNOWN);
        return;
    };
    carried.leading.get_or_insert(kind);
    if levels == 0 {
        carried.opaque = Some("statements nest too deep");
        return;
    }
    let end = range.end;
    let is_query = [Kind::SELECT, Kind::INSERT, Kind::UPDATE, Kind::DELETE, Kind::MERGE].contains(&kind);
    let is_mysql = matches!(tokens.lexed.options().dialect, Dialect::MySql(_));
    if is_query {
        carried.kinds = carried.kinds.union(query_kinds(tokens, range.clone(), kind));
        if is_mysql {
            mysql::refine(tokens, range.clone(), kind, carried);
        }
        carried.query = Some(range);
        return;
    }
    if kind != Kind::EXPLAIN && kind != Kind::COPY_TO {
        carried.kinds.insert(kind);
    }
    match kind {
        Kind::EXPLAIN => explain(tokens, behind..end, levels, carried),
        Kind::PREPARE | Kind::DECLARE | Kind::CREATE_TABLE | Kind::CREATE_VIEW => {
            let opener = if kind == Kind::DECLARE { "for" } else { "as" };
            let inner = tokens.find_word(behind..end, opener).map(|at| at + 1..end);
            match inner {
                Some(inner) => {
                    if kind == Kind::CREATE_TABLE {
                        carried.kinds.insert(Kind::CREATE_TABLE_AS);
                    }
                    carried.defines = kind == Kind::CREATE_VIEW;
                    command(tokens, inner, levels - 1, carried);
                }
                None if kind == Kind::CREATE_TABLE => {}
                None => carried.opaque = Some("the carried statement is not found"),
            }
        }
        Kind::COPY_TO => {
            let (found, inner) = copy::read(tokens, behind..end);
            let direction = if found.to_server { Kind::COPY_FROM } else { Kind::COPY_TO };
            carried.kinds.insert(direction);
            carried.leading = Some(direction);
            carried.copy = Some(found);
            if let Some(inner) = inner {
                command(tokens, inner, levels - 1, carried);
            }
        }
        Kind::DO => body(tokens, behind..end, carried),
        Kind::CREATE_FUNCTION => {
            carried.defines = true;
            // An aggregate names functions; it holds no code, whatever its strings look like.
            if !tokens.is_word(behind - 1, "aggregate") {
                body(tokens, behind..end, carried);
            }
        }
        Kind::CREATE_RULE | Kind::CREATE_SCHEMA => {
            carried.defines = true;
            carried.kinds = carried.kinds.union(keywords(tokens, start..end));
        }
        Kind::VACUUM if tokens.find_word_any(behind..end, "analyze").is_some() => carried.kinds.insert(Kind::ANALYZE),
        _ => {}
    }
    if is_mysql {
        mysql::refine(tokens, start..end, kind, carried);
    }
}

/// `EXPLAIN [(options)] [ANALYZE] [VERBOSE] statement`. ANALYZE that is written counts, whatever its value.
fn explain(tokens: Tokens<'_, '_>, range: Range<usize>, levels: usize, carried: &mut Carried) {
    let mut at = range.start;
    // MariaDB's `ANALYZE statement` has no other word for it.
    let mut analyze = at.checked_sub(1).is_some_and(|before| tokens.is_word(before, "analyze"));
    let options = tokens.is_sign(at, "(") && !tokens.starts_query(at + 1);
    if options {
        let behind = tokens.closing(at, range.end).map_or(range.end, |close| close + 1);
        analyze = tokens.find_word_any(at..behind, "analyze").is_some()
            || tokens.find_word_any(at..behind, "analyse").is_some();
        at = behind;
    }
    while ["analyze", "analyse", "verbose"].iter().any(|word| tokens.is_word(at, word)) {
        analyze |= !tokens.is_word(at, "verbose");
        at += 1;
    }
    if matches!(tokens.lexed.options().dialect, Dialect::MySql(_)) {
        at = mysql::behind_explain_options(tokens, at..range.end);
    }
    let outer = carried.kinds;
    command(tokens, at..range.end, levels - 1, carried);
    if analyze {
        carried.kinds.insert(Kind::EXPLAIN_ANALYZE);
    } else {
        // Not run, only planned: what it would do is not done.
        carried.kinds = outer;
    }
    carried.kinds.insert(Kind::EXPLAIN);
    carried.leading = Some(Kind::EXPLAIN);
}

/// The kinds of a query or data change, by its own verb and those of CTEs in it.
fn query_kinds(tokens: Tokens<'_, '_>, range: Range<usize>, kind: Kind) -> KindSet {
    let mut kinds = KindSet::of(kind);
    let with = tokens.is_word(range.start, "with");
    // MySQL has words between INSERT or REPLACE and INTO.
    let has_target = kind == Kind::INSERT && !with;
    let target = if has_target { tokens.find_word(range.clone(), "into") } else { None };
    for at in range.start + 1..range.end {
        let before_is_paren = tokens.is_sign(at - 1, "(");
        if (before_is_paren || (with && tokens.is_sign(at - 1, ")"))) && tokens.kind(at) == Some(TokenKind::Word) {
            // `insert (` or `update =` is a name in parentheses; a command goes on with a name or keyword.
            let named = tokens.is_name(at + 1);
            match verb(tokens, at) {
                Some(verb) if named => kinds.insert(verb),
                _ => {}
            }
        }
        // INTO is reserved: behind INSERT and MERGE it opens the target, elsewhere it makes a table.
        if tokens.is_word(at, "into")
            && Some(at) != target
            && !tokens.is_word(at - 1, "insert")
            && !tokens.is_word(at - 1, "merge")
        {
            kinds.insert(Kind::CREATE_TABLE);
            kinds.insert(Kind::CREATE_TABLE_AS);
        }
    }
    kinds
}

/// The data change that a word names.
fn verb(tokens: Tokens<'_, '_>, at: usize) -> Option<Kind> {
    let verbs = [("insert", Kind::INSERT), ("update", Kind::UPDATE), ("delete", Kind::DELETE), ("merge", Kind::MERGE)];
    verbs.into_iter().find(|(word, _)| tokens.is_word(at, word)).map(|(_, kind)| kind)
}

/// Code in strings, and the statements of a body written as `BEGIN ATOMIC … END`.
fn body(tokens: Tokens<'_, '_>, range: Range<usize>, carried: &mut Carried) {
    let language = range.clone().find(|at| tokens.is_word(*at, "language")).map(|at| at + 1);
    let name = language.and_then(|at| tokens.lexed.name(at).or_else(|| tokens.lexed.string(at)));
    let readable = name.is_none_or(|name| ["sql", "plpgsql"].contains(&name.to_ascii_lowercase().as_str()));
    if !readable {
        carried.opaque = Some("its code is in a language that is not read");
    }
    carried.kinds = carried.kinds.union(keywords(tokens, range.clone()));
    for at in range {
        if Some(at) == language {
            continue;
        }
        if let Some(code) = tokens.lexed.string(at) {
            let found = code_keywords(&code, tokens.lexed.options(), LEVELS);
            carried.kinds = carried.kinds.union(found.0);
            carried.opaque = carried.opaque.or(found.1);
            carried.bodies.push(code.into());
        }
    }
}

/// The kinds whose keywords stand anywhere in code, and why it cannot be seen whole, if it cannot.
pub(super) fn code_keywords(code: &str, options: LexOptions, levels: usize) -> (KindSet, Option<&'static str>) {
    let Ok(lexed) = Lexed::new(code.as_bytes(), options) else {
        return (KindSet::EMPTY, Some("code in a string is not lexed"));
    };
    let tokens = Tokens::new(&lexed);
    let all = 0..lexed.tokens().len();
    let mut kinds = keywords(tokens, all.clone());
    let mut opaque = None;
    for at in all {
        if tokens.is_word(at, "execute") {
            opaque = Some("its code builds statements from strings");
        }
        if let Some(inner) = lexed.string(at).filter(|inner| levels > 0 && inner.contains(' ')) {
            kinds = kinds.union(code_keywords(&inner, options, levels - 1).0);
        }
    }
    (kinds, opaque)
}

/// The kinds of the statements in a PL/pgSQL block. Changes of rows and queries count wherever they stand;
/// other commands only where a statement can begin, so that a variable named `comment` is none.
pub(super) fn block_kinds(tokens: Tokens<'_, '_>, range: Range<usize>) -> KindSet {
    const OPENERS: [&str; 14] = [
        "also", "as", "atomic", "begin", "do", "else", "for", "in", "instead", "is", "loop", "perform", "query", "then",
    ];
    let begins = |at: usize| {
        let Some(before) = at.checked_sub(1).filter(|before| *before >= range.start) else { return true };
        tokens.is_sign(before, ";")
            || tokens.is_sign(before, "(")
            || tokens.is_sign(before, ">>")
            || OPENERS.iter().any(|word| tokens.is_word(before, word))
    };
    // Words of the language itself that are commands, too, or that open and end its blocks.
    const OWN: [Kind; 11] = [
        Kind::BEGIN,
        Kind::CLOSE,
        Kind::COMMIT,
        Kind::DECLARE,
        Kind::EXECUTE,
        Kind::FETCH,
        Kind::ROLLBACK,
        Kind::SAVEPOINT,
        Kind::SELECT,
        Kind::UNKNOWN,
        Kind::PREPARE,
    ];
    let own = OWN.into_iter().fold(KindSet::EMPTY, |all, kind| all.union(KindSet::of(kind)));
    let (mut kinds, mut declaring) = (KindSet::EMPTY, false);
    for at in range.clone().filter(|at| tokens.kind(*at) == Some(TokenKind::Word)) {
        // Between DECLARE and BEGIN stand names of variables, each where a statement could begin elsewhere.
        declaring = (declaring || (tokens.is_word(at, "declare") && begins(at))) && !tokens.is_word(at, "begin");
        let opens = (begins(at) && !declaring)
            .then(|| leading(tokens, at..range.end))
            .flatten()
            .map(|(kind, _)| KindSet::of(kind));
        let found = match opens {
            // An assignment: the name of a variable, whatever else it means.
            Some(_) if [":=", "=", ".", "["].iter().any(|sign| tokens.is_sign(at + 1, sign)) => KindSet::EMPTY,
            Some(kind) => kind.without(own),
            None => KindSet::EMPTY,
        };
        let query = tokens.is_word(at, "select") || (begins(at) && tokens.is_word(at, "with"));
        kinds = kinds.union(found).union(if query { KindSet::of(Kind::SELECT) } else { KindSet::EMPTY });
        if let Some(verb) = verb(tokens, at).filter(|_| changes_rows(tokens, range.start, at)) {
            kinds.insert(verb);
        }
        if kinds.meets(KindSet::of(Kind::COPY_TO)) {
            kinds.insert(Kind::COPY_FROM);
        }
    }
    kinds
}

/// Whether a verb is one and not part of a clause: `FOR UPDATE`, `FOR NO KEY UPDATE`, `ON DELETE CASCADE`,
/// `ON CONFLICT DO UPDATE SET`.
fn changes_rows(tokens: Tokens<'_, '_>, start: usize, at: usize) -> bool {
    let before = |word: &str| at > start && tokens.is_word(at - 1, word);
    !(before("for") || before("key") || before("on") || (before("do") && tokens.is_word(at + 1, "set")))
}

/// The kinds whose keywords stand anywhere in a range: what a statement may do at most that is not read.
pub(super) fn keywords(tokens: Tokens<'_, '_>, range: Range<usize>) -> KindSet {
    let mut kinds = KindSet::EMPTY;
    for at in range.clone() {
        if tokens.kind(at) != Some(TokenKind::Word) {
            continue;
        }
        if let Some(verb) = verb(tokens, at) {
            if changes_rows(tokens, range.start, at) {
                kinds.insert(verb);
            }
        } else if let Some((kind, _)) = leading(tokens, at..range.end) {
            kinds.insert(kind);
            if kind == Kind::COPY_TO {
                kinds.insert(Kind::COPY_FROM);
            }
        }
    }
    if kinds.meets(kind::ddl())
        && tokens.find_word_any(range, "as").is_some()
        && kinds.meets(KindSet::of(Kind::CREATE_TABLE))
    {
        kinds.insert(Kind::CREATE_TABLE_AS);
    }
    kinds
}

/// The kind that the first words of a range name, and the index behind those words.
///
/// COPY comes as [`Kind::COPY_TO`], EXPLAIN without a look at its options.
fn leading(tokens: Tokens<'_, '_>, range: Range<usize>) -> Option<(Kind, usize)> {
    if let Dialect::MySql(_) = tokens.lexed.options().dialect {
        return mysql::leading(tokens, range);
    }
    let mut at = range.start;
    while at < range.end && tokens.is_sign(at, "(") {
        at += 1;
    }
    let word = tokens.word(at)?;
    let next = |words: &[&str]| words.iter().any(|word| tokens.is_word(at + 1, word));
    let kind = match &*word {
        "select" | "values" | "table" => Kind::SELECT,
        "with" => return with_verb(tokens, range).map(|kind| (kind, at)),
        "insert" => Kind::INSERT,
        "update" => Kind::UPDATE,
        "delete" => Kind::DELETE,
        "merge" => Kind::MERGE,
        "truncate" => Kind::TRUNCATE,
        "create" | "alter" | "drop" => return Some(object(tokens, at, &word)),
        "copy" => Kind::COPY_TO,
        "grant" => Kind::GRANT,
        "revoke" => Kind::REVOKE,
        "reassign" => Kind::REASSIGN,
        "security" => Kind::SECURITY_LABEL,
        "comment" => Kind::COMMENT,
        "import" => Kind::IMPORT,
        "set" => set(tokens, at),
        "reset" if next(&["role", "session_authorization"]) => Kind::SET_ROLE,
        "reset" if next(&["session"]) && tokens.is_word(at + 2, "authorization") => Kind::SET_ROLE,
        "reset" => Kind::RESET,
        "show" => Kind::SHOW,
        "begin" | "start" => Kind::BEGIN,
        "commit" | "rollback" if next(&["prepared"]) => Kind::TWO_PHASE,
        "commit" | "end" => Kind::COMMIT,
        "rollback" | "abort" => Kind::ROLLBACK,
        "savepoint" | "release" => Kind::SAVEPOINT,
        "prepare" if next(&["transaction"]) => Kind::TWO_PHASE,
        "prepare" => Kind::PREPARE,
        "execute" => Kind::EXECUTE,
        "deallocate" => Kind::DEALLOCATE,
        "explain" => Kind::EXPLAIN,
        "call" => Kind::CALL,
        "do" => Kind::DO,
        "declare" => Kind::DECLARE,
        "fetch" | "move" => Kind::FETCH,
        "close" => Kind::CLOSE,
        "listen" | "unlisten" => Kind::LISTEN,
        "notify" => Kind::NOTIFY,
        "vacuum" => Kind::VACUUM,
        "analyze" | "analyse" => Kind::ANALYZE,
        "lock" => Kind::LOCK,
        "reindex" => Kind::REINDEX,
        "cluster" | "repack" => Kind::CLUSTER,
        "refresh" => Kind::REFRESH,
        "checkpoint" => Kind::CHECKPOINT,
        "discard" => Kind::DISCARD,
        "load" => Kind::LOAD,
        _ => return None,
    };
    Some((kind, at + 1))
}

fn set(tokens: Tokens<'_, '_>, at: usize) -> Kind {
    let mut at = at + 1;
    if (tokens.is_word(at, "session") || tokens.is_word(at, "local")) && !tokens.is_word(at + 1, "authorization") {
        at += 1;
    }
    let role = tokens.is_word(at, "role")
        || tokens.is_word(at, "session_authorization")
        || (tokens.is_word(at, "session") && tokens.is_word(at + 1, "authorization"));
    if role { Kind::SET_ROLE } else { Kind::SET }
}

/// The verb behind a WITH list, or SELECT where none is found: the parser reads it again, and the tree's
/// own kinds are added.
fn with_verb(tokens: Tokens<'_, '_>, range: Range<usize>) -> Option<Kind> {
    let mut at = range.start;
    while at < range.end {
        if tokens.is_sign(at, "(") {
            at = tokens.closing(at, range.end)?;
            if let Some(verb) = verb(tokens, at + 1).filter(|_| tokens.is_name(at + 2)) {
                return Some(verb);
            }
        }
        at += 1;
    }
    Some(Kind::SELECT)
}

/// Words that may stand between the verb and the object: `CREATE OR REPLACE TEMP …`.
const MODIFIERS: [&str; 16] = [
    "or",
    "replace",
    "global",
    "local",
    "temp",
    "temporary",
    "unlogged",
    "unique",
    "trusted",
    "procedural",
    "constraint",
    "recursive",
    "foreign",
    "materialized",
    "event",
    "default",
];

/// `CREATE`, `ALTER` or `DROP` and its object.
fn object(tokens: Tokens<'_, '_>, start: usize, verb: &str) -> (Kind, usize) {
    let mut at = start + 1;
    while MODIFIERS.iter().any(|word| tokens.is_word(at, word)) {
        at += 1;
    }
    let word = tokens.word(at).unwrap_or_default();
    // Each object: its kinds under CREATE, ALTER and DROP.
    let kinds = match &*word {
        "table" => [Kind::CREATE_TABLE, Kind::ALTER_TABLE, Kind::DROP_TABLE],
        "view" => [Kind::CREATE_VIEW, Kind::ALTER_VIEW, Kind::DROP_VIEW],
        "index" => [Kind::CREATE_INDEX, Kind::ALTER_INDEX, Kind::DROP_INDEX],
        "function" | "procedure" | "routine" | "aggregate" => {
            [Kind::CREATE_FUNCTION, Kind::ALTER_FUNCTION, Kind::DROP_FUNCTION]
        }
        "trigger" => [Kind::CREATE_TRIGGER, Kind::ALTER_OTHER, Kind::DROP_TRIGGER],
        "rule" => [Kind::CREATE_RULE, Kind::ALTER_OTHER, Kind::DROP_OTHER],
        "schema" => [Kind::CREATE_SCHEMA, Kind::ALTER_SCHEMA, Kind::DROP_SCHEMA],
        "database" => [Kind::CREATE_DATABASE, Kind::ALTER_DATABASE, Kind::DROP_DATABASE],
        "role" | "user" | "group" if !tokens.is_word(at + 1, "mapping") => {
            [Kind::CREATE_ROLE, Kind::ALTER_ROLE, Kind::DROP_ROLE]
        }
        "extension" => [Kind::CREATE_EXTENSION, Kind::ALTER_OTHER, Kind::DROP_EXTENSION],
        "type" | "domain" => [Kind::CREATE_TYPE, Kind::ALTER_TYPE, Kind::DROP_TYPE],
        "sequence" => [Kind::CREATE_SEQUENCE, Kind::ALTER_SEQUENCE, Kind::DROP_SEQUENCE],
        "policy" => [Kind::CREATE_POLICY, Kind::ALTER_OTHER, Kind::DROP_OTHER],
        "system" => [Kind::CREATE_OTHER, Kind::ALTER_SYSTEM, Kind::DROP_OTHER],
        "privileges" => [Kind::CREATE_OTHER, Kind::ALTER_DEFAULT_PRIVILEGES, Kind::DROP_OTHER],
        "owned" => [Kind::CREATE_OTHER, Kind::ALTER_OTHER, Kind::DROP_OWNED],
        _ => [Kind::CREATE_OTHER, Kind::ALTER_OTHER, Kind::DROP_OTHER],
    };
    let [create, alter, drop] = kinds;
    let kind = match verb {
        "create" => create,
        "alter" => alter,
        _ => drop,
    };
    (kind, at + 1)
}
