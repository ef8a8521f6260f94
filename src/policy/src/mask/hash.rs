//! A keyed hash in place of a value, of the value's own type.
//!
//! The same value gives the same hash under the same key, in text and in binary, so that what was equal can
//! still be joined, grouped and counted. Numbers of all exact types share a class: an `int8` and a `numeric`
//! that are equal have equal hashes; narrower integers have fewer bits for theirs. Text and JSON strings
//! share one too. Blanks at the end do not count, because `char(n)` has them and `text` has not.
//!
//! What a narrow type holds is a narrow hash: 15 bits for `int2` collide within a few hundred values. A hash
//! keeps which values are equal and how often; where that says too much, `redact` is the method.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wire::value::ValueType;

use super::calendar::{Moment, first_day};
use super::decimal::Decimal;
use super::key::{Class, HASH_BYTES, HashKey};
use super::scalar::{
    Form, hexadecimal, json_text, read_address, read_bytes, read_day, read_decimal, read_float, read_integer,
    read_timestamp, read_uuid, write_address, write_bytes, write_day, write_decimal, write_float, write_integer,
    write_json_string, write_timestamp, write_uuid,
};
use super::value::{Shape, is_text};

/// Bytes of the hash that stand in a text, as twice as many hexadecimal digits: 128 bits meet by chance once
/// in 2^64 values.
const TEXT_BYTES: usize = 16;

/// The whole numbers that an `int8` and a `numeric` alike can hold: 18 digits.
const NUMBERS: u64 = 1_000_000_000_000_000_000;

/// Days of the years 1900 to 2099, in which hashed dates lie.
const DAYS: u64 = 73_049;

const DAY_SECONDS: u64 = 86_400;

/// The hash of a whole value; `None` where the type has none, the bytes are no value of it, or the key is
/// not known.
pub(super) fn hashed(shape: Shape, key: &HashKey, cell: &[u8]) -> Option<Vec<u8>> {
    use ValueType as T;
    let form = Form::of(shape.encoding)?;
    let value_type = shape.value_type;
    Some(match value_type {
        T::Text => hashed_text(key, cell)?,
        T::Unknown if form == Form::Text || is_text(cell) => hashed_text(key, cell)?,
        T::Int2 | T::Int4 | T::Int8 | T::Oid => {
            let value = read_integer(value_type, form, cell)?;
            let hash = number(&key.hash(Class::Number, value.to_string().as_bytes())?);
            let limit = match value_type {
                T::Int2 => 1 << 15,
                T::Int4 | T::Oid => 1 << 31,
                _ => NUMBERS,
            };
            write_integer(value_type, form, i64::try_from(hash % limit).ok()?)?
        }
        T::Numeric => {
            let hash = key.hash(Class::Number, &read_decimal(form, cell)?.canonical())?;
            write_decimal(form, &Decimal::whole(false, u128::from(number(&hash) % NUMBERS), 0))
        }
        T::Float4 | T::Float8 => {
            // 0 and -0 are equal.
            let value = read_float(value_type, form, cell)? + 0.0;
            let hash = number(&key.hash(Class::Float, &value.to_be_bytes())?);
            // Whole numbers that the type holds exactly.
            let limit = if value_type == T::Float4 { 1 << 24 } else { 1 << 53 };
            #[expect(clippy::cast_precision_loss, reason = "below the limit each whole number is exact")]
            let hash = (hash % limit) as f64;
            write_float(value_type, form, hash)?
        }
        T::Bytes => write_bytes(form, &key.hash(Class::Bytes, &read_bytes(form, cell)?)?),
        T::Uuid => {
            let hash = key.hash(Class::Uuid, &read_uuid(form, cell)?)?;
            let mut uuid = *hash.first_chunk::<16>()?;
            // RFC 9562: version 8 is for what the maker defines, variant 10.
            uuid[6] = uuid[6] & 0x0f | 0x80;
            uuid[8] = uuid[8] & 0x3f | 0x80;
            write_uuid(form, uuid)
        }
        T::Date => {
            let hash = number(&key.hash(Class::Date, &read_day(form, cell)?.to_be_bytes())?);
            write_day(form, day(hash))?
        }
        T::Timestamp => {
            let moment = read_timestamp(form, cell)?;
            let value = [moment.day.to_be_bytes(), moment.micros.to_be_bytes()].concat();
            let hash = number(&key.hash(Class::Moment, &value)?);
            let second = i64::try_from(hash / DAYS % DAY_SECONDS).ok()?;
            write_timestamp(form, Moment { day: day(hash), micros: second * 1_000_000, zoned: moment.zoned })?
        }
        T::Cidr | T::Inet => {
            let (address, bits) = read_address(form, cell)?;
            write_address(value_type, form, hashed_address(key, address, bits)?)
        }
        T::Json | T::Jsonb => {
            let text = json_text(shape, cell)?;
            let content = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
            let hash = match content.filter(|content| !content.iter().any(|byte| b"\"\\".contains(byte))) {
                Some(content) => hashed_text(key, content)?,
                None => text_of(&key.hash(Class::Json, text)?),
            };
            write_json_string(value_type, form, &hash)
        }
        _ => return None,
    })
}

