//! The bind parameters of one run, packed into one piece for the audit.
//!
//! A run's parameters are read once, carried from the message that brought them to the record that shows them, and
//! never looked at between. So they are copied once, behind one another, and short ones (nearly all) without memory
//! of their own. It holds at most [`limits::AUDIT_PARAMETERS`] of them and [`limits::AUDIT_PARAMETER_BYTES`] of
//! each, whatever it is given; the rest is counted.
//!
//! ```text
//!   head ─► [length of the type's name, name] ─► [real length, 8 bytes] ─► kept length, 2 bytes ─► bytes
//!   what a head says: NULL (nothing follows), text or binary, whether a type's name and a real length follow
//! ```

use std::fmt;

use crate::limits;
use crate::value::Encoding;

/// Bytes that lie inside: a few numbers and names, or one UUID as text.
const INLINE_BYTES: usize = 46;

const NULL: u8 = 0;
const VALUE: u8 = 1;
/// It is in binary form.
const BINARY: u8 = 2;
/// Its real length follows: not all of it was kept.
const CUT: u8 = 4;
/// The name of its type follows.
const TYPED: u8 = 8;

/// One bind parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter<'a> {
    /// SQL NULL.
    Null,
    /// A value, possibly cut.
    Value {
        /// The value, or the beginning of it.
        bytes: &'a [u8],
        /// Its real length in bytes.
        total_bytes: usize,
        /// How `bytes` is to be read.
        encoding: Encoding,
        /// What the protocol calls the type that it was bound with; empty where its message does not say.
        type_name: &'a str,
    },
}

/// The bind parameters of one run, as far as the audit keeps them.
#[derive(Clone)]
pub struct Parameters {
    packed: Packed,
    kept: u32,
    total: u32,
}

#[derive(Clone)]
enum Packed {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Heap(Vec<u8>),
}

impl Packed {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }

    /// Room for so many bytes more, to be filled.
    fn grow(&mut self, more: usize) -> &mut [u8] {
        if let Self::Inline { .. } = self
            && self.bytes().len() + more > INLINE_BYTES
        {
            let mut heap = Vec::with_capacity((2 * INLINE_BYTES).max(self.bytes().len() + more));
            heap.extend_from_slice(self.bytes());
            *self = Self::Heap(heap);
        }
        match self {
            Self::Inline { len, bytes } => {
                let start = usize::from(*len);
                // It fits, so that it is less than a byte can say.
                *len = u8::try_from(start + more).unwrap_or(*len);
                bytes.get_mut(start..start + more).unwrap_or_default()
            }
            Self::Heap(bytes) => {
                let start = bytes.len();
                bytes.resize(start + more, 0);
                bytes.get_mut(start..).unwrap_or_default()
            }
        }
    }
}

impl Parameters {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { packed: Packed::Inline { len: 0, bytes: [0; INLINE_BYTES] }, kept: 0, total: 0 }
    }

    /// Adds one, as far as it is to be kept.
    #[inline]
    pub fn push(&mut self, parameter: Parameter<'_>) {
        self.total = self.total.saturating_add(1);
        if self.kept() >= limits::AUDIT_PARAMETERS {
            return;
        }
        self.kept += 1;
        match parameter {
            Parameter::Null => self.packed.grow(1).fill(NULL),
            Parameter::Value { bytes, total_bytes, encoding, type_name } => {
                let kept = bytes.get(..limits::AUDIT_PARAMETER_BYTES).unwrap_or(bytes);
                self.value(kept, total_bytes.max(bytes.len()), encoding, type_name);
            }
        }
    }

    fn value(&mut self, kept: &[u8], total_bytes: usize, encoding: Encoding, type_name: &str) {
        let mut head = match encoding {
            Encoding::Text => VALUE,
            Encoding::PgBinary => VALUE | BINARY,
        };
        if !type_name.is_empty() || total_bytes > kept.len() {
            // Names of types are constants of a few letters; one that is longer is cut rather than refused.
            let name = type_name.get(..type_name.len().min(usize::from(u8::MAX))).unwrap_or_default();
            let total = u64::try_from(total_bytes).unwrap_or(u64::MAX).to_le_bytes();
            head |= if name.is_empty() { 0 } else { TYPED } | if total_bytes > kept.len() { CUT } else { 0 };
            self.packed.grow(1).fill(head);
            if head & TYPED != 0 {
                self.packed.grow(1).fill(u8::try_from(name.len()).unwrap_or_default());
                self.packed.grow(name.len()).copy_from_slice(name.as_bytes());
            }
            if head & CUT != 0 {
                self.packed.grow(total.len()).copy_from_slice(&total);
            }
        } else {
            self.packed.grow(1).fill(head);
        }
        let length = u16::try_from(kept.len()).unwrap_or_default();
        if let Some((place, value)) = self.packed.grow(2 + kept.len()).split_first_chunk_mut::<2>() {
            *place = length.to_le_bytes();
            value.copy_from_slice(kept);
        }
    }

    /// How many are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        usize::try_from(self.kept).unwrap_or(usize::MAX)
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> usize {
        usize::try_from(self.total).unwrap_or(usize::MAX)
    }

    /// There were so many, of which not all were read.
    pub fn raise_total(&mut self, total: usize) {
        self.total = self.total.max(u32::try_from(total).unwrap_or(u32::MAX));
    }

    /// Those that are kept, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: self.packed.bytes() }
    }

    /// Bytes that they take on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.packed {
            Packed::Inline { .. } => 0,
            Packed::Heap(bytes) => bytes.capacity(),
        }
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.total == other.total && self.packed.bytes() == other.packed.bytes()
    }
}

