//! What the kernel side tells, as it lies in the ring and in listings; the other half of `bpf/monitor.h`.
//!
//! Everything is read by its place, so nothing here depends on how Rust lays out a struct.

use gthulhu_lib::process::Comm;

/// Bytes of a task in a listing.
pub(super) const TASK: usize = 64;
const CGROUP: usize = 280;
const COMM: usize = 16;
const NAME: usize = 256;

const LEADER_ENDED: u32 = 1;
const LAST: u32 = 2;

/// One thing that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Task(Deed, Task),
    CgroupMade { id: u64, parent: u64, name: Box<[u8]> },
    CgroupGone { id: u64 },
}

/// What a task did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nothing: it stands in a listing.
    Listed,
    Begun,
    /// It has another program and is the only thread.
    Program,
    /// A leader has another name.
    Named,
    /// A leader is in another cgroup.
    Moved,
    Ended,
}

/// A thread, and of its process what the leader says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) tid: u32,
    pub(super) tgid: u32,
    /// Nanoseconds since boot.
    pub(super) start_ns: u64,
    pub(super) leader_start_ns: u64,
    pub(super) cgroup: u64,
    pub(super) parent: u32,
    pub(super) comm: Comm,
    /// The leader has ended, or is about to.
    pub(super) leader_ended: bool,
    /// No thread of the process goes on.
    pub(super) is_last: bool,
}

impl Task {
    pub(super) fn is_leader(&self) -> bool {
        self.tid == self.tgid
    }
}

/// What one report says; `None` if it is of a kind that this version does not know, or cut off.
pub(super) fn told(bytes: &[u8]) -> Option<Told> {
    let deed = match u32_at(bytes, 0)? {
        1 => Deed::Listed,
        2 => Deed::Begun,
        3 => Deed::Program,
        4 => Deed::Named,
        5 => Deed::Moved,
        6 => Deed::Ended,
        7 if bytes.len() >= CGROUP => {
            let name = until_nul(bytes.get(24..24 + NAME)?).into();
            return Some(Told::CgroupMade { id: u64_at(bytes, 8)?, parent: u64_at(bytes, 16)?, name });
        }
        8 => return Some(Told::CgroupGone { id: u64_at(bytes, 8)? }),
        _ => return None,
    };
    Some(Told::Task(deed, task(bytes)?))
}

fn task(bytes: &[u8]) -> Option<Task> {
    let flags = u32_at(bytes, 4)?;
    Some(Task {
        tid: u32_at(bytes, 8)?,
        tgid: u32_at(bytes, 12)?,
        start_ns: u64_at(bytes, 16)?,
        leader_start_ns: u64_at(bytes, 24)?,
        cgroup: u64_at(bytes, 32)?,
        parent: u32_at(bytes, 40)?,
        comm: Comm::new(until_nul(bytes.get(48..48 + COMM)?)),
        leader_ended: flags & LEADER_ENDED != 0,
        is_last: flags & LAST != 0,
    })
}

/// The tasks of a listing.
pub(super) fn listing(bytes: &[u8]) -> impl Iterator<Item = Task> {
    bytes.chunks_exact(TASK).filter_map(|bytes| match told(bytes) {
        Some(Told::Task(Deed::Listed, task)) => Some(task),
        _ => None,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The compiler of the other side holds it to what its header asserts.
    #[test]
    fn both_sides_have_the_same_sizes_and_places() {
        let header = include_str!("../bpf/monitor.h");
        for asserted in [
            format!("sizeof(struct gth_told_task) == {TASK}"),
            "offsetof(struct gth_told_task, start_ns) == 16".to_owned(),
            "offsetof(struct gth_told_task, parent) == 40".to_owned(),
            "offsetof(struct gth_told_task, comm) == 48".to_owned(),
            format!("#define GTH_COMM_LEN {COMM}"),
            format!("sizeof(struct gth_told_cgroup) == {CGROUP}"),
            "offsetof(struct gth_told_cgroup, name) == 24".to_owned(),
            format!("#define GTH_NAME_LEN {NAME}"),
        ] {
            assert!(header.contains(&asserted), "{asserted}");
        }
    }

    fn task_bytes(kind: u32, flags: u32) -> Vec<u8> {
        let words = [kind, flags, 43, 42].map(u32::to_le_bytes).concat();
        let long = [7_u64, 5, 4242].map(u64::to_le_bytes).concat();
        [words, long, [9_u32, 0].map(u32::to_le_bytes).concat(), b"nginx\0rest\0\0\0\0\0\0".to_vec()].concat()
    }

    #[test]
    fn a_task_is_read_field_by_field() {
        let task = Task {
            tid: 43,
            tgid: 42,
            start_ns: 7,
            leader_start_ns: 5,
            cgroup: 4242,
            parent: 9,
            comm: Comm::new(b"nginx"),
            leader_ended: false,
            is_last: false,
        };
        let deeds = [Deed::Listed, Deed::Begun, Deed::Program, Deed::Named, Deed::Moved, Deed::Ended];
        for (kind, deed) in (1..).zip(deeds) {
            assert_eq!(told(&task_bytes(kind, 0)), Some(Told::Task(deed, task)));
        }
        let ended = Task { leader_ended: true, is_last: true, ..task };
        assert_eq!(told(&task_bytes(6, 3)), Some(Told::Task(Deed::Ended, ended)));
        let listed = [task_bytes(1, 0), task_bytes(2, 0), task_bytes(1, 0), vec![1, 0, 0, 0]].concat();
        assert_eq!(
            listing(&listed).collect::<Vec<_>>(),
            [task, task],
            "of the rest nothing is a listed task"
        );
    }

    #[test]
    fn a_cgroup_is_told_by_its_name_in_its_parent() {
        let bytes = |kind: u32, name: &[u8]| {
            let head = [kind, 0].map(u32::to_le_bytes).concat();
            let mut bytes = [head, [77_u64, 1].map(u64::to_le_bytes).concat(), name.to_vec()].concat();
            bytes.resize(CGROUP, 0);
            bytes
        };
        let made = |name: &[u8]| Some(Told::CgroupMade { id: 77, parent: 1, name: name.into() });
        assert_eq!(told(&bytes(7, b"kubepods")), made(b"kubepods"));
        assert_eq!(told(&bytes(7, &[b'x'; 255])), made(&[b'x'; 255]));
        assert_eq!(told(&bytes(8, b"")), Some(Told::CgroupGone { id: 77 }));
    }

    #[test]
    fn what_is_cut_off_or_of_a_later_version_says_nothing() {
        let whole = task_bytes(2, 0);
        for len in 0..TASK {
            assert_eq!(told(&whole[..len]), None, "{len} bytes");
        }
        assert_eq!(told(&task_bytes(9, 0)), None);
        assert_eq!(told(&task_bytes(7, 0)), None, "a cgroup is longer");
    }
}
