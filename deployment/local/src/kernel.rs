//! The kernel's own view of a cgroup and of a task: what every answer of the daemons is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::LocalError;

/// One task as `/proc` tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    /// The thread.
    pub tid: u32,
    /// Its process: equal to `tid` for the leader.
    pub tgid: u32,
    /// The parent of its process.
    pub parent: u32,
    /// The command name, at most 15 bytes.
    pub comm: String,
}

/// Where the cgroup v2 tree is mounted, from `/proc/self/mountinfo`: on hybrid hosts not `/sys/fs/cgroup` itself.
pub fn cgroup_mount() -> Result<PathBuf, LocalError> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(path).map_err(LocalError::file(path))?;
    mount_in(&text).ok_or_else(|| {
        LocalError::Unsupported("no cgroup v2 tree is mounted here: the demo needs one".to_owned())
    })
}

fn mount_in(mountinfo: &str) -> Option<PathBuf> {
    let line = mountinfo
        .lines()
        .find(|line| line.split_once(" - ").is_some_and(|(_, tail)| tail.starts_with("cgroup2 ")))?;
    let mount_point = line.split(' ').nth(4)?;
    Some(PathBuf::from(mount_point.replace("\\040", " ")))
}

/// This process's own place in the v2 tree, below the mount.
pub fn own_cgroup(mount: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(mount.join(path))
}

/// Process ids in `dir` and every cgroup below it.
pub fn procs(dir: &Path) -> Result<BTreeSet<u32>, LocalError> {
    ids(dir, "cgroup.procs")
}

/// Every task in `dir` and every cgroup below it. A task that ends while it is read is left out.
pub fn tasks(dir: &Path) -> Result<BTreeSet<Task>, LocalError> {
    Ok(ids(dir, "cgroup.threads")?.into_iter().filter_map(task).collect())
}

/// One task, if it is alive.
pub fn task(tid: u32) -> Option<Task> {
    let status = fs::read(format!("/proc/{tid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let fields: BTreeMap<&str, &str> = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key, value.trim()))
        .collect();
    Some(Task {
        tid,
        tgid: fields.get("Tgid")?.parse().ok()?,
        parent: fields.get("PPid")?.parse().ok()?,
        comm: (*fields.get("Name")?).to_owned(),
    })
}

/// When the process started, in clock ticks since boot: with the pid its identity.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command name may hold anything, so fields are counted from the last parenthesis.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let tail = String::from_utf8_lossy(&stat[end + 1..]).into_owned();
    tail.split_whitespace().nth(19)?.parse().ok()
}

fn ids(dir: &Path, file: &str) -> Result<BTreeSet<u32>, LocalError> {
    let mut found = BTreeSet::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        let path = dir.join(file);
        let text = fs::read_to_string(&path).map_err(LocalError::file(&path))?;
        found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        for entry in fs::read_dir(&dir).map_err(LocalError::file(&dir))? {
            let entry = entry.map_err(LocalError::file(&dir))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_v2_mount_on_hybrid_hosts_and_with_spaces() {
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_in(hybrid), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(mount_in("1 2 0:3 / /a\\040b rw - cgroup2 none rw"), Some(PathBuf::from("/a b")));
        assert_eq!(mount_in("1 2 0:3 / /sys/fs/cgroup rw - cgroup cgroup rw"), None);
    }

    #[test]
    fn reads_this_very_process() {
        let pid = std::process::id();
        let own = task(pid).expect("this process is alive");
        assert_eq!((own.tid, own.tgid), (pid, pid));
        assert_eq!(
            own.parent,
            rustix::process::getppid().map_or(0, |parent| parent.as_raw_pid().cast_unsigned())
        );
        assert_eq!(start_time(pid), start_time(pid));
        assert!(start_time(pid).is_some());
        assert_eq!(start_time(u32::MAX), None);
    }
}
