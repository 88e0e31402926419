//! Users who hold exactly one permission each, everywhere or confined.

use std::sync::Arc;

use gthulhu_http::testkit::TestClient;
use gthulhu_lib::id::Id;
use gthulhu_manager::domain::{PasswordHash, Permission, Policy, Role, Status, User};
use gthulhu_manager::store::audit::Origin;
use gthulhu_manager::store::{AuditEntry, Batch, Document, Store};
use sha2::{Digest, Sha256};

use crate::rig::{Rig, claims, token};

/// The ways in which a permission is confined.
pub(super) const CONFINED: [&str; 3] = ["self", "k8sNamespace", "policyNamespace"];

/// Adds them all: one without a permission, `nothing`; for each permission, `KEY` and `KEY HOW`.
pub(super) fn settle(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let mut documents = holder("nothing", Vec::new()).to_vec();
    for permission in Permission::ALL {
        let policy = Policy::everywhere(*permission);
        documents.extend(holder(permission.key(), vec![policy.clone()]));
        let ways = [
            Policy { own: true, ..policy.clone() },
            Policy { k8s_namespace: "default".into(), ..policy.clone() },
            Policy { policy_namespace: "team".into(), ..policy },
        ];
        for (how, policy) in CONFINED.iter().zip(ways) {
            documents.extend(holder(&format!("{permission} {how}"), vec![policy]));
        }
    }
    let batch = documents.into_iter().fold(None, |batch, document| {
        let entry = AuditEntry::created(&Origin::system(0), "test.settle", &document);
        Some(Batch::going_on(batch, entry).create(document))
    });
    store.commit(&batch.unwrap()).unwrap();
    store
}

/// A client with a token of the one of this name.
pub(super) fn client(rig: &Rig, name: &str) -> TestClient {
    rig.stranger().bearer(&token(&claims(&id("user", name).to_string())))
}

fn holder(name: &str, policies: Vec<Policy>) -> [Document; 2] {
    let role = Role { name: format!("only {name}"), policies, ..Role::admin(id("role", name), 0) };
    let user = User {
        id: id("user", name),
        username: format!("holder of {name}"),
        // Nobody logs in: tokens are made.
        password: PasswordHash::from_phc(""),
        status: Status::Active,
        roles: vec![role.name.clone()],
        token_version: 0,
        created_ms: 0,
        updated_ms: 0,
        creator: None,
    };
    [Document::Role(role), Document::User(user)]
}

/// The same in every run.
fn id(kind: &str, name: &str) -> Id {
    let hash: [u8; 32] = Sha256::digest(format!("{kind} {name}")).into();
    Id::from_bytes(std::array::from_fn(|i| hash[i]))
}
