//! Sessions: opened by a login, continued by refresh tokens that are good once, ended by their owner.
//!
//! A refresh token is 96 hexadecimal digits: 16 bytes that find the session and 32 that prove the right to continue it.
//! The store has only digests of both. Whoever shows the first part has seen a token of this session; when the second
//! part is not the one that is good now, two parties hold tokens of it and one of them stole his. Which one, nobody can
//! tell, so the session ends for both.

use std::sync::Arc;
use std::time::Duration;

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::digest::hex;
use sha2::{Digest, Sha256};

use super::session::{Claims, Session, revoke_tokens};
use super::state::{State, Stored};
use super::{Caller, Service, ServiceError, now_ms};
use crate::domain::{LoginSession, Status, User};
use crate::store::audit::Origin;
use crate::store::{AuditEntry, Batch, Document, Key};

/// How long a refresh token is good.
const REFRESH_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a session can be refreshed at all; then its user shows his password again.
const SESSION_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many sessions a user can have; the oldest makes room for one more.
const SESSIONS_PER_USER: usize = 256;
/// How many dead sessions of others one login clears away.
const CLEARED: usize = 32;

/// A session that was just opened or continued.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// Of the access token, still to be signed.
    pub claims: Claims,
    /// Continues the session, once. A secret.
    pub refresh_token: String,
}

/// A refresh token, taken apart.
struct Ticket {
    session: Id,
    hash: String,
}

impl Ticket {
    /// A new token for a new session (`handle` none) or for the one that a token was shown for.
    fn make(handle: Option<&str>) -> (String, Self) {
        let random = || hex(&gthulhu_http::random::bytes::<16>());
        let token = format!("{}{}{}", handle.map_or_else(random, str::to_owned), random(), random());
        let ticket = Self::parse(&token).expect("it was just written in this form");
        (token, ticket)
    }

    fn parse(token: &str) -> Option<Self> {
        let digits = token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if token.len() != 96 || !digits {
            return None;
        }
        let name = Sha256::digest(handle(token).as_bytes());
        let mut id = [0; 12];
        id.copy_from_slice(&name[..12]);
        Some(Self { session: Id::from_bytes(id), hash: hex(&Sha256::digest(token.as_bytes())) })
    }
}

/// The part of a refresh token that stays the same for a session.
fn handle(token: &str) -> &str {
    &token[..32]
}

impl LoginSession {
    /// Does it still hold?
    fn lives(&self, state: &State, now_ms: i64) -> bool {
        let user = state.users.get(&self.user);
        let unchanged = user.is_some_and(|user| {
            user.value.token_version == self.generation && user.value.status != Status::Inactive
        });
        unchanged && now_ms < self.expires_ms
    }
}

impl Service {
    /// Opens a session for a user whose password was just seen to be right, unless he changed since.
    pub(super) fn open_session(&self, origin: &Origin, user: &User) -> Result<Opened, ServiceError> {
        let (token, ticket) = Ticket::make(None);
        let origin = origin.by(user.id);
        self.world.mutate(|state| {
            let stored = state.users.get(&user.id).ok_or(ServiceError::BadLogin)?;
            // A hash of the same password may have replaced the one that was compared with.
            let same = stored.value.token_version == user.token_version;
            if !same || stored.value.status == Status::Inactive {
                return Err(ServiceError::BadLogin);
            }
            let session = LoginSession {
                id: ticket.session,
                user: user.id,
                generation: stored.value.token_version,
                token_hash: ticket.hash.clone(),
                created_ms: origin.at_ms,
                refreshed_ms: origin.at_ms,
                expires_ms: after(origin.at_ms, REFRESH_TTL),
            };
            let opened = self.opened(&stored.value, &session, &token);
            let document = Document::Session(session);
            let entry = AuditEntry::created(&origin, "session.open", &document);
            let batch = Batch::audited(entry).create(document).given(stored.version, Key::User(user.id));
            Ok((Some(without_the_dead(batch, state, user.id, origin.at_ms)), opened))
        })
    }

    /// Trades a refresh token for new tokens. It is used up.
    pub fn refresh(&self, origin: &Origin, token: &str) -> Result<Opened, ServiceError> {
        let shown = Ticket::parse(token).ok_or(ServiceError::BadRefreshToken)?;
        let (next_token, next) = Ticket::make(Some(handle(token)));
        self.with_session(origin, &shown, |state, stored, origin| {
            let user = state.users.get(&stored.value.user).ok_or(ServiceError::RefreshTokenRevoked)?;
            let end = after(stored.value.created_ms, SESSION_TTL);
            let session = LoginSession {
                token_hash: next.hash.clone(),
                refreshed_ms: origin.at_ms,
                expires_ms: after(origin.at_ms, REFRESH_TTL).min(end),
                ..stored.value.clone()
            };
            let opened = self.opened(&user.value, &session, &next_token);
            let (before, document) = (Document::Session(stored.value.clone()), Document::Session(session));
            let entry = AuditEntry::changed(origin, "session.refresh", &before, &document);
            let batch = Batch::audited(entry).given(user.version, Key::User(user.value.id));
            Ok((batch.replace(stored.version, document), opened))
        })
    }

