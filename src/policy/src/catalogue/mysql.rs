//! The catalogue of MySQL and MariaDB, gathered under the same form as PostgreSQL's.
//!
//! Relations get numbers of our own, by the order of their names. A view's definition is written anew in the
//! form that [`super::views`] reads: names in double quotes, columns without their database. What cannot be
//! read (a definition that the user may not see) leaves a view of which nothing is known.
//!
//! Left out are the relations that show statements, row values or statistics of the server: whoever reads them
//! under a mask finds them unknown, and so masked.

use std::collections::{BTreeMap, BTreeSet};

use super::builder::{CatalogueBuilder, CatalogueError};
use super::query::{GENERATED, ROUTINES};
use super::{Catalogue, FIRST_USER_OID};
use crate::sql::Dialect;
use crate::sql::lexer::{Kind, LexOptions, Lexed};
use crate::sql::mysql::MySql;

/// The statements that read it, one at a time.
///
/// | result | row |
/// |---|---|
/// | 0 | relation: database, name, type |
/// | 1 | column: database, relation, position, name, `YES` if it may be NULL, expression that makes it |
/// | 2 | view: database, name, definition |
/// | 3 | routine: name, body |
pub const QUERIES: [&str; 4] = [
    "SELECT table_schema, table_name, table_type FROM information_schema.tables \
     WHERE table_schema NOT IN ('mysql', 'performance_schema', 'sys')",
    "SELECT table_schema, table_name, ordinal_position, column_name, is_nullable, generation_expression \
     FROM information_schema.columns WHERE table_schema NOT IN ('mysql', 'performance_schema', 'sys')",
    "SELECT table_schema, table_name, view_definition FROM information_schema.views \
     WHERE table_schema NOT IN ('mysql', 'performance_schema', 'sys')",
    "SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema <> 'sys'",
];

/// Relations of `information_schema` that show statements, values or statistics of values.
const LEFT_OUT: [&str; 13] = [
    "column_statistics",
    "innodb_ft_being_deleted",
    "innodb_ft_deleted",
    "innodb_ft_index_cache",
    "innodb_ft_index_table",
    "innodb_lock_waits",
    "innodb_locks",
    "innodb_trx",
    "optimizer_trace",
    "processlist",
    "profiling",
    "query_cache_info",
    "statistics_histogram",
];

/// Longest body of a routine that is read.
const ROUTINE_BYTES: usize = 256 << 10;

type Name = (String, String);

/// Rows as they come.
#[derive(Debug)]
pub(super) struct Gathered {
    rules: MySql,
    /// Whether it is a view.
    relations: BTreeMap<Name, bool>,
    /// Relation, position, name, NOT NULL, generating expression.
    columns: Vec<(Name, String, String, bool, String)>,
    views: Vec<(Name, String)>,
    routines: BTreeMap<String, Vec<Option<String>>>,
}

impl Gathered {
    pub(super) fn new(rules: MySql) -> Self {
        // Definitions are printed without regard to the session's mode.
        let rules = MySql { ansi_quotes: false, no_backslash_escapes: false, ..rules };
        let (relations, columns) = (BTreeMap::new(), Vec::new());
        Self { rules, relations, columns, views: Vec::new(), routines: BTreeMap::new() }
    }

    /// Takes one row; `None` where it does not fit.
    pub(super) fn row(&mut self, result: usize, cells: &[Option<&[u8]>]) -> Option<()> {
        let text = |index: usize| cells.get(index).copied().flatten().and_then(|cell| core::str::from_utf8(cell).ok());
        let name = |index: usize| text(index).map(str::to_ascii_lowercase);
        match result {
            0 => {
                let relation = (name(0)?, name(1)?);
                if relation.0 != "information_schema" || !LEFT_OUT.contains(&&*relation.1) {
                    self.relations.insert(relation, text(2)? == "VIEW");
                }
            }
            1 => {
                let not_null = text(4)? == "NO";
                let made = text(5).unwrap_or_default().to_owned();
                self.columns.push(((name(0)?, name(1)?), text(2)?.to_owned(), name(3)?, not_null, made));
            }
            2 => self.views.push(((name(0)?, name(1)?), text(2).unwrap_or_default().to_owned())),
            3 => {
                // A body that the user may not see is not known.
                let body = text(1).filter(|body| body.len() <= ROUTINE_BYTES).map(str::to_owned);
                self.routines.entry(name(0)?).or_default().push(body);
            }
            _ => return None,
        }
        Some(())
    }

