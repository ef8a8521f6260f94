//! How the policy sees a statement, in words: the text of `wiregate explain`.
//!
//! Says what [`crate::statement::judge`] found and what would happen to each column, no more. Without a
//! catalogue it cannot know views, partitions and functions, and says so; it must never sound surer than
//! the gateway would be.

use core::fmt::{self, Write};

use crate::catalogue::{Catalogue, ColumnMask, Relation};
use crate::decide::rows::constant;
use crate::snapshot::{Snapshot, UserRules};
use crate::statement::{Item, Judgement, MaskedParameters, Part, Reach, Read, Ruling, SqlContext, judge};

/// The explanation of `text` for a user of a listener: lines, each ended by a line break.
#[must_use]
pub fn explain(snapshot: &Snapshot, listener: &str, user: &str, text: &str, catalogue: Option<&Catalogue>) -> String {
    let rules = snapshot.rules_for(listener, user);
    let judgement = judge(&rules, text.as_bytes(), &SqlContext::default(), catalogue);
    let mut page = Page { out: String::new(), rules: &rules, judgement: &judgement, catalogue };
    let groups = snapshot.groups_of(user).join(", ");
    // Writing into a String cannot fail.
    let _: fmt::Result = page.write(listener, user, &groups);
    page.out
}

struct Page<'p> {
    out: String,
    rules: &'p UserRules,
    judgement: &'p Judgement,
    catalogue: Option<&'p Catalogue>,
}

