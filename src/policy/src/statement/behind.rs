//! What a statement touches without a call: the relations that it changes, the operators and types that it
//! mentions. Code of the users may run behind each of them: [`crate::catalogue`] knows which.

use core::ops::Range;
use std::collections::BTreeSet;

use super::Read;
use super::carriers::Carried;
use super::kind::{self, Kind, KindSet};
use super::tokens::Tokens;
use super::tree::Facts;
use crate::catalogue::{Catalogue, Touched};
use crate::sql::lexer::{Kind as TokenKind, Lexed};

/// What is done with a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Events(u8);

impl Events {
    pub(crate) const NONE: Self = Self(0);
    /// Any use.
    const USE: Self = Self(1);
    const INSERT: Self = Self(2);
    const UPDATE: Self = Self(4);
    const DELETE: Self = Self(8);
    const TRUNCATE: Self = Self(16);
    /// Commands that compute what indexes, checks and statistics hold.
    const MAINTAIN: Self = Self(32);
    /// It may wait for the end of the transaction.
    pub(crate) const COMMIT: Self = Self(64);
    /// An UPDATE of columns that others refer to.
    pub(crate) const KEY: Self = Self(128);

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// As the catalogue's query writes them. A letter that is not known stands for all.
    pub(crate) fn of_letters(letters: &str) -> Self {
        letters.chars().fold(Self::NONE, |all, letter| {
            all.union(match letter {
                's' => Self::USE,
                'i' => Self::INSERT,
                'u' => Self::UPDATE,
                'd' => Self::DELETE,
                't' => Self::TRUNCATE,
                'x' => Self::MAINTAIN,
                'c' => Self::COMMIT,
                'k' => Self::KEY,
                _ => Self(u8::MAX),
            })
        })
    }

    /// What statements of these kinds do with the relations that they name; an INSERT may have ON CONFLICT.
    pub(crate) fn of_kinds(kinds: KindSet, mentions: &Mentions) -> Self {
        let update = Self::UPDATE.union(Self::KEY);
        let conflict = if mentions.names.contains("conflict") { update } else { Self::NONE };
        let events = [
            (Kind::INSERT, Self::INSERT.union(conflict)),
            (Kind::COPY_FROM, Self::INSERT),
            (Kind::UPDATE, update),
            (Kind::DELETE, Self::DELETE),
            (Kind::MERGE, Self::INSERT.union(update).union(Self::DELETE)),
            (Kind::TRUNCATE, Self::TRUNCATE),
            (Kind::ALTER_TABLE, Self::MAINTAIN),
            (Kind::ANALYZE, Self::MAINTAIN),
            (Kind::CLUSTER, Self::MAINTAIN),
            (Kind::REFRESH, Self::MAINTAIN),
            (Kind::REINDEX, Self::MAINTAIN),
            (Kind::VACUUM, Self::MAINTAIN),
        ];
        let done = events.into_iter().filter(|(kind, _)| kinds.meets(KindSet::of(*kind)));
        done.fold(Self::USE, |all, (_, events)| all.union(events))
    }
}

/// What a text mentions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mentions {
    /// Names of whatever kind.
    pub(crate) names: BTreeSet<Box<str>>,
    /// Operators, those of keywords included.
    pub(crate) operators: BTreeSet<Box<str>>,
    /// Whether there is a parameter, `$1`.
    pub(crate) parameters: bool,
}

/// The operators that keywords of the grammar stand for (`gram.y` of PostgreSQL looks them up by name).
const OPERATORS: &[(&str, &[&str])] = &[
    ("between", &["<", "<=", ">", ">="]),
    ("case", &["="]),
    ("distinct", &["="]),
    ("ilike", &["~~*", "!~~*"]),
    ("in", &["=", "<>"]),
    ("like", &["~~", "!~~"]),
    ("natural", &["="]),
    ("nullif", &["="]),
    ("similar", &["~", "!~"]),
    ("using", &["="]),
];

impl Mentions {
    /// Those of a run of tokens.
    pub(super) fn of(tokens: Tokens<'_, '_>, range: Range<usize>) -> Self {
        let mut found = Self::default();
        found.add(tokens, range);
        found
    }

