//! Parameters of COM_STMT_EXECUTE and attributes of COM_QUERY: for the audit, and to find where SQL begins.
//!
//! Attributes stand before the text, so reading them must agree with the server to the byte: what is not
//! certain is malformed, and the statement refused. Parameters are read for the audit alone, as far as they
//! can be.
//!
//! Source: MySQL documentation, "COM_QUERY", "COM_STMT_EXECUTE"; `parse_query_bind_params` in
//! `sql/protocol_classic.cc`; MariaDB Knowledge Base, "COM_STMT_EXECUTE".

use std::collections::BTreeMap;
use std::rc::Rc;

use wire::cursor::{Cursor, Malformed};
use wire::limits;
use wire::parameters::{Parameter, Parameters};
use wire::value::Encoding;

use crate::lenenc;
use crate::value::{self, Form};

/// The bit of a type code that says "no sign".
const UNSIGNED: u16 = 0x8000;

/// Most attributes of a statement, as in the server.
const MOST: u64 = 65_535;

/// Types of parameters, as they were bound last.
pub(crate) type Types = Rc<[u16]>;

/// Reads what stands before the text of a COM_QUERY: the attributes, and how many bytes they take.
///
/// # Errors
/// [`Malformed`] for whatever a server would refuse, and for forms that no client uses.
pub(crate) fn attributes(body: &[u8]) -> Result<(Parameters, usize), Malformed> {
    let what = "query attributes";
    let malformed = Malformed { what };
    let mut cursor = Cursor::new(body);
    let count = lenenc::int(&mut cursor, what)?;
    let sets = lenenc::int(&mut cursor, what)?;
    if sets != 1 || count > MOST {
        return Err(malformed);
    }
    if count == 0 {
        return Ok((Parameters::new(), cursor.position()));
    }
    let count = usize::try_from(count).map_err(|_| malformed)?;
    let nulls = cursor.bytes(count.div_ceil(8), what)?;
    if cursor.u8(what)? != 1 {
        return Err(malformed);
    }
    let types = types(&mut cursor, count, true)?;
    let mut found = Parameters::new();
    for (index, kind) in types.iter().enumerate() {
        match is_null(nulls, index) {
            true => found.push(Parameter::Null),
            false => value(&mut cursor, *kind, &mut found)?,
        }
    }
    Ok((found, cursor.position()))
}

/// What is needed to read the parameters of a COM_STMT_EXECUTE.
pub(crate) struct Binding<'a> {
    /// Parameters of the statement; `None` while the server has not said so (MariaDB's id −1, sent ahead).
    pub(crate) count: Option<usize>,
    /// Query attributes were agreed on: parameters have names, and there may be more of them.
    pub(crate) named: bool,
    /// Types of an earlier execution.
    pub(crate) types: Option<Types>,
    /// Parameters that came by COM_STMT_SEND_LONG_DATA.
    pub(crate) long: &'a BTreeMap<u16, Long>,
}

/// A parameter that comes in pieces ahead of its execution.
#[derive(Debug)]
pub(crate) struct Long {
    /// Up to [`limits::AUDIT_PARAMETER_BYTES`] of it, without a gap.
    kept: Vec<u8>,
    /// Bytes that came.
    total_bytes: usize,
}

impl Long {
    /// One whose first piece has `bytes` bytes and begins with `start`.
    pub(crate) fn new(start: &[u8], bytes: usize) -> Self {
        Self { kept: start.get(..limits::AUDIT_PARAMETER_BYTES).unwrap_or(start).to_vec(), total_bytes: bytes }
    }

    /// The next piece.
    pub(crate) fn append(&mut self, start: &[u8], bytes: usize) {
        // Only pieces without a gap between them are kept.
        if self.total_bytes == self.kept.len() {
            let room = limits::AUDIT_PARAMETER_BYTES.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(start.get(..room).unwrap_or(start));
        }
        self.total_bytes = self.total_bytes.saturating_add(bytes);
    }
}

/// What a COM_STMT_EXECUTE holds.
#[derive(Default)]
pub(crate) struct Bound {
    /// The parameters, as far as they were read.
    pub(crate) parameters: Parameters,
    /// The types, if new ones were sent.
    pub(crate) types: Option<Types>,
}

