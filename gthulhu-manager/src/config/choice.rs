//! Which store, and which source of pods: decided once from keys that older and newer files set in different ways.

use std::path::PathBuf;

use gthulhu_http::settings::Finding;
use gthulhu_lib::intent::{Invalid, check_label_key, check_label_value, check_namespace};
use gthulhu_lib::selector::Selector;

use super::{Config, K8s, is_empty};
use crate::cluster::kubernetes::{Finder, Source};

/// Where everything is kept, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// A file of the embedded store.
    Redb(PathBuf),
    /// The database that `[mongodb]` names.
    Mongodb,
}

/// Where pods come from, decided.
#[derive(Debug, PartialEq, Eq)]
pub enum ClusterChoice {
    /// A watched folder of manifests.
    Folder(PathBuf),
    /// The Kubernetes API. The finder's namespace is empty where the manager's own is meant.
    Kubernetes(Source, Option<Finder>),
    /// Nothing usable is configured: the manager serves, and says in `/readyz` what is missing.
    None,
}

impl Config {
    /// Decides the store, and why this one, as half a sentence for the log.
    ///
    /// `mongodb_section`: the file has a `[mongodb]` section, even an empty one.
    pub fn store_choice(&self, mongodb_section: bool) -> Result<(StoreChoice, &'static str), Finding> {
        let reason = match (self.store.kind.as_str(), self.asks_for_mongodb(mongodb_section)) {
            ("redb", _) => "store.kind is redb",
            ("", false) => "store.kind is empty and mongodb is not configured",
            ("mongodb", _) => return mongodb("store.kind", "store.kind is mongodb"),
            ("", true) if mongodb_section => return mongodb("mongodb", "mongodb is configured"),
            ("", true) => return mongodb("mongodb.host", "mongodb.host is set"),
            (other, _) => {
                let rule = format!("must be \"redb\" or \"mongodb\", not {other:?}");
                return Err(Finding::wrong("store.kind", rule));
            }
        };
        Ok((StoreChoice::Redb(self.redb_path()), reason))
    }

    /// The embedded store's file, whether or not it is chosen.
    pub fn redb_path(&self) -> PathBuf {
        let path = &self.store.path;
        if is_empty(path) { self.state.dir.join("manager.redb") } else { path.clone() }
    }

    /// Whether MongoDB is the store unless `store.kind` says otherwise.
    pub(super) fn asks_for_mongodb(&self, section: bool) -> bool {
        section || !self.mongodb.host.is_empty()
    }

    /// Decides where pods come from.
    pub fn cluster_choice(&self) -> Result<ClusterChoice, Finding> {
        let folder = &self.cluster.pods_dir;
        let source = self.k8s.source();
        match (self.cluster.kind.as_str(), is_empty(folder)) {
            ("folder", true) => {
                let rule = "must name a folder of manifests when cluster.kind is \"folder\"";
                Err(Finding::wrong("cluster.pods_dir", rule))
            }
            ("folder" | "", false) => Ok(ClusterChoice::Folder(folder.clone())),
            ("kubernetes", _) => {
                let rule = "must be set, or k8s.in_cluster be true, when cluster.kind is \"kubernetes\"";
                let source = source.ok_or_else(|| Finding::wrong("k8s.kube_config_path", rule))?;
                Ok(ClusterChoice::Kubernetes(source, self.k8s.finder()?))
            }
            ("", true) => match source {
                Some(source) => Ok(ClusterChoice::Kubernetes(source, self.k8s.finder()?)),
                None => Ok(ClusterChoice::None),
            },
            (other, _) => {
                let rule = format!("must be \"kubernetes\" or \"folder\", not {other:?}");
                Err(Finding::wrong("cluster.kind", rule))
            }
        }
    }
}

#[cfg(feature = "mongodb")]
#[expect(clippy::unnecessary_wraps, reason = "a build without that store refuses it")]
fn mongodb(_key: &str, reason: &'static str) -> Result<(StoreChoice, &'static str), Finding> {
    Ok((StoreChoice::Mongodb, reason))
}

#[cfg(not(feature = "mongodb"))]
fn mongodb(key: &str, _reason: &'static str) -> Result<(StoreChoice, &'static str), Finding> {
    let rule = "chooses MongoDB, and this build has only the embedded store; set store.kind = \"redb\"";
    Err(Finding::unserved(key, rule))
}

impl K8s {
    fn source(&self) -> Option<Source> {
        if self.in_cluster {
            return Some(Source::InCluster);
        }
        (!is_empty(&self.kube_config_path)).then(|| Source::Kubeconfig(self.kube_config_path.clone()))
    }

    /// What makes a pod a decision maker. None outside a cluster, unless a namespace is named.
    fn finder(&self) -> Result<Option<Finder>, Finding> {
        let Self { dm_namespace, dm_selector, dm_service_account, in_cluster, .. } = self;
        if dm_namespace.is_empty() && !in_cluster {
            return Ok(None);
        }
        if !dm_namespace.is_empty() {
            let illegal = |fault: Invalid| Finding::wrong(fault.field, fault.rule);
            check_namespace("k8s.dm_namespace", dm_namespace).map_err(illegal)?;
        }
        if dm_service_account.is_empty() {
            let rule = "must name the service account of the decision makers: labels alone prove nothing";
            return Err(Finding::wrong("k8s.dm_service_account", rule));
        }
        Ok(Some(Finder {
            namespace: dm_namespace.clone(),
            labels: labels(dm_selector)?,
            service_account: dm_service_account.clone(),
        }))
    }
}

/// `key=value` joined by commas.
fn labels(text: &str) -> Result<Vec<Selector>, Finding> {
    const KEY: &str = "k8s.dm_selector";
    let label = |part: &str| {
        let (key, value) = part.trim().split_once('=')?;
        let legal = check_label_key(KEY, key).is_ok() && check_label_value(KEY, value).is_ok();
        (legal && !value.is_empty()).then(|| Selector::new(key, value))
    };
    let all: Option<Vec<_>> = text.split(',').map(label).collect();
    all.ok_or_else(|| Finding::wrong(KEY, "must be labels as key=value, joined by commas"))
}
