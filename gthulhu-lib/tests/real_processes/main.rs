//! The engine on real processes in real cgroups shaped like those of a kubelet.
//!
//! Needs a writable cgroup v2 tree; where there is none each test says loudly that it was skipped.

mod actors;
mod attacks;
mod elsewhere;
mod equivalence;
mod govern;
mod namespace;
mod pods;
mod quiet;
mod reuse;
mod sources;
#[path = "../shapes/table.rs"]
mod table;

use gthulhu_lib::engine::{Engine, EngineOptions};
use gthulhu_lib::explain::Outcome;
use gthulhu_lib::process::walk::{ProcWalk, WalkOptions};

use actors::Actor;
use govern::{intents, leaders};
use pods::{Pods, until};
use table::{A, B};

fn engine(pods: &Pods) -> Engine {
    let options = WalkOptions { cgroup_root: Some(pods.root().to_owned()), ..WalkOptions::default() };
    Engine::new(Box::new(ProcWalk::new(options).expect("a good root")), EngineOptions::default())
}

/// Refreshes until the engine governs exactly these processes.
fn until_governed(engine: &mut Engine, what: &str, mut expected: Vec<u32>) {
    expected.sort_unstable();
    until(what, || {
        engine.refresh().expect("/proc is readable");
        leaders(engine) == expected
    });
}

#[test]
fn matching_processes_of_the_pod_are_governed_and_no_others() {
    let Some(pods) = Pods::new("matching_processes_of_the_pod_are_governed_and_no_others") else { return };
    let [here, there] = [pods.container(A), pods.container(B)];
    let nginx = Actor::named("nginx", &here);
    let odd = Actor::named("ng) R 1 (inx", &here);
    let _pause = Actor::named("pause", &here);
    let _other_name = Actor::named("redis", &here);
    let _other_pod = Actor::named("nginx", &there);
    let mut engine = engine(&pods);
    engine.apply(intents(&[(A, "n(g|x)|pause")])).expect("/proc is readable");
    let mut expected = vec![nginx.pid(), odd.pid()];
    expected.sort_unstable();
    assert_eq!(leaders(&engine), expected);

    let row = &engine.rows()[0];
    let entry = engine.table().lookup_task(row.tid, row.start).expect("what is governed is in the table");
    assert_eq!((entry.resolved().priority(), entry.resolved().slice_ns()), (3, 20_000_000));
    assert_eq!(engine.table().lookup_task(row.tid, row.start + 1), None);
    let survey = engine.survey().expect("/proc is readable");
    let listed: Vec<(&str, usize)> = survey.pods().map(|(uid, processes)| (uid, processes.len())).collect();
    assert!(
        listed.contains(&(A, 4)) && listed.contains(&(B, 1)),
        "all are listed, governed or not: {listed:?}"
    );
    let container =
        survey.pods().find(|(uid, _)| *uid == A).and_then(|(_, list)| list[0].container_id.clone());
    assert_eq!(container.as_deref(), Some(pods::CONTAINER));
}

#[test]
fn a_process_forked_into_the_pod_appears_and_goes_when_it_ends() {
    let Some(pods) = Pods::new("a_process_forked_into_the_pod_appears_and_goes_when_it_ends") else { return };
    let mut parent = Actor::named("nginx", &pods.container(A));
    let mut engine = engine(&pods);
    engine.apply(intents(&[(A, "^nginx$")])).expect("/proc is readable");
    assert_eq!(leaders(&engine), [parent.pid()]);
    let child = parent.fork();
    until_governed(&mut engine, "the child is governed", vec![parent.pid(), child]);
    // A zombie until its parent, which does not wait for it, ends as well.
    parent.end_child();
    until_governed(&mut engine, "the child is gone", vec![parent.pid()]);
    parent.kill();
    until_governed(&mut engine, "the parent is gone, though nobody waited for it", vec![]);
    assert_eq!(engine.table().lookup(child), None);
}

