//! The application under test: one route for each thing that a handler can do.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gthulhu_http::call::{Bearer, Call, Head};
use gthulhu_http::error::HttpError;
use gthulhu_http::health::{Check, Health, health_routes};
use gthulhu_http::reply::Reply;
use gthulhu_http::route::{Policy, Public, Route};
use http::{Method, StatusCode, header};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Tells tests that a handler has begun, and lets it end.
pub(crate) struct App {
    pub(crate) entered: Semaphore,
    pub(crate) release: Semaphore,
    pub(crate) finished: Semaphore,
    pub(crate) ready: bool,
    /// Whether [`WhileOpen`] admits.
    pub(crate) open: AtomicBool,
}

impl App {
    pub(crate) fn new() -> Arc<App> {
        App::with_readiness(true)
    }

    pub(crate) fn with_readiness(ready: bool) -> Arc<App> {
        let [entered, release, finished] = [(); 3].map(|()| Semaphore::new(0));
        Arc::new(App { entered, release, finished, ready, open: AtomicBool::new(false) })
    }
}

impl Health for App {
    const SERVICE: &'static str = "Test Service";
    const VERSION: &'static str = "1.2.3";

    fn endpoints(&self) -> String {
        "/health, /version".to_owned()
    }

    fn checks(&self) -> Vec<Check> {
        let cluster = if self.ready { Check::ok } else { Check::failed };
        vec![Check::ok("store", "redb"), cluster("cluster", "two\nlines")]
    }
}

/// Whoever sends the token `letmein`; the grant is his name.
struct TokenHolder;

impl Policy<App> for TokenHolder {
    type Grant = String;

    fn name(&self) -> String {
        "token".to_owned()
    }

    fn admit(&self, _app: &App, head: &Head) -> Result<String, HttpError> {
        match head.bearer() {
            Bearer::Token("letmein") => Ok("alice".to_owned()),
            Bearer::Token(_) => Err(HttpError::unauthorized("invalid or expired token")),
            Bearer::Missing | Bearer::Other => Err(HttpError::unauthorized("Missing Authorization header")),
        }
    }
}

/// Everybody, as long as the application says so.
struct WhileOpen;

impl Policy<App> for WhileOpen {
    type Grant = ();

    fn name(&self) -> String {
        "while open".to_owned()
    }

    fn admit(&self, app: &App, _: &Head) -> Result<(), HttpError> {
        app.open.load(Ordering::Relaxed).then_some(()).ok_or_else(|| HttpError::unauthorized("closed"))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Thing {
    name: String,
    priority: i64,
}

pub(crate) fn routes() -> Vec<Route<App>> {
    let (get, post) = (Method::GET, Method::POST);
    let mut routes = vec![
        Route::new(post.clone(), "/api/v1/things", TokenHolder, make, "Makes a thing."),
        Route::new(Method::DELETE, "/api/v1/things", Public, remove, "Removes things."),
        Route::new(get.clone(), "/api/v1/things/{name}", Public, show, "Shows a thing."),
        Route::new(post.clone(), "/api/v1/echo", Public, echo, "Tells how long the body is."),
        Route::new(post, "/api/v1/bulk", Public, echo, "Takes more than others.").body_limit(4096),
        Route::new(get.clone(), "/api/v1/wait", Public, wait, "Waits to be released."),
        Route::new(get.clone(), "/api/v1/panic", Public, panics, "Panics, at once or later."),
        Route::new(get.clone(), "/api/v1/broken", Public, broken, "Fails."),
        Route::new(get.clone(), "/api/v1/large", Public, large, "Answers at length."),
        Route::new(get.clone(), "/api/v1/closed", WhileOpen, remove, "Answers while it is open."),
        Route::new(get.clone(), "/api/v1/nothing", Public, nothing, "Answers without a body."),
        Route::new(get, "/api/v1/stale", Public, stale, "Conflicts."),
    ];
    routes.extend(health_routes());
    routes
}

async fn make(_: Arc<App>, grant: String, call: Call) -> Result<Reply, HttpError> {
    let thing: Thing = call.json("Invalid request payload")?;
    if !(0..=20).contains(&thing.priority) {
        return Err(HttpError::unprocessable("priority", "must be 0 to 20"));
    }
    let data = serde_json::json!({"name": thing.name, "owner": grant});
    Ok(Reply::data(&data).header(header::LOCATION, "/api/v1/things/65f0c0ffee65f0c0ffee65f0"))
}

async fn remove(_: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Ok(Reply::empty())
}

async fn nothing(_: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Ok(Reply::bare(StatusCode::NO_CONTENT))
}

async fn show(_: Arc<App>, _grant: (), call: Call) -> Result<Reply, HttpError> {
    Ok(Reply::data(&serde_json::json!({"name": call.param("name"), "q": call.query("q")})))
}

async fn echo(_: Arc<App>, _grant: (), call: Call) -> Result<Reply, HttpError> {
    Ok(Reply::data(&call.body.len()))
}

async fn wait(app: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    app.entered.add_permits(1);
    app.release.acquire().await.map_err(HttpError::internal)?.forget();
    app.finished.add_permits(1);
    Ok(Reply::done())
}

/// Panics as an assertion does, without its word on standard error.
async fn panics(_: Arc<App>, _grant: (), call: Call) -> Result<Reply, HttpError> {
    if call.head.flag("later") {
        tokio::task::yield_now().await;
    }
    resume_unwind(Box::new("a mistake in a handler"))
}

/// More than the buffers of a connection hold.
pub(crate) const LARGE: usize = 64 << 20;

async fn large(app: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    app.entered.add_permits(1);
    Ok(Reply::text("text/plain", vec![b'x'; LARGE]))
}

async fn broken(_: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Err(HttpError::internal("the disk is on fire"))
}

async fn stale(_: Arc<App>, _grant: (), _: Call) -> Result<Reply, HttpError> {
    Err(HttpError::conflict("stale generation").with("heldEpoch", 3).with("heldGeneration", 7))
}

/// A connection on which bytes have been sent.
pub(crate) async fn connect(address: std::net::SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// A bound on waiting, so that a defect is a failure and not a test that never ends.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("somebody waits for ever")
}

/// What comes until the server closes.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the reply is how a server closes on a caller who is still sending.
    let _ = soon(stream.read_to_end(&mut bytes)).await;
    String::from_utf8(bytes).unwrap()
}

/// One reply with a body that ends in a newline, of a connection that stays open.
pub(crate) async fn read_line_body(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}\n") {
        let byte = soon(stream.read_u8()).await.expect("the reply comes to its end");
        bytes.push(byte);
    }
    String::from_utf8(bytes).unwrap()
}
