//! The demo's pods, for real: processes, threads and cgroups as the kernel lists them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock};

use gthulhu_local::error::LocalError;
use gthulhu_local::kernel;
use gthulhu_local::pods::cgroup::Base;
use gthulhu_local::pods::weights::{self, Weights};
use gthulhu_local::pods::{Pod, PodSpec, ProcessSpec};

/// Finding a place removes what a crashed run left: one test alone does that while there is something to remove.
static SWEEP: RwLock<()> = RwLock::new(());

/// A place for cgroups, or none with a line that says so.
#[expect(clippy::print_stdout, reason = "the line is counted by whoever runs the tests")]
fn base(test: &str) -> Option<Base> {
    let found = {
        let _not_now = SWEEP.read().unwrap_or_else(PoisonError::into_inner);
        Base::find()
    };
    match found {
        Ok(base) => Some(base),
        Err(LocalError::Unsupported(why)) => {
            println!("SKIPPED {test}: {why}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn start(base: &Base, dir: &Path) -> Pod {
    let spec = PodSpec {
        name: "upf-0".to_owned(),
        namespace: "core".to_owned(),
        labels: BTreeMap::from([("app".to_owned(), "upf".to_owned())]),
        leader: ProcessSpec::new("upf", 2),
        children: vec![ProcessSpec::new("upf-worker", 1)],
    };
    Pod::start(base, dir, dir, "node-a", spec).expect("the pod starts")
}

/// Command name and number of tasks of each process of the pod, in order of names.
fn shape(pod: &Pod) -> Vec<(String, usize)> {
    let mut processes: BTreeMap<u32, (String, usize)> = BTreeMap::new();
    for task in pod.tasks().expect("tasks are readable") {
        processes.entry(task.tgid).or_insert((task.comm, 0)).1 += 1;
    }
    let mut shape: Vec<_> = processes.into_values().collect();
    shape.sort();
    shape
}

fn row(comm: &str, tasks: usize) -> (String, usize) {
    (comm.to_owned(), tasks)
}

#[test]
fn a_pod_is_real_processes_in_its_own_cgroups() {
    let Some(base) = base("a_pod_is_real_processes_in_its_own_cgroups") else { return };
    let dir = tempfile::tempdir().unwrap();
    let pod = start(&base, dir.path());

    assert_eq!(shape(&pod), [row("pause", 1), row("upf", 3), row("upf-worker", 2)]);
    let slice = format!("{}/kubepods-burstable.slice/kubepods-burstable-pod", base.pods_root());
    for pid in pod.procs().unwrap() {
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let own = cgroups.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
        assert!(own.starts_with(&slice) && own.contains(&pod.uid().replace('-', "_")), "{own}");
        let id =
            own.rsplit_once("/cri-containerd-").and_then(|(_, scope)| scope.strip_suffix(".scope")).unwrap();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    let manifest = fs::read_to_string(dir.path().join("core.upf-0.yaml")).unwrap();
    assert!(manifest.contains(pod.uid()), "{manifest}");
}

#[test]
fn a_leader_forks_and_ends_children_on_request() {
    let Some(base) = base("a_leader_forks_and_ends_children_on_request") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut pod = start(&base, dir.path());

    let child = pod.fork(&ProcessSpec::new("late", 0)).unwrap();
    let task = kernel::task(child).unwrap();
    assert_eq!((task.comm.as_str(), task.parent, task.tgid), ("late", pod.leader(), child));
    assert!(pod.procs().unwrap().contains(&child));

    pod.end(child).unwrap();
    assert_eq!(kernel::task(child), None);
    assert!(!pod.procs().unwrap().contains(&child));
    assert!(matches!(pod.end(child), Err(LocalError::Process { .. })), "it is gone already");
}

#[test]
fn dropping_a_pod_leaves_nothing() {
    let Some(base) = base("dropping_a_pod_leaves_nothing") else { return };
    let dir = tempfile::tempdir().unwrap();
    let pod = start(&base, dir.path());
    let (cgroup, tasks) = (pod.cgroup().to_path_buf(), pod.tasks().unwrap());
    drop(pod);

    assert!(!cgroup.exists());
    assert!(!dir.path().join("core.upf-0.yaml").exists());
    for task in tasks {
        // Children of the killed leader may still wait for init to collect them; they run no more.
        let state = fs::read_to_string(format!("/proc/{}/status", task.tid)).unwrap_or_default();
        assert!(state.is_empty() || state.contains("State:\tZ") || state.contains("State:\tX"), "{state}");
    }
}

#[test]
fn what_a_crashed_run_left_is_removed() {
    let Some(base) = base("what_a_crashed_run_left_is_removed") else { return };
    let dir = tempfile::tempdir().unwrap();
    let pod = start(&base, dir.path());
    let sweep = SWEEP.write().unwrap_or_else(PoisonError::into_inner);
    // No process has this pid: the kernel's limit is far below.
    let left =
        pod.cgroup().with_file_name("kubepods-burstable-pod67746875_6c68_4000_8123_7fffffff0000.slice");
    let scope = left.join("cri-containerd-0.scope");
    fs::create_dir_all(&scope).unwrap();
    let mut stray = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    fs::write(scope.join("cgroup.procs"), stray.id().to_string()).unwrap();

    Base::find().unwrap();
    drop(sweep);
    assert!(!left.exists());
    assert!(!stray.wait().unwrap().success(), "it was killed");
    assert!(pod.cgroup().exists(), "a live run's pod stays");
}

#[test]
fn pods_have_equal_weights_and_accounts_of_their_own() {
    let Some(base) = base("pods_have_equal_weights_and_accounts_of_their_own") else { return };
    let dir = tempfile::tempdir().unwrap();
    let pod = start(&base, dir.path());
    let weights = match Weights::on(&base) {
        Err(LocalError::Unsupported(why)) => {
            println!("SKIPPED pods_have_equal_weights_and_accounts_of_their_own: {why}");
            return;
        }
        weights => weights.unwrap(),
    };

    assert_eq!(weights::weight(pod.cgroup()).unwrap(), 100);
    // Starting its processes took time on a CPU.
    assert!(weights::used_us(pod.cgroup()).unwrap() > 0);
    drop(weights);
}