impl Eq for Parameters {}

impl<'a> IntoIterator for &'a Parameters {
    type Item = Parameter<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// See [`Parameters::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iter<'a> {
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*number)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Parameter<'a>;

    #[inline]
    fn next(&mut self) -> Option<Parameter<'a>> {
        let [head] = self.number()?;
        if head == NULL {
            return Some(Parameter::Null);
        }
        let mut type_name = "";
        if head & TYPED != 0 {
            let [length] = self.number()?;
            type_name = str::from_utf8(self.bytes(usize::from(length))?).unwrap_or_default();
        }
        let cut = if head & CUT != 0 { Some(u64::from_le_bytes(self.number()?)) } else { None };
        let length = u16::from_le_bytes(self.number()?);
        let bytes = self.bytes(usize::from(length))?;
        let total_bytes = cut.map_or(bytes.len(), |total| usize::try_from(total).unwrap_or(usize::MAX));
        let encoding = if head & BINARY != 0 { Encoding::PgBinary } else { Encoding::Text };
        Some(Parameter::Value { bytes, total_bytes, encoding, type_name })
    }
}

const _: () = assert!(INLINE_BYTES <= u8::MAX as usize && limits::AUDIT_PARAMETER_BYTES <= u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Parameter<'_> {
        Parameter::Value { bytes, total_bytes: bytes.len(), encoding: Encoding::Text, type_name: "" }
    }

    #[test]
    fn every_form_reads_as_it_was_pushed_inside_and_on_the_heap() {
        let forms = [
            Parameter::Null,
            text(b""),
            text(b"123456"),
            Parameter::Value { bytes: b"\0\xff", total_bytes: 2, encoding: Encoding::PgBinary, type_name: "" },
            Parameter::Value { bytes: b"ab", total_bytes: 1 << 33, encoding: Encoding::Text, type_name: "" },
            Parameter::Value { bytes: b"7", total_bytes: 1, encoding: Encoding::Text, type_name: "bigint" },
            Parameter::Value { bytes: b"x", total_bytes: 9, encoding: Encoding::PgBinary, type_name: "blob" },
        ];
        for first in 0..forms.len() {
            for count in 0..20 {
                let expected: Vec<_> = forms.iter().cycle().skip(first).take(count).copied().collect();
                let mut parameters = Parameters::new();
                for parameter in &expected {
                    parameters.push(*parameter);
                }
                assert_eq!(parameters.iter().collect::<Vec<_>>(), expected);
                assert_eq!((parameters.kept(), parameters.total()), (count, count));
                assert_eq!(parameters, parameters.clone());
            }
        }
    }

    #[test]
    fn a_few_short_values_need_no_memory_and_no_value_is_split_by_the_border() {
        let mut parameters = Parameters::new();
        for _ in 0..5 {
            parameters.push(text(b"123456"));
        }
        assert_eq!(parameters.heap_bytes(), 0);
        for length in 0..=limits::AUDIT_PARAMETER_BYTES {
            let value = vec![b'x'; length];
            let mut parameters = Parameters::new();
            parameters.push(text(b"ab"));
            parameters.push(text(&value));
            parameters.push(Parameter::Null);
            assert_eq!(parameters.iter().collect::<Vec<_>>(), [text(b"ab"), text(&value), Parameter::Null]);
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limits_allow_and_the_rest_is_counted() {
        let mut parameters = Parameters::new();
        for _ in 0..1000 {
            parameters.push(text(&[b'x'; 1000]));
        }
        assert_eq!((parameters.kept(), parameters.total()), (limits::AUDIT_PARAMETERS, 1000));
        assert!(parameters.heap_bytes() < 3 * limits::AUDIT_PARAMETERS * limits::AUDIT_PARAMETER_BYTES);
        assert_eq!(parameters.iter().count(), limits::AUDIT_PARAMETERS);
        for parameter in &parameters {
            let Parameter::Value { bytes, total_bytes, .. } = parameter else { panic!("null") };
            assert_eq!((bytes.len(), total_bytes), (limits::AUDIT_PARAMETER_BYTES, 1000));
        }
        let mut parameters = Parameters::new();
        parameters.push(Parameter::Null);
        parameters.raise_total(70);
        assert_eq!((parameters.kept(), parameters.total()), (1, 70));
    }

    #[test]
    fn they_differ_where_a_value_or_the_count_does() {
        let of = |parameters: &[Parameter<'_>]| {
            let mut packed = Parameters::new();
            parameters.iter().for_each(|parameter| packed.push(*parameter));
            packed
        };
        assert_ne!(of(&[text(b"a")]), of(&[text(b"b")]));
        assert_ne!(of(&[]), of(&[Parameter::Null]));
        assert_ne!(of(&[text(b"a"), text(b"b")]), of(&[text(b"ab")]));
        let mut more = of(&[text(b"a")]);
        more.raise_total(2);
        assert_ne!(more, of(&[text(b"a")]));
    }
}
