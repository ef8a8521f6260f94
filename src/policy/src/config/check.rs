//! Checks that need more than one key: names that must be unique, names that must exist, rules that can
//! never match.
//!
//! Works on the draft, so that it also finds what is wrong with the rest of a file that has one bad value.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeSet, HashMap};

use super::never::{self, report};
use super::read::{Marks, Problems, list};
use super::sections::Draft;
use super::{Auth, Mask, Predicates, Scope, problem};
use crate::mask::Method;
use crate::rule::RuleId;

/// Checks a whole draft.
pub(super) fn draft(draft: &Draft, problems: &Problems) {
    unique(&draft.listeners, |listener| &listener.name, "listener", problems);
    unique(&draft.users, |user| &user.name, "user", problems);
    if draft.listeners.is_empty() && draft.names_complete {
        problems.add(0, "", "no [[listen]] section: there is nothing to listen on");
    }
    addresses(draft, problems);
    if draft.names_complete {
        passwords(draft, problems);
    }
    rules(draft, problems);
}

fn unique<T>(entries: &[(T, Marks)], name: impl Fn(&T) -> &str, what: &str, problems: &Problems) {
    let mut seen = BTreeSet::new();
    for (entry, marks) in entries {
        if !seen.insert(name(entry)) {
            report(problems, marks, "name", format!("a second {what} of the name \"{}\"", name(entry)));
        }
    }
}

/// Two listeners cannot share a port, unless both name different single addresses.
fn addresses(draft: &Draft, problems: &Problems) {
    let clash = |a: SocketAddr, b: SocketAddr| {
        let wild = |address: IpAddr| address.is_unspecified();
        a.port() == b.port() && (a.ip() == b.ip() || wild(a.ip()) || wild(b.ip()))
    };
    for (index, (listener, marks)) in draft.listeners.iter().enumerate() {
        let before = draft.listeners.iter().take(index);
        if let Some((other, _)) = before.into_iter().find(|(other, _)| clash(other.address, listener.address)) {
            let message = format!("the port is taken by listener \"{}\" ({})", other.name, other.address);
            report(problems, marks, "address", message);
        }
        if clash(draft.admin.0.address, listener.address) {
            let message = format!("the port is taken by the admin address {}", draft.admin.0.address);
            report(problems, marks, "address", message);
        }
    }
}

fn passwords(draft: &Draft, problems: &Problems) {
    let with_password = draft.users.iter().any(|(user, _)| user.password.is_some());
    let gateway = draft.listeners.iter().any(|(listener, _)| matches!(listener.auth, Auth::Gateway { .. }));
    for (listener, marks) in &draft.listeners {
        if matches!(listener.auth, Auth::Gateway { .. }) && !with_password {
            report(problems, marks, "auth", "auth = \"gateway\" needs a [[user]] with a password");
        }
    }
    for (user, marks) in &draft.users {
        if user.password.is_some() && !gateway {
            report(
                problems,
                marks,
                "password",
                "no listener has auth = \"gateway\", so the password is never asked for",
            );
        }
    }
}

fn rules(draft: &Draft, problems: &Problems) {
    let denies = draft.denies.iter().map(|(rule, marks)| (&*rule.name, marks));
    let masks = draft.masks.iter().map(|(rule, marks)| (&*rule.name, marks));
    let mut seen = BTreeSet::new();
    let files = draft.local_files.iter().map(|(rule, marks)| (&*rule.name, marks));
    for (count, (name, marks)) in denies.chain(masks).chain(files).enumerate() {
        if !seen.insert(name) {
            report(problems, marks, "name", format!("a second rule of the name \"{name}\""));
        }
        if count == RuleId::LIMIT {
            report(problems, marks, "", format!("more than {} rules", RuleId::LIMIT));
        }
    }
    let known = Known::of(draft);
    let scope = |rule: &Scope, marks: &Marks| {
        if draft.names_complete {
            scope(rule, marks, &known, problems);
        }
    };
    for (rule, marks) in &draft.denies {
        scope(&rule.scope, marks);
        never::deny(rule, marks, problems);
    }
    for (rule, marks) in &draft.local_files {
        scope(&rule.scope, marks);
    }
    for (rule, marks) in &draft.masks {
        scope(&rule.scope, marks);
        never::mask(rule, marks, problems);
        if rule.predicates != Predicates::Allow && !rule.detect.is_empty() {
            let message = "is for column masks; a detector only sees results, not what a statement compares";
            report(problems, marks, "predicates", message);
        }
        method(rule, marks, draft, problems);
    }
}

