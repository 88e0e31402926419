//! Which cgroup this process is in.

use std::fs;
use std::io;
use std::path::Path;

/// Moves the process, all its threads, into this cgroup.
pub fn enter(cgroup: &Path) -> io::Result<()> {
    let file = cgroup.join("cgroup.procs");
    fs::write(&file, std::process::id().to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}
