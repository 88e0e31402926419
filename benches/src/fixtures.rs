//! The cluster, the intents and the command names that the goals are about: made up, and the same in every run.

use std::sync::Arc;

use gthulhu_lib::derive::{Pod, StrategySpec};
use gthulhu_lib::id::Id;
use gthulhu_lib::selector::Selector;
use gthulhu_lib::wire::IntentBody;

/// Pods of the cluster.
pub const PODS: u32 = 100_000;
/// Nodes of the cluster.
pub const NODES: u32 = 5_000;
/// Strategies.
pub const STRATEGIES: u32 = 1_000;

/// Numbers that look random and are always the same (xorshift).
pub struct Numbers(u64);

impl Numbers {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The next number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        u32::try_from((self.draw() >> 32) % u64::from(bound)).unwrap_or_default()
    }
}

/// A uid as the Kubernetes API makes them.
pub fn uid(numbers: &mut Numbers) -> String {
    let (a, b) = (numbers.draw(), numbers.draw());
    let [a1, a2, a3] = [a >> 32, a >> 16 & 0xffff, a & 0xffff];
    format!("{a1:08x}-{a2:04x}-{a3:04x}-{:04x}-{:012x}", b >> 48, b & 0xffff_ffff_ffff)
}

/// An id of its own for each number.
pub fn id(number: u32) -> Id {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Id::from_bytes(bytes)
}

/// The keys of a pod's six labels, with the number of values that each has in the cluster.
const LABELS: [(&str, u32); 6] = [
    ("app.kubernetes.io/name", 800),
    ("app.kubernetes.io/instance", 3000),
    ("tier", 4),
    ("team", 50),
    ("env", 5),
    ("pod-template-hash", 3000),
];

fn value(key: &str, number: u32) -> String {
    format!("{}-{number}", key.rsplit('/').next().unwrap_or(key))
}

/// The pods: six labels each, in 200 namespaces, on [`NODES`] nodes.
pub fn pods(count: u32) -> Vec<Arc<Pod>> {
    let mut numbers = Numbers::new(1);
    let pod = |number| {
        let labels = LABELS.map(|(key, values)| (key.to_owned(), value(key, numbers.below(values))));
        Arc::new(Pod {
            uid: uid(&mut numbers),
            name: format!("pod-{number}"),
            namespace: format!("namespace-{}", numbers.below(200)),
            node: Some(format!("node-{}", numbers.below(NODES))),
            labels: labels.into(),
            terminal: false,
        })
    };
    (0..count).map(pod).collect()
}

/// Strategies of one to three selectors: one asks for an application or an instance, the others for a tier, team or
/// environment.
pub fn strategies() -> Vec<Arc<StrategySpec>> {
    let mut numbers = Numbers::new(2);
    let strategy = |number: u32| {
        let mut choose = |among: &[usize]| {
            let (key, values) =
                LABELS[among[numbers.below(u32::try_from(among.len()).unwrap_or(1)) as usize]];
            Selector::new(key, value(key, numbers.below(values)))
        };
        let mut selectors = vec![choose(&[1, 1, 1, 0])];
        selectors.extend((0..number % 3).map(|_| choose(&[2, 3, 4])));
        Arc::new(StrategySpec {
            id: id(number),
            selectors,
            namespaces: Vec::new(),
            command_regex: "nginx|worker".to_owned(),
            priority: 3,
            execution_time: 20_000_000,
        })
    };
    (0..STRATEGIES).map(strategy).collect()
}

/// One intent for each of [`PODS`] pods.
pub fn intents() -> Vec<IntentBody> {
    let intent = |pod: &Arc<Pod>| IntentBody {
        pod_name: pod.name.clone(),
        pod_id: pod.uid.clone(),
        node_id: pod.node.clone().unwrap_or_default(),
        k8s_namespace: pod.namespace.clone(),
        command_regex: "nginx|worker".to_owned(),
        priority: 3,
        execution_time: 20_000_000,
        pod_labels: pod.labels.clone(),
        strategy_id: Some("65f0c0ffee65f0c0ffee0001".to_owned()),
    };
    pods(PODS).iter().map(intent).collect()
}

/// This many command names, as different as those of a large node: at most 15 bytes each.
pub fn command_names(count: u32) -> Vec<String> {
    let stems = ["nginx", "worker", "postgres", "java", "kube", "redis-server", "sh", "python3"];
    let name = |number: u32| {
        let name = format!("{}:{number}", stems[number as usize % stems.len()]);
        name[..name.len().min(15)].to_owned()
    };
    (0..count).map(name).collect()
}
