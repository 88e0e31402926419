//! Who may do what to whom, and what becomes of them.

use super::*;
use crate::domain::{Permission, Policy, Role};
use crate::service::testbed::{ADMIN, Bed, PASSWORD};
use crate::service::{Claims, ErrorKind};

const NEW: &str = "a quite new password";

fn id_of(bed: &Bed, username: &str) -> Id {
    bed.service.world.state().user_named(username).unwrap().value.id
}

fn user(bed: &Bed, username: &str) -> User {
    bed.service.world.state().user_named(username).unwrap().value.clone()
}

fn roles(names: &[&str]) -> UserChange {
    UserChange { roles: Some(names.iter().map(ToString::to_string).collect()), status: None }
}

fn status(status: Status) -> UserChange {
    UserChange { roles: None, status: Some(status) }
}

/// What `claims` lets do to a user; the refusal's text.
fn change(bed: &Bed, claims: &Claims, username: &str, change: &UserChange) -> Result<(), String> {
    let grant = bed.service.grant(claims).unwrap();
    bed.service
        .change_user(&grant, "r-change", id_of(bed, username), change)
        .map_err(|error| error.to_string())
}

fn reset(bed: &Bed, claims: &Claims, username: &str) -> Result<(), String> {
    let grant = bed.service.grant(claims).unwrap();
    bed.service
        .reset_password(&grant, "r-reset", id_of(bed, username), NEW)
        .map_err(|error| error.to_string())
}

fn own(permission: Permission) -> Policy {
    Policy { own: true, ..Policy::everywhere(permission) }
}

#[test]
fn a_new_user_has_no_roles_and_must_change_his_password() {
    let bed = Bed::new();
    let id = bed.service.create_user(&bed.admin(), "r-1", "ann", PASSWORD).unwrap();
    let made = user(&bed, "ann");
    assert_eq!((made.id, made.status, made.roles.len()), (id, Status::MustChangePassword, 0));
    assert_eq!(made.creator, Some(id_of(&bed, ADMIN)));
    assert!(bed.login("ann").need_change_password);
    let record = bed.audit().into_iter().rfind(|record| record.verb == "user.create").unwrap();
    assert_eq!((record.request_id.as_str(), record.object), ("r-1", format!("user/{id}")));
    assert_eq!(record.actor, id_of(&bed, ADMIN).to_string());
}

