//! The kinds of statement that rules and the audit know, and their names in the config file.
//!
//! One table holds them all: the names, what each matches, and which groups each belongs to. A statement
//! has a set of kinds, because one text can do several things (`EXPLAIN ANALYZE DELETE …`). This file
//! names kinds; [`super::carriers`] finds them in a statement.

use core::fmt;

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KindSet(u128);

impl KindSet {
    /// No kind.
    pub const EMPTY: Self = Self(0);

    /// Every kind.
    pub const ALL: Self = Self(u128::MAX >> (128 - KINDS.len()));

    /// The set of one kind.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self(1 << kind.0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds of this set that `other` does not have.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Adds a kind.
    pub fn insert(&mut self, kind: Kind) {
        self.0 |= 1 << kind.0;
    }

    /// Whether the sets have a kind in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no kind in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `other` has all kinds of this set.
    #[must_use]
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The kinds in it, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        (0..KINDS.len())
            .filter_map(|index| u8::try_from(index).ok())
            .map(Kind)
            .filter(move |kind| self.0 & (1 << kind.0) != 0)
    }
}

impl fmt::Display for KindSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, kind) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            f.write_str(kind.name())?;
        }
        Ok(())
    }
}

/// One kind of statement: an index into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u8);

impl Kind {
    /// Its name in rules and in the audit.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.get(usize::from(self.0)).map_or("unknown", |row| row.0)
    }
}

/// Names, in groups, and what they are for. Every row is one kind; the second word says in which groups it
/// is. `DATA`: reads or writes rows. `WRITE`: changes rows. `DDL`: changes the schema, roles or privileges.
macro_rules! kinds {
    ($($constant:ident $name:literal $groups:expr, $doc:literal;)*) => {
        const KINDS: &[(&str, u8)] = &[$(($name, $groups)),*];
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "only counts the rows of the table")]
        enum Row { $($constant),* }
        impl Kind {
            $(#[doc = $doc] pub const $constant: Self = Self(Row::$constant as u8);)*
        }
    };
}

const NONE: u8 = 0;
const WRITE: u8 = 1;
const DDL: u8 = 2;
const ALTER: u8 = 4 | DDL;
const CREATE: u8 = 8 | DDL;
const DROP: u8 = 16 | DDL;
const TRANSACTION: u8 = 32;
const COPY: u8 = 64;
const CLASS: u8 = 128;

