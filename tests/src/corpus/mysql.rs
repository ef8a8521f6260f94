//! Databases of the corpus on MySQL and MariaDB: how they are made, and the fingerprint by which an effect is seen.

use super::entry;
use crate::corpus::client::Client;
use crate::raw::{Frame, transcript};
use crate::servers::{Family, Server};
use std::fs;

/// Who attacks, and looks at the server directly; and who is somebody else. Neither needs a password.
const USERS: &str = "CREATE USER IF NOT EXISTS raider@'%' IDENTIFIED BY ''; CREATE USER IF NOT EXISTS looter@'%' \
    IDENTIFIED BY ''; GRANT ALL ON *.* TO raider@'%' WITH GRANT OPTION; GRANT ALL ON *.* TO looter@'%'";

/// Makes the users. Texts that give a secret away other than by its letters: hashes.
pub(super) fn prepare(server: &Server, texts: &[&str]) -> Vec<String> {
    let _ = server.admin("mysql", USERS);
    // MySQL 9.7 has neither MD5 nor SHA1.
    let old = server.family() == Family::MariaDb;
    let hashes = |text: &str| {
        let more = if old { format!(", MD5('{text}'), MD5(LOWER('{text}')), SHA1('{text}')") } else { String::new() };
        format!("SELECT CONCAT_WS(' ', SHA2('{text}', 256), SHA2('{text}', 512){more})")
    };
    let all: Vec<String> = texts.iter().map(|text| hashes(text)).collect();
    server.admin("mysql", &all.join("; ")).split_whitespace().map(str::to_owned).collect()
}

/// Makes a database anew, with another beside it.
///
/// # Panics
/// When the server does not take the schema.
pub(super) fn make(client: &mut Client, name: &str) {
    let schema = fs::read_to_string(entry::folder("evasion/mysql").join("schema.sql")).expect("schema.sql is there");
    let text = format!(
        "DROP DATABASE IF EXISTS {name}; DROP DATABASE IF EXISTS {name}_2; DROP USER IF EXISTS loot@'%'; \
         CREATE DATABASE {name}; CREATE DATABASE {name}_2; USE {name}; {}",
        schema.replace("{{db}}", name)
    );
    let made = client.query(&text);
    let failed = made.iter().any(|frame| frame.tag == b'E') || made.last().is_none_or(|frame| frame.tag != b'Z');
    assert!(!failed, "{}", transcript(&made));
}

/// Puts back what was changed: drops what is there besides, and fills the tables anew. Whether that was enough;
/// else it is to be made anew, which takes these servers long.
pub(super) fn undo(client: &mut Client, name: &str, pristine: &str) -> bool {
    let now = fingerprint(client, name);
    let extra = now.lines().filter(|line| !pristine.contains(line)).filter_map(|line| line.strip_prefix("D DROP "));
    // What hangs on tables goes first: the list begins with tables.
    for object in extra.collect::<Vec<_>>().into_iter().rev() {
        let _ = client.query(&format!("DROP {object}"));
    }
    let schema = fs::read_to_string(entry::folder("evasion/mysql").join("schema.sql")).expect("schema.sql is there");
    let schema = schema.replace("{{db}}", name);
    let mut refill = format!("USE {name}; DELETE FROM {name}_2.shelf; DROP USER IF EXISTS loot@'%'");
    for insert in schema.split(";\n").map(str::trim_start).filter(|text| text.starts_with("INSERT INTO ")) {
        let table = insert.split_whitespace().nth(2).unwrap_or_default();
        refill += &format!("; DELETE FROM {table}; {insert}");
    }
    let _ = client.query(&(refill + "; ALTER TABLE carts AUTO_INCREMENT = 4"));
    fingerprint(client, name) == pristine
}

/// Drops it, with the one beside it.
pub(super) fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name}; DROP DATABASE IF EXISTS {name}_2")
}

/// Everything of it that an attack could change: rows of all tables by their checksum, and every object.
/// Settings of the server are not among them: other stages share it.
pub(super) fn fingerprint(client: &mut Client, name: &str) -> String {
    let here = format!("IN ('{name}', '{name}_2')");
    let tables = client.query(&format!(
        "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables \
         WHERE table_schema {here} AND table_type = 'BASE TABLE' ORDER BY 1"
    ));
    let tables: Vec<String> = tables.iter().filter(|frame| frame.tag == b'D').filter_map(first_cell).collect();
    let objects = format!(
        "SELECT CONCAT('DROP ', IF(table_type = 'BASE TABLE', 'TABLE', IF(table_type = 'VIEW', 'VIEW', table_type)), ' `',
                table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE table_schema {here} ORDER BY 1;
         SELECT CONCAT('DROP ', routine_type, ' `', routine_schema, '`.`', routine_name, '`')
           FROM information_schema.routines WHERE routine_schema {here} ORDER BY 1;
         SELECT CONCAT('DROP TRIGGER `', trigger_schema, '`.`', trigger_name, '`') FROM information_schema.triggers
          WHERE trigger_schema {here} ORDER BY 1;
         SELECT CONCAT('DROP EVENT `', event_schema, '`.`', event_name, '`') FROM information_schema.events
          WHERE event_schema {here} ORDER BY 1;
         CHECKSUM TABLE {};
         SELECT table_schema, table_name, column_name, column_type, column_default, is_nullable, extra
           FROM information_schema.columns WHERE table_schema {here} ORDER BY 1, 2, ordinal_position;
         SELECT table_schema, table_name, view_definition FROM information_schema.views WHERE table_schema {here} ORDER BY 1, 2;
         SELECT routine_schema, routine_name, routine_type, routine_definition FROM information_schema.routines
          WHERE routine_schema {here} ORDER BY 1, 2, 3;
         SELECT trigger_schema, trigger_name, action_statement FROM information_schema.triggers
          WHERE trigger_schema {here} ORDER BY 1, 2;
         SELECT event_schema, event_name, event_definition FROM information_schema.events WHERE event_schema {here} ORDER BY 1, 2;
         SELECT table_schema, table_name, index_name, column_name FROM information_schema.statistics
          WHERE table_schema {here} ORDER BY 1, 2, 3, 4;
         SELECT user FROM mysql.user WHERE user LIKE 'loot%' ORDER BY 1;
         SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'loot%' ORDER BY 1",
        tables.join(", ")
    );
    let seen = client.query(&objects);
    seen.iter().filter(|frame| matches!(frame.tag, b'D' | b'E')).map(|frame| format!("{frame}\n")).collect()
}

fn first_cell(frame: &Frame) -> Option<String> {
    let cell = frame.cells().into_iter().next()??;
    Some(String::from_utf8_lossy(&cell).into_owned())
}
