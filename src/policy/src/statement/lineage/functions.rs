//! Built-in functions that stand out: those that tell nothing of their arguments, those that carry values to
//! where no mask holds, and those that cannot be used to compare.

/// Functions that show how many rows there are, where a row stands, or the type of a value, and nothing that is
/// stored in it.
const SILENT: &[&str] = &[
    "count",
    "cume_dist",
    "dense_rank",
    "grouping",
    "merge_action",
    "ntile",
    "percent_rank",
    "pg_typeof",
    "rank",
    "row_number",
];

/// Whether a built-in function tells nothing of its arguments.
pub(super) fn is_silent(name: &str) -> bool {
    SILENT.binary_search(&name).is_ok()
}

/// Functions that put a value where no mask holds: settings, notifications, sequences, locks, large objects, the
/// log of changes, what MySQL's OK packets tell.
const SINKS: &[&str] = &[
    "get_lock",
    "last_insert_id",
    "lo_from_bytea",
    "lo_put",
    "lowrite",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_logical_emit_message",
    "pg_notify",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "set_config",
    "setval",
];

/// Whether a built-in function puts its arguments where no mask holds.
pub(crate) fn is_sink(name: &str) -> bool {
    SINKS.binary_search(&name).is_ok()
}

/// Functions that succeed for every value and whose result, masked whole, leaves nothing to compare. Any other
/// function may fail for some values, and whether it failed tells one from another.
const HARMLESS: &[&str] = &[
    "array",
    "array_agg",
    "array_length",
    "bit_length",
    "btrim",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "initcap",
    "json_agg",
    "json_array",
    "json_build_array",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "length",
    "lower",
    "ltrim",
    "md5",
    "octet_length",
    "pg_typeof",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "reverse",
    "row",
    "row_to_json",
    "rtrim",
    "string_agg",
    "to_json",
    "to_jsonb",
    "trim",
    "upper",
];

/// Whether a built-in function can be used on a masked column where comparing is forbidden.
pub(super) fn is_harmless(name: &str) -> bool {
    HARMLESS.binary_search(&name).is_ok()
}

/// Whether a built-in function gives one of its arguments, or puts them beside each other as they are.
pub(super) fn keeps_texts(name: &str) -> bool {
    matches!(name, "array" | "array_to_string" | "coalesce" | "max" | "min" | "string_agg")
}

/// Whether a built-in function puts texts beside each other, with its second argument between them.
pub(super) fn joins_texts(name: &str) -> bool {
    matches!(name, "array_to_string" | "string_agg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for list in [SILENT, SINKS, HARMLESS] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
