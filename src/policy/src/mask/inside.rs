//! Masks inside JSON documents: what lies behind some keys is masked, and every other byte stays as it is.
//!
//! A path names keys alone: on an array it goes on in each element, and of a key that an object has twice it
//! follows both. Keys are compared by what they mean, so `"\u0065mail"` is `"email"`. Anything that is no JSON, or
//! lies deeper than [`LEVELS`], loses the whole value. Source: RFC 8259; `json_in` and `jsonb_send` of PostgreSQL.

use std::ops::Range;
use std::sync::Arc;

use wire::guard::CellOutcome;
use wire::value::{Encoding, ValueType};

use super::constant::json_escaped;
use super::counts::MaskCounts;
use super::method::Method;
use super::value::{Shape, mask_value, put};
use crate::rule::RuleId;

/// Most objects and arrays in each other that are read.
const LEVELS: usize = 128;

/// One path into the documents of a column, and what becomes of the values there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonMask {
    /// The rule that asks for it.
    pub rule: RuleId,
    /// Keys from the outermost object; none for the value itself.
    pub keys: Box<[Box<str>]>,
    /// What becomes of a value behind them: of each element where it is an array; an object becomes `{}`.
    pub method: Method,
}

/// The paths into the documents of one column, the first rule of the file first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonMasks(Arc<[JsonMask]>);

impl JsonMasks {
    /// All of these; of two for one value the first rule of the file holds.
    #[must_use]
    pub fn new(mut masks: Vec<JsonMask>) -> Self {
        masks.sort_by_key(|mask| mask.rule);
        let mut kept: Vec<JsonMask> = Vec::with_capacity(masks.len());
        for mask in masks {
            if !kept.contains(&mask) {
                kept.push(mask);
            }
        }
        Self(kept.into())
    }

    /// These and others.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        Self::new(self.iter().chain(other.iter()).cloned().collect())
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &JsonMask> {
        self.0.iter()
    }

    /// Masks what lies behind the paths of a whole value, and counts the cell once for each rule that found
    /// something.
    pub(super) fn mask(&self, shape: Shape, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        let start = match (shape.value_type, shape.encoding) {
            // `->>` of the very value.
            (ValueType::Text, _) => return self.mask_text(shape, cell, counts),
            (ValueType::Jsonb, Encoding::PgBinary) => (cell.first() == Some(&1)).then_some(1),
            (ValueType::Json | ValueType::Jsonb, _) => Some(0),
            _ => None,
        };
        let edited = start.and_then(|start| Editor::new(&self.0, cell, start)?.document());
        match edited {
            Some((found, _)) if found.is_empty() => CellOutcome::InPlace,
            Some((found, bytes)) => {
                found.into_iter().for_each(|rule| counts.add(rule));
                put(bytes, cell)
            }
            None => self.redact(shape, cell, counts),
        }
    }

    /// The text of the value that the paths end at. That of an object or array, or of a value that only holds one
    /// to be masked, is no single value.
    fn mask_text(&self, shape: Shape, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        let whole = self.iter().all(|mask| mask.keys.is_empty()) && !matches!(cell.first(), Some(b'{' | b'['));
        match self.0.first() {
            Some(mask) if whole => {
                counts.add(mask.rule);
                mask_value(shape, &mask.method, cell)
            }
            _ => self.redact(shape, cell, counts),
        }
    }

    fn redact(&self, shape: Shape, cell: &mut [u8], counts: &mut MaskCounts) -> CellOutcome {
        self.0.first().into_iter().for_each(|mask| counts.add(mask.rule));
        mask_value(shape, &Method::Redact, cell)
    }
}

/// How far one path has been followed.
#[derive(Clone, Copy)]
struct Place {
    mask: usize,
    /// Keys that were met.
    keys: usize,
}

/// What is asked of a value.
#[derive(Clone, Copy)]
enum Asked<'p> {
    /// To look behind these paths.
    Look(&'p [Place]),
    /// To mask it, as this one says.
    Mask(usize),
}

/// One walk over a document; `None` from any step of it says that the text is no JSON.
struct Editor<'a> {
    masks: &'a [JsonMask],
    text: &'a [u8],
    at: usize,
    /// The new document up to `copied`; empty as long as nothing was changed.
    out: Vec<u8>,
    copied: usize,
    /// The rules that found something.
    found: Vec<RuleId>,
}

