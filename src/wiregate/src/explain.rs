//! `wiregate explain`: how the policy sees a statement.
//!
//! Asks the same functions as a running gateway, without a database: the relations, columns and functions that a
//! statement names are taken to exist, functions as the server's own. Where a running gateway would look into
//! the catalogue, the answer says so.

use std::path::Path;

use policy::catalogue::{Catalogue, ColumnMask, Sight};
use policy::config::{Mask, Protocol};
use policy::snapshot::{Snapshot, UserRules};
use policy::sql::Dialect;
use policy::sql::mysql::MySql;
use policy::statement::lineage::{Flow, Lineage, Origin, Output, Place};
use policy::statement::{Item, Judgement, MaskedParameters, Part, Reach, Read, Ruling, SqlContext, judge};
use wire::limits::STATEMENT_BYTES;

use crate::{Failure, load, output};

/// Explains a text for a user of a listener.
pub(crate) fn explain(path: &Path, listener: &str, user: &str, sql: &str) -> Result<(), Failure> {
    let config = load::parse(path).map_err(Failure::Failed)?;
    let Some(found) = config.listeners.iter().find(|found| *found.name == *listener) else {
        let names: Vec<&str> = config.listeners.iter().map(|listener| &*listener.name).collect();
        let names = names.join(", ");
        return Err(Failure::Misused(format!("the config has no listener \"{listener}\"; it has: {names}")));
    };
    let context = context(found.protocol);
    if sql.len() > STATEMENT_BYTES {
        return Err(Failure::Misused(format!("the statement is longer than {STATEMENT_BYTES} bytes")));
    }
    let snapshot = Snapshot::compile(config.into(), 1);
    output::answer(&text(&snapshot, &context, listener, user, sql));
    Ok(())
}

/// What a session starts with. Of MySQL's versions, which matter only to version comments, one that is recent.
fn context(protocol: Protocol) -> SqlContext {
    let dialect = match protocol {
        Protocol::MySql => MySql::of_version(b"8.4.0").map_or(Dialect::Unknown, Dialect::MySql),
        Protocol::Postgres => Dialect::Postgres,
    };
    SqlContext { dialect, ..SqlContext::default() }
}

