//! What a MySQL session's settings mean for reading its statements.
//!
//! They come under MySQL's own names: at login from the set-up, later from session tracking. A setting that
//! cannot be followed leaves the dialect unknown, and then nothing is read.

use policy::config::Protocol;
use policy::snapshot::Snapshot;
use policy::sql::Dialect;
use policy::sql::mysql::MySql;
use policy::statement::{ClientEncoding, SqlContext};

use crate::facts::SessionFacts;

/// The context of a session of which nothing is known but its listener.
pub(super) fn beginning(policy: &Snapshot, facts: &SessionFacts) -> SqlContext {
    let protocol = policy.config().listeners.get(facts.listener).map(|listener| listener.protocol);
    match protocol {
        Some(Protocol::MySql) => SqlContext {
            dialect: Dialect::Unknown,
            encoding: ClientEncoding::Unsafe,
            search_path: path(&facts.database),
            ..SqlContext::default()
        },
        _ => SqlContext::default(),
    }
}

/// The context of a session that was reset, until its settings are read again; `None` for one of PostgreSQL.
pub(super) fn forgotten(context: &SqlContext, version: &[u8]) -> Option<SqlContext> {
    if context.dialect == Dialect::Postgres {
        return None;
    }
    let dialect = MySql::of_version(version).map_or(Dialect::Unknown, Dialect::MySql);
    Some(SqlContext { dialect, encoding: ClientEncoding::Unsafe, ..context.clone() })
}

/// The context after a setting of MySQL's took a value; `None` where it is none of those that matter.
pub(super) fn learned(context: &SqlContext, name: &[u8], value: &[u8]) -> Option<SqlContext> {
    if context.dialect == Dialect::Postgres {
        return None;
    }
    let mut changed = context.clone();
    match name {
        b"version" => changed.dialect = MySql::of_version(value).map_or(Dialect::Unknown, Dialect::MySql),
        b"sql_mode" => changed.dialect = in_mode(context.dialect, value),
        b"character_set_client" => changed.encoding = ClientEncoding::named_by_mysql(value),
        b"schema" => changed.search_path = path(value),
        _ => return None,
    }
    Some(changed)
}

/// The dialect under an `sql_mode`.
fn in_mode(dialect: Dialect, modes: &[u8]) -> Dialect {
    let Dialect::MySql(rules) = dialect else { return dialect };
    let has = |mode: &str| modes.split(|byte| *byte == b',').any(|found| found.eq_ignore_ascii_case(mode.as_bytes()));
    if has("ORACLE") {
        // Another grammar.
        return Dialect::Unknown;
    }
    Dialect::MySql(MySql {
        ansi_quotes: has("ANSI_QUOTES"),
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        ..rules
    })
}

/// Names without a database mean the one in use.
fn path(database: &[u8]) -> Option<std::sync::Arc<[Box<str>]>> {
    let name = std::str::from_utf8(database).ok()?.to_ascii_lowercase();
    Some(std::sync::Arc::from([Box::from(name)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_mysql_say_how_statements_are_read() {
        let unknown =
            SqlContext { dialect: Dialect::Unknown, encoding: ClientEncoding::Unsafe, ..SqlContext::default() };
        let version = learned(&unknown, b"version", b"9.7.4").unwrap();
        let Dialect::MySql(rules) = version.dialect else { panic!() };
        assert!(!rules.mariadb && !rules.ansi_quotes);
        let mode = learned(&version, b"sql_mode", b"STRICT_TRANS_TABLES,ANSI_QUOTES").unwrap();
        let Dialect::MySql(rules) = mode.dialect else { panic!() };
        assert!(rules.ansi_quotes && !rules.no_backslash_escapes);
        assert_eq!(learned(&mode, b"sql_mode", b"ORACLE").unwrap().dialect, Dialect::Unknown);
        assert_eq!(learned(&mode, b"character_set_client", b"utf8mb4").unwrap().encoding, ClientEncoding::Utf8);
        assert_eq!(learned(&mode, b"character_set_client", b"gbk").unwrap().encoding, ClientEncoding::Unsafe);
        assert_eq!(learned(&mode, b"schema", b"Shop").unwrap().search_path.unwrap()[0].as_ref(), "shop");
        assert_eq!(learned(&mode, b"autocommit", b"ON"), None);
        let reset = forgotten(&mode, b"9.7.4").unwrap();
        assert_eq!((reset.dialect, reset.encoding), (version.dialect, ClientEncoding::Unsafe));
        assert_eq!(forgotten(&SqlContext::default(), b"9.7.4"), None);
        assert_eq!(learned(&SqlContext::default(), b"sql_mode", b"ORACLE"), None);
    }
}
