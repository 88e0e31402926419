//! From an address in a configuration file to a listening socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait in the kernel for their turn.
const BACKLOG: u32 = 1024;

/// Why there is no listener. Names the address as it was written.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The text is not `host:port`, or the host has no address.
    #[error("{address} is not an address to listen on (host:port, or :port for all addresses)")]
    Address {
        /// The address as it was written.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address is taken, not of this machine, or not allowed.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as it was written.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on `host:port`. `:8081` is all addresses, of both families where the machine has both; port 0 is any
/// free port. Must be called inside a runtime; a host name is looked up on the spot.
pub fn bind(address: &str) -> Result<TcpListener, BindError> {
    let failed = |source| BindError::Listen { address: address.to_owned(), source };
    if let (None, port) = parse(address)? {
        return all_addresses(port).map_err(failed);
    }
    let resolved = address
        .to_socket_addrs()
        .and_then(|mut all| all.next().ok_or_else(|| io::Error::other("the host has no address")))
        .map_err(|source| BindError::Address { address: address.to_owned(), source })?;
    listen(resolved).map_err(failed)
}

/// What can be said of an address without asking anybody: whether it has a port, and a host if it needs one.
pub fn check_address(address: &str) -> Result<(), BindError> {
    parse(address).map(|_| ())
}

/// The host, unless all addresses are meant, and the port.
fn parse(address: &str) -> Result<(Option<&str>, u16), BindError> {
    let wrong = |what: &str| BindError::Address {
        address: address.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, what),
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong("no port"))?;
    let port = port.parse().map_err(|_| wrong("not a port"))?;
    if host.contains(char::is_whitespace) {
        return Err(wrong("not a host"));
    }
    Ok((Some(host).filter(|host| !host.is_empty()), port))
}

/// Both families on one socket; the older one alone where the system does not have the newer.
fn all_addresses(port: u16) -> io::Result<TcpListener> {
    match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error)
            if error.kind() != io::ErrorKind::AddrInUse
                && error.kind() != io::ErrorKind::PermissionDenied =>
        {
            listen((Ipv4Addr::UNSPECIFIED, port).into())
        }
        outcome => outcome,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(v6) => {
            let socket = TcpSocket::new_v6()?;
            if v6.ip().is_unspecified() {
                rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
            }
            socket
        }
    };
    // A daemon that restarts must not wait for its predecessor's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_alone_is_all_addresses() {
        let listener = bind(":0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listener.local_addr().unwrap().ip().is_unspecified());
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if listener.local_addr().unwrap().is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[tokio::test]
    async fn one_address_is_that_address() {
        for host in ["127.0.0.1:0", "localhost:0"] {
            assert!(bind(host).unwrap().local_addr().unwrap().ip().is_loopback(), "{host}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_names_the_address() {
        let first = bind("127.0.0.1:0").unwrap();
        let taken = first.local_addr().unwrap().to_string();
        let error = bind(&taken).unwrap_err();
        assert!(matches!(error, BindError::Listen { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("cannot listen on {taken}: ")), "{error}");
    }

    #[tokio::test]
    async fn what_is_not_an_address_is_refused() {
        for text in ["", ":", ":http", ":70000", "127.0.0.1", "127.0.0.1:x", "no.such.host.invalid:1"] {
            let error = bind(text).unwrap_err();
            assert!(matches!(error, BindError::Address { .. }), "{text}: {error}");
        }
    }
}
