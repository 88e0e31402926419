//! What a look at a configuration as a whole finds, beyond single values of a wrong type.

use std::fmt;

use crate::exit::{self, Exit};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nobody could work with this value: `config check` and `serve` refuse it.
    Wrong,
    /// A credential that examples print, or something that this build does not have: the file may be a faithful copy
    /// of one that works elsewhere, so `config check` warns, but `serve` refuses it.
    Unserved,
    /// It works, and somebody should think about it.
    Warning,
    /// It does nothing, or not what its name says.
    Note,
}

/// One finding, about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The key, `section.key` or `nodes[0].url`.
    pub key: String,
    /// How bad it is.
    pub level: Level,
    /// The rest of the sentence that begins with the key: what to write. Never a secret.
    pub rule: String,
}

impl Finding {
    /// A value that cannot work.
    pub fn wrong(key: impl Into<String>, rule: impl Into<String>) -> Finding {
        Finding { key: key.into(), level: Level::Wrong, rule: rule.into() }
    }

    /// A value that only `serve` refuses.
    pub fn unserved(key: impl Into<String>, rule: impl Into<String>) -> Finding {
        Finding { level: Level::Unserved, ..Finding::wrong(key, rule) }
    }

    /// A value worth a thought.
    pub fn warning(key: impl Into<String>, rule: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, ..Finding::wrong(key, rule) }
    }

    /// A value without the effect that one might expect.
    pub fn note(key: impl Into<String>, rule: impl Into<String>) -> Finding {
        Finding { level: Level::Note, ..Finding::wrong(key, rule) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.key, self.rule)
    }
}

impl From<Finding> for Exit {
    fn from(finding: Finding) -> Exit {
        Exit::new(exit::CONFIG, finding.to_string())
    }
}
