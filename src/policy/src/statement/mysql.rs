//! What a statement of MySQL or MariaDB does, by its keywords: the differences from PostgreSQL's.
//!
//! Kinds keep their names, so that one rule serves both: `LOAD DATA` is a `copy from`, `SELECT … INTO OUTFILE` a
//! `copy to`, REPLACE an `insert`, RENAME TABLE an `alter table`. What runs text that is not in the statement
//! (PREPARE, EXECUTE IMMEDIATE, HANDLER on a masked table) is opaque. Where this file errs, it must err by
//! naming too many kinds.

use core::ops::Range;

use super::SqlContext;
use super::carriers::{Carried, keywords};
use super::kind::Kind;
use super::tokens::Tokens;
use super::tree::Name;
use crate::sql::Dialect;
use crate::sql::lexer::{Kind as TokenKind, LexOptions, Lexed};

/// The kind that the first words of a range name, and the index behind the first; `None` for words that no
/// statement starts with.
pub(super) fn leading(tokens: Tokens<'_, '_>, range: Range<usize>) -> Option<(Kind, usize)> {
    let mut at = range.start;
    while at < range.end && tokens.is_sign(at, "(") {
        at += 1;
    }
    let word = tokens.word(at)?;
    let next = |words: &[&str]| words.iter().any(|word| tokens.is_word(at + 1, word));
    let kind = match &*word {
        "select" | "values" | "table" => Kind::SELECT,
        "with" => with_verb(tokens, range.clone())?,
        "insert" | "replace" => Kind::INSERT,
        "update" => Kind::UPDATE,
        "delete" => Kind::DELETE,
        "truncate" => Kind::TRUNCATE,
        "create" | "alter" | "drop" => object(tokens, at, range.end, &word),
        "rename" if next(&["user"]) => Kind::ALTER_ROLE,
        "rename" => Kind::ALTER_TABLE,
        "load" if next(&["data", "xml"]) => Kind::COPY_FROM,
        "load" => Kind::LOAD,
        "import" => Kind::CREATE_TABLE,
        "grant" => Kind::GRANT,
        "revoke" => Kind::REVOKE,
        "set" => set(tokens, at),
        "use" => Kind::SET,
        "reset" if next(&["persist"]) => Kind::RESET,
        // RESET MASTER, SLAVE, REPLICA and the like change the server.
        "reset" | "change" | "start" | "stop" | "purge" | "binlog" | "clone" | "restart" | "shutdown"
            if !(&*word == "start" && next(&["transaction"])) =>
        {
            Kind::ALTER_SYSTEM
        }
        "install" | "uninstall" => Kind::ALTER_SYSTEM,
        "flush" | "cache" | "kill" => Kind::DISCARD,
        "show" | "help" | "check" | "checksum" => Kind::SHOW,
        "explain" | "describe" | "desc" if describes(tokens, at + 1) => Kind::SHOW,
        "explain" | "describe" | "desc" => Kind::EXPLAIN,
        // MariaDB's ANALYZE of a statement runs it.
        "analyze" if !next(&["table", "tables", "local", "no_write_to_binlog"]) => Kind::EXPLAIN,
        "analyze" => Kind::ANALYZE,
        "optimize" | "repair" => Kind::VACUUM,
        // MariaDB's compound statement outside a routine.
        "begin" if next(&["not"]) => Kind::DO,
        "begin" | "start" => Kind::BEGIN,
        "commit" => Kind::COMMIT,
        "rollback" => Kind::ROLLBACK,
        "savepoint" | "release" => Kind::SAVEPOINT,
        "xa" => Kind::TWO_PHASE,
        "prepare" => Kind::PREPARE,
        "execute" => Kind::EXECUTE,
        "deallocate" => Kind::DEALLOCATE,
        "call" => Kind::CALL,
        "do" => Kind::DO,
        "handler" => Kind::FETCH,
        "lock" | "unlock" => Kind::LOCK,
        "signal" | "resignal" | "get" => Kind::SHOW,
        _ => return None,
    };
    Some((kind, at + 1))
}

