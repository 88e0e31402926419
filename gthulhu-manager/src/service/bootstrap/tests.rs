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
    assert_eq!(trail, [("system".into(), "role.create".into()), ("system".into(), "user.create".into())]);
}

#[test]
fn without_an_account_there_is_a_one_time_password() {
    let bed = Bed::empty();
    let (made, password) = start(&bed);
    assert_eq!(made, Bootstrapped { made: Some(DEFAULT_ADMIN.into()), weak: None });
    let claims = bed.service.login(DEFAULT_ADMIN, &password.unwrap()).unwrap();
    assert!(claims.need_change_password);
}

#[test]
fn a_later_start_touches_nobody() {
    let bed = Bed::new();
    let before = bed.audit();
    assert_eq!(bed.service.bootstrap(Some((ADMIN, "another password!!")), |_| Ok(())).unwrap().made, None);
    assert_eq!(start(&bed), (Bootstrapped::default(), None));
    bed.login(ADMIN);
    assert_eq!(bed.audit(), before);
    let bed = bed.restart();
    assert_eq!(start(&bed), (Bootstrapped::default(), None));
    bed.login(ADMIN);
}

#[test]
fn another_account_is_added_beside_the_first() {
    let bed = Bed::new();
    let made = bed.service.bootstrap(Some(("root", "short")), |_| Ok(())).unwrap();
    assert_eq!(made, Bootstrapped { made: Some("root".into()), weak: Some(WeakPassword::Length) });
    assert!(bed.service.login("root", "short").is_ok(), "a short one works, with a warning");
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