kinds! {
    ALTER_DATABASE "alter database" ALTER, "`ALTER DATABASE`";
    ALTER_DEFAULT_PRIVILEGES "alter default privileges" ALTER, "`ALTER DEFAULT PRIVILEGES`";
    ALTER_FUNCTION "alter function" ALTER, "`ALTER FUNCTION`, `PROCEDURE`, `ROUTINE`, `AGGREGATE`";
    ALTER_INDEX "alter index" ALTER, "`ALTER INDEX`";
    ALTER_OTHER "alter other" ALTER, "`ALTER` of anything that has no kind of its own";
    ALTER_ROLE "alter role" ALTER, "`ALTER ROLE`, `USER`, `GROUP`";
    ALTER_SCHEMA "alter schema" ALTER, "`ALTER SCHEMA`";
    ALTER_SEQUENCE "alter sequence" ALTER, "`ALTER SEQUENCE`";
    ALTER_SYSTEM "alter system" ALTER, "`ALTER SYSTEM`";
    ALTER_TABLE "alter table" ALTER, "`ALTER TABLE`, `ALTER FOREIGN TABLE`";
    ALTER_TYPE "alter type" ALTER, "`ALTER TYPE`, `ALTER DOMAIN`";
    ALTER_VIEW "alter view" ALTER, "`ALTER VIEW`, `ALTER MATERIALIZED VIEW`";
    ANALYZE "analyze" NONE, "`ANALYZE`, also by `VACUUM (ANALYZE)`";
    BEGIN "begin" TRANSACTION, "`BEGIN`, `START TRANSACTION`";
    CALL "call" NONE, "`CALL`";
    CHECKPOINT "checkpoint" NONE, "`CHECKPOINT`";
    CLOSE "close" NONE, "`CLOSE`";
    CLUSTER "cluster" NONE, "`CLUSTER`, `REPACK`";
    COMMENT "comment" DDL, "`COMMENT`";
    COMMIT "commit" TRANSACTION, "`COMMIT`, `END`";
    COPY_FROM "copy from" COPY | WRITE, "`COPY … FROM`";
    COPY_TO "copy to" COPY, "`COPY … TO`";
    CREATE_DATABASE "create database" CREATE, "`CREATE DATABASE`";
    CREATE_EXTENSION "create extension" CREATE, "`CREATE EXTENSION`";
    CREATE_FUNCTION "create function" CREATE, "`CREATE FUNCTION`, `PROCEDURE`, `AGGREGATE`";
    CREATE_INDEX "create index" CREATE, "`CREATE INDEX`";
    CREATE_OTHER "create other" CREATE, "`CREATE` of anything that has no kind of its own";
    CREATE_POLICY "create policy" CREATE, "`CREATE POLICY`";
    CREATE_ROLE "create role" CREATE, "`CREATE ROLE`, `USER`, `GROUP`";
    CREATE_RULE "create rule" CREATE, "`CREATE RULE`";
    CREATE_SCHEMA "create schema" CREATE, "`CREATE SCHEMA`";
    CREATE_SEQUENCE "create sequence" CREATE, "`CREATE SEQUENCE`";
    CREATE_TABLE "create table" CREATE, "`CREATE TABLE` in every form, `CREATE FOREIGN TABLE`, `SELECT INTO`";
    CREATE_TABLE_AS "create table as" CREATE, "`CREATE TABLE … AS`, `SELECT INTO`";
    CREATE_TRIGGER "create trigger" CREATE, "`CREATE TRIGGER`, `CREATE EVENT TRIGGER`";
    CREATE_TYPE "create type" CREATE, "`CREATE TYPE`, `CREATE DOMAIN`";
    CREATE_VIEW "create view" CREATE, "`CREATE VIEW`, `CREATE MATERIALIZED VIEW`";
    DEALLOCATE "deallocate" NONE, "`DEALLOCATE`";
    DECLARE "declare" NONE, "`DECLARE … CURSOR`";
    DELETE "delete" WRITE, "`DELETE`";
    DISCARD "discard" NONE, "`DISCARD`";
    DO "do" NONE, "`DO`; kinds that its body names count, too";
    DROP_DATABASE "drop database" DROP, "`DROP DATABASE`";
    DROP_EXTENSION "drop extension" DROP, "`DROP EXTENSION`";
    DROP_FUNCTION "drop function" DROP, "`DROP FUNCTION`, `PROCEDURE`, `ROUTINE`, `AGGREGATE`";
    DROP_INDEX "drop index" DROP, "`DROP INDEX`";
    DROP_OTHER "drop other" DROP, "`DROP` of anything that has no kind of its own";
    DROP_OWNED "drop owned" DROP, "`DROP OWNED`";
    DROP_ROLE "drop role" DROP, "`DROP ROLE`, `USER`, `GROUP`";
    DROP_SCHEMA "drop schema" DROP, "`DROP SCHEMA`";
    DROP_SEQUENCE "drop sequence" DROP, "`DROP SEQUENCE`";
    DROP_TABLE "drop table" DROP, "`DROP TABLE`, `DROP FOREIGN TABLE`";
    DROP_TRIGGER "drop trigger" DROP, "`DROP TRIGGER`, `DROP EVENT TRIGGER`";
    DROP_TYPE "drop type" DROP, "`DROP TYPE`, `DROP DOMAIN`";
    DROP_VIEW "drop view" DROP, "`DROP VIEW`, `DROP MATERIALIZED VIEW`";
    DYNAMIC_SQL "dynamic_sql" CLASS, "calls a function that runs SQL from a string: `query_to_xml` and its family, `crosstab`, `ts_stat` …";
    EXECUTE "execute" NONE, "`EXECUTE` of a statement prepared in SQL";
    EXPLAIN "explain" NONE, "`EXPLAIN`; with `ANALYZE` the kinds of what it runs count, too";
    EXPLAIN_ANALYZE "explain analyze" NONE, "`EXPLAIN ANALYZE`";
    EXTERNAL_ACCESS "external_access" CLASS, "other servers: `dblink`, foreign tables and servers, subscriptions";
    FETCH "fetch" NONE, "`FETCH`, `MOVE`";
    FILE_ACCESS "file_access" CLASS, "files and programs of the server: `COPY` from or to them, `pg_read_file` and its family, `LOAD`, raw pages";
    FUNCTION_CALL "function call" NONE, "a function called by its OID, without SQL";
    GRANT "grant" DDL, "`GRANT`";
    IMPORT "import foreign schema" DDL, "`IMPORT FOREIGN SCHEMA`";
    INSERT "insert" WRITE, "`INSERT`";
    LARGE_OBJECTS "large_objects" CLASS, "large objects: `lo_…` functions, `pg_largeobject`";
    LISTEN "listen" NONE, "`LISTEN`, `UNLISTEN`";
    LOAD "load" NONE, "`LOAD`";
    LOCK "lock" NONE, "`LOCK`";
    LOGICAL_DECODING "logical_decoding" CLASS, "changes read from the log: `pg_logical_…` functions and replication slots";
    MERGE "merge" WRITE, "`MERGE`";
    NOTIFY "notify" NONE, "`NOTIFY`";
    PREPARE "prepare" NONE, "`PREPARE`; the kinds of what it prepares count, too";
    REASSIGN "reassign owned" DDL, "`REASSIGN OWNED`";
    REFRESH "refresh" NONE, "`REFRESH MATERIALIZED VIEW`";
    REINDEX "reindex" NONE, "`REINDEX`";
    RESET "reset" NONE, "`RESET`";
    REVOKE "revoke" DDL, "`REVOKE`";
    ROLLBACK "rollback" TRANSACTION, "`ROLLBACK`, `ABORT`";
    SAVEPOINT "savepoint" TRANSACTION, "`SAVEPOINT`, `RELEASE`";
    SECURITY_LABEL "security label" DDL, "`SECURITY LABEL`";
    SELECT "select" NONE, "`SELECT`, `TABLE`, `VALUES`";
    SET "set" NONE, "`SET` of a setting";
    SET_ROLE "set role" NONE, "`SET ROLE`, `SET SESSION AUTHORIZATION`";
    SHOW "show" NONE, "`SHOW`";
    TRUNCATE "truncate" WRITE, "`TRUNCATE`";
    TWO_PHASE "prepare transaction" TRANSACTION, "`PREPARE TRANSACTION`, `COMMIT PREPARED`, `ROLLBACK PREPARED`";
    UNKNOWN "unknown" NONE, "a statement that starts with no known keyword";
    UNKNOWN_CODE "unknown_code" CLASS, "code that cannot be read: other languages than SQL and PL/pgSQL, statements built from strings";
    UPDATE "update" WRITE, "`UPDATE`";
    VACUUM "vacuum" NONE, "`VACUUM`";
}

