//! What the tests of the service share: a service on a real store file, a cluster and nodes that say what they are
//! told, and the first administrator logged in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gthulhu_lib::derive::Pod;
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Limits;
use gthulhu_lib::selector::Selector;
use gthulhu_lib::wire::IntentBody;
use tempfile::TempDir;
use tokio::sync::watch;

use super::ports::NodeStates;
use super::{
    Claims, Granted, ListedIntent, ListedStrategy, LoginLimits, Needs, Page, Rules, STRATEGIES_PER_USER,
    Service, ServiceError, StrategyInput, Whose, new_id,
};
use crate::cluster::{Cluster, ClusterNode, ClusterView, NodeHealth};
use crate::domain::{PasswordHash, Policy, Role, Status, User};
use crate::store::audit::{Head, Origin};
use crate::store::redb::RedbStore;
use crate::store::{AuditEntry, AuditRecord, Batch, Document, Store};

pub(super) const ADMIN: &str = "admin@example.com";
pub(super) const PASSWORD: &str = "a password for tests";

/// The two ports, set by hand.
#[derive(Default)]
pub(super) struct Outside {
    view: Mutex<Arc<ClusterView>>,
    held: Mutex<HashMap<String, Vec<IntentBody>>>,
    errors: Mutex<HashMap<String, String>>,
}

