//! The loop against real sockets: nodes that serve, hang, die and come back. Nothing here sleeps; every wait is
//! for the change itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gthulhu_http::client::{Client, ClientOptions};
use gthulhu_lib::id::{Id, intent_id};
use gthulhu_lib::intent::Limits;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::IntentBody;

use super::*;
use crate::nodes::Pair;
use crate::nodes::client::Tokens;
use crate::nodes::testdm::{Answer, TestDm, TestServer, absent, key};

/// Long enough that only a hang reaches it.
const FOREVER: Duration = Duration::from_secs(120);

/// Hands out epochs as a store would, after failing `failures` times; keeps every ack.
#[derive(Default)]
struct Store {
    epoch: AtomicU64,
    failures: AtomicU64,
    acks: Mutex<Vec<NodeAck>>,
}

impl EpochSource for Store {
    fn next_epoch(&self, above: u64) -> Result<u64, PortError> {
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            return Err("another manager holds the lock".into());
        }
        let next = self.epoch.load(Ordering::SeqCst).max(above) + 1;
        self.epoch.store(next, Ordering::SeqCst);
        Ok(next)
    }
}

impl AckSink for Store {
    fn record(&self, acks: &[NodeAck]) -> Result<(), PortError> {
        self.acks.lock().unwrap().extend_from_slice(acks);
        Ok(())
    }
}

struct Loop {
    nodes: NodesHandle,
    task: JoinHandle<()>,
    store: Arc<Store>,
}

fn start(options: Options, store: Store) -> Loop {
    let store = Arc::new(store);
    let client = DmClient::new(Client::new(ClientOptions::default()), Tokens::minted(key(), "test"));
    let (nodes, task) = spawn(
        options,
        client,
        Arc::clone(&store) as Arc<dyn EpochSource>,
        Arc::clone(&store) as Arc<dyn AckSink>,
    );
    Loop { nodes, task, store }
}

impl Loop {
    fn know(&self, servers: &[(&str, &TestServer)]) {
        self.nodes
            .endpoints(servers.iter().map(|(name, server)| ((*name).into(), server.endpoint())).collect());
    }

    /// Waits until `wanted` holds for the node's status.
    async fn until(&self, node: &str, wanted: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
        let mut changed = self.nodes.changed();
        let found = changed.wait_for(|status| status.get(node).is_some_and(&wanted));
        let found = tokio::time::timeout(FOREVER, found).await.map(|status| status.unwrap().clone());
        let status = found.unwrap_or_else(|_| panic!("{node} stays as it is: {:?}", self.nodes.status()));
        status.get(node).unwrap().clone()
    }

    async fn until_holding(&self, node: &str, pods: &str) -> NodeStatus {
        let wanted = set(pods);
        self.until(node, |status| status.held.as_ref().is_some_and(|held| *held.set() == wanted)).await
    }
}

fn body(pod: &str) -> IntentBody {
    IntentBody {
        pod_id: pod.into(),
        strategy_id: Some("0123456789abcdef01234567".into()),
        ..IntentBody::default()
    }
}

fn set(pods: &str) -> Arc<IntentSet> {
    let bodies = pods.split_whitespace().map(body).collect();
    Arc::new(IntentSet::check(bodies, &Limits::default()).unwrap())
}

fn desire(nodes: &[(&str, &str)]) -> NodeSets {
    Arc::new(nodes.iter().map(|(node, pods)| ((*node).into(), set(pods))).collect())
}

#[tokio::test]
async fn what_is_desired_is_pushed_shown_and_stored() {
    let dm = TestDm::default();
    let server = dm.start().await;
    let run = start(Options::default(), Store::default());
    run.know(&[("n", &server)]);
    run.nodes.desired(desire(&[("n", "p q")]));
    let status = run.until_holding("n", "p q").await;
    assert_eq!(dm.held().set, *set("p q"));
    assert_eq!(status.pair, Some(Pair { epoch: 1, generation: 1 }));
    assert_eq!((status.reachable, status.error), (Some(true), None));
    run.nodes.desired(desire(&[("n", "q")]));
    let held = run.until_holding("n", "q").await.held.unwrap();
    let strategy: Id = "0123456789abcdef01234567".parse().unwrap();
    assert!(held.holds(&intent_id(strategy, "q"), &body("q")));
    assert!(!held.holds(&intent_id(strategy, "p"), &body("p")));
    let changed = IntentBody { priority: 5, ..body("q") };
    assert!(!held.holds(&intent_id(strategy, "q"), &changed), "another version of the intent");

    drop(run.nodes);
    tokio::time::timeout(FOREVER, run.task).await.expect("the loop ends with its last handle").unwrap();
    let acks = run.store.acks.lock().unwrap();
    let last = acks.last().expect("stored before the end");
    assert_eq!((last.node.as_str(), last.epoch, last.generation, &last.error), ("n", 1, 2, &None));
    assert!(last.at_ms > 0);
}

#[tokio::test]
async fn a_dead_node_delays_nobody_and_is_right_once_it_is_back() {
    let (dead, alive) = (TestDm::default(), TestDm::default());
    let ((socket, dead_endpoint), alive_server) = (absent(), alive.start().await);
    // One call at a time: whatever holds the lane holds everything.
    let run = start(Options { concurrency: 1, ..Options::default() }, Store::default());
    run.nodes.endpoints(
        [("dead".into(), dead_endpoint), ("alive".into(), alive_server.endpoint())].into_iter().collect(),
    );
    run.nodes.desired(desire(&[("dead", "d"), ("alive", "a")]));
    run.until_holding("alive", "a").await;
    let status = run.until("dead", |status| status.reachable == Some(false)).await;
    assert_eq!(status.error.as_deref(), Some("connection refused"));
    run.nodes.desired(desire(&[("dead", "d2"), ("alive", "a2")]));
    run.until_holding("alive", "a2").await;

    let _back = dead.start_on(socket.listen(64).unwrap());
    let status = run.until_holding("dead", "d2").await;
    assert_eq!((status.reachable, status.error), (Some(true), None));
    assert_eq!(dead.held().set, *set("d2"));
}

