//! What the server itself says: its error codes, and the texts that it writes without a value in them.
//!
//! A function of the users can raise an error under any code, with any text, in any field. Two things it cannot
//! do: leave out the context, to which each language adds the function that runs, and write one of these texts
//! otherwise than it stands here. So a text without a gap passes from whoever it comes, and one with names in it
//! passes where no context comes with it. What fits no entry is not passed: a server that speaks another language
//! than English (`lc_messages`) has all its texts withheld. Entries whose gap a value of a row can fill
//! (`relation "4111…" does not exist`, from `card::regclass`) must not be added.
//!
//! Sources: PostgreSQL manual, "PostgreSQL Error Codes"; the texts are those that PostgreSQL 15 and 18 send.

/// Error codes by class: those of PostgreSQL 15 and 18.
#[rustfmt::skip]
const CODES: &[(&str, &str)] = &[
    ("00", "000"),
    ("01", "000 003 004 006 007 008 00C P01"),
    ("02", "000 001"),
    ("03", "000"),
    ("08", "000 001 003 004 006 007 P01"),
    ("09", "000"),
    ("0A", "000"),
    ("0B", "000"),
    ("0F", "000 001"),
    ("0L", "000 P01"),
    ("0P", "000"),
    ("0Z", "000 002"),
    ("10", "608"),
    ("20", "000"),
    ("21", "000"),
    ("22", "000 001 002 003 004 005 007 008 009 00B 00C 00D 00F 00G 00H 00L 00M 00N 00S 00T 010 011 012 013 014 015 016 018 019 01B 01E 01F 01G 01W 01X 021 022 023 024 025 026 027 02E 02G 02H 030 031 032 033 034 035 036 037 038 039 03A 03B 03C 03D 03E 03F 03G P01 P02 P03 P04 P05 P06"),
    ("23", "000 001 502 503 505 514 P01"),
    ("24", "000"),
    ("25", "000 001 002 003 004 005 006 007 008 P01 P02 P03 P04"),
    ("26", "000"),
    ("27", "000"),
    ("28", "000 P01"),
    ("2B", "000 P01"),
    ("2D", "000"),
    ("2F", "000 002 003 004 005"),
    ("34", "000"),
    ("38", "000 001 002 003 004"),
    ("39", "000 001 004 P01 P02 P03"),
    ("3B", "000 001"),
    ("3D", "000"),
    ("3F", "000"),
    ("40", "000 001 002 003 P01"),
    ("42", "000 501 601 602 611 622 701 702 703 704 710 712 723 725 803 804 809 830 846 883 8C9 939 P01 P02 P03 P04 P05 P06 P07 P08 P09 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22"),
    ("44", "000"),
    ("53", "000 100 200 300 400"),
    ("54", "000 001 011 023"),
    ("55", "000 006 P02 P03 P04"),
    ("57", "000 014 P01 P02 P03 P04 P05"),
    ("58", "000 030 P01 P02 P03"),
    ("72", "000"),
    ("F0", "000 001"),
    ("HV", "000 001 002 004 005 006 007 008 009 00A 00B 00C 00D 00J 00K 00L 00M 00N 00P 00Q 00R 010 014 021 024 090 091"),
    ("P0", "000 001 002 003 004"),
    ("XX", "000 001 002"),
];

