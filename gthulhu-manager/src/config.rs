//! The manager's configuration: every key, its default, and what it means together with the others.
//!
//! Reading (file, environment, unknown keys) is `gthulhu_http::settings`; here the loose settings become one firm
//! value, so that later code never asks whether something is set.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::time::DurationText;
use serde::{Deserialize, Serialize};

/// Everything that can be configured. `Default` holds the default of every key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API listens.
    pub server: Server,
    /// What is logged.
    pub logging: Logging,
    /// Where keys, certificates and the store live.
    pub state: StateDir,
    /// Which store holds users, strategies and the audit trail.
    pub store: StoreConfig,
    /// The MongoDB server; its presence chooses that store.
    pub mongodb: Mongodb,
    /// Keys for user tokens and for tokens towards the decision makers.
    pub key: Keys,
    /// The first administrator.
    pub account: Account,
    /// Where pods come from.
    pub cluster: ClusterConfig,
    /// The Kubernetes API.
    pub k8s: K8s,
    /// TLS towards the decision makers.
    pub mtls: Mtls,
    /// What a strategy may ask for.
    pub limits: Limits,
    /// Decision makers named by hand; without Kubernetes the only ones.
    pub nodes: Vec<Node>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Listen address, `host:port`; an empty host means all addresses.
    pub host: String,
}

/// `[logging]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,gthulhu_manager=debug`.
    pub level: String,
    /// Accepted for older files, without effect: logs go to standard error.
    pub path: String,
    /// Accepted for older files, without effect.
    pub file_path: String,
    /// Accepted for older files, without effect.
    pub console: bool,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateDir {
    /// The directory, created with mode 0700.
    pub dir: PathBuf,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `redb`, `mongodb`, or empty: mongodb if `[mongodb]` is configured, else redb.
    pub kind: String,
    /// The embedded store's file; empty means `manager.redb` in the state directory.
    pub path: PathBuf,
}

/// `[mongodb]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are the database server's own words")]
pub struct Mongodb {
    pub host: String,
    pub port: String,
    pub user: String,
    pub password: String,
    pub database: String,
    pub options: String,
    pub ca_pem_enable: bool,
    pub ca_pem: String,
}

/// `[key]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// RSA key that signs user tokens, PEM text.
    pub rsa_private_key_pem: String,
    /// The same as a file; both empty: the key that `init` made.
    pub rsa_private_key_path: PathBuf,
    /// Public half of the decision makers' key, PEM text.
    pub dm_public_key_pem: String,
    /// The same as a file; both empty: the key that `init` made.
    pub dm_public_key_path: PathBuf,
    /// Private half, which lets the manager mint its own tokens; empty: the key that `init` made, if it is there.
    pub dm_private_key_path: PathBuf,
    /// The name this manager gives itself towards decision makers.
    pub client_id: String,
    /// How long a user's token lives.
    pub access_ttl: DurationText,
}

/// `[account]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Username of the first administrator; empty: `admin@localhost` with a one-time password.
    pub admin_email: String,
    /// His password, used only while that user does not exist.
    pub admin_password: String,
}

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// `kubernetes`, `folder`, or empty: folder if `pods_dir` is set, else kubernetes by `[k8s]`.
    pub kind: String,
    /// A folder of v1 Pod manifests, watched.
    pub pods_dir: PathBuf,
}

/// `[k8s]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct K8s {
    /// kubeconfig used outside a cluster.
    pub kube_config_path: PathBuf,
    /// Use the service account of the pod.
    pub in_cluster: bool,
    /// Accepted for older files, without effect: strategies live in the store.
    pub crd_namespace: String,
}