/// Reads the parameters behind the fixed fields of a COM_STMT_EXECUTE, whose flags said `counted`. What is
/// malformed, or lies past what was gathered, is left out.
pub(crate) fn bound(body: &[u8], counted: bool, binding: &Binding<'_>) -> Bound {
    let mut bound = Bound::default();
    // What was read before an error is kept.
    let _ = read_bound(body, counted, binding, &mut bound);
    bound
}

fn read_bound(body: &[u8], counted: bool, binding: &Binding<'_>, bound: &mut Bound) -> Result<(), Malformed> {
    let what = "parameters";
    let malformed = Malformed { what };
    let mut cursor = Cursor::new(body);
    if binding.named && (binding.count != Some(0) || counted) {
        let sent = lenenc::int(&mut cursor, what)?;
        let count = usize::try_from(sent.min(MOST)).map_err(|_| malformed)?;
        return read_values(cursor.rest(), count, binding, bound).map(|_| ());
    }
    match binding.count.or_else(|| deduced(body, |count, bound| read_values(body, count, binding, bound))) {
        Some(count) => read_values(body, count, binding, bound).map(|_| ()),
        None => Err(malformed),
    }
}

/// The count under which types and values fill a message to its end, where only one does.
fn deduced(body: &[u8], read: impl Fn(usize, &mut Bound) -> Result<usize, Malformed>) -> Option<usize> {
    let fits = |count: &usize| read(*count, &mut Bound::default()).is_ok_and(|bytes| bytes == body.len());
    let mut fitting = (usize::from(!body.is_empty())..=limits::AUDIT_PARAMETERS).filter(fits);
    let found = fitting.next()?;
    fitting.next().is_none().then_some(found)
}

/// Reads the rows of a COM_STMT_BULK_EXECUTE behind its flags, which said `typed`: the values of all rows, one after the
/// other. What has no value (NULL, the column's default, or a column to be left as it is) is NULL here.
pub(crate) fn bulk(body: &[u8], typed: bool, binding: &Binding<'_>) -> Bound {
    let mut bound = Bound::default();
    let count = binding.count.or_else(|| {
        let short = body.len() <= DEDUCED_BYTES;
        let read = |count: usize, bound: &mut Bound| read_rows(body, typed, count, usize::MAX, binding, bound);
        if short { deduced(body, read) } else { None }
    });
    if let Some(count) = count {
        // What was read before an error is kept.
        let _ = read_rows(body, typed, count, limits::AUDIT_PARAMETERS, binding, &mut bound);
    }
    bound
}

/// Longest bulk of a statement whose parameters are not known that is looked at.
const DEDUCED_BYTES: usize = 16 << 10;

/// Reads rows with `count` values each until there are `most` values; returns the bytes that they take.
fn read_rows(
    body: &[u8],
    typed: bool,
    count: usize,
    most: usize,
    binding: &Binding<'_>,
    bound: &mut Bound,
) -> Result<usize, Malformed> {
    let what = "rows of parameters";
    let mut cursor = Cursor::new(body);
    if typed {
        bound.types = Some(types(&mut cursor, count, false)?);
    }
    let types = bound.types.clone().or_else(|| binding.types.clone()).ok_or(Malformed { what })?;
    if count == 0 || types.len() != count || cursor.is_empty() {
        return Err(Malformed { what });
    }
    while !cursor.is_empty() && bound.parameters.total() < most {
        // Of the last row no more than wanted: how many there are in all is not known.
        let wanted = most - bound.parameters.total();
        for kind in types.iter().take(wanted) {
            match cursor.u8(what)? {
                0 => value(&mut cursor, *kind, &mut bound.parameters)?,
                1..=3 => bound.parameters.push(Parameter::Null),
                _ => return Err(Malformed { what }),
            }
        }
    }
    Ok(cursor.position())
}

