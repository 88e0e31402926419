//! The cgroups of a case: made where it asks for them, gone after it with everything in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{PATIENCE, comes_true};

const ROOT: &str = "/sys/fs/cgroup";

/// The cgroup of a container of a pod with this uid, where a kubelet would make it. Runtimes name containers by 64
/// hexadecimal digits; this one by one of them.
pub(crate) fn container(uid: &str, digit: char) -> PathBuf {
    cgroup(&format!("kubepods/pod{uid}/{}", digit.to_string().repeat(64)))
}

/// Makes a cgroup by its path from the root, and those above it; all count CPU time by weight.
pub(crate) fn cgroup(path: &str) -> PathBuf {
    let mut dir = PathBuf::from(ROOT);
    for part in path.split('/') {
        fs::write(dir.join("cgroup.subtree_control"), "+cpu").expect("the guest has the CPU controller");
        dir.push(part);
        fs::create_dir_all(&dir).expect("root can make cgroups");
    }
    dir
}

/// Ends every process that is in a cgroup, which is none of the harness's, and removes all cgroups.
pub(crate) fn clear_cgroups() -> io::Result<()> {
    for dir in below(Path::new(ROOT)) {
        fs::write(dir.join("cgroup.kill"), "1")?;
        let is_empty = || {
            let events = fs::read_to_string(dir.join("cgroup.events")).unwrap_or_default();
            events.contains("populated 0")
        };
        if !comes_true(PATIENCE, is_empty) {
            return Err(io::Error::other(format!("{} does not become empty", dir.display())));
        }
        remove(&dir)?;
    }
    Ok(())
}

fn remove(dir: &Path) -> io::Result<()> {
    for inner in below(dir) {
        remove(&inner)?;
    }
    fs::remove_dir(dir)
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
