//! What is pushed is what a node takes. One intent that a node refuses would keep it from all the others, so intents
//! that break a rule are left out here, by themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::intent::{COMMAND_REGEXES_MAX, Checker, Intent, Invalid, Limits};
use gthulhu_lib::wire::IntentBody;

use crate::service::ports::Desired;

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
    let mut broken = Vec::new();
    let mut acceptable = |body: IntentBody| {
        let pod = body.pod_name.clone();
        checker.check(body).map_err(|rule| broken.push((pod, rule))).ok()
    };
    let acceptable: IntentSet = bodies.into_iter().filter_map(&mut acceptable).collect();
    let (set, beyond) = acceptable.split_at_regex_bound();
    Screened { set, broken, beyond }
}

/// Checks every node's set as the node will.
#[derive(Debug, Default)]
pub(super) struct Screen {
    checker: Checker,
    /// The strategies that are left out on a node because of the bound on regexes.
    left_out: HashMap<String, BTreeSet<Id>>,
}

impl Screen {
    pub(super) fn new(limits: Limits) -> Self {
        Self { checker: Checker::new(limits), left_out: HashMap::new() }
    }

    /// Every node's set, without what its node would refuse.
    pub(super) fn sets(&mut self, desired: Desired) -> HashMap<String, Arc<IntentSet>> {
        self.checker.next_round();
        self.left_out.retain(|node, _| desired.contains_key(node));
        let set = |(node, bodies): (String, _)| {
            let set = self.set(&node, bodies);
            (node, Arc::new(set))
        };
        desired.into_iter().map(set).collect()
    }

    fn set(&mut self, node: &str, bodies: Vec<IntentBody>) -> IntentSet {
        let Screened { set, broken, beyond } = screened(&mut self.checker, bodies);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pod: &str, priority: i64) -> IntentBody {
        IntentBody {
            pod_id: pod.into(),
            pod_name: pod.into(),
            k8s_namespace: "default".into(),
            node_id: "n1".into(),
            priority,
            ..IntentBody::default()
        }
    }

    fn set_of(screen: &mut Screen, bodies: Vec<IntentBody>) -> Arc<IntentSet> {
        screen.sets([("n1".to_string(), bodies)].into()).remove("n1").unwrap()
    }

    #[test]
    fn an_intent_that_breaks_a_rule_is_left_out_by_itself() {
        let uids = |bodies: Vec<IntentBody>| {
            let set = set_of(&mut Screen::default(), bodies);
            set.iter().map(|intent| intent.pod_uid().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(uids(vec![body("a", 3), body("b", 21), body("c", 20)]), ["a", "c"]);
        assert_eq!(uids(vec![body("b", 21)]), [""; 0]);
        let unclosed = IntentBody { command_regex: "(".into(), ..body("b", 3) };
        assert_eq!(uids(vec![body("a", 3), unclosed.clone(), unclosed]), ["a"]);
    }

    #[test]
    fn a_node_with_too_many_regexes_gets_the_first_ones_and_the_others_are_told_once() {
        let strategy = |number: usize| format!("{number:024x}");
        // Strategy 0 has the last pod in canonical order.
        let numbered = |number: usize| IntentBody {
            command_regex: format!("r{number}"),
            strategy_id: Some(strategy(number)),
            ..body(&format!("pod-{:05}", 50_000 - number), 3)
        };
        let mut screen = Screen::default();
        let wanted = |count: usize| (0..count).map(numbered).chain([body("z", 3)]).collect::<Vec<_>>();

        let whole = set_of(&mut screen, wanted(COMMAND_REGEXES_MAX));
        assert_eq!(whole.len(), COMMAND_REGEXES_MAX + 1);
        assert!(screen.left_out.is_empty());

        let part = set_of(&mut screen, wanted(COMMAND_REGEXES_MAX + 2));
        IntentSet::check(part.to_wire(), &Limits::default()).unwrap();
        assert_eq!(part.len(), COMMAND_REGEXES_MAX + 1, "the intent without a regex stays");
        let out = [0, 1].map(|number| strategy(number).parse().unwrap());
        assert_eq!(screen.left_out["n1"], out.into());
        assert!(!screen.is_news("n1", &out.into()), "told already");
        assert!(screen.is_news("n1", &out[..1].iter().copied().collect()), "others than before");

        set_of(&mut screen, wanted(3));
        assert!(screen.left_out.is_empty());
    }
}
