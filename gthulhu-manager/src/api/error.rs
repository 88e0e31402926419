//! The one place where a refusal of the service becomes HTTP. The client reads what to do, the log what happened.

use gthulhu_http::error::HttpError;

use crate::nodes::driver::AskError;
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

impl From<AskError> for HttpError {
    fn from(error: AskError) -> Self {
        // The cause may name addresses; the caller needs the node and what to expect.
        let text = public_reason(&error);
        match &error {
            AskError::UnknownNode(_) => HttpError::not_found(text),
            AskError::TimedOut(_) => HttpError::gateway_timeout(text).caused_by(error),
            AskError::Unreachable(_) | AskError::BadAnswer(_) | AskError::NotOffered(_) => {
                HttpError::bad_gateway(text).caused_by(error)
            }
        }
    }
}

/// Why a node did not tell what was asked, without what only an operator should know.
pub(super) fn public_reason(error: &AskError) -> &'static str {
    match error {
        AskError::UnknownNode(_) => "no decision maker is known for this node",
        AskError::Unreachable(_) => "the decision maker of this node cannot be reached",
        AskError::TimedOut(_) => "the decision maker of this node did not answer in time",
        AskError::BadAnswer(_) => "the decision maker of this node gave no usable answer",
        AskError::NotOffered(_) => {
            "the decision maker of this node cannot tell: it is an older one or another program"
        }
    }
}
