//! The power goes at any call, also while the store recovers from the last time: it opens again, and what is in it is
//! what some first commits made, with every acknowledged one among them.
//!
//! `GTHULHU_CUTS` sets how many cuts there are, `GTHULHU_SEED` repeats a failure.

use super::disk::{Disk, Fault};
use super::model::{Model, fresh, open_disk};
use super::random::{Random, setting};
use super::*;

const CUTS: u64 = 10_000;
/// After so many moments a store is given up for a new one, so that it stays small and every age is seen.
const MOMENTS_PER_STORE: u64 = 25;
/// What a cut leaves is drawn so many times: other sectors survive each time.
const CUTS_PER_MOMENT: u64 = 4;
/// A batch takes about ten calls.
const CALLS: u64 = 60;
/// Opening after a cut takes about as many.
const RECOVERY_CALLS: u64 = 12;

#[derive(Debug, Default)]
struct Totals {
    stores: u64,
    moments: u64,
    cuts: u64,
    while_recovering: u64,
    acknowledged: u64,
    /// A batch was being committed when the power went, and it is there afterwards.
    unacknowledged_kept: u64,
    /// The same, and it is not.
    unacknowledged_gone: u64,
}

/// What is certain and what is possible after a cut.
struct Expected {
    acknowledged: Model,
    /// With the batch that was being committed.
    possible: Option<Model>,
}

#[test]
fn after_a_power_cut_the_store_has_every_acknowledged_commit_and_no_half_one() {
    let (cuts, seed) = (setting("GTHULHU_CUTS", CUTS), setting("GTHULHU_SEED", 1));
    let mut totals = Totals::default();
    while totals.cuts < cuts {
        let seed = seed + totals.stores;
        live(&mut Random::new(seed), &mut totals)
            .unwrap_or_else(|what| panic!("GTHULHU_SEED={seed}: {what}"));
        totals.stores += 1;
    }
    let Totals {
        stores,
        moments,
        cuts,
        while_recovering,
        acknowledged,
        unacknowledged_kept,
        unacknowledged_gone,
    } = totals;
    println!(
        "power cuts: {cuts} at {moments} moments of {stores} stores, {while_recovering} of them while recovering; \
         {acknowledged} commits acknowledged, 0 lost; {unacknowledged_kept} unacknowledged ones kept whole, {unacknowledged_gone} gone whole; \
         0 stores that do not open. A simulated disk loses unsynced sectors in any order, which kill -9 cannot show; \
         that real drives keep what they call synced is believed, not shown."
    );
    assert!(while_recovering * 10 > cuts && unacknowledged_kept > 0 && unacknowledged_gone > 0);
}

/// One store, through many cuts.
fn live(random: &mut Random, totals: &mut Totals) -> Result<(), String> {
    let mut disk = fresh();
    let mut model = Model::empty();
    for _ in 0..MOMENTS_PER_STORE {
        let store = open(&disk)?;
        let expected = work(&store, &disk, model.clone(), random, totals);
        // Without power the file cannot be closed in order either.
        drop(store);
        totals.moments += 1;
        let cut = disk.clone();
        for _ in 0..CUTS_PER_MOMENT {
            disk = Disk::new(survivors(&cut, random, totals));
            let store = open(&disk)?;
            model = expected.judge(&store, totals)?;
            // What this start recovered, the next one finds: the store is closed in order, or the process killed.
            if random.below(2) == 0 {
                drop(store);
            } else {
                disk = Disk::new(disk.content());
            }
        }
    }
    Ok(())
}

fn open(disk: &Disk) -> Result<RedbStore, String> {
    open_disk(disk).map_err(|error| format!("it does not open: {error}"))
}

/// What is there after the power went, once or, now and then, again and again while the store is opened or closed.
fn survivors(disk: &Disk, random: &mut Random, totals: &mut Totals) -> Vec<u8> {
    totals.cuts += 1;
    let mut image = disk.after_cut(random);
    while random.below(4) == 0 {
        let disk = Disk::new(image);
        disk.plant(Fault::power_cut(random.below(RECOVERY_CALLS)));
        drop(open_disk(&disk));
        if disk.has_failed() {
            totals.cuts += 1;
            totals.while_recovering += 1;
        }
        image = disk.after_cut(random);
    }
    image
}

/// Commits until the power goes, be it while committing or while closing.
fn work(
    store: &RedbStore,
    disk: &Disk,
    mut model: Model,
    random: &mut Random,
    totals: &mut Totals,
) -> Expected {
    disk.plant(Fault::power_cut(random.below(CALLS)));
    let mut possible = None;
    for _ in 0..random.below(7) {
        let batch = model.random_batch(random);
        let next = model.after(&batch);
        match (store.commit(&batch), next) {
            (Ok(_), Some(next)) => {
                totals.acknowledged += 1;
                model = next;
            }
            (Err(CommitError::Conflict { .. }), None) => {}
            (Err(CommitError::Store(_)), next) => {
                possible = next;
                break;
            }
            (answer, next) => panic!("{answer:?} where the model says {}", next.is_some()),
        }
    }
    Expected { acknowledged: model, possible }
}

impl Expected {
    /// What the store has, if it may.
    fn judge(&self, store: &RedbStore, totals: &mut Totals) -> Result<Model, String> {
        let unsure = u64::from(self.possible.is_some());
        if self.acknowledged.is_in(store) {
            totals.unacknowledged_gone += unsure;
            return Ok(self.acknowledged.clone());
        }
        match &self.possible {
            Some(possible) if possible.is_in(store) => {
                totals.unacknowledged_kept += 1;
                Ok(possible.clone())
            }
            _ => Err("an acknowledged commit is missing, or there is half of one".to_owned()),
        }
    }
}
