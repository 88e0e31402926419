//! Resolved strategies: what a task finally gets, and the 64-bit entry that carries it to schedulers.

pub mod diff;
pub mod table;

/// The weakest graded priority; user values above it act as this one.
pub const PRIORITY_MAX: u8 = 20;
/// The shortest time slice that can be asked for, in nanoseconds.
pub const SLICE_MIN_NS: u32 = 100_000;
/// The longest time slice that can be asked for, in nanoseconds.
pub const SLICE_MAX_NS: u32 = 100_000_000;

/// Priority and time slice of one task, always within the scale that schedulers understand.
///
/// Values come in only through [`Resolved::clamped`] or out of an [`Entry`], so a holder never needs to
/// check them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolved {
    priority: u8,
    slice_ns: u32,
}

impl Resolved {
    /// Brings any pair of user values into the scale: priorities above 20 act as 20 and below 0 as 0;
    /// slices of 0 or less mean "the scheduler's default", others are held between 100 us and 100 ms.
    pub fn clamped(priority: i64, execution_time_ns: i64) -> Self {
        let priority = u8::try_from(priority.clamp(0, i64::from(PRIORITY_MAX))).unwrap_or(PRIORITY_MAX);
        let slice_ns = if execution_time_ns <= 0 {
            0
        } else {
            let held = execution_time_ns.clamp(i64::from(SLICE_MIN_NS), i64::from(SLICE_MAX_NS));
            u32::try_from(held).unwrap_or(SLICE_MAX_NS)
        };
        Self { priority, slice_ns }
    }

    /// 0 (no preference), 1 (strongest) to 20 (weakest).
    pub fn priority(self) -> u8 {
        self.priority
    }

    /// Time slice in nanoseconds: 100,000 to 100,000,000, or 0, which leaves it to the scheduler.
    pub fn slice_ns(self) -> u32 {
        self.slice_ns
    }

    /// Place in the order of strength 1 > 2 > ... > 20 > 0: the smaller rank is the stronger one.
    pub fn rank(self) -> u8 {
        if self.priority == 0 { PRIORITY_MAX + 1 } else { self.priority }
    }
}

/// One task's entry in the strategy table.
///
/// The layout is shared with every reader of the table, from bit 0: present (1 bit), priority (5 bits),
/// slice in nanoseconds (27 bits), start tag (31 bits). The start tag is the low part of the task's start
/// time in clock ticks (field 22 of its `stat` file); it tells a task from a later one that got the same
/// number in another tick. A word of 0 is no entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry(u64);

const PRESENT: u64 = 1;
const PRIORITY_SHIFT: u32 = 1;
const PRIORITY_BITS: u32 = 5;
const SLICE_SHIFT: u32 = PRIORITY_SHIFT + PRIORITY_BITS;
const SLICE_BITS: u32 = 27;
const TAG_SHIFT: u32 = SLICE_SHIFT + SLICE_BITS;
const TAG_BITS: u32 = 31;

// The four fields fill the word, and the greatest legal values fit their fields.
const _: () = assert!(TAG_SHIFT + TAG_BITS == u64::BITS);
const _: () = assert!((PRIORITY_MAX as u64) < 1 << PRIORITY_BITS);
const _: () = assert!((SLICE_MAX_NS as u64) < 1 << SLICE_BITS);

impl Entry {
    /// Packs a strategy for the task that started at `start` clock ticks after boot.
    pub fn pack(resolved: Resolved, start: u64) -> Self {
        Self(
            PRESENT
                | u64::from(resolved.priority) << PRIORITY_SHIFT
                | u64::from(resolved.slice_ns) << SLICE_SHIFT
                | start_tag(start) << TAG_SHIFT,
        )
    }

    /// Reads a word of the table; `None` if it holds no entry.
    pub fn from_bits(bits: u64) -> Option<Self> {
        (bits & PRESENT != 0).then_some(Self(bits))
    }

