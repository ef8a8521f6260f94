//! Less of a value: the year of a date, a number to the nearest step.
//!
//! Both work on values of the types that they are for and give `None` for any other, which the caller
//! redacts. Nothing of the value's finer part has an influence on the result but by rounding.

use wire::value::ValueType;

use super::calendar::{Moment, first_day, year_of};
use super::decimal::Decimal;
use super::scalar::{
    Form, read_day, read_decimal, read_float, read_integer, read_timestamp, write_day, write_decimal, write_float,
    write_integer, write_timestamp,
};
use super::value::Shape;

/// Midnight of 1 January of the value's year: in UTC, where the value has a zone.
pub(super) fn year_only(shape: Shape, cell: &[u8]) -> Option<Vec<u8>> {
    let form = Form::of(shape.encoding)?;
    match shape.value_type {
        ValueType::Date => write_day(form, first_day(year_of(read_day(form, cell)?)?)),
        ValueType::Timestamp => {
            let moment = read_timestamp(form, cell)?;
            write_timestamp(form, Moment { day: first_day(year_of(moment.day)?), micros: 0, ..moment })
        }
        _ => None,
    }
}

/// The multiple of `step` that is nearest to a number, the one farther from 0 of two that are as near; where
/// the type does not hold that one, the next towards 0.
pub(super) fn rounded(shape: Shape, step: u64, cell: &[u8]) -> Option<Vec<u8>> {
    use ValueType as T;
    let form = Form::of(shape.encoding)?;
    let value_type = shape.value_type;
    match value_type {
        T::Int2 | T::Int4 | T::Int8 => {
            let value = read_integer(value_type, form, cell)?;
            let (down, up) = multiples(u128::from(value.unsigned_abs()), false, step)?;
            let signed = |magnitude: u128| {
                i64::try_from(magnitude).ok().map(|magnitude| if value < 0 { -magnitude } else { magnitude })
            };
            let nearest = signed(up).and_then(|value| write_integer(value_type, form, value));
            nearest.or_else(|| write_integer(value_type, form, signed(down)?))
        }
        T::Numeric => {
            let decimal = read_decimal(form, cell)?;
            let whole = core::str::from_utf8(&decimal.whole).ok()?;
            // Whole numbers of up to 38 digits.
            let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
            let half = decimal.fraction.first().is_some_and(|digit| *digit >= b'5');
            let nearest = multiples(whole, half, step)?.1;
            Some(write_decimal(form, &Decimal::whole(decimal.negative, nearest, decimal.fraction.len())))
        }
        T::Float4 | T::Float8 => {
            #[expect(clippy::cast_precision_loss, reason = "a step has as many exact digits as the number")]
            let step = step as f64;
            let nearest = (read_float(value_type, form, cell)? / step).round() * step;
            write_float(value_type, form, nearest + 0.0)
        }
        _ => None,
    }
}

/// The multiple at or below a magnitude, and the nearest one. `half` says whether the magnitude has a
/// fraction of a half or more behind it. `None` where `step` is 0 or the result passes all bounds.
fn multiples(magnitude: u128, half: bool, step: u64) -> Option<(u128, u128)> {
    let step = u128::from(step);
    let rest = magnitude.checked_rem(step)?;
    let down = magnitude - rest;
    let up = rest * 2 + u128::from(half) >= step;
    Some((down, if up { down.checked_add(step)? } else { down }))
}

#[cfg(test)]
mod tests {
    use wire::value::Encoding;

    use super::super::number::numeric_binary;
    use super::*;

    fn shape(value_type: ValueType, encoding: Encoding) -> Shape {
        Shape { value_type, encoding, nullable: true }
    }

