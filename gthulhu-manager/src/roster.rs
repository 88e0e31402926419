//! Which decision makers there are: those named by hand, and those that the cluster knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{Cluster, DecisionMaker};
use crate::nodes::{Endpoint, NodeName};

/// Endpoints by the name of their node.
pub(crate) type Endpoints = BTreeMap<NodeName, Arc<Endpoint>>;

/// Calls `tell` with all decision makers, now and after each change, until it is aborted. Those that the cluster knows are
/// spoken to by `scheme`.
pub(crate) async fn run(
    cluster: Arc<dyn Cluster>,
    listed: Endpoints,
    scheme: &str,
    tell: impl Fn(Endpoints),
) {
    let mut changed = cluster.changed();
    let (mut known, mut last) = (None, None);
    loop {
        // Before the look: what changes from here on makes for another.
        changed.mark_unchanged();
        let found = Arc::clone(&cluster.view().decision_makers);
        // Views share what did not change, and most changes are of pods.
        if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &found)) {
            let endpoints = together(&listed, scheme, &found);
            if last.as_ref() != Some(&endpoints) {
                tell(endpoints.clone());
                last = Some(endpoints);
            }
            known = Some(found);
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Both, where a node that was named by hand is where the hand wrote.
fn together(listed: &Endpoints, scheme: &str, found: &BTreeMap<String, DecisionMaker>) -> Endpoints {
    let mut all = Endpoints::new();
    for (node, found) in found {
        let node: NodeName = node.as_str().into();
        let endpoint = Endpoint {
            url: format!("{scheme}://{}", found.address),
            node: Arc::clone(&node),
            server_name: String::new(),
            instance: found.instance.clone(),
        };
        all.insert(node, Arc::new(endpoint));
    }
    all.extend(listed.iter().map(|(node, endpoint)| (Arc::clone(node), Arc::clone(endpoint))));
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::cluster::ClusterView;

    fn view(makers: &[(&str, &str, &str)]) -> Arc<ClusterView> {
        let maker = |(node, address, uid): &(&str, &str, &str)| {
            let found = DecisionMaker { address: address.parse().unwrap(), instance: (*uid).to_owned() };
            ((*node).to_owned(), found)
        };
        let decision_makers = Arc::new(makers.iter().map(maker).collect());
        Arc::new(ClusterView { decision_makers, ..ClusterView::default() })
    }

    /// A cluster that changes the moment after somebody has looked at it.
    struct Racing {
        views: Mutex<Vec<Arc<ClusterView>>>,
        changed: watch::Sender<u64>,
    }

    impl Cluster for Racing {
        fn view(&self) -> Arc<ClusterView> {
            let mut views = self.views.lock().unwrap();
            let shown = if views.len() > 1 { views.remove(0) } else { return Arc::clone(&views[0]) };
            self.changed.send_modify(|revision| *revision += 1);
            shown
        }

        fn changed(&self) -> watch::Receiver<u64> {
            self.changed.subscribe()
        }
    }

    #[tokio::test]
    async fn a_change_in_the_midst_of_a_look_is_looked_at() {
        let views = [view(&[]), view(&[("a", "10.0.0.1:1", "u1")]), view(&[("a", "10.0.0.1:1", "u2")])];
        let cluster = Racing { views: Mutex::new(views.to_vec()), changed: watch::Sender::new(0) };
        let (tell, mut told) = mpsc::unbounded_channel();
        let running = tokio::spawn(run(Arc::new(cluster), Endpoints::new(), "http", move |endpoints| {
            tell.send(endpoints).unwrap();
        }));
        let mut seen = Vec::new();
        for _ in 0..views.len() {
            let next = tokio::time::timeout(Duration::from_secs(30), told.recv()).await;
            let next = next.unwrap_or_else(|_| panic!("after {seen:?} nothing more is told")).unwrap();
            seen.push(next.values().map(|endpoint| endpoint.instance.clone()).collect::<Vec<_>>());
        }
        assert_eq!(seen, [vec![], vec!["u1".to_owned()], vec!["u2".to_owned()]]);
        running.abort();
    }

    #[test]
    fn a_node_named_by_hand_is_where_the_hand_wrote() {
        let view = view(&[("a", "10.0.0.1:8080", "u1"), ("b", "[fd00::2]:8080", "u2")]);
        let listed = [("a", "http://proxy:1"), ("c", "http://c:1")];
        let listed = listed
            .map(|(node, url)| (node.into(), Arc::new(Endpoint { url: url.into(), ..Endpoint::default() })));
        let listed = listed.into();
        let all = together(&listed, "https", &view.decision_makers);
        let shown: Vec<_> =
            all.values().map(|at| format!("{} {} {}", at.url, at.node, at.instance)).collect();
        assert_eq!(shown, ["http://proxy:1  ", "https://[fd00::2]:8080 b u2", "http://c:1  "]);
    }
}
