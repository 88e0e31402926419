//! The one place where a refusal of the service becomes HTTP. The client reads what to do, the log what happened.

use gthulhu_http::error::HttpError;

use crate::nodes::driver::PodsPidsError;
use crate::service::{ErrorKind, ServiceError};

impl From<ServiceError> for HttpError {
    fn from(error: ServiceError) -> Self {
        let text = error.to_string();
        match error.kind() {
            ErrorKind::Unauthorized => HttpError::unauthorized(text),
            ErrorKind::Forbidden => HttpError::forbidden(text),
            ErrorKind::BadRequest => HttpError::bad_request(text),
            ErrorKind::Conflict => HttpError::conflict(text),
            ErrorKind::NotFound => HttpError::not_found(text),
            ErrorKind::Unprocessable { field, rule } => HttpError::unprocessable(field, rule),
            ErrorKind::TooMany(after) => HttpError::too_many_requests(text, after),
            // What the store says may name files; the caller needs to know only that he should come back.
            ErrorKind::Unavailable(after) => match error {
                ServiceError::Store(cause) => {
                    HttpError::unavailable("the store is not available", after).caused_by(cause)
                }
                _ => HttpError::unavailable(text, after),
            },
            ErrorKind::Internal => HttpError::internal(error),
        }
    }
}

impl From<PodsPidsError> for HttpError {
    fn from(error: PodsPidsError) -> Self {
        // The cause may name addresses; the caller needs the node and what to expect.
        let text = |what: &str| format!("the decision maker of this node {what}");
        match &error {
            PodsPidsError::UnknownNode(_) => HttpError::not_found("no decision maker is known for this node"),
            PodsPidsError::Unreachable(_) => {
                HttpError::bad_gateway(text("cannot be reached")).caused_by(error)
            }
            PodsPidsError::TimedOut(_) => {
                HttpError::gateway_timeout(text("did not answer in time")).caused_by(error)
            }
            PodsPidsError::BadAnswer(_) => {
                HttpError::bad_gateway(text("gave no usable answer")).caused_by(error)
            }
        }
    }
}
