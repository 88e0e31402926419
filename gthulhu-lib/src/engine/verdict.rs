//! What a pod's intents say as a whole: for schedulers that tell processes apart themselves.
//!
//! A scheduler inside the kernel knows the pod of every task by its cgroup, and the name of every process. It needs
//! neither rows nor a table, only what to do for each pod, and where that depends on the name, for each name.

use super::Engine;
use crate::intent::Intent;
use crate::process::Comm;
use crate::strategy::Resolved;

/// What the intents of one pod come to for its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodRule {
    /// The same strategy for every process but `pause`: the strongest intent asks for no command name.
    Uniform(Resolved),
    /// It depends on the name of the process's leader; [`Engine::verdict`] says how.
    ByComm,
}

impl Engine {
    /// The pods that have intents, by uid in lower case, in no particular order. They need not have processes.
    pub fn governed_pods(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rules.pods()
    }

    /// The intents of a pod (uid in lower case), strongest first. Whoever remembers verdicts may do so while this
    /// stays the same.
    pub fn pod_intents(&self, pod_uid: &str) -> impl Iterator<Item = &Intent> {
        self.rules.of_pod(pod_uid).iter().filter_map(|rule| self.intents.as_slice().get(rule.intent))
    }

    /// What the intents of a pod (uid in lower case) come to; `None` if it has none.
    pub fn pod_rule(&self, pod_uid: &str) -> Option<PodRule> {
        let strongest = self.pod_intents(pod_uid).next()?;
        Some(match strongest.command_regex() {
            "" => PodRule::Uniform(strongest.effective()),
            _ => PodRule::ByComm,
        })
    }

    /// The strategy of a pod's processes of this name, whether or not there are any: that of the strongest intent
    /// whose regex is found in it. The pod's uid is in lower case.
    pub fn verdict(&mut self, pod_uid: &str, comm: &Comm) -> Option<Resolved> {
        self.rules.winner(pod_uid, comm).map(|rule| rule.resolved)
    }
}
