//! A setting that is never shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that is never shown: not in logs, not in errors, not by `Debug`. It serialises as the plain text, for those who
/// list the keys of a configuration; `config show` leaves its value out by the key's name.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "(hidden)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reveal_shows_it() {
        let secret = Secret::from("swordfish");
        assert_eq!(format!("{secret:?} {:?}", Secret::default()), "(hidden) \"\"");
        assert_eq!(secret.reveal(), "swordfish");
    }
}
