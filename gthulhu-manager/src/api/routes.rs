//! The table of routes.

use gthulhu_http::error::HttpError;
use gthulhu_http::health::health_routes;
use gthulhu_http::route::Route;
use gthulhu_lib::id::Id;
use http::Method;

use super::policy::{Permitted, Session};
use super::{App, audit, auth, intents, nodes, roles, strategies, system, users};
use crate::service::{
    AuditRead, IntentDelete, IntentRead, PermissionRead, PodPidRead, RoleCreate, RoleDelete, RoleRead,
    RoleUpdate, StrategyCreate, StrategyDelete, StrategyRead, StrategyUpdate, UserCreate, UserPasswordReset,
    UserPermissionUpdate, UserRead,
};

/// What a body that cannot be read is answered with.
pub(super) const BAD_BODY: &str = "Invalid request body";

/// Where strategies live; the `Location` of a new one is below it.
pub(super) const STRATEGIES: &str = "/api/v1/strategies";

/// Where users live.
pub(super) const USERS: &str = "/api/v1/users";
/// Where roles live.
pub(super) const ROLES: &str = "/api/v1/roles";

const INTENTS: &str = "/api/v1/intents";

/// Every route: method, path, policy, handler, sentence. The router, the lists and the tests are made from it.
pub fn routes() -> Vec<Route<App>> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let mut routes = health_routes();
    routes.extend(system::routes());
    routes.extend(auth::routes());
    routes.extend([
        Route::new(get.clone(), "/api/v1/users/self", Session, auth::profile, "Shows the caller."),
        Route::new(
            put.clone(),
            "/api/v1/users/self/password",
            Session,
            auth::change_password,
            "Changes the caller's password and revokes the caller's tokens.",
        ),
        Route::new(
            post.clone(),
            STRATEGIES,
            Permitted::<StrategyCreate>::new(),
            strategies::create,
            "Creates a strategy; its id is in Location. ?allowEmpty=true stores it although no pod matches.",
        ),
        Route::new(
            put.clone(),
            STRATEGIES,
            Permitted::<StrategyUpdate>::new(),
            strategies::update,
            "Replaces one of the caller's strategies; an absent field is its zero value.",
        ),
        Route::new(
            delete.clone(),
            STRATEGIES,
            Permitted::<StrategyDelete>::new(),
            strategies::delete,
            "Deletes one of the caller's strategies and its intents; ?all=true, for administrators, anybody's.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/strategies/self",
            Permitted::<StrategyRead>::new(),
            strategies::list,
            "Lists the caller's strategies and how far each has come; ?all=true, for administrators, everybody's.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/intents/self",
            Permitted::<IntentRead>::new(),
            intents::list,
            "Lists the intents of the caller's strategies; ?excluded=true those that were deleted, ?all=true everybody's.",
        ),
        Route::new(
            delete.clone(),
            INTENTS,
            Permitted::<IntentDelete>::new(),
            intents::delete,
            "Excludes intents until their strategy is replaced or deleted, or their pod is gone.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/nodes",
            Permitted::<PodPidRead>::new(),
            nodes::list,
            "Lists the nodes and whether each is ready.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/nodes/{nodeID}/pods/pids",
            Permitted::<PodPidRead>::new(),
            nodes::pods_pids,
            "Asks a node for its pods and their processes.",
        ),
        Route::new(
            get.clone(),
            USERS,
            Permitted::<UserRead>::new(),
            users::list,
            "Lists users, oldest first; ?limit= and ?continue= by pages, as in every list.",
        ),
        Route::new(
            post.clone(),
            USERS,
            Permitted::<UserCreate>::new(),
            users::create,
            "Creates a user without roles, who must change this password; the id is in Location.",
        ),
        Route::new(
            put.clone(),
            "/api/v1/users/password",
            Permitted::<UserPasswordReset>::new(),
            users::reset_password,
            "Gives a user another password, which must be changed, and revokes the user's tokens.",
        ),
        Route::new(
            put.clone(),
            "/api/v1/users/permissions",
            Permitted::<UserPermissionUpdate>::new(),
            users::change,
            "Changes a user's roles and status and revokes the user's tokens; what is absent stays.",
        ),
        Route::new(
            get.clone(),
            ROLES,
            Permitted::<RoleRead>::new(),
            roles::list,
            "Lists roles and what each allows.",
        ),
        Route::new(
            post,
            ROLES,
            Permitted::<RoleCreate>::new(),
            roles::create,
            "Creates a role that allows no more than its creator may do; the id is in Location.",
        ),
        Route::new(
            put,
            ROLES,
            Permitted::<RoleUpdate>::new(),
            roles::update,
            "Changes a role and revokes the tokens of those who hold it; what is absent stays.",
        ),
        Route::new(
            delete,
            ROLES,
            Permitted::<RoleDelete>::new(),
            roles::delete,
            "Deletes a role that nobody holds.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/permissions",
            Permitted::<PermissionRead>::new(),
            roles::permissions,
            "Lists what a role can allow.",
        ),
        Route::new(
            get,
            "/api/v1/audit",
            Permitted::<AuditRead>::new(),
            audit::list,
            "Reads the audit trail, newest first; by actor, verb, object, requestId, from, since and until.",
        ),
    ]);
    routes
}

/// An id of a body, or 400 naming the field and the rule.
pub(super) fn parse_id(field: &str, text: &str) -> Result<Id, HttpError> {
    let rule = "must be 24 hexadecimal digits";
    text.parse().map_err(|_| HttpError::bad_request(format!("{field} {rule}")).in_field(field))
}
