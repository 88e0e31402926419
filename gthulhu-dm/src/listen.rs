//! The sockets: one for everybody, or, with mutual TLS, one for the manager and perhaps one for probes.

use std::{io, net::SocketAddr, sync::Arc};

use gthulhu_http::{
    exit::{self, Exit},
    limits::Limits,
    router::Router,
    server::{self, BindError},
    shutdown::Shutdown,
    tls::{Callers, FollowOptions, Following, Live, ServerTls},
};
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;

use crate::{
    api::App,
    config::{Config, Mtls},
    metrics::Metrics,
};

/// Sockets that listen, and the certificates that go with them.
pub(crate) struct Listening {
    listener: TcpListener,
    probes: Option<TcpListener>,
    tls: Option<ServerTls>,
    /// Reads the certificates again.
    _following: Option<Following>,
}

impl Listening {
    /// Takes the addresses and reads the certificates.
    pub(crate) fn open(config: &Config, metrics: &Metrics) -> Result<Listening, Exit> {
        let (server, mtls) = (&config.server, &config.mtls);
        let secured = mtls.enable.then(|| tls(mtls, metrics)).transpose()?;
        let listener = bind("server.host", &server.host)?;
        let probes = (mtls.enable && !server.probe_host.is_empty())
            .then(|| bind("server.probe_host", &server.probe_host))
            .transpose()?;
        let (tls, following) = secured.unzip();
        Ok(Listening { listener, probes, tls, _following: following })
    }

    /// The address for everybody, or, with mutual TLS, for the manager.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Says where it listens.
    pub(crate) fn announce(&self, host: &str, node: &str) -> Result<(), Exit> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|error| Exit::from_error(exit::OS_ERROR, &error))
        };
        if self.tls.is_some() {
            tracing::info!("starting dm server with mTLS on port {host}");
        }
        if let Some(probes) = &self.probes {
            tracing::info!(probes = %address(probes)?, "probes are answered without TLS");
        }
        let address = address(&self.listener)?;
        tracing::info!(%address, node, version = env!("CARGO_PKG_VERSION"), "the decision maker listens");
        Ok(())
    }

    /// Serves until asked to stop.
    pub(crate) async fn serve(
        self,
        app: Arc<App>,
        router: Router<App>,
        probe_router: Router<App>,
        stop: Shutdown,
    ) {
        let limits = Limits { connections: connections(), ..Limits::default() };
        let few = Limits { connections: 64, in_flight: 16, ..Limits::default() };
        let probing = async {
            if let Some(probes) = self.probes {
                server::serve(probes, Arc::clone(&app), probe_router, few, stop.clone()).await;
            }
        };
        let serving =
            server::serve_with(self.listener, self.tls, Arc::clone(&app), router, limits, stop.clone());
        tokio::join!(serving, probing);
    }
}

/// A quarter of the files that this process may open, at most. Half of them are for its source of processes to keep open.
fn connections() -> usize {
    let granted = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    Limits::default().connections.min(granted.unwrap_or(usize::MAX) / 4).max(1)
}

fn tls(mtls: &Mtls, metrics: &Metrics) -> Result<(ServerTls, Following), Exit> {
    let (live, following) = Live::followed(mtls.source(), FollowOptions::default())?;
    metrics.add(live.collectors()).map_err(|error| Exit::from_error(exit::SOFTWARE, &error))?;
    let callers = Callers::Manager { cluster: mtls.cluster.clone() };
    Ok((ServerTls::new(live, callers), following))
}

fn bind(key: &str, host: &str) -> Result<TcpListener, Exit> {
    server::bind(host).map_err(|error| {
        let wrong = matches!(error, BindError::Address { .. });
        Exit::new(if wrong { exit::CONFIG } else { exit::UNAVAILABLE }, format!("{key}: {error}"))
    })
}
