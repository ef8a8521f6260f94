//! The ways in which a rule can mask a value, and how a config file writes them.
//!
//! A method is only a name here: what it does to each type of value stands in the table of [`crate::mask`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::inside::JsonMasks;
use super::key::HashKey;
use super::quoted::Quotes;

/// What is left of a masked value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// A value that the rule gives, where the column's type can hold it.
    Constant(Arc<str>),
    /// A keyed hash of the column's type, the same for equal values.
    Hash(HashKey),
    /// Values inside the JSON values of a column, each in its own way: what rules with paths come to. No config
    /// names it.
    Inside(JsonMasks),
    /// Some letters and digits at the ends stay.
    Keep {
        /// Characters that stay at the beginning.
        first: u16,
        /// Characters that stay at the end.
        last: u16,
    },
    /// SQL NULL; where the column cannot be NULL, as [`Method::Redact`].
    Null,
    /// Some texts within the value become stars: what definitions quote of masked columns. No config names it.
    Quoting(Quotes),
    /// Nothing but the length and the type.
    Redact,
    /// The nearest multiple of `step`, for numbers.
    Round {
        /// 1 or more.
        step: u64,
    },
    /// The first moment of the year, for dates and timestamps.
    YearOnly,
}

/// Longest constant, in bytes: it may stand in every row of a result.
const CONSTANT_BYTES: usize = 1_000;

/// Largest step: 18 digits, so that every step is an `int8`.
const STEP_LIMIT: u64 = 1_000_000_000_000_000_000;

/// Why a text names no [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodError {
    /// The value of a constant is missing, or too long.
    Constant,
    /// A count is missing, is not a number, or passes 65,535.
    Count,
    /// One of `keep_first` and `keep_last` stands there twice.
    Repeated,
    /// Both counts are 0: that is `redact`.
    KeepsNothing,
    /// The step is missing, is not a number, is 0 or has more than 18 digits.
    Step,
    /// No such method.
    Unknown,
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant needs a value of at most 1000 bytes, as in \"constant n/a\"",
            Self::Count => {
                "keep_first and keep_last need a number of characters from 1 to 65535, as in \"keep_last 4\""
            }
            Self::Repeated => "keep_first and keep_last may each stand only once in a method",
            Self::KeepsNothing => "a method that keeps 0 characters is \"redact\"",
            Self::Step => "round needs a step of at least 1, as in \"round 1000\"",
            Self::Unknown => {
                "unknown mask method; known are \"redact\", \"null\", \"hash\", \"constant n/a\", \"keep_last 4\", \
                 \"keep_first 1\", \"keep_first 1 keep_last 4\", \"round 1000\" and \"year_only\""
            }
        })
    }
}

impl std::error::Error for MethodError {}

impl FromStr for Method {
    type Err = MethodError;

    /// Reads what a config file says: `redact`, `null`, `hash`, `constant` and a value, `keep_first n`,
    /// `keep_last n`, or both in any order, `round n`, `year_only`. Quotes around a constant are not part of
    /// it. The key of `hash` is unknown at first.
    fn from_str(text: &str) -> Result<Self, MethodError> {
        let text = text.trim_ascii();
        let (name, argument) = text.split_once(|byte: char| byte.is_ascii_whitespace()).unwrap_or((text, ""));
        let argument = argument.trim_ascii();
        match (name, argument) {
            ("redact", "") => return Ok(Self::Redact),
            ("null", "") => return Ok(Self::Null),
            ("hash", "") => return Ok(Self::Hash(HashKey::UNKNOWN)),
            ("year_only", "") => return Ok(Self::YearOnly),
            ("round", step) => {
                let step = step.parse().ok().filter(|step| (1..STEP_LIMIT).contains(step));
                return step.map(|step| Self::Round { step }).ok_or(MethodError::Step);
            }
            ("constant", value) => {
                let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                let valid = !value.is_empty() && value.len() <= CONSTANT_BYTES && !value.contains('\0');
                return valid.then(|| Self::Constant(unquoted.unwrap_or(value).into())).ok_or(MethodError::Constant);
            }
            ("", _) => return Err(MethodError::Unknown),
            _ => {}
        }
        let mut words = text.split_ascii_whitespace();
        let (mut first, mut last) = (None, None);
        while let Some(word) = words.next() {
            let end = match word {
                "keep_first" => &mut first,
                "keep_last" => &mut last,
                _ => return Err(MethodError::Unknown),
            };
            let count = words.next().and_then(|n| n.parse::<u16>().ok()).ok_or(MethodError::Count)?;
            if end.replace(count).is_some() {
                return Err(MethodError::Repeated);
            }
        }
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        if first == 0 && last == 0 {
            return Err(MethodError::KeepsNothing);
        }
        Ok(Self::Keep { first, last })
    }
}

