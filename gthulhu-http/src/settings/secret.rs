//! Settings that are never shown, by type and by name.

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

/// Whether what stands under this key (`key_pem`, `account.admin_password`, `tokens[0]`) stays out of everything that is
/// shown. The only list of such names: a new key that holds a secret is named by one of them.
///
/// Errs on the side of hiding: certificates are hidden with other PEM texts. The name of a file that holds a secret, and
/// what is said about a public key, are none.
pub(super) fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    let name = last.split('[').next().unwrap_or(&last);
    let ends = |word: &str| name.strip_suffix('s').unwrap_or(name).ends_with(word);
    ["password", "passphrase", "secret"].iter().any(|word| name.contains(word))
        || ["pem", "token", "key"].iter().any(|word| ends(word)) && !ends("public_key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for (key, secret) in [
            ("account.admin_password", true),
            ("mongodb.Password", true),
            ("account.password_of_old", true),
            ("client_secrets", true),
            ("mtls.key_pem", true),
            ("key.rsa_private_key_pem", true),
            ("account.pin_key", true),
            ("api_keys[3]", true),
            ("nodes[1].token", true),
            ("key.rsa_private_key_path", false),
            ("token.allow_public_key", false),
            ("token.token_duration_hr", false),
            ("mongodb.ca_pem_enable", false),
            ("token", true),
            ("server.host", false),
            ("", false),
        ] {
            assert_eq!(is_secret(key), secret, "{key}");
        }
    }

    #[test]
    fn only_reveal_shows_it() {
        let secret = Secret::from("swordfish");
        assert_eq!(format!("{secret:?} {:?}", Secret::default()), "(hidden) \"\"");
        assert_eq!(secret.reveal(), "swordfish");
    }
}
