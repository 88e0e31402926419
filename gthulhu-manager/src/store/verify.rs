//! Following the whole audit trail of a store.

use super::audit::{Broken, Head};
use super::{Store, StoreError};

/// How many records are read at a time.
const CHUNK: usize = 1000;

/// Why a trail is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// A record is not what followed the one before it.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The trail does not have the record that it had.
    #[error("the trail does not have record {seq} with hash {hash}: it was cut off or written anew")]
    Missing {
        /// Its number.
        seq: u64,
        /// Its hash.
        hash: String,
    },
    /// The trail could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Follows the chain from its first record to its last and returns its end. With `known`, an end that was written down
/// earlier, that record must be among them: a chain alone does not show that its last records are gone.
pub fn verify_trail(store: &dyn Store, known: Option<&Head>) -> Result<Head, TrailError> {
    let mut head = Head::start();
    let mut found = known.is_none_or(|known| *known == head);
    loop {
        let records = store.audit(head.seq(), CHUNK)?;
        if records.is_empty() {
            break;
        }
        for bytes in records {
            head.verify(&bytes)?;
            found = found || known.is_some_and(|known| *known == head);
        }
    }
    match known {
        Some(known) if !found => Err(TrailError::Missing { seq: known.seq(), hash: known.hash().to_owned() }),
        _ => Ok(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::Origin;
    use crate::store::redb::RedbStore;
    use crate::store::{AuditEntry, Batch, Document};

    #[test]
    fn a_trail_ends_where_it_ended_and_shows_what_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let store = RedbStore::open(&dir.path().join("store.redb")).unwrap();
        assert_eq!(verify_trail(&store, None).unwrap(), Head::start());
        let add = |at| {
            let entry = AuditEntry::created(&Origin::system(at), "test", &Document::Epoch(7));
            store.commit(&Batch::audited(entry)).unwrap();
        };
        (0..3).for_each(add);
        let known = verify_trail(&store, None).unwrap();
        assert_eq!(known.seq(), 3);
        assert_eq!(known.to_string().parse::<Head>().unwrap(), known);
        (3..2500).for_each(add);
        assert_eq!(verify_trail(&store, Some(&known)).unwrap().seq(), 2500);
        let other: Head = format!("3:{}", "0".repeat(64)).parse().unwrap();
        let later: Head = format!("2501:{}", "0".repeat(64)).parse().unwrap();
        for unknown in [other, later] {
            let error = verify_trail(&store, Some(&unknown)).unwrap_err();
            assert!(error.to_string().contains("cut off or written anew"), "{error}");
        }
        for bad in ["", "3", "x:0", "3:00", &format!("3:{}", "g".repeat(64))] {
            assert!(bad.parse::<Head>().is_err(), "{bad}");
        }
    }
}
