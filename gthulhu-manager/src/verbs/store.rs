//! `store ...`: copies of the store, made while the manager runs and put back while it is stopped.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::FileArgs;
use gthulhu_http::{files, time};

use super::{Place, failed, say};
use crate::config::StoreChoice;
use crate::control::Request;
use crate::store::redb::RedbStore;
use crate::store::{OpenError, Store, verify_trail};

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum StoreVerb {
    /// Write a copy of the store into a directory; also while the manager runs
    ///
    /// The copy is named manager-TIME.redb, with its checksum beside it, and holds one moment. It holds password hashes:
    /// its mode is 0600, and it belongs where the store could be.
    Backup {
        /// The directory
        dir: PathBuf,
        /// How many copies stay in it; older ones are deleted
        #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
        keep: u16,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// Check a copy, or the store itself while the manager is stopped
    ///
    /// Checks the checksum, if there is one, the pages, every document, and the chain of the audit trail. A copy is not
    /// changed by that.
    Verify {
        /// The copy; else the store of the configuration
        file: Option<PathBuf>,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// Copy everything from one store into the other kind, while the manager is stopped
    ///
    /// From the embedded store ([store].path, or manager.redb in [state].dir) into the database of [mongodb], or back.
    /// The target must be empty. Everything is compared with the source before a manager can open it. A migration that
    /// was interrupted goes on where it was when it is run again. The source stays as it is.
    Migrate {
        /// The kind of the store that is read
        #[arg(long)]
        from: Kind,
        /// The kind of the store that is filled
        #[arg(long)]
        to: Kind,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// Put a copy in the place of the store, while the manager is stopped
    ///
    /// The copy is verified first. The store that was there stays beside it. All sessions end: tokens that were revoked
    /// after the copy was made are not good again.
    Restore {
        /// The copy
        file: PathBuf,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
}

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The embedded store
    Redb,
    /// The database
    Mongodb,
}

pub(super) fn run(verb: &StoreVerb) -> Result<(), Exit> {
    match verb {
        StoreVerb::Backup { dir, keep, files } => backup(&Place::of(files)?, dir, (*keep).into()),
        StoreVerb::Verify { file: Some(file), .. } => {
            let copy = RedbStore::look(file).map_err(|error| refused(&error))?;
            verified(&file.display().to_string(), &copy)
        }
        StoreVerb::Verify { file: None, files } => {
            let place = Place::of(files)?;
            verified(&place.store_name()?, &*place.store()?)
        }
        StoreVerb::Migrate { from, to, files } => super::migrate::run(&Place::of(files)?, *from, *to),
        StoreVerb::Restore { file, files } => restore(&Place::of(files)?, file),
    }
}

fn backup(place: &Place, dir: &Path, keep: usize) -> Result<(), Exit> {
    let io_error =
        |error: std::io::Error| Exit::new(exit::CANNOT_CREATE, format!("{}: {error}", dir.display()));
    // The manager may be in another directory.
    let dir = dir.canonicalize().map_err(io_error)?;
    let to = dir.join(format!("manager-{}.redb", stamp()));
    if place.ask(&Request::Copy { to: to.clone() })?.is_none() {
        place.store()?.copy(&to).map_err(|error| Exit::from_error(exit::CANNOT_CREATE, &error))?;
    }
    say(to.display())?;
    let mut copies: Vec<PathBuf> = fs::read_dir(&dir)
        .map_err(io_error)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_copy))
        .collect();
    // Their names hold the time.
    copies.sort();
    for old in copies.iter().rev().skip(keep) {
        let checksum = old.with_extension("redb.sha256");
        for path in [old, &checksum] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Exit::new(exit::IO_ERROR, format!("{}: {error}", path.display())));
            }
        }
        say(format!("deleted {}", old.display()))?;
    }
    files::sync_dir(&dir).map_err(failed)
}

/// `20260310T090807Z`
fn stamp() -> String {
    time::now_rfc3339().replace(['-', ':'], "")
}

fn is_copy(name: &str) -> bool {
    let stamp = name.strip_prefix("manager-").and_then(|rest| rest.strip_suffix(".redb"));
    stamp.is_some_and(|stamp| {
        stamp.len() == 16 && stamp.bytes().all(|byte| byte.is_ascii_digit() || b"TZ".contains(&byte))
    })
}

fn verified(name: &str, store: &dyn Store) -> Result<(), Exit> {
    let damaged = |error: &dyn std::error::Error| {
        let exit = Exit::from_error(exit::DATA, error);
        Exit::new(exit.code, format!("{name}: {}", exit.message))
    };
    let documents = store.snapshot().map_err(|error| damaged(&error))?.documents.len();
    let head = verify_trail(store, None).map_err(|error| damaged(&error))?;
    say(format!("{name}: sound, {documents} documents, {} audit records\nhead {head}", head.seq()))
}

fn restore(place: &Place, file: &Path) -> Result<(), Exit> {
    let copy = RedbStore::look(file).map_err(|error| refused(&error))?;
    verified(&file.display().to_string(), &copy)?;
    let (StoreChoice::Redb(path), _) = place.config.store_choice(place.mongodb_section)? else {
        let rule = "the store is MongoDB, which is restored with the tools of its server; or `store migrate`";
        return Err(Exit::new(exit::USAGE, rule));
    };
    // A store that is damaged may be replaced, one that is in use may not.
    if path.exists()
        && let Err(error @ OpenError::InUse(_)) = RedbStore::open(&path)
    {
        return Err(Exit::new(exit::TEMPORARY, format!("{error}; stop the manager first")));
    }
    let io_error = |error: std::io::Error| Exit::new(exit::IO_ERROR, format!("{}: {error}", path.display()));
    let beside = |what: &str| {
        let mut name = path.clone().into_os_string();
        name.push(what);
        PathBuf::from(name)
    };
    let (fresh, before) = (beside(".restoring"), beside(&format!(".before-{}", stamp())));
    let sum = beside(".restoring.sha256");
    for left in [&fresh, &sum] {
        // Of a restore that was interrupted.
        let _ = fs::remove_file(left);
    }
    copy.copy(&fresh).map_err(|error| Exit::from_error(exit::CANNOT_CREATE, &error))?;
    fs::remove_file(&sum).map_err(io_error)?;
    place.service_of(&fresh)?.end_all_sessions().map_err(failed)?;
    if path.exists() {
        // A second name, so that at no moment there is no store: an empty one would be made.
        fs::hard_link(&path, &before).map_err(io_error)?;
        say(format!("the store that was there is {}", before.display()))?;
    }
    fs::rename(&fresh, &path).map_err(io_error)?;
    files::sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    say(format!("restored {}; all sessions have ended", path.display()))
}

fn refused(error: &OpenError) -> Exit {
    Exit::from_error(if matches!(error, OpenError::Io { .. }) { exit::NO_INPUT } else { exit::DATA }, error)
}
