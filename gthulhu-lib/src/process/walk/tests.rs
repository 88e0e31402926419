//! The walk over planted proc trees. (Real processes are in the crate's `tests/`.)

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::process::Comm;
use crate::process::cgroup::Refusal;

const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";
const OTHER: &str = "31e4e721-a5a0-4a3c-8a1b-93d3d1c4f0aa";
const IN_POD: &str = "0::/kubepods/burstable/pod20da609e-6973-4463-a1e3-1b0b4f33cb1e/short\n";

struct ProcTree(TempDir);

impl ProcTree {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn process(&self, pid: u32, cgroup: &str, comm: &[u8], start: u64) -> &Self {
        self.file(&format!("{pid}/cgroup"), cgroup)
            .file(&format!("{pid}/stat"), named_stat(pid, comm, 'S', start))
            .file(&format!("{pid}/task/{pid}/stat"), stat(pid, 'S', start))
    }

    fn walk(&self) -> ProcWalk {
        ProcWalk::new(WalkOptions { proc_root: self.0.path().to_owned(), cgroup_root: None }).unwrap()
    }

    fn snapshot(&self) -> Snapshot {
        self.walk().snapshot(&Governed::from_iter([POD])).unwrap()
    }
}

fn stat(pid: u32, state: char, start: u64) -> Vec<u8> {
    named_stat(pid, b"any", state, start)
}

fn named_stat(pid: u32, comm: &[u8], state: char, start: u64) -> Vec<u8> {
    let fields = format!(") {state} 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 {start} 0 0\n");
    [format!("{pid} (").as_bytes(), comm, fields.as_bytes()].concat()
}

