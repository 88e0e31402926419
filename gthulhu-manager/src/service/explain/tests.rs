//! Stories of pods, and what is kept from whom.

use gthulhu_lib::explain::{IntentVerdict, Outcome, ProcessFacts, Verdict};

use super::*;
use crate::domain::{Permission, Policy};
use crate::service::testbed::{Bed, app, pod, pods};
use crate::service::{Claims, StrategyInput};

fn hire(bed: &Bed, name: &str, namespace: &str) -> Claims {
    let policy = |permission| Policy { k8s_namespace: namespace.into(), ..Policy::everywhere(permission) };
    let may = [Permission::PodPidRead, Permission::StrategyCreate];
    bed.add_user(name, may.map(policy).to_vec())
}

fn story(bed: &Bed, claims: &Claims, namespace: &str, name: &str) -> Result<PodStory, String> {
    let grant = bed.service.grant(claims).unwrap();
    bed.service.pod_story(&grant, namespace, name).map_err(|error| error.to_string())
}

fn lines(story: &PodStory) -> Vec<String> {
    story.misses.iter().map(|miss| format!("{}: {}: {}", miss.clause, miss.wanted, miss.found)).collect()
}

#[test]
fn every_reason_why_a_strategy_is_not_for_a_pod_is_named() {
    let bed = Bed::new();
    let ann = hire(&bed, "ann", "default");
    let all = [pods(), vec![Pod { terminal: true, ..pod("web-9", "default", Some("n1")) }]].concat();
    bed.outside.pods(all, true);
    let create = |input: StrategyInput| {
        let input = StrategyInput { k8s_namespace: vec!["default".into()], ..input };
        bed.service.create_strategy(&bed.service.grant(&ann).unwrap(), "", input, false).unwrap()
    };
    let web = create(app("web"));
    create(app("late"));
    let told = story(&bed, &ann, "default", "web-1").unwrap();
    let [on_it] = &told.strategies[..] else { panic!("{told:?}") };
    assert_eq!((on_it.strategy, on_it.own, on_it.readable, on_it.accepted), (web, true, true, false));
    assert_eq!(lines(&told), ["labelSelectors[0]: app=late: app=web"]);
    let told = story(&bed, &ann, "default", "late-1").unwrap();
    assert!(told.strategies.is_empty());
    assert_eq!(
        lines(&told),
        ["labelSelectors[0]: app=web: app=late", "nodeName: a pod that has a node: a pod without one"]
    );
    let ended = story(&bed, &ann, "default", "web-9").unwrap();
    assert_eq!(lines(&ended), ["phase: a pod that has not ended: a pod that has ended"]);

    bed.change_user("ann", |user| user.roles.push("admin".into()));
    let ids = [intent_id(web, "uid-web-1")];
    let grant = bed.service.grant(&bed.login("ann")).unwrap();
    bed.service.delete_intents(&grant, "", &ids, Whose::Own).unwrap();
    bed.change_user("ann", |user| user.roles.truncate(1));
    let ann = bed.login("ann");
    let told = story(&bed, &ann, "default", "web-1").unwrap();
    assert!(lines(&told).contains(&"exclusion: an intent that was not deleted: one that was".to_owned()));
    // His strategies stay when his role goes, and reach nothing.
    let viewer = Policy::everywhere(Permission::PodPidRead);
    bed.add_user("viewer", vec![viewer]);
    bed.change_user("ann", |user| user.roles = vec!["role of viewer".into()]);
    let told = story(&bed, &bed.login("ann"), "default", "web-2").unwrap();
    assert!(told.strategies.is_empty());
    let scope = "scope: a namespace for which its creator may make strategies: default".to_owned();
    assert!(lines(&told).contains(&scope), "{:?}", lines(&told));
}

#[test]
fn a_pod_beyond_the_scope_is_not_there_and_what_others_wrote_is_not_read() {
    let bed = Bed::new();
    let ann = hire(&bed, "ann", "default");
    let secret = StrategyInput { command_regex: "secret".into(), ..app("web") };
    bed.create(secret).unwrap();
    bed.create(app("late")).unwrap();
    for (namespace, name) in [("data", "db-1"), ("default", "nobody"), ("data", "nobody"), ("", "")] {
        assert_eq!(story(&bed, &ann, namespace, name).unwrap_err(), "pod not found");
    }
    bed.outside.pods(pods(), false);
    let unknown = "the view of the cluster is not complete: pods are being read";
    for (namespace, name) in [("data", "db-1"), ("default", "nobody")] {
        assert_eq!(story(&bed, &ann, namespace, name).unwrap_err(), unknown);
    }
    let told = story(&bed, &ann, "default", "web-1").unwrap();
    assert_eq!((told.strategies[0].own, told.strategies[0].readable), (false, false));
    assert!(told.misses.is_empty(), "what others' strategies ask for is theirs: {:?}", told.misses);
    let admins = bed.service.pod_story(&bed.admin(), "default", "web-1").unwrap();
    assert_eq!((admins.strategies[0].own, admins.misses.len()), (true, 1));
}

#[test]
fn an_explanation_tells_a_confined_caller_of_his_pods_only() {
    let bed = Bed::new();
    let ann = hire(&bed, "ann", "default");
    let theirs = bed.create(StrategyInput { command_regex: "secret".into(), ..app("web") }).unwrap();
    let told = |pod: Option<&str>| {
        let process = pod.map(|uid| ProcessFacts {
            pid: 42,
            start_time: 1,
            ppid: 1,
            command: "nginx".into(),
            pod_id: uid.into(),
            container_id: None,
        });
        let intent = IntentVerdict {
            strategy_id: Some(theirs),
            priority: 5,
            execution_time: 0,
            command_regex: "secret".into(),
            verdict: Verdict::RegexDoesNotMatch,
        };
        let (outcome, intents) = (Outcome::NotInPod, vec![intent]);
        Explanation { pid: 42, outcome, process, intents, omitted: 0, due: None, published: None }
    };
    let his = |pod| bed.service.seen_explanation(&bed.service.grant(&ann).unwrap(), told(pod));
    for hidden in [None, Some("uid-db-1"), Some("uid-nobody")] {
        assert!(his(hidden).0.is_none() && his(hidden).1.is_none(), "{hidden:?}");
    }
    let (seen, story) = his(Some("uid-web-1"));
    assert_eq!(seen.unwrap().intents[0].command_regex, "", "another's regex");
    assert_eq!(story.unwrap().pod.name, "web-1");
    let (seen, story) = bed.service.seen_explanation(&bed.admin(), told(Some("uid-nobody")));
    assert_eq!((seen.unwrap().intents[0].command_regex.as_str(), story.is_none()), ("secret", true));
    assert!(bed.service.seen_explanation(&bed.admin(), told(None)).0.is_some());
}
