//! The fields that are needed of `/proc/PID/stat` and `/proc/PID/status`, which are not to be believed further than the
//! kernel writes them: the name in them is of the process's own choosing.

use crate::process::Comm;

/// A process's or thread's `stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Command name, byte for byte (Linux before 4.18 escapes newlines and backslashes in it).
    pub comm: Comm,
    state: u8,
    /// Parent process.
    pub parent: u32,
    thread_count: u64,
    /// Start time in clock ticks after boot.
    pub start: u64,
}

impl Stat {
    /// Reads a `stat`. The command name stands in parentheses and may itself hold blanks and parentheses, so
    /// the fields are counted from the last `)`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let start_of_name = text.iter().position(|&byte| byte == b'(')? + 1;
        let end_of_name = text.iter().rposition(|&byte| byte == b')').filter(|&end| end >= start_of_name)?;
        let comm = Comm::new(&text[start_of_name..end_of_name]);
        let mut fields = std::str::from_utf8(&text[end_of_name + 1..]).ok()?.split_ascii_whitespace();
        // Fields are numbered as in proc(5), where the state is the third.
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let thread_count = fields.nth(20 - 5)?.parse().ok()?;
        let start = fields.nth(22 - 21)?.parse().ok()?;
        Some(Self { comm, state, parent, thread_count, start })
    }

    /// Whether the process has threads other than its leader.
    pub fn is_threaded(self) -> bool {
        self.thread_count > 1
    }

    /// Whether this thread has ended: a zombie, or about to vanish.
    pub fn is_ended(self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether the whole process has ended. A leader may end before its other threads do.
    pub fn is_dead(self) -> bool {
        self.is_ended() && self.thread_count <= 1
    }
}

/// The process that a thread belongs to, from the thread's `status`. The name in the first line has its newlines
/// escaped, so no line can be forged.
pub fn leader(status: &[u8]) -> Option<u32> {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER_NAME: &str = "S 17 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 987654 10 11 12";

    #[test]
    fn fields_are_counted_from_the_end_of_the_name() {
        let expected = |name: &[u8]| Stat {
            comm: Comm::new(name),
            state: b'S',
            parent: 17,
            thread_count: 3,
            start: 987_654,
        };
        for name in ["sleep", "tmux: server", "a) R 1 (b", ")", "", "x\ny", "((("] {
            let text = format!("42 ({name}) {AFTER_NAME}\n");
            assert_eq!(
                Stat::parse(text.as_bytes()),
                Some(expected(name.as_bytes())),
                "for the name {name:?}"
            );
        }
        let mut not_utf8 = b"42 (\xff\xfe) ".to_vec();
        not_utf8.extend_from_slice(AFTER_NAME.as_bytes());
        assert_eq!(Stat::parse(&not_utf8), Some(expected(b"\xff\xfe")));
    }

    #[test]
    fn what_is_no_stat_is_refused() {
        for text in
            ["", "42", "42 (sleep", "42 (sleep)", "42 (sleep) S 1 2 3", "42 (sleep) S x", "42 )sleep( S"]
        {
            assert_eq!(Stat::parse(text.as_bytes()), None, "for {text:?}");
        }
        let negative = format!("42 (sleep) {AFTER_NAME}").replace("987654", "-1");
        assert_eq!(Stat::parse(negative.as_bytes()), None);
    }

    #[test]
    fn a_leader_that_ended_before_its_threads_is_not_a_dead_process() {
        for (state, threads, ended, dead) in [
            ('S', 1, false, false),
            ('R', 9, false, false),
            ('Z', 1, true, true),
            ('Z', 0, true, true),
            ('X', 1, true, true),
            ('Z', 2, true, false),
        ] {
            let text = format!("1 (x) {state} 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {threads} 0 5");
            let stat = Stat::parse(text.as_bytes()).unwrap();
            assert_eq!((stat.is_ended(), stat.is_dead()), (ended, dead), "{state} with {threads} threads");
        }
    }

    #[test]
    fn a_thread_names_its_leader() {
        assert_eq!(leader(b"Name:\tTgid:\\n9\nUmask:\t0022\nState:\tS\nTgid:\t42\nPid:\t43\n"), Some(42));
        assert_eq!(leader(b"Name:\tx\n"), None);
        assert_eq!(leader(b"Tgid:\tmany\n"), None);
    }
}
