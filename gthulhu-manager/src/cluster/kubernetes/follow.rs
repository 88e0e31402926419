//! Following one kind of objects: a list, then a watch from where the list ended, then another from where that one ended,
//! and a list again only if the server has forgotten that place or its events made no sense.
//!
//! The library has such a loop too. It skips an event that it cannot read, asks for ever to go on from a place that is
//! answered with 410 before the watch begins, does not see what a 429 asks for, and begins anew without a pause when a
//! server ends each watch at once.

use std::sync::Arc;
use std::time::Duration;

use gthulhu_http::random;
use kube::Client;
use kube::core::Request;
use kube::core::params::{ListParams, WatchParams};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::connect::Connector;
use super::decision_makers::Finder;
use super::failure::Failure;
use super::index::{Disorder, Listed};
use super::lines::Lines;
use super::read::{Event, Kind, Page, Status, Unclear, version};
use super::request::{open, piece, whole};
use super::{Options, Shared, Source};
use crate::quoted::quoted;

/// A watch that ends sooner is not begun anew without a pause.
const WATCH_LIVES: Duration = Duration::from_secs(1);

/// Follows one kind, with a connection of its own.
pub(super) struct Follower {
    kind: Kind,
    connector: Connector,
    options: Options,
    finder: Option<Arc<Finder>>,
    shared: Arc<Shared>,
    client: Option<Client>,
    /// In a row.
    failures: u32,
}

/// How a watch ended.
enum Ended {
    /// It may be taken up again from where it ended.
    WithItsTime,
    /// Everything has to be read anew, and why.
    Astray(String),
}

impl Follower {
    pub(super) fn new(
        kind: Kind,
        source: Source,
        options: Options,
        finder: Option<Arc<Finder>>,
        shared: Arc<Shared>,
    ) -> Self {
        let connector = Connector::new(source);
        Self { kind, connector, options, finder, shared, client: None, failures: 0 }
    }

    /// Follows for ever.
    pub(super) async fn follow(mut self) {
        loop {
            let from = match self.list().await {
                Ok(version) => version,
                Err(failure) => {
                    self.failed(&failure).await;
                    continue;
                }
            };
            let reason = self.watch_from(from).await;
            debug!(kind = self.kind.name(), reason, "reading everything anew");
        }
    }

    /// Watches, again and again, until everything has to be read anew; gives the reason.
    async fn watch_from(&mut self, mut from: String) -> String {
        loop {
            let begun = Instant::now();
            let ended = self.watch(&mut from).await;
            let lived = begun.elapsed() >= WATCH_LIVES;
            if lived {
                self.failures = 0;
            }
            match ended {
                Ok(Ended::WithItsTime) if lived => {}
                Ok(Ended::WithItsTime) => self.pause(None).await,
                // Whatever led us astray may do so again at once.
                Ok(Ended::Astray(reason)) => {
                    self.pause(None).await;
                    return reason;
                }
                Err(failure) if failure.gone => {
                    self.pause(None).await;
                    return failure.reason;
                }
                Err(failure) => self.failed(&failure).await,
            }
        }
    }

