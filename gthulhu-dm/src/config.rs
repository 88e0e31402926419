//! The configuration: what may be set, what each value must be, and what it means when it is left out.
//!
//! [`Config`] mirrors the file (`config/dm_config.toml` names every key). Its `examine` says all there is to say about the
//! values together, before anything is done with them; after that, no code asks again whether a value makes sense.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use gthulhu_http::settings::{Configuration, Finding, Origins, rules};
use serde::{Deserialize, Serialize};

use crate::source;

pub mod key;
mod sections;

pub use sections::{
    Daemon, Feed, Limits, Logging, Metrics, Mtls, Node, ProcessesBy, PublicKeyFrom, Server, State,
    Strategies, Token,
};

/// Everything that can be set: by file, and each key by `DM_SECTION_KEY` in the environment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "each field is the section of that name, and the section's type says what it holds"
)]
pub struct Config {
    pub server: Server,
    pub logging: Logging,
    pub token: Token,
    pub mtls: Mtls,
    pub state: State,
    pub node: Node,
    pub limits: Limits,
    pub strategies: Strategies,
    pub metrics: Metrics,
    pub feed: Feed,
    pub daemon: Daemon,
}

const TOKEN_HOURS: RangeInclusive<u32> = 1..=8760;
const FRESH: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10);
const POLL: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(3600);

/// A socket's address has 107 bytes; the rest is for the name that it has while it is being made.
const SOCKET_BYTES_MAX: usize = 100;

/// Whether there can be a socket at this path, as far as the path goes.
fn socket_can_be(path: &Path) -> bool {
    path.is_absolute() && path.file_name().is_some() && path.as_os_str().len() <= SOCKET_BYTES_MAX
}

impl Configuration for Config {
    const PROGRAM: &'static str = "gthulhu-dm";
    const PREFIX: &'static str = "DM";
    const NAME: &'static str = "dm_config";

    fn examine(&self, _: &Origins) -> Vec<Finding> {
        let mut found = self.wrong();
        found.extend(key::load(&self.token).err());
        if self.mtls.enable {
            found.extend(self.mtls.source().examine());
        }
        if self.token.allow_public_key == PublicKeyFrom::Any {
            found.push(Finding::warning(
                "token.allow_public_key",
                "is \"any\": whoever reaches this port and knows the public key controls scheduling",
            ));
        }
        found.extend(self.notes());
        found
    }
}

impl Config {
    /// What no decision maker could work with, the signing key aside.
    fn wrong(&self) -> Vec<Finding> {
        let hours = &self.token.token_duration_hr;
        let rows = [
            rules::address("server.host", &self.server.host),
            (!self.server.probe_host.is_empty())
                .then(|| rules::address("server.probe_host", &self.server.probe_host))
                .flatten(),
            rules::log_level("logging.level", &self.logging.level),
            (!TOKEN_HOURS.contains(hours)).then(|| {
                let rule = format!("must be {} to {}", TOKEN_HOURS.start(), TOKEN_HOURS.end());
                Finding::wrong("token.token_duration_hr", rule)
            }),
            rules::duration("node.poll", self.node.poll, POLL),
            rules::duration("node.fresh", self.node.fresh, FRESH),
            (self.state.dir.as_os_str().is_empty())
                .then(|| Finding::wrong("state.dir", "must name a directory")),
            source::walk(&self.node)
                .err()
                .map(|error| Finding::wrong("node.cgroup_root", format!("must be a cgroup's path: {error}"))),
            (!self.feed.path().is_none_or(socket_can_be)).then(|| {
                let rule =
                    format!("must be an absolute path of at most {SOCKET_BYTES_MAX} bytes, or \"off\"");
                Finding::wrong("feed.socket", rule)
            }),
        ];
        rows.into_iter().flatten().collect()
    }

