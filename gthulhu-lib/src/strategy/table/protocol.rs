//! How one writer and any number of readers keep out of each other's way, whatever the words are.
//!
//! Generation `g` is in bank `g % BANKS`. The writer brings the bank after the published one up to date and then raises
//! the generation, so a whole set of changes becomes visible at once. A reader notes the generation, reads its words
//! in that bank and looks at the generation again: while it has not moved on by `BANKS - 1`, nobody can have written
//! to the bank, and the words are those of the generation that was published when the reader began.
//!
//! Why that proves the words: the bank of generation `g` is written to again only for `g + BANKS`, after `g + BANKS - 1`
//! was published. The writer's release fence stands between that publication and its first write, the reader's
//! acquire fence between its last read and its second look. A reader that saw such a write therefore sees
//! `g + BANKS - 1` or more, and starts over.
//!
//! Everything here is written for any kind of atomic word, so that a model of the machine's memory can run it in
//! every order that there is (`model`, below the tests).

use std::sync::atomic::{self, AtomicU64, Ordering};

/// Atomic words and the fence that orders them.
pub(super) trait Atoms {
    /// An atomic word of 64 bits.
    type Word;
    /// Reads a word.
    fn load(word: &Self::Word, order: Ordering) -> u64;
    /// Writes a word.
    fn store(word: &Self::Word, value: u64, order: Ordering);
    /// Orders what is before it and what is after it.
    fn fence(order: Ordering);
}

/// Those of the machine.
#[derive(Debug)]
pub(super) struct Machine;

impl Atoms for Machine {
    type Word = AtomicU64;

    #[inline]
    fn load(word: &AtomicU64, order: Ordering) -> u64 {
        word.load(order)
    }

    #[inline]
    fn store(word: &AtomicU64, value: u64, order: Ordering) {
        word.store(value, order);
    }

    #[inline]
    fn fence(order: Ordering) {
        atomic::fence(order);
    }
}

/// The bank that holds a generation.
pub(super) fn bank_of<const BANKS: usize>(generation: u64) -> usize {
    // Less than a usize that was widened.
    usize::try_from(generation % BANKS as u64).unwrap_or(0)
}

/// Calls `words` with the bank to read until what it read is one published generation, at most `attempts` times, and at
/// least once. Gives the generation too.
#[inline]
pub(super) fn read<A: Atoms, const BANKS: usize, T>(
    generation: &A::Word,
    attempts: u32,
    mut words: impl FnMut(usize) -> T,
) -> Option<(u64, T)> {
    let first = attempt::<A, BANKS, T>(generation, &mut words);
    if first.is_some() { first } else { again::<A, BANKS, T>(generation, attempts, words) }
}

/// The attempts after the first, which hardly anybody needs.
#[cold]
#[inline(never)]
fn again<A: Atoms, const BANKS: usize, T>(
    generation: &A::Word,
    attempts: u32,
    mut words: impl FnMut(usize) -> T,
) -> Option<(u64, T)> {
    (1..attempts).find_map(|_| {
        std::hint::spin_loop();
        attempt::<A, BANKS, T>(generation, &mut words)
    })
}

/// The published generation: whoever has it sees what was written before it was published. (As a load and a fence, since of
/// memory that can only be read the language knows no other loads than relaxed ones.)
#[inline]
pub(super) fn noted<A: Atoms>(generation: &A::Word) -> u64 {
    let noted = A::load(generation, Ordering::Relaxed);
    A::fence(Ordering::Acquire);
    noted
}

#[inline]
fn attempt<A: Atoms, const BANKS: usize, T>(
    generation: &A::Word,
    words: &mut impl FnMut(usize) -> T,
) -> Option<(u64, T)> {
    let begun = noted::<A>(generation);
    let read = words(bank_of::<BANKS>(begun));
    A::fence(Ordering::Acquire);
    let moved = A::load(generation, Ordering::Relaxed).wrapping_sub(begun);
    (moved < BANKS as u64 - 1).then_some((begun, read))
}

/// Calls `write` with the bank to bring up to date, publishes it and returns its generation. For the one writer.
pub(super) fn publish<A: Atoms, const BANKS: usize>(generation: &A::Word, write: impl FnOnce(usize)) -> u64 {
    let next = A::load(generation, Ordering::Relaxed) + 1;
    // Nobody may see a write to the bank without seeing which generation was published before.
    A::fence(Ordering::Release);
    write(bank_of::<BANKS>(next));
    A::store(generation, next, Ordering::Release);
    next
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Reads while the writer publishes so many times in the middle of each of the first attempts. Gives what was read and how
    /// many attempts it took.
    fn disturbed(publications: u64, disturbed_attempts: u32) -> (Option<(u64, u64)>, u32) {
        let generation = AtomicU64::new(10);
        let banks = [const { AtomicU64::new(0) }; 4];
        banks[2].store(10, Ordering::Relaxed);
        let attempts = Cell::new(0);
        let read = read::<Machine, 4, _>(&generation, 8, |bank| {
            attempts.set(attempts.get() + 1);
            if attempts.get() <= disturbed_attempts {
                for _ in 0..publications {
                    publish::<Machine, 4>(&generation, |bank| {
                        banks[bank].store(generation.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                    });
                }
            }
            banks[bank].load(Ordering::Relaxed)
        });
        (read, attempts.get())
    }

    #[test]
    fn two_publications_meanwhile_do_no_harm_and_three_make_the_reader_start_over() {
        assert_eq!(disturbed(0, 1), (Some((10, 10)), 1));
        assert_eq!(disturbed(2, 1), (Some((10, 10)), 1));
        assert_eq!(disturbed(3, 1), (Some((13, 13)), 2));
        assert_eq!(disturbed(4, 1), (Some((14, 14)), 2), "the bank was written to in the middle of the read");
        assert_eq!(disturbed(4, 3), (Some((22, 22)), 4));
    }

    #[test]
    fn a_reader_gives_up_when_it_has_started_over_too_often() {
        assert_eq!(disturbed(3, 8), (None, 8));
    }
}
