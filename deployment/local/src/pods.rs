//! Pods without Kubernetes: real processes in real cgroup v2 directories of the shape that the kubelet makes, each
//! described by an ordinary Pod manifest for the manager's folder.
//!
//! ```text
//! kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/
//!     cri-containerd-<64 hex>.scope      `pause`, as in every pod
//!     cri-containerd-<64 hex>.scope      the leader, its children, their threads
//! ```

pub mod cgroup;
pub mod manifest;
mod uid;
pub mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::error::LocalError;
use crate::kernel::{self, Task};
use crate::{programs, workload};
use cgroup::{Base, PodCgroup};

/// A process to start: its command name (at most 15 bytes) and how many threads it has besides the first.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// What `/proc/PID/comm` will say.
    pub comm: String,
    /// Threads besides the leader.
    pub threads: u32,
}

impl ProcessSpec {
    /// A process named `comm` with `threads` threads besides the first.
    pub fn new(comm: &str, threads: u32) -> Self {
        Self { comm: comm.to_owned(), threads }
    }
}

/// A pod to start.
#[derive(Debug, Clone)]
pub struct PodSpec {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// The container's first process.
    pub leader: ProcessSpec,
    /// Processes that the leader forks at once.
    pub children: Vec<ProcessSpec>,
}

/// A running pod. Dropping it kills its processes and removes its cgroups and its manifest.
#[derive(Debug)]
pub struct Pod {
    spec: PodSpec,
    uid: String,
    /// Links to the workload program; a link's name becomes the process's command name.
    links: PathBuf,
    manifest: Option<PathBuf>,
    /// Of the leader.
    container: PathBuf,
    cgroup: PodCgroup,
    leader: Child,
    /// Kept for its standard input, which it lives by.
    pause: Child,
}

impl Pod {
    /// Starts `spec` below `base` and writes its manifest for `node` into `folder`. `links` is a directory of our own.
    pub fn start(
        base: &Base,
        links: &Path,
        folder: &Path,
        node: &str,
        spec: PodSpec,
    ) -> Result<Self, LocalError> {
        let mut pod = Self::start_as(base, links, &uid::next(), spec)?;
        let manifest = folder.join(format!("{}.{}.yaml", pod.spec.namespace, pod.spec.name));
        manifest::write(&manifest, &pod.spec, &pod.uid, node)?;
        pod.manifest = Some(manifest);
        Ok(pod)
    }

    /// Starts the processes of `spec` in a pod's cgroups, with the uid that somebody else gave the pod. Of such a pod a
    /// crash leaves empty cgroups, which nobody knows for ours.
    pub fn start_as(base: &Base, links: &Path, uid: &str, spec: PodSpec) -> Result<Self, LocalError> {
        let uid = uid.to_owned();
        let cgroup = PodCgroup::create(base, &uid)?;
        let pause = start_in(&cgroup.container(0)?, links, &ProcessSpec::new("pause", 0))?;
        let container = cgroup.container(1)?;
        let leader = start_in(&container, links, &spec.leader)?;
        let links = links.to_path_buf();
        let mut pod = Self { spec, uid, links, manifest: None, container, cgroup, leader, pause };
        for child in pod.spec.children.clone() {
            pod.fork(&child)?;
        }
        Ok(pod)
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// What was asked for.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// The pod's cgroup directory.
    pub fn cgroup(&self) -> &Path {
        self.cgroup.path()
    }

    /// The cgroup directory of the leader's container.
    pub fn container(&self) -> &Path {
        &self.container
    }

    /// The container's first process.
    pub fn leader(&self) -> u32 {
        self.leader.id()
    }

    /// Lets the leader fork a process, as a server forks a worker, and returns its pid once it runs.
    pub fn fork(&mut self, spec: &ProcessSpec) -> Result<u32, LocalError> {
        let program = link(&self.links, &spec.comm)?;
        let answer = self.ask(&format!("fork {} {}", program.display(), spec.threads))?;
        answer
            .strip_prefix("forked ")
            .and_then(|pid| pid.parse().ok())
            .ok_or_else(|| LocalError::process(&self.spec.leader.comm, answer))
    }

    /// Lets the leader end a process that it forked; it is gone when this returns.
    pub fn end(&mut self, pid: u32) -> Result<(), LocalError> {
        let answer = self.ask(&format!("end {pid}"))?;
        if answer.starts_with("ended ") {
            Ok(())
        } else {
            Err(LocalError::process(&self.spec.leader.comm, answer))
        }
    }

    /// Every task of the pod as the kernel tells it now, `pause` included.
    pub fn tasks(&self) -> Result<BTreeSet<Task>, LocalError> {
        kernel::tasks(self.cgroup.path())
    }

    /// Every process of the pod as the kernel tells it now, `pause` included.
    pub fn procs(&self) -> Result<BTreeSet<u32>, LocalError> {
        kernel::procs(self.cgroup.path())
    }

    fn ask(&mut self, question: &str) -> Result<String, LocalError> {
        let name = &self.spec.leader.comm;
        let input =
            self.leader.stdin.as_mut().ok_or_else(|| LocalError::process(name, "its input is not ours"))?;
        writeln!(input, "{question}").map_err(|error| LocalError::process(name, error))?;
        workload::answer(&mut self.leader).map_err(|problem| LocalError::process(name, problem))
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // The manifest first: the manager must not see a pod whose processes are gone.
        if let Some(manifest) = &self.manifest {
            drop(fs::remove_file(manifest));
        }
        self.cgroup.kill();
        for child in [&mut self.leader, &mut self.pause] {
            drop(child.wait());
        }
    }
}

fn start_in(container: &Path, links: &Path, spec: &ProcessSpec) -> Result<Child, LocalError> {
    let program = link(links, &spec.comm)?;
    let mut command = Command::new(&program);
    command.arg("--threads").arg(spec.threads.to_string()).arg("--cgroup").arg(container);
    workload::start(&mut command).map_err(|problem| LocalError::process(&spec.comm, problem))
}

/// A name for the workload program: the kernel takes a process's command name from the file it was started by.
fn link(links: &Path, comm: &str) -> Result<PathBuf, LocalError> {
    let path = links.join(comm);
    if !path.exists() {
        symlink(programs::find("pod-process")?, &path).map_err(LocalError::file(&path))?;
    }
    Ok(path)
}
