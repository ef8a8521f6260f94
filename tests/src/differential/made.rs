//! Statements from a seed over the table `kinds`, which has a column of every type: expressions, queries,
//! writes that fail and writes that do not, in text and binary, by one message or several.

use super::{Step, Value};
use crate::corpus::random::Dice;
use crate::mysql_raw::message;
use crate::servers::Family;
use mysql::constant::{column, command};
use mysql::lenenc;

/// Columns of `kinds` that both servers have.
const COLUMNS: &[&str] = &[
    "id", "ti", "tu", "si", "mi", "i", "bi", "bu", "f", "d", "de", "b", "y", "da", "t", "dt", "ts", "c", "vc", "vk",
    "vg", "vs", "vu", "bn", "vb", "tx", "bl", "e", "s", "j", "g", "gen",
];

/// Those that take a value.
const WRITABLE: &[&str] = &[
    "ti", "tu", "si", "mi", "i", "bi", "bu", "f", "d", "de", "b", "y", "da", "t", "dt", "ts", "c", "vc", "vk", "vg",
    "vs", "vu", "bn", "vb", "tx", "bl", "e", "s", "j", "g",
];

/// Literals of every kind, right and wrong ones for most columns.
const LITERALS: &[&str] = &[
    "NULL",
    "0",
    "1",
    "-1",
    "127",
    "128",
    "255",
    "256",
    "32767",
    "-32769",
    "8388607",
    "2147483648",
    "-9223372036854775808",
    "18446744073709551615",
    "1.5",
    "-0.000000001",
    "12345678901234567890.123456789",
    "1e10",
    "-1.5e-30",
    "1e308",
    "TRUE",
    "b'1010101'",
    "0xDEADBEEF",
    "x''",
    "''",
    "'a'",
    "'b,a'",
    "'x,z'",
    "'12'",
    "'12abc'",
    "'-0'",
    "' leading'",
    "'2024-02-29'",
    "'2023-02-29'",
    "'0000-00-00'",
    "'2024-02-29 23:59:59.999999'",
    "'838:59:59'",
    "'-12:34:56.789'",
    "'25:61:61'",
    "DATE '2024-12-31'",
    "TIME '10:11:12'",
    "TIMESTAMP '2024-06-01 12:00:00.123'",
    "2155",
    "1900",
    "'{\"a\": [1, 2.5, null, \"x\"]}'",
    "'[1,'",
    "'true'",
    "ST_GeomFromText('POINT(1 2)')",
    "ST_GeomFromText('LINESTRING(0 0,1 1,2 3)')",
    "'gr\u{fc}\u{df}e'",
    "'\u{6771}\u{4eac}'",
    "'\u{1f6b2}'",
    "_latin1 0xE9",
    "_utf8mb4 'abc' COLLATE utf8mb4_bin",
    "_binary 'bytes'",
    "REPEAT('r', 300)",
    "REPEAT('long', 20000)",
    "'quote''d \"and\" back\\\\slash'",
    "'line\\nbreak\\ttab\\0nul'",
    "N'national'",
    "'11111111111111111111111111111111111111111111111111111111111111111'",
];

const CHARACTER_SETS: &[&str] =
    &["utf8mb4", "latin1", "utf8mb3", "cp1251", "koi8r", "ascii", "binary", "gbk", "sjis", "big5", "euckr"];

const COLLATIONS: &[&str] = &[
    "utf8mb4_bin",
    "utf8mb4_general_ci",
    "utf8mb4_unicode_ci",
    "utf8mb4_swedish_ci",
    "utf8mb4_turkish_ci",
    "utf8mb4_unicode_520_ci",
    "latin1_german2_ci",
    "binary",
];

const CASTS: &[&str] = &[
    "SIGNED",
    "UNSIGNED",
    "CHAR",
    "CHAR(3)",
    "CHAR(5) CHARACTER SET latin1",
    "BINARY",
    "BINARY(4)",
    "DATE",
    "TIME",
    "TIME(2)",
    "DATETIME",
    "DATETIME(6)",
    "DECIMAL(10, 3)",
    "DECIMAL(65, 30)",
    "DOUBLE",
    "FLOAT",
];

const SQL_MODES: &[&str] = &[
    "",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO",
    "ONLY_FULL_GROUP_BY",
    "NO_BACKSLASH_ESCAPES",
    "ANSI_QUOTES",
    "PIPES_AS_CONCAT",
    "PAD_CHAR_TO_FULL_LENGTH",
    "NO_UNSIGNED_SUBTRACTION",
    "ALLOW_INVALID_DATES",
];

