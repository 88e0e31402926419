//! The layout of a table, in numbers; in words it is in [`super`].

use super::PID_MAX_LIMIT;

/// How many generations are kept beside each other.
pub(super) const BANKS: usize = 4;
/// Pids for each byte of the presence map, as a power of two: as many as there are words in a page of memory.
pub(super) const PRESENCE_SHIFT: u32 = 9;

const PAGE: usize = 4096;
/// Byte at which the presence map begins.
pub(super) const PRESENCE_AT: usize = PAGE;
const MAGIC: u64 = u64::from_ne_bytes(*b"GTHULHUT");
/// The version of this layout.
pub(super) const VERSION: u64 = 1;
/// Words of the header that do not change, and which of them holds `pid_max`.
pub(super) const HEADER: usize = 9;
pub(super) const PID_MAX_WORD: usize = 3;
/// The word that holds the generation.
pub(super) const GENERATION_WORD: usize = 16;

/// The places in a table for pids below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Pids below it have a place.
    pub(super) pid_max: u32,
}

impl Layout {
    /// For pids below `pid_max`: held to what kernels allow, and rounded up to what fills a page.
    pub(super) fn new(pid_max: u32) -> Self {
        Self { pid_max: pid_max.clamp(1, PID_MAX_LIMIT).next_multiple_of(1 << PRESENCE_SHIFT) }
    }

    /// What a header says, if that is a layout we know.
    pub(super) fn of_header(header: &[u64; HEADER]) -> Option<Self> {
        let layout = Self::new(u32::try_from(header[PID_MAX_WORD]).ok()?);
        (layout.header() == *header).then_some(layout)
    }

    /// The header, but for the generation.
    pub(super) fn header(self) -> [u64; HEADER] {
        let number = |count: usize| count as u64;
        [
            MAGIC,
            VERSION,
            number(self.size()),
            u64::from(self.pid_max),
            number(BANKS),
            number(PRESENCE_AT),
            u64::from(PRESENCE_SHIFT),
            number(self.banks_at()),
            number(self.bank_words() * size_of::<u64>()),
        ]
    }

    /// Bytes of the whole.
    pub(super) fn size(self) -> usize {
        self.banks_at() + self.words() * size_of::<u64>()
    }

    /// Bytes of the presence map.
    pub(super) fn presence(self) -> usize {
        self.bank_words() >> PRESENCE_SHIFT
    }

    /// Byte at which the first bank begins.
    pub(super) fn banks_at(self) -> usize {
        PRESENCE_AT + self.presence().next_multiple_of(PAGE)
    }

    /// Words of one bank.
    pub(super) fn bank_words(self) -> usize {
        // It is far below 2^32.
        self.pid_max as usize
    }

    /// Words of all banks.
    pub(super) fn words(self) -> usize {
        // No more than 2^24.
        self.bank_words() * BANKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_the_published_ones() {
        for (pid_max, header) in [
            (32_768, [MAGIC, 1, 8192 + 1_048_576, 32_768, 4, 4096, 9, 8192, 262_144]),
            (4_194_304, [MAGIC, 1, 12_288 + 134_217_728, 4_194_304, 4, 4096, 9, 12_288, 33_554_432]),
        ] {
            let layout = Layout::new(pid_max);
            assert_eq!(layout.header(), header);
            assert_eq!(Layout::of_header(&header), Some(layout));
        }
        assert_eq!(&MAGIC.to_ne_bytes(), b"GTHULHUT");
        for (asked, pid_max) in [(0, 512), (512, 512), (513, 1024), (u32::MAX, PID_MAX_LIMIT)] {
            assert_eq!(Layout::new(asked).pid_max, pid_max);
        }
    }

    #[test]
    fn a_header_that_is_wrong_in_any_word_is_refused() {
        let good = Layout::new(1024).header();
        for word in 0..HEADER {
            for change in [1, 1 << 9, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
                let mut header = good;
                header[word] ^= change;
                assert_eq!(Layout::of_header(&header), None, "word {word}, bits {change:#x}");
            }
        }
        assert_eq!(Layout::of_header(&[0; HEADER]), None);
    }
}