/// `[mtls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mtls {
    /// Speak TLS with client certificates to every decision maker.
    pub enable: bool,
    /// The name expected in a decision maker's certificate.
    pub server_name: String,
    /// Client certificate, PEM text.
    pub cert_pem: String,
    /// Its key, PEM text.
    pub key_pem: String,
    /// The authority trusted for decision makers, PEM text.
    pub ca_pem: String,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Accept priorities outside 0..20: above acts as 20, below as 0.
    pub accept_any_priority: bool,
}

/// One entry of `[[nodes]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// The node's name, as pods carry it in `spec.nodeName`.
    pub name: String,
    /// Its decision maker, `http://host:port`.
    pub url: String,
    /// The name expected in its certificate, where it differs from the address.
    pub server_name: String,
}

impl Default for Server {
    fn default() -> Self {
        Self { host: ":8081".into() }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: "info".into(), path: String::new(), file_path: String::new(), console: true }
    }
}

impl Default for StateDir {
    fn default() -> Self {
        Self { dir: "/var/lib/gthulhu".into() }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            rsa_private_key_pem: String::new(),
            rsa_private_key_path: PathBuf::new(),
            dm_public_key_pem: String::new(),
            dm_public_key_path: PathBuf::new(),
            dm_private_key_path: PathBuf::new(),
            client_id: "manager-client".into(),
            access_ttl: DurationText::new(Duration::from_secs(3 * 60 * 60)),
        }
    }
}

impl Default for Mtls {
    fn default() -> Self {
        Self {
            enable: false,
            server_name: "localhost".into(),
            cert_pem: String::new(),
            key_pem: String::new(),
            ca_pem: String::new(),
        }
    }
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
    /// Decides the store: its file, and why this one, as one sentence for the log.
    ///
    /// `mongodb_section`: the file has a `[mongodb]` section, even an empty one.
    pub fn store_choice(&self, mongodb_section: bool) -> Result<(PathBuf, String), Exit> {
        let asked = mongodb_section || !self.mongodb.host.is_empty();
        let reason = match (self.store.kind.as_str(), asked) {
            ("redb", _) => "store.kind is redb",
            ("", false) => "store.kind is empty and mongodb is not configured",
            ("mongodb", _) => return Err(no_mongodb("store.kind")),
            ("", true) => return Err(no_mongodb("mongodb.host")),
            (other, _) => {
                return Err(bad(format!("store.kind: `{other}` is neither `redb` nor `mongodb`")));
            }
        };
        let path = &self.store.path;
        let path =
            if path.as_os_str().is_empty() { self.state.dir.join("manager.redb") } else { path.clone() };
        Ok((path, reason.to_string()))
    }

    /// Decides where pods come from.
    pub fn cluster_choice(&self) -> Result<ClusterChoice, Exit> {
        let folder = &self.cluster.pods_dir;
        let kubernetes = self.k8s.in_cluster || !self.k8s.kube_config_path.as_os_str().is_empty();
        match (self.cluster.kind.as_str(), folder.as_os_str().is_empty()) {
            ("folder", true) => {
                Err(bad("cluster.pods_dir: must name a folder when cluster.kind is `folder`".into()))
            }
            ("folder" | "", false) => Ok(ClusterChoice::Folder(folder.clone())),
            ("kubernetes", _) => Err(no_kubernetes("cluster.kind")),
            ("", true) if kubernetes => Err(no_kubernetes("k8s")),
            ("", true) => Ok(ClusterChoice::None),
            (other, _) => Err(bad(format!("cluster.kind: `{other}` is neither `kubernetes` nor `folder`"))),
        }
    }

    /// Checks what no single key shows: the listed nodes, and switches this build cannot honour.
    pub fn check(&self) -> Result<(), Exit> {
        if self.mtls.enable {
            return Err(bad(
                "mtls.enable: this build has no TLS towards decision makers; set it to false".into()
            ));
        }
        for (i, node) in self.nodes.iter().enumerate() {
            if node.name.is_empty() {
                return Err(bad(format!("nodes[{i}].name: must be the node's name as pods carry it")));
            }
            if !node.url.starts_with("http://") {
                return Err(bad(format!("nodes[{i}].url: must begin with http://")));
            }
            if self.nodes[..i].iter().any(|other| other.name == node.name) {
                return Err(bad(format!("nodes[{i}].name: `{}` is listed twice", node.name)));
            }
        }
        Ok(())
    }

