//! What one pod costs the manager, against computing everything anew: from the view of the cluster to the sets that nodes are
//! to hold, and to the machine that sends them. In this process, with nobody to send to.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gthulhu_lib::derive::Pod;
use gthulhu_lib::intent::Limits;
use gthulhu_manager::cluster::{Cluster, ClusterView, Pods};
use gthulhu_manager::nodes::Endpoint;
use gthulhu_manager::nodes::machine::{Event, Machine, Options};
use gthulhu_manager::pusher::{Screen, wanted};
use tokio::sync::watch;

use super::{Size, site};
use crate::Outcome;
use crate::assembled::assembled;
use crate::harness::cpu_of;

/// Strategies; together they are for every pod once.
pub(super) const STRATEGIES: u32 = 20;
/// Rounds of a full computation, and how many pods change after each.
const ROUNDS: usize = 5;
const CHANGES: u32 = 200;

/// CPU time of one pod and of everything.
pub(super) struct Figures {
    event: Duration,
    everything: Duration,
}

impl Figures {
    pub(super) fn ratio(&self) -> f64 {
        self.event.as_secs_f64() / self.everything.as_secs_f64()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "one pod {:.1?}, everything anew {:.0?} of CPU, to sets with their digests",
            self.event, self.everything
        )
    }
}

/// A cluster that is what it is told to be.
struct Told {
    view: Mutex<Arc<ClusterView>>,
    changed: watch::Sender<u64>,
}

impl Cluster for Told {
    fn view(&self) -> Arc<ClusterView> {
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl Told {
    fn tell(&self, pods: Pods) {
        let view = Arc::new(ClusterView { pods, complete: true, ..ClusterView::default() });
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// Median of the rounds.
pub(super) fn measure(size: Size) -> Outcome<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(round(size)?);
    }
    rounds.sort_unstable_by(|one, other| {
        let ratio =
            |(event, everything): &(Duration, Duration)| event.as_secs_f64() / everything.as_secs_f64();
        ratio(one).total_cmp(&ratio(other))
    });
    let (event, everything) = rounds[ROUNDS / 2];
    Ok(Figures { event, everything })
}

/// One pod's time and everything's.
fn round(size: Size) -> Outcome<(Duration, Duration)> {
    let all: Vec<Arc<Pod>> = site::pods(size).collect();
    let mut pods: Pods = all.iter().cloned().collect();
    let told = Arc::new(Told { view: Mutex::default(), changed: watch::Sender::new(0) });
    told.tell(pods.clone());
    let held = assembled(Arc::clone(&told) as _, (0..STRATEGIES).map(site::strategy))?;
    let service = &held.manager.app.service;
    let mut screen = Screen::new(Limits::default());
    let mut machine = machine(size);

    let mut step = || {
        let sets = wanted(service, &mut screen, |_| {}).ok_or("the view is complete")?;
        machine.handle(Event::Desired(sets), Duration::ZERO);
        Ok::<_, &str>(())
    };
    let mut failed = None;
    let everything = cpu_of(|| failed = step().err());
    let changes: Vec<_> = all.iter().step_by(all.len() / CHANGES as usize + 1).collect();
    let count = u32::try_from(changes.len())?;
    let mut events = Duration::ZERO;
    for pod in changes {
        let mut changed = (**pod).clone();
        changed.labels.insert("changed".to_owned(), "yes".to_owned());
        let changed = Arc::new(changed);
        events += cpu_of(|| {
            pods.put(Arc::clone(&changed));
            told.tell(pods.clone());
            failed = failed.or(step().err());
        });
    }
    failed.map_or(Ok((events / count, everything)), |error| Err(error.into()))
}

/// The machine, with all nodes in agreement about nothing: none answers, so nothing is ever sent twice.
fn machine(size: Size) -> Machine {
    let mut machine = Machine::new(Options::default());
    for number in 0..size.nodes {
        let node = site::node(number);
        let endpoint = Arc::new(Endpoint {
            url: "http://192.0.2.1".into(),
            node: Arc::clone(&node),
            ..Endpoint::default()
        });
        machine.handle(Event::NodeUp { node, endpoint }, Duration::ZERO);
    }
    machine
}
