//! What a strategy comes to when its creator may less than he could, or is gone.

use super::*;
use crate::domain::{Role, Status};
use crate::service::testbed::{ADMIN, Bed, app};
use crate::service::{StrategyInput, new_id};
use crate::store::Document;

fn create(pods: &str, strategies: &str) -> Policy {
    Policy {
        k8s_namespace: pods.into(),
        policy_namespace: strategies.into(),
        ..Policy::everywhere(Permission::StrategyCreate)
    }
}

/// The pods of all nodes.
fn reached(bed: &Bed) -> Vec<String> {
    bed.desired().into_values().flatten().collect()
}

/// Gives the role of [`Bed::add_user`] these policies.
fn change_role(bed: &Bed, username: &str, policies: Vec<Policy>) {
    let state = bed.service.world.state();
    let role = state.role_named(&format!("role of {username}")).unwrap().value.clone();
    bed.put(&Document::Role(Role { policies, ..role }));
}

#[test]
fn a_strategy_follows_the_roles_of_its_creator() {
    let bed = Bed::new();
    let claims = bed.add_user("ann", vec![create("", "")]);
    let every_pod = StrategyInput { strategy_namespace: "team".into(), ..StrategyInput::default() };
    let grant = bed.service.grant(&claims).unwrap();
    bed.service.create_strategy(&grant, "", every_pod, false).unwrap();
    let all = ["web-1", "web-2", "db-1"];
    assert_eq!(reached(&bed), all);
    for (policies, pods) in [
        (vec![create("data", "")], &all[2..]),
        (vec![create("data", "team"), create("default", "other")], &all[2..]),
        (vec![create("data", ""), create("default", "team")], &all[..]),
        (vec![create("", "other")], &[]),
        (vec![Policy::everywhere(Permission::StrategyRead)], &[]),
        (vec![], &[]),
        (vec![Policy { permission: Permission::StrategyUpdate, ..create("default", "") }], &all[..2]),
        (vec![create("", "team")], &all[..]),
    ] {
        change_role(&bed, "ann", policies.clone());
        assert_eq!(reached(&bed), pods, "{policies:?}");
    }
    bed.change_user("ann", |user| user.roles.clear());
    assert_eq!(reached(&bed), [""; 0]);
    bed.change_user("ann", |user| user.roles = vec!["admin".into()]);
    assert_eq!(reached(&bed), all);
    bed.change_user("ann", |user| user.status = Status::Inactive);
    assert_eq!(reached(&bed), all, "nothing that runs changes because somebody left");
    assert_eq!(reached(&bed.restart()), all);
}

#[test]
fn asked_for_and_allowed_namespaces_are_intersected() {
    let strategy = |namespaces: &[&str]| Strategy {
        id: new_id(),
        creator: new_id(),
        updater: new_id(),
        created_ms: 0,
        updated_ms: 0,
        strategy_namespace: "team".into(),
        label_selectors: vec![],
        k8s_namespace: namespaces.iter().map(ToString::to_string).collect(),
        command_regex: String::new(),
        priority: 0,
        execution_time: 0,
    };
    let reach = |pairs: &[(&str, &str)]| {
        Reach(pairs.iter().map(|(own, pods)| ((*own).to_string(), (*pods).to_string())).collect())
    };
    let both = [("", "red"), ("", "blue")];
    for (pairs, asked, applies) in [
        (&[("", "")][..], &["red", "blue"][..], Some(&["red", "blue"][..])),
        (&[("", "")], &[], Some(&[])),
        (&both, &["red", "green"], Some(&["red"])),
        (&both, &["green"], None),
        (&both, &[""], Some(&["blue", "red"])),
        (&both, &[], Some(&["blue", "red"])),
        (&[("other", "red")], &["red"], None),
        (&[], &["red"], None),
    ] {
        let confined = reach(pairs).confine(&strategy(asked)).map(|spec| spec.namespaces);
        assert_eq!(
            confined,
            applies.map(|list| list.iter().map(ToString::to_string).collect()),
            "{pairs:?} {asked:?}"
        );
    }
}

#[test]
fn what_changes_nobodys_reach_asks_nothing_of_the_nodes() {
    let bed = Bed::new();
    bed.add_user("ann", vec![create("data", "")]);
    bed.create(app("web")).unwrap();
    let before = bed.service.world.state();
    bed.change_user(ADMIN, |user| user.token_version += 1);
    bed.change_user("ann", |user| user.status = Status::Inactive);
    change_role(&bed, "ann", vec![create("data", ""), Policy::everywhere(Permission::UserRead)]);
    assert!(bed.service.world.state().asks_the_same_as(&before));
    change_role(&bed, "ann", vec![create("default", "")]);
    assert!(!bed.service.world.state().asks_the_same_as(&before));
}
