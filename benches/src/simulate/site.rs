//! What is simulated: the pods and strategies, the folder of manifests, and the manager's process.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::derive::{Pod, StrategySpec};
use gthulhu_lib::selector::Selector;
use gthulhu_local::background::{arguments, run_to_end};
use gthulhu_local::daemon::Daemon;
use gthulhu_local::demo::session;
use gthulhu_local::http::Api;
use gthulhu_local::state::StateDir;
use gthulhu_manager::nodes::NodeName;
use procfs::process::Process;
use serde_json::{Value, json};

use super::Size;
use super::event::STRATEGIES;
use crate::Outcome;
use crate::fixtures::{self, Numbers};

const PODS_PER_FILE: usize = 1_000;
/// One pod of so many is meant by a strategy that is created while the simulation runs.
pub(super) const MEANT: u32 = 10;

/// The name of a node.
pub(super) fn node(number: u32) -> NodeName {
    format!("node-{number}").into()
}

/// The pods, on each node as many as on any other.
pub(super) fn pods(size: Size) -> impl Iterator<Item = Arc<Pod>> {
    let mut numbers = Numbers::new(5);
    (0..size.pods).map(move |number| {
        let place = number / size.nodes;
        let labels = [
            ("app", format!("app-{}", number % STRATEGIES)),
            ("slot", format!("slot-{}", place % MEANT)),
            ("pod-template-hash", format!("{:08x}", numbers.below(u32::MAX))),
            ("team", format!("team-{}", numbers.below(50))),
        ];
        Arc::new(Pod {
            uid: fixtures::uid(&mut numbers),
            name: format!("app-{}-{number}", number % STRATEGIES),
            namespace: format!("namespace-{}", numbers.below(200)),
            node: Some(node(number % size.nodes).to_string()),
            labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
            terminal: false,
        })
    })
}

/// What its unit and its manifest set.
const AS_SHIPPED: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "2")];

/// A strategy that is there from the start: every pod is meant by one.
pub(super) fn strategy(number: u32) -> StrategySpec {
    StrategySpec {
        id: fixtures::id(number + 1),
        selectors: vec![Selector::new("app", format!("app-{number}"))],
        namespaces: vec![],
        command_regex: format!("^worker-{number}"),
        priority: 5,
        execution_time: 5_000_000,
    }
}

/// The same as a request.
fn as_request(spec: &StrategySpec) -> Value {
    let selector = |selector: &Selector| json!({ "key": selector.key, "value": selector.value });
    json!({
        "labelSelectors": spec.selectors.iter().map(selector).collect::<Vec<_>>(),
        "commandRegex": spec.command_regex,
        "priority": spec.priority,
        "executionTime": spec.execution_time,
    })
}

/// The manager, in a process of its own.
pub(super) struct Site {
    state: StateDir,
    manager: Option<Daemon>,
    api: Option<Api>,
}

impl Site {
    /// Makes keys and manifests; the manager does not run yet.
    pub(super) fn prepare(size: Size) -> Outcome<Self> {
        let state = StateDir::temporary()?;
        let site = Self { state, manager: None, api: None };
        run_to_end("gthulhu-manager", &arguments("init", "--dir", &site.manager_dir()))?;
        let folder = site.state.subdir("pods")?;
        let all: Vec<_> = pods(size).collect();
        for (number, pods) in all.chunks(PODS_PER_FILE).enumerate() {
            let items: Vec<_> = pods.iter().map(|pod| manifest(pod)).collect();
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
            fs::write(folder.join(format!("pods-{number:04}.json")), list.to_string())?;
        }
        Ok(site)
    }

    /// Where the manager keeps keys, certificates and store.
    pub(super) fn manager_dir(&self) -> PathBuf {
        self.state.path().join("manager")
    }

    /// The directory of everything.
    pub(super) fn dir(&self) -> &Path {
        self.state.path()
    }

