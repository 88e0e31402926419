//! `keys ...`: which key signs users' tokens.
//!
//! Two files say it: the private key that signs, and the public half of the one before, whose tokens are good until it is
//! retired. The private half of a key is gone as soon as it signs no more.

use std::fs::{self, File};
use std::path::Path;

use clap::Subcommand;
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::files;
use gthulhu_http::keys::PrivateKey;
use gthulhu_http::settings::FileArgs;

use super::{Place, failed, say};
use crate::control::Request;
use crate::keyring::{self, UserKeys};

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Make a new key that signs from now on; tokens of the old one are good until it is retired
    ///
    /// A manager that runs takes the new key before this ends. Both keys are published at /.well-known/jwks.json. Retire
    /// the old one when its tokens have expired, which takes [key].access_ttl.
    Rotate {
        /// Retire the old key at once: for a key that others may have seen
        #[arg(long)]
        now: bool,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// End the old key: every token that it signed is refused when this has ended
    Retire {
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// List the keys whose tokens are good
    List {
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
}

pub(super) fn run(verb: &KeysVerb) -> Result<(), Exit> {
    let (KeysVerb::Rotate { files, .. } | KeysVerb::Retire { files } | KeysVerb::List { files }) = verb;
    let place = Place::of(files)?;
    match verb {
        KeysVerb::Rotate { now, .. } => {
            let _turn = turn(&place)?;
            rotate(&place, *now)?;
            told(&place)?;
        }
        KeysVerb::Retire { .. } => {
            let _turn = turn(&place)?;
            forget(&place.layout().user_jwt_old_pub())?;
            told(&place)?;
        }
        KeysVerb::List { .. } => {}
    }
    list(&place)
}

fn rotate(place: &Place, now: bool) -> Result<(), Exit> {
    let layout = place.layout();
    let UserKeys { signing, retiring } = keyring::load_user(&place.config.key, &layout)?;
    let other = retiring.filter(|retiring| retiring != signing.public());
    if let (Some(old), false) = (&other, now) {
        let rule = format!("{} is still good; end it first: keys retire, or rotate --now", old.kid());
        return Err(Exit::new(exit::DATA, rule));
    }
    let key = PrivateKey::generate().map_err(failed)?;
    let old = layout.user_jwt_old_pub();
    if now {
        forget(&old)?;
    } else {
        // First the old one, so that its tokens are good at every moment.
        files::write_atomic(&old, signing.public().to_pem().as_bytes(), files::PRIVATE_FILE)
            .map_err(failed)?;
    }
    files::write_atomic(&layout.user_jwt_key(), key.to_pem().as_bytes(), files::PRIVATE_FILE).map_err(failed)
}

fn forget(old: &Path) -> Result<(), Exit> {
    match fs::remove_file(old) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Exit::new(exit::IO_ERROR, format!("{}: {error}", old.display())))
        }
        _ => files::sync_dir(old.parent().unwrap_or(Path::new("."))).map_err(failed),
    }
}

/// Lets a manager that runs take the keys.
fn told(place: &Place) -> Result<(), Exit> {
    match place.ask(&Request::ReloadKeys {})? {
        Some(_) => say("the manager that runs has taken the keys"),
        None => say("no manager runs here; the next one takes the keys when it starts"),
    }
}

fn list(place: &Place) -> Result<(), Exit> {
    let UserKeys { signing, retiring } = keyring::load_user(&place.config.key, &place.layout())?;
    say(format!("{}  signs", signing.public().kid()))?;
    match retiring.filter(|retiring| retiring != signing.public()) {
        Some(old) => say(format!("{}  good until it is retired", old.kid())),
        None => Ok(()),
    }
}

/// The right to change the keys, which one process has at a time.
fn turn(place: &Place) -> Result<File, Exit> {
    if keyring::user_key_is_configured(&place.config.key) {
        let rule = "is set by the configuration: put another key there and start the manager again";
        return Err(Exit::new(exit::CONFIG, format!("key.rsa_private_key {rule}")));
    }
    let dir = place.config.state.dir.join("keys");
    let io_error = |error: std::io::Error| Exit::new(exit::IO_ERROR, format!("{}: {error}", dir.display()));
    let handle = File::open(&dir).map_err(io_error)?;
    match rustix::fs::flock(&handle, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(handle),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(Exit::new(exit::TEMPORARY, format!("{}: another process changes the keys", dir.display())))
        }
        Err(error) => Err(io_error(error.into())),
    }
}
