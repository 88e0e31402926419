//! Reading the audit trail.

use std::path::Path;

use super::{AuditRead, Granted, Service, ServiceError};
use crate::store::audit::Head;
use crate::store::{AuditRecord, CopyError, TrailError, verify_trail};

/// The most records that one request looks at, whatever it filters by; the next page goes on from there.
const LOOKED_AT: usize = 10_000;
/// How many are read from the store at a time.
const CHUNK: usize = 500;

/// Which records are wanted. What is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrailFilter {
    /// Who did it: a user's id, `anonymous` or `system`.
    pub actor: Option<String>,
    /// What was done.
    pub verb: Option<String>,
    /// To what: a key as `strategy/65f0c0ffee0123456789abcd`, or the beginning of keys, such as `strategy/`.
    pub object: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// From which address.
    pub from: Option<String>,
    /// Not before this, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// Before this.
    pub until: Option<i64>,
}

/// Records, newest first.
#[derive(Debug, PartialEq)]
pub struct TrailPage {
    /// Those that are wanted.
    pub records: Vec<AuditRecord>,
    /// Older ones are to be asked for below this number; none when there are none.
    pub next: Option<u64>,
}

impl TrailFilter {
    fn wants(&self, record: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let object = self.object.as_ref();
        let begins = object.filter(|wanted| wanted.ends_with('/'));
        is(&self.actor, &record.actor)
            && is(&self.verb, &record.verb)
            && begins
                .map_or_else(|| is(&self.object, &record.object), |begin| record.object.starts_with(begin))
            && is(&self.request_id, &record.request_id)
            && is(&self.from, &record.from)
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
    }
}

impl Service {
    /// Follows the whole trail; see [`verify_trail`].
    pub fn verify_trail(&self, known: Option<&Head>) -> Result<Head, TrailError> {
        verify_trail(self.world.store(), known)
    }

    /// Writes a copy of the store; see [`crate::store::Store::copy`].
    pub fn copy_store(&self, to: &Path) -> Result<(), CopyError> {
        self.world.store().copy(to)
    }

    /// The newest `limit` wanted records below the number `before`. There may be fewer although there are older ones:
    /// one call looks at so many and no more.
    pub fn trail(
        &self,
        _grant: &Granted<AuditRead>,
        filter: &TrailFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<TrailPage, ServiceError> {
        let (mut records, mut below, mut looked_at) = (Vec::new(), before.unwrap_or(u64::MAX), 0);
        while below > 1 && looked_at < LOOKED_AT {
            let chunk = self.world.audit_before(below, CHUNK)?;
            if chunk.is_empty() {
                return Ok(TrailPage { records, next: None });
            }
            for record in chunk {
                (below, looked_at) = (record.seq, looked_at + 1);
                if filter.wants(&record) {
                    records.push(record);
                }
                if records.len() == limit || looked_at == LOOKED_AT {
                    break;
                }
            }
            if records.len() == limit {
                break;
            }
        }
        Ok(TrailPage { records, next: Some(below).filter(|below| *below > 1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testbed::{ADMIN, Bed, app};

    fn page(bed: &Bed, filter: &TrailFilter, before: Option<u64>, limit: usize) -> (Vec<u64>, Option<u64>) {
        let page = bed.service.trail(&bed.admin(), filter, before, limit).unwrap();
        (page.records.iter().map(|record| record.seq).collect(), page.next)
    }

    #[test]
    fn the_newest_come_first_and_pages_meet_without_a_gap() {
        let bed = Bed::new();
        for _ in 0..3 {
            bed.create(app("web")).unwrap();
        }
        let all = TrailFilter::default();
        assert_eq!(page(&bed, &all, None, 100), ((1..=7).rev().collect(), None));
        assert_eq!(page(&bed, &all, None, 3), (vec![7, 6, 5], Some(5)));
        assert_eq!(page(&bed, &all, Some(5), 4), (vec![4, 3, 2, 1], None));
        assert_eq!(page(&bed, &all, Some(1), 4), (vec![], None));
        assert_eq!(page(&bed, &all, Some(0), 4), (vec![], None));
    }

    #[test]
    fn a_filter_is_every_one_of_its_parts() {
        let bed = Bed::new();
        let admin = bed.login(ADMIN).uid;
        let id = bed.create(app("web")).unwrap();
        bed.create(app("db")).unwrap();
        assert!(bed.enter(ADMIN, "wrong").is_err());
        let found = |filter: TrailFilter| page(&bed, &filter, None, 100).0;
        let text = |text: &str| Some(text.to_string());
        let none = TrailFilter::default;
        assert_eq!(found(TrailFilter { actor: Some(admin.clone()), ..none() }), [7, 6, 5]);
        assert_eq!(found(TrailFilter { actor: text("anonymous"), ..none() }), [8]);
        assert_eq!(found(TrailFilter { verb: text("strategy.create"), ..none() }), [7, 6]);
        assert_eq!(found(TrailFilter { object: Some(format!("strategy/{id}")), ..none() }), [6]);
        assert_eq!(found(TrailFilter { object: text("strategy/"), ..none() }), [7, 6]);
        assert_eq!(found(TrailFilter { object: text("strategy"), ..none() }), [0; 0]);
        assert_eq!(found(TrailFilter { request_id: text("r-create"), ..none() }), [7, 6]);
        assert_eq!(found(TrailFilter { from: text("192.0.2.1"), ..none() }), [8, 5]);
        let both = TrailFilter { actor: Some(admin), verb: text("session.open"), ..none() };
        assert_eq!(found(both), [5]);
        let at = bed.audit()[6].at;
        assert!(found(TrailFilter { since: Some(at), ..none() }).contains(&7));
        assert!(!found(TrailFilter { until: Some(at), ..none() }).contains(&7));
    }
}
