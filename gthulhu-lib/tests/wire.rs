//! The wire bodies against the JSON that every other end reads and writes.

use std::fmt::Debug;

use gthulhu_lib::explain::*;
use gthulhu_lib::id::Id;
use gthulhu_lib::selector::Selector;
use gthulhu_lib::wire::preview::{
    Conflict, ExplainReply, IntentPreview, MatchedProcess, MissedProcess, PreviewReply, ProcessClause,
};
use gthulhu_lib::wire::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The value is written as exactly this text, and read back from it.
#[track_caller]
fn golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).expect("every body can be written"), json);
    reads(json, value);
}

#[track_caller]
fn reads<T: DeserializeOwned + PartialEq + Debug>(json: &str, expected: &T) {
    assert_eq!(serde_json::from_str::<T>(json).expect(json), *expected);
}

fn full_intent() -> IntentBody {
    IntentBody {
        pod_name: "nginx-0".to_owned(),
        pod_id: "u1".to_owned(),
        node_id: "worker-1".to_owned(),
        k8s_namespace: "default".to_owned(),
        command_regex: "nginx|worker".to_owned(),
        priority: 10,
        execution_time: 20_000_000,
        pod_labels: [("app".to_owned(), "nginx".to_owned()), ("tier".to_owned(), String::new())].into(),
        strategy_id: Some("65f0c0ffee0123456789abcd".to_owned()),
    }
}

const FULL_INTENT: &str = concat!(
    r#"{"podName":"nginx-0","podID":"u1","nodeID":"worker-1","k8sNamespace":"default","#,
    r#""commandRegex":"nginx|worker","priority":10,"executionTime":20000000,"#,
    r#""podLabels":{"app":"nginx","tier":""},"strategyID":"65f0c0ffee0123456789abcd"}"#,
);