const _: () = assert!(KINDS.len() <= 128, "a set of kinds has 128 bits");

/// The groups that rules may name: name, and the bits that a kind must have.
const GROUPS: &[(&str, u8)] = &[
    ("alter", ALTER),
    ("copy", COPY),
    ("create", CREATE),
    ("ddl", DDL),
    ("drop", DROP),
    ("transaction", TRANSACTION),
    ("write", WRITE),
];

/// The kinds that a name in the config file stands for: one kind or a group; `None` for an unknown name.
#[must_use]
pub fn named(name: &str) -> Option<KindSet> {
    let mut found = KindSet::EMPTY;
    let group = GROUPS.iter().find(|group| group.0 == name);
    for (index, (kind, bits)) in KINDS.iter().enumerate() {
        if *kind == name || group.is_some_and(|group| bits & group.1 == group.1) {
            found.insert(Kind(u8::try_from(index).ok()?));
        }
    }
    if found.is_empty() { None } else { Some(found) }
}

/// All names that [`named`] knows, sorted.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = KINDS.iter().map(|row| row.0).chain(GROUPS.iter().map(|row| row.0)).collect();
    names.sort_unstable();
    names
}

/// The kinds that have all of these bits. Asked for with each statement, and so made by the compiler.
const fn having(bits: u8) -> KindSet {
    let (mut found, mut index) = (0, 0);
    while index < KINDS.len() {
        if KINDS[index].1 & bits == bits {
            found |= 1 << index;
        }
        index += 1;
    }
    KindSet(found)
}

/// Every kind of the group that changes schema, roles or privileges.
#[must_use]
pub const fn ddl() -> KindSet {
    const ALL: KindSet = having(DDL);
    ALL
}

/// Every class: what a statement reaches beside the relations that it names. Their names have underscores.
/// Users under column masks may not send them unless the config says so, because masks do not hold there.
#[must_use]
pub const fn classes() -> KindSet {
    const ALL: KindSet = having(CLASS);
    ALL
}

/// Every kind that changes rows.
#[must_use]
pub const fn write() -> KindSet {
    const ALL: KindSet = having(WRITE);
    ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_what_their_name_says() {
        let drop = named("drop").unwrap();
        assert!(KindSet::of(Kind::DROP_TABLE).meets(drop) && !KindSet::of(Kind::TRUNCATE).meets(drop));
        assert!(drop.within(ddl()) && KindSet::of(Kind::GRANT).within(ddl()));
        assert!(KindSet::of(Kind::COPY_FROM).within(write()) && !KindSet::of(Kind::COPY_TO).meets(write()));
        assert_eq!(named("copy").unwrap().to_string(), "copy from, copy to");
        assert_eq!((named("ddl"), named("write")), (Some(ddl()), Some(write())));
        assert!(classes().iter().all(|class| class.name().contains('_')) && !classes().is_empty());
        assert_eq!(named("drp"), None);
    }

    #[test]
    fn names_are_sorted_and_unique() {
        let names = names();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(names.iter().all(|name| named(name).is_some()));
    }
}