/// Expressions with `?` where a value goes. Functions of geometry are not among them: given a text, MySQL 9.7 may crash.
const FUNCTIONS: &[&str] = &[
    "? + ?",
    "? - ?",
    "? * ?",
    "? / ?",
    "? DIV ?",
    "? % ?",
    "-(?)",
    "~(?)",
    "? & ?",
    "? << 3",
    "? = ?",
    "? <=> ?",
    "? < ?",
    "? LIKE ?",
    "? IS NULL",
    "NOT (?)",
    "? AND ?",
    "CONCAT(?, ?)",
    "CONCAT_WS('-', ?, ?, ?)",
    "UPPER(?)",
    "LOWER(?)",
    "LENGTH(?)",
    "CHAR_LENGTH(?)",
    "HEX(?)",
    "QUOTE(?)",
    "REVERSE(?)",
    "LEFT(?, 5)",
    "SUBSTR(?, 2, 3)",
    "TRIM(?)",
    "LPAD(?, 12, '*')",
    "REPLACE(?, 'a', '\u{fc}')",
    "ASCII(?)",
    "ABS(?)",
    "ROUND(?, 2)",
    "TRUNCATE(?, 1)",
    "CEILING(?)",
    "SQRT(?)",
    "POW(?, 2)",
    "MOD(?, 7)",
    "FORMAT(?, 3)",
    "CONV(?, 10, 16)",
    "CRC32(?)",
    "SHA1(?)",
    "SHA2(?, 256)",
    "IF(?, ?, ?)",
    "IFNULL(?, ?)",
    "NULLIF(?, ?)",
    "COALESCE(NULL, ?, ?)",
    "CASE WHEN ? THEN ? ELSE ? END",
    "GREATEST(?, ?)",
    "LEAST(?, ?, ?)",
    "FIELD(?, ?, ?)",
    "ELT(2, ?, ?)",
    "INTERVAL(?, 1, 5)",
    "DATE_ADD(?, INTERVAL 1 MONTH)",
    "DATEDIFF(?, ?)",
    "DATE_FORMAT(?, '%Y-%m-%d %H:%i:%s.%f %W')",
    "STR_TO_DATE(?, '%Y-%m-%d')",
    "TIME_TO_SEC(?)",
    "SEC_TO_TIME(?)",
    "MAKEDATE(2024, ?)",
    "TIMESTAMPADD(SECOND, 90, ?)",
    "UNIX_TIMESTAMP(?)",
    "FROM_UNIXTIME(1700000000 + 0)",
    "LAST_DAY(?)",
    "JSON_OBJECT('k', ?)",
    "JSON_ARRAY(?, ?)",
    "JSON_EXTRACT(?, '$.a')",
    "JSON_VALID(?)",
    "JSON_TYPE(?)",
    "JSON_SET('{}', '$.x', ?)",
    "INET_ATON(?)",
    "INET6_ATON(?)",
    "UNHEX(?)",
    "TO_BASE64(?)",
    "BIT_COUNT(?)",
    "STRCMP(?, ?)",
    "? REGEXP 'a|1'",
    "? BETWEEN ? AND ?",
    "? IN (?, ?, NULL)",
    "EXTRACTVALUE(?, '/a')",
    "(SELECT ?)",
    "EXISTS (SELECT ?)",
    "@v := ?",
    "CHARSET(?)",
    "COLLATION(?)",
    "COERCIBILITY(?)",
];

/// Makes steps.
#[derive(Clone, Debug)]
pub struct Maker {
    dice: Dice,
    family: Family,
}

impl Maker {
    /// Steps for a server; the same seed gives the same ones.
    #[must_use]
    pub fn new(seed: u64, family: Family) -> Self {
        Self { dice: Dice::new(seed), family }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        match self.dice.below(20) {
            0..=5 => {
                let sql = self.expressions();
                self.either(&sql)
            }
            6..=9 => {
                let sql = self.select();
                self.either(&sql)
            }
            10..=13 => {
                let sql = self.write();
                self.either(&sql)
            }
            14 => {
                let parts = [self.expressions(), self.write(), self.select(), self.expressions()];
                Step::query(&parts.join("; "))
            }
            15 | 16 => self.bound(),
            17 => self.cursor(),
            18 => Step::query(&self.setting()),
            _ => self.command(),
        }
    }

    /// As text or prepared.
    fn either(&mut self, sql: &str) -> Step {
        if self.dice.one_in(2) { Step::prepared(sql) } else { Step::query(sql) }
    }

    fn literal(&mut self) -> String {
        (*self.dice.pick(LITERALS)).to_owned()
    }

    fn expression(&mut self, depth: usize) -> String {
        match self.dice.below(8) {
            0 | 1 if depth > 0 => self.literal(),
            2 => format!("CAST({} AS {})", self.inner(depth), self.cast()),
            3 => format!("CONVERT({} USING {})", self.inner(depth), self.dice.pick(CHARACTER_SETS)),
            4 => format!("{} COLLATE {}", self.literal(), self.dice.pick(COLLATIONS)),
            _ => {
                let form = *self.dice.pick(FUNCTIONS);
                let mut text = String::new();
                for (at, part) in form.split('?').enumerate() {
                    if at > 0 {
                        text.push_str(&self.inner(depth));
                    }
                    text.push_str(part);
                }
                text
            }
        }
    }

