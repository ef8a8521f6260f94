//! Reading and writing single values of the types that masks compute with.
//!
//! Each reader takes any bytes and gives `None` for those that are no value of the type; each writer gives
//! `None` for a value that the type does not hold. Sources of the binary forms: the types' `send` functions
//! in PostgreSQL's `utils/adt`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wire::value::{Encoding, ValueType};

use super::calendar::{
    Moment, date_from_binary, date_text, date_to_binary, moment_from_binary, moment_text, moment_to_binary, read_date,
    read_moment,
};
use super::decimal::Decimal;
use super::value::Shape;

/// The text of an integer or UUID.
pub(crate) fn written(value_type: ValueType, encoding: Encoding, cell: &[u8]) -> Option<Vec<u8>> {
    match (Form::of(encoding)?, value_type) {
        (Form::Text, _) => Some(cell.to_vec()),
        (form, ValueType::Uuid) => read_uuid(form, cell).map(|uuid| write_uuid(Form::Text, uuid)),
        (form, _) => read_integer(value_type, form, cell).map(|value| value.to_string().into_bytes()),
    }
}

/// The two encodings that masks compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Binary,
    Text,
}

impl Form {
    pub(super) fn of(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::Text => Some(Self::Text),
            Encoding::PgBinary => Some(Self::Binary),
            _ => None,
        }
    }
}

/// Reads an `int2`, `int4`, `int8` or `oid`.
pub(super) fn read_integer(value_type: ValueType, form: Form, cell: &[u8]) -> Option<i64> {
    match (form, value_type) {
        (Form::Text, _) => core::str::from_utf8(cell).ok()?.parse().ok(),
        (Form::Binary, ValueType::Int2) => Some(i16::from_be_bytes(cell.try_into().ok()?).into()),
        (Form::Binary, ValueType::Int4) => Some(i32::from_be_bytes(cell.try_into().ok()?).into()),
        (Form::Binary, ValueType::Oid) => Some(u32::from_be_bytes(cell.try_into().ok()?).into()),
        (Form::Binary, _) => Some(i64::from_be_bytes(cell.try_into().ok()?)),
    }
}

/// Writes an `int2`, `int4`, `int8` or `oid`.
pub(super) fn write_integer(value_type: ValueType, form: Form, value: i64) -> Option<Vec<u8>> {
    let binary = match value_type {
        ValueType::Int2 => i16::try_from(value).ok()?.to_be_bytes().to_vec(),
        ValueType::Int4 => i32::try_from(value).ok()?.to_be_bytes().to_vec(),
        ValueType::Oid => u32::try_from(value).ok()?.to_be_bytes().to_vec(),
        _ => value.to_be_bytes().to_vec(),
    };
    Some(if form == Form::Binary { binary } else { value.to_string().into_bytes() })
}

/// Reads a `numeric`.
pub(super) fn read_decimal(form: Form, cell: &[u8]) -> Option<Decimal> {
    if form == Form::Binary { Decimal::from_binary(cell) } else { Decimal::from_text(cell) }
}

/// Writes a `numeric`.
pub(super) fn write_decimal(form: Form, value: &Decimal) -> Vec<u8> {
    if form == Form::Binary { value.to_binary() } else { value.to_text() }
}

/// Reads a finite `float4` or `float8`.
pub(super) fn read_float(value_type: ValueType, form: Form, cell: &[u8]) -> Option<f64> {
    let single = value_type == ValueType::Float4;
    let value = match form {
        Form::Text if single => f64::from(core::str::from_utf8(cell).ok()?.parse::<f32>().ok()?),
        Form::Text => core::str::from_utf8(cell).ok()?.parse().ok()?,
        Form::Binary if single => f64::from(f32::from_be_bytes(cell.try_into().ok()?)),
        Form::Binary => f64::from_be_bytes(cell.try_into().ok()?),
    };
    value.is_finite().then_some(value)
}

/// Writes a finite `float4` or `float8`; the smaller type rounds.
pub(super) fn write_float(value_type: ValueType, form: Form, value: f64) -> Option<Vec<u8>> {
    if value_type == ValueType::Float4 {
        #[expect(clippy::cast_possible_truncation, reason = "rounding to the type's precision is meant")]
        let value = value as f32;
        let bytes = if form == Form::Binary { value.to_be_bytes().to_vec() } else { value.to_string().into_bytes() };
        return value.is_finite().then_some(bytes);
    }
    let bytes = if form == Form::Binary { value.to_be_bytes().to_vec() } else { value.to_string().into_bytes() };
    value.is_finite().then_some(bytes)
}

/// Reads a `date`.
pub(super) fn read_day(form: Form, cell: &[u8]) -> Option<i64> {
    if form == Form::Binary { date_from_binary(cell) } else { read_date(cell) }
}

/// Writes a `date`.
pub(super) fn write_day(form: Form, day: i64) -> Option<Vec<u8>> {
    match form {
        Form::Binary => date_to_binary(day).map(Vec::from),
        Form::Text => date_text(day).map(String::into_bytes),
    }
}

