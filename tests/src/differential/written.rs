//! Statements that somebody thought of: what a generator would hit by luck only.

use super::{Step, Value};
use crate::mysql_raw::message;
use crate::servers::Family;
use mysql::constant::{column, command};

/// What the steps work on. Each statement is sent on its own; bodies of routines hold semicolons.
#[must_use]
pub fn schema(family: Family) -> Vec<String> {
    let own = match family {
        Family::MariaDb => "ALTER TABLE others ADD ip inet6, ADD u uuid, ADD ip4 inet4",
        _ => {
            "ALTER TABLE others ADD v vector(3), ADD jj json DEFAULT (JSON_ARRAY(1)), ADD hidden int INVISIBLE DEFAULT 7"
        }
    };
    let mut all: Vec<String> = [
        "CREATE TABLE kinds (id int AUTO_INCREMENT PRIMARY KEY, ti tinyint, tu tinyint unsigned, si smallint CHECK (si < 30000), mi mediumint,
            i int(8) zerofill, bi bigint, bu bigint unsigned, f float, d double, de decimal(30, 10), b bit(13), y year, da date, t time(3),
            dt datetime(6), ts timestamp NULL DEFAULT NULL, c char(10) CHARACTER SET latin1, vc varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE,
            vk varchar(40) CHARACTER SET koi8r, vg varchar(40) CHARACTER SET gbk, vs varchar(40) CHARACTER SET sjis, vu varchar(40) CHARACTER SET utf16,
            bn binary(8), vb varbinary(60), tx text, bl longblob, e enum('a', 'b', '\u{f6}'), s set('x', 'y', 'z'), j json, g geometry,
            gen int GENERATED ALWAYS AS (ti + 1) VIRTUAL)",
        "INSERT INTO kinds (ti, tu, si, mi, i, bi, bu, f, d, de, b, y, da, t, dt, ts, c, vc, vk, vg, vs, vu, bn, vb, tx, bl, e, s, j, g) VALUES
            (-128, 255, -32768, 8388607, 42, -9223372036854775808, 18446744073709551615, 1.5, -2.5e300, 12345678901234567890.0123456789, b'1000000000001',
             2155, '9999-12-31', '-838:59:59', '9999-12-31 23:59:59.999999', '2038-01-01 00:00:00', '\u{e9}t\u{e9}', 'Gr\u{fc}\u{df}e \u{1f6b2}', '\u{43c}\u{438}\u{440}', '\u{4f60}\u{597d}', '\u{8868}\u{793a}', '\u{1f6b2}',
             0x00ff00ff, 0x0102, REPEAT('t', 70000), REPEAT(0x00ff, 1000), '\u{f6}', 'x,z', '{\"k\": [1, 2.50, \"\\u00fc\", null]}', ST_GeomFromText('POINT(1 2)'))",
        "INSERT INTO kinds () VALUES (), ()",
        "INSERT INTO kinds (ti, c, vc, e, s, tx) VALUES (0, '', '', 'a', '', ''), (1, 'pad  ', 'b', 'b', 'x,y,z', 'x')",
        "CREATE ALGORITHM = MERGE VIEW seen AS SELECT * FROM kinds",
        "CREATE TABLE parents (id int PRIMARY KEY, name varchar(10) NOT NULL, UNIQUE KEY by_name (name))",
        "CREATE TABLE others (id int PRIMARY KEY, parent int, CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents (id))",
        own,
        "CREATE PROCEDURE several(IN n int, OUT twice int, INOUT text varchar(20)) BEGIN
            SELECT n AS n, text; SET twice = n * 2; SELECT id, vc FROM kinds WHERE id <= n ORDER BY id; SET text = CONCAT(text, '!'); INSERT INTO parents VALUES (n, text); END",
        "CREATE PROCEDURE fails(IN how int) BEGIN
            SELECT 'before' AS state;
            CASE how WHEN 1 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'signalled', MYSQL_ERRNO = 1234; WHEN 2 THEN SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'only a warning';
            WHEN 3 THEN INSERT INTO parents VALUES (1, NULL); ELSE SELECT nothing FROM nowhere; END CASE; END",
        "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2",
        "CREATE TRIGGER checks BEFORE INSERT ON parents FOR EACH ROW IF NEW.id < 0 THEN SIGNAL SQLSTATE '45001' SET MESSAGE_TEXT = 'no negative parents'; END IF",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("INSERT INTO parents VALUES (100, 'first'), (101, 'second')".to_owned());
    all
}

