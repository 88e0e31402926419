//! Strategies from creation to deletion, and what becomes of them.

use super::*;
use crate::domain::{Permission, Policy};
use crate::service::testbed::{ADMIN, Bed, app, pod, pods};
use crate::service::{ErrorKind, Whose};

fn listed(bed: &Bed) -> Vec<Strategy> {
    bed.strategies().into_iter().map(|listed| listed.strategy.value.clone()).collect()
}

fn status(bed: &Bed, id: Id) -> (usize, usize, usize, usize) {
    let all = bed.strategies();
    let StrategyStatus { pods, nodes, accepted, failed } =
        all.iter().find(|listed| listed.strategy.value.id == id).unwrap().status;
    (pods, nodes, accepted, failed)
}

#[test]
fn a_strategy_is_kept_as_written_and_reaches_its_nodes() {
    let bed = Bed::new();
    let input = StrategyInput {
        strategy_namespace: "team".into(),
        k8s_namespace: vec!["default".into()],
        command_regex: "^ngin[xy]$".into(),
        ..app("web")
    };
    let id = bed.create(input.clone()).unwrap();
    let [stored] = &listed(&bed)[..] else { panic!("one strategy") };
    assert_eq!(*stored, input.into_strategy(id, stored.creator, stored.created_ms));
    assert_eq!(bed.desired(), [("n1".to_string(), vec!["web-1".to_string(), "web-2".into()])].into());
    let body = &bed.service.wanted().unwrap().bodies()["n1"][0];
    assert_eq!(
        (body.priority, body.execution_time, body.command_regex.as_str()),
        (5, 1_000_000, "^ngin[xy]$")
    );
    assert_eq!(body.strategy_id, Some(id.to_string()));
    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb, record.object), ("strategy.create".into(), format!("strategy/{id}")));
    assert_eq!(record.after.unwrap()["commandRegex"], "^ngin[xy]$");
}

#[test]
fn everything_is_there_after_a_restart() {
    let bed = Bed::new();
    bed.create(app("web")).unwrap();
    bed.create(app("db")).unwrap();
    let (strategies, desired) = (listed(&bed), bed.desired());
    let bed = bed.restart();
    assert_eq!((listed(&bed), bed.desired()), (strategies, desired));
}

#[test]
fn each_rule_names_its_field_and_stores_nothing() {
    let bed = Bed::new();
    let selector = |key: &str, value: &str| StrategyInput {
        label_selectors: vec![Selector::new("app", "web"), Selector::new(key, value)],
        ..app("web")
    };
    let namespaces = |list: &[&str]| StrategyInput {
        k8s_namespace: list.iter().map(ToString::to_string).collect(),
        ..app("web")
    };
    for (input, field) in [
        (StrategyInput { priority: 21, ..app("web") }, "priority"),
        (StrategyInput { priority: -1, ..app("web") }, "priority"),
        (StrategyInput { execution_time: 1, ..app("web") }, "executionTime"),
        (StrategyInput { execution_time: -1, ..app("web") }, "executionTime"),
        (StrategyInput { execution_time: 100_000_001, ..app("web") }, "executionTime"),
        (StrategyInput { command_regex: "(".into(), ..app("web") }, "commandRegex"),
        (StrategyInput { command_regex: "a".repeat(513), ..app("web") }, "commandRegex"),
        (selector("not a key", ""), "labelSelectors[1].key"),
        (selector("app", "not a value"), "labelSelectors[1].value"),
        (namespaces(&["default", "UPPER"]), "k8sNamespace[1]"),
        (namespaces(&["", ""]), "k8sNamespace[0]"),
    ] {
        let error = bed.create(input.clone()).unwrap_err();
        let ErrorKind::Unprocessable { field: named, rule } = error.kind() else {
            panic!("{error}: {input:?}")
        };
        assert_eq!((named.as_str(), error.to_string()), (field, format!("{field} {rule}")));
    }
    assert!(listed(&bed).is_empty());
    for input in [
        StrategyInput { priority: 0, execution_time: 0, ..app("web") },
        StrategyInput { priority: 20, execution_time: 100_000_000, ..app("web") },
        selector("", "an empty key asks for nothing"),
        namespaces(&[""]),
        StrategyInput::default(),
    ] {
        assert!(bed.create(input.clone()).is_ok(), "{input:?}");
    }
}

