//! Processes that were named by their numbers: which of them have ended.
//!
//! A rule for a process that is not there does no harm, since the kernel side compares start times; it only takes room. So
//! rules are written without a look at the processes, and looked through a few at a time afterwards.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use gthulhu_lib::process::ProcessId;
use gthulhu_lib::process::walk::stat::Stat;

use super::{Governor, MapsError};
use crate::maps::KernelMaps;

/// How many are looked at in one sweep: some ten milliseconds' worth.
const AT_ONCE: usize = 4096;

/// Which are known to have ended.
#[derive(Debug, Default)]
pub(super) struct Processes {
    gone: HashSet<ProcessId>,
    /// Where the last sweep stopped.
    reached: Option<ProcessId>,
}

impl Processes {
    /// Others are named now.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn ended(&mut self, id: ProcessId) {
        self.gone.insert(id);
    }

    pub(super) fn is_gone(&self, id: ProcessId) -> bool {
        self.gone.contains(&id)
    }

    pub(super) fn gone(&self) -> usize {
        self.gone.len()
    }
}

impl Governor {
    /// A process has ended that had a rule, and has none any more. Only what was named is remembered: everything else
    /// follows from looks at the processes.
    pub(super) fn note_end(&mut self, id: ProcessId) {
        if self.wanted.processes.contains_key(&id) || self.wanted.muted.contains(&id) {
            self.processes.ended(id);
        }
    }

    /// Looks at the next few processes that have rules, and takes out those that have ended.
    pub(super) fn sweep(&mut self, maps: &mut dyn KernelMaps) -> Result<(), MapsError> {
        let mut ids: Vec<ProcessId> = self.written.pid_rules().collect();
        ids.sort_unstable();
        let from = self.processes.reached.map_or(0, |last| ids.partition_point(|&id| id <= last));
        let part = &ids[from..ids.len().min(from + AT_ONCE)];
        self.processes.reached = part.last().copied().filter(|_| part.len() == AT_ONCE);
        let ended: Vec<ProcessId> =
            part.iter().copied().filter(|&id| !is_there(&self.proc_root, id)).collect();
        if ended.is_empty() {
            return Ok(());
        }
        let pids: Vec<u32> = ended.iter().map(|id| id.pid).collect();
        maps.remove_pids(&pids)?;
        for id in ended {
            self.written.forget_pid(id.pid);
            self.note_end(id);
        }
        self.facts.pids = self.written.pids();
        // Their room may be wanted by others.
        self.unwritten |= self.facts.refused > 0;
        Ok(())
    }
}

/// Whether the process is there. One that cannot be looked at is.
fn is_there(proc_root: &Path, id: ProcessId) -> bool {
    let path = proc_root.join(OsStr::new(&id.pid.to_string())).join("stat");
    match fs::read(path) {
        Ok(text) => Stat::parse(&text).is_none_or(|stat| stat.start == id.start && !stat.is_dead()),
        Err(error) => {
            let gone = [rustix::io::Errno::NOENT, rustix::io::Errno::SRCH];
            !gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
        }
    }
}
