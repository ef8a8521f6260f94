//! Patterns of columns and tables, as rules write them.
//!
//! A part is a name as the catalogue has it, or `*` for any. A name with a dot or a star in it stands in
//! double quotes. Names are compared exactly: `Customers` is not `customers`. Behind a column's name may stand a
//! path into its JSON value, written as PostgreSQL's operators: `payload->'user'->>'email'`.

use core::fmt;
use core::str::FromStr;

/// One part: a name, or any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// `*`
    Any,
    /// This name.
    Name(Box<str>),
}

impl Part {
    /// Whether a name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(own) => **own == *name,
        }
    }

    /// Whether a name fits that may be unknown; an unknown one fits everything.
    #[must_use]
    pub fn may_match(&self, name: Option<&str>) -> bool {
        name.is_none_or(|name| self.matches(name))
    }
}

/// Most keys of a path into a JSON value.
const PATH_KEYS: usize = 16;

/// Which columns a mask covers: `schema.table.column`, `table.column`, `schema.*` or `*`; with a path behind it,
/// which values inside of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnPattern {
    schema: Part,
    table: Part,
    column: Part,
    /// `name.*` covers all tables of a schema, and all columns of a table, of that name.
    either: Option<Box<str>>,
    /// Keys from the outermost object to the value; empty for the whole column.
    path: Box<[Box<str>]>,
}

impl ColumnPattern {
    /// Whether a column of a relation fits.
    #[must_use]
    pub fn matches(&self, schema: &str, table: &str, column: &str) -> bool {
        self.may_reach(Some(schema), table) && self.column.matches(column)
    }

    /// Whether some column of a relation may fit; a schema that is not known fits.
    #[must_use]
    pub fn may_reach(&self, schema: Option<&str>, table: &str) -> bool {
        match &self.either {
            Some(name) => schema.is_none_or(|schema| **name == *schema) || **name == *table,
            None => self.schema.may_match(schema) && self.table.matches(table),
        }
    }

    /// Whether the pattern names this very table.
    #[must_use]
    pub fn names_table(&self, table: &str) -> bool {
        let named = matches!(&self.table, Part::Name(name) if **name == *table);
        named || self.either.as_deref() == Some(table)
    }

    /// The keys behind which the value lies that it means, from the outermost; empty for the whole column.
    #[must_use]
    pub fn path(&self) -> &[Box<str>] {
        &self.path
    }

    /// The schema that it names for a table; `None` for any.
    #[must_use]
    pub fn schema(&self, table: &str) -> Option<&str> {
        match (&self.either, &self.schema) {
            (Some(name), _) => Some(&**name).filter(|name| *name != table),
            (None, Part::Name(name)) => Some(name),
            (None, Part::Any) => None,
        }
    }

    /// The name of the column; `None` for any.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match &self.column {
            Part::Any => None,
            Part::Name(name) => Some(name),
        }
    }
}

/// Which tables a deny covers: `table` or `schema.table`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TablePattern {
    schema: Part,
    table: Part,
}

impl TablePattern {
    /// Whether a relation may fit. An unqualified name may lie in any schema, because only the server
    /// knows its search path at the moment when the statement runs.
    #[must_use]
    pub fn may_match(&self, schema: Option<&str>, table: &str) -> bool {
        self.schema.may_match(schema) && self.table.matches(table)
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// An empty part.
    EmptyPart,
    /// A path into a JSON value that cannot be read.
    JsonPath,
    /// A path into a JSON value where a table is named.
    JsonTable,
    /// Too many parts.
    Parts,
    /// A star beside other characters.
    Star,
    /// A quote that is not closed, or in the middle of a part.
    Quote,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyPart => "a part of the pattern is empty",
            Self::JsonPath => {
                "a path into JSON is up to 16 keys in single quotes, as in \"t.payload->'user'->>'email'\" or \"t.payload #>> '{user,email}'\"; elements of arrays are covered without their numbers, and a name that has such characters in it stands in double quotes"
            }
            Self::JsonTable => "a path into JSON (->, ->>, #>, #>>) stands behind a column, and tables are \"schema.table\" or \"table\"",
            Self::Parts => "too few or too many parts; columns are \"schema.table.column\" or \"table.column\", tables are \"schema.table\" or \"table\"",
            Self::Star => "* stands for a whole part only",
            Self::Quote => "double quotes go around a whole part",
        })
    }
}