#[test]
fn no_matching_pod_is_told_from_no_complete_view() {
    let bed = Bed::new();
    assert_eq!(bed.create(app("none")).unwrap_err().to_string(), "no pods match the strategy criteria");
    let ended = gthulhu_lib::derive::Pod { terminal: true, ..pod("job-1", "default", Some("n1")) };
    bed.outside.pods(vec![ended], true);
    assert!(matches!(bed.create(app("job")), Err(ServiceError::NoPodsMatch)), "it has ended");
    bed.outside.pods(pods(), false);
    let error = bed.create(app("none")).unwrap_err();
    assert_eq!(error.to_string(), "the view of the cluster is not complete: pods are being read");
    assert!(matches!(error.kind(), ErrorKind::Unavailable(_)));
    assert!(listed(&bed).is_empty());
    bed.create(app("web")).unwrap();
    assert!(bed.service.wanted().is_none(), "nodes keep what they hold until the view is complete");
    bed.outside.pods(pods(), true);
    let id = bed.service.create_strategy(&bed.admin(), "", app("none"), true).unwrap();
    assert_eq!(status(&bed, id), (0, 0, 0, 0));
    assert!(bed.create(app("late")).is_ok(), "a pod that waits for its node counts");
}

#[test]
fn the_status_counts_pods_nodes_and_answers() {
    let bed = Bed::new();
    let (all, web) = (bed.create(StrategyInput::default()).unwrap(), bed.create(app("web")).unwrap());
    assert_eq!((status(&bed, all), status(&bed, web)), ((3, 2, 0, 0), (2, 1, 0, 0)));
    bed.accept("n1");
    bed.outside.fail("n1", "an older error");
    bed.outside.fail("n2", "connection refused");
    assert_eq!((status(&bed, all), status(&bed, web)), ((3, 2, 2, 1), (2, 1, 2, 0)));
    let input = StrategyInput { priority: 6, ..app("web") };
    bed.service.update_strategy(&bed.admin(), "", web, input, false).unwrap();
    assert_eq!(status(&bed, web), (2, 1, 0, 2), "what the node holds is the older one");
}

#[test]
fn an_update_replaces_everything_but_the_creation() {
    let bed = Bed::new();
    let id = bed.create(StrategyInput { command_regex: "x".into(), ..app("web") }).unwrap();
    let before = listed(&bed).remove(0);
    bed.service.update_strategy(&bed.admin(), "r-2", id, app("db"), false).unwrap();
    let after = listed(&bed).remove(0);
    assert_eq!(after.command_regex, "", "a field that is absent is empty");
    assert_eq!((after.id, after.creator, after.created_ms), (id, before.creator, before.created_ms));
    assert!(after.updated_ms >= before.updated_ms);
    assert_eq!(bed.desired(), [("n2".to_string(), vec!["db-1".to_string()])].into());
    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb.as_str(), record.request_id.as_str()), ("strategy.update", "r-2"));
    assert_eq!(record.before.unwrap()["commandRegex"], "x");
    for (input, text) in [
        (app("none"), "no pods match the strategy criteria"),
        (StrategyInput { priority: 99, ..app("web") }, "priority must be 0 to 20"),
    ] {
        let refused = bed.service.update_strategy(&bed.admin(), "", id, input, false).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
    assert_eq!(listed(&bed), [after], "a refused update changes nothing");
    bed.service.update_strategy(&bed.admin(), "", id, app("none"), true).unwrap();
    assert!(bed.desired().is_empty());
}

