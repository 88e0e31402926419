//! Pod uids that tell who made them, so that what a crashed run left behind can be told from what a live one uses
//! and from the pods of a real kubelet: `67746875-6c68-4000-8SSS-PPPPPPPPNNNN` with the maker's start time S (its low
//! bits), pid P and a running number N.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::kernel;

const OURS: &str = "67746875-6c68-4000-8";
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A uid that no other pod of any live process has.
pub(super) fn next() -> String {
    let pid = std::process::id();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{OURS}{}-{pid:08x}{number:04x}", start_tag(pid).unwrap_or_default())
}

/// Whether `uid` is one of ours whose maker is no longer alive.
pub(super) fn is_abandoned(uid: &str) -> bool {
    let Some((tag, tail)) = uid.strip_prefix(OURS).and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let Some(pid) =
        tail.get(..8).filter(|_| tail.len() == 12).and_then(|hex| u32::from_str_radix(hex, 16).ok())
    else {
        return false;
    };
    start_tag(pid).as_deref() != Some(tag)
}

fn start_tag(pid: u32) -> Option<String> {
    kernel::start_time(pid).map(|ticks| format!("{:03x}", ticks & 0xfff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_makers_uid_is_distinct_well_formed_and_not_abandoned() {
        let (one, two) = (next(), next());
        assert_ne!(one, two);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(!is_abandoned(&one));
    }

    #[test]
    fn only_our_own_shape_with_a_dead_maker_is_abandoned() {
        assert!(is_abandoned("67746875-6c68-4000-8123-7fffffff0000"));
        for other in [
            "31e4e721-a5a0-4f6e-8123-7fffffff0000",
            "67746875-6c68-4000-8123",
            "67746875-6c68-4000-8123-7fff",
            "",
        ] {
            assert!(!is_abandoned(other), "{other}");
        }
    }

    #[test]
    fn the_same_pid_started_at_another_time_is_another_maker() {
        let own = next();
        let tag = &own[OURS.len()..OURS.len() + 3];
        let other = if tag == "000" { "001" } else { "000" };
        assert!(is_abandoned(&own.replacen(&format!("{OURS}{tag}"), &format!("{OURS}{other}"), 1)));
    }
}