impl Cluster for Outside {
    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.view.lock().unwrap())
    }

    fn changed(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

impl NodeStates for Outside {
    fn holds(&self, node: &str, intent: &IntentBody) -> bool {
        self.held.lock().unwrap().get(node).is_some_and(|held| held.contains(intent))
    }

    fn last_error(&self, node: &str) -> Option<String> {
        self.errors.lock().unwrap().get(node).cloned()
    }

    fn generation(&self, node: &str) -> u64 {
        u64::from(self.held.lock().unwrap().contains_key(node))
    }

    fn reachable(&self, node: &str) -> Option<bool> {
        Some(!self.errors.lock().unwrap().contains_key(node))
    }
}

impl Outside {
    /// The cluster has these pods now, and their nodes.
    pub(super) fn pods(&self, pods: Vec<Pod>, complete: bool) {
        let names: BTreeSet<_> = pods.iter().filter_map(|pod| pod.node.clone()).collect();
        let nodes = names.into_iter().map(|name| ClusterNode { name, status: NodeHealth::Ready }).collect();
        let reason = (!complete).then(|| "pods are being read".to_string());
        let pods = pods.into_iter().map(Arc::new).collect();
        *self.view.lock().unwrap() =
            Arc::new(ClusterView { pods, nodes, complete, reason, ..ClusterView::default() });
    }

    /// The cluster does not tell of nodes any more.
    pub(super) fn lose_nodes(&self) {
        let mut view = self.view.lock().unwrap();
        *view = Arc::new(ClusterView { nodes_lost: true, ..(**view).clone() });
    }

    pub(super) fn fail(&self, node: &str, error: &str) {
        self.errors.lock().unwrap().insert(node.into(), error.into());
    }
}

/// The service and what it runs on. The store's file goes with it.
pub(super) struct Bed {
    pub(super) service: Service,
    pub(super) outside: Arc<Outside>,
    pub(super) store: Arc<RedbStore>,
    dir: TempDir,
}

impl Bed {
    /// An administrator, [`ADMIN`], and the pods web-1 and web-2 on n1, db-1 on n2, and late-1 without a node.
    pub(super) fn new() -> Self {
        let bed = Self::empty();
        bed.outside.pods(pods(), true);
        bed.service.bootstrap(Some((ADMIN, PASSWORD)), |_| unreachable!("he has a password")).unwrap();
        bed
    }

    /// Before the first start; nothing is known of the cluster.
    pub(super) fn empty() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn open(dir: TempDir) -> Self {
        let store = Arc::new(RedbStore::open(&dir.path().join("manager.redb")).unwrap());
        let outside = Arc::new(Outside::default());
        let rules = Rules {
            access_ttl: Duration::from_secs(3 * 3600),
            limits: Limits::default(),
            strategies_per_user: STRATEGIES_PER_USER,
            logins: LoginLimits::default(),
        };
        let service = Service::open(
            Arc::clone(&store) as _,
            Arc::clone(&outside) as _,
            Arc::clone(&outside) as _,
            rules,
        );
        Self { service: service.unwrap(), outside, store, dir }
    }

    /// The same store in a new process, as far as the service can tell. Pods are as in [`Bed::new`].
    pub(super) fn restart(self) -> Self {
        let Self { service, outside, store, dir } = self;
        drop((service, outside, store));
        let bed = Self::open(dir);
        bed.outside.pods(pods(), true);
        bed
    }

    pub(super) fn login(&self, username: &str) -> Claims {
        self.enter(username, PASSWORD).unwrap()
    }

    pub(super) fn enter(&self, username: &str, password: &str) -> Result<Claims, ServiceError> {
        self.service.login(&stranger(), username, password).map(|opened| opened.claims)
    }

    /// The administrator's grant, without the work of a login.
    pub(super) fn admin<K: Needs>(&self) -> Granted<K> {
        let state = self.service.world.state();
        let claims = Claims::new(&state.user_named(ADMIN).unwrap().value, 0, Duration::ZERO);
        self.service.grant(&claims).unwrap()
    }

    /// Adds a user with [`PASSWORD`], who holds one role of his own with these policies.
    pub(super) fn add_user(&self, username: &str, policies: Vec<Policy>) -> Claims {
        let role = Role { name: format!("role of {username}"), policies, ..Role::admin(new_id(), 0) };
        let user = User {
            id: new_id(),
            username: username.into(),
            password: PasswordHash::new(PASSWORD),
            status: Status::Active,
            roles: vec![role.name.clone()],
            token_version: 0,
            created_ms: 0,
            updated_ms: 0,
            creator: None,
        };
        self.put(&Document::Role(role));
        self.put(&Document::User(user));
        self.login(username)
    }

    /// Changes a user behind everyone's back, as an administrator would.
    pub(super) fn change_user(&self, username: &str, change: impl Fn(&mut User)) {
        let state = self.service.world.state();
        let mut user = state.user_named(username).unwrap().value.clone();
        change(&mut user);
        self.put(&Document::User(user));
    }

    /// Stores a document, in place of the one with its key.
    pub(super) fn put(&self, document: &Document) {
        let put = self.service.world.mutate(|state| {
            let version = match document {
                Document::User(user) => state.users.get(&user.id).map_or(0, |stored| stored.version),
                Document::Role(role) => state.roles.get(&role.id).map_or(0, |stored| stored.version),
                _ => 0,
            };
            let entry = AuditEntry::created(&Origin::system(0), "test.put", document);
            Ok((Some(Batch::audited(entry).replace(version, document.clone())), ()))
        });
        put.unwrap();
    }

    pub(super) fn create(&self, input: StrategyInput) -> Result<Id, ServiceError> {
        self.service.create_strategy(&self.admin(), "r-create", input, false)
    }

    /// The administrator's strategies.
    pub(super) fn strategies(&self) -> Vec<ListedStrategy> {
        self.service.strategies(&self.admin(), Whose::Own, &Page::all()).unwrap().rows
    }

    /// The intents of the administrator's strategies.
    pub(super) fn intents(&self) -> Vec<ListedIntent> {
        self.service.intents(&self.admin(), Whose::Own, &Page::all()).unwrap().rows
    }

    /// What was excluded from them.
    pub(super) fn excluded(&self) -> Vec<ListedIntent> {
        self.service.excluded_intents(&self.admin(), Whose::Own, &Page::all()).unwrap().rows
    }

    /// `node` accepts everything that it should hold.
    pub(super) fn accept(&self, node: &str) {
        let intents = self.service.wanted().unwrap().bodies().remove(node).unwrap_or_default();
        self.outside.held.lock().unwrap().insert(node.into(), intents);
    }

    /// The names of the pods that each node should hold intents for.
    pub(super) fn desired(&self) -> BTreeMap<String, Vec<String>> {
        let desired = self.service.wanted().unwrap().bodies();
        let names = |bodies: Vec<IntentBody>| bodies.into_iter().map(|body| body.pod_name).collect();
        desired.into_iter().map(|(node, bodies)| (node, names(bodies))).collect()
    }

    /// The whole audit trail, its chain checked.
    pub(super) fn audit(&self) -> Vec<AuditRecord> {
        let mut head = Head::start();
        self.store.audit(0, usize::MAX).unwrap().iter().map(|bytes| head.verify(bytes).unwrap()).collect()
    }
}

/// A request of someone who is not known yet.
pub(super) fn stranger() -> Origin {
    Origin::stranger(super::now_ms(), "r-stranger", [192, 0, 2, 1].into())
}

/// The pods of [`Bed::new`].
pub(super) fn pods() -> Vec<Pod> {
    vec![
        pod("web-1", "default", Some("n1")),
        pod("web-2", "default", Some("n1")),
        pod("db-1", "data", Some("n2")),
        pod("late-1", "default", None),
    ]
}

/// A running pod with the label `app` = the part of its name before the dash.
pub(super) fn pod(name: &str, namespace: &str, node: Option<&str>) -> Pod {
    let app = name.split('-').next().unwrap_or_default();
    Pod {
        uid: format!("uid-{name}"),
        name: name.into(),
        namespace: namespace.into(),
        node: node.map(Into::into),
        labels: [("app".to_string(), app.to_string())].into(),
        terminal: false,
    }
}

/// A strategy for the pods with this `app` label.
pub(super) fn app(app: &str) -> StrategyInput {
    StrategyInput {
        label_selectors: vec![Selector::new("app", app)],
        priority: 5,
        execution_time: 1_000_000,
        ..StrategyInput::default()
    }
}
