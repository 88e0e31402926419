//! Reads processes, those of a cgroup together or one by one.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;

use super::group::Group;
use super::tree::is_ours;
use crate::process::walk::{self, Depth, ProcWalk, files, is_gone, stat::Stat};
use crate::process::{Governed, Located, Process, ProcessId, Snapshot};

/// How many `stat` files are open at once.
const CHUNK: usize = 64;

#[derive(Debug)]
pub(in crate::process) struct Reader {
    /// The proc file system.
    proc: OwnedFd,
    /// For single processes, and for pods that are not governed.
    pub(super) walk: ProcWalk,
    pub(super) governed: Governed,
    /// The processes of the last snapshot, and when each started.
    known: HashMap<u32, u64>,
    text: Vec<u8>,
}

impl Reader {
    pub(super) fn new(proc: OwnedFd, walk: ProcWalk) -> Self {
        Self { proc, walk, governed: Governed::default(), known: HashMap::new(), text: Vec::new() }
    }

    /// Looks one process up, past everything remembered; elsewhere is also who is in a pod that is not governed.
    pub(in crate::process) fn look_up(&mut self, pid: u32) -> io::Result<Located> {
        let Self { walk, proc, governed, .. } = self;
        let depth = |pod: &str| if governed.contains(pod) { Depth::Threads } else { Depth::Nothing };
        match walk.process(proc, pid, depth) {
            Err(error) if is_gone(&error) => Ok(Located::NotFound),
            located => located,
        }
    }

    /// Whether anybody is in a pod, but in none by the tree of version 2.
    pub(super) fn finds_more_in_version_1(&mut self) -> io::Result<bool> {
        self.walk.finds_more_in_version_1(&self.proc)
    }

    /// When a thread of that very process started.
    pub(in crate::process) fn thread_start(&mut self, id: ProcessId, tid: u32) -> io::Result<Option<u64>> {
        files::read(&self.proc, format!("{}/task/{tid}/stat", id.pid), &mut self.text)?;
        let thread = Stat::parse(&self.text);
        files::read(&self.proc, format!("{}/stat", id.pid), &mut self.text)?;
        let is_same = Stat::parse(&self.text).is_some_and(|leader| leader.start == id.start);
        Ok(thread.filter(|thread| is_same && !thread.is_ended()).map(|thread| thread.start))
    }

    /// Reads who is in the group, and all about them.
    pub(super) fn read_group(&mut self, group: &mut Group, keep: bool, found: &mut Found) -> io::Result<()> {
        match group.read(keep) {
            Ok(_) => {}
            Err(error) if is_ours(&error) => return Err(error),
            Err(_) => {
                found.snapshot.left_out.unreadable += 1;
                return Ok(());
            }
        }
        let pids: Vec<u32> = group.pids().collect();
        if group.refused {
            found.snapshot.left_out.refused += pids.len() as u64;
            return Ok(());
        }
        pids.chunks(CHUNK).try_for_each(|chunk| self.read_processes(group, keep, chunk, found))
    }

    fn read_processes(
        &mut self,
        group: &mut Group,
        keep: bool,
        pids: &[u32],
        found: &mut Found,
    ) -> io::Result<()> {
        let mut opened = Vec::with_capacity(pids.len());
        for &pid in pids {
            match files::open(&self.proc, format!("{pid}/stat")) {
                Ok(stat) => opened.push((pid, stat)),
                Err(error) if is_gone(&error) => {}
                Err(_) => found.snapshot.left_out.unreadable += 1,
            }
        }
        // Those that nothing is known of have to be listed while their files are open.
        let mut confirmed = HashSet::new();
        if opened.iter().any(|(pid, _)| !self.known.contains_key(pid)) {
            group.read(keep)?;
            confirmed.extend(group.pids());
        }
        for (pid, stat) in opened {
            let is_confirmed = confirmed.contains(&pid);
            match self.read_process(group, pid, &stat, is_confirmed) {
                Ok(process) => process.into_iter().for_each(|process| found.add(process)),
                Err(error) if is_gone(&error) => {}
                Err(_) => found.snapshot.left_out.unreadable += 1,
            }
        }
        Ok(())
    }

    /// Reads a process that was listed in the group, before its file was opened or (`is_confirmed`) after that.
    fn read_process(
        &mut self,
        group: &Group,
        pid: u32,
        file: &OwnedFd,
        is_confirmed: bool,
    ) -> io::Result<Option<Process>> {
        files::read_open(file, &mut self.text)?;
        let stat = Stat::parse(&self.text).ok_or(io::ErrorKind::InvalidData)?;
        if stat.is_dead() {
            return Ok(None);
        }
        if !is_confirmed && self.known.get(&pid) != Some(&stat.start) {
            // It took over the number while we looked, or nothing was known of it.
            let located = self.look_up(pid)?;
            return Ok(if let Located::InPod(process) = located { Some(process) } else { None });
        }
        let mut threads = Vec::new();
        if stat.is_threaded() {
            let task = files::open_dir(&self.proc, format!("{pid}/task"))?;
            threads = walk::threads(&task, pid, &mut self.text)?;
            // Can it be read, they are this process's threads.
            rustix::io::pread(file, &mut [0; 1], 0)?;
        }
        Ok(Some(Process {
            id: ProcessId { pid, start: stat.start },
            parent: stat.parent,
            comm: stat.comm,
            pod_uid: group.pod.clone(),
            container_id: group.container.clone(),
            threads,
        }))
    }

    /// Looks those up that were there before and were found nowhere, and remembers who is there now.
    pub(super) fn finish(&mut self, mut found: Found) -> Snapshot {
        let missing = self.known.keys().filter(|pid| !found.places.contains_key(pid));
        for pid in missing.copied().collect::<Vec<u32>>() {
            match self.look_up(pid) {
                Ok(Located::InPod(process)) => found.add(process),
                Ok(Located::Refused(_) | Located::Elsewhere | Located::NotFound) => {}
                Err(_) => found.snapshot.left_out.unreadable += 1,
            }
        }
        let processes = &found.snapshot.processes;
        self.known = processes.iter().map(|process| (process.id.pid, process.id.start)).collect();
        found.snapshot
    }
}

/// Processes, each once: what was read last of it counts.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) snapshot: Snapshot,
    places: HashMap<u32, usize>,
}

impl Found {
    fn add(&mut self, process: Process) {
        let processes = &mut self.snapshot.processes;
        let place = *self.places.entry(process.id.pid).or_insert(processes.len());
        if let Some(earlier) = processes.get_mut(place) {
            *earlier = process;
        } else {
            processes.push(process);
        }
    }
}
