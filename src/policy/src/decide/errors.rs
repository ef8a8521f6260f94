//! Whether the text of an error or notice may hold masked data.
//!
//! Goes by the class of the SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use crate::snapshot::UserRules;
use crate::statement::{Judgement, Reach};

/// Classes whose messages name objects, positions and settings, and hold no value of a row:
/// connection (08), feature (0A), transaction state (25), statement name (26), authorization (28), cursor
/// state and name (24, 34), savepoint (3B), catalogue and schema name (3D, 3F), serialization (40), syntax and
/// access (42), resources (53, 54), object state
/// (55), operator intervention (57), system (58).
const HARMLESS: [&[u8; 2]; 17] = [
    b"08", b"0A", b"24", b"25", b"26", b"28", b"34", b"3B", b"3D", b"3F", b"40", b"42", b"53", b"54", b"55", b"57",
    b"58",
];

/// Whether the fields of an error or notice that can hold values are to be replaced.
///
/// `judgement` is that of the running statement; `None` where no statement runs. Notices (classes 00 and 01)
/// come from `RAISE` with any text, so they are not among the harmless.
#[must_use]
pub fn scrub_errors(rules: &UserRules, judgement: Option<&Judgement>, sqlstate: [u8; 5]) -> bool {
    if !rules.has_column_masks() {
        return false;
    }
    match judgement.map(|judgement| judgement.reach) {
        None | Some(Reach::No) => false,
        Some(Reach::Unknown | Reach::Yes(_)) => {
            let class = [sqlstate[0], sqlstate[1]];
            !HARMLESS.iter().any(|harmless| **harmless == class)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_quote_values_are_not_harmless() {
        for sqlstate in [b"22P02", b"23505", b"23514", b"22012", b"P0001", b"XX000", b"39000", b"00000", b"01000"] {
            assert!(!HARMLESS.iter().any(|class| class[..] == sqlstate[..2]), "{sqlstate:?}");
        }
    }
}
