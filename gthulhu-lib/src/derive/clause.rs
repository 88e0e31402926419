//! The single things that a strategy asks of a pod, so that it can be said which of them a pod fails.

use std::sync::Arc;

use super::{Pod, StrategySpec};
use crate::selector::Selector;

/// One thing that a pod fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clause<'s> {
    /// The label that this selector, with its place in the list, asks for.
    Label(usize, &'s Selector),
    /// To be in one of these namespaces.
    Namespace(&'s [String]),
    /// Not to have ended.
    Alive,
}

/// A pod that a strategy would match but for one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss<'s> {
    /// The pod.
    pub pod: Arc<Pod>,
    /// What it fails.
    pub clause: Clause<'s>,
}

impl StrategySpec {
    /// Everything that the pod fails; nothing, if the strategy matches it.
    pub fn failing<'s>(&'s self, pod: &'s Pod) -> impl Iterator<Item = Clause<'s>> {
        let alive = pod.terminal.then_some(Clause::Alive);
        let elsewhere = |namespaces: &&[String]| !namespaces.contains(&pod.namespace);
        let namespace = self.namespace_list().filter(elsewhere).map(Clause::Namespace);
        let labels = self.selectors.iter().enumerate().filter(|(_, selector)| !selector.matches(&pod.labels));
        alive
            .into_iter()
            .chain(namespace)
            .chain(labels.map(|(place, selector)| Clause::Label(place, selector)))
    }

    /// The pods that fail one clause, the nearest first and `most` of them at most, and how many there are. Nearest
    /// are those that would match if they ran (again), then those whose label has another value, those of other
    /// namespaces, and those without the label; of equals, the first by namespace and name.
    pub fn near_misses<'s>(
        &'s self,
        pods: impl IntoIterator<Item = &'s Arc<Pod>>,
        most: usize,
    ) -> (Vec<NearMiss<'s>>, usize) {
        let mut near: Vec<_> = Vec::new();
        let mut count = 0;
        for pod in pods {
            let mut failing = self.failing(pod);
            let (Some(clause), None) = (failing.next(), failing.next()) else { continue };
            count += 1;
            near.push((clause.distance(pod), pod, clause));
            // However many there are, no more than twice as many as wanted are kept at a time.
            if near.len() >= most.saturating_mul(2).max(1) {
                keep_nearest(&mut near, most);
            }
        }
        keep_nearest(&mut near, most);
        let near = near.into_iter().map(|(_, pod, clause)| NearMiss { pod: Arc::clone(pod), clause });
        (near.collect(), count)
    }
}

fn keep_nearest(near: &mut Vec<(u8, &Arc<Pod>, Clause<'_>)>, most: usize) {
    near.sort_by(|(one, pod, _), (other, its, _)| {
        one.cmp(other).then_with(|| (&pod.namespace, &pod.name).cmp(&(&its.namespace, &its.name)))
    });
    near.truncate(most);
}

impl Clause<'_> {
    /// How far a pod that fails this alone is from being matched.
    fn distance(&self, pod: &Pod) -> u8 {
        match self {
            Self::Alive => 0,
            Self::Label(_, selector) if pod.labels.contains_key(&selector.key) => 1,
            Self::Namespace(_) => 2,
            Self::Label(..) => 3,
        }
    }

    /// Where it stands, as the user spells it: `labelSelectors[0]`, `k8sNamespace`; `phase` for what every strategy
    /// asks.
    pub fn name(&self) -> String {
        match self {
            Self::Label(place, _) => format!("labelSelectors[{place}]"),
            Self::Namespace(_) => "k8sNamespace".to_owned(),
            Self::Alive => "phase".to_owned(),
        }
    }

    /// What is asked for, and what the pod has instead.
    pub fn wanted_and_found(&self, pod: &Pod) -> (String, String) {
        match self {
            Self::Label(_, Selector { key, value }) => {
                let found =
                    pod.labels.get(key).map_or("no such label".to_owned(), |its| format!("{key}={its}"));
                (if value.is_empty() { key.clone() } else { format!("{key}={value}") }, found)
            }
            Self::Namespace(namespaces) => (namespaces.join(" or "), pod.namespace.clone()),
            Self::Alive => ("a pod that has not ended".to_owned(), "a pod that has ended".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    fn pod(name: &str, namespace: &str, labels: &[(&str, &str)], terminal: bool) -> Arc<Pod> {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let (uid, name, namespace) = (format!("uid-{name}"), name.to_owned(), namespace.to_owned());
        Arc::new(Pod { uid, name, namespace, node: None, labels, terminal })
    }

    fn strategy(selectors: &[(&str, &str)], namespaces: &[&str]) -> StrategySpec {
        StrategySpec {
            id: Id::from_bytes([1; 12]),
            selectors: selectors.iter().map(|&(key, value)| Selector::new(key, value)).collect(),
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            command_regex: String::new(),
            priority: 0,
            execution_time: 0,
        }
    }

    #[test]
    fn each_clause_that_fails_is_named_with_what_there_is_instead() {
        let strategy = strategy(&[("app", "web"), ("", "ignored"), ("tier", "")], &["a", "b"]);
        let told = |pod: &Pod| -> Vec<String> {
            let told = |clause: Clause<'_>| {
                let (wanted, found) = clause.wanted_and_found(pod);
                format!("{}: {wanted}: {found}", clause.name())
            };
            strategy.failing(pod).map(told).collect()
        };
        let good = pod("p", "a", &[("app", "web"), ("tier", "")], false);
        assert!(told(&good).is_empty() && strategy.matches(&good));
        let bad = pod("p", "c", &[("app", "api")], true);
        assert_eq!(
            told(&bad),
            [
                "phase: a pod that has not ended: a pod that has ended",
                "k8sNamespace: a or b: c",
                "labelSelectors[0]: app=web: app=api",
                "labelSelectors[2]: tier: no such label",
            ]
        );
        assert!(!strategy.matches(&bad));
    }

    #[test]
    fn near_misses_fail_one_clause_and_the_nearest_come_first() {
        let strategy = strategy(&[("app", "web")], &["a"]);
        let pods = [
            pod("bare", "a", &[], false),
            pod("other-namespace", "b", &[("app", "web")], false),
            pod("far", "b", &[], false),
            pod("other-value-2", "a", &[("app", "api")], false),
            pod("match", "a", &[("app", "web")], false),
            pod("other-value-1", "a", &[("app", "db")], false),
            pod("ended", "a", &[("app", "web")], true),
        ];
        let names = |most| {
            let (near, count) = strategy.near_misses(&pods, most);
            (near.into_iter().map(|miss| miss.pod.name.clone()).collect::<Vec<_>>(), count)
        };
        let all = ["ended", "other-value-1", "other-value-2", "other-namespace", "bare"];
        for most in 0..7 {
            assert_eq!(names(most), (all[..most.min(5)].iter().map(|&name| name.to_owned()).collect(), 5));
        }
    }
}
