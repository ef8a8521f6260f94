//! `wiregate explain`: how the policy sees a statement.
//!
//! Asks the same functions as a running gateway, without a database: relations and columns are told by their
//! names. Where a running gateway would look into the catalogue, the answer says so and takes the side on which
//! nothing is shown.

use std::path::Path;

use policy::config::Mask;
use policy::snapshot::{Snapshot, UserRules};
use policy::statement::{Item, Judgement, MaskedParameters, Part, Reach, Read, Ruling, SqlContext, judge};
use wire::limits::STATEMENT_BYTES;

use crate::{Failure, load, output};

/// Explains a text for a user of a listener.
pub(crate) fn explain(path: &Path, listener: &str, user: &str, sql: &str) -> Result<(), Failure> {
    let config = load::parse(path).map_err(Failure::Failed)?;
    let names: Vec<&str> = config.listeners.iter().map(|listener| &*listener.name).collect();
    if !names.contains(&listener) {
        let names = names.join(", ");
        return Err(Failure::Misused(format!("the config has no listener \"{listener}\"; it has: {names}")));
    }
    if sql.len() > STATEMENT_BYTES {
        return Err(Failure::Misused(format!("the statement is longer than {STATEMENT_BYTES} bytes")));
    }
    let snapshot = Snapshot::compile(config.into(), 1);
    output::answer(&text(&snapshot, listener, user, sql));
    Ok(())
}

fn text(snapshot: &Snapshot, listener: &str, user: &str, sql: &str) -> String {
    let rules = snapshot.rules_for(listener, user);
    let judgement = judge(&rules, sql.as_bytes(), &SqlContext::default(), None);
    let mut out = Page(String::new());
    let groups = snapshot.groups_of(user);
    let groups = if groups.is_empty() { "no groups".to_owned() } else { groups.join(", ") };
    out.line("user", &format!("{user} ({groups}) of listener {listener}"));
    out.line("rules", &rule_names(&rules));
    for (index, part) in judgement.parts.iter().enumerate() {
        explain_part(&mut out, &rules, &judgement, part, index, sql);
    }
    out.0.push('\n');
    verdict(&mut out, &judgement);
    results(&mut out, &rules, &judgement);
    out.0
}

/// Lines of a name and what is said of it.
struct Page(String);

impl Page {
    fn line(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("{name:<12}{}\n", text.replace('\n', " ")));
    }
}

fn rule_names(rules: &UserRules) -> String {
    let denies = rules.denies().map(|(_, rule)| format!("deny \"{}\"", rule.name));
    let masks = rules.column_masks().chain(rules.detect_masks()).map(|(_, rule)| format!("mask \"{}\"", rule.name));
    let names: Vec<_> = denies.chain(masks).collect();
    if names.is_empty() { "none applies".to_owned() } else { names.join(", ") }
}

fn explain_part(out: &mut Page, rules: &UserRules, judgement: &Judgement, part: &Part, index: usize, sql: &str) {
    out.0.push('\n');
    let text = sql.get(part.range.clone()).unwrap_or(sql).trim();
    out.line(&format!("statement {}", index + 1), text);
    out.line("kinds", &part.kinds.to_string());
    match part.read {
        Read::Opaque(reason) => out.line("read", &format!("only in part: {reason}")),
        Read::Unread(reason) => out.line("read", &format!("not: {reason}")),
        Read::Command | Read::Tree => {}
    }
    for relation in &part.relations {
        let change = if relation.written { "changed" } else { "read" };
        let cte = if relation.maybe_cte { "; a WITH of the statement has the same name" } else { "" };
        out.line("relation", &format!("{} ({change}{cte})", relation.name));
    }
    if !part.functions.is_empty() {
        let names: Vec<_> = part.functions.iter().map(ToString::to_string).collect();
        out.line("functions", &names.join(", "));
    }
    match &part.projection {
        Some(items) => {
            for item in items {
                let (name, fate) = column(rules, judgement, part, item);
                out.line("column", &format!("{name}: {fate}"));
            }
        }
        None if matches!(part.read, Read::Tree) && judgement.reach != Reach::No => {
            out.line("columns", "are told by the origin that the server gives each");
        }
        None => {}
    }
}

/// A column as it is written, and what becomes of it.
fn column(rules: &UserRules, judgement: &Judgement, part: &Part, item: &Item) -> (String, String) {
    match item {
        Item::Column { table, name } => {
            let masks = masks_of(rules, part, table.as_deref(), Some(name));
            let shown = table.as_ref().map_or_else(|| name.to_string(), |table| format!("{table}.{name}"));
            let fate = masks.first().map_or("passes".to_owned(), |mask| masked(mask));
            (shown, fate)
        }
        Item::Wildcard { table } => {
            let masks = masks_of(rules, part, table.as_deref(), None);
            let shown = table.as_ref().map_or_else(|| "*".to_owned(), |table| format!("{table}.*"));
            let fates: Vec<_> = masks.iter().map(|mask| format!("{} {}", columns_of(mask), masked(mask))).collect();
            (shown, if fates.is_empty() { "passes".to_owned() } else { fates.join("; ") })
        }
        Item::Computed { constant, text, .. } => {
            let fate = match judgement.reach {
                Reach::No => "computed from what no mask covers: passes",
                _ if *constant => "a constant: passes, unless a function in it shows stored values",
                Reach::Yes(_) | Reach::Unknown => "computed where masked data is in reach: masked whole",
            };
            (text.to_string(), fate.to_owned())
        }
    }
}

