//! Who administers after which start.

use std::cell::RefCell;
use std::io;

use super::*;
use crate::domain::Permission;
use crate::service::testbed::{ADMIN, Bed, PASSWORD};

/// Starts without an account; returns the one-time password, if one was made.
fn start(bed: &Bed) -> (Bootstrapped, Option<String>) {
    let kept = RefCell::new(None);
    let made = bed.service.bootstrap(None, |password| {
        *kept.borrow_mut() = Some(password.to_string());
        Ok(())
    });
    (made.unwrap(), kept.into_inner())
}

#[test]
fn the_configured_administrator_is_active_and_may_do_everything() {
    let bed = Bed::new();
    let state = bed.service.world.state();
    let user = &state.user_named(ADMIN).unwrap().value;
    assert_eq!((user.status, user.roles.as_slice()), (Status::Active, &["admin".to_string()][..]));
    let role = &state.role_named("admin").unwrap().value;
    assert!(role.policies.iter().map(|policy| policy.permission).eq(Permission::ALL.iter().copied()));
    assert!(role.policies.iter().all(|policy| !policy.own && policy.k8s_namespace.is_empty()));
    let trail: Vec<_> = bed.audit().into_iter().map(|record| (record.actor, record.verb)).collect();
    let of = |verb: &str| ("system".to_string(), verb.to_string());
    assert_eq!(trail, ["role.create", "role.create", "role.create", "user.create"].map(of));
}

#[test]
fn without_an_account_there_is_a_one_time_password() {
    let bed = Bed::empty();
    let (made, password) = start(&bed);
    assert_eq!(made, Bootstrapped { made: Some(DEFAULT_ADMIN.into()), weak: None });
    let claims = bed.enter(DEFAULT_ADMIN, &password.unwrap()).unwrap();
    assert!(claims.need_change_password);
}

#[test]
fn a_later_start_touches_nobody() {
    let bed = Bed::new();
    let before = bed.audit();
    assert_eq!(bed.service.bootstrap(Some((ADMIN, "another password!!")), |_| Ok(())).unwrap().made, None);
    assert_eq!(start(&bed), (Bootstrapped::default(), None));
    assert_eq!(bed.audit(), before);
    bed.login(ADMIN);
    let bed = bed.restart();
    assert_eq!(start(&bed), (Bootstrapped::default(), None));
    bed.login(ADMIN);
}

#[test]
fn built_in_roles_are_brought_up_to_date_and_those_of_users_are_left_alone() {
    let bed = Bed::new();
    let state = bed.service.world.state();
    let [operator, viewer] = ["operator", "viewer"].map(|name| state.role_named(name).unwrap().value.clone());
    bed.put(&Document::Role(Role { policies: vec![], ..operator.clone() }));
    let of_a_user = Role { policies: vec![], creator: Some(new_id()), ..viewer.clone() };
    bed.put(&Document::Role(of_a_user.clone()));
    start(&bed);
    let role = |name: &str| bed.service.world.state().role_named(name).unwrap().value.clone();
    assert_eq!((role("operator").policies, role("operator").id), (operator.policies, operator.id));
    assert_eq!(role("viewer"), of_a_user);
    assert_eq!(bed.audit().pop().unwrap().verb, "role.update");
}

#[test]
fn another_account_is_added_beside_the_first() {
    let bed = Bed::new();
    let made = bed.service.bootstrap(Some(("root", "short")), |_| Ok(())).unwrap();
    assert_eq!(made, Bootstrapped { made: Some("root".into()), weak: Some(WeakPassword::Length) });
    assert!(bed.enter("root", "short").is_ok(), "a short one works, with a warning");
    bed.login(ADMIN);
}

#[test]
fn published_and_empty_passwords_are_refused() {
    for password in ["your-password", "your-password-here", ""] {
        let bed = Bed::empty();
        let refused = bed.service.bootstrap(Some((ADMIN, password)), |_| Ok(()));
        assert!(matches!(refused, Err(BootstrapError::PublishedPassword)), "{password}");
        assert!(bed.service.world.state().users.is_empty());
    }
    let bed = Bed::new();
    let refused = bed.service.bootstrap(Some((ADMIN, "your-password-here")), |_| Ok(()));
    assert!(refused.is_err(), "also when it would not be used");
}

#[test]
fn a_password_that_could_not_be_kept_makes_nobody() {
    let bed = Bed::empty();
    let refused = bed.service.bootstrap(None, |_| Err(io::Error::other("disk full")));
    assert!(matches!(refused, Err(BootstrapError::NotKept(_))));
    assert!(bed.service.world.state().users.is_empty());
    assert!(start(&bed).1.is_some(), "the next start makes another");
}

#[test]
fn no_password_and_no_hash_reaches_the_audit_trail() {
    let bed = Bed::new();
    let text = serde_json::to_string(&bed.audit()).unwrap();
    assert!(text.contains(ADMIN));
    assert!(!text.contains(PASSWORD) && !text.contains("argon2id") && !text.contains("assword\":"), "{text}");
}
