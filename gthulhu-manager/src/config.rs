//! The manager's configuration: every key, its default, and what it means together with the others.
//!
//! Reading (file, environment, unknown keys) is `gthulhu_http::settings`. `examine` says all there is to say about the
//! values, before anything is done with them; the [`choice`] of store and cluster makes one firm value of loose settings.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use gthulhu_http::settings::{Configuration, Finding, Origins, rules};
use serde::{Deserialize, Serialize};

pub mod choice;
mod sections;
mod tls;

pub use choice::{ClusterChoice, StoreChoice};
pub use sections::{
    Account, ClusterConfig, K8s, Keys, Limits, Logging, Mongodb, Mtls, Node, Server, ServerTls, StateDir,
    StoreConfig,
};

use crate::cluster::kubernetes::Source;
use crate::domain::is_published;
use crate::init::Layout;
use crate::keyring;

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

/// A refresh lives for a day; a token that outlives it would be no token but a password.
const ACCESS_TTL: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(24 * 60 * 60);
/// The longest name that decision makers put into a token, in bytes.
const CLIENT_ID_MAX: usize = 256;
/// What examples write as the database user's password.
const EXAMPLE_MONGODB_PASSWORDS: [&str; 2] = ["test", rules::PLACEHOLDER];

impl Configuration for Config {
    const PROGRAM: &'static str = "gthulhu-manager";
    const PREFIX: &'static str = "MANAGER";
    const NAME: &'static str = "manager_config";
    const TELLING: &'static [(&'static str, &'static str)] = &[("mongodb", "mongodb.host")];

    fn examine(&self, origins: &Origins) -> Vec<Finding> {
        let mut found = self.single_values();
        found.extend(self.store_choice(origins.has_section("mongodb")).err());
        let chosen = self.store.kind == "mongodb";
        if chosen || (self.store.kind.is_empty() && self.asks_for_mongodb(origins.has_section("mongodb"))) {
            found.extend(self.mongodb.examine());
        }
        match self.cluster_choice() {
            Ok(ClusterChoice::Kubernetes(source, finder)) => {
                found.extend(kubernetes_at(&source, finder.is_some()));
            }
            Ok(_) => {}
            Err(finding) => found.push(finding),
        }
        found.extend(keyring::check(&self.key, &Layout::new(&self.state.dir)));
        found.extend(self.account.examine());
        found.extend(self.server.tls.examine());
        found.extend(self.mtls.examine(&Layout::new(&self.state.dir)));
        found.extend(self.listed_nodes());
        found.extend(self.without_effect());
        found
    }
}

impl Config {
    fn single_values(&self) -> Vec<Finding> {
        let pods_dir = &self.cluster.pods_dir;
        let rows = [
            rules::address("server.host", &self.server.host),
            rules::log_level("logging.level", &self.logging.level),
            is_empty(&self.state.dir).then(|| Finding::wrong("state.dir", "must name a directory")),
            rules::duration("key.access_ttl", self.key.access_ttl, ACCESS_TTL),
            (self.key.client_id.len() > CLIENT_ID_MAX)
                .then(|| Finding::wrong("key.client_id", format!("must have at most {CLIENT_ID_MAX} bytes"))),
            (!is_empty(pods_dir) && !pods_dir.is_dir()).then(|| {
                Finding::warning(
                    "cluster.pods_dir",
                    "is no directory on this machine; make it before the start",
                )
            }),
        ];
        rows.into_iter().flatten().collect()
    }

    /// Decision makers named by hand.
    fn listed_nodes(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for (i, Node { name, url, .. }) in self.nodes.iter().enumerate() {
            let name_key = format!("nodes[{i}].name");
            if name.is_empty() {
                found.push(Finding::wrong(name_key, "must be the node's name as pods carry it"));
            } else if self.nodes[..i].iter().any(|other| other.name == *name) {
                found.push(Finding::wrong(
                    name_key,
                    format!("is `{name}` a second time; name each node once"),
                ));
            }
            let (scheme, rule) = if self.mtls.enable {
                ("https", "must be https://host:port while mtls.enable is true")
            } else {
                ("http", "must be http://host:port; https:// needs mtls.enable")
            };
            let is_address = |uri: http::Uri| uri.scheme_str() == Some(scheme) && uri.host().is_some();
            if !url.parse().is_ok_and(is_address) {
                found.push(Finding::wrong(format!("nodes[{i}].url"), rule));
            }
        }
        found
    }

