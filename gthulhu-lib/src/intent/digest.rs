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
use std::cell::OnceCell;
use std::cmp::Ordering;
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
    let mut placed: Vec<_> =
        intents.into_iter().map(|intent| Placed { intent, key: OnceCell::new() }).collect();
    // A set that comes from a node or a manager is in order, which this sort sees at once.
    placed.sort_by(Placed::order);
    placed.into_iter().map(|placed| placed.intent).collect()
}

/// An intent to be put in its place.
struct Placed<T> {
    intent: T,
    /// Its sort key, once that was needed.
    key: OnceCell<String>,
}

impl<T: Borrow<IntentBody>> Placed<T> {
    fn order(&self, other: &Self) -> Ordering {
        let (a, b) = (self.intent.borrow(), other.intent.borrow());
        order_of_texts(texts(a), texts(b))
            .unwrap_or_else(|| self.key().cmp(other.key()).then_with(|| record(a).cmp(&record(b))))
    }

    fn key(&self) -> &str {
        self.key.get_or_init(|| sort_key(self.intent.borrow()))
    }
}

/// The texts that a sort key begins with.
fn texts(intent: &IntentBody) -> [&str; 5] {
    let IntentBody { pod_name, pod_id, node_id, k8s_namespace, command_regex, .. } = intent;
    [pod_name, pod_id, node_id, k8s_namespace, command_regex]
}

/// The order of two sort keys, if their first texts that differ decide it: where one continues the other, what comes after
/// it does.
fn order_of_texts(a: [&str; 5], b: [&str; 5]) -> Option<Ordering> {
    let (a, b) = a.into_iter().zip(b).find(|(a, b)| a != b)?;
    let common = a.len().min(b.len());
    Some(a.as_bytes()[..common].cmp(&b.as_bytes()[..common])).filter(|order| order.is_ne())
}

/// Merkle root of intents that are in canonical order.
pub(super) fn merkle_root<T: Borrow<IntentBody>>(canonical: &[T]) -> Hash {
    let mut text = String::new();
    let mut level: Vec<Hash> = Vec::with_capacity(canonical.len());
    for intent in canonical {
        text.clear();
        put_values(&mut text, intent.borrow(), LEAF_NAMES);
        level.push(Sha256::digest(&text).into());
    }
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level.pop().unwrap_or_else(|| Sha256::digest(b"").into())
}

/// The parent of one or two neighbours.
fn parent(children: &[Hash]) -> Hash {
    let (left, right) = (children[0], children[children.len() - 1]);
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}

/// Our own digest of intents that are in canonical order.
pub(super) fn digest<T: Borrow<IntentBody>>(canonical: &[T]) -> Hash {
    let mut hash = Sha256::new_with_prefix(DIGEST_HEADER);
    hash.update((canonical.len() as u64).to_le_bytes());
    let mut bytes = Vec::new();
    for intent in canonical {
        bytes.clear();
        put_record(&mut bytes, intent.borrow());
        hash.update(&bytes);
    }
    hash.finalize().into()
}

/// What stands before each value of a leaf.
const LEAF_NAMES: [&str; 8] = [
    "podName=",
    "|podID=",
    "|nodeID=",
    "|k8sNamespace=",
    "|commandRegex=",
    "|priority=",
    "|executionTime=",
    "|podLabels=",
];

/// What stands before each value of a sort key.
const SORT_KEY_NAMES: [&str; 8] = ["", "|", "|", "|", "|", "|", "|", "|"];

fn sort_key(intent: &IntentBody) -> String {
    let mut key = String::new();
    put_values(&mut key, intent, SORT_KEY_NAMES);
    key
}

/// The values that leaf and sort key share, each after its name.
fn put_values(text: &mut String, intent: &IntentBody, names: [&str; 8]) {
    for (name, value) in names.into_iter().zip(texts(intent)) {
        text.push_str(name);
        text.push_str(value);
    }
    let [.., priority, execution_time, labels] = names;
    // A String takes everything.
    let _ = write!(text, "{priority}{}{execution_time}{}", intent.priority, intent.execution_time);
    text.push_str(labels);
    put_label_items(text, intent);
}

