//! Pods and named cgroups: one rule each, verdicts where names matter, removal.

use super::*;

fn made(path: &str, cgroup: u64) -> Event {
    Event::CgroupMade { cgroup, path: path.to_owned(), at_ns: 0 }
}

fn asks(rule: u32, name: &str, cgroup: u64) -> Event {
    Event::UnknownComm { rule, comm: comm(name), tgid: 7, cgroup, at_ns: 0 }
}

impl Rig {
    fn cgroups(&self) -> Vec<(u64, CgroupRule)> {
        self.maps.published.cgroups.iter().map(|(&id, &rule)| (id, rule)).collect()
    }

    /// The number of the only rule that there is.
    fn rule(&self) -> u32 {
        match self.cgroups().as_slice() {
            [(_, CgroupRule::ByComm { rule })] => *rule,
            other => panic!("{other:?}"),
        }
    }

    fn verdict(&self, name: &str) -> Option<Verdict> {
        self.maps.now.verdicts.get(&(self.rule(), comm(name))).copied()
    }
}

#[test]
fn a_pod_is_one_entry_by_its_cgroup_with_its_strongest_strategy() {
    let mut rig = Rig::new(false);
    let (a, _b) = (rig.make_cgroup(&of_pod(A)), rig.make_cgroup(&of_pod(B)));
    rig.hold(vec![pod(A, 5, ""), pod(A, 3, ""), pod(A, 9, "x")]);
    assert_eq!(rig.cgroups(), [(a, fixed(3))]);
    assert_eq!((rig.generation(), rig.governor.facts().generation), (1, 1));
    rig.hold(vec![pod(A, 0, "")]);
    assert_eq!(rig.cgroups(), [(a, fixed(0))]);
    rig.hold(vec![]);
    assert_eq!(rig.cgroups(), []);
    assert_eq!(rig.generation(), 3);
}

#[test]
fn a_named_cgroup_beats_the_pod_that_it_is() {
    let mut rig = Rig::new(false);
    let a = rig.make_cgroup(&of_pod(A));
    let inner = rig.make_cgroup(&format!("{}/inner", of_pod(A)));
    let entries = vec![
        cgroup(&of_pod(A), 9, ""),
        pod(A, 1, ""),
        cgroup(&format!("{}/inner", of_pod(A)), 7, ""),
        cgroup("/absent", 2, ""),
    ];
    rig.hold(entries);
    let mut expected = [(a, fixed(9)), (inner, fixed(7))];
    expected.sort_by_key(|pair| pair.0);
    assert_eq!(rig.cgroups(), expected);
    let facts = rig.governor.facts();
    assert_eq!((facts.rules, facts.pods, facts.pods_by_process), (2, 1, 0));
    assert_eq!(facts.missing_cgroups, ["/absent"]);
}

#[test]
fn a_cgroup_that_is_made_later_gets_its_rule_and_one_that_goes_loses_it() {
    let mut rig = Rig::new(false);
    rig.hold(vec![pod(A, 3, ""), cgroup("/named", 2, "")]);
    assert_eq!(rig.cgroups(), []);
    rig.pass(200);
    let a = rig.make_cgroup(&of_pod(A));
    rig.hear(&made(&of_pod(A), a));
    rig.work();
    assert_eq!(rig.cgroups(), [(a, fixed(3))]);
    rig.pass(200);
    let named = rig.make_cgroup("/named");
    rig.hear(&made("/named", named));
    rig.work();
    assert_eq!(rig.cgroups().len(), 2);

    rig.remove_cgroup(&of_pod(A));
    rig.hear(&Event::CgroupGone { cgroup: a, path: of_pod(A), at_ns: 0 });
    assert!(!rig.maps.now.cgroups.contains_key(&a), "its id may be used again");
    // The pod comes back under another id.
    rig.pass(200);
    let again = rig.make_cgroup(&of_pod(A));
    rig.hear(&made(&format!("/docker/x{}", of_pod(A)), again));
    rig.work();
    assert_eq!(rig.maps.published.cgroups.get(&again), Some(&fixed(3)));
    let before = rig.generation();
    rig.pass(200);
    rig.hear(&made("/system.slice/other", 99));
    rig.work();
    assert_eq!(rig.generation(), before, "what concerns nobody publishes nothing");
}

#[test]
fn names_are_answered_when_asked_and_those_of_running_processes_before() {
    let mut rig = Rig::new(false);
    let a = rig.make_cgroup(&of_pod(A));
    rig.plant(10, "nginx", &format!("{}/c", of_pod(A)));
    rig.plant(11, "sh", &format!("{}/c", of_pod(A)));
    rig.plant(12, "other", &of_pod(B));
    rig.hold(vec![pod(A, 3, "^nginx"), pod(A, 9, "work")]);
    assert_eq!(rig.verdict("nginx"), Some(governed(3)));
    assert_eq!(rig.verdict("sh"), Some(Verdict::Ungoverned));
    assert_eq!(rig.verdict("other"), None, "no process of the pod has that name");

    let (rule, generation) = (rig.rule(), rig.generation());
    rig.hear(&asks(rule, "worker", a));
    rig.hear(&asks(rule, "pause", a));
    rig.hear(&asks(rule + 1, "worker", a));
    assert_eq!(rig.verdict("worker"), Some(governed(9)));
    assert_eq!(rig.verdict("pause"), Some(Verdict::Ungoverned));
    assert_eq!(rig.maps.now.verdicts.len(), 4, "a rule that is not in use gets no answer");
    assert_eq!(rig.generation(), generation, "a verdict acts without being published");
    rig.hear(&Event::ProcessNew { tgid: 20, comm: comm("nginx-helper"), cgroup: a, at_ns: 0 });
    assert_eq!(rig.verdict("nginx-helper"), Some(governed(3)), "before anybody asks");
}

#[test]
fn a_rules_number_lasts_as_long_as_its_intents() {
    let mut rig = Rig::new(false);
    rig.make_cgroup(&of_pod(A));
    rig.hold(vec![pod(A, 3, "nginx")]);
    let first = rig.rule();
    rig.hold(vec![pod(A, 3, "nginx"), pod(B, 1, "")]);
    assert_eq!(rig.rule(), first, "nothing has changed for this pod");
    rig.plant(10, "nginx", &of_pod(A));
    let mut seen = vec![first];
    for entries in [vec![pod(A, 4, "nginx")], vec![pod(A, 4, "ngin")], vec![pod(A, 4, "ngin"), pod(A, 5, "")]]
    {
        rig.hold(entries);
        assert!(!seen.contains(&rig.rule()), "a number is not used again");
        assert_eq!(rig.verdict("nginx"), Some(governed(4)), "known names are there with the rule");
        seen.push(rig.rule());
    }
    rig.hear(&asks(first, "nginx", 1));
    assert_eq!(rig.maps.now.verdicts.get(&(first, comm("nginx"))), None, "old numbers get no answers");
}

#[test]
fn new_maps_are_filled_from_the_start() {
    let mut rig = Rig::new(false);
    let a = rig.make_cgroup(&of_pod(A));
    rig.plant(10, "nginx", &of_pod(A));
    rig.hold(vec![pod(A, 3, "nginx"), process(10, 2)]);
    let before = rig.maps.published.clone();
    rig.maps = FakeMaps::default();
    rig.governor.start_anew();
    assert_eq!(rig.governor.facts().generation, 0);
    rig.work();
    assert_eq!(rig.maps.published, before);
    assert!(before.cgroups.contains_key(&a) && before.pids.contains_key(&10) && !before.verdicts.is_empty());
}
