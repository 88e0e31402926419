//! Pod-shaped cgroup v2 directories: where they may be made, how they are emptied and removed, and how those of a
//! crashed run are found again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};

use super::uid;
use crate::error::LocalError;
use crate::kernel;

const TREE: &str = "kubepods.slice/kubepods-burstable.slice";
/// How long killed processes may take to disappear before their cgroup is left behind.
const EMPTY_WITHIN: Duration = Duration::from_secs(60);

/// A writable place in the v2 tree under which pods are made: its root, or the subtree delegated to this process.
#[derive(Debug)]
pub struct Base {
    dir: PathBuf,
    mount: PathBuf,
}

impl Base {
    /// Finds the place and removes what crashed runs left there. `Unsupported` says what would help.
    pub fn find() -> Result<Self, LocalError> {
        let mount = kernel::cgroup_mount()?;
        let own = kernel::own_cgroup(&mount);
        let writable = |dir: &PathBuf| {
            access(dir, Access::WRITE_OK).is_ok()
                && access(dir.join("cgroup.procs"), Access::WRITE_OK).is_ok()
        };
        let dir = [Some(mount.clone()), own].into_iter().flatten().find(writable).ok_or_else(|| {
            LocalError::Unsupported(format!(
                "cannot make cgroups below {}: run as root, or in a delegated subtree \
                 (systemd-run --user --scope -p Delegate=yes make demo)",
                mount.display()
            ))
        })?;
        let base = Self { dir, mount };
        base.sweep()?;
        Ok(base)
    }

    /// The root of all pods as `[node].cgroup_root` of a decision maker names it: below the mount, with a slash.
    pub fn pods_root(&self) -> String {
        let below = self.dir.strip_prefix(&self.mount).unwrap_or(Path::new(""));
        format!("/{}", below.join("kubepods.slice").display())
    }

    /// From this place down to where the directories of pods are.
    pub(super) fn levels(&self) -> Vec<PathBuf> {
        let tree = self.dir.join(TREE);
        let mut levels: Vec<PathBuf> = tree.ancestors().take(3).map(Path::to_path_buf).collect();
        levels.reverse();
        levels
    }

    /// Directories of pods that we made, by this process or by another.
    fn pods(&self) -> Result<Vec<(String, PathBuf)>, LocalError> {
        let tree = self.dir.join(TREE);
        let entries = match fs::read_dir(&tree) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(LocalError::file(&tree))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(LocalError::file(&tree))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let uid =
                name.strip_prefix("kubepods-burstable-pod").and_then(|name| name.strip_suffix(".slice"));
            if let Some(uid) = uid {
                found.push((uid.replace('_', "-"), path));
            }
        }
        Ok(found)
    }

    fn sweep(&self) -> Result<(), LocalError> {
        for (_, path) in self.pods()?.into_iter().filter(|(uid, _)| uid::is_abandoned(uid)) {
            match remove(&path) {
                // Another process that starts now sweeps too.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(LocalError::file(&path))?,
            }
        }
        Ok(())
    }
}

/// The cgroups of one pod.
#[derive(Debug)]
pub struct PodCgroup {
    path: PathBuf,
    uid: String,
}

impl PodCgroup {
    /// Makes the pod's directory below `base`.
    pub fn create(base: &Base, uid: &str) -> Result<Self, LocalError> {
        let path = base.dir.join(TREE).join(format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_")));
        // Another process that removes its last pod may take the upper levels away between two steps of ours.
        let made = (0..3).map(|_| fs::create_dir_all(&path)).find_map(|made| match made {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other),
        });
        made.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())).map_err(LocalError::file(&path))?;
        Ok(Self { path, uid: uid.to_owned() })
    }

    /// The pod's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory of container `number`, its id derived from the pod's uid.
    pub fn container(&self, number: u8) -> Result<PathBuf, LocalError> {
        let id = format!("{number:x}{}", self.uid.replace('-', "")).repeat(2);
        let path = self.path.join(format!("cri-containerd-{id:f<64.64}.scope"));
        fs::create_dir(&path).map_err(LocalError::file(&path))?;
        Ok(path)
    }

    /// Kills every process of the pod. They are gone from the kernel's lists when their parents have waited for them.
    pub fn kill(&self) {
        drop(kill(&self.path));
    }
}

impl Drop for PodCgroup {
    fn drop(&mut self) {
        drop(remove(&self.path));
        // The levels above go too when nobody else's pod is in them; a kubelet's are never empty.
        for level in self.path.ancestors().skip(1).take(2) {
            if fs::remove_dir(level).is_err() {
                break;
            }
        }
    }
}

fn kill(pod: &Path) -> io::Result<()> {
    fs::write(pod.join("cgroup.kill"), "1")
}

/// Kills what runs in `pod`, waits until it is empty and removes it with everything below.
fn remove(pod: &Path) -> io::Result<()> {
    kill(pod)?;
    let events = pod.join("cgroup.events");
    let deadline = Instant::now() + EMPTY_WITHIN;
    loop {
        let file = fs::File::open(&events)?;
        if io::read_to_string(&file)?.lines().any(|line| line == "populated 0") {
            break;
        }
        let left = deadline.checked_duration_since(Instant::now()).ok_or(io::ErrorKind::TimedOut)?;
        // The kernel signals a change of this file as an exceptional condition.
        let wait = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        poll(&mut [PollFd::new(&file, PollFlags::PRI)], Some(&wait))?;
    }
    for entry in fs::read_dir(pod)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir(entry.path())?;
        }
    }
    fs::remove_dir(pod)
}
