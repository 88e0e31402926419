//! The cgroups of governed pods, kept up to date by watching the directories that they are in.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Dir, FileType};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::group::Group;
use super::watch::{Place, Told, Watch};
use crate::process::Governed;
use crate::process::cgroup::{Placement, Roots};
use crate::process::walk::files;

/// The governed part of the tree.
#[derive(Debug)]
pub(in crate::process) struct Tree {
    /// Where the host's whole tree is mounted.
    mount: PathBuf,
    roots: Roots,
    governed: Governed,
    /// `None`: directories cannot be watched (any more), so all are listed each time.
    watch: Option<Watch>,
    /// Pods may have come or gone.
    stale: bool,
    /// Governed pods by the path of their directory.
    pods: BTreeMap<Arc<Path>, Pod>,
    /// How many files may be kept open.
    pub(super) kept_max: usize,
}

#[derive(Debug)]
struct Pod {
    uid: Arc<str>,
    /// Cgroups below it may have come or gone.
    stale: bool,
    groups: Vec<Group>,
    /// Directories that cannot be looked into.
    unreadable: u64,
}

impl Tree {
    /// The tree that is mounted there, with no pod governed yet.
    pub(super) fn new(mount: PathBuf, roots: Roots) -> Self {
        // Half of what this process may have open is left to the rest of it.
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let kept_max = usize::try_from(limit / 2).unwrap_or(usize::MAX);
        let watch = Watch::new().ok();
        Self {
            mount,
            roots,
            governed: Governed::default(),
            watch,
            stale: true,
            pods: BTreeMap::new(),
            kept_max,
        }
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> &Path {
        &self.mount
    }

    /// Whether there is a directory for pods in the tree that is mounted there.
    pub(super) fn has_root(&self, mount: &Path) -> bool {
        self.roots.directories().any(|root| mount.join(root.trim_start_matches('/')).is_dir())
    }

    /// Which pods to keep to from now on.
    pub(super) fn govern(&mut self, governed: &Governed) {
        if self.governed != *governed {
            self.governed = governed.clone();
            self.stale = true;
        }
    }

    /// Readable when directories came or went.
    pub(super) fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(Watch::fd)
    }

    /// Looks at the directories where something came or went. Says whether there are other cgroups than before, or might
    /// be.
    pub(in crate::process) fn update(&mut self) -> io::Result<bool> {
        let told = self.watch.as_mut().map_or(Ok(Told::Anywhere), Watch::read)?;
        match told {
            Told::Anywhere => {
                self.stale = true;
                self.pods.values_mut().for_each(|pod| pod.stale = true);
            }
            Told::At(places) => {
                for place in places {
                    match place {
                        Place::Above => self.stale = true,
                        Place::Pod(path) => {
                            self.pods.get_mut(&path).into_iter().for_each(|pod| pod.stale = true);
                        }
                    }
                }
            }
        }
        let mut changed = self.stale;
        if self.stale {
            self.find_pods()?;
            self.stale = false;
        }
        let stale: Vec<Arc<Path>> =
            self.pods.iter().filter(|(_, pod)| pod.stale).map(|(path, _)| Arc::clone(path)).collect();
        for path in stale {
            self.find_groups(&path)?;
            changed = true;
        }
        if changed {
            // Before others open theirs.
            self.groups().filter(|(_, keep)| !keep).for_each(|(group, _)| group.close());
        }
        Ok(changed)
    }

    /// Every cgroup of every governed pod, and whether its file may be kept open.
    pub(in crate::process) fn groups(&mut self) -> impl Iterator<Item = (&mut Group, bool)> {
        let (kept_max, mut kept) = (self.kept_max, 0);
        self.pods.values_mut().flat_map(|pod| &mut pod.groups).map(move |group| {
            kept += 2;
            (group, kept <= kept_max)
        })
    }

    /// How many directories of governed pods cannot be looked into.
    pub(super) fn unreadable(&self) -> u64 {
        self.pods.values().map(|pod| pod.unreadable).sum()
    }

    /// Lists the directories that pods are in.
    fn find_pods(&mut self) -> io::Result<()> {
        let mut found: BTreeMap<Arc<Path>, Arc<str>> = BTreeMap::new();
        let roots: Vec<String> = self.roots.directories().collect();
        for root in &roots {
            // What leads to a root is watched too, for the root may come later.
            let levels = root.match_indices('/').map(|(end, _)| &root[..end]);
            for level in levels {
                self.watch(&self.below(level), Place::Above);
            }
            for name in self.list(root, &Place::Above)? {
                let path = [root.as_bytes(), b"/", &name].concat();
                if self.note_pod(&path, &mut found) {
                    continue;
                }
                // A class of pods, or something else without any.
                for name in self.list_bytes(&path, &Place::Above)? {
                    self.note_pod(&[&path, &b"/"[..], &name].concat(), &mut found);
                }
            }
        }
        self.pods.retain(|path, pod| found.get(path).is_some_and(|uid| *uid == pod.uid));
        for (path, uid) in found {
            let pod = Pod { uid, stale: true, groups: Vec::new(), unreadable: 0 };
            self.pods.entry(path).or_insert(pod);
        }
        Ok(())
    }

