//! The rules of one config as they apply to one user of one listener.
//!
//! A snapshot is immutable; a session keeps the [`UserRules`] it was given until it asks the next
//! snapshot between two statements. Users to whom the same rules apply share one [`UserRules`], so that
//! what is compiled or cached for one serves all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::pattern::ColumnPattern;
use crate::config::{Config, Deny, LiteralsFile, Mask, Predicates, Unparsed};
use crate::detect::{Detector, DetectorSet, DetectorUse, List, Literals};
use crate::mask::{HashKey, Method};
use crate::rule::RuleId;
use crate::statement::kind::KindSet;

/// What a config names and this crate does not look for, because it does no IO.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The key of [`Method::Hash`]; unknown where the config has none.
    pub hash_key: HashKey,
    /// The lists that masks look for.
    pub literals: BTreeMap<LiteralsFile, Arc<Literals>>,
}

impl Found {
    /// A mask with what it needs.
    fn completed(&self, mask: &Mask) -> Mask {
        let mut mask = mask.clone();
        if let Method::Hash(key) = &mut mask.method {
            key.clone_from(&self.hash_key);
        }
        let literals = mask.literals_file.as_ref().and_then(|file| self.literals.get(file));
        for detector in &mut mask.detect {
            if let (Detector::Literals(list), Some(literals)) = (detector, literals) {
                *list = List::new(Arc::clone(literals));
            }
        }
        mask
    }
}

/// A checked config with a number, ready to be asked.
#[derive(Debug)]
pub struct Snapshot {
    config: Arc<Config>,
    found: Found,
    generation: u64,
    groups: HashMap<Box<str>, Arc<[Box<str>]>>,
    /// The rules of each set of rules that was asked for. Bounded by the config, not by the users who
    /// come: a set is decided by listener, groups and the users whom rules name.
    sets: Mutex<BTreeMap<Box<[RuleId]>, Arc<UserRules>>>,
}

impl Snapshot {
    /// Compiles a config that names nothing outside, or is not asked for values: what it names stays unknown,
    /// and masks that need it redact. `generation` must differ from that of every other snapshot of this process.
    #[must_use]
    pub fn compile(config: Arc<Config>, generation: u64) -> Self {
        Self::compile_with(config, generation, Found::default())
    }

    /// As [`Snapshot::compile`], with what the config names.
    #[must_use]
    pub fn compile_with(config: Arc<Config>, generation: u64, found: Found) -> Self {
        let groups = config.users.iter().map(|user| (user.name.clone(), user.groups.clone().into())).collect();
        Self { config, found, generation, groups, sets: Mutex::default() }
    }

    /// The config that it was compiled from.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The number that it was compiled with.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The groups of a user, for the audit; empty for a user whom the config does not list.
    #[must_use]
    pub fn groups_of(&self, user: &str) -> Arc<[Box<str>]> {
        self.groups.get(user).cloned().unwrap_or_default()
    }

    /// The rules that apply to a user of a listener. Both are names; unknown ones are fine, a user who is
    /// not listed is in no group.
    ///
    /// Takes a lock for the time of a look-up: ask once for a session and snapshot.
    #[must_use]
    pub fn rules_for(&self, listener: &str, user: &str) -> Arc<UserRules> {
        let groups = self.groups_of(user);
        let denies = self.config.denies.iter().map(|rule| &rule.scope);
        let masks = self.config.masks.iter().map(|rule| &rule.scope);
        let applying: Box<[RuleId]> = denies
            .chain(masks)
            .enumerate()
            .filter(|(_, scope)| scope.covers(listener, user, &groups))
            .filter_map(|(index, _)| u16::try_from(index).ok().map(RuleId))
            .collect();
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = sets.get(&applying) {
            return Arc::clone(rules);
        }
        let set = u32::try_from(sets.len()).unwrap_or(u32::MAX);
        let rules =
            UserRules::compile(&self.config, &self.found, &applying, RulesKey { generation: self.generation, set });
        let rules = Arc::new(rules);
        sets.insert(applying, Arc::clone(&rules));
        rules
    }

    /// The name of a rule, as the config file has it.
    #[must_use]
    pub fn rule_name(&self, rule: RuleId) -> &str {
        rule_name(&self.config, rule)
    }
}

fn rule_name(config: &Config, rule: RuleId) -> &str {
    match rule {
        RuleId::BUILT_IN => "built-in: catalogue values",
        RuleId::UNKNOWN_ORIGIN => "built-in: unknown origin",
        RuleId(_) => {
            let denies = config.denies.iter().map(|deny| &*deny.name);
            let masks = config.masks.iter().map(|mask| &*mask.name);
            denies.chain(masks).nth(rule.index()).unwrap_or("unknown rule")
        }
    }
}