const BOTH: &[&str] = &[
    "",
    ";",
    " ",
    "-- only a comment",
    "SELECT 1",
    "SELECT 1;",
    "SELECT 1; ",
    "SELECT 1; SELECT 2",
    "SELECT 1;; SELECT 2",
    "SELECT 1; SELEKT; SELECT 3",
    "SET @a = 1, @b = 'x'; SELECT @a, @b; SET @a = NULL; SELECT @a",
    "CALL several(2, @twice, @text)",
    "SELECT @twice, @text",
    "SET @text = 'in'; CALL several(3, @twice, @text); SELECT @twice, @text",
    "CALL several(3, @twice, @text)",
    "CALL fails(1)",
    "CALL fails(2)",
    "CALL fails(3)",
    "CALL fails(4)",
    "CALL fails(1); SELECT 'never'",
    "CALL no_such()",
    "SELECT twice(id) FROM kinds ORDER BY id LIMIT 3",
    "INSERT INTO parents VALUES (-1, 'x')",
    "INSERT INTO parents VALUES (100, 'x')",
    "INSERT INTO parents VALUES (200, 'first')",
    "INSERT INTO parents VALUES (201, NULL)",
    "INSERT INTO parents VALUES (202, 'longer than ten')",
    "INSERT IGNORE INTO parents VALUES (203, 'longer than ten'), (100, 'again'), (204, NULL)",
    "INSERT INTO parents VALUES (1, 'a', 'b')",
    "INSERT INTO parents (nothing) VALUES (1)",
    "INSERT INTO others (id, parent) VALUES (1, 999)",
    "INSERT INTO others (id, parent) VALUES (1, 100), (2, 101)",
    "DELETE FROM parents WHERE id = 100",
    "UPDATE parents SET name = name",
    "UPDATE parents SET name = CONCAT(name, '.') WHERE id > 100 LIMIT 1",
    "INSERT INTO parents SELECT id + 1000, CONCAT('p', id) FROM kinds LIMIT 3",
    "DELETE p, o FROM parents p JOIN others o ON o.parent = p.id WHERE p.id = 101",
    "UPDATE kinds SET si = 30001 WHERE id = 1",
    "SELECT 1 / 0, 5 DIV 0, MOD(1, 0)",
    "SELECT CAST('12x' AS SIGNED), CAST('' AS DATE), 'a' + 1",
    "SHOW WARNINGS",
    "SHOW COUNT(*) WARNINGS",
    "SHOW ERRORS",
    "SELECT @@warning_count, @@error_count",
    "SELECT nothing",
    "SELECT * FROM nowhere",
    "SELECT * FROM nowhere.nothing",
    "SELECT id, COUNT(*) FROM kinds",
    "SELECT (SELECT id FROM kinds)",
    "SELECT 'a' COLLATE latin1_bin",
    "SELECT _latin1'a' COLLATE utf8mb4_bin = 'b'",
    "SELECT EXTRACTVALUE('<a>1</a>', '/a['), UPDATEXML('<a/>', '/a', 'b')",
    "SELECT JSON_EXTRACT('{', '$')",
    "SELECT ST_GeomFromText('POINT(1')",
    "SELECT ~0 + 1",
    "SELECT 9223372036854775807 + 1",
    "SELECT POW(10, 400)",
    "USE no_such_database",
    "SELECT SQL_CALC_FOUND_ROWS id FROM kinds LIMIT 1",
    "SELECT FOUND_ROWS(), ROW_COUNT()",
    "SELECT id INTO @got FROM kinds WHERE id = 1",
    "SELECT id INTO @got FROM kinds WHERE id = 0",
    "SELECT id INTO @got FROM kinds",
    "SELECT @got",
    "PREPARE p FROM 'SELECT id, ? AS given FROM kinds ORDER BY id LIMIT 2'",
    "EXECUTE p USING @got",
    "EXECUTE p",
    "DEALLOCATE PREPARE p",
    "EXECUTE p",
    "HANDLER kinds OPEN",
    "HANDLER kinds READ FIRST",
    "HANDLER kinds READ `PRIMARY` = (2)",
    "HANDLER kinds CLOSE",
    "HANDLER kinds CLOSE",
    "CREATE TEMPORARY TABLE scratch SELECT id, vc, dt FROM kinds",
    "SELECT * FROM scratch ORDER BY id",
    "ALTER TABLE scratch ADD COLUMN added varchar(5) DEFAULT 'x', DROP COLUMN dt",
    "SELECT * FROM scratch ORDER BY id",
    "TRUNCATE scratch",
    "SELECT * FROM scratch",
    "DROP TABLE scratch",
    "DROP TABLE scratch",
    "DROP TABLE IF EXISTS scratch",
    "CREATE TABLE parents (id int)",
    "CREATE TABLE IF NOT EXISTS parents (id int)",
    "DESCRIBE kinds",
    "SHOW FULL COLUMNS FROM kinds",
    "SHOW CREATE TABLE parents",
    "SHOW CREATE VIEW seen",
    "SHOW CREATE PROCEDURE fails",
    "SHOW TABLES",
    "SHOW VARIABLES LIKE 'character_set_c%'",
    "SHOW COLLATION LIKE 'latin1%'",
    "SHOW CHARACTER SET LIKE 'utf%'",
    "SELECT table_name, column_name, data_type, character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, ordinal_position",
    "BEGIN; INSERT INTO parents VALUES (300, 't'); SELECT * FROM parents WHERE id = 300; ROLLBACK; SELECT COUNT(*) FROM parents WHERE id = 300",
    "START TRANSACTION READ ONLY",
    "INSERT INTO parents VALUES (301, 'ro')",
    "COMMIT",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "ROLLBACK TO b",
    "ROLLBACK",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "LOCK TABLES parents READ",
    "INSERT INTO parents VALUES (302, 'locked')",
    "SELECT COUNT(*) FROM kinds",
    "UNLOCK TABLES",
    "SET SESSION session_track_schema = ON, session_track_state_change = ON, session_track_system_variables = 'lc_time_names,net_write_timeout,sql_mode'",
    "SET @x = 5",
    "SET lc_time_names = 'de_DE', net_write_timeout = 61",
    "SET SESSION session_track_state_change = OFF, session_track_system_variables = 'time_zone,autocommit,character_set_client,character_set_results,character_set_connection'",
    "SET no_such_variable = 1",
    "SET time_zone = 'nowhere'",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET NAMES no_such_set",
    "SET timestamp = 1700000000",
    "SELECT NOW(), CURRENT_DATE, UTC_TIMESTAMP(3), CURDATE() + INTERVAL 1 DAY",
    "SELECT /*!50000 'version comment' */ AS c, /*! 1 + */ 1",
    "SELECT 'a' 'b' \"c\", 'it''s', `id` FROM kinds LIMIT 1",
    "SELECT REPEAT('x', 250), REPEAT('x', 251), REPEAT('x', 65535), REPEAT('x', 65536)",
    "SELECT REPEAT('x', 16777210)",
    "SELECT REPEAT('x', 16777211), 1",
    "SELECT '' AS ``",
    "SELECT 1 AS `a\u{1f6b2}b`, 2 AS ''",
    "DO 1",
    "DO SLEEP(0)",
    "CHECK TABLE parents",
    "CHECKSUM TABLE parents",
    "OPTIMIZE TABLE no_such_table",
    "LOAD DATA INFILE '/no/such/file' INTO TABLE parents",
    "SELECT LOAD_FILE('/no/such/file')",
    "GRANT nothing ON x TO y",
    "DROP PROCEDURE no_such",
    "EXPLAIN SELECT 1",
    "SELECT BENCHMARK(2, 1), GET_LOCK('l', 0) IS NOT NULL, RELEASE_LOCK('never taken')",
];

