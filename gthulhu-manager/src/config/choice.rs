//! Which store, and which source of pods: decided once from keys that older and newer files set in different ways.

use std::path::PathBuf;

use gthulhu_http::settings::Finding;

use super::{Config, is_empty};

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
        let kubernetes = if self.k8s.in_cluster {
            Some("k8s.in_cluster")
        } else {
            (!is_empty(&self.k8s.kube_config_path)).then_some("k8s.kube_config_path")
        };
        match (self.cluster.kind.as_str(), is_empty(folder)) {
            ("folder", true) => {
                let rule = "must name a folder of manifests when cluster.kind is \"folder\"";
                Err(Finding::wrong("cluster.pods_dir", rule))
            }
            ("folder" | "", false) => Ok(ClusterChoice::Folder(folder.clone())),
            ("kubernetes", _) => Err(no_kubernetes("cluster.kind")),
            ("", true) => kubernetes.map_or(Ok(ClusterChoice::None), |key| Err(no_kubernetes(key))),
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

fn no_kubernetes(key: &str) -> Finding {
    let rule = "chooses Kubernetes, and this build has no Kubernetes client; set cluster.pods_dir";
    Finding::unserved(key, rule)
}
