//! Every limit of the protocol crates and of the data plane, with its reason.
//!
//! Reaching a limit is a counted, documented outcome; none of them is a silent cut. Relations between
//! limits are asserted at compile time at the end of this file.

/// Largest frame that may pass, header excluded: PostgreSQL's own limit on a message (1 GiB − 1, `PQ_LARGE_MESSAGE_LIMIT`).
pub const FRAME_BYTES: usize = 0x3fff_ffff;

/// Largest start-up packet, as in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`).
pub const STARTUP_BYTES: usize = 10_000;

/// Largest message of an authentication exchange: PostgreSQL allows a client 64 KiB (`PG_MAX_AUTH_TOKEN_LENGTH`).
pub const AUTH_BYTES: usize = 65_535;

/// Longest user or database name in a start-up packet: PostgreSQL cuts longer ones to this (`NAMEDATALEN` − 1),
/// so that a longer name would be one user to us and another to the server.
pub const NAME_BYTES: usize = 63;

/// Longest user or database name that a MySQL client may log in with: 128 characters (MariaDB's user names)
/// of 3 bytes. A server refuses or cuts longer ones.
pub const MYSQL_NAME_BYTES: usize = 384;

/// PBKDF2 iterations that a server may ask of us in SCRAM: the highest count in OWASP's advice (2023); about
/// a tenth of a second of one core, where PostgreSQL's default of 4,096 takes a millisecond.
pub const SCRAM_ITERATIONS: u32 = 600_000;

/// Ciphertext of one TLS session that waits for the rest of its handshake message or record: the largest
/// handshake message that rustls takes (64 KiB) in the smallest records that make sense, and one more record.
pub const TLS_PENDING_BYTES: usize = 128 << 10;

/// Longest statement that is judged; a longer one is refused for users under rules.
/// Sixteen MiB holds the bulk inserts that ORMs write; a parse tree takes some ten times the text.
pub const STATEMENT_BYTES: usize = 16 << 20;

/// Longest statement text that the audit keeps; the rest is marked as cut.
pub const AUDIT_STATEMENT_BYTES: usize = 16 << 10;

/// Longest bind parameter that the audit keeps, in bytes.
pub const AUDIT_PARAMETER_BYTES: usize = 256;

/// Bind parameters that the audit keeps of one execution.
pub const AUDIT_PARAMETERS: usize = 64;

/// Beginning of a MySQL COM_STMT_EXECUTE that is read before it goes on: the bitmap and types of all 65,535
/// parameters (136 KiB), and the values that the audit keeps. The rest streams by unread.
pub const EXECUTE_BYTES: usize = 192 << 10;

/// Largest row that is gathered when it spans chunks, so that a mask may change its length and a detector
/// may see whole cells. Past it, cells under any mask are overwritten whole as they stream by.
pub const GATHER_BYTES: usize = 1 << 20;

/// Largest RowDescription: 1,664 columns (PostgreSQL's own limit on a target list) with names of 63 bytes
/// need 137 KiB.
pub const DESCRIPTION_BYTES: usize = 512 << 10;

/// Largest ErrorResponse or NoticeResponse that is gathered to be scrubbed.
pub const ERROR_BYTES: usize = 64 << 10;

/// Rows of the catalogue, in bytes, that one load may return before it counts as failed.
pub const CATALOGUE_BYTES: usize = 64 << 20;

/// Prepared statements and portals that one session may hold open at once.
pub const NAMES_PER_SESSION: usize = 65_536;

/// Messages of one session that wait for their reply.
pub const PIPELINE_DEPTH: usize = 262_144;

/// Memory that one session may hold for the names, texts and layouts of its prepared statements.
pub const SESSION_STATE_BYTES: usize = 64 << 20;

const _: () = assert!(STARTUP_BYTES < AUTH_BYTES);
const _: () = assert!(EXECUTE_BYTES > 65_535 / 8 + 2 * 65_535 + AUDIT_PARAMETERS * AUDIT_PARAMETER_BYTES);
const _: () = assert!(MYSQL_NAME_BYTES < STARTUP_BYTES);
const _: () = assert!(NAME_BYTES < STARTUP_BYTES);
const _: () = assert!(TLS_PENDING_BYTES > (64 << 10) + (18 << 10));
const _: () = assert!(AUDIT_STATEMENT_BYTES <= STATEMENT_BYTES);
const _: () = assert!(STATEMENT_BYTES <= SESSION_STATE_BYTES);
const _: () = assert!(GATHER_BYTES < FRAME_BYTES && DESCRIPTION_BYTES < GATHER_BYTES);
const _: () = assert!(ERROR_BYTES < GATHER_BYTES);
