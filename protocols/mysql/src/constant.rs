//! Numbers of the protocol: commands, status flags, error codes, types of columns.
//!
//! Sources: `include/my_command.h`, `include/mysql_com.h`, `include/field_types.h` of MySQL; MariaDB
//! Knowledge Base, "MariaDB Client/Server Protocol".

/// First byte of a client's message.
pub mod command {
    /// Internal; an empty message means it too.
    pub const SLEEP: u8 = 0x00;
    /// The end of the session; no answer.
    pub const QUIT: u8 = 0x01;
    /// The session's database.
    pub const INIT_DB: u8 = 0x02;
    /// SQL text.
    pub const QUERY: u8 = 0x03;
    /// Columns of a table.
    pub const FIELD_LIST: u8 = 0x04;
    /// Makes a database (MariaDB).
    pub const CREATE_DB: u8 = 0x05;
    /// Drops a database (MariaDB).
    pub const DROP_DB: u8 = 0x06;
    /// FLUSH by flags.
    pub const REFRESH: u8 = 0x07;
    /// Stops the server.
    pub const SHUTDOWN: u8 = 0x08;
    /// One line of figures, without header.
    pub const STATISTICS: u8 = 0x09;
    /// SHOW PROCESSLIST.
    pub const PROCESS_INFO: u8 = 0x0a;
    /// KILL.
    pub const PROCESS_KILL: u8 = 0x0c;
    /// The server writes its state to its log.
    pub const DEBUG: u8 = 0x0d;
    /// Are you there.
    pub const PING: u8 = 0x0e;
    /// Another user on the same connection.
    pub const CHANGE_USER: u8 = 0x11;
    /// The binary log, without end.
    pub const BINLOG_DUMP: u8 = 0x12;
    /// A table for a replica, long gone.
    pub const TABLE_DUMP: u8 = 0x13;
    /// A replica registers.
    pub const REGISTER_SLAVE: u8 = 0x15;
    /// Prepares a statement.
    pub const STMT_PREPARE: u8 = 0x16;
    /// Runs a prepared statement.
    pub const STMT_EXECUTE: u8 = 0x17;
    /// A piece of a parameter; no answer.
    pub const STMT_SEND_LONG_DATA: u8 = 0x18;
    /// Forgets a prepared statement; no answer.
    pub const STMT_CLOSE: u8 = 0x19;
    /// Drops long data and closes the cursor.
    pub const STMT_RESET: u8 = 0x1a;
    /// Several statements on or off.
    pub const SET_OPTION: u8 = 0x1b;
    /// Rows of a cursor.
    pub const STMT_FETCH: u8 = 0x1c;
    /// The binary log by transaction ids.
    pub const BINLOG_DUMP_GTID: u8 = 0x1e;
    /// A new session of the same user.
    pub const RESET_CONNECTION: u8 = 0x1f;
    /// A copy of all data.
    pub const CLONE: u8 = 0x20;
    /// The stream of group replication.
    pub const SUBSCRIBE_GROUP_REPLICATION: u8 = 0x22;
    /// Runs a prepared statement over many rows of parameters (MariaDB).
    pub const STMT_BULK_EXECUTE: u8 = 0xfa;
}

/// Status flags in OK and EOF.
pub mod status {
    /// A transaction is open.
    pub const IN_TRANS: u16 = 0x0001;
    /// Each statement is a transaction.
    pub const AUTOCOMMIT: u16 = 0x0002;
    /// Another result of the same command follows.
    pub const MORE_RESULTS: u16 = 0x0008;
    /// A cursor is open; rows come by COM_STMT_FETCH.
    pub const CURSOR_EXISTS: u16 = 0x0040;
    /// The cursor is at its end.
    pub const LAST_ROW_SENT: u16 = 0x0080;
    /// This result holds the out parameters of a procedure.
    pub const PS_OUT_PARAMS: u16 = 0x1000;
    /// Changes of the session follow.
    pub const SESSION_STATE_CHANGED: u16 = 0x4000;
}

/// First bytes of a server's messages.
pub mod header {
    /// OK.
    pub const OK: u8 = 0x00;
    /// More authentication data.
    pub const AUTH_MORE: u8 = 0x01;
    /// The server wants a file of the client.
    pub const LOCAL_FILE: u8 = 0xfb;
    /// EOF, or OK in its place, or another authentication plugin.
    pub const EOF: u8 = 0xfe;
    /// An error, or MariaDB's report of progress.
    pub const ERR: u8 = 0xff;
}

