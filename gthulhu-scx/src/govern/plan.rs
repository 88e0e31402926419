//! What is due: the content that the kernel's maps should have.

use std::collections::BTreeMap;

use gthulhu_lib::engine::PodRule;
use gthulhu_lib::process::ProcessId;
use gthulhu_lib::strategy::Resolved;

use super::Governor;
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
        let mut plan = Plan::default();
        let mut groups: Vec<String> = self.engine.governed_pods().map(str::to_owned).collect();
        // Named cgroups come last (`#` is none of a uid's letters, and their order among themselves does not matter):
        // where one of them is a pod's own, who named it meant it.
        groups.sort_unstable_by_key(|group| self.wanted.cgroups.contains_key(group));
        for group in groups {
            let named = self.wanted.cgroups.contains_key(&group);
            plan.pods += usize::from(!named);
            let Some(rule) = self.rule_of(&group) else { continue };
            let cgroups = self.places.of(&group);
            plan.cgroups.extend(cgroups.iter().map(|cgroup| (cgroup.id, rule)));
            if cgroups.is_empty() && !named {
                plan.unplaced += 1;
                plan.pods_by_process += usize::from(self.engine.pods().any(|(uid, _)| uid == group));
            }
        }
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
            if self.places.of(&pod).is_empty() {
                let rule = PidRule { tgid: row.tgid, start_ticks: row.start, resolved: row.resolved };
                plan.pids.insert(row.tgid, rule);
            }
        }
    }

    fn rule_of(&mut self, group: &str) -> Option<CgroupRule> {
        Some(match self.engine.pod_rule(group)? {
            PodRule::Uniform(resolved) => CgroupRule::Fixed(resolved),
            PodRule::ByComm => CgroupRule::ByComm { rule: self.numbers.of(group, &self.engine) },
        })
    }
}
