//! What one user's masks mean in one catalogue.
//!
//! Masks are named by patterns and decided by origin: here every column of every relation gets its answer,
//! with inheritance and views followed. What is not found is unknown.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::documents::{self, Mask};
use super::{Catalogue, Relation, definitions, views};
use crate::config::Predicates;
use crate::config::pattern::ColumnPattern;
use crate::hash::{HashMap, HashSet};
use crate::mask::{JsonMask, Method};
use crate::rule::RuleId;
use crate::snapshot::UserRules;
use crate::statement::lineage::{Flow, Origin, Output};
use crate::statement::shows_more_than_arguments;

/// How a column is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnMask {
    /// By this rule, in this way.
    Masked(RuleId, Method),
    /// By no rule.
    None,
    /// The catalogue does not know the relation or the column.
    UnknownRelation,
}

/// The masks of one set of rules over all relations of a catalogue.
#[derive(Debug)]
pub struct Sight {
    /// Every relation that is known; columns that are masked, by number.
    relations: HashMap<u32, BTreeMap<i16, Mask>>,
    /// The highest column number of a relation whose columns are known.
    highest: HashMap<u32, i16>,
    /// Names of relations of which some column is masked.
    reaching: HashMap<Box<str>, RuleId>,
    /// The server's own relations that show definitions which quote masked columns.
    defined: HashMap<Box<str>, Defined>,
    /// Names of masked columns.
    masked_columns: HashSet<Box<str>>,
    /// Names of masked columns that must not be compared.
    denied_columns: HashMap<Box<str>, RuleId>,
    /// Rules whose columns must not be compared freely.
    denying: HashMap<RuleId, Predicates>,
}

/// A relation of the server's own that shows definitions.
#[derive(Debug)]
pub(crate) struct Defined {
    pub(crate) schema: Box<str>,
    /// The columns that show definitions.
    pub(crate) shown: HashSet<Box<str>>,
    /// The other columns.
    pub(crate) plain: HashSet<Box<str>>,
}

impl Defined {
    fn new(relation: &Relation) -> Self {
        let names = |shown: bool| {
            let columns = relation.columns.iter().map(|column| &column.name);
            columns.filter(|name| definitions::is_shown(relation, name) == shown).cloned().collect()
        };
        Self { schema: relation.schema.clone(), shown: names(true), plain: names(false) }
    }
}

/// Columns of the server's own relations that show stored values or statement texts.
const REVEALING: &[(&str, &[&str])] = &[
    // The value that rows older than their column show.
    ("pg_attribute", &["attmissingval"]),
    ("pg_largeobject", &["data"]),
    ("pg_stat_activity", &["application_name", "query"]),
    ("pg_stat_replication", &["application_name"]),
    ("pg_stat_statements", &["query"]),
    ("pg_statistic", &["stavalues1", "stavalues2", "stavalues3", "stavalues4", "stavalues5"]),
    ("pg_statistic_ext_data", &["stxdexpr", "stxdmcv"]),
    ("pg_stats", REVEALING_STATISTICS),
    ("pg_stats_ext", REVEALING_STATISTICS),
    ("pg_stats_ext_exprs", REVEALING_STATISTICS),
];

const REVEALING_STATISTICS: &[&str] =
    &["histogram_bounds", "most_common_elems", "most_common_vals", "range_bounds_histogram", "range_length_histogram"];

/// Whether a name is that of a relation which shows stored values or statement texts.
fn is_revealing(name: &str) -> bool {
    REVEALING.iter().any(|(relation, _)| *relation == name)
}

impl Sight {
    pub(super) fn compile(catalogue: &Catalogue, rules: &UserRules) -> Self {
        let mut relations: HashMap<u32, BTreeMap<i16, Mask>> =
            catalogue.relations.values().map(|relation| (relation.oid, own_masks(relation, rules))).collect();
        generated(catalogue, &mut relations);
        inherit(catalogue, &mut relations);
        generated(catalogue, &mut relations);
        handed_on(catalogue, &mut relations);
        Views { catalogue, rules, relations: &mut relations, shows_definitions: false, done: HashSet::default() }.all();
        let shows_definitions = definitions::mask(catalogue, &mut relations);
        if shows_definitions {
            Views { catalogue, rules, relations: &mut relations, shows_definitions, done: HashSet::default() }.all();
        }
        let mut sight = Self {
            highest: HashMap::default(),
            reaching: HashMap::default(),
            defined: HashMap::default(),
            masked_columns: HashSet::default(),
            denied_columns: HashMap::default(),
            denying: HashMap::default(),
            relations,
        };
        sight.name(catalogue, rules);
        if shows_definitions {
            sight.reaching.extend(definitions::printing().map(|name| (Box::from(name), RuleId::BUILT_IN)));
        }
        sight
    }

