//! HTTP: the table of routes, who may call each, and the translation between bodies and the service.
//!
//! Nothing is decided here. A handler reads a body, calls one operation of the service with the grant that the
//! route's policy made, and writes the answer.

mod audit;
mod auth;
mod bodies;
mod error;
mod explain;
mod intents;
mod lists;
mod nodes;
mod openapi;
mod policy;
mod preview;
mod query;
mod roles;
mod routes;
mod strategies;
mod swagger;
mod system;
mod users;

use std::sync::Arc;

use gthulhu_http::error::HttpError;
use gthulhu_http::health::{Check, Health};

use crate::cluster::Cluster;
use crate::metrics::Metrics;
use crate::nodes::driver::NodesHandle;
use crate::service::{Service, ServiceError};
use crate::tokens::UserTokens;

pub use routes::routes;

/// What the handlers share.
pub struct App {
    /// The rules.
    pub service: Arc<Service>,
    /// Signs users' tokens and checks them.
    pub tokens: UserTokens,
    /// What is counted.
    pub metrics: Metrics,
    /// The decision makers.
    pub nodes: NodesHandle,
    /// The source of pods, for readiness.
    pub cluster: Arc<dyn Cluster>,
}

impl App {
    /// Runs an operation that may wait for the disk or for a turn at hashing, off the server's threads.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Service) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, HttpError> {
        let service = Arc::clone(&self.service);
        match tokio::task::spawn_blocking(move || operation(&service)).await {
            Ok(result) => result.map_err(HttpError::from),
            Err(panicked) => Err(HttpError::internal(panicked)),
        }
    }
}

impl Health for App {
    const SERVICE: &'static str = "gthulhu-manager";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn endpoints(&self) -> String {
        let routes = routes();
        // The files of the page are not what is asked for.
        let told = routes.iter().filter(|route| !route.path().starts_with("/swagger"));
        told.map(|route| format!("{}_{}", route.method(), route.path())).collect::<Vec<_>>().join(", ")
    }

    fn checks(&self) -> Vec<Check> {
        let remarks = self.service.store_remarks();
        let told = |said: &str| if remarks.is_empty() { said.into() } else { format!("{said}; {remarks}") };
        let trouble = self.service.store_trouble();
        let store = match (self.service.store_failure(), &*trouble.borrow()) {
            (Some(reason), _) | (None, Some(reason)) => Check::failed("store", reason.to_string()),
            (None, None) => Check::ok("store", told("accepts changes")),
        };
        let view = self.cluster.view();
        let cluster = match (view.complete, &view.reason) {
            (true, None) => Check::ok("cluster", format!("{} pods", view.pods.len())),
            (true, Some(reason)) => Check::ok("cluster", reason),
            (false, reason) => Check::failed("cluster", reason.as_deref().unwrap_or("not complete")),
        };
        let kids = self.tokens.kids();
        let signs = kids.first().map_or("", String::as_str);
        let keys = match kids.get(1) {
            None => Check::ok("keys", format!("{signs} signs")),
            Some(old) => Check::ok("keys", format!("{signs} signs, {old} is good until it is retired")),
        };
        vec![store, cluster, keys]
    }
}
