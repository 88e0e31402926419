//! Two hashes of a set of intents, and the canonical order that both depend on.
//!
//! The **merkle root** is shared with decision makers and managers written in Go, and cannot change:
//!
//! - a leaf is the SHA-256 of
//!   `podName=…|podID=…|nodeID=…|k8sNamespace=…|commandRegex=…|priority=…|executionTime=…|podLabels=…`, numbers in
//!   decimal, labels as `key=value` items joined by commas;
//! - leaves are in order of their *sort key*, the same values joined by `|` without the names;
//! - a parent is the SHA-256 of its two children's 64 raw bytes; an odd last node is its own neighbour; one leaf
//!   is the root; without any leaf the root is the SHA-256 of nothing.
//!
//! It does not say which strategy an intent comes from, and since nothing is escaped, two different sets can have
//! one root. Our own **digest** closes both gaps. It is the SHA-256 of
//!
//! ```text
//! "gthulhu-intents\0"   16 bytes
//! version               1 byte: 1
//! number of intents     u64
//! one record per intent, in canonical order:
//!     text podName, podID, nodeID, k8sNamespace, commandRegex
//!     i64 priority, executionTime
//!     u64 number of labels, then text key, text value of each, keys in byte order
//!     text strategyID: 24 lower-case digits, or empty when it is not known
//! ```
//!
//! where numbers are little-endian and a text is its length in bytes (u64) followed by its bytes (UTF-8).
//!
//! **Canonical order** is the byte order of the sort keys; intents with equal sort keys are in the byte order of
//! their digest records.

use std::borrow::Borrow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::wire::IntentBody;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

const DIGEST_HEADER: &[u8] = b"gthulhu-intents\0\x01";

/// `bytes` as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

/// Puts intents in canonical order.
pub(super) fn canonical<T: Borrow<IntentBody>>(intents: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut keyed: Vec<(String, T)> =
        intents.into_iter().map(|intent| (sort_key(intent.borrow()), intent)).collect();
    keyed.sort_unstable_by(|(key_a, a), (key_b, b)| {
        key_a.cmp(key_b).then_with(|| record(a.borrow()).cmp(&record(b.borrow())))
    });
    keyed.into_iter().map(|(_, intent)| intent).collect()
}

/// Merkle root of intents that are in canonical order.
pub(super) fn merkle_root<T: Borrow<IntentBody>>(canonical: &[T]) -> Hash {
    let mut level: Vec<Hash> = canonical.iter().map(|intent| leaf(intent.borrow())).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level.pop().unwrap_or_else(|| Sha256::digest(b"").into())
}

/// Our own digest of intents that are in canonical order.
pub(super) fn digest<T: Borrow<IntentBody>>(canonical: &[T]) -> Hash {
    let mut hash = Sha256::new_with_prefix(DIGEST_HEADER);
    hash.update((canonical.len() as u64).to_le_bytes());
    for intent in canonical {
        hash.update(record(intent.borrow()));
    }
    hash.finalize().into()
}

fn leaf(intent: &IntentBody) -> Hash {
    let IntentBody { pod_name, pod_id, node_id, k8s_namespace, command_regex, priority, .. } = intent;
    let execution_time = intent.execution_time;
    let labels = label_items(intent);
    let text = format!(
        "podName={pod_name}|podID={pod_id}|nodeID={node_id}|k8sNamespace={k8s_namespace}\
         |commandRegex={command_regex}|priority={priority}|executionTime={execution_time}|podLabels={labels}"
    );
    Sha256::digest(text).into()
}

/// The parent of one or two neighbours.
fn parent(children: &[Hash]) -> Hash {
    let (left, right) = (children[0], children[children.len() - 1]);
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}

fn sort_key(intent: &IntentBody) -> String {
    let IntentBody { pod_name, pod_id, node_id, k8s_namespace, command_regex, priority, .. } = intent;
    let execution_time = intent.execution_time;
    let labels = label_items(intent);
    format!(
        "{pod_name}|{pod_id}|{node_id}|{k8s_namespace}|{command_regex}|{priority}|{execution_time}|{labels}"
    )
}

/// `key=value` items in byte order, joined by commas. This is not the order of the keys: `a-b=1` comes before
/// `a=1`.
fn label_items(intent: &IntentBody) -> String {
    let mut items: Vec<String> =
        intent.pod_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    items.sort_unstable();
    items.join(",")
}

/// The digest's record of one intent; no record is the beginning of another.
fn record(intent: &IntentBody) -> Vec<u8> {
    let mut record = Vec::with_capacity(512);
    for text in
        [&intent.pod_name, &intent.pod_id, &intent.node_id, &intent.k8s_namespace, &intent.command_regex]
    {
        put_text(&mut record, text);
    }
    record.extend(intent.priority.to_le_bytes());
    record.extend(intent.execution_time.to_le_bytes());
    record.extend((intent.pod_labels.len() as u64).to_le_bytes());
    for (key, value) in &intent.pod_labels {
        put_text(&mut record, key);
        put_text(&mut record, value);
    }
    put_text(&mut record, intent.strategy_id.as_deref().unwrap_or_default());
    record
}

fn put_text(record: &mut Vec<u8>, text: &str) {
    record.extend((text.len() as u64).to_le_bytes());
    record.extend(text.as_bytes());
}