#[test]
fn a_new_name_is_matched_anew() {
    let Some(pods) = Pods::new("a_new_name_is_matched_anew") else { return };
    let mut actor = Actor::named("nginx", &pods.container(A));
    let mut engine = engine(&pods);
    engine.apply(intents(&[(A, "^(nginx|worker|master)$")])).expect("/proc is readable");
    let pid = actor.pid();
    for (name, governed) in [("idle", false), ("worker", true), ("two words", false)] {
        actor.rename(name);
        assert!(engine.refresh().expect("/proc is readable").processes_changed);
        assert_eq!(leaders(&engine) == [pid], governed, "after the process named itself {name:?}");
    }
    actor.exec("master");
    until_governed(&mut engine, "the new program is governed", vec![pid]);
    actor.exec("other");
    until_governed(&mut engine, "the next program is not", vec![]);
}

#[test]
fn threads_of_a_matched_process_come_and_go() {
    let Some(pods) = Pods::new("threads_of_a_matched_process_come_and_go") else { return };
    let mut threaded = Actor::threaded("nginx", &pods.container(A));
    let mut engine = engine(&pods);
    engine.apply(intents(&[(A, "^nginx$")])).expect("/proc is readable");
    let of_threads = |engine: &Engine| -> Vec<u32> {
        engine.rows().iter().filter(|row| !row.is_leader()).map(|row| row.tid).collect()
    };
    let before = of_threads(&engine);
    assert_eq!(leaders(&engine), [threaded.pid()]);
    assert!(engine.rows().iter().all(|row| row.tgid == threaded.pid()));
    let tid = threaded.start_thread();
    engine.refresh().expect("/proc is readable");
    assert!(of_threads(&engine).contains(&tid) && !before.contains(&tid));
    assert_eq!(engine.explain(tid).expect("/proc is readable").outcome, Outcome::Governed);
    threaded.end_thread();
    until("the thread is gone", || {
        engine.refresh().expect("/proc is readable");
        of_threads(&engine) == before
    });
    assert_eq!(engine.table().lookup(tid), None);
}

#[test]
fn no_cgroup_of_a_containers_own_gives_it_another_pods_strategy() {
    let Some(pods) = Pods::new("no_cgroup_of_a_containers_own_gives_it_another_pods_strategy") else {
        return;
    };
    let victim = pods.container(B);
    let nested = pods.container(A).nested("init.scope");
    let spoof = pods.container(A).nested(&format!("kubepods-pod{}.slice/x", B.replace('-', "_")));
    let outside = pods.outside(&format!("kubepods.slice/kubepods-pod{}.slice/x", B.replace('-', "_")));
    let [honest, inside, spoofer, outsider] =
        [&victim, &nested, &spoof, &outside].map(|container| Actor::named("nginx", container));
    let mut engine = engine(&pods);
    engine.apply(intents(&[(B, "")])).expect("/proc is readable");
    assert_eq!(leaders(&engine), [honest.pid()]);
    assert!(engine.counters().left_out.refused >= 1);
    engine.apply(intents(&[(A, "")])).expect("/proc is readable");
    assert_eq!(leaders(&engine), [inside.pid()]);
    let outcomes = [spoofer.pid(), outsider.pid(), std::process::id(), honest.pid(), inside.pid()]
        .map(|pid| engine.explain(pid).expect("/proc is readable").outcome);
    let [refused, not_in_pod, own, no_intent, governed] = outcomes;
    assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
    assert_eq!([not_in_pod, own], [Outcome::NotInPod; 2]);
    assert_eq!([no_intent, governed], [Outcome::NoIntentForPod, Outcome::Governed]);
}

#[test]
fn a_process_moved_to_another_pod_is_governed_there() {
    let Some(pods) = Pods::new("a_process_moved_to_another_pod_is_governed_there") else { return };
    let actor = Actor::named("nginx", &pods.container(A));
    let mut engine = engine(&pods);
    engine.apply(intents(&[(A, "")])).expect("/proc is readable");
    assert_eq!(leaders(&engine), [actor.pid()]);
    actor.move_to(&pods.container(B));
    engine.refresh().expect("/proc is readable");
    assert!(engine.rows().is_empty());
    engine.apply(intents(&[(B, "")])).expect("/proc is readable");
    assert_eq!(leaders(&engine), [actor.pid()]);
}
