//! How many questions of people are asked at a time.
//!
//! A node's pushes and questions share the few connections that there are with it. Were all of them taken by questions, a push
//! would wait behind people.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Questions that one node is asked at a time, whoever asks. A client lets through twice as many calls.
const PER_NODE: usize = 4;
/// Nodes that are asked at a time by those who ask many at once.
const OF_MANY: usize = 32;

/// The turns of all who ask. They are never closed.
#[derive(Debug)]
pub(super) struct Turns {
    of_many: Semaphore,
    /// The turns of nodes that are being asked.
    by_node: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn, which lasts as long as this.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _of_node: Option<OwnedSemaphorePermit>,
    _of_many: Option<SemaphorePermit<'a>>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { of_many: Semaphore::new(OF_MANY), by_node: Mutex::default() }
    }

    /// Waits for a turn to ask this node.
    pub(super) async fn of(&self, node: &str) -> Turn<'_> {
        Turn { _of_node: self.node(node).acquire_owned().await.ok(), _of_many: None }
    }

    /// The same for who asks many nodes: nobody who waits for one node keeps others waiting.
    pub(super) async fn of_many(&self, node: &str) -> Turn<'_> {
        let turn = self.of(node).await;
        Turn { _of_many: self.of_many.acquire().await.ok(), ..turn }
    }

    fn node(&self, node: &str) -> Arc<Semaphore> {
        let mut nodes = self.by_node.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = nodes.get(node).and_then(Weak::upgrade) {
            return turns;
        }
        nodes.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(PER_NODE));
        nodes.insert(node.to_owned(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn questions_of_one_node_wait_for_each_other_and_for_no_others() {
        let turns = Turns::new();
        let now = async |node: &str| timeout(Duration::ZERO, turns.of(node)).await;
        let mut taken = Vec::new();
        for _ in 0..PER_NODE {
            taken.push(now("a").await.unwrap());
        }
        assert!(now("a").await.is_err());
        assert!(now("b").await.is_ok());
        taken.pop();
        assert!(now("a").await.is_ok());
        taken.clear();
        assert!(now("c").await.is_ok());
        assert_eq!(turns.by_node.lock().unwrap().len(), 1, "who is not asked is forgotten");
    }

    #[tokio::test]
    async fn who_waits_for_one_node_keeps_nobody_from_others() {
        let turns = Turns::new();
        let now = async |node: &str| timeout(Duration::ZERO, turns.of_many(node)).await;
        let mut taken = Vec::new();
        for _ in 0..PER_NODE {
            taken.push(now("a").await.unwrap());
        }
        let mut waiting = Vec::new();
        for _ in 0..OF_MANY {
            let mut turn = Box::pin(turns.of_many("a"));
            assert!(timeout(Duration::ZERO, &mut turn).await.is_err());
            waiting.push(turn);
        }
        let nodes: Vec<_> = (PER_NODE..OF_MANY).map(|node| node.to_string()).collect();
        for node in &nodes {
            taken.push(now(node).await.unwrap());
        }
        assert!(now("z").await.is_err(), "no more than {OF_MANY} at once");
    }
}