    /// Ends the session of a refresh token: neither this token nor any access token of the session is good any more.
    pub fn logout(&self, origin: &Origin, token: &str) -> Result<(), ServiceError> {
        let shown = Ticket::parse(token).ok_or(ServiceError::BadRefreshToken)?;
        self.with_session(origin, &shown, |_, stored, origin| Ok((end(stored, origin, "session.close"), ())))
    }

    /// Ends all sessions of the caller.
    pub fn logout_all(&self, caller: &Caller, request_id: &str) -> Result<(), ServiceError> {
        let origin = caller.origin(request_id);
        self.world.mutate(|state| {
            let stored = caller.session.user(state)?;
            let mut user = User { updated_ms: origin.at_ms, ..stored.value.clone() };
            revoke_tokens(&mut user);
            let batch =
                super::login::replace_user(&origin, "session.close_all", &stored.value, user, stored.version);
            let own = state.sessions.values().filter(|session| session.value.user == stored.value.id);
            Ok((Some(own.fold(batch, |batch, session| gone(batch, session))), ()))
        })
    }

    /// Who is calling, for what every user may do who need not change his password first.
    pub fn settled_caller(&self, claims: &Claims) -> Result<Caller, ServiceError> {
        let session = Session::new(claims)?;
        session.settled_user(&self.world.state())?;
        Ok(Caller { session })
    }

    /// How many sessions could be continued.
    pub fn sessions(&self) -> usize {
        let (state, now) = (self.world.state(), now_ms());
        state.sessions.values().filter(|session| session.value.lives(&state, now)).count()
    }

    /// Does `change` with the living session that the ticket is good for. One that is not the newest of its session
    /// ends the session.
    fn with_session<T>(
        &self,
        origin: &Origin,
        shown: &Ticket,
        change: impl Fn(&State, &Stored<LoginSession>, &Origin) -> Result<(Batch, T), ServiceError>,
    ) -> Result<T, ServiceError> {
        self.world.mutate(|state| {
            let stored = state.sessions.get(&shown.session).ok_or(ServiceError::NoSuchRefreshToken)?;
            let origin = origin.by(stored.value.user);
            if stored.value.token_hash != shown.hash {
                let batch = end(stored, &origin, "session.reuse");
                return Ok((Some(batch), Err(ServiceError::RefreshTokenRevoked)));
            }
            if !stored.value.lives(state, origin.at_ms) {
                return Err(ServiceError::RefreshTokenRevoked);
            }
            let (batch, answer) = change(state, stored, &origin)?;
            Ok((Some(batch), Ok(answer)))
        })?
    }

    fn opened(&self, user: &User, session: &LoginSession, token: &str) -> Opened {
        let claims = Claims::new(user, now_ms() / 1000, self.rules.access_ttl).of_session(session.id);
        Opened { claims, refresh_token: token.to_owned() }
    }
}

fn after(at_ms: i64, time: Duration) -> i64 {
    at_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn gone(batch: Batch, session: &Stored<LoginSession>) -> Batch {
    batch.delete(session.version, Key::Session(session.value.id))
}

/// The session is over, and the trail says so.
fn end(stored: &Stored<LoginSession>, origin: &Origin, verb: &'static str) -> Batch {
    let entry = AuditEntry::deleted(origin, verb, &Document::Session(stored.value.clone()));
    gone(Batch::audited(entry), stored)
}

/// Clears away the user's sessions that are dead or too many, and some dead ones of others. They opened nothing any
/// more, or the oldest make room; no record tells of that.
fn without_the_dead(batch: Batch, state: &State, user: Id, now_ms: i64) -> Batch {
    let dead = |session: &&Arc<Stored<LoginSession>>| !session.value.lives(state, now_ms);
    let batch =
        state.sessions.values().filter(dead).take(CLEARED).fold(batch, |batch, session| gone(batch, session));
    let own = state.sessions.values().filter(|session| session.value.user == user && !dead(session));
    let mut own: Vec<_> = own.collect();
    own.sort_unstable_by_key(|session| session.value.refreshed_ms);
    let surplus = (own.len() + 1).saturating_sub(SESSIONS_PER_USER);
    own.into_iter().take(surplus).fold(batch, |batch, session| gone(batch, session))
}

#[cfg(test)]
mod tests;
