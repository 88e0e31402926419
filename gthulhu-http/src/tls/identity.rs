//! Who a certificate is for, beyond being one of our authority's.
//!
//! An identity is a URI among the alternative names: `gthulhu://CLUSTER/manager`, or `gthulhu://CLUSTER/node/NAME`. A
//! certificate that has any URI there is judged by it alone. One that has none is of an older make: a manager's is known by its
//! common name, a node's by the name that it is called by.

use std::fmt;

use crate::certs::{Name, Seen};

/// The common name of a manager's certificate.
pub const MANAGER: &str = "gthulhu-manager";
/// The common name of every decision maker's: what tells them apart are the alternative names.
pub const DECISION_MAKER: &str = "gthulhu-decisionmaker";

const SCHEME: &str = "gthulhu://";

/// The identity of a cluster's manager.
pub fn manager_uri(cluster: &str) -> String {
    format!("{SCHEME}{cluster}/manager")
}

/// The identity of one node's decision maker.
pub fn node_uri(cluster: &str, node: &str) -> String {
    format!("{SCHEME}{cluster}/node/{node}")
}

/// Who is at the other end of a connection, proven by a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a good certificate is not the one meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// It has identities, and the one that is needed is not among them.
    #[error("the certificate is for {found}, not for {wanted}")]
    Other {
        /// The identities that it has.
        found: String,
        /// The one that is needed.
        wanted: String,
    },
    /// It has no identity, and not the common name that is needed.
    #[error("the certificate is for {found}, and only {MANAGER} may call")]
    CommonName {
        /// The name that it has.
        found: String,
    },
    /// It cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
}

/// Whether this is a manager's certificate. An empty `cluster` is any: then the authority alone says which.
pub(super) fn manager(der: &[u8], cluster: &str) -> Result<Identity, Stranger> {
    let seen = read(der)?;
    let uris = uris(&seen);
    if uris.is_empty() {
        return match seen.common_name.as_deref() {
            Some(MANAGER) => Ok(Identity(format!("CN={MANAGER}"))),
            _ => Err(Stranger::CommonName { found: seen.subject }),
        };
    }
    one_of(&uris, cluster, "manager")
}

/// Whether this is the certificate of that node; none if it has no identity, and the name that it is called by decides.
pub(super) fn node(der: &[u8], cluster: &str, node: &str) -> Result<Option<Identity>, Stranger> {
    let seen = read(der)?;
    let uris = uris(&seen);
    if uris.is_empty() { Ok(None) } else { one_of(&uris, cluster, &format!("node/{node}")).map(Some) }
}

/// The one identity among the names, which must be the one of `role`. One that has another besides is nobody's.
fn one_of(uris: &[&str], cluster: &str, role: &str) -> Result<Identity, Stranger> {
    let is_wanted = |uri: &str| {
        let rest = uri.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/'));
        rest.is_some_and(|(of, who)| !of.is_empty() && who == role && (cluster.is_empty() || of == cluster))
    };
    let ours: Vec<&&str> = uris.iter().filter(|uri| uri.starts_with(SCHEME)).collect();
    match ours.as_slice() {
        [uri] if is_wanted(uri) => Ok(Identity((**uri).to_owned())),
        _ => {
            let cluster = if cluster.is_empty() { "CLUSTER" } else { cluster };
            Err(Stranger::Other { found: uris.join(", "), wanted: format!("{SCHEME}{cluster}/{role}") })
        }
    }
}

fn read(der: &[u8]) -> Result<Seen, Stranger> {
    Seen::from_der(der).map_err(|error| Stranger::Unreadable(error.to_string()))
}

fn uris(seen: &Seen) -> Vec<&str> {
    let names = seen.names.iter();
    names.filter_map(|name| if let Name::Uri(uri) = name { Some(uri.as_str()) } else { None }).collect()
}