/// Code and text; `%` stands for names of the server's objects or for its own words. The same text may come under
/// several codes.
const TEXTS: &[(&str, &str)] = &[
    ("00000", "% does not exist, skipping"),
    ("00000", "drop cascades to %"),
    ("00000", "truncate cascades to table \"%\""),
    ("08P01", "bind message supplies % parameters, but prepared statement \"%\" requires %"),
    ("0A000", "cached plan must not change result type"),
    ("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time"),
    ("21000", "MERGE command cannot affect row a second time"),
    ("21000", "more than one row returned by a subquery used as an expression"),
    ("22001", "value too long for type %"),
    ("22003", "bigint out of range"),
    ("22003", "integer out of range"),
    ("22003", "numeric field overflow"),
    ("22003", "smallint out of range"),
    ("22003", "value overflows numeric format"),
    ("22008", "date out of range"),
    ("22008", "interval out of range"),
    ("22008", "timestamp out of range"),
    ("22012", "division by zero"),
    ("2201E", "cannot take logarithm of a negative number"),
    ("2201E", "cannot take logarithm of zero"),
    ("2201F", "cannot take square root of a negative number"),
    ("2201W", "LIMIT must not be negative"),
    ("2201X", "OFFSET must not be negative"),
    (
        "23001",
        "update or delete on table \"%\" violates RESTRICT setting of foreign key constraint \"%\" on table \"%\"",
    ),
    ("23502", "null value in column \"%\" of relation \"%\" violates not-null constraint"),
    ("23503", "insert or update on table \"%\" violates foreign key constraint \"%\""),
    ("23503", "update or delete on table \"%\" violates foreign key constraint \"%\" on table \"%\""),
    ("23505", "could not create unique index \"%\""),
    ("23505", "duplicate key value violates unique constraint \"%\""),
    ("23514", "check constraint \"%\" of relation \"%\" is violated by some row"),
    ("23514", "new row for relation \"%\" violates check constraint \"%\""),
    ("23514", "new row for relation \"%\" violates partition constraint"),
    ("23514", "no partition of relation \"%\" found for row"),
    ("23514", "value for domain % violates check constraint \"%\""),
    ("23P01", "conflicting key value violates exclusion constraint \"%\""),
    ("25001", "% cannot run inside a transaction block"),
    ("25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query"),
    ("25001", "there is already a transaction in progress"),
    ("25006", "cannot execute % in a read-only transaction"),
    ("25P01", "% can only be used in transaction blocks"),
    ("25P01", "there is no transaction in progress"),
    ("25P02", "current transaction is aborted, commands ignored until end of transaction block"),
    ("25P03", "terminating connection due to idle-in-transaction timeout"),
    ("25P04", "terminating connection due to transaction timeout"),
    ("26000", "prepared statement \"%\" does not exist"),
    ("26000", "unnamed prepared statement does not exist"),
    ("34000", "cursor \"%\" does not exist"),
    ("34000", "portal \"%\" does not exist"),
    ("3B001", "savepoint \"%\" does not exist"),
    ("3F000", "no schema has been selected to create in"),
    ("40001", "canceling statement due to conflict with recovery"),
    ("40001", "could not serialize access due to concurrent delete"),
    ("40001", "could not serialize access due to concurrent update"),
    ("40001", "could not serialize access due to read/write dependencies among transactions"),
    ("40001", "terminating connection due to conflict with recovery"),
    ("40001", "tuple to be locked was already moved to another partition due to concurrent update"),
    ("40P01", "canceling statement due to conflict with recovery"),
    ("40P01", "deadlock detected"),
    ("42501", "must be owner of %"),
    ("42501", "new row violates row-level security policy % for table \"%\""),
    ("42501", "new row violates row-level security policy for table \"%\""),
    ("42501", "permission denied for %"),
    ("42701", "column \"%\" of relation \"%\" already exists, skipping"),
    ("42703", "column \"%\" of relation \"%\" does not exist, skipping"),
    ("42704", "% does not exist, skipping"),
    ("42710", "% already exists, skipping"),
    ("42P01", "materialized view \"%\" does not exist"),
    ("42P01", "sequence \"%\" does not exist"),
    ("42P01", "table \"%\" does not exist"),
    ("42P01", "view \"%\" does not exist"),
    ("42P03", "cursor \"%\" already exists"),
    ("42P05", "prepared statement \"%\" already exists"),
    ("42P06", "schema \"%\" already exists"),
    ("42P06", "schema \"%\" already exists, skipping"),
    ("42P07", "relation \"%\" already exists"),
    ("42P07", "relation \"%\" already exists, skipping"),
    ("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification"),
    ("53100", "could not extend file \"%\": No space left on device"),
    ("53200", "out of memory"),
    ("53200", "out of shared memory"),
    ("53300", "remaining connection slots are reserved for %"),
    ("53300", "sorry, too many clients already"),
    ("53300", "too many connections for %"),
    ("54001", "stack depth limit exceeded"),
    ("55000", "lastval is not yet defined in this session"),
    ("55P03", "canceling statement due to lock timeout"),
    ("55P03", "could not obtain lock on relation \"%\""),
    ("55P03", "could not obtain lock on row in relation \"%\""),
    ("57014", "canceling statement due to lock timeout"),
    ("57014", "canceling statement due to statement timeout"),
    ("57014", "canceling statement due to user request"),
    ("57P01", "terminating connection due to administrator command"),
    ("57P02", "terminating connection because of crash of another server process"),
    ("57P03", "the database system is in recovery mode"),
    ("57P03", "the database system is shutting down"),
    ("57P03", "the database system is starting up"),
    ("57P05", "terminating connection due to idle-session timeout"),
    ("P0002", "query returned no rows"),
    ("P0003", "query returned more than one row"),
    ("P0004", "assertion failed"),
];

