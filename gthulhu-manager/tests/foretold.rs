//! What a preview foretells is what creating then does: both daemons as they are shipped, and more than a hundred real
//! processes in real cgroups.
//!
//! Each case is a strategy. It is previewed and then created; once its node holds it, the decision maker's rows, which
//! schedulers act by, are compared with what was foretold, process by process. Strategies that stay are there to conflict
//! with.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use gthulhu_http::testkit::TestClient;
use gthulhu_local::error::LocalError;
use gthulhu_local::pods::{Pod, PodSpec, ProcessSpec};
use gthulhu_local::stack::{Ports, Stack};
use gthulhu_local::wait;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const TEST: &str = "what_is_foretold_is_what_creating_does";
const CASES: u32 = 200;
const PROCESSES: usize = 100;
const PASSWORD: &str = "a passphrase of this test";

const APPS: [&str; 3] = ["upf", "web", "db"];
const TIERS: [&str; 2] = ["front", "back"];
const NAMESPACES: [&str; 3] = ["core", "default", "prod"];
const COMMANDS: [&str; 6] = ["nginx", "nginx-worker", "redis", "upf-worker", "postgres", "sh"];

/// What cases ask of command names.
const REGEXES: [&str; 9] =
    ["", "nginx", "^nginx$", "worker", "e", "^(redis|sh)$", "upf|postgres", "pause", "nobody"];

/// Strategies whose rows are told apart by their time slices, from here on upwards.
const SLICE: i64 = 1_000_000;

struct World {
    manager: TestClient,
    dm: TestClient,
    /// Of the strategies that stay: the time slice by the id.
    lasting: BTreeMap<String, i64>,
    /// Every process but the sandboxes.
    processes: usize,
    /// Removed before the daemons end.
    _pods: Vec<Pod>,
    _stack: Stack,
}

/// What a preview says, as far as creating can contradict it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Foretold {
    /// The pods that get an intent.
    pods: BTreeSet<String>,
    /// The processes that get the strategy, with their tasks.
    wins: BTreeMap<u64, u64>,
    /// The processes that it means and another strategy keeps, with that one's time slice.
    loses: BTreeMap<u64, i64>,
}

