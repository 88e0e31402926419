//! Reading manifests: YAML with any number of documents, or JSON; single objects or lists of them.
//!
//! A file is taken as a whole or not at all, because half of a file is what an editor leaves for a moment.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use gthulhu_lib::derive::Pod;
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::object::PodObject;

/// Limits of a YAML file: some thousand full manifests pass, a bomb of aliases does not.
const YAML_NODES_MAX: usize = 4_000_000;
const YAML_DOCUMENTS_MAX: usize = 10_000;
const YAML_ALIASES_MAX: usize = 1_000;
const YAML_DEPTH_MAX: usize = 64;
const YAML_REPLAYED_MAX: usize = 50_000;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) pods: Vec<Arc<Pod>>,
    uids: HashSet<String>,
    /// How many objects of other kinds there are.
    skipped: BTreeMap<String, usize>,
}

/// The envelope that all objects share.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeMeta {
    api_version: Option<String>,
    kind: Option<String>,
}

/// Reads the file called `name`. The error is a sentence about the file.
pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Parsed, String> {
    let json = std::path::Path::new(name).extension().is_some_and(|extension| extension == "json");
    let documents = if json { json_documents(bytes)? } else { yaml_documents(bytes)? };
    if documents.is_empty() {
        return Err("holds no object".to_owned());
    }
    let mut parsed = Parsed::default();
    for (position, document) in documents.into_iter().enumerate() {
        parsed.take(document).map_err(|fault| format!("object {}: {fault}", position + 1))?;
    }
    Ok(parsed)
}

fn json_documents(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(bytes).into_iter().collect();
    documents.map_err(|error| error.to_string())
}

fn yaml_documents(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: YAML_NODES_MAX,
            max_events: 2 * YAML_NODES_MAX,
            max_documents: YAML_DOCUMENTS_MAX,
            max_aliases: YAML_ALIASES_MAX,
            max_anchors: YAML_ALIASES_MAX,
            max_depth: YAML_DEPTH_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: YAML_REPLAYED_MAX,
        },
        // The text of the file stays out of the log: other kinds of objects may hold secrets.
        with_snippet: false,
    };
    serde_saphyr::from_slice_multiple_with_options(bytes, options).map_err(|error| error.to_string())
}

impl Parsed {
    /// What was skipped, such as `2 ConfigMap, 1 Service`.
    pub(super) fn skipped_note(&self) -> Option<String> {
        let counts = self.skipped.iter().map(|(kind, count)| format!("{count} {kind}"));
        (!self.skipped.is_empty()).then(|| counts.collect::<Vec<_>>().join(", "))
    }

    fn take(&mut self, document: Value) -> Result<(), String> {
        if !document.is_object() {
            return Err("must be a mapping".to_owned());
        }
        let meta = TypeMeta::deserialize(&document).map_err(|error| error.to_string())?;
        let kind = meta.kind.ok_or("kind must be given")?;
        match (meta.api_version.as_deref(), kind.as_str()) {
            (Some("v1"), "Pod") => self.take_pod(&document),
            (Some("v1"), "List" | "PodList") => self.take_items(document, kind == "PodList"),
            (_, "Pod" | "List" | "PodList") => Err(format!("apiVersion of a {kind} must be v1")),
            _ => {
                *self.skipped.entry(kind).or_default() += 1;
                Ok(())
            }
        }
    }

    /// Items of a PodList are pods and do not say so.
    fn take_items(&mut self, mut list: Value, all_pods: bool) -> Result<(), String> {
        let Value::Array(items) = list.get_mut("items").map(Value::take).unwrap_or_default() else {
            return Err("items must be a list".to_owned());
        };
        for (position, item) in items.into_iter().enumerate() {
            let taken = if all_pods { self.take_pod(&item) } else { self.take_item(item) };
            taken.map_err(|fault| format!("items[{position}]: {fault}"))?;
        }
        Ok(())
    }

    fn take_item(&mut self, item: Value) -> Result<(), String> {
        if item.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List")) {
            return Err("a list must not hold lists".to_owned());
        }
        self.take(item)
    }

    fn take_pod(&mut self, document: &Value) -> Result<(), String> {
        let pod = PodObject::deserialize(document).map_err(|error| error.to_string())?.check()?;
        if !self.uids.insert(pod.uid.clone()) {
            return Err(format!("metadata.uid {} is used twice", pod.uid));
        }
        self.pods.push(Arc::new(pod));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
