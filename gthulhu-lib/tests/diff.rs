//! A scheduler that keeps its own copy of the table by differences alone has the table, whatever happens on the node.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::{Limits, set::IntentSet};
use gthulhu_lib::process::{
    Changes, Comm, Governed, Located, Process, ProcessId, ProcessSource, Snapshot, SourceError, Thread,
};
use gthulhu_lib::strategy::diff::Diff;
use gthulhu_lib::strategy::{Entry, Resolved};
use gthulhu_lib::wire::IntentBody;
use proptest::prelude::*;

/// A state of the table, as a copy of it is kept.
type Mirror = BTreeMap<u32, Entry>;

/// Takes a difference over, and refuses what a difference must not hold.
fn take(copy: &mut Mirror, diff: &Diff) -> Result<(), TestCaseError> {
    for (pid, entry) in &diff.changed {
        prop_assert_ne!(copy.insert(*pid, *entry), Some(*entry), "{} did not change", pid);
    }
    for pid in &diff.removed {
        prop_assert!(copy.remove(pid).is_some(), "{} was not there", pid);
    }
    Ok(())
}

fn any_copy() -> impl Strategy<Value = Mirror> {
    let entry = (0_i64..3, 0_i64..2, 0_u64..3).prop_map(|(priority, slices, start)| {
        Entry::pack(Resolved::clamped(priority, slices * 1_000_000), start)
    });
    prop::collection::btree_map(prop_oneof![0_u32..12, Just(u32::MAX)], entry, 0..10)
}

fn sorted(copy: &Mirror) -> Vec<(u32, Entry)> {
    copy.iter().map(|(&pid, &entry)| (pid, entry)).collect()
}

/// A node whose processes a test sets.
struct Shared(Arc<Mutex<Vec<Process>>>);

impl ProcessSource for Shared {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn snapshot(&mut self, _: &Governed) -> Result<Snapshot, SourceError> {
        let processes = self.0.lock().expect("no test panics while it holds this").clone();
        Ok(Snapshot { processes, ..Snapshot::default() })
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::Unknown)
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        self.snapshot(&Governed::default())
    }

    fn locate(&mut self, _: u32) -> Result<Located, SourceError> {
        Ok(Located::NotFound)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Something that happens on a node.
#[derive(Clone, Debug)]
enum Event {
    Apply(Vec<IntentBody>),
    Processes(Vec<Process>),
    Mute(String, u32),
    RemovePod(String),
    /// The copy asks for the difference; it need not do so after every event.
    Ask,
}

fn any_event() -> impl Strategy<Value = Event> {
    let body = ("[pq]", 0_i64..4).prop_map(|(pod_id, priority)| IntentBody {
        pod_id,
        priority,
        ..IntentBody::default()
    });
    let process = ("[pqr]", 0_u64..2, 0_u32..2);
    let processes = prop::collection::btree_map(0_u32..5, process, 0..5).prop_map(|parts| {
        let process = |(n, (pod, start, threads)): (u32, (String, u64, u32))| Process {
            id: ProcessId { pid: 10 * n + 10, start },
            parent: 1,
            comm: Comm::new(b"x"),
            pod_uid: pod.into(),
            container_id: None,
            threads: (1..=threads).map(|tid| Thread { tid: 10 * n + 10 + tid, start }).collect(),
        };
        parts.into_iter().map(process).collect()
    });
    prop_oneof![
        prop::collection::vec(body, 0..4).prop_map(Event::Apply),
        processes.prop_map(Event::Processes),
        ("[pq]", 1_u32..6).prop_map(|(pod, n)| Event::Mute(pod, 10 * n)),
        "[pq]".prop_map(Event::RemovePod),
        Just(Event::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_difference_leads_from_one_state_to_the_other(a in any_copy(), b in any_copy()) {
        let diff = Diff::between(&sorted(&a), &sorted(&b));
        let mut copy = a.clone();
        take(&mut copy, &diff)?;
        prop_assert_eq!(&copy, &b);
        prop_assert_eq!(diff.is_empty(), a == b);
        prop_assert!(Diff::between(&sorted(&b), &sorted(&copy)).is_empty());
    }

    #[test]
    fn a_copy_kept_by_differences_is_the_table(events in prop::collection::vec(any_event(), 0..25)) {
        let processes = Arc::new(Mutex::new(Vec::new()));
        let mut engine = Engine::new(Box::new(Shared(Arc::clone(&processes))), EngineOptions { pid_max: 512 });
        let table = engine.table();
        let (mut copy, mut seen) = (Mirror::new(), table.generation());
        for event in events.into_iter().chain([Event::Ask]) {
            match event {
                Event::Apply(bodies) => {
                    let set = IntentSet::check(bodies, &Limits::default()).expect("valid intents");
                    engine.apply(set).expect("the source never fails");
                }
                Event::Processes(now) => {
                    *processes.lock().expect("nobody panics with it") = now;
                    engine.refresh().expect("the source never fails");
                }
                Event::Mute(pod, pid) => {
                    engine.mute(&pod, pid);
                }
                Event::RemovePod(pod) => engine.remove_pod(&pod),
                Event::Ask => {
                    let diff = engine.diff();
                    // A generation that stands still has nothing to tell. (One that moved may have moved back.)
                    prop_assert!(diff.is_empty() || table.generation() != seen);
                    seen = table.generation();
                    take(&mut copy, &diff)?;
                    let published = (0..512).filter_map(|pid| Some((pid, table.lookup(pid)?)));
                    prop_assert_eq!(&copy, &published.collect::<Mirror>());
                    prop_assert_eq!(copy.len(), engine.rows().len());
                    prop_assert!(engine.diff().is_empty(), "nothing happened since");
                }
            }
        }
    }
}
