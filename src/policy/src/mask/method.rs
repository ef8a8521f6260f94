//! The ways in which a rule can mask a value, and how a config file writes them.
//!
//! A method is only a name here: what it does to each type of value stands in the table of [`crate::mask`].

use std::fmt;
use std::str::FromStr;

/// What is left of a masked value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Some letters and digits at the ends stay.
    Keep {
        /// Characters that stay at the beginning.
        first: u16,
        /// Characters that stay at the end.
        last: u16,
    },
    /// SQL NULL; where the column cannot be NULL, as [`Method::Redact`].
    Null,
    /// Nothing but the length and the type.
    Redact,
}

/// Why a text names no [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodError {
    /// A count is missing, is not a number, or passes 65,535.
    Count,
    /// One of `keep_first` and `keep_last` stands there twice.
    Repeated,
    /// Both counts are 0: that is `redact`.
    KeepsNothing,
    /// No such method.
    Unknown,
}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => {
                "keep_first and keep_last need a number of characters from 1 to 65535, as in \"keep_last 4\""
            }
            Self::Repeated => "keep_first and keep_last may each stand only once in a method",
            Self::KeepsNothing => "a method that keeps 0 characters is \"redact\"",
            Self::Unknown => {
                "unknown mask method; known are \"redact\", \"null\", \"keep_last 4\", \"keep_first 1\" and \
                 \"keep_first 1 keep_last 4\""
            }
        })
    }
}

impl std::error::Error for MethodError {}

impl FromStr for Method {
    type Err = MethodError;

    /// Reads what a config file says: `redact`, `null`, `keep_first n`, `keep_last n`, or both in any order.
    fn from_str(text: &str) -> Result<Self, MethodError> {
        let mut words = text.split_ascii_whitespace();
        match text.trim_ascii() {
            "redact" => return Ok(Self::Redact),
            "null" => return Ok(Self::Null),
            "" => return Err(MethodError::Unknown),
            _ => {}
        }
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

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Keep { first, last: 0 } => write!(f, "keep_first {first}"),
            Self::Keep { first: 0, last } => write!(f, "keep_last {last}"),
            Self::Keep { first, last } => write!(f, "keep_first {first} keep_last {last}"),
            Self::Null => f.write_str("null"),
            Self::Redact => f.write_str("redact"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_reads_back_what_it_writes() {
        for text in ["redact", "null", "keep_last 4", "keep_first 1", "keep_first 1 keep_last 4"] {
            assert_eq!(text.parse::<Method>().unwrap().to_string(), text);
        }
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
        ] {
            assert_eq!(text.parse::<Method>(), Err(error), "{text}");
        }
    }
}