    /// Whether the path is that of a pod's directory; if the pod is governed, it is noted.
    fn note_pod(&self, path: &[u8], found: &mut BTreeMap<Arc<Path>, Arc<str>>) -> bool {
        let Placement::Pod { uid, .. } = self.roots.place_path(b"", path) else { return false };
        if self.governed.contains(&uid) {
            found.insert(self.below_bytes(path).into(), uid.into());
        }
        true
    }

    /// Lists the cgroups at and below the directory of a pod.
    fn find_groups(&mut self, pod: &Arc<Path>) -> io::Result<()> {
        let Some(Pod { uid, groups, .. }) = self.pods.get_mut(pod) else { return Ok(()) };
        let (uid, mut before) = (Arc::clone(uid), std::mem::take(groups));
        let (mut groups, mut unreadable) = (Vec::new(), 0);
        let mut open = vec![pod.to_path_buf()];
        while let Some(path) = open.pop() {
            self.watch(&path, Place::Pod(Arc::clone(pod)));
            match directories(&path) {
                Ok(names) => {
                    open.extend(names.iter().map(|name| path.join(std::ffi::OsStr::from_bytes(name))));
                }
                Err(error) if is_gone(&error) => continue,
                Err(error) if is_ours(&error) => return Err(error),
                // Deeper than a path can say, or closed to this user.
                Err(_) => {
                    unreadable += 1;
                    continue;
                }
            }
            let known = before.iter().position(|group| group.path == path);
            groups.push(match known {
                Some(at) => before.swap_remove(at),
                None => self.group(path, &uid),
            });
        }
        if let Some(pod) = self.pods.get_mut(pod) {
            *pod = Pod { uid, stale: false, groups, unreadable };
        }
        Ok(())
    }

    fn group(&self, path: PathBuf, uid: &Arc<str>) -> Group {
        let in_tree = path.strip_prefix(&self.mount).unwrap_or(&path).as_os_str().as_bytes();
        let (container, refused) = match self.roots.place_path(b"", &[b"/", in_tree].concat()) {
            Placement::Pod { container, .. } => (container.map(Arc::from), false),
            Placement::Refused(_) | Placement::Elsewhere => (None, true),
        };
        Group::new(path, Arc::clone(uid), container, refused)
    }

    fn list(&mut self, path: &str, place: &Place) -> io::Result<Vec<Vec<u8>>> {
        self.list_bytes(path.as_bytes(), place)
    }

    /// Watches a directory, if it is there, and then lists those in it.
    fn list_bytes(&mut self, path: &[u8], place: &Place) -> io::Result<Vec<Vec<u8>>> {
        let path = self.below_bytes(path);
        self.watch(&path, place.clone());
        match directories(&path) {
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// A watch that cannot be had is the end of all watching: from then on everything is listed each time.
    fn watch(&mut self, path: &Path, place: Place) {
        let added = self.watch.as_mut().map_or(Ok(()), |watch| watch.add(path, place));
        // What is not there (yet, or any more), or too deep to be named, is no reason.
        if added.is_err_and(|error| {
            !is_gone(&error) && error.raw_os_error() != Some(Errno::NAMETOOLONG.raw_os_error())
        }) {
            self.watch = None;
        }
    }

    fn below(&self, path: &str) -> PathBuf {
        self.below_bytes(path.as_bytes())
    }

    /// Where a path of the tree is in the file system.
    fn below_bytes(&self, path: &[u8]) -> PathBuf {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        self.mount.join(std::ffi::OsStr::from_bytes(relative))
    }
}

/// The names of the directories in this one.
fn directories(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let dir = files::open_dir(CWD, path)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if entry.file_type() == FileType::Directory && name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn is_gone(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NODEV, Errno::NOTDIR]
        .map(Errno::raw_os_error)
        .map(Some)
        .contains(&error.raw_os_error())
}

/// Whether it is this process that lacks something, and not the directory.
pub(in crate::process) fn is_ours(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM]
        .map(Errno::raw_os_error)
        .map(Some)
        .contains(&error.raw_os_error())
}
