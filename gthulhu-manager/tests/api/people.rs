//! Who there is in every test: put into the store before the manager reads it.

use std::sync::LazyLock;

use gthulhu_lib::id::Id;
use gthulhu_manager::domain::{PasswordHash, Permission, Policy, Role, Status, User};
use gthulhu_manager::store::audit::Origin;
use gthulhu_manager::store::{AuditEntry, Batch, Document, Store};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "a password for tests";

/// One who may do everything.
pub(crate) const ALICE: &str = "65f0c0ffee65f0c0ffee000a";
/// Another one.
pub(crate) const BOB: &str = "65f0c0ffee65f0c0ffee000b";
/// One without roles.
pub(crate) const CAROL: &str = "65f0c0ffee65f0c0ffee000c";
/// One who may do everything in the namespace `prod`.
pub(crate) const DAVE: &str = "65f0c0ffee65f0c0ffee000d";
/// An inactive one.
pub(crate) const ERIN: &str = "65f0c0ffee65f0c0ffee000e";
/// One who must change his password.
pub(crate) const FRANK: &str = "65f0c0ffee65f0c0ffee000f";
/// One whom nobody knows.
pub(crate) const NOBODY: &str = "65f0c0ffee65f0c0ffee0000";

/// Made once: it takes long.
static HASH: LazyLock<PasswordHash> = LazyLock::new(|| PasswordHash::new(PASSWORD));

/// Puts them into an empty store.
pub(crate) fn settle(store: &dyn Store) {
    let mut scoped = Role::admin("65f0c0ffee65f0c0ffee0020".parse().unwrap(), 0);
    scoped.name = "prod-admin".into();
    let in_prod =
        |permission: &Permission| Policy { k8s_namespace: "prod".into(), ..Policy::everywhere(*permission) };
    scoped.policies = Permission::ALL.iter().map(in_prod).collect();
    let user = |id: &str, username: &str, status, roles: &[&str]| {
        Document::User(User {
            id: id.parse::<Id>().unwrap(),
            username: username.into(),
            password: HASH.clone(),
            status,
            roles: roles.iter().map(ToString::to_string).collect(),
            token_version: 0,
            created_ms: 0,
            updated_ms: 0,
            creator: None,
        })
    };
    let documents = [
        Document::Role(Role::admin("65f0c0ffee65f0c0ffee0021".parse().unwrap(), 0)),
        Document::Role(scoped),
        user(ALICE, "alice@example.com", Status::Active, &["admin"]),
        user(BOB, "bob@example.com", Status::Active, &["admin"]),
        user(CAROL, "carol@example.com", Status::Active, &[]),
        user(DAVE, "dave@example.com", Status::Active, &["prod-admin"]),
        user(ERIN, "erin@example.com", Status::Inactive, &["admin"]),
        user(FRANK, "frank@example.com", Status::MustChangePassword, &["admin"]),
    ];
    for document in documents {
        let entry = AuditEntry::created(&Origin::system(0), "test.settle", &document);
        store.commit(&Batch::audited(entry).create(document)).unwrap();
    }
}
