//! What the command line does to a store that no manager has open: for those who are locked out, and after a restore.
//! Whoever can open the file needs no permission; the audit trail says `system`.

use super::session::revoke_tokens;
use super::users::check_name;
use super::{Service, ServiceError, new_id, now_ms};
use crate::domain::{Status, User, check_password};
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document, Key};

impl Service {
    /// Makes a user with these roles, who must change this password.
    pub fn make_user(&self, username: &str, password: &str, roles: &[String]) -> Result<(), ServiceError> {
        check_name("username", username)?;
        check_password(username, password)?;
        let hash = self.hashing.hash(password)?;
        let origin = Origin::system(now_ms());
        self.world.mutate(|state| {
            if state.user_named(username).is_some() {
                return Err(ServiceError::UserExists);
            }
            if roles.iter().any(|role| state.role_named(role).is_none()) {
                return Err(ServiceError::SomeRolesNotFound);
            }
            let user = Document::User(User {
                id: new_id(),
                username: username.to_string(),
                password: hash.clone(),
                status: Status::MustChangePassword,
                roles: roles.to_vec(),
                token_version: 0,
                created_ms: origin.at_ms,
                updated_ms: origin.at_ms,
                creator: None,
            });
            Ok((Some(Batch::audited(AuditEntry::created(&origin, "user.create", &user)).create(user)), ()))
        })
    }

    /// Gives a user another password, which he must change; one who was inactive can log in again. His tokens end.
    pub fn rescue_user(&self, username: &str, password: &str) -> Result<(), ServiceError> {
        check_password(username, password)?;
        let hash = self.hashing.hash(password)?;
        let origin = Origin::system(now_ms());
        self.world.mutate(|state| {
            let stored = state.user_named(username).ok_or(ServiceError::NoUserToChange)?;
            let mut after = User {
                password: hash.clone(),
                status: Status::MustChangePassword,
                updated_ms: origin.at_ms,
                ..stored.value.clone()
            };
            revoke_tokens(&mut after);
            let (before, after) = (Document::User(stored.value.clone()), Document::User(after));
            let entry = AuditEntry::changed(&origin, "user.password.reset", &before, &after);
            Ok((Some(Batch::audited(entry).replace(stored.version, after)), ()))
        })
    }

    /// Every user: name, status, names of roles; by name.
    pub fn everybody(&self) -> Vec<(String, Status, Vec<String>)> {
        let state = self.world.state();
        let users = state.users.values().map(|user| {
            let User { username, status, roles, .. } = &user.value;
            (username.clone(), *status, roles.clone())
        });
        let mut users: Vec<_> = users.collect();
        users.sort();
        users
    }

    /// Ends every session, for a store that was put back to an earlier state: tokens that were revoked since then must
    /// not be good again. The generations that follow are ones that no user can have had.
    pub fn end_all_sessions(&self) -> Result<(), ServiceError> {
        let origin = Origin::system(now_ms());
        // Nobody's generation grows as fast as the clock does.
        let unused = u64::try_from(origin.at_ms).unwrap_or_default();
        self.world.mutate(|state| {
            let mut batch = None;
            for stored in state.users.values() {
                let mut after = User { updated_ms: origin.at_ms, ..stored.value.clone() };
                revoke_tokens(&mut after);
                after.token_version = after.token_version.max(unused);
                let (before, after) = (Document::User(stored.value.clone()), Document::User(after));
                let entry = AuditEntry::changed(&origin, "store.restore", &before, &after);
                batch = Some(Batch::going_on(batch, entry).replace(stored.version, after));
            }
            let sessions = state.sessions.values();
            let without = |batch: Batch| {
                sessions.fold(batch, |batch, session| {
                    batch.delete(session.version, Key::Session(session.value.id))
                })
            };
            Ok((batch.map(without), ()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ADMIN_ROLE;
    use crate::service::testbed::{ADMIN, Bed, PASSWORD};

    const NEW: &str = "quite another one";

    #[test]
    fn one_who_is_locked_out_gets_in_again_and_must_change_the_password() {
        let bed = Bed::new();
        let claims = bed.login(ADMIN);
        bed.change_user(ADMIN, |user| user.status = Status::Inactive);
        bed.service.rescue_user(ADMIN, NEW).unwrap();
        assert!(bed.service.caller(&claims).is_err(), "old tokens do not come back to life");
        assert!(bed.enter(ADMIN, NEW).unwrap().need_change_password);
        assert!(matches!(bed.service.rescue_user("nobody", NEW), Err(ServiceError::NoUserToChange)));
        assert!(matches!(bed.service.rescue_user(ADMIN, "short"), Err(ServiceError::WeakPassword(_))));
        let record = bed.audit().into_iter().find(|record| record.verb == "user.password.reset").unwrap();
        assert_eq!(record.actor, "system");
    }

    #[test]
    fn a_user_is_made_with_roles_that_exist() {
        let bed = Bed::new();
        let make = |name: &str, role: &str| {
            bed.service.make_user(name, NEW, &[role.to_string()]).map_err(|error| error.to_string())
        };
        assert_eq!(make("ann", "nothing"), Err("Some roles not found".into()));
        assert_eq!(make("ann", ADMIN_ROLE), Ok(()));
        assert_eq!(make("ann", ADMIN_ROLE), Err("user already exists".into()));
        assert!(make("", ADMIN_ROLE).is_err());
        let names: Vec<_> = bed.service.everybody().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, [ADMIN, "ann"]);
        assert!(bed.enter("ann", NEW).unwrap().need_change_password);
    }

    #[test]
    fn after_a_restore_no_token_of_before_is_good() {
        let bed = Bed::new();
        let before = bed.login(ADMIN);
        // What the store of the time after the backup had: higher generations, which are forgotten now.
        let mut later = before.clone();
        (later.token_version, later.sid) = (before.token_version + 1000, None);
        bed.service.end_all_sessions().unwrap();
        assert!(bed.service.caller(&before).is_err() && bed.service.caller(&later).is_err());
        let now = bed.enter(ADMIN, PASSWORD).unwrap();
        assert!(now.token_version > later.token_version && bed.service.caller(&now).is_ok());
        bed.service.end_all_sessions().unwrap();
        assert!(bed.service.caller(&now).is_err(), "also the second time");
        assert_eq!(bed.service.sessions(), 0);
    }
}
