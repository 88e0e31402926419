//! Roles from creation to deletion, and what their holders notice.

use super::*;
use crate::domain::Status;
use crate::service::testbed::{ADMIN, Bed};
use crate::service::{ErrorKind, UserChange};

fn everywhere(permissions: &[Permission]) -> Vec<Policy> {
    permissions.iter().copied().map(Policy::everywhere).collect()
}

fn input(name: &str, permissions: &[Permission]) -> RoleInput {
    RoleInput { name: name.into(), description: "for tests".into(), policies: everywhere(permissions) }
}

fn make(bed: &Bed, name: &str, permissions: &[Permission]) -> Id {
    bed.service.create_role(&bed.admin(), "r-role", &input(name, permissions)).unwrap()
}

fn give(bed: &Bed, username: &str, role: &str) {
    let id = bed.service.world.state().user_named(username).unwrap().value.id;
    let change = UserChange { roles: Some(vec![role.into()]), status: Some(Status::Active) };
    bed.service.change_user(&bed.admin(), "", id, &change).unwrap();
}

fn update(bed: &Bed, id: Id, change: &RoleChange) -> Result<(), String> {
    bed.service.update_role(&bed.admin(), "r-update", id, change).map_err(|error| error.to_string())
}

fn role(bed: &Bed, id: Id) -> Role {
    bed.service.world.state().roles.get(&id).unwrap().value.clone()
}

#[test]
fn a_role_is_kept_as_written() {
    let bed = Bed::new();
    let policy = Policy {
        own: true,
        k8s_namespace: "red".into(),
        policy_namespace: "any text".into(),
        ..Policy::everywhere(Permission::UserRead)
    };
    let written = RoleInput { policies: vec![policy], ..input("watchers", &[]) };
    let id = bed.service.create_role(&bed.admin(), "r-role", &written).unwrap();
    let stored = role(&bed, id);
    assert_eq!(
        (stored.name, stored.description, stored.policies),
        (written.name, written.description, written.policies)
    );
    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb.as_str(), record.object), ("role.create", format!("role/{id}")));
    let listed = bed.service.roles(&bed.admin(), &Page::all()).rows;
    assert_eq!(listed.len(), 4, "and the three that are built in");
    assert_eq!(bed.service.permissions(&bed.admin()), Permission::ALL);
}

#[test]
fn each_rule_names_its_field() {
    let bed = Bed::new();
    let read = Policy::everywhere(Permission::RoleRead);
    let with = |policy: Policy| RoleInput { policies: vec![read.clone(), policy], ..input("x", &[]) };
    for (input, text) in [
        (input("", &[]), "name must have 1 to 254 characters"),
        (input("x\u{7}", &[]), "name must not contain control characters"),
        (input("admin", &[]), "role already exists"),
        (
            RoleInput { description: "d".repeat(1025), ..input("x", &[]) },
            "description must have at most 1024 characters",
        ),
        (
            RoleInput { policies: vec![read.clone(); 1001], ..input("x", &[]) },
            "rolePolicies must have at most 1000 entries",
        ),
        (
            with(Policy { policy_namespace: "p".repeat(1025), ..read.clone() }),
            "rolePolicies[1].policyNamespace must have at most 1024 characters",
        ),
    ] {
        assert_eq!(bed.service.create_role(&bed.admin(), "", &input).unwrap_err().to_string(), text);
    }
    let bad = with(Policy { k8s_namespace: "Red".into(), ..read.clone() });
    let refused = bed.service.create_role(&bed.admin(), "", &bad).unwrap_err().kind();
    assert!(
        matches!(refused, ErrorKind::Unprocessable { field, .. } if field == "rolePolicies[1].k8sNamespace")
    );
    assert_eq!(bed.service.roles(&bed.admin(), &Page::all()).rows.len(), 3);
}

#[test]
fn other_policies_end_the_sessions_of_all_holders_and_of_nobody_else() {
    let bed = Bed::new();
    let id = make(&bed, "watchers", &[Permission::UserRead]);
    let _ = (bed.add_user("ann", vec![]), bed.add_user("bob", vec![]));
    give(&bed, "ann", "watchers");
    let (ann, bob) = (bed.login("ann"), bed.login("bob"));
    let described = RoleChange { description: Some("another text".into()), ..RoleChange::default() };
    update(&bed, id, &described).unwrap();
    assert!(bed.service.caller(&ann).is_ok(), "a text allows nothing");
    let policies = Some(everywhere(&[Permission::RoleRead]));
    update(&bed, id, &RoleChange { policies: policies.clone(), ..RoleChange::default() }).unwrap();
    assert!(matches!(bed.service.caller(&ann), Err(ServiceError::TokenRevoked)));
    assert!(bed.service.caller(&bob).is_ok());
    let ann = bed.login("ann");
    assert!(bed.service.grant::<RoleRead>(&ann).is_ok());
    let records = bed.audit().len();
    update(&bed, id, &RoleChange { policies, ..RoleChange::default() }).unwrap();
    assert!(bed.service.caller(&ann).is_ok(), "the same again is no change");
    assert_eq!(bed.audit().len(), records);
}