/// `key=value` items in byte order, joined by commas. This is not the order of the keys: `a-b=1` comes before
/// `a=1`.
fn put_label_items(text: &mut String, intent: &IntentBody) {
    let mut items: Vec<[&str; 3]> =
        intent.pod_labels.iter().map(|(key, value)| [key.as_str(), "=", value.as_str()]).collect();
    items.sort_unstable_by(|a, b| {
        a.iter().flat_map(|part| part.bytes()).cmp(b.iter().flat_map(|part| part.bytes()))
    });
    for (position, item) in items.into_iter().enumerate() {
        text.push_str(if position == 0 { "" } else { "," });
        text.extend(item);
    }
}

fn record(intent: &IntentBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_record(&mut bytes, intent);
    bytes
}

/// The digest's record of one intent; no record is the beginning of another.
fn put_record(bytes: &mut Vec<u8>, intent: &IntentBody) {
    for text in texts(intent) {
        put_text(bytes, text);
    }
    bytes.extend(intent.priority.to_le_bytes());
    bytes.extend(intent.execution_time.to_le_bytes());
    bytes.extend((intent.pod_labels.len() as u64).to_le_bytes());
    for (key, value) in &intent.pod_labels {
        put_text(bytes, key);
        put_text(bytes, value);
    }
    put_text(bytes, intent.strategy_id.as_deref().unwrap_or_default());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: [&str; 5], priority: i64, execution_time: i64, labels: &[(&str, &str)]) -> IntentBody {
        let [pod_name, pod_id, node_id, k8s_namespace, command_regex] = text.map(str::to_owned);
        let pod_labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        IntentBody {
            pod_name,
            pod_id,
            node_id,
            k8s_namespace,
            command_regex,
            priority,
            execution_time,
            pod_labels,
            strategy_id: None,
        }
    }

    fn a() -> IntentBody {
        body(["pod", "pod-id", "node-id", "default", "nginx"], 1, 42, &[("a", "1"), ("b", "2")])
    }

    fn b() -> IntentBody {
        body(["alpha", "u1", "n1", "default", ""], 0, 0, &[])
    }

    fn c() -> IntentBody {
        body(["beta", "u2", "n1", "prod", ".*"], 10, 20_000_000, &[("app", "nginx")])
    }

    fn of(strategy: &str, mut body: IntentBody) -> IntentBody {
        body.strategy_id = Some(strategy.to_owned());
        body
    }

    fn root(intents: Vec<IntentBody>) -> String {
        hex(&merkle_root(&canonical(intents)))
    }

    fn own(intents: Vec<IntentBody>) -> String {
        hex(&digest(&canonical(intents)))
    }

    /// Roots that decision makers written in Go compute.
    #[test]
    fn merkle_roots_are_the_committed_vectors() {
        let cases = [
            (vec![], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (vec![a()], "0106d5a05424ea127c35556843d17456c73057183efa089b1431110c328ad276"),
            (vec![b()], "307d43b61c9dc148183b76e7c5d113e49c208714f53a326430c54693b6dd7dd8"),
            (vec![c()], "58951904d87a4c7fba52e375b5ebe856e6353d9089934a6239a8f778284696ff"),
            (vec![b(), c()], "dd70fdec14ff1a2b384327095a963cfef1c95b4995d4ce28a19df7abc621e583"),
            (vec![b(), c(), a()], "c656c3ba645f26136d1012555cfc41196624c66aeb1b27123abf624f6a557cbc"),
            (vec![a(), c(), b()], "c656c3ba645f26136d1012555cfc41196624c66aeb1b27123abf624f6a557cbc"),
        ];
        for (intents, expected) in cases {
            assert_eq!(root(intents.clone()), expected, "{intents:?}");
        }
    }

    /// Computed with an independent program from the description at the top of this file.
    #[test]
    fn digests_are_the_committed_vectors() {
        let strategy = "65f0c0ffee0123456789abcd";
        let cases = [
            (vec![], "5e4c3738136bab52202209ed0faa4d27985cb8c8cc0ef55b778489345422d962"),
            (vec![a()], "3af04ed37e7c5eed21648bd3307329ee5c55605d8577c72740f2b07673a0ddc8"),
            (vec![of(strategy, a())], "06228af70bb3e642f621e77bcead9df6d752d078b50bbe4c983e47052739e62d"),
            (vec![c(), b()], "4304772c5a210b97254bccdb2f449fbc3923ab384b848240ba47d13f17700fb8"),
            (
                vec![b(), of(strategy, c())],
                "d2c0e5b4b839f5cc8b13bb8546f09a7b63a08068ce42d89c40333ff8bb0f211d",
            ),
        ];
        for (intents, expected) in cases {
            assert_eq!(own(intents.clone()), expected, "{intents:?}");
        }
    }

    #[test]
    fn labels_are_ordered_as_items_not_as_keys() {
        let intent = body(["p", "u", "n", "d", ""], 0, 0, &[("a", "1"), ("a-b", "2")]);
        assert!(sort_key(&intent).ends_with("|a-b=2,a=1"));
        assert_eq!(root(vec![intent]), "13311677ffa295ad122b9e89a6686cbd1f07c05230e0bf302de178c2edcaa8d7");
    }

    /// Texts in which what stands beside a separator decides, so that comparing them one by one would not do.
    #[test]
    fn the_order_is_that_of_the_keys_whatever_the_texts() {
        let some = ["", "p", "p|", "p-a", "p}", "q"];
        let mut intents = Vec::new();
        for (place, name) in (0..).zip(some) {
            for uid in some {
                for regex in some {
                    for strategy in ["65f0c0ffee0123456789abce", "65f0c0ffee0123456789abcd"] {
                        intents.push(of(
                            strategy,
                            body([name, uid, "n", "d", regex], place % 2, 10 - place, &[]),
                        ));
                    }
                }
            }
        }
        let mut expected = intents.clone();
        expected.sort_by_key(|intent| (sort_key(intent), record(intent)));
        let ordered = canonical(intents);
        assert_eq!(ordered, expected);
        assert_eq!(canonical(ordered), expected, "what is in order stays so");
    }

    #[test]
    fn duplicates_count_in_both_hashes() {
        assert_ne!(root(vec![a(), a()]), root(vec![a()]));
        assert_ne!(own(vec![a(), a()]), own(vec![a()]));
    }

    #[test]
    fn the_root_is_blind_to_strategies_and_the_digest_is_not() {
        let (one, other) = (of("65f0c0ffee0123456789abcd", a()), of("65f0c0ffee0123456789abce", a()));
        assert_eq!(root(vec![one.clone()]), root(vec![other.clone()]));
        assert_ne!(own(vec![one]), own(vec![other]));
    }

    #[test]
    fn only_the_digest_tells_ambiguous_separators_apart() {
        let one = body(["p|u", "v", "", "", ""], 0, 0, &[]);
        let other = body(["p", "u|v", "", "", ""], 0, 0, &[]);
        assert_eq!(sort_key(&one), sort_key(&other));
        assert_ne!(own(vec![one.clone()]), own(vec![other.clone()]));
        let (forth, back) = (vec![one.clone(), other.clone()], vec![other, one]);
        assert_eq!(canonical(forth), canonical(back), "equal sort keys still have one order");
    }

    #[test]
    fn every_field_reaches_the_digest() {
        let changes: [fn(&mut IntentBody); 9] = [
            |intent| intent.pod_name.push('x'),
            |intent| intent.pod_id.push('x'),
            |intent| intent.node_id.push('x'),
            |intent| intent.k8s_namespace.push('x'),
            |intent| intent.command_regex.push('x'),
            |intent| intent.priority += 1,
            |intent| intent.execution_time += 1,
            |intent| intent.pod_labels.clear(),
            |intent| intent.strategy_id = Some("65f0c0ffee0123456789abcd".to_owned()),
        ];
        for (position, change) in changes.into_iter().enumerate() {
            let mut changed = a();
            change(&mut changed);
            assert_ne!(own(vec![changed]), own(vec![a()]), "change {position}");
        }
    }
}
