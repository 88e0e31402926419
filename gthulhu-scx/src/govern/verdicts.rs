//! What rules say of command names: the numbers of rules, and the verdicts under them.
//!
//! The kernel side keeps verdicts by rule and name. A rule's number stands for the intents that it was made of: when these
//! change the group gets a new number, under which nothing is known, and the old verdicts are never asked for again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gthulhu_lib::engine::Engine;
use gthulhu_lib::process::Comm;
use gthulhu_lib::strategy::Resolved;

use super::Governor;
use super::plan::Plan;
use crate::maps::{CgroupRule, KernelMaps, MapsError, Verdict};

/// How many verdicts are remembered as given. Processes may take as many names as they like; when there are more, all are
/// forgotten and some are given twice.
const ANSWERED_MAX: usize = 16_384;

/// The rules that depend on names.
#[derive(Debug, Default)]
pub(super) struct RuleNumbers {
    by_group: HashMap<String, (u32, Intents)>,
    groups: BTreeMap<u32, String>,
    last: u32,
    answered: HashSet<(u32, Comm)>,
}

/// What verdicts follow from: regexes with their strategies, strongest first.
type Intents = Vec<(String, Resolved)>;

impl RuleNumbers {
    /// The number of a group's rule: the same as long as its intents are.
    pub(super) fn of(&mut self, group: &str, engine: &Engine) -> u32 {
        let intents: Intents = engine
            .pod_intents(group)
            .map(|intent| (intent.command_regex().to_owned(), intent.effective()))
            .collect();
        if let Some((number, known)) = self.by_group.get(group)
            && *known == intents
        {
            return *number;
        }
        // 0 is no number. After four billion changes they begin anew, past those in use.
        let next = |number: u32| number.checked_add(1).unwrap_or(1);
        self.last = next(self.last);
        while self.groups.contains_key(&self.last) {
            self.last = next(self.last);
        }
        if let Some((old, _)) = self.by_group.insert(group.to_owned(), (self.last, intents)) {
            self.groups.remove(&old);
        }
        self.groups.insert(self.last, group.to_owned());
        self.last
    }

    /// The group whose rule has this number; `None` for one that is not in use any more.
    fn group(&self, number: u32) -> Option<&str> {
        self.groups.get(&number).map(String::as_str)
    }

    /// Forgets rules that no cgroup has.
    pub(super) fn keep_only(&mut self, cgroups: &BTreeMap<u64, CgroupRule>) {
        let used: BTreeSet<u32> = cgroups.values().filter_map(number_of).collect();
        self.by_group.retain(|_, (number, _)| used.contains(number));
        self.groups.retain(|number, _| used.contains(number));
        self.answered.retain(|(number, _)| used.contains(number));
    }

    /// The kernel side has forgotten all verdicts.
    pub(super) fn forget_answers(&mut self) {
        self.answered.clear();
    }
}

fn number_of(rule: &CgroupRule) -> Option<u32> {
    match rule {
        CgroupRule::ByComm { rule } => Some(*rule),
        CgroupRule::Fixed(_) => None,
    }
}

impl Governor {
    /// Tells the kernel side what a rule says of a name. That acts without being published: whoever has no verdict yet
    /// looks for one at each enqueue.
    pub(super) fn answer(
        &mut self,
        rule: u32,
        comm: &Comm,
        maps: &mut dyn KernelMaps,
    ) -> Result<(), MapsError> {
        let Some(group) = self.numbers.group(rule) else { return Ok(()) };
        let verdict = self.engine.verdict(group, comm).map_or(Verdict::Ungoverned, Verdict::Governed);
        maps.put_verdict(rule, comm, verdict)?;
        if self.numbers.answered.len() >= ANSWERED_MAX {
            self.numbers.answered.clear();
        }
        self.numbers.answered.insert((rule, *comm));
        self.facts.verdicts += 1;
        Ok(())
    }

    /// Gives verdicts before they are asked for: of the names that a pod's processes have, before its rule is there.
    pub(super) fn prefill(&mut self, plan: &Plan, maps: &mut dyn KernelMaps) -> Result<(), MapsError> {
        let rules: BTreeSet<u32> = plan.cgroups.values().filter_map(number_of).collect();
        let mut missing = BTreeSet::new();
        for rule in rules {
            let Some(group) = self.numbers.group(rule) else { continue };
            missing.extend(self.engine.pod(group).iter().map(|process| (rule, process.comm)));
        }
        missing.retain(|pair| !self.numbers.answered.contains(pair));
        missing.into_iter().try_for_each(|(rule, comm)| self.answer(rule, &comm, maps))
    }

    /// Gives verdicts on the name of a process that has just got it, before it is next enqueued if we are quick. Which
    /// rule it is under is not said; so all are answered that do not know the name, as long as they are few.
    pub(super) fn foresee(&mut self, comm: &Comm, maps: &mut dyn KernelMaps) -> Result<(), MapsError> {
        const FEW: usize = 64;
        if self.numbers.groups.len() > FEW {
            return Ok(());
        }
        let answered = &self.numbers.answered;
        let numbers = self.numbers.groups.keys().copied();
        let missing: Vec<u32> = numbers.filter(|&number| !answered.contains(&(number, *comm))).collect();
        missing.into_iter().try_for_each(|rule| self.answer(rule, comm, maps))
    }
}
