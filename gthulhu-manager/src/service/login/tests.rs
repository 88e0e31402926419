//! Logging in and changing one's password.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};

use super::*;
use crate::domain::Policy;
use crate::service::access::StrategyRead;
use crate::service::session::{ACCESS_TOKEN, ISSUER};
use crate::service::testbed::{ADMIN, Bed, PASSWORD};

const NEW: &str = "quite another one";

/// The hash of [`PASSWORD`] with the parameters of the older manager.
fn older() -> PasswordHash {
    let params = Params::new(16_384, 3, 2, None).unwrap();
    let hash: argon2::password_hash::phc::PasswordHash =
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(PASSWORD.as_bytes()).unwrap();
    PasswordHash::from_phc(hash.to_string())
}

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
        ["exp", "iat", "iss", "nbf", "needChangePassword", "sid", "sub", "tokenType", "tokenVersion", "uid"];
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
        let error = bed.enter(username, password).unwrap_err();
        assert_eq!(error.to_string(), "invalid username or password", "{username} {password}");
    }
}

#[test]
fn an_outdated_hash_is_replaced_at_the_next_login() {
    let bed = Bed::new();
    bed.change_user(ADMIN, |user| user.password = older());
    assert!(bed.enter(ADMIN, "wrong").is_err());
    let hash_now = || bed.service.world.state().user_named(ADMIN).unwrap().value.password.clone();
    assert!(!hash_now().is_current(), "a failed login replaces nothing");
    let claims = bed.login(ADMIN);
    assert!(hash_now().is_current());
    assert!(bed.service.caller(&claims).is_ok(), "his tokens stay");
    bed.login(ADMIN);
    let rehashed = bed.audit().into_iter().filter(|record| record.verb == "user.password.rehash");
    assert_eq!(rehashed.count(), 1, "and only once");
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
    assert!(bed.enter(ADMIN, PASSWORD).is_err());
    let claims = bed.enter(ADMIN, NEW).unwrap();
    assert_eq!((claims.token_version, claims.need_change_password), (1, false));
    assert!(bed.service.grant::<StrategyRead>(&claims).is_ok());

    let record = bed.audit().into_iter().find(|record| record.verb == "user.password.change").unwrap();
    assert_eq!(record.request_id, "r-1");
    assert_eq!(record.actor, claims.uid);
    let bed = bed.restart();
    assert!(bed.enter(ADMIN, NEW).is_ok());
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

#[test]
fn every_login_does_the_work_of_every_cost_that_occurs() {
    let bed = Bed::new();
    bed.add_user("ann", vec![]);
    let costs = || bed.service.costs.of(&bed.service.world.state());
    assert_eq!(costs(), [HashCost::CURRENT]);
    bed.change_user("ann", |user| user.password = older());
    assert_eq!(costs(), [HashCost::CURRENT, older().cost()]);
    bed.change_user("ann", |user| user.password = PasswordHash::from_phc("unusable"));
    assert_eq!(costs(), [HashCost::CURRENT], "what cannot be used is judged like a hash of ours");
    for memory in 8_000..8_000 + 10 {
        let odd = PasswordHash::from_phc(older().to_phc().replace("m=16384", &format!("m={memory}")));
        bed.add_user(&format!("user {memory}"), vec![]);
        bed.change_user(&format!("user {memory}"), |user| user.password = odd.clone());
    }
    assert_eq!(costs().len(), 1 + COSTS_MAX, "many costs are not all hidden: the work has a bound");
}

#[test]
fn the_trail_tells_of_logins_and_of_no_name_that_is_none() {
    let bed = Bed::new();
    let id = bed.login(ADMIN).uid;
    bed.add_user("gone", vec![]);
    bed.change_user("gone", |user| user.status = Status::Inactive);
    let before = bed.audit().len();
    for (name, password) in [(ADMIN, "wrong"), ("hunter2 in the wrong field", "x"), ("gone", PASSWORD)] {
        assert!(bed.enter(name, password).is_err());
    }
    let gone = bed.service.world.state().user_named("gone").unwrap().value.id;
    let records = bed.audit().split_off(before);
    let told: Vec<_> =
        records.iter().map(|record| (record.object.clone(), record.after.clone().unwrap())).collect();
    let refused = |reason: &str| serde_json::json!({ "reason": reason, "omitted": 0 });
    let expected = [
        (format!("user/{id}"), refused("wrong password")),
        ("user/".to_string(), refused("no such user")),
        (format!("user/{gone}"), refused("inactive user")),
    ];
    assert_eq!(told, expected);
    for record in &records {
        assert_eq!((record.verb.as_str(), record.actor.as_str()), ("login.refuse", "anonymous"));
        assert_eq!((record.request_id.as_str(), record.from.as_str()), ("r-stranger", "192.0.2.1"));
    }
}

#[test]
fn guesses_end_and_the_trail_does_not_grow_with_them() {
    let bed = Bed::new();
    // The guesser knows where the administrator never was.
    let guess = |name: &str, password: &str| {
        let origin = Origin::stranger(now_ms(), "", [198, 51, 100, 7].into());
        bed.service.login(&origin, name, password).unwrap_err().to_string()
    };
    for name in [ADMIN, "nobody"] {
        for _ in 0..10 {
            assert_eq!(guess(name, "wrong"), "invalid username or password");
        }
        assert_eq!(guess(name, "wrong"), "too many failed logins, try again later");
        assert_eq!(guess(name, PASSWORD), "too many failed logins, try again later");
    }
    for _ in 0..1000 {
        guess(ADMIN, "wrong");
    }
    let refused = bed.audit().into_iter().filter(|record| record.verb == "login.refuse").count();
    assert!((20..=70).contains(&refused), "{refused}");
    // A password that someone else sets starts with a clean slate.
    bed.service.throttle.forgive(ADMIN);
    assert_eq!(guess(ADMIN, "wrong"), "invalid username or password");
}

#[test]
fn the_old_password_cannot_be_guessed_with_a_stolen_token() {
    let bed = Bed::new();
    let caller = bed.service.caller(&bed.login(ADMIN)).unwrap();
    let guess = || bed.service.change_own_password(&caller, "", "wrong", NEW).unwrap_err().to_string();
    for _ in 0..10 {
        assert_eq!(guess(), "invalid password");
    }
    assert_eq!(guess(), "too many failed logins, try again later");
}

#[test]
fn a_password_that_looks_like_a_hash_is_a_password() {
    let bed = Bed::new();
    let caller = bed.service.caller(&bed.login(ADMIN)).unwrap();
    let hash = older().to_phc();
    bed.service.change_own_password(&caller, "", PASSWORD, &hash).unwrap();
    assert!(bed.enter(ADMIN, PASSWORD).is_err(), "the hash was not taken for one");
    bed.enter(ADMIN, &hash).unwrap();
}