/// Which set of rules of which snapshot: equal keys mean equal rules. For caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulesKey {
    /// [`Snapshot::generation`]
    pub generation: u64,
    /// The set of rules within that snapshot.
    pub set: u32,
}

/// The rules that apply to one user of one listener.
#[derive(Debug)]
pub struct UserRules {
    config: Arc<Config>,
    key: RulesKey,
    denies: Vec<(RuleId, Deny)>,
    column_masks: Vec<(RuleId, Mask)>,
    detect_masks: Vec<(RuleId, Mask)>,
    denied: KindSet,
    everywhere: Option<Arc<DetectorSet>>,
}

impl UserRules {
    fn compile(config: &Arc<Config>, found: &Found, applying: &[RuleId], key: RulesKey) -> Self {
        let applies = |index: usize| RuleId(u16::try_from(index).unwrap_or(u16::MAX));
        let denies = config.denies.iter().enumerate().map(|(index, deny)| (applies(index), deny));
        let denies: Vec<_> =
            denies.filter(|(rule, _)| applying.contains(rule)).map(|(rule, deny)| (rule, deny.clone())).collect();
        let masks = config.masks.iter().enumerate().map(|(index, mask)| (applies(config.denies.len() + index), mask));
        let masks = masks.filter(|(rule, _)| applying.contains(rule)).map(|(rule, mask)| (rule, found.completed(mask)));
        let (column_masks, detect_masks): (Vec<_>, Vec<_>) = masks.partition(|(_, mask)| mask.detect.is_empty());
        let denied = denies.iter().fold(KindSet::EMPTY, |all, (_, deny)| all.union(deny.statements));
        let mut rules =
            Self { config: Arc::clone(config), key, denies, column_masks, detect_masks, denied, everywhere: None };
        rules.everywhere = rules.detectors_where(|_| true);
        rules
    }

