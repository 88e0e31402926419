//! Every source says the same of real processes, whatever they do.

use std::os::fd::BorrowedFd;

use gthulhu_lib::engine::Engine;
use gthulhu_lib::process::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::actors::Actor;
use crate::pods::{Pods, until};
use crate::sources::{TOLD, engines};
use crate::table::{A, B};
use crate::{intents, leaders};

const UNGOVERNED: &str = "8c1f9f0e-52a4-4a57-9d67-0f6b8c0f7a11";

/// All that an engine knows of governed pods.
fn known(engine: &Engine) -> Vec<(String, Vec<Process>)> {
    engine.pods().map(|(uid, processes)| (uid.to_owned(), processes.to_vec())).collect()
}

/// Looks with each engine until it governs exactly these leaders, and then holds all they know against each other.
fn all_say(engines: &mut [Engine], what: &str, mut expected: Vec<u32>) {
    expected.sort_unstable();
    for engine in &mut *engines {
        let name = engine.source_name();
        until(&format!("{what}, says {name}"), || {
            engine.refresh().expect("it can be looked");
            leaders(engine) == expected
        });
    }
    let (walk, others) = engines.split_first_mut().expect("the walk is always there");
    for other in others {
        let name = other.source_name();
        until(&format!("{what}: {name} says what the walk says"), || {
            walk.refresh().expect("it can be looked");
            other.refresh().expect("it can be looked");
            known(walk) == known(other)
        });
        let rows = |engine: &Engine| -> Vec<(u32, u32, u64)> {
            engine.rows().iter().map(|row| (row.tid, row.tgid, row.start)).collect()
        };
        assert_eq!(rows(walk), rows(other), "{what}: {name}");
        for row in other.rows() {
            assert!(other.table().lookup_task(row.tid, row.start).is_some(), "{what}: {name}");
        }
    }
}

#[test]
fn every_source_gives_the_same_answer() {
    let test = "every_source_gives_the_same_answer";
    let Some(pods) = Pods::new(test) else { return };
    let [here, there, ungoverned] = [A, B, UNGOVERNED].map(|uid| pods.container(uid));
    let mut shell = Actor::named("nginx", &here);
    let unasked = Actor::named("nginx", &ungoverned);
    let mut engines = engines(&pods, test);
    for engine in &mut engines {
        engine.apply(intents(&[(A, "^(nginx|master)$"), (B, "")])).expect("it can be looked");
    }
    let pid = shell.pid();
    all_say(&mut engines, "at first", vec![pid]);

    let child = shell.fork();
    all_say(&mut engines, "a fork", vec![pid, child]);
    shell.end_child();
    all_say(&mut engines, "an exit that nobody waited for", vec![pid]);
    shell.rename("two words");
    all_say(&mut engines, "another name", vec![]);
    shell.rename("nginx");
    all_say(&mut engines, "the first name again", vec![pid]);
    shell.exec("other");
    all_say(&mut engines, "another program", vec![]);
    shell.exec("master");
    all_say(&mut engines, "a program that is meant", vec![pid]);

    shell.move_to(&there);
    all_say(&mut engines, "a move to the other pod", vec![pid]);
    shell.move_to(&ungoverned);
    all_say(&mut engines, "a move out", vec![]);
    shell.move_to(&here.nested("its/own"));
    all_say(&mut engines, "a move into a new nested cgroup", vec![pid]);
    shell.move_to(&here.nested(&format!("kubepods-pod{}.slice", B.replace('-', "_"))));
    all_say(&mut engines, "a move into what passes for the other pod", vec![]);
    shell.move_to(&here);
    all_say(&mut engines, "a move back", vec![pid]);

    let mut threaded = Actor::threaded("nginx", &there);
    all_say(&mut engines, "a process with threads, put in from outside", vec![pid, threaded.pid()]);
    let tid = threaded.start_thread();
    all_say(&mut engines, "one more thread", vec![pid, threaded.pid()]);
    assert!(engines.iter().all(|engine| engine.rows().iter().any(|row| row.tid == tid)));
    threaded.end_thread();
    all_say(&mut engines, "one thread less", vec![pid, threaded.pid()]);
    let none = |engine: &Engine| engine.rows().iter().all(|row| row.tid != tid);
    assert!(engines.iter().all(none));

    for engine in &mut engines {
        engine.apply(intents(&[(UNGOVERNED, ""), (B, "")])).expect("it can be looked");
    }
    all_say(&mut engines, "other pods are governed", vec![unasked.pid(), threaded.pid()]);
    threaded.kill();
    all_say(&mut engines, "a kill", vec![unasked.pid()]);
    for engine in &mut engines {
        let survey = engine.survey().expect("it can be looked");
        let count = |uid| survey.pod(uid).len();
        assert_eq!([A, UNGOVERNED].map(count), [1, 1], "all pods are listed: {}", engine.source_name());
    }
}

