//! The loop itself. It decides nothing: events go into the machine, its actions are carried out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::acks::{Written, record};
use super::{AckSink, EpochSource, NodesStatus, PortError};
use crate::domain::NodeAck;
use crate::nodes::client::DmClient;
use crate::nodes::machine::{Action, CallId, Event, Machine, Note, Options, Outcome};
use crate::nodes::{Endpoint, NodeName, NodeSets};

/// The loop's ends of what it is told.
pub(super) struct Watched {
    pub(super) endpoints: watch::Receiver<BTreeMap<NodeName, Arc<Endpoint>>>,
    pub(super) desired: watch::Receiver<NodeSets>,
    pub(super) paused: watch::Receiver<bool>,
}

impl Watched {
    /// The dms that may be spoken to.
    fn reach(&mut self) -> BTreeMap<NodeName, Arc<Endpoint>> {
        let endpoints = self.endpoints.borrow_and_update();
        if *self.paused.borrow_and_update() { BTreeMap::new() } else { endpoints.clone() }
    }
}

/// The loop's state.
pub(super) struct Run {
    machine: Machine,
    start: Instant,
    wake_at: Option<Instant>,
    client: Arc<DmClient>,
    calls: JoinSet<(NodeName, CallId, Outcome)>,
    aborts: HashMap<CallId, AbortHandle>,
    endpoints: BTreeMap<NodeName, Arc<Endpoint>>,
    status: watch::Sender<Arc<NodesStatus>>,
    epochs: Arc<dyn EpochSource>,
    acks: Arc<dyn AckSink>,
    /// What is to be stored when the store is free.
    unstored: BTreeMap<String, NodeAck>,
    /// At most one request for an epoch and one write of acks, or the rest after it.
    background: JoinSet<Option<Done>>,
    asking: bool,
    /// A write of acks or the rest after it is under way.
    storing: bool,
    rest: Option<AbortHandle>,
}

/// The end of something that may block.
enum Done {
    Epoch(Result<u64, PortError>),
    Acks(Written),
    Rested,
}

impl Run {
    pub(super) fn new(
        options: Options,
        client: Arc<DmClient>,
        epochs: Arc<dyn EpochSource>,
        acks: Arc<dyn AckSink>,
        status: watch::Sender<Arc<NodesStatus>>,
    ) -> Self {
        Self {
            machine: Machine::new(options),
            start: Instant::now(),
            wake_at: None,
            client,
            calls: JoinSet::new(),
            aborts: HashMap::new(),
            endpoints: BTreeMap::new(),
            status,
            epochs,
            acks,
            unstored: BTreeMap::new(),
            background: JoinSet::new(),
            asking: false,
            storing: false,
            rest: None,
        }
    }