    /// Whether no rule applies: nothing needs to be judged, described or walked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.denies.is_empty()
            && self.column_masks.is_empty()
            && self.detect_masks.is_empty()
            && self.config.policy.unparsed != Unparsed::Refuse
    }

    /// Whether some column is masked whole for this user, so that the catalogue is needed.
    #[must_use]
    pub fn has_column_masks(&self) -> bool {
        !self.column_masks.is_empty()
    }

    /// Whether some detector looks at results.
    #[must_use]
    pub fn has_detectors(&self) -> bool {
        !self.detect_masks.is_empty()
    }

    /// Whether results cannot be planned without the catalogue: a column mask applies, or a detector that
    /// looks at some columns only.
    #[must_use]
    pub fn needs_catalogue(&self) -> bool {
        self.has_column_masks() || self.detect_masks.iter().any(|(_, mask)| !mask.columns.is_empty())
    }

    /// Whether some statement may be refused by a `[[deny]]`.
    #[must_use]
    pub fn has_denies(&self) -> bool {
        !self.denies.is_empty()
    }

    /// What caches are to be keyed by, with the text and the [`crate::statement::SqlContext`].
    #[must_use]
    pub fn key(&self) -> RulesKey {
        self.key
    }

    /// The generation of the snapshot that gave these rules.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.key.generation
    }

    /// The name of a rule, as the config file has it.
    #[must_use]
    pub fn rule_name(&self, rule: RuleId) -> &str {
        rule_name(&self.config, rule)
    }

    /// What becomes of statements that the parser cannot read.
    #[must_use]
    pub fn unparsed(&self) -> Unparsed {
        self.config.policy.unparsed
    }

    /// The denies that apply, in the order of the file.
    pub fn denies(&self) -> impl Iterator<Item = (RuleId, &Deny)> {
        self.denies.iter().map(|(rule, deny)| (*rule, deny))
    }

    /// The column masks that apply, in the order of the file: the first that covers a column decides.
    pub fn column_masks(&self) -> impl Iterator<Item = (RuleId, &Mask)> {
        self.column_masks.iter().map(|(rule, mask)| (*rule, mask))
    }

    /// The masks by detector that apply, in the order of the file.
    pub fn detect_masks(&self) -> impl Iterator<Item = (RuleId, &Mask)> {
        self.detect_masks.iter().map(|(rule, mask)| (*rule, mask))
    }

    /// Every kind that some deny names.
    #[must_use]
    pub fn denied_kinds(&self) -> KindSet {
        self.denied
    }

    /// Whether some column mask forbids comparisons.
    #[must_use]
    pub fn denies_predicates(&self) -> bool {
        self.column_masks.iter().any(|(_, mask)| mask.predicates == Predicates::Deny)
    }

    /// The rule under which a value is masked whose origin cannot be told: the first column mask.
    #[must_use]
    pub fn computed_mask(&self) -> Option<(RuleId, Method)> {
        self.column_masks.first().map(|(rule, _)| (*rule, Method::Redact))
    }

    /// The detectors for a value of unknown origin: all of them.
    #[must_use]
    pub fn detectors_everywhere(&self) -> Option<Arc<DetectorSet>> {
        self.everywhere.clone()
    }

    /// The detectors of the masks whose columns `covers` accepts; a mask without columns covers all.
    #[must_use]
    pub fn detectors_where(&self, covers: impl Fn(&ColumnPattern) -> bool) -> Option<Arc<DetectorSet>> {
        let covering =
            self.detect_masks.iter().filter(|(_, mask)| mask.columns.is_empty() || mask.columns.iter().any(&covers));
        let uses: Vec<DetectorUse> = covering
            .flat_map(|(rule, mask)| {
                mask.detect.iter().map(|detector| DetectorUse {
                    rule: *rule,
                    detector: detector.clone(),
                    method: mask.method.clone(),
                })
            })
            .collect();
        if uses.is_empty() { None } else { Some(Arc::new(DetectorSet::compile(&uses))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let text = r#"
            [[listen]]
            name = "orders"
            protocol = "postgres"
            address = "127.0.0.1:6432"
            upstream = "127.0.0.1:5432"
            [[user]]
            name = "ana"
            groups = ["support"]
            [[user]]
            name = "bob"
            groups = ["dba"]
            [[deny]]
            name = "no drop"
            statements = ["drop"]
            except_groups = ["dba"]
            [[mask]]
            name = "cards"
            columns = ["public.customers.card"]
            groups = ["support"]
            users = ["eve"]
            [[mask]]
            name = "mails"
            detect = ["email"]
        "#;
        Snapshot::compile(Arc::new(Config::parse(text, "t").unwrap()), 7)
    }

    #[test]
    fn users_get_the_rules_that_cover_them() {
        let snapshot = snapshot();
        let ana = snapshot.rules_for("orders", "ana");
        assert!(ana.has_denies() && ana.has_column_masks() && ana.has_detectors() && !ana.is_empty());
        let bob = snapshot.rules_for("orders", "bob");
        assert!(!bob.has_denies() && !bob.has_column_masks() && bob.has_detectors());
        let stranger = snapshot.rules_for("orders", "zoe");
        assert!(stranger.has_denies() && !stranger.has_column_masks());
        assert!(snapshot.rules_for("orders", "eve").has_column_masks());
        assert_eq!(ana.rule_name(RuleId(1)), "cards");
        assert_eq!(snapshot.rule_name(RuleId(0)), "no drop");
    }

    #[test]
    fn a_mask_that_hashes_gets_the_key_of_its_snapshot() {
        let text = r#"
            [policy]
            hash_key = { env = "K" }
            [[listen]]
            name = "l"
            protocol = "postgres"
            address = "127.0.0.1:6432"
            upstream = "127.0.0.1:5432"
            [[mask]]
            name = "names"
            columns = ["people.name"]
            method = "hash"
        "#;
        let config = Arc::new(Config::parse(text, "t").unwrap());
        let method = |snapshot: &Snapshot| {
            snapshot.rules_for("l", "ana").column_masks().map(|(_, mask)| mask.method.clone()).next().unwrap()
        };
        assert_eq!(method(&Snapshot::compile(Arc::clone(&config), 1)), Method::Hash(HashKey::UNKNOWN));
        let hash_key = HashKey::new(b"a key only for tests").unwrap();
        let found = Found { hash_key: hash_key.clone(), ..Found::default() };
        assert_eq!(method(&Snapshot::compile_with(config, 2, found)), Method::Hash(hash_key));
    }

    #[test]
    fn equal_sets_of_rules_are_shared() {
        let snapshot = snapshot();
        assert!(Arc::ptr_eq(&snapshot.rules_for("orders", "ana"), &snapshot.rules_for("orders", "eve")));
        assert_ne!(snapshot.rules_for("orders", "ana").key(), snapshot.rules_for("orders", "bob").key());
    }
}
