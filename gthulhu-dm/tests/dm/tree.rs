//! A planted proc file system: pods, processes and threads that stand still, so that answers can be compared.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Two pods, and one that nobody has intents for.
pub(crate) const WEB: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
pub(crate) const DB: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
pub(crate) const IDLE: &str = "7c9b1f0e-0c53-4f0e-9d5a-5f2f3d6f1a11";

pub(crate) struct ProcTree(TempDir);

impl ProcTree {
    /// A node with an init process and nothing else.
    pub(crate) fn bare() -> ProcTree {
        let tree = ProcTree(TempDir::new().unwrap());
        tree.process(1, 0, "systemd", "/init.scope", 1);
        tree
    }

    /// A node with three pods:
    ///
    /// ```text
    /// WEB   10 pause   42 nginx (threads 43, 44)   50 nginx-worker
    /// DB    60 postgres <1>
    /// IDLE  70 sleep
    /// ```
    pub(crate) fn busy() -> ProcTree {
        let tree = ProcTree::bare();
        tree.in_pod(WEB, 10, 1, "pause");
        tree.in_pod(WEB, 42, 10, "nginx");
        tree.thread(42, 43);
        tree.thread(42, 44);
        tree.in_pod(WEB, 50, 42, "nginx-worker");
        tree.in_pod(DB, 60, 1, "postgres <1>");
        tree.in_pod(IDLE, 70, 1, "sleep");
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn in_pod(&self, pod: &str, pid: u32, parent: u32, comm: &str) {
        self.in_pod_since(pod, pid, parent, comm, pid);
    }

    /// As `in_pod`, with another start time than the process's own number.
    pub(crate) fn in_pod_since(&self, pod: &str, pid: u32, parent: u32, comm: &str, start: u32) {
        let container = "c0ffee".repeat(11)[..64].to_owned();
        let scope = format!("cri-containerd-{container}.scope");
        let pod = pod.replace('-', "_");
        let slice = "/kubepods.slice/kubepods-burstable.slice";
        self.process(pid, parent, comm, &format!("{slice}/kubepods-burstable-pod{pod}.slice/{scope}"), start);
    }

    fn process(&self, pid: u32, parent: u32, comm: &str, cgroup: &str, start: u32) {
        self.file(pid, "cgroup", format!("0::{cgroup}\n"));
        self.file(pid, "comm", format!("{comm}\n"));
        self.file(pid, "stat", stat(pid, parent, comm, start));
        self.file(pid, &format!("task/{pid}/stat"), stat(pid, parent, comm, start));
    }

    pub(crate) fn thread(&self, pid: u32, tid: u32) {
        self.file(pid, &format!("task/{tid}/stat"), stat(tid, 1, "thread", tid));
    }

    pub(crate) fn end(&self, pid: u32) {
        fs::remove_dir_all(self.path().join(pid.to_string())).unwrap();
    }

    fn file(&self, pid: u32, name: &str, content: String) {
        let path: PathBuf = self.path().join(pid.to_string()).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn stat(tid: u32, parent: u32, comm: &str, start: u32) -> String {
    format!("{tid} ({comm}) S {parent} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 {start} 0 0\n")
}