impl core::error::Error for PatternError {}

/// Divides a pattern at the first operator outside of double quotes that reads inside a JSON value.
fn divide(text: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        let rest = text.get(at..).unwrap_or_default();
        match byte {
            b'"' => quoted = !quoted,
            _ if !quoted && (rest.starts_with("->") || rest.starts_with("#>")) => {
                return (text.get(..at).unwrap_or_default(), Some(rest));
            }
            _ => {}
        }
    }
    (text, None)
}

/// The keys of a path as PostgreSQL's operators write it. An operator that gives text ends it.
fn keys(text: &str) -> Option<Box<[Box<str>]>> {
    let mut keys = Vec::new();
    let (mut rest, mut ended) = (text.trim(), false);
    while !rest.is_empty() {
        if ended {
            return None;
        }
        let list = rest.starts_with("#>");
        rest = rest.strip_prefix("->").or_else(|| rest.strip_prefix("#>"))?;
        if let Some(behind) = rest.strip_prefix('>') {
            (rest, ended) = (behind, true);
        }
        let (key, behind) = quoted_key(rest.trim_start())?;
        if list {
            // A number is that of an element, and every element is covered; as a key it would be none.
            let listed = array_keys(&key)?;
            let number = |key: &str| key.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit());
            if listed.iter().any(|key| number(key)) {
                return None;
            }
            keys.extend(listed);
        } else {
            keys.push(key.into());
        }
        rest = behind.trim_start();
    }
    (1..=PATH_KEYS).contains(&keys.len()).then(|| keys.into())
}

/// A text in single quotes, and what stands behind it.
fn quoted_key(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut key = String::new();
    loop {
        let (part, behind) = rest.split_once('\'')?;
        key.push_str(part);
        match behind.strip_prefix('\'') {
            Some(more) => {
                key.push('\'');
                rest = more;
            }
            None => return Some((key, behind)),
        }
    }
}

/// The elements of an array of texts as a literal writes it, without escapes: `{a,"b c"}`. `None` for any other
/// text.
pub(crate) fn array_keys(text: &str) -> Option<Vec<Box<str>>> {
    let inside = text.trim_ascii().strip_prefix('{')?.strip_suffix('}')?;
    if inside.contains(['\\', '{', '}']) {
        return None;
    }
    let (mut keys, mut rest) = (Vec::new(), inside.trim_ascii());
    if rest.is_empty() {
        return Some(keys);
    }
    loop {
        let (key, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let (key, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                let key = key.trim_ascii_end();
                if key.is_empty() || key.contains('"') || key.eq_ignore_ascii_case("null") {
                    return None;
                }
                (key, behind)
            }
        };
        keys.push(key.into());
        let behind = behind.trim_ascii_start();
        if behind.is_empty() {
            return Some(keys);
        }
        rest = behind.strip_prefix(',')?.trim_ascii_start();
    }
}

fn parts(text: &str) -> Result<Vec<Part>, PatternError> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, behind) = if let Some(inside) = rest.strip_prefix('"') {
            let end = inside.find('"').ok_or(PatternError::Quote)?;
            let (name, behind) = inside.split_at(end);
            (Part::Name(name.into()), behind.strip_prefix('"').unwrap_or_default())
        } else {
            let (name, behind) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
            match name {
                "*" => (Part::Any, behind),
                _ if name.contains('*') => return Err(PatternError::Star),
                _ if name.contains('"') => return Err(PatternError::Quote),
                _ => (Part::Name(name.trim().into()), behind),
            }
        };
        if part == Part::Name("".into()) {
            return Err(PatternError::EmptyPart);
        }
        parts.push(part);
        if behind.is_empty() {
            return Ok(parts);
        }
        rest = behind.strip_prefix('.').ok_or(PatternError::Quote)?;
    }
}

