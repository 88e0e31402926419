//! Opening: every way in which a file can be wrong has its own answer, and none of them is a panic.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase};

use super::super::{OpenError, StoreError};
use super::tables;

/// Opens the file at `path`, or makes it.
pub(super) fn open(path: &Path) -> Result<Database, OpenError> {
    if !path.try_exists().map_err(|source| io_error(path, source))? {
        create(path)?;
    }
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    if metadata.len() == 0 {
        // The database would take an empty file for a new one, and everything that was in it for never written.
        return Err(refused(path, "the file is empty"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        // Some volumes widen the mode of every file when they are mounted.
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|source| io_error(path, source))?;
    }
    checked(path, |builder| builder.open(path))
}

/// As [`open`], where the bytes are not simply those of the file at `path`.
pub(super) fn open_on(path: &Path, backend: impl redb::StorageBackend) -> Result<Database, OpenError> {
    checked(path, |builder| builder.create_with_backend(backend))
}

fn checked(
    path: &Path,
    open: impl FnOnce(&redb::Builder) -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    // Debug builds of the database assert where release builds return an error; both mean a damaged file.
    catch_unwind(AssertUnwindSafe(|| existing(path, open)))
        .unwrap_or_else(|_| Err(refused(path, "the file is damaged beyond checking")))
}

fn existing(
    path: &Path,
    open: impl FnOnce(&redb::Builder) -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    builder.set_check_integrity_on_open(true);
    let database = open(&builder).map_err(|error| database_error(path, error))?;
    let found = check(&database).map_err(|failure| unreadable(path, failure))?;
    if found != tables::SCHEMA {
        return Err(OpenError::Newer { path: path.into(), found, known: tables::SCHEMA });
    }
    Ok(database)
}

/// Reads every document that a program of this schema can read, and returns the schema.
fn check(database: &Database) -> Result<u64, tables::Failure> {
    let transaction = database.begin_read().map_err(tables::failed)?;
    let found = tables::schema(&transaction)?;
    if found == tables::SCHEMA {
        tables::documents(&transaction)?;
    }
    transaction.close().map_err(tables::failed)?;
    Ok(found)
}

/// Makes the file whole beside its place and then links it there, so that a crash leaves either no store or a
/// complete one, and of two processes that start at once one makes it and the other finds it.
fn create(path: &Path) -> Result<(), OpenError> {
    let fresh = beside(path);
    let made = fill(&fresh).and_then(|()| link(&fresh, path));
    let removed = fs::remove_file(&fresh);
    made.and(removed).map_err(|source| io_error(path, source))?;
    let directory = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|dir| dir.sync_all()).map_err(|source| io_error(directory, source))
}

fn fill(fresh: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(fresh)?;
    make(FileBackend::new(file).map_err(io::Error::other)?)
}

/// Makes an empty store where there is nothing yet. It is on stable storage when this returns.
pub(super) fn make(backend: impl redb::StorageBackend) -> io::Result<()> {
    let database = Database::builder().create_with_backend(backend).map_err(io::Error::other)?;
    let mut transaction = database.begin_write().map_err(io::Error::other)?;
    transaction.set_two_phase_commit(true);
    tables::create(&transaction).map_err(|failure| io::Error::other(StoreError::from(failure)))?;
    transaction.commit().map_err(io::Error::other)
}

/// A link, unlike a rename, never replaces what someone else put there first.
fn link(fresh: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(fresh, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}.new", u64::from_le_bytes(gthulhu_http::random::bytes())));
    path.with_file_name(name)
}

fn database_error(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path.into()),
        other => unreadable(path, tables::failed(other)),
    }
}

/// A disk that cannot be read says nothing about the file: only what was read can be called damaged.
fn unreadable(path: &Path, failure: tables::Failure) -> OpenError {
    match failure {
        tables::Failure::Database(redb::Error::Io(source)) if source.raw_os_error().is_some() => {
            io_error(path, source)
        }
        other => refused(path, StoreError::from(other)),
    }
}

fn refused(path: &Path, reason: impl Display) -> OpenError {
    OpenError::Refused { path: path.into(), reason: reason.to_string() }
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.into(), source }
}
