//! The manager: users, roles and strategies; watches pods; pushes each node its intents.
//!
//! ```text
//!   api (HTTP) --> service (rules) --> store (one transaction per change)
//!                     |   ^
//!            desired  v   | what nodes hold
//!   cluster (pods) --> pusher --> nodes (state machine, driver) --> decision makers
//! ```
//!
//! [`serve`] is the life of the process, in order. It needs no privilege.

pub mod api;
pub mod assemble;
pub mod cluster;
pub mod config;
pub mod control;
mod differ;
pub mod domain;
pub mod init;
pub mod keyring;
pub mod metrics;
pub mod nodes;
pub mod pusher;
mod quoted;
mod roster;
pub mod service;
mod start;
pub mod store;
pub mod tokens;
pub mod verbs;

use std::path::Path;
use std::sync::Arc;

use gthulhu_http::exit::{self, Exit};
use gthulhu_http::limits::Limits as ServerLimits;
use gthulhu_http::router::Router;
use gthulhu_http::settings::FileArgs;
use gthulhu_http::supervised::Supervised;
use gthulhu_http::{server, shutdown};
use gthulhu_lib::intent::Limits;
use tokio::sync::watch;

use api::App;
use assemble::Parts;
use config::Keys;
use control::Controlled;
use init::Layout;
use service::{LoginLimits, Rules, STRATEGIES_PER_USER, Service};
use start::tls::Certificates;
use store::audit::Head;
use store::{Standing, StoreError};

/// Serves until SIGTERM or Ctrl-C; an error is the reason why it could not start or had to stop.
pub async fn serve(files: FileArgs) -> Result<(), Exit> {
    let (config, mongodb_section) = start::configure(&files)?;
    let layout = start::first_start(&config)?;
    let keys = keyring::load(&config.key, &layout)?;

    let certificates = Certificates::read(&config, &layout)?;
    let limits = Limits { accept_any_priority: config.limits.accept_any_priority };
    let access_ttl = config.key.access_ttl.get();
    let assembled = assemble::assemble(Parts {
        store: start::store(&config, mongodb_section)?,
        cluster: start::cluster(&config).await?,
        keys: &keys,
        rules: Rules {
            access_ttl,
            limits,
            strategies_per_user: STRATEGIES_PER_USER,
            logins: LoginLimits::default(),
        },
        client: start::dm_client(&keys.dm, &config.key.client_id, certificates.nodes.clone()),
    });
    let mut manager = assembled.map_err(|error| Exit::from_error(exit::IO_ERROR, &error))?;
    certificates.show(&manager.app.metrics)?;
    let service = Arc::clone(&manager.app.service);
    start::administrator(&service, &config.account, &layout)?;

    // The address is taken before any node is spoken to.
    let listener = server::bind(&config.server.host)
        .map_err(|error| Exit::new(exit::UNAVAILABLE, format!("server.host: {error}")))?;
    let address = listener.local_addr().map_err(|error| Exit::from_error(exit::OS_ERROR, &error))?;
    let scheme = if config.mtls.enable { "https" } else { "http" };
    manager.push_to(start::endpoints(&config.nodes), scheme);

    let changed = service.changed();
    let router = Router::new(api::routes()).map_err(|error| Exit::from_error(exit::SOFTWARE, &error))?;
    let signals = shutdown::on_signals().map_err(|error| Exit::from_error(exit::OS_ERROR, &error))?;
    let (stop, stopping) = shutdown::pair();
    let controlled = Arc::new(Operated { app: Arc::clone(&manager.app), keys: config.key, layout });
    let control = start::control(&config.state.dir, controlled);
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "the manager listens");
    certificates.warn_of_plain(address);

    let supervised = Supervised::of_environment();
    supervised.ready();
    let watching = async {
        let failure = tokio::select! {
            () = signals.requested() => None,
            reason = failed(&service, changed) => Some(reason),
        };
        supervised.stopping();
        // In either case whoever waits for an answer gets it: after a failure, those whose change was refused.
        stop.fire();
        failure
    };
    let (tls, app) = (certificates.api.clone(), Arc::clone(&manager.app));
    let serving = server::serve_with(listener, tls, app, router, ServerLimits::default(), stopping);
    let mending = tokio::spawn(start::mend(Arc::clone(&service)));
    let ended = async { tokio::join!(serving, watching) };
    let ((), failure) = tokio::select! {
        ended = ended => ended,
        never = supervised.keep_alive() => match never {},
    };
    mending.abort();
    drop(control);
    failure.map_or(Ok(()), |reason| {
        Err(match reason {
            StoreError::Taken { .. } => Exit::new(exit::TEMPORARY, reason.to_string()),
            _ => Exit::new(exit::IO_ERROR, format!("the store failed and accepts nothing more: {reason}")),
        })
    })
}

/// What an operator's commands work on.
struct Operated {
    app: Arc<App>,
    keys: Keys,
    layout: Layout,
}

impl Controlled for Operated {
    fn reload_keys(&self) -> Result<String, String> {
        let keys = keyring::load_user(&self.keys, &self.layout).map_err(|finding| finding.to_string())?;
        self.app.tokens.replace(&keys);
        let kids = self.app.tokens.kids().join(" ");
        tracing::info!(kids, "the keys of users' tokens were read again; the first one signs");
        Ok(kids)
    }

    fn copy(&self, to: &Path) -> Result<(), String> {
        self.app.service.copy_store(to).map_err(|error| error.to_string())?;
        tracing::info!(to = %to.display(), "the store was copied");
        Ok(())
    }

    fn verify_trail(&self, known: Option<&Head>) -> Result<Head, String> {
        self.app.service.verify_trail(known).map_err(|error| error.to_string())
    }
}

/// Waits until the store has failed for good. What it holds in memory cannot be trusted then; a restart reads what is
/// stored.
async fn failed(service: &Service, mut changed: watch::Receiver<u64>) -> StoreError {
    let mut standing = service.standing();
    loop {
        if let Some(reason) = service.store_failure() {
            return reason.clone();
        }
        let alive = tokio::select! {
            alive = changed.changed() => alive.is_ok(),
            holder = lost(standing.as_mut()) => return StoreError::Taken { holder },
        };
        if !alive {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until another process has taken the store over; which.
async fn lost(standing: Option<&mut watch::Receiver<Standing>>) -> String {
    if let Some(standing) = standing
        && let Ok(now) = standing.wait_for(|now| matches!(now, Standing::Lost { .. })).await
        && let Standing::Lost { holder } = &*now
    {
        return holder.clone();
    }
    std::future::pending().await
}

/// `gthulhu-manager init`: makes what a first start needs, and lists it on standard output.
#[expect(clippy::print_stdout, reason = "the list is the command's output")]
pub fn init_and_list(dir: &Path) -> Result<(), Exit> {
    let made = init::run(dir).map_err(|error| Exit::from_error(exit::CANNOT_CREATE, &error))?;
    if made.is_empty() {
        println!("nothing to make: {} is complete", dir.display());
    }
    for path in made {
        println!("{}", path.display());
    }
    Ok(())
}
