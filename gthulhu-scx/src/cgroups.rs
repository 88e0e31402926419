//! The host's cgroup tree of version 2: where it is, and the ids of the cgroups in it.
//!
//! The kernel knows a cgroup by the inode number of its directory. That number is the same from wherever one looks; a
//! path is not, so paths are only used to find directories.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gthulhu_lib::process::cgroup::{Placement, Roots};

mod mount;

pub use mount::{Mount, MountError};

/// A cgroup with its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cgroup {
    /// Inode number of its directory.
    pub id: u64,
    /// Its path from the root of the tree as it is seen here.
    pub path: String,
}

/// The cgroups of all pods, by uid in lower case. A pod has one unless somebody made another of that name.
pub type Pods = BTreeMap<String, Vec<Cgroup>>;

/// The tree.
#[derive(Clone, Debug)]
pub struct Tree {
    mount: Mount,
    roots: Roots,
}

impl Tree {
    /// The tree at `mount`, in which pods are below one of `roots`.
    pub fn new(mount: Mount, roots: Roots) -> Self {
        Self { mount, roots }
    }

    /// Where it is mounted, and whether it is the only one.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// The id of the cgroup at this path; `None` if there is none.
    pub fn id(&self, path: &str) -> io::Result<Option<u64>> {
        match fs::metadata(self.directory(path)) {
            Ok(metadata) if metadata.is_dir() => Ok(Some(metadata.ino())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The uid of the pod whose own directory this path is (not one inside it).
    pub fn pod_at(&self, path: &str) -> Option<String> {
        let above = path.rsplit_once('/')?.0;
        match (self.place(path), self.place(above)) {
            (Placement::Pod { uid, .. }, Placement::Elsewhere) => Some(uid),
            _ => None,
        }
    }

    /// The cgroups of all pods that there are now.
    ///
    /// Where older hierarchies are mounted too, a pod counts only if it has processes here: a service manager may make
    /// directories in this tree for pods whose processes are in another.
    pub fn pods(&self) -> Pods {
        let mut pods = Pods::new();
        for root in self.roots.directories() {
            self.collect(&root, true, &mut pods);
        }
        pods
    }

    /// The pods right below `path` and, from a root, below its directories of quality of service.
    fn collect(&self, path: &str, is_root: bool, pods: &mut Pods) {
        let Ok(entries) = fs::read_dir(self.directory(path)) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            // Names of pods are text; whatever else is there is none.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let below = format!("{path}/{name}");
            match self.pod_at(&below) {
                Some(uid) => {
                    if let Ok(metadata) = entry.metadata()
                        && self.counts(&below)
                    {
                        pods.entry(uid).or_default().push(Cgroup { id: metadata.ino(), path: below });
                    }
                }
                None if is_root => self.collect(&below, false, pods),
                None => {}
            }
        }
    }

    /// How many of the pods' cgroups, containers included, have a limit of CPU time (`cpu.max`).
    pub fn limited(&self) -> usize {
        let pods = self.pods();
        let own = pods.values().flatten().map(|pod| self.directory(&pod.path));
        own.flat_map(|pod| {
            let inside = fs::read_dir(&pod).into_iter().flatten().flatten().map(|entry| entry.path());
            inside.chain([pod]).collect::<Vec<_>>()
        })
        .filter(|directory| has_limit(directory))
        .count()
    }

    fn counts(&self, path: &str) -> bool {
        let populated = || {
            let events = fs::read_to_string(self.directory(path).join("cgroup.events")).unwrap_or_default();
            events.lines().any(|line| line == "populated 1")
        };
        !self.mount.hybrid || populated()
    }

    fn place(&self, path: &str) -> Placement {
        self.roots.place(format!("0::{path}\n").as_bytes())
    }

    /// The directory of the cgroup with this path.
    pub fn directory(&self, path: &str) -> PathBuf {
        let below = path.trim_start_matches('/');
        self.mount.path.join(Path::new(OsStr::from_bytes(below.as_bytes())))
    }
}

/// The file holds the time in a period, or `max`, and the period.
fn has_limit(directory: &Path) -> bool {
    fs::read_to_string(directory.join("cpu.max")).is_ok_and(|text| !text.starts_with("max"))
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::process::cgroup::OwnDepth;

    use super::*;

    const A: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
    const B: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";

    fn tree(hybrid: bool, directories: &[&str]) -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        for path in directories {
            fs::create_dir_all(dir.path().join(path.trim_start_matches('/'))).unwrap();
        }
        let mount = Mount { path: dir.path().to_owned(), hybrid };
        let tree = Tree::new(mount, Roots::new(None, OwnDepth::default()).unwrap());
        (dir, tree)
    }

    #[test]
    fn pods_are_found_with_both_drivers_and_at_every_level() {
        let slice = B.replace('-', "_");
        let systemd = format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice");
        let cgroupfs = format!("/kubepods/pod{A}");
        let (_dir, tree) = tree(
            false,
            &[
                &format!("{systemd}/cri-containerd-x.scope/kubepods/pod{A}"),
                &format!("{cgroupfs}/inner"),
                &format!("/elsewhere/pod{A}"),
                "/kubepods/besteffort/init",
            ],
        );
        let found: Vec<(String, Vec<Cgroup>)> = tree.pods().into_iter().collect();
        let at = |path: &str| vec![Cgroup { id: tree.id(path).unwrap().unwrap(), path: path.to_owned() }];
        assert_eq!(found, [(A.to_owned(), at(&cgroupfs)), (B.to_owned(), at(&systemd))]);
        assert_eq!(tree.pod_at(&systemd).as_deref(), Some(B));
        for path in [&format!("{systemd}/inner"), "/kubepods", "", "/"] {
            assert_eq!(tree.pod_at(path), None, "{path}");
        }
    }

    #[test]
    fn beside_older_hierarchies_only_pods_with_processes_count() {
        let (dir, tree) = tree(true, &[&format!("/kubepods/pod{A}"), &format!("/kubepods/pod{B}")]);
        let events = |uid: &str, text: &str| {
            fs::write(dir.path().join(format!("kubepods/pod{uid}/cgroup.events")), text).unwrap();
        };
        events(A, "populated 0\nfrozen 0\n");
        events(B, "populated 1\nfrozen 0\n");
        assert_eq!(tree.pods().into_keys().collect::<Vec<_>>(), [B]);
    }

    #[test]
    fn limits_of_pods_and_containers_count_and_no_others() {
        let (dir, tree) = tree(
            false,
            &[
                &format!("/kubepods/pod{A}/one"),
                &format!("/kubepods/pod{A}/two"),
                &format!("/kubepods/pod{B}"),
            ],
        );
        for (path, text) in [
            (format!("kubepods/pod{A}"), "max 100000\n"),
            (format!("kubepods/pod{A}/one"), "50000 100000\n"),
            (format!("kubepods/pod{B}"), "200000 100000\n"),
            ("kubepods".to_owned(), "10000 100000\n"),
        ] {
            fs::write(dir.path().join(path).join("cpu.max"), text).unwrap();
        }
        assert_eq!(tree.limited(), 2);
    }

    #[test]
    fn an_id_is_that_of_the_directory_that_is_there_now() {
        let (dir, tree) = tree(false, &["/a/b"]);
        let inode = fs::metadata(dir.path().join("a/b")).unwrap().ino();
        assert_eq!(tree.id("/a/b").unwrap(), Some(inode));
        fs::write(dir.path().join("a/file"), "").unwrap();
        assert_eq!((tree.id("/a/c").unwrap(), tree.id("/a/file").unwrap()), (None, None));
    }
}
