//! What names of relations, functions and operators mean in a catalogue.
//!
//! The one place where lineage asks a catalogue, so that what is peculiar to a server stays behind it.

use std::collections::BTreeSet;

use super::flow::{Flow, Origin, Value};
use crate::catalogue::{Catalogue, FunctionKind, Relation, Touched, is_printing};
use crate::statement::behind::Mentions;
use crate::statement::routine::Code;
use crate::statement::tree::Name;
use crate::statement::{opaque, reach};

/// Where names are looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup<'c> {
    pub(crate) catalogue: &'c Catalogue,
    /// The session's, where it is known.
    pub(crate) path: Option<&'c [Box<str>]>,
    /// The view whose definition is read. Its names are qualified or not as the search path of whoever read it
    /// wanted; what it depends on is exact.
    pub(crate) view: Option<u32>,
}

impl<'c> Lookup<'c> {
    /// Every relation that a name may mean.
    pub(super) fn relations(&self, name: &Name) -> Vec<&'c Relation> {
        let schema = name.schema.as_deref();
        let named = || self.catalogue.named(schema, &name.name);
        if let Some(view) = self.view {
            let read: Vec<_> = named().filter(|relation| self.catalogue.depends_on(view, relation.oid)).collect();
            // The server's own relations are pinned and leave no dependency.
            return if read.is_empty() { named().filter(|relation| relation.is_system()).collect() } else { read };
        }
        match (schema, self.path) {
            // The first schema that has one. The path is as the server gave it: without schemas that the role
            // may not use, with those that are always part of it.
            (None, Some(path)) => {
                let found = path.iter().find_map(|schema| named().find(|relation| relation.schema == *schema));
                found.into_iter().collect()
            }
            _ => named().collect(),
        }
    }

    /// What a function makes of what its arguments tell.
    pub(super) fn call(&self, name: &Name, arguments: Flow) -> Value {
        let mut flow = arguments;
        let built_in = match self.catalogue.function(&name.name) {
            FunctionKind::BuiltIn => true,
            FunctionKind::Unknown => reach::is_grammar(&name.name),
            FunctionKind::User => false,
        };
        if !built_in || opaque::is_opaque(&name.name) {
            flow.hide();
            let called = self.catalogue.run(core::iter::once(&*name.name), &Touched::default());
            self.tells(&called.codes, &mut flow);
        }
        let own_schema = name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        match self.catalogue.printed().filter(|_| built_in && own_schema && is_printing(&name.name)) {
            // What it prints is told by the object that it is asked for, not by the form that it is given.
            Some(printed) => {
                let mut flow = self.without_definitions(flow);
                flow.insert(printed.clone());
                Value { flow, plain: false, intact: true }
            }
            None => Value::computed(flow),
        }
    }

    /// What is told apart from definitions.
    pub(super) fn without_definitions(&self, flow: Flow) -> Flow {
        flow.without(|origin| self.catalogue.is_definition(origin))
    }

    /// Whether it tells of definitions.
    pub(super) fn tells_definitions(&self, flow: &Flow) -> bool {
        flow.origins().iter().any(|origin| self.catalogue.is_definition(origin))
    }

    /// Whether definitions stand in it whole, if there are any.
    pub(super) fn is_whole(&self, value: &Value) -> bool {
        value.intact || !self.tells_definitions(&value.flow)
    }

    /// What the code behind an operator adds to what its sides tell.
    pub(super) fn operator(&self, name: &str, flow: &mut Flow) {
        if !self.catalogue.is_user_operator(name) {
            return;
        }
        flow.hide();
        let mentions = Mentions { operators: BTreeSet::from([name.into()]), ..Mentions::default() };
        let called = self.catalogue.run(core::iter::empty(), &Touched { mentions, ..Touched::default() });
        self.tells(&called.codes, flow);
    }

    /// What the code behind a type adds to what a value tells that is made one of it.
    pub(super) fn cast(&self, type_name: Option<&str>, flow: &mut Flow) {
        if !self.catalogue.has_type_code() {
            return;
        }
        let names = type_name.into_iter().map(Box::from).collect();
        let mentions = Mentions { names, ..Mentions::default() };
        let called = self.catalogue.run(core::iter::empty(), &Touched { mentions, ..Touched::default() });
        if called.is_open || called.codes.iter().any(|code| self.catalogue.shows_more(code)) {
            flow.hide();
        }
        self.tells(&called.codes, flow);
    }

    /// A value that code of the users computes may tell of every relation that the code names.
    fn tells(&self, codes: &[&Code], flow: &mut Flow) {
        for relation in codes.iter().flat_map(|code| self.catalogue.mentioned(code)) {
            flow.insert(Origin::new(relation, 0));
        }
    }

    /// Whether a function of this name may show more than its arguments tell.
    pub(super) fn is_hidden_function(&self, name: &str) -> bool {
        self.catalogue.function(name) == FunctionKind::User || opaque::is_opaque(name)
    }

    /// Whether there is any operator of the users.
    pub(super) fn has_user_operators(&self) -> bool {
        self.catalogue.has_user_operators()
    }

    /// Whether an operator is the users' own, so that it may show anything.
    pub(super) fn is_user_operator(&self, name: &str) -> bool {
        self.catalogue.is_user_operator(name)
    }
}
