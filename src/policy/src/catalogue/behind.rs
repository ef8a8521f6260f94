//! Code of the users that runs behind a statement without being named in it.
//!
//! Triggers, rules, defaults, checks, index expressions and row policies run behind a relation; casts and the
//! checks of domains behind a type; functions behind an operator; event triggers behind a change of the schema.
//! What a statement touches leads to that code, and what the code touches leads on. Names decide, in whatever
//! schema: where this file errs, it finds code that would not run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::routines::{Called, Routine};
use super::{Catalogue, FunctionKind};
use crate::hash::{HashMap, HashSet};
use crate::statement::behind::{Events, Mentions};
use crate::statement::kind::{self, KindSet};
use crate::statement::routine::Code;
use crate::statement::shows_more_than_arguments;

/// Most routines that one statement is followed into, with those that they call.
const FOLLOWED: usize = 1000;

/// Code behind a relation.
#[derive(Debug)]
struct Runs {
    events: Events,
    /// Where its value goes; 0 where that is no one column.
    column: i16,
    /// Whether it is a trigger that can change the row before it is stored.
    changes_row: bool,
    /// Whether it is a rule.
    is_rule: bool,
    routine: Arc<Routine>,
}

impl Runs {
    /// Whether it runs only where columns are changed that its text names, and `sets` has none of them. A trigger
    /// among `all` code behind the relation may change any column on the way.
    fn is_spared(&self, sets: &BTreeSet<Box<str>>, all: &[Self]) -> bool {
        self.events == Events::KEY
            && !all.iter().any(|runs| runs.changes_row || runs.is_rule)
            && sets.is_disjoint(&self.routine.code().mentions.names)
    }
}

/// Code behind a type.
#[derive(Debug)]
struct Checks {
    type_name: Box<str>,
    /// Whether values of the type are what it computes; else it only looks at them.
    makes_values: bool,
    routine: Arc<Routine>,
}

/// What the rows of [`super::QUERY`] say about such code.
#[derive(Debug, Default)]
pub(super) struct Behind {
    relations: HashMap<u32, Vec<Runs>>,
    types: Vec<Checks>,
    /// What holds values of a type, by name, and the code of all such types: places in `types`.
    holders: HashMap<Box<str>, Vec<usize>>,
    /// What holds what; forgotten once `holders` is known.
    held: Vec<(Box<str>, Box<str>)>,
    /// Relation, column and the name of its type.
    columns: Vec<(u32, i16, Box<str>)>,
    operators: HashMap<Box<str>, Vec<Arc<Routine>>>,
    event_triggers: Vec<Arc<Routine>>,
    children: HashMap<u32, Vec<u32>>,
    /// Each text once: the clones of a trigger on many partitions are one.
    texts: HashMap<(Box<str>, Box<str>), Arc<Routine>>,
}

impl Behind {
    /// Whether nothing runs behind anything.
    pub(super) fn is_empty(&self) -> bool {
        self.relations.is_empty()
            && self.types.is_empty()
            && self.operators.is_empty()
            && self.event_triggers.is_empty()
    }

    fn routine(&mut self, how: &str, text: Option<&str>) -> Arc<Routine> {
        let Some(text) = text else { return Arc::new(Routine::new(how, None)) };
        let made = || Arc::new(Routine::new(how, Some(text)));
        Arc::clone(self.texts.entry((how.into(), text.into())).or_insert_with(made))
    }

    /// Code behind a relation: `how` it is written, its events and text as the query's table says.
    pub(super) fn relation(&mut self, oid: u32, events: &str, how: &str, text: Option<&str>, column: i16) {
        let (changes_row, is_rule) = (how == "trigger", how == "rule");
        let how = if changes_row { "expression" } else { how };
        // A trigger with WHEN comes as its definition, which names its table, too.
        let condition =
            text.filter(|text| !is_rule && text.starts_with("CREATE ")).and_then(|text| text.find(" WHEN ("));
        let text = text.map(|text| condition.and_then(|at| text.get(at..)).unwrap_or(text));
        let routine = self.routine(how, text);
        let runs = Runs { events: Events::of_letters(events), column, changes_row, is_rule, routine };
        self.relations.entry(oid).or_default().push(runs);
    }

    /// Code behind a type; behind any statement where the name is empty.
    pub(super) fn type_code(&mut self, name: &str, text: Option<&str>, makes_values: bool) {
        let routine = self.routine("expression", text);
        self.types.push(Checks { type_name: name.into(), makes_values, routine });
    }

