//! The frames of the feed against the JSON that every other build reads and writes: `src/wire/feed/golden`.
//!
//! `GOLDEN=write` writes the files anew.

use std::fs;
use std::path::Path;

use gthulhu_lib::pod_index::PodIndex;
use gthulhu_lib::process::{Change, Comm, LeftOut, Process, ProcessId, Snapshot, Thread};
use gthulhu_lib::wire::feed::processes::News;
use gthulhu_lib::wire::feed::{
    Bye, Counters, Event, Events, Explain, Explanation, FRAME_MAX, Frame, Hello, IntentsPart, MutedTask,
    Processes, Role, SchedulerState, Table, TaskInKernel, Waits,
};
use gthulhu_lib::wire::{IntentBody, SchedulerMetrics};

/// One frame of each type, every field filled.
fn frames() -> Vec<(&'static str, Frame)> {
    let intent = IntentBody {
        pod_name: "nginx-0".to_owned(),
        pod_id: "u1".to_owned(),
        command_regex: "nginx|worker".to_owned(),
        priority: 3,
        execution_time: 20_000_000,
        strategy_id: Some("65f0c0ffee0123456789abcd".to_owned()),
        ..IntentBody::default()
    };
    let muted = MutedTask { pod_id: "u1".to_owned(), pid: 42, start_time: 98_765 };
    let part = IntentsPart {
        epoch: 3,
        generation: 7,
        part: 1,
        parts: 2,
        intents: vec![intent, IntentBody::default()],
        muted: vec![muted],
    };
    let counters = Counters {
        state: SchedulerState::Attached,
        detail: "since 12 s".to_owned(),
        metrics: SchedulerMetrics { nr_queued: 2, nr_user_dispatches: 6, ..SchedulerMetrics::default() },
        more: [("preemptions_total".to_owned(), 9)].into(),
        waits: [("governed".to_owned(), Waits { buckets: vec![5, 3, 0, 1] })].into(),
    };
    let event = Event {
        kind: "cgroup-made".to_owned(),
        at_ns: 12_345,
        pid: 42,
        command: "nginx".to_owned(),
        cgroup: 4242,
        path: "/kubepods/podu1".to_owned(),
    };
    let event_of_nothing = Event { kind: "process-gone".to_owned(), ..Event::default() };
    let task = TaskInKernel {
        source: "cgroup".to_owned(),
        priority: 3,
        slice_ns: 20_000_000,
        cgroup: 4242,
        generation: 5,
        enqueues_governed: 10,
        enqueues: 11,
        first_governed_ns: 12_345,
    };
    let explanation = Explanation { id: 1, pid: 42, task: Some(task), text: "strategy 65f0 wins".to_owned() };
    let unmet = Explanation { id: 2, pid: 43, ..Explanation::default() };
    vec![
        ("hello", Frame::Hello(Hello { protocol: 1, role: Role::Scheduler, version: "0.1.0".to_owned() })),
        ("hello_down", Frame::Hello(Hello::new(Role::DecisionMaker, "0.1.0"))),
        ("bye", Frame::Bye(Bye { reason: "another scheduler is connected".to_owned() })),
        ("intents", Frame::Intents(part)),
        ("intents_none", Frame::Intents(IntentsPart { part: 1, parts: 1, ..IntentsPart::default() })),
        ("counters", Frame::Counters(Box::new(counters))),
        ("events", Frame::Events(Events { lost: 4, events: vec![event, event_of_nothing] })),
        (
            "processes",
            Frame::Processes(Processes { anew: true, more: true, refused: 1, unreadable: 2, news: news() }),
        ),
        ("processes_none", Frame::Processes(Processes::default())),
        ("explain", Frame::Explain(Explain { id: 1, pid: 42 })),
        ("explanation", Frame::Explanation(explanation)),
        ("explanation_unmet", Frame::Explanation(unmet)),
        ("table", Frame::Table(Table { layout: 1, pid_max: 4_194_304 })),
    ]
}

/// One change of each kind.
fn changes() -> Vec<Change> {
    let id = ProcessId { pid: 42, start: 98_765 };
    let thread = Thread { tid: 43, start: 98_766 };
    let process = |comm: &[u8], container_id: Option<&str>, threads| Process {
        id,
        parent: 1,
        comm: Comm::new(comm),
        pod_uid: "u1".into(),
        container_id: container_id.map(Into::into),
        threads,
    };
    vec![
        Change::Appeared(process(b"nginx", Some("c1"), vec![thread])),
        Change::Appeared(process(b"\xffz", None, Vec::new())),
        Change::Renamed(id, Comm::new(b"worker")),
        Change::ThreadAppeared(id, thread),
        Change::ThreadGone(id, thread),
        Change::Gone(id),
    ]
}

