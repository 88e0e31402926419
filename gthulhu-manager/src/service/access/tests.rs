//! Which claims let whom do what.

use super::*;
use crate::domain::Status;
use crate::service::testbed::{ADMIN, Bed, app};

fn policy(permission: Permission, pods: &str, strategies: &str) -> Policy {
    Policy {
        k8s_namespace: pods.into(),
        policy_namespace: strategies.into(),
        ..Policy::everywhere(permission)
    }
}

#[test]
fn claims_are_refused_for_each_reason() {
    let bed = Bed::new();
    let good = bed.login(ADMIN);
    assert!(bed.service.caller(&good).is_ok());
    let refused = |change: &dyn Fn(&mut Claims)| {
        let mut claims = good.clone();
        change(&mut claims);
        bed.service.caller(&claims).unwrap_err().to_string()
    };
    let other = "65f0c0ffee0123456789abcd";
    assert_eq!(refused(&|c| c.token_type = "refresh".into()), "invalid token type");
    assert_eq!(refused(&|c| c.token_type = String::new()), "invalid token type");
    assert_eq!(refused(&|c| c.iss = "decision-maker-service".into()), "invalid or expired token");
    assert_eq!(refused(&|c| c.sub = other.into()), "invalid or expired token");
    assert_eq!(refused(&|c| (c.uid, c.sub) = ("x".into(), "x".into())), "invalid or expired token");
    assert_eq!(refused(&|c| (c.uid, c.sub) = (other.into(), other.into())), "user not found");
    assert_eq!(refused(&|c| c.token_version += 1), "token revoked");
}

#[test]
fn a_change_of_the_user_acts_at_once() {
    let bed = Bed::new();
    let claims = bed.login(ADMIN);
    let ask = || bed.service.grant::<StrategyRead>(&claims).map(drop).map_err(|error| error.to_string());
    let refusal = |text: &str| Err(text.to_string());
    assert_eq!(ask(), Ok(()));
    bed.change_user(ADMIN, |user| user.status = Status::MustChangePassword);
    assert_eq!(ask(), refusal("password change required"));
    assert!(bed.service.caller(&claims).is_ok(), "he may still see himself and change it");
    bed.change_user(ADMIN, |user| user.status = Status::Active);
    assert_eq!(ask(), Ok(()));
    let bound = Claims { need_change_password: true, ..claims.clone() };
    assert!(matches!(bed.service.grant::<StrategyRead>(&bound), Err(ServiceError::MustChangePassword)));
    bed.change_user(ADMIN, |user| user.roles.clear());
    assert_eq!(ask(), refusal("permission denied"));
    bed.change_user(ADMIN, |user| user.roles = vec!["no such role".into()]);
    assert_eq!(ask(), refusal("permission denied"));
    bed.change_user(ADMIN, |user| user.status = Status::Inactive);
    assert_eq!(ask(), refusal("user is inactive"));
    bed.change_user(ADMIN, |user| (user.status, user.token_version) = (Status::Active, 9));
    assert_eq!(ask(), refusal("token revoked"));
}

#[test]
fn a_grant_does_not_outlive_the_right() {
    let bed = Bed::new();
    let service = &bed.service;
    let id = bed.create(app("web")).unwrap();
    let intent = bed.intents()[0].id;
    let (create, update) = (bed.admin::<StrategyCreate>(), bed.admin::<StrategyUpdate>());
    let (delete, exclude) = (bed.admin::<StrategyDelete>(), bed.admin::<IntentDelete>());
    let before = service.world.state();
    let refused = || {
        let refusals = [
            service.create_strategy(&create, "", app("web"), false).map(drop),
            service.update_strategy(&update, "", id, app("db"), false),
            service.delete_strategy(&delete, "", id, Whose::Own),
            service.delete_intents(&exclude, "", &[intent], Whose::Own),
        ];
        refusals.map(|refusal| refusal.unwrap_err().to_string())
    };
    bed.change_user(ADMIN, |user| user.roles.clear());
    assert_eq!(refused(), ["permission denied"; 4]);
    bed.change_user(ADMIN, |user| user.status = Status::Inactive);
    assert_eq!(refused(), ["user is inactive"; 4]);
    let after = service.world.state();
    assert_eq!((&after.strategies, &after.exclusions), (&before.strategies, &before.exclusions));
}

#[test]
fn one_permission_is_not_another() {
    let bed = Bed::new();
    let claims = bed.add_user("reader", vec![policy(Permission::StrategyRead, "", "")]);
    assert!(bed.service.grant::<StrategyRead>(&claims).is_ok());
    assert!(matches!(bed.service.grant::<StrategyCreate>(&claims), Err(ServiceError::Denied)));
    assert!(matches!(bed.service.grant::<IntentRead>(&claims), Err(ServiceError::Denied)));
    let nobody = bed.add_user("nobody", vec![]);
    assert!(matches!(bed.service.grant::<StrategyRead>(&nobody), Err(ServiceError::Denied)));
}

#[test]
fn scopes_of_all_policies_add_up() {
    let create = Permission::StrategyCreate;
    let (everywhere, red, blue) =
        (policy(create, "", ""), policy(create, "red", ""), policy(create, "blue", ""));
    let red_for_a = policy(create, "red", "a");
    let all_for_a = policy(create, "", "a");
    let elsewhere = policy(Permission::StrategyRead, "", "");
    let bed = Bed::new();
    for (i, (policies, strategy, pods, covered)) in [
        (vec![&everywhere], "", None, true),
        (vec![&everywhere], "any", Some(vec!["red", "blue"]), true),
        (vec![&red], "", None, false),
        (vec![&red], "", Some(vec!["red"]), true),
        (vec![&red], "", Some(vec!["red", "blue"]), false),
        (vec![&red, &blue], "", Some(vec!["red", "blue"]), true),
        (vec![&red, &blue], "", None, false),
        (vec![&red_for_a], "a", Some(vec!["red"]), true),
        (vec![&red_for_a], "", Some(vec!["red"]), false),
        (vec![&red_for_a, &blue], "b", Some(vec!["red", "blue"]), false),
        (vec![&all_for_a, &red], "a", None, true),
        (vec![&all_for_a, &red], "b", None, false),
        (vec![&red, &elsewhere], "", None, false),
    ]
    .into_iter()
    .enumerate()
    {
        let claims = bed.add_user(&format!("user {i}"), policies.into_iter().cloned().collect());
        let grant = bed.service.grant::<StrategyCreate>(&claims).unwrap();
        let pods: Option<Vec<String>> = pods.map(|pods| pods.into_iter().map(Into::into).collect());
        assert_eq!(grant.covers(strategy, pods.as_deref()), covered, "case {i}");
    }
}