    /// Notes the names under which masked relations and columns go.
    fn name(&mut self, catalogue: &Catalogue, rules: &UserRules) {
        let restricting = rules.column_masks().filter(|(_, mask)| mask.predicates != Predicates::Allow);
        self.denying = restricting.map(|(rule, mask)| (rule, mask.predicates)).collect();
        for relation in catalogue.relations.values() {
            match relation.columns.last() {
                Some(last) => drop(self.highest.insert(relation.oid, last.number)),
                // The columns of a sequence are the same everywhere and none is masked.
                None if relation.kind == b'S' => drop(self.highest.insert(relation.oid, i16::MAX)),
                None => {}
            }
            let Some(masks) = self.relations.get(&relation.oid) else { continue };
            for (number, mask) in masks {
                let shows = relation.column(*number).map(|column| definitions::is_shown(relation, &column.name));
                if relation.is_system() && shows == Some(true) {
                    self.defined.entry(relation.name.clone()).or_insert_with(|| Defined::new(relation));
                    continue;
                }
                let reaching = self.reaching.entry(relation.name.clone()).or_insert(mask.0);
                *reaching = (*reaching).min(mask.0);
                // A parameter that is compared with a definition is no value of a masked column.
                let Some(column) = relation.column(*number).filter(|_| !matches!(mask.1, Method::Quoting(_))) else {
                    continue;
                };
                self.masked_columns.insert(column.name.clone());
                for rule in documents::rules(mask).into_iter().filter(|rule| self.denying.contains_key(rule)) {
                    self.denied_columns.insert(column.name.clone(), rule);
                }
            }
        }
    }

    /// How a column is masked. Number 0 is the whole row; negative numbers are system columns, which show
    /// nothing that a mask is for.
    #[must_use]
    pub fn mask_of(&self, relation: u32, number: i16) -> ColumnMask {
        let Some(masks) = self.relations.get(&relation) else { return ColumnMask::UnknownRelation };
        if number == 0 {
            let first = masks.values().map(|mask| mask.0).min();
            return first.map_or(ColumnMask::None, |rule| ColumnMask::Masked(rule, Method::Redact));
        }
        if let Some((rule, method)) = masks.get(&number) {
            return ColumnMask::Masked(*rule, method.clone());
        }
        match self.highest.get(&relation) {
            // A column that was added since.
            Some(highest) if number > *highest => ColumnMask::UnknownRelation,
            None if relation >= super::FIRST_USER_OID => ColumnMask::UnknownRelation,
            _ => ColumnMask::None,
        }
    }

    /// How a part of a column is masked.
    fn mask_at(&self, origin: &Origin) -> ColumnMask {
        match self.mask_of(origin.relation, origin.column) {
            ColumnMask::Masked(rule, method) => match documents::part(&(rule, method), origin.path.as_ref()) {
                Some((rule, method)) => ColumnMask::Masked(rule, method),
                None => ColumnMask::None,
            },
            other => other,
        }
    }

    /// How a value is masked that tells of these columns: as the column itself where it is stored values as
    /// they stand, else whole. Of several rules the first of the file holds; where one masks inside of a document
    /// and another all of one, all is masked. [`ColumnMask::UnknownRelation`]
    /// where it may tell of anything.
    #[must_use]
    pub fn mask_of_value(&self, flow: &Flow, plain: bool) -> ColumnMask {
        match self.mask_of_flow(flow) {
            (Some((rule, method)), false) if plain => ColumnMask::Masked(rule, method),
            (Some((rule, _)), _) => ColumnMask::Masked(rule, Method::Redact),
            (None, true) => ColumnMask::UnknownRelation,
            (None, false) => ColumnMask::None,
        }
    }

