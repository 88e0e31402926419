//! Writers: each creates, changes and deletes strategies of its own, and changes one that all share, until the manager
//! stops answering or its store is away.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use serde_json::{Value, json};

use crate::record::{Operation, Verb};
use crate::wire::{Answer, Wire};

const STRATEGIES: &str = "/api/v1/strategies?allowEmpty=true";
/// A writer's strategies are about as many as this.
const OWN: usize = 6;

/// One writer, across the lives of the manager.
pub(crate) struct Writer {
    name: usize,
    /// How many requests it has sent.
    sent: u64,
    seed: u64,
    /// The ids of its strategies.
    own: Vec<String>,
}

impl Writer {
    pub(crate) fn new(name: usize) -> Self {
        Self { name, sent: 0, seed: name as u64, own: Vec::new() }
    }

    /// Works until the connection ends, or a request is refused after the `end` has begun. Each acknowledged operation is
    /// also told to `acknowledged`.
    pub(crate) fn work(
        &mut self,
        address: SocketAddr,
        token: &str,
        shared: &str,
        acknowledged: &Sender<()>,
        end: &AtomicBool,
    ) -> Vec<Operation> {
        let mut done = Vec::new();
        // A manager that was killed before this writer came is a connection that ended at once.
        let Ok(mut wire) = Wire::connect(address, token) else { return done };
        loop {
            let mut operation = self.choose(shared);
            let answer = operation.send(&mut wire);
            let refused = answer.as_ref().is_ok_and(|answer| answer.status == 503);
            if let Ok(answer) = &answer
                && !refused
            {
                assert_eq!(answer.status, 200, "{operation:?}");
                operation.acknowledged = true;
                if let Some(location) = &answer.location {
                    operation.id = location.rsplit('/').next().map(str::to_owned);
                }
                self.note(&operation);
                // Nobody counts any more once the kill is on its way.
                let _ = acknowledged.send(());
            }
            // A store that is away, or busy for once, refuses: what it was asked for may have been done or not, as without
            // an answer. What is not known to be there is not touched again.
            if refused {
                self.own.retain(|own| Some(own) != operation.id.as_ref());
            }
            done.push(operation);
            if answer.is_err() || refused && end.load(Ordering::Relaxed) {
                return done;
            }
        }
    }

    /// After a kill, only what is there counts: an unanswered request may have been done or not.
    pub(crate) fn look(&mut self, exists: impl Fn(&str) -> bool, created: impl Iterator<Item = String>) {
        self.own.retain(|id| exists(id));
        for id in created {
            if !self.own.contains(&id) {
                self.own.push(id);
            }
        }
    }

    /// Whether this writer wrote the text.
    pub(crate) fn wrote(&self, text: &str) -> bool {
        text.starts_with(&format!("writer-{}-", self.name))
    }

    fn choose(&mut self, shared: &str) -> Operation {
        self.sent += 1;
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = usize::try_from(self.seed >> 40).unwrap();
        let (verb, id) = match (dice % 8, self.own.len()) {
            (0, _) => (Verb::Update, Some(shared.to_owned())),
            (_, 0) => (Verb::Create, None),
            (1..=3, len) if len < 2 * OWN => (Verb::Create, None),
            (1..=5, len) => (Verb::Update, Some(self.own[dice / 8 % len].clone())),
            (_, len) => (Verb::Delete, Some(self.own[dice / 8 % len].clone())),
        };
        let text = format!("writer-{}-{}", self.name, self.sent);
        let is_shared = id.as_deref() == Some(shared);
        Operation { verb, request: text.clone(), id, text, acknowledged: false, shared: is_shared }
    }

    fn note(&mut self, operation: &Operation) {
        let Some(id) = &operation.id else { return };
        match operation.verb {
            Verb::Create => self.own.push(id.clone()),
            Verb::Delete => self.own.retain(|own| own != id),
            Verb::Update => {}
        }
    }
}

impl Operation {
    fn send(&self, wire: &mut Wire) -> std::io::Result<Answer> {
        let method = match self.verb {
            Verb::Create => "POST",
            Verb::Update => "PUT",
            Verb::Delete => "DELETE",
        };
        let body = strategy(self.id.as_deref(), &self.text);
        wire.call(method, STRATEGIES, &self.request, &body)
    }
}

/// A strategy that carries `text`.
pub(crate) fn strategy(id: Option<&str>, text: &str) -> Value {
    json!({
        "strategyId": id.unwrap_or_default(),
        "strategyNamespace": text,
        "labelSelectors": [{"key": "app", "value": "web"}],
        "commandRegex": "^nginx",
        "priority": 3,
        "executionTime": 20_000_000,
    })
}

/// Creates a strategy and returns its id; the answer's status when it was refused.
pub(crate) fn create(wire: &mut Wire, text: &str) -> std::io::Result<Result<String, u16>> {
    let answer = wire.call("POST", STRATEGIES, text, &strategy(None, text))?;
    let id = answer.location.as_deref().and_then(|location| location.rsplit('/').next());
    Ok(id.map(str::to_owned).ok_or(answer.status))
}
