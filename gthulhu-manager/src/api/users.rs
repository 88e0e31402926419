//! Listing, making and changing users.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::id::Id;
use http::header::LOCATION;
use http::{Method, StatusCode};
use serde_json::json;

use super::bodies::{NewUserBody, PasswordBody, ResetBody, UserBody, UserReply, UsersReply};
use super::lists::{or_null, page};
use super::openapi::{Operation, Row, row};
use super::policy::{Permitted, Session};
use super::routes::BAD_BODY;
use super::{App, auth};
use crate::domain::{Status, User};
use crate::service::{
    ByAge, Granted, UserChange, UserCreate, UserPasswordReset, UserPermissionUpdate, UserRead,
};

/// Where users live.
const USERS: &str = "/api/v1/users";

/// Where the first user of an answer has his id.
const FIRST: &str = "$response.body#/data/users/0/id";

/// Users, and what each does with himself.
pub(super) fn routes() -> Vec<Row> {
    vec![
        row(
            Route::new(Method::GET, "/api/v1/users/self", Session, auth::profile, "Shows the caller."),
            Operation::data::<UserReply>(),
        ),
        row(
            Route::new(
                Method::PUT,
                "/api/v1/users/self/password",
                Session,
                auth::change_password,
                "Changes the caller's password and revokes the caller's tokens.",
            ),
            Operation::done()
                .takes::<PasswordBody>()
                .refuses(StatusCode::UNAUTHORIZED, "The old password is wrong.")
                .refuses(StatusCode::UNPROCESSABLE_ENTITY, "The new password breaks a rule.")
                .refuses(StatusCode::TOO_MANY_REQUESTS, "Too many failed attempts, or too many at once."),
        ),
        row(
            Route::new(Method::GET, USERS, Permitted::<UserRead>::new(), list, "Lists users, oldest first."),
            Operation::data::<UsersReply>()
                .paged::<ByAge>()
                .body_for("putUsersPassword", json!({"userID": FIRST}))
                .body_for("putUsersPermissions", json!({"userID": FIRST})),
        ),
        row(
            Route::new(
                Method::POST,
                USERS,
                Permitted::<UserCreate>::new(),
                create,
                "Creates a user without roles, who must change this password.",
            ),
            Operation::done()
                .header("Location", "The path of what was made; it ends with the id.")
                .takes::<NewUserBody>()
                .refuses(StatusCode::CONFLICT, "There is a user of this name.")
                .refuses(StatusCode::UNPROCESSABLE_ENTITY, "The name or the password breaks a rule.")
                .refuses(StatusCode::TOO_MANY_REQUESTS, "Too many passwords are being hashed."),
        ),
        row(
            Route::new(
                Method::PUT,
                "/api/v1/users/password",
                Permitted::<UserPasswordReset>::new(),
                reset_password,
                "Gives a user another password, which must be changed, and revokes the user's tokens.",
            ),
            Operation::done()
                .takes::<ResetBody>()
                .refuses(StatusCode::FORBIDDEN, "The user may do what the caller may not.")
                .refuses(StatusCode::NOT_FOUND, "There is no such user.")
                .refuses(StatusCode::UNPROCESSABLE_ENTITY, "The id is none, or the password breaks a rule.")
                .refuses(StatusCode::TOO_MANY_REQUESTS, "Too many passwords are being hashed."),
        ),
        row(
            Route::new(
                Method::PUT,
                "/api/v1/users/permissions",
                Permitted::<UserPermissionUpdate>::new(),
                change,
                "Changes a user's roles and status and revokes the user's tokens; what is absent stays.",
            ),
            Operation::done()
                .takes::<UserBody>()
                .refuses(StatusCode::BAD_REQUEST, "A role is not there, or named twice.")
                .refuses(StatusCode::FORBIDDEN, "The user may, or would, do what the caller may not.")
                .refuses(StatusCode::NOT_FOUND, "There is no such user.")
                .refuses(StatusCode::CONFLICT, "Nobody would be left to administer.")
                .refuses(StatusCode::UNPROCESSABLE_ENTITY, "The id is none, or the status is not known."),
        ),
    ]
}

/// `GET /api/v1/users`
async fn list(app: Arc<App>, grant: Granted<UserRead>, call: Call) -> Result<Reply, HttpError> {
    let listed = app.service.users(&grant, &page(&call.head)?);
    let users = listed.rows.iter().map(|user| UserReply::from(&user.value)).collect();
    Ok(Reply::data(&UsersReply { users: or_null(users), next: listed.next }))
}

/// `POST /api/v1/users`
async fn create(app: Arc<App>, grant: Granted<UserCreate>, call: Call) -> Result<Reply, HttpError> {
    let body: NewUserBody = call.json(BAD_BODY)?;
    let create = move |service: &crate::service::Service| {
        service.create_user(&grant, &call.head.request_id, &body.username, &body.password)
    };
    let id = app.run(create).await?;
    Ok(Reply::done().header(LOCATION, format!("{USERS}/{id}")))
}

/// `PUT /api/v1/users/password`
async fn reset_password(
    app: Arc<App>,
    grant: Granted<UserPasswordReset>,
    call: Call,
) -> Result<Reply, HttpError> {
    let body: ResetBody = call.json(BAD_BODY)?;
    let id = user_id(&body.user_id)?;
    app.run(move |service| service.reset_password(&grant, &call.head.request_id, id, &body.new_password))
        .await?;
    Ok(Reply::done())
}

/// `PUT /api/v1/users/permissions`
async fn change(app: Arc<App>, grant: Granted<UserPermissionUpdate>, call: Call) -> Result<Reply, HttpError> {
    let body: UserBody = call.json(BAD_BODY)?;
    let id = user_id(&body.user_id)?;
    let status = body.status.map(|number| Status::try_from(i64::from(number))).transpose();
    let unknown = |_| HttpError::unprocessable("status", "must be 1, 2 or 3");
    let change = UserChange { roles: body.roles, status: status.map_err(unknown)? };
    app.run(move |service| service.change_user(&grant, &call.head.request_id, id, &change)).await?;
    Ok(Reply::done())
}

/// The id of a user. Clients know this refusal by its text and status, which are not those of other ids.
fn user_id(text: &str) -> Result<Id, HttpError> {
    let invalid = |_| HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid user ID").in_field("userID");
    text.parse().map_err(invalid)
}

impl From<&User> for UserReply {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            username: user.username.clone(),
            roles: or_null(user.roles.clone()),
            status: user.status.into(),
        }
    }
}
