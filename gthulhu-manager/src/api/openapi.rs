//! The description of the API, in OpenAPI 3.1, made from the table of routes.
//!
//! A row of the table is a route *and* its [`Operation`]: what it takes and gives. Path, method, sentence and permission
//! are the route's own; bodies are described by the types that the handlers read and write, parameters by the values that
//! they are read with. So nothing is said twice, and a route without a description is not a row.

mod document;
mod operation;
mod refusals;
mod schemas;

use gthulhu_http::route::Route;

use super::App;

pub(super) use document::document;
pub(super) use operation::Operation;
pub(super) use schemas::PermissionKey;

/// One row of the table of routes.
pub(super) struct Row {
    /// What the router has of it.
    pub route: Route<App>,
    /// What the document says of it beyond that.
    pub operation: Operation,
}

/// A row of the table.
pub(super) fn row(route: Route<App>, operation: Operation) -> Row {
    Row { route, operation }
}
