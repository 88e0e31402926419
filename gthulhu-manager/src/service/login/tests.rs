//! Logging in and changing one's password.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};

use super::*;
use crate::domain::Policy;
use crate::service::access::StrategyRead;
use crate::service::session::{ACCESS_TOKEN, ISSUER};
use crate::service::testbed::{ADMIN, Bed, PASSWORD};

const NEW: &str = "quite another one";

#[test]
fn the_claims_name_the_user_and_his_generation() {
    let bed = Bed::new();
    let claims = bed.login(ADMIN);
    let id = bed.service.world.state().user_named(ADMIN).unwrap().value.id.to_string();
    assert_eq!((&claims.uid, &claims.sub), (&id, &id));
    assert_eq!((claims.token_type.as_str(), claims.iss.as_str()), (ACCESS_TOKEN, ISSUER));
    assert_eq!((claims.token_version, claims.need_change_password), (0, false));
    assert_eq!((claims.exp - claims.iat, claims.nbf), (3 * 3600, claims.iat));
    let json = serde_json::to_value(&claims).unwrap();
    let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["exp", "iat", "iss", "nbf", "needChangePassword", "sub", "tokenType", "tokenVersion", "uid"];
    assert_eq!(names, expected);
}

#[test]
fn every_failure_reads_the_same() {
    let bed = Bed::new();
    bed.add_user("gone@example.com", vec![]);
    bed.change_user("gone@example.com", |user| user.status = Status::Inactive);
    for (username, password) in [
        (ADMIN, "wrong"),
        (ADMIN, ""),
        ("ADMIN@example.com", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("gone@example.com", PASSWORD),
        ("gone@example.com", "wrong"),
    ] {
        let error = bed.service.login(username, password).unwrap_err();
        assert_eq!(error.to_string(), "invalid username or password", "{username} {password}");
    }
}

#[test]
fn an_outdated_hash_is_replaced_at_the_next_login() {
    let bed = Bed::new();
    let params = Params::new(16_384, 3, 2, None).unwrap();
    let hash: argon2::password_hash::phc::PasswordHash =
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(PASSWORD.as_bytes()).unwrap();
    bed.change_user(ADMIN, |user| user.password = PasswordHash::from_phc(hash.to_string()));
    assert!(bed.service.login(ADMIN, "wrong").is_err());
    let hash_now = || bed.service.world.state().user_named(ADMIN).unwrap().value.password.clone();
    assert!(!hash_now().is_current(), "a failed login replaces nothing");
    let claims = bed.login(ADMIN);
    assert!(hash_now().is_current());
    assert!(bed.service.caller(&claims).is_ok(), "his tokens stay");
    let records = bed.audit().len();
    bed.login(ADMIN);
    assert_eq!(bed.audit().len(), records, "and only once");
}

#[test]
fn a_new_password_revokes_tokens_and_lifts_the_duty_to_change() {
    let bed = Bed::new();
    bed.change_user(ADMIN, |user| user.status = Status::MustChangePassword);
    let claims = bed.login(ADMIN);
    assert!(claims.need_change_password);
    let caller = bed.service.caller(&claims).unwrap();
    assert_eq!(bed.service.profile(&caller).unwrap().status, Status::MustChangePassword);
    bed.service.change_own_password(&caller, "r-1", PASSWORD, NEW).unwrap();

    assert!(matches!(bed.service.caller(&claims), Err(ServiceError::TokenRevoked)));
    assert!(matches!(bed.service.profile(&caller), Err(ServiceError::TokenRevoked)));
    assert!(bed.service.login(ADMIN, PASSWORD).is_err());
    let claims = bed.service.login(ADMIN, NEW).unwrap();
    assert_eq!((claims.token_version, claims.need_change_password), (1, false));
    assert!(bed.service.grant::<StrategyRead>(&claims).is_ok());

    let record = bed.audit().pop().unwrap();
    assert_eq!((record.verb.as_str(), record.request_id.as_str()), ("user.password.change", "r-1"));
    assert_eq!(record.actor, claims.uid);
    let bed = bed.restart();
    assert!(bed.service.login(ADMIN, NEW).is_ok());
}

#[test]
fn a_password_change_is_refused_for_each_reason() {
    let bed = Bed::new();
    let caller = bed.service.caller(&bed.login(ADMIN)).unwrap();
    let change = |old, new| bed.service.change_own_password(&caller, "", old, new);
    for (old, new, text) in [
        ("wrong", NEW, "invalid password"),
        ("wrong", "short", "invalid password"),
        (PASSWORD, "short", "newPassword must have 15 to 128 characters"),
        (PASSWORD, "", "newPassword must have 15 to 128 characters"),
        (PASSWORD, "your-password-here", "newPassword must not be a published password"),
        (PASSWORD, "i am admin@example.com", "newPassword must not contain the username"),
    ] {
        assert_eq!(change(old, new).unwrap_err().to_string(), text, "{old} -> {new}");
    }
    bed.login(ADMIN);
    bed.change_user(ADMIN, |user| user.status = Status::MustChangePassword);
    let unchanged = change(PASSWORD, PASSWORD).unwrap_err();
    assert_eq!(unchanged.to_string(), "newPassword must differ from the old password");
}

#[test]
fn an_inactive_user_cannot_reactivate_himself() {
    let bed = Bed::new();
    let claims = bed.add_user("eve", vec![Policy::everywhere(crate::domain::Permission::StrategyRead)]);
    let caller = bed.service.caller(&claims).unwrap();
    bed.change_user("eve", |user| user.status = Status::Inactive);
    let refused = bed.service.change_own_password(&caller, "", PASSWORD, NEW).unwrap_err();
    assert!(matches!(refused, ServiceError::InactiveUser));
}
