//! The table of routes, each part beside its handlers.

use gthulhu_http::error::HttpError;
use gthulhu_http::route::Route;
use gthulhu_lib::id::Id;

use super::openapi::Row;
use super::{App, audit, auth, explain, intents, nodes, preview, roles, strategies, swagger, system, users};

/// What a body that cannot be read is answered with.
pub(super) const BAD_BODY: &str = "Invalid request body";

/// Every route: method, path, policy, handler, sentence. The router, the lists and the tests are made from it.
pub fn routes() -> Vec<Route<App>> {
    rows().into_iter().map(|row| row.route).collect()
}

/// Every route and its description, from which the document is made.
pub(super) fn rows() -> Vec<Row> {
    let parts = [
        system::routes(),
        swagger::routes(),
        auth::routes(),
        users::routes(),
        roles::routes(),
        strategies::routes(),
        preview::routes(),
        explain::routes(),
        intents::routes(),
        nodes::routes(),
        audit::routes(),
    ];
    parts.into_iter().flatten().collect()
}

/// An id of a body, or 400 naming the field and the rule.
pub(super) fn parse_id(field: &str, text: &str) -> Result<Id, HttpError> {
    let rule = "must be 24 hexadecimal digits";
    text.parse().map_err(|_| HttpError::bad_request(format!("{field} {rule}")).in_field(field))
}
