//! What happens to the cluster, and how long nodes take to agree.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use super::Size;
use super::fleet::{Node, Yard};
use super::site::{self, Site};
use super::spread::Spread;
use crate::Outcome;

/// Nodes that are restarted, one after the other.
const RESTARTS: usize = 20;

/// The cluster while the scenes play.
pub(super) struct Scenes {
    site: Site,
    yard: Yard,
    nodes: Vec<Node>,
    size: Size,
    /// The time slice of the last strategy that was created: no two have the same, so that nodes tell which they hold.
    slice: i64,
}

/// Times of a change that concerns all nodes.
pub(super) struct Changes {
    /// From the request to each node.
    pub(super) nodes: Spread,
    /// From the request to the last node.
    pub(super) walls: Spread,
    /// What the manager worked for one of them.
    pub(super) manager_cpu: Duration,
}

/// Times of the others, turn by turn.
pub(super) struct Beside {
    without: Vec<Vec<Duration>>,
    with: Vec<Vec<Duration>>,
}

impl Beside {
    /// All times while no node hangs, and all while one does.
    pub(super) fn all(&self) -> [Spread; 2] {
        [&self.without, &self.with].map(|turns| turns.iter().flatten().copied().collect())
    }

    /// What one that hangs makes of the 99th percentile, as a factor: of each turn to the one before it, the median.
    pub(super) fn factor(&self) -> f64 {
        let p99 = |turn: &Vec<Duration>| turn.iter().copied().collect::<Spread>().at(0.99);
        let mut factors: Vec<f64> =
            self.without.iter().zip(&self.with).map(|(without, with)| p99(with) / p99(without)).collect();
        factors.sort_unstable_by(f64::total_cmp);
        factors.get(factors.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// A strategy that was created, and those who wait for it.
struct Created {
    id: String,
    slice: i64,
    begun: Instant,
    seen: Vec<JoinHandle<Result<Instant, String>>>,
}

impl Scenes {
    /// Starts all decision makers, then the manager, and waits until every node holds its first set.
    pub(super) async fn start(size: Size) -> Outcome<Self> {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let all = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, all)?;
        let mut site = Site::prepare(size)?;
        let yard = Yard::new(&site.manager_dir(), &site.dir().join("nodes"))?;
        let nodes =
            (0..size.nodes).map(|number| yard.node(site::node(number))).collect::<Outcome<Vec<_>>>()?;
        let addresses: Vec<_> = nodes.iter().map(|node| (node.name().clone(), node.address())).collect();
        site.start(&addresses).await?;
        let scenes = Self { site, yard, nodes, size, slice: 1_000_000 };
        for (number, node) in (0..).zip(&scenes.nodes) {
            let pods = scenes.pods_on(number);
            node.once(move |state| state.intents.len() == pods).await??;
        }
        Ok(scenes)
    }

    /// Creates a strategy for some pods of every node, and deletes it, so many times.
    pub(super) async fn changes(&mut self, times: usize) -> Outcome<Changes> {
        let (mut nodes, mut walls, mut cpu) = (Vec::new(), Vec::new(), Duration::ZERO);
        for _ in 0..times {
            let before = self.site.manager_cpu()?;
            let created = self.create(0).await?;
            let (id, slice) = (created.id.clone(), created.slice);
            let spent = created.spent().await?;
            cpu += self.site.manager_cpu()?.saturating_sub(before);
            walls.extend(spent.iter().max());
            nodes.extend(spent);
            self.delete(&id, slice).await?;
        }
        let manager_cpu = cpu / u32::try_from(times)?;
        Ok(Changes { nodes: nodes.into_iter().collect(), walls: walls.into_iter().collect(), manager_cpu })
    }

    /// One decision maker after the other ends, misses a change, and is back: from then until it holds what it missed.
    pub(super) async fn restarts(&mut self) -> Outcome<Spread> {
        let mut times = Vec::new();
        for number in 0..RESTARTS.min(self.nodes.len()) {
            self.nodes.swap(0, number);
            self.nodes[0].stop().await?;
            let created = self.create(1).await?;
            let (id, slice) = (created.id.clone(), created.slice);
            created.spent().await?;
            let begun = Instant::now();
            self.nodes[0].start()?;
            times.push(self.holds(0, slice).await??.duration_since(begun));
            self.delete(&id, slice).await?;
        }
        Ok(times.into_iter().collect())
    }

    /// A tenth of the nodes is cut off while something changes. From the moment when the connection is whole again until they
    /// hold what they missed; what was asked of them meanwhile is never answered.
    pub(super) async fn heals(&mut self) -> Outcome<Spread> {
        let cut = self.nodes.len() / 10;
        let mut silent = Vec::new();
        for node in &mut self.nodes[..cut] {
            silent.push(node.cut_off().await?);
        }
        let created = self.create(cut).await?;
        let (id, slice) = (created.id.clone(), created.slice);
        created.spent().await?;
        // The first call of each, and the first that knows that the node does not answer.
        for silence in &mut silent {
            silence.heard(3).await?;
        }
        let (mut unanswered, mut times) = (Vec::new(), Vec::new());
        for (number, silence) in silent.into_iter().enumerate() {
            unanswered.push(silence.end().await?);
            let begun = Instant::now();
            self.nodes[number].start()?;
            times.push((begun, self.holds(number, slice)));
        }
        let mut spent = Vec::new();
        for (begun, seen) in times {
            spent.push(seen.await??.duration_since(begun));
        }
        drop(unanswered);
        self.delete(&id, slice).await?;
        Ok(spent.into_iter().collect())
    }

    /// Changes at all nodes but one, in turns: while that one does what it should, and while it hangs. Each turn has a
    /// spread of its own.
    pub(super) async fn beside_one_that_hangs(&mut self, times: usize) -> Outcome<Beside> {
        let mut spent = [Vec::new(), Vec::new()];
        for round in 0..2 * times {
            let silence = if round % 2 == 1 { Some(self.nodes[0].cut_off().await?) } else { None };
            let created = self.create(1).await?;
            let (id, slice) = (created.id.clone(), created.slice);
            spent[round % 2].push(created.spent().await?);
            let unanswered = match silence {
                Some(silence) => silence.end().await?,
                None => Vec::new(),
            };
            if round % 2 == 1 {
                self.nodes[0].start()?;
            }
            self.holds(0, slice).await??;
            drop(unanswered);
            self.delete(&id, slice).await?;
        }
        let [without, with] = spent;
        Ok(Beside { without, with })
    }

    /// The manager's peak, in MiB.
    pub(super) fn manager_memory_mib(&self) -> Outcome<f64> {
        self.site.manager_memory_mib()
    }

    /// Decision makers of which the manager knows nothing, and where the manager's certificate is.
    pub(super) fn strangers(&self, count: usize) -> Outcome<Vec<Node>> {
        (0..count).map(|number| self.yard.node(format!("stranger-{number}").into())).collect()
    }

    /// The cluster's size.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// Where the manager keeps its keys.
    pub(super) fn manager_dir(&self) -> std::path::PathBuf {
        self.site.manager_dir()
    }

    /// Ends everything.
    pub(super) async fn stop(mut self) -> Outcome<()> {
        self.site.stop()?;
        for node in &mut self.nodes {
            node.stop().await?;
        }
        Ok(())
    }

    /// Creates a strategy; the nodes from `first` on are watched.
    async fn create(&mut self, first: usize) -> Outcome<Created> {
        self.slice += 1;
        let slice = self.slice;
        let seen = (first..self.nodes.len()).map(|number| self.holds(number, slice)).collect();
        let strategy = json!({
            "labelSelectors": [{ "key": "slot", "value": "slot-0" }],
            "priority": 3,
            "executionTime": slice,
        });
        let begun = Instant::now();
        let id = self.site.create(&strategy).await?;
        Ok(Created { id, slice, begun, seen })
    }

    /// Deletes a strategy and waits until no node holds it.
    async fn delete(&self, id: &str, slice: i64) -> Outcome<()> {
        self.site.delete(id).await?;
        for node in &self.nodes {
            let gone = move |state: &gthulhu_dm::state::State| {
                state.intents.iter().all(|intent| intent.execution_time() != slice)
            };
            node.once(gone).await??;
        }
        Ok(())
    }

    fn holds(&self, number: usize, slice: i64) -> JoinHandle<Result<Instant, String>> {
        self.nodes[number]
            .once(move |state| state.intents.iter().any(|intent| intent.execution_time() == slice))
    }

    fn pods_on(&self, node: u32) -> usize {
        (self.size.pods / self.size.nodes + u32::from(node < self.size.pods % self.size.nodes)) as usize
    }
}

impl Created {
    /// From the request to each of those who wait.
    async fn spent(self) -> Outcome<Vec<Duration>> {
        let mut spent = Vec::with_capacity(self.seen.len());
        for seen in self.seen {
            spent.push(seen.await??.duration_since(self.begun));
        }
        Ok(spent)
    }
}