fn hashed_text(key: &HashKey, text: &[u8]) -> Option<Vec<u8>> {
    let blanks = text.iter().rev().take_while(|byte| **byte == b' ').count();
    key.hash(Class::Text, &text[..text.len() - blanks]).map(|hash| text_of(&hash))
}

fn text_of(hash: &[u8; HASH_BYTES]) -> Vec<u8> {
    hexadecimal(&hash[..TEXT_BYTES])
}

fn number(hash: &[u8; HASH_BYTES]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn day(hash: u64) -> i64 {
    first_day(1900) + i64::try_from(hash % DAYS).unwrap_or(0)
}

/// An address of the blocks that nobody on the Internet has: 10.0.0.0/8 (RFC 1918), fd00::/8 (RFC 4193).
fn hashed_address(key: &HashKey, address: IpAddr, bits: u8) -> Option<IpAddr> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let hash = key.hash(Class::Address, &[&octets[..], &[bits]].concat())?;
    Some(if address.is_ipv4() {
        IpAddr::V4(Ipv4Addr::new(10, hash[0], hash[1], hash[2]))
    } else {
        let mut octets = *hash.first_chunk::<16>()?;
        octets[0] = 0xfd;
        IpAddr::V6(Ipv6Addr::from(octets))
    })
}

/// Hashes a part of a text into its own place: as many hexadecimal digits as it has bytes, stars past 64.
pub(super) fn hash_match(key: &HashKey, found: &mut [u8]) {
    let Some(hash) = key.hash(Class::Text, found) else { return found.fill(b'*') };
    let mut digits = hexadecimal(&hash).into_iter();
    found.fill_with(|| digits.next().unwrap_or(b'*'));
}

/// Hashes digits where only a number may stand.
pub(super) fn hash_digits(key: &HashKey, found: &mut [u8]) {
    let Some(hash) = key.hash(Class::Number, found) else { return found.fill(b'0') };
    let mut digits = hash.iter().map(|byte| b'0' + byte % 10);
    found.fill_with(|| digits.next().unwrap_or(b'0'));
}

#[cfg(test)]
mod tests {
    use wire::value::Encoding;

    use super::super::number::numeric_binary;
    use super::*;

    fn key() -> HashKey {
        HashKey::new(b"a key only for tests").unwrap()
    }

    fn binary(value_type: ValueType, cell: &[u8]) -> Vec<u8> {
        hashed(Shape { value_type, encoding: Encoding::PgBinary, nullable: true }, &key(), cell).unwrap()
    }