impl FromStr for ColumnPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (text, behind) = divide(text);
        let path = behind.map(|path| keys(path).ok_or(PatternError::JsonPath)).transpose()?.unwrap_or_default();
        let mut parts = parts(text)?.into_iter();
        let pattern = |schema, table, column, either| Self { schema, table, column, either, path };
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(schema), Some(table), Some(column), None) => Ok(pattern(schema, table, column, None)),
            (Some(Part::Name(name)), Some(Part::Any), None, None) => {
                Ok(pattern(Part::Any, Part::Any, Part::Any, Some(name)))
            }
            (Some(table), Some(column), None, None) => Ok(pattern(Part::Any, table, column, None)),
            (Some(Part::Any), None, None, None) => Ok(pattern(Part::Any, Part::Any, Part::Any, None)),
            _ => Err(PatternError::Parts),
        }
    }
}

impl FromStr for TablePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if divide(text).1.is_some() {
            return Err(PatternError::JsonTable);
        }
        let mut parts = parts(text)?.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(schema), Some(table), None) => Ok(Self { schema, table }),
            (Some(table), None, None) => Ok(Self { schema: Part::Any, table }),
            _ => Err(PatternError::Parts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_match_by_parts() {
        let matches = |pattern: &str, column: [&str; 3]| {
            pattern.parse::<ColumnPattern>().unwrap().matches(column[0], column[1], column[2])
        };
        for pattern in
            ["public.customers.card", "*.customers.card", "customers.card", "public.*", "customers.*", "*", "*.card"]
        {
            assert!(matches(pattern, ["public", "customers", "card"]), "{pattern}");
        }
        for pattern in ["private.customers.card", "public.orders.card", "customers.name", "Customers.card", "card.*"] {
            assert!(!matches(pattern, ["public", "customers", "card"]), "{pattern}");
        }
        assert!(matches(r#""a.b"."*".c"#, ["a.b", "*", "c"]));
    }

    #[test]
    fn unqualified_tables_may_lie_anywhere() {
        let pattern: TablePattern = "private.pay".parse().unwrap();
        assert!(pattern.may_match(None, "pay") && pattern.may_match(Some("private"), "pay"));
        assert!(!pattern.may_match(Some("public"), "pay") && !pattern.may_match(None, "orders"));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, error) in [
            ("", PatternError::EmptyPart),
            ("a..b", PatternError::EmptyPart),
            ("card", PatternError::Parts),
            ("a.b.c.d", PatternError::Parts),
            ("a.ca*", PatternError::Star),
            ("a.\"b", PatternError::Quote),
            ("a.b\"c\"", PatternError::Quote),
        ] {
            assert_eq!(text.parse::<ColumnPattern>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_path_into_json_stands_behind_a_column() {
        for (text, keys) in [
            ("public.events.payload->>'email'", &["email"][..]),
            ("public.events.payload -> 'a' ->> 'b.c'", &["a", "b.c"]),
            ("events.\"payload\"->'it''s'", &["it's"]),
            ("events.payload #>> '{contact, \"e mail\"}'", &["contact", "e mail"]),
            ("events.payload->'a' #> '{b,c}'->'0'", &["a", "b", "c", "0"]),
            ("events.payload", &[]),
        ] {
            let pattern: ColumnPattern = text.parse().unwrap();
            assert!(pattern.matches("public", "events", "payload"), "{text}");
            assert_eq!(pattern.path().iter().map(|key| &**key).collect::<Vec<_>>(), keys, "{text}");
        }
        let quoted: ColumnPattern = r#"public.events."a->b""#.parse().unwrap();
        assert!(quoted.matches("public", "events", "a->b"), "quotes make a name of anything");
        assert!(quoted.path().is_empty());
    }

    #[test]
    fn a_path_that_would_cover_nothing_is_no_pattern() {
        let long = format!("t.c{}", "->'a'".repeat(17));
        for text in [
            "events.payload->0",
            "events.payload->email",
            "events.payload->'email",
            "events.payload->>'a'->'b'",
            "events.payload#>>'{a,0}'",
            "events.payload#>>'{a,{b}}'",
            "events.payload#>>'a'",
            "events.payload#>>'{}'",
            "events.payload->",
            &long,
        ] {
            assert_eq!(text.parse::<ColumnPattern>(), Err(PatternError::JsonPath), "{text}");
        }
        assert_eq!("events->>'email'".parse::<TablePattern>(), Err(PatternError::JsonTable));
    }
}
