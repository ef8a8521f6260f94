//! The rules of one config as they apply to one user of one listener.
//!
//! A snapshot is immutable; a session keeps the [`UserRules`] it was given until it asks the next
//! snapshot between two statements. Users to whom the same rules apply share one [`UserRules`], so that
//! what is compiled or cached for one serves all.

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::pattern::ColumnPattern;
use crate::config::{Config, Deny, LiteralsFile, LocalFile, Mask, Mode, NotifyPayloads, Predicates, Scope, Unparsed};
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
    /// Whether some rule holds only at certain times.
    is_timed: bool,
    /// The rules of each set of rules that was asked for, at most [`SETS`] of them.
    sets: Mutex<Sets>,
}

/// Most sets of rules that are remembered. A set is decided by listener, groups, the users whom rules name,
/// and by address, application and time where rules ask for these: a client can choose among some, and so
/// there is a bound.
const SETS: usize = 4096;

#[derive(Debug, Default)]
struct Sets {
    known: BTreeMap<Box<[RuleId]>, Arc<UserRules>>,
    /// Sets compiled so far: numbers are never given twice, so that a forgotten one matches nothing.
    compiled: u32,
}

/// Whose rules are asked for, from where and when.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Name of the listener.
    pub listener: &'a str,
    /// Name of the user; unknown ones are fine, a user who is not listed is in no group.
    pub user: &'a str,
    /// The client's address; `None` where it has none that is known.
    pub address: Option<IpAddr>,
    /// The client's `application_name`, as it says.
    pub application: &'a str,
    /// Seconds since 1970.
    pub unix_seconds: i64,
}

impl<'a> Visit<'a> {
    /// A user of a listener of whom no more is known: no address, no application, 1970.
    #[must_use]
    pub fn of(listener: &'a str, user: &'a str) -> Self {
        Self { listener, user, address: None, application: "", unix_seconds: 0 }
    }
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
        let scopes = config.denies.iter().map(|rule| &rule.scope).chain(config.masks.iter().map(|rule| &rule.scope));
        let is_timed = scopes.into_iter().any(|scope| scope.schedule.is_some());
        Self { config, found, generation, groups, is_timed, sets: Mutex::default() }
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

    /// Whether the rules of a visit may be others a minute later: some rule holds at certain times only.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// The rules that apply to a user of a listener, as for [`Visit::of`].
    #[must_use]
    pub fn rules_for(&self, listener: &str, user: &str) -> Arc<UserRules> {
        self.rules_of(&Visit::of(listener, user))
    }

    /// The rules that apply to a client at a moment. They hold until what the visit says changes; times are
    /// told to the minute, so where [`Snapshot::is_timed`] ask again when a minute begins.
    ///
    /// Takes a lock for the time of a look-up: ask once for a session and snapshot.
    #[must_use]
    pub fn rules_of(&self, visit: &Visit<'_>) -> Arc<UserRules> {
        let groups = self.groups_of(visit.user);
        let applies = |scope: &Scope| {
            scope.covers(visit.listener, visit.user, &groups)
                && scope.covers_client(visit.address, visit.application)
                && scope.covers_moment(visit.unix_seconds)
        };
        let denies = self.config.denies.iter().map(|rule| &rule.scope);
        let masks = self.config.masks.iter().map(|rule| &rule.scope);
        let applying: Box<[RuleId]> = denies
            .chain(masks)
            .enumerate()
            .filter(|(_, scope)| applies(scope))
            .filter_map(|(index, _)| u16::try_from(index).ok().map(RuleId))
            .collect();
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = sets.known.get(&applying) {
            return Arc::clone(rules);
        }
        if sets.known.len() >= SETS {
            sets.known.clear();
        }
        sets.compiled = sets.compiled.wrapping_add(1);
        let key = RulesKey { generation: self.generation, set: sets.compiled };
        let rules = Arc::new(UserRules::compile(&self.config, &self.found, &applying, key));
        sets.known.insert(applying, Arc::clone(&rules));
        rules
    }

    /// The name of the rule that lets a client give its server a file of its own machine, if one does.
    #[must_use]
    pub fn local_file(&self, visit: &Visit<'_>, file: &str) -> Option<&str> {
        let groups = self.groups_of(visit.user);
        let allows = |rule: &&LocalFile| {
            let scope = &rule.scope;
            scope.covers(visit.listener, visit.user, &groups)
                && scope.covers_client(visit.address, visit.application)
                && scope.covers_moment(visit.unix_seconds)
                && rule.files.as_ref().is_none_or(|files| files.iter().any(|glob| glob.matches(file)))
        };
        self.config.local_files.iter().find(allows).map(|rule| &*rule.name)
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
    reported_denies: Vec<(RuleId, Deny)>,
    column_masks: Vec<(RuleId, Mask)>,
    reported_masks: Vec<(RuleId, Mask)>,
    detect_masks: Vec<(RuleId, Mask)>,
    everywhere: Option<Arc<DetectorSet>>,
}

impl UserRules {
    fn compile(config: &Arc<Config>, found: &Found, applying: &[RuleId], key: RulesKey) -> Self {
        let applies = |index: usize| RuleId(u16::try_from(index).unwrap_or(u16::MAX));
        let denies = config.denies.iter().enumerate().map(|(index, deny)| (applies(index), deny));
        let denies = denies.filter(|(rule, _)| applying.contains(rule)).map(|(rule, deny)| (rule, deny.clone()));
        let (denies, reported_denies) = denies.partition(|(_, deny)| deny.mode == Mode::Enforce);
        let masks = config.masks.iter().enumerate().map(|(index, mask)| (applies(config.denies.len() + index), mask));
        let masks = masks.filter(|(rule, _)| applying.contains(rule)).map(|(rule, mask)| (rule, found.completed(mask)));
        let (masks, reported_masks): (Vec<_>, Vec<_>) = masks.partition(|(_, mask)| mask.mode == Mode::Enforce);
        let (column_masks, detect_masks) = masks.into_iter().partition(|(_, mask)| mask.detect.is_empty());
        let mut rules = Self {
            config: Arc::clone(config),
            key,
            denies,
            reported_denies,
            column_masks,
            reported_masks,
            detect_masks,
            everywhere: None,
        };
        rules.everywhere = rules.detectors_where(|_| true);
        rules
    }