    /// How a column of a result is masked: as [`Sight::mask_of_value`], and definitions that stand in it whole by what
    /// they quote.
    #[must_use]
    pub fn mask_of_output(&self, output: &Output) -> ColumnMask {
        match self.mask_of_flow(&output.flow) {
            (Some((rule, method @ Method::Quoting(_))), false) if output.intact => ColumnMask::Masked(rule, method),
            _ => self.mask_of_value(&output.flow, output.plain),
        }
    }

    /// The mask of all that a value tells of, and whether it may tell of anything.
    fn mask_of_flow(&self, flow: &Flow) -> (Option<Mask>, bool) {
        let mut found: Option<Mask> = None;
        let mut unknown = flow.is_unknown();
        for origin in flow.origins() {
            match self.mask_at(origin) {
                ColumnMask::Masked(rule, method) => {
                    let mask = (rule, method);
                    found = Some(found.map_or(mask.clone(), |known| documents::both(&known, &mask)));
                }
                ColumnMask::UnknownRelation => unknown = true,
                ColumnMask::None => {}
            }
        }
        (found, unknown)
    }

    /// The rule that restricts comparisons of a value that tells of these columns; one that forbids them before
    /// one that counts them.
    #[must_use]
    pub fn restricted_value(&self, flow: &Flow) -> Option<(RuleId, Predicates)> {
        let of_origin = |origin: &Origin| {
            let masks = self.relations.get(&origin.relation);
            let masks = masks.into_iter().flatten();
            let masks = masks.filter(|(number, _)| origin.column == 0 || **number == origin.column);
            let parts = masks.filter_map(|(_, mask)| documents::part(mask, origin.path.as_ref()));
            parts.flat_map(|mask| documents::rules(&mask)).collect::<Vec<_>>()
        };
        let rules = flow.origins().iter().flat_map(of_origin);
        let restricted = rules.filter_map(|rule| Some((rule, *self.denying.get(&rule)?)));
        restricted.min_by_key(|(rule, predicates)| (*predicates == Predicates::Equality, *rule))
    }

    /// The rule that masks some column of a relation of this name, in whatever schema.
    #[must_use]
    pub fn reached(&self, name: &str) -> Option<RuleId> {
        let exact = self.reaching.get(name).copied();
        // Servers with a single-byte encoding fold more than ASCII; nobody here knows the encoding.
        exact.or_else(|| if name.is_ascii() { None } else { self.reaching.get(&*name.to_lowercase()).copied() })
    }

    /// The relation of the server's own of this name that shows definitions, where they quote masked columns.
    #[must_use]
    pub(crate) fn defined(&self, name: &str) -> Option<&Defined> {
        self.defined.get(name)
    }

    /// Whether some masked column has this name.
    #[must_use]
    pub fn is_masked_column(&self, name: &str) -> bool {
        self.masked_columns.contains(name)
    }

    /// The rule that forbids to compare a column of this name.
    #[must_use]
    pub fn denied_column(&self, name: &str) -> Option<RuleId> {
        self.denied_columns.get(name).copied()
    }
}

/// The masks that patterns give to a relation's columns by its own name.
fn own_masks(relation: &Relation, rules: &UserRules) -> BTreeMap<i16, Mask> {
    let revealing = REVEALING.iter().find(|entry| *entry.0 == *relation.name).map(|entry| entry.1);
    let mask = |column: &super::Column| {
        let (mut whole, mut paths) = (None, Vec::new());
        for (rule, mask) in rules.column_masks() {
            let covers = |pattern: &&ColumnPattern| pattern.matches(&relation.schema, &relation.name, &column.name);
            for pattern in mask.columns.iter().filter(covers) {
                let method = mask.method.clone();
                match pattern.path() {
                    [] => drop(whole.get_or_insert((rule, method))),
                    keys => paths.push(JsonMask { rule, keys: keys.into(), method }),
                }
            }
        }
        let own = documents::own(column, whole, paths);
        let built_in = revealing.filter(|columns| rules.has_column_masks() && columns.contains(&&*column.name));
        own.or(built_in.map(|_| (RuleId::BUILT_IN, Method::Redact)))
    };
    // A pattern with stars is about the users' relations, not about the server's own.
    let masked = relation.columns.iter().filter_map(|column| Some((column.number, mask(column)?)));
    masked.filter(|(_, mask)| !relation.is_system() || mask.0 == RuleId::BUILT_IN).collect()
}

