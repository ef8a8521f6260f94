//! Judged statements, remembered by their text and the context that they were judged in.
//!
//! The key is the whole text, not its hash: two statements never share a verdict because they share a hash.
//! The cache is bounded by bytes and forgets in two generations: when the young one is full it becomes the
//! old one, and what is asked for again moves back.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::rc::Rc;

use policy::snapshot::RulesKey;
use policy::statement::SqlContext;

use crate::limits::{CACHED_STATEMENT_BYTES, CONTEXTS, VERDICT_CACHE_BYTES};

/// What an entry costs beside the statement: the map's slot, the list behind it, the plans of its results.
const ENTRY_BYTES: usize = 512;

/// Everything but the text that a verdict depends on, as a number that the shard gave it.
///
/// Rules (and with them policy generation, listener, user and groups), the catalogue, and the settings of
/// the session that change what a text means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextKey {
    /// The user's rules: policy generation and set.
    pub(crate) rules: RulesKey,
    /// Identity of the catalogue, 0 for none.
    pub(crate) catalogue: u64,
    /// The settings of the session that change what a text means.
    pub(crate) settings: SqlContext,
}

/// The contexts of one shard, numbered. Numbers are never reused, so a forgotten one matches no entry.
#[derive(Default)]
pub(crate) struct Contexts {
    known: Vec<(ContextKey, u32)>,
    last: u32,
}

impl Contexts {
    /// The number of a context.
    pub(crate) fn number(&mut self, key: ContextKey) -> u32 {
        if let Some((_, number)) = self.known.iter().find(|(known, _)| *known == key) {
            return *number;
        }
        if self.known.len() >= CONTEXTS {
            self.known.remove(0);
        }
        self.last += 1;
        self.known.push((key, self.last));
        self.last
    }
}

/// What a cache remembers of a text.
pub trait Remembered {
    /// The whole text.
    fn text(&self) -> &[u8];

    /// Memory that it takes, in bytes.
    fn weight(&self) -> usize;
}

struct Generation<S> {
    /// By hash; each entry is compared by its whole text.
    entries: HashMap<u64, Vec<(u32, Rc<S>)>, Identity>,
    bytes: usize,
}

impl<S> Default for Generation<S> {
    fn default() -> Self {
        Self { entries: HashMap::default(), bytes: 0 }
    }
}

impl<S> Generation<S> {
    fn len(&self) -> usize {
        self.entries.values().map(Vec::len).sum()
    }
}

/// The cache of one shard.
pub struct VerdictCache<S> {
    hasher: RandomState,
    young: Generation<S>,
    old: Generation<S>,
    /// Lookups that found a verdict.
    pub(crate) hits: u64,
    /// Lookups that did not.
    pub(crate) misses: u64,
    /// Verdicts that made room for others.
    pub(crate) evictions: u64,
}

impl<S> Default for VerdictCache<S> {
    fn default() -> Self {
        let hasher = RandomState::default();
        Self { hasher, young: Generation::default(), old: Generation::default(), hits: 0, misses: 0, evictions: 0 }
    }
}

impl<S: Remembered> VerdictCache<S> {
    /// The verdict on this text in the context of this number.
    pub fn find(&mut self, context: u32, sql: &[u8]) -> Option<Rc<S>> {
        let hash = self.hasher.hash_one((context, sql));
        let found = find_in(&self.young, hash, context, sql);
        if let Some(found) = found {
            self.hits += 1;
            return Some(found);
        }
        if let Some(found) = find_in(&self.old, hash, context, sql) {
            self.hits += 1;
            self.keep(hash, context, &found);
            return Some(found);
        }
        self.misses += 1;
        None
    }

    /// Remembers a verdict; not on a text over the limit.
    pub fn insert(&mut self, context: u32, statement: &Rc<S>) {
        if statement.text().len() > CACHED_STATEMENT_BYTES {
            return;
        }
        let hash = self.hasher.hash_one((context, statement.text()));
        self.keep(hash, context, statement);
    }

    /// Bytes that the cache holds, estimated.
    pub(crate) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    /// Verdicts that the cache holds.
    pub(crate) fn entries(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn keep(&mut self, hash: u64, context: u32, statement: &Rc<S>) {
        let cost = statement.weight() + ENTRY_BYTES;
        if self.young.bytes + cost > VERDICT_CACHE_BYTES / 2 {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.evictions += old.len() as u64;
        }
        self.young.bytes += cost;
        self.young.entries.entry(hash).or_default().push((context, Rc::clone(statement)));
    }
}

fn find_in<S: Remembered>(generation: &Generation<S>, hash: u64, context: u32, sql: &[u8]) -> Option<Rc<S>> {
    let entries = generation.entries.get(&hash)?;
    entries.iter().find(|(entry, statement)| *entry == context && statement.text() == sql).map(|(_, s)| Rc::clone(s))
}

/// The keys are hashes already, made with a random key of this shard.
#[derive(Clone, Default)]
struct Identity;

struct IdentityHasher(u64);

impl BuildHasher for Identity {
    type Hasher = IdentityHasher;

    fn build_hasher(&self) -> IdentityHasher {
        IdentityHasher(0)
    }
}

impl std::hash::Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only hashes are keys here");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