    /// Keys that are set although they do nothing.
    fn without_effect(&self) -> Vec<Finding> {
        let stderr = "has no effect: the log goes to standard error";
        let rows = [
            (!self.logging.path.is_empty(), "logging.path", stderr),
            (!self.logging.file_path.is_empty(), "logging.file_path", stderr),
            (!self.logging.console, "logging.console", stderr),
            (
                !self.k8s.crd_namespace.is_empty(),
                "k8s.crd_namespace",
                "has no effect: strategies are kept in the store",
            ),
            (
                self.account.admin_email.is_empty() && !self.account.admin_password.is_empty(),
                "account.admin_password",
                "is not read: account.admin_email is empty",
            ),
        ];
        rows.into_iter().filter(|row| row.0).map(|(_, key, note)| Finding::note(key, note)).collect()
    }
}

impl Account {
    fn examine(&self) -> Option<Finding> {
        const KEY: &str = "account.admin_password";
        match self {
            Self { admin_email, .. } if admin_email.is_empty() => None,
            Self { admin_password, .. } if admin_password.is_empty() => {
                Some(Finding::warning(KEY, "is empty: the start that makes this administrator needs one"))
            }
            Self { admin_password, .. } if is_published(admin_password.reveal()) => {
                Some(Finding::unserved(KEY, "is a password that examples print; choose one of your own"))
            }
            Self { .. } => None,
        }
    }
}

/// The port that a server has unless it is told otherwise.
const MONGODB_PORT: &str = "27017";
/// The database that the Go manager uses unless it is told otherwise.
const MONGODB_DATABASE: &str = "manager";

impl Mongodb {
    /// `host:port`, as messages name the server.
    pub fn address(&self) -> String {
        let port = if self.port.is_empty() { MONGODB_PORT } else { &self.port };
        match self.host.parse::<Ipv6Addr>() {
            Ok(_) => format!("[{}]:{port}", self.host),
            Err(_) => format!("{}:{port}", self.host),
        }
    }

    /// The database's name.
    pub fn database_name(&self) -> &str {
        if self.database.is_empty() { MONGODB_DATABASE } else { &self.database }
    }

    /// What the driver says about the options.
    #[cfg(feature = "mongodb")]
    fn unusable_options(&self) -> Option<Finding> {
        let reason = self.check_options().err().filter(|_| !self.host.is_empty())?;
        Some(Finding::wrong("mongodb.options", format!("must be options of a URI: {reason}")))
    }

    fn examine(&self) -> Vec<Finding> {
        let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
        let rows = [
            self.host.is_empty().then(|| {
                Finding::wrong("mongodb.host", "must name the server's host, such as \"localhost\"")
            }),
            (!self.port.is_empty() && !is_port(&self.port))
                .then(|| Finding::wrong("mongodb.port", "must be a port in quotes, such as \"27017\"")),
            EXAMPLE_MONGODB_PASSWORDS.contains(&self.password.reveal()).then(|| {
                Finding::warning(
                    "mongodb.password",
                    "is a password that examples print; choose one of your own",
                )
            }),
            self.ca_pem_enable.then(|| rules::certificate("mongodb.ca_pem", &self.ca_pem)).flatten(),
            #[cfg(feature = "mongodb")]
            self.unusable_options(),
        ];
        rows.into_iter().flatten().collect()
    }
}

/// What there is to say of where the Kubernetes API is described.
fn kubernetes_at(source: &Source, finds_decision_makers: bool) -> Option<Finding> {
    match source {
        Source::Kubeconfig(path) if !path.is_file() => {
            Some(Finding::unserved("k8s.kube_config_path", "is no file on this machine"))
        }
        _ => (!finds_decision_makers).then(|| {
            let rule = "is empty: no decision maker is looked for, only those of [[nodes]] are known";
            Finding::note("k8s.dm_namespace", rule)
        }),
    }
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

#[cfg(test)]
mod tests;