    /// The word as it stands in the table.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The strategy. Fields outside the scale (only a foreign writer could leave any) are clamped.
    pub fn resolved(self) -> Resolved {
        let priority = self.0 >> PRIORITY_SHIFT & mask(PRIORITY_BITS);
        let slice = self.0 >> SLICE_SHIFT & mask(SLICE_BITS);
        // Both fields are far narrower than 63 bits.
        Resolved::clamped(priority.cast_signed(), slice.cast_signed())
    }

    /// Whether this entry was made for a task that started at `start` clock ticks after boot.
    pub fn is_of(self, start: u64) -> bool {
        self.0 >> TAG_SHIFT == start_tag(start)
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Resolved { priority, slice_ns } = self.resolved();
        write!(f, "Entry(priority {priority}, slice {slice_ns} ns, tag {})", self.0 >> TAG_SHIFT)
    }
}

fn start_tag(start: u64) -> u64 {
    start & mask(TAG_BITS)
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_values_are_brought_into_the_scale() {
        for (priority, slice, expected) in [
            (0, 0, (0, 0)),
            (1, 100_000, (1, 100_000)),
            (20, 100_000_000, (20, 100_000_000)),
            (21, 1, (20, 100_000)),
            (-1, -1, (0, 0)),
            (7, 99_999, (7, 100_000)),
            (7, 100_000_001, (7, 100_000_000)),
            (i64::MAX, i64::MAX, (20, 100_000_000)),
            (i64::MIN, i64::MIN, (0, 0)),
        ] {
            let got = Resolved::clamped(priority, slice);
            assert_eq!((got.priority(), got.slice_ns()), expected, "for ({priority}, {slice})");
        }
    }

    #[test]
    fn one_is_strongest_and_zero_is_weakest() {
        let mut by_strength: Vec<i64> = (0..=20).collect();
        by_strength.sort_by_key(|&priority| Resolved::clamped(priority, 0).rank());
        assert_eq!(by_strength, (1..=20).chain([0]).collect::<Vec<_>>());
    }

    #[test]
    fn an_entry_gives_back_what_was_packed_at_every_bound() {
        let tag_end = 1_u64 << TAG_BITS;
        for priority in [0, 1, 9, 10, 20] {
            for slice in [0, 100_000, 20_000_000, 100_000_000] {
                for start in [0, 1, tag_end - 1, tag_end, u64::MAX] {
                    let resolved = Resolved::clamped(priority, slice);
                    let entry = Entry::pack(resolved, start);
                    assert_eq!(Entry::from_bits(entry.bits()), Some(entry));
                    assert_eq!(entry.resolved(), resolved);
                    assert!(entry.is_of(start));
                    assert!(!entry.is_of(start ^ 1), "the neighbouring tick is another task");
                }
            }
        }
    }

    #[test]
    fn the_layout_is_the_published_one() {
        let words = [
            ((0, 0, 0), 0x1),
            ((20, 0, 0), 0x29),
            ((0, 100_000_000, 0), 100_000_000 << 6 | 1),
            ((0, 0, 1), 1 << 33 | 1),
            ((1, 100_000, u64::MAX), 0xffff_fffe_0000_0000 | 100_000 << 6 | 0x3),
        ];
        for ((priority, slice, start), word) in words {
            let got = Entry::pack(Resolved::clamped(priority, slice), start).bits();
            assert_eq!(got, word, "for ({priority}, {slice}, {start}): {got:#x}");
        }
    }

    #[test]
    fn a_word_without_the_present_bit_is_no_entry_and_foreign_words_are_clamped() {
        assert_eq!(Entry::from_bits(0), None);
        assert_eq!(Entry::from_bits(u64::MAX - 1), None);
        let foreign = Entry::from_bits(u64::MAX).expect("the present bit is set").resolved();
        assert_eq!(foreign, Resolved::clamped(20, 100_000_000));
    }
}
