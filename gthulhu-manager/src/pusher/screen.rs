//! What is pushed is what a node takes. One intent that a node refuses would keep it from all the others, so intents
//! that break a rule are left out here, by themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gthulhu_lib::derive::{DerivedIntent, StrategySpec};
use gthulhu_lib::id::Id;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::intent::{COMMAND_REGEXES_MAX, Checker, Intent, Invalid, Limits};
use gthulhu_lib::wire::IntentBody;

use crate::differ::{ByNode, Differs, differing};
use crate::nodes::{NodeName, NodeSets};
use crate::service::ports::{NodeIntents, Wanted};

/// How many nodes' sets are told before the next ones are made.
const PART: usize = 64;

/// How many strategies one line of the log names.
const NAMED_MAX: usize = 100;

/// What a node takes of the intents that it should hold, and what it would refuse.
pub(crate) struct Screened {
    /// What it takes.
    pub(crate) set: IntentSet,
    /// The pods whose intents break a rule, and the rule.
    broken: Vec<(String, Invalid)>,
    /// The intents that make it too many distinct command regexes.
    beyond: Vec<Intent>,
}

/// Checks a node's set as the node will. An intent breaks a rule when its pod's labels are not what Kubernetes allows, or
/// when the limits were narrowed since its strategy was written.
pub(crate) fn screened(checker: &mut Checker, bodies: Vec<IntentBody>) -> Screened {
    let checked = bodies.into_iter().map(|body| checked(checker, body)).collect();
    Screened::of(checked)
}

/// An intent, or its pod and the rule that it breaks.
type Checked = Result<Intent, (String, Invalid)>;

fn checked(checker: &mut Checker, body: IntentBody) -> Checked {
    let pod = body.pod_name.clone();
    checker.check(body).map_err(|rule| (pod, rule))
}

impl Screened {
    fn of(checked: Vec<Checked>) -> Self {
        let mut broken = Vec::new();
        let acceptable: IntentSet =
            checked.into_iter().filter_map(|one| one.map_err(|fault| broken.push(fault)).ok()).collect();
        let (set, beyond) = acceptable.split_at_regex_bound();
        Self { set, broken, beyond }
    }
}

/// Checks every node's set as the node will. What is the same as before is not checked again.
#[derive(Debug, Default)]
pub struct Screen {
    checker: Checker,
    /// What the regexes in `checker` are those of.
    strategies: Arc<BTreeMap<Id, Arc<StrategySpec>>>,
    /// What was asked for last.
    wanted: Arc<ByNode<[DerivedIntent]>>,
    /// What each node's intents came to.
    nodes: BTreeMap<NodeName, Kept>,
    /// The sets of `nodes`.
    sets: NodeSets,
    /// Every node had its turn once.
    whole: bool,
    /// The strategies that are left out on a node because of the bound on regexes.
    left_out: HashMap<String, BTreeSet<Id>>,
}

impl Screen {
    /// Nothing was checked yet.
    pub fn new(limits: Limits) -> Self {
        Self { checker: Checker::new(limits), ..Self::default() }
    }

    /// Every node's set, without what its node would refuse. A set that did not change is the same allocation.
    ///
    /// While many change, `part` is told now and then what there is so far: every node's set, of now or as it was. Never in the
    /// first round, when a node that has no set yet would be one that should hold nothing.
    pub fn sets(&mut self, wanted: &Wanted, mut part: impl FnMut(NodeSets)) -> NodeSets {
        // Pods bring no regexes, so what is known of them is good until the strategies change.
        if !Arc::ptr_eq(&self.strategies, &wanted.strategies) {
            self.checker.next_round();
            self.strategies = Arc::clone(&wanted.strategies);
        }
        let before = std::mem::replace(&mut self.wanted, Arc::clone(&wanted.nodes));
        for (count, Differs { node, now, .. }) in differing(&before, &wanted.nodes).enumerate() {
            if self.whole && count > 0 && count.is_multiple_of(PART) {
                part(Arc::clone(&self.sets));
            }
            let known = self.nodes.remove(node);
            let Some(intents) = now else {
                self.left_out.remove(&**node);
                Arc::make_mut(&mut self.sets).remove(node);
                continue;
            };
            let kept = Kept::new(&mut self.checker, intents, known);
            let set = self.set(node, kept.checked.clone());
            self.nodes.insert(Arc::clone(node), kept);
            Arc::make_mut(&mut self.sets).insert(Arc::clone(node), Arc::new(set));
        }
        self.whole = true;
        Arc::clone(&self.sets)
    }