/// Bytes that a gap may have: an object's qualified name in quotes, and what kind of object it is.
const GAP_BYTES: usize = 256;

/// Whether a code is one of the server's own.
pub(crate) fn is_code(code: [u8; 5]) -> bool {
    let class = code.get(..2).unwrap_or_default();
    let rest = code.get(2..).unwrap_or_default();
    let listed = CODES.iter().find(|(own, _)| own.as_bytes() == class);
    listed.is_some_and(|(_, codes)| codes.split(' ').any(|own| own.as_bytes() == rest))
}

/// Whether a text is one that the server writes under this code. `names`: whether one with gaps counts.
pub(crate) fn is_text(code: [u8; 5], text: &[u8], names: bool) -> bool {
    let own = TEXTS.iter().filter(|(own, _)| own.as_bytes() == code).map(|(_, pattern)| pattern.as_bytes());
    own.into_iter().any(|pattern| {
        if memchr::memchr(b'%', pattern).is_some() { names && fits(pattern, text) } else { pattern == text }
    })
}

/// Whether a text is a pattern with something short in each gap.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|byte| *byte == b'%');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        // The last piece stands at the end, whatever a name in the gap before it looks like.
        let found = match pieces.peek() {
            None => rest.ends_with(piece).then(|| rest.len() - piece.len()),
            Some(_) => memchr::memmem::find(rest, piece),
        };
        let Some(at) = found.filter(|at| (1..=GAP_BYTES).contains(at)) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_server() {
        for code in [b"00000", b"23505", b"40001", b"40P01", b"XX000", b"P0001", b"HV00R"] {
            assert!(is_code(*code), "{code:?}");
        }
        for code in [b"QXZJK", b"23999", b"4000 ", b"00 00", b"\0\0\0\0\0"] {
            assert!(!is_code(*code), "{code:?}");
        }
        assert!(TEXTS.iter().all(|(code, _)| code.len() == 5 && is_code(code.as_bytes().try_into().unwrap())));
    }

    #[test]
    fn texts_fit_whole_and_only_with_leave_where_they_have_gaps() {
        let unique = b"duplicate key value violates unique constraint \"t_pkey\"";
        assert!(is_text(*b"23505", unique, true) && !is_text(*b"23505", unique, false));
        assert!(!is_text(*b"23503", unique, true));
        assert!(is_text(*b"40P01", b"deadlock detected", false));
        for wrong in ["deadlock detected: 4111", "a deadlock detected", ""] {
            assert!(!is_text(*b"40P01", wrong.as_bytes(), true), "{wrong}");
        }
        let key = "insert or update on table \"a\" violates foreign key constraint \"b\"";
        assert!(is_text(*b"23503", key.as_bytes(), true));
        assert!(!is_text(*b"23503", format!("{key} 4111").as_bytes(), true));
        let long = format!("table \"{}\" does not exist", "x".repeat(GAP_BYTES + 1));
        assert!(!is_text(*b"42P01", long.as_bytes(), true));
        assert!(!is_text(*b"42P01", b"relation \"4111\" does not exist", true), "a value can be a relation's name");
    }
}