const MARIADB: &[&str] = &[
    "EXECUTE IMMEDIATE 'SELECT ? AS immediate' USING 5",
    "INSERT INTO parents VALUES (400, 'r'), (401, 's') RETURNING id, UPPER(name) AS upper",
    "DELETE FROM parents WHERE id >= 400 RETURNING *",
    "CREATE SEQUENCE counter START WITH 5",
    "SELECT NEXT VALUE FOR counter, LASTVAL(counter)",
    "DROP SEQUENCE counter",
    "INSERT INTO others (id, ip, u, ip4) VALUES (50, '::1', '123e4567-e89b-12d3-a456-426655440000', '10.0.0.1')",
    "SELECT * FROM others",
    "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
    "SELECT 1 FROM DUAL /*M! WHERE 1 */",
    "SET STATEMENT max_statement_time = 5 FOR SELECT 'limited'",
    "SELECT JSON_DETAILED('[1]'), JSON_VALUE('{\"a\": 1}', '$.a')",
    "WITH c AS (VALUES (1, 'a'), (2, 'b')) SELECT * FROM c",
    "CREATE TABLE versions (x int) WITH SYSTEM VERSIONING",
    "SELECT x FROM versions FOR SYSTEM_TIME ALL",
    "DROP TABLE versions",
    "GET DIAGNOSTICS @n = NUMBER",
];