    fn text(value_type: ValueType, cell: &str) -> String {
        let shape = Shape { value_type, encoding: Encoding::Text, nullable: true };
        String::from_utf8(hashed(shape, &key(), cell.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn equal_values_hash_alike_in_text_and_binary() {
        use ValueType as T;
        for (value_type, written, cell) in [
            (T::Int2, "-7", (-7i16).to_be_bytes().to_vec()),
            (T::Int4, "123456", 123_456i32.to_be_bytes().to_vec()),
            (T::Int8, "4111111111111111", 4_111_111_111_111_111i64.to_be_bytes().to_vec()),
            (T::Oid, "4000000000", 4_000_000_000u32.to_be_bytes().to_vec()),
            (T::Numeric, "-12.50", numeric_binary("-12.5")),
            (T::Float4, "0.1", 0.1f32.to_be_bytes().to_vec()),
            (T::Float8, "-1.5e-07", (-1.5e-7f64).to_be_bytes().to_vec()),
            (T::Date, "1984-05-06", (-5718i32).to_be_bytes().to_vec()),
            (T::Timestamp, "2000-01-02 00:00:01.5+00", 86_401_500_000i64.to_be_bytes().to_vec()),
        ] {
            let (form, other) = (text(value_type, written), binary(value_type, &cell));
            let read_back = match value_type {
                T::Numeric => Decimal::from_binary(&other).unwrap().to_text(),
                T::Float4 | T::Float8 => read_float(value_type, Form::Binary, &other).unwrap().to_string().into_bytes(),
                T::Date => write_day(Form::Text, read_day(Form::Binary, &other).unwrap()).unwrap(),
                T::Timestamp => {
                    let moment = read_timestamp(Form::Binary, &other).unwrap();
                    write_timestamp(Form::Text, Moment { zoned: true, ..moment }).unwrap()
                }
                _ => read_integer(value_type, Form::Binary, &other).unwrap().to_string().into_bytes(),
            };
            assert_eq!(form.as_bytes(), read_back, "{value_type:?}");
            assert_ne!(form, written);
        }
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        let cell = read_uuid(Form::Text, uuid.as_bytes()).unwrap();
        assert_eq!(
            text(T::Uuid, uuid).into_bytes(),
            write_uuid(Form::Text, binary(T::Uuid, &cell).try_into().unwrap())
        );
        assert_eq!(text(T::Bytes, r"\x0102").into_bytes(), write_bytes(Form::Text, &binary(T::Bytes, &[1, 2])));
        assert_eq!(text(T::Jsonb, "[1]").into_bytes(), binary(T::Jsonb, b"\x01[1]")[1..]);
        let (inet, cell) = (text(T::Inet, "192.0.2.7"), binary(T::Inet, &[2, 32, 0, 4, 192, 0, 2, 7]));
        assert_eq!(read_address(Form::Text, inet.as_bytes()), read_address(Form::Binary, &cell));
    }

    #[test]
    fn what_is_equal_in_sql_hashes_alike_across_types() {
        use ValueType as T;
        assert_eq!(text(T::Int8, "42"), text(T::Numeric, "42.00"));
        assert_eq!(text(T::Text, "Ann"), text(T::Text, "Ann    "));
        assert_eq!(text(T::Text, "Ann"), text(T::Unknown, "Ann"));
        assert_eq!(format!("\"{}\"", text(T::Text, "Ann")), text(T::Json, "\"Ann\""));
        assert_eq!(text(T::Float8, "0"), text(T::Float8, "-0"));
        assert_ne!(text(T::Text, "Ann"), text(T::Text, "ann"));
    }

    #[test]
    fn a_hash_is_a_value_of_its_type() {
        use ValueType as T;
        for number in 0..500 {
            let value = number.to_string();
            assert!(text(T::Int2, &value).parse::<i16>().unwrap() >= 0);
            assert!(text(T::Int4, &value).parse::<i32>().unwrap() >= 0);
            assert!(text(T::Float4, &value).parse::<f32>().unwrap() < 16_777_216.0);
            let date = text(T::Date, &format!("1984-05-{:02}", number % 28 + 1));
            assert!(("1900-01-01"..="2099-12-31").contains(&&*date), "{date}");
        }
        let uuid = text(T::Uuid, "123e4567-e89b-12d3-a456-426614174000");
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "8"));
        assert!(text(T::Inet, "192.0.2.7").starts_with("10.") && text(T::Cidr, "192.0.2.0/24").ends_with("/32"));
        assert!(text(T::Inet, "2001:db8::1").starts_with("fd"));
        assert_eq!(text(T::Text, "").len(), 32);
        assert_eq!(text(T::Timestamp, "1984-05-06 07:08:09").len(), 19);
        assert_eq!(text(T::Timestamp, "1984-05-06 07:08:09.5+02").len(), 22);
    }

    #[test]
    fn what_has_no_hash_of_its_type_gives_none() {
        use ValueType as T;
        let none = |value_type, cell: &str, key: &HashKey| {
            let shape = Shape { value_type, encoding: Encoding::Text, nullable: true };
            assert_eq!(hashed(shape, key, cell.as_bytes()), None, "{value_type:?} {cell}");
        };
        for (value_type, cell) in [
            (T::Array, "{1}"),
            (T::Bool, "t"),
            (T::Composite, "(1)"),
            (T::Date, "infinity"),
            (T::Date, "06.05.1984"),
            (T::Float8, "NaN"),
            (T::Int4, "x"),
            (T::Interval, "1 day"),
            (T::Numeric, "NaN"),
            (T::Range, "[1,2)"),
            (T::Uuid, "123"),
        ] {
            none(value_type, cell, &key());
        }
        none(T::Text, "secret", &HashKey::UNKNOWN);
    }

    #[test]
    fn a_match_keeps_its_length_and_its_alphabet() {
        let mut found = *b"ann@example.com";
        hash_match(&key(), &mut found);
        assert!(found.iter().all(u8::is_ascii_hexdigit));
        let mut again = *b"ann@example.com";
        hash_match(&key(), &mut again);
        assert_eq!(found, again);
        let mut long = [b'x'; 70];
        hash_match(&key(), &mut long);
        assert!(long[..64].iter().all(u8::is_ascii_hexdigit) && long[64..] == [b'*'; 6]);
        hash_match(&HashKey::UNKNOWN, &mut found);
        assert_eq!(found, [b'*'; 15]);
        let mut digits = *b"4111111111111111";
        hash_digits(&key(), &mut digits);
        assert!(digits.iter().all(u8::is_ascii_digit) && digits != *b"4111111111111111");
    }
}