impl Page<'_> {
    fn write(&mut self, listener: &str, user: &str, groups: &str) -> fmt::Result {
        let groups = if groups.is_empty() { "no groups" } else { groups };
        writeln!(self.out, "listener {listener}, user {user} ({groups})")?;
        self.rules()?;
        let judgement = self.judgement;
        for (index, part) in judgement.parts.iter().enumerate() {
            self.part(index + 1, part)?;
        }
        self.verdict()?;
        if self.catalogue.is_none() && self.rules.has_column_masks() {
            writeln!(
                self.out,
                "note: no catalogue was read; views, partitions and functions are only known to the running gateway"
            )?;
        }
        Ok(())
    }

    fn rules(&mut self) -> fmt::Result {
        let rules = self.rules;
        if rules.is_empty() {
            return writeln!(self.out, "rules: none apply");
        }
        writeln!(self.out, "rules that apply:")?;
        for (_, deny) in rules.denies() {
            writeln!(self.out, "  deny \"{}\"", deny.name)?;
        }
        for (_, mask) in rules.column_masks() {
            writeln!(self.out, "  mask \"{}\": {}", mask.name, mask.method)?;
        }
        for (_, mask) in rules.detect_masks() {
            writeln!(self.out, "  mask \"{}\": {} of what detectors find", mask.name, mask.method)?;
        }
        Ok(())
    }

    fn part(&mut self, number: usize, part: &Part) -> fmt::Result {
        writeln!(self.out, "statement {number}: {}", part.kinds)?;
        match part.read {
            Read::Tree | Read::Command => {}
            Read::Opaque(reason) => writeln!(self.out, "  cannot be seen whole: {reason}")?,
            Read::Unread(reason) => writeln!(self.out, "  not parsed: {reason}")?,
        }
        for relation in &part.relations {
            let access = if relation.written { "written" } else { "read" };
            let cte = if relation.maybe_cte { " (or a WITH query of that name)" } else { "" };
            writeln!(self.out, "  relation {}: {access}{cte}", relation.name)?;
        }
        for function in &part.functions {
            writeln!(self.out, "  function {function}")?;
        }
        let Some(items) = &part.projection else { return Ok(()) };
        for (index, item) in items.iter().enumerate() {
            let fate = self.fate(part, item);
            let name = Shown(item);
            writeln!(self.out, "  column {} {name}: {fate}", index + 1)?;
        }
        Ok(())
    }

    /// What happens to one item of a SELECT list.
    fn fate(&self, part: &Part, item: &Item) -> String {
        if !self.rules.has_column_masks() {
            return "not masked".into();
        }
        match item {
            Item::Column { name, .. } => self.column(part, name),
            Item::Wildcard { .. } if self.judgement.reach == Reach::No => "not masked".into(),
            Item::Wildcard { .. } => "each column by its origin".into(),
            Item::Computed { .. } => match self.judgement.reach {
                Reach::No => "computed, not masked".into(),
                _ if constant(item, self.catalogue) => "computed, shows no stored value, not masked".into(),
                Reach::Yes(rule) => format!("computed, masked whole by \"{}\"", self.rules.rule_name(rule)),
                Reach::Unknown => "computed, masked whole unless the catalogue shows that no mask is reached".into(),
            },
        }
    }

    /// A column that is shown as it is stored, by every relation of the statement that could have it.
    fn column(&self, part: &Part, name: &str) -> String {
        if let Some(catalogue) = self.catalogue {
            let relations = part.relations.iter().flat_map(|relation| {
                catalogue.named(relation.name.schema.as_deref(), &relation.name.name).collect::<Vec<&Relation>>()
            });
            for relation in relations {
                let Some(column) = relation.columns.iter().find(|column| *column.name == *name) else { continue };
                let place = format!("{}.{}.{}", relation.schema, relation.name, column.name);
                match catalogue.mask_of(self.rules, relation.oid, column.number) {
                    ColumnMask::Masked(rule, method) => {
                        return format!("{place}, masked by \"{}\": {method}", self.rules.rule_name(rule));
                    }
                    ColumnMask::UnknownRelation => return format!("{place}, unknown, masked"),
                    ColumnMask::None => {}
                }
            }
            return "by its origin; no mask on a column of this name".into();
        }
        let mut masks = self.rules.column_masks();
        let covering = masks.find(|(_, mask)| {
            mask.columns.iter().any(|pattern| {
                let named = pattern.column().is_none_or(|column| column == name);
                named
                    && part
                        .relations
                        .iter()
                        .any(|relation| pattern.may_reach(relation.name.schema.as_deref(), &relation.name.name))
            })
        });
        match covering {
            Some((_, mask)) => {
                format!("by its origin; masked by \"{}\" if it is the rule's column: {}", mask.name, mask.method)
            }
            None => "by its origin".into(),
        }
    }

    fn verdict(&mut self) -> fmt::Result {
        let reach = match self.judgement.reach {
            Reach::No => "no masked data".to_owned(),
            Reach::Unknown => "cannot be told".to_owned(),
            Reach::Yes(rule) => format!("data under mask \"{}\"", self.rules.rule_name(rule)),
        };
        if self.rules.has_column_masks() {
            writeln!(self.out, "reaches: {reach}")?;
        }
        match &self.judgement.masked_parameters {
            MaskedParameters::All => writeln!(self.out, "parameters hidden in the audit: all")?,
            MaskedParameters::These(numbers) if numbers.is_empty() => {}
            MaskedParameters::These(numbers) => {
                let list: Vec<String> = numbers.iter().map(|number| format!("${number}")).collect();
                writeln!(self.out, "parameters hidden in the audit: {}", list.join(", "))?;
            }
        }
        match &self.judgement.ruling {
            Ruling::Allow => writeln!(self.out, "verdict: allowed"),
            Ruling::Deny(refusal) => {
                writeln!(self.out, "verdict: refused ({}): {}", refusal.name, refusal.denial.message)?;
                match &refusal.denial.hint {
                    Some(hint) => writeln!(self.out, "hint: {hint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// An item as it was written.
struct Shown<'i>(&'i Item);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Item::Column { table: Some(table), name } => write!(f, "{table}.{name}"),
            Item::Column { table: None, name } => f.write_str(name),
            Item::Computed { text, .. } => f.write_str(text),
            Item::Wildcard { table: Some(table) } => write!(f, "{table}.*"),
            Item::Wildcard { table: None } => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::testing::{CARD, shop};

    fn explained(text: &str, catalogue: Option<&Catalogue>) -> String {
        let config = format!(
            "[[listen]]\nname = \"l\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:1\"\nupstream = \"h:2\"\n{CARD}"
        );
        let snapshot = Snapshot::compile(Arc::new(Config::parse(&config, "t").unwrap()), 1);
        explain(&snapshot, "l", "ana", text, catalogue)
    }

    #[test]
    fn each_column_and_the_verdict_are_named() {
        let page = explained("SELECT c.card, upper(card), count(*), id FROM customers c", Some(&shop()));
        for line in [
            "  column 1 c.card: public.customers.card, masked by \"cards\": keep_last 4",
            "  column 2 upper(card): computed, masked whole by \"cards\"",
            "  column 3 count(*): computed, shows no stored value, not masked",
            "  relation customers: read",
            "verdict: allowed",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }

    #[test]
    fn without_a_catalogue_it_says_so() {
        let page = explained("SELECT card FROM customers", None);
        assert!(page.contains("masked by \"cards\" if it is the rule's column"), "{page}");
        assert!(page.contains("no catalogue was read"), "{page}");
    }

    #[test]
    fn a_refusal_says_why() {
        let page = explained("CREATE TABLE x AS TABLE customers", Some(&shop()));
        assert!(page.contains("verdict: refused (copy of masked data)"), "{page}");
    }
}
