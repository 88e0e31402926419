//! A manager as it is shipped, in this process: everything but its listener, with one user and the strategies that are wanted.

use std::sync::Arc;
use std::time::Duration;

use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_http::keys::PrivateKey;
use gthulhu_lib::derive::StrategySpec;
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Limits;
use gthulhu_manager::assemble::{Manager, Parts, assemble};
use gthulhu_manager::cluster::Cluster;
use gthulhu_manager::domain::{PasswordHash, Role, Status, Strategy, User};
use gthulhu_manager::keyring::{DmKey, Keyring, UserKeys};
use gthulhu_manager::nodes::client::{DmClient, Tokens};
use gthulhu_manager::service::{LoginLimits, Rules};
use gthulhu_manager::store::audit::Origin;
use gthulhu_manager::store::redb::RedbStore;
use gthulhu_manager::store::{AuditEntry, Batch, Document, Store};
use tempfile::TempDir;

use crate::Outcome;
use crate::fixtures;

/// It stops when this is dropped.
pub(crate) struct Assembled {
    pub(crate) manager: Manager,
    _dir: TempDir,
}

/// A manager of this cluster; call it inside a runtime. All strategies are those of [`user`].
pub(crate) fn assembled(
    cluster: Arc<dyn Cluster>,
    strategies: impl IntoIterator<Item = StrategySpec>,
) -> Outcome<Assembled> {
    let dir = tempfile::tempdir()?;
    let store = RedbStore::open(&dir.path().join("manager.redb"))?;
    settle(&store, strategies)?;
    let key = PrivateKey::generate()?;
    let client = DmClient::new(Client::new(ClientOptions::default()), Tokens::minted(&key, "bench"));
    let manager = assemble(Parts {
        store: Arc::new(store),
        cluster,
        keys: &Keyring { user: UserKeys { signing: key.clone(), retiring: None }, dm: DmKey::Private(key) },
        rules: Rules {
            access_ttl: Duration::from_secs(3600),
            limits: Limits::default(),
            strategies_per_user: usize::MAX,
            logins: LoginLimits::default(),
        },
        client,
    })?;
    Ok(Assembled { manager, _dir: dir })
}

/// The id of the user, an administrator.
pub(crate) fn user() -> Id {
    fixtures::id(0)
}

/// Puts everything into an empty store, in one go.
fn settle(store: &RedbStore, strategies: impl IntoIterator<Item = StrategySpec>) -> Outcome<()> {
    let admin = User {
        id: user(),
        username: "bench@example.com".into(),
        password: PasswordHash::nobody(),
        status: Status::Active,
        roles: vec!["admin".into()],
        token_version: 0,
        created_ms: 0,
        updated_ms: 0,
        creator: None,
    };
    let strategy = |(place, spec): (i64, StrategySpec)| {
        Document::Strategy(Strategy {
            id: spec.id,
            creator: user(),
            updater: user(),
            created_ms: place,
            updated_ms: place,
            strategy_namespace: "default".into(),
            label_selectors: spec.selectors,
            k8s_namespace: spec.namespaces,
            command_regex: spec.command_regex,
            priority: spec.priority,
            execution_time: spec.execution_time,
        })
    };
    let documents = [Document::Role(Role::admin(fixtures::id(0), 0)), Document::User(admin)];
    let documents = documents.into_iter().chain((1..).zip(strategies).map(strategy));
    let batch = documents.fold(None, |batch, document| {
        let entry = AuditEntry::created(&Origin::system(0), "bench.settle", &document);
        Some(Batch::going_on(batch, entry).create(document))
    });
    store.commit(&batch.ok_or("there is nothing to settle")?)?;
    Ok(())
}