    /// A relation, type or routine that holds values of a type.
    pub(super) fn holds(&mut self, holder: &str, held: &str, column: Option<(u32, i16)>) {
        self.held.push((holder.into(), held.into()));
        if let Some((relation, number)) = column {
            self.columns.push((relation, number, held.into()));
        }
    }

    /// The function behind an operator, as a call.
    pub(super) fn operator(&mut self, name: &str, call: &str) {
        let routine = self.routine("expression", Some(call));
        self.operators.entry(name.into()).or_default().push(routine);
    }

    /// The function of an event trigger, as a call.
    pub(super) fn event_trigger(&mut self, call: &str) {
        let routine = self.routine("expression", Some(call));
        self.event_triggers.push(routine);
    }

    /// Works out what holds which type at any depth, and forgets expressions of built-in functions alone.
    pub(super) fn settle(
        &mut self,
        inherits: &[(u32, u32)],
        is_built_in: impl Fn(&str) -> bool,
        is_relation: impl Fn(&str) -> bool,
    ) {
        for (child, parent) in inherits {
            self.children.entry(*parent).or_default().push(*child);
        }
        let operators = &self.operators;
        let plain = |routine: &Routine| {
            let code = routine.code();
            code.unknown.is_none()
                && code.kinds.is_empty()
                && code.calls.iter().all(|name| is_built_in(name) && !shows_more_than_arguments(name))
                && !code.mentions.operators.iter().any(|name| operators.contains_key(name))
        };
        let mut seen: HashMap<*const Routine, bool> = HashMap::default();
        let mut is_plain = |routine: &Arc<Routine>| *seen.entry(Arc::as_ptr(routine)).or_insert_with(|| plain(routine));
        self.types.retain(|checks| !is_plain(&checks.routine));
        self.holders = holders(&self.types, &self.held);
        self.held = Vec::new();
        let holders = &self.holders;
        for runs in self.relations.values_mut() {
            runs.retain(|runs| {
                let names = &runs.routine.code().mentions.names;
                let leads_on = names.iter().any(|name| holders.contains_key(name) || is_relation(name));
                runs.is_rule || leads_on || !is_plain(&runs.routine)
            });
        }
        self.relations.retain(|_, runs| !runs.is_empty());
        self.columns.retain(|(_, _, name)| holders.contains_key(name));
        self.texts = HashMap::default();
    }
}

/// What holds values of the types, at any depth.
fn holders(types: &[Checks], held: &[(Box<str>, Box<str>)]) -> HashMap<Box<str>, Vec<usize>> {
    let mut of: HashMap<&str, Vec<&str>> = HashMap::default();
    for (holder, held) in held {
        of.entry(held).or_default().push(holder);
    }
    let mut holders: HashMap<Box<str>, Vec<usize>> = HashMap::default();
    for (index, checks) in types.iter().enumerate().filter(|(_, checks)| !checks.type_name.is_empty()) {
        let (mut seen, mut open) = (HashSet::default(), vec![&*checks.type_name]);
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                holders.entry(name.into()).or_default().push(index);
                open.extend(of.get(name).into_iter().flatten());
            }
        }
    }
    holders
}

/// What a statement touches, for what runs behind it.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Relations, and what is done with each.
    pub(crate) relations: Vec<(u32, Events)>,
    /// What its text mentions.
    pub(crate) mentions: Mentions,
    /// Whether it changes the schema.
    pub(crate) ddl: bool,
    /// The columns that its own changes of rows that are there set; `None` where they are not known.
    pub(crate) sets: Option<BTreeSet<Box<str>>>,
}

/// A walk over all code that a statement runs.
struct Walk<'c> {
    catalogue: &'c Catalogue,
    seen: HashSet<*const Routine>,
    relations: HashMap<u32, Events>,
    open: Vec<&'c Routine>,
}

impl<'c> Walk<'c> {
    fn push(&mut self, routine: &'c Routine) {
        if self.seen.insert(core::ptr::from_ref(routine)) {
            self.open.push(routine);
        }
    }

    fn call(&mut self, name: &str) {
        for routine in self.catalogue.routines.get(name).into_iter().flatten() {
            self.push(routine);
        }
    }