/// Another process at the same address, which may hold anything: nobody waits for the next comparison.
#[tokio::test]
async fn another_decision_maker_in_the_same_place_is_compared_at_once() {
    let dm = TestDm::default();
    let server = dm.start().await;
    let never = Duration::from_secs(24 * 3600);
    let run = start(Options { compare_every: never, ..Options::default() }, Store::default());
    let is = |instance: &str| {
        let endpoint = Endpoint { instance: instance.into(), ..(*server.endpoint()).clone() };
        run.nodes.endpoints([("n".into(), Arc::new(endpoint))].into_iter().collect());
    };
    is("one");
    run.nodes.desired(desire(&[("n", "p")]));
    run.until_holding("n", "p").await;
    dm.held().set = IntentSet::default();
    is("another");
    let (mut asked, wanted) = (server.count.clone(), set("p"));
    let restored = asked.wait_for(|_| dm.held().set == *wanted);
    tokio::time::timeout(FOREVER, restored).await.expect("it is asked, and given what it lacks").unwrap();
}

#[tokio::test]
async fn a_node_that_hangs_delays_nobody_and_is_right_once_it_answers() {
    let (hung, fine) = (TestDm::default(), TestDm::default());
    hung.held().hangs = true;
    let (hung_server, fine_server) = (hung.start().await, fine.start().await);
    let deadline = Duration::from_millis(300);
    let run = start(Options { concurrency: 1, deadline, ..Options::default() }, Store::default());
    run.know(&[("a hung", &hung_server), ("fine", &fine_server)]);
    run.nodes.desired(desire(&[("a hung", "h"), ("fine", "f")]));
    let mut asked = hung_server.count.clone();
    asked.wait_for(|count| *count > 0).await.unwrap();
    run.until_holding("fine", "f").await;
    run.until("a hung", |status| status.reachable == Some(false)).await;
    hung.held().hangs = false;
    run.until_holding("a hung", "h").await;
}

#[tokio::test]
async fn a_node_that_holds_a_later_epoch_makes_a_new_one() {
    let dm = TestDm::default();
    dm.held().pair = Some(Pair { epoch: 50, generation: 4 });
    let server = dm.start().await;
    let run = start(Options::default(), Store::default());
    run.know(&[("n", &server)]);
    run.nodes.desired(desire(&[("n", "p")]));
    let status = run.until_holding("n", "p").await;
    assert_eq!(status.pair, Some(Pair { epoch: 51, generation: 1 }));
    assert_eq!(status.error, None);
}

#[tokio::test]
async fn without_an_epoch_nothing_is_pushed_until_there_is_one() {
    let dm = TestDm::default();
    let server = dm.start().await;
    let run = start(Options::default(), Store { failures: AtomicU64::new(1), ..Store::default() });
    run.know(&[("n", &server)]);
    run.nodes.desired(desire(&[("n", "p")]));
    run.until("n", |status| status.reachable == Some(true)).await;
    assert_eq!(dm.held().pair, None);
    run.until_holding("n", "p").await;
}

#[tokio::test]
async fn a_node_that_is_not_listed_any_more_is_forgotten() {
    let dm = TestDm::default();
    let server = dm.start().await;
    let run = start(Options::default(), Store::default());
    run.know(&[("n", &server)]);
    run.nodes.desired(desire(&[("n", "p")]));
    run.until_holding("n", "p").await;
    run.know(&[]);
    let mut changed = run.nodes.changed();
    let forgotten = changed.wait_for(|status| status.get("n").is_none());
    tokio::time::timeout(FOREVER, forgotten).await.expect("the node is forgotten").unwrap();
    assert_eq!(dm.held().set, *set("p"), "what it holds is left to it");
}

#[tokio::test]
async fn processes_are_asked_for_by_node() {
    let dm = TestDm::default();
    let ((_socket, away), server) = (absent(), dm.start().await);
    let run = start(Options::default(), Store::default());
    run.nodes.endpoints([("n".into(), server.endpoint()), ("away".into(), away)].into_iter().collect());
    assert_eq!(run.nodes.pods_pids("n").await.unwrap().node_name, "test");
    assert_eq!(run.nodes.pods_pids("m").await, Err(AskError::UnknownNode("m".into())));
    assert_eq!(run.nodes.pods_pids("away").await, Err(AskError::Unreachable("connection refused".into())));
}

#[tokio::test]
async fn no_question_takes_a_turn_that_others_have() {
    let server = TestServer::start(|_| Answer::Hang).await;
    let run = start(Options::default(), Store::default());
    run.nodes.pause(true);
    run.know(&[("n", &server)]);
    let mut turns = Vec::new();
    while let Ok(turn) = tokio::time::timeout(Duration::ZERO, run.nodes.turns.of("n")).await {
        turns.push(turn);
    }
    // They wait for a turn until their time is up.
    let candidate = Candidate { intents: Vec::new(), strategy: None };
    let (pods, explained, previewed) = tokio::join!(
        run.nodes.pods_pids("n"),
        run.nodes.explain("n", 1),
        run.nodes.previews([("n".to_owned(), candidate)].into()),
    );
    let outcomes = [pods.err(), explained.err(), previewed["n"].clone().err()];
    assert!(outcomes.iter().all(|error| matches!(error, Some(AskError::TimedOut(_)))), "{outcomes:?}");
    assert_eq!(server.asked().len(), 0);
}