    /// Settings without effect that are set.
    fn notes(&self) -> Vec<Finding> {
        let default = Config::default();
        let (token, daemon) = (&self.token, &self.daemon);
        let both =
            !token.rsa_private_key_pem.is_empty() && !token.rsa_private_key_path.as_os_str().is_empty();
        let rows = [
            (
                self.logging.path != default.logging.path,
                "logging.path",
                "has no effect: the log goes to standard error",
            ),
            (!token.enable, "token.enable", "has no effect: tokens are always required"),
            (both, "token.rsa_private_key_path", "is not read: token.rsa_private_key_pem is set"),
            (
                !self.server.probe_host.is_empty() && !self.mtls.enable,
                "server.probe_host",
                "has no effect while mtls.enable is false: the probes are on server.host",
            ),
            (!self.mtls.server_name.is_empty(), "mtls.server_name", "has no effect in the decision maker"),
            (
                daemon.endpoint != default.daemon.endpoint,
                "daemon.endpoint",
                "has no effect in the decision maker",
            ),
            (
                daemon.timeout_sec != default.daemon.timeout_sec,
                "daemon.timeout_sec",
                "has no effect in the decision maker",
            ),
        ];
        rows.into_iter().filter(|row| row.0).map(|(_, key, note)| Finding::note(key, note)).collect()
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_http::settings::Level;
    use gthulhu_http::time::DurationText;

    use super::*;

    fn edited(edit: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        edit(&mut config);
        config
    }

    fn of(found: &[Finding], level: Level) -> Vec<&str> {
        let chosen = found.iter().filter(|finding| finding.level == level);
        chosen.map(|finding| finding.key.as_str()).collect()
    }

    #[test]
    fn the_defaults_lack_a_key_and_nothing_else() {
        let found = Config::default().examine(&Origins::default());
        let keys: Vec<&str> = found.iter().map(|finding| finding.key.as_str()).collect();
        assert_eq!(keys, ["token.rsa_private_key_path"]);
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        type Edit = fn(&mut Config);
        let rows: [(&str, Edit); 12] = [
            ("server.host", |c| c.server.host = "8080".into()),
            ("server.probe_host", |c| c.server.probe_host = "8081".into()),
            ("logging.level", |c| c.logging.level = "loud".into()),
            ("token.token_duration_hr", |c| c.token.token_duration_hr = 0),
            ("token.token_duration_hr", |c| c.token.token_duration_hr = 8761),
            ("node.poll", |c| c.node.poll = DurationText::new(Duration::from_millis(49))),
            ("node.poll", |c| c.node.poll = DurationText::new(Duration::from_secs(3601))),
            ("state.dir", |c| c.state.dir = "".into()),
            ("node.cgroup_root", |c| c.node.cgroup_root = "../kubepods".into()),
            ("feed.socket", |c| c.feed.socket = "feed.sock".into()),
            ("feed.socket", |c| c.feed.socket = "/".into()),
            ("feed.socket", |c| c.feed.socket = format!("/{}", "s".repeat(100)).into()),
        ];
        for (key, edit) in rows {
            assert_eq!(of(&edited(edit).wrong(), Level::Wrong), [key]);
        }
    }

    #[test]
    fn mutual_tls_is_judged_only_when_it_is_on() {
        let mut config = edited(|c| {
            c.mtls.cert_pem = "...".into();
            c.mtls.key_pem = "garbage".into();
        });
        assert!(!config.examine(&Origins::default()).iter().any(|finding| finding.key.starts_with("mtls")));
        config.mtls.enable = true;
        let found = config.examine(&Origins::default());
        assert_eq!(of(&found, Level::Unserved), ["mtls.cert_pem"]);
        assert!(of(&found, Level::Wrong).ends_with(&["mtls.key_pem", "mtls.ca_path"]));
    }

    #[test]
    fn keys_without_effect_are_named() {
        let config = edited(|c| {
            c.logging.path = "logs/app.log".to_owned();
            c.token.enable = false;
            c.token.rsa_private_key_pem = "...".into();
            c.token.rsa_private_key_path = "/key.pem".into();
            c.token.allow_public_key = PublicKeyFrom::Any;
            c.server.probe_host = ":8081".to_owned();
            c.mtls.server_name = "localhost".to_owned();
            c.daemon.timeout_sec = 9;
        });
        let found = config.examine(&Origins::default());
        let notes = [
            "logging.path",
            "token.enable",
            "token.rsa_private_key_path",
            "server.probe_host",
            "mtls.server_name",
            "daemon.timeout_sec",
        ];
        assert_eq!(of(&found, Level::Note), notes);
        assert_eq!(of(&found, Level::Warning), ["token.allow_public_key"]);
        assert_eq!(of(&found, Level::Unserved), ["token.rsa_private_key_pem"]);
        assert_eq!(of(&found, Level::Wrong), [""; 0]);
    }

    #[test]
    fn keys_are_never_shown() {
        let config = edited(|c| {
            c.token.rsa_private_key_pem = "TOKENKEY".into();
            c.mtls.key_pem = "TLSKEY".into();
        });
        let shown = format!("{config:?}");
        assert!(!shown.contains("TOKENKEY") && !shown.contains("TLSKEY"), "{shown}");
    }
}