const MYSQL: &[&str] = &[
    "INSERT INTO others (id, v) VALUES (50, TO_VECTOR('[1, 2, 3]'))",
    "SELECT *, hidden FROM others",
    "SELECT VECTOR_TO_STRING(v) FROM others",
    "TABLE parents ORDER BY id LIMIT 2",
    "VALUES ROW(1, 'a'), ROW(2, 'b')",
    "SELECT * FROM JSON_TABLE('[{\"a\": 1}, {\"a\": null}]', '$[*]' COLUMNS (n FOR ORDINALITY, a int PATH '$.a')) AS t",
    "SELECT id FROM parents INTERSECT SELECT 100",
    "SELECT /*+ SET_VAR(sort_buffer_size = 262144) NO_SUCH_HINT(x) */ id FROM parents LIMIT 1",
    "EXPLAIN FORMAT=TREE SELECT 1",
    "SET PERSIST_ONLY no_such_variable = 1",
    "SELECT JSON_PRETTY('[1]'), JSON_VALUE('{\"a\": 1}', '$.a' RETURNING SIGNED)",
];

fn text(bytes: &[u8]) -> Value {
    let mut out = Vec::new();
    mysql::lenenc::push_string(&mut out, bytes);
    Value::Any(column::VAR_STRING, 0, out)
}

fn int(value: i64) -> Value {
    Value::Any(column::LONGLONG, 0, value.to_le_bytes().to_vec())
}

/// The steps for a server, those that need no order of their own as text first and prepared after.
#[must_use]
pub fn steps(family: Family) -> Vec<Step> {
    let own = if family == Family::MariaDb { MARIADB } else { MYSQL };
    let mut steps = vec![Step::query("SET timestamp = 1700000000")];
    steps.extend(BOTH.iter().chain(own).map(|sql| Step::query(sql)));
    steps.extend(BOTH.iter().chain(own).map(|sql| Step::prepared(sql)));
    let prepared = |sql: &str, rounds: Vec<Vec<Value>>, rows| Step::Prepared(sql.as_bytes().to_vec(), rounds, rows);
    steps.extend([
        // Out parameters come as a result of their own.
        prepared(
            "CALL several(?, ?, ?)",
            vec![vec![int(1), Value::Null, text(b"a")], vec![int(2), Value::Null, text(b"b")]],
            0,
        ),
        prepared("CALL fails(?)", vec![vec![int(1)], vec![int(2)], vec![int(9)]], 0),
        prepared(
            "SELECT * FROM kinds WHERE id <= ? ORDER BY id",
            vec![vec![int(3)], vec![int(0)], vec![text(b"2")]],
            0,
        ),
        prepared("SELECT * FROM kinds WHERE id <= ? ORDER BY id", vec![vec![int(30)], vec![int(2)]], 2),
        prepared(
            "INSERT INTO parents VALUES (?, ?)",
            vec![vec![int(500), text(b"x")], vec![int(500), text(b"y")], vec![int(501), Value::Null]],
            0,
        ),
        prepared("SELECT ?, ?, ?", vec![vec![text(b"\xff\xfe"), Value::Null, int(-1)]], 0),
        Step::Query(b"SELECT 'gr\xfc\xdfe', '\xff'".to_vec()),
        Step::query("SET NAMES latin1"),
        Step::Query(b"SELECT 'gr\xfc\xdfe', LENGTH('\xfc'), vc FROM kinds ORDER BY id LIMIT 2".to_vec()),
        Step::query("SET NAMES utf8mb4"),
        Step::Command(message::simple(command::INIT_DB, b"information_schema")),
        Step::query("SELECT DATABASE()"),
        Step::Command(message::simple(command::RESET_CONNECTION, b"")),
        Step::query("SELECT DATABASE(), @a, @@autocommit, @@character_set_client"),
        Step::Command(message::simple(command::SET_OPTION, b"\x01\0")),
        Step::query("SELECT 1; SELECT 2"),
        Step::Command(message::simple(command::SET_OPTION, b"\0\0")),
        Step::Command(message::simple(command::SET_OPTION, b"\x09\0")),
        Step::Command(message::simple(command::FIELD_LIST, b"no_such\0%")),
    ]);
    steps
}