/// The connections that the KILL statements of a text name; `None` for one that is not written as a number, or that
/// is inside of something else: a routine, a compound statement, a text to be prepared. Empty for a text that is not
/// MySQL's or not lexed: it takes its outcome elsewhere.
#[must_use]
pub fn killed(text: &[u8], context: &SqlContext) -> Vec<Option<u32>> {
    let options = LexOptions { dialect: context.dialect, ..LexOptions::default() };
    let Dialect::MySql(_) = context.dialect else { return Vec::new() };
    let Ok(lexed) = Lexed::new(text, options) else { return Vec::new() };
    let tokens = Tokens::new(&lexed);
    let mut found = Vec::new();
    for range in tokens.statements() {
        let runs_text = tokens.is_word(range.start, "prepare") || tokens.is_word(range.start, "execute");
        for at in range.clone() {
            // The word is reserved: unquoted, and not behind a point or `@`, it begins a statement.
            if tokens.is_word(at, "kill") && !(at > 0 && (tokens.is_sign(at - 1, ".") || tokens.is_sign(at - 1, "@"))) {
                found.push(if at == range.start { connection(tokens, &lexed, &range) } else { None });
            }
            let holds = |text: &str| text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"kill"));
            if runs_text && lexed.string(at).is_some_and(|text| holds(&text)) {
                found.push(None);
            }
        }
    }
    found
}

/// The connection that a KILL names, where that is one number.
fn connection(tokens: Tokens<'_, '_>, lexed: &Lexed<'_>, range: &Range<usize>) -> Option<u32> {
    let is_modifier = |at: &usize| ["hard", "soft", "connection", "query"].iter().any(|word| tokens.is_word(*at, word));
    let at = (range.start + 1..range.end).find(|at| !is_modifier(at))?;
    let number = lexed.tokens().get(at).filter(|token| token.kind == TokenKind::Number && at + 1 == range.end)?;
    core::str::from_utf8(lexed.raw(number)).ok()?.parse().ok()
}

/// `EXPLAIN t`, `DESCRIBE t column`, `EXPLAIN FOR CONNECTION n`: what is there, and no statement.
fn describes(tokens: Tokens<'_, '_>, at: usize) -> bool {
    const OPENERS: [&str; 15] = [
        "analyze",
        "delete",
        "extended",
        "format",
        "insert",
        "into",
        "partitions",
        "replace",
        "schema",
        "select",
        "table",
        "update",
        "values",
        "with",
        "for",
    ];
    !tokens.is_sign(at, "(") && !OPENERS.iter().any(|word| tokens.is_word(at, word))
}

/// Where the statement begins behind EXPLAIN or ANALYZE: `EXTENDED`, `PARTITIONS`, `FORMAT = JSON`, `INTO @v`,
/// `FOR DATABASE d`.
pub(super) fn behind_explain_options(tokens: Tokens<'_, '_>, range: Range<usize>) -> usize {
    let mut at = range.start;
    while at < range.end {
        let word = |words: &[&str]| words.iter().any(|word| tokens.is_word(at, word));
        at += if word(&["extended", "partitions", "analyze"]) {
            1
        } else if word(&["format"]) && tokens.is_sign(at + 1, "=") {
            3
        } else if word(&["into"]) {
            2
        } else if word(&["for"]) && (tokens.is_word(at + 1, "database") || tokens.is_word(at + 1, "schema")) {
            3
        } else {
            break;
        };
    }
    at.min(range.end)
}

/// Words of statements that tell of the one before: `ROW_COUNT()`, `FOUND_ROWS()`, `SHOW WARNINGS`,
/// `GET DIAGNOSTICS`, `@@error_count`.
const OF_LAST: [&[u8]; 5] = [b"row_count", b"found_rows", b"warning", b"error", b"diagnostics"];