    /// Starts the manager on these nodes, logs in, and creates the strategies that are there from the start.
    pub(super) async fn start(&mut self, nodes: &[(NodeName, SocketAddr)]) -> Outcome<()> {
        let held = std::net::TcpListener::bind("127.0.0.1:0")?;
        let host = held.local_addr()?.to_string();
        let config = self.state.write("manager.toml", &self.config(&host, nodes))?;
        drop(held);
        let url = format!("http://{host}");
        let mut manager = Daemon::start(&self.state, "gthulhu-manager", &config, &url, &AS_SHIPPED)?;
        let api = Api::new(&url);
        manager.ready(&api).await?;
        self.manager = Some(manager);
        self.api = Some(self.log_in(&api).await?);
        for number in 0..STRATEGIES {
            self.create(&as_request(&strategy(number))).await?;
        }
        Ok(())
    }

    fn config(&self, host: &str, nodes: &[(NodeName, SocketAddr)]) -> String {
        let mut text = format!(
            "[server]\nhost = {}\n\n[state]\ndir = {}\n\n[cluster]\npods_dir = {}\n\n[logging]\nlevel = \"warn\"\n\n\
             [mtls]\nenable = true\n",
            json!(host),
            json!(self.manager_dir()),
            json!(self.dir().join("pods")),
        );
        for (node, address) in nodes {
            // A String takes whatever is written to it.
            let _ = write!(text, "\n[[nodes]]\nname = {}\nurl = \"https://{address}\"\n", json!(&**node));
        }
        text
    }

    async fn log_in(&self, api: &Api) -> Outcome<Api> {
        let first = fs::read_to_string(self.manager_dir().join("admin-password"))?;
        let (first, password) = (first.trim(), gthulhu_http::random::password());
        session::change_password(&session::log_in(api, first).await?, first, &password).await?;
        Ok(session::log_in(api, &password).await?)
    }

    /// Creates a strategy; its id.
    pub(super) async fn create(&self, strategy: &Value) -> Outcome<String> {
        let answer = self.api()?.call("POST", "/api/v1/strategies", strategy).await?;
        answer.done()?;
        let place = answer.location.ok_or("no place of the new strategy")?;
        Ok(place.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// Deletes a strategy.
    pub(super) async fn delete(&self, id: &str) -> Outcome<()> {
        Ok(self.api()?.call("DELETE", "/api/v1/strategies", &json!({ "strategyId": id })).await?.done()?)
    }

    /// The most memory that the manager has had so far, in MiB.
    pub(super) fn manager_memory_mib(&self) -> Outcome<f64> {
        let peak = self.manager_process()?.status()?.vmhwm.ok_or("no VmHWM")?;
        Ok(f64::from(u32::try_from(peak)?) / 1024.0)
    }

    /// The CPU time that the manager has used so far, of all its threads.
    pub(super) fn manager_cpu(&self) -> Outcome<Duration> {
        let stat = self.manager_process()?.stat()?;
        Ok(Duration::from_secs(stat.utime + stat.stime) / u32::try_from(procfs::ticks_per_second())?)
    }

    fn manager_process(&self) -> Outcome<Process> {
        let manager = self.manager.as_ref().ok_or("it does not run")?;
        Ok(Process::new(manager.pid().try_into()?)?)
    }

    /// Ends the manager.
    pub(super) fn stop(&mut self) -> Outcome<()> {
        self.manager.take().map_or(Ok(()), |mut manager| Ok(manager.stop()?))
    }

    fn api(&self) -> Outcome<&Api> {
        self.api.as_ref().ok_or_else(|| "nobody logged in".into())
    }
}

fn manifest(pod: &Pod) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "labels": pod.labels },
        "spec": { "nodeName": pod.node },
        "status": { "phase": "Running" },
    })
}

/// Long enough that only what never comes reaches it.
pub(super) const FOREVER: Duration = Duration::from_secs(120);
