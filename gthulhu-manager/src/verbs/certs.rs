//! `certs ...`: certificates for mutual TLS, from the authority in the state directory.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gthulhu_http::certs::{Ca, CertError, Holder, Name, Seen, Usage};
use gthulhu_http::exit::{self, Exit};
use gthulhu_http::files;
use gthulhu_http::settings::FileArgs;
use gthulhu_http::time::{rfc3339, unix_now};
use gthulhu_http::tls::identity::{self, DECISION_MAKER, MANAGER};

use super::{Place, say};

const DAY: i64 = 24 * 60 * 60;

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub enum CertsVerb {
    /// Print the authority's certificate, which both sides trust
    Ca {
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// Issue a certificate and its key: for a node's decision maker, or for another manager
    ///
    /// Writes NAME.crt and NAME.key, mode 0600; NAME is the node's, or gthulhu-manager. With --mount the names are those of
    /// the files that a Secret holds: dm or manager, and ca.crt beside them. A node's is good for being called only: whoever
    /// takes it is no manager.
    Issue {
        /// The node's name; without it, for a manager
        #[arg(long, value_name = "NAME", requires = "addresses")]
        node: Option<String>,
        /// An address or host name by which the node is called; may be given several times
        #[arg(long = "address", value_name = "HOST", requires = "node")]
        addresses: Vec<String>,
        /// Adds the identity gthulhu://CLUSTER/node/NAME, or gthulhu://CLUSTER/manager
        #[arg(long, value_name = "CLUSTER")]
        cluster: Option<String>,
        /// Where to write them
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        /// Makes DIR what is mounted into a pod: dm.crt and dm.key, or manager.crt and manager.key, and ca.crt
        #[arg(long)]
        mount: bool,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// Replace a certificate and its key by new ones for the same holder
    Renew {
        /// The certificate, NAME.crt; its key is NAME.key
        cert: PathBuf,
        /// Which configuration
        #[command(flatten)]
        files: FileArgs,
    },
    /// Print what a certificate says
    Inspect {
        /// The certificate
        cert: PathBuf,
    },
}

pub(super) fn run(verb: &CertsVerb) -> Result<(), Exit> {
    match verb {
        CertsVerb::Ca { files } => say(authority(files)?.cert_pem().trim_end()),
        CertsVerb::Issue { node, addresses, cluster, out, mount, files } => {
            let holder = holder(node.as_deref(), addresses, cluster.as_deref());
            let name = match (node, mount) {
                (Some(_), true) => "dm",
                (Some(node), false) => node,
                (None, true) => "manager",
                (None, false) => MANAGER,
            };
            let cert = out.join(format!("{name}.crt"));
            if cert.exists() {
                let rule = "is there already; renew it, or choose another --out";
                return Err(Exit::new(exit::CANNOT_CREATE, format!("{}: {rule}", cert.display())));
            }
            let ca = authority(files)?;
            issue(&ca, &holder, &cert)?;
            if *mount { write(&out.join("ca.crt"), &ca.cert_pem()) } else { Ok(()) }
        }
        CertsVerb::Renew { cert, files } => {
            let holder = seen(cert)?.holder().ok_or_else(|| {
                let rule = "is not for a client or for a server alone: such a one is not issued here";
                Exit::new(exit::DATA, format!("{}: {rule}", cert.display()))
            })?;
            issue(&authority(files)?, &holder, cert)
        }
        CertsVerb::Inspect { cert } => inspect(&seen(cert)?),
    }
}

fn holder(node: Option<&str>, addresses: &[String], cluster: Option<&str>) -> Holder {
    let host = |host: &String| host.parse::<IpAddr>().map_or_else(|_| Name::Dns(host.clone()), Name::Ip);
    let mut names: Vec<Name> = addresses.iter().map(host).collect();
    let uri = |cluster| match node {
        Some(node) => identity::node_uri(cluster, node),
        None => identity::manager_uri(cluster),
    };
    names.extend(cluster.map(uri).map(Name::Uri));
    let (common_name, usage) = match node {
        Some(_) => (DECISION_MAKER, Usage::Server),
        None => (MANAGER, Usage::Client),
    };
    Holder { common_name: common_name.to_owned(), usage, names }
}

fn authority(files: &FileArgs) -> Result<Ca, Exit> {
    let layout = Place::of(files)?.layout();
    let cert = read(&layout.ca_cert())?;
    let key =
        files::read_private(&layout.ca_key()).map_err(|error| Exit::from_error(exit::NO_INPUT, &error))?;
    Ca::load(&cert, &key).map_err(|error| unusable(&layout.ca_cert(), &error))
}

fn issue(ca: &Ca, holder: &Holder, cert: &Path) -> Result<(), Exit> {
    let issued = ca.issue(holder).map_err(|error| Exit::from_error(exit::DATA, &error))?;
    let key = cert.with_extension("key");
    // A key without its certificate says that something was interrupted; the other way round it would look whole.
    for (path, text) in [(&key, &issued.key_pem), (&cert.to_path_buf(), &issued.cert_pem)] {
        write(path, text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Exit> {
    files::write_atomic(path, text.as_bytes(), files::PRIVATE_FILE)
        .map_err(|error| Exit::from_error(exit::CANNOT_CREATE, &error))?;
    say(path.display())
}

fn inspect(seen: &Seen) -> Result<(), Exit> {
    let uses = [(seen.authority, "authority"), (seen.client, "client"), (seen.server, "server")];
    let uses: Vec<_> = uses.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    say(format!("subject  {}\nissuer   {}", seen.subject, seen.issuer))?;
    say(format!("use      {}", if uses.is_empty() { "none stated".to_owned() } else { uses.join(", ") }))?;
    for name in &seen.names {
        say(match name {
            Name::Dns(host) => format!("name     {host}"),
            Name::Ip(address) => format!("name     {address}"),
            Name::Uri(uri) => format!("name     {uri}"),
        })?;
    }
    let days = (seen.not_after - unix_now()).div_euclid(DAY);
    let left = if days < 0 { "over".to_owned() } else { format!("{days} days left") };
    say(format!("from     {}\nto       {} ({left})", rfc3339(seen.not_before), rfc3339(seen.not_after)))
}

fn seen(path: &Path) -> Result<Seen, Exit> {
    Seen::from_pem(&read(path)?).map_err(|error| unusable(path, &error))
}

fn read(path: &Path) -> Result<String, Exit> {
    fs::read_to_string(path)
        .map_err(|error| Exit::new(exit::NO_INPUT, format!("{}: {error}", path.display())))
}

fn unusable(path: &Path, error: &CertError) -> Exit {
    Exit::new(exit::DATA, format!("{}: {error}", path.display()))
}