fn news() -> Vec<News> {
    changes().iter().map(News::from).collect()
}

#[test]
fn a_change_arrives_as_it_was_told_and_one_of_a_newer_monitor_is_no_change() {
    let text = serde_json::to_string(&news()).expect("news can be written");
    let read: Vec<News> = serde_json::from_str(&text).expect("and read");
    assert_eq!(read.into_iter().filter_map(News::change).collect::<Vec<_>>(), changes());
    let newer: News = serde_json::from_str(r#"{"kind":"frozen","pid":1}"#).expect("no error");
    assert_eq!(newer.change(), None);
    for wrong in ["{}", r#"{"kind":"gone"}"#, r#"{"kind":"gone","pid":-1,"startTime":1}"#] {
        assert!(serde_json::from_str::<News>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn however_many_there_are_each_part_fits_into_a_frame_and_all_arrive() {
    let process = |pid: u32, threads: u32| Process {
        id: ProcessId { pid, start: u64::MAX },
        parent: u32::MAX,
        comm: Comm::new(&[0xff; 15]),
        pod_uid: "20da609e-6973-4463-a1e3-1b0b4f33cb1e".into(),
        container_id: Some("c".repeat(64).into()),
        threads: (1..=threads).map(|tid| Thread { tid: u32::MAX - threads + tid, start: u64::MAX }).collect(),
    };
    let mut processes: Vec<Process> = (1..5000).map(|pid| process(pid, 3)).collect();
    processes.push(process(6000, 4000));
    let snapshot = Snapshot { processes, left_out: LeftOut { refused: 4, unreadable: 5 } };
    let parts = Processes::all(&snapshot).into_parts();
    let last = parts.len() - 1;
    assert!(last > 1);
    let mut index = PodIndex::default();
    for (number, part) in parts.into_iter().enumerate() {
        assert_eq!((part.anew, part.more), (number == 0, number < last));
        assert_eq!((part.refused, part.unreadable), if number == 0 { (4, 5) } else { (0, 0) });
        let text = serde_json::to_string(&Frame::Processes(part)).expect("a part can be written");
        assert!(text.len() < FRAME_MAX / 2, "{} bytes", text.len());
        let Frame::Processes(part) = serde_json::from_str(&text).expect("and read") else { panic!() };
        part.news.into_iter().filter_map(News::change).for_each(|change| {
            index.apply(change);
        });
    }
    let mut expected = PodIndex::default();
    expected.replace(snapshot.processes);
    assert!(index == expected);

    let changes = Processes::changes(&vec![Change::Gone(ProcessId { pid: 1, start: 1 }); 5000]).into_parts();
    assert!(changes.len() > 1 && changes.iter().all(|part| !part.anew && !part.more));
}

#[test]
fn every_frame_is_written_and_read_as_it_always_was() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/feed/golden");
    let write = std::env::var("GOLDEN").is_ok_and(|value| value == "write");
    for (name, frame) in frames() {
        let path = dir.join(format!("{name}.json"));
        let text = serde_json::to_string(&frame).expect("every frame can be written") + "\n";
        if write {
            fs::create_dir_all(&dir).expect("the directory can be made");
            fs::write(&path, &text).expect("the file can be written");
        }
        let golden = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, golden, "{name}");
        assert_eq!(serde_json::from_str::<Frame>(&golden).expect(name), frame, "{name}");
    }
}

#[test]
fn what_a_newer_peer_says_is_no_error() {
    let read = |text: &str| serde_json::from_str::<Frame>(text).expect(text);
    assert_eq!(read(r#"{"type":"unheard-of","protocol":"x"}"#), Frame::Unknown);
    let hello = Frame::Hello(Hello { protocol: 9, ..Hello::default() });
    assert_eq!(read(r#"{"type":"hello","protocol":9,"role":"conductor","news":[1]}"#), hello);
    let state = Frame::Counters(Box::default());
    assert_eq!(read(r#"{"type":"counters","state":"dreaming"}"#), state);
    for text in ["{}", "[]", r#"{"type":1}"#, r#"{"type":"explain","id":-1}"#] {
        assert!(serde_json::from_str::<Frame>(text).is_err(), "{text}");
    }
    assert!(serde_json::to_string(&Frame::Unknown).is_err(), "nobody says what he does not know");
}
