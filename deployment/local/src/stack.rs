//! Both daemons, with the embedded store or a database server, a folder of Pod manifests for a cluster, and one node: this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::background::{arguments, run_to_end};
use crate::daemon::Daemon;
use crate::error::LocalError;
use crate::http::Api;
use crate::mongo::MongoServer;
use crate::pods::cgroup::Base;
use crate::pods::{Pod, PodSpec};
use crate::ports::Port;
use crate::state::StateDir;

/// In the directory with everything that a run writes.
const FEED: &str = "feed.sock";

/// Ports on the loopback address; 0 takes a free one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    /// The manager's.
    pub manager: u16,
    /// The decision maker's.
    pub dm: u16,
}

/// Both daemons, running and ready. Dropping it ends them and removes what they wrote.
#[derive(Debug)]
pub struct Stack {
    manager: Daemon,
    dm: Daemon,
    node: String,
    manager_dir: PathBuf,
    base: Base,
    /// Ends after the daemons, and before what it writes is removed.
    database: Option<MongoServer>,
    state: StateDir,
    /// Nobody else's as long as the daemons may listen there.
    _held: [Option<Port>; 2],
}

/// Where the manager keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreKind {
    /// In a file.
    #[default]
    Redb,
    /// On a server that is started beside it.
    Mongodb,
}

impl Stack {
    /// Starts both daemons and waits until they are ready. The node is named after this machine. What is written goes
    /// to `dir`, or to a temporary directory.
    pub async fn start(ports: Ports, dir: Option<&Path>) -> Result<Self, LocalError> {
        Self::start_with(ports, dir, StoreKind::Redb).await
    }

    /// The same with a choice.
    pub async fn start_with(ports: Ports, dir: Option<&Path>, store: StoreKind) -> Result<Self, LocalError> {
        let state = dir.map_or_else(StateDir::temporary, StateDir::at)?;
        let manager_dir = state.path().join("manager");
        let database = match store {
            StoreKind::Redb => None,
            StoreKind::Mongodb => Some(MongoServer::start(state.path())?),
        };
        database.iter().filter_map(MongoServer::pid).try_for_each(|pid| state.record(pid))?;
        Self::assemble(ports, state, manager_dir, database).await
    }

    /// The same on free ports, with the manager's state and keys in `manager_dir`, where they stay. `gthulhu-manager init`
    /// may have made the keys there before: it takes its time where a CPU is slow.
    pub async fn start_prepared(manager_dir: &Path) -> Result<Self, LocalError> {
        Self::assemble(Ports::default(), StateDir::temporary()?, manager_dir.to_path_buf(), None).await
    }

    async fn assemble(
        ports: Ports,
        state: StateDir,
        manager_dir: PathBuf,
        database: Option<MongoServer>,
    ) -> Result<Self, LocalError> {
        let base = Base::find()?;
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        for dir in ["pods", "links", "dm"] {
            state.subdir(dir)?;
        }
        run_to_end("gthulhu-manager", &arguments("init", "--dir", &manager_dir))?;

        let (manager_at, manager_port) = address("gthulhu-manager", ports.manager)?;
        let (dm_at, dm_port) = address("gthulhu-dm", ports.dm)?;
        let dm_url = format!("http://{dm_at}");
        let config = state.write("dm.toml", &dm_config(&state, &manager_dir, &base, &dm_at))?;
        let mut dm = Daemon::start(&state, "gthulhu-dm", &config, &dm_url, &[("NODE_NAME", &node)])?;
        let store = database.as_ref().map(|server| server.section("manager")).unwrap_or_default();
        let text = manager_config(&state, &manager_dir, &manager_at, &node, &dm_url);
        let config = state.write("manager.toml", &format!("{text}\n{store}"))?;
        let mut manager =
            Daemon::start(&state, "gthulhu-manager", &config, &format!("http://{manager_at}"), &[])?;
        dm.ready(&Api::new(dm.url())).await?;
        manager.ready(&Api::new(manager.url())).await?;
        let held = [manager_port, dm_port];
        Ok(Self { manager, dm, node, manager_dir, base, state, database, _held: held })
    }