#[test]
fn intents() {
    golden(&full_intent(), FULL_INTENT);
    golden(&IntentBody::default(), "{}");
    let pod = IntentBody { pod_id: "u1".to_owned(), node_id: "n1".to_owned(), ..IntentBody::default() };
    golden(&pod, r#"{"podID":"u1","nodeID":"n1"}"#);
    reads(r#"{"podId":"u1","nodeId":"n1","unheardOf":[1]}"#, &pod);
    let from = IntentBody { strategy_id: full_intent().strategy_id, ..IntentBody::default() };
    reads(r#"{"strategyId":"65f0c0ffee0123456789abcd"}"#, &from);
}

#[test]
fn a_set_of_intents() {
    golden(&<IntentsBody>::default(), r#"{"intents":[]}"#);
    reads("{}", &<IntentsBody>::default());
    let numbered = IntentsBody { intents: vec![full_intent()], epoch: Some(3), generation: Some(9) };
    golden(&numbered, &format!(r#"{{"intents":[{FULL_INTENT}],"epoch":3,"generation":9}}"#));
}

#[test]
fn deletions() {
    let pod = DeleteIntentsBody { pod_id: Some("u1".to_owned()), ..DeleteIntentsBody::default() };
    golden(&pod, r#"{"podId":"u1"}"#);
    reads(r#"{"podID":"u1"}"#, &pod);
    golden(&DeleteIntentsBody { all: Some(true), ..DeleteIntentsBody::default() }, r#"{"all":true}"#);
    golden(&DeleteIntentsBody { pid: Some(42), ..pod }, r#"{"podId":"u1","pid":42}"#);
    reads("{}", &DeleteIntentsBody::default());
}

#[test]
fn strategies_for_the_scheduler() {
    let leader = StrategyRow {
        priority: 10,
        execution_time: 20_000_000,
        pid: 4242,
        selectors: vec![Selector::new("app", "nginx")],
        command_regex: "nginx|worker".to_owned(),
        tgid: None,
    };
    let thread = StrategyRow { pid: 4243, tgid: Some(4242), ..StrategyRow::default() };
    let reply = StrategiesReply {
        success: true,
        message: "Scheduling intents retrieved successfully".to_owned(),
        timestamp: "2026-03-10T09:08:07Z".to_owned(),
        scheduling: vec![leader, thread],
    };
    golden(
        &reply,
        concat!(
            r#"{"success":true,"message":"Scheduling intents retrieved successfully","#,
            r#""timestamp":"2026-03-10T09:08:07Z","scheduling":["#,
            r#"{"priority":10,"execution_time":20000000,"pid":4242,"#,
            r#""selectors":[{"key":"app","value":"nginx"}],"command_regex":"nginx|worker"},"#,
            r#"{"priority":0,"execution_time":0,"pid":4243,"tgid":4242}]}"#,
        ),
    );
    let empty = StrategiesReply { success: true, ..StrategiesReply::default() };
    golden(&empty, r#"{"success":true,"message":"","timestamp":"","scheduling":[]}"#);
}

#[test]
fn selectors_leave_out_what_is_empty() {
    golden(&Selector::new("app", ""), r#"{"key":"app"}"#);
    golden(&Selector::new("", "nginx"), r#"{"value":"nginx"}"#);
}

#[test]
fn hashes() {
    let go = MerkleReply { root_hash: "e3b0".to_owned(), ..MerkleReply::default() };
    golden(&go, r#"{"rootHash":"e3b0"}"#);
    let ours = MerkleReply {
        epoch: Some(3),
        generation: Some(9),
        edited: Some(false),
        digest: Some("5e4c".to_owned()),
        ..go
    };
    golden(&ours, r#"{"rootHash":"e3b0","epoch":3,"generation":9,"edited":false,"digest":"5e4c"}"#);
    golden(&HeldPair { held_epoch: 3, held_generation: 9 }, r#"{"heldEpoch":3,"heldGeneration":9}"#);
    assert!(serde_json::from_str::<HeldPair>(r#"{"heldEpoch":3}"#).is_err(), "one number alone says nothing");
}

#[test]
fn processes_of_pods() {
    let nginx = ProcessRow {
        pid: 42,
        command: "nginx".to_owned(),
        ppid: Some(1),
        container_id: Some("c0ffee".to_owned()),
    };
    let pause = ProcessRow { pid: 41, command: "pause".to_owned(), ..ProcessRow::default() };
    let pod = PodPids { pod_uid: "u1".to_owned(), pod_id: None, processes: vec![nginx, pause] };
    let reply = PodsPidsReply {
        pods: vec![pod],
        timestamp: "2026-03-10T09:08:07Z".to_owned(),
        node_name: "worker-1".to_owned(),
        node_id: None,
    };
    golden(
        &reply,
        concat!(
            r#"{"pods":[{"pod_uid":"u1","processes":["#,
            r#"{"pid":42,"command":"nginx","ppid":1,"container_id":"c0ffee"},{"pid":41,"command":"pause"}]}],"#,
            r#""timestamp":"2026-03-10T09:08:07Z","node_name":"worker-1"}"#,
        ),
    );
}

#[test]
fn scheduler_counters() {
    let metrics = SchedulerMetrics { nr_queued: 7, nr_sched_congested: u64::MAX, ..Default::default() };
    reads(r#"{"nr_queued":7,"nr_sched_congested":18446744073709551615}"#, &metrics);
    golden(
        &metrics,
        concat!(
            r#"{"usersched_last_run_at":0,"nr_queued":7,"nr_scheduled":0,"nr_running":0,"nr_online_cpus":0,"#,
            r#""nr_user_dispatches":0,"nr_kernel_dispatches":0,"nr_cancel_dispatches":0,"#,
            r#""nr_bounce_dispatches":0,"nr_failed_dispatches":0,"nr_sched_congested":18446744073709551615}"#,
        ),
    );
    for refused in ["-1", "1.5", "\"7\""] {
        let json = format!(r#"{{"nr_queued":{refused}}}"#);
        assert!(serde_json::from_str::<SchedulerMetrics>(&json).is_err(), "{json}");
    }
}

#[test]
fn tokens() {
    let plugin = TokenRequest { public_key: "PEM".to_owned(), ..TokenRequest::default() };
    golden(&plugin, r#"{"public_key":"PEM"}"#);
    let full = TokenRequest { client_id: "c".to_owned(), expired_at: 5, ..plugin };
    golden(&full, r#"{"public_key":"PEM","client_id":"c","expired_at":5}"#);
    let reply = TokenReply { token: "jwt-secret".to_owned(), expired_at: 1_767_100_000 };
    golden(&reply, r#"{"token":"jwt-secret","expired_at":1767100000}"#);
    assert!(!format!("{reply:?}").contains("jwt-secret"));
}

#[test]
fn one_field_under_two_names_is_refused() {
    assert!(serde_json::from_str::<IntentBody>(r#"{"podID":"u1","podId":"u2"}"#).is_err());
}

#[test]
fn previews() {
    let process = |verdict| MatchedProcess { pid: 42, command: "nginx".to_owned(), tasks: 3, verdict };
    let id: Id = "65f0c0ffee0123456789abcd".parse().expect("an id");
    let intent = IntentPreview {
        strategy_id: Some(id),
        pod_id: "u1".to_owned(),
        pod_name: "nginx-0".to_owned(),
        k8s_namespace: "default".to_owned(),
        command_regex: "nginx".to_owned(),
        priority: 3,
        execution_time: 5_000_000,
        pod_processes: 4,
        matched: 2,
        wins: 1,
        tasks: 3,
        processes: vec![process(Verdict::Wins), process(Verdict::LosesTo { strategy: Some(id) })],
        near_misses: [ProcessClause::CommandRegex, ProcessClause::Pause]
            .map(|clause| MissedProcess { pid: 43, command: "pause".to_owned(), clause })
            .to_vec(),
        conflicts: vec![Conflict { strategy_id: Some(id), won: 0, lost: 1 }],
        truncated: true,
    };
    let reply = PreviewReply {
        node_name: "n1".to_owned(),
        source: "proc-walk".to_owned(),
        intents: vec![intent],
        omitted: 1,
        refused: 2,
        unreadable: 3,
    };
    golden(
        &reply,
        concat!(
            r#"{"nodeName":"n1","source":"proc-walk","intents":[{"strategyID":"65f0c0ffee0123456789abcd","#,
            r#""podID":"u1","podName":"nginx-0","k8sNamespace":"default","commandRegex":"nginx","priority":3,"#,
            r#""executionTime":5000000,"podProcesses":4,"matched":2,"wins":1,"tasks":3,"processes":["#,
            r#"{"pid":42,"command":"nginx","tasks":3,"verdict":"wins"},{"pid":42,"command":"nginx","tasks":3,"#,
            r#""verdict":{"losesTo":{"strategy":"65f0c0ffee0123456789abcd"}}}],"nearMisses":["#,
            r#"{"pid":43,"command":"pause","clause":"commandRegex"},{"pid":43,"command":"pause","clause":"pause"}],"#,
            r#""conflicts":[{"strategyID":"65f0c0ffee0123456789abcd","won":0,"lost":1}],"truncated":true}],"omitted":1,"refused":2,"unreadable":3}"#,
        ),
    );
    reads("{}", &PreviewReply::default());
}

#[test]
fn explanations() {
    let process = ProcessFacts {
        pid: 42,
        start_time: 4242,
        ppid: 1,
        command: "nginx".to_owned(),
        pod_id: "u1".to_owned(),
        container_id: None,
    };
    let intent = IntentVerdict {
        strategy_id: None,
        priority: 3,
        execution_time: 0,
        command_regex: String::new(),
        verdict: Verdict::Muted,
    };
    let strategy = Some(Strategy { priority: 3, slice_ns: 0 });
    let explanation = Explanation {
        pid: 43,
        outcome: Outcome::Refused(RefusalReason::LinesDisagree),
        process: Some(process),
        intents: vec![intent],
        omitted: 7,
        due: strategy,
        published: strategy,
    };
    let scheduler = Some(feed::Explanation { id: 1, pid: 43, ..feed::Explanation::default() });
    let reply = ExplainReply {
        node_name: "n1".to_owned(),
        source: "proc-walk".to_owned(),
        explanation: explanation.clone(),
        scheduler,
    };
    golden(
        &reply,
        concat!(
            r#"{"nodeName":"n1","source":"proc-walk","pid":43,"outcome":{"refused":"linesDisagree"},"#,
            r#""process":{"pid":42,"startTime":4242,"ppid":1,"command":"nginx","podID":"u1"},"#,
            r#""intents":[{"priority":3,"executionTime":0,"verdict":"muted"}],"omitted":7,"#,
            r#""due":{"priority":3,"sliceNs":0},"published":{"priority":3,"sliceNs":0},"#,
            r#""scheduler":{"id":1,"pid":43}}"#,
        ),
    );
    let bare = Explanation {
        outcome: Outcome::NotFound,
        process: None,
        intents: vec![],
        omitted: 0,
        due: None,
        published: None,
        ..explanation
    };
    let bare =
        ExplainReply { node_name: String::new(), source: String::new(), explanation: bare, scheduler: None };
    reads(r#"{"pid":43,"outcome":"notFound","unheardOf":[1]}"#, &bare);
}
