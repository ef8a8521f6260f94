//! PostgreSQL's types as neutral kinds of value, for COPY, whose data names no types.
//!
//! OIDs are fixed: `src/include/catalog/pg_type.dat` of PostgreSQL.

use wire::value::ValueType;

/// The kind of value of a type, by its OID (a domain's base type), class (`typtype`) and category.
pub(super) fn value_type(oid: u32, class: &str, category: &str) -> ValueType {
    match oid {
        16 => ValueType::Bool,
        17 => ValueType::Bytes,
        18 | 19 | 25 | 142 | 1042 | 1043 => ValueType::Text,
        20 => ValueType::Int8,
        21 => ValueType::Int2,
        23 => ValueType::Int4,
        24 | 26 | 28 | 29 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 => ValueType::Oid,
        114 => ValueType::Json,
        650 => ValueType::Cidr,
        700 => ValueType::Float4,
        701 => ValueType::Float8,
        774 | 829 => ValueType::Macaddr,
        790 => ValueType::Money,
        869 => ValueType::Inet,
        1082 => ValueType::Date,
        1083 => ValueType::Time,
        1114 | 1184 => ValueType::Timestamp,
        1186 => ValueType::Interval,
        1266 => ValueType::Timetz,
        1560 | 1562 => ValueType::Bit,
        1700 => ValueType::Numeric,
        2950 => ValueType::Uuid,
        3802 => ValueType::Jsonb,
        _ => match (class, category) {
            (_, "A") => ValueType::Array,
            ("c", _) => ValueType::Composite,
            ("r" | "m", _) => ValueType::Range,
            _ => ValueType::Unknown,
        },
    }
}
