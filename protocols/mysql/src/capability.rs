//! Capability flags, and which of them the gateway lets two sides agree on.
//!
//! MySQL has 32 of them. MariaDB has 32 more, in bytes that MySQL reserves: a MariaDB server that has them
//! leaves bit 0 (`CLIENT_LONG_PASSWORD`, in MariaDB's words `CLIENT_MYSQL`) out of its greeting, and such a
//! client leaves it out of its answer.
//!
//! What is not offered: whatever would hide bytes from inspection (zlib, zstd), leave column definitions
//! out (MariaDB's metadata cache, MySQL's optional metadata), and what is not known. All else passes, so
//! that both legs speak one dialect and what is forwarded need not be rewritten.
//!
//! Sources: MySQL documentation, "Capabilities Flags"; MariaDB Knowledge Base, "Connecting: Capabilities".

use core::ops::{BitAnd, BitOr, Not};

/// A set of capability flags; MariaDB's own are the upper 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(pub u64);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr;)*) => {
        impl Capabilities {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }
    };
}

flags! {
    /// MySQL: passwords of the new kind, always set. MariaDB: this is MySQL, no extended flags follow.
    LONG_PASSWORD = 0;
    /// Affected rows are found rows.
    FOUND_ROWS = 1;
    /// Longer flags in column definitions of the old protocol.
    LONG_FLAG = 2;
    /// The answer names a database.
    CONNECT_WITH_DB = 3;
    /// `database.table.column` is not allowed.
    NO_SCHEMA = 4;
    /// zlib compression.
    COMPRESS = 5;
    /// Nothing.
    ODBC = 6;
    /// `LOAD DATA LOCAL`.
    LOCAL_FILES = 7;
    /// Spaces before `(`.
    IGNORE_SPACE = 8;
    /// The protocol of MySQL 4.1 and later; required.
    PROTOCOL_41 = 9;
    /// The client is a person: another timeout.
    INTERACTIVE = 10;
    /// TLS.
    SSL = 11;
    /// Nothing.
    IGNORE_SIGPIPE = 12;
    /// Status flags in OK and EOF.
    TRANSACTIONS = 13;
    /// Nothing.
    RESERVED = 14;
    /// The authentication data of 4.1.
    SECURE_CONNECTION = 15;
    /// Several statements in one text.
    MULTI_STATEMENTS = 16;
    /// Several results of one text.
    MULTI_RESULTS = 17;
    /// Several results of one prepared statement.
    PS_MULTI_RESULTS = 18;
    /// Authentication plugins by name.
    PLUGIN_AUTH = 19;
    /// Connection attributes.
    CONNECT_ATTRS = 20;
    /// The authentication data has a length-encoded length.
    PLUGIN_AUTH_LENENC = 21;
    /// Expired passwords can be handled.
    CAN_HANDLE_EXPIRED_PASSWORDS = 22;
    /// OK tells of changes of the session.
    SESSION_TRACK = 23;
    /// OK in place of EOF.
    DEPRECATE_EOF = 24;
    /// Column definitions may be left out.
    OPTIONAL_RESULTSET_METADATA = 25;
    /// zstd compression.
    ZSTD = 26;
    /// Attributes before the text of COM_QUERY, and named parameters.
    QUERY_ATTRIBUTES = 27;
    /// Several factors of authentication.
    MULTI_FACTOR = 28;
    /// More flags follow, in a future version.
    EXTENSION = 29;
    /// The client's own: it checks the server's certificate.
    SSL_VERIFY_SERVER_CERT = 30;
    /// The client's own.
    REMEMBER_OPTIONS = 31;
    /// MariaDB: progress reports.
    MARIADB_PROGRESS = 32;
    /// MariaDB: COM_MULTI, gone since.
    MARIADB_COM_MULTI = 33;
    /// MariaDB: COM_STMT_BULK_EXECUTE.
    MARIADB_STMT_BULK = 34;
    /// MariaDB: extended type information in column definitions.
    MARIADB_EXTENDED_METADATA = 35;
    /// MariaDB: column definitions are left out where they did not change.
    MARIADB_CACHE_METADATA = 36;
    /// MariaDB: results of each row of a bulk execution.
    MARIADB_BULK_UNIT_RESULTS = 37;
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Capabilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Capabilities {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// What is never offered to a client: hides bytes or columns, or is not known.
    const WITHHELD: Self = Self(
        Self::COMPRESS.0
            | Self::ZSTD.0
            | Self::OPTIONAL_RESULTSET_METADATA.0
            | Self::EXTENSION.0
            | Self::MARIADB_COM_MULTI.0
            | Self::MARIADB_CACHE_METADATA.0
            | (u64::MAX << 38),
    );

    /// What a client says about itself alone; servers neither offer nor need it.
    const CLIENTS_OWN: Self = Self(Self::SSL_VERIFY_SERVER_CERT.0 | Self::REMEMBER_OPTIONS.0);

    /// What every server of today has and this crate relies on.
    pub const REQUIRED: Self =
        Self(Self::PROTOCOL_41.0 | Self::SECURE_CONNECTION.0 | Self::PLUGIN_AUTH.0 | Self::TRANSACTIONS.0);

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// All but `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// The set with `flags` where `on`, without them otherwise.
    #[must_use]
    pub const fn set(self, flags: Self, on: bool) -> Self {
        if on { Self(self.0 | flags.0) } else { self.without(flags) }
    }

    /// The lower 32 bits.
    #[must_use]
    pub fn low(self) -> u32 {
        u32::try_from(self.0 & 0xffff_ffff).unwrap_or_default()
    }

    /// MariaDB's 32 bits.
    #[must_use]
    pub fn high(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or_default()
    }

    /// From the lower and MariaDB's bits.
    #[must_use]
    pub fn from_halves(low: u32, high: u32) -> Self {
        Self(u64::from(low) | u64::from(high) << 32)
    }

    /// What a client is offered where `server` stands behind: all that can be inspected. TLS is the matter
    /// of each leg alone: `tls` says whether the gateway has a certificate for this one.
    #[must_use]
    pub fn offer(server: Self, tls: bool) -> Self {
        server.without(Self::WITHHELD).without(Self::CLIENTS_OWN).set(Self::SSL, tls)
    }

    /// What holds on a client's leg: what it asked for of what it was offered.
    #[must_use]
    pub fn agree(offered: Self, asked: Self) -> Self {
        // Bit 0 is no capability but says which of the two protocols' flags follow.
        let agreed = offered & asked.without(Self::CLIENTS_OWN);
        if offered.has(Self::LONG_PASSWORD) || asked.has(Self::LONG_PASSWORD) {
            // One side knows MySQL's flags only.
            Self(agreed.0 & 0xffff_ffff).set(Self::LONG_PASSWORD, asked.has(Self::LONG_PASSWORD))
        } else {
            agreed
        }
    }

    /// What is asked of `server` for a client that agreed on `client`: the same dialect, and session
    /// tracking wherever the server has it, because the policy must know what settings hold.
    #[must_use]
    pub fn toward_server(client: Self, server: Self, tls: bool) -> Self {
        let needed = Self::REQUIRED | Self::SESSION_TRACK | Self::PLUGIN_AUTH_LENENC;
        let wanted = client | (needed & server);
        wanted.set(Self::SSL, tls).set(Self::LONG_PASSWORD, server.has(Self::LONG_PASSWORD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What MySQL 8 and later offer.
    const MYSQL: Capabilities = Capabilities(0xdfff_ffff);
    /// What MariaDB 10.11 offers: no bit 0, and flags of its own.
    const MARIADB: Capabilities = Capabilities(0x1d_81ff_f7fe);

    #[test]
    fn what_cannot_be_inspected_is_not_offered() {
        for server in [MYSQL, MARIADB, Capabilities(u64::MAX)] {
            for tls in [false, true] {
                let offer = Capabilities::offer(server, tls);
                for withheld in [
                    Capabilities::COMPRESS,
                    Capabilities::ZSTD,
                    Capabilities::OPTIONAL_RESULTSET_METADATA,
                    Capabilities::MARIADB_CACHE_METADATA,
                    Capabilities::MARIADB_COM_MULTI,
                    Capabilities::EXTENSION,
                ] {
                    assert!(!offer.has(withheld), "{withheld:?}");
                }
                assert_eq!(offer.has(Capabilities::SSL), tls);
            }
        }
        assert!(Capabilities::offer(MYSQL, false).has(Capabilities::DEPRECATE_EOF));
        assert!(Capabilities::offer(MARIADB, false).has(Capabilities::MARIADB_EXTENDED_METADATA));
    }

    #[test]
    fn extended_flags_hold_only_where_both_sides_know_them() {
        let offer = Capabilities::offer(MARIADB, false);
        let mysql_client = Capabilities::agree(offer, Capabilities(0x3_01ff_ffff));
        assert_eq!(mysql_client.high(), 0);
        assert!(mysql_client.has(Capabilities::LONG_PASSWORD));
        let mariadb_client = Capabilities::agree(offer, MARIADB | Capabilities::COMPRESS);
        assert!(mariadb_client.has(Capabilities::MARIADB_PROGRESS | Capabilities::MARIADB_STMT_BULK));
        assert!(!mariadb_client.has(Capabilities::COMPRESS));
        assert_eq!(Capabilities::agree(Capabilities::offer(MYSQL, false), MARIADB).high(), 0);
    }

    #[test]
    fn the_server_tracks_the_session_whether_the_client_asked_or_not() {
        let client = Capabilities::agree(Capabilities::offer(MYSQL, false), Capabilities(0x000a_a20d));
        assert!(!client.has(Capabilities::SESSION_TRACK));
        let server = Capabilities::toward_server(client, MYSQL, true);
        assert!(server.has(Capabilities::SESSION_TRACK | Capabilities::SSL));
        assert_eq!(server.has(Capabilities::DEPRECATE_EOF), client.has(Capabilities::DEPRECATE_EOF));
        let old = Capabilities::toward_server(client, MYSQL.without(Capabilities::SESSION_TRACK), false);
        assert!(!old.has(Capabilities::SESSION_TRACK));
    }
}