#[test]
fn names_and_passwords_are_checked_before_anything_is_stored() {
    let bed = Bed::new();
    let records = bed.audit().len();
    for (username, password, text) in [
        ("", PASSWORD, "username must have 1 to 254 characters"),
        (&"n".repeat(255), PASSWORD, "username must have 1 to 254 characters"),
        ("a\nb", PASSWORD, "username must not contain control characters"),
        (" ann", PASSWORD, "username must not begin or end with a blank"),
        (ADMIN, PASSWORD, "user already exists"),
        ("ann", "too short", "password must have 15 to 128 characters"),
        ("ann", "annually renewed!", "password must not contain the username"),
        ("ann", "your-password-here", "password must not be a published password"),
    ] {
        let refused = bed.service.create_user(&bed.admin(), "", username, password).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
    assert_eq!(bed.audit().len(), records);
    for username in ["n".repeat(254).as_str(), "Admin@example.com", "Zoë 😀", "a"] {
        bed.service.create_user(&bed.admin(), "", username, PASSWORD).unwrap();
    }
}

/// The hash of a password is never taken for a hash: it is a password like any other.
#[test]
fn a_password_that_looks_like_a_hash_is_a_password() {
    let bed = Bed::new();
    let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    bed.service.create_user(&bed.admin(), "", "ann", hash).unwrap();
    assert!(bed.enter("ann", hash).is_ok());
}

#[test]
fn a_reset_ends_all_sessions_and_keeps_the_inactive_inactive() {
    let bed = Bed::new();
    let (ann, eve) = (bed.add_user("ann", vec![]), bed.add_user("eve", vec![]));
    bed.change_user("eve", |user| user.status = Status::Inactive);
    let admin = bed.login(ADMIN);
    assert_eq!((reset(&bed, &admin, "ann"), reset(&bed, &admin, "eve")), (Ok(()), Ok(())));
    assert!(matches!(bed.service.caller(&ann), Err(ServiceError::TokenRevoked)));
    assert!(bed.service.caller(&eve).is_err() && bed.enter("eve", NEW).is_err());
    assert!(bed.enter("ann", PASSWORD).is_err());
    assert!(bed.enter("ann", NEW).unwrap().need_change_password);
    let weak = bed.service.reset_password(&bed.admin(), "", id_of(&bed, "ann"), "short").unwrap_err();
    assert_eq!(weak.to_string(), "newPassword must have 15 to 128 characters");
    let nobody = bed.service.reset_password(&bed.admin(), "", new_id(), NEW).unwrap_err();
    assert_eq!((nobody.to_string().as_str(), nobody.kind()), ("user not found", ErrorKind::NotFound));
}

#[test]
fn roles_and_status_are_replaced_and_absent_ones_stay() {
    let bed = Bed::new();
    let admin = bed.login(ADMIN);
    let ann = bed.add_user("ann", vec![]);
    change(&bed, &admin, "ann", &roles(&["viewer", "operator"])).unwrap();
    assert!(matches!(bed.service.caller(&ann), Err(ServiceError::TokenRevoked)));
    let ann = bed.login("ann");
    change(&bed, &admin, "ann", &status(Status::Inactive)).unwrap();
    assert!(matches!(bed.service.caller(&ann), Err(ServiceError::InactiveUser)));
    assert_eq!(user(&bed, "ann").roles, ["viewer", "operator"]);
    change(&bed, &admin, "ann", &status(Status::Active)).unwrap();
    assert!(matches!(bed.service.caller(&ann), Err(ServiceError::TokenRevoked)), "an old token stays dead");
    change(&bed, &admin, "ann", &roles(&[])).unwrap();
    assert_eq!((user(&bed, "ann").roles.len(), user(&bed, "ann").status), (0, Status::Active));
    for names in [&["viewer", "viewer"][..], &["viewer", "no such role"], &[""]] {
        assert_eq!(change(&bed, &admin, "ann", &roles(names)), Err("Some roles not found".into()));
    }
    let (before, ann) = (bed.audit(), bed.login("ann"));
    change(&bed, &admin, "ann", &UserChange::default()).unwrap();
    change(&bed, &admin, "ann", &status(Status::Active)).unwrap();
    assert!(bed.service.caller(&ann).is_ok(), "a change of nothing ends nothing");
    let told = |records: &[crate::store::AuditRecord]| {
        records.iter().filter(|record| record.verb == "user.permission.update").count()
    };
    assert_eq!(told(&bed.audit()), told(&before));
}

#[test]
fn the_last_administrator_stays() {
    let bed = Bed::new();
    let last = Err("there must always be an administrator who can log in".to_string());
    for change_of in [roles(&[]), roles(&["viewer"]), status(Status::Inactive)] {
        assert_eq!(change(&bed, &bed.login(ADMIN), ADMIN, &change_of), last);
    }
    bed.add_user("ann", vec![]);
    change(&bed, &bed.login(ADMIN), "ann", &roles(&["admin"])).unwrap();
    change(&bed, &bed.login(ADMIN), "ann", &status(Status::Inactive)).unwrap();
    assert_eq!(change(&bed, &bed.login(ADMIN), ADMIN, &roles(&[])), last, "an inactive one does not count");
    change(&bed, &bed.login(ADMIN), "ann", &status(Status::MustChangePassword)).unwrap();
    change(&bed, &bed.login(ADMIN), ADMIN, &roles(&["viewer"])).unwrap();
    assert!(user(&bed, "ann").is_admin() && !user(&bed, ADMIN).is_admin());
}

#[test]
fn nobody_grants_what_he_lacks() {
    let bed = Bed::new();
    let update = Permission::UserPermissionUpdate;
    let in_red = |permission| Policy { k8s_namespace: "red".into(), ..Policy::everywhere(permission) };
    let clerk = bed.add_user("clerk", vec![Policy::everywhere(update), in_red(Permission::StrategyRead)]);
    bed.add_user("ann", vec![]);
    for (name, policies) in [
        ("reads red", vec![in_red(Permission::StrategyRead)]),
        ("reads all", vec![Policy::everywhere(Permission::StrategyRead)]),
        ("makes red", vec![in_red(Permission::StrategyCreate)]),
    ] {
        bed.put(&Document::Role(Role {
            name: name.into(),
            policies,
            creator: Some(new_id()),
            ..Role::admin(new_id(), 0)
        }));
    }
    let lacking = |key: &str| Err(format!("forbidden: you lack {key} to this extent"));
    assert_eq!(change(&bed, &clerk, "ann", &roles(&["reads red"])), Ok(()));
    assert_eq!(change(&bed, &clerk, "ann", &roles(&["reads all"])), lacking("schedule_strategy.read"));
    assert_eq!(change(&bed, &clerk, "ann", &roles(&["makes red"])), lacking("schedule_strategy.create"));
    assert_eq!(change(&bed, &clerk, "ann", &roles(&["admin"])), Err("forbidden".into()));
    assert_eq!(change(&bed, &clerk, "clerk", &roles(&["admin"])), Err("forbidden".into()));
    // Nor does he act on one who may more than he.
    assert_eq!(change(&bed, &clerk, ADMIN, &status(Status::Inactive)), Err("forbidden".into()));
    bed.change_user("ann", |user| user.roles = vec!["reads all".into()]);
    assert_eq!(change(&bed, &clerk, "ann", &roles(&[])), lacking("schedule_strategy.read"));
    bed.change_user("ann", |user| (user.roles, user.status) = (vec!["reads all".into()], Status::Inactive));
    assert_eq!(change(&bed, &clerk, "ann", &status(Status::Active)), lacking("schedule_strategy.read"));
    assert_eq!(user(&bed, "ann").roles, ["reads all"]);
}

#[test]
fn a_reset_does_not_take_over_a_stronger_account() {
    let bed = Bed::new();
    let helper = bed.add_user("helper", vec![Policy::everywhere(Permission::UserPasswordReset)]);
    bed.add_user("ann", vec![]);
    bed.add_user("bob", vec![Policy::everywhere(Permission::RoleCreate)]);
    assert_eq!(reset(&bed, &helper, "ann"), Ok(()));
    assert_eq!(reset(&bed, &helper, "bob"), Err("forbidden: you lack role.create to this extent".into()));
    assert_eq!(reset(&bed, &helper, ADMIN), Err("forbidden".into()));
    // All permissions are not administration.
    let all = Permission::ALL.iter().copied().map(Policy::everywhere).collect();
    let strong = bed.add_user("strong", all);
    assert_eq!(reset(&bed, &strong, ADMIN), Err("forbidden".into()));
    assert_eq!(reset(&bed, &strong, "bob"), Ok(()));
}

#[test]
fn self_is_oneself() {
    let bed = Bed::new();
    let policies =
        [Permission::UserRead, Permission::UserPasswordReset, Permission::UserPermissionUpdate].map(own);
    let ann = bed.add_user("ann", policies.to_vec());
    bed.add_user("bob", vec![]);
    let service = &bed.service;
    let seen = service.users(&service.grant(&ann).unwrap(), &Page::all()).rows;
    assert_eq!(seen.iter().map(|user| user.value.username.as_str()).collect::<Vec<_>>(), ["ann"]);
    let forbidden = Err("forbidden".to_string());
    assert_eq!(
        (reset(&bed, &ann, "bob"), change(&bed, &ann, "bob", &roles(&[]))),
        (forbidden.clone(), forbidden.clone())
    );
    let nobody = service.reset_password(&service.grant(&ann).unwrap(), "", new_id(), NEW).unwrap_err();
    assert_eq!(nobody.to_string(), "forbidden", "nor is he told who is there");
    assert_eq!(change(&bed, &ann, "ann", &roles(&["admin"])), forbidden);
    assert_eq!(reset(&bed, &ann, "ann"), Ok(()));
    // A policy for everybody beside one for oneself counts.
    let both = [own(Permission::UserPasswordReset), Policy::everywhere(Permission::UserPasswordReset)];
    let helper = bed.add_user("helper", both.to_vec());
    assert_eq!(reset(&bed, &helper, "bob"), Ok(()));
}

#[test]
fn policies_that_mean_nothing_allow_nothing() {
    let bed = Bed::new();
    let in_red = |permission| Policy { k8s_namespace: "red".into(), ..Policy::everywhere(permission) };
    let claims = bed.add_user("ann", vec![own(Permission::UserCreate), in_red(Permission::UserRead)]);
    assert!(matches!(bed.service.grant::<UserCreate>(&claims), Err(ServiceError::Denied)));
    assert!(matches!(bed.service.grant::<UserRead>(&claims), Err(ServiceError::Denied)));
}

#[test]
fn users_come_oldest_first_and_by_pages() {
    let bed = Bed::new();
    for name in ["ann", "bob", "eve"] {
        bed.add_user(name, vec![]);
    }
    let whole = bed.service.users(&bed.admin(), &Page::all()).rows;
    assert!(whole.is_sorted_by_key(|user| (user.value.created_ms, user.value.id)) && whole.len() == 4);
    let first = bed.service.users(&bed.admin(), &Page { limit: Some(3), after: None });
    let after = <ByAge as crate::service::Place>::parse(&first.next.unwrap());
    let second = bed.service.users(&bed.admin(), &Page { limit: Some(3), after });
    assert!(second.next.is_none());
    assert_eq!([first.rows, second.rows].concat(), whole);
}

#[test]
fn a_grant_to_change_users_does_not_outlive_the_right() {
    let bed = Bed::new();
    bed.add_user("ann", vec![]);
    let ann = id_of(&bed, "ann");
    let (create, reset, update) = (bed.admin(), bed.admin(), bed.admin());
    bed.change_user(ADMIN, |user| user.roles.clear());
    let service = &bed.service;
    let refusals = [
        service.create_user(&create, "", "bob", PASSWORD).map(drop),
        service.reset_password(&reset, "", ann, NEW),
        service.change_user(&update, "", ann, &roles(&["viewer"])),
    ];
    assert_eq!(refusals.map(|refusal| refusal.unwrap_err().to_string()), ["permission denied"; 3]);
}
