//! What can go wrong in an exchange, told apart the way an operator has to.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

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
    /// The two did not agree on who they are: nothing was done.
    #[error("TLS failed: {reason}")]
    Tls {
        /// Which of them refused the other, and why.
        reason: String,
        /// What was reported.
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
    if let Some(reason) = tls_reason(&error) {
        return ClientError::Tls { reason, source: Box::new(error) };
    }
    if error.is_connect() {
        return ClientError::Connect { fault: connect_fault(&error), source: Box::new(error) };
    }
    ClientError::Protocol { source: Box::new(error) }
}

/// What TLS has to do with it, if anything. With its newest version a client hears only afterwards that it was refused, when it
/// waits for the answer.
fn tls_reason(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = inner.downcast_ref().or_else(|| wrapped.and_then(|inner| inner.downcast_ref()));
        match found {
            Some(rustls::Error::AlertReceived(alert)) => {
                return Some(format!("it refuses us, or our certificate ({alert:?})"));
            }
            Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
                return Some(format!("its certificate is refused: {}", other.0));
            }
            Some(rustls::Error::InvalidCertificate(why)) => {
                return Some(format!("its certificate is refused: {why}"));
            }
            Some(rustls::Error::InvalidMessage(_)) => return Some("it does not speak TLS".to_owned()),
            Some(other) => return Some(other.to_string()),
            None => cause = inner.source(),
        }
    }
    None
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
