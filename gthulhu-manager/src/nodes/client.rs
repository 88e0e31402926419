//! Speaking to one dm: a question goes out as HTTP, and whatever comes back becomes an [`Outcome`].
//!
//! A dm may be old, broken or an impostor, so no reply is believed further than its shape is checked, and none
//! can make this code fail in any other way than by a [`Failure`].

mod reply;
mod tokens;

use gthulhu_http::client::{Client, ClientError, ConnectFault, Request as HttpRequest};
use gthulhu_http::json;
use gthulhu_lib::intent::set::IntentSet;
use gthulhu_lib::wire::preview::{ExplainReply, PreviewReply};
use gthulhu_lib::wire::{IntentsBody, MerkleReply, PodsPidsReply};
use http::Method;

use super::driver::Candidate;
use super::machine::{Failure, FailureKind, Outcome, Request};
use super::{Endpoint, Pair};

pub use tokens::Tokens;

/// Calls dms on behalf of this manager.
pub struct DmClient {
    http: Client,
    tokens: Tokens,
}

impl DmClient {
    /// A client that uses the connections of `http` and identifies itself by `tokens`.
    pub fn new(http: Client, tokens: Tokens) -> Self {
        Self { http, tokens }
    }

    /// Carries out one request of the machine.
    pub async fn perform(&self, endpoint: &Endpoint, request: &Request) -> Outcome {
        let outcome = match request {
            Request::Compare => self.compare(endpoint).await,
            Request::Push { pair, set } => self.push(endpoint, *pair, set).await,
        };
        outcome.unwrap_or_else(Outcome::Failed)
    }

    /// The pods and processes that the node sees now.
    pub async fn pods_pids(&self, endpoint: &Endpoint) -> Result<PodsPidsReply, Failure> {
        let (status, body) = self.exchange(endpoint, Method::GET, "/api/v1/pods/pids", None).await?;
        reply::data(status, &body)
    }

    /// Why the task has its strategy or none.
    pub async fn explain(&self, endpoint: &Endpoint, pid: u32) -> Result<ExplainReply, Failure> {
        let path = format!("/api/v1/explain?pid={pid}");
        let (status, body) = self.exchange(endpoint, Method::GET, &path, None).await?;
        reply::offered(status)?;
        reply::data(status, &body)
    }

    /// What the intents would do if they were pushed now.
    pub async fn preview(&self, endpoint: &Endpoint, candidate: &Candidate) -> Result<PreviewReply, Failure> {
        let about = candidate.strategy.map(|id| format!("?strategyID={id}")).unwrap_or_default();
        let path = format!("/api/v1/preview{about}");
        let intents = candidate.intents.clone();
        let body = json::to_body(&IntentsBody { intents, epoch: None, generation: None });
        let (status, body) = self.exchange(endpoint, Method::POST, &path, Some(body)).await?;
        reply::offered(status)?;
        reply::data(status, &body)
    }

    async fn compare(&self, endpoint: &Endpoint) -> Result<Outcome, Failure> {
        let (status, body) = self.exchange(endpoint, Method::GET, "/api/v1/intents/merkle", None).await?;
        let merkle: MerkleReply = reply::data(status, &body)?;
        reply::state(&merkle).map(Outcome::State)
    }

    async fn push(&self, endpoint: &Endpoint, pair: Pair, set: &IntentSet) -> Result<Outcome, Failure> {
        let body = json::to_body(&IntentsBody {
            intents: set,
            epoch: Some(pair.epoch),
            generation: Some(pair.generation),
        });
        match self.exchange(endpoint, Method::POST, "/api/v1/intents", Some(body)).await? {
            (200, _) => Ok(Outcome::Accepted),
            (409, body) => Ok(Outcome::Conflict(reply::held(&body))),
            (status, body) => Err(reply::refusal(status, &body)),
        }
    }

    /// One authenticated exchange: status and body.
    async fn exchange(
        &self,
        endpoint: &Endpoint,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let token = self.tokens.get(&self.http, endpoint).await?;
        let url = format!("{}{path}", endpoint.url);
        let request = HttpRequest { method, bearer: Some(&token), body, ..HttpRequest::get(url) };
        let request = request.to_node(&endpoint.node, &endpoint.server_name);
        let response = self.http.send(request).await.map_err(|error| unanswered(&error))?;
        if response.status == 401 {
            self.tokens.refused(endpoint);
        }
        Ok((response.status, response.body.into()))
    }
}

/// What the absence of a response says about the node.
fn unanswered(error: &ClientError) -> Failure {
    let kind = match error {
        ClientError::Timeout { .. } | ClientError::Connect { fault: ConnectFault::Timeout, .. } => {
            FailureKind::TimedOut
        }
        ClientError::Connect { .. } | ClientError::Tls { .. } | ClientError::Protocol { .. } => {
            FailureKind::Unreachable
        }
        ClientError::TooLarge { .. } | ClientError::Request { .. } => FailureKind::BadAnswer,
    };
    Failure { kind, message: error.to_string() }
}

#[cfg(test)]
mod tests;
