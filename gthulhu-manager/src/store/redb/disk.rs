//! A disk in memory for tests: it tells what was synced from what was only written, and fails when told to.
//!
//! Between two syncs a drive may write its sectors in any order, or not at all, or only half of one. After a power
//! cut the disk therefore keeps, of each sector written since the last sync, any of the versions it had, or the old
//! one, or a mixture that breaks at any byte; and the length of the file may be any that it had since then.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use ::redb::StorageBackend;

use super::random::Random;

/// The unit in which a drive writes.
const SECTOR: usize = 512;

pub(super) const EIO: i32 = 5;
pub(super) const ENOSPC: i32 = 28;

/// When calls fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    /// The first call that fails, counted from 0 since the fault was planted.
    pub(super) at: u64,
    /// How many calls fail.
    pub(super) calls: u64,
    /// What the system says.
    pub(super) error: i32,
    /// Reading fails too.
    pub(super) reads: bool,
}

impl Fault {
    pub(super) const NEVER: Self = Self { at: u64::MAX, calls: 0, error: EIO, reads: false };

    /// The power goes at this call and does not come back.
    pub(super) fn power_cut(at: u64) -> Self {
        Self { at, calls: u64::MAX, error: EIO, reads: true }
    }
}

/// The disk. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Mutex<Media>>);

#[derive(Debug)]
struct Media {
    /// What reads see.
    now: Vec<u8>,
    /// What is certain to be there after a power cut, unless it was overwritten since.
    synced: Vec<u8>,
    /// What each sector written since the last sync contained, in order.
    loose: BTreeMap<usize, Vec<[u8; SECTOR]>>,
    /// The lengths since the last sync, in order.
    lengths: Vec<usize>,
    fault: Fault,
    calls: u64,
}

impl Disk {
    /// A disk whose content is all synced.
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Media {
            synced: content.clone(),
            now: content,
            loose: BTreeMap::new(),
            lengths: Vec::new(),
            fault: Fault::NEVER,
            calls: 0,
        })))
    }

    /// From now on, calls fail as `fault` says.
    pub(super) fn plant(&self, fault: Fault) {
        let mut media = self.media();
        (media.fault, media.calls) = (fault, 0);
    }

    /// Whether a call has failed since the fault was planted.
    pub(super) fn has_failed(&self) -> bool {
        let media = self.media();
        media.calls > media.fault.at
    }

    /// What is there after a power cut now.
    pub(super) fn after_cut(&self, random: &mut Random) -> Vec<u8> {
        self.media().after_cut(random)
    }

    /// What reads see now: what a killed process leaves behind.
    pub(super) fn content(&self) -> Vec<u8> {
        self.media().now.clone()
    }

    fn media(&self) -> MutexGuard<'_, Media> {
        self.0.lock().unwrap()
    }
}

impl Media {
    /// Counts a call and tells whether it is to fail.
    fn step(&mut self) -> io::Result<()> {
        let call = self.calls;
        self.calls += 1;
        let fails = call >= self.fault.at && call - self.fault.at < self.fault.calls;
        if fails { Err(io::Error::from_raw_os_error(self.fault.error)) } else { Ok(()) }
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        self.now[offset..end].copy_from_slice(data);
        self.loosen(offset, end);
    }

    fn set_len(&mut self, len: usize) {
        let before = self.now.len();
        self.now.resize(len, 0);
        self.lengths.push(len);
        // What is cut off is gone: if the file grows again, there are zeros.
        self.loosen(len, before);
    }

    /// The bytes from `start` to `end` are new since the last sync.
    fn loosen(&mut self, start: usize, end: usize) {
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            let mut version = [0; SECTOR];
            let start = (sector * SECTOR).min(self.now.len());
            let end = (start + SECTOR).min(self.now.len());
            version[..end - start].copy_from_slice(&self.now[start..end]);
            self.loose.entry(sector).or_default().push(version);
        }
    }

    fn sync(&mut self) {
        self.synced.truncate(self.now.len());
        self.synced.extend(vec![0; self.now.len() - self.synced.len()]);
        for sector in std::mem::take(&mut self.loose).into_keys() {
            let start = sector * SECTOR;
            let end = self.now.len().min(start + SECTOR);
            if start < end {
                self.synced[start..end].copy_from_slice(&self.now[start..end]);
            }
        }
        self.lengths.clear();
    }

    /// A sync that failed: some of what was loose is on the disk, and the system forgets that the rest is not. A
    /// later sync succeeds without having written it.
    fn forget(&mut self) {
        let mut random = Random::new(self.calls);
        self.synced = self.after_cut(&mut random);
        self.loose.clear();
        self.lengths.clear();
    }

    fn after_cut(&self, random: &mut Random) -> Vec<u8> {
        // Some cuts lose nearly everything, some nearly nothing: both ends are where mistakes show.
        let (kept, torn) = (random.below(9), random.below(3));
        let mut image = self.synced.clone();
        let lengths: Vec<usize> = self.lengths.iter().copied().chain([image.len()]).collect();
        let longest = lengths.iter().max().map_or(0, |longest| *longest);
        image.extend(vec![0; longest - image.len()]);
        for (sector, versions) in &self.loose {
            if random.below(8) >= kept {
                continue;
            }
            let version = versions[random.index(versions.len())];
            let start = (sector * SECTOR).min(image.len());
            let end = image.len().min(start + SECTOR);
            let (mut from, mut to) = (0, end - start);
            if random.below(16) < torn {
                let at = random.index(SECTOR).min(to);
                if random.below(2) == 0 { from = at } else { to = at }
            }
            image[start + from..start + to].copy_from_slice(&version[from..to]);
        }
        image.truncate(lengths[random.index(lengths.len())]);
        image
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.media().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut media = self.media();
        if media.fault.reads {
            media.step()?;
        }
        let start = usize::try_from(offset).unwrap();
        let found = start.checked_add(out.len()).and_then(|end| media.now.get(start..end));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut media = self.media();
        media.step()?;
        media.set_len(usize::try_from(len).unwrap());
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut media = self.media();
        if let Err(error) = media.step() {
            // Without power nothing moves any more; what is kept is decided when it is looked at.
            if media.fault.calls != u64::MAX {
                media.forget();
            }
            return Err(error);
        }
        media.sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut media = self.media();
        let offset = usize::try_from(offset).unwrap();
        if offset + data.len() > media.now.len() {
            // A file grows when it is written beyond its end.
            media.set_len(offset + data.len());
        }
        let before_power_went = media.calls <= media.fault.at;
        let step = media.step();
        if step.is_ok() {
            media.write(offset, data);
        } else if before_power_went {
            // The call that fails has written the first half.
            media.write(offset, &data[..data.len() / 2]);
        }
        step
    }
}