/// Error codes.
pub mod error {
    /// Too many connections.
    pub const TOO_MANY_CONNECTIONS: u16 = 1040;
    /// The handshake failed.
    pub const HANDSHAKE: u16 = 1043;
    /// Wrong user or password.
    pub const ACCESS_DENIED: u16 = 1045;
    /// A command that the server does not know.
    pub const UNKNOWN_COMMAND: u16 = 1047;
    /// No such database.
    pub const UNKNOWN_DATABASE: u16 = 1049;
    /// The server shuts down.
    pub const SHUTDOWN: u16 = 1053;
    /// KILL of a connection that does not exist.
    pub const UNKNOWN_THREAD: u16 = 1094;
    /// Anything else.
    pub const UNKNOWN: u16 = 1105;
    /// A packet whose sequence id does not follow that of the one before.
    pub const PACKETS_OUT_OF_ORDER: u16 = 1156;
    /// A user's limit is reached.
    pub const LIMIT_REACHED: u16 = 1226;
    /// A privilege is missing.
    pub const SPECIFIC_ACCESS_DENIED: u16 = 1227;
    /// A prepared statement that does not exist.
    pub const UNKNOWN_STATEMENT: u16 = 1243;
    /// Too many prepared statements.
    pub const TOO_MANY_STATEMENTS: u16 = 1461;
    /// A message whose inside does not fit it.
    pub const MALFORMED_PACKET: u16 = 1835;
    /// MariaDB's reports of progress have this in place of a code.
    pub const PROGRESS: u16 = 0xffff;
}

/// Types of columns and parameters.
pub mod column {
    /// DECIMAL of old tables.
    pub const DECIMAL: u8 = 0x00;
    /// 1 byte.
    pub const TINY: u8 = 0x01;
    /// 2 bytes.
    pub const SHORT: u8 = 0x02;
    /// 4 bytes.
    pub const LONG: u8 = 0x03;
    /// IEEE 754, 4 bytes.
    pub const FLOAT: u8 = 0x04;
    /// IEEE 754, 8 bytes.
    pub const DOUBLE: u8 = 0x05;
    /// Always NULL.
    pub const NULL: u8 = 0x06;
    /// Date and time.
    pub const TIMESTAMP: u8 = 0x07;
    /// 8 bytes.
    pub const LONGLONG: u8 = 0x08;
    /// 3 bytes, sent in 4.
    pub const INT24: u8 = 0x09;
    /// A day.
    pub const DATE: u8 = 0x0a;
    /// A span of time.
    pub const TIME: u8 = 0x0b;
    /// Date and time.
    pub const DATETIME: u8 = 0x0c;
    /// A year, sent in 2 bytes.
    pub const YEAR: u8 = 0x0d;
    /// Text or bytes.
    pub const VARCHAR: u8 = 0x0f;
    /// Bits, sent as bytes.
    pub const BIT: u8 = 0x10;
    /// Numbers (MySQL 9), sent as bytes.
    pub const VECTOR: u8 = 0xf2;
    /// JSON as text (MySQL).
    pub const JSON: u8 = 0xf5;
    /// DECIMAL as text.
    pub const NEWDECIMAL: u8 = 0xf6;
    /// One of a list.
    pub const ENUM: u8 = 0xf7;
    /// Some of a list.
    pub const SET: u8 = 0xf8;
    /// Text or bytes.
    pub const TINY_BLOB: u8 = 0xf9;
    /// Text or bytes.
    pub const MEDIUM_BLOB: u8 = 0xfa;
    /// Text or bytes.
    pub const LONG_BLOB: u8 = 0xfb;
    /// Text or bytes.
    pub const BLOB: u8 = 0xfc;
    /// Text or bytes.
    pub const VAR_STRING: u8 = 0xfd;
    /// Text or bytes.
    pub const STRING: u8 = 0xfe;
    /// Points, lines and areas.
    pub const GEOMETRY: u8 = 0xff;
}

/// The character set "binary": the column holds bytes, not text.
pub const BINARY_CHARSET: u16 = 63;
