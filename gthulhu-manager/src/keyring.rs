//! The keys that the manager works with: from the configuration, else those that the first start made.
//!
//! The key that the Go project publishes is refused wherever it is configured, by the name of the configuration key.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use gthulhu_http::files;
use gthulhu_http::keys::{KeyError, PrivateKey, PublicKey};
use gthulhu_http::settings::{Finding, rules};

use crate::config::Keys;
use crate::init::Layout;

/// What the manager signs and identifies itself with.
pub struct Keyring {
    /// For user tokens.
    pub user: UserKeys,
    /// Towards decision makers.
    pub dm: DmKey,
}

/// The keys of users' tokens.
pub struct UserKeys {
    /// Signs.
    pub signing: PrivateKey,
    /// Signed before; its tokens are good until it is retired.
    pub retiring: Option<PublicKey>,
}

/// How the manager gets tokens for decision makers.
pub enum DmKey {
    /// It makes them itself.
    Private(PrivateKey),
    /// It exchanges the public key, as older managers do.
    Public(PublicKey),
}

/// Where a key is, and the configuration key that says so.
enum Source<'a> {
    Text(&'static str, &'a str),
    File(&'static str, PathBuf),
}

/// Which half of the decision makers' pair there is.
enum Half<'a> {
    Private(Source<'a>),
    Public(Source<'a>),
}

/// The configuration key under which keys of the first start are found.
const STATE: &str = "state.dir";

/// Reads the keys that `config` names, or those of the first start in `layout`.
pub fn load(config: &Keys, layout: &Layout) -> Result<Keyring, Finding> {
    let user = load_user(config, layout)?;
    let dm = match dm(config, layout) {
        Half::Private(source) => DmKey::Private(source.read(private)?),
        Half::Public(source) => DmKey::Public(source.read(public)?),
    };
    Ok(Keyring { user, dm })
}

/// Reads the keys of users' tokens only.
pub fn load_user(config: &Keys, layout: &Layout) -> Result<UserKeys, Finding> {
    let signing = user(config, layout).read(private)?;
    let old = layout.user_jwt_old_pub();
    let retiring = old.exists().then(|| Source::File(STATE, old).read(public)).transpose()?;
    Ok(UserKeys { signing, retiring })
}

/// Whether users' tokens are signed with a key that the configuration names, and not with one of [`Layout`].
pub fn user_key_is_configured(config: &Keys) -> bool {
    !config.rsa_private_key_pem.is_empty() || is_set(&config.rsa_private_key_path)
}

/// Whether [`load`] would succeed. Keys that the first start is going to make may be missing.
pub fn check(config: &Keys, layout: &Layout) -> Vec<Finding> {
    let user = user(config, layout).check(private);
    let dm = match dm(config, layout) {
        Half::Private(source) => source.check(private),
        Half::Public(source) => source.check(public),
    };
    user.into_iter().chain(dm).collect()
}

fn user<'a>(config: &'a Keys, layout: &Layout) -> Source<'a> {
    if !config.rsa_private_key_pem.is_empty() {
        Source::Text("key.rsa_private_key_pem", config.rsa_private_key_pem.reveal())
    } else if is_set(&config.rsa_private_key_path) {
        Source::File("key.rsa_private_key_path", config.rsa_private_key_path.clone())
    } else {
        Source::File(STATE, layout.user_jwt_key())
    }
}

/// A private half beats a public one; a configured key beats the one of the first start.
fn dm<'a>(config: &'a Keys, layout: &Layout) -> Half<'a> {
    if is_set(&config.dm_private_key_path) {
        Half::Private(Source::File("key.dm_private_key_path", config.dm_private_key_path.clone()))
    } else if !config.dm_public_key_pem.is_empty() {
        Half::Public(Source::Text("key.dm_public_key_pem", &config.dm_public_key_pem))
    } else if is_set(&config.dm_public_key_path) {
        Half::Public(Source::File("key.dm_public_key_path", config.dm_public_key_path.clone()))
    } else if layout.dm_token_key().exists() {
        Half::Private(Source::File(STATE, layout.dm_token_key()))
    } else {
        Half::Public(Source::File(STATE, layout.dm_token_pub()))
    }
}

fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// How a key becomes one: from a file to its text, and from the text to the key.
struct Kind<K> {
    text: fn(&Path) -> Result<String, String>,
    parse: fn(&str, &'static str) -> Result<K, KeyError>,
}

fn private() -> Kind<PrivateKey> {
    Kind {
        text: |path| files::read_private(path).map_err(|error| error.to_string()),
        parse: |text, name| {
            let key = PrivateKey::from_pem(text)?;
            key.public().refuse_published(name)?;
            Ok(key)
        },
    }
}

fn public() -> Kind<PublicKey> {
    Kind {
        text: |path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display())),
        parse: |text, name| {
            let key = PublicKey::from_pem(text)?;
            key.refuse_published(name)?;
            Ok(key)
        },
    }
}

impl Source<'_> {
    fn read<K>(&self, kind: fn() -> Kind<K>) -> Result<K, Finding> {
        let Kind { text, parse } = kind();
        match self {
            Source::Text(name, text) => {
                parse(text, name).map_err(|error| rules::key_refused(name, text, &error))
            }
            Source::File(name, path) => {
                let text = text(path).map_err(|error| unusable(name, &error))?;
                parse(&text, name).map_err(|error| match error {
                    KeyError::Published { .. } => rules::key_refused(name, &text, &error),
                    error => unusable(name, &format!("{}: {error}", path.display())),
                })
            }
        }
    }

    fn check<K>(&self, kind: fn() -> Kind<K>) -> Option<Finding> {
        match self {
            Source::File(STATE, path) if !path.exists() => None,
            source => source.read(kind).err(),
        }
    }
}

fn unusable(name: &str, error: &dyn Display) -> Finding {
    let rule =
        if name == STATE { "holds a key that cannot be used" } else { "must name the file of an RSA key" };
    Finding::wrong(name, format!("{rule}: {error}"))
}
