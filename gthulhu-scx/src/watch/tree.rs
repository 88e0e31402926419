//! Which pod each cgroup of version 2 is in, by the cgroup's id.
//!
//! The ids are the inode numbers of the directories. They are read once, and then kept up to date by what the kernel tells
//! of cgroups that come and go; an id is never used again. A path is that of the parent and a name, so it is known
//! however long it is.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gthulhu_lib::process::cgroup::{Placement, Refusal, Roots};

/// Who is in a cgroup is in this pod, or in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Elsewhere,
    Refused(Refusal),
    Pod(Pod),
}

/// A pod, and the container if its cgroup is named in a way that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) uid: Arc<str>,
    pub(super) container: Option<Arc<str>>,
}

#[derive(Debug)]
struct Group {
    path: Box<[u8]>,
    place: Place,
}

/// The whole tree.
#[derive(Debug)]
pub(super) struct Tree {
    mount: PathBuf,
    roots: Roots,
    groups: HashMap<u64, Group>,
}

impl Tree {
    /// The tree that is mounted there; nothing of it is known yet.
    pub(super) fn new(mount: PathBuf, roots: Roots) -> Self {
        Self { mount, roots, groups: HashMap::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.mount
    }

    /// Reads all directories anew. One that cannot be read has nothing in it that is known.
    pub(super) fn read(&mut self) -> io::Result<()> {
        self.groups.clear();
        self.add(fs::metadata(&self.mount)?.ino(), Box::default());
        let mut open = vec![(self.mount.clone(), Vec::new())];
        while let Some((directory, path)) = open.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if path.is_empty() => return Err(error),
                // It went away, or is deeper than a path can say.
                Err(_) => continue,
            };
            for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                let path = [&path, &b"/"[..], entry.file_name().as_bytes()].concat();
                self.add(entry.ino(), path.as_slice().into());
                open.push((entry.path(), path));
            }
        }
        Ok(())
    }

    /// A cgroup was made. In a parent that is not known it is not known either.
    pub(super) fn made(&mut self, id: u64, parent: u64, name: &[u8]) {
        if let Some(parent) = self.groups.get(&parent) {
            let path = [&parent.path, &b"/"[..], name].concat();
            self.add(id, path.into());
        }
    }

    /// A cgroup was removed.
    pub(super) fn gone(&mut self, id: u64) {
        self.groups.remove(&id);
    }

    /// Where the cgroup is; `None` if it is not known.
    pub(super) fn place(&self, id: u64) -> Option<&Place> {
        self.groups.get(&id).map(|group| &group.place)
    }

    fn add(&mut self, id: u64, path: Box<[u8]>) {
        let place = match self.roots.place(&[b"0::", &path[..], b"\n"].concat()) {
            Placement::Elsewhere => Place::Elsewhere,
            Placement::Refused(why) => Place::Refused(why),
            Placement::Pod { uid, container } => {
                Place::Pod(Pod { uid: uid.into(), container: container.map(Arc::from) })
            }
        };
        self.groups.insert(id, Group { path, place });
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::process::cgroup::OwnDepth;

    use super::*;

    const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
    const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";

    fn pod(uid: &str) -> Place {
        Place::Pod(Pod { uid: uid.into(), container: None })
    }

    #[test]
    fn what_is_read_and_what_is_told_come_to_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let inside = format!("kubepods/pod{A}/its/own");
        let refused = format!("kubepods/pod{A}/pod{B}");
        for path in [&inside, &refused, "system.slice"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        fs::write(dir.path().join("kubepods/cgroup.procs"), "").unwrap();
        let id = |path: &str| fs::metadata(dir.path().join(path)).unwrap().ino();
        let mut tree = Tree::new(dir.path().to_owned(), Roots::new(None, OwnDepth::default()).unwrap());
        tree.read().unwrap();
        assert_eq!(tree.place(id(&inside)), Some(&pod(A)));
        assert!(matches!(tree.place(id(&refused)), Some(Place::Refused(_))));
        assert_eq!(
            [id(""), id("kubepods"), id("system.slice")].map(|id| tree.place(id)),
            [Some(&Place::Elsewhere); 3]
        );
        assert_eq!(tree.place(id("kubepods/cgroup.procs")), None, "a file");

        // Ids that no directory of the temporary tree has.
        let (b, below) = (u64::MAX, u64::MAX - 1);
        tree.made(below, b, b"below");
        assert_eq!(tree.place(below), None, "its parent is not known");
        tree.made(b, id("kubepods"), format!("pod{B}").as_bytes());
        tree.made(below, b, &[b'x'; 255]);
        assert_eq!([b, below].map(|id| tree.place(id).cloned()), [Some(pod(B)), Some(pod(B))]);
        tree.gone(b);
        assert_eq!(tree.place(b), None);
        assert_eq!(tree.place(below), Some(&pod(B)), "its own end is told first, if it ends");
        tree.read().unwrap();
        assert_eq!(tree.place(below), None, "it is not there");
    }
}
