//! Who gets what, against a model that is too simple to be wrong: every intent held against every process.

use std::collections::{BTreeSet, HashSet};
use std::os::fd::BorrowedFd;

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::explain::Verdict;
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::intent::{Intent, Limits};
use gthulhu_lib::process::{
    Changes, Comm, Governed, Located, Process, ProcessId, ProcessSource, Snapshot, SourceError, Thread,
};
use gthulhu_lib::resolve::TaskRow;
use gthulhu_lib::strategy::Entry;
use gthulhu_lib::wire::IntentBody;
use proptest::prelude::*;

/// A node whose processes are these, for ever.
struct Fixed(Vec<Process>);

impl ProcessSource for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn snapshot(&mut self, _: &Governed) -> Result<Snapshot, SourceError> {
        Ok(Snapshot { processes: self.0.clone(), ..Snapshot::default() })
    }

    fn changes(&mut self) -> Result<Changes, SourceError> {
        Ok(Changes::List(Vec::new()))
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

fn set(bodies: &[IntentBody]) -> IntentSet {
    IntentSet::check(bodies.to_vec(), &Limits { accept_any_priority: true }).expect("valid intents")
}

fn applied(bodies: &[IntentBody], processes: &[Process]) -> Engine {
    let mut engine = Engine::new(Box::new(Fixed(processes.to_vec())), EngineOptions { pid_max: 512 });
    engine.apply(set(bodies)).expect("the source never fails");
    engine
}

/// One task with its strategy: tid, tgid, start, priority, slice, and the strategy and text of the winner.
type Row = (u32, u32, u64, u8, u32, Option<Id>, String);

fn rows(engine: &Engine) -> Vec<Row> {
    engine.rows().iter().map(|row| shown(row, engine.row_intent(row))).collect()
}

fn shown(row: &TaskRow, intent: &Intent) -> Row {
    let (priority, slice) = (row.resolved.priority(), row.resolved.slice_ns());
    (row.tid, row.tgid, row.start, priority, slice, intent.strategy(), intent.pod_name().to_owned())
}

/// Whether a command name is meant.
type Meaning = fn(&str) -> bool;

/// The regexes that are tried, with what they mean in plain words.
const REGEXES: [(&str, Meaning); 5] = [
    ("", |_| true),
    ("a", |comm| comm.contains('a')),
    ("^b", |comm| comm.starts_with('b')),
    ("ab|ba", |comm| comm.contains("ab") || comm.contains("ba")),
    ("z", |_| false),
];

fn means(regex: &str, comm: &str) -> bool {
    REGEXES.iter().any(|(text, meaning)| *text == regex && meaning(comm))
}

/// Whether `one` wins over `other`: word for word as users are told. The later place in the set loses.
fn beats(one: (usize, &Intent), other: (usize, &Intent)) -> bool {
    let strength = |intent: &Intent| match intent.priority() {
        ..=0 => 0,
        20.. => 1,
        graded => 21 - graded,
    };
    if strength(one.1) != strength(other.1) {
        return strength(one.1) > strength(other.1);
    }
    match (one.1.strategy(), other.1.strategy()) {
        (Some(a), Some(b)) if a != b => a < b,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        _ => one.0 < other.0,
    }
}

fn model(bodies: &[IntentBody], processes: &[Process]) -> Vec<Row> {
    let set = set(bodies);
    let mut leaders = Vec::new();
    let mut others = Vec::new();
    for process in processes {
        let comm = process.comm.to_string();
        let mut winner: Option<(usize, &Intent)> = None;
        for candidate in set.iter().enumerate() {
            let applies = candidate.1.pod_uid().eq_ignore_ascii_case(&process.pod_uid)
                && means(candidate.1.command_regex(), &comm)
                && comm != "pause";
            if applies && winner.is_none_or(|winner| beats(candidate, winner)) {
                winner = Some(candidate);
            }
        }
        let Some((_, intent)) = winner else { continue };
        let add = |rows: &mut Vec<Row>, tid, start| {
            let (priority, slice) = (intent.effective().priority(), intent.effective().slice_ns());
            let name = intent.pod_name().to_owned();
            rows.push((tid, process.id.pid, start, priority, slice, intent.strategy(), name));
        };
        add(&mut leaders, process.id.pid, process.id.start);
        for thread in &process.threads {
            add(&mut others, thread.tid, thread.start);
        }
    }
    leaders.sort();
    others.sort();
    leaders.extend(others);
    leaders
}

/// Small alphabets, so that ties of every depth are common.
fn any_bodies() -> impl Strategy<Value = Vec<IntentBody>> {
    let priority = prop_oneof![4 => 0_i64..4, 1 => 18_i64..23, 1 => Just(-1_i64)];
    let regex = prop::sample::select(REGEXES.as_slice()).prop_map(|(text, _)| text.to_owned());
    let strategy = prop::option::weighted(0.8, "[12]").prop_map(|digit| digit.map(|digit| digit.repeat(24)));
    let parts = ("[pqPQ]", "[xy]?", regex, priority, 0_i64..3, strategy);
    let body =
        parts.prop_map(|(pod_id, pod_name, command_regex, priority, slices, strategy_id)| IntentBody {
            pod_id,
            pod_name,
            command_regex,
            priority,
            execution_time: slices * 1_000_000,
            strategy_id,
            ..IntentBody::default()
        });
    prop::collection::vec(body, 0..12)
}

fn any_processes() -> impl Strategy<Value = Vec<Process>> {
    let process =
        ("[pqr]", prop_oneof![4 => "[abc]{0,3}", 1 => Just("pause".to_owned())], 0_u32..3, 0_u64..9);
    prop::collection::vec(process, 0..8).prop_map(|parts| {
        let process = |(n, (pod, comm, threads, start)): (u32, (String, String, u32, u64))| Process {
            id: ProcessId { pid: 10 * n + 10, start },
            parent: 1,
            comm: Comm::new(comm.as_bytes()),
            pod_uid: pod.into(),
            container_id: None,
            threads: (1..=threads).map(|tid| Thread { tid: 10 * n + 10 + tid, start: start + 1 }).collect(),
        };
        (0..).zip(parts).map(process).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn equals_the_model(bodies in any_bodies(), processes in any_processes()) {
        prop_assert_eq!(rows(&applied(&bodies, &processes)), model(&bodies, &processes));
    }

    /// Whatever is held before, a preview of a set is what applying it does.
    #[test]
    fn a_preview_is_what_applying_does(
        held in any_bodies(), candidate in any_bodies(), processes in any_processes(),
    ) {
        let mut engine = applied(&held, &processes);
        let before = rows(&engine);
        let preview = engine.preview(set(&candidate)).expect("the source never fails");
        prop_assert_eq!(rows(&engine), before);
        let foreseen: Vec<Row> = preview.rows().iter().map(|row| shown(row, preview.row_intent(row))).collect();
        let report = preview.report(None);
        engine.apply(set(&candidate)).expect("the source never fails");
        prop_assert_eq!(foreseen, rows(&engine));
        let tasks: u64 = report.intents.iter().map(|intent| intent.tasks).sum();
        prop_assert_eq!(tasks, engine.rows().len() as u64);
        let mut winners: Vec<u32> = report.intents.iter().flat_map(|intent| {
            let won = intent.processes.iter().filter(|process| process.verdict == Verdict::Wins);
            won.map(|process| process.pid)
        }).collect();
        winners.sort_unstable();
        let leaders: Vec<u32> = engine.rows().iter().filter(|row| row.is_leader()).map(|row| row.tid).collect();
        prop_assert_eq!(winners, leaders);
    }

    #[test]
    fn the_order_of_insertion_leaves_no_trace(
        (bodies, shuffled) in any_bodies().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        (processes, mixed) in any_processes().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let (one, other) = (applied(&bodies, &processes), applied(&shuffled, &mixed));
        prop_assert_eq!(rows(&one), rows(&other));
        for (tid, ..) in rows(&one) {
            prop_assert_eq!(one.table().lookup(tid), other.table().lookup(tid));
        }
    }

    /// The table holds the rows and nothing else, and every task has one row at most.
    #[test]
    fn the_table_is_the_rows(bodies in any_bodies(), processes in any_processes()) {
        let engine = applied(&bodies, &processes);
        let rows = rows(&engine);
        let tids: BTreeSet<u32> = rows.iter().map(|row| row.0).collect();
        prop_assert_eq!(tids.len(), rows.len());
        for (tid, _, start, priority, slice, ..) in &rows {
            let entry = engine.table().lookup_task(*tid, *start).map(Entry::resolved);
            prop_assert_eq!(entry.map(|found| (found.priority(), found.slice_ns())), Some((*priority, *slice)));
        }
        let published: HashSet<u32> = (0..200).filter(|&tid| engine.table().lookup(tid).is_some()).collect();
        prop_assert_eq!(published, tids.into_iter().collect());
    }
}

/// A model that never says anything would agree with everything.
#[test]
fn the_cases_are_telling() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut contested, mut governed) = (0, 0);
    for _ in 0..300 {
        let tree = (any_bodies(), any_processes()).new_tree(&mut runner).expect("a case can be made");
        let (bodies, processes) = proptest::strategy::ValueTree::current(&tree);
        let all = model(&bodies, &processes);
        governed += usize::from(!all.is_empty());
        let loses = |body| model(std::slice::from_ref(body), &processes).iter().any(|row| !all.contains(row));
        contested += usize::from(bodies.iter().any(loses));
    }
    assert!(governed > 100 && contested > 30, "{governed} cases with rows, {contested} with losers");
}
