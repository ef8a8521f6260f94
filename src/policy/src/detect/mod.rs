//! Values that look like what must not be shown, wherever they stand.
//!
//! A detector is an exact rule on the bytes of one cell, never across cells, and a prefilter that says at
//! memory speed where in a batch of rows a cell is worth that look. The prefilter never misses what the rule
//! would find; the rule alone decides. Rules are heuristics: a value that was encoded, reversed or split is
//! not recognised, which is why a column that is known to hold such values belongs under a column mask.
//!
//! # What each detector finds
//!
//! | detector | form | refused |
//! |---|---|---|
//! | `email` | local part of letters, digits and ``.!#$%&'*+-^_`\|~``, then `@`, then a domain of labels with at least one dot and a last label of letters (or `xn--…`); letters outside ASCII count | quoted local parts, addresses in brackets, domains without a dot |
//! | `card` | 13 to 19 digits of a known scheme's prefix and length with a right Luhn digit, bare or in groups with one space or hyphen between: `4-4-4-k`, `4-4-4-4-k`, `4-4-5`, `4-6-4`, `4-6-5`, `4-5-6`, `8-8`, `6-k` | within longer numbers, decimals, hashes, IBANs, E.164 numbers, EAN-13 codes |
//! | `ssn` | `ddd-dd-dddd` or `ddd dd dddd`, area not 000, 666 or 900–999, group not 00, serial not 0000 | nine bare digits; within longer numbers or words |
//!
//! # Where they look
//!
//! | type | looked into | a match becomes |
//! |---|---|---|
//! | text, unknown, bytea in binary and in text without `\x` | bytes | masked in place by the rule's method |
//! | json, jsonb | strings, between escapes; numbers | in place; in numbers digits become 0 and leading zeros spaces |
//! | array, composite in text | bytes | in place; a bare number's digits become 0 |
//! | array, composite in binary | each element by its OID | in place |
//! | range | bytes, 8-byte integers | the whole cell is redacted |
//! | int8, numeric; floats in text (`card` only) | the whole number | masked as that type |
//! | unknown in binary, where it is no text | bytes | the whole cell is redacted |
//! | all others; bytea in text with `\x` | no | |
//!
//! Under `null` a match makes the whole cell NULL. Only one rule per detector acts on a cell: the first.

mod card;
mod cell;
mod container;
mod email;
mod hints;
mod json;
mod set;
mod ssn;
mod word;

pub(crate) use hints::Hints;
pub use set::{Detector, DetectorError, DetectorSet, DetectorUse};

#[cfg(test)]
mod tests;
