//! Rules that the configurations of several daemons share. None touches the network or makes a file.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Finding;
use crate::keys::KeyError;
use crate::time::DurationText;
use crate::{logs, server};

/// What example files write where a secret belongs.
pub const PLACEHOLDER: &str = "...";

/// Whether this is what example files write where a secret belongs.
pub fn is_placeholder(text: &str) -> bool {
    text.trim() == PLACEHOLDER
}

/// A listen address: `host:port`, or `:port` for all addresses. The host is not looked up.
pub fn address(key: &str, text: &str) -> Option<Finding> {
    let rule = "must be host:port, or :port for all addresses of this machine";
    server::check_address(text).is_err().then(|| Finding::wrong(key, rule))
}

/// A log level or filter.
pub fn log_level(key: &str, text: &str) -> Option<Finding> {
    let rule = "must be error, warn, info, debug, trace or off, or a filter such as \"info,hyper=warn\"";
    logs::check_level(text).is_err().then(|| Finding::wrong(key, rule))
}

/// A duration within a range.
pub fn duration(key: &str, value: DurationText, range: RangeInclusive<Duration>) -> Option<Finding> {
    let shown = |duration: &Duration| DurationText::new(*duration);
    let rule = || format!("must be {} to {}", shown(range.start()), shown(range.end()));
    (!range.contains(&value.get())).then(|| Finding::wrong(key, rule()))
}

/// A key for tokens that could not be used, found under `key`: the published one and the placeholder are examples,
/// the rest is wrong.
pub fn key_refused(key: &str, text: &str, error: &KeyError) -> Finding {
    match error {
        KeyError::Published { .. } => Finding::unserved(
            key,
            "is the key that the Go project publishes: anybody can sign with it; make a key of your own",
        ),
        _ if is_placeholder(text) => {
            Finding::unserved(key, "is the placeholder of an example; put a key of your own there")
        }
        error => Finding::wrong(key, format!("must hold an RSA key in PEM: {error}")),
    }
}

/// A certificate, or a chain of them.
pub fn certificate(key: &str, text: &str) -> Option<Finding> {
    pem_blocks(key, text, "a certificate", &["CERTIFICATE"])
}

fn pem_blocks(key: &str, text: &str, what: &str, labels: &[&str]) -> Option<Finding> {
    let rule = format!("must hold {what} in PEM");
    if is_placeholder(text) {
        return Some(Finding::unserved(key, format!("is the placeholder of an example; it {rule}")));
    }
    match pem::parse_many(text) {
        Ok(blocks) if !blocks.is_empty() => {
            let strange = blocks.iter().find(|block| !labels.contains(&block.tag()))?;
            Some(Finding::wrong(key, format!("{rule}, not a block `{}`", strange.tag())))
        }
        _ => Some(Finding::wrong(key, rule)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn levels_of_a_key_that_cannot_be_used() {
        let level = |text: &str, error: &KeyError| key_refused("k", text, error).level;
        let published = KeyError::Published { config_key: "k".into() };
        assert_eq!(level("whatever", &published), Level::Unserved);
        assert_eq!(level(" ...\n", &KeyError::NotPem), Level::Unserved);
        assert_eq!(level("....", &KeyError::NotPem), Level::Wrong);
    }

    #[test]
    fn durations_have_both_ends() {
        let range = Duration::from_millis(50)..=Duration::from_secs(3600);
        let check = |ms| duration("node.poll", DurationText::new(Duration::from_millis(ms)), range.clone());
        assert_eq!((check(50), check(3_600_000)), (None, None));
        for ms in [49, 3_600_001] {
            assert_eq!(check(ms).unwrap().to_string(), "`node.poll` must be 50ms to 1h");
        }
    }
}
