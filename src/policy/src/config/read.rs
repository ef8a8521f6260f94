//! Walking a TOML document key by key, so that every problem has its exact place.
//!
//! Deserialising into types would stop at the first error and lose the place of a key that another one
//! contradicts. Here a section asks for its keys one after the other; what nobody asked for is unknown.

use core::cell::RefCell;
use core::fmt::Display;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::problem::{self, Problem};
use super::{Config, check, sections};

/// Reads a whole file.
pub(super) fn config(text: &str, file: &str) -> Result<Config, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let problems = Problems::default();
    for error in &errors {
        problems.add(error.span().map_or(0, |span| span.start), "", error.message());
    }
    let found = if errors.is_empty() {
        let root = Section::root(document.get_ref(), &problems);
        let draft = sections::draft(&root);
        root.finish();
        check::draft(&draft, &problems);
        draft.config()
    } else {
        None
    };
    let problems = problems.located(text, file);
    match found {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// What was found wrong so far, by offset.
#[derive(Default)]
pub(super) struct Problems(RefCell<Vec<(usize, String, String)>>);

impl Problems {
    /// Notes a problem.
    pub(super) fn add(&self, offset: usize, key: impl Display, message: impl Display) {
        self.0.borrow_mut().push((offset, key.to_string(), message.to_string()));
    }

    fn located(self, text: &str, file: &str) -> Vec<Problem> {
        let mut found = self.0.into_inner();
        found.sort();
        let problem = |(offset, key, message): (usize, String, String)| {
            let (line, column) = problem::position(text, offset);
            Problem { file: file.into(), line, column, key: key.into(), message: message.into() }
        };
        found.into_iter().map(problem).collect()
    }
}

/// Where the keys of a table stand, for checks that come after reading.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    start: usize,
    path: String,
    keys: Vec<(String, usize)>,
}

impl Marks {
    /// The offset of a key's value, or of the table where the key is left out, and the key's path.
    pub(super) fn of(&self, key: &str) -> (usize, String) {
        let found = self.keys.iter().find(|entry| entry.0 == key);
        match found {
            Some((_, offset)) => (*offset, join(&self.path, key)),
            None => (self.start, self.path.clone()),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// One table that is being read.
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    start: usize,
    path: String,
    known: RefCell<Vec<&'static str>>,
    pub(super) problems: &'a Problems,
}

/// A value, where it stands and how its key is called.
pub(super) struct Entry<'a> {
    pub(super) value: &'a DeValue<'a>,
    pub(super) offset: usize,
    pub(super) path: String,
    pub(super) problems: &'a Problems,
}

impl<'a> Section<'a> {
    fn root(table: &'a DeTable<'a>, problems: &'a Problems) -> Self {
        Self { table, start: 0, path: String::new(), known: RefCell::default(), problems }
    }

    /// Where its keys stand.
    pub(super) fn marks(&self) -> Marks {
        let keys = self.table.iter().map(|(key, value)| (key.get_ref().to_string(), value.span().start));
        Marks { start: self.start, path: self.path.clone(), keys: keys.collect() }
    }

    fn find(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.iter().find(|entry| entry.0.get_ref() == key).map(|entry| entry.1)
    }

    /// A key that may be left out.
    pub(super) fn entry(&self, key: &'static str) -> Option<Entry<'a>> {
        self.known.borrow_mut().push(key);
        let value = self.find(key)?;
        let path = join(&self.path, key);
        Some(Entry { value: value.get_ref(), offset: value.span().start, path, problems: self.problems })
    }

    /// A key that must be there and be read by `read`.
    pub(super) fn required<T>(&self, key: &'static str, read: impl FnOnce(&Entry<'a>) -> Option<T>) -> Option<T> {
        let entry = self.entry(key);
        if entry.is_none() {
            self.problems.add(self.start, &self.path, format!("the key `{key}` is missing"));
        }
        read(&entry?)
    }

    /// A key that may be left out, then `default` holds; also after a problem, which is noted.
    pub(super) fn or<T>(&self, key: &'static str, default: T, read: impl FnOnce(&Entry<'a>) -> Option<T>) -> T {
        self.entry(key).and_then(|entry| read(&entry)).unwrap_or(default)
    }