    /// Reads all objects and puts them in the place of what was known. Gives the version to watch from.
    async fn list(&mut self) -> Result<String, Failure> {
        let client = self.client().await?;
        let wait = self.options.answer;
        let mut listed = Listed::default();
        let mut params = ListParams::default().limit(self.options.page);
        loop {
            let request = Request::new(self.path()).list(&params);
            let body = open(&client, request.map_err(|error| Failure::new(error.to_string()))?, wait).await?;
            let bytes = whole(body, wait).await?;
            let page: Page<'_> = serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(format!("its list cannot be read: {}", quoted(&error.to_string())))
            })?;
            for raw in page.items.iter().flatten() {
                listed.take(self.kind.read(raw.get(), self.finder.as_deref()));
            }
            let from = page.metadata.resource_version;
            if page.metadata.more.is_empty() {
                if from.is_empty() {
                    return Err(Failure::new("its list has no version"));
                }
                self.shared.change(|index| index.listed(self.kind, listed));
                self.touched();
                return Ok(from);
            }
            params.continue_token = Some(page.metadata.more);
        }
    }

    /// One watch. `from` goes along with what was taken in.
    async fn watch(&mut self, from: &mut String) -> Result<Ended, Failure> {
        let client = self.client().await?;
        let seconds = u32::try_from(self.options.watch.as_secs()).unwrap_or(1).max(1);
        let params = WatchParams::default().timeout(seconds);
        let request = Request::new(self.path()).watch(&params, from);
        let request = request.map_err(|error| Failure::new(error.to_string()))?;
        let mut body = open(&client, request, self.options.answer).await?;
        self.touched();
        let mut lines = Lines::default();
        loop {
            let Some(data) = piece(&mut body, self.options.watch + self.options.grace).await? else {
                // What is left is half an event, which comes again from where we go on.
                return Ok(Ended::WithItsTime);
            };
            lines.push(&data);
            loop {
                let line = match lines.next() {
                    Ok(Some(line)) => line,
                    Ok(None) => break,
                    Err(reason) => return Ok(Ended::Astray(reason)),
                };
                match self.take(&line) {
                    Ok(Some(version)) => *from = version,
                    Ok(None) => {}
                    Err(reason) => return Ok(Ended::Astray(reason)),
                }
            }
        }
    }

    /// Takes in one line of a watch. Gives the version that it brings us to; an error says why we are astray.
    fn take(&self, line: &[u8]) -> Result<Option<String>, String> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let bad =
            |error: serde_json::Error| format!("an event cannot be read: {}", quoted(&error.to_string()));
        let event: Event<'_> = serde_json::from_slice(line).map_err(bad)?;
        let raw = event.object.get();
        let deleted = match &*event.kind {
            "ADDED" | "MODIFIED" => false,
            "DELETED" => true,
            "BOOKMARK" => {
                return version(raw).map(Some).ok_or_else(|| "a bookmark has no version".to_owned());
            }
            "ERROR" => {
                let Status { code, message, reason } = serde_json::from_str(raw).unwrap_or_default();
                return Err(format!("the watch ended with {code} {}: {}", quoted(&reason), quoted(&message)));
            }
            other => return Err(format!("an event of the unknown type {}", quoted(other))),
        };
        let version = version(raw).ok_or("an event has no version")?;
        let (key, outcome) = match self.kind.read(raw, self.finder.as_deref()) {
            Ok(object) => (object.key().to_owned(), Ok(object)),
            Err(Unclear { key: Some(key), fault }) => (key, Err(fault)),
            // Whatever this was about, all that is known may be wrong now.
            Err(Unclear { key: None, fault }) => {
                return Err(format!("an event is about nobody knows what: {}", quoted(&fault)));
            }
        };
        let taken = self.shared.change(|index| match outcome {
            // For an end the key is enough.
            _ if deleted => {
                index.gone(self.kind, &key);
                Ok(())
            }
            Ok(object) => index.put(object),
            Err(fault) => {
                index.unclear(self.kind, key, fault);
                Ok(())
            }
        });
        taken.map_err(|Disorder(what)| format!("events come out of order: {what}"))?;
        Ok(Some(version))
    }

    async fn client(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = self.connector.connect(&self.options).await;
        let client = client.map_err(|error| Failure::new(error.to_string()))?;
        self.client = Some(client.clone());
        Ok(client)
    }

    fn path(&self) -> String {
        format!("/api/v1/{}", self.kind.name())
    }

    /// The API answered as it should.
    fn touched(&self) {
        if self.shared.change(|index| index.touched(self.kind)) {
            info!(kind = self.kind.name(), "the Kubernetes API answers");
        }
    }

    /// Tells what is wrong, and waits before the next attempt, which begins with new connections and credentials.
    async fn failed(&mut self, failure: &Failure) {
        self.client = None;
        if self.shared.change(|index| index.failed(self.kind, &failure.reason)) {
            warn!(kind = self.kind.name(), reason = failure.reason, "the Kubernetes API cannot be followed");
        }
        self.pause(failure.retry_after).await;
    }

    /// Half to whole of a delay that doubles from one time to the next, and no less than the server asks for.
    async fn pause(&mut self, asked: Option<Duration>) {
        let Options { backoff_min, backoff_max, retry_after_max, .. } = self.options;
        let whole = backoff_min.saturating_mul(1 << self.failures.min(16)).min(backoff_max);
        self.failures = self.failures.saturating_add(1);
        let [chance] = random::bytes::<1>();
        let delay = whole.mul_f64(0.5 + f64::from(chance) / 512.0);
        sleep(delay.max(asked.unwrap_or_default().min(retry_after_max))).await;
    }
}
