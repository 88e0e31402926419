//! `audit ...`

use std::path::PathBuf;

use clap::Subcommand;
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::settings::FileArgs;

use super::{Place, say};
use crate::control::Request;
use crate::store::audit::{BadHead, Head};
use crate::store::redb::RedbStore;
use crate::store::verify_trail;

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Follow the chain of all records, and print its end
    ///
    /// Each record holds the hash of the one before it: a record that was changed, removed or moved shows. That the last
    /// ones were cut off shows only against an end that was written down before, elsewhere: give it with --head. Works
    /// while the manager runs.
    Verify {
        /// An end that was printed before, NUMBER:HASH; the trail must have this record
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<String>,
        /// A backup to look into instead of the store
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
}

pub(super) fn run(verb: &AuditVerb) -> Result<(), Exit> {
    let AuditVerb::Verify { head, backup, files } = verb;
    let known = head.as_deref().map(str::parse::<Head>).transpose();
    let known = known.map_err(|error: BadHead| Exit::new(exit::USAGE, format!("--head: {error}")))?;
    let broken = |error| Exit::new(exit::DATA, format!("audit: {error}"));
    if let Some(path) = backup {
        let store = RedbStore::look(path).map_err(|error| Exit::from_error(exit::DATA, &error))?;
        return found(&verify_trail(&store, known.as_ref()).map_err(broken)?);
    }
    let place = Place::of(files)?;
    let request = Request::VerifyTrail { head: known.as_ref().map(ToString::to_string) };
    if let Some(end) = place.ask(&request).map_err(|exit| Exit::new(exit::DATA, exit.message))? {
        return found(&end.parse().map_err(|error: BadHead| Exit::from_error(exit::SOFTWARE, &error))?);
    }
    found(&verify_trail(&*place.store()?, known.as_ref()).map_err(broken)?)
}

fn found(head: &Head) -> Result<(), Exit> {
    say(format!("{} records, unbroken\nhead {head}", head.seq()))
}
