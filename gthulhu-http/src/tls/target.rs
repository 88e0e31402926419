//! Whom a connection must reach, written into its address, so that no connection is ever used for another.
//!
//! The pool keeps connections by scheme and authority, and the connector is told nothing else. So all that makes two
//! connections different goes into the authority, before the `@`: node, name, and which credentials they were made with. None
//! of it is ever sent.

use std::fmt::Write as _;

use http::Uri;

/// All that a connection depends on besides host and port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// The node that is meant, if one is.
    pub(crate) node: Option<String>,
    /// The name that its certificate must have, if not the host's.
    pub(crate) server_name: Option<String>,
    /// Changes whenever connections that were made before must not be used again.
    pub(crate) generation: u64,
}

impl Target {
    /// The URL with the target in it. None for what is not `https://host...`.
    pub(crate) fn mark(&self, uri: &Uri) -> Option<Uri> {
        let authority = uri.authority()?.as_str();
        if authority.contains('@') {
            return None;
        }
        let mut marked = String::new();
        for part in [&self.node, &self.server_name] {
            if let Some(text) = part {
                marked.push('x');
                text.bytes().for_each(|byte| {
                    let _ = write!(marked, "{byte:02x}");
                });
            }
            marked.push('.');
        }
        let _ = write!(marked, "{}@{authority}", self.generation);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Uri::builder().scheme("https").authority(marked).path_and_query(path).build().ok()
    }

    /// The target in a marked URL.
    pub(crate) fn of(uri: &Uri) -> Option<Target> {
        let (mark, _) = uri.authority()?.as_str().split_once('@')?;
        let mut parts = mark.split('.');
        let mut text = || {
            let part = parts.next()?;
            Some(match part.strip_prefix('x') {
                Some(digits) => Some(unhex(digits)?),
                None => None,
            })
        };
        let (node, server_name) = (text()?, text()?);
        Some(Target { node, server_name, generation: parts.next()?.parse().ok()? })
    }
}

fn unhex(digits: &str) -> Option<String> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    String::from_utf8(digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_url_is_another_address_and_the_same_request() {
        let uri: Uri = "https://10.0.0.7:8080/api?x=1".parse().unwrap();
        for (node, server_name) in [
            (None, None),
            (Some(""), None),
            (None, Some("localhost")),
            (Some("node-1.example"), Some("10.0.0.8")),
            (Some("a@b/c?d#e%20 ü"), None),
        ] {
            let target = Target {
                node: node.map(str::to_owned),
                server_name: server_name.map(str::to_owned),
                generation: 7,
            };
            let marked = target.mark(&uri).unwrap();
            assert_eq!(Target::of(&marked), Some(target.clone()));
            assert_eq!((marked.host(), marked.port_u16()), (Some("10.0.0.7"), Some(8080)));
            assert_eq!(marked.path_and_query().unwrap(), "/api?x=1");
            let newer = Target { generation: 8, ..target.clone() };
            assert_ne!(newer.mark(&uri).unwrap().authority(), marked.authority());
            let other = Target { node: Some("other".to_owned()), ..target };
            assert_ne!(other.mark(&uri).unwrap().authority(), marked.authority());
        }
        let six: Uri = "https://[2001:db8::7]:8080".parse().unwrap();
        assert_eq!(Target::default().mark(&six).unwrap().host(), Some("[2001:db8::7]"));
    }

    #[test]
    fn nobody_else_writes_marks() {
        for uri in ["https://x6e..3@10.0.0.7/", "/path"] {
            assert_eq!(Target::default().mark(&uri.parse().unwrap()), None, "{uri}");
        }
    }
}
