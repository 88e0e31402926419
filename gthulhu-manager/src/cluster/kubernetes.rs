//! The cluster as the Kubernetes API tells it: its pods, nodes and namespaces, and the pods that are decision makers.
//!
//! ```text
//!   Follower(pods)       --.
//!   Follower(nodes)      ---> Index (behind a lock) --> publisher --> ClusterView
//!   Follower(namespaces) --'
//! ```
//!
//! A [`Follower`] lists all objects of its kind and then watches for changes, for ever. What it reads is reduced at once
//! to the few fields that count, and the [`Index`](index::Index) holds no more than that. While the API is away the view
//! stays as it was, and says so. A list that is read anew takes the place of what is known only when it is complete.

mod connect;
mod decision_makers;
mod failure;
mod follow;
mod index;
mod lines;
mod read;
mod request;
pub mod secrets;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

pub use connect::{ConnectError, Source};
pub use decision_makers::Finder;

use self::follow::Follower;
use self::index::Index;
use self::read::Kind;
use super::{Cluster, ClusterView};

/// How long things take. The client library's own defaults notice a silent server after five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For an answer to begin, and for each further part of a list.
    pub answer: Duration,
    /// For a watch, after which the server is asked to end it, so that a server that says nothing is told from one that
    /// has nothing to say. In whole seconds.
    pub watch: Duration,
    /// How much later than that the watch has failed.
    pub grace: Duration,
    /// The first delay after a failure; it doubles with each further one.
    pub backoff_min: Duration,
    /// The longest delay, unless the server asks for more.
    pub backoff_max: Duration,
    /// The longest delay that a server may ask for.
    pub retry_after_max: Duration,
    /// How many objects are asked for at a time.
    pub page: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(10),
            watch: Duration::from_secs(20),
            grace: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(1),
            retry_after_max: Duration::from_secs(30),
            page: 250,
        }
    }
}

/// How long a new view stays at least: in a storm of events the view is made anew for many of them at once.
const VIEW_LASTS: Duration = Duration::from_millis(2);

/// A watched cluster. Dropping it ends the watch.
pub struct KubernetesCluster {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What followers write and readers read.
struct Shared {
    index: Mutex<Index>,
    stale: Notify,
    view: ArcSwap<ClusterView>,
    revision: watch::Sender<u64>,
}

impl KubernetesCluster {
    /// Watches the API at `source`; call it inside a runtime. It returns at once, whether the API answers or not.
    /// `finder` tells which pods are decision makers; none: no pod is.
    pub fn watch(source: &Source, finder: Option<Finder>, options: Options) -> Self {
        let index = Index::default();
        let shared = Arc::new(Shared {
            view: ArcSwap::from_pointee(index.view()),
            index: Mutex::new(index),
            stale: Notify::new(),
            revision: watch::Sender::new(0),
        });
        let finder = finder.map(Arc::new);
        let mut tasks = JoinSet::new();
        tasks.spawn(publish(Arc::clone(&shared)));
        for kind in Kind::ALL {
            let follower = Follower::new(kind, source.clone(), options, finder.clone(), Arc::clone(&shared));
            tasks.spawn(follower.follow());
        }
        Self { shared, _tasks: tasks }
    }
}

impl Cluster for KubernetesCluster {
    fn view(&self) -> Arc<ClusterView> {
        self.shared.view.load_full()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }
}

impl Shared {
    /// Changes the index; the view follows in a moment.
    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let result = change(&mut self.index());
        self.stale.notify_one();
        result
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // The index changes one object at a time, and each step leaves it whole.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes views of the index whenever it changed.
async fn publish(shared: Arc<Shared>) {
    loop {
        shared.stale.notified().await;
        let changed = shared.index().take_changed();
        if changed {
            let view = shared.index().view();
            shared.view.store(Arc::new(view));
            shared.revision.send_modify(|revision| *revision += 1);
            tokio::time::sleep(VIEW_LASTS).await;
        }
    }
}
