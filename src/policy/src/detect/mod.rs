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
//! | `iban` | country, check digits and an account of the country's length with the right remainder, in one piece or in groups of four | lower-case countries; within longer words |
//! | `ip` | IPv4 and IPv6 addresses | versions after a letter, five numbers; `::` and times |
//! | `phone` | E.164 with a plus; national forms of North America and with a trunk prefix, in groups | bare digits |
//! | `aws_key`, `gcp_key`, `github_token`, `slack_token`, `stripe_key` | the services' prefixes and lengths | secrets without a prefix |
//! | `jwt` | a header that names its algorithm, payload and signature | |
//! | `private_key` | a PEM block of a private key, from its first line to its last | certificates, public keys |
//! | `url_password` | the password between `scheme://user:` and `@host` | |
//! | `pattern` | what a regular expression of the user matches | the empty match |
//! | `literals_file` | the words of a list of the user, up to a million | within longer words |
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
//! | int2, int4, int8, oid, uuid (`pattern` and `literals_file` only) | the value's text | the whole value, masked as that type |
//! | inet, cidr (`ip` only) | every value | the whole value, masked as that type |
//! | unknown in binary, where it is no text | bytes | the whole cell is redacted |
//! | all others; bytea in text with `\x` | no | |
//!
//! Under `null` a match makes the whole cell NULL. Under `constant` it is put in place of the match in texts and
//! JSON strings, in containers there are stars; `hash` leaves as many hexadecimal digits as the match had bytes.
//! A pattern is run over every cell of its columns, without a prefilter. Only one rule per detector acts on a cell: the first.

mod card;
mod cell;
mod classes;
mod container;
mod email;
mod forms;
mod hints;
mod iban;
mod ip;
mod json;
mod literals;
mod pattern;
mod phone;
mod prefixes;
mod secret;
mod set;
mod signs;
mod ssn;
mod token;
mod word;

pub(crate) use hints::Hints;
pub use literals::{LIST_BYTES, LITERAL_BYTES, LITERALS_LIMIT, List, Literals, LiteralsError};
pub use pattern::{Pattern, PatternError};
pub use set::{Detector, DetectorError, DetectorSet, DetectorUse};

#[cfg(test)]
mod precision;
#[cfg(test)]
mod tests;