    fn inner(&mut self, depth: usize) -> String {
        if depth == 0 { self.literal() } else { format!("({})", self.expression(depth - 1)) }
    }

    fn cast(&mut self) -> &'static str {
        let picked: &&'static str = self.dice.pick(CASTS);
        picked
    }

    fn expressions(&mut self) -> String {
        let count = 1 + self.dice.below(3);
        let list: Vec<String> = (0..count)
            .map(|at| {
                let expression = self.expression(1);
                if self.dice.one_in(2) { format!("{expression} AS c{at}") } else { expression }
            })
            .collect();
        format!("SELECT {}", list.join(", "))
    }

    fn some_columns(&mut self) -> Vec<&'static str> {
        let count = 1 + self.dice.below(8);
        (0..count).map(|_| *self.dice.pick(COLUMNS)).collect()
    }

    fn select(&mut self) -> String {
        let columns = self.some_columns();
        let first = columns.first().copied().unwrap_or("id");
        let limit = self.dice.below(30);
        let id = 1 + self.dice.below(20);
        match self.dice.below(9) {
            0 => "SELECT * FROM kinds ORDER BY id LIMIT 5".to_owned(),
            1 => format!(
                "SELECT {first}, COUNT(*), MIN(id), MAX(id) FROM kinds GROUP BY {first} ORDER BY COUNT(*), MIN(id)"
            ),
            2 => format!(
                "SELECT k.{first} AS a, o.{first} AS b FROM kinds k LEFT JOIN kinds AS o ON o.id = k.id + 1 ORDER BY k.id LIMIT {limit}"
            ),
            3 => format!("SELECT {} FROM seen WHERE id <= {id} ORDER BY id", columns.join(", ")),
            4 => format!("SELECT d.{first} FROM (SELECT * FROM kinds WHERE id < {id}) AS d ORDER BY d.id"),
            5 => format!("SELECT {first} FROM kinds WHERE id = {id} UNION ALL SELECT {} ORDER BY 1", self.literal()),
            6 => format!(
                "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {id}) SELECT n.i, k.{first} FROM n LEFT JOIN kinds k ON k.id = n.i ORDER BY n.i"
            ),
            7 => format!(
                "SELECT id, {first}, ROW_NUMBER() OVER (ORDER BY id DESC) AS r, SUM(ti) OVER (ORDER BY id) AS s FROM kinds ORDER BY id LIMIT {limit}"
            ),
            _ => {
                format!("SELECT {} FROM kinds WHERE {} ORDER BY id LIMIT {limit}", columns.join(", "), self.condition())
            }
        }
    }

    fn condition(&mut self) -> String {
        let column = *self.dice.pick(COLUMNS);
        match self.dice.below(4) {
            0 => format!("{column} IS NOT NULL"),
            1 => format!("id > {}", self.dice.below(40)),
            2 => format!("{column} = {}", self.literal()),
            _ => format!("{column} <= {} OR id = 1", self.literal()),
        }
    }

    fn write(&mut self) -> String {
        let column = *self.dice.pick(WRITABLE);
        let other = *self.dice.pick(WRITABLE);
        let id = 1 + self.dice.below(60);
        let (one, two) = (self.literal(), self.literal());
        match self.dice.below(13) {
            0..=3 if column != other => format!("INSERT INTO kinds ({column}, {other}) VALUES ({one}, {two})"),
            0..=4 => format!("INSERT INTO kinds ({column}) VALUES ({one}), ({two}), (NULL)"),
            5 => format!("INSERT IGNORE INTO kinds (id, {column}) VALUES ({id}, {one}), ({id}, {two})"),
            6 => format!(
                "INSERT INTO kinds (id, {column}) VALUES ({id}, {one}) ON DUPLICATE KEY UPDATE {column} = {two}"
            ),
            7 => format!("REPLACE INTO kinds (id, {column}) VALUES ({id}, {one})"),
            8 => format!("INSERT INTO kinds ({column}) SELECT {column} FROM kinds WHERE id < 4"),
            9 | 10 => format!("UPDATE kinds SET {column} = {one} WHERE id BETWEEN {id} AND {}", id + 3),
            11 => format!("DELETE FROM kinds WHERE id = {id}"),
            _ if self.family == Family::MariaDb => {
                format!("INSERT INTO kinds ({column}) VALUES ({one}) RETURNING id, {column}, HEX({column})")
            }
            _ => format!("UPDATE IGNORE kinds SET {column} = {one} ORDER BY id DESC LIMIT 2"),
        }
    }

    fn setting(&mut self) -> String {
        match self.dice.below(14) {
            0..=2 => format!("SET SESSION sql_mode = '{}'", self.dice.pick(SQL_MODES)),
            3 => format!(
                "SET NAMES {}",
                self.dice.pick(&["utf8mb4", "latin1", "utf8mb3", "cp1251", "koi8r", "gbk", "sjis"])
            ),
            4 => format!("SET character_set_results = {}", self.dice.pick(&["NULL", "utf8mb4", "latin1", "binary"])),
            5 => "SET NAMES utf8mb4".to_owned(),
            6 => format!("SET time_zone = '{}'", self.dice.pick(&["+00:00", "+05:30", "-11:00", "Mars/Base"])),
            7 => format!("SET autocommit = {}", self.dice.below(2)),
            8 => "BEGIN".to_owned(),
            9 => "COMMIT".to_owned(),
            10 => "ROLLBACK AND CHAIN".to_owned(),
            11 => "SAVEPOINT here; ROLLBACK TO here; RELEASE SAVEPOINT here; RELEASE SAVEPOINT here".to_owned(),
            12 => format!(
                "SET SESSION max_error_count = {}, sql_select_limit = {}",
                self.dice.below(70),
                1 + self.dice.below(500)
            ),
            _ => format!(
                "SELECT ROW_COUNT(), FOUND_ROWS(), LAST_INSERT_ID(), @v, @@sql_mode, DATABASE(), @@autocommit, {}",
                self.literal()
            ),
        }
    }

    fn command(&mut self) -> Step {
        Step::Command(match self.dice.below(6) {
            0 => message::simple(command::PING, b""),
            1 => message::simple(command::FIELD_LIST, b"kinds\0%"),
            2 => message::simple(command::FIELD_LIST, b"seen\0v%"),
            3 => message::simple(command::INIT_DB, b"no_such_database"),
            4 => message::simple(command::SET_OPTION, b"\0\0"),
            _ => message::simple(command::INIT_DB, b""),
        })
    }

    fn bound(&mut self) -> Step {
        let form = *self.dice.pick(FUNCTIONS);
        let count = form.matches('?').count();
        let rounds = (0..3).map(|_| (0..count).map(|_| self.value()).collect()).collect();
        Step::Prepared(format!("SELECT {form} AS bound").into_bytes(), rounds, 0)
    }

    fn cursor(&mut self) -> Step {
        let sql = self.select();
        let rows = 1 + self.dice.below(9);
        Step::Prepared(sql.into_bytes(), vec![Vec::new()], u32::try_from(rows).unwrap_or(1))
    }

    fn value(&mut self) -> Value {
        const UNSIGNED: u8 = 0x80;
        let any = |kind, bytes: &[u8]| Value::Any(kind, 0, bytes.to_vec());
        let number = self.dice.below(300) as u64;
        match self.dice.below(18) {
            0 => Value::Null,
            1 => any(column::TINY, &[200]),
            2 => Value::Any(column::TINY, UNSIGNED, vec![200]),
            3 => any(column::SHORT, &[0xff, 0xfe]),
            4 => any(column::LONG, &[1, 2, 3, 0x84]),
            5 => any(column::LONGLONG, &number.to_le_bytes()),
            6 => Value::Any(column::LONGLONG, UNSIGNED, vec![0xff; 8]),
            7 => any(column::FLOAT, &1.25_f32.to_le_bytes()),
            8 => any(column::DOUBLE, &(-1.0e100_f64).to_le_bytes()),
            9 => any(column::DATE, &[4, 0xe8, 7, 2, 29]),
            10 => any(column::DATETIME, &[11, 0xe8, 7, 2, 29, 23, 59, 58, 0x40, 0xe2, 1, 0]),
            11 => any(column::DATETIME, &[0]),
            12 => any(column::TIME, &[8, 1, 1, 0, 0, 0, 10, 11, 12]),
            13 => any(column::NEWDECIMAL, &lenenc_string(b"12345.6789")),
            14 => any(column::BLOB, &lenenc_string(&[0, 255, 254, 1])),
            15 => any(column::VAR_STRING, &lenenc_string("gr\u{fc}n \u{1f6b2}".as_bytes())),
            16 => any(column::STRING, &lenenc_string(&vec![b'x'; 300])),
            _ => any(column::VARCHAR, &lenenc_string(format!("v{number}").as_bytes())),
        }
    }
}

fn lenenc_string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    lenenc::push_string(&mut out, bytes);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_steps_and_another_one_others() {
        let steps = |seed| {
            let mut maker = Maker::new(seed, Family::MariaDb);
            (0..50).map(|_| maker.step()).collect::<Vec<_>>()
        };
        assert_eq!(steps(1), steps(1));
        assert_ne!(steps(1), steps(2));
    }
}
