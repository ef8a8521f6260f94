//! The functions that MySQL and MariaDB come with, as far as they compute from their arguments or show what
//! belongs to the session alone. PostgreSQL lists its own in a catalogue; these servers list none.
//!
//! Left out, and so unknown: functions that read files, other statements or tables (`load_file`), or run text.
//! Those that keep their argument for later or for others (`last_insert_id`, `get_lock`, `setval`) are here and
//! among the sinks of `statement::lineage::functions`. Source: MySQL manual, "Built-In
//! Function and Operator Reference"; MariaDB Knowledge Base, "Built-in Functions".

/// Sorted, in lower case.
#[rustfmt::skip]
pub(super) const BUILT_IN: &[&str] = &[
    "abs", "acos", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "any_value", "ascii", "asin", "atan", "atan2",
    "avg", "bin", "bin_to_uuid", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "cast", "ceil", "ceiling",
    "char", "char_length", "character_length", "charset", "chr", "coalesce", "coercibility", "collation", "compress",
    "concat", "concat_ws", "connection_id", "conv", "convert", "convert_tz", "cos", "cot", "count", "crc32",
    "cume_dist", "curdate", "current_date", "current_role", "current_time", "current_timestamp", "current_user",
    "curtime", "database", "date", "date_add", "date_format", "date_sub", "datediff", "day", "dayname", "dayofmonth",
    "dayofweek", "dayofyear", "degrees", "dense_rank", "elt", "exp", "export_set", "extract", "field", "find_in_set",
    "first_value", "floor", "format", "format_bytes", "found_rows", "from_base64", "from_days", "from_unixtime",
    "get_lock", "greatest", "group_concat", "grouping", "hex", "hour", "if", "ifnull", "inet6_aton", "inet6_ntoa", "inet_aton",
    "inet_ntoa", "insert", "instr", "interval", "is_free_lock", "is_ipv4", "is_ipv6", "is_used_lock", "is_uuid", "isnull", "json_array",
    "json_array_append", "json_array_insert", "json_arrayagg", "json_compact", "json_contains", "json_contains_path",
    "json_depth", "json_detailed", "json_exists", "json_extract", "json_insert", "json_keys", "json_length",
    "json_loose", "json_merge", "json_merge_patch", "json_merge_preserve", "json_object", "json_objectagg",
    "json_overlaps", "json_pretty", "json_query", "json_quote", "json_remove", "json_replace", "json_search",
    "json_set", "json_storage_free", "json_storage_size", "json_type", "json_unquote", "json_valid", "json_value",
    "lag", "last_day", "last_insert_id", "last_value", "lastval", "lcase", "lead", "least", "left", "length", "ln", "localtime", "localtimestamp",
    "locate", "log", "log10", "log2", "lower", "lpad", "ltrim", "make_set", "makedate", "maketime", "max", "md5",
    "median", "microsecond", "mid", "min", "minute", "mod", "month", "monthname", "nextval", "now", "nth_value", "ntile",
    "nullif", "nvl", "nvl2", "oct", "octet_length", "ord", "percent_rank", "percentile_cont", "percentile_disc",
    "period_add", "period_diff", "pi", "position", "pow", "power", "quarter", "quote", "radians", "rand",
    "random_bytes", "rank", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr", "release_all_locks", "release_lock", "repeat", "replace",
    "reverse", "right", "round", "row_count", "row_number", "rpad", "rtrim", "schema", "sec_to_time", "second",
    "session_user", "setval", "sha", "sha1", "sha2", "sign", "sin", "sleep", "soundex", "space", "sqrt", "st_asgeojson",
    "st_astext", "st_aswkb", "st_distance", "st_geomfromtext", "st_x", "st_y", "std", "stddev", "stddev_pop",
    "stddev_samp", "str_to_date", "strcmp", "subdate", "substr", "substring", "substring_index", "subtime", "sum",
    "sysdate", "system_user", "tan", "time", "time_format", "time_to_sec", "timediff", "timestamp", "timestampadd",
    "timestampdiff", "to_base64", "to_char", "to_days", "to_seconds", "trim", "truncate", "ucase", "uncompress",
    "uncompressed_length", "unhex", "unix_timestamp", "upper", "user", "utc_date", "utc_time", "utc_timestamp",
    "uuid", "uuid_short", "uuid_to_bin", "values", "var_pop", "var_samp", "variance", "version", "week", "weekday",
    "weekofyear", "weight_string", "year", "yearweek",
];