    /// Whether no rule applies: nothing needs to be judged, described or walked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.denies.is_empty()
            && self.column_masks.is_empty()
            && self.detect_masks.is_empty()
            && self.reported_denies.is_empty()
            && self.reported_masks.is_empty()
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

    /// How many comparisons under `predicates = "equality"` a user has in an hour.
    #[must_use]
    pub fn comparisons_per_hour(&self) -> u32 {
        self.config.policy.comparisons_per_hour
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

    /// The denies of `mode = "report"` that apply.
    pub fn reported_denies(&self) -> impl Iterator<Item = (RuleId, &Deny)> {
        self.reported_denies.iter().map(|(rule, deny)| (*rule, deny))
    }

    /// Whether some rule stops results after a number of rows.
    #[must_use]
    pub fn has_row_limits(&self) -> bool {
        self.denies.iter().any(|(_, deny)| deny.row_limit.is_some())
    }

    /// The masks of `mode = "report"` that apply.
    pub fn reported_masks(&self) -> impl Iterator<Item = (RuleId, &Mask)> {
        self.reported_masks.iter().map(|(rule, mask)| (*rule, mask))
    }

    /// The classes that users under column masks may send.
    #[must_use]
    pub fn allowed_under_masks(&self) -> KindSet {
        self.config.policy.allow_under_masks
    }

    /// Whether payloads of notifications pass to this user.
    #[must_use]
    pub fn shows_notifications(&self) -> bool {
        !self.has_column_masks() || self.config.policy.notify_payloads == NotifyPayloads::Pass
    }

    /// Whether a rule is about statements, so that it matters what the functions do that they call, and what
    /// stands behind views.
    #[must_use]
    pub fn judges_statements(&self) -> bool {
        !(self.denies.is_empty() && self.reported_denies.is_empty() && self.reported_masks.is_empty())
    }

    /// Whether some column mask forbids or counts comparisons.
    #[must_use]
    pub fn denies_predicates(&self) -> bool {
        self.column_masks.iter().any(|(_, mask)| mask.predicates != Predicates::Allow)
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
    fn rules_hold_where_when_and_for_what_they_say() {
        let text = r#"
            [[listen]]
            name = "l"
            protocol = "postgres"
            address = "127.0.0.1:6432"
            upstream = "127.0.0.1:5432"
            [[deny]]
            name = "outside"
            statements = ["drop"]
            except_addresses = ["10.0.0.0/8"]
            [[deny]]
            name = "psql"
            statements = ["drop"]
            applications = ["psql*"]
            [[deny]]
            name = "nights"
            statements = ["drop"]
            hours = "20:00-06:00"
            days = "mon-fri"
            timezone = "Europe/Berlin"
        "#;
        let snapshot = Snapshot::compile(Arc::new(Config::parse(text, "t").unwrap()), 1);
        assert!(snapshot.is_timed());
        let names = |address: &str, application: &str, hour: i64| {
            // 2024-01-01 was a Monday; Berlin is an hour ahead.
            let unix_seconds = 1_704_067_200 + hour * 3600;
            let address = address.parse().ok();
            let rules = snapshot.rules_of(&Visit { listener: "l", user: "u", address, application, unix_seconds });
            rules.denies().map(|(_, deny)| deny.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names("10.1.1.1", "app", 12), Vec::<String>::new());
        assert_eq!(names("11.1.1.1", "psql (17)", 12), ["outside", "psql"]);
        assert_eq!(names("", "app", 12), ["outside"]);
        assert_eq!(names("10.1.1.1", "app", 19), ["nights"]);
        assert_eq!(names("10.1.1.1", "app", 24 + 4), ["nights"]);
        assert_eq!(names("10.1.1.1", "app", 4), Vec::<String>::new());
    }

    #[test]
    fn local_files_are_given_to_whom_a_rule_says() {
        let text = r#"
            [[listen]]
            name = "l"
            protocol = "mysql"
            address = "127.0.0.1:6432"
            upstream = "127.0.0.1:3306"
            [[user]]
            name = "ana"
            groups = ["loaders"]
            [[local_file]]
            name = "imports"
            groups = ["loaders"]
            files = ["*.csv", "/srv/in/*"]
            [[local_file]]
            name = "bob's"
            users = ["bob"]
        "#;
        let snapshot = Snapshot::compile(Arc::new(Config::parse(text, "t").unwrap()), 1);
        let rule = |user: &str, file: &str| snapshot.local_file(&Visit::of("l", user), file);
        assert_eq!(rule("ana", "new.csv"), Some("imports"));
        assert_eq!(rule("ana", "/srv/in/x"), Some("imports"));
        assert_eq!(rule("ana", "/etc/passwd"), None);
        assert_eq!(rule("bob", "/etc/passwd"), Some("bob's"));
        assert_eq!(rule("eve", "new.csv"), None);
    }

    #[test]
    fn equal_sets_of_rules_are_shared() {
        let snapshot = snapshot();
        assert!(Arc::ptr_eq(&snapshot.rules_for("orders", "ana"), &snapshot.rules_for("orders", "eve")));
        assert_ne!(snapshot.rules_for("orders", "ana").key(), snapshot.rules_for("orders", "bob").key());
    }
}
