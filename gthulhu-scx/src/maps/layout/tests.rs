//! Both halves of the layout, held together: what the compiler made of `bpf/intf.h` and what is read and written here.

use super::*;
use crate::bpf::types;

#[test]
fn both_sides_have_the_same_sizes() {
    assert_eq!(size_of::<types::gth_task>(), TASK);
    assert_eq!(size_of::<types::gth_cpu>(), CPU);
    assert_eq!(size_of::<types::gth_stats>(), STATS);
    assert_eq!(size_of::<types::gth_exit>(), EXIT);
}

#[test]
fn a_strategy_lies_as_the_kernel_side_reads_it() {
    let resolved = Resolved::clamped(7, 0x0102_0304);
    assert_eq!(
        cgroup_rule(CgroupRule::Fixed(resolved)),
        [0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 7, 0, 0, 0],
        "rule, flags, slice, priority, flags, nothing"
    );
    assert_eq!(
        cgroup_rule(CgroupRule::ByComm { rule: 0x0a0b }),
        [0x0b, 0x0a, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(verdict(Verdict::Ungoverned)[5], 1);
    assert_eq!(verdict(Verdict::Governed(resolved))[..6], [4, 3, 2, 1, 7, 0]);
    let row = PidRule { tgid: 1, start_ticks: 0x55, resolved };
    assert_eq!(pid_rule(&row), [4, 3, 2, 1, 7, 0, 0, 0, 0x55, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_name_is_padded_and_its_last_byte_is_always_nul() {
    let key = verdict_key(9, &Comm::new(b"sixteen-bytes-xx"));
    assert_eq!(&key[..4], &[9, 0, 0, 0]);
    assert_eq!(&key[4..], b"sixteen-bytes-x\0");
    assert_eq!(&verdict_key(9, &Comm::new(b"amf"))[4..], b"amf\0\0\0\0\0\0\0\0\0\0\0\0\0");
}

fn event_bytes(kind: u32, name: &[u8], path: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; EVENT];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[4] = 42;
    bytes[8] = 3;
    bytes[16] = 77;
    bytes[24] = 99;
    bytes[32..32 + name.len()].copy_from_slice(name);
    bytes[48..48 + path.len()].copy_from_slice(path);
    bytes
}

#[test]
fn events_are_read_field_by_field() {
    let comm = Comm::new(b"nginx");
    let read = |kind, path: &[u8]| event(&event_bytes(kind, b"nginx\0rest", path)).unwrap();
    assert_eq!(read(1, b""), Some(Event::UnknownComm { rule: 3, comm, tgid: 42, cgroup: 77, at_ns: 99 }));
    assert_eq!(read(2, b"/pod"), Some(Event::CgroupMade { cgroup: 77, path: "/pod".into(), at_ns: 99 }));
    assert_eq!(read(3, b"/pod"), Some(Event::CgroupGone { cgroup: 77, path: "/pod".into(), at_ns: 99 }));
    assert_eq!(read(4, b""), Some(Event::ProcessNew { tgid: 42, comm, cgroup: 77, at_ns: 99 }));
    assert_eq!(read(5, b""), Some(Event::ProcessGone { tgid: 42, cgroup: 77, at_ns: 99 }));
    assert_eq!(read(6, b""), None, "a kind of a later version");
    assert!(event(&[0; EVENT - 1]).is_err(), "cut off");
}

#[test]
fn counters_of_all_cpus_are_summed_and_cpus_that_are_off_do_not_run() {
    let mut stats = vec![vec![0_u8; STATS]; 2];
    for (cpu, bytes) in stats.iter_mut().enumerate() {
        bytes[0] = 5;
        bytes[8 * Counters::NAMES.len()] = 1;
        // One task became governed on the first CPU and two ceased to be on the second.
        let change = if cpu == 0 { 3_i64 } else { -2 };
        bytes[STATS - 16..STATS - 8].copy_from_slice(&change.to_le_bytes());
        bytes[STATS - 8] = 4;
    }
    let cpu = |rank: u8, online: u8| {
        let mut bytes = vec![0; CPU];
        (bytes[0], bytes[4]) = (rank, online);
        bytes
    };
    let counters = counters(&stats, &[cpu(21, 1), cpu(22, 1), cpu(21, 0)]).unwrap();
    assert_eq!(counters.user_dispatches, 10);
    assert_eq!(counters.governed_waits.buckets[0], 2);
    assert_eq!(counters.normal_waits.total(), 0);
    assert_eq!((counters.governed_tasks, counters.queued), (1, 8));
    assert_eq!((counters.online_cpus, counters.running), (2, 1));
}

#[test]
fn the_earliest_first_enqueue_of_all_cpus_counts() {
    let cpu = |first: u8| {
        let mut bytes = vec![0; CGROUP_COUNTERS];
        (bytes[0], bytes[24]) = (2, first);
        bytes
    };
    let sum = cgroup_counters(&[cpu(0), cpu(9), cpu(4)]).unwrap();
    assert_eq!((sum.enqueues_governed, sum.first_governed_ns), (6, 4));
}

#[test]
fn a_task_without_a_strategy_shows_none_whatever_lies_in_its_place() {
    let mut bytes = vec![0; TASK];
    bytes[44] = 5;
    bytes[48] = 5;
    bytes[88..96].copy_from_slice(&(-1_i64).to_le_bytes());
    let view = task(&bytes).unwrap();
    assert_eq!((view.strategy, view.source, view.budget_ns), (None, Source::Refused, 0));
    bytes[48] = 2;
    assert_eq!(task(&bytes).unwrap().strategy, Some(Resolved::clamped(5, 0)));
}