    /// The catalogue.
    pub(super) fn finish(self) -> Result<Catalogue, CatalogueError> {
        let mut builder = CatalogueBuilder::new();
        let mut numbers: BTreeMap<&Name, String> = BTreeMap::new();
        let (mut system, mut user) = (1, FIRST_USER_OID);
        for (name, is_view) in &self.relations {
            let next = if name.0 == "information_schema" { &mut system } else { &mut user };
            let number = next.to_string();
            *next += 1;
            let kind = if *is_view { "v" } else { "r" };
            feed(&mut builder, 0, &[&number, &name.0, &name.1, kind]);
            numbers.insert(name, number);
        }
        for (relation, position, name, not_null, made) in &self.columns {
            let Some(number) = numbers.get(relation) else { continue };
            let flag = |on: bool| if on { "t" } else { "f" };
            // Types matter for COPY only, which MySQL does not have.
            feed(&mut builder, 1, &[number, position, name, "25", "b", "S", flag(*not_null), flag(!made.is_empty())]);
            if !made.is_empty() {
                feed(&mut builder, GENERATED, &[number, position, &self.rewritten(made).unwrap_or_default()]);
            }
        }
        for (view, definition) in &self.views {
            let Some(number) = numbers.get(view) else { continue };
            self.view(&mut builder, number, definition, &numbers);
        }
        let language = if self.rules.mariadb { "mariadb" } else { "mysql" };
        for (routine, bodies) in &self.routines {
            feed(&mut builder, 5, &[routine, "u"]);
            for body in bodies {
                let body = body.as_ref().map(String::as_bytes);
                builder.row(ROUTINES, &[Some(routine.as_bytes()), Some(language.as_bytes()), body]);
            }
        }
        for function in super::functions::BUILT_IN.iter().filter(|name| !self.routines.contains_key(**name)) {
            feed(&mut builder, 5, &[function, "b"]);
        }
        builder.finish()
    }

    fn view(&self, builder: &mut CatalogueBuilder, number: &str, definition: &str, numbers: &BTreeMap<&Name, String>) {
        let Some((lexed, rewritten)) = self.lexed(definition).zip(self.rewritten(definition)) else {
            feed(builder, 6, &[number]);
            return;
        };
        let names: Vec<Option<String>> =
            (0..lexed.tokens().len()).map(|at| lexed.name(at).map(|name| name.into_owned())).collect();
        let sign = |at: usize, sign: &str| lexed.tokens().get(at).is_some_and(|token| lexed.is_sign(token, sign));
        let mut reads = BTreeSet::new();
        let mut known = !names.is_empty();
        for (at, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            if sign(at + 1, "(") && self.routines.contains_key(name) {
                known = false;
            }
            if sign(at + 1, ".")
                && let Some(Some(relation)) = names.get(at + 2)
                && let Some(read) = numbers.get(&(name.clone(), relation.clone()))
            {
                reads.insert(read);
            }
        }
        for read in &reads {
            feed(builder, 2, &[number, read, "0"]);
        }
        // A view that reads nothing that is known shows what is not known.
        if known && !reads.is_empty() {
            feed(builder, 3, &[number, &rewritten]);
        } else {
            feed(builder, 6, &[number]);
        }
    }

    fn lexed<'a>(&self, text: &'a str) -> Option<Lexed<'a>> {
        let options = LexOptions { dialect: Dialect::MySql(self.rules), ..LexOptions::default() };
        Lexed::new(text.as_bytes(), options).ok().filter(|lexed| !lexed.tokens().is_empty())
    }

    /// A text of the server's in the form that PostgreSQL's are in.
    fn rewritten(&self, text: &str) -> Option<String> {
        let lexed = self.lexed(text)?;
        let tokens = lexed.tokens();
        let point = |at: usize| tokens.get(at).is_some_and(|token| lexed.is_sign(token, "."));
        let named = |at: usize| lexed.name(at).is_some();
        let mut out = String::with_capacity(text.len() + 16);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            // `database`.`table`.`column`: the database goes.
            if named(at) && point(at + 1) && named(at + 2) && point(at + 3) && named(at + 4) {
                at += 2;
                continue;
            }
            match token.kind {
                Kind::Quoted => {
                    let name = lexed.name(at).unwrap_or_default();
                    out.push('"');
                    out.push_str(&name.replace('"', "\"\""));
                    out.push('"');
                }
                Kind::Text => {
                    let value = lexed.string(at).unwrap_or_default();
                    out.push('\'');
                    out.push_str(&value.replace('\'', "''").replace('\0', ""));
                    out.push('\'');
                }
                _ => out.push_str(&String::from_utf8_lossy(lexed.raw(token))),
            }
            let joined = point(at) || point(at + 1);
            if !joined {
                out.push(' ');
            }
            at += 1;
        }
        Some(out)
    }
}