#[test]
fn holders_keep_a_role_under_its_new_name() {
    let bed = Bed::new();
    let id = make(&bed, "watchers", &[Permission::UserRead]);
    make(&bed, "others", &[]);
    bed.add_user("ann", vec![]);
    give(&bed, "ann", "watchers");
    let ann = bed.login("ann");
    let named = |name: &str| RoleChange { name: Some(name.into()), ..RoleChange::default() };
    assert_eq!(update(&bed, id, &named("others")), Err("role already exists".into()));
    update(&bed, id, &named("guards")).unwrap();
    assert!(bed.service.grant::<crate::service::UserRead>(&ann).is_ok());
    assert_eq!(bed.service.world.state().user_named("ann").unwrap().value.roles, ["guards"]);
    // What takes the old name is not what they hold.
    make(&bed, "watchers", &[Permission::RoleDelete]);
    assert!(bed.service.grant::<RoleDelete>(&ann).is_err());
}

#[test]
fn a_role_that_is_held_or_built_in_stays() {
    let bed = Bed::new();
    let id = make(&bed, "watchers", &[]);
    bed.add_user("ann", vec![]);
    give(&bed, "ann", "watchers");
    let delete =
        |id| bed.service.delete_role(&bed.admin(), "r-delete", id).map_err(|error| error.to_string());
    assert_eq!(delete(id), Err("role is still held; users who hold it: 1".into()));
    bed.change_user("ann", |user| user.roles.clear());
    assert_eq!(delete(id), Ok(()));
    assert_eq!(bed.audit().pop().unwrap().verb, "role.delete");
    assert_eq!(delete(id), Err("role not found".into()));
    assert_eq!(update(&bed, id, &RoleChange::default()), Err("role not found".into()));
    for name in ["admin", "operator", "viewer"] {
        let built_in = bed.service.world.state().role_named(name).unwrap().value.id;
        let refused = Err(format!("role {name} is built in: nobody changes or deletes it"));
        assert_eq!(delete(built_in), refused);
        assert_eq!(
            update(&bed, built_in, &RoleChange { description: Some("x".into()), ..RoleChange::default() }),
            refused
        );
    }
}

#[test]
fn nobody_makes_or_changes_a_role_that_allows_more_than_he_may() {
    let bed = Bed::new();
    let mine = [Permission::RoleCreate, Permission::RoleUpdate, Permission::UserRead];
    let claims = bed.add_user("ann", everywhere(&mine));
    let service = &bed.service;
    let create = |input: &RoleInput| {
        service.create_role(&service.grant(&claims).unwrap(), "", input).map_err(|error| error.to_string())
    };
    let lacking = |key: &str| format!("forbidden: you lack {key} to this extent");
    assert_eq!(
        create(&input("deleters", &[Permission::UserRead, Permission::RoleDelete])),
        Err(lacking("role.delete"))
    );
    let weak = create(&input("readers", &[Permission::UserRead])).unwrap();
    let strong = make(&bed, "deleters", &[Permission::RoleDelete]);
    let change = |id, policies: &[Permission]| {
        let change = RoleChange { policies: Some(everywhere(policies)), ..RoleChange::default() };
        service
            .update_role(&service.grant(&claims).unwrap(), "", id, &change)
            .map_err(|error| error.to_string())
    };
    assert_eq!(change(weak, &[Permission::RoleDelete]), Err(lacking("role.delete")));
    assert_eq!(change(strong, &[]), Err(lacking("role.delete")), "nor does he weaken it");
    assert_eq!(change(weak, &mine), Ok(()));
    // His own role is a role like any other.
    let own = service.world.state().role_named("role of ann").unwrap().value.id;
    assert_eq!(change(own, Permission::ALL), Err(lacking("user.create")));
}

#[test]
fn a_grant_to_change_roles_does_not_outlive_the_right() {
    let bed = Bed::new();
    let id = make(&bed, "watchers", &[]);
    let (create, change, delete) = (bed.admin(), bed.admin(), bed.admin());
    bed.change_user(ADMIN, |user| user.status = Status::Inactive);
    let refusals = [
        bed.service.create_role(&create, "", &input("x", &[])).map(drop),
        bed.service.update_role(&change, "", id, &RoleChange::default()),
        bed.service.delete_role(&delete, "", id),
    ];
    assert_eq!(refusals.map(|refusal| refusal.unwrap_err().to_string()), ["user is inactive"; 3]);
}
