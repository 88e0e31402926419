//! What every Gthulhu daemon needs around its own work: a listener, routes that know who may call them, replies to
//! the byte, keys and tokens, a client, configuration, logs and an orderly end. It knows no intent, pod or strategy,
//! and it is the only crate that names hyper, ring, rustls, jsonwebtoken, rcgen and rsa.
//!
//! A request on its way through a daemon:
//!
//! ```text
//! server ── limits ──> router ──> route: Policy::admit(head) ──> body ──> handler(app, grant, call)
//!                        │                │                        │            │
//!                        └────────────────┴── error::HttpError ────┴────────────┤
//!                                                  │                            │
//!                              {"success":false,…} or RFC 9457           reply::Reply
//! ```
//!
//! A daemon's life, read from its `main`: [`settings`] finds and reads the configuration, [`logs`] starts the log,
//! [`shutdown`] listens for signals, [`supervised`] tells systemd, [`server::bind`] takes the port, [`router::Router`] is built from
//! [`route::Route`]s and [`health::health_routes`], [`server::serve`] works until asked to stop, and [`exit`] says
//! how it went.
//!
//! Where to look: the wire is in [`json`], [`reply`] and [`error`]; who may do what is a [`route::Policy`]; secrets
//! live in [`keys`], [`tokens`], [`certs`], [`random`] and [`files`]; who is at the other end is proven in [`tls`]; calls to
//! other daemons go through [`client`], programs of the same machine come to a [`socket`]; tests of daemons start from the `testkit` (feature `test-kit`).

pub mod call;
pub mod certs;
pub mod client;
pub mod error;
pub mod exit;
pub mod files;
pub mod health;
pub mod json;
pub mod keys;
pub mod limits;
pub mod logs;
pub mod metrics;
pub mod random;
pub mod reply;
pub mod route;
pub mod router;
pub mod server;
pub mod settings;
pub mod shutdown;
pub mod socket;
pub mod supervised;
#[cfg(feature = "test-kit")]
pub mod testkit;
pub mod time;
pub mod tls;
pub mod tokens;
