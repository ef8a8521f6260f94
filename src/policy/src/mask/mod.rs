//! What a masked value becomes, by type, encoding and method.
//!
//! Whether a cell is masked is decided elsewhere, from the column's origin. This module is handed the cell
//! and the column's type. It promises that nothing of the value stays but what the table says, that the
//! result is valid for the type, and that any bytes at all give a result: a cell that does not follow its
//! type's form is overwritten whole. It never fails, keeps no bytes, and looks at no other cell.
//!
//! # What each method leaves
//!
//! "Stars" and "zeros" are as long as the value; ⟂ is NULL, or what stands after it where the column is
//! NOT NULL. `null` is ⟂ for every type, then as `redact`. Sources of the binary forms: the types' `send`
//! functions in PostgreSQL's `utils/adt`.
//!
//! | type | `redact`, text | `redact`, binary | `keep_first`, `keep_last` |
//! |---|---|---|---|
//! | text, varchar, char, name, xml | stars | stars | letters and digits between the kept become stars |
//! | int2, int4, int8, oid | zeros | 0 | the digits between become 0, the sign goes; binary alike |
//! | numeric | zeros, point kept | 0 | as integers; digits after the point count too |
//! | float4, float8 | zeros, point kept | 0 | as `redact` |
//! | money | zeros, sign blank, currency kept | 0 | as `redact` |
//! | bool | `f` | false | as `redact` |
//! | uuid | zeros and hyphens | zeros | hexadecimal digits between become 0 |
//! | bytea | `\x` and zeros | zeros | as `redact` |
//! | date | ⟂ `2000-01-01` | 2000-01-01 | as `redact` |
//! | time, timetz | ⟂ `00:00:00`, `00:00:00+00` | midnight, zone 0 | as `redact` |
//! | timestamp | ⟂ `2000-01-01 00:00:00`, with `+00` where the value has a zone | the same moment | as `redact` |
//! | interval | ⟂ `00:00:00` | 0 | as `redact` |
//! | inet | `0.0.0.0`, `::` | the same, no netmask | as `redact` |
//! | cidr | `0.0.0.0/0`, `::/0` | the same | as `redact` |
//! | macaddr | zeros and separators | zeros | as `redact` |
//! | json | a string of stars, `0` if of one byte | the same | as `redact` |
//! | jsonb | as json | version byte, then as json | as `redact` |
//! | bit | zeros | as many zero bits | as `redact` |
//! | array | `{}` | no dimensions, the element's OID | as `redact` |
//! | composite | ⟂ as many NULLs as fields | the same | as `redact` |
//! | range, multirange | `empty`, `{}` | the same | as `redact` |
//! | unknown | stars | ⟂ zeros | text as text; binary as `redact` |
//!
//! `hash` and `constant` leave, in text and binary alike:
//!
//! | type | `hash` | `constant` |
//! |---|---|---|
//! | text, varchar, char, name, xml | 32 hexadecimal digits | as written |
//! | int2, int4, int8, oid | of 15, 31, 60 and 31 bits, not negative | a number in the type's range |
//! | numeric | as int8 where it is a whole number; no digits after the point | a number, digits after the point as written |
//! | float4, float8 | whole, of 24 and 53 bits | a finite number |
//! | bool | as `redact` | `t`, `true`, `f` or `false` |
//! | uuid | version 8 | a UUID |
//! | bytea | 32 bytes | `\x…`, or the text's bytes |
//! | date | within 1900–2099 | `YYYY-MM-DD` |
//! | timestamp | within 1900–2099, whole seconds, in UTC | the same, and a time if there is one |
//! | time, timetz | as `redact` | `HH:MM:SS`, in UTC |
//! | inet, cidr | within 10.0.0.0/8 and fd00::/8, one address | one address |
//! | json, jsonb | a string of 32 hexadecimal digits | a string |
//! | unknown | as text, in binary if it is text | as text; in binary as `redact` |
//! | all others | as `redact` | as `redact` |
//!
//! `round n` is for int2, int4, int8, numeric and floats, `year_only` for date and timestamp; any other type
//! becomes what `redact` makes of it. So does, under all four, a value that cannot be computed with: NaN,
//! `infinity`, years before 1, a date in another style than ISO, a constant that is no value of the type.
//!
//! *Kept characters* are counted in letters and digits, and in every character outside ASCII; spaces and
//! signs of ASCII are separators and stay. Where more than half of a value's characters would be kept, none
//! is, separators neither. Text that is not UTF-8 becomes stars.
//!
//! # Values inside documents
//! Where a mask names a path into a JSON value, each string behind it becomes what the method makes of a text, each
//! number what it makes of a numeric (0 where that is no number of JSON), `true` becomes `false`, an object `{}`;
//! of an array each element. NULL is JSON's `null`, and `null` stays.
//!
//! # Values too large to be gathered
//!
//! [`RowMask::mask_part`] overwrites a value as its parts stream by, so the length stays and the method is
//! `redact` by position. It differs from the table where that has another length: dates and times keep
//! their ISO shape (`2000-01-01 00:00:00`), intervals their units, addresses their separators, an array is
//! `{000}` of one element or in binary empty with bytes after it that decoders skip, a range `empty` with
//! spaces after it, a composite `(***)`. Two have no valid value of the same length: a binary composite
//! becomes one of no fields, and a binary multirange is not valid; both lose their content all the same.
//! Where the length is not known before the end, arrays, composites and JSON are `{}`, `()` and `0` with
//! spaces after them.

mod calendar;
mod coarse;
pub(crate) mod constant;
mod container;
mod counts;
mod decimal;
mod hash;
mod inside;
mod keep;
mod key;
mod method;
pub(crate) mod number;
mod quoted;
mod row;
pub(crate) mod scalar;
mod stamp;
pub(crate) mod value;

pub use counts::MaskCounts;
pub use inside::{JsonMask, JsonMasks};
pub use key::HashKey;
pub use method::{Method, MethodError};
pub use quoted::Quotes;
pub use row::{ColumnSpec, RowMask};

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) const ALL_TYPES: [wire::value::ValueType; 27] = {
    use wire::value::ValueType::*;
    [
        Array, Bit, Bool, Bytes, Cidr, Composite, Date, Float4, Float8, Inet, Int2, Int4, Int8, Interval, Json, Jsonb,
        Macaddr, Money, Numeric, Oid, Range, Text, Time, Timetz, Timestamp, Unknown, Uuid,
    ]
};
