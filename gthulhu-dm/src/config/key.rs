//! The key that signs tokens, as the configuration names it.

use std::fmt::Display;

use gthulhu_http::files;
use gthulhu_http::keys::{KeyError, PrivateKey};
use gthulhu_http::settings::{Finding, rules};

use super::Token;

const PEM: &str = "token.rsa_private_key_pem";
const PATH: &str = "token.rsa_private_key_path";

/// Loads the key. The finding names the setting, and shows nothing of the key.
pub fn load(token: &Token) -> Result<PrivateKey, Finding> {
    if !token.rsa_private_key_pem.is_empty() {
        let text = token.rsa_private_key_pem.reveal();
        return parse(PEM, text).map_err(|error| rules::key_refused(PEM, text, &error));
    }
    if token.rsa_private_key_path.as_os_str().is_empty() {
        let rule = "must name the file of the RSA key that signs tokens (or set token.rsa_private_key_pem)";
        return Err(Finding::wrong(PATH, rule));
    }
    let unusable = |error: &dyn Display| {
        Finding::wrong(
            PATH,
            format!("must name the file of an RSA key that only its owner may read: {error}"),
        )
    };
    let text = files::read_private(&token.rsa_private_key_path).map_err(|error| unusable(&error))?;
    parse(PATH, &text).map_err(|error| match error {
        KeyError::Published { .. } => rules::key_refused(PATH, &text, &error),
        error => unusable(&error),
    })
}

fn parse(name: &str, text: &str) -> Result<PrivateKey, KeyError> {
    let key = PrivateKey::from_pem(text)?;
    key.public().refuse_published(name)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gthulhu_http::files::{PRIVATE_FILE, write_atomic};
    use gthulhu_http::settings::Level;

    use super::*;
    use gthulhu_http::settings::Secret;

    #[test]
    fn the_key_comes_from_text_or_file_and_findings_name_the_setting() {
        let dir = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate().unwrap();
        let path = dir.path().join("key.pem");
        write_atomic(&path, key.to_pem().as_bytes(), PRIVATE_FILE).unwrap();
        let open = dir.path().join("open.pem");
        write_atomic(&open, key.to_pem().as_bytes(), 0o644).unwrap();
        let empty = dir.path().join("empty.pem");
        write_atomic(&empty, b"", PRIVATE_FILE).unwrap();

        let inline = |pem: &str| Token { rsa_private_key_pem: Secret::from(pem), ..Token::default() };
        let file = |path: &Path| Token { rsa_private_key_path: path.to_owned(), ..Token::default() };
        let fingerprint = |token: &Token| load(token).map(|key| key.public().fingerprint());
        assert_eq!(fingerprint(&inline(&key.to_pem())), Ok(key.public().fingerprint()));
        assert_eq!(fingerprint(&file(&path)), Ok(key.public().fingerprint()));
        for (token, setting, level) in [
            (Token::default(), PATH, Level::Wrong),
            (inline("..."), PEM, Level::Unserved),
            (inline("...."), PEM, Level::Wrong),
            (inline(&key.public().to_pem()), PEM, Level::Wrong),
            (file(&open), PATH, Level::Wrong),
            (file(&empty), PATH, Level::Wrong),
            (file(&dir.path().join("missing.pem")), PATH, Level::Wrong),
        ] {
            let refused = load(&token).unwrap_err();
            assert_eq!((refused.key.as_str(), refused.level), (setting, level), "{refused}");
        }
    }
}
