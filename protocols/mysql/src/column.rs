//! Column definitions into neutral columns.
//!
//! A definition names where its column comes from: `schema`, `org_table` and `org_name`, empty where it is
//! computed. It may assume a whole message; it must never trust a length inside it.
//!
//! Source: MySQL documentation, "Protocol::ColumnDefinition41"; MariaDB Knowledge Base, "Result Set Packets"
//! for the extended metadata.

use wire::cursor::{Cursor, Malformed};
use wire::value::{Column, Encoding, NamedOrigin, Origin, ValueType};

use crate::lenenc;
use crate::value::{self, Form};

/// Flag of a column without a sign.
const UNSIGNED: u16 = 0x20;

/// One column, and how its values lie in a binary row.
pub(crate) struct Definition {
    pub(crate) column: Column,
    /// `None` for a type that is not known: its binary rows cannot be walked.
    pub(crate) form: Option<Form>,
}

/// Reads a definition. `extended`: MariaDB's extended metadata was agreed on.
///
/// # Errors
/// [`Malformed`] when its inside does not fit it.
pub(crate) fn parse(payload: &[u8], extended: bool) -> Result<Definition, Malformed> {
    let what = "column definition";
    let mut cursor = Cursor::new(payload);
    lenenc::string(&mut cursor, what)?;
    let schema = lenenc::string(&mut cursor, what)?;
    lenenc::string(&mut cursor, what)?;
    let org_table = lenenc::string(&mut cursor, what)?;
    let name = lenenc::string(&mut cursor, what)?;
    let org_name = lenenc::string(&mut cursor, what)?;
    let metadata = if extended { lenenc::string(&mut cursor, what)? } else { &[] };
    if lenenc::int(&mut cursor, what)? < 12 {
        return Err(Malformed { what });
    }
    let charset = lenenc::u16(&mut cursor, what)?;
    lenenc::u32(&mut cursor, what)?;
    let kind = cursor.u8(what)?;
    let flags = lenenc::u16(&mut cursor, what)?;
    cursor.u8(what)?;
    let unsigned = flags & UNSIGNED != 0;
    let (value_type, encoding) = refined(value::neutral(kind, charset, unsigned), metadata);
    let text = |bytes: &[u8]| -> Box<str> { String::from_utf8_lossy(bytes).into() };
    let origin = if org_table.is_empty() || org_name.is_empty() {
        Origin::None
    } else {
        Origin::Named(Box::new(NamedOrigin { schema: text(schema), relation: text(org_table), column: text(org_name) }))
    };
    let column = Column { name: text(name), origin, value_type, encoding };
    Ok(Definition { column, form: value::form(kind, unsigned) })
}

/// MariaDB sends JSON, UUID and addresses as strings and says so beside them.
fn refined(plain: (ValueType, Encoding), metadata: &[u8]) -> (ValueType, Encoding) {
    let mut cursor = Cursor::new(metadata);
    while !cursor.is_empty() {
        let Ok(_kind) = cursor.u8("kind") else { break };
        let Ok(name) = lenenc::string(&mut cursor, "name") else { break };
        match name {
            b"json" => return (ValueType::Json, Encoding::Text),
            b"uuid" => return (ValueType::Uuid, Encoding::Text),
            b"inet4" | b"inet6" => return (ValueType::Inet, Encoding::Text),
            _ => {}
        }
    }
    plain
}

/// What a definition costs while its result is read.
pub(crate) fn weight(column: &Column) -> usize {
    let origin = match &column.origin {
        Origin::Named(names) => names.schema.len() + names.relation.len() + names.column.len(),
        _ => 0,
    };
    size_of::<Column>() + column.name.len() + origin
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constant::column;

    fn definition(kind: u8, metadata: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        for field in [&b"def"[..], b"shop", b"c", b"customers", b"shown", b"card"] {
            lenenc::push_string(&mut out, field);
        }
        if let Some(metadata) = metadata {
            lenenc::push_string(&mut out, metadata);
        }
        out.extend_from_slice(&[12, 45, 0, 255, 0, 0, 0, kind, 0x20, 0, 0, 0, 0]);
        out
    }

    #[test]
    fn a_definition_names_origin_and_type() {
        let found = parse(&definition(column::LONGLONG, None), false).unwrap();
        assert_eq!(&*found.column.name, "shown");
        let names = NamedOrigin { schema: "shop".into(), relation: "customers".into(), column: "card".into() };
        assert_eq!(found.column.origin, Origin::Named(Box::new(names)));
        assert_eq!(found.column.value_type, ValueType::Int8);
        assert_eq!(found.form, Some(Form::Int { bytes: 8, unsigned: true }));
    }

    #[test]
    fn extended_metadata_refines_the_type() {
        let bytes = definition(column::BLOB, Some(b"\x01\x04json"));
        assert_eq!(parse(&bytes, true).unwrap().column.value_type, ValueType::Json);
        assert_eq!(
            parse(&definition(column::STRING, Some(b"\0\x04uuid")), true).unwrap().column.value_type,
            ValueType::Uuid
        );
        assert_eq!(parse(&definition(column::STRING, Some(b"")), true).unwrap().column.value_type, ValueType::Text);
    }

    #[test]
    fn every_truncation_is_malformed() {
        let bytes = definition(column::STRING, None);
        // The two reserved bytes at the end say nothing.
        for end in 0..bytes.len() - 2 {
            assert!(parse(&bytes[..end], false).is_err(), "{end}");
        }
    }
}
