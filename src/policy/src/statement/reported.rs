//! What settings may show once code ran that is not seen: a function can put a value of a row into any of them.
//!
//! Settings whose values have a closed form (numbers aside, whose digits may be a value's) show nothing: their names
//! are listed here, and zones and encodings are looked up. All others are hidden, in `SHOW`, `current_setting()`,
//! `pg_settings` and what the server reports by itself. It may list too few; that costs a session that runs
//! functions of the users the sight of a setting.

use core::ops::Range;

use super::kind::Kind;
use super::tokens::Tokens;
use crate::catalogue::Catalogue;
use crate::sql::lexer::{LexOptions, Lexed};

/// Settings that hold one of a few words or are not to be set by a user, in lower case, sorted.
const CLOSED: &[&str] = &[
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "hot_standby",
    "in_hot_standby",
    "integer_datetimes",
    "intervalstyle",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "server_encoding",
    "server_version",
    "server_version_num",
    "standard_conforming_strings",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "wal_level",
    "xmloption",
];

/// What shows settings of any name.
const SHOWING: &[&str] = &["current_setting", "pg_file_settings", "pg_settings", "pg_show_all_settings"];

fn is_closed(name: &str) -> bool {
    CLOSED.binary_search(&&*name.to_ascii_lowercase()).is_ok()
}

/// Whether what the server reports of a setting by itself can show no value of a row.
#[must_use]
pub fn may_report(name: &[u8], value: &[u8]) -> bool {
    let (Ok(name), Ok(value)) = (core::str::from_utf8(name), core::str::from_utf8(value)) else { return false };
    let is_zone =
        || name.eq_ignore_ascii_case("TimeZone") && jiff::tz::db().available().any(|zone| zone.as_str() == value);
    value.is_empty() || is_closed(name) || is_zone()
}

/// Whether a statement shows settings, itself, by the bodies of what it calls or by views.
pub(super) fn shows_settings(
    tokens: Tokens<'_, '_>,
    range: &Range<usize>,
    kind: Option<Kind>,
    bodies: &[impl AsRef<str>],
    catalogue: Option<&Catalogue>,
) -> bool {
    if kind == Some(Kind::SHOW) {
        let name = tokens.lexed.name(range.start + 1).filter(|_| range.len() == 2);
        return !name.is_some_and(|name| is_closed(&name));
    }
    let shows = |tokens: Tokens<'_, '_>, mut range: Range<usize>| {
        range.any(|at| {
            tokens.lexed.name(at).is_some_and(|name| {
                SHOWING.contains(&&*name) || catalogue.is_some_and(|catalogue| catalogue.views_mention(&name, SHOWING))
            })
        })
    };
    shows(tokens, range.clone())
        || bodies.iter().any(|body| {
            let lexed = Lexed::new(body.as_ref().as_bytes(), LexOptions { ..tokens.lexed.options() });
            lexed.map_or(true, |lexed| shows(Tokens::new(&lexed), 0..lexed.tokens().len()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{Judgement, Reach, SqlContext, judge};
    use crate::testing::{CARD, rules, shop};

    fn judged(sql: &str, doubt: bool) -> Judgement {
        let context = SqlContext { settings_in_doubt: doubt, ..SqlContext::default() };
        judge(&rules(CARD), sql.as_bytes(), &context, Some(&shop()))
    }

    #[test]
    fn settings_are_masked_data_once_code_ran() {
        for sql in [
            "SHOW app.user",
            "SHOW application_name",
            "SHOW TIME ZONE",
            "SHOW ALL",
            "SELECT current_setting('app.user')",
            "SELECT total FROM orders WHERE total = pg_catalog.current_setting('x')",
            "SELECT setting FROM pg_settings",
        ] {
            // The shop has no functions of these names, and so does not know what they show.
            assert!(judged(sql, false).reach == Reach::No || !sql.starts_with("SHOW"), "{sql}");
            let doubted = judged(sql, true);
            assert!(doubted.reach == Reach::Unknown && doubted.wants_columns, "{sql}");
            assert!(doubted.parts.iter().all(|part| part.projection.is_none() && part.lineage.is_none()), "{sql}");
        }
        for sql in ["SHOW server_version", "SHOW DateStyle", "SELECT 1", "SELECT total FROM orders"] {
            assert_eq!(judged(sql, true).reach, Reach::No, "{sql}");
        }
        // In one text, and in one statement.
        for sql in ["SELECT leak(1); SHOW app.user", "SELECT leak(1), current_setting('app.user')"] {
            assert!(judged(sql, false).parts.last().is_some_and(|part| part.projection.is_none()), "{sql}");
        }
    }

    #[test]
    fn only_closed_values_are_reported() {
        assert!(CLOSED.is_sorted());
        for (name, value, shown) in [
            ("client_encoding", "UTF8", true),
            ("DateStyle", "ISO, MDY", true),
            ("TimeZone", "Europe/Oslo", true),
            ("TimeZone", "<4111>-1", false),
            ("application_name", "", true),
            ("application_name", "4111", false),
            ("scram_iterations", "4111", false),
            ("search_path", "\"4111\"", false),
        ] {
            assert_eq!(may_report(name.as_bytes(), value.as_bytes()), shown, "{name} {value}");
        }
    }
}