impl<'a> Editor<'a> {
    /// `None` where keys cannot be compared: those outside ASCII, in a text that is not UTF-8.
    fn new(masks: &'a [JsonMask], text: &'a [u8], start: usize) -> Option<Self> {
        let ascii = masks.iter().all(|mask| mask.keys.iter().all(|key| key.is_ascii()));
        let readable = ascii || core::str::from_utf8(text).is_ok();
        readable.then(|| Self { masks, text, at: start, out: Vec::new(), copied: 0, found: Vec::new() })
    }

    /// The rules that found something, and the new document.
    fn document(mut self) -> Option<(Vec<RuleId>, Vec<u8>)> {
        let places: Vec<Place> = (0..self.masks.len()).map(|mask| Place { mask, keys: 0 }).collect();
        self.value(Asked::Look(&places), LEVELS)?;
        self.space();
        if self.at != self.text.len() {
            return None;
        }
        self.out.extend_from_slice(self.text.get(self.copied..)?);
        Some((self.found, self.out))
    }

    fn value(&mut self, asked: Asked<'_>, levels: usize) -> Option<()> {
        let asked = match asked {
            Asked::Look(places) => {
                let ended =
                    |place: &&Place| self.masks.get(place.mask).is_some_and(|mask| mask.keys.len() == place.keys);
                let first = places.iter().filter(ended).map(|place| place.mask).min();
                first.map_or(asked, Asked::Mask)
            }
            Asked::Mask(_) => asked,
        };
        self.space();
        let start = self.at;
        match (*self.text.get(self.at)?, asked) {
            (b'[', _) => self.array(asked, levels.checked_sub(1)?),
            (b'{', Asked::Look(places)) => self.object(places, levels.checked_sub(1)?),
            (b'{', Asked::Mask(mask)) => {
                self.object(&[], levels.checked_sub(1)?)?;
                let method = &self.masks.get(mask)?.method;
                self.replace(mask, start, if *method == Method::Null { b"null" } else { b"{}" })
            }
            (b'"', Asked::Mask(mask)) => {
                let content = self.string()?;
                let mut text = unescaped(self.text.get(content)?)?;
                let masked = masked_text(&self.masks.get(mask)?.method, &mut text);
                self.replace(mask, start, &masked)
            }
            (b'"', Asked::Look(_)) => self.string().map(drop),
            (_, asked) => {
                let bare = self.bare()?;
                match asked {
                    Asked::Mask(mask) if bare != b"null" => {
                        let masked = masked_bare(&self.masks.get(mask)?.method, bare);
                        self.replace(mask, start, &masked)
                    }
                    _ => Some(()),
                }
            }
        }
    }

    fn array(&mut self, asked: Asked<'_>, levels: usize) -> Option<()> {
        self.at += 1;
        if self.is_next(b']') {
            return Some(());
        }
        loop {
            self.value(asked, levels)?;
            if self.is_next(b']') {
                return Some(());
            }
            self.is_next(b',').then_some(())?;
        }
    }

    fn object(&mut self, places: &[Place], levels: usize) -> Option<()> {
        self.at += 1;
        if self.is_next(b'}') {
            return Some(());
        }
        loop {
            self.space();
            let key = self.string()?;
            self.is_next(b':').then_some(())?;
            let below = if places.is_empty() { Vec::new() } else { self.below(places, key)? };
            self.value(Asked::Look(&below), levels)?;
            if self.is_next(b'}') {
                return Some(());
            }
            self.is_next(b',').then_some(())?;
        }
    }

    /// The paths that go on behind a key.
    fn below(&self, places: &[Place], key: Range<usize>) -> Option<Vec<Place>> {
        let raw = self.text.get(key)?;
        let unescaped = if raw.contains(&b'\\') { Some(unescaped(raw)?) } else { None };
        let key = unescaped.as_deref().unwrap_or(raw);
        let goes_on = |place: &&Place| {
            let next = self.masks.get(place.mask).and_then(|mask| mask.keys.get(place.keys));
            next.is_some_and(|next| next.as_bytes() == key)
        };
        Some(places.iter().filter(goes_on).map(|place| Place { keys: place.keys + 1, ..*place }).collect())
    }

