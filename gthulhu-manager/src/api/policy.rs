//! Who may call a route: any user with a valid session, or one who holds a permission.

use std::marker::PhantomData;
use std::sync::Arc;

use gthulhu_http::call::{Bearer, Head};
use gthulhu_http::error::HttpError;
use gthulhu_http::route::Policy;

use super::App;
use crate::domain::Permission;
use crate::service::{Caller, Claims, Granted, Needs, ServiceError};

/// Any user with a valid session, also one who must change his password.
pub(super) struct Session;

/// Any user with a valid session who need not change his password first.
pub(super) struct Settled;

/// A user who holds the permission `K`.
pub(super) struct Permitted<K>(PhantomData<fn() -> K>);

impl<K> Permitted<K> {
    /// The policy.
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl Policy<App> for Session {
    type Grant = Caller;

    fn name(&self) -> String {
        "session".into()
    }

    fn admit(&self, app: &App, head: &Head) -> Result<Caller, HttpError> {
        Ok(app.service.caller(&*claims(app, head)?)?.seen_from(head.peer.ip()))
    }
}

impl Policy<App> for Settled {
    type Grant = Caller;

    fn name(&self) -> String {
        "session settled".into()
    }

    fn admit(&self, app: &App, head: &Head) -> Result<Caller, HttpError> {
        Ok(app.service.settled_caller(&*claims(app, head)?)?.seen_from(head.peer.ip()))
    }
}

impl<K: Needs> Policy<App> for Permitted<K> {
    type Grant = Granted<K>;

    fn name(&self) -> String {
        format!("permission {}", K::PERMISSION)
    }

    fn admit(&self, app: &App, head: &Head) -> Result<Granted<K>, HttpError> {
        let claims = claims(app, head)?;
        match app.service.grant(&claims) {
            Ok(granted) => Ok(granted.seen_from(head.peer.ip())),
            Err(refused) => {
                if matches!(refused, ServiceError::Denied) {
                    note_denied(app, head, &claims, K::PERMISSION);
                }
                Err(refused.into())
            }
        }
    }
}

/// Leaves a note in the audit trail. The caller does not wait for it.
fn note_denied(app: &App, head: &Head, claims: &Claims, permission: Permission) {
    app.metrics.denied();
    let Ok(caller) = app.service.caller(claims) else { return };
    let (service, caller) = (Arc::clone(&app.service), caller.seen_from(head.peer.ip()));
    let request_id = head.request_id;
    tokio::task::spawn_blocking(move || service.note_denied(&caller, &request_id, permission));
}

/// The verified claims of the bearer token. Whatever is wrong with a token, the text is one.
fn claims(app: &App, head: &Head) -> Result<Arc<Claims>, HttpError> {
    let token = match head.bearer() {
        Bearer::Missing => return Err(HttpError::unauthorized("Missing Authorization header")),
        Bearer::Other | Bearer::Token("") => {
            return Err(HttpError::unauthorized("Invalid Authorization header format"));
        }
        Bearer::Token(token) => token,
    };
    let refused = |error| {
        app.metrics.bad_token();
        HttpError::unauthorized("invalid or expired token").caused_by(error)
    };
    app.tokens.verify(token).map_err(refused)
}
