//! The settings of a new session that decide how its statements are to be read.
//!
//! A server reports changes of some settings by itself (session tracking), but not what they are at login, and
//! `sql_mode` not at all unless told to. Both are seen to between the server's OK and the client's, on the
//! session that the client will use.

use mysql::capability::Capabilities;
use mysql::constant::header;
use mysql::lenenc;
use wire::cursor::Cursor;
use wire::fault::Culprit;

use super::super::port::Port;
use super::super::{Setting, SetupError, server_gone};
use super::packets::{broken, next, reply};

/// What is asked for, and the names under which the guard hears of it.
pub(crate) const NAMES: [&[u8]; 3] = [b"sql_mode", b"character_set_client", b"schema"];
pub(crate) const READ: &[u8] = b"SELECT @@SESSION.sql_mode, @@SESSION.character_set_client, DATABASE()";

/// Has the server tell of what texts are read by, besides what the operator or the client wants told. Only once in the
/// list: MySQL refuses a name that is there twice, and MariaDB `*` beside others.
pub(crate) const TRACK: &[u8] = b"SET SESSION session_track_schema = 1, SESSION session_track_system_variables = IF(\
@@SESSION.session_track_system_variables = '*', '*', CONCAT_WS(',', NULLIF(@@SESSION.session_track_system_variables, ''), \
IF(FIND_IN_SET('sql_mode', REPLACE(LOWER(@@SESSION.session_track_system_variables), ' ', '')), NULL, 'sql_mode'), \
IF(FIND_IN_SET('character_set_client', REPLACE(LOWER(@@SESSION.session_track_system_variables), ' ', '')), NULL, \
'character_set_client')))";

/// Most columns or rows that are read of a reply.
const PACKETS: usize = 64;

/// Reads the settings and has the server report their changes. A server that refuses either (an account whose
/// password has expired may only change it) leaves them unknown, and the guard treats them so.
pub(super) async fn read(server: &mut Port, capabilities: Capabilities) -> Result<Vec<Setting>, SetupError> {
    let mut settings = Vec::new();
    if let Some(row) = query(server, READ, capabilities).await? {
        for (name, value) in NAMES.into_iter().zip(row) {
            settings.push((name.into(), value.unwrap_or_default()));
        }
    }
    let tracked = capabilities.has(Capabilities::SESSION_TRACK) && !settings.is_empty();
    if tracked && query(server, TRACK, capabilities).await?.is_none() {
        settings.clear();
    }
    Ok(settings)
}

/// Runs one statement and returns the first row of its result, empty where it has no result; `None` for an error, or
/// no rows.
async fn query(
    server: &mut Port,
    sql: &[u8],
    capabilities: Capabilities,
) -> Result<Option<Vec<Option<Box<[u8]>>>>, SetupError> {
    let mut out = Vec::new();
    reply(&mut out, &mut 0, |out| {
        out.push(mysql::constant::command::QUERY);
        if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
            // No attributes, in one set.
            out.extend_from_slice(&[0, 1]);
        }
        out.extend_from_slice(sql);
    });
    server.send(&out).await.map_err(|error| server_gone(&error))?;
    let first = next(server, Culprit::Server).await?;
    let columns = match first.payload.first() {
        Some(&header::OK) => return Ok(Some(Vec::new())),
        Some(&header::ERR) | None => return Ok(None),
        Some(&count) => usize::from(count),
    };
    if columns > PACKETS {
        return Err(broken("a result of too many columns").into());
    }
    for _ in 0..columns {
        next(server, Culprit::Server).await?;
    }
    if !capabilities.has(Capabilities::DEPRECATE_EOF) {
        next(server, Culprit::Server).await?;
    }
    let mut row = None;
    for _ in 0..PACKETS {
        let packet = next(server, Culprit::Server).await?;
        match packet.payload.first() {
            Some(&header::EOF) if packet.payload.len() < 0x00ff_ffff => return Ok(row),
            Some(&header::ERR) => return Ok(None),
            _ => row = row.or(cells(&packet.payload, columns)),
        }
    }
    Err(broken("a result of too many rows").into())
}

/// The cells of a text row.
fn cells(payload: &[u8], columns: usize) -> Option<Vec<Option<Box<[u8]>>>> {
    const NULL: u8 = 0xfb;
    let mut cursor = Cursor::new(payload);
    let mut cells = Vec::with_capacity(columns);
    for _ in 0..columns {
        if cursor.rest().first() == Some(&NULL) {
            cursor.u8("row").ok()?;
            cells.push(None);
        } else {
            cells.push(Some(lenenc::string(&mut cursor, "row").ok()?.into()));
        }
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_row_is_read_with_its_nulls() {
        let row = cells(b"\x0bANSI_QUOTES\x07utf8mb4\xfb", 3).unwrap();
        assert_eq!(row[0].as_deref(), Some(&b"ANSI_QUOTES"[..]));
        assert_eq!(row[2], None);
        assert!(cells(b"\x0bANSI", 1).is_none());
    }
}