/// Eight pods of a sandbox, a leader and twelve more processes each.
fn specs() -> Vec<PodSpec> {
    let pod = |number: usize| {
        let app = APPS[number % APPS.len()];
        let labels = [("app", app), ("tier", TIERS[number % TIERS.len()])];
        let child = |child: usize| {
            ProcessSpec::new(COMMANDS[(number + child) % COMMANDS.len()], u32::try_from(child % 2).unwrap())
        };
        PodSpec {
            name: format!("{app}-{number}"),
            namespace: NAMESPACES[number / 3].to_owned(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            leader: ProcessSpec::new(app, 1),
            children: (0..12).map(child).collect(),
        }
    };
    (0..8).map(pod).collect()
}

impl World {
    async fn start() -> Result<World, LocalError> {
        let stack = Stack::start(Ports::default(), None).await?;
        let pods: Vec<Pod> = specs().into_iter().map(|spec| stack.pod(spec)).collect::<Result<_, _>>()?;
        let processes: usize = pods.iter().map(|pod| pod.procs().unwrap().len()).sum();
        let password = std::fs::read_to_string(stack.password_file()).unwrap();
        let manager = TestClient::new(stack.manager());
        let one_time = log_in(&manager, password.trim()).await;
        let change = json!({"oldPassword": password.trim(), "newPassword": PASSWORD});
        assert_eq!(one_time.put("/api/v1/users/self/password", &change).await.status, 200);
        let manager = log_in(&manager, PASSWORD).await;
        let dm = TestClient::new(stack.dm());
        let key = json!({"public_key": std::fs::read_to_string(stack.dm_public_key()).unwrap()});
        let token = dm.post("/api/v1/auth/token", &key).await.data();
        let dm = dm.bearer(token["token"].as_str().unwrap());
        let mut world = World {
            manager,
            dm,
            lasting: BTreeMap::new(),
            processes: processes - pods.len(),
            _pods: pods,
            _stack: stack,
        };
        world.until_pods_are_known().await;
        for (number, (regex, priority)) in
            [("nginx", 3), ("e", 10), ("worker$", 10), ("", 20)].iter().enumerate()
        {
            let slice = SLICE + i64::try_from(number).unwrap();
            let strategy = json!({"commandRegex": regex, "priority": priority, "executionTime": slice});
            let id = world.create(&strategy).await.unwrap();
            world.lasting.insert(id, slice);
        }
        Ok(world)
    }

    async fn until_pods_are_known(&self) {
        let known = wait::until(async || {
            let told = self.manager.post("/api/v1/strategies/preview", &json!({})).await.data();
            let all = told["totals"]["pods"] == json!(specs().len()) && told["unknown"] == json!([]);
            Ok(if all { Ok(()) } else { Err(told.to_string()) })
        });
        known.await.unwrap();
    }

    /// Creates a strategy and waits until the node holds all its intents; its id, or why it was refused.
    async fn create(&self, strategy: &Value) -> Result<String, String> {
        let reply = self.manager.post("/api/v1/strategies", strategy).await;
        if reply.status != 200 {
            return Err(reply.error());
        }
        let id = reply.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
        let held = wait::until(async || {
            let intents = self.intents(&id).await;
            let held = intents.iter().all(|intent| intent["State"] == json!(2));
            Ok(if held { Ok(()) } else { Err(json!(intents).to_string()) })
        });
        held.await.unwrap();
        Ok(id)
    }

    async fn intents(&self, strategy: &str) -> Vec<Value> {
        let listed = self.manager.get("/api/v1/intents/self").await.data()["intents"].take();
        let intents = listed.as_array().unwrap().iter();
        intents.filter(|intent| intent["StrategyID"] == json!(strategy)).cloned().collect()
    }

    /// What a preview says of a strategy, or why creating it would be refused.
    async fn preview(&self, strategy: &Value) -> Result<Foretold, String> {
        let told = self.manager.post("/api/v1/strategies/preview", strategy).await.data();
        if let Some(refusal) = told["refusal"].as_str() {
            return Err(refusal.to_owned());
        }
        assert_eq!((&told["unknown"], &told["truncated"]), (&json!([]), &json!(false)), "{told}");
        let mut foretold = Foretold::default();
        for pod in told["pods"].as_array().unwrap() {
            foretold.pods.insert(pod["podID"].as_str().unwrap().to_owned());
            for process in pod["seen"]["processes"].as_array().unwrap() {
                let pid = process["pid"].as_u64().unwrap();
                if process["verdict"] == json!("wins") {
                    foretold.wins.insert(pid, process["tasks"].as_u64().unwrap());
                } else {
                    let winner = process["verdict"]["losesTo"]["strategy"].as_str().unwrap();
                    foretold.loses.insert(pid, self.lasting[winner]);
                }
            }
        }
        let counted = |field: &str| told["totals"][field].as_u64().unwrap();
        assert_eq!(counted("wins"), foretold.wins.len() as u64, "{told}");
        assert_eq!(counted("matched"), (foretold.wins.len() + foretold.loses.len()) as u64, "{told}");
        assert_eq!(counted("tasks"), foretold.wins.values().sum::<u64>(), "{told}");
        Ok(foretold)
    }

    /// What creating the strategy did, of what was foretold.
    async fn done(&self, id: &str, slice: i64, foretold: &Foretold) -> Foretold {
        let reply = self.dm.get("/api/v1/scheduling/strategies?threads=true").await.json::<Value>();
        let mut done = Foretold::default();
        for row in reply["scheduling"].as_array().unwrap() {
            let process = row["tgid"].as_u64().or(row["pid"].as_u64()).unwrap();
            let its = row["execution_time"].as_i64().unwrap();
            if its == slice {
                *done.wins.entry(process).or_default() += 1;
            } else if foretold.loses.contains_key(&process) {
                done.loses.insert(process, its);
            }
        }
        let pod = |intent: Value| intent["PodID"].as_str().unwrap().to_owned();
        done.pods = self.intents(id).await.into_iter().map(pod).collect();
        done
    }

    /// One case; how many processes the strategy means.
    async fn case(&self, mut strategy: Value, slice: i64) -> usize {
        strategy["executionTime"] = json!(slice);
        let foretold = self.preview(&strategy).await;
        let created = self.create(&strategy).await;
        match (foretold, created) {
            (Ok(foretold), Ok(id)) => {
                assert_eq!(self.done(&id, slice, &foretold).await, foretold, "{strategy}");
                let deleted = self.manager.delete("/api/v1/strategies", &json!({"strategyId": id})).await;
                assert_eq!(deleted.status, 200);
                foretold.wins.len() + foretold.loses.len()
            }
            (Err(foretold), Err(refused)) => {
                assert_eq!(foretold, refused, "{strategy}");
                0
            }
            (foretold, created) => panic!("{strategy}: foretold {foretold:?}, then {created:?}"),
        }
    }
}

async fn log_in(manager: &TestClient, password: &str) -> TestClient {
    let login = json!({"username": "admin@localhost", "password": password});
    let token = manager.post("/api/v1/auth/login", &login).await.data()["token"].take();
    manager.bearer(token.as_str().unwrap())
}

fn any_strategy() -> impl Strategy<Value = Value> {
    let selector = prop_oneof![
        select(&APPS[..]).prop_map(|app| json!({"key": "app", "value": app})),
        select(&TIERS[..]).prop_map(|tier| json!({"key": "tier", "value": tier})),
        Just(json!({"key": "app"})),
    ];
    let parts = (
        prop::collection::vec(selector, 0..3),
        subsequence(&NAMESPACES[..], 0..=NAMESPACES.len()),
        select(&REGEXES[..]),
        0..=20,
    );
    parts.prop_map(|(selectors, namespaces, regex, priority)| {
        json!({
            "labelSelectors": selectors, "k8sNamespace": namespaces, "commandRegex": regex, "priority": priority,
        })
    })
}

#[test]
fn what_is_foretold_is_what_creating_does() {
    let runtime = Runtime::new().unwrap();
    let world = match runtime.block_on(World::start()) {
        Ok(world) => world,
        Err(LocalError::Unsupported(why)) => return println!("SKIPPED {TEST}: {why}"),
        Err(error) => panic!("{error}"),
    };
    assert!(world.processes >= PROCESSES, "{}", world.processes);
    let (mut cases, mut telling, mut contested) = (0, 0, 0_usize);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(CASES));
    let strategies = any_strategy();
    for _ in 0..CASES {
        let strategy = strategies.new_tree(&mut runner).unwrap().current();
        cases += 1;
        let slice = SLICE + 100 + cases;
        let meant = runtime.block_on(world.case(strategy, slice));
        telling += usize::from(meant > 0 && meant < world.processes);
        contested += meant;
    }
    println!(
        "{cases} cases over {} processes: {telling} mean some and not all; {contested} processes meant",
        world.processes
    );
    assert!(2 * telling >= usize::try_from(cases).unwrap(), "{telling} of {cases} cases tell something");
}
