//! Statements that make a name for others to use: cursors, and statements prepared in SQL.
//!
//! `FETCH ALL FROM c` shows what the query of `c` shows. What that is, whoever follows the session can remember
//! from the statement that made the name; here is only which name a statement makes, uses or gives up. A name
//! that is not plain ASCII is told as none: servers compare such names in their own encoding.

use core::ops::Range;

use super::kind::Kind;
use super::tokens::Tokens;

/// What a statement does with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `CLOSE c`, `DEALLOCATE p`, `DISCARD`; `None` for all names.
    Drops(Option<Named>),
    /// `DECLARE c CURSOR FOR …`, `PREPARE p AS …`.
    Makes(Named),
    /// `FETCH … FROM c`, `EXECUTE p`.
    Uses(Named),
}

/// A name, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Whether it is that of a cursor; else of a prepared statement.
    pub cursor: bool,
    /// The name as the server has it.
    pub name: Box<str>,
}

/// What the statement in a range does with a name; `None` where it does nothing, or the name is not certain.
pub(super) fn naming(tokens: Tokens<'_, '_>, range: &Range<usize>, kind: Kind) -> Option<Naming> {
    let start = range.start;
    let named = |at: usize, cursor: bool| {
        let name = tokens.lexed.name(at).filter(|name| name.is_ascii() && at < range.end)?;
        Some(Named { cursor, name: name.into() })
    };
    match kind {
        Kind::DECLARE => named(start + 1, true).map(Naming::Makes),
        Kind::PREPARE => named(start + 1, false).map(Naming::Makes),
        Kind::EXECUTE => named(start + 1, false).map(Naming::Uses),
        // `FETCH [direction] [FROM | IN] c`: the name comes last.
        Kind::FETCH => named(range.end.checked_sub(1)?, true).map(Naming::Uses),
        Kind::CLOSE if tokens.is_word(start + 1, "all") => Some(Naming::Drops(None)),
        Kind::CLOSE => named(start + 1, true).map(|named| Naming::Drops(Some(named))),
        Kind::DEALLOCATE => {
            let at = if tokens.is_word(start + 1, "prepare") { start + 2 } else { start + 1 };
            if tokens.is_word(at, "all") {
                return Some(Naming::Drops(None));
            }
            named(at, false).map(|named| Naming::Drops(Some(named)))
        }
        Kind::DISCARD => Some(Naming::Drops(None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::{LexOptions, Lexed};

    fn told(text: &str, kind: Kind) -> Option<Naming> {
        let lexed = Lexed::new(text.as_bytes(), LexOptions::default()).unwrap();
        naming(Tokens::new(&lexed), &(0..lexed.tokens().len()), kind)
    }

    #[test]
    fn names_are_told_as_the_server_has_them() {
        let cursor = |name: &str| Named { cursor: true, name: name.into() };
        let statement = |name: &str| Named { cursor: false, name: name.into() };
        for (text, kind, expected) in [
            ("DECLARE C CURSOR FOR SELECT 1", Kind::DECLARE, Some(Naming::Makes(cursor("c")))),
            ("declare \"C\" scroll cursor with hold for select 1", Kind::DECLARE, Some(Naming::Makes(cursor("C")))),
            ("PREPARE p (int) AS SELECT $1", Kind::PREPARE, Some(Naming::Makes(statement("p")))),
            ("EXECUTE p (1)", Kind::EXECUTE, Some(Naming::Uses(statement("p")))),
            ("FETCH c", Kind::FETCH, Some(Naming::Uses(cursor("c")))),
            ("FETCH FORWARD 100 FROM \"C\"", Kind::FETCH, Some(Naming::Uses(cursor("C")))),
            ("MOVE ALL IN c", Kind::FETCH, Some(Naming::Uses(cursor("c")))),
            ("CLOSE c", Kind::CLOSE, Some(Naming::Drops(Some(cursor("c"))))),
            ("CLOSE ALL", Kind::CLOSE, Some(Naming::Drops(None))),
            ("DEALLOCATE PREPARE p", Kind::DEALLOCATE, Some(Naming::Drops(Some(statement("p"))))),
            ("DEALLOCATE ALL", Kind::DEALLOCATE, Some(Naming::Drops(None))),
            ("DISCARD PLANS", Kind::DISCARD, Some(Naming::Drops(None))),
            ("FETCH \"\u{e9}\"", Kind::FETCH, None),
            ("SELECT 1", Kind::SELECT, None),
        ] {
            assert_eq!(told(text, kind), expected, "{text}");
        }
    }
}
