//! Columns and values under neutral names: what masks and detectors know of a result.

/// How the bytes of a cell are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// The type's text form in the session's client encoding.
    Text,
    /// PostgreSQL's binary form (the type's `send` function), big-endian. For [`ValueType::Bytes`] and
    /// [`ValueType::Unknown`] that is the value's own bytes, and so it stands for those of every protocol.
    PgBinary,
}

/// The kind of a value: what decides which bytes a masked value may consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueType {
    /// Any array type.
    Array,
    /// A bit string, fixed or varying.
    Bit,
    /// A truth value.
    Bool,
    /// Bytes without a character set.
    Bytes,
    /// An IP network.
    Cidr,
    /// A composite or record.
    Composite,
    /// A calendar date.
    Date,
    /// 4-byte IEEE 754.
    Float4,
    /// 8-byte IEEE 754.
    Float8,
    /// An IP address.
    Inet,
    /// 2-byte integer.
    Int2,
    /// 4-byte integer.
    Int4,
    /// 8-byte integer.
    Int8,
    /// A span of time.
    Interval,
    /// JSON as text.
    Json,
    /// PostgreSQL `jsonb`: in binary one version byte, then JSON text.
    Jsonb,
    /// A MAC address of 6 or 8 bytes.
    Macaddr,
    /// PostgreSQL `money`: in binary an 8-byte integer, in text with the locale's signs.
    Money,
    /// An exact decimal number.
    Numeric,
    /// An object identifier and its kin: unsigned 4-byte integer.
    Oid,
    /// Any range or multirange type.
    Range,
    /// Text of any length, also `char`, `varchar`, `name`, `xml`.
    Text,
    /// Time of day.
    Time,
    /// Time of day with a time zone: in binary 12 bytes.
    Timetz,
    /// Date and time, with or without a time zone.
    Timestamp,
    /// A type that this version does not know: extension types, enums, domains over them.
    Unknown,
    /// A UUID.
    Uuid,
}

/// Where a result column says it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Computed, or the server does not say.
    None,
    /// A relation and the number of its column, as PostgreSQL's RowDescription gives them.
    Attribute {
        /// `pg_class.oid`
        relation: u32,
        /// `pg_attribute.attnum`, counted from 1; system columns are negative.
        number: i16,
    },
    /// A column by its names, as MySQL's column definition gives them. Boxed: most columns of Postgres are
    /// held in great numbers.
    Named(Box<NamedOrigin>),
}

/// A column by its names, in the character set of results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedOrigin {
    /// The schema, which MySQL calls a database.
    pub schema: Box<str>,
    /// The table or view (`org_table`), not the alias that it has in the statement.
    pub relation: Box<str>,
    /// The column's name in it (`org_name`).
    pub column: Box<str>,
}

/// One column of a result, as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name shown to the client: never decides a mask, appears in the audit and in `explain`.
    pub name: Box<str>,
    /// Where it comes from.
    pub origin: Origin,
    /// The kind of its values.
    pub value_type: ValueType,
    /// How its cells are encoded in this result.
    pub encoding: Encoding,
}