/// Reads a `timestamp` or `timestamptz`.
pub(super) fn read_timestamp(form: Form, cell: &[u8]) -> Option<Moment> {
    if form == Form::Binary { moment_from_binary(cell) } else { read_moment(cell) }
}

/// Writes a `timestamp` or `timestamptz`.
pub(super) fn write_timestamp(form: Form, moment: Moment) -> Option<Vec<u8>> {
    match form {
        Form::Binary => moment_to_binary(moment).map(Vec::from),
        Form::Text => moment_text(moment).map(String::into_bytes),
    }
}

/// Reads a `uuid`.
pub(super) fn read_uuid(form: Form, cell: &[u8]) -> Option<[u8; 16]> {
    if form == Form::Binary {
        return cell.try_into().ok();
    }
    let digits: Vec<u8> = cell.iter().copied().filter(|byte| *byte != b'-').collect();
    from_hexadecimal(&digits)?.try_into().ok()
}

/// Writes a `uuid`.
pub(super) fn write_uuid(form: Form, value: [u8; 16]) -> Vec<u8> {
    if form == Form::Binary {
        return value.to_vec();
    }
    let digits = hexadecimal(&value);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join(&b'-')
}

/// Reads a `bytea`; its older text form writes single bytes as `\ooo` and a backslash twice.
pub(super) fn read_bytes(form: Form, cell: &[u8]) -> Option<Vec<u8>> {
    if form == Form::Binary {
        return Some(cell.to_vec());
    }
    if let Some(digits) = cell.strip_prefix(b"\\x") {
        return from_hexadecimal(digits);
    }
    let mut bytes = Vec::with_capacity(cell.len());
    let mut rest = cell;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            (b'\\', _) => return None,
            _ => {
                bytes.push(byte);
                after
            }
        };
    }
    Some(bytes)
}

/// Writes a `bytea`.
pub(super) fn write_bytes(form: Form, value: &[u8]) -> Vec<u8> {
    if form == Form::Binary { value.to_vec() } else { [b"\\x", &hexadecimal(value)[..]].concat() }
}

/// PostgreSQL's numbers of the address families.
const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 3;

/// Reads an `inet` or `cidr`: address and length of the network's prefix.
pub(super) fn read_address(form: Form, cell: &[u8]) -> Option<(IpAddr, u8)> {
    if form == Form::Binary {
        let (&[family, bits, _, _], address) = cell.split_first_chunk::<4>()?;
        return match family {
            FAMILY_IPV4 => Some((IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)), bits)),
            FAMILY_IPV6 => Some((IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)), bits)),
            _ => None,
        };
    }
    let text = core::str::from_utf8(cell).ok()?;
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    (bits <= most).then_some((address, bits))
}

/// Writes the `inet` or `cidr` of one address alone.
pub(super) fn write_address(value_type: ValueType, form: Form, address: IpAddr) -> Vec<u8> {
    let network = value_type == ValueType::Cidr;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    if form == Form::Text {
        let suffix = if network { format!("/{bits}") } else { String::new() };
        return format!("{address}{suffix}").into_bytes();
    }
    let network = u8::from(network);
    match address {
        IpAddr::V4(address) => [&[FAMILY_IPV4, bits, network, 4][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[FAMILY_IPV6, bits, network, 16][..], &address.octets()].concat(),
    }
}

/// A JSON string as a `json` or `jsonb`. `content` is escaped already.
pub(super) fn write_json_string(value_type: ValueType, form: Form, content: &[u8]) -> Vec<u8> {
    let version: &[u8] = if value_type == ValueType::Jsonb && form == Form::Binary { b"\x01" } else { b"" };
    [version, b"\"", content, b"\""].concat()
}

/// The text of a `json` or `jsonb`.
pub(super) fn json_text(shape: Shape, cell: &[u8]) -> Option<&[u8]> {
    let versioned = shape.value_type == ValueType::Jsonb && shape.encoding == Encoding::PgBinary;
    if versioned { cell.strip_prefix(b"\x01") } else { Some(cell) }
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

fn from_hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    if odd.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_text_forms_of_bytes_are_read() {
        let read = |text: &[u8]| read_bytes(Form::Text, text);
        assert_eq!(read(br"\x00ff7a"), Some(vec![0, 255, b'z']));
        assert_eq!(read(br"a\\b\377c"), Some(b"a\\b\xffc".to_vec()));
        for broken in [&br"\x0"[..], br"\xzz", br"a\b", br"\400", br"\"] {
            assert_eq!(read(broken), None);
        }
    }

    #[test]
    fn addresses_are_read_with_and_without_a_prefix_length() {
        for (text, bits) in [("10.0.0.1", 32), ("10.0.0.1/24", 24), ("fe80::1", 128), ("fe80::/64", 64)] {
            let (address, read) = read_address(Form::Text, text.as_bytes()).unwrap();
            assert_eq!(read, bits);
            let binary = write_address(ValueType::Inet, Form::Binary, address);
            assert_eq!(read_address(Form::Binary, &binary).unwrap().0, address);
        }
        for broken in ["", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "fe80::1/129"] {
            assert_eq!(read_address(Form::Text, broken.as_bytes()), None, "{broken}");
        }
    }
}