/// Whether a text may tell of the statement before it, so that no statement of our own may go ahead of it: it
/// would tell of that one.
#[must_use]
pub fn may_tell_of_last(text: &[u8]) -> bool {
    OF_LAST.iter().any(|word| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Whether a text shows nothing but numbers that the server keeps for the session: a SELECT of `ROW_COUNT()`,
/// `FOUND_ROWS()`, `LAST_INSERT_ID()`, `CONNECTION_ID()` and their variables.
#[must_use]
pub fn shows_own_numbers(text: &[u8], context: &SqlContext) -> bool {
    const CALLS: [&str; 4] = ["connection_id", "found_rows", "last_insert_id", "row_count"];
    const VARIABLES: [&str; 4] = ["@@error_count", "@@identity", "@@last_insert_id", "@@warning_count"];
    let options = LexOptions { dialect: context.dialect, ..LexOptions::default() };
    let Dialect::MySql(_) = context.dialect else { return false };
    let Ok(lexed) = Lexed::new(text, options) else { return false };
    let tokens = Tokens::new(&lexed);
    let (mut at, end) = (1, lexed.tokens().len());
    let among = |at: usize, words: &[&str]| words.iter().any(|word| tokens.is_word(at, word));
    if !tokens.is_word(0, "select") {
        return false;
    }
    loop {
        if among(at, &CALLS) && tokens.is_sign(at + 1, "(") && tokens.is_sign(at + 2, ")") {
            at += 3;
        } else if among(at, &VARIABLES) {
            at += 1;
        } else {
            return false;
        }
        if tokens.is_word(at, "as") && tokens.is_name(at + 1) {
            at += 2;
        }
        match () {
            () if tokens.is_sign(at, ",") => at += 1,
            () => return at == end || (tokens.is_sign(at, ";") && at + 1 == end),
        }
    }
}

/// The verb behind a WITH list.
fn with_verb(tokens: Tokens<'_, '_>, range: Range<usize>) -> Option<Kind> {
    let mut at = range.start;
    while at < range.end {
        if tokens.is_sign(at, "(") {
            at = tokens.closing(at, range.end)?;
            if tokens.is_word(at + 1, "update") {
                return Some(Kind::UPDATE);
            } else if tokens.is_word(at + 1, "delete") {
                return Some(Kind::DELETE);
            }
        }
        at += 1;
    }
    Some(Kind::SELECT)
}

/// `SET` of settings and variables, or of a password or role.
fn set(tokens: Tokens<'_, '_>, at: usize) -> Kind {
    let word = |words: &[&str]| words.iter().any(|word| tokens.is_word(at + 1, word));
    if word(&["password"]) {
        Kind::ALTER_ROLE
    } else if word(&["role"]) || (word(&["default"]) && tokens.is_word(at + 2, "role")) {
        Kind::SET_ROLE
    } else {
        Kind::SET
    }
}

/// The table that LOAD DATA or LOAD XML fills, which no tree names.
pub(super) fn loaded(tokens: Tokens<'_, '_>, range: Range<usize>, carried: &Carried) -> Option<Name> {
    if carried.leading != Some(Kind::COPY_FROM) || !tokens.is_word(range.start, "load") {
        return None;
    }
    let into = |at: &usize| tokens.is_word(*at, "into") && tokens.is_word(at + 1, "table");
    let at = range.clone().find(into)? + 2;
    let name = |at: usize| tokens.lexed.name(at).map(|name| Box::from(&*name));
    match tokens.is_sign(at + 1, ".") {
        true => Some(Name { schema: name(at), name: name(at + 2)? }),
        false => Some(Name { schema: None, name: name(at)? }),
    }
}

/// How far behind the verb an object's word may stand: `CREATE OR REPLACE ALGORITHM = MERGE DEFINER = u@h SQL
/// SECURITY INVOKER VIEW`.
const OBJECT_TOKENS: usize = 24;

/// `CREATE`, `ALTER` or `DROP` and its object.
fn object(tokens: Tokens<'_, '_>, start: usize, end: usize, verb: &str) -> Kind {
    let kinds = (start + 1..end.min(start + OBJECT_TOKENS)).find_map(|at| {
        // Each object: its kinds under CREATE, ALTER and DROP.
        Some(match &*tokens.word(at)? {
            "table" | "tables" => [Kind::CREATE_TABLE, Kind::ALTER_TABLE, Kind::DROP_TABLE],
            "view" => [Kind::CREATE_VIEW, Kind::ALTER_VIEW, Kind::DROP_VIEW],
            "index" => [Kind::CREATE_INDEX, Kind::ALTER_INDEX, Kind::DROP_INDEX],
            "function" | "procedure" | "package" => [Kind::CREATE_FUNCTION, Kind::ALTER_FUNCTION, Kind::DROP_FUNCTION],
            "trigger" => [Kind::CREATE_TRIGGER, Kind::ALTER_OTHER, Kind::DROP_TRIGGER],
            "event" => [Kind::CREATE_RULE, Kind::ALTER_OTHER, Kind::DROP_OTHER],
            "database" | "schema" => [Kind::CREATE_DATABASE, Kind::ALTER_DATABASE, Kind::DROP_DATABASE],
            "user" | "role" => [Kind::CREATE_ROLE, Kind::ALTER_ROLE, Kind::DROP_ROLE],
            "sequence" => [Kind::CREATE_SEQUENCE, Kind::ALTER_SEQUENCE, Kind::DROP_SEQUENCE],
            "prepare" => [Kind::CREATE_OTHER, Kind::ALTER_OTHER, Kind::DEALLOCATE],
            "instance" => [Kind::CREATE_OTHER, Kind::ALTER_SYSTEM, Kind::DROP_OTHER],
            "server" | "tablespace" | "logfile" | "resource" | "undo" | "library" => {
                [Kind::CREATE_OTHER, Kind::ALTER_OTHER, Kind::DROP_OTHER]
            }
            _ => return None,
        })
    });
    let [create, alter, drop] = kinds.unwrap_or([Kind::CREATE_OTHER, Kind::ALTER_OTHER, Kind::DROP_OTHER]);
    match verb {
        "create" => create,
        "alter" => alter,
        _ => drop,
    }
}

/// Adds what MySQL's grammar lets a statement of this kind do besides; `start` is its first word.
pub(super) fn refine(tokens: Tokens<'_, '_>, range: Range<usize>, kind: Kind, carried: &mut Carried) {
    let has = |word: &str| tokens.find_word_any(range.clone(), word).is_some();
    let queries = ["select", "table", "values"].into_iter().any(has);
    match kind {
        Kind::SELECT if has("into") && (has("outfile") || has("dumpfile")) => {
            carried.kinds.insert(Kind::COPY_TO);
            carried.kinds.insert(Kind::FILE_ACCESS);
        }
        // A file of the server's machine holds whatever was written there.
        Kind::COPY_FROM if !has("local") => carried.kinds.insert(Kind::FILE_ACCESS),
        // A variable that gets what the routine computes, or what an error says, is shown by the next statement.
        Kind::CALL if range.clone().any(|at| is_variable(tokens, at)) => carried.kinds.insert(Kind::CREATE_TABLE_AS),
        Kind::SHOW if tokens.is_word(range.start, "get") => {
            carried.kinds.insert(Kind::CREATE_TABLE_AS);
            carried.side_door = true;
        }
        // AS may be left out.
        Kind::CREATE_TABLE if queries => carried.kinds.insert(Kind::CREATE_TABLE_AS),
        Kind::CREATE_FUNCTION | Kind::CREATE_TRIGGER | Kind::CREATE_RULE | Kind::ALTER_OTHER | Kind::DO => {
            // Their bodies are statements, written as such.
            carried.kinds = carried.kinds.union(keywords(tokens, range.start + 1..range.end));
            carried.defines |= kind != Kind::DO;
            if kind == Kind::DO && range.clone().any(|at| names_tracking(tokens, at)) {
                // A compound statement may set it in its middle, and go on.
                carried.opaque = Some(CHANGES_READING);
            }
        }
        Kind::SET => {
            // `SET STATEMENT … FOR statement` (MariaDB), and variables computed by a query.
            if queries || tokens.is_word(range.start + 1, "statement") {
                carried.kinds = carried.kinds.union(keywords(tokens, range.start + 1..range.end));
                carried.opaque = Some("it sets variables by a query, or for a statement");
            }
            let reading = reading(tokens, range.clone());
            carried.unsettles = reading == Reading::InDoubt;
            if reading == Reading::Changed {
                carried.opaque = Some(CHANGES_READING);
            }
        }
        Kind::PREPARE => carried.opaque = Some("it prepares a statement from a string"),
        Kind::EXECUTE if tokens.is_word(range.start + 1, "immediate") => {
            carried.opaque = Some("it runs a statement from a string");
        }
        Kind::FETCH => carried.opaque = Some("HANDLER reads rows without a query"),
        Kind::EXPLAIN => {
            if tokens.is_word(range.start, "analyze") {
                carried.kinds.insert(Kind::EXPLAIN_ANALYZE);
            }
            carried.plan_shows_values = plan_shows_values(tokens, range.clone());
            let options = range.start + 1..range.end.min(range.start + 8);
            if options.into_iter().any(|at| tokens.is_word(at, "into") && is_variable(tokens, at + 1)) {
                carried.opaque = Some("it puts a plan into a variable");
            }
        }
        _ => {}
    }
    // A value that a query puts into a variable can be shown by the next statement.
    let assigns = range.clone().any(|at| tokens.is_sign(at, ":="));
    if assigns && kind != Kind::SET {
        carried.kinds.insert(Kind::CREATE_TABLE_AS);
        carried.assigns = true;
    }
    carried.side_door |= side_door(tokens, range, kind);
}

fn is_variable(tokens: Tokens<'_, '_>, at: usize) -> bool {
    tokens.lexed.name(at).is_some_and(|name| name.starts_with('@') && !name.starts_with("@@"))
}

/// Whether a plan may hold values of rows: those of tables of one row, which the optimizer reads ahead. The
/// table form has none. What MySQL shows without a FORMAT depends on a setting; MariaDB shows the table.
fn plan_shows_values(tokens: Tokens<'_, '_>, range: Range<usize>) -> bool {
    let Dialect::MySql(rules) = tokens.lexed.options().dialect else { return true };
    let format = (range.start + 1..range.end.min(range.start + 8))
        .find(|at| tokens.is_word(*at, "format") && tokens.is_sign(at + 1, "="));
    match format {
        Some(at) => !tokens.is_word(at + 2, "traditional"),
        None => !rules.mariadb,
    }
}

/// Why a text that changes what follows it cannot be let through.
pub(super) const CHANGES_READING: &str = "it changes how the text of later statements is read";

/// What decides which changes a session tells of.
const TRACKING: [&str; 2] = ["session_track_schema", "session_track_system_variables"];

/// The last part of a setting's name: `@@session.sql_mode` is `sql_mode`.
fn setting(name: &str) -> &str {
    name.trim_start_matches('@').rsplit('.').next().unwrap_or_default()
}

/// Whether a token names a setting that decides which changes the session tells of.
pub(super) fn names_tracking(tokens: Tokens<'_, '_>, at: usize) -> bool {
    tokens.lexed.name(at).is_some_and(|name| TRACKING.contains(&setting(&name)))
}

/// What a SET makes of how later texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reading {
    /// The same, or what the session tells of.
    Known,
    /// What its text does not say, or from now on the session may not tell: to be asked for once it ran.
    InDoubt,
    /// Something that this gateway does not read.
    Changed,
}

/// Whether a value of `sql_mode`, or of the list of tracked settings, adds to what holds already, by whole words:
/// `CONCAT(@@sql_mode, ',STRICT…')`.
fn adds_to_list(tokens: Tokens<'_, '_>, at: usize, name: &str) -> bool {
    let setting = setting(name);
    let own = tokens.lexed.name(at + 2).and_then(|name| {
        let name = name.strip_prefix("@@")?;
        Some(name.strip_prefix("session.").unwrap_or(name) == setting)
    });
    let own = own.unwrap_or(false);
    let words = tokens.lexed.string(at + 4).filter(|words| words.starts_with(','));
    let closed = tokens.is_sign(at + 1, "(") && tokens.is_sign(at + 3, ",") && tokens.is_sign(at + 5, ")");
    closed && own && words.is_some_and(|words| !changes_reading(&words))
}

/// Tokens of such a call.
const ADDING_TOKENS: usize = 6;

/// Modes under which quotes, escapes or the grammar are others.
const MODES: [&str; 12] = [
    "ansi",
    "ansi_quotes",
    "db2",
    "maxdb",
    "mssql",
    "no_backslash_escapes",
    "oracle",
    "postgresql",
    "mysql323",
    "mysql40",
    "no_key_options",
    "no_table_options",
];
/// Character sets in which a byte of ASCII may be part of another character.
const ENCODINGS: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

/// Whether one of the words of a list changes how texts are read.
fn changes_reading(list: &str) -> bool {
    let list = list.to_ascii_lowercase();
    list.split(',').map(str::trim).any(|word| MODES.contains(&word) || ENCODINGS.contains(&word))
}

/// Whether a SET changes what quotes, backslashes or characters mean.
fn reading(tokens: Tokens<'_, '_>, range: Range<usize>) -> Reading {
    let followed = |name: &str| ["sql_mode", "character_set_client"].contains(&setting(name));
    let mut found = Reading::Known;
    let mut at = range.start;
    while at < range.end {
        let name = tokens.lexed.name(at).unwrap_or_default();
        let charset = (name == "names" || name == "charset" || name == "set") && at > range.start;
        let tracking = TRACKING.contains(&setting(&name));
        at += 1;
        if !(followed(&name) || charset || tracking) {
            continue;
        }
        // The value is behind it, up to a comma that is not in parentheses; one that is not written out may be anything.
        let (mut depth, mut after_text) = (0_usize, false);
        while at < range.end && (depth > 0 || !tokens.is_sign(at, ",")) {
            if tokens.is_word(at, "concat") && adds_to_list(tokens, at, &name) {
                at += ADDING_TOKENS;
                continue;
            }
            let is_text = tokens.kind(at) == Some(TokenKind::Text);
            if tokens.is_sign(at, "(") {
                depth += 1;
            } else if tokens.is_sign(at, ")") {
                depth = depth.saturating_sub(1);
            }
            let assigns = tokens.is_sign(at, "=") || tokens.is_sign(at, ":=");
            // Calls, operators, and texts that the server joins: what comes of them is in none of their words.
            let computed = (is_text && after_text) || (tokens.kind(at) == Some(TokenKind::Sign) && !assigns);
            found = found.max(match (assigns, tracking) {
                (true, _) => Reading::Known,
                // Whatever is told then, what is needed is added to it.
                (false, true) => Reading::InDoubt,
                (false, false) => {
                    let least = if computed { Reading::InDoubt } else { Reading::Known };
                    value_reading(tokens, at, followed(&name)).max(least)
                }
            });
            after_text = is_text;
            at += 1;
        }
    }
    found
}

/// What a token of a setting's value makes of it. `exact`: the value is that of the setting, not a name of a
/// character set.
fn value_reading(tokens: Tokens<'_, '_>, at: usize, exact: bool) -> Reading {
    match tokens.kind(at) {
        Some(TokenKind::Text) if changes_reading(&tokens.lexed.string(at).unwrap_or_default()) => Reading::Changed,
        Some(TokenKind::Word | TokenKind::Quoted) => {
            let word = tokens.lexed.name(at).unwrap_or_default();
            // `SET sql_mode = @old_mode` puts back what dumps and drivers have saved before.
            if word.starts_with("@@") || word.starts_with("@old_") {
                Reading::InDoubt
            } else if changes_reading(&word) || word.starts_with('@') || word == "concat" {
                Reading::Changed
            } else {
                Reading::Known
            }
        }
        Some(TokenKind::Parameter | TokenKind::Bits | TokenKind::Number) if exact => Reading::Changed,
        _ => Reading::Known,
    }
}

/// Whether it shows statements, rows or statistics that come from other places than tables that it names.
fn side_door(tokens: Tokens<'_, '_>, range: Range<usize>, kind: Kind) -> bool {
    const SHOWS: [&str; 10] = [
        "binlog",
        "engine",
        "errors",
        "explain",
        "processlist",
        "profile",
        "profiles",
        "relaylog",
        "slave",
        "warnings",
    ];
    const NAMES: [&str; 16] = [
        "column_stats",
        "column_statistics",
        "general_log",
        "innodb_ft_index_cache",
        "innodb_ft_index_table",
        "innodb_ft_being_deleted",
        "innodb_ft_deleted",
        "innodb_trx",
        "load_file",
        "mysql",
        "performance_schema",
        "processlist",
        "slow_log",
        "statistics_histogram",
        "sys",
        "last_insert_id_values",
    ];
    // `EXPLAIN t` says what the table is; `SHOW EXPLAIN` shows a statement of others.
    let mut behind = range.start + 1..range.end;
    let shows = kind == Kind::SHOW && behind.any(|at| SHOWS.iter().any(|word| tokens.is_word(at, word)));
    shows
        || range.clone().any(|at| {
            let dotted = tokens.is_sign(at + 1, ".") || (at > range.start && tokens.is_sign(at - 1, "."));
            tokens.lexed.name(at).is_some_and(|name| match &*name {
                "mysql" | "sys" | "performance_schema" => dotted,
                name => NAMES.contains(&name),
            })
        })
}

#[cfg(test)]
mod tests;