/// Reads `count` values behind their types; returns the bytes that they take.
fn read_values(body: &[u8], count: usize, binding: &Binding<'_>, bound: &mut Bound) -> Result<usize, Malformed> {
    let what = "parameters";
    let malformed = Malformed { what };
    let mut cursor = Cursor::new(body);
    if count == 0 {
        return Ok(0);
    }
    let nulls = cursor.bytes(count.div_ceil(8), what)?;
    if cursor.u8(what)? != 0 {
        bound.types = Some(types(&mut cursor, count, binding.named)?);
    }
    let types = bound.types.clone().or_else(|| binding.types.clone()).ok_or(malformed)?;
    // Before a value that is not here whole ends the walk: what was not kept is told.
    bound.parameters.raise_total(count);
    for (index, kind) in types.iter().enumerate().take(limits::AUDIT_PARAMETERS) {
        let long = u16::try_from(index).ok().and_then(|index| binding.long.get(&index));
        match long {
            // The servers take long data first, and look at the bit of NULL only without it.
            Some(long) => push(&long.kept, long.total_bytes, *kind, &mut bound.parameters),
            None if is_null(nulls, index) => bound.parameters.push(Parameter::Null),
            None => value(&mut cursor, *kind, &mut bound.parameters)?,
        }
    }
    Ok(cursor.position())
}

fn types(cursor: &mut Cursor<'_>, count: usize, named: bool) -> Result<Types, Malformed> {
    let what = "parameter types";
    let mut types = Vec::with_capacity(count.min(cursor.rest().len() / 2));
    for _ in 0..count {
        types.push(lenenc::u16(cursor, what)?);
        if named {
            lenenc::string(cursor, what)?;
        }
    }
    Ok(types.into())
}

fn is_null(nulls: &[u8], index: usize) -> bool {
    nulls.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
}

/// Reads one value that is not NULL.
fn value(cursor: &mut Cursor<'_>, kind: u16, into: &mut Parameters) -> Result<(), Malformed> {
    let malformed = Malformed { what: "parameter value" };
    let code = u8::try_from(kind & !UNSIGNED).map_err(|_| malformed)?;
    let form = value::form(code, kind & UNSIGNED != 0).ok_or(malformed)?;
    // Servers read lengths of 8 bytes in more than one way.
    if form == Form::Bytes && cursor.rest().first() == Some(&0xfe) {
        return Err(malformed);
    }
    let (prefix, length) = value::field(form, cursor.rest()).ok_or(malformed)?;
    cursor.bytes(prefix, malformed.what)?;
    let bytes = cursor.bytes(length, malformed.what)?;
    match form {
        Form::Bytes => push(bytes, bytes.len(), kind, into),
        _ => {
            let text = value::text(form, bytes).ok_or(malformed)?;
            push(text.as_bytes(), text.len(), kind, into);
        }
    }
    Ok(())
}

/// Adds a value with the name of the type that it was bound with.
fn push(bytes: &[u8], total_bytes: usize, kind: u16, into: &mut Parameters) {
    let code = u8::try_from(kind & !UNSIGNED);
    let type_name = code.map_or("", |code| value::type_name(code, kind & UNSIGNED != 0));
    into.push(Parameter::Value { bytes, total_bytes, encoding: Encoding::Text, type_name });
}

