//! Directories in the real cgroup trees, shaped as a kubelet with the systemd driver makes them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use procfs::process::Process;

/// The id of every container here.
pub(crate) const CONTAINER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// How long a condition may take on a busy machine before it counts as never.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until the condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "did not come true: {what}");
        std::thread::yield_now();
    }
}

/// Says that a test could not run. Written past the test harness, which would swallow it.
pub(crate) fn skipped(test: &str, why: &str) {
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("standard error is writable");
}

/// Whether namespaces can be made that are named so to `unshare`; if not, says that `test` could not run.
pub(crate) fn unshares(namespaces: &[&str], test: &str) -> bool {
    let why = match Command::new("unshare").args(namespaces).arg("true").output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("unshare: {error}"),
    };
    skipped(test, &why);
    false
}

/// A tree of cgroups with a kubepods root of its own, removed at the end.
pub(crate) struct Pods {
    base: PathBuf,
    root: String,
}

impl Pods {
    /// Makes the tree, or says why `test` cannot run here.
    pub(crate) fn new(test: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("gthulhu-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self::make(&name, "cgroup2", "").map_err(|why| skipped(test, &why)).ok()
    }

    /// Makes a tree with the same paths in the version 1 hierarchy that has this controller.
    pub(crate) fn twin(&self, test: &str, controller: &str) -> Option<Self> {
        let name = self.top().trim_start_matches('/');
        Self::make(name, "cgroup", controller).map_err(|why| skipped(test, &why)).ok()
    }

    fn make(name: &str, fs_type: &str, controller: &str) -> Result<Self, String> {
        if fs::read_to_string("/proc/1/cgroup").is_ok_and(|text| text.contains(":/..")) {
            return Err("cgroups made here would not be where the host's are".to_owned());
        }
        let mounts = Process::myself().and_then(|own| own.mountinfo()).map_err(|error| error.to_string())?;
        let mount = mounts.into_iter().find(|mount| {
            let has_controller = controller.is_empty() || mount.super_options.contains_key(controller);
            mount.fs_type == fs_type && mount.root == "/" && has_controller
        });
        let mount = mount.ok_or(format!("no {fs_type} tree {controller} is mounted"))?.mount_point;
        let base = mount.join(name);
        fs::create_dir(&base).map_err(|error| format!("{}: {error}", base.display()))?;
        Ok(Self { base, root: format!("/{name}/kubepods.slice") })
    }

    /// The kubepods root, as a path in the cgroup tree.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The only container of a guaranteed pod.
    pub(crate) fn container(&self, uid: &str) -> Container {
        let uid = uid.replace('-', "_");
        self.cgroup(format!("kubepods.slice/kubepods-pod{uid}.slice/cri-containerd-{CONTAINER}.scope"))
    }

    /// A container of a best-effort pod.
    pub(crate) fn best_effort_container(&self, uid: &str) -> Container {
        let uid = uid.replace('-', "_");
        let qos = "kubepods.slice/kubepods-besteffort.slice";
        self.cgroup(format!("{qos}/kubepods-besteffort-pod{uid}.slice/cri-containerd-{CONTAINER}.scope"))
    }

    /// A cgroup that is not below the root.
    pub(crate) fn outside(&self, path: &str) -> Container {
        self.cgroup(format!("outside/{path}"))
    }

    /// Any cgroup, by its path from the top of this tree.
    pub(crate) fn cgroup(&self, path: impl AsRef<Path>) -> Container {
        Container::make(self.base.join(path))
    }

    /// The top of this tree, as a path in the cgroup tree.
    pub(crate) fn top(&self) -> &str {
        self.root.trim_end_matches("/kubepods.slice")
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        // Nothing is left in there unless a test failed. What was killed leaves its cgroup a moment later.
        let kill = self.base.join("cgroup.kill");
        if kill.exists() {
            let _ = fs::write(kill, "1");
        }
        until("the cgroups are removed", || remove(&self.base).is_ok());
    }
}

/// Removes cgroups from the leaves up; their files go with them.
fn remove(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(dir)
}

/// One cgroup to put processes into.
pub(crate) struct Container(PathBuf);

impl Container {
    fn make(path: PathBuf) -> Self {
        fs::create_dir_all(&path).expect("the tree is writable");
        Self(path)
    }

    /// A cgroup that the container made below its own.
    pub(crate) fn nested(&self, path: &str) -> Self {
        Self::make(self.0.join(path))
    }

    /// Moves a process into this cgroup.
    pub(crate) fn add(&self, pid: u32) {
        fs::write(self.procs(), pid.to_string()).expect("a process can be moved into a cgroup");
    }

    /// The file that takes pids.
    pub(crate) fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}
