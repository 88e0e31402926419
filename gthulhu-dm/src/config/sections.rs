//! The sections of the configuration file, one type each, with the default of every key.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use gthulhu_http::settings::Secret;
use gthulhu_http::time::DurationText;
use gthulhu_http::tls::{Pem, Source};
use serde::{Deserialize, Serialize};

/// `[server]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// The address to listen on; `:8080` is port 8080 of every address.
    pub host: String,
    /// Where `/livez`, `/readyz` and `/metrics` are served too, without TLS, while `mtls.enable` is true; empty: nowhere.
    pub probe_host: String,
}

impl Default for Server {
    fn default() -> Self {
        Server { host: ":8080".to_owned(), probe_host: String::new() }
    }
}

/// `[logging]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,gthulhu_dm=debug`.
    pub level: String,
    /// Without effect: the log goes to standard error.
    pub path: String,
}

impl Default for Logging {
    fn default() -> Self {
        Logging { level: "info".to_owned(), path: String::new() }
    }
}

/// Who may exchange the bare public key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublicKeyFrom {
    /// Only callers on this machine.
    #[default]
    Loopback,
    /// Everybody who reaches the port: knowing a public key is then the whole credential.
    Any,
}

/// `[token]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Token {
    /// Without effect: tokens are always required.
    pub enable: bool,
    /// The RSA key that signs and verifies tokens, as PEM text.
    pub rsa_private_key_pem: Secret,
    /// The file that holds that key instead; only its owner may read it and, if that is root, a group.
    pub rsa_private_key_path: PathBuf,
    /// How many hours a token is good for, 1 to 8760.
    pub token_duration_hr: u32,
    /// Who may exchange the bare public key for a token.
    pub allow_public_key: PublicKeyFrom,
}

impl Default for Token {
    fn default() -> Self {
        Token {
            enable: true,
            rsa_private_key_pem: Secret::default(),
            rsa_private_key_path: PathBuf::new(),
            token_duration_hr: 24,
            allow_public_key: PublicKeyFrom::default(),
        }
    }
}

impl Token {
    /// How long a token is good for.
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.token_duration_hr) * 3600)
    }
}

/// `[mtls]`: TLS on the listener, for managers only. Nothing here is parsed while `enable` is false.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mtls {
    /// Whether the listener demands client certificates.
    pub enable: bool,
    /// The listener's certificate, PEM.
    pub cert_pem: Secret,
    /// The key of that certificate, PEM.
    pub key_pem: Secret,
    /// The authority that client certificates must come from, PEM.
    pub ca_pem: Secret,
    /// The file that holds the certificate instead; it is read again when it changes, as are the other two.
    pub cert_path: PathBuf,
    /// The file that holds the key instead.
    pub key_path: PathBuf,
    /// The file that holds the authorities instead.
    pub ca_path: PathBuf,
    /// The cluster whose manager may call; empty: any that the authority knows.
    pub cluster: String,
    /// Without effect here: a server's name is in its certificate.
    pub server_name: String,
}

impl Mtls {
    /// Where certificate, key and authorities come from.
    pub fn source(&self) -> Source {
        Source {
            section: "mtls",
            cert: Pem::of(self.cert_pem.reveal(), &self.cert_path),
            key: Pem::of(self.key_pem.reveal(), &self.key_path),
            ca: Some(Pem::of(self.ca_pem.reveal(), &self.ca_path)),
        }
    }
}

/// `[daemon]`: without effect; known so that existing files load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemon {
    /// Without effect.
    pub endpoint: String,
    /// Without effect.
    pub timeout_sec: u32,
}

impl Default for Daemon {
    fn default() -> Self {
        Daemon { endpoint: "http://127.0.0.1:18080".to_owned(), timeout_sec: 5 }
    }
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The directory that keeps what must survive a restart; made 0700 when it is missing.
    pub dir: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        State { dir: PathBuf::from("/var/lib/gthulhu") }
    }
}

/// How processes are found. What each way needs is said in `config/dm_config.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessesBy {
    /// What a monitor (`gthulhu-scx monitor`) tells while one is at the feed; else the first of the following that works
    /// here.
    #[default]
    Auto,
    /// The kernel tells of forks, programs and ends.
    ProcConnector,
    /// The cgroups of pods that have intents are read.
    CgroupProcs,
    /// Every process is read.
    ProcWalk,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// This node's name; empty: `NODE_NAME` of the environment, else the host's name.
    pub name: String,
    /// How processes are found.
    pub source: ProcessesBy,
    /// How often processes are looked up when nobody asks, 50 ms to 1 h.
    pub poll: DurationText,
    /// How long schedulers may be answered from the last look at the processes, up to 10 s; 0 s: each answer has a look
    /// of its own.
    pub fresh: DurationText,
    /// The cgroup below which pods are found; empty: the usual kubepods roots.
    pub cgroup_root: String,
    /// The proc file system to read: the host's, which a container may have mounted elsewhere.
    pub proc_root: PathBuf,
    /// Whether a push without numbers may replace a numbered set.
    pub accept_unnumbered: bool,
}

impl Default for Node {
    fn default() -> Self {
        Node {
            name: String::new(),
            source: ProcessesBy::default(),
            poll: DurationText::new(Duration::from_secs(1)),
            fresh: DurationText::new(Duration::from_millis(100)),
            cgroup_root: String::new(),
            proc_root: PathBuf::from("/proc"),
            accept_unnumbered: false,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Whether priorities outside 0 to 20 are taken and act as the nearest end instead of being refused.
    pub accept_any_priority: bool,
}

/// `[strategies]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Strategies {
    /// Whether schedulers get a row for every thread, not only for each process's leader.
    pub threads: bool,
}

impl Default for Strategies {
    fn default() -> Self {
        Strategies { threads: true }
    }
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Whether the scheduler's counters also appear under their short names (`nr_queued`).
    pub compat_names: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics { compat_names: true }
    }
}

/// `[feed]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feed {
    /// The unix socket that the node's scheduler connects to, an absolute path; `off` or empty: there is none.
    pub socket: PathBuf,
}

impl Default for Feed {
    fn default() -> Self {
        Feed { socket: PathBuf::from("/run/gthulhu/feed.sock") }
    }
}

impl Feed {
    /// Where the socket is to be, if there is to be one.
    pub fn path(&self) -> Option<&Path> {
        let path = self.socket.as_path();
        (!path.as_os_str().is_empty() && path != Path::new("off")).then_some(path)
    }
}