fn text(snapshot: &Snapshot, context: &SqlContext, listener: &str, user: &str, sql: &str) -> String {
    let rules = snapshot.rules_for(listener, user);
    let named = judge(&rules, sql.as_bytes(), context, None);
    let catalogue = Catalogue::assumed(&rules, sql.as_bytes(), context, &named);
    let judgement = judge(&rules, sql.as_bytes(), context, Some(&catalogue));
    let mut out = Page(String::new());
    let groups = snapshot.groups_of(user);
    let groups = if groups.is_empty() { "no groups".to_owned() } else { groups.join(", ") };
    out.line("user", &format!("{user} ({groups}) of listener {listener}"));
    out.line("rules", &rule_names(&rules));
    for (index, part) in judgement.parts.iter().enumerate() {
        explain_part(&mut out, part, index, sql);
        match &part.lineage {
            Some(lineage) => Followed { rules: &rules, catalogue: &catalogue, sight: &catalogue.sight(&rules) }
                .explain(&mut out, part, lineage),
            None => by_name(&mut out, &rules, &judgement, part),
        }
    }
    out.0.push('\n');
    verdict(&mut out, &judgement, context.dialect);
    results(&mut out, &rules, &judgement);
    if named.catalogue_wanted {
        let taken = "what the statement names is taken to exist, functions as the server's own; a running gateway reads the database's catalogue";
        out.line("catalogue", taken);
    }
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

fn explain_part(out: &mut Page, part: &Part, index: usize, sql: &str) {
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
}

/// The columns of a result whose values are not followed.
fn by_name(out: &mut Page, rules: &UserRules, judgement: &Judgement, part: &Part) {
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

/// A statement whose values are followed.
struct Followed<'e> {
    rules: &'e UserRules,
    catalogue: &'e Catalogue,
    sight: &'e Sight,
}

impl Followed<'_> {
    fn explain(&self, out: &mut Page, part: &Part, lineage: &Lineage) {
        for output in &lineage.columns {
            let name =
                output.name.as_deref().unwrap_or(if output.spread { "further columns" } else { "an expression" });
            out.line("column", &format!("{name}: {}; from {}", self.fate(output), self.names(&output.flow)));
        }
        let stars = part.projection.iter().flat_map(|items| items.iter());
        if stars.into_iter().any(|item| matches!(item, Item::Wildcard { .. })) {
            out.line("column", "*: shows also what the statement does not name; a mask on it holds");
        }
        for used in &lineage.uses {
            let counted = if used.equalities > 0 { " (equality with a constant)" } else { "" };
            let restricted = self.sight.restricted_value(&used.flow);
            let rule = restricted.map(|(rule, _)| format!("; restricted by \"{}\"", self.rules.rule_name(rule)));
            let text = format!("{}: {}{counted}{}", used.how, self.names(&used.flow), rule.unwrap_or_default());
            out.line("compares", &text);
        }
        for write in &lineage.writes {
            let place = match &write.place {
                Place::Columns(columns) => {
                    let names = columns.iter().map(|column| self.name(column.relation, column.column));
                    names.collect::<Vec<_>>().join(" or ")
                }
                Place::NewRelation => "a new relation".to_owned(),
                Place::Sink(function) => format!("what {function} writes"),
                Place::Unknown => "a place that is not known".to_owned(),
            };
            out.line("writes", &format!("{} into {place}", self.names(&write.flow)));
        }
    }

    fn fate(&self, output: &Output) -> String {
        match self.sight.mask_of_value(&output.flow, output.plain) {
            ColumnMask::Masked(rule, method) => format!("masked by \"{}\" ({method})", self.rules.rule_name(rule)),
            ColumnMask::None => "passes".to_owned(),
            ColumnMask::UnknownRelation => "masked whole, because it cannot be told what it shows".to_owned(),
        }
    }

    fn names(&self, flow: &Flow) -> String {
        let part = |origin: &Origin| {
            let path = origin.path.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{}{path}", self.name(origin.relation, origin.column))
        };
        let mut names: Vec<_> = flow.origins().iter().map(part).collect();
        if flow.is_unknown() {
            names.push("what cannot be told".to_owned());
        }
        if names.is_empty() { "nothing stored".to_owned() } else { names.join(", ") }
    }

    fn name(&self, relation: u32, column: i16) -> String {
        let Some(relation) = self.catalogue.relation(relation) else { return "an unknown relation".to_owned() };
        let column = relation.column(column).map_or("*", |column| &*column.name);
        format!("{}.{}.{column}", relation.schema, relation.name)
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
        Item::Computed { constant, .. } => {
            let fate = match judgement.reach {
                Reach::No => "computed from what no mask covers: passes",
                _ if *constant => "a constant: passes, unless a function in it shows stored values",
                Reach::Yes(_) | Reach::Unknown => "computed where masked data is in reach: masked whole",
            };
            ("an expression".to_owned(), fate.to_owned())
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

fn verdict(out: &mut Page, judgement: &Judgement, dialect: Dialect) {
    match &judgement.ruling {
        Ruling::Allow => {
            out.line("verdict", "allow");
            if let Some(limit) = &judgement.row_limit {
                out.line("row limit", &format!("{}: {} rows", limit.refusal.name, limit.rows));
            }
        }
        Ruling::Deny(refusal) => {
            out.line("verdict", &format!("deny: {}", refusal.name));
            let code = match dialect {
                Dialect::Postgres => String::from_utf8_lossy(&refusal.denial.sqlstate).into_owned(),
                Dialect::MySql(_) | Dialect::Unknown => {
                    let (number, sqlstate) = mysql::reply::denial_code(&refusal.denial);
                    format!("{number} ({})", String::from_utf8_lossy(&sqlstate))
                }
            };
            out.line("client", &format!("ERROR {code}: {}", refusal.denial.message));
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
        text(&Snapshot::compile(config.into(), 1), &context(Protocol::Postgres), "orders", user, sql)
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
    }

    #[test]
    fn a_masked_column_names_its_rule_and_its_neighbour_passes() {
        let text = explained("ana", "SELECT c.name, c.card FROM public.customers c");
        has(&text, "user        ana (support) of listener orders");
        has(&text, "relation    public.customers (read)");
        has(&text, "column      name: passes; from public.customers.name");
        has(&text, "column      card: masked by \"cards\" (keep_last 4); from public.customers.card");
        has(&text, "verdict     allow");
        has(&text, "detectors   email in every column: masked by \"mails\" (redact)");
    }

    #[test]
    fn lineage_is_told_for_each_column_and_comparison() {
        let sql = "WITH c AS (SELECT id, upper(card) AS x FROM customers) \
                   SELECT x, o.total, count(*) FROM c JOIN orders o ON o.customer = c.id WHERE x LIKE '4%' GROUP BY 1, 2";
        let text = explained("ana", sql);
        has(&text, "column      x: masked by \"cards\" (redact); from public.customers.card");
        has(&text, "column      total: passes; from public.orders.total");
        has(&text, "column      count: passes; from nothing stored");
        has(&text, "compares    WHERE: public.customers.card");
        has(&text, "verdict     allow");
        let text = explained("ana", "INSERT INTO notes (body) SELECT card FROM customers");
        has(&text, "writes      public.customers.card into public.notes.body");
        has(&text, "verdict     deny: copy of masked data");
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

    #[test]
    fn a_listener_of_mysql_reads_its_dialect() {
        let config = CONFIG.replace("protocol = \"postgres\"", "protocol = \"mysql\"");
        let snapshot = Snapshot::compile(Config::parse(&config, "t").unwrap().into(), 1);
        let explained = |sql| text(&snapshot, &context(Protocol::MySql), "orders", "ana", sql);
        has(&explained("SELECT `name` FROM `customers` WHERE `name` = 'it\\'s'"), "verdict     allow");
        let refused = explained("/*!50000 DROP */ TABLE `customers`");
        has(&refused, "verdict     deny: no destructive DDL");
        assert!(refused.contains("ERROR 1227 (42000): "), "{refused}");
    }
}
