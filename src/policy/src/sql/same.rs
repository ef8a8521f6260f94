//! Whether the short way to a tree (tokens of our own, a keyword table of our own, a dialect that knows common
//! beginnings) and the parser's own way agree on whole statements: those of the project's corpora always, and the SQL
//! files of PostgreSQL where they lie: those that its packages install, and its regression tests where
//! `scripts/grammar` has fetched them.
//!
//! [`super::dialect`] compares every keyword in every place where an expression begins; here are the statements that
//! people write.

use std::path::{Path, PathBuf};

use sqlparser::dialect::{Dialect, PostgreSqlDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::bridge;
use super::dialect::Postgres;
use super::lexer::{LexOptions, Lexed};

/// Files with such an ending, in a folder and those in it.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.extension() {
            _ if path.is_dir() => found.extend(files(&path, ending)),
            Some(extension) if extension == ending => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// Every text in a TOML file that has a space in it: statements, and what is no statement is none to both ways.
fn texts(value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::String(text) if text.contains(' ') => found.push(text.clone()),
        toml::Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        toml::Value::Table(table) => table.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[derive(Debug, Default)]
struct Compared {
    statements: usize,
    read: usize,
}

impl Compared {
    /// Compares both ways on each statement of a text; one without tokens counts as none.
    fn text(&mut self, text: &str) {
        let Ok(lexed) = Lexed::new(text.as_bytes(), LexOptions::default()) else { return };
        let mut start = 0;
        for end in 0..=lexed.tokens().len() {
            let ends = lexed.tokens().get(end).is_none_or(|token| lexed.is_sign(token, ";"));
            if ends && start < end {
                self.statement(&lexed, start..end);
            }
            if ends {
                start = end + 1;
            }
        }
    }

    fn statement(&mut self, lexed: &Lexed<'_>, range: std::ops::Range<usize>) {
        let Some(tokens) = bridge::convert(lexed, range) else { return };
        self.statements += 1;
        for token in &tokens {
            if let Token::Word(word) = &token.token {
                let Token::Word(own) = Token::make_word(&word.value, word.quote_style) else { unreachable!() };
                assert_eq!(word.keyword, own.keyword, "{word:?}");
            }
        }
        let tree = |dialect: &dyn Dialect| {
            let parser = Parser::new(dialect).with_recursion_limit(50).with_tokens_with_locations(tokens.clone());
            { parser }.parse_statement().ok()
        };
        let (short, own) = (tree(&Postgres), tree(&PostgreSqlDialect {}));
        assert!(short == own, "{}\n{short:?}\n{own:?}", String::from_utf8_lossy(lexed.source()));
        self.read += usize::from(own.is_some());
    }
}

#[test]
fn both_ways_give_the_same_tree_for_every_statement_at_hand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut own = Compared::default();
    for folder in ["tests/harmless", "tests/evasion"] {
        for path in files(&root.join(folder), "toml") {
            let parsed: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            let mut found = Vec::new();
            texts(&toml::Value::Table(parsed), &mut found);
            found.iter().for_each(|text| own.text(text));
        }
    }
    assert!(own.statements > 1000 && own.read > 800, "{own:?} are too few of our own to compare");
    let mut of_postgres = Compared::default();
    let folders = [root.join(".servers/regress/sql"), PathBuf::from("/usr/share/postgresql")];
    for path in folders.iter().flat_map(|folder| files(folder, "sql")) {
        // psql's own commands and data between them have no tokens, or none that a statement has.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        text.split(";\n").for_each(|part| of_postgres.text(part));
    }
    assert!(of_postgres.read * 2 >= of_postgres.statements, "{of_postgres:?}: most are statements");
}
