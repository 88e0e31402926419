//! What this process may do, thread by thread, and no more than it needs.
//!
//! Loading a scheduler takes capabilities; reading files, answering questions and even writing to maps that are open does
//! not. So the thread that loads keeps the few that are needed, and raises them only while it loads; every other thread
//! gives up all. New threads inherit what their maker has.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use crate::preflight::NEEDED;

/// Gives up everything, for this thread and those that it makes from now on.
pub fn drop_all() -> io::Result<()> {
    set(CapabilitySet::empty(), CapabilitySet::empty())
}

/// Keeps what loading needs, of what there is, and nothing else.
pub fn keep_needed() -> io::Result<()> {
    // No program that this process may ever start gets more than it has.
    set_no_new_privs(true)?;
    raise()
}

/// Brings what was kept into force: to load.
pub fn raise() -> io::Result<()> {
    let kept = capabilities(None)?.permitted & needed();
    set(kept, kept)
}

/// Takes what was kept out of force until it is raised again.
pub fn lower() -> io::Result<()> {
    let kept = capabilities(None)?.permitted & needed();
    set(CapabilitySet::empty(), kept)
}

fn needed() -> CapabilitySet {
    NEEDED.iter().fold(CapabilitySet::empty(), |all, (_, one)| all | *one)
}

fn set(effective: CapabilitySet, permitted: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() };
    Ok(set_capabilities(None, sets)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capabilities are a thread's own, and every test has a thread.
    #[test]
    fn what_is_given_up_does_not_come_back_and_what_is_lowered_does() {
        let before = capabilities(None).unwrap();
        keep_needed().unwrap();
        let kept = capabilities(None).unwrap();
        assert_eq!(kept.permitted, before.permitted & needed());
        assert_eq!(kept.effective, kept.permitted);
        lower().unwrap();
        let lowered = capabilities(None).unwrap();
        assert_eq!((lowered.effective, lowered.permitted), (CapabilitySet::empty(), kept.permitted));
        raise().unwrap();
        assert_eq!(capabilities(None).unwrap(), kept);
        drop_all().unwrap();
        raise().unwrap();
        assert_eq!(capabilities(None).unwrap().permitted, CapabilitySet::empty());
        let inherited = std::thread::spawn(|| capabilities(None).unwrap()).join().unwrap();
        assert_eq!(inherited.permitted, CapabilitySet::empty());
    }
}