/// A generated column tells of the columns that it is made of.
fn generated(catalogue: &Catalogue, relations: &mut HashMap<u32, BTreeMap<i16, Mask>>) {
    for (relation, number, expression) in &catalogue.generated {
        let Some(masks) = relations.get_mut(relation).filter(|masks| !masks.is_empty()) else { continue };
        let masked = match views::generated(catalogue, *relation, expression) {
            Some(flow) if !flow.is_unknown() => {
                let mask = |origin: &Origin| documents::part(masks.get(&origin.column)?, origin.path.as_ref());
                flow.origins().iter().filter_map(mask).map(|mask| mask.0).min()
            }
            _ => masks.values().map(|mask| mask.0).min(),
        };
        if let Some(rule) = masked {
            add(masks, *number, (rule, Method::Redact));
        }
    }
}

/// Masks a column that may be masked already. A mask of the whole value that is there holds, and stays; `true`
/// where something changed.
fn add(masks: &mut BTreeMap<i16, Mask>, number: i16, mask: Mask) -> bool {
    let known = match masks.entry(number) {
        Entry::Vacant(free) => {
            free.insert(mask);
            return true;
        }
        Entry::Occupied(known) => known.into_mut(),
    };
    let both = if known.1.is_partial() { documents::both(known, &mask) } else { known.clone() };
    core::mem::replace(known, both.clone()) != both
}

/// A column into which code of the users puts what it reads from masked relations counts as masked.
fn handed_on(catalogue: &Catalogue, relations: &mut HashMap<u32, BTreeMap<i16, Mask>>) {
    let handed = catalogue.handed_on();
    // What is handed on can be handed on again; each round adds a column, so there is an end.
    let mut changed = !handed.is_empty();
    while changed {
        changed = false;
        let rule_of = |relation: u32| relations.get(&relation)?.values().map(|mask| mask.0).min();
        let reached = |name: &str| {
            let named = catalogue.named(None, name);
            let shown = named.flat_map(|relation| {
                let behind = if relation.is_view() { catalogue.behind(relation.oid) } else { Vec::new() };
                core::iter::once(relation).chain(behind)
            });
            shown.filter(|relation| !relation.is_system()).filter_map(|relation| rule_of(relation.oid)).min()
        };
        let mut found = Vec::new();
        for handed in &handed {
            let Some(rule) = handed.names.iter().filter_map(|name| reached(name)).min() else { continue };
            let columns = handed.columns.clone().or_else(|| {
                let relation = catalogue.relation(handed.relation)?;
                Some(relation.columns.iter().map(|column| column.number).collect())
            });
            found.extend(columns.unwrap_or_default().into_iter().map(|number| (handed.relation, number, rule)));
        }
        for (relation, number, rule) in found {
            changed |= add(relations.entry(relation).or_default(), number, (rule, Method::Redact));
        }
    }
}

/// Children count as their parent and parents as their children: reading one shows rows of the other. Of
/// several rules the first of the file holds.
fn inherit(catalogue: &Catalogue, relations: &mut HashMap<u32, BTreeMap<i16, Mask>>) {
    let mut changed = true;
    while changed {
        changed = false;
        for (child, parent) in &catalogue.inherits {
            for (from, to) in [(parent, child), (child, parent)] {
                changed |= hand_on(catalogue, relations, *from, *to);
            }
        }
    }
}

fn hand_on(catalogue: &Catalogue, relations: &mut HashMap<u32, BTreeMap<i16, Mask>>, from: u32, to: u32) -> bool {
    let (Some(source), Some(target)) = (catalogue.relation(from), catalogue.relation(to)) else { return false };
    let Some(masks) = relations.get(&from).filter(|masks| !masks.is_empty()).cloned() else { return false };
    let Some(own) = relations.get_mut(&to) else { return false };
    let mut changed = false;
    for (number, mask) in masks {
        let name = source.column(number).map(|column| &column.name);
        let Some(column) = target.columns.iter().find(|column| Some(&column.name) == name) else { continue };
        let both = own.get(&column.number).map_or(mask.clone(), |current| documents::both(current, &mask));
        if own.get(&column.number) != Some(&both) {
            own.insert(column.number, both);
            changed = true;
        }
    }
    changed
}