    /// Puts bytes in the place of what was read since `start`.
    fn replace(&mut self, mask: usize, start: usize, bytes: &[u8]) -> Option<()> {
        self.out.extend_from_slice(self.text.get(self.copied..start)?);
        self.out.extend_from_slice(bytes);
        self.copied = self.at;
        let rule = self.masks.get(mask)?.rule;
        if !self.found.contains(&rule) {
            self.found.push(rule);
        }
        Some(())
    }

    fn space(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
    }

    /// Passes over white space and a sign, if that is next.
    fn is_next(&mut self, sign: u8) -> bool {
        self.space();
        let found = self.text.get(self.at) == Some(&sign);
        self.at += usize::from(found);
        found
    }

    /// Passes over a string; what stands between its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        self.at = start;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text.get(self.at) == Some(&b'"') {
                self.at += 1;
                return Some(start..self.at - 1);
            }
            self.at += 2;
        }
    }

    /// Passes over a number or literal.
    fn bare(&mut self) -> Option<&'a [u8]> {
        let rest = self.text.get(self.at..)?;
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let bare = rest.get(..rest.iter().take_while(is_part).count())?;
        self.at += bare.len();
        let known = matches!(bare, b"true" | b"false" | b"null") || is_number(bare);
        known.then_some(bare)
    }
}

/// What a string of JSON means. A half of a surrogate pair means nothing.
fn unescaped(raw: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at_checked(at)?;
        text.extend_from_slice(before);
        rest = escape.get(2..)?;
        let plain = match escape.get(1)? {
            sign @ (b'"' | b'\\' | b'/') => *sign,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (mut code, mut behind) = hexadecimal(rest)?;
                if (0xd800..0xdc00).contains(&code) {
                    let (low, further) = hexadecimal(behind.strip_prefix(b"\\u")?)?;
                    let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    (code, behind) = (0x1_0000 + ((code - 0xd800) << 10) + low, further);
                }
                text.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
                rest = behind;
                continue;
            }
            _ => return None,
        };
        text.push(plain);
    }
    text.extend_from_slice(rest);
    Some(text)
}

/// Four hexadecimal digits, and what follows.
fn hexadecimal(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<4>()?;
    let code = digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))?;
    Some((code, rest))
}