    fn mentions(&mut self, mentions: &Mentions) {
        let behind = &self.catalogue.behind;
        for name in &mentions.operators {
            for routine in behind.operators.get(name).into_iter().flatten() {
                self.push(routine);
            }
        }
        if behind.types.is_empty() {
            return;
        }
        for checks in &behind.types {
            // The type of a parameter may stand in the message, not in the text.
            if mentions.parameters || checks.type_name.is_empty() {
                self.push(&checks.routine);
            }
        }
        for index in mentions.names.iter().filter_map(|name| behind.holders.get(name)).flatten() {
            if let Some(checks) = behind.types.get(*index) {
                self.push(&checks.routine);
            }
        }
    }

    /// A relation is touched, and with it what a view reads and all children. `sets` are the columns that are set
    /// where it is changed; `None` for any.
    fn relation(&mut self, oid: u32, events: Events, sets: Option<&BTreeSet<Box<str>>>) {
        let mut open = vec![oid];
        while let Some(at) = open.pop() {
            let known = self.relations.entry(at).or_insert(Events::NONE);
            if events.within(*known) {
                continue;
            }
            let before = *known;
            *known = known.union(events);
            let (catalogue, behind) = (self.catalogue, &self.catalogue.behind);
            let all = behind.relations.get(&at).map(Vec::as_slice).unwrap_or_default();
            // What a column is computed of is set by other names than its own.
            let computes =
                catalogue.relation(at).is_none_or(|known| known.columns.iter().any(|column| column.generated));
            let sets = sets.filter(|_| !computes);
            let mut spared = false;
            for runs in all.iter().filter(|runs| runs.events.meets(events)) {
                if sets.is_some_and(|sets| runs.is_spared(sets, all)) {
                    spared = true;
                } else {
                    self.push(&runs.routine);
                }
            }
            if spared && let Some(known) = self.relations.get_mut(&at) {
                // Code that it runs may change the columns yet.
                *known = before.union(events.without(Events::KEY));
            }
            open.extend(catalogue.depends.get(&at).into_iter().flatten().map(|(relation, _)| *relation));
            open.extend(behind.children.get(&at).into_iter().flatten());
        }
    }

    fn code(&mut self, code: &Code) {
        for name in &code.calls {
            self.call(name);
        }
        if self.catalogue.behind.is_empty() {
            return;
        }
        self.mentions(&code.mentions);
        let events = Events::of_kinds(code.kinds, &code.mentions);
        for name in &code.mentions.names {
            for oid in self.catalogue.names.get(name).into_iter().flatten() {
                self.relation(*oid, events, None);
            }
        }
        if code.kinds.meets(kind::ddl()) {
            self.schema();
        }
    }

    fn schema(&mut self) {
        for routine in &self.catalogue.behind.event_triggers {
            self.push(routine);
        }
    }

    fn run(mut self) -> Called<'c> {
        let mut found = Called::default();
        while let Some(routine) = self.open.pop() {
            if found.codes.len() >= FOLLOWED {
                found.is_open = true;
                break;
            }
            let code = routine.code();
            found.codes.push(code);
            found.is_open |= code.unknown.is_some();
            self.code(code);
        }
        found
    }
}

/// Masks by relation and column that code of the users hands on: see [`Catalogue::handed_on`].
pub(super) struct HandedOn {
    pub(super) relation: u32,
    /// The columns that get the values; `None` for all.
    pub(super) columns: Option<Vec<i16>>,
    /// Names that the code mentions.
    pub(super) names: BTreeSet<Box<str>>,
}