impl Method {
    /// Whether it changes parts of a value and leaves the others as they are.
    pub(crate) fn is_partial(&self) -> bool {
        matches!(self, Self::Inside(_) | Self::Quoting(_))
    }
}

impl Method {
    /// Whether it looks for texts whose bytes are others in another encoding than UTF-8.
    pub(crate) fn needs_utf8(&self) -> bool {
        match self {
            Self::Inside(masks) => masks.iter().any(|mask| !mask.keys.iter().all(|key| key.is_ascii())),
            Self::Quoting(quotes) => !quotes.is_ascii(),
            _ => false,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "constant \"{value}\""),
            Self::Hash(_) => f.write_str("hash"),
            Self::Inside(masks) => {
                f.write_str("inside:")?;
                for (index, mask) in masks.iter().enumerate() {
                    f.write_str(if index == 0 { " " } else { ", " })?;
                    mask.keys.iter().try_for_each(|key| write!(f, "->'{key}'"))?;
                    write!(f, "{} {}", if mask.keys.is_empty() { "all" } else { "" }, mask.method)?;
                }
                Ok(())
            }
            Self::Keep { first, last: 0 } => write!(f, "keep_first {first}"),
            Self::Keep { first: 0, last } => write!(f, "keep_last {last}"),
            Self::Keep { first, last } => write!(f, "keep_first {first} keep_last {last}"),
            Self::Null => f.write_str("null"),
            Self::Quoting(_) => f.write_str("values that definitions quote"),
            Self::Redact => f.write_str("redact"),
            Self::Round { step } => write!(f, "round {step}"),
            Self::YearOnly => f.write_str("year_only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_reads_back_what_it_writes() {
        for text in [
            "redact",
            "null",
            "keep_last 4",
            "keep_first 1",
            "keep_first 1 keep_last 4",
            "hash",
            "year_only",
            "round 1000",
            "constant \"not shown\"",
            "constant \"\"",
        ] {
            assert_eq!(text.parse::<Method>().unwrap().to_string(), text);
        }
        assert_eq!("constant  n/a ".parse(), Ok(Method::Constant("n/a".into())));
        assert_eq!("keep_last 4  keep_first 1".parse(), Ok(Method::Keep { first: 1, last: 4 }));
        assert_eq!(" redact ".parse(), Ok(Method::Redact));
    }

    #[test]
    fn what_is_no_method_is_refused_with_the_reason() {
        for (text, error) in [
            ("", MethodError::Unknown),
            ("hide", MethodError::Unknown),
            ("Redact", MethodError::Unknown),
            ("redact null", MethodError::Unknown),
            ("keep_last", MethodError::Count),
            ("keep_last four", MethodError::Count),
            ("keep_last -1", MethodError::Count),
            ("keep_last 65536", MethodError::Count),
            ("keep_last 1 keep_last 2", MethodError::Repeated),
            ("keep_last 0", MethodError::KeepsNothing),
            ("hash 7", MethodError::Unknown),
            ("round", MethodError::Step),
            ("round 0", MethodError::Step),
            ("round 0.5", MethodError::Step),
            ("round 1000000000000000000", MethodError::Step),
            ("constant", MethodError::Constant),
        ] {
            assert_eq!(text.parse::<Method>(), Err(error), "{text}");
        }
    }
}
