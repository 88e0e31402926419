//! What can go wrong in an exchange, told apart the way an operator has to.

use std::error::Error;
use std::io;
use std::time::Duration;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: nothing was sent.
    #[error("{fault}")]
    Connect {
        /// How the peer could not be reached.
        fault: ConnectFault,
        /// What the system said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The deadline passed; the peer may have acted on the request.
    #[error("no complete answer within {limit:?}")]
    Timeout {
        /// The limit that was reached.
        limit: Duration,
    },
    /// The response is larger than allowed.
    #[error("response is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The peer does not speak HTTP, or hung up in the middle; it may have acted on the request.
    #[error("the exchange broke off: {source}")]
    Protocol {
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The request itself is impossible; nothing was sent.
    #[error("cannot send the request: {rule}")]
    Request {
        /// What is wrong with it.
        rule: &'static str,
    },
}

/// How a peer could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFault {
    /// The host is there, nothing listens.
    #[error("connection refused")]
    Refused,
    /// The name has no address.
    #[error("host name cannot be resolved")]
    Name,
    /// No answer while connecting.
    #[error("connection timed out")]
    Timeout,
    /// Any other reason, such as no route to the host.
    #[error("host is unreachable")]
    Unreachable,
}

/// Sorts an error of the connection pool.
pub(super) fn of_request(error: hyper_util::client::legacy::Error) -> ClientError {
    if error.is_connect() {
        return ClientError::Connect { fault: connect_fault(&error), source: Box::new(error) };
    }
    ClientError::Protocol { source: Box::new(error) }
}

fn connect_fault(error: &(dyn Error + 'static)) -> ConnectFault {
    let mut fault = ConnectFault::Unreachable;
    let mut cause = Some(error);
    while let Some(inner) = cause {
        // The connector's error type is private; its text is all that tells a name from an address.
        if inner.to_string() == "dns error" {
            return ConnectFault::Name;
        }
        fault = match inner.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return ConnectFault::Refused,
            Some(io::ErrorKind::TimedOut) => return ConnectFault::Timeout,
            _ => fault,
        };
        cause = inner.source();
    }
    fault
}
