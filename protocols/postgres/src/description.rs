//! RowDescription into columns, and the result formats of a portal.
//!
//! A description names each column's origin, type and format. After Describe of a *statement* the formats
//! are not known yet and are sent as zero; the portal's Bind decides them (PostgreSQL manual, "Message
//! Formats", RowDescription and Bind). It may assume a whole frame body; it must never trust its counts.

use wire::cursor::{Cursor, Malformed};
use wire::value::{Column, Encoding, Origin};

use crate::types;

/// The result formats that a Bind asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Formats {
    /// Every column in this format.
    All(Encoding),
    /// One format for each column.
    Each(Box<[Encoding]>),
}

impl Formats {
    /// From the list of codes at the end of Bind: none means text, one counts for all columns.
    pub(crate) fn from_codes(codes: &[Encoding]) -> Self {
        match codes {
            [] => Self::All(Encoding::Text),
            [first, rest @ ..] if rest.iter().all(|code| code == first) && rest.is_empty() => Self::All(*first),
            _ => Self::Each(codes.into()),
        }
    }

    /// The format of one column; `None` when the list is too short for it, which the server refuses.
    pub(crate) fn of(&self, column: usize) -> Option<Encoding> {
        match self {
            Self::All(encoding) => Some(*encoding),
            Self::Each(list) => list.get(column).copied(),
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::All(_) => 0,
            Self::Each(list) => list.len(),
        }
    }
}

/// What a format code means: zero is text, one is binary, others do not exist.
pub(crate) fn encoding(code: i16) -> Result<Encoding, Malformed> {
    match code {
        0 => Ok(Encoding::Text),
        1 => Ok(Encoding::PgBinary),
        _ => Err(Malformed { what: "format code" }),
    }
}

/// The columns of a RowDescription.
///
/// # Errors
/// [`Malformed`] when the body does not hold what its count promises, or holds more.
pub(crate) fn columns(body: &[u8]) -> Result<Vec<Column>, Malformed> {
    let mut cursor = Cursor::new(body);
    let count = usize::from(cursor.u16("RowDescription column count")?);
    let mut columns = Vec::with_capacity(count.min(body.len() / 19 + 1));
    for _ in 0..count {
        columns.push(column(&mut cursor)?);
    }
    if !cursor.is_empty() {
        return Err(Malformed { what: "RowDescription end" });
    }
    Ok(columns)
}

fn column(cursor: &mut Cursor<'_>) -> Result<Column, Malformed> {
    let name = cursor.cstr("RowDescription column name")?;
    let relation = cursor.u32("RowDescription table")?;
    let number = cursor.i16("RowDescription column number")?;
    let oid = cursor.u32("RowDescription type")?;
    cursor.bytes(6, "RowDescription type size and modifier")?;
    let format = cursor.i16("RowDescription format")?;
    let origin = if relation == 0 || number == 0 { Origin::None } else { Origin::Attribute { relation, number } };
    Ok(Column {
        name: String::from_utf8_lossy(name).into(),
        origin,
        value_type: types::value_type(oid),
        encoding: encoding(format)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::value::ValueType;

    #[test]
    fn a_description_names_origin_type_and_format() {
        let body = b"\0\x02id\0\0\0\x40\0\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        let columns = columns(body).unwrap();
        assert_eq!(columns[0].origin, Origin::Attribute { relation: 16_384, number: 1 });
        assert_eq!(columns[0].value_type, ValueType::Int4);
        assert_eq!(columns[0].encoding, Encoding::PgBinary);
        assert_eq!(&*columns[1].name, "?column?");
        assert_eq!(columns[1].origin, Origin::None);
        assert_eq!(columns[1].encoding, Encoding::Text);
    }

    #[test]
    fn a_description_that_lies_about_itself_is_malformed() {
        assert!(columns(b"").is_err());
        assert!(columns(b"\0\x01").is_err());
        assert!(columns(b"\0\0x").is_err());
        assert!(columns(b"\xff\xffid\0").is_err());
    }

    #[test]
    fn formats_count_for_none_all_or_each_column() {
        use Encoding::{PgBinary, Text};
        assert_eq!(Formats::from_codes(&[]).of(9), Some(Text));
        assert_eq!(Formats::from_codes(&[PgBinary]).of(9), Some(PgBinary));
        let each = Formats::from_codes(&[Text, PgBinary]);
        assert_eq!((each.of(0), each.of(1), each.of(2)), (Some(Text), Some(PgBinary), None));
    }
}
