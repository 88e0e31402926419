//! A handler that wants to know that somebody administers, on a route that anybody may call.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Public, Route};
use http::Method;

struct Administrator;

async fn wipe(_: Arc<()>, _: Administrator, _: Call) -> Result<Reply, HttpError> {
    Ok(Reply::done())
}

fn main() {
    let _: Route<()> = Route::new(Method::DELETE, "/everything", Public, wipe, "Deletes everything.");
}
