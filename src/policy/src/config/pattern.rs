//! Patterns of columns and tables, as rules write them.
//!
//! A part is a name as the catalogue has it, or `*` for any. A name with a dot or a star in it stands in
//! double quotes. Names are compared exactly: `Customers` is not `customers`.

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

/// Which columns a mask covers: `schema.table.column`, `table.column`, `schema.*` or `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnPattern {
    schema: Part,
    table: Part,
    column: Part,
    /// `name.*` covers all tables of a schema, and all columns of a table, of that name.
    either: Option<Box<str>>,
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
    /// A path into a JSON value: `payload->>'email'`, `payload #>> '{email}'`. Taken for the name of a column
    /// it would match none, and the rule would do nothing without a word.
    JsonPath,
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
            Self::JsonPath => "paths into JSON (->, ->>, #>, #>>) are not supported; name the whole column, as in \"schema.table.column\" (a name that has such characters in it stands in double quotes)",
            Self::Parts => "too few or too many parts; columns are \"schema.table.column\" or \"table.column\", tables are \"schema.table\" or \"table\"",
            Self::Star => "* stands for a whole part only",
            Self::Quote => "double quotes go around a whole part",
        })
    }
}

impl core::error::Error for PatternError {}

/// Whether a text outside of quotes has an operator in it that reads inside a JSON value.
fn has_json_path(text: &str) -> bool {
    text.contains("->") || text.contains("#>")
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
                _ if has_json_path(name) => return Err(PatternError::JsonPath),
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
        rest = behind.strip_prefix('.').ok_or_else(|| {
            // What stands behind a quoted name: `"payload"->>'email'`.
            if has_json_path(behind) { PatternError::JsonPath } else { PatternError::Quote }
        })?;
    }
}

impl FromStr for ColumnPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let mut parts = parts(text)?.into_iter();
        let pattern = |schema, table, column, either| Self { schema, table, column, either };
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
    fn paths_into_json_are_no_names() {
        for text in [
            "public.events.payload->>'email'",
            "public.events.payload -> 'a' ->> 'b.c'",
            "events.payload->'*'",
            "events.\"payload\"->>'email'",
            "events.payload #>> '{contact,email}'",
        ] {
            assert_eq!(text.parse::<ColumnPattern>(), Err(PatternError::JsonPath), "{text}");
            assert_eq!(text.parse::<TablePattern>(), Err(PatternError::JsonPath), "{text}");
        }
        let quoted: ColumnPattern = r#"public.events."a->b""#.parse().unwrap();
        assert!(quoted.matches("public", "events", "a->b"), "quotes make a name of anything");
    }
}
