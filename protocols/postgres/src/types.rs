//! From the OIDs of PostgreSQL's built-in types to neutral value types.
//!
//! Built-in OIDs never change between versions (`src/include/catalog/pg_type.dat`). What is not listed
//! (extension types, enums, user types) is [`ValueType::Unknown`], and masks treat that with the most care.
//! A domain is sent under the OID of its base type.

use wire::value::ValueType;

/// The kind of value behind a type's OID.
#[must_use]
pub fn value_type(oid: u32) -> ValueType {
    scalar(oid).or_else(|| array_or_range(oid)).unwrap_or(ValueType::Unknown)
}

fn scalar(oid: u32) -> Option<ValueType> {
    Some(match oid {
        16 => ValueType::Bool,
        17 => ValueType::Bytes,
        20 => ValueType::Int8,
        21 => ValueType::Int2,
        23 => ValueType::Int4,
        // "char", name, text, xml, unknown, bpchar, varchar, cstring, refcursor, jsonpath.
        18 | 19 | 25 | 142 | 705 | 1042 | 1043 | 2275 | 1790 => ValueType::Text,
        // oid, cid, and the reg* types: four bytes of oid in binary, a name in text.
        26 | 29 | 24 | 2202 | 2203 | 2204 | 2205 | 2206 | 3734 | 3769 | 4089 | 4096 | 4191 => ValueType::Oid,
        28 => ValueType::Oid,
        114 => ValueType::Json,
        3802 => ValueType::Jsonb,
        700 => ValueType::Float4,
        701 => ValueType::Float8,
        790 => ValueType::Money,
        650 => ValueType::Cidr,
        869 => ValueType::Inet,
        774 | 829 => ValueType::Macaddr,
        1082 => ValueType::Date,
        1083 => ValueType::Time,
        1266 => ValueType::Timetz,
        1114 | 1184 => ValueType::Timestamp,
        1186 => ValueType::Interval,
        1560 | 1562 => ValueType::Bit,
        1700 => ValueType::Numeric,
        2249 | 2287 => ValueType::Composite,
        2950 => ValueType::Uuid,
        _ => return None,
    })
}

fn array_or_range(oid: u32) -> Option<ValueType> {
    Some(match oid {
        // int4range, numrange, tsrange, tstzrange, daterange, int8range and their multiranges.
        3904 | 3906 | 3908 | 3910 | 3912 | 3926 | 4451 | 4532 | 4533 | 4534 | 4535 | 4536 => ValueType::Range,
        // _bool _bytea _char _name _int8 _int2 _int2vector _int4 _regproc _text _oid _tid _xid _cid _oidvector
        1000..=1003 | 1005..=1009 | 1010..=1017 | 1018..=1022 | 1027 | 1028 => ValueType::Array,
        // _xml _json _line _cidr _circle _macaddr8 _money _macaddr _inet _aclitem _bpchar(1014) _varchar(1015)
        143 | 199 | 629 | 651 | 719 | 775 | 791 | 1040 | 1041 | 1034 => ValueType::Array,
        // _timestamp _date _time _timestamptz _interval _numeric _cstring _timetz _bit _varbit _refcursor
        1115 | 1182 | 1183 | 1185 | 1187 | 1231 | 1263 | 1270 | 1561 | 1563 | 2201 => ValueType::Array,
        // _regprocedure _regoper _regoperator _regclass _regtype _record _txid_snapshot _uuid _pg_lsn
        2207..=2211 | 2949 | 2951 | 3221 => ValueType::Array,
        // _tsvector _gtsvector _tsquery _regconfig _regdictionary _jsonb _jsonpath _regnamespace _regrole
        3643..=3645 | 3735 | 3770 | 3807 | 4073 | 4090 | 4097 | 4192 => ValueType::Array,
        // Ranges' arrays, multiranges' arrays, _pg_snapshot, _xid8.
        3905 | 3907 | 3909 | 3911 | 3913 | 3927 | 5039 | 271 | 6150..=6157 => ValueType::Array,
        // int2vector and oidvector are arrays on the wire as well.
        22 | 30 => ValueType::Array,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_types_are_known() {
        for (oid, expected) in [
            (25, ValueType::Text),
            (1043, ValueType::Text),
            (23, ValueType::Int4),
            (1007, ValueType::Array),
            (1009, ValueType::Array),
            (3904, ValueType::Range),
            (4451, ValueType::Range),
            (2205, ValueType::Oid),
            (3802, ValueType::Jsonb),
            (1184, ValueType::Timestamp),
        ] {
            assert_eq!(value_type(oid), expected, "{oid}");
        }
    }

    #[test]
    fn what_is_not_built_in_is_unknown() {
        assert_eq!(value_type(16_384), ValueType::Unknown);
        assert_eq!(value_type(0), ValueType::Unknown);
    }
}
