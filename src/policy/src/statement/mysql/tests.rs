//! What is read of MySQL's and MariaDB's statements by their tokens.

use super::super::carriers;
use super::super::kind::KindSet;
use super::*;
use crate::sql::mysql::MySql;

const MARIADB: MySql = MySql { mariadb: true, version: 101_119, ansi_quotes: false, no_backslash_escapes: false };

fn opened(text: &str) -> Carried {
    let lexed =
        Lexed::new(text.as_bytes(), LexOptions { dialect: Dialect::MySql(MARIADB), ..LexOptions::default() }).unwrap();
    carriers::open(Tokens::new(&lexed), 0..lexed.tokens().len())
}

fn kinds(text: &str) -> String {
    opened(text).kinds.to_string()
}

#[test]
fn statements_have_the_kinds_of_what_they_do() {
    for (text, expected) in [
        ("REPLACE INTO t VALUES (1)", "insert"),
        ("drop /*!50000 table */ t", "drop table"),
        ("CREATE DEFINER = `a`@`%` PROCEDURE p() DELETE FROM t", "create function, delete"),
        ("CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v AS SELECT 1", "create view, select"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO TRUNCATE t", "create rule, do, truncate"),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "copy from"),
        ("RENAME TABLE a TO b", "alter table"),
        ("USE shop", "set"),
        ("DESCRIBE customers", "show"),
        ("KILL QUERY 5", "discard"),
        ("SET PASSWORD FOR a = 'x'", "alter role"),
        ("START TRANSACTION", "begin"),
        ("STOP SLAVE", "alter system"),
    ] {
        assert_eq!(kinds(text), expected, "{text}");
    }
    assert!(opened("SELECT 1 INTO OUTFILE 'x'").kinds.meets(KindSet::of(Kind::COPY_TO)));
    assert!(opened("CREATE TABLE t SELECT * FROM u").kinds.meets(KindSet::of(Kind::CREATE_TABLE_AS)));
    assert!(opened("SELECT @a := card FROM customers").kinds.meets(KindSet::of(Kind::CREATE_TABLE_AS)));
    assert!(opened("ANALYZE DELETE FROM t").kinds.meets(KindSet::of(Kind::DELETE)));
    assert_eq!(opened("FROBNICATE t").leading, Some(Kind::UNKNOWN));
}

#[test]
fn text_that_is_run_from_elsewhere_is_opaque() {
    for text in [
        "PREPARE s FROM 'DROP TABLE t'",
        "PREPARE s FROM @v",
        "EXECUTE IMMEDIATE 'DROP TABLE t'",
        "HANDLER t READ FIRST",
        "SET @a = (SELECT card FROM customers LIMIT 1)",
        "SET STATEMENT max_statement_time=1 FOR SELECT 1",
        "SET sql_mode = 'ANSI_QUOTES'",
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
        "SET NAMES gbk",
        "SET character_set_client = 'sjis'",
        "SET session_track_system_variables = '', sql_mode = 'ANSI'",
        "BEGIN NOT ATOMIC SET session_track_system_variables = ''; END",
        "SET sql_mode = CONCAT(@@session_track_system_variables, ',STRICT_TRANS_TABLES')",
    ] {
        assert!(opened(text).opaque.is_some(), "{text}");
    }
    for text in [
        "SET NAMES utf8mb4",
        "SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
        "SET sql_mode = ''",
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')",
        "SET session_track_schema=1, session_track_system_variables = CONCAT(@@session_track_system_variables, ',transaction_isolation')",
        "SET @@session.session_track_system_variables = CONCAT(@@session.session_track_system_variables, ',a'), autocommit = 1",
        "SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO'",
        "SET autocommit = 1",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SELECT 1",
    ] {
        assert_eq!(opened(text).opaque, None, "{text}");
    }
}

#[test]
fn settings_that_have_to_be_asked_for_are_known() {
    for (text, unsettles) in [
        ("SET session_track_system_variables = ''", true),
        ("SET autocommit=1, session_track_system_variables='auto_increment_increment' , sql_mode=''", true),
        ("SET @@session_track_system_variables = ?", true),
        ("SET session_track_system_variables = CONCAT(@@global.session_track_system_variables, ',x')", true),
        ("SET session_track_system_variables = CONCAT(@@sql_mode, ',x')", true),
        ("SET SQL_MODE=@OLD_SQL_MODE", true),
        ("SET character_set_client = @@global.character_set_client", true),
        ("SET session_track_system_variables = CONCAT(@@session_track_system_variables, ',x')", false),
        ("SET session_track_schema = OFF", true),
        ("SET session_track_gtids = 'OWN_GTID', sql_mode = 'STRICT_ALL_TABLES'", false),
        ("SET sql_mode = REVERSE('SETOUQ_ISNA')", true),
        ("SET sql_mode = 'ANSI_' 'QUOTES'", true),
        ("SET sql_mode = 'ANSI_' || 'QUOTES', @a = 1", true),
        ("SET sql_mode = REPLACE(@@sql_mode, 'STRICT_ALL_TABLES', ''), @a = 1", true),
        ("SET NAMES utf8mb4", false),
        ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin', @a = LOWER('x' 'y')", false),
        ("SELECT @@session_track_system_variables", false),
    ] {
        let found = opened(text);
        assert_eq!((found.unsettles, found.opaque), (unsettles, None), "{text}");
    }
}

#[test]
fn the_connections_that_are_to_be_killed_are_found() {
    let context = SqlContext { dialect: Dialect::MySql(MARIADB), ..SqlContext::default() };
    let found = |text: &str| killed(text.as_bytes(), &context);
    assert_eq!(found("KILL 5; SELECT 1; kill /*!50000 hard */ query 7"), [Some(5), Some(7)]);
    assert_eq!(found("KILL @a"), [None]);
    assert_eq!(found("KILL USER ana"), [None]);
    assert_eq!(found("KILL 5 + 1"), [None]);
    assert_eq!(found("SELECT 'KILL 5', t.kill, @kill, `kill` FROM t"), []);
    assert_eq!(found("BEGIN NOT ATOMIC KILL 5; END"), [None]);
    assert_eq!(found("CREATE PROCEDURE p() BEGIN IF 1 THEN KILL 5; END IF; END"), [None]);
    assert_eq!(found("PREPARE s FROM 'KILL 5'"), [None]);
    assert_eq!(found("EXECUTE IMMEDIATE 'kill query 5'"), [None]);
    assert_eq!(killed(b"KILL 5", &SqlContext::default()), []);
}

#[test]
fn side_doors_are_noticed() {
    for text in [
        "SHOW FULL PROCESSLIST",
        "SELECT * FROM information_schema.processlist",
        "SHOW WARNINGS",
        "SELECT sql_text FROM performance_schema.events_statements_history",
        "SELECT load_file('/etc/passwd')",
    ] {
        assert!(opened(text).side_door, "{text}");
    }
    for text in ["SHOW TABLES", "SELECT 1", "SELECT mysql FROM t"] {
        assert!(!opened(text).side_door, "{text}");
    }
}

#[test]
fn options_of_explain_are_passed_over() {
    assert_eq!(kinds("ANALYZE FORMAT=JSON UPDATE t SET a = 1"), "explain, explain analyze, update");
    assert_eq!(kinds("EXPLAIN FORMAT = tree SELECT 1"), "explain");
    for (text, expected) in [
        ("EXPLAIN SELECT 1", false),
        ("EXPLAIN FORMAT=TRADITIONAL SELECT 1", false),
        ("EXPLAIN FORMAT=JSON SELECT 1", true),
        ("ANALYZE FORMAT='json' SELECT 1", true),
    ] {
        assert_eq!(opened(text).plan_shows_values, expected, "{text}");
    }
}

#[test]
fn a_plan_in_a_variable_cannot_be_seen() {
    assert!(opened("EXPLAIN FORMAT=JSON INTO @e SELECT 1").opaque.is_some());
    assert!(opened("EXPLAIN SELECT 1").opaque.is_none() && !opened("EXPLAIN people").side_door);
}

#[test]
fn values_that_go_into_variables_count_as_copies() {
    for text in ["CALL p(@a)", "GET DIAGNOSTICS CONDITION 1 @t = MESSAGE_TEXT", "SELECT 1 WHERE (@v := 1)"] {
        assert!(opened(text).kinds.meets(KindSet::of(Kind::CREATE_TABLE_AS)), "{text}");
    }
    assert!(!opened("CALL p(1)").kinds.meets(KindSet::of(Kind::CREATE_TABLE_AS)));
}

#[test]
fn the_table_that_is_loaded_is_known() {
    for (text, expected) in [
        ("LOAD DATA LOCAL INFILE 'into table x' REPLACE INTO TABLE Shop.`Box` (a)", Some("Shop.Box")),
        ("LOAD XML INFILE 'f' INTO TABLE box", Some("box")),
        ("LOAD INDEX INTO CACHE t", None),
        ("INSERT INTO t TABLE box", None),
    ] {
        let options = LexOptions { dialect: Dialect::MySql(MARIADB), ..LexOptions::default() };
        let lexed = Lexed::new(text.as_bytes(), options).unwrap();
        let (tokens, all) = (Tokens::new(&lexed), 0..lexed.tokens().len());
        let found = loaded(tokens, all.clone(), &carriers::open(tokens, all)).map(|name| name.to_string());
        let same = |expected: &str| found.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(expected));
        assert!(expected.map_or(found.is_none(), same), "{text}: {found:?}");
    }
}

