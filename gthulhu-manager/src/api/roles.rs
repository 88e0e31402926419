//! Listing, making, changing and deleting roles, and the permissions that they can allow.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use gthulhu_lib::id::Id;
use http::header::LOCATION;
use http::{Method, StatusCode};
use serde_json::json;

use super::App;
use super::bodies::{
    DeleteRoleBody, NewRoleBody, PermissionReply, PermissionsReply, PolicyBody, PolicyReply, RoleBody,
    RoleReply, RolesReply,
};
use super::lists::{or_null, page};
use super::openapi::{Operation, Row, row};
use super::policy::Permitted;
use super::routes::{BAD_BODY, parse_id};
use crate::domain::{Policy, Role};
use crate::service::{
    ByAge, Granted, PermissionRead, RoleChange, RoleCreate, RoleDelete, RoleInput, RoleRead, RoleUpdate,
};

/// Where roles live.
const ROLES: &str = "/api/v1/roles";

/// Where the first role of an answer has its id.
const FIRST: &str = "$response.body#/data/roles/0/id";

/// Roles and permissions.
pub(super) fn routes() -> Vec<Row> {
    vec![
        row(
            Route::new(
                Method::GET,
                ROLES,
                Permitted::<RoleRead>::new(),
                list,
                "Lists roles and what each allows.",
            ),
            Operation::data::<RolesReply>()
                .paged::<ByAge>()
                .body_for("putRoles", json!({"id": FIRST}))
                .body_for("deleteRoles", json!({"id": FIRST})),
        ),
        row(
            Route::new(
                Method::POST,
                ROLES,
                Permitted::<RoleCreate>::new(),
                create,
                "Creates a role that allows no more than its creator may do.",
            ),
            Operation::done()
                .header("Location", "The path of what was made; it ends with the id.")
                .takes::<NewRoleBody>()
                .refuses(StatusCode::CONFLICT, "There is a role of this name.")
                .refuses(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "A field breaks a rule, or a permission is not known.",
                ),
        ),
        row(
            Route::new(
                Method::PUT,
                ROLES,
                Permitted::<RoleUpdate>::new(),
                update,
                "Changes a role and revokes the tokens of those who hold it; what is absent stays.",
            ),
            Operation::done()
                .takes::<RoleBody>()
                .refuses(StatusCode::BAD_REQUEST, "The id is none.")
                .refuses(StatusCode::NOT_FOUND, "There is no such role.")
                .refuses(StatusCode::CONFLICT, "The role is built in, or there is one of this name.")
                .refuses(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "A field breaks a rule, or a permission is not known.",
                ),
        ),
        row(
            Route::new(
                Method::DELETE,
                ROLES,
                Permitted::<RoleDelete>::new(),
                delete,
                "Deletes a role that nobody holds.",
            ),
            Operation::empty()
                .takes::<DeleteRoleBody>()
                .refuses(StatusCode::BAD_REQUEST, "The id is none.")
                .refuses(StatusCode::NOT_FOUND, "There is no such role.")
                .refuses(StatusCode::CONFLICT, "The role is built in, or users hold it."),
        ),
        row(
            Route::new(
                Method::GET,
                "/api/v1/permissions",
                Permitted::<PermissionRead>::new(),
                permissions,
                "Lists what a role can allow.",
            ),
            Operation::data::<PermissionsReply>(),
        ),
    ]
}

/// `GET /api/v1/roles`
async fn list(app: Arc<App>, grant: Granted<RoleRead>, call: Call) -> Result<Reply, HttpError> {
    let listed = app.service.roles(&grant, &page(&call.head)?);
    let roles = listed.rows.iter().map(|role| RoleReply::from(&role.value)).collect();
    Ok(Reply::data(&RolesReply { roles: or_null(roles), next: listed.next }))
}

/// `POST /api/v1/roles`
async fn create(app: Arc<App>, grant: Granted<RoleCreate>, call: Call) -> Result<Reply, HttpError> {
    let body: NewRoleBody = call.json(BAD_BODY)?;
    let policies = policies("rolePolicies", body.policies)?;
    let input = RoleInput { name: body.name, description: body.description, policies };
    let id = app.run(move |service| service.create_role(&grant, &call.head.request_id, &input)).await?;
    Ok(Reply::done().header(LOCATION, format!("{ROLES}/{id}")))
}

/// `PUT /api/v1/roles`
async fn update(app: Arc<App>, grant: Granted<RoleUpdate>, call: Call) -> Result<Reply, HttpError> {
    let body: RoleBody = call.json(BAD_BODY)?;
    let id = required(&body.id)?;
    let policies = body.policies.map(|listed| policies("rolePolicy", listed)).transpose()?;
    let change = RoleChange { name: body.name, description: body.description, policies };
    app.run(move |service| service.update_role(&grant, &call.head.request_id, id, &change)).await?;
    Ok(Reply::done())
}

/// `DELETE /api/v1/roles`
async fn delete(app: Arc<App>, grant: Granted<RoleDelete>, call: Call) -> Result<Reply, HttpError> {
    let body: DeleteRoleBody = call.json(BAD_BODY)?;
    let id = required(&body.id)?;
    app.run(move |service| service.delete_role(&grant, &call.head.request_id, id)).await?;
    Ok(Reply::empty())
}

/// `GET /api/v1/permissions`
async fn permissions(app: Arc<App>, grant: Granted<PermissionRead>, _call: Call) -> Result<Reply, HttpError> {
    let permissions = app.service.permissions(&grant).iter();
    let reply =
        |p: &crate::domain::Permission| PermissionReply { key: p.key(), description: p.description() };
    Ok(Reply::data(&PermissionsReply { permissions: permissions.map(reply).collect() }))
}

fn required(id: &str) -> Result<Id, HttpError> {
    if id.is_empty() {
        return Err(HttpError::bad_request("Role ID is required").in_field("id"));
    }
    parse_id("id", id)
}

/// The policies of a body, whose keys must be known.
fn policies(field: &str, bodies: Vec<PolicyBody>) -> Result<Vec<Policy>, HttpError> {
    let policy = |(i, body): (usize, PolicyBody)| {
        let unknown = |_| {
            HttpError::unprocessable(format!("{field}[{i}].permissionKey"), "must be the key of a permission")
        };
        Ok(Policy {
            permission: body.permission_key.parse().map_err(unknown)?,
            own: body.own,
            k8s_namespace: body.k8s_namespace,
            policy_namespace: body.policy_namespace,
        })
    };
    bodies.into_iter().enumerate().map(policy).collect()
}

impl From<&Role> for RoleReply {
    fn from(role: &Role) -> Self {
        Self {
            id: role.id,
            name: role.name.clone(),
            description: role.description.clone(),
            role_policy: or_null(role.policies.iter().map(PolicyReply::from).collect()),
        }
    }
}
