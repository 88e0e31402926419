//! One log line for each request, written when its work ends, however it ends.

use std::time::Instant;

use http::{Method, StatusCode};

use crate::call::{Head, RequestId};

/// Writes itself when dropped, so that a panic in a handler has its line too. Holds no path, query, header or body
/// of the caller: the route's own path says enough and can hold no secret.
pub(super) struct AccessLine {
    method: Method,
    route: &'static str,
    status: Option<StatusCode>,
    request_id: RequestId,
    started: Instant,
}

impl AccessLine {
    pub(super) fn start(head: &Head) -> AccessLine {
        AccessLine {
            method: head.method.clone(),
            route: "-",
            status: None,
            request_id: head.request_id,
            started: Instant::now(),
        }
    }

    /// When the head of the request was complete.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn routed(&mut self, path: &'static str) {
        self.route = path;
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        // Without a status the handler panicked, or the process is ending under it.
        let status = self.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // What a line holds is looked up only if there is to be one.
        tracing::info!(
            method = %self.method,
            route = self.route,
            status = status.as_u16(),
            micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            request_id = &*self.request_id,
            "request"
        );
    }
}