/// Bytes that parameters hold until they are reported.
pub(crate) fn weight(parameters: &Parameters) -> u64 {
    u64::try_from(size_of::<Parameters>() + parameters.heap_bytes()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parameters: &Parameters) -> Vec<String> {
        parameters
            .iter()
            .map(|parameter| match parameter {
                Parameter::Null => "NULL".into(),
                Parameter::Value { bytes, total_bytes, .. } => {
                    format!("{}/{total_bytes}", String::from_utf8_lossy(bytes))
                }
            })
            .collect()
    }

    #[test]
    fn attributes_end_where_the_text_begins() {
        assert_eq!(attributes(b"\0\x01SELECT 1").unwrap(), (Parameters::new(), 2));
        let body = b"\x02\x01\x02\x01\x08\0\x02n1\xfe\0\x02n2\x05\0\0\0\0\0\0\0SELECT 1";
        let (found, end) = attributes(body).unwrap();
        assert_eq!(shown(&found), ["5/1", "NULL"]);
        assert_eq!(&body[end..], b"SELECT 1");
    }

    #[test]
    fn attributes_that_a_server_might_read_otherwise_are_malformed() {
        for bad in [
            &b"SELECT 1"[..],
            b"\0\x02SELECT 1",
            b"\xfb\x01SELECT",
            b"\x01\x01\0\0\x08\0\x01nSELECT 1",
            b"\x01\x01\0\x01\x42\0\x01nSELECT 1",
            b"\x01\x01\0\x01\x06\0\x01nSELECT 1",
            b"\x01\x01\0\x01\xfe\0\x01n\xfe\x01\0\0\0\0\0\0\0xSELECT 1",
            b"\xfd\0\0\x01\x01",
            b"",
        ] {
            assert!(attributes(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parameters_are_read_by_new_and_by_remembered_types() {
        let long = BTreeMap::from([(2, Long::new(b"long", 4000))]);
        let binding = |types| Binding { count: Some(4), named: false, types, long: &long };
        let body = b"\x02\x01\x08\x80\xfd\0\xfc\0\x0a\0\xff\xff\xff\xff\xff\xff\xff\xff\x04\xda\x07\x0a\x11";
        let first = bound(body, false, &binding(None));
        assert_eq!(shown(&first.parameters), ["18446744073709551615/20", "NULL", "long/4000", "2010-10-17/10"]);
        let first_types = first.types.clone();
        let again = bound(b"\x0a\0\x01\0\0\0\0\0\0\0", false, &binding(first.types));
        assert_eq!(shown(&again.parameters), ["1/1", "NULL", "long/4000", "NULL"]);
        assert!(bound(b"\0\0\x01", false, &binding(None)).parameters == Parameters::new());
        let cut = bound(&body[..12], false, &binding(None));
        assert_eq!((cut.parameters.kept(), cut.parameters.total()), (0, 4));
        let marked = bound(b"\x0e\0\x01\0\0\0\0\0\0\0", false, &binding(again.types.or(first_types)));
        assert_eq!(
            shown(&marked.parameters),
            ["1/1", "NULL", "long/4000", "NULL"],
            "long data goes before its bit of NULL"
        );
    }

    #[test]
    fn named_parameters_bring_their_count() {
        let body = b"\x02\0\x01\xfd\0\0\xfd\0\x01q\x01a\x01b";
        let found = bound(body, true, &Binding { count: Some(1), named: true, types: None, long: &BTreeMap::new() });
        assert_eq!(shown(&found.parameters), ["a/1", "b/1"]);
    }

    #[test]
    fn a_statement_that_is_not_prepared_yet_tells_its_parameters_by_the_message_alone() {
        let none = BTreeMap::new();
        let unknown = Binding { count: None, named: false, types: None, long: &none };
        let body = b"\x04\x01\xfd\0\x03\0\xfd\0\x03abc\x07\0\0\0";
        assert_eq!(shown(&bound(body, false, &unknown).parameters), ["abc/3", "7/1", "NULL"]);
        assert!(bound(b"", false, &unknown).parameters == Parameters::new());
        assert!(bound(&body[..body.len() - 1], false, &unknown).parameters == Parameters::new());
        let rows = b"\xfd\0\x03\0\0\x01a\0\x01\0\0\0\x01\x02";
        assert_eq!(shown(&bulk(rows, true, &unknown).parameters), ["a/1", "1/1", "NULL", "NULL"]);
    }

    #[test]
    fn rows_of_a_bulk_are_read_by_new_and_by_remembered_types() {
        let none = BTreeMap::new();
        let binding = |types| Binding { count: Some(2), named: false, types, long: &none };
        let rows = b"\x03\0\xfd\0\0\x01\0\0\0\0\x03one\0\x02\0\0\0\x01\x02\0\x05three";
        let first = bulk(rows, true, &binding(None));
        assert_eq!(shown(&first.parameters), ["1/1", "one/3", "2/1", "NULL", "NULL", "three/5"]);
        let again = bulk(&rows[4..], false, &binding(first.types));
        assert_eq!(again.parameters, first.parameters);
        assert_eq!(shown(&bulk(&rows[..14], true, &binding(None)).parameters), ["1/1", "one/3"]);
        assert!(bulk(b"\0", false, &binding(None)).parameters == Parameters::new());
        let many = [&b"\x01\0\x01\0"[..], &[0; 4 * 200]].concat();
        assert_eq!(bulk(&many, true, &binding(None)).parameters.kept(), limits::AUDIT_PARAMETERS);
    }
}
