//! For tests of daemons: a server on a free port, a client that checks the shape of every reply, and golden files.
//!
//! The client is written on a plain socket, not on the HTTP library under test, so what it sees are the bytes.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use gthulhu_http::{health::{Check, Health, health_routes}, testkit::{TestServer, golden}};
//! # struct App;
//! # impl Health for App {
//! #     const SERVICE: &'static str = "app";
//! #     const VERSION: &'static str = "1";
//! #     fn endpoints(&self) -> String { String::new() }
//! #     fn checks(&self) -> Vec<Check> { Vec::new() }
//! # }
//! # async fn test() {
//! let server = TestServer::start(Arc::new(App), health_routes().into());
//! let health = server.client().get("/health").await;
//! assert_eq!(health.status, 200);
//! golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "health", &health);
//! server.stop().await;
//! # }
//! ```

mod client;
pub mod golden;
mod shape;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::limits::Limits;
use crate::route::Route;
use crate::router::Router;
use crate::server;
use crate::shutdown::{self, Trigger};
use crate::tls::ServerTls;

pub use client::{Exchange, TestClient};

/// A real server on a free port of 127.0.0.1. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    trigger: Trigger,
    serving: JoinHandle<()>,
}

impl TestServer {
    /// Starts with the default limits. Panics when the routes contradict each other.
    pub fn start<A: Send + Sync + 'static>(app: Arc<A>, routes: Vec<Route<A>>) -> TestServer {
        TestServer::start_with(app, routes, Limits::default())
    }

    /// Starts with these limits.
    pub fn start_with<A: Send + Sync + 'static>(
        app: Arc<A>,
        routes: Vec<Route<A>>,
        limits: Limits,
    ) -> TestServer {
        TestServer::listen(app, routes, limits, None)
    }

    /// Starts with these limits, over TLS.
    pub fn start_tls<A: Send + Sync + 'static>(
        app: Arc<A>,
        routes: Vec<Route<A>>,
        limits: Limits,
        tls: ServerTls,
    ) -> TestServer {
        TestServer::listen(app, routes, limits, Some(tls))
    }

    fn listen<A: Send + Sync + 'static>(
        app: Arc<A>,
        routes: Vec<Route<A>>,
        limits: Limits,
        tls: Option<ServerTls>,
    ) -> TestServer {
        let listener = server::bind("127.0.0.1:0").expect("this machine has a loopback address");
        let address = listener.local_addr().expect("a listening socket has an address");
        let router = Router::new(routes).expect("the routes under test can be told apart");
        let (trigger, shutdown) = shutdown::pair();
        let serving = tokio::spawn(server::serve_with(listener, tls, app, router, limits, shutdown));
        TestServer { address, trigger, serving }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client without a token.
    pub fn client(&self) -> TestClient {
        TestClient::new(&self.url())
    }

    /// Asks the server to stop and returns at once.
    pub fn ask_to_stop(&self) {
        self.trigger.fire();
    }

    /// Asks the server to stop and waits until it has. Panics when the server itself has panicked.
    pub async fn stop(self) {
        self.trigger.fire();
        self.serving.await.expect("the server does not panic");
    }
}