/// A method must have what it needs, and some value that it is for.
fn method(rule: &Mask, marks: &Marks, draft: &Draft, problems: &Problems) {
    if matches!(rule.method, Method::Hash(_)) && draft.policy.hash_key.is_none() {
        let message = "hash needs a key: [policy] hash_key = { env = \"NAME\" } or { file = \"path\" }";
        report(problems, marks, "method", message);
    }
    if matches!(rule.method, Method::Round { .. } | Method::YearOnly) && !rule.detect.is_empty() {
        let message = "is for columns of numbers or dates; what a detector finds is a text";
        report(problems, marks, "method", message);
    }
}

/// What scopes may name.
struct Known<'a> {
    listeners: Vec<&'a str>,
    groups: Vec<&'a str>,
    users: Vec<&'a str>,
    members: HashMap<&'a str, &'a [Box<str>]>,
    /// Whether users come that the file does not list.
    strangers: bool,
}

impl<'a> Known<'a> {
    fn of(draft: &'a Draft) -> Self {
        let groups: BTreeSet<&str> =
            draft.users.iter().flat_map(|(user, _)| user.groups.iter().map(|group| &**group)).collect();
        Self {
            listeners: draft.listeners.iter().map(|(listener, _)| &*listener.name).collect(),
            groups: groups.into_iter().collect(),
            users: draft.users.iter().map(|(user, _)| &*user.name).collect(),
            members: draft.users.iter().map(|(user, _)| (&*user.name, &*user.groups)).collect(),
            strangers: draft.listeners.iter().any(|(listener, _)| listener.auth == Auth::Passthrough),
        }
    }
}

fn scope(scope: &Scope, marks: &Marks, known: &Known<'_>, problems: &Problems) {
    let mut sound = true;
    let mut names = |key: &str, what: &str, names: &[Box<str>], known: &[&str]| {
        for name in names.iter().filter(|name| !known.contains(&&***name)) {
            let near =
                problem::nearest(name, known).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            let all = list(known.iter().copied());
            let all = if all.is_empty() { "there is none".to_owned() } else { format!("known are {all}") };
            let near = if near.is_empty() { format!("; {all}") } else { near };
            report(problems, marks, key, format!("no {what} \"{name}\"{near}"));
            sound = false;
        }
    };
    names("listeners", "listener has the name", scope.listeners.as_deref().unwrap_or_default(), &known.listeners);
    names("groups", "user is in a group", scope.groups.as_deref().unwrap_or_default(), &known.groups);
    names("except_groups", "user is in a group", &scope.except_groups, &known.groups);
    if !known.strangers {
        names("users", "user has the name", scope.users.as_deref().unwrap_or_default(), &known.users);
        names("except_users", "user has the name", &scope.except_users, &known.users);
    }
    for (key, list) in [("listeners", &scope.listeners), ("groups", &scope.groups), ("users", &scope.users)] {
        if list.as_ref().is_some_and(Vec::is_empty) {
            report(problems, marks, key, "the list is empty: the rule can never match");
            sound = false;
        }
    }
    // Users whom the file does not list are in no group, so that a rule for everybody covers them.
    let covers_somebody = |listener: &str| {
        let listed = known.members.iter().any(|(user, groups)| scope.covers(listener, user, groups));
        let named = scope.users.iter().flatten().any(|user| scope.covers(listener, user, &[]));
        listed || (known.strangers && (named || scope.covers(listener, "", &[])))
    };
    if sound && !known.listeners.is_empty() && !known.listeners.iter().any(|listener| covers_somebody(listener)) {
        report(problems, marks, "", "the exceptions cover everybody: the rule can never match");
    }
}