/// Enough that some are looked at before they are in their cgroup: about one of a thousand is.
const CHILDREN: u32 = 3000;

/// Waits for what the source has to tell, and takes it.
fn woken(engine: &mut Engine, what: &str) {
    let readable = |fd: BorrowedFd<'_>| {
        let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
        poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&patience))
            .expect("it can be waited for")
            == 1
    };
    assert!(engine.wake_fd().is_some_and(readable), "nothing was told: {what}");
    engine.follow().expect("it can be looked");
}

#[test]
fn what_the_kernel_tells_is_known_without_asking() {
    let test = "what_the_kernel_tells_is_known_without_asking";
    let Some(pods) = Pods::new(test) else { return };
    let container = pods.container(A);
    let mut shell = Actor::named("nginx", &container);
    let mut threaded = Actor::threaded("nginx", &container);
    // A directory that comes later would have the lists read.
    let (elsewhere, nested) = (pods.container(B), container.nested("late"));
    let mut engines = engines(&pods, test);
    let Some(engine) = engines.iter_mut().find(|engine| engine.source_name() == TOLD) else {
        return;
    };
    engine.apply(intents(&[(A, "^(nginx|master)$")])).expect("it can be looked");
    let snapshots = engine.counters().snapshots;
    let (pid, other) = (shell.pid(), threaded.pid());
    let mut told = |what: &str, mut expected: Vec<u32>| {
        expected.sort_unstable();
        until(what, || {
            woken(engine, what);
            leaders(engine) == expected
        });
        engine.rows().iter().filter(|row| !row.is_leader()).map(|row| row.tid).collect::<Vec<u32>>()
    };
    let child = shell.fork();
    told("a fork", vec![pid, child, other]);
    shell.end_child();
    told("an exit", vec![pid, other]);
    shell.rename("idle");
    told("a name", vec![other]);
    shell.exec("master");
    told("a program", vec![pid, other]);
    let tid = threaded.start_thread();
    until("a thread", || told("a thread", vec![pid, other]).contains(&tid));
    threaded.end_thread();
    until("no thread", || !told("no thread", vec![pid, other]).contains(&tid));
    threaded.kill();
    told("a kill", vec![pid]);
    // Put in from outside, and then it starts a program.
    let mut late = Actor::named("nginx", &elsewhere);
    late.move_to(&nested);
    late.exec("master");
    told("a program that was put in from outside", vec![pid, late.pid()]);
    assert_eq!(engine.counters().snapshots, snapshots, "all without a snapshot");
}

/// Nothing is told of such a child after its beginning, which the process connector tells before the child is in its cgroup.
#[test]
fn no_child_that_begins_no_program_is_overlooked() {
    let test = "no_child_that_begins_no_program_is_overlooked";
    let Some(pods) = Pods::new(test) else { return };
    let mut shell = Actor::named("nginx", &pods.container(A));
    let mut engines = engines(&pods, test);
    let Some(engine) = engines.iter_mut().find(|engine| engine.source_name() == TOLD) else {
        return;
    };
    engine.apply(intents(&[(A, "")])).expect("it can be looked");
    for number in 0..CHILDREN {
        let what = format!("child {number}");
        // Whoever waits already is told while the child is still being made.
        shell.begin_copy();
        woken(engine, &what);
        let child = shell.copied();
        while !leaders(engine).contains(&child) {
            woken(engine, &what);
        }
        shell.kill_child();
        while leaders(engine).contains(&child) {
            woken(engine, &what);
        }
    }
}
