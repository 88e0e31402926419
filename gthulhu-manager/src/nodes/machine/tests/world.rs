//! A small world of dms with an unkind network, and scripts that no one would write by hand.
//!
//! Whatever happens, no node is ever sent an older pair after a newer one, nor one pair for two sets; and when
//! it is quiet again, every node that can be reached holds exactly what it should.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::intent::set::IntentSet;
use proptest::prelude::*;

use super::bench::{failure, pods, set};
use crate::nodes::machine::{
    Action, CallId, DmState, Event, FailureKind, Machine, Note, Options, Outcome, Request,
};
use crate::nodes::{Endpoint, NodeName, Pair};

const NODES: usize = 3;
/// Which sets a script can ask for.
const SETS: [&str; 4] = ["", "p", "p q", "r"];

/// One step of a script. Nodes and sets are named by their numbers.
#[derive(Debug, Clone)]
enum Step {
    Desire(usize, usize),
    NodeUp(usize),
    NodeGone(usize),
    /// From now on the dm refuses connections, hangs, or serves.
    Health(usize, Health),
    /// Requests still reach the dm; its answers are lost.
    Mute(usize, bool),
    /// What was sent to the dm while it hung arrives now, long given up.
    Arrive(usize),
    /// Someone removes everything on the dm itself.
    Edit(usize),
    /// The dm loses its disk.
    Forget(usize),
    /// Another manager takes an epoch and pushes to the node.
    Intrude(usize),
    /// The manager is killed and started again.
    Restart,
    Pass(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Serving,
    Refusing,
    Hanging,
}

/// A dm by the rules of the wire: a greater pair wins, an equal one only restores its own set.
#[derive(Debug)]
struct Dm {
    health: Health,
    muted: bool,
    go: bool,
    held: Option<Pair>,
    pushed: Arc<IntentSet>,
    holds: Arc<IntentSet>,
    edited: bool,
}

impl Dm {
    fn new(go: bool) -> Self {
        Self {
            health: Health::Serving,
            muted: false,
            go,
            held: None,
            pushed: set(""),
            holds: set(""),
            edited: false,
        }
    }

