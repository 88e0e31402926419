//! Where the tree is mounted, from the process's own list of mounts.

use std::io;
use std::path::{Path, PathBuf};

/// What `statfs` says of a cgroup tree of version 2.
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// A mounted tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where its root is.
    pub path: PathBuf,
    /// Whether hierarchies of version 1 are mounted as well: then pods may have their processes there.
    pub hybrid: bool,
}

/// Why there is no tree to work with.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// None is mounted.
    #[error("no cgroup tree of version 2 is mounted")]
    None,
    /// The configured one is none.
    #[error("{} is no cgroup tree of version 2", .0.display())]
    Other(PathBuf),
    /// It cannot be looked at.
    #[error("cannot look at {}: {source}", path.display())]
    Unreadable {
        /// What could not be looked at.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Mount {
    /// The tree at `configured`, or if that is empty the one among this process's mounts.
    pub fn find(configured: &Path) -> Result<Self, MountError> {
        let list = Path::new("/proc/self/mountinfo");
        let text =
            std::fs::read(list).map_err(|source| MountError::Unreadable { path: list.to_owned(), source })?;
        let (found, hybrid) = parse(&String::from_utf8_lossy(&text));
        if configured.as_os_str().is_empty() {
            return found.map(|path| Self { path, hybrid }).ok_or(MountError::None);
        }
        let magic = rustix::fs::statfs(configured)
            .map_err(|error| MountError::Unreadable { path: configured.to_owned(), source: error.into() })?
            .f_type;
        if i128::from(magic) == i128::from(CGROUP2_MAGIC) {
            Ok(Self { path: configured.to_owned(), hybrid })
        } else {
            Err(MountError::Other(configured.to_owned()))
        }
    }
}

/// The first mount of version 2, and whether there is any of version 1. A line is
/// `id parent major:minor root mount-point options [optional]... - type source options`, blanks written as `\040`.
fn parse(mountinfo: &str) -> (Option<PathBuf>, bool) {
    let (mut found, mut hybrid) = (None, false);
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        match after.split(' ').next() {
            Some("cgroup") => hybrid = true,
            Some("cgroup2") if found.is_none() => {
                found = before.split(' ').nth(4).map(|path| PathBuf::from(unescaped(path)));
            }
            _ => {}
        }
    }
    (found, hybrid)
}

/// The kernel writes four characters as octal numbers.
fn unescaped(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(path.to_owned(), |path, (written, meant)| path.replace(written, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "28 21 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
    const V1: &str = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
    const BESIDE: &str = "41 31 0:38 / /sys/fs/cgroup/unified\\040x rw,relatime - cgroup2 cgroup2 rw";
    const OTHER: &str = "22 21 0:5 / /proc rw - proc proc rw\nnot a line\n";

    #[test]
    fn the_tree_of_version_2_is_told_from_those_of_version_1() {
        let lines = |lines: &[&str]| parse(&lines.join("\n"));
        assert_eq!(lines(&[OTHER, V2]), (Some("/sys/fs/cgroup".into()), false));
        assert_eq!(lines(&[V1, BESIDE]), (Some("/sys/fs/cgroup/unified x".into()), true));
        assert_eq!(lines(&[OTHER, V1]), (None, true));
        assert_eq!(lines(&[V2, BESIDE]).0, Some("/sys/fs/cgroup".into()));
    }

    #[test]
    fn a_configured_place_must_be_such_a_tree() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Mount::find(dir.path()), Err(MountError::Other(_))));
        assert!(matches!(Mount::find(&dir.path().join("none")), Err(MountError::Unreadable { .. })));
    }
}
