//! `wiregate check`: everything that is wrong with a config, without starting.

use std::path::Path;

use crate::{Failure, load, machine, output};

/// Checks a config file and what it names.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let loaded = load::load(path, 1).map_err(|mut problems| {
        let count = problems.len();
        problems.push(format!("{}: {count} problem{}", path.display(), if count == 1 { "" } else { "s" }));
        Failure::Failed(problems)
    })?;
    let config = loaded.snapshot.config();
    for warning in machine::warnings(config) {
        output::error(&format!("warning: {warning}"));
    }
    output::answer(&format!(
        "{}: good: {} listeners, {} users, {} denies, {} masks\n",
        path.display(),
        config.listeners.len(),
        config.users.len(),
        config.denies.len(),
        config.masks.len()
    ));
    Ok(())
}
