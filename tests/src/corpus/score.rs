//! The score of the corpus: `bench/report/evasion.md`, and what fails the tests.
//!
//! The report holds no time and nothing else that changes from run to run, so that a change of it is a change
//! of the corpus or of what the gateway does.

use super::entry::{Attack, Harmless, Section};
use super::{attack, harmless};
use crate::servers::Family;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;

/// What became of the corpus on all servers.
#[derive(Debug, Default)]
pub struct Score {
    servers: Vec<String>,
    attacks: Vec<Entry>,
    harmless: Vec<Entry>,
}

/// One entry and its fate on each server that it was tried on: nothing, or what went wrong.
#[derive(Debug)]
struct Entry {
    name: String,
    group: String,
    item: String,
    known: Option<String>,
    limit: Option<String>,
    tried: usize,
    wrong: Vec<String>,
    broken: Vec<String>,
}

impl Score {
    /// A score without results.
    #[must_use]
    pub fn new(attacks: &[Attack], harmless: &[Harmless]) -> Self {
        let of_attack = |attack: &Attack| Entry {
            known: attack.known.clone(),
            limit: attack.limit.clone(),
            ..entry(&attack.name, &attack.section, &attack.item)
        };
        let of_harmless = |statement: &Harmless| Entry {
            known: statement.known.clone(),
            ..entry(&statement.name, &statement.client, "")
        };
        Self {
            servers: Vec::new(),
            attacks: attacks.iter().map(of_attack).collect(),
            harmless: harmless.iter().map(of_harmless).collect(),
        }
    }

    /// Adds the results of one server.
    pub fn add(&mut self, server: &str, attacks: &[(&Attack, attack::Fate)], harmless: &[(&Harmless, harmless::Fate)]) {
        self.servers.push(server.to_owned());
        for (attack, fate) in attacks {
            let Some(entry) = self.attacks.iter_mut().find(|entry| entry.name == attack.name) else { continue };
            entry.tried += 1;
            match fate {
                attack::Fate::Stopped => {}
                attack::Fate::Succeeded(how) => entry.wrong.push(format!("{server}: {how}")),
                attack::Fate::Blunt(why) => entry.broken.push(format!("{server}: {why}")),
            }
        }
        for (statement, fate) in harmless {
            let Some(entry) = self.harmless.iter_mut().find(|entry| entry.name == statement.name) else { continue };
            entry.tried += 1;
            match fate {
                harmless::Fate::Passed => {}
                harmless::Fate::Differs(how) => entry.wrong.push(format!("{server}: {how}")),
                harmless::Fate::Broken(why) => entry.broken.push(format!("{server}: {why}")),
            }
        }
    }