#[test]
fn only_its_creator_sees_changes_and_deletes_a_strategy() {
    let bed = Bed::new();
    let id = bed.create(app("web")).unwrap();
    let all = Permission::ALL.iter().copied().map(Policy::everywhere).collect();
    let other = bed.add_user("other", all);
    let service = &bed.service;
    assert!(
        service
            .strategies(&service.grant(&other).unwrap(), Whose::Own, &Page::all())
            .unwrap()
            .rows
            .is_empty()
    );
    for id in [id, Id::from_bytes([0; 12])] {
        let update = service.update_strategy(&service.grant(&other).unwrap(), "", id, app("web"), false);
        let text = "strategy not found or you don't have permission to update it";
        assert_eq!(update.unwrap_err().to_string(), text);
        let delete = service.delete_strategy(&service.grant(&other).unwrap(), "", id, Whose::Own);
        let text = "strategy not found or you don't have permission to delete it";
        assert_eq!(delete.unwrap_err().to_string(), text);
    }
    service.delete_strategy(&bed.admin(), "r-3", id, Whose::Own).unwrap();
    assert!(listed(&bed).is_empty() && bed.desired().is_empty());
    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb.as_str(), record.after), ("strategy.delete", None));
    assert!(service.delete_strategy(&bed.admin(), "", id, Whose::Own).is_err(), "it is gone");
}

#[test]
fn a_scope_confines_what_may_be_created_and_to_what_it_is_changed() {
    let bed = Bed::new();
    let scoped = |permission| Policy { k8s_namespace: "data".into(), ..Policy::everywhere(permission) };
    let claims =
        bed.add_user("dba", vec![scoped(Permission::StrategyCreate), scoped(Permission::StrategyUpdate)]);
    let within = StrategyInput { k8s_namespace: vec!["data".into()], ..app("db") };
    let create = |input| bed.service.create_strategy(&bed.service.grant(&claims).unwrap(), "", input, false);
    for beyond in
        [app("db"), StrategyInput { k8s_namespace: vec!["data".into(), "default".into()], ..app("db") }]
    {
        assert!(matches!(create(beyond), Err(ServiceError::Denied)));
    }
    let id = create(within.clone()).unwrap();
    let update =
        |input| bed.service.update_strategy(&bed.service.grant(&claims).unwrap(), "", id, input, false);
    assert!(matches!(update(app("db")), Err(ServiceError::Denied)));
    update(within).unwrap();
}

#[test]
fn strategies_are_listed_oldest_first() {
    let bed = Bed::new();
    let made: Vec<_> = (0..5).map(|_| bed.create(app("web")).unwrap()).collect();
    let listed = listed(&bed);
    assert!(listed.is_sorted_by_key(|strategy| (strategy.created_ms, strategy.id)));
    let mut ids: Vec<_> = listed.iter().map(|strategy| strategy.id).collect();
    ids.sort_unstable();
    let mut expected = made;
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(bed.login(ADMIN).uid, listed[0].creator.to_string());
}

#[test]
fn one_user_has_only_so_many_and_may_still_change_them() {
    let mut bed = Bed::new();
    bed.service.rules.strategies_per_user = 2;
    let ids = [bed.create(app("web")).unwrap(), bed.create(app("web")).unwrap()];
    let refused = bed.create(app("web")).unwrap_err();
    assert_eq!(refused.to_string(), "strategies must be at most 2 for each user");
    assert!(matches!(refused.kind(), ErrorKind::Unprocessable { field, .. } if field == "strategies"));
    assert_eq!(listed(&bed).len(), 2);
    bed.service.update_strategy(&bed.admin(), "", ids[0], app("db"), false).unwrap();
    bed.service.delete_strategy(&bed.admin(), "", ids[1], Whose::Own).unwrap();
    bed.create(app("web")).unwrap();
}