    #[test]
    fn only_the_year_of_a_date_is_left() {
        let year = |value_type, cell: &str| {
            let cell = year_only(shape(value_type, Encoding::Text), cell.as_bytes());
            cell.map(|cell| String::from_utf8(cell).unwrap())
        };
        for (value_type, value, left) in [
            (ValueType::Date, "1984-05-06", "1984-01-01"),
            (ValueType::Date, "1984-01-01", "1984-01-01"),
            (ValueType::Date, "2000-12-31", "2000-01-01"),
            (ValueType::Timestamp, "1984-05-06 07:08:09.123", "1984-01-01 00:00:00"),
            (ValueType::Timestamp, "1984-05-06 07:08:09+02", "1984-01-01 00:00:00+00"),
            (ValueType::Timestamp, "1984-01-01 00:30:00+02", "1983-01-01 00:00:00+00"),
        ] {
            assert_eq!(year(value_type, value).as_deref(), Some(left), "{value}");
        }
        for (value_type, value) in [
            (ValueType::Date, "infinity"),
            (ValueType::Date, "0044-03-15 BC"),
            (ValueType::Text, "1984-05-06"),
            (ValueType::Interval, "1 year"),
        ] {
            assert_eq!(year(value_type, value), None, "{value}");
        }
        let date = year_only(shape(ValueType::Date, Encoding::PgBinary), &(-5718i32).to_be_bytes()).unwrap();
        assert_eq!(date, (-5844i32).to_be_bytes());
        let moment = (-5718 * 86_400_000_000i64 + 25_689_000_000).to_be_bytes();
        let moment = year_only(shape(ValueType::Timestamp, Encoding::PgBinary), &moment).unwrap();
        assert_eq!(moment, (-5844 * 86_400_000_000i64).to_be_bytes());
        assert_eq!(year_only(shape(ValueType::Date, Encoding::PgBinary), &i32::MIN.to_be_bytes()), None);
    }

    #[test]
    fn numbers_become_the_nearest_multiple_alike_in_text_and_binary() {
        for (value, step, nearest) in [
            ("52340", 1000, "52000"),
            ("52500", 1000, "53000"),
            ("-52500", 1000, "-53000"),
            ("499", 1000, "0"),
            ("-499", 1000, "0"),
            ("7", 1, "7"),
            ("0", 10, "0"),
        ] {
            let text = |value_type| rounded(shape(value_type, Encoding::Text), step, value.as_bytes()).unwrap();
            for value_type in [ValueType::Int4, ValueType::Int8, ValueType::Numeric, ValueType::Float8] {
                assert_eq!(text(value_type), nearest.as_bytes(), "{value} {value_type:?}");
            }
            let binary = |value_type, cell: &[u8]| rounded(shape(value_type, Encoding::PgBinary), step, cell).unwrap();
            let (value, nearest) = (value.parse::<i32>().unwrap(), nearest.parse::<i32>().unwrap());
            assert_eq!(binary(ValueType::Int4, &value.to_be_bytes()), nearest.to_be_bytes());
            assert_eq!(binary(ValueType::Float8, &f64::from(value).to_be_bytes()), f64::from(nearest).to_be_bytes());
            let numeric = binary(ValueType::Numeric, &numeric_binary(&value.to_string()));
            assert_eq!(numeric, numeric_binary(&nearest.to_string()));
        }
    }

    #[test]
    fn fractions_count_and_their_places_stay() {
        let text = |value: &str, step| {
            let cell = rounded(shape(ValueType::Numeric, Encoding::Text), step, value.as_bytes());
            cell.map(|cell| String::from_utf8(cell).unwrap())
        };
        assert_eq!(text("12345.67", 100).as_deref(), Some("12300.00"));
        assert_eq!(text("2.49", 5).as_deref(), Some("0.00"));
        assert_eq!(text("2.50", 5).as_deref(), Some("5.00"));
        assert_eq!(text("0.5", 1).as_deref(), Some("1.0"));
        assert_eq!(text("99999999999999999999999999", 1_000).as_deref(), Some("100000000000000000000000000"));
        assert_eq!(text("NaN", 100), None);
        assert_eq!(text(&"9".repeat(40), 100), None);
    }

    #[test]
    fn a_result_that_the_type_does_not_hold_is_the_next_towards_zero() {
        let int2 = |value: i16| rounded(shape(ValueType::Int2, Encoding::PgBinary), 1000, &value.to_be_bytes());
        assert_eq!(int2(i16::MAX), Some(32_000i16.to_be_bytes().to_vec()));
        assert_eq!(int2(i16::MIN), Some((-32_000i16).to_be_bytes().to_vec()));
        let int8 = rounded(shape(ValueType::Int8, Encoding::PgBinary), u64::MAX, &i64::MAX.to_be_bytes());
        assert_eq!(int8, Some(0i64.to_be_bytes().to_vec()));
        assert_eq!(rounded(shape(ValueType::Text, Encoding::Text), 10, b"17"), None);
    }
}
