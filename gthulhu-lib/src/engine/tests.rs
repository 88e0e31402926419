//! The engine over a source whose processes the test moves by hand. (Real ones are in the crate's `tests/`.)

mod preview;
mod verdict;

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;
use crate::explain::{RefusalReason, Verdict};
use crate::id::Id;
use crate::intent::Limits;
use crate::process::cgroup::Refusal;
use crate::process::{Change, Comm, ProcessId, Snapshot, Thread};
use crate::strategy::Resolved;
use crate::wire::IntentBody;

/// What the scripted source says, shared with the test.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    processes: Vec<Process>,
    /// Answers to the next calls of `changes`; then `Unknown`.
    changes: VecDeque<Changes>,
    located: Option<Located>,
    broken: bool,
    governed: Governed,
}

impl Script {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) -> Result<MutexGuard<'_, Lines>, SourceError> {
        let lines = self.lines();
        if lines.broken {
            return Err(SourceError::Unreadable {
                path: PathBuf::from("/script"),
                source: io::ErrorKind::Other.into(),
            });
        }
        Ok(lines)
    }
}

impl ProcessSource for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn snapshot(&mut self, governed: &Governed) -> Result<Snapshot, SourceError> {
        let mut lines = self.works()?;
        lines.governed = governed.clone();
        let left_out = LeftOut { refused: 2, unreadable: 1 };
        let of_governed = lines.processes.iter().filter(|process| governed.contains(&process.pod_uid));
        Ok(Snapshot { processes: of_governed.cloned().collect(), left_out })
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(self.works()?.changes.pop_front().unwrap_or(Changes::Unknown))
    }

    fn survey(&mut self) -> Result<Snapshot, SourceError> {
        let processes = self.works()?.processes.clone();
        Ok(Snapshot { processes, ..Snapshot::default() })
    }

    fn locate(&mut self, tid: u32) -> Result<Located, SourceError> {
        let lines = self.works()?;
        let of = |process: &&Process| process.id.pid == tid || process.threads.iter().any(|t| t.tid == tid);
        let found = lines.processes.iter().find(of).cloned().map_or(Located::NotFound, Located::InPod);
        Ok(lines.located.clone().unwrap_or(found))
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn process(pid: u32, pod: &str, comm: &str) -> Process {
    Process {
        id: ProcessId { pid, start: 100 },
        parent: 1,
        comm: Comm::new(comm.as_bytes()),
        pod_uid: pod.into(),
        container_id: None,
        threads: vec![Thread { tid: pid + 1, start: 101 }],
    }
}

fn intents(of: &[(&str, u8, i64, &str)]) -> IntentSet {
    let bodies = of.iter().map(|&(pod, strategy, priority, regex)| IntentBody {
        pod_id: pod.to_owned(),
        strategy_id: Some(Id::from_bytes([strategy; 12]).to_string()),
        priority,
        command_regex: regex.to_owned(),
        ..IntentBody::default()
    });
    IntentSet::check(bodies.collect(), &Limits::default()).unwrap()
}

fn engine(processes: &[Process]) -> (Engine, Script) {
    let script = Script::default();
    script.lines().processes = processes.to_vec();
    (Engine::new(Box::new(script.clone()), EngineOptions { pid_max: 32_768 }), script)
}

fn tids(engine: &Engine) -> Vec<u32> {
    engine.rows().iter().map(|row| row.tid).collect()
}

fn entry(priority: i64, start: u64) -> Entry {
    Entry::pack(Resolved::clamped(priority, 0), start)
}

#[test]
fn an_applied_set_reaches_rows_table_and_diff() {
    let (mut engine, script) = engine(&[process(10, "a", "nginx"), process(20, "b", "nginx")]);
    let table = engine.table();
    assert_eq!((engine.rows().len(), engine.source_name()), (0, "script"));
    let refreshed = engine.apply(intents(&[("a", 1, 3, "nginx")])).unwrap();
    assert_eq!(refreshed, Refreshed { processes_changed: true, generation: 1 });
    assert_eq!(tids(&engine), [10, 11]);
    assert_eq!(engine.row_intent(&engine.rows()[0]).priority(), 3);
    assert_eq!(table.lookup_task(10, 100), Some(entry(3, 100)));
    assert_eq!(table.lookup_task(11, 101), Some(entry(3, 101)), "threads are in the table too");
    assert_eq!(table.lookup(20), None);
    assert!(script.lines().governed.contains("a") && !script.lines().governed.contains("b"));
    assert_eq!(
        engine.diff(),
        Diff { changed: vec![(10, entry(3, 100)), (11, entry(3, 101))], removed: vec![] }
    );
    assert!(engine.diff().is_empty());

    engine.apply(intents(&[("b", 1, 4, "")])).unwrap();
    let changed = vec![(20, entry(4, 100)), (21, entry(4, 101))];
    assert_eq!(engine.diff(), Diff { changed, removed: vec![10, 11] });
    engine.apply(IntentSet::default()).unwrap();
    assert!(engine.rows().is_empty() && table.lookup(20).is_none());
    assert_eq!(engine.pods().len(), 0, "only governed pods are followed");
    let survey = engine.survey().unwrap();
    let listed: Vec<_> = survey.pods().map(|(uid, processes)| (uid, processes.len())).collect();
    assert_eq!(listed, [("a", 1), ("b", 1)]);
}

#[test]
fn of_two_tasks_with_one_number_the_one_that_started_last_has_the_entry() {
    // Number 20 as process 10's thread and as a leader in another pod, in both orders of time. The last pair differs
    // beyond the bits of a tag.
    for (thread, leader) in [(500, 900), (900, 500), ((1 << 31) - 1, 1 << 31)] {
        let mut old = process(10, "a", "nginx");
        old.threads = vec![Thread { tid: 20, start: thread }];
        let mut new = process(20, "b", "redis");
        new.id.start = leader;
        let (mut engine, _) = engine(&[old, new]);
        engine.apply(intents(&[("a", 1, 3, ""), ("b", 2, 4, "")])).unwrap();
        let wins = if thread > leader { entry(3, thread) } else { entry(4, leader) };
        assert_eq!(engine.table().lookup(20), Some(wins), "thread of {thread}, leader of {leader}");
    }
}

#[test]
fn a_quiet_node_is_not_resolved_again() {
    let (mut engine, script) = engine(&[process(10, "a", "nginx")]);
    engine.apply(intents(&[("a", 1, 3, "nginx")])).unwrap();
    let before = engine.counters();
    script.lines().changes = [Changes::List(Vec::new()), Changes::Unknown].into();
    for _ in 0..2 {
        assert_eq!(engine.refresh().unwrap(), Refreshed { processes_changed: false, generation: 1 });
    }
    let after = engine.counters();
    assert_eq!(after, Counters { snapshots: before.snapshots + 1, ..before });
    assert_eq!((after.pods, after.processes, after.tasks, after.left_out.refused), (1, 1, 2, 2));
}

#[test]
fn changes_and_snapshots_both_lead_to_new_rows() {
    let ten = process(10, "a", "nginx");
    let (mut engine, script) = engine(std::slice::from_ref(&ten));
    engine.refresh().unwrap();
    engine.apply(intents(&[("a", 1, 3, "nginx")])).unwrap();
    let list = |changes: Vec<Change>| Changes::List(changes);
    script.lines().changes = [
        list(vec![
            Change::Appeared(process(20, "a", "sh")),
            Change::Renamed(ProcessId { pid: 20, start: 100 }, Comm::new(b"nginx")),
        ]),
        list(vec![Change::Renamed(ten.id, Comm::new(b"sh"))]),
        list(vec![Change::Gone(ProcessId { pid: 20, start: 100 })]),
        Changes::Unknown, // events were lost: what the snapshot shows counts
    ]
    .into();
    for expected in [&[10, 20, 11, 21][..], &[20, 21], &[], &[10, 11]] {
        assert!(engine.refresh().unwrap().processes_changed);
        assert_eq!(tids(&engine), expected);
    }
}

#[test]
fn a_broken_source_changes_nothing_and_is_asked_for_everything_afterwards() {
    let (mut engine, script) = engine(&[process(10, "a", "nginx")]);
    engine.apply(intents(&[("a", 1, 3, "")])).unwrap();
    let before = (engine.intents().clone(), tids(&engine), engine.table().generation());
    script.lines().broken = true;
    assert!(engine.apply(intents(&[("a", 2, 9, "")])).is_err());
    assert!(engine.refresh().is_err());
    assert!(engine.explain(10).is_err());
    assert_eq!((engine.intents().clone(), tids(&engine), engine.table().generation()), before);
    {
        let mut lines = script.lines();
        lines.broken = false;
        lines.processes.push(process(20, "a", "x"));
        lines.changes.push_back(Changes::List(Vec::new())); // relative to a snapshot that was never had
    }
    engine.refresh().unwrap();
    assert_eq!(tids(&engine), [10, 20, 11, 21]);
    assert!(script.lines().governed.contains("a"));
    // The list that is lost with the answer would have told of a process that ended.
    script.lines().broken = true;
    assert!(engine.refresh().is_err());
    {
        let mut lines = script.lines();
        lines.broken = false;
        lines.processes.truncate(1);
        lines.changes.push_back(Changes::List(Vec::new()));
    }
    engine.refresh().unwrap();
    assert_eq!(tids(&engine), [10, 11]);
}

#[test]
fn muting_lasts_until_the_next_set_or_the_end_of_the_task() {
    let (mut engine, script) = engine(&[process(10, "a", "x"), process(20, "a", "x")]);
    let set = intents(&[("a", 1, 3, "")]);
    engine.apply(set.clone()).unwrap();
    assert!(!engine.mute("a", 99) && !engine.mute("b", 10));
    assert!(engine.mute("A", 10) && engine.mute("a", 21));
    assert_eq!(tids(&engine), [20]);
    assert_eq!(engine.table().lookup(10), None);
    engine.refresh().unwrap();
    assert_eq!(tids(&engine), [20]);
    // The number is given to another process.
    script.lines().processes[0].id.start = 500;
    engine.refresh().unwrap();
    assert_eq!(tids(&engine), [10, 20, 11]);
    engine.apply(set).unwrap();
    assert_eq!(tids(&engine), [10, 20, 11, 21]);
}

#[test]
fn a_removed_pod_loses_its_intents_and_nobody_else_does() {
    let (mut engine, _script) = engine(&[process(10, "a", "x"), process(20, "b", "x")]);
    engine.apply(intents(&[("a", 1, 3, ""), ("a", 2, 4, ""), ("b", 1, 3, "")])).unwrap();
    engine.remove_pod("unknown");
    assert_eq!((engine.intents().len(), engine.counters().resolutions), (3, 1));
    engine.remove_pod("A");
    assert_eq!((engine.intents().len(), tids(&engine)), (1, vec![20, 21]));
}

#[test]
fn an_explanation_names_winner_and_loser() {
    let (mut engine, _script) = engine(&[
        process(10, "a", "nginx"),
        process(20, "a", "pause"),
        process(30, "a", "sh"),
        process(40, "b", "sh"),
    ]);
    engine.apply(intents(&[("a", 1, 9, "nginx"), ("a", 2, 5, "ngin"), ("a", 3, 1, "redis")])).unwrap();
    let [loser, winner, other] = [1, 2, 3].map(|n| Id::from_bytes([n; 12]));

    for pid in [10, 11] {
        let explanation = engine.explain(pid).unwrap();
        assert_eq!(explanation.outcome, Outcome::Governed);
        let verdicts: Vec<_> = explanation.intents.iter().map(|i| (i.strategy_id, i.verdict)).collect();
        let loses = Verdict::LosesTo { strategy: Some(winner) };
        let expected =
            [(Some(other), Verdict::RegexDoesNotMatch), (Some(winner), Verdict::Wins), (Some(loser), loses)];
        assert_eq!(verdicts, expected);
        assert_eq!(explanation.due.unwrap().priority, 5);
        assert_eq!(explanation.published, explanation.due);
    }
    let pause = engine.explain(20).unwrap();
    assert_eq!((pause.outcome, pause.due), (Outcome::PauseNeverGoverned, None));
    assert!(pause.intents.iter().all(|intent| intent.verdict == Verdict::PauseNeverGoverned));
    let unmatched = engine.explain(30).unwrap();
    assert_eq!(
        (unmatched.outcome, unmatched.intents.len(), unmatched.due),
        (Outcome::NoRegexMatches, 3, None)
    );
    assert_eq!(engine.explain(40).unwrap().outcome, Outcome::NoIntentForPod);

    engine.mute("a", 11);
    let thread = engine.explain(11).unwrap();
    assert_eq!((thread.outcome, thread.due, thread.published), (Outcome::Muted, None, None));
    let verdicts: Vec<_> = thread.intents.iter().map(|intent| intent.verdict).collect();
    assert_eq!(verdicts, [Verdict::RegexDoesNotMatch, Verdict::Muted, Verdict::Muted]);
    assert_eq!(engine.explain(10).unwrap().outcome, Outcome::Governed);
}

#[test]
fn an_explanation_says_why_there_is_no_process_to_govern() {
    let (mut engine, script) = engine(&[]);
    for (located, outcome) in [
        (Located::NotFound, Outcome::NotFound),
        (Located::Elsewhere, Outcome::NotInPod),
        (Located::Refused(Refusal::TwoPodsInPath), Outcome::Refused(RefusalReason::TwoPodsInPath)),
        (Located::Refused(Refusal::LinesDisagree), Outcome::Refused(RefusalReason::LinesDisagree)),
        (Located::InPod(process(10, "a", "x")), Outcome::NotFound), // thread 7 ended in between
    ] {
        script.lines().located = Some(located);
        let explanation = engine.explain(7).unwrap();
        assert_eq!(explanation, Explanation::without_process(7, outcome));
    }
}

#[test]
fn an_explanation_travels_as_json() {
    let (mut engine, _script) = engine(&[process(10, "a", "nginx")]);
    engine.apply(intents(&[("a", 1, 9, "nginx"), ("a", 2, 5, "")])).unwrap();
    let expected = serde_json::json!({
        "pid": 10,
        "outcome": "governed",
        "process": {"pid": 10, "startTime": 100, "ppid": 1, "command": "nginx", "podID": "a"},
        "intents": [
            {"strategyID": "020202020202020202020202", "priority": 5, "executionTime": 0, "verdict": "wins"},
            {
                "strategyID": "010101010101010101010101",
                "priority": 9,
                "executionTime": 0,
                "commandRegex": "nginx",
                "verdict": {"losesTo": {"strategy": "020202020202020202020202"}},
            },
        ],
        "due": {"priority": 5, "sliceNs": 0},
        "published": {"priority": 5, "sliceNs": 0},
    });
    assert_eq!(serde_json::to_value(engine.explain(10).unwrap()).unwrap(), expected);
    let refused = Explanation::without_process(7, Outcome::Refused(RefusalReason::TwoPodsInPath));
    let expected = serde_json::json!({"pid": 7, "outcome": {"refused": "twoPodsInPath"}, "intents": []});
    assert_eq!(serde_json::to_value(refused).unwrap(), expected);
}