    fn set(&mut self, node: &str, checked: Vec<Checked>) -> IntentSet {
        let Screened { set, broken, beyond } = Screened::of(checked);
        for (pod, rule) in broken {
            tracing::warn!(node, pod, %rule, "an intent is left out");
        }
        let strategies = beyond.iter().filter_map(Intent::strategy).collect();
        if self.is_news(node, &strategies) {
            let named: Vec<_> = strategies.iter().take(NAMED_MAX).map(Id::to_string).collect();
            tracing::warn!(
                node,
                most = COMMAND_REGEXES_MAX,
                count = strategies.len(),
                strategies = named.join(" "),
                "strategies are left out: the node's intents have too many distinct command regexes"
            );
        }
        set
    }

    /// Notes which strategies are left out; whether there are any, and others than in the round before.
    fn is_news(&mut self, node: &str, strategies: &BTreeSet<Id>) -> bool {
        if strategies.is_empty() {
            self.left_out.remove(node);
            return false;
        }
        let before = self.left_out.insert(node.to_owned(), strategies.clone());
        before.as_ref() != Some(strategies)
    }
}

/// Intents of one node, and what checking each of them said.
#[derive(Debug)]
struct Kept {
    intents: NodeIntents,
    checked: Vec<Checked>,
}

impl Kept {
    /// Checks those that are not among the ones before. Both are in the same order.
    fn new(checker: &mut Checker, intents: &NodeIntents, before: Option<Self>) -> Self {
        fn order(intent: &DerivedIntent) -> (Id, &str) {
            (intent.strategy.id, &intent.pod.uid)
        }
        let (known, verdicts) = before.map(|kept| (kept.intents, kept.checked)).unwrap_or_default();
        let mut known = known.iter().zip(verdicts).peekable();
        let check = |intent: &DerivedIntent| {
            while known.next_if(|(one, _)| order(one) < order(intent)).is_some() {}
            let same = |(one, _): &(&DerivedIntent, Checked)| {
                Arc::ptr_eq(&one.strategy, &intent.strategy) && Arc::ptr_eq(&one.pod, &intent.pod)
            };
            known.next_if(same).map_or_else(|| checked(checker, intent.body()), |(_, verdict)| verdict)
        };
        Self { intents: Arc::clone(intents), checked: intents.iter().map(check).collect() }
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_lib::derive::Pod;
    use gthulhu_lib::id::intent_id;

    use super::*;

    /// An intent of this pod on n1.
    fn intent(pod: &str, priority: i64) -> DerivedIntent {
        derived(pod, StrategySpec { priority, ..spec(1, "") })
    }

    fn spec(number: usize, regex: &str) -> StrategySpec {
        StrategySpec {
            id: format!("{number:024x}").parse().unwrap(),
            selectors: vec![],
            namespaces: vec![],
            command_regex: regex.into(),
            priority: 3,
            execution_time: 0,
        }
    }

    fn derived(pod: &str, spec: StrategySpec) -> DerivedIntent {
        let pod = Pod {
            uid: pod.into(),
            name: pod.into(),
            namespace: "default".into(),
            node: Some("n1".into()),
            labels: gthulhu_lib::labels::Labels::default(),
            terminal: false,
        };
        DerivedIntent { id: intent_id(spec.id, &pod.uid), strategy: Arc::new(spec), pod: Arc::new(pod) }
    }

    fn wanted(mut intents: Vec<DerivedIntent>) -> Wanted {
        intents
            .sort_by(|one, other| (one.strategy.id, &one.pod.uid).cmp(&(other.strategy.id, &other.pod.uid)));
        let strategies =
            intents.iter().map(|intent| (intent.strategy.id, Arc::clone(&intent.strategy))).collect();
        let nodes = BTreeMap::from([("n1".into(), intents.into())]);
        Wanted { strategies: Arc::new(strategies), nodes: Arc::new(nodes) }
    }

    /// What there is at the end.
    fn sets_of(screen: &mut Screen, wanted: &Wanted) -> NodeSets {
        screen.sets(wanted, |_| {})
    }

    fn set_of(screen: &mut Screen, intents: Vec<DerivedIntent>) -> Arc<IntentSet> {
        Arc::clone(&sets_of(screen, &wanted(intents))["n1"])
    }

    #[test]
    fn an_intent_that_breaks_a_rule_is_left_out_by_itself() {
        let uids = |intents: Vec<DerivedIntent>| {
            let set = set_of(&mut Screen::default(), intents);
            set.iter().map(|intent| intent.pod_uid().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(uids(vec![intent("a", 3), intent("b", 21), intent("c", 20)]), ["a", "c"]);
        assert_eq!(uids(vec![intent("b", 21)]), [""; 0]);
        assert_eq!(uids(vec![intent("a", 3), derived("b", spec(2, "(")), derived("c", spec(2, "("))]), ["a"]);
    }

    #[test]
    fn sets_that_follow_one_another_are_those_made_anew_and_an_unchanged_one_is_the_same() {
        let all = [
            intent("a", 3),
            intent("b", 21),
            intent("c", 7),
            derived("a", spec(2, "^web$")),
            derived("c", spec(3, "(")),
            derived("d", spec(2, "^web$")),
        ];
        let mut screen = Screen::default();
        // Each bit of a number says whether an intent is there; from one number to the next several come and go.
        for step in 0..200_u32 {
            let there = (step * 37) % 64;
            let intents: Vec<_> =
                (0..6).filter(|bit| there >> bit & 1 == 1).map(|bit| all[bit].clone()).collect();
            let wanted = wanted(intents);
            let sets = sets_of(&mut screen, &wanted);
            assert_eq!(sets, sets_of(&mut Screen::default(), &wanted), "{there:b}");
            let again = sets_of(&mut screen, &wanted);
            assert!(Arc::ptr_eq(&sets["n1"], &again["n1"]), "nothing changed");
        }
        assert!(sets_of(&mut screen, &Wanted::default()).is_empty(), "the node has no intents any more");
    }

    #[test]
    fn parts_are_told_once_every_node_had_a_set_and_keep_what_is_not_new_yet() {
        let nodes = 3 * PART + 1;
        let of_all = |priority| {
            let one = wanted(vec![intent("a", priority)]);
            let name = |number| Arc::from(format!("n{number}"));
            let nodes = (0..nodes).map(|number| (name(number), Arc::clone(&one.nodes["n1"]))).collect();
            Wanted { nodes: Arc::new(nodes), ..one }
        };
        let (mut screen, mut parts) = (Screen::default(), Vec::new());
        let first = screen.sets(&of_all(3), |part| parts.push(part));
        assert_eq!(
            (first.len(), parts.len()),
            (nodes, 0),
            "nodes without a set would be told to hold nothing"
        );
        let then = of_all(4);
        let second = screen.sets(&then, |part| parts.push(part));
        let new = |sets: &NodeSets| {
            let is_new = |(node, set): (&NodeName, &Arc<IntentSet>)| {
                assert!(*set == first[node] || *set == second[node], "{node}");
                *set == second[node]
            };
            sets.iter().map(is_new).filter(|is_new| *is_new).count()
        };
        assert_eq!(parts.iter().map(new).collect::<Vec<_>>(), [PART, 2 * PART, 3 * PART]);
        assert_eq!((new(&second), parts[0].len()), (nodes, nodes));
        assert_eq!(screen.sets(&then, |_| panic!("there is nothing to tell")).len(), nodes);
    }

    #[test]
    fn a_node_with_too_many_regexes_gets_the_first_ones_and_the_others_are_told_once() {
        // Strategy 0 has the last pod in canonical order.
        let numbered = |number: usize| {
            derived(&format!("pod-{:05}", 50_000 - number), spec(number, &format!("r{number}")))
        };
        let mut screen = Screen::default();
        let wanted = |count: usize| (0..count).map(numbered).chain([intent("z", 3)]).collect::<Vec<_>>();

        let whole = set_of(&mut screen, wanted(COMMAND_REGEXES_MAX));
        assert_eq!(whole.len(), COMMAND_REGEXES_MAX + 1);
        assert!(screen.left_out.is_empty());

        let part = set_of(&mut screen, wanted(COMMAND_REGEXES_MAX + 2));
        IntentSet::check(part.to_wire(), &Limits::default()).unwrap();
        assert_eq!(part.len(), COMMAND_REGEXES_MAX + 1, "the intent without a regex stays");
        let out = [0, 1].map(|number| spec(number, "").id);
        assert_eq!(screen.left_out["n1"], out.into());
        assert!(!screen.is_news("n1", &out.into()), "told already");
        assert!(screen.is_news("n1", &out[..1].iter().copied().collect()), "others than before");

        set_of(&mut screen, wanted(3));
        assert!(screen.left_out.is_empty());
    }
}
