//! Where the host's cgroup tree of version 2 is mounted, from this process's own list of mounts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// A mounted tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) path: PathBuf,
    /// Where hierarchies of version 1 are mounted as well: pods may have their processes there.
    pub(super) version_1: Vec<PathBuf>,
}

/// The first mount that shows the whole tree. A line is
/// `id parent major:minor root mount-point options [optional]... - type source options`, where the root is told from
/// this process's cgroup namespace: the host's is as many `/..` away as that lies `depth` levels below it.
pub(super) fn find(mountinfo: &[u8], depth: usize) -> Option<Mount> {
    let whole = if depth == 0 { b"/".to_vec() } else { b"/..".repeat(depth) };
    let (mut path, mut version_1) = (None, Vec::new());
    for line in mountinfo.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b' ');
        let (root, at) = (fields.nth(3), fields.next());
        let kind = fields.skip_while(|&field| field != b"-").nth(1);
        let point = |point| PathBuf::from(OsStr::from_bytes(&unescaped(point)));
        match (kind, root, at) {
            (Some(b"cgroup"), _, Some(at)) => version_1.push(point(at)),
            (Some(b"cgroup2"), Some(root), Some(at)) if path.is_none() && root == whole => {
                path = Some(point(at));
            }
            _ => {}
        }
    }
    path.map(|path| Mount { path, version_1 })
}

/// The kernel writes blanks, tabs, newlines and backslashes as octal numbers.
fn unescaped(path: &[u8]) -> Vec<u8> {
    const WRITTEN: [(&[u8], u8); 4] =
        [(b"\\040", b' '), (b"\\011", b'\t'), (b"\\012", b'\n'), (b"\\134", b'\\')];
    let (mut rest, mut out) = (path, Vec::with_capacity(path.len()));
    while let Some((&first, tail)) = rest.split_first() {
        let meant = WRITTEN.iter().find(|(written, _)| rest.starts_with(written));
        out.push(meant.map_or(first, |&(_, byte)| byte));
        rest = meant.map_or(tail, |(written, _)| &rest[written.len()..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(path: &str, version_1: &[&str]) -> Mount {
        Mount { path: path.into(), version_1: version_1.iter().map(Into::into).collect() }
    }

    #[test]
    fn the_whole_tree_is_found_among_the_mounts() {
        let pure = b"22 1 0:5 / /proc rw - proc proc rw\n30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(find(pure, 0), Some(mount("/sys/fs/cgroup", &[])));
        let hybrid = b"1 1 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n2 1 0:2 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n";
        assert_eq!(find(hybrid, 0), Some(mount("/sys/fs/cgroup/unified", &["/sys/fs/cgroup/cpu"])));
        let in_a_container = b"9 8 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n10 8 0:26 /../../.. /host\\040cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(find(in_a_container, 3), Some(mount("/host cgroup", &[])), "its own part is not the tree");
        assert_eq!(find(in_a_container, 2), None);
        for none in [&b""[..], b"\n", b"1 2 3 /", b"1 2 3 / /x - cgroup2x a b", b"1 2 3 / - - - -"] {
            assert_eq!(find(none, 0), None);
        }
    }
}
