//! Built-in functions that run SQL from a string or show what no grant on a table covers, and settings that
//! change the meaning of bytes.
//!
//! Lists, with what each entry does. A function that is missing here is one through which masked values
//! leave, so new server versions must be checked against them.

use super::ClientEncoding;
use super::beginnings::Beginnings;
use super::tokens::Tokens;
use crate::sql::lexer::Kind;

/// Functions that run SQL given as a string, read files, large objects or the log, or show statements of
/// others; as name, or as beginning of a name with a star.
const OPAQUE: &[&str] = &[
    "brin_page_items",
    "connectby*",
    "crosstab*",
    "cursor_to_xml*",
    "database_to_xml*",
    "dblink*",
    "get_raw_page",
    "gin_leafpage_items",
    "gist_page_items*",
    "heap_page_item*",
    "lo_export",
    "lo_get",
    "lo_import",
    "loread",
    "pg_file_*",
    "pg_get_wal_record*",
    "pg_logical_*",
    "pg_ls_*",
    "pg_read_binary_file",
    "pg_read_file*",
    "pg_read_server_files",
    "pg_stat_get_activity",
    "pg_stat_get_backend_activity",
    "pg_stat_statements",
    "query_to_xml*",
    "schema_to_xml*",
    "table_to_xml*",
    "ts_rewrite",
    "ts_stat",
    "tuple_data_split",
    "xpath_table",
];

static BEGINNINGS: Beginnings = {
    let (mut beginnings, mut at) = (Beginnings::new(), 0);
    while at < OPAQUE.len() {
        beginnings = beginnings.with(OPAQUE[at]);
        at += 1;
    }
    beginnings
};

/// Functions among those that only show data: they can run no other statement.
fn only_reads(name: &str) -> bool {
    !(name.starts_with("dblink")
        || name.starts_with("lo_")
        || name.starts_with("pg_file_")
        || name.starts_with("pg_logical_"))
}

/// Whether a function shows or does what its arguments do not tell.
pub(super) fn is_opaque(name: &str) -> bool {
    let fits = |entry: &str| match entry.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => entry == name,
    };
    BEGINNINGS.fit(name) && OPAQUE.iter().any(|entry| fits(entry))
}

/// Whether a function may run any statement.
pub(super) fn runs_statements(name: &str) -> bool {
    is_opaque(name) && !only_reads(name)
}

/// Encodings in which an ASCII byte can be part of another character.
const UNSAFE: &[&str] = &[
    "big5",
    "gb18030",
    "gbk",
    "johab",
    "shiftjis2004",
    "sjis",
    "mskanji",
    "shiftjis",
    "uhc",
    "win932",
    "win936",
    "win949",
    "win950",
    "windows932",
    "windows936",
    "windows949",
    "windows950",
];

/// Beginnings of the names of all other encodings that PostgreSQL knows.
const SAFE: &[&str] = &[
    "abc",
    "alt",
    "euc",
    "iso8859",
    "koi8",
    "latin",
    "mule",
    "sqlascii",
    "tcvn",
    "vscii",
    "win1",
    "win866",
    "win874",
    "windows1",
    "windows866",
    "windows874",
];

pub(super) fn encoding(name: &[u8]) -> ClientEncoding {
    let plain: String = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    if plain == "utf8" || plain == "unicode" {
        ClientEncoding::Utf8
    } else if !UNSAFE.contains(&&*plain) && SAFE.iter().any(|start| plain.starts_with(start)) {
        ClientEncoding::AsciiSafe
    } else {
        ClientEncoding::Unsafe
    }
}

/// Whether a statement may switch to an encoding that cannot be read. The switch would hold for statements
/// that are on their way already, so it has to be seen in the statement itself.
pub(super) fn switches_encoding(tokens: Tokens<'_, '_>, range: core::ops::Range<usize>) -> bool {
    let value = |at: usize| tokens.lexed.string(at).or_else(|| tokens.lexed.name(at));
    let concerns = range.clone().any(|at| {
        let named = match tokens.kind(at) {
            // Most tokens: not worth a decoded name.
            Some(Kind::Word) => tokens.is_word(at, "client_encoding"),
            Some(Kind::Bits | Kind::Number | Kind::Parameter | Kind::Sign | Kind::Uescape) | None => false,
            _ => value(at).is_some_and(|value| value.eq_ignore_ascii_case("client_encoding")),
        };
        named || (tokens.is_word(at, "set") && (at..at + 4).any(|next| tokens.is_word(next, "names")))
    });
    concerns
        && range.clone().filter_map(value).any(|value| {
            let plain: String =
                value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
            UNSAFE.contains(&&*plain)
        })
}

/// Whether some `set_config` is called with a setting that is not a plain string.
pub(super) fn computes_setting(tokens: Tokens<'_, '_>, mut range: core::ops::Range<usize>) -> bool {
    !is_pg_dumps(tokens, range.clone())
        && range.any(|at| {
            tokens.is_sign(at + 1, "(")
                && tokens.lexed.is_named(at, "set_config")
                && !(matches!(tokens.kind(at + 2), Some(Kind::Text))
                    && tokens.is_sign(at + 3, ",")
                    && literal_if_encoding(tokens, at + 2))
        })
}

/// The one statement of pg_dump that takes a setting's name from a table: that name is in its WHERE, too.
const PG_DUMPS: &[u8] = b"SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings \
WHERE name = 'restrict_nonsystem_relation_kind'";

fn is_pg_dumps(tokens: Tokens<'_, '_>, range: core::ops::Range<usize>) -> bool {
    tokens.lexed.source().get(tokens.bytes(&range)) == Some(PG_DUMPS)
}

/// For `client_encoding` the value has to be a plain string, too.
fn literal_if_encoding(tokens: Tokens<'_, '_>, at: usize) -> bool {
    let encoding = tokens.lexed.string(at).is_some_and(|setting| setting.eq_ignore_ascii_case("client_encoding"));
    !encoding || (tokens.kind(at + 2) == Some(Kind::Text) && tokens.is_sign(at + 3, ","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_safe_only_when_known() {
        for (name, expected) in [
            ("UTF8", ClientEncoding::Utf8),
            ("LATIN1", ClientEncoding::AsciiSafe),
            ("WIN1252", ClientEncoding::AsciiSafe),
            ("EUC_JIS_2004", ClientEncoding::AsciiSafe),
            ("SQL_ASCII", ClientEncoding::AsciiSafe),
            ("SJIS", ClientEncoding::Unsafe),
            ("SHIFT_JIS_2004", ClientEncoding::Unsafe),
            ("BIG5", ClientEncoding::Unsafe),
            ("nonsense", ClientEncoding::Unsafe),
        ] {
            assert_eq!(encoding(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn families_of_functions_are_known_by_their_beginning() {
        assert!(is_opaque("query_to_xml_and_xmlschema") && is_opaque("ts_stat") && !is_opaque("ts_headline"));
        assert!(runs_statements("dblink_exec") && !runs_statements("query_to_xml"));
    }
}