#[test]
fn files_of_the_server_are_a_class() {
    let file = KindSet::of(Kind::FILE_ACCESS);
    for text in ["LOAD DATA INFILE 'f' INTO TABLE t", "SELECT 1 INTO OUTFILE 'f'", "SELECT 1 INTO DUMPFILE 'f'"] {
        assert!(opened(text).kinds.meets(file), "{text}");
    }
    assert!(!opened("LOAD DATA LOCAL INFILE 'f' INTO TABLE t").kinds.meets(file));
}

#[test]
fn modes_that_are_added_leave_texts_as_they_are_read() {
    assert!(opened("SET @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), @a = 1").opaque.is_none());
    for text in [
        "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
        "SET sql_mode = CONCAT(@@sql_mode, @x)",
        "SET sql_mode = CONCAT('AN', 'SI')",
        "SET sql_mode = IF(TRUE, 'ANSI_QUOTES', '')",
        "SET sql_mode = CONCAT_WS(',', 'STRICT_ALL_TABLES', 'NO_BACKSLASH_ESCAPES')",
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES', @x)",
    ] {
        assert!(opened(text).opaque.is_some(), "{text}");
    }
}

#[test]
fn texts_that_tell_of_the_last_statement_are_known() {
    let context = SqlContext { dialect: Dialect::MySql(MARIADB), ..SqlContext::default() };
    for text in ["SELECT ROW_COUNT()", "show WARNINGS", "SELECT found_rows() AS n"] {
        assert!(may_tell_of_last(text.as_bytes()), "{text}");
    }
    assert!(!may_tell_of_last(b"SELECT 1"));
    for text in ["SELECT ROW_COUNT(), LAST_INSERT_ID() AS id;", "select @@identity"] {
        assert!(shows_own_numbers(text.as_bytes(), &context), "{text}");
    }
    for text in [
        "SELECT ROW_COUNT(), ssn FROM t",
        "SELECT LAST_INSERT_ID(pay) FROM t",
        "SELECT 1; SELECT 2",
        "SELECT ROW_COUNT(",
        "",
    ] {
        assert!(!shows_own_numbers(text.as_bytes(), &context), "{text}");
    }
}