fn feed(builder: &mut CatalogueBuilder, result: usize, cells: &[&str]) {
    let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
    builder.row(result, &cells);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{ColumnMask, FunctionKind};
    use crate::statement::{Ruling, SqlContext, judge};
    use crate::testing::rules;

    const CARD: &str = "[[mask]]\nname = \"cards\"\ncolumns = [\"shop.customers.card\"]\nmethod = \"redact\"\n";

    fn catalogue(view: &str) -> Catalogue {
        let rules = MySql { mariadb: true, version: 101_119, ansi_quotes: false, no_backslash_escapes: false };
        let mut gathered = Gathered::new(rules);
        let mut row = |result: usize, cells: &[&str]| {
            let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
            gathered.row(result, &cells).unwrap();
        };
        row(0, &["shop", "customers", "BASE TABLE"]);
        row(0, &["shop", "contacts", "VIEW"]);
        row(0, &["information_schema", "TABLES", "SYSTEM VIEW"]);
        row(0, &["information_schema", "PROCESSLIST", "SYSTEM VIEW"]);
        for (position, name) in [("1", "id"), ("2", "Name"), ("3", "card")] {
            row(1, &["shop", "customers", position, name, "NO", ""]);
        }
        for (position, name) in [("1", "who"), ("2", "paid_with"), ("3", "other")] {
            row(1, &["shop", "contacts", position, name, "YES", ""]);
        }
        row(2, &["shop", "contacts", view]);
        row(3, &["leak", "RETURN (SELECT card FROM shop.customers LIMIT 1)"]);
        row(3, &["twice", "RETURN n * 2"]);
        row(3, &["run", "BEGIN SET @s = statement; PREPARE r FROM @s; EXECUTE r; END"]);
        gathered.finish().unwrap()
    }

    fn masks_of(catalogue: &Catalogue, relation: &str) -> Vec<bool> {
        let rules = rules(CARD);
        let relation = catalogue.named(Some("shop"), relation).next().unwrap();
        let mask = |column: &crate::catalogue::Column| catalogue.mask_of(&rules, relation.oid, column.number);
        relation.columns.iter().map(|column| mask(column) != ColumnMask::None).collect()
    }

    #[test]
    fn a_view_shows_what_its_base_shows() {
        let view = "select `shop`.`customers`.`name` AS `who`,`shop`.`customers`.`card` AS `paid_with`,\
                    concat(`shop`.`customers`.`card`,'it''s') AS `other` from `shop`.`customers`";
        let catalogue = catalogue(view);
        assert_eq!(masks_of(&catalogue, "customers"), [false, false, true]);
        assert_eq!(masks_of(&catalogue, "contacts"), [false, true, true]);
    }

    #[test]
    fn a_view_that_is_not_read_is_masked() {
        for view in ["", "select 1 AS `who`,2 AS `paid_with`,`leak`() AS `other`", "select 'open"] {
            assert_eq!(masks_of(&catalogue(view), "contacts"), [true, true, true], "{view}");
        }
    }

    #[test]
    fn a_routine_that_runs_strings_is_refused_where_the_string_would_be() {
        let dialect = MySql { mariadb: true, version: 101_119, ansi_quotes: false, no_backslash_escapes: false };
        let context = SqlContext { dialect: Dialect::MySql(dialect), ..SqlContext::default() };
        let catalogue = catalogue("select 1");
        let name =
            |tables: &str, sql: &str| match judge(&rules(tables), sql.as_bytes(), &context, Some(&catalogue)).ruling {
                Ruling::Allow => None,
                Ruling::Deny(refusal) => Some(refusal.name.into()),
            };
        let deny = "[[deny]]\nname = \"no drop\"\nstatements = [\"drop\"]\n";
        let call = "CALL run(CONCAT('DR', 'OP TABLE customers'))";
        assert_eq!(name(deny, call).as_deref(), Some("unparsed"));
        assert_eq!(name(CARD, call).as_deref(), Some("unknown_code"));
        assert_eq!(name(&format!("[policy]\nunparsed = \"allow\"\n{deny}"), call), None);
        assert_eq!(name(&format!("[policy]\nallow_under_masks = [\"unknown_code\"]\n{deny}"), call), None);
        assert_eq!(name(deny, "CALL twice(1)"), None::<String>);
        assert_eq!(name("", call), None);
    }

    #[test]
    fn side_doors_are_left_out_and_functions_are_known() {
        let catalogue = catalogue("select 1");
        assert!(catalogue.named(None, "processlist").next().is_none());
        assert!(catalogue.named(None, "tables").next().unwrap().is_system());
        assert_eq!(catalogue.function("concat"), FunctionKind::BuiltIn);
        assert_eq!(catalogue.function("leak"), FunctionKind::User);
        assert_eq!(catalogue.function("load_file"), FunctionKind::Unknown);
        assert!(catalogue.is_readable("leak") && catalogue.is_readable("twice"));
    }
}
