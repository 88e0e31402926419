//! The rules, without HTTP: who may do what, and what follows from it.
//!
//! ```text
//!   request ---> Service ---> World: one writer, computes a Batch ---> Store (durable)
//!                  |             \--> publishes the new State -------> readers, who never wait
//!                  '-- Picture: strategies x pods - exclusions = intents, per node
//! ```
//!
//! Everything here is synchronous. Operations that write wait for the disk, and those that hash wait for a turn: a
//! caller on an asynchronous thread hands them to a blocking one. Operations that only read return at once.
//!
//! What a caller must be allowed to do is a value that the operation demands: a [`Caller`] or a [`Granted`], which
//! only this module makes, from the claims of a verified token.

mod access;
mod bootstrap;
mod error;
mod explain;
mod hashing;
mod intents;
mod login;
mod nodes;
mod notes;
mod offline;
mod page;
mod picture;
pub mod ports;
mod preview;
mod reach;
mod roles;
mod session;
mod sessions;
mod state;
mod strategies;
#[cfg(test)]
mod testbed;
mod throttle;
mod trail;
mod users;
mod world;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::Limits;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::domain::NodeAck;
use crate::store::{Standing, Store, StoreError};

pub use access::{
    AuditRead, Caller, Granted, IntentDelete, IntentRead, Needs, PermissionRead, PodPidRead, RoleCreate,
    RoleDelete, RoleRead, RoleUpdate, StrategyCreate, StrategyDelete, StrategyRead, StrategyUpdate,
    UserCreate, UserPasswordReset, UserPermissionUpdate, UserRead, Whose,
};
pub use bootstrap::{BootstrapError, Bootstrapped, DEFAULT_ADMIN};
pub use error::{ErrorKind, ServiceError};
pub use explain::{PodStory, StrategyMiss, StrategyOnPod};
pub use intents::ListedIntent;
pub use login::Profile;
pub use page::{ByAge, ByName, ByPod, PAGE_ROWS_MAX, Page, Paged, Place};
pub use preview::{PodMiss, Rehearsal};
pub use roles::{POLICIES_MAX, RoleChange, RoleInput, TEXT_CHARS_MAX};
pub use session::{ACCESS_TOKEN, Claims, ISSUER};
pub use sessions::Opened;
pub use state::Stored;
pub use strategies::{ListedStrategy, StrategyInput, StrategyStatus};
pub use throttle::LoginLimits;
pub use trail::{TrailFilter, TrailPage};
pub use users::{NAME_CHARS_MAX, NAME_PATTERN, UserChange};

use hashing::Hashing;
use login::Costs;
use notes::Notes;
use picture::Pictures;
use ports::{NodeStates, Wanted};
use throttle::Throttle;
use world::World;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long an access token lives.
    pub access_ttl: Duration,
    /// What a strategy may ask for.
    pub limits: Limits,
    /// How many strategies one user may have.
    pub strategies_per_user: usize,
    /// How many failed logins are borne.
    pub logins: LoginLimits,
}

/// The usual [`Rules::strategies_per_user`]: with one command regex each, no user alone makes a set that a node refuses.
pub const STRATEGIES_PER_USER: usize = 1000;

/// All operations of the manager. One per process, shared.
pub struct Service {
    world: World,
    hashing: Hashing,
    costs: Costs,
    throttle: Throttle,
    notes: Notes,
    pictures: Pictures,
    cluster: Arc<dyn Cluster>,
    node_states: Arc<dyn NodeStates>,
    rules: Rules,
}

impl Service {
    /// Reads everything from the store. Call [`Service::bootstrap`] before anyone is to log in.
    pub fn open(
        store: Arc<dyn Store>,
        cluster: Arc<dyn Cluster>,
        node_states: Arc<dyn NodeStates>,
        rules: Rules,
    ) -> Result<Self, StoreError> {
        let world = World::open(store)?;
        Ok(Self {
            world,
            hashing: Hashing::new(),
            costs: Costs::default(),
            throttle: Throttle::new(rules.logins),
            notes: Notes::default(),
            pictures: Pictures::default(),
            cluster,
            node_states,
            rules,
        })
    }

    /// A counter that grows after each change of strategies or exclusions, and once more when the store fails.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.world.changed()
    }

    /// Why the store accepts nothing more, once it does not: time to restart.
    pub fn store_failure(&self) -> Option<&StoreError> {
        self.world.failure()
    }

    /// Why the store cannot be used at the moment, while it cannot: time to [`Service::recover`].
    pub fn store_trouble(&self) -> watch::Receiver<Option<StoreError>> {
        self.world.trouble()
    }

    /// Tries whether the store can be used again, and reads it.
    pub fn recover(&self) -> Result<(), StoreError> {
        self.world.recover()
    }

    /// Whether this process may write and push; see [`Store::standing`].
    pub fn standing(&self) -> Option<watch::Receiver<Standing>> {
        self.world.store().standing()
    }

    /// What else there is to know about the store.
    pub fn store_remarks(&self) -> String {
        self.world.store().remarks()
    }

    /// What every node should hold now. `None` while the view of the cluster is not complete: a node must not lose
    /// its intents because its pods have not been seen yet.
    pub fn wanted(&self) -> Option<Wanted> {
        self.picture().wanted()
    }

    /// The next epoch: greater than any before it and than `above`. On stable storage when this returns.
    pub fn next_epoch(&self, above: u64) -> Result<u64, ServiceError> {
        self.world.next_epoch(above)
    }

    /// Keeps what nodes answered, in one commit.
    pub fn record_acks(&self, acks: &[NodeAck]) -> Result<(), ServiceError> {
        self.world.record_acks(acks)
    }

    /// How much there is of what.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let state = self.world.state();
        vec![
            ("users", state.users.len()),
            ("roles", state.roles.len()),
            ("strategies", state.strategies.len()),
            ("exclusions", state.exclusions.len()),
            ("sessions", self.sessions()),
        ]
    }

    /// The last answer of each node, by name.
    pub fn acks(&self) -> Vec<NodeAck> {
        self.world.state().acks.values().map(|ack| ack.value.clone()).collect()
    }
}

/// Milliseconds since the epoch. A clock set before 1970 reads as 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A new id. Random: it tells nothing, and replicas need not agree on anything to make one.
fn new_id() -> Id {
    Id::from_bytes(gthulhu_http::random::bytes())
}
