//! Damaged files by the thousand: refused in one line, or every document and record as it was written. Never
//! something else, never a panic.
//!
//! `GTHULHU_FLIPS` sets how many bits are flipped, `GTHULHU_SEED` which.

use super::disk::Disk;
use super::model::{Model, fresh, open_disk};
use super::random::{Random, setting};
use super::*;

const FLIPS: u64 = 1000;
const CUTS: u64 = 200;
const PAGE: usize = 4096;

/// A store with some history, as its process leaves it when it ends in order, or when it is killed.
fn used(closed: bool) -> (Vec<u8>, Model) {
    let disk = fresh();
    let store = open_disk(&disk).unwrap();
    let (mut model, mut random) = (Model::empty(), Random::new(3));
    for _ in 0..30 {
        let batch = model.random_batch(&mut random);
        if let Some(next) = model.after(&batch) {
            store.commit(&batch).unwrap();
            model = next;
        }
    }
    if closed {
        drop(store);
    }
    (disk.content(), model)
}

/// Whether it was opened, and then everything was right; a refusal must be one line that names the file.
fn opens(content: Vec<u8>, model: &Model, what: &str) -> bool {
    match open_disk(&Disk::new(content)) {
        Ok(store) => {
            assert!(model.is_in(&store), "{what}: it opens, and something else is in it");
            true
        }
        Err(error @ OpenError::Refused { .. }) => {
            let line = error.to_string();
            assert!(line.starts_with("disk: refused: ") && !line.contains('\n'), "{what}: {line}");
            false
        }
        Err(other) => panic!("{what}: another error: {other}"),
    }
}

/// The pages that are not all zeros.
fn used_pages(content: &[u8]) -> Vec<usize> {
    let blank = [0; PAGE];
    let pages = content.chunks(PAGE).enumerate();
    pages.filter(|(_, page)| **page != blank[..page.len()]).map(|(number, _)| number).collect()
}

/// Half of the bits are anywhere, half where there is something: in a page of `used`, now and then in the header.
fn bit(length: usize, used: &[usize], random: &mut Random) -> (usize, u8) {
    let mut at = random.index(length);
    if random.below(2) == 0 {
        at = used[random.index(used.len())] * PAGE + random.index(PAGE);
    }
    if random.below(16) == 0 {
        at = random.index(512);
    }
    (at, 1 << random.below(8))
}

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    let (flips, seed) = (setting("GTHULHU_FLIPS", FLIPS), setting("GTHULHU_SEED", 1));
    let mut random = Random::new(seed);
    let mut refused = 0;
    for closed in [true, false] {
        let (whole, model) = used(closed);
        let pages = used_pages(&whole);
        assert!(opens(whole.clone(), &model, "whole"));
        for _ in 0..flips / 2 {
            let (at, mask) = bit(whole.len(), &pages, &mut random);
            let mut content = whole.clone();
            content[at] ^= mask;
            refused += u64::from(!opens(
                content,
                &model,
                &format!("bit {mask:#04x} of byte {at}, closed: {closed}"),
            ));
        }
    }
    println!("flipped bits: {flips}, {refused} refused, {} harmless, 0 wrong, 0 panics", flips - refused);
    assert!(refused > flips / 10 && refused < flips);
}

#[test]
fn a_cut_at_any_length_is_refused() {
    let mut random = Random::new(setting("GTHULHU_SEED", 1));
    for closed in [true, false] {
        let (whole, model) = used(closed);
        for n in 0..CUTS / 2 {
            // Half of the cuts are where a file system makes them.
            let at = random.index(whole.len()) / if n % 2 == 0 { PAGE } else { 1 };
            let at = if n % 2 == 0 { at * PAGE } else { at };
            let opened =
                at > 0 && opens(whole[..at].to_vec(), &model, &format!("cut at {at}, closed: {closed}"));
            assert!(!opened, "cut at {at}: opened");
        }
    }
    println!("truncations: {CUTS}, {CUTS} refused");
}
