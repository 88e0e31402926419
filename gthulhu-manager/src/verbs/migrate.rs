//! `store migrate`: from the embedded store into a database, or back.

use gthulhu_http::exit::{self, Exit};

use super::Place;
use super::store::Kind;

#[cfg(not(feature = "mongodb"))]
pub(super) fn run(_place: &Place, _from: Kind, _to: Kind) -> Result<(), Exit> {
    Err(Exit::new(exit::CONFIG, "this build has only the embedded store"))
}

#[cfg(feature = "mongodb")]
pub(super) fn run(place: &Place, from: Kind, to: Kind) -> Result<(), Exit> {
    use super::{failed, say};
    use crate::start;
    use crate::store::Store;
    use crate::store::migrate::{MigrateError, Target, migrate};
    use crate::store::mongo::MongoImport;
    use crate::store::redb::RedbImport;

    let (config, path) = (&place.config, place.config.redb_path());
    if config.mongodb.host.is_empty() {
        return Err(Exit::new(exit::CONFIG, "`mongodb.host` must name the server's host"));
    }
    let (source, target): (Box<dyn Store>, Box<dyn Target>) = match (from, to) {
        (Kind::Redb, Kind::Mongodb) => {
            // Opening it would make one.
            if !path.exists() {
                return Err(Exit::new(exit::NO_INPUT, format!("{}: there is no store", path.display())));
            }
            let source = Box::new(start::redb(&path)?);
            let target = MongoImport::open(&config.mongodb, &config.state.dir);
            (source, Box::new(target.map_err(|error| start::mongo_exit(&error))?))
        }
        (Kind::Mongodb, Kind::Redb) => {
            let target = Box::new(RedbImport::open(&path).map_err(failed)?);
            (Box::new(start::mongo(config)?), target)
        }
        _ => return Err(Exit::new(exit::USAGE, "--from and --to must name two kinds of store")),
    };
    let progress = |what: &str, done: usize, of: usize| {
        // Whoever reads it may have seen enough.
        let _ = say(format!("{what} {done}/{of}"));
    };
    let migrated = migrate(&*source, target, progress).map_err(|error| match error {
        MigrateError::Store(error) => failed(error),
        other => Exit::from_error(exit::DATA, &other),
    })?;
    say(format!(
        "migrated {} documents, {} audit records\nhead {}",
        migrated.documents,
        migrated.head.seq(),
        migrated.head
    ))
}