/// The column masks that may cover a column of the relations that a statement names; of all columns for `None`.
/// A table that is not the name of a relation is an alias, which may stand for any of them.
fn masks_of<'a>(rules: &'a UserRules, part: &Part, table: Option<&str>, column: Option<&str>) -> Vec<&'a Mask> {
    let named = table.is_some_and(|table| part.relations.iter().any(|relation| *relation.name.name == *table));
    let relations: Vec<_> = part
        .relations
        .iter()
        .filter(|relation| !named || table.is_none_or(|table| *relation.name.name == *table))
        .collect();
    let covers = |mask: &&Mask| {
        mask.columns.iter().any(|pattern| {
            relations.iter().any(|relation| pattern.may_reach(relation.name.schema.as_deref(), &relation.name.name))
                && column.is_none_or(|column| pattern.column().is_none_or(|own| own == column))
        })
    };
    rules.column_masks().map(|(_, mask)| mask).filter(covers).collect()
}

fn masked(mask: &Mask) -> String {
    format!("masked by \"{}\" ({})", mask.name, mask.method)
}

fn columns_of(mask: &Mask) -> String {
    let mut names: Vec<_> = mask.columns.iter().map(|pattern| pattern.column().unwrap_or("every column")).collect();
    names.dedup();
    names.join(", ")
}

fn verdict(out: &mut Page, judgement: &Judgement) {
    match &judgement.ruling {
        Ruling::Allow => out.line("verdict", "allow"),
        Ruling::Deny(refusal) => {
            out.line("verdict", &format!("deny: {}", refusal.name));
            let sqlstate = String::from_utf8_lossy(&refusal.denial.sqlstate);
            out.line("client", &format!("ERROR {sqlstate}: {}", refusal.denial.message));
            if let Some(hint) = &refusal.denial.hint {
                out.line("hint", hint);
            }
        }
    }
}

fn results(out: &mut Page, rules: &UserRules, judgement: &Judgement) {
    if judgement.ruling != Ruling::Allow {
        return;
    }
    if !judgement.wants_columns {
        out.line("results", "pass unread");
        return;
    }
    if let Reach::Unknown = judgement.reach {
        out.line("results", "it cannot be told what is read, so a column of unknown origin is masked whole");
    }
    for (_, mask) in rules.detect_masks() {
        let detectors: Vec<_> = mask.detect.iter().map(ToString::to_string).collect();
        let place = if mask.columns.is_empty() { "every column" } else { "the columns of the rule" };
        out.line("detectors", &format!("{} in {place}: {}", detectors.join(", "), masked(mask)));
    }
    match &judgement.masked_parameters {
        MaskedParameters::All => out.line("audit", "shows no bind parameter"),
        MaskedParameters::These(numbers) if !numbers.is_empty() => {
            let names: Vec<_> = numbers.iter().map(|number| format!("${number}")).collect();
            out.line("audit", &format!("does not show the parameters {}", names.join(", ")));
        }
        MaskedParameters::These(_) => {}
    }
    if judgement.catalogue_wanted {
        out.line("catalogue", "a running gateway reads the database's catalogue first, and may mask less");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::config::Config;

    const CONFIG: &str = r#"
        [[listen]]
        name = "orders"
        protocol = "postgres"
        address = "127.0.0.1:6432"
        upstream = "127.0.0.1:5432"
        [[user]]
        name = "ana"
        groups = ["support"]
        [[user]]
        name = "dora"
        groups = ["dba"]
        [[deny]]
        name = "no destructive DDL"
        statements = ["drop"]
        except_groups = ["dba"]
        message = "ask #dba"
        [[mask]]
        name = "cards"
        columns = ["public.customers.card"]
        method = "keep_last 4"
        except_groups = ["dba"]
        [[mask]]
        name = "mails"
        detect = ["email"]
        except_groups = ["dba"]
    "#;

    fn explained(user: &str, sql: &str) -> String {
        let config = Config::parse(CONFIG, "t").unwrap();
        text(&Snapshot::compile(config.into(), 1), "orders", user, sql)
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
    }

    #[test]
    fn a_masked_column_names_its_rule_and_its_neighbour_passes() {
        let text = explained("ana", "SELECT c.name, c.card FROM public.customers c");
        has(&text, "user        ana (support) of listener orders");
        has(&text, "relation    public.customers (read)");
        has(&text, "column      c.name: passes");
        has(&text, "column      c.card: masked by \"cards\" (keep_last 4)");
        has(&text, "verdict     allow");
        has(&text, "detectors   email in every column: masked by \"mails\" (redact)");
    }

    #[test]
    fn a_refusal_says_what_the_client_is_told() {
        let text = explained("ana", "SELECT 1; DROP TABLE customers");
        has(&text, "statement 2 DROP TABLE customers");
        has(&text, "verdict     deny: no destructive DDL");
        assert!(text.contains("ERROR 42501") && text.contains("ask #dba"), "{text}");
    }

    #[test]
    fn a_user_without_rules_is_told_so() {
        let text = explained("dora", "SELECT card FROM customers");
        has(&text, "rules       none applies");
        has(&text, "column      card: passes");
        has(&text, "results     pass unread");
    }
}
