//! Where certificates come from, and what is to be said about those of a configuration.

use gthulhu_http::settings::Finding;
use gthulhu_http::tls::{Pem, Source};

use super::{Mtls, ServerTls};
use crate::init::Layout;

impl ServerTls {
    /// Where the API's certificate and key come from.
    pub fn source(&self) -> Source {
        Source {
            section: "server.tls",
            cert: Pem::of(&self.cert_pem, &self.cert_path),
            key: Pem::of(self.key_pem.reveal(), &self.key_path),
            ca: None,
        }
    }

    pub(super) fn examine(&self) -> Vec<Finding> {
        if self.enable { self.source().examine() } else { Vec::new() }
    }
}

impl Mtls {
    /// Where the manager's certificate, its key and the authorities come from.
    pub fn source(&self, layout: &Layout) -> Source {
        let own = |file| Some(Pem::File(file));
        let section = "mtls";
        if self.is_silent() {
            let (cert, key) = (own(layout.manager_cert()), own(layout.manager_key()));
            return Source { section, cert, key, ca: Some(own(layout.ca_cert())) };
        }
        Source {
            section,
            cert: Pem::of(&self.cert_pem, &self.cert_path),
            key: Pem::of(self.key_pem.reveal(), &self.key_path),
            ca: Some(Pem::of(&self.ca_pem, &self.ca_path)),
        }
    }

    pub(super) fn examine(&self, layout: &Layout) -> Vec<Finding> {
        // What the first start makes need not be there before it.
        if !self.enable || self.is_silent() && !layout.ca_cert().exists() {
            return Vec::new();
        }
        self.source(layout).examine()
    }

    /// Nothing is said about certificates.
    fn is_silent(&self) -> bool {
        let texts = [&self.cert_pem, self.key_pem.reveal(), &self.ca_pem];
        let paths = [&self.cert_path, &self.key_path, &self.ca_path];
        texts.iter().all(|text| text.trim().is_empty())
            && paths.iter().all(|path| path.as_os_str().is_empty())
    }
}