    /// Runs until no one is left who could say anything.
    pub(super) async fn until_unheard(mut self, mut inputs: Watched) {
        self.handle(Event::Timer);
        loop {
            // The timer comes last: after a pause of this process, answers that arrived meanwhile still count.
            tokio::select! {
                biased;
                changed = inputs.endpoints.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let endpoints = inputs.reach();
                    self.meet(endpoints);
                }
                Ok(()) = inputs.paused.changed() => {
                    let endpoints = inputs.reach();
                    self.meet(endpoints);
                }
                changed = inputs.desired.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let desired = inputs.desired.borrow_and_update().clone();
                    self.handle(Event::Desired(desired));
                }
                Some(ended) = self.calls.join_next() => {
                    // A call that was aborted has no answer, and no one waits for it.
                    if let Ok((node, call, outcome)) = ended {
                        self.aborts.remove(&call);
                        self.handle(Event::Answer { node, call, outcome });
                    }
                }
                Some(done) = self.background.join_next() => self.done(done.ok().flatten()),
                () = sleep_until(self.wake_at.unwrap_or(self.start)), if self.wake_at.is_some() => {
                    self.wake_at = None;
                    self.handle(Event::Timer);
                }
            }
        }
        self.finish().await;
    }

    /// Stores what is still to be stored, and rests no more.
    async fn finish(mut self) {
        self.calls.abort_all();
        if let Some(rest) = self.rest.take() {
            rest.abort();
            self.storing = false;
        }
        self.store();
        while let Some(done) = self.background.join_next().await {
            let Ok(Some(Done::Acks(Written { result, .. }))) = done else { continue };
            if let Err(error) = result {
                warn!(%error, "answers of nodes are lost: the store refused them");
                return;
            }
            self.storing = false;
            self.store();
        }
    }

    /// Tells the machine what changed between the known dms and `endpoints`.
    fn meet(&mut self, endpoints: BTreeMap<NodeName, Arc<Endpoint>>) {
        let before = std::mem::replace(&mut self.endpoints, endpoints.clone());
        for node in before.keys().filter(|node| !endpoints.contains_key(*node)) {
            self.status.send_modify(|status| Arc::make_mut(status).gone(node));
            self.handle(Event::NodeGone { node: Arc::clone(node) });
        }
        for (node, endpoint) in endpoints {
            if before.get(&node) != Some(&endpoint) {
                self.status.send_modify(|status| Arc::make_mut(status).up(&node, &endpoint));
                self.handle(Event::NodeUp { node, endpoint });
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let actions = self.machine.handle(event, self.start.elapsed());
        let mut notes = Vec::new();
        for action in actions {
            match action {
                Action::Send { node, call, endpoint, request } => {
                    let client = Arc::clone(&self.client);
                    let abort = self.calls.spawn(async move {
                        let outcome = client.perform(&endpoint, &request).await;
                        (node, call, outcome)
                    });
                    self.aborts.insert(call, abort);
                }
                Action::Cancel { call } => {
                    if let Some(abort) = self.aborts.remove(&call) {
                        abort.abort();
                    }
                }
                Action::Wake { at } => self.wake_at = Some(self.start + at),
                Action::Note(Note::NeedEpoch { above }) => self.ask_for_epoch(above),
                Action::Note(note) => notes.push(note),
            }
        }
        self.publish(notes);
    }

    fn publish(&mut self, notes: Vec<Note>) {
        if notes.is_empty() {
            return;
        }
        let at_ms = now_ms();
        self.status.send_modify(|status| {
            let status = Arc::make_mut(status);
            for note in notes {
                log(&note);
                if let Some(ack) = status.apply(note, at_ms) {
                    self.unstored.insert(ack.node.clone(), ack);
                }
            }
        });
        self.store();
    }

    fn ask_for_epoch(&mut self, above: u64) {
        if std::mem::replace(&mut self.asking, true) {
            return;
        }
        let epochs = Arc::clone(&self.epochs);
        self.background.spawn_blocking(move || Some(Done::Epoch(epochs.next_epoch(above))));
    }

    fn store(&mut self) {
        if self.storing || self.unstored.is_empty() {
            return;
        }
        self.storing = true;
        let acks: Vec<NodeAck> = std::mem::take(&mut self.unstored).into_values().collect();
        let recorded = record(Arc::clone(&self.acks), acks);
        self.background.spawn(async move { recorded.await.map(Done::Acks) });
    }

    fn done(&mut self, done: Option<Done>) {
        match done {
            Some(Done::Epoch(Ok(epoch))) => {
                self.asking = false;
                info!(epoch, "pushing to nodes under a new epoch");
                self.handle(Event::Epoch(epoch));
            }
            Some(Done::Epoch(Err(error))) => {
                // The machine repeats its request.
                self.asking = false;
                warn!(%error, "no epoch: nothing can be pushed to nodes");
            }
            Some(Done::Acks(Written { acks, result, rest })) => {
                if let Err(error) = result {
                    // They go along with the next answer, unless that is newer.
                    warn!(%error, "answers of nodes were not stored");
                    for ack in acks {
                        self.unstored.entry(ack.node.clone()).or_insert(ack);
                    }
                    self.storing = false;
                    return;
                }
                self.rest = Some(self.background.spawn(async move {
                    sleep(rest).await;
                    Some(Done::Rested)
                }));
            }
            Some(Done::Rested) => {
                (self.rest, self.storing) = (None, false);
                self.store();
            }
            // One of the two panicked, and which is not known; both may be tried again.
            None => (self.asking, self.storing) = (false, false),
        }
    }
}

fn log(note: &Note) {
    match note {
        Note::Accepted { node, pair: Some(pair), set } => {
            info!(%node, epoch = pair.epoch, generation = pair.generation, intents = set.len(), "node holds its intents");
        }
        Note::Accepted { node, pair: None, set } => {
            info!(%node, intents = set.len(), "node holds its intents");
        }
        Note::Reachable { node } => info!(%node, "node answers"),
        Note::Unreachable { node } => warn!(%node, "node does not answer"),
        // A node that is away fails again and again; its status has the reason.
        Note::Failed { node, error } => tracing::debug!(%node, error, "call to node failed"),
        Note::NeedEpoch { .. } => {}
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
