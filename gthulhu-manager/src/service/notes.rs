//! What the audit trail says of requests that changed nothing because they were refused. Anybody can cause them, so
//! only so many are written: of the rest the next record tells how many there were.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gthulhu_lib::id::Id;

use super::{Caller, Service, ServiceError};
use crate::domain::Permission;
use crate::store::audit::{Origin, Refusal};
use crate::store::{AuditEntry, Batch, Key};

/// How many are written at once after a quiet time.
const BURST: u32 = 64;
/// Afterwards one more for each of these: 8,640 a day of each kind, some megabytes.
const PACE: Duration = Duration::from_secs(10);

/// What may be noted now. One for each kind of refusal, so that one does not hide the other.
#[derive(Default)]
pub(super) struct Notes {
    logins: Mutex<Budget>,
    rights: Mutex<Budget>,
}

#[derive(Default)]
struct Budget {
    /// Records written and not yet earned back.
    spent: u32,
    /// From when on records are earned back.
    since: Option<Instant>,
    /// Refusals that were not written since the last record.
    omitted: u64,
}

impl Budget {
    /// Whether a record may be written, and how many were not since the last one.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_nanos() / PACE.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX).min(BURST);
        if earned >= self.spent {
            (self.spent, self.since) = (0, Some(now));
        } else {
            self.spent -= earned;
            self.since = Some(since + PACE * earned);
        }
        if self.spent >= BURST {
            self.omitted += 1;
            return None;
        }
        self.spent += 1;
        Some(std::mem::take(&mut self.omitted))
    }
}

impl Service {
    /// Notes a login that was refused: of which user, if there is one, and why.
    pub(super) fn note_login(&self, origin: &Origin, user: Option<Id>, reason: &'static str) {
        // The name that was tried is not written: people type their passwords into the wrong field.
        let object = user.map_or_else(|| "user/".into(), |id| Key::User(id).to_string());
        self.note(&self.notes.logins, origin, "login.refuse", object, reason);
    }

    /// Notes that a caller may not do what `permission` stands for. Waits for the disk.
    pub fn note_denied(&self, caller: &Caller, request_id: &str, permission: Permission) {
        let object = Key::User(caller.uid()).to_string();
        let origin = caller.origin(request_id);
        self.note(&self.notes.rights, &origin, "access.refuse", object, permission.key());
    }

    fn note(
        &self,
        budget: &Mutex<Budget>,
        origin: &Origin,
        verb: &'static str,
        object: String,
        reason: &'static str,
    ) {
        let omitted = budget.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        let Some(omitted) = omitted else { return };
        let entry = AuditEntry::refused(origin, verb, object, &Refusal { reason, omitted });
        let noted: Result<(), ServiceError> =
            self.world.mutate(|_| Ok((Some(Batch::audited(entry.clone())), ())));
        if let Err(error) = noted {
            tracing::warn!(%error, verb, "a refusal is missing in the audit trail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_written_at_a_pace_and_what_is_left_out_is_counted() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(budget.take(start), Some(0));
        }
        let later = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 1, 9] {
            assert_eq!(budget.take(later(second)), None);
        }
        assert_eq!(budget.take(later(10)), Some(3));
        assert_eq!(budget.take(later(19)), None);
        assert_eq!(budget.take(later(20)), Some(1));
        let written = (0..86_400 * 100).filter(|tick| {
            let now = later(1000) + Duration::from_millis(10) * *tick;
            budget.take(now).is_some()
        });
        assert_eq!(written.count(), 64 + 8_640 - 1, "of a hundred a second in one day");
    }

    #[test]
    fn after_a_quiet_time_everything_is_written_again() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        for _ in 0..200 {
            budget.take(start);
        }
        let quiet = start + PACE * BURST;
        assert_eq!(budget.take(quiet), Some(136));
        assert_eq!((1..BURST).filter_map(|_| budget.take(quiet)).sum::<u64>(), 0);
        assert_eq!(budget.take(quiet), None);
    }
}
