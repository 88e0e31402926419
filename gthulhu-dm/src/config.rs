//! The configuration: what may be set, what each value must be, and what it means when it is left out.
//!
//! [`Config`] mirrors the file (`config/dm_config.toml` names every key). [`Config::check`] refuses values that cannot
//! work, [`Config::notes`] gives the remarks a person should see once at start; after those two, no code asks again
//! whether a value makes sense.

use std::time::Duration;

use gthulhu_http::exit::{self, Exit};
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod sections;

pub use sections::{
    Daemon, Limits, Logging, Metrics, Mtls, Node, PublicKeyFrom, Secret, Server, State, Strategies, Token,
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
    pub daemon: Daemon,
}

/// A value that cannot work: the key, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key} {rule}")]
pub struct Refused {
    /// The key, as `section.key`.
    pub key: &'static str,
    /// What the value must be; never the value itself, which may be a secret.
    pub rule: String,
}

impl Refused {
    /// A refusal of `key`.
    pub fn new(key: &'static str, rule: impl Into<String>) -> Self {
        Refused { key, rule: rule.into() }
    }
}

impl From<Refused> for Exit {
    fn from(refused: Refused) -> Exit {
        Exit::new(exit::CONFIG, refused.to_string())
    }
}

const LONGEST_TOKEN_HOURS: u32 = 8760;
const POLL: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(3600);

impl Config {
    /// Refuses values that cannot work. What needs more than a look is checked where it is used: the signing key
    /// in `auth`, the log level by the log, the address by the listener, the cgroup root by the walk.
    pub fn check(&self) -> Result<(), Refused> {
        if self.mtls.enable {
            return Err(Refused::new("mtls.enable", "must be false: this build has no TLS listener"));
        }
        if !(1..=LONGEST_TOKEN_HOURS).contains(&self.token.token_duration_hr) {
            return Err(Refused::new(
                "token.token_duration_hr",
                format!("must be 1 to {LONGEST_TOKEN_HOURS}"),
            ));
        }
        if !POLL.contains(&self.node.poll.get()) {
            return Err(Refused::new("node.poll", "must be 50 ms to 1 h"));
        }
        if self.state.dir.as_os_str().is_empty() {
            return Err(Refused::new("state.dir", "must name a directory"));
        }
        Ok(())
    }

    /// What a person should know about these settings: one sentence each.
    pub fn notes(&self) -> Vec<&'static str> {
        let default = Config::default();
        let rows = [
            (
                self.logging.path != default.logging.path,
                "logging.path has no effect: the log goes to standard error",
            ),
            (!self.token.enable, "token.enable has no effect: tokens are always required"),
            (
                !self.token.rsa_private_key_pem.is_empty()
                    && !self.token.rsa_private_key_path.as_os_str().is_empty(),
                "token.rsa_private_key_path is not read: token.rsa_private_key_pem is set",
            ),
            (!self.mtls.server_name.is_empty(), "mtls.server_name has no effect in the decision maker"),
            (self.daemon != default.daemon, "the daemon section has no effect in the decision maker"),
        ];
        rows.into_iter().filter_map(|(applies, note)| applies.then_some(note)).collect()
    }

    /// Whether everybody who reaches the port can have a token: worth a warning, not a refusal.
    pub fn public_key_is_enough(&self) -> bool {
        self.token.allow_public_key == PublicKeyFrom::Any
    }
}

#[cfg(test)]
mod tests {
    use gthulhu_http::time::DurationText;

    use super::*;

    fn edited(edit: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        edit(&mut config);
        config
    }

    #[test]
    fn the_defaults_pass_without_a_word() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(Config::default().notes(), Vec::<&str>::new());
        assert!(!Config::default().public_key_is_enough());
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        type Edit = fn(&mut Config);
        let rows: [(&str, Edit); 6] = [
            ("mtls.enable", |c| c.mtls.enable = true),
            ("token.token_duration_hr", |c| c.token.token_duration_hr = 0),
            ("token.token_duration_hr", |c| c.token.token_duration_hr = 8761),
            ("node.poll", |c| c.node.poll = DurationText::new(Duration::from_millis(49))),
            ("node.poll", |c| c.node.poll = DurationText::new(Duration::from_secs(3601))),
            ("state.dir", |c| c.state.dir = "".into()),
        ];
        for (key, edit) in rows {
            assert_eq!(edited(edit).check().map_err(|refused| refused.key), Err(key));
        }
    }

    #[test]
    fn keys_without_effect_are_named() {
        let config = edited(|c| {
            c.logging.path = "logs/app.log".to_owned();
            c.token.enable = false;
            c.token.rsa_private_key_pem = "...".into();
            c.token.rsa_private_key_path = "/key.pem".into();
            c.mtls.server_name = "localhost".to_owned();
            c.daemon.timeout_sec = 9;
        });
        assert_eq!(config.check(), Ok(()));
        let notes = config.notes();
        for (note, key) in notes.iter().zip([
            "logging.path",
            "token.enable",
            "token.rsa_private_key_path",
            "mtls.server_name",
            "daemon",
        ]) {
            assert!(note.contains(key), "{note}");
        }
        assert_eq!(notes.len(), 5);
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
