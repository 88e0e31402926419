//! The decision maker: on every node, from intents to processes and their strategies.
//!
//! ```text
//!   manager --- POST intents (epoch, generation) ---> api --> node (one thread) --> state file
//!   scheduler -- GET scheduling/strategies ---------> api -->   |  owns the Engine of gthulhu-lib
//!   Prometheus -- GET /metrics ---------------------> api       |  looks at /proc
//!   gthulhu-scx <- intents, counters -> (unix socket) feed <----+
//!   gthulhu-scx monitor - processes --> (unix socket) feed ---> told
//! ```
//!
//! [`serve`] is the life of the process, [`Daemon`] what it is made of, in order. The rest, by question: which push may replace the set held
//! ([`fence`]), what survives a restart ([`state`]), who may call ([`auth`]), what can be set ([`config`]), what the
//! routes are ([`api`]), where it listens (`listen`), who owns the intents at run time ([`node`]), what the node's scheduler is told and tells ([`feed`]), what a monitor tells of
//! processes ([`told`]).

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use gthulhu_http::{
    exit::{self, Exit},
    logs,
    router::Router,
    settings::{self, FileArgs},
    shutdown::{self, Shutdown},
    supervised::Supervised,
};
use gthulhu_lib::intent::Limits;
use tokio::sync::{oneshot, watch};

pub mod api;
pub mod auth;
pub mod config;
pub mod feed;
pub mod fence;
pub mod identity;
mod listen;
pub mod metrics;
pub mod node;
mod source;
pub mod state;
pub mod told;

use api::{App, Checking};
use auth::Tokens;
use config::Config;
use feed::{Feed, Offered, Running as Feeding};
use identity::Identity;
use listen::Listening;
use metrics::Metrics;
use node::Node;
use state::{Found, State, StateError, StateFile};
use told::Told;

/// Serves until SIGTERM or SIGINT; an error is the reason why it could not start or had to stop.
pub async fn serve(files: &FileArgs) -> Result<(), Exit> {
    let ready = settings::for_serving::<Config>(files, settings::environment)?;
    logs::init(&ready.config.logging.level, logs::Format::Auto)?;
    ready.remark();
    let shutdown = shutdown::on_signals().map_err(|error| Exit::from_error(exit::OS_ERROR, &error))?;
    Daemon::start(&ready.config, shutdown)?.serve().await
}

/// A decision maker that has its sockets, its state and its thread.
pub struct Daemon {
    app: Arc<App>,
    router: Router<App>,
    probes: Router<App>,
    listening: Listening,
    feeding: Feeding,
    ended: oneshot::Receiver<()>,
    shutdown: Shutdown,
}

impl Daemon {
    /// Takes what it needs, or says what is missing. Must be called inside a runtime.
    pub fn start(config: &Config, shutdown: Shutdown) -> Result<Daemon, Exit> {
        let tokens = Tokens::new(&config::key::load(&config.token)?, &config.token);
        let identity = Identity::of_this_machine(&config.node, |name| std::env::var(name).ok());
        let metrics = Metrics::new(&identity.machine_id, config.metrics.compat_names)
            .map_err(|error| Exit::from_error(exit::SOFTWARE, &error))?;

        let (file, state) = open_state(&config.state.dir)?;
        let told = Told::new().map_err(|error| Exit::from_error(exit::OS_ERROR, &error))?;
        let engine = source::engine(&config.node, config.feed.path().map(|_| &told))?;
        let options = node::Options {
            poll: config.node.poll.get(),
            fresh: config.node.fresh.get(),
            accept_unnumbered: config.node.accept_unnumbered,
        };
        let (node, ended) = Node::start(engine, file, state, metrics.clone(), options)
            .map_err(|error| Exit::new(exit::OS_ERROR, format!("cannot start the node's thread: {error}")))?;

        let table = |routes| Router::new(routes).map_err(|error| Exit::from_error(exit::SOFTWARE, &error));
        let (router, probes) = (table(api::routes())?, table(api::probe_routes())?);
        let listening = Listening::open(config, &metrics)?;
        let offered = Offered { held: node.held(), table: node.table(), told };
        let (feed, feeding) = Feed::start(config.feed.path(), offered, metrics.clone(), shutdown.clone());
        let app = Arc::new(App {
            node,
            feed,
            tokens,
            metrics,
            name: identity.name,
            checking: Checking::new(Limits { accept_any_priority: config.limits.accept_any_priority }),
            threads: config.strategies.threads,
        });
        listening.announce(&config.server.host, &app.name)?;
        Ok(Daemon { app, router, probes, listening, feeding, ended, shutdown })
    }

    /// What the node holds, now and after every change; see [`Node::held`].
    pub fn held(&self) -> watch::Receiver<State> {
        self.app.node.held()
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listening.address()
    }

    /// Serves until it is asked to stop; an error is the reason why it had to stop before.
    pub async fn serve(self) -> Result<(), Exit> {
        let Daemon { app, router, probes, listening, feeding, ended, shutdown } = self;
        let (supervised, asked) = (Supervised::of_environment(), shutdown.clone());
        supervised.ready();
        // The node's thread ends when nobody is left who could ask it. While somebody is, its end is a failure.
        let asks = Arc::clone(&app);
        let stopping = async {
            asked.requested().await;
            supervised.stopping();
        };
        let serving = async { tokio::join!(listening.serve(app, router, probes, shutdown), stopping) };
        tokio::select! {
            ((), ()) = serving => {}
            never = supervised.keep_alive() => match never {},
            // A thread that ended by a panic cannot be trusted to start again with what it had in memory; a new process
            // starts from what is on disk.
            _ = ended => return Err(Exit::new(exit::SOFTWARE, "the node's thread has ended")),
        }
        drop(asks);
        feeding.end().await;
        Ok(())
    }
}

fn open_state(dir: &Path) -> Result<(StateFile, State), Exit> {
    let (file, state, found) = StateFile::open(dir).map_err(|error| unusable(&error))?;
    match found {
        Found::Nothing => tracing::info!(dir = %dir.display(), "no state was kept: a first start"),
        Found::Kept => {
            let pair = state.fence.held.map(|held| held.pair);
            tracing::info!(
                intents = state.intents.len(),
                epoch = pair.map(|pair| pair.epoch),
                generation = pair.map(|pair| pair.generation),
                edited = state.fence.edited,
                "the state was kept"
            );
        }
        Found::MovedAside(reason) => tracing::error!(
            reason,
            dir = %dir.display(),
            "the state file is damaged; it was moved to {} and the node starts empty",
            state::CORRUPT
        ),
    }
    Ok((file, state))
}

fn unusable(error: &StateError) -> Exit {
    let code = match error {
        _ if error.io_kind() == Some(io::ErrorKind::PermissionDenied) => exit::NO_PERMISSION,
        StateError::Writable { .. } => exit::NO_PERMISSION,
        StateError::File(_) => exit::CANNOT_CREATE,
        StateError::Io { .. } => exit::IO_ERROR,
        StateError::InUse(_) => exit::TEMPORARY,
    };
    Exit::new(code, format!("state.dir: {error}"))
}
