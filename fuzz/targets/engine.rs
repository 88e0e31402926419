//! Any sequence of what can be done to an engine, against the plainest thing that could be meant by it.
//!
//! Property: after every step each task has the strategy that going through all intents for all processes gives, the table says
//! the same as the rows, also by the tag of the start time, and the generation never goes back.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::intent::{Limits, set::IntentSet};
use gthulhu_lib::process::{
    Changes, Comm, Governed, Located, Process, ProcessId, ProcessSource, Snapshot, SourceError, Thread,
};
use gthulhu_lib::strategy::{Entry, Resolved};
use gthulhu_lib::wire::IntentBody;
use libfuzzer_sys::fuzz_target;

const PODS: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 3] = ["nginx", "nginx-worker", "pause"];
const REGEXES: [&str; 4] = ["", "nginx", "^nginx$", "worker|pause"];

/// A node with the processes that were put there.
struct Node(Arc<Mutex<Vec<Process>>>);

impl ProcessSource for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        let mut all = self.survey()?;
        all.processes.retain(|process| governed.contains(&process.pod_uid));
        Ok(all)
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        let processes = self.0.lock().expect("nobody panics while he holds it").clone();
        Ok(Snapshot { processes, ..Snapshot::default() })
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::Unknown)
    }

    fn locate(&mut self, _: u32) -> Result<Located, SourceError> {
        Ok(Located::NotFound)
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[derive(Clone)]
struct Meant {
    pod: usize,
    regex: usize,
    resolved: Resolved,
    /// Smaller wins between equals.
    id: u8,
}

impl Meant {
    fn matches(&self, name: &str) -> bool {
        name != "pause"
            && match self.regex {
                0 => true,
                1 => name.contains("nginx"),
                2 => name == "nginx",
                _ => name.contains("worker"),
            }
    }
}

/// The processes of pods that have intents; the engine knows no others.
fn governed(intents: &[Meant], node: &[Process]) -> Vec<Process> {
    let is_meant = |process: &&Process| intents.iter().any(|meant| PODS[meant.pod] == &*process.pod_uid);
    node.iter().filter(is_meant).cloned().collect()
}

/// What every task should have.
fn expected(intents: &[Meant], node: &[Process], muted: &BTreeSet<ProcessId>) -> BTreeMap<u32, Entry> {
    let mut entries = BTreeMap::new();
    for process in node.iter().filter(|process| !muted.contains(&process.id)) {
        let name = String::from_utf8_lossy(process.comm.as_bytes()).into_owned();
        let applies = |meant: &&Meant| PODS[meant.pod] == &*process.pod_uid && meant.matches(&name);
        let winner = intents.iter().filter(applies).min_by_key(|meant| (meant.resolved.rank(), meant.id));
        let Some(winner) = winner else { continue };
        entries.insert(process.id.pid, Entry::pack(winner.resolved, process.id.start));
        for thread in &process.threads {
            entries.insert(thread.tid, Entry::pack(winner.resolved, thread.start));
        }
    }
    entries
}

fuzz_target!(|data: &[u8]| {
    let shared = Arc::new(Mutex::new(Vec::new()));
    let mut engine = Engine::new(Box::new(Node(Arc::clone(&shared))), EngineOptions { pid_max: 1024 });
    let table = engine.table();
    let (mut intents, mut seen, mut muted) = (Vec::new(), Vec::<Process>::new(), BTreeSet::new());
    let mut generation = 0;
    let mut bytes = data.iter().copied();
    let mut next = move || bytes.next();
    while let Some(step) = next() {
        let mut byte = || usize::from(next().unwrap_or_default());
        match step % 4 {
            0 => {
                let meant = |id: u8| {
                    let resolved = Resolved::clamped(byte() as i64 % 22 - 1, byte() as i64 * 1_000_000);
                    Meant { pod: byte() % 3, regex: byte() % 4, resolved, id }
                };
                intents = (0..step / 4 % 6).map(meant).collect::<Vec<_>>();
                let body = |meant: &Meant| IntentBody {
                    pod_id: PODS[meant.pod].to_owned(),
                    command_regex: REGEXES[meant.regex].to_owned(),
                    priority: meant.resolved.priority().into(),
                    execution_time: meant.resolved.slice_ns().into(),
                    strategy_id: Some(format!("{:024x}", meant.id)),
                    ..IntentBody::default()
                };
                let set = IntentSet::check(intents.iter().map(body).collect(), &Limits::default());
                engine.apply(set.expect("these keep to the rules")).expect("this node never fails");
                seen = governed(&intents, &shared.lock().expect("as above"));
                muted.clear();
            }
            1 => {
                let process = |number: u8| Process {
                    id: ProcessId { pid: 10 + u32::from(number) * 10, start: byte() as u64 % 3 },
                    parent: 1,
                    comm: Comm::new(NAMES[byte() % 3].as_bytes()),
                    pod_uid: PODS[byte() % 3].into(),
                    container_id: None,
                    threads: (0..byte() as u32 % 3)
                        .map(|thread| Thread { tid: 11 + u32::from(number) * 10 + thread, start: 7 })
                        .collect(),
                };
                *shared.lock().expect("as above") = (0..step / 4 % 8).map(process).collect();
            }
            2 => {
                engine.refresh().expect("this node never fails");
                seen = governed(&intents, &shared.lock().expect("as above"));
                muted.retain(|id| seen.iter().any(|process| process.id == *id));
            }
            _ => {
                let (pod, pid) = (PODS[byte() % 3], 10 + byte() as u32 % 8 * 10);
                let there = seen.iter().find(|process| process.id.pid == pid && &*process.pod_uid == pod);
                assert_eq!(engine.mute(pod, pid), there.is_some());
                muted.extend(there.map(|process| process.id));
            }
        }
        let expected = expected(&intents, &seen, &muted);
        assert!(table.generation() >= generation);
        generation = table.generation();
        for pid in 0..200 {
            let held = expected.get(&pid).copied();
            assert_eq!(table.lookup(pid), held, "pid {pid} after {step}");
            let start = seen.iter().find(|process| process.id.pid == pid).map(|process| process.id.start);
            if let Some(start) = start {
                assert_eq!(table.lookup_task(pid, start), held);
                assert_eq!(table.lookup_task(pid, start + 1), None);
            }
        }
        let rows: BTreeMap<u32, u64> = engine.rows().iter().map(|row| (row.tid, row.start)).collect();
        assert_eq!(rows.len(), engine.rows().len(), "a task has one row");
        assert!(rows.keys().eq(expected.keys()));
    }
});
