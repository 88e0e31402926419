//! The certificates: towards decision makers, and on the API.

use std::net::SocketAddr;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::tls::{Callers, ClientTls, FollowOptions, Following, Live, ServerTls, Source};

use crate::config::Config;
use crate::init::Layout;
use crate::metrics::Metrics;

/// What is on of it.
#[derive(Default)]
pub(crate) struct Certificates {
    /// Towards decision makers.
    pub(crate) nodes: Option<ClientTls>,
    /// On the API.
    pub(crate) api: Option<ServerTls>,
    all: Vec<Live>,
    /// Reads them again while this is here.
    following: Vec<Following>,
}

impl Certificates {
    /// Reads what the configuration says is on, and follows it from then on.
    pub(crate) fn read(config: &Config, layout: &Layout) -> Result<Certificates, Exit> {
        let mut certificates = Certificates::default();
        let (mtls, tls) = (&config.mtls, &config.server.tls);
        if mtls.enable {
            let live = certificates.followed(mtls.source(layout))?;
            certificates.nodes = Some(ClientTls::new(live, &mtls.cluster, &mtls.server_name));
            tracing::info!("decision makers are called over mTLS");
        }
        if tls.enable {
            certificates.api = Some(ServerTls::new(certificates.followed(tls.source())?, Callers::Anyone));
        }
        Ok(certificates)
    }

    fn followed(&mut self, source: Source) -> Result<Live, Exit> {
        let (live, following) = Live::followed(source, FollowOptions::default())?;
        self.following.push(following);
        self.all.push(live.clone());
        Ok(live)
    }

    /// Shows when they end.
    pub(crate) fn show(&self, metrics: &Metrics) -> Result<(), Exit> {
        let added = self.all.iter().try_for_each(|live| metrics.add(live.collectors()));
        added.map_err(|error| Exit::from_error(exit::SOFTWARE, &error))
    }

    /// Says once that passwords and tokens could be read on their way.
    pub(crate) fn warn_of_plain(&self, address: SocketAddr) {
        if self.api.is_none() && !address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                %address,
                "the API listens without TLS beyond this machine: set [server.tls], or put it behind what speaks TLS"
            );
        }
    }
}
