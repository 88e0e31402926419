//! What is due: the content that the kernel's maps should have.

use std::collections::BTreeMap;

use gthulhu_lib::engine::{Engine, PodRule};
use gthulhu_lib::process::{Process, ProcessId};
use gthulhu_lib::strategy::Resolved;

use super::Governor;
use super::verdicts::RuleNumbers;
use crate::maps::{CgroupRule, PidRule};

/// Everything that is due.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Rules of cgroups by id.
    pub(super) cgroups: BTreeMap<u64, CgroupRule>,
    /// Rules of processes by number.
    pub(super) pids: BTreeMap<u32, PidRule>,
    /// Pods that have intents.
    pub(super) pods: usize,
    /// Pods whose processes have rules because no cgroup does.
    pub(super) pods_by_process: usize,
    /// Pods that have intents and no cgroup here, whether or not they have processes.
    pub(super) unplaced: usize,
}

/// What a task has that no strategy may reach: nothing is preferred, and nothing is cut.
const NONE: (i64, i64) = (0, 0);

impl Governor {
    pub(super) fn plan(&mut self) -> Plan {
        let Self { engine, places, numbers, wanted, .. } = &mut *self;
        // Every other group is a cgroup's; each has an intent at least, or there would not be such a group.
        let pods = engine.governed_pods().len().saturating_sub(wanted.cgroups.len());
        let mut plan = Plan { pods, ..Plan::default() };
        let mut placed = 0;
        for (pod, cgroups) in places.pods() {
            let Some(rule) = rule_of(pod, engine, numbers) else { continue };
            plan.cgroups.extend(cgroups.iter().map(|cgroup| (cgroup.id, rule)));
            placed += 1;
        }
        plan.unplaced = pods.saturating_sub(placed);
        // Named cgroups come last: where one of them is a pod's own, who named it meant it.
        for (group, cgroup) in places.named() {
            plan.cgroups.extend(rule_of(group, engine, numbers).map(|rule| (cgroup.id, rule)));
        }
        let by_process =
            |&(pod, _): &(&str, &[Process])| !places.has_pod(pod) && engine.pod_rule(pod).is_some();
        plan.pods_by_process = engine.pods().filter(by_process).count();
        if plan.pods_by_process > 0 {
            self.plan_rows(&mut plan);
        }
        // A process that was named itself comes last: that is the strongest word.
        let named = self.wanted.processes.iter().filter(|(id, _)| !self.processes.is_gone(**id));
        for (&ProcessId { pid, start }, &resolved) in named {
            plan.pids.insert(pid, PidRule { tgid: pid, start_ticks: start, resolved });
        }
        let none = Resolved::clamped(NONE.0, NONE.1);
        let muted = self.wanted.muted.iter().filter(|id| !self.processes.is_gone(**id));
        for &ProcessId { pid, start } in muted {
            plan.pids.insert(pid, PidRule { tgid: pid, start_ticks: start, resolved: none });
        }
        plan
    }

    /// The leaders of pods that have no cgroup.
    fn plan_rows(&self, plan: &mut Plan) {
        for row in self.engine.rows().iter().take_while(|row| row.is_leader()) {
            let pod = self.engine.row_intent(row).pod_uid().to_ascii_lowercase();
            if !self.places.has_pod(&pod) {
                let rule = PidRule { tgid: row.tgid, start_ticks: row.start, resolved: row.resolved };
                plan.pids.insert(row.tgid, rule);
            }
        }
    }
}

/// What the intents of a group come to in the kernel; `None` if it has none.
fn rule_of(group: &str, engine: &Engine, numbers: &mut RuleNumbers) -> Option<CgroupRule> {
    Some(match engine.pod_rule(group)? {
        PodRule::Uniform(resolved) => CgroupRule::Fixed(resolved),
        PodRule::ByComm => CgroupRule::ByComm { rule: numbers.of(group, engine) },
    })
}
