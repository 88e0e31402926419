//! What a node is told to hold, and what it says that it holds.

use gthulhu_http::client::{Client, ClientError, Request};
use gthulhu_lib::intent::digest::hex;
use gthulhu_lib::intent::{Limits, set::IntentSet};
use gthulhu_lib::wire::{IntentBody, IntentsBody};
use serde_json::{Value, json};

use crate::node::Node;

const INTENTS: &str = "/api/v1/intents";
/// The pod that a removal takes away.
const REMOVED: &str = "pod-0";

/// One change of what a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The set of this generation.
    Push(u64),
    /// A DELETE of one pod's intents.
    Remove,
}

/// What a node holds: nothing, or the set of a generation, whole or with one pod removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    pub(crate) generation: u64,
    edited: bool,
}

impl Held {
    pub(crate) fn after(self, change: Change) -> Self {
        match change {
            Change::Push(generation) => Self { generation, edited: false },
            Change::Remove => Self { edited: true, ..self },
        }
    }

    /// The answer of a node that holds this: nothing else, and no half of it.
    pub(crate) fn is(self, told: &Value) -> bool {
        let set = match (self.generation, self.edited) {
            (0, _) => IntentSet::default(),
            (generation, false) => set(generation),
            (generation, true) => set(generation).without_pod(REMOVED),
        };
        let generation = if self.generation == 0 { Value::Null } else { json!(self.generation) };
        told["generation"] == generation
            && told["edited"] == self.edited
            && told["digest"] == hex(&set.digest())
    }
}

/// The set of a generation: its size and its content differ from one to the next.
fn set(generation: u64) -> IntentSet {
    IntentSet::check(bodies(generation), &Limits::default()).unwrap()
}

fn bodies(generation: u64) -> Vec<IntentBody> {
    let body = |n| IntentBody {
        pod_id: format!("pod-{n}"),
        command_regex: format!("^worker-{generation}-{n}$"),
        priority: i64::try_from(generation % 21).unwrap(),
        ..IntentBody::default()
    };
    (0..=generation % 7).map(body).collect()
}

/// Asks for the change; the status of the answer.
pub(crate) async fn ask(client: &Client, node: &Node, change: Change) -> Result<u16, ClientError> {
    let (method, body) = match change {
        Change::Push(generation) => {
            let body =
                IntentsBody { intents: bodies(generation), epoch: Some(1), generation: Some(generation) };
            (http::Method::POST, serde_json::to_vec(&body).unwrap())
        }
        Change::Remove => (http::Method::DELETE, json!({"podId": REMOVED}).to_string().into_bytes()),
    };
    let url = format!("{}{INTENTS}", node.url);
    Ok(client.send(Request::with_body(method, url, body).bearer(&node.token)).await?.status)
}

/// What the node says that it holds.
pub(crate) async fn told(client: &Client, node: &Node) -> Value {
    let url = format!("{}{INTENTS}/merkle", node.url);
    let response = client.send(Request::get(url).bearer(&node.token)).await.unwrap();
    serde_json::from_slice::<Value>(&response.body).unwrap()["data"].take()
}
