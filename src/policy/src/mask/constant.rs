//! A value that the rule gives in place of each, written as the column's type writes it.
//!
//! The rule has a text; a column of a type that this text is no value of does not take it, and the caller
//! redacts. Arrays, composites, ranges and the types whose text depends on the server's locale take none.

use core::net::IpAddr;

use wire::value::ValueType;

use super::calendar::read_moment;
use super::decimal::Decimal;
use super::scalar::{
    Form, read_bytes, read_day, read_uuid, write_address, write_bytes, write_day, write_decimal, write_float,
    write_integer, write_json_string, write_timestamp, write_uuid,
};
use super::value::{Shape, has_zone};

/// The constant as a value of the column's type. `cell`, the value that it replaces, only says whether
/// moments are written with a zone.
pub(super) fn constant(shape: Shape, value: &str, cell: &[u8]) -> Option<Vec<u8>> {
    use ValueType as T;
    let form = Form::of(shape.encoding)?;
    let bytes = value.as_bytes();
    let value_type = shape.value_type;
    match value_type {
        T::Text => Some(bytes.to_vec()),
        T::Unknown if form == Form::Text => Some(bytes.to_vec()),
        T::Int2 | T::Int4 | T::Int8 | T::Oid => write_integer(value_type, form, value.parse().ok()?)
            .filter(|_| value_type != T::Oid || !value.starts_with('-')),
        T::Numeric => Decimal::from_text(bytes).map(|value| write_decimal(form, &value)),
        T::Float4 | T::Float8 => write_float(value_type, form, value.parse().ok()?),
        T::Bool => truth(value, form),
        T::Bytes => {
            let bytes = if value.starts_with("\\x") { read_bytes(Form::Text, bytes)? } else { bytes.to_vec() };
            Some(write_bytes(form, &bytes))
        }
        T::Uuid => read_uuid(Form::Text, bytes).map(|value| write_uuid(form, value)),
        T::Date => read_day(Form::Text, bytes).and_then(|day| write_day(form, day)),
        T::Timestamp => {
            let mut moment = read_moment(bytes)?;
            moment.zoned = has_zone(cell);
            write_timestamp(form, moment)
        }
        T::Time | T::Timetz => time(value_type, form, value),
        T::Cidr | T::Inet => value.parse::<IpAddr>().ok().map(|address| write_address(value_type, form, address)),
        T::Json | T::Jsonb => Some(write_json_string(value_type, form, &json_escaped(value))),
        _ => None,
    }
}

fn truth(value: &str, form: Form) -> Option<Vec<u8>> {
    let truth = match value {
        "t" | "true" => true,
        "f" | "false" => false,
        _ => return None,
    };
    Some(match form {
        Form::Binary => vec![u8::from(truth)],
        Form::Text => vec![if truth { b't' } else { b'f' }],
    })
}

/// A time of day; one with a zone is in UTC.
fn time(value_type: ValueType, form: Form, value: &str) -> Option<Vec<u8>> {
    let moment = read_moment(format!("2000-01-01 {value}").as_bytes()).filter(|moment| !moment.zoned)?;
    let zoned = value_type == ValueType::Timetz;
    Some(match form {
        Form::Binary => {
            let zone: &[u8] = if zoned { &[0; 4] } else { &[] };
            [&moment.micros.to_be_bytes()[..], zone].concat()
        }
        Form::Text => format!("{value}{}", if zoned { "+00" } else { "" }).into_bytes(),
    })
}

/// The content of a JSON string (RFC 8259, section 7).
pub(crate) fn json_escaped(value: &str) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => escaped.extend_from_slice(&[b'\\', byte]),
            0..b' ' => escaped.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => escaped.push(byte),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use wire::value::Encoding;

    use super::super::number::numeric_binary;
    use super::*;

    fn as_text(value_type: ValueType, value: &str) -> Option<String> {
        let shape = Shape { value_type, encoding: Encoding::Text, nullable: true };
        constant(shape, value, b"1984-05-06 07:08:09+02").map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_constant_is_written_as_its_type_writes_it() {
        use ValueType as T;
        for (value_type, value, written) in [
            (T::Text, "not shown", "not shown"),
            (T::Text, "", ""),
            (T::Unknown, "sad", "sad"),
            (T::Int2, "-7", "-7"),
            (T::Int8, "+5", "5"),
            (T::Numeric, "0.00", "0.00"),
            (T::Float8, "1.5", "1.5"),
            (T::Bool, "true", "t"),
            (T::Bytes, "ab", r"\x6162"),
            (T::Bytes, r"\x0a", r"\x0a"),
            (T::Uuid, "123E4567E89B12D3A456426614174000", "123e4567-e89b-12d3-a456-426614174000"),
            (T::Date, "1970-01-01", "1970-01-01"),
            (T::Timestamp, "1970-01-01", "1970-01-01 00:00:00+00"),
            (T::Time, "12:00:00", "12:00:00"),
            (T::Timetz, "12:00:00", "12:00:00+00"),
            (T::Inet, "192.0.2.1", "192.0.2.1"),
            (T::Cidr, "2001:db8::1", "2001:db8::1/128"),
            (T::Json, "a \"b\"\n", "\"a \\\"b\\\"\\u000a\""),
        ] {
            assert_eq!(as_text(value_type, value).as_deref(), Some(written), "{value_type:?}");
        }
        let binary = |value_type, value| {
            constant(Shape { value_type, encoding: Encoding::PgBinary, nullable: true }, value, b"").unwrap()
        };
        assert_eq!(binary(T::Int4, "7"), 7i32.to_be_bytes());
        assert_eq!(binary(T::Numeric, "-12.50"), numeric_binary("-12.50"));
        assert_eq!(binary(T::Date, "2000-01-03"), 2i32.to_be_bytes());
        assert_eq!(binary(T::Jsonb, "x"), b"\x01\"x\"");
        assert_eq!(binary(T::Timetz, "00:00:01"), [&1_000_000i64.to_be_bytes()[..], &[0; 4]].concat());
        assert_eq!(binary(T::Inet, "192.0.2.1"), [2, 32, 0, 4, 192, 0, 2, 1]);
    }

    #[test]
    fn a_type_that_the_text_is_no_value_of_does_not_take_it() {
        use ValueType as T;
        for (value_type, value) in [
            (T::Int2, "40000"),
            (T::Int4, "n/a"),
            (T::Oid, "-1"),
            (T::Numeric, "n/a"),
            (T::Float4, "inf"),
            (T::Bool, "maybe"),
            (T::Uuid, "0"),
            (T::Date, "01.01.1970"),
            (T::Time, "noon"),
            (T::Inet, "localhost"),
            (T::Array, "{}"),
            (T::Composite, "()"),
            (T::Money, "0"),
        ] {
            assert_eq!(as_text(value_type, value), None, "{value_type:?}");
        }
    }
}