/// Follows views to what they show.
struct Views<'s> {
    catalogue: &'s Catalogue,
    rules: &'s UserRules,
    relations: &'s mut HashMap<u32, BTreeMap<i16, Mask>>,
    /// Whether what shows definitions is masked.
    shows_definitions: bool,
    done: HashSet<u32>,
}

/// Most views on views that are followed; PostgreSQL itself gives up near its stack's end.
const VIEW_LEVELS: usize = 64;

impl Views<'_> {
    fn all(&mut self) {
        let views: Vec<u32> = self
            .catalogue
            .relations
            .values()
            .filter(|view| view.is_view() && !view.is_system())
            .map(|view| view.oid)
            .collect();
        for view in views {
            self.view(view, VIEW_LEVELS);
        }
    }

    fn view(&mut self, view: u32, levels: usize) {
        // A cycle cannot be made in SQL; if there is one, the second visit changes nothing.
        if !self.done.insert(view) {
            return;
        }
        let depends = self.catalogue.depends.get(&view).cloned().unwrap_or_default();
        for (relation, _) in &depends {
            let is_view =
                self.catalogue.relation(*relation).is_some_and(|relation| relation.is_view() && !relation.is_system());
            if is_view && levels > 0 {
                self.view(*relation, levels - 1);
            }
        }
        let otherwise = self.computed(view, &depends, levels);
        let Some(relation) = self.catalogue.relation(view) else { return };
        // Definitions are read only where they can matter.
        let shown = otherwise.as_ref().and_then(|_| views::columns(self.catalogue, view));
        let shown =
            shown.filter(|shown| shown.len() == relation.columns.len() && !shown.iter().any(|output| output.spread));
        let mut masks = self.relations.get(&view).cloned().unwrap_or_default();
        for (index, column) in relation.columns.iter().enumerate() {
            let mask = match shown.as_ref().and_then(|shown| shown.get(index)) {
                Some(output) if !output.flow.is_unknown() => self.shown(&output.flow, output.plain),
                _ => otherwise.clone(),
            };
            if let Some(mask) = mask {
                add(&mut masks, column.number, mask);
            }
        }
        self.relations.insert(view, masks);
    }

    /// The mask of a view's column that tells of these columns.
    fn shown(&self, flow: &Flow, plain: bool) -> Option<Mask> {
        let masks = flow.origins().iter().filter_map(|origin| {
            let masks = self.relations.get(&origin.relation)?;
            match origin.column {
                0 => masks.values().map(|mask| mask.0).min().map(|rule| (rule, Method::Redact)),
                number => documents::part(masks.get(&number)?, origin.path.as_ref()),
            }
        });
        let (rule, method) = masks.reduce(|one, other| documents::both(&one, &other))?;
        Some((rule, if plain { method } else { Method::Redact }))
    }

    /// The mask of a view's columns that cannot be followed: that of any masked column which the view reads.
    fn computed(&self, view: u32, depends: &[(u32, i16)], levels: usize) -> Option<Mask> {
        let read = depends.iter().filter_map(|(relation, number)| {
            let masks = self.relations.get(relation)?;
            if *number == 0 { masks.values().map(|mask| mask.0).min() } else { masks.get(number).map(|mask| mask.0) }
        });
        let mut rule = read.min();
        // The server's own relations are pinned and leave no dependency.
        if rule.is_none() && self.rules.has_column_masks() {
            let words = views::words(self.catalogue, view);
            let hides = words.iter().any(|word| shows_more_than_arguments(word));
            if levels == 0 || hides || self.catalogue.calling_views.contains(&view) {
                rule = self.rules.computed_mask().map(|mask| mask.0);
            } else if words
                .iter()
                .any(|word| is_revealing(word) || self.shows_definitions && definitions::is_showing(word))
            {
                rule = Some(RuleId::BUILT_IN);
            }
        }
        rule.map(|rule| (rule, Method::Redact))
    }
}
