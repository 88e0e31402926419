//! The table of routes.

use gthulhu_http::error::HttpError;
use gthulhu_http::health::health_routes;
use gthulhu_http::route::{Public, Route};
use gthulhu_lib::id::Id;
use http::Method;

use super::policy::{Permitted, Session};
use super::{App, auth, intents, nodes, strategies};
use crate::service::{
    IntentDelete, IntentRead, PodPidRead, StrategyCreate, StrategyDelete, StrategyRead, StrategyUpdate,
};

/// What a body that cannot be read is answered with.
pub(super) const BAD_BODY: &str = "Invalid request body";

/// Where strategies live; the `Location` of a new one is below it.
pub(super) const STRATEGIES: &str = "/api/v1/strategies";

const INTENTS: &str = "/api/v1/intents";

/// Every route: method, path, policy, handler, sentence. The router, the lists and the tests are made from it.
pub fn routes() -> Vec<Route<App>> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let mut routes = health_routes();
    routes.extend([
        Route::new(post.clone(), "/api/v1/auth/login", Public, auth::login, "Trades a password for a token."),
        Route::new(get.clone(), "/api/v1/users/self", Session, auth::profile, "Shows the caller."),
        Route::new(
            put.clone(),
            "/api/v1/users/self/password",
            Session,
            auth::change_password,
            "Changes the caller's password and revokes the caller's tokens.",
        ),
        Route::new(
            post,
            STRATEGIES,
            Permitted::<StrategyCreate>::new(),
            strategies::create,
            "Creates a strategy; its id is in Location. ?allowEmpty=true stores it although no pod matches.",
        ),
        Route::new(
            put,
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
            "Deletes one of the caller's strategies; its intents go with it.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/strategies/self",
            Permitted::<StrategyRead>::new(),
            strategies::list,
            "Lists the caller's strategies and how far each has come.",
        ),
        Route::new(
            get.clone(),
            "/api/v1/intents/self",
            Permitted::<IntentRead>::new(),
            intents::list,
            "Lists the intents of the caller's strategies; ?excluded=true those that were deleted.",
        ),
        Route::new(
            delete,
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
            get,
            "/api/v1/nodes/{nodeID}/pods/pids",
            Permitted::<PodPidRead>::new(),
            nodes::pods_pids,
            "Asks a node for its pods and their processes.",
        ),
    ]);
    routes
}

/// An id of a body, or 400 naming the field and the rule.
pub(super) fn parse_id(field: &str, text: &str) -> Result<Id, HttpError> {
    let rule = "must be 24 hexadecimal digits";
    text.parse().map_err(|_| HttpError::bad_request(format!("{field} {rule}")).in_field(field))
}