    /// Adds what another text mentions.
    pub(super) fn merge(&mut self, other: Self) {
        self.names.extend(other.names);
        self.operators.extend(other.operators);
        self.parameters |= other.parameters;
    }

    fn add(&mut self, tokens: Tokens<'_, '_>, range: Range<usize>) {
        for at in range {
            match tokens.kind(at) {
                Some(TokenKind::Word | TokenKind::Quoted | TokenKind::UnicodeQuoted) => {
                    let Some(name) = tokens.lexed.name(at) else { continue };
                    if let Some((_, operators)) = OPERATORS.iter().find(|(word, _)| tokens.is_word(at, word)) {
                        self.operators.extend(operators.iter().map(|operator| Box::from(*operator)));
                    }
                    if !self.names.contains(&*name) {
                        self.names.insert(name.into());
                    }
                }
                Some(TokenKind::Parameter) => self.parameters = true,
                Some(TokenKind::Sign) => {
                    let raw = tokens.lexed.tokens().get(at).map(|token| tokens.lexed.raw(token)).unwrap_or_default();
                    let operator = core::str::from_utf8(raw).unwrap_or_default();
                    let operator = if operator == "!=" { "<>" } else { operator };
                    if !["(", ")", ",", ";", "."].contains(&operator) && !self.operators.contains(operator) {
                        self.operators.insert(operator.into());
                    }
                }
                _ => {}
            }
        }
    }
}

/// What one statement touches, of `kinds` by itself.
pub(super) fn touched(
    tokens: Tokens<'_, '_>,
    range: Range<usize>,
    carried: &Carried,
    facts: Option<&Facts>,
    read: Read,
    catalogue: &Catalogue,
) -> Touched {
    if !catalogue.has_code_behind() {
        return Touched::default();
    }
    let kinds = carried.kinds;
    let mut touched = Touched { mentions: Mentions::of(tokens, range.clone()), ..Touched::default() };
    let events = Events::of_kinds(kinds, &touched.mentions);
    let oids = |schema: Option<&str>, name: &str, events: Events| {
        let known = catalogue.named(schema, name);
        known.map(|relation| (relation.oid, events)).collect::<Vec<_>>()
    };
    match facts.filter(|_| read == Read::Tree) {
        Some(facts) => {
            for relation in &facts.relations {
                let done = if relation.written { events } else { Events::USE };
                touched.relations.extend(oids(relation.name.schema.as_deref(), &relation.name.name, done));
            }
            let updates = facts.sets().map(|changes| changes.iter().filter(|change| change.updates));
            // `None` where one of them may set any column.
            touched.sets = updates.and_then(|updates| {
                let lists: Option<Vec<_>> = updates.map(|change| change.columns.as_deref()).collect();
                lists.map(|lists| lists.into_iter().flatten().cloned().collect())
            });
        }
        None => {
            for name in &touched.mentions.names {
                touched.relations.extend(oids(None, name, events));
            }
        }
    }
    if kinds.meets(KindSet::of(Kind::DO)) {
        for body in &carried.bodies {
            let Ok(lexed) = Lexed::new(body.as_bytes(), tokens.lexed.options()) else { continue };
            let inside = Mentions::of(Tokens::new(&lexed), 0..lexed.tokens().len());
            let events = Events::of_kinds(kinds, &inside);
            for name in &inside.names {
                touched.relations.extend(oids(None, name, events));
            }
            touched.mentions.names.extend(inside.names);
            touched.mentions.operators.extend(inside.operators);
        }
    }
    let fires = [Kind::REFRESH, Kind::REINDEX].into_iter().any(|kind| kinds.meets(KindSet::of(kind)));
    touched.ddl = fires || kinds.meets(kind::ddl());
    touched
}

/// Whether code that waits for the end of the transaction may run in a statement of these kinds.
pub(super) fn ends_waiting(kinds: KindSet, tokens: Tokens<'_, '_>, mut range: Range<usize>) -> bool {
    let ends = [Kind::COMMIT, Kind::TWO_PHASE].into_iter().any(|kind| kinds.meets(KindSet::of(kind)));
    ends || (kinds.meets(KindSet::of(Kind::SET)) && range.any(|at| tokens.is_word(at, "constraints")))
}