#[test]
fn a_scope_confines_what_is_listed_changed_and_deleted() {
    let bed = Bed::new();
    let all: Vec<_> = Permission::ALL.iter().copied().map(Policy::everywhere).collect();
    let claims = bed.add_user("dba", all);
    let service = &bed.service;
    let data = StrategyInput { k8s_namespace: vec!["data".into()], ..app("db") };
    let everywhere = StrategyInput { strategy_namespace: "team".into(), ..app("db") };
    let make = |input| service.create_strategy(&service.grant(&claims).unwrap(), "", input, false).unwrap();
    let (in_data, in_all) = (make(data.clone()), make(everywhere));
    let role = service.world.state().role_named("role of dba").unwrap().value.clone();
    let confine = |policy: &Policy| Policy { k8s_namespace: "data".into(), ..policy.clone() };
    let policies = role.policies.iter().map(confine).collect();
    bed.put(&Document::Role(crate::domain::Role { policies, ..role }));

    let page = Page::all();
    let listed = service.strategies(&service.grant(&claims).unwrap(), Whose::Own, &page).unwrap().rows;
    assert_eq!(listed.iter().map(|listed| listed.strategy.value.id).collect::<Vec<_>>(), [in_data]);
    let intents = service.intents(&service.grant(&claims).unwrap(), Whose::Own, &Page::all()).unwrap().rows;
    assert_eq!(intents.len(), 2, "of both strategies, for the pod in the scope");
    let update = |id| service.update_strategy(&service.grant(&claims).unwrap(), "", id, data.clone(), false);
    let delete = |id| service.delete_strategy(&service.grant(&claims).unwrap(), "", id, Whose::Own);
    assert!(matches!(update(in_all), Err(ServiceError::Denied)));
    assert!(matches!(delete(in_all), Err(ServiceError::Denied)));
    update(in_data).unwrap();
    delete(in_data).unwrap();
}

#[test]
fn an_administrator_sees_and_deletes_what_is_everybodys() {
    let bed = Bed::new();
    let all: Vec<_> = Permission::ALL.iter().copied().map(Policy::everywhere).collect();
    let other = bed.add_user("other", all);
    let service = &bed.service;
    let (mine, his) = (
        bed.create(app("web")).unwrap(),
        service.create_strategy(&service.grant(&other).unwrap(), "", app("db"), false).unwrap(),
    );
    let listed = service.strategies(&bed.admin(), Whose::Everyones, &Page::all()).unwrap().rows;
    assert_eq!(listed.iter().map(|l| l.strategy.value.id).collect::<BTreeSet<_>>(), [mine, his].into());
    assert_eq!(service.intents(&bed.admin(), Whose::Everyones, &Page::all()).unwrap().rows.len(), 3);
    let intent = gthulhu_lib::id::intent_id(his, "uid-db-1");
    service.delete_intents(&bed.admin(), "", &[intent], Whose::Everyones).unwrap();
    let excluded = |grant, whose| service.excluded_intents(&grant, whose, &Page::all()).unwrap().rows.len();
    let seen_by_him = excluded(service.grant(&other).unwrap(), Whose::Own);
    assert_eq!(
        (excluded(bed.admin(), Whose::Everyones), excluded(bed.admin(), Whose::Own), seen_by_him),
        (1, 0, 1)
    );
    // All permissions are not administration.
    let not_his = || service.strategies(&service.grant(&other).unwrap(), Whose::Everyones, &Page::all());
    assert!(matches!(not_his(), Err(ServiceError::Denied)));
    let delete = |whose| service.delete_strategy(&service.grant(&other).unwrap(), "", mine, whose);
    assert!(matches!(delete(Whose::Everyones), Err(ServiceError::Denied)));
    service.delete_strategy(&bed.admin(), "", his, Whose::Everyones).unwrap();
    assert_eq!(service.strategies(&bed.admin(), Whose::Everyones, &Page::all()).unwrap().rows.len(), 1);
}
