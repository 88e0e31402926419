//! A manager as it is shipped, in this process, whose only user has as many strategies as are wanted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::limits::Limits as ServerLimits;
use gthulhu_http::router::Router;
use gthulhu_http::shutdown::Trigger;
use gthulhu_http::{server, shutdown};
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Limits;
use gthulhu_manager::api;
use gthulhu_manager::assemble::{Manager, Parts, assemble};
use gthulhu_manager::cluster::Absent;
use gthulhu_manager::domain::{PasswordHash, Role, Status, Strategy, User};
use gthulhu_manager::keyring::{DmKey, Keyring, UserKeys};
use gthulhu_manager::nodes::client::{DmClient, Tokens};
use gthulhu_manager::service::{LoginLimits, Rules};
use gthulhu_manager::store::audit::Origin;
use gthulhu_manager::store::redb::RedbStore;
use gthulhu_manager::store::{AuditEntry, Batch, Document, Store};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::fixtures;
use crate::token::claims;

/// It stops when this is dropped.
pub(super) struct Serving {
    address: SocketAddr,
    token: String,
    _trigger: Trigger,
    _manager: Manager,
    _runtime: Runtime,
    _dir: TempDir,
}

impl Serving {
    pub(super) fn start(strategies: usize) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let store = RedbStore::open(&dir.path().join("manager.redb"))?;
        settle(&store, strategies)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let entered = runtime.enter();
        let manager = manager(store)?;
        let listener = server::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (trigger, stopping) = shutdown::pair();
        let (app, router) = (Arc::clone(&manager.app), Router::new(api::routes())?);
        runtime.spawn(server::serve(listener, app, router, ServerLimits::default(), stopping));
        drop(entered);
        let token = manager.app.tokens.sign(&claims(&user(), 0))?;
        Ok(Self { address, token, _trigger: trigger, _manager: manager, _runtime: runtime, _dir: dir })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

fn manager(store: RedbStore) -> Outcome<Manager> {
    let key = PrivateKey::generate()?;
    let client = DmClient::new(Client::new(ClientOptions::default()), Tokens::minted(&key, "bench"));
    Ok(assemble(Parts {
        store: Arc::new(store),
        cluster: Arc::new(Absent::new("the benchmark has no pods")),
        keys: &Keyring { user: UserKeys { signing: key.clone(), retiring: None }, dm: DmKey::Private(key) },
        rules: Rules {
            access_ttl: Duration::from_secs(3600),
            limits: Limits::default(),
            strategies_per_user: usize::MAX,
            logins: LoginLimits::default(),
        },
        client,
    })?)
}

/// The user's id.
fn user() -> Id {
    fixtures::id(0)
}

/// Puts everything into an empty store, in one go.
fn settle(store: &RedbStore, strategies: usize) -> Outcome<()> {
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
    let written = fixtures::strategies();
    let strategy = |number: u32| {
        let spec = &written[number as usize % written.len()];
        Document::Strategy(Strategy {
            id: fixtures::id(number),
            creator: user(),
            updater: user(),
            created_ms: number.into(),
            updated_ms: number.into(),
            strategy_namespace: "default".into(),
            label_selectors: spec.selectors.clone(),
            k8s_namespace: spec.namespaces.clone(),
            command_regex: spec.command_regex.clone(),
            priority: spec.priority,
            execution_time: spec.execution_time,
        })
    };
    let documents = [Document::Role(Role::admin(fixtures::id(0), 0)), Document::User(admin)];
    let documents = documents.into_iter().chain((1..=u32::try_from(strategies)?).map(strategy));
    let batch = documents.fold(None, |batch, document| {
        let entry = AuditEntry::created(&Origin::system(0), "bench.settle", &document);
        Some(Batch::going_on(batch, entry).create(document))
    });
    store.commit(&batch.ok_or("there is nothing to settle")?)?;
    Ok(())
}
