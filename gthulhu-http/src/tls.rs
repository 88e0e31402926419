//! TLS between daemons: who shows which certificate, and what makes a certificate good.
//!
//! ```text
//!   files or inline PEM --> Source --> Live (the last good set, followed while it changes) --> Credentials
//!                                        |                                    |
//!                              ServerTls: a listener's side          ClientTls: a client's side
//! ```
//!
//! A certificate is good when its chain leads to one of our own authorities, it is made for the use that it is put to, now is
//! within its life, and it is the one meant: see [`identity`]. Nothing is resumed: each connection shows its certificate anew.
//! All of rustls is below this module.

mod authorities;
mod calling;
mod credentials;
mod expiry;
mod files;
pub mod identity;
mod live;
mod room;
mod serving;
mod source;
mod target;
mod transport;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

pub use calling::ClientTls;
pub use identity::Identity;
pub use live::{FollowOptions, Following, Live};
pub use serving::{Callers, ServerTls};
pub use source::{Pem, Source};

pub(crate) use calling::Connector;
pub(crate) use serving::Caller;
pub(crate) use transport::Transport;

/// What is spoken, and no other protocol: a peer that offers others only is told so.
const HTTP_1_1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
