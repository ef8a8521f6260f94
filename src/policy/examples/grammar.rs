//! How much of PostgreSQL's own grammar the judge reads: `scripts/grammar` runs it on the SQL files of
//! PostgreSQL's regression tests.
//!
//! Splits the files as psql does (its commands and COPY data left out), judges each statement, and counts. Exits
//! with 1 where a statement is refused that no rule concerns, or where fewer are read than the report says.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's answer")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use policy::catalogue::{Catalogue, CatalogueBuilder};
use policy::config::Config;
use policy::snapshot::{Snapshot, UserRules};
use policy::sql::lexer::{LexOptions, Lexed};
use policy::statement::kind::{self, KindSet};
use policy::statement::{Read, Ruling, SqlContext, judge};

const LISTENER: &str =
    "[[listen]]\nname = \"l\"\nprotocol = \"postgres\"\naddress = \"127.0.0.1:1\"\nupstream = \"h:2\"\n";

/// A policy as many have one.
const TYPICAL: &str = "[[deny]]\nname = \"no destructive DDL\"\nstatements = [\"drop\", \"truncate\"]\n";

/// Rules that name nothing which any of the statements touches: whatever is refused under them is refused wrongly.
const ELSEWHERE: [(&str, &str); 3] = [
    (
        "a deny of writes to a table that none of them names",
        "[[deny]]\nname = \"the ledger is closed\"\nstatements = [\"write\"]\ntables = [\"vault.ledger\"]\n",
    ),
    (
        "a deny of a function that none of them calls",
        "[[deny]]\nname = \"no payouts\"\nfunctions = [\"vault.pay_out\"]\n",
    ),
    (
        "a mask with `predicates = \"deny\"` on a table that none of them names",
        "[[mask]]\nname = \"card\"\ncolumns = [\"vault.ledger.card\"]\npredicates = \"deny\"\n",
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, report, mode] = arguments.as_slice() else {
        eprintln!("usage: grammar FOLDER REPORT MODE");
        return ExitCode::from(2);
    };
    let statements = match read(Path::new(folder)) {
        Ok(statements) => statements,
        Err(error) => {
            eprintln!("{folder}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let tally = Tally::of(&statements);
    let page = tally.page();
    println!("{page}");
    if mode == "--write" {
        return match std::fs::write(report, &page) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{report}: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let before = std::fs::read_to_string(report).unwrap_or_default();
    let first = before.lines().find_map(|line| line.strip_prefix("Read: ")?.split(' ').next()?.parse::<usize>().ok());
    let worse = first.is_some_and(|read| tally.read() < read);
    for (wrong, what) in [
        (worse, "fewer statements are read than the report says"),
        (tally.wrong() > 0, "a statement is refused that no rule concerns"),
    ] {
        if wrong {
            eprintln!("{what}");
        }
    }
    if worse || tally.wrong() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The statements of all files of a folder, in the order of their names.
fn read(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut statements = Vec::new();
    for file in files.iter().filter(|file| file.path().extension().is_some_and(|end| end == "sql")) {
        split(&String::from_utf8_lossy(&std::fs::read(file.path())?), &mut statements);
    }
    Ok(statements)
}

/// Splits as psql: a statement ends with a semicolon at the end of a line, outside of strings and parentheses.
fn split(text: &str, statements: &mut Vec<String>) {
    let (mut open, mut data) = (String::new(), false);
    for line in text.lines() {
        if data {
            data = line != "\\.";
            continue;
        }
        let command = line.trim_start().starts_with('\\');
        if command && open.trim().is_empty() {
            continue;
        }
        // `\gset`, `\g`, `\gexec` and `\crosstabview` end a statement as a semicolon does.
        let (line, ends) = match line.find(" \\").filter(|_| !line.contains('\'')) {
            Some(at) => (line.get(..at).unwrap_or(line), true),
            None if command => ("", true),
            None => (line, false),
        };
        open.push_str(line);
        open.push('\n');
        let complete = |text: &str| {
            Lexed::new(text.as_bytes(), LexOptions::default()).is_ok_and(|lexed| {
                let is = |token, sign| lexed.is_sign(token, sign);
                let count = |sign| lexed.tokens().iter().filter(|token| is(token, sign)).count();
                let words = |word| lexed.tokens().iter().filter(|token| lexed.is_word(token, word)).count();
                let atomic = words("atomic") > 0 && words("end") < words("atomic") + words("case");
                let last = lexed.tokens().last();
                lexed.tokens().is_empty()
                    || (last.is_some_and(|last| ends || is(last, ";")) && count("(") == count(")") && !atomic)
            })
        };
        // What never closes is an error on purpose; it must not swallow the rest of its file.
        if complete(&open) || open.len() > 64 << 10 {
            let statement = std::mem::take(&mut open);
            let lower = statement.to_ascii_lowercase();
            data = lower.contains("from stdin") && lower.trim_start().starts_with("copy");
            if Lexed::new(statement.as_bytes(), LexOptions::default()).is_ok_and(|lexed| !lexed.tokens().is_empty()) {
                statements.push(statement);
            }
        }
    }
}

/// A catalogue in which every relation and function that the statements name is one of the server's own, beside the
/// table that is masked.
fn catalogue(statements: &[String], free: &UserRules) -> Catalogue {
    let (mut relations, mut functions) = (BTreeSet::new(), BTreeSet::from(["upper".into()]));
    for statement in statements {
        for part in judge(free, statement.as_bytes(), &SqlContext::default(), None).parts {
            let named = part.relations.iter().map(|relation| &relation.name);
            relations.extend(
                named.map(|name| (name.schema.as_deref().unwrap_or("public").to_owned(), name.name.to_string())),
            );
            functions.extend(part.functions.iter().map(|function| function.name.to_string()));
        }
    }
    let mut builder = CatalogueBuilder::new();
    let mut row = |result: usize, cells: &[&str]| {
        let cells: Vec<Option<&[u8]>> = cells.iter().map(|cell| Some(cell.as_bytes())).collect();
        builder.row(result, &cells);
    };
    row(0, &["20000", "vault", "ledger", "r"]);
    row(1, &["20000", "1", "card", "25", "b", "S", "f", "f"]);
    for (oid, (schema, name)) in (1_u32..).zip(&relations) {
        row(0, &[&oid.to_string(), schema, name, "r"]);
    }
    for name in &functions {
        row(5, &[name, "b"]);
    }
    builder.finish().unwrap_or_else(|error| panic!("{error:?}"))
}

#[derive(Default)]
struct Tally {
    total: usize,
    tree: usize,
    command: usize,
    opaque: usize,
    unread: usize,
    /// Refused without any rule.
    refused_without_rules: usize,
    /// Refused under [`TYPICAL`]: by its rule, and otherwise.
    denied: usize,
    refused: usize,
    /// For each of [`ELSEWHERE`] how many statements are refused, by what: the rule's name, or the reason.
    elsewhere: [BTreeMap<String, usize>; ELSEWHERE.len()],
    /// First words of what is not read.
    gaps: BTreeMap<String, usize>,
    examples: Vec<String>,
}

impl Tally {
    fn of(statements: &[String]) -> Self {
        let rules = |tables: &str| -> Arc<UserRules> {
            let config =
                Config::parse(&format!("{LISTENER}{tables}"), "grammar").unwrap_or_else(|error| panic!("{error:?}"));
            Snapshot::compile(Arc::new(config), 1).rules_for("l", "u")
        };
        let (free, typical) = (rules(""), rules(TYPICAL));
        let elsewhere = ELSEWHERE.map(|(_, tables)| rules(tables));
        let catalogue = catalogue(statements, &free);
        let mut tally = Self::default();
        for statement in statements {
            tally.count(statement, &free, &typical);
            tally.count_elsewhere(statement, &elsewhere, &catalogue);
        }
        tally
    }

    fn count(&mut self, statement: &str, free: &UserRules, typical: &UserRules) {
        let context = SqlContext::default();
        let judged = judge(free, statement.as_bytes(), &context, None);
        self.refused_without_rules += usize::from(judged.ruling != Ruling::Allow);
        for part in &judged.parts {
            self.total += 1;
            match part.read {
                Read::Tree => self.tree += 1,
                Read::Command => self.command += 1,
                Read::Opaque(_) => self.opaque += 1,
                Read::Unread(_) => {
                    self.unread += 1;
                    *self.gaps.entry(part.kind.name().to_owned()).or_default() += 1;
                    self.examples.push(statement.split_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
        }
        if let Ruling::Deny(refusal) = judge(typical, statement.as_bytes(), &context, None).ruling {
            let named = [kind::named("drop"), kind::named("truncate")].into_iter().flatten();
            let named = named.fold(KindSet::EMPTY, KindSet::union);
            if refusal.rule.is_some() && judged.kinds().meets(named) {
                self.denied += 1;
            } else {
                self.refused += 1;
                if std::env::var_os("SHOW").is_some() {
                    eprintln!("REFUSED {statement}");
                }
            }
        }
    }

    fn count_elsewhere(&mut self, statement: &str, elsewhere: &[Arc<UserRules>], catalogue: &Catalogue) {
        for (rules, counts) in elsewhere.iter().zip(&mut self.elsewhere) {
            // Masks go by what relations hold.
            let catalogue = rules.has_column_masks().then_some(catalogue);
            let judged = judge(rules, statement.as_bytes(), &SqlContext::default(), catalogue);
            if let Ruling::Deny(refusal) = judged.ruling {
                // Why it is not read says whether it should be.
                let reason = refusal.denial.message.rsplit(": ").next().filter(|_| &*refusal.name == "unparsed");
                let by = reason.map_or(format!("`{}`", refusal.name), |reason| format!("`{}`: {reason}", refusal.name));
                if std::env::var_os("SHOW").is_some() {
                    eprintln!("ELSEWHERE {refusal:?} {statement}");
                }
                *counts.entry(by).or_default() += 1;
            }
        }
    }

    fn read(&self) -> usize {
        self.tree + self.command
    }

    fn wrong(&self) -> usize {
        self.refused_without_rules
    }

    fn page(&self) -> String {
        let percent = |count: usize| {
            let tenths = (count * 1000 + self.total / 2) / self.total.max(1);
            format!("{}.{} %", tenths / 10, tenths % 10)
        };
        let mut page = String::from("# What the judge reads of PostgreSQL's grammar\n\n");
        let _ = writeln!(
            page,
            "Every statement of the regression tests of PostgreSQL 15 (`src/test/regress/sql` of Debian's source package), without a\ncatalogue (under a mask with one in which all that they name is the server's own). Many are wrong on purpose. Made by `scripts/grammar --write`; `scripts/grammar` fails where it gets worse.\n"
        );
        let _ = writeln!(page, "Read: {} of {} ({})\n", self.read(), self.total, percent(self.read()));
        let _ = writeln!(page, "| outcome | statements | share |\n|---|---|---|");
        for (what, count) in [
            ("read by its tree", self.tree),
            ("read by its keywords, holds no query", self.command),
            ("may run what cannot be seen", self.opaque),
            ("not read: keyword scan alone", self.unread),
            ("refused without any rule", self.refused_without_rules),
            ("refused under a deny of DROP and TRUNCATE, by it", self.denied),
            ("refused under it though it is neither", self.refused),
        ] {
            let _ = writeln!(page, "| {what} | {count} | {} |", percent(count));
        }
        let _ = writeln!(
            page,
            "\nRefused under rules that name nothing which any of the statements touches, by what refuses:\n\n| policy | refused by | statements | share |\n|---|---|---|---|"
        );
        for ((what, _), counts) in ELSEWHERE.iter().zip(&self.elsewhere) {
            if counts.is_empty() {
                let _ = writeln!(page, "| {what} | nothing | 0 | {} |", percent(0));
            }
            for (by, count) in counts {
                let _ = writeln!(page, "| {what} | {by} | {count} | {} |", percent(*count));
            }
        }
        let _ = writeln!(
            page,
            "\nUnder masks the classes (`external_access`, `logical_decoding` …), code in another language and code that builds\nstatements are refused by intention (SECURITY.md); so is what makes or renames objects by rows that are not followed, as those of\ncursors and prepared statements (`copy of masked data`).\nWhat the parser does not read, of which many statements are wrong on purpose, is refused for want of grammar."
        );
        let _ = writeln!(page, "\nNot read, by first words:\n\n| kind | statements |\n|---|---|");
        let mut gaps: Vec<_> = self.gaps.iter().collect();
        gaps.sort_by(|a, b| b.1.cmp(a.1));
        for (kind, count) in gaps {
            let _ = writeln!(page, "| {kind} | {count} |");
        }
        if std::env::var_os("SHOW").is_some() {
            for example in &self.examples {
                eprintln!("UNREAD {}", example.chars().take(200).collect::<String>());
            }
        }
        page
    }
}
