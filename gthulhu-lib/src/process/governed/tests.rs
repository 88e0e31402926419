//! The source over planted trees. (Real cgroups are in the crate's `tests/`.)

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::process::{Comm, LeftOut, Process, ProcessId, Thread};

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const OTHER: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
const CONTAINER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A proc file system and a cgroup tree that belong together.
struct Node(TempDir);

impl Node {
    fn new() -> Self {
        let node = Self(TempDir::new().unwrap());
        fs::create_dir_all(node.path("proc")).unwrap();
        fs::create_dir_all(node.path("cgroup")).unwrap();
        node
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    /// Puts these processes into a cgroup, and no others.
    fn group(&self, path: &str, pids: &[u32]) {
        let dir = self.path("cgroup").join(path);
        fs::create_dir_all(&dir).unwrap();
        let lines: Vec<String> = pids.iter().map(|pid| format!("{pid}\n")).collect();
        fs::write(dir.join("cgroup.procs"), lines.concat()).unwrap();
        for pid in pids {
            fs::create_dir_all(self.path(format!("proc/{pid}/task"))).unwrap();
            fs::write(self.path(format!("proc/{pid}/cgroup")), format!("0::/{path}\n")).unwrap();
        }
    }

    fn stat(&self, pid: u32, comm: &str, state: char, threads: u64, start: u64) {
        let dir = self.path(format!("proc/{pid}"));
        fs::create_dir_all(&dir).unwrap();
        let fields = format!("{state} 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {threads} 0 {start} 0 0");
        fs::write(dir.join("stat"), format!("{pid} ({comm}) {fields}\n")).unwrap();
    }

    fn thread(&self, pid: u32, tid: u32, start: u64) {
        let dir = self.path(format!("proc/{pid}/task/{tid}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("stat"), format!("{tid} (t) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 2 0 {start} 0 0\n"))
            .unwrap();
    }

    fn source(&self) -> CgroupProcs {
        let options = WalkOptions { proc_root: self.path("proc"), cgroup_root: None };
        CgroupProcs::in_tree(options, self.path("cgroup"), None).unwrap()
    }
}

fn pod_dir() -> String {
    format!("kubepods/burstable/pod{POD}")
}

fn pids(snapshot: &Snapshot) -> Vec<u32> {
    let mut pids: Vec<u32> = snapshot.processes.iter().map(|process| process.id.pid).collect();
    pids.sort_unstable();
    pids
}

fn governed() -> Governed {
    Governed::from_iter([POD])
}

#[test]
fn a_process_of_a_governed_pod_is_read_with_all_its_facts() {
    let node = Node::new();
    let container = format!("{}/{CONTAINER}", pod_dir());
    node.group(&container, &[42]);
    node.stat(42, "ng) R 1 (inx", 'S', 2, 700);
    node.thread(42, 44, 701);
    node.group(&format!("{container}/nested/deeper"), &[43]);
    node.stat(43, "child", 'S', 1, 702);
    // Not governed, so not even looked at.
    node.group(&format!("kubepods/pod{OTHER}/{CONTAINER}"), &[50]);
    let expected = |pid, comm: &[u8], start, threads| Process {
        id: ProcessId { pid, start },
        parent: 1,
        comm: Comm::new(comm),
        pod_uid: POD.into(),
        container_id: Some(CONTAINER.into()),
        threads,
    };
    let mut source = node.source();
    let mut snapshot = source.snapshot(&governed()).unwrap();
    snapshot.processes.sort_unstable_by_key(|process| process.id);
    let leader = expected(42, b"ng) R 1 (inx", 700, vec![Thread { tid: 44, start: 701 }]);
    assert_eq!(snapshot.processes, [leader, expected(43, b"child", 702, vec![])]);
    assert_eq!(snapshot.left_out, LeftOut::default());
    assert_eq!(source.snapshot(&Governed::default()).unwrap(), Snapshot::default());
}

#[test]
fn pods_and_cgroups_that_come_and_go_are_found() {
    let node = Node::new();
    let mut source = node.source();
    let now = |source: &mut CgroupProcs| pids(&source.snapshot(&governed()).unwrap());
    assert_eq!(now(&mut source), [0; 0], "not even a root is there");
    let is_told = |source: &CgroupProcs| {
        let fd = source.wake_fd().unwrap();
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&none)).unwrap() == 1
    };
    assert!(!is_told(&source));
    for (pid, start) in [(42, 1), (43, 2), (44, 3)] {
        node.stat(pid, "x", 'S', 1, start);
    }
    node.group(&pod_dir(), &[42]);
    assert!(is_told(&source));
    assert_eq!(source.events().unwrap(), Changes::Unknown);
    assert_eq!(now(&mut source), [42]);
    assert_eq!(source.events().unwrap(), Changes::List(vec![]));
    node.group(&format!("{}/a/b", pod_dir()), &[43]);
    assert!(is_told(&source));
    assert_eq!(now(&mut source), [42, 43]);
    // A second container, and then the first pod's directory anew.
    node.group(&format!("{}/c", pod_dir()), &[44]);
    assert_eq!(now(&mut source), [42, 43, 44]);
    fs::remove_dir_all(node.path("cgroup").join(pod_dir())).unwrap();
    for pid in [42, 43, 44] {
        fs::remove_dir_all(node.path(format!("proc/{pid}"))).unwrap();
    }
    assert_eq!(now(&mut source), [0; 0]);
    node.stat(45, "x", 'S', 1, 4);
    node.group(&pod_dir(), &[45]);
    assert_eq!(now(&mut source), [45]);
    assert!(!is_told(&source));
}

#[test]
fn a_number_that_another_process_has_now_is_read_anew() {
    let node = Node::new();
    node.group(&pod_dir(), &[42]);
    node.stat(42, "first", 'S', 1, 700);
    let mut source = node.source();
    assert_eq!(source.snapshot(&governed()).unwrap().processes[0].id.start, 700);
    // Another process of the same pod.
    node.stat(42, "second", 'S', 1, 800);
    let snapshot = source.snapshot(&governed()).unwrap();
    assert_eq!((snapshot.processes[0].id.start, snapshot.processes[0].comm), (800, Comm::new(b"second")));
    // Another process that is in no pod: the list was read while the first still had the number.
    node.stat(42, "third", 'S', 1, 900);
    fs::write(node.path("proc/42/cgroup"), "0::/init.scope\n").unwrap();
    assert_eq!(pids(&source.snapshot(&governed()).unwrap()), [0; 0]);
}

#[test]
fn a_process_that_is_listed_nowhere_is_looked_up_before_it_is_given_up() {
    let node = Node::new();
    node.group(&pod_dir(), &[42, 43]);
    node.stat(42, "x", 'S', 1, 700);
    node.stat(43, "x", 'S', 1, 701);
    let mut source = node.source();
    assert_eq!(pids(&source.snapshot(&governed()).unwrap()), [42, 43]);
    // One is between two cgroups of its pod, the other has ended.
    node.group(&pod_dir(), &[]);
    fs::remove_dir_all(node.path("proc/43")).unwrap();
    assert_eq!(pids(&source.snapshot(&governed()).unwrap()), [42]);
    fs::write(node.path("proc/42/cgroup"), format!("0::/kubepods/pod{OTHER}\n")).unwrap();
    assert_eq!(pids(&source.snapshot(&governed()).unwrap()), [0; 0]);
}

#[test]
fn what_is_not_believed_and_what_makes_no_sense_is_counted() {
    let node = Node::new();
    node.group(&pod_dir(), &[10, 11, 12, 13]);
    node.stat(10, "good", 'S', 1, 1);
    node.stat(11, "zombie", 'Z', 1, 1);
    fs::write(node.path("proc/12/stat"), "12 (bad").unwrap();
    node.group(&format!("{}/c/pod{OTHER}", pod_dir()), &[20, 21]);
    // A list that is none.
    fs::create_dir_all(node.path("cgroup").join(pod_dir()).join("x/cgroup.procs")).unwrap();
    let snapshot = node.source().snapshot(&governed()).unwrap();
    assert_eq!(pids(&snapshot), [10]);
    assert_eq!(snapshot.left_out, LeftOut { refused: 2, unreadable: 2 });
}

#[test]
fn no_more_files_are_kept_open_than_are_allowed() {
    let node = Node::new();
    node.group(&format!("kubepods/pod{POD}"), &[]);
    // This pod is read before the other.
    for name in ["", "/a", "/b", "/c"] {
        node.group(&format!("kubepods/burstable/pod{OTHER}{name}"), &[]);
    }
    let mut source = node.source();
    source.tree.kept_max = 6;
    let open = |node: &Node| {
        let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
        targets.filter(|target| target.starts_with(node.path("cgroup"))).count()
    };
    let two = Governed::from_iter([POD, OTHER]);
    source.snapshot(&Governed::from_iter([POD])).unwrap();
    assert_eq!(open(&node), 1);
    for _ in 0..2 {
        source.snapshot(&two).unwrap();
        assert_eq!(open(&node), 3, "of three of the pod that is first the list of processes");
    }
    source.tree.kept_max = 0;
    node.group(&format!("kubepods/burstable/pod{OTHER}/d"), &[]);
    source.snapshot(&two).unwrap();
    assert_eq!(open(&node), 0);
}

#[test]
fn more_processes_than_are_read_at_once_are_all_found() {
    let node = Node::new();
    let many: Vec<u32> = (1000..4000).collect();
    node.group(&pod_dir(), &many);
    for &pid in &many {
        node.stat(pid, "x", 'S', 1, 1);
    }
    let mut source = node.source();
    for _ in 0..2 {
        assert_eq!(pids(&source.snapshot(&governed()).unwrap()), many);
    }
}

#[test]
fn where_pods_are_in_version_1_this_source_is_not_for_use() {
    let v2 = |node: &Node| node.group(&pod_dir(), &[]);
    let with = |lines: &str, plant: &dyn Fn(&Node)| {
        let node = Node::new();
        let at = |name: &str| node.path(name).display().to_string();
        let mut mounts = vec![format!("1 1 0:1 / {} rw - cgroup2 none rw\n", at("cgroup"))];
        if lines.contains("cpu") {
            mounts.push(format!("2 1 0:2 / {} rw - cgroup none rw,cpu\n", at("cpu")));
        }
        let mounts = mounts.concat();
        for (name, text) in
            [("status", "NSpid:\t9\n"), ("mountinfo", &mounts), ("cgroup", &format!("{lines}0::/\n"))]
        {
            fs::create_dir_all(node.path("proc/self")).unwrap();
            fs::write(node.path("proc/self").join(name), text).unwrap();
        }
        plant(&node);
        let options = WalkOptions { proc_root: node.path("proc"), cgroup_root: None };
        CgroupProcs::new(options).err().map(|error| error.to_string())
    };
    let process = |node: &Node, v1: &str, v2: &str| {
        fs::create_dir_all(node.path("proc/42")).unwrap();
        fs::write(node.path("proc/42/cgroup"), format!("4:cpu:{v1}\n0::{v2}\n")).unwrap();
    };
    let (pod, other) = (format!("/{}", pod_dir()), format!("/kubepods/pod{OTHER}"));
    assert_eq!(
        with("", &|_| ()),
        None,
        "the tree of version 2 is the only one, so pods will come to be there"
    );
    let why = with("4:cpu:/\n", &|_| ()).expect("nobody knows where pods will be");
    assert_eq!(why, "there are cgroups of version 1, and no directory of pods is in the tree of version 2");
    assert_eq!(with("4:cpu:/\n", &v2), None, "pods are in version 2 alone");
    let in_both = |node: &Node| {
        v2(node);
        process(node, &pod, &pod);
    };
    assert_eq!(with("4:cpu:/\n", &in_both), None);
    let leftover = |node: &Node| {
        v2(node);
        fs::create_dir_all(node.path("cpu/kubepods")).unwrap();
    };
    let why = with("4:cpu:/\n", &leftover).expect("they may be in either");
    assert_eq!(why, "there are cgroups of version 1, and a directory of pods is in one of them");
    // The trees of version 1 need not be mounted where we see them.
    for lines in ["4:cpu:/\n", "3:pids:/\n"] {
        let beside = |node: &Node| {
            v2(node);
            process(node, &pod, "/");
        };
        let why = with(lines, &beside).expect("it would not be found");
        assert_eq!(why, "there are cgroups of version 1, and a process is in a pod by them alone");
    }
    let refused = |node: &Node| {
        v2(node);
        process(node, &format!("{pod}/x{other}"), "/");
    };
    assert_eq!(with("4:cpu:/\n", &refused), None, "it is in no pod, whoever looks");
}

#[test]
fn only_the_proc_of_the_own_namespace_will_do() {
    assert!(is_same_namespace(b"Name:\tx\nNSpid:\t42\nNSpgid:\t42\n"));
    assert!(!is_same_namespace(b"Name:\tx\nNSpid:\t4242\t42\n"));
    assert!(!is_same_namespace(b"Name:\tx\n"));
    let options = WalkOptions { proc_root: "/nonexistent".into(), cgroup_root: None };
    assert!(matches!(CgroupProcs::new(options), Err(Unavailable::Unreadable { .. })));
}
