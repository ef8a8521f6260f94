//! What code of the users says in a statement: RAISE, and what else stands in its errors and notices.
//!
//! It may say anything that it can get at, so it may speak only where all of it is seen and nothing masked is in
//! reach. What it gets at without naming a relation counts, too: arguments (the statement's own reach), rows that a
//! trigger, a check or a row policy is handed, also of relations beneath a view that shows nothing masked, views that
//! call functions, cursors and prepared statements of the session. What other code left in the session (settings,
//! temporary tables) is up to whoever knows the session.

use super::kind::{self, Kind, KindSet};
use super::routine::Code;
use super::verdict::Case;
use super::{Name, Reach, Read};
use crate::catalogue::{ColumnMask, FunctionKind};

/// What may pass of what code of the users says (RAISE) in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speech {
    /// No code of the users is known to run.
    Silent,
    /// All of it: the code is seen and can get at nothing that is masked, as long as no other code has left something
    /// for it in the session.
    Free,
    /// Nothing; and it may leave masked data in the session.
    Withheld,
}

/// What may pass of what is said in one statement. `ran` is what the code behind it can get at, `runs_code` whether some
/// of that is not seen.
pub(super) fn of(case: &Case<'_, '_, '_>, ran: Reach, runs_code: bool) -> Speech {
    if case.reach == Reach::No && ran == Reach::No && is_seen(case) {
        Speech::Free
    } else if runs_code || !case.codes.is_empty() || case.carried.kinds.meets(kind::ddl()) {
        // A change of the schema that is undone leaves code that was not judged, too.
        Speech::Withheld
    } else {
        Speech::Silent
    }
}

/// Whether all code of the users that a statement runs is seen, and takes what it says from nowhere but its arguments
/// and the relations that it names.
fn is_seen(case: &Case<'_, '_, '_>) -> bool {
    let Some(catalogue) = case.catalogue.filter(|_| case.read == Read::Tree) else { return false };
    let (Some(facts), Some((_, sight))) = (case.facts, case.map.catalogue) else { return false };
    let simple = kind::write().union(KindSet::of(Kind::SELECT));
    let seen = |name: &Name| catalogue.function(&name.name) != FunctionKind::User || catalogue.is_readable(&name.name);
    let calls = |name: &str| catalogue.named(None, name).any(|view| catalogue.is_calling_view(view.oid));
    let keeps_to_itself = |code: &&Code| {
        let names = &code.mentions.names;
        let session = ["cursor", "execute", "fetch", "move", "refcursor"];
        code.unknown.is_none()
            && !session.iter().any(|word| names.contains(*word))
            && !names.iter().any(|name| calls(name))
    };
    let named = facts.relations.iter().flat_map(|relation| catalogue.named(None, &relation.name.name));
    let mentioned = case.codes.iter().flat_map(|code| catalogue.mentioned(code));
    let beneath = catalogue.beneath(named.map(|relation| relation.oid).chain(mentioned));
    !case.codes.is_empty()
        && case.carried.kinds.within(simple)
        && case.called.iter().all(seen)
        && case.codes.iter().all(keeps_to_itself)
        && !facts.relations.iter().any(|relation| calls(&relation.name.name))
        && beneath.iter().all(|oid| sight.mask_of(*oid, 0) == ColumnMask::None)
}
