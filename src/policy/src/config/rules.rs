//! The keys of `[[deny]]` and `[[local_file]]`, and those that all rules share: to whom, where and when.

use super::conditions::{Days, Hours, Schedule, Zone};
use super::read::{Entry, Section};
use super::{Deny, LocalFile, Mode, Scope, problem};
use crate::statement::kind::{self, KindSet};

/// `[[deny]]`.
pub(super) fn deny(section: &Section<'_>) -> Option<Deny> {
    let name = section.required("name", Entry::text);
    let statements = section.entry("statements").map(|entry| (statements(&entry), entry));
    let tables = patterns(section, "tables");
    let functions = patterns(section, "functions");
    let columns_read = patterns(section, "columns_read");
    let columns_written = patterns(section, "columns_written");
    let conditions = ["tables", "functions", "columns_read", "columns_written", "row_limit"];
    let has_condition = conditions.into_iter().any(|key| section.entry(key).is_some());
    let statements = match statements {
        Some((Some(kinds), entry)) => {
            if kinds.is_empty() {
                entry.problem("no statement kind is named: the rule can never match");
            }
            kinds
        }
        Some((None, _)) => KindSet::EMPTY,
        None if has_condition => KindSet::ALL,
        None => section.required("statements", |_| None).unwrap_or_default(),
    };
    let without_where = section.or("without_where", false, Entry::boolean);
    let row_limit = section.entry("row_limit").and_then(|entry| entry.number(0..=u64::from(u32::MAX >> 1)));
    let message = section.entry("message").and_then(|entry| entry.text());
    let (mode, scope) = (mode(section), scope(section));
    let conditions = (tables, functions, columns_read, columns_written);
    let (tables, functions, columns_read, columns_written) = conditions;
    Some(Deny {
        name: name?,
        statements,
        tables,
        functions,
        columns_read,
        columns_written,
        without_where,
        row_limit,
        message,
        mode,
        scope,
    })
}

/// `[[local_file]]`.
pub(super) fn local_file(section: &Section<'_>) -> Option<LocalFile> {
    let name = section.required("name", Entry::text);
    let files = section.entry("files").map(|entry| one_or_list(&entry));
    let scope = scope(section);
    Some(LocalFile { name: name?, files, scope })
}

/// A list of patterns; left out, it is empty.
fn patterns<T, E>(section: &Section<'_>, key: &'static str) -> Vec<T>
where
    T: core::str::FromStr<Err = E>,
    E: core::fmt::Display,
{
    section.or(key, Vec::new(), |entry| {
        let found = entry.list(|item| item.parsed(str::parse))?;
        if entry.value.as_array().is_some_and(|array| array.is_empty()) {
            entry.problem("the list is empty: the rule can never match");
        }
        Some(found)
    })
}

/// `mode`.
pub(super) fn mode(section: &Section<'_>) -> Mode {
    section.or("mode", Mode::Enforce, |entry| entry.one_of(&[("enforce", Mode::Enforce), ("report", Mode::Report)]))
}

/// To whom, where and when.
pub(super) fn scope(section: &Section<'_>) -> Scope {
    let names = |key| section.entry(key).and_then(|entry| entry.list(Entry::text));
    Scope {
        listeners: names("listeners"),
        groups: names("groups"),
        users: names("users"),
        except_groups: names("except_groups").unwrap_or_default(),
        except_users: names("except_users").unwrap_or_default(),
        addresses: section.entry("addresses").map(|entry| one_or_list(&entry)),
        except_addresses: section.entry("except_addresses").map(|entry| parsed(&entry)).unwrap_or_default(),
        applications: section.entry("applications").map(|entry| one_or_list(&entry)),
        except_applications: section.entry("except_applications").map(|entry| parsed(&entry)).unwrap_or_default(),
        schedule: schedule(section),
    }
}

fn parsed<T, E>(entry: &Entry<'_>) -> Vec<T>
where
    T: core::str::FromStr<Err = E>,
    E: core::fmt::Display,
{
    entry.list(|item| item.parsed(str::parse)).unwrap_or_default()
}

/// `hours`, `days`, `timezone`.
fn schedule(section: &Section<'_>) -> Option<Schedule> {
    let (hours, days) = (section.entry("hours"), section.entry("days"));
    let zone = section.entry("timezone");
    if let (None, None, Some(zone)) = (&hours, &days, &zone) {
        zone.problem("is only used with `hours` or `days`");
    }
    let written = hours.is_some() || days.is_some();
    let hours: Vec<Hours> = hours.map(|entry| one_or_list(&entry)).unwrap_or_default();
    let days: Option<Vec<Days>> = days.map(|entry| one_or_list(&entry));
    let days = days.and_then(|days| days.into_iter().reduce(Days::union)).unwrap_or(Days::ALL);
    let zone = zone.and_then(|entry| entry.parsed(str::parse)).unwrap_or(Zone::UTC);
    written.then_some(Schedule { hours, days, zone })
}

/// One value, or a list with something in it.
fn one_or_list<T>(entry: &Entry<'_>) -> Vec<T>
where
    T: core::str::FromStr<Err = String>,
{
    if entry.value.is_str() {
        return entry.parsed(str::parse).into_iter().collect();
    }
    if entry.value.as_array().is_some_and(|array| array.is_empty()) {
        entry.problem("the list is empty: the rule can never match");
    }
    parsed(entry)
}

/// `statements`: kinds, groups of kinds and classes.
fn statements(entry: &Entry<'_>) -> Option<KindSet> {
    kinds(entry, "statement kind", &kind::names(), kind::named)
}

/// Classes only, for `allow_under_masks`.
pub(super) fn classes(entry: &Entry<'_>) -> Option<KindSet> {
    let names: Vec<&'static str> = kind::classes().iter().map(kind::Kind::name).collect();
    kinds(entry, "class", &names, |name| kind::named(name).filter(|kinds| kinds.within(kind::classes())))
}

fn kinds(
    entry: &Entry<'_>,
    what: &str,
    names: &[&'static str],
    named: impl Fn(&str) -> Option<KindSet>,
) -> Option<KindSet> {
    let kinds = entry.list(|item| {
        let text = item.string()?;
        let lower = text.to_ascii_lowercase();
        let name = lower.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = named(&name);
        if found.is_none() {
            let near =
                problem::nearest(&name, names).map(|near| format!(" did you mean \"{near}\"?")).unwrap_or_default();
            let plural = if what == "class" { "classes" } else { "kinds" };
            item.problem(format!("unknown {what} \"{text}\";{near} known {plural} are {}", names.join(", ")));
            // Not empty, so that a list with a wrong name in it is not called empty, too.
            return Some(KindSet::ALL);
        }
        found
    })?;
    Some(kinds.into_iter().fold(KindSet::EMPTY, KindSet::union))
}
