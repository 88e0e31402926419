//! Who may call a route: any user with a valid session, or one who holds a permission.

use std::marker::PhantomData;

use gthulhu_http::call::{Bearer, Head};
use gthulhu_http::error::HttpError;
use gthulhu_http::route::Policy;

use super::App;
use crate::service::{Caller, Claims, Granted, Needs};

/// Any user with a valid session, also one who must change his password.
pub(super) struct Session;

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
        Ok(app.service.caller(&claims(app, head)?)?.seen_from(head.peer.ip()))
    }
}

impl<K: Needs> Policy<App> for Permitted<K> {
    type Grant = Granted<K>;

    fn name(&self) -> String {
        format!("permission {}", K::PERMISSION)
    }

    fn admit(&self, app: &App, head: &Head) -> Result<Granted<K>, HttpError> {
        Ok(app.service.grant(&claims(app, head)?)?.seen_from(head.peer.ip()))
    }
}

/// The verified claims of the bearer token. Whatever is wrong with a token, the text is one.
fn claims(app: &App, head: &Head) -> Result<Claims, HttpError> {
    let token = match head.bearer() {
        Bearer::Missing => return Err(HttpError::unauthorized("Missing Authorization header")),
        Bearer::Other | Bearer::Token("") => {
            return Err(HttpError::unauthorized("Invalid Authorization header format"));
        }
        Bearer::Token(token) => token,
    };
    let refused = |error| HttpError::unauthorized("invalid or expired token").caused_by(error);
    app.verifier.verify(token).map_err(refused)
}
