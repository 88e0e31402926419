//! The protocol in every order in which its memory accesses can happen, and with every value that the memory model lets
//! a load return: not only what this machine happens to do.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering, fence};

use super::{Atoms, publish, read};

struct Modelled;

impl Atoms for Modelled {
    type Word = AtomicU64;

    fn load(word: &AtomicU64, order: Ordering) -> u64 {
        word.load(order)
    }

    fn store(word: &AtomicU64, value: u64, order: Ordering) {
        word.store(value, order);
    }

    fn fence(order: Ordering) {
        fence(order);
    }
}

/// Two words in each bank. Every generation writes its number to both, but for the words that it skips.
struct Table<const BANKS: usize> {
    generation: AtomicU64,
    banks: [[AtomicU64; 2]; BANKS],
}

/// One thread publishes, another reads once: what it gets is one generation, and not an older one than was published
/// before it began.
fn check<const BANKS: usize>(publications: u64, preemptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let table = Arc::new(Table::<BANKS> {
            generation: AtomicU64::new(0),
            banks: std::array::from_fn(|_| [AtomicU64::new(0), AtomicU64::new(0)]),
        });
        let written = Arc::clone(&table);
        let writer = loom::thread::spawn(move || {
            for _ in 0..publications {
                let next = written.generation.load(Ordering::Relaxed) + 1;
                publish::<Modelled, BANKS>(&written.generation, |bank| {
                    for word in &written.banks[bank] {
                        word.store(next, Ordering::Relaxed);
                    }
                });
            }
        });
        let before = table.generation.load(Ordering::Acquire);
        // Where it would start over, what follows is a reader that begins later, which the model has as well.
        let got = read::<Modelled, BANKS, _>(&table.generation, 1, |bank| {
            table.banks[bank].each_ref().map(|word| word.load(Ordering::Relaxed))
        });
        if let Some((generation, words)) = got {
            assert_eq!(words, [generation; 2], "words of another generation than {generation}");
            assert!(generation >= before, "generation {generation} after {before}");
        }
        writer.join().expect("the writer has no reason to fail");
    });
}

#[test]
fn with_two_banks_in_every_order() {
    check::<2>(3, None);
}

#[test]
fn with_three_banks_and_a_few_preemptions() {
    check::<3>(4, Some(3));
}

#[test]
fn with_the_four_banks_of_the_table_and_a_few_preemptions() {
    check::<4>(5, Some(2));
}
