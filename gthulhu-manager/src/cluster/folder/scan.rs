//! One look at the folder after another: what each file says now, or said last when it made sense.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gthulhu_lib::derive::Pod;
use tracing::{info, warn};

use super::manifest;
use crate::cluster::{ClusterNode, ClusterView, NodeHealth, Pods};

/// The largest file that is read, in bytes: some thousand pods as `kubectl get pods -o yaml` writes them.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// The most files that are looked at.
const FILES_MAX: usize = 10_000;

/// A file that changed less than this before it was read may change again without its times showing it.
const SAME_TICK: Duration = Duration::from_millis(100);

/// The folder as far as it was understood.
pub(super) struct Scanner {
    dir: PathBuf,
    listed_nodes: Vec<String>,
    files: BTreeMap<String, FileState>,
    /// What the last look found.
    pods: Pods,
    /// Pods that two files claim, as of the last look.
    claimed: BTreeSet<String>,
    /// At some look since the start, every file made sense.
    understood: bool,
    /// What was wrong at the last look: logged when it comes, not while it stays.
    faults: BTreeSet<String>,
}

#[derive(Default)]
struct FileState {
    /// None while the file has to be read again whatever its times say.
    stamp: Option<Stamp>,
    /// From the last time that the file made sense; none if it never did.
    pods: Option<Vec<Arc<Pod>>>,
    fault: Option<String>,
}

/// Two equal stamps, two equal contents.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Scanner {
    pub(super) fn new(dir: &Path, listed_nodes: Vec<String>) -> Self {
        Self {
            dir: dir.to_owned(),
            listed_nodes,
            files: BTreeMap::new(),
            pods: Pods::default(),
            claimed: BTreeSet::new(),
            understood: false,
            faults: BTreeSet::new(),
        }
    }

    /// Looks at the folder and tells what it says.
    pub(super) fn scan(&mut self) -> ClusterView {
        let mut faults = BTreeSet::new();
        let listed = self.list();
        // An unchanged folder costs a look at its files, and nothing for each pod.
        let mut changed = false;
        match &listed {
            Ok(names) => {
                let before = self.files.len();
                self.files.retain(|name, _| names.contains(name));
                changed = self.files.len() != before;
                for name in names {
                    changed |= self.look_at(name);
                }
            }
            Err(fault) => drop(faults.insert(fault.clone())),
        }
        for (name, file) in &self.files {
            faults.extend(file.fault.as_ref().map(|fault| format!("{name}: {fault}")));
        }
        if changed {
            let (pods, claimed) = self.merge();
            self.pods = pods.sharing(&self.pods);
            self.claimed = claimed;
        }
        faults.extend(self.claimed.iter().cloned());
        // After a start, a file that makes no sense may hold pods that nodes have intents for: nothing can be said of
        // them before it was understood, or removed. Once everything was, a new file that makes no sense counts as one
        // that is not there yet, and stops nobody.
        self.understood |= listed.is_ok() && self.files.values().all(|file| file.pods.is_some());
        let complete = listed.is_ok() && self.understood;
        let (nodes, pods) = (self.nodes(), self.pods.clone());
        let view =
            ClusterView { pods, nodes, complete, reason: faults.first().cloned(), ..ClusterView::default() };
        for fault in faults.difference(&self.faults) {
            warn!(folder = %self.dir.display(), fault, "pods folder is not as it should be; keeping what is known");
        }
        self.faults = faults;
        view
    }

    /// The names of all manifests.
    fn list(&self) -> Result<BTreeSet<String>, String> {
        let unreadable = |error| format!("cannot read folder {}: {error}", self.dir.display());
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.dir).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            names.extend(name.to_str().filter(|name| is_manifest(name)).map(str::to_owned));
            if names.len() > FILES_MAX {
                return Err(format!("folder {} has more than {FILES_MAX} manifests", self.dir.display()));
            }
        }
        Ok(names)
    }

    /// Reads the file if it changed. Says whether its pods may be others now.
    fn look_at(&mut self, name: &str) -> bool {
        let path = self.dir.join(name);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // Removed since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.files.remove(name).is_some();
            }
            Err(error) => {
                self.files.entry(name.to_owned()).or_default().fault = Some(error.to_string());
                return false;
            }
        };
        if !metadata.is_file() {
            return self.files.remove(name).is_some();
        }
        let file = self.files.entry(name.to_owned()).or_default();
        let stamp = Stamp::of(&metadata);
        if file.stamp.as_ref() == Some(&stamp) {
            return false;
        }
        file.stamp = is_settled(&metadata).then_some(stamp);
        match read(&path).and_then(|bytes| manifest::parse(name, &bytes)) {
            Ok(parsed) => {
                if let Some(skipped) = parsed.skipped_note().filter(|_| file.pods.is_none()) {
                    info!(file = name, skipped, "objects other than pods are skipped");
                }
                file.pods = Some(parsed.pods);
                file.fault = None;
            }
            Err(fault) => file.fault = Some(fault),
        }
        true
    }

    /// All pods, and those that two files claim: the first in order of names has them.
    fn merge(&self) -> (Pods, BTreeSet<String>) {
        let mut claimed = BTreeSet::new();
        let mut owners: HashMap<&str, &str> = HashMap::new();
        let mut pods = Pods::default();
        for (name, file) in &self.files {
            for pod in file.pods.iter().flatten() {
                let owner = *owners.entry(&pod.uid).or_insert(name);
                if owner == name {
                    pods.put(Arc::clone(pod));
                } else {
                    claimed.insert(format!("{name}: pod uid {} is taken by {owner}", pod.uid));
                }
            }
        }
        (pods, claimed)
    }

    fn nodes(&self) -> Vec<ClusterNode> {
        let of_pods = self.pods.nodes().map(|(name, _)| &**name).filter(|name| !name.is_empty());
        let names: BTreeSet<&str> = self.listed_nodes.iter().map(String::as_str).chain(of_pods).collect();
        // A folder says nothing about how its nodes are.
        let node = |name: &str| ClusterNode { name: name.to_owned(), status: NodeHealth::Unknown };
        names.into_iter().map(node).collect()
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Whether the file last changed so long ago that another change would show. A time in the future does not count.
fn is_settled(metadata: &Metadata) -> bool {
    let (Ok(seconds), Ok(nanoseconds)) =
        (u64::try_from(metadata.ctime()), u32::try_from(metadata.ctime_nsec()))
    else {
        return false;
    };
    let changed = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    SystemTime::now().duration_since(changed).is_ok_and(|age| age > SAME_TICK)
}

fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