fn pids(snapshot: &Snapshot) -> Vec<u32> {
    let mut pids: Vec<u32> = snapshot.processes.iter().map(|process| process.id.pid).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn a_process_of_a_pod_is_read_with_all_its_facts() {
    let tree = ProcTree::new();
    tree.process(1, "0::/init.scope\n", b"systemd", 1)
        .process(42, IN_POD, b"nginx", 700)
        .file("42/task/50/stat", stat(50, 'S', 702))
        .file("42/task/44/stat", stat(44, 'R', 701))
        .file("42/task/45/stat", stat(45, 'Z', 701))
        .file("self/cgroup", IN_POD)
        .file("0/cgroup", IN_POD)
        .file("+7/cgroup", IN_POD)
        .file("99999999999/cgroup", IN_POD);
    let expected = Process {
        id: ProcessId { pid: 42, start: 700 },
        parent: 1,
        comm: Comm::new(b"nginx"),
        pod_uid: POD.into(),
        container_id: None,
        threads: vec![Thread { tid: 44, start: 701 }, Thread { tid: 50, start: 702 }],
    };
    let left_out = LeftOut::default();
    assert_eq!(tree.snapshot(), Snapshot { processes: vec![expected.clone()], left_out });
    let survey = tree.walk().survey().unwrap();
    assert_eq!(survey.processes, [Process { threads: Vec::new(), ..expected }]);
    assert_eq!(tree.walk().snapshot(&Governed::default()).unwrap(), Snapshot::default());
}

#[test]
fn command_names_of_any_bytes_are_kept() {
    for comm in
        [&b"tmux: server"[..], b") R 1 (", b"two\nlines", b"ends\n", b"", b"\xff\xfe\x80", b"\xe2\x82"]
    {
        let tree = ProcTree::new();
        tree.process(42, IN_POD, comm, 700);
        let snapshot = tree.snapshot();
        assert_eq!(snapshot.processes[0].comm, Comm::new(comm));
        assert_eq!(snapshot.processes[0].id.start, 700);
    }
}

#[test]
fn what_ends_in_mid_read_is_skipped_and_what_makes_no_sense_is_counted() {
    let long_path = format!("0::/kubepods/burstable/pod{POD}/{}\n", "d/".repeat(2000));
    let tree = ProcTree::new();
    tree.process(10, IN_POD, b"good", 1)
        .process(11, &long_path, b"deep", 1)
        // Gone before its stat was opened, before its threads or its cgroup were read, before anything was.
        .file("12/cgroup", IN_POD)
        .file("13/cgroup", IN_POD)
        .file("13/stat", stat(13, 'S', 1))
        .file("14/stat", stat(14, 'S', 1))
        .file("15/comm", "gone before the first read\n")
        // Ended, but not yet waited for.
        .process(16, IN_POD, b"zombie", 1)
        .file("16/stat", stat(16, 'Z', 1))
        // No sense.
        .process(20, IN_POD, b"bad", 1)
        .file("20/stat", "20 (bad")
        .process(21, IN_POD, b"bad thread", 1)
        .file("21/task/22/stat", "22 (x) S")
        .file("23", "a file where a process should be")
        .file("24/cgroup/not", "a directory where a file should be")
        .file("24/stat", stat(24, 'S', 1))
        .process(25, &"0::/x\n".repeat(400_000), b"huge", 1)
        // Passing for another pod.
        .process(30, &format!("0::/kubepods/pod{POD}/c/pod{OTHER}\n"), b"spoof", 1);
    let snapshot = tree.snapshot();
    assert_eq!(pids(&snapshot), [10, 11]);
    assert_eq!(snapshot.left_out, LeftOut { refused: 1, unreadable: 5 });
}

#[test]
fn a_walk_from_inside_a_cgroup_namespace_finds_the_same_pods() {
    let tree = ProcTree::new();
    tree.process(1, "0::/../../../../init.scope\n", b"systemd", 1).process(
        42,
        "0::/../../../kubepods-pod20da609e_6973_4463_a1e3_1b0b4f33cb1e.slice/x\n",
        b"nginx",
        1,
    );
    assert_eq!(&*tree.snapshot().processes[0].pod_uid, POD);
}

#[test]
fn a_proc_that_is_none_is_an_error_and_not_an_empty_node() {
    let tree = ProcTree::new();
    let mut walk = tree.walk();
    for _ in 0..2 {
        let error = walk.snapshot(&Governed::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("reading processes from {}", tree.0.path().display()));
    }
    let missing = WalkOptions { proc_root: tree.0.path().join("missing"), cgroup_root: None };
    let mut walk = ProcWalk::new(missing).unwrap();
    assert!(walk.snapshot(&Governed::default()).is_err());
    assert!(walk.locate(1).is_err());
    // It comes back.
    tree.process(1, "0::/\n", b"init", 1);
    assert_eq!(tree.snapshot(), Snapshot::default());
    let relative = WalkOptions { cgroup_root: Some("kubepods".to_owned()), ..WalkOptions::default() };
    assert!(ProcWalk::new(relative).is_err());
    assert!(Path::new(&WalkOptions::default().proc_root).is_absolute());
}

#[test]
fn one_process_is_located_by_any_of_its_threads() {
    let tree = ProcTree::new();
    tree.process(1, "0::/init.scope\n", b"systemd", 1)
        .process(42, IN_POD, b"nginx", 700)
        .file("42/task/44/stat", stat(44, 'S', 701))
        .file("44/status", "Name:\tnginx\nTgid:\t42\nPid:\t44\n")
        .process(60, &format!("0::/kubepods/pod{POD}/c/pod{OTHER}\n"), b"spoof", 1)
        .process(61, IN_POD, b"zombie", 1)
        .file("61/stat", stat(61, 'Z', 1))
        .process(62, IN_POD, b"bad", 1)
        .file("62/stat", "");
    let mut walk = tree.walk();
    let process = tree.snapshot().processes.into_iter().find(|process| process.id.pid == 42).unwrap();
    assert_eq!(walk.locate(42).unwrap(), Located::InPod(process.clone()));
    assert_eq!(walk.locate(44).unwrap(), Located::InPod(process));
    assert_eq!(walk.locate(1).unwrap(), Located::Elsewhere);
    assert_eq!(walk.locate(60).unwrap(), Located::Refused(Refusal::TwoPodsInPath));
    assert_eq!(walk.locate(61).unwrap(), Located::NotFound);
    assert_eq!(walk.locate(4_000_000).unwrap(), Located::NotFound);
    assert!(walk.locate(62).is_err());
}