impl Catalogue {
    fn walk(&self) -> Walk<'_> {
        Walk { catalogue: self, seen: HashSet::default(), relations: HashMap::default(), open: Vec::new() }
    }

    /// Whether code of the users may run behind a statement that does not name it.
    pub(crate) fn has_code_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// The code that runs when functions of these names are called and this is touched, with what that code
    /// calls and touches in turn.
    #[must_use]
    pub(crate) fn run<'n>(&self, names: impl Iterator<Item = &'n str>, touched: &Touched) -> Called<'_> {
        if self.routines.is_empty() && self.behind.is_empty() {
            return Called::default();
        }
        let mut walk = self.walk();
        names.for_each(|name| walk.call(name));
        walk.mentions(&touched.mentions);
        for (oid, events) in &touched.relations {
            // A view has names of its own for what it shows.
            let is_view = self.relation(*oid).is_none_or(super::Relation::is_view);
            walk.relation(*oid, *events, touched.sets.as_ref().filter(|_| !is_view));
        }
        if touched.ddl {
            walk.schema();
        }
        walk.run()
    }

    /// The code that waits for the end of a transaction.
    pub(crate) fn run_at_commit(&self) -> Called<'_> {
        let mut walk = self.walk();
        for runs in self.behind.relations.values().flatten().filter(|runs| runs.events.meets(Events::COMMIT)) {
            walk.push(&runs.routine);
        }
        walk.run()
    }

    /// Every relation of the names that code mentions.
    pub(crate) fn mentioned<'c>(&'c self, code: &'c Code) -> impl Iterator<Item = u32> + use<'c> {
        code.mentions.names.iter().filter_map(|name| self.names.get(name)).flatten().copied()
    }

    /// These relations, with what views among them read, and with all children: those whose rows a statement that
    /// names them may work on, and code behind which may run.
    pub(crate) fn beneath(&self, relations: impl Iterator<Item = u32>) -> HashSet<u32> {
        let mut open: Vec<u32> = relations.collect();
        let mut found = HashSet::default();
        while let Some(at) = open.pop() {
            if found.insert(at) {
                open.extend(self.depends.get(&at).into_iter().flatten().map(|(relation, _)| *relation));
                open.extend(self.behind.children.get(&at).into_iter().flatten());
            }
        }
        found
    }

    /// Where code of the users puts what it reads: defaults, generated columns, triggers that change the row,
    /// casts on the way into a column, rules that show rows of something else.
    pub(super) fn handed_on(&self) -> Vec<HandedOn> {
        let mut found = Vec::new();
        let run = |routine| {
            let mut walk = self.walk();
            walk.push(routine);
            walk.run().codes
        };
        let names = |codes: &[&Code]| codes.iter().flat_map(|code| code.mentions.names.iter().cloned()).collect();
        for (relation, runs) in &self.behind.relations {
            for runs in runs.iter().filter(|runs| runs.column != 0 || runs.changes_row || runs.is_rule) {
                let codes = run(&runs.routine);
                let columns = if runs.is_rule {
                    let shows = runs.routine.code();
                    let select = KindSet::of(kind::Kind::SELECT);
                    if !shows.kinds.meets(select) && !shows.mentions.names.contains("returning") {
                        continue;
                    }
                    None
                } else if runs.changes_row {
                    match self.assigned(*relation, &codes) {
                        Some(columns) if columns.is_empty() => continue,
                        columns => columns,
                    }
                } else {
                    Some(vec![runs.column])
                };
                found.push(HandedOn { relation: *relation, columns, names: names(&codes) });
            }
        }
        for (relation, number, type_name) in &self.behind.columns {
            let checks = self.behind.holders.get(type_name).into_iter().flatten();
            let checks = checks.filter_map(|index| self.behind.types.get(*index)).filter(|checks| checks.makes_values);
            for checks in checks {
                let names = names(&run(&checks.routine));
                found.push(HandedOn { relation: *relation, columns: Some(vec![*number]), names });
            }
        }
        found
    }

    /// The columns of a relation that trigger functions among these assign; `None` for whole rows.
    fn assigned(&self, relation: u32, codes: &[&Code]) -> Option<Vec<i16>> {
        if codes.iter().any(|code| code.assigns_row) {
            return None;
        }
        let relation = self.relation(relation)?;
        let is_assigned = |name: &str| codes.iter().any(|code| code.assigns.iter().any(|assigned| **assigned == *name));
        let columns = relation.columns.iter().filter(|column| is_assigned(&column.name));
        Some(columns.map(|column| column.number).collect())
    }

    /// Whether an operator of this name is the users' own.
    #[must_use]
    pub fn is_user_operator(&self, name: &str) -> bool {
        self.behind.operators.contains_key(name)
    }

    /// Whether any operator is the users' own.
    #[must_use]
    pub fn has_user_operators(&self) -> bool {
        !self.behind.operators.is_empty()
    }

    /// Whether some type has code of the users behind it.
    pub(crate) fn has_type_code(&self) -> bool {
        !self.behind.types.is_empty()
    }

    /// Whether code shows more than what is stored in the relations that it mentions.
    pub(crate) fn shows_more(&self, code: &Code) -> bool {
        let hidden = |name: &str| {
            shows_more_than_arguments(name)
                || (self.function(name) == FunctionKind::User && !self.routines.contains_key(name))
        };
        code.unknown.is_some() || code.calls.iter().any(|name| hidden(name))
    }
}

#[cfg(test)]
mod tests;
