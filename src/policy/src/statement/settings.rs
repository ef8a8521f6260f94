//! Which statements may change what names mean in the statements after them: the role and the search path.
//!
//! A session's role and search path are known from asking the server, once a statement names something that
//! they decide about, and are unknown again after a statement that this file names. It may name too many:
//! that costs a question. One that it misses would be judged under a path that no longer holds.

use core::ops::Range;

use super::Read;
use super::kind::{self, Kind, KindSet};
use super::tokens::Tokens;
use crate::catalogue::Catalogue;
use crate::sql::lexer::Kind as TokenKind;

/// The one text that asks the server for what [`super::SqlContext`] has to know. Its first result has a row
/// for each schema that names are looked up in, in order, its second the name of the current role.
pub const QUERY: &str = "SELECT pg_catalog.unnest(pg_catalog.current_schemas('t'::pg_catalog.bool));\n\
SELECT CURRENT_USER;\n";

/// Settings that say what a name without a schema means.
const FOLLOWED: [&str; 3] = ["search_path", "role", "session_authorization"];

/// Statements whose effect on settings is not in their own text.
const OUT_OF_SIGHT: [Kind; 6] = [Kind::CALL, Kind::DISCARD, Kind::DO, Kind::EXECUTE, Kind::FETCH, Kind::SET_ROLE];

/// Whether the role or the search path may be another one once the statement has run.
///
/// `called` are the functions that it calls, as far as its tree names them.
pub(super) fn changed<'f>(
    tokens: Tokens<'_, '_>,
    range: Range<usize>,
    (kinds, read): (KindSet, Read),
    mut called: impl Iterator<Item = &'f str>,
    catalogue: Option<&Catalogue>,
) -> bool {
    let has = |kind: Kind| kinds.meets(KindSet::of(kind));
    if !matches!(read, Read::Command | Read::Tree)
        || kinds.meets(KindSet::of(Kind::UNKNOWN_CODE))
        || OUT_OF_SIGHT.into_iter().any(has)
        || kinds.meets(kind::ddl())
    {
        // DDL: a schema that is created, or a first temporary table, takes its place in the path.
        return true;
    }
    let followed = |name: &str| FOLLOWED.iter().any(|setting| name.eq_ignore_ascii_case(setting));
    let set = has(Kind::SET) || has(Kind::RESET);
    let named = |at: usize| {
        let name = tokens.lexed.name(at);
        name.is_some_and(|name| followed(&name) || ["all", "authorization", "schema"].contains(&&*name))
    };
    if set && range.clone().any(named) {
        return true;
    }
    let configures = |at: usize| {
        let called = tokens.is_sign(at + 1, "(") && tokens.lexed.is_named(at, "set_config");
        let harmless = tokens.kind(at + 2) == Some(TokenKind::Text)
            && tokens.is_sign(at + 3, ",")
            && tokens.lexed.string(at + 2).is_some_and(|setting| !followed(&setting));
        called && !harmless
    };
    range.clone().any(configures)
        || catalogue.is_some_and(|catalogue| called.any(|name| catalogue.may_change_settings(name)))
}

#[cfg(test)]
mod tests {
    use crate::catalogue::{Catalogue, CatalogueBuilder};
    use crate::statement::{Judgement, SqlContext, judge};
    use crate::testing::{CARD, rules, shop};

    fn judged(sql: &str, context: &SqlContext, catalogue: &Catalogue) -> Judgement {
        judge(&rules(CARD), sql.as_bytes(), context, Some(catalogue))
    }

    #[test]
    fn whatever_may_change_role_or_path_is_said_so() {
        let shop = shop();
        for sql in [
            "SET search_path = a, b",
            "set local \"search_path\" to x",
            "SET SCHEMA 'x'",
            "SET ROLE dba",
            "SET SESSION AUTHORIZATION DEFAULT",
            "SET session_authorization = x",
            "RESET ALL",
            "RESET search_path",
            "DISCARD ALL",
            "SELECT set_config('Search_Path', 'x', false)",
            "SELECT set_config('search' || '_path', 'x', false)",
            "SELECT pg_catalog.set_config($1, 'x', true)",
            "SELECT leak(1)",
            "SELECT unheard_of()",
            "CALL p()",
            "DO $$BEGIN PERFORM 1; END$$",
            "EXECUTE p",
            "FETCH 1 FROM c",
            "CREATE SCHEMA x",
            "CREATE TEMP TABLE x (a int)",
            "SELECT 1; SET search_path = a",
            "FROBNICATE",
        ] {
            assert!(judged(sql, &SqlContext::default(), &shop).changes_settings, "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT upper(total) FROM orders",
            "SET application_name = 'x'",
            "SET LOCAL statement_timeout = 5",
            "RESET work_mem",
            "SELECT set_config('app.user', $1, true)",
            "BEGIN",
            "INSERT INTO orders VALUES (1)",
            "SHOW search_path",
        ] {
            assert!(!judged(sql, &SqlContext::default(), &shop).changes_settings, "{sql}");
        }
    }

    fn namesakes() -> Catalogue {
        let mut builder = CatalogueBuilder::new();
        let mut row = |result: usize, cells: &[&str]| {
            let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
            builder.row(result, &cells);
        };
        for (oid, schema, name) in [("20001", "a", "t"), ("20002", "b", "t"), ("20003", "a", "u")] {
            row(0, &[oid, schema, name, "r"]);
            row(1, &[oid, "1", "x", "25", "b", "S", "f", "f"]);
        }
        row(5, &["upper", "b"]);
        builder.finish().unwrap()
    }

    #[test]
    fn the_path_is_wanted_where_it_decides() {
        let (catalogue, open) = (namesakes(), SqlContext::default());
        let known = SqlContext { search_path: Some(["a".into()].into()), role: Some("r".into()), ..open.clone() };
        let wanted = |sql: &str, context: &SqlContext| judged(sql, context, &catalogue).search_path_wanted;
        assert!(wanted("SELECT x FROM t", &open) && !wanted("SELECT x FROM t", &known));
        assert!(!wanted("SELECT x FROM a.t, u", &open));
        // Behind a statement that may change it, what is known of the session holds no more.
        assert!(wanted("SET search_path = b; SELECT x FROM t", &known));
        assert!(!wanted("SELECT x FROM t; SET search_path = b", &known));
    }
}
