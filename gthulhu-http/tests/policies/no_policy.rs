//! A route without a policy.

use std::sync::Arc;

use gthulhu_http::call::Call;
use gthulhu_http::error::HttpError;
use gthulhu_http::reply::Reply;
use gthulhu_http::route::Route;
use http::Method;

async fn hello(_: Arc<()>, _: (), _: Call) -> Result<Reply, HttpError> {
    Ok(Reply::done())
}

fn main() {
    let _: Route<()> = Route::new(Method::GET, "/hello", hello, "Says hello.");
}
