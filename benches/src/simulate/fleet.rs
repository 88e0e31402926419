//! The decision makers: each the daemon as it is shipped, in a thread and on a socket of its own. They find no processes, since
//! what is measured ends before one is looked for.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gthulhu_dm::Daemon;
use gthulhu_dm::config::Config;
use gthulhu_dm::state::State;
use gthulhu_http::certs::{Ca, Holder, Name, Usage};
use gthulhu_http::exit::Exit;
use gthulhu_http::shutdown::{self, Trigger};
use gthulhu_http::time::DurationText;
use gthulhu_http::tls::identity::{DECISION_MAKER, node_uri};
use gthulhu_manager::nodes::{Endpoint, NodeName};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::site::FOREVER;
use crate::Outcome;

/// The directory that decision makers take for the proc file system: it has one process, which is in no pod.
const PROC: &str = "proc";

/// The cluster that certificates name.
const CLUSTER: &str = "simulated";

/// What makes decision makers that a manager believes.
pub(super) struct Yard {
    authority: Ca,
    authority_pem: String,
    token_key: PathBuf,
    dir: PathBuf,
}

impl Yard {
    /// `manager_dir`: where the manager's keys and authority are. Everything is written below `dir`.
    pub(super) fn new(manager_dir: &Path, dir: &Path) -> Outcome<Self> {
        let read = |name: &str| fs::read_to_string(manager_dir.join("certs").join(name));
        let authority_pem = read("ca.crt")?;
        let authority = Ca::load(&authority_pem, &read("ca.key")?)?;
        // A proc file system always has the process that looks at it.
        let only = dir.join(PROC).join("1");
        fs::create_dir_all(&only)?;
        fs::write(only.join("cgroup"), "0::/init.scope\n")?;
        fs::write(only.join("stat"), "")?;
        let token_key = manager_dir.join("keys/dm-token.key");
        Ok(Self { authority, authority_pem, token_key, dir: dir.to_owned() })
    }

    /// A decision maker for this node, running.
    pub(super) fn node(&self, name: NodeName) -> Outcome<Node> {
        let names = vec![Name::Ip([127, 0, 0, 1].into()), Name::Uri(node_uri(CLUSTER, &name))];
        let holder = Holder { common_name: DECISION_MAKER.to_owned(), usage: Usage::Server, names };
        let issued = self.authority.issue(&holder)?;
        let mut config = Config::default();
        config.server.host = "127.0.0.1:0".into();
        config.token.rsa_private_key_path.clone_from(&self.token_key);
        config.mtls.enable = true;
        config.mtls.cert_pem = issued.cert_pem.as_str().into();
        config.mtls.key_pem = issued.key_pem.as_str().into();
        config.mtls.ca_pem = self.authority_pem.as_str().into();
        config.state.dir = self.dir.join(&*name);
        config.node.name = name.to_string();
        config.node.poll = DurationText::new(Duration::from_secs(3600));
        config.node.proc_root = self.dir.join(PROC);
        config.node.cgroup_root = "/kubepods".into();
        config.feed.socket = "off".into();
        let mut node = Node { name, address: ([127, 0, 0, 1], 0).into(), config, life: None };
        node.start()?;
        Ok(node)
    }
}

/// One node's decision maker.
pub(super) struct Node {
    name: NodeName,
    config: Config,
    address: SocketAddr,
    life: Option<Life>,
}

/// A decision maker that runs.
struct Life {
    held: watch::Receiver<State>,
    stop: Trigger,
    task: JoinHandle<Result<(), Exit>>,
}

impl Node {
    /// Starts it, with what it kept, where it was.
    pub(super) fn start(&mut self) -> Outcome<()> {
        let (stop, stopping) = shutdown::pair();
        let daemon = Daemon::start(&self.config, stopping)?;
        self.address = daemon.address()?;
        self.config.server.host = self.address.to_string();
        self.life = Some(Life { held: daemon.held(), stop, task: tokio::spawn(daemon.serve()) });
        Ok(())
    }

    /// Ends it.
    pub(super) async fn stop(&mut self) -> Outcome<()> {
        let Some(life) = self.life.take() else { return Ok(()) };
        life.stop.fire();
        drop(life.held);
        Ok(life.task.await??)
    }

    /// Puts something in its place that takes connections and says nothing.
    pub(super) async fn cut_off(&mut self) -> Outcome<Silence> {
        self.stop().await?;
        let listener = TcpListener::bind(self.address).await?;
        let (counter, taken) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut connections: Vec<TcpStream> = Vec::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => connections.extend(accepted.ok().map(|(stream, _)| stream)),
                    // Nobody listens here any more; those that wait for an answer go on waiting.
                    () = counter.closed() => return connections,
                }
                counter.send_replace(connections.len());
            }
        });
        Ok(Silence { taken, task })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node's name.
    pub(super) fn name(&self) -> &NodeName {
        &self.name
    }

    /// How it is called.
    pub(super) fn endpoint(&self) -> Endpoint {
        let (url, node) = (format!("https://{}", self.address), Arc::clone(&self.name));
        Endpoint { url, node, ..Endpoint::default() }
    }

    /// Ends when what it holds, on disk, is as wanted, and says when.
    pub(super) fn once(
        &self,
        wanted: impl Fn(&State) -> bool + Send + 'static,
    ) -> JoinHandle<Result<Instant, String>> {
        let (held, name) = (self.life.as_ref().map(|life| life.held.clone()), Arc::clone(&self.name));
        tokio::spawn(async move {
            let mut held = held.ok_or("it does not run")?;
            let seen = tokio::time::timeout(FOREVER, held.wait_for(wanted)).await;
            let now = Instant::now();
            match seen {
                Ok(Ok(_)) => Ok(now),
                Ok(Err(_)) => Err(format!("{name} ended")),
                Err(_) => Err(format!("{name} does not come to hold what it should")),
            }
        })
    }
}

/// A place that takes connections and says nothing. What is connected stays so, and unanswered, when it ends.
pub(super) struct Silence {
    taken: watch::Receiver<usize>,
    task: JoinHandle<Vec<TcpStream>>,
}

impl Silence {
    /// Waits until so many have connected.
    pub(super) async fn heard(&mut self, connections: usize) -> Outcome<()> {
        tokio::time::timeout(FOREVER, self.taken.wait_for(|taken| *taken >= connections)).await??;
        Ok(())
    }

    /// Ends it, and gives the connections.
    pub(super) async fn end(self) -> Outcome<Vec<TcpStream>> {
        drop(self.taken);
        Ok(self.task.await?)
    }
}
