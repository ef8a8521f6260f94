//! Whether the text of an error or notice may hold masked data.
//!
//! PostgreSQL's are told by what they say ([`may_quote`] is where that begins), because a function there can take any
//! code. MySQL's go by the SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. A class says what
//! went wrong and not where its message got the name that it quotes: `card::regclass` fails with "relation
//! "4111-…" does not exist". So only classes whose messages quote nothing that was computed are harmless,
//! and names pass only where the text itself has them.

use crate::snapshot::UserRules;
use crate::statement::Judgement;
use crate::statement::kind::{Kind, KindSet};

/// What of an error or notice a client may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// All of it.
    All,
    /// All of it if it was found in the text of the statement, else as [`Readable::Names`].
    AboutText,
    /// No field that can hold a value.
    Names,
}

/// Classes whose messages quote no value that was computed: connection (08), transaction state (25),
/// statement name (26), authorization (28), savepoint (3B), serialization (40), resources (53, 54),
/// operator intervention (57).
const HARMLESS: [&[u8; 2]; 9] = [b"08", b"25", b"26", b"28", b"3B", b"40", b"53", b"54", b"57"];

/// Codes of other classes that quote no value either: missing privilege, name of a prepared statement taken,
/// no index for ON CONFLICT, lock not available.
const HARMLESS_CODES: [&[u8; 5]; 4] = [b"42501", b"42P05", b"42P10", b"55P03"];

/// Classes whose messages quote names, of which a function or cast may have computed some: feature (0A),
/// cursor state and name (24, 34), catalogue and schema name (3D, 3F), syntax and access (42), object state
/// (55).
const NAMING: [&[u8; 2]; 7] = [b"0A", b"24", b"34", b"3D", b"3F", b"42", b"55"];

/// Whether an error or notice of PostgreSQL may hold masked data, so that only what the server is known to say of its
/// own accord may pass.
///
/// `judgement` is that of the running statement; `None` where none runs or it is not certain which. At the end of
/// a transaction what earlier statements left behind runs: deferred constraints and triggers, queries of cursors
/// `WITH HOLD`.
#[must_use]
pub fn may_quote(rules: &UserRules, judgement: Option<&Judgement>) -> bool {
    let ends = KindSet::of(Kind::COMMIT).union(KindSet::of(Kind::TWO_PHASE)).union(KindSet::of(Kind::SET));
    let certain = |judgement: &Judgement| !judgement.quotes && !judgement.kinds().meets(ends);
    rules.has_column_masks() && !judgement.is_some_and(certain)
}

/// What a client may read of an error or notice of a server that is judged by SQLSTATE.
///
/// `judgement` is that of the running statement; `None` where no statement runs. Notices (classes 00 and 01)
/// come from `RAISE` with any text, so they are not among the harmless.
#[must_use]
pub fn readable(rules: &UserRules, judgement: Option<&Judgement>, sqlstate: [u8; 5]) -> Readable {
    let quotes = judgement.is_some_and(|judgement| judgement.quotes);
    if !rules.has_column_masks() || !quotes {
        return Readable::All;
    }
    let among = |classes: &[&[u8; 2]]| classes.iter().any(|class| sqlstate.starts_with(&class[..]));
    if among(&HARMLESS) || HARMLESS_CODES.contains(&&sqlstate) {
        Readable::All
    } else if among(&NAMING) {
        Readable::AboutText
    } else {
        Readable::Names
    }
}
