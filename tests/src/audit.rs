//! Reading a gateway's audit log back.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// All records of a log directory, each file in its order. A last line that is still being written is left out.
///
/// # Panics
/// When a whole line is not a JSON object: nothing else may stand there.
#[must_use]
pub fn records(directory: &Path) -> Vec<Value> {
    let mut files: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
            assert!(record.is_object(), "{line}");
            records.push(record);
        }
    }
    records
}

/// The text of a field, empty where it is missing or no text.
#[must_use]
pub fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a record is that of a statement with this text.
#[must_use]
pub fn is_statement(record: &Value, sql: &str) -> bool {
    text(record, "event") == "statement" && text(record, "statement") == sql
}
