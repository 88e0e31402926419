//! What no other source does: every pod at once, and moves without a look.

use gthulhu_lib::process::{Change, Changes, Governed, Located, ProcessSource as _};
use gthulhu_scx::watch::BpfEvents;

use crate::actors::{Actor, Idle, start_time};
use crate::pods::{CONTAINER, Pods, skipped};
use crate::sources::source;
use crate::table::{A, B};

fn watching(pods: &Pods, test: &str) -> Option<BpfEvents> {
    source(pods.root().to_owned()).map_err(|why| skipped(test, &why.to_string())).ok()
}

fn list(source: &mut BpfEvents) -> Vec<Change> {
    match source.changes().expect("it can be asked") {
        Changes::List(changes) => changes,
        Changes::Unknown => panic!("events were lost"),
    }
}

#[test]
fn a_move_is_told_with_all_that_is_to_be_known() {
    let test = "a_move_is_told_with_all_that_is_to_be_known";
    let Some(pods) = Pods::new(test) else { return };
    let (here, there) = (pods.container(A), pods.container(B));
    let mut threaded = Actor::threaded("nginx", &there);
    let tid = threaded.start_thread();
    let Some(mut source) = watching(&pods, test) else { return };
    let pid = threaded.pid();
    let snapshot = source.snapshot(&Governed::from_iter([A])).expect("it can be looked");
    assert!(snapshot.processes.is_empty(), "{snapshot:?}");
    // A cgroup that was not there when the tree was read.
    here.nested("its/own").add(pid);
    let changes = list(&mut source);
    let [Change::Appeared(process)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((process.id.pid, process.id.start), (pid, start_time(pid)));
    assert_eq!((&*process.pod_uid, process.container_id.as_deref()), (A, Some(CONTAINER)));
    assert_eq!(process.parent, std::process::id());
    assert!(process.threads.iter().any(|thread| thread.tid == tid), "{process:?}");
    let located = source.locate(tid).expect("it can be looked");
    assert_eq!(located, Located::InPod(process.clone()), "a thread of it");
    there.add(pid);
    assert_eq!(list(&mut source), [Change::Gone(process.id)]);
    assert_eq!(source.locate(std::process::id()).expect("it can be looked"), Located::Elsewhere);
}

#[test]
fn all_pods_are_seen_at_once_by_whoever_wants_them() {
    let test = "all_pods_are_seen_at_once_by_whoever_wants_them";
    let Some(pods) = Pods::new(test) else { return };
    let idle = [A, B].map(|uid| {
        let idle = Idle::start();
        pods.container(uid).add(idle.pid());
        idle
    });
    let Some(mut source) = watching(&pods, test) else { return };
    let snapshot = source.snapshot_of_all_pods().expect("it can be looked");
    let mut found: Vec<(u32, &str)> =
        snapshot.processes.iter().map(|process| (process.id.pid, &*process.pod_uid)).collect();
    found.sort_unstable();
    let mut expected = [(idle[0].pid(), A), (idle[1].pid(), B)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let later = Idle::start();
    pods.best_effort_container("8c1f9f0e-52a4-4a57-9d67-0f6b8c0f7a11").add(later.pid());
    let changes = list(&mut source);
    // Its program may be so new that its name comes afterwards.
    assert!(
        matches!(&changes[..], [Change::Appeared(process), ..] if process.id.pid == later.pid()),
        "{changes:?}"
    );
}
