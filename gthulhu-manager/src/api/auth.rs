//! Logging in, and what a user does with himself.

use std::sync::Arc;

use gthulhu_http::call::{Call, Head};
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use gthulhu_http::time::unix_now;
use http::header::CACHE_CONTROL;
use http::{Method, StatusCode};

use super::App;
use super::bodies::{LoginBody, LoginReply, PasswordBody, RefreshBody, UserReply, ValidReply};
use super::openapi::{Operation, Row, row};
use super::policy::Settled;
use super::routes::BAD_BODY;
use crate::metrics::LoginOutcome;
use crate::service::{Caller, Opened};
use crate::store::audit::Origin;

/// The routes of sessions.
pub(super) fn routes() -> Vec<Row> {
    let (get, post) = (Method::GET, Method::POST);
    vec![
        row(
            Route::new(
                post.clone(),
                "/api/v1/auth/login",
                Public,
                login,
                "Trades a password for an access token and a refresh token.",
            ),
            Operation::data::<LoginReply>()
                .takes::<LoginBody>()
                .header("Cache-Control", "Tokens are not kept: no-store.")
                .refuses(
                    StatusCode::UNAUTHORIZED,
                    "The name or the password is wrong, or the user may not log in.",
                )
                .refuses(StatusCode::UNPROCESSABLE_ENTITY, "The name or the password is empty.")
                .refuses(StatusCode::TOO_MANY_REQUESTS, "Too many failed attempts, or too many at once."),
        ),
        row(
            Route::new(
                post.clone(),
                "/api/v1/auth/refresh",
                Public,
                refresh,
                "Trades a refresh token for new tokens; shown a second time, it ends the session.",
            ),
            Operation::data::<LoginReply>()
                .takes::<RefreshBody>()
                .header("Cache-Control", "Tokens are not kept: no-store.")
                .refuses(StatusCode::BAD_REQUEST, "The token is empty.")
                .refuses(StatusCode::UNAUTHORIZED, "The token is not good, or not any more."),
        ),
        row(
            Route::new(
                post.clone(),
                "/api/v1/auth/logout",
                Public,
                logout,
                "Ends the session of a refresh token, and with it every token of the session.",
            ),
            Operation::done()
                .takes::<RefreshBody>()
                .refuses(StatusCode::BAD_REQUEST, "The token is empty.")
                .refuses(StatusCode::UNAUTHORIZED, "The token is not one of a session."),
        ),
        row(
            Route::new(
                post,
                "/api/v1/auth/logout-all",
                Settled,
                logout_all,
                "Ends all sessions of the caller.",
            ),
            Operation::done(),
        ),
        row(
            Route::new(
                get,
                "/api/v1/auth/validate",
                Settled,
                validate,
                "Says that the caller's token is good, and whose it is.",
            ),
            Operation::data::<ValidReply>(),
        ),
    ]
}

/// `POST /api/v1/auth/login`
pub(super) async fn login(app: Arc<App>, _public: (), call: Call) -> Result<Reply, HttpError> {
    let body: LoginBody = call.json(BAD_BODY)?;
    if body.username.is_empty() || body.password.is_empty() {
        return Err(HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "Username and password are required"));
    }
    let origin = stranger(&call.head);
    let opened = app.run(move |service| service.login(&origin, &body.username, &body.password)).await;
    app.metrics.login(outcome(&opened));
    let opened = opened?;
    tokens(&app, opened)
}

/// `POST /api/v1/auth/refresh`
pub(super) async fn refresh(app: Arc<App>, _public: (), call: Call) -> Result<Reply, HttpError> {
    let token = refresh_token(&call)?;
    let origin = stranger(&call.head);
    let opened = app.run(move |service| service.refresh(&origin, &token)).await?;
    tokens(&app, opened)
}

/// `POST /api/v1/auth/logout`
pub(super) async fn logout(app: Arc<App>, _public: (), call: Call) -> Result<Reply, HttpError> {
    let token = refresh_token(&call)?;
    let origin = stranger(&call.head);
    app.run(move |service| service.logout(&origin, &token)).await?;
    Ok(Reply::done())
}

/// `POST /api/v1/auth/logout-all`
pub(super) async fn logout_all(app: Arc<App>, caller: Caller, call: Call) -> Result<Reply, HttpError> {
    app.run(move |service| service.logout_all(&caller, &call.head.request_id)).await?;
    Ok(Reply::done())
}

/// `GET /api/v1/auth/validate`
pub(super) async fn validate(_app: Arc<App>, caller: Caller, _call: Call) -> Result<Reply, HttpError> {
    Ok(Reply::data(&ValidReply { valid: true, uid: caller.uid(), need_change_password: false }))
}

fn outcome(login: &Result<Opened, HttpError>) -> LoginOutcome {
    match login.as_ref().map_err(HttpError::status) {
        Ok(_) => LoginOutcome::Accepted,
        Err(StatusCode::UNAUTHORIZED) => LoginOutcome::Refused,
        Err(StatusCode::TOO_MANY_REQUESTS) => LoginOutcome::Throttled,
        Err(_) => LoginOutcome::Failed,
    }
}

/// The answer of a login, and of a refresh.
fn tokens(app: &App, opened: Opened) -> Result<Reply, HttpError> {
    let token = app.tokens.sign(&opened.claims).map_err(HttpError::internal)?;
    Ok(Reply::data(&LoginReply { access_token: token.clone(), token, refresh_token: opened.refresh_token })
        .header(CACHE_CONTROL, "no-store"))
}

fn refresh_token(call: &Call) -> Result<String, HttpError> {
    let body: RefreshBody = call.json(BAD_BODY)?;
    if body.refresh_token.is_empty() {
        return Err(HttpError::bad_request("refreshToken is required"));
    }
    Ok(body.refresh_token)
}

/// What the audit trail says of a request without a token.
fn stranger(head: &Head) -> Origin {
    Origin::stranger(unix_now().saturating_mul(1000), &head.request_id, head.peer.ip())
}

/// `GET /api/v1/users/self`
pub(super) async fn profile(app: Arc<App>, caller: Caller, _call: Call) -> Result<Reply, HttpError> {
    let profile = app.service.profile(&caller)?;
    Ok(Reply::data(&UserReply {
        id: profile.id,
        username: profile.username,
        roles: Some(profile.roles).filter(|roles| !roles.is_empty()),
        status: profile.status.into(),
    }))
}

/// `PUT /api/v1/users/self/password`
pub(super) async fn change_password(app: Arc<App>, caller: Caller, call: Call) -> Result<Reply, HttpError> {
    let body: PasswordBody = call.json(BAD_BODY)?;
    app.run(move |service| {
        let request = &call.head.request_id;
        service.change_own_password(&caller, request, &body.old_password, &body.new_password)
    })
    .await?;
    Ok(Reply::done())
}
