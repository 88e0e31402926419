//! The programs built with this one: they lie in the same target directory.

use std::path::PathBuf;

use crate::error::LocalError;

/// Finds `name` beside the running program, or one level above it, where test programs have their neighbours.
pub fn find(name: &str) -> Result<PathBuf, LocalError> {
    let own = std::env::current_exe().map_err(|error| LocalError::process(name, error))?;
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| LocalError::process(name, "not built: run `make build` first"))
}
