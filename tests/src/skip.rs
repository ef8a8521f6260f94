//! Counting the tests that could not run here.
//!
//! A skipped test passes for the runner, so it must be loud elsewhere: it prints why, and adds a line to the
//! file that `WIREGATE_SKIPS` names, from which `scripts/test` reports the count at its end.

use std::fs::OpenOptions;
use std::io::Write;

/// Reports that a test is skipped.
///
/// # Panics
/// Where `WIREGATE_NO_SKIPS` is set: there, what cannot run is a failure.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED: {test}: {reason}\n");
    // Standard error without the print macros, which the runner captures for tests that pass.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("WIREGATE_SKIPS")
        && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = file.write_all(line.as_bytes());
    }
    assert!(std::env::var_os("WIREGATE_NO_SKIPS").is_none(), "{line}");
}

/// The value, or an early return that counts the test as skipped.
#[macro_export]
macro_rules! or_skip {
    ($found:expr) => {
        match $found {
            Ok(value) => value,
            Err(reason) => {
                let test = std::thread::current().name().unwrap_or("a test").to_owned();
                $crate::skip::skipped(&test, &reason);
                return;
            }
        }
    };
}