    /// A table by itself, such as `[gateway]`.
    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        self.entry(key)?.section()
    }

    /// Every table of an array of tables, such as `[[listen]]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let Some(array) = entry.value.as_array() else {
            entry.problem(format!("expected tables that start with [[{key}]]"));
            return Vec::new();
        };
        let item = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| {
            let path = format!("{}[{index}]", entry.path);
            let item = Entry { value: value.get_ref(), offset: value.span().start, path, problems: self.problems };
            item.section()
        };
        array.iter().enumerate().filter_map(item).collect()
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for key in self.table.keys() {
            let name: &DeString<'_> = key.get_ref();
            if known.iter().any(|known| known == name) {
                continue;
            }
            let hint = match problem::nearest(name, &known) {
                Some(near) => format!("unknown key; did you mean `{near}`?"),
                None => format!("unknown key; known are {}", list(known.iter().copied())),
            };
            self.problems.add(key.span().start, join(&self.path, name), hint);
        }
    }
}

impl<'a> Entry<'a> {
    /// Notes that something is wrong with this value.
    pub(super) fn problem(&self, message: impl Display) {
        self.problems.add(self.offset, &self.path, message);
    }

    fn wrong_type(&self, expected: &str) {
        self.problem(format!("expected {expected}, found {}", describe(self.value)));
    }

    pub(super) fn section(&self) -> Option<Section<'a>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_type("a table");
            return None;
        };
        let (start, path) = (self.offset, self.path.clone());
        Some(Section { table, start, path, known: RefCell::default(), problems: self.problems })
    }

    pub(super) fn string(&self) -> Option<&'a str> {
        if self.value.as_str().is_none() {
            self.wrong_type("a string");
        }
        self.value.as_str()
    }

    /// A string with something in it.
    pub(super) fn text(&self) -> Option<Box<str>> {
        let text = self.string()?;
        if text.trim().is_empty() {
            self.problem("must not be empty");
            return None;
        }
        Some(text.into())
    }

    /// A string that `read` understands.
    pub(super) fn parsed<T, E: Display>(&self, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.string()?;
        read(text).map_err(|error| self.problem(error)).ok()
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        if self.value.as_bool().is_none() {
            self.wrong_type("true or false");
        }
        self.value.as_bool()
    }

    /// A whole number in a range.
    pub(super) fn number<T: TryFrom<u64>>(&self, range: core::ops::RangeInclusive<u64>) -> Option<T> {
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type("a whole number");
            return None;
        };
        let value = u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
        self.in_range(value, range)
    }

    /// A size: a number of bytes, or a string with a unit.
    pub(super) fn bytes<T: TryFrom<u64>>(&self, range: core::ops::RangeInclusive<u64>) -> Option<T> {
        if self.value.is_integer() {
            return self.number(range);
        }
        let value = self.parsed(super::units::bytes)?;
        self.in_range(Some(value), range)
    }

    fn in_range<T: TryFrom<u64>>(&self, value: Option<u64>, range: core::ops::RangeInclusive<u64>) -> Option<T> {
        let fitting = value.filter(|value| range.contains(value)).and_then(|value| T::try_from(value).ok());
        if fitting.is_none() {
            self.problem(format!("must be from {} to {}", range.start(), range.end()));
        }
        fitting
    }

    /// One of several words.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        let found = choices.iter().find(|choice| choice.0 == text);
        if found.is_none() {
            self.problem(format!(
                "unknown value \"{text}\"; known are {}",
                list(choices.iter().map(|choice| choice.0))
            ));
        }
        found.map(|choice| choice.1)
    }

    /// A list, each element read by `read`; elements that are wrong are noted and left out.
    pub(super) fn list<T>(&self, read: impl Fn(&Entry<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list");
            return None;
        };
        let element = |value: &'a Spanned<DeValue<'a>>| {
            let (value, offset) = (value.get_ref(), value.span().start);
            read(&Entry { value, offset, path: self.path.clone(), problems: self.problems })
        };
        Some(array.iter().filter_map(element).collect())
    }
}

fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "a list",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Float(_) => "a number with a point",
        DeValue::Integer(_) => "a whole number",
        DeValue::String(_) => "a string",
        DeValue::Table(_) => "a table",
    }
}

/// Names in a sentence.
pub(super) fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    names.join(", ")
}
