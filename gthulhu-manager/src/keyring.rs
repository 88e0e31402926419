//! The keys that the manager works with: from the configuration, else those that the first start made.
//!
//! The key that the Go project publishes is refused wherever it is configured, by the name of the configuration key.

use std::path::Path;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::files;
use gthulhu_http::keys::{PrivateKey, PublicKey};

use crate::config::Keys;
use crate::init::Layout;

/// What the manager signs and identifies itself with.
pub struct Keyring {
    /// Signs user tokens.
    pub user: PrivateKey,
    /// Towards decision makers.
    pub dm: DmKey,
}

/// How the manager gets tokens for decision makers.
pub enum DmKey {
    /// It makes them itself.
    Private(PrivateKey),
    /// It exchanges the public key, as older managers do.
    Public(PublicKey),
}

/// Reads the keys that `config` names, or those of the first start in `layout`.
pub fn load(config: &Keys, layout: &Layout) -> Result<Keyring, Exit> {
    let user = match (config.rsa_private_key_pem.as_str(), config.rsa_private_key_path.as_path()) {
        ("", path) if path.as_os_str().is_empty() => private("[state].dir", &layout.user_jwt_key())?,
        ("", path) => private("key.rsa_private_key_path", path)?,
        (pem, _) => parse_private("key.rsa_private_key_pem", pem)?,
    };
    Ok(Keyring { user, dm: dm(config, layout)? })
}

/// A private half beats a public one; a configured key beats the one of the first start.
fn dm(config: &Keys, layout: &Layout) -> Result<DmKey, Exit> {
    let is_set = |path: &Path| !path.as_os_str().is_empty();
    if is_set(&config.dm_private_key_path) {
        return Ok(DmKey::Private(private("key.dm_private_key_path", &config.dm_private_key_path)?));
    }
    if !config.dm_public_key_pem.is_empty() {
        return Ok(DmKey::Public(parse_public("key.dm_public_key_pem", &config.dm_public_key_pem)?));
    }
    if is_set(&config.dm_public_key_path) {
        return Ok(DmKey::Public(public("key.dm_public_key_path", &config.dm_public_key_path)?));
    }
    if layout.dm_token_key().exists() {
        return Ok(DmKey::Private(private("[state].dir", &layout.dm_token_key())?));
    }
    Ok(DmKey::Public(public("[state].dir", &layout.dm_token_pub())?))
}

fn private(name: &str, path: &Path) -> Result<PrivateKey, Exit> {
    let text = files::read_private(path).map_err(|error| refused(name, &error))?;
    parse_private(name, &text)
}

fn public(name: &str, path: &Path) -> Result<PublicKey, Exit> {
    let text = std::fs::read_to_string(path);
    parse_public(name, &text.map_err(|error| refused(name, &format!("{}: {error}", path.display())))?)
}

fn parse_private(name: &str, pem: &str) -> Result<PrivateKey, Exit> {
    let key = PrivateKey::from_pem(pem).map_err(|error| refused(name, &error))?;
    key.public().refuse_published(name).map_err(published)?;
    Ok(key)
}

fn parse_public(name: &str, pem: &str) -> Result<PublicKey, Exit> {
    let key = PublicKey::from_pem(pem).map_err(|error| refused(name, &error))?;
    key.refuse_published(name).map_err(published)?;
    Ok(key)
}

fn refused(name: &str, error: &dyn std::fmt::Display) -> Exit {
    Exit::new(exit::CONFIG, format!("{name}: {error}"))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn published(error: gthulhu_http::keys::KeyError) -> Exit {
    Exit::new(exit::CONFIG, error.to_string())
}
