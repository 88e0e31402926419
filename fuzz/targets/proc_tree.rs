//! The walk over a whole proc tree whose files hold anything.
//!
//! Property: the walk neither panics nor fails because of what a file holds; a process is reported at most once, with
//! the numbers of its directory, and only in the pod that the reading of its cgroup alone gives. Looking one process up
//! agrees with the walk.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use gthulhu_lib::process::cgroup::{OwnDepth, Placement, Roots};
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};
use gthulhu_lib::process::{Governed, Located, ProcessSource};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const PID: u32 = 4242;
const TID: u32 = 4243;
const POD: &str = "20da609e-6973-4463-a1e3-1b0b4f33cb1e";

static TREE: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new().expect("a temporary directory can be made");
    fs::create_dir_all(dir.path().join(format!("{PID}/task/{TID}"))).expect("it can be filled");
    fs::create_dir(dir.path().join(TID.to_string())).expect("it can be filled");
    dir
});

fn write(name: &str, bytes: &[u8]) {
    fs::write(TREE.path().join(name), bytes).expect("the tree can be written");
}

// The four files, with a NUL between each two.
fuzz_target!(|data: &[u8]| {
    let mut files = data.splitn(4, |&byte| byte == 0);
    let [cgroup, stat, thread, status] = [(); 4].map(|()| files.next().unwrap_or_default());
    write(&format!("{PID}/cgroup"), cgroup);
    write(&format!("{PID}/stat"), stat);
    write(&format!("{PID}/task/{TID}/stat"), thread);
    write(&format!("{TID}/status"), status);

    let options = WalkOptions { proc_root: TREE.path().to_owned(), cgroup_root: None };
    let mut walk = ProcWalk::new(options).expect("no cgroup root is configured");
    let snapshot = walk.survey().expect("there are processes");
    let governed = walk.snapshot(&Governed::from_iter([POD])).expect("there are processes");
    let placed = Roots::new(None, OwnDepth::default()).expect("no root is configured").place(cgroup);
    assert!(snapshot.processes.len() <= 1);
    for process in &snapshot.processes {
        assert_eq!(process.id.pid, PID);
        let Placement::Pod { uid, container } = &placed else { panic!("in no pod: {placed:?}") };
        assert_eq!((&*process.pod_uid, process.container_id.as_deref()), (&**uid, container.as_deref()));
        assert!(process.threads.is_empty());
    }
    // Of a governed pod threads are read too: if they make no sense, the process is left out and counted.
    let in_pod = snapshot.processes.iter().filter(|process| &*process.pod_uid == POD).count();
    assert!(
        governed.processes.len() == in_pod
            || governed.processes.is_empty() && governed.left_out.unreadable == 1
    );
    // A look at one process reads its threads whatever its pod, as the walk does in governed pods.
    match (walk.locate(PID), snapshot.processes.first()) {
        (Ok(Located::InPod(located)), Some(walked)) => {
            assert_eq!(located.id, walked.id);
            assert!(located.threads.iter().all(|thread| thread.tid == TID));
            assert!(governed.processes.iter().all(|governed| *governed == located));
        }
        (Ok(Located::InPod(located)), None) => panic!("not walked: {located:?}"),
        (other, Some(_)) => assert!(governed.processes.is_empty(), "walked, but {other:?}"),
        (_, None) => {}
    }
    let _ = walk.locate(TID);
});
