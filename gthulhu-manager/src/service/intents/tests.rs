//! Listing intents, and excluding them.

use gthulhu_lib::id::intent_id;

use super::*;
use crate::domain::{Permission, Policy};
use crate::service::StrategyInput;
use crate::service::testbed::{ADMIN, Bed, app, pod, pods};

fn names(intents: &[ListedIntent]) -> Vec<&str> {
    intents.iter().map(|intent| intent.body.pod_name.as_str()).collect()
}

fn delete(bed: &Bed, ids: &[Id]) -> Result<(), ServiceError> {
    bed.service.delete_intents(&bed.admin(), "r-delete", ids, Whose::Own)
}

#[test]
fn an_intent_tells_its_pod_and_how_far_it_has_come() {
    let bed = Bed::new();
    let strategy = bed.create(app("web")).unwrap();
    bed.outside.fail("n1", "connection refused");
    let [first, second] = &bed.intents()[..] else { panic!("two intents") };
    assert_eq!(first.id, intent_id(strategy, "uid-web-1"));
    assert_eq!(
        (first.strategy, first.body.pod_id.as_str(), first.body.node_id.as_str()),
        (strategy, "uid-web-1", "n1")
    );
    assert_eq!(first.body.pod_labels["app"], "web");
    assert_eq!(
        (first.accepted, first.last_error.as_deref(), first.generation),
        (false, Some("connection refused"), 0)
    );
    assert_eq!(second.body.pod_name, "web-2");
    bed.accept("n1");
    let accepted = &bed.intents()[0];
    assert_eq!((accepted.accepted, accepted.last_error.as_deref(), accepted.generation), (true, None, 1));
}

#[test]
fn intents_follow_the_pods() {
    let bed = Bed::new();
    let strategy = bed.create(app("late")).unwrap();
    assert!(bed.intents().is_empty(), "it has no node yet");
    bed.outside.pods(vec![pod("late-1", "default", Some("n2"))], true);
    assert_eq!(bed.desired(), [("n2".to_string(), vec!["late-1".to_string()])].into());
    let before = bed.intents();
    bed.outside.pods(vec![pod("late-2", "default", Some("n2")), pod("late-1", "default", Some("n1"))], true);
    let after = bed.intents();
    assert_eq!(names(&after), ["late-1", "late-2"]);
    assert_eq!(after[0].id, before[0].id, "an id outlives whatever happens to the pod");
    assert_eq!(after[0].id, intent_id(strategy, "uid-late-1"));
}

#[test]
fn a_deleted_intent_stays_away_and_is_listed_as_excluded() {
    let bed = Bed::new();
    let strategy = bed.create(app("web")).unwrap();
    let other = bed.create(StrategyInput::default()).unwrap();
    let gone = intent_id(strategy, "uid-web-1");
    delete(&bed, &[gone, gone]).unwrap();
    let check = |bed: &Bed| {
        let left = bed.intents();
        let of = |id| {
            left.iter().filter(|i| i.strategy == id).map(|i| i.body.pod_name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!((of(strategy), of(other)), (vec!["web-2"], vec!["db-1", "web-1", "web-2"]));
        let excluded = bed.excluded();
        let [only] = &excluded[..] else { panic!("one exclusion") };
        assert_eq!((only.id, only.strategy, only.accepted), (gone, strategy, false));
        assert_eq!(
            (only.body.pod_name.as_str(), only.body.node_id.as_str(), only.body.priority),
            ("web-1", "n1", 5)
        );
    };
    check(&bed);
    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb, record.object), ("exclusion.create".into(), format!("exclusion/{gone}")));
    assert_eq!(record.request_id, "r-delete");
    let bed = bed.restart();
    check(&bed);
    bed.outside.pods(vec![], false);
    let unseen = &bed.excluded()[0];
    assert_eq!(
        (unseen.id, unseen.body.pod_id.as_str(), unseen.body.pod_name.as_str()),
        (gone, "uid-web-1", "")
    );
}

#[test]
fn deletion_is_all_or_nothing_and_only_of_ones_own() {
    let bed = Bed::new();
    let strategy = bed.create(app("web")).unwrap();
    let all: Vec<_> = Permission::ALL.iter().copied().map(Policy::everywhere).collect();
    let other = bed.add_user("other", all);
    let his =
        bed.service.create_strategy(&bed.service.grant(&other).unwrap(), "", app("web"), false).unwrap();
    let (mine, not_mine) = (intent_id(strategy, "uid-web-1"), intent_id(his, "uid-web-1"));
    let records = bed.audit().len();
    for ids in [
        vec![mine, not_mine],
        vec![mine, Id::from_bytes([0; 12])],
        vec![mine, intent_id(strategy, "uid-db-1")],
        vec![not_mine],
    ] {
        let error = delete(&bed, &ids).unwrap_err();
        let text = "one or more intents not found or you don't have permission to delete them";
        assert_eq!(error.to_string(), text);
    }
    assert_eq!((bed.audit().len(), bed.intents().len()), (records, 2));
    delete(&bed, &[]).unwrap();
    delete(&bed, &[mine]).unwrap();
    assert!(delete(&bed, &[mine]).is_err(), "it is gone already");
    assert!(
        bed.service
            .excluded_intents(&bed.service.grant(&other).unwrap(), Whose::Own, &Page::all())
            .unwrap()
            .rows
            .is_empty()
    );
}

#[test]
fn an_update_or_deletion_of_the_strategy_ends_its_exclusions() {
    let bed = Bed::new();
    let (web, db) = (bed.create(app("web")).unwrap(), bed.create(app("db")).unwrap());
    delete(&bed, &[intent_id(web, "uid-web-1"), intent_id(web, "uid-web-2"), intent_id(db, "uid-db-1")])
        .unwrap();
    assert!(bed.desired().is_empty());
    bed.service.update_strategy(&bed.admin(), "", web, app("web"), false).unwrap();
    assert_eq!(names(&bed.intents()), ["web-1", "web-2"]);
    assert_eq!(bed.excluded().len(), 1, "the other strategy's stays");
    bed.service.delete_strategy(&bed.admin(), "", db, Whose::Own).unwrap();
    assert!(bed.service.world.state().exclusions.is_empty());
    let ended = bed.audit().into_iter().filter(|record| record.verb == "exclusion.delete").count();
    assert_eq!(ended, 3);
}

#[test]
fn exclusions_of_vanished_pods_are_dropped_only_when_that_is_sure() {
    let bed = Bed::new();
    let web = bed.create(app("web")).unwrap();
    delete(&bed, &[intent_id(web, "uid-web-1"), intent_id(web, "uid-web-2")]).unwrap();
    assert_eq!(bed.service.forget_vanished_pods().unwrap(), 0);
    bed.outside.pods(vec![], false);
    assert_eq!(bed.service.forget_vanished_pods().unwrap(), 0, "they may just not be known yet");
    let ended = Pod { terminal: true, ..pods().remove(0) };
    bed.outside.pods(vec![ended], true);
    assert_eq!(bed.service.forget_vanished_pods().unwrap(), 1, "one is gone, one has ended but is there");
    assert_eq!(bed.service.forget_vanished_pods().unwrap(), 0);
    let left: Vec<_> =
        bed.service.world.state().exclusions.values().map(|e| e.value.pod_uid.clone()).collect();
    assert_eq!(left, ["uid-web-1"]);
    assert_eq!(bed.audit().pop().unwrap().actor, "system");
    assert!(bed.login(ADMIN).exp > 0);
}
