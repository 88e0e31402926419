//! Every call to the disk fails in turn, while the store is opened, written and closed: whatever was acknowledged is
//! there afterwards, after a restart as well as after a power cut, and after a failure nothing is acknowledged any
//! more, even if the disk works again.

use super::disk::{Disk, EIO, ENOSPC, Fault};
use super::model::{Model, fresh, open_disk};
use super::random::Random;
use super::*;

/// From the failing call on, all fail. One less than a power cut, after which the system forgets nothing.
const FOR_GOOD: u64 = u64::MAX - 1;
const COMMITS: usize = 4;
/// How often it is drawn what a power cut leaves.
const CUTS: u64 = 4;

/// What a run came to.
struct Outcome {
    acknowledged: Model,
    /// With the batch whose commit failed.
    possible: Option<Model>,
}

#[test]
fn a_failure_at_any_call_loses_nothing_that_was_acknowledged() {
    let (used, model) = used();
    for (error, calls, reads) in [
        (EIO, FOR_GOOD, true),
        (EIO, FOR_GOOD, false),
        (EIO, 1, true),
        (EIO, 1, false),
        (ENOSPC, FOR_GOOD, false),
        (ENOSPC, 1, false),
    ] {
        let mut n = 0;
        let mut refused = 0;
        loop {
            let disk = Disk::new(used.clone());
            disk.plant(Fault { at: n, calls, error, reads });
            let outcome = run(&disk, &model);
            refused += u64::from(outcome.is_none());
            let outcome = outcome.unwrap_or(Outcome { acknowledged: model.clone(), possible: None });
            outcome.must_be_in(disk.content(), &format!("error {error} at call {n}, restarted"));
            let mut random = Random::new(n);
            for _ in 0..CUTS {
                let cut = disk.after_cut(&mut random);
                outcome.must_be_in(cut, &format!("error {error} at call {n}, then a power cut"));
            }
            if !disk.has_failed() {
                break;
            }
            n += 1;
        }
        let (lasts, what) =
            (if calls == 1 { "once" } else { "for good" }, if reads { "reads too" } else { "no reads" });
        println!(
            "disk error {error}, {lasts}, {what}: at each of {n} calls, {refused} of them while opening; 0 acknowledged commits lost"
        );
        assert!(n > 40 && refused > 0, "only {n} calls were tried, {refused} while opening");
    }
}

/// A store that was in use when its process was killed, and what it has.
fn used() -> (Vec<u8>, Model) {
    let disk = fresh();
    let store = open_disk(&disk).unwrap();
    let (mut model, mut random) = (Model::empty(), Random::new(7));
    for _ in 0..6 {
        let batch = model.random_batch(&mut random);
        if let Some(next) = model.after(&batch) {
            store.commit(&batch).unwrap();
            model = next;
        }
    }
    (disk.content(), model)
}

/// Opens the store, commits, and closes it; `None` when it could not be opened.
fn run(disk: &Disk, before: &Model) -> Option<Outcome> {
    let store = match open_disk(disk) {
        Ok(store) => store,
        Err(OpenError::Io { .. }) => return None,
        // To call a healthy file damaged could make somebody throw it away.
        Err(other) => panic!("another error: {other}"),
    };
    let (mut model, mut random) = (before.clone(), Random::new(8));
    for _ in 0..COMMITS {
        let batch = model.random_batch(&mut random);
        let Some(next) = model.after(&batch) else { continue };
        match store.commit(&batch) {
            Ok(_) => model = next,
            Err(CommitError::Store(StoreError::Failed(_))) => {
                assert_poisoned(&store, &batch);
                return Some(Outcome { acknowledged: model, possible: Some(next) });
            }
            Err(other) => panic!("another error: {other}"),
        }
        assert!(!disk.has_failed(), "acknowledged although a call had failed");
    }
    Some(Outcome { acknowledged: model, possible: None })
}

fn assert_poisoned(store: &RedbStore, batch: &Batch) {
    for _ in 0..2 {
        assert!(matches!(store.commit(batch), Err(CommitError::Store(StoreError::Poisoned))));
    }
    assert!(matches!(store.snapshot(), Err(StoreError::Poisoned)));
    assert!(matches!(store.audit(0, 1), Err(StoreError::Poisoned)));
}

impl Outcome {
    fn must_be_in(&self, content: Vec<u8>, when: &str) {
        let store = open_disk(&Disk::new(content)).unwrap_or_else(|error| panic!("{when}: {error}"));
        let kept =
            self.acknowledged.is_in(&store) || self.possible.as_ref().is_some_and(|it| it.is_in(&store));
        assert!(kept, "{when}: an acknowledged commit is missing, or there is half of one");
    }
}
