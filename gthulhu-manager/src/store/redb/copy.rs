//! Copies of a store: made while it is in use, and looked at without touching them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gthulhu_lib::intent::digest::hex;
use redb::backends::FileBackend;
use redb::{Database, ReadTransaction, StorageBackend};
use sha2::{Digest, Sha256};

use super::super::OpenError;
use super::super::{CopyError, StoreError};
use super::{open, tables};

/// How much of a file is read at a time, and kept where a look would have changed it.
const PAGE: u64 = 4096;

/// Writes what a reader of `transaction` sees into a new store at `to`, mode 0600, and beside it `to.sha256`, the line
/// that `sha256sum --check` reads. Nothing may be there yet. Both are on stable storage when this returns.
pub(super) fn copy(transaction: &ReadTransaction, to: &Path) -> Result<(), CopyError> {
    let failed = |source: io::Error| CopyError::Io { path: to.into(), source };
    if to.try_exists().map_err(failed)? {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let fresh = open::beside(to);
    let made = fill(transaction, &fresh, to).and_then(|sum| {
        gthulhu_http::files::write_atomic(&sum_of(to), sum.as_bytes(), gthulhu_http::files::PRIVATE_FILE)
            .map_err(|error| failed(io::Error::other(error)))?;
        fs::rename(&fresh, to).map_err(failed)
    });
    if made.is_err() {
        // Best effort: the failure that matters is on its way to the caller.
        let _ = fs::remove_file(&fresh);
    }
    made?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    gthulhu_http::files::sync_dir(dir).map_err(|error| failed(io::Error::other(error)))
}

/// Fills the file and returns the line with its checksum.
fn fill(transaction: &ReadTransaction, fresh: &Path, to: &Path) -> Result<String, CopyError> {
    let failed = |source: io::Error| CopyError::Io { path: fresh.into(), source };
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(fresh);
    let backend = FileBackend::new(file.map_err(failed)?).map_err(|error| failed(io::Error::other(error)))?;
    let made = || -> Result<(), tables::Failure> {
        let database = Database::builder().create_with_backend(backend).map_err(tables::failed)?;
        let mut writing = database.begin_write().map_err(tables::failed)?;
        writing.set_two_phase_commit(true);
        tables::copy(transaction, &writing)?;
        writing.commit().map_err(tables::failed)
    };
    made().map_err(StoreError::from)?;
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{}  {name}\n", checksum(fresh).map_err(failed)?))
}

/// Where the checksum of a copy is.
pub(super) fn sum_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".sha256");
    name.into()
}

/// Lower-hex SHA-256 of a file.
fn checksum(path: &Path) -> io::Result<String> {
    let (mut file, mut digest, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(&chunk[..read]),
        }
    }
}

