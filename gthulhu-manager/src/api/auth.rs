//! Logging in, and what a user does with himself.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;

use super::App;
use super::bodies::{LoginBody, LoginReply, PasswordBody, UserReply};
use super::routes::BAD_BODY;
use crate::service::Caller;

/// `POST /api/v1/auth/login`
pub(super) async fn login(app: Arc<App>, _public: (), call: Call) -> Result<Reply, HttpError> {
    let body: LoginBody = call.json(BAD_BODY)?;
    if body.username.is_empty() || body.password.is_empty() {
        return Err(HttpError::new(
            http::StatusCode::UNPROCESSABLE_ENTITY,
            "Username and password are required",
        ));
    }
    let claims = app.run(move |service| service.login(&body.username, &body.password)).await?;
    let token = app.signer.sign(&claims).map_err(HttpError::internal)?;
    Ok(Reply::data(&LoginReply { access_token: token.clone(), token }))
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