    /// Everything that fails the tests: leaks and false refusals that are not known, entries that prove
    /// nothing, and marks of what is known that do not hold any more.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (what, entries) in [("leaked", &self.attacks), ("refused or changed", &self.harmless)] {
            for entry in entries {
                for why in &entry.broken {
                    failures.push(format!("{}/{}: the entry proves nothing on {why}", entry.group, entry.name));
                }
                match entry.known.as_ref().or(entry.limit.as_ref()) {
                    None => {
                        for how in &entry.wrong {
                            failures.push(format!("{}/{}: {what} on {how}", entry.group, entry.name));
                        }
                    }
                    Some(_) if entry.wrong.is_empty() && entry.broken.is_empty() && entry.tried > 0 => {
                        failures.push(format!(
                            "{}/{}: marked as known or as a limit, and fine now: remove the mark",
                            entry.group, entry.name
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        failures
    }

    /// What is known to be wrong, and was seen again.
    #[must_use]
    pub fn known(&self) -> Vec<String> {
        let all = self.attacks.iter().chain(&self.harmless);
        let wrong = all.filter(|entry| entry.known.is_some() && !entry.wrong.is_empty());
        wrong.map(|entry| format!("{}/{}: {}", entry.group, entry.name, entry.wrong.join("; "))).collect()
    }

    /// This part of the report as Markdown, under its title.
    fn report(&self, family: Family, sections: &[Section]) -> String {
        let mut out = format!("{}\n\n", title(family));
        let _ = writeln!(out, "Servers: {}.\n", self.servers.join(", "));
        out.push_str("### Attacks\n\n| section | tried | stopped | leaked | of them known | of them limits |\n|---|--:|--:|--:|--:|--:|\n");
        for section in sections {
            let own: Vec<&Entry> = self.attacks.iter().filter(|entry| entry.group == section.name).collect();
            table_row(&mut out, &section.title, &own);
        }
        table_row(&mut out, "**all**", &self.attacks.iter().collect::<Vec<_>>());
        out.push_str("\n### Harmless statements\n\n| client | tried | passed | refused or changed | of them known | of them limits |\n|---|--:|--:|--:|--:|--:|\n");
        let clients: BTreeSet<&str> = self.harmless.iter().map(|entry| entry.group.as_str()).collect();
        for client in clients {
            let own: Vec<&Entry> = self.harmless.iter().filter(|entry| entry.group == client).collect();
            table_row(&mut out, client, &own);
        }
        table_row(&mut out, "**all**", &self.harmless.iter().collect::<Vec<_>>());
        marked_table(&mut out, "Known leaks", &self.attacks, |entry| entry.known.as_deref());
        marked_table(&mut out, "Limits of any gateway", &self.attacks, |entry| entry.limit.as_deref());
        marked_table(&mut out, "Known false refusals and changes", &self.harmless, |entry| entry.known.as_deref());
        out.push_str("\n### Attacks by item\n\n");
        for section in sections {
            let _ = writeln!(out, "- **{}**: {}", section.title, self.items(section));
        }
        out
    }

    /// Writes this part into `bench/report/evasion.md`; the other families' stays. Tests of several families run
    /// at once, each in a process of its own, so the file is locked meanwhile.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, path: &Path, family: Family, sections: &[Section]) {
        let lock = File::open(path.parent().expect("a folder")).expect("open the folder of reports");
        lock.lock().expect("lock the folder of reports");
        let old = fs::read_to_string(path).unwrap_or_default();
        let parts = [Family::Postgres, Family::MySql].map(|known| match known == family {
            true => self.report(family, sections),
            false => part_of(&old, known),
        });
        let text = [HEAD.to_owned(), parts.join("\n")].concat();
        fs::write(path, text.trim_end().to_owned() + "\n").expect("write the report");
    }

    fn items(&self, section: &Section) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.attacks.iter().filter(|entry| entry.group == section.name) {
            *counts.entry(&entry.item).or_default() += 1;
        }
        let items = section.items.iter().map(|item| match counts.get(item.name.as_str()) {
            Some(count) => format!("{} {count}", item.name),
            None => format!("{} 0", item.name),
        });
        items.collect::<Vec<_>>().join(", ")
    }
}

/// The heading of a family's part.
fn title(family: Family) -> &'static str {
    if family == Family::Postgres { "## PostgreSQL" } else { "## MySQL and MariaDB" }
}

/// A family's part of a report.
fn part_of(report: &str, family: Family) -> String {
    let Some(start) = report.find(&format!("{}\n", title(family))) else { return String::new() };
    let part = report.get(start..).unwrap_or_default();
    let end = part.get(3..).and_then(|rest| rest.find("\n## ")).map_or(part.len(), |end| end + 4);
    part.get(..end).unwrap_or_default().trim_end().to_owned() + "\n"
}

fn entry(name: &str, group: &str, item: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        group: group.to_owned(),
        item: item.to_owned(),
        known: None,
        limit: None,
        tried: 0,
        wrong: Vec::new(),
        broken: Vec::new(),
    }
}

fn marked_table(out: &mut String, title: &str, entries: &[Entry], mark: fn(&Entry) -> Option<&str>) {
    let marked: Vec<(&Entry, &str)> = entries.iter().filter_map(|entry| Some((entry, mark(entry)?))).collect();
    let _ = writeln!(out, "\n### {title}: {}\n", marked.len());
    if marked.is_empty() {
        out.push_str("None.\n");
        return;
    }
    out.push_str("| entry | why |\n|---|---|\n");
    for (entry, why) in marked {
        let name = entry.name.replace('|', "\\|");
        let _ = writeln!(out, "| {}/{name} | {} |", entry.group, why.replace('|', "\\|"));
    }
}

fn table_row(out: &mut String, title: &str, entries: &[&Entry]) {
    let tried = entries.iter().filter(|entry| entry.tried > 0).count();
    let wrong = entries.iter().filter(|entry| !entry.wrong.is_empty()).count();
    let known = entries.iter().filter(|entry| !entry.wrong.is_empty() && entry.known.is_some()).count();
    let limits = entries.iter().filter(|entry| !entry.wrong.is_empty() && entry.limit.is_some()).count();
    let _ = writeln!(out, "| {title} | {tried} | {} | {wrong} | {known} | {limits} |", tried - wrong);
}

const HEAD: &str = "# Evasion score

Written by `cargo nextest run -p integration --test evasion`, which fails on any leak or false refusal that is
not listed here as known or as a limit (what no gateway can stop: SECURITY.md says what narrows it), and on any
entry listed so that is fine. An attack is one entry of
`tests/evasion`; most are sent in three ways (PostgreSQL: simple query, extended protocol with text and with
binary results; MySQL and MariaDB: as a text, prepared, prepared with a cursor). Each is first run straight
against the server, where it must succeed, and then through the gateway.
What is looked for, and in which guises, is in `tests/src/corpus/secret.rs`; an effect is any change of the
database's fingerprint. A harmless statement is one entry of `tests/harmless`: its replies must be those of the
server, byte for byte.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_taken_out_of_a_report_whole() {
        let report = "# Evasion score\n\n## PostgreSQL\n\n### Attacks\na\n\n## MySQL and MariaDB\n\nb\n";
        assert_eq!(part_of(report, Family::Postgres), "## PostgreSQL\n\n### Attacks\na\n");
        assert_eq!(part_of(report, Family::MySql), "## MySQL and MariaDB\n\nb\n");
        assert_eq!(part_of("", Family::MySql), "");
    }
}
