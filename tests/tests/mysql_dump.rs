//! mariadb-dump and mysqldump through the gateway, and the way back: a dump is what the server gives, and loaded
//! through the gateway into an empty database it makes the same tables, rows, views, routines and triggers. What a
//! masked user dumps holds no secret.

use integration::matrix::Case;
use integration::program::{self, Finished};
use integration::servers::{Endpoint, Family, Server};
use integration::{for_each_mysql_case, masked, or_skip};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);

/// What a dump must carry besides the shop: values of every class, bytes that are no text, and all that has a body.
const MORE: &str = "
CREATE TABLE every_type (
    id bigint unsigned AUTO_INCREMENT PRIMARY KEY, small tinyint, big bigint unsigned, exact decimal(30, 10), single float,
    twice double, bits bit(13), day date, at datetime(6), moment timestamp(3) NULL, length time(6), years year, fixed char(5),
    word varchar(300), text_long longtext, raw varbinary(300), blob_long longblob, pick enum('one', 'two', 'it''s'),
    picks set('a', 'b', 'c'), document json, place point, doubled int GENERATED ALWAYS AS (small * 2) STORED
);
INSERT INTO every_type (small, big, exact, single, twice, bits, day, at, moment, length, years, fixed, word, text_long, raw, blob_long, pick, picks, document, place) VALUES
    (-128, 18446744073709551615, 12345678901234567890.0123456789, 1.5, -2.5e300, b'1010101010101', '1000-01-01', '9999-12-31 23:59:59.999999',
     '2024-02-29 12:34:56.789', '-838:59:58.5', 2155, 'abc', 'it''s \\\\ \"quoted\"\\n\\t\\r\\0\\Z%_', REPEAT('Grüße 🚲 ', 3000), x'00ff275c0a0d1a22', NULL, 'it''s', 'a,c',
     JSON_OBJECT('a', JSON_ARRAY(1, NULL, 'ü')), ST_GeomFromText('POINT(1 2)')),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (0, 0, 0, 0, 0, 0, '2024-02-29', '2024-02-29', '2024-02-29', '0:0:0', 1901, '', '', '', '', '', 'one', '', '[]', ST_GeomFromText('POINT(0 0)'));
UPDATE every_type SET blob_long = (SELECT GROUP_CONCAT(UNHEX(SHA2(id, 256)) SEPARATOR '') FROM customers WHERE id <= 30) WHERE id = 1;
CREATE TABLE `odd ``name``` (`a b` int PRIMARY KEY, `select` varchar(10) DEFAULT 'x;--');
INSERT INTO `odd ``name``` VALUES (1, '/* no */'), (2, '-- no');
CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE status = 'open';
";

/// Statements with bodies, each to be run alone.
const BODIES: [&str; 4] = [
    "CREATE PROCEDURE counted(OUT n int) BEGIN SELECT COUNT(*) INTO n FROM customers; SELECT 'a;b' AS word; END",
    "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2",
    "CREATE TRIGGER stamped BEFORE UPDATE ON old_carts FOR EACH ROW BEGIN SET NEW.content = CONCAT(NEW.content, ';'); END",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM old_carts WHERE id < 0",
];

/// The server's own dump program, but for options and names of what is to be dumped.
fn dump_command(server: &Server, endpoint: &Endpoint) -> Command {
    let mut command = server.program(if server.family() == Family::MariaDb { "mariadb-dump" } else { "mysqldump" });
    command.args(server.options(endpoint)).args(["--skip-dump-date", "--default-character-set=utf8mb4"]);
    command
}

fn dump(server: &Server, endpoint: &Endpoint) -> Finished {
    let mut command = dump_command(server, endpoint);
    command.args(["--routines", "--events", "--triggers", "--hex-blob", &endpoint.database]);
    program::run(&mut command, LIMIT).expect_success()
}

/// What is in a database: a checksum of each table's rows, and what else it holds by name and body.
fn content(server: &Server, name: &str) -> String {
    let tables = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{name}' AND table_type = 'BASE TABLE' ORDER BY 1"
    );
    let names: Vec<String> =
        server.admin("mysql", &tables).lines().map(|table| format!("`{}`", table.replace('`', "``"))).collect();
    assert!(names.len() >= 7, "{names:?}");
    let sums = server.admin(name, &format!("CHECKSUM TABLE {}", names.join(", ")));
    let rest = server.admin(
        name,
        &format!(
            "SELECT 'view', table_name, table_rows IS NULL FROM information_schema.tables WHERE table_schema = '{name}' AND table_type = 'VIEW' ORDER BY 2;
             SELECT routine_type, routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = '{name}' ORDER BY 1, 2;
             SELECT 'trigger', trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = '{name}' ORDER BY 2;
             SELECT 'event', event_name, event_definition FROM information_schema.events WHERE event_schema = '{name}' ORDER BY 2;
             SELECT table_name, column_name, column_type, column_default, is_nullable, extra FROM information_schema.columns WHERE table_schema = '{name}' ORDER BY 1, ordinal_position;
             SELECT COUNT(*), SUM(doubled) FROM every_type"
        ),
    );
    format!("{sums}\n{rest}").replace(name, "DATABASE")
}

fn dumped_and_loaded(case: Case) {
    let server = or_skip!(case.find_server());
    let full = server.private_database("dump");
    let empty = server.private_database("load");
    let _ = server.admin("mysql", &format!("DROP DATABASE {0}; CREATE DATABASE {0}", empty.name));
    let _ = server.admin(&full.name, MORE);
    for body in BODIES {
        let _ = server.admin(&full.name, &format!("DELIMITER $$\n{body}$$"));
    }
    let gateway = case.setup(&server).start();

    let direct = dump(&server, &case.direct(&server, "dora").in_database(&full.name));
    let dora = case.through(&gateway, "dora");
    let through = dump(&server, &dora.in_database(&full.name));
    assert!(direct.stdout.len() > 500_000, "the dump is short: {}", direct.stdout.len());
    assert!(direct.stdout.trim_end().ends_with("-- Dump completed"), "the dump is cut");
    for (number, (expected, seen)) in direct.stdout.lines().zip(through.stdout.lines()).enumerate() {
        assert!(expected == seen, "line {}:\n{expected:.300}\n{seen:.300}", number + 1);
    }
    assert_eq!(direct.stdout.len(), through.stdout.len());

    let mut load = server.command_line(&dora.in_database(&empty.name));
    // mysqldump writes blobs and geometries as bytes of no character set.
    load.arg("--binary-mode");
    program::run_with_input(&mut load, &through.stdout, LIMIT).expect_success();
    let (original, copy) = (content(&server, &full.name), content(&server, &empty.name));
    assert_eq!(original, copy, "what was dumped (left) and what was loaded (right)");

    let mut support = dump_command(&server, &case.through(&gateway, "ana").in_database(&full.name));
    support.args(["--no-tablespaces", "--skip-lock-tables", &full.name, "customers", "payments"]);
    let support = program::run(&mut support, LIMIT);
    assert_eq!(masked::leaks(&support.everything()), [""; 0], "a masked user's dump");
    assert!(support.stdout.matches("4***-****-****-").count() > 3000, "{:.3000}", support.everything());
}

for_each_mysql_case!(dumped_and_loaded_, super::dumped_and_loaded);
