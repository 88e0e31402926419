//! The kernel's own account of CPU time, in nanoseconds.

use std::fs;
use std::path::Path;

use rustix::thread::ClockId;
use rustix::time::clock_gettime;

/// CPU time of the calling thread.
pub fn own_thread() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// CPU time of all threads that a process has now; 0 if it is gone. Threads that have ended do not count.
pub fn of_process(pid: u32) -> u64 {
    of_threads(pid).iter().sum()
}

/// CPU time of each thread that a process has now, the oldest first; none if it is gone.
pub fn of_threads(pid: u32) -> Vec<u64> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of_task = |dir: &Path| {
        let text = fs::read_to_string(dir.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.flatten().filter_map(|task| of_task(&task.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_the_time_of_its_threads() {
        let mine = own_thread();
        assert!(mine > 0);
        let all = of_process(std::process::id());
        // A kernel without schedstats keeps no account.
        assert!(all == 0 || all >= mine);
    }

    #[test]
    fn a_process_that_is_gone_has_none() {
        assert_eq!(of_process(u32::MAX), 0);
    }
}