/// Whether bytes are a number as JSON writes it.
fn is_number(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest.starts_with(b"0") {
        return false;
    }
    let mut rest = rest.get(whole..).unwrap_or_default();
    if let [b'.', fraction @ ..] = rest {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    let [b'e' | b'E', exponent @ ..] = rest else { return rest.is_empty() };
    let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// A string of JSON in the place of a text.
fn masked_text(method: &Method, text: &mut Vec<u8>) -> Vec<u8> {
    let shape = Shape { value_type: ValueType::Text, encoding: Encoding::Text, nullable: true };
    let masked = match mask_value(shape, method, text) {
        CellOutcome::Null => return b"null".to_vec(),
        CellOutcome::Replace(masked) => masked,
        CellOutcome::InPlace => core::mem::take(text),
    };
    string_of(&masked)
}

fn string_of(text: &[u8]) -> Vec<u8> {
    [b"\"", &*json_escaped(&String::from_utf8_lossy(text)), b"\""].concat()
}

/// A number or truth value in the place of one; a constant that is no number is a string.
fn masked_bare(method: &Method, bare: &[u8]) -> Vec<u8> {
    match method {
        Method::Null => return b"null".to_vec(),
        Method::Constant(value) if is_number(value.as_bytes()) => return value.as_bytes().to_vec(),
        Method::Constant(value) => return string_of(value.as_bytes()),
        _ if !is_number(bare) => return b"false".to_vec(),
        Method::Redact => return b"0".to_vec(),
        _ => {}
    }
    let shape = Shape { value_type: ValueType::Numeric, encoding: Encoding::Text, nullable: false };
    let mut number = bare.to_vec();
    if let CellOutcome::Replace(masked) = mask_value(shape, method, &mut number) {
        number = masked;
    }
    // Zeros in front, which JSON forbids.
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    let point = number.get(zeros).is_none_or(|byte| !byte.is_ascii_digit());
    number.drain(..zeros.saturating_sub(usize::from(point)));
    if is_number(&number) { number } else { b"0".to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Shape = Shape { value_type: ValueType::Json, encoding: Encoding::Text, nullable: true };

    fn masks(paths: &[(&str, &str)]) -> JsonMasks {
        let mask = |(index, (path, method)): (usize, &(&str, &str))| JsonMask {
            rule: RuleId(u16::try_from(index).unwrap()),
            keys: path.split('.').filter(|key| !key.is_empty()).map(Box::from).collect(),
            method: method.parse().unwrap(),
        };
        JsonMasks::new(paths.iter().enumerate().map(mask).collect())
    }

    fn masked(masks: &JsonMasks, shape: Shape, text: &str) -> String {
        let mut cell = text.as_bytes().to_vec();
        let bytes = match masks.mask(shape, &mut cell, &mut MaskCounts::new()) {
            CellOutcome::InPlace => cell,
            CellOutcome::Replace(bytes) => bytes,
            CellOutcome::Null => b"NULL".to_vec(),
        };
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn keys_outside_ascii_are_looked_for_in_utf8_alone() {
        let whole = |key: &str| {
            let mask = JsonMask { rule: RuleId::BUILT_IN, keys: [key.into()].into(), method: Method::Redact };
            let mask = Some((RuleId::BUILT_IN, Method::Inside(JsonMasks::new(vec![mask]))));
            let column = crate::mask::ColumnSpec {
                value_type: ValueType::Jsonb,
                encoding: Encoding::Text,
                nullable: true,
                mask,
                detectors: None,
            };
            let mut cell = br#"{"other": "shown"}"#.to_vec();
            let outcome =
                crate::mask::RowMask::new(vec![column]).mask_encoded_cell(0, &mut cell, &mut MaskCounts::default());
            outcome != CellOutcome::InPlace || !cell.windows(5).any(|part| part == b"shown")
        };
        assert!(whole("cl\u{e9}") && !whole("key"));
    }

    #[test]
    fn what_lies_behind_the_keys_is_masked_and_the_rest_stays() {
        let mut wrong = Vec::new();
        for (paths, text, result) in [
            (&[("email", "redact")][..], r#"{ "a" : 1, "email" : "a@b" }"#, r#"{ "a" : 1, "email" : "***" }"#),
            (
                &[("email", "redact")],
                r#"{"Email": "a@b", "user": {"email": "x"}}"#,
                r#"{"Email": "a@b", "user": {"email": "x"}}"#,
            ),
            (
                &[("user.email", "redact")],
                r#"{"user": {"email": "a", "b": [2]}}"#,
                r#"{"user": {"email": "*", "b": [2]}}"#,
            ),
            (
                &[("a.b", "redact")],
                r#"[{"a": [{"b": "x"}, [{"b": ["y", ["z"]]}]]}, 1]"#,
                r#"[{"a": [{"b": "*"}, [{"b": ["*", ["*"]]}]]}, 1]"#,
            ),
            (&[("a", "redact")], r#"{"a": 1, "a": "x", "\u0061": true}"#, r#"{"a": 0, "a": "*", "\u0061": false}"#),
            (&[("a", "redact")], r#"{"a": {"secret": {"x": [1]}}, "b": null}"#, r#"{"a": {}, "b": null}"#),
            (&[("a", "redact")], r#"{"a": null, "b": [{"a": 1}]}"#, r#"{"a": null, "b": [{"a": 1}]}"#),
            (&[("a", "null")], r#"{"a": ["x", 1, true, {"y": 1}]}"#, r#"{"a": [null, null, null, null]}"#),
            (&[("a", "keep_last 2")], r#"{"a": "x\"y\u00e9\ud83d\ude00zz"}"#, r#"{"a": "*\"*******zz"}"#),
            (&[("a", "keep_last 2")], r#"{"a": 123456, "b": 123456}"#, r#"{"a": 56, "b": 123456}"#),
            (&[("a", "keep_last 2")], r#"{"a": [-1200.05, 1e5, 1200]}"#, r#"{"a": [0.05, 0, 0]}"#),
            (&[("a", "round 100")], r#"{"a": [149, -151, 1.5]}"#, r#"{"a": [100, -200, 0.0]}"#),
            (&[("a", "constant n\"a")], r#"{"a": ["x", 1, false]}"#, r#"{"a": ["n\"a", "n\"a", "n\"a"]}"#),
            (&[("a", "constant 7")], r#"{"a": ["x", 1]}"#, r#"{"a": ["7", 7]}"#),
            (&[("a.b", "null"), ("a", "redact")], r#"{"a": {"b": "xy"}}"#, r#"{"a": {}}"#),
            (&[("a", "redact"), ("a.b", "null")], r#"{"a": "xy"}"#, r#"{"a": "**"}"#),
            (&[("", "redact")], r#"["x", {"y": 1}, 2]"#, r#"["*", {}, 0]"#),
            (&[("é", "redact")], r#"{"\u00e9": "x", "é": "y", "e": "z"}"#, r#"{"\u00e9": "*", "é": "*", "e": "z"}"#),
        ] {
            let found = masked(&masks(paths), JSON, text);
            if found != result {
                wrong.push(format!("{text}: {found}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn a_binary_jsonb_keeps_its_version() {
        let binary = Shape { value_type: ValueType::Jsonb, encoding: Encoding::PgBinary, nullable: true };
        let email = masks(&[("email", "redact")]);
        assert_eq!(masked(&email, binary, "\x01{\"email\": \"a\"}"), "\x01{\"email\": \"*\"}");
        assert!(!masked(&email, binary, "\x02{\"email\": \"secret\"}").contains("secret"));
    }

    #[test]
    fn what_cannot_be_read_is_redacted_whole() {
        let deep = format!("{}\"secret\"{}", "[".repeat(LEVELS + 1), "]".repeat(LEVELS + 1));
        let email = masks(&[("email", "keep_last 2")]);
        for text in [
            r#"{"email" "secret"}"#,
            r#"{"a": "secret""#,
            r#"{"a": "secret"} x"#,
            r#"{"a": "secret", }"#,
            r#"{secret: 1}"#,
            r#"{"\ud800": "secret"}"#,
            r#"{"\x": "secret"}"#,
            r#"{"a": secret}"#,
            r#""secret"#,
            &deep,
        ] {
            assert!(!masked(&email, JSON, text).contains("secret"), "{text}");
        }
        let level = format!("{}\"kept\"{}", "[".repeat(LEVELS), "]".repeat(LEVELS));
        assert_eq!(masked(&email, JSON, &level), level);
        let mut latin = b"{\"\xe9\": \"secret\"}".to_vec();
        let outcome = masks(&[("é", "redact")]).mask(JSON, &mut latin, &mut MaskCounts::new());
        assert!(outcome == CellOutcome::InPlace && !latin.windows(6).any(|bytes| bytes == b"secret"));
    }

    #[test]
    fn every_prefix_and_every_flipped_byte_gives_a_result() {
        let text = br#"{"a": [1, {"email": "s\u00e9\n"}], "b": -2.5e+3}"#;
        let email = masks(&[("a.email", "keep_last 2"), ("b", "round 10")]);
        for at in 0..text.len() {
            let mut cut = text[..at].to_vec();
            email.mask(JSON, &mut cut, &mut MaskCounts::new());
            for byte in [0, b'"', b'\\', b'{', b']', 0xff] {
                let mut flipped = text.to_vec();
                flipped[at] = byte;
                email.mask(JSON, &mut flipped, &mut MaskCounts::new());
            }
        }
    }

    #[test]
    fn the_text_of_a_value_is_masked_and_that_of_a_document_redacted() {
        let text = Shape { value_type: ValueType::Text, ..JSON };
        let own = masks(&[("", "keep_last 2")]);
        assert_eq!(masked(&own, text, "abcdef"), "****ef");
        assert!(!masked(&own, text, r#"["abcdef"]"#).contains('f'));
        assert!(!masked(&masks(&[("email", "keep_last 2")]), text, "abcdef").contains('f'));
        let unknown = Shape { value_type: ValueType::Unknown, ..JSON };
        assert!(!masked(&own, unknown, "abcdef").contains('f'));
    }

    #[test]
    fn a_cell_is_counted_for_each_rule_that_found_something() {
        let paths = masks(&[("a", "redact"), ("b", "redact"), ("c", "redact")]);
        let mut counts = MaskCounts::new();
        paths.mask(JSON, &mut br#"{"a": [1, 2], "c": 3}"#.to_vec(), &mut counts);
        let mut expected = MaskCounts::new();
        expected.add(RuleId(0));
        expected.add(RuleId(2));
        assert_eq!(counts, expected);
    }
}