    fn serve(&mut self, request: &Request) -> Outcome {
        match request {
            Request::Compare => Outcome::State(DmState {
                root: self.holds.merkle_root(),
                digest: (!self.go).then(|| self.holds.digest()),
                held: self.held.filter(|_| !self.go),
                edited: self.edited && !self.go,
            }),
            Request::Push { pair, set } => {
                let same = self.held == Some(*pair) && self.pushed == *set;
                if !self.go && self.held >= Some(*pair) && !same {
                    return Outcome::Conflict(self.held);
                }
                self.held = Some(*pair);
                self.pushed = Arc::clone(set);
                self.holds = Arc::clone(set);
                self.edited = false;
                Outcome::Accepted
            }
        }
    }
}

struct World {
    machine: Machine,
    now: Duration,
    wake_at: Option<Duration>,
    /// The store's counter.
    epoch: u64,
    dms: Vec<Dm>,
    listed: [bool; NODES],
    desired: [usize; NODES],
    /// Calls that hang: they end by being cancelled, or never.
    hanging: HashMap<CallId, NodeName>,
    /// Requests that the network still carries.
    late: Vec<(usize, Request)>,
    /// The last pair sent to each node, and its set.
    last_sent: BTreeMap<NodeName, (Pair, Arc<IntentSet>)>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            machine: Machine::new(Options::default()),
            now: Duration::ZERO,
            wake_at: None,
            epoch: 0,
            dms: (0..NODES).map(|node| Dm::new(node == 2)).collect(),
            listed: [true; NODES],
            desired: [0; NODES],
            hanging: HashMap::new(),
            late: Vec::new(),
            last_sent: BTreeMap::new(),
        };
        world.restart();
        world
    }

    fn restart(&mut self) {
        self.machine = Machine::new(Options::default());
        self.hanging.clear();
        self.wake_at = None;
        self.desire();
        for node in 0..NODES {
            if self.listed[node] {
                self.node_up(node);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Desire(node, set) => {
                self.desired[node] = set;
                self.desire();
            }
            Step::NodeUp(node) => self.node_up(node),
            Step::NodeGone(node) => {
                self.listed[node] = false;
                self.handle(Event::NodeGone { node: name(node) });
            }
            Step::Health(node, health) => self.dms[node].health = health,
            Step::Mute(node, muted) => self.dms[node].muted = muted,
            Step::Arrive(node) => self.arrive(node),
            Step::Edit(node) => {
                self.dms[node].holds = set("");
                self.dms[node].edited = true;
            }
            Step::Forget(node) => self.dms[node] = Dm { health: self.dms[node].health, ..Dm::new(node == 2) },
            Step::Intrude(node) => {
                self.epoch += 1;
                let pair = Pair { epoch: self.epoch, generation: 1 };
                self.dms[node].serve(&Request::Push { pair, set: set("intruder") });
            }
            Step::Restart => self.restart(),
            Step::Pass(ms) => self.pass(Duration::from_millis(ms)),
        }
    }

    fn desire(&mut self) {
        let sets = (0..NODES).map(|node| (name(node), set(SETS[self.desired[node]]))).collect();
        self.handle(Event::Desired(Arc::new(sets)));
    }

    fn node_up(&mut self, node: usize) {
        self.listed[node] = true;
        let endpoint = Arc::new(Endpoint { url: format!("http://{node}"), ..Endpoint::default() });
        self.handle(Event::NodeUp { node: name(node), endpoint });
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.wake_at.take_if(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Event::Timer);
        }
        self.now = end;
    }

    /// Feeds `event` and whatever follows from it at the same moment.
    fn handle(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.machine.handle(event, self.now) {
                events.extend(self.perform(action));
            }
        }
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Wake { at } => {
                self.wake_at = Some(at);
                None
            }
            Action::Cancel { call } => {
                self.hanging.remove(&call);
                None
            }
            Action::Send { node, call, request, .. } => {
                let outcome = self.call(&node, call, &request)?;
                Some(Event::Answer { node, call, outcome })
            }
            Action::Note(Note::NeedEpoch { above }) => {
                self.epoch = self.epoch.max(above) + 1;
                Some(Event::Epoch(self.epoch))
            }
            Action::Note(_) => None,
        }
    }

    fn call(&mut self, node: &NodeName, call: CallId, request: &Request) -> Option<Outcome> {
        assert!(!self.hanging.values().any(|other| other == node), "{node} has two calls at a time");
        self.check_order(node, request);
        let number = node.parse::<usize>().unwrap();
        let dm = &mut self.dms[number];
        let answer = match dm.health {
            Health::Refusing => return Some(failure(FailureKind::Unreachable)),
            Health::Hanging => {
                self.late.push((number, request.clone()));
                None
            }
            Health::Serving => Some(dm.serve(request)).filter(|_| !dm.muted),
        };
        if answer.is_none() {
            self.hanging.insert(call, Arc::clone(node));
        }
        answer
    }

    fn arrive(&mut self, node: usize) {
        for (_, request) in self.late.extract_if(.., |(number, _)| *number == node) {
            self.dms[node].serve(&request);
        }
    }

    fn check_order(&mut self, node: &NodeName, request: &Request) {
        let Request::Push { pair, set } = request else { return };
        let before = self.last_sent.insert(Arc::clone(node), (*pair, Arc::clone(set)));
        if let Some((last, last_set)) = before {
            assert!(*pair > last || (*pair == last && *set == last_set), "{node}: {pair} after {last}");
        }
    }

    /// Everyone serves, nothing is left in the network, and enough time passes for every delay and for the safety net.
    fn settle(&mut self) {
        for node in 0..NODES {
            self.arrive(node);
            self.dms[node].health = Health::Serving;
            self.dms[node].muted = false;
        }
        self.pass(Duration::from_secs(120));
    }

    fn check_agreement(&self) {
        for node in (0..NODES).filter(|node| self.listed[*node]) {
            let dm = &self.dms[node];
            assert_eq!(pods(&dm.holds), SETS[self.desired[node]], "node {node}");
            assert!(!dm.edited || dm.go, "node {node} is still marked as edited");
        }
    }
}

fn name(node: usize) -> NodeName {
    node.to_string().into()
}

fn a_step() -> impl Strategy<Value = Step> {
    let health = prop_oneof![Just(Health::Serving), Just(Health::Refusing), Just(Health::Hanging)];
    prop_oneof![
        6 => (0..NODES, 0..SETS.len()).prop_map(|(node, set)| Step::Desire(node, set)),
        2 => (0..NODES).prop_map(Step::NodeUp),
        1 => (0..NODES).prop_map(Step::NodeGone),
        4 => (0..NODES, health).prop_map(|(node, health)| Step::Health(node, health)),
        2 => (0..NODES, any::<bool>()).prop_map(|(node, muted)| Step::Mute(node, muted)),
        2 => (0..NODES).prop_map(Step::Arrive),
        1 => (0..NODES).prop_map(Step::Edit),
        1 => (0..NODES).prop_map(Step::Forget),
        1 => (0..NODES).prop_map(Step::Intrude),
        1 => Just(Step::Restart),
        4 => (0..50u64).prop_map(Step::Pass),
        4 => (0..8000u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_it_is_quiet_every_reachable_node_holds_what_it_should(
        script in proptest::collection::vec(a_step(), 0..60)
    ) {
        let mut world = World::new();
        for step in &script {
            world.step(step);
        }
        world.settle();
        world.check_agreement();
    }
}

#[test]
fn a_node_that_comes_back_is_right_within_two_seconds() {
    let mut world = World::new();
    for node in 0..NODES {
        world.step(&Step::Health(node, Health::Refusing));
    }
    world.step(&Step::Pass(600_000));
    for node in 0..NODES {
        world.step(&Step::Desire(node, 2));
        world.step(&Step::Health(node, Health::Serving));
    }
    world.step(&Step::Pass(2000));
    world.check_agreement();
}
