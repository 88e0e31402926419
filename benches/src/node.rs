//! A node full of sleeping processes, most of them in cgroups as a kubelet makes them, and how the `procfs` crate sees it.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::compiled::{Running, compile};
use crate::fixtures::{Numbers, command_names, uid};
use crate::harness::cpu_of;

/// Processes of each container; every tenth group of processes is in none.
const GROUP: usize = 10;

/// Cgroup, name, parent and start time of every process, read by the `procfs` crate.
pub fn with_procfs() -> Outcome<usize> {
    let mut count = 0;
    for process in procfs::process::all_processes()? {
        // Processes may end while they are read.
        let Ok(process) = process else { continue };
        if let (Ok(cgroups), Ok(stat)) = (process.cgroups(), process.stat()) {
            std::hint::black_box((cgroups, stat));
            count += 1;
        }
    }
    Ok(count)
}

/// What that takes, of CPU time.
pub fn procfs_turn() -> Outcome<Duration> {
    let mut outcome = Ok(0);
    let spent = cpu_of(|| outcome = with_procfs());
    outcome.map(|_| spent)
}

/// The processes, and the cgroups made for them, which go when the processes have gone: fields are dropped in this order.
pub struct Node {
    nursery: Running,
    tree: Option<Tree>,
    /// How many of its processes are in pods.
    pub in_pods: usize,
    /// The pods' uids.
    pub pods: Vec<String>,
    _programs: tempfile::TempDir,
}

impl Node {
    /// Starts so many processes.
    pub fn start(processes: usize) -> Outcome<Self> {
        let programs = tempfile::tempdir()?;
        let program = compile("nursery", programs.path())?;
        let tree = Tree::make();
        let names = command_names(400);
        let mut numbers = Numbers::new(5);
        let (mut orders, mut in_pods, mut pods) = (String::new(), 0, Vec::new());
        for group in 0..processes / GROUP {
            let name = &names[group % names.len()];
            // Those in no pod come first, while the nursery is still in its own cgroup.
            let procs = match &tree {
                Some(Tree { top, .. }) if group >= processes / GROUP / 10 => {
                    in_pods += GROUP;
                    pods.push(uid(&mut numbers));
                    container(top, &pods[pods.len() - 1], &mut numbers)?.display().to_string()
                }
                _ => "-".to_owned(),
            };
            writeln!(orders, "{procs} {GROUP} {name}")?;
        }
        let mut nursery = Running::launch(&mut Command::new(program), format!("{orders}.\n").as_bytes())?;
        nursery.line()?;
        Ok(Node { nursery, tree, in_pods, pods, _programs: programs })
    }

    /// Whether cgroups could be made; without root they cannot.
    pub fn has_pods(&self) -> bool {
        self.tree.is_some()
    }

    /// The `cgroup.procs` of a new container in a pod with this uid.
    pub fn container(&self, pod: &str) -> Outcome<PathBuf> {
        let tree = self.tree.as_ref().ok_or("no cgroup can be made here")?;
        container(&tree.top, pod, &mut Numbers::new(9))
    }

    /// The root of the pods' cgroups, if there is one.
    pub fn cgroup_root(&self) -> Option<String> {
        let Tree { top, mount } = self.tree.as_ref()?;
        Some(format!("/{}/kubepods.slice", top.strip_prefix(mount).ok()?.display()))
    }

    /// Ends the processes and removes the cgroups.
    pub fn end(self) -> Outcome<()> {
        self.nursery.finish()?;
        self.tree.map_or(Ok(()), |tree| remove(&tree.top))
    }
}

/// Cgroups of our own, removed at the end.
struct Tree {
    top: PathBuf,
    mount: PathBuf,
}

impl Tree {
    /// None if no cgroup can be made.
    fn make() -> Option<Self> {
        let mount = mount()?;
        let top = mount.join(format!("gthulhu-bench-{}", std::process::id()));
        fs::create_dir(&top).ok().map(|()| Tree { top, mount })
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // After an error that has been told; and they may be gone by now.
        let _ = remove(&self.top);
    }
}

/// Makes the cgroup of a container in this pod, as the systemd driver names it; gives its `cgroup.procs`.
fn container(top: &Path, pod: &str, numbers: &mut Numbers) -> Outcome<PathBuf> {
    let pod = pod.replace('-', "_");
    let [a, b, c, d] = [(); 4].map(|()| numbers.draw());
    let id = format!("{a:016x}{b:016x}{c:016x}{d:016x}");
    let dir = top
        .join("kubepods.slice/kubepods-burstable.slice")
        .join(format!("kubepods-burstable-pod{pod}.slice"))
        .join(format!("cri-containerd-{id}.scope"));
    fs::create_dir_all(&dir)?;
    Ok(dir.join("cgroup.procs"))
}

/// Removes a tree of cgroups: directories only, from the leaves. Processes that were killed leave a moment later.
fn remove(dir: &Path) -> Outcome<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    let begun = Instant::now();
    loop {
        match fs::remove_dir(dir) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && begun.elapsed() < PATIENCE => {
                std::thread::yield_now();
            }
            removed => return Ok(removed?),
        }
    }
}

/// Where cgroup version 2 is mounted.
fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}
