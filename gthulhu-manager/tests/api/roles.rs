//! Listing, making, changing and deleting roles, and every way in which each is refused.

use serde_json::{Value, json};

use crate::people::{ALICE, CAROL, DAVE, NOBODY};
use crate::rig::{Rig, golden};

const ROLES: &str = "/api/v1/roles";

/// The id of the role of this name.
async fn id_of(rig: &Rig, name: &str) -> String {
    let listed = rig.user(ALICE).get(ROLES).await.data();
    let role = listed["roles"].as_array().unwrap().iter().find(|role| role["name"] == name).unwrap();
    role["id"].as_str().unwrap().to_owned()
}

fn with_policies(policies: &Value) -> Value {
    json!({"name": "watchers", "description": "They <watch> & tell", "rolePolicies": policies})
}

#[tokio::test]
async fn list() {
    let rig = Rig::start();
    golden("roles", &rig.user(ALICE).get(ROLES).await);
    golden("roles-denied", &rig.user(CAROL).get(ROLES).await);
    golden("roles-denied", &rig.user(DAVE).get(ROLES).await);
    golden("permissions", &rig.user(ALICE).get("/api/v1/permissions").await);
    golden("roles-denied", &rig.user(CAROL).get("/api/v1/permissions").await);
}

#[tokio::test]
async fn create() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let policy = json!({"permissionKey": "schedule_strategy.read", "self": true, "k8sNamespace": "prod", "policyNamespace": "team"});
    for (name, body) in [
        ("role-created", with_policies(&json!([policy, {"permissionKey": "user.read"}]))),
        ("role-exists", with_policies(&json!([]))),
        ("role-no-name", json!({})),
        ("role-unknown-key", with_policies(&json!([policy, {"permissionKey": "user.fly"}]))),
        ("role-no-key", with_policies(&json!([{"self": true}]))),
        // A role is not something that a role can allow.
        ("role-no-key", with_policies(&json!([{"permissionKey": "admin"}]))),
        ("role-bad-namespace", with_policies(&json!([{"permissionKey": "user.read", "k8sNamespace": "No"}]))),
        ("role-bad-body", with_policies(&json!({}))),
        ("role-bad-body", with_policies(&json!([null]))),
        ("role-bad-body", json!({"name": "x", "rolePolicies": [], "rolePolicy": []})),
    ] {
        golden(name, &alice.post(ROLES, &body).await);
    }
    golden("roles-denied", &rig.user(CAROL).post(ROLES, &with_policies(&json!([]))).await);
    // The other spelling, and what a role cannot contain.
    let other =
        json!({"name": "others", "rolePolicy": [{"permissionKey": "role.read"}], "roles": ["others"]});
    assert_eq!(alice.post(ROLES, &other).await.status, 200);
    assert_eq!(alice.post(ROLES, &json!({"name": "nothing"})).await.status, 200);
    golden("roles-after-create", &alice.get(ROLES).await);
}

#[tokio::test]
async fn update() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let policies = json!([{"permissionKey": "user.read"}]);
    let (_, ann) = rig.hire("ann", &policies).await;
    let id = id_of(&rig, "role of ann").await;
    let put = |id: &str, rest: Value| {
        let mut body = rest;
        body["id"] = json!(id);
        body
    };
    for (name, body) in [
        ("role-no-id", json!({"name": "x"})),
        ("role-malformed-id", put("x", json!({}))),
        ("role-unknown", put(NOBODY, json!({"name": "x"}))),
        ("role-built-in", put(&id_of(&rig, "admin").await, json!({"rolePolicy": []}))),
        ("role-exists", put(&id, json!({"name": "prod-admin"}))),
        ("role-no-name", put(&id, json!({"name": ""}))),
        ("role-update-unknown-key", put(&id, json!({"rolePolicy": [{"permissionKey": "x"}]}))),
        ("role-bad-body", put(&id, json!({"rolePolicy": "all"}))),
        ("role-updated", put(&id, json!({"description": "of Ann", "name": null}))),
    ] {
        golden(name, &alice.put(ROLES, &body).await);
    }
    assert_eq!(ann.get("/api/v1/users").await.status, 200, "a text ends nothing");
    let other = put(&id, json!({"rolePolicies": [{"permissionKey": "role.read"}]}));
    assert_eq!(alice.put(ROLES, &other).await.status, 200);
    golden("auth-revoked", &ann.get("/api/v1/users").await);
    golden("role-updated", &alice.put(ROLES, &put(&id, json!({"rolePolicy": []}))).await);
    golden("roles-after-update", &alice.get(ROLES).await);
    golden("roles-denied", &rig.user(CAROL).put(ROLES, &put(&id, json!({}))).await);
}

#[tokio::test]
async fn delete() {
    let rig = Rig::start();
    let alice = rig.user(ALICE);
    let (ann, _) = rig.hire("ann", &json!([])).await;
    let id = json!({"id": id_of(&rig, "role of ann").await});
    golden("role-no-id", &alice.delete(ROLES, &json!({})).await);
    golden("role-malformed-id", &alice.delete(ROLES, &json!({"id": "x"})).await);
    golden("role-unknown", &alice.delete(ROLES, &json!({"id": NOBODY})).await);
    golden("role-built-in", &alice.delete(ROLES, &json!({"id": id_of(&rig, "admin").await})).await);
    golden("roles-denied", &rig.user(CAROL).delete(ROLES, &id).await);
    golden("role-in-use", &alice.delete(ROLES, &id).await);
    let cleared = json!({"userID": ann, "roles": []});
    assert_eq!(alice.put("/api/v1/users/permissions", &cleared).await.status, 200);
    golden("role-deleted", &alice.delete(ROLES, &id).await);
    golden("role-unknown", &alice.delete(ROLES, &id).await);
    golden("roles", &alice.get(ROLES).await);
}

#[tokio::test]
async fn nobody_makes_a_role_that_allows_more_than_he_may() {
    let rig = Rig::start();
    let mine = json!([{"permissionKey": "role.create"}, {"permissionKey": "role.update"}]);
    let (_, ann) = rig.hire("ann", &mine).await;
    golden("role-beyond", &ann.post(ROLES, &with_policies(&json!([{"permissionKey": "role.delete"}]))).await);
    let own = id_of(&rig, "role of ann").await;
    let more = json!({"id": own, "rolePolicy": [{"permissionKey": "role.delete"}]});
    golden("role-beyond", &ann.put(ROLES, &more).await);
    let stronger = json!({"id": id_of(&rig, "prod-admin").await, "rolePolicy": []});
    golden("role-stronger", &ann.put(ROLES, &stronger).await);
    let scoped = with_policies(&json!([{"permissionKey": "role.create", "k8sNamespace": "prod"}]));
    assert_eq!(ann.post(ROLES, &scoped).await.status, 200, "less than he may");
}