    /// The keys that are set although they do nothing, for one note each in the log.
    pub fn without_effect(&self) -> Vec<&'static str> {
        [
            ("logging.path", !self.logging.path.is_empty()),
            ("logging.file_path", !self.logging.file_path.is_empty()),
            ("k8s.crd_namespace", !self.k8s.crd_namespace.is_empty()),
        ]
        .into_iter()
        .filter_map(|(key, set)| set.then_some(key))
        .collect()
    }
}

/// Does the file have a `[mongodb]` section? An unreadable file answers no: loading it reports the error.
pub fn has_mongodb_section(file: &Path) -> bool {
    std::fs::read_to_string(file)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok())
        .is_some_and(|table| table.contains_key("mongodb"))
}

fn bad(message: String) -> Exit {
    Exit::new(exit::CONFIG, message)
}

fn no_mongodb(key: &str) -> Exit {
    bad(format!(
        "{key}: chooses MongoDB, and this build has only the embedded store; set store.kind = \"redb\""
    ))
}

fn no_kubernetes(key: &str) -> Exit {
    bad(format!("{key}: chooses Kubernetes, and this build has no Kubernetes client; set cluster.pods_dir"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_store_is_chosen_by_kind_then_by_section_then_by_host() {
        let path = |c: &Config, section| c.store_choice(section).map(|(path, _)| path).map_err(|e| e.code);
        assert_eq!(path(&Config::default(), false), Ok("/var/lib/gthulhu/manager.redb".into()));
        assert_eq!(path(&parse("[store]\npath = '/x/y'"), false), Ok("/x/y".into()));
        assert_eq!(path(&parse("[store]\nkind = 'redb'\n[mongodb]\nhost = 'h'"), true).is_ok(), true);
        for (text, section) in [
            ("[mongodb]", true),
            ("[mongodb]\nhost = 'h'", true),
            ("[store]\nkind = 'mongodb'", false),
            ("[store]\nkind = 'sqlite'", false),
        ] {
            assert_eq!(path(&parse(text), section), Err(78), "{text}");
        }
    }

    #[test]
    fn the_cluster_is_chosen_by_kind_then_by_what_is_set() {
        let choice = |text| parse(text).cluster_choice().map_err(|e| e.message);
        assert_eq!(choice(""), Ok(ClusterChoice::None));
        assert_eq!(choice("[cluster]\npods_dir = '/p'"), Ok(ClusterChoice::Folder("/p".into())));
        for (text, named) in [
            ("[cluster]\nkind = 'folder'", "cluster.pods_dir"),
            ("[cluster]\nkind = 'kubernetes'", "cluster.kind"),
            ("[cluster]\nkind = 'nomad'", "cluster.kind"),
            ("[k8s]\nin_cluster = true", "k8s"),
        ] {
            assert!(choice(text).unwrap_err().starts_with(named), "{text}");
        }
    }

    #[test]
    fn nodes_and_switches_are_checked_by_name() {
        for (text, named) in [
            ("[mtls]\nenable = true", "mtls.enable"),
            ("[[nodes]]\nurl = 'http://a:1'", "nodes[0].name"),
            ("[[nodes]]\nname = 'n'\nurl = 'a:1'", "nodes[0].url"),
            ("[[nodes]]\nname='n'\nurl='http://a'\n[[nodes]]\nname='n'\nurl='http://b'", "nodes[1].name"),
        ] {
            let error = parse(text).check().unwrap_err();
            assert!(error.message.starts_with(named), "{text}: {}", error.message);
            assert_eq!(error.code, 78);
        }
    }
}
