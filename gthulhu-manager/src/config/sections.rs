//! The sections of the configuration file, one type each, with the default of every key.

use std::path::PathBuf;
use std::time::Duration;

use gthulhu_http::settings::Secret;
use gthulhu_http::time::DurationText;
use serde::{Deserialize, Serialize};

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Listen address, `host:port`; an empty host means all addresses.
    pub host: String,
    /// TLS on that address.
    pub tls: ServerTls,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTls {
    /// Speak TLS with whoever calls the API; nobody has to show a certificate.
    pub enable: bool,
    /// The API's certificate, PEM text.
    pub cert_pem: String,
    /// Its key, PEM text.
    pub key_pem: Secret,
    /// The file that holds the certificate instead; it is read again when it changes, as is the other.
    pub cert_path: PathBuf,
    /// The file that holds the key instead.
    pub key_path: PathBuf,
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
    pub password: Secret,
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
    pub rsa_private_key_pem: Secret,
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
    /// How long a user's token lives, 1 min to 24 h.
    pub access_ttl: DurationText,
}

/// `[account]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Username of the first administrator; empty: `admin@localhost` with a one-time password.
    pub admin_email: String,
    /// His password, used only while that user does not exist.
    pub admin_password: Secret,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct K8s {
    /// kubeconfig used outside a cluster.
    pub kube_config_path: PathBuf,
    /// Use the service account of the pod.
    pub in_cluster: bool,
    /// The namespace that decision makers are looked for in; empty: in a cluster the manager's own, else none is looked for.
    pub dm_namespace: String,
    /// The labels of their pods, `key=value` joined by commas.
    pub dm_selector: String,
    /// The service account that they run under.
    pub dm_service_account: String,
    /// Accepted for older files, without effect: strategies live in the store.
    pub crd_namespace: String,
}

/// `[mtls]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Mtls {
    /// Speak TLS with client certificates to every decision maker.
    pub enable: bool,
    /// The name expected in a decision maker's certificate that has no identity; empty: the host that is called.
    pub server_name: String,
    /// Client certificate, PEM text.
    pub cert_pem: String,
    /// Its key, PEM text.
    pub key_pem: Secret,
    /// The authority trusted for decision makers, PEM text.
    pub ca_pem: String,
    /// The file that holds the certificate instead; it is read again when it changes, as are the other two.
    pub cert_path: PathBuf,
    /// The file that holds the key instead.
    pub key_path: PathBuf,
    /// The file that holds the authorities instead. All six empty: what `init` made.
    pub ca_path: PathBuf,
    /// The cluster whose nodes are called; empty: any that the authority knows.
    pub cluster: String,
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
    /// Its decision maker, `http://host:port`; `https://host:port` while `mtls.enable` is true.
    pub url: String,
    /// The name expected in its certificate if that has no identity; empty: that of `[mtls]`.
    pub server_name: String,
}

impl Default for Server {
    fn default() -> Self {
        Self { host: ":8081".into(), tls: ServerTls::default() }
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
            rsa_private_key_pem: Secret::default(),
            rsa_private_key_path: PathBuf::new(),
            dm_public_key_pem: String::new(),
            dm_public_key_path: PathBuf::new(),
            dm_private_key_path: PathBuf::new(),
            client_id: "manager-client".into(),
            access_ttl: DurationText::new(Duration::from_secs(3 * 60 * 60)),
        }
    }
}

impl Default for K8s {
    fn default() -> Self {
        Self {
            kube_config_path: PathBuf::new(),
            in_cluster: false,
            dm_namespace: String::new(),
            dm_selector: "app=decisionmaker".into(),
            dm_service_account: "gthulhu-decisionmaker".into(),
            crd_namespace: String::new(),
        }
    }
}