    /// Starts a pod on this node and tells the manager of it.
    pub fn pod(&self, spec: PodSpec) -> Result<Pod, LocalError> {
        let (links, folder) = (self.state.path().join("links"), self.state.path().join("pods"));
        Pod::start(&self.base, &links, &folder, &self.node, spec)
    }

    /// What the server of the store calls itself, if there is one.
    pub fn database(&self) -> Option<&str> {
        self.database.as_ref().map(MongoServer::version)
    }

    /// The manager's base URL.
    pub fn manager(&self) -> &str {
        self.manager.url()
    }

    /// The decision maker's base URL.
    pub fn dm(&self) -> &str {
        self.dm.url()
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The file with the one-time password of `admin@localhost`.
    pub fn password_file(&self) -> PathBuf {
        self.manager_dir.join("admin-password")
    }

    /// The public key that a scheduler exchanges for a token of the decision maker.
    pub fn dm_public_key(&self) -> PathBuf {
        self.manager_dir.join("keys/dm-token.pub")
    }

    /// The socket on which the decision maker feeds this node's scheduler.
    pub fn feed_socket(&self) -> PathBuf {
        self.state.path().join(FEED)
    }

    /// Where pods are made.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Where the programs write.
    pub fn state(&self) -> &StateDir {
        &self.state
    }

    /// The directory with everything that the run writes.
    pub fn dir(&self) -> &Path {
        self.state.path()
    }

    /// Ends both daemons; either ending with an error is one.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.manager.stop()?;
        self.dm.stop()
    }
}

fn manager_config(state: &StateDir, dir: &Path, host: &str, node: &str, dm_url: &str) -> String {
    format!(
        "[server]\nhost = {host}\n\n[state]\ndir = {dir}\n\n[cluster]\npods_dir = {pods}\n\n\
         [[nodes]]\nname = {node}\nurl = {url}\n",
        host = json!(host),
        dir = json!(dir),
        pods = json!(state.path().join("pods")),
        node = json!(node),
        url = json!(dm_url),
    )
}

fn dm_config(state: &StateDir, manager_dir: &Path, base: &Base, host: &str) -> String {
    format!(
        "[server]\nhost = {host}\n\n[state]\ndir = {dir}\n\n[token]\nrsa_private_key_path = {key}\n\n\
         [node]\ncgroup_root = {root}\n\n[feed]\nsocket = {socket}\n",
        host = json!(host),
        dir = json!(state.path().join("dm")),
        key = json!(manager_dir.join("keys/dm-token.key")),
        root = json!(base.pods_root()),
        socket = json!(state.path().join(FEED)),
    )
}

/// The address to listen on. A port that is chosen now is held; one that was asked for must be free.
fn address(name: &str, port: u16) -> Result<(String, Option<Port>), LocalError> {
    let port = match port {
        0 => Ok(Port::take()?),
        asked => Err(asked),
    };
    let number = port.as_ref().map_or_else(|asked| *asked, Port::number);
    let taken = |error| LocalError::process(name, format!("cannot listen on 127.0.0.1:{number}: {error}"));
    drop(TcpListener::bind((Ipv4Addr::LOCALHOST, number)).map_err(taken)?);
    Ok((format!("127.0.0.1:{number}"), port.ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_and_chosen_ports_differ() {
        let (manager, _held) = address("gthulhu-manager", 0).unwrap();
        let (dm, _held_too) = address("gthulhu-dm", 0).unwrap();
        assert_ne!(manager, dm);
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = address("gthulhu-dm", port).unwrap_err().to_string();
        assert!(error.starts_with(&format!("gthulhu-dm: cannot listen on 127.0.0.1:{port}: ")), "{error}");
    }
}
