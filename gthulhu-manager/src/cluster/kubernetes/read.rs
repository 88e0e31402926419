//! Reading objects of the API, each reduced at once to what we keep of it.

use std::borrow::Cow;

use gthulhu_lib::derive::Pod;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::decision_makers::{Candidate, Finder};
use crate::cluster::object::{PodObject, check_name};
use crate::cluster::{ClusterNode, NodeHealth};

/// A kind of objects that we follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Pods,
    Nodes,
    Namespaces,
}

/// What we keep of an object.
#[derive(Debug)]
pub(super) enum Object {
    /// With the object's uid, which is not the pod's if the pod is a static one.
    Pod(String, Pod, Option<Box<Candidate>>),
    Node(ClusterNode),
    Namespace(String),
}

/// An object that makes no sense to us, by the key that it has in the index, if at least that can be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear {
    pub(super) key: Option<String>,
    pub(super) fault: String,
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    pub(super) metadata: ListMetadata,
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) more: String,
}

/// A line of a watch.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

/// What the API says instead of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) message: String,
    pub(super) reason: String,
}

#[derive(Deserialize)]
struct Versioned {
    metadata: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    #[serde(default)]
    resource_version: String,
}

#[derive(Deserialize)]
struct Keyed {
    metadata: Key,
}

#[derive(Deserialize)]
struct Key {
    uid: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct NodeObject {
    metadata: Named,
    #[serde(default)]
    status: Option<NodeStatus>,
}

#[derive(Deserialize)]
struct NamespaceObject {
    metadata: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct NodeStatus {
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Object {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Pod(..) => Kind::Pods,
            Self::Node(_) => Kind::Nodes,
            Self::Namespace(_) => Kind::Namespaces,
        }
    }

    /// The object's key, see [`Kind::key`].
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Pod(uid, ..) => uid,
            Self::Node(node) => &node.name,
            Self::Namespace(name) => name,
        }
    }
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Pods, Self::Nodes, Self::Namespaces];

    /// As it is called in sentences, and in the API's paths.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Nodes => "nodes",
            Self::Namespaces => "namespaces",
        }
    }

    /// Reads an object of this kind.
    pub(super) fn read(self, raw: &str, finder: Option<&Finder>) -> Result<Object, Unclear> {
        let object = match self {
            Self::Pods => read_pod(raw, finder),
            Self::Nodes => read_node(raw),
            Self::Namespaces => read_namespace(raw),
        };
        object.map_err(|fault| Unclear { key: self.key(raw), fault })
    }

    /// What tells an object of this kind from others: pods of one name come and go, and each has a uid of its own.
    fn key(self, raw: &str) -> Option<String> {
        let Key { uid, name } = serde_json::from_str::<Keyed>(raw).ok()?.metadata;
        if self == Self::Pods { uid } else { name }
    }
}

/// The version of an object, which means nothing to us but a place to go on from. None: it has none.
pub(super) fn version(raw: &str) -> Option<String> {
    let versioned: Versioned = serde_json::from_str(raw).ok()?;
    Some(versioned.metadata.resource_version).filter(|version| !version.is_empty())
}

fn read_pod(raw: &str, finder: Option<&Finder>) -> Result<Object, String> {
    let object = parse::<PodObject>(raw)?;
    let uid = object.uid().to_owned();
    let pod = object.check()?;
    let candidate = finder.and_then(|finder| finder.judge(&pod, raw)).map(Box::new);
    Ok(Object::Pod(uid, pod, candidate))
}

fn read_node(raw: &str) -> Result<Object, String> {
    let NodeObject { metadata: Named { name }, status } = parse(raw)?;
    check_name("metadata.name", &name)?;
    let conditions = status.and_then(|status| status.conditions).unwrap_or_default();
    let status = match conditions.iter().find(|condition| condition.kind == "Ready") {
        Some(ready) if ready.status == "True" => NodeHealth::Ready,
        Some(_) => NodeHealth::NotReady,
        None => NodeHealth::Unknown,
    };
    Ok(Object::Node(ClusterNode { name, status }))
}

fn read_namespace(raw: &str) -> Result<Object, String> {
    let NamespaceObject { metadata: Named { name } } = parse(raw)?;
    check_name("metadata.name", &name)?;
    Ok(Object::Namespace(name))
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a str) -> Result<T, String> {
    serde_json::from_str(raw).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