/// Opens a copy to look at it. The file is not changed: what opening writes stays in memory. A checksum beside it must
/// be its own.
pub(super) fn look(path: &Path) -> Result<Database, OpenError> {
    let io_error = |path: &Path, source| OpenError::Io { path: path.into(), source };
    let sum = sum_of(path);
    match fs::read_to_string(&sum) {
        Ok(line) => {
            let found = checksum(path).map_err(|error| io_error(path, error))?;
            if line.split_whitespace().next() != Some(&found) {
                let reason = format!("its checksum is {found}, not the one in {}", sum.display());
                return Err(OpenError::Refused { path: path.into(), reason });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_error(&sum, error)),
    }
    let overlay = Overlay::new(path).map_err(|error| io_error(path, error))?;
    open::open_on(path, overlay)
}

/// A file that is read, under pages in memory that were written.
#[derive(Debug)]
struct Overlay {
    file: File,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        if len == 0 {
            return Err(io::Error::other("the file is empty"));
        }
        Ok(Self { file, written: Mutex::new(Written { len, pages: BTreeMap::new() }) })
    }

    /// A page as it is now; what lies beyond the end of the file is zero.
    fn page(&self, written: &Written, number: u64) -> io::Result<Vec<u8>> {
        if let Some(page) = written.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; usize::try_from(PAGE).unwrap_or_default()];
        let mut filled = 0;
        while filled < page.len() {
            match self.file.read_at(&mut page[filled..], number * PAGE + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(page)
    }

    /// Calls `visit` with each page that the range touches, the part of it, and the part of the range.
    fn each(
        offset: u64,
        len: usize,
        mut visit: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut at, mut done) = (offset, 0);
        while done < len {
            let within = usize::try_from(at % PAGE).unwrap_or_default();
            let take = (usize::try_from(PAGE).unwrap_or_default() - within).min(len - done);
            visit(at / PAGE, within..within + take, done..done + take)?;
            (at, done) = (at + take as u64, done + take);
        }
        Ok(())
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.lock().unwrap_or_else(PoisonError::into_inner).len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Self::each(offset, out.len(), |number, within, part| {
            out[part].copy_from_slice(&self.page(&written, number)?[within]);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if len < written.len {
            return Err(io::Error::other("a look does not shorten a file"));
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        Self::each(offset, data.len(), |number, within, part| {
            let mut page = self.page(&written, number)?;
            page[within].copy_from_slice(&data[part]);
            written.pages.insert(number, page);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::RedbStore;
    use super::*;
    use crate::store::audit::Origin;
    use crate::store::{AuditEntry, Batch, Document, Store};

    fn filled(dir: &Path) -> RedbStore {
        let store = RedbStore::open(&dir.join("store.redb")).unwrap();
        for epoch in 1..=50 {
            let entry = AuditEntry::created(&Origin::system(epoch), "test", &Document::Epoch(7));
            store.commit(&Batch::audited(entry)).unwrap();
        }
        let entry = AuditEntry::created(&Origin::system(0), "test", &Document::Epoch(7));
        store.commit(&Batch::audited(entry).create(Document::Epoch(7))).unwrap();
        store
    }

    #[test]
    fn a_copy_is_the_same_store_and_a_look_does_not_touch_it() {
        let dir = tempfile::tempdir().unwrap();
        let (store, copy) = (filled(dir.path()), dir.path().join("copy.redb"));
        store.copy(&copy).unwrap();
        let before = fs::read(&copy).unwrap();
        let seen = RedbStore::look(&copy).unwrap();
        assert_eq!(seen.snapshot().unwrap(), store.snapshot().unwrap());
        assert_eq!(seen.audit(0, usize::MAX).unwrap(), store.audit(0, usize::MAX).unwrap());
        drop(seen);
        assert!(fs::read(&copy).unwrap() == before);
        // The original goes on, and so does the copy.
        let next = || Batch::audited(AuditEntry::created(&Origin::system(0), "test", &Document::Epoch(8)));
        let opened = RedbStore::open(&copy).unwrap();
        assert_eq!(opened.commit(&next()).unwrap(), store.commit(&next()).unwrap());
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_left_half_done() {
        let dir = tempfile::tempdir().unwrap();
        let (store, copy) = (filled(dir.path()), dir.path().join("copy.redb"));
        fs::write(&copy, "mine").unwrap();
        assert!(store.copy(&copy).unwrap_err().to_string().contains("copy.redb"));
        assert_eq!(fs::read(&copy).unwrap(), b"mine");
        let nowhere = store.copy(&dir.path().join("missing/copy.redb"));
        assert!(nowhere.is_err());
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "the store and what was there");
        assert!(store.snapshot().is_ok(), "a copy that fails does not end the store");
    }

    #[test]
    fn a_copy_that_was_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (store, copy) = (filled(dir.path()), dir.path().join("copy.redb"));
        store.copy(&copy).unwrap();
        let good = fs::read(&copy).unwrap();
        for at in (0..good.len()).step_by(good.len() / 37) {
            let mut bent = good.clone();
            bent[at] ^= 1;
            fs::write(&copy, &bent).unwrap();
            let error = RedbStore::look(&copy).err().unwrap().to_string();
            assert!(error.contains("its checksum is"), "byte {at}: {error}");
        }
        fs::write(&copy, b"").unwrap();
        fs::remove_file(sum_of(&copy)).unwrap();
        assert!(RedbStore::look(&copy).is_err());
        fs::write(&copy, &good).unwrap();
        assert!(RedbStore::look(&copy).is_ok(), "without a checksum the content is checked all the same");
    }
}
